"""Lines that begin with ``Feb  4 17:46:52 ``: month, day and clock, with neither year nor zone.

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
