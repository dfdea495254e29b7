"""Chapter 5: is the cache large enough, does the follower follow, are there backups, was a swap done in order?"""

from __future__ import annotations

from workbook import limits
from workbook.checks._rule import Rule, count, decimal, place, share
from workbook.databases import swap

_INFO = "heroku pg:info > pg-info.txt"
_SESSION = "The terminal of the swap, copied whole."

RULES = (
    Rule(
        "5.02",
        "The follower is not behind",
        "Behind By: 0 commits",
        "0 commits before a swap",
        _INFO + ", with a follower.",
        "Wait until it has caught up before it is promoted.",
        "book ch. 5; Dev Center, Heroku Postgres followers",
    ),
    Rule(
        "5.04",
        "The database is small enough that a new follower is whole when it is ready",
        f"under {limits.LARGE_DATABASE_GB} GB",
        f"under {limits.LARGE_DATABASE_GB} GB",
        _INFO,
        "Look that its indexes are built before it takes traffic.",
        "book ch. 5",
    ),
    Rule(
        "5.06",
        "A database was swapped in the six steps, in order",
        "maintenance on, all processes to zero, unfollow, promote, maintenance off, remove the old one",
        "the same",
        _SESSION,
        "Run database_card: it names the step that is missing or out of order.",
        "book ch. 5; Dev Center, Changing the plan",
    ),
    Rule(
        "5.07",
        "A session names one application only",
        "type the application's name: it cannot be undone",
        "the same (--confirm NAME)",
        _SESSION,
        "Look which application was changed: the session names several.",
        "book ch. 5; Dev Center, Heroku CLI",
    ),
    Rule(
        "5.12",
        "The database is protected continuously",
        f"archived every {limits.WAL_SECONDS} s, so at worst {limits.WAL_SECONDS} s are lost",
        "Continuous Protection: On (plans from Standard; not Essential)",
        _INFO,
        "Take backups often, or move to a plan from Standard on.",
        "book ch. 5; Dev Center, Heroku Postgres data safety",
    ),
    Rule(
        "5.13",
        "There is a good backup of each day",
        "24:02, 24:00 and 24:46 h apart",
        f"none older, or further apart, than {limits.BACKUP_HOURS} h (ours)",
        "heroku pg:backups > backups.txt",
        "Take one now (heroku pg:backups:capture), and look why the schedule failed.",
        "book ch. 5; Dev Center, Heroku PGBackups",
    ),
    Rule(
        "5.14",
        "No address of a backup is in what is shared",
        "public for some minutes",
        "public until it expires",
        "Any export.",
        "Redact before sharing (workbook redact); the address gives the whole data until it expires.",
        "book ch. 5; Dev Center, Heroku PGBackups",
    ),
    Rule(
        "5.15",
        "The cache hit rates are 99 % or more",
        "0.99006 (index), 0.99768 (cache)",
        f"{limits.CACHE_HIT_SHARE} or more",
        "heroku pg:cache-hit > cache-hit.txt, or metric lines of the database.",
        "Indexes first, plan second: pg:index-usage and pg:outliers.",
        "book ch. 5; Dev Center, Heroku Postgres metrics",
    ),
    Rule(
        "7.10",
        "There is room for the connections of another deploy",
        "pool at the dyno (pgbouncer)",
        f"under {limits.CONNECTION_SHARE:.0%} of what the plan allows (ours)",
        _INFO + ", which prints 2/20 today.",
        "Reckon dynos × processes × pool; make the pools smaller, or pool with pgbouncer.",
        "book ch. 7; Dev Center, Heroku Postgres plans",
    ),
)

SQL = rf"""
facts AS (
    SELECT *, {place()} AS place
    FROM database_facts
    WHERE database IS NOT NULL AND fact IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY database, fact ORDER BY source_id DESC, line DESC) = 1
),
follower_lags AS (
    SELECT try_cast(regexp_extract(value, '^(\d{{1,18}})', 1) AS DOUBLE) AS commits, place
    FROM facts
    WHERE fact = 'Behind By'
),
follower_lag AS (
    SELECT
        '5.02' AS id,
        max(commits) AS measured,
        'commits' AS unit,
        {count("measured")} || ' commits behind' AS value,
        CASE WHEN measured IS NULL THEN NULL WHEN measured > 0 THEN 'warn' ELSE 'pass' END AS verdict,
        arg_max(place, (commits, -place.line), 1) AS evidence
    FROM follower_lags
),
data_sizes AS (
    SELECT
        try_cast(nullif(size.number, '') AS DOUBLE) * 1024.0 ** (instr('KMGT', upper(size.power)) - 3) AS gb,
        place
    FROM (
        SELECT
            regexp_extract(value, '(\d{{1,12}}(?:\.\d{{1,6}})?)\s?([kKMGT]?)B', ['number', 'power']) AS size,
            place
        FROM facts
        WHERE fact = 'Data Size'
    )
),
data_size AS (
    SELECT
        '5.04' AS id,
        max(gb) AS measured,
        'GB' AS unit,
        CASE
            WHEN measured < 1 THEN {decimal("1024 * measured")} || ' MB'
            ELSE {decimal("measured")} || ' GB'
        END AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured >= {limits.LARGE_DATABASE_GB} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (gb, -place.line), 1) AS evidence
    FROM data_sizes
),
{swap.COMMANDS.strip()},
swap_sessions AS (
    SELECT
        source_id,
        list(DISTINCT step ORDER BY step) AS steps,
        list(step ORDER BY line) AS as_typed,
        -- the web processes too: the book's own session leaves them running
        bool_or(step = 2 AND regexp_matches(arguments, '(^|\s)web=0(\s|:|$)')) AS web_stopped,
        min({place()}) AS place
    FROM commands
    WHERE step IS NOT NULL
    GROUP BY source_id
    HAVING bool_or(step = 4) AND (bool_or(step = 3) OR bool_or(step = 1))
),
swap_steps AS (
    SELECT
        '5.06' AS id,
        arg_min(len(steps) - (NOT web_stopped AND list_contains(steps, 2))::INTEGER, (len(steps), place)) AS measured,
        'steps' AS unit,
        {count("measured")} || ' of 6 steps done whole'
            || CASE WHEN bool_or(as_typed <> list_sort(as_typed)) THEN ', not in order' ELSE '' END AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_and(len(steps) = 6 AND web_stopped AND as_typed = list_sort(as_typed)) THEN 'pass'
            ELSE 'fail'
        END AS verdict,
        list(place ORDER BY place) AS evidence
    FROM swap_sessions
),
session_names AS (
    SELECT
        source_id,
        count(DISTINCT app) AS apps,
        string_agg(DISTINCT app, ', ' ORDER BY app) AS names,
        min({place()}) AS place
    FROM transcript
    WHERE app IS NOT NULL
    GROUP BY source_id
),
one_application AS (
    SELECT
        '5.07' AS id,
        max(apps) AS measured,
        'applications' AS unit,
        arg_max(names, (apps, -source_id)) AS value,
        CASE WHEN measured IS NULL THEN NULL WHEN measured > 1 THEN 'fail' ELSE 'pass' END AS verdict,
        arg_max(place, (apps, -source_id), 1) AS evidence
    FROM session_names
),
protection AS (
    SELECT
        '5.12' AS id,
        count(*) FILTER (lower(value) LIKE 'off%') AS measured,
        'databases' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' databases without' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured > 0 THEN 'warn' ELSE 'pass' END AS verdict,
        list(place ORDER BY place) FILTER (lower(facts.value) LIKE 'off%') AS evidence
    FROM facts
    WHERE fact = 'Continuous Protection'
),
listed_backups AS (
    SELECT *, {place()} AS place, regexp_matches(state, '^(Finished|Completed)') AS is_good
    FROM backups
    WHERE backup IS NOT NULL AND time IS NOT NULL AND coalesce(kind, 'backup') = 'backup'
    QUALIFY row_number() OVER (PARTITION BY backup, time ORDER BY source_id DESC, line DESC) = 1
),
backup_gaps AS (
    SELECT
        *,
        date_diff('minute', lag(time) OVER (ORDER BY time, backup), time) / 60 AS gap_h
    FROM listed_backups
    WHERE is_good
),
backup_ages AS (
    SELECT
        max(gap_h) AS gap_h,
        date_diff('minute', max(time), any_value(as_of)) / 60 AS age_h,
        count(*) AS backups,
        arg_max(place, (time, backup)) AS newest
    FROM backup_gaps
    CROSS JOIN evidence_times
),
daily_backups AS (
    SELECT
        '5.13' AS id,
        greatest(gap_h, CASE WHEN age_h >= 0 THEN age_h END) AS measured,
        'h' AS unit,
        CASE
            WHEN backups = 0 THEN 'no good backup'
            ELSE concat_ws(
                ', ',
                {count("backups")} || ' good ones',
                'at most ' || {decimal("gap_h")} || ' h apart',
                CASE WHEN age_h >= 0 THEN 'the newest ' || {decimal("age_h")} || ' h old' END
            )
        END AS value,
        CASE
            WHEN NOT EXISTS (FROM listed_backups) THEN NULL
            WHEN backups = 0 OR age_h > {limits.BACKUP_HOURS} THEN 'fail'
            WHEN gap_h > {limits.BACKUP_HOURS} OR EXISTS (FROM listed_backups WHERE NOT is_good) THEN 'warn'
            -- of a single one without a day to count from nothing is known
            WHEN measured IS NULL THEN NULL
            ELSE 'pass'
        END AS verdict,
        [newest] AS evidence
    FROM backup_ages
),
hit_rates AS (
    SELECT number AS rate, name, {place()} AS place
    FROM table_statistics
    WHERE report = 'cache_hit' AND statistic = 'ratio' AND number BETWEEN 1e-9 AND 1
    QUALIFY row_number() OVER (PARTITION BY name ORDER BY source_id DESC, line DESC) = 1
    UNION ALL
    SELECT median(value), replace(metric, '_', ' '), arg_min({place()}, (value, source_id, line))
    FROM database_samples
    WHERE metric IN ('index_cache_hit_rate', 'table_cache_hit_rate')
        AND value BETWEEN 1e-9 AND 1
        AND in_window(time, $start, $end)
    GROUP BY attachment, metric
),
cache_hits AS (
    SELECT
        '5.15' AS id,
        min(rate) AS measured,
        'share' AS unit,
        format(
            '{{:.5f}} ({{}}), {{:+.5f}}',
            measured,
            arg_min(name, (rate, name)),
            measured - {limits.CACHE_HIT_SHARE}
        ) AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured < {limits.CACHE_HIT_SHARE} THEN 'fail'
            ELSE 'pass'
        END AS verdict,
        arg_min(place, (rate, name), 1) AS evidence
    FROM hit_rates
),
connection_counts AS (
    SELECT
        try_cast(nullif(regexp_extract(value, '^(\d{{1,6}})/\d', 1), '') AS DOUBLE) AS used,
        nullif(try_cast(nullif(regexp_extract(value, '^\d{{1,6}}/(\d{{1,6}})', 1), '') AS DOUBLE), 0) AS most,
        place
    FROM facts
    WHERE fact = 'Connections'
),
connections_left AS (
    SELECT
        '7.10' AS id,
        max(used / most) AS measured,
        'share' AS unit,
        {share("measured")} || ' of ' || {count("arg_max(most, used / most)")} || ' connections' AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured >= 1 THEN 'fail'
            WHEN measured >= {limits.CONNECTION_SHARE} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (used / most, -place.line), 1) AS evidence
    FROM connection_counts
),
backup_addresses AS (
    SELECT
        '5.14' AS id,
        count(*) FILTER (is_backup_address) AS measured,
        'lines' AS unit,
        {count("measured")} || ' lines with a signed address' AS value,
        CASE
            WHEN NOT EXISTS (FROM told_texts) THEN NULL
            WHEN measured > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        list(place ORDER BY place) FILTER (is_backup_address) AS evidence
    FROM telling_texts
)"""

MEASURED = (
    *("follower_lag", "data_size", "swap_steps", "one_application", "protection", "daily_backups"),
    *("backup_addresses", "cache_hits", "connections_left"),
)
