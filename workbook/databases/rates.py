"""How often the cache answers, and large tables that are seldom read by an index: indexes first, plan second."""

from __future__ import annotations

import pandas as pd

from workbook import limits, words
from workbook.analysis import Finding, cite, numbers_of
from workbook.databases.telling import REFERENCE, evidence_of, exact, named, of, text

CTES = rf"""
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
)
"""

ROWS = ("printed_rates", "logged_rates", "large_tables")


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return a sentence for each rate, and one for the tables that are seldom read by an index."""
    tables = rows[rows["section"] == "index_use"]
    return [*_rates(rows[rows["section"] == "hit_rate"], tables), *_index_use(tables)]


def _rates(rates: pd.DataFrame, tables: pd.DataFrame) -> list[Finding]:
    found = []
    for _, row in rates.iterrows():
        margin = float(row["margin"])
        numbers = {
            "hit_rate_share": round(float(row["value"]), 8),
            "margin_share": round(margin, 8),
            **numbers_of(row, "trend_per_day"),
        }
        said = f"The {text(row['name'])}{of(row)} is {exact(row['value'])}, {abs(margin):.5f}"
        if row["verdict"] == "low":
            first = (
                f" Begin with {named(tables.head(3))}: large, and seldom read by an index."
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
            f" {text(worst['name'])} ({text(worst['said'])}) in {words.share(worst['value'])} of its reads.",
            {"tables": len(tables), "index_used_share": round(float(worst["value"]), 4)},
            evidence_of(tables),
            "Find the statements that read it (pg:outliers, EXPLAIN) and index what they filter and sort by.",
            REFERENCE,
            "medium",
        )
    ]
