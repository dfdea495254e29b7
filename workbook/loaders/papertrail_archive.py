r"""Papertrail's archive: ``2017-02-14.tsv.gz`` or ``…-03.tsv.gz``, ten columns, no header, one event a line.

The columns are id, generated_at, received_at, source_id, source_name, source_ip, facility_name, severity_name, program
and message. A line is cut at its first nine tabs: quotes are text, and further tabs belong to the message. A line that
does not begin with an id goes on with the message before. ``heroku/router`` becomes source and process. Times are whole
seconds: ``2011-02-10 00:19:36 -0800`` (help page), ``2017-02-14T03:41:49`` with or without ``Z``, ``2021-11-24
15:02:51``; those without an offset are UTC. Ids stay text and are never compared: their 64 bits do not fit a double.
"""

from __future__ import annotations

import re

TITLE = "Papertrail archive (.tsv.gz)"
GLUE = "\n"

STARTS = r"regexp_matches(text, '^\d{6,}\t')"

# ' -0800' is no offset to the engine, '-0800' is one; a word such as "infinity" would be a time to it, so the dash is asked.
RECORDS = r"""
WITH cut AS (
    SELECT
        line,
        string_split(text, chr(9)) AS cell
    FROM records
),
named AS (
    SELECT
        line,
        len(cell) AS columns,
        cell[2] AS generated_text,
        cell[3] AS received_text,
        CASE
            WHEN substr(generated_text, 5, 1) = '-'
                THEN try_cast(replace(replace(generated_text, ' -', '-'), ' +', '+') AS TIMESTAMPTZ) AT TIME ZONE 'UTC'
        END AS generated_at,
        CASE
            WHEN substr(received_text, 5, 1) = '-'
                THEN try_cast(replace(replace(received_text, ' -', '-'), ' +', '+') AS TIMESTAMPTZ) AT TIME ZONE 'UTC'
        END AS received_at,
        cell[9] AS program,
        instr(program, '/') AS slash,
        CASE WHEN columns = 10 THEN cell[10] ELSE array_to_string(cell[10:], chr(9)) END AS message
    FROM cut
)
SELECT
    line,
    coalesce(generated_at, received_at) AS time,
    received_at,
    CASE WHEN slash > 0 THEN nullif(substr(program, 1, slash - 1), '') END AS source,
    nullif(substr(program, slash + 1), '') AS process,
    message,
    CASE
        WHEN columns < 10 THEN 'fewer than the ten columns of a Papertrail archive'
        WHEN generated_at IS NULL AND generated_text <> '' THEN 'field generated_at'
        WHEN received_at IS NULL AND (received_text <> '' OR generated_text = '') THEN 'field received_at'
    END AS reason
FROM named
"""

EXAMPLES = (
    (
        "760000000000000101\t2017-03-04T05:06:07\t2017-03-04T05:06:08Z\t500000001\tshop-prod\t198.51.100.4\tLocal3\tInfo"
        "\theroku/router\tat=info method=GET path=\"/cart\" host=shop.example.com"
        " request_id=00000000-0000-4000-8000-000000000001 fwd=\"203.0.113.9,198.51.100.7\" dyno=web.3 connect=1ms"
        " service=187ms status=200 bytes=40961\n"
        "1400000000000000202\t2021-10-09 08:07:06\t2021-10-09 08:09:01\t7000000002\tshop-prod\t198.51.100.5\tLocal7\tInfo"
        "\tapp/web.1\tCompleted 200 OK in 17ms (Views: 5.9ms | ActiveRecord: 9.1ms)\n",
        {
            "log_lines": (
                {"line": 1, "time": "2017-03-04 05:06:07", "received_at": "2017-03-04 05:06:08", "source": "heroku",
                 "process": "router",
                 "message": "at=info method=GET path=\"/cart\" host=shop.example.com"
                            " request_id=00000000-0000-4000-8000-000000000001 fwd=\"203.0.113.9,198.51.100.7\""
                            " dyno=web.3 connect=1ms service=187ms status=200 bytes=40961"},
                {"line": 2, "time": "2021-10-09 08:07:06", "received_at": "2021-10-09 08:09:01", "source": "app",
                 "process": "web.1",
                 "message": "Completed 200 OK in 17ms (Views: 5.9ms | ActiveRecord: 9.1ms)"},
            ),
        },
    ),
    (
        # the help page's times; a time that is missing; a program without source, and none; tabs, quotes and a
        # newline in messages; an address that is none
        "50342052\t2011-02-10 00:19:36 -0800\t2011-02-10 00:19:37 -0800\t42\tshop-prod\t3.310.4.5\tUser\tNotice"
        "\tCRON\t\"a\tb\"\tc\n"
        "50342053\t\t2011-02-10 00:19:38 -0800\t42\tshop-prod\t192.0.2.4\tLocal7\tInfo\t\tfirst\n"
        "  second\n"
        "50342054\t2011-02-10 00:19:39 +0200\t2011-02-10T00:19:40Z\t42\tshop-prod\t192.0.2.4\tLocal7\tInfo"
        "\tapp/postgres.12345\t\n",
        {
            "log_lines": (
                {"line": 1, "time": "2011-02-10 08:19:36", "received_at": "2011-02-10 08:19:37", "source": None,
                 "process": "CRON", "message": "\"a\tb\"\tc"},
                {"line": 2, "time": "2011-02-10 08:19:38", "received_at": "2011-02-10 08:19:38", "source": None,
                 "process": None, "message": "first\n  second"},
                {"line": 4, "time": "2011-02-09 22:19:39", "received_at": "2011-02-10 00:19:40", "source": "app",
                 "process": "postgres.12345", "message": ""},
            ),
        },
    ),
    (
        # a header that a hand added, a time that cannot be read, a download that was cut off
        "id\tgenerated_at\treceived_at\tsource_id\tsource_name\tsource_ip\tfacility_name\tseverity_name\tprogram\tmessage\n"
        "760000000000000103\tinfinity\t2017-03-04T05:06:08Z\t1\tshop-prod\t192.0.2.4\tLocal7\tInfo\tapp/web.1\tone\n"
        "760000000000000104\t2017-03-04T05:06:09\t2017-02-30T05:06:09Z\t1\tshop-prod\t192.0.2.4\tLocal7\tInfo\tapp/web.1\t2\n"
        "760000000000000105\t2017-03-04T05:06:10\t2017-03-04T05:0\n",
        {
            "log_lines": (
                {"line": 2, "time": "2017-03-04 05:06:08", "received_at": "2017-03-04 05:06:08", "message": "one"},
                {"line": 3, "time": "2017-03-04 05:06:09", "received_at": None, "message": "2"},
            ),
            "unread_lines": (
                {"line": 1},
                {"line": 2, "reason": "field generated_at"},
                {"line": 3, "reason": "field received_at"},
                {"line": 4, "reason": "fewer than the ten columns of a Papertrail archive"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "id\tname\tcalls\n760000000000000101\tUsersController#show\t12\n760000000000000102\tUsersController#index\t9\n",
    "2017-03-04T05:06:07.080910+00:00 app[web.1]: 760000000000000101\t2017-03-04T05:06:07\t\t\t\t\t\t\t\t\n",
)

_EVENT = re.compile(r"\d{6,}\t(?:[^\t]*\t)?\d{4}-\d\d-\d\d[ T]", re.ASCII)


def score(head: list[str]) -> float:
    """Return how sure the first lines make it: half for an event at the top, the rest for the share of events."""
    events = [line.count("\t") >= 9 and _EVENT.match(line) is not None for line in head]
    return any(events[:2]) / 2 + sum(events) / max(len(events), 1) / 2
