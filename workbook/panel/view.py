"""What the panel is made of: charts that redraw in place, controls made from a parameter, HTML of a result."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import ipywidgets as W
import pandas as pd

from workbook import charts, render, timeline, words
from workbook.panel import clicks
from workbook.panel.parts import Dial
from workbook.window import Window

if TYPE_CHECKING:
    from workbook.analysis import Option, Result

unchecked = charts.unchecked
_UNITS = {"ms": "ms", "s": "s", "mb": "MB", "hours": "h", "minutes": "min"}


def overview_chart(overview: pd.DataFrame, marks: pd.DataFrame, name: str, chosen: Window) -> Any:
    """Return the overview with a brush, the selection of that name, which lies on the chosen window."""
    import altair as alt

    if overview.empty:
        return charts.empty("Nothing is loaded that has a time: wb.load(…) reads a folder with exports.")
    at: Any = alt.Undefined
    if chosen != Window():
        ends = drawn_ends(overview, chosen)
        at = {"x": [int(pd.Timestamp(end).tz_localize("UTC").timestamp() * 1000) for end in ends]}
    brush = alt.selection_interval(name=name, encodings=["x"], value=at)
    return timeline.overview_chart(overview, marks, brush, height=90)


def drawn_ends(overview: pd.DataFrame, chosen: Window) -> tuple[Any, Any]:
    """Return where a window begins and ends on the strip, on which an open end is the end of what is loaded."""
    last = overview["time"].max() + pd.Timedelta(seconds=int(overview["width_s"].max()))
    return chosen.start or overview["time"].min(), chosen.end or last


def live(chart: Any) -> Any:
    """Return a widget with the chart, which is drawn anew when its ``chart`` is assigned."""
    import altair as alt

    charts.offline()
    return alt.JupyterChart(chart, debounce_wait=200, max_wait=False, embed_options={"actions": False})


def drawn(result: Result) -> Any:
    """Return the result's chart, its marks open what they stand for; or one that says there is none."""
    return (
        charts.empty("no chart for this result") if result.chart is None else clicks.clickable(result.chart)
    )


def nothing() -> Any:
    """Return the chart of a panel that has not answered yet."""
    return charts.empty("…")


def style() -> Any:
    """Return what makes an answer pale while a newer one is made, and the words of the panel readable."""
    return W.HTML(
        "<style>.workbook-stale{opacity:.45}.workbook-panel .widget-label{max-width:none}"
        ".workbook-panel .workbook-window{font-variant-numeric:tabular-nums}"
        ".workbook-panel .jupyter-widget-Collapse-header{color:var(--jp-ui-font-color1,#1f2a37)}</style>"
    )


def button(text: str, meaning: str, disabled: bool = False) -> Any:
    """Return a button; a screen reader says its meaning after its text."""
    return W.Button(description=text, tooltip=meaning, disabled=disabled, layout=W.Layout(width="auto"))


def time_box(label: str) -> Any:
    """Return a box for a time that is typed."""
    return W.Text(
        description=label,
        placeholder="2026-03-11 14:00",
        continuous_update=False,
        style={"description_width": "auto"},
        layout=W.Layout(width="230px"),
    )


def note_box() -> Any:
    """Return a box for the words under which a result is kept."""
    return W.Text(
        description="Note",
        placeholder="why this matters",
        style={"description_width": "auto"},
        layout=W.Layout(width="480px"),
    )


def in_a_row(*parts: Any) -> Any:
    """Return the parts beside each other, below each other where it is narrow."""
    return W.HBox(
        list(parts), layout=W.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 10px")
    )


def choice(questions: dict[str, str], name: str) -> Any:
    """Return the list of questions."""
    return W.Dropdown(
        options=[(f"{key} — {question}"[:110], key) for key, question in questions.items()],
        value=name,
        description="Question",
        style={"description_width": "150px"},
        layout=W.Layout(width="98%"),
    )


def same_on_strip(overview: pd.DataFrame, one: Window, other: Window) -> bool:
    """Return whether two windows are one on the strip: a brush knows seconds, and no open end."""
    if one == other or overview.empty or Window() in (one, other):
        return one == other

    def drawn(window: Window) -> list[int]:
        return [int(pd.Timestamp(end).timestamp()) for end in drawn_ends(overview, window)]

    return drawn(one) == drawn(other)


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
    low, high, named = option.bounds.low, option.bounds.high, words_of(option.name)
    if option.type is int:
        step = _step(int(low), int(option.default), max(1, int(10 ** (len(str(int(high - low))) - 3))))
        return Dial(value=int(start), min=int(low), max=int(high), step=step, label=named)
    fine = _fine_step(low, high, option.default)
    return Dial(value=float(start), min=low, max=high, step=fine, whole=False, label=named)


def _step(low: int, default: int, wide: int) -> int:
    """The largest whole step, at most ``wide``, that reaches the default from the low end."""
    return math.gcd(default - low, wide) or wide


def _fine_step(low: float, high: float, default: float) -> float:
    """A step of about a 200th of the range that reaches the default from the low end."""
    return (default - low) / max(1, round((default - low) * 200 / (high - low))) or (high - low) / 200


def folded(parts: dict[str, Any]) -> Any:
    """Return the parts below each other, each folded under its title."""
    accordion = W.Accordion(children=list(parts.values()), selected_index=None)
    for place, title in enumerate(parts):
        accordion.set_title(place, title)
    return accordion


def done(result: Result) -> str:
    """Return the line that says what is shown."""
    return words.visible(f"{result.question} {words.plural(len(result.table), 'row')}.", one_line=True)


def sentence(error: Exception) -> str:
    """Return an error as one sentence."""
    return words.visible(str(error).strip() or type(error).__name__, one_line=True)


def findings(result: Result) -> str:
    """Return the findings as HTML, worst first, and what weakens them."""
    return render.findings_html(result.findings, result.weakened)


def window(chosen: object) -> str:
    """Return the chosen window as a line of text."""
    return f'<span class="workbook-window"><b>Window:</b> {html.escape(str(chosen))}</span>'
