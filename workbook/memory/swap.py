"""When a dyno began to swap, and whether its swap is a level or grows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbook import limits, trend
from workbook.memory.half_hours import HalfHours

ONSET_MB = 10.0
"""Less swap is what any dyno shows today."""
LEAST_BINS = 6


def told(bins: HalfHours, base_mb: float) -> dict[str, Any]:
    """Return ``swap_is`` (none, level, grows), ``swap_onset``, ``swap_level_mb`` and ``swap_mb_per_h``.

    The onset is the first half hour of swap in the last life that swapped; growth is Theil-Sen's slope since then
    where Mann-Kendall's test is sure of it and it is a trend of the quota ``base_mb``.
    """
    known = ~np.isnan(bins.swap_mb)
    if not known.any():
        return {}
    order = np.flatnonzero(known)[np.argsort(bins.first_s[known], kind="stable")]
    swap, life, first_s = bins.swap_mb[order], bins.life[order], bins.first_s[order]
    swapping = swap >= ONSET_MB
    if not swapping.any():
        return {"swap_is": "none"}
    last_life = life == life[swapping][-1]
    onset_s = float(first_s[swapping & last_life].min())
    since = last_life & (first_s >= onset_s)
    values, hours = swap[since], (first_s[since] - onset_s) / 3600
    found: dict[str, Any] = {
        "swap_onset": pd.Timestamp(round(onset_s * 1e6), unit="us"),
        "swap_level_mb": trend.median(values[-12:]),
        "swap_is": "level",
    }
    if len(values) < LEAST_BINS:
        return found | {"swap_is": None}
    slope = trend.sen_slope([(hours, values)])
    grows = slope >= limits.LEAK_PERCENT_PER_DAY / 100 * base_mb / limits.RESTART_HOURS
    if grows and trend.mann_kendall([values])[2] > limits.Z_95 and np.ptp(values) >= ONSET_MB:
        found["swap_is"] = "grows"
    return found | {"swap_mb_per_h": float(slope)}
