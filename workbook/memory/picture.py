"""The memory of dynos over time: floors, limits, and where growth leads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbook import charts, words
from workbook.memory.dyno import known
from workbook.memory.sentences import ORDER

if TYPE_CHECKING:
    import altair as alt

MOST_PANELS = 8


def chart(rows: pd.DataFrame, marks: pd.DataFrame | None) -> alt.TopLevelMixin:
    """Return the floors of each dyno over time, with its limits, and a fitted line where it leaks."""
    import altair as alt

    drawn = rows[rows["floors"].map(lambda cell: cell is not None and not isinstance(cell, float))]
    if drawn.empty:
        return charts.empty("no memory samples in this window")
    order = drawn.assign(rank=drawn["verdict"].map(ORDER.index)).sort_values("rank", kind="stable")
    shown = order.head(MOST_PANELS)
    panels = [
        _panel(row, marks, "time (UTC)" if number == len(shown) else "", alone=len(shown) == 1)
        for number, (_, row) in enumerate(shown.iterrows(), 1)
    ]
    left_out = len(order) - len(shown)
    subtitle = "floor: 10 % quantile of each half hour; red: quota and, where near, the kill limit"
    if left_out:
        subtitle += f"; {left_out} more dynos are in the table"
    told = "; ".join(f"{row['dyno']}: {str(row['verdict']).replace('_', ' ')}" for _, row in shown.iterrows())
    stacked = alt.vconcat(*panels, spacing=12).resolve_scale(x="shared")
    return charts.theme(
        charts.describe(stacked, f"Memory by dyno over time. {told}."), "Memory by dyno", subtitle
    )


def _panel(row: pd.Series, marks: pd.DataFrame | None, title: str, *, alone: bool) -> Any:
    import altair as alt

    floors = pd.DataFrame(list(row["floors"]))
    floors["time"] = pd.to_datetime(floors["time"]).astype("datetime64[us]")
    verdict = str(row["verdict"])
    x = charts.time_axis("time", title)
    base = alt.Chart(floors)
    told = [charts.time_tooltip("time"), alt.Tooltip("mb:Q", title="memory floor (MB)", format=",.0f")]
    layers: list[Any] = [
        base.mark_circle(size=22, opacity=0.8, color=charts.COLOURS[verdict]).encode(
            x=x, y=alt.Y("mb:Q", title="memory (MB)", scale=alt.Scale(zero=True)), tooltip=told
        )
    ]
    if floors["fit_mb"].notna().any():
        for piece in _pieces(floors):
            fitted = alt.Chart(piece).mark_line(color=charts.INK, strokeDash=[6, 3])
            layers.append(fitted.encode(x=x, y="fit_mb:Q"))
    layers += _limit_lines(row, floors, title)
    layered = alt.layer(*layers).properties(
        height=220 if alone else 110,
        width=charts.WIDTH,
        title=alt.TitleParams(f"{row['dyno']}: {verdict.replace('_', ' ')}", fontSize=12),
    )
    own = marks
    if marks is not None and len(marks):
        own = marks[(marks["kind"] != "restart") | (marks["label"] == row["dyno"])]
    return charts.with_marks(layered, own, floors["time"], title)


def _pieces(floors: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Return the fitted line life by life: it falls only where a new life begins."""
    fitted = floors[floors["fit_mb"].notna()]
    lives = (fitted["fit_mb"].diff() < 0).cumsum()
    for _, piece in fitted.groupby(lives, sort=True):
        yield piece[["time", "fit_mb"]]


def _limit_lines(row: pd.Series, floors: pd.DataFrame, title: str) -> Iterator[Any]:
    """Return a rule and a label for the quota, and for the kill limit where memory came near it."""
    import altair as alt

    quota, kill = known(row["quota_mb"]), known(row["kill_mb"])
    killed = ", killed there" if kill == quota else ""
    lines = [] if quota is None else [(quota, f"quota {words.mb(quota)}{killed}")]
    if kill is not None and kill != quota and row["peak_mb"] > 0.6 * kill:
        lines.append((kill, f"killed at {words.mb(kill)}"))
    for value, label in lines:
        line = alt.Chart(pd.DataFrame({"mb": [value], "label": [label], "time": [floors["time"].min()]}))
        yield line.mark_rule(color=charts.COLOURS["limit"], strokeWidth=1.5).encode(y="mb:Q")
        yield line.mark_text(align="left", baseline="bottom", dx=2, dy=-2, color=charts.INK).encode(
            x=charts.time_axis("time", title), y="mb:Q", text="label:N"
        )
