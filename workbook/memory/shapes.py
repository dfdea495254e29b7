"""Which shape memory has: constant, a line, a curve that levels off, both, or steps; with or without a day's rhythm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        self.sizes = np.array([len(one.floor_mb) for one in segments])
        self.first = np.cumsum(self.sizes) - self.sizes
        self.of = np.repeat(np.arange(len(segments)), self.sizes)
        self.u = np.concatenate([one.uptime_h for one in segments])
        self.y = np.concatenate([one.floor_mb for one in segments])
        self.n, self.levels = len(self.y), len(segments)
        self.unknown_start = np.repeat([not one.known_start for one in segments], self.sizes)
        clock = 2 * np.pi * np.concatenate([one.clock_h for one in segments]) / 24
        rhythm = np.column_stack([np.sin(clock), np.cos(clock)]) if daily else np.zeros((self.n, 0))
        self.daily = self.centre(rhythm)
        self.centred = self.centre(self.y)
        self.line = self.centre(self.u)

    def centre(self, values: Array) -> Array:
        """Return the values, or each column of them, less their mean in each life."""
        return trend.less_means(values, self.first)

    def split(self, values: Array) -> list[Array]:
        """Return the values life by life."""
        return np.split(values, self.first[1:])

    def pieces(self, where: Sequence[Sequence[int]]) -> NDArray[np.intp]:
        """Return the places at which a life begins or steps; ``where`` has the steps of each life."""
        found = [first + at for first, steps in zip(self.first, where, strict=True) for at in (0, *steps)]
        return np.array(found, dtype=np.intp)

    def fit(self, *curves: Array, daily: bool = False) -> tuple[Fit, Array, Array]:
        """Return the fit, the coefficients of the centred curves, and their covariance for noise of variance 1."""
        columns = [one[:, None] for one in curves] + ([self.daily] if daily else [])
        x = np.concatenate(columns, axis=1) if columns else np.zeros((self.n, 0))
        if not x.shape[1]:
            rss = float(self.centred @ self.centred)
            return Fit(rss, self.levels, self.centred), np.zeros(0), np.zeros((0, 0))
        inverse: Array = np.asarray(np.linalg.pinv(x.T @ x, hermitian=True), dtype=np.float64)
        beta = inverse @ (x.T @ self.centred)
        residuals = self.centred - x @ beta
        return Fit(float(residuals @ residuals), self.levels + x.shape[1], residuals), beta, inverse

    @staticmethod
    def fit_to(values: Array, basis: Array) -> Array:
        """Return the coefficients of the columns of the basis that come nearest to the values."""
        return np.asarray(np.linalg.pinv(basis.T @ basis, hermitian=True) @ (basis.T @ values))

    def daily_part(self, residuals: Array) -> Array:
        """Return the daily rhythm in the residuals, its mean taken out of each life."""
        return np.asarray(self.daily @ self.fit_to(residuals, self.daily))

    def rho(self, residuals: Array) -> float:
        """Return how much a residual remembers of its neighbour in the same life, 0 to 0.95."""
        same = self.of[1:] == self.of[:-1]
        spread = float((residuals**2).sum())
        if spread <= 0 or not same.any():
            return 0.0
        return float(np.clip((residuals[1:] * residuals[:-1])[same].sum() / spread, 0.0, 0.95))


class Shapes:
    """Every shape fitted to a dyno's floors once; which fit of each is best depends on how many floors count."""

    def __init__(self, pool: Pool):
        self.pool = pool
        rhythms = (False, True) if pool.daily.shape[1] else (False,)
        curves, scales, logarithms = _levelling(pool)
        plain = ~logarithms
        self._smooth: dict[str, list[Fit]] = {
            "const": [pool.fit(daily=daily)[0] for daily in rhythms],
            "lin": [pool.fit(pool.line, daily=daily)[0] for daily in rhythms],
            "sat": [
                fit for daily in rhythms for fit in _saturating(pool, curves, scales, logarithms, False, daily)
            ],
            "satlin": [
                fit
                for daily in rhythms
                for fit in _saturating(pool, curves[:, plain], scales[plain], logarithms[plain], True, daily)
            ],
        }
        self._choices = trend.all_step_positions(pool.split(pool.y))
        self._without_rhythm: dict[tuple[int, ...], list[list[tuple[float, list[int]]]]] = {}

    def best(self, ne: float) -> tuple[dict[str, Fit], list[list[int]]]:
        """Return the best fit of each shape, with a daily rhythm where that pays, and where the steps are.

        ``ne`` is how many independent floors there are; it is the n of the BIC.
        """
        best = {name: min(some, key=lambda fit: fit.bic(ne)) for name, some in self._smooth.items() if some}
        pool = self.pool
        best["step"], counts = _stepped(pool, pool.y, self._choices, ne)
        where = _chosen(self._choices, counts)
        if pool.daily.shape[1]:
            less = pool.y - pool.daily_part(best["step"].residuals)
            if counts not in self._without_rhythm:
                self._without_rhythm[counts] = trend.all_step_positions(pool.split(less))
            choices = self._without_rhythm[counts]
            again, counts_again = _stepped(pool, less, choices, ne)
            again = Fit(again.rss, again.k + 2, again.residuals)
            if again.bic(ne) < best["step"].bic(ne):
                best["step"], where = again, _chosen(choices, counts_again)
        return best, where


def _levelling(pool: Pool) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return curves that level off, one a column, and of each its scale in h and whether it is a logarithm.

    A life that the log begins in may be warm already: where there is one, each curve is there without it too.
    """
    u, logs = pool.u[:, None], np.array(LOG_SCALES_H)
    curves = np.concatenate([1 - np.exp(-u / TAUS_H), np.log1p(u / logs)], axis=1)
    scales = np.concatenate([TAUS_H, logs])
    logarithms = np.repeat([False, True], [len(TAUS_H), len(logs)])
    if not pool.unknown_start.any():
        return curves, scales, logarithms
    warm_already = np.where(pool.unknown_start[:, None], 0.0, curves)
    return np.concatenate([curves, warm_already], axis=1), np.tile(scales, 2), np.tile(logarithms, 2)


def _saturating(
    pool: Pool, curves: Array, scales: Array, logarithms: NDArray[np.bool_], linear: bool, daily: bool
) -> Iterator[Fit]:
    """Return the best curve that levels off (with a straight part when ``linear``); nothing when none rises.

    What the straight part and the rhythm explain is taken out of floors and curves: then each curve is fitted alone.
    """
    beside = [pool.line[:, None]] * linear + [pool.daily] * daily
    basis = np.concatenate(beside, axis=1) if beside else np.zeros((pool.n, 0))
    q, r = np.linalg.qr(basis)
    q = q[:, np.abs(np.diagonal(r)) > 1e-9 * max(1.0, float(np.abs(r).max(initial=0.0)))]
    centred = pool.centre(curves)
    left, others = pool.centred - q @ (q.T @ pool.centred), centred - q @ (q.T @ centred)
    sizes = (others**2).sum(axis=0)
    usable = sizes > 1e-9 * np.maximum((centred**2).sum(axis=0), 1e-9)
    heights = np.where(usable, left @ others / np.where(usable, sizes, 1.0), 0.0)
    saved = np.where(heights > 0, heights**2 * sizes, -1.0)
    best = int(np.argmax(saved))
    if saved[best] <= 0:
        return
    residuals = left - heights[best] * others[:, best]
    straight = pool.centred - heights[best] * centred[:, best]
    slope = float(pool.fit_to(straight, basis)[0]) if linear else 0.0
    k = pool.levels + basis.shape[1] + 2
    height = float(heights[best] * np.ptp(curves[:, best]))
    yield Fit(
        float(residuals @ residuals), k, residuals, slope, height, float(scales[best]), bool(logarithms[best])
    )


def _stepped(
    pool: Pool, values: Array, choices: list[list[tuple[float, list[int]]]], ne: float
) -> tuple[Fit, tuple[int, ...]]:
    """Return the best piecewise constant and how many steps each life has: they are added where they help most."""
    sums = np.full((len(choices), max(map(len, choices))), np.inf)
    for life, choice in enumerate(choices):
        sums[life, : len(choice)] = [rss for rss, _ in choice]
    counts = np.arange(sums.shape[1])
    lives, taken = np.arange(len(choices)), np.zeros(len(choices), dtype=int)

    def bic(rss: Array, k: Array) -> Array:
        return np.asarray(ne * np.log(np.maximum(rss, 1e-9 * pool.n) / pool.n) + k * math.log(ne))

    while True:
        own = sums[lives, taken]
        more = counts - taken[:, None]
        k = len(choices) + 2 * taken.sum()
        tries = bic(own.sum() - own[:, None] + sums, k + 2 * more)
        tries[more <= 0] = np.inf
        life, count = np.unravel_index(int(np.argmin(tries)), tries.shape)
        if tries[life, count] >= bic(own.sum(), k):
            break
        taken[life] = count
    steps = tuple(int(count) for count in taken)
    residuals = trend.less_means(values, pool.pieces(_chosen(choices, steps)))
    return Fit(float(own.sum()), int(k), residuals), steps


def _chosen(choices: list[list[tuple[float, list[int]]]], counts: tuple[int, ...]) -> list[list[int]]:
    return [choice[count][1] for choice, count in zip(choices, counts, strict=True)]


def largest_jump(segments: Sequence[Segment], wide: int = 6) -> tuple[float, float | None]:
    """Return the largest sudden rise between the medians of neighbouring floors, and its time (``clock_h``)."""
    best, where = 0.0, None
    for one in segments:
        y, n = one.floor_mb, len(one.floor_mb)
        at = np.arange(3, n - 2)
        if not len(at):
            continue
        middles = _medians(y, wide)
        full = n - wide + 1
        before, after = middles[np.maximum(at - wide, 0)], middles[np.minimum(at, full - 1)]
        for place in np.flatnonzero(at < wide):
            before[place] = trend.median(y[: at[place]])
        for place in np.flatnonzero(at + wide > n):
            after[place] = trend.median(y[at[place] :])
        jumps = after - before
        jumps[_fastest_rises(y)[at] < SUDDEN_SHARE * jumps] = 0.0
        place = int(np.argmax(jumps))
        if jumps[place] > best:
            best, where = float(jumps[place]), float(one.clock_h[at[place]])
    return best, where


def _medians(y: Array, wide: int) -> Array:
    """Return the median of every so many neighbours; of all where there are fewer."""
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(y, min(wide, len(y))), axis=1))


def _fastest_rises(y: Array) -> Array:
    """Return, for each floor, the largest rise within an hour that begins from an hour before it to half after."""
    rises = np.zeros(len(y) + 4)
    rises[2 : len(y)] = np.maximum(y[2:] - y[:-2], 0.0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(rises, 4).max(axis=1)[: len(y)])


def daily_swing_mb(used: Sequence[Segment], base: float, ne: float, *, leaks: bool) -> float | None:
    """Return how far a daily rhythm moves memory, where it explains what was seen as well as growth; else None.

    Memory that has not fallen again may still be the rising half of a day: then the rhythm must be no larger than one
    that traffic makes, and fit about as well as a line.
    """
    pool = Pool(used, daily=True)
    rhythm, line = pool.fit(daily=True)[0], pool.fit(pool.line)[0]
    fitted = pool.split(pool.centred - rhythm.residuals)
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
    first = pool.pieces(where)
    x, y = trend.less_means(pool.u, first), trend.less_means(pool.y, first)
    return float((x * y).sum() / max(float((x**2).sum()), 1e-9))


def late_slope(used: Sequence[Segment], least_h: float) -> float | None:
    """Return the common slope after ``least_h`` of each life; None with fewer than MIN_BINS floors."""
    late = [(one.uptime_h[one.uptime_h > least_h], one.floor_mb[one.uptime_h > least_h]) for one in used]
    late = [(x - x.mean(), y - y.mean()) for x, y in late if len(x) >= 3]
    if sum(len(x) for x, _ in late) < MIN_BINS:
        return None
    spread = sum(float((x**2).sum()) for x, _ in late)
    return sum(float((x * y).sum()) for x, y in late) / spread
