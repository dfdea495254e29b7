"""Transactions of a New Relic query (``SELECT * FROM Transaction``), saved as CSV: one row for each transaction.

"Export as CSV" writes headers in title case (``App Name``, ``Http.Status Code``) and times without a zone; scripts that ask
the API write the attribute names (``duration,timestamp,name``) and epoch milliseconds. Columns come in any order, hundreds of
them may be empty. New Relic's durations are seconds and become ms; an attribute that is left out is NULL, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import pandas as pd

from workbook.loaders import Context, Reading, _cells

TITLE = "New Relic transaction events (CSV)"
NEEDS_ZONE = True

_COLUMNS = (
    "line",
    "time",
    "name",
    "duration_ms",
    "database_ms",
    "queue_ms",
    "external_ms",
    "error",
    "status",
    "app",
    "host",
)
_ATTRIBUTES = {
    "timestamp": "time",
    "name": "name",
    "transactionname": "name",
    "duration": "duration_ms",
    "databaseduration": "database_ms",
    "queueduration": "queue_ms",
    "externalduration": "external_ms",
    "error": "error",
    "httpstatuscode": "status",
    "httpresponsecode": "status",
    "responsestatus": "status",
    "appname": "app",
    "host": "host",
}
_ONLY_NEW_RELIC = {
    "apdexperfzone", "appid", "appname", "databaseduration", "databasecallcount", "entityguid", "externalduration",
    "externalcallcount", "httpresponsecode", "queueduration", "realagentid", "totaltime", "transactiontype", "webduration",
}  # fmt: skip
_NAME = re.compile(r"(?:^|[,\t\"])(?:Web|Other)Transaction/")
_WHOLE = ("line", "status")
_TEXTS = ("name", "app", "host")

EXAMPLES = (
    (
        # the form that the web page exports
        "Timestamp,App Name,Apdex Perf Zone,Name,Duration,Database Duration,Error,Http.Status Code,Request.Headers.Accept\n"
        "2025-04-23 18:04:59,shop,S,WebTransaction/Controller/items/index,0.0123,0.004,false,200,\n"
        '2025-04-23 18:04:58,shop,F,"WebTransaction/Controller/items/show, all",2.5,,true,500,"text/html,\n'
        'application/json"\n',
        {
            "transaction_samples": (
                {"line": 2, "time": "2025-04-23 18:04:59", "name": "WebTransaction/Controller/items/index",
                 "duration_ms": 12.3, "database_ms": 4.0, "queue_ms": None, "external_ms": None, "error": False,
                 "status": 200, "app": "shop", "host": None},
                {"line": 3, "name": "WebTransaction/Controller/items/show, all", "duration_ms": 2500.0,
                 "database_ms": None, "error": True, "status": 500},
            ),
        },
    ),
    (
        # the form that scripts write: names of attributes, epoch milliseconds; a value that cannot be read
        "duration,timestamp,name,queueDuration\n"
        "0.012,1500000000123,WebTransaction/Expressjs/GET//items,0.001\n"
        "fast,1500000001000,WebTransaction/Expressjs/GET//items,\n",
        {
            "transaction_samples": (
                {"line": 2, "time": "2017-07-14 02:40:00.123000", "duration_ms": 12.0, "queue_ms": 1.0, "status": None},
                {"line": 3, "time": "2017-07-14 02:40:01", "duration_ms": None, "queue_ms": None},
            ),
            "unread_lines": ({"line": 3, "reason": "field duration_ms"},),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "timestamp,name,duration\n2025-04-23 18:04:59,Moonlight Sonata,900\n",
    "beginTimeSeconds,endTimeSeconds,average(duration)\n1500000000,1500000060,0.2\n",
    "Transaction,Apdex,Count,Avg (ms),Max (ms)\nitems#index,0.95,3,12,20\n",
    "date,open,close\n2025-04-23,1.5,1.7\n",
)


def score(head: list[str]) -> float:
    """Return how sure it is: a timestamp, and attributes or names that only New Relic writes."""
    header = _header(head)
    if header is None:
        return 0.0
    known = set(header[1])
    return 0.9 if {"name", "duration_ms"} <= known else 0.7


def is_event(cells: dict[str, str]) -> bool:
    """Say whether an object has a time, a name or a duration, and attributes or a name that only New Relic writes."""
    plain = {_cells.plain(name) for name in cells}
    marks = _ONLY_NEW_RELIC & plain
    named = _NAME.search(cells.get("name", "")) is not None
    return "timestamp" in plain and bool({"name", "duration"} & plain) and bool(named or marks)


def read(lines: list[str], context: Context, *, sure: bool = False) -> Reading:
    """Return the rows as ``transaction_samples``; times without a zone are read in the zone of the context.

    ``sure`` says that the rows are New Relic's, whatever their headers.
    """
    reading = Reading()
    header = _header(lines, sure=sure)
    if header is None:
        reading.unread = [
            (at, "no header of New Relic events", text) for at, text in enumerate(lines, 1) if text.strip()
        ]
        return reading
    record, names, delimiter = header
    reading.joined = 1 + _cells.continued(lines, record)
    others = sum(name is None and cell != "" for name, cell in zip(names, record.cells or [], strict=True))
    if others:
        reading.notes.append(f"{others} other columns are not read")
    clock = _cells.Clock(context.zone, context.path)
    rows = list(_rows(lines, record, names, delimiter, clock, reading))
    reading.tables["transaction_samples"] = _frame(rows)
    reading.notes += clock.notes()
    reading.zone = clock.zone_note()
    return reading


def _header(lines: list[str], *, sure: bool = False) -> tuple[_cells.Record, list[str | None], str] | None:
    """Return the first record, the column of each cell and the delimiter, when they are a query's for events."""
    for delimiter in (",", "\t"):
        record = next(_cells.records(lines, delimiter), None)
        if record is None or record.cells is None:
            continue
        plain = [_cells.plain(cell) for cell in record.cells]
        names = [_ATTRIBUTES.get(word) for word in plain]
        if "timestamp" not in plain or not {"name", "duration_ms"} & set(names):
            continue
        marks = len(_ONLY_NEW_RELIC.intersection(plain))
        named = any(_NAME.search(line) for line in lines[record.line : record.line + 200])
        if (
            sure
            or marks >= 2
            or (named and {"name", "duration_ms"} <= set(names))
            or (marks and {"name", "duration_ms"} <= set(names))
        ):
            return record, names, delimiter
    return None


def _rows(
    lines: list[str],
    header: _cells.Record,
    names: list[str | None],
    delimiter: str,
    clock: _cells.Clock,
    reading: Reading,
) -> Iterator[dict[str, object]]:
    factors = [_factor(cell, name) for cell, name in zip(header.cells or [], names, strict=True)]

    def fit(cells: list[str]) -> list[str] | str:
        if any(cells[len(names) :]):
            return "more cells than headers"
        known = (cell for cell, name in zip(cells, names, strict=False) if name)
        return "not a transaction" if all(map(_cells.missing, known)) else cells

    for record, cells in _cells.rows(lines, header, delimiter, reading, fit):
        row, bad = _row(cells, names, factors, clock)
        reading.unread += [(record.line, f"field {name}", lines[record.line - 1]) for name in bad]
        yield {"line": record.line, **row}


def _factor(header: str, name: str | None) -> float:
    if name is None or not name.endswith("_ms"):
        return 1.0
    return 1.0 if _cells.unit(header) == "ms" else 1000.0


def _row(
    cells: list[str], names: list[str | None], factors: list[float], clock: _cells.Clock
) -> tuple[dict[str, object], list[str]]:
    """Return a row's values, and the columns whose text could not be read. Of several columns for one value the first wins."""
    row: dict[str, object] = {}
    bad: list[str] = []
    for cell, name, factor in zip(cells, names, factors, strict=False):
        if name is None or row.get(name) is not None or _cells.missing(cell):
            continue
        row[name] = _value(cell, name, factor, clock)
        if row[name] is None:
            bad.append(name)
    return row, [name for name in dict.fromkeys(bad) if row[name] is None]


def _value(
    cell: str, name: str, factor: float, clock: _cells.Clock
) -> str | float | int | bool | datetime | None:
    if name in _TEXTS:
        return cell
    if name == "time":
        return clock.read(cell)
    if name == "error":
        return {"true": True, "1": True, "false": False, "0": False}.get(cell.lower())
    value = _cells.number(cell)
    if name == "status":
        return int(value) if value is not None and 100 <= value <= 999 and value == int(value) else None
    return None if value is None or value < 0 else round(value * factor, 9)


def _frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    kinds: dict[str, str] = (
        dict.fromkeys(_COLUMNS, "Float64") | dict.fromkeys(_WHOLE, "Int64") | dict.fromkeys(_TEXTS, "object")
    )
    kinds |= {"time": "datetime64[us]", "error": "boolean"}
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=kinds[name]) for name in _COLUMNS}
    )
