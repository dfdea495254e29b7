"""blockers: the four requests of the book, every cause, what it refuses to say, and its findings."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from tests.truth import queue
from workbook import Window
from workbook.analyses import blockers

NOON = datetime(2024, 3, 5, 12, 0, 0)


def stamp(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def request(
    start, seconds, path, *, name="", dyno="web.1", status=200, code=None, method="GET", size=10
) -> str:
    """A router line of a request that came at ``start`` (s after noon) and was answered ``seconds`` later."""
    ms = round(seconds * 1_000)
    what = "at=info" if code is None else f'at=error code={code} desc="Request timeout"'
    given = f" request_id={name}" if name else ""
    return (
        f'{stamp(start + seconds)} heroku[router]: {what} method={method} path="{path}" host=shop.example.com{given}'
        f' fwd="192.0.2.1" dyno={dyno} connect=0ms service={ms}ms status={status} bytes={size} protocol=https\n'
    )


def rack(at, name, wait_s, *, service_s=None, state="ready", dyno="web.1") -> str:
    service = "" if service_s is None else f" service={round(service_s * 1_000)}ms"
    return (
        f"{stamp(at)} app[{dyno}]: source=rack-timeout id={name} wait={round(wait_s * 1_000)}ms"
        f" timeout=280000000000ms{service} state={state} at=info\n"
    )


THE_FOUR = (
    request(0, 2, "/a", name="aaaa", dyno="web.1"),
    request(0, 20, "/b", name="bbbb", dyno="web.2"),
    request(0, 29, "/c", name="cccc", dyno="web.2"),
    request(0, 30, "/d", name="dddd", dyno="web.2", status=503, code="H12"),
)
THE_FOUR_AT_WORK = (
    rack(0, "aaaa", 0) + rack(2, "aaaa", 0, service_s=2, state="completed"),
    rack(0, "bbbb", 0, dyno="web.2") + rack(20, "bbbb", 0, service_s=20, state="completed", dyno="web.2"),
    rack(20, "cccc", 20, dyno="web.2") + rack(29, "cccc", 20, service_s=9, state="completed", dyno="web.2"),
    rack(29, "dddd", 29, dyno="web.2") + rack(31, "dddd", 29, service_s=2, state="completed", dyno="web.2"),
)


@pytest.mark.parametrize(("work", "basis"), [((), "reconstructed"), (THE_FOUR_AT_WORK, "measured")])
def test_d_of_the_book_waited_20_s_behind_b_and_9_s_behind_c(load_text, work, basis):
    wb = load_text("".join(sorted("".join((*THE_FOUR, *work)).splitlines(keepends=True))))
    table = wb.run("blockers").table.set_index("request_id")
    assert list(table.index) == ["bbbb", "cccc", "dddd"]
    fourth = table.loc["dddd"]
    assert (fourth.cause, fourth.code, fourth.basis) == ("blocked", "H12", basis)
    assert fourth.waited_ms == 29_000
    assert (fourth.blocker_request_id, fourth.blocker_route, fourth.blocker_ms) == ("bbbb", "/b", 20_000)
    assert list(fourth.in_front) == [
        {"route": "/b", "request_id": "bbbb", "ms": 20_000},
        {"route": "/c", "request_id": "cccc", "ms": 9_000},
    ]
    assert fourth.unexplained_ms == 0
    assert (table.loc["bbbb"].cause, table.loc["bbbb"].waited_ms) == ("slow_itself", 0)
    assert (table.loc["cccc"].cause, table.loc["cccc"].waited_ms) == ("blocked", 20_000)


def test_measured_waits_are_surer_than_reconstructed_ones(load_text):
    log = sorted("".join((*THE_FOUR, *THE_FOUR_AT_WORK)).splitlines(keepends=True))
    sure = load_text("".join(log)).run("blockers").table.set_index("request_id")
    assert sure.loc["dddd"].confidence == "high"


def test_reconstructed_waits_of_few_requests_are_unsure(load_text):
    earlier = request(-60, 0.1, "/a", dyno="web.2")
    table = load_text(earlier + "".join(THE_FOUR)).run("blockers").table.set_index("request_id")
    assert table.loc["dddd"].confidence == "low"
    assert table.loc["dddd"].reason == "first come, first served is assumed"


def test_what_came_before_the_log_begins_is_unsure(load_text):
    table = load_text("".join(THE_FOUR)).run("blockers").table.set_index("request_id")
    assert set(table["confidence"]) == {"low"}
    assert table.loc["bbbb"].reason == "it came before the log begins"


def test_lost_log_lines_make_it_unsure(load_text):
    wb = slow_one(load_text)
    insert(wb, "log_errors", time=NOON + timedelta(seconds=12), code="L10", dropped=40)
    assert cause_of(wb) == ("slow_itself", "low")


def test_evidence_names_the_line_of_the_victim_and_those_of_its_blockers(load_text):
    result = load_text("".join(THE_FOUR)).run("blockers")
    cited = result.table.set_index("request_id").loc["dddd"].evidence
    assert [one["line"] for one in cited] == [4, 2, 3]


def test_two_slots_leave_d_waiting_for_c_only(load_text):
    table = load_text("".join(THE_FOUR)).run("blockers", slots=2).table.set_index("request_id")
    assert table.loc["cccc"].cause == "slow_itself"
    assert table.loc["dddd"].waited_ms == 20_000


def test_a_log_with_errors_only_is_refused(load_text):
    only_errors = "".join(
        request(start, 30, "/d", name=f"id{start}", status=503, code="H12") for start in range(8)
    )
    result = load_text(only_errors).run("blockers")
    assert set(result.table["cause"]) == {"cannot_tell"}
    assert result.table["confidence"].isna().all()
    assert {finding.severity for finding in result.findings} == {"cannot_tell"}
    assert "filtered" in result.findings[0].title


def test_a_log_with_errors_only_is_judged_when_another_file_holds_the_answers(wb, tmp_path):
    (tmp_path / "errors.log").write_text(request(0, 30, "/d", status=503, code="H12"))
    (tmp_path / "rest.log").write_text(request(0, 2, "/a") + request(40, 0.1, "/a"))
    assert wb.load(tmp_path / "errors.log", tmp_path / "rest.log").ok
    assert list(wb.run("blockers").table["cause"]) == ["slow_itself"]


def test_requests_that_overtake_each_other_refute_one_slot(load_text):
    """A dyno that works on everything at once: who waited for whom cannot be read from the router."""
    lines = []
    for number in range(80):
        start = number * 40
        lines += [request(start, 30, "/slow", name=f"s{number}", status=503, code="H12")]
        lines += [request(start + 1 + step, 0.2, "/fast", name=f"f{number}-{step}") for step in range(20)]
        lines += [request(start + 22, 7, "/late", name=f"l{number}")]
    result = load_text("".join(sorted(lines))).run("blockers")
    late = result.table[result.table["route"] == "/late"]
    assert not (late["cause"] == "blocked").any()
    told = [finding for finding in result.findings if "at once" in finding.title]
    assert told and told[0].numbers["slots_seen"] == 2


def test_unlimited_concurrency_blames_nobody(load_text):
    lines = []
    for number in range(300):
        lines.append(request(number * 2, 12, "/slow", name=f"s{number}"))
        lines.append(request(number * 2 + 0.5, 0.05, "/fast", name=f"f{number}"))
    table = load_text("".join(sorted(lines))).run("blockers").table
    assert len(table) == 300
    assert not (table["cause"] == "blocked").any()


def insert(wb, table: str, **values) -> None:
    frame = pd.DataFrame([{"source_id": 1, "line": 10_000, **values}])
    wb._database.register("rows_given", frame)
    names = ", ".join(frame.columns)
    wb._database.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM rows_given")
    wb._database.unregister("rows_given")


def slow_one(load_text):
    return load_text(
        "".join((request(-100, 0.1, "/x"), request(0, 20, "/b", name="bbbb"), request(60, 0.1, "/x")))
    )


def cause_of(wb) -> tuple[str, str]:
    row = wb.run("blockers").table.iloc[0]
    return row.cause, row.confidence


def test_a_dyno_over_its_quota_in_that_time_was_swapping(load_text):
    """Elsewhere the same route takes 0.2 s."""
    elsewhere = "".join(request(number, 0.2, "/b", dyno="web.2") for number in range(-60, -50))
    wb = load_text(elsewhere + request(-40, 0.1, "/x") + request(0, 20, "/b") + request(60, 0.1, "/x"))
    insert(
        wb, "dyno_errors", time=NOON + timedelta(seconds=12), dyno="web.1", code="R14", memory_percent=145.0
    )
    assert cause_of(wb) == ("dyno_swapping", "medium")


def test_swap_without_the_route_elsewhere_is_a_weak_reason(load_text):
    wb = slow_one(load_text)
    insert(
        wb, "dyno_errors", time=NOON + timedelta(seconds=12), dyno="web.1", code="R14", memory_percent=145.0
    )
    assert cause_of(wb) == ("dyno_swapping", "low")


def test_a_route_that_is_as_slow_on_a_healthy_dyno_is_not_laid_on_swap(load_text):
    lines = [request(start * 100, 9, "/report", dyno=f"web.{start % 2 + 1}") for start in range(20)]
    wb = load_text("".join(lines))
    for number in range(40):
        insert(
            wb, "dyno_errors", time=NOON + timedelta(seconds=number * 50), dyno="web.1", code="R14",
            memory_percent=145.0, line=9_000 + number,
        )  # fmt: skip
    assert set(wb.run("blockers").table["cause"]) == {"slow_itself"}


def test_a_dyno_a_little_over_its_quota_is_a_weak_reason(load_text):
    wb = slow_one(load_text)
    insert(
        wb, "dyno_errors", time=NOON + timedelta(seconds=12), dyno="web.1", code="R14", memory_percent=102.0
    )
    assert cause_of(wb) == ("dyno_swapping", "low")


@pytest.mark.parametrize(
    "other",
    [{"dyno": "web.2"}, {"time": NOON - timedelta(seconds=91)}, {"time": NOON + timedelta(seconds=21)}],
)
def test_another_dyno_or_another_time_is_no_swapping(load_text, other):
    wb = slow_one(load_text)
    given = {"time": NOON + timedelta(seconds=12), "dyno": "web.1", "code": "R14", "memory_percent": 145.0}
    insert(wb, "dyno_errors", **{**given, **other})
    assert cause_of(wb) == ("slow_itself", "medium")


def test_a_dyno_that_was_starting_meanwhile(load_text):
    wb = slow_one(load_text)
    insert(
        wb, "dyno_states", time=NOON - timedelta(seconds=30), dyno="web.1", to_state="starting", line=9_000
    )
    insert(wb, "dyno_states", time=NOON + timedelta(seconds=5), dyno="web.1", to_state="up", line=9_001)
    assert cause_of(wb) == ("dyno_starting", "medium")


def test_a_dyno_that_was_up_again_before(load_text):
    wb = slow_one(load_text)
    insert(
        wb, "dyno_states", time=NOON - timedelta(seconds=30), dyno="web.1", to_state="starting", line=9_000
    )
    insert(wb, "dyno_states", time=NOON - timedelta(seconds=5), dyno="web.1", to_state="up", line=9_001)
    assert cause_of(wb) == ("slow_itself", "medium")


def test_a_client_that_left(load_text):
    wb = load_text(
        request(0, 0.1, "/x") + request(1, 9, "/up", status=499, code="H27") + request(20, 0.1, "/x")
    )
    assert cause_of(wb) == ("client", "high")


def test_a_stall_of_all_dynos(load_text):
    """Four dynos answer each second, stand still for 40 s together, and go on."""
    lines = []
    for dyno in range(1, 5):
        for second in range(300):
            if not 120 <= second < 160:
                lines.append(request(second, 0.1, "/x", dyno=f"web.{dyno}"))
        lines.append(request(119.5, 40.6 - dyno / 10, "/x", name=f"stuck{dyno}", dyno=f"web.{dyno}"))
    wb = load_text("".join(sorted(lines)))
    table = wb.run("blockers").table
    assert set(table["request_id"]) >= {"stuck1", "stuck2", "stuck3", "stuck4"}
    assert set(table["cause"]) == {"app_stall"}


def test_one_dyno_that_stands_still_is_no_stall_of_the_app(load_text):
    lines = []
    for dyno in range(1, 5):
        for second in range(300):
            if dyno > 1 or not 120 <= second < 160:
                lines.append(request(second, 0.1, "/x", dyno=f"web.{dyno}"))
    lines.append(request(119.5, 29, "/x", name="stuck", dyno="web.1"))
    table = load_text("".join(sorted(lines))).run("blockers").table
    assert list(table["cause"]) == ["slow_itself"]


def test_an_h12_without_time_or_dyno_is_a_row_that_cannot_be_judged(load_text):
    text = (
        'heroku[router]: at=error code=H12 desc="Request timeout" method=GET path=/coupons host=shop.example.com'
        " fwd=192.0.2.9 dyno=web.2 queue= wait= connect= service=30000ms status=503 bytes=0\n"
        "heroku[router]: at=info method=GET path=/ host=shop.example.com fwd=192.0.2.9 dyno=web.2 connect=1ms"
        " service=5ms status=200 bytes=0\n"
    )
    table = load_text(text).run("blockers").table
    assert list(table["cause"]) == ["cannot_tell"]
    assert list(table["reason"]) == ["the line has no time"]
    assert table["waited_ms"].isna().all()


def test_websockets_neither_block_nor_count_as_slow(load_text):
    lines = (request(0, 600, "/cable", status=101), request(5, 8, "/b", name="bbbb"), request(20, 0.1, "/x"))
    table = load_text("".join(sorted(lines))).run("blockers").table
    assert list(table["request_id"]) == ["bbbb"]
    assert table["waited_ms"].iloc[0] == 0


def test_the_window_takes_victims_and_keeps_blockers_from_before_it(load_text):
    wb = load_text("".join(THE_FOUR))
    table = wb.run("blockers", Window(NOON + timedelta(seconds=29.5), NOON + timedelta(seconds=31))).table
    assert list(table["request_id"]) == ["dddd"]
    assert table["blocker_request_id"].iloc[0] == "bbbb"


def test_the_sql_gives_the_table_again(load_text):
    wb = load_text("".join(THE_FOUR))
    result = wb.run("blockers")
    pd.testing.assert_frame_equal(wb.sql(result.sql), result.table, check_exact=True)


def test_the_route_that_blocked_most_comes_first_and_breaks_users(load_text):
    day = queue.simulate(3, load=0.5)
    result = load_text(day.log).run("blockers")
    first = result.findings[0]
    assert first.severity == "critical"
    assert first.title.startswith("/reports/:id blocked ")
    assert first.numbers["blocked_h12_requests"] >= 5
    h12 = sum(one.h12 for one in day.truth)
    assert first.numbers["blocked_h12_requests"] <= h12
    blamed = sum(
        ms
        for one in day.truth
        for ms, other in one.blockers
        if other.route == "/reports/:id" and one.total >= 5_000
    )
    assert first.numbers["blocking_request_seconds"] == pytest.approx(blamed / 1_000, rel=0.15)
    assert 1 <= len(first.evidence) <= 5
    assert all(one.text for one in first.evidence)
    assert result.chart.to_dict()["description"]


def test_a_quiet_day_rules_everything_out_with_its_size(load_text):
    result = load_text("".join(request(second, 0.1, "/x") for second in range(50))).run("blockers")
    assert [finding.severity for finding in result.findings] == ["ruled_out"]
    assert result.findings[0].numbers["requests"] == 50
    assert result.chart.to_dict()


def test_a_log_of_other_errors_rules_nothing_out(load_text):
    result = load_text(request(0, 0.1, "/x", status=503, code="H13")).run("blockers")
    assert [finding.severity for finding in result.findings] == ["cannot_tell"]


def hand_made(**changed) -> pd.DataFrame:
    row = {
        "request_id": "v", "time": pd.Timestamp(NOON), "dyno": "web.1", "route": "/v", "cause": "blocked",
        "confidence": "medium", "waited_ms": 29_000, "blocker_request_id": "b", "blocker_route": "/b",
        "blocker_ms": 20_000, "code": "H12", "total_ms": 30_000, "basis": "reconstructed",
        "in_front": [{"route": "/b", "request_id": "b", "ms": 20_000}, {"route": "/c", "request_id": "c", "ms": 9_000}],
        "unexplained_ms": 0, "reason": None, "evidence": [{"source_id": 1, "line": 4}, {"source_id": 1, "line": 2}],
    }  # fmt: skip
    return pd.DataFrame([{**row, **changed}])


def test_findings_add_up_the_seconds_of_each_route():
    five = pd.concat([hand_made(request_id=str(number)) for number in range(5)], ignore_index=True)
    first, second, *_ = blockers.findings(five)
    assert first.severity == "critical"
    assert first.title.startswith("/b blocked 5 requests (5 of them H12) for 100 request-seconds")
    assert second.title.startswith("/c blocked 5 requests (5 of them H12) for 45 request-seconds")
    assert second.severity == "warning"


def test_four_h12_are_a_warning():
    four = pd.concat([hand_made(request_id=str(number)) for number in range(4)], ignore_index=True)
    assert blockers.findings(four)[0].severity == "warning"


def test_a_wait_behind_nothing_logged_names_no_blocker():
    rows = hand_made(blocker_ms=None, blocker_route=None, blocker_request_id=None, in_front=None)
    told = blockers.findings(rows)
    assert not any(" blocked " in finding.title for finding in told)
    assert "no logged request held the dyno" in told[0].title
    assert blockers.chart(rows).to_dict()


def slow_way_to_the_client(start, name) -> str:
    """0.2 s of work, and 19.8 s until the client has read the answer."""
    return (
        rack(start, name, 0)
        + rack(start + 0.2, name, 0, service_s=0.2, state="completed")
        + request(start, 20, "/export.csv", name=name)
    )


def test_a_slow_download_is_no_work(load_text):
    text = "".join(slow_way_to_the_client(start * 60, f"d{start}") for start in range(12))
    result = load_text(request(-5, 0.1, "/x") + text).run("blockers")
    assert set(result.table["cause"]) == {"client"}
    assert set(result.table["confidence"]) == {"medium"}
    assert set(result.table["work_ms"]) == {200}
    assert not any("slow itself" in one.title for one in result.findings if one.severity != "ruled_out")


def test_a_slow_download_holds_no_dyno_after_its_work(load_text):
    other = request(1, 8, "/b", name="bbbb")
    table = (
        load_text(request(-5, 0.1, "/x") + other + slow_way_to_the_client(0, "dddd")).run("blockers").table
    )
    assert table.set_index("request_id").loc["bbbb"].cause == "slow_itself"


@pytest.mark.parametrize("given", [{"method": "POST"}, {"size": 5_000_000}])
def test_without_rack_timeout_an_upload_is_no_sure_work(load_text, given):
    lines = [request(start * 60, 20, "/files", **given) for start in range(12)]
    result = load_text(request(-5, 0.1, "/x") + "".join(lines)).run("blockers")
    assert set(result.table["cause"]) == {"slow_itself"} and set(result.table["confidence"]) == {"medium"}
    told = result.findings[0]
    assert told.confidence == "medium" and "took 240 s" in told.title and "of work" not in told.title
    assert "a slow client (upload, large download) would look the same" in told.title


def test_work_is_said_where_rack_timeout_measured_it(load_text):
    log = sorted("".join((*THE_FOUR, *THE_FOUR_AT_WORK)).splitlines(keepends=True))
    told = [one.title for one in load_text("".join(log)).run("blockers").findings]
    assert any("/b is slow itself: 1 request (no H12), 20 s of work" in title for title in told)


def app_of(dynos: int, threads: int, *, stall: tuple[int, int], per_s: int = 1) -> str:
    """Two quick routes on dynos with threads; what comes within ``stall`` (s) works until its end."""
    free = {dyno: [0.0] * threads for dyno in range(dynos)}
    lines = []
    for number in range(1_200 * per_s):
        start, dyno = number / per_s, number * 7 % dynos
        path = ("/", "/users")[number // 3 % 2]
        work = stall[1] - start + 0.08 if stall[0] <= start < stall[1] else 0.08
        slot = min(range(threads), key=free[dyno].__getitem__)
        end = max(start, free[dyno][slot]) + work
        free[dyno][slot] = end
        took = {"seconds": 30, "status": 503, "code": "H12"} if end - start > 30 else {"seconds": end - start}
        lines.append(request(start + 0.0001, path=path, dyno=f"web.{dyno + 1}", name=f"n{number}", **took))
    return "".join(sorted(lines))


def test_a_stall_of_a_quiet_app_is_not_told_as_blocking(load_text):
    """Each dyno answers too seldom for app_stall, but all turn slow in 10 s, in both routes."""
    result = load_text(app_of(4, 5, stall=(600, 670))).run("blockers")
    assert not any(one.severity == "critical" for one in result.findings)
    (told,) = [one for one in result.findings if "shared resource" in one.title]
    assert told.severity == "cannot_tell" and told.title.startswith("4 dynos of 4 turned slow within 10 s")
    assert not any("app stall" in one.title for one in result.findings if one.severity == "ruled_out")


def test_a_stall_with_many_h12_is_critical(load_text):
    result = load_text(app_of(4, 1, stall=(600, 680), per_s=6)).run("blockers")
    told = next(one for one in result.findings if "stall of the whole app" in one.title)
    assert told.severity == "critical" and told.numbers["h12_requests"] >= 5


def test_only_what_the_log_could_show_is_ruled_out(load_text):
    lines = [request(start * 10, 0.1, "/x") for start in range(20)] + [request(300, 9, "/b")]
    wb = load_text("".join(lines))
    (told,) = [one for one in wb.run("blockers").findings if one.severity == "ruled_out"]
    assert told.title == "No sign of these causes in 1 slow request: blocked."
    insert(wb, "dyno_states", time=NOON, dyno="web.1", to_state="up")
    insert(wb, "dyno_samples", time=NOON, dyno="web.1")
    (told,) = [one for one in wb.run("blockers").findings if one.severity == "ruled_out"]
    assert told.title == "No sign of these causes in 1 slow request: blocked, dyno swapping, dyno starting."


def test_nothing_is_ruled_out_of_blocking_where_nobody_is_judged(load_text):
    lines = []
    for number in range(40):
        lines.append(request(number * 20, 12, "/slow"))
        lines += [request(number * 20 + 1 + step, 0.05, "/fast") for step in range(8)]
    result = load_text("".join(sorted(lines))).run("blockers")
    assert any("is not judged without rack-timeout" in one.title for one in result.findings)
    assert not any("blocked" in one.title for one in result.findings if one.severity == "ruled_out")


OLD = (
    "{} heroku[router]: GET shop.example.com{} dyno=web.1 queue=8 wait={}ms service={}ms status=200 bytes=9\n"
)


def test_a_wait_in_the_routers_queue_is_no_slow_code(load_text):
    quick = "".join(OLD.format(stamp(second * 60), "/", 0, 100) for second in range(20))
    text = quick + "".join(OLD.format(stamp(2_000 + n * 60), "/cart", 9_000, 300) for n in range(12))
    result = load_text(text).run("blockers")
    assert set(result.table["cause"]) == {"blocked"} and set(result.table["confidence"]) == {"high"}
    assert set(result.table["waited_ms"]) == {9_000} and set(result.table["unexplained_ms"]) == {0}
    assert "router's queue, as the router logged" in result.table["reason"].iloc[0]
    assert "12 requests (no H12) waited in the router's queue" in result.findings[0].title
    assert not any("slow itself" in one.title for one in result.findings if one.severity != "ruled_out")


def test_a_filtered_log_of_other_errors_rules_no_slow_request_out(load_text):
    result = load_text("".join(request(n, 0.1, "/x", status=500) for n in range(40))).run("blockers")
    assert [one.severity for one in result.findings] == ["cannot_tell"]
    assert result.findings[0].title.startswith("None of 40 requests was answered with a status under 400")


def test_answers_without_a_service_time_are_not_called_filtered(load_text):
    lines = "".join(
        f'{stamp(n)} heroku[router]: at=info method=GET path="/x" host=shop.example.com fwd="192.0.2.1" '
        "dyno=web.1 connect=1ms service= status=200 bytes=9\n"
        for n in range(30)
    )
    (told,) = load_text(lines).run("blockers").findings
    assert told.severity == "cannot_tell" and "filtered" not in told.title
    assert "how long they took is not known" in told.title


def test_a_few_h12_far_apart_among_many_requests_are_a_warning(load_text):
    lines = [request(second, 0.1, "/x", dyno="web.2") for second in range(7_200)]
    lines += [request(n * 1_000, 30, "/r", status=503, code="H12") for n in range(1, 7)]
    told = load_text("".join(sorted(lines))).run("blockers").findings
    assert any("/r is slow itself: 6 requests (6 of them H12)" in one.title for one in told)
    assert not any(one.severity == "critical" for one in told)


def test_low_confidence_is_never_critical():
    five = pd.concat([hand_made(request_id=str(n), confidence="low") for n in range(5)], ignore_index=True)
    assert blockers.findings(five)[0].severity == "warning"


def test_whole_seconds_are_not_sure(load_text):
    lines = [request(start * 10, 1, "/x") for start in range(20)] + [request(300, 9, "/b")]
    table = load_text("".join(lines)).run("blockers").table
    assert list(table["confidence"]) == ["medium"]
    assert list(table["reason"]) == ["the log has whole seconds only"]


def test_findings_and_chart_of_no_rows():
    assert [finding.severity for finding in blockers.findings(hand_made().head(0))] == ["ruled_out"]
    assert blockers.chart(hand_made().head(0)).to_dict()
