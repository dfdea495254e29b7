"""Intervals against numbers that were computed apart, and against what must hold for any numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

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


@pytest.mark.parametrize(
    "n, p, ranks",
    [
        (12, 0.5, (3, 10)),
        (100, 0.5, (40, 61)),
        (1000, 0.95, (936, 964)),
        (1000, 0.99, (983, 997)),
        (100, 0.95, (90, 100)),
        (368, 0.99, (360, 368)),
    ],
)
def test_rank_ci_gives_the_known_ranks(n: int, p: float, ranks: tuple[int, int]) -> None:
    assert statistics.rank_ci(n, p) == ranks


def test_59_values_do_not_bound_the_95th_percentile_above() -> None:
    low, high = statistics.rank_ci(59, 0.95)
    assert low is not None and high is None


@pytest.mark.parametrize("p, smallest", [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)])
def test_a_two_sided_interval_needs_so_many_values(p: float, smallest: int) -> None:
    assert None not in statistics.rank_ci(smallest, p)
    assert None in statistics.rank_ci(smallest - 1, p)


def test_rank_ci_of_nothing_is_open() -> None:
    assert statistics.rank_ci(0, 0.5) == (None, None)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_rank_ci_covers_at_least_95_percent_and_is_the_walk_over_ranks(n: int, p: float) -> None:
    low, high = statistics.rank_ci(n, p)
    walked = int((binom.cdf(np.arange(n), n, p) <= 0.025).sum())
    assert low == (walked or None)
    covered = binom.cdf((high or n + 1) - 1, n, p) - (binom.cdf(low - 1, n, p) if low else 0.0)
    assert covered >= 0.95 - 1e-9
