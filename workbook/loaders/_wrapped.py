"""Lines that a terminal or a mail program broke at its width, put together again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_WIDTHS = (72, 76, 78, 80, 100, 120, 132)
_SLACK = 3
_LONGEST = 2_000


@dataclass(frozen=True)
class Line:
    """A line as it was before it was broken: the number of its first piece, its text, all pieces with their numbers."""

    at: int
    text: str
    pieces: list[tuple[int, str]]


def variants(numbered: list[tuple[int, str]]) -> Iterator[list[Line]]:
    """Give the lines as they are, then as they would be if they had been broken at one of the usual widths."""
    yield [Line(at, text, [(at, text)]) for at, text in numbered]
    longest = max((len(text) for _, text in numbered), default=0)
    for width in _WIDTHS:
        if width - _SLACK <= longest <= width and len(numbered) > 1:
            yield _joined(numbered, width)


def _joined(numbered: list[tuple[int, str]], width: int) -> list[Line]:
    """Join what follows a full line to it; blanks at a full line's end may have been trimmed."""
    lines: list[Line] = []
    open_line = False
    for at, text in numbered:
        follows = open_line and at == lines[-1].pieces[-1][0] + 1
        if follows:
            last = lines.pop()
            lines.append(Line(last.at, last.text + text, [*last.pieces, (at, text)]))
        else:
            lines.append(Line(at, text, [(at, text)]))
        open_line = width - _SLACK <= len(text) <= width and len(lines[-1].text) < _LONGEST
        if open_line:
            last = lines.pop()
            lines.append(Line(last.at, last.text + " " * (width - len(text)), last.pieces))
    return lines
