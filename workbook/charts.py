"""How every chart looks: one theme, one UTC time axis, shared marks; drawn with no network.

An analysis builds its chart from aggregated rows, describes it, and passes it through ``theme``, which also
makes every time of the chart UTC: a browser elsewhere would otherwise shift times without a word.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbook.axes import make_utc, time_axis, time_tooltip, utc
from workbook.marks import marks_layer, with_marks
from workbook.palette import (
    BLUE,
    COLOURS,
    FONT,
    GREEN,
    GREY,
    GRID,
    HEIGHT,
    INK,
    MOST_ROWS,
    MOST_SVG_BYTES,
    MUTED,
    ORANGE,
    PALETTE,
    PAPER,
    PURPLE,
    ROLES,
    RULE,
    SKY,
    VERMILLION,
    WIDTH,
    YELLOW,
)

if TYPE_CHECKING:
    import altair as alt


def colour_scale(role: str, words: Iterable[str] | None = None) -> alt.Scale:
    """Return the fixed colour scale of a role in ``ROLES``, for all its words or only for those given."""
    import altair as alt

    wanted = None if words is None else set(words)
    shown = {word: colour for word, colour in ROLES[role].items() if wanted is None or word in wanted}
    return alt.Scale(domain=list(shown), range=list(shown.values()))


def theme(chart: Any, title: str | None = None, subtitle: str | list[str] | None = None) -> Any:
    """Return a copy of the chart in our fonts and colours, every time UTC, with only the columns it uses.

    Call it last, on the chart as a whole. Other columns of the frame (evidence, for one) are left out.
    """
    import altair as alt

    themed = chart.copy(deep=True)
    if title is not None:
        themed = themed.properties(title=alt.TitleParams(title, subtitle=subtitle or alt.Undefined))
    words = set(_words(themed))
    for part in _parts(themed):
        make_utc(part)
        if isinstance(part.data, pd.DataFrame):
            part.data = utc(_used(part.data, words))
    return (
        themed.configure(background=PAPER, font=FONT, padding=12)
        .configure_view(continuousWidth=WIDTH, continuousHeight=HEIGHT, stroke=None)
        .configure_axis(
            labelColor=MUTED,
            titleColor=INK,
            domainColor=RULE,
            tickColor=RULE,
            gridColor=GRID,
            labelFontSize=11,
            titleFontSize=12,
            titleFontWeight="normal",
            titlePadding=8,
            labelLimit=320,
        )
        .configure_axisX(grid=False)
        .configure_axisY(domain=False, ticks=False, labelPadding=6)
        .configure_legend(
            labelColor=INK,
            titleColor=MUTED,
            labelFontSize=11,
            titleFontSize=11,
            titleFontWeight="normal",
            orient="top",
            symbolType="circle",
            offset=8,
        )
        .configure_header(labelColor=INK, titleColor=INK, labelFontSize=11, titleFontSize=12)
        .configure_title(
            color=INK, subtitleColor=MUTED, fontSize=14, subtitleFontSize=12, anchor="start", offset=12
        )
        .configure_range(category=list(PALETTE))
        .configure_mark(color=BLUE)
        .configure_text(color=INK, fontSize=11)
        .configure_rule(color=MUTED)
    )


def describe(chart: Any, text: str) -> Any:
    """Return the chart with a description, which a screen reader speaks in its place."""
    return chart.properties(description=text)


def empty(message: str = "nothing in this window") -> Any:
    """Return a chart that only says the message, for a question without rows."""
    import altair as alt

    said = alt.Chart(pd.DataFrame({"message": [message]}))
    drawn = (
        said.mark_text(fontSize=14, color=MUTED).encode(text="message:N").properties(width=WIDTH, height=80)
    )
    return describe(theme(drawn), message)


def most(rows: pd.DataFrame, n: int = MOST_ROWS, by: str | None = None) -> tuple[pd.DataFrame, bool]:
    """Return at most n rows, of the largest ``by`` (else the first), in their order, and whether it cut.

    Of equal values the earlier row stays; rows without a value go first.
    """
    if len(rows) <= n:
        return rows, False
    if by is None:
        return rows.head(n), True
    numbered = rows[by].reset_index(drop=True)
    kept = numbered.sort_values(ascending=False, kind="stable", na_position="last").index[:n]
    return rows.iloc[sorted(kept)], True


def offline() -> None:
    """Make charts work in JupyterLab with no network; call it before a notebook's first chart is shown."""
    import altair as alt

    alt.renderers.enable("jupyter", offline=True)
    alt.JupyterChart.enable_offline()


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """Make charts without checking each against the schema of Vega-Lite, which takes half of their time.

    The tests check the charts of every question.
    """
    from altair.utils import schemapi

    with schemapi.debug_mode(False):
        yield


def spec(chart: Any) -> dict[str, Any]:
    """Return the Vega-Lite specification as plain values, the same for the same chart whenever it is made."""
    made = chart if isinstance(chart, dict) else chart.to_dict()
    text = json.dumps(made, ensure_ascii=False, sort_keys=True)
    for stem in ("view", "param", "concat", "layer"):
        counted = dict.fromkeys(re.findall(rf'"({stem}_\d+)"', text))
        for number, name in enumerate(counted, 1):
            text = text.replace(f'"{name}"', f'"{stem}-{number}"')
        text = text.replace(f'"{stem}-', f'"{stem}_')
    stable: dict[str, Any] = json.loads(text)
    return stable


def description(chart: Any) -> str:
    """Return what ``describe`` said of the chart; empty text when it said nothing."""
    import altair as alt

    said = chart.get("description", "") if isinstance(chart, dict) else chart._kwds.get("description", "")
    return "" if said is alt.Undefined else str(said or "")


def svg(chart: Any) -> str:
    """Return the chart as SVG text, drawn with no browser and no network; the same for the same chart."""
    import vl_convert

    still_spec = spec(chart)
    # Without this every mark carries a sentence for screen readers; the figure around the picture has one.
    still_spec["config"] = {**still_spec.get("config", {}), "aria": False}
    drawn = vl_convert.vegalite_to_svg(still_spec, allowed_base_urls=[])
    drawn = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag.group()), drawn)
    # The ids count on from picture to picture within one process.
    ids = {
        name: f"part{number}"
        for number, name in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', drawn)))
    }
    return re.sub(
        r'(\bid="|url\(#|href="#)([^")]+)', lambda found: found[1] + ids.get(found[2], found[2]), drawn
    )


def still(chart: Any) -> tuple[str, bytes]:
    """Return the chart as a picture: its media type and bytes; SVG, or PNG where the SVG would be large."""
    import vl_convert

    drawn = svg(chart).encode()
    if len(drawn) <= MOST_SVG_BYTES:
        return "image/svg+xml", drawn
    return "image/png", vl_convert.vegalite_to_png(spec(chart), scale=2, allowed_base_urls=[])


def _parts(chart: Any) -> Iterator[Any]:
    yield chart
    for name in ("layer", "hconcat", "vconcat", "concat"):
        inner = getattr(chart, name, None)
        if isinstance(inner, list):
            for part in inner:
                yield from _parts(part)
    inner = chart._kwds.get("spec")
    if hasattr(inner, "_kwds"):
        yield from _parts(inner)


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _words(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _words(inner)
    elif hasattr(value, "_kwds"):
        yield from _words(value._kwds)


def _used(frame: pd.DataFrame, words: set[str]) -> pd.DataFrame:
    return frame[[name for name in frame.columns if any(str(name) in word for word in words)]]


__all__ = [
    "BLUE",
    "COLOURS",
    "FONT",
    "GREEN",
    "GREY",
    "GRID",
    "HEIGHT",
    "INK",
    "MOST_ROWS",
    "MOST_SVG_BYTES",
    "MUTED",
    "ORANGE",
    "PALETTE",
    "PAPER",
    "PURPLE",
    "ROLES",
    "RULE",
    "SKY",
    "VERMILLION",
    "WIDTH",
    "YELLOW",
    "colour_scale",
    "describe",
    "description",
    "empty",
    "marks_layer",
    "most",
    "offline",
    "spec",
    "still",
    "svg",
    "theme",
    "time_axis",
    "time_tooltip",
    "unchecked",
    "utc",
    "with_marks",
]
