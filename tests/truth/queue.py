"""A small Heroku: random routing onto dynos that serve first come, first served, written as log lines, with its truth.

It knows nothing of the analyses. Each request draws its arrival, route, work and dyno from a seeded generator; a dyno
starts the request that came first as soon as one of its slots is free. After 30 s the router gives up (H12) while the
dyno goes on. ``Day.log`` is what ``heroku logs`` would show; ``Day.truth`` is what really happened.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

START = datetime(2024, 3, 5, 14, 0, 0)
ROUTER_LIMIT_MS = 30_000.0
CUT_MS = 15_000.0
SWAP_FACTOR = 20.0


@dataclass(frozen=True)
class Kind:
    """One kind of request: its path (``{}`` is an id), its share of the traffic, the median and spread of its work."""

    path: str
    share: float
    median_ms: float
    spread: float


DENSE = (
    Kind("/items/{}", 0.700, 60, 0.4),
    Kind("/search", 0.250, 250, 0.5),
    Kind("/checkout", 0.042, 700, 0.4),
    Kind("/reports/{}", 0.005, 16_000, 0.4),
    Kind("/exports/{}", 0.003, 9_000, 0.3),
)
SPARSE = (
    Kind("/items/{}", 0.600, 400, 0.5),
    Kind("/search", 0.300, 1_500, 0.5),
    Kind("/reports/{}", 0.060, 14_000, 0.4),
    Kind("/exports/{}", 0.040, 7_000, 0.4),
)


@dataclass
class Served:
    """One request as it really was; times in ms since START."""

    request_id: str
    dyno: str
    path: str
    route: str
    arrived: float
    work: float
    pre: float
    began: float = 0.0
    ended: float = 0.0
    state: str = "completed"
    trouble: str = ""
    blockers: list[tuple[float, Served]] = field(default_factory=list)

    @property
    def h12(self) -> bool:
        return self.ended - self.arrived > ROUTER_LIMIT_MS

    @property
    def total(self) -> float:
        return min(self.ended - self.arrived, ROUTER_LIMIT_MS)

    @property
    def waited(self) -> float:
        """How long it waited at the dyno, until work began or the router gave up."""
        return min(self.began - self.arrived, self.total)

    @property
    def cause(self) -> str:
        if self.trouble:
            return self.trouble
        return "blocked" if self.waited >= self.total / 2 else "slow_itself"

    @property
    def top(self) -> Served | None:
        return max(self.blockers, key=lambda pair: pair[0])[1] if self.blockers else None


@dataclass(frozen=True)
class Day:
    """The log of a simulated stretch of time, and its requests in the order of their arrival."""

    log: str
    truth: tuple[Served, ...]


def simulate(
    seed: int,
    *,
    kinds: tuple[Kind, ...] = DENSE,
    requests: int = 6_000,
    dynos: int = 6,
    slots: int = 1,
    load: float = 0.3,
    rack_timeout: str | None = None,
    skew_ms: float = 0.0,
    rate: Callable[[float], float] = lambda now: 1.0,
    slower: Callable[[Served], float] = lambda one: 1.0,
    stall: tuple[float, float] | None = None,
    swap: tuple[str, float, float] | None = None,
    whole_seconds: bool = False,
    lost_share: float = 0.0,
) -> Day:
    """Return a day of requests at that load (share of all slots that is busy).

    ``rack_timeout`` is None (not installed), ``"off"`` (it logs, its limits are switched off) or ``"default"`` (cuts
    after 15 s and drops what is older than 30 s). ``skew_ms`` is how far the dynos' clocks are ahead of the router's.

    ``rate`` multiplies the traffic and ``slower`` the work, at a time in ms; in a ``stall`` (from, to) no work ends; a
    dyno in ``swap`` (name, from, to) writes R14 and works twenty times as long. ``whole_seconds`` cuts the times of
    the lines, ``lost_share`` of the lines are not there.
    """
    chance = random.Random(seed)
    served = _arrivals(chance, kinds, requests, dynos, slots, load, rate)
    for one in served:
        one.work *= slower(one)
        if swap and one.dyno == swap[0] and swap[1] <= one.arrived < swap[2]:
            one.work *= SWAP_FACTOR
    by_dyno = defaultdict(list)
    for one in served:
        by_dyno[one.dyno].append(one)
    for queue in by_dyno.values():
        _serve(queue, slots, rack_timeout == "default", stall)
        _lay_blame(queue, slots)
    for one in served:
        if stall and _inside(one, *stall) >= one.total / 2:
            one.trouble = "app_stall"
        elif swap and one.dyno == swap[0] and one.arrived < swap[2] and one.ended > swap[1]:
            one.trouble = "dyno_swapping"
    lines = _lines(chance, served, rack_timeout, skew_ms) + _memory_lines(swap)
    kept = [line for line in sorted(lines, key=lambda pair: pair[0]) if chance.random() >= lost_share]
    return Day("".join(f"{_stamp(at, whole_seconds)} {text}\n" for at, text in kept), tuple(served))


def _arrivals(
    chance: random.Random,
    kinds: tuple[Kind, ...],
    requests: int,
    dynos: int,
    slots: int,
    load: float,
    rate: Callable[[float], float],
) -> list[Served]:
    weights = [kind.share for kind in kinds]
    mean = sum(kind.share * kind.median_ms * 2.718281828 ** (kind.spread**2 / 2) for kind in kinds) / sum(
        weights
    )
    gap = mean / (load * dynos * slots)
    now, found = 0.0, []
    for number in range(requests):
        now += chance.expovariate(rate(now) / gap)
        kind = chance.choices(kinds, weights)[0]
        found.append(
            Served(
                request_id=f"{chance.getrandbits(32):08x}-0000-4000-8000-{number:012x}",
                dyno=f"web.{chance.randint(1, dynos)}",
                path=kind.path.format(chance.randint(1, 9_999)),
                route=kind.path.replace("{}", ":id"),
                arrived=now,
                work=kind.median_ms * 2.718281828 ** chance.gauss(0, kind.spread),
                pre=chance.uniform(0.5, 12),
            )
        )
    return found


def _serve(queue: list[Served], slots: int, limits: bool, stall: tuple[float, float] | None = None) -> None:
    free = [0.0] * slots
    for one in queue:
        one.began = max(one.arrived + 1, heapq.heappop(free))
        if stall and one.began < stall[1] and one.began + one.work > stall[0]:
            one.work += stall[1] - max(one.began, stall[0])
        wait = one.began - one.arrived + one.pre
        if limits and wait >= ROUTER_LIMIT_MS:
            one.state, one.ended = "expired", one.began + 1
        elif limits and one.work > min(CUT_MS, ROUTER_LIMIT_MS - wait):
            one.state, one.ended = "timed_out", one.began + min(CUT_MS, ROUTER_LIMIT_MS - wait) + 4
        else:
            one.ended = one.began + one.work
        heapq.heappush(free, one.ended)


def _inside(one: Served, first: float, last: float) -> float:
    """How long of its time, until the router gave up, lies in there."""
    return min(one.arrived + one.total, last) - max(one.arrived, first)


def _lay_blame(queue: list[Served], slots: int) -> None:
    recent: list[Served] = []
    for one in queue:
        recent = [other for other in recent if other.ended > one.arrived]
        until = one.arrived + one.waited
        for other in recent:
            held = min(other.ended, until) - max(other.began, one.arrived)
            if held > 0:
                one.blockers.append((held / slots, other))
        recent.append(one)


def _memory_lines(swap: tuple[str, float, float] | None) -> list[tuple[float, str]]:
    if swap is None:
        return []
    dyno, first, last = swap
    return [
        (at + after, f"heroku[{dyno}]: {text}")
        for at in range(int(first), int(last), 20_000)
        for after, text in (
            (0, "Process running mem=783M(152.9%)"),
            (0.1, "Error R14 (Memory quota exceeded)"),
        )
    ]


def _lines(
    chance: random.Random, served: list[Served], rack_timeout: str | None, skew_ms: float
) -> list[tuple[float, str]]:
    lines: list[tuple[float, str]] = []
    for one in served:
        lines.append(_router_line(chance, one))
        if rack_timeout:
            lines.extend(_rack_lines(chance, one, rack_timeout == "default", skew_ms))
    return lines


def _router_line(chance: random.Random, one: Served) -> tuple[float, str]:
    tail = f'method=GET path="{one.path}" host=shop.example.com request_id={one.request_id} fwd="192.0.2.{chance.randint(1, 250)}"'
    if one.h12:
        late = chance.uniform(0, 1.5)
        text = (
            f'heroku[router]: at=error code=H12 desc="Request timeout" {tail} dyno={one.dyno} connect=0ms'
            f" service={ROUTER_LIMIT_MS:.0f}ms status=503 bytes=0 protocol=https"
        )
        return one.arrived + ROUTER_LIMIT_MS + late, text
    after = chance.uniform(0.2, 3)
    status = {"completed": 200, "timed_out": 500, "expired": 500}[one.state]
    text = (
        f"heroku[router]: at=info {tail} dyno={one.dyno} connect=1ms"
        f" service={one.ended - one.arrived + after - 1:.0f}ms status={status} bytes={chance.randint(200, 90_000)} protocol=https"
    )
    return one.ended + after, text


def _rack_lines(chance: random.Random, one: Served, limits: bool, skew_ms: float) -> list[tuple[float, str]]:
    age = one.began - one.arrived + one.pre + skew_ms
    limit = f"{min(CUT_MS, ROUTER_LIMIT_MS - age):.0f}" if limits else "280000000000"
    head = f"app[{one.dyno}]: source=rack-timeout id={one.request_id} wait={age:.0f}ms"
    began, ended, worked = one.began + skew_ms, one.ended + skew_ms, one.ended - one.began
    if one.state == "expired":
        return [(began + chance.uniform(0, 4), f"{head} timeout=30000ms state=expired at=error")]
    found = [(began + chance.uniform(0, 4), f"{head} timeout={limit}ms state=ready at=info")]
    if one.state == "timed_out":
        found.append(
            (ended + 0.1, f"{head} timeout={limit}ms service={worked - 4:.0f}ms state=timed_out at=error")
        )
    found.append((ended + 0.2, f"{head} timeout={limit}ms service={worked:.0f}ms state=completed at=info"))
    return found


def _stamp(at_ms: float, whole_seconds: bool = False) -> str:
    moment = START + timedelta(microseconds=round(at_ms * 1_000))
    if whole_seconds:
        moment = moment.replace(microsecond=0)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
