"""What exports of log stores have in common: how they name time, message and program, and the envelope a message keeps.

A store that takes Heroku's drain keeps each frame in one of three ways: cut into fields (``program``, or ``appname`` and
``procid``), as a message without its head, or whole as the message. The names are those of Papertrail, SolarWinds,
Datadog, Better Stack (Logtail), Coralogix, CloudWatch, Splunk, Elasticsearch, Loggly and Vector; a name with dots is a path
inside an object. SQL here is for one object a line; the Python is for CSV and documents, and must give the same rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from workbook.loaders import Reading, _cells

GENERATED = ("generated_at",)
RECEIVED = ("received_at", "_source.received_at")
TIME = (
    "time", "timestamp", "@timestamp", "_time", "dt", "datetime", "date", "ts", "eventTime", "event_time",
    "attributes.timestamp", "content.timestamp", "result._time", "_source.@timestamp", "_source.timestamp",
)  # fmt: skip
MESSAGE = (
    "message", "msg", "@message", "_raw", "log", "text", "body", "line", "raw", "logmsg", "textPayload",
    "attributes.message", "content.message", "result._raw", "_source.message",
)  # fmt: skip
PROGRAM = ("program", "_source.program", "syslog.program")
SOURCE = (
    "appname", "app_name", "syslog.appname", "attributes.attributes.syslog.appname", "_source.appname", "source",
    "attributes.source",
)  # fmt: skip
PROCESS = (
    "procid", "proc_id", "syslog.procid", "attributes.attributes.syslog.procid", "_source.procid", "process", "dyno",
    "_source.process",
)  # fmt: skip
FIELDS = {
    "generated": GENERATED,
    "received": RECEIVED,
    "time": TIME,
    "message": MESSAGE,
    "program": PROGRAM,
    "source": SOURCE,
    "process": PROCESS,
}
"""The names of each field, the surer first."""

# What a message still carries in front: a drain's frame or a dump's line. Written for Python's re and for the engine's.
_MOMENT = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
ENVELOPE = (
    r"^((?:\d{1,7} )?(?:<\d{1,3}>(?:1 )?)?"
    rf"(?:({_MOMENT}) (host |d\.[\w-]+ )?|[A-Z][a-z][a-z] [ 0-3]\d \d\d:\d\d:\d\d \S+ )?"
    r"(app|heroku)(?:\[([\w.-]+)\](?::| -)|/([\w.-]+):| ([\w.-]+)(?: d\.[\w-]+)? -)(?: |$))"
)
_ENVELOPE_PARTS = "['head', 'time', 'host', 'source', 'in_brackets', 'behind_slash', 'in_words']"
_ENVELOPE = re.compile(ENVELOPE, re.ASCII)
_PROGRAM = re.compile(r"(?:(app|heroku)\[([\w.-]+)\]|([^/]*)/(.*)|(.*))", re.ASCII | re.DOTALL)
_COLOUR = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]")
_LONE = re.compile(r"[\ud800-\udfff]")
_SHAPED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d{10,19}(?:\.\d+)?$", re.ASCII)
_UTC = _cells.Clock("UTC", "", told=True)
_OF_HEROKU = ("router", "logplex")
"""Processes that only Heroku has: they tell the source where the store kept only the process."""


def _shape() -> str:
    """Every name as the engine wants to know it: one object, with objects inside."""
    shape: dict[str, Any] = {}
    for name in (name for names in FIELDS.values() for name in names):
        *outer, last = name.split(".")
        inner = shape
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = "VARCHAR"
    return json.dumps(shape)


def _first(field: str) -> str:
    """SQL for the value of a field: of the first of its names that the object has."""
    found = (".".join(f'"{part}"' for part in ("object", *name.split("."))) for name in FIELDS[field])
    return f"coalesce({', '.join(found)}, NULL)"


def _moment(text: str) -> str:
    """SQL for the UTC time of a text: ISO 8601, without an offset UTC; or an epoch in s, ms, µs or ns."""
    return rf"""
        CASE
            WHEN {text}[5] = '-' AND {text}[14] = ':'
                THEN CASE
                    WHEN NOT regexp_matches({text}, '[+-](1[5-9]|[2-9]\d):?\d\d$')
                        THEN coalesce(
                            try_cast({text} AS TIMESTAMPTZ),
                            try_cast(regexp_replace(upper({text}), ' ([+-])', '\1') AS TIMESTAMPTZ)
                        ) AT TIME ZONE 'UTC'
                END
            WHEN regexp_full_match({text}, '[1-9]\d{{9,10}}(\.\d+)?') THEN make_timestamp((1000000 * {text}::DOUBLE)::BIGINT)
            WHEN regexp_full_match({text}, '[1-9]\d{{12,13}}(\.\d+)?') THEN make_timestamp((1000 * {text}::DOUBLE)::BIGINT)
            WHEN regexp_full_match({text}, '[1-9]\d{{15,16}}') THEN make_timestamp({text}::BIGINT)
            WHEN regexp_full_match({text}, '[1-9]\d{{18}}') THEN make_timestamp(try_cast({text} AS BIGINT) // 1000)
        END"""


# Half of a surrogate pair makes an object unreadable to the engine: a message cut in the middle of a character has one.
RECORDS = rf"""
WITH documents AS (
    SELECT
        line,
        CASE
            WHEN (contains(text, '\ud') OR contains(text, '\uD')) AND NOT json_valid(text)
                THEN regexp_replace(text, '\\u[dD][89a-fA-F][0-9a-fA-F][0-9a-fA-F]', '?', 'g')
            ELSE text
        END AS mended,
        CASE WHEN json_valid(mended) THEN mended END AS document
    FROM records
),
objects AS (
    SELECT
        line,
        document,
        from_json(document, '{_shape()}') AS object
    FROM documents
),
named AS (
    SELECT
        line,
        document,
        {_first("generated")} AS generated_text,
        {_first("received")} AS received_text,
        {_first("time")} AS time_text,
        {_first("message")} AS message_text,
        {_first("program")} AS program,
        {_first("source")} AS source_text,
        {_first("process")} AS process_text
    FROM objects
),
timed AS (
    SELECT
        *,
        {_moment("generated_text")} AS generated_at,
        {_moment("received_text")} AS received_at,
        {_moment("time_text")} AS other_time,
        coalesce(generated_at, received_at, other_time) AS stored_time,
        CASE
            WHEN contains(message_text, chr(27)) THEN regexp_replace(message_text, '\x1b\[[0-9;:]*[A-Za-z]', '', 'g')
            ELSE message_text
        END AS plain,
        rtrim(plain, e'\r\n') AS whole,
        CASE
            WHEN regexp_matches(whole, '{ENVELOPE}') THEN regexp_extract(whole, '{ENVELOPE}', {_ENVELOPE_PARTS})
        END AS envelope,
        regexp_extract(program, '^(app|heroku)\[([\w.-]+)\]$', ['source', 'process']) AS bracket,
        instr(program, '/') AS slash
    FROM named
),
bodies AS (
    SELECT
        *,
        {_moment("envelope.time")} AS own_time,
        substr(whole, coalesce(length(envelope.head), 0) + 1) AS body,
        envelope.in_words <> '' AND envelope.host <> 'host ' AND (body = '-' OR starts_with(body, '- ')) AS dashed
    FROM timed
),
placed AS (
    SELECT
        *,
        CASE
            WHEN envelope.head <> '' THEN envelope.source
            WHEN bracket.source <> '' THEN bracket.source
            WHEN slash > 0 THEN nullif(substr(program, 1, slash - 1), '')
            WHEN coalesce(program, '') = '' AND process_text <> '' AND source_text IN ('app', 'heroku') THEN source_text
            WHEN coalesce(program, '') = '' AND process_text IN {_OF_HEROKU} THEN 'heroku'
        END AS source,
        CASE
            WHEN envelope.head <> '' THEN envelope.in_brackets || envelope.behind_slash || envelope.in_words
            WHEN bracket.source <> '' THEN bracket.process
            WHEN program <> '' THEN nullif(substr(program, slash + 1), '')
            ELSE nullif(process_text, '')
        END AS process
    FROM bodies
)
SELECT
    line,
    coalesce(own_time, stored_time) AS time,
    CASE WHEN own_time IS NULL THEN received_at ELSE coalesce(received_at, stored_time) END AS received_at,
    source,
    process,
    CASE WHEN dashed THEN substr(body, 3) ELSE body END AS message,
    CASE
        WHEN document IS NULL THEN 'not JSON: the object is cut off or damaged'
        WHEN message_text IS NULL THEN 'an event without a message'
        WHEN generated_at IS NULL AND generated_text <> '' THEN 'field generated_at'
        WHEN received_at IS NULL AND received_text <> '' THEN 'field received_at'
        WHEN coalesce(own_time, stored_time) IS NULL THEN 'field time'
    END AS reason
FROM placed
"""


@dataclass(frozen=True)
class Event:
    """One event of an export: its line, its values by field as text (None where it has none), and all of it."""

    line: int
    values: dict[str, str | None]
    text: str


def values(event: dict[str, Any]) -> dict[str, str | None]:
    """Return the text of each field of an object: of the first of its names that is there."""
    return {
        field: next((found for name in names if (found := _text(_inside(event, name))) is not None), None)
        for field, names in FIELDS.items()
    }


def is_event(item: Any) -> bool:
    """Say whether something is an object with a message and a time that can be read."""
    if not isinstance(item, dict):
        return False
    found = values(item)
    return found["message"] is not None and any(
        moment(found[name] or "") for name in ("generated", "received", "time")
    )


def _inside(event: Any, name: str) -> Any:
    for part in name.split("."):
        event = event.get(part) if isinstance(event, dict) else None
    return event


def _text(value: Any) -> str | None:
    """A value as text that can be stored; half of a surrogate pair becomes a question mark."""
    if value is None:
        return None
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return storable(value)


def storable(text: str) -> str:
    """Return the text with a question mark for every half of a surrogate pair."""
    return text if text.isascii() else _LONE.sub("?", text)


ReadTime = Callable[[str], datetime | None]


def moment(text: str) -> datetime | None:
    """Return the UTC time of a text in JSON: ISO 8601, without an offset UTC; or an epoch in s, ms, µs or ns."""
    return _UTC.read(text) if _SHAPED.match(text) else None


def log_lines(events: list[Event], read_time: ReadTime, reading: Reading) -> pd.DataFrame:
    """Return the events as log lines: line, time, received_at (UTC), source, process, message.

    A time that cannot be read is NULL, with its line in ``reading.unread``. Every event must have a message.
    """
    rows = [_row(event, read_time, reading) for event in events]
    frame = pd.DataFrame(rows, columns=["line", "time", "received_at", "source", "process", "message"])
    kinds = {"line": "int64", "time": "datetime64[us]", "received_at": "datetime64[us]"}
    return frame.astype(kinds | dict.fromkeys(("source", "process", "message"), "object"))


def _row(event: Event, read_time: ReadTime, reading: Reading) -> tuple[Any, ...]:
    value = event.values
    known = {field: read_time(value[field] or "") for field in ("generated", "received", "time")}
    received = known["received"]
    stored = known["generated"] or received or known["time"]
    whole = _COLOUR.sub("", value["message"] or "").rstrip("\r\n")
    found = _ENVELOPE.match(whole)
    own = moment(found[2]) if found and found[2] else None
    if found:
        source, process, message = found[4], found[5] or found[6] or found[7], _body(whole, found)
    else:
        source, process, message = *_place(value), whole
    if own is not None:
        received = received or stored
    if known["generated"] is None and value["generated"]:
        reading.unread.append((event.line, "field generated_at", event.text))
    elif known["received"] is None and value["received"]:
        reading.unread.append((event.line, "field received_at", event.text))
    elif own is None and stored is None:
        reading.unread.append((event.line, "field time", event.text))
    return event.line, own or stored, received, source, process, message


def _body(whole: str, found: re.Match[str]) -> str:
    """The message behind an envelope; a frame without the word host may have a second dash."""
    body = whole[found.end(1) :]
    dashed = found[7] and found[3] != "host " and (body == "-" or body.startswith("- "))
    return body[2:] if dashed else body


def _place(value: dict[str, str | None]) -> tuple[str | None, str | None]:
    """Source and process of an event whose message carries no envelope."""
    if value["program"]:
        found = _PROGRAM.fullmatch(value["program"])
        assert found is not None
        return found[1] or found[3] or None, found[2] or found[4] or found[5] or None
    process = value["process"] or None
    if process and value["source"] in ("app", "heroku"):
        return value["source"], process
    return "heroku" if process in _OF_HEROKU else None, process
