"""What the memory verdicts of a week cost, as a multiple of one grouped scan of the same samples.

    python benchmarks/memory_speed.py [DAYS]

Seven days of twenty dynos with nine metrics every 20 seconds (5.4 million samples) are made in a database file; dynos
leak, warm up, step, are collected or stay flat, and restart each day. The scan counts and averages each metric of each
dyno. Both are measured in turn, on one thread in processor time, which other work on the machine moves least; the ratio
is what carries over to other machines.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

from workbook import Window
from workbook.analyses import memory_quota, memory_trend
from workbook.database import Database

SCAN = "SELECT dyno, metric, count(*), avg(value) FROM dyno_samples GROUP BY dyno, metric"
METRICS = (
    *("load_avg_1m", "load_avg_5m", "load_avg_15m"),
    *("memory_total", "memory_rss", "memory_cache", "memory_swap", "memory_pgpgin", "memory_pgpgout"),
)
DYNOS, STEP_S, RUNS = 20, 20, 7


def made(days: float) -> pd.DataFrame:
    """Return a row for each sample time of each dyno: its boot and its metrics, one a column."""
    chance = np.random.default_rng(5)
    hours = np.arange(int(days * 86_400 / STEP_S)) * STEP_S / 3600
    frames = []
    for number in range(1, DYNOS + 1):
        cycle, phase = chance.uniform(24, 27.6), chance.uniform(0, 24)
        up = (hours + phase) % cycle
        shapes = (
            chance.uniform(2, 15) * up,
            80 * (1 - np.exp(-up / 2)),
            60 * (up > 8),
            40 * ((up / 0.2) % 1),
            np.zeros_like(up),
        )
        total = chance.uniform(180, 300) * (1 - 0.25 * np.exp(-up / 0.12)) + shapes[number % len(shapes)]
        total = np.round(total + 10 * np.sin(2 * np.pi * hours / 24) + chance.normal(0, 2, len(up)), 2)
        swap, cache = np.round(np.maximum(total - 512, 0), 2), np.round(chance.uniform(0, 3, len(up)), 2)
        frames.append(
            pd.DataFrame(
                {
                    "dyno": f"web.{number}",
                    "boot": ((hours + phase) // cycle).astype(int),
                    "second": hours * 3600 + int(chance.integers(STEP_S)),
                    **{name: chance.gamma(1, 0.2, len(up)).round(2) for name in METRICS[:3]},
                    "memory_total": total,
                    "memory_rss": np.round(total - swap - cache, 2),
                    "memory_cache": cache,
                    "memory_swap": swap,
                    "memory_pgpgin": np.round(up * 180_000),
                    "memory_pgpgout": np.round(up * 170_000),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def fill(database: Database, days: float) -> int:
    """Write the samples as the loader does, in order of time and line; return how many there are."""
    database.register("made", made(days))
    database.execute(
        f"""
        INSERT INTO dyno_samples
        SELECT
            1,
            dense_rank() OVER (ORDER BY second, dyno),
            make_timestamp(1_709_640_000_000_000 + (second * 1e6)::BIGINT),
            dyno,
            printf('%08x-0000-4000-8000-%012x', hash(dyno) % 4294967296, boot),
            metric,
            value,
            CASE WHEN metric LIKE 'memory_pg%' THEN 'pages' WHEN metric LIKE 'memory%' THEN 'MB' END
        FROM (UNPIVOT made ON {", ".join(METRICS)} INTO NAME metric VALUE value)
        ORDER BY second, dyno, metric
        """
    )
    database.unregister("made")
    database.execute(
        "INSERT INTO processes (source_id, line, process_type, size) VALUES (2, 1, 'web', 'Standard-1X')"
    )
    return int(database.fetch("SELECT count(*) FROM dyno_samples")[0][0])


def spent_s(run: Callable[[], object]) -> float:
    """Return the processor time of one run in seconds."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main(days: float) -> None:
    """Print what each question costs in scans: the least of some runs each, measured in turn."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "samples.duckdb")
        try:
            count = fill(database, days)
            database.execute("SET threads = 1")
            asked: dict[str, Callable[[], object]] = {
                "scan": lambda: database.frame(SCAN),
                "memory_trend": lambda: memory_trend.rows(database.frame, Window()),
                "memory_quota": lambda: memory_quota.rows(database.frame, Window()),
            }
            seen: dict[str, list[float]] = {name: [] for name in asked}
            for _ in range(RUNS):
                for name, run in asked.items():
                    seen[name].append(spent_s(run))
        finally:
            database.close()
    print(f"{count:,} samples, one thread, least processor time of {RUNS} runs each, measured in turn")
    for name, some in seen.items():
        print(f"{name:14} {min(some):7.3f} s {min(some) / min(seen['scan']):6.1f} scans")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 7.0)
