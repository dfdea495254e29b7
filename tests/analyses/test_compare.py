"""compare: the windows, the exact split of the mean, what is called a change, and how often it is wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from workbook import Window
from workbook.analyses import compare
from workbook.errors import UsageError

NOON = datetime(2024, 3, 5, 12, 0, 0)
AFTER = Window(NOON, NOON + timedelta(hours=4))


def fill(wb, frame: pd.DataFrame):
    """Put requests of a frame (minute since noon, route, total_ms, code) into the workbook."""
    rows = frame.reset_index(drop=True)
    made = pd.DataFrame(
        {
            "source_id": 1,
            "line": rows.index + 1,
            "time": pd.Timestamp(NOON) + pd.to_timedelta(rows["minute"], unit="min").dt.round("us"),
            "method": "GET",
            "route": rows["route"],
            "dyno": rows.get("dyno", "web.1"),
            "connect_ms": 0,
            "service_ms": rows["total_ms"].round().astype("int64"),
            "status": 200,
            "code": rows.get("code", pd.Series([None] * len(rows))),
        }
    )
    columns = ", ".join(made.columns)
    wb._database._connection.register("made", made)
    wb._database.execute(f"INSERT INTO requests ({columns}) SELECT {columns} FROM made")
    wb._database.execute(
        "INSERT INTO sources (source_id, path, sha256, kind, bytes, lines, log_lines, joined, duplicates, unread, blank)"
        f" VALUES (1, 'made.log', 'x', 'heroku_logs', 1, {len(made)}, {len(made)}, 0, 0, 0, 0)"
    )
    wb._database.execute(
        "INSERT INTO log_lines (source_id, line, time, source, process, message)"
        " SELECT source_id, line, time, 'heroku', 'router', '' FROM made"
    )
    return wb


def waves(
    seed: int, routes: int, *, hours: int = 8, per_minute: int = 6, correlation: float = 0.6
) -> pd.DataFrame:
    """Routes whose minutes share their fate: the level of a minute is correlated with that of the minute before."""
    noise = np.random.default_rng(seed)
    minutes, parts = hours * 60, []
    for route in range(routes):
        level = np.zeros(minutes)
        for minute in range(1, minutes):
            level[minute] = correlation * level[minute - 1] + noise.normal(0, 0.3)
        at = np.repeat(np.arange(minutes), per_minute)
        took = np.exp(5.5 + level[at] + noise.normal(0, 0.4, len(at)))
        when = at - minutes / 2 + noise.uniform(0, 1, len(at))
        parts.append(pd.DataFrame({"minute": when, "route": f"/r{route}", "total_ms": took}))
    return pd.concat(parts, ignore_index=True)


def row(table, metric, name):
    (found,) = table[(table["metric"] == metric) & (table["name"] == name)].to_dict("records")
    return found


def test_the_mean_splits_exactly_into_routes_and_mix(wb):
    noise = np.random.default_rng(3)
    parts = [
        pd.DataFrame({"minute": noise.uniform(low, high, n), "route": route, "total_ms": ms})
        for low, high, counts in (
            (-240, 0, ((900, "/a", 100), (100, "/b", 1_000))),
            (0, 240, ((700, "/a", 110), (300, "/b", 900))),
        )
        for n, route, ms in counts
    ]
    table = fill(wb, pd.concat(parts)).run("compare", AFTER).table
    means = table[table["metric"] == "mean_ms"].set_index("name")
    assert means.loc["GET /a", ["rate_ms", "mix_ms"]].astype(float).tolist() == pytest.approx([8.0, 32.7])
    assert means.loc["GET /b", ["rate_ms", "mix_ms"]].astype(float).tolist() == pytest.approx([-20.0, 136.3])
    assert means[["rate_ms", "mix_ms"]].astype(float).sum().sum() == pytest.approx(347.0 - 190.0)


def test_where_nothing_changed_nothing_is_said_to(wb):
    result = fill(wb, waves(7, routes=40)).run("compare", AFTER)
    tested = result.table[result.table["metric"].isin(["p50_ms", "p95_ms"])]
    assert len(tested) >= 80
    assert (tested["verdict"] == "changed").sum() <= 1
    assert not [finding for finding in result.findings if finding.severity == "warning"]


def test_the_interval_holds_no_difference_nearly_as_often_as_it_says(wb):
    table = fill(wb, waves(8, routes=60, correlation=0.8)).run("compare", AFTER).table
    routes = table[(table["scope"] == "route") & table["metric"].isin(["p50_ms", "p95_ms"])]
    held = (routes["low"] <= 0) & (routes["high"] >= 0)
    assert len(routes) == 120 and held.mean() >= 0.85


def test_a_route_that_takes_twice_as_long_is_found_among_forty(wb):
    frame = waves(9, routes=40)
    slower = (frame["route"] == "/r3") & (frame["minute"] >= 0)
    frame.loc[slower, "total_ms"] *= 2
    result = fill(wb, frame).run("compare", AFTER)
    changed = result.table[(result.table["verdict"] == "changed") & (result.table["scope"] == "route")]
    assert {"GET /r3"} <= set(changed["name"]) and len(set(changed["name"])) <= 2
    found = row(result.table, "p50_ms", "GET /r3")
    assert found["ratio"] == pytest.approx(2, rel=0.15) and found["low"] > 0
    told = [finding for finding in result.findings if finding.title.startswith("GET /r3: the median")]
    assert told and told[0].severity == "warning" and told[0].evidence and told[0].confidence == "medium"


def test_errors_in_one_burst_count_as_few_and_spread_ones_as_many(wb):
    noise = np.random.default_rng(5)
    calm = pd.DataFrame(
        {"minute": noise.uniform(-240, 240, 9_600), "route": "/a", "total_ms": 80.0, "code": None}
    )
    spread = calm.assign(
        code=np.where((calm["minute"] > 0) & (noise.uniform(size=9_600) < 0.05), "H12", None)
    )
    found = row(fill(wb, spread).run("compare", AFTER).table, "errors_per_10k", "H12")
    assert found["verdict"] == "changed" and found["before"] == 0 and found["low"] > 200
    burst = calm.assign(code=np.where(calm["minute"].between(100, 106), "H18", None))
    wb._database.execute("DELETE FROM requests")
    wb._database.execute("DELETE FROM sources")
    clustered = row(fill(wb, burst).run("compare", AFTER).table, "errors_per_10k", "H18")
    assert clustered["high"] - clustered["low"] > 2 * (found["high"] - found["low"])


def test_without_a_window_it_finds_the_lasting_change(wb):
    frame = waves(10, routes=4, hours=12)
    frame.loc[frame["minute"] >= 90, "total_ms"] *= 3
    result = fill(wb, frame).run("compare")
    after = result.table.attrs["after"]
    assert abs((after.start - NOON).total_seconds() / 60 - 90) <= 15
    assert row(result.table, "p50_ms", "all requests")["verdict"] == "changed"


def test_without_a_lasting_change_it_says_that(wb):
    result = fill(wb, waves(12, routes=4, correlation=0.0)).run("compare")
    (finding,) = result.findings
    assert finding.severity == "ruled_out" and "one level all the time" in finding.title
    assert result.table.empty


def test_the_same_time_last_week_and_what_is_normal(wb):
    noise = np.random.default_rng(2)
    parts = []
    # four weeks at that hour, each with another level; the last is as far off as they are among themselves
    for week, level in ((0, 300), (1, 180), (2, 330), (3, 160), (4, 310)):
        when = noise.uniform(0, 240, 1_500) - week * 7 * 24 * 60
        parts.append(
            pd.DataFrame({"minute": when, "route": "/a", "total_ms": level + noise.normal(0, 20, 1_500)})
        )
    result = fill(wb, pd.concat(parts)).run("compare", AFTER, against="last_week")
    found = row(result.table, "p50_ms", "all requests")
    assert found["before"] == pytest.approx(180, abs=5) and found["normal_windows"] == 3
    assert found["verdict"] == "within_normal"
    assert any("within what is normal" in finding.title for finding in result.findings)


@pytest.mark.parametrize(
    ("window", "options", "what"),
    [
        (AFTER, {"before_from": "2024-03-05 13:00"}, "overlap"),
        (Window(None, NOON), {"against": "previous"}, "needs the start"),
        (AFTER, {"before_from": "nonsense"}, "is not a time"),
    ],
)
def test_windows_that_make_no_comparison_are_refused(wb, window, options, what):
    fill(wb, waves(1, routes=1))
    with pytest.raises(UsageError, match=what):
        wb.run("compare", window, **options)


def test_a_short_window_is_not_judged(wb):
    result = fill(wb, waves(1, routes=1)).run("compare", Window(NOON, NOON + timedelta(minutes=10)))
    assert [finding.severity for finding in result.findings] == ["cannot_tell"]
    assert "30 min" in result.findings[0].title


def test_requests_just_after_a_release_are_left_out(wb):
    frame = pd.DataFrame({"minute": np.arange(-240, 240, 0.25), "route": "/a", "total_ms": 100.0})
    frame.loc[frame["minute"].between(60, 64.9), "total_ms"] = 9_000
    fill(wb, frame)
    wb._database.execute(
        f"INSERT INTO releases (source_id, line, time, event, version) VALUES (1, 1, '{NOON + timedelta(hours=1)}', 'release', 'v2')"
    )
    found = row(wb.run("compare", AFTER).table, "p95_ms", "all requests")
    assert found["after"] == 100 and found["after_count"] == found["before_count"] - 20


def test_the_memory_of_a_dyno_is_compared(wb):
    fill(wb, waves(1, routes=1))
    minutes = np.arange(-240, 240, 0.5)
    made = pd.DataFrame(
        {
            "source_id": 1,
            "line": np.arange(len(minutes)) + 1,
            "time": pd.Timestamp(NOON) + pd.to_timedelta(minutes, unit="min"),
            "dyno": "web.1",
            "metric": "memory_total",
            "value": np.where(minutes < 0, 300, 400) + np.random.default_rng(1).normal(0, 3, len(minutes)),
            "unit": "MB",
        }
    )
    wb._database._connection.register("samples", made)
    columns = ", ".join(made.columns)
    wb._database.execute(f"INSERT INTO dyno_samples ({columns}) SELECT {columns} FROM samples")
    result = wb.run("compare", AFTER)
    assert row(result.table, "memory_p50_mb", "web.1")["verdict"] == "changed"
    assert any("web.1: memory went from 300 MB to 400 MB" in finding.title for finding in result.findings)


def test_a_finding_is_made_of_rows_alone():
    one = dict.fromkeys(compare._COLUMNS)
    one |= {
        "metric": "p95_ms",
        "scope": "route",
        "name": "GET /a",
        "before": 100.0,
        "after": 400.0,
        "difference": 300.0,
    }
    one |= {"low": 200.0, "high": 420.0, "ratio": 4.0, "q": 0.001, "verdict": "changed", "before_count": 500}
    one |= {"after_count": 500, "normal_windows": 4, "block_s": 600}
    told = compare.findings(pd.DataFrame([one]))
    assert (
        told[1].title
        == "GET /a: the 95th percentile went from 100 ms to 400 ms, 4 times (difference, 95 %: +200 ms to +420 ms)."
    )
    assert told[1].confidence == "high"
