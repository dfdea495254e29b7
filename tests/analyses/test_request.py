"""request: the book's request to the millisecond, an H12 that waited, what is refused, ids that are not there."""

from __future__ import annotations

import pytest

from tests.analyses.test_queueing import BOOK, completed, rack, router, stamp
from tests.truth import queue
from workbook import Window

BOOK_ID = "f40adf06fa2dd4137fd9265b0339981c"


def stages(result):
    found = result.table[result.table["part"] == "stage"].set_index("name")
    return found[["low_ms", "high_ms", "from_ms", "to_ms"]].astype("float64")


def part(result, name):
    return result.table[result.table["part"] == name]


def story(result):
    """The finding that says where the time went."""
    (found,) = [finding for finding in result.findings if "lines" in finding.numbers]
    return found


def test_the_books_request_to_the_millisecond(load_text):
    result = load_text(BOOK, "book.txt").run("request", request_id=BOOK_ID)
    found = stages(result)
    assert found.loc["router", "high_ms"] == 15_026
    assert found.loc["connect"].tolist() == [2, 2, 0, 2]
    assert found.loc["dyno_queue", ["low_ms", "high_ms"]].tolist() == [0, 11]
    assert found.loc["application", ["low_ms", "high_ms"]].tolist() == [15_013, 15_013]
    assert found.loc["before_router", ["low_ms", "high_ms"]].tolist() == [316, 327]
    assert found.loc["response", ["low_ms", "high_ms"]].tolist() == [0, 11]
    assert "it mostly worked" in story(result).title
    assert part(result, "line")["name"].tolist() == [
        "rack-timeout: ready",
        "rack-timeout: timed_out",
        "rack-timeout: completed",
        "router",
    ]
    assert len(story(result).evidence) == 4


def an_h12_behind_another(after_ms: int = 5_000) -> str:
    """r1 works 28 s from 0; r2 comes at 1, waits 27 s for it, is cut off at 31 and works on until 33."""
    quick = "".join(completed(-60 + 2 * n, f"q{n}", 3, 40) for n in range(10))
    return (
        quick
        + completed(0.004, "r1", 3, 28_000, path="/reports/7")
        + rack(28.006, "r2", "wait=27005ms timeout=2995ms state=ready at=info")
        + router(31.002, "r2", 30_001, code="H12", status=503, connect="1")
        + rack(
            28.006 + after_ms / 1_000,
            "r2",
            f"wait=27005ms timeout=2995ms service={after_ms}ms state=completed at=info",
        )
        + f"{stamp(33.007)} app[web.1]: method=GET path=/x format=html controller=ItemsController action=show status=200 duration={after_ms} view=20.5 db=4000.25"
        " request_id=r2\n"
    )


def test_an_h12_that_waited_for_its_dyno(load_text):
    result = load_text(an_h12_behind_another()).run("request")
    found = stages(result)
    told, meanwhile = story(result), result.findings[1]
    assert told.numbers["total_ms"] == 30_002 and "ended with H12" in told.title
    assert "it mostly waited for its dyno" in told.title and told.confidence == "high"
    assert "no id was given" in told.title
    assert (
        26_990 <= found.loc["dyno_queue", "low_ms"] <= 27_004 <= found.loc["dyno_queue", "high_ms"] <= 27_020
    )
    assert found.loc["application", ["low_ms", "high_ms"]].tolist() == [5_000, 5_000]
    assert 1_990 <= found.loc["after_router", "low_ms"] <= found.loc["after_router", "high_ms"] <= 2_020
    assert "GET /reports/:id" in meanwhile.title
    worked = meanwhile.numbers["worked_meanwhile_ms_by_route"]["GET /reports/:id"]
    assert worked == pytest.approx(27_000, abs=30)
    assert meanwhile.numbers["other_requests"] == 1 and meanwhile.numbers["earlier_requests"] == 1


def test_view_and_database_of_the_applications_own_line(load_text):
    found = stages(load_text(an_h12_behind_another()).run("request", request_id="r2"))
    assert found.loc["view", "high_ms"] == 20.5 and found.loc["database", "high_ms"] == 4_000.25


def test_with_router_lines_only_waiting_and_working_are_not_told_apart(load_text):
    result = load_text(router(0, "a1", 9_000) + router(1, "b2", 20)).run("request", request_id="a1")
    assert list(stages(result).index) == ["router", "connect", "dyno"]
    assert story(result).severity == "cannot_tell"
    assert "not told apart" in part(result, "stage")["text"].iloc[-1]
    assert "rack-timeout" in story(result).next_step


def test_an_h12_with_only_the_applications_time_is_not_placed(load_text):
    line = f"{stamp(40)} app[web.1]: method=GET path=/x format=html controller=ItemsController action=show status=200 duration=20000 view=1 db=2 request_id=r2\n"
    result = load_text(router(31, "r2", 30_000, code="H12", status=503) + line).run(
        "request", request_id="r2"
    )
    found = stages(result)
    assert "dyno_queue" not in found.index
    assert found.loc["application", "high_ms"] == 20_000 and found.loc["application", "from_ms"] != 0
    assert story(result).severity == "cannot_tell"


def test_an_unknown_id_is_one_sentence_with_those_like_it(load_text):
    wb = load_text(
        router(0, "5fd6c661-a3fb-4239", 20) + router(1, "5fd6c661-0000-0000", 20) + router(2, "zz", 5)
    )
    (finding,) = wb.run("request", request_id="5fd6c661-a3fb-4238").findings
    assert finding.severity == "cannot_tell" and "like it: 5fd6c661-a3fb-4239." in finding.title
    (short,) = wb.run("request", request_id="5fd6c661").findings
    assert short.title.endswith("like it: 5fd6c661-0000-0000, 5fd6c661-a3fb-4239.")
    (none,) = wb.run("request", request_id="no such").findings
    assert none.title == "No loaded line carries the request id no such, nor is there one like it."


def test_an_id_within_another_is_not_that_id(load_text):
    wb = load_text(router(0, "abc-1", 20) + router(1, "abc-12", 20) + router(2, "x-abc-1", 20))
    result = wb.run("request", request_id="abc-1")
    assert len(part(result, "line")) == 1 and story(result).numbers["total_ms"] == 21


@pytest.mark.parametrize("hostile", ["a'; DROP TABLE requests; --", "(.*", "%", "[", "\\"])
def test_a_hostile_id_is_only_text(load_text, hostile):
    wb = load_text(router(0, "a1", 20))
    assert wb.run("request", request_id=hostile).findings[0].severity == "cannot_tell"
    assert len(wb.run("request", request_id="a1").table)


def test_an_id_that_several_requests_carry_is_said(load_text):
    result = load_text(router(0, "r1", 20) + router(5, "r1", 8_000)).run("request", request_id="r1")
    assert story(result).numbers["total_ms"] == 8_001
    assert any("2 router lines carry this id" in finding.title for finding in result.findings)


def test_an_id_is_found_whatever_the_window(load_text):
    wb = load_text(router(0, "r1", 20) + router(600, "r2", 50))
    window = Window("2024-03-05 12:09:00", "2024-03-05 12:11:00")
    assert story(wb.run("request", window, request_id="r1")).numbers["total_ms"] == 21
    assert story(wb.run("request", window)).numbers["total_ms"] == 51


def test_what_happened_to_the_dyno_meanwhile_is_told(load_text):
    wb = load_text(
        router(0, "r1", 6_000)
        + f"{stamp(-2)} heroku[web.1]: Process running mem=533M(104.3%)\n"
        + f"{stamp(-2)} heroku[web.1]: Error R14 (Memory quota exceeded)\n"
        + f"{stamp(-1)} heroku[web.2]: State changed from up to starting\n"
    )
    result = wb.run("request", request_id="r1")
    assert part(result, "event")["name"].tolist() == ["R14"]
    assert any("1 event of its dyno" in finding.title for finding in result.findings)


def test_the_router_alone_names_no_verdict_and_a_2013_queue_does(load_text):
    line = (
        "2013-02-01T12:00:30.5+00:00 heroku[router]: at=info method=GET path=/x host=shop.example.com fwd=192.0.2.1"
        " dyno=web.1 queue=9 wait=20000ms connect=5ms service=40ms status=200 bytes=9\n"
    )
    found = load_text(line).run("request")
    assert stages(found).loc["router_queue"].tolist() == [20_000, 20_000, 0, 20_000]
    assert "it mostly waited in the router's queue" in story(found).title


@pytest.mark.parametrize("skew_ms", [0.0, 400.0])
def test_the_interval_of_the_dyno_queue_holds_the_truth(load_text, skew_ms):
    made = queue.simulate(5, requests=1_500, load=0.5, rack_timeout="off", skew_ms=skew_ms)
    wb = load_text(made.log)
    waited = sorted(made.truth, key=lambda one: (-one.waited, one.request_id))[:12]
    quick = [one for one in made.truth if 1_000 < one.total < 5_000][:6]
    narrow = 0
    for one in [*waited, *quick]:
        found = stages(wb.run("request", request_id=one.request_id))
        low, high = found.loc["dyno_queue", ["low_ms", "high_ms"]]
        true_ms = one.began - one.arrived
        assert low - 6 <= true_ms <= high + 6, one
        narrow += high - low < 50
    assert narrow >= 12
