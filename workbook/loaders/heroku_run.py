"""What ``heroku run`` shows: which dyno was started for a command, and a shell on it that misses a program.

The book's chapter 7 looks for ``wget`` so. Whatever else is printed there is no output that is read.
"""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "a session on a one-off dyno"
COMMANDS = ("heroku run", "heroku run:detached")

_RUNNING = re.compile(
    r"Running (?P<what>`[^`]*`|\S.*?)(?: attached to terminal| detached)?(?: on (?P<app>⬢ ?[\w-]+|[a-z][a-z0-9-]*))?\.\.\. ?"
    r"(?:up|connecting|starting|done|provisioning)\b.*?(?P<dyno>run\.\d{1,9})\b.*"
)
_MISSING = re.compile(
    r"(?:\S*\b(?:ba|da|k|z|a)?sh: (?:line \d+: |\d+: )?(?P<program>[\w.+/-]+): (?:command )?not found"
    r"|\S+: line \d+: (?P<in_script>[\w.+/-]+): command not found"
    r"|(?:\S*/)?env: ['\"‘]?(?P<by_env>[\w.+-]+)['\"’]?: No such file or directory)\s*"
)

EXAMPLES = (
    (
        # the book, chapter 7
        "$ heroku run bash\n"
        "Running `bash` attached to terminal... up, run.5543\n"
        "~ $ wget\n"
        "bash: wget: command not found\n",
        {
            "missing_binaries": (
                {"line": 4, "time": None, "dyno": None, "program": "wget", "text": "bash: wget: command not found"},
            ),
            "transcript": (
                {"line": 1, "said": "command", "command": "heroku run", "arguments": "bash"},
                {"line": 2, "said": "answer", "command": "heroku run", "app": None,
                 "text": "Running `bash` attached to terminal... up, run.5543"},
                {"line": 3, "said": "command", "command": "wget"},
            ),
        },
    ),
    (
        "Running bash on ⬢ shop... up, run.1234 (Eco)\nsh: 1: ffmpeg: not found\n",
        {
            "missing_binaries": ({"line": 2, "program": "ffmpeg", "dyno": "run.1234"},),
            "transcript": ({"line": 1, "said": "answer", "app": "shop"},),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "Running from the rain... up, run.\n",
    "user: not found\n",
    "2013-06-09T01:50:51.101202+00:00 app[run.5543]: bash: wget: command not found\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether a one-off dyno is started there, or a shell misses a program."""
    return bool(_RUNNING.fullmatch(lines[at].strip()) or _MISSING.fullmatch(lines[at]))


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each program that is missing as a row of ``missing_binaries``, the dyno's start as a row of ``transcript``."""
    dyno: str | None = None
    for at, text in lines:
        if running := _RUNNING.fullmatch(text.strip()):
            dyno = running["dyno"]
            app = _columns.app_name(running["app"]) if running["app"] else None
            account.row("transcript", at, said="answer", command="heroku run", app=app, text=text.strip())
        elif missing := _MISSING.fullmatch(text):
            program = missing["program"] or missing["in_script"] or missing["by_env"]
            account.row("missing_binaries", at, time=None, dyno=dyno, program=program, text=text.strip())


score, read = _paste.score_of(__name__), _paste.read
