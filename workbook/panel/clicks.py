"""What a click on a mark of a chart opens: its request, its dyno, a release, a burst."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pandas as pd

_OPENED = "opened"
_FIELDS = (("request_id", "request"), ("version", "release"), ("dyno", "dyno"))
_MARKS = {"kind", "label", "time"}


def clickable(chart: Any) -> Any:
    """Return the chart in which a click on a mark with a request, a dyno or a release selects that."""
    import altair as alt

    added: list[Any] = []
    shown = _marked(chart, None, added)
    if added:
        known = shown._kwds.get("params", alt.Undefined)
        shown.params = [*([] if known is alt.Undefined else known), *added]
    return shown


def watch(chart_widget: Any, opened: Callable[[str, Any], None]) -> None:
    """Call ``opened(kind, value)`` for every click; to be said anew whenever the widget is given another chart."""

    def clicked(change: Any) -> None:
        for datum in getattr(change.new, "value", None) or []:
            meant = meaning(datum)
            if meant:
                opened(*meant)
                return

    names = [name for name in chart_widget.selections.trait_names() if name.startswith(f"{_OPENED}_")]
    if names:
        chart_widget.selections.observe(clicked, names)


def meaning(datum: dict[str, Any]) -> tuple[str, Any] | None:
    """Return what a clicked mark opens, as its kind and its value; None for one that opens nothing.

    >>> meaning({"kind": "release", "label": "v42", "time": 0})
    ('release', 'v42')
    """
    if datum.keys() >= {"kind", "label"}:
        kind = {"release": "release", "restart": "dyno"}.get(datum["kind"])
        return (kind, datum["label"]) if kind and datum["label"] else None
    for field, kind in _FIELDS:
        if datum.get(field):
            return kind, datum[field]
    return None


def _marked(chart: Any, data: Any, added: list[Any], above: int = 0, at: int = 0) -> Any:
    """Return the chart with names on the views that can be clicked; the selection of each goes into ``added``.

    ``at`` is its place among its siblings, ``above`` that of its parent. The views of a facet have no name of their own
    and stay as they are. The given chart is not changed.
    """
    import altair as alt

    shown = _shallow(chart)
    own = getattr(chart, "data", alt.Undefined)
    data = data if own is alt.Undefined else own
    fields = _fields_of(data) if isinstance(chart, alt.Chart) else []
    if fields:
        if shown._kwds.get("name", alt.Undefined) is alt.Undefined:
            # altair writes its parent's place over a number at the end of a layer's name: it stands there already
            shown.name = f"clicked{len(added)}_{above}"
        shown.mark = _pointed(shown.mark)
        select = {"type": "point", "fields": fields, "on": "click", "clear": False, "toggle": False}
        name = f"{_OPENED}_{len(added)}"
        added.append(alt.TopLevelSelectionParameter(name=name, select=select, views=[shown.name]))
    for name in ("layer", "hconcat", "vconcat", "concat"):
        inner = getattr(chart, name, None)
        if isinstance(inner, list):
            parts = [_marked(part, data, added, at, place) for place, part in enumerate(inner)]
            setattr(shown, name, parts)
    return shown


def _shallow(one: Any) -> Any:
    """A copy of which the parts can be replaced; altair's own copy walks through every value of the data."""
    new = copy.copy(one)
    object.__setattr__(new, "_kwds", dict(one._kwds))
    return new


def _pointed(mark: Any) -> Any:
    if hasattr(mark, "_kwds"):
        mark = _shallow(mark)
        mark._kwds["cursor"] = "pointer"
        return mark
    return {"type": mark, "cursor": "pointer"}


def _fields_of(data: Any) -> list[str]:
    if not isinstance(data, pd.DataFrame):
        return []
    if set(data.columns) >= _MARKS:
        return ["kind", "label"]
    return next(([field] for field, _ in _FIELDS if field in data), [])
