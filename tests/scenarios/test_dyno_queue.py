"""dyno_queue: the book's sixteen assignments, and the simulation against queueing theory within its stated error."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.truth import queue as truth
from workbook.scenarios import dyno_queue as q

ABCD_MS = np.array([2_000.0, 20_000.0, 9_000.0, 2_000.0])
AT_ONCE = np.zeros(4)


def late(run: q.Run) -> set[str]:
    return {name for name, h12 in zip("ABCD", run.h12, strict=True) if h12}


def test_six_of_the_books_sixteen_assignments_have_an_h12():
    found = [late(run) for run in q.assignments(AT_ONCE, ABCD_MS, dynos=2)]
    assert len(found) == 16
    assert sorted(map("".join, map(sorted, filter(None, found)))) == ["C", "C", "CD", "CD", "D", "D"]


def test_d_waits_29_seconds_behind_b_and_c():
    run = q.simulate(AT_ONCE, ABCD_MS, dynos=2, dyno=np.array([0, 1, 1, 1]))
    assert run.wait_ms.tolist() == [0, 0, 20_000, 29_000]
    assert late(run) == {"D"} and run.end_ms[3] == 31_000 and run.zombie_s == 1.0


def test_two_slots_or_the_least_busy_dyno_have_none():
    assert not any(late(run) for run in q.assignments(AT_ONCE, ABCD_MS, dynos=2, slots=2))
    run = q.simulate(AT_ONCE, ABCD_MS, dynos=2, routing="least_busy")
    assert run.dyno.tolist() == [0, 1, 0, 0] and not run.h12.any()


def test_of_all_orders_three_in_eight_have_an_h12():
    runs = [
        bool(late(run))
        for order in itertools.permutations(ABCD_MS)
        for run in q.assignments(AT_ONCE, np.array(order), dynos=2)
    ]
    assert (sum(runs), len(runs)) == (144, 384)


def poisson(seed: int, count: int, per_ms: float):
    chance = np.random.default_rng(seed)
    return np.cumsum(chance.exponential(1 / per_ms, count)), chance


@pytest.mark.parametrize(("slots", "per_ms"), [(1, 0.7), (2, 1.6), (4, 3.2)])
def test_the_mean_wait_is_that_of_mmc(slots, per_ms):
    arrival, chance = poisson(20130613, 200_000, per_ms)
    run = q.simulate(arrival, chance.exponential(1.0, len(arrival)), dynos=1, slots=slots)
    mean, half, batches = q.steady(run.wait_ms)
    assert batches >= 10
    assert abs(mean - q.mean_wait_mmc(per_ms, 1.0, slots)) <= 3 * half
    waited, half, _ = q.steady((run.wait_ms > 0).astype(float))
    assert abs(waited - q.erlang_c(slots, per_ms)) <= 3 * half


def test_the_mean_wait_is_that_of_md1_and_of_pollaczek_and_khinchine():
    arrival, chance = poisson(20130613, 200_000, 0.7)
    mean, half, _ = q.steady(q.simulate(arrival, np.ones(len(arrival)), dynos=1).wait_ms)
    assert q.mean_wait_mg1(0.7, 1.0, 1.0) == pytest.approx(1.1667, abs=1e-4)
    assert abs(mean - q.mean_wait_mg1(0.7, 1.0, 1.0)) <= 3 * half
    work = np.where(chance.uniform(size=len(arrival)) < 0.03, 6_000.0, 100.0)
    run = q.simulate(arrival * 0.7 / 0.002, work, dynos=1)
    mean, half, _ = q.steady(run.wait_ms)
    theory = q.mean_wait_mg1(0.002, 0.03 * 6_000 + 0.97 * 100, 0.03 * 6_000**2 + 0.97 * 100**2)
    assert theory == pytest.approx(2_443.3, abs=0.1)
    assert abs(mean - theory) <= 3 * half


def test_random_routing_to_dynos_is_as_many_queues_of_their_own():
    arrival, chance = poisson(7, 300_000, 2.8)
    run = q.simulate(arrival, chance.exponential(1.0, len(arrival)), dynos=4, seed=3)
    mean, half, _ = q.steady(run.wait_ms)
    assert abs(mean - q.mean_wait_mmc(0.7, 1.0, 1)) <= 3 * half
    assert np.bincount(run.dyno).min() > 74_000


def test_what_erlang_says():
    assert q.erlang_c(2, 1.6) == pytest.approx(0.711111, abs=1e-6)
    assert q.erlang_c(4, 3.2) == pytest.approx(0.596432, abs=1e-6)
    with pytest.raises(ValueError, match="no steady state"):
        q.erlang_c(2, 2)


def test_the_order_of_the_ways_to_route_and_of_slots():
    arrival, chance = poisson(21, 30_000, 0.016)
    work = np.where(chance.uniform(size=len(arrival)) < 0.03, 6_000.0, 100.0)
    p95 = {
        (routing, dynos, slots): np.quantile(
            q.simulate(arrival, work, dynos=dynos, slots=slots, routing=routing, seed=5).total_ms, 0.95
        )
        for routing, dynos, slots in (
            ("random", 8, 1),
            ("two_choices", 8, 1),
            ("least_busy", 8, 1),
            ("random", 4, 2),
            ("random", 2, 4),
            ("random", 1, 8),
        )
    }
    assert p95["random", 8, 1] > p95["two_choices", 8, 1] > p95["least_busy", 8, 1]
    assert p95["random", 8, 1] > p95["random", 4, 2] > p95["random", 2, 4] > p95["random", 1, 8]


def test_a_timeout_cuts_work_and_a_wait_limit_drops_it():
    arrival, work = np.zeros(3), np.array([20_000.0, 9_000.0, 2_000.0])
    cut = q.simulate(arrival, work, dynos=1, timeout_ms=10_000)
    assert cut.end_ms.tolist() == [10_000, 19_000, 21_000] and not cut.h12.any()
    dropped = q.simulate(arrival, work, dynos=1, wait_limit_ms=15_000)
    assert dropped.expired.tolist() == [False, True, True] and dropped.end_ms.tolist() == [20_000] * 3


requests = st.lists(st.tuples(st.floats(0, 60_000), st.floats(0, 40_000)), min_size=1, max_size=40)


@given(
    requests=requests, dynos=st.integers(1, 4), slots=st.integers(1, 3), routing=st.sampled_from(q.ROUTINGS)
)
def test_no_slot_works_on_two_and_nobody_waits_while_one_is_free(requests, dynos, slots, routing):
    arrival = np.sort([came for came, _ in requests])
    work = np.array([takes for _, takes in requests])
    run = q.simulate(arrival, work, dynos=dynos, slots=slots, routing=routing, seed=1)
    assert (run.wait_ms >= -1e-6).all()
    for dyno in range(dynos):
        mine = np.flatnonzero(run.dyno == dyno)
        for one in mine:
            at_start = sum(run.start_ms[o] <= run.start_ms[one] < run.end_ms[o] - 1e-6 for o in mine)
            assert at_start <= slots
            if run.wait_ms[one] > 1e-6:
                before = sum(
                    run.start_ms[o] < run.start_ms[one] and run.end_ms[o] >= run.start_ms[one] - 1e-6
                    for o in mine
                )
                assert before >= 1


@given(requests=requests)
def test_the_quick_way_for_one_slot_gives_what_the_plain_one_gives(requests):
    arrival = np.sort([came for came, _ in requests])
    work = np.array([takes for _, takes in requests])
    plain, _ = q._many_slots(arrival, work, 1, None)
    assert q._one_slot(arrival, work) == pytest.approx(plain, abs=1e-6)


def test_the_same_seed_gives_the_same_run_and_policies_share_arrivals():
    arrival, chance = poisson(2, 2_000, 0.01)
    work = chance.exponential(100, 2_000)
    one, again = (q.simulate(arrival, work, dynos=3, seed=9) for _ in range(2))
    assert (one.dyno == again.dyno).all() and (one.end_ms == again.end_ms).all()
    assert (q.simulate(arrival, work, dynos=3, seed=10).dyno != one.dyno).any()


@pytest.mark.parametrize("slots", [1, 2])
def test_it_serves_as_the_other_simulation_does(slots):
    made = truth.simulate(3, requests=2_000, dynos=4, slots=slots, load=0.7)
    dyno = np.array([int(one.dyno.removeprefix("web.")) - 1 for one in made.truth])
    # there, a millisecond goes by until a request is handed over
    arrival = np.array([one.arrived + 1 for one in made.truth])
    run = q.simulate(arrival, np.array([one.work for one in made.truth]), dynos=4, slots=slots, dyno=dyno)
    assert run.end_ms == pytest.approx(np.array([one.ended for one in made.truth]), abs=1e-6)


def test_what_cannot_be_is_refused():
    for wrong in ({"dynos": 0}, {"dynos": 1, "routing": "best"}):
        with pytest.raises(ValueError, match=r"one or more|not one of"):
            q.simulate(AT_ONCE, ABCD_MS, **wrong)
    with pytest.raises(ValueError, match="ascend"):
        q.simulate(np.array([2.0, 1.0]), np.ones(2), dynos=1)
