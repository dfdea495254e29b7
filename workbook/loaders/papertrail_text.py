"""Papertrail's log as text: what its command line prints and what its viewer shows, and SolarWinds' after it.

``Feb  4 17:46:52 shop-prod heroku/web.1: message`` (papertrail-cli until 0.10.0), ``Feb 04 …`` (since, December 2016),
the same without the colon (viewer, and ``swo logs get``). The command line prints when Papertrail received the line, in
the zone of the person's computer; the viewer in the zone of the account. Neither prints year or zone: both must be given,
and the year is that of the newest line (see _yearless).
"""

from __future__ import annotations

import re

from workbook.loaders._yearless import STARTS as STARTS
from workbook.loaders._yearless import records

TITLE = "Papertrail text (papertrail-cli, viewer, swo)"
GLUE = "\n"
NEEDS_ZONE = True
NEEDS_YEAR = True

RECORDS = records(received_at="CASE WHEN store.with_colon <> '' THEN time END")

EXAMPLES = (
    (
        "Feb  4 17:46:52 shop-prod app/web.1: Completed 200 OK in 17ms\n"
        "Feb 04 17:46:52 shop-prod heroku/web.1: Process running mem=533M(104.3%)\n"
        "Feb 04 17:46:53 shop-prod app/web.1:\n"
        "  continued: 1\n"
        "Feb 04 17:46:54 shop-prod : no program\n"
        "Feb 30 17:46:55 shop-prod app/web.1: no such day\n",
        {
            "log_lines": (
                {"line": 1, "source": "app", "process": "web.1", "message": "Completed 200 OK in 17ms"},
                {"line": 2, "source": "heroku", "process": "web.1", "message": "Process running mem=533M(104.3%)"},
                {"line": 3, "source": "app", "process": "web.1", "message": "  continued: 1"},
                {"line": 5, "source": None, "process": None, "message": "no program"},
                {"line": 6, "time": None, "source": "app", "process": "web.1", "message": "no such day"},
            ),
            "unread_lines": ({"line": 6, "reason": "field time"},),
        },
    ),
    (
        # the viewer: no colon; a first word that is no program belongs to the message
        "Jul 20 08:00:04 shop-prod app/web.1 Started GET \"/orders\" for 192.0.2.7\n"
        "Jul 20 08:00:05 shop-prod heroku/router at=info method=GET path=/orders dyno=web.1 service=9ms status=200\n"
        "Jul 20 08:00:06 shop-prod connection closed\n",
        {
            "log_lines": (
                {"line": 1, "received_at": None, "source": "app", "process": "web.1",
                 "message": "Started GET \"/orders\" for 192.0.2.7"},
                {"line": 2, "source": "heroku", "process": "router",
                 "message": "at=info method=GET path=/orders dyno=web.1 service=9ms status=200"},
                {"line": 3, "source": None, "process": None, "message": "connection closed"},
            ),
        },
    ),
    (
        # papertrail-cli colours everything before the message, and the message keeps its own colours
        "\x1b[36mDec 31 23:59:59 shop-prod app/web.1:\x1b[0m \x1b[1mlast\x1b[0m of the year\n"
        "\x1b[32mJan 01 00:00:01 shop-prod app/web.1:\x1b[0m first\n",
        {
            "log_lines": (
                {"line": 1, "source": "app", "process": "web.1", "message": "last of the year"},
                {"line": 2, "source": "app", "process": "web.1", "message": "first"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "Jun 18 11:27:37 host1 rails[67783]: Memory usage: 89152 | PID: 67783\n",
    "Jul  4 22:11:00 d.00000000-aaaa-bbbb-cccc-000000000000 heroku[router] - at=info method=GET path=/\n",
    "2014-05-02T11:20:30.101202+00:00 app[web.1]: Feb 04 17:46:52 shop-prod app/web.1: copied\n",
)

_LINE = re.compile(r"[A-Z][a-z]{2} [ 0-3]\d \d\d:\d\d:\d\d \S+ (?:app|heroku)/[\w.-]+(?::? |:?$)", re.ASCII)


def score(head: list[str]) -> float:
    """Return the share of lines that have date, host and a program of Heroku's, with or without a colon."""
    return sum(_LINE.match(line) is not None for line in head) / max(len(head), 1)
