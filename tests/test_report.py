"""The page: complete, escaped, without a network, redacted, the same bytes again, and there whole or not at all."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import altair as alt
import pandas as pd
import pytest

from workbook import charts, report
from workbook.analysis import Evidence, Finding, Result, worst_first
from workbook.errors import WorkbookError
from workbook.window import Window

WINDOW = Window("2026-03-11 13:00", "2026-03-11 15:00")
HOSTILE = "<script>alert(1)</script> </script><img src=x onerror=alert(2)> \u202e \x1b[31m"
LINE = '2026-03-11T13:45:05+00:00 heroku[router]: at=error code=H12 path="/a?token=s3cr3t" host=www.shop.test fwd="198.51.100.23"'


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.scripts, self._script = [], [], [], False
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self._script = tag == "script"
        if self._script:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._script = self._script and tag != "script"

    def handle_data(self, data):
        if self._script:
            self.scripts[-1] += data
        else:
            self.said += data


def rows(count=300):
    return pd.DataFrame(
        {
            "time": pd.date_range("2026-03-11 13:00", periods=count, freq="9s").as_unit("us"),
            "path": [f"/orders/{number}?token=t{number}" for number in range(count)],
            "host": "www.shop.test",
            "service_ms": [number * 7919 % 30_000 for number in range(count)],
            "connect_ms": [None if number % 3 else float(number) for number in range(count)],
        }
    )


def results():
    table = rows()
    chart = (
        alt.Chart(table)
        .mark_circle()
        .encode(
            x=charts.time_axis("time"),
            y=alt.Y("service_ms:Q", title="service (ms)"),
            tooltip=["time:T", "path:N"],
        )
    )
    chart = charts.theme(
        charts.describe(chart.interactive(), "Service time of each request."), "Service time"
    )
    findings = (
        Finding("ruled_out", "No dyno was killed in 300 requests."),
        Finding("note", HOSTILE, {"n": 1}, (), HOSTILE),
        Finding(
            "critical",
            "12 requests of ann@shop.test were cut off at 30 s (H12).",
            {"h12_count": 12},
            (Evidence("exports/heroku.log", 1042, LINE),),
            "Look at v42.",
            "book ch. 4",
            "high",
        ),
    )
    one = Result(
        "errors",
        "Which errors did users see?",
        findings,
        table,
        chart,
        "SELECT '</script>'",
        WINDOW,
        {"most": 5},
    )
    missing = Finding(
        "cannot_tell",
        "Memory cannot be judged.",
        next_step="Turn on runtime metrics.",
        analysis="memory_quota",
    )
    two = Result("memory_trend", "Does memory grow?", (), pd.DataFrame(), chart, "", WINDOW, {})
    all_of = worst_first([replace(found, analysis="errors") for found in findings] + [missing])
    overview = charts.describe(charts.empty("overview"), "The whole span.")
    triage = Result(
        "triage", "What is wrong?", all_of, pd.DataFrame({"severity": ["x"]}), overview, "", WINDOW, {}
    )
    return [triage, one, two]


def sources():
    return pd.DataFrame(
        {
            "source_id": [1],
            "path": ["exports/heroku.log"],
            "sha256": ["0123456789abcdef" * 4],
            "kind": ["heroku_logs"],
            "bytes": [123_456],
            "lines": [1500],
            "first_time": [pd.Timestamp("2026-03-11 13:00")],
            "last_time": [pd.Timestamp("2026-03-11 15:00")],
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "incident.html"
    report.write(
        path, results(), title=HOSTILE, notes="Seen at 13:45.\n\nann@shop.test called.", sources=sources()
    )
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(made):
    return Page(made)


def test_the_summary_comes_first_worst_first(page):
    said = page.said[page.said.index("Findings") :]
    order = [
        "12 requests of",
        "alert(1)",
        "No dyno was killed",
        "Memory cannot be judged",
        "Which errors did users see?",
    ]
    assert sorted(order, key=said.index) == order
    assert "Turn on runtime metrics." in said and "Does memory grow?" in said


def test_every_finding_stands_with_its_lines_and_its_next_step(page):
    assert (
        "exports/heroku.log:1042" in page.said and "Look at v42." in page.said and "book ch. 4" in page.said
    )


def test_the_first_rows_and_how_many_there_are(page):
    assert page.tags.count("tr") >= report.ROWS_SHOWN
    assert "The first 100 of 300 rows" in page.said
    assert "wb.run('errors', Window('2026-03-11 13:00:00', '2026-03-11 15:00:00'), most=5)" in page.said


def test_the_sources_and_versions_are_named(page):
    assert "0123456789abcdef" * 4 in page.said and "duckdb" in page.said and "workbook" in page.said
    assert "2026-03-11 13:00–15:00 UTC" in page.said


def test_hostile_text_stays_text(page):
    assert "img" not in page.tags
    assert not [one for one in page.attributes if one[1].startswith("on")]
    assert "alert(1)" in page.said and not any("alert(1)" in script for script in page.scripts)
    assert len(page.scripts) == 5, "three charts' data, ours and vega's"
    assert "\u202e" not in page.said and "\x1b" not in page.said and "⟨U+202E⟩" in page.said


def test_a_closing_tag_in_the_data_of_a_chart_does_not_close_it():
    table = rows(3).assign(path="</script><script>alert(3)</script><!--")
    chart = charts.theme(alt.Chart(table).mark_point().encode(x="path:N"))
    hostile = [replace(results()[1], table=table, chart=chart)]
    parsed = Page(report.html(hostile, redact=False))
    specs = [json.loads(script) for script in parsed.scripts if script.startswith("{")]
    values = [row["path"] for spec in specs for data in spec["datasets"].values() for row in data]
    assert values == ["</script><script>alert(3)</script><!--"] * 3


def test_the_page_asks_for_nothing(made, page):
    links = [
        value for _, name, value in page.attributes if name in ("src", "href", "action", "data", "poster")
    ]
    assert all(value.startswith(("#", "data:")) for value in links)
    assert "@import" not in made and "url(http" not in made
    policy = next(
        value for _, name, value in page.attributes if name == "content" and value.startswith("default-src")
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy


def test_each_chart_stands_as_a_labelled_picture_too(page, made):
    labels = [value for tag, name, value in page.attributes if name == "aria-label" and tag == "figure"]
    assert labels == ["The whole span.", *["Service time of each request."] * 2]
    assert page.tags.count("svg") == 3
    ids = re.findall(r'<clipPath id="([^"]+)"', made)
    assert ids and len(set(ids)) == len(ids)
    assert not re.search(r"<svg.*? style=", made)


def test_what_came_from_the_files_is_redacted_everywhere(made):
    for secret in ("ann@shop.test", "www.shop.test", "198.51.100.23", "s3cr3t", "token=t1"):
        assert secret not in made
    assert "user1@redacted.example" in made and "host1.example" in made
    assert "by one pseudonym" in made


def test_not_redacted_only_when_asked_and_said_so():
    whole = report.html(results(), redact=False)
    assert "ann@shop.test" in whole and "/orders/1?token=t1" in whole and "Not redacted" in whole


def test_the_same_results_give_the_same_bytes(tmp_path, made):
    path = tmp_path / "again.html"
    report.write(
        path, results(), title=HOSTILE, notes="Seen at 13:45.\n\nann@shop.test called.", sources=sources()
    )
    assert path.read_text(encoding="utf-8") == made


def test_the_page_is_small(made):
    assert len(made.encode()) < 2_000_000
    without = report.html([replace(one, chart=None) for one in results()])
    assert len(without) < 200_000 and "vegaEmbed=" not in without


def test_many_large_charts_stay_under_five_megabytes():
    table = pd.DataFrame(
        {"x": range(5_000), "name": [f"a fairly long name of a route {number}" for number in range(5_000)]}
    )
    chart = charts.theme(alt.Chart(table).mark_point().encode(x="x:Q", y="x:Q", tooltip="name:N"))
    many = [replace(results()[1], name=f"errors_{number}", chart=chart) for number in range(8)]
    text = report.html(many)
    assert len(text.encode()) < 5_000_000
    assert text.count('class="still"') == 8
    assert 0 < text.count('class="spec"') < 8


def test_no_results_still_give_a_page(tmp_path):
    text = report.write(tmp_path / "a.html", []).read_text()
    assert "Nothing was found to be wrong." in text


def test_a_report_as_markdown_holds_no_markup_of_the_log(tmp_path):
    text = report.write(tmp_path / "a.md", results(), title=HOSTILE, sources=sources()).read_text()
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "s3cr3t" not in text and "## Which errors did users see?" in text and "## Sources" in text


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(WorkbookError, match=r"none.*incident\.html.*folder that exists"):
        report.write(tmp_path / "none" / "incident.html", [])
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(WorkbookError, match=r"folder\.html"):
        report.write(tmp_path / "folder.html", [])
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


def test_an_old_report_stays_when_the_new_one_fails(tmp_path, monkeypatch):
    path = tmp_path / "incident.html"
    path.write_text("old")
    monkeypatch.setattr(
        report.Path,
        "write_text",
        lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")),
    )
    with pytest.raises(WorkbookError, match="No space left"):
        report.write(path, [])
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
