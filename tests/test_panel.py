"""The panel without a browser: widgets choose, the workbook answers, an error changes nothing."""

from pathlib import Path

import pytest

from workbook import Window, Workbook, WorkbookError
from workbook.analysis import discover
from workbook.panel import view

SAMPLE = Path(__file__).parents[1] / "sample_data"
BURST = Window("2026-03-11 19:30", "2026-03-11 19:45")


@pytest.fixture(scope="module")
def wb():
    with Workbook.open() as opened:
        assert opened.load(SAMPLE).ok
        yield opened


def test_it_shows_what_run_gives(wb):
    panel = wb.panel("queueing", BURST, high_wait_ms=2000)
    result = wb.run("queueing", BURST, high_wait_ms=2000)
    assert panel.result.findings == result.findings and panel.code == result.code
    assert panel.window == BURST and panel._sql.value == result.sql
    assert result.findings[0].title.split("(")[0].strip()[:40] in panel._findings.value.replace("&#x27;", "'")


def test_a_slider_runs_it_again(wb):
    panel = wb.panel("queueing")
    before = panel._findings.value
    panel._widgets["high_wait_ms"].value = 1000
    assert "high_wait_ms=1000" in panel.code and panel._findings.value != before


def test_a_window_can_be_undone_and_cleared(wb):
    panel = wb.panel("errors")
    panel._move(BURST)
    assert panel.window == BURST and "19:30" in panel._window_text.value
    panel._undo()
    assert panel.window == Window() and panel._back.disabled


def test_an_error_is_one_sentence_and_changes_nothing(wb, monkeypatch):
    panel = wb.panel("errors")
    kept = panel.result

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("<b>no</b>")

    monkeypatch.setattr(wb, "run", fail)
    panel._move(BURST)
    assert "&lt;b&gt;no&lt;/b&gt;" in panel._status.value
    assert panel.window == Window() and panel.result is kept


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("nosuch", {}, "no analysis"),
        ("queueing", {"high_wait": 1}, "no parameter"),
        ("queueing", {"slow_ms": 10**9}, "bounds"),
    ],
)
def test_a_wrong_name_or_value_is_refused(wb, name, parameters, said):
    with pytest.raises(WorkbookError, match=said):
        wb.panel(name, **parameters)


@pytest.mark.parametrize(
    "option", [o for one in discover().values() for o in one.options], ids=lambda o: o.name
)
def test_every_parameter_has_a_control_that_can_return_to_its_default(option):
    widget = view.control(option)
    assert widget.value == option.default
    if hasattr(widget, "step") and hasattr(widget, "min"):
        steps = (option.default - widget.min) / widget.step
        assert abs(steps - round(steps)) < 1e-6
