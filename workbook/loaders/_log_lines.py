"""Lines of ``heroku logs`` between outputs of commands. A file that is a log goes through its own reader, in SQL."""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _prompts

TITLE = "a log among outputs"
COMMANDS = ("heroku logs",)

_RECORD = re.compile(
    r"(?:(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[+-]\d\d:\d\d|Z)) )?"
    r"(?P<source>[A-Za-z][\w-]*)\[(?P<process>[\w.-]+)\]:(?: )?(?P<message>.*)",
    re.ASCII | re.S,
)
_STAMP_BEGUN = re.compile(r"\d{4}-?[\dT:.+-]*", re.ASCII)


def begins(lines: list[str], at: int) -> bool:
    """Say whether a line of a log begins there."""
    return _prompts.is_log_line(lines[at])


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each record as ``log_lines``; a piece that follows is joined to it, for dumps break lines anywhere."""
    records: list[tuple[int, str]] = []
    broken_stamp = False
    for index, (at, text) in enumerate(lines):
        later = lines[index + 1][1] if index + 1 < len(lines) else ""
        if broken_stamp:
            records[-1] = (records[-1][0], records[-1][1] + text)
            account.join(at)
            broken_stamp = False
        elif _prompts.is_log_line(text):
            records.append((at, text))
        elif _STAMP_BEGUN.fullmatch(text) and _prompts.is_log_line(text + later):
            records.append((at, text))
            broken_stamp = True
        elif records:
            first, before = records[-1]
            records[-1] = (first, (before[:-1] if before.endswith(" \\") else before) + text)
            account.join(at)
        else:
            account.refuse(at, "no log line before it that it belongs to")
    for at, text in records:
        if found := _RECORD.fullmatch(text):
            account.row(
                "log_lines", at, time=account.time(at, "time", found["time"]), received_at=None,
                source=found["source"], process=found["process"], message=found["message"],
            )  # fmt: skip
