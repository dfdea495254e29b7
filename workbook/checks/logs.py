"""Chapter 1: is the log whole, is every dyno up, which codes are in it?"""

from __future__ import annotations

from workbook import limits
from workbook.checks._rule import Rule, count, place

_LOG = "A log with the platform's lines: heroku logs -n 1500, or the archive of the logging add-on."

RULES = (
    Rule(
        "1.07",
        "No error code of the platform in the log: H12 and R14 first",
        "none",
        "none; H, R and L codes of today's list",
        _LOG,
        "Run errors for the codes, then blockers for H12 and memory_quota for R14.",
        "book ch. 1; Dev Center, Heroku error codes",
    ),
    Rule(
        "1.08",
        "The log is more than the last lines that Logplex keeps",
        f"{limits.LOGPLEX_LINES:,} lines",
        f"{limits.LOGPLEX_LINES:,} lines; heroku logs prints {limits.HEROKU_LOGS_LINES} by itself",
        "A log of heroku logs, or an archive.",
        "Export the archive of the logging add-on, or load what heroku logs -t writes: the lines before are gone.",
        "book ch. 1; Dev Center, Logging: log history limits",
    ),
    Rule(
        "1.10",
        "Every dyno of the process list is up",
        "all up",
        "all up (or idle, on Eco dynos)",
        "The process list: heroku ps > heroku-ps.txt",
        "Look why they are not up: run crashes.",
        "book ch. 1; Dev Center, Dyno lifecycle",
    ),
    Rule(
        "1.11",
        "No process crashed",
        "none crashed",
        "none crashed",
        "The process list (heroku ps), or a log with the platform's lines.",
        "Run crashes: it sets the stack trace beside each crash.",
        "book ch. 1; Dev Center, Dyno crash restart policy",
    ),
    Rule(
        "1.12",
        "No dyno crashes again and again",
        "a restart mends it",
        f"fewer than {limits.CRASH_LOOP_COUNT} crashes of a dyno in {limits.CRASH_LOOP_MINUTES} min",
        "A log with the platform's lines and their times.",
        "Run crashes: a restart does not mend what crashes at boot; look at the release before.",
        "book ch. 1; ours",
    ),
)

SQL = rf"""
platform_codes AS (
    SELECT code, {place()} AS place, time, code LIKE 'H%' AS of_request
    FROM requests
    WHERE code LIKE 'H%' AND "at" IS DISTINCT FROM 'info' AND in_window(time, $start, $end)
    UNION ALL
    SELECT code, {place()}, time, false
    FROM dyno_errors
    WHERE code IS NOT NULL AND in_window(time, $start, $end)
),
code_counts AS (
    SELECT
        '1.07' AS id,
        count(*) AS measured,
        'lines' AS unit,
        {count("count(*)")} || ' lines with a code' || coalesce(
            ': ' || (
                SELECT string_agg(code || ' ' || n, ', ' ORDER BY n DESC, code)
                FROM (SELECT code, count(*) AS n FROM platform_codes GROUP BY code ORDER BY n DESC, code LIMIT 5)
            ),
            ''
        ) AS value,
        CASE
            WHEN NOT EXISTS (FROM router_visits) AND NOT EXISTS (FROM dyno_lines) THEN NULL
            WHEN count(*) FILTER (of_request) >= {limits.BURST_COUNT}
                AND count(*) FILTER (of_request)
                    >= {limits.ERROR_SHARE} * (SELECT count(*) FROM router_visits) THEN 'fail'
            WHEN count(*) > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        list(place ORDER BY time, place)[1:3] AS evidence
    FROM platform_codes
),
cut_logs AS (
    SELECT
        s.*,
        greatest(s.lines, s.log_lines + s.duplicates) AS most,
        EXISTS (
            FROM sources AS other
            WHERE other.first_time < s.first_time AND other.last_time >= s.first_time AND other.log_lines > 0
        ) AS goes_on,
        list_has_any(
            [s.lines, s.log_lines + s.duplicates],
            [
                {limits.LOGPLEX_LINES}, {limits.LOGPLEX_LINES} + 1,
                {limits.HEROKU_LOGS_LINES}, {limits.HEROKU_LOGS_LINES} + 1
            ]
        ) AS at_limit
    FROM sources AS s
    WHERE log_lines + duplicates > 0
        AND EXISTS (FROM log_lines WHERE log_lines.source_id = s.source_id)
        AND coalesce(last_time >= $start::TIMESTAMP, true)
        AND coalesce(first_time < $end::TIMESTAMP, true)
),
history AS (
    SELECT
        '1.08' AS id,
        coalesce(max(most) FILTER (kind = 'heroku_logs' AND at_limit AND NOT goes_on), max(most)) AS measured,
        'lines' AS unit,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_or(kind = 'heroku_logs' AND at_limit AND NOT goes_on) THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        {count("measured")} || ' lines'
            || CASE verdict WHEN 'warn' THEN ': exactly what is kept, so the log is probably cut' ELSE '' END AS value,
        [] AS evidence
    FROM cut_logs
),
dynos_up AS (
    SELECT
        '1.10' AS id,
        count(*) FILTER (state NOT IN ('up', 'idle')) AS measured,
        'dynos' AS unit,
        {count("count(*) FILTER (state = 'up')")} || ' of ' || {count("count(*)")} || ' dynos up' AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_or(state = 'crashed') THEN 'fail'
            WHEN measured > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        list(place ORDER BY state NOT IN ('up', 'idle') DESC, place)[1:3] AS evidence
    FROM listed
),
crashes AS (
    SELECT dyno, time, {place()} AS place
    FROM dyno_states
    WHERE to_state = 'crashed' AND in_window(time, $start, $end)
),
crash_reports AS (
    SELECT place, 'log' AS told_by FROM crashes
    UNION ALL
    SELECT place, 'list' FROM listed WHERE state = 'crashed'
),
crashed AS (
    SELECT
        '1.11' AS id,
        count(*) AS measured,
        'crashes' AS unit,
        {count("count(*) FILTER (told_by = 'log')")} || ' crashes in the log, '
            || {count("count(*) FILTER (told_by = 'list')")} || ' crashed in the process list' AS value,
        CASE
            WHEN NOT EXISTS (FROM listed) AND NOT EXISTS (FROM dyno_lines) THEN NULL
            WHEN count(*) > 0 THEN 'fail'
            ELSE 'pass'
        END AS verdict,
        list(place ORDER BY place) AS evidence
    FROM crash_reports
),
crash_crowds AS (
    SELECT
        dyno,
        place,
        count(*) OVER (
            PARTITION BY dyno
            ORDER BY time
            RANGE BETWEEN INTERVAL {limits.CRASH_LOOP_MINUTES} MINUTE PRECEDING AND CURRENT ROW
        ) AS crowd
    FROM crashes
    WHERE time IS NOT NULL AND dyno IS NOT NULL
),
crash_loops AS (
    SELECT
        '1.12' AS id,
        coalesce(max(crowd), 0) AS measured,
        'crashes' AS unit,
        'at most ' || {count("measured")} || ' crashes of a dyno in {limits.CRASH_LOOP_MINUTES} min' AS value,
        CASE
            WHEN NOT EXISTS (FROM dyno_lines WHERE time IS NOT NULL) THEN NULL
            WHEN measured >= {limits.CRASH_LOOP_COUNT} THEN 'fail'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, row(crowd, -place.source_id, -place.line), 1) AS evidence
    FROM crash_crowds
)"""

MEASURED = ("code_counts", "history", "dynos_up", "crashed", "crash_loops")
