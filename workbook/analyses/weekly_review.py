"""Is the application better or worse than in the weeks before?     (book ch. 6)

One row for each ISO week (Monday to Sunday, UTC), one for each route of the last week and the weeks before it, and one
for each rule of the book that fails or warns (``book_checks`` has them all).

Columns: ``scope`` (*week*, *route*, *rule*), ``week`` (2026-W11; of a route the last one), ``name``; ``requests``,
``hours`` (hours with a request: a whole week has 168); ``within_500ms_share`` (0 to 1; errors of the router are not
within),
``apdex`` (T by ``limits``; errors are frustrated), ``h12``, ``h12_per_10k``, ``r14_minutes`` (minutes of a dyno with an
R14 line, as many as are in the log; NULL where the week has no line of a dyno); ``over_share`` (over 500 ms, or cut
off), ``before_requests``, ``before_over_share``: the same of the weeks before, in those hours of the week that the last
one has, too; ``difference``, ``low``, ``high``: of the over_share, after minus before, with its interval; ``verdict``,
``reason``, ``evidence`` (the slowest line).

``verdict`` of the last week: *better*, *worse*, *same*, *cannot_tell*. Of a route: *slow* is one with surely more than
``limits.OFTEN_SHARE`` of its requests over 500 ms. *new* (slow; not slow or not called before), *worse* (slow before,
and surely more now), *better*, *slow* (as before, or no week is before), *fixed* (slow before, surely not now), *fast*,
*cannot_tell*. Of a rule: *fail*, *warn*; ``reason`` is what was measured, over the whole window.

Requests of one hour share their fate: the counts are reduced to those of independent requests that would vary between
hours as these do. A side with less than 12 hours, or of less than 12 such requests, is not judged. As many routes are
judged together, their intervals are those of 99.9 %; that of the week is one of 95 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from workbook import charts, codes, limits, words
from workbook.analysis import Finding, Query, cite
from workbook.checks import STATEMENT
from workbook.statistics import newcombe, wilson
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = ("requests",)
IN_TRIAGE = False
REFERENCE = "book ch. 6"
MIN_HOURS = 12
"""A side with fewer hours is not judged."""
MOST_NAMED = 5
_LEFT_OUT = ", ".join(f"'{code}'" for code in (*codes.MAINTENANCE, *codes.CLIENT_GONE))

SQL = f"""
WITH served AS (
    SELECT
        strftime(time, '%G-W%V') AS week,
        date_trunc('hour', time) AS hour,
        (isodow(time) - 1) * 24 + hour(time) AS hour_of_week,
        coalesce(method, '(no method)') || ' ' || route AS route,
        code = 'H12' AS is_h12,
        code IS NOT NULL OR status >= 500 AS failed,
        coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms AS total_ms,
        code IS NOT NULL OR total_ms > {limits.TARGET_MS} AS is_over,
        struct_pack(source_id := source_id, line := line) AS place
    FROM requests
    WHERE time IS NOT NULL
        AND coalesce(code, '') NOT IN ({_LEFT_OUT})
        AND (code IS NOT NULL OR (service_ms IS NOT NULL AND coalesce(status, 200) NOT IN (101, 499)))
        AND in_window(time, $start, $end)
),
last_week AS (
    SELECT max(week) AS week
    FROM served
),
last_hours AS (
    SELECT DISTINCT hour_of_week
    FROM served
    SEMI JOIN last_week USING (week)
),
compared AS (
    SELECT served.*, CASE WHEN served.week = last_week.week THEN 'after' ELSE 'before' END AS side
    FROM served
    SEMI JOIN last_hours USING (hour_of_week)
    CROSS JOIN last_week
),
hour_counts AS (
    SELECT 'route' AS scope, route AS name, side, hour, count(*) AS n, count(*) FILTER (is_over) AS k
    FROM compared
    WHERE route IS NOT NULL
    GROUP BY route, side, hour
    UNION ALL
    SELECT 'week', 'all requests', side, hour, count(*), count(*) FILTER (is_over)
    FROM compared
    GROUP BY side, hour
),
sides AS (
    SELECT
        scope,
        name,
        side,
        sum(n) AS n,
        sum(k) AS k,
        count(*) AS hours,
        any_value(share_of) AS share,
        -- the variance of the share between hours; where it is less than by chance, chance counts
        hours / nullif(hours - 1, 0) * sum((k - share_of * n) ** 2) / sum(n) ** 2 AS variance,
        least(sum(n), coalesce(any_value(share_of * (1 - share_of)) / nullif(variance, 0), sum(n))) AS effective
    FROM (
        SELECT *, sum(k) OVER one / sum(n) OVER one AS share_of
        FROM hour_counts
        WINDOW one AS (PARTITION BY scope, name, side)
    )
    GROUP BY scope, name, side
),
paired AS (
    SELECT
        coalesce(x.scope, y.scope) AS scope,
        coalesce(x.name, y.name) AS name,
        y.share AS over_share,
        y.effective AS after_effective,
        y.hours AS after_hours,
        x.n::BIGINT AS before_requests,
        x.share AS before_over_share,
        x.effective AS before_effective,
        x.hours AS before_hours
    FROM (SELECT * FROM sides WHERE side = 'before') AS x
    FULL JOIN (SELECT * FROM sides WHERE side = 'after') AS y ON x.scope = y.scope AND x.name = y.name
),
measured AS (
    SELECT 'week' AS scope, week, 'all requests' AS name, hour, is_h12, failed, total_ms, is_over, place
    FROM served
    UNION ALL
    SELECT 'route', last_week.week, route, hour, is_h12, failed, total_ms, is_over, place
    FROM served
    JOIN last_week USING (week)
    WHERE route IS NOT NULL
),
counted AS (
    SELECT
        scope,
        week,
        name,
        count(*) AS requests,
        count(DISTINCT hour) AS hours,
        1 - count(*) FILTER (is_over) / count(*) AS within_500ms_share,
        (
            count(*) FILTER (NOT failed AND total_ms <= {1000 * limits.APDEX_T_S:g})
            + count(*) FILTER (
                NOT failed AND total_ms > {1000 * limits.APDEX_T_S:g} AND total_ms <= {4000 * limits.APDEX_T_S:g}
            ) / 2
        ) / count(*) AS apdex,
        count(*) FILTER (is_h12) AS h12,
        10_000 * count(*) FILTER (is_h12) / count(*) AS h12_per_10k,
        arg_max(place, row(total_ms, -place.source_id, -place.line)) FILTER (total_ms IS NOT NULL) AS evidence
    FROM measured
    GROUP BY scope, week, name
),
dyno_weeks AS (
    SELECT week, count(DISTINCT CASE WHEN is_r14 THEN struct_pack(dyno, minute) END) AS r14_minutes
    FROM (
        SELECT strftime(time, '%G-W%V') AS week, dyno, date_trunc('minute', time) AS minute, code = 'R14' AS is_r14
        FROM dyno_errors
        WHERE in_window(time, $start, $end)
        UNION ALL
        SELECT DISTINCT strftime(time, '%G-W%V'), dyno, NULL::TIMESTAMP, false
        FROM dyno_samples
        WHERE in_window(time, $start, $end)
        UNION ALL
        SELECT DISTINCT strftime(time, '%G-W%V'), dyno, NULL::TIMESTAMP, false
        FROM dyno_states
        WHERE in_window(time, $start, $end)
    )
    WHERE week IS NOT NULL
    GROUP BY week
)
SELECT
    coalesce(counted.scope, paired.scope) AS scope,
    coalesce(counted.week, last_week.week) AS week,
    coalesce(counted.name, paired.name) AS name,
    requests,
    counted.hours AS hours,
    within_500ms_share,
    apdex,
    h12,
    h12_per_10k,
    CASE WHEN counted.scope = 'week' THEN r14_minutes END AS r14_minutes,
    over_share,
    before_requests,
    before_over_share,
    after_effective,
    before_effective,
    after_hours,
    before_hours,
    evidence
FROM counted
LEFT JOIN dyno_weeks ON dyno_weeks.week = counted.week
FULL JOIN (SELECT paired.*, last_week.week FROM paired CROSS JOIN last_week) AS paired
    ON paired.scope = counted.scope AND paired.name = counted.name AND paired.week = counted.week
CROSS JOIN last_week
ORDER BY scope DESC, week, requests DESC NULLS LAST, name
"""

_COLUMNS = [
    *("scope", "week", "name", "requests", "hours", "within_500ms_share", "apdex", "h12", "h12_per_10k"),
    *("r14_minutes", "over_share", "before_requests", "before_over_share", "difference", "low", "high"),
    *("verdict", "reason", "evidence"),
]


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return one row a week, then one a route, then one for each rule of the book that fails or warns."""
    checked = query(STATEMENT, start=window.start, end=window.end)
    seen = query(SQL, start=window.start, end=window.end)
    last, is_only = seen["week"].max(), seen["week"].nunique() < 2
    judged = pd.DataFrame(
        [_judged(row, row.week == last, is_only) for row in seen.itertuples(index=False)],
        index=seen.index,
        columns=["difference", "low", "high", "verdict", "reason"],
    )
    judged = judged.astype(
        {"difference": float, "low": float, "high": float, "verdict": object, "reason": object}
    )
    weeks_and_routes = pd.concat([seen, judged], axis=1)[_COLUMNS]
    broken = _broken(checked, last)
    return weeks_and_routes if broken.empty else pd.concat([weeks_and_routes, broken], ignore_index=True)


def _broken(checked: pd.DataFrame, last_week: Any) -> pd.DataFrame:
    """Return the rules that fail, then those that warn, with the columns of the table."""
    order = checked["verdict"].map({"fail": 0, "warn": 1}).dropna().sort_values(kind="stable")
    broken = checked.loc[order.index]
    rules = pd.DataFrame(
        {
            "scope": "rule",
            "week": last_week,
            "name": broken["id"] + " " + broken["check"],
            "verdict": broken["verdict"],
            "reason": broken["value"],
            "evidence": [cell[0] if len(cell) else None for cell in broken["evidence"]],
        },
        index=broken.index,
    )
    return rules.reindex(columns=_COLUMNS)


def _judged(
    row: Any, is_last: bool, is_only: bool
) -> tuple[float | None, float | None, float | None, str | None, str | None]:
    """Return difference, low, high, verdict and reason of one row."""
    if row.scope == "week" and not is_last:
        return None, None, None, None, None
    z = limits.Z_95 if row.scope == "week" else limits.Z_999
    after = _side(row.over_share, row.after_effective, row.after_hours)
    before = _side(row.before_over_share, row.before_effective, row.before_hours)
    change = (None, None, None) if after is None or before is None else newcombe(before, after, z)
    if row.scope == "week":
        return (*change, *_week(change, row))
    return (*change, *_route(change, before, after, words.missing(row.before_requests), is_only, z))


def _side(share: Any, effective: Any, hours: Any) -> tuple[float, float] | None:
    """Return what counts of a side as (successes, n); None where it is too short to be judged."""
    if words.missing(share) or words.missing(hours) or hours < MIN_HOURS or effective < MIN_HOURS:
        return None
    return float(share) * float(effective), float(effective)


def _week(change: tuple[float | None, ...], row: Any) -> tuple[str, str | None]:
    _, low, high = change
    if low is None or high is None:
        if words.missing(row.before_requests):
            return "cannot_tell", "no week before it has requests in the same hours"
        return (
            "cannot_tell",
            f"a side has less than {MIN_HOURS} hours, or a few hours make all the difference",
        )
    if low > 0:
        return "worse", None
    return ("better", None) if high < 0 else ("same", None)


def _route(
    change: tuple[float | None, ...],
    before: tuple[float, float] | None,
    after: tuple[float, float] | None,
    is_first: bool,
    is_only: bool,
    z: float,
) -> tuple[str, str | None]:
    if after is None:
        return "cannot_tell", f"not called in {MIN_HOURS} hours of the last week, or slow in few of them only"
    low, high = wilson(*after, z)
    is_slow, is_fast = low > limits.OFTEN_SHARE, high < limits.OFTEN_SHARE
    if is_only and (is_slow or is_fast):
        return ("slow" if is_slow else "fast"), None
    if before is None:
        if is_slow and is_first:
            return "new", "not called in the weeks before"
        return (
            ("fast", None)
            if is_fast
            else ("cannot_tell", "too few calls in the weeks before, or slow in few of their hours only")
        )
    old_low, old_high = wilson(*before, z)
    was_slow, was_fast = old_low > limits.OFTEN_SHARE, old_high < limits.OFTEN_SHARE
    if is_slow and was_fast:
        return "new", "not slow in the weeks before"
    if is_slow and was_slow:
        _, least, most = change
        return ("worse" if (least or 0) > 0 else "better" if (most or 0) < 0 else "slow"), None
    if is_fast:
        return ("fixed" if was_slow else "fast"), None
    return "cannot_tell", "too few calls to say on which side of the limit it is"


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return the week against the weeks before, the routes that changed, and what is too little to say."""
    weeks = rows[rows["scope"] == "week"]
    if weeks.empty:
        return [
            Finding(
                "cannot_tell", "No answered request has a time, so no week can be told.", reference=REFERENCE
            )
        ]
    last = weeks.iloc[-1]
    routes = rows[rows["scope"] == "route"]
    found = [_of_week(last, len(weeks) - 1)]
    for verdict, severity, said, step in _ROUTES:
        some = routes[routes["verdict"] == verdict]
        # a week alone has no weeks before
        if len(some) and len(weeks) > 1:
            found.append(_of_routes(some, severity, said, step))
    return [*found, *_of_rules(rows[rows["scope"] == "rule"])]


_ROUTES = (
    ("new", "warning", "newly slow", "Look at what was released: run releases, and compare with this week."),
    (
        "worse",
        "warning",
        "slow before, and slower now",
        "Run slow_transactions for it, and compare with this week.",
    ),
    ("slow", "note", "as slow as before", "Run slow_transactions in the order of time consumed."),
    ("better", "note", "still slow, but less", "Keep what was done."),
    ("fixed", "ruled_out", "no longer slow", "Keep what was done."),
)


def _of_week(last: pd.Series, before: int) -> Finding:
    numbers = {
        name: round(float(last[name]), 4)
        for name in (
            "requests",
            "hours",
            "within_500ms_share",
            "apdex",
            "h12_per_10k",
            "r14_minutes",
            "difference",
        )
        if not words.missing(last[name])
    }
    memory = (
        "R14 not known" if words.missing(last["r14_minutes"]) else f"{last['r14_minutes']:,.0f} R14 minutes"
    )
    state = (
        f"{last['week']}: {words.share(last['within_500ms_share'])} of {words.plural(last['requests'], 'request')} "
        f" within {limits.TARGET_MS} ms, Apdex {last['apdex']:.2f}, {words.number(last['h12_per_10k'])} H12 per 10,000,"
        f" {memory}, in {words.count(last['hours'])} of 168 hours"
    )
    if last["verdict"] == "cannot_tell":
        return Finding(
            "cannot_tell",
            f"{state}; whether that is better or worse cannot be told: {last['reason']}.",
            numbers=numbers,
            evidence=cite(last["evidence"]),
            next_step="Load the logs of other weeks into the same database.",
            reference=REFERENCE,
        )
    severity, said = {
        "worse": ("warning", "worse than"),
        "better": ("note", "better than"),
        "same": ("note", "not surely different from"),
    }[last["verdict"]]
    return Finding(
        severity,
        f"{state}; {said} the {words.plural(before, 'week')} before, which had"
        f" {words.share(1 - last['before_over_share'])} within it in the same hours (difference of the share, 95 %:"
        f" {-100 * last['high']:+.1f} to {-100 * last['low']:+.1f} points).",
        numbers=numbers,
        evidence=cite(last["evidence"]),
        next_step="Run compare for what changed." if severity == "warning" else "",
        reference=REFERENCE,
    )


def _of_rules(broken: pd.DataFrame) -> list[Finding]:
    """Return the rules of the book that do not hold, in one finding."""
    if broken.empty:
        return []
    fails, warns = (broken[broken["verdict"] == verdict] for verdict in ("fail", "warn"))
    named = [f"{row['name']} ({words.line(row['reason'])})" for _, row in fails.head(MOST_NAMED).iterrows()]
    more = [str(name).partition(" ")[0] for name in [*fails["name"][MOST_NAMED:], *warns["name"]]]
    return [
        Finding(
            "note",
            f"Of the rules of the book {len(fails)} {'fails' if len(fails) == 1 else 'fail'} and {len(warns)}"
            f" {'warns' if len(warns) == 1 else 'warn'}: {'; '.join([*named, ', '.join(more)] if more else named)}.",
            numbers={"rules_failing": len(fails), "rules_warning": len(warns)},
            evidence=tuple(one for cell in broken["evidence"].head(MOST_NAMED) for one in cite(cell)),
            next_step="Run book_checks: each rule with the book's number, today's, and what to do.",
            reference="book, all chapters",
        )
    ]


def _of_routes(some: pd.DataFrame, severity: str, said: str, step: str) -> Finding:
    ranked: Any = some.sort_values(["requests", "name"], ascending=[False, True], kind="stable")
    named = ", ".join(
        f"{words.cut(words.visible(str(row.name), one_line=True), 60)} ({words.share(row.over_share)} over"
        f" {limits.TARGET_MS} ms"
        + ("" if words.missing(row.before_over_share) else f", before {words.share(row.before_over_share)}")
        + ")"
        for row in ranked.head(MOST_NAMED).astype(object).itertuples(index=False)
    )
    more = f" and {len(ranked) - MOST_NAMED:,} more" if len(ranked) > MOST_NAMED else ""
    return Finding(
        severity,
        f"{words.plural(len(ranked), 'route')} {said}: {named}{more}.",
        numbers={"routes": len(ranked), "requests": int(ranked["requests"].sum())},
        evidence=tuple(one for cell in ranked["evidence"].head(MOST_NAMED) for one in cite(cell)),
        next_step=step,
        reference=REFERENCE,
        confidence="medium",
    )


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return four small pictures, one bar a week: share within 500 ms, Apdex, H12 per 10,000, R14 minutes."""
    import altair as alt

    weeks = rows[rows["scope"] == "week"].tail(26)
    if weeks.empty:
        return charts.empty("no request in this window")
    shown = weeks[["week", "requests", "hours", *_DRAWN]]
    base = alt.Chart(shown).mark_bar(color=charts.BLUE)
    drawn = alt.hconcat(
        *(
            base.encode(
                x=alt.X("week:N", title=None, sort=None),
                y=alt.Y(f"{name}:Q", title=title, scale=_scale(name)),
                tooltip=["week", f"{name}:Q", "requests:Q", "hours:Q"],
            ).properties(width=150, height=160)
            for name, title in _DRAWN.items()
        )
    )
    said = f"{words.plural(len(weeks), 'week')}, the last of them {weeks.iloc[-1]['week']}"
    return charts.describe(
        charts.theme(drawn, "The weeks", "ISO weeks in UTC; no bar where it is not known, or is 0"),
        f"Four bar charts over {said}: share within 500 ms, Apdex, H12 per 10,000 requests, and R14 minutes.",
    )


_DRAWN = {
    "within_500ms_share": "share within 500 ms",
    "apdex": "Apdex (0 to 1)",
    "h12_per_10k": "H12 per 10,000",
    "r14_minutes": "R14 minutes",
}


def _scale(name: str) -> Any:
    import altair as alt

    return alt.Scale(domain=[0, 1]) if name in ("within_500ms_share", "apdex") else alt.Scale(zero=True)
