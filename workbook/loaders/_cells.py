"""Text tables (CSV, or copied with tabs) as records with their physical lines; the numbers and times in their cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from workbook.errors import LoadError, UsageError
from workbook.loaders import Reading
from workbook.window import read_offset

LONGEST_RECORD = 500
"""Physical lines that one record may span: past that a quotation mark was never closed."""

_MISSING = {"", "-", "--", "—", "–", "n/a", "na", "null", "none", "nan"}
_NUMBER = re.compile(
    r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d{1,300})(?:\.\d*)?|\.\d+)(?:e[-+]?\d)?", re.ASCII | re.I
)
_EPOCH = re.compile(r"\d{9,19}(?:\.\d+)?", re.ASCII)
_ISO = re.compile(
    r"(\d{4}[-/]\d\d?[-/]\d\d?)(?:[T ]+(\d\d?:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)? ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.ASCII | re.I,
)
_SPELLED = (
    "%b %d %Y %H:%M:%S.%f",
    "%b %d %Y %I:%M:%S %p",
    "%b %d %Y %I:%M %p",
    "%b %d %Y %H:%M:%S",
    "%b %d %Y %H:%M",
    "%b %d %Y",
)
_EPOCH_UNITS = ((1_000_000, 1, 10**9), (1_000, 1, 10**12), (1, 1, 10**15), (1, 1_000, 10**18))
"""µs in one (a fraction), and the least number that is taken for it: s, ms, µs, ns."""
_EPOCH_START = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Record:
    """One record of a table: its first physical line (from 1), how many lines it spans, and its cells.

    ``cells`` is None where the record cannot be cut into cells: a quotation mark is never closed.
    """

    line: int
    span: int
    cells: list[str] | None


def records(lines: list[str], delimiter: str, *, strip: bool = True) -> Iterator[Record]:
    """Give every record that is not blank. A quotation mark that is never closed costs its own line only.

    ``strip`` takes blanks around a cell away; the message of a log keeps its own.
    """
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        record = (
            Record(at + 1, 1, line.split(delimiter)) if '"' not in line else _quoted(lines, at, delimiter)
        )
        if strip and record.cells is not None:
            record = Record(record.line, record.span, [cell.strip() for cell in record.cells])
        yield record
        at += record.span


def _quoted(lines: list[str], at: int, delimiter: str) -> Record:
    reader = csv.reader(
        (lines[place] + "\n" for place in range(at, min(at + LONGEST_RECORD, len(lines)))),
        delimiter=delimiter,
        strict=True,
    )
    try:
        cells = next(reader)
    except csv.Error:
        return Record(at + 1, 1, None)
    return Record(at + 1, reader.line_num, cells)


def continued(lines: list[str], record: Record) -> int:
    """Return how many lines of the record come after its first and are not blank (a blank line is counted as blank)."""
    return sum(bool(line.strip()) for line in lines[record.line : record.line + record.span - 1])


def rows(
    lines: list[str],
    header: Record,
    delimiter: str,
    reading: Reading,
    fit: Callable[[list[str]], list[str] | str],
    *,
    strip: bool = True,
) -> Iterator[tuple[Record, list[str]]]:
    """Give the records behind a header, each with its cells; what is none goes to ``reading``.

    ``fit`` returns the cells of a row, or the reason why they are none. A header that is printed again, and the further
    lines of a record, are joined.
    """
    first = header.line + header.span - 1
    for record in records([""] * first + lines[first:], delimiter, strip=strip):
        if record.cells == header.cells:
            reading.joined += 1 + continued(lines, record)
            continue
        fitting = "a quotation mark is not closed" if record.cells is None else fit(record.cells)
        if isinstance(fitting, str):
            span = range(record.line, record.line + record.span)
            reading.unread += [(at, fitting, lines[at - 1]) for at in span if lines[at - 1].strip()]
            continue
        reading.joined += continued(lines, record)
        yield record, fitting


def plain(header: str) -> str:
    """Return a header's letters and digits in lower case, without what stands in brackets."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\([^)]*\)|\[[^\]]*\]", "", header.lower()))


def unit(header: str) -> str | None:
    """Return ms, s or rpm when the header says so in brackets or as its last word."""
    words = [*re.findall(r"[\[(]\s*([a-z/ ]+?)\s*[\])]", header.lower()), header.lower().rpartition(" ")[2]]
    for word in words:
        if word in ("ms", "msec", "millis", "milliseconds"):
            return "ms"
        if word in ("s", "sec", "secs", "seconds"):
            return "s"
        if word in ("rpm", "requests per minute", "req/min", "calls/min"):
            return "rpm"
    return None


def missing(cell: str | None) -> bool:
    """Say whether the cell stands for no value: it is empty, a dash, null, …"""
    return cell is None or cell.strip().lower() in _MISSING


def number(cell: str) -> float | None:
    """Return the number of a cell, thousands separators removed; None when it is not one."""
    text = cell.strip()
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text) else None


class Clock:
    """Reads times: epoch in s or ms, text with an offset, and text without one in the zone that was given.

    ``told`` says that the file itself names the zone (in a header), so that there is nothing to note.
    """

    def __init__(self, zone: str, path: str, *, told: bool = False):
        self.name, self.zone, self.told = zone, _zone(zone, path), told
        self.without_zone = 0
        self.repeated = 0

    def read(self, cell: str) -> datetime | None:
        """Return the UTC time without zone; None when the cell is not a time, or day and month cannot be told apart."""
        text = cell.strip()
        if _EPOCH.fullmatch(text):
            return _epoch(float(text) if "." in text else int(text))
        try:
            found = _ISO.fullmatch(text)
            return self._iso(*found.groups()) if found else self._spelled(text)
        except (ValueError, OverflowError, UsageError):
            return None

    def _iso(self, day: str, clock: str | None, fraction: str | None, offset: str | None) -> datetime:
        hours = (clock or "0:00").split(":")
        year, month, date = map(int, re.split("[-/]", day))
        micros = int((fraction or "0").ljust(6, "0")[:6])
        local = datetime(year, month, date, int(hours[0]), int(hours[1]), int([*hours, "0"][2]), micros)
        if offset is None:
            return self._utc(local)
        return local - read_offset("Z" if offset.upper() == "GMT" else offset)

    def _spelled(self, text: str) -> datetime | None:
        if not text[:1].isalpha():
            return None
        words = " ".join(re.sub("[,@]", " ", text).split())
        month = re.sub(r"^([A-Za-z]{3})[a-z]*\.?", r"\1", words)
        for form in _SPELLED:
            try:
                return self._utc(datetime.strptime(month, form))
            except ValueError:
                continue
        return None

    def _utc(self, local: datetime) -> datetime:
        self.without_zone += 1
        # an hour that the clocks repeat is read in standard time, as utc_of reads it
        placed = local.replace(tzinfo=self.zone, fold=1)
        self.repeated += placed.utcoffset() != placed.replace(fold=0).utcoffset()
        return placed.astimezone(UTC).replace(tzinfo=None)

    def notes(self) -> list[str]:
        """Return what a person must know about times that carry no zone; nothing when every time has one."""
        if not self.without_zone or self.told:
            return []
        said = [f"times carry no zone; read as {self.name}"]
        if self.repeated:
            said.append(
                f"{self.repeated} times lie where the zone's clock changes; read as before the change"
            )
        return said

    def zone_note(self) -> str | None:
        """Return how times without a zone were read, for ``sources.zone``; None when every time has one."""
        return f"{self.name} (times in the file carry none)" if self.without_zone and not self.told else None


def _epoch(value: float | int) -> datetime | None:
    """The time of an epoch in s, ms, µs or ns, by its size: each is that of 2001 to 5138 in one unit only."""
    for times, by, least in _EPOCH_UNITS:
        if least <= value < min(100 * least, 2**63):
            return _EPOCH_START + timedelta(microseconds=round(value * times if by == 1 else value // by))
    return None


def _zone(name: str, path: str) -> tzinfo:
    if name.upper() in ("UTC", "Z"):
        return UTC
    if re.fullmatch(r"[+-]\d\d:?\d\d", name):
        return timezone(read_offset(name))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise LoadError(
            f"“{name}” is not a time zone that this machine knows.",
            path=path,
            next_step="Write an offset such as -04:00, or install the package tzdata.",
        ) from error
