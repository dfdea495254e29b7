"""Every planted fact of the sample data is found, exactly, and nothing else is called critical."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from workbook import Workbook

SAMPLE = Path(__file__).parents[2] / "sample_data"
PLANTED = json.loads((SAMPLE / ".planted.json").read_text())
FACT = {fact["name"]: fact for fact in PLANTED["facts"]}
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def wb():
    """The sample data, loaded once."""
    with Workbook.open() as opened:
        report = opened.load(SAMPLE)
        assert report.ok, report.errors
        yield opened


@pytest.fixture(scope="module")
def triage(wb):
    """Everything that triage found."""
    return wb.triage()


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def row(frame: pd.DataFrame, **values: object) -> pd.Series:
    """The one row with those values."""
    for name, value in values.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1, (values, len(frame))
    return frame.iloc[0]


def test_every_line_is_accounted_for(wb):
    sources = wb.sources()
    parts = sources[["log_lines", "joined", "duplicates", "unread", "blank"]].sum(axis=1)
    assert (parts == sources["lines"]).all()
    lines = {
        path.removeprefix(f"{SAMPLE}/"): count
        for path, count in zip(sources["path"], sources["lines"], strict=True)
    }
    assert lines == PLANTED["counts"]["lines_by_file"]
    assert sources["duplicates"].sum() == sum(PLANTED["counts"]["duplicates"].values())
    assert wb.sql("SELECT count(*) AS n FROM log_lines")["n"][0] == PLANTED["counts"]["log_lines"]


def test_the_requests_are_all_there(wb):
    counts = PLANTED["counts"]
    assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == counts["requests"]
    for column, name in (("status::VARCHAR", "status"), ("dyno", "dyno"), ("code", "code")):
        found = wb.sql(
            f"SELECT {column} AS key, count(*) AS n FROM requests WHERE {name} IS NOT NULL GROUP BY ALL"
        )
        assert dict(zip(found["key"], found["n"], strict=True)) == counts[f"requests_by_{name}"]


def test_1_the_h12_burst_and_what_blocked_it(wb):
    fact = FACT["h12_burst"]
    found = row(wb.run("errors").table, code="H12")
    assert found["count"] == fact["h12_count"]
    assert abs(found["first_time"] - when(fact["start"])) <= SECOND
    assert abs(found["last_time"] - when(fact["end"])) <= SECOND
    blockers = wb.run("blockers").table
    h12 = blockers[blockers["code"] == "H12"].set_index("request_id")
    assert dict(h12["cause"].value_counts()) == fact["h12_by_cause"]
    truth = {one["request_id"]: one for one in fact["h12"]}
    assert set(h12.index) == set(truth)
    assert {key: h12["cause"][key] for key in truth} == {key: one["cause"] for key, one in truth.items()}
    blocked = [key for key, one in truth.items() if one["cause"] == "blocked"]
    right = sum(h12["blocker_request_id"][key] == truth[key]["blocker_request_id"] for key in blocked)
    assert right == len(blocked)
    assert {h12["blocker_route"][key].split(" ")[-1] for key in blocked} == {fact["blocker_route"]}


def test_1_the_outcomes_by_request(wb):
    fact = FACT["h12_burst"]
    outcomes = wb.run("queueing").table["outcome"].value_counts()
    assert outcomes["expired"] == PLANTED["counts"]["rack_timeout_lines"]["expired"]
    assert outcomes["h12"] == fact["h12_by_outcome"]["completed"]


def test_2_the_worker_leaks_and_3_the_web_dynos_do_not(wb):
    table = wb.run("memory_trend").table.set_index("dyno")
    leak = FACT["worker_leak"]
    assert table["verdict"]["worker.1"] == "leak"
    assert table["slope_low"]["worker.1"] <= leak["slope_mb_per_h"] <= table["slope_high"]["worker.1"]
    for dyno in ("web.1", "web.2", "web.3"):
        assert table["verdict"][dyno] == "plateau"


def test_2_the_worker_reaches_its_quota_before_it_is_cycled(wb):
    leak = FACT["worker_leak"]
    table = wb.run("memory_quota").table
    episodes = table[(table["dyno"] == "worker.1") & (table["kind"] == "R14")]
    lines = wb.sql(
        "SELECT count(*) AS n FROM dyno_errors WHERE dyno = $dyno AND code = 'R14'", dyno=leak["dyno"]
    )
    assert lines["n"][0] == leak["r14_count"] <= episodes["line_count"].sum()
    assert abs(episodes["start"].min() - when(leak["r14_first"])) <= SECOND
    assert abs(episodes["end"].max() - when(leak["r14_last"])) <= SECOND
    assert episodes["peak_mb"].max() == pytest.approx(leak["r14_peak_mb"], abs=1)


def test_4_the_bad_deploy(wb):
    fact = FACT["bad_deploy"]
    errors = row(wb.run("errors").table, code="app500")
    assert errors["count"] == fact["errors"]
    assert abs(errors["first_time"] - when(fact["first_error"])) <= SECOND
    assert abs(errors["last_time"] - when(fact["last_error"])) <= SECOND
    releases = wb.run("releases").table
    release = row(releases, version=fact["release"])
    assert release["verdict"] == "worse"
    assert release["build_seconds"] == pytest.approx(fact["build_seconds"])
    assert abs(release["time"] - when(fact["released"])) <= SECOND
    assert set(releases[releases["verdict"] == "worse"]["version"]) == {fact["release"]}


def test_4_the_exception_is_named(triage):
    fact = FACT["bad_deploy"]
    told = [finding for finding in triage.findings if fact["exception"] in str(finding)]
    assert any(fact["first_own_frame"].split(":in")[0] in str(finding) for finding in told)


def test_5_the_r15_kill(wb):
    fact = FACT["r15_kill"]
    kill = row(wb.run("memory_quota").table, kind="R15")
    assert kill["dyno"] == fact["dyno"]
    assert abs(kill["end"] - when(fact["r15_time"])) <= 5 * SECOND
    assert kill["peak_percent"] == pytest.approx(fact["memory_percent"])
    assert kill["peak_mb"] == pytest.approx(fact["memory_mb"], abs=1)


def test_6_new_relic_is_in_new_york(wb):
    table = wb.run("time_zones").table
    (found,) = [one for _, one in table.iterrows() if "throughput" in one["source"]]
    assert found["verdict"] == "shifted" and found["offset_min"] == FACT["new_relic_zone"]["offset_min"]


def test_6_with_the_zone_it_is_aligned(wb):
    with Workbook.open() as other:
        assert other.load(SAMPLE / "papertrail").ok
        assert other.load(SAMPLE / "new-relic-throughput.csv", zone=FACT["new_relic_zone"]["zone"]).ok
        table = other.run("time_zones").table
    assert table["verdict"].tolist() == ["aligned"] and table["offset_min"].tolist() == [0]


CRITICAL = {
    "h12_burst": ({"errors", "queueing", "blockers"}, "start", "end"),
    "bad_deploy": ({"errors", "releases"}, "build_started", "rolled_back"),
    "worker_leak": ({"memory_trend"}, None, None),
    "r15_kill": ({"memory_quota", "errors"}, "started", "exited"),
}


def belongs(finding: object, name: str) -> bool:
    """Whether a finding is about that planted fact: by its analysis, and its time (or its dyno)."""
    analyses, start, end = CRITICAL[name]
    if finding.analysis not in analyses or finding.about is None:
        return False
    if start is None:
        return FACT[name]["dyno"] in finding.title
    first, last = (pd.Timestamp(time) for time in finding.about)
    slack = timedelta(minutes=2)
    return when(FACT[name][start]) - slack <= first and last <= when(FACT[name][end]) + slack


def test_the_four_that_hurt_are_critical_and_nothing_else_is(triage):
    critical = [finding for finding in triage.findings if finding.severity == "critical"]
    explained = {finding.title: [name for name in CRITICAL if belongs(finding, name)] for finding in critical}
    assert all(explained.values()), explained
    assert {name for names in explained.values() for name in names} == set(CRITICAL)


def test_triage_puts_the_worst_first(triage):
    order = ["critical", "warning", "note", "ruled_out", "cannot_tell"]
    ranks = [order.index(finding.severity) for finding in triage.findings]
    assert ranks == sorted(ranks) and {"critical", "ruled_out"} <= {
        finding.severity for finding in triage.findings
    }


def test_every_finding_cites_lines_that_are_there(triage, wb):
    paths = set(wb.sources()["path"])
    for finding in triage.findings:
        if finding.severity in ("critical", "warning"):
            assert finding.evidence and finding.next_step and finding.reference, finding.title
        for one in finding.evidence:
            assert one.source in paths and one.line >= 1, finding.title


def test_the_same_files_give_the_same_bytes(wb, triage):
    with Workbook.open() as again:
        for name in sorted(SAMPLE.iterdir(), reverse=True):
            if name.suffix in {".txt", ".csv", ".log"} or (name.is_dir() and name.name == "papertrail"):
                assert again.load(name).ok
        other = again.triage()
    assert [finding.title for finding in other.findings] == [finding.title for finding in triage.findings]


def test_the_table_of_triage_is_its_findings(triage, wb):
    assert triage.table["title"].tolist() == [finding.title for finding in triage.findings]
    again = wb.sql(triage.sql)
    assert again["title"].tolist() == triage.table["title"].tolist()
    assert list(again.columns) == list(triage.table.columns)
