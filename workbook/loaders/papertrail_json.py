"""Papertrail's and SolarWinds' JSON: ``papertrail -j``, webhooks, ``swo logs get --json``, pages of either API.

One event a line, or documents of many: ``{"events": […]}``, ``{"logs": […]}``, ``[…]``, on one line or on many, also as
the form field ``payload=``. An event's ``time`` is ``generated_at``, else ``received_at``, else ``time``. Where a
document holds several events the lines of the table are their numbers in the file. Ids are not read: webhooks print
them rounded to a double.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import pandas as pd

from workbook.errors import LoadError
from workbook.loaders import Context, Reading

TITLE = "Papertrail or SolarWinds JSON"

EXAMPLES = (
    (
        # papertrail -j with --min-time: one event a line; a message with a colour, and one that ends in a newline
        '{"id":"760000000000000101","received_at":"2017-03-04T06:06:08+01:00","display_received_at":"Mar 04 06:06:08",'
        '"source_ip":"198.51.100.4","source_name":"shop-prod","source_id":500000001,"hostname":"shop-prod",'
        '"program":"heroku/router","severity":"Info","facility":"Local3","message":"at=info method=GET path=\\"/\\""}\n'
        '{"id":"760000000000000102","generated_at":"2017-03-04T05:06:07Z","received_at":"2017-03-04T05:06:09Z",'
        '"program":"app/web.1","message":"\\u001b[1mDone\\u001b[0m\\n"}\n'
        '{"id":"760000000000000103","received_at":"2017-03-04T05:06:10Z","program":null,"message":"no program"}\n',
        {
            "log_lines": (
                {"line": 1, "time": "2017-03-04 05:06:08", "received_at": "2017-03-04 05:06:08", "source": "heroku",
                 "process": "router", "message": 'at=info method=GET path="/"'},
                {"line": 2, "time": "2017-03-04 05:06:07", "received_at": "2017-03-04 05:06:09", "source": "app",
                 "process": "web.1", "message": "Done"},
                {"line": 3, "time": "2017-03-04 05:06:10", "source": None, "process": None, "message": "no program"},
            ),
        },
    ),
    (
        # papertrail -j: one document a page; two events of the same rounded id are two lines
        '{"events":[{"id":760000000000000100,"received_at":"2017-03-04T05:06:08Z","program":"app/web.1","message":"one"},'
        '{"id":760000000000000100,"received_at":"2017-03-04T05:06:08Z","program":"app/web.1","message":"one"}],'
        '"min_id":"760000000000000101","max_id":"760000000000000102","reached_end":false}\n'
        '{"events":[],"min_id":null,"max_id":null,"reached_end":true}\n',
        {
            "log_lines": (
                {"line": 1, "time": "2017-03-04 05:06:08", "process": "web.1", "message": "one"},
                {"line": 2, "time": "2017-03-04 05:06:08", "process": "web.1", "message": "one"},
            ),
        },
    ),
    (
        # a webhook's body, as sent and decoded
        "payload=%7B%22events%22%3A%5B%7B%22id%22%3A1%2C%22received_at%22%3A%222014-05-06T07%3A08%3A09-07%3A00%22%2C"
        "%22program%22%3A%22heroku%2Fweb.2%22%2C%22message%22%3A%22Error+R14+%28Memory+quota+exceeded%29%22%7D%5D%2C"
        "%22saved_search%22%3A%7B%22id%22%3A7%7D%2C%22max_id%22%3A%221%22%2C%22min_id%22%3A%221%22%7D\n"
        'payload={"events":[{"id":2,"received_at":"2014-05-06T14:08:10Z","program":"app/web.2","message":"1+1"}],'
        '"saved_search":{"id":7},"max_id":"2","min_id":"2"}\n',
        {
            "log_lines": (
                {"line": 1, "time": "2014-05-06 14:08:09", "source": "heroku", "process": "web.2",
                 "message": "Error R14 (Memory quota exceeded)"},
                {"line": 2, "time": "2014-05-06 14:08:10", "source": "app", "process": "web.2", "message": "1+1"},
            ),
        },
    ),
    (
        # swo logs get --json, with a line that was cut off and one that is no event
        '{"time":"2024-05-06T07:08:09.123456Z","message":"hello","hostname":"shop-prod","severity":"INFO",'
        '"program":"app/web.1"}\n'
        '{"time":"2024-05-06T07:08:10Z","hostname":"shop-prod"}\n'
        '{"time":"2024-05-06","message":"no clock","hostname":"shop-prod","severity":"INFO","program":"app/web.1"}\n'
        '{"time":"2024-05-06T07:08:11Z","message":"cut o\n',
        {
            "log_lines": (
                {"line": 1, "time": "2024-05-06 07:08:09.123456", "received_at": None, "source": "app",
                 "process": "web.1", "message": "hello"},
                {"line": 3, "time": None, "message": "no clock"},
            ),
            "unread_lines": (
                {"line": 2, "reason": "an event without a message"},
                {"line": 3, "reason": "field time"},
                {"line": 4, "reason": "not JSON: Unterminated string starting at"},
            ),
        },
    ),
    (
        # a page of SolarWinds' API, on many lines
        '{\n  "logs": [\n    {"id": "1", "time": "2024-05-06T07:08:09Z", "message": "one", "program": "heroku/router"},\n'
        '    {"id": "2", "time": "2024-05-06T07:08:10Z", "message": "two", "program": "app/web.1"}\n  ],\n'
        '  "pageInfo": {"prevPage": "", "nextPage": ""}\n}\n',
        {
            "log_lines": (
                {"line": 1, "time": "2024-05-06 07:08:09", "source": "heroku", "process": "router", "message": "one"},
                {"line": 2, "time": "2024-05-06 07:08:10", "source": "app", "process": "web.1", "message": "two"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    '{"results":[{"events":[{"timestamp":1367972903000,"duration":0.25,"appName":"shop","name":"Controller/x"}]}]}\n',
    '{"name":"app","hostname":"shop-prod","pid":4,"level":30,"msg":"hello","time":"2024-05-06T07:08:09Z","v":0}\n',
    '2024-05-06T07:08:09+00:00 app[web.1]: {"events":[{"received_at":"2024-05-06T07:08:09Z","message":"x"}]}\n',
)

_COLOUR = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]")
_MANY = re.compile(r'\s*\[|.*?"(?:events|logs)"\s*:\s*\[', re.DOTALL)
_BEGINNING = 2_000
_BLANKS = re.compile(r"[ \t\r]*")
_DECODER = json.JSONDecoder()


@dataclass
class _Document:
    """What stands at one place of the file: the physical line it begins on, and its events, or why it has none."""

    line: int
    text: str
    span: int = 1
    events: list[Any] = field(default_factory=list)
    fault: str | None = None


def read(lines: list[str], context: Context) -> Reading:
    """Return the events as log lines: line, time, received_at (UTC), source, process, message.

    Raises LoadError, with the line, for a document of several events that is cut off or damaged.
    """
    documents = list(_documents(lines, context.path))
    one_a_line = all(document.span == 1 and len(document.events) <= 1 for document in documents)
    reading, events, count = Reading(), [], 0
    for document in documents:
        found = document.events
        reading.joined += one_a_line and document.fault is None and not found
        if document.fault is not None:
            count += 1
            reading.unread.append((document.line if one_a_line else count, document.fault, document.text))
        for event in found:
            count += 1
            line = document.line if one_a_line else count
            if isinstance(event, dict) and "message" in event:
                events.append((line, event))
            else:
                reading.unread.append((line, "an event without a message", json.dumps(event)))
    reading.lines = None if one_a_line else count
    reading.tables["log_lines"] = _log_lines(events, reading)
    return reading


def _documents(lines: list[str], path: str) -> Iterator[_Document]:
    """Every JSON value of the file that is on lines of its own, and every line that is none."""
    whole: str | None = None
    offsets: list[int] = []
    at = 0
    while at < len(lines):
        text = lines[at].strip()
        document = _Document(at + 1, lines[at])
        at += 1
        if not text:
            continue
        try:
            document.events = _events(_decoded(text))
        except (ValueError, RecursionError) as error:
            document.fault = f"not JSON: {getattr(error, 'msg', str(error)[:80])}"
            if text[0] in "{[" and getattr(error, "pos", 0) >= len(text):
                if whole is None:
                    whole, offsets = _joined(lines)
                start = offsets[document.line - 1]
                end = _end_of_document(whole, start, document)
                if end is not None:
                    document.span = whole.count("\n", start, end) + 1
                    at = document.line - 1 + document.span
                elif not _follows_json(lines, at) and _MANY.match(whole[start : start + _BEGINNING]):
                    raise _damaged(path, document) from error
            elif text.startswith("payload=") or (text[0] in "{[" and _MANY.match(text)):
                raise _damaged(path, document) from error
        yield document


def _decoded(text: str) -> list[Any]:
    """The JSON values on one line: usually one."""
    if text.startswith("payload="):
        text = text[len("payload=") :]
        text = text if text.startswith("{") else unquote_plus(text.split("&")[0])
    return _values(text.strip(), 0, len(text))[0]


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


def _end_of_document(whole: str, start: int, document: _Document) -> int | None:
    """Read the document that begins there into ``document`` and return where it ends; None when it never does."""
    start += len(document.text) - len(document.text.lstrip())
    try:
        values, end = _values(whole, start, len(whole))
    except (ValueError, RecursionError):
        return None
    document.events, document.fault = _events(values), None
    return end


def _follows_json(lines: list[str], at: int) -> bool:
    """Whether the next line that is not blank is JSON of its own: then the one before is a line that was cut off."""
    following = next((line for line in lines[at:] if line.strip()), None)
    try:
        return following is not None and isinstance(json.loads(following), dict | list)
    except (ValueError, RecursionError):
        return False


def _damaged(path: str, document: _Document) -> LoadError:
    return LoadError(
        f"the JSON document that begins here is cut off or damaged ({(document.fault or '').removeprefix('not JSON: ')}).",
        path=path,
        line=document.line,
        next_step="Export it again; one event a line (papertrail -j with --min-time) loses only the line that is cut.",
    )


def _events(values: list[Any]) -> list[Any]:
    """The events in the values: of a page, of an array of events or pages, or the value itself."""
    found = []
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            pages = [item.get(key) for key in ("events", "logs")] if isinstance(item, dict) else []
            page = next((page for page in pages if isinstance(page, list)), None)
            found.extend([item] if page is None else page)
    return found


def _log_lines(events: list[tuple[int, dict[str, Any]]], reading: Reading) -> pd.DataFrame:
    programs = [_text(event.get("program")) for _, event in events]
    times = {name: _times(events, name, reading) for name in ("generated_at", "received_at", "time")}
    time = times["generated_at"].fillna(times["received_at"]).fillna(times["time"])
    given = [any(event.get(name) for name in times) for _, event in events]
    reading.unread += [
        (line, "field time", json.dumps(event))
        for (line, event), known in zip(events, given, strict=True)
        if not known
    ]
    return pd.DataFrame(
        {
            "line": pd.Series([line for line, _ in events], dtype="int64"),
            "time": time,
            "received_at": times["received_at"],
            "source": pd.Series(
                [name.partition("/")[0] or None if "/" in name else None for name in programs], dtype="str"
            ),
            "process": pd.Series(
                [name.partition("/")[2 * ("/" in name)] or None for name in programs], dtype="str"
            ),
            "message": pd.Series([_message(event["message"]) for _, event in events], dtype="str"),
        }
    )


def _times(events: list[tuple[int, dict[str, Any]]], name: str, reading: Reading) -> pd.Series:
    """The UTC times under one name; what is there and no time goes to ``reading.unread``."""
    texts = pd.Series([_text(event.get(name)) for _, event in events], dtype="str")
    shaped = texts.where(texts.str.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"))
    times = pd.to_datetime(shaped, format="ISO8601", utc=True, errors="coerce")
    reading.unread += [
        (events[place][0], f"field {name}", json.dumps(events[place][1]))
        for place in texts.index[times.isna() & (texts != "")]
    ]
    return times.dt.tz_localize(None).astype("datetime64[us]")


def _text(value: Any) -> str:
    """A value as text that can be stored; nothing is empty text. Halves of surrogate pairs become a question mark."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _message(value: Any) -> str:
    return _COLOUR.sub("", _text(value)).rstrip("\r\n")


def score(head: list[str]) -> float:
    """Return how sure the first lines make it: the keys of an event or of a page, in JSON or in a form's payload."""
    text = "\n".join(head)[:200_000]
    if text.startswith("payload="):
        return 0.95 if "events" in text else 0.0
    if not text.lstrip().startswith(("{", "[")):
        return 0.0

    def has(*names: str) -> bool:
        return all(re.search(rf'"{name}"\s*:', text) for name in names)

    event = has("received_at", "message") or has("time", "message", "program")
    page = (has("events") and (has("min_id") or has("max_id") or has("reached_end"))) or has(
        "logs", "pageInfo"
    )
    return 0.95 if event or page else 0.0
