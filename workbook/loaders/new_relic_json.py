"""New Relic's JSON: what a query returns (Insights, NerdGraph), historical exports, and metric data of its REST API (v2).

``{"results": [{"events": […]}]}``, ``{"facets": […]}``, ``{"timeSeries": […]}``, ``data.actor.account.nrql.results[]``, events one a
line, and ``{"metric_data": {"metrics": […]}}``. A query's JSON is the same table as its CSV, and is read by the same rules:
events become transaction_samples, a facet by name becomes transactions, time series and other facets
response_breakdown. Durations of queries are seconds, metric data is ms. The lines of the tables are the numbers of
the rows in the file. What a value is an average of stands in ``metadata``; without it only counts are read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from workbook.loaders import (
    Context,
    Reading,
    _cells,
    _json,
    _nrql,
    _stores,
    new_relic_events,
    new_relic_series,
    new_relic_table,
)

TITLE = "New Relic JSON (queries, historical export, metric data)"

EXAMPLES = (
    (
        # Insights: SELECT * FROM Transaction
        '{"results":[{"events":[{"timestamp":1367972903123,"duration":0.25,"name":"WebTransaction/Controller/items/show",'
        '"appName":"shop","databaseDuration":0.1,"error":false,"httpResponseCode":"200"},\n'
        '{"timestamp":1367972904000,"duration":null,"name":"WebTransaction/Controller/items/index","appName":"shop"}]}],\n'
        '"metadata":{"contents":[{"function":"events","limit":100}]}}\n',
        {
            "transaction_samples": (
                {"line": 1, "time": "2013-05-08 00:28:23.123", "name": "WebTransaction/Controller/items/show",
                 "duration_ms": 250.0, "database_ms": 100.0, "queue_ms": None, "error": False, "status": 200,
                 "app": "shop"},
                {"line": 2, "time": "2013-05-08 00:28:24", "duration_ms": None},
            ),
        },
    ),
    (
        # Insights: SELECT average(duration), percentile(duration, 95), count(*) … TIMESERIES
        '{"timeSeries":[{"results":[{"average":0.2},{"percentiles":{"95":1.5}},{"count":600}],'
        '"beginTimeSeconds":1500000000,"endTimeSeconds":1500000300,"inspectedCount":600}],"total":{},"metadata":{'
        '"timeSeries":{"contents":[{"function":"average","attribute":"duration","simple":true},'
        '{"function":"percentile","attribute":"duration","thresholds":[95]},{"function":"count","simple":true}]}}}\n',
        {
            "response_breakdown": (
                {"line": 1, "time": "2017-07-14 02:40:00", "component": "average(duration)", "value_ms": 200.0},
                {"line": 1, "component": "percentile(duration, 95)", "value_ms": 1500.0},
                {"line": 1, "component": "throughput_rpm", "value_ms": 120.0},
            ),
        },
    ),
    (
        # Insights: … FACET name
        '{"facets":[{"name":"WebTransaction/Controller/items/show","results":[{"average":0.25},{"count":40}]},'
        '{"name":"WebTransaction/Controller/items/index","results":[{"average":0.05},{"count":2}]}],'
        '"totalResult":{"results":[{"average":0.2},{"count":42}]},"metadata":{"facet":"name","contents":{"contents":['
        '{"function":"average","attribute":"duration"},{"function":"count"}]}}}\n',
        {
            "transactions": (
                {"line": 1, "name": "WebTransaction/Controller/items/show", "avg_ms": 250.0, "calls": 40, "max_ms": None},
                {"line": 2, "name": "WebTransaction/Controller/items/index", "avg_ms": 50.0, "calls": 2},
            ),
        },
    ),
    (
        # NerdGraph: … FACET host TIMESERIES
        '{"data":{"actor":{"account":{"nrql":{"results":[\n'
        '{"beginTimeSeconds":1500000000,"endTimeSeconds":1500000060,"facet":"web.1","host":"web.1","average.duration":0.12},\n'
        '{"beginTimeSeconds":1500000000,"endTimeSeconds":1500000060,"facet":"web.2","host":"web.2","average.duration":0.14}\n'
        ']}}}}}\n',
        {
            "response_breakdown": (
                {"line": 1, "time": "2017-07-14 02:40:00", "component": "web.1", "value_ms": 120.0},
                {"line": 2, "time": "2017-07-14 02:40:00", "component": "web.2", "value_ms": 140.0},
            ),
        },
    ),
    (
        # a historical export: one event a line, the last cut off; an event of another type
        '{"timestamp":1500000000123,"eventType":"Transaction","appName":"shop","name":"WebTransaction/Go/items",'
        '"duration":0.012}\n'
        '{"timestamp":1500000000124,"eventType":"PageView","appName":"shop","name":"WebTransaction/Go/items","duration":3}\n'
        '{"timestamp":1500000000125,"eventType":"Transaction","appNa\n',
        {
            "transaction_samples": (
                {"line": 1, "time": "2017-07-14 02:40:00.123", "name": "WebTransaction/Go/items", "duration_ms": 12.0},
            ),
            "unread_lines": (
                {"line": 2, "reason": "an event of the type PageView, not a transaction"},
                {"line": 3, "reason": "not JSON: Unterminated string starting at"},
            ),
        },
    ),
    (
        # REST API v2: metric data, in ms
        '{"metric_data":{"from":"2014-05-06T07:00:00+00:00","to":"2014-05-06T07:02:00+00:00","metrics":[\n'
        '{"name":"HttpDispatcher","timeslices":[{"from":"2014-05-06T07:00:00+00:00","to":"2014-05-06T07:01:00+00:00",'
        '"values":{"average_response_time":120.5,"call_count":240,"requests_per_minute":240.0}}]},\n'
        '{"name":"WebFrontend/QueueTime","timeslices":[{"from":"2014-05-06T07:00:00+00:00",'
        '"to":"2014-05-06T07:01:00+00:00","values":{"average_response_time":3}},{"from":"2014-05-06T07:01:00+00:00",'
        '"to":"2014-05-06T07:02:00+00:00","values":{"score":0.9}}]}]}}\n',
        {
            "response_breakdown": (
                {"line": 1, "time": "2014-05-06 07:00:00", "component": "HttpDispatcher", "value_ms": 120.5},
                {"line": 1, "time": "2014-05-06 07:00:00", "component": "throughput_rpm", "value_ms": 240.0},
                {"line": 2, "time": "2014-05-06 07:00:00", "component": "WebFrontend/QueueTime", "value_ms": 3.0},
            ),
            "unread_lines": ({"line": 3, "reason": "a metric without a response time"},),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    '{"events":[{"received_at":"2017-03-04T05:06:08Z","program":"app/web.1","message":"one"}],"min_id":"1"}\n',
    '{"timestamp":1500000000123,"message":"a log line","hostname":"shop","duration":1}\n',
    '{"results":[{"events":[{"timestamp":1367972903000,"message":"a log","appName":"shop","hostname":"x"}]}]}\n',
    '{"results":[{"id":7,"price":3}]}\n',
)

# the events inside of the results, where there are any
_OPENED = re.compile(r'\s*\[|.*?"events"\s*:\s*\[|.*?"results"\s*:\s*\[', re.DOTALL)
_LOOKED_AT = 200_000
_MARK = re.compile(
    r'"(?:metric_data|timeSeries|performanceStats|beginTimeSeconds|inspectedCount|nrql|totalResult)"\s*:'
)


@dataclass
class _Kept:
    """The rows of the file on their way into tables: ``line`` of each, and those of one table together."""

    one_a_line: bool
    count: int = 0
    by_reader: dict[str, list[tuple[int, str, _nrql.Row]]] = field(default_factory=dict)
    slices: list[dict[str, Any]] = field(default_factory=list)


def read(lines: list[str], context: Context) -> Reading:
    """Return the rows as transaction_samples, transactions or response_breakdown; numbers of rows for lines."""
    documents = [
        (document, list(_nrql.rows(document.values))) for document in _json.documents(lines, _OPENED)
    ]
    kept = _Kept(
        all(
            document.span == 1 and len(rows) + (document.fault is not None) <= 1
            for document, rows in documents
        )
    )
    reading = Reading()
    for document, rows in documents:
        reading.joined += kept.one_a_line and document.fault is None and not rows
        for row in rows:
            kept.count += 1
            if kept.one_a_line:
                _sort(row, document.line, document.text, kept, reading)
            else:
                _sort(row, kept.count, str(row), kept, reading)
        if document.fault is not None:
            kept.count += 1
            line = document.line if kept.one_a_line else kept.count
            reading.unread.append((line, document.fault, _stores.storable(document.unread)))
    for name, numbered in sorted(kept.by_reader.items()):
        _read_as_csv(name, numbered, context, reading)
    if kept.slices:
        frame = pd.DataFrame(kept.slices, columns=["line", "time", "component", "value_ms"])
        kinds = {"line": "Int64", "time": "datetime64[us]", "component": "object", "value_ms": "Float64"}
        _add(reading, "response_breakdown", frame.astype(kinds))
    reading.lines = None if kept.one_a_line else kept.count
    return reading


def _sort(row: _nrql.Row, line: int, text: str, kept: _Kept, reading: Reading) -> None:
    """Put a row with those of its table, or say why it has none."""
    reason = row.fault
    if row.metric is not None:
        parts = list(_slice(row.metric, line, text, reading))
        kept.slices += parts
        reason = None if parts else "a metric without a response time"
    elif reason is None:
        name, reason = _reader(row.cells)
        if name:
            kept.by_reader.setdefault(name, []).append((line, text, row))
    if reason is not None:
        reading.unread.append((line, reason, text))


def _reader(cells: dict[str, str]) -> tuple[str | None, str | None]:
    """Which reader of CSV knows such a row, or why none does."""
    asked = any(_nrql.is_function(name) for name in cells)
    named = "name" in cells or "transactionName" in cells
    kind = cells.get("eventType", "Transaction")
    if "beginTimeSeconds" in cells and asked:
        return "series", None
    if kind != "Transaction":
        return None, f"an event of the type {kind[:60]}, not a transaction"
    if "timestamp" in cells and not asked and (named or "duration" in cells):
        return "events", None
    if asked and named:
        return "table", None
    if asked and len(cells) > sum(map(_nrql.is_function, cells)):
        return "series", None
    return None, "neither a transaction nor a value with its time or its name"


def _read_as_csv(
    name: str, numbered: list[tuple[int, str, _nrql.Row]], context: Context, reading: Reading
) -> None:
    """Read rows of one kind as the CSV that the same query exports, and put their own lines and texts back."""
    module = {"series": new_relic_series, "events": new_relic_events, "table": new_relic_table}[name]
    headers, left = _headers(name, [row for _, _, row in numbered])
    if left:
        reading.notes.append(f"columns not read: {', '.join(left[:10])}")
    texts = [
        _csv_line(headers),
        *(_csv_line([row.cells.get(h, "") for h in headers]) for _, _, row in numbered),
    ]
    found = module.read(texts, context, sure=True)
    lines = {at: line for at, (line, _, _) in enumerate(numbered, 2)}
    shown = {line: text for line, text, _ in numbered}
    reading.joined += found.joined - (1 not in {at for at, *_ in found.unread})
    reading.unread += [(lines[at], reason, shown[lines[at]]) for at, reason, _ in found.unread if at in lines]
    reading.notes += found.notes
    reading.zone = reading.zone or found.zone
    for table, frame in found.tables.items():
        _add(reading, table, frame.assign(line=frame["line"].map(lines).astype("Int64")))


def _headers(name: str, rows: list[_nrql.Row]) -> tuple[list[str], list[str]]:
    """The columns of the rows, and those left out: a number under a name of the person's own has no known unit."""
    headers = list(dict.fromkeys(header for row in rows for header in row.cells))
    if name == "events":
        return headers, []
    own = [
        header
        for header in headers
        if not _nrql.is_function(header)
        and header not in ("beginTimeSeconds", "endTimeSeconds")
        and all(_cells.number(row.cells[header]) is not None for row in rows if row.cells.get(header))
    ]
    return [header for header in headers if header not in own], own


def _csv_line(cells: list[str]) -> str:
    sink = io.StringIO()
    csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="").writerow(cells)
    return sink.getvalue()


def _add(reading: Reading, table: str, frame: pd.DataFrame) -> None:
    known = reading.tables.get(table)
    reading.tables[table] = frame if known is None else pd.concat([known, frame], ignore_index=True)


def _slice(metric: _nrql.Metric, line: int, text: str, reading: Reading) -> Iterator[dict[str, Any]]:
    """The response time of a metric's time slice, and of HttpDispatcher the throughput."""
    values = metric.values
    time = _stores.moment(metric.begin)
    took = next(
        (values[name] for name in ("average_response_time", "average_call_time") if name in values), None
    )
    if took is None:
        return
    if time is None:
        reading.unread.append((line, "field time", text))
    yield {"line": line, "time": time, "component": metric.name, "value_ms": took}
    rate = values.get("requests_per_minute", values.get("calls_per_minute"))
    if metric.name == "HttpDispatcher" and rate is not None:
        yield {"line": line, "time": time, "component": new_relic_series.THROUGHPUT, "value_ms": rate}


def score(head: list[str]) -> float:
    """Return how sure it is: words that only New Relic's answers have, or events with its attributes."""
    text = "\n".join(head)[:_LOOKED_AT].lstrip()
    if not text.startswith(("{", "[")):
        return 0.0
    whole = _json.first_value(text)
    first = next(_nrql.rows([_json.first_value(text, _OPENED) if whole is None else whole]), None)
    if first is not None and new_relic_events.is_event(first.cells):
        return 0.0 if "message" in first.cells else 0.92
    return 0.9 if _MARK.search(text) and (first is None or "message" not in first.cells) else 0.0
