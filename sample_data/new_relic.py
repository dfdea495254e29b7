"""What New Relic would export about the same requests: the classic table, a time series, transactions."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import timedelta

import day
from day import MINUTE, MS
from simulate import Request

APDEX_T_S = 0.5
ZONE_HOURS = -4  # America/New_York in the summer time that began on 2026-03-08
BUCKET = 15 * MINUTE
REPORTED = 0.97
MOST_EVENTS = 1_000

Rows = list[list[str]]


def ran(requests: list[Request]) -> list[Request]:
    """Return the requests that the application ran: New Relic does not see what expired in the queue."""
    return [request for request in requests if not request.expired]


def dissatisfied(request: Request) -> float:
    """Return 0 for a satisfied visitor, 0.5 for a tolerating one, 1 for a frustrated one."""
    seconds = request.work_ms / 1_000
    if request.broken or seconds > 4 * APDEX_T_S:
        return 1.0
    return 0.5 if seconds > APDEX_T_S else 0.0


def number(value: float) -> str:
    """Return a number with four digits that count, and separators for thousands."""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def transactions(requests: list[Request]) -> Rows:
    """Return the classic table of web transactions, the most time first, below the row of all of them."""
    groups: dict[str, list[Request]] = {}
    for request in ran(requests):
        groups.setdefault(f"{request.route.controller}#{request.route.action}", []).append(request)
    everything = ran(requests)
    all_ms, all_dissat = sum(r.work_ms for r in everything), sum(map(dissatisfied, everything))
    heads = [
        "Apdex",
        "Count",
        "Avg (ms)",
        "SD (ms)",
        "Min (ms)",
        "Max (ms)",
        "Total (ms)",
        "Total (% time)",
        "Dissat (%)",
    ]
    ranked = sorted(groups.items(), key=lambda group: (-sum(r.work_ms for r in group[1]), group[0]))
    rows = [["Transaction", *heads]]
    for name, members in [("All web transactions", everything), *ranked]:
        times = [request.work_ms for request in members]
        dissat = sum(map(dissatisfied, members))
        rows.append(
            [
                name,
                f"{1 - dissat / len(members):.2f}{APDEX_T_S}",
                f"{len(members):,}",
                *map(number, (statistics.fmean(times), statistics.pstdev(times), min(times), max(times))),
                f"{sum(times):,}",
                f"{100 * sum(times) / all_ms:04.1f}",
                f"{100 * dissat / all_dissat:04.1f}",
            ]
        )
    return rows


def throughput(requests: list[Request]) -> Rows:
    """Return requests per minute and mean time by quarter of an hour, in New York's time without a zone."""
    rng = day.dice("new relic")
    counts: Counter[int] = Counter()
    work: Counter[int] = Counter()
    for request in requests:
        if rng.random() < REPORTED:
            bucket = request.logged // BUCKET
            counts[bucket] += 1
            work[bucket] += 0 if request.expired else request.work_ms
    rows = [["Timestamp", "Requests per minute", "Average duration (ms)"]]
    for bucket in range(day.END // BUCKET):
        local = day.moment(bucket * BUCKET) + timedelta(hours=ZONE_HOURS)
        calls = counts[bucket]
        mean = f"{work[bucket] / calls:.1f}" if calls else ""
        rows.append([local.strftime("%Y-%m-%d %H:%M:%S"), f"{calls * MINUTE / BUCKET:.3f}", mean])
    return rows


def events(requests: list[Request]) -> Rows:
    """Return the last transactions up to a minute after the export, newest first, as a script saves them."""
    epoch_ms = round((day.START - type(day.START)(1970, 1, 1)).total_seconds() * 1_000)
    rng = day.dice("new relic events")
    rows = [
        [
            "timestamp",
            "appName",
            "name",
            "duration",
            "queueDuration",
            "databaseDuration",
            "error",
            "http.statusCode",
            "host",
        ]
    ]
    newest = [r for r in reversed(ran(requests)) if r.begin < day.EXPORT[1] + MINUTE]
    for request in sorted(newest, key=lambda r: (-r.begin, r.request_id))[:MOST_EVENTS]:
        database = (
            request.work_ms / 1_000 * (rng.uniform(0.78, 0.86) if request.route is day.REPORTS else 0.3)
        )
        rows.append(
            [
                str(epoch_ms + request.begin // MS),
                day.APP,
                f"WebTransaction/Controller/{request.route.controller}/{request.route.action}",
                f"{request.work_ms / 1_000:.3f}",
                f"{request.wait_ms / 1_000:.3f}",
                f"{database:.6f}",
                str(request.broken).lower(),
                str(request.status),
                request.dyno,
            ]
        )
    return rows
