"""The report of the sample data, opened from disk with no network; kept as a picture where one is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workbook import Workbook

pytestmark = pytest.mark.browser
SAMPLE = Path(__file__).parents[2] / "sample_data"


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """The report of the sample data."""
    with Workbook.open() as wb:
        assert wb.load(SAMPLE).ok
        return wb.report(
            tmp_path_factory.mktemp("report") / "report.html", title="A bad day of coupon-harbor"
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_of_the_sample_shows_findings_and_charts(report, open_page, scheme):
    opened = open_page(color_scheme=scheme)
    opened.page.goto(report.as_uri())
    opened.page.locator("svg.marks").first.wait_for()
    assert "worker.1 leaks" in opened.page.inner_text("body")
    assert opened.page.locator("svg.marks").count() >= 5
    folder = os.environ.get("WORKBOOK_PICTURES")
    if folder:
        opened.page.screenshot(path=str(Path(folder, f"report_{scheme}.png")))
    assert opened.outside == [] and opened.errors == []
    assert str(SAMPLE) not in report.read_text(), "where the files were kept stays at home"
    assert report.stat().st_size < 5_000_000
