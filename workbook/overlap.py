"""The same line by two ways, counted once: overlapping dumps, an archive and a dump."""

from __future__ import annotations

from collections.abc import Iterable

from workbook.database import Database


def drop(database: Database, source_id: int, tables: Iterable[str], is_coarse: bool, since_line: int) -> int:
    """Drop lines of a source that another source holds too; return how many.

    Lines before ``since_line`` were compared before.

    Of the same line in whole seconds and in microseconds the finer one stays: where that is the new source's, the other
    is taken out of ``log_lines`` and the given typed tables and counted as a duplicate of its own source. So the order
    of loading does not matter. A line takes the place of one other line at most.
    """
    dropped = 0
    database.execute("CREATE OR REPLACE TEMP TABLE used (line BIGINT)")
    for other, other_is_coarse, low, high in database.fetch(_OVERLAPPING, id=source_id):
        unit = "second" if other_is_coarse or is_coarse else "microsecond"
        database.execute(
            _MATCHED.format(unit=unit), id=source_id, other=other, low=low, high=high, since=since_line
        )
        matched = int(database.fetch("SELECT count(*) FROM matched")[0][0])
        if not matched:
            continue
        if other_is_coarse and not is_coarse:
            _take_out(database, other, "known_line", tables)
            database.execute(
                "UPDATE sources SET log_lines = log_lines - $n, duplicates = duplicates + $n WHERE source_id = $id",
                n=matched,
                id=other,
            )
            database.execute("INSERT INTO used SELECT line FROM matched")
        else:
            _take_out(database, source_id, "line", tables)
            dropped += matched
    database.execute("DROP TABLE IF EXISTS matched")
    database.execute("DROP TABLE used")
    return dropped


def _take_out(database: Database, source_id: int, column: str, tables: Iterable[str]) -> None:
    """Take the matched lines out of a source, and out of every table made from them."""
    matched = f"source_id = $id AND line IN (SELECT {column} FROM matched)"
    for table in ("log_lines", *tables):
        database.execute(f"DELETE FROM {table} WHERE {matched}", id=source_id)
    database.execute(
        f"DELETE FROM unread_lines WHERE {matched} AND starts_with(reason, 'field ')", id=source_id
    )


# The order is that of the files' own times, not of loading.
_OVERLAPPING = """
SELECT
    other.source_id,
    coalesce(other.whole_seconds, false) AS is_coarse,
    date_trunc('second', greatest(this.low, other.first_time - INTERVAL 1 SECOND)) AS low,
    least(this.high, other.last_time) + INTERVAL 1 SECOND AS high
FROM sources AS other
CROSS JOIN (
    SELECT min(time) AS low, max(time) AS high
    FROM log_lines
    WHERE source_id = $id
) AS this
WHERE other.source_id <> $id
    AND other.last_time >= date_trunc('second', this.low)
    AND other.first_time <= this.high + INTERVAL 1 SECOND
    AND EXISTS (FROM log_lines WHERE log_lines.source_id = other.source_id)
ORDER BY other.source_id
"""

# Copies of one line are matched in order: the first here with the first there. The command line trims and collapses
# blanks, so they do not count.
_MATCHED = r"""
CREATE OR REPLACE TEMP TABLE matched AS
WITH here AS (
    SELECT
        line,
        date_trunc('{unit}', time) AS moment,
        source,
        process,
        regexp_replace(trim(coalesce(message, '')), '\s+', ' ', 'g') AS words,
        row_number() OVER (PARTITION BY moment, source, process, words ORDER BY line) AS copy
    FROM log_lines
    WHERE source_id = $id
        AND line >= $since
        AND time >= $low::TIMESTAMP
        AND time <= $high::TIMESTAMP
        AND line NOT IN (SELECT line FROM used)
),
there AS (
    SELECT
        line AS known_line,
        date_trunc('{unit}', time) AS moment,
        source,
        process,
        regexp_replace(trim(coalesce(message, '')), '\s+', ' ', 'g') AS words,
        row_number() OVER (PARTITION BY moment, source, process, words ORDER BY line) AS copy
    FROM log_lines
    WHERE source_id = $other
        AND time >= $low::TIMESTAMP
        AND time <= $high::TIMESTAMP
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
