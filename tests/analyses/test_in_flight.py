"""in_flight: the book's four requests, windows, whole seconds, restarts, and what its findings claim."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from tests.truth import queue
from workbook import Window
from workbook.analyses import in_flight

NOON = datetime(2024, 3, 5, 12, 0, 0, 500)


def stamp(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def router(
    end: float, service_ms: int, dyno: str = "web.1", *, name: str = "x", status: int = 200, code: str = ""
) -> str:
    what = f'at=error code={code} desc="Request timeout"' if code else "at=info"
    return (
        f'{stamp(end)} heroku[router]: {what} method=GET path="/{name}" host=shop.example.com request_id={name}'
        f' fwd="192.0.2.1" dyno={dyno} connect=0ms service={service_ms}ms status={status} bytes=9 protocol=https\n'
    )


# Chapter 4: A (2 s) goes to web.1; B (20 s), C (9 s) and D (2 s) to web.2, all at once, first come, first served.
BOOK = (
    router(2, 2_000, "web.1", name="A")
    + router(20, 20_000, "web.2", name="B")
    + router(29, 29_000, "web.2", name="C")
    + router(30, 30_000, "web.2", name="D", status=503, code="H12")
)
D_ENDS = (
    f"{stamp(29)} app[web.2]: source=rack-timeout id=D wait=29000ms timeout=15000ms state=ready at=info\n"
    f"{stamp(31)} app[web.2]: source=rack-timeout id=D wait=29000ms timeout=15000ms service=2000ms state=completed at=info\n"
)


def totals(table: pd.DataFrame, dyno: str) -> tuple[int, float, float]:
    """Most in flight, request-seconds and busy seconds of a dyno."""
    own = table[table["dyno"] == dyno]
    held = (own["mean_in_flight"] * own["width_s"]).sum()
    return (
        int(own["max_in_flight"].max()),
        pytest.approx(held),
        pytest.approx((own["busy_share"] * own["width_s"]).sum()),
    )


def test_the_four_requests_of_the_book(load_text):
    result = load_text(BOOK + D_ENDS).run("in_flight")
    assert totals(result.table, "web.1") == (1, 2.0, 2.0)
    assert totals(result.table, "web.2") == (3, 80.0, 31.0)
    assert result.table["h12_open"].sum() == 0
    # web.1 is idle from 2 s on, web.2 holds three until 20 s
    assert result.table.groupby("dyno")["crowded_s"].sum().to_dict() == {"web.1": 0.0, "web.2": 18.0}
    warning = result.findings[0]
    assert warning.severity == "warning" and "web.2 18 s" in warning.title
    assert warning.numbers["crowded_with_h12_seconds"] == 18.0


def test_without_the_end_of_an_h12_thirty_seconds_are_a_lower_bound(load_text):
    result = load_text(BOOK).run("in_flight")
    assert totals(result.table, "web.2") == (3, 79.0, 30.0)
    assert result.table["h12_open"].sum() == 1
    assert any("lower bound" in finding.title for finding in result.findings)


def test_a_window_cuts_requests_at_its_ends(load_text):
    table = (
        load_text(BOOK + D_ENDS)
        .run("in_flight", Window(NOON + timedelta(seconds=10), NOON + timedelta(seconds=25)))
        .table
    )
    assert totals(table, "web.2") == (3, 40.0, 15.0)  # three until 20 s, two until 25 s
    assert table["arrivals"].sum() == 0
    assert table.groupby("dyno")["width_s"].sum().to_dict() == {"web.2": 15.0}


def test_one_that_ends_as_the_next_begins_is_one_in_flight(load_text):
    table = load_text(router(1, 1_000) + router(2, 1_000)).run("in_flight").table
    assert table["max_in_flight"].max() == 1
    assert set(table["busy_share"]) == {1.0}


def test_websockets_and_requests_without_a_dyno_are_left_out(load_text):
    text = router(1, 500) + router(2_000, 1_990_000, status=101) + router(9, 100, "", status=503, code="H10")
    table = load_text(text).run("in_flight").table
    assert totals(table, "web.1") == (1, 0.5, 0.5)
    assert table["arrivals"].sum() == 1


def test_a_dyno_that_is_down_does_not_idle(load_text):
    down = f"{stamp(5)} heroku[web.1]: State changed from up to down\n"
    calm = router(1, 100) + down + router(60, 100)
    crowd = "".join(router(40, 20_000, "web.2", name=name) for name in "abc")
    assert load_text(calm + crowd).run("in_flight").table["crowded_s"].sum() == 0


@pytest.mark.parametrize(("fraction", "seconds"), [(".000500+", 4), (".000000+", 3)])
def test_in_whole_seconds_only_the_certain_part_of_a_crowd_counts(load_text, fraction, seconds):
    text = "".join(router(10, 4_000, "web.2", name=name) for name in "abc") + router(2, 100) + router(30, 100)
    result = load_text(text.replace(".000500+", fraction)).run("in_flight")
    assert result.table["crowded_s"].sum() == pytest.approx(seconds)
    told = next(finding.title for finding in result.findings if "on average" in finding.title)
    assert ("whole seconds" in told) == (seconds == 3)


def test_the_sweep_agrees_with_counting_by_hand(load_text):
    """Seeded requests, counted a second time at every tenth of a second in plain Python."""
    import random

    seeded = random.Random(7)
    lives = [
        (round(seeded.uniform(0, 300), 1), seeded.randint(1, 80) / 10, f"web.{seeded.randint(1, 3)}")
        for _ in range(400)
    ]
    text = "".join(
        router(start + s, round(s * 1000), dyno, name=str(n)) for n, (start, s, dyno) in enumerate(lives)
    )
    table = load_text(text).run("in_flight").table
    ticks = [tick / 10 + 0.05 for tick in range(0, 3_100)]
    for dyno in ("web.1", "web.2", "web.3"):
        held = [sum(start <= t < start + s for start, s, name in lives if name == dyno) for t in ticks]
        assert totals(table, dyno) == (
            max(held),
            pytest.approx(sum(held) / 10, abs=0.1),
            pytest.approx(sum(k > 0 for k in held) / 10, abs=0.1),
        )
    crowded = 0
    for t in ticks:
        held = [
            sum(start <= t < start + s for start, s, name in lives if name == f"web.{n}") for n in (1, 2, 3)
        ]
        crowded += sum(k >= 3 for k in held) if min(held) == 0 else 0
    assert table["crowded_s"].sum() == pytest.approx(crowded / 10, abs=1.0)


def test_a_long_log_has_at_most_200_stretches(load_text):
    text = "".join(router(hour * 3600, 100, name=str(hour)) for hour in range(0, 300, 7))
    table = load_text(text).run("in_flight").table
    assert 50 < len(table) <= 200
    assert table["arrivals"].sum() == 43


def row(**changes: object) -> dict[str, object]:
    made: dict[str, object] = {
        "dyno": "web.1", "time": pd.Timestamp("2024-03-05 12:00"), "width_s": 100.0, "mean_in_flight": 0.5,
        "max_in_flight": 2, "busy_share": 0.4, "arrivals": 50, "arrivals_s": 50.0, "longest_s": 2.0, "p95_in_flight": 1,
        "crowded_s": 0.0, "crowded_h12_s": 0.0, "h12": 0, "h12_open": 0, "whole_seconds": 0, "evidence": {"source_id": 1, "line": 7},
    }  # fmt: skip
    return made | changes


def test_littles_law_is_off_when_time_was_counted_twice():
    right = in_flight.findings(pd.DataFrame([row()]))
    wrong = in_flight.findings(pd.DataFrame([row(arrivals_s=100.0)]))
    assert [f.severity for f in right if "Little" in f.title] == ["ruled_out"]
    assert [f.severity for f in wrong if "Little" in f.title] == ["note"]


def test_no_slots_are_claimed_and_nothing_is_critical():
    told = in_flight.findings(pd.DataFrame([row(), row(dyno="web.2", max_in_flight=40, crowded_s=9.0)]))
    assert {f.severity for f in told} <= {"note", "ruled_out"}
    assert not any("utilisation" in f.title for f in told)
    assert in_flight.findings(pd.DataFrame())[0].severity == "cannot_tell"


@pytest.mark.parametrize("load", [0.3, 0.6])
@pytest.mark.parametrize("slots", [1, 2, 3, 5])
def test_the_slots_of_a_dyno_are_estimated(load_text, slots, load):
    made = queue.simulate(slots, requests=8_000, dynos=4, slots=slots, load=load)
    met = load_text(made.log).run("in_flight").table.attrs["met"]
    found = in_flight.effective_slots(met)
    if found is None:
        # so many were never in flight at once, and nothing is claimed
        assert max(others for others, _, _ in met) < slots
    else:
        assert found[0] == slots


def test_slots_are_not_claimed_where_no_request_waited(load_text):
    made = queue.simulate(1, requests=3_000, dynos=4, slots=40, load=0.05)
    result = load_text(made.log).run("in_flight")
    assert in_flight.effective_slots(result.table.attrs["met"]) is None
    assert any("requests or more at once" in finding.title for finding in result.findings)


def test_the_rule_for_slots():
    assert in_flight.effective_slots([(0, 900, 1.0), (1, 90, 1.02), (2, 60, 1.1), (3, 40, 2.5)]) == (
        3,
        "medium",
    )
    assert in_flight.effective_slots([(0, 900, 1.0), (2, 60, 1.4)]) == (2, "low")
    assert in_flight.effective_slots([(0, 900, 1.0), (1, 90, 1.25), (2, 60, 1.2)]) is None
