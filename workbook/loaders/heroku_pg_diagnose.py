"""What ``heroku pg:diagnose`` prints: a report with its checks, each red, yellow, green or skipped, with a small table or values."""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "heroku pg:diagnose output"
COMMANDS = ("heroku pg:diagnose",)

_REPORT = re.compile(r"Report (?P<id>[0-9a-f-]{36}) for (?P<app>[\w-]+)::(?P<database>\w+)\s*")
_CREATED = re.compile(r"available for one month after creation on (?P<time>\S+(?: \S+)*?)\s*")
_CHECK = re.compile(r"(?P<level>RED|YELLOW|GREEN|SKIPPED|UNKNOWN): (?P<check>\S.*?)\s*")

EXAMPLES = (
    (
        "Report 01234567-89ab-cdef-0123-456789abcdef for shop::HEROKU_POSTGRESQL_GREEN_URL\n"
        "available for one month after creation on 2024-02-03T04:05:06.000Z\n"
        "\n"
        "RED: Bloat\n"
        "Type   Object         Bloat  Waste\n"
        "─────  ─────────────  ─────  ───────\n"
        "table  public.events  12     2048 MB\n"
        "YELLOW: Load\n"
        "Load  1.35\n"
        "GREEN: Connection Count\n",
        {
            "database_facts": (
                {"line": 1, "database": "HEROKU_POSTGRESQL_GREEN_URL", "fact": "Diagnose",
                 "value": "01234567-89ab-cdef-0123-456789abcdef"},
                {"line": 2, "fact": "Diagnosed at", "value": "2024-02-03T04:05:06.000Z"},
                {"line": 4, "fact": "Check: Bloat", "value": "RED"},
                {"line": 8, "fact": "Check: Load", "value": "YELLOW"},
                {"line": 10, "fact": "Check: Connection Count", "value": "GREEN"},
            ),
            "table_statistics": (
                {"line": 7, "report": "diagnose Bloat", "name": "public.events", "statistic": "Type", "value": "table"},
                {"line": 7, "report": "diagnose Bloat", "statistic": "Bloat", "value": "12", "number": None},
                {"line": 7, "statistic": "Waste", "value": "2048 MB", "number": 2147483648.0, "unit": "bytes"},
                {"line": 9, "report": "diagnose Load", "name": None, "statistic": "Load", "value": "1.35"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = ("RED: the light\nGREEN: the grass\n", "Report of the meeting for shop::all\n")


def begins(lines: list[str], at: int) -> bool:
    """Say whether the first line of a report stands there."""
    return _REPORT.fullmatch(lines[at]) is not None


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take the checks as ``database_facts``, their tables and values as ``table_statistics``."""
    database: str | None = None
    check: str | None = None
    columns: list[str] = []
    for index, (at, text) in enumerate(lines):
        below = lines[index + 1][1] if index + 1 < len(lines) else ""
        if report := _REPORT.fullmatch(text):
            database, check, columns = report["database"], None, []
            account.row("database_facts", at, database=database, fact="Diagnose", value=report["id"])
        elif created := _CREATED.fullmatch(text):
            account.row("database_facts", at, database=database, fact="Diagnosed at", value=created["time"])
        elif found := _CHECK.fullmatch(text):
            check, columns = found["check"], []
            account.row("database_facts", at, database=database, fact=f"Check: {check}", value=found["level"])
        elif check is None:
            continue
        elif _columns.is_ruler(text):
            account.join(at)
        elif _columns.is_ruler(below):
            columns = _columns.cells(text)
            account.join(at)
        else:
            _values(at, _columns.cells(text), columns, f"diagnose {check}", account)


score, read = _paste.score_of(__name__), _paste.read


def _values(at: int, cells: list[str], columns: list[str], report: str, account: _account.Account) -> None:
    """Take the cells under their headers, or a key and its value; cells that fit no header are refused."""
    if not columns and len(cells) == 2:
        account.row("table_statistics", at, name=None, statistic=cells[0], value=cells[1], report=report)
    elif columns and len(cells) == len(columns):
        about = next(
            (n for n, name in enumerate(columns) if name in ("Object", "Index", "Table", "Query")), None
        )
        for number, (column, cell) in enumerate(zip(columns, cells, strict=True)):
            if number != about or len(columns) == 1:
                size = _columns.size_bytes(cell)
                account.row(
                    "table_statistics", at, name=None if about is None else cells[about], statistic=column,
                    value=cell or None, report=report, number=None if size is None else float(size),
                    unit=None if size is None else "bytes",
                )  # fmt: skip
    else:
        account.refuse(at, "its cells do not fit the header of the table")
