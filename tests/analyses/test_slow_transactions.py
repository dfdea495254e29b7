"""slow_transactions against the book's table, the reference numbers, a plain reading of the rules, and hand-made rows."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from workbook import Window, Workbook, limits
from workbook.analyses import slow_transactions

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
TWELVE = (12, 18, 25, 31, 44, 58, 90, 140, 320, 505, 610, 2400)


def line(
    service: int | str = 100,
    path: str = "/a",
    status: int | str = 200,
    code: str = "",
    second: int = 0,
    connect: int | str = 0,
    method: str = "GET",
) -> str:
    """One router line; the connect time is 0 so that the service time is the whole."""
    fault = f'at=error code={code} desc="{code}"' if code else "at=info"
    wait = f"{connect}ms" if connect != "" else ""
    took = f"{service}ms" if service != "" else ""
    return (
        f"2024-03-04T05:{second // 60 % 60:02d}:{second % 60:02d}.000001+00:00 heroku[router]: {fault} method={method}"
        f' path="{path}" host=shop.example.com request_id=00000000-0000-4000-8000-{second:012d} fwd="192.0.2.4"'
        f" dyno=web.1 connect={wait} service={took} status={status} bytes=10 protocol=https"
    )


def log(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def row(wb: Workbook, name: str, **options: Any) -> pd.Series:
    table = wb.run("slow_transactions", **options).table
    return table[table["name"] == name].iloc[0]


# the book


def test_the_books_table_begins_with_health_and_then_create(load_text: Any) -> None:
    result = load_text(BOOK, "table.tsv").run("slow_transactions")
    table = result.table
    assert table["name"].tolist()[:3] == [
        "HealthController#index",
        "TicketsController#create",
        "TicketsController#show",
    ]
    assert table["rank"].tolist() == list(range(1, 10))
    assert "All web transactions" not in set(table["name"])
    assert set(table["measured_by"]) == {"new_relic"}
    first = table.iloc[0]
    assert (first["count"], first["max_ms"], first["total_share"]) == (30466, 20200.0, 0.338)
    finding = next(one for one in result.findings if "first" in one.title)
    assert finding.severity == "warning"
    assert "HealthController#index" in finding.title and "30,466" in finding.title
    assert finding.numbers["second"] == "TicketsController#create"
    assert [cited.line for cited in finding.evidence] == [3]


def test_the_books_table_with_a_danger_of_15_s(load_text: Any) -> None:
    table = load_text(BOOK, "table.tsv").run("slow_transactions", danger_ms=15_000).table
    names = [name.replace("Controller", "") for name in table["name"][:5]]
    assert names == ["Health#index", "Searches#index", "Tickets#show", "Tickets#update", "Tickets#create"]


def test_the_books_table_by_time(load_text: Any) -> None:
    result = load_text(BOOK, "table.tsv").run("slow_transactions", order="time_consumed")
    assert result.table["name"].tolist()[:2] == ["HealthController#index", "SidebarController#status"]
    assert result.table["total_share"].tolist()[:2] == [0.338, 0.206]
    assert result.table["cumulative_share"].iloc[-1] == pytest.approx(0.99)
    assert result.table["total_ms"].sum() == 36_846_999
    assert result.table["count"].sum() == 209_501
    assert (result.table["all_total_ms"] == 37_200_000).all()
    assert any("33.8 %" in one.title for one in result.findings)


def test_count_times_mean_is_the_total_in_each_row_of_the_books_table(load_text: Any) -> None:
    result = load_text(BOOK, "table.tsv").run("slow_transactions")
    checks = result.table.set_index("name")["d_check"]
    assert checks.abs().idxmax() == "TicketsController#update"
    assert checks.abs().max() == pytest.approx(0.00322, abs=5e-6)
    assert checks["HealthController#index"] == pytest.approx(-0.00139, abs=5e-6)
    assert result.table["all_d_check"].iloc[0] == pytest.approx(0.0020, abs=5e-5)
    assert set(result.table["verdict"]) == {"pass"}
    assert any(one.severity == "ruled_out" and "holds in all 9 rows" in one.title for one in result.findings)


def test_a_mean_gives_no_percentiles_and_no_shares(load_text: Any) -> None:
    table = load_text(BOOK, "table.tsv").run("slow_transactions").table
    for column in ("p50_ms", "p95_ms", "p99_ms", "within_500ms_share", "over_5s_count"):
        assert table[column].isna().all(), column


@pytest.mark.parametrize("order", ["p95", "over_5s"])
def test_an_order_that_the_table_cannot_give_is_refused(load_text: Any, order: str) -> None:
    result = load_text(BOOK, "table.tsv").run("slow_transactions", order=order)
    assert result.table["rank"].isna().all()
    assert any(one.severity == "cannot_tell" and order in one.title for one in result.findings)


def test_a_table_without_max_refuses_max_then_count(load_text: Any) -> None:
    wb = load_text(
        "Transaction,Apdex,Count,Avg (ms)\nitems#index,0.95,30,12\nitems#show,0.99,10,30\n", "t.csv"
    )
    result = wb.run("slow_transactions")
    assert result.table["rank"].isna().all()
    assert any(one.severity == "cannot_tell" for one in result.findings)
    by_time = wb.run("slow_transactions", order="time_consumed").table
    assert by_time["name"].tolist() == ["items#index", "items#show"]
    assert by_time["total_ms"].tolist() == [360.0, 300.0]
    assert by_time["verdict"].isna().all(), "a total that was worked out checks nothing"


@pytest.mark.parametrize("total, verdict", [(10_000, "pass"), (10_080, "warn"), (11_000, "fail")])
def test_rows_whose_numbers_do_not_belong_together_are_told(load_text: Any, total: int, verdict: str) -> None:
    wb = load_text(
        f"Transaction,Apdex,Count,Avg (ms),Max (ms),Total (ms)\nitems#index,0.95,100,100,900,{total}\n",
        "t.csv",
    )
    result = wb.run("slow_transactions")
    assert result.table["verdict"].tolist() == [verdict]
    expected = {"pass": "ruled_out", "warn": "note", "fail": "warning"}[verdict]
    assert [one.severity for one in result.findings if "Count × Avg" in one.title] == [expected]


def test_a_table_has_no_times_and_is_not_in_a_window(load_text: Any) -> None:
    result = load_text(BOOK, "table.tsv").run("slow_transactions", Window("2013-06-01", "2013-07-01"))
    assert result.table.empty
    assert [one.severity for one in result.findings] == ["cannot_tell"]


# the router: quantiles, shares, Apdex


def test_the_twelve_values_of_the_reference(load_text: Any) -> None:
    wb = load_text(log(*(line(ms, second=n) for n, ms in enumerate(TWELVE))))
    found = row(wb, "GET /a")
    assert found["p50_ms"] == 74.0
    assert found["within_500ms_share"] == 0.75
    assert found["max_ms"] == 2400
    assert pd.isna(found["p95_ms"]) and pd.isna(found["p99_ms"]), "12 values are too few"
    assert found["total_ms"] == sum(TWELVE)
    assert found["over_500ms_s"] == pytest.approx(2.015)


def test_a_time_of_exactly_500_ms_counts_as_fast(load_text: Any) -> None:
    assert row(load_text(log(line(500), line(501, second=1))), "GET /a")["within_500ms_count"] == 1


@pytest.mark.parametrize(
    "n, known",
    [
        (4, []),
        (5, ["p50_ms"]),
        (58, ["p50_ms"]),
        (59, ["p50_ms", "p95_ms"]),
        (299, ["p50_ms", "p95_ms", "p99_ms"]),
    ],
)
def test_quantiles_are_printed_from_enough_values_on_and_are_those_of_numpy(
    load_text: Any, n: int, known: list[str]
) -> None:
    draw = random.Random(n)
    values = [int(draw.lognormvariate(5, 1)) for _ in range(n)]
    found = row(load_text(log(*(line(ms, second=at) for at, ms in enumerate(values)))), "GET /a")
    for column, p in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        if column in known:
            assert found[column] == pytest.approx(np.quantile(values, p))
        else:
            assert pd.isna(found[column])


def ranks(n: int) -> tuple[int | None, int | None]:
    """The ranks that bound the 95th percentile of n values, by a walk over the binomial's distribution."""
    up_to = binom.cdf(np.arange(n + 1), n, 0.95)
    low, high = int((up_to <= 0.025).sum()), int((up_to < 0.975).sum()) + 1
    return (low or None), (high if high <= n else None)


@pytest.mark.parametrize(
    "n, known",
    [
        (59, (52, None)),
        (71, (63, None)),
        (72, (64, 72)),
        (100, (90, 100)),
        (368, (341, 358)),
        (1000, (936, 964)),
    ],
)
def test_the_interval_of_the_95th_percentile_has_the_exact_ranks(
    load_text: Any, n: int, known: tuple[int, int | None]
) -> None:
    assert ranks(n) == known
    found = row(load_text(log(*(line(10 + at, second=at) for at in range(n)))), "GET /a")
    low, high = found["p95_low_ms"] - 9, found["p95_high_ms"] - 9
    assert (low, None if pd.isna(high) else high) == known


def test_the_interval_is_exact_for_every_number_of_answers(wb: Workbook) -> None:
    sizes = [*range(59, 700, 7), 5_000, 40_001]
    wb._database.execute(
        "INSERT INTO requests (source_id, line, time, method, route, status, connect_ms, service_ms)"
        " SELECT 1, n * 100_000 + k, TIMESTAMP '2024-03-04 05:00:00', 'GET', '/' || n, 200, 0, k"
        " FROM (SELECT n, unnest(range(1, n + 1)) AS k FROM (SELECT unnest($sizes::BIGINT[]) AS n))",
        sizes=sizes,
    )
    table = wb.run("slow_transactions").table.set_index("name")
    for n in sizes:
        low, high = table.loc[f"GET /{n}", ["p95_low_ms", "p95_high_ms"]]
        assert (low, None if pd.isna(high) else high) == ranks(n), n


def test_the_apdex_of_the_reference(load_text: Any) -> None:
    times = (
        [(100, 200, "")] * 60
        + [(900, 200, "")] * 20
        + [(2500, 200, "")] * 10
        + [(50, 500, "")] * 6
        + [(30000, 503, "H12")] * 4
    )
    wb = load_text(
        log(*(line(ms, status=status, code=code, second=n) for n, (ms, status, code) in enumerate(times)))
    )
    found = row(wb, "GET /a")
    assert (found["satisfied_count"], found["tolerating_count"], found["frustrated_count"]) == (60, 20, 20)
    assert found["apdex"] == pytest.approx(0.70)
    assert row(wb, "GET /a", apdex_t_s=1.0)["satisfied_count"] == 80
    finding = next(one for one in wb.run("slow_transactions").findings if "Apdex" in one.title)
    assert finding.numbers["router_apdex"] == pytest.approx(0.70)
    assert "router" in finding.title and "New Relic" in finding.title


def test_what_is_no_answer_is_left_out_of_times_and_counted(load_text: Any) -> None:
    found = row(
        load_text(
            log(
                line(100, second=1),
                line(200, second=2, connect=3),
                line(700_000, status=101, second=3),
                line(5, status=503, code="H80", second=4),
                line(8_000, status=499, code="H27", second=5),
                line(9_000, status=499, second=6),
                line("", status=503, code="H10", connect="", second=7),
                line(0, status=503, code="H21", connect=0, second=8),
                line(4_000, status=503, code="H13", connect=1, second=9),
                line("", status=200, connect="", second=10),
                line(300, status=503, connect="", second=11),
            )
        ),
        "GET /a",
    )
    assert (found["count"], found["answered_count"], found["h12_count"]) == (3, 3, 0)
    assert found["total_ms"] == 100 + 203 + 300
    left = ("websocket", "maintenance", "client_gone", "no_dyno", "other_code", "no_time", "no_connect")
    assert [found[f"{name}_count"] for name in left] == [1, 1, 2, 2, 1, 1, 1]
    assert (found["satisfied_count"], found["tolerating_count"], found["frustrated_count"]) == (2, 0, 4)
    assert found["over_5s_count"] == 0


def test_an_h12_counts_30_s_and_does_not_flatter_the_route(load_text: Any) -> None:
    wb = load_text(
        log(
            *(line(100 + n, second=n) for n in range(290)),
            *(line(30_001, code="H12", status=503, second=300 + n) for n in range(10)),
        )
    )
    found = row(wb, "GET /a")
    assert (found["count"], found["answered_count"], found["h12_count"]) == (300, 290, 10)
    assert found["max_ms"] == limits.H12_MS and found["max_is_cut"]
    assert pd.isna(found["p99_ms"]), "290 answers are too few for a 99th percentile"
    assert found["p99_with_h12_ms"] == limits.H12_MS
    assert found["within_500ms_share"] == pytest.approx(290 / 300)
    assert found["over_5s_count"] == 10
    assert found["total_ms"] == sum(range(100, 390)) + 10 * limits.H12_MS
    title = wb.run("slow_transactions").findings[0].title
    assert "30 s or more, cut off by an H12" in title


def test_a_longer_answer_than_the_cut_is_the_largest(load_text: Any) -> None:
    found = row(load_text(log(line(41_000), line(30_000, code="H12", status=503, second=1))), "GET /a")
    assert found["max_ms"] == 41_000 and not found["max_is_cut"]


def test_the_orders_put_their_own_first(load_text: Any) -> None:
    lines = [line(90, "/often", second=n) for n in range(100)]
    lines += [line(21_000, "/rare", second=200)]
    lines += [line(20_500 if n == 0 else 50, "/both", second=300 + n) for n in range(60)]
    lines += [line(6_000, "/report", second=400 + n) for n in range(70)]
    wb = load_text(log(*lines))
    first = {
        order: wb.run("slow_transactions", order=order).table["name"].tolist()
        for order in ("max_then_count", "time_consumed", "p95", "over_5s")
    }
    assert first["max_then_count"] == ["GET /both", "GET /rare", "GET /report", "GET /often"]
    assert first["time_consumed"] == ["GET /report", "GET /both", "GET /rare", "GET /often"]
    assert first["p95"][:2] == ["GET /report", "GET /often"]
    assert first["over_5s"] == ["GET /report", "GET /rare", "GET /both", "GET /often"]
    by_p95 = wb.run("slow_transactions", order="p95").table.set_index("name")["rank"]
    assert pd.isna(by_p95["GET /rare"])


def test_routes_and_methods_stay_apart_and_ids_do_not(load_text: Any) -> None:
    wb = load_text(
        log(
            line(path="/users/5"),
            line(path="/users/6", second=1),
            line(path="/users/7", method="POST", second=2),
        )
    )
    counts = wb.run("slow_transactions").table.set_index("name")["count"]
    assert counts.to_dict() == {"GET /users/:id": 2, "POST /users/:id": 1}


def test_the_slowest_lines_are_the_evidence(load_text: Any) -> None:
    wb = load_text(log(*(line(ms, second=n) for n, ms in enumerate([100, 900, 300, 900, 800, 700, 600]))))
    found = row(wb, "GET /a")
    assert [cited["line"] for cited in found["evidence"]] == [2, 4, 5, 6, 7]


def test_the_window_is_half_open(load_text: Any) -> None:
    wb = load_text(log(line(10, second=0), line(20, second=60), line(30, second=120)))
    table = wb.run(
        "slow_transactions", Window("2024-03-04 05:00:00.000001", "2024-03-04 05:02:00.000001")
    ).table
    assert table["total_ms"].tolist() == [30]


def test_router_and_new_relic_are_ranked_apart(load_text: Any) -> None:
    load_text(log(*(line(100, second=n) for n in range(6))))
    result = load_text(BOOK, "table.tsv").run("slow_transactions")
    assert result.table["measured_by"].tolist() == ["router", *["new_relic"] * 9]
    assert result.table["rank"].tolist() == [1, *range(1, 10)]
    assert result.table["total_share"].iloc[0] == 1
    assert result.chart is not None and "router" in result.chart.to_dict()["description"]


@pytest.mark.parametrize("order", ["max_then_count", "time_consumed", "p95", "over_5s"])
def test_the_sql_of_the_result_gives_the_table_again(load_text: Any, order: str) -> None:
    load_text(
        log(*(line(100 * n, f"/r{n % 7}x/y", second=n, code="H12" if n == 70 else "") for n in range(200)))
    )
    wb = load_text(BOOK, "table.tsv")
    result = wb.run("slow_transactions", order=order)
    again = wb.sql(result.sql)
    assert again.drop(columns="evidence").equals(result.table.drop(columns="evidence"))
    assert again["evidence"].astype(str).tolist() == result.table["evidence"].astype(str).tolist()


def test_every_number_is_that_of_a_plain_reading_of_the_rules(load_text: Any) -> None:
    draw = random.Random(7)
    seen: dict[str, list[tuple[float | None, str, int]]] = {}
    lines = []
    for second in range(2_000):
        path = f"/p{draw.randrange(6)}x/z"
        kind = draw.choices(["ok", "error", "h12", "socket", "gone", "h10", "h13"], [80, 5, 3, 2, 3, 2, 2])[0]
        took = int(draw.lognormvariate(6, 1.4))
        status = {"ok": 200, "error": 500, "socket": 101, "gone": 499}.get(kind, 503)
        code = {"h12": "H12", "gone": "H27", "h10": "H10", "h13": "H13"}.get(kind, "")
        blank = kind == "h10"
        lines.append(line("" if blank else took, path, status, code, second, "" if blank else 1))
        seen.setdefault(f"GET {path}", []).append((took + 1, kind, status))
    table = load_text(log(*lines)).run("slow_transactions").table.set_index("name")
    assert set(table.index) == set(seen)
    for name, requests in seen.items():
        answered = [ms for ms, kind, _ in requests if kind in ("ok", "error")]
        counted = answered + [limits.H12_MS for _, kind, _ in requests if kind == "h12"]
        judged = [(ms, kind) for ms, kind, _ in requests if kind not in ("socket", "gone")]
        satisfied = sum(kind == "ok" and ms <= 500 for ms, kind in judged)
        tolerating = sum(kind == "ok" and 500 < ms <= 2000 for ms, kind in judged)
        found = table.loc[name]
        assert found["count"] == len(counted)
        assert found["total_ms"] == sum(counted)
        assert found["max_ms"] == max(counted)
        assert found["avg_ms"] == pytest.approx(sum(counted) / len(counted))
        assert found["p50_ms"] == pytest.approx(np.quantile(answered, 0.5))
        assert found["p95_ms"] == pytest.approx(np.quantile(answered, 0.95))
        assert found["over_5s_count"] == sum(ms > 5000 for ms in counted)
        assert found["within_500ms_share"] == pytest.approx(sum(ms <= 500 for ms in counted) / len(counted))
        assert found["apdex"] == pytest.approx((satisfied + tolerating / 2) / len(judged))
    assert math.isclose(table["total_share"].sum(), 1)


# findings, from hand-made rows


def made(**values: Any) -> dict[str, Any]:
    """A row of a fast route, with some values put in place."""
    fast = {
        "rank": 1, "ordered_by": "max_then_count", "measured_by": "router", "source_id": None, "name": "GET /a", "count": 1_000,
        "p50_ms": 80.0, "p95_ms": 200.0, "p99_ms": 300.0, "max_ms": 450.0, "total_ms": 90_000.0, "total_share": 1.0,
        "within_500ms_share": 1.0, "over_5s_count": 0, "apdex": 1.0, "apdex_t_s": 0.5, "avg_ms": 90.0,
        "answered_count": 1_000, "h12_count": 0, "max_is_cut": False, "p95_low_ms": 190.0, "p95_high_ms": 210.0,
        "within_500ms_count": 1_000, "over_500ms_s": 0.0, "satisfied_count": 1_000, "tolerating_count": 0,
        "frustrated_count": 0, "succeeded_count": 1_000, "no_dyno_count": 0, "other_code_count": 0, "d_check": None, "verdict": None, "all_apdex": None,
        "evidence": [{"source_id": 1, "line": 17}],
    }  # fmt: skip
    return {**fast, **values}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows) or [made()]).iloc[: len(rows)]


def test_a_fast_application_gives_only_what_was_ruled_out() -> None:
    found = slow_transactions.findings(frame(made()))
    assert {one.severity for one in found} == {"ruled_out"}
    assert "450 ms" in found[0].title and found[0].numbers["count"] == 1_000


def test_no_rows_cannot_tell() -> None:
    assert [one.severity for one in slow_transactions.findings(frame())] == ["cannot_tell"]
    only_sockets = frame(made(count=0, max_ms=None, rank=None, websocket_count=4))
    found = slow_transactions.findings(only_sockets)
    assert [one.severity for one in found] == ["cannot_tell"] and found[0].numbers == {"websocket_count": 4}


def test_one_slow_request_is_a_note_and_many_are_a_warning() -> None:
    once = made(max_ms=22_000.0, over_5s_count=1, within_500ms_count=999)
    often = made(max_ms=22_000.0, over_5s_count=200, within_500ms_count=700)
    for rows, severity in ((once, "note"), (often, "warning")):
        found = slow_transactions.findings(frame(rows))
        assert [one.severity for one in found if "longer than 5 s" in one.title] == [severity]
        assert found[0].severity == severity and found[0].evidence[0].line == 17


def test_a_route_that_is_usually_fast_may_only_wait_behind_one_that_is_usually_slow() -> None:
    waits = made(
        name="GET /coupons",
        max_ms=30_000.0,
        p50_ms=130.0,
        within_500ms_count=800,
        h12_count=8,
        max_is_cut=True,
        over_5s_count=100,
    )
    slow = made(rank=2, name="GET /reports/:id", max_ms=29_000.0, p50_ms=18_000.0, count=43, answered_count=43,
                within_500ms_count=0, over_5s_count=43, evidence=[{"source_id": 1, "line": 9}])  # fmt: skip
    found = slow_transactions.findings(frame(waits, slow))
    assert "may only wait behind GET /reports/:id" in found[0].title
    assert found[0].numbers["usually_slow"] == "GET /reports/:id"
    assert [cited.line for cited in found[0].evidence] == [9, 17]
    background = next(one for one in found if "longer than 5 s" in one.title)
    assert background.title.startswith(
        "1 route takes longer than 5 s as a rule, by the router log: GET /reports/:id (43 of 43)"
    )
    assert "1 other does at times" in background.title and "background dyno" in background.next_step
    alone = slow_transactions.findings(frame(waits))
    assert alone[0].title.startswith("Look at GET /coupons first")
    assert "background dyno" not in next(one for one in alone if "longer than 5 s" in one.title).next_step


def test_slowness_alone_is_never_critical() -> None:
    worst = made(max_ms=30_000.0, h12_count=900, max_is_cut=True, over_5s_count=1_000, within_500ms_count=0,
                 within_500ms_share=0.0, satisfied_count=0, frustrated_count=1_000, apdex=0.0)  # fmt: skip
    for order in ("max_then_count", "time_consumed", "p95", "over_5s"):
        found = slow_transactions.findings(frame(worst), order=order)
        assert "critical" not in {one.severity for one in found}
        assert "warning" in {one.severity for one in found}


def test_few_requests_are_not_judged_by_apdex() -> None:
    few = made(
        count=20, answered_count=20, satisfied_count=20, within_500ms_count=20, p95_ms=None, p99_ms=None
    )
    found = slow_transactions.findings(frame(few))
    assert [one.severity for one in found if "Apdex" in one.title] == ["cannot_tell"]
    assert [one.severity for one in found if "at most 500 ms" in one.title] == ["note"], (
        "20 of 20 may still be 84 %"
    )


@pytest.mark.parametrize(
    "errors, said",
    [
        (
            {"status": 503, "code": "H12", "service": 30_000},
            "40 of them were cut off at 30 s (H12), most in GET /a",
        ),
        ({"status": 500, "service": 7_000}, "none of 40 router lines is a success"),
    ],
)
@pytest.mark.parametrize("order", ["max_then_count", "time_consumed", "p95", "over_5s"])
def test_a_log_of_errors_only_gives_no_shares_and_rules_nothing_out(
    load_text: Any, errors: dict[str, Any], said: str, order: str
) -> None:
    wb = load_text(log(*(line(second=n, **errors) for n in range(40))))
    (finding,) = wb.run("slow_transactions", order=order).findings
    assert finding.severity == "cannot_tell" and said in finding.title and finding.evidence
    assert "%" not in finding.title and "may hold errors only" in finding.title
    assert "search filter" in finding.next_step


def test_one_success_is_enough_to_judge(load_text: Any) -> None:
    lines = [line(30_000, code="H12", status=503, second=n) for n in range(40)]
    for success in (line(90, second=50), line(90, second=50, status=""), line(9_000, status=101, second=50)):
        titles = [one.title for one in load_text(log(*lines, success)).run("slow_transactions").findings]
        assert any("as a rule" in title for title in titles), success


def test_errors_only_leave_the_new_relic_table_to_be_judged(load_text: Any) -> None:
    load_text(log(*(line(30_000, code="H12", status=503, second=n) for n in range(40))))
    found = load_text(BOOK, "table.tsv").run("slow_transactions").findings
    assert "cannot_tell" in {one.severity for one in found}
    assert any("HealthController#index" in one.title for one in found)
    assert not any("router" in one.title for one in found if one.severity != "cannot_tell")


def test_requests_that_got_no_answer_are_named_beside_the_share_and_can_spoil_it() -> None:
    for unanswered, severity in ((0, "ruled_out"), (10, "ruled_out"), (100, "note")):
        rows = frame(
            made(no_dyno_count=unanswered - unanswered // 2),
            made(rank=None, name="GET /b", count=0, no_dyno_count=0, other_code_count=unanswered // 2),
        )
        (finding,) = [one for one in slow_transactions.findings(rows) if "at most 500 ms" in one.title]
        assert finding.severity == severity and finding.title.startswith("Of 1,000 answered requests, 100 %")
        assert finding.numbers["unanswered_count"] == unanswered
        assert (f"; {unanswered} more failed unanswered." in finding.title) == (unanswered > 0)


def test_a_hostile_name_is_shown_harmless_in_the_title() -> None:
    found = slow_transactions.findings(frame(made(name="GET /\u202e\x1b[31mx" + "y" * 500, max_ms=25_000.0)))
    assert "\x1b" not in found[0].title and "\u202e" not in found[0].title and len(found[0].title) < 400


@pytest.mark.parametrize("count", [0, 1, 30])
def test_the_chart_shows_at_most_20_rows_and_survives_none(count: int) -> None:
    rows = frame(
        *(made(rank=n + 1, name=f"GET /{'long' * 30}/{n}", total_share=1 / count) for n in range(count))
    )
    spec = slow_transactions.chart(rows).to_dict()
    assert spec["description"]
    data = [one for one in spec["datasets"].values() if one and "total_share" in one[0]]
    assert sum(map(len, data)) == min(count, 20)


# slugs


def posts(count: int, each: int = 1, prefix: str = "/posts/", rest: str = "") -> list[str]:
    return [
        line(path=f"{prefix}on-{word}{rest}", second=number)
        for number, word in enumerate(
            f"{'abcdefghij'[n // 100]}{'klmnopqrst'[n // 10 % 10]}{'uvwxyzabcd'[n % 10]}"
            for n in range(count)
        )
        for _ in range(each)
    ]


def test_many_free_words_at_one_place_are_one_route_and_said(load_text: Any) -> None:
    wb = load_text(
        log(
            *posts(300),
            *(line(path="/posts/new") for _ in range(80)),
            *(line(path="/about") for _ in range(700)),
        )
    )
    result = wb.run("slow_transactions")
    names = set(result.table["name"])
    assert names == {"GET /posts/:slug", "GET /posts/new", "GET /about"}
    found = row(wb, "GET /posts/:slug")
    assert (found["count"], found["merged_count"]) == (300, 300)
    assert list(found["merged_routes"]) == ["/posts/on-aka", "/posts/on-akb", "/posts/on-akc"]
    (said,) = [one for one in result.findings if "free words" in one.title]
    assert "GET /posts/:slug stands for 300" in said.title and said.numbers["merged_routes"] == 300


def test_hundreds_of_words_are_slugs_however_often_they_come(load_text: Any) -> None:
    wb = load_text(log(*posts(210, each=8)))
    assert row(wb, "GET /posts/:slug")["merged_count"] == 210


def test_what_stands_behind_the_word_keeps_routes_apart(load_text: Any) -> None:
    wb = load_text(
        log(
            *posts(120),
            *posts(120, rest="/comments"),
            *posts(120, prefix="/tags/"),
            *(line(path="/a") for _ in range(700)),
        )
    )
    names = set(wb.run("slow_transactions").table["name"])
    assert names == {"GET /posts/:slug", "GET /posts/:slug/comments", "GET /tags/:slug", "GET /a"}


@pytest.mark.parametrize(
    "lines",
    [
        [*posts(49), *(line() for _ in range(1_000))],
        [*posts(60, each=20)],
        [*posts(300)],
        [
            line(path=f"/{word}", second=n)
            for n, word in enumerate("".join(p) for p in itertools.product("abcdefghij", repeat=3))
        ],
    ],
    ids=["few values", "values that come again", "too short a log", "the first place"],
)
def test_what_may_be_actions_stays_apart(load_text: Any, lines: list[str]) -> None:
    result = load_text(log(*lines)).run("slow_transactions")
    assert not [name for name in result.table["name"] if ":slug" in name]
    assert result.table["merged_count"].fillna(0).sum() == 0
