"""The six steps of a swap, checked against a pasted session."""

from __future__ import annotations

import pandas as pd

from workbook.analysis import Finding, cite
from workbook.databases.telling import REFERENCE, evidence_of, text

COMMANDS = r"""
commands AS (
    SELECT
        source_id,
        line,
        command,
        coalesce(arguments, '') AS arguments,
        CASE
            WHEN command = 'heroku maintenance:on' THEN 1
            WHEN command IN ('heroku ps:scale', 'heroku scale') AND regexp_matches(arguments, '=0(\s|:|$)') THEN 2
            WHEN command = 'heroku pg:unfollow' THEN 3
            WHEN command = 'heroku pg:promote' THEN 4
            WHEN command = 'heroku maintenance:off' THEN 5
            WHEN command IN ('heroku addons:remove', 'heroku addons:destroy')
                AND regexp_matches(arguments, '(?i)postgresql') THEN 6
        END AS step
    FROM transcript
    WHERE said = 'command'
)"""
"""The commands of pasted sessions, each with the number of the ``step`` of a swap that it takes, if any."""

CTES = rf"""
{COMMANDS.strip()},
swaps AS (
    SELECT
        source_id,
        min(line) FILTER (step IS NOT NULL) AS first_line,
        max(line) FILTER (step IS NOT NULL) AS last_line
    FROM commands
    GROUP BY source_id
    HAVING bool_or(step = 4) AND (bool_or(step = 3) OR bool_or(step = 1))
),
steps (step, name) AS (
    VALUES
        (1, 'maintenance on'),
        (2, 'all processes to zero'),
        (3, 'unfollow'),
        (4, 'promote'),
        (5, 'maintenance off'),
        (6, 'remove the old database')
),
taken AS (
    SELECT
        swaps.source_id,
        steps.step,
        steps.name,
        min(line) FILTER (commands.step = steps.step) AS line,
        string_agg(arguments, ' ' ORDER BY line) FILTER (commands.step = steps.step) AS arguments
    FROM swaps
    CROSS JOIN steps
    LEFT JOIN commands ON commands.source_id = swaps.source_id AND commands.step = steps.step
    GROUP BY ALL
),
types AS (
    SELECT DISTINCT process_type FROM processes WHERE process_type NOT IN ('run', 'scheduler', 'release')
    UNION
    SELECT 'web'
),
swap_steps AS (
    SELECT
        'swap' AS section,
        step || '. ' || name AS name,
        CASE
            WHEN line IS NULL THEN 'missing'
            WHEN max(line) OVER earlier_steps > line
                THEN 'out_of_order'
            WHEN step = 2 AND EXISTS (
                FROM types WHERE NOT regexp_matches(arguments, '(^|\s)' || process_type || '=0(\s|:|$)')
            ) THEN 'partly'
            ELSE 'done'
        END AS verdict,
        nullif(arguments, '') AS said,
        CASE WHEN line IS NULL THEN [] ELSE [{{'source_id': source_id, 'line': line}}] END AS evidence
    FROM taken
    WINDOW earlier_steps AS (
        PARTITION BY source_id ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
swap_names AS (
    SELECT
        'swap' AS section,
        'names of the application' AS name,
        'differs' AS verdict,
        count(DISTINCT app)::DOUBLE AS measured,
        'count' AS unit,
        1 AS limit_value,
        string_agg(DISTINCT app, ', ' ORDER BY app) AS said,
        list({{'source_id': source_id, 'line': line}} ORDER BY line) AS evidence
    FROM (
        SELECT swaps.source_id, app, min(line) AS line
        FROM swaps
        JOIN transcript USING (source_id)
        WHERE app IS NOT NULL AND line BETWEEN first_line AND last_line + 9
        GROUP BY ALL
    )
    GROUP BY source_id
    HAVING count(DISTINCT app) > 1
)
"""

ROWS = ("swap_steps", "swap_names")


_SWAP_ADVICE = {
    "missing": "was not done",
    "partly": "was done in part",
    "out_of_order": "came too late or too early",
}


def findings(rows: pd.DataFrame) -> list[Finding]:
    """The run book of a swap: one sentence on its steps, one on the names that differ."""
    part = rows[rows["section"] == "swap"]
    steps, names = part[part["verdict"] != "differs"], part[part["verdict"] == "differs"]
    found = []
    wrong = steps[steps["verdict"] != "done"]
    if not steps.empty and wrong.empty:
        found.append(
            Finding(
                "ruled_out",
                "The swap of the database took all six steps in their order.",
                {"steps": len(steps)},
                evidence_of(steps),
                reference=REFERENCE,
            )
        )
    for _, row in wrong.iterrows():
        step, said = str(row["name"]).partition(". ")[2], ""
        if row["verdict"] == "partly":
            said = (
                f": only {text(row['said'])}, so other processes, web among them, could write all the while"
            )
            if "web=0" in str(row["said"]):
                said = f": only {text(row['said'])}, so other processes could write all the while"
        found.append(
            Finding(
                "note" if str(row["name"]).startswith("6") else "warning",
                f"In the swap of the database, step {str(row['name'])[0]} ({step})"
                f" {_SWAP_ADVICE[row['verdict']]}{said}.",
                {"step": int(str(row["name"])[0])},
                cite(row["evidence"]),
                "The six steps: maintenance on, all processes to zero, unfollow, promote, maintenance off, remove the"
                f" old database. Do “{step}” in its place, and compare both databases if anything wrote.",
                REFERENCE,
                "medium",
            )
        )
    for _, row in names.iterrows():
        found.append(
            Finding(
                "warning",
                f"The commands of the swap name {int(row['value'])} applications: {text(row['said'])}.",
                {"applications": int(row["value"])},
                cite(row["evidence"]),
                "Check that every step was done to the same application: a destructive action cannot be undone.",
                REFERENCE,
                "medium",
            )
        )
    return found
