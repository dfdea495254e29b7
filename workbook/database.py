"""The only importer of duckdb: opens a workbook's file, keeps its schema, runs statements."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from workbook.errors import DatabaseError, UsageError

SCHEMA_VERSION = 2


_PATIENCE_S = 10.0
_STEP_S = 0.05

# A slab of 128 MB with its records and rows fits; what comes on top goes to disk.
_SCRATCH_MEMORY = "1GB"


class Fault(DatabaseError):
    """The engine could not go on: a full disk, a damaged file, a statement that is wrong."""


class Rows:
    """Rows of one database that another one can take, handed over in the Arrow C stream format."""

    def __init__(self, relation: duckdb.DuckDBPyRelation):
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
# Nothing is ever fetched: an extension that is not part of the engine is an error, not a download.
_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def _is_in_use(error: duckdb.Error) -> bool:
    """Whether the engine says that another process holds the file; the file's own name may hold any word."""
    return "could not set lock" in str(error).lower()


def schema() -> str:
    """Return the text of schema.sql: every table, with a comment above every column."""
    return resources.files("workbook").joinpath("schema.sql").read_text(encoding="utf-8")


def table_names() -> list[str]:
    """Return the names of the workbook's tables, in the order of schema.sql."""
    return re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", schema())


def _macros() -> tuple[str, str]:
    """The statements that make the macros, and their SHA-256."""
    _, word, rest = schema().partition("CREATE OR REPLACE MACRO")
    return word + rest, hashlib.sha256(rest.encode()).hexdigest()


class Database:
    """One DuckDB file, or one in memory, with the workbook's tables.

    Raises DatabaseError when the file is not a workbook's, was made by a newer workbook, or is in use; the file is
    then as it was.
    """

    def __init__(self, path: str | Path | None = None, *, read_only: bool = False):
        self.path = None if path is None else str(path)
        self.read_only = read_only
        self.is_older = False
        self._users = 0
        # a connection answers one thread at a time: JupyterLab hands what widgets say to another one than cells
        self._turn = threading.RLock()
        self._connection: duckdb.DuckDBPyConnection | None = self._connect()
        try:
            with self.held():
                self._prepare()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def held(self) -> Iterator[None]:
        """Read one state of the file throughout the block; other threads wait for its end.

        A database that is open for reading only lets go of its file after each block, so that a load can go on adding
        to it, and finds the file as it is by then when the next block begins.
        """
        with self._turn:
            if self._connection is None:
                self._connection = self._connect()
            self._users += 1
            try:
                yield
            finally:
                self._users -= 1
                if self.read_only and not self._users and self._connection is not None:
                    self._connection.close()
                    self._connection = None

    @classmethod
    def scratch(cls, folder: Path) -> Database:
        """Return a database in memory that may put aside in the folder what does not fit."""
        database = cls()
        database.execute(f"SET temp_directory = {literal(str(folder))}")
        database.execute(f"SET memory_limit = '{_SCRATCH_MEMORY}'")
        return database

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self.path is None:
            connection = duckdb.connect(":memory:", config=_OFFLINE)
        elif self.read_only and not Path(self.path).exists():
            raise DatabaseError(
                "there is no such database.", path=self.path, next_step="Load some files into it first."
            )
        else:
            connection = self._opened(self.path)
            # small groups of rows are not packed anew when the file is closed: that took a fifth of a load's time
            connection.execute("SET max_vacuum_tasks = 0")
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def _opened(self, path: str) -> duckdb.DuckDBPyConnection:
        patience = _PATIENCE_S if self.read_only else 0.0
        while True:
            try:
                return duckdb.connect(path, read_only=self.read_only, config=_OFFLINE)
            except duckdb.Error as error:
                if patience <= 0 or not _is_in_use(error):
                    raise self._explained(error) from error
            # a load that follows a log holds the file for a moment at a time
            time.sleep(_STEP_S)
            patience -= _STEP_S

    def _explained(self, error: duckdb.Error) -> DatabaseError:
        text = str(error)
        if self.path and Path(self.path).is_dir():
            return DatabaseError(
                "this is a folder.", path=self.path, next_step="Give the name of a file in it."
            )
        if _is_in_use(error):
            holder = re.search(r"PID (\d+)", text)
            who = f" by process {holder[1]}" if holder else ""
            return DatabaseError(
                f"the database is in use{who}.",
                path=self.path,
                next_step="Close the other notebook or command, or open a copy with read_only=True.",
            )
        if "not a valid DuckDB database" in text or "corrupt" in text.lower() or "sqlite" in text.lower():
            return DatabaseError(
                "this is not a workbook's database.",
                path=self.path,
                next_step="Give another name, or move the file away; it was not changed.",
            )
        if "Permission denied" in text or "Cannot open file" in text:
            return DatabaseError(
                "the database cannot be opened here.",
                path=self.path,
                next_step="Check that the folder exists and that you may write to it, or give --db another place.",
            )
        return DatabaseError(text.splitlines()[0], path=self.path, next_step="Give --db another file.")

    def _prepare(self) -> None:
        tables = {row[0] for row in self.fetch("SELECT table_name FROM duckdb_tables() WHERE NOT temporary")}
        if "workbook" not in tables:
            if tables or self.read_only:
                raise DatabaseError(
                    "this DuckDB file was not made by a workbook.",
                    path=self.path,
                    next_step="Give another name with --db; the file was not changed.",
                )
            with self.transaction():
                self.execute(schema())
                sha = _macros()[1]
                self.execute("INSERT INTO workbook VALUES ($version, $sha)", version=SCHEMA_VERSION, sha=sha)
            return
        version = self.fetch("SELECT max(schema_version) FROM workbook")[0][0]
        if version is None or version > SCHEMA_VERSION:
            raise DatabaseError(
                f"a newer workbook made this database (schema {version}, this one knows {SCHEMA_VERSION}).",
                path=self.path,
                next_step="Install the newer workbook, or load the files into another database.",
            )
        self.is_older = version < SCHEMA_VERSION
        if self.is_older and self.read_only:
            raise DatabaseError(
                f"an older workbook made this database (schema {version}, now {SCHEMA_VERSION}).",
                path=self.path,
                next_step="Open it once for writing (`workbook reread --db FILE` does), which brings it up to date.",
            )
        macros, sha = _macros()
        if self.is_older:
            with self.transaction():
                self._add_what_is_new()
        if not self.read_only and self.fetch("SELECT max(macros_sha256) FROM workbook")[0][0] != sha:
            with self.transaction():
                self.execute(macros)
                self.execute("UPDATE workbook SET macros_sha256 = $sha", sha=sha)

    def _add_what_is_new(self) -> None:
        """Add the tables and columns that an older schema lacks; nothing is changed or taken away."""
        columns = (
            "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            " WHERE database_name = current_database() AND schema_name = 'main' ORDER BY table_oid, column_index"
        )
        self.execute("ALTER TABLE workbook ADD COLUMN IF NOT EXISTS macros_sha256 VARCHAR")
        self.execute(schema())
        known = {(table, column) for table, column, _ in self.fetch(columns)}
        with Database() as new:
            wanted = new.fetch(columns)
        for table, column, kind in wanted:
            if (table, column) not in known:
                self.execute(f'ALTER TABLE {table} ADD COLUMN "{column}" {kind}')

    def mark_current(self) -> None:
        """Note that the tables hold what this version's readers make of the log lines."""
        self.execute("UPDATE workbook SET schema_version = $version", version=SCHEMA_VERSION)
        self.is_older = False

    def execute(self, sql: str, **parameters: Any) -> duckdb.DuckDBPyConnection:
        """Run one statement (or several without parameters); ``$name`` takes the parameter of that name."""
        used = {name: parameters[name] for name in _PARAMETER.findall(sql) if name in parameters}
        connection = self._open_connection()
        with self._explaining():
            return connection.execute(sql, used) if used else connection.execute(sql)

    def _open_connection(self) -> duckdb.DuckDBPyConnection:
        assert self._connection is not None, "a statement outside of held()"
        return self._connection

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Raise what the engine raises in the block as a Fault, and an interrupt that it noticed as an interrupt."""
        try:
            yield
        except duckdb.Error as error:
            raise self._fault(error) from error
        except RuntimeError as error:
            if str(error) == "Query interrupted":
                raise KeyboardInterrupt from error
            raise

    def _fault(self, error: duckdb.Error) -> Fault:
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Fault(
            f"the engine stopped: {text}", path=self.path, next_step="If a disk or memory is full, make room."
        )

    def fetch(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a statement as tuples."""
        with self.held(), self._explaining():
            return self.execute(sql, **parameters).fetchall()

    def frame(self, sql: str, **parameters: Any) -> pd.DataFrame:
        """Return the rows of a statement as a DataFrame; times are UTC without zone."""
        with self.held(), self._explaining():
            return self.execute(sql, **parameters).df()

    def query(self, sql: str, **parameters: Any) -> pd.DataFrame:
        """Return the rows of a person's statement; UsageError, in the engine's words, when it is wrong."""
        names = set(_PARAMETER.findall(sql))
        for name in parameters:
            if name not in names:
                raise UsageError(
                    f"the statement has no ${name}.", next_step=f"Write ${name} where its value belongs."
                )
        hint = "wb.tables() lists every table with its columns."
        if not sql.strip(" ;\n\t"):
            raise UsageError("there is no statement.", next_step=hint)
        with self.held():
            connection = self._open_connection()
            try:
                used = {name: parameters[name] for name in names if name in parameters}
                return connection.execute(sql, used).df() if used else connection.execute(sql).df()
            except (duckdb.Error, AttributeError) as error:
                said = str(error).strip().splitlines()[0]
                raise UsageError(f"the statement failed: {said}", next_step=hint) from error

    def register(self, name: str, frame: pd.DataFrame | Rows) -> None:
        """Make a DataFrame or rows of another database readable as a table of that name until ``unregister``."""
        self._open_connection().register(name, frame)

    def unregister(self, name: str) -> None:
        """Forget a DataFrame that ``register`` named."""
        self._open_connection().unregister(name)

    def rows(self, sql: str) -> Rows:
        """Return the rows of a statement for another database to take; the statement runs then."""
        return Rows(self._open_connection().sql(sql))

    def take(self, table: str, rows: Rows) -> int:
        """Insert rows of another database into a table, by the names of their columns; return how many."""
        return self._from(rows, f"INSERT INTO {table} BY NAME SELECT * FROM incoming")

    def create(self, table: str, rows: Rows) -> None:
        """Make a temporary table of rows of another database."""
        self._from(rows, f"CREATE TEMP TABLE {table} AS SELECT * FROM incoming")

    def _from(self, rows: Rows, sql: str) -> int:
        self.register("incoming", rows)
        try:
            return int(self.execute(sql).fetchall()[0][0])
        finally:
            self.unregister("incoming")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one transaction: all of it is kept, or none."""
        with self.held():
            self.execute("BEGIN")
            try:
                yield
            except BaseException:
                # after a fault the engine may have ended the transaction itself, or take no statement any more
                with suppress(Fault):
                    self.execute("ROLLBACK")
                raise
            self.execute("COMMIT")

    def filled(self) -> set[str]:
        """Return the names of the tables that hold rows."""
        any_row = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (FROM {name})" for name in table_names())
        return {row[0] for row in self.fetch(any_row)}

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; everything loaded is in it."""
        if self._connection is not None:
            self._connection.close()


def literal(value: Any) -> str:
    """Return a value as SQL text, so that it can be pasted into a statement."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value}'"
    if isinstance(value, float) and abs(value) == float("inf"):
        return f"'{value}'::DOUBLE"
    if isinstance(value, float):
        # an exponent makes it a DOUBLE: 354.9 alone would be a DECIMAL
        return repr(value) if "e" in repr(value) else f"{value!r}e0"
    if isinstance(value, int):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(str(name))}: {literal(one)}" for name, one in value.items()) + "}"
    return "'" + str(value).replace("'", "''") + "'"


def inlined(sql: str, parameters: dict[str, Any]) -> str:
    """Return the statement with its parameters written in as literals."""
    return _PARAMETER.sub(
        lambda match: literal(parameters[match[1]]) if match[1] in parameters else match[0], sql
    )


def as_values(frame: pd.DataFrame) -> str:
    """Return a statement that gives the frame's rows again, in their order."""
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    if frame.empty:
        nothing = ", ".join(f'NULL AS "{name}"' for name in frame.columns)
        return f"SELECT {nothing} WHERE false"
    rows = ",\n    ".join(
        f"({', '.join(literal(plain(cell)) for cell in row)})" for row in frame.itertuples(index=False)
    )
    return f"SELECT *\nFROM (VALUES\n    {rows}\n) AS judged ({columns})"


def plain(value: Any) -> Any:
    """Return a cell of a DataFrame as a plain Python value; every kind of missing value is None."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if hasattr(value, "tolist") and not isinstance(value, str):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, pd.Timestamp):
        return None if value is pd.NaT else value.to_pydatetime()
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    return value
