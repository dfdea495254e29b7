"""What ``heroku ps`` prints: the dynos of an application, by process type.

Since 2012 as ``=== web (1X): `command` `` with times in the zone of the computer; today with the dyno type, the number of dynos
at the end of the line, and times with their offset. Books and tickets show the heading with ``==`` or ``====``.
"""

from __future__ import annotations

import re

import pandas as pd

from workbook.loaders import Context, Reading, _cells

TITLE = "heroku ps output"
NEEDS_ZONE = True

_GROUP = re.compile(
    r"={2,4} (?P<type>[\w-]+)(?: \((?P<size>[^()]*)\))?: (?P<command>.*?)(?: \((?P<count>\d+)\))?"
)
_PROCESS = re.compile(
    r"(?P<dyno>(?P<type>[\w-]+)\.[\w-]+)(?: \((?P<size>[^()]*)\))?:\s+(?P<state>[a-z]+)"
    r"(?: (?P<since>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?: [+-]\d\d:?\d\d)?))?(?:\s+\(~ [^()]*\))?(?::\s+(?P<command>.*))?",
    re.ASCII,
)
_STATES = {"starting", "up", "crashed", "idle", "down", "created", "complete", "bouncing", "restarting"}
_PROMPT = re.compile(r"\S* ?\$ heroku ps\b.*")
_QUOTA = re.compile(
    r"(Free|Eco) dyno|.*\bquota\b|.*dyno hours|For more information on|https?://devcenter", re.I
)
_COLUMNS = ("line", "process_type", "dyno", "size", "command", "state", "since")

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
            "unread_lines": ({"line": 1, "reason": "the quota of dyno hours is not read yet"},),
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


def score(head: list[str]) -> float:
    """Return the share of lines that such an output has, when one of them is a dyno; else 0."""
    processes = sum(_process(line) is not None for line in head)
    others = sum(
        bool(_GROUP.fullmatch(line.rstrip()) or _PROMPT.match(line) or _QUOTA.match(line)) for line in head
    )
    if not processes:
        # the heading alone: every dyno is scaled to zero, or the paste was cut
        return 0.0
    return 0.95 * (processes + others) / len(head)


def read(lines: list[str], context: Context) -> Reading:
    """Return the dynos as ``processes``; a heading gives type, size and command to the dynos under it."""
    reading = Reading()
    clock = _cells.Clock(context.zone, context.path)
    rows: list[dict[str, object]] = []
    group: re.Match[str] | None = None
    listed = 0
    for at, text in enumerate(lines, 1):
        heading, process = _GROUP.fullmatch(text.rstrip()), _process(text)
        if heading:
            _compare(group, listed, reading)
            group, listed = heading, 0
            reading.joined += 1
        elif process:
            row = _row(process, group, clock)
            if row["since"] is None and process["since"]:
                reading.unread.append((at, "field since", text))
            rows.append({"line": at, **row})
            listed += 1
        elif _PROMPT.match(text):
            reading.joined += 1
        elif text.strip():
            quota = _QUOTA.match(text) is not None
            reason = "the quota of dyno hours is not read yet" if quota else "not a line of heroku ps"
            reading.unread.append((at, reason, text))
    _compare(group, listed, reading)
    frame = pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)
    reading.tables["processes"] = frame.astype({"line": "Int64", "since": "datetime64[us]"})
    reading.notes += clock.notes()
    reading.zone = clock.zone_note()
    return reading


def _process(line: str) -> re.Match[str] | None:
    """Return the parts of a dyno's line: it has a known state, or a state and since when."""
    found = _PROCESS.fullmatch(line.rstrip())
    return (
        found if found and (found["since"] or (found["state"] in _STATES and not found["command"])) else None
    )


def _row(process: re.Match[str], group: re.Match[str] | None, clock: _cells.Clock) -> dict[str, object]:
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
        "since": clock.read(process["since"]) if process["since"] else None,
    }


def _compare(group: re.Match[str] | None, listed: int, reading: Reading) -> None:
    """Note when a heading counts other dynos than the lines under it: the paste may be cut."""
    if group is not None and group["count"] is not None and int(group["count"]) != listed:
        reading.notes.append(
            f"the heading of {group['type']} counts {group['count']} dynos, {listed} are listed"
        )
