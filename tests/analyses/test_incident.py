"""incident: the two bad times of the sample data, exactly; when it says recovered, open, before the log, cannot tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from workbook import Window, Workbook

SAMPLE = Path(__file__).parents[2] / "sample_data"
NOON = datetime(2024, 3, 4, 12)


def log(failed: range, minutes: int = 60, code: str = "H12", more: str = "") -> str:
    """Two requests a minute; in the minutes of ``failed`` the second one fails."""
    lines = []
    for minute in range(minutes):
        for second in (0, 30):
            time = (NOON + timedelta(minutes=minute, seconds=second)).isoformat()
            bad = second and minute in failed
            what = f"at=error code={code} desc=x status=503" if bad else "at=info status=200"
            lines.append(
                f'{time}+00:00 heroku[router]: {what} method=GET path="/a" fwd="192.0.2.{minute + 1}" dyno=web.1'
                " connect=1ms service=9ms bytes=5"
            )
    return "\n".join(lines) + "\n" + more


def of_kind(result: Any, kind: str) -> list[dict[str, Any]]:
    return result.table[result.table["kind"] == kind].to_dict("records")


@pytest.fixture(scope="module")
def sample():
    with Workbook.open() as wb:
        assert wb.load(SAMPLE).ok
        yield wb.run("incident")


def test_both_bad_times_of_the_sample_with_their_planted_numbers(sample):
    deploy, sale = of_kind(sample, "incident")
    assert (deploy["failed"], str(deploy["time"])[:19], str(deploy["end_time"])[:19]) == (
        16,
        "2026-03-11 13:13:18",
        "2026-03-11 13:35:55",
    )
    assert (sale["failed"], str(sale["time"])[:19], str(sale["end_time"])[:19]) == (
        62,
        "2026-03-11 19:32:07",
        "2026-03-11 19:49:23",
    )
    assert {deploy["state"], sale["state"]} == {"recovered"}
    assert sale["failed_share"] == pytest.approx(62 / sale["requests"])
    assert [one["what"] for one in of_kind(sample, "release")] == [
        "release v42",
        "release v43",
        "rollback v41",
    ]


def test_its_findings_cite_first_and_last_failure_and_claim_no_cause(sample):
    told = [one for one in sample.findings if one.severity == "critical"]
    assert [len(one.evidence) for one in told] == [2, 2] and all(
        "code=H12" in e.text for e in told[1].evidence
    )
    (before,) = [one for one in sample.findings if "Before incident 1" in one.title]
    assert "release v42 34.7 s before" in before.title and before.confidence == "low"
    assert any(one.severity == "ruled_out" and "incident 2" in one.title for one in sample.findings)


@pytest.mark.parametrize(
    ("failed", "state", "begins"),
    [
        (range(20, 30), "recovered", "seen"),
        (range(50, 60), "open", "seen"),
        (range(0, 10), "recovered", "before_the_log"),
    ],
)
def test_its_ends_are_told_only_where_the_log_shows_them(load_text, failed, state, begins):
    result = load_text(log(failed)).run("incident")
    (one,) = of_kind(result, "incident")
    assert (one["state"], one["begins"], one["failed"], one["addresses"]) == (state, begins, 10, 10)
    assert one["time"] == NOON + timedelta(minutes=failed[0], seconds=30)


def test_a_router_log_cannot_tell_what_came_before(load_text):
    result = load_text(log(range(30, 40))).run("incident")
    assert [one.severity for one in result.findings if "before incident 1" in one.title] == ["cannot_tell"]


def test_two_times_apart_are_two_and_nearer_ones_are_one(load_text):
    wb = load_text(log([*range(10, 16), *range(45, 51)]))  # type: ignore[arg-type]
    assert [one["failed"] for one in of_kind(wb.run("incident"), "incident")] == [6, 6]
    assert [one["failed"] for one in of_kind(wb.run("incident", quiet_minutes=40), "incident")] == [12]


@pytest.mark.parametrize("code", ["H80", "H27"])
def test_maintenance_and_visitors_who_left_are_no_incident(load_text, code):
    result = load_text(log(range(10, 40), code=code)).run("incident")
    assert of_kind(result, "incident") == [] and of_kind(result, "window")[0]["failed"] == 0


def test_few_requests_without_failure_rule_nothing_out(load_text):
    wb = load_text(log(range(0), minutes=20))
    assert [one.severity for one in wb.run("incident").findings] == ["cannot_tell"]


def test_many_without_failure_do(load_text):
    wb = load_text(log(range(0), minutes=240))
    assert [one.severity for one in wb.run("incident").findings] == ["ruled_out"]


def test_lines_that_the_log_lost_make_the_counts_too_low(load_text):
    lost = "2024-03-04T12:25:00+00:00 heroku[logplex]: Error L10 (output buffer overflow): 500 messages dropped since 2024-03-04T12:24:00+00:00.\n"
    result = load_text(log(range(20, 30), more=lost)).run("incident")
    (one,) = [one for one in result.findings if one.severity == "warning"]
    assert one.numbers == {"lost_lines": 500}


def test_a_window_keeps_the_other_incident_out(sample):
    with Workbook.open() as wb:
        wb.load(SAMPLE)
        result = wb.run("incident", Window("2026-03-11 19:00", "2026-03-11 20:30"))
    assert [one["failed"] for one in of_kind(result, "incident")] == [62]
