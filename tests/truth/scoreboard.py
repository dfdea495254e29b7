"""How often the analyses are right, on simulated apps whose trouble is known.

``python -m tests.truth.scoreboard [SEEDS]`` prints, for each case, how many slow requests blockers told right, wrong,
wrong with high confidence, or not at all, and how often it named the right route in front; then how often triage calls
a healthy day critical or warns of it. Measured figures stand in CONTRIBUTING.md.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.truth import queue
from tests.truth.queue import DENSE, SPARSE, Kind, Served
from workbook import Workbook

MINUTE = 60_000.0
QUICK = (Kind("/items/{}", 0.75, 60, 0.4), Kind("/search", 0.2, 180, 0.4), Kind("/checkout", 0.05, 300, 0.4))
MEDIUM = (
    *QUICK,
    *(
        Kind(f"/{name}/{{}}", 0.004, 7_000, 0.2)
        for name in ("reports", "exports", "invoices", "charts", "mails")
    ),
)
HOT = (Kind("/items/{}", 0.8, 60, 0.4), Kind("/search", 0.2, 100, 0.4))


def _hot(one: Served) -> float:
    return 50.0 if one.route == "/search" and 4 * MINUTE <= one.arrived < 8 * MINUTE else 1.0


def _sick(one: Served) -> float:
    return 12.0 if one.dyno == "web.2" else 1.0


CASES: dict[str, dict[str, Any]] = {
    "one slow route, low traffic": {"kinds": SPARSE, "load": 0.3, "requests": 2_000},
    "one slow route, dense traffic": {"kinds": DENSE, "load": 0.3},
    "a hot route from 0.1 to 5 s": {"kinds": HOT, "load": 0.15, "slower": _hot},
    "many medium routes": {"kinds": MEDIUM, "load": 0.4},
    "database stall": {"kinds": QUICK, "load": 0.12, "stall": (3 * MINUTE, 4.2 * MINUTE)},
    "one sick dyno": {"kinds": QUICK, "load": 0.09, "slower": _sick},
    "surge": {
        "kinds": DENSE,
        "load": 0.15,
        "rate": lambda now: 4.0 if 4 * MINUTE <= now < 7 * MINUTE else 1.0,
    },
    "swap": {"kinds": QUICK, "load": 0.08, "swap": ("web.3", 2 * MINUTE, 5 * MINUTE)},
    "two slots": {"kinds": DENSE, "load": 0.6, "slots": 2},
}
LOGS: dict[str, dict[str, Any]] = {
    "rack-timeout": {"rack_timeout": "off"},
    "rack-timeout, clock 400 ms ahead": {"rack_timeout": "off", "skew_ms": 400.0},
    "rack-timeout, 2 % of lines lost": {"rack_timeout": "off", "lost_share": 0.02},
    "router only": {},
    "router only, 2 % of lines lost": {"lost_share": 0.02},
    "router only, whole seconds": {"whole_seconds": True},
}


@dataclass
class Score:
    """Counts of slow requests: told right, wrong, wrong with high confidence, not told; and of blockers named."""

    right: int = 0
    wrong: int = 0
    wrong_for_sure: int = 0
    untold: int = 0
    named: int = 0
    named_right: int = 0

    def __iadd__(self, other: Score) -> Score:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    @property
    def victims(self) -> int:
        """All slow requests."""
        return self.right + self.wrong + self.untold

    @property
    def right_share(self) -> float:
        """Share of the slow requests that were told right; those not told count against it."""
        return self.right / self.victims if self.victims else float("nan")

    @property
    def named_share(self) -> float:
        """Share of the waiting requests whose first blocker's route is right, among those that were told."""
        return self.named_right / self.named if self.named else float("nan")


def judged(seed: int, **day: Any) -> Score:
    """Return how blockers judges the slow requests of one simulated day."""
    made = queue.simulate(seed, **day)
    truth = {one.request_id: one for one in made.truth}
    with _loaded(made.log) as wb:
        table = wb.run("blockers").table
    score = Score()
    for row in table.itertuples():
        real = truth[row.request_id]
        if row.cause == "cannot_tell":
            score.untold += 1
            continue
        right = row.cause == real.cause
        score.right += right
        score.wrong += not right
        score.wrong_for_sure += not right and row.confidence == "high"
        if real.waited > 500 and real.top is not None and row.cause == "blocked":
            score.named += 1
            score.named_right += row.blocker_route == real.top.route
    return score


def healthy(seed: int, monday: bool = False) -> list[str]:
    """Return the severities that triage gives a day on which nothing is wrong; a Monday has a peak in the morning."""
    rate = (lambda now: 2.5 if 3 * MINUTE <= now < 9 * MINUTE else 1.0) if monday else (lambda now: 1.0)
    made = queue.simulate(seed, kinds=QUICK, load=0.05, requests=3_000, rate=rate)
    with _loaded(made.log) as wb:
        return [finding.severity for finding in wb.triage().findings]


def _loaded(log: str) -> Workbook:
    wb = Workbook.open()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.log"
        path.write_text(log)
        assert wb.load(path, progress=lambda *_: None).ok
    return wb


def board(seeds: Iterable[int]) -> dict[tuple[str, str], Score]:
    """Return the score of every case and kind of log over the seeds."""
    found: dict[tuple[str, str], Score] = {}
    for case, day in CASES.items():
        for log, how in LOGS.items():
            score = found.setdefault((case, log), Score())
            for seed in seeds:
                score += judged(seed, **{**day, **how})
    return found


def main(seeds: int) -> None:
    """Print the board."""
    print(
        f"{'case':<30} {'log':<34} {'slow':>6} {'right':>7} {'wrong':>6} {'sure':>5} {'untold':>7} {'blocker':>8}"
    )
    for (case, log), one in board(range(1, seeds + 1)).items():
        print(
            f"{case:<30} {log:<34} {one.victims:>6,} {one.right_share:>7.1%} {one.wrong:>6,}"
            f" {one.wrong_for_sure:>5,} {one.untold:>7,} {one.named_share:>8.1%}"
        )
    for name, monday in (("nothing wrong", False), ("nothing wrong, on a Monday", True)):
        days = [healthy(seed, monday) for seed in range(1, 2 * seeds + 1)]
        counts = [sum(word in day for day in days) for word in ("critical", "warning")]
        print(f"{name:<30} {len(days)} days: {counts[0]} critical, {counts[1]} with a warning")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
