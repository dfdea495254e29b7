"""How old the newest good backup is, gaps between them, failures, and sizes that change much or never."""

from __future__ import annotations

import pandas as pd

from workbook import limits, words
from workbook.analysis import Finding, cite
from workbook.databases.telling import REFERENCE, evidence_of, named, text

MOST_GAPS = 5

CTES = rf"""
kept_backups AS (
    SELECT
        *,
        regexp_matches(state, '^(Finished|Completed)') AS is_good,
        {{'source_id': source_id, 'line': line}} AS place
    FROM backups
    WHERE backup IS NOT NULL AND coalesce(kind, 'backup') = 'backup'
    QUALIFY row_number() OVER (PARTITION BY backup, time ORDER BY source_id DESC, line DESC) = 1
),
good_backups AS (
    SELECT
        *,
        lag(time) OVER in_time AS time_before,
        lag(bytes) OVER in_time AS bytes_before,
        lag(place) OVER in_time AS place_before
    FROM kept_backups
    WHERE is_good AND time IS NOT NULL
    WINDOW in_time AS (ORDER BY time, backup)
),
newest_backup AS (
    SELECT
        'backups' AS section,
        database,
        'newest good backup ' || backup AS name,
        date_diff('minute', time, as_of) / 60.0 AS measured,
        'h' AS unit,
        {limits.BACKUP_HOURS} AS limit_value,
        CASE
            WHEN as_of IS NULL OR as_of < time THEN 'cannot_tell'
            WHEN measured > limit_value THEN 'old'
            ELSE 'ok'
        END AS verdict,
        state AS said,
        time,
        [place] AS evidence
    FROM good_backups
    CROSS JOIN evidence_times
    QUALIFY row_number() OVER (ORDER BY time DESC, backup DESC) = 1
),
backup_gaps AS (
    SELECT
        'backups' AS section,
        database,
        CASE WHEN time - time_before = max(time - time_before) OVER () THEN 'longest gap' ELSE 'gap' END
            || ', before ' || backup AS name,
        date_diff('second', time_before, time) / 3600.0 AS measured,
        'h' AS unit,
        {limits.BACKUP_HOURS} AS limit_value,
        CASE WHEN measured > limit_value THEN 'gap' ELSE 'ok' END AS verdict,
        time,
        [place_before, place] AS evidence
    FROM good_backups
    WHERE time_before IS NOT NULL
    QUALIFY
        row_number() OVER (ORDER BY time - time_before DESC, time)
        <= CASE WHEN verdict = 'gap' THEN {MOST_GAPS} ELSE 1 END
),
small_backups AS (
    SELECT
        'backups' AS section,
        database,
        'size of ' || backup AS name,
        bytes::DOUBLE AS measured,
        'bytes' AS unit,
        bytes_before * {limits.BACKUP_SIZE_DROP} AS limit_value,
        'small' AS verdict,
        time,
        [place_before, place] AS evidence
    FROM good_backups
    WHERE bytes < bytes_before * {limits.BACKUP_SIZE_DROP}
),
same_sizes AS (
    SELECT
        'backups' AS section,
        any_value(database) AS database,
        'size of ' || count(*) || ' backups' AS name,
        any_value(bytes)::DOUBLE AS measured,
        'bytes' AS unit,
        'same_size' AS verdict,
        list(place ORDER BY time)[1:5] AS evidence
    FROM good_backups
    HAVING count(*) >= 3 AND count(bytes) = count(*) AND count(DISTINCT bytes) = 1
),
failed_backups AS (
    SELECT
        'backups' AS section,
        database,
        backup AS name,
        'failed' AS verdict,
        state AS said,
        time,
        [place] AS evidence
    FROM kept_backups
    WHERE regexp_matches(state, '(?i)^(fail|error|cancel)')
)
"""

ROWS = ("newest_backup", "backup_gaps", "small_backups", "same_sizes", "failed_backups")


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return how old the newest good backup is, then gaps, strange sizes and failures."""
    part = rows[rows["section"] == "backups"]
    found = []
    for _, row in part[part["verdict"].isin(["old", "gap", "small", "cannot_tell", "same_size"])].iterrows():
        name, evidence = text(row["name"]), cite(row["evidence"])
        hours = (
            {"hours": round(float(row["value"]), 2)} if row["unit"] == "h" and pd.notna(row["value"]) else {}
        )
        if row["verdict"] == "old":
            title = f"The {name} was {row['value']:.1f} h old at {words.time(row['as_of'])} UTC; one a day is usual."
            found.append(
                Finding(
                    "warning",
                    title,
                    hours,
                    evidence,
                    "Make one now: heroku pg:backups:capture; then look at the"
                    " schedule: heroku pg:backups:schedules.",
                    REFERENCE,
                    "high",
                )
            )
        elif row["verdict"] == "gap":
            title = f"Between two good backups lie {row['value']:.1f} h ({name})."
            found.append(
                Finding(
                    "warning",
                    title,
                    hours,
                    evidence,
                    "Look for the run that failed or did not start.",
                    REFERENCE,
                    "medium",
                )
            )
        elif row["verdict"] == "small":
            title = (
                f"The {name} is less than half of the backup before it ({words.number(row['value'])} bytes)."
            )
            found.append(
                Finding(
                    "warning",
                    title,
                    {"bytes": int(row["value"])},
                    evidence,
                    "Say whether data were deleted; if not, restore it somewhere and count.",
                    REFERENCE,
                    "medium",
                )
            )
        elif row["verdict"] == "same_size":
            title = f"The {name} never changes: {words.number(row['value'])} bytes each."
            found.append(
                Finding(
                    "note",
                    title,
                    {"bytes": int(row["value"])},
                    evidence,
                    "Check that it is the database in use that is backed up.",
                    REFERENCE,
                    "low",
                )
            )
        else:
            title = f"How old the {name} of {words.time(row['time'])} UTC is cannot be told: the paste carries no time."
            found.append(
                Finding(
                    "cannot_tell",
                    title,
                    {},
                    evidence,
                    "Say as of when with the window’s end (--to).",
                    REFERENCE,
                )
            )
    failed = part[part["verdict"] == "failed"]
    if not failed.empty:
        title = f"{words.plural(len(failed), 'backup')} failed: {named(failed)}."
        found.append(
            Finding(
                "warning",
                title,
                {"backups": len(failed)},
                evidence_of(failed),
                "Read why: heroku pg:backups:info with its id.",
                REFERENCE,
                "high",
            )
        )
    fine = part[(part["verdict"] == "ok") & (part["unit"] == "h")]
    for _, row in fine.iterrows():
        newest = str(row["name"]).startswith("newest")
        title = (
            f"The {text(row['name'])} was {row['value']:.1f} h old."
            if newest
            else f"Between good backups lie at most {row['value']:.2f} h."
        )
        found.append(
            Finding(
                "ruled_out",
                title,
                {"hours": round(float(row["value"]), 2)},
                cite(row["evidence"]),
                f"Between backups, continuous protection loses {limits.WAL_SECONDS} s at worst."
                if newest
                else "",
                REFERENCE,
            )
        )
    return found
