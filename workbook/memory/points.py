"""What the picture of a dyno shows beside its row: floors with the fitted line, and the forecast's fan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbook.memory.growth import Judgement
from workbook.memory.half_hours import Life
from workbook.memory.lives import BOOT_H
from workbook.trend import Array

FAN_H = (6.0, 48.0)
"""A forecast is drawn over so many hours, least and most."""


def fan(
    now: pd.Timestamp, level: float, doubt: float, judged: Judgement, until_h: float | None
) -> list[dict[str, Any]]:
    """Return where memory's tops lead from the last sample on: low, middle and high in MB."""
    assert judged.slope is not None and judged.low is not None and judged.high is not None
    long = float(np.clip(FAN_H[1] if until_h is None else 1.1 * until_h, *FAN_H))
    ahead = np.linspace(0, long, 13)
    return [
        {"time": time, "low_mb": low, "mid_mb": middle, "high_mb": high}
        for time, low, middle, high in zip(
            _times(now.timestamp() + 3600 * ahead),
            np.round(level - doubt + judged.low * ahead, 1).tolist(),
            np.round(level + judged.slope * ahead, 1).tolist(),
            np.round(level + doubt + judged.high * ahead, 1).tolist(),
            strict=True,
        )
    ]


def floors(
    lives: Sequence[Life], judged: Judgement, since_s: float | None, most: int
) -> list[dict[str, Any]] | None:
    """Return at most so many floors as points, with the fitted line where the dyno leaks (since that time)."""
    times = np.concatenate([one.begin_s + 3600 * one.segment.uptime_h for one in lives])
    if not len(times):
        return None
    levels = np.concatenate([one.segment.floor_mb for one in lives])
    fitted = np.concatenate([_fitted(one, judged, since_s) for one in lives])
    order = np.argsort(times, kind="stable")
    kept = order[np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))]
    return [
        {"time": time, "mb": level, "fit_mb": None if fit != fit else fit}
        for time, level, fit in zip(
            _times(times[kept]),
            np.round(levels[kept], 1).tolist(),
            np.round(fitted[kept], 1).tolist(),
            strict=True,
        )
    ]


def _fitted(one: Life, judged: Judgement, since_s: float | None) -> Array:
    """Return the line through the warm floors of one life; NaN where there is none."""
    uptime, level = one.segment.uptime_h, one.segment.floor_mb
    warm = uptime > BOOT_H
    grew = judged.verdict == "leak" and judged.slope is not None and since_s is not None and one.begin_s >= since_s
    if not grew or warm.sum() < 2:
        return np.full(len(uptime), np.nan)
    line = (level - judged.slope * uptime)[warm].mean() + judged.slope * uptime
    return np.asarray(np.where(warm, line, np.nan))


def _times(seconds: Array) -> list[Any]:
    """Return whole seconds since 1970 as datetimes, UTC without zone."""
    return list(np.floor(seconds).astype(np.int64).astype("datetime64[s]").tolist())
