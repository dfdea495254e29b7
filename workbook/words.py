"""Numbers and times as a person reads them, and hostile text made safe to look at."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Literal

import pandas as pd

MISSING = "–"
_MOST_NAMED = 10

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def line(value: object) -> str:
    """Return a value as text on one line, with nothing hidden in it."""
    return visible(str(value), one_line=True)


def visible(text: str, one_line: bool = False) -> str:
    """Return the text with terminal sequences removed and every other hidden character written as ⟨U+202E⟩.

    Hidden are control characters, direction and zero-width characters, and halves of surrogate pairs. Tabs
    and newlines stay, or become a blank and ↵ in one line.
    """
    plain = _ESCAPE_SEQUENCE.sub("", text)
    if one_line:
        plain = re.sub(r"\r?\n|\r", " ↵ ", plain.strip()).replace("\t", " ")
    return _INVISIBLE.sub(lambda hidden: f"⟨U+{ord(hidden.group()):04X}⟩", plain.replace("\r\n", "\n"))


def escape_invisible(json_text: str) -> str:
    r"""Return JSON with every hidden character as its ``\u`` escape: the same value, safe to print."""
    return _INVISIBLE.sub(lambda hidden: _json_escape(hidden.group()), json_text)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))


def cut(text: str, width: int) -> str:
    """Return the text, at most ``width`` characters of it, with … where it was cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)].rstrip() + "…"


def some(names: Sequence[str], shown: Callable[[str], str] = str) -> str:
    """Return the first ten of the names, each as ``shown`` writes it, and how many more there are."""
    more = len(names) - _MOST_NAMED
    said = ", ".join(shown(name) for name in names[:_MOST_NAMED])
    return said + (f" and {count(more)} more" if more > 0 else "")


def columns(text: str) -> int:
    """Return how many columns of a terminal the text fills."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def missing(value: Any) -> bool:
    """Return whether a single value is NULL: None, NaN, NaT or NA."""
    return (
        value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value))
    )


def count(number: float | None) -> str:
    """Return a count with thousands separated: 1904 gives ``1,904``."""
    return MISSING if number is None or missing(number) else f"{number:,.0f}"


def number(value: float | None, grouped: bool = True) -> str:
    """Return a number in as many digits as are worth reading: ``1,904``, ``12.3``, ``0.0123``."""
    if value is None or missing(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    comma = "," if grouped else ""
    if value == int(value):
        return f"{int(value):{comma}d}"
    size = abs(value)
    if size < 1e-4:
        return f"{value:.3g}"
    decimals = 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 1 else 4
    return f"{value:{comma}.{decimals}f}".rstrip("0").rstrip(".")


def ms(value: float | None) -> str:
    """Return a time given in ms: ``412 ms``, ``30.0 s``, ``12 min 5 s``, ``3 h 20 min``."""
    if value is None or missing(value):
        return MISSING
    size, sign = abs(value), "-" if value < 0 else ""
    if size < 999.5:
        return f"{sign}{number(size if size < 10 else round(size))} ms"
    if size < 99_950:
        return f"{sign}{size / 1000:.1f} s"
    seconds = round(size / 1000)
    if seconds < 3600:
        return f"{sign}{seconds // 60} min {seconds % 60} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{sign}{minutes // 60} h {minutes % 60} min"
    hours = round(minutes / 60)
    return f"{sign}{hours // 24} days {hours % 24} h"


def mb(value: float | None) -> str:
    """Return memory given in MB (1,024 MB make 1 GB): ``512 MB``, ``14 GB``."""
    if value is None or missing(value):
        return MISSING
    if abs(value) < 10_000:
        return f"{number(value if abs(value) < 10 else round(value))} MB"
    return f"{value / 1024:,.1f} GB".replace(".0 GB", " GB")


def share(part: float | None) -> str:
    """Return a share from 0 to 1 in per cent: 0.123 gives ``12.3 %``; 0 % and 100 % only when it is exact."""
    if part is None or missing(part):
        return MISSING
    percent = part * 100
    if 0 < percent < 0.05:
        return "< 0.1 %"
    if 99.95 <= percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %".replace(".0 %", " %")


def plural(number_of: float, word: str, many: str | None = None) -> str:
    """Return a count with its word: ``1 request``, ``1,904 requests``, ``3 queries`` (``many="queries"``)."""
    return f"{count(number_of)} {word if number_of == 1 else many or word + 's'}"


def time(moment: Any) -> str:
    """Return a UTC time to the second, with its fraction only where it has one: ``2026-03-11 14:05:09``."""
    if missing(moment):
        return MISSING
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return moment.isoformat()
    return str(_utc(moment).isoformat(sep=" ", timespec=_precision(moment)))


def iso(moment: Any) -> str | None:
    """Return a UTC time in ISO 8601 with Z, or a date in ISO 8601; None when it is missing."""
    if missing(moment):
        return None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return moment.isoformat()
    return _utc(moment).isoformat(timespec=_precision(moment)) + "Z"


def times(start: Any, end: Any) -> str:
    """Return a stretch of UTC time, to the minute, or to the second when it is shorter than two minutes.

    ``2026-03-11 14:05–14:26 UTC``; with both dates when the day changes.
    """
    if missing(start) or missing(end):
        return f"{time(start)}–{time(end)} UTC"
    first, last = _utc(start), _utc(end)
    form = "%H:%M" if (last - first).total_seconds() >= 120 else "%H:%M:%S"
    if first.strftime(form) == last.strftime(form) and first.date() == last.date():
        return f"{first:%Y-%m-%d} {first.strftime(form)} UTC"
    day = "" if first.date() == last.date() else f"{last:%Y-%m-%d} "
    return f"{first:%Y-%m-%d} {first.strftime(form)}–{day}{last.strftime(form)} UTC"


def _utc(moment: Any) -> pd.Timestamp:
    stamp = pd.Timestamp(moment)
    return stamp.tz_convert("UTC").tz_localize(None) if stamp.tzinfo else stamp


def _precision(moment: Any) -> Literal["seconds", "milliseconds", "microseconds"]:
    fraction = pd.Timestamp(moment).microsecond
    return "seconds" if fraction == 0 else "milliseconds" if fraction % 1000 == 0 else "microseconds"
