"""What changed after each release?     (book ch. 6, "Before and after a deploy"; ch. 7)

One row for each release: the lines Release, Deploy, Rollback, config or add-on of the same moment are one
row.

Errors are lines with an H code and 5xx of the application, without maintenance (H80–H83), visitors who left
(H27, H28, 499) and websockets. They are counted in the ``window_minutes`` before and after, cut at the
release before and at the next one; also where that lies outside of the chosen window. ``verdict`` compares
the two error rates by Newcombe's 95 % interval of their difference:

*worse*: higher by its 99.9 % interval too (many releases are judged), at least half as much again, at least
5 errors after, and the errors began with it; *better*: the same the other way round, whenever it began;
*same*: the interval holds 0 or less, and a rise of 1 % of the requests or more is ruled out; *cannot_tell*:
too few requests, a log without any success, an interval too wide, a small rise, or one that did not begin
with the release (``reason``). A release and a change *coincide*: what caused it, the log does not say.

``onset_time`` is the first error of the minute that divides all of these requests best (by likelihood) into
few errors before and many after. A rise begins with the release if that is in the first 10 minutes of it; or
if it is more than 10 minutes away, and the 10 minutes just after are worse than the 10 just before by the
same rule. ``errors_later`` counts without the first 5 minutes, in which dynos boot.

``p50_verdict`` (slower, faster, same, cannot_tell): the median of the answered requests moved by at least 50
ms and a factor of 1.2, and the middle fifths (40 % to 60 %) of before and after lie apart; needs 100 requests
on both sides. ``p50_after_same_mix_ms`` weighs each request after it so that every route has the share that
it had before; NULL where routes that are on both sides make less than 80 % of the requests of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import MOST_EVIDENCE, Bounds, Finding, Query, cite
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = ("releases",)


SMALL_RISE = "the errors rose by less than half as much again"
UNSURE_RISE = "the errors rose, but are too few to be sure of it"
BEGAN_BEFORE = "the rise of errors began before the release"
BEGAN_LATER = f"the rise of errors began {limits.ONSET_MINUTES} min after the release or later"


def _interval(name: str, z: float, before: str = "0", after: str = "1") -> str:
    """Return the columns low and high: Newcombe's interval of p1 - p0, from the Wilson interval of each."""
    wilson = [
        f"""1 + {z**2} / n{n} AS scale{n}{name},
        (p{n} + {z**2} / (2 * n{n})) / scale{n}{name} AS centre{n}{name},
        {z} * sqrt(p{n} * (1 - p{n}) / n{n} + {z**2} / (4 * n{n} * n{n})) / scale{n}{name} AS half{n}{name},
        p{n} - centre{n}{name} + half{n}{name} AS below{n}{name},
        centre{n}{name} + half{n}{name} - p{n} AS above{n}{name}"""
        for n in (before, after)
    ]
    change = f"p{after} - p{before}"
    return f"""{wilson[0]},
        {wilson[1]},
        {change} - sqrt(below{after}{name} ** 2 + above{before}{name} ** 2) AS low{name},
        {change} + sqrt(above{after}{name} ** 2 + below{before}{name} ** 2) AS high{name}"""


SQL = f"""
WITH known_releases AS (
    SELECT * FROM releases WHERE event <> 'listed'
    UNION ALL
    -- what "heroku releases" lists, once, where the log does not show the release itself
    SELECT * REPLACE ('release' AS event)
    FROM releases
    WHERE event = 'listed'
        AND version NOT IN (SELECT version FROM releases WHERE event = 'release' AND version IS NOT NULL)
    QUALIFY row_number() OVER (PARTITION BY version ORDER BY source_id, line) = 1
),
release_lines AS (
    SELECT
        *,
        date_diff('millisecond', lag(time) OVER (ORDER BY time, source_id, line), time) > 5000 AS begins
    FROM known_releases
    WHERE time IS NOT NULL
        AND event IN ('release', 'deploy', 'rollback', 'config', 'addon', 'scale', 'create')
),
moments AS (
    SELECT *, count(*) FILTER (begins) OVER (ORDER BY time, source_id, line) AS moment
    FROM release_lines
),
numbered_lines AS (
    SELECT
        *,
        greatest(
            count(*) FILTER (event = 'release') OVER (PARTITION BY moment ORDER BY time, source_id, line),
            1
        ) AS part
    FROM moments
),
changes AS (
    SELECT
        coalesce(min(time) FILTER (event = 'release'), min(time)) AS time,
        coalesce(
            max(version) FILTER (event = 'release'),
            max(version) FILTER (event <> 'rollback')
        ) AS version,
        CASE
            WHEN bool_or(event = 'rollback') THEN 'rollback'
            WHEN bool_or(event = 'deploy') THEN 'deploy'
            WHEN bool_or(event = 'config') THEN 'config'
            WHEN bool_or(event = 'addon') THEN 'addon'
            ELSE 'release'
        END AS event,
        min(actor) AS actor,
        string_agg(DISTINCT description, '; ' ORDER BY description) AS description,
        max(build_seconds) AS build_seconds,
        list(struct_pack(source_id, line) ORDER BY time, source_id, line)[1:2] AS release_evidence,
        row_number() OVER (ORDER BY min(time), min(source_id), min(line)) AS change
    FROM numbered_lines
    GROUP BY moment, part
    HAVING bool_or(event IN ('release', 'deploy', 'rollback'))
),
builds AS (
    SELECT c.change, arg_min(b.build_seconds, abs(epoch(b.time) - epoch(c.time))) AS build_seconds
    FROM changes AS c
    JOIN releases AS b
        ON b.build_seconds IS NOT NULL
        AND b.time BETWEEN c.time - INTERVAL 60 SECOND AND c.time + INTERVAL 120 SECOND
    GROUP BY c.change
),
placed_changes AS (
    SELECT
        *,
        greatest(lag(time) OVER in_time, time - to_minutes($window_minutes)) AS before_start,
        least(lead(time) OVER in_time, time + to_minutes($window_minutes)) AS after_end,
        CASE WHEN lead(event) OVER in_time = 'rollback' THEN lead(time) OVER in_time END AS rolled_back_at
    FROM changes
    WINDOW in_time AS (ORDER BY change)
),
wanted_changes AS (
    SELECT *
    FROM placed_changes
    WHERE in_window(time, $start, $end)
),
sides AS (
    SELECT change, time AS released, 'before' AS side, before_start AS start, time AS finish
    FROM wanted_changes
    UNION ALL
    SELECT change, time, 'after', time, after_end
    FROM wanted_changes
),
side_minutes AS (
    SELECT
        *,
        unnest(generate_series(time_bucket(INTERVAL 1 MINUTE, start), finish, INTERVAL 1 MINUTE)) AS minute
    FROM sides
),
side_requests AS (
    SELECT
        m.change,
        m.side,
        floor(date_diff('microsecond', m.released, r.time) / 6e7)::INTEGER AS minutes_since,
        r.source_id,
        r.line,
        r.time,
        r.route,
        CASE WHEN r.code IS NOT NULL THEN r.code WHEN r.status >= 500 THEN 'app' || r.status END AS error,
        r.code IS NULL AND coalesce(r.status, 200) < 400 AS succeeded,
        CASE
            WHEN r.code IS NULL THEN coalesce(r.wait_ms, 0) + coalesce(r.connect_ms, 0) + r.service_ms
        END AS total_ms
    FROM side_minutes AS m
    JOIN requests AS r
        ON time_bucket(INTERVAL 1 MINUTE, r.time) = m.minute
        AND r.time >= m.start
        AND r.time < m.finish
    WHERE coalesce(r.code, '') NOT IN ('H80', 'H81', 'H82', 'H83', 'H27', 'H28')
        AND (r.code IS NOT NULL OR coalesce(r.status, 200) NOT IN (101, 499))
),
side_counts AS (
    SELECT
        change,
        side,
        count(*) AS requests,
        count(error) AS errors,
        count(*) FILTER (succeeded) AS succeeded,
        count(total_ms) AS answered,
        count(*) FILTER (minutes_since BETWEEN -{limits.ONSET_MINUTES} AND {limits.ONSET_MINUTES} - 1)
            AS requests_near,
        count(error) FILTER (minutes_since BETWEEN -{limits.ONSET_MINUTES} AND {limits.ONSET_MINUTES} - 1)
            AS errors_near,
        count(*) FILTER (minutes_since >= {limits.BOOT_MINUTES}) AS requests_late,
        count(error) FILTER (minutes_since >= {limits.BOOT_MINUTES}) AS errors_late,
        CASE
            WHEN answered >= {limits.MIN_FOR_P50} THEN quantile_cont(total_ms, [0.4, 0.5, 0.6])
        END AS middle_ms,
        min(time) FILTER (error IS NOT NULL) AS first_error_time,
        max(time) FILTER (error IS NOT NULL) AS last_error_time
    FROM side_requests
    GROUP BY change, side
),
minute_counts AS (
    SELECT
        change,
        minutes_since,
        count(*) AS requests,
        count(error) AS errors,
        min(time) FILTER (error IS NOT NULL) AS first_error_time
    FROM side_requests
    GROUP BY change, minutes_since
),
cuts AS (
    SELECT
        change,
        minutes_since,
        first_error_time,
        sum(requests) OVER one_change - requests AS n_left,
        sum(errors) OVER one_change - errors AS k_left,
        sum(requests) OVER (PARTITION BY change) - n_left AS n_right,
        sum(errors) OVER (PARTITION BY change) - k_left AS k_right
    FROM minute_counts
    WINDOW one_change AS (PARTITION BY change ORDER BY minutes_since)
),
onsets AS (
    SELECT
        change,
        first_error_time AS onset_time,
        row_number() OVER (
            PARTITION BY change
            ORDER BY
                CASE WHEN k_left > 0 THEN k_left * ln(k_left / n_left) ELSE 0 END
                + CASE WHEN k_left < n_left THEN (n_left - k_left) * ln(1 - k_left / n_left) ELSE 0 END
                + CASE WHEN k_right > 0 THEN k_right * ln(k_right / n_right) ELSE 0 END
                + CASE WHEN k_right < n_right THEN (n_right - k_right) * ln(1 - k_right / n_right) ELSE 0 END
                DESC,
                minutes_since
        ) AS place
    FROM cuts
    WHERE first_error_time IS NOT NULL
        AND n_left > 0
        AND k_right / n_right > k_left / n_left
),
route_counts AS (
    SELECT
        change,
        coalesce(route, '') AS route,
        count(*) FILTER (side = 'before') AS n0,
        count(*) FILTER (side = 'after') AS n1,
        least(n0, n1) >= {limits.MIN_FOR_P50} AS shared
    FROM side_requests
    WHERE total_ms IS NOT NULL
    GROUP BY change, coalesce(route, '')
),
shared_mixes AS (
    SELECT change
    FROM route_counts
    GROUP BY change
    HAVING sum(n0) FILTER (shared) >= {limits.DENSE_SHARE} * sum(n0)
        AND sum(n1) FILTER (shared) >= {limits.DENSE_SHARE} * sum(n1)
),
weighted_times AS (
    SELECT
        r.change,
        r.total_ms,
        sum(n.n0 / n.n1) OVER (PARTITION BY r.change ORDER BY r.total_ms) AS weight_until,
        sum(n.n0 / n.n1) OVER (PARTITION BY r.change) AS weight
    FROM side_requests AS r
    JOIN route_counts AS n ON n.change = r.change AND n.route = coalesce(r.route, '') AND n.shared
    JOIN shared_mixes AS m ON m.change = r.change
    WHERE r.side = 'after' AND r.total_ms IS NOT NULL
),
same_mixes AS (
    SELECT change, min(total_ms) AS p50_ms
    FROM weighted_times
    WHERE weight_until >= 0.5 * weight - 1e-6
    GROUP BY change
),
error_places AS (
    SELECT
        change,
        CASE WHEN grouping(error) = 0 THEN 'code' ELSE 'route' END AS attribute,
        coalesce(error, route) AS value,
        count(*) AS errors,
        row_number() OVER (PARTITION BY change, attribute ORDER BY errors DESC, value) AS place
    FROM side_requests
    WHERE side = 'after' AND error IS NOT NULL
    GROUP BY GROUPING SETS ((change, error), (change, route))
    HAVING value IS NOT NULL
),
error_lines AS (
    SELECT change, list(struct_pack(source_id, line) ORDER BY place) AS evidence
    FROM (
        SELECT
            change,
            source_id,
            line,
            row_number() OVER (PARTITION BY change ORDER BY time, source_id, line) AS place
        FROM side_requests
        WHERE side = 'after' AND error IS NOT NULL
    )
    WHERE place <= 3
    GROUP BY change
),
first_traces AS (
    SELECT exception, first_own_frame, min(time) AS first_time
    FROM stack_traces
    WHERE exception IS NOT NULL AND time IS NOT NULL
    GROUP BY exception, first_own_frame
),
traces AS (
    SELECT
        c.change,
        t.exception,
        t.first_own_frame,
        count(*) AS seen,
        any_value(f.first_time) >= c.time AS is_new,
        row_number() OVER (
            PARTITION BY c.change
            ORDER BY is_new DESC, seen DESC, t.exception, t.first_own_frame
        ) AS place
    FROM wanted_changes AS c
    JOIN stack_traces AS t ON t.time >= c.time AND t.time < c.after_end
    JOIN first_traces AS f
        ON f.exception = t.exception AND f.first_own_frame IS NOT DISTINCT FROM t.first_own_frame
    GROUP BY c.change, c.time, t.exception, t.first_own_frame
),
counted_changes AS (
    SELECT
        c.*,
        coalesce(c.build_seconds, b.build_seconds) AS seconds_to_build,
        coalesce(x.requests, 0) AS n0,
        coalesce(y.requests, 0) AS n1,
        coalesce(x.errors, 0) AS k0,
        coalesce(y.errors, 0) AS k1,
        coalesce(x.succeeded, 0) + coalesce(y.succeeded, 0) AS succeeded,
        coalesce(x.answered, 0) AS answered0,
        coalesce(y.answered, 0) AS answered1,
        x.middle_ms AS middle0,
        y.middle_ms AS middle1,
        m.p50_ms AS p50_same_mix_ms,
        coalesce(x.requests_near, 0) AS n0_near,
        coalesce(y.requests_near, 0) AS n1_near,
        coalesce(x.errors_near, 0) AS k0_near,
        coalesce(y.errors_near, 0) AS k1_near,
        coalesce(y.requests_late, 0) AS n1_late,
        coalesce(y.errors_late, 0) AS k1_late,
        o.onset_time,
        y.first_error_time,
        y.last_error_time
    FROM wanted_changes AS c
    LEFT JOIN builds AS b ON b.change = c.change
    LEFT JOIN side_counts AS x ON x.change = c.change AND x.side = 'before'
    LEFT JOIN side_counts AS y ON y.change = c.change AND y.side = 'after'
    LEFT JOIN onsets AS o ON o.change = c.change AND o.place = 1
    LEFT JOIN same_mixes AS m ON m.change = c.change
),
rated_changes AS (
    SELECT
        *,
        CASE WHEN n0 > 0 AND succeeded > 0 THEN k0 / n0 END AS p0,
        CASE WHEN n1 > 0 AND succeeded > 0 THEN k1 / n1 END AS p1,
        CASE WHEN n0_near > 0 AND succeeded > 0 THEN k0_near / n0_near END AS p0_near,
        CASE WHEN n1_near > 0 AND succeeded > 0 THEN k1_near / n1_near END AS p1_near,
        CASE WHEN n1_late > 0 AND succeeded > 0 THEN k1_late / n1_late END AS p1_late
    FROM counted_changes
),
compared_changes AS (
    SELECT
        *,
        {_interval("", limits.Z_95)},
        {_interval("_sure", limits.Z_999)},
        {_interval("_near", limits.Z_95, "0_near", "1_near")},
        {_interval("_near_sure", limits.Z_999, "0_near", "1_near")},
        {_interval("_late", limits.Z_95, "0", "1_late")},
        answered0 >= {limits.COMPARED_TIMES} AND answered1 >= {limits.COMPARED_TIMES} AS timed,
        middle1[2] - middle0[2] AS p50_change_ms,
        date_diff('microsecond', time, onset_time) / 6e7 AS onset_min,
        coalesce(
            low_sure > 0 AND k1 >= {limits.BURST_COUNT} AND p1 >= {limits.CHANGE_RATIO} * p0,
            false
        ) AS rose,
        coalesce(onset_min >= 0 AND onset_min < {limits.ONSET_MINUTES}, false) AS began_with_it,
        coalesce(
            abs(onset_min) >= {limits.ONSET_MINUTES}
                AND low_near_sure > 0
                AND k1_near >= {limits.BURST_COUNT}
                AND p1_near >= {limits.CHANGE_RATIO} * p0_near,
            false
        ) AS rose_near
    FROM rated_changes
)
SELECT
    c.time,
    c.version,
    c.event,
    c.actor,
    c.description,
    c.seconds_to_build AS build_seconds,
    c.before_start,
    c.after_end,
    c.n0 AS requests_before,
    c.n1 AS requests_after,
    c.k0 AS errors_before,
    c.k1 AS errors_after,
    10000 * c.p0 AS errors_per_10k_before,
    10000 * c.p1 AS errors_per_10k_after,
    10000 * (c.p1 - c.p0) AS difference_per_10k,
    10000 * c.low AS difference_low_per_10k,
    10000 * c.high AS difference_high_per_10k,
    CASE
        WHEN c.n0 + c.n1 = 0 THEN 'cannot_tell'
        WHEN c.succeeded = 0 THEN 'cannot_tell'
        WHEN least(c.n0, c.n1) < {limits.COMPARED_REQUESTS} THEN 'cannot_tell'
        WHEN c.rose AND (c.began_with_it OR c.rose_near) THEN 'worse'
        WHEN c.high_sure < 0 AND c.k0 >= {limits.BURST_COUNT} AND c.p0 >= {limits.CHANGE_RATIO} * c.p1
            THEN 'better'
        WHEN c.low <= 0 AND c.high < {limits.ERROR_SHARE} THEN 'same'
        ELSE 'cannot_tell'
    END AS verdict,
    CASE
        WHEN verdict <> 'cannot_tell' THEN NULL
        WHEN c.n0 + c.n1 = 0 THEN 'no router line near the release'
        WHEN c.succeeded = 0 THEN 'no successful request in the log'
        WHEN c.n0 < {limits.COMPARED_REQUESTS} THEN 'too few requests before'
        WHEN c.n1 < {limits.COMPARED_REQUESTS} THEN 'too few requests after'
        WHEN c.rose AND c.onset_min < 0 THEN '{BEGAN_BEFORE}'
        WHEN c.rose THEN '{BEGAN_LATER}'
        WHEN c.low > 0 AND c.p1 < {limits.CHANGE_RATIO} * c.p0 THEN '{SMALL_RISE}'
        WHEN c.low > 0 THEN '{UNSURE_RISE}'
        ELSE 'the requests are too few to rule a rise of 1 % out'
    END AS reason,
    c.onset_time,
    c.k0_near AS errors_just_before,
    c.n0_near AS requests_just_before,
    c.k1_near AS errors_just_after,
    c.n1_near AS requests_just_after,
    10000 * c.low_near AS just_difference_low_per_10k,
    10000 * c.high_near AS just_difference_high_per_10k,
    c.k1_late AS errors_later,
    c.n1_late AS requests_later,
    10000 * c.low_late AS later_difference_low_per_10k,
    c.middle0[2] AS p50_before_ms,
    c.middle1[2] AS p50_after_ms,
    c.p50_same_mix_ms AS p50_after_same_mix_ms,
    CASE
        WHEN NOT c.timed THEN 'cannot_tell'
        WHEN abs(c.p50_change_ms) < {limits.CHANGE_MS} THEN 'same'
        WHEN c.middle1[1] > c.middle0[3] AND c.middle1[2] >= {limits.CHANGE_TIMES} * c.middle0[2]
            THEN 'slower'
        WHEN c.middle1[3] < c.middle0[1] AND c.middle0[2] >= {limits.CHANGE_TIMES} * c.middle1[2]
            THEN 'faster'
        ELSE 'same'
    END AS p50_verdict,
    c.first_error_time,
    c.last_error_time,
    code.value AS top_code,
    code.errors AS top_code_errors,
    route.value AS top_route,
    route.errors AS top_route_errors,
    trace.exception,
    trace.first_own_frame AS exception_frame,
    trace.seen AS exception_count,
    trace.is_new AS exception_is_new,
    c.rolled_back_at,
    list_concat(c.release_evidence, e.evidence) AS evidence
FROM compared_changes AS c
LEFT JOIN error_places AS code ON code.change = c.change AND code.attribute = 'code' AND code.place = 1
LEFT JOIN error_places AS route ON route.change = c.change AND route.attribute = 'route' AND route.place = 1
LEFT JOIN error_lines AS e ON e.change = c.change
LEFT JOIN traces AS trace ON trace.change = c.change AND trace.place = 1
ORDER BY c.change
"""


def rows(
    query: Query,
    window: Window,
    *,
    window_minutes: Annotated[int, Bounds(5, 720)] = limits.RELEASE_MINUTES,
) -> pd.DataFrame:
    """Return one row for each release in the window, in order of time; its neighbourhood may lie outside."""
    return query(SQL, start=window.start, end=window.end, window_minutes=window_minutes)


def findings(rows: pd.DataFrame, *, window_minutes: int = limits.RELEASE_MINUTES) -> list[Finding]:
    """Return what coincided with a release, then the releases that changed nothing or cannot be judged."""
    if rows.empty:
        return [
            Finding(
                "ruled_out", "No release, deploy or rollback was logged in this window.", reference=_REFERENCE
            )
        ]
    found: list[Finding] = []
    for row in rows.itertuples(index=False):
        told = (_errors(row, window_minutes), _risen(row, window_minutes), _times(row))
        found += [one for one in told if one]
    return [*found, *_unchanged(rows, window_minutes), *_undecided(rows)]


def chart(rows: pd.DataFrame) -> alt.Chart | alt.LayerChart:
    """Return, for each release, the error rate before it and after it, joined by a line."""
    rated = rows.dropna(subset=["errors_per_10k_before", "errors_per_10k_after"])
    if rated.empty:
        return charts.empty("no release with router lines before and after it")
    import altair as alt

    shown, is_cut = charts.most(rated.drop(columns=["evidence"]), n=1_500, by="errors_per_10k_after")
    shown = shown.assign(release=[_name(row) for row in shown.itertuples(index=False)])
    tooltip = [
        alt.Tooltip("release:N"),
        charts.time_tooltip("time"),
        alt.Tooltip("errors_per_10k_before:Q", title="errors per 10,000 before", format=",.2f"),
        alt.Tooltip("errors_per_10k_after:Q", title="errors per 10,000 after", format=",.2f"),
        alt.Tooltip("verdict:N"),
    ]
    base = alt.Chart(shown).encode(x=charts.time_axis("time"), tooltip=tooltip)
    title = "errors per 10,000 requests"
    before = alt.Y("errors_per_10k_before:Q", title=title, scale=alt.Scale(zero=True))
    after = alt.Y("errors_per_10k_after:Q", title=title, scale=alt.Scale(zero=True))
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())))
    drawn = alt.layer(
        base.mark_rule(strokeWidth=2).encode(y=before, y2=alt.Y2("errors_per_10k_after:Q"), color=colour),
        base.mark_point(size=60, filled=False, color=charts.MUTED).encode(y=before),
        base.mark_point(size=90, filled=True, opacity=1).encode(y=after, color=colour),
        base.mark_text(dy=-12, fontSize=10, limit=120).encode(y=after, text="release:N"),
    )
    subtitle = "ring: before the release; dot: after it" + (
        f"; the {len(shown):,} with most errors" if is_cut else ""
    )
    themed = charts.theme(drawn, "Errors before and after each release", subtitle)
    return charts.describe(
        themed, f"Error rate before and after each of {len(shown)} releases, by time (UTC)."
    )


_REFERENCE = "book ch. 6"
_RISES = (SMALL_RISE, UNSURE_RISE, BEGAN_BEFORE, BEGAN_LATER)
_COLOURS = {
    "worse": charts.VERMILLION,
    "better": charts.GREEN,
    "same": charts.GREY,
    "cannot_tell": charts.YELLOW,
}


def _errors(row: Any, window_minutes: int) -> Finding | None:
    """Return the finding for a release that an error rate rose or fell with, or that was rolled back."""
    if row.verdict not in ("worse", "better"):
        return _rolled_back(row) if _back(row) and row.reason not in _RISES else None
    worse = row.verdict == "worse"
    near = worse and not _began_with_it(row)
    before, after, low, high = _just(row) if near else _whole(row)
    span = (
        f"from the {limits.ONSET_MINUTES} min just before to the {limits.ONSET_MINUTES} min just after"
        if near
        else f"in at most {window_minutes} min before and after"
    )
    other = f"; another rise began {_distance(row)}" if near else ""
    title = (
        f"{_named(row)} coincides with a {'rise' if worse else 'fall'} of errors from {words.number(before)}"
        f" to {words.number(after)} per 10,000 requests {span} (difference, 95 %: {words.number(low)} to"
        f" {words.number(high)}){other}{_place(row) if worse else ''}{_boot(row) if worse else ''}{_back(row)}."
    )
    breaks = (
        low > 10_000 * limits.ERROR_SHARE and row.errors_after >= limits.BURST_COUNT and not _only_boot(row)
    )
    return Finding(
        ("critical" if breaks else "warning") if worse else "note",
        title,
        numbers=_numbers(row),
        evidence=cite(row.evidence),
        next_step=_step(row) if worse else "Nothing to do; keep the numbers for the record.",
        reference=_REFERENCE,
        confidence="high" if worse and breaks and not near else "medium",
        about=(row.time, row.last_error_time if worse else row.time),
    )


def _step(row: Any) -> str:
    if _only_boot(row):
        return "It was over by itself: look at how the dynos boot; Preboot keeps the old ones until the new answer."
    return "Compare this release with the one before it; roll back when the errors still go on."


def _back(row: Any) -> str:
    if words.missing(row.rolled_back_at):
        return ""
    return f"; rolled back at {row.rolled_back_at:%Y-%m-%d %H:%M:%S}"


def _began_with_it(row: Any) -> bool:
    """Say whether the errors of before and after divide best in the first minutes of the release."""
    since = row.onset_time - row.time
    return bool(pd.Timedelta(0) <= since < pd.Timedelta(minutes=limits.ONSET_MINUTES))


def _whole(row: Any) -> tuple[float, float, float, float]:
    return (
        row.errors_per_10k_before,
        row.errors_per_10k_after,
        row.difference_low_per_10k,
        row.difference_high_per_10k,
    )


def _just(row: Any) -> tuple[float, float, float, float]:
    """Return the same as ``_whole`` for the minutes just before and just after the release."""
    return (
        _per_10k(row.errors_just_before, row.requests_just_before),
        _per_10k(row.errors_just_after, row.requests_just_after),
        row.just_difference_low_per_10k,
        row.just_difference_high_per_10k,
    )


def _per_10k(errors: int, requests: int) -> float:
    return 10_000 * errors / requests if requests else float("nan")


def _distance(row: Any) -> str:
    """Return how long before or after the release the errors began: ``15 min 0 s before it``."""
    since_ms = (row.onset_time - row.time).total_seconds() * 1_000
    return f"{words.ms(abs(since_ms))} {'before' if since_ms < 0 else 'after'} it"


def _only_boot(row: Any) -> bool:
    """Say whether the errors were over when the dynos had booted, by enough requests after that."""
    early = _per_10k(row.errors_after - row.errors_later, row.requests_after - row.requests_later)
    return bool(
        row.requests_later >= limits.COMPARED_REQUESTS
        and row.later_difference_low_per_10k <= 0
        and 10 * _per_10k(row.errors_later, row.requests_later) <= early
    )


def _boot(row: Any) -> str:
    if not _only_boot(row):
        return ""
    later = f"{row.errors_later:,} of {words.plural(row.requests_later, 'request')}"
    after = f"after the first {limits.BOOT_MINUTES} min {later} failed"
    if row.errors_later:
        return f"; {after}"
    lasted_ms = (row.last_error_time - row.first_error_time).total_seconds() * 1_000
    return f"; all within {words.ms(lasted_ms)}; {after}"


def _risen(row: Any, window_minutes: int) -> Finding | None:
    """Return the finding for a rise that is small or unsure, or that did not begin with the release."""
    if row.verdict != "cannot_tell" or row.reason not in _RISES:
        return None
    before, after, low, high = (words.number(value) for value in _whole(row))
    rose = (
        f"errors rose from {before} to {after} per 10,000 requests in at most {window_minutes} min before and"
        f" after ({row.errors_before:,} of {row.requests_before:,}, then {row.errors_after:,} of"
        f" {row.requests_after:,}; difference, 95 %: {low} to {high})"
    )
    if row.reason in (SMALL_RISE, UNSURE_RISE):
        small = row.reason == SMALL_RISE
        ending = "by less than half as much again" if small else "too few to be sure that it is no chance"
        return Finding(
            "note",
            f"{_named(row)}: {rose}, {ending}{_back(row)}.",
            numbers=_numbers(row),
            evidence=cite(row.evidence),
            next_step="Run errors for the time before and after it: which code and which route rose.",
            reference=_REFERENCE,
            confidence="medium" if small else "low",
            about=(row.time, row.last_error_time),
        )
    just_before, just_after, *_ = (words.number(value) for value in _just(row))
    return Finding(
        "warning" if row.reason == BEGAN_LATER else "note",
        f"{_named(row)}: {rose}, but they began {_distance(row)}; per 10,000 requests {just_before} failed in"
        f" the {limits.ONSET_MINUTES} min just before it, {just_after} just after{_back(row)}.",
        numbers=_numbers(row),
        evidence=cite(row.evidence),
        next_step=f"Look for what began at {row.onset_time:%Y-%m-%d %H:%M:%S} UTC: run errors for that time.",
        reference=_REFERENCE,
        confidence="low",
        about=(row.onset_time, max(row.onset_time, row.last_error_time)),
    )


def _place(row: Any) -> str:
    code = (
        ""
        if words.missing(row.top_code)
        else f"; {row.top_code_errors:,} of {row.errors_after:,} are {row.top_code}"
    )
    dense = not words.missing(row.top_route) and row.top_route_errors >= row.errors_after / 2
    route = f"; {row.top_route_errors:,} in route {_short(row.top_route)}" if dense else ""
    if words.missing(row.exception):
        return f"{code}{route}"
    frame = "" if words.missing(row.exception_frame) else f" at {_short(row.exception_frame)}"
    new = "new exception" if row.exception_is_new else "exception"
    return (
        f"{code}{route}; {new} {_short(row.exception)}{frame} ({words.plural(row.exception_count, 'trace')})"
    )


def _rolled_back(row: Any) -> Finding:
    minutes = (row.rolled_back_at - row.time).total_seconds() / 60
    return Finding(
        "note",
        f"{_named(row)} was rolled back {words.number(round(minutes, 1))} min later;"
        " the error rate does not show why.",
        numbers=_numbers(row),
        evidence=cite(row.evidence),
        next_step="Ask who rolled it back what they saw, and look at slow_transactions around that time.",
        reference=_REFERENCE,
        about=(row.time, row.rolled_back_at),
    )


def _times(row: Any) -> Finding | None:
    if row.p50_verdict not in ("slower", "faster"):
        return None
    slower = row.p50_verdict == "slower"
    mixed = _only_mix(row)
    known = not words.missing(row.p50_after_same_mix_ms)
    after_ms = row.p50_after_same_mix_ms if known else row.p50_after_ms
    much = after_ms >= max(limits.TARGET_MS, 2 * row.p50_before_ms) and not mixed
    mix = "; whether other routes were asked for was not separated"
    if known:
        mix = f" ({words.ms(after_ms)} if each route had its share of before)"
    if mixed:
        mix = (
            f"; it is {words.ms(after_ms)} if each route has its share of before: other routes were asked for"
        )
    return Finding(
        "warning" if slower and much else "note",
        f"{_named(row)} coincides with a median response time that went from {words.ms(row.p50_before_ms)}"
        f" to {words.ms(row.p50_after_ms)}{mix}.",
        numbers=_numbers(row),
        evidence=cite(row.evidence)[:2],
        next_step="Run slow_transactions for the time before and after: which routes moved."
        if slower
        else "Nothing to do; keep the numbers for the record.",
        reference=_REFERENCE,
        confidence="medium" if known else "low",
        about=(row.time, row.after_end),
    )


def _only_mix(row: Any) -> bool:
    """Say whether the median would not have moved with the routes as frequent as before."""
    after_ms, before_ms = row.p50_after_same_mix_ms, row.p50_before_ms
    if words.missing(after_ms):
        return False
    low, high = sorted((after_ms, before_ms))
    turned = (after_ms < before_ms) == (row.p50_verdict == "slower")
    return bool(turned or high - low < limits.CHANGE_MS or high < limits.CHANGE_TIMES * low)


def _unchanged(rows: pd.DataFrame, window_minutes: int) -> list[Finding]:
    same = rows[rows["verdict"] == "same"]
    if same.empty:
        return []
    most = max(same["difference_high_per_10k"].max(), 0)
    names = ("errors_before", "requests_before", "errors_after", "requests_after")
    errors0, requests0, errors1, requests1 = (int(same[name].sum()) for name in names)
    return [
        Finding(
            "ruled_out",
            f"No rise of errors of more than {words.number(most)} per 10,000 requests (95 %) with"
            f" {words.plural(len(same), 'release')} ({_names(same)}): within {window_minutes} min"
            f" {errors0:,} of {words.plural(requests0, 'request')} failed before, {errors1:,} of"
            f" {requests1:,} after.",
            numbers={
                "releases": len(same),
                "requests": requests0 + requests1,
                "errors_before": errors0,
                "errors_after": errors1,
                "difference_high_per_10k": most,
            },
            evidence=tuple(one for cell in same["evidence"] for one in cite(cell)[:1])[:MOST_EVIDENCE],
            reference=_REFERENCE,
        )
    ]


def _undecided(rows: pd.DataFrame) -> list[Finding]:
    open_rows = rows[(rows["verdict"] == "cannot_tell") & ~rows["reason"].isin(_RISES)]
    return [
        Finding(
            "cannot_tell",
            f"Whether errors changed with {words.plural(len(some), 'release')} ({_names(some)})"
            f" cannot be told: {reason}.",
            numbers={
                "releases": len(some),
                "requests_before": int(some["requests_before"].sum()),
                "requests_after": int(some["requests_after"].sum()),
            },
            next_step="Load the whole router log from before to after the release, or widen window_minutes.",
            reference=_REFERENCE,
        )
        for reason, some in open_rows.groupby("reason", sort=True)
    ]


def _numbers(row: Any) -> dict[str, Any]:
    names = (
        "requests_before",
        "requests_after",
        "errors_before",
        "errors_after",
        "errors_per_10k_before",
        "errors_per_10k_after",
        "difference_low_per_10k",
        "difference_high_per_10k",
        "p50_before_ms",
        "p50_after_ms",
        "p50_after_same_mix_ms",
        "errors_just_before",
        "requests_just_before",
        "errors_just_after",
        "requests_just_after",
        "errors_later",
        "requests_later",
    )
    values = ((name, getattr(row, name)) for name in names)
    return {
        name: value.item() if hasattr(value, "item") else value
        for name, value in values
        if not words.missing(value)
    }


def _named(row: Any) -> str:
    """Return the release with its time; who made it is in the table only."""
    who = "" if words.missing(row.actor) else " by a user"
    event = "" if row.event == "release" else f" ({row.event}{who})"
    return f"{_name(row)}{event} at {row.time:%Y-%m-%d %H:%M:%S}"


def _name(row: Any) -> str:
    return f"The {row.event}" if words.missing(row.version) else _short(row.version)


def _names(rows: pd.DataFrame) -> str:
    named = [
        f"{row.event} {row.time:%H:%M}" if words.missing(row.version) else _short(row.version)
        for row in rows.itertuples(index=False)
    ]
    return ", ".join(named[:5]) + (f" and {len(named) - 5:,} more" if len(named) > 5 else "")


def _short(text: Any) -> str:
    return words.cut(words.visible(str(text), one_line=True), 80)
