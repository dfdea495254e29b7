"""Answers of New Relic in every wrapping: the same rows as the CSV of the same query, and what cannot be told is not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbook import Workbook
from workbook.loaders import Context, json_document
from workbook.loaders.new_relic_json import read, score

CONTEXT = Context("answer.json")
EVENTS = [
    {"timestamp": 1500000000123, "name": "WebTransaction/Go/items", "duration": 0.012, "appName": "shop", "error": False},
    {"timestamp": 1500000001000, "name": "WebTransaction/Go/\"é\", x\ny", "duration": 2.5, "appName": "shop",
     "response.status": "500", "error": True, "databaseDuration": 1.25, "queueDuration": None},
]  # fmt: skip
NRQL = {"data": {"actor": {"account": {"nrql": {"results": EVENTS}}}}}
WRAPPINGS = {
    "Insights": json.dumps({"results": [{"events": EVENTS}], "performanceStats": {}, "metadata": {}}),
    "Insights on many lines": json.dumps({"results": [{"events": EVENTS}]}, indent=2),
    "NerdGraph": json.dumps(NRQL),
    "NerdGraph with the query's own name": json.dumps({"data": {"actor": {"account": {"slow": {"results": EVENTS}}}}}),
    "only the results": json.dumps({"results": EVENTS}),
    "an array": json.dumps(EVENTS, indent=1),
    "one a line": "\n".join(map(json.dumps, EVENTS)),
    "two answers": "\n".join(json.dumps({"results": [{"events": [event]}]}) for event in EVENTS),
}  # fmt: skip


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_wrapping_gives_the_same_transactions(
    load_text: Callable[..., Workbook], wrapping: str
) -> None:
    wb = load_text(gzip.compress(WRAPPINGS[wrapping].encode()), name="export.json.gz")
    assert wb.sources()["kind"].tolist() == ["new_relic_json"]
    found = wb.sql(
        "SELECT line, time::VARCHAR, name, duration_ms, database_ms, queue_ms, error, status FROM transaction_samples ORDER BY line"
    ).astype(object)
    assert found.where(found.notna(), None).values.tolist() == [
        [1, "2017-07-14 02:40:00.123", "WebTransaction/Go/items", 12.0, None, None, False, None],
        [2, "2017-07-14 02:40:01", "WebTransaction/Go/\"é\", x\ny", 2500.0, 1250.0, None, True, 500],
    ]  # fmt: skip
    assert wb.sources()["unread"].tolist() == [0]


def breakdown(answer: Any) -> list[tuple[Any, ...]]:
    reading = read([json.dumps(answer)], CONTEXT)
    frame = reading.tables["response_breakdown"]
    return [(None if row.time is None or row.time != row.time else str(row.time), row.component, row.value_ms)
            for row in frame.itertuples()]  # fmt: skip


BUCKET = {"beginTimeSeconds": 1500000000, "endTimeSeconds": 1500000060}


def test_a_facet_over_time_in_insights_and_in_nerdgraph() -> None:
    contents = {"contents": [{"function": "average", "attribute": "duration"}]}
    insights = {
        "facets": [{"name": host, "timeSeries": [{**BUCKET, "results": [{"average": value}]}], "total": {}}
                   for host, value in (("web.1", 0.1), ("web.2", 0.2))],
        "metadata": {"facet": "host", "timeSeries": contents},
    }  # fmt: skip
    nerdgraph = {"results": [{**BUCKET, "facet": host, "host": host, "average.duration": value}
                             for host, value in (("web.1", 0.1), ("web.2", 0.2))]}  # fmt: skip
    expected = [("2017-07-14 02:40:00", "web.1", 100.0), ("2017-07-14 02:40:00", "web.2", 200.0)]
    assert breakdown(insights) == breakdown(nerdgraph) == expected


def test_percentiles_of_nerdgraph_and_several_facets() -> None:
    row = {**BUCKET, "facet": ["shop", "web.1"], "percentile.duration": {"50": 0.1, "95": 1.5}}
    assert breakdown({"results": [row]}) == [
        ("2017-07-14 02:40:00", "shop / web.1: percentile(duration, 50)", 100.0),
        ("2017-07-14 02:40:00", "shop / web.1: percentile(duration, 95)", 1500.0),
    ]


def test_a_facet_of_another_attribute_has_no_time() -> None:
    assert breakdown({"results": [{"facet": "web.1", "host": "web.1", "average.duration": 0.1}]}) == [
        (None, "web.1", 100.0)
    ]


def test_facets_of_nerdgraph_by_name_become_transactions() -> None:
    row = {"facet": "Go/items", "name": "Go/items", "average.duration": 0.1, "average.databaseDuration": 0.05, "count": 7,
           "apdex.duration": {"score": 0.9, "s": 6, "t": 1, "f": 0, "count": 7}, "max.duration": 1.5}  # fmt: skip
    reading = read([json.dumps({"results": [row]})], CONTEXT)
    found = reading.tables["transactions"].iloc[0]
    assert [found[name] for name in ("line", "name", "avg_ms", "calls", "apdex", "max_ms")] == [
        1, "Go/items", pytest.approx(100.0), 7, 0.9, 1500.0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [
        {
            "results": [{"average": 0.2}],
            "metadata": {"contents": [{"function": "average", "attribute": "duration"}]},
        },
        {"timeSeries": [{**BUCKET, "results": [{"average": 0.2}]}]},
        {"facets": [{"name": "web.1", "results": [{"max": 3}]}], "metadata": {"facet": "host"}},
        {"results": [{**BUCKET, "my own name": 3}]},
        {"results": [{"timestamp": 1500000000000, "country": "NZ"}]},
        {"results": [1, None, "x"]},
    ],
)
def test_what_has_no_place_or_no_unit_is_unread_and_never_guessed(answer: dict[str, Any]) -> None:
    reading = read([json.dumps(answer)], CONTEXT)
    assert not reading.tables
    assert len(reading.unread) == reading.lines or (reading.lines is None and len(reading.unread) == 1)


def test_a_value_that_is_no_time_or_has_an_own_name_is_not_read_as_one() -> None:
    row = {
        **BUCKET,
        "average.duration": 0.2,
        "average.databaseCallCount": 7,
        "uniqueCount.session": 9,
        "own": 3,
    }
    reading = read([json.dumps({"results": [row]})], CONTEXT)
    assert reading.tables["response_breakdown"]["component"].tolist() == ["average(duration)"]
    said = "; ".join(reading.notes)
    assert all(name in said for name in ("average(databaseCallCount)", "uniqueCount(session)", "own"))


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.8, 0.97])
@pytest.mark.parametrize("wrapping", ["Insights", "NerdGraph", "Insights on many lines", "an array"])
def test_of_an_answer_that_is_cut_off_whole_events_are_kept(wrapping: str, keep: float) -> None:
    many = [{**EVENTS[0], "timestamp": 1500000000000 + number} for number in range(20)]
    text = {"Insights": json.dumps({"results": [{"events": many}]}), "an array": json.dumps(many),
            "NerdGraph": json.dumps({"data": {"actor": {"account": {"nrql": {"results": many}}}}}),
            "Insights on many lines": json.dumps({"results": [{"events": many}]}, indent=1)}[wrapping]  # fmt: skip
    cut = text[: int(len(text) * keep)]
    reading = read(cut.split("\n"), CONTEXT)
    whole = sum(cut.count("}") > number for number in range(20))
    assert len(reading.tables["transaction_samples"]) == whole > 0
    ((line, reason, rest),) = reading.unread
    assert line == whole + 1 and "cut off" in reason and cut.endswith(rest)
    assert reading.lines == whole + 1


def test_the_metric_data_of_two_metrics_and_a_time_that_cannot_be_read() -> None:
    def part(begin: str, **values: object) -> dict[str, Any]:
        return {"from": begin, "to": begin, "values": values}

    answer = {"metric_data": {"metrics": [
        {"name": "Datastore/all", "timeslices": [part("2014-05-06T07:00:00+00:00", average_response_time=12)]},
        {"name": "HttpDispatcher", "timeslices": [part("yesterday", average_response_time=100, requests_per_minute=60),
                                                  part("2014-05-06T09:00:00+02:00", call_count=4)]},
    ]}}  # fmt: skip
    assert breakdown(answer) == [
        ("2014-05-06 07:00:00", "Datastore/all", 12.0),
        (None, "HttpDispatcher", 100.0),
        (None, "throughput_rpm", 60.0),
    ]
    reading = read([json.dumps(answer)], CONTEXT)
    assert [(line, reason) for line, reason, _ in reading.unread] == [
        (2, "field time"), (3, "a metric without a response time"),
    ]  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["Go/items", "duration"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["results", "events", "facets", "timeSeries", "metadata", "contents", "data", "nrql", "timestamp", "duration", "name",
         "average.duration", "percentile.duration", "average", "count", "facet", "beginTimeSeconds", "endTimeSeconds",
         "metric_data", "metrics", "timeslices", "from", "values", "average_response_time", "function", "attribute",
         "percentiles", "eventType", "max(duration)", "\ud800"]), inner, max_size=5),
    max_leaves=14,
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        JSON.map(json.dumps) | JSON.map(lambda value: json.dumps(value, indent=1)[:-1]),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_an_answer_holds_its_rows_add_up(pieces: list[str]) -> None:
    lines = "\n".join(pieces).split("\n")
    assert 0 <= score(lines) <= 1
    reading = read(lines, CONTEXT)
    rows = {int(line) for table in reading.tables.values() for line in table["line"]}
    whole = [line for line, reason, _ in reading.unread if not reason.startswith("field ")]
    assert len(whole) == len(set(whole)) and not rows & set(whole)
    expected = reading.lines if reading.lines is not None else len([line for line in lines if line.strip()])
    assert len(rows) + len(whole) + reading.joined == expected
    for _, _, text in reading.unread:
        text.encode()


def test_the_score_leaves_other_stores_alone() -> None:
    assert all(score(text.split("\n")) >= 0.9 for text in WRAPPINGS.values())
    for other in (
        "{}",
        "[]",
        "{",
        '{"results":[]}',
        "a,b",
        '{"events":[{"message":"x"}]}',
        '{"timestamp":1,"duration":2}',
    ):
        assert score([other]) == 0


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_long_answer_is_known_by_its_beginning(wrapping: str) -> None:
    text = WRAPPINGS[wrapping].replace("shop", "s" * 300_000, 2).replace("s" * 300_000, "shop", 1)
    assert score([text[:250_000]]) >= 0.9


def test_a_long_answer_of_log_events_is_a_log() -> None:
    events = [{"timestamp": 1500000000000, "message": "heroku[router]: at=info"}, {"message": "x" * 300_000}]
    text = json.dumps({"results": [{"events": events}], "performanceStats": {}})[:250_000]
    assert json_document.score([text]) > score([text])
