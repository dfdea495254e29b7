"""What ``heroku logs`` prints, saved to a file: ``2013-05-08T00:28:23.205391+00:00 heroku[router]: …``.

Since 2010, with whole seconds until early 2013; with colours; as PowerShell saves it; and as books and tickets quote it,
without the time and with lines wrapped by a backslash. Dumps of 2011–2016 may have a newline inserted anywhere, inside
a number or a timestamp: such pieces are joined again.
"""

import re

TITLE = "heroku logs dump"
GLUE = ""

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[+-]\d\d:\d\d|Z)"
# A colour code that lost its first character on the way through a web page, legal text elsewhere.
_COLOUR = r"\[\d{1,2}(?:;\d{1,3})*m"
_ENVELOPE = rf"^(?:{_COLOUR})?(?:{_TIME} [A-Za-z][\w-]*|app|heroku)\[[\w.-]+\]:"

STARTS = f"regexp_matches(text, '{_ENVELOPE}')"

# What the command line prints around a log: notices, prompts, PowerShell's error block.
NOTICE = r"""
    regexp_matches(
        text,
        '^( ?[›»▸!] |\s*heroku : |At line:\d+ char:\d+|\s*\+ |[A-Z]:\\[^>]*>|\^C|\$ |[\w.@:~/-]+[$#%] |\s*(Warning|!    |WARNING): )'
    )
"""

RECORDS = rf"""
WITH plain AS (
    SELECT
        line,
        CASE
            WHEN text[1] = '[' THEN regexp_replace(text, '^{_COLOUR}(.*?\]:)(?:\[0?m)?', '\1')
            ELSE text
        END AS text
    FROM records
),
envelopes AS (
    SELECT
        line,
        text,
        text[1] BETWEEN '0' AND '9' AS timed,
        CASE WHEN timed THEN instr(text, ' ') ELSE 0 END AS space,
        instr(text, '[') AS opened,
        instr(text, ']:') AS closed
    FROM plain
),
times AS (
    SELECT
        *,
        CASE
            WHEN NOT timed THEN NULL
            -- the usual form, for which the engine need not think of zones
            WHEN space = 33 AND substr(text, 27, 6) = '+00:00' THEN try_cast(left(text, 26) AS TIMESTAMP)
            ELSE try_cast(left(text, space - 1) AS TIMESTAMPTZ) AT TIME ZONE 'UTC'
        END AS time
    FROM envelopes
)
SELECT
    line,
    time,
    NULL::TIMESTAMP AS received_at,
    substr(text, space + 1, opened - space - 1) AS source,
    substr(text, opened + 1, closed - opened - 1) AS process,
    CASE
        WHEN substr(text, closed + 2, 1) = ' ' THEN substr(text, closed + 3)
        ELSE substr(text, closed + 2)
    END AS message,
    CASE WHEN timed AND time IS NULL THEN 'field time' END AS reason
FROM times
"""

EXAMPLES = (
    (
        "2012-06-03T08:15:42+00:00 heroku[web.1]: State changed from starting to up\n"
        "2024-03-04T05:06:07.080910+00:00 app[web.1]:\n"
        "2011-12-03T08:15:42-07:00 heroku[nginx]: GET / HTTP/1.1 | 192.0.2.7 | 640 | http | 200\n",
        {
            "log_lines": (
                {"line": 1, "time": "2012-06-03 08:15:42", "source": "heroku", "process": "web.1",
                 "message": "State changed from starting to up"},
                {"line": 2, "time": "2024-03-04 05:06:07.080910", "source": "app", "process": "web.1", "message": ""},
                {"line": 3, "time": "2011-12-03 15:15:42", "process": "nginx"},
            ),
        },
    ),
    (
        # a newline inserted inside a number, one inside a timestamp, and notices of the command line
        " ›   Warning: heroku update available\n"
        "2014-01-14T08:00:00.000001+00:00 app[web.1]: took 3\n"
        "12 ms\n"
        "2014-01-\n"
        "14T08:00:01.000001+00:00 app[web.1]: next\n"
        "\n"
        "2014-01-14T08:00:02.000001+00:00 app[web.1]: last\n"
        "$ heroku ps\n",
        {
            "log_lines": (
                {"line": 2, "message": "took 312 ms"},
                {"line": 4, "time": "2014-01-14 08:00:01.000001", "message": "next"},
                {"line": 7, "message": "last"},
            ),
            "unread_lines": ({"line": 1}, {"line": 8}),
        },
    ),
    (
        # colour codes that lost their first character; the same in a message is text
        "[36m2013-05-02T11:20:31+00:00 app[web.1]:[0m visible [36m\n"
        "[33mheroku[router]: at=info\n"
        "2013-05-02T11:20:32+00:00 app[web.1]: [0m\n",
        {
            "log_lines": (
                {"line": 1, "time": "2013-05-02 11:20:31", "source": "app", "process": "web.1", "message": "visible [36m"},
                {"line": 2, "time": None, "source": "heroku", "process": "router", "message": "at=info"},
                {"line": 3, "message": "[0m"},
            ),
        },
    ),
    (
        # the book, chapter 4
        "app[web.1]: source=rack-timeout id=f40adf06fa2dd4137fd9265b0339981c age=329ms \\\n"
        "timeout=15000ms state=ready at=info\n",
        {
            "log_lines": (
                {"line": 1, "time": None, "source": "app", "process": "web.1",
                 "message": "source=rack-timeout id=f40adf06fa2dd4137fd9265b0339981c age=329ms timeout=15000ms"
                            " state=ready at=info"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "<158>1 2013-01-15T10:00:00+00:00 d.00000000-aaaa-bbbb-cccc-000000000000 heroku router - at=info method=GET path=/\n",
    "Feb 04 17:46:52 shop-prod heroku/web.1: Process running mem=533M(104.3%)\n",
)


def score(head: list[str]) -> float:
    """Return near 1 when a fifth of the lines begin as a dump's lines do, for dumps embed everything else; else the share."""
    share = sum(re.match(_ENVELOPE, line, re.ASCII) is not None for line in head) / max(len(head), 1)
    return max(share, 0.98) if share >= 0.2 else share
