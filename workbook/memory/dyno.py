"""One dyno: from its half hours of memory to the row that memory_trend returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from workbook import limits
from workbook.analysis import largest
from workbook.memory import forecast, growth, swap
from workbook.memory import releases as by_release
from workbook.memory.lives import BOOT_H, UNKNOWN_QUOTA_MB, Segment, standing_mb
from workbook.quota import kill_mb, quota_mb

BIN_H = 0.5
SAMPLED_SHARE, REPORTED_SHARE = 0.5, 0.8
"""A half hour counts with so many of its usual samples; of R14 lines nearly all: those under the quota are cut."""
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
    bins: pd.DataFrame | None,
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
    row |= _measured(bins, row["evidence"])
    row["kill_mb"] = kill_mb(quota, size, row["end"])
    kind = "used" if row["memory_basis"] == "rss + swap" else "total"
    whole_lives = every_life = _lives(bins, "total")
    lives = _lives(bins, kind) if kind == "used" else whole_lives
    level = _level(whole_lives)
    how: dict[str, Any] = {
        "known_restarts": row["cut_basis"] not in ("guessed", "R14 lines"),
        "total_level_mb": level,
        "min_hours": min_hours,
        "percent_per_day": percent_per_day,
    }
    segments = [life.segment for life in lives]
    judged = growth.judge(segments, quota, **how)
    some = by_release.epochs([life.begin for life in lives], segments, releases, quota, how)
    row["release_slopes"] = by_release.as_cells(some)
    begun = by_release.began(some, segments, quota, how)
    if begun is not None:
        epoch, before, judged = begun
        whole_lives = [life for life in whole_lives if life.begin >= lives[epoch.first].begin]
        row |= {
            "began_with": epoch.version or "a release",
            "began_time": epoch.time,
            "before_slope_high": before.high,
            "evidence": [*row["evidence"][:4], epoch.cited],
        }
    row |= _judged(judged, quota, level, _BASIS_DOUBTS[row["memory_basis"]])
    unequal = bins["unequal"].sum() / bins["samples"].sum()
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
    row["floors"] = _floors(every_life, judged, whole_lives[0].begin if whole_lives else None, most_floors)
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


def _too_few_reports(bins: pd.DataFrame, min_hours: float) -> bool:
    """Return whether all that is known are R14 lines, and no unbroken run of them is long enough to be judged."""
    if not bins["is_reported"].any():
        return False
    return max((life.segment.length_h for life in _lives(bins, "total")), default=0.0) < min_hours


def _measured(bins: pd.DataFrame, errors: list[Any]) -> dict[str, Any]:
    """Return what a dyno's bins sum up to: span, peak, last value, evidence, how its restarts are known."""
    first = bins.sort_values("first_time", kind="stable").iloc[0]
    last, peak = largest(bins, "last_time"), largest(bins, "peak_mb")
    cited = [first["first_cited"], peak["peak_cited"], last["last_cited"]]
    basis = "guessed"
    if bins["is_reported"].any():
        basis = "R14 lines"
    elif bins["boot"].notna().any():
        basis = "boot"
    elif bins["has_states"].any():
        basis = "states"
    elif bins["page_samples"].sum() >= bins["samples"].sum() / 2:
        basis = "page counter"
    return {
        "start": first["first_time"],
        "end": last["last_time"],
        "samples": int(bins["samples"].sum()),
        "peak_mb": float(peak["peak_mb"]),
        "last_mb": float(last["last_mb"]),
        "swap_mb_max": known(float(bins["swap_mb"].max())),
        "cut_basis": basis,
        "memory_basis": _memory_basis(bins),
        "evidence": [*errors[:1], *cited],
    }


def _memory_basis(bins: pd.DataFrame) -> str:
    if bins["is_reported"].any():
        return "R14 lines"
    return "rss + swap" if bins["used_samples"].sum() >= bins["samples"].sum() / 2 else "memory_total"


@dataclass(frozen=True)
class _Life:
    """One life of a dyno: its begin, its segment for ``growth``, and the full bins it is made of."""

    begin: pd.Timestamp
    segment: Segment
    bins: pd.DataFrame


def _lives(bins: pd.DataFrame, kind: str) -> list[_Life]:
    """Return the lives of a dyno, the earliest first; ``kind`` of memory: used (rss + swap) or total."""
    gap_s = bins["gap_s"].median()
    expected = np.inf if pd.isna(gap_s) else BIN_H * 3600 / max(float(gap_s), 1.0)
    share = REPORTED_SHARE if bins["is_reported"].any() else SAMPLED_SHARE
    dyno_start = bins["first_time"].min()
    lives = []
    for _, some in bins.groupby(["begin", "boot"], sort=True, dropna=False):
        full = some[(some["samples"] >= share * expected) & some[f"{kind}_floor_mb"].notna()]
        begin, first, last = some["begin"].iloc[0], some["first_time"].min(), some["last_time"].max()
        uptime = (full["bin"].to_numpy(float) + 0.5) * BIN_H
        floor = full[f"{kind}_floor_mb"].to_numpy(float)
        segment = Segment(
            uptime,
            begin.timestamp() / 3600 + uptime,
            floor,
            full[f"{kind}_top_mb"].to_numpy(float) - floor,
            min((last - first).total_seconds() / 3600, BIN_H * (len(full) + 1)),
            known_start=begin < first or first > dyno_start,
        )
        lives.append(_Life(begin, segment, full))
    return lives


def _level(lives: list[_Life]) -> float | None:
    """Return where memory stands, with the disk cache; None without a warm floor."""
    return standing_mb([life.segment for life in lives])


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


def _forecast(judged: growth.Judgement, lives: list[_Life], row: dict[str, Any]) -> dict[str, Any]:
    """Return when a leak reaches the quota and the kill limit, counted from the last sample."""
    assert judged.slope is not None and judged.low is not None and judged.high is not None
    seen = [life.segment for life in lives if len(life.bins)]
    crest = float(np.median(np.concatenate([one.teeth_mb for one in seen])))
    base = float(np.median([one.floor_mb[:2].mean() for one in seen])) + crest
    last = lives[-1]
    uptime = (row["end"] - last.begin).total_seconds() / 3600
    level, doubt = forecast.level_now([life.segment for life in lives], judged.slope, uptime)
    found: dict[str, Any] = {}
    for name, limit in (("quota", row["quota_mb"]), ("kill", row["kill_mb"])):
        if limit is not None:
            hours = forecast.hours_to(limit, level + crest, judged.slope, judged.low, judged.high, doubt)
            found |= dict(zip((f"hours_to_{name}{end}" for end in ("", "_low", "_high")), hours, strict=True))
    found["fan"] = _fan(row["end"], level + crest, doubt, judged, found.get("hours_to_quota_high"))
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


FAN_H = (6.0, 48.0)
"""A forecast is drawn over so many hours, least and most."""


def _fan(
    now: pd.Timestamp, level: float, doubt: float, judged: growth.Judgement, until_h: float | None
) -> list[dict[str, Any]]:
    """Return where memory's tops lead from the last sample on: low, middle and high in MB."""
    assert judged.slope is not None and judged.low is not None and judged.high is not None
    long = float(np.clip(FAN_H[1] if until_h is None else 1.1 * until_h, *FAN_H))
    return [
        {
            "time": (now + pd.Timedelta(hours=float(ahead))).floor("s").to_pydatetime(),
            "low_mb": round(level - doubt + judged.low * ahead, 1),
            "mid_mb": round(level + judged.slope * ahead, 1),
            "high_mb": round(level + doubt + judged.high * ahead, 1),
        }
        for ahead in np.linspace(0, long, 13)
    ]


def _floors(
    lives: list[_Life], judged: growth.Judgement, since: pd.Timestamp | None, most: int
) -> list[dict[str, Any]] | None:
    """Return at most so many floors as points, with the fitted line where the dyno leaks."""
    points: list[dict[str, Any]] = []
    for life in lives:
        uptime, floor = life.segment.uptime_h, life.segment.floor_mb
        warm = uptime > BOOT_H
        fit = None
        grew = judged.verdict == "leak" and since is not None and life.begin >= since
        if grew and judged.slope is not None and warm.sum() >= 2:
            fit = np.mean((floor - judged.slope * uptime)[warm]) + judged.slope * uptime
        for place, hours in enumerate(uptime):
            time = (life.begin + pd.Timedelta(hours=hours)).floor("s").to_pydatetime()
            fit_mb = None if fit is None or not warm[place] else round(float(fit[place]), 1)
            points.append({"time": time, "mb": round(float(floor[place]), 1), "fit_mb": fit_mb})
    if not points:
        return None
    points.sort(key=lambda point: point["time"])
    kept = np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int))
    return [points[place] for place in kept]
