"""What loading costs, against floors and peers in one run, as ratios: those carry over, the seconds are this machine's.

    python benchmarks/loading.py [LINES …]          (default 100000 1000000; 10000000 takes minutes and 5 GB of disk)

Every load does all of the product's work: text kept, hazards checked, typed tables, a database on disk. Each runs in a
process of its own, whose peak memory is shown. Floors: ``grep -c``, ``zcat | wc -l``, DuckDB reading the lines and
counting them. Peers: the plain reader of the tests (one regular expression a line, rows kept in memory; up to a million
lines), lnav indexing all lines, GoAccess reading the router lines that have the usual form.
"""

from __future__ import annotations

import gzip
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import made_log  # noqa: E402

_MOST_FOR_PLAIN = 1_000_000
_READ = (
    "import duckdb, sys; duckdb.execute(\"SELECT count(*) FROM read_csv(?, columns={'text': 'VARCHAR'}, header=false,"
    " auto_detect=false, delim='\\x01\\x02\\x03\\x04', quote='', escape='', comment='', strict_mode=false)\","
    " [sys.argv[1]]).fetchall()"
)
_PLAIN = "import sys; from tests import oracle; oracle.read(open(sys.argv[1]).read().splitlines())"
_LOAD = (
    "import sys; from workbook import Workbook\n"
    "with Workbook.open(sys.argv[2]) as wb:\n    report = wb.load(sys.argv[1])\n    assert report.ok, report.errors"
)
_GOACCESS = (
    '%dT%t.%^ heroku[router]: at=info method=%m path="%U" host=%v request_id=%^ fwd="%h" dyno=%^ connect=%^'
    " service=%Lms status=%s bytes=%b %^"
)


@dataclass(frozen=True)
class Run:
    """Seconds and peak memory of one process."""

    seconds: float
    peak_mb: float


def run(*command: str | Path) -> Run:
    """Run a command to its end, without its output."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return Run(time.perf_counter() - start, usage.ru_maxrss / 1024)


def python(code: str, *words: str | Path) -> Run:
    """Run a piece of Python in a process of its own."""
    return run(sys.executable, "-c", code, *words)


def measure(lines: int, folder: Path) -> tuple[dict[str, Run], float, float]:
    """Return the runs by name, the text's size in MB and the database's share of it."""
    log, zipped, database = folder / "made.log", folder / "made.log.gz", folder / "made.duckdb"
    made_log.write(log, lines)
    with log.open("rb") as source, gzip.open(zipped, "wb", compresslevel=6) as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    found = {
        "grep -c": run("sh", "-c", 'grep -c router "$1" | cat', "sh", log),
        "zcat | wc -l": run("sh", "-c", 'zcat "$1" | wc -l', "sh", zipped),
        "DuckDB counts the lines": python(_READ, log),
    }
    if lines <= _MOST_FOR_PLAIN:
        found["plain Python reader"] = python(_PLAIN, log)
    found["workbook load"] = python(_LOAD, log, database)
    share = database.stat().st_size / log.stat().st_size
    database.unlink()
    found["workbook load, gz"] = python(_LOAD, zipped, database)
    if shutil.which("lnav"):
        found["lnav indexes the lines"] = run("lnav", "-n", "-N", "-c", ";SELECT count(*) FROM all_logs", log)
    if shutil.which("goaccess"):
        router = folder / "router.log"
        with router.open("wb") as sink:
            subprocess.run(["grep", "-F", "heroku[router]: at=info", str(log)], stdout=sink, check=True)
        form = [
            f"--log-format={_GOACCESS}",
            "--date-format=%Y-%m-%d",
            "--time-format=%H:%M:%S",
            "--no-progress",
        ]
        found["GoAccess, router lines only"] = run("goaccess", router, *form, "-o", folder / "out.json")
    return found, log.stat().st_size / 1e6, share


def main(sizes: list[int]) -> None:
    """Print one table for each size, and how the time grows."""
    loads = {}
    for lines in sizes:
        with tempfile.TemporaryDirectory() as folder:
            found, size_mb, share = measure(lines, Path(folder))
        load = loads[lines] = found["workbook load"]
        print(
            f"\n{lines:,} lines, {size_mb:,.0f} MB, {os.cpu_count()} cores; database {share:.2f} of the text\n"
        )
        print(f"{'':28} {'seconds':>8} {'lines/s':>12} {'peak MB':>8} {'load takes':>12}")
        for name, one in found.items():
            ratio = load.seconds / one.seconds
            print(
                f"{name:28} {one.seconds:8.2f} {lines / one.seconds:12,.0f} {one.peak_mb:8,.0f} {ratio:10.2f} x"
            )
        gz = found["workbook load, gz"].seconds / found["zcat | wc -l"].seconds
        print(f"\nload of the gz / zcat: {gz:.1f}")
        if plain := found.get("plain Python reader"):
            print(f"plain reader / load: {plain.seconds / load.seconds:.2f}")
    for smaller, larger in itertools.pairwise(sizes):
        growth = loads[larger].seconds / loads[smaller].seconds
        print(f"\n{larger:,} lines take {growth:.1f} times as long as {smaller:,}")


if __name__ == "__main__":
    main([int(word.replace("_", "")) for word in sys.argv[1:]] or [100_000, 1_000_000])
