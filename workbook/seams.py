"""Sources that overlap or adjoin are one log: what depends on several lines is read again over all of their lines.

A dump may end between a dyno's memory and its error, and of two overlapping dumps one keeps the first line of a trace
and the other its frames. ``sources.apart`` says which sources still have to be looked at, so a load that was stopped
before is finished by the next one.
"""

from __future__ import annotations

from datetime import timedelta

from workbook import staging
from workbook.database import Database

# The longest that a kind of line looks back; a request of a web dyno ends within 30 s.
_NEAR = timedelta(seconds=60)


def join(database: Database) -> None:
    """Read again what depends on several lines, where a new source overlaps or adjoins another."""
    for sources in _neighbourhoods(database):
        if not any(apart for _, apart in sources):
            continue
        ids = sorted(source_id for source_id, _ in sources)
        with database.transaction():
            if len(ids) > 1:
                _read_again(database, ids)
            database.execute(
                f"UPDATE sources SET apart = false WHERE source_id IN ({', '.join(map(str, ids))})"
            )


def _neighbourhoods(database: Database) -> list[list[tuple[int, bool]]]:
    """The sources of log lines, in groups whose times overlap or nearly touch."""
    groups: list[list[tuple[int, bool]]] = []
    end = None
    for source_id, first, last, apart in database.fetch(_SOURCES):
        if end is None or first > end + _NEAR:
            groups.append([])
            end = last
        groups[-1].append((int(source_id), bool(apart)))
        end = max(end, last)
    return groups


def _read_again(database: Database, ids: list[int]) -> None:
    for source_id in ids:
        staging.forget_neighbours(database, source_id)
    stage = staging.Stage(ids[0])
    try:
        of_these = f"source_id IN ({', '.join(map(str, ids))})"
        stage.replace_context(
            database.rows(_ONE_LOG.format(of_these=of_these, neighbours=staging.neighbours()))
        )
        stage.fill(database, with_neighbours=True)
    finally:
        stage.close()


_SOURCES = """
SELECT source_id, first_time, last_time, coalesce(apart, false)
FROM sources
WHERE first_time IS NOT NULL AND source_id IN (SELECT source_id FROM log_lines)
ORDER BY first_time, source_id
"""

# Within a process the order of the file stays; between processes and files it is that of time. The order of files is
# that of their own times and texts, not of loading. Lines without a time stay with those of their own file.
_ONE_LOG = """
WITH ranks AS (
    SELECT
        source_id,
        row_number() OVER (ORDER BY first_time, sha256) AS rank
    FROM sources
    WHERE {of_these}
),
moments AS (
    SELECT
        log_lines.*,
        rank,
        max(time) OVER (PARTITION BY source_id, source, process ORDER BY line) AS moment
    FROM log_lines
    JOIN ranks USING (source_id)
    WHERE {neighbours}
)
SELECT
    source_id AS origin_source,
    line AS origin_line,
    0::INTEGER AS source_id,
    CASE WHEN time IS NULL THEN rank * 1_000_000_000_000 ELSE 0 END
    + row_number() OVER (ORDER BY moment, rank, line) AS line,
    time,
    received_at,
    source,
    process,
    message
FROM moments
ORDER BY 4
"""
