"""errors: counts, rates, bursts and concentration against the reference numbers; findings from hand-made rows."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from scipy.stats import fisher_exact, poisson

from workbook import Window, Workbook
from workbook.analyses import errors

START = datetime(2024, 3, 4, 5, 0)


def add(wb: Workbook, table: str, rows: list[dict[str, Any]]) -> None:
    """Put rows straight into a table; lines are numbered from 1 where none is given."""
    frame = pd.DataFrame([{"source_id": 1, "line": place, **row} for place, row in enumerate(rows, 1)])
    for name in frame.columns:
        if frame[name].isna().all():
            frame = frame.drop(columns=name)
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    wb._database.register("added", frame)
    wb._database.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM added")
    wb._database.unregister("added")


def request(second: float, status: int = 200, code: str | None = None, **more: Any) -> dict[str, Any]:
    time = START + timedelta(seconds=second)
    usual = {"route": "/a", "dyno": "web.1", "host": "shop.example.com", "method": "GET", "fwd": "192.0.2.1"}
    return {"time": time, "status": status, "code": code, "service_ms": 12, **usual, **more}


def run(wb: Workbook, **options: Any) -> pd.DataFrame:
    return wb.run("errors", **options).table


def only(table: pd.DataFrame, code: str) -> Any:
    (row,) = table[table["code"] == code].itertuples(index=False)
    return row


# counts and populations


def test_one_row_for_each_code_and_own_status_from_real_lines(load_text):
    head = "2024-03-04T05:06:0{}.000000+00:00 heroku[router]: "
    tail = ' host=shop.example.com request_id=x fwd="192.0.2.4" dyno=web.1 connect=1ms service={}ms status={} bytes=1'
    text = "".join(
        [
            head.format(1) + 'at=info method=GET path="/a"' + tail.format(9, 200) + "\n",
            head.format(2)
            + 'at=error code=H12 desc="Request timeout" method=GET path="/a"'
            + tail.format(30000, 503)
            + "\n",
            head.format(3) + 'at=info method=GET path="/a"' + tail.format(9, 500) + "\n",
            head.format(4) + 'at=info method=GET path="/a"' + tail.format(9, 503) + "\n",
            "2024-03-04T05:06:05.000000+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)\n",
            "2024-03-04T05:06:25.000000+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)\n",
            "2024-03-04T05:06:06.000000+00:00 heroku[logplex]: Error L10 (output buffer overflow): 7 messages dropped"
            " since 2024-03-04T05:05:00.111213+00:00.\n",
            "2024-03-04T05:06:07.000000+00:00 app[web.1]: Error R14 (Memory quota exceeded)\n",
        ]
    )
    table = run(load_text(text))
    assert dict(zip(table["code"], table["count"], strict=True)) == {
        "R14": 2,
        "H12": 1,
        "L10": 1,
        "app500": 1,
        "app503": 1,
    }
    assert only(table, "H12").description == "Request timeout" and only(table, "H12").requests == 4
    assert only(table, "R14").episodes == 1 and pd.isna(only(table, "R14").per_10k)
    assert only(table, "L10").dropped == 7
    assert only(table, "app503").first_time == datetime(2024, 3, 4, 5, 6, 4)


def test_the_book_line_without_a_time_is_counted(load_text):
    line = (
        'heroku[router]: at=error code=H12 desc="Request timeout" method=GET path=/coupons host=debugging.herokuapp.com'
        " fwd=52.171.38.92 dyno=web.2 queue= wait= connect= service=30000ms status=503 bytes=0\n"
    )
    result = load_text(line).run("errors")
    row = only(result.table, "H12")
    assert row.count == 1 and pd.isna(row.first_time) and row.episodes == 0 and row.top_route == "/coupons"
    assert pd.isna(row.per_10k), "a log without a success has no rate"
    (finding, *_) = result.findings
    assert finding.severity == "warning" and "no successful request" in finding.title


def test_who_left_maintenance_and_websockets_are_outside_of_the_rate(wb):
    rows = [request(n) for n in range(100)]
    rows += [request(101, 503, "H12"), request(102, 503, "H80"), request(103, 499, "H27"), request(104, 499)]
    rows += [request(105, 101), request(106, 502, "H81")]
    add(wb, "requests", rows)
    table = run(wb)
    assert {row.code: row.requests for row in table.itertuples()} == {
        "H12": 101,
        "H80": 105,
        "H81": 105,
        "H27": 103,
    }
    assert only(table, "H12").per_10k == pytest.approx(10_000 / 101)


@pytest.mark.parametrize(
    ("errors_seen", "requests", "low", "high"),
    [(3, 10_000, 1.020, 8.817), (12, 48_000, 1.430, 4.370)],
)
def test_the_wilson_interval_of_the_reference(wb, errors_seen, requests, low, high):
    wb._database.execute(
        f"""INSERT INTO requests (source_id, line, time, status, code)
        SELECT 1, i, TIMESTAMP '2024-03-04' + to_seconds(i * 100), if(i <= {errors_seen}, 503, 200),
            if(i <= {errors_seen}, 'H13', NULL)
        FROM range(1, {requests + 1}) AS n(i)"""
    )
    row = only(run(wb), "H13")
    assert (row.per_10k_low, row.per_10k_high) == (
        pytest.approx(low, abs=0.001),
        pytest.approx(high, abs=0.001),
    )


def test_no_error_at_all_is_ruled_out_with_its_size(wb):
    add(wb, "requests", [request(n) for n in range(1_000)])
    (finding,) = wb.run("errors").findings
    assert finding.severity == "ruled_out" and "1,000 requests" in finding.title
    assert finding.numbers["errors_per_10k_requests_high"] == pytest.approx(38.268, abs=0.001)


@pytest.mark.parametrize(
    ("requests", "severity"), [(3, "cannot_tell"), (380, "cannot_tell"), (381, "ruled_out")]
)
def test_few_requests_rule_nothing_out(wb, requests, severity):
    add(wb, "requests", [request(n) for n in range(requests)])
    (finding,) = wb.run("errors").findings
    assert finding.severity == severity and f"in {requests} requests" in finding.title
    assert finding.severity == "ruled_out" or "but that rules nothing out" in finding.title


@pytest.mark.parametrize(
    ("dropped", "severities", "said"),
    [
        (700, {"warning", "cannot_tell"}, "rules nothing out: the log lost at least 700 lines"),
        (None, {"warning", "cannot_tell"}, "rules nothing out: the log lost an unknown number of lines"),
        (3, {"note", "ruled_out"}, "No H12 (Request timeout) in 500 requests (95 %: at most 76.2"),
    ],
)
def test_a_log_that_lost_lines_rules_nothing_out(wb, dropped, severities, said):
    add(wb, "requests", [request(n) for n in range(500)])
    add(wb, "log_errors", [{"time": START, "code": "L10", "dropped": dropped}])
    add(wb, "log_lines", [{"time": START, "line": n, "message": "x"} for n in range(501)])
    found = wb.run("errors").findings
    assert {one.severity for one in found} == severities and any(said in one.title for one in found)


def test_a_log_of_errors_only_rules_nothing_out(wb):
    add(wb, "requests", [request(9 * n, 503, "H10") for n in range(2_000)])
    found = wb.run("errors").findings
    assert [one.severity for one in found] == ["warning", "cannot_tell"]
    assert "none of them succeeded" in found[1].title and "No H12 (Request timeout) and no" in found[1].title


# episodes and bursts


def test_episodes_are_split_by_the_gap_of_the_reference(wb):
    add(wb, "requests", [request(second, 503, "H13") for second in (0, 5, 12, 40, 300, 305, 1000)])
    assert only(run(wb), "H13").episodes == 3
    assert only(run(wb, burst_gap_s=250), "H13").episodes == 3
    assert only(run(wb, burst_gap_s=260), "H13").episodes == 2


def test_r14_episodes_are_counted_dyno_by_dyno(wb):
    seconds = (0, 20, 40, 140)
    rows = [
        {"time": START + timedelta(seconds=s), "dyno": dyno, "code": "R14"}
        for dyno in ("web.1", "web.2")
        for s in seconds
    ]
    add(wb, "dyno_errors", rows)
    row = only(run(wb), "R14")
    assert (row.count, row.episodes, row.dynos) == (8, 4, 2)


def day(errors_at: list[float]) -> list[dict[str, Any]]:
    """Three hours with one good request each second, and H12 at those seconds."""
    return [request(second) for second in range(0, 10_800)] + [request(at, 503, "H12") for at in errors_at]


@pytest.mark.parametrize(("failing", "bursts"), [(0.002, 0), (0.02, 1)])
def test_errors_that_grow_only_with_the_traffic_are_no_burst(wb, failing, bursts):
    rng = random.Random(21)
    rows = []
    for first, last, count in ((0, 3_600, 3_000), (3_600, 4_200, 10_000), (4_200, 7_200, 2_500)):
        share = failing if first == 3_600 else 0.002
        rows += [
            request(rng.uniform(first, last), 500 if rng.random() < share else 200) for _ in range(count)
        ]
    add(wb, "requests", rows)
    row = only(run(wb), "app500")
    assert row.bursts == bursts and row.count >= 20


def test_a_burst_has_its_span_its_peak_and_its_share(wb):
    at = [3_000 + 2 * n for n in range(40)]
    add(wb, "requests", day([*at, 100, 9_000]))
    row = only(run(wb), "H12")
    assert (row.bursts, row.burst_errors, row.burst_peak_per_min) == (1, 40, 30)
    assert (row.burst_start, row.burst_end) == (
        START + timedelta(seconds=3_000),
        START + timedelta(seconds=3_078),
    )
    assert row.burst_requests == 79 + 40 and row.burst_share == pytest.approx(40 / 119)
    (finding, *_) = wb.run("errors").findings
    assert finding.severity == "critical" and finding.about == (row.burst_start, row.burst_end)
    assert (
        "40 errors, 2024-03-04 05:50:00–05:51:18 UTC" in finding.title and "42 errors in all" in finding.title
    )
    assert len(finding.evidence) == 5 and all(one.line > 10_800 for one in finding.evidence)


def test_few_errors_or_a_usual_rate_are_no_burst(wb):
    add(wb, "requests", day([3_000, 3_001, 3_002, 3_003]))
    assert only(run(wb), "H12").bursts == 0
    assert only(run(wb, burst_count=4), "H12").bursts == 1


def test_errors_at_the_same_rate_all_the_time_are_no_burst(wb):
    add(wb, "requests", day([8.0 * n for n in range(1_350)]))
    row = only(run(wb), "H12")
    assert row.count == 1_350 and row.bursts == 0 and pd.isna(row.burst_start)


def test_chance_makes_no_burst(wb):
    rng = random.Random(5)
    add(wb, "requests", day([rng.uniform(0, 10_800) for _ in range(150)]))
    assert only(run(wb), "H12").bursts == 0


def test_chance_at_a_high_rate_makes_no_burst(wb):
    rng = random.Random(6)
    at = sorted(rng.uniform(0, 86_400) for _ in range(3_456))
    add(
        wb,
        "requests",
        [request(second) for second in range(0, 86_400, 10)] + [request(s, 503, "H12") for s in at],
    )
    row = only(run(wb), "H12")
    assert row.bursts == 0 and row.episodes > 100


def test_a_burst_on_top_of_a_high_rate_is_found(wb):
    rng = random.Random(7)
    at = [rng.uniform(0, 86_400) for _ in range(3_456)] + [40_000 + rng.uniform(0, 120) for _ in range(60)]
    add(
        wb,
        "requests",
        [request(second) for second in range(0, 86_400, 10)] + [request(s, 503, "H12") for s in at],
    )
    row = only(run(wb), "H12")
    assert row.bursts == 1 and row.burst_peak_per_min >= 30
    assert abs((row.burst_start - START).total_seconds() - 40_000) < 600


def test_the_tail_of_the_reference_decides():
    tail = errors.SQL[errors.SQL.index("list_sum(list_transform(\n                range(e.peak_per_min") :]
    expression = tail[: tail.index("END")].replace("e.peak_per_min", "5").replace("usual_per_min", "0.2")
    found = Workbook.open().sql(f"SELECT {expression} AS p")["p"][0]
    assert found == pytest.approx(poisson.sf(4, 0.2)) == pytest.approx(2.26e-6, rel=0.01)


# where


def test_concentration_has_the_lift_and_the_test_of_the_reference(wb):
    rows = [request(n, route="/slow", dyno=f"web.{n % 4}") for n in range(1_970)]
    rows += [request(n, route=f"/r{n % 9}", dyno=f"web.{n % 4}") for n in range(17_990)]
    rows += [request(600 * n, 503, "H13", route="/slow", dyno=f"web.{n % 4}") for n in range(30)]
    rows += [request(600 * n + 300, 503, "H13", route="/r1", dyno=f"web.{n % 4}") for n in range(10)]
    add(wb, "requests", rows)
    row = only(run(wb), "H13")
    (one,) = row.concentration
    assert (one["attribute"], one["value"], one["errors"], one["requests"]) == ("route", "/slow", 30, 2_000)
    assert one["support"] == pytest.approx(0.75) and one["lift"] == pytest.approx(7.5)
    tested = 2 + 4 + 1 + 1 + 1
    exact = fisher_exact([[30, 10], [1_970, 17_990]], alternative="greater").pvalue
    assert one["p_corrected"] == pytest.approx(exact * tested, rel=1e-6) and exact == pytest.approx(
        2.55e-22, rel=0.01
    )
    assert one["explained"] == pytest.approx(30 - 2_000 * 10 / 18_000)
    assert "75 % with route /slow (7.5 times its share of requests)" in wb.run("errors").findings[0].title


def test_errors_spread_evenly_point_to_what_is_shared(wb):
    rows = [
        request(n, route=f"/r{n % 5}", dyno=f"web.{n % 3}", fwd=f"192.0.2.{n % 200}") for n in range(3_000)
    ]
    spread = [
        request(900 * n, 503, "H13", route=f"/r{n % 5}", dyno=f"web.{n % 3}", fwd=f"192.0.2.{n}")
        for n in range(60)
    ]
    add(wb, "requests", rows + spread)
    (finding, *_) = wb.run("errors").findings
    assert only(run(wb), "H13").concentration is None or pd.isna(only(run(wb), "H13").concentration)
    assert "they share something else: a queue behind one slow route" in finding.next_step


def spread(wb: Workbook, routes: list[str], failing: list[str], dynos: int = 4) -> Any:
    """The first finding on 4,000 good requests and 60 failed ones on those routes, evenly over the dynos."""
    rows = [request(n, route=routes[n % len(routes)], dyno=f"web.{n % dynos}") for n in range(4_000)]
    rows += [
        request(60 * n, 500, route=failing[n % len(failing)], dyno=f"web.{n % dynos}", fwd=f"192.0.2.{n}")
        for n in range(60)
    ]
    add(wb, "requests", rows)
    return wb.run("errors").findings[0]


def test_a_route_with_all_errors_and_most_requests_is_named(wb):
    finding = spread(wb, ["/a", "/b", "/big", "/big", "/big"], ["/big"])
    (one,) = only(run(wb), "app500").concentration
    assert one["value"] == "/big" and 1 < one["lift"] < 2 and one["p_corrected"] < 0.01
    assert "100 % with route /big (1.7 times its share of requests)" in finding.title
    assert "share something else" not in finding.next_step


def test_a_route_that_is_a_little_denser_leaves_the_cause_open(wb):
    finding = spread(wb, ["/a", "/b"], ["/a", "/a", "/a", "/b"], 3)
    row = only(run(wb), "app500")
    assert row.denser_values == 1 and pd.isna(row.concentration) and row.top_route_share == 0.75
    assert "none has twice it: by this, causes cannot be told apart" in finding.next_step


def test_the_only_route_and_the_only_dyno_cannot_be_told_apart(wb):
    finding = spread(wb, ["/graphql"], ["/graphql"], 1)
    assert "share something else" not in finding.next_step
    assert (
        "100 % of these errors are with route /graphql and 100 % of these errors are with dyno web.0,"
        " hardly more than of all requests: by this, causes cannot be told apart." in finding.next_step
    )


def test_own_500_name_the_most_frequent_exception(wb):
    add(wb, "requests", [request(n) for n in range(500)] + [request(200 * n, 500) for n in range(6)])
    frame = "app/models/cart.rb:58:in `discount'"
    traces = [{"time": START, "exception": "NoMethodError", "first_own_frame": frame}] * 3
    traces += [{"time": START, "exception": "Net::ReadTimeout", "first_own_frame": None}] * 2
    add(wb, "stack_traces", traces)
    row = only(run(wb), "app500")
    assert (row.exception, row.exception_frame, row.exception_count, row.exceptions) == (
        "NoMethodError",
        frame,
        3,
        5,
    )
    title = wb.run("errors").findings[0].title
    assert f"most frequent exception NoMethodError at {frame} (3 of 5 stack traces)" in title


# edges


def test_an_empty_window_gives_no_row_and_says_what_is_missing(wb):
    assert errors.rows(wb._database.query, Window()).empty
    add(wb, "dyno_errors", [{"time": START, "dyno": "web.1", "code": "R12"}])
    table = errors.rows(wb._database.query, Window("2030-01-01", "2030-01-02"))
    (finding,) = errors.findings(table)
    assert table.empty and finding.severity == "cannot_tell" and "no router line" in finding.title
    assert errors.findings(pd.DataFrame({"code": []})) == []


def test_rows_of_nothing_but_null_are_harmless(wb):
    for table in ("requests", "dyno_errors", "log_errors", "stack_traces"):
        wb._database.execute(f"INSERT INTO {table} (source_id, line) VALUES (1, 1)")
    result = wb.run("errors")
    assert result.table.empty and [one.severity for one in result.findings] == ["cannot_tell"]
    assert result.chart.to_dict()


def test_the_window_cuts_the_counts(wb):
    add(wb, "requests", day([100, 200, 300]))
    row = only(errors.rows(wb._database.query, Window(START, START + timedelta(seconds=250))), "H12")
    assert row.count == 2 and row.requests == 252


def test_the_sql_gives_the_table_again_and_the_chart_stays_small(wb):
    rows = [request(n * 37, 503, f"H{10 + n % 9}") for n in range(3_000)] + [request(n) for n in range(100)]
    add(wb, "requests", rows)
    result = wb.run("errors")
    again = wb.sql(result.sql)
    assert list(again.columns) == list(result.table.columns)
    assert again.drop(columns=["per_bucket", "evidence", "concentration"]).equals(
        result.table.drop(columns=["per_bucket", "evidence", "concentration"])
    )
    assert [list(cell) for cell in again["per_bucket"]] == [list(cell) for cell in result.table["per_bucket"]]
    assert max(map(len, result.table["per_bucket"])) <= 200
    points = errors._points(result.table)
    assert points["count"].sum() == 3_000 and len(points) <= 5_000 and points["code"].nunique() == 8


# findings from hand-made rows


ROW = {
    "code": "H12",
    "count": 12,
    "first_time": pd.Timestamp("2024-03-04 05:00:00"),
    "last_time": pd.Timestamp("2024-03-04 06:00:00"),
    "episodes": 3,
    "requests": 48_000,
    "per_10k": 2.5,
    "per_10k_low": 1.43,
    "per_10k_high": 4.37,
    "clients": 9,
    "dynos": 2,
    "bursts": 0,
    "bursts_errors": pd.NA,
    "bursts_start": pd.NaT,
    "bursts_end": pd.NaT,
    "burst_errors": pd.NA,
    "burst_start": pd.NaT,
    "burst_end": pd.NaT,
    "burst_peak_per_min": pd.NA,
    "burst_requests": pd.NA,
    "burst_share": float("nan"),
    "burst_share_low": float("nan"),
    "burst_clients": pd.NA,
    "burst_clients_hit": pd.NA,
    "top_route": "/a",
    "top_route_share": 0.2,
    "top_dyno": "web.1",
    "top_dyno_share": 0.5,
    "denser_values": 0,
    "concentration": None,
    "exception": None,
    "exception_frame": None,
    "exception_count": pd.NA,
    "exceptions": pd.NA,
    "exception_line": pd.NA,
    "dropped": pd.NA,
    "log_lines": 100_000,
    "bucket_s": 60,
    "per_bucket": None,
    "evidence": [{"source_id": 1, "line": 7}],
}
BURST = {
    "bursts": 1,
    "bursts_errors": 10,
    "bursts_start": ROW["first_time"],
    "bursts_end": ROW["last_time"],
    "burst_errors": 10,
    "burst_start": ROW["first_time"],
    "burst_end": ROW["last_time"],
    "burst_peak_per_min": 8,
    "burst_requests": 50,
    "burst_share": 0.2,
    "burst_share_low": 0.11,
    "burst_clients": 40,
    "burst_clients_hit": 9,
}
UNRATED = {"per_10k": float("nan"), "per_10k_low": float("nan"), "per_10k_high": float("nan")}


def severity(**values: Any) -> str:
    (finding,) = errors.findings(pd.DataFrame([{**ROW, **values}]))
    return finding.severity


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "warning"),
        ({"per_10k": 0.2, "per_10k_low": 0.1}, "note"),
        ({"per_10k": 150.0, "per_10k_low": 101.0}, "critical"),
        ({"per_10k": 150.0, "per_10k_low": 101.0, "count": 4}, "warning"),
        (UNRATED, "warning"),
        (BURST, "critical"),
        ({**BURST, "burst_share_low": 0.005}, "warning"),
        ({**BURST, **UNRATED, "burst_share_low": float("nan")}, "warning"),
        ({**BURST, **UNRATED, "burst_share_low": float("nan"), "burst_errors": 20}, "critical"),
        ({**BURST, "code": "app500"}, "critical"),
        ({**BURST, "code": "app500", "burst_clients_hit": 1}, "warning"),
        ({"code": "app500", "per_10k": 150.0, "per_10k_low": 101.0, "clients": 1}, "warning"),
        ({**BURST, "code": "H27"}, "note"),
        ({**BURST, "code": "H80"}, "note"),
        ({**BURST, "code": "H18"}, "warning"),
        ({"code": "R14"}, "warning"),
        ({"code": "R15"}, "critical"),
        ({"code": "R12"}, "note"),
        ({"code": "L10", "dropped": 999}, "note"),
        ({"code": "L10", "dropped": 1_000}, "warning"),
        ({"code": "L13"}, "warning"),
        ({"code": "L15"}, "note"),
        ({"code": "H77"}, "warning"),
    ],
)
def test_the_severity_rule(values, expected):
    assert severity(**values) == expected


def test_the_sentences():
    def title(**values: Any) -> str:
        return errors.findings(pd.DataFrame([{**ROW, **values}]))[0].title

    assert title() == (
        "H12 (Request timeout): 12 errors of 48,000 requests, 2024-03-04 05:00–06:00 UTC: 2.5 per 10,000"
        " (95 %: 1.43 to 4.37)."
    )
    assert title(code="L10", dropped=1_234, count=2) == (
        "The log lost at least 1,234 lines (L10, Drain buffer overflow, 2 reports): counts are too low."
    )
    assert title(code="L12").startswith("The log lost an unknown number of lines")
    assert title(code="R14", dynos=1) == (
        "R14 (Memory quota exceeded): 12 lines in 3 episodes on web.1, 2024-03-04 05:00–06:00 UTC."
    )
    assert "9 of 40 visitors hit" in title(code="app500", **BURST)
    assert "in 3 bursts" in title(**{**BURST, "bursts": 3, "bursts_errors": 11})


def test_hostile_text_stays_text_and_short():
    dense = [
        {
            "attribute": "route",
            "value": "/<script>\x1b[31m\n" + "x" * 500,
            "support": 0.9,
            "lift": 4.0,
            "explained": 9.0,
        }
    ]
    (finding,) = errors.findings(pd.DataFrame([{**ROW, "concentration": dense}]))
    assert "\x1b" not in finding.title and "\n" not in finding.title and len(finding.title) < 300
