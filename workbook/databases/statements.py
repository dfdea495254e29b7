"""Statements that run long or cost most, locks, bloat, and the checks of a diagnosis."""

from __future__ import annotations

import pandas as pd

from workbook import limits, words
from workbook.analysis import Finding, cite, numbers_of
from workbook.databases.telling import REFERENCE, evidence_of, named, text

MOST_SHAPES = 10

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
timed_statements AS (
    SELECT statement_shape, duration_ms, kind, time, {{'source_id': source_id, 'line': line}} AS place
    FROM database_log
    WHERE kind IN ('statement', 'execute', 'plan')
        AND duration_ms IS NOT NULL
        AND statement_shape IS NOT NULL
        AND in_window(time, $start, $end)
),
counted_statements AS (
    -- where plans are logged too, a slow statement is logged twice
    FROM timed_statements
    WHERE kind <> 'plan'
        OR statement_shape NOT IN (SELECT statement_shape FROM timed_statements WHERE kind <> 'plan')
),
logged_shapes AS (
    SELECT
        'query' AS section,
        statement_shape AS name,
        'logged' AS verdict,
        sum(duration_ms) / 1000 AS measured,
        's' AS unit,
        'server_log' AS said,
        count(*) AS count,
        CASE WHEN count(*) >= {limits.MIN_FOR_P95} THEN quantile_cont(duration_ms, 0.95) END AS p95_ms,
        max(duration_ms) AS max_ms,
        sum(duration_ms) / sum(sum(duration_ms)) OVER () AS time_share,
        max(time) AS time,
        [arg_max(place, (duration_ms, -place.source_id, -place.line))] AS evidence
    FROM counted_statements
    GROUP BY statement_shape
    QUALIFY row_number() OVER (ORDER BY sum(duration_ms) DESC, statement_shape) <= {MOST_SHAPES}
),
lock_waits AS (
    SELECT
        'locks' AS section,
        'waits for a lock in the server log' AS name,
        attachment AS database,
        'logged' AS verdict,
        max(duration_ms) / 1000 AS measured,
        's' AS unit,
        count(*) AS count,
        max(duration_ms) AS max_ms,
        max(time) AS time,
        list({{'source_id': source_id, 'line': line}} ORDER BY duration_ms DESC NULLS LAST, source_id, line)[1:5]
            AS evidence
    FROM database_log
    WHERE kind = 'lock_wait'
        AND contains(message, 'still waiting')
        AND in_window(time, $start, $end)
    GROUP BY attachment
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

ROWS = ("checks", "queries", "logged_shapes", "lock_waits", "waiting_locks", "bloated")


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
    found += [*_logged(rows), *_lock_waits(rows)]
    for section, title, step in (
        ("locks", "{n} for a lock: {names}.", "See who holds it: heroku pg:blocking."),
        ("bloat", "{n} bloated: {names}.", "Vacuum them when it is quiet; VACUUM FULL locks the table."),
    ):
        part = rows[(rows["section"] == section) & (rows["verdict"] != "logged")]
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


def _logged(rows: pd.DataFrame) -> list[Finding]:
    """The shape of statement that costs most in the server's log: only what is slow is logged there."""
    shapes = rows[(rows["section"] == "query") & (rows["verdict"] == "logged")]
    if shapes.empty:
        return []
    worst = shapes.sort_values("value", ascending=False, kind="stable").iloc[0]
    p95 = "" if pd.isna(worst["p95_ms"]) else f", 95 % within {words.ms(worst['p95_ms'])}"
    return [
        Finding(
            "note",
            f"Of the slow statements that the server logged, one shape took {words.share(worst['time_share'])}:"
            f" {words.plural(worst['count'], 'time')}, {words.ms(1000 * worst['value'])} in all{p95}, the longest"
            f" {words.ms(worst['max_ms'])}: {words.cut(text(worst['name']), 80)}.",
            {
                "statements": int(worst["count"]),
                "total_s": round(float(worst["value"]), 3),
                **numbers_of(worst, "p95_ms", "max_ms", "time_share"),
            },
            cite(worst["evidence"]),
            "EXPLAIN it and index what it filters and sorts by. Statements below the server’s threshold are not logged,"
            " so this is not the whole load: pg:outliers has it.",
            "Dev Center, Heroku Postgres: log statements; book ch. 5",
            "medium",
        )
    ]


def _lock_waits(rows: pd.DataFrame) -> list[Finding]:
    """Statements that the server logged while they waited for a lock."""
    return [
        Finding(
            "warning",
            f"The server logged {words.plural(row['count'], 'wait')} for a lock, the longest so far"
            f" {words.ms(row['max_ms'])}.",
            {"waits": int(row["count"]), **numbers_of(row, "max_ms")},
            cite(row["evidence"]),
            "See what holds it: heroku pg:blocking while it lasts; look for long transactions and migrations.",
            REFERENCE,
            "medium",
        )
        for _, row in rows[(rows["section"] == "locks") & (rows["verdict"] == "logged")].iterrows()
    ]
