"""What ``heroku pg:info`` prints: a heading for each database, then a key and its value a line.

The values are kept as they are printed, for their forms changed often (``6``, ``2/20``, ``8.0 MB/1.00 GB (In compliance)``). A key
may have further values on lines below it. Dev Center: "Managing Heroku Postgres using the CLI".
"""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "heroku pg:info output"
COMMANDS = ("heroku pg:info", "heroku pg", "heroku pg:wait")

# A name is taken whole (*+): tried in parts, a long line of capitals would take for ever.
_HEADING = re.compile(r"={2,4} (?P<names>(?:[A-Z][A-Z0-9_]*+(?:::[A-Z0-9_]++)?(?:, | \(|\)|\s)*+)+)")
_KEY = re.compile(r"(?P<key>[A-Z][\w/+-]*(?: [\w/+-]+){0,3}):(?:\s+(?P<value>\S.*?))?\s*")
_NONE = re.compile(r"(?:⬢ )?(?P<app>\S+) has no heroku-postgresql databases\.\s*")
_NEAR = 3

EXAMPLES = (
    (
        # the book, chapter 5
        "$ heroku pg:info\n"
        "==== HEROKU_POSTGRESQL_VIOLET_URL (DATABASE_URL)\n"
        "Plan:      Crane\n"
        "Data Size: 6.5 MB\n"
        "Followers:  HEROKU_POSTGRESQL_WHITE\n"
        "\n"
        "==== HEROKU_POSTGRESQL_WHITE_URL\n"
        "Plan:      Crane\n"
        "Fork/Follow: Unavailable on followers\n"
        "Behind By: 0 commits\n",
        {
            "database_facts": (
                {"line": 2, "database": "HEROKU_POSTGRESQL_VIOLET_URL", "fact": "Names",
                 "value": "HEROKU_POSTGRESQL_VIOLET_URL (DATABASE_URL)"},
                {"line": 3, "database": "HEROKU_POSTGRESQL_VIOLET_URL", "fact": "Plan", "value": "Crane"},
                {"line": 4, "fact": "Data Size", "value": "6.5 MB"},
                {"line": 5, "fact": "Followers", "value": "HEROKU_POSTGRESQL_WHITE"},
                {"line": 7, "database": "HEROKU_POSTGRESQL_WHITE_URL", "fact": "Names"},
                {"line": 8, "database": "HEROKU_POSTGRESQL_WHITE_URL", "fact": "Plan"},
                {"line": 9, "fact": "Fork/Follow", "value": "Unavailable on followers"},
                {"line": 10, "fact": "Behind By", "value": "0 commits"},
            ),
        },
    ),
    (
        "=== DATABASE_URL, HEROKU_POSTGRESQL_COBALT_URL\n"
        "\n"
        "Plan:                  Essential-0\n"
        "Connections:           2/20\n"
        "Data Size:             8.0 MB/1.00 GB (In compliance)\n"
        "Followers:             HEROKU_POSTGRESQL_RED\n"
        "                       HEROKU_POSTGRESQL_BLUE\n"
        "Rollback:              \n"
        "Add-on:                postgresql-blue-12345\n",
        {
            "database_facts": (
                {"line": 1, "database": "HEROKU_POSTGRESQL_COBALT_URL", "fact": "Names"},
                {"line": 3, "fact": "Plan", "value": "Essential-0"},
                {"line": 4, "fact": "Connections", "value": "2/20"},
                {"line": 5, "fact": "Data Size", "value": "8.0 MB/1.00 GB (In compliance)"},
                {"line": 6, "fact": "Followers", "value": "HEROKU_POSTGRESQL_RED, HEROKU_POSTGRESQL_BLUE"},
                {"line": 8, "fact": "Rollback", "value": None},
                {"line": 9, "fact": "Add-on", "value": "postgresql-blue-12345"},
            ),
        },
    ),
    (
        "debugging-staging has no heroku-postgresql databases.\n",
        {"transcript": ({"line": 1, "said": "answer", "app": "debugging-staging"},)},
    ),
)  # fmt: skip

NOT_MINE = (
    "=== shop Config Vars\nDATABASE_URL: postgres://db.example.com/x\n",
    "=== web (1X): `unicorn`\nweb.1: up 2013/05/07 18:44:38\n",
    "Plan: the trip begins at ten\nStatus: all are here\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether a database's heading stands there, with its plan or another key just below, or that there is none."""
    line = lines[at]
    if _NONE.fullmatch(line):
        return True
    near = [found["key"] for one in lines[at + 1 : at + 1 + _NEAR] if (found := _KEY.fullmatch(one))]
    return _HEADING.fullmatch(line) is not None and bool({"Plan", "Status", "Data Size"} & set(near))


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each key as a row of ``database_facts``; the heading as the fact ``Names``."""
    database: str | None = None
    last: tuple[int, str, list[str]] | None = None

    def close() -> None:
        if last is not None:
            value = ", ".join(last[2]) or None
            account.row("database_facts", last[0], database=database, fact=last[1], value=value)

    for at, text in lines:
        if heading := _HEADING.fullmatch(text):
            close()
            last, names = None, heading["names"].strip()
            database = _name(names)
            account.row("database_facts", at, database=database, fact="Names", value=names)
        elif none := _NONE.fullmatch(text):
            app = _columns.app_name(none["app"])
            account.row("transcript", at, said="answer", command="heroku pg:info", app=app, text=text.strip())
        elif database and (found := _KEY.fullmatch(text)):
            close()
            last = (at, found["key"], [found["value"]] if found["value"] else [])
        elif last is not None and last[2] and text[:4].isspace():
            last[2].append(text.strip())
            account.join(at)
    close()


score, read = _paste.score_of(__name__), _paste.read


def _name(names: str) -> str:
    """The name that only this database has: its colour, where it has one."""
    words = re.findall(r"[A-Z][A-Z0-9_:]*", names)
    return next((word for word in words if "HEROKU_POSTGRESQL_" in word), words[0])
