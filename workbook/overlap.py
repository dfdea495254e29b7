"""The same line by two ways, counted once: overlapping dumps, an archive and a dump."""

from __future__ import annotations

from collections.abc import Iterable

from workbook.database import Database


def drop(database: Database, tables: Iterable[str], fresh_is_coarse: bool) -> int:
    """Drop lines of ``fresh`` that another source holds; return how many.

    Of the same line in whole seconds and in microseconds the finer one stays: where that is the one in ``fresh``, the
    other is taken out of ``log_lines`` and the given typed tables and counted as a duplicate of its own source. So the
    order of loading does not matter. A line of ``fresh`` takes the place of one other line at most.
    """
    dropped = 0
    database.execute("CREATE OR REPLACE TEMP TABLE used (line BIGINT)")
    for source_id, source_is_coarse in database.fetch(_OVERLAPPING):
        unit = "second" if source_is_coarse or fresh_is_coarse else "microsecond"
        database.execute(_MATCHED.format(unit=unit, source_id=int(source_id)))
        matched = int(database.fetch("SELECT count(*) FROM matched")[0][0])
        if source_is_coarse and not fresh_is_coarse:
            _take_out(database, source_id, matched, tables)
            database.execute("INSERT INTO used SELECT line FROM matched")
        else:
            dropped += matched
            database.execute("DELETE FROM fresh WHERE line IN (SELECT line FROM matched)")
    return dropped


def _take_out(database: Database, source_id: int, count: int, tables: Iterable[str]) -> None:
    """Take the matched lines out of the coarse source, and out of every table made from them."""
    for table in ("log_lines", *tables):
        database.execute(
            f"DELETE FROM {table} WHERE source_id = $id AND line IN (SELECT known_line FROM matched)",
            id=source_id,
        )
    database.execute(
        "DELETE FROM unread_lines WHERE source_id = $id AND starts_with(reason, 'field ')"
        " AND line IN (SELECT known_line FROM matched)",
        id=source_id,
    )
    database.execute(
        "UPDATE sources SET log_lines = log_lines - $n, duplicates = duplicates + $n WHERE source_id = $id",
        n=count,
        id=source_id,
    )


_OVERLAPPING = """
SELECT source_id, coalesce(whole_seconds, false) AS is_coarse
FROM sources
WHERE last_time >= (SELECT date_trunc('second', min(time)) FROM fresh)
    AND first_time <= (SELECT max(time) + INTERVAL 1 SECOND FROM fresh)
    AND source_id IN (SELECT DISTINCT source_id FROM log_lines)
ORDER BY source_id
"""

# Copies of one line are matched in order: the first here with the first there. The command line trims and collapses
# blanks, so they do not count.
_MATCHED = r"""
CREATE OR REPLACE TEMP TABLE matched AS
WITH span AS (
    SELECT date_trunc('second', min(time)) AS low, max(time) + INTERVAL 1 SECOND AS high
    FROM fresh
),
here AS (
    SELECT
        line,
        date_trunc('{unit}', time) AS moment,
        source,
        process,
        regexp_replace(trim(coalesce(message, '')), '\s+', ' ', 'g') AS words,
        row_number() OVER (PARTITION BY moment, source, process, words ORDER BY line) AS copy
    FROM fresh
    WHERE time IS NOT NULL AND line NOT IN (SELECT line FROM used)
),
there AS (
    SELECT
        line AS known_line,
        date_trunc('{unit}', time) AS moment,
        source,
        process,
        regexp_replace(trim(coalesce(message, '')), '\s+', ' ', 'g') AS words,
        row_number() OVER (PARTITION BY moment, source, process, words ORDER BY line) AS copy
    FROM log_lines, span
    WHERE source_id = {source_id} AND time >= low AND time <= high
)
SELECT line, known_line
FROM here
JOIN there
    ON here.moment = there.moment
    AND here.source IS NOT DISTINCT FROM there.source
    AND here.process IS NOT DISTINCT FROM there.process
    AND here.words = there.words
    AND here.copy = there.copy
"""
