"""Lines per second of a load, against a plain Python reader and against only reading the lines, in one run.

    python benchmarks/loading.py [LINES]

Every run does all of the product's work: text kept, hazards checked, typed tables, a database on disk. The plain reader
(``tests/oracle.py``) matches one regular expression a line and keeps the rows in memory. Ratios are what carries over
to other machines; the seconds belong to this one.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests")]

import duckdb  # noqa: E402
import made_log  # noqa: E402
import oracle  # noqa: E402

from workbook import Workbook  # noqa: E402

_READ = (
    "SELECT count(*) FROM read_csv(?, columns={'text': 'VARCHAR'}, header=false, auto_detect=false,"
    " delim='\x01\x02\x03\x04', quote='', escape='', comment='', strict_mode=false)"
)


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def load(path: Path, database: Path) -> None:
    """Load a file into a new database on disk."""
    database.unlink(missing_ok=True)
    with Workbook.open(database) as workbook:
        report = workbook.load(path)
        assert report.ok, report.errors


def main(lines: int) -> None:
    """Print the table of one run."""
    with tempfile.TemporaryDirectory() as folder:
        path, database = Path(folder, "made.log"), Path(folder, "made.duckdb")
        made_log.write(path, lines)
        zipped = Path(folder, "made.log.gz")
        with path.open("rb") as source, gzip.open(zipped, "wb", compresslevel=6) as sink:
            shutil.copyfileobj(source, sink)
        found = {
            "plain Python reader (one re a line)": seconds(
                lambda: oracle.read(path.read_text().splitlines())
            ),
            "only reading the lines (DuckDB)": seconds(lambda: duckdb.execute(_READ, [str(path)]).fetchall()),
            "workbook load": seconds(lambda: load(path, database)),
        }
        on_disk = database.stat().st_size
        found["workbook load, gz"] = seconds(lambda: load(zipped, database))
        size = path.stat().st_size
    print(
        f"{lines:,} lines, {size / 1e6:,.1f} MB, {os.cpu_count()} cores; database {on_disk / size:.2f} of the text\n"
    )
    print(f"{'':38} {'seconds':>8} {'lines/s':>12} {'x plain':>8}")
    plain = found["plain Python reader (one re a line)"]
    for name, took in found.items():
        print(f"{name:38} {took:8.2f} {lines / took:12,.0f} {plain / took:8.2f}")
    floor = found["only reading the lines (DuckDB)"]
    print(f"\nload / only reading: {found['workbook load'] / floor:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else 1_000_000)
