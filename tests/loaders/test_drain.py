"""Frames of a drain: where each ends, whatever the counts say, and what is left of every variant of its head."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbook import Workbook
from workbook.loaders.drain import prepare, score

TIME = "2023-03-04T05:06:07.080910+00:00"
MESSAGES = st.text(
    st.characters(exclude_characters="\n\r\x01\x1b", exclude_categories=("Cs",)), max_size=40
) | st.sampled_from(["bytes=12", f"got 63 <190>1 {TIME} host app web.9 - quoted", "7", "", ">1 >1 >1", "é 1"])


def frame(message: str, *, off: int = 0, process: str = "web.1") -> str:
    """One frame of an HTTPS body, its count wrong by ``off`` bytes."""
    rest = f"<190>1 {TIME} host app {process} - {message}"
    return f"{len(rest.encode()) + off} {rest}"


@given(st.lists(st.tuples(MESSAGES, st.booleans()), min_size=1, max_size=8))
def test_right_counts_give_every_frame_back(frames: list[tuple[str, bool]]) -> None:
    """With or without the newline that a count includes, and whatever a message holds."""
    body = "".join(frame(message, off=1) + "\n" if newline else frame(message) for message, newline in frames)
    whole = [frame(message, off=int(newline)) for message, newline in frames]
    assert prepare(body).removesuffix("\n").split("\n") == whole


@given(
    st.lists(st.sampled_from(["one.", "two three", "é", "Error L10 -> gone."]), min_size=2, max_size=6),
    st.integers(-9, 9),
)
def test_wrong_counts_fall_back_to_what_looks_like_a_frame(messages: list[str], off: int) -> None:
    whole = [frame(message, off=off) for message in messages]
    assert prepare("".join(whole)).split("\n") == whole


@given(st.text(st.sampled_from("1 <>905-é\n20234 host app"), max_size=200) | st.text(max_size=50))
def test_only_newlines_are_ever_added(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert prepare(text).replace("\n", "") == text.replace("\n", "")


@pytest.mark.parametrize(
    "text",
    [
        f"<190>1 {TIME} host app web.1 - a body without counts quotes 12 <190>1 {TIME} host app web.1 - x",
        f"05 Jan 2020 09:08:07.654321 <158>1 {TIME} heroku router - - quotes 12 <158>1 {TIME} heroku router - - x",
        f"2014-05-02T11:20:30+00:00 app[web.1]: 12 <190>1 {TIME} x 12 <190>1 {TIME} y",
        f"  a message that goes on 12 <190>1 {TIME} x 12 <190>1 {TIME} y",
        "",
    ],
)
def test_a_line_that_does_not_begin_with_a_counted_frame_stays_whole(text: str) -> None:
    assert prepare(text) == text


def test_a_long_body_on_one_line_is_split_in_linear_work() -> None:
    """Twenty thousand frames with counts that never fit: each looks at its neighbours only."""
    whole = [frame(f"line {number}.", off=5_000_000) for number in range(20_000)]
    assert prepare("".join(whole)).split("\n") == whole


def test_frames_of_one_line_have_lines_of_their_own(load_text: Callable[..., Workbook]) -> None:
    wb = load_text(frame("one") + frame("two", process="web.2") + frame("three\n") + frame("four\n"))
    rows = wb.sql("SELECT line, process, message FROM log_lines ORDER BY line")
    assert rows.values.tolist() == [
        [1, "web.1", "one"], [2, "web.2", "two"], [3, "web.1", "three"], [4, "web.1", "four"],
    ]  # fmt: skip
    source = wb.sources().iloc[0]
    assert (source["kind"], source["lines"], source["log_lines"]) == ("drain", 4, 4)
    assert "frames" in source["notes"]


def test_heads_of_every_variant_lead_to_the_same_row(load_text: Callable[..., Workbook]) -> None:
    """Built from the parts that a head may have or lack, not from the examples of the reader."""
    token = "d.00000000-aaaa-bbbb-cccc-000000000000"
    fronts = ["<158>1 ", "312 <158>1 ", "05 Jan 2020 09:08:07.654321 <158>1 ", "198 1 ", "1 ", "1581 ", ""]
    heads = [f"{{}} {token} heroku router - - ", f"{{}} {token} heroku router - ", "{} heroku router - - "]
    heads += [f"{{}} heroku router {token} - ", "{} host heroku router - "]
    times = [
        "2016-03-04T05:06:07.080910+00:00",
        "2016-03-04 05:06:07.08091+00:00",
        "2016-03-04T06:36:07.08091+01:30",
    ]
    lines = [
        front + head.format(time) + f"at=info n={number}"
        for number, (front, head, time) in enumerate(
            (front, head, time) for front in fronts for head in heads for time in times
        )
    ]
    wb = load_text("\n".join(lines))
    rows = wb.sql(
        "SELECT DISTINCT time, source, process, split_part(message, 'n=', 1) AS start FROM log_lines"
    )
    assert rows.astype(str).values.tolist() == [
        ["2016-03-04 05:06:07.080910", "heroku", "router", "at=info "]
    ]
    assert wb.sources()["log_lines"][0] == len(lines)


def test_what_is_requested_by_labs_in_2013_keeps_its_router_line(load_text: Callable[..., Workbook]) -> None:
    """Spring 2013: request_id together with queue and wait."""
    wb = load_text(
        "<158>1 2013-04-05T06:07:08+00:00 d.00000000-aaaa-bbbb-cccc-000000000000 heroku router - at=info method=GET path=/a"
        " host=shop.example.com request_id=0123456789abcdef0123456789abcdef fwd=192.0.2.9 dyno=web.1 queue=0 wait=0ms"
        " connect=1ms service=9ms status=200 bytes=12\n"
    )
    row = wb.sql("SELECT request_id, queue, wait_ms, service_ms FROM requests").iloc[0].tolist()
    assert row == ["0123456789abcdef0123456789abcdef", 0, 0, 9]


def test_a_programs_own_log_is_no_drain() -> None:
    assert score(["2016-03-04 05:06:07.080910+00:00 INFO main - - started"] * 5) == 0
    assert score([f"<190>1 {TIME} host app web.1 - x", "loose"]) == 0.5
    assert score([]) == 0
