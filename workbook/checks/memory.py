"""Chapter 3: does every dyno keep within its memory, and would the metrics show if it did not?"""

from __future__ import annotations

from workbook import limits
from workbook.checks._rule import Rule, count, decimal, literal, place

_METRICS = "Runtime metrics: heroku labs:enable log-runtime-metrics, restart, export the log."
_DYNOS = "A log with the platform's lines of dynos (source heroku)."

RULES = (
    Rule(
        "3.01",
        "The quota of every dyno is known",
        "1X: 512 MB, 2X: 1,024 MB",
        "512 MB (Eco, Basic, Standard-1X) to 126 GB (Performance-2XL)",
        "heroku ps, or runtime metrics (memory_quota).",
        "Load heroku ps: without its quota nobody can say how full a dyno is.",
        "book ch. 3; Dev Center, Dyno types",
    ),
    Rule(
        "3.02",
        "No dyno is over its quota (R14)",
        "104.3 % is R14",
        f"none; {limits.CONSTANT_MINUTES} min or more of it fails (ours)",
        _DYNOS,
        "Run memory_quota for the episodes and memory_trend for the reason.",
        "book ch. 3; Dev Center, R14",
    ),
    Rule(
        "3.03",
        "No dyno is killed for its memory (R15)",
        "none; almost always a leak",
        "none",
        _DYNOS,
        "Run memory_quota: it counts what was in flight, and memory_trend for leaks.",
        "book ch. 3; Dev Center, R15",
    ),
    Rule(
        "3.04",
        "No dyno comes near to where it is killed",
        "killed at 300 % (its own sample shows 501 %)",
        "2 times the quota up to 14 GB, 1.2 times above, 1 time in Private Spaces",
        "Runtime metrics or R14 lines, and heroku ps for the quota.",
        "Run memory_quota: less memory, or a larger dyno, before it is killed.",
        "book ch. 3; Dev Center, Dyno types",
    ),
    Rule(
        "3.13",
        "No dyno swaps",
        "memory_swap 0.00",
        f"a little that stays is normal: up to {limits.SWAP_MB:.0f} MB (ours)",
        _METRICS,
        "Run swap_cost for what it costs and memory_trend for where it comes from.",
        "book ch. 3; Dev Center, Log runtime metrics",
    ),
    Rule(
        "3.14",
        "The metrics add up: total = RSS + cache + swap",
        "96.79 = 96.77 + 0.01 + 0.00 (within rounding)",
        f"within {limits.MEMORY_SUM_MB} MB",
        _METRICS,
        "Distrust the metrics of this dyno: lines of two dynos may be mixed.",
        "book ch. 3; Dev Center, Log runtime metrics",
    ),
    Rule(
        "3.16",
        "The metrics are long enough to show a leak",
        f"{limits.LEAK_HOURS:.0f} hours or more",
        f"{limits.LEAK_HOURS:.0f} h without a restart; dynos restart once a day",
        _METRICS,
        "Load more: a leak that takes half a day does not show in less.",
        "book ch. 3; Dev Center, Dyno restarts",
    ),
)

_TYPES = ", ".join(
    f"({literal(kind.name.lower())}, {kind.quota_mb}, {kind.kill_ratio})" for kind in limits.DYNO_TYPES
)

SQL = rf"""
dyno_types (name, quota_mb, kill_ratio) AS (
    VALUES {_TYPES}
),
quota_ratios AS (
    SELECT quota_mb, min(kill_ratio) AS low, max(kill_ratio) AS high
    FROM dyno_types
    GROUP BY quota_mb
),
memory_values AS (
    SELECT dyno, boot, time, metric, value, {place()} AS place
    FROM dyno_samples
    WHERE dyno IS NOT NULL
        AND value IS NOT NULL
        AND coalesce(unit, 'MB') = 'MB'
        AND metric IN ('memory_total', 'memory_rss', 'memory_cache', 'memory_swap', 'memory_quota')
        AND in_window(time, $start, $end)
),
memory_reports AS (
    SELECT dyno, time, code, memory_mb, memory_percent, {place()} AS place
    FROM dyno_errors
    WHERE code IN ('R14', 'R15') AND in_window(time, $start, $end)
),
printed_quotas AS (
    SELECT dyno, min(quota_mb) AS quota_mb
    FROM memory_reports
    JOIN quota_ratios
        ON abs(100 * memory_mb / nullif(memory_percent, 0) / quota_mb - 1) <= {limits.QUOTA_SNAP}
    GROUP BY dyno
    HAVING count(DISTINCT quota_mb) = 1
),
sampled_quotas AS (
    SELECT dyno, arg_max(value, (time, place)) AS quota_mb
    FROM memory_values
    WHERE metric = 'memory_quota' AND value > 0
    GROUP BY dyno
),
all_dynos AS (
    SELECT dyno FROM memory_values
    UNION
    SELECT dyno FROM memory_reports WHERE dyno IS NOT NULL
    UNION
    SELECT dyno FROM listed
),
quotas AS (
    SELECT
        all_dynos.dyno,
        coalesce(sampled_quotas.quota_mb, dyno_types.quota_mb, printed_quotas.quota_mb)::DOUBLE AS quota_mb,
        coalesce(dyno_types.kill_ratio, quota_ratios.low) AS least_ratio,
        coalesce(dyno_types.kill_ratio, quota_ratios.high) AS largest_ratio,
        listed.place AS listed_at
    FROM all_dynos
    LEFT JOIN listed ON listed.dyno = all_dynos.dyno
    LEFT JOIN dyno_types ON dyno_types.name = lower(listed.size)
    LEFT JOIN sampled_quotas ON sampled_quotas.dyno = all_dynos.dyno
    LEFT JOIN printed_quotas ON printed_quotas.dyno = all_dynos.dyno
    LEFT JOIN quota_ratios
        ON quota_ratios.quota_mb = coalesce(sampled_quotas.quota_mb, dyno_types.quota_mb, printed_quotas.quota_mb)
),
known_quotas AS (
    SELECT
        '3.01' AS id,
        count(*) FILTER (quota_mb IS NULL) AS measured,
        'dynos' AS unit,
        {count("count(quota_mb)")} || ' of ' || {count("count(*)")} || ' dynos with a known quota'
            || coalesce(' (' || string_agg(DISTINCT mb_text, ', ' ORDER BY mb_text) || ')', '') AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured > 0 THEN 'warn' ELSE 'pass' END AS verdict,
        list(listed_at ORDER BY dyno) FILTER (quota_mb IS NULL) AS evidence
    FROM (SELECT *, {count("quota_mb")} || ' MB' AS mb_text FROM quotas)
),
over_quota AS (
    SELECT
        '3.02' AS id,
        count(*) AS measured,
        'R14 lines' AS unit,
        {count("count(*)")} || ' R14 lines in ' || {count("count(DISTINCT (dyno, date_trunc('minute', time)))")}
            || ' minutes of dynos'
            || coalesce(', at most ' || {decimal("max(memory_percent)")} || ' % of the quota', '') AS value,
        CASE
            WHEN NOT EXISTS (FROM dyno_lines) THEN NULL
            WHEN count(DISTINCT (dyno, date_trunc('minute', time))) >= {limits.CONSTANT_MINUTES} THEN 'fail'
            WHEN count(*) > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (coalesce(memory_percent, 0), -place.source_id, -place.line), 3) AS evidence
    FROM memory_reports
    WHERE code = 'R14'
),
memory_kills AS (
    SELECT
        '3.03' AS id,
        count(*) AS measured,
        'R15 lines' AS unit,
        {count("count(*)")} || ' R15'
            || coalesce(', at ' || {decimal("max(memory_percent)")} || ' % of the quota', '') AS value,
        CASE WHEN NOT EXISTS (FROM dyno_lines) THEN NULL WHEN count(*) > 0 THEN 'fail' ELSE 'pass' END AS verdict,
        list(place ORDER BY time, place) AS evidence
    FROM memory_reports
    WHERE code = 'R15'
),
peaks AS (
    SELECT
        dyno,
        memory_mb,
        time,
        place,
        quota_mb,
        -- until 2013 dynos were killed at 5 times in real logs; 2014 has both; a line without a time may be of any year
        CASE
            WHEN year(time) <= 2013 THEN {limits.KILL_RATIO_2013}
            ELSE least_ratio
        END AS low,
        CASE WHEN year(time) > 2014 THEN largest_ratio ELSE {limits.KILL_RATIO_2013} END AS high
    FROM (
        SELECT dyno, value AS memory_mb, time, place FROM memory_values WHERE metric = 'memory_total'
        UNION ALL
        SELECT dyno, memory_mb, time, place FROM memory_reports WHERE memory_mb IS NOT NULL
    )
    JOIN quotas USING (dyno)
    WHERE quota_mb IS NOT NULL AND least_ratio IS NOT NULL
),
kill_margins AS (
    SELECT
        '3.04' AS id,
        max(100 * memory_mb / quota_mb) AS measured,
        '% of quota' AS unit,
        {decimal("measured")} || ' % of the quota at most' AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_or(memory_mb >= high * quota_mb) THEN 'fail'
            WHEN bool_or(memory_mb >= {limits.HIGH_LEVEL_PERCENT / 100} * high * quota_mb) THEN 'warn'
            WHEN bool_or(memory_mb >= {limits.HIGH_LEVEL_PERCENT / 100} * low * quota_mb AND low < high) THEN NULL
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (memory_mb / quota_mb, -place.source_id, -place.line), 1) AS evidence
    FROM peaks
),
swap_samples AS (
    SELECT
        *,
        ntile(3) OVER (PARTITION BY dyno ORDER BY time, place) AS third
    FROM memory_values
    WHERE metric = 'memory_swap'
),
swap_levels AS (
    SELECT
        dyno,
        max(value) AS peak_mb,
        arg_max(place, (value, -place.source_id, -place.line)) AS place,
        median(value) FILTER (third = 3) - median(value) FILTER (third = 1) AS rise_mb
    FROM swap_samples
    GROUP BY dyno
),
swapping AS (
    SELECT
        '3.13' AS id,
        max(peak_mb) AS measured,
        'MB' AS unit,
        {decimal("measured", 2)} || ' MB at most'
            || CASE WHEN bool_or(rise_mb > {limits.SWAP_MB}) THEN ', and rising' ELSE '' END AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_or(rise_mb > {limits.SWAP_MB}) THEN 'fail'
            WHEN measured > {limits.SWAP_MB} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (peak_mb, dyno), 1) AS evidence
    FROM swap_levels
),
summed_samples AS (
    SELECT
        dyno,
        -- the form of 2013 has a line for each value, of one time
        any_value(place ORDER BY place) AS place,
        sum(value) FILTER (metric = 'memory_total')
            - sum(value) FILTER (metric IN ('memory_rss', 'memory_cache', 'memory_swap')) AS off_mb
    FROM memory_values
    WHERE metric <> 'memory_quota'
    GROUP BY dyno, time, place.source_id
    HAVING count(*) = 4 AND count(DISTINCT metric) = 4
),
metric_sums AS (
    SELECT
        '3.14' AS id,
        max(abs(off_mb)) AS measured,
        'MB' AS unit,
        {decimal("measured", 2)} || ' MB off at most, '
            || {count(f"count(*) FILTER (abs(off_mb) > {limits.MEMORY_SUM_MB})")}
            || ' of ' || {count("count(*)")} || ' samples' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured > {limits.MEMORY_SUM_MB} THEN 'warn' ELSE 'pass' END AS verdict,
        arg_max(place, (abs(off_mb), -place.source_id, -place.line), 1) AS evidence
    FROM summed_samples
),
sample_steps AS (
    SELECT
        dyno,
        boot,
        time,
        place,
        time - lag(time) OVER one_life > to_seconds({limits.GAP_S}) AS is_new
    FROM memory_values
    WHERE metric = 'memory_total' AND time IS NOT NULL
    WINDOW one_life AS (PARTITION BY dyno, boot ORDER BY time, place)
),
numbered_runs AS (
    SELECT
        dyno,
        boot,
        time,
        place,
        count(*) FILTER (is_new) OVER (PARTITION BY dyno, boot ORDER BY time, place) AS run
    FROM sample_steps
),
runs AS (
    SELECT
        date_diff('second', min(time), max(time)) / 3600 AS hours,
        [min(place), max(place)] AS evidence
    FROM numbered_runs
    GROUP BY dyno, boot, run
),
long_enough AS (
    SELECT
        '3.16' AS id,
        max(hours) AS measured,
        'h' AS unit,
        {decimal("measured")} || ' h of one dyno without a restart' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured >= {limits.LEAK_HOURS} THEN 'pass' ELSE 'warn' END AS verdict,
        arg_max(evidence, (hours, evidence)) AS evidence
    FROM runs
)"""

MEASURED = (
    *("known_quotas", "over_quota", "memory_kills", "kill_margins", "swapping", "metric_sums"),
    "long_enough",
)
