"""Is the database's time erratic, or does it trend, once the traffic is taken out?

The book excludes the server before the code: a time that jumps without a reason in the traffic is the server's,
one that grows is the data's or the code's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from workbook import limits, trend, words
from workbook.analysis import Finding, Query, cite, numbers_of
from workbook.databases.telling import REFERENCE, text
from workbook.window import Window

MOST_BUCKETS = 600
"""Longer series are made coarser: the tests compare every bucket with every other."""

# Time in the database by bucket, as logarithms, so that routes and volumes are factors: of New Relic the time of a
# request against the throughput; of the application's own lines each request against the usual time of its action.
# noise: what a bucket would scatter by chance alone, from its number of requests.
BUCKETS = f"""
WITH points AS (
    SELECT source_id, time, value_ms AS rpm, date_diff('second', lag(time) OVER in_time, time) / 60.0 AS minutes
    FROM response_breakdown
    WHERE component = 'throughput_rpm'
    WINDOW in_time AS (PARTITION BY source_id ORDER BY time)
),
throughput AS (
    SELECT source_id, time, rpm * median(minutes) OVER (PARTITION BY source_id) AS requests
    FROM points
),
of_new_relic AS (
    SELECT
        'database time in New Relic' AS name,
        b.time AS bucket,
        ln(b.value_ms) AS level,
        ln(requests) AS traffic,
        1 / sqrt(requests) AS noise,
        {{'source_id': b.source_id, 'line': b.line}} AS place
    FROM response_breakdown AS b
    LEFT JOIN throughput AS t USING (source_id, time)
    WHERE regexp_matches(b.component, '(?i)\\b(database|postgres(ql)?|datastore|sql)\\b')
        AND b.value_ms > 0
        AND coalesce(requests >= {limits.STEADY_REQUESTS}, true)
        AND in_window(b.time, $start, $end)
    QUALIFY row_number() OVER (PARTITION BY b.time ORDER BY b.value_ms DESC, b.source_id DESC, b.line) = 1
),
in_application AS (
    SELECT
        time,
        ln(db_ms) AS level,
        ln(db_ms) - median(ln(db_ms)) OVER (PARTITION BY controller, action) AS unusual,
        {{'source_id': source_id, 'line': line}} AS place
    FROM app_requests
    WHERE db_ms > 0 AND time IS NOT NULL AND in_window(time, $start, $end)
),
of_application AS (
    SELECT
        'database time in the log' AS name,
        time_bucket(to_minutes({limits.STEADY_MINUTES}), time) AS bucket,
        median(unusual) AS level,
        ln(count(*)) AS traffic,
        -- the standard error of a median
        1.2533 * coalesce(stddev_samp(unusual), 0) / sqrt(count(*)) AS noise,
        arg_max(place, (unusual, -place.source_id, -place.line)) AS place
    FROM in_application
    GROUP BY bucket
    HAVING count(*) >= {limits.STEADY_REQUESTS}
)
SELECT name, bucket, level, traffic, noise, place.source_id AS source_id, place.line AS line
FROM (FROM of_new_relic UNION ALL BY NAME FROM of_application)
ORDER BY name, bucket
"""

CTES = """
steadiness AS (
    SELECT
        'steadiness' AS section,
        unnest($steady_names::VARCHAR[]) AS name,
        unnest($steady_verdicts::VARCHAR[]) AS verdict,
        unnest($steady_ratios::DOUBLE[]) AS measured,
        'times' AS unit,
        $steady_limit::DOUBLE AS limit_value,
        unnest($steady_changes::DOUBLE[]) AS change_ratio,
        unnest($steady_counts::BIGINT[]) AS count,
        unnest($steady_times::TIMESTAMP[]) AS time,
        unnest($steady_places::STRUCT(source_id INTEGER, line BIGINT)[][]) AS evidence
)
"""

ROWS = ("steadiness",)


def parameters(query: Query, window: Window) -> dict[str, Any]:
    """Return the parameters of the card's statement: for each measure its verdict and the numbers behind it."""
    found = query(BUCKETS, start=window.start, end=window.end)
    judged = [judge(str(name), part) for name, part in found.groupby("name", sort=True)]
    columns = ("name", "verdict", "ratio", "change", "count", "time", "place")
    lists = {f"steady_{column}s": [one[column] for one in judged] for column in columns}
    return lists | {"steady_limit": limits.ERRATIC_TIMES}


def judge(name: str, part: pd.DataFrame) -> dict[str, Any]:
    """Return what a series of buckets (``bucket``; ``level``, ``traffic``, ``noise`` as logarithms) is, traffic out.

    ``ratio``: how far a usual bucket is from what traffic, trend and chance explain, in times; ``change``: the trend
    from the first bucket to the last, in times. Verdicts: erratic, trending, stable, cannot_tell, no_traffic.
    """
    part = _coarser(part)
    worst = part.iloc[0]
    judged: dict[str, Any] = {
        "name": name, "verdict": "cannot_tell", "ratio": None, "change": None, "count": len(part),
        "time": pd.Timestamp(part["bucket"].max()).to_pydatetime(), "place": [],
    }  # fmt: skip
    if len(part) >= limits.STEADY_BUCKETS and part["traffic"].isna().any():
        judged["verdict"] = "no_traffic"
    elif len(part) >= limits.STEADY_BUCKETS:
        level = part["level"].to_numpy(dtype=float)
        rest = level - _explained(level, part["traffic"].to_numpy(dtype=float))
        hours = part["bucket"].to_numpy().astype("datetime64[us]").astype("int64") / 3.6e9
        hours = hours - hours[0]
        # the medians of the first and the last third do not hang on single buckets
        third = len(rest) // 3
        change = float(np.median(rest[-third:]) - np.median(rest[:third])) * 1.5
        seen = _scatter(rest - float(np.median(trend.pair_slopes(hours, rest))) * hours)
        scatter = math.sqrt(max(0.0, seen**2 - float((part["noise"] ** 2).mean())))
        sure = min(trend.mann_kendall([rest])[3], trend.mann_kendall([-rest])[3]) <= limits.TREND_ALPHA
        judged |= {"ratio": math.exp(scatter), "change": math.exp(change)}
        if judged["ratio"] >= limits.ERRATIC_TIMES:
            judged["verdict"] = "erratic"
        elif sure and abs(change) >= math.log(limits.CHANGE_TIMES):
            judged["verdict"] = "trending"
        else:
            judged["verdict"] = "stable"
        worst = part.iloc[int(np.argmax(rest))]
    judged["place"] = [{"source_id": int(worst["source_id"]), "line": int(worst["line"])}]
    return judged


def _explained(level: np.ndarray[Any, Any], traffic: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The part of the level that traffic explains: a straight line of logarithms, its median where traffic is flat."""
    if float(np.ptp(traffic)) < math.log(limits.CHANGE_TIMES):
        return np.full_like(level, np.median(level))
    slope = float(np.median(trend.pair_slopes(traffic, level)))
    return slope * traffic + float(np.median(level - slope * traffic))


def _coarser(part: pd.DataFrame) -> pd.DataFrame:
    """The buckets, several neighbours as one where there are too many; noise falls with the root of their number."""
    several = -(-len(part) // MOST_BUCKETS)
    if several == 1:
        return part
    groups = np.arange(len(part)) // several
    together = part.groupby(groups, sort=True).agg(
        {
            "bucket": "first",
            "level": "median",
            "traffic": "median",
            "noise": "mean",
            "source_id": "first",
            "line": "first",
        }
    )
    return together.assign(noise=together["noise"] / math.sqrt(several))


def _scatter(rest: np.ndarray[Any, Any]) -> float:
    """How far a usual bucket is from the middle: 68 % are nearer, as within a standard deviation."""
    return float(np.quantile(np.abs(rest - np.median(rest)), 0.68))


_SAID = {
    "erratic": "is erratic: a usual bucket is {ratio:.1f}× off what traffic, trend and chance explain",
    "trending": "trends: {change:.2f}× from the first to the last of {count} buckets, traffic taken out",
    "stable": "is steady: a usual bucket is {ratio:.2f}× off what traffic and chance explain, in {count} buckets",
    "no_traffic": "comes without the number of requests, so an erratic database cannot be told from few requests",
    "cannot_tell": "has {count} buckets only, too few to tell an erratic database from a trend",
}
_STEPS = {
    "erratic": "Exclude the server before the code: look at its load, disk and neighbours (pg:diagnose, load in the"
    " metrics), or swap it by a follower of the same plan, and see whether it stays erratic.",
    "trending": "What grows is seldom the server: look at table sizes, bloat and pg:outliers, and at the release that"
    " it began with.",
    "no_traffic": "Export the throughput with it (New Relic: rate(count(*), 1 minute)).",
    "stable": "",
    "cannot_tell": "Export two hours or more, in buckets of five minutes.",
}
_SEVERITIES = {
    "erratic": "warning",
    "trending": "note",
    "stable": "ruled_out",
    "cannot_tell": "cannot_tell",
    "no_traffic": "cannot_tell",
}


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return for each measure whether the database's time is erratic, trends, or is steady."""
    found = []
    for _, row in rows[rows["section"] == "steadiness"].iterrows():
        verdict = str(row["verdict"])
        said = _SAID[verdict].format(
            ratio=row["value"], change=row["change_ratio"], count=words.count(row["count"])
        )
        found.append(
            Finding(
                _SEVERITIES[verdict],
                f"The {text(row['name'])} {said}.",
                {"buckets": int(row["count"]), **numbers_of(row, "change_ratio")}
                | ({"scatter_ratio": round(float(row["value"]), 3)} if pd.notna(row["value"]) else {}),
                cite(row["evidence"]),
                _STEPS[verdict],
                REFERENCE,
                "medium" if verdict in ("erratic", "trending") else None,
            )
        )
    return found
