"""Connections and data against what the plan allows."""

from __future__ import annotations

import pandas as pd

from workbook import limits, words
from workbook.analysis import Finding, cite
from workbook.databases.telling import REFERENCE, of, text

CTES = rf"""
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
)
"""

ROWS = ("connections", "sizes")


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return what is used of the plan’s connections and of its size."""
    connections, sizes = rows[rows["section"] == "connections"], rows[rows["section"] == "size"]
    return [
        *(one for _, row in connections.iterrows() for one in _connections(row)),
        *(one for _, row in sizes.iterrows() for one in _size(row)),
    ]


def _connections(row: pd.Series) -> list[Finding]:
    if row["verdict"] not in ("near_limit", "ok"):
        return []
    used, most = int(row["value"]), int(row["limit_value"])
    numbers = {"connections": used, "most_connections": most, "used_share": round(used / most, 3)}
    said = f"{words.count(used)} of {words.count(most)} connections{of(row)} are used ({words.share(used / most)})"
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
