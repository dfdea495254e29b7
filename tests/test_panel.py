"""The panel without a browser: widgets choose, the workbook answers, an error changes nothing."""

import asyncio
import threading
from pathlib import Path

import pytest

from workbook import Window, Workbook, WorkbookError
from workbook.analysis import discover
from workbook.panel import clicks, view

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


def test_the_last_wish_is_drawn_last_whichever_thread_answers_it(wb, monkeypatch):
    panel = wb.panel("queueing")
    run, first, go_on = wb.run, threading.Event(), threading.Event()

    def slow(*given, **named):
        if threading.current_thread() is asking:
            first.set()
            go_on.wait(10)
        return run(*given, **named)

    monkeypatch.setattr(wb, "run", slow)
    asking = threading.Thread(target=panel._answer)
    asking.start()
    first.wait(10)
    threading.Timer(0.3, go_on.set).start()
    panel._widgets["high_wait_ms"].value = 1000
    go_on.set()
    asking.join(20)
    assert "high_wait_ms=1000" in panel.code and "1.0 s or more" in panel._findings.value


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
    assert panel._status.kind == "error" and panel._status.value == "<b>no</b>", "plain text, never HTML"
    assert panel.window == Window() and panel.result is kept and panel._start.value == ""


def test_stopping_the_kernel_leaves_the_answer_before(wb, monkeypatch):
    panel = wb.panel("errors")
    kept = panel.result

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(wb, "run", stop)
    panel._move(BURST)
    assert panel._status.kind == "stopped" and panel.result is kept and panel.window == Window()


def test_of_wishes_that_gather_only_the_last_is_answered(wb, monkeypatch):
    panel = wb.panel("queueing")
    asked = []
    run = wb.run
    monkeypatch.setattr(wb, "run", lambda *given, **named: asked.append(named) or run(*given, **named))

    async def three_wishes() -> None:
        for wish in (3000, 2000, 1000):
            panel._widgets["high_wait_ms"].value = wish
        assert panel._status.kind == "working" and asked == []
        assert "workbook-stale" in panel._answers._dom_classes
        await asyncio.sleep(0)
        while panel._status.kind == "working":
            await asyncio.sleep(0.01)

    asyncio.run(three_wishes())
    assert [one["high_wait_ms"] for one in asked] == [1000]
    assert "high_wait_ms=1000" in panel.code and "workbook-stale" not in panel._answers._dom_classes


def test_a_request_opens_and_undo_goes_back_to_question_window_and_parameters(wb):
    panel = wb.panel("queueing", BURST, high_wait_ms=2000)
    shown = panel.code
    request_id = panel.result.table["request_id"].iloc[0]
    place = list(panel.result.table.columns).index("request_id")
    panel._table.wish({"open": [0, place]})
    assert panel.code == f"wb.run('request', {BURST!r}, request_id={request_id!r})"
    panel._undo()
    assert panel.code == shown and panel.window == BURST and panel._back.disabled


def test_a_release_opens_with_the_time_around_it(wb):
    panel = wb.panel("errors")
    panel._open("release", "v42")
    assert panel.result.name == "releases" and "v42" in set(panel.result.table["version"])
    assert panel.window.start < panel.result.table["time"].max() < panel.window.end


def test_a_typed_time_sets_the_window_and_a_wrong_one_is_a_sentence(wb):
    panel = wb.panel("errors")
    panel._start.value = "2026-03-11 19:30"
    panel._end.value = "2026-03-11 19:45"
    assert panel.window == BURST
    panel._end.value = "yesterday"
    assert panel._status.kind == "error" and "is not a time" in panel._status.value and panel.window == BURST


def test_a_window_lies_on_the_strip_and_is_no_new_wish(wb):
    panel = wb.panel("errors", BURST)
    brush = next(one for one in panel._overview.spec["params"] if one["name"] == "window")
    assert brush["value"]["x"] == [1773257400000, 1773258300000]
    before = panel.result
    panel._move(Window("2026-03-11 19:30:00.4", "2026-03-11 19:45"), brushed=True)
    assert panel.result is before


def test_what_is_kept_tells_a_story_with_its_code(wb):
    panel = wb.panel("errors", BURST)
    assert str(panel.story) == "Nothing was kept yet."
    panel._note.value = "<b>begins</b> here"
    panel._keep.click()
    panel._choice.value = "queueing"
    panel._keep.click()
    panel._keep.click()
    assert [one.name for one in panel.kept] == ["errors", "queueing"]
    told, shown = str(panel.story), panel.story._repr_html_()
    assert told.index("&lt;b&gt;begins") < told.index("Which errors") < told.index(panel.kept[1].code)
    assert "<b>&lt;b&gt;begins&lt;/b&gt; here</b>" in shown and "<b>begins" not in shown
    assert panel.story.code.splitlines() == [
        "# <b>begins</b> here",
        f"display({panel.kept[0].code})",
        f"display({panel.kept[1].code})",
    ]
    assert panel._told.value == told


@pytest.mark.parametrize(
    ("datum", "opens"),
    [
        ({"request_id": "a"}, ("request", "a")),
        ({"kind": "restart", "label": "web.1"}, ("dyno", "web.1")),
        ({"kind": "gap", "label": "no lines"}, None),
        ({"dyno": None}, None),
    ],
)
def test_a_mark_opens_what_it_stands_for(datum, opens):
    assert clicks.meaning(datum) == opens


def test_only_marks_that_stand_for_something_can_be_clicked(wb):
    drawn = clicks.clickable(wb.run("queueing").chart).to_dict()
    clicked = [one for one in drawn["params"] if one["name"].startswith("opened_")]
    assert [one["select"]["fields"] for one in clicked] == [["request_id"]]
    assert len(clicked[0]["views"]) == 1


@pytest.mark.parametrize("name", ["crashes", "memory_quota", "memory_trend", "queueing"])
def test_every_mark_that_can_be_clicked_is_a_view_of_its_own(wb, name):
    drawn = clicks.clickable(wb.run(name).chart).to_dict()
    views = [view for one in drawn["params"] if one["name"].startswith("opened_") for view in one["views"]]
    assert sorted(named(drawn)) == sorted(set(views)) and len(views) == len(set(views))


def named(part):
    """The names of the views in a specification that can be clicked."""
    if isinstance(part, list):
        return [name for one in part for name in named(one)]
    if not isinstance(part, dict):
        return []
    inner = [name for key, one in part.items() if key not in ("params", "datasets") for name in named(one)]
    name = str(part.get("name", ""))
    return [*inner, name] if name.startswith("clicked") else inner


def test_a_chart_of_which_nothing_can_be_clicked_stays_as_it_is(wb):
    plain = wb.run("slow_transactions").chart
    assert clicks.clickable(plain).to_dict().get("params", []) == plain.to_dict().get("params", [])


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
