"""A value, or a table of values, as text, JSON, CSV or Markdown; formulas and markup are disarmed."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from workbook import words
from workbook.errors import UsageError

FORMATS = ("text", "json", "csv", "markdown")
MOST_CELL = 60

_UNGROUPED = re.compile(r"(^|_)(id|line|pid|status|port|year|version|release|code)$")


def plain(value: Any) -> Any:
    """Return the value for JSON: NULL as None, times in ISO with Z, whole numbers as int, lists kept."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if hasattr(value, "tolist") and not isinstance(value, pd.Timestamp | pd.Timedelta):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        inner = [plain(one) for one in value]
        return sorted(inner, key=str) if isinstance(value, set | frozenset) else inner
    if words.missing(value):
        return None
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, float | Decimal):
        number = float(value)
        if not math.isfinite(number):
            return None
        return int(number) if number == int(number) else number
    if isinstance(value, int):
        return int(value)
    if isinstance(value, datetime | date):
        return words.iso(value)
    if isinstance(value, timedelta):
        return plain(value.total_seconds() * 1000)
    return str(value)


def to_json(value: Any) -> str:
    """Return plain values as JSON text, one item a line, hidden characters escaped."""
    return words.escape_invisible(json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False))


def table(frame: pd.DataFrame, format: str = "text") -> str:
    """Return the frame as text, json, csv or markdown.

    json is a list of objects. In csv a text that a spreadsheet would run as a formula gets a ``'`` first.
    """
    if format == "json":
        return to_json(_records(frame))
    if format == "csv":
        return _csv(frame)
    if format == "markdown":
        return markdown_table(frame)
    if format == "text":
        return _text_table(frame)
    raise UsageError(f"“{format}” is not a format.", next_step=f"Choose one of {', '.join(FORMATS)}.")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    return [
        dict(zip(names, map(plain, row), strict=True)) for row in frame.itertuples(index=False, name=None)
    ]


def cell(value: Any, column: str = "") -> str:
    """Return one value as a person reads it, in one line; what is missing as –."""
    if isinstance(value, str):
        return words.visible(value, one_line=True)
    flat = value.tolist() if hasattr(value, "tolist") and not isinstance(value, pd.Timestamp) else value
    if isinstance(flat, list | tuple):
        return ", ".join(cell(one) for one in flat) or words.MISSING
    if isinstance(flat, Mapping):
        if set(flat) == {"source_id", "line"}:
            return f"{flat['source_id']}:{flat['line']}"
        return ", ".join(f"{name} {cell(inner, str(name))}" for name, inner in flat.items())
    if words.missing(flat):
        return words.MISSING
    if isinstance(flat, bool):
        return "yes" if flat else "no"
    if isinstance(flat, int | float | Decimal):
        return words.number(float(flat) if isinstance(flat, Decimal) else flat, not _UNGROUPED.search(column))
    if isinstance(flat, datetime | date):
        return words.time(flat)
    if isinstance(flat, timedelta):
        return words.ms(flat.total_seconds() * 1000)
    return words.visible(str(flat), one_line=True)


def numeric(frame: pd.DataFrame, place: int) -> bool:
    """Return whether the column at that place holds numbers, which stand to the right."""
    dtype = frame.dtypes.iloc[place]
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def cells(frame: pd.DataFrame) -> list[list[str]]:
    """Return every value of a frame as a person reads it, row by row."""
    names = [str(name) for name in frame.columns]
    return [
        [cell(value, name) for value, name in zip(row, names, strict=True)]
        for row in frame.itertuples(index=False, name=None)
    ]


def _text_table(frame: pd.DataFrame) -> str:
    heads = [cell(str(name)) for name in frame.columns]
    rows = [[words.cut(text, MOST_CELL) for text in row] for row in cells(frame)]
    wide = [max(words.columns(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
    right = [numeric(frame, at) for at in range(len(heads))]
    lines = [heads, ["─" * width for width in wide], *rows]
    return "\n".join(
        "  ".join(_padded(text, wide[at], right[at]) for at, text in enumerate(line)).rstrip()
        for line in lines
    )


def _padded(text: str, width: int, right: bool) -> str:
    blank = " " * (width - words.columns(text))
    return blank + text if right else text + blank


def _csv(frame: pd.DataFrame) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([_csv_cell(str(name)) for name in frame.columns])
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([_csv_cell(value) for value in row])
    return written.getvalue()


def _csv_cell(value: Any) -> Any:
    read = plain(value)
    if isinstance(read, dict | list):
        return words.escape_invisible(json.dumps(read, ensure_ascii=False))
    if isinstance(read, bool):
        return "true" if read else "false"
    if not isinstance(read, str):
        return read
    text = words.visible(read)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]")
_NUMBER = re.compile(r"[+-]?\d[\d:.]*")


def markdown(text: str) -> str:
    """Return text that Markdown shows as it is, in one line: no markup, HTML, link or mention comes of it."""
    safe = html.escape(words.visible(text, one_line=True), quote=False)
    safe = re.sub(r"([\\`*_{}\[\]|~#^$])", r"\\\1", safe)
    return safe.replace("://", ":&#47;&#47;").replace("@", "&#64;").replace("www.", "www&#46;")


def code_span(text: str) -> str:
    """Return text as Markdown code in one line, whatever backticks it holds."""
    safe = words.visible(text, one_line=True)
    ticks = "`" * (_longest_run(safe) + 1)
    return f"{ticks} {safe} {ticks}" if "`" in safe else f"{ticks}{safe}{ticks}"


def fenced(text: str, language: str = "text") -> str:
    """Return text as a block of Markdown code that nothing in it can end."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    """How many backticks stand beside each other at the most."""
    return max((len(run) for run in re.findall("`+", text)), default=0)


def markdown_table(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table, numbers to the right."""
    heads = [markdown(str(name)) for name in frame.columns]
    ruler = ["---:" if numeric(frame, at) else "---" for at in range(len(heads))]
    rows = [[markdown(text) for text in row] for row in cells(frame)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [heads, ruler, *rows])
