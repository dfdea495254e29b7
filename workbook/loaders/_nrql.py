"""The answers of New Relic's queries as flat rows: header and cell, as the CSV of the same query has them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workbook.loaders import _stores

_DEEPEST = 8
_FUNCTIONS = (
    "average|median|min|max|sum|stddev|count|rate|percentile|apdex|uniqueCount|latest|earliest|percentage"
)
_DOTTED = re.compile(rf"({_FUNCTIONS})\.(.+)", re.I)
_ASKED = re.compile(rf"(?:{_FUNCTIONS})\s*\(.*\)|count", re.I | re.DOTALL)
_LEFT_OUT = {"inspectedCount", "facet"}


@dataclass(frozen=True)
class Metric:
    """One time slice of a metric of the REST API: when it begins, and its numbers by name."""

    name: str
    begin: str
    values: dict[str, float]


@dataclass
class Row:
    """One row of an answer: cells by header, or a metric's slice; ``fault`` says why it is no row."""

    cells: dict[str, str] = field(default_factory=dict)
    metric: Metric | None = None
    fault: str | None = None

    def __str__(self) -> str:
        return json.dumps(self.cells if self.metric is None else vars(self.metric))


def is_function(header: str) -> bool:
    """Say whether a header is a function of a query: average(duration), count, …"""
    return _ASKED.fullmatch(header) is not None


def rows(values: list[Any], depth: int = _DEEPEST) -> Iterator[Row]:
    """Give the rows of every answer in the values."""
    for value in values:
        if isinstance(value, list) and depth:
            yield from rows(value, depth - 1)
        elif not isinstance(value, dict):
            yield Row({"value": _cell(value)}, fault="not an answer of New Relic")
        elif isinstance(value.get("metric_data"), dict):
            yield from _metrics(value["metric_data"])
        elif any(isinstance(value.get(name), list) for name in ("facets", "timeSeries", "results", "events")):
            yield from _answer(value, _asked(value), depth)
        elif depth and (inner := [one for one in value.values() if _holds_answers(one, depth)]):
            yield from rows(inner, depth - 1)
        elif value:
            yield Row(_flat(value))


def _holds_answers(value: Any, depth: int) -> bool:
    """Whether an answer stands somewhere inside: NerdGraph puts it below data, actor, account and the query's name."""
    if not isinstance(value, dict) or not depth:
        return False
    named = any(isinstance(value.get(name), list) for name in ("facets", "timeSeries", "results"))
    return named or any(_holds_answers(one, depth - 1) for one in value.values())


def _asked(answer: dict[str, Any]) -> list[str | None]:
    """The header of each value of an Insights answer, from its metadata; None for what it does not say."""
    return [_header(one) for one in _contents(answer.get("metadata"), _DEEPEST) or []]


def _contents(metadata: Any, depth: int) -> list[Any] | None:
    if not isinstance(metadata, dict) or not depth:
        return None
    if isinstance(metadata.get("contents"), list):
        return list(metadata["contents"])
    inner = (_contents(metadata.get(name), depth - 1) for name in ("contents", "timeSeries", "facets"))
    return next((found for found in inner if found is not None), None)


def _header(content: Any) -> str | None:
    if not isinstance(content, dict):
        return None
    if isinstance(content.get("contents"), dict):
        return _header(content["contents"])
    function, attribute = content.get("function"), content.get("attribute")
    if not isinstance(function, str):
        return None
    return _cell(f"{function}({attribute})" if isinstance(attribute, str) else function)


def _answer(answer: dict[str, Any], asked: list[str | None], depth: int) -> Iterator[Row]:
    facet = (answer.get("metadata") or {}).get("facet") if isinstance(answer.get("metadata"), dict) else None
    name = _cell(facet) if isinstance(facet, str) else "facet name"
    for one in _dicts(answer, "facets"):
        faceted = {name: _joined(one.get("name"))}
        buckets = list(_dicts(one, "timeSeries"))
        for bucket in buckets or [one]:
            yield _bucket(bucket, asked, faceted)
    for bucket in _dicts(answer, "timeSeries"):
        yield _bucket(bucket, asked, {})
    results = [*_dicts(answer, "results"), *_dicts(answer, "events")]
    if results and all(set(one) <= _VALUES for one in results):
        yield _bucket({**answer, "results": results}, asked, {})
        return
    for one in results:
        if isinstance(one.get("events"), list):
            yield from rows(one["events"], max(depth - 1, 0))
        elif any(isinstance(one.get(name), list) for name in ("facets", "timeSeries", "results")) and depth:
            yield from rows([one], depth - 1)
        else:
            yield Row(_flat(one))
    for one in (
        item for name in ("facets", "timeSeries", "results", "events") for item in _others(answer, name)
    ):
        yield Row({"value": _cell(one)}, fault="not an answer of New Relic")


_VALUES = {
    "average", "median", "min", "max", "sum", "stddev", "count", "rate", "percentiles", "score", "s", "t", "f", "result",
    "uniqueCount", "latest", "earliest",
}  # fmt: skip


def _dicts(holder: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    held = holder.get(name)
    yield from (one for one in held if isinstance(one, dict)) if isinstance(held, list) else ()


def _others(holder: dict[str, Any], name: str) -> list[Any]:
    held = holder.get(name)
    return [one for one in held if not isinstance(one, dict)] if isinstance(held, list) else []


def _joined(name: Any) -> str:
    return " / ".join(map(_cell, name)) if isinstance(name, list) else _cell(name)


def _bucket(bucket: dict[str, Any], asked: list[str | None], cells: dict[str, str]) -> Row:
    """The values of one bucket or facet of an Insights answer, named by what was asked."""
    found = dict(cells)
    for name in ("beginTimeSeconds", "endTimeSeconds"):
        if name in bucket:
            found[name] = _cell(bucket[name])
    unknown = []
    for place, value in enumerate(_dicts(bucket, "results")):
        header = asked[place] if place < len(asked) else None
        named = _named(value, header)
        unknown += [] if named else list(value)
        found.update(named)
    if unknown and not any(map(is_function, found)):
        return Row(
            found, fault=f"the answer does not say of what {', '.join(map(_cell, unknown))[:60]} is a value"
        )
    return Row(found)


def _named(value: dict[str, Any], header: str | None) -> dict[str, str]:
    if "count" in value and (header is None or header.lower().startswith("count")) and len(value) == 1:
        return {"count": _cell(value["count"])}
    if header is None:
        return {}
    if isinstance(value.get("percentiles"), dict):
        return _percentiles(header, value["percentiles"])
    number = next((one for key, one in value.items() if key not in ("s", "t", "f", "count")), None)
    return {header: _cell(number)}


def _percentiles(header: str, values: dict[str, Any]) -> dict[str, str]:
    attribute = header.partition("(")[2].rpartition(")")[0] or header
    return {
        _cell(f"percentile({attribute}, {threshold})"): _cell(value) for threshold, value in values.items()
    }


def _flat(row: dict[str, Any]) -> dict[str, str]:
    """An event, or a row of NerdGraph: its functions are named average.duration, its percentiles stand in an object."""
    cells: dict[str, str] = {}
    facets = row.get("facet") if isinstance(row.get("facet"), list) else [row.get("facet")]
    named = {key for key, value in row.items() if key != "facet" and value in facets}  # type: ignore[operator]
    if "facet" in row and not named:
        cells["facet name"] = _joined(row["facet"])
    for key, value in row.items():
        found = _DOTTED.fullmatch(key)
        header = f"{found[1]}({found[2]})" if found else _cell(key)
        if key in _LEFT_OUT:
            continue
        if isinstance(value, dict) and header.lower().startswith("percentile"):
            cells.update(_percentiles(header, value))
        elif isinstance(value, dict) and "score" in value:
            cells[header] = _cell(value["score"])
        else:
            cells[header] = _cell(value)
    return cells


def _metrics(data: dict[str, Any]) -> Iterator[Row]:
    for metric in _dicts(data, "metrics"):
        for part in _dicts(metric, "timeslices"):
            values = part.get("values")
            numbers = {
                key: float(value)
                for key, value in (values.items() if isinstance(values, dict) else ())
                if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e300
            }
            yield Row(metric=Metric(_cell(metric.get("name")), _cell(part.get("from")), numbers))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return _stores.storable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
