"""The notebooks in JupyterLab, in a real browser, with no network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
READY = """async () => {
    const widget = jupyterapp.shell.currentWidget;
    await widget.context.ready;
    await widget.sessionContext.ready;
    await widget.sessionContext.session.kernel.info;
}"""


def run(opened, address: str, name: str) -> None:
    """Open a notebook and run all of its cells; every cell must succeed."""
    page = opened.page
    page.goto(f"{address}/lab/workspaces/{name.split('.')[0]}{id(opened)}/tree/notebooks/{name}?reset")
    page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell", timeout=60_000)
    page.evaluate(READY)
    page.set_default_timeout(60_000)
    assert page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')"), errors_in(page)


def errors_in(page) -> str:
    """What the notebook's cells said when they failed."""
    return "\n".join(page.locator(".jp-RenderedText[data-mime-type*='error']").all_inner_texts())


def close(page) -> None:
    """Shut the notebook's kernel down, so that the next test meets its own."""
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def shot(opened, name: str, shown=None) -> None:
    """Keep a picture of a part of the page (the panel) where ``WORKBOOK_PICTURES`` names a folder."""
    folder = os.environ.get("WORKBOOK_PICTURES")
    if folder:
        opened.page.set_viewport_size({"width": 1300, "height": 2600})
        shown = shown or opened.page.locator(".workbook-panel")
        shown.scroll_into_view_if_needed()
        opened.page.wait_for_timeout(1_500)
        shown.screenshot(path=str(Path(folder, f"{name}.png")))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_its_charts_appear_with_no_network(jupyter, open_page, name):
    opened = open_page()
    run(opened, jupyter, name)
    if "wb.panel(" in (FOLDER / name).read_text(encoding="utf-8"):
        shown = opened.page.locator(".workbook-panel")
        picture = shown.locator("svg.marks").nth(1)
    else:
        shown = opened.page.locator(".jp-NotebookPanel:visible .wb:has(.wb-finding):has(figure)").first
        picture = shown.locator("figure img").first
    shown.scroll_into_view_if_needed()
    picture.wait_for()
    shot(opened, f"notebook_{name.split('.')[0]}", shown)
    assert shown.locator(".wb-finding").count() >= 1
    assert opened.outside == [] and opened.errors == []
    close(opened.page)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_brushing_the_overview_sets_the_window_in_utc_and_everything_follows(jupyter, open_page, zone):
    opened = open_page(timezone_id=zone)
    run(opened, jupyter, "slow_transactions.ipynb")
    page, panel = opened.page, opened.page.locator(".workbook-panel")
    panel.scroll_into_view_if_needed()
    strip = panel.locator("svg.marks").first
    strip.wait_for()
    strip.scroll_into_view_if_needed()
    rows_before = panel.locator(".workbook-status").inner_text()
    table_before = panel.locator("table").last.inner_text()
    plot = strip.bounding_box()
    assert plot
    page.mouse.move(plot["x"] + plot["width"] * 0.30, plot["y"] + plot["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 0.50, plot["y"] + plot["height"] * 0.5, steps=25)
    page.mouse.up()
    page.wait_for_function(
        "before => document.querySelector('.workbook-panel table:last-of-type') &&"
        " ![...document.querySelectorAll('.workbook-panel table')].some(t => t.innerText === before)",
        arg=table_before,
    )
    window = panel.locator(".workbook-window").inner_text()
    assert "UTC" in window and "all of the loaded time" not in window
    start = window.split("Window:")[1].split("–")[0].strip()
    assert start.startswith("2026-03-10"), window
    hour = int(start[11:13])
    assert 10 <= hour <= 18, window
    code = panel.get_by_label("code", exact=True)
    panel.get_by_text("Code that gives this result").click()
    assert f"Window({start!r}" in code.input_value()
    shot(opened, f"brushed_{zone.replace('/', '_')}")
    panel.get_by_role("button", name="Undo").click()
    page.wait_for_function(
        "text => document.querySelector('.workbook-status').innerText === text", arg=rows_before
    )
    assert opened.outside == [] and opened.errors == []
    close(page)


def test_a_slider_changes_findings_chart_and_table_together(jupyter, open_page):
    opened = open_page()
    run(opened, jupyter, "queueing.ipynb")
    page, panel = opened.page, opened.page.locator(".workbook-panel")
    panel.scroll_into_view_if_needed()
    panel.locator("svg.marks").nth(1).wait_for()
    findings = panel.locator(".wb-finding").all_inner_texts()
    picture = panel.locator("svg.marks").nth(1).inner_html()
    panel.get_by_role("slider").first.focus()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "before => JSON.stringify([...document.querySelectorAll('.workbook-panel .wb-finding')]"
        ".map(f => f.innerText)) !== JSON.stringify(before)",
        arg=findings,
    )
    page.wait_for_function(
        "before => document.querySelectorAll('.workbook-panel svg.marks')[1].innerHTML !== before",
        arg=picture,
    )
    panel.get_by_text("Code that gives this result").click()
    assert "wait_ms=" in panel.get_by_label("code", exact=True).input_value()
    assert opened.outside == [] and opened.errors == []
    close(page)
