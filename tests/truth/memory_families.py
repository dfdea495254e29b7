"""Memory of dynos of many kinds whose truth is known, at several lengths: made without any knowledge of the analysis.

Every series is one dyno: a base, one *family* (what truly happens to its memory), and what life adds to it: the restart
each day, deploys in office hours, noise that remembers itself, a day's rhythm of traffic, a collector's teeth, short
peaks, missing spans, and the ways in which logs differ (sampling, which metrics are printed, whether restarts are named,
R14 lines only). ``tables`` gives them as rows of the workbook's tables. The same seed gives the same series.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd
from scipy.signal import lfilter

BEGIN = datetime(2024, 5, 6)
LENGTHS_H = (3, 12, 24, 168)
FAMILIES = {
    "leak": 0.28,
    "leak_by_load": 0.06,
    "plateau": 0.18,
    "steps": 0.12,
    "sawtooth": 0.10,
    "flat": 0.10,
    "day_curve": 0.10,
    "too_large": 0.06,
}
LEAKING = ("leak", "leak_by_load")
SIZES = {512.0: "Standard-1X", 1024.0: "Standard-2X"}
KILL_RATIO = 2.0
FINE_H = 1 / 60


@dataclass(frozen=True)
class Series:
    """One dyno: its family, what can be known of it, and its samples (time in h since ``BEGIN``, memory in MB)."""

    dyno: str
    family: str
    length_h: float
    quota_mb: float
    slope_mb_per_h: float
    hours_to_quota: float | None
    swing_mb: float
    noise_mb: float
    longest_h: float
    time_h: np.ndarray
    memory_mb: np.ndarray
    life: np.ndarray
    begins_h: np.ndarray
    named: str
    r14_only: bool
    whole_seconds: bool
    parts: bool
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def leaks(self) -> bool:
        """Whether memory truly grows without end."""
        return self.family in LEAKING

    @property
    def tellable(self) -> bool:
        """Whether a person with the truth before them could show it: growth of a life stands out of what hides it.

        The longest life grows by more than twice the day's swing that falls into it and eight times the noise, and
        every sample is there (R14 lines alone show nothing below the quota).
        """
        grown = self.slope_mb_per_h * self.longest_h
        seen = min(self.longest_h / 12, 1.0)
        return (
            not self.r14_only
            and grown > 2 * self.swing_mb * seen + 8 * self.noise_mb
            and self.longest_h >= 12
        )


def series(
    count: int, seed: int, length_h: float, family: str | None = None, **fixed: bool | str
) -> list[Series]:
    """Return ``count`` dynos of that length; the same for the same seed. ``family`` makes all of one kind."""
    random = np.random.default_rng([seed, int(length_h)])
    kinds = (
        [family] * count if family else list(random.choice(list(FAMILIES), count, p=list(FAMILIES.values())))
    )
    return [_one(f"web.{number}", str(kind), length_h, random, fixed) for number, kind in enumerate(kinds, 1)]


@dataclass(frozen=True)
class _World:
    """What life adds to a family, fixed for one dyno."""

    rhythm_mb: float
    phase_h: float
    teeth_mb: float
    tooth_h: float
    noise_mb: float
    remembers: float


def _one(
    dyno: str, family: str, length_h: float, random: np.random.Generator, fixed: dict[str, bool | str]
) -> Series:
    quota = float(random.choice([512.0, 1024.0], p=[0.7, 0.3]))
    scale = quota / 512
    world = _World(
        random.uniform(4, 20) if random.random() < 0.3 else 0.0,
        random.uniform(0, 24),
        random.uniform(8, 50) if random.random() < 0.3 and family != "too_large" else 0.0,
        random.uniform(2, 20) / 60,
        random.uniform(1, 5),
        random.uniform(0.5, 0.99),
    )
    begin = random.uniform(0, 24)
    step_h = float(random.choice([20, 20, 60])) / 3600
    time_h = np.arange(begin, begin + length_h, step_h)
    base = scale * (random.uniform(470, 505) if family == "too_large" else random.uniform(150, 320))
    shape = _shape(family, scale, random)
    restarts = _restarts(begin, length_h, random)
    first = begin - (random.uniform(0, 6) if random.random() < 0.5 else 0.0)
    time_h, memory, life, begins = _lived(time_h, first, restarts, base, shape, world, quota, random)
    kept = _kept(time_h, length_h, random)
    slope = shape.slope
    longest = max(float(np.ptp(time_h[life == one])) for one in np.unique(life))
    made = Series(
        dyno,
        family,
        length_h,
        quota,
        slope,
        _true_hours(time_h[-1], begins[life[-1]], base, shape, world, quota) if slope else None,
        2 * world.rhythm_mb + shape.swing_mb,
        world.noise_mb,
        longest,
        time_h[kept],
        np.maximum(memory[kept], 20.0),
        life[kept],
        begins,
        str(fixed.get("named", random.choice(["boot", "states", "none"], p=[0.5, 0.25, 0.25]))),
        bool(fixed.get("r14_only", random.random() < 0.05)),
        bool(random.random() < 0.3),
        bool(random.random() < 0.5),
        shape.notes,
    )
    return made


@dataclass(frozen=True)
class _Shape:
    """Memory above the base: a function of uptime, clock and number of the life, with its true slope."""

    slope: float
    above: object
    swing_mb: float = 0.0
    notes: dict[str, float] = field(default_factory=dict)

    def __call__(self, uptime: np.ndarray, clock: np.ndarray, life: int) -> np.ndarray:
        return np.asarray(self.above(uptime, clock, life))  # type: ignore[operator]


def _log_uniform(low: float, high: float, random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _shape(family: str, scale: float, random: np.random.Generator) -> _Shape:
    if family == "leak":
        slope = _log_uniform(1.2 * scale, 60, random)
        quantum = float(random.choice([0.0, 0.0, 0.0, 8.0]))
        if quantum:
            return _Shape(slope, lambda up, clock, life: quantum * np.floor(slope * up / quantum))
        return _Shape(slope, lambda up, clock, life: slope * up)
    if family == "leak_by_load":
        slope, phase = _log_uniform(2.5 * scale, 40, random), random.uniform(0, 24)
        return _Shape(
            slope, lambda up, clock, life: slope * _loaded(clock, phase) - slope * _loaded(clock - up, phase)
        )
    if family == "plateau":
        return _plateau(scale, random)
    if family == "steps":
        seeds = int(random.integers(2**31))
        return _Shape(0.0, lambda up, clock, life: _jumps(up, np.random.default_rng([seeds, life]), scale))
    if family == "sawtooth":
        height, period = scale * random.uniform(30, 120), _log_uniform(0.3, 6, random)
        return _Shape(0.0, lambda up, clock, life: height * ((up / period) % 1), notes={"period_h": period})
    if family == "day_curve":
        height, phase, sharp = scale * random.uniform(15, 60), random.uniform(0, 24), random.uniform(1, 3)
        return _Shape(
            0.0,
            lambda up, clock, life: height * (0.5 + 0.5 * np.sin(2 * np.pi * (clock - phase) / 24)) ** sharp,
            height,
        )
    return _Shape(0.0, lambda up, clock, life: np.zeros_like(up))


def _loaded(clock: np.ndarray, phase: float) -> np.ndarray:
    """Hours of full traffic until then, where traffic swings by 60 % around its mean within a day."""
    return clock - 0.6 * 24 / (2 * np.pi) * np.cos(2 * np.pi * (clock - phase) / 24)


def _plateau(scale: float, random: np.random.Generator) -> _Shape:
    height, kind = scale * random.uniform(25, 130), random.random()
    if kind < 0.65:
        tau = _log_uniform(0.05, 10, random)
        return _Shape(0.0, lambda up, clock, life: height * (1 - np.exp(-up / tau)), notes={"tau_h": tau})
    if kind < 0.85:
        bend = _log_uniform(0.1, 1.5, random)
        return _Shape(0.0, lambda up, clock, life: height * np.log1p(up / bend) / np.log1p(24 / bend))
    ramp = random.uniform(1, 8)
    return _Shape(0.0, lambda up, clock, life: height * np.minimum(up / ramp, 1), notes={"ramp_h": ramp})


def _jumps(up: np.ndarray, random: np.random.Generator, scale: float) -> np.ndarray:
    total = np.zeros_like(up)
    for at in random.uniform(1, 22, random.integers(1, 4)):
        wide = random.choice([0.02, 0.2, 0.7])
        total += scale * random.uniform(25, 90) * np.clip((up - at) / wide, 0, 1)
    return total


def _restarts(begin: float, length_h: float, random: np.random.Generator) -> np.ndarray:
    """Restarts by the daily cycle (24 to 27.6 h) and by deploys in office hours."""
    found, at = [], begin + random.uniform(1, 26)
    while at < begin + length_h:
        found.append(at)
        at += random.uniform(24, 27.6)
    rate = random.choice([0.0, 0.2, 0.5, 1.0])
    for day in range(int(begin + length_h) // 24 + 1):
        found += list(24 * day + random.uniform(9, 17, random.poisson(rate)))
    return np.sort(np.array([one for one in found if begin < one < begin + length_h]))


def _lived(
    time_h: np.ndarray,
    first: float,
    restarts: np.ndarray,
    base: float,
    shape: _Shape,
    world: _World,
    quota: float,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return time, memory and life of each sample, and the begins; a dyno at its kill limit starts anew."""
    memory, life = np.zeros_like(time_h), np.zeros(len(time_h), dtype=int)
    begins, place, begin, planned = [], 0, first, list(restarts)
    noise = _noise(time_h, world, random)
    while place < len(time_h):
        stop = next((one for one in planned if one > max(begin, time_h[place])), np.inf)
        last = int(np.searchsorted(time_h, stop))
        up = time_h[place:last] - begin
        floor = base * (0.75 + 0.25 * (1 - np.exp(-up / 0.12))) + shape(up, time_h[place:last], len(begins))
        value = (
            floor
            + noise[place:last]
            + _rhythm(time_h[place:last], world)
            + world.teeth_mb * ((up / world.tooth_h) % 1)
        )
        over = np.flatnonzero(value > KILL_RATIO * quota)
        end = last if not len(over) else place + int(over[0]) + 1
        memory[place:end], life[place:end] = value[: end - place], len(begins)
        begins.append(begin)
        begin = time_h[end - 1] + 20 / 3600 if len(over) else stop
        place = max(end, place + 1)
    return time_h, memory, life, np.array(begins)


def _rhythm(clock: np.ndarray, world: _World) -> np.ndarray:
    return np.asarray(world.rhythm_mb * np.sin(2 * np.pi * (clock - world.phase_h) / 24))


def _noise(time_h: np.ndarray, world: _World, random: np.random.Generator) -> np.ndarray:
    n = len(time_h)
    remembers = world.remembers ** ((time_h[1] - time_h[0]) * 60)
    steps = random.normal(0, world.noise_mb * np.sqrt(1 - remembers**2), n)
    noise = np.asarray(lfilter([1], [1, -remembers], steps))
    if random.random() < 0.3:
        peaks = random.random(n) < 0.002
        noise = noise + lfilter([1], [1, -0.7], peaks * random.uniform(20, 100, n))
    return np.asarray(noise)


def _kept(time_h: np.ndarray, length_h: float, random: np.random.Generator) -> np.ndarray:
    """Which samples reached the log: a few are missing, and in some series whole spans."""
    kept = random.random(len(time_h)) > random.choice([0.0, 0.02, 0.1])
    if random.random() < 0.3:
        for _ in range(random.integers(1, 4)):
            at = time_h[0] + random.uniform(0, length_h)
            kept &= ~((time_h >= at) & (time_h < at + random.uniform(0.01, 0.08) * length_h))
    kept[[0, -1]] = True
    return kept


def _true_hours(
    now: float, begin: float, base: float, shape: _Shape, world: _World, quota: float
) -> float | None:
    """Hours until a twentieth of the samples of half an hour lie over the quota, were there no restart."""
    ahead = now + np.arange(0, 24 * 90, 0.25)
    level = (
        base + shape(ahead - begin, ahead, 0) + _rhythm(ahead, world) + 0.95 * world.teeth_mb + world.noise_mb
    )
    over = np.flatnonzero(level > quota)
    return float(ahead[over[0]] - now) if len(over) else None


# ---- as tables ----


def tables(some: list[Series]) -> dict[str, pd.DataFrame]:
    """Return the series as rows of dyno_samples, dyno_states, dyno_errors and processes."""
    samples, states, errors = [], [], []
    for one in some:
        time = _times(one)
        if one.r14_only:
            errors.append(_r14(one, time))
            continue
        boots = np.array([f"{one.dyno}-{number}" for number in range(len(one.begins_h))], dtype=object)
        boot = boots[one.life] if one.named == "boot" else np.full(len(time), None, dtype=object)
        value = np.round(one.memory_mb, 2)
        swap = np.round(np.maximum(value - one.quota_mb, 0), 2)
        values = {"memory_total": value}
        if one.parts:
            values |= {"memory_rss": value - swap, "memory_swap": swap, "memory_cache": np.zeros_like(value)}
        for metric, column in values.items():
            samples.append(
                pd.DataFrame(
                    {"dyno": one.dyno, "boot": boot, "time": time, "metric": metric, "value": column}
                )
            )
        if one.named == "states":
            inside = one.begins_h[one.begins_h > one.time_h[0]]
            moments = pd.Timestamp(BEGIN) + pd.to_timedelta(np.round(inside * 3.6e6), unit="ms")
            states.append(pd.DataFrame({"dyno": one.dyno, "time": moments, "to_state": "starting"}))
        errors.append(_r14(one, time))
    listed = pd.DataFrame([(one.dyno, SIZES[one.quota_mb]) for one in some], columns=["dyno", "size"])
    return {
        "samples": _joined(samples),
        "states": _joined(states),
        "errors": _joined(errors),
        "listed": listed,
    }


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _times(one: Series) -> pd.DatetimeIndex:
    time = pd.Timestamp(BEGIN) + pd.to_timedelta(np.round(one.time_h * 3.6e6), unit="ms")
    return time.floor("s") if one.whole_seconds else time


def _r14(one: Series, time: pd.DatetimeIndex) -> pd.DataFrame:
    """R14 lines: every report over the quota, whole MB as the platform cuts them."""
    over = one.memory_mb > one.quota_mb
    return pd.DataFrame(
        {
            "dyno": one.dyno,
            "time": time[over],
            "memory_mb": np.floor(one.memory_mb[over]),
            "memory_percent": np.round(100 * one.memory_mb[over] / one.quota_mb, 1),
        }
    )
