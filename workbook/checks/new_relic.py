"""Chapter 6: is the span long enough, is every clock UTC, is the application fast, does the database slow down?"""

from __future__ import annotations

from workbook import limits
from workbook.checks._rule import Rule, count, decimal, place
from workbook.components import PART

_ROUTER = "Router lines: heroku logs -n 1500, or the archive of the logging add-on."

RULES = (
    Rule(
        "6.01",
        "The span is long enough to see what changed",
        "12 or 24 hours; the default of 30 minutes is not",
        f"{limits.SPAN_HOURS} h or more",
        "A log with times.",
        "Load more: an archive of the logging add-on holds days.",
        "book ch. 6",
    ),
    Rule(
        "6.02",
        "Every time is read in the zone it was written in",
        "the log is UTC; New Relic has a setting of its own",
        "the log is UTC; New Relic shows the browser's or the account's zone",
        "Any export with times.",
        "Run time_zones: it sets New Relic's throughput over the router log's, and says the zone.",
        "book ch. 6",
    ),
    Rule(
        "6.04",
        "The time in the database does not rise",
        "100 to 400 ms in two hours is 4 times, and still fast; 1 to 4 s is not",
        f"not {limits.CHANGE_TIMES} times and {limits.CHANGE_MS} ms more; it fails where responses pass"
        f" {limits.TARGET_MS} ms",
        "New Relic, the chart App server response time, as CSV.",
        "Look at which component rises in New Relic’s breakdown (response_breakdown table).",
        "book ch. 6; ours",
    ),
    Rule(
        "6.06",
        "The application performs well by its Apdex",
        f"{limits.APDEX_GOOD} or more, T = {limits.APDEX_T_S} s",
        f"{limits.APDEX_GOOD} or more, T = {limits.APDEX_T_S} s",
        _ROUTER,
        "Run slow_transactions for the routes with the lowest Apdex.",
        "book ch. 6; Apdex specification",
    ),
    Rule(
        "6.07",
        "The throughput, in both units",
        "requests per minute, not per second",
        "requests per minute, not per second",
        _ROUTER,
        "",
        "book ch. 6",
    ),
)

SQL = rf"""
log_span AS (
    SELECT
        '6.01' AS id,
        date_diff('second', min(time), max(time)) / 3600 AS measured,
        'h' AS unit,
        {decimal("measured")} || ' h of log' AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured >= {limits.SPAN_HOURS} THEN 'pass'
            ELSE 'warn'
        END AS verdict,
        [] AS evidence
    FROM log_lines
    WHERE in_window(time, $start, $end)
),
assumed_zones AS (
    SELECT
        '6.02' AS id,
        count(*) FILTER (zone LIKE '%carry none%' AND given_zone IS NULL) AS measured,
        'files' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")}
            || ' files have times without a zone, read as UTC' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured > 0 THEN 'warn' ELSE 'pass' END AS verdict,
        list(struct_pack(source_id := source_id, line := 1) ORDER BY source_id)
            FILTER (zone LIKE '%carry none%' AND given_zone IS NULL) AS evidence
    FROM sources
    WHERE first_time IS NOT NULL
),
parts AS (
    SELECT source_id, line, time, value_ms, {PART} AS part
    FROM response_breakdown
    WHERE time IS NOT NULL AND value_ms IS NOT NULL AND in_window(time, $start, $end)
),
part_buckets AS (
    SELECT
        source_id,
        time,
        coalesce(
            sum(value_ms) FILTER (part NOT IN ('whole', 'unknown') AND NOT has_whole),
            coalesce(any_value(value_ms) FILTER (part = 'whole'), 0)
                + coalesce(sum(value_ms) FILTER (part = 'queue'), 0)
        ) AS response_ms,
        sum(value_ms) FILTER (part = 'database') AS database_ms,
        min({place()}) AS place,
        ntile(4) OVER (PARTITION BY source_id ORDER BY time) AS quarter
    FROM (SELECT *, bool_or(part = 'whole') OVER (PARTITION BY source_id) AS has_whole FROM parts)
    GROUP BY source_id, time
    HAVING count(*) FILTER (part = 'database') > 0
),
part_quarters AS (
    SELECT
        source_id,
        avg(database_ms) FILTER (quarter = 1) AS before_ms,
        avg(database_ms) FILTER (quarter = 4) AS after_ms,
        avg(response_ms) FILTER (quarter = 4) AS response_ms,
        [min(place), max(place)] AS evidence
    FROM part_buckets
    GROUP BY source_id
    HAVING count(*) >= 4
),
database_rise AS (
    SELECT
        '6.04' AS id,
        arg_max(after_ms / nullif(before_ms, 0), (after_ms - before_ms, source_id)) AS measured,
        'times' AS unit,
        arg_max(
            format(
                '{{:.0f}} → {{:.0f}} ms: {{:.1f}}×, {{:+.0f}} %{{}}',
                before_ms,
                after_ms,
                after_ms / nullif(before_ms, 0),
                100 * (after_ms / nullif(before_ms, 0) - 1),
                CASE WHEN response_ms <= {limits.TARGET_MS} THEN ', still fast' ELSE '' END
            ),
            (after_ms - before_ms, source_id)
        ) AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_or(
                after_ms >= {limits.CHANGE_TIMES} * before_ms
                AND after_ms - before_ms >= {limits.CHANGE_MS}
                AND response_ms > {limits.TARGET_MS}
            ) THEN 'fail'
            WHEN bool_or(
                after_ms >= {limits.CHANGE_TIMES} * before_ms AND after_ms - before_ms >= {limits.CHANGE_MS}
            ) THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(evidence, (after_ms - before_ms, source_id)) AS evidence
    FROM part_quarters
),
apdex_scores AS (
    SELECT
        (
            count(*) FILTER (NOT failed AND total_ms <= {1000 * limits.APDEX_T_S:g})
            + count(*) FILTER (
                NOT failed AND total_ms > {1000 * limits.APDEX_T_S:g} AND total_ms <= {4000 * limits.APDEX_T_S:g}
            ) / 2
        ) / count(*) AS score,
        'by the router log' AS said,
        arg_max(place, (total_ms, -place.source_id, -place.line)) AS place
    FROM router_visits
    HAVING count(*) >= {limits.APDEX_MIN_COUNT}
    UNION ALL
    SELECT apdex, 'by New Relic' || coalesce(', T = ' || apdex_t || ' s', ''), {place()}
    FROM transactions
    WHERE is_total AND apdex IS NOT NULL AND in_window(NULL, $start, $end)
),
apdex AS (
    SELECT
        '6.06' AS id,
        min(score) AS measured,
        'score' AS unit,
        string_agg(format('{{:.2f}} {{}}', score, said), '; ' ORDER BY score, said) AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured >= {limits.APDEX_GOOD} THEN 'pass'
            WHEN measured >= {limits.APDEX_POOR} THEN 'warn'
            ELSE 'fail'
        END AS verdict,
        arg_min(place, (score, said), 1) AS evidence
    FROM apdex_scores
),
throughput AS (
    SELECT
        '6.07' AS id,
        count(*) * 60 / nullif(date_diff('second', min(time), max(time)), 0) AS measured,
        'requests per minute' AS unit,
        {decimal("measured")} || ' requests per minute (' || {decimal("measured / 60", 2)} || ' per second)' AS value,
        CASE WHEN measured IS NULL THEN NULL ELSE 'pass' END AS verdict,
        [] AS evidence
    FROM router_visits
)"""

MEASURED = ("log_span", "assumed_zones", "database_rise", "apdex", "throughput")
