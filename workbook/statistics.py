"""Intervals for shares and differences of shares: what small numbers can and cannot say."""

from __future__ import annotations

from math import sqrt

from workbook import limits


def wilson(successes: float, n: float, z: float = limits.Z_95) -> tuple[float, float]:
    """Return the 95 % interval (Wilson 1927) of a share: lowest and highest, each 0 to 1.

    Nothing is known when n is 0: then it is 0 to 1. It assumes that the n are independent: where errors
    come in bursts the truth is wider.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no share")
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    # rounding must not keep 0 of n from reaching 0, or n of n from reaching 1
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def newcombe(
    before: tuple[float, float], after: tuple[float, float], z: float = limits.Z_95
) -> tuple[float, float, float]:
    """Return the difference of two shares, after minus before, and its 95 % interval (Newcombe 1998).

    Each share is given as (successes, n). Raises ValueError when an n is 0: then there is no difference.
    """
    if not before[1] or not after[1]:
        raise ValueError("a share of nothing has no difference")
    old, new = before[0] / before[1], after[0] / after[1]
    (old_low, old_high), (new_low, new_high) = wilson(*before, z), wilson(*after, z)
    difference = new - old
    low = difference - sqrt((new - new_low) ** 2 + (old_high - old) ** 2)
    high = difference + sqrt((new_high - new) ** 2 + (old - old_low) ** 2)
    return difference, low, high
