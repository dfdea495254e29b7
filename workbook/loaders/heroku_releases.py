"""What ``heroku releases`` prints: one release a line, newest first; with ``--json`` one object each.

2013 without a header; now with one, and the current version in the heading. A long description is cut with two dots; the state
of a release's command stands behind it. Dev Center: "Releases".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from workbook.loaders import Context, _account, _paste

TITLE = "heroku releases output"
COMMANDS = ("heroku releases",)

_HEADING = re.compile(r"={2,4} (?:⬢ )?\S+ Releases(?: - Current: v\d+)?\s*")
_HEADER = re.compile(r"v\s{2,}description\s{2,}user\s{2,}created_at\s*", re.I)
_ROW = re.compile(
    r"\s*(?P<version>v\d{1,9})\s+(?P<description>\S.*?)\s+(?P<actor>\S+@\S+|\S+)\s{2,}"
    r"(?P<time>\d{4}[/-]\d\d[/-]\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: ?(?:[+-]\d\d:?\d\d|Z|UTC))?)(?:\s+\(~ [^()]*\))?\s*",
    re.ASCII,
)
_VERSION = re.compile(r'\s*"version"\s*:\s*\d+\s*,?\s*')

EXAMPLES = (
    (
        "=== shop Releases\n"
        "v27  Deploy 1a2b3c4       dev@example.com  2013/06/07 08:09:10 (~ 49m ago)\n"
        "v26  Add heroku-postg..   dev@example.com  2013/06/06 08:09:10\n",
        {
            "releases": (
                {"line": 2, "version": "v27", "description": "Deploy 1a2b3c4", "actor": "dev@example.com",
                 "time": "2013-06-07 08:09:10", "event": "listed", "build_seconds": None},
                {"line": 3, "version": "v26", "description": "Add heroku-postg..", "time": "2013-06-06 08:09:10"},
            ),
        },
    ),
    (
        "=== ⬢ shop Releases - Current: v37\n"
        "\n"
        " v    description                                 user             created_at\n"
        " ───  ──────────────────────────────────────────  ───────────────  ─────────────────────────────────────\n"
        " v38  Deploy 5d6e7f8 release command failed       dev@example.com  2024/02/03 06:05:06 +0200 (~ 3m ago)\n"
        " v37  Set FOO, BAR config vars                    dev@example.com  2024/02/03 04:01:06 +0000\n",
        {
            "releases": (
                {"line": 5, "version": "v38", "description": "Deploy 5d6e7f8 release command failed",
                 "time": "2024-02-03 04:05:06", "event": "listed"},
                {"line": 6, "version": "v37", "description": "Set FOO, BAR config vars", "time": "2024-02-03 04:01:06"},
            ),
        },
    ),
    (
        "[\n"
        "  {\n"
        '    "created_at": "2024-02-03T04:05:06Z",\n'
        '    "description": "Deploy 1a2b3c4",\n'
        '    "status": "failed",\n'
        '    "user": {\n'
        '      "email": "dev@example.com",\n'
        '      "id": "01234567-89ab-cdef-0123-456789abcdef"\n'
        "    },\n"
        '    "version": 37,\n'
        '    "current": true\n'
        "  }\n"
        "]\n",
        {
            "releases": (
                {"line": 2, "version": "v37", "description": "Deploy 1a2b3c4 (failed)", "actor": "dev@example.com",
                 "time": "2024-02-03 04:05:06"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "2024-02-03T04:05:06.000000+00:00 app[api]: Release v37 created by user dev@example.com\n",
    "v1  the first draft\nv2  the second draft\n",
    '[{"version": 3, "name": "x"}]\n',
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether the heading, a release, or a list of objects with a version and a time stands there."""
    line = lines[at]
    if line.strip()[:1] in ("[", "{") and line.strip()[:2] in ("[", "[{", "{"):
        text = "\n".join(lines[at : at + 400])
        return (
            re.search(r'"version"\s*:\s*\d', text) is not None
            and re.search(r'"created_at"\s*:\s*"', text) is not None
        )
    return bool(_HEADING.fullmatch(line) or _ROW.fullmatch(line) or _HEADER.fullmatch(line.strip()))


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each release as a row of ``releases`` with the event ``listed``."""
    if lines[0][1].strip()[:1] in ("[", "{"):
        _read_json(lines, account)
        return
    for at, text in lines:
        if found := _ROW.fullmatch(text):
            _take(account, at, found["version"], found["description"], found["actor"], found["time"])
        elif (
            _HEADING.fullmatch(text) or _HEADER.fullmatch(text.strip()) or not set(text.strip()) - set("─- ")
        ):
            account.join(at)


score, read = _paste.score_of(__name__), _paste.read


def _take(
    account: _account.Account,
    at: int,
    version: str,
    description: str | None,
    actor: str | None,
    time: str | None,
) -> None:
    account.row(
        "releases", at, time=account.time(at, "time", time), version=version, event="listed", actor=actor,
        description=description,
    )  # fmt: skip


def _read_json(lines: list[tuple[int, str]], account: _account.Account) -> None:
    for numbers, found in _objects(lines):
        version, user, status = found.get("version"), found.get("user"), found.get("status")
        if not isinstance(version, int) or isinstance(version, bool):
            continue
        description = str(found.get("description") or "") + (
            f" ({status})" if status not in (None, "succeeded") else ""
        )
        actor = user.get("email") if isinstance(user, dict) else None
        time = found.get("created_at")
        _take(
            account,
            numbers[0],
            f"v{version}",
            description.strip() or None,
            str(actor) if actor else None,
            str(time) if time else None,
        )
        for number in numbers[1:]:
            account.join(number)
    for at, text in lines:
        if text.strip() in ("[", "]", ","):
            account.join(at)


def _objects(lines: list[tuple[int, str]]) -> Iterator[tuple[list[int], dict[str, object]]]:
    """Give each object with the numbers of its lines; what is no object, or cut, is left out."""
    text = "\n".join(line for _, line in lines)
    numbers = [at for at, line in lines for _ in range(len(line) + 1)]
    decoder, at, last = json.JSONDecoder(), 0, 0
    while (at := text.find("{", at)) >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        covered = [number for number in dict.fromkeys(numbers[at:end]) if number > last]
        if covered and isinstance(found, dict):
            yield covered, found
            last = covered[-1]
        at = end
