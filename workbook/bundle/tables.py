"""The tables of a workbook as Parquet, and a workbook made of such files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbook import limits, redact_tables
from workbook.database import Database, Fault, literal, schema, table_names
from workbook.errors import WorkbookError
from workbook.redact import Redactor

if TYPE_CHECKING:
    from workbook.workbook import Workbook

FOLDER = "tables"
OPEN = "tables.sql"


@dataclass(frozen=True)
class Table:
    """One table in a bundle: its name and how many rows it holds; its file is ``tables/NAME.parquet``."""

    name: str
    rows: int

    @property
    def file(self) -> str:
        """The name of its file in the bundle."""
        return f"{FOLDER}/{self.name}.parquet"


def export(database: Database, root: Path, redactor: Redactor | None) -> list[Table]:
    """Write every table that holds rows as Parquet into a folder, redacted where asked; return what was written.

    One thread writes, all rows in order of all their columns: the same rows give the same bytes.
    """
    (root / FOLDER).mkdir()
    with Database() as copied:
        copied.execute("SET threads = 1")
        if redactor is None:
            _copy_whole(database, copied)
        else:
            redact_tables.copy(database, copied, redactor)
        written = []
        for name in sorted(copied.filled() - {"workbook"}):
            table = Table(name, copied.fetch(f"SELECT count(*) FROM {name}")[0][0])
            copied.execute(
                f"COPY (SELECT * FROM {name} ORDER BY ALL) TO {literal(str(root / table.file))}"
                " (FORMAT parquet, COMPRESSION zstd)"
            )
            written.append(table)
        made = opening(copied, written)
    (root / OPEN).write_text(made, encoding="utf-8", newline="\n")
    return written


def _copy_whole(source: Database, target: Database) -> None:
    with source.held():
        for name in sorted(source.filled() - {"workbook"}):
            target.take(name, source.rows(f"SELECT * FROM {name}"))


def opening(database: Database, written: list[Table]) -> str:
    """Return the statements that make the tables anew in DuckDB's own shell, without the workbook."""
    version, sha = database.fetch("SELECT schema_version, macros_sha256 FROM workbook")[0]
    filled = f"INSERT INTO workbook VALUES ({literal(version)}, {literal(sha)});\n" + "".join(
        f"INSERT INTO {table.name} BY NAME SELECT * FROM read_parquet('{table.file}');\n" for table in written
    )
    return (
        "-- In the folder of this file: duckdb tables.duckdb -init tables.sql\n"
        "-- Then .read results/NAME.sql gives the table of a result again; the workbook opens tables.duckdb too.\n\n"
        f"SET TimeZone = 'UTC';\n\n{schema()}\n{filled}"
    )


@contextlib.contextmanager
def rebuilt(root: Path, written: list[Table]) -> Iterator[tuple[Workbook, Database]]:
    """A workbook in memory with the tables of a bundle, which one thread asks, and its database.

    Raises WorkbookError when a file does not hold the rows or the columns that its table has.
    """
    from workbook.workbook import Workbook

    with Database() as database:
        database.execute("SET threads = 1")
        fill(database, root, written)
        database.execute("SET enable_external_access = false")
        yield Workbook(database), database


def fill(database: Database, root: Path, written: list[Table]) -> None:
    """Put the rows of the files into the tables of a database; raises WorkbookError as ``rebuilt`` does."""
    for table in written:
        _read(database, root, table)


def _read(database: Database, root: Path, table: Table) -> None:
    if table.name not in table_names() or table.name == "workbook":
        raise WorkbookError(f"{table.file} is no table that this workbook knows.")
    path = literal(str(root / table.file))
    try:
        rows = database.fetch(f"SELECT sum(num_rows) FROM parquet_file_metadata({path})")[0][0]
        size = (root / table.file).stat().st_size
        if rows != table.rows or rows > limits.BUNDLE_ROWS_PER_BYTE * size:
            raise WorkbookError(f"{table.file} does not hold the {table.rows:,} rows that the manifest says.")
        columns = database.fetch(f"DESCRIBE SELECT * FROM read_parquet({path})")
        known = {name: kind for name, kind, *_ in database.fetch(f"DESCRIBE {table.name}")}
        if any(known.get(name) != kind for name, kind, *_ in columns):
            raise WorkbookError(f"{table.file} has other columns than the table {table.name}.")
        database.execute(f"INSERT INTO {table.name} BY NAME SELECT * FROM read_parquet({path})")
    except Fault as error:
        raise WorkbookError(f"{table.file} cannot be read as the table {table.name}.") from error
