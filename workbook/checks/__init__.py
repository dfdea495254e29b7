"""The rules of the book as checks: what it says, what holds today, what was measured, and whether that is within it.

One file a chapter. A file has ``RULES``, the words of each check by the id of its place in the book; ``SQL``, table
expressions that read the typed tables; and ``MEASURED``, those of them that give ``id``, ``measured`` with ``unit``,
``value`` in words, ``verdict`` (pass, warn, fail, cannot_tell) and ``evidence`` (at most three lines). A check without
such a row, or whose verdict is NULL, cannot tell. ``STATEMENT`` is all of them as one statement.
"""

from __future__ import annotations

from workbook.checks import (
    _shared,
    afterword,
    builds,
    certificates,
    database,
    logs,
    memory,
    new_relic,
    timeouts,
)
from workbook.checks._rule import Rule, literal

_CHAPTERS = (logs, certificates, memory, timeouts, database, new_relic, builds, afterword)
RULES: tuple[Rule, ...] = tuple(
    sorted((rule for chapter in _CHAPTERS for rule in chapter.RULES), key=lambda rule: rule.id)
)
VERDICTS = ("fail", "warn", "pass", "cannot_tell")


def _statement() -> str:
    expressions = ",\n".join([_shared.SQL.strip(), *(chapter.SQL.strip() for chapter in _CHAPTERS)])
    measured = "\n    UNION ALL BY NAME\n".join(
        f"    SELECT id, measured::DOUBLE AS measured, unit, value, verdict, evidence FROM {name}"
        for chapter in _CHAPTERS
        for name in chapter.MEASURED
    )
    rules = ",\n        ".join(
        f"({place}, {', '.join(map(literal, rule.words()))})" for place, rule in enumerate(RULES)
    )
    return f"""
WITH {expressions},
rules (place, id, chapter, "check", book_value, today_value, "load", step, source) AS (
    VALUES
        {rules}
),
measured_rows AS (
{measured}
)
SELECT
    rules.id,
    chapter,
    "check",
    book_value,
    today_value,
    CASE WHEN verdict IS NOT NULL THEN value END AS value,
    CASE WHEN verdict IS NOT NULL THEN round(measured, 9) END AS measured,
    unit,
    coalesce(verdict, 'cannot_tell') AS verdict,
    CASE
        WHEN verdict IN ('warn', 'fail') THEN step
        WHEN verdict = 'pass' THEN NULL
        ELSE "load"
    END AS next_step,
    source,
    CASE
        WHEN verdict IS NULL THEN []
        ELSE coalesce(list_filter(evidence, lambda one: one.line IS NOT NULL), [])[1:3]
    END AS evidence
FROM rules
CROSS JOIN is_asked
LEFT JOIN measured_rows ON measured_rows.id = rules.id
WHERE asked
ORDER BY rules.place
"""


STATEMENT = _statement()
"""One row for each rule; parameters ``$start`` and ``$end``."""

__all__ = ["RULES", "STATEMENT", "VERDICTS", "Rule"]
