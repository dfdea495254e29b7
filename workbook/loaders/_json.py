"""JSON documents in a file: one a line, over many lines, one after the other, as a form's field, cut off at the end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

BEGINNING = 20_000
"""Characters of a document in which its list must open."""

_BLANKS = re.compile(r"[ \t\r]*")
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


@dataclass
class Document:
    """What stands at one place of the file: the physical line it begins on, and its values, or why it has none.

    Of a document that is cut off ``values`` is one list of its whole items, ``fault`` says so, and ``rest`` is the text
    behind them.
    """

    line: int
    text: str
    span: int = 1
    values: list[Any] = field(default_factory=list)
    fault: str | None = None
    rest: str | None = None

    @property
    def unread(self) -> str:
        """The text that could not be read."""
        return self.text if self.rest is None else self.rest


def opening(*lists: str) -> re.Pattern[str]:
    """Return what a document of many items begins with: an array, or an object with a list of one of the names."""
    return re.compile(rf'\s*\[|.*?"(?:{"|".join(lists)})"\s*:\s*\[', re.DOTALL)


def documents(lines: list[str], opened: re.Pattern[str]) -> Iterator[Document]:
    """Give every JSON value of the file that is on lines of its own, and every line that is none."""
    whole: str | None = None
    offsets: list[int] = []
    at = 0
    while at < len(lines):
        text = lines[at].strip()
        document = Document(at + 1, lines[at])
        at += 1
        if not text:
            continue
        try:
            document.values = _values(form(text), 0, len(text))[0]
        except (ValueError, RecursionError) as error:
            document.fault = f"not JSON: {_why(error)}"
            if text[0] in "{[" and getattr(error, "pos", 0) >= len(text):
                if whole is None:
                    whole, offsets = _joined(lines)
                start = offsets[document.line - 1]
                end = _end_of_document(whole, start, document)
                if (
                    end is None
                    and not _follows_json(lines, at)
                    and opened.match(whole[start : start + BEGINNING])
                ):
                    _keep_whole_items(whole[start:], document, opened)
                    end = len(whole)
                if end is not None:
                    document.span = whole.count("\n", start, end) + 1
                    at = document.line - 1 + document.span
            else:
                _keep_whole_items(form(text), document, opened)
        yield document


def first_value(text: str, opened: re.Pattern[str] | None = None) -> Any:
    """Return the first value in a text, or with ``opened`` the first item of its list; None when it is not whole."""
    at = 0
    if opened is not None:
        found = opened.match(text[:BEGINNING])
        if found is None:
            return None
        at = _BETWEEN.match(text, found.end()).end()  # type: ignore[union-attr]
    try:
        return _DECODER.raw_decode(text, at)[0]
    except (ValueError, RecursionError):
        return None


def form(text: str) -> str:
    """Return the JSON on one line: what a webhook sends as a form stands in its field ``payload``."""
    if text.startswith(("{", "[")) or not re.match(r"(?:[\w.-]+=[^&]*&)*payload=", text[:BEGINNING]):
        return text
    rest = text.partition("payload=")[2]
    return (
        rest.strip() if rest.startswith("{") else parse_qs("payload=" + rest).get("payload", [""])[0].strip()
    )


def _why(error: Exception) -> str:
    return str(getattr(error, "msg", str(error)[:80]))


def _values(text: str, at: int, last: int) -> tuple[list[Any], int]:
    """The JSON values from ``at`` on, until one ends at ``last`` or at the end of its line; and where that is."""
    values = []
    while True:
        value, at = _DECODER.raw_decode(text, at)
        values.append(value)
        at = _BLANKS.match(text, at).end()  # type: ignore[union-attr]
        if at >= min(last, len(text)) or text[at] == "\n":
            return values, at


def _joined(lines: list[str]) -> tuple[str, list[int]]:
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    return "\n".join(lines), offsets


def _end_of_document(whole: str, start: int, document: Document) -> int | None:
    """Read the document that begins there into ``document`` and return where it ends; None when it never does."""
    start += len(document.text) - len(document.text.lstrip())
    try:
        document.values, end = _values(whole, start, len(whole))
    except (ValueError, RecursionError):
        return None
    document.fault = None
    return end


def _keep_whole_items(text: str, document: Document, opened: re.Pattern[str]) -> None:
    """Read the items up to the first that is not whole into ``document``; the text from there on is its rest."""
    found = opened.match(text[:BEGINNING])
    if found is None:
        return
    items, at = [], found.end()
    try:
        while (at := _BETWEEN.match(text, at).end()) < len(text):  # type: ignore[union-attr]
            item, at = _DECODER.raw_decode(text, at)
            items.append(item)
        said = "Unterminated list"
    except (ValueError, RecursionError) as error:
        said = _why(error)
    document.values = [items]
    document.fault, document.rest = f"the document is cut off or damaged here ({said})", text[at:]


def _follows_json(lines: list[str], at: int) -> bool:
    """Whether the next line that is not blank is JSON of its own: then the one before is a line that was cut off."""
    following = next((line for line in lines[at:] if line.strip()), None)
    try:
        return following is not None and isinstance(json.loads(following), dict | list)
    except (ValueError, RecursionError):
        return False
