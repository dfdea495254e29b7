"""Outputs of commands that are recognised and not read yet: certs, releases, pg:info, pg:backups, psql tables, dig.

Nothing of them is dropped: every line is kept whole among the unread lines, with the command that printed it. A reader for one of
them is a new file in this folder whose ``score`` is higher than the one here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from workbook.loaders import Context, Reading

TITLE = "output of heroku certs, releases, pg:…, psql or dig (kept, not read yet)"

_SCORE = 0.25
_MOST_LOG_LINES = 0.2
_LOG_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\S+ )?(app|heroku)\[[\w.-]+\]: |\d+ <\d+>1 |<\d+>1 |\d{6,}\t\d{4}-\d\d-\d\d"
)
_PROMPT = re.compile(r"\\?(?:[\w.@:~/-]*\s?)?[$#%>] ?(?P<command>(?:heroku [\w:-]+|dig|psql)\b)")

# What the first line of each output looks like, and what must stand within the next lines.
_KINDS: tuple[tuple[str, re.Pattern[str], re.Pattern[str] | None], ...] = (
    ("heroku certs", re.compile(r".*\bCommon Name\(s\).*\bExpires\b"), None),
    ("heroku certs:info", re.compile(r"(Fetching SSL .*info for |(Updated )?[Cc]ertificate details:)"),
     re.compile(r"(Expires At|Common Name\(s\)|Issuer|Subject):")),
    ("heroku certs", re.compile(r".* has no SSL (certificates|Endpoints)\.")  , None),
    ("heroku pg:info", re.compile(r"={2,4} \S"), re.compile(r"Plan:\s")),
    ("heroku releases", re.compile(r"={2,4} .*\bReleases\b"), re.compile(r"v\d+\s{2,}|v\s+description\b")),
    ("heroku releases", re.compile(r"v\d+\s{2,}\S.*\s{2,}\S+@\S+\s{2,}\d{4}/\d\d/\d\d "), None),
    ("heroku pg:backups", re.compile(r"={2,4} Backups\b"), None),
    ("heroku pg:backups", re.compile(r"\s*ID\s{2,}(Backup Time|Created at)\s{2,}Status\b"), None),
    ("heroku pg:diagnose", re.compile(r"Report [0-9a-f-]{36} for \S+"), re.compile(r"(RED|YELLOW|GREEN|SKIPPED): ")),
    ("dig", re.compile(r"; <<>> DiG "), None),
    ("dig", re.compile(r";; (ANSWER|QUESTION) SECTION:"), None),
    ("psql table", re.compile(r".*\|.*"), re.compile(r"-+(\+-+)+\s*$")),
    ("psql table", re.compile(r"\(\d+ rows?\)\s*$"), None),
)  # fmt: skip
_NEAR = {
    "psql table": 1,
    "heroku pg:info": 4,
    "heroku releases": 3,
    "heroku certs:info": 8,
    "heroku pg:diagnose": 8,
}
_COMMANDS = {
    "heroku pgbackups": "heroku pg:backups",
    "heroku certs:update": "heroku certs:info",
    "psql": "psql table",
}

_READ_ALONE = {"heroku ps", "heroku logs"}

EXAMPLES = (
    (
        # the book, chapter 2
        "$ heroku certs\n"
        "Endpoint           Common Name(s)          Expires        Trusted\n"
        "-----\n"
        "hyogo-1003.herokussl.com  www.csrbuddy.com, csrbuddy.com  2013-06-06 23:59 UTC  True\n",
        {
            "unread_lines": tuple(
                {"line": line, "reason": "heroku certs output is not read yet"} for line in (1, 2, 3, 4)
            ),
        },
    ),
    (
        # the book, chapter 5, and one output after another
        "==== HEROKU_POSTGRESQL_WHITE_URL\n"
        "Plan:      Crane\n"
        "Behind By: 0 commits\n"
        "\n"
        "$ dig +short www.csrbuddy.com\n"
        "hyogo-1003.herokuapp.com.\n",
        {
            "unread_lines": (
                {"line": 1, "reason": "heroku pg:info output is not read yet"},
                {"line": 2, "reason": "heroku pg:info output is not read yet"},
                {"line": 3, "reason": "heroku pg:info output is not read yet"},
                {"line": 5, "reason": "dig output is not read yet"},
                {"line": 6, "reason": "dig output is not read yet"},
            ),
        },
    ),
    (
        "      name      |         ratio\n"
        "----------------+------------------------\n"
        " index hit rate | 0.99120345678901234567\n"
        "(1 row)\n",
        {"unread_lines": tuple({"line": line, "reason": "psql table output is not read yet"} for line in (1, 2, 3, 4))},
    ),
)  # fmt: skip

NOT_MINE = (
    "=== web (1X): `bundle exec unicorn -p $PORT -c ./config/unicorn.rb`\nweb.1: up 2013/05/07 18:44:38 (~ 49m ago)\n",
    "2014-05-02T11:20:30.101202+00:00 heroku[web.1]: State changed from starting to up\n",
    "name,count\napples,3\n",
    "Dear support, the site is slow.\nIt began at five.\n",
)


def score(head: list[str]) -> float:
    """Return a low score, so that a reader of the same output wins; 0 when the lines are a log or nothing known."""
    if sum(_LOG_LINE.match(line) is not None for line in head) > _MOST_LOG_LINES * len(head):
        return 0.0
    return _SCORE if any(kind is not None for kind in _kinds(head)) else 0.0


def read(lines: list[str], context: Context) -> Reading:
    """Return every line that is not blank as unread, with the command that printed it."""
    kept = [(at, text) for at, text in enumerate(lines, 1) if text.strip()]
    kinds = list(_kinds([text for _, text in kept]))
    first = next((kind for kind in kinds if kind is not None), None)
    reading = Reading()
    for (at, text), kind in zip(kept, kinds, strict=True):
        reading.unread.append((at, _reason(kind or first), text))
    reading.notes = [f"{kind} output is kept in unread_lines" for kind in dict.fromkeys(filter(None, kinds))]
    return reading


def _reason(kind: str | None) -> str:
    if kind is None:
        return "output of an unknown command"
    if kind in _READ_ALONE:
        return f"{kind} output among other output is not read; save it to a file of its own"
    return f"{kind} output is not read yet"


def _kinds(lines: list[str]) -> Iterator[str | None]:
    """Give for each line the output it belongs to: the one begun last; None before the first."""
    kind: str | None = None
    for at, line in enumerate(lines):
        kind = _prompted(line, kind) or _begun(lines, at) or kind
        yield kind


def _prompted(line: str, kind: str | None) -> str | None:
    found = _PROMPT.match(line)
    if not found:
        return None
    command = found["command"]
    if command in _COMMANDS:
        return _COMMANDS[command]
    known = {name for name, _, _ in _KINDS}
    return command if command in known or kind is not None else None


def _begun(lines: list[str], at: int) -> str | None:
    for name, first, then in _KINDS:
        if not first.match(lines[at]):
            continue
        if then is None or any(then.match(line) for line in lines[at + 1 : at + 1 + _NEAR[name]]):
            return name
    return None
