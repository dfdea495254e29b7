"""Where each line of a command's output went: the rows it gave, the row it is joined to, or why it was refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from workbook.loaders import Context, Reading, _cells

_TYPES = {
    "datetime64[us]": ("time", "since", "starts", "expires", "finished", "received_at"),
    "Int64": ("line", "ttl_s", "bytes", "domain_count", "position", "minutes", "build", "step"),
    "Float64": ("number", "percent", "seconds", "printed_seconds", "slug_mb"),
    "boolean": ("trusted", "cached"),
}
_TYPE_OF = {column: kind for kind, columns in _TYPES.items() for column in columns}


class Account:
    """Takes the lines of one output. What nobody takes is refused, so that every line is accounted for once."""

    def __init__(self, context: Context, kind: str):
        self.clock = _cells.Clock(context.zone, context.path)
        self.kind = kind
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.notes: list[str] = []
        self._fields: list[tuple[int, str]] = []
        self._refused: dict[int, str] = {}
        self._joined: set[int] = set()
        self._rows_at: set[int] = set()

    def row(self, table: str, at: int, **cells: object) -> None:
        """Take a line as a row of a table, or as several rows of the same one."""
        self.rows.setdefault(table, []).append({"line": at, **cells})
        self._rows_at.add(at)

    def join(self, at: int) -> None:
        """Take a line as part of another line's row: a header, a ruler, a continued cell."""
        self._joined.add(at)

    def refuse(self, at: int, reason: str) -> None:
        """Keep a line among the unread lines."""
        self._refused[at] = reason

    def field(self, at: int, name: str) -> None:
        """Say that one value could not be read; a line that is no row itself is then kept among the unread lines."""
        self._fields.append((at, name))

    def time(self, at: int, name: str, text: str | None) -> Any:
        """Return the UTC time of a cell; None when it is empty, and also a note of the field when it is no time."""
        if text is None or not text.strip():
            return None
        found = self.clock.read(text)
        if found is None:
            self.field(at, name)
        return found

    @property
    def fields(self) -> int:
        """How many values could not be read of lines that are rows."""
        return len(self._fields)

    def unread(self, numbers: list[int]) -> list[int]:
        """Return those of the lines that are neither a row nor joined to one."""
        return [at for at in numbers if at not in self._rows_at and at not in self._joined]

    def reading(self, lines: Mapping[int, list[tuple[int, str]]]) -> Reading:
        """Return what was read of the lines: for each number the physical lines, with their texts, that it is made of.

        A piece after the first is joined to the row of its line, or unread as the line is.
        """
        reading = Reading(notes=[*self.notes, *self.clock.notes()], zone=self.clock.zone_note())
        for at, name in self._fields:
            if at in self._rows_at:
                reading.unread.append((at, f"field {name}", lines[at][0][1]))
            else:
                self._joined.discard(at)
                self._refused.setdefault(at, f"its {name} could not be read")
        for at, pieces in lines.items():
            if at in self._rows_at or at in self._joined:
                reading.joined += len(pieces) - (at in self._rows_at)
            else:
                reason = self._refused.get(at, f"not a line of {self.kind}")
                reading.unread += [(number, reason, text) for number, text in pieces]
        reading.tables = {table: _frame(rows) for table, rows in self.rows.items()}
        return reading


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows with the types of their columns, so that a column of nothing but missing values keeps its type."""
    frame = pd.DataFrame(rows, dtype=object)
    kinds = {name: _TYPE_OF.get(str(name), "object") for name in frame.columns}
    return frame.where(frame.notna(), None).astype(kinds)


def merged(readings: list[Reading]) -> Reading:
    """Return several parts of one file as one reading."""
    whole = Reading()
    names = dict.fromkeys(name for one in readings for name in one.tables)
    for name in names:
        frames = [one.tables[name] for one in readings if name in one.tables]
        whole.tables[name] = pd.concat(frames, ignore_index=True).sort_values(
            "line", kind="stable", ignore_index=True
        )
    for one in readings:
        whole.joined += one.joined
        whole.unread += one.unread
        whole.notes += [note for note in one.notes if note not in whole.notes]
        whole.zone = whole.zone or one.zone
    whole.unread.sort(key=lambda unread: unread[0])
    return whole
