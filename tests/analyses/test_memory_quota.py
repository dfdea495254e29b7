"""Memory over quota and kills: the book's lines, episodes from generated ones, and sentences from hand-made rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from workbook import Window, Workbook, quota
from workbook.analyses import memory_quota

BEGIN = datetime(2024, 5, 6)
BOOK_R14 = """heroku[web.1]: Process running mem=533M(104.3%)
heroku[web.1]: Error R14 (Memory quota exceeded)
"""
BOOK_R15 = """heroku[web.1]: Process running mem=2565MB(501.0%)
heroku[web.1]: Error R15 (Memory quota vastly exceeded)
heroku[web.1]: Stopping process with SIGKILL
heroku[web.1]: Process exited
"""


def at(seconds: float) -> str:
    return (BEGIN + timedelta(seconds=seconds)).isoformat(timespec="microseconds") + "+00:00"


def over(seconds: float, mb: int = 533, code: str = "R14", dyno: str = "web.1") -> str:
    name = "exceeded" if code == "R14" else "vastly exceeded"
    return (
        f"{at(seconds)} heroku[{dyno}]: Process running mem={mb}M({mb / 5.12 + 0.1:.1f}%)\n"
        f"{at(seconds + 0.01)} heroku[{dyno}]: Error {code} (Memory quota {name})\n"
    )


def sample(
    seconds: float, mb: float, dyno: str = "web.1", life: int = 1, quota_mb: float | None = 512
) -> str:
    quota = "" if quota_mb is None else f" sample#memory_quota={quota_mb:.2f}MB"
    return (
        f"{at(seconds)} heroku[{dyno}]: source={dyno} dyno=heroku.1234567.00000000-0000-4000-8000-{life:012d}"
        f" sample#memory_total={mb:.2f}MB{quota}\n"
    )


def request(seconds: float, service_ms: int, status: int = 200, dyno: str = "web.1", code: str = "") -> str:
    head = f'at=error code={code} desc="Connection closed without response"' if code else "at=info"
    return (
        f'{at(seconds)} heroku[router]: {head} method=GET path="/reports" host=app.example.com'
        f" request_id=00000000-0000-4000-8000-{int(seconds * 1000):012d} fwd=203.0.113.7 dyno={dyno} connect=1ms"
        f" service={service_ms}ms status={status} bytes=85 protocol=https\n"
    )


def episodes(result: Any) -> list[tuple[Any, ...]]:
    return [
        (
            row["dyno"],
            row["kind"],
            row["line_count"],
            None if pd.isna(row["minutes_over_quota"]) else row["minutes_over_quota"],
        )
        for _, row in result.table.iterrows()
    ]


# ---- the book's lines ----


def test_the_books_r14_is_533_mb_of_512(load_text: Callable[..., Workbook]) -> None:
    result = load_text(BOOK_R14).run("memory_quota")
    (row,) = result.table.to_dict("records")
    assert (row["process"], row["dyno"], row["kind"]) == ("web", "web.1", "R14")
    assert (row["peak_mb"], row["peak_percent"]) == (533, 104.3)
    assert (row["quota_mb"], row["quota_basis"]) == (512, "inferred")
    assert pd.isna(row["start"]) and pd.isna(row["end"]) and pd.isna(row["minutes_over_quota"])
    (found,) = result.findings
    assert found.severity == "warning"
    assert "512 MB" in found.title and "533 MB (104.3 %)" in found.title
    assert {(cited.line, cited.text.split("]: ")[1]) for cited in found.evidence} == {
        (1, "Process running mem=533M(104.3%)"),
        (2, "Error R14 (Memory quota exceeded)"),
    }


def test_the_books_r15_is_a_kill_at_501_percent_and_never_expected_at_300(
    load_text: Callable[..., Workbook],
) -> None:
    result = load_text(BOOK_R15).run("memory_quota")
    (row,) = result.table.to_dict("records")
    assert (row["kind"], row["peak_mb"], row["peak_percent"], row["quota_mb"]) == ("R15", 2_565, 501.0, 512)
    kill, note = result.findings
    assert (kill.severity, note.severity) == ("critical", "note")
    assert "2,565 MB, 501.0 % of its quota of 512 MB" in kill.title
    assert kill.evidence[0].text.endswith("Process running mem=2565MB(501.0%)")
    assert "The book says" in note.title and "501.0 %" in note.title and "200 %" in note.title
    assert "300" not in kill.title + kill.next_step


def test_lines_without_a_time_belong_to_the_open_window_only(load_text: Callable[..., Workbook]) -> None:
    wb = load_text(BOOK_R14 + BOOK_R14 + BOOK_R15)
    assert episodes(wb.run("memory_quota")) == [("web.1", "R14", 2, None), ("web.1", "R15", 1, None)]
    assert wb.run("memory_quota", Window("2013-01-01", None)).table.empty


def test_a_percentage_that_fits_no_plan_leaves_the_quota_unknown(load_text: Callable[..., Workbook]) -> None:
    lines = BOOK_R14.replace("533M(104.3%)", "1028M(103.3%)")
    (row,) = load_text(lines).run("memory_quota").table.to_dict("records")
    assert pd.isna(row["quota_mb"]) and row["peak_percent"] == 103.3


# ---- episodes ----


def test_reports_within_90_s_are_one_episode_with_its_minutes(load_text: Callable[..., Workbook]) -> None:
    text = "".join(over(seconds, 530 + n) for n, seconds in enumerate((0, 25, 50, 140, 231, 260)))
    result = load_text(text).run("memory_quota")
    assert episodes(result) == [
        ("web.1", "R14", 4, pytest.approx((25 + 25 + 60) / 60)),
        ("web.1", "R14", 2, pytest.approx(29 / 60)),
    ]
    first = result.table.iloc[0]
    assert (first["peak_mb"], str(first["start"]), str(first["end"])) == (
        533,
        "2024-05-06 00:00:00.010000",
        "2024-05-06 00:02:20.010000",
    )
    (found,) = result.findings
    assert found.numbers["episodes"] == 2 and found.numbers["reports"] == 6
    assert found.numbers["minutes_over_quota"] == pytest.approx(139 / 60, abs=0.01)


def test_the_gap_is_a_parameter(load_text: Callable[..., Workbook]) -> None:
    wb = load_text(over(0) + over(100))
    assert len(wb.run("memory_quota").table) == 2
    assert len(wb.run("memory_quota", gap_s=120).table) == 1


@pytest.mark.parametrize("line", ["State changed from up to starting", "Cycling"])
def test_a_restart_splits_an_episode(load_text: Callable[..., Workbook], line: str) -> None:
    restart = f"{at(35)} heroku[web.1]: {line}\n"
    assert len(load_text(over(0) + over(25) + restart + over(50)).run("memory_quota").table) == 2


def test_another_boot_splits_an_episode_and_another_dyno_does_not(load_text: Callable[..., Workbook]) -> None:
    boots = sample(0, 520) + sample(20, 521) + sample(40, 522, life=2) + sample(45, 100, dyno="web.2", life=9)
    assert episodes(load_text(boots).run("memory_quota")) == [
        ("web.1", "over_quota", 2, pytest.approx(20 / 60)),
        ("web.1", "over_quota", 1, 0),
        ("web.2", "within_quota", 1, 0),
    ]


def test_samples_over_the_quota_join_the_r14_lines(load_text: Callable[..., Workbook]) -> None:
    result = load_text(sample(0, 515.5) + over(10, 516) + sample(20, 517.25) + sample(60, 400)).run(
        "memory_quota"
    )
    (row,) = result.table.to_dict("records")
    assert (row["kind"], row["line_count"], row["peak_mb"]) == ("R14", 3, 517.25)
    assert row["peak_percent"] == pytest.approx(100 * 517.25 / 512)
    assert any("mem=516M" in cited.text for cited in result.findings[0].evidence), (
        "a line of the platform comes first"
    )


def test_an_r15_ends_the_episode_and_counts_what_was_in_flight(load_text: Callable[..., Workbook]) -> None:
    text = (
        over(0, 900)
        + over(20, 1_000)
        + over(40, 1_093, "R15")
        + request(39, 200)  # ended before
        + request(40.5, 5_000, 503, code="H13")
        + request(65, 29_000, 503, code="H12")
        + request(66, 2_000)  # began after
        + request(41, 5_000, dyno="web.2")
    )
    result = load_text(text).run("memory_quota")
    assert episodes(result) == [("web.1", "R14", 2, pytest.approx(20 / 60)), ("web.1", "R15", 1, None)]
    kill = result.table.iloc[1]
    assert (kill["in_flight"], kill["in_flight_failed"]) == (2, 2)
    found = result.findings[0]
    assert found.severity == "critical"
    assert (
        "2024-05-06 00:00:40" in found.title
        and "1,093 MB" in found.title
        and "2 requests in flight (clients saw H12, H13)" in found.title
    )
    assert sum("heroku[router]" in cited.text for cited in found.evidence) == 2


def test_without_requests_of_that_dyno_nobody_knows_what_was_in_flight(
    load_text: Callable[..., Workbook],
) -> None:
    result = load_text(over(40, 1_093, "R15", "worker.1") + request(41, 5_000)).run("memory_quota")
    assert pd.isna(result.table["in_flight"]).all()
    assert "in flight" not in result.findings[0].title


def job(seconds: float, jid: str, event: str, dyno: str = "worker.1", name: str = "ImportJob") -> str:
    return f"{at(seconds)} app[{dyno}]: pid=2 tid=gq8 class={name} jid={jid} {event}\n"


def test_a_kill_loses_the_jobs_that_began_in_that_life_and_never_ended(
    load_text: Callable[..., Workbook],
) -> None:
    text = (
        job(1, "before", "INFO: start")
        + f"{at(5)} heroku[worker.1]: State changed from up to starting\n"
        + job(10, "aaa1", "INFO: start")
        + job(12, "bbb2", "INFO: start", name="MailJob")
        + job(14, "aaa1", "elapsed=4.0 INFO: done")
        + job(15, "ccc3", "INFO: start", dyno="worker.2")
        + over(40, 1_093, "R15", "worker.1")
        + job(60, "ddd4", "INFO: start")
    )
    result = load_text(text).run("memory_quota")
    kill = result.table[result.table["kind"] == "R15"].iloc[0]
    assert (kill["jobs_lost"], list(kill["jobs_lost_names"])) == (1, ["MailJob"])
    found = result.findings[0]
    assert "1 job was started and never ended before: MailJob." in found.title
    assert any("jid=bbb2" in cited.text for cited in found.evidence)


def test_a_worker_that_is_over_all_the_time_gets_both_ways_out_with_their_numbers(
    load_text: Callable[..., Workbook],
) -> None:
    text = "".join(over(25 * number, 780, dyno="worker.1") for number in range(3 * 144))
    (found,) = load_text(text).run("memory_quota").findings
    assert "it is constant" in found.title and found.numbers["over_share"] == 1
    assert "a dyno of 1,024 MB (Standard-2X): 780 MB are 76% of it" in found.next_step
    # room for work in 90 % of 512 MB: 460.8 - 100; 680 MB of work make two workers of 440 MB
    assert "over 2 workers: 100 MB before work (assumed: book ch. 3)" in found.next_step
    assert "make 440 MB each, 86% of 512 MB" in found.next_step
    assert 'program:heroku/worker "Error R14"' in found.next_step


def test_what_a_worker_has_before_work_is_measured_where_there_are_samples() -> None:
    assert "over 3 workers: 200 MB before work (measured)" in quota.ways_out(900, 512, 200)
    assert "Splitting does not help" in quota.ways_out(900, 512, 470)
    assert quota.ways_out(200_000, 512, None).startswith("No dyno type holds")


def test_a_short_time_over_the_quota_is_not_constant(load_text: Callable[..., Workbook]) -> None:
    (found,) = load_text("".join(over(25 * number, 780) for number in range(60))).run("memory_quota").findings
    assert "constant" not in found.title and "memory_trend" in found.next_step


def test_a_search_never_carries_a_hostile_name() -> None:
    assert "rm" not in quota.saved_searches('x" OR rm', "R14")


def test_lost_log_lines_are_told(load_text: Callable[..., Workbook]) -> None:
    lost = (
        f"{at(30)} heroku[logplex]: Error L10 (output buffer overflow): 491 messages dropped since {at(0)}.\n"
    )
    result = load_text(over(0) + over(25) + lost).run("memory_quota")
    assert result.table["lines_lost"].tolist() == [True]
    assert "may have been longer" in result.findings[0].title


# ---- ruled out, unknown, nothing ----


def test_no_dyno_over_its_quota_is_ruled_out_with_the_size_of_the_evidence(
    load_text: Callable[..., Workbook],
) -> None:
    text = "".join(sample(20 * n, 300 + n, dyno=f"web.{1 + n % 2}", life=1 + n % 2) for n in range(100))
    result = load_text(text).run("memory_quota")
    assert episodes(result) == [("web.1", "within_quota", 50, 0), ("web.2", "within_quota", 50, 0)]
    (found,) = result.findings
    assert found.severity == "ruled_out"
    assert (
        found.title == "No dyno came over 78 % of its memory quota (web.2, 399 MB) in 100 samples of 2 dynos."
    )


def test_near_the_quota_is_not_ruled_out(load_text: Callable[..., Workbook]) -> None:
    (found,) = load_text(sample(0, 480)).run("memory_quota").findings
    assert found.severity == "note" and "94 %" in found.title


def test_an_unknown_quota_cannot_tell_and_names_what_is_missing(load_text: Callable[..., Workbook]) -> None:
    result = load_text(sample(0, 700, quota_mb=None)).run("memory_quota")
    assert episodes(result) == [("web.1", "quota_unknown", 1, None)]
    (found,) = result.findings
    assert found.severity == "cannot_tell" and "heroku ps" in found.next_step


def test_the_plan_of_heroku_ps_is_the_quota(load_text: Callable[..., Workbook]) -> None:
    wb = load_text(sample(0, 700, quota_mb=None))
    load_text(
        "=== web (Standard-2X): bundle exec puma (1)\nweb.1: up 2024/05/06 00:00:00 +0000 (~ 1h ago)\n",
        "ps.txt",
    )
    (row,) = wb.run("memory_quota").table.to_dict("records")
    assert (row["kind"], row["quota_mb"], row["quota_basis"]) == ("within_quota", 1_024, "heroku ps")


def test_nothing_in_the_window_is_an_answer(load_text: Callable[..., Workbook]) -> None:
    result = load_text(over(0)).run("memory_quota", Window("2030-01-01", "2030-01-02"))
    assert result.table.empty
    assert [finding.severity for finding in result.findings] == ["cannot_tell"]


def test_the_result_can_be_had_again_from_its_sql(load_text: Callable[..., Workbook]) -> None:
    wb = load_text(
        over(0) + over(25) + over(40, 1_093, "R15") + sample(50, 300, "web.2", 2) + request(41, 5_000)
    )
    result = wb.run("memory_quota")
    pd.testing.assert_frame_equal(wb.sql(result.sql), result.table)


# ---- findings and chart from rows ----


def made(kind: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "process": "web",
        "dyno": "web.1",
        "kind": kind,
        "start": pd.Timestamp(BEGIN),
        "end": pd.Timestamp(BEGIN) + pd.Timedelta(minutes=12),
        "peak_mb": 533.0,
        "peak_percent": 104.3,
        "minutes_over_quota": 12.0,
        "line_count": 30,
        "quota_mb": 512.0,
        "quota_basis": "memory_quota",
        "in_flight": None,
        "in_flight_failed": None,
        "in_flight_seen": None,
        "jobs_lost": None,
        "jobs_lost_names": [],
        "typical_mb": None,
        "least_mb": None,
        "lines_lost": False,
        "evidence": [{"source_id": 1, "line": 7}],
    }
    return row | more


def told(*rows: dict[str, Any]) -> list[Any]:
    return memory_quota.findings(pd.DataFrame(list(rows)))


def test_the_worst_comes_first_and_processes_are_told_apart() -> None:
    found = told(
        made("R14"),
        made("R14", process="worker", dyno="worker.1"),
        made(
            "R15",
            process="worker",
            dyno="worker.1",
            peak_mb=1_100.0,
            peak_percent=214.8,
            minutes_over_quota=None,
        ),
        made(
            "R15",
            process="worker",
            dyno="worker.2",
            peak_mb=1_200.0,
            peak_percent=234.4,
            minutes_over_quota=None,
        ),
        made("within_quota", dyno="web.2", peak_mb=300.0, peak_percent=58.6),
    )
    assert [finding.severity for finding in found] == ["critical", "warning", "warning", "note", "ruled_out"]
    assert "worker.2 was killed" in found[0].title and "2 kills of worker.1 and worker.2" in found[0].title
    assert "No other dyno" in found[-1].title


def test_a_report_without_its_memory_line_is_still_told() -> None:
    (found,) = told(made("R14", peak_mb=None, peak_percent=None, quota_mb=None))
    assert (
        found.title
        == "web.1 was over the memory quota for at least 12 min in 1 episode; 30 reports, with R14 lines."
    )
    kill, _ = told(made("R15", peak_mb=None, peak_percent=None, quota_mb=None, minutes_over_quota=None))
    assert kill.title == "web.1 was killed for its memory (R15) at 2024-05-06 00:00:00 UTC."


@pytest.mark.parametrize(
    "minutes, said",
    [
        (0.0, "of 512 MB in 1 episode"),
        (0.5, "for at least 30 s in 1 episode"),
        (1.5, "for at least 1.5 min in"),
    ],
)
def test_a_short_time_over_the_quota_is_never_zero_minutes(minutes: float, said: str) -> None:
    (found,) = told(made("R14", minutes_over_quota=minutes))
    assert said in found.title
    assert "0.0 min" not in found.title and " 0 s" not in found.title


def test_r14_is_told_only_where_it_was_logged() -> None:
    (samples,) = told(made("over_quota"))
    assert samples.title.endswith("30 reports, no R14 line.")
    (some,) = told(made("R14"), made("over_quota"))
    assert some.title.endswith("60 reports, R14 lines in 1 of 2 episodes.")
    (every,) = told(made("R14"), made("R14"))
    assert every.title.endswith("60 reports, with R14 lines in each episode.")


def test_the_documented_kill_limits_of_a_quota_are_all_named() -> None:
    _, note = told(made("R15", quota_mb=1_024.0, peak_mb=2_100.0, peak_percent=205.1))
    assert "100 % or 200 % (by dyno type) for a quota of 1,024 MB" in note.title
    _, note = told(made("R15"))
    assert "documents 200 % for a quota of 512 MB" in note.title


def test_the_chart_draws_episodes_and_says_when_there_are_none() -> None:
    rows = pd.DataFrame([made("R14"), made("R15", dyno="web.2"), made("within_quota", dyno="web.3")])
    spec = memory_quota.chart(rows).to_dict()
    drawn = json.dumps(spec)
    assert "web.1" in drawn and "web.2" in drawn and "web.3" not in drawn
    assert spec["description"] == "Time over the memory quota: 2 episodes of web.1 and web.2."
    calm = json.dumps(memory_quota.chart(pd.DataFrame([made("within_quota")])).to_dict())
    assert "no dyno was over its quota" in calm
    untimed = pd.DataFrame([made("R14", start=pd.NaT, end=pd.NaT)])
    assert "carry no time" in json.dumps(memory_quota.chart(untimed).to_dict())


def test_the_chart_holds_at_most_5000_rows() -> None:
    start = pd.Timestamp(BEGIN)
    rows = pd.DataFrame(
        [made("R14", start=start + pd.Timedelta(minutes=n), peak_mb=520.0 + n) for n in range(6_000)]
    )
    spec = memory_quota.chart(rows).to_dict()
    assert max(len(data) for data in spec["datasets"].values()) == 5_000
    assert "the 5,000 highest of 6,000" in json.dumps(spec)
