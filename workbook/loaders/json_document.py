"""A log store's events in documents of many: ``papertrail -j``, webhooks, pages and exports of stores' APIs.

``{"events": […]}`` (Papertrail, CloudWatch), ``{"logs": […]}`` (SolarWinds), ``{"data": […]}`` (Datadog), ``{"results": […]}``,
``{"hits": {"hits": […]}}``, ``[…]``, on one line or on many, one document after the other, also as a webhook's form field
``payload=``. Names of fields are those of json_lines. The lines of the table are the numbers of the events in the file. Of a
document that is cut off every whole event is kept, and the rest is one unread line.
"""

from __future__ import annotations

import json
import re
from typing import Any

from workbook.loaders import Context, Reading, _json, _stores

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
_INSIDE = ("data", "hits", "actor", "account", "nrql", "payload")
_OPENED = _json.opening(*_LISTS)
_INNER = re.compile(r'.*?"events"\s*:\s*\[', re.DOTALL)
_EMPTY = re.compile(r'\{[^\[]*"(?:events|logs)"\s*:\s*\[\s*\][^\n]*"(?:min_id|pageInfo)"')
_LOOKED_AT = 200_000
_EVENTS_LOOKED_AT = 20
_DEEPEST = 6


def read(lines: list[str], context: Context) -> Reading:
    """Return the events as log lines: line, time, received_at (UTC), source, process, message."""
    documents = [(document, _events(document.values)) for document in _json.documents(lines, _OPENED)]
    one_a_line = all(
        document.span == 1 and len(events) + (document.fault is not None) <= 1
        for document, events in documents
    )
    reading, kept, count = Reading(), [], 0
    for document, events in documents:
        reading.joined += one_a_line and document.fault is None and not events
        for event in events:
            count += 1
            line = document.line if one_a_line else count
            text = document.text if one_a_line else json.dumps(event)
            values = _stores.values(event if isinstance(event, dict) else {})
            if values["message"] is not None:
                kept.append(_stores.Event(line, values, text))
            else:
                reading.unread.append((line, "an event without a message", text))
        if document.fault is not None:
            count += 1
            line = document.line if one_a_line else count
            reading.unread.append((line, document.fault, _stores.storable(document.unread)))
    reading.lines = None if one_a_line else count
    reading.tables["log_lines"] = _stores.log_lines(kept, _stores.moment, reading)
    return reading


def _events(values: list[Any], depth: int = _DEEPEST) -> list[Any]:
    """The events in the values: of a page, of an array of events or pages, or the value itself."""
    found: list[Any] = []
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            page = _page(item)
            found.extend([_object(item)] if page is None or not depth else _events([page], depth - 1))
    return found


def _page(item: Any, depth: int = _DEEPEST) -> list[Any] | None:
    """The events of a page; None for what is no page."""
    if not isinstance(item, dict) or any(name in item for name in ("message", "msg")):
        return None
    for name in _LISTS:
        if isinstance(item.get(name), list):
            return list(item[name])
    held = (
        [_parsed(item[name]) for name in _INSIDE if isinstance(item.get(name), dict | str)] if depth else []
    )
    inner = (_page(one, depth - 1) for one in held)
    return next((page for page in inner if page is not None), None)


def _parsed(value: Any) -> Any:
    """An object that a field holds, also as text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None


def _object(item: Any) -> Any:
    """An event as an object: CloudWatch gives the rows of a query as pairs of field and value."""
    if isinstance(item, list) and item and all(isinstance(pair, dict) and "field" in pair for pair in item):
        return {str(pair["field"]): pair.get("value") for pair in item}
    return item


def score(head: list[str]) -> float:
    """Return how sure the first event makes it: one with a time and a message, in a list or over several lines."""
    text = _json.form("\n".join(head)[:_LOOKED_AT].strip())
    if not text.startswith(("{", "[")):
        return 0.0
    alone = _json.first_value(text)
    if any(event is not alone and _stores.is_event(event) for event in _events([alone])[:_EVENTS_LOOKED_AT]):
        return 0.95
    if any(_stores.is_event(_object(_json.first_value(text, opened))) for opened in (_OPENED, _INNER)):
        return 0.95
    return 0.5 if _stores.is_event(alone) else 0.9 if _EMPTY.match(text) else 0.0
