"""releases: what is one release, its two windows, Newcombe's interval of the reference, and findings from hand-made rows."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from workbook import Window, Workbook
from workbook.analyses import releases

DAY = datetime(2024, 3, 4)
RELEASED = datetime(2024, 3, 4, 14, 5)


def add(wb: Workbook, table: str, rows: list[dict[str, Any]]) -> None:
    """Put rows straight into a table; lines are numbered from 1 where none is given."""
    frame = pd.DataFrame([{"source_id": 1, "line": place, **row} for place, row in enumerate(rows, 1)])
    frame = frame[[name for name in frame.columns if frame[name].notna().any()]]
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    wb._database.register("added", frame)
    wb._database.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM added")
    wb._database.unregister("added")


def release(time: datetime, version: str | None, event: str = "release", **more: Any) -> dict[str, Any]:
    return {"time": time, "version": version, "event": event, "actor": "dev@example.com", **more}


def traffic(
    wb: Workbook, start: datetime, count: int, every_s: float, errors: int, nth: int = 1, **more: Any
) -> None:
    """Requests at an even pace, of which every ``nth`` fails with status 500 until ``errors`` have failed."""
    rows = [
        {
            "time": start + timedelta(seconds=every_s * n),
            "status": 500 if n < errors * nth and n % nth == 0 else 200,
            "service_ms": 20 + n % 11,
            "route": "/cart" if n < errors * nth and n % nth == 0 else "/a",
            **more,
        }
        for n in range(count)
    ]
    add(wb, "requests", rows)


def run(wb: Workbook, **options: Any) -> pd.DataFrame:
    return wb.run("releases", **options).table


# which lines are one release


def test_deploy_release_config_and_rollback_lines_of_a_moment_are_one_row(wb):
    later = RELEASED + timedelta(hours=1)
    add(
        wb,
        "releases",
        [
            release(RELEASED - timedelta(seconds=40), None, "build_started"),
            release(RELEASED, None, "deploy", description="Deploy 1a2b3c4d"),
            release(RELEASED, "v42", description="Release v42 created"),
            release(RELEASED + timedelta(seconds=13), None, "build_succeeded", build_seconds=53.0),
            release(later, "v41", "rollback", description="Rollback to v41"),
            release(later + timedelta(milliseconds=20), "v43", description="Release v43 created"),
            release(later + timedelta(hours=1), None, "config", description="Set A config vars"),
            release(later + timedelta(hours=1), "v44"),
            release(later + timedelta(hours=1, seconds=1), "v45"),
            release(later + timedelta(hours=2), None, "scale", description="Scaled to web@2"),
        ],
    )
    table = run(wb)
    assert list(table["version"]) == ["v42", "v43", "v44", "v45"]
    assert list(table["event"]) == ["deploy", "rollback", "config", "release"]
    assert list(table["build_seconds"].fillna(0)) == [53, 0, 0, 0]
    assert table["description"][0] == "Deploy 1a2b3c4d; Release v42 created"
    assert table["rolled_back_at"][0] == table["time"][1] == later + timedelta(milliseconds=20)
    assert table["rolled_back_at"].isna().tolist() == [False, True, True, True]


def test_the_windows_end_at_the_neighbouring_releases(wb):
    add(wb, "releases", [release(RELEASED + timedelta(minutes=m), f"v{m}") for m in (0, 10, 100)])
    traffic(wb, RELEASED - timedelta(minutes=60), 60 * 4, 60, 0)
    table = run(wb, window_minutes=20)
    spans = [
        ((row.time - row.before_start).total_seconds() / 60, (row.after_end - row.time).total_seconds() / 60)
        for row in table.itertuples()
    ]
    assert spans == [(20, 10), (10, 20), (20, 20)]
    assert list(table["requests_before"]) == [20, 10, 20] and list(table["requests_after"]) == [10, 20, 20]


def test_requests_outside_of_the_chosen_window_are_still_compared(wb):
    add(wb, "releases", [release(RELEASED, "v1"), release(RELEASED + timedelta(hours=3), "v2")])
    traffic(wb, RELEASED - timedelta(minutes=30), 600, 6, 0)
    table = releases.rows(wb._database.query, Window(RELEASED, RELEASED + timedelta(minutes=1)))
    assert (
        list(table["version"]) == ["v1"] and table["requests_before"][0] == table["requests_after"][0] == 300
    )


# the comparison


def test_newcombes_interval_of_the_reference(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    traffic(wb, RELEASED - timedelta(seconds=1_440), 48_000, 0.03, 12)
    traffic(wb, RELEASED, 20_000, 0.03, 30)
    (row,) = run(wb).itertuples()
    assert (row.requests_before, row.requests_after, row.errors_before, row.errors_after) == (
        48_000,
        20_000,
        12,
        30,
    )
    assert row.difference_per_10k == pytest.approx(12.5)
    assert row.difference_low_per_10k == pytest.approx(7.64, abs=0.005)
    assert row.difference_high_per_10k == pytest.approx(18.99, abs=0.005)
    assert row.verdict == "worse"


def bad(wb: Workbook) -> None:
    add(
        wb,
        "releases",
        [release(RELEASED, "v42"), release(RELEASED + timedelta(minutes=26), "v41", "rollback")],
    )
    traffic(wb, RELEASED - timedelta(minutes=30), 1_800, 1, 0)
    traffic(wb, RELEASED, 1_500, 1, 60, nth=25)
    traffic(wb, RELEASED + timedelta(minutes=26), 1_500, 1, 0)
    traces = [
        {"time": RELEASED - timedelta(minutes=20), "exception": "Old", "first_own_frame": "app/old.rb:1"}
    ]
    traces += [
        {"time": RELEASED + timedelta(minutes=1), "exception": "Old", "first_own_frame": "app/old.rb:1"}
    ] * 5
    traces += [
        {
            "time": RELEASED + timedelta(minutes=2),
            "exception": "NoMethodError",
            "first_own_frame": "app/cart.rb:58",
        }
    ]
    add(wb, "stack_traces", traces)


def test_a_bad_release_is_critical_and_only_coincides(wb):
    bad(wb)
    row = next(run(wb).itertuples())
    assert (row.verdict, row.errors_after, row.top_code, row.top_route, row.top_route_errors) == (
        "worse",
        60,
        "app500",
        "/cart",
        60,
    )
    assert (row.exception, row.exception_is_new, row.exception_count) == ("NoMethodError", True, 1)
    finding = wb.run("releases").findings[0]
    assert (
        finding.severity == "critical"
        and "coincides with a rise of errors from 0 to 400 per 10,000" in finding.title
    )
    for part in (
        "60 of 60 are app500",
        "60 in route /cart",
        "new exception NoMethodError at app/cart.rb:58",
        "rolled back at",
    ):
        assert part in finding.title
    assert (
        "caused" not in finding.title
        and "@" not in finding.title
        and "by a user" not in finding.title.split("coincides")[1]
    )
    assert finding.about == (RELEASED, RELEASED + timedelta(seconds=59 * 25))


def test_after_the_rollback_it_is_better(wb):
    bad(wb)
    table = run(wb)
    assert list(table["verdict"]) == ["worse", "better"] and table["difference_high_per_10k"][1] < 0


def test_a_steady_application_gives_no_false_alarm(wb):
    add(wb, "releases", [release(RELEASED + timedelta(hours=h), f"v{h}") for h in range(6)])
    rows = [
        {
            "time": RELEASED + timedelta(seconds=n - 3_600),
            "status": 500 if n % 97 == 0 else 200,
            "service_ms": 20 + n % 50,
        }
        for n in range(24_000)
    ]
    add(wb, "requests", rows)
    result = wb.run("releases")
    assert set(result.table["verdict"]) == {"same"} and set(result.table["p50_verdict"]) == {"same"}
    (finding,) = result.findings
    assert (
        finding.severity == "ruled_out"
        and "6 releases" in finding.title
        and "v0, v1, v2, v3, v4 and 1 more" in finding.title
    )


def test_chance_is_not_called_worse_after_many_releases(wb):
    rng = random.Random(3)
    add(wb, "releases", [release(RELEASED + timedelta(hours=h), f"v{h}") for h in range(40)])
    start = RELEASED - timedelta(hours=1)
    rows = [
        {
            "time": start + timedelta(seconds=n),
            "status": 500 if rng.random() < 0.004 else 200,
            "service_ms": rng.randint(5, 90),
        }
        for n in range(42 * 3_600)
    ]
    add(wb, "requests", rows)
    assert set(run(wb)["verdict"]) <= {"same", "cannot_tell"} and set(run(wb)["p50_verdict"]) == {"same"}


@pytest.mark.parametrize(
    ("before", "after", "errors", "verdict", "reason"),
    [
        (0, 0, 0, "cannot_tell", "no router line near the release"),
        (19, 300, 0, "cannot_tell", "too few requests before"),
        (300, 19, 19, "cannot_tell", "too few requests after"),
        (60, 60, 0, "cannot_tell", "the requests are too few to rule a rise of 1 % out"),
        (1_000, 1_000, 0, "same", None),
        (1_000, 1_000, 3, "same", None),
        (1_000, 1_000, 4, "cannot_tell", "the requests are too few to rule a rise of 1 % out"),
        (1_000, 1_000, 20, "worse", None),
        (100, 20, 20, "worse", None),
    ],
)
def test_the_verdict(wb, before, after, errors, verdict, reason):
    add(wb, "releases", [release(RELEASED, "v42")])
    if before:
        traffic(wb, RELEASED - timedelta(seconds=1.5 * before), before, 1.5, 0)
    if after:
        traffic(wb, RELEASED, after, 1.5, errors)
    (row,) = run(wb).itertuples()
    assert row.verdict == verdict and (row.reason == reason if reason else pd.isna(row.reason))


def test_a_filtered_log_cannot_tell(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    traffic(wb, RELEASED - timedelta(minutes=20), 40, 30, 40)
    traffic(wb, RELEASED, 60, 10, 60)
    (row,) = run(wb).itertuples()
    assert (row.verdict, row.reason) == ("cannot_tell", "no successful request in the log")
    assert pd.isna(row.errors_per_10k_after) and row.errors_after == 60


def test_visitors_who_left_maintenance_and_websockets_are_left_out(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    traffic(wb, RELEASED - timedelta(minutes=30), 900, 2, 0)
    traffic(wb, RELEASED, 900, 2, 0)
    for status, code in ((503, "H80"), (499, "H27"), (499, None), (101, None)):
        add(
            wb,
            "requests",
            [{"time": RELEASED + timedelta(seconds=n), "status": status, "code": code} for n in range(50)],
        )
    (row,) = run(wb).itertuples()
    assert (row.requests_after, row.errors_after, row.verdict) == (900, 0, "same")


def test_a_slower_median_is_told_apart(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    for place, (start, ms) in enumerate(((RELEASED - timedelta(minutes=25), 100), (RELEASED, 700))):
        rows = [
            {"time": start + timedelta(seconds=n), "status": 200, "service_ms": ms + n % 40}
            for n in range(1_200)
        ]
        add(wb, "requests", [{"line": place * 2_000 + n, **row} for n, row in enumerate(rows)])
    (row,) = run(wb).itertuples()
    assert (row.p50_before_ms, row.p50_after_ms, row.p50_verdict, row.verdict) == (
        119.5,
        719.5,
        "slower",
        "same",
    )
    slow = next(one for one in wb.run("releases").findings if "median" in one.title)
    assert slow.severity == "warning" and "from 120 ms to 720 ms" in slow.title


# what a rise is, and when it began


def failing(wb: Workbook, first: datetime, last: datetime, every_s: float, share: float, **more: Any) -> None:
    """Requests at an even pace of which that share fails, evenly spread."""
    count = round((last - first).total_seconds() / every_s)
    rows = [
        {
            "time": first + timedelta(seconds=every_s * (n + 0.5)),
            "status": 500 if int((n + 1) * share) > int(n * share) else 200,
            "service_ms": 80,
            "route": "/a",
            **more,
        }
        for n in range(count)
    ]
    add(wb, "requests", rows)


def at(minutes: float) -> datetime:
    return RELEASED + timedelta(minutes=minutes)


def told(wb: Workbook) -> Any:
    (finding,) = wb.run("releases").findings
    return finding


def test_a_small_but_sure_rise_is_told_and_not_ruled_out(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    failing(wb, at(-30), at(0), 0.09, 0.01)
    failing(wb, at(0), at(30), 0.09, 0.014)
    (row,) = run(wb).itertuples()
    assert (row.errors_before, row.errors_after, row.verdict) == (200, 280, "cannot_tell")
    assert row.reason == releases.SMALL_RISE and row.difference_low_per_10k == pytest.approx(18.7, abs=0.05)
    finding = told(wb)
    assert (finding.severity, finding.confidence) == ("note", "medium") and finding.evidence
    assert "errors rose from 100 to 140 per 10,000 requests" in finding.title
    assert "200 of 20,000, then 280 of 20,000; difference, 95 %: 18.69 to 61.5" in finding.title


def test_a_rise_that_is_not_sure_by_the_stricter_interval_is_a_note(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    failing(wb, at(-30), at(0), 1, 0)
    failing(wb, at(0), at(30), 1, 7 / 1_800)
    finding = told(wb)
    assert run(wb)["reason"][0] == releases.UNSURE_RISE and run(wb)["difference_low_per_10k"][0] > 0
    assert (finding.severity, finding.confidence) == ("note", "low") and "no chance" in finding.title


def test_no_rise_says_how_much_is_ruled_out_and_what_was_seen(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    failing(wb, at(-30), at(0), 1.2, 0)
    failing(wb, at(0), at(30), 1.2, 4 / 1_500)
    finding = told(wb)
    assert finding.severity == "ruled_out" and [one.line for one in finding.evidence] == [1]
    assert finding.title == (
        "No rise of errors of more than 68.37 per 10,000 requests (95 %) with 1 release (v42):"
        " within 30 min 0 of 1,500 requests failed before, 4 of 1,500 after."
    )


def test_errors_that_begin_25_minutes_later_are_not_laid_on_the_release(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    failing(wb, at(-30), at(25), 1, 0)
    failing(wb, at(25), at(30), 1, 0.96)
    (row,) = run(wb).itertuples()
    assert (row.verdict, row.reason) == ("cannot_tell", releases.BEGAN_LATER)
    assert at(25) <= row.onset_time < at(26) and row.errors_just_after == 0
    finding = told(wb)
    assert (finding.severity, finding.confidence) == ("warning", "low")
    assert "but they began 25 min 2 s after it" in finding.title and "coincides" not in finding.title
    assert finding.about[0] == row.onset_time


def test_errors_that_were_there_before_are_not_laid_on_the_release(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    failing(wb, at(-30), at(-15), 1, 0)
    failing(wb, at(-15), at(30), 1, 0.1)
    (row,) = run(wb).itertuples()
    assert (row.verdict, row.reason) == ("cannot_tell", releases.BEGAN_BEFORE)
    finding = told(wb)
    assert (finding.severity, finding.confidence) == ("note", "low")
    assert "began 14 min 50 s before it; per 10,000 requests 1,000 failed in the 10 min just" in finding.title


@pytest.mark.parametrize(
    ("minutes", "verdict"), [(-1, "cannot_tell"), (0.5, "worse"), (9, "worse"), (11, "cannot_tell")]
)
def test_the_onset_decides(wb, minutes, verdict):
    add(wb, "releases", [release(RELEASED, "v42")])
    failing(wb, at(-30), at(minutes), 1, 0.004)
    failing(wb, at(minutes), at(30), 1, 0.1)
    assert run(wb)["verdict"][0] == verdict


def test_a_second_rise_at_the_release_is_told_by_the_minutes_around_it(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    failing(wb, at(-30), at(-15), 1, 0)
    failing(wb, at(-15), at(0), 1, 0.1)
    failing(wb, at(0), at(30), 1, 0.2)
    assert run(wb)["verdict"][0] == "worse"
    finding = told(wb)
    assert "from 1,000 to 2,000 per 10,000 requests from the 10 min just before to the 10" in finding.title
    assert "another rise began 14 min 50 s before it" in finding.title and finding.confidence == "medium"


def test_errors_of_the_boot_are_over_and_no_longer_critical(wb):
    add(wb, "releases", [release(RELEASED, "v42")])
    failing(wb, at(-30), at(0), 0.5, 0)
    add(
        wb,
        "requests",
        [
            {"time": RELEASED + timedelta(seconds=5 + 0.3 * n), "status": 503, "code": "H10"}
            for n in range(80)
        ],
    )
    failing(wb, at(0.5), at(30), 0.5, 0)
    (row,) = run(wb).itertuples()
    assert (row.verdict, row.errors_later, row.requests_later) == ("worse", 0, 3_000)
    finding = told(wb)
    assert (finding.severity, finding.confidence) == ("warning", "medium") and "boot" in finding.next_step
    assert "all within 23.7 s; after the first 5 min 0 of 3,000 requests failed" in finding.title


def test_errors_that_a_rollback_ended_are_not_taken_for_the_boot(wb):
    add(wb, "releases", [release(RELEASED, "v42"), release(at(5), "v41", "rollback")])
    failing(wb, at(-30), at(0), 1, 0)
    failing(wb, at(0), at(5), 1, 0.2)
    failing(wb, at(5), at(30), 1, 0)
    assert wb.run("releases").findings[0].severity == "critical"


@pytest.mark.parametrize(
    ("slow_ms", "same_mix_ms", "severity", "said"),
    [
        (
            700,
            50,
            "note",
            "700 ms; it is 50 ms if each route has its share of before: other routes were asked",
        ),
        (None, None, "warning", "700 ms; whether other routes were asked for was not separated"),
    ],
)
def test_a_median_that_only_the_mix_of_routes_moved(wb, slow_ms, same_mix_ms, severity, said):
    add(wb, "releases", [release(RELEASED, "v42")])
    seldom = {"route": "/slow", "service_ms": 700} if slow_ms else {"route": "/fast", "service_ms": 50}
    rows = [{"route": "/fast", "service_ms": 50} if n % 10 else seldom for n in range(900)]
    seldom = {"route": "/fast", "service_ms": 50} if slow_ms else {"route": "/slow", "service_ms": 700}
    rows += [{"route": "/slow", "service_ms": 700} if n % 10 else seldom for n in range(900)]
    add(wb, "requests", [{"time": at((n - 900) / 30), "status": 200, **row} for n, row in enumerate(rows)])
    (row,) = run(wb).itertuples()
    assert (row.p50_before_ms, row.p50_after_ms, row.p50_verdict) == (50, 700, "slower")
    assert row.p50_after_same_mix_ms == same_mix_ms if same_mix_ms else pd.isna(row.p50_after_same_mix_ms)
    finding = next(one for one in wb.run("releases").findings if "median" in one.title)
    assert finding.severity == severity and said in finding.title


# edges


def test_nothing_null_and_no_requests_are_harmless(wb):
    assert releases.rows(wb._database.query, Window()).empty
    (finding,) = releases.findings(releases.rows(wb._database.query, Window()))
    assert finding.severity == "ruled_out"
    wb._database.execute("INSERT INTO releases (source_id, line) VALUES (1, 1)")
    wb._database.execute("INSERT INTO requests (source_id, line) VALUES (1, 1)")
    assert run(wb).empty
    add(wb, "releases", [release(RELEASED, None, "deploy")])
    result = wb.run("releases")
    assert len(result.table) == 1 and result.chart.to_dict()
    (finding,) = result.findings
    assert (
        finding.severity == "cannot_tell"
        and "no router line" in finding.title
        and "deploy 14:05" in finding.title
    )


def test_the_sql_gives_the_table_again_and_the_chart_draws(wb):
    bad(wb)
    result = wb.run("releases", window_minutes=20)
    pd.testing.assert_frame_equal(
        wb.sql(result.sql).drop(columns="evidence"), result.table.drop(columns="evidence")
    )
    drawn = result.chart.to_dict()
    assert len(drawn["layer"]) == 4 and drawn["description"] and "dev@example.com" not in str(drawn)


# findings from hand-made rows

ROW = {
    "time": pd.Timestamp(RELEASED),
    "version": "v42",
    "event": "deploy",
    "actor": "dev@example.com",
    "description": "Deploy 1a2b3c4d",
    "build_seconds": float("nan"),
    "before_start": pd.Timestamp(RELEASED - timedelta(minutes=30)),
    "after_end": pd.Timestamp(RELEASED + timedelta(minutes=30)),
    "requests_before": 9_000,
    "requests_after": 9_000,
    "errors_before": 2,
    "errors_after": 279,
    "errors_per_10k_before": 2.2,
    "errors_per_10k_after": 310.0,
    "difference_per_10k": 307.8,
    "difference_low_per_10k": 270.0,
    "difference_high_per_10k": 346.0,
    "verdict": "worse",
    "reason": None,
    "onset_time": pd.Timestamp(RELEASED),
    "errors_just_before": 1,
    "requests_just_before": 3_000,
    "errors_just_after": 100,
    "requests_just_after": 3_000,
    "just_difference_low_per_10k": 270.0,
    "just_difference_high_per_10k": 400.0,
    "errors_later": 229,
    "requests_later": 7_500,
    "later_difference_low_per_10k": 265.0,
    "p50_before_ms": 40.0,
    "p50_after_ms": 41.0,
    "p50_after_same_mix_ms": 41.0,
    "p50_verdict": "same",
    "first_error_time": pd.Timestamp(RELEASED),
    "last_error_time": pd.Timestamp(RELEASED + timedelta(minutes=26)),
    "top_code": "app500",
    "top_code_errors": 270,
    "top_route": "/cart",
    "top_route_errors": 100,
    "exception": None,
    "exception_frame": None,
    "exception_count": pd.NA,
    "exception_is_new": pd.NA,
    "rolled_back_at": pd.NaT,
    "evidence": [{"source_id": 1, "line": 5}],
}


def judged(**values: Any) -> Any:
    return releases.findings(pd.DataFrame([{**ROW, **values}]))


def test_the_sentence_names_no_person_and_a_route_only_when_most_errors_are_in_it():
    (finding,) = judged()
    assert finding.title == (
        "v42 (deploy by a user) at 2024-03-04 14:05:00 coincides with a rise of errors from 2.2 to 310 per 10,000 requests"
        " in at most 30 min before and after (difference, 95 %: 270 to 346); 270 of 279 are app500."
    )
    assert "279 are app500; 200 in route /cart" in judged(top_route_errors=200)[0].title


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        ({}, "critical"),
        ({"difference_low_per_10k": 99.0}, "warning"),
        ({"verdict": "better"}, "note"),
        ({"verdict": "same"}, "ruled_out"),
        ({"verdict": "cannot_tell", "reason": "too few requests after"}, "cannot_tell"),
    ],
)
def test_the_severity(values, severity):
    assert [one.severity for one in judged(**values)] == [severity]


def test_a_rollback_without_errors_is_told():
    rolled, ruled = judged(verdict="same", rolled_back_at=pd.Timestamp(RELEASED + timedelta(minutes=26)))
    assert (rolled.severity, ruled.severity) == (
        "note",
        "ruled_out",
    ) and "rolled back 26 min later" in rolled.title


def test_real_lines_of_a_deploy_and_its_rollback(load_text):
    api = "2024-03-04T14:{}+00:00 app[api]: {} by user dev@example.com\n"
    lines = [
        api.format("04:20.000000", "Build started"),
        api.format("05:00.101112", "Deploy 1a2b3c4d"),
        api.format("05:00.101112", "Release v42 created"),
        "2024-03-04T14:05:10.000000+00:00 app[api]: Build succeeded\n",
        api.format("31:00.000100", "Rollback to v41"),
        api.format("31:00.101112", "Release v43 created"),
    ]
    for n in range(3_600):
        status = 500 if 2_100 < n < 3_600 and n % 10 == 0 and n < 3_600 else 200
        time = datetime(2024, 3, 4, 13, 30) + timedelta(seconds=n)
        lines.append(
            f'{time:%Y-%m-%dT%H:%M:%S}.000001+00:00 heroku[router]: at=info method=GET path="/cart" host=shop.example.com'
            f' request_id=x-{n} fwd="192.0.2.4" dyno=web.1 connect=1ms service=9ms status={status} bytes=1\n'
        )
    wb = load_text("".join(lines))
    first, second = wb.run("releases").table.itertuples()
    assert (first.version, first.event, first.build_seconds) == (
        "v42",
        "deploy",
        50,
    ) and first.verdict == "worse"
    assert (second.version, second.event) == ("v43", "rollback")
    assert first.rolled_back_at == second.time
    finding = wb.run("releases").findings[0]
    assert finding.title.startswith(
        "v42 (deploy by a user) at 2024-03-04 14:05:00 coincides with a rise of errors"
    )
    assert "dev@example.com" not in finding.title and finding.evidence[0].line == 2


LISTED = (
    "=== shop Releases - Current: v9\n"
    "v9  Deploy 1a2b3c4  dev@example.com  2024/03/04 12:10:01 +0000\n"
    "v8  Set FOO config vars  dev@example.com  2024/03/04 11:00:00 +0000\n"
)


def test_a_list_of_releases_tells_of_those_that_the_log_does_not(load_text) -> None:
    load_text(
        "2024-03-04T12:10:00.000000+00:00 app[api]: Deploy 1a2b3c4 by user dev@example.com\n"
        "2024-03-04T12:10:00.000000+00:00 app[api]: Release v9 created by user dev@example.com\n"
    )
    load_text(LISTED, "releases.txt")
    wb = load_text(LISTED + "\n", "again.txt")
    assert wb.sql("SELECT count(*) AS n FROM releases WHERE event = 'listed'")["n"][0] == 4
    table = wb.run("releases").table
    assert table["version"].tolist() == ["v8", "v9"]
    assert wb.overview()[1].query("kind == 'release'")["label"].tolist() == ["v8", "v9"]
