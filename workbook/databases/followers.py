"""How far a follower is behind: the gate of a swap."""

from __future__ import annotations

import pandas as pd

from workbook import words
from workbook.analysis import Finding, cite
from workbook.databases.telling import REFERENCE, text

CTES = r"""
followers AS (
    SELECT
        'follower' AS section,
        b.database,
        coalesce('follows ' || f.value, 'follower') AS name,
        try_cast(regexp_extract(b.value, '^(\d{1,18})', 1) AS DOUBLE) AS measured,
        'commits' AS unit,
        0 AS limit_value,
        CASE WHEN measured IS NULL THEN 'cannot_tell' WHEN measured > 0 THEN 'behind' ELSE 'ok' END AS verdict,
        b.value AS said,
        [b.place] AS evidence
    FROM facts AS b
    LEFT JOIN facts AS f ON f.database = b.database AND f.fact = 'Following'
    WHERE b.fact = 'Behind By'
),
logged_lag AS (
    SELECT
        'follower' AS section,
        attachment AS database,
        'lag in the log' AS name,
        arg_max(value, (time, place.source_id, place.line)) AS measured,
        'commits' AS unit,
        0 AS limit_value,
        CASE WHEN measured > 0 THEN 'behind' ELSE 'ok' END AS verdict,
        'at most ' || max(value)::BIGINT || ' commits, behind in ' || count(*) FILTER (value > 0) || ' of ' || count(*)
            || ' samples' AS said,
        max(time) AS time,
        list_distinct([
            arg_max(place, (value, -epoch_us(time), -place.line)),
            arg_max(place, (time, place.source_id, place.line))
        ]) AS evidence
    FROM samples
    WHERE metric = 'follower_lag_commits'
    GROUP BY attachment
)
"""

ROWS = ("followers", "logged_lag")


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return a sentence for each follower."""
    return [_follower(row) for _, row in rows[rows["section"] == "follower"].iterrows()]


def _follower(row: pd.Series) -> Finding:
    name = text(row["database"])
    if row["name"] == "lag in the log":
        return _logged(row, name)
    if row["verdict"] == "ok":
        return Finding(
            "ruled_out",
            f"The follower {name} is behind by 0 commits.",
            {"behind_commits": 0},
            cite(row["evidence"]),
            "It could be promoted now, once nothing writes to the primary.",
            REFERENCE,
        )
    if row["verdict"] == "behind":
        behind = int(row["value"])
        return Finding(
            "warning",
            f"The follower {name} is behind by {words.plural(behind, 'commit')}.",
            {"behind_commits": behind},
            cite(row["evidence"]),
            "Do not promote it: what it lacks would be lost. Turn writers off, wait for 0 commits in pg:info.",
            REFERENCE,
            "high",
        )
    return Finding(
        "cannot_tell",
        f"How far the follower {name} is behind cannot be read from “{text(row['said'])}”.",
        {},
        cite(row["evidence"]),
        "Paste heroku pg:info again.",
        REFERENCE,
    )


def _logged(row: pd.Series, name: str) -> Finding:
    """The lag that metric lines told over time; the newest sample decides."""
    lag = int(row["value"])
    numbers = {"behind_commits": lag}
    said = f"{text(row['said'])}, the last at {words.time(row['time'])} UTC"
    if row["verdict"] == "ok":
        return Finding(
            "ruled_out",
            f"The follower lag that {name} logs was 0 commits in the end ({said}).",
            numbers,
            cite(row["evidence"]),
            "It could be promoted now, once nothing writes to the primary.",
            REFERENCE,
        )
    return Finding(
        "warning",
        f"The follower lag that {name} logs was {words.plural(lag, 'commit')} in the end ({said}).",
        numbers,
        cite(row["evidence"]),
        "Do not promote the follower: what it lacks would be lost. Turn writers off, wait for 0 commits in pg:info.",
        REFERENCE,
        "high",
    )
