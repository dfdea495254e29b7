"""The life of a dyno, as Heroku prints it since 2010: state changes, starts, stops, exits, restarts, idling.

Only lines of the platform: applications print "State changed from …" too. Dev Center: "Dyno lifecycle", "One-off dynos".
"""

TABLE = "dyno_states"

CLAIMS = r"""
    source = 'heroku'
    AND process <> 'router'
    AND regexp_matches(
        message,
        '^(?:State changed from \S+ to \S'
        || '|Starting process with command|Process exited|Stopping (?:all processes|process|remaining processes) with '
        || '|(?:Restarting|Cycling|Idling|Unidling)\s*$'
        || '|Awaiting client|Client connection (?:closed|is idle))'
    )
"""

# The record of a command of several lines is cut after its first one and has no closing backtick.
ROWS = r"""
WITH events AS (
    SELECT
        source_id,
        line,
        time,
        process,
        rtrim(message) AS message,
        CASE split_part(rtrim(message), ' ', 1)
            WHEN 'State' THEN 'state'
            WHEN 'Starting' THEN 'start'
            WHEN 'Process' THEN 'exit'
            WHEN 'Stopping' THEN 'stop'
            WHEN 'Restarting' THEN 'restart'
            WHEN 'Cycling' THEN 'cycle'
            WHEN 'Idling' THEN 'idle'
            WHEN 'Unidling' THEN 'unidle'
            ELSE 'one_off'
        END AS event
    FROM claimed
)
SELECT
    source_id,
    line,
    time,
    process AS dyno,
    CASE WHEN event = 'state' THEN regexp_extract(message, '^State changed from (\S+) to (\S+)', 1) END AS from_state,
    CASE WHEN event = 'state' THEN regexp_extract(message, '^State changed from (\S+) to (\S+)', 2) END AS to_state,
    event,
    CASE event
        WHEN 'start' THEN nullif(
            regexp_replace(
                regexp_replace(message, '^Starting process with command:? ?`?', ''),
                '`(?: by (?:user )?\S+)?$',
                ''
            ),
            ''
        )
        WHEN 'exit' THEN nullif(regexp_extract(message, 'with status (-?\d+)', 1), '')
        WHEN 'stop' THEN nullif(regexp_extract(message, ' with (\S+)$', 1), '')
        WHEN 'one_off' THEN message
    END AS detail
FROM events
"""

EXAMPLES = (
    (
        # the book, chapter 1
        "heroku[web.1]: State changed from starting to crashed",
        (
            {
                "time": None,
                "dyno": "web.1",
                "event": "state",
                "from_state": "starting",
                "to_state": "crashed",
                "detail": None,
            },
        ),
    ),
    (
        # the book, chapter 3
        "heroku[web.1]: Stopping process with SIGKILL\nheroku[web.1]: Process exited",
        (
            {"event": "stop", "detail": "SIGKILL", "from_state": None, "to_state": None},
            {"event": "exit", "detail": None},
        ),
    ),
    (
        "2024-03-04T05:06:07.080910+00:00 heroku[web.1]: Cycling\n"
        "2024-03-04T05:06:07.180910+00:00 heroku[web.1]: State changed from up to starting\n"
        "2024-03-04T05:06:08.080910+00:00 heroku[web.1]: Stopping all processes with SIGTERM\n"
        "2024-03-04T05:06:38.080910+00:00 heroku[web.1]: Stopping remaining processes with SIGKILL\n"
        "2024-03-04T05:06:38.180910+00:00 heroku[web.1]: Process exited with status 137\n"
        "2024-03-04T05:06:40.080910+00:00 heroku[web.1]: Starting process with command `bundle exec puma -p 1234`",
        (
            {"event": "cycle", "detail": None},
            {"event": "state", "from_state": "up", "to_state": "starting"},
            {"event": "stop", "detail": "SIGTERM"},
            {"event": "stop", "detail": "SIGKILL"},
            {"event": "exit", "detail": "137"},
            {"event": "start", "detail": "bundle exec puma -p 1234"},
        ),
    ),
    (
        "2024-03-04T05:06:07.080910+00:00 heroku[run.1234]: Awaiting client\n"
        "2024-03-04T05:06:08.080910+00:00 heroku[run.1234]: Starting process with command `sh -c 'echo `date`'` by user"
        " dev@example.com\n"
        "2024-03-04T05:06:09.080910+00:00 heroku[release.9811]: Starting process with command `if true; then\n"
        "2013-03-04T05:06:10+00:00 heroku[run.2]: Starting process with command `bash` by dev@example.com",
        (
            {"dyno": "run.1234", "event": "one_off", "detail": "Awaiting client"},
            {"event": "start", "detail": "sh -c 'echo `date`'"},
            {"dyno": "release.9811", "event": "start", "detail": "if true; then"},
            {"dyno": "run.2", "event": "start", "detail": "bash"},
        ),
    ),
    (
        "2016-03-04T05:06:07.080910+00:00 heroku[web.1]: Idling\n"
        "2016-03-04T05:06:08.080910+00:00 heroku[web.1]: Unidling\n"
        "2016-03-04T05:06:09.080910+00:00 heroku[web.1]: Restarting\n"
        "2016-03-04T05:06:09.180910+00:00 heroku[run.1]: Client connection is idle for 3600 seconds; closing",
        (
            {"event": "idle"},
            {"event": "unidle"},
            {"event": "restart"},
            {"event": "one_off", "detail": "Client connection is idle for 3600 seconds; closing"},
        ),
    ),
)

NOT_MINE = (
    "2024-03-04T05:06:07.080910+00:00 app[web.1]: State changed from ACCEPTING_TRAFFIC to REFUSING_TRAFFIC",
    "2024-03-04T05:06:07.080910+00:00 heroku[web.1]: Process running mem=533M(104.3%)",
    "2024-03-04T05:06:07.080910+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)",
)
