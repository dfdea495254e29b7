"""A small plain-Python reader of log lines, one expression per kind: what the SQL readers must agree with.

It reads lines as ``heroku logs`` prints them, and knows the usual order of keys only: the lines of the router, of
rack-timeout, of the runtime metrics and of the metrics of a database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]

ENVELOPE = re.compile(
    r"(?:(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[+-]\d\d:\d\d|Z)) )?"
    r"(?P<source>[A-Za-z][\w-]*)\[(?P<process>[\w.-]+)\]: ?(?P<message>.*)",
    re.ASCII | re.DOTALL,
)
ROUTER = re.compile(
    r"(?:sock=(?P<sock>\S*) )?at=(?P<at>\S*) (?:code=(?P<code>\S*) )?(?:desc=\"(?P<description>[^\"]*)\" )?"
    r"method=(?P<method>\S*) path=(?:\"(?P<path>.*?)\"|(?P<bare_path>(?!\")\S*?)) host=(?P<host>\S*)"
    r"(?: (?:request_id|id)=(?P<request_id>\S*))? fwd=(?:\"(?P<fwd>[^\"]*)\"|(?P<bare_fwd>(?!\").*?)) dyno=(?P<dyno>\S*)"
    r"(?: queue=(?P<queue>\S*) wait=(?P<wait>\S*))? connect=(?P<connect>\S*) service=(?P<service>\S*)"
    r" status=(?P<status>\S*) bytes=(?P<bytes>\S*)(?: sock=(?P<last_sock>\S*))?(?: protocol=(?P<protocol>\S*))?"
    r"(?: tls=(?P<tls>\S*))?(?: tls_version=(?P<tls_version>\S*))?",
    re.ASCII | re.DOTALL,
)
OLD_ROUTER = re.compile(
    r"(?:Error (?P<code>[A-Z]\d\d) \((?P<description>[^)]*)\) -> )?(?P<method>[A-Z]+) (?P<host>[^/ ]*)(?P<path>\S*)"
    r" dyno=(?P<dyno>\S*) queue=(?P<queue>\S*) wait=(?P<wait>\S*) service=(?P<service>\S*)(?: status=(?P<status>\S*))?"
    r" bytes=(?P<bytes>\S*)",
    re.ASCII,
)
RACK_TIMEOUT = re.compile(
    r"source=rack-timeout id=(?P<request_id>\S*)(?: (?:age|wait)=(?P<age>\S*))?(?: timeout=(?P<timeout>\S*))?"
    r"(?: (?:duration|service)=(?P<duration>\S*))?(?: term_on_timeout=(?P<term>\S*))? state=(?P<state>\S*)",
    re.ASCII,
)
SAMPLE = re.compile(
    r"\b(?:sample|measure|count)#(?P<name>[\w.-]+)=(?P<number>-?\d+(?:\.\d+)?)(?P<unit>[A-Za-z%/]*)(?=\s|$)"
    r"|(?:^| )measure=(?P<old_name>\S+) val=(?P<old_number>-?\d+(?:\.\d+)?)(?: units=(?P<old_unit>\S+))?",
    re.ASCII,
)
BOOT = re.compile(
    r"(?:^| )dyno=heroku\.\S*\.(\S+)|(?:^| )source=heroku\.\S*\.([0-9a-fA-F-]{32,36})(?= |$)", re.ASCII
)
NUMBER = re.compile(r"(-?\d{1,18})(?!\d)", re.ASCII)


def read(lines: Iterable[str]) -> dict[str, list[Row]]:
    """Return the rows of all lines by kind, each with its line, from 1."""
    rows: dict[str, list[Row]] = {
        "router": [],
        "rack_timeout": [],
        "runtime_metrics": [],
        "database_metrics": [],
    }
    for number, line in enumerate(lines, 1):
        if found := read_line(line):
            rows[found[0]] += [{"line": number} | row for row in found[1]]
    return rows


def read_line(line: str) -> tuple[str, list[Row]] | None:
    """Return the kind of the line and its rows; None when it is not of one of these kinds."""
    envelope = ENVELOPE.fullmatch(line)
    if envelope is None:
        return None
    place = {"time": utc(envelope["time"])}
    source, process, message = envelope["source"], envelope["process"], envelope["message"]
    if source == "heroku" and process == "router":
        row = request(message)
        return None if row is None else ("router", [place | row])
    if source == "app" and (found := RACK_TIMEOUT.search(message)):
        return "rack_timeout", [place | {"dyno": process} | rack_timeout(found)]
    if source == "heroku" and (rows := samples(message)):
        return "runtime_metrics", [place | {"dyno": process} | row for row in rows]
    if process.startswith("heroku-") and source == "app" and (rows := database_samples(message)):
        return "database_metrics", [place | {"process": process} | row for row in rows]
    return None


def utc(text: str | None) -> datetime | None:
    """Return the time in UTC, without its zone."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def whole(text: str | None) -> int | None:
    """Return the whole number that the text begins with."""
    found = NUMBER.match(text or "")
    return int(found[1]) if found else None


def request(message: str) -> Row | None:
    """Return the row of a router line."""
    found = ROUTER.fullmatch(message) or OLD_ROUTER.fullmatch(message)
    if found is None:
        return None
    texts = found.groupdict()
    path = texts["path"] or texts.get("bare_path")
    return {
        "method": texts["method"] or None,
        "host": texts["host"] or None,
        "path": path or None,
        "request_id": texts.get("request_id") or None,
        "fwd": (texts.get("fwd") or texts.get("bare_fwd") or "").strip(" ") or None,
        "dyno": texts["dyno"] or None,
        "queue": whole(texts["queue"]),
        "wait_ms": whole(texts["wait"]),
        "connect_ms": whole(texts.get("connect")),
        "service_ms": whole(texts["service"]),
        "status": whole(texts["status"]),
        "bytes": whole(texts["bytes"]),
        "code": texts["code"] or None,
        "description": texts["description"] or None,
        "at": texts.get("at") or ("error" if "at" not in texts and texts["code"] else None),
        "sock": texts.get("sock") or texts.get("last_sock") or None,
        "protocol": texts.get("protocol") or None,
        "tls": {"true": True, "false": False}.get(texts.get("tls") or ""),
        "tls_version": texts.get("tls_version") or None,
    }


def rack_timeout(found: re.Match[str]) -> Row:
    """Return the row of a rack-timeout line."""
    return {
        "request_id": found["request_id"] or None,
        "age_ms": whole(found["age"]),
        "timeout_ms": whole(found["timeout"]),
        "duration_ms": whole(found["duration"]),
        "state": found["state"] or None,
        "term_on_timeout": whole(found["term"]),
    }


def samples(message: str) -> list[Row]:
    """Return the rows of a runtime-metric line, one for each value."""
    boot = BOOT.search(message)
    return [
        {
            "boot": (boot[1] or boot[2]) if boot else None,
            "metric": (found["name"] or found["old_name"]).replace("-", "_"),
            "value": float(found["number"] or found["old_number"]),
            "unit": found["unit"] or found["old_unit"] or None,
        }
        for found in SAMPLE.finditer(message)
    ]


def database_samples(message: str) -> list[Row]:
    """Return the rows of a metric line of a database, one for each value."""
    attachment = re.search(r"(?:^| )source=(\S+)", message, re.ASCII)
    rows = []
    for row in samples(message):
        in_bytes = row["unit"] is None and row["metric"] in ("tmp_disk_used", "tmp_disk_available")
        rows.append(
            {
                "attachment": attachment[1] if attachment else None,
                "metric": row["metric"],
                "value": row["value"],
                "unit": "bytes" if in_bytes else row["unit"],
            }
        )
    return rows
