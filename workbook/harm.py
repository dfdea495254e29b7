"""Which H12 surely broke users off: those of a time in which one request in a hundred, or more, failed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbook import limits
from workbook.analysis import Query
from workbook.statistics import wilson

SQL = """
WITH h12 AS (
    SELECT time, time - lag(time) OVER (ORDER BY time, source_id, line) AS gap
    FROM requests
    WHERE code = 'H12' AND in_window(time, $start, $end)
),
numbered AS (
    SELECT time, count(*) FILTER (gap > to_seconds($burst_gap_s)) OVER (ORDER BY time) AS number
    FROM h12
    WHERE time IS NOT NULL
),
bursts AS (
    SELECT min(time) AS first_time, max(time) AS last_time, count(*) AS h12
    FROM numbered
    GROUP BY number
    HAVING count(*) >= $burst_count
)
SELECT
    first_time,
    last_time,
    any_value(bursts.h12) AS h12,
    count(*) AS requests
FROM bursts
JOIN requests ON requests.time BETWEEN first_time AND last_time
GROUP BY first_time, last_time
UNION ALL
SELECT NULL, NULL, count(*) FILTER (code = 'H12'), count(*)
FROM requests
WHERE in_window(time, $start, $end)
ORDER BY first_time NULLS FIRST
"""


def broken_times(query: Query, ends: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Return first and last time (UTC) of each burst of H12 in which surely 1 % of the requests failed.

    ``(None, None)`` stands for the whole window. ``ends`` holds its ``start`` and ``end``.
    """
    seen = query(SQL, **ends, burst_gap_s=limits.BURST_GAP_S, burst_count=limits.BURST_COUNT)
    broken: list[tuple[Any, Any]] = []
    for first, last, h12, requests in zip(
        seen["first_time"], seen["last_time"], seen["h12"], seen["requests"], strict=True
    ):
        if h12 >= limits.BURST_COUNT and wilson(int(h12), int(requests))[0] >= limits.ERROR_SHARE:
            broken.append((None, None) if pd.isna(first) else (first, last))
    return broken


def breaks_users(rows: pd.DataFrame, broken: list[tuple[Any, Any]] | None) -> bool:
    """Return whether five H12 or more of the rows (``code``, ``time``) fall in those times; None: in any."""
    h12 = rows[rows["code"] == "H12"]
    if broken is None:
        return len(h12) >= limits.BURST_COUNT
    inside = pd.Series(False, index=h12.index)
    for first, last in broken:
        inside |= True if first is None else h12["time"].between(first, last)
    return int(inside.sum()) >= limits.BURST_COUNT
