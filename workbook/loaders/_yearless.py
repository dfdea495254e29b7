"""Lines that begin with ``Feb  4 17:46:52 host ``: month, day and clock, with neither year nor zone; then who wrote them.

The year that is given (or the file's) is that of the newest line. Two neighbouring lines are taken to be less than half
a year apart: from December to January the year goes up, and back down where two lines stand out of order.
"""

STARTS = r"regexp_matches(text, '^[A-Z][a-z]{2} [ 0-3]\d \d\d:\d\d:\d\d ')"

# Gives `dated`: line, time (UTC; NULL for a day that the year does not have) and the rest of the text.
DATED = r"""
WITH months AS (
    SELECT
        line,
        nullif((instr('JanFebMarAprMayJunJulAugSepOctNovDec', substr(text, 1, 3)) + 2) // 3, 0) AS month
    FROM records
),
steps AS (
    SELECT
        line,
        month - lag(month IGNORE NULLS) OVER (ORDER BY line) AS step
    FROM months
),
changes AS (
    SELECT 0 AS line, 0 AS change
    UNION ALL
    SELECT line, CASE WHEN step < 0 THEN 1 ELSE -1 END AS change
    FROM steps
    WHERE abs(step) > 6
),
turns AS (
    SELECT
        line AS first_line,
        lead(line) OVER (ORDER BY line) AS next_line,
        sum(change) OVER (ORDER BY line) AS turn
    FROM changes
),
newest AS (
    SELECT max(turn) AS newest_turn
    FROM turns
),
years AS (
    SELECT
        first_line,
        coalesce(next_line, 9223372036854775807) AS next_line,
        ($year::INTEGER + turn - newest_turn)::INTEGER AS year
    FROM turns
    CROSS JOIN newest
),
dated AS (
    SELECT
        line,
        utc_of(try_strptime(year || ' ' || substr(text, 1, 15), '%Y %b %d %H:%M:%S'), $zone) AS time,
        substr(text, 17) AS rest
    FROM records
    JOIN years ON line >= first_line AND line < next_line
)
"""

# Who wrote a line, and the rest of it: a drain that was rewritten keeps Heroku's bracket; of others a first word that
# ends in a colon is the program; without a colon only source/process is one.
_PROGRAMS = r"""
words AS (
    SELECT
        line,
        time,
        rest,
        regexp_extract(rest, '^(\S+ (app|heroku)\[([\w.-]+)\](?: -)?(?: -|:)?(?: |$))', ['head', 'source', 'process']) AS drain,
        regexp_extract(rest, '^(\S+ ([^\s\[\]:]+)\[(\d+)\]:(?: |$))', ['head', 'program', 'pid']) AS server,
        regexp_extract(
            rest,
            '^(\S+ (?:(\S*:)(?:\s|$)|([\w.-]+/[\w./-]+)(?:\s|$))?)',
            ['head', 'with_colon', 'without_colon']
        ) AS store
    FROM dated
),
programs AS (
    SELECT
        *,
        CASE WHEN store.with_colon <> '' THEN store.with_colon[:-2] ELSE store.without_colon END AS program,
        instr(program, '/') AS slash
    FROM words
)
SELECT
    line,
    time,
    {received_at} AS received_at,
    CASE
        WHEN drain.head <> '' THEN drain.source
        WHEN server.head <> '' THEN 'app'
        WHEN slash > 0 THEN nullif(substr(program, 1, slash - 1), '')
        WHEN program <> '' THEN {own_source}
    END AS source,
    CASE
        WHEN drain.head <> '' THEN drain.process
        WHEN server.head <> '' THEN server.program || '.' || server.pid
        ELSE nullif(substr(program, slash + 1), '')
    END AS process,
    CASE
        WHEN drain.head <> '' THEN substr(rest, length(drain.head) + 1)
        WHEN server.head <> '' THEN substr(rest, length(server.head) + 1)
        ELSE substr(rest, length(store.head) + 1)
    END AS message,
    CASE WHEN time IS NULL THEN 'field time' END AS reason
FROM programs
ORDER BY line
"""


def records(*, received_at: str = "NULL::TIMESTAMP", own_source: str = "NULL") -> str:
    """Return the statement that reads such lines.

    ``received_at`` is SQL for when a log store received a line, ``own_source`` for the source of a program that names none.
    """
    return f"{DATED.strip()},{_PROGRAMS.format(received_at=received_at, own_source=own_source)}"
