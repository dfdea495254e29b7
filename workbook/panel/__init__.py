"""The panel: an overview to brush a window, an analysis with its parameters as widgets, its findings, chart and table.

The only importer of ipywidgets. A widget chooses, the workbook answers: nothing is computed here.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import ipywidgets as W

from workbook import limits
from workbook.panel import clicks, view
from workbook.panel.grid import Grid
from workbook.panel.parts import Copied, Status
from workbook.panel.state import Asked, Past, Story
from workbook.window import Window

if TYPE_CHECKING:
    from workbook.analysis import Result
    from workbook.workbook import Workbook

_BRUSH = "window"
_PAUSE_S = 0.03
"""So long the kernel looks for newer wishes before it answers one: what waited meanwhile is answered once."""


class Panel(W.VBox):
    """Widgets around one analysis of a workbook; ``window``, ``result``, ``code``, ``story`` can be read from a cell.

    Drag on the overview to choose a window, double-click there to clear it. Every change runs the analysis anew, the
    last one only where several came meanwhile; an error shows as one sentence and leaves the last result standing. A
    click on a mark, or on a name in the table, opens its request, dyno or release; *Undo* goes back. *Keep* adds what
    is shown to ``story``.
    """

    def __init__(self, workbook: Workbook, name: str, window: Window, parameters: dict[str, Any]):
        chosen = workbook.check(name, parameters)
        self._workbook = workbook
        self.window = self._wanted_window = window
        self.result: Result | None = None
        self.story = Story()
        self._shown: Asked | None = None
        self._past = Past()
        self._setting = False
        self._timer: asyncio.TimerHandle | None = None
        # a kernel may hand wishes to two threads at once: the later one reads what is wanted after the earlier one
        self._answering = threading.RLock()
        self._seen, self._marks = workbook.overview()
        self._make_parts(name)
        super().__init__([view.style(), *self._rows()])
        self.add_class("workbook-panel")
        self._make_controls(chosen)
        self._observe()
        self._answer()

    @property
    def code(self) -> str:
        """The line that gives the shown result without widgets."""
        return self.result.code if self.result else ""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters as the widgets stand."""
        return {name: widget.value for name, widget in self._widgets.items()}

    @property
    def kept(self) -> list[Result]:
        """The results that were kept, first kept first: ``wb.report(…, results=panel.kept)`` sends them."""
        return list(self.story.results)

    # what stands in it

    def _make_parts(self, name: str) -> None:
        self._overview = view.live(self._strip())
        self._start, self._end = view.time_box("From (UTC)"), view.time_box("To (UTC)")
        self._whole = view.button("Whole span", "Clear the window")
        self._back = view.button("Undo", "Back to the question and the window before", disabled=True)
        self._window_text = W.HTML()
        self._choice = view.choice(self._workbook.questions(), name)
        self._controls = W.VBox()
        self._status = Status()
        self._findings = W.HTML()
        self._chart = view.live(view.nothing())
        self._table = Grid(self._open)
        self._answers = W.VBox([self._findings, self._chart, self._table])
        self._note = view.note_box()
        self._keep = view.button("Keep", "Add what is shown to the story")
        self._code, self._sql = Copied(label="code"), Copied(label="SQL")
        self._told = Copied(label="story as Markdown")
        self._folds = view.folded(
            {
                "Code that gives this result": self._code,
                "SQL that gives the table": self._sql,
                "Story: nothing kept yet": self._told,
            }
        )

    def _rows(self) -> list[Any]:
        return [
            self._overview,
            view.in_a_row(self._start, self._end, self._whole, self._back, self._window_text),
            self._choice,
            self._controls,
            self._status,
            self._answers,
            view.in_a_row(self._note, self._keep),
            self._folds,
        ]

    def _observe(self) -> None:
        self._overview.selections.observe(self._brushed, _BRUSH)
        self._choice.observe(lambda _: self._chosen(), "value")
        for box in (self._start, self._end):
            box.observe(lambda _: self._typed(), "value")
        self._whole.on_click(lambda _: self._move(Window()))
        self._back.on_click(lambda _: self._undo())
        self._keep.on_click(lambda _: self._keep_it())

    def _strip(self) -> Any:
        return view.overview_chart(self._seen, self._marks, _BRUSH, self._wanted_window)

    def _make_controls(self, given: dict[str, Any]) -> None:
        options = self._workbook.parameters(self._choice.value)
        self._widgets = {option.name: view.control(option, given.get(option.name)) for option in options}
        for widget in self._widgets.values():
            widget.observe(lambda _: self._later(), "value")
        self._controls.children = list(self._widgets.values())

    # what a person does

    def _chosen(self) -> None:
        if not self._setting:
            self._make_controls({})
            self._later()

    def _brushed(self, change: Any) -> None:
        span = (change.new.value or {}).get("time") if change.new is not None else None
        if not span:
            self._move(Window(), brushed=True)
            return
        start, end = (datetime.fromtimestamp(ms // 1000, UTC).replace(tzinfo=None) for ms in map(int, span))
        if start < end:
            self._move(Window(start, end), brushed=True)

    def _typed(self) -> None:
        if self._setting:
            return
        try:
            window = Window(self._start.value.strip() or None, self._end.value.strip() or None)
        except Exception as error:
            self._status.say("error", view.sentence(error))
            return
        self._move(window)

    def _move(self, window: Window, brushed: bool = False) -> None:
        if window == self._wanted_window:
            return
        if brushed and view.same_on_strip(self._seen, window, self._wanted_window):
            return
        self._want(window, brushed)
        self._later()

    def _undo(self) -> None:
        if len(self._past):
            self._go(self._past.last)

    def _open(self, kind: str, value: Any) -> None:
        """Ask about what was clicked: a request, a dyno, a release, or a question by its name."""
        if kind == "request":
            self._ask("request", {"request_id": str(value)})
        elif kind == "dyno":
            self._ask("dyno", {"dyno": str(value)})
        elif kind == "release":
            self._ask("releases", {}, self._around(str(value)))
        elif str(value) in self._workbook.questions():
            self._ask(str(value), {})

    def _ask(self, name: str, given: dict[str, Any], window: Window | None = None) -> None:
        self._go(Asked(name, window or self._wanted_window, self._workbook.check(name, given)))

    def _around(self, version: str) -> Window:
        """The time around a release that its question compares; the window as it is where its time is not known."""
        times = self._marks.loc[
            (self._marks["kind"] == "release") & (self._marks["label"] == version), "time"
        ]
        if times.empty:
            return self._wanted_window
        minute = times.iloc[-1].floor("min").to_pydatetime()
        near = timedelta(minutes=limits.RELEASE_MINUTES)
        return Window(minute - near, minute + near + timedelta(minutes=1))

    def _keep_it(self) -> None:
        if self.result is not None:
            self.story.keep(self.result, self._note.value.strip())
            self._note.value = ""
            self._told.value = str(self.story)
            self._folds.set_title(2, f"Story: {len(self.story)} kept (panel.story)")
            self._status.say("done", f"Kept: {self.result.code}")

    # how it is answered

    def _go(self, asked: Asked) -> None:
        """Set all widgets to a question, and answer it."""
        self._setting = True
        try:
            self._choice.value = asked.name
            self._make_controls(asked.parameters)
        finally:
            self._setting = False
        self._want(asked.window)
        self._later()

    def _want(self, window: Window, brushed: bool = False) -> None:
        """Show the wanted window in the boxes, and on the strip where it was not drawn there."""
        moved = window != self._wanted_window
        self._wanted_window = window
        self._setting = True
        try:
            self._start.value, self._end.value = (str(end or "") for end in (window.start, window.end))
        finally:
            self._setting = False
        if moved and not brushed:
            self._overview.chart = self._strip()
            self._overview.selections.observe(self._brushed, _BRUSH)

    def _later(self) -> None:
        """Answer when nothing newer waits: at once outside of a kernel, else after a pause in which wishes gather."""
        self._status.say("working", "Working …")
        self._answers.add_class("workbook-stale")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._answer()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(_PAUSE_S, self._answer)

    def _answer(self) -> None:
        """Run what is wanted, one answer after the other, so that the last one drawn is of what is wanted last."""
        with self._answering:
            self._answer_now()

    def _answer_now(self) -> None:
        """Run what is wanted now; an error is one sentence, and window, result and picture stay as they were."""
        self._timer = None
        asked = Asked(self._choice.value, self._wanted_window, self.parameters)
        try:
            with view.unchecked():
                result = self._workbook.run(asked.name, asked.window, **asked.parameters)
                shown = view.findings(result), view.drawn(result)
        except KeyboardInterrupt:
            self._stays("stopped", "Stopped; what stands below is the answer before.")
        except Exception as error:
            self._stays("error", view.sentence(error))
        else:
            self._show(asked, result, *shown)
        self._answers.remove_class("workbook-stale")

    def _stays(self, kind: str, said: str) -> None:
        self._want(self.window)
        self._status.say(kind, said)

    def _show(self, asked: Asked, result: Result, findings: str, chart: Any) -> None:
        if self._shown is not None:
            self._past.went(self._shown, asked)
        self._shown, self.window, self.result = asked, asked.window, result
        self._back.disabled = not len(self._past)
        self._want(asked.window)
        self._window_text.value = view.window(asked.window)
        with view.unchecked():
            self._chart.chart = chart
        self._findings.value, self._table.frame = findings, result.table
        clicks.watch(self._chart, self._open)
        self._code.value, self._sql.value = result.code, result.sql
        self._status.say("done", view.done(result))
