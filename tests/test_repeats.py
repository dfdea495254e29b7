"""The same row of New Relic in two exports counts once, in whichever order they are loaded; two rows in one are two."""

from __future__ import annotations

import itertools
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from workbook import Workbook


def event(at_ms: int, duration: float = 0.25, name: str = "Go/items", **more: object) -> dict[str, Any]:
    return {
        "timestamp": 1500000000000 + at_ms,
        "name": f"WebTransaction/{name}",
        "duration": duration,
        "appName": "shop",
        **more,
    }


def loaded(folder: Path, *texts: str) -> Workbook:
    """A workbook with each text loaded, one after the other."""
    wb = Workbook.open()
    for text in texts:
        path = folder / f"{zlib.crc32(text.encode())}.export"
        path.write_text(text, encoding="utf-8")
        report = wb.load(path)
        assert report.ok, report.errors
    for source in wb.sources().to_dict("records"):
        parts = ("log_lines", "joined", "duplicates", "unread", "blank")
        assert source["lines"] == sum(source[part] for part in parts), source
    return wb


def json_of(*events: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in events)


def content(wb: Workbook, table: str) -> list[Any]:
    frame = wb.sql(f"SELECT * EXCLUDE (source_id, line) FROM {table} ORDER BY ALL").astype(object)
    return frame.where(frame.notna(), None).values.tolist()


def every_order(folder: Path, table: str, *texts: str) -> tuple[list[Any], list[int]]:
    """The table's content, the same in every order of loading, and duplicates by text."""
    found = []
    for order in itertools.permutations(range(len(texts))):
        wb = loaded(folder, *(texts[place] for place in order))
        found.append(content(wb, table))
        duplicates = wb.sources()["duplicates"].tolist()
        wb.close()
    assert all(one == found[0] for one in found)
    return found[0], sorted(duplicates)


def test_overlapping_queries_give_each_transaction_once(tmp_path: Path) -> None:
    monday = json_of(event(1), event(2), event(3, 0.5))
    tuesday = json_of(event(3, 0.5), event(4), event(4, name="Go/other"))
    rows, duplicates = every_order(tmp_path, "transaction_samples", monday, tuesday)
    assert len(rows) == 5 and duplicates == [0, 1]


def test_two_equal_rows_in_one_export_are_two_transactions(tmp_path: Path) -> None:
    rows, duplicates = every_order(
        tmp_path, "transaction_samples", json_of(event(1), event(1), event(2)), json_of(event(1), event(5))
    )
    assert len(rows) == 4 and duplicates == [0, 1]


def test_the_finer_and_fuller_row_stays(tmp_path: Path) -> None:
    fine = json_of(event(123), event(456))
    page = (
        "Timestamp,Name,Duration,App Name,Database Duration,Host\n"
        "2017-07-14 02:40:00,WebTransaction/Go/items,0.25,shop,0.1,web.1\n"
        "2017-07-14 02:40:09,WebTransaction/Go/items,0.25,shop,0.1,web.1\n"
    )
    rows, duplicates = every_order(tmp_path, "transaction_samples", fine, page)
    assert [str(row[0]) for row in rows] == [
        "2017-07-14 02:40:00.123000", "2017-07-14 02:40:00.456000", "2017-07-14 02:40:09",
    ]  # fmt: skip
    assert duplicates == [0, 1]
    full = json_of(event(123, databaseDuration=0.1, host="web.1"))
    rows, _ = every_order(tmp_path, "transaction_samples", fine, full)
    assert [row[3] for row in rows] == [100.0, None]


@pytest.mark.parametrize("other", [event(1, 0.2501), event(2), event(1, name="Go/other")])
def test_another_time_name_or_duration_is_another_transaction(tmp_path: Path, other: dict[str, Any]) -> None:
    rows, duplicates = every_order(tmp_path, "transaction_samples", json_of(event(1)), json_of(other))
    assert len(rows) == 2 and duplicates == [0, 0]


SERIES = "beginTimeSeconds,endTimeSeconds,average(duration),count\n"


def series(*rows: tuple[int, float, int]) -> str:
    return SERIES + "".join(
        f"{1500000000 + 60 * at},{1500000060 + 60 * at},{value},{count}\n" for at, value, count in rows
    )


def test_overlapping_series_give_each_bucket_once_and_keep_the_unfinished_one(tmp_path: Path) -> None:
    first = series((0, 0.1, 10), (1, 0.2, 20), (2, 0.3, 30), (3, 0.4, 1))
    second = series((1, 0.2, 20), (2, 0.3, 30), (3, 0.45, 60), (4, 0.5, 50))
    rows, duplicates = every_order(tmp_path, "response_breakdown", first, second)
    assert len(rows) == 2 * 6 and duplicates == [0, 2]


def test_a_series_that_mostly_differs_is_another_one(tmp_path: Path) -> None:
    rows, duplicates = every_order(
        tmp_path, "response_breakdown",
        series((0, 0.1, 0), (1, 0.2, 20), (2, 0.3, 30)), series((0, 0.1, 0), (1, 0.7, 20), (2, 0.8, 30)),
    )  # fmt: skip
    assert len(rows) == 12 and duplicates == [0, 0]


TABLE = "Transaction,Apdex,Count,Avg (ms),Max (ms)\n"


def test_a_table_counts_once_only_where_one_holds_all_of_the_other(tmp_path: Path) -> None:
    full = TABLE + "a#b,0.9,10,12,50\nc#d,0.8,20,13,60\ne#f,0.7,1,2,2\n"
    top = "Max (ms),Transaction,Apdex,Count,Avg (ms)\n60,c#d,0.8,20,13\n50,a#b,0.9,10,12\n"
    rows, duplicates = every_order(tmp_path, "transactions", full, top)
    assert len(rows) == 3 and duplicates == [0, 2]
    next_day = TABLE + "a#b,0.9,11,12,50\nc#d,0.8,20,13,60\n"
    rows, duplicates = every_order(tmp_path, "transactions", full, next_day)
    assert len(rows) == 5 and duplicates == [0, 0]


def test_a_source_without_rows_of_new_relic_loses_nothing(tmp_path: Path) -> None:
    log = "2017-07-14T02:40:00+00:00 app[web.1]: one\n"
    wb = loaded(tmp_path, log, json_of(event(1)))
    assert wb.sources()["duplicates"].tolist() == [0, 0]
    assert len(content(wb, "log_lines")) == len(content(wb, "transaction_samples")) == 1
