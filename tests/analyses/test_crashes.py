"""crashes: the book's two lines, loops, what explains an exit, what shows a dyno up again, and what is no crash."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from workbook import Window, Workbook

START = datetime(2024, 2, 1, 4, 0)
PS = "=== web (Standard-1X): bundle exec puma (2)\n\n"


def heroku(second: float, text: str, process: str = "web.1", source: str = "heroku") -> str:
    return f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S.%f}+00:00 {source}[{process}]: {text}\n"


def state(second: float, before: str, after: str, process: str = "web.1") -> str:
    return heroku(second, f"State changed from {before} to {after}", process)


def request(second: float, code: str = "", dyno: str = "web.1") -> str:
    fault, status = (f'at=error code={code} desc="x"', 503) if code else ("at=info", 200)
    return heroku(
        second,
        f'{fault} method=GET path="/a" host=shop.example.com request_id=r-{second} fwd="192.0.2.4" dyno={dyno}'
        f" connect=1ms service=9ms status={status} bytes=1",
        "router",
    )


def boot_crash(second: float) -> str:
    return (
        heroku(second, "Starting process with command `bundle exec puma`")
        + heroku(second + 2, "Process exited with status 1")
        + state(second + 2.1, "starting", "crashed")
    )


def only(wb: Workbook, dyno: str = "web.1") -> dict[str, Any]:
    """The row of a dyno."""
    table = wb.run("crashes").table
    (row,) = table[table["dyno"] == dyno].to_dict("records")
    return row


def said(wb: Workbook) -> list[tuple[str, str]]:
    return [(one.severity, one.title) for one in wb.run("crashes").findings]


def test_the_books_line_without_a_time_is_critical(load_text):
    wb = load_text("heroku[web.1]: State changed from starting to crashed\n")
    (finding,) = wb.run("crashes").findings
    assert finding.severity == "critical" and finding.about is None and len(finding.evidence) == 1
    assert (
        "web.1 crashed once (the lines carry no time) and is crashed at the end of the log" in finding.title
    )
    assert "heroku ps:restart web.1" in finding.next_step and "heroku logs -t" in finding.next_step


def test_the_books_listing_is_critical(load_text):
    wb = load_text(
        "$ heroku ps  \n==== web (1X): `bundle exec unicorn -p $PORT -c ./config/unicorn.rb`  \n"
        "web.1: crashed 2013/05/07 19:46:38 (~ 49m ago)\n",
        "ps.txt",
    )
    assert said(wb) == [("critical", "web.1 is crashed since 2013-05-07 19:46:38 UTC (heroku ps).")]
    assert only(wb)["crashes"] == 0 and only(wb)["listed_state"] == "crashed"


def test_a_listing_that_is_older_than_the_log_is_not_the_last_word(load_text):
    load_text(PS + "web.1: crashed 2024/02/01 04:05:06 +0000\n", "ps.txt")
    wb = load_text(state(600, "crashed", "starting") + state(610, "starting", "up"))
    ((severity, title),) = said(wb)
    assert (
        severity == "warning"
        and "was crashed at 2024-02-01 04:05:06 UTC (heroku ps) and came up again" in title
    )
    assert only(wb)["seconds_down"] == pytest.approx(304)


def test_a_listing_shows_it_up_after_the_log(load_text):
    load_text(boot_crash(0))
    wb = load_text(PS + "web.1: up 2024/02/01 04:05:06 +0000\n", "ps.txt")
    assert only(wb)["up_again"] and only(wb)["last_state"] == "up" and said(wb)[0][0] == "warning"


def test_a_crash_loop_with_its_trace_and_the_requests_that_it_failed(load_text):
    trace = "".join(
        heroku(1801.5 + n / 10, text, source="app")
        for n, text in enumerate(
            (
                "NoMethodError (undefined method `call' for nil:NilClass):",
                "  app/models/cart.rb:12:in `total'",
                "  vendor/bundle/ruby/3.2.0/gems/rack-2.2.8/lib/rack/head.rb:12:in `call'",
            )
        )
    )
    text = (
        "".join(state(at - 1, "crashed", "starting") + boot_crash(at) for at in (0, 600, 1200, 1800))
        + trace
        + "".join(request(900 + n, "H10", "") for n in range(30))
        + request(905, dyno="web.2")
    )
    row = only(wb := load_text("".join(sorted(text.splitlines(True)))))
    assert (row["crashes"], row["exit_status"], row["h_errors"], row["crash_loop"]) == (4, 1, 30, True)
    assert row["exception"] == "NoMethodError" and "app/models/cart.rb:12" in row["first_own_frame"]
    assert row["seconds_down"] == pytest.approx(1800, abs=1) and row["up_again"] is False
    severity, title = said(wb)[0]
    assert severity == "critical"
    for part in (
        "crashed 4 times between 2024-02-01 04:00:02",
        "status 1",
        "NoMethodError at app/",
        "30 requests",
    ):
        assert part in title


@pytest.mark.parametrize(("third", "severity"), [(1700, "critical"), (2000, "warning")])
def test_three_crashes_are_a_loop_only_within_half_an_hour(load_text, third, severity):
    wb = load_text(
        "".join(state(at, "up", "crashed") + state(at + 20, "starting", "up") for at in (0, 100, third))
    )
    assert [one for one, _ in said(wb)] == [severity]
    assert only(wb)["seconds_down"] == pytest.approx(60) and only(wb)["up_again"]


def test_one_crash_that_came_up_again_is_a_warning(load_text):
    wb = load_text(state(0, "up", "crashed") + state(5, "crashed", "starting") + state(12, "starting", "up"))
    assert said(wb) == [
        ("warning", "web.1 crashed once at 2024-02-01 04:00:00 UTC and came up again after 12.0 s down.")
    ]


@pytest.mark.parametrize(("answer", "severity"), [(request(60), "warning"), (request(60, "H13"), "critical")])
def test_a_request_that_it_answers_shows_it_up(load_text, answer, severity):
    wb = load_text(state(0, "up", "crashed") + answer)
    assert said(wb)[0][0] == severity
    assert only(wb)["up_again"] is (severity == "warning")


def test_an_untimed_crash_beside_timed_lines_is_left_open(load_text):
    load_text("heroku[web.1]: State changed from starting to crashed\n", "quote.txt")
    wb = load_text(state(0, "starting", "up"))
    ((severity, title),) = said(wb)
    assert severity == "warning" and "cannot be said" in title


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (heroku(-5, "Error R15 (Memory quota vastly exceeded)"), "r15"),
        (heroku(-5, "Error R10 (Boot timeout) -> Web process failed to bind to $PORT"), "boot_timeout"),
        (heroku(-200, "Release v42 created by user dev@example.com", "api", "app"), "deploy"),
        (heroku(-400, "Release v42 created by user dev@example.com", "api", "app"), None),
        (heroku(-90, "Error R15 (Memory quota vastly exceeded)"), None),
        (heroku(-5, "Error R15 (Memory quota vastly exceeded)", "web.2"), None),
    ],
)
def test_what_came_just_before(load_text, before, reason):
    wb = load_text(before + state(0, "up", "crashed"))
    assert only(wb)["explained_by"] == reason
    assert said(wb)[0][0] == "critical"


STOPPED = heroku(0, "Stopping all processes with SIGTERM", "run.7")


@pytest.mark.parametrize(
    ("before", "status", "failed"),
    [
        ("", 1, 1),
        ("", 0, 0),
        ("", 137, 1),
        (STOPPED, 143, 0),
        (STOPPED, 1, 0),
        (STOPPED.replace("run.7", "run.8"), 1, 1),
    ],
)
def test_the_exit_of_a_one_off_is_a_note_at_most(load_text, before, status, failed):
    wb = load_text(
        before
        + heroku(30, f"Process exited with status {status}", "run.7")
        + state(30, "up", "complete", "run.7")
    )
    assert only(wb, "run.7")["failed_exits"] == failed
    assert [one for one, _ in said(wb)] == ["note", "ruled_out"][1 - failed :]
    if failed:
        assert f"run.7 (status {status})" in said(wb)[0][1]


def test_a_failed_exit_of_a_web_dyno_without_its_state_is_a_warning(load_text):
    wb = load_text(heroku(0, "Process exited with status 1"))
    ((severity, title),) = said(wb)
    assert severity == "warning" and "exited 1 time with a status other than 0 (last 1)" in title


def test_ordinary_restarts_rule_crashes_out(load_text):
    load_text(
        heroku(0, "Cycling") + state(0.1, "up", "starting") + heroku(1, "Stopping all processes with SIGTERM")
        + heroku(2, "Process exited with status 143") + state(12, "starting", "up")
    )  # fmt: skip
    wb = load_text(PS + "web.1: up 2024/02/01 04:00:12 +0000\n", "ps.txt")
    assert said(wb) == [
        ("ruled_out", "No web or worker dyno crashed: 2 state changes of 1 dyno, heroku ps lists 1 dyno up.")
    ]


def test_many_crashed_dynos_are_told_in_few_findings(load_text):
    wb = load_text("".join(state(n, "up", "crashed", f"web.{n}") for n in range(1, 31)))
    found = said(wb)
    assert len(found) == 6 and "25 other dynos" in found[-1][1] and "and 20 more" in found[-1][1]
    (lanes,) = {
        len({one["dyno"] for one in data}) for data in wb.run("crashes").chart.to_dict()["datasets"].values()
    }
    assert lanes == 20


def test_the_window_ends_the_log(load_text):
    wb = load_text(state(0, "up", "crashed") + state(600, "starting", "up"))
    result = wb.run("crashes", Window("2024-02-01 03:00", "2024-02-01 04:05"))
    assert [one.severity for one in result.findings] == ["critical"]


def test_the_sample_has_ordinary_stops_only(sample_rows):
    assert sample_rows.table["crashes"].sum() == sample_rows.table["failed_exits"].sum() == 0
    assert [one.severity for one in sample_rows.findings] == ["ruled_out"]


@pytest.fixture
def sample_rows(wb):
    """What crashes says of the sample data."""
    from pathlib import Path

    assert wb.load(Path(__file__).parents[2] / "sample_data").ok
    return wb.run("crashes")
