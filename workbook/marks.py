"""What all time charts share: rules, bands and labels for releases, restarts, error bursts and gaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbook.axes import time_axis, time_tooltip, utc
from workbook.palette import COLOURS, GREY, INK, MOST_ROWS, PAPER, WIDTH

if TYPE_CHECKING:
    import altair as alt

_DASHES = {"restart": [5, 3], "errors": [2, 2], "error_burst": [2, 2], "gap": [1, 3]}


def marks_layer(
    marks: pd.DataFrame | None, *, start: Any = None, end: Any = None, title: str | None = "time (UTC)"
) -> Any:
    """Return rules, bands and labels for releases, restarts, errors and gaps; None without any in sight.

    ``marks`` has the columns time, kind, label and may have end (then a band is drawn). Only marks that touch
    ``[start, end]`` are kept, so that an old release does not stretch the axis of the chart. As many labels
    as fit are shown; a tooltip has each. Layer it under a time chart whose x axis has the same title, or use
    ``with_marks``.
    """
    import altair as alt

    shown = _in_sight(marks, start, end)
    return None if shown.empty else alt.layer(*_rules(shown, title), *_labels(shown, start, end, title))


def with_marks(
    chart: Any, marks: pd.DataFrame | None, times: pd.Series | None = None, title: str | None = "time (UTC)"
) -> Any:
    """Return the chart with rules and bands under it and labels over it.

    ``times`` are the chart's own: marks outside of them are left out. A facetted or joined chart is returned
    as it is.
    """
    import altair as alt

    known = times.dropna() if times is not None else pd.Series(dtype="datetime64[us]")
    start, end = (known.min(), known.max()) if len(known) else (None, None)
    shown = _in_sight(marks, start, end)
    if shown.empty or not isinstance(chart, alt.Chart | alt.LayerChart):
        return chart
    return alt.layer(*_rules(shown, title), chart, *_labels(shown, start, end, title))


def _mark_chart(marks: pd.DataFrame, title: str | None) -> alt.Chart:
    import altair as alt

    told = [alt.Tooltip("kind:N"), alt.Tooltip("label:N", title="what"), time_tooltip("time")]
    return alt.Chart(utc(marks)).encode(x=time_axis("time", title), tooltip=told)


def _rules(shown: pd.DataFrame, title: str | None) -> Iterator[alt.Chart]:
    for kind, some in shown.groupby("kind", sort=True):
        colour, dash = COLOURS.get(str(kind), GREY), _DASHES.get(str(kind), [1, 0])
        bands = some[some["end"].notna()]
        if len(bands):
            yield _mark_chart(bands, title).mark_rect(color=colour, opacity=0.16).encode(x2="end:T")
        yield _mark_chart(some, title).mark_rule(color=colour, strokeWidth=1.5, strokeDash=dash)


def _labels(shown: pd.DataFrame, start: Any, end: Any, title: str | None) -> Iterator[alt.Chart]:
    import altair as alt

    base = _mark_chart(shown[_fitting(shown, start, end)], title).encode(y=alt.value(0), text="label:N")
    look: dict[str, Any] = {
        "align": "left",
        "baseline": "top",
        "dx": 4,
        "dy": 3,
        "fontSize": 10,
        "limit": 140,
    }
    yield base.mark_text(stroke=PAPER, strokeWidth=3, strokeJoin="round", **look)
    yield base.mark_text(color=INK, **look)


def _fitting(marks: pd.DataFrame, start: Any, end: Any) -> list[bool]:
    """Say for each mark, in order of time, whether its label fits beside the label before it."""
    first = marks["time"].min() if start is None else start
    last = marks["time"].max() if end is None else end
    pixels_per_s = WIDTH / max((last - first).total_seconds(), 1.0)
    fits, free = [], float("-inf")
    for time, label in zip(marks["time"], marks["label"], strict=True):
        place = (time - first).total_seconds() * pixels_per_s
        fits.append(place >= free)
        if fits[-1]:
            free = place + 8 + 6 * min(len(str(label)), 24)
    return fits


def _in_sight(marks: pd.DataFrame | None, start: Any, end: Any) -> pd.DataFrame:
    if marks is None or marks.empty:
        return pd.DataFrame(columns=["time", "kind", "label", "end"])
    shown = (
        marks if "end" in marks else marks.assign(end=pd.Series(pd.NaT, marks.index, dtype="datetime64[us]"))
    )
    last = shown["end"].fillna(shown["time"])
    keep = shown["time"].notna()
    if start is not None:
        keep &= last >= start
    if end is not None:
        keep &= shown["time"] <= end
    shown = shown[keep][["time", "kind", "label", "end"]].copy()
    if start is not None:
        shown["time"] = shown["time"].clip(lower=start)
    if end is not None:
        shown["end"] = shown["end"].clip(upper=end)
    return shown.sort_values(["time", "kind", "label"], kind="stable").head(MOST_ROWS)
