"""Events in JSON in every wrapping that occurs, and documents that were cut, damaged or made to harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbook import Workbook
from workbook.errors import LoadError
from workbook.loaders import Context
from workbook.loaders.json_document import read, score

CONTEXT = Context("events.json")
EVENTS = [
    {"id": 1, "received_at": "2017-03-04T06:06:08+01:00", "program": "heroku/router", "message": "at=info"},
    {"id": 1, "received_at": "2017-03-04T05:06:09Z", "program": "app/web.1", "message": 'say "hi"\n'},
    {"id": "3", "received_at": "2017-03-04T05:06:10Z", "program": None, "message": ""},
]  # fmt: skip
PAGE = {"events": EVENTS, "min_id": "1", "max_id": "3", "reached_end": True}
WRAPPINGS = {
    "one a line": "\n".join(map(json.dumps, EVENTS)),
    "a page": json.dumps(PAGE),
    "two pages": json.dumps({**PAGE, "events": EVENTS[:1]}) + "\n" + json.dumps({**PAGE, "events": EVENTS[1:]}),
    "a page on many lines": json.dumps(PAGE, indent=2),
    "two pages on many lines": json.dumps({**PAGE, "events": EVENTS[:1]}, indent=2)
    + "\n" + json.dumps({**PAGE, "events": EVENTS[1:]}, indent=2),
    "an array": json.dumps(EVENTS),
    "an array on many lines": "[\n" + ",\n".join(map(json.dumps, EVENTS)) + "\n]",
    "an array of pages": json.dumps([PAGE]),
    "events on many lines": "\n".join(json.dumps(event, indent=1) for event in EVENTS),
    "events with nothing between": "".join(map(json.dumps, EVENTS)),
    "logs of an API": json.dumps({"logs": EVENTS, "pageInfo": {"prevPage": "", "nextPage": ""}}, indent=2),
    "a webhook as an object": json.dumps({"payload": json.dumps(PAGE)}),
    "a webhook after another field": "token=x&" + urlencode({"payload": json.dumps(PAGE)}),
    "hits of a search": json.dumps({"took": 3, "hits": {"total": 3, "hits": [{"_source": one} for one in EVENTS]}}),
    "a webhook": urlencode({"payload": json.dumps({**PAGE, "saved_search": {"id": 7}})}),
    "a webhook, decoded": "payload=" + json.dumps({**PAGE, "saved_search": {"id": 7}}),
}  # fmt: skip


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_wrapping_gives_the_same_events(load_text: Callable[..., Workbook], wrapping: str) -> None:
    wb = load_text(WRAPPINGS[wrapping] + "\n\n", name="events.json")
    rows = wb.sql(
        "SELECT line, time::VARCHAR AS time, source, process, message FROM log_lines ORDER BY line"
    ).astype(object)
    assert rows.where(rows.notna(), None).values.tolist() == [
        [1, "2017-03-04 05:06:08", "heroku", "router", "at=info"],
        [2, "2017-03-04 05:06:09", "app", "web.1", 'say "hi"'],
        [3, "2017-03-04 05:06:10", None, None, ""],
    ]
    source = wb.sources().iloc[0]
    one_a_line = wrapping == "one a line"
    kind = "json_lines" if one_a_line else "json_document"
    assert (source["kind"], source["lines"], source["log_lines"]) == (kind, 3 + one_a_line, 3)
    assert source["lines"] == source[["log_lines", "joined", "duplicates", "unread", "blank"]].sum()


@pytest.mark.parametrize("keep", [0.1, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize(
    "wrapping",
    [
        "a page",
        "a page on many lines",
        "an array",
        "an array on many lines",
        "logs of an API",
        "a webhook, decoded",
    ],
)
def test_of_a_document_that_was_cut_every_whole_event_is_kept(wrapping: str, keep: float) -> None:
    text = WRAPPINGS[wrapping][: int(len(WRAPPINGS[wrapping]) * keep)]
    whole = sum(text.count(f'"received_at": "{event["received_at"]}"') and
                text.partition(str(event["received_at"]))[2].count("}") > 0 for event in EVENTS)  # fmt: skip
    reading = read(["", *text.split("\n")], CONTEXT)
    assert len(reading.tables["log_lines"]) == whole
    ((line, reason, rest),) = reading.unread
    assert ("cut off" in reason or "not JSON" in reason) and line == whole + 1 + (
        whole == 0 and reading.lines is None
    )
    assert text.endswith(rest)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_webhook_that_was_cut_keeps_its_whole_events(keep: float) -> None:
    text = WRAPPINGS["a webhook"][: int(len(WRAPPINGS["a webhook"]) * keep)]
    reading = read([text], CONTEXT)
    assert len(reading.tables["log_lines"]) == text.count("%7D")
    assert len(reading.unread) == 1


def test_a_document_damaged_in_its_middle_keeps_what_stands_before(
    load_text: Callable[..., Workbook],
) -> None:
    first, second, third = map(json.dumps, EVENTS)
    wb = load_text(f'{{"events": [{first}, {second[:-9]}, {third}], "min_id": "1"}}\n', name="events.json")
    assert wb.sql("SELECT line, message FROM log_lines").values.tolist() == [[1, "at=info"]]
    unread = wb.sql("SELECT line, text FROM unread_lines").values.tolist()
    assert [line for line, _ in unread] == [2] and unread[0][1].startswith(second[:-9])


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_of_one_event_a_line_only_the_cut_line_is_lost(keep: float) -> None:
    last = json.dumps(EVENTS[1])
    reading = read([json.dumps(EVENTS[0]), last[: int(len(last) * keep)]], CONTEXT)
    assert reading.tables["log_lines"]["line"].tolist() == [1]
    assert [(line, reason[:8]) for line, reason, _ in reading.unread] == [(2, "not JSON")]
    assert reading.lines is None and reading.joined == 0


def test_a_line_cut_in_the_middle_of_a_file_does_not_take_the_next_with_it() -> None:
    reading = read(["{", json.dumps(EVENTS[0]), '{"id": "1",', json.dumps(EVENTS[1]), "{"], CONTEXT)
    assert reading.tables["log_lines"]["line"].tolist() == [2, 4]
    assert [line for line, *_ in reading.unread] == [1, 3, 5]


def test_times_fall_back_and_what_cannot_be_read_is_named() -> None:
    events = [
        {
            "generated_at": "2017-03-04T05:06:07.123456789Z",
            "received_at": "2017-03-04T05:06:09",
            "message": "a",
        },
        {"generated_at": None, "received_at": "2017-03-04 05:06:09", "message": "b"},
        {"time": "2017-03-04T05:06:09.5-05:00", "message": "c"},
        {"generated_at": "now", "received_at": "2017-03-04T05:06:09Z", "message": "d"},
        {"received_at": 1488603967, "message": "e"},
        {"received_at": "2017-02-30T05:06:09Z", "message": "f"},
        {"message": "g"},
        {"received_at": "today", "message": "h"},
        {"received_at": {"at": "2017-03-04T05:06:09Z"}, "message": "i"},
        {"time": "2017-03-04", "message": "j"},
        {"message": None, "time": "2017-03-04T05:06:09Z"},
    ]
    reading = read([json.dumps(event) for event in events], CONTEXT)
    frame = reading.tables["log_lines"]
    assert [None if time != time else str(time) for time in frame["time"]] == [
        "2017-03-04 05:06:07.123456", "2017-03-04 05:06:09", "2017-03-04 10:06:09.500000", "2017-03-04 05:06:09",
        "2017-03-04 05:06:07", None, None, None, None, None,
    ]  # fmt: skip
    assert str(frame["received_at"][0]) == "2017-03-04 05:06:09" and frame["received_at"].isna()[2]
    assert sorted((line, reason) for line, reason, _ in reading.unread) == [
        (4, "field generated_at"), (6, "field received_at"), (7, "field time"),
        (8, "field received_at"), (9, "field received_at"), (10, "field time"), (11, "an event without a message"),
    ]  # fmt: skip


def test_half_a_surrogate_colours_and_a_message_that_is_no_text_can_be_stored(
    load_text: Callable[..., Workbook],
) -> None:
    wb = load_text(
        '{"received_at":"2017-03-04T05:06:08Z","program":"app/web.1","message":"\\ud83d \\u001b[31mred\\u001b[0m é"}\n'
        '{"received_at":"2017-03-04T05:06:09Z","program":"app/web.1","message":{"level":"info"}}\n'
        '{"received_at":"2017-03-04T05:06:10Z","program":7,"message":"x"}\n'
    )
    rows = wb.sql("SELECT process, message FROM log_lines ORDER BY line").values.tolist()
    assert rows == [["web.1", "? red é"], ["web.1", '{"level":"info"}'], ["7", "x"]]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"message": ' + "9" * 10_000 + "}",
        '{"events": [1, null, "x", []]}',
        "{}",
        "[]",
        "{",
    ],
)
def test_hostile_documents_are_refused_or_accounted_for(text: str) -> None:
    try:
        reading = read([text], CONTEXT)
    except LoadError as error:
        assert error.line == 1
        return
    whole = [reason for _, reason, _ in reading.unread if not reason.startswith("field ")]
    assert len(reading.tables["log_lines"]) + reading.joined + len(whole) == (
        reading.lines or (text != "[]") or 1
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["events", "logs", "message", "received_at", "time", "generated_at", "program", "x"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
PIECES = st.one_of(
    JSON.map(json.dumps),
    JSON.map(lambda value: json.dumps(value, indent=1)),
    JSON.map(lambda value: json.dumps(value)[:-1]),
    st.sampled_from(
        ["", " ", "payload=", "payload=%7B", "}", "{", "[", ",", '"', json.dumps(EVENTS[0]), json.dumps(PAGE)]
    ),
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=6))
def test_whatever_stands_in_a_file_is_counted_once(pieces: list[str]) -> None:
    lines = "\n".join(pieces).split("\n")
    try:
        reading = read(lines, CONTEXT)
    except LoadError as error:
        assert error.line is not None and 1 <= error.line <= len(lines)
        return
    frame = reading.tables["log_lines"]
    whole = [line for line, reason, _ in reading.unread if not reason.startswith("field ")]
    blank = sum(not line.strip() for line in lines)
    expected = len(lines) - blank if reading.lines is None else reading.lines
    assert len(frame) + reading.joined + len(whole) == expected
    numbers = [*frame["line"], *whole]
    assert len(set(numbers)) == len(numbers), "no two records have one number"
    assert all(1 <= number <= max(len(lines), reading.lines or 0) for number in numbers)


def test_the_score_needs_an_event_or_a_page() -> None:
    for name, text in WRAPPINGS.items():
        assert score(text.split("\n")) >= (0.5 if name.startswith(("one a line", "events")) else 0.9)
    for other in (
        '{"results":[{"events":[{"duration":1}]}]}',
        '{"message":"x"}',
        "[1, 2]",
        "{",
        "payload=1",
        "a,b",
    ):
        assert score([other]) == 0
    assert score([]) == 0


def test_a_log_line_that_carries_an_event_is_no_event(load_text: Callable[..., Workbook]) -> None:
    carried: dict[str, Any] = EVENTS[0]
    wb = load_text(f"2017-03-04T05:06:07+00:00 app[web.1]: {json.dumps(carried)}\n")
    assert wb.sources()["kind"].tolist() == ["heroku_logs"]
