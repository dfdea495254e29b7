"""The same events as one object a line (SQL), as an array and as CSV (Python): the same rows, whatever a message carries."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbook import Workbook

TIMES = [
    "2024-05-06T07:08:09Z", "2024-05-06T07:08:09.123456789+02:00", "2024-05-06 07:08:09 -0730", "2024-05-06 07:08:09.5",
    "2024-05-06 07:08:09 UTC", "2024-02-30T00:00:00Z", "2024-05-06T07:08:09+99:00", "soon", "", "infinity", "1714979290",
    "1714979290.25", "1714979290123", "1714979290123456", "1714979290123456789", "9999999999999999999", "17", "2024-05-06",
    "2024-05-06T07:08:09z", "2024-05-06T07:08+01:00",
]  # fmt: skip
MESSAGES = [
    "at=info method=GET", "heroku[router]: at=info", "app[web.1]:", "app[web.1]", "app/web.1: hello", "heroku is up",
    "93 <45>1 2024-05-06T07:08:09.131415+00:00 host heroku web.1 - - item", "<190>1 2024-05-06T07:08:09+00:00 d.0-a app web.2 - - x",
    "<40>1 2024-05-06T07:08:09+00:00 heroku web.3 d.0-a - up", "heroku router - - at=info", "heroku router - -",
    "2024-05-06T07:08:09-07:00 heroku[nginx]: GET /", "2024-02-30T07:08:09Z app[web.1]: no such day", "May  6 07:08:09 host app/web.1: m",
    '{"a": "é, \\"x\\""}', "  app[web.1]: indented", "=cmd|' /C calc'!A0", "\x1b[31mred\x1b[0m", "one\n  two", "tail\r\n",
    "app[web.1]: one\ntwo", "app [web.1]: x", "💥 ünï",
]  # fmt: skip
PROGRAMS = ["", "heroku/router", "app/web.1", "app[web.1]", "CRON", "/x", "a/b/c", "heroku[router] x"]
EVENTS = st.fixed_dictionaries(
    {"message": st.sampled_from(MESSAGES) | st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)},
    optional={
        "time": st.sampled_from(TIMES),
        "received_at": st.sampled_from(TIMES),
        "generated_at": st.sampled_from(TIMES),
        "program": st.sampled_from(PROGRAMS),
        "source": st.sampled_from(["app", "heroku", "shop", ""]),
        "process": st.sampled_from(["router", "web.1", "api", ""]),
    },
)  # fmt: skip
FIRST = {"time": "2024-05-06T07:00:00Z", "message": "first", "program": "app/web.1"}
NAMES = ("generated_at", "received_at", "time", "program", "source", "process", "message")


def as_csv(events: list[dict[str, str]]) -> str:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, NAMES, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writeheader()
    writer.writerows(events)
    return sink.getvalue()


FORMS: dict[str, Callable[[list[dict[str, str]]], str]] = {
    "json_lines": lambda events: "".join(json.dumps(event) + "\n" for event in events),
    "json_document": lambda events: json.dumps({"logs": events}, indent=1, ensure_ascii=False),
    "log_csv": as_csv,
}


def rows(path: Path, kind: str) -> tuple[list[Any], list[Any]]:
    with Workbook.open() as wb:
        report = wb.load(path)
        assert report.ok, report.errors
        assert wb.sources()["kind"].tolist() == [kind]
        log = wb.sql(
            "SELECT time::VARCHAR, received_at::VARCHAR, source, process, message FROM log_lines ORDER BY line"
        )
        unread = wb.sql("SELECT reason FROM unread_lines ORDER BY line, reason")
        return log.astype(object).where(log.notna(), None).values.tolist(), unread["reason"].tolist()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENTS, max_size=6))
def test_three_forms_of_one_export_give_the_same_rows(tmp_path: Path, events: list[dict[str, str]]) -> None:
    found = []
    for kind, form in FORMS.items():
        path = tmp_path / kind
        path.write_text(form([FIRST, *events]), encoding="utf-8", newline="")
        found.append(rows(path, kind))
    assert found[0] == found[1]
    # the page reads more spellings of a time, such as a day alone
    if not any("2024-05-06" in event.values() for event in events):
        assert found[1] == found[2]


@pytest.mark.parametrize("kind", FORMS)
def test_every_form_leads_to_the_typed_tables(load_text: Callable[..., Workbook], kind: str) -> None:
    router = (
        'at=error code=H12 desc="Request timeout" method=GET path="/a" host=shop.example.com dyno=web.1'
        " connect=1ms service=30000ms status=503 bytes=0"
    )
    events = [{**FIRST, "program": "heroku/router", "message": router},
              {"time": "2024-05-06T07:00:09Z", "message": f"<158>1 2024-05-06T07:00:01+00:00 host heroku router - {router}"}]  # fmt: skip
    wb = load_text(FORMS[kind](events), name="export")
    found = wb.sql("SELECT time::VARCHAR AS time, code, service_ms FROM requests ORDER BY time")
    assert found.values.tolist() == [
        ["2024-05-06 07:00:00", "H12", 30000],
        ["2024-05-06 07:00:01", "H12", 30000],
    ]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_a_csv_may_be_cut_by_other_signs_than_commas(
    load_text: Callable[..., Workbook], delimiter: str
) -> None:
    lines = [["Timestamp", "Program", "Message"], ["2024-05-06 07:00:00", "app/web.1", "one"]]
    wb = load_text("\n".join(map(delimiter.join, lines)), name="export.csv", zone="-04:00")
    assert wb.sql("SELECT time::VARCHAR AS time, process FROM log_lines").values.tolist() == [
        ["2024-05-06 11:00:00", "web.1"]
    ]
    assert wb.sources()["zone"][0] == "-04:00 (times in the file carry none)"


def test_a_formula_stays_text_to_the_end(load_text: Callable[..., Workbook]) -> None:
    formulas = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", '=HYPERLINK("http://example.com")', "\t=1"]
    wb = load_text(as_csv([FIRST, *({"time": FIRST["time"], "message": text} for text in formulas)]))
    assert wb.sql("SELECT message FROM log_lines ORDER BY line")["message"].tolist()[1:] == formulas


@pytest.mark.parametrize(
    "event",
    [
        {"timestamp": 1714979289000, "message": "heroku[router]: at=info", "logStreamName": "x", "ingestionTime": 1714979290000},
        {"preview": False, "result": {"_time": "2024-05-06T07:08:09.000+00:00", "_raw": "heroku[router]: at=info"}},
        {"_source": {"@timestamp": "2024-05-06T07:08:09Z", "message": "at=info", "appname": "heroku", "procid": "router"}},
        {"id": "A", "attributes": {"timestamp": "2024-05-06T07:08:09Z", "message": "at=info",
         "attributes": {"syslog": {"appname": "heroku", "procid": "router"}}}},
        {"id": "A", "content": {"timestamp": "2024-05-06T07:08:09Z", "message": "heroku[router]: at=info"}},
        {"dt": "2024-05-06 07:08:09.000 UTC", "message": "at=info", "syslog": {"appname": "heroku", "procid": "router"}},
        {"timestamp": "2024-05-06T07:08:09Z", "app_name": "heroku", "proc_id": "router", "host": "host", "message": "at=info"},
        {"time": "2024-05-06T07:08:09Z", "hostname": "shop", "severity": "INFO", "program": "heroku/router", "message": "at=info"},
        {"ts": 1714979289, "process": "router", "msg": "at=info"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["json_lines", "json_document"])
def test_an_event_of_every_store_becomes_the_same_line(
    load_text: Callable[..., Workbook], event: dict[str, Any], form: str
) -> None:
    wb = load_text(
        json.dumps(event) + "\n" if form == "json_lines" else json.dumps([event]), name="export.json"
    )
    assert wb.sources()["kind"].tolist() == [form]
    found = wb.sql("SELECT time::VARCHAR AS time, source, process, message FROM log_lines")
    assert found.values.tolist() == [["2024-05-06 07:08:09", "heroku", "router", "at=info"]]
