"""completeness: each check on a log that shows it and on one that does not, and findings from hand-made rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from workbook import Window, Workbook
from workbook.analyses import completeness

START = datetime(2024, 3, 4, 5, 0)
SOURCE_COLUMNS = "source_id, path, sha256, kind, bytes, lines, log_lines, joined, duplicates, unread, blank"


def app(n: int, second: float, process: str = "web.1") -> str:
    return f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S.%f}+00:00 app[{process}]: line {n}\n"


def router(second: float, status: int = 200, code: str = "") -> str:
    fault = f'at=error code={code} desc="{code}"' if code else "at=info"
    return (
        f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S.%f}+00:00 heroku[router]: {fault} method=GET"
        f' path="/a" host=shop.example.com request_id=x-{second} fwd="192.0.2.4" dyno=web.1 connect=1ms service=9ms'
        f" status={status} bytes=1\n"
    )


def checks(wb: Workbook) -> dict[str, Any]:
    """The rows by check; of several files the last one wins, so load one file."""
    return {row.check: row for row in wb.run("completeness").table.itertuples()}


def findings(wb: Workbook, severity: str) -> list[str]:
    return [one.title for one in wb.run("completeness").findings if one.severity == severity]


def test_a_whole_log_is_sound(load_text):
    wb = load_text("".join(app(n, n) + router(n + 0.5) for n in range(200)))
    table = wb.run("completeness").table
    assert set(table["verdict"]) == {"complete"} and table["weakens"].isna().all()
    (finding,) = wb.run("completeness").findings
    assert finding.severity == "ruled_out"
    for part in (
        "no cut at the history's limit",
        "no gap",
        "successes in the router lines (200 lines, no failure)",
        "lines in order",
    ):
        assert part in finding.title


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        (99, "complete"),
        (100, "weakened"),
        (101, "weakened"),
        (1_499, "complete"),
        (1_500, "weakened"),
        (1_501, "weakened"),
        (1_502, "complete"),
    ],
)
def test_a_dump_as_long_as_the_history_is_cut(load_text, lines, verdict):
    row = checks(load_text("".join(app(n, n, f"web.{n % 2}") for n in range(lines))))["history_limit"]
    assert row.verdict == verdict and row.numbers["lines"] == lines and row.numbers["covered_s"] == lines - 1
    assert row.evidence[0]["line"] == 1


def test_the_cut_says_what_the_file_covers(load_text):
    wb = load_text("".join(app(n, n, f"web.{n % 2}") for n in range(1_500)))
    (title,) = findings(wb, "warning")
    assert "holds 1,500 lines, as many as the history gives (1,500) and covers only 24 min 59 s" in title
    assert "this weakens totals, first times" in title


def test_another_log_that_goes_on_from_there_heals_the_cut(load_text):
    load_text("".join(app(n, n - 500, f"web.{n % 2}") for n in range(700)), "older.log")
    wb = load_text("".join(app(10_000 + n, n + 0.1, f"web.{n % 2}") for n in range(1_500)), "dump.log")
    table = wb.run("completeness").table
    assert table[table["check"] == "history_limit"]["verdict"].tolist() == ["complete", "complete"]


def test_lost_lines_are_summed(load_text):
    report = "2024-03-04T05:00:0{}.000000+00:00 heroku[logplex]: Error L10 (output buffer overflow): {} messages dropped since"
    text = "".join(app(n, n) for n in range(50))
    text += (
        report.format(1, 7)
        + " 2024-03-04T04:05:00.111213+00:00.\n"
        + report.format(2, 30)
        + " 2024-03-04T04:05:00.1+00:00.\n"
    )
    row = checks(load_text(text))["lost_lines"]
    assert row.verdict == "weakened" and row.numbers["lost_lines"] == 37 and row.numbers["reports"] == 2
    assert [one["line"] for one in row.evidence] == [52, 51]


def test_a_log_of_one_process_cannot_show_that_lines_were_lost(load_text):
    rows = checks(load_text("".join(router(n) for n in range(60))))
    assert rows["lost_lines"].verdict == "cannot_tell"
    assert rows["process_filter"].verdict == "weakened" and rows["process_filter"].detail == "heroku[router]"


@pytest.mark.parametrize(("silence_s", "gaps"), [(599, 0), (602, 1)])
def test_a_silence_of_ten_minutes_in_a_busy_log_is_a_gap(load_text, silence_s, gaps):
    seconds = list(range(300)) + [299 + silence_s + n for n in range(300)]
    wb = load_text("".join(app(n, second, f"web.{n % 2}") for n, second in enumerate(seconds)))
    row = checks(wb)["gaps"]
    assert row.numbers["gaps"] == gaps and row.verdict == ("weakened" if gaps else "complete")
    if gaps:
        assert row.numbers["longest_s"] == silence_s and [one["line"] for one in row.evidence] == [300, 301]
        assert (row.first_time, row.last_time) == (
            START + timedelta(seconds=299),
            START + timedelta(seconds=901),
        )


SLOW = [120 * n for n in range(40)]


def quiet(seconds: list[int]) -> str:
    return "".join(app(second, second, f"web.{place % 2}") for place, second in enumerate(seconds))


def test_a_quiet_application_has_no_gap(load_text):
    row = checks(load_text(quiet(SLOW)))["gaps"]
    assert row.verdict == "complete" and row.numbers["usual_spacing_s"] == 120


def test_a_silence_in_a_quiet_log_cannot_be_told_from_a_loss(load_text):
    wb = load_text(quiet([*SLOW, *(10_000 + second for second in SLOW)]))
    row = checks(wb)["gaps"]
    assert (
        row.verdict == "cannot_tell" and row.numbers["gaps"] == 1 and row.numbers["gaps_between_files"] == 0
    )
    assert any(
        "a quiet time and lost lines look the same here" in title for title in findings(wb, "cannot_tell")
    )


def test_time_that_no_file_covers_is_a_gap_between_files(load_text):
    load_text(quiet(SLOW), "a.log")
    wb = load_text(quiet([10_000 + second for second in SLOW]), "b.log")
    table = wb.run("completeness").table
    row = table[table["check"] == "gaps"].iloc[0]
    assert row["verdict"] == "weakened" and row["numbers"]["gaps_between_files"] == 1


def test_a_few_errors_alone_do_not_show_a_filter(load_text):
    text = "".join(router(n, 503, "H12") for n in range(19)) + app(1, 5)
    assert checks(load_text(text, "few.log"))["success_filter"].verdict == "cannot_tell"


def test_twenty_errors_and_no_success_are_a_filter(load_text):
    wb = load_text("".join(router(n, 503, "H12") for n in range(20)) + app(1, 5))
    row = checks(wb)["success_filter"]
    assert row.verdict == "weakened" and row.numbers == {"requests": 20.0, "successful_requests": 0.0}
    assert any("no success: it was filtered" in title for title in findings(wb, "warning"))


def test_of_steps_back_of_one_size_the_first_lines_are_the_evidence(load_text):
    lines = [app(n, n + (5 if n % 3 == 1 else 0)) for n in range(60)]
    row = checks(load_text("".join(lines)))["clock_order"]
    assert [cited["line"] for cited in row.evidence] == [3, 6, 9]


def test_successes_stand_beside_errors_only_where_there_are_errors(load_text):
    def said(text: str, name: str) -> str:
        (title,) = findings(load_text(text, name), "ruled_out")
        return title

    good = "".join(router(n) for n in range(30)) + app(1, 31)
    assert "beside the errors" not in said(good, "good.log")
    mixed = "".join(router(n + 0.2, 503 if n else 200, "H12" if n else "") for n in range(30)) + app(1, 31)
    assert "successes beside the errors" in said(mixed, "mixed.log")


def test_successes_of_2011_have_no_status_and_are_successes(load_text):
    text = "".join(
        f"2011-09-10T11:12:{n:02d}+00:00 heroku[router]: GET shop.example.com/a dyno=web.1 queue=0 wait=0ms service=9ms bytes=1\n"
        for n in range(30)
    )
    assert checks(load_text(text))["success_filter"].verdict == "complete"


def test_lines_out_of_order_are_counted_when_more_than_a_second_late(load_text):
    seconds = [float(n) for n in range(100)]
    seconds[50], seconds[70] = 48.5, 67.0
    row = checks(load_text("".join(app(n, s, f"web.{n % 2}") for n, s in enumerate(seconds)) + app(999, 99)))[
        "clock_order"
    ]
    assert row.numbers["lines_out_of_order"] == 1 and row.numbers["largest_step_back_s"] == 2.0
    assert row.verdict == "complete", "1 of 101 is less than 1 %"
    assert row.evidence[0]["line"] == 71


def test_a_file_with_the_newest_line_first_is_out_of_order(load_text):
    wb = load_text("".join(app(n, 1_000 - 5 * n, f"web.{n % 2}") for n in range(60)))
    assert checks(wb)["clock_order"].verdict == "weakened"
    assert any("98.3 % of its lines more than 1 s older" in title for title in findings(wb, "note"))


def test_values_that_cannot_be_read_weaken_and_notices_do_not(wb):
    source = (
        f"INSERT INTO sources ({SOURCE_COLUMNS})"
        " VALUES (1, 'a.log', 'x', 'heroku_logs', 1, 1000, 980, 0, 0, 20, 0)"
    )
    wb._database.execute(source)
    wb._database.execute(
        "INSERT INTO unread_lines SELECT 1, i, 'not a log line: printed around the log', 'x' FROM range(1, 21) AS n(i)"
    )
    row = checks(wb)["unread"]
    assert row.verdict == "complete" and row.numbers["notices"] == 20
    wb._database.execute(
        "INSERT INTO unread_lines SELECT 1, 100 + i, 'field service_ms', 'x' FROM range(10) AS n(i)"
    )
    row = checks(wb)["unread"]
    assert row.verdict == "weakened" and row.numbers["unread_values"] == 10
    assert row.detail == "20 × not a log line: printed around the log; 10 × field service_ms"


def test_how_the_zone_was_decided(load_text):
    wb = load_text("Feb  4 17:46:52 shop app/web.1: Completed\n" * 3, "papertrail.txt", year=2024)
    row = checks(wb)["zone"]
    assert row.verdict == "cannot_tell" and row.detail.startswith("UTC")
    assert any("read as UTC" in title for title in findings(wb, "note"))


def test_a_zone_that_was_given_is_taken(load_text):
    wb = load_text(
        "Feb  4 17:46:52 shop app/web.1: Completed\n" * 3, "papertrail.txt", year=2024, zone="-04:00"
    )
    assert checks(wb)["zone"].verdict == "complete"


def test_duplicates_and_joined_pieces_are_told(load_text):
    text = "".join(app(n, n, f"web.{n % 2}") for n in range(30))
    load_text(text, "first.log")
    wb = load_text(text + "2024-03-04T05:01:00.000000+00:00 app[web.1]: broken\nin two\n", "second.log")
    notes = findings(wb, "note")
    assert any(title.startswith("30 lines stood in two files") for title in notes)
    assert any(title.startswith("1 line was joined") for title in notes)


def test_files_of_another_time_are_left_out(load_text):
    wb = load_text("".join(app(n, n) for n in range(30)))
    assert completeness.rows(wb._database.query, Window("2030-01-01", "2030-01-02")).empty
    assert len(completeness.rows(wb._database.query, Window(START, START + timedelta(seconds=10)))) > 3


def test_nothing_and_null_are_harmless(wb):
    table = completeness.rows(wb._database.query, Window())
    assert table.empty and completeness.findings(table) == [] and completeness.chart(table).to_dict()
    for name in ("log_lines", "requests", "log_errors"):
        wb._database.execute(f"INSERT INTO {name} (source_id, line) VALUES (1, 1)")
    wb._database.execute(
        f"INSERT INTO sources ({SOURCE_COLUMNS}) VALUES (1, 'a', 'x', 'heroku_ps', 0, 0, 0, 0, 0, 0, 0)"
    )
    result = wb.run("completeness")
    assert result.chart.to_dict() and all(one.severity != "warning" for one in result.findings)


def test_the_sql_gives_the_table_again(load_text):
    wb = load_text("".join(app(n, 1_000 - 5 * n, f"web.{n % 2}") for n in range(100)))
    result = wb.run("completeness")
    pd.testing.assert_frame_equal(
        wb.sql(result.sql).drop(columns="evidence"), result.table.drop(columns="evidence")
    )
    assert result.chart.to_dict()["description"]


# findings from hand-made rows

ROW = {
    "source": "logs/a.log",
    "check": "lost_lines",
    "verdict": "weakened",
    "numbers": {"lost_lines": 37.0, "reports": 2.0, "lines": 1_000.0},
    "detail": None,
    "weakens": "every count and rate; silence in the log",
    "first_time": pd.Timestamp(START),
    "last_time": pd.Timestamp(START + timedelta(hours=1)),
    "evidence": [{"source_id": 1, "line": 9}],
}


def judged(*rows: dict[str, Any]) -> list[Any]:
    return completeness.findings(pd.DataFrame([{**ROW, **row} for row in rows]))


def test_files_with_the_same_remark_share_one_finding():
    (finding,) = judged({}, {"source": "logs/b.log"}, {"source": "logs/c.log"})
    assert finding.title == (
        "The file logs/a.log (and 2 more) lost at least 37 lines (2 reports L10–L13): this weakens every count and rate;"
        " silence in the log."
    )
    assert (
        finding.severity == "warning"
        and finding.numbers["files"] == 3
        and finding.about == (ROW["first_time"], ROW["last_time"])
    )


@pytest.mark.parametrize(
    ("row", "severity"),
    [
        ({}, "warning"),
        ({"numbers": {"lost_lines": 9.0, "reports": 1.0, "lines": 1_000.0}}, "note"),
        ({"numbers": {"lost_lines": None, "reports": 1.0, "lines": 1_000.0}}, "warning"),
        ({"verdict": "cannot_tell"}, "cannot_tell"),
        (
            {"check": "process_filter", "numbers": {"processes": 1.0, "lines": 50.0}, "detail": "app[web.1]"},
            "note",
        ),
        (
            {
                "check": "zone",
                "verdict": "cannot_tell",
                "numbers": {"log_lines": 5.0},
                "detail": "UTC (times)",
            },
            "note",
        ),
        ({"check": "success_filter", "numbers": {"requests": 20.0, "successful_requests": 0.0}}, "warning"),
    ],
)
def test_the_severity(row, severity):
    (finding,) = judged(row)
    assert finding.severity == severity and finding.next_step and finding.reference


def test_a_hostile_file_name_stays_text():
    (finding,) = judged({"source": "a\x1b[31m\n<script>.log"})
    assert "\x1b" not in finding.title and "\n" not in finding.title
