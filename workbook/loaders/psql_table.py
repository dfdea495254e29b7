"""Tables of psql, as ``heroku pg:cache-hit``, ``pg:index-usage``, ``pg:outliers``, ``pg:ps`` and the other ``pg:*`` print them.

A header, a ruler ``---+---``, rows cut at ``|``, the number of rows in brackets. A ``+`` at the end of a cell says that it goes on
in the next line. Which report it is, is known by the command or by its columns; any other table is read too.
"""

from __future__ import annotations

import re
from itertools import pairwise

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "a table of psql"
COMMANDS = (
    *(
        f"heroku pg:{name}"
        for name in (
            "cache-hit", "index-usage", "index-size", "table-size", "total-index-size", "total-table-size",
            "table-indexes-size", "bloat", "vacuum-stats", "unused-indexes", "seq-scans", "records-rank",
            "long-running-queries", "locks", "blocking", "outliers", "calls", "ps", "connections", "extensions",
            "fdwsql", "mandelbrot", "stats-reset", "user-connections", "psql",
        )
    ),
    "psql",
)  # fmt: skip

_RULER = re.compile(r"\s*[-─━═]+(?:[+┼╬][-─━═]+)*[+┼╬]?\s*")
_COUNT = re.compile(r"\s*\((?P<count>\d{1,9}) rows?\)\s*")
_BAR = re.compile(r"[|│┃║]")
_NEAR = 3

# The reports, each known by columns that no other has; the more columns first.
_REPORTS = (
    ("index_usage", {"relname", "percent_of_times_index_used", "rows_in_table"}),
    ("bloat", {"bloat", "waste"}),
    ("vacuum_stats", {"last_vacuum", "dead_rowcount"}),
    ("unused_indexes", {"index_scans", "index_size"}),
    ("blocking", {"blocking_pid", "blocked_pid"}),
    ("blocking", {"blocked_pid", "blocking_statement"}),
    ("locks", {"relname", "granted"}),
    ("outliers", {"prop_exec_time", "ncalls"}),
    ("ps", {"pid", "state", "running_for"}),
    ("ps", {"procpid", "source", "running_for"}),
    ("long_running_queries", {"pid", "duration", "query"}),
    ("connections", {"source", "connections"}),
    ("cache_hit", {"name", "ratio"}),
    ("seq_scans", {"name", "count"}),
    ("records_rank", {"name", "estimated_count"}),
)
_NAMES = (
    "object_name",
    "relname",
    "table",
    "index",
    "name",
    "query",
    "qry",
    "query_snippet",
    "blocked_statement",
    "source",
    "pid",
)
_INTERVAL = re.compile(
    r"(?P<minus>-)?(?:(?P<days>\d{1,6}) days? ?)?(?:(?P<hours>\d{1,7}):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d{1,9})?))?",
    re.ASCII,
)
_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d{1,18})(?:\.\d{1,30})?", re.ASCII)
_PERCENT = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?%?", re.ASCII)

EXAMPLES = (
    (
        # the book, chapter 5
        "$ heroku pg:cache_hit -a debugging\n"
        "      name      |      ratio\n"
        "-----+-----\n"
        " index hit rate | 0.99006561935013432170\n"
        " cache hit rate | 0.99768566842236281761\n"
        "(2 rows)\n",
        {
            "table_statistics": (
                {"line": 4, "name": "index hit rate", "statistic": "ratio", "value": "0.99006561935013432170",
                 "report": "cache_hit", "number": 0.9900656193501343, "unit": "share"},
                {"line": 5, "name": "cache hit rate", "value": "0.99768566842236281761", "report": "cache_hit"},
            ),
        },
    ),
    (
        "        relname        | percent_of_times_index_used | rows_in_table \n"
        "-----------------------+-----------------------------+---------------\n"
        " events                |                          12 |        980431\n"
        " schema_migrations     |                             |             0\n"
        "(2 rows)\n",
        {
            "table_statistics": (
                {"line": 3, "name": "events", "statistic": "percent_of_times_index_used", "value": "12", "number": 0.12,
                 "unit": "share", "report": "index_usage"},
                {"line": 3, "name": "events", "statistic": "rows_in_table", "number": 980_431.0, "unit": "count"},
                {"line": 4, "name": "schema_migrations", "statistic": "percent_of_times_index_used", "value": None,
                 "number": None},
                {"line": 4, "statistic": "rows_in_table", "number": 0.0},
            ),
        },
    ),
    (
        # a cell that goes on in the next line, and one that holds a bar
        "            qry             |  exec_time   | prop_exec_time |  ncalls  | sync_io_time \n"
        "----------------------------+--------------+----------------+----------+--------------\n"
        " SELECT a || b FROM events +| 154:39:26.43 | 72.2%          | 34,211   | 00:00:00     \n"
        "   WHERE id = $1            |              |                |          | \n"
        "(1 row)\n",
        {
            "table_statistics": (
                {"line": 3, "name": "SELECT a || b FROM events WHERE id = $1", "statistic": "exec_time",
                 "value": "154:39:26.43", "number": 556_766.43, "unit": "s", "report": "outliers"},
                {"line": 3, "statistic": "prop_exec_time", "number": 0.722, "unit": "share"},
                {"line": 3, "statistic": "ncalls", "value": "34,211", "number": 34_211.0, "unit": "count"},
                {"line": 3, "statistic": "sync_io_time", "number": 0.0, "unit": "s"},
            ),
        },
    ),
    (
        "        name         |  size   \n"
        "---------------------+---------\n"
        " idx_events_on_shape | 5196 MB\n"
        "(1 row)\n",
        {"table_statistics": ({"line": 3, "name": "idx_events_on_shape", "number": 5_448_400_896.0, "unit": "bytes"},)},
    ),
    (
        "  size   \n---------\n 1194 kB\n(1 row)\n",
        {"table_statistics": ({"line": 3, "name": None, "statistic": "size", "number": 1_222_656.0, "unit": "bytes"},)},
    ),
)  # fmt: skip

NOT_MINE = (
    "| name | count |\nno ruler here\n",
    "a | b\nc | d\n",
    "Endpoint  Common Name(s)  Expires  Trusted\n------  -----\nkanto-2044.herokussl.com  www.example.com  2013-09-30 23:59 UTC  True\n",
    "Title\n-----\nSome prose under a heading.\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether a header stands there: a line with bars above a ruler with a cross, or one column with its count."""
    if _BAR.search(lines[at]) and not _columns.is_ruler(lines[at]):
        return any(_RULER.fullmatch(line) and _crosses(line) for line in lines[at + 1 : at + 1 + _NEAR])
    below = (lines[at + 1 : at + 2] or [""])[0]
    if not re.fullmatch(r"\s*[a-z_]+\s*", lines[at]) or not _RULER.fullmatch(below) or _crosses(below):
        return False
    return any(_COUNT.fullmatch(line) for line in lines[at + 2 : at + 40])


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each cell as a row of ``table_statistics``, all of one table row at its first line."""
    texts = [text for _, text in lines]
    header: str | None = None
    row: tuple[int, list[str]] | None = None
    rows = 0
    report: str | None = None
    columns: list[str] = []
    aligned = False
    unfinished = [False]

    def close() -> None:
        if row is not None:
            _take(row[0], row[1], columns, report, account)

    for index, (at, text) in enumerate(lines):
        if begins(texts, index):
            close()
            row, rows, header, unfinished, aligned = None, 0, text, [False], False
            columns = [cell.strip() for cell in _BAR.split(text)]
            report = _report(columns, context.command)
            account.join(at)
        elif header is None:
            continue
        elif _RULER.fullmatch(text):
            aligned = _crosses(text) == [found.start() for found in _BAR.finditer(header)]
            account.join(at)
        elif count := _COUNT.fullmatch(text):
            if int(count["count"]) != rows:
                account.notes.append(
                    f"a table says {count['count']} rows, {rows} are there: the paste may be cut"
                )
            close()
            row, header = None, None
            account.join(at)
        elif (cells := _cut(text, header, len(columns), aligned)) is None:
            account.refuse(at, "its cells do not fit the header of the table")
        elif row is not None and any(unfinished):
            joined = [
                " ".join(filter(None, pair))
                for pair in zip(row[1], [cell.rstrip("+").strip() for cell in cells], strict=True)
            ]
            row, unfinished = (row[0], joined), [cell.endswith("+") for cell in cells]
            account.join(at)
        else:
            close()
            unfinished = [cell.endswith("+") for cell in cells]
            row, rows = (at, [cell.removesuffix("+").strip() for cell in cells]), rows + 1
    close()


score, read = _paste.score_of(__name__), _paste.read


def _crosses(ruler: str) -> list[int]:
    return [at for at, sign in enumerate(ruler) if sign in "+┼╬"]


def _cut(text: str, header: str, count: int, aligned: bool) -> list[str] | None:
    """The cells of a row: cut where the header has its bars; in a table that was set by hand, at its own bars."""
    places = [found.start() for found in _BAR.finditer(header)]
    if all(len(text) > place and _BAR.match(text[place]) for place in places):
        edges = [-1, *places, len(text)]
        return [text[start + 1 : end].strip() for start, end in pairwise(edges)]
    cells = [cell.strip() for cell in _BAR.split(text)]
    return cells if len(cells) == count and not aligned else None


def _report(columns: list[str], command: str | None) -> str | None:
    """The report that the command names, or that has these columns."""
    typed = re.search(r"\bpg:([\w-]+)", command or "")
    if typed and typed[1] != "psql":
        return typed[1].replace("-", "_")
    return next((name for name, needed in _REPORTS if needed <= set(columns)), None)


def _take(
    at: int, cells: list[str], columns: list[str], report: str | None, account: _account.Account
) -> None:
    about = next((columns.index(name) for name in _NAMES if name in columns), 0 if len(columns) > 1 else None)
    name = None if about is None else cells[about] or None
    for number, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        if number != about:
            value, unit = _measured(column, cell)
            account.row(
                "table_statistics",
                at,
                name=name,
                statistic=column,
                value=cell or None,
                report=report,
                number=value,
                unit=unit,
            )


def _measured(column: str, cell: str) -> tuple[float | None, str | None]:
    """The number in a cell and what it counts; None where it is no number."""
    if not cell:
        return None, None
    if "percent" in column or cell.endswith("%"):
        return (float(cell.rstrip("%")) / 100, "share") if _PERCENT.fullmatch(cell) else (None, None)
    if (size := _columns.size_bytes(cell)) is not None:
        return float(size), "bytes"
    if _NUMBER.fullmatch(cell):
        return float(cell.replace(",", "")), "share" if column == "ratio" else "count"
    found = _INTERVAL.fullmatch(cell)
    if not found or not (found["days"] or found["hours"]):
        return None, None
    clock = [float(found[part] or 0) for part in ("days", "hours", "minutes", "seconds")]
    seconds = clock[0] * 86_400 + clock[1] * 3_600 + clock[2] * 60 + clock[3]
    return -seconds if found["minus"] else seconds, "s"
