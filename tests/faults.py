"""What the tests of faults share: the command line in a process of its own, and everything that a database holds."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbook.database import Database, table_names

ROOT = Path(__file__).parents[1]
START = "2024-03-04T12:00:00.000000+00:00 app[web.1]: "


class Started(subprocess.Popen[bytes]):
    """A process that does not outlive a test that fails."""

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, traceback)


def started(
    arguments: list[str | Path],
    *,
    before: str = "",
    largest_file: int | None = None,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start the command line; ``before`` is Python that runs first, ``largest_file`` plays a full disk.

    The last line of stderr is the most memory, in MB, that the process ever had.
    """
    program = (
        "import resource, signal, sys\n"
        "from workbook import cli, slabs\n"
        f"{before}\n"
        "status = cli.main(sys.argv[1:])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)\n"
        "sys.exit(status)"
    )

    def limited() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if largest_file is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return Started(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=limited,
        **options,
    )


def ran(arguments: list[str | Path], **options: Any) -> tuple[int, str, str, int]:
    """Run the command line to its end; return its code, what it wrote to stdout and to stderr, its most memory in MB."""
    with started(arguments, **options) as process:
        out, err = process.communicate(timeout=120)
    said, _, memory = err.decode().rstrip("\n").rpartition("\n")
    return process.returncode, out.decode(), said, int(memory) if memory.isdigit() else 0


def holds(path: Path) -> Mapping[str, list[tuple[Any, ...]]]:
    """Return every row of every table."""
    with Database(path, read_only=True) as database, database.held():
        return {name: database.fetch(f"SELECT * FROM {name} ORDER BY ALL") for name in _filled(database)}


def digest(path: Path) -> dict[str, tuple[Any, ...]]:
    """Return how many rows each table has, and a sum over the hashes of all of them: for tables that are large."""
    with Database(path, read_only=True) as database, database.held():
        return {
            name: database.fetch(f"SELECT count(*), sum(hash(every)) FROM {name} AS every")[0]
            for name in _filled(database)
        }


def _filled(database: Database) -> list[str]:
    return sorted(database.filled() - {"workbook"})


def sizes(path: Path) -> dict[str, dict[str, int]]:
    """Return how many rows of each table each source has, by the source's path; None for rows without a source."""
    found: dict[str, dict[str, int]] = {}
    with Database(path, read_only=True) as database, database.held():
        for table in table_names():
            columns = {row[0] for row in database.fetch(f"SELECT column_name FROM (DESCRIBE {table})")}
            if "source_id" not in columns:
                continue
            rows = database.fetch(
                f"SELECT coalesce(sources.path, 'of no source'), count(*) FROM {table} LEFT JOIN sources USING (source_id)"
                " GROUP BY 1 ORDER BY 1"
                if table != "sources"
                else "SELECT path, lines FROM sources ORDER BY path"
            )
            for name, count in rows:
                found.setdefault(name, {})[table] = count
    return found
