"""The bars for the verdict on memory, on a sample of the benchmark's series and on oddities that no family makes.

``benchmarks/memory_verdicts.py`` judges 2,000 series and prints the tables; here a seeded part of them keeps the bars.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from tests.truth import memory_families as truth

SEED = 41


def _benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "memory_verdicts.py"
    spec = importlib.util.spec_from_file_location("memory_verdicts", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = _benchmark()


@pytest.fixture(scope="module", params=[(24, 140), (168, 70)], ids=["24 h", "7 days"])
def board(request: pytest.FixtureRequest) -> pd.DataFrame:
    length_h, count = request.param
    return BENCHMARK.judged(truth.series(count, SEED, length_h))


def test_the_bars_hold_at_a_day_and_at_a_week(board: pd.DataFrame) -> None:
    scores = BENCHMARK.scores(board)
    assert min(scores["leaks_decided"], scores["leaks_tellable"], scores["forecasts"]) >= 15
    assert scores["others_decided"] >= 40
    assert scores["recall_of_decided"] >= 0.90
    assert scores["recall_of_tellable"] >= 0.90
    assert scores["false_alarms"] <= 0.05
    assert scores["forecast_held"] >= 0.85


def test_false_alarms_are_never_sure(board: pd.DataFrame) -> None:
    alarms = board[~board["leaks"] & (board["verdict"] == "leak")]
    assert "high" not in set(alarms["confidence"])


def test_the_generator_makes_what_it_says() -> None:
    some = truth.series(200, SEED, 24)
    assert {one.family for one in some} == set(truth.FAMILIES)
    slopes = [one.slope_mb_per_h for one in some if one.family == "leak"]
    assert min(slopes) >= 1.2 and 40 < max(slopes) <= 60
    assert {one.named for one in some} == {"boot", "states", "none"}
    assert any(one.r14_only for one in some) and any(one.whole_seconds for one in some)
    assert any(np.diff(one.time_h).max() > 0.3 for one in some), "spans are missing in some"
    first, again = truth.tables(some[:5]), truth.tables(truth.series(200, SEED, 24)[:5])
    pd.testing.assert_frame_equal(first["samples"], again["samples"])


def test_three_hours_are_never_enough() -> None:
    assert set(BENCHMARK.judged(truth.series(60, SEED, 3))["verdict"]) == {"not_enough_data"}


def made_by_hand(memory: np.ndarray, time_h: np.ndarray, restarts: tuple[float, ...] = ()) -> str:
    """The verdict on one dyno with that memory, whose log names its restarts."""
    pattern = replace(truth.series(1, 1, 24, "flat", named="boot", r14_only=False)[0], quota_mb=512.0)
    life = np.searchsorted(np.array(restarts), time_h, side="right")
    one = replace(pattern, time_h=time_h, memory_mb=memory, life=life, begins_h=np.r_[time_h[0], restarts])
    return str(BENCHMARK.judged([one])["verdict"].iloc[0])


HOURS = np.arange(0, 48, 1 / 60)
NOISE = np.random.default_rng(1).normal(0, 1.5, len(HOURS))


@pytest.mark.parametrize(
    ("memory", "allowed"),
    [
        # a cache of fixed size that fills for six hours, then stays
        (220 + 90 * np.minimum(HOURS / 6, 1), {"plateau"}),
        # memory that only ever falls
        (400 - 3 * HOURS, {"healthy", "sawtooth", "not_enough_data"}),
        # one value, repeated: a broken sensor
        (np.full(len(HOURS), 300.0) - NOISE, {"healthy"}),
        # a job each night that takes 150 MB for an hour and gives it back
        (250 + 150 * ((HOURS % 24 > 2) & (HOURS % 24 < 3)), {"healthy", "sawtooth"}),
        # growth that stops for each night
        (200 + 6 * (HOURS // 24 * 14 + np.clip(HOURS % 24 - 5, 0, 14)), {"leak"}),
        # the square root: ever slower, without end
        (250 + 18 * np.sqrt(HOURS), {"plateau", "leak"}),
        # faster and faster
        (250 + 0.08 * HOURS**2, {"leak"}),
    ],
    ids=["six-hour cache", "falling", "flat", "nightly job", "rests at night", "square root", "accelerating"],
)
def test_oddities_outside_of_every_family(memory: np.ndarray, allowed: set[str]) -> None:
    assert made_by_hand(memory + NOISE, HOURS) in allowed
