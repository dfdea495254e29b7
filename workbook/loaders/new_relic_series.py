"""New Relic's charts and time series as CSV: a time column and one column for each part of the response time.

The unit of a column comes from its header. ``(ms)`` and ``(s)`` say it; a query's function of a duration (``Average duration``,
``percentile(duration, 95)``) is seconds unless it multiplies by 1000; a part's plain name (``Database``, ``Ruby``) is ms, as the
chart "App server response time" prints it. ``Throughput``, ``Requests per minute`` and ``rate(count(*), 1 minute)`` become the
component ``throughput_rpm``; so does a ``count``, divided by the minutes of its bucket. Values of a query by a facet are
components named after the facet; where such a result has no time column, its rows have no time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import pandas as pd

from workbook.loaders import Context, Reading, _cells

TITLE = "New Relic chart or time series (CSV)"
NEEDS_ZONE = True
THROUGHPUT = "throughput_rpm"

_TIME = {
    "time",
    "timestamp",
    "date",
    "datetime",
    "begintimeseconds",
    "begintime",
    "starttime",
    "begin",
    "from",
}
_END = {"endtimeseconds", "endtime", "end", "to"}
_RATE = {"throughput", "rpm", "requestsperminute", "callsperminute"}
_COUNT = {"count", "requests", "calls", "requestcount", "callcount"}
_SURE = {
    "requestqueuing", "requestqueueing", "webfrontendqueuetime", "gcexecution", "middleware", "webexternal", "responsetime",
    "averageresponsetime", "avgresponsetime", "appserverresponsetime", "webtransactionsresponsetime", "httpdispatcher",
    "averageduration", "avgduration", "averagedatabaseduration", "avgdatabaseduration", *_RATE,
}  # fmt: skip
_LIKELY = {
    "queuetime", "gc", "database", "datastore", "datastoreall", "postgres", "postgresql", "mysql", "mongodb", "redis",
    "memcache", "memcached", "memcachedallweb", "elasticsearch", "external", "externalallweb", "ruby", "php", "python",
    "java", "jvm", "node", "nodejs", "go", "net", "perl",
}  # fmt: skip
_FUNCTION = re.compile(
    r"(average|avg|median|percentile|max|min|sum|stddev|rate|count|uniquecount|latest|earliest)\s*[(.]\s*(?!m?s\)|%)(.+)",
    re.I,
)
_OF_TIME = re.compile(r"duration|time|latency|gccumulative", re.I)
_RATE_OF_COUNT = re.compile(r"rate\s*\(\s*count\s*\(.*\)\s*,\s*(\d+)\s*(second|minute|hour)s?\s*\)", re.I)
_COUNT_OF = re.compile(r"count\s*\(.*\)", re.I)
_NO_DURATION = re.compile(r"apdex|%|\b(percent(age)?|rate|ratio|errors?)\b", re.I)
_MINUTES = {"second": 1 / 60, "minute": 1.0, "hour": 60.0}
_LOOKED_AT = 50

EXAMPLES = (
    (
        # the chart of the overview page
        "Time,Request Queuing,Ruby,Database,Web external,Requests per minute\n"
        "2013-06-09 05:00,3,81.5,100,12,\"1,250\"\n"
        "2013-06-09 05:30,4,80,401.2,,1180\n",
        {
            "response_breakdown": (
                {"line": 2, "time": "2013-06-09 05:00:00", "component": "Request Queuing", "value_ms": 3.0},
                {"line": 2, "component": "Ruby", "value_ms": 81.5},
                {"line": 2, "component": "Database", "value_ms": 100.0},
                {"line": 2, "component": "Web external", "value_ms": 12.0},
                {"line": 2, "component": "throughput_rpm", "value_ms": 1250.0},
                {"line": 3, "time": "2013-06-09 05:30:00", "component": "Request Queuing", "value_ms": 4.0},
                {"line": 3, "component": "Ruby", "value_ms": 80.0},
                {"line": 3, "component": "Database", "value_ms": 401.2},
                {"line": 3, "component": "Web external", "value_ms": None},
                {"line": 3, "component": "throughput_rpm", "value_ms": 1180.0},
            ),
        },
    ),
    (
        # a query's time series: seconds, epoch, and a count of each five minutes
        'beginTimeSeconds,endTimeSeconds,Average duration,"percentile(duration, 95)",count\n'
        "1500000000,1500000300,0.2,1.5,600\n"
        "1500000300,1500000600,soon,1.25,0\n",
        {
            "response_breakdown": (
                {"line": 2, "time": "2017-07-14 02:40:00", "component": "Average duration", "value_ms": 200.0},
                {"line": 2, "component": "percentile(duration, 95)", "value_ms": 1500.0},
                {"line": 2, "component": "throughput_rpm", "value_ms": 120.0},
                {"line": 3, "time": "2017-07-14 02:45:00", "component": "Average duration", "value_ms": None},
                {"line": 3, "component": "percentile(duration, 95)", "value_ms": 1250.0},
                {"line": 3, "component": "throughput_rpm", "value_ms": 0.0},
            ),
            "unread_lines": ({"line": 3, "reason": "field Average duration"},),
        },
    ),
    (
        # by a facet, over time
        "Timestamp,Host,average(duration * 1000)\n2025-04-23T18:00:00Z,web.1,120\n2025-04-23T18:00:00Z,web.2,140\n",
        {
            "response_breakdown": (
                {"line": 2, "time": "2025-04-23 18:00:00", "component": "web.1", "value_ms": 120.0},
                {"line": 3, "time": "2025-04-23 18:00:00", "component": "web.2", "value_ms": 140.0},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "date,price,volume\n2025-04-23,1.5,17\n2025-04-24,1.6,12\n",
    "time,python,temperature\n2025-04-23 18:00,3,20\n",
    "Timestamp,App Name,Name,Duration\n2025-04-23 18:04:59,shop,WebTransaction/Go/items,0.012\n",
    "Transaction,Apdex,Count,Avg (ms),Max (ms)\nitems#index,0.95,3,12,20\n",
    "timestamp,count\n1500000000,7\n",
)


@dataclass(frozen=True)
class _Part:
    """One column of values: its header, and by what it is multiplied; ``each`` says it is a count of its bucket."""

    header: str
    factor: float
    throughput: bool = False
    each: bool = False


@dataclass
class _Series:
    """The header of a time series: which column is the time, the end, the facet, and the values by place."""

    record: _cells.Record
    delimiter: str
    time: int | None
    end: int | None
    facet: int | None
    parts: dict[int, _Part]
    left: list[str] = field(default_factory=list)

    def component(self, part: _Part, cells: list[str]) -> str:
        if part.throughput:
            return THROUGHPUT
        facet = cells[self.facet] if self.facet is not None and self.facet < len(cells) else ""
        if not facet:
            return part.header
        return facet if len(self.parts) == 1 else f"{facet}: {part.header}"


def score(head: list[str]) -> float:
    """Return how sure it is: a time column and headers that New Relic's charts and queries have."""
    series = _find(head)
    if series is None:
        return 0.0
    return 0.6 if series.time is not None else 0.4


def read(lines: list[str], context: Context, *, sure: bool = False) -> Reading:
    """Return the values as ``response_breakdown``, one row for each cell; times without a zone are the context's.

    ``sure`` says that the rows are New Relic's, whatever their headers.
    """
    reading = Reading()
    series = _find(lines, sure=sure)
    if series is None:
        reading.unread = [
            (at, "no header of a New Relic chart", text) for at, text in enumerate(lines, 1) if text.strip()
        ]
        return reading
    header = series.record
    reading.joined = 1 + _cells.continued(lines, header)
    if series.left:
        reading.notes.append(
            f"columns not read: {', '.join(series.left[:10])}" + (", …" if len(series.left) > 10 else "")
        )
    clock = _clock(series, context)
    rows = list(_rows(lines, series, reading))
    times = [_time(record, cells, series, clock, reading, lines) for record, cells in rows]
    minutes = _bucket_minutes(series, rows, times, clock)
    values = [
        row
        for (record, cells), time, width in zip(rows, times, minutes, strict=True)
        for row in _values(record, cells, time, width, series, reading, lines)
    ]
    frame = pd.DataFrame(values, columns=["line", "time", "component", "value_ms"])
    reading.tables["response_breakdown"] = frame.astype(
        {"line": "Int64", "time": "datetime64[us]", "component": "object", "value_ms": "Float64"}
    )
    reading.notes += _doubts(series, values) + clock.notes()
    reading.zone = clock.zone_note()
    return reading


def _find(lines: list[str], *, sure: bool = False) -> _Series | None:
    """Return the header, when the first record is one of a New Relic chart or query."""
    for delimiter in (",", "\t"):
        found = _cells.records(lines[: 2 * _LOOKED_AT], delimiter)
        record = next(found, None)
        if record is None or record.cells is None or len(record.cells) < 2:
            continue
        rows = [row.cells for row in found if row.cells is not None][:_LOOKED_AT]
        series = _columns(record, delimiter, rows)
        if series is not None and (sure or _is_ours(series, rows)):
            return series
    return None


def _columns(record: _cells.Record, delimiter: str, rows: list[list[str]]) -> _Series | None:
    headers = record.cells or []
    plain = [_cells.plain(header) for header in headers]
    time = next((place for place, word in enumerate(plain) if word in _TIME), None)
    end = (
        next((place for place, word in enumerate(plain) if word in _END), None) if time is not None else None
    )
    others = [place for place in range(len(headers)) if place not in (time, end) and headers[place]]
    texts = [place for place in others if _is_text(place, rows)]
    series = _Series(record, delimiter, time, end, texts[0] if texts else None, {})
    series.left = [headers[place] for place in texts[1:]]
    parts = {place: _part(headers[place]) for place in others if place not in texts}
    throughputs = [place for place, part in parts.items() if part is not None and part.throughput]
    best = min(throughputs, key=lambda place: (bool(parts[place] and parts[place].each), place), default=None)  # type: ignore[union-attr]
    for place, part in parts.items():
        if part is None or (part.throughput and (place != best or texts)):
            series.left.append(headers[place])
        else:
            series.parts[place] = part
    return series if series.parts else None


def _is_text(place: int, rows: list[list[str]]) -> bool:
    """Say whether most values of a column are no numbers: it is a facet."""
    cells = [row[place] for row in rows if place < len(row) and not _cells.missing(row[place])]
    return 2 * sum(_amount(cell)[0] is None for cell in cells) > len(cells)


def _part(header: str) -> _Part | None:
    """Return how a column is read; None when it is neither a duration nor a throughput."""
    word, unit = _cells.plain(header), _cells.unit(header)
    rate = _RATE_OF_COUNT.fullmatch(header.strip())
    if rate:
        return _Part(
            header, 1 / (int(rate[1]) * _MINUTES[rate[2].lower()]) if int(rate[1]) else 1.0, throughput=True
        )
    if unit == "rpm" or word in _RATE:
        return _Part(header, 1.0, throughput=True) if unit in ("rpm", None) and _bare(header, unit) else None
    if word in _COUNT or _COUNT_OF.fullmatch(header.strip()):
        return _Part(header, 1.0, throughput=True, each=True)
    if _NO_DURATION.search(header):
        return None
    if unit is not None:
        return _Part(header, 1000.0 if unit == "s" else 1.0)
    function = _FUNCTION.fullmatch(header.strip())
    if function and not _OF_TIME.search(function[2]):
        return None
    asked = function is not None or word.endswith("duration")
    return _Part(header, 1000.0 if asked and not re.search(r"\*\s*1000\b", header) else 1.0)


def _bare(header: str, unit: str | None) -> bool:
    """Say whether a throughput names no unit other than requests per minute."""
    return unit == "rpm" or not re.search(r"[(\[]", header)


def _is_ours(series: _Series, rows: list[list[str]]) -> bool:
    headers = [part.header for part in series.parts.values()] + series.left
    plain = {_cells.plain(header) for header in headers}
    if plain & {"appname", "apdexperfzone", "entityguid", "duration"}:
        return False
    asked = any(_FUNCTION.fullmatch(header) for header in headers if not _COUNT_OF.fullmatch(header))
    counted = any(_COUNT_OF.fullmatch(header) for header in headers) or "count" in plain
    if series.time is None:
        return asked and series.facet is not None and bool(rows)
    timed = all(_starts_like_time(row[series.time]) for row in rows[:1] if series.time < len(row))
    begun = "begintimeseconds" in {_cells.plain(cell) for cell in series.record.cells or []}
    sure = asked or bool(plain & _SURE) or (counted and begun)
    likely = len(plain & _LIKELY) >= 2 and series.facet is None
    return timed and (sure or likely) and (series.facet is None or asked or bool(plain & _SURE))


def _starts_like_time(cell: str) -> bool:
    return _cells.Clock("UTC", "").read(cell) is not None


def _clock(series: _Series, context: Context) -> _cells.Clock:
    header = (series.record.cells or [])[series.time] if series.time is not None else ""
    told = re.search(r"\b(UTC|GMT)\b", header) is not None
    return _cells.Clock("UTC" if told else context.zone, context.path, told=told)


def _rows(lines: list[str], series: _Series, reading: Reading) -> Iterable[tuple[_cells.Record, list[str]]]:
    def fit(cells: list[str]) -> list[str] | str:
        if any(cells[len(series.record.cells or []) :]):
            return "more cells than headers"
        return cells if sum(not _cells.missing(cell) for cell in cells) > 1 else "not a row of the chart"

    return _cells.rows(lines, series.record, series.delimiter, reading, fit)


def _time(
    record: _cells.Record,
    cells: list[str],
    series: _Series,
    clock: _cells.Clock,
    reading: Reading,
    lines: list[str],
) -> datetime | None:
    if series.time is None:
        return None
    time = clock.read(cells[series.time])
    if time is None:
        reading.unread.append((record.line, "field time", lines[record.line - 1]))
    return time


def _bucket_minutes(
    series: _Series,
    rows: list[tuple[_cells.Record, list[str]]],
    times: list[datetime | None],
    clock: _cells.Clock,
) -> list[float | None]:
    """Return how long each row's bucket is: from its end, else the commonest distance of neighbouring times."""
    known = sorted({time for time in times if time is not None})
    steps = Counter((later - earlier).total_seconds() / 60 for earlier, later in pairwise(known))
    usual = min(steps, key=lambda step: (-steps[step], step), default=None)
    minutes: list[float | None] = []
    for (_, cells), time in zip(rows, times, strict=True):
        end = clock.read(cells[series.end]) if series.end is not None and series.end < len(cells) else None
        width = (end - time).total_seconds() / 60 if end is not None and time is not None else usual
        minutes.append(width if width and width > 0 else None)
    return minutes


def _values(
    record: _cells.Record,
    cells: list[str],
    time: datetime | None,
    minutes: float | None,
    series: _Series,
    reading: Reading,
    lines: list[str],
) -> Iterable[dict[str, object]]:
    for place, part in series.parts.items():
        cell = cells[place] if place < len(cells) else ""
        value, factor = _amount(cell)
        if value is not None and (value < 0 or (part.each and minutes is None)):
            value = None
        if value is None and not _cells.missing(cell):
            reading.unread.append((record.line, f"field {part.header}", lines[record.line - 1]))
        if value is not None:
            value = round(value * (factor or part.factor) / ((minutes or 1.0) if part.each else 1.0), 9)
        yield {
            "line": record.line,
            "time": time,
            "component": series.component(part, cells),
            "value_ms": value,
        }


def _amount(cell: str) -> tuple[float | None, float | None]:
    """Return the number of a cell, and the factor to ms where the cell itself names a unit."""
    found = re.fullmatch(r"(.*\d\.?)\s*(ms|s|rpm)", cell, re.I)
    if not found:
        return _cells.number(cell), None
    return _cells.number(found[1]), {"ms": 1.0, "s": 1000.0, "rpm": 1.0}[found[2].lower()]


def _doubts(series: _Series, values: list[dict[str, object]]) -> list[str]:
    """Return what was decided about units, where the headers do not say it."""
    asked = [
        part.header
        for part in series.parts.values()
        if part.factor == 1000 and _cells.unit(part.header) is None
    ]
    notes = [f"read as seconds: {', '.join(asked[:10])}"] if asked else []
    unsaid = {
        part.header
        for part in series.parts.values()
        if part.factor == 1
        and not part.throughput
        and _cells.unit(part.header) is None
        and "1000" not in part.header
    }
    if unsaid and series.facet is None:
        notes.append("columns without a unit are read as ms")
        seen = [row["value_ms"] for row in values if row["component"] in unsaid]
        numbers = [value for value in seen if isinstance(value, float)]
        if numbers and max(numbers) < 1:
            notes.append("all of their values are below 1: they may be seconds")
    return notes
