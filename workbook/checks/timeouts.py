"""Chapter 4: do requests end well before 30 s, do fast ones wait for slow ones, and is there a timeout in front?"""

from __future__ import annotations

from workbook import limits
from workbook.checks._rule import Rule, count, decimal, place, share

_ROUTER = "Router lines: heroku logs -n 1500, or the archive of the logging add-on."
_TIMEOUTS = "Lines of rack-timeout (or its like): add the gem, deploy, export the log."
_TABLE = "New Relic, Web transactions, table view, as CSV; it has no times, so ask without a window."

RULES = (
    Rule(
        "4.01",
        "No request comes near to the limit of the router",
        f"{limits.H12_MS // 1000} s, not to be changed",
        f"{limits.H12_MS // 1000} s to the first byte, then 55 s between bytes",
        _ROUTER,
        "Run slow_transactions for the routes, and blockers for each H12.",
        "book ch. 4; Dev Center, Request timeout",
    ),
    Rule(
        "4.02",
        f"Every request is answered within {limits.TARGET_MS} ms",
        f"every request, {limits.TARGET_MS} ms",
        f"{limits.WELL_TUNED_SHARE:.0%} within {limits.TARGET_MS} ms (ours); Dev Center: under 500 ms",
        _ROUTER,
        "Run slow_transactions in the order of time consumed.",
        "book ch. 4; Dev Center, Request timeout",
    ),
    Rule(
        "4.03",
        "Nobody waits more than a few seconds",
        "a few seconds",
        f"at most {limits.LOST_SHARE:.0%} over {limits.PERSON_MS // 1000} s (ours)",
        _ROUTER,
        "Run slow_transactions: work of seconds belongs in the background.",
        "book ch. 4; ours",
    ),
    Rule(
        "4.07",
        "Nobody saw the error page of the platform",
        "set an error page of your own",
        "ERROR_PAGE_URL and MAINTENANCE_PAGE_URL",
        _ROUTER,
        "Look whether ERROR_PAGE_URL is set (heroku config): these visitors saw it.",
        "book ch. 4; Dev Center, Error pages",
    ),
    Rule(
        "4.08",
        "No dyno works on for a client that is gone",
        "the dyno goes on after the H12",
        "the same: the router does not stop the dyno",
        _TIMEOUTS,
        "Cut requests in the application well before 30 s: run what_if with a timeout.",
        "book ch. 4; Dev Center, Request timeout",
    ),
    Rule(
        "4.12",
        "A web dyno serves more than one request at a time",
        "Thin 1; Unicorn, Puma, Gunicorn and Node more",
        "Puma with several threads or workers, by WEB_CONCURRENCY",
        "heroku ps, which prints the command of the web dynos.",
        "Give the server more threads or workers, as memory allows: run what_if with two slots.",
        "book ch. 4; Dev Center, Concurrency",
    ),
    Rule(
        "4.16",
        "No route takes longer than work in a request should",
        f"more than {limits.BACKGROUND_MS // 1000} s belongs in the background",
        f"more than {limits.BACKGROUND_MS // 1000} s belongs in the background",
        _ROUTER,
        "Run slow_transactions with over_5s, and move this work to a worker.",
        "book ch. 4; Dev Center, Worker dynos",
    ),
    Rule(
        "4.18",
        "A timeout of the application cuts requests well before 30 s",
        "default 15 s; 10 s or less; tuned 5 s; 28 s makes no sense",
        "rack-timeout's default is 15 s, less what a request waited; Dev Center: 10 or 15 s",
        _TIMEOUTS,
        "Set RACK_TIMEOUT_SERVICE_TIMEOUT lower: run what_if with a timeout of 10 s.",
        "book ch. 4; rack-timeout, settings",
    ),
    Rule(
        "4.20",
        "No request is old when the application gets it",
        f"an age of {limits.HIGH_WAIT_MS // 1000} s or more is too long; 329 ms is fine",
        "the same; later versions call it wait",
        _TIMEOUTS,
        "Run queueing: which requests waited, and behind what.",
        "book ch. 4; rack-timeout, logging",
    ),
    Rule(
        "4.21",
        "No fast request is stuck in the queue",
        "a request of 50 ms had waited 15 s",
        f"none waits {limits.HIGH_WAIT_MS // 1000} s that then takes less than {limits.SLOW_MS // 1000} s",
        _TIMEOUTS,
        "Run blockers: it names the request in front of each.",
        "book ch. 4",
    ),
    Rule(
        "4.22",
        "No request expires before it runs",
        "expired: dropped before the application ran",
        "the same; wait timeout 30 s by default",
        _TIMEOUTS,
        "Run queueing: these were given up without any work, and their clients saw an error.",
        "book ch. 4; rack-timeout, settings",
    ),
    Rule(
        "4.23",
        "The lines of one request have one id",
        "the id of rack-timeout is the router's",
        "X-Request-Id, in every line of the router since 2014",
        "Router lines of today's form and lines of rack-timeout.",
        "Pass X-Request-Id on to the application and tag its log lines with it.",
        "book ch. 4; Dev Center, HTTP request IDs",
    ),
    Rule(
        "4.26",
        "No transaction's largest time is near the limit (then by its count)",
        f"20,200 ms of HealthController#index: start there (danger from {limits.DANGER_MS // 1000} s)",
        f"none of {limits.DANGER_MS // 1000} s or more (ours), and then the most frequent first",
        _TABLE,
        "Run slow_transactions: by max, then by count.",
        "book ch. 4; ours",
    ),
    Rule(
        "4.27",
        "In New Relic's table count × average is the total",
        "within 0.3 % in all ten rows",
        f"within {limits.PRODUCT_PASS:.1%} of rounding (ours)",
        _TABLE,
        "Distrust this row: a column was read from the wrong place, or the table was edited.",
        "book ch. 4; ours",
    ),
)

_ENOUGH = f"count(*) < {limits.COMPARED_REQUESTS}"

SQL = rf"""
near_the_limit AS (
    SELECT
        '4.01' AS id,
        count(*) FILTER (total_ms >= {limits.NEAR_H12_MS} OR code = 'H12') AS measured,
        'requests' AS unit,
        {count("count(*) FILTER (code = 'H12')")} || ' H12, '
            || {count(f"count(*) FILTER (total_ms >= {limits.NEAR_H12_MS} AND code IS DISTINCT FROM 'H12')")}
            || ' others of {limits.NEAR_H12_MS // 1000} s or more, '
            || {count(f"count(*) FILTER (total_ms >= {limits.TIMEOUT_USELESS_MS} AND code IS DISTINCT FROM 'H12')")}
            || ' of them of {limits.TIMEOUT_USELESS_MS // 1000} s or more' AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_or(code = 'H12') THEN 'fail'
            WHEN measured > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        list(place ORDER BY place)
            FILTER (total_ms >= {limits.NEAR_H12_MS} OR code = 'H12') AS evidence
    FROM router_visits
),
on_target AS (
    SELECT
        '4.02' AS id,
        count(*) FILTER (code IS NULL AND total_ms <= {limits.TARGET_MS}) / count(*) AS measured,
        'share' AS unit,
        {share("measured")} || ' of ' || {count("count(*)")} || ' requests' AS value,
        CASE
            WHEN {_ENOUGH} THEN NULL
            WHEN measured >= {limits.WELL_TUNED_SHARE} THEN 'pass'
            WHEN measured >= {limits.USUAL_SHARE} THEN 'warn'
            ELSE 'fail'
        END AS verdict,
        arg_max(place, (total_ms, -place.source_id, -place.line), 1)
            FILTER (total_ms > {limits.TARGET_MS}) AS evidence
    FROM router_visits
),
too_slow_for_a_person AS (
    SELECT
        '4.03' AS id,
        count(*) FILTER (total_ms > {limits.PERSON_MS}) / count(*) AS measured,
        'share' AS unit,
        {share("measured")} || ' over {limits.PERSON_MS // 1000} s, '
            || {share(f"count(*) FILTER (total_ms > {limits.SLOW_MS}) / count(*)")}
            || ' over {limits.SLOW_MS // 1000} s' AS value,
        CASE
            WHEN {_ENOUGH} THEN NULL
            WHEN measured > {limits.OFTEN_SHARE} THEN 'fail'
            WHEN measured > {limits.LOST_SHARE} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (total_ms, -place.source_id, -place.line), 1)
            FILTER (total_ms > {limits.PERSON_MS}) AS evidence
    FROM router_visits
),
error_pages AS (
    SELECT
        '4.07' AS id,
        count(*) FILTER (code LIKE 'H%' AND status = 503) AS measured,
        'requests' AS unit,
        {count("measured")} || ' requests were answered with the platform''s error page' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured > 0 THEN 'warn' ELSE 'pass' END AS verdict,
        list(place ORDER BY place) FILTER (code LIKE 'H%' AND status = 503) AS evidence
    FROM router_visits
),
zombie_work AS (
    SELECT
        '4.08' AS id,
        coalesce(
            sum((age_ms + completed_ms - {limits.H12_MS}) / 1000)
                FILTER (code = 'H12' AND age_ms + completed_ms > {limits.H12_MS}),
            0
        ) AS measured,
        's' AS unit,
        {decimal("measured")} || ' s of work after an H12' AS value,
        CASE
            WHEN count(*) = 0 OR count(code) FILTER (code = 'H12') > 0 AND count(completed_ms) = 0 THEN NULL
            WHEN measured > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        list(timed_requests.place ORDER BY timed_requests.place)
            FILTER (code = 'H12' AND age_ms + completed_ms > {limits.H12_MS}) AS evidence
    FROM timed_requests
    JOIN router_visits USING (request_id)
),
web_commands AS (
    SELECT
        lower(command) AS command,
        regexp_matches(lower(command), '\bthin\b') AS is_thin,
        try_cast(nullif(regexp_extract(lower(command), '\bpuma\b.*(?:-t|--threads)[ =]?\d+:(\d+)', 1), '') AS BIGINT)
            AS threads,
        coalesce(
            try_cast(nullif(regexp_extract(lower(command), '(?:-w|--workers)[ =]?(\d+)', 1), '') AS BIGINT),
            0
        ) AS workers,
        {place()} AS place
    FROM processes
    WHERE process_type = 'web' AND command IS NOT NULL
    QUALIFY row_number() OVER (ORDER BY source_id DESC, line DESC) = 1
),
slots AS (
    SELECT
        '4.12' AS id,
        CASE
            WHEN is_thin THEN 1
            WHEN threads IS NOT NULL THEN threads * greatest(workers, 1)
            WHEN regexp_matches(command, '\b(gunicorn|puma|unicorn)\b') AND workers > 1 THEN workers
        END AS measured,
        'requests at once' AS unit,
        CASE
            WHEN measured IS NULL THEN 'the command does not say'
            ELSE {count("measured")} || ' at once on a web dyno'
        END AS value,
        CASE WHEN measured IS NULL THEN NULL WHEN measured = 1 THEN 'fail' ELSE 'pass' END AS verdict,
        [place] AS evidence
    FROM web_commands
),
-- the router's time holds the wait behind other requests; what the application says of its own work goes before
route_visits AS (
    SELECT
        route,
        coalesce(work.duration_ms, total_ms) AS work_ms,
        work.duration_ms IS NOT NULL AS is_known,
        router_visits.place
    FROM router_visits
    LEFT JOIN (
        SELECT request_id, any_value(duration_ms) AS duration_ms
        FROM timed_requests
        WHERE duration_ms IS NOT NULL
        GROUP BY request_id
        HAVING count(*) = 1
    ) AS work USING (request_id)
    WHERE route IS NOT NULL AND total_ms IS NOT NULL
),
route_times AS (
    SELECT
        route,
        count(*) AS visits,
        count(*) FILTER (is_known) AS known,
        quantile_cont(work_ms, 0.95) AS p95_ms,
        max(work_ms) AS max_ms,
        arg_max(place, (work_ms, -place.source_id, -place.line)) AS place
    FROM route_visits
    GROUP BY route
),
background_work AS (
    SELECT
        '4.16' AS id,
        count(*) FILTER (max_ms > {limits.BACKGROUND_MS}) AS measured,
        'routes' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' routes over {limits.BACKGROUND_MS // 1000} s, '
            || {count(f"count(*) FILTER (p95_ms > {limits.BACKGROUND_MS} AND visits >= {limits.MIN_FOR_P95})")}
            || ' of them in more than 1 of 20 requests'
            || CASE WHEN sum(known) < sum(visits) THEN ' (by the router: waiting included)' ELSE '' END AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_or(p95_ms > {limits.BACKGROUND_MS} AND visits >= {limits.MIN_FOR_P95}) THEN 'fail'
            WHEN measured > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (max_ms, -place.source_id, -place.line), 3)
            FILTER (max_ms > {limits.BACKGROUND_MS}) AS evidence
    FROM route_times
),
timeout_setting AS (
    -- each line has its own timeout, lowered by what the request waited: the largest is the setting
    SELECT
        '4.18' AS id,
        max(timeout_ms) AS measured,
        'ms' AS unit,
        'cut after ' || {decimal("measured / 1000")} || ' s at most' AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured >= {limits.TIMEOUT_USELESS_MS} THEN 'fail'
            WHEN measured > {limits.TIMEOUT_MS} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (timeout_ms, -place.source_id, -place.line), 1) AS evidence
    FROM timed_requests
),
old_requests AS (
    SELECT
        '4.20' AS id,
        count(*) FILTER (age_ms >= {limits.HIGH_WAIT_MS}) / count(*) AS measured,
        'share' AS unit,
        {count(f"count(*) FILTER (age_ms >= {limits.HIGH_WAIT_MS})")} || ' of ' || {count("count(*)")}
            || ' requests were {limits.HIGH_WAIT_MS // 1000} s old or more' AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN measured >= {limits.ERROR_SHARE} AND count(*) >= {limits.COMPARED_REQUESTS} THEN 'fail'
            WHEN measured > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (age_ms, -place.source_id, -place.line), 3)
            FILTER (age_ms >= {limits.HIGH_WAIT_MS}) AS evidence
    FROM timed_requests
    WHERE age_ms IS NOT NULL
),
stuck_requests AS (
    SELECT
        '4.21' AS id,
        count(*) FILTER (age_ms >= {limits.HIGH_WAIT_MS} AND duration_ms < {limits.SLOW_MS}) AS measured,
        'requests' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' were fast, and had waited' AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN measured >= {limits.ERROR_SHARE} * count(*) AND measured >= {limits.BURST_COUNT} THEN 'fail'
            WHEN measured > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (age_ms, -place.source_id, -place.line), 3)
            FILTER (age_ms >= {limits.HIGH_WAIT_MS} AND duration_ms < {limits.SLOW_MS}) AS evidence
    FROM timed_requests
    WHERE age_ms IS NOT NULL AND duration_ms IS NOT NULL
),
expired_requests AS (
    SELECT
        '4.22' AS id,
        count(*) FILTER (expired) AS measured,
        'requests' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' expired' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured > 0 THEN 'warn' ELSE 'pass' END AS verdict,
        list(place ORDER BY place) FILTER (expired) AS evidence
    FROM timed_requests
),
joined_requests AS (
    SELECT
        '4.23' AS id,
        count(*) FILTER (EXISTS (FROM router_visits WHERE router_visits.request_id = timed_requests.request_id))
            / count(*) AS measured,
        'share' AS unit,
        {share("measured")} || ' of ' || {count("count(*)")} || ' ids are in the router log too' AS value,
        CASE
            WHEN count(*) = 0 OR NOT EXISTS (FROM router_visits WHERE request_id IS NOT NULL) THEN NULL
            WHEN measured >= {limits.WELL_TUNED_SHARE} THEN 'pass'
            ELSE 'warn'
        END AS verdict,
        [] AS evidence
    FROM timed_requests
),
table_rows AS (
    SELECT *, calls * avg_ms / nullif(total_ms, 0) - 1 AS off, {place()} AS place
    FROM transactions
    WHERE NOT coalesce(is_total, false) AND in_window(NULL, $start, $end)
),
largest_times AS (
    SELECT
        '4.26' AS id,
        coalesce(
            arg_max(max_ms, (calls, max_ms, name)) FILTER (max_ms >= {limits.DANGER_MS}),
            max(max_ms)
        ) AS measured,
        'ms' AS unit,
        {decimal("measured", 0)} || ' ms of '
            || coalesce(
                arg_max(name, (calls, max_ms, name)) FILTER (max_ms >= {limits.DANGER_MS}),
                arg_max(name, (max_ms, name)),
                'a row without a name'
            ) AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured >= {limits.DANGER_MS} THEN 'fail'
            WHEN measured > {limits.BACKGROUND_MS} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        coalesce(
            arg_max(place, (calls, max_ms, name), 1) FILTER (max_ms >= {limits.DANGER_MS}),
            arg_max(place, (max_ms, name), 1)
        ) AS evidence
    FROM table_rows
    WHERE max_ms IS NOT NULL
),
table_products AS (
    SELECT
        '4.27' AS id,
        max(abs(off)) AS measured,
        'share' AS unit,
        format('{{:.2f}} %', 100 * measured) || ' off at most, in ' || {count("count(*)")} || ' rows' AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured <= {limits.PRODUCT_PASS} THEN 'pass'
            WHEN measured <= {limits.PRODUCT_WARN} THEN 'warn'
            ELSE 'fail'
        END AS verdict,
        arg_max(place, (abs(off), -place.source_id, -place.line), 1) AS evidence
    FROM table_rows
    WHERE off IS NOT NULL
)"""

MEASURED = (
    *("near_the_limit", "on_target", "too_slow_for_a_person", "error_pages", "zombie_work", "slots"),
    *("background_work", "timeout_setting", "old_requests", "stuck_requests", "expired_requests"),
    *("joined_requests", "largest_times", "table_products"),
)
