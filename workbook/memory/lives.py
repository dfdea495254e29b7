"""The lives of a dyno: their floors, restarts that the log does not name, and where memory stands.

A *floor* is the 10 % quantile of 30 minutes of memory: a collector's teeth and short peaks do not move it.
A *segment* is one life of a dyno, from start to restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from workbook import limits
from workbook.trend import Array, median

MIN_SEGMENT_H = 4.0
"""Shorter lives are not used for a slope."""
BOOT_H = 1.0
"""Floors this early in a life are warm-up and are not used."""
UNKNOWN_QUOTA_MB = 512.0
"""Without a quota, percentages in the rule are of this or of the level, whichever is larger."""
LEVEL_LIFE_H = limits.LEAK_HOURS
"""Memory stands where the last life of this length ended: a younger one still warms up."""
MOST_BINS = 700
"""Longer lives are judged on the medians of neighbouring floors: the rule compares every pair."""


@dataclass(frozen=True)
class Segment:
    """One life of a dyno: its length in h; uptime and time since a midnight in h, floor in MB of each bin.

    ``teeth_mb`` is how far the 95 % quantile of a bin lies above its floor. ``known_start`` is False where
    the log begins inside the life, so that ``uptime_h`` counts from there.
    """

    uptime_h: Array
    clock_h: Array
    floor_mb: Array
    teeth_mb: Array
    length_h: float
    known_start: bool = True


def guess_restarts(minutes: Array, memory_mb: Array, quota: float | None) -> list[float]:
    """Return the minutes at which memory falls back to where its life began: the likely restarts.

    ``minutes`` ascend; ``memory_mb`` is the median of each. A fall counts when the median of the 10 minutes
    before less that of the 5 after is more than 12 % of the level and 30 MB, ends near the start of the life,
    happens mostly within 2 minutes, and is 15 minutes or more after the last one. A collector that empties
    nearly everything looks the same.
    """
    near = 0.12 * (quota or max(UNKNOWN_QUOTA_MB, float(np.median(memory_mb)) if len(memory_mb) else 0.0))
    cuts: list[float] = []
    begin = 0
    after_all = np.searchsorted(minutes, minutes + 5)
    before_all = np.searchsorted(minutes, minutes - 10)
    quick = np.abs(np.diff(memory_mb, prepend=memory_mb[:1])) > 6
    for at in np.flatnonzero(quick):
        if minutes[at] - minutes[begin] < 15 or after_all[at] - at < 3 or at - max(before_all[at], begin) < 3:
            continue
        before = float(np.median(memory_mb[max(before_all[at], begin) : at]))
        after = float(np.median(memory_mb[at : after_all[at]]))
        fall = before - after
        first = float(np.min(memory_mb[begin : max(begin + 1, int(after_all[begin]))]))
        sudden = float(np.median(memory_mb[max(begin, at - 3) : at])) - float(np.min(memory_mb[at : at + 3]))
        if fall > max(0.12 * before, 30.0) and sudden > 0.7 * fall and after <= first + near:
            cuts.append(float(minutes[at]))
            begin = int(at)
    return cuts


def coarsened(one: Segment) -> Segment:
    """Return the segment with at most MOST_BINS bins: the medians of neighbouring ones."""
    n = len(one.floor_mb)
    wide = -(-n // MOST_BINS)
    if wide <= 1:
        return one
    parts = np.array_split(np.arange(n), n // wide)

    def medians(values: Array) -> Array:
        return np.array([np.median(values[part]) for part in parts])

    clock = np.array([one.clock_h[part[len(part) // 2]] for part in parts])
    return replace(
        one,
        uptime_h=medians(one.uptime_h),
        clock_h=clock,
        floor_mb=medians(one.floor_mb),
        teeth_mb=medians(one.teeth_mb),
    )


def warm(one: Segment) -> Segment:
    keep = one.uptime_h > BOOT_H
    return replace(
        one,
        uptime_h=one.uptime_h[keep],
        clock_h=one.clock_h[keep],
        floor_mb=one.floor_mb[keep],
        teeth_mb=one.teeth_mb[keep],
    )


def standing_mb(lives: Sequence[Segment]) -> float | None:
    """Return where memory stands: the median of the last 12 warm floors of the last life of LEVEL_LIFE_H.

    Where no life is that long it is the longest; None without a warm floor.
    """
    seen = [one for one in map(warm, lives) if len(one.floor_mb)]
    if not seen:
        return None
    long = [one for one in seen if one.length_h >= LEVEL_LIFE_H]
    last = long[-1] if long else max(seen, key=lambda one: one.length_h)
    return median(last.floor_mb[-12:])
