"""time_zones: offsets of the reference are found in seeded series; what cannot be told is asked; hand-made findings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbook import Window, Workbook
from workbook.analyses import time_zones

START = pd.Timestamp("2013-06-09")
READ_AS = "UTC (times in the file carry none)"


def traffic(days: float = 3, seed: int = 11, flat: bool = False) -> np.ndarray:
    """Requests in each quarter of an hour: a day's shape, half a day's, and chance."""
    rng = np.random.default_rng(seed)
    k = np.arange(int(96 * days))
    shape = (
        200
        + 120 * np.sin(2 * np.pi * (k - 30) / 96)
        + 60 * np.sin(2 * np.pi * k / 48 + 1)
        + rng.normal(0, 25, len(k))
    )
    return rng.poisson(np.full(len(k), 400.0) if flat else np.clip(shape, 5, None))


def load_router(wb: Workbook, counts: np.ndarray, **columns: Any) -> None:
    """Put as many requests into each quarter of an hour, evenly spread."""
    seconds = np.concatenate(
        [900 * place + np.arange(count) * 900 / count for place, count in enumerate(counts) if count]
    )
    frame = pd.DataFrame(
        {
            "time": START + pd.to_timedelta(seconds.round(3), unit="s"),
            "status": 200,
            "service_ms": 9,
            **columns,
        }
    )
    frame["source_id"], frame["line"] = 1, np.arange(1, len(frame) + 1)
    insert(wb, "requests", frame)


def load_new_relic(
    wb: Workbook,
    counts: np.ndarray,
    offset_min: int,
    width_min: int = 15,
    source: int = 2,
    zone: str | None = READ_AS,
) -> None:
    """Put a New Relic throughput (97 % of the requests) with its labels that far ahead of UTC into the tables."""
    each = width_min // 15
    sums = counts[: len(counts) // each * each].reshape(-1, each).sum(axis=1)
    labels = START + pd.to_timedelta(np.arange(len(sums)) * width_min + offset_min, unit="min")
    frame = pd.DataFrame(
        {"time": labels, "component": "throughput_rpm", "value_ms": np.round(sums * 0.97) / width_min}
    )
    frame["source_id"], frame["line"] = source, np.arange(2, len(frame) + 2)
    insert(wb, "response_breakdown", frame)
    wb._database.execute(
        "INSERT INTO sources (source_id, path, sha256, kind, bytes, lines, log_lines, joined, duplicates, unread, blank, zone)"
        " VALUES ($id, $path, 'x', 'new_relic_series', 1, 9, 8, 1, 0, 0, 0, $zone)",
        id=source,
        path=f"nr-{source}.csv",
        zone=zone,
    )


def insert(wb: Workbook, table: str, frame: pd.DataFrame) -> None:
    columns = ", ".join(frame.columns)
    wb._database.register("added", frame)
    wb._database.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM added")
    wb._database.unregister("added")


def only(wb: Workbook) -> Any:
    (row,) = wb.run("time_zones").table.itertuples()
    return row


@pytest.mark.parametrize("offset_min", [-420, 330, 60, 0, -240, 840, -720, 345])
def test_the_offsets_of_the_reference_are_found_exactly(wb, offset_min):
    counts = traffic()
    load_router(wb, counts)
    load_new_relic(wb, counts, offset_min)
    row = only(wb)
    assert (row.offset_min, row.zone_offset_min) == (offset_min, offset_min)
    assert row.r > 0.999 and row.second_r < 0.9 and row.overlap_h == 72
    assert row.verdict == ("aligned" if offset_min == 0 else "shifted") and row.reason is None


def test_it_is_found_through_chance_on_both_sides(wb):
    counts = traffic()
    load_router(wb, counts)
    load_new_relic(wb, np.random.default_rng(12).poisson(counts), -240)
    assert (only(wb).offset_min, only(wb).verdict) == (-240, "shifted")


@pytest.mark.parametrize(("width_min", "offset_min"), [(30, 330), (60, 330), (60, -240), (30, 345)])
def test_wide_buckets_are_compared_in_steps_of_15_minutes(wb, width_min, offset_min):
    counts = traffic()
    load_router(wb, counts)
    load_new_relic(wb, counts, offset_min, width_min)
    assert (only(wb).offset_min, only(wb).bucket_s) == (offset_min, 60 * width_min)


@pytest.mark.parametrize(
    ("label_shift", "width_min", "verdict", "zone_min"),
    [(15, 15, "aligned", 0), (30, 30, "aligned", 0), (-225, 15, "shifted", -240), (60, 60, "ask", 60)],
)
def test_labels_that_name_the_end_of_their_bucket_are_no_zone(wb, label_shift, width_min, verdict, zone_min):
    counts = traffic()
    load_router(wb, counts)
    load_new_relic(wb, counts, label_shift, width_min)
    assert (only(wb).verdict, only(wb).zone_offset_min) == (verdict, zone_min)


@pytest.mark.parametrize(
    ("offset_min", "width_min", "other_min"),
    [
        (-180, 60, -240),
        (0, 60, -60),
        (330, 60, 270),
        (330, 30, 300),
        (345, 15, 330),
        (345, 60, None),
        (-240, 30, None),
        (-225, 15, None),
        (0, 15, None),
    ],
)
def test_labels_that_fit_two_zones_name_both_with_less_confidence(wb, offset_min, width_min, other_min):
    counts = traffic()
    load_router(wb, counts)
    load_new_relic(wb, counts, offset_min, width_min)
    row = only(wb)
    assert row.offset_min == offset_min
    assert (None if pd.isna(row.end_zone_offset_min) else row.end_zone_offset_min) == other_min
    (finding,) = wb.run("time_zones").findings
    assert finding.confidence == ("high" if other_min is None else "medium")
    assert ("name the end of their" in finding.title) == (other_min is not None)


def test_an_offset_that_no_zone_has_is_asked(wb):
    counts = traffic()
    load_router(wb, counts)
    load_new_relic(wb, counts, 105)
    row = only(wb)
    assert row.offset_min == 105 and pd.isna(row.zone_offset_min)
    assert (row.verdict, row.reason) == ("ask", "no zone has this offset")


@pytest.mark.parametrize(
    ("days", "flat", "reason"),
    [
        (0.2, False, "too few buckets lie in the time of the router log, whatever the offset"),
        (3, True, "the traffic is too even to compare"),
    ],
)
def test_what_cannot_be_told_is_asked(wb, days, flat, reason):
    counts = traffic(days, flat=flat)
    load_router(wb, counts)
    load_new_relic(wb, counts, -240)
    row = only(wb)
    assert (row.verdict, row.reason) == ("ask", reason)
    (finding,) = wb.run("time_zones").findings
    assert finding.severity == "cannot_tell" and reason in finding.title


def test_traffic_of_another_day_does_not_fit(wb):
    load_router(wb, traffic(seed=1)[::-1].copy())
    load_new_relic(wb, np.random.default_rng(3).permutation(traffic(seed=2)), 0)
    assert (only(wb).verdict, only(wb).reason) == ("ask", "the two curves do not look alike at any offset")


def test_a_straight_rise_fits_everywhere_and_is_asked(wb):
    counts = (20 * 1.02 ** np.arange(96)).round().astype(int)
    load_router(wb, counts)
    load_new_relic(wb, counts, -240)
    assert (only(wb).verdict, only(wb).reason) == ("ask", "another offset fits nearly as well")


def test_a_clock_change_inside_the_file_is_asked(wb):
    counts = traffic(6)
    load_router(wb, counts)
    load_new_relic(wb, counts[:288], -300, source=2)
    later = pd.DataFrame(
        {
            "time": START + pd.to_timedelta(np.arange(288, 576) * 15 - 240, unit="min"),
            "component": "throughput_rpm",
        }
    )
    later["value_ms"], later["source_id"], later["line"] = counts[288:] / 15, 2, np.arange(1_000, 1_288)
    insert(wb, "response_breakdown", later)
    row = only(wb)
    assert row.verdict == "ask" and (row.half_offset_low_min, row.half_offset_high_min) == (-300, -240)
    assert "daylight saving" in row.reason


def test_transactions_are_counted_where_there_is_no_throughput(wb):
    counts = traffic(2)
    load_router(wb, counts)
    seconds = np.concatenate(
        [900 * place + np.arange(count) * 900 / count for place, count in enumerate(counts)]
    )
    frame = pd.DataFrame(
        {
            "time": START + pd.to_timedelta(seconds.round(3) - 4 * 3_600, unit="s"),
            "name": "WebTransaction/Go/a",
        }
    )
    frame["source_id"], frame["line"] = 2, np.arange(2, len(frame) + 2)
    insert(wb, "transaction_samples", frame)
    insert(
        wb,
        "transaction_samples",
        frame.assign(name="OtherTransaction/job", time=START, line=frame["line"] + 10**6),
    )
    row = only(wb)
    assert (row.basis, row.offset_min, row.verdict) == ("transactions", -240, "shifted")


def test_maintenance_and_requests_without_a_dyno_are_not_compared(wb):
    counts = traffic()
    load_router(wb, counts)
    load_router(wb, np.full(len(counts), 900)[::-1] * (np.arange(len(counts)) % 7 == 0), code="H80")
    load_new_relic(wb, counts, -240)
    assert only(wb).r > 0.999


def test_several_files_have_a_row_each_by_their_path(wb):
    counts = traffic()
    load_router(wb, counts)
    load_new_relic(wb, counts, 60, source=3)
    load_new_relic(wb, counts, 0, source=2)
    table = wb.run("time_zones").table
    assert list(table["source"]) == ["nr-2.csv", "nr-3.csv"] and list(table["offset_min"]) == [0, 60]
    assert wb.run("time_zones").chart.to_dict()


def test_a_real_export_is_shifted_and_loading_it_with_the_zone_aligns_it(load_text, tmp_path):
    counts = traffic(1.5) // 8
    lines, number = [], 0
    for place, count in enumerate(counts):
        for second in np.linspace(0, 899, count, dtype=int):
            number += 1
            time = START + pd.Timedelta(seconds=900 * place + int(second))
            lines.append(
                f"{time:%Y-%m-%dT%H:%M:%S}.{number % 1_000_000:06d}+00:00 heroku[router]: at=info method=GET"
                f' path="/a" host=shop.example.com request_id=r{number} fwd="192.0.2.4" dyno=web.1 connect=1ms service=9ms'
                " status=200 bytes=1\n"
            )
    series = "Time,Requests per minute,Ruby\n" + "".join(
        f"{START + pd.Timedelta(minutes=15 * place - 240):%Y-%m-%d %H:%M},{count / 15:.3f},80\n"
        for place, count in enumerate(counts)
    )
    wb = load_text("".join(lines), "router.log")
    load_text(series, "throughput.csv")
    (finding,) = wb.run("time_zones").findings
    assert finding.severity == "warning" and " is 4 h behind the router log" in finding.title
    assert "its times are UTC−04:00" in finding.title and "--zone -04:00" in finding.next_step
    with Workbook.open() as again:
        assert (
            again.load(tmp_path / "router.log").ok
            and again.load(tmp_path / "throughput.csv", zone="-04:00").ok
        )
        (finding,) = again.run("time_zones").findings
    assert finding.severity == "ruled_out" and "agree with the router log" in finding.title


def test_nothing_and_null_are_harmless(wb):
    table = time_zones.rows(wb._database.query, Window())
    assert table.empty and time_zones.findings(table) == [] and time_zones.chart(table).to_dict()
    for name in ("requests", "response_breakdown", "transaction_samples"):
        wb._database.execute(f"INSERT INTO {name} (source_id, line) VALUES (1, 1)")
    assert wb.run("time_zones").table.empty


def test_one_label_alone_gives_no_row_and_one_request_is_asked(wb):
    insert(
        wb,
        "requests",
        pd.DataFrame([{"source_id": 1, "line": 1, "time": START, "status": 200, "service_ms": 9}]),
    )
    load_new_relic(wb, np.array([15, 30]), 0)
    assert only(wb).verdict == "ask" and wb.run("time_zones").chart.to_dict()


def test_the_sql_gives_the_table_again_and_the_chart_shows_both_curves(wb):
    counts = traffic(10)
    load_router(wb, counts)
    load_new_relic(wb, counts, -240)
    result = wb.run("time_zones")
    nested = ["curves", "evidence"]
    pd.testing.assert_frame_equal(wb.sql(result.sql).drop(columns=nested), result.table.drop(columns=nested))
    curves = result.table["curves"][0]
    assert 400 <= len(curves) <= 600
    shifted = pd.DataFrame(list(curves)).dropna()
    assert np.corrcoef(shifted["new_relic"], shifted["router_shifted"])[0, 1] > 0.999
    drawn = result.chart.to_dict()
    assert [panel["title"] for panel in drawn["vconcat"]] == ["as loaded", "New Relic moved by 4 h"]


# findings from hand-made rows

ROW = {
    "source": "new-relic-throughput.csv",
    "read_as": READ_AS,
    "first_time": START,
    "last_time": START + pd.Timedelta(days=1),
    "offset_min": -240,
    "zone_offset_min": -240,
    "end_zone_offset_min": None,
    "bucket_s": 900,
    "r": 0.991,
    "second_r": 0.884,
    "variation": 0.4,
    "overlap_h": 24.0,
    "verdict": "shifted",
    "reason": None,
    "evidence": [{"source_id": 2, "line": 2}],
}


def judged(**values: Any) -> Any:
    (finding,) = time_zones.findings(pd.DataFrame([{**ROW, **values}]))
    return finding


def test_the_sentence():
    finding = judged()
    assert finding.title == (
        "new-relic-throughput.csv is 4 h behind the router log (r = 0.99, next best 0.88, 24 h compared):"
        " its times are UTC−04:00."
    )
    assert (
        finding.severity == "warning"
        and "--zone -04:00" in finding.next_step
        and finding.evidence[0].line == 2
    )
    assert "5 h 30 min ahead of" in judged(zone_offset_min=330, offset_min=330).title


def test_both_readings_of_hourly_labels_are_in_the_sentence():
    shifted = judged(offset_min=-180, zone_offset_min=-180, end_zone_offset_min=-240, bucket_s=3600)
    assert shifted.title == (
        "new-relic-throughput.csv is 3 h behind the router log (r = 0.99, next best 0.88, 24 h compared):"
        " its times are UTC−03:00; if its labels name the end of their 1 h buckets, they are UTC−04:00."
    )
    assert (shifted.severity, shifted.confidence) == ("warning", "medium")
    assert "--zone -03:00" in shifted.next_step and "finer buckets" in shifted.next_step
    aligned = judged(
        verdict="aligned", offset_min=0, zone_offset_min=0, end_zone_offset_min=-60, bucket_s=3600
    )
    assert aligned.title.endswith("; if its labels name the end of their 1 h buckets, they are UTC−01:00.")
    assert (aligned.severity, aligned.confidence) == ("ruled_out", "medium")
    named = judged(
        read_as="America/New_York (none)", zone_offset_min=-60, end_zone_offset_min=-120, bucket_s=3600
    )
    assert "1 h buckets, it is 2 h behind." in named.title


@pytest.mark.parametrize(
    ("read_as", "zone_min", "said", "step"),
    [
        ("UTC (times in the file carry none)", 330, "UTC+05:30", "--zone +05:30"),
        ("+02:00 (times in the file carry none)", -60, "UTC+01:00", "--zone +01:00"),
        ("-04:00, year 2013 (times in the file carry none)", 240, "UTC+00:00", "--zone +00:00"),
        (
            "America/New_York (times in the file carry none)",
            60,
            "it was read as America/New_York",
            "the zone that New Relic",
        ),
        (None, 60, "although its times carry their offset", "how the router log was read"),
    ],
)
def test_the_zone_that_is_proposed_counts_from_the_zone_it_was_read_in(read_as, zone_min, said, step):
    finding = judged(read_as=read_as, zone_offset_min=zone_min, offset_min=zone_min)
    assert said in finding.title and step in finding.next_step


def test_asking_names_the_reason_and_aligned_is_ruled_out():
    asked = judged(verdict="ask", reason="the traffic is too even to compare", second_r=float("nan"))
    assert asked.severity == "cannot_tell" and "too even" in asked.title and "next best" not in asked.title
    assert "second_r" not in asked.numbers and asked.next_step
    assert judged(verdict="aligned", zone_offset_min=0).severity == "ruled_out"
