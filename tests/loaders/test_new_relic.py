"""New Relic's exports: the book's table, every trap of tables that people copy, units, times without a zone, hostile text."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbook.errors import LoadError
from workbook.loaders import (
    Context,
    Reading,
    _cells,
    command_output,
    heroku_ps,
    new_relic_events,
    new_relic_series,
    new_relic_table,
)

BOOK = (
    "Transaction\tApdex\tCount\tAvg (ms)\tSD (ms)\tMin (ms)\tMax (ms)\tTotal (ms)\tTotal (% time)\tDissat (%)\n"
    "All web transactions\t0.950.5\t220,559\t169\t657\t0.6\t20,500\t37,200,000\t100.0\t100.0\n"
    "HealthController#index\t0.860.5\t30,466\t413\t1,110\t1.8\t20,200\t12,599,999\t33.8\t40.3\n"
    "SidebarController#status\t1.000.5\t163,192\t46.9\t140\t1.9\t12,800\t7,660,000\t20.6\t04.2\n"
    "TicketsController#show\t0.430.5\t3,334\t1,900\t2,080\t4.7\t19,600\t6,350,000\t17.1\t17.6\n"
    "SearchesController#index\t0.780.5\t8,515\t496\t892\t7.1\t15,200\t4,220,000\t11.3\t17.3\n"
    "SearchesController#show\t0.500.5\t2,068\t1,150\t525\t6.7\t10,000\t2,380,000\t06.4\t09.6\n"
    "TicketsController#create\t0.010.5\t344\t4,750\t2,120\t9.1\t20,500\t1,630,000\t04.4\t03.2\n"
    "TicketsController#update\t0.490.5\t542\t1,440\t2,240\t5.9\t17,100\t783,000\t02.1\t02.5\n"
    "CallbacksController#tickets\t0.360.5\t414\t1,800\t924\t563\t10,600\t745,000\t02.0\t02.4\n"
    "TicketsController#new\t0.710.5\t626\t764\t934\t5.6\t12,700\t479,000\t01.3\t01.7\n"
)


def read(module: ModuleType, text: str, zone: str = "UTC") -> Reading:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    reading: Reading = module.read(lines, Context("export.csv", zone))
    assert_balanced(reading, lines)
    return reading


def assert_balanced(reading: Reading, lines: list[str]) -> None:
    """Each physical line is a row, joined, unread or blank, and no line is two of them."""
    with_rows = {int(line) for table in reading.tables.values() for line in table["line"]}
    unread = [line for line, reason, _ in reading.unread if not reason.startswith("field ")]
    assert len(unread) == len(set(unread)) and not with_rows & set(unread)
    blank = sum(not line.strip() for line in lines)
    assert len(lines) == len(with_rows) + reading.joined + len(unread) + blank
    assert all(text == lines[line - 1] for line, _, text in reading.unread)


def transactions(text: str) -> pd.DataFrame:
    return read(new_relic_table, text).tables["transactions"]


# the table of transactions


def test_the_books_table_gives_all_ten_rows() -> None:
    reading = read(new_relic_table, BOOK)
    table = reading.tables["transactions"]
    assert reading.unread == [] and reading.joined == 1
    assert table["calls"].tolist() == [220559, 30466, 163192, 3334, 8515, 2068, 344, 542, 414, 626]
    assert table["max_ms"].tolist() == [20500, 20200, 12800, 19600, 15200, 10000, 20500, 17100, 10600, 12700]
    assert table["apdex"].tolist() == [0.95, 0.86, 1.0, 0.43, 0.78, 0.5, 0.01, 0.49, 0.36, 0.71]
    assert set(table["apdex_t"]) == {0.5}
    assert table["share"].tolist() == [1.0, 0.338, 0.206, 0.171, 0.113, 0.064, 0.044, 0.021, 0.02, 0.013]
    assert table["is_total"].tolist() == [True] + [False] * 9
    assert table.loc[~table["is_total"], "total_ms"].sum() == 36_846_999


def test_thousands_without_quotation_marks_are_told_apart_where_the_arithmetic_allows_one_way() -> None:
    reading = read(new_relic_table, BOOK.replace("\t", ","))
    assert reading.tables["transactions"].equals(transactions(BOOK))
    assert any("told apart" in note for note in reading.notes)


def test_thousands_that_cannot_be_told_apart_leave_the_line_unread() -> None:
    reading = read(new_relic_table, "Transaction,Apdex,Count,Max (ms)\na#b,0.95,1,234,5,678\nc#d,0.95,7,80\n")
    assert [(line, reason.split(" (")[0]) for line, reason, _ in reading.unread] == [
        (2, "more cells than headers")
    ]
    assert reading.tables["transactions"]["name"].tolist() == ["c#d"]


@pytest.mark.parametrize(
    "cells, apdex, threshold",
    [
        (["0.950.5"], 0.95, 0.5),
        (["1.001.0", "0.930.5"], 1.0, 1.0),
        (["0.952", "0.930.5"], 0.95, 2.0),
        (["0.952"], 0.952, None),
        (["0.95"], 0.95, None),
        (["0.95 [0.5]"], 0.95, 0.5),
        (["1"], 1.0, None),
        (["-"], None, None),
    ],
)
def test_an_apdex_cell_holds_score_and_threshold(
    cells: list[str], apdex: float | None, threshold: float | None
) -> None:
    table = transactions(
        "Transaction\tApdex\tCount\n" + "".join(f"a#{n}\t{cell}\t5\n" for n, cell in enumerate(cells))
    )
    found = [None if pd.isna(value) else value for value in table.iloc[0][["apdex", "apdex_t"]]]
    assert found == [apdex, threshold]


@pytest.mark.parametrize(
    "column, cell",
    [("calls", "many"), ("calls", "1.5"), ("calls", "-3"), ("calls", "9" * 30), ("avg_ms", "1,23"), ("avg_ms", "1.110,5"),
     ("apdex", "1.95"), ("apdex", "good"), ("share", "130"), ("share", "x%")],
)  # fmt: skip
def test_a_cell_that_cannot_be_read_is_missing_and_its_row_stays(column: str, cell: str) -> None:
    place = {"apdex": 1, "calls": 2, "avg_ms": 3, "share": 4}[column]
    cells = ["a#b", "0.95", "5", "12", "33.8"]
    cells[place] = cell
    reading = read(
        new_relic_table, "Transaction\tApdex\tCount\tAvg (ms)\tTotal (% time)\n" + "\t".join(cells) + "\n"
    )
    row = reading.tables["transactions"].iloc[0]
    assert pd.isna(row[column]) and row["name"] == "a#b"
    assert [(line, reason) for line, reason, _ in reading.unread] == [(2, f"field {column}")]


@pytest.mark.parametrize("cell", ["", "-", "—", "N/A", "null"])
def test_an_empty_cell_is_missing_and_not_unread(cell: str) -> None:
    reading = read(new_relic_table, f"Transaction\tApdex\tCount\tAvg (ms)\na#b\t0.95\t{cell}\t12\n")
    assert pd.isna(reading.tables["transactions"]["calls"][0]) and reading.unread == []


@pytest.mark.parametrize(
    "header, cell, ms",
    [("Avg (ms)", "413", 413), ("Average (s)", "0.413", 413), ("Response time", "413", 413), ("Avg (ms)", "0.413 s", 413),
     ("Average duration", "0.413", 413), ("average(duration)", "0.413", 413), ("average(duration * 1000)", "413", 413),
     ("Average duration (ms)", "413", 413)],
)  # fmt: skip
def test_times_become_ms_by_the_unit_of_the_header_or_the_cell(header: str, cell: str, ms: float) -> None:
    assert transactions(f"Transaction\tApdex\t{header}\na#b\t0.95\t{cell}\n")["avg_ms"][0] == pytest.approx(
        ms
    )


def test_columns_may_come_in_any_order_and_spelling() -> None:
    table = transactions(
        "  MAX (ms) \tTRANSACTION NAME\tStd. Dev\tCall Count\tThroughput (rpm)\tApdex\n900\ta#b\t3\t5\t1.5\t0.9\n"
    )
    row = table.iloc[0]
    assert (row["max_ms"], row["name"], row["stddev_ms"], row["calls"], row["throughput_rpm"]) == (
        900,
        "a#b",
        3,
        5,
        1.5,
    )


def test_lines_around_the_table_and_a_repeated_header_are_accounted_for() -> None:
    header, _, body = BOOK.partition("\n")
    reading = read(
        new_relic_table, f"Last 7 days ending now\n\n{header}\n{body}{header}\n{body}Showing 10 of 10\n"
    )
    assert len(reading.tables["transactions"]) == 20 and reading.joined == 2
    assert [line for line, _, _ in reading.unread] == [1, 25]


def test_a_name_may_hold_commas_quotation_marks_and_newlines() -> None:
    text = 'Transaction,Apdex,Count\n"WebTransaction/a, ""b""\n\nc",0.95,"1,204"\nd,0.9,7\n'
    reading = read(new_relic_table, text)
    table = reading.tables["transactions"]
    assert table["name"].tolist() == ['WebTransaction/a, "b"\n\nc', "d"]
    assert table["line"].tolist() == [2, 5] and reading.joined == 2


def test_a_quotation_mark_that_is_never_closed_costs_its_own_line_only() -> None:
    reading = read(new_relic_table, 'Transaction,Apdex,Count\n"a,0.95,5\nb,0.9,7\n')
    assert reading.tables["transactions"]["name"].tolist() == ["b"]
    assert [(line, reason) for line, reason, _ in reading.unread] == [(2, "a quotation mark is not closed")]


@pytest.mark.parametrize(
    "module", [new_relic_table, new_relic_events, new_relic_series, command_output, heroku_ps]
)
@pytest.mark.parametrize(
    "text",
    [
        "name,count,max\napples,3,4\n",
        "date,open,high,low,close\n2025-04-23,1,2,1,2\n",
        "timestamp,name,duration\n2025-04-23 18:04:59,Moonlight Sonata,900\n",
        "transaction_id,account,amount\n17,12,3.50\n",
        "time,temperature,pressure\n2025-04-23 18:04,17,1013\n",
        "user,count,average\nann,3,4\n",
        "Dear support,\nit is slow, since five, and we do not know why.\n",
        "",
    ],
)
def test_a_csv_of_something_else_scores_0(module: ModuleType, text: str) -> None:
    assert module.score([line for line in text.split("\n") if line.strip()]) == 0


# events


def test_a_sparse_export_of_454_columns_is_read() -> None:
    names = [
        "Timestamp",
        "App Name",
        "Name",
        "Duration",
        "Queue Duration",
        "External Duration",
        "Host",
        "Response.Status",
    ]
    header = names + [f"Request.Headers.X {n}" for n in range(454 - len(names))]
    row = ["2025-04-23 18:04:59", "shop", "WebTransaction/Go/items", "0.25", "", "0.1", "dyno-1", "404"] + [
        ""
    ] * (454 - len(names))
    reading = read(new_relic_events, ",".join(header) + "\n" + ",".join(row) + "\n", "America/New_York")
    found = reading.tables["transaction_samples"].iloc[0]
    assert found["time"] == pd.Timestamp("2025-04-23 22:04:59")
    assert (found["duration_ms"], found["external_ms"], found["status"], found["host"]) == (
        250,
        100,
        404,
        "dyno-1",
    )
    assert pd.isna(found["queue_ms"]) and pd.isna(found["database_ms"]) and pd.isna(found["error"])
    assert "446 other columns are not read" in reading.notes
    assert "times carry no zone; read as America/New_York" in reading.notes
    assert reading.zone == "America/New_York (times in the file carry none)"


@pytest.mark.parametrize(
    "written, utc",
    [
        ("1500000000123", "2017-07-14 02:40:00.123"),
        ("1500000000", "2017-07-14 02:40:00"),
        ("2025-04-23T18:04:59Z", "2025-04-23 18:04:59"),
        ("2025-04-23 18:04:59.5 +0200", "2025-04-23 16:04:59.5"),
        ("2025-04-23 18:04:59", "2025-04-23 16:04:59"),
        ("2025-01-23 18:04:59", "2025-01-23 17:04:59"),
        ('"April 23, 2025 6:04:59 PM"', "2025-04-23 16:04:59"),
        ('"Apr 23, 2025, 18:04"', "2025-04-23 16:04:00"),
        ("04/05/2025 18:04", None),
        ("2025-13-01 18:04", None),
        ("yesterday", None),
        ("17", None),
    ],
)
def test_times_are_epoch_or_text_and_text_without_offset_is_in_the_zone_given(
    written: str, utc: str | None
) -> None:
    text = f"timestamp,name,duration\n{written},WebTransaction/Go/items,0.2\n"
    reading = read(new_relic_events, text, "Europe/Berlin")
    time = reading.tables["transaction_samples"]["time"][0]
    assert (time is pd.NaT) if utc is None else time == pd.Timestamp(utc)
    assert [reason for _, reason, _ in reading.unread] == ([] if utc else ["field time"])
    assert (reading.zone is not None) == (
        utc is not None and utc.endswith(("16:04:59", "17:04:59", "16:04:00"))
    )


def test_an_offset_can_be_given_as_zone_and_an_unknown_zone_is_told() -> None:
    text = "timestamp,name,duration\n2025-04-23 18:04:59,WebTransaction/Go/items,0.2\n"
    assert read(new_relic_events, text, "-04:00").tables["transaction_samples"]["time"][0] == pd.Timestamp(
        "2025-04-23 22:04:59"
    )
    with pytest.raises(LoadError, match="not a time zone"):
        read(new_relic_events, text, "Mars/Olympus")


def test_times_in_the_hour_that_comes_twice_are_noted() -> None:
    text = "timestamp,name,duration\n2025-10-26 02:30:00,WebTransaction/Go/items,0.2\n"
    reading = read(new_relic_events, text, "Europe/Berlin")
    assert any("clock changes" in note for note in reading.notes)


def test_several_columns_for_the_status_give_the_first_that_is_known() -> None:
    text = "timestamp,name,duration,httpResponseCode,response.status,http.statusCode\n1500000000,WebTransaction/a,0.2,,OK,503\n"
    reading = read(new_relic_events, text)
    assert reading.tables["transaction_samples"]["status"][0] == 503 and reading.unread == []


# time series


def points(text: str, zone: str = "UTC") -> list[tuple[str, float | None]]:
    table = read(new_relic_series, text, zone).tables["response_breakdown"]
    return [
        (name, None if pd.isna(value) else value)
        for name, value in zip(table["component"], table["value_ms"], strict=True)
    ]


@pytest.mark.parametrize(
    "header, cell, component, value",
    [
        ("Database", "12.5", "Database", 12.5),
        ("Database (s)", "0.0125", "Database (s)", 12.5),
        ("Response time (ms)", "12.5", "Response time (ms)", 12.5),
        ("Average duration", "0.0125", "Average duration", 12.5),
        ('"percentile(duration, 95)"', "0.0125", "percentile(duration, 95)", 12.5),
        ("average(duration * 1000)", "12.5", "average(duration * 1000)", 12.5),
        ("Throughput", '"1,250"', "throughput_rpm", 1250),
        ("Requests per minute", "1250", "throughput_rpm", 1250),
        ("Throughput (rpm)", "1250 rpm", "throughput_rpm", 1250),
        ('"rate(count(*), 1 minute)"', "1250", "throughput_rpm", 1250),
        ('"rate(count(*), 1 second)"', "2", "throughput_rpm", 120),
        ("count", "600", "throughput_rpm", 120),
        ("count(*)", "600", "throughput_rpm", 120),
    ],
)
def test_a_columns_header_says_its_unit(header: str, cell: str, component: str, value: float) -> None:
    text = f"beginTimeSeconds,endTimeSeconds,Middleware,{header}\n1500000000,1500000300,1,{cell}\n"
    found = points(text)
    assert found[0] == ("Middleware", 1)
    assert found[1][0] == component and found[1][1] == pytest.approx(value)


def test_without_an_end_a_count_is_divided_by_the_usual_distance_of_times() -> None:
    times = ["2025-04-23 18:00", "2025-04-23 18:05", "2025-04-23 18:10", "2025-04-23 19:00"]
    text = "Timestamp,Middleware,count\n" + "".join(f"{time},1,600\n" for time in times)
    assert [value for name, value in points(text) if name == "throughput_rpm"] == [120] * 4


def test_a_count_without_any_width_is_missing_and_told() -> None:
    reading = read(new_relic_series, "Timestamp,Middleware,count\n2025-04-23 18:00,1,600\n")
    assert pd.isna(reading.tables["response_breakdown"]["value_ms"][1])
    assert [reason for _, reason, _ in reading.unread] == ["field count"]


def test_what_is_no_duration_is_named_as_not_read() -> None:
    reading = read(
        new_relic_series,
        "Time (UTC),Database,Middleware,Apdex,Error rate (%)\n2025-04-23 18:00,12,1,0.95,2\n",
        "Asia/Tokyo",
    )
    table = reading.tables["response_breakdown"]
    assert table["component"].tolist() == ["Database", "Middleware"]
    assert table["time"][0] == pd.Timestamp("2025-04-23 18:00"), "the header says UTC"
    assert reading.zone is None
    assert "columns not read: Apdex, Error rate (%)" in reading.notes


def test_values_that_look_like_seconds_are_doubted() -> None:
    reading = read(new_relic_series, "Time,Database,Middleware\n2025-04-23 18:00,0.12,0.01\n")
    assert any("may be seconds" in note for note in reading.notes)


def test_a_result_by_a_facet_without_a_time_keeps_facet_and_header() -> None:
    found = points("Host,average(duration),max(duration)\nweb.1,0.2,3\nweb.2,0.3,4\n")
    assert found[:2] == [("web.1: average(duration)", 200.0), ("web.1: max(duration)", 3000.0)]


def test_times_without_a_zone_are_noted() -> None:
    reading = read(new_relic_series, "Time,Database,Middleware\n2013-06-09 05:00,100,2\n", "America/New_York")
    assert reading.tables["response_breakdown"]["time"][0] == pd.Timestamp("2013-06-09 09:00")
    assert "times carry no zone; read as America/New_York" in reading.notes


# anything may come in

HEADS = st.sampled_from(
    [
        text.split("\n")[0]
        for module in (new_relic_table, new_relic_events, new_relic_series, heroku_ps)
        for text, _ in module.EXAMPLES
    ]
)
CELL = st.text(st.sampled_from('0123456789.,:-%"\t msé/(){}|=$ab'), max_size=12)
ANY_LINE = st.one_of(
    HEADS, st.lists(CELL, max_size=9).map(",".join), st.lists(CELL, max_size=9).map("\t".join)
)


@settings(max_examples=150, deadline=None)
@given(
    HEADS,
    st.lists(ANY_LINE, max_size=8),
    st.sampled_from([new_relic_table, new_relic_events, new_relic_series, heroku_ps, command_output]),
)
def test_whatever_follows_a_header_the_lines_add_up(head: str, lines: list[str], module: ModuleType) -> None:
    text = [head, *lines]
    assert 0 <= module.score([line for line in text if line.strip()]) <= 1
    assert_balanced(module.read(text, Context("export.csv")), text)


@given(st.text(max_size=40))
def test_a_number_is_a_number_or_none(text: str) -> None:
    value = _cells.number(text)
    assert value is None or (value == value and abs(value) != float("inf"))


def test_the_three_kinds_are_recognised_and_loaded(load_text: Any) -> None:
    load_text(BOOK, "table.tsv")
    load_text(new_relic_events.EXAMPLES[0][0], "table (7).csv")
    wb = load_text(new_relic_series.EXAMPLES[0][0], "chart.csv", zone="America/New_York")
    sources = wb.sources()
    assert sources["kind"].tolist() == ["new_relic_table", "new_relic_events", "new_relic_series"]
    assert (
        sources["lines"] == sources[["log_lines", "joined", "duplicates", "unread", "blank"]].sum(axis=1)
    ).all()
    assert sources["first_time"].iloc[2] == pd.Timestamp("2013-06-09 09:00")
    assert sources["zone"].iloc[2] == "America/New_York (times in the file carry none)"
    assert wb.sql("SELECT count(*) AS n FROM response_breakdown WHERE value_ms IS NULL")["n"][0] == 1


def test_a_table_of_quoted_cells_is_read_with_few_looks_at_each_line() -> None:
    class Watched(list[str]):
        looks = 0

        def __getitem__(self, place: Any) -> Any:
            self.looks += 1
            return super().__getitem__(place)

        def __iter__(self) -> Any:
            raise AssertionError("a record must not begin at the first line again")

    lines = Watched(f'"{number}","x, y"' for number in range(2_000))
    assert sum(1 for _ in _cells.records(lines, ",")) == 2_000
    assert lines.looks <= 3 * 2_000
