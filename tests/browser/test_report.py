"""The report in a real Chromium with no network: no request, no error, charts that answer; and whole without JavaScript."""

from __future__ import annotations

from dataclasses import replace

import altair as alt
import pandas as pd
import pytest

from workbook import charts, report
from workbook.analysis import Evidence, Finding, Result
from workbook.window import Window

pytestmark = pytest.mark.browser

HOSTILE = "<script>document.title = 'hacked'</script></script><img src=x onerror=\"document.title='hacked'\">"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    table = pd.DataFrame(
        {
            "time": pd.date_range("2026-03-11 13:00", periods=40, freq="60s").as_unit("us"),
            "path": [f"{HOSTILE}{number}" for number in range(40)],
            "service_ms": [None if number == 3 else (number * 37) % 40 * 100 for number in range(40)],
        }
    )
    chart = (
        alt.Chart(table)
        .mark_circle(size=200)
        .encode(
            x=charts.time_axis("time"),
            y=alt.Y("service_ms:Q", title="service (ms)"),
            tooltip=["time:T", "path:N"],
        )
    )
    marks = pd.DataFrame({"time": [table["time"][20]], "kind": ["release"], "label": ["v42"]})
    chart = charts.theme(
        charts.describe(charts.with_marks(chart, marks, table["time"]), "Service time over time.")
    )
    finding = Finding(
        "critical",
        f"12 requests were cut off {HOSTILE}",
        {},
        (Evidence("a.log", 7, HOSTILE),),
        "Look at v42.",
    )
    result = Result(
        "errors", "Which errors did users see?", (finding,), table, chart, f"SELECT '{HOSTILE}'", Window(), {}
    )
    bars = alt.Chart(table).mark_bar().encode(y="path:N", x="service_ms:Q")
    other = replace(result, name="other", chart=charts.theme(charts.describe(bars, "Bars.")))
    path = tmp_path_factory.mktemp("report") / "incident.html"
    report.write(path, [result, other], title=HOSTILE, redact=False)
    return path


@pytest.fixture
def opened(browser, made):
    """Open the report with options of the browser; at the end: nothing was asked for, nothing was written to the console."""
    contexts, requests, said = [], [], []

    def opening(**options):
        context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(made.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-drawn=yes]", timeout=30_000)
        return page

    yield opening
    for context in contexts:
        context.close()
    assert set(requests) == {made.as_uri()}
    assert said == []


def shown(page, selector):
    return page.locator(selector).evaluate_all("all => all.filter(one => one.checkVisibility()).length")


def test_charts_are_drawn_in_the_place_of_their_pictures(opened):
    page = opened()
    assert shown(page, ".live svg") == 2
    assert shown(page, ".still") == 0
    assert page.locator(".live svg .mark-symbol path").count() == 39
    assert page.locator(".live svg").first.text_content().count("v42") == 2, "the label and its halo"


def test_hostile_text_does_nothing(opened):
    page = opened()
    assert page.title().startswith("<script>")
    assert page.locator("h1").inner_text().startswith("<script>")
    assert page.locator("main img").count() == 0


def test_a_tooltip_shows_utc_in_new_york(opened):
    page = opened(timezone_id="America/New_York")
    page.locator(".live svg .mark-symbol path").first.hover()
    tooltip = page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    assert "2026-03-11 13:00:00" in tooltip.inner_text()
    assert "13:00" in page.locator(".live svg").first.text_content()
    assert tooltip.locator("img, script").count() == 0


def test_a_click_on_a_head_sorts_by_value_and_leaves_the_missing_last(opened):
    page = opened()
    table = page.locator("#errors table")
    column = table.locator("tbody tr td:nth-child(3)")
    table.get_by_role("button", name="service_ms").click()
    assert column.first.inner_text() == "3,900" and column.last.inner_text() == "–"
    table.get_by_role("button", name="service_ms").click()
    assert column.nth(1).inner_text() == "100" and column.last.inner_text() == "–"
    assert table.locator("th[aria-sort=ascending]").count() == 1
    table.get_by_role("button", name="time").click()
    assert table.locator("tbody tr td").first.inner_text() == "2026-03-11 13:00:00"


def test_without_javascript_pictures_and_findings_are_there(opened):
    page = opened(java_script_enabled=False)
    assert page.locator(".still svg, .still img").count() == 2
    assert page.get_by_text("12 requests were cut off").first.is_visible()
    assert page.locator("details.sql").count() == 2


def test_on_paper_the_pictures_come_back(opened):
    page = opened()
    page.emulate_media(media="print")
    assert shown(page, ".live") == 0 and shown(page, ".still") == 2


def test_dark_has_light_letters_in_charts_and_pictures(opened):
    page = opened(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 24, 29)"
    assert page.locator(".live svg [fill='#9aa6b5']").count() > 5
    assert page.locator(".live svg [fill='#5b6675'], .live svg [fill='#1f2a37']").count() == 0
    page.emulate_media(color_scheme="light")
    page.locator(".live svg [fill='#5b6675']").first.wait_for(state="attached")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
