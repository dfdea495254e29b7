"""what_if: it gives the recorded day again, refuses where it does not, and tells what other settings would do."""

from __future__ import annotations

import pytest

from tests.truth import queue


def by_setting(result):
    return {one["setting"]: one for one in result.table.to_dict("records")}


@pytest.mark.parametrize(("rack_timeout", "slots"), [("off", 1), ("off", 2), ("default", 1)])
def test_the_back_test_gives_the_day_again(load_text, rack_timeout, slots):
    made = queue.simulate(4, requests=3_000, dynos=4, slots=slots, load=0.6, rack_timeout=rack_timeout)
    result = load_text(made.log).run("what_if", slots=slots)
    found = by_setting(result)
    real = sum(one.h12 for one in made.truth)
    assert found["recorded"]["h12_count"] == real
    assert found["back_test"]["holds"]
    assert found["back_test"]["h12_count"] == pytest.approx(real, rel=0.25, abs=4)
    if rack_timeout == "off":
        waits = sorted(one.began - one.arrived for one in made.truth)
        assert found["back_test"]["max_wait_ms"] == pytest.approx(waits[-1], rel=0.05)


def test_from_the_router_alone_it_holds_and_says_how_much_was_measured(load_text):
    made = queue.simulate(6, requests=4_000, dynos=4, load=0.35)
    result = load_text(made.log).run("what_if")
    found = by_setting(result)
    assert 0 < found["recorded"]["measured_share"] < 1
    assert any(
        f"{found['recorded']['measured_share']:.1%}".replace("%", " %") in one.title
        for one in result.findings
    )


def test_better_routing_more_slots_and_a_timeout_leave_fewer_h12(load_text):
    made = queue.simulate(4, requests=3_000, dynos=4, load=0.5, rack_timeout="off")
    found = by_setting(load_text(made.log).run("what_if"))
    h12 = {name: one["h12_count"] for name, one in found.items()}
    assert h12["asked"] > h12["two_choices"] >= h12["least_busy"]
    assert h12["asked"] > h12["one_slot_more"]
    assert h12["asked"] > h12["timeout_15s"] >= h12["timeout_10s"] >= h12["timeout_5s"]
    assert found["timeout_5s"]["cut_count"] == sum(one.work > 5_000 for one in made.truth)


def test_with_wrong_slots_nothing_is_predicted(load_text):
    made = queue.simulate(4, requests=3_000, dynos=4, slots=3, load=0.8, rack_timeout="off")
    result = load_text(made.log).run("what_if", slots=1)
    (finding,) = result.findings
    assert finding.severity == "cannot_tell" and "Nothing is predicted" in finding.title
    assert not by_setting(result)["recorded"]["holds"]


def test_too_few_requests_are_refused(load_text):
    made = queue.simulate(1, requests=50, dynos=2)
    (finding,) = load_text(made.log).run("what_if").findings
    assert finding.severity == "cannot_tell" and "fewer than 100" in finding.title


def test_it_gives_the_same_every_time(load_text):
    made = queue.simulate(2, requests=500, dynos=3, load=0.5)
    wb = load_text(made.log)
    assert wb.run("what_if").table.equals(wb.run("what_if").table)
