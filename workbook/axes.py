"""Times in charts: always UTC, whatever the zone of the browser that draws them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import altair as alt

_TO_THE_SECOND: Any = "utcyearmonthdatehoursminutesseconds"
_CLOCK = """
utcmilliseconds(datum.value) ? utcFormat(datum.value, '%H:%M:%S.%L')
: utcseconds(datum.value) ? utcFormat(datum.value, '%H:%M:%S')
: utcFormat(datum.value, '%H:%M')
"""
_LABELS = f"""
utchours(datum.value) + utcminutes(datum.value) + utcseconds(datum.value) + utcmilliseconds(datum.value) == 0
? utcFormat(datum.value, utcmonth(datum.value) + utcdate(datum.value) == 1 ? '%-d %b %Y' : '%-d %b')
: datum.index == 0 ? [({_CLOCK}), utcFormat(datum.value, '%-d %b %Y')] : ({_CLOCK})
"""


def _time_labels() -> alt.Axis:
    import altair as alt

    return alt.Axis(labelExpr=" ".join(_LABELS.split()), labelOverlap=True, tickCount=8)


def time_axis(field: str, title: str | None = "time (UTC)", **more: Any) -> alt.X:
    """Return the x axis for a time: UTC whatever the browser's zone, with the date where the day changes."""
    import altair as alt

    scale = more.pop("scale", None) or alt.Scale(type="utc")
    axis = more.pop("axis", None) or _time_labels()
    return alt.X(f"{field}:T", title=title, scale=scale, axis=axis, **more)


def time_tooltip(field: str, title: str | None = "time (UTC)") -> alt.Tooltip:
    """Return a tooltip for a time, in UTC to the second."""
    import altair as alt

    return alt.Tooltip(f"{field}:T", title=title, timeUnit=_TO_THE_SECOND, format="%Y-%m-%d %H:%M:%S")


def utc(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy whose times without zone are marked UTC, so that every browser shows the same hours."""
    marked = frame.copy()
    for place, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, pd.DatetimeTZDtype) or not pd.api.types.is_datetime64_any_dtype(dtype):
            continue
        marked.isetitem(place, frame.iloc[:, place].dt.tz_localize("UTC"))
    return marked


def make_utc(chart: Any) -> None:
    """Make every time of one chart UTC, not of the charts inside it: axes, units of time, tooltips."""
    import altair as alt

    encoding = chart._kwds.get("encoding", alt.Undefined)
    if encoding is alt.Undefined:
        return
    for name, value in list(encoding._kwds.items()):
        for channel in value if isinstance(value, list) else [value]:
            kwds = getattr(channel, "_kwds", {})
            if not _is_time(kwds, chart.data):
                continue
            unit = kwds.get("timeUnit", alt.Undefined)
            if isinstance(unit, str):
                kwds["timeUnit"] = re.sub(r"^(binned)?(?:utc)?", r"\1utc", unit)
            elif name == "tooltip":
                kwds["timeUnit"] = _TO_THE_SECOND
                if kwds.get("title", alt.Undefined) is alt.Undefined:
                    kwds["title"] = _field(kwds)
                if kwds.get("format", alt.Undefined) is alt.Undefined:
                    kwds["format"] = "%Y-%m-%d %H:%M:%S"
            elif name in ("x", "y") and kwds.get("scale", alt.Undefined) is alt.Undefined:
                kwds["scale"] = alt.Scale(type="utc")
                if name == "x" and kwds.get("axis", alt.Undefined) is alt.Undefined:
                    kwds["axis"] = _time_labels()


def _is_time(kwds: dict[str, Any], data: Any) -> bool:
    short = kwds.get("shorthand")
    if kwds.get("type") == "temporal" or (isinstance(short, str) and short.endswith(":T")):
        return True
    if (
        not isinstance(short, str)
        or ":" in short
        or kwds.get("type") in ("nominal", "ordinal", "quantitative")
    ):
        return False
    return (
        isinstance(data, pd.DataFrame)
        and short in data
        and pd.api.types.is_datetime64_any_dtype(data[short].dtype)
    )


def _field(kwds: dict[str, Any]) -> str:
    short, field = kwds.get("shorthand"), kwds.get("field")
    return short.rpartition(":")[0] or short if isinstance(short, str) else str(field)
