"""One dyno: from its half hours of memory to the row that memory_trend returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from workbook import limits
from workbook.memory import forecast, growth, points, swap
from workbook.memory import releases as by_release
from workbook.memory.half_hours import HalfHours, Life, lives_of, moments_us
from workbook.memory.lives import UNKNOWN_QUOTA_MB, standing_mb
from workbook.quota import kill_mb, quota_mb
from workbook.trend import median

ONLY_ERRORS = "only R14 and R15 lines: memory below the quota is not in the log"


def known(value: Any) -> Any:
    return (
        None if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)) else value
    )


def natural(dyno: str) -> tuple[str, int, str]:
    process, _, number = dyno.partition(".")
    return process, int(number) if number.isascii() and number.isdigit() else -1, dyno


def quota_of(fact: pd.Series) -> tuple[float | None, str | None, str | None]:
    """Return quota in MB, how it is known, and the dyno type."""
    size, pairs = known(fact["size"]), known(fact["pairs"])
    return *quota_mb(known(fact["sample_quota_mb"]), size, pairs), size


def row_of(
    dyno: str,
    bins: HalfHours | None,
    cited: dict[tuple[str, int], tuple[Any, float]],
    errors: pd.Series | None,
    quota: float | None,
    quota_basis: str | None,
    size: str | None,
    *,
    releases: pd.DataFrame,
    min_hours: float,
    percent_per_day: float,
    most_floors: int,
) -> dict[str, Any]:
    """Return the row of one dyno; ``cited`` are its lines and their memory by dyno and microseconds since 1970."""
    row: dict[str, Any] = {
        "process": dyno.partition(".")[0],
        "dyno": dyno,
        "quota_mb": quota,
        "quota_basis": quota_basis,
        "r14_count": 0 if errors is None else int(errors["r14_count"]),
        "r15_count": 0 if errors is None else int(errors["r15_count"]),
        "first_r14": None if errors is None else errors["first_time"],
        "evidence": [] if errors is None else list(errors["evidence"]),
        "r14_half_hours": None if errors is None else errors["r14_half_hours"],
    }
    if bins is None or _too_few_reports(bins, min_hours):
        assert errors is not None
        return row | _only_errors(errors, quota, size, min_hours)
    row |= _measured(dyno, bins, cited, row["evidence"])
    row["kill_mb"] = kill_mb(quota, size, row["end"])
    whole_lives = every_life = lives_of(bins, "total")
    lives = lives_of(bins, "used") if row["memory_basis"] == "rss + swap" else whole_lives
    level = standing_mb([life.segment for life in whole_lives])
    how: dict[str, Any] = {
        "known_restarts": row["cut_basis"] not in ("guessed", "R14 lines"),
        "total_level_mb": level,
        "min_hours": min_hours,
        "percent_per_day": percent_per_day,
    }
    segments = [life.segment for life in lives]
    judged = growth.judge(segments, quota, **how)
    some = by_release.epochs([life.begin_s for life in lives], segments, releases, quota, how)
    row["release_slopes"] = by_release.as_cells(some)
    begun = by_release.began(some, segments, quota, how)
    if begun is not None:
        epoch, before, judged = begun
        whole_lives = [life for life in whole_lives if life.begin_s >= lives[epoch.first].begin_s]
        row |= {
            "began_with": epoch.version or "a release",
            "began_time": epoch.time,
            "before_slope_high": before.high,
            "evidence": [*row["evidence"][:4], epoch.cited],
        }
    row |= _judged(judged, quota, level, _BASIS_DOUBTS[row["memory_basis"]])
    unequal = bins.samples[bins.is_unequal].sum() / bins.samples.sum()
    if unequal > 0.01:
        row["against"] = joined(
            [row["against"], f"memory_total is not rss + cache + swap in {unequal:.0%} of samples"]
        )
    if judged.verdict == "leak":
        whole = growth.judge([life.segment for life in whole_lives], quota, **how)
        judged = judged if whole.slope is None or whole.slope <= 0 else replace(whole, verdict="leak")
        row |= {"slope_mb_per_h": judged.slope, "slope_low": judged.low, "slope_high": judged.high}
        row |= _forecast(judged, whole_lives, row)
    row |= swap.told(bins, quota or UNKNOWN_QUOTA_MB)
    row["floors"] = points.floors(every_life, judged, whole_lives[0].begin_s, most_floors)
    return row


def _only_errors(
    errors: pd.Series, quota: float | None, size: str | None, min_hours: float
) -> dict[str, Any]:
    """Return what R14 and R15 lines alone say: memory only above the quota, so growth cannot be judged."""
    return {
        "start": errors["first_time"],
        "end": errors["last_time"],
        "verdict": "not_enough_data",
        "samples": 0,
        "hours": 0.0,
        "longest_h": 0.0,
        "segments": 0,
        "bins": 0,
        "needs_hours": min_hours,
        "kill_mb": kill_mb(quota, size, known(errors["last_time"])),
        "peak_mb": known(errors["peak_mb"]),
        "last_mb": known(errors["last_mb"]),
        "against": ONLY_ERRORS,
    }


def _too_few_reports(bins: HalfHours, min_hours: float) -> bool:
    """Return whether all that is known are R14 lines, and no unbroken run of them is long enough to be judged."""
    if not bins.is_reported:
        return False
    return max((life.segment.length_h for life in lives_of(bins, "total")), default=0.0) < min_hours


def _measured(
    dyno: str, bins: HalfHours, cited: dict[tuple[str, int], tuple[Any, float]], errors: list[Any]
) -> dict[str, Any]:
    """Return what a dyno's half hours sum up to: span, peak, last value, evidence, how its restarts are known."""
    first, peak, last = moments_us(bins)
    lines = [cited[dyno, moment] for moment in (first, peak, last)]
    swaps = bins.swap_most_mb[~np.isnan(bins.swap_most_mb)]
    return {
        "start": pd.Timestamp(first, unit="us"),
        "end": pd.Timestamp(last, unit="us"),
        "samples": int(bins.samples.sum()),
        "peak_mb": float(bins.peak_mb.max()),
        "last_mb": float(lines[-1][1]),
        "swap_mb_max": float(swaps.max()) if len(swaps) else None,
        "cut_basis": _cut_basis(bins),
        "memory_basis": _memory_basis(bins),
        "evidence": [*errors[:1], *(line for line, _ in lines)],
    }


def _cut_basis(bins: HalfHours) -> str:
    if bins.is_reported:
        return "R14 lines"
    if bins.has_boots:
        return "boot"
    if bins.has_states:
        return "states"
    return "page counter" if bins.has_pages else "guessed"


def _memory_basis(bins: HalfHours) -> str:
    if bins.is_reported:
        return "R14 lines"
    return "rss + swap" if bins.has_used else "memory_total"


def _judged(
    judged: growth.Judgement, quota: float | None, level: float | None, against: list[str]
) -> dict[str, Any]:
    if judged.verdict == "not_enough_data":
        level = None
    step = judged.step_clock_h
    return {
        "verdict": judged.verdict,
        "slope_mb_per_h": judged.slope,
        "slope_low": judged.low,
        "slope_high": judged.high,
        "confidence": judged.confidence,
        "hours": judged.hours,
        "longest_h": judged.longest_h,
        "segments": judged.segments,
        "bins": judged.bins,
        "needs_hours": judged.needs_h,
        "level_mb": level,
        "level_percent": None if quota is None or level is None else 100 * level / quota,
        "settle_h": judged.settle_h,
        "step_mb": judged.step_mb,
        "step_time": None if step is None else pd.Timestamp(round(step * 3600), unit="s"),
        "teeth_mb": judged.teeth_mb,
        "against": joined([*judged.against, *against]),
    }


_BASIS_DOUBTS = {
    "rss + swap": [],
    "memory_total": ["the disk cache is counted as memory"],
    "R14 lines": [ONLY_ERRORS],
}


def joined(parts: Iterable[str | None]) -> str | None:
    return "; ".join(part for part in parts if part) or None


def _forecast(judged: growth.Judgement, lives: Sequence[Life], row: dict[str, Any]) -> dict[str, Any]:
    """Return when a leak reaches the quota and the kill limit, counted from the last sample."""
    assert judged.slope is not None and judged.low is not None and judged.high is not None
    seen = [life.segment for life in lives if len(life.segment.floor_mb)]
    crest = median(np.concatenate([one.teeth_mb for one in seen]))
    base = median(np.array([one.floor_mb[:2].mean() for one in seen])) + crest
    last = lives[-1]
    uptime = row["end"].timestamp() / 3600 - last.begin_s / 3600
    level, doubt = forecast.level_now([life.segment for life in lives], judged.slope, uptime)
    found: dict[str, Any] = {}
    for name, limit in (("quota", row["quota_mb"]), ("kill", row["kill_mb"])):
        if limit is not None:
            hours = forecast.hours_to(limit, level + crest, judged.slope, judged.low, judged.high, doubt)
            found |= dict(zip((f"hours_to_{name}{end}" for end in ("", "_low", "_high")), hours, strict=True))
    found["fan"] = points.fan(row["end"], level + crest, doubt, judged, found.get("hours_to_quota_high"))
    left = forecast.DAILY_RESTART_H - uptime
    if left > 0:
        # where the log begins inside the life, it is older than what is seen of it
        earliest = max(limits.RESTART_HOURS - uptime, 0.0) if last.segment.known_start else 0.0
        found |= {"restart_h_low": earliest, "restart_h_high": left}
    if row["quota_mb"] is None:
        return found
    over = row["r14_count"] + row["r15_count"] > 0 or found["hours_to_quota"] == 0
    found["hidden_by_restart"] = bool(not over and left > 0 and found["hours_to_quota"] > left)
    if found["hidden_by_restart"] and base < row["quota_mb"]:
        found["needed_slope_mb_per_h"] = forecast.needed_slope(row["quota_mb"], base)
    return found
