"""A window of UTC time, and reading the times that a person types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workbook.errors import UsageError

_FORMS = "2013-06-09, 2013-06-09 01:40, 2013-06-09T01:40:30.5Z or 2013-06-09 01:40 +0200"
_TIME = re.compile(
    r"(\d{4})[-/](\d\d?)[-/](\d\d?)"
    r"(?:[ T](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r" ?(Z|UTC|[+-]\d\d:?\d\d)?$",
    re.IGNORECASE,
)


def read_time(typed: str | datetime) -> datetime:
    """Return the typed time as a UTC ``datetime`` without zone, to the microsecond.

    Without an offset the time is UTC. Raises UsageError with the accepted forms.
    """
    if isinstance(typed, datetime):
        return typed.astimezone(UTC).replace(tzinfo=None) if typed.tzinfo else typed
    match = _TIME.match(str(typed).strip())
    if match is None:
        raise UsageError(f"“{typed}” is not a time.", next_step=f"Write it as {_FORMS}.")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        time = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
        )
        return time - read_offset(zone)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"“{typed}” is not a time: {error}.", next_step=f"Write it as {_FORMS}.") from error


def read_offset(zone: str | None) -> timedelta:
    """Return how far a zone such as ``+0200``, ``-07:00`` or ``Z`` is ahead of UTC; nothing typed is UTC."""
    if zone is None or zone.upper() in ("", "Z", "UTC"):
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    if int(digits[:2]) > 14 or int(digits[2:]) > 59:
        raise UsageError(f"{zone} is not the offset of a zone.", next_step="Write it as +0200 or -07:00.")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -ahead if zone.startswith("-") else ahead


@dataclass(frozen=True)
class Window:
    """A half-open interval of UTC time ``[start, end)``; an end left out is open.

    ``Window("2013-06-09 01:40", "2013-06-09 02:10")``. Lines without any time belong only to a window
    that is open on both ends. Raises UsageError when start is not before end.
    """

    start: datetime | None
    end: datetime | None

    def overlaps(self, first: datetime, last: datetime) -> bool:
        """Return whether something from first to last lies in the window, at least in part."""
        return (self.end is None or first < self.end) and (self.start is None or last >= self.start)

    def __init__(self, start: str | datetime | None = None, end: str | datetime | None = None):
        object.__setattr__(self, "start", None if start is None else read_time(start))
        object.__setattr__(self, "end", None if end is None else read_time(end))
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(
                f"The window starts at {self.start} and ends at {self.end}: the start is not before the end.",
                next_step="Swap the two times, or leave one out for an open end.",
            )

    def __str__(self) -> str:
        if self.start is None and self.end is None:
            return "all of the loaded time"
        return f"{self.start or '…'} – {self.end or '…'} UTC"

    def __repr__(self) -> str:
        def end(time: datetime | None) -> str:
            return repr(None if time is None else str(time))

        return f"Window({end(self.start)}, {end(self.end)})"
