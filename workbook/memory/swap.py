"""When a dyno began to swap, and whether its swap is a level or grows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbook import limits, trend

ONSET_MB = 10.0
"""Less swap is what any dyno shows today."""
LEAST_BINS = 6


def told(bins: pd.DataFrame, base_mb: float) -> dict[str, Any]:
    """Return ``swap_is`` (none, level, grows), ``swap_onset``, ``swap_level_mb`` and ``swap_mb_per_h``.

    ``bins`` are half hours of one dyno with ``swap_mid_mb``, the median swap of each. The onset is the first half hour
    of swap in the last life that swapped; growth is Theil-Sen's slope since then where Mann-Kendall's test is sure
    of it and it is a trend of the quota ``base_mb``.
    """
    seen = bins[bins["swap_mid_mb"].notna()].sort_values("first_time", kind="stable")
    swapping = seen[seen["swap_mid_mb"] >= ONSET_MB]
    if seen.empty:
        return {}
    if swapping.empty:
        return {"swap_is": "none"}
    begin = swapping["begin"].iloc[-1]
    onset = swapping.loc[swapping["begin"] == begin, "first_time"].min()
    since = seen[(seen["begin"] == begin) & (seen["first_time"] >= onset)]
    found: dict[str, Any] = {
        "swap_onset": onset,
        "swap_level_mb": float(since["swap_mid_mb"].tail(12).median()),
        "swap_is": "level",
    }
    if len(since) < LEAST_BINS:
        return found | {"swap_is": None}
    hours = (since["first_time"] - onset).dt.total_seconds().to_numpy(float) / 3600
    values = since["swap_mid_mb"].to_numpy(float)
    slope = trend.sen_slope([(hours, values)])
    grows = slope >= limits.LEAK_PERCENT_PER_DAY / 100 * base_mb / limits.RESTART_HOURS
    if grows and trend.mann_kendall([values])[2] > limits.Z_95 and np.ptp(values) >= ONSET_MB:
        found["swap_is"] = "grows"
    return found | {"swap_mb_per_h": float(slope)}
