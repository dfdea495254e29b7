"""A log store's events in documents of many: ``papertrail -j``, webhooks, pages and exports of stores' APIs.

``{"events": […]}`` (Papertrail, CloudWatch), ``{"logs": […]}`` (SolarWinds), ``{"data": […]}`` (Datadog), ``{"results": […]}``,
``{"hits": {"hits": […]}}``, ``[…]``, on one line or on many, one document after the other, also as a webhook's form field
``payload=``. Names of fields are those of json_lines. The lines of the table are the numbers of the events in the file. Of a
document that is cut off every whole event is kept, and the rest is one unread line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from workbook.loaders import Context, Reading, _stores

TITLE = "log store's JSON, documents of many events (pages, arrays, webhooks)"

EXAMPLES = (
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
    (
        # an array of another store's events, cut off: what is whole is kept
        '[{"timestamp":"2024-05-06T07:08:09Z","appname":"app","procid":"web.1","message":"one"},\n'
        ' {"timestamp":1714979290123,"message":"<158>1 2024-05-06T07:08:10.1+00:00 host heroku router - at=info"},\n'
        ' {"timestamp":"2024-05-06T07:08:11Z","message":"cut o\n',
        {
            "log_lines": (
                {"line": 1, "time": "2024-05-06 07:08:09", "source": "app", "process": "web.1", "message": "one"},
                {"line": 2, "time": "2024-05-06 07:08:10.1", "received_at": "2024-05-06 07:08:10.123",
                 "source": "heroku", "process": "router", "message": "at=info"},
            ),
            "unread_lines": (
                {"line": 3, "reason": "the document is cut off or damaged here (Unterminated string starting at)"},
            ),
        },
    ),
    (
        # CloudWatch's results of a query: an object for each event, as pairs of field and value
        '{"results":[[{"field":"@timestamp","value":"2024-05-06 07:08:09.123"},{"field":"@message",'
        '"value":"heroku[router]: at=info"}]],"status":"Complete"}\n',
        {
            "log_lines": (
                {"line": 1, "time": "2024-05-06 07:08:09.123", "source": "heroku", "process": "router",
                 "message": "at=info"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    '{"results":[{"events":[{"timestamp":1367972903000,"duration":0.25,"appName":"shop","name":"Controller/x"}]}]}\n',
    '{"time":"2024-05-06T07:08:09Z","message":"one a line","program":"app/web.1"}\n',
    '2024-05-06T07:08:09+00:00 app[web.1]: {"events":[{"received_at":"2024-05-06T07:08:09Z","message":"x"}]}\n',
    '[{"name":"shop","price":3}]\n',
)

_LISTS = ("events", "logs", "data", "results", "entries", "records", "hits")
_OPENED = re.compile(rf'\s*\[|.*?"(?:{"|".join(_LISTS)})"\s*:\s*\[', re.DOTALL)
_BEGINNING = 20_000
_LOOKED_AT = 200_000
_BLANKS = re.compile(r"[ \t\r]*")
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


@dataclass
class _Document:
    """What stands at one place of the file: the physical line it begins on, and its events, or why it has none.

    ``rest`` is the text behind the last whole event of a document that is cut off.
    """

    line: int
    text: str
    span: int = 1
    events: list[Any] = field(default_factory=list)
    fault: str | None = None
    rest: str | None = None


def read(lines: list[str], context: Context) -> Reading:
    """Return the events as log lines: line, time, received_at (UTC), source, process, message."""
    documents = list(_documents(lines))
    one_a_line = all(document.span == 1 and len(document.events) <= 1 for document in documents)
    one_a_line = one_a_line and not any(document.events and document.fault for document in documents)
    reading, events, count = Reading(), [], 0
    for document in documents:
        reading.joined += one_a_line and document.fault is None and not document.events
        for event in document.events:
            count += 1
            line = document.line if one_a_line else count
            values = _stores.values(event if isinstance(event, dict) else {})
            if values["message"] is not None:
                events.append(_stores.Event(line, values, _shown(event)))
            else:
                reading.unread.append((line, "an event without a message", _shown(event)))
        if document.fault is not None:
            count += 1
            text = document.text if document.rest is None else document.rest
            reading.unread.append(
                (document.line if one_a_line else count, document.fault, _stores.storable(text))
            )
    reading.lines = None if one_a_line else count
    reading.tables["log_lines"] = _stores.log_lines(events, _stores.moment, reading)
    return reading


def _shown(event: Any) -> str:
    return json.dumps(event)


def _documents(lines: list[str]) -> Iterator[_Document]:
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
            document.events = _events(_values(_form(text), 0, len(text))[0])
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
                    and _OPENED.match(whole[start : start + _BEGINNING])
                ):
                    _keep_whole_events(whole[start:], document)
                    end = len(whole)
                if end is not None:
                    document.span = whole.count("\n", start, end) + 1
                    at = document.line - 1 + document.span
            else:
                _keep_whole_events(_form(text), document)
        yield document


def _why(error: Exception) -> str:
    return str(getattr(error, "msg", str(error)[:80]))


def _form(text: str) -> str:
    """The JSON on one line: what a webhook sends as a form stands in its field ``payload``."""
    if (not text.startswith("payload=") and "&payload=" not in text[:_BEGINNING]) or text[0] in "{[":
        return text
    rest = text.partition("payload=")[2]
    return (
        rest.strip() if rest.startswith("{") else parse_qs("payload=" + rest).get("payload", [""])[0].strip()
    )


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


def _keep_whole_events(text: str, document: _Document) -> None:
    """Read the events up to the first that is not whole into ``document``; the text from there on is its rest."""
    opened = _OPENED.match(text[:_BEGINNING])
    if opened is None:
        return
    events, at = [], opened.end()
    try:
        while (at := _BETWEEN.match(text, at).end()) < len(text):  # type: ignore[union-attr]
            event, at = _DECODER.raw_decode(text, at)
            events.append(event)
        said = "Unterminated list"
    except (ValueError, RecursionError) as error:
        said = _why(error)
    document.events = _events([events])
    document.fault, document.rest = f"the document is cut off or damaged here ({said})", text[at:]


def _follows_json(lines: list[str], at: int) -> bool:
    """Whether the next line that is not blank is JSON of its own: then the one before is a line that was cut off."""
    following = next((line for line in lines[at:] if line.strip()), None)
    try:
        return following is not None and isinstance(json.loads(following), dict | list)
    except (ValueError, RecursionError):
        return False


def _events(values: list[Any]) -> list[Any]:
    """The events in the values: of a page, of an array of events or pages, or the value itself."""
    found: list[Any] = []
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            page = _page(item)
            found.extend([_object(item)] if page is None else map(_object, page))
    return found


def _page(item: Any) -> list[Any] | None:
    """The events of a page; None for what is no page."""
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("payload"), dict | str) and "message" not in item:
        return _page(_parsed(item["payload"]))
    held = [item.get(name) for name in _LISTS]
    held += [inner["hits"] for inner in held if isinstance(inner, dict) and "hits" in inner]
    return next((one for one in held if isinstance(one, list)), None)


def _parsed(payload: Any) -> Any:
    try:
        return json.loads(payload) if isinstance(payload, str) else payload
    except (ValueError, RecursionError):
        return None


def _object(item: Any) -> Any:
    """An event as an object: CloudWatch gives the rows of a query as pairs of field and value."""
    if isinstance(item, list) and item and all(isinstance(pair, dict) and "field" in pair for pair in item):
        return {str(pair["field"]): pair.get("value") for pair in item}
    return item


def score(head: list[str]) -> float:
    """Return how sure the first event makes it: one with a time and a message, in a list or over several lines."""
    text = _form("\n".join(head)[:_LOOKED_AT].strip())
    if not text.startswith(("{", "[")):
        return 0.0
    opened = _OPENED.match(text[:_BEGINNING])
    first = _first(text, _BETWEEN.match(text, opened.end()).end()) if opened else None  # type: ignore[union-attr]
    if (
        opened
        and first is None
        and re.match(r'\s*\{[^\[]*"(?:events|logs)"\s*:\s*\[\s*\][^\n]*"(?:min_id|pageInfo)"', text)
    ):
        return 0.9
    if _is_event(first):
        return 0.95
    return 0.5 if _is_event(_first(text, 0)) else 0.0


def _first(text: str, at: int) -> Any:
    try:
        found = _events([_DECODER.raw_decode(text, at)[0]])
    except (ValueError, RecursionError):
        return None
    return found[0] if found else None


def _is_event(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    found = _stores.values(item)
    return found["message"] is not None and any(found[name] for name in ("generated", "received", "time"))
