"""Memory of dynos whose truth is known: seeded series that leak, warm up, step, stay flat, do not fit or are short.

The series know nothing of the analysis. Each has restarts (by deploy and once a day), noise that remembers itself,
and in part a daily rhythm, a collector's teeth and short peaks. ``table`` gives them as rows of dyno_samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from scipy.signal import lfilter

QUOTA_MB = 512.0
STEP_S = 30
BEGIN = datetime(2024, 5, 6)
HARD = ("leak_in_quanta", "leak_after_warm_up", "rhythm", "slow_cache")
"""Shapes that are not in the mix: growth in pieces of 8 MB, growth after 2 h of warm-up, only a large daily rhythm, a
cache that needs 5 h to fill."""
SHARES = {"leak": 0.32, "plateau": 0.20, "steps": 0.16, "flat": 0.16, "too_large": 0.08, "short": 0.08}


@dataclass(frozen=True)
class Series:
    """One dyno: what it truly does, its samples, when it restarted (in h), and whether the log says so."""

    dyno: str
    truth: str
    slope_mb_per_h: float
    time_h: np.ndarray
    memory_mb: np.ndarray
    life: np.ndarray
    named_restarts: bool


def series(count: int, seed: int, truth: str | None = None) -> list[Series]:
    """Return ``count`` dynos, all of one truth or mixed as in ``SHARES``; the same for the same seed."""
    random = np.random.default_rng(seed)
    kinds = [truth] * count if truth else list(random.choice(list(SHARES), count, p=list(SHARES.values())))
    return [_one(f"web.{number}", kind, random) for number, kind in enumerate(kinds, 1)]


def _one(dyno: str, truth: str, random: np.random.Generator) -> Series:
    hours = random.uniform(5, 11.5) if truth == "short" else random.uniform(18, 72)
    time_h = np.arange(0, hours, STEP_S / 3600) + random.uniform(0, 24)
    restarts = _restarts(time_h, hours, random) if truth != "short" else np.zeros(0)
    life = np.searchsorted(restarts, time_h, side="right")
    begins = np.r_[time_h[0] - random.uniform(0, 2), restarts]
    uptime = time_h - begins[life]

    base = random.uniform(470, 500) if truth == "too_large" else random.uniform(150, 330)
    slope = 0.0
    memory = base * (0.75 + 0.25 * (1 - np.exp(-uptime / 0.12)))
    if truth == "leak":
        slope = float(np.exp(random.uniform(np.log(1.5), np.log(25))))
        memory = memory + slope * uptime
    elif truth == "short":
        slope = float(random.choice([0.0, 8.0]))
        memory = memory + slope * uptime
    elif truth == "plateau":
        memory = memory + _levelling(uptime, random)
    elif truth == "steps":
        memory = memory + _jumps(uptime, life, random)
    elif truth in HARD:
        slope = (
            0.0
            if truth in ("rhythm", "slow_cache")
            else float(np.exp(random.uniform(np.log(2.5), np.log(15))))
        )
        memory = memory + _hard(truth, slope, time_h, uptime, random)
    memory = memory + _noise(len(time_h), random)
    if random.random() < 0.4:
        memory = memory + random.uniform(4, 20) * np.sin(2 * np.pi * (time_h - random.uniform(0, 24)) / 24)
    if random.random() < 0.4 and truth != "too_large":
        tooth_h = random.uniform(2, 20) / 60
        memory = memory + random.uniform(10, 60) * ((uptime / tooth_h) % 1)
    if random.random() < 0.3:
        peaks = random.random(len(time_h)) < 0.002
        memory = memory + lfilter([1], [1, -0.7], peaks * random.uniform(20, 100, len(time_h)))
    kept = random.random(len(time_h)) > random.choice([0.0, 0.02, 0.1])
    return Series(
        dyno,
        truth,
        slope,
        time_h[kept],
        np.maximum(memory[kept], 20.0),
        life[kept],
        bool(random.random() < 0.6),
    )


def _restarts(time_h: np.ndarray, hours: float, random: np.random.Generator) -> np.ndarray:
    """Restarts by the daily cycle (24 to 27.6 h) and by up to two deploys in office hours."""
    at, found = time_h[0] + random.uniform(2, 20), []
    while at < time_h[-1]:
        found.append(at)
        at += random.uniform(24, 27.6)
    deploys = random.uniform(time_h[0] + 1, time_h[-1], random.choice([0, 0, 1, 2]))
    return np.sort(np.r_[found, deploys])


def _levelling(uptime: np.ndarray, random: np.random.Generator) -> np.ndarray:
    height = random.uniform(25, 120)
    if random.random() < 0.8:
        return height * (1 - np.exp(-uptime / random.uniform(0.7, 4.0)))
    scale = random.uniform(0.1, 1.0)
    return height * np.log1p(uptime / scale) / np.log1p(24 / scale)


def _jumps(uptime: np.ndarray, life: np.ndarray, random: np.random.Generator) -> np.ndarray:
    jumps = np.zeros(len(uptime))
    for number in range(life[-1] + 1):
        mine = life == number
        for at in random.uniform(2, 20, random.choice([1, 2])):
            jumps[mine] += random.uniform(30, 90) * (uptime[mine] > at)
    return jumps


def _hard(
    truth: str, slope: float, time_h: np.ndarray, uptime: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    if truth == "leak_in_quanta":
        return 8 * np.floor(slope * uptime / 8)
    if truth == "leak_after_warm_up":
        return slope * uptime + random.uniform(25, 100) * (1 - np.exp(-uptime / 2))
    if truth == "rhythm":
        return random.uniform(14, 42) * np.sin(2 * np.pi * (time_h - random.uniform(0, 24)) / 24)
    return random.uniform(40, 120) * (1 - np.exp(-uptime / 5))


def _noise(n: int, random: np.random.Generator) -> np.ndarray:
    """Noise of 1 to 5 MB; ``remembers`` is the correlation of neighbouring minutes."""
    remembers = random.uniform(0.5, 0.99) ** (STEP_S / 60)
    steps = random.normal(0, random.uniform(1, 5) * np.sqrt(1 - remembers**2), n)
    return np.asarray(lfilter([1], [1, -remembers], steps))


def table(some: list[Series]) -> pd.DataFrame:
    """Return the series as rows of dyno_samples (metric memory_total); a boot only where restarts are named."""
    frames = []
    for one in some:
        boots = np.array(
            [f"{one.dyno}-life-{number}" for number in range(int(one.life.max()) + 1)], dtype=object
        )
        boot = boots[one.life] if one.named_restarts else np.full(len(one.life), None, dtype=object)
        time = pd.Timestamp(BEGIN) + pd.to_timedelta(np.round(one.time_h * 3.6e6), unit="ms")
        frames.append(
            pd.DataFrame({"dyno": one.dyno, "boot": boot, "time": time, "value": np.round(one.memory_mb, 2)})
        )
    rows = pd.concat(frames, ignore_index=True)
    rows = rows.assign(source_id=1, line=np.arange(1, len(rows) + 1), metric="memory_total", unit="MB")
    return rows[["source_id", "line", "time", "dyno", "boot", "metric", "value", "unit"]]
