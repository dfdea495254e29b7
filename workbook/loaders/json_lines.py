"""A log store's events in JSON, one object a line: ``papertrail -j --min-time …``, ``swo logs get --json``, and other stores'.

Datadog, Better Stack, Coralogix, Splunk, Vector and programs' own logs are read by the names of their fields: one for the
time, one for the message, and where there are any program, or source and process. A message may still carry a drain's
frame or a dump's envelope: then time, source and process are those. Times without an offset are UTC. Ids are not
read: webhooks print them rounded to a double.
"""

from __future__ import annotations

import json

from workbook.loaders import _stores

TITLE = "log store's JSON, one event a line (Papertrail, SolarWinds, Datadog, Better Stack, …)"
GLUE = "\n"

STARTS = r"trim(text, e' \t\r\n') <> ''"

RECORDS = _stores.RECORDS

EXAMPLES = (
    (
        # papertrail -j with --min-time; a message with a colour, and one that ends in a newline
        '{"id":"760000000000000101","received_at":"2017-03-04T06:06:08+01:00","display_received_at":"Mar 04 06:06:08",'
        '"source_ip":"198.51.100.4","source_name":"shop-prod","source_id":500000001,"hostname":"shop-prod",'
        '"program":"heroku/router","severity":"Info","facility":"Local3","message":"at=info method=GET path=\\"/\\""}\n'
        '{"id":"760000000000000102","generated_at":"2017-03-04T05:06:07Z","received_at":"2017-03-04T05:06:09Z",'
        '"program":"app/web.1","message":"\\u001b[1mDone\\u001b[0m\\n"}\n'
        '{"id":"760000000000000103","received_at":"2017-03-04T05:06:10Z","program":null,"message":"no program"}\n',
        {
            "log_lines": (
                {"line": 1, "time": "2017-03-04 05:06:08", "received_at": "2017-03-04 05:06:08", "source": "heroku",
                 "process": "router", "message": 'at=info method=GET path="/"'},
                {"line": 2, "time": "2017-03-04 05:06:07", "received_at": "2017-03-04 05:06:09", "source": "app",
                 "process": "web.1", "message": "Done"},
                {"line": 3, "time": "2017-03-04 05:06:10", "source": None, "process": None, "message": "no program"},
            ),
        },
    ),
    (
        # swo logs get --json, with a line that was cut off, one that is no event, and one with half a character
        '{"time":"2024-05-06T07:08:09.123456Z","message":"hello","hostname":"shop-prod","severity":"INFO",'
        '"program":"app/web.1"}\n'
        '{"time":"2024-05-06T07:08:10Z","hostname":"shop-prod"}\n'
        '{"time":"2024-05-06","message":"no clock","hostname":"shop-prod","severity":"INFO","program":"app/web.1"}\n'
        '{"time":"2024-05-06T07:08:11Z","message":"half \\ud83d","hostname":"shop-prod","program":"app/web.1"}\n'
        "\n"
        '{"time":"2024-05-06T07:08:11Z","message":"cut o\n',
        {
            "log_lines": (
                {"line": 1, "time": "2024-05-06 07:08:09.123456", "received_at": None, "source": "app",
                 "process": "web.1", "message": "hello"},
                {"line": 3, "time": None, "message": "no clock"},
                {"line": 4, "time": "2024-05-06 07:08:11", "message": "half ?"},
            ),
            "unread_lines": (
                {"line": 2, "reason": "an event without a message"},
                {"line": 3, "reason": "field time"},
                {"line": 6, "reason": "not JSON: the object is cut off or damaged"},
            ),
        },
    ),
    (
        # frames cut into fields (Better Stack, Vector, Datadog); epochs in ms and in s with a fraction
        '{"dt":"2024-05-06T07:08:09.123Z","message":"at=info status=200","syslog":{"appname":"heroku","procid":"router"}}\n'
        '{"timestamp":1714979290123,"app_name":"app","proc_id":"web.1","host":"host","message":"Started GET \\"/\\""}\n'
        '{"id":"AQAA","attributes":{"timestamp":"2024-05-06T07:08:11.5Z","message":"State changed from starting to up",'
        '"service":"shop","attributes":{"syslog":{"appname":"heroku","procid":"web.1"}}}}\n'
        '{"_time":"1714979292.25","source":"http:heroku","process":"router","_raw":"at=error code=H12"}\n'
        '{"ts":"2024-05-06 07:08:13 UTC","level":"info","msg":"a program\'s own log"}\n',
        {
            "log_lines": (
                {"line": 1, "time": "2024-05-06 07:08:09.123", "received_at": None, "source": "heroku",
                 "process": "router", "message": "at=info status=200"},
                {"line": 2, "time": "2024-05-06 07:08:10.123", "source": "app", "process": "web.1",
                 "message": 'Started GET "/"'},
                {"line": 3, "time": "2024-05-06 07:08:11.5", "source": "heroku", "process": "web.1",
                 "message": "State changed from starting to up"},
                {"line": 4, "time": "2024-05-06 07:08:12.25", "source": "heroku", "process": "router",
                 "message": "at=error code=H12"},
                {"line": 5, "time": "2024-05-06 07:08:13", "source": None, "process": None,
                 "message": "a program's own log"},
            ),
        },
    ),
    (
        # frames kept whole in the message: their own time counts, the store's is when it came
        '{"timestamp":"2024-05-06T07:08:10Z","message":"<158>1 2024-05-06T07:08:09.000123+00:00 host heroku router - at=info"}\n'
        '{"timestamp":"2024-05-06T07:08:10Z","message":"2024-05-06T07:08:09.000124+00:00 app[web.1]: two"}\n'
        '{"timestamp":"2024-05-06T07:08:10Z","message":"heroku[web.1]: State changed from up to down"}\n'
        '{"timestamp":"2024-05-06T07:08:10Z","message":"93 <45>1 2024-05-06T07:08:09+00:00 d.0-a app web.2 - - three"}\n'
        '{"timestamp":"2024-05-06T07:08:10Z","message":"May  6 07:08:09 shop-prod app/web.1: four"}\n'
        '{"timestamp":"2024-05-06T07:08:10Z","message":"heroku is up"}\n',
        {
            "log_lines": (
                {"line": 1, "time": "2024-05-06 07:08:09.000123", "received_at": "2024-05-06 07:08:10",
                 "source": "heroku", "process": "router", "message": "at=info"},
                {"line": 2, "time": "2024-05-06 07:08:09.000124", "source": "app", "process": "web.1", "message": "two"},
                {"line": 3, "time": "2024-05-06 07:08:10", "received_at": None, "source": "heroku", "process": "web.1",
                 "message": "State changed from up to down"},
                {"line": 4, "time": "2024-05-06 07:08:09", "source": "app", "process": "web.2", "message": "three"},
                {"line": 5, "time": "2024-05-06 07:08:10", "source": "app", "process": "web.1", "message": "four"},
                {"line": 6, "source": None, "process": None, "message": "heroku is up"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    '{"results":[{"events":[{"timestamp":1367972903000,"duration":0.25,"appName":"shop","name":"Controller/x"}]}]}\n',
    '{"timestamp":1367972903000,"duration":0.25,"appName":"shop","name":"WebTransaction/Controller/x"}\n',
    '2024-05-06T07:08:09+00:00 app[web.1]: {"events":[{"received_at":"2024-05-06T07:08:09Z","message":"x"}]}\n',
    '{"events":[{"received_at":"2017-03-04T05:06:08Z","program":"app/web.1","message":"one"}],"min_id":"1"}\n',
    '{"time":"2024-05-06","price":3}\n',
)

_LOOKED_AT = 40


def score(head: list[str]) -> float:
    """Return near 1 when a fifth of the first lines are objects with a time and a message, else the share of those."""
    looked = head[:_LOOKED_AT]
    share = sum(map(_is_event, looked)) / max(len(looked), 1)
    return 0.9 if share >= 0.2 else share


def _is_event(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        return _stores.is_event(json.loads(line))
    except (ValueError, RecursionError):
        return False
