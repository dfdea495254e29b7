"""How urgent a ticket is, by the rule it comes from, and when an answer may be expected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from workbook import limits, words
from workbook.statistics import wilson

PACIFIC = ZoneInfo("America/Los_Angeles")
_UTC = ZoneInfo("UTC")
_SATURDAY = 5


@dataclass(frozen=True)
class Impact:
    """What the router saw: requests and failed ones, of the finding's time and of the evidence's last minutes.

    ``clients`` are the addresses whose requests failed. ``answered`` counts the requests of the whole log that did not
    fail: a log without any may have been filtered. All are counts.
    """

    requests: int = 0
    failed: int = 0
    clients: int = 0
    last_requests: int = 0
    last_failed: int = 0
    answered: int = 0


@dataclass(frozen=True)
class Priority:
    """The suggested word for the ticket, and the rule that it comes from."""

    word: str
    rule: str


def priority(impact: Impact, severity: str) -> Priority:
    """Return Urgent where production is down, High where users are broken off, else Normal; with the rule."""
    minutes = limits.DOWN_MINUTES
    if impact.requests + impact.last_requests == 0:
        return Priority(
            "Normal",
            "the files hold no request of that time, so whether production is down cannot be told. Urgent means that"
            " your production site is down: say Urgent only if it is.",
        )
    if impact.answered == 0:
        return Priority(
            "High",
            "the log holds failed requests only, so it may be a filtered one, and the share that fails cannot be told."
            " Urgent means that your production site is down: say Urgent if nobody is answered.",
        )
    low = wilson(impact.last_failed, impact.last_requests)[0]
    last = (
        f"{words.count(impact.last_failed)} of the last {words.count(impact.last_requests)} requests failed"
        f" ({minutes} minutes before the end of the log)"
    )
    if impact.last_requests >= limits.DOWN_REQUESTS and low >= limits.DOWN_SHARE:
        return Priority(
            "Urgent",
            f"{last}, surely {words.share(limits.DOWN_SHARE)} or more: the production site is down.",
        )
    share = impact.failed / impact.requests if impact.requests else 0.0
    then = (
        f"{words.count(impact.failed)} of {words.count(impact.requests)} requests failed in its time"
        f" ({words.share(share)})"
    )
    if impact.requests and wilson(impact.failed, impact.requests)[0] >= limits.ERROR_SHARE:
        return Priority(
            "High",
            f"{then}, surely {words.share(limits.ERROR_SHARE)} or more; but the site is not down at the end of the log:"
            f" {last}.",
        )
    if severity == "critical":
        return Priority("High", f"the finding is critical, though {then}; {last}.")
    return Priority("Normal", f"{then}: the site is up.")


def reply_by(sent: datetime) -> datetime:
    """Return until when (UTC) an answer may be expected of a ticket sent then (UTC): one business day of support hours.

    Support works Monday to Friday from 6 to 18 o'clock, Pacific time; public holidays are not known here.
    """
    day = timedelta(hours=limits.SUPPORT_CLOSES_HOUR - limits.SUPPORT_OPENS_HOUR)
    at = sent.replace(tzinfo=_UTC).astimezone(PACIFIC).replace(tzinfo=None)
    while day > timedelta(0):
        opens = datetime.combine(at, time(limits.SUPPORT_OPENS_HOUR))
        closes = datetime.combine(at, time(limits.SUPPORT_CLOSES_HOUR))
        at = max(at, opens)
        if at.weekday() < _SATURDAY and at < closes:
            worked = min(day, closes - at)
            day -= worked
            at += worked
        if day > timedelta(0):
            at = datetime.combine(at.date() + timedelta(days=1), time(limits.SUPPORT_OPENS_HOUR))
    return at.replace(tzinfo=PACIFIC).astimezone(_UTC).replace(tzinfo=None)


def is_open(at: datetime) -> bool:
    """Return whether support works at that time (UTC)."""
    local = at.replace(tzinfo=_UTC).astimezone(PACIFIC)
    return (
        local.weekday() < _SATURDAY and limits.SUPPORT_OPENS_HOUR <= local.hour < limits.SUPPORT_CLOSES_HOUR
    )


def expected_reply(as_of: datetime | None) -> str:
    """Return in one sentence when an answer may be expected of a ticket sent at the end of the evidence."""
    hours = (
        f"support answers Monday to Friday, {limits.SUPPORT_OPENS_HOUR}:00 to {limits.SUPPORT_CLOSES_HOUR}:00"
        " Pacific time, within one business day (the book’s hours; Premium plans have others)"
    )
    if as_of is None:
        return f"cannot be told, no file carries a time; {hours}."
    until = reply_by(as_of)
    local = until.replace(tzinfo=_UTC).astimezone(PACIFIC)
    state = "within" if is_open(as_of) else "outside of"
    return (
        f"until {words.time(until.replace(microsecond=0))} UTC ({local:%A %H:%M} Pacific time), if it is sent at"
        f" the end of the evidence, {words.time(as_of.replace(microsecond=0))} UTC, which is {state} support hours:"
        f" {hours}."
    )
