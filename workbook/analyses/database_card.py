"""How is the database: cache, connections, follower, backups, and was a swap done in order?     (book ch. 5)

One row for each thing that a paste or a metric tells; the worst of a section first.

Columns: ``section``: hit_rate, index_use, connections, size, follower, steadiness, backups, swap, query, locks,
bloat, check; ``database``; ``name``: what the row is about (a rate, a table, a statement, a step of the swap);
``verdict``, see below; ``value`` with ``unit``: share (0 to 1), count, commits, h, s, bytes or times;
``limit_value``: what the value is compared with, in the same unit; ``margin``: value less limit; ``trend_per_day``:
of a rate or of connections in the log, its slope in the unit a day; ``is_falling``: whether a rate surely falls;
``count``, ``p95_ms``, ``max_ms`` and ``time_share`` (0 to 1) of statements of one shape, or of waits, in the server's
log; ``change_ratio``: of the database's time, the trend from first to last; ``said``: the words that were printed;
``time``: of the value, where it has one; ``as_of``: the window's end, else the newest time in a log or a dig;
``evidence``.

Verdicts: ``ok``, ``low`` (a rate below 0.99, an index that is little used), ``near_limit``, ``refused``, ``behind``,
``old``, ``failed``, ``gap``, ``small``, ``same_size``; ``done``, ``partly``, ``out_of_order``, ``missing`` of a step;
``differs``: names of applications within a swap; ``erratic``, ``trending``, ``stable`` of the database's time, once
traffic (and, in the application's lines, the mix of actions) is taken out; ``slow``, ``logged`` (by the server, which
logs only what is slow), ``waits``, ``bloated``, ``red``, ``yellow``, ``large``, ``told`` (no limit), ``cannot_tell``.

Pastes carry no time: the window cuts the metrics and the logs only, and its end says as of when a backup's age is
counted. Of the same paste loaded again the newest counts. A rate of 0, or none, is a database that was not read, and
is left out. A plan's connections are known for the plans that the Dev Center lists; smaller ones print their own
limit (2/20).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from workbook import limits
from workbook.analysis import Finding, Query
from workbook.databases import backups, capacity, followers, picture, rates, statements, steadiness, swap
from workbook.databases.telling import REFERENCE
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = (
    (
        *("database_facts", "backups", "table_statistics", "transcript", "database_samples", "database_log"),
        *("response_breakdown", "app_requests"),
    ),
)

_PLANS = ", ".join(f"('{plan}', {most})" for plan, most in sorted(limits.PLAN_CONNECTIONS.items()))
_SECTIONS = (rates, capacity, followers, steadiness, statements, backups, swap)
_ROWS = "\n    UNION ALL BY NAME FROM ".join(name for section in _SECTIONS for name in section.ROWS)

SQL = rf"""
WITH evidence_times AS (
    SELECT coalesce(
        $end::TIMESTAMP,
        greatest((SELECT max(time) FROM dns_records), (SELECT max(time) FROM log_lines))
    ) AS as_of
),
plans (plan, most) AS (
    VALUES {_PLANS}
),
facts AS (
    SELECT *, {{'source_id': source_id, 'line': line}} AS place
    FROM database_facts
    WHERE database IS NOT NULL AND fact IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY database, fact ORDER BY source_id DESC, line DESC) = 1
),
statistics AS (
    SELECT *, {{'source_id': source_id, 'line': line}} AS place
    FROM table_statistics
    WHERE report IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY report, name, statistic, number ORDER BY source_id DESC, line DESC) = 1
),
samples AS (
    SELECT attachment, metric, value, time, {{'source_id': source_id, 'line': line}} AS place
    FROM database_samples
    WHERE process = 'heroku-postgres'
        AND value IS NOT NULL
        AND in_window(time, $start, $end)
),
{",".join(section.CTES.rstrip() for section in _SECTIONS)},
everything AS (
    FROM {_ROWS}
)
SELECT
    section,
    database,
    name,
    verdict,
    measured AS value,
    unit,
    limit_value::DOUBLE AS limit_value,
    round(measured - limit_value, 12) AS margin,
    trend_per_day,
    is_falling,
    count,
    p95_ms,
    max_ms,
    time_share,
    change_ratio,
    said,
    time,
    as_of,
    evidence
FROM everything
CROSS JOIN evidence_times
ORDER BY
    list_position(
        [
            'hit_rate', 'index_use', 'connections', 'size', 'follower', 'steadiness', 'backups',
            'swap', 'query', 'locks', 'bloat', 'check'
        ],
        section
    ),
    section = 'swap' AND verdict = 'differs',
    CASE WHEN section = 'swap' THEN name END,
    verdict IN ('ok', 'told', 'done'),
    measured,
    everything.name,
    database,
    evidence[1].source_id,
    evidence[1].line
"""


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return a row for each thing that is known of the databases; columns as the module says."""
    judged = {**rates.parameters(query, window), **steadiness.parameters(query, window)}
    return query(SQL, start=window.start, end=window.end, **judged)


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return what each section says, "indexes first, plan second" where a rate is low."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "Nothing that is loaded tells of a database.",
                next_step="Paste heroku pg:info, pg:backups, pg:cache-hit and pg:index-usage.",
                reference=REFERENCE,
            )
        ]
    return [finding for section in _SECTIONS for finding in section.findings(rows)]


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return the hit rates against 0.99, each with its margin; rates below it are red."""
    return picture.chart(rows)
