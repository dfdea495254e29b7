r"""Workers of an application server: booted, killed for their time or their memory, exited. gunicorn, unicorn and Puma.

A worker that is killed takes its request with it: the router logs H13, and the application nothing. gunicorn prints
``[CRITICAL] WORKER TIMEOUT (pid:12)``, unicorn ``worker=1 PID:55989 timeout (6s > 5s), killing``, Puma ``! Terminating timed
out worker: 6``; the lines of unicorn-worker-killer and puma_worker_killer belong to them. Source: gunicorn's ``arbiter.py``,
unicorn's ``http_server.rb``, Puma's ``cluster.rb``.
"""

from workbook.messages._prefix import LOGGER_PREFIX, OWN

TABLE = "server_events"

_GUNICORN = (
    r"(?:(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d |\[[^\]]*\] )?(?:\[\d+\] )?\[(?:INFO|WARNING|ERROR|CRITICAL)\] )"
    r"(?:WORKER TIMEOUT \(pid: ?\d+\)|Worker \(pid: ?\d+\) (?:was sent SIG|exited with code)"
    r"|Worker with pid \d+ was terminated due to signal|Worker exiting \(pid: ?\d+\)|Booting worker with pid: \d"
    r"|Autorestarting worker after current request|Starting gunicorn \d|Listening at: \S+ \(|Handling signal: \w+\s*$"
    r"|Shutting down: Master)"
)
_UNICORN = (
    r"(?:worker=\d+ (?:ready\s*$|PID:\d+ timeout \()|reaped #<Process::Status: pid \d+ (?:SIG|exit)"
    r"|#<\w*::\S+: worker \(pid: \d+\) exceeds memory limit|listening on addr=|master (?:process ready|complete)\s*$)"
)
_PUMA = (
    r"(?:\[\d+\] )?(?:[*-] Worker \d+ \((?i:pid): \d+\) (?:booted|terminating)|! Terminating timed out worker\b"
    r"|PumaWorkerKiller: Out of memory\. .* Sending TERM to pid \d"
    r"|(?:\* )?Puma starting in (?:single|cluster) mode|\* Listening on \w+://"
    r"|- Gracefully (?:stopping, waiting for requests|shutting down workers))"
)

CLAIMS = rf"""
    {OWN}
    AND NOT contains(message, 'source=rack-timeout ')
    AND regexp_matches(message, '^\s*{_GUNICORN}|{LOGGER_PREFIX}\s*{_UNICORN}|^\s*{_PUMA}')
"""

# Of a line, what matters begins behind the logger's words, the time and the level.
ROWS = rf"""
WITH servers AS (
    SELECT
        source_id,
        line,
        time,
        process,
        CASE
            WHEN regexp_matches(message, '^\s*{_GUNICORN}') THEN 'gunicorn'
            WHEN regexp_matches(message, '^\s*{_PUMA}') THEN 'puma'
            ELSE 'unicorn'
        END AS server,
        rtrim(regexp_replace(
            message,
            CASE server
                WHEN 'gunicorn' THEN '^.*?\[(?:INFO|WARNING|ERROR|CRITICAL)\] '
                WHEN 'puma' THEN '^\s*(?:\[\d+\] )?(?:[*!-] )?'
                ELSE '{LOGGER_PREFIX}\s*'
            END,
            ''
        )) AS body
    FROM claimed
),
events AS (
    SELECT
        *,
        CASE
            WHEN regexp_matches(body, '^(?:WORKER TIMEOUT|worker=\d+ PID|Terminating timed)') THEN 'timeout'
            WHEN regexp_matches(body, '^(?:#<|PumaWorkerKiller)') THEN 'memory_limit'
            WHEN regexp_matches(body, '^(?:Worker \(pid: ?\d+\) was sent|Worker with pid|reaped .* SIG)') THEN 'killed'
            WHEN regexp_matches(body, '^(?:Worker exiting|Worker .*(?:exited with|terminating)|reaped)') THEN 'exited'
            WHEN regexp_matches(body, '^(?:Booting|worker=\d+ ready|Worker \d+ .*booted)') THEN 'booted'
            WHEN starts_with(body, 'Autorestarting') THEN 'restarting'
            WHEN regexp_matches(body, '^(?:Starting|Puma starting|master process ready)') THEN 'started'
            WHEN regexp_matches(body, '^[Ll]istening') THEN 'listening'
            WHEN regexp_matches(body, '^(?:Handling|Gracefully)') THEN 'stopping'
            ELSE 'stopped'
        END AS event
    FROM servers
)
SELECT
    source_id,
    line,
    time,
    process AS dyno,
    server,
    event,
    leading_number(
        CASE
            WHEN event = 'listening' THEN regexp_extract(body, ' \((\d{{1,18}})\)$', 1)
            WHEN server = 'puma' AND event = 'timeout' THEN regexp_extract(body, ': (\d{{1,18}})$', 1)
            ELSE regexp_extract(body, '(?i)\bpid:? ?(\d{{1,18}})\b', 1)
        END
    ) AS pid,
    leading_number(regexp_extract(body, '\b[Ww]orker[= ](\d{{1,18}})\b', 1)) AS worker,
    nullif(
        CASE
            WHEN event = 'timeout' THEN regexp_extract(body, '\((?:Worker \d+ )?([^():]*)\)', 1)
            WHEN event = 'memory_limit' AND server = 'puma' THEN regexp_extract(body, 'Out of memory\. (.*)\. Sending TERM', 1)
            WHEN event = 'memory_limit' THEN regexp_extract(body, 'limit \(([^)]*)\)', 1)
            WHEN event IN ('killed', 'exited') THEN regexp_extract(body, '\b(SIG\w+(?: \(signal \d+\))?|signal \w+|code -?\d+|exit -?\d+)', 1)
            WHEN event = 'booted' THEN regexp_extract(body, ' booted in ([\d.]+ ?s)\b', 1)
            WHEN event = 'started' THEN regexp_extract(body, '^(?:Starting gunicorn|Puma starting in) (\S+)', 1)
            WHEN event = 'listening' THEN regexp_extract(body, '^[Ll]istening (?:at: |on addr=|on )(\S+)', 1)
            WHEN event = 'stopping' THEN regexp_extract(body, 'signal: (\w+)', 1)
        END,
        ''
    ) AS detail
FROM events
ORDER BY source_id, line
"""

EXAMPLES = (
    (
        "2015-03-04T05:06:07.080910+00:00 app[web.1]: [2015-03-04 05:06:07 +0000] [CRITICAL] WORKER TIMEOUT (pid:12)\n"
        "2022-03-04T05:06:08.080910+00:00 app[web.1]: [2022-03-04 05:06:08 +0000] [4] [ERROR] Worker (pid:12) was sent SIGKILL!"
        " Perhaps out of memory?\n"
        "2013-03-04T05:06:08+00:00 app[web.2]: 2013-03-04 05:06:08 [4] [INFO] Booting worker with pid: 9\n"
        "2020-03-04T05:06:08.080910+00:00 app[web.2]: [2020-03-04 05:06:08 +0000] [4] [WARNING] Worker with pid 9 was terminated"
        " due to signal 9\n"
        "2023-03-04T05:06:08.080910+00:00 app[web.2]: [2023-03-04 05:06:08 +0000] [4] [ERROR] Worker (pid:11) exited with code 1\n"
        "2023-03-04T05:06:08.080910+00:00 app[web.2]: [2023-03-04 05:06:08 +0000] [11] [INFO] Worker exiting (pid: 11)\n"
        "2023-03-04T05:06:08.080910+00:00 app[web.2]: [2023-03-04 05:06:08 +0000] [4] [INFO] Starting gunicorn 20.1.0\n"
        "2023-03-04T05:06:08.080910+00:00 app[web.2]: [2023-03-04 05:06:08 +0000] [4] [INFO] Listening at: http://0.0.0.0:5000 (4)\n"
        "2023-03-04T05:06:08.080910+00:00 app[web.2]: [2023-03-04 05:06:08 +0000] [4] [INFO] Handling signal: term\n"
        "2023-03-04T05:06:08.080910+00:00 app[web.2]: [2023-03-04 05:06:08 +0000] [4] [INFO] Shutting down: Master",
        (
            {"dyno": "web.1", "server": "gunicorn", "event": "timeout", "pid": 12, "worker": None, "detail": None},
            {"event": "killed", "pid": 12, "detail": "SIGKILL"},
            {"dyno": "web.2", "event": "booted", "pid": 9, "detail": None},
            {"event": "killed", "pid": 9, "detail": "signal 9"},
            {"event": "exited", "pid": 11, "detail": "code 1"},
            {"event": "exited", "pid": 11, "detail": None},
            {"event": "started", "pid": None, "detail": "20.1.0"},
            {"event": "listening", "pid": 4, "detail": "http://0.0.0.0:5000"},
            {"event": "stopping", "pid": None, "detail": "term"},
            {"event": "stopped"},
        ),
    ),
    (
        "2014-03-04T05:06:07.080910+00:00 app[web.1]: E, [2014-03-04T05:06:07.080000 #2] ERROR -- : worker=1 PID:55989 timeout"
        " (6s > 5s), killing\n"
        "2014-03-04T05:06:07.090910+00:00 app[web.1]: E, [2014-03-04T05:06:07.090000 #2] ERROR -- : reaped #<Process::Status: pid"
        " 55989 SIGKILL (signal 9)> worker=1\n"
        "2014-03-04T05:06:07.100910+00:00 app[web.1]: I, [2014-03-04T05:06:07.100000 #2]  INFO -- : worker=1 ready\n"
        "2014-03-04T05:06:07.100910+00:00 app[web.1]: reaped #<Process::Status: pid 5 exit 0> worker=0\n"
        "2014-03-04T05:06:07.100910+00:00 app[web.1]: W, [2014-03-04T05:06:07.100000 #8]  WARN -- : #<Unicorn::HttpServer:0x0f>:"
        " worker (pid: 8) exceeds memory limit (273000000 bytes > 268000000 bytes)\n"
        "2014-03-04T05:06:07.100910+00:00 app[web.1]: I, [2014-03-04T05:06:07.100000 #2]  INFO -- : listening on addr=0.0.0.0:5000"
        " fd=9\n"
        "2014-03-04T05:06:07.100910+00:00 app[web.1]: I, [2014-03-04T05:06:07.100000 #2]  INFO -- : master process ready",
        (
            {"server": "unicorn", "event": "timeout", "pid": 55989, "worker": 1, "detail": "6s > 5s"},
            {"event": "killed", "pid": 55989, "worker": 1, "detail": "SIGKILL (signal 9)"},
            {"event": "booted", "pid": None, "worker": 1},
            {"event": "exited", "pid": 5, "worker": 0, "detail": "exit 0"},
            {"event": "memory_limit", "pid": 8, "worker": None, "detail": "273000000 bytes > 268000000 bytes"},
            {"event": "listening", "detail": "0.0.0.0:5000"},
            {"event": "started"},
        ),
    ),
    (
        "2023-03-04T05:06:07.080910+00:00 app[web.1]: [4] Puma starting in cluster mode...\n"
        "2023-03-04T05:06:07.080910+00:00 app[web.1]: [4] * Listening on http://0.0.0.0:5000\n"
        "2023-03-04T05:06:07.080910+00:00 app[web.1]:  * Worker 0 (pid: 6) booted, phase: 0\n"
        "2023-03-04T05:06:07.080910+00:00 app[web.1]: [4] - Worker 1 (PID: 8) booted in 3.25s, phase: 0\n"
        "2023-03-04T05:06:07.080910+00:00 app[web.1]: ! Terminating timed out worker: 6\n"
        "2023-03-04T05:06:07.080910+00:00 app[web.1]: [4] ! Terminating timed out worker (Worker 1 failed to check in within 60"
        " seconds): 8\n"
        "2023-03-04T05:06:07.080910+00:00 app[web.1]: [4] PumaWorkerKiller: Out of memory. 2 workers consuming total: 1024.5 mb"
        " out of max: 998.4 mb. Sending TERM to pid 12 consuming 256.0 mb.\n"
        "2023-03-04T05:06:07.080910+00:00 app[web.1]: [4] - Gracefully shutting down workers...",
        (
            {"server": "puma", "event": "started", "detail": "cluster", "pid": None},
            {"event": "listening", "detail": "http://0.0.0.0:5000"},
            {"event": "booted", "worker": 0, "pid": 6, "detail": None},
            {"event": "booted", "worker": 1, "pid": 8, "detail": "3.25s"},
            {"event": "timeout", "worker": None, "pid": 6, "detail": None},
            {"event": "timeout", "worker": 1, "pid": 8, "detail": "failed to check in within 60 seconds"},
            {"event": "memory_limit", "pid": 12,
             "detail": "2 workers consuming total: 1024.5 mb out of max: 998.4 mb"},
            {"event": "stopping"},
        ),
    ),
)  # fmt: skip

NOT_MINE = (
    "2023-03-04T05:06:07.080910+00:00 app[web.1]: Listening on http://0.0.0.0:5000",
    "2023-03-04T05:06:07.080910+00:00 app[web.1]: user said: WORKER TIMEOUT (pid:12)",
    "2023-03-04T05:06:07.080910+00:00 app[worker.1]: worker=1 done with job",
    "2023-03-04T05:06:07.080910+00:00 heroku[web.1]: [2015-03-04 05:06:07 +0000] [CRITICAL] WORKER TIMEOUT (pid:12)",
)
