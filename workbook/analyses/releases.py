"""What changed after each release?     (book ch. 6, "Before and after a deploy"; ch. 7)

One row for each release: the lines Release, Deploy, Rollback, config or add-on of the same moment are one
row.

Errors are lines with an H code and 5xx of the application, without maintenance (H80–H83), visitors who left
(H27, H28, 499) and websockets. They are counted in the ``window_minutes`` before and after, cut at the
release before and at the next one; also where that lies outside of the chosen window. ``verdict`` compares
the two error rates by Newcombe's 95 % interval of their difference:

*worse*: higher by its 99.9 % interval too (many releases are judged), at least half as much again, and at
least 5 errors after; *better*: the same the other way round; *same*: a rise of 1 % of the requests or more is
ruled out; *cannot_tell*: too few requests, a log without any success, or an interval too wide. A release and
a change *coincide*: what caused it, the log does not say.

``p50_verdict`` (slower, faster, same, cannot_tell): the median of the answered requests moved by at least 50
ms and a factor of 1.2, and the middle fifths (40 % to 60 %) of before and after lie apart; needs 100 requests
on both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Bounds, Finding, Query, cite
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = ("releases",)


def _interval(name: str, z: float) -> str:
    """Return the columns low and high: Newcombe's interval of p1 - p0, from the Wilson interval of each."""
    wilson = [
        f"""1 + {z**2} / n{n} AS scale{n}{name},
        (p{n} + {z**2} / (2 * n{n})) / scale{n}{name} AS centre{n}{name},
        {z} * sqrt(p{n} * (1 - p{n}) / n{n} + {z**2} / (4 * n{n} * n{n})) / scale{n}{name} AS half{n}{name},
        p{n} - centre{n}{name} + half{n}{name} AS below{n}{name},
        centre{n}{name} + half{n}{name} - p{n} AS above{n}{name}"""
        for n in (0, 1)
    ]
    return f"""{wilson[0]},
        {wilson[1]},
        p1 - p0 - sqrt(below1{name} ** 2 + above0{name} ** 2) AS low{name},
        p1 - p0 + sqrt(above1{name} ** 2 + below0{name} ** 2) AS high{name}"""


SQL = f"""
WITH release_lines AS (
    SELECT
        *,
        date_diff('millisecond', lag(time) OVER (ORDER BY time, source_id, line), time) > 5000 AS begins
    FROM releases
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
    SELECT change, 'before' AS side, before_start AS start, time AS finish
    FROM wanted_changes
    UNION ALL
    SELECT change, 'after', time, after_end
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
        CASE
            WHEN answered >= {limits.MIN_FOR_P50} THEN quantile_cont(total_ms, [0.4, 0.5, 0.6])
        END AS middle_ms,
        min(time) FILTER (error IS NOT NULL) AS first_error_time,
        max(time) FILTER (error IS NOT NULL) AS last_error_time
    FROM side_requests
    GROUP BY change, side
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
        y.first_error_time,
        y.last_error_time
    FROM wanted_changes AS c
    LEFT JOIN builds AS b ON b.change = c.change
    LEFT JOIN side_counts AS x ON x.change = c.change AND x.side = 'before'
    LEFT JOIN side_counts AS y ON y.change = c.change AND y.side = 'after'
),
rated_changes AS (
    SELECT
        *,
        CASE WHEN n0 > 0 AND succeeded > 0 THEN k0 / n0 END AS p0,
        CASE WHEN n1 > 0 AND succeeded > 0 THEN k1 / n1 END AS p1
    FROM counted_changes
),
compared_changes AS (
    SELECT
        *,
        {_interval("", limits.Z_95)},
        {_interval("_sure", limits.Z_999)},
        answered0 >= {limits.COMPARED_TIMES} AND answered1 >= {limits.COMPARED_TIMES} AS timed,
        middle1[2] - middle0[2] AS p50_change_ms
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
        WHEN c.low_sure > 0 AND c.k1 >= {limits.BURST_COUNT} AND c.p1 >= {limits.CHANGE_RATIO} * c.p0
            THEN 'worse'
        WHEN c.high_sure < 0 AND c.k0 >= {limits.BURST_COUNT} AND c.p0 >= {limits.CHANGE_RATIO} * c.p1
            THEN 'better'
        WHEN c.high < {limits.ERROR_SHARE} THEN 'same'
        ELSE 'cannot_tell'
    END AS verdict,
    CASE
        WHEN verdict <> 'cannot_tell' THEN NULL
        WHEN c.n0 + c.n1 = 0 THEN 'no router line near the release'
        WHEN c.succeeded = 0 THEN 'no successful request in the log'
        WHEN c.n0 < {limits.COMPARED_REQUESTS} THEN 'too few requests before'
        WHEN c.n1 < {limits.COMPARED_REQUESTS} THEN 'too few requests after'
        ELSE 'the requests are too few to rule a rise of 1 % out'
    END AS reason,
    c.middle0[2] AS p50_before_ms,
    c.middle1[2] AS p50_after_ms,
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
        found += [one for one in (_errors(row, window_minutes), _times(row), _build(row)) if one]
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
_COLOURS = {
    "worse": charts.VERMILLION,
    "better": charts.GREEN,
    "same": charts.GREY,
    "cannot_tell": charts.YELLOW,
}


def _errors(row: Any, window_minutes: int) -> Finding | None:
    """Return the finding for a release that an error rate rose or fell with, or that was rolled back."""
    back = (
        ""
        if words.missing(row.rolled_back_at)
        else f"; rolled back at {row.rolled_back_at:%Y-%m-%d %H:%M:%S}"
    )
    if row.verdict not in ("worse", "better"):
        return _rolled_back(row) if back else None
    low, high = (words.number(value) for value in (row.difference_low_per_10k, row.difference_high_per_10k))
    worse = row.verdict == "worse"
    title = (
        f"{_named(row)} coincides with a {'rise' if worse else 'fall'} of errors from"
        f" {words.number(row.errors_per_10k_before)} to {words.number(row.errors_per_10k_after)} per 10,000"
        f" requests in at most {window_minutes} min before and after (difference, 95 %: {low} to {high})"
        f"{_place(row) if worse else ''}{back}."
    )
    breaks = (
        row.difference_low_per_10k > 10_000 * limits.ERROR_SHARE and row.errors_after >= limits.BURST_COUNT
    )
    steps = {
        True: "Compare this release with the one before it; roll back when the errors still go on.",
        False: "Nothing to do; keep the numbers for the record.",
    }
    return Finding(
        ("critical" if breaks else "warning") if worse else "note",
        title,
        numbers=_numbers(row),
        evidence=cite(row.evidence),
        next_step=steps[worse],
        reference=_REFERENCE,
        confidence="high" if worse and breaks else "medium",
        about=(row.time, row.last_error_time if worse else row.time),
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
    much = row.p50_after_ms >= max(limits.TARGET_MS, 2 * row.p50_before_ms)
    return Finding(
        "warning" if slower and much else "note",
        f"{_named(row)} coincides with a median response time that went from {words.ms(row.p50_before_ms)}"
        f" to {words.ms(row.p50_after_ms)}.",
        numbers=_numbers(row),
        evidence=cite(row.evidence)[:2],
        next_step="Run slow_transactions for the time before and after: which routes moved."
        if slower
        else "Nothing to do; keep the numbers for the record.",
        reference=_REFERENCE,
        confidence="medium",
        about=(row.time, row.after_end),
    )


def _build(row: Any) -> Finding | None:
    limit_s = 60 * limits.BUILD_MINUTES
    if words.missing(row.build_seconds) or row.build_seconds < limits.BUILD_SHARE * limit_s:
        return None
    return Finding(
        "warning",
        f"The build of {_named(row)} took {words.ms(1_000 * row.build_seconds)},"
        f" {words.share(row.build_seconds / limit_s)} of the limit of {limits.BUILD_MINUTES} min.",
        numbers={"build_s": row.build_seconds, "limit_s": limit_s},
        evidence=cite(row.evidence)[:2],
        next_step="Find the slow step in the build's output; cache compiled assets.",
        reference="book ch. 7",
        about=(row.time, row.time),
    )


def _unchanged(rows: pd.DataFrame, window_minutes: int) -> list[Finding]:
    same = rows[rows["verdict"] == "same"]
    if same.empty:
        return []
    requests = int(same["requests_before"].sum() + same["requests_after"].sum())
    most = same["difference_high_per_10k"].max()
    return [
        Finding(
            "ruled_out",
            f"The error rate did not rise with {words.plural(len(same), 'release')} ({_names(same)}):"
            f" the difference within {window_minutes} min is at most {words.number(max(most, 0))}"
            f" per 10,000 (95 %), in {words.plural(requests, 'request')}.",
            numbers={"releases": len(same), "requests": requests, "difference_high_per_10k": most},
            reference=_REFERENCE,
        )
    ]


def _undecided(rows: pd.DataFrame) -> list[Finding]:
    open_rows = rows[rows["verdict"] == "cannot_tell"]
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
