"""The panel's table without a browser: sorted, filtered, paged, copied; what is missing stays last and meets no term."""

import pandas as pd
import pytest

from workbook.panel import grid


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "time": pd.to_datetime(["2026-03-11 14:00:01", None, "2026-03-11 15:00:00"]).as_unit("us"),
            "path": ["/Cart", "=cmd()", None],
            "status": pd.array([503, 200, None], dtype="Int64"),
            "service_ms": [30001.0, float("nan"), 12.5],
            "request_id": ["a", None, "c"],
            "evidence": [[{"source_id": 1, "line": 7}], [], None],
        }
    )


@pytest.mark.parametrize(
    ("find", "left"),
    [
        ("", [0, 1, 2]),
        ("cart", [0]),
        ("503", [0]),
        ("status=200", [1]),
        ("service_ms>12", [0, 2]),
        ("service_ms<=12.5", [2]),
        ("path=/cart", [0]),
        ("time>2026-03-11T14:30", [2]),
        ("2026-03-11 15:00", [2]),
        ("1:7", [0]),
        ("c request_id=c", [2]),
        ("nosuch=1", []),
        ("status>x", []),
    ],
)
def test_a_filter_keeps_what_meets_every_term(frame, find, left):
    assert list(grid.matching(frame, find).index) == left


@pytest.mark.parametrize("name", ["time", "path", "status", "service_ms", "request_id", "evidence"])
@pytest.mark.parametrize("up", [True, False])
def test_what_is_missing_stays_last_either_way(frame, name, up):
    ordered = grid.in_order(frame, list(frame.columns).index(name), up)[name]
    missing = ordered.isna().tolist()
    assert missing == sorted(missing) and len(ordered) == 3


def test_a_head_sorts_numbers_from_the_largest_then_the_other_way(frame):
    shown = grid.Grid(lambda *_: None)
    shown.frame = frame
    for first in ("30,001", "12.5"):
        shown.wish({"sort": 3})
        assert shown.shown["rows"][0][3][0] == first and shown.shown["rows"][2][3][0] == "–"


def test_pages_of_thousands_of_rows_and_the_page_past_the_end():
    shown = grid.Grid(lambda *_: None)
    shown.frame = pd.DataFrame({"number": range(4_321)})
    assert shown.shown["said"] == "1–50 of 4,321 rows" and len(shown.shown["rows"]) == 50
    shown.wish({"page": 10_000})
    assert shown.shown["said"] == "4,301–4,321 of 4,321 rows"
    shown.wish({"find": "number>4300"})
    assert shown.shown["page"] == 0 and shown.shown["said"] == "20 rows that match, of 4,321"
    shown.frame = pd.DataFrame({"number": [4_301]})
    assert shown.shown["find"] == "number>4300" and shown.shown["matched"] == 1, (
        "a filter outlives a new window"
    )
    shown.frame = pd.DataFrame({"other": [1]})
    assert shown.shown["find"] == ""
    shown.frame = pd.DataFrame()
    assert shown.shown["said"] == "No rows."


def test_a_value_opens_what_it_names_on_the_page_that_is_shown(frame):
    opened = []
    shown = grid.Grid(lambda *what: opened.append(what))
    shown.frame = frame
    shown.wish({"sort": 3})
    shown.wish({"open": [1, 4]})
    shown.wish({"open": [2, 4]})
    shown.wish({"open": [0, 1]})
    assert opened == [("request", "c")], "the missing id and the path open nothing"
    assert [cell[2] for cell in shown.shown["rows"][0]] == [False, False, False, False, True, False]


def test_the_filtered_rows_are_copied_as_csv_with_formulas_disarmed(frame, monkeypatch):
    shown = grid.Grid(lambda *_: None)
    shown.frame = frame.drop(columns=["evidence", "time"])
    sent = []
    monkeypatch.setattr(shown, "send", lambda message: sent.append(message))
    shown.wish({"find": "status=200"})
    shown.wish({"copy": True})
    assert sent == [{"csv": "path,status,service_ms,request_id\n'=cmd(),200,,\n", "said": "Copied 1 row."}]
