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

MOST_PANELS, MOST_SMALL = 8, 30
"""So many dynos have a panel each; more are drawn small, side by side."""
SMALL_COLUMNS = 3


def chart(rows: pd.DataFrame, marks: pd.DataFrame | None) -> alt.TopLevelMixin:
    """Return the floors of each dyno over time, with its limits, and where it leaks the fitted line and forecast."""
    import altair as alt

    drawn = rows[rows["floors"].map(lambda cell: cell is not None and not isinstance(cell, float))]
    if drawn.empty:
        return charts.empty("no memory samples in this window")
    order = drawn.assign(rank=drawn["verdict"].map(ORDER.index)).sort_values("rank", kind="stable")
    small = len(order) > MOST_PANELS
    shown = order.head(MOST_SMALL if small else MOST_PANELS)
    if small:
        panels = [_small(row) for _, row in shown.iterrows()]
        laid = alt.concat(*panels, columns=SMALL_COLUMNS, spacing=14).resolve_scale(x="shared", y="shared")
    else:
        panels = [
            _panel(row, marks, "time (UTC)" if number == len(shown) else "", alone=len(shown) == 1)
            for number, (_, row) in enumerate(shown.iterrows(), 1)
        ]
        laid = alt.vconcat(*panels, spacing=12).resolve_scale(x="shared")
    told = "; ".join(f"{row['dyno']}: {_named(row)}" for _, row in shown.iterrows())
    described = charts.describe(laid, f"Memory by dyno over time. {told}.")
    return charts.theme(described, "Memory by dyno", _subtitle(shown, len(order) - len(shown), small))


def _named(row: pd.Series) -> str:
    return str(row["verdict"]).replace("_", " ")


def _subtitle(shown: pd.DataFrame, left_out: int, small: bool) -> list[str]:
    lines = [
        "floor: 10 % quantile of each half hour; red: quota"
        + ("" if small else " and, where near, the kill limit")
    ]
    if not small and shown["fan"].map(_has_rows).any():
        lines.append(
            "band: where the peaks of a leak lead, were there no restart; grey: when the daily restart is due"
        )
    if not small and shown["r14_half_hours"].map(_has_rows).any():
        lines.append("red ticks below: half hours with R14")
    if left_out:
        lines.append(f"{left_out} more dynos are in the table")
    return lines


def _has_rows(cell: Any) -> bool:
    return cell is not None and not isinstance(cell, float) and len(cell) > 0


def _points(row: pd.Series) -> pd.DataFrame:
    floors = pd.DataFrame(list(row["floors"]))
    return floors.assign(time=pd.to_datetime(floors["time"]).astype("datetime64[us]"))


def _small(row: pd.Series) -> Any:
    """Return a small panel: floors, fitted line and quota, with the axes of all the others."""
    import altair as alt

    floors = _points(row)
    x = alt.X("time:T", title=None, axis=alt.Axis(tickCount=3, format="%d %b"), scale=alt.Scale(type="utc"))
    y = alt.Y("mb:Q", title="MB", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4))
    dots = alt.Chart(floors).mark_circle(size=8, opacity=0.8, color=charts.COLOURS[str(row["verdict"])])
    layers: list[Any] = [
        dots.encode(x=x, y=y, tooltip=[charts.time_tooltip("time"), alt.Tooltip("mb:Q", format=",.0f")])
    ]
    layers += [
        alt.Chart(piece).mark_line(color=charts.INK, strokeDash=[6, 3]).encode(x=x, y="fit_mb:Q")
        for piece in _pieces(floors)
    ]
    quota = known(row["quota_mb"])
    if quota is not None:
        line = alt.Chart(pd.DataFrame({"mb": [quota]})).mark_rule(color=charts.COLOURS["limit"])
        layers.append(line.encode(y="mb:Q"))
    title = alt.TitleParams(f"{row['dyno']}: {_named(row)}", fontSize=11)
    return alt.layer(*layers).properties(width=(charts.WIDTH - 120) // SMALL_COLUMNS, height=84, title=title)


def _panel(row: pd.Series, marks: pd.DataFrame | None, title: str, *, alone: bool) -> Any:
    import altair as alt

    floors = _points(row)
    verdict = str(row["verdict"])
    x = charts.time_axis("time", title)
    base = alt.Chart(floors)
    told = [charts.time_tooltip("time"), alt.Tooltip("mb:Q", title="memory floor (MB)", format=",.0f")]
    layers: list[Any] = [
        *_due(row, title),
        *_fan(row, title),
        base.mark_circle(size=22, opacity=0.8, color=charts.COLOURS[verdict]).encode(
            x=x, y=alt.Y("mb:Q", title="memory (MB)", scale=alt.Scale(zero=True)), tooltip=told
        ),
    ]
    for piece in _pieces(floors):
        fitted = alt.Chart(piece).mark_line(color=charts.INK, strokeDash=[6, 3])
        layers.append(fitted.encode(x=x, y="fit_mb:Q"))
    layers += _limit_lines(row, floors, title)
    layers += _reported(row, title)
    layered = alt.layer(*layers).properties(
        height=220 if alone else 110,
        width=charts.WIDTH,
        title=alt.TitleParams(f"{row['dyno']}: {_named(row)}", fontSize=12),
    )
    own = marks
    if marks is not None and len(marks):
        own = marks[(marks["kind"] != "restart") | (marks["label"] == row["dyno"])]
    return charts.with_marks(layered, own, floors["time"], title)


def _fan(row: pd.Series, title: str) -> Iterator[Any]:
    """Return the band of the forecast and its middle, from the last sample on; nothing where nothing leaks."""
    import altair as alt

    if not _has_rows(row["fan"]):
        return
    fan = pd.DataFrame(list(row["fan"]))
    fan = fan.assign(time=pd.to_datetime(fan["time"]).astype("datetime64[us]"))
    x = charts.time_axis("time", title)
    told = [
        charts.time_tooltip("time"),
        alt.Tooltip("low_mb:Q", title="low (MB)", format=",.0f"),
        alt.Tooltip("mid_mb:Q", title="forecast (MB)", format=",.0f"),
        alt.Tooltip("high_mb:Q", title="high (MB)", format=",.0f"),
    ]
    colour = charts.COLOURS[str(row["verdict"])]
    yield (
        alt.Chart(fan)
        .mark_area(color=colour, opacity=0.22)
        .encode(x=x, y="low_mb:Q", y2="high_mb:Q", tooltip=told)
    )
    yield alt.Chart(fan).mark_line(color=colour, strokeWidth=1.5).encode(x=x, y="mid_mb:Q")


def _due(row: pd.Series, title: str) -> Iterator[Any]:
    """Return a band over the hours in which the daily restart is due, where a forecast is drawn."""
    import altair as alt

    low, high = known(row["restart_h_low"]), known(row["restart_h_high"])
    if low is None or high is None or not _has_rows(row["fan"]):
        return
    span = pd.DataFrame(
        {"time": [row["end"] + pd.Timedelta(hours=low)], "until": [row["end"] + pd.Timedelta(hours=high)]}
    )
    due = alt.Chart(span).mark_rect(color=charts.COLOURS["muted"], opacity=0.25)
    yield due.encode(x=charts.time_axis("time", title), x2="until:T")


def _reported(row: pd.Series, title: str) -> Iterator[Any]:
    """Return a tick at the foot of the panel for each half hour with R14."""
    import altair as alt

    if not _has_rows(row["r14_half_hours"]):
        return
    spans = pd.DataFrame(
        {"time": pd.to_datetime(list(row["r14_half_hours"])).astype("datetime64[us]"), "foot": 0.0}
    )
    ticks = alt.Chart(spans).mark_tick(color=charts.COLOURS["limit"], thickness=3, height=10)
    yield ticks.encode(x=charts.time_axis("time", title), y="foot:Q")


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
