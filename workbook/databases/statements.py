"""Statements that run long or cost most, locks, bloat, and the checks of a diagnosis."""

from __future__ import annotations

import pandas as pd

from workbook import limits, words
from workbook.analysis import Finding, cite
from workbook.databases.telling import REFERENCE, evidence_of, named, text

CTES = rf"""
checks AS (
    SELECT
        'check' AS section,
        database,
        replace(fact, 'Check: ', '') AS name,
        lower(value) AS verdict,
        value AS said,
        [place] AS evidence
    FROM facts
    WHERE starts_with(fact, 'Check: ') AND value IN ('RED', 'YELLOW')
),
queries AS (
    SELECT
        'query' AS section,
        name,
        CASE
            WHEN report = 'long_running_queries' AND number >= {limits.LONG_QUERY_S} THEN 'slow'
            ELSE 'told'
        END AS verdict,
        number AS measured,
        unit,
        CASE WHEN report = 'long_running_queries' THEN {limits.LONG_QUERY_S} END AS limit_value,
        report AS said,
        [place] AS evidence
    FROM statistics
    WHERE (report = 'long_running_queries' AND statistic = 'duration' AND number IS NOT NULL)
        OR (report IN ('outliers', 'calls') AND statistic IN ('prop_exec_time') AND number IS NOT NULL)
    QUALIFY row_number() OVER (PARTITION BY report ORDER BY number DESC, name, place.line) <= 3
),
waiting_locks AS (
    SELECT
        'locks' AS section,
        coalesce(name, 'a lock') AS name,
        'waits' AS verdict,
        report AS said,
        [place] AS evidence
    FROM statistics
    WHERE (report = 'locks' AND statistic = 'granted' AND value IN ('f', 'false'))
        OR (report = 'blocking' AND statistic = 'blocked_pid')
),
bloated AS (
    SELECT
        'bloat' AS section,
        name,
        'bloated' AS verdict,
        max_by(number, place) FILTER (statistic = 'bloat') AS measured,
        'times' AS unit,
        {limits.BLOAT_FACTOR} AS limit_value,
        max_by(value, place) FILTER (statistic = 'waste') || ' wasted' AS said,
        [any_value(place ORDER BY place.source_id, place.line)] AS evidence
    FROM statistics
    WHERE report = 'bloat'
    GROUP BY name
    HAVING measured >= {limits.BLOAT_FACTOR}
        AND max_by(number, place) FILTER (statistic = 'waste') >= {limits.BLOAT_MB} * 1024 ** 2
)
"""

ROWS = ("checks", "queries", "waiting_locks", "bloated")


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Queries that run long, locks that wait, bloat, and the red and yellow checks of a diagnosis."""
    found = []
    slow = rows[(rows["section"] == "query") & (rows["verdict"] == "slow")]
    if not slow.empty:
        worst = slow.sort_values("value", ascending=False, kind="stable").iloc[0]
        title = f"A statement has run for {words.ms(1000 * worst['value'])}: {words.cut(text(worst['name']), 80)}."
        found.append(
            Finding(
                "warning",
                title,
                {"seconds": float(worst["value"]), "statements": len(slow)},
                evidence_of(slow),
                "Look what it waits for (pg:locks, pg:blocking); end it with pg:kill and its pid.",
                REFERENCE,
                "medium",
            )
        )
    costly = rows[(rows["section"] == "query") & (rows["said"] == "outliers")]
    if not costly.empty:
        worst = costly.sort_values("value", ascending=False, kind="stable").iloc[0]
        statement = words.cut(text(worst["name"]), 80)
        title = f"One statement takes {words.share(worst['value'])} of the database’s time: {statement}."
        found.append(
            Finding(
                "note",
                title,
                {"time_share": round(float(worst["value"]), 4)},
                cite(worst["evidence"]),
                "Begin there: EXPLAIN it, then compare with the slow transactions.",
                REFERENCE,
                "medium",
            )
        )
    for section, title, step in (
        ("locks", "{n} for a lock: {names}.", "See who holds it: heroku pg:blocking."),
        ("bloat", "{n} bloated: {names}.", "Vacuum them when it is quiet; VACUUM FULL locks the table."),
    ):
        part = rows[rows["section"] == section]
        if not part.empty:
            word = "statement waits" if section == "locks" else "table or index is"
            many = "statements wait" if section == "locks" else "tables or indexes are"
            told = title.format(n=words.plural(len(part), word, many), names=named(part))
            found.append(
                Finding("warning", told, {section: len(part)}, evidence_of(part), step, REFERENCE, "medium")
            )
    for verdict, severity in (("red", "warning"), ("yellow", "note")):
        part = rows[(rows["section"] == "check") & (rows["verdict"] == verdict)]
        if not part.empty:
            title = f"pg:diagnose marks {words.plural(len(part), 'check')} {verdict}: {named(part)}."
            found.append(
                Finding(
                    severity,
                    title,
                    {"checks": len(part)},
                    evidence_of(part),
                    "Read the table below the check.",
                    "Dev Center, pg:diagnose",
                    "high",
                )
            )
    return found
