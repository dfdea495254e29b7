"""Lines that were split, whole again: pieces of a dump, wraps by a backslash, messages cut at 10,000 bytes."""

from __future__ import annotations

from types import ModuleType

from workbook import limits
from workbook.database import Database

LOOSE_ENDS = {
    "notice": "not a log line: printed around the log",
    "loose": "not a log line: no record is open here",
}
"""Why a piece that belongs to no record is unread, by its place."""


LONG_MESSAGE = limits.LOGPLEX_CHUNK_BYTES
NOTHING_PLACED = "CREATE OR REPLACE TEMP TABLE placed (line BIGINT, text VARCHAR, place VARCHAR)"


def join_pieces(database: Database, loader: ModuleType, first_line: int) -> None:
    """Make ``records`` (line, text) of ``numbered`` (line, text): every piece joined to the record it belongs to.

    ``placed`` (line, text, place) then holds every physical line that begins no record: ``record`` (begins one with the
    pieces after it), ``joined``, ``blank``, ``notice`` or ``loose``.
    """
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE pieces AS SELECT line, text FROM numbered WHERE NOT ({loader.STARTS})"
    )
    if not database.fetch("SELECT EXISTS (FROM pieces)")[0][0]:
        database.execute("CREATE OR REPLACE TEMP VIEW records AS SELECT line, text FROM numbered")
        database.execute(NOTHING_PLACED)
        return
    broken = "true" if loader.GLUE == "" else "false"
    notice = getattr(loader, "NOTICE", "false")
    database.execute(
        _PLACE_PIECES.format(starts=loader.STARTS, notice=notice, broken=broken, nothing=first_line - 1)
    )
    database.execute(_JOIN_PIECES, glue=loader.GLUE)
    database.execute(_RECORDS)


def join_chunks(database: Database) -> None:
    """Join messages of ``fresh`` that the log system cut at exactly 10,000 bytes; their later lines are ``placed``.

    The pieces carry the same time, source and process (Dev Center, logging: message length).
    """
    long = LONG_MESSAGE
    if not database.fetch("SELECT EXISTS (FROM fresh WHERE strlen(message) = $long)", long=long)[0][0]:
        return
    database.execute(_CHUNKS, long=long)
    database.execute("DELETE FROM fresh WHERE line IN (SELECT unnest(later) FROM chunks)")
    database.execute("UPDATE fresh SET message = chunks.message FROM chunks WHERE chunks.line = fresh.line")
    database.execute("INSERT INTO placed BY NAME SELECT unnest(later) AS line, 'joined' AS place FROM chunks")


# Pieces are physical lines that begin no record. A run of neighbouring pieces follows the record on the line before it.
# A piece that makes a beginning together with the next one (or two) begins a record itself: a newline fell into its
# timestamp. A blank or a notice ends what can be joined where newlines do not belong to messages.
_PLACE_PIECES = """
CREATE OR REPLACE TEMP TABLE placed AS
WITH neighbours AS (
    SELECT
        line,
        text,
        line - row_number() OVER (ORDER BY line) AS run,
        lead(text) OVER (ORDER BY line) AS next_text,
        lead(text, 2) OVER (ORDER BY line) AS third_text,
        lead(line) OVER (ORDER BY line) = line + 1 AS next_follows,
        lead(line, 2) OVER (ORDER BY line) = line + 2 AS third_follows
    FROM pieces
),
seams AS (
    SELECT line, text || next_text AS text
    FROM neighbours
    WHERE {broken} AND next_follows AND text <> ''
),
double_seams AS (
    SELECT line, text || next_text || third_text AS text
    FROM neighbours
    WHERE {broken} AND next_follows AND third_follows AND text <> ''
),
beginnings AS (
    SELECT line FROM seams WHERE {starts}
    UNION
    SELECT line FROM double_seams WHERE {starts} AND line NOT IN (SELECT line - 1 FROM seams WHERE {starts})
),
kinds AS (
    SELECT
        neighbours.line,
        text,
        run,
        beginnings.line IS NOT NULL AS begins,
        trim(text, e' \\t\\r\\n') = '' AS blank,
        beginnings.line IS NULL AND ({notice}) AS notice
    FROM neighbours
    LEFT JOIN beginnings ON beginnings.line = neighbours.line
),
groups AS (
    SELECT
        *,
        max(CASE WHEN begins THEN line END) OVER earlier AS begun,
        count(*) FILTER (WHERE (blank OR notice) AND {broken}) OVER earlier AS breaks,
        max(CASE WHEN NOT blank THEN line END) OVER whole_run AS last_text
    FROM kinds
    WINDOW
        earlier AS (PARTITION BY run ORDER BY line ROWS UNBOUNDED PRECEDING),
        whole_run AS (PARTITION BY run)
),
anchors AS (
    SELECT
        *,
        coalesce(begun, (min(line) OVER (PARTITION BY run)) - 1) AS anchor,
        breaks > coalesce(max(CASE WHEN begins THEN breaks END) OVER earlier, 0) AS broken
    FROM groups
    WINDOW earlier AS (PARTITION BY run ORDER BY line ROWS UNBOUNDED PRECEDING)
)
SELECT
    line,
    text,
    CASE
        WHEN begins THEN 'record'
        WHEN blank AND ({broken} OR line > last_text OR last_text IS NULL OR anchor = {nothing}) THEN 'blank'
        WHEN notice THEN 'notice'
        WHEN broken OR anchor = {nothing} THEN 'loose'
        ELSE 'joined'
    END AS place,
    anchor
FROM anchors
"""

# A wrap by a backslash, as printed in books and tickets, stands for one blank.
_JOIN_PIECES = r"""
CREATE OR REPLACE TEMP TABLE whole AS
WITH anchors AS (
    SELECT DISTINCT anchor
    FROM placed
    WHERE place IN ('joined', 'record')
),
parts AS (
    SELECT line AS anchor, line, text
    FROM numbered
    WHERE line IN (FROM anchors)
    UNION ALL
    SELECT anchor, line, text
    FROM placed
    WHERE place = 'joined'
),
last_parts AS (
    SELECT anchor, max(line) AS last_line
    FROM parts
    GROUP BY anchor
)
SELECT
    anchor AS line,
    string_agg(
        CASE WHEN $glue = '' AND line < last_line AND ends_with(text, ' \') THEN left(text, -1) ELSE text END,
        $glue
        ORDER BY line
    ) AS text
FROM parts
JOIN last_parts USING (anchor)
GROUP BY anchor
"""

_RECORDS = """
CREATE OR REPLACE TEMP VIEW records AS
SELECT line, text
FROM numbered
WHERE line NOT IN (SELECT line FROM placed)
    AND line NOT IN (SELECT line FROM whole)
UNION ALL
SELECT line, text
FROM whole
"""

_CHUNKS = """
CREATE OR REPLACE TEMP TABLE chunks AS
WITH cut AS (
    SELECT DISTINCT time, source, process
    FROM fresh
    WHERE strlen(message) = $long
),
neighbours AS (
    SELECT
        fresh.*,
        coalesce(lag(strlen(message)) OVER same <> $long, true) AS begins
    FROM fresh
    JOIN cut USING (time, source, process)
    WINDOW same AS (PARTITION BY time, source, process ORDER BY line)
),
numbered AS (
    SELECT
        *,
        sum(begins::INTEGER) OVER (PARTITION BY time, source, process ORDER BY line) AS number
    FROM neighbours
)
SELECT
    min(line) AS line,
    count(*) AS pieces,
    list(line ORDER BY line)[2:] AS later,
    string_agg(message, '' ORDER BY line) AS message
FROM numbered
GROUP BY time, source, process, number
HAVING count(*) > 1
"""
