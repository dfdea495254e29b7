"""Would more dynos, more slots or another routing have helped?     (book ch. 4, "Queueing")

``simulate`` hands requests to dynos one after the other. A dyno serves first come, first served, on its slots; the
router gives up after 30 s (H12), while the dyno goes on. Times in ms. The question ``what_if`` asks it about a loaded
log.

Routing: *random* (Heroku's), *round_robin*, *two_choices* (the lesser backlog of two random dynos), *least_busy* (the
least backlog of all, of equal ones the first). Random numbers are seeded, one stream for each purpose, so that two
settings see the same arrivals and work.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbook import limits

Array = NDArray[np.float64]
Routing = Literal["random", "round_robin", "two_choices", "least_busy"]
ROUTINGS: tuple[str, ...] = get_args(Routing)
BATCHES = 40
LEAST_BATCHES = 10
MOST_LAG_CORRELATION = 0.3
WARM_UP_SHARE = 0.05


@dataclass(frozen=True)
class Run:
    """What became of each request, in the order of arrival: times in ms, ``dyno`` from 0; ``expired`` never ran."""

    arrival_ms: Array
    work_ms: Array
    dyno: NDArray[np.int64]
    start_ms: Array
    end_ms: Array
    expired: NDArray[np.bool_]
    dynos: int
    slots: int
    h12_ms: float = limits.H12_MS

    @property
    def wait_ms(self) -> Array:
        """How long each request waited for a slot."""
        return self.start_ms - self.arrival_ms

    @property
    def total_ms(self) -> Array:
        """How long the router waited for each answer: no longer than its limit."""
        return np.minimum(self.end_ms - self.arrival_ms, self.h12_ms)

    @property
    def h12(self) -> NDArray[np.bool_]:
        """Which requests the router gave up."""
        return self.end_ms - self.arrival_ms > self.h12_ms

    @property
    def busy_share(self) -> float:
        """Share of all slots' time, from the first arrival to the last end, in which they worked."""
        span = float(self.end_ms.max() - self.arrival_ms.min()) if len(self.end_ms) else 0.0
        return float((self.end_ms - self.start_ms).sum()) / (self.dynos * self.slots * span) if span else 0.0

    @property
    def zombie_s(self) -> float:
        """Seconds of work after the router had given up, for nobody."""
        worked_from = np.maximum(self.start_ms, self.arrival_ms + self.h12_ms)
        return float(np.maximum(self.end_ms - worked_from, 0).sum()) / 1000


def simulate(
    arrival_ms: Array,
    work_ms: Array,
    *,
    dynos: int,
    slots: int = 1,
    routing: Routing = "random",
    seed: int = 0,
    timeout_ms: float | None = None,
    wait_limit_ms: float | None = None,
    dyno: NDArray[np.int64] | None = None,
    h12_ms: float = limits.H12_MS,
) -> Run:
    """Return what becomes of requests with these arrivals (ascending) and this work.

    ``timeout_ms`` cuts the work off; a request that has waited longer than ``wait_limit_ms`` expires and is not worked
    on. ``dyno`` (from 0) gives each request its dyno, instead of ``routing``. Raises ValueError for what cannot be.
    """
    arrival, work = np.asarray(arrival_ms, dtype=float), np.asarray(work_ms, dtype=float)
    if len(arrival) != len(work) or dynos < 1 or slots < 1:
        raise ValueError("arrivals and work must be as many, dynos and slots one or more")
    if np.any(np.diff(arrival) < 0) or np.any(work < 0):
        raise ValueError("arrivals must ascend, and work must not be negative")
    if routing not in ROUTINGS:
        raise ValueError(f"routing {routing!r} is not one of {', '.join(ROUTINGS)}")
    if timeout_ms is not None:
        work = np.minimum(work, timeout_ms)
    if dyno is None and routing in ("two_choices", "least_busy"):
        dyno, start, expired = _routed_by_backlog(arrival, work, dynos, slots, routing, seed, wait_limit_ms)
    else:
        dyno = _routed_blindly(len(arrival), dynos, routing, seed) if dyno is None else np.asarray(dyno)
        start, expired = _served(arrival, work, dyno, dynos, slots, wait_limit_ms)
    work = np.where(expired, 0.0, work)
    return Run(arrival, work, dyno, start, start + work, expired, dynos, slots, h12_ms)


def _routed_blindly(count: int, dynos: int, routing: str, seed: int) -> NDArray[np.int64]:
    if routing == "round_robin":
        return np.arange(count, dtype=np.int64) % dynos
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0]).integers(0, dynos, count)


def _served(
    arrival: Array, work: Array, dyno: NDArray[np.int64], dynos: int, slots: int, wait_limit_ms: float | None
) -> tuple[Array, NDArray[np.bool_]]:
    start, expired = np.empty(len(arrival)), np.zeros(len(arrival), dtype=bool)
    order = np.argsort(dyno, kind="stable")
    edges = np.searchsorted(dyno[order], np.arange(dynos + 1))
    for first, last in itertools.pairwise(edges):
        mine = order[first:last]
        if slots == 1 and wait_limit_ms is None:
            start[mine] = _one_slot(arrival[mine], work[mine])
        else:
            start[mine], expired[mine] = _many_slots(arrival[mine], work[mine], slots, wait_limit_ms)
    return start, expired


def _one_slot(arrival: Array, work: Array) -> Array:
    """Return when work on each begins: Lindley's recursion, as a running maximum."""
    done_before = np.concatenate([[0.0], np.cumsum(work)[:-1]])
    return done_before + np.maximum.accumulate(arrival - done_before)


def _many_slots(
    arrival: Array, work: Array, slots: int, wait_limit_ms: float | None
) -> tuple[Array, NDArray[np.bool_]]:
    free = [float("-inf")] * slots
    starts, expired = [], []
    limit = float("inf") if wait_limit_ms is None else wait_limit_ms
    for came, takes in zip(arrival.tolist(), work.tolist(), strict=True):
        begins = free[0] if free[0] > came else came
        too_late = begins - came > limit
        heapq.heapreplace(free, begins if too_late else begins + takes)
        starts.append(begins)
        expired.append(too_late)
    return np.array(starts, dtype=float), np.array(expired, dtype=bool)


def _routed_by_backlog(
    arrival: Array,
    work: Array,
    dynos: int,
    slots: int,
    routing: str,
    seed: int,
    wait_limit_ms: float | None,
) -> tuple[NDArray[np.int64], Array, NDArray[np.bool_]]:
    """Return dyno, start and whether it expired, where the router knows how much work is left at each dyno."""
    free = [[float("-inf")] * slots for _ in range(dynos)]
    limit = float("inf") if wait_limit_ms is None else wait_limit_ms
    pairs = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0]).integers(
        0, dynos, (len(arrival), 2)
    )
    chosen, starts, expired = [], [], []
    everyone = range(dynos)

    def backlog(dyno: int, now: float) -> float:
        return sum(end - now for end in free[dyno] if end > now)

    for came, takes, pair in zip(arrival.tolist(), work.tolist(), pairs.tolist(), strict=True):
        best, least = 0, float("inf")
        for dyno in everyone if routing == "least_busy" else pair:
            left = backlog(dyno, came)
            if left < least:
                best, least = dyno, left
                if left == 0:
                    break
        ends = free[best]
        begins = ends[0] if ends[0] > came else came
        too_late = begins - came > limit
        heapq.heapreplace(ends, begins if too_late else begins + takes)
        chosen.append(best)
        starts.append(begins)
        expired.append(too_late)
    return np.array(chosen, dtype=np.int64), np.array(starts, dtype=float), np.array(expired, dtype=bool)


def assignments(
    arrival_ms: Array, work_ms: Array, *, dynos: int, slots: int = 1, h12_ms: float = limits.H12_MS
) -> list[Run]:
    """Return every way in which blind routing can hand these few requests to the dynos: all are equally likely."""
    count = len(work_ms)
    if dynos**count > 100_000:
        raise ValueError(f"{dynos} dynos and {count} requests have too many assignments to list")
    return [
        simulate(
            arrival_ms, work_ms, dynos=dynos, slots=slots, dyno=np.array(one, dtype=np.int64), h12_ms=h12_ms
        )
        for one in itertools.product(range(dynos), repeat=count)
    ]


def steady(values: Array) -> tuple[float, float, int]:
    """Return the mean of a run after its warm-up, half of its 95 % interval, and the batches behind it.

    Neighbouring requests wait together, so means of 40 batches are the sample; where those still correlate (0.3), of
    20 and of 10. Half is infinite when even 10 do: run longer.
    """
    from scipy import stats

    kept = np.asarray(values, dtype=float)[int(WARM_UP_SHARE * len(values)) :]
    batches = BATCHES
    while batches >= LEAST_BATCHES and len(kept) >= 2 * batches:
        means = kept[: len(kept) // batches * batches].reshape(batches, -1).mean(axis=1)
        spread = means - means.mean()
        power = float((spread**2).sum())
        lag = float((spread[1:] * spread[:-1]).sum()) / power if power else 0.0
        if lag < MOST_LAG_CORRELATION:
            half = float(stats.t.ppf(0.975, batches - 1) * means.std(ddof=1) / np.sqrt(batches))
            return float(means.mean()), half, batches
        batches //= 2
    return (float(kept.mean()) if len(kept) else float("nan")), float("inf"), 0


def erlang_c(slots: int, load: float) -> float:
    """Return the chance to wait in M/M/c, for a load in Erlang (arrivals times mean work) below the slots."""
    if not 0 <= load < slots:
        raise ValueError("there is no steady state at a load of all slots or more")
    term, total = 1.0, 1.0
    for number in range(1, slots):
        term *= load / number
        total += term
    last = term * load / (slots - load)
    return last / (total + last)


def mean_wait_mmc(arrivals_per_ms: float, mean_work_ms: float, slots: int) -> float:
    """Return the mean wait in ms in M/M/c."""
    load = arrivals_per_ms * mean_work_ms
    return erlang_c(slots, load) * mean_work_ms / (slots - load)


def mean_wait_mg1(arrivals_per_ms: float, mean_work_ms: float, mean_square_ms2: float) -> float:
    """Return the mean wait in ms of one slot with any work (Pollaczek and Khinchine)."""
    load = arrivals_per_ms * mean_work_ms
    if load >= 1:
        raise ValueError("there is no steady state at a load of 1 or more")
    return arrivals_per_ms * mean_square_ms2 / (2 * (1 - load))
