"""When memory that grows reaches a limit, from where it stands now, with the doubt about both."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from workbook import limits
from workbook.memory.lives import MIN_SEGMENT_H, Segment, warm

DAILY_RESTART_H = limits.RESTART_HOURS + limits.RESTART_JITTER_HOURS


def level_now(lives: Sequence[Segment], slope: float, uptime_h: float) -> tuple[float, float]:
    """Return the floor in MB that a line of that slope has at the end of the last life, and its doubt in MB.

    The doubt is two standard deviations of the floors around the lines of their lives: noise, and what traffic adds and
    takes within a day. A last life that has hardly begun stands where the lives before it stood at its age.
    """
    seen = [one for one in map(warm, lives) if len(one.floor_mb)] or [
        one for one in lives if len(one.floor_mb)
    ]
    starts = [float(np.mean(one.floor_mb - slope * one.uptime_h)) for one in seen]
    around = np.concatenate(
        [one.floor_mb - slope * one.uptime_h - start for one, start in zip(seen, starts, strict=True)]
    )
    spread = float(around.std()) * math.sqrt(len(around) / max(len(around) - len(seen), 1))
    if lives[-1].length_h >= MIN_SEGMENT_H and len(warm(lives[-1]).floor_mb):
        return starts[-1] + slope * uptime_h, 2 * spread
    return float(np.median(starts)) + slope * uptime_h, 2 * math.hypot(spread, float(np.std(starts)))


def hours_to(
    limit_mb: float, from_mb: float, slope: float, low: float, high: float, doubt_mb: float = 0.0
) -> tuple[float | None, float | None, float | None]:
    """Return the hours until memory reaches a limit, with the earliest and the latest; 0 when it is there.

    ``slope``, ``low`` and ``high`` are in MB per h; a slope of 0 or less never gets there: None. ``doubt_mb``
    is how far memory may truly stand from ``from_mb``.
    """
    left = limit_mb - from_mb
    if left <= 0:
        return 0.0, 0.0, max(doubt_mb + left, 0.0) / low if low > 0 else 0.0
    hours = left / slope if slope > 0 else None
    earliest = max(left - doubt_mb, 0.0) / high if high > 0 else None
    latest = (left + doubt_mb) / low if low > 0 else None
    return hours, earliest, latest


def needed_slope(limit_mb: float, base_mb: float) -> float:
    """Return the MB per h that lead from ``base_mb`` to the limit before the daily restart can hide them."""
    return (limit_mb - base_mb) / DAILY_RESTART_H
