"""What every analysis promises: it runs on nothing, on one row, on NULLs; its SQL gives its table; its chart its columns."""

import json
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from workbook import Result, Window, Workbook
from workbook.analysis import SEVERITIES, discover

SAMPLE = Path(__file__).parents[2] / "sample_data"
ANALYSES = sorted(discover())
COLUMNS = {
    "slow_transactions": "name count p50_ms p95_ms p99_ms max_ms total_ms total_share within_500ms_share over_5s_count apdex",
    "queueing": "request_id time dyno path age_ms duration_ms quadrant outcome total_ms dyno_queue_max_ms before_router_ms",
    "blockers": "request_id time dyno route cause confidence waited_ms blocker_request_id blocker_route blocker_ms",
    "memory_trend": "process dyno start end verdict slope_mb_per_h slope_low slope_high hours_to_quota hours_to_kill confidence",
    "errors": "code description count first_time last_time",
}
WORDS = {
    ("queueing", "quadrant"): {"fast", "waited", "slow", "waited_and_slow"},
    ("queueing", "outcome"): {"completed", "timed_out", "expired", "averted_h12", "h12"},
    ("blockers", "cause"): {
        "slow_itself",
        "blocked",
        "dyno_swapping",
        "dyno_starting",
        "app_stall",
        "client",
        "cannot_tell",
    },
    ("memory_trend", "verdict"): {
        "leak",
        "steps",
        "plateau",
        "too_large",
        "sawtooth",
        "healthy",
        "not_enough_data",
    },
}
each = pytest.mark.parametrize("name", ANALYSES)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample data in a file, and the workbook on it."""
    path = tmp_path_factory.mktemp("contract") / "sample.duckdb"
    with Workbook.open(path) as wb:
        assert wb.load(SAMPLE).ok
    with Workbook.open(path, read_only=True) as wb:
        yield path, wb


def plain(frame: pd.DataFrame) -> list[list[object]]:
    """The cells as text, for comparing two frames whatever their types."""
    return json.loads(frame.to_json(orient="values", date_format="iso", date_unit="us", double_precision=6))


def datasets(chart: object) -> list[list[dict]]:
    """The data that a chart carries."""
    spec = chart.to_dict()
    found = list(spec.get("datasets", {}).values())
    return [values for values in found if isinstance(values, list)]


def check(result: Result) -> None:
    """What holds for every result."""
    assert all(
        finding.severity in SEVERITIES and finding.title.strip().endswith((".", "?", "!"))
        for finding in result.findings
    )
    assert set(COLUMNS.get(result.name, "").split()) <= set(result.table.columns)
    for (name, column), words in WORDS.items():
        if name == result.name:
            assert set(result.table[column].dropna()) <= words
    assert result.chart is not None
    assert sum(map(len, datasets(result.chart))) <= 5_000
    assert result.chart.to_dict().get("description"), "a chart says what it shows"
    assert str(result) and result._repr_html_()


@each
def test_on_nothing_it_says_what_it_would_need(wb, name):
    result = wb.run(name)
    check(result)
    assert result.table.empty
    if name != "completeness":
        assert [finding.severity for finding in result.findings] == ["cannot_tell"]
        assert "To get it:" in result.findings[0].next_step


@each
def test_on_rows_of_nothing_but_null_it_claims_nothing(wb, name):
    for table in wb.tables()["table"].unique():
        if table not in ("sources", "workbook", "unread_lines"):
            wb._database.execute(f"INSERT INTO {table} (source_id, line) VALUES (1, 1), (1, 2)")
    wb._database.execute(
        "INSERT INTO sources (source_id, path, sha256, kind, bytes, lines, log_lines, joined, duplicates, unread, blank)"
        " VALUES (1, 'null.log', 'x', 'heroku_logs', 1, 2, 2, 0, 0, 0, 0)"
    )
    result = wb.run(name)
    check(result)
    assert not [finding.title for finding in result.findings if finding.severity == "critical"]


@each
def test_on_one_calm_request_it_finds_nothing_wrong(load_text, name):
    wb = load_text(
        '2024-03-04T12:00:01.5+00:00 heroku[router]: at=info method=GET path="/a" host=h.example.com request_id=r1'
        ' fwd="192.0.2.1" dyno=web.1 connect=1ms service=20ms status=200 bytes=5 protocol=https\n'
        "2024-03-04T12:00:01.5+00:00 app[web.1]: source=rack-timeout id=r1 wait=1ms timeout=15000ms service=19ms state=completed\n"
        "2024-03-04T12:00:02.5+00:00 heroku[web.1]: source=web.1 dyno=heroku.1.a sample#memory_total=100.00MB sample#memory_quota=512.00MB\n"
    )
    result = wb.run(name)
    check(result)
    assert not [finding.title for finding in result.findings if finding.severity in ("critical", "warning")]


@each
def test_its_sql_gives_its_table_again_in_the_engines_own_shell(sample, name):
    path, wb = sample
    other = path.with_suffix(".copy.duckdb")
    if not other.exists():
        shutil.copyfile(path, other)
    for window in (Window(), Window("2026-03-11 19:30", "2026-03-11 19:45")):
        result = wb.run(name, window)
        check(result)
        with duckdb.connect(str(other), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            again = connection.execute(result.sql).df()
        assert list(again.columns) == list(result.table.columns)
        assert plain(again) == plain(result.table)


@each
def test_its_code_gives_its_result_again(sample, name):
    _, wb = sample
    window = Window("2026-03-11 19:30", "2026-03-11 19:45")
    result = wb.run(name, window)
    again = eval(result.code, {"wb": wb, "Window": Window})
    assert plain(again.table) == plain(result.table) and again.findings == result.findings


@each
def test_a_window_without_lines_says_so(sample, name):
    _, wb = sample
    result = wb.run(name, Window("2031-01-01", "2031-01-02"))
    assert [
        finding.severity for finding in result.findings if finding.severity in ("critical", "warning")
    ] == []
    check(result)


@each
def test_the_columns_of_its_chart_are_columns_of_data(sample, name):
    _, wb = sample
    spec = json.dumps(wb.run(name).chart.to_dict())
    assert '"$schema"' in spec and "NaN" not in spec
