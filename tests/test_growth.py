"""Growth of memory: numbers computed apart, and series whose shape is plain to see."""

from __future__ import annotations

import itertools
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, rankdata, theilslopes

from workbook import trend
from workbook.memory import forecast, growth
from workbook.memory.lives import MOST_BINS, Segment, coarsened, guess_restarts, standing_mb
from workbook.quota import kill_choices_mb, kill_mb, quota_mb

Y = np.array([300, 305, 309, 316, 318, 326, 331, 334, 341, 345], dtype=float)
X = np.arange(10.0)


def life(
    floors: np.ndarray, begin_h: float = 0.0, teeth_mb: float = 3.0, known_start: bool = True
) -> Segment:
    """A life with one floor for each half hour, long as its floors."""
    uptime = (np.arange(len(floors)) + 0.5) / 2
    return Segment(
        uptime, begin_h + uptime, floors, np.full(len(floors), teeth_mb), len(floors) / 2, known_start
    )


def hours(count: float) -> np.ndarray:
    return (np.arange(int(count * 2)) + 0.5) / 2


def noise(count: float, seed: int, size_mb: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size_mb, int(count * 2))


# ---- statistics ----


def test_mann_kendall_gives_the_known_numbers() -> None:
    total, variance, z, p = trend.mann_kendall([Y])
    assert (total, variance) == (45, 125)
    assert round(z, 4) == 3.9355
    assert p == pytest.approx(4.152e-05, rel=1e-3)


def test_mann_kendall_pools_series_and_counts_ties_out() -> None:
    total, variance, _, _ = trend.mann_kendall([Y, Y])
    assert (total, variance) == (90, 250)
    tied = np.array([1.0, 1.0, 2.0, 3.0, 3.0, 3.0])
    total, variance, _, _ = trend.mann_kendall([tied])
    assert (total, variance) == (11, (6 * 5 * 17 - 2 * 1 * 9 - 3 * 2 * 11) / 18)


def test_mann_kendall_of_a_constant_says_nothing() -> None:
    assert trend.mann_kendall([np.full(20, 5.0)])[2:] == (0.0, 0.5)
    assert trend.mann_kendall([])[2:] == (0.0, 0.5)


@given(st.lists(st.integers(0, 50), min_size=3, max_size=8))
def test_mann_kendalls_s_agrees_with_kendalls_tau(values: list[int]) -> None:
    some = np.array(values, dtype=float)
    total = trend.mann_kendall([some])[0]
    tau = kendalltau(np.arange(len(some)), some).statistic
    if len(set(values)) > 1:
        assert np.sign(total) == np.sign(np.round(tau, 12))
    else:
        assert total == 0


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_ranks_are_those_of_scipy(values: list[int]) -> None:
    some = np.array(values, dtype=float)
    assert trend.ranks(some).tolist() == rankdata(some).tolist()


def test_sen_slope_gives_the_known_number() -> None:
    assert trend.sen_slope([(X, Y)]) == 5.0


@given(st.lists(st.floats(0, 1000), min_size=3, max_size=25))
def test_sen_slope_is_that_of_scipy(values: list[float]) -> None:
    some = np.array(values)
    assert trend.sen_slope([(np.arange(len(some)) / 2, some)]) == pytest.approx(
        theilslopes(some, np.arange(len(some)) / 2).slope
    )


def test_sen_slope_never_pairs_points_of_two_lives() -> None:
    assert trend.sen_slope([(X, Y), (X, Y - 1_000)]) == 5.0


@settings(max_examples=30)
@given(st.lists(st.integers(0, 100), min_size=12, max_size=15))
def test_steps_are_the_best_of_all(values: list[int]) -> None:
    some = np.array(values, dtype=float)

    def rss(places: tuple[int, ...]) -> float:
        return sum(float(((piece - piece.mean()) ** 2).sum()) for piece in np.split(some, places))

    for count, (least, where) in enumerate(trend.step_positions(some)):
        fitting = [
            places
            for places in itertools.combinations(range(3, len(some) - 2), count)
            if all(after - before >= 3 for before, after in itertools.pairwise((0, *places, len(some))))
        ]
        assert least == pytest.approx(min(map(rss, fitting)), abs=1e-6)
        assert rss(tuple(where)) == pytest.approx(least, abs=1e-6)


# ---- forecast ----


def test_forecast_gives_the_known_hours() -> None:
    assert [round(one, 1) for one in forecast.hours_to(512, 400, 5.0, 4.2, 5.9)] == [22.4, 19.0, 26.7]
    assert [round(one, 1) for one in forecast.hours_to(1_024, 400, 5.0, 4.2, 5.9)] == [124.8, 105.8, 148.6]


def test_forecast_has_no_upper_end_when_the_slope_may_be_none() -> None:
    assert forecast.hours_to(512, 400, 1.0, -0.5, 2.5)[2] is None
    assert forecast.hours_to(512, 600, 1.0, 0.5, 2.5) == (0.0, 0.0, 0.0)


def test_the_slope_that_the_daily_restart_cannot_hide() -> None:
    assert 250 + 5 * forecast.DAILY_RESTART_H == 388
    assert round(forecast.needed_slope(512, 250), 2) == 9.49


# ---- quota ----


@pytest.mark.parametrize(
    "mb, percent, quota",
    [
        (533, 104.3, 512),
        (2565, 501.0, 512),
        (1210, 236.5, 512),
        (674, 131.5, 512),
        (1028, 103.3, None),
    ],
)
def test_the_quota_is_read_off_what_r14_prints(mb: float, percent: float, quota: float | None) -> None:
    found = quota_mb(None, None, [{"mb": mb, "percent": percent}])
    assert found == ((quota, "inferred") if quota else (None, None))


def test_a_sample_of_the_quota_comes_before_the_plan_and_the_plan_before_a_guess() -> None:
    pairs = [{"mb": 533, "percent": 104.3}]
    assert quota_mb(1_024, "Standard-1X", pairs) == (1_024, "memory_quota")
    assert quota_mb(None, "standard-2x", pairs) == (1_024, "heroku ps")
    assert quota_mb(None, "no such plan", pairs) == (512, "inferred")


def test_pairs_that_disagree_give_no_quota() -> None:
    two_plans = [{"mb": 533, "percent": 104.3}, {"mb": 1_074, "percent": 104.9}]
    assert quota_mb(None, None, two_plans) == (None, None)


def test_the_kill_limit_depends_on_plan_and_year() -> None:
    assert kill_mb(512, "1X", datetime(2013, 6, 1)) == 2_560
    assert kill_mb(512, "Standard-1X", datetime(2024, 6, 1)) == 1_024
    assert kill_mb(1_024, "Private-S", datetime(2024, 6, 1)) == 1_024
    assert kill_mb(30_720, "Performance-L-RAM", datetime(2024, 6, 1)) == 36_864
    assert kill_mb(None, "Standard-1X", None) is None


@pytest.mark.parametrize(
    "quota, size, when, choices",
    [
        (512, None, datetime(2024, 6, 1), (1_024,)),
        (1_024, None, datetime(2024, 6, 1), (1_024, 2_048)),
        (2_560, None, datetime(2024, 6, 1), (2_560, 5_120)),
        (14_336, None, datetime(2024, 6, 1), (14_336, 28_672)),
        (30_720, None, datetime(2024, 6, 1), (30_720, 36_864)),
        (512, None, datetime(2013, 6, 1), (2_560,)),
        (512, "1X", datetime(2014, 6, 1), (1_024, 2_560)),
        (512, "1X", None, (1_024, 2_560)),
        (None, None, None, ()),
    ],
)
def test_where_the_kill_limit_is_not_known_all_of_them_are_named(
    quota: float | None, size: str | None, when: datetime | None, choices: tuple[float, ...]
) -> None:
    assert kill_choices_mb(quota, size, when) == choices
    assert kill_mb(quota, size, when) == (choices[0] if len(choices) == 1 else None)


# ---- restarts that are not named ----


def test_a_fall_back_to_the_start_is_a_restart() -> None:
    minutes = np.arange(600.0)
    memory = 200 + 0.3 * (minutes % 300)
    memory = np.where(minutes % 300 < 2, 150, memory)
    assert guess_restarts(minutes, memory, 512) == [300.0]


@pytest.mark.parametrize("teeth_mb", [0, 20])
def test_neither_a_leak_nor_small_teeth_are_restarts(teeth_mb: float) -> None:
    minutes = np.arange(1_500.0)
    memory = 200 + 0.1 * minutes + teeth_mb * ((minutes / 13) % 1)
    assert guess_restarts(minutes, memory, 512) == []


def test_nothing_and_little_have_no_restarts() -> None:
    assert guess_restarts(np.zeros(0), np.zeros(0), None) == []
    assert guess_restarts(np.array([1.0]), np.array([300.0]), 512) == []


# ---- verdicts ----


@pytest.mark.parametrize("length_h", [0.5, 6, 11.5])
def test_a_short_life_is_never_judged_and_says_how_much_is_missing(length_h: float) -> None:
    judged = growth.judge([life(200 + 20 * hours(length_h))], 512)
    assert judged.verdict == "not_enough_data"
    assert judged.needs_h == pytest.approx(12 - length_h)
    assert judged.slope is None and judged.confidence is None


def test_many_short_lives_do_not_make_a_long_one() -> None:
    lives = [life(200 + 5 * hours(11), begin_h=11.2 * number) for number in range(6)]
    assert growth.judge(lives, 512).verdict == "not_enough_data"


def test_no_life_at_all_is_not_enough() -> None:
    judged = growth.judge([], 512)
    assert (judged.verdict, judged.needs_h) == ("not_enough_data", 12)


def test_a_leak_over_two_lives_is_sure() -> None:
    lives = [life(200 + 5 * hours(24) + noise(24, seed), begin_h=24.1 * seed) for seed in (1, 2)]
    judged = growth.judge(lives, 512)
    assert (judged.verdict, judged.confidence, judged.against) == ("leak", "high", ())
    assert judged.low < 5 < judged.high
    assert judged.high - judged.low < 0.5
    assert judged.sen == pytest.approx(5, abs=0.1)


def test_what_speaks_against_a_leak_is_said() -> None:
    floors = 200 + 5 * hours(14) + noise(14, 3)
    judged = growth.judge([life(floors)], None, known_restarts=False)
    assert (judged.verdict, judged.confidence) == ("leak", "low")
    told = "; ".join(judged.against)
    for reason in ("guessed", "less than 36 h", "one uninterrupted run", "quota is not known"):
        assert reason in told


def test_a_day_of_traffic_is_not_a_leak() -> None:
    clock = hours(72)
    floors = 250 + 25 * np.sin(2 * np.pi * clock / 24) + noise(72, 4)
    assert growth.judge([life(floors)], 512).verdict in ("healthy", "sawtooth")


@pytest.mark.parametrize("peak_h", [2.0, 6.0, 12.0])
def test_a_smooth_swing_of_less_than_36_h_is_neither_steps_nor_growth_nor_ruled_out(peak_h: float) -> None:
    clock = hours(20)
    floors = 300 + 40 * np.cos(2 * np.pi * (clock - peak_h) / 24) + noise(20, 4)
    judged = growth.judge([life(floors)], 512)
    assert (judged.verdict, judged.confidence) == ("not_enough_data", None)
    assert judged.needs_h == pytest.approx(16)
    assert "as a day's traffic makes it" in judged.against[0]


def test_memory_stands_where_the_last_long_life_ended() -> None:
    def warm_up(length_h: float) -> np.ndarray:
        return 200 + 200 * (1 - np.exp(-hours(length_h) / 3))

    old, young = life(warm_up(26)), life(warm_up(4), begin_h=26.1)
    assert standing_mb([old, young]) == pytest.approx(400, abs=1)
    assert growth.judge([old, young], 512).level_mb == pytest.approx(400, abs=1)
    assert standing_mb([young]) == pytest.approx(np.median(warm_up(4)[2:]))
    assert standing_mb([life(warm_up(0.5))]) is None


def test_warm_up_is_a_plateau_with_the_hours_it_takes() -> None:
    lives = [
        life(200 + 150 * (1 - np.exp(-hours(24) / 1.2)) + noise(24, seed), begin_h=24.1 * seed)
        for seed in (5, 6)
    ]
    judged = growth.judge(lives, 512)
    assert judged.verdict == "plateau"
    assert 2.5 < judged.settle_h < 5
    assert judged.level_mb == pytest.approx(350, abs=2)


def test_a_life_that_the_log_begins_in_may_be_warm_already() -> None:
    warm = life(350 + noise(16, 7, 0.5), known_start=False)
    cold = life(200 + 150 * (1 - np.exp(-hours(24) / 0.8)) + noise(24, 8, 0.5), begin_h=16.1)
    assert growth.judge([warm, cold], 512).verdict == "plateau"


def test_jumps_that_stay_are_steps_with_their_time() -> None:
    floors = 200 + 80 * (hours(30) > 13) + noise(30, 9)
    judged = growth.judge([life(floors, begin_h=100)], 512)
    assert judged.verdict == "steps"
    assert judged.step_mb == pytest.approx(80, abs=3)
    assert judged.step_clock_h == pytest.approx(113, abs=1)


def test_a_full_dyno_that_does_not_grow_is_too_large() -> None:
    assert growth.judge([life(480 + noise(30, 10))], 512).verdict == "too_large"
    assert growth.judge([life(480 + noise(30, 10))], 1_024).verdict == "healthy"
    over_with_cache = growth.judge([life(440 + noise(30, 10))], 512, total_level_mb=520)
    assert over_with_cache.verdict == "too_large"


def test_without_a_quota_nothing_is_too_large() -> None:
    assert growth.judge([life(480 + noise(30, 10))], None).verdict == "healthy"


def test_large_teeth_over_a_flat_floor_are_a_sawtooth() -> None:
    assert growth.judge([life(200 + noise(30, 11), teeth_mb=60)], 512).verdict == "sawtooth"
    slow_teeth = 200 + 80 * ((hours(40) / 5) % 1) + noise(40, 12)
    assert growth.judge([life(slow_teeth)], 512).verdict == "sawtooth"


def test_flat_memory_is_healthy_and_a_noisy_one_says_what_it_could_hide() -> None:
    lives = [life(200 + noise(24, seed), begin_h=24.1 * seed) for seed in (1, 2)]
    judged = growth.judge(lives, 512)
    assert (judged.verdict, judged.confidence) == ("healthy", "high")
    noisy = growth.judge([life(200 + noise(13, 14, 18.0))], 512)
    assert noisy.confidence == "low"
    assert "would not have been seen" in "; ".join(noisy.against)


def test_small_growth_is_a_matter_of_the_threshold() -> None:
    lives = [life(200 + 0.8 * hours(24) + noise(24, seed, 0.3), begin_h=24.1 * seed) for seed in (1, 2)]
    assert growth.judge(lives, 512).verdict == "healthy"
    assert growth.judge(lives, 512, percent_per_day=2).verdict == "leak"


def test_a_month_without_restart_is_judged_on_fewer_bins() -> None:
    long = life(200 + 1.5 * hours(24 * 60) / 2 + noise(24 * 60, 15))
    assert len(coarsened(long).floor_mb) <= MOST_BINS
    judged = growth.judge([long], 2_560)
    assert judged.slope == pytest.approx(0.75, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1, 5_000), min_size=0, max_size=60), st.sampled_from([None, 512.0, 14_336.0]))
def test_any_floors_get_a_verdict(values: list[float], quota: float | None) -> None:
    judged = growth.judge([life(np.array(values))], quota)
    assert judged.verdict in {
        "leak",
        "steps",
        "plateau",
        "too_large",
        "sawtooth",
        "healthy",
        "not_enough_data",
    }
    assert judged.verdict == "not_enough_data" or len(values) >= 24
    assert judged.confidence in ({None} if judged.verdict == "not_enough_data" else {"low", "medium", "high"})
