"""How often the cache answers, and large tables that are seldom read by an index: indexes first, plan second."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbook import limits, words
from workbook.analysis import Finding, Query, cite, numbers_of
from workbook.databases.telling import REFERENCE, evidence_of, exact, named, of, text
from workbook.trend import mann_kendall
from workbook.window import Window

MOST_STEPS = 600

HOURS = """
SELECT
    attachment,
    metric,
    time_bucket(INTERVAL 1 HOUR, time) AS hour,
    median(value) AS value
FROM database_samples
WHERE metric IN ('index_cache_hit_rate', 'table_cache_hit_rate')
    AND value BETWEEN 1e-9 AND 1
    AND in_window(time, $start, $end)
GROUP BY attachment, metric, hour
ORDER BY attachment, metric, hour
"""

CTES = rf"""
surely_falling AS (
    SELECT
        unnest($falling_attachments::VARCHAR[]) AS attachment,
        unnest($falling_metrics::VARCHAR[]) AS metric,
        true AS is_falling
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
            WHEN count(*) >= {limits.TREND_SAMPLES} AND max(time) - min(time) >= to_hours({limits.TREND_SPAN_HOURS})
                THEN regr_slope(value, epoch(time) / 86400.0)
        END AS trend_per_day,
        coalesce(bool_or(is_falling), false) AS is_falling,
        max(time) AS time,
        [arg_min(place, (value, place.source_id, place.line))] AS evidence
    FROM samples
    LEFT JOIN surely_falling USING (attachment, metric)
    WHERE metric IN ('index_cache_hit_rate', 'table_cache_hit_rate')
        AND value BETWEEN 1e-9 AND 1
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


def parameters(query: Query, window: Window) -> dict[str, Any]:
    """Return the parameters of the card's statement: which rates surely fall, by Mann-Kendall's test on their hours."""
    hours = query(HOURS, start=window.start, end=window.end)
    found = [
        (attachment, metric)
        for (attachment, metric), part in hours.groupby(["attachment", "metric"], sort=True)
        if falls(part["value"].to_numpy(dtype=float))
    ]
    return {
        "falling_attachments": [attachment for attachment, _ in found],
        "falling_metrics": [metric for _, metric in found],
    }


def falls(hours: np.ndarray[Any, Any]) -> bool:
    """Return whether a rate (its median of each hour, 0 to 1) surely falls, and by so much that it matters."""
    if len(hours) < limits.TREND_HOURS:
        return False
    # the test compares every hour with every other: months are read in longer steps
    steps = min(len(hours), MOST_STEPS)
    hours = np.array([np.median(step) for step in np.array_split(hours, steps)])
    third = len(hours) // 3
    lost = float(np.median(hours[:third]) - np.median(hours[-third:]))
    return lost >= limits.TREND_HIT_SHARE and mann_kendall([-hours])[3] <= limits.TREND_ALPHA


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
        falling = pd.notna(row["is_falling"]) and bool(row["is_falling"]) and row["trend_per_day"] < 0
        trend = f" It falls by {exact(-row['trend_per_day'])} a day." if falling else ""
        if row["verdict"] == "low":
            first = (
                f" Begin with {named(tables.head(3))}: large, and seldom read by an index."
                if len(tables)
                else ""
            )
            found.append(
                Finding(
                    "warning",
                    f"{said} below {limits.CACHE_HIT_SHARE}: reads go to the disk.{trend}",
                    numbers,
                    cite(row["evidence"]),
                    f"Indexes first, plan second: look at pg:index-usage and pg:outliers.{first} Only when they are in"
                    " order does a plan with more memory help.",
                    REFERENCE,
                    "medium",
                )
            )
        elif falling:
            days = words.number(round(margin / -row["trend_per_day"], 1))
            pace = exact(-row["trend_per_day"])
            found.append(
                Finding(
                    "note",
                    f"{said} above {limits.CACHE_HIT_SHARE}, but it falls by {pace} a day: at this pace it is below"
                    f" in {days} days.",
                    numbers,
                    cite(row["evidence"]),
                    "Look now what reads more (pg:index-usage, pg:outliers): indexes first, plan second.",
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
