"""Which lines of the log belong in a ticket: the cited ones, their requests, what changed before, what else failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from workbook import codes, limits
from workbook.analysis import Evidence, Finding, Query
from workbook.ticket.support import Impact

_NEIGHBOURS = 2
_MOST_OF_A_KIND = 8

_TEXT = """
        coalesce(strftime(l.time, '%Y-%m-%dT%H:%M:%S.%f+00:00 '), '')
            || coalesce(l.source || '[' || l.process || ']: ', l.source || ': ', '')
            || l.message AS text
"""

_CITED = """
cited AS (
    SELECT
        unnest($source_ids::INTEGER[]) AS source_id,
        unnest($lines::BIGINT[]) AS line,
        unnest(range(len($lines::BIGINT[]))) AS place
)"""

CHOSEN = f"""
WITH {_CITED},
cited_requests AS (
    SELECT DISTINCT request_id
    FROM requests
    JOIN cited USING (source_id, line)
    WHERE request_id IS NOT NULL
),
of_these_requests AS (
    SELECT source_id, line FROM requests WHERE request_id IN (FROM cited_requests)
    UNION ALL
    SELECT source_id, line FROM rack_timeouts WHERE request_id IN (FROM cited_requests)
    UNION ALL
    SELECT source_id, line FROM app_requests WHERE request_id IN (FROM cited_requests)
),
changes AS (
    SELECT source_id, line, time
    FROM releases
    WHERE event <> 'listed'
    UNION ALL
    SELECT source_id, line, time
    FROM dyno_states
    WHERE event IN ('stop', 'exit', 'restart', 'cycle')
        OR to_state = 'crashed'
),
changes_before AS (
    SELECT source_id, line
    FROM changes
    WHERE time BETWEEN $first::TIMESTAMP - to_minutes({limits.TICKET_CHANGE_MINUTES}) AND $last::TIMESTAMP
    QUALIFY
        row_number() OVER (ORDER BY abs(epoch(time) - epoch($first::TIMESTAMP)), source_id, line)
        <= {_MOST_OF_A_KIND}
),
failures AS (
    SELECT source_id, line, time FROM dyno_errors
    UNION ALL
    SELECT source_id, line, time FROM log_errors
    UNION ALL
    SELECT source_id, line, time FROM requests WHERE code LIKE 'H%'
),
failures_then AS (
    SELECT source_id, line
    FROM failures
    WHERE time BETWEEN $first::TIMESTAMP AND $last::TIMESTAMP
    QUALIFY row_number() OVER (ORDER BY time, source_id, line) <= {_MOST_OF_A_KIND}
),
beside AS (
    SELECT source_id, line + unnest(range(-{_NEIGHBOURS}, {_NEIGHBOURS} + 1)) AS line
    FROM cited
),
reasons (rank, why, share) AS (
    VALUES
        (1, 'cited', 20),
        (2, 'same request', 8),
        (3, 'changed before', 6),
        (4, 'failed then', 4),
        (5, 'beside', 2)
),
wanted AS (
    SELECT source_id, line, 1 AS rank, place FROM cited
    UNION ALL
    SELECT source_id, line, 2, NULL FROM of_these_requests
    UNION ALL
    SELECT source_id, line, 3, NULL FROM changes_before
    UNION ALL
    SELECT source_id, line, 4, NULL FROM failures_then
    UNION ALL
    SELECT source_id, line, 5, NULL FROM beside
),
chosen AS (
    SELECT source_id, line, min(rank) AS rank, min(place) AS place
    FROM wanted
    GROUP BY source_id, line
),
ranked AS (
    SELECT
        c.source_id,
        c.line,
        c.rank,
        l.time,
        row_number() OVER (PARTITION BY c.rank ORDER BY c.place, l.time NULLS LAST, c.source_id, c.line) AS number
    FROM chosen AS c
    JOIN log_lines AS l USING (source_id, line)
),
shown AS (
    SELECT source_id, line, why
    FROM ranked
    JOIN reasons USING (rank)
    -- each reason has its share of the lines; what one leaves over the others take
    QUALIFY row_number() OVER (ORDER BY number > share, rank, number) <= {limits.TICKET_LINES}
)
SELECT
    s.path,
    l.source_id,
    l.line,
    l.time,
    shown.why,
{_TEXT}
FROM shown
JOIN log_lines AS l USING (source_id, line)
JOIN sources AS s USING (source_id)
ORDER BY l.time NULLS LAST, l.source_id, l.line
"""

SPAN = f"""
WITH {_CITED}
SELECT
    (SELECT min(time) FROM log_lines JOIN cited USING (source_id, line)) AS first_time,
    (SELECT max(time) FROM log_lines JOIN cited USING (source_id, line)) AS last_time,
    (SELECT max(last_time) FROM sources) AS as_of
"""

_NOT_FAILED = ", ".join(f"'{code}'" for code in (*codes.MAINTENANCE, *codes.CLIENT_GONE))

IMPACT = f"""
WITH told AS (
    SELECT
        time,
        coalesce(status >= 500, false) OR coalesce(code LIKE 'H%', false) AS is_error,
        is_error AND coalesce(code, '') NOT IN ({_NOT_FAILED}) AS is_failed,
        split_part(fwd, ',', 1) AS client
    FROM requests
),
ends AS (
    SELECT max(time) AS last_time FROM requests
)
SELECT
    count(*) FILTER (time BETWEEN $first::TIMESTAMP AND $last::TIMESTAMP) AS requests,
    count(*) FILTER (is_failed AND time BETWEEN $first::TIMESTAMP AND $last::TIMESTAMP) AS failed,
    count(DISTINCT client) FILTER (is_failed AND time BETWEEN $first::TIMESTAMP AND $last::TIMESTAMP) AS clients,
    count(*) FILTER (time > last_time - to_minutes({limits.DOWN_MINUTES})) AS last_requests,
    count(*) FILTER (is_failed AND time > last_time - to_minutes({limits.DOWN_MINUTES})) AS last_failed,
    count(*) FILTER (NOT is_error) AS answered
FROM told
CROSS JOIN ends
"""

ATTACHED = f"""
WITH attached AS (
    SELECT s.path, l.source_id, l.line, l.time,
{_TEXT}
    FROM log_lines AS l
    JOIN sources AS s USING (source_id)
    WHERE l.time BETWEEN $first::TIMESTAMP - to_minutes({limits.TICKET_LOG_MINUTES})
        AND $last::TIMESTAMP + to_minutes({limits.TICKET_LOG_MINUTES})
)
SELECT path, line, text, count(*) OVER () AS all_lines
FROM attached
ORDER BY time, source_id, line
LIMIT {limits.TICKET_LOG_LINES}
"""

PATHS = "SELECT path, source_id FROM sources ORDER BY source_id"

TEXTS = f"""
WITH {_CITED}
SELECT DISTINCT
    l.source_id,
    l.line,
{_TEXT}
FROM log_lines AS l
JOIN cited USING (source_id, line)
ORDER BY l.source_id, l.line
"""

REQUEST_IDS = f"""
WITH {_CITED}
SELECT request_id, min(time) AS time, arg_min(code, time) AS code, arg_min(status, time) AS status
FROM requests
JOIN cited USING (source_id, line)
WHERE request_id IS NOT NULL
GROUP BY request_id
ORDER BY bool_or(code IS NOT NULL OR status >= 500) DESC NULLS LAST, min(place), request_id
LIMIT {limits.TICKET_REQUEST_IDS}
"""


def cited(finding: Finding, query: Query) -> tuple[list[int], list[int], tuple[Evidence, ...]]:
    """Return source ids and lines of what a finding and its parts cite, and the evidence that is no line of a log."""
    ids: dict[str, list[int]] = {}
    for path, source_id in query(PATHS).itertuples(index=False, name=None):
        ids.setdefault(str(path), []).append(int(source_id))
    evidence = [one for one in all_evidence(finding) if one.source in ids]
    lines = dict.fromkeys(
        (source_id, one.line) for one in evidence if one.text for source_id in ids[one.source]
    )
    texts = query(TEXTS, source_ids=[source_id for source_id, _ in lines], lines=[line for _, line in lines])
    # two sources may have come by the same name (standard input): the text tells which one is meant
    known = set(zip(texts["source_id"], texts["line"], texts["text"], strict=True))
    found = dict.fromkeys(
        (source_id, one.line)
        for one in evidence
        for source_id in ids[one.source]
        if (source_id, one.line, one.text) in known
    )
    other = dict.fromkeys(one for one in evidence if not one.text)
    return [source for source, _ in found], [line for _, line in found], tuple(other)


def all_evidence(finding: Finding) -> list[Evidence]:
    """Return the lines that a finding and its parts cite, the finding's first."""
    return [*finding.evidence, *(one for part in finding.parts for one in all_evidence(part))]


def span(
    query: Query, finding: Finding, source_ids: list[int], lines: list[int]
) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return first and last time of what the finding is about, and the last time of the evidence; None if not known."""
    row = query(SPAN, source_ids=source_ids, lines=lines).iloc[0]
    first, last = row["first_time"], row["last_time"]
    if finding.about is not None:
        first = first if pd.isna(finding.about[0]) else finding.about[0]
        last = last if pd.isna(finding.about[1]) else finding.about[1]
    if not pd.isna(first) and not pd.isna(last) and last < first:
        last = first
    return _moment(first), _moment(last), _moment(row["as_of"])


def _moment(value: Any) -> datetime | None:
    return None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()


def chosen(query: Query, source_ids: list[int], lines: list[int], **ends: Any) -> pd.DataFrame:
    """Return at most 40 lines: path, source_id, line, time (UTC), why, text, in the order of time."""
    return query(CHOSEN, source_ids=source_ids, lines=lines, **ends)


def impact(query: Query, **ends: Any) -> Impact:
    """Return how many requests failed in that time, and at the end of the log."""
    row = query(IMPACT, **ends).iloc[0]
    return Impact(**{name: int(row[name]) for name in Impact.__dataclass_fields__})


def request_ids(query: Query, shown: pd.DataFrame) -> pd.DataFrame:
    """Return the ids of the requests among the lines shown: request_id, time (UTC), code, status; at most 20.

    Those of failed requests come first.
    """
    return query(REQUEST_IDS, source_ids=_list(shown["source_id"]), lines=_list(shown["line"]))


def attached(query: Query, first: datetime | None, last: datetime | None) -> pd.DataFrame:
    """Return the lines of the log around that time: path, line, text, and all_lines, how many there are (count)."""
    return query(ATTACHED, first=first, last=last)


def _list(values: Sequence[Any] | pd.Series) -> list[int]:
    return [int(value) for value in values]
