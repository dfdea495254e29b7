"""weekly_review: ISO weeks, known numbers, and routes that are made new, worse, fixed, slow or fast."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from workbook import Workbook

MONDAY = datetime(2024, 12, 16)
"""Three weeks from here: 2024-W51, 2024-W52, and 2025-W01, which begins in December."""


def add(wb: Workbook, table: str, rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame([{"source_id": 1, "line": place, **row} for place, row in enumerate(rows, 1)])
    columns = ", ".join(frame.columns)
    wb._database.register("added", frame)
    wb._database.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM added")
    wb._database.unregister("added")


def week(
    number: int, route: str, slow_of_ten: int, hours: int = 48, first_hour: int = 0, each: int = 10
) -> list[dict[str, Any]]:
    """Ten requests an hour, of which so many take 900 ms."""
    return [
        {
            "time": MONDAY + timedelta(days=7 * number, hours=first_hour + hour, minutes=60 * n / each),
            "method": "GET",
            "route": route,
            "status": 200,
            "connect_ms": 0,
            "service_ms": 900 if n < slow_of_ten else 100,
        }
        for hour in range(hours)
        for n in range(each)
    ]


def verdicts(wb: Workbook) -> dict[str, str]:
    table = wb.run("weekly_review").table
    routes = table[table["scope"] == "route"]
    return dict(zip(routes["name"], routes["verdict"], strict=True))


def last(wb: Workbook) -> dict[str, Any]:
    table = wb.run("weekly_review").table
    return table[table["scope"] == "week"].iloc[-1].to_dict()


def test_the_numbers_of_a_week(wb):
    add(wb, "requests", week(0, "/a", 2))
    h12 = {
        "method": "GET",
        "route": "/a",
        "status": 503,
        "code": "H12",
        "connect_ms": 0,
        "service_ms": 30_000,
    }
    add(wb, "requests", [{**h12, "time": MONDAY + timedelta(hours=n)} for n in range(20)])
    one = last(wb)
    assert (one["week"], one["requests"], one["hours"], one["h12"]) == ("2024-W51", 500, 48, 20)
    assert one["within_500ms_share"] == pytest.approx(384 / 500)
    assert one["apdex"] == pytest.approx((384 + 96 / 2) / 500)
    assert one["h12_per_10k"] == pytest.approx(400)
    assert pd.isna(one["r14_minutes"]), "no line of a dyno: not known"


def test_weeks_are_those_of_iso_also_at_new_year(wb):
    for number in range(3):
        add(wb, "requests", week(number, "/a", 0))
    table = wb.run("weekly_review").table
    assert list(table[table["scope"] == "week"]["week"]) == ["2024-W51", "2024-W52", "2025-W01"]


def test_r14_minutes_are_minutes_of_dynos_and_zero_where_dynos_speak(wb):
    for number in range(2):
        add(wb, "requests", week(number, "/a", 0))
    r14 = {"code": "R14", "dyno": "web.1"}
    add(wb, "dyno_errors", [{**r14, "time": MONDAY + timedelta(seconds=20 * n)} for n in range(9)])
    add(wb, "dyno_samples", [{"dyno": "web.1", "time": MONDAY + timedelta(days=7), "value": 1.0}])
    table = wb.run("weekly_review").table
    assert list(table[table["scope"] == "week"]["r14_minutes"]) == [3, 0]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0, 4, "new"),
        (None, 4, "new"),
        (2, 6, "worse"),
        (6, 2, "better"),
        (4, 0, "fixed"),
        (4, 4, "slow"),
        (0, 0, "fast"),
    ],
)
def test_a_route_against_the_weeks_before(wb, before, after, verdict):
    for number in range(2):
        add(wb, "requests", week(number, "/steady", 0))
        if before is not None:
            add(wb, "requests", week(number, "/it", before))
    add(wb, "requests", [*week(2, "/steady", 0), *week(2, "/it", after)])
    assert verdicts(wb) == {"GET /steady": "fast", "GET /it": verdict}
    told = [one.title for one in wb.run("weekly_review").findings if "GET /it" in one.title]
    assert bool(told) == (verdict != "fast")


@pytest.mark.parametrize(("after", "verdict"), [(5, "worse"), (3, "same"), (1, "better")])
def test_the_week_against_the_weeks_before(wb, after, verdict):
    add(wb, "requests", [*week(0, "/a", 3), *week(1, "/a", after)])
    one = last(wb)
    assert one["verdict"] == verdict and one["difference"] == pytest.approx((after - 3) / 10)
    severity = {"worse": "warning", "same": "note", "better": "note"}[verdict]
    assert wb.run("weekly_review").findings[0].severity == severity


def test_only_the_same_hours_of_the_week_are_compared(wb):
    # nights are fast and days are slow in every week; of the last week only a night is known
    add(
        wb,
        "requests",
        [
            *week(0, "/a", 0, hours=24),
            *week(0, "/a", 9, hours=24, first_hour=24),
            *week(1, "/a", 0, hours=24),
        ],
    )
    one = last(wb)
    assert one["before_requests"] == 240 and one["verdict"] == "same"


def test_one_bad_hour_is_not_a_worse_week(wb):
    add(
        wb, "requests", [*week(0, "/a", 0), *week(1, "/a", 0, hours=47), *week(1, "/a", 200, 1, 47, each=200)]
    )
    assert last(wb)["over_share"] > 0.25 and last(wb)["verdict"] != "worse"
    assert verdicts(wb) == {"GET /a": "cannot_tell"}


def test_a_single_week_and_a_short_one_cannot_tell(wb):
    add(wb, "requests", week(0, "/a", 4))
    assert last(wb)["verdict"] == "cannot_tell" and verdicts(wb) == {"GET /a": "slow"}
    assert [one.severity for one in wb.run("weekly_review").findings] == ["cannot_tell"]


def test_rules_of_the_book_that_do_not_hold_are_a_section(wb):
    add(wb, "requests", week(0, "/a", 6))
    wb._database.execute(
        "INSERT INTO sources (source_id, path, sha256, kind, bytes, lines, log_lines, joined, duplicates, unread, blank)"
        " VALUES (1, 'dump.log', 'x', 'heroku_logs', 1, 480, 480, 0, 0, 0, 0)"
    )
    table = wb.run("weekly_review").table
    rules = table[table["scope"] == "rule"]
    assert dict(zip(rules["name"].str[:4], rules["verdict"], strict=True)) == {"4.02": "fail", "6.06": "warn"}
    assert list(rules["reason"]) == ["40.0 % of 480 requests", "0.70 by the router log"]
    assert rules["evidence"].iloc[0]["line"] == 1
    told = [one for one in wb.run("weekly_review").findings if "rules of the book" in one.title]
    assert [one.numbers for one in told] == [{"rules_failing": 1, "rules_warning": 1}]
    assert "4.02 Every request" in told[0].title and "6.06" in told[0].title
    assert "book_checks" in told[0].next_step
    add(wb, "requests", week(1, "/a", 9, hours=5))
    assert last(wb)["verdict"] == "cannot_tell" and verdicts(wb) == {"GET /a": "cannot_tell"}
