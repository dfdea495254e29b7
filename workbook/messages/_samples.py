"""How the values of a ``sample#NAME=VALUEUNIT`` line are read; the lines of dynos and of databases share it.

A line in the usual form (a known head, then nothing but well-formed values) is cut at ``sample#``, and each piece is read
by one expression that never has to look back, which is fast. Every other line is read by the general expression, value by
value. Both ways must give the same rows.
"""

_VALUE = r"[\w.-]+=-?\d{1,18}(?:\.\d{1,18})?[A-Za-z%/]*"


def usual(head: str) -> str:
    """Return a regular expression for a line in the usual form: that head, which has one group, and sound values."""
    return rf"^{head}(?: sample#{_VALUE})+$"


def rows(own: str, unit: str, general: str = "sample_pairs(message)") -> str:
    """Return CTEs and the last SELECT that make a row of each value of ``known``.

    ``known`` has source_id, line, time, message, head (what the group of the usual form found; empty text for other lines)
    and the columns named in ``own``; ``unit`` is the SQL of a unit (of metric and unit), ``general`` that of the pairs in
    a line that is not in the usual form.
    """
    return rf"""
pieces AS (
    SELECT
        * EXCLUDE (message, head),
        unnest(string_split(message, ' sample#')[2:]) AS piece
    FROM known
    WHERE head <> ''
),
found AS (
    SELECT
        * EXCLUDE (piece),
        regexp_extract(
            piece,
            '^([\w.-]+)=(-?\d{{1,18}}(?:\.\d{{1,18}})?)([A-Za-z%/]*)$',
            ['name', 'number', 'unit']
        ) AS pair_found,
        true AS is_sound
    FROM pieces
    UNION ALL
    SELECT
        *,
        coalesce(pair_found.number, '') <> '' AND is_unit(pair_found.unit) AS is_sound
    FROM (
        SELECT
            * EXCLUDE (message, head),
            unnest({general}) AS pair_found
        FROM known
        WHERE head = ''
    )
    WHERE pair_found.number <> '' OR pair_found.unit <> ''
),
texts AS (
    SELECT
        * EXCLUDE (pair_found),
        replace(pair_found.name, '-', '_') AS metric,
        pair_found.number AS number,
        pair_found.unit AS unit
    FROM found
)
SELECT
    source_id,
    line,
    time,
    {own},
    metric,
    CASE WHEN is_sound THEN try_cast(number AS DOUBLE) END AS value,
    CASE WHEN is_sound THEN {unit} END AS unit,
    CASE WHEN NOT is_sound THEN [metric] END AS unread
FROM texts
"""
