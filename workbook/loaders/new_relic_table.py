"""New Relic's table of transactions: "Web transactions, table view, export as CSV" (2013), or the same copied with tabs.

A query result by transaction name (``name, average(duration), count``) is read too. Times are ms, as the table prints them;
headers such as ``average(duration)`` or ``Average duration`` are a query's, which prints seconds. The first row sums up all
transactions. An Apdex cell may hold the score and its T run together: ``0.950.5`` is 0.95 at T = 0.5 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from workbook.loaders import Context, Reading, _cells

TITLE = "New Relic transaction table"

_LAST_HEADER_LINE = 20
_MOST_CALLS = 2**63 - 1
_TOLERANCE = 0.01
_MOST_GROUPINGS = 5_000
_TOTAL = re.compile(r"all\b.*\btransactions|all|totals?", re.I)
_APDEX_WITH_T = re.compile(r"(\d\.\d\d)\s*[\[(]?\s*(\d+(?:\.\d+)?)\s*s?[\])]?", re.ASCII)
_FUNCTION = re.compile(r"(average|avg|min|max|sum|stddev|count|apdex)\s*\((.*)\)", re.I)
_PART_OF_TIME = ("database", "datastore", "external", "queue", "memcache", "gc")
_TIME_COLUMN = re.compile(r"timestamp|begin|(time|date)( \(utc\))?$")
_TIMES = ("avg_ms", "min_ms", "max_ms", "stddev_ms", "total_ms")
_COLUMNS = ("line", "name", "is_total", "calls", *_TIMES, "throughput_rpm", "apdex", "apdex_t", "share")

_ALIASES = {
    "name": {"transaction", "transactions", "transactionname", "webtransaction", "webtransactions", "name"},
    "calls": {"count", "calls", "callcount", "numberofcalls", "requests", "requestcount"},
    "avg_ms": {"avg", "average", "mean", "responsetime", "avgtime", "averagetime", "averageresponsetime",
               "avgresponsetime", "avgduration", "averageduration"},
    "stddev_ms": {"sd", "stddev", "stdev", "stddeviation", "standarddeviation", "stddevduration"},
    "min_ms": {"min", "minimum", "mintime", "minduration"},
    "max_ms": {"max", "maximum", "maxtime", "maxduration"},
    "total_ms": {"total", "totaltime", "sum", "totalduration", "sumduration"},
    "throughput_rpm": {"throughput", "rpm", "requestsperminute", "callsperminute"},
    "apdex": {"apdex", "apdexscore"},
    "apdex_t": {"apdext", "apdexthreshold"},
}  # fmt: skip
_SHARES = {
    "total",
    "totaltime",
    "time",
    "oftime",
    "oftotal",
    "oftotaltime",
    "timeconsumed",
    "share",
    "walltime",
    "ofwalltime",
}
_FUNCTIONS = {"average": "avg_ms", "avg": "avg_ms", "min": "min_ms", "max": "max_ms", "sum": "total_ms",
              "stddev": "stddev_ms", "count": "calls", "apdex": "apdex"}  # fmt: skip

_BOOK_HEADER = "Transaction\tApdex\tCount\tAvg (ms)\tSD (ms)\tMin (ms)\tMax (ms)\tTotal (ms)\tTotal (% time)\tDissat (%)\n"

EXAMPLES = (
    (
        # the book, chapter 4
        _BOOK_HEADER
        + "All web transactions\t0.950.5\t220,559\t169\t657\t0.6\t20,500\t37,200,000\t100.0\t100.0\n"
        "HealthController#index\t0.860.5\t30,466\t413\t1,110\t1.8\t20,200\t12,599,999\t33.8\t40.3\n"
        "SidebarController#status\t1.000.5\t163,192\t46.9\t140\t1.9\t12,800\t7,660,000\t20.6\t04.2\n",
        {
            "transactions": (
                {"line": 2, "name": "All web transactions", "is_total": True, "calls": 220559, "avg_ms": 169.0,
                 "stddev_ms": 657.0, "min_ms": 0.6, "max_ms": 20500.0, "total_ms": 37200000.0, "apdex": 0.95,
                 "apdex_t": 0.5, "share": 1.0, "throughput_rpm": None},
                {"line": 3, "name": "HealthController#index", "is_total": False, "calls": 30466, "avg_ms": 413.0,
                 "max_ms": 20200.0, "total_ms": 12599999.0, "apdex": 0.86, "apdex_t": 0.5, "share": 0.338},
                {"line": 4, "apdex": 1.0, "avg_ms": 46.9, "stddev_ms": 140.0, "share": 0.206},
            ),
        },
    ),
    (
        # quoted thousands, percent signs, other names of the columns, a cell that cannot be read, an empty one
        'Transaction name,Call count,Average (ms),Std Dev,Max,Throughput (rpm),Total (% time)\r\n'
        'WebTransaction/Controller/users/show,"1,204","1,150.5",80,"2,000",12.5,33.8%\r\n'
        'WebTransaction/Controller/users/index,soon,,80,900,1.5,04.2%\r\n'.replace("\r\n", "\n"),
        {
            "transactions": (
                {"line": 2, "name": "WebTransaction/Controller/users/show", "is_total": False, "calls": 1204,
                 "avg_ms": 1150.5, "stddev_ms": 80.0, "max_ms": 2000.0, "throughput_rpm": 12.5, "share": 0.338,
                 "apdex": None, "apdex_t": None, "min_ms": None, "total_ms": None},
                {"line": 3, "calls": None, "avg_ms": None, "max_ms": 900.0, "share": 0.042},
            ),
            "unread_lines": ({"line": 3, "reason": "field calls"},),
        },
    ),
    (
        # a query by name: its durations are seconds
        'Name,Average duration,Max duration,Count\n"WebTransaction/Expressjs/GET//items/:id",0.0125,1.5,40\n',
        {
            "transactions": (
                {"line": 2, "name": "WebTransaction/Expressjs/GET//items/:id", "avg_ms": 12.5, "max_ms": 1500.0,
                 "calls": 40, "min_ms": None},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "name,count,max\napples,3,4\n",
    "Timestamp,Name,Duration,App Name\n2025-04-23 18:04:59,WebTransaction/Go/items,0.012,shop\n",
    "timestamp,average(duration),count\n1500000000,0.2,10\n",
    "      name      |         ratio\n----------------+------------------------\n index hit rate | 0.99\n(1 row)\n",
    "transaction_id,account,amount\n17,12,3.50\n",
)


@dataclass(frozen=True)
class _Column:
    """Where a value stands, and by what it is multiplied to be in the table's unit."""

    name: str
    factor: float = 1.0


@dataclass
class _Table:
    """The header of a table: its line, how the cells are cut, and the columns that are read, by place."""

    record: _cells.Record
    delimiter: str
    columns: dict[int, _Column]
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        return {column.name for column in self.columns.values()}

    def place(self, name: str) -> int | None:
        return next((place for place, column in self.columns.items() if column.name == name), None)


def score(head: list[str]) -> float:
    """Return how sure it is: most with an Apdex column, less for other names, none for a CSV of something else."""
    table = _find(head)
    if table is None:
        return 0.0
    if "apdex" in table.names:
        return 0.9
    return 0.7


def read(lines: list[str], context: Context, *, sure: bool = False) -> Reading:
    """Return the rows as ``transactions``; lines around the table, and rows that cannot be cut into cells, are unread.

    ``sure`` says that the rows are New Relic's, whatever their headers.
    """
    table = _find(lines, sure=sure)
    reading = Reading()
    if table is None:
        reading.unread = [
            (at, "no header of a New Relic table", text) for at, text in enumerate(lines, 1) if text.strip()
        ]
        return reading
    header = table.record
    reading.unread = [
        (at, "before the table's header", text)
        for at, text in enumerate(lines[: header.line - 1], 1)
        if text.strip()
    ]
    reading.joined = 1 + _cells.continued(lines, header)
    reading.notes = _unread_columns(table)
    _read_rows(lines, table, reading)
    return reading


def _find(lines: list[str], *, sure: bool = False) -> _Table | None:
    """Return the header, when the lines begin with a table of New Relic."""
    for delimiter in ("\t", ","):
        for number, record in enumerate(_cells.records(lines[: 3 * _LAST_HEADER_LINE], delimiter)):
            if number >= _LAST_HEADER_LINE:
                break
            if record.cells is None or len(record.cells) < 2:
                continue
            table = _Table(record, delimiter, _columns(record.cells))
            if _is_ours(table) or (sure and number == 0 and "name" in table.names):
                return table
    return None


def _columns(cells: list[str]) -> dict[int, _Column]:
    found: dict[int, _Column] = {}
    for place, header in enumerate(cells):
        column = _column(header)
        if column is not None and column.name not in {known.name for known in found.values()}:
            found[place] = column
    return found


def _column(header: str) -> _Column | None:
    word, unit = _cells.plain(header), _cells.unit(header)
    function = _FUNCTION.fullmatch(header.strip())
    if function:
        name, of = _FUNCTIONS[function[1].lower()], _cells.plain(function[2].partition("*")[0])
        if (
            name in _TIMES
            and of not in ("ms", "s")
            and (of.startswith(_PART_OF_TIME) or not of.endswith(("duration", "totaltime")))
        ):
            return None
        milliseconds = "1000" in header or unit == "ms"
        return _Column(name, 1000.0 if name in _TIMES and not milliseconds else 1.0)
    if "%" in header or "percent" in header.lower():
        return _Column("share", 0.01) if word.replace("percent", "") in _SHARES else None
    for name, aliases in _ALIASES.items():
        if word in aliases:
            seconds = unit == "s" or (unit is None and word.endswith("duration"))
            return _Column(name, 1000.0 if name in _TIMES and seconds else 1.0)
    return None


def _is_ours(table: _Table) -> bool:
    names = table.names
    cells = [cell.lower() for cell in table.record.cells or []]
    if "name" not in names or any(_TIME_COLUMN.match(cell) for cell in cells):
        return False
    if "apdex" in names:
        return len(names) >= 3
    known = len(names & {"calls", "throughput_rpm", "share", *_TIMES})
    named = _cells.plain(cells[table.place("name") or 0]) != "name"
    asked = any(_FUNCTION.fullmatch(cell) or _cells.plain(cell).endswith("duration") for cell in cells)
    timed = any(name in names for name in ("avg_ms", "max_ms", "total_ms"))
    return timed and ((named and known >= 2) or (asked and known >= 1))


def _unread_columns(table: _Table) -> list[str]:
    cells = table.record.cells or []
    others = [cell for place, cell in enumerate(cells) if place not in table.columns and cell]
    notes = (
        [f"columns not read: {', '.join(others[:10])}" + (", …" if len(others) > 10 else "")]
        if others
        else []
    )
    seconds = [cells[place] for place, column in table.columns.items() if column.factor == 1000]
    return [*notes, *([f"read as seconds: {', '.join(seconds)}"] if seconds else [])]


def _read_rows(lines: list[str], table: _Table, reading: Reading) -> None:
    told_apart = 0

    def fit(cells: list[str]) -> list[str] | str:
        nonlocal told_apart
        if sum(cell != "" for cell in cells) < 2:
            return "not a row of the table"
        if not any(cells[len(table.record.cells or []) :]):
            return cells
        whole = _regrouped(cells, table)
        told_apart += whole is not None
        return whole or "more cells than headers (thousands separators without quotation marks)"

    rows = list(_cells.rows(lines, table.record, table.delimiter, reading, fit))
    if told_apart:
        reading.notes.append(
            f"{told_apart} rows had thousands separators without quotation marks, told apart by Count × Avg = Total"
        )
    reading.tables["transactions"] = _frame(rows, table, lines, reading)


def _frame(
    rows: list[tuple[_cells.Record, list[str]]], table: _Table, lines: list[str], reading: Reading
) -> pd.DataFrame:
    place = table.place("apdex")
    with_t = place is not None and any(cells[place].count(".") > 1 for _, cells in rows if len(cells) > place)
    values = []
    for record, cells in rows:
        row, bad = _row(cells, table, with_t)
        values.append({"line": record.line, **row})
        reading.unread += [(record.line, f"field {name}", lines[record.line - 1]) for name in bad]
    frame = pd.DataFrame(values, columns=list(_COLUMNS))
    kinds = dict.fromkeys(("line", "calls"), "Int64") | {"name": "object", "is_total": "boolean"}
    return frame.astype({name: kinds.get(name, "Float64") for name in _COLUMNS})


def _row(cells: list[str], table: _Table, with_t: bool) -> tuple[dict[str, object], list[str]]:
    """Return a row's values, and the columns whose text could not be read."""
    row: dict[str, object] = {}
    bad: list[str] = []
    for place, column in table.columns.items():
        cell = cells[place] if place < len(cells) else ""
        if column.name == "name":
            row["name"] = cell or None
            row["is_total"] = _TOTAL.fullmatch(cell) is not None
        elif _cells.missing(cell):
            continue
        elif column.name == "apdex":
            score, threshold = _apdex(cell, with_t)
            row["apdex"] = score
            if threshold is not None:
                row["apdex_t"] = threshold
            if score is None:
                bad.append("apdex")
        else:
            row[column.name] = _value(cell, column)
            if row[column.name] is None:
                bad.append(column.name)
    return row, bad


def _apdex(cell: str, with_t: bool) -> tuple[float | None, float | None]:
    """Return score and threshold of a cell; ``with_t`` says that the column prints them run together."""
    found = _APDEX_WITH_T.fullmatch(cell)
    if found and (with_t or not re.fullmatch(r"\d\.\d+", cell)):
        score, threshold = float(found[1]), float(found[2])
        return (score, threshold) if score <= 1 and threshold > 0 else (None, None)
    plain = _cells.number(cell)
    return (plain if plain is not None and 0 <= plain <= 1 else None), None


def _value(cell: str, column: _Column) -> float | int | None:
    text, factor = cell.strip(), column.factor
    if column.name == "share":
        text = text.rstrip("%").strip()
    elif column.name in _TIMES:
        text, factor = _without_unit(text, factor)
    elif column.name == "throughput_rpm":
        text = re.sub(r"\s*(rpm|cpm)$", "", text, flags=re.I)
    value = _cells.number(text)
    if value is None or value < 0:
        return None
    if column.name == "calls":
        return int(value) if value == int(value) and value <= _MOST_CALLS else None
    if column.name == "share":
        return round(value / 100, 10) if value <= 100.05 else None
    if column.name == "apdex_t" and value == 0:
        return None
    return value * factor


def _without_unit(text: str, factor: float) -> tuple[str, float]:
    found = re.fullmatch(r"(.*\d)\s*(ms|s|sec|secs|seconds)", text, re.I)
    if not found:
        return text, factor
    return found[1], 1.0 if found[2].lower() == "ms" else 1000.0


def _regrouped(cells: list[str], table: _Table) -> list[str] | None:
    """Return the cells with cut thousands put together again, where Count × Avg = Total fits one way only."""
    width = len(table.record.cells or [])
    needed = {"calls", "avg_ms", "total_ms"}
    if table.delimiter != "," or not needed <= table.names or len(cells) > 3 * width:
        return None
    fitting: list[list[str]] = []
    for number, one in enumerate(_groupings(cells, width, table)):
        if number >= _MOST_GROUPINGS:
            return None
        if _adds_up(one, table):
            fitting.append(one)
    return fitting[0] if len(fitting) == 1 else None


def _groupings(cells: list[str], width: int, table: _Table) -> Iterator[list[str]]:
    """Give every way to put neighbouring cells together to numbers such as 1,234,567 so that ``width`` cells are left."""
    if not width or len(cells) < width:
        if not width and not cells:
            yield []
        return
    most = 1 if width == len(table.record.cells or []) else len(cells) - width + 1
    for count in range(1, most + 1):
        first = ",".join(cells[:count])
        if count > 1 and _cells.number(first) is None:
            return
        for rest in _groupings(cells[count:], width - 1, table):
            yield [first, *rest]


def _adds_up(cells: list[str], table: _Table) -> bool:
    row, bad = _row(cells, table, with_t=True)
    calls, avg, total = row.get("calls"), row.get("avg_ms"), row.get("total_ms")
    if (
        bad
        or not (isinstance(calls, int) and isinstance(avg, float) and isinstance(total, float))
        or not total
    ):
        return False
    least, most = row.get("min_ms", avg), row.get("max_ms", avg)
    ordered = isinstance(least, float) and isinstance(most, float) and least <= avg <= most
    return ordered and abs(calls * avg / total - 1) <= _TOLERANCE
