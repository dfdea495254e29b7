"""What commands answer that change an application: maintenance, scaling, promoting a database, adding and removing add-ons.

``Doing something... done``, warnings that begin with ``!``, and the name that was typed to confirm. The session of the book's
chapter 5, in which a database is swapped, is of this kind.
"""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "a session that changes an application"
COMMANDS = tuple(
    f"heroku {name}"
    for name in (
        "maintenance:on", "maintenance:off", "ps:scale", "scale", "ps:resize", "ps:restart", "restart", "ps:stop",
        "pg:unfollow", "pg:promote", "pg:backups:capture", "pgbackups:capture", "addons:add", "addons:create",
        "addons:remove", "addons:destroy", "addons:attach", "addons:upgrade", "rollback", "releases:rollback",
    )
)  # fmt: skip

TAKES_NOTICES = True

_DOING = re.compile(
    r"(?:-+> )?(?P<what>(?:Enabling|Disabling|Scaling|Unfollowing|Promoting|Removing|Destroying|Adding|Creating|Restarting"
    r"|Stopping|Rolling back|Ensuring|Attaching|Upgrading|Changing|Waiting|Starting) .*?)\.\.\.(?P<rest>.*)"
)
_APP = re.compile(r"\b(?:for|on|to app|from) (?P<app>⬢ [\w-]+|[a-z][a-z0-9-]*[a-z0-9])$")
_WARNING = re.compile(r"\s*[!▸]\s{2,}(?P<text>\S.*)")
_AFFECTED = re.compile(
    r"This command will (?:affect|destroy).*?\b(?:app:?|the app) ?:? ?(?P<app>⬢ [\w-]+|[\w-]+)\.?$"
)
_DEMAND = re.compile(r"To proceed, type .*")
_TYPED = re.compile(r"> ?(?P<typed>[a-z][a-z0-9-]*)\s*")
_SENTENCE = re.compile(
    r"(?:Attached as|Database will become available|Use `heroku |The database should be|done\b|Maintenance mode).*"
)

EXAMPLES = (
    (
        # the book, chapter 5
        "$ heroku maintenance:on\n"
        "Enabling maintenance mode for debugging... done\n"
        "\n"
        "$ heroku ps:scale worker=0\n"
        "Scaling worker dynos... done, now running 0\n"
        "\n"
        "$ heroku pg:unfollow HEROKU_POSTGRESQL_WHITE_URL\n"
        "!   HEROKU_POSTGRESQL_WHITE_URL will become writable and no longer\n"
        "!   follow HEROKU_POSTGRESQL_VIOLET. This cannot be undone.\n"
        "!   WARNING: Destructive Action\n"
        "!   This command will affect the app: csrbuggy-eu\n"
        '!   To proceed, type "debugging" or ...\n'
        "\n"
        "> debugging\n"
        "Unfollowing HEROKU_POSTGRESQL_WHITE_URL... done\n",
        {
            "transcript": (
                {"line": 1, "said": "command", "command": "heroku maintenance:on", "arguments": None, "app": None},
                {"line": 2, "said": "answer", "command": "heroku maintenance:on", "app": "debugging"},
                {"line": 4, "said": "command", "command": "heroku ps:scale", "arguments": "worker=0"},
                {"line": 5, "said": "answer", "command": "heroku ps:scale", "app": None,
                 "text": "Scaling worker dynos... done, now running 0"},
                {"line": 7, "said": "command", "command": "heroku pg:unfollow", "arguments": "HEROKU_POSTGRESQL_WHITE_URL"},
                {"line": 8, "said": "warning", "app": None},
                {"line": 9, "said": "warning"},
                {"line": 10, "said": "warning", "text": "WARNING: Destructive Action"},
                {"line": 11, "said": "warning", "app": "csrbuggy-eu"},
                {"line": 12, "said": "warning"},
                {"line": 14, "said": "typed", "app": "debugging", "command": "heroku pg:unfollow"},
                {"line": 15, "said": "answer", "command": "heroku pg:unfollow", "app": None},
            ),
        },
    ),
    (
        "Removing HEROKU_POSTGRESQL_VIOLET on debugging... done, v26 ($50/mo)\n",
        {"transcript": ({"line": 1, "said": "answer", "command": None, "app": "debugging"},)},
    ),
)  # fmt: skip

NOT_MINE = (
    "Adding up the numbers, we see three... more to come\n",
    "> quoted\n> text of a mail\n",
    "Fetching SSL Endpoint kanto-2044.herokussl.com info for shop... done\nCertificate details:\nIssuer: /CN=a\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether something is done there, or a warning of a destructive action stands there."""
    line = lines[at].strip()
    done = _DOING.fullmatch(line)
    return bool(
        (done and re.match(r"\s*(?:done|\.\.\.|!|up|failed|$)", done["rest"]))
        or (
            (warned := _WARNING.fullmatch(lines[at]))
            and re.match(r"WARNING: Destructive|This command will", warned["text"])
        )
    )


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each sentence as a row of ``transcript``: an answer, a warning, or what was typed."""
    words = (context.command or "").split()
    command = " ".join(words[:2]).replace("_", "-") or None
    demanded = False
    for at, text in lines:
        line = text.strip()
        if warning := _WARNING.fullmatch(text):
            affected = _AFFECTED.search(warning["text"].strip())
            _say(
                account,
                at,
                "warning",
                command,
                _columns.app_name(affected["app"]) if affected else None,
                warning["text"].strip(),
            )
            demanded = demanded or _DEMAND.match(warning["text"]) is not None
        elif doing := _DOING.fullmatch(line):
            app = _APP.search(doing["what"])
            _say(account, at, "answer", command, _columns.app_name(app["app"]) if app else None, line)
        elif (demanded or command) and (typed := _TYPED.fullmatch(line)):
            _say(account, at, "typed", command, typed["typed"], typed["typed"])
        elif _SENTENCE.fullmatch(line):
            _say(account, at, "answer", command, None, line)


score, read = _paste.score_of(__name__), _paste.read


def _say(
    account: _account.Account, at: int, said: str, command: str | None, app: str | None, text: str
) -> None:
    account.row("transcript", at, said=said, command=command, app=app, text=text)
