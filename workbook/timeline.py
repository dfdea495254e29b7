"""What all time charts share: releases, restarts, error bursts and gaps; and the overview of the whole span."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbook import limits

_KINDS = {
    "platform_errors": "errors of the platform (H codes)",
    "application_errors": "errors of the application (5xx)",
}

MARKS = """
WITH releases_seen AS (
    SELECT
        time,
        'release' AS kind,
        coalesce(version, event) AS label,
        NULL::TIMESTAMP AS "end"
    FROM releases
    WHERE event IN ('release', 'rollback', 'listed')
        AND version IS NOT NULL
        AND time IS NOT NULL
        AND in_window(time, $start, $end)
    -- the log and "heroku releases" tell of the same release
    QUALIFY event <> 'listed' OR row_number() OVER (PARTITION BY version ORDER BY event = 'listed', source_id, line) = 1
),
restarts AS (
    SELECT
        time,
        'restart' AS kind,
        dyno AS label,
        NULL::TIMESTAMP AS "end"
    FROM dyno_states
    WHERE to_state = 'starting' AND time IS NOT NULL AND in_window(time, $start, $end)
),
error_minutes AS (
    SELECT
        date_trunc('minute', time) AS minute,
        code,
        count(*) AS errors
    FROM requests
    WHERE code LIKE 'H%' AND "at" = 'error' AND time IS NOT NULL AND in_window(time, $start, $end)
    GROUP BY ALL
    HAVING errors >= 3
),
runs AS (
    SELECT
        minute,
        code,
        count(*) FILTER (WHERE minute - before > INTERVAL 5 MINUTE) OVER (PARTITION BY code ORDER BY minute) AS run
    FROM (SELECT *, lag(minute) OVER (PARTITION BY code ORDER BY minute) AS before FROM error_minutes)
),
bursts AS (
    SELECT
        min(minute) AS time,
        'error_burst' AS kind,
        code AS label,
        max(minute) + INTERVAL 1 MINUTE AS "end"
    FROM runs
    GROUP BY code, run
),
gaps AS (
    SELECT
        gap_start AS time,
        'gap' AS kind,
        'no lines' AS label,
        gap_end AS "end"
    FROM ({gaps})
)
FROM releases_seen
UNION ALL FROM restarts
UNION ALL FROM bursts
UNION ALL FROM gaps
ORDER BY time, kind, label
LIMIT 500
"""

# A gap: no line for ten minutes, and for twenty times the usual distance of two lines (as in completeness).
GAPS = f"""
WITH seconds AS (
    SELECT DISTINCT date_trunc('second', time) AS second
    FROM log_lines
    WHERE time IS NOT NULL AND in_window(time, $start, $end)
),
distances AS (
    SELECT
        second AS gap_start,
        lead(second) OVER (ORDER BY second) AS gap_end,
        date_diff('second', second, lead(second) OVER (ORDER BY second)) AS gap_s
    FROM seconds
),
usual AS (
    SELECT median(gap_s) AS usual_s
    FROM distances
)
SELECT
    gap_start,
    gap_end,
    round(gap_s / 60, 1) AS gap_minutes,
    round(usual_s / 60, 3) AS usual_minutes
FROM distances, usual
WHERE gap_s > greatest({limits.GAP_S}, {limits.GAP_SPACINGS} * usual_s)
ORDER BY gap_start
"""

OVERVIEW = """
WITH span AS (
    SELECT greatest(60, (epoch(max(time) - min(time)) / 180)::BIGINT // 60 * 60) AS width_s
    FROM log_lines
    WHERE in_window(time, $start, $end)
),
buckets AS (
    SELECT
        time_bucket(to_seconds(width_s), time) AS time,
        count(*) AS requests,
        count(*) FILTER (WHERE "at" = 'error') AS platform_errors,
        count(*) FILTER (WHERE code IS NULL AND status >= 500) AS application_errors
    FROM requests, span
    WHERE time IS NOT NULL AND in_window(time, $start, $end)
    GROUP BY ALL
),
lines AS (
    SELECT
        time_bucket(to_seconds(width_s), time) AS time,
        count(*) AS log_lines
    FROM log_lines, span
    WHERE time IS NOT NULL AND in_window(time, $start, $end)
    GROUP BY ALL
)
SELECT
    lines.time,
    width_s,
    log_lines,
    coalesce(requests, 0) AS requests,
    coalesce(platform_errors, 0) AS platform_errors,
    coalesce(application_errors, 0) AS application_errors
FROM lines
CROSS JOIN span
LEFT JOIN buckets USING (time)
ORDER BY lines.time
"""


def overview_chart(overview: pd.DataFrame, marks: pd.DataFrame, brush: Any = None, height: int = 150) -> Any:
    """Return requests and errors per minute over time, with the marks; ``brush`` is an interval selection to add."""
    import altair as alt

    from workbook import charts

    if overview.empty:
        return charts.empty("no log line in this window")
    per_minute = overview["width_s"] / 60
    rows = overview.assign(requests_per_minute=overview["requests"] / per_minute)
    errors = (
        overview.assign(**{label: overview[name] / per_minute for name, label in _KINDS.items()})
        .melt("time", list(_KINDS.values()), "kind", "errors_per_minute")
        .query("errors_per_minute > 0")
    )
    x = charts.time_axis("time")
    area = (
        alt.Chart(rows)
        .mark_area(interpolate="step-after", opacity=0.5, color=charts.SKY)
        .encode(x=x, y=alt.Y("requests_per_minute:Q", title="per minute"))
    )
    if brush is not None:
        area = area.add_params(brush)
    layers = [area]
    if not errors.empty:
        colours = alt.Scale(domain=list(_KINDS.values()), range=[charts.VERMILLION, charts.PURPLE])
        layers.append(
            alt.Chart(errors)
            .mark_bar(width=3)
            .encode(
                x=x,
                y="errors_per_minute:Q",
                color=alt.Color("kind:N", title=None, scale=colours),
                tooltip=[
                    charts.time_tooltip("time"),
                    "kind:N",
                    alt.Tooltip("errors_per_minute:Q", format=".2f"),
                ],
            )
        )
    drawn = charts.with_marks(alt.layer(*layers), marks, overview["time"]).properties(
        height=height, width=charts.WIDTH
    )
    text = f"Requests and errors per minute from {overview['time'].min()} to {overview['time'].max()} UTC"
    return charts.describe(charts.theme(drawn), text)
