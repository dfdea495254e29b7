"""Loading: a file becomes log lines and rows of typed tables, whole, in one transaction, every line accounted for."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from workbook import files, loaders, messages, overlap, rejoin
from workbook.database import Database, Fault
from workbook.errors import LoadError, UsageError, WorkbookError

_LEAST_SCORE = 0.2
_BLOCK = 8 << 20
_FIELDS_OF_LOADERS = ("'field time'", "'field generated_at'", "'field received_at'")
_READ_LINES = """
CREATE OR REPLACE TEMP TABLE physical AS
SELECT {text} AS text
FROM read_csv(
    $path,
    columns = {{'text': 'VARCHAR'}},
    header = false,
    auto_detect = false,
    delim = '\x01\x02\x03\x04',
    quote = '',
    escape = '',
    comment = '',
    strict_mode = false,
    compression = 'none',
    max_line_size = $longest
)
"""
_WITHOUT_COLOUR = (
    r"CASE WHEN contains(text, chr(27)) THEN regexp_replace(text, '\x1b\[[0-9;:]*[A-Za-z]', '', 'g')"
    " ELSE coalesce(text, '') END"
)
_LINE_COLUMNS = "line, time, received_at, source, process, message"


@dataclass
class LoadReport:
    """What a load did: ``table`` with one row per source, ``errors`` for files that could not be loaded.

    ``skipped`` lists files in folders that are no exports (programs, documents). Renders as a table.
    """

    table: pd.DataFrame
    errors: list[WorkbookError] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every file was loaded (or had been before)."""
        return not self.errors

    def __str__(self) -> str:
        from workbook import render

        return render.load_text(self)

    def _repr_html_(self) -> str:
        from workbook import render

        return render.load_html(self)


def load(
    database: Database,
    paths: list[str | Path],
    *,
    zone: str | None = None,
    year: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> LoadReport:
    """Load files, folders, patterns, gz and zip; return what became of each.

    ``zone`` (a name such as America/New_York, or an offset such as -04:00) and ``year`` are for times that are written
    without them; without a zone they are UTC, and a file that was loaded in another zone than the one given is loaded
    anew. A file that cannot be loaded leaves the database as it was, and the others still load.
    """
    if database.read_only:
        raise UsageError(
            "this workbook is open for reading only.", next_step="Open it without read_only=True to load."
        )
    _check_zone(database, zone)
    if year is not None and not 1990 <= year <= 2200:
        raise UsageError(f"{year} is not the year of a log.", next_step="Give a year such as 2024.")
    found, skipped, bad_paths = files.expand(paths)
    own = [Path(f"{database.path}{end}").resolve() for end in ("", ".wal")] if database.path else []
    skipped = [path for path in skipped if Path(path).resolve() not in own]
    errors: list[WorkbookError] = [*bad_paths]
    rows = []
    for number, file in enumerate(found, 1):
        if progress:
            progress(file.path, number, len(found))
        try:
            with tempfile.TemporaryDirectory(prefix="workbook-") as folder:
                rows.append(_Source(database, file, Path(folder), zone, year).load())
        except Fault as error:
            errors.append(_explained(file.path, error.message))
        except WorkbookError as error:
            errors.append(error)
        except (
            ArithmeticError,
            LookupError,
            NotImplementedError,
            OSError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            # one strange file must not stop the others: an encrypted zip, a format inside that nobody foresaw
            errors.append(_explained(file.path, f"it could not be read ({type(error).__name__}: {error})."))
    columns = [
        "path",
        "kind",
        "lines",
        "log_lines",
        "joined",
        "duplicates",
        "unread",
        "blank",
        "first_time",
        "last_time",
    ]
    table = pd.DataFrame(rows, columns=["source_id", "outcome"])
    known = database.frame(f"SELECT source_id, {', '.join(columns)}, notes FROM sources ORDER BY source_id")
    return LoadReport(table.merge(known, on="source_id", how="left"), errors, skipped)


def _explained(path: str, said: str) -> LoadError:
    return LoadError(
        said.splitlines()[0],
        path=path,
        next_step="Nothing of this file is in the database. If a disk or memory is full, make room and load it again.",
    )


def reread(database: Database) -> None:
    """Fill every typed table that is made from log lines again, from ``log_lines`` alone."""
    if database.read_only:
        raise UsageError(
            "this workbook is open for reading only.", next_step="Open it without read_only=True."
        )
    with database.transaction():
        for table in line_tables():
            database.execute(
                f"DELETE FROM {table} WHERE source_id IN (SELECT DISTINCT source_id FROM log_lines)"
            )
        database.execute(
            "DELETE FROM unread_lines WHERE starts_with(reason, 'field ')"
            f" AND reason NOT IN ({', '.join(_FIELDS_OF_LOADERS)})"
            " AND (source_id, line) IN (SELECT source_id, line FROM log_lines)"
        )
        database.execute("CREATE OR REPLACE TEMP VIEW lines AS SELECT * FROM log_lines")
        _fill_typed_tables(database)


@functools.cache
def kinds_of_file() -> dict[str, ModuleType]:
    """Return the readers of files by name: one for each file in ``loaders/``."""
    return _modules(loaders)


@functools.cache
def kinds_of_line() -> dict[str, ModuleType]:
    """Return the readers of log lines by name: one for each file in ``messages/``."""
    return _modules(messages)


def line_tables() -> list[str]:
    """Return the names of the tables that kinds of line fill."""
    return sorted({module.TABLE for module in kinds_of_line().values()})


def _modules(package: ModuleType) -> dict[str, ModuleType]:
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name[0] != "_")
    return {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}


def _check_zone(database: Database, zone: str | None) -> None:
    if zone is None or re.fullmatch(r"[+-](0\d|1[0-4]):[0-5]\d|Z|UTC", zone):
        return
    if not database.fetch("SELECT 1 FROM pg_timezone_names() WHERE name = $zone", zone=zone):
        raise UsageError(
            f"“{zone}” is not a time zone.",
            next_step="Write a name such as America/New_York or an offset such as -04:00.",
        )


class _Source:
    """One file on its way into the database."""

    def __init__(
        self, database: Database, file: files.File, folder: Path, zone: str | None, year: int | None
    ):
        self.database, self.file, self.folder = database, file, folder
        self.zone, self.chosen_zone, self.year = zone or "UTC", zone, year
        self.zone_note: str | None = None
        self.span: tuple[Any, Any, bool | None] = (None, None, None)
        self.counts = dict.fromkeys(("log_lines", "joined", "duplicates", "unread", "blank"), 0)

    def load(self) -> tuple[int, str]:
        """Return the source's id, and whether it was loaded, loaded anew, grown or known before."""
        older = self._known("path = $value ORDER BY source_id DESC", self.file.path)
        self.clean, start = files.clean(self.file, self.folder, start=older["bytes"] if older else 0)
        same = self._known("sha256 = $value ORDER BY source_id", self.clean.sha256) or self._known(
            "text_sha256 = $value ORDER BY source_id", self.clean.text_sha256
        )
        if same and not self._reads_other_times(same):
            return same["source_id"], "known before"
        grown = older if older and start == older["sha256"] else None
        self._inherit(same or grown)
        self.loader = self._recognised()
        self.name = self.loader.__name__.rpartition(".")[2]
        replaced = same or grown or (older if older and self._replaces_table(older) else None)
        is_log = hasattr(self.loader, "RECORDS")
        try:
            if is_log:
                # outside of the transaction: rowid counts physical lines only in rows that are committed
                self._stage_log()
            with self.database.transaction():
                if replaced:
                    _forget(self.database, replaced["source_id"])
                self.source_id = replaced["source_id"] if replaced else self._next_id()
                if is_log:
                    self._keep_log()
                else:
                    self._read_table()
                self._note_source()
        finally:
            for table in _STAGED:
                self.database.execute(f"DROP TABLE IF EXISTS {table}")
        return self.source_id, "loaded" if not replaced else "grown" if replaced is grown else "loaded anew"

    def _known(self, where: str, value: str) -> dict[str, Any] | None:
        names = ("source_id", "bytes", "sha256", "kind", "zone", "given_zone", "given_year")
        rows = self.database.fetch(
            f"SELECT {', '.join(names)} FROM sources WHERE {where} LIMIT 1", value=value
        )
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def _reads_other_times(self, known: dict[str, Any]) -> bool:
        """Whether times of a known file would come out otherwise, by the zone or the year that is given now."""
        if known["zone"] is None:
            return False
        other_zone = self.chosen_zone is not None and self.chosen_zone != (known["given_zone"] or "UTC")
        other_year = self.year is not None and self.year != known["given_year"]
        if not (other_zone or other_year):
            return False
        if self.database.fetch(_MATCHED_ELSEWHERE, id=known["source_id"])[0][0]:
            raise LoadError(
                "the file is loaded already, and lines of it were matched with lines of other files.",
                path=self.file.path,
                next_step="To read its times in another zone or year, load all files into a new database.",
            )
        return True

    def _inherit(self, known: dict[str, Any] | None) -> None:
        """Take zone and year from the file's earlier load where none is given now."""
        if known:
            self.chosen_zone = self.chosen_zone or known["given_zone"]
            self.year = self.year or known["given_year"]
        self.zone = self.chosen_zone or "UTC"

    def _replaces_table(self, older: dict[str, Any]) -> bool:
        """Whether this is a table that was exported again to the same path."""
        holds_lines = "SELECT EXISTS (FROM log_lines WHERE source_id = $id)"
        return (
            older["kind"] == self.name and not self.database.fetch(holds_lines, id=older["source_id"])[0][0]
        )

    def _next_id(self) -> int:
        return int(self.database.fetch("SELECT coalesce(max(source_id), 0) + 1 FROM sources")[0][0])

    def _recognised(self) -> ModuleType:
        head = files.sniffed(self.clean.head)
        scores = [(module.score(head), module) for module in kinds_of_file().values()]
        best, loader = max(scores, key=lambda scored: scored[0])
        if best < _LEAST_SCORE:
            raise LoadError(
                f"this is no kind of file that is read here; its first line is “{head[0][:60]}”.",
                path=self.file.path,
                line=1,
                next_step="Load logs of Heroku or Papertrail, CSV exports of New Relic or heroku ps (see the README).",
            )
        return loader

    # a log: records by SQL

    def _stage_log(self) -> None:
        """Make ``fresh``: the file's records, each whole, as the loader's SQL reads them."""
        database = self.database
        path = self._prepared()
        text = _WITHOUT_COLOUR if self.clean.coloured else "coalesce(text, '')"
        longest = max(2 * self.clean.longest + 4096, 2 << 20)
        database.execute(_READ_LINES.format(text=text), path=str(path), longest=longest)
        self._check_count()
        if self.clean.coloured:
            self.clean.notes.append("colour codes were removed")
        rejoin.join_pieces(database, self.loader)
        for what in ("blank", "joined"):
            self._count(what, f"SELECT count(*) FROM placed WHERE place = '{what}'")
        year = self._read_records()
        if getattr(self.loader, "NEEDS_ZONE", False):
            years = f", newest year {year}" if getattr(self.loader, "NEEDS_YEAR", False) else ""
            self.zone_note = f"{self.zone}{years} (times in the file carry none)"
        self.counts["joined"] += rejoin.join_chunks(database)

    def _keep_log(self) -> None:
        for place, reason in rejoin.LOOSE_ENDS.items():
            self._reject(f"SELECT line, '{reason}' AS reason, text FROM placed WHERE place = '{place}'")
        self._reject_records()
        self._keep_fresh()

    def _keep_fresh(self) -> None:
        """Keep the records of ``fresh`` that no other source holds."""
        database = self.database
        self.span = database.fetch(_SPAN)[0]
        self.counts["duplicates"] += overlap.drop(database, line_tables(), bool(self.span[2]))
        self.counts["log_lines"] += database.fetch("SELECT count(*) FROM fresh")[0][0]
        self._keep_log_lines()

    def _prepared(self) -> Path:
        """The clean text, after the loader put each record on a line of its own where it has to."""
        if not hasattr(self.loader, "prepare"):
            return self.clean.path
        path, lines, longest, changed = self.folder / "prepared.txt", 0, 0, False
        with (
            self.clean.path.open(encoding="utf-8", newline="\n") as source,
            path.open("w", encoding="utf-8", newline="\n") as sink,
        ):
            while block := source.readlines(_BLOCK):
                text = "".join(block)
                prepared = self.loader.prepare(text)
                changed = changed or prepared != text
                sink.write(prepared)
                parts = prepared.split("\n")
                lines += len(parts) - (parts[-1] == "")
                longest = max(longest, 4 * max(map(len, parts)))
        if not changed:
            return self.clean.path
        self.clean.lines, self.clean.longest = lines, longest
        self.clean.notes.append("lines are numbered after frames were put on lines of their own")
        return path

    def _check_count(self) -> None:
        read = self.database.fetch("SELECT count(*) FROM physical")[0][0]
        if read != self.clean.lines:
            raise LoadError(
                f"the file changed while it was read ({self.clean.lines:,} lines, then {read:,}).",
                path=self.file.path,
                next_step="Load it again, or load a copy.",
            )

    def _read_records(self) -> int:
        """Make ``fresh`` by the loader's SQL; return the year that was used for times that carry none.

        Without a year given it is that of the file's date, or the year before when lines would lie after that date: a
        log of December that was saved in January.
        """
        saved = self._saved()
        for year in (self.year or saved.year, (self.year or saved.year) - 1):
            self.database.execute(
                f"CREATE OR REPLACE TEMP TABLE fresh AS {self.loader.RECORDS}", zone=self.zone, year=year
            )
            if self.year is not None or not getattr(self.loader, "NEEDS_YEAR", False):
                break
            newest = self.database.fetch("SELECT max(time) FROM fresh")[0][0]
            if newest is None or newest <= saved + timedelta(days=1):
                break
        return year

    def _saved(self) -> datetime:
        if self.file.saved is not None:
            return self.file.saved
        if self.file.on_disk is None:
            return datetime.now(UTC).replace(tzinfo=None)
        return datetime.fromtimestamp(self.file.on_disk.stat().st_mtime, UTC).replace(tzinfo=None)

    def _reject_records(self) -> None:
        self.database.execute(
            "INSERT INTO unread_lines SELECT $id, fresh.line, reason, text"
            " FROM fresh JOIN records USING (line) WHERE reason IS NOT NULL ORDER BY fresh.line",
            id=self.source_id,
        )
        whole = "reason IS NOT NULL AND NOT starts_with(reason, 'field ')"
        self._count("unread", f"SELECT count(*) FROM fresh WHERE {whole}")
        self.database.execute(f"DELETE FROM fresh WHERE {whole}")

    def _keep_log_lines(self) -> None:
        database = self.database
        database.execute(
            "CREATE OR REPLACE TEMP VIEW lines AS"
            f" SELECT {self.source_id}::INTEGER AS source_id, {_LINE_COLUMNS} FROM fresh"
        )
        database.execute("INSERT INTO log_lines BY NAME SELECT * FROM lines")
        _fill_typed_tables(database)

    # a table or a command's output: rows by Python

    def _read_table(self) -> None:
        text = self.clean.path.read_text(encoding="utf-8")
        lines = (files.without_colour(text) if self.clean.coloured else text).split("\n")
        if text.endswith("\n"):
            lines.pop()
        reading = self.loader.read(
            lines, loaders.Context(self.file.path, self.zone, self.year or self._saved().year)
        )
        if reading.lines is not None:
            self.clean.lines = reading.lines
            self.clean.notes.append("lines are numbered by the events of the document")
        self.clean.notes += reading.notes
        self.zone_note = reading.zone
        for table, frame in reading.tables.items():
            self._keep_frame(table, frame)
        for line, reason, content in reading.unread:
            self.database.execute(
                "INSERT INTO unread_lines VALUES ($id, $line, $reason, $text)",
                id=self.source_id, line=line, reason=reason, text=content,
            )  # fmt: skip
            self.counts["unread"] += not reason.startswith("field ")
        self.counts["joined"] += reading.joined
        self.counts["blank"] += sum(not line.strip() for line in lines) if reading.lines is None else 0

    def _keep_frame(self, table: str, frame: pd.DataFrame) -> None:
        database = self.database
        if frame.empty:
            return
        database.register("incoming", frame)
        try:
            if table == "log_lines":
                missing = [name for name in ("received_at",) if name not in frame]
                extra = "".join(f", NULL::TIMESTAMP AS {name}" for name in missing)
                database.execute(
                    f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT {_LINE_COLUMNS}"
                    f" FROM (SELECT *{extra} FROM incoming) ORDER BY line"
                )
                self.counts["joined"] += rejoin.join_chunks(database)
                self._keep_fresh()
                return
            database.execute(
                f"INSERT INTO {table} BY NAME"
                f" SELECT {self.source_id}::INTEGER AS source_id, * FROM incoming ORDER BY line"
            )
            self.counts["log_lines"] += database.fetch("SELECT count(DISTINCT line) FROM incoming")[0][0]
        finally:
            database.unregister("incoming")

    # bookkeeping

    def _count(self, what: str, sql: str) -> None:
        self.counts[what] += int(self.database.fetch(sql)[0][0])

    def _reject(self, sql: str) -> None:
        self.database.execute(
            f"INSERT INTO unread_lines SELECT $id, line, reason, text FROM ({sql}) ORDER BY line",
            id=self.source_id,
        )
        self._count("unread", f"SELECT count(*) FROM ({sql})")

    def _note_source(self) -> None:
        counts, clean = self.counts, self.clean
        if sum(counts.values()) != clean.lines:
            raise LoadError(
                f"the lines do not add up: {clean.lines:,} lines, {sum(counts.values()):,} accounted for ({counts}).",
                path=self.file.path,
                next_step="This is a defect of the reader; please report it with the file's first lines.",
            )
        self.database.execute(
            _SOURCE_ROW,
            id=self.source_id,
            path=self.file.path,
            sha=clean.sha256,
            kind=self.name,
            bytes=clean.bytes,
            lines=clean.lines,
            zone=self.zone_note,
            notes="; ".join(dict.fromkeys(clean.notes)) or None,
            text=clean.text_sha256,
            first=self.span[0],
            last=self.span[1],
            whole=self.span[2],
            given_zone=self.chosen_zone,
            given_year=self.year,
            **counts,
        )


def _fill_typed_tables(database: Database) -> None:
    """Run every kind of line over ``lines``."""
    for module in kinds_of_line().values():
        database.execute(f"CREATE OR REPLACE TEMP VIEW claimed AS SELECT * FROM lines WHERE {module.CLAIMS}")
        if not database.fetch("SELECT EXISTS (FROM claimed)")[0][0]:
            continue
        database.execute(f"CREATE OR REPLACE TEMP TABLE parsed AS {module.ROWS}")
        columns = [row[0] for row in database.fetch("SELECT column_name FROM (DESCRIBE parsed)")]
        kept = "* EXCLUDE (unread)" if "unread" in columns else "*"
        database.execute(f"INSERT INTO {module.TABLE} BY NAME SELECT {kept} FROM parsed")
        if "unread" in columns:
            database.execute(_UNREAD_FIELDS)


def _forget(database: Database, source_id: int) -> None:
    """Remove everything of a source."""
    tables: list[Any] = database.fetch(
        "SELECT DISTINCT table_name FROM duckdb_columns()"
        " WHERE column_name = 'source_id' AND schema_name = 'main' AND database_name = current_database()"
    )
    for (table,) in sorted(tables):
        database.execute(f"DELETE FROM {table} WHERE source_id = $id", id=source_id)


_UNREAD_FIELDS = """
INSERT INTO unread_lines
SELECT source_id, line, 'field ' || field AS reason, coalesce(message, '') AS text
FROM (SELECT source_id, line, unnest(unread) AS field FROM parsed WHERE len(unread) > 0)
LEFT JOIN lines USING (source_id, line)
ORDER BY source_id, line, reason
"""

_STAGED = ("physical", "pieces", "placed", "whole", "fresh", "chunks", "used", "matched", "parsed")

_SPAN = """
SELECT min(time), max(time), bool_and(time = date_trunc('second', time)) FILTER (WHERE time IS NOT NULL)
FROM fresh
"""

# Lines that were dropped as duplicates of this source could not come back when its times change.
_MATCHED_ELSEWHERE = """
SELECT EXISTS (
    FROM sources AS other
    JOIN sources AS this ON this.source_id = $id
    WHERE (other.source_id <> $id AND other.duplicates > 0 OR this.duplicates > 0)
        AND other.first_time <= this.last_time
        AND other.last_time >= this.first_time
)
"""

_SOURCE_ROW = """
INSERT INTO sources BY NAME
WITH spans AS (
    SELECT $first::TIMESTAMP AS first_time, $last::TIMESTAMP AS last_time
    UNION ALL
    SELECT min(time), max(time) FROM transaction_samples WHERE source_id = $id
    UNION ALL
    SELECT min(time), max(time) FROM response_breakdown WHERE source_id = $id
)
SELECT
    $id::INTEGER AS source_id,
    $path AS path,
    $sha AS sha256,
    $kind AS kind,
    $bytes AS bytes,
    $lines AS lines,
    $log_lines AS log_lines,
    $joined AS joined,
    $duplicates AS duplicates,
    $unread AS unread,
    $blank AS blank,
    min(first_time) AS first_time,
    max(last_time) AS last_time,
    $zone AS zone,
    $notes AS notes,
    $text AS text_sha256,
    $whole::BOOLEAN AS whole_seconds,
    $given_zone AS given_zone,
    $given_year::INTEGER AS given_year
FROM spans
"""
