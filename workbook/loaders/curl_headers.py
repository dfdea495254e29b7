"""What ``curl -I`` (or ``-v``) answers: status lines and headers. Evidence for a ticket, kept as it was pasted.

Each line becomes a row of ``transcript`` of the command curl. The values of headers are no measurements; what is secret in
them is replaced where they are shown.
"""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _paste

TITLE = "headers that curl printed"
COMMANDS = ("curl",)

_STATUS = re.compile(r"(?:< )?HTTP/\d(?:\.\d)? [1-5]\d\d(?: .*)?")
_HEADER = re.compile(r"(?:[<>] )?[A-Za-z][A-Za-z0-9-]{0,80}:(?: .*)?")
_OTHER = re.compile(r"[<>*}{] ?.*|curl: \(\d+\) .*|\s*% Total .*|\s+Dload .*")

EXAMPLES = (
    (
        "$ curl -I https://www.example.com/orders\n"
        "HTTP/1.1 503 Service Unavailable\n"
        "Server: Cowboy\n"
        "Content-Length: 506\n"
        "\n"
        "$ curl -sI http://www.example.com/\n"
        "HTTP/2 301\n"
        "location: https://www.example.com/\n",
        {
            "transcript": (
                {"line": 1, "said": "command", "command": "curl", "arguments": "-I https://www.example.com/orders"},
                {"line": 2, "said": "answer", "command": "curl", "app": None, "text": "HTTP/1.1 503 Service Unavailable"},
                {"line": 3, "said": "answer", "text": "Server: Cowboy"},
                {"line": 4, "said": "answer", "text": "Content-Length: 506"},
                {"line": 6, "said": "command", "arguments": "-sI http://www.example.com/"},
                {"line": 7, "said": "answer", "text": "HTTP/2 301"},
                {"line": 8, "said": "answer", "text": "location: https://www.example.com/"},
            ),
        },
    ),
    (
        "HTTP/1.1 200 OK\nConnection: keep-alive\n",
        {"transcript": ({"line": 1, "command": "curl", "said": "answer"}, {"line": 2})},
    ),
)  # fmt: skip

NOT_MINE = (
    "HTTP/1.1 is the older protocol.\nServer: the machine that answers.\n",
    '192.0.2.1 - - [04/Mar/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 5\n',
    "Subject: HTTP/1.1 503\nDate: Monday\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether a status line stands there, with a header below it."""
    return bool(
        _STATUS.fullmatch(lines[at].strip())
        and at + 1 < len(lines)
        and _HEADER.fullmatch(lines[at + 1].strip())
    )


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take status lines and headers, and what curl says of the connection, as answers; refuse the rest (a body)."""
    for at, text in lines:
        line = text.strip()
        if _STATUS.fullmatch(line) or _HEADER.fullmatch(line) or _OTHER.fullmatch(text):
            account.row("transcript", at, said="answer", command="curl", app=None, text=line)
        else:
            account.refuse(at, "no header of an answer")


score, read = _paste.score_of(__name__), _paste.read
