"""Whether memory grows: guessed restarts, floors, slope, shapes and a verdict from one dyno's series.

A *floor* is the 10 % quantile of 30 minutes of memory: a collector's teeth and short peaks do not move it.
A *segment* is one life of a dyno, from start to restart. All segments of a dyno are judged together, each
with its own level.

The rule was tuned on generated series only (``tests/truth``); how often it errs on real dynos is not known.
Source: book ch. 3; the statistics are in ``trend.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from workbook import limits, trend
from workbook.trend import Array

MIN_SEGMENT_H = 4.0
"""Shorter lives are not used for a slope."""
BOOT_H = 1.0
"""Floors this early in a life are warm-up and are not used."""
MIN_BINS = 6
LONG_SPAN_H = 36.0
"""From here a daily rhythm can be told from growth."""
DAILY_RESTART_H = limits.RESTART_HOURS + limits.RESTART_JITTER_HOURS
UNKNOWN_QUOTA_MB = 512.0
"""Without a quota, percentages in the rule are of this or of the level, whichever is larger."""
INNER_SHARE = 0.4
"""Growth whose slope between its steps is a smaller share of the whole slope is steps, not a leak."""
LATE_H, LATE_SHARE = 6.0, 0.6
"""A curve that bends is a leak only if, after so many hours, it keeps this share of the whole slope."""
SUDDEN_SHARE = 0.6
"""A step takes this share of its rise within an hour; a smooth day takes a third of it."""
RHYTHM_SHARE, RHYTHM_OF_BASE = 0.25, 0.08
"""A day's swing leaves less of the variance than the first, and is larger than the second of the quota."""
RHYTHM_AT_MOST, RHYTHM_MARGIN = 0.25, 6.0
"""A rise within a day that is a smaller share of the quota may be traffic, where its BIC is so near to a line's."""
LEVEL_LIFE_H = limits.LEAK_HOURS
"""Memory stands where the last life of this length ended: a younger one still warms up."""
MOST_BINS = 700
"""Longer lives are judged on the medians of neighbouring floors: the rule compares every pair."""
TAUS_H = np.geomspace(0.5, 8.0, 10)
LOG_SCALES_H = (0.1, 0.3, 1.0, 3.0)


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


# ---- restarts that the log does not name ----


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


# ---- shapes ----


@dataclass(frozen=True)
class _Fit:
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


class _Pool:
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

    def fit(self, *curves: Array, daily: bool = False) -> tuple[_Fit, Array, Array]:
        """Return the fit, the coefficients of the curves, and their covariance for noise of variance 1."""
        columns = [*curves, *(self.daily if daily else [])]
        if not columns:
            return (
                _Fit(float((self.centred**2).sum()), self.levels, self.centred),
                np.zeros(0),
                np.zeros((0, 0)),
            )
        x = np.column_stack([self._centre(one) for one in columns])
        inverse: Array = np.asarray(np.linalg.pinv(x.T @ x), dtype=np.float64)
        beta = inverse @ (x.T @ self.centred)
        residuals = self.centred - x @ beta
        return _Fit(float((residuals**2).sum()), self.levels + len(columns), residuals), beta, inverse

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


def _saturating(pool: _Pool, linear: bool, daily: bool) -> _Fit | None:
    """Return the best curve that levels off (with a straight part when ``linear``); None when none rises."""
    curves = [(1 - np.exp(-pool.u / tau), float(tau), False) for tau in TAUS_H]
    if not linear:
        curves += [(np.log1p(pool.u / scale), scale, True) for scale in LOG_SCALES_H]
    if pool.unknown_start.any():
        # a life that the log begins in may be warm already
        curves += [(np.where(pool.unknown_start, 0.0, curve), scale, log) for curve, scale, log in curves]
    best: _Fit | None = None
    for curve, scale, logarithmic in curves:
        fit, beta, _ = pool.fit(curve, *([pool.u] if linear else []), daily=daily)
        if beta[0] > 0 and (best is None or fit.rss < best.rss):
            slope = float(beta[1]) if linear else 0.0
            height = float(beta[0] * np.ptp(curve))
            best = _Fit(fit.rss, fit.k + 1, fit.residuals, slope, height, scale, logarithmic)
    return best


def _shapes(pool: _Pool, ne: float) -> tuple[dict[str, _Fit], list[list[int]]]:
    """Return the best fit of each shape, with a daily rhythm where that pays, and where the steps are."""
    fits: dict[str, list[_Fit | None]] = {"const": [], "lin": [], "sat": [], "satlin": []}
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
        again = _Fit(again.rss, again.k + 2, again.residuals)
        if again.bic(ne) < best["step"].bic(ne):
            best["step"], where = again, where_again
    return best, where


def _steps(pool: _Pool, values: Array, ne: float) -> tuple[_Fit, list[list[int]]]:
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
    return _Fit(rss, k, np.concatenate(residuals)), where


def _largest_jump(segments: Sequence[Segment], wide: int = 6) -> tuple[float, float | None]:
    """Return the largest sudden rise between the medians of neighbouring floors, and its time (``clock_h``)."""
    best, where = 0.0, None
    for one in segments:
        y = one.floor_mb
        for at in range(3, len(y) - 2):
            jump = float(np.median(y[at : at + wide]) - np.median(y[max(0, at - wide) : at]))
            if jump > best and _fastest_rise(y, at) >= SUDDEN_SHARE * jump:
                best, where = jump, float(one.clock_h[at])
    return best, where


def _fastest_rise(y: Array, at: int) -> float:
    """Return the largest rise within an hour, near that place."""
    near = range(max(at - 2, 0), min(at + 2, len(y) - 2))
    return max((float(y[first + 2] - y[first]) for first in near), default=0.0)


# ---- verdict ----


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


def standing_mb(lives: Sequence[Segment]) -> float | None:
    """Return where memory stands: the median of the last 12 warm floors of the last life of LEVEL_LIFE_H.

    Where no life is that long it is the longest; None without a warm floor.
    """
    warm = [one for one in map(_warm, lives) if len(one.floor_mb)]
    if not warm:
        return None
    long = [one for one in warm if one.length_h >= LEVEL_LIFE_H]
    last = long[-1] if long else max(warm, key=lambda one: one.length_h)
    return float(np.median(last.floor_mb[-12:]))


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
    used = [_warm(one) for one in lives if one.length_h >= MIN_SEGMENT_H]
    used = [coarsened(one) for one in used if len(one.floor_mb) >= 2]
    bins = sum(len(one.floor_mb) for one in used)
    hours = sum(one.length_h for one in used)
    if longest < min_hours or bins < MIN_BINS:
        needs = max(min_hours - longest, (MIN_BINS - bins) * 0.5 if longest >= min_hours else 0.0)
        return Judgement(
            "not_enough_data", bins=bins, segments=len(used), hours=hours, longest_h=longest, needs_h=needs
        )
    return _judged(used, quota, known_restarts, total_level_mb, percent_per_day, bins, hours, longest)


def _warm(one: Segment) -> Segment:
    keep = one.uptime_h > BOOT_H
    return replace(
        one,
        uptime_h=one.uptime_h[keep],
        clock_h=one.clock_h[keep],
        floor_mb=one.floor_mb[keep],
        teeth_mb=one.teeth_mb[keep],
    )


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
    pool = _Pool(used, daily=hours >= LONG_SPAN_H)
    rough, _ = _shapes(pool, float(bins))
    rho = pool.rho(min(rough.values(), key=lambda fit: fit.bic(float(bins))).residuals)
    ne = max(6.0, bins * (1 - rho) / (1 + rho))
    shapes, where = _shapes(pool, ne)

    line, beta, inverse = pool.fit(pool.u, daily=True)
    slope = float(beta[0])
    freedom = max(1, bins - line.k)
    se = math.sqrt(max(float(inverse[0, 0]) * line.rss / freedom, 0.0)) * math.sqrt(bins / ne)
    series = [(one.uptime_h, one.floor_mb) for one in used]
    sen = trend.sen_slope(series)
    p = trend.mann_kendall([y for _, y in series])[3]
    grows = slope >= least and slope > 2.3 * se and (p < 0.01 or slope > 4 * se)

    big, big_at = _largest_jump(used)
    inner = _inner_slope(pool, where)
    bic = {name: fit.bic(ne) for name, fit in shapes.items()}
    sat, satlin = shapes.get("sat"), shapes.get("satlin")
    bic.setdefault("sat", math.inf)
    logarithmic = bool(sat and sat.logarithmic and bic["sat"] < bic["lin"])
    teeth = float(np.median(np.concatenate([one.teeth_mb for one in used])))

    if grows:
        stepped = bic["step"] < bic["lin"] and inner < INNER_SHARE * slope and big > 0.04 * base
        stepped = stepped or (inner < 0.25 * slope and big > 0.08 * base)
        if stepped:
            verdict = "steps" if bic["step"] < bic["sat"] else "plateau"
        elif bic["sat"] < bic["lin"]:
            still = satlin is not None and bic["satlin"] < bic["sat"] + 0.5 and satlin.slope >= least
            late = _late_slope(used, LATE_H)
            still = still and late is not None and late >= max(least, LATE_SHARE * slope)
            verdict = "leak" if still else "plateau"
        else:
            verdict = "leak"
    else:
        verdict = _without_trend(used, base, level, total_level_mb, quota, bic, sat, big, teeth)
    lowest = min(float(one.floor_mb.min()) for one in used)
    always_full = quota is not None and lowest > limits.HIGH_LEVEL_PERCENT / 100 * quota
    if hours < LONG_SPAN_H and not always_full:
        swing = _daily_swing_mb(used, base, ne, leaks=verdict == "leak")
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


def _daily_swing_mb(used: Sequence[Segment], base: float, ne: float, *, leaks: bool) -> float | None:
    """Return how far a daily rhythm moves memory, where it explains what was seen as well as growth; else None.

    Memory that has not fallen again may still be the rising half of a day: then the rhythm must be no larger than one
    that traffic makes, and fit about as well as a line.
    """
    pool = _Pool(used, daily=True)
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


def _inner_slope(pool: _Pool, where: Sequence[Sequence[int]]) -> float:
    """Return the common slope inside the pieces between steps, least squares."""
    pieces = [
        piece
        for one, positions in zip(np.split(np.arange(pool.n), np.cumsum(pool.sizes)[:-1]), where, strict=True)
        for piece in np.split(one, positions)
    ]
    x = np.concatenate([pool.u[piece] - pool.u[piece].mean() for piece in pieces])
    y = np.concatenate([pool.y[piece] - pool.y[piece].mean() for piece in pieces])
    return float((x * y).sum() / max(float((x**2).sum()), 1e-9))


def _late_slope(used: Sequence[Segment], least_h: float) -> float | None:
    """Return the common slope after ``least_h`` of each life; None with fewer than MIN_BINS floors."""
    late = [(one.uptime_h[one.uptime_h > least_h], one.floor_mb[one.uptime_h > least_h]) for one in used]
    late = [(x - x.mean(), y - y.mean()) for x, y in late if len(x) >= 3]
    if sum(len(x) for x, _ in late) < MIN_BINS:
        return None
    spread = sum(float((x**2).sum()) for x, _ in late)
    return sum(float((x * y).sum()) for x, y in late) / spread


def _rise(used: Sequence[Segment]) -> float:
    rises = [float(np.median(one.floor_mb[-3:]) - np.median(one.floor_mb[:3])) for one in used]
    return float(np.median(rises))


def _without_trend(
    used: Sequence[Segment],
    base: float,
    level: float,
    total_level_mb: float | None,
    quota: float | None,
    bic: dict[str, float],
    sat: _Fit | None,
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


# ---- forecast ----


def level_now(lives: Sequence[Segment], slope: float, uptime_h: float) -> tuple[float, float]:
    """Return the floor in MB that a line of that slope has at the end of the last life, and its doubt in MB.

    The doubt is two standard deviations of the floors around the lines of their lives: noise, and what traffic adds and
    takes within a day. A last life that has hardly begun stands where the lives before it stood at its age.
    """
    warm = [one for one in map(_warm, lives) if len(one.floor_mb)] or [
        one for one in lives if len(one.floor_mb)
    ]
    starts = [float(np.mean(one.floor_mb - slope * one.uptime_h)) for one in warm]
    around = np.concatenate(
        [one.floor_mb - slope * one.uptime_h - start for one, start in zip(warm, starts, strict=True)]
    )
    spread = float(around.std()) * math.sqrt(len(around) / max(len(around) - len(warm), 1))
    if lives[-1].length_h >= MIN_SEGMENT_H and len(_warm(lives[-1]).floor_mb):
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
