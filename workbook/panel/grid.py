"""The table of a result, a page at a time: sorted, filtered and copied by the kernel, however long it is."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from importlib import resources
from typing import Any

import anywidget
import pandas as pd
import traitlets

from workbook import render, words

PAGE = 50
MOST_COPIED = 50_000
"""Rows that go into the clipboard at most."""

OPENS = {
    "request_id": "request",
    "blocker_request_id": "request",
    "dyno": "dyno",
    "version": "release",
    "analysis": "question",
}
"""What a value of a column opens, by the column's name."""

_CELL = 60
_TERM = re.compile(r"(\w+)(<=|>=|<|>|=)(.*)", re.DOTALL)
_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
}


class Grid(anywidget.AnyWidget):
    """A frame to be sorted by a click on a head, filtered, paged, copied as CSV; some values open what they name.

    Assign ``frame``; ``opened(kind, value)`` is called when a person opens a value of a column in ``OPENS``.
    """

    _esm = resources.files(__package__).joinpath("grid.js").read_text(encoding="utf-8")
    _css = resources.files(__package__).joinpath("grid.css").read_text(encoding="utf-8")
    shown = traitlets.Dict().tag(sync=True)

    def __init__(self, opened: Callable[[str, Any], None]):
        self._opened = opened
        self._frame = self._found = pd.DataFrame()
        self._sort: int | None = None
        self._up, self._page, self._find = True, 0, ""
        super().__init__(shown=self._page_of())
        self.on_msg(lambda _, wish, __: self.wish(wish))

    @property
    def frame(self) -> pd.DataFrame:
        """The rows that are asked about, in the order of the result."""
        return self._frame

    @frame.setter
    def frame(self, frame: pd.DataFrame) -> None:
        if list(frame.columns) != list(self._frame.columns):
            self._sort, self._find = None, ""
        self._frame, self._page = frame, 0
        self._show()

    @property
    def found(self) -> pd.DataFrame:
        """The rows that match the filter, in the order they are sorted in."""
        return self._found

    def wish(self, wanted: dict[str, Any]) -> None:
        """Do what a person asked for: ``sort``, ``find``, ``page``, ``open`` or ``copy``."""
        if "sort" in wanted:
            column = int(wanted["sort"])
            # the first look at a number is for the largest
            first = not _number(self._frame, column)
            self._up = not self._up if column == self._sort else first
            self._sort, self._page = column, 0
        if "find" in wanted:
            self._find, self._page = str(wanted["find"]), 0
        if "page" in wanted:
            self._page = int(wanted["page"])
        if "open" in wanted:
            self._open(*wanted["open"])
        elif "copy" in wanted:
            few = self._found.head(MOST_COPIED)
            of = "" if len(few) == len(self._found) else f"the first {words.count(len(few))} of "
            said = f"Copied {of}{words.plural(len(self._found), 'row')}."
            self.send({"csv": render.table(few, "csv"), "said": said})
        elif wanted.keys() == {"page"}:
            self.shown = self._page_of()
        else:
            self._show()

    def _open(self, row: int, column: int) -> None:
        kind = OPENS.get(str(self._found.columns[column]))
        value = self._found.iloc[self._page * PAGE + row, column]
        if kind and not words.missing(value):
            self._opened(kind, value)

    def _show(self) -> None:
        self._found = in_order(matching(self._frame, self._find), self._sort, self._up)
        self.shown = self._page_of()

    def _page_of(self) -> dict[str, Any]:
        count, matched = len(self._frame), len(self._found)
        pages = max(1, -(-matched // PAGE))
        self._page = min(max(self._page, 0), pages - 1)
        first = self._page * PAGE
        some = self._found.iloc[first : first + PAGE]
        names = [str(name) for name in self._frame.columns]
        columns = [{"name": name, "right": _number(self._frame, at)} for at, name in enumerate(names)]
        rows = [
            [_cell(value, name) for value, name in zip(row, names, strict=True)]
            for row in some.itertuples(index=False, name=None)
        ]
        span = f"{words.count(first + 1)}–{words.count(first + len(some))} of " if pages > 1 else ""
        of = "" if matched == count else f" that match, of {words.count(count)}"
        return {
            "columns": columns,
            "rows": rows,
            "sort": self._sort,
            "up": self._up,
            "find": self._find,
            "page": self._page,
            "pages": pages,
            "matched": matched,
            "said": f"{span}{words.plural(matched, 'row')}{of}" if count else "No rows.",
        }


def matching(frame: pd.DataFrame, find: str) -> pd.DataFrame:
    """Return the rows that meet every term: ``column=value`` (or < > <= >=) of a known column, else a word in any cell.

    Words are found whatever their case; what is missing meets no term.
    """
    kept = pd.Series(True, index=frame.index)
    for term in find.split():
        match = _TERM.fullmatch(term)
        if match and match[1] in frame.columns:
            kept &= _compared(frame[match[1]], match[2], match[3])
        else:
            kept &= _anywhere(frame, term)
    return frame if kept.all() else frame[kept]


def _compared(column: pd.Series, sign: str, typed: str) -> Any:
    compare = _COMPARED[sign]
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        number = pd.to_numeric(typed.replace(",", ""), errors="coerce")
        return compare(column, number).fillna(False) if pd.notna(number) else False
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        text = column.dt.strftime("%Y-%m-%dT%H:%M:%S")
        typed = typed.replace(" ", "T")
        return compare(text.str[: len(typed)], typed).fillna(False)
    text = _text(column)
    return (compare(text, typed.casefold()) & column.notna()).fillna(False)


def _anywhere(frame: pd.DataFrame, word: str) -> Any:
    found = pd.Series(False, index=frame.index)
    number = pd.to_numeric(word.replace(",", ""), errors="coerce")
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        if _number(frame, place):
            found |= (column == number).fillna(False) if pd.notna(number) else False
        elif pd.api.types.is_datetime64_any_dtype(column.dtype):
            if word[:1].isdigit():
                text = column.dt.strftime("%Y-%m-%d %H:%M:%S")
                found |= text.str.contains(word, regex=False).fillna(False)
        else:
            found |= _text(column).str.contains(word.casefold(), regex=False).fillna(False)
    return found


def _text(column: pd.Series) -> pd.Series:
    """A column's texts in lower case; values of other kinds as they are shown."""
    if isinstance(column.dtype, pd.StringDtype):
        return column.str.casefold()
    shown = [render.cell(value, str(column.name)).casefold() for value in column]
    return pd.Series(shown, index=column.index, dtype="str")


def in_order(frame: pd.DataFrame, place: int | None, up: bool) -> pd.DataFrame:
    """Return the rows sorted by the column at that place, what is missing last, equal ones in their order."""
    if place is None:
        return frame
    column = frame.iloc[:, place]
    if column.dtype == object:
        column = _text(column).where(column.notna())
    order = column.reset_index(drop=True).sort_values(ascending=up, kind="stable", na_position="last").index
    return frame.iloc[order]


def _number(frame: pd.DataFrame, place: int) -> bool:
    dtype = frame.dtypes.iloc[place]
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def _cell(value: Any, name: str) -> tuple[str, str, bool]:
    whole = render.cell(value, name)
    return words.cut(whole, _CELL), whole, name in OPENS and not words.missing(value)
