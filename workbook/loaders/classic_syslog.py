"""Syslog of the old kind: ``Jun 18 11:27:37 host rails[67783]: message``, and a drain that rsyslog or Splunk rewrote.

A server's own log (the Oink and Hodel loggers write so) names program and process id: they become the process
``rails.67783``, of the source ``app``. A rewritten drain (2014) keeps the bracket of Heroku's: ``Jul  4 22:11:00 d.TOKEN
heroku[router] - at=info …``. Neither year nor zone is printed: see _yearless.
"""

from __future__ import annotations

import re

from workbook.loaders._yearless import STARTS as STARTS
from workbook.loaders._yearless import records

TITLE = "syslog (own server, or a drain that rsyslog rewrote)"
GLUE = "\n"
NEEDS_ZONE = True
NEEDS_YEAR = True

RECORDS = records(own_source="'app'")

EXAMPLES = (
    (
        "Jun 18 11:27:37 host1 rails[67783]: Memory usage: 89152 | PID: 67783\n"
        "Jun 18 11:27:38 host1 rails[67784]: Oink Action: users#show\n"
        "Jun 18 11:27:39 host1 kernel: out of memory\n"
        "Jun 18 11:27:40 host1 last message repeated 2 times\n",
        {
            "log_lines": (
                {"line": 1, "source": "app", "process": "rails.67783", "message": "Memory usage: 89152 | PID: 67783"},
                {"line": 2, "source": "app", "process": "rails.67784", "message": "Oink Action: users#show"},
                {"line": 3, "source": "app", "process": "kernel", "message": "out of memory"},
                {"line": 4, "source": None, "process": None, "message": "last message repeated 2 times"},
            ),
        },
    ),
    (
        "Jul  4 22:11:00 d.00000000-aaaa-bbbb-cccc-000000000000 heroku[router] - at=info method=GET path=/ dyno=web.1\n"
        "Jul  4 22:11:01 d.00000000-aaaa-bbbb-cccc-000000000000 app[web.1] -\n"
        "Jul  4 22:11:02 d.00000000-aaaa-bbbb-cccc-000000000000 app[web.1] - - two dashes\n",
        {
            "log_lines": (
                {"line": 1, "source": "heroku", "process": "router", "message": "at=info method=GET path=/ dyno=web.1"},
                {"line": 2, "source": "app", "process": "web.1", "message": ""},
                {"line": 3, "source": "app", "process": "web.1", "message": "two dashes"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "Feb 04 17:46:52 shop-prod heroku/web.1: Process running mem=533M(104.3%)\n",
    "Jul 20 08:00:04 shop-prod app/web.1 Started GET \"/orders\" for 192.0.2.7\n",
    "<45>1 2015-03-02T10:11:12.131415+00:00 host heroku web.1 - State changed from starting to up\n",
)  # fmt: skip

_LINE = re.compile(
    r"[A-Z][a-z]{2} [ 0-3]\d \d\d:\d\d:\d\d (?:\S+ [^\s\[\]]+\[\d+\]: |d\.[\w-]+ (?:app|heroku)\[[\w.-]+\] -)",
    re.ASCII,
)


def score(head: list[str]) -> float:
    """Return the share of lines that have date, host and ``program[pid]:``, or a drain's token and Heroku's bracket."""
    return sum(_LINE.match(line) is not None for line in head) / max(len(head), 1)
