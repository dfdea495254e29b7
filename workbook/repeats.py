"""The same row of a New Relic export by two ways, counted once: overlapping queries, a page and its JSON, a table."""

from __future__ import annotations

from workbook.database import Database

TABLES = ("transaction_samples", "response_breakdown", "transactions")
"""The tables whose rows may come twice; each has a rule of its own."""


def drop(database: Database, source_id: int) -> int:
    """Drop rows that this source and another both hold; return how many lines of this source lost all their rows.

    Of two transactions that are one the finer and fuller row stays, whichever came first, so that the order of loading
    does not change what the tables hold; lines that another source loses are counted as its duplicates here. Call it
    inside of the source's transaction, after its rows are in their tables.
    """
    before = _lines(database, source_id)
    for other, other_is_coarse, is_coarse in database.fetch(_OTHERS_WITH_SAMPLES, id=source_id):
        unit = "second" if other_is_coarse or is_coarse else "microsecond"
        database.execute(
            _SAME_SAMPLES.format(unit=unit),
            id=source_id,
            other=other,
            coarse=is_coarse,
            other_coarse=other_is_coarse,
        )
        _take_out(database, "transaction_samples", source_id, "SELECT line FROM same WHERE NOT better")
        _leave_out(database, "transaction_samples", other, "SELECT known_line FROM same WHERE better")
    for (other,) in database.fetch(_OTHERS_WITH_POINTS, id=source_id):
        database.execute(_SAME_POINTS, id=source_id, other=other)
        _take_out(database, "response_breakdown", source_id, "SELECT line FROM same")
    for other, is_within, holds in database.fetch(_SAME_TABLES, id=source_id):
        if is_within:
            _take_out(
                database,
                "transactions",
                source_id,
                f"SELECT line FROM transactions WHERE source_id = {source_id:d}",
            )
            break
        if holds:
            every_line = f"SELECT line FROM transactions WHERE source_id = {int(other)}"
            _leave_out(database, "transactions", other, every_line)
    database.execute("DROP TABLE IF EXISTS same")
    return before - _lines(database, source_id)


def _lines(database: Database, source_id: int) -> int:
    return int(database.fetch(_LINES, id=source_id)[0][0])


def _take_out(database: Database, table: str, source_id: int, lines: str) -> None:
    """Take the lines out of a table, and out of the fields that could not be read."""
    database.execute("CREATE OR REPLACE TEMP TABLE gone AS " + lines)
    for name, where in ((table, "true"), ("unread_lines", "starts_with(reason, 'field ')")):
        database.execute(
            f"DELETE FROM {name} WHERE source_id = $id AND {where} AND line IN (FROM gone)", id=source_id
        )
    database.execute("DROP TABLE gone")


def _leave_out(database: Database, table: str, source_id: int, lines: str) -> None:
    """Take the lines out of another source, and count them as its duplicates."""
    before = _lines(database, source_id)
    _take_out(database, table, source_id, lines)
    database.execute(
        "UPDATE sources SET log_lines = log_lines - $n, duplicates = duplicates + $n WHERE source_id = $id",
        n=before - _lines(database, source_id),
        id=source_id,
    )


_LINES = " + ".join(f"(SELECT count(DISTINCT line) FROM {table} WHERE source_id = $id)" for table in TABLES)
_LINES = f"SELECT {_LINES}"

_OTHERS_WITH_SAMPLES = """
WITH spans AS (
    SELECT
        source_id,
        min(time) AS first_time,
        max(time) AS last_time,
        bool_and(time = date_trunc('second', time)) AS is_coarse
    FROM transaction_samples
    WHERE time IS NOT NULL
    GROUP BY source_id
)
SELECT other.source_id, other.is_coarse, this.is_coarse
FROM spans AS this
JOIN spans AS other
    ON other.source_id <> this.source_id
    AND other.first_time <= this.last_time + INTERVAL 1 SECOND
    AND other.last_time >= date_trunc('second', this.first_time)
WHERE this.source_id = $id
ORDER BY other.source_id
"""

# A transaction is known by its time, name and duration to the microsecond. Copies in one source are transactions of
# their own: the first here is the first there.
_SAME_SAMPLES = """
CREATE OR REPLACE TEMP TABLE same AS
WITH samples AS (
    SELECT
        source_id,
        line,
        date_trunc('{unit}', time) AS moment,
        name,
        round(duration_ms, 3) AS duration_ms,
        (database_ms IS NOT NULL)::INTEGER
            + (queue_ms IS NOT NULL)::INTEGER
            + (external_ms IS NOT NULL)::INTEGER
            + (error IS NOT NULL)::INTEGER
            + (status IS NOT NULL)::INTEGER
            + (app IS NOT NULL)::INTEGER
            + (host IS NOT NULL)::INTEGER AS known
    FROM transaction_samples
    WHERE source_id IN ($id, $other) AND time IS NOT NULL AND name IS NOT NULL AND duration_ms IS NOT NULL
),
copies AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY source_id, moment, name, duration_ms ORDER BY line) AS copy
    FROM samples
)
SELECT
    here.line,
    there.line AS known_line,
    (NOT $coarse, here.known) > (NOT $other_coarse, there.known) AS better
FROM copies AS here
JOIN copies AS there USING (moment, name, duration_ms, copy)
WHERE here.source_id = $id AND there.source_id = $other
"""

_OTHERS_WITH_POINTS = """
SELECT DISTINCT other.source_id
FROM response_breakdown AS this
JOIN response_breakdown AS other USING (time, component)
WHERE this.source_id = $id AND other.source_id <> $id
ORDER BY other.source_id
"""

# A line of a time series is the same when each of its values stands in the other series at the same time. Where more
# lines at shared times differ than agree it is another series (another application, other buckets), and stays.
_SAME_POINTS = """
CREATE OR REPLACE TEMP TABLE same AS
WITH points AS (
    SELECT source_id, line, time, component, round(value_ms, 3) AS value_ms
    FROM response_breakdown
    WHERE source_id IN ($id, $other) AND time IS NOT NULL AND value_ms IS NOT NULL
),
copies AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY source_id, time, component, value_ms ORDER BY line) AS copy
    FROM points
),
known AS (
    SELECT time, component, value_ms, copy, true AS is_known
    FROM copies
    WHERE source_id = $other
),
shared_lines AS (
    SELECT line, bool_and(coalesce(is_known, false)) AS is_same
    FROM copies
    LEFT JOIN known USING (time, component, value_ms, copy)
    WHERE source_id = $id AND time IN (SELECT time FROM known)
    GROUP BY line
)
SELECT line
FROM shared_lines
WHERE is_same AND (SELECT count(*) FILTER (WHERE is_same) > count(*) FILTER (WHERE NOT is_same) FROM shared_lines)
"""

# A table of transactions has no times: it is the same only where every row of one is a row of the other.
_SAME_TABLES = """
WITH names AS (
    SELECT
        source_id,
        (
            name, is_total, calls, avg_ms, min_ms, max_ms, stddev_ms, total_ms, throughput_rpm, apdex, apdex_t, share
        )::VARCHAR AS row_text
    FROM transactions
),
copies AS (
    SELECT source_id, row_text, row_number() OVER (PARTITION BY source_id, row_text) AS copy
    FROM names
),
sizes AS (
    SELECT source_id, count(*) AS row_count
    FROM copies
    GROUP BY source_id
),
shared AS (
    SELECT there.source_id, count(*) AS row_count
    FROM copies AS here
    JOIN copies AS there USING (row_text, copy)
    WHERE here.source_id = $id AND there.source_id <> $id
    GROUP BY there.source_id
)
SELECT
    shared.source_id,
    shared.row_count = this.row_count AS is_within,
    shared.row_count = other.row_count AS holds
FROM shared
JOIN sizes AS other ON other.source_id = shared.source_id
JOIN sizes AS this ON this.source_id = $id
ORDER BY shared.source_id
"""
