"""Intervals against numbers that were computed apart, and against what must hold for any numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbook import statistics

PER_10K = 10_000


@pytest.mark.parametrize(
    "successes, n, low, high",
    [
        (3, 10_000, 1.020, 8.817),
        (0, 1_000, 0, 38.268),
        (12, 48_000, 1.430, 4.370),
        (0, 10, 0, 2775.3),
        (10, 10, 7224.7, 10_000),
    ],
)
def test_wilson_gives_the_known_intervals(successes: int, n: int, low: float, high: float) -> None:
    found = statistics.wilson(successes, n)
    assert [round(bound * PER_10K, 1 if high > 100 else 3) for bound in found] == [low, high]


def test_wilson_of_nothing_is_everything() -> None:
    assert statistics.wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("successes, n", [(2, 1), (-1, 5)])
def test_wilson_refuses_what_is_no_share(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        statistics.wilson(successes, n)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_within_0_and_1(case: tuple[int, int]) -> None:
    successes, n = case
    low, high = statistics.wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    mirrored = statistics.wilson(n - successes, n)
    assert math.isclose(low, 1 - mirrored[1], abs_tol=1e-9)


def test_newcombe_gives_the_known_interval() -> None:
    difference, low, high = statistics.newcombe((12, 48_000), (30, 20_000))
    assert round(difference * PER_10K, 1) == 12.5
    assert [round(bound * PER_10K, 2) for bound in (low, high)] == [7.64, 18.99]


def test_newcombe_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        statistics.newcombe((0, 0), (1, 5))


@given(st.tuples(st.integers(0, 50), st.integers(50, 90)), st.tuples(st.integers(0, 50), st.integers(50, 90)))
def test_newcombe_turned_round_is_the_same_with_the_other_sign(
    old: tuple[int, int], new: tuple[int, int]
) -> None:
    difference, low, high = statistics.newcombe(old, new)
    back = statistics.newcombe(new, old)
    assert low <= difference <= high
    assert back == pytest.approx((-difference, -high, -low))
