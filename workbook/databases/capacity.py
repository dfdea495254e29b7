"""Connections and data against what the plan allows."""

from __future__ import annotations

import pandas as pd

from workbook import limits, words
from workbook.analysis import Finding, cite, numbers_of
from workbook.databases.telling import REFERENCE, of, text

PLANS = "Dev Center, Heroku Postgres production tier technical characterization"

CTES = rf"""
plan_limits AS (
    SELECT p.database, plans.most, concat_ws(' ', p.database, n.value) AS names
    FROM facts AS p
    JOIN plans ON plans.plan = lower(replace(p.value, ' ', '-'))
    LEFT JOIN facts AS n ON n.database = p.database AND n.fact = 'Names'
    WHERE p.fact = 'Plan'
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
    LEFT JOIN plan_limits AS p ON p.database = c.database
    WHERE c.fact = 'Connections'
),
used_connections AS (
    SELECT
        attachment,
        max(value) AS most_used,
        median(value) AS usual,
        count(*) AS counted,
        arg_max(time, (value, -epoch_us(time), -place.line)) AS time,
        arg_max(place, (value, -epoch_us(time), -place.line)) AS place,
        CASE
            WHEN counted >= {limits.TREND_SAMPLES}
                AND max(samples.time) - min(samples.time) >= to_hours({limits.TREND_SPAN_HOURS})
                THEN regr_slope(value, epoch(samples.time) / 86400.0)
        END AS trend_per_day
    FROM samples
    WHERE metric = 'active_connections'
    GROUP BY attachment
),
told_limits AS (
    SELECT attachment, max(value) AS most
    FROM samples
    WHERE metric = 'max_connections'
    GROUP BY attachment
    UNION ALL
    -- the plan of the database that pg:info prints under the name of the attachment, where only one has it
    SELECT attachment, any_value(most) AS most
    FROM used_connections
    JOIN plan_limits
        ON list_contains(regexp_split_to_array(replace(names, '_URL', ''), '[\s,()]+'), attachment)
    GROUP BY attachment
    HAVING count(DISTINCT most) = 1
),
allowed_connections AS (
    SELECT attachment, min(most) AS limit_value
    FROM told_limits
    GROUP BY attachment
),
logged_connections AS (
    SELECT
        'connections' AS section,
        attachment AS database,
        'most connections in the log' AS name,
        most_used AS measured,
        'count' AS unit,
        limit_value,
        CASE
            WHEN limit_value IS NULL THEN 'told'
            WHEN measured >= {limits.CONNECTION_SHARE} * limit_value THEN 'near_limit'
            ELSE 'ok'
        END AS verdict,
        'usually ' || usual::BIGINT || ', in ' || counted || ' samples' AS said,
        trend_per_day,
        time,
        [place] AS evidence
    FROM used_connections
    LEFT JOIN allowed_connections USING (attachment)
),
refused_connections AS (
    SELECT
        'connections' AS section,
        attachment AS database,
        'refused connections' AS name,
        'refused' AS verdict,
        count(*)::DOUBLE AS measured,
        'count' AS unit,
        max(time) AS time,
        list({{'source_id': source_id, 'line': line}} ORDER BY time, source_id, line)[1:5] AS evidence
    FROM database_log
    WHERE kind = 'error'
        AND (
            sql_error_code = '53300'
            OR regexp_matches(message, '(?i)^remaining connection slots are reserved')
            OR regexp_matches(message, '(?i)^(sorry, )?too many (clients|connections)')
        )
        AND in_window(time, $start, $end)
    GROUP BY attachment
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
)
"""

ROWS = ("connections", "logged_connections", "refused_connections", "sizes")


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return what is used of the plan’s connections and of its size."""
    connections, sizes = rows[rows["section"] == "connections"], rows[rows["section"] == "size"]
    return [
        *(one for _, row in connections.iterrows() for one in _connections(row)),
        *(one for _, row in sizes.iterrows() for one in _size(row)),
    ]


def _connections(row: pd.Series) -> list[Finding]:
    if row["verdict"] == "refused":
        return [_refused(row)]
    if row["verdict"] not in ("near_limit", "ok"):
        return []
    used, most = int(row["value"]), int(row["limit_value"])
    numbers = {
        "connections": used,
        "most_connections": most,
        "used_share": round(used / most, 3),
        **numbers_of(row, "trend_per_day"),
    }
    said = f"{words.count(used)} of {words.count(most)} connections{of(row)}"
    if row["name"] == "connections":
        said += f" are used ({words.share(used / most)})"
    else:
        said = f"At most {said} were used ({words.share(used / most)}; {row['said']})"
    if row["verdict"] == "ok":
        return [Finding("ruled_out", f"{said}.", numbers, cite(row["evidence"]), reference=REFERENCE)]
    return [
        Finding(
            "warning",
            f"{said}: the next deploy, with old and new dynos at once, may be refused some.",
            numbers,
            cite(row["evidence"]),
            "Reckon dynos × processes × pool; make the pools smaller, or pool at the dyno or the server (pgbouncer).",
            PLANS,
            "high",
        )
    ]


def _refused(row: pd.Series) -> Finding:
    return Finding(
        "warning",
        f"The server{of(row)} refused {words.plural(row['value'], 'connection')}: all were in use"
        f" (last {words.time(row['time'])} UTC).",
        {"refused_connections": int(row["value"])},
        cite(row["evidence"]),
        "Reckon dynos × processes × pool against the plan’s connections; pool at the dyno or the server (pgbouncer).",
        PLANS,
        "high",
    )


def _size(row: pd.Series) -> list[Finding]:
    if row["verdict"] == "near_limit":
        return [
            Finding(
                "warning",
                f"The data{of(row)} fill {words.share(row['value'] / row['limit_value'])} of the plan"
                f" ({text(row['said'])}).",
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
                f"The data{of(row)} are {text(row['said'])}: a new follower may look ready before its indexes are.",
                {"data_bytes": int(row["value"])},
                cite(row["evidence"]),
                "Before a swap, wait until pg:index-usage of the follower looks like the primary’s.",
                REFERENCE,
            )
        ]
    return []
