"""The half hours of memory of each dyno, and the lives they make up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbook.memory.lives import Segment
from workbook.trend import Array, median

HALF_HOUR_H = 0.5
SAMPLED_SHARE, REPORTED_SHARE = 0.5, 0.8
"""A half hour counts with so many of its usual samples; of R14 lines nearly all: those under the quota are cut."""


@dataclass(frozen=True)
class HalfHours:
    """The half hours of one dyno, life by life; times in seconds since 1970, memory in MB, NaN where not known.

    ``life`` numbers the lives from 0, the earliest first. ``used`` is rss + swap, ``total`` has the disk cache too;
    ``floor`` and ``top`` are their 10 % and 95 % quantiles.
    """

    life: NDArray[np.intp]
    begin_s: Array
    seen_from_s: Array
    seen_until_s: Array
    first_s: Array
    last_s: Array
    is_mixed: NDArray[np.bool_]
    samples: Array
    gap_s: Array
    total_floor_mb: Array
    total_top_mb: Array
    used_floor_mb: Array
    used_top_mb: Array
    peak_mb: Array
    peak_s: Array
    swap_mb: Array
    swap_most_mb: Array
    is_unequal: NDArray[np.bool_]
    is_reported: bool
    has_boots: bool
    has_states: bool
    has_pages: bool

    @property
    def has_used(self) -> bool:
        """Whether most samples tell memory without the disk cache."""
        known = ~np.isnan(self.used_floor_mb)
        return bool(self.samples[known].sum() >= self.samples.sum() / 2)


@dataclass(frozen=True)
class Life:
    """One life of a dyno: its number, when it began (s since 1970), and its segment for ``growth``."""

    number: int
    begin_s: float
    segment: Segment


_TIMES = {
    "begin_s": "begin",
    "seen_from_s": "life_seen_from",
    "seen_until_s": "life_seen_until",
    "first_s": "first_time",
    "last_s": "last_time",
    "peak_s": "peak_time",
}
_MEASURED = (
    "samples",
    "gap_s",
    "total_floor_mb",
    "total_top_mb",
    "used_floor_mb",
    "used_top_mb",
    "peak_mb",
    "swap_mb",
    "swap_most_mb",
)


def by_dyno(frame: pd.DataFrame) -> dict[str, HalfHours]:
    """Return the half hours of each dyno; the frame is ordered by dyno and life, as the analysis's SQL gives it."""
    if frame.empty:
        return {}
    dynos, begins = frame["dyno"].factorize()[0], frame["begin"].to_numpy("datetime64[us]").astype(np.int64)
    boots = frame["boot"].factorize()[0]
    is_dyno = np.diff(dynos, prepend=-1) != 0
    lives = np.cumsum(is_dyno | (np.diff(begins, prepend=-1) != 0) | (np.diff(boots, prepend=-2) != 0))
    columns: dict[str, NDArray] = {
        name: frame[column].to_numpy("datetime64[us]").astype(np.int64) / 1e6 for name, column in _TIMES.items()
    }
    columns |= {name: frame[name].to_numpy(float, na_value=np.nan) for name in _MEASURED}
    columns |= {name: frame[name].fillna(False).to_numpy(bool) for name in ("is_mixed", "is_unequal")}
    marks = {name: frame[name].to_numpy(bool) for name in ("is_reported", "has_states", "has_pages")}
    marks["has_boots"] = boots >= 0
    firsts = np.flatnonzero(is_dyno)
    names = frame["dyno"].to_numpy(object)
    found = {}
    for first, last in zip(firsts, [*firsts[1:], len(frame)], strict=True):
        own = slice(first, last)
        found[str(names[first])] = HalfHours(
            life=lives[own] - lives[first],
            **{name: values[own] for name, values in columns.items()},
            **{name: bool(values[own].any()) for name, values in marks.items()},
        )
    return found


def moments_us(bins: HalfHours) -> tuple[int, int, int]:
    """Return when a dyno's first, highest and last sample was, in microseconds since 1970."""
    peak = int(np.argmax(bins.peak_mb))
    return (
        round(float(bins.first_s.min()) * 1e6),
        round(float(bins.peak_s[peak]) * 1e6),
        round(float(bins.last_s.max()) * 1e6),
    )


def lives_of(bins: HalfHours, kind: str) -> list[Life]:
    """Return the lives of a dyno, the earliest first; ``kind`` of memory: used (rss + swap) or total."""
    return list(_lives(bins, getattr(bins, f"{kind}_floor_mb"), getattr(bins, f"{kind}_top_mb")))


def _lives(bins: HalfHours, floor: Array, top: Array) -> Iterator[Life]:
    gaps = bins.gap_s[~np.isnan(bins.gap_s)]
    usual = HALF_HOUR_H * 3600 / max(median(gaps), 1.0) if len(gaps) else np.inf
    share = REPORTED_SHARE if bins.is_reported else SAMPLED_SHARE
    counts = (bins.samples >= share * usual) & ~np.isnan(floor) & ~bins.is_mixed
    middle_h = (bins.first_s + bins.last_s) / 2 / 3600
    dyno_start = float(bins.first_s.min())
    firsts = np.flatnonzero(np.diff(bins.life, prepend=-1))
    for number, (first, last) in enumerate(zip(firsts, [*firsts[1:], len(counts)], strict=True)):
        full = first + np.flatnonzero(counts[first:last])
        begin, seen_from = float(bins.begin_s[first]), float(bins.seen_from_s[first])
        length_h = (float(bins.seen_until_s[first]) - seen_from) / 3600
        segment = Segment(
            middle_h[full] - begin / 3600,
            middle_h[full],
            floor[full],
            top[full] - floor[full],
            min(length_h, HALF_HOUR_H * (len(full) + 1)),
            known_start=begin < seen_from or seen_from > dyno_start,
        )
        yield Life(number, begin, segment)
