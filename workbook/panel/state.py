"""What a panel is asked, and what it was asked before."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbook import render, words
from workbook.window import Window

if TYPE_CHECKING:
    from workbook.analysis import Result


@dataclass(frozen=True)
class Asked:
    """A question with its window and its parameters, as the widgets stand."""

    name: str
    window: Window
    parameters: dict[str, Any]


class Past:
    """What was asked before the question that is shown, the last at the end."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def last(self) -> Asked:
        """What was asked just before."""
        return self._asked[-1]

    def went(self, before: Asked, now: Asked) -> None:
        """Remember that the panel went from one question to another; back to the last one is one step less."""
        if self._asked and self._asked[-1] == now:
            self._asked.pop()
        elif before != now:
            self._asked.append(before)


@dataclass
class Story:
    """The results that were kept, in the order in which they were, each with a person's own words.

    As the value of a cell it shows them whole; ``str`` gives Markdown; ``code`` the cell that makes them again.
    """

    results: list[Result] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def keep(self, result: Result, note: str = "") -> None:
        """Add a result; one that is there already gets the new words."""
        for place, one in enumerate(self.results):
            if one.code == result.code:
                self.results[place], self.notes[place] = result, note or self.notes[place]
                return
        self.results.append(result)
        self.notes.append(note)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def code(self) -> str:
        """The lines of Python that give every kept result again, each under a person's words."""
        lines = []
        for result, note in zip(self.results, self.notes, strict=True):
            lines += [f"# {line}" for line in note.splitlines()]
            lines.append(f"display({result.code})")
        return "\n".join(lines)

    def __str__(self) -> str:
        parts = []
        for result, note in zip(self.results, self.notes, strict=True):
            parts += [render.markdown(note), ""] if note else []
            shown = render.result_markdown(replace(result, sql=""), rows=5).rstrip()
            parts.append(f"{shown}\n\n{render.fenced(result.code, 'python')}\n")
        return "\n".join(parts) or "Nothing was kept yet."

    def _repr_html_(self) -> str:
        parts = []
        for result, note in zip(self.results, self.notes, strict=True):
            said = f"<p><b>{html.escape(words.visible(note))}</b></p>" if note else ""
            parts.append(said + render.result_html(result))
        return "".join(parts) or "<p>Nothing was kept yet.</p>"
