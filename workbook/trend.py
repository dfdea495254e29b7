"""Whether a series rises: Mann-Kendall's test, Theil-Sen's slope, and the best places for steps.

Sources: Mann 1945; Sen 1968; Hamed and Rao 1998 (variance of S under autocorrelation).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_CELLS = 2_000_000
"""Pairs of places that are looked at in one go when steps are sought: 16 MB each."""


def median(values: Array) -> float:
    """Return the median of one or more values; numpy's own takes ten times as long for so few."""
    n = len(values)
    low, high = (n - 1) // 2, n // 2
    parted = np.partition(values, (low, high))
    return float(parted[low] + parted[high]) / 2


def less_means(values: Array, first: NDArray[np.intp]) -> Array:
    """Return the values, or each column of them, less the mean of their piece; pieces begin at the places ``first``."""
    sizes = np.diff(first, append=len(values))
    means = np.add.reduceat(values, first, axis=0) / (sizes if values.ndim == 1 else sizes[:, None])
    return np.asarray(values - np.repeat(means, sizes, axis=0))


def mann_kendall(series: Sequence[Array]) -> tuple[float, float, float, float]:
    """Return S, its variance, z and the one-sided p (growth) of Mann-Kendall's test, pooled over the series.

    The variance is corrected for ties and enlarged for autocorrelation (Hamed and Rao), never made smaller.
    """
    total = variance = 0.0
    for values in series:
        n = len(values)
        if n < 2:
            continue
        first, second = _pairs(n)
        total += float(np.sign(values[second] - values[first]).sum())
        ties = np.diff(np.flatnonzero(np.diff(np.sort(values), prepend=-np.inf)), append=n).astype(float)
        plain = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
        variance += plain * max(1.0, _hamed_rao(values))
    if variance <= 0:
        return total, variance, 0.0, 0.5
    z = (total - math.copysign(1.0, total) * (total != 0)) / math.sqrt(variance)
    return total, variance, z, 0.5 * math.erfc(z / math.sqrt(2))


def _hamed_rao(values: Array) -> float:
    n = len(values)
    if n < 9:
        return 1.0
    x = np.arange(n, dtype=float)
    detrended = values - x * median(pair_slopes(x, values))
    place = ranks(detrended)
    place = place - place.mean()
    spread = float((place**2).sum())
    if spread == 0:
        return 1.0
    lag = np.arange(1, n // 3 + 1)
    rho = np.correlate(place, place, "full")[n : n + n // 3] / spread
    weight = (n - lag) * (n - lag - 1.0) * (n - lag - 2)
    factor = float((weight * rho)[np.abs(rho) > 1.96 / math.sqrt(n)].sum())
    return 1.0 + 2.0 / (n * (n - 1) * (n - 2)) * factor


def ranks(values: Array) -> Array:
    """Return the rank of each value, equal values their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], dtype=np.float64)


def _pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of every pair of n points, the earlier one first."""
    return _few_pairs(n) if n <= 200 else np.triu_indices(n, 1)


@functools.lru_cache(maxsize=64)
def _few_pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(n, 1)


def pair_slopes(x: Array, y: Array) -> Array:
    """Return the slope between every two points whose x differ."""
    first, second = _pairs(len(x))
    apart = x[second] - x[first]
    rises = y[second] - y[first]
    if len(apart) and apart.min() > 0:
        return np.asarray(rises / apart)
    return rises[apart > 0] / apart[apart > 0]


def sen_slope(segments: Sequence[tuple[Array, Array]]) -> float:
    """Return the median slope (Theil-Sen) of all pairs of points of one segment; nan without a pair."""
    slopes = [pair_slopes(x, y) for x, y in segments if len(x) > 1]
    return median(np.concatenate(slopes)) if slopes else math.nan


def step_positions(values: Array, most: int = 3, shortest: int = 3) -> list[tuple[float, list[int]]]:
    """Return, for 0 to ``most`` steps, the least sum of squares of a piecewise constant, and its steps."""
    return all_step_positions([values], most, shortest)[0]


def all_step_positions(
    series: Sequence[Array], most: int = 3, shortest: int = 3
) -> list[list[tuple[float, list[int]]]]:
    """Return what ``step_positions`` says of each series; series of about one length are searched together."""
    found: list[list[tuple[float, list[int]]]] = [[] for _ in series]
    alike: dict[int, list[int]] = {}
    for place, values in enumerate(series):
        alike.setdefault(len(values).bit_length(), []).append(place)
    for places in alike.values():
        widest = max(len(series[place]) for place in places)
        at_once = max(1, MOST_CELLS // (widest + 1) ** 2)
        for first in range(0, len(places), at_once):
            some = places[first : first + at_once]
            for place, steps in zip(some, _steps([series[one] for one in some], most, shortest), strict=True):
                found[place] = steps
    return found


def _steps(series: Sequence[Array], most: int, shortest: int) -> list[list[tuple[float, list[int]]]]:
    """Return the best steps of series that are padded to one length: what lies after an end is never asked for."""
    sizes = [len(values) for values in series]
    widest, many = max(sizes), len(series)
    padded = np.zeros((many, widest))
    for place, values in enumerate(series):
        padded[place, : len(values)] = values
    sums, squares = np.zeros((2, many, widest + 1))
    np.cumsum(padded, axis=1, out=sums[:, 1:])
    np.cumsum(padded**2, axis=1, out=squares[:, 1:])
    end = np.arange(widest + 1)
    length = np.maximum(end[None, :] - end[:, None], 1)
    cost = squares[:, None, :] - squares[:, :, None] - (sums[:, None, :] - sums[:, :, None]) ** 2 / length
    cost = np.maximum(cost, 0.0)
    cost[:, end[None, :] - end[:, None] < shortest] = np.inf
    best = cost[:, 0].copy()
    rss, back = [best], []
    for _ in range(most):
        through = best[:, :, None] + cost
        back.append(np.argmin(through, axis=1))
        best = np.take_along_axis(through, back[-1][:, None, :], axis=1)[:, 0]
        rss.append(best)
    return [_walked([one[place] for one in rss], [one[place] for one in back], n) for place, n in enumerate(sizes)]


def _walked(rss: Sequence[Array], back: Sequence[NDArray[np.intp]], n: int) -> list[tuple[float, list[int]]]:
    """Return the sum of squares of 0, 1, … steps in the first n values, and the steps, walked from the last one back."""
    found: list[tuple[float, list[int]]] = [(float(rss[0][n]), [])]
    for count in range(1, len(rss)):
        if not np.isfinite(rss[count][n]):
            break
        where, at = [], n
        for previous in reversed(back[:count]):
            at = int(previous[at])
            where.append(at)
        found.append((float(rss[count][n]), where[::-1]))
    return found
