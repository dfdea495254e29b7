"""Whether a series rises: Mann-Kendall's test, Theil-Sen's slope, and the best places for steps.

Sources: Mann 1945; Sen 1968; Hamed and Rao 1998 (variance of S under autocorrelation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mann_kendall(series: Sequence[Array]) -> tuple[float, float, float, float]:
    """Return S, its variance, z and the one-sided p (growth) of Mann-Kendall's test, pooled over the series.

    The variance is corrected for ties and enlarged for autocorrelation (Hamed and Rao), never made smaller.
    """
    total = variance = 0.0
    for values in series:
        n = len(values)
        if n < 2:
            continue
        total += float(np.sign(values[None, :] - values[:, None])[np.triu_indices(n, 1)].sum())
        ties = np.unique(values, return_counts=True)[1].astype(float)
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
    detrended = values - x * float(np.median(pair_slopes(x, values)))
    place = ranks(detrended)
    place = place - place.mean()
    spread = float((place**2).sum())
    if spread == 0:
        return 1.0
    factor = 0.0
    for lag in range(1, n // 3 + 1):
        rho = float((place[lag:] * place[:-lag]).sum()) / spread
        if abs(rho) > 1.96 / math.sqrt(n):
            factor += (n - lag) * (n - lag - 1) * (n - lag - 2) * rho
    return 1.0 + 2.0 / (n * (n - 1) * (n - 2)) * factor


def ranks(values: Array) -> Array:
    """Return the rank of each value, equal values their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], dtype=np.float64)


def pair_slopes(x: Array, y: Array) -> Array:
    """Return the slope between every two points whose x differ."""
    first, second = np.triu_indices(len(x), 1)
    apart = x[second] - x[first]
    return (y[second] - y[first])[apart > 0] / apart[apart > 0]


def sen_slope(segments: Sequence[tuple[Array, Array]]) -> float:
    """Return the median slope (Theil-Sen) of all pairs of points of one segment; nan without a pair."""
    slopes = [pair_slopes(x, y) for x, y in segments if len(x) > 1]
    return float(np.median(np.concatenate(slopes))) if slopes else math.nan


def step_positions(values: Array, most: int = 3, shortest: int = 3) -> list[tuple[float, list[int]]]:
    """Return, for 0 to ``most`` steps, the least sum of squares of a piecewise constant, and its steps."""
    n = len(values)
    sums, squares = np.r_[0.0, np.cumsum(values)], np.r_[0.0, np.cumsum(values**2)]
    end = np.arange(n + 1)
    length = end[None, :] - end[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = squares[None, :] - squares[:, None] - (sums[None, :] - sums[:, None]) ** 2 / length
    cost = np.where(length >= shortest, np.maximum(cost, 0.0), np.inf)
    best = cost[0].copy()
    found: list[tuple[float, list[int]]] = [(float(best[n]), [])]
    back: list[NDArray[np.intp]] = []
    for _ in range(most):
        through = best[:, None] + cost
        back.append(np.argmin(through, axis=0))
        best = through[back[-1], end]
        if not np.isfinite(best[n]):
            break
        where, at = [], n
        for previous in reversed(back):
            at = int(previous[at])
            where.append(at)
        found.append((float(best[n]), where[::-1]))
    return found
