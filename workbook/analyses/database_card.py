"""How is the database: cache, connections, follower, backups, and was a swap done in order?     (book ch. 5)

One row for each thing that a paste or a metric tells; the worst of a section first.

Columns: ``section``: hit_rate, index_use, connections, size, follower, backups, swap, query, locks, bloat, check;
``database``; ``name``: what the row is about (a rate, a table, a step of the swap); ``verdict``, see below; ``value``
with ``unit``: share (0 to 1), count, commits, h, s, bytes or times; ``limit_value``: what the value is compared with,
in the same unit; ``margin``: value less limit; ``trend_per_day``: of a rate in the log, its slope as a share a day;
``said``: the words that were printed; ``time``: of the value, where it has one; ``as_of``: the window's end, else the
newest time in a log or a dig; ``evidence``.

Verdicts: ``ok``, ``low`` (a rate below 0.99, an index that is little used), ``near_limit``, ``behind``, ``old``,
``failed``, ``gap``, ``small``, ``same_size``; ``done``, ``partly``, ``out_of_order``, ``missing`` of a step;
``differs``: names of applications within a swap; ``slow``, ``waits``, ``bloated``, ``red``, ``yellow``, ``large``,
``told`` (no limit), ``cannot_tell``.

Pastes carry no time: the window cuts the metrics only, and its end says as of when a backup's age is counted. Of the
same paste loaded again the newest counts. A rate of 0, or none, is a database that was not read, and is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Finding, Query, cite, numbers_of
from workbook.window import Window
from workbook.words import line as _text

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("database_facts", "backups", "table_statistics", "transcript", "database_samples"),)
REFERENCE = "book ch. 5"

_PLANS = ", ".join(f"('{plan}', {most})" for plan, most in sorted(limits.PLAN_CONNECTIONS.items()))

SQL = rf"""
WITH evidence_times AS (
    SELECT coalesce(
        $end::TIMESTAMP,
        greatest((SELECT max(time) FROM dns_records), (SELECT max(time) FROM log_lines))
    ) AS as_of
),
plans (plan, most) AS (
    VALUES {_PLANS}
),
facts AS (
    SELECT *, {{'source_id': source_id, 'line': line}} AS place
    FROM database_facts
    WHERE database IS NOT NULL AND fact IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY database, fact ORDER BY source_id DESC, line DESC) = 1
),
statistics AS (
    SELECT *, {{'source_id': source_id, 'line': line}} AS place
    FROM table_statistics
    WHERE report IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY report, name, statistic, number ORDER BY source_id DESC, line DESC) = 1
),
printed_rates AS (
    SELECT
        'hit_rate' AS section,
        name,
        CASE WHEN number < {limits.CACHE_HIT_SHARE} THEN 'low' ELSE 'ok' END AS verdict,
        number AS measured,
        'share' AS unit,
        {limits.CACHE_HIT_SHARE} AS limit_value,
        value AS said,
        [place] AS evidence
    FROM (SELECT * FROM statistics WHERE report = 'cache_hit' AND statistic = 'ratio' AND number BETWEEN 1e-9 AND 1)
    QUALIFY row_number() OVER (PARTITION BY name ORDER BY place.source_id DESC, place.line DESC) = 1
),
logged_rates AS (
    SELECT
        'hit_rate' AS section,
        attachment AS database,
        replace(metric, '_', ' ') AS name,
        CASE WHEN median(value) < {limits.CACHE_HIT_SHARE} THEN 'low' ELSE 'ok' END AS verdict,
        median(value) AS measured,
        'share' AS unit,
        {limits.CACHE_HIT_SHARE} AS limit_value,
        CASE
            WHEN count(*) >= 12 AND max(time) - min(time) >= INTERVAL 6 HOUR
                THEN regr_slope(value, epoch(time) / 86400.0)
        END AS trend_per_day,
        max(time) AS time,
        [arg_min({{'source_id': source_id, 'line': line}}, (value, source_id, line))] AS evidence
    FROM database_samples
    WHERE metric IN ('index_cache_hit_rate', 'table_cache_hit_rate')
        AND value BETWEEN 1e-9 AND 1
        AND in_window(time, $start, $end)
    GROUP BY attachment, metric
),
large_tables AS (
    SELECT
        'index_use' AS section,
        name,
        'low' AS verdict,
        max_by(number, place) FILTER (statistic = 'percent_of_times_index_used') AS measured,
        'share' AS unit,
        {limits.INDEX_USE_SHARE} AS limit_value,
        max_by(number, place) FILTER (statistic = 'rows_in_table')::BIGINT || ' rows' AS said,
        [any_value(place ORDER BY place.source_id, place.line)] AS evidence
    FROM statistics
    WHERE report = 'index_usage'
    GROUP BY name
    HAVING max_by(number, place) FILTER (statistic = 'rows_in_table') >= {limits.INDEX_USE_ROWS}
        AND measured < {limits.INDEX_USE_SHARE}
),
connections AS (
    SELECT
        'connections' AS section,
        c.database,
        'connections' AS name,
        try_cast(regexp_extract(c.value, '^(\d{{1,6}})', 1) AS DOUBLE) AS measured,
        'count' AS unit,
        coalesce(try_cast(regexp_extract(c.value, '^\d{{1,6}}/(\d{{1,6}})', 1) AS DOUBLE), most) AS limit_value,
        CASE
            WHEN measured IS NULL OR limit_value IS NULL THEN 'told'
            WHEN measured >= {limits.CONNECTION_SHARE} * limit_value THEN 'near_limit'
            ELSE 'ok'
        END AS verdict,
        c.value AS said,
        [c.place] AS evidence
    FROM facts AS c
    LEFT JOIN facts AS p ON p.database = c.database AND p.fact = 'Plan'
    LEFT JOIN plans ON plans.plan = lower(p.value)
    WHERE c.fact = 'Connections'
),
data_sizes AS (
    SELECT
        *,
        regexp_extract_all(value, '(\d{{1,12}}(?:\.\d{{1,6}})?)\s?([kKMGT]?)B', ['number', 'power']) AS sizes
    FROM facts
    WHERE fact = 'Data Size'
),
sizes AS (
    SELECT
        'size' AS section,
        database,
        'data size' AS name,
        try_cast(sizes[1].number AS DOUBLE) * 1024 ** (instr('KMGT', upper(sizes[1].power))) AS measured,
        'bytes' AS unit,
        try_cast(sizes[2].number AS DOUBLE) * 1024 ** (instr('KMGT', upper(sizes[2].power))) AS limit_value,
        CASE
            WHEN measured >= {limits.DATABASE_SHARE} * limit_value THEN 'near_limit'
            WHEN measured >= {limits.LARGE_DATABASE_GB} * 1024 ** 3 THEN 'large'
            WHEN limit_value IS NULL THEN 'told'
            ELSE 'ok'
        END AS verdict,
        data_sizes.value AS said,
        [place] AS evidence
    FROM data_sizes
    WHERE len(sizes) > 0
),
followers AS (
    SELECT
        'follower' AS section,
        b.database,
        coalesce('follows ' || f.value, 'follower') AS name,
        try_cast(regexp_extract(b.value, '^(\d{{1,18}})', 1) AS DOUBLE) AS measured,
        'commits' AS unit,
        0 AS limit_value,
        CASE WHEN measured IS NULL THEN 'cannot_tell' WHEN measured > 0 THEN 'behind' ELSE 'ok' END AS verdict,
        b.value AS said,
        [b.place] AS evidence
    FROM facts AS b
    LEFT JOIN facts AS f ON f.database = b.database AND f.fact = 'Following'
    WHERE b.fact = 'Behind By'
),
checks AS (
    SELECT
        'check' AS section,
        database,
        replace(fact, 'Check: ', '') AS name,
        lower(value) AS verdict,
        value AS said,
        [place] AS evidence
    FROM facts
    WHERE starts_with(fact, 'Check: ') AND value IN ('RED', 'YELLOW')
),
kept_backups AS (
    SELECT
        *,
        regexp_matches(state, '^(Finished|Completed)') AS is_good,
        {{'source_id': source_id, 'line': line}} AS place
    FROM backups
    WHERE backup IS NOT NULL AND coalesce(kind, 'backup') = 'backup'
    QUALIFY row_number() OVER (PARTITION BY backup, time ORDER BY source_id DESC, line DESC) = 1
),
good_backups AS (
    SELECT
        *,
        lag(time) OVER in_time AS time_before,
        lag(bytes) OVER in_time AS bytes_before,
        lag(place) OVER in_time AS place_before
    FROM kept_backups
    WHERE is_good AND time IS NOT NULL
    WINDOW in_time AS (ORDER BY time, backup)
),
newest_backup AS (
    SELECT
        'backups' AS section,
        database,
        'newest good backup ' || backup AS name,
        date_diff('minute', time, as_of) / 60.0 AS measured,
        'h' AS unit,
        {limits.BACKUP_HOURS} AS limit_value,
        CASE
            WHEN as_of IS NULL OR as_of < time THEN 'cannot_tell'
            WHEN measured > limit_value THEN 'old'
            ELSE 'ok'
        END AS verdict,
        state AS said,
        time,
        [place] AS evidence
    FROM good_backups
    CROSS JOIN evidence_times
    QUALIFY row_number() OVER (ORDER BY time DESC, backup DESC) = 1
),
backup_gaps AS (
    SELECT
        'backups' AS section,
        database,
        'longest gap, before ' || backup AS name,
        date_diff('second', time_before, time) / 3600.0 AS measured,
        'h' AS unit,
        {limits.BACKUP_HOURS} AS limit_value,
        CASE WHEN measured > limit_value THEN 'gap' ELSE 'ok' END AS verdict,
        time,
        [place_before, place] AS evidence
    FROM good_backups
    WHERE time_before IS NOT NULL
    QUALIFY row_number() OVER (ORDER BY time - time_before DESC, time) = 1
),
small_backups AS (
    SELECT
        'backups' AS section,
        database,
        'size of ' || backup AS name,
        bytes::DOUBLE AS measured,
        'bytes' AS unit,
        bytes_before * {limits.BACKUP_SIZE_DROP} AS limit_value,
        'small' AS verdict,
        time,
        [place_before, place] AS evidence
    FROM good_backups
    WHERE bytes < bytes_before * {limits.BACKUP_SIZE_DROP}
),
same_sizes AS (
    SELECT
        'backups' AS section,
        any_value(database) AS database,
        'size of ' || count(*) || ' backups' AS name,
        any_value(bytes)::DOUBLE AS measured,
        'bytes' AS unit,
        'same_size' AS verdict,
        list(place ORDER BY time)[1:5] AS evidence
    FROM good_backups
    HAVING count(*) >= 3 AND count(bytes) = count(*) AND count(DISTINCT bytes) = 1
),
failed_backups AS (
    SELECT
        'backups' AS section,
        database,
        backup AS name,
        'failed' AS verdict,
        state AS said,
        time,
        [place] AS evidence
    FROM kept_backups
    WHERE regexp_matches(state, '(?i)^(fail|error|cancel)')
),
commands AS (
    SELECT
        source_id,
        line,
        command,
        coalesce(arguments, '') AS arguments,
        CASE
            WHEN command = 'heroku maintenance:on' THEN 1
            WHEN command IN ('heroku ps:scale', 'heroku scale') AND regexp_matches(arguments, '=0(\s|:|$)') THEN 2
            WHEN command = 'heroku pg:unfollow' THEN 3
            WHEN command = 'heroku pg:promote' THEN 4
            WHEN command = 'heroku maintenance:off' THEN 5
            WHEN command IN ('heroku addons:remove', 'heroku addons:destroy')
                AND regexp_matches(arguments, '(?i)postgresql') THEN 6
        END AS step
    FROM transcript
    WHERE said = 'command'
),
swaps AS (
    SELECT
        source_id,
        min(line) FILTER (step IS NOT NULL) AS first_line,
        max(line) FILTER (step IS NOT NULL) AS last_line
    FROM commands
    GROUP BY source_id
    HAVING bool_or(step = 4) AND (bool_or(step = 3) OR bool_or(step = 1))
),
steps (step, name) AS (
    VALUES
        (1, 'maintenance on'),
        (2, 'all processes to zero'),
        (3, 'unfollow'),
        (4, 'promote'),
        (5, 'maintenance off'),
        (6, 'remove the old database')
),
taken AS (
    SELECT
        swaps.source_id,
        steps.step,
        steps.name,
        min(line) FILTER (commands.step = steps.step) AS line,
        string_agg(arguments, ' ' ORDER BY line) FILTER (commands.step = steps.step) AS arguments
    FROM swaps
    CROSS JOIN steps
    LEFT JOIN commands ON commands.source_id = swaps.source_id AND commands.step = steps.step
    GROUP BY ALL
),
types AS (
    SELECT DISTINCT process_type FROM processes WHERE process_type NOT IN ('run', 'scheduler', 'release')
    UNION
    SELECT 'web'
),
swap_steps AS (
    SELECT
        'swap' AS section,
        step || '. ' || name AS name,
        CASE
            WHEN line IS NULL THEN 'missing'
            WHEN max(line) OVER earlier_steps > line
                THEN 'out_of_order'
            WHEN step = 2 AND EXISTS (
                FROM types WHERE NOT regexp_matches(arguments, '(^|\s)' || process_type || '=0(\s|:|$)')
            ) THEN 'partly'
            ELSE 'done'
        END AS verdict,
        nullif(arguments, '') AS said,
        CASE WHEN line IS NULL THEN [] ELSE [{{'source_id': source_id, 'line': line}}] END AS evidence
    FROM taken
    WINDOW earlier_steps AS (
        PARTITION BY source_id ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
swap_names AS (
    SELECT
        'swap' AS section,
        'names of the application' AS name,
        'differs' AS verdict,
        count(DISTINCT app)::DOUBLE AS measured,
        'count' AS unit,
        1 AS limit_value,
        string_agg(DISTINCT app, ', ' ORDER BY app) AS said,
        list({{'source_id': source_id, 'line': line}} ORDER BY line) AS evidence
    FROM (
        SELECT swaps.source_id, app, min(line) AS line
        FROM swaps
        JOIN transcript USING (source_id)
        WHERE app IS NOT NULL AND line BETWEEN first_line AND last_line + 9
        GROUP BY ALL
    )
    GROUP BY source_id
    HAVING count(DISTINCT app) > 1
),
queries AS (
    SELECT
        'query' AS section,
        name,
        CASE
            WHEN report = 'long_running_queries' AND number >= {limits.LONG_QUERY_S} THEN 'slow'
            ELSE 'told'
        END AS verdict,
        number AS measured,
        unit,
        CASE WHEN report = 'long_running_queries' THEN {limits.LONG_QUERY_S} END AS limit_value,
        report AS said,
        [place] AS evidence
    FROM statistics
    WHERE (report = 'long_running_queries' AND statistic = 'duration' AND number IS NOT NULL)
        OR (report IN ('outliers', 'calls') AND statistic IN ('prop_exec_time') AND number IS NOT NULL)
    QUALIFY row_number() OVER (PARTITION BY report ORDER BY number DESC, name, place.line) <= 3
),
waiting_locks AS (
    SELECT
        'locks' AS section,
        coalesce(name, 'a lock') AS name,
        'waits' AS verdict,
        report AS said,
        [place] AS evidence
    FROM statistics
    WHERE (report = 'locks' AND statistic = 'granted' AND value IN ('f', 'false'))
        OR (report = 'blocking' AND statistic = 'blocked_pid')
),
bloated AS (
    SELECT
        'bloat' AS section,
        name,
        'bloated' AS verdict,
        max_by(number, place) FILTER (statistic = 'bloat') AS measured,
        'times' AS unit,
        {limits.BLOAT_FACTOR} AS limit_value,
        max_by(value, place) FILTER (statistic = 'waste') || ' wasted' AS said,
        [any_value(place ORDER BY place.source_id, place.line)] AS evidence
    FROM statistics
    WHERE report = 'bloat'
    GROUP BY name
    HAVING measured >= {limits.BLOAT_FACTOR}
        AND max_by(number, place) FILTER (statistic = 'waste') >= {limits.BLOAT_MB} * 1024 ** 2
),
everything AS (
    FROM printed_rates
    UNION ALL BY NAME FROM logged_rates
    UNION ALL BY NAME FROM large_tables
    UNION ALL BY NAME FROM connections
    UNION ALL BY NAME FROM sizes
    UNION ALL BY NAME FROM followers
    UNION ALL BY NAME FROM checks
    UNION ALL BY NAME FROM newest_backup
    UNION ALL BY NAME FROM backup_gaps
    UNION ALL BY NAME FROM small_backups
    UNION ALL BY NAME FROM same_sizes
    UNION ALL BY NAME FROM failed_backups
    UNION ALL BY NAME FROM swap_steps
    UNION ALL BY NAME FROM swap_names
    UNION ALL BY NAME FROM queries
    UNION ALL BY NAME FROM waiting_locks
    UNION ALL BY NAME FROM bloated
)
SELECT
    section,
    database,
    name,
    verdict,
    measured AS value,
    unit,
    limit_value::DOUBLE AS limit_value,
    round(measured - limit_value, 12) AS margin,
    trend_per_day,
    said,
    time,
    as_of,
    evidence
FROM everything
CROSS JOIN evidence_times
ORDER BY
    list_position(
        [
            'hit_rate', 'index_use', 'connections', 'size', 'follower', 'backups',
            'swap', 'query', 'locks', 'bloat', 'check'
        ],
        section
    ),
    section = 'swap' AND verdict = 'differs',
    CASE WHEN section = 'swap' THEN name END,
    verdict IN ('ok', 'told', 'done'),
    measured,
    everything.name,
    database,
    evidence[1].source_id,
    evidence[1].line
"""


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return a row for each thing that is known of the databases; columns as the module says."""
    return query(SQL, start=window.start, end=window.end)


# ---- findings ----

MOST_NAMED = 5


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return what each section says, "indexes first, plan second" where a rate is low."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "Nothing that is loaded tells of a database.",
                next_step="Paste heroku pg:info, pg:backups, pg:cache-hit and pg:index-usage.",
                reference=REFERENCE,
            )
        ]
    sections = {str(name): part for name, part in rows.groupby("section", sort=False)}
    nothing = rows.iloc[:0]
    rates, tables = sections.get("hit_rate", nothing), sections.get("index_use", nothing)
    return [
        *_rates(rates, tables),
        *_index_use(tables),
        *(one for _, row in sections.get("connections", nothing).iterrows() for one in _connections(row)),
        *(one for _, row in sections.get("size", nothing).iterrows() for one in _size(row)),
        *(_follower(row) for _, row in sections.get("follower", nothing).iterrows()),
        *_backups(sections.get("backups", nothing)),
        *_swap(sections.get("swap", nothing)),
        *_others(rows),
    ]


def _of(row: pd.Series) -> str:
    """The database in words, with a blank before it; nothing when it is not known."""
    return "" if pd.isna(row["database"]) else f" of {_text(row['database'])}"


def _evidence(part: pd.DataFrame) -> tuple[Any, ...]:
    return tuple(one for cell in part["evidence"].head(MOST_NAMED) for one in cite(cell)[:1])


def _named(part: pd.DataFrame) -> str:
    names = [words.cut(_text(name), 60) for name in part["name"].head(MOST_NAMED)]
    more = len(part) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _exact(share: float) -> str:
    """A share near its limit in as many digits as tell them apart."""
    return f"{share:.5f}"


def _rates(rates: pd.DataFrame, tables: pd.DataFrame) -> list[Finding]:
    found = []
    for _, row in rates.iterrows():
        margin = float(row["margin"])
        numbers = {
            "hit_rate_share": round(float(row["value"]), 8),
            "margin_share": round(margin, 8),
            **numbers_of(row, "trend_per_day"),
        }
        said = f"The {_text(row['name'])}{_of(row)} is {_exact(row['value'])}, {abs(margin):.5f}"
        if row["verdict"] == "low":
            first = (
                f" Begin with {_named(tables.head(3))}: large, and seldom read by an index."
                if len(tables)
                else ""
            )
            found.append(
                Finding(
                    "warning",
                    f"{said} below {limits.CACHE_HIT_SHARE}: reads go to the disk.",
                    numbers,
                    cite(row["evidence"]),
                    f"Indexes first, plan second: look at pg:index-usage and pg:outliers.{first} Only when they are in"
                    " order does a plan with more memory help.",
                    REFERENCE,
                    "medium",
                )
            )
        else:
            found.append(
                Finding(
                    "ruled_out",
                    f"{said} above {limits.CACHE_HIT_SHARE}: the cache is large enough.",
                    numbers,
                    cite(row["evidence"]),
                    reference=REFERENCE,
                )
            )
    return found


def _index_use(tables: pd.DataFrame) -> list[Finding]:
    if tables.empty:
        return []
    worst = tables.iloc[0]
    return [
        Finding(
            "warning",
            f"{words.plural(len(tables), 'large table')} {'is' if len(tables) == 1 else 'are'} seldom read by an index,"
            f" {_text(worst['name'])} ({_text(worst['said'])}) in {words.share(worst['value'])} of its reads.",
            {"tables": len(tables), "index_used_share": round(float(worst["value"]), 4)},
            _evidence(tables),
            "Find the statements that read it (pg:outliers, EXPLAIN) and index what they filter and sort by.",
            REFERENCE,
            "medium",
        )
    ]


def _connections(row: pd.Series) -> list[Finding]:
    if row["verdict"] not in ("near_limit", "ok"):
        return []
    used, most = int(row["value"]), int(row["limit_value"])
    numbers = {"connections": used, "most_connections": most, "used_share": round(used / most, 3)}
    said = f"{words.count(used)} of {words.count(most)} connections{_of(row)} are used ({words.share(used / most)})"
    if row["verdict"] == "ok":
        return [Finding("ruled_out", f"{said}.", numbers, cite(row["evidence"]), reference=REFERENCE)]
    return [
        Finding(
            "warning",
            f"{said}: the next deploy, with old and new dynos at once, may be refused some.",
            numbers,
            cite(row["evidence"]),
            "Reckon dynos × processes × pool; make the pools smaller, or pool at the dyno or the server (pgbouncer).",
            "book ch. 7; Dev Center, Heroku Postgres plans",
            "high",
        )
    ]


def _size(row: pd.Series) -> list[Finding]:
    if row["verdict"] == "near_limit":
        return [
            Finding(
                "warning",
                f"The data{_of(row)} fill {words.share(row['value'] / row['limit_value'])} of the plan"
                f" ({_text(row['said'])}).",
                {"data_bytes": int(row["value"]), "most_bytes": int(row["limit_value"])},
                cite(row["evidence"]),
                "Delete what is not needed, or move to a larger plan: past the limit writes are refused.",
                REFERENCE,
                "high",
            )
        ]
    if row["verdict"] == "large":
        return [
            Finding(
                "note",
                f"The data{_of(row)} are {_text(row['said'])}: a new follower may look ready before its indexes are.",
                {"data_bytes": int(row["value"])},
                cite(row["evidence"]),
                "Before a swap, wait until pg:index-usage of the follower looks like the primary’s.",
                REFERENCE,
            )
        ]
    return []


def _follower(row: pd.Series) -> Finding:
    name = _text(row["database"])
    if row["verdict"] == "ok":
        return Finding(
            "ruled_out",
            f"The follower {name} is behind by 0 commits.",
            {"behind_commits": 0},
            cite(row["evidence"]),
            "It could be promoted now, once nothing writes to the primary.",
            REFERENCE,
        )
    if row["verdict"] == "behind":
        behind = int(row["value"])
        return Finding(
            "warning",
            f"The follower {name} is behind by {words.plural(behind, 'commit')}.",
            {"behind_commits": behind},
            cite(row["evidence"]),
            "Do not promote it: what it lacks would be lost. Turn writers off, wait for 0 commits in pg:info.",
            REFERENCE,
            "high",
        )
    return Finding(
        "cannot_tell",
        f"How far the follower {name} is behind cannot be read from “{_text(row['said'])}”.",
        {},
        cite(row["evidence"]),
        "Paste heroku pg:info again.",
        REFERENCE,
    )


def _backups(part: pd.DataFrame) -> list[Finding]:
    found = []
    for _, row in part[part["verdict"].isin(["old", "gap", "small", "cannot_tell", "same_size"])].iterrows():
        name, evidence = _text(row["name"]), cite(row["evidence"])
        hours = (
            {"hours": round(float(row["value"]), 2)} if row["unit"] == "h" and pd.notna(row["value"]) else {}
        )
        if row["verdict"] == "old":
            title = f"The {name} was {row['value']:.1f} h old at {words.time(row['as_of'])} UTC; one a day is usual."
            found.append(
                Finding(
                    "warning",
                    title,
                    hours,
                    evidence,
                    "Make one now: heroku pg:backups:capture; then look at the"
                    " schedule: heroku pg:backups:schedules.",
                    REFERENCE,
                    "high",
                )
            )
        elif row["verdict"] == "gap":
            title = f"Between two good backups lie {row['value']:.1f} h ({name})."
            found.append(
                Finding(
                    "warning",
                    title,
                    hours,
                    evidence,
                    "Look for the run that failed or did not start.",
                    REFERENCE,
                    "medium",
                )
            )
        elif row["verdict"] == "small":
            title = (
                f"The {name} is less than half of the backup before it ({words.number(row['value'])} bytes)."
            )
            found.append(
                Finding(
                    "warning",
                    title,
                    {"bytes": int(row["value"])},
                    evidence,
                    "Say whether data were deleted; if not, restore it somewhere and count.",
                    REFERENCE,
                    "medium",
                )
            )
        elif row["verdict"] == "same_size":
            title = f"The {name} never changes: {words.number(row['value'])} bytes each."
            found.append(
                Finding(
                    "note",
                    title,
                    {"bytes": int(row["value"])},
                    evidence,
                    "Check that it is the database in use that is backed up.",
                    REFERENCE,
                    "low",
                )
            )
        else:
            title = f"How old the {name} of {words.time(row['time'])} UTC is cannot be told: the paste carries no time."
            found.append(
                Finding(
                    "cannot_tell",
                    title,
                    {},
                    evidence,
                    "Say as of when with the window’s end (--to).",
                    REFERENCE,
                )
            )
    failed = part[part["verdict"] == "failed"]
    if not failed.empty:
        title = f"{words.plural(len(failed), 'backup')} failed: {_named(failed)}."
        found.append(
            Finding(
                "warning",
                title,
                {"backups": len(failed)},
                _evidence(failed),
                "Read why: heroku pg:backups:info with its id.",
                REFERENCE,
                "high",
            )
        )
    fine = part[(part["verdict"] == "ok") & (part["unit"] == "h")]
    for _, row in fine.iterrows():
        newest = str(row["name"]).startswith("newest")
        title = (
            f"The {_text(row['name'])} was {row['value']:.1f} h old."
            if newest
            else f"Between good backups lie at most {row['value']:.2f} h."
        )
        found.append(
            Finding(
                "ruled_out",
                title,
                {"hours": round(float(row["value"]), 2)},
                cite(row["evidence"]),
                f"Between backups, continuous protection loses {limits.WAL_SECONDS} s at worst."
                if newest
                else "",
                REFERENCE,
            )
        )
    return found


_SWAP_ADVICE = {
    "missing": "was not done",
    "partly": "was done in part",
    "out_of_order": "came too late or too early",
}


def _swap(part: pd.DataFrame) -> list[Finding]:
    """The run book of a swap: one sentence on its steps, one on the names that differ."""
    steps, names = part[part["verdict"] != "differs"], part[part["verdict"] == "differs"]
    found = []
    wrong = steps[steps["verdict"] != "done"]
    if not steps.empty and wrong.empty:
        found.append(
            Finding(
                "ruled_out",
                "The swap of the database took all six steps in their order.",
                {"steps": len(steps)},
                _evidence(steps),
                reference=REFERENCE,
            )
        )
    for _, row in wrong.iterrows():
        step, said = str(row["name"]).partition(". ")[2], ""
        if row["verdict"] == "partly":
            said = (
                f": only {_text(row['said'])}, so other processes, web among them, could write all the while"
            )
            if "web=0" in str(row["said"]):
                said = f": only {_text(row['said'])}, so other processes could write all the while"
        found.append(
            Finding(
                "note" if str(row["name"]).startswith("6") else "warning",
                f"In the swap of the database, step {str(row['name'])[0]} ({step})"
                f" {_SWAP_ADVICE[row['verdict']]}{said}.",
                {"step": int(str(row["name"])[0])},
                cite(row["evidence"]),
                "The six steps: maintenance on, all processes to zero, unfollow, promote, maintenance off, remove the"
                f" old database. Do “{step}” in its place, and compare both databases if anything wrote.",
                REFERENCE,
                "medium",
            )
        )
    for _, row in names.iterrows():
        found.append(
            Finding(
                "warning",
                f"The commands of the swap name {int(row['value'])} applications: {_text(row['said'])}.",
                {"applications": int(row["value"])},
                cite(row["evidence"]),
                "Check that every step was done to the same application: a destructive action cannot be undone.",
                REFERENCE,
                "medium",
            )
        )
    return found


def _others(rows: pd.DataFrame) -> list[Finding]:
    """Queries that run long, locks that wait, bloat, and the red and yellow checks of a diagnosis."""
    found = []
    slow = rows[(rows["section"] == "query") & (rows["verdict"] == "slow")]
    if not slow.empty:
        worst = slow.sort_values("value", ascending=False, kind="stable").iloc[0]
        title = f"A statement has run for {words.ms(1000 * worst['value'])}: {words.cut(_text(worst['name']), 80)}."
        found.append(
            Finding(
                "warning",
                title,
                {"seconds": float(worst["value"]), "statements": len(slow)},
                _evidence(slow),
                "Look what it waits for (pg:locks, pg:blocking); end it with pg:kill and its pid.",
                REFERENCE,
                "medium",
            )
        )
    costly = rows[(rows["section"] == "query") & (rows["said"] == "outliers")]
    if not costly.empty:
        worst = costly.sort_values("value", ascending=False, kind="stable").iloc[0]
        statement = words.cut(_text(worst["name"]), 80)
        title = f"One statement takes {words.share(worst['value'])} of the database’s time: {statement}."
        found.append(
            Finding(
                "note",
                title,
                {"time_share": round(float(worst["value"]), 4)},
                cite(worst["evidence"]),
                "Begin there: EXPLAIN it, then compare with the slow transactions.",
                REFERENCE,
                "medium",
            )
        )
    for section, title, step in (
        ("locks", "{n} for a lock: {names}.", "See who holds it: heroku pg:blocking."),
        ("bloat", "{n} bloated: {names}.", "Vacuum them when it is quiet; VACUUM FULL locks the table."),
    ):
        part = rows[rows["section"] == section]
        if not part.empty:
            word = "statement waits" if section == "locks" else "table or index is"
            many = "statements wait" if section == "locks" else "tables or indexes are"
            told = title.format(n=words.plural(len(part), word, many), names=_named(part))
            found.append(
                Finding("warning", told, {section: len(part)}, _evidence(part), step, REFERENCE, "medium")
            )
    for verdict, severity in (("red", "warning"), ("yellow", "note")):
        part = rows[(rows["section"] == "check") & (rows["verdict"] == verdict)]
        if not part.empty:
            title = f"pg:diagnose marks {words.plural(len(part), 'check')} {verdict}: {_named(part)}."
            found.append(
                Finding(
                    severity,
                    title,
                    {"checks": len(part)},
                    _evidence(part),
                    "Read the table below the check.",
                    "Dev Center, pg:diagnose",
                    "high",
                )
            )
    return found


# ---- chart ----

_DOTS = {"ok": charts.GREEN, "low": charts.VERMILLION}
MOST_RATES = 12


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return the hit rates against 0.99, each with its margin; rates below it are red."""
    import altair as alt

    shown = rows[rows["section"] == "hit_rate"].head(MOST_RATES).copy()
    if shown.empty:
        return charts.empty("no cache hit rate is loaded")
    shown["told"] = [
        f"{_exact(value)} ({margin:+.5f})"
        for value, margin in zip(shown["value"], shown["margin"], strict=True)
    ]
    shown["label"] = [
        f"{_text(name)}{'' if pd.isna(database) else ' · ' + words.cut(_text(database), 30)}: {told}"
        for name, database, told in zip(shown["name"], shown["database"], shown["told"], strict=True)
    ]
    low = min(limits.CACHE_HIT_SHARE - 0.01, float(shown["value"].min()) - 0.005)
    words_used = [word for word in _DOTS if word in set(shown["verdict"])]
    scale = alt.Scale(domain=[low, 1.0], zero=False, nice=False)
    y = alt.Y("label:N", title=None, sort=list(shown["label"]))
    x = alt.X("value:Q", title="share of reads from the cache (1 = all)", scale=scale)
    points = (
        alt.Chart(shown)
        .mark_point(filled=True, size=130, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "verdict:N",
                title="against the limit",
                scale=alt.Scale(domain=words_used, range=[_DOTS[word] for word in words_used]),
            ),
            tooltip=[alt.Tooltip("label:N", title="rate"), alt.Tooltip("told:N", title="value (margin)")],
        )
    )
    limit = pd.DataFrame({"limit": [limits.CACHE_HIT_SHARE]})
    rule = (
        alt.Chart(limit)
        .mark_rule(color=charts.VERMILLION, strokeDash=[4, 3])
        .encode(x=alt.X("limit:Q", scale=scale))
    )
    drawn = alt.layer(rule, points).properties(width=charts.WIDTH, height=max(90, 48 * len(shown)))
    below = int((shown["verdict"] == "low").sum())
    said = f"{words.plural(len(shown), 'cache hit rate')} against {limits.CACHE_HIT_SHARE}; {below} below it."
    return charts.theme(
        charts.describe(drawn, said),
        "How often the cache answers",
        f"dashed: {limits.CACHE_HIT_SHARE}, the book’s limit",
    )
