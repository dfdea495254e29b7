"""The panel in JupyterLab, with no network: brush, click, keys, table, names for a screen reader, contrast."""

from __future__ import annotations

import json

import pytest

from tests.browser.accessible import contrasts, unnamed
from tests.browser.test_notebooks import READY, close, errors_in, shot

pytestmark = pytest.mark.browser

CELLS = [
    "from workbook import Workbook\nwb = Workbook.open()\nreport = wb.load('../sample_data')",
    "panel = wb.panel('queueing')\npanel",
]


@pytest.fixture(scope="module")
def shared(browser, jupyter):
    """A panel on the sample data that the tests of this file use one after the other, and its page."""
    from tests.browser.conftest import Page

    opened = Page(browser, permissions=["clipboard-read", "clipboard-write"])
    page = opened.page
    page.set_default_timeout(60_000)
    page.goto(f"{jupyter}/lab/workspaces/panel?reset")
    page.wait_for_function("() => window.jupyterapp?.serviceManager")
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for source in CELLS
    ]
    kernel = {"name": "python3", "display_name": "Python 3"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    page.evaluate(
        "async content => { await jupyterapp.serviceManager.ready; await jupyterapp.serviceManager.contents.save("
        "'notebooks/panel.ipynb', { type: 'notebook', format: 'json', content: JSON.parse(content) }); }",
        json.dumps(content),
    )
    page.goto(f"{jupyter}/lab/workspaces/panel/tree/notebooks/panel.ipynb?reset")
    page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell")
    page.evaluate(READY)
    assert page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')"), errors_in(page)
    page.set_viewport_size({"width": 1300, "height": 2600})
    panel = page.locator(".workbook-panel")
    panel.scroll_into_view_if_needed()
    panel.locator("svg.marks").nth(1).wait_for()
    yield opened, panel
    assert opened.outside == [] and opened.errors == []
    close(page)
    opened.context.close()


def settled(page, before: str) -> str:
    """Wait until the panel has answered something else than before; return its status."""
    page.wait_for_function(
        "before => { const one = document.querySelector('.workbook-panel .workbook-status');"
        " return one.dataset.kind === 'done' && one.textContent !== before; }",
        arg=before,
    )
    return page.locator(".workbook-panel .workbook-status").inner_text()


def test_every_control_has_a_name_and_text_stands_out(shared):
    opened, _panel = shared
    assert unnamed(opened.page, ".workbook-panel") == []
    assert contrasts(opened.page, ".workbook-panel") == []
    shot(opened, "panel")


def test_the_table_sorts_filters_pages_and_copies(shared):
    opened, panel = shared
    table = panel.locator(".workbook-grid")
    said = table.get_by_role("status")
    assert said.inner_text() == "1–50 of 4,046 rows"
    table.get_by_role("button", name="Next page").click()
    table.get_by_text("51–100 of 4,046 rows").wait_for()
    head = table.get_by_role("button", name="total_ms")
    head.focus()
    opened.page.keyboard.press("Enter")
    table.locator("th[aria-sort=descending]").wait_for()
    assert said.inner_text() == "1–50 of 4,046 rows"
    assert opened.page.evaluate("document.activeElement.textContent") == "total_ms", "the focus stays"
    find = table.get_by_role("searchbox")
    find.click()
    opened.page.keyboard.type("outcome=h12 dyno=web.2")
    table.get_by_text("that match, of 4,046").wait_for()
    rows = table.locator("tbody tr")
    assert 0 < rows.count() <= 50
    table.get_by_role("button", name="Copy the filtered rows as CSV").click()
    table.get_by_text("Copied").wait_for()
    copied = opened.page.evaluate("navigator.clipboard.readText()").strip().splitlines()
    assert copied[0].startswith("request_id,time,dyno") and all(",web.2," in line for line in copied[1:])
    find.fill("")
    table.get_by_text("1–50 of 4,046 rows").wait_for()


def test_a_click_on_a_mark_opens_its_request_and_undo_goes_back(shared):
    opened, panel = shared
    before = panel.locator(".workbook-status").inner_text()
    panel.locator("svg.marks").nth(1).locator(".mark-symbol.role-mark path").last.click(force=True)
    told = settled(opened.page, before)
    assert told.startswith("What is known about one request")
    assert "request_id='" in panel.get_by_label("code", exact=True).input_value()
    panel.get_by_role("button", name="Undo").click()
    assert settled(opened.page, told) == before
    open_first = panel.locator(".workbook-grid tbody button").first
    open_first.focus()
    opened.page.keyboard.press("Enter")
    second = settled(opened.page, before)
    assert second.split("? ")[0] == told.split("? ")[0]
    panel.get_by_role("button", name="Undo").click()
    assert settled(opened.page, second) == before


def test_a_wrong_time_is_one_sentence_and_keeping_tells_a_story(shared):
    opened, panel = shared
    box = panel.get_by_label("From (UTC)")
    box.fill("yesterday")
    box.press("Enter")
    panel.locator(".workbook-status[data-kind=error]").wait_for()
    assert "“yesterday” is not a time" in panel.locator(".workbook-status").inner_text()
    box.fill("2026-03-11 19:30")
    box.press("Enter")
    settled(opened.page, "")
    assert "2026-03-11 19:30:00 – … UTC" in panel.locator(".workbook-window").inner_text()
    panel.get_by_label("Note").fill("It began here")
    panel.get_by_role("button", name="Keep").click()
    panel.get_by_text("Story: 1 kept").click()
    story = panel.get_by_label("story as Markdown", exact=True).input_value()
    assert story.startswith("It began here") and "Window('2026-03-11 19:30:00', None)" in story
