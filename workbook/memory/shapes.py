"""Which shape memory has: constant, a line, a curve that levels off, both, or steps; with or without a day's rhythm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbook import trend
from workbook.memory.lives import Segment
from workbook.trend import Array

MIN_BINS = 6
SUDDEN_SHARE = 0.6
"""A step takes this share of its rise within an hour; a smooth day takes a third of it."""
RHYTHM_SHARE, RHYTHM_OF_BASE = 0.25, 0.08
"""A day's swing leaves less of the variance than the first, and is larger than the second of the quota."""
RHYTHM_AT_MOST, RHYTHM_MARGIN = 0.25, 6.0
"""A rise within a day that is a smaller share of the quota may be traffic, where its BIC is so near to a line's."""
TAUS_H = np.geomspace(0.5, 8.0, 10)
LOG_SCALES_H = (0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Fit:
    rss: float
    k: int
    residuals: Array
    slope: float = 0.0
    height_mb: float = 0.0
    scale_h: float = 0.0
    logarithmic: bool = False

    def bic(self, ne: float) -> float:
        n = len(self.residuals)
        return ne * math.log(max(self.rss, 1e-9 * n) / n) + self.k * math.log(ne)


class Pool:
    """All floors of a dyno; each segment has its own level, which is taken out before a curve is fitted."""

    def __init__(self, segments: Sequence[Segment], daily: bool):
        self.sizes = [len(one.floor_mb) for one in segments]
        self.of = np.repeat(np.arange(len(segments)), self.sizes)
        self.u = np.concatenate([one.uptime_h for one in segments])
        self.y = np.concatenate([one.floor_mb for one in segments])
        self.n, self.levels = len(self.y), len(segments)
        self.unknown_start = np.repeat([not one.known_start for one in segments], self.sizes)
        clock = 2 * np.pi * np.concatenate([one.clock_h for one in segments]) / 24
        self.daily = [np.sin(clock), np.cos(clock)] if daily else []
        self.centred = self._centre(self.y)

    def _centre(self, values: Array) -> Array:
        means = np.bincount(self.of, values) / np.array(self.sizes)
        return values - means[self.of]

    def fit(self, *curves: Array, daily: bool = False) -> tuple[Fit, Array, Array]:
        """Return the fit, the coefficients of the curves, and their covariance for noise of variance 1."""
        columns = [*curves, *(self.daily if daily else [])]
        if not columns:
            return (
                Fit(float((self.centred**2).sum()), self.levels, self.centred),
                np.zeros(0),
                np.zeros((0, 0)),
            )
        x = np.column_stack([self._centre(one) for one in columns])
        inverse: Array = np.asarray(np.linalg.pinv(x.T @ x), dtype=np.float64)
        beta = inverse @ (x.T @ self.centred)
        residuals = self.centred - x @ beta
        return Fit(float((residuals**2).sum()), self.levels + len(columns), residuals), beta, inverse

    def daily_part(self, residuals: Array) -> Array:
        """Return the daily rhythm in the residuals, its mean taken out of each life."""
        x = np.column_stack([self._centre(one) for one in self.daily])
        return np.asarray(x @ (np.linalg.pinv(x.T @ x) @ (x.T @ residuals)))

    def rho(self, residuals: Array) -> float:
        same = self.of[1:] == self.of[:-1]
        spread = float((residuals**2).sum())
        if spread <= 0 or not same.any():
            return 0.0
        return float(np.clip((residuals[1:] * residuals[:-1])[same].sum() / spread, 0.0, 0.95))


def _saturating(pool: Pool, linear: bool, daily: bool) -> Fit | None:
    """Return the best curve that levels off (with a straight part when ``linear``); None when none rises."""
    curves = [(1 - np.exp(-pool.u / tau), float(tau), False) for tau in TAUS_H]
    if not linear:
        curves += [(np.log1p(pool.u / scale), scale, True) for scale in LOG_SCALES_H]
    if pool.unknown_start.any():
        # a life that the log begins in may be warm already
        curves += [(np.where(pool.unknown_start, 0.0, curve), scale, log) for curve, scale, log in curves]
    best: Fit | None = None
    for curve, scale, logarithmic in curves:
        fit, beta, _ = pool.fit(curve, *([pool.u] if linear else []), daily=daily)
        if beta[0] > 0 and (best is None or fit.rss < best.rss):
            slope = float(beta[1]) if linear else 0.0
            height = float(beta[0] * np.ptp(curve))
            best = Fit(fit.rss, fit.k + 1, fit.residuals, slope, height, scale, logarithmic)
    return best


def fit_shapes(pool: Pool, ne: float) -> tuple[dict[str, Fit], list[list[int]]]:
    """Return the best fit of each shape, with a daily rhythm where that pays, and where the steps are."""
    fits: dict[str, list[Fit | None]] = {"const": [], "lin": [], "sat": [], "satlin": []}
    for daily in (False, True) if pool.daily else (False,):
        fits["const"].append(pool.fit(daily=daily)[0])
        fits["lin"].append(pool.fit(pool.u, daily=daily)[0])
        fits["sat"].append(_saturating(pool, False, daily))
        fits["satlin"].append(_saturating(pool, True, daily))
    known = {name: [fit for fit in some if fit is not None] for name, some in fits.items()}
    best = {name: min(some, key=lambda fit: fit.bic(ne)) for name, some in known.items() if some}
    best["step"], where = _steps(pool, pool.y, ne)
    if pool.daily:
        stepped = pool.y - best["step"].residuals
        rhythm = pool.daily_part(best["step"].residuals)
        again, where_again = _steps(pool, stepped + best["step"].residuals - rhythm, ne)
        again = Fit(again.rss, again.k + 2, again.residuals)
        if again.bic(ne) < best["step"].bic(ne):
            best["step"], where = again, where_again
    return best, where


def _steps(pool: Pool, values: Array, ne: float) -> tuple[Fit, list[list[int]]]:
    """Return the best piecewise constant and its steps, which are added where they help most."""
    series = np.split(values, np.cumsum(pool.sizes)[:-1])
    choices = [trend.step_positions(one) for one in series]
    taken = [0] * len(series)

    def total(counts: Sequence[int]) -> tuple[float, int]:
        rss = sum(choice[count][0] for choice, count in zip(choices, counts, strict=True))
        return rss, sum(2 * count + 1 for count in counts)

    def bic(counts: Sequence[int]) -> float:
        rss, k = total(counts)
        return ne * math.log(max(rss, 1e-9 * pool.n) / pool.n) + k * math.log(ne)

    while True:
        tries = [
            (bic([*taken[:i], count, *taken[i + 1 :]]), i, count)
            for i, choice in enumerate(choices)
            for count in range(taken[i] + 1, len(choice))
        ]
        better = min(tries, default=(math.inf, 0, 0))
        if better[0] >= bic(taken):
            break
        taken[better[1]] = better[2]
    where = [choice[count][1] for choice, count in zip(choices, taken, strict=True)]
    residuals = [
        piece - piece.mean()
        for one, positions in zip(series, where, strict=True)
        for piece in np.split(one, positions)
    ]
    rss, k = total(taken)
    return Fit(rss, k, np.concatenate(residuals)), where


def largest_jump(segments: Sequence[Segment], wide: int = 6) -> tuple[float, float | None]:
    """Return the largest sudden rise between the medians of neighbouring floors, and its time (``clock_h``)."""
    best, where = 0.0, None
    for one in segments:
        y, n = one.floor_mb, len(one.floor_mb)
        windows = np.lib.stride_tricks.sliding_window_view(y, wide) if n >= wide else y[:0, None]
        middles = np.median(windows, axis=1)
        for at in range(3, n - 2):
            after = middles[at] if at + wide <= n else np.median(y[at:])
            before = middles[at - wide] if at >= wide else np.median(y[:at])
            jump = float(after - before)
            if jump > best and _fastest_rise(y, at) >= SUDDEN_SHARE * jump:
                best, where = jump, float(one.clock_h[at])
    return best, where


def _fastest_rise(y: Array, at: int) -> float:
    """Return the largest rise within an hour, near that place."""
    near = range(max(at - 2, 0), min(at + 2, len(y) - 2))
    return max((float(y[first + 2] - y[first]) for first in near), default=0.0)


def daily_swing_mb(used: Sequence[Segment], base: float, ne: float, *, leaks: bool) -> float | None:
    """Return how far a daily rhythm moves memory, where it explains what was seen as well as growth; else None.

    Memory that has not fallen again may still be the rising half of a day: then the rhythm must be no larger than one
    that traffic makes, and fit about as well as a line.
    """
    pool = Pool(used, daily=True)
    rhythm, line = pool.fit(daily=True)[0], pool.fit(pool.u)[0]
    fitted = np.split(pool.centred - rhythm.residuals, np.cumsum(pool.sizes)[:-1])
    swing = max(float(np.ptp(one)) for one in fitted)
    behind = rhythm.bic(ne) - line.bic(ne)
    if leaks and swing < RHYTHM_AT_MOST * base and behind < RHYTHM_MARGIN:
        return swing
    fallen = max(float(one.max() - one[-1]) for one in fitted)
    if swing < RHYTHM_OF_BASE * base or fallen < swing / 2 or behind > 0:
        return None
    return swing if rhythm.rss < RHYTHM_SHARE * float((pool.centred**2).sum()) else None


def inner_slope(pool: Pool, where: Sequence[Sequence[int]]) -> float:
    """Return the common slope inside the pieces between steps, least squares."""
    pieces = [
        piece
        for one, positions in zip(np.split(np.arange(pool.n), np.cumsum(pool.sizes)[:-1]), where, strict=True)
        for piece in np.split(one, positions)
    ]
    x = np.concatenate([pool.u[piece] - pool.u[piece].mean() for piece in pieces])
    y = np.concatenate([pool.y[piece] - pool.y[piece].mean() for piece in pieces])
    return float((x * y).sum() / max(float((x**2).sum()), 1e-9))


def late_slope(used: Sequence[Segment], least_h: float) -> float | None:
    """Return the common slope after ``least_h`` of each life; None with fewer than MIN_BINS floors."""
    late = [(one.uptime_h[one.uptime_h > least_h], one.floor_mb[one.uptime_h > least_h]) for one in used]
    late = [(x - x.mean(), y - y.mean()) for x, y in late if len(x) >= 3]
    if sum(len(x) for x, _ in late) < MIN_BINS:
        return None
    spread = sum(float((x**2).sum()) for x, _ in late)
    return sum(float((x * y).sum()) for x, y in late) / spread
