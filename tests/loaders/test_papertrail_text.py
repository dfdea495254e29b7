"""Times without year and zone: which year a line belongs to, what a zone does to it, and what is left of the line."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from workbook import Workbook
from workbook.loaders.papertrail_text import score

Load = Callable[..., Workbook]


def times(wb: Workbook) -> list[str]:
    return wb.sql("SELECT time::VARCHAR AS time FROM log_lines ORDER BY line")["time"].tolist()


def lines(*stamps: str) -> str:
    return "".join(f"{stamp} shop-prod app/web.1: line {number}\n" for number, stamp in enumerate(stamps))


def test_the_year_is_that_of_the_newest_line_and_rolls_over_at_new_year(load_text: Load) -> None:
    wb = load_text(
        lines("Dec 30 10:00:00", "Dec 31 23:59:59", "Jan 01 00:00:01", "Jan 02 10:00:00"), year=2014
    )
    assert times(wb) == [
        "2013-12-30 10:00:00",
        "2013-12-31 23:59:59",
        "2014-01-01 00:00:01",
        "2014-01-02 10:00:00",
    ]


def test_lines_out_of_order_at_new_year_keep_their_years(load_text: Load) -> None:
    wb = load_text(
        lines("Dec 31 23:59:58", "Jan  1 00:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01"), year=2014
    )
    assert [time[:4] for time in times(wb)] == ["2013", "2014", "2013", "2014"]


def test_a_first_line_of_january_before_lines_of_december(load_text: Load) -> None:
    wb = load_text(lines("Jan  1 00:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01"), year=2014)
    assert [time[:4] for time in times(wb)] == ["2014", "2013", "2014"]


def test_a_file_may_span_a_whole_year_and_be_newest_first(load_text: Load) -> None:
    months = ["Mar", "May", "Jul", "Sep", "Nov", "Jan", "Mar", "May"]
    years = ["2013"] * 5 + ["2014"] * 3
    wb = load_text(lines(*(f"{month} 05 01:02:03" for month in months)), name="up.log", year=2014)
    assert [time[:4] for time in times(wb)] == years
    with Workbook.open() as other:
        path = Path(wb.sources()["path"][0]).with_name("down.log")
        path.write_text(lines(*(f"{month} 05 01:02:03" for month in reversed(months))))
        assert other.load(path, year=2014).ok
        assert [time[:4] for time in times(other)] == years[::-1]


def test_a_leap_day_needs_a_leap_year(load_text: Load) -> None:
    wb = load_text(lines("Feb 28 10:00:00", "Feb 29 10:00:00", "Mar 01 10:00:00"), year=2013)
    assert wb.sql("SELECT line, reason FROM unread_lines").values.tolist() == [[2, "field time"]]
    assert wb.sources()["log_lines"].tolist() == [3]
    with Workbook.open() as other:
        assert other.load(wb.sources()["path"][0], year=2012).ok
        assert times(other)[1] == "2012-02-29 10:00:00"


def test_the_files_date_gives_the_year_when_none_is_given(wb: Workbook, tmp_path: Path) -> None:
    path = tmp_path / "papertrail.log"
    path.write_text(lines("Feb  4 17:46:52"))
    when = datetime(2016, 2, 5, tzinfo=UTC).timestamp()
    os.utime(path, (when, when))
    assert wb.load(path).ok
    assert times(wb) == ["2016-02-04 17:46:52"]
    assert "2016" in wb.sources()["zone"][0] and "UTC" in wb.sources()["zone"][0]


@pytest.mark.parametrize(
    "zone, utc",
    [
        ("UTC", "2013-07-20 08:00:04"),
        ("America/New_York", "2013-07-20 12:00:04"),
        ("Asia/Kolkata", "2013-07-20 02:30:04"),
        ("+02:00", "2013-07-20 06:00:04"),
        ("-03:30", "2013-07-20 11:30:04"),
        ("Z", "2013-07-20 08:00:04"),
    ],
)
def test_a_zone_is_a_name_or_an_offset(load_text: Load, zone: str, utc: str) -> None:
    wb = load_text(lines("Jul 20 08:00:04"), zone=zone, year=2013)
    assert times(wb) == [utc]
    assert zone in wb.sources()["zone"][0]


def test_a_zone_with_summer_time_is_ahead_by_month(load_text: Load) -> None:
    stamps = ("Jan 20 08:00:00", "Mar 10 02:30:00", "Jun 20 08:00:00", "Nov 03 01:30:00")
    wb = load_text(lines(*stamps), zone="America/New_York", year=2013)
    assert times(wb) == [
        "2013-01-20 13:00:00",
        "2013-03-10 07:30:00",
        "2013-06-20 12:00:00",
        "2013-11-03 06:30:00",
    ]


def test_the_command_line_prints_when_a_line_was_received_the_viewer_does_not_say(load_text: Load) -> None:
    wb = load_text("Jul 20 08:00:04 shop app/web.1: one\nJul 20 08:00:05 shop app/web.1 two\n", year=2013)
    rows = wb.sql("SELECT message, received_at = time AS received FROM log_lines ORDER BY line").astype(
        object
    )
    assert rows.where(rows.notna(), None).values.tolist() == [["one", True], ["two", None]]


@pytest.mark.parametrize(
    "rest, source, process, message",
    [
        ("app/web.1: a: b", "app", "web.1", "a: b"),
        ("app/web.1:", "app", "web.1", ""),
        ("app/web.1", "app", "web.1", ""),
        ("app/web.1:  two blanks", "app", "web.1", " two blanks"),
        ("heroku/router at=info path=/a", "heroku", "router", "at=info path=/a"),
        ("app/postgres.12345: [DATABASE]", "app", "postgres.12345", "[DATABASE]"),
        ("sshd: closed", None, "sshd", "closed"),
        (": no program", None, None, "no program"),
        ("no program here", None, None, "no program here"),
        ("/cart was slow", None, None, "/cart was slow"),
    ],
)
def test_what_follows_the_host(load_text: Load, rest: str, source: str, process: str, message: str) -> None:
    wb = load_text(lines("Jul 20 08:00:03") + f"Jul 20 08:00:04 shop-prod {rest}\n", year=2013)
    row = wb.sql("SELECT source, process, message FROM log_lines WHERE line = 2").astype(object)
    assert row.where(row.notna(), None).values.tolist() == [[source, process, message]]


def test_the_score_needs_a_program_of_heroku() -> None:
    assert score(["Feb  4 17:46:52 shop app/web.1: x", "Feb 04 17:46:52 shop heroku/router x"]) == 1
    assert score(["Feb  4 17:46:52 shop sshd[1]: x", "Feb  4 17:46:52 shop d.1 heroku[router] - x"]) == 0
    assert score(["Feb  4 17:46:52 shop app/web.1:"]) == 1
    assert score([]) == 0
