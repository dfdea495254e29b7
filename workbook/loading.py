"""Loading: a file becomes log lines and rows of typed tables, whole, in one transaction, every line accounted for."""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from workbook import files, loaders, overlap, repeats, seams, slabs, staging
from workbook.database import Database, Fault
from workbook.errors import LoadError, UsageError, WorkbookError

_LEAST_SCORE = 0.2
_SLICE = 500_000


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
    found, skipped, bad_paths = files.expand(paths)
    own = [Path(f"{database.path}{end}").resolve() for end in ("", ".wal")] if database.path else []
    skipped = [path for path in skipped if Path(path).resolve() not in own]
    report = load_files(database, found, zone=zone, year=year, progress=progress)
    return replace(report, errors=[*bad_paths, *report.errors], skipped=skipped)


def load_files(
    database: Database,
    found: list[files.File],
    *,
    zone: str | None = None,
    year: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> LoadReport:
    """Load files that were found, as ``load`` does."""
    if database.read_only:
        raise UsageError(
            "this workbook is open for reading only.", next_step="Open it without read_only=True to load."
        )
    _check_zone(database, zone)
    if year is not None and not 1990 <= year <= 2200:
        raise UsageError(f"{year} is not the year of a log.", next_step="Give a year such as 2024.")
    errors: list[WorkbookError] = []
    rows = []
    done, total = 0, sum(file.size or 0 for file in found)
    for file in found:
        tell = functools.partial(_tell, progress, file, done, total)
        tell(0)
        done += file.size or 0
        try:
            with tempfile.TemporaryDirectory(prefix="workbook-") as folder:
                whole = files.spooled(file, Path(folder))
                rows.append(_Source(database, whole, Path(folder), zone, year, tell).load())
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
    if rows:
        try:
            seams.join(database)
        except Fault as error:
            errors.append(_explained("all files", error.message))
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
    return LoadReport(table.merge(known, on="source_id", how="left"), errors)


def _tell(
    progress: Callable[[str, int, int], None] | None, file: files.File, done: int, total: int, read: int
) -> None:
    if progress:
        progress(file.path, done + min(read, file.size or 0), total)


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
    sources = database.fetch(
        "SELECT source_id, min(line), max(line) FROM log_lines GROUP BY source_id ORDER BY source_id"
    )
    with database.transaction():
        for table in staging.line_tables():
            database.execute(
                f"DELETE FROM {table} WHERE (source_id, line) IN (SELECT source_id, line FROM log_lines)"
            )
        database.execute(
            f"DELETE FROM unread_lines WHERE {staging.FIELD_OF_A_LINE}"
            " AND (source_id, line) IN (SELECT source_id, line FROM log_lines)"
        )
        for source_id, first, last in sources:
            with _stage(source_id) as stage:
                for low in range(first, last + 1, _SLICE):
                    stage.take_lines(
                        database.rows(
                            f"SELECT {staging.LINE_COLUMNS} FROM log_lines WHERE source_id = {int(source_id)}"
                            f" AND line >= {low} AND line < {low + _SLICE} ORDER BY line"
                        )
                    )
                    stage.fill(database, with_neighbours=False)
                    stage.keep_context()
                stage.fill(database, with_neighbours=True)
        database.execute("UPDATE sources SET apart = true")
    seams.join(database)


@contextmanager
def _stage(source_id: int) -> Iterator[staging.Stage]:
    stage = staging.Stage(source_id)
    try:
        yield stage
    finally:
        stage.close()


@functools.cache
def kinds_of_file() -> dict[str, ModuleType]:
    """Return the readers of files by name: one for each file in ``loaders/``."""
    return staging.modules(loaders)


def _check_zone(database: Database, zone: str | None) -> None:
    if zone is None or re.fullmatch(r"[+-](0\d|1[0-4]):[0-5]\d|Z|UTC", zone):
        return
    if not database.fetch("SELECT 1 FROM pg_timezone_names() WHERE name = $zone", zone=zone):
        raise UsageError(
            f"“{zone}” is not a time zone.",
            next_step="Write a name such as America/New_York or an offset such as -04:00.",
        )


class _Twin(Exception):
    """The file's text, though not the file, is loaded already."""


class _Source:
    """One file on its way into the database."""

    def __init__(
        self,
        database: Database,
        file: files.File,
        folder: Path,
        zone: str | None,
        year: int | None,
        progress: Callable[[int], None],
    ):
        self.database, self.file, self.folder, self.progress = database, file, folder, progress
        self.chosen_zone, self.year = zone, year
        self.zone_note: str | None = None
        self.span: tuple[Any, Any, bool | None] = (None, None, None)
        self.resume: tuple[int, int, int] | None = None
        self.counts = dict.fromkeys(("log_lines", "joined", "duplicates", "unread", "blank"), 0)

    def load(self) -> tuple[int, str]:
        """Return the source's id, and whether it was loaded, loaded anew, grown or known before."""
        older = self._known("path = $value ORDER BY source_id DESC", self.file.path)
        scan = None
        if older or self.database.fetch("SELECT EXISTS (FROM sources)")[0][0]:
            scan = slabs.scan(
                self.file,
                prefix=older["bytes"] if older else None,
                line=older["resume_line"] if older else None,
            )
        same = None
        if scan:
            same = self._known("sha256 = $value ORDER BY source_id", scan.sha256) or self._known(
                "text_sha256 = $value ORDER BY source_id", scan.sha256
            )
        if same and not self._reads_other_times(same):
            return same["source_id"], "known before"
        grown = older if older and scan and scan.prefix_sha256 == older["sha256"] else None
        try:
            return self._load(scan, same, grown, older)
        except _Twin:
            # told at the end of the text only; what was read of it is not kept
            known = self._known("text_sha256 = $value ORDER BY source_id", self.text.text_sha256)
            assert known
            if not self._reads_other_times(known):
                return known["source_id"], "known before"
            self.counts = dict.fromkeys(self.counts, 0)
            return self._load(scan, known, None, None)

    def _load(
        self,
        scan: slabs.Scan | None,
        same: dict[str, Any] | None,
        grown: dict[str, Any] | None,
        older: dict[str, Any] | None,
    ) -> tuple[int, str]:
        given = (self.chosen_zone, self.year)
        self._inherit(same or grown)
        as_before = grown and given in ((None, None), (grown["given_zone"], grown["given_year"]))
        # copies that were matched with other sources could not be told from new ones
        alone = grown and not grown["duplicates"]
        mark = scan.mark if scan and as_before and alone and not same else None
        self.state = self._state()
        self.text = slabs.Text(self.file, self.folder, mark, scan.bytes if scan else self.file.end)
        try:
            self.loader = self._recognised() if not (mark and grown) else kinds_of_file()[grown["kind"]]
            self.name = self.loader.__name__.rpartition(".")[2]
            replaced = same or grown or (older if older and self._replaces_table(older) else None)
            with self.database.transaction():
                self.source_id = replaced["source_id"] if replaced else self._next_id()
                if mark and grown:
                    self._forget_end(grown)
                elif replaced:
                    _forget(self.database, replaced["source_id"])
                if hasattr(self.loader, "RECORDS"):
                    self._read_log()
                else:
                    self._read_table()
                    repeated = repeats.drop(self.database, self.source_id)
                    self.counts["log_lines"] -= repeated
                    self.counts["duplicates"] += repeated
                self._check_bytes(scan)
                self._note_source()
        finally:
            self.text.close()
        return self.source_id, "loaded" if not replaced else "grown" if replaced is grown else "loaded anew"

    def _known(self, where: str, value: str | None) -> dict[str, Any] | None:
        names = (
            "source_id", "bytes", "sha256", "kind", "zone", "given_zone", "given_year", "notes", "duplicates",
            "first_time", "last_time", "whole_seconds", "resume_line", "resume_joined", "resume_blank",
        )  # fmt: skip
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
        """Whether this is a table that was exported again to the same path, and no other source gave up rows for it."""
        if self.file.once or older["kind"] != self.name:
            return False
        return bool(self.database.fetch(_STANDS_ALONE, id=older["source_id"])[0][0])

    def _next_id(self) -> int:
        return int(self.database.fetch("SELECT coalesce(max(source_id), 0) + 1 FROM sources")[0][0])

    def _recognised(self) -> ModuleType:
        head = files.sniffed(self.text.head)
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

    def _forget_end(self, grown: dict[str, Any]) -> None:
        """Remove what was read from the line on from which a grown file is read again."""
        database, line, id = self.database, grown["resume_line"], self.source_id
        staging.forget_neighbours(database, id)
        for table in ("log_lines", "unread_lines", *staging.line_tables()):
            database.execute(f"DELETE FROM {table} WHERE source_id = $id AND line >= $line", id=id, line=line)
        (kept,) = database.fetch("SELECT count(*) FROM log_lines WHERE source_id = $id", id=id)[0]
        (unread,) = database.fetch(
            "SELECT count(*) FROM unread_lines WHERE source_id = $id AND NOT starts_with(reason, 'field ')",
            id=id,
        )[0]
        joined, blank = grown["resume_joined"], grown["resume_blank"]
        duplicates = line - 1 - kept - unread - joined - blank
        self.counts |= {"joined": joined, "duplicates": duplicates, "unread": unread, "blank": blank}
        self.text.notes += [note for note in (grown["notes"] or "").split("; ") if note]
        self.span = (grown["first_time"], grown["last_time"], grown["whole_seconds"])

    # a log: records by SQL, slab by slab

    def _read_log(self) -> None:
        with _stage(self.source_id) as stage:
            stage.counts = staging.Counts(*(self.counts[name] for name in ("joined", "blank", "unread")))
            loader, text = self.loader, self.text
            needs_year = getattr(loader, "NEEDS_YEAR", False)
            saved = self._saved()
            years = [self.year or saved.year]
            if needs_year and self.year is None:
                # a log of December that was saved in January
                years.append(saved.year - 1)
            for slab in text.slabs(getattr(loader, "prepare", None), whole=needs_year):
                held, year = stage.read(slab, loader, self.zone, years, saved + timedelta(days=1))
                text.hold_back(held)
                if stage.lines_read() != slab.lines - held:
                    raise LoadError(
                        f"of {slab.lines:,} lines from line {slab.first_line:,} on {stage.lines_read():,} were read.",
                        path=self.file.path,
                        next_step="This is a defect of the reader; please report it with these lines.",
                    )
                for rows in stage.rejects():
                    self.database.take("unread_lines", rows)
                self._keep(stage)
                self.progress(text.read_bytes)
            if text.is_plain and not needs_year:
                self.resume = stage.end_of_known()
            if getattr(loader, "NEEDS_ZONE", False):
                newest = f", newest year {year}" if needs_year else ""
                self.zone_note = f"{self.zone}{newest} (times in the file carry none)"
            self._finish_log(stage)
            for line, size in text.cut.items():
                self.database.execute(
                    _CUT_LINE, id=self.source_id, line=line, size=size, kept=slabs.KEPT_OF_LONG_LINE
                )
            self.counts |= vars(stage.counts)

    def _keep(self, stage: staging.Stage) -> None:
        """Keep the records of a slab, and the rows that each of them gives by itself."""
        self._widen(stage.span())
        self.database.take("log_lines", stage.records())
        stage.fill(self.database, with_neighbours=False)
        stage.keep_context()

    def _widen(self, span: tuple[Any, Any, bool | None]) -> None:
        first, last, whole = self.span
        self.span = (
            min(filter(None, (first, span[0])), default=None),
            max(filter(None, (last, span[1])), default=None),
            span[2] if whole is None else whole and span[2] is not False,
        )

    def _finish_log(self, stage: staging.Stage) -> None:
        """Drop what other sources hold, then make the rows that depend on several lines."""
        database, id = self.database, self.source_id
        text_sha = self.text.text_sha256
        if text_sha != self.text.sha256 and self._known(
            f"source_id <> {id} AND text_sha256 = $value", text_sha
        ):
            raise _Twin
        since = self.text.start.line_ends + 1 if self.text.start else 1
        dropped = overlap.drop(database, id, staging.line_tables(), bool(self.span[2]), since)
        self.counts["duplicates"] += dropped
        if dropped or self.text.start:
            stage.replace_context(database.rows(_CONTEXT.format(id=id, where=staging.neighbours())))
        stage.fill(database, with_neighbours=True)
        (kept,) = database.fetch("SELECT count(*) FROM log_lines WHERE source_id = $id", id=id)[0]
        self.counts["log_lines"] += kept

    def _saved(self) -> datetime:
        if self.file.saved is not None:
            return self.file.saved
        if self.file.on_disk is None:
            return datetime.now(UTC).replace(tzinfo=None)
        return datetime.fromtimestamp(self.file.on_disk.stat().st_mtime, UTC).replace(tzinfo=None)

    # a table or a command's output: rows by Python

    def _read_table(self) -> None:
        lines = self.text.content()
        reading = self.loader.read(
            lines, loaders.Context(self.file.path, self.zone, self.year or self._saved().year)
        )
        if reading.lines is not None:
            self.text.lines = reading.lines
            self.text.notes.append("lines are numbered by the events of the document")
        self.text.notes += reading.notes
        self.zone_note = reading.zone
        told: set[int] = set()
        for table, frame in reading.tables.items():
            self._keep_frame(table, frame, told)
        for line, reason, content in reading.unread:
            self.database.execute(
                "INSERT INTO unread_lines VALUES ($id, $line, $reason, $text)",
                id=self.source_id, line=line, reason=reason, text=content,
            )  # fmt: skip
            self.counts["unread"] += not reason.startswith("field ")
        self.counts["joined"] += reading.joined
        self.counts["blank"] += sum(not line.strip() for line in lines) if reading.lines is None else 0

    def _keep_frame(self, table: str, frame: pd.DataFrame, told: set[int]) -> None:
        """Keep the rows of a table; ``told`` are the lines that are rows of another one already."""
        if frame.empty:
            return
        if table == "log_lines":
            with _stage(self.source_id) as stage:
                stage.take_frame(frame)
                self._keep(stage)
                self._finish_log(stage)
                self.counts["joined"] += stage.counts.joined
            return
        self.database.register("incoming", frame)
        try:
            self.database.execute(
                f"INSERT INTO {table} BY NAME"
                f" SELECT {self.source_id}::INTEGER AS source_id, * FROM incoming ORDER BY line"
            )
            lines = set(frame["line"]) - told
            self.counts["log_lines"] += len(lines)
            told |= lines
        finally:
            self.database.unregister("incoming")

    # bookkeeping

    def _check_bytes(self, scan: slabs.Scan | None) -> None:
        """Refuse a file of which something else was read than lay there at the beginning."""
        if (scan and self.text.sha256 != scan.sha256) or (not scan and self._is_rewritten()):
            raise LoadError(
                "the file changed while it was read.",
                path=self.file.path,
                next_step="Load it again, or load a copy.",
            )

    def _is_rewritten(self) -> bool:
        """Whether the bytes that were read lie there no more; those that were written after them do not matter."""
        if self.state == self._state():
            return False
        now = slabs.scan(self.file, prefix=self.text.read_bytes)
        return now.prefix_sha256 != self.text.sha256

    def _state(self) -> tuple[int, ...] | None:
        if self.file.on_disk is None:
            return None
        try:
            found = self.file.on_disk.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _note_source(self) -> None:
        counts, text = self.counts, self.text
        if sum(counts.values()) != text.lines:
            raise LoadError(
                f"the lines do not add up: {text.lines:,} lines, {sum(counts.values()):,} accounted for ({counts}).",
                path=self.file.path,
                next_step="This is a defect of the reader; please report it with the file's first lines.",
            )
        resume = self.resume or (None, None, None)
        self.database.execute("DELETE FROM sources WHERE source_id = $id", id=self.source_id)
        self.database.execute(
            _SOURCE_ROW,
            id=self.source_id,
            path=self.file.path,
            sha=text.sha256,
            kind=self.name,
            bytes=text.read_bytes,
            lines=text.lines,
            zone=self.zone_note,
            notes="; ".join(dict.fromkeys(text.notes)) or None,
            text=text.text_sha256,
            first=self.span[0],
            last=self.span[1],
            whole=self.span[2],
            given_zone=self.chosen_zone,
            given_year=self.year,
            resume_line=resume[0],
            resume_joined=resume[1],
            resume_blank=resume[2],
            **counts,
        )


def _forget(database: Database, source_id: int) -> None:
    """Remove everything of a source."""
    tables: list[Any] = database.fetch(
        "SELECT DISTINCT table_name FROM duckdb_columns()"
        " WHERE column_name = 'source_id' AND schema_name = 'main' AND database_name = current_database()"
    )
    for (table,) in sorted(tables):
        database.execute(f"DELETE FROM {table} WHERE source_id = $id", id=source_id)


_CONTEXT = """
SELECT source_id, line, time, received_at, source, process, message
FROM log_lines
WHERE source_id = {id} AND ({where})
ORDER BY line
"""

_CUT_LINE = """
INSERT INTO unread_lines
SELECT $id, $line, format('field message: of a line of {:d} bytes the first {:d} are kept', $size, $kept), ''
"""

_STANDS_ALONE = """
SELECT NOT EXISTS (FROM log_lines WHERE source_id = $id)
    AND NOT EXISTS (FROM sources WHERE source_id <> $id AND kind LIKE 'new_relic%' AND duplicates > 0)
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
    $given_year::INTEGER AS given_year,
    $resume_line::BIGINT AS resume_line,
    $resume_joined::BIGINT AS resume_joined,
    $resume_blank::BIGINT AS resume_blank,
    true AS apart
FROM spans
"""
