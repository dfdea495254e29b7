"""Small parts that ipywidgets does not have: a line that is spoken, a text with a button that copies it."""

from __future__ import annotations

from importlib import resources

import anywidget
import traitlets


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


class Status(anywidget.AnyWidget):
    """One line of plain text: ``kind`` is working, done, error or stopped."""

    _esm = _asset("status.js")
    _css = """
.workbook-status { font: 12px/1.6 var(--jp-ui-font-family, system-ui, sans-serif); min-height: 1.6em;
 color: var(--jp-ui-font-color2, #5b6675); overflow-wrap: anywhere; }
.workbook-status[data-kind="working"] { color: var(--jp-ui-font-color1, #1f2a37); font-weight: 600; }
.workbook-status[data-kind="working"]::before { content: ""; display: inline-block; width: 9px; height: 9px;
 margin-right: 7px; border: 2px solid currentColor; border-right-color: transparent; border-radius: 50%;
 animation: workbook-turn 1s linear infinite; }
.workbook-status[data-kind="error"] { font-weight: 600; color: var(--jp-ui-font-color1, #1f2a37);
 border-left: 4px solid #b3261e; padding-left: 8px; }
@keyframes workbook-turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .workbook-status::before { animation: none !important; } }
"""
    value = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Unicode("done").tag(sync=True)

    def say(self, kind: str, value: str) -> None:
        """Show the line and its kind at once."""
        with self.hold_sync():
            self.kind, self.value = kind, value


class Copied(anywidget.AnyWidget):
    """A text that can be read and copied; ``label`` says what it is."""

    _esm = _asset("copied.js")
    _css = """
.workbook-copied { display: flex; flex-wrap: wrap; gap: 8px; align-items: center;
 font: 12px var(--jp-ui-font-family, system-ui, sans-serif); color: var(--jp-ui-font-color1, #1f2a37); }
.workbook-copied textarea { width: 100%; box-sizing: border-box; resize: vertical; padding: 6px 8px;
 font: 12px/1.5 var(--jp-code-font-family, ui-monospace, monospace); color: inherit;
 background: var(--jp-layout-color0, #fff); border: 1px solid var(--jp-border-color1, #bbb); border-radius: 3px; }
.workbook-copied button { font: inherit; color: inherit; padding: 3px 12px; cursor: pointer;
 background: var(--jp-layout-color2, #eee); border: 1px solid var(--jp-border-color1, #bbb); border-radius: 3px; }
.workbook-copied :focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
"""
    value = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)


class Dial(anywidget.AnyWidget):
    """A number from ``min`` to ``max``: a slider with steps, and a box in which any of them can be typed.

    The sliders of ipywidgets have no name for a screen reader.
    """

    _esm = _asset("dial.js")
    _css = """
.workbook-dial { display: flex; gap: 8px; align-items: center; margin: 2px;
 font: 13px var(--jp-ui-font-family, system-ui, sans-serif); color: var(--jp-ui-font-color1, #1f2a37); }
.workbook-dial-label { width: 150px; text-align: right; }
.workbook-dial input[type="range"] { width: 280px; accent-color: var(--jp-brand-color1, #1976d2); }
.workbook-dial input[type="number"] { width: 90px; padding: 3px 6px; font: inherit; color: inherit;
 text-align: right; font-variant-numeric: tabular-nums; background: var(--jp-layout-color0, #fff);
 border: 1px solid var(--jp-border-color1, #bbb); border-radius: 3px; }
.workbook-dial :focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 2px; }
"""
    value = traitlets.Union([traitlets.Int(), traitlets.Float()]).tag(sync=True)
    min = traitlets.Union([traitlets.Int(), traitlets.Float()]).tag(sync=True)
    max = traitlets.Union([traitlets.Int(), traitlets.Float()]).tag(sync=True)
    step = traitlets.Union([traitlets.Int(), traitlets.Float()]).tag(sync=True)
    whole = traitlets.Bool(True).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
