"""Whether memory grows: slope, shape and verdict from all lives of a dyno together, each with its own level.

The rule was tuned on generated series only (``tests/truth``); how often it errs on real dynos is not known.
Source: book ch. 3; the statistics are in ``trend.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from workbook import limits, trend
from workbook.memory.lives import MIN_SEGMENT_H, UNKNOWN_QUOTA_MB, Segment, coarsened, standing_mb, warm
from workbook.memory.shapes import (
    MIN_BINS,
    Fit,
    Pool,
    Shapes,
    daily_swing_mb,
    inner_slope,
    largest_jump,
    late_slope,
)

LONG_SPAN_H = 36.0
"""From here a daily rhythm can be told from growth."""
INNER_SHARE = 0.4
"""Growth whose slope between its steps is a smaller share of the whole slope is steps, not a leak."""
LATE_H, LATE_SHARE = 6.0, 0.6
"""A curve that bends is a leak only if, after so many hours, it keeps this share of the whole slope."""


@dataclass(frozen=True)
class Judgement:
    """The verdict on one dyno and every number behind it; a number that cannot be given is None.

    ``slope``, ``low`` and ``high`` are in MB per h (low and high: three standard errors, which held the
    true slope in 93 % of generated leaks). ``level_mb`` is that of ``standing_mb``."""

    verdict: str
    confidence: str | None = None
    slope: float | None = None
    low: float | None = None
    high: float | None = None
    sen: float | None = None
    p: float | None = None
    rho: float | None = None
    level_mb: float | None = None
    rise_mb: float | None = None
    settle_h: float | None = None
    step_mb: float | None = None
    step_clock_h: float | None = None
    teeth_mb: float | None = None
    bins: int = 0
    segments: int = 0
    hours: float = 0.0
    longest_h: float = 0.0
    needs_h: float | None = None
    against: tuple[str, ...] = field(default=())


def judge(
    lives: Sequence[Segment],
    quota: float | None,
    *,
    known_restarts: bool = True,
    total_level_mb: float | None = None,
    min_hours: float = limits.LEAK_HOURS,
    percent_per_day: float = limits.LEAK_PERCENT_PER_DAY,
) -> Judgement:
    """Return the verdict on one dyno from its lives (all of them; the short ones are left out here).

    ``known_restarts`` is False when the restarts were guessed. ``total_level_mb`` is the level with the disk
    cache, which the platform counts too. Without a life of ``min_hours`` there is no verdict (book ch. 3: a
    leak can take twelve or more hours to show), nor where less than LONG_SPAN_H show one swing of a day;
    growth under ``percent_per_day`` of the quota is no trend.
    """
    longest = max((one.length_h for one in lives), default=0.0)
    used = [warm(one) for one in lives if one.length_h >= MIN_SEGMENT_H]
    used = [coarsened(one) for one in used if len(one.floor_mb) >= 2]
    bins = sum(len(one.floor_mb) for one in used)
    hours = sum(one.length_h for one in used)
    if longest < min_hours or bins < MIN_BINS:
        needs = max(min_hours - longest, (MIN_BINS - bins) * 0.5 if longest >= min_hours else 0.0)
        return Judgement(
            "not_enough_data", bins=bins, segments=len(used), hours=hours, longest_h=longest, needs_h=needs
        )
    return _judged(used, quota, known_restarts, total_level_mb, percent_per_day, bins, hours, longest)


def _judged(
    used: list[Segment],
    quota: float | None,
    known: bool,
    total_level_mb: float | None,
    percent_per_day: float,
    bins: int,
    hours: float,
    longest: float,
) -> Judgement:
    level = standing_mb(used)
    assert level is not None
    base = quota or max(UNKNOWN_QUOTA_MB, level)
    least = percent_per_day / 100 * base / 24
    pool = Pool(used, daily=hours >= LONG_SPAN_H)
    fitted = Shapes(pool)
    rough, _ = fitted.best(float(bins))
    rho = pool.rho(min(rough.values(), key=lambda fit: fit.bic(float(bins))).residuals)
    ne = max(6.0, bins * (1 - rho) / (1 + rho))
    shapes, where = fitted.best(ne)

    line, beta, inverse = pool.fit(pool.line, daily=True)
    slope = float(beta[0])
    freedom = max(1, bins - line.k)
    se = math.sqrt(max(float(inverse[0, 0]) * line.rss / freedom, 0.0)) * math.sqrt(bins / ne)
    series = [(one.uptime_h, one.floor_mb) for one in used]
    sen = trend.sen_slope(series)
    p = trend.mann_kendall([y for _, y in series])[3]
    grows = slope >= least and slope > 2.3 * se and (p < 0.01 or slope > 4 * se)

    big, big_at = largest_jump(used)
    inner = inner_slope(pool, where)
    bic = {name: fit.bic(ne) for name, fit in shapes.items()}
    sat, satlin = shapes.get("sat"), shapes.get("satlin")
    bic.setdefault("sat", math.inf)
    logarithmic = bool(sat and sat.logarithmic and bic["sat"] < bic["lin"])
    teeth = trend.median(np.concatenate([one.teeth_mb for one in used]))

    if grows:
        stepped = bic["step"] < bic["lin"] and inner < INNER_SHARE * slope and big > 0.04 * base
        stepped = stepped or (inner < 0.25 * slope and big > 0.08 * base)
        if stepped:
            verdict = "steps" if bic["step"] < bic["sat"] else "plateau"
        elif bic["sat"] < bic["lin"]:
            still = satlin is not None and bic["satlin"] < bic["sat"] + 0.5 and satlin.slope >= least
            late = late_slope(used, LATE_H)
            still = still and late is not None and late >= max(least, LATE_SHARE * slope)
            verdict = "leak" if still else "plateau"
        else:
            verdict = "leak"
    else:
        verdict = _without_trend(used, base, level, total_level_mb, quota, bic, sat, big, teeth)
    lowest = min(float(one.floor_mb.min()) for one in used)
    always_full = quota is not None and lowest > limits.HIGH_LEVEL_PERCENT / 100 * quota
    if hours < LONG_SPAN_H and not always_full:
        swing = daily_swing_mb(used, base, ne, leaks=verdict == "leak")
        if swing is not None:
            return Judgement(
                "not_enough_data",
                slope=slope,
                low=slope - 3 * se,
                high=slope + 3 * se,
                bins=bins,
                segments=len(used),
                hours=hours,
                longest_h=longest,
                needs_h=LONG_SPAN_H - hours,
                against=(
                    f"memory swings by {swing:.0f} MB within {hours:.0f} h, as a day's traffic makes it",
                ),
            )

    confidence, against = _confidence(verdict, used, slope, se, least, known, hours, logarithmic, quota)
    return Judgement(
        verdict,
        confidence,
        slope,
        slope - 3 * se,
        slope + 3 * se,
        sen,
        p,
        rho,
        level,
        _rise(used),
        (longest if sat.logarithmic else 3 * sat.scale_h) if verdict == "plateau" and sat else None,
        big if verdict == "steps" else None,
        big_at if verdict == "steps" else None,
        teeth,
        bins,
        len(used),
        hours,
        longest,
        None,
        against,
    )


def _rise(used: Sequence[Segment]) -> float:
    rises = [trend.median(one.floor_mb[-3:]) - trend.median(one.floor_mb[:3]) for one in used]
    return trend.median(np.array(rises))


def _without_trend(
    used: Sequence[Segment],
    base: float,
    level: float,
    total_level_mb: float | None,
    quota: float | None,
    bic: dict[str, float],
    sat: Fit | None,
    big: float,
    teeth: float,
) -> str:
    """Return the verdict where no trend was found; repeated falls inside a life are a collector's work."""
    collected = _collections(used, 0.04 * base) >= 3
    if not collected and big > 0.04 * base and bic["step"] < min(bic["const"], bic["sat"]):
        return "steps"
    if quota is not None:
        over = total_level_mb is not None and total_level_mb > quota
        if over or level > limits.HIGH_LEVEL_PERCENT / 100 * quota:
            return "too_large"
    if sat and sat.height_mb > 0.02 * base and bic["sat"] < min(bic["const"], bic["lin"]) and not collected:
        return "plateau"
    return "sawtooth" if collected or teeth > 0.04 * base else "healthy"


def _collections(used: Sequence[Segment], least_mb: float) -> int:
    """Return how often the floor falls by ``least_mb`` within an hour and rises again afterwards."""
    falls = 0
    for one in used:
        y = one.floor_mb
        at = 2
        while at < len(y):
            if y[at - 2] - y[at] >= least_mb and y[at:].max() - y[at] >= least_mb / 2:
                falls += 1
                at += 2
            at += 1
    return falls


def _confidence(
    verdict: str,
    used: Sequence[Segment],
    slope: float,
    se: float,
    least: float,
    known: bool,
    hours: float,
    logarithmic: bool,
    quota: float | None,
) -> tuple[str, tuple[str, ...]]:
    """Return high, medium or low, and what argues against the verdict."""
    against = []
    slopes = [trend.sen_slope([(one.uptime_h, one.floor_mb)]) for one in used]
    agreeing = sum(one > 0 for one in slopes)
    if not known:
        against.append("the log names no restarts, they were guessed from falls in memory")
    if hours < LONG_SPAN_H:
        day = (
            "rise of traffic looks alike"
            if verdict in ("leak", "steps")
            else "fall of traffic can hide growth"
        )
        against.append(f"{hours:.0f} h observed, less than {LONG_SPAN_H:.0f} h: a day's {day}")
    if len(used) == 1:
        against.append("one uninterrupted run only")
    elif verdict == "leak" and agreeing < len(used):
        against.append(f"{len(used) - agreeing} of {len(used)} runs do not grow")
    if verdict == "leak" and logarithmic:
        against.append("the growth slows down, as a filling cache does")
    if verdict == "leak" and slope <= 4 * se:
        against.append("the slope is less than four standard errors")
    if quota is None:
        against.append("the quota is not known")
    hidden = verdict in ("healthy", "sawtooth") and slope + 3 * se > 2 * least
    if hidden:
        against.append(
            f"growth of up to {slope + 3 * se:.1f} MB per hour would not have been seen in this noise"
        )
    low = not known or hours < LONG_SPAN_H or hidden or (verdict == "leak" and logarithmic)
    sure = len(used) >= 2 and (verdict != "leak" or (agreeing == len(used) and slope > 4 * se))
    return ("low" if low else "high" if sure else "medium"), tuple(against)
