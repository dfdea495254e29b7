"""Slabs of lines become records, and records rows of typed tables, in an engine of its own that forgets each slab.

The workbook's own transaction only receives finished rows, so a load of any size keeps little in memory. The tables of
the stage are ``physical`` (the slab's lines), ``placed`` (those that begin no record), ``fresh`` (the records) and
``context`` (the records of all slabs that kinds of line with neighbours look at).
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from workbook import messages, rejoin
from workbook.database import Database, Fault, Rows
from workbook.slabs import Slab

FIELD_OF_A_LINE = (
    "starts_with(reason, 'field ') AND NOT starts_with(reason, 'field message')"
    " AND reason NOT IN ('field time', 'field generated_at', 'field received_at')"
)
"""Condition for unread_lines: a field that a kind of line could not read, not one that the file's reader could not."""

LINE_COLUMNS = "line, time, received_at, source, process, message"
# How many last lines of a slab are searched for the beginning of a record, and for a message cut at 10,000 bytes.
_SEARCHED = 2_000
_NEAR_END = 200

_READ_LINES = """
CREATE OR REPLACE TEMP TABLE physical AS
SELECT {text} AS text
FROM read_csv(
    $paths::VARCHAR[],
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


@functools.cache
def kinds_of_line() -> dict[str, ModuleType]:
    """Return the readers of log lines by name: one for each file in ``messages/``."""
    return modules(messages)


def line_tables() -> list[str]:
    """Return the names of the tables that kinds of line fill."""
    return sorted({module.TABLE for module in kinds_of_line().values()})


def modules(package: ModuleType) -> dict[str, ModuleType]:
    """Return the modules of a package by name, without those that begin with an underscore."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name[0] != "_")
    return {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}


@dataclass
class Counts:
    """Where lines went."""

    joined: int = 0
    blank: int = 0
    unread: int = 0


# An engine with its macros takes longer to make than a small file to load.
_IDLE: list[Database] = []


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Where engines put aside what does not fit, until the process ends."""
    return tempfile.TemporaryDirectory(prefix="workbook-")


class Stage:
    """The engine in which one source's slabs are read; ``source_id`` stands in every row that comes out."""

    def __init__(self, source_id: int):
        self.database = _IDLE.pop() if _IDLE else Database.scratch(Path(_folder().name))
        self.source_id = source_id
        self.counts = Counts()
        self.joined = False
        self.database.execute(
            f"CREATE TEMP TABLE context AS SELECT source_id, {LINE_COLUMNS} FROM log_lines WHERE false"
        )
        self.database.execute("CREATE TEMP TABLE fresh AS SELECT * FROM log_lines WHERE false")
        self.database.execute(rejoin.NOTHING_PLACED)

    def close(self) -> None:
        """Forget everything; the empty engine is kept for the next source."""
        try:
            for name, kind in self.database.fetch(_LEFT):
                self.database.execute(f"DROP {kind} IF EXISTS {name}")
        except Fault:
            self.database.close()
            return
        _IDLE.append(self.database)

    # a slab of lines becomes records

    def read(
        self, slab: Slab, loader: ModuleType, zone: str, years: list[int], latest: datetime
    ) -> tuple[int, int]:
        """Make ``fresh`` of a slab; return how many last lines are to come again, and the year that was used.

        The last record of a slab may go on in the next one, so its lines are left for that. Of the years (which only
        times without one need) the first is taken that makes no time later than ``latest``, else the last.
        """
        database = self.database
        text = _WITHOUT_COLOUR if slab.coloured else "coalesce(text, '')"
        longest = max(2 * slab.longest + 4096, 2 << 20)
        database.execute(
            _READ_LINES.format(text=text), paths=[str(path) for path in slab.paths], longest=longest
        )
        database.execute(
            f"CREATE OR REPLACE TEMP VIEW numbered AS SELECT rowid + {slab.first_line} AS line, text FROM physical"
        )
        held = 0 if slab.last else self._open_lines(slab, loader)
        if held:
            database.execute(f"DELETE FROM physical WHERE rowid >= {slab.lines - held}")
        rejoin.join_pieces(database, loader, slab.first_line)
        for year in years:
            database.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {loader.RECORDS}", zone=zone, year=year)
            newest = database.fetch("SELECT max(time) FROM fresh")[0][0] if year != years[-1] else None
            if newest is None or newest <= latest:
                break
        rejoin.join_chunks(database)
        self.counts.joined += self._count("FROM placed WHERE place = 'joined'")
        self.counts.blank += self._count("FROM placed WHERE place = 'blank'")
        return held, year

    def lines_read(self) -> int:
        """Return how many lines the slab's file gave to the engine."""
        return self._count("FROM physical")

    def _open_lines(self, slab: Slab, loader: ModuleType) -> int:
        """How many lines at the end may belong to a record that goes on, or to a message cut at 10,000 bytes."""
        for near in (f"line >= {slab.first_line + slab.lines - _SEARCHED} AND", ""):
            (last,) = self.database.fetch(f"SELECT max(line) FROM numbered WHERE {near} {loader.STARTS}")[0]
            if last is not None:
                break
        if last is None or last == slab.first_line:
            # one record as long as a slab: it is cut here
            return 0
        (cut,) = self.database.fetch(
            f"SELECT min(line) FROM numbered WHERE line >= {last - _NEAR_END} AND line > {slab.first_line}"
            f" AND strlen(text) >= {rejoin.LONG_MESSAGE}"
        )[0]
        last = last if cut is None else min(last, cut)
        return int(slab.first_line + slab.lines - last)

    def take_frame(self, frame: pd.DataFrame) -> None:
        """Make ``fresh`` of records that were read elsewhere."""
        missing = "" if "received_at" in frame else ", NULL::TIMESTAMP AS received_at"
        self.database.register("incoming", frame)
        self.database.execute(
            f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT {LINE_COLUMNS}, NULL::VARCHAR AS reason"
            f" FROM (SELECT *{missing} FROM incoming) ORDER BY line"
        )
        self.database.unregister("incoming")
        rejoin.join_chunks(self.database)
        self.counts.joined += self._count("FROM placed")

    def take_lines(self, rows: Rows) -> None:
        """Make ``fresh`` of log lines that were loaded before."""
        self.database.execute("DROP TABLE IF EXISTS fresh")
        self.database.create("fresh", rows)

    # what comes out

    def rejects(self) -> list[Rows]:
        """Return what is no record: rows for unread_lines; records among them are taken out of ``fresh``."""
        loose = [
            f"SELECT line, '{reason}' AS reason, text FROM placed WHERE place = '{place}'"
            for place, reason in rejoin.LOOSE_ENDS.items()
        ]
        broken = "reason IS NOT NULL AND NOT starts_with(reason, 'field ')"
        self.counts.unread += self._count("FROM placed WHERE place IN ('notice', 'loose')")
        self.counts.unread += self._count(f"FROM fresh WHERE {broken}")
        refused = "SELECT line, reason, text FROM fresh JOIN records USING (line) WHERE reason IS NOT NULL"
        self.database.execute(
            f"CREATE OR REPLACE TEMP TABLE refused AS {' UNION ALL '.join([*loose, refused])} ORDER BY line"
        )
        self.database.execute(f"DELETE FROM fresh WHERE {broken}")
        if not self._count("FROM refused"):
            return []
        return [
            self.database.rows(f"SELECT {self.source_id}::INTEGER AS source_id, * FROM refused ORDER BY line")
        ]

    def records(self) -> Rows:
        """Return the records as rows for log_lines."""
        return self.database.rows(f"SELECT {self.source_id}::INTEGER AS source_id, {LINE_COLUMNS} FROM fresh")

    def span(self) -> tuple[Any, Any, bool | None]:
        """Return first and last time of the records, and whether all are whole seconds."""
        return self.database.fetch(_SPAN)[0]  # type: ignore[return-value]

    def keep_context(self) -> None:
        """Keep the records that kinds of line with neighbours will look at."""
        self.database.execute(
            f"INSERT INTO context SELECT {self.source_id} AS source_id, {LINE_COLUMNS}"
            f" FROM fresh WHERE {neighbours()}"
        )

    def replace_context(self, rows: Rows) -> None:
        """Look at these log lines from now on.

        Lines of several sources come as those of one, in the order of all, with their own numbers in ``origin_source``
        and ``origin_line``, which the rows then get.
        """
        self.database.execute("DROP TABLE context")
        self.database.create("context", rows)
        self.joined = bool(self._count("FROM (DESCRIBE context) WHERE column_name = 'origin_line'"))

    def fill(self, workbook: Database, *, with_neighbours: bool) -> None:
        """Run kinds of line over ``fresh``, or those whose rows depend on other lines over ``context``."""
        if with_neighbours:
            lines = f"SELECT source_id, {LINE_COLUMNS} FROM context"
        else:
            lines = f"SELECT {self.source_id}::INTEGER AS source_id, {LINE_COLUMNS} FROM fresh"
        self.database.execute(f"CREATE OR REPLACE TEMP VIEW lines AS {lines}")
        kinds = {
            name: module
            for name, module in kinds_of_line().items()
            if hasattr(module, "NEIGHBOURS") == with_neighbours
        }
        there = " UNION ALL ".join(
            f"SELECT '{name}' WHERE EXISTS (FROM lines WHERE {module.CLAIMS})"
            for name, module in kinds.items()
        )
        for (name,) in sorted(self.database.fetch(there)):
            self._fill_one(workbook, kinds[name])

    def _fill_one(self, workbook: Database, module: ModuleType) -> None:
        database = self.database
        view = f"CREATE OR REPLACE TEMP VIEW claimed AS SELECT * FROM lines WHERE ({module.CLAIMS})"
        database.execute(view)
        if hasattr(module, "USUAL"):
            claimed = self._count("FROM claimed")
            database.execute(f"{view} AND {module.USUAL}")
            # a statement that is handed over row by row runs on one core: its rows are made first
            database.execute(f"CREATE OR REPLACE TEMP TABLE parsed AS {module.USUAL_ROWS}")
            if workbook.take(module.TABLE, database.rows("SELECT * FROM parsed")) == claimed:
                return
            database.execute(f"{view} AND NOT {module.USUAL}")
        database.execute(f"CREATE OR REPLACE TEMP TABLE parsed AS {module.ROWS}")
        columns = [row[0] for row in database.fetch("SELECT column_name FROM (DESCRIBE parsed)")]
        if "unread" in columns and self._count("FROM parsed WHERE len(unread) > 0"):
            workbook.take("unread_lines", database.rows(self._with_origin(_UNREAD_FIELDS, ())))
        kept = "SELECT * EXCLUDE (unread) FROM parsed" if "unread" in columns else "SELECT * FROM parsed"
        rows = self._with_origin(kept, getattr(module, "OTHER_LINES", ()))
        workbook.take(module.TABLE, database.rows(rows))
        database.execute("DROP TABLE parsed")

    def _with_origin(self, rows: str, other_lines: tuple[str, ...]) -> str:
        """The rows with the source and the line that they came from; of other lines only those of the same source."""
        if not self.joined:
            return rows
        names = "".join(f", {name}" for name in other_lines)
        joins = "".join(
            f" LEFT JOIN context AS other_{name} ON other_{name}.line = made.{name}"
            f" AND other_{name}.origin_source = context.origin_source"
            for name in other_lines
        )
        others = "".join(f", other_{name}.origin_line AS {name}" for name in other_lines)
        return (
            "SELECT context.origin_source AS source_id, context.origin_line AS line,"
            f" made.* EXCLUDE (source_id, line{names}){others}"
            f" FROM ({rows}) AS made JOIN context ON context.line = made.line{joins}"
        )

    def end_of_known(self) -> tuple[int, int, int] | None:
        """Return where a file that grows can be read on: the line where its last record begins, and how many lines were
        joined and blank before it; None when there is no record."""
        (line,) = self.database.fetch("SELECT max(line) FROM fresh")[0]
        if line is None:
            return None
        after = dict(
            self.database.fetch(f"SELECT place, count(*) FROM placed WHERE line > {line} GROUP BY place")
        )
        return (
            int(line),
            self.counts.joined - after.get("joined", 0),
            self.counts.blank - after.get("blank", 0),
        )

    def _count(self, rows: str) -> int:
        return int(self.database.fetch(f"SELECT count(*) {rows}")[0][0])


def forget_neighbours(workbook: Database, source_id: int) -> None:
    """Remove a source's rows that depend on several lines."""
    for module in kinds_of_line().values():
        if hasattr(module, "NEIGHBOURS"):
            claimed = f"SELECT line FROM log_lines WHERE source_id = $id AND ({module.CLAIMS})"
            workbook.execute(
                f"DELETE FROM {module.TABLE} WHERE source_id = $id AND line IN ({claimed})", id=source_id
            )
            workbook.execute(
                f"DELETE FROM unread_lines WHERE source_id = $id AND line IN ({claimed}) AND {FIELD_OF_A_LINE}",
                id=source_id,
            )


def neighbours() -> str:
    """Return the condition for the log lines that kinds of line with neighbours look at."""
    conditions = [module.NEIGHBOURS for module in kinds_of_line().values() if hasattr(module, "NEIGHBOURS")]
    return " OR ".join(f"({condition})" for condition in conditions) or "false"


_LEFT = """
SELECT view_name AS name, 'VIEW' AS kind
FROM duckdb_views()
WHERE temporary AND NOT internal
UNION ALL
SELECT table_name, 'TABLE'
FROM duckdb_tables()
WHERE temporary
ORDER BY kind DESC, name
"""

_SPAN = """
SELECT min(time), max(time), bool_and(time = date_trunc('second', time)) FILTER (WHERE time IS NOT NULL)
FROM fresh
"""

_UNREAD_FIELDS = """
SELECT source_id, line, 'field ' || field AS reason, coalesce(message, '') AS text
FROM (SELECT source_id, line, unnest(unread) AS field FROM parsed WHERE len(unread) > 0)
LEFT JOIN lines USING (source_id, line)
ORDER BY source_id, line, reason
"""
