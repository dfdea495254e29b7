"""What ``heroku pg:backups`` prints, and ``heroku pgbackups`` until 2015: backups, restores and copies, one a line.

The first form has seconds after a dot (``04:56.20``) and one blank between time, state and size; the newer one has an offset.
``pg:backups:info`` prints one backup with a key a line, ``pg:backups:schedules`` when backups are made.
"""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "heroku pg:backups output"
COMMANDS = ("heroku pgbackups", "heroku pg:backups", "heroku pg:backups:info", "heroku pg:backups:schedules")

_TIME = r"\d{4}[/-]\d\d[/-]\d\d \d\d:\d\d[:.]\d\d(?: (?:[+-]\d\d:?\d\d|UTC))?"
_SIZE = r"\d{1,15}(?:\.\d{1,9})?\s?[kKMGT]?i?B"
_HEADING = re.compile(
    r"={2,4} (?P<what>Backups?|Restores|Copies|Backup Schedules|Backup (?P<id>[a-z]\d{3,}))\s*"
)
_HEADER = re.compile(r"\s*ID\s{2,}(?:Backup Time|Created at|Started at)\s{2,}Status\b.*")
_ROW = re.compile(
    rf"\s*(?P<id>[a-z]\d{{3,}})\s+(?P<time>{_TIME})\s+(?P<state>\S.*?)(?:\s+(?P<size>{_SIZE})(?:\s+(?P<database>\S.*?))?)?\s*",
    re.ASCII,
)
_FINISHED = re.compile(rf"(?:Completed|Finished|Failed)(?: @)? (?P<time>{_TIME}|.*)")
_KEY = re.compile(
    r"(?P<key>Database|Started at|Finished at|Status|Type|Original DB Size|Backup Size):\s*(?P<value>.*?)\s*"
)
_EMPTY = re.compile(r"No (?:backups|restores|copies|backup schedules) found\b.*", re.I)
_SCHEDULE = re.compile(r"(?P<database>\S+): (?P<value>(?:daily|weekly|hourly|monthly)\b.*?)\s*")
_KINDS = {"a": "backup", "b": "backup", "r": "restore", "c": "copy"}

EXAMPLES = (
    (
        # the book, chapter 5
        "$ heroku pgbackups -a debugging\n"
        "  ID      Backup Time      Status          Size   Database\n"
        "  ----  -----  -----  -----\n"
        "  a080  2013/05/13 04:56.20 Finished @ 2013/05/13 ...  5.7KB DATABASE_URL\n"
        "  a083  2013/05/16 05:44.54 Finished @ 2013/05/16 ...  5.7KB DATABASE_URL\n",
        {
            "backups": (
                {"line": 4, "backup": "a080", "time": "2013-05-13 04:56:20", "state": "Finished @ 2013/05/13 ...",
                 "bytes": 5837, "database": "DATABASE_URL", "kind": "backup", "finished": None},
                {"line": 5, "backup": "a083", "time": "2013-05-16 05:44:54"},
            ),
        },
    ),
    (
        "=== Backups\n"
        "\n"
        " ID    Created at                 Status                               Size    Database\n"
        " ────  ─────────────────────────  ───────────────────────────────────  ──────  ────────\n"
        " b002  2024-02-03 06:05:06 +0200  Failed 2024-02-03 04:05:16 +0000     0.00B   DATABASE\n"
        " b001  2024-02-02 04:05:06 +0000  Completed 2024-02-02 04:06:06 +0000  5.70MB  DATABASE\n"
        " b000  2024-02-01 04:05:06 +0000  Running                                      DATABASE\n"
        "\n"
        "=== Restores\n"
        "\n"
        "No restores found. Use heroku pg:backups:restore to restore a backup\n"
        "\n"
        "=== Copies\n"
        "\n"
        " ID    Started at                 Status                               Size    From  To\n"
        " ────  ─────────────────────────  ───────────────────────────────────  ──────  ────  ──\n"
        " c003  2024-02-02 04:05:06 +0000  Completed 2024-02-02 04:06:06 +0000  5.70MB  RED   BLUE\n",
        {
            "backups": (
                {"line": 5, "backup": "b002", "time": "2024-02-03 04:05:06", "state": "Failed 2024-02-03 04:05:16 +0000",
                 "bytes": 0, "finished": "2024-02-03 04:05:16"},
                {"line": 6, "backup": "b001", "bytes": 5_976_883, "finished": "2024-02-02 04:06:06", "database": "DATABASE"},
                {"line": 7, "backup": "b000", "state": "Running", "bytes": None, "finished": None, "database": "DATABASE"},
                {"line": 17, "backup": "c003", "kind": "copy", "database": "RED BLUE"},
            ),
            "transcript": ({"line": 11, "said": "answer", "command": "heroku pg:backups"},),
        },
    ),
    (
        "=== Backup b001\n"
        "Database:         DATABASE\n"
        "Started at:       2024-02-02 04:05:06 +0000\n"
        "Finished at:      2024-02-02 04:06:06 +0000\n"
        "Status:           Completed\n"
        "Type:             Scheduled\n"
        "Original DB Size: 8.00MB\n"
        "Backup Size:      1.00kB (99% compression)\n",
        {
            "backups": (
                {"line": 1, "backup": "b001", "time": "2024-02-02 04:05:06", "finished": "2024-02-02 04:06:06",
                 "state": "Completed", "bytes": 1024, "database": "DATABASE", "kind": "backup"},
            ),
        },
    ),
    (
        "=== Backup Schedules\nDATABASE: daily at 2:00 America/New_York\n",
        {
            "database_facts": (
                {"line": 2, "database": "DATABASE", "fact": "Backup Schedule", "value": "daily at 2:00 America/New_York"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "a080  2013/05/13 a note\n",
    "=== DATABASE_URL\nPlan:  Essential-0\n",
    "Status: Completed\nType: Manual\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether a heading, the header, or a backup stands there."""
    line = lines[at]
    return bool(_HEADING.fullmatch(line) or _HEADER.fullmatch(line) or _ROW.fullmatch(line))


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each backup, restore and copy as a row of ``backups``; a schedule as a row of ``database_facts``."""
    one: dict[str, str] = {}
    first: tuple[int, str] | None = None
    for at, text in [*lines, (0, "")]:
        heading = _HEADING.fullmatch(text)
        if first is not None and one and (heading or not at):
            account.row("backups", first[0], **_described(one, *first, account))
            first, one = None, {}
        if heading:
            if heading["id"]:
                first = (at, heading["id"])
            account.join(at)
        elif _HEADER.fullmatch(text) or (text.strip() and _columns.is_ruler(text)):
            account.join(at)
        elif row := _ROW.fullmatch(text):
            account.row("backups", at, **_listed(row, at, account))
        elif first is not None and (key := _KEY.fullmatch(text)):
            one[key["key"]] = key["value"]
            account.join(at)
        elif schedule := _SCHEDULE.fullmatch(text):
            account.row(
                "database_facts",
                at,
                database=schedule["database"],
                fact="Backup Schedule",
                value=schedule["value"],
            )
        elif _EMPTY.fullmatch(text.strip()):
            account.row("transcript", at, said="answer", command="heroku pg:backups", text=text.strip())


score, read = _paste.score_of(__name__), _paste.read


def _listed(row: re.Match[str], at: int, account: _account.Account) -> dict[str, object]:
    state, database = row["state"], row["database"]
    if row["size"] is None and re.search(r"\S\s{2,}\S", state):
        state, _, database = (part.strip() for part in state.partition("  "))
    finished = _FINISHED.fullmatch(state)
    return {
        "backup": row["id"],
        "time": account.time(at, "time", _with_colons(row["time"])),
        "state": state,
        "bytes": _columns.size_bytes(row["size"]) if row["size"] else None,
        "kind": _KINDS.get(row["id"][0], "backup"),
        "database": " ".join(database.split()) if database else None,
        "finished": account.clock.read(_with_colons(finished["time"]))
        if finished and finished["time"][-1].isdigit()
        else None,
    }


def _described(one: dict[str, str], at: int, name: str, account: _account.Account) -> dict[str, object]:
    size = re.match(_SIZE, one.get("Backup Size", ""), re.ASCII)
    return {
        "backup": name,
        "time": account.time(at, "time", one.get("Started at")),
        "state": one.get("Status") or None,
        "bytes": _columns.size_bytes(size[0]) if size else None,
        "kind": _KINDS.get(name[0], "backup"),
        "database": one.get("Database") or None,
        "finished": account.time(at, "finished", one.get("Finished at")),
    }


def _with_colons(time: str) -> str:
    """The time with a colon before its seconds, which the first form writes with a dot."""
    return re.sub(r"(\d\d:\d\d)\.(\d\d)", r"\1:\2", time)
