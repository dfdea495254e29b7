"""Windows and the times that a person types."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from workbook import Window, WorkbookError
from workbook.window import read_time


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("2013-06-09", datetime(2013, 6, 9)),
        ("2013-06-09 01:40", datetime(2013, 6, 9, 1, 40)),
        ("2013/6/9 1:40", datetime(2013, 6, 9, 1, 40)),
        ("2013-06-09T01:40:30.5Z", datetime(2013, 6, 9, 1, 40, 30, 500000)),
        ("2013-06-09 01:40 +0200", datetime(2013, 6, 8, 23, 40)),
        ("2013-06-09 01:40:00-07:00", datetime(2013, 6, 9, 8, 40)),
        (datetime(2013, 6, 9, 1, 40), datetime(2013, 6, 9, 1, 40)),
        (datetime(2013, 6, 9, 1, 40, tzinfo=UTC), datetime(2013, 6, 9, 1, 40)),
        (datetime(2013, 6, 9, 1, 40, tzinfo=timezone(timedelta(hours=2))), datetime(2013, 6, 8, 23, 40)),
    ],
)
def test_a_typed_time_is_utc(typed, read):
    assert read_time(typed) == read


@pytest.mark.parametrize("typed", ["", "yesterday", "2013-13-09", "2013-06-31", "01:40", "2013-06-09 25:00"])
def test_what_is_no_time_says_the_forms(typed):
    with pytest.raises(WorkbookError, match=r"is not a time.*Write it as 2013-06-09"):
        read_time(typed)


def test_a_window_ends_after_it_starts():
    with pytest.raises(WorkbookError, match="the start is not before the end"):
        Window("2013-06-09 02:10", "2013-06-09 01:40")
    with pytest.raises(WorkbookError, match="the start is not before the end"):
        Window("2013-06-09", "2013-06-09")


def test_a_window_prints_as_code():
    window = Window("2013-06-09 01:40", None)
    assert repr(window) == "Window('2013-06-09 01:40:00', None)"
    assert eval(repr(window)) == window
    assert str(Window()) == "all of the loaded time"
