"""How often blockers is right, on simulated logs whose truth is known: the right cause, and the right blocker's route."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.truth import queue, scoreboard
from workbook import Workbook


@dataclass(frozen=True)
class Score:
    """Shares from 0 to 1 over all seeds, the numbers behind them, and the H12 among the victims."""

    cause: float
    route: float
    request: float
    victims: int
    waiting: int
    h12: int


def score(tmp_path, seeds, *, ask_slots: int = 1, **day) -> Score:
    causes, routes, requests, h12 = [], [], [], 0
    for seed in seeds:
        made = queue.simulate(seed, **day)
        truth = {one.request_id: one for one in made.truth}
        path = tmp_path / f"{seed}.log"
        path.write_text(made.log)
        with Workbook.open() as wb:
            report = wb.load(path)
            assert report.ok, report.errors
            table = wb.run("blockers", slots=ask_slots).table
        expected = {one.request_id for one in made.truth if one.h12 or one.total >= 5_010}
        assert expected <= set(table["request_id"]), "a victim is missing"
        for row in table.itertuples():
            real = truth[row.request_id]
            causes.append(row.cause == real.cause)
            h12 += real.h12
            if real.waited > 500 and real.top is not None:
                routes.append(row.blocker_route == real.top.route)
                requests.append(row.blocker_request_id == real.top.request_id)
    mean = [sum(found) / len(found) for found in (causes, routes, requests)]
    return Score(*mean, len(causes), len(routes), h12)


SEEDS = (1, 2, 3)


@pytest.mark.parametrize("load", [0.3, 0.5])
@pytest.mark.parametrize("skew_ms", [0.0, 120.0])
def test_with_rack_timeout_the_cause_and_the_blocker_are_right(tmp_path, load, skew_ms):
    found = score(tmp_path, SEEDS, load=load, rack_timeout="off", skew_ms=skew_ms)
    assert found.h12 >= 100
    assert found.cause >= 0.95
    assert found.route >= 0.90


def test_with_rack_timeout_that_cuts_and_drops(tmp_path):
    found = score(tmp_path, SEEDS, load=0.8, rack_timeout="default")
    assert found.waiting >= 1_000
    assert found.cause >= 0.95
    assert found.route >= 0.90


@pytest.mark.parametrize("load", [0.3, 0.5])
def test_from_the_router_alone_with_one_slot(tmp_path, load):
    found = score(tmp_path, SEEDS, load=load)
    assert found.h12 >= 100
    assert found.cause >= 0.95
    assert found.route >= 0.95
    assert found.request >= 0.90


def test_from_the_router_alone_with_sparse_slow_traffic(tmp_path):
    found = score(tmp_path, SEEDS, kinds=queue.SPARSE, load=0.3)
    assert found.h12 >= 100
    assert found.cause >= 0.95
    assert found.route >= 0.90


@pytest.mark.parametrize("ask_slots", [1, 2])
def test_from_the_router_alone_with_two_slots_asked_for_or_found(tmp_path, ask_slots):
    found = score(tmp_path, SEEDS, slots=2, load=0.6, ask_slots=ask_slots)
    assert found.waiting >= 500
    assert found.cause >= 0.85
    assert found.route >= 0.80


def test_the_simulation_serves_the_four_requests_of_the_book():
    requests = [("A", "web.1", 2), ("B", "web.2", 20), ("C", "web.2", 9), ("D", "web.2", 2)]
    made = [queue.Served(name, dyno, "/", "/", 0.0, 1_000 * s, 0.0) for name, dyno, s in requests]
    queue._serve(made[1:], 1, False)
    queue._lay_blame(made[1:], 1)
    fourth = made[3]
    assert fourth.h12
    assert [round(ms, -2) for ms, _ in fourth.blockers] == [20_000, 9_000]
    assert fourth.top is made[1]
    assert not made[2].h12


# the bars of the scoreboard, with one seed each; ``python -m tests.truth.scoreboard`` prints all of it


@pytest.mark.parametrize("case", [case for case in scoreboard.CASES if case != "swap"])
def test_with_rack_timeout_nine_in_ten_are_told_right_whatever_the_trouble(case):
    found = scoreboard.judged(1, **scoreboard.CASES[case], **scoreboard.LOGS["rack-timeout"])
    assert found.victims >= 100
    assert found.right_share >= 0.9
    assert found.named_share >= 0.8


@pytest.mark.parametrize("case", scoreboard.CASES)
@pytest.mark.parametrize("log", ["router only", "router only, 2 % of lines lost"])
def test_from_the_router_alone_nothing_wrong_is_said_for_sure(case, log):
    found = scoreboard.judged(2, **scoreboard.CASES[case], **scoreboard.LOGS[log])
    assert found.victims >= 100
    assert found.wrong_for_sure == 0
    assert found.right_share >= 0.6


@pytest.mark.parametrize("monday", [False, True])
def test_a_healthy_day_is_called_healthy(monday):
    for seed in (1, 2, 3):
        assert not {"critical", "warning"} & set(scoreboard.healthy(seed, monday))
