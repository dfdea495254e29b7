"""What ``heroku ps`` prints: the dynos of an application, by process type.

Since 2012 as ``=== web (1X): `command` `` with times in the zone of the computer; today with the dyno type, the number of dynos
at the end of the line, and times with their offset. Books and tickets show the heading with ``==`` or ``====``.
"""

from __future__ import annotations

import re
from datetime import datetime

from workbook.loaders import Context, _account, _paste

TITLE = "heroku ps output"
COMMANDS = ("heroku ps", "heroku ps:type")

_GROUP = re.compile(
    r"={2,4} (?P<type>[\w-]+)(?: \((?P<size>[^()]*)\))?: (?P<command>.*?)(?: \((?P<count>\d+)\))?"
)
_PROCESS = re.compile(
    r"(?P<dyno>(?P<type>[\w-]+)\.[\w-]+)(?: \((?P<size>[^()]*)\))?:\s+(?P<state>[a-z]+)"
    r"(?: (?P<since>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?: [+-]\d\d:?\d\d)?))?(?:\s+\(~ [^()]*\))?(?::\s+(?P<command>.*))?",
    re.ASCII,
)
_STATES = {"starting", "up", "crashed", "idle", "down", "created", "complete", "bouncing", "restarting"}
_HOURS = re.compile(
    r"(?P<size>[A-Z][a-z]+) (?:dyno )?(?:(?P<left>(?:dyno )?(?:hours )?quota remaining this month)|usage for this app):\s+"
    r"(?P<hours>\d{1,9})h(?: (?P<minutes>\d{1,2})m)?(?: \((?P<percent>\d{1,9}(?:\.\d+)?)%\))?",
    re.ASCII,
)
_MORE = re.compile(r"For more information on .*|https?://devcenter\.heroku\.com/\S*|.*\bquota\b.*", re.I)
_NONE = re.compile(r"No dynos on (?P<app>.*?)\.?")

EXAMPLES = (
    (
        # the book, chapter 1
        "$ heroku ps\n"
        "== web (1X): `bundle exec unicorn -p $PORT -c ./config/unicorn.rb`\n"
        "web.1: up 2013/05/07 18:44:38 (~ 49m ago)\n",
        {
            "processes": (
                {"line": 3, "process_type": "web", "dyno": "web.1", "size": "1X", "state": "up",
                 "command": "bundle exec unicorn -p $PORT -c ./config/unicorn.rb", "since": "2013-05-07 18:44:38"},
            ),
        },
    ),
    (
        "$ heroku ps  \n"
        "==== web (1X): `bundle exec unicorn -p $PORT -c ./config/unicorn.rb`  \n"
        "web.1: crashed 2013/05/07 19:46:38 (~ 49m ago)\n",
        {
            "processes": (
                {"line": 3, "dyno": "web.1", "state": "crashed", "since": "2013-05-07 19:46:38", "size": "1X",
                 "command": "bundle exec unicorn -p $PORT -c ./config/unicorn.rb"},
            ),
        },
    ),
    (
        # today: quota lines first, blank lines, offsets, one-off dynos with their own command
        "Eco dyno hours quota remaining this month: 998h 21m (99%)\n"
        "\n"
        "=== web (Standard-1X): bundle exec puma -C config/puma.rb (2)\n"
        "\n"
        "web.1: up 2024/02/03 04:05:06 +0000 (~ 31m ago)\n"
        "web.2 (Standard-2X): crashed 2024/02/01 06:05:06 +0200\n"
        "\n"
        "=== run: one-off processes (1)\n"
        "\n"
        "run.1 (Eco): up 2024/02/03 03:05:06 +0000 (~ 1h ago): bash -c 'sleep (5)'\n",
        {
            "processes": (
                {"line": 5, "process_type": "web", "dyno": "web.1", "size": "Standard-1X", "state": "up",
                 "command": "bundle exec puma -C config/puma.rb", "since": "2024-02-03 04:05:06"},
                {"line": 6, "dyno": "web.2", "size": "Standard-2X", "state": "crashed", "since": "2024-02-01 04:05:06"},
                {"line": 10, "process_type": "run", "dyno": "run.1", "size": "Eco", "command": "bash -c 'sleep (5)'",
                 "since": "2024-02-03 03:05:06"},
            ),
            "dyno_hours": (
                {"line": 1, "size": "Eco", "measure": "remaining", "minutes": 59901, "percent": 99.0},
            ),
        },
    ),
    (
        # a command that ends in a number in brackets, and dyno names of the newest generation
        "=== worker (Standard-1X): sh -c 'work (3)' (4) (1)\nworker.4ed720fa31-ur8z1: starting 2025/02/03 04:05:06 +0000\n",
        {
            "processes": (
                {"line": 2, "dyno": "worker.4ed720fa31-ur8z1", "process_type": "worker", "state": "starting",
                 "command": "sh -c 'work (3)' (4)"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "=== HEROKU_POSTGRESQL_VIOLET_URL (DATABASE_URL)\nPlan:        Crane\nStatus:      available\n",
    "2014-05-02T11:20:30.101202+00:00 heroku[web.1]: State changed from starting to up\n",
    "=== shop Releases - Current: v37\nv37  Deploy 1a2b3c4  user@example.com  2024/02/03 04:05:06 +0000 (~ 31m ago)\n",
    "server.1: message up to date\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether a heading, a dyno, or a line of quota stands there."""
    line = lines[at]
    return bool(
        _is_heading(line) or _process(line) or _HOURS.fullmatch(line.strip()) or _NONE.fullmatch(line.strip())
    )


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take the dynos as ``processes``, the quota as ``dyno_hours``; a heading tells of the dynos under it."""
    group: re.Match[str] | None = None
    listed = 0
    for at, text in lines:
        if heading := _is_heading(text):
            _compare(group, listed, account)
            group, listed = heading, 0
            account.join(at)
        elif process := _process(text):
            account.row("processes", at, **_row(process, group, account.time(at, "since", process["since"])))
            listed += 1
        elif hours := _HOURS.fullmatch(text.strip()):
            account.row("dyno_hours", at, **_hours(hours))
        elif none := _NONE.fullmatch(text.strip()):
            account.row(
                "transcript",
                at,
                said="answer",
                command="heroku ps",
                app=none["app"].strip("⬢ "),
                text=text.strip(),
            )
        elif _MORE.fullmatch(text.strip()):
            account.refuse(at, "a notice of the command line")
    _compare(group, listed, account)


score, read = _paste.score_of(__name__), _paste.read


def _is_heading(line: str) -> re.Match[str] | None:
    return _GROUP.fullmatch(line.rstrip())


def _hours(found: re.Match[str]) -> dict[str, object]:
    return {
        "size": found["size"],
        "measure": "remaining" if found["left"] else "used",
        "minutes": 60 * int(found["hours"]) + int(found["minutes"] or 0),
        "percent": float(found["percent"]) if found["percent"] else None,
    }


def _process(line: str) -> re.Match[str] | None:
    """Return the parts of a dyno's line: it has a known state, or a state and since when."""
    found = _PROCESS.fullmatch(line.rstrip())
    return (
        found if found and (found["since"] or (found["state"] in _STATES and not found["command"])) else None
    )


def _row(process: re.Match[str], group: re.Match[str] | None, since: datetime | None) -> dict[str, object]:
    own = group if group is not None and group["type"] == process["type"] else None
    command = process["command"]
    if command is None and own is not None and own["command"] != "one-off processes":
        command = own["command"]
    return {
        "process_type": process["type"],
        "dyno": process["dyno"],
        "size": process["size"] or (own["size"] if own is not None else None),
        "command": (command or "").strip("`") or None,
        "state": process["state"],
        "since": since,
    }


def _compare(group: re.Match[str] | None, listed: int, account: _account.Account) -> None:
    """Note when a heading counts other dynos than the lines under it: the paste may be cut."""
    if group is not None and group["count"] is not None and int(group["count"]) != listed:
        account.notes.append(
            f"the heading of {group['type']} counts {group['count']} dynos, {listed} are listed"
        )
