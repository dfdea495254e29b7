"""queueing: the book's request to the millisecond, quadrants and outcomes, what is refused, and its findings."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from tests.truth import queue
from workbook import Window
from workbook.analyses import queueing

# The book, chapter 4, as printed: cut with a backslash, and without times.
BOOK = r"""app[web.1]: source=rack-timeout id=f40adf06fa2dd4137fd9265b0339981c age=329ms \
timeout=15000ms state=ready at=info
app[web.1]: Started GET "/coupons" for 173.0.4.85 at 2013-06-09 01:52:08 +0000
app[web.1]: source=rack-timeout id=f40adf06fa2dd4137fd9265b0339981c age=329ms \
timeout=15000ms duration=15009ms state=timed_out at=error
app[web.1]: Completed 500 Internal Server Error in 14984ms
app[web.1]:
app[web.1]: Rack::Timeout::RequestTimeoutError (Request ran for longer than 15 seconds.):
app[web.1]:   app/controllers/coupons_controller.rb:7:in `sleep'
app[web.1]:   app/controllers/coupons_controller.rb:7:in `index'
app[web.1]: source=rack-timeout id=f40adf06fa2dd4137fd9265b0339981c age=329ms \
timeout=15000ms duration=15013ms state=completed at=info
heroku[router]: at=info method=GET path=/coupons host=debugging.herokuapp.com \
id=f40adf06fa2dd4137fd9265b0339981c fwd="173.0.4.85" dyno=web.1 connect=2ms \
service=15024ms status=500 bytes=643
"""
NOON = datetime(2024, 3, 5, 12, 0, 0)


def stamp(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def rack(at, name, rest, dyno="web.1") -> str:
    return f"{stamp(at)} app[{dyno}]: source=rack-timeout id={name} {rest}\n"


def router(at, name, service_ms, *, path="/x", status=200, code=None, dyno="web.1", connect="1") -> str:
    what = "at=info" if code is None else f'at=error code={code} desc="Request timeout"'
    return (
        f'{stamp(at)} heroku[router]: {what} method=GET path="{path}" host=shop.example.com request_id={name}'
        f' fwd="192.0.2.1" dyno={dyno} connect={connect}ms service={service_ms}ms status={status} bytes=9 protocol=https\n'
    )


def completed(at, name, age_ms, service_ms, *, path="/x", dyno="web.1") -> str:
    """All lines of a request that was answered; ``at``: when work on it began."""
    head = f"wait={age_ms}ms timeout=15000ms"
    done = at + service_ms / 1_000
    return (
        rack(at, name, f"{head} state=ready at=info", dyno)
        + rack(done, name, f"{head} service={service_ms}ms state=completed at=info", dyno)
        + router(done + 0.002, name, service_ms + 5, path=path, dyno=dyno)
    )


def one(load_text, text: str, **options):
    table = load_text(text).run("queueing", **options).table
    assert len(table) == 1
    return table.iloc[0]


def test_the_request_of_the_book(load_text):
    row = one(load_text, BOOK)
    assert row.request_id == "f40adf06fa2dd4137fd9265b0339981c"
    assert (row.dyno, row.path, row.status) == ("web.1", "/coupons", 500)
    assert (row.age_ms, row.timeout_ms, row.duration_ms) == (329, 15_000, 15_013)
    assert row.total_ms == 15_026
    assert row.dyno_queue_max_ms == 11
    assert row.before_router_ms == 316
    assert (row.quadrant, row.outcome) == ("slow", "timed_out")
    assert row.code is None or pd.isna(row.code)
    assert pd.isna(row.time)
    assert [line["line"] for line in row.evidence] == [1, 4, 11, 13]


def test_the_book_calls_it_no_h12_and_neither_do_the_findings(load_text):
    findings = load_text(BOOK).run("queueing").findings
    assert not any(finding.severity == "critical" for finding in findings)
    cut = next(finding for finding in findings if "cut 1 request" in finding.title)
    assert cut.numbers["averted_h12_requests"] == 0
    assert any(finding.severity == "ruled_out" and "329 ms" in finding.title for finding in findings)


def test_a_shrunken_limit_is_a_wait_not_slow_code(load_text):
    """zombocom/rack-timeout#77: 655 ms were left of 30 s after a wait of 29,345 ms."""
    head = "wait=29345ms timeout=655ms"
    text = rack(0, "a", f"{head} state=ready at=info") + rack(
        0.7, "a", f"{head} service=660ms state=timed_out at=error"
    )
    row = one(load_text, text)
    assert (row.quadrant, row.outcome, row.joined) == ("waited", "timed_out", False)
    assert row.age_ms == 29_345


def test_cut_after_30_s_without_an_h12_is_averted(load_text):
    head = "wait=29345ms timeout=655ms"
    text = (
        rack(0, "a", f"{head} state=ready at=info")
        + rack(0.7, "a", f"{head} service=656ms state=timed_out at=error")
        + rack(0.7, "a", f"{head} service=660ms state=completed at=info")
        + router(0.702, "a", 29_950, status=500)
    )
    row = one(load_text, text)
    assert (row.outcome, row.quadrant) == ("averted_h12", "waited")
    assert row.before_router_ms == 29_345 + 660 - 29_951


def test_h12_with_work_after_it(load_text):
    head = "wait=2000ms timeout=280000000000ms"
    text = (
        rack(0, "a", f"{head} state=ready at=info")
        + router(28, "a", 30_000, status=503, code="H12")
        + rack(40, "a", f"{head} service=40000ms state=completed at=info")
    )
    row = one(load_text, text)
    assert (row.outcome, row.quadrant) == ("h12", "slow")
    assert row.zombie == pytest.approx(12.0)
    assert pd.isna(row.dyno_queue_max_ms) and pd.isna(row.before_router_ms)
    assert "H12" in row.router_reason


def test_expired_never_ran(load_text):
    row = one(load_text, rack(0, "a", "wait=30102ms timeout=30000ms state=expired at=error"))
    assert (row.outcome, row.quadrant) == ("expired", "waited")
    assert pd.isna(row.duration_ms)


@pytest.mark.parametrize(
    ("age_ms", "service_ms", "quadrant"),
    [
        (4_999, 4_999, "fast"),
        (5_000, 4_999, "waited"),
        (4_999, 5_000, "slow"),
        (5_000, 5_000, "waited_and_slow"),
    ],
)
def test_quadrants_at_their_limits(load_text, age_ms, service_ms, quadrant):
    assert one(load_text, completed(0, "a", age_ms, service_ms)).quadrant == quadrant


def test_limits_can_be_moved(load_text):
    text = completed(0, "a", 700, 300)
    wb = load_text(text)
    assert wb.run("queueing", high_wait_ms=500, slow_ms=200).table["quadrant"].iloc[0] == "waited_and_slow"
    assert wb.run("queueing", high_wait_ms=701, slow_ms=301).table["quadrant"].iloc[0] == "fast"


def test_no_age_is_not_fast(load_text):
    text = rack(0, "a", "timeout=15000ms state=ready") + rack(
        0.1, "a", "timeout=15000ms service=100ms state=completed"
    )
    wb = load_text(text)
    row = wb.run("queueing").table.iloc[0]
    assert pd.isna(row.quadrant) and pd.isna(row.age_ms)
    assert "X-Request-Start" in row.reason
    told = [finding for finding in wb.run("queueing").findings if "no age" in finding.title]
    assert [finding.severity for finding in told] == ["cannot_tell"]


def test_no_end_is_not_fast(load_text):
    row = one(load_text, rack(0, "a", "wait=5ms timeout=15000ms state=ready at=info"))
    assert pd.isna(row.quadrant) and pd.isna(row.outcome) and pd.isna(row.duration_ms)
    assert "no end" in row.reason


def test_age_zero_is_a_measured_wait(load_text):
    row = one(load_text, completed(0, "a", 0, 20))
    assert (row.age_ms, row.quadrant) == (0, "fast")


def test_an_age_too_small_alone_blames_no_clock(load_text):
    """A slow client that takes 161 ms to read the answer gives the same numbers."""
    text = rack(0, "a", "wait=0ms timeout=15000ms service=90ms state=completed") + router(0.3, "a", 250)
    wb = load_text(text)
    assert wb.run("queueing").table["before_router_ms"].iloc[0] == -161
    assert not any("clock" in finding.title for finding in wb.run("queueing").findings)


def test_slow_downloads_blame_no_clock(load_text):
    text = "".join(completed(n, f"q{n}", 4, 60) for n in range(40))
    for n in range(20):
        head = "wait=4ms timeout=15000ms"
        text += rack(n, f"d{n}", f"{head} state=ready at=info", "web.2")
        text += rack(n + 0.2, f"d{n}", f"{head} service=200ms state=completed at=info", "web.2")
        text += router(n + 20.2, f"d{n}", 20_200, path="/export.csv", dyno="web.2")
    told = load_text(text).run("queueing").findings
    assert not any("clock" in finding.title for finding in told)


def clocked(at, name, wait_ms, ahead_s, *, service_ms=60) -> str:
    """A request on a dyno whose clock is ``ahead_s`` ahead: its age and its stamps are so much larger."""
    head = f"wait={max(0, wait_ms + round(ahead_s * 1_000))}ms timeout=15000ms"
    began, done = at + wait_ms / 1_000, at + (wait_ms + service_ms) / 1_000
    return (
        rack(began + ahead_s, name, f"{head} state=ready at=info")
        + rack(done + ahead_s, name, f"{head} service={service_ms}ms state=completed at=info")
        + router(done + 0.002, name, wait_ms + service_ms + 1)
    )


def test_a_clock_that_is_behind_is_told_with_its_interval(load_text):
    text = "".join(clocked(10 + n, f"q{n}", 4, -2) for n in range(40))
    (told,) = [one for one in load_text(text).run("queueing").findings if "clock" in one.title]
    assert told.title.startswith("The clock of web.1 is behind the router's by 2.0 s")
    assert told.numbers["skew_low_ms"] <= -2_000 <= told.numbers["skew_high_ms"] < -1_900


def test_a_clock_that_is_ahead_makes_no_wait(load_text):
    """3.4 s of wait on a dyno that is 2 s ahead give an age of 5.4 s: not over 5 s."""
    text = "".join(clocked(10 + n, f"q{n}", 3_400 if n % 10 == 0 else 4, 2) for n in range(80))
    result = load_text(text).run("queueing")
    assert (result.table["age_ms"] >= 5_000).sum() == 8
    told = next(one for one in result.findings if "waited 5.0 s" in one.title)
    assert told.severity == "ruled_out" and told.confidence == "medium"
    assert told.numbers["longest_age_ms"] == pytest.approx(3_400, abs=20)
    assert any("ahead of the router's by 2.0 s" in one.title for one in result.findings)


def test_another_attempt_is_not_joined_into_numbers(load_text):
    text = rack(0, "a", "wait=9ms timeout=15000ms service=900ms state=completed") + router(1, "a", 40)
    row = one(load_text, text)
    assert pd.isna(row.dyno_queue_max_ms) and pd.isna(row.before_router_ms)
    assert "another attempt" in row.router_reason


def test_reused_ids_are_left_out_and_counted(load_text):
    twice = completed(0, "same", 5, 20) + completed(9, "same", 5, 20, dyno="web.2")
    thrice = "".join(rack(20 + n, "again", "wait=5ms timeout=15000ms state=ready at=info") for n in range(3))
    wb = load_text(twice + thrice + completed(30, "good", 5, 20))
    result = wb.run("queueing")
    assert list(result.table["request_id"]) == ["good"]
    told = [finding for finding in result.findings if "left out" in finding.title]
    assert told[0].numbers == {"reused_ids": 2}


def test_active_lines_are_not_requests(load_text):
    active = "".join(
        rack(n, "a", f"wait=5ms timeout=15000ms service={n}000ms state=active at=debug") for n in range(1, 9)
    )
    row = one(load_text, active + completed(0, "a", 5, 9_000))
    assert row.duration_ms == 9_000
    assert len(row.evidence) == 3


def test_old_and_new_spelling_give_the_same(load_text, tmp_path):
    new = completed(0, "a", 40, 60)
    old = new.replace("wait=", "age=").replace("service=60ms state", "duration=60ms state")
    wb = load_text(new + old.replace("id=a", "id=b"))
    table = wb.run("queueing").table
    pd.testing.assert_series_equal(table["age_ms"].iloc[:1], table["age_ms"].iloc[1:], check_index=False)
    pd.testing.assert_series_equal(
        table["duration_ms"].iloc[:1], table["duration_ms"].iloc[1:], check_index=False
    )


def test_window_takes_requests_by_their_end(load_text):
    wb = load_text(completed(0, "a", 5, 20) + completed(100, "b", 5, 20))
    table = wb.run("queueing", Window(NOON + timedelta(seconds=50), NOON + timedelta(seconds=200))).table
    assert list(table["request_id"]) == ["b"]


def test_the_sql_gives_the_table_again(load_text):
    for text in (BOOK, completed(0, "a", 5_100, 20)):
        wb = load_text(text, name=f"{len(text)}.log")
        result = wb.run("queueing")
        pd.testing.assert_frame_equal(wb.sql(result.sql), result.table)


def test_few_joined_requests_give_no_shares(load_text):
    lonely = "".join(
        rack(n, f"r{n}", "wait=6000ms timeout=15000ms service=30ms state=completed") for n in range(9)
    )
    result = load_text(lonely + completed(20, "a", 5, 20)).run("queueing")
    waited = next(finding for finding in result.findings if "waited" in finding.title)
    assert waited.title.startswith("9 of 10 requests waited")
    assert "%" not in waited.title
    assert any(
        finding.severity == "cannot_tell" and "1 of 10" in finding.title for finding in result.findings
    )


def test_a_log_of_errors_only_gives_no_shares(load_text):
    text = "".join(
        rack(n, f"r{n}", "wait=6000ms timeout=9000ms service=9004ms state=timed_out at=error")
        + router(n + 0.1, f"r{n}", 15_010, status=500)
        for n in range(6)
    )
    findings = load_text(text).run("queueing").findings
    assert not any("%)" in finding.title for finding in findings if "waited" in finding.title)
    assert any("errors only" in finding.title for finding in findings)


def test_errors_only_rule_nothing_out(load_text):
    text = "".join(
        rack(n, f"r{n}", "wait=20ms timeout=4000ms service=4004ms state=timed_out at=error")
        + router(n + 0.1, f"r{n}", 4_010, status=500)
        for n in range(6)
    )
    findings = load_text(text).run("queueing").findings
    assert not any(finding.severity == "ruled_out" for finding in findings)
    assert any(finding.severity == "cannot_tell" and "errors only" in finding.title for finding in findings)


def test_cuts_without_router_lines_do_not_say_that_no_h12_came(load_text):
    cuts = "".join(
        rack(n, f"r{n}", "wait=20ms timeout=15000ms service=15004ms state=timed_out at=error")
        for n in range(8)
    )
    told = next(one for one in load_text(cuts).run("queueing").findings if "cut 8" in one.title)
    assert "whose router line is not loaded" in told.title
    assert "got no H12" not in told.title


def test_one_router_line_is_one_line(load_text):
    told = [one.title for one in load_text(completed(0, "a", 5, 20)).run("queueing").findings]
    assert any("the window has 1 router line." in title for title in told)


def test_expired_requests_are_one_critical_finding(load_text):
    text = "".join(completed(n * 2, f"g{n}", 5, 20) for n in range(200))
    text += "".join(
        rack(100 + n, f"e{n}", "wait=30102ms timeout=30000ms state=expired at=error") for n in range(6)
    )
    critical = [one.title for one in load_text(text).run("queueing").findings if one.severity == "critical"]
    assert len(critical) == 1 and critical[0].startswith("6 requests expired")


def test_few_h12_among_very_many_requests_are_no_critical_finding(load_text):
    """6 H12 in 6,006 requests, far apart: no burst, and 10 per 10,000."""
    text = "".join(completed(n * 2, f"g{n}", 5, 20) for n in range(6_000))
    for n in range(6):
        at = 1_000 + n * 1_500
        text += rack(at, f"h{n}", "wait=9000ms timeout=15000ms state=ready at=info")
        text += router(at + 22, f"h{n}", 30_000, status=503, code="H12")
    findings = load_text(text).run("queueing").findings
    assert not any(one.severity == "critical" for one in findings)


def test_an_empty_table_says_what_is_missing():
    told = queueing.findings(pd.DataFrame(columns=["age_ms"]))
    assert [finding.severity for finding in told] == ["cannot_tell"]
    assert "rack-timeout" in told[0].next_step
    assert queueing.chart(pd.DataFrame(columns=["age_ms", "duration_ms"])).to_dict()


def test_router_lines_alone_cannot_tell(load_text):
    result = load_text(router(0, "a", 20_000)).run("queueing")
    assert [finding.severity for finding in result.findings] == ["cannot_tell"]


@pytest.fixture(scope="module")
def day() -> queue.Day:
    return queue.simulate(3, load=0.5, rack_timeout="off", skew_ms=120, requests=3_000)


def test_a_simulated_day_agrees_with_its_truth(load_text, day):
    result = load_text(day.log).run("queueing")
    table = result.table.set_index("request_id")
    real = {served.request_id: served for served in day.truth}
    assert len(table) == len(real)
    assert table["joined"].all()
    for name, row in table.iterrows():
        served = real[name]
        assert row.age_ms == pytest.approx(served.began - served.arrived + served.pre + 120, abs=1)
        assert row.duration_ms == pytest.approx(served.work, abs=1)
        assert row.outcome == ("h12" if served.h12 else "completed")
    stuck = sum(
        served.began - served.arrived + served.pre >= 5_000 and served.work < 5_000 for served in day.truth
    )
    finding = next(found for found in result.findings if "stuck in the queue" in found.title)
    assert finding.numbers["fast_but_waited_requests"] == pytest.approx(stuck, abs=2)
    assert finding.severity == "critical"


def test_clock_bounds_hold_the_true_skew_and_the_true_queue(load_text, day):
    table = load_text(day.log).run("queueing").table.set_index("request_id")
    real = {served.request_id: served for served in day.truth}
    known = table[table["dyno_queue_low_ms"].notna()]
    assert len(known) > 0.9 * len(table)
    assert (known["skew_low_ms"] <= 120).all() and (known["skew_high_ms"] >= 120).all()
    assert (known["skew_high_ms"] - known["skew_low_ms"]).median() < 15
    for name, row in known.iterrows():
        queued = real[name].began - real[name].arrived - 1
        assert row.dyno_queue_low_ms - 6 <= queued <= row.dyno_queue_high_ms + 6


def test_the_chart_keeps_the_worst_and_says_so(monkeypatch):
    frame = pd.DataFrame(
        {
            "request_id": [str(n) for n in range(6_000)], "dyno": "web.1", "path": "/x", "time": pd.Timestamp(NOON),
            "age_ms": range(6_000), "duration_ms": 10, "total_ms": 10, "outcome": "completed", "quadrant": "fast",
        }
    )  # fmt: skip
    spec = queueing.chart(frame).to_dict()
    rows = max(spec["datasets"].values(), key=len)
    assert len(rows) == 5_000
    assert min(row["age_ms"] for row in rows) == 1_000
    assert "5,000" in spec["title"]["subtitle"][0] and "6,000" in spec["title"]["subtitle"][0]
