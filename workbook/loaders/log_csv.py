"""A log store's events as CSV: a header with a time and a message column, and where there are any program, source, process.

What the web pages of SolarWinds, Datadog, Better Stack, Coralogix, CloudWatch, Splunk and Kibana export; separated by commas,
tabs, semicolons or bars. Names of columns are those of json_lines, in any spelling (``Generated At``, ``_time``, ``@message``).
A message may still carry a drain's frame or a dump's envelope: then time, source and process are those. A cell is text,
also when it begins like a formula. Times without an offset are read in the zone that is given, or UTC where the header
says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workbook.loaders import Context, Reading, _cells, _stores

TITLE = "log store's CSV (SolarWinds, Datadog, Better Stack, Splunk, …)"
NEEDS_ZONE = True

_DELIMITERS = (",", "\t", ";", "|")
_OTHER_NAMES = {
    "message": ("content", "logmessage", "eventmessage"),
    "time": ("eventtimestamp", "logtime", "createdat"),
}
_SURE = {"message", "msg", "raw", "log", "content", "logmessage", "eventmessage"}
_ARCHIVE = {"generatedat", "receivedat", "facilityname", "severityname"}
"""An archive of Papertrail with a header that a hand added: its quotation marks are text."""
_LOOKED_AT = 200

EXAMPLES = (
    (
        # SolarWinds: quoted messages with commas, quotes and newlines; a cell that is a formula to a spreadsheet
        "time,hostname,severity,program,message\n"
        '2024-05-06T07:08:09.123Z,shop-prod,INFO,heroku/router,"at=info method=GET path=""/a,b"" status=200"\n'
        "2024-05-06T07:08:10Z,shop-prod,INFO,app/web.1,=cmd|' /C calc'!A0\n"
        '2024-05-06T07:08:11Z,shop-prod,ERROR,app/web.1,"RuntimeError\n'
        '\n'
        '  app/models/a.rb:1"\n'
        "soon,shop-prod,INFO,app/web.1,when\n"
        '2024-05-06T07:08:12Z,shop-prod,INFO,app/web.1,"cut o\n',
        {
            "log_lines": (
                {"line": 2, "time": "2024-05-06 07:08:09.123", "received_at": None, "source": "heroku",
                 "process": "router", "message": 'at=info method=GET path="/a,b" status=200'},
                {"line": 3, "time": "2024-05-06 07:08:10", "process": "web.1", "message": "=cmd|' /C calc'!A0"},
                {"line": 4, "time": "2024-05-06 07:08:11", "message": "RuntimeError\n\n  app/models/a.rb:1"},
                {"line": 7, "time": None, "source": "app", "process": "web.1", "message": "when"},
            ),
            "unread_lines": (
                {"line": 7, "reason": "field time"},
                {"line": 8, "reason": "a quotation mark is not closed"},
            ),
        },
    ),
    (
        # whole frames as messages (CloudWatch, Splunk), the last column not quoted, epochs in ms
        "timestamp,message\n"
        "1714979290123,<158>1 2024-05-06T07:08:09.000123+00:00 host heroku router - at=info path=/a,b status=200\n"
        "1714979290124,  indented\n",
        {
            "log_lines": (
                {"line": 2, "time": "2024-05-06 07:08:09.000123", "received_at": "2024-05-06 07:08:10.123",
                 "source": "heroku", "process": "router", "message": "at=info path=/a,b status=200"},
                {"line": 3, "time": "2024-05-06 07:08:10.124", "received_at": None, "source": None, "process": None,
                 "message": "  indented"},
            ),
        },
    ),
    (
        # Datadog and Kibana: titles, spelled dates, frames cut into columns
        'Date (UTC)\tHost\tAppname\tProcid\tContent\n'
        '"May 6, 2024 @ 07:08:09.250"\tshop\theroku\tweb.1\tState changed from starting to up\n'
        '2024-05-06 07:08:10\tshop\tapp\tweb.1\tStarted\n',
        {
            "log_lines": (
                {"line": 2, "time": "2024-05-06 07:08:09.25", "source": "heroku", "process": "web.1",
                 "message": "State changed from starting to up"},
                {"line": 3, "time": "2024-05-06 07:08:10", "source": "app", "process": "web.1", "message": "Started"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "timestamp,name,duration,appName\n1500000000123,WebTransaction/Go/items,0.012,shop\n",
    "date,text\n2025-04-23,a diary\n",
    "time,message\nsoon,later\n",
    "message,price\nhello,3\n",
)


@dataclass(frozen=True)
class _Header:
    """The header's record, how the cells are cut, and the columns of each field, the surer first."""

    record: _cells.Record
    delimiter: str
    places: dict[str, list[int]]


def score(head: list[str]) -> float:
    """Return how sure the header makes it, where the first row has a time."""
    header = _header(head)
    return 0.75 if header else 0.0


def read(lines: list[str], context: Context) -> Reading:
    """Return the rows as log lines: line, time, received_at (UTC), source, process, message."""
    reading = Reading()
    header = _header(lines)
    if header is None:
        reading.unread = [
            (at, "no header of a log", text) for at, text in enumerate(lines, 1) if text.strip()
        ]
        return reading
    reading.joined = 1 + _cells.continued(lines, header.record)
    clock = _clock(header, context.zone, context.path)
    events = [
        _stores.Event(record.line, _values(cells, header), lines[record.line - 1])
        for record, cells in _rows(lines, header, reading)
    ]
    reading.tables["log_lines"] = _stores.log_lines(events, clock.read, reading)
    reading.notes += clock.notes()
    reading.zone = clock.zone_note()
    return reading


def _header(lines: list[str]) -> _Header | None:
    for delimiter in _DELIMITERS:
        found = _cells.records(lines[:_LOOKED_AT], delimiter)
        record = next(found, None)
        if record is None or record.cells is None or len(record.cells) < 2:
            continue
        plain = [_cells.plain(cell) for cell in record.cells]
        if delimiter == "\t" and set(plain) >= _ARCHIVE:
            continue
        places = {field: _places(field, plain) for field in _stores.FIELDS}
        header = _Header(record, delimiter, places)
        if _is_ours(header, plain, next(found, None)):
            return header
    return None


def _places(field: str, plain: list[str]) -> list[int]:
    names = [_cells.plain(name.rpartition(".")[2]) for name in _stores.FIELDS[field]]
    names = list(dict.fromkeys([*names, *_OTHER_NAMES.get(field, ())]))
    return [plain.index(name) for name in names if name in plain]


def _is_ours(header: _Header, plain: list[str], first: _cells.Record | None) -> bool:
    places = header.places
    times = [place for field in ("generated", "received", "time") for place in places[field]]
    if not times or not places["message"] or first is None or first.cells is None:
        return False
    clock = _clock(header, "UTC", "")
    timed = any(clock.read(first.cells[place]) for place in times if place < len(first.cells))
    sure = plain[places["message"][0]] in _SURE or places["program"] or places["process"]
    return timed and bool(sure)


def _clock(header: _Header, zone: str, path: str) -> _cells.Clock:
    times = [place for field in ("generated", "received", "time") for place in header.places[field]]
    told = any(re.search(r"\b(UTC|GMT)\b", (header.record.cells or [])[place]) for place in times[:1])
    return _cells.Clock("UTC" if told else zone, path, told=told)


def _rows(lines: list[str], header: _Header, reading: Reading) -> list[tuple[_cells.Record, list[str]]]:
    width = len(header.record.cells or [])
    last_is_message = header.places["message"][:1] == [width - 1]

    def fit(cells: list[str]) -> list[str] | str:
        if len(cells) > width and last_is_message:
            cells = [*cells[: width - 1], header.delimiter.join(cells[width - 1 :])]
        if any(cells[width:]):
            return "more cells than headers"
        known = any(cells[place].strip() for place in header.places["message"] if place < len(cells))
        return cells if known or any(cell.strip() for cell in cells[1:]) else "not an event"

    return list(_cells.rows(lines, header.record, header.delimiter, reading, fit, strip=False))


def _values(cells: list[str], header: _Header) -> dict[str, str | None]:
    """The text of each field: of the first of its columns that is not empty; blanks count in a message only."""
    found: dict[str, str | None] = {}
    for field, places in header.places.items():
        texts = [cells[place] for place in places if place < len(cells)]
        kept = texts if field == "message" else [text.strip() for text in texts]
        found[field] = next((text for text in kept if text), None)
    return found
