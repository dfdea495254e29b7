"""How much memory each dyno used: web dynos warm up to a plateau, the worker leaks, a job balloons."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import day
from day import HOUR, MINUTE, MS, SECOND
from simulate import Boot

TICK = 20 * SECOND
KEPT = 3  # the log keeps every third tick of web and worker dynos, and the load of every tenth kept one
LOAD_KEPT = 10

WEB_BOOT_MB, WEB_PLATEAU_MB, WEB_WARM_UP_HOURS = 188.0, 352.0, 0.75
LEAK_BASE_MB, LEAK_MB_PER_HOUR = 256.0, 10.5
TOOTH_MB = 6.0

Curve = Callable[[float], float]


@dataclass(frozen=True)
class Sample:
    """One tick of a dyno: its memory in MB, page counters since boot, and its load averages."""

    time: int
    dyno: str
    identity: str
    total_mb: float
    pages_in: int
    pages_out: int
    loads: tuple[float, ...]
    with_load: bool


@dataclass(frozen=True)
class Excess:
    """One report of memory over the quota: an R14, or the R15 that ends in a kill."""

    time: int
    dyno: str
    memory_mb: float
    code: str


def plateau(hours: float) -> float:
    """Return the floor in MB of a web dyno after so many hours: warm within two or three."""
    return WEB_PLATEAU_MB - (WEB_PLATEAU_MB - WEB_BOOT_MB) * math.exp(-hours / WEB_WARM_UP_HOURS)


def leak(hours: float) -> float:
    """Return the floor in MB of the leaking worker after so many hours."""
    return LEAK_BASE_MB + LEAK_MB_PER_HOUR * hours - 90 * math.exp(-hours / 0.06)


def balloon(hours: float) -> float:
    """Return the memory in MB of the job that loads every coupon at once: doubles its growth each minute."""
    return min(150 + 38 * math.exp(hours * 60 / 1.45), 1_093.4)


def ordinary_job(hours: float) -> float:
    """Return the memory in MB of the job as it should be."""
    return 150 + 55 * (1 - math.exp(-hours * 60))


def life(boot: Boot) -> Iterator[tuple[int, float]]:
    """Yield every tick of a dyno's life with its memory in MB: floor, small collection teeth, noise."""
    rng = day.dice(f"memory {boot.identity}")
    curve: Curve = leak if boot.dyno == day.WORKER else plateau
    noise, tooth, climb = 0.0, 0.0, TOOTH_MB / rng.uniform(75, 135)
    for time in range(boot.up + rng.randint(4, 19) * SECOND, boot.down, TICK):
        noise = 0.85 * noise + rng.gauss(0, 0.4)
        tooth += climb
        if tooth > TOOTH_MB:
            tooth, climb = 0.0, TOOTH_MB / rng.uniform(75, 135)
        yield time + rng.randint(0, 900) * MS, curve((time - boot.up) / HOUR) + tooth + noise


def sample(boot: Boot, time: int, total: float, rng: random.Random, with_load: bool) -> Sample:
    """Return a tick as the runtime metrics print it."""
    age = time - boot.up
    pages = round(61_000 + age / HOUR * 5_200)
    busy = 0.7 if boot.dyno in day.WEB and day.EXPORT[0] <= time < day.EXPORT[1] + MINUTE else 0.0
    load = busy + abs(rng.gauss(0.14, 0.05))
    known = 1 + (age > 5 * MINUTE) + (age > 15 * MINUTE)  # a young dyno has only the short averages
    loads = (load, 0.9 * load + 0.01, 0.8 * load + 0.02)[:known]
    return Sample(time, boot.dyno, boot.identity, total, pages, round(pages * 0.78), loads, with_load)


def formation(lives: list[Boot]) -> tuple[list[Sample], list[Excess]]:
    """Return the kept ticks of all web and worker dynos, and the worker's R14."""
    samples, excesses = [], []
    for boot in lives:
        rng = day.dice(f"metrics {boot.identity}")
        due, kept = 0, 0
        for position, (time, total) in enumerate(life(boot)):
            if not 0 <= time < day.END - 5 * SECOND:
                continue
            if position % KEPT == 0:
                samples.append(sample(boot, time, total, rng, kept % LOAD_KEPT == 0))
                kept += 1
            if total > day.QUOTA_MB and time >= due:
                excesses.append(Excess(time + rng.randint(200, 3_000) * MS, boot.dyno, total, "R14"))
                due = time + rng.randint(20, 39) * SECOND
    return samples, excesses


def job(dyno: str, start: int, balloons: bool) -> tuple[Boot, list[Sample], list[Excess]]:
    """Return the life of a nightly job, all its ticks, and its errors; a balloon is killed at 200 %."""
    rng = day.dice(f"job {dyno}")
    curve: Curve = balloon if balloons else ordinary_job
    up = start + round(rng.uniform(1.0, 2.0) * SECOND)
    boot = Boot(dyno, start, up, up + 12 * MINUTE, up + 12 * MINUTE, 41, "", day.new_uuid(rng))
    samples, excesses = [], []
    for time in range(up + 8 * SECOND, up + round(rng.uniform(6.1, 6.6) * MINUTE), TICK):
        total = curve((time - up) / HOUR)
        samples.append(sample(boot, time, total, rng, False))
        code = "R15" if total > 2 * day.QUOTA_MB else "R14" if total > day.QUOTA_MB else ""
        if code:
            excesses.append(Excess(time + rng.randint(200, 3_000) * MS, dyno, total, code))
        boot.down = time
        if code == "R15":
            break
    boot.exit = boot.down + (6 if balloons else 2) * SECOND
    return boot, samples, excesses
