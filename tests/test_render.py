"""Findings, results and tables in every form, with hostile text in each."""

import csv
import io
import json
import re
from decimal import Decimal
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbook import render, words
from workbook.analysis import Evidence, Finding, Result
from workbook.errors import LoadError, UsageError
from workbook.loading import LoadReport
from workbook.window import Window

HOSTILE = "<script>alert(1)</script> \x1b[31mred\x1b[0m \u202eevil | [a](http://b.example) `x` @all"

LINE = Evidence(
    "exports/heroku.log", 1042, '2026-03-11T13:45:05+00:00 heroku[router]: at=error code=H12 path="/a" <b>'
)
FINDING = Finding(
    "critical",
    "80 of 900 requests (8.9 %) were cut off at 30 s (H12).",
    {"h12_count": 80, "share": np.float64(0.0889), "max_ms": np.int64(30_001), "p99_ms": float("nan")},
    (LINE,),
    "Look at what v42 changed.",
    "book ch. 4",
    "high",
    "errors",
    (pd.Timestamp("2026-03-11 13:45"), pd.Timestamp("2026-03-11 13:57")),
)


def frame():
    return pd.DataFrame(
        {
            "time": pd.to_datetime(
                ["2026-03-11 13:45:00", None, "2026-03-11 13:45:00.250"], format="ISO8601"
            ).as_unit("us"),
            "path": ["/a|b", None, "=1+2"],
            "service_ms": [30_001.0, None, 12.5],
            "status": [503, 200, 404],
            "ok": [True, False, None],
            "evidence": [
                [{"source_id": 1, "line": 7}],
                None,
                np.array([{"source_id": 1, "line": 9}], dtype=object),
            ],
        }
    )


def result(table=None, findings=(FINDING,), chart=None, sql="SELECT 1"):
    return Result(
        "errors",
        "Which errors did users see?",
        tuple(findings),
        frame() if table is None else table,
        chart,
        sql,
        Window("2026-03-11 13:00", "2026-03-11 14:00"),
        {"high_wait_ms": 5000},
    )


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.seen, self.words = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def tags(page):
    return set(Tags(page).seen)


# plain values and JSON


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (5.0, 5),
        (-0.0, 0),
        (2.5, 2.5),
        (float("nan"), None),
        (float("inf"), None),
        (pd.NaT, None),
        (pd.NA, None),
        (Decimal("1.50"), 1.5),
        (np.bool_(True), True),
        (pd.Timestamp("2026-03-11 13:45"), "2026-03-11T13:45:00Z"),
        (pd.Timestamp("2026-03-11 13:45:00.25"), "2026-03-11T13:45:00.250Z"),
        (pd.Timestamp("2026-03-11 13:45:00.000001"), "2026-03-11T13:45:00.000001Z"),
        (pd.Timestamp("2026-03-11 13:45+02:00"), "2026-03-11T11:45:00Z"),
        (pd.Timestamp("2026-03-11").date(), "2026-03-11"),
        (pd.Timedelta("1s"), 1000),
        (np.array([1.0, np.nan]), [1, None]),
        ((1, {"a": pd.NaT}), [1, {"a": None}]),
        (b"a\xff", "a\\xff"),
    ],
)
def test_plain_values(value, plain):
    read = render.plain(value)
    assert read == plain and type(read) is type(plain)


def test_a_finding_as_plain_values_has_every_field():
    read = json.loads(render.to_json(render.finding_dict(FINDING)))
    assert read["numbers"] == {"h12_count": 80, "share": 0.0889, "max_ms": 30001, "p99_ms": None}
    assert read["evidence"] == [{"source": "exports/heroku.log", "line": 1042, "text": LINE.text}]
    assert read["about"] == ["2026-03-11T13:45:00Z", "2026-03-11T13:57:00Z"]
    bare = render.finding_dict(Finding("note", "a"))
    assert set(bare) == set(read)
    assert bare["about"] is None and bare["confidence"] is None and bare["evidence"] == []


def test_a_table_as_json_is_a_list_of_objects():
    first, second, third = json.loads(render.table(frame(), "json"))
    assert first == {
        "time": "2026-03-11T13:45:00Z",
        "path": "/a|b",
        "service_ms": 30001,
        "status": 503,
        "ok": True,
        "evidence": [{"source_id": 1, "line": 7}],
    }
    assert second["time"] is None and second["service_ms"] is None and second["evidence"] is None
    assert third["evidence"] == [{"source_id": 1, "line": 9}] and third["service_ms"] == 12.5


@given(st.text())
def test_json_gives_any_text_back_and_hides_nothing(text):
    written = render.to_json([text])
    assert json.loads(written) == [text]
    assert words.visible(written) == written


# CSV


def test_csv_gives_numbers_times_and_texts_back():
    rows = list(csv.reader(io.StringIO(render.table(frame(), "csv"))))
    assert rows[0] == ["time", "path", "service_ms", "status", "ok", "evidence"]
    assert rows[1][:5] == ["2026-03-11T13:45:00Z", "/a|b", "30001", "503", "true"]
    assert rows[2][:4] == ["", "", "", "200"]
    assert json.loads(rows[1][5]) == [{"source_id": 1, "line": 7}]


@pytest.mark.parametrize("text", ["=1+2", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "  =1", "＝1"])
def test_a_text_that_a_spreadsheet_would_run_is_disarmed(text):
    cell = next(csv.reader(io.StringIO(render.table(pd.DataFrame({"a": [text]}), "csv").split("\n", 1)[1])))[
        0
    ]
    assert cell.startswith("'")


@pytest.mark.parametrize("text", ["-12.5", "+3", "a=b", "1-2", "/a"])
def test_a_harmless_text_stays(text):
    assert render.table(pd.DataFrame({"a": [text]}), "csv") == f"a\n{text}\n"


def test_negative_numbers_are_no_formulas():
    assert render.table(pd.DataFrame({"a": [-5.0]}), "csv") == "a\n-5\n"


# text


def test_a_table_as_text_lines_up():
    lines = render.table(frame()).splitlines()
    assert lines[0].split() == ["time", "path", "service_ms", "status", "ok", "evidence"]
    assert "30,001" in lines[2] and "503" in lines[2] and "1:7" in lines[2]
    assert lines[3].split()[0] == "–"
    at = lines[0].index("service_ms") + len("service_ms")
    assert lines[2][:at].endswith("30,001") and lines[4][:at].endswith("12.5")


def test_wide_letters_line_up_by_columns_of_the_terminal():
    lines = render.table(pd.DataFrame({"a": ["日本", "ab"], "b": ["x", "x"]})).splitlines()
    assert [words.columns(line) for line in lines[2:]] == [7, 7]


def test_ids_lines_and_codes_are_not_grouped():
    shown = pd.DataFrame({"line": [12345], "pid": [23456], "count": [34567], "source_id": [45678]})
    assert render.table(shown).splitlines()[2].split() == ["12345", "23456", "34,567", "45678"]


def test_an_unknown_format_names_the_known():
    with pytest.raises(UsageError, match="text, json, csv, markdown"):
        render.table(frame(), "xml")


def test_an_empty_table_keeps_its_head():
    empty = frame().iloc[:0]
    assert render.table(empty).splitlines()[0].startswith("time")
    assert render.table(empty, "json") == "[]"
    assert render.table(empty, "csv").count("\n") == 1


def test_a_finding_for_the_terminal():
    text = str(FINDING)
    lines = text.splitlines()
    assert lines[0] == "CRITICAL     80 of 900 requests (8.9 %) were cut off at 30 s (H12)."
    assert lines[1].startswith(
        "             exports/heroku.log:1042  2026-03-11T13:45:05+00:00 heroku[router]"
    )
    assert "next step: Look at what v42 changed." in text
    assert "when: 2026-03-11 13:45–13:57 UTC" in text
    assert "max_ms 30,001" in text and "confidence: high" in text and "reference: book ch. 4" in text
    assert all(len(line) <= 110 for line in render.finding_text(FINDING, 110).splitlines())


def test_findings_come_worst_first_with_their_tally():
    text = render.findings_text(
        [Finding("ruled_out", "No H12."), Finding("note", "a"), Finding("note", "b"), FINDING]
    )
    assert text.index("CRITICAL") < text.index("NOTE") < text.index("RULED OUT")
    assert text.endswith("1 critical, 2 notes, 1 ruled out")
    assert render.findings_text([]) == "No findings."


def test_a_result_for_the_terminal_says_how_many_rows_there_are():
    text = str(result(pd.DataFrame({"n": range(45)})))
    assert "errors: Which errors did users see?" in text
    assert "high_wait_ms 5,000" in text
    assert "… 20 of 45 rows; .table has all" in text


def test_nothing_hidden_reaches_the_terminal():
    hostile = Finding(
        "note", HOSTILE, {"a": HOSTILE}, (Evidence("a\u202e.log", 1, HOSTILE + "\nmore"),), HOSTILE
    )
    text = render.result_text(result(pd.DataFrame({"a\x1b[2J": [HOSTILE]}), [hostile]))
    assert "\x1b" not in text and "\u202e" not in text and "⟨U+202E⟩" in text
    assert "red" in text and "[31m" not in text


# Markdown


def test_markdown_shows_hostile_text_as_it_is():
    text = render.markdown(HOSTILE + "\nnext")
    assert "<" not in text and "\n" not in text and "](" not in text.replace("\\]", "")
    assert "\\|" in text and "http:&#47;&#47;" in text and "&#64;all" in text and "\\`x\\`" in text


def test_a_markdown_table_has_as_many_cells_in_every_row():
    shown = render.table(pd.DataFrame({"a|b": ["x|y", HOSTILE], "ms": [1, 2]}), "markdown").splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in shown} == {3}
    assert shown[1] == "| --- | ---: |"


def test_a_result_as_markdown():
    text = render.result_markdown(result(sql="SELECT '```'"))
    assert text.startswith("## Which errors did users see?")
    assert "- **critical**: 80 of 900 requests" in text
    assert "````sql\nSELECT '```'\n````" in text


def test_code_with_backticks_stays_one_span():
    assert render.code_span("a ``b`` c") == "``` a ``b`` c ```"


# HTML


def test_html_of_a_finding_holds_no_tag_of_the_log():
    page = Finding(
        "note", HOSTILE, {"<i>": "<u>"}, (Evidence("<b>.log", 1, HOSTILE),), HOSTILE, HOSTILE
    )._repr_html_()
    assert not tags(page) & {"script", "b", "i", "u", "a", "img"}
    assert "\x1b" not in page and "\u202e" not in page


def test_html_of_a_result_shows_findings_picture_rows_and_sql():
    from workbook import charts

    chart = charts.describe(charts.empty("nothing"), 'told "so" <b>')
    page = result(
        pd.DataFrame({"path": [HOSTILE] * 45, "ms": range(45)}), chart=chart, sql="SELECT '</pre><b>'"
    )._repr_html_()
    assert {"figure", "img", "table", "details", "pre"} <= tags(page)
    assert not tags(page) & {"script", "b", "svg", "a"}
    assert 'alt="told &quot;so&quot; &lt;b&gt;"' in page
    assert "20 of 45 rows" in page
    assert not re.search(r"(src|href)=\"?http", page)


def test_html_puts_numbers_to_the_right_and_missing_as_a_dash():
    page = render.frame_html(frame(), "What is <known>")
    assert '<td style="text-align:right">30,001</td>' in page
    assert '<td style="text-align:left">–</td>' in page
    assert "What is &lt;known&gt;" in page


def test_a_result_with_nothing_renders_everywhere():
    empty = result(pd.DataFrame(), (), None, "")
    assert "No findings." in str(empty)
    assert "Which errors" in empty._repr_html_()
    assert "No findings." in render.result_markdown(empty)


def test_a_load_report_names_what_failed_and_hides_empty_columns():
    table = pd.DataFrame(
        {
            "source_id": [1],
            "outcome": ["loaded"],
            "path": ["<b>.log"],
            "kind": ["heroku_logs"],
            "lines": [1500],
            "log_lines": [1490],
            "joined": [10],
            "duplicates": [0],
            "unread": [0],
            "blank": [0],
            "notes": [None],
        }
    )
    report = LoadReport(
        table, [LoadError("is no export.", path="a<i>.txt", next_step="Give a log.")], ["notes.pdf"]
    )
    text, page = str(report), report._repr_html_()
    assert (
        "1,490" in text
        and "joined" in text
        and "duplicates" not in text
        and "notes" not in text.splitlines()[0]
    )
    assert "Not loaded: a<i>.txt: is no export. Give a log." in text and "notes.pdf" in text
    assert not tags(page) & {"b", "i"} and "a&lt;i&gt;.txt" in page
    assert str(LoadReport(table.iloc[:0])) == "No file was loaded."


# words


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (0.25, "0.25 ms"),
        (412.4, "412 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (30_012, "30.0 s"),
        (125_000, "2 min 5 s"),
        (12_000_000, "3 h 20 min"),
        (-1500, "-1.5 s"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_a_time_in_words(ms, text):
    assert words.ms(ms) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0 %"),
        (0.123, "12.3 %"),
        (0.0001, "< 0.1 %"),
        (0.9999, "> 99.9 %"),
        (1, "100 %"),
        (None, "–"),
        (0.5, "50 %"),
    ],
)
def test_a_share_is_whole_only_when_it_is(part, text):
    assert words.share(part) == text


def test_counts_memory_and_plurals():
    assert words.count(1904) == "1,904" and words.count(None) == "–"
    assert words.mb(512) == "512 MB" and words.mb(14_336) == "14 GB" and words.mb(10_752) == "10.5 GB"
    assert words.plural(1, "request") == "1 request" and words.plural(0, "query", "queries") == "0 queries"
    assert (
        words.number(1234.56) == "1,234.6"
        and words.number(0.01234) == "0.0123"
        and words.number(float("inf")) == "∞"
    )


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2026-03-11 14:05", "2026-03-11 14:26", "2026-03-11 14:05–14:26 UTC"),
        ("2026-03-11 14:05:10", "2026-03-11 14:05:40", "2026-03-11 14:05:10–14:05:40 UTC"),
        ("2026-03-11 23:50", "2026-03-12 00:10", "2026-03-11 23:50–2026-03-12 00:10 UTC"),
        ("2026-03-11 14:05", "2026-03-11 14:05", "2026-03-11 14:05:00 UTC"),
        ("2026-03-11 14:05+02:00", "2026-03-11 14:26+02:00", "2026-03-11 12:05–12:26 UTC"),
    ],
)
def test_a_stretch_of_time_in_words(start, end, text):
    assert words.times(pd.Timestamp(start), pd.Timestamp(end)) == text


@given(st.text())
def test_visible_text_is_safe_and_stays_so(text):
    shown = words.visible(text, one_line=True)
    assert words.visible(shown, one_line=True) == shown
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", shown)
