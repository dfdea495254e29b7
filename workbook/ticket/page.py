"""The ticket as Markdown: a summary of five lines, priority and reply, lines, steps, what was ruled out, check lists.

Everything that came from a file is redacted before it comes here, and cannot become structure here: prose is escaped,
lines stand in a fence that is longer than any run of backticks in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from workbook import words
from workbook.cells import code_span, fenced, markdown
from workbook.ticket.curl import Curl
from workbook.ticket.support import Priority

MOST_RULED_OUT = 12
_SUMMED_UP = 3
_LONGEST_LINE = 1_000

CHECKS = (
    "It is sent from the Heroku account that owns the application or collaborates on it: support looks the"
    " application up by the account.",
    "Support may look at the code, if at all possible: they do not debug it, but read its configuration.",
    "The steps name a test account where they need one, and no person’s own.",
    "No password, key or credential is in it; what was in the log is changed.",
    "It was read once more by a person: names and free text are not found by rules.",
)


@dataclass(frozen=True)
class Shown:
    """One line of the log: where it stands (path:line), why it was chosen, and its text."""

    place: str
    why: str
    text: str


@dataclass(frozen=True)
class Content:
    """What a ticket says, all of it redacted."""

    title: str
    app: str
    what: str
    since: str
    how_many: str
    asked: str
    priority: Priority
    reply: str
    lines: Sequence[Shown] = ()
    other_places: Sequence[str] = ()
    request_ids: Sequence[str] = ()
    curl: Curl | None = None
    pasted: Sequence[tuple[str, int, str]] = ()
    tried: Sequence[str] = ()
    ruled_out: Sequence[str] = ()
    cannot_tell: Sequence[str] = ()
    weakened: Sequence[str] = ()
    attached: str = ""
    replaced: Sequence[tuple[str, int]] = ()
    rotate: Sequence[tuple[str, Sequence[str]]] = field(default_factory=tuple)


def page(content: Content) -> str:
    """Return the ticket as Markdown, ready to paste."""
    parts = [
        f"# {markdown(content.title)}",
        _summary(content),
        f"**Suggested priority: {markdown(content.priority.word)}.** {markdown(_capital(content.priority.rule))}",
        f"**Expected reply:** {markdown(content.reply)}",
        *_evidence(content),
        *_steps(content),
        *_listed("What was tried", content.tried),
        *_listed("What was ruled out", _first(content.ruled_out)),
        *_listed("What the files cannot tell", content.cannot_tell),
        *_listed("What weakens this", content.weakened),
        *_replaced(content),
        "## Before it is sent\n\n" + "\n".join(f"- [ ] {check}" for check in CHECKS),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(content: Content) -> str:
    shown = [words.cut(one, 140) for one in content.ruled_out[:_SUMMED_UP]]
    more = len(content.ruled_out) - len(shown)
    ruled_out = " ".join(shown) + (f" And {more} more, below." if more > 0 else "")
    lines = (
        ("What", f"{content.app}{content.what}"),
        ("Since when", content.since),
        ("How many", content.how_many),
        ("Ruled out", ruled_out or "nothing yet."),
        ("Asked", content.asked),
    )
    return "\n".join(f"{at}. **{name}:** {markdown(text)}" for at, (name, text) in enumerate(lines, 1))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _evidence(content: Content) -> list[str]:
    parts = []
    if content.lines:
        shown = [f"{one.place}  [{one.why}]\n    {_line(one.text)}" for one in content.lines]
        chosen = words.plural(len(content.lines), "line")
        parts.append(
            f"## Lines of the log\n\n{chosen}, chosen around the cause; in brackets why each is here.{content.attached}"
        )
        parts.append(fenced("\n".join(shown)))
    else:
        parts.append(f"## Lines of the log\n\nNo line of a log is cited.{content.attached}")
    if content.other_places:
        places = "\n".join(f"- {code_span(place)}" for place in content.other_places)
        parts.append(f"Also from what was pasted:\n\n{places}")
    if content.request_ids:
        ids = "\n".join(f"- {code_span(one)}" for one in content.request_ids)
        parts.append(f"## Request ids\n\n{ids}")
    return parts


def _steps(content: Content) -> list[str]:
    parts = ["## Steps to reproduce"]
    if content.curl:
        parts.append(
            f"Made of {code_span(f'{content.curl.source}:{content.curl.line}')}, the values of its query removed."
            f" {markdown(content.curl.note)}".rstrip()
        )
        parts.append(fenced(content.curl.command, "sh"))
    else:
        parts.append("No request that can be asked again without changing something is among the lines.")
    if content.pasted:
        parts.append("What curl answered when it was tried:")
        parts.append(
            fenced("\n".join(f"{source}:{line}  {_line(text)}" for source, line, text in content.pasted))
        )
    return parts


def _first(sentences: Sequence[str]) -> list[str]:
    more = len(sentences) - MOST_RULED_OUT
    return [*sentences[:MOST_RULED_OUT], *([f"And {words.count(more)} more."] if more > 0 else [])]


def _listed(title: str, sentences: Iterable[str]) -> list[str]:
    items = [f"- {markdown(one)}" for one in sentences]
    return [f"## {title}\n\n" + "\n".join(items)] if items else []


def _replaced(content: Content) -> list[str]:
    parts = ["## What was replaced"]
    if content.replaced:
        counted = ", ".join(f"{words.count(count)} × {markdown(kind)}" for kind, count in content.replaced)
        parts.append(
            f"In this text and in the attached log: {counted}. One thing has one pseudonym throughout."
        )
    else:
        parts.append("Nothing had to be replaced.")
    if content.rotate:
        items = [
            f"- at {words.some(places, code_span)} ({markdown(kind)})" for kind, places in content.rotate
        ]
        parts.append(
            "**Rotate these.** They stood in the log in the clear, where everybody with access to it could read"
            " them; change them whether this is sent or not:\n\n" + "\n".join(items)
        )
    return parts


def _line(text: str) -> str:
    return words.cut(words.line(text), _LONGEST_LINE)
