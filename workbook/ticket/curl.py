"""The request to try again: a ``curl -I`` made of a router line, and what was pasted of one."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pandas as pd

from workbook.analysis import Query
from workbook.redact import Redactor

REQUEST = """
WITH cited AS (
    SELECT
        unnest($source_ids::INTEGER[]) AS source_id,
        unnest($lines::BIGINT[]) AS line
),
about AS (
    SELECT r.*, c.line IS NOT NULL AS is_cited
    FROM requests AS r
    LEFT JOIN (SELECT DISTINCT * FROM cited) AS c USING (source_id, line)
    WHERE c.line IS NOT NULL
        OR (r.time BETWEEN $first::TIMESTAMP AND $last::TIMESTAMP AND (r.status >= 500 OR r.code LIKE 'H%'))
)
SELECT s.path AS source, about.line, method, host, about.path AS path, protocol, tls, status, code
FROM about
JOIN sources AS s USING (source_id)
WHERE host IS NOT NULL AND about.path IS NOT NULL
ORDER BY
    is_cited DESC,
    method IN ('GET', 'HEAD') DESC,
    coalesce(status >= 500, false) DESC,
    service_ms DESC NULLS LAST,
    about.time,
    about.source_id,
    about.line
LIMIT 1
"""

PASTED = """
SELECT s.path AS source, t.line, t.said, t.arguments, t.text
FROM transcript AS t
JOIN sources AS s USING (source_id)
WHERE t.command = 'curl'
ORDER BY t.source_id, t.line
LIMIT $most
"""

MOST_PASTED = 60
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,40}")
_MOST_KEYS = 10
_ASKED = "GET", "HEAD"
# what a URL may hold without being encoded; not ' which ends a quoted word, nor [ ] { } which curl reads as patterns
_PLAIN = "/%:@!$&()*+,;=~-._"


@dataclass(frozen=True)
class Curl:
    """A command to run, the line that it was made of, and what to know about it."""

    command: str
    source: str
    line: int
    note: str = ""


def command(
    query: Query,
    redactor: Redactor,
    source_ids: list[int],
    lines: list[int],
    first: datetime | None,
    last: datetime | None,
    keep_host: bool,
) -> Curl | None:
    """Return a ``curl -I`` for the request that is cited first, or failed then; None where there is none to ask."""
    found = query(REQUEST, source_ids=source_ids, lines=lines, first=first, last=last)
    return None if found.empty else of_request(found.iloc[0], redactor, keep_host)


def of_request(row: pd.Series, redactor: Redactor, keep_host: bool) -> Curl | None:
    """Return the command for one request; None for a host that is no name, and for methods that change something."""
    host = str(row["host"])
    if not _HOST.fullmatch(host) or str(row["method"]) not in _ASKED:
        return None
    shown = host if keep_host else str(redactor.value(host, "host"))
    plain = row["protocol"] == "http" or (pd.notna(row["tls"]) and not row["tls"])
    address = f"{'http' if plain else 'https'}://{shown}{_target(str(row['path']), redactor)}"
    words = ["curl", "-sS", "-I", "--max-time", "60", address]
    note = "" if keep_host else f"{shown} stands for the name of your application: put it in."
    return Curl(shlex.join(words), str(row["source"]), int(row["line"]), note)


def _target(path: str, redactor: Redactor) -> str:
    """Return a path that is safe to type, its query reduced to the names of its parameters."""
    bare, _, query = path.partition("#")[0].partition("?")
    # what stands alone may be a secret; a name before "=" is none
    keys = dict.fromkeys(pair.partition("=")[0] for pair in re.split(r"[&;]", query) if "=" in pair)
    named = [quote(key, safe=_PLAIN) for key in keys if _KEY.fullmatch(key)][:_MOST_KEYS]
    encoded = quote(redactor.text(bare if bare.startswith("/") else f"/{bare}"), safe=_PLAIN)
    return encoded + (f"?{'&'.join(f'{key}=' for key in named)}" if named else "")


def pasted(query: Query) -> list[tuple[str, int, str]]:
    """Return what was pasted of curl: source, line and text of commands and of the headers that came back."""
    found = query(PASTED, most=MOST_PASTED)
    return [
        (str(row.source), int(row.line), f"$ {row.text}" if row.said == "command" else str(row.text))
        for row in _rows(found)
    ]


def _rows(frame: pd.DataFrame) -> Any:
    return frame.itertuples(index=False)
