"""What the panel is made of: charts that redraw in place, controls made from a parameter, HTML of a result."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import ipywidgets as W
import pandas as pd

from workbook import charts, render, timeline

if TYPE_CHECKING:
    from workbook.analysis import Option, Result

_ROWS = 50
_UNITS = {"ms": "ms", "s": "s", "mb": "MB", "hours": "h", "minutes": "min"}


def overview_chart(overview: pd.DataFrame, marks: pd.DataFrame, name: str) -> Any:
    """Return the overview as a chart whose brush is the selection of that name."""
    import altair as alt

    brush = alt.selection_interval(name=name, encodings=["x"])
    return _live(timeline.overview_chart(overview, marks, None if overview.empty else brush, height=110))


def empty_chart() -> Any:
    """Return a chart widget with nothing on it, to be redrawn by assigning its ``chart``."""
    return _live(charts.empty("…"))


def _live(chart: Any) -> Any:
    import altair as alt

    charts.offline()
    return alt.JupyterChart(chart, debounce_wait=200, max_wait=False, embed_options={"actions": False})


def drawn(result: Result) -> Any:
    """Return the result's chart, or one that says there is none."""
    return result.chart if result.chart is not None else charts.empty("no chart for this result")


def words_of(name: str) -> str:
    """Return a parameter's name as a person reads it: ``high_wait_ms`` is “high wait (ms)”."""
    stem, _, unit = name.rpartition("_")
    return f"{stem.replace('_', ' ')} ({_UNITS[unit]})" if stem and unit in _UNITS else name.replace("_", " ")


def control(option: Option, value: Any = None) -> Any:
    """Return the widget for a parameter: a list for choices, a slider within bounds, a box otherwise."""
    shown = {"description": words_of(option.name), "style": {"description_width": "150px"}}
    start = option.default if value is None else value
    if option.choices:
        return W.Dropdown(options=list(option.choices), value=start, **shown)
    shown["layout"] = W.Layout(width="560px")
    if option.bounds is None:
        return {int: W.IntText, float: W.FloatText, bool: W.Checkbox}.get(option.type, W.Text)(
            value=start, **shown
        )
    low, high = option.bounds.low, option.bounds.high
    if option.type is int:
        step = _step(int(low), int(option.default), max(1, int(10 ** (len(str(int(high - low))) - 3))))
        return W.IntSlider(
            value=start, min=int(low), max=int(high), step=step, continuous_update=False, **shown
        )
    return W.FloatSlider(
        value=start,
        min=low,
        max=high,
        step=_fine_step(low, high, option.default),
        continuous_update=False,
        readout_format=".3g",
        **shown,
    )


def _step(low: int, default: int, wide: int) -> int:
    """The largest whole step, at most ``wide``, that reaches the default from the low end."""
    return math.gcd(default - low, wide) or wide


def _fine_step(low: float, high: float, default: float) -> float:
    """A step of about a 200th of the range that reaches the default from the low end."""
    return (default - low) / max(1, round((default - low) * 200 / (high - low))) or (high - low) / 200


def scrolling_box() -> Any:
    """Return a box of HTML that scrolls inside itself, so that a long table does not push the rest away."""
    return W.HTML(layout=W.Layout(max_height="420px", overflow="auto", width="98%"))


def copy_box(what: str) -> Any:
    """Return a read-only box whose text can be selected and copied."""
    box = W.Textarea(disabled=False, layout=W.Layout(width="98%", height="160px"))
    box.placeholder = f"the {what} appears here"
    box.add_class("workbook-copy")
    return box


def folded(parts: dict[str, Any]) -> Any:
    """Return the parts below each other, each folded under its title."""
    accordion = W.Accordion(children=list(parts.values()), selected_index=None)
    for place, title in enumerate(parts):
        accordion.set_title(place, title)
    return accordion


def busy() -> str:
    """Return the line that is shown while an analysis runs."""
    return '<div role="status" class="workbook-status">Working …</div>'


def done(result: Result) -> str:
    """Return the line that says what is shown."""
    count = len(result.table)
    return f'<div role="status" class="workbook-status">{html.escape(result.question)} — {count:,} rows</div>'


def sentence(error: Exception) -> str:
    """Return an error as one sentence."""
    return f'<div role="alert" class="workbook-error" style="color:#b3261e"><b>{html.escape(str(error))}</b></div>'


def findings(result: Result) -> str:
    """Return the findings as HTML, worst first."""
    return "".join(render.finding_html(finding) for finding in result.findings) or "<i>nothing found here</i>"


def table(result: Result) -> str:
    """Return the first rows of the table as HTML."""
    return render.frame_html(result.table, rows=_ROWS)


def window(chosen: object) -> str:
    """Return the chosen window as a line of text."""
    return f'<span class="workbook-window"><b>Window:</b> {html.escape(str(chosen))}</span>'
