"""The panel: an overview to brush a window, an analysis with its parameters as widgets, its findings, chart and table.

The only importer of ipywidgets. A widget chooses, the workbook answers: nothing is computed here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import ipywidgets as W

from workbook.panel import view
from workbook.window import Window

if TYPE_CHECKING:
    from workbook.analysis import Result
    from workbook.workbook import Workbook

_BRUSH = "window"


class Panel(W.VBox):
    """Widgets around one analysis of a workbook; ``window``, ``result`` and ``code`` can be read from the next cell.

    Drag on the overview to choose a window, double-click there to clear it. Every change runs the analysis anew; an
    error shows as one sentence and leaves the last result standing.
    """

    def __init__(self, workbook: Workbook, name: str, window: Window, parameters: dict[str, Any]):
        chosen = workbook.check(name, parameters)
        self._workbook = workbook
        self.window = window
        self.result: Result | None = None
        self._earlier: list[Window] = []
        options = workbook.questions()
        self._choice = W.Dropdown(
            options=[(f"{key} — {question}"[:110], key) for key, question in options.items()],
            value=name,
            description="Question",
            layout=W.Layout(width="98%"),
        )
        self._overview = view.overview_chart(*workbook.overview(), _BRUSH)
        self._chart = view.empty_chart()
        self._status, self._findings = W.HTML(), W.HTML()
        self._table = view.scrolling_box()
        self._code, self._sql = view.copy_box("code"), view.copy_box("SQL")
        self._back = W.Button(description="Undo", tooltip="the window before this one", disabled=True)
        self._whole = W.Button(description="Whole span", tooltip="clear the window")
        self._window_text = W.HTML(layout=W.Layout(margin="0 0 0 12px"))
        self._controls = W.VBox()
        super().__init__(
            [
                self._overview,
                W.HBox([self._whole, self._back, self._window_text]),
                self._choice,
                self._controls,
                self._status,
                self._findings,
                self._chart,
                self._table,
                view.folded(
                    {"Code that gives this result": self._code, "SQL that gives the table": self._sql}
                ),
            ]
        )
        self.add_class("workbook-panel")
        self._make_controls(chosen)
        self._overview.selections.observe(self._brushed, _BRUSH)
        self._choice.observe(lambda _: self._chosen(), "value")
        self._whole.on_click(lambda _: self._move(Window()))
        self._back.on_click(lambda _: self._undo())
        self._run()

    @property
    def code(self) -> str:
        """The line that gives the shown result without widgets."""
        return self.result.code if self.result else ""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters as the widgets stand."""
        return {name: widget.value for name, widget in self._widgets.items()}

    def _chosen(self) -> None:
        self._make_controls({})
        self._run()

    def _make_controls(self, given: dict[str, Any]) -> None:
        options = self._workbook.parameters(self._choice.value)
        self._widgets = {option.name: view.control(option, given.get(option.name)) for option in options}
        for widget in self._widgets.values():
            widget.observe(lambda _: self._run(), "value")
        self._controls.children = list(self._widgets.values())

    def _brushed(self, change: Any) -> None:
        span = (change.new.value or {}).get("time") if change.new is not None else None
        if not span:
            self._move(Window())
            return
        start, end = (datetime.fromtimestamp(ms // 1000, UTC).replace(tzinfo=None) for ms in map(int, span))
        if start < end:
            self._move(Window(start, end))

    def _move(self, window: Window) -> None:
        if window == self.window:
            return
        before = self.window
        if self._run(window):
            self._earlier.append(before)
            self._back.disabled = False

    def _undo(self) -> None:
        if self._earlier and self._run(self._earlier[-1]):
            self._earlier.pop()
            self._back.disabled = not self._earlier

    def _run(self, window: Window | None = None) -> bool:
        """Run the chosen analysis; an error is one sentence, and window, result and picture stay as they were."""
        window = window or self.window
        self._status.value = view.busy()
        try:
            result = self._workbook.run(self._choice.value, window, **self.parameters)
            shown = (view.findings(result), view.drawn(result), view.table(result))
        except Exception as error:
            self._status.value = view.sentence(error)
            return False
        self.window, self.result = window, result
        self._window_text.value = view.window(window)
        self._findings.value, self._chart.chart, self._table.value = shown
        self._code.value, self._sql.value = result.code, result.sql
        self._status.value = view.done(result)
        return True
