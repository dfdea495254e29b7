"""What each question costs, as a multiple of three times grouping all requests by route with a 95th percentile.

    python benchmarks/analyses.py [REQUESTS]

The requests are those of a simulated app: ten dynos in random routing, one slow route among forty, every tenth request
with lines of rack-timeout. The same is measured with a tenth of the requests: from there to all, a linear question
takes ten times as long. Ratios are what carries over to other machines; the seconds belong to this one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from workbook import Window, Workbook  # noqa: E402
from workbook.scenarios import dyno_queue  # noqa: E402

_ASKED = (
    *(
        "errors",
        "slow_transactions",
        "queueing",
        "in_flight",
        "blockers",
        "dyno_balance",
        "request",
        "compare",
    ),
    "releases",
)
_FLOOR = """
SELECT route, quantile_cont(coalesce(connect_ms, 0) + service_ms, 0.95) AS p95_ms
FROM requests
GROUP BY route
"""
_FILL = """
INSERT INTO requests (
    source_id, line, time, method, host, path, route, request_id, fwd, dyno, connect_ms, service_ms, status, bytes,
    code, "at"
)
SELECT
    1,
    row_number() OVER (ORDER BY ended_us),
    make_timestamp(ended_us),
    'GET',
    'shop.example.com',
    '/r' || route || '/' || number,
    '/r' || route || '/:id',
    printf('%08x-0000-4000-8000-%012x', hash(number) % 4294967296, number),
    '192.0.2.' || (number % 250),
    'web.' || (dyno + 1),
    1,
    service_ms,
    CASE WHEN h12 THEN 503 WHEN number % 1000 = 0 THEN 500 ELSE 200 END,
    number % 90000,
    CASE WHEN h12 THEN 'H12' END,
    CASE WHEN h12 THEN 'error' ELSE 'info' END
FROM made
"""
_RACK = """
INSERT INTO rack_timeouts (source_id, line, time, dyno, request_id, age_ms, timeout_ms, duration_ms, state)
SELECT
    1,
    1_000_000_000 + 2 * number + is_end,
    make_timestamp(CASE WHEN is_end = 1 THEN began_us + 1000 * work_ms ELSE began_us END),
    'web.' || (dyno + 1),
    printf('%08x-0000-4000-8000-%012x', hash(number) % 4294967296, number),
    (began_us - came_us) // 1000,
    15000,
    CASE WHEN is_end = 1 THEN work_ms END,
    CASE WHEN is_end = 1 THEN 'completed' ELSE 'ready' END
FROM made, range(2) AS ends (is_end)
WHERE number % 10 = 0
"""


def made(requests: int) -> pd.DataFrame:
    """Return simulated requests: numbers only, the texts are made in the database."""
    chance = np.random.default_rng(7)
    dynos = 10
    work = np.exp(chance.normal(4.2, 0.6, requests))
    route = chance.integers(1, 40, requests)
    slow = chance.uniform(size=requests) < 0.0015
    work[slow], route[slow] = chance.uniform(6_000, 20_000, int(slow.sum())), 0
    gap_ms = work.mean() / (0.2 * dynos)
    run = dyno_queue.simulate(np.cumsum(chance.exponential(gap_ms, requests)), work, dynos=dynos, seed=7)
    start_us = 1_709_640_000_000_000
    return pd.DataFrame(
        {
            "number": np.arange(requests),
            "route": route,
            "dyno": run.dyno,
            "h12": run.h12,
            "service_ms": np.maximum(1, run.total_ms.round()).astype("int64"),
            "work_ms": run.work_ms.round().astype("int64"),
            "came_us": (start_us + 1000 * run.arrival_ms).astype("int64"),
            "began_us": (start_us + 1000 * run.start_ms).astype("int64"),
            "ended_us": (start_us + 1000 * (run.arrival_ms + run.total_ms + 1)).astype("int64"),
        }
    )


def fill(path: Path, requests: int) -> None:
    """Write a database with that many requests."""
    frame = made(requests)
    with Workbook.open(path) as wb:
        wb._database._connection.register("made", frame)
        for statement in (_FILL, _RACK):
            wb._database.execute(statement)
        wb._database.execute(
            "INSERT INTO log_lines (source_id, line, time, source, process, message)"
            " SELECT source_id, line, time, 'heroku', 'router', 'path=' || path || ' request_id=' || request_id"
            " FROM requests"
        )
        wb._database.execute(
            "INSERT INTO sources (source_id, path, sha256, kind, bytes, lines, log_lines, joined, duplicates, unread,"
            " blank, first_time, last_time)"
            " SELECT 1, 'made.log', 'x', 'heroku_logs', 1, count(*), count(*), 0, 0, 0, 0, min(time), max(time)"
            " FROM requests"
        )


def seconds(work: Callable[[], object], times: int = 2) -> float:
    """How long the work takes, at best of some times."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def measured(path: Path) -> tuple[float, dict[str, float]]:
    """Return how long the three scans take, and each question, in s."""
    with Workbook.open(path, read_only=True) as wb:
        floor = seconds(lambda: [wb.sql(_FLOOR) for _ in range(3)], 3)
        first, last = wb.sql("SELECT min(time), max(time) FROM requests").iloc[0]
        windows = {"compare": Window((first + (last - first) / 2).to_pydatetime(), last.to_pydatetime())}
        took = {name: seconds(lambda name=name: wb.run(name, windows.get(name, Window()))) for name in _ASKED}
        return floor, took


def main(requests: int) -> None:
    """Print the table of one run."""
    few = requests // 10
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "few.duckdb"), Path(folder, "all.duckdb")
        fill(small, few)
        fill(large, requests)
        few_floor, few_took = measured(small)
        floor, took = measured(large)
    print(
        f"{requests:,} requests, {os.cpu_count()} cores; three groupings by route with a p95: {floor:.2f} s\n"
    )
    print(f"{'':20} {'seconds':>8} {'x floor':>8} {f'x {few:,}':>12}")
    print(f"{'three groupings':20} {floor:8.2f} {1:8.2f} {floor / few_floor:12.1f}")
    for name, one in took.items():
        print(f"{name:20} {one:8.2f} {one / floor:8.2f} {one / few_took[name]:12.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else 1_000_000)
