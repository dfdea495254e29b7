"""Does every dyno get its share of the requests, and is one slower than the others?     (book ch. 4, random routing)

One row for each dyno.

Columns: ``dyno``; ``count``: its requests; ``expected``: what equal shares among the dynos that were up, minute
by minute, would give it; ``p95_ms``, ``p50_ms``: of the requests that it answered, and H12; ``verdict``: same,
different, cannot_tell; ``reason``; ``ratio``: count / expected; ``z``: the distance of the two in standard
deviations, wide enough for clients that stick to a dyno (``overdispersion`` of the minutes); ``share_of_time_up``;
``errors``: H codes and 5xx; ``theta``: the probability that a request here takes longer than one of the same route
and hour on another dyno (0.5: no difference); ``theta_z``: its distance from 0.5 in standard deviations;
``p50_ratio``, ``p95_ratio``: time over the median of its route and hour, against the median of the other dynos;
``hours``, ``slower_hours``: hours with 30 requests or more, and those in which it was slower; ``up_known``: whether
the log tells when dynos were up (else each counts from its first to its last request); ``evidence``: the slowest
request, the first and the last one.

*different* needs both certainty and size: counts beyond a Bonferroni bound and 10 % off; or times with theta of
0.56 or more, by Holm's test, 1.2 times as long, and so in most hours. Websockets are left out.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Finding, Query, cite
from workbook.window import Window

NEEDS = ("requests",)
REFERENCE = "book ch. 4"
RESTART_H = int(limits.RESTART_HOURS + limits.RESTART_JITTER_HOURS) + 1

_ROUTED = """
WITH routed AS (
    SELECT
        source_id,
        line,
        time,
        date_trunc('minute', time) AS minute,
        dyno,
        coalesce(route, '') AS route,
        coalesce(status >= 500, false) OR coalesce(code LIKE 'H%', false) AS failed,
        CASE
            WHEN service_ms >= 0 AND (code IS NULL OR code = 'H12')
                THEN coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms
        END AS total_ms
    FROM requests
    WHERE dyno IS NOT NULL
        AND time IS NOT NULL
        AND status IS DISTINCT FROM 101
        AND in_window(time, $start, $end)
)"""

DYNOS = f"""{_ROUTED}
SELECT count(DISTINCT dyno) AS dynos
FROM routed
"""

SQL = f"""{_ROUTED},
limits AS (
    SELECT min(time) AS first, max(time) AS last
    FROM routed
),
-- a log of all lines changes the state of a dyno at least once in so many hours
span AS (
    SELECT
        *,
        EXISTS (
            FROM dyno_states
            WHERE time BETWEEN first - to_hours($restart_h) AND last + to_hours($restart_h)
        )
            OR EXISTS (FROM dyno_samples WHERE time BETWEEN first AND last) AS up_known
    FROM limits
),
dynos AS (
    SELECT
        dyno,
        count(*) AS count,
        count(*) FILTER (failed) AS errors,
        min(time) AS first_request,
        max(time) AS last_request,
        quantile_cont(total_ms, 0.5) AS p50_ms,
        quantile_cont(total_ms, 0.95) AS p95_ms,
        [
            arg_max(struct_pack(source_id, line), row(coalesce(total_ms, -1), -source_id, -line)),
            arg_min(struct_pack(source_id, line), row(time, source_id, line)),
            arg_max(struct_pack(source_id, line), row(time, source_id, line))
        ] AS evidence
    FROM routed
    GROUP BY dyno
),
changes AS (
    SELECT
        dyno,
        time,
        from_state,
        to_state,
        lead(time) OVER one_dyno AS next_time,
        row_number() OVER one_dyno AS number
    FROM dyno_states
    SEMI JOIN dynos USING (dyno)
    WHERE to_state IS NOT NULL AND time IS NOT NULL
    WINDOW one_dyno AS (PARTITION BY dyno ORDER BY time, source_id, line)
),
not_up AS (
    SELECT dyno, time AS since, coalesce(next_time, last) AS until
    FROM changes, span
    WHERE to_state <> 'up'
    UNION ALL
    SELECT dyno, first, time
    FROM changes, span
    WHERE number = 1 AND from_state <> 'up'
    UNION ALL
    SELECT dyno, unnest([first, last_request]), unnest([first_request, last])
    FROM dynos, span
    WHERE NOT up_known
),
down_times AS (
    SELECT dyno, greatest(since, first) AS since, least(until, last) AS until
    FROM not_up, span
    WHERE least(until, last) > greatest(since, first)
),
down_minutes AS (
    SELECT
        dyno,
        minute,
        sum(epoch(least(until, minute + INTERVAL 1 MINUTE) - greatest(since, minute))) AS down_s
    FROM (
        SELECT *, unnest(generate_series(date_trunc('minute', since), until, INTERVAL 1 MINUTE)) AS minute
        FROM down_times
    )
    GROUP BY dyno, minute
),
minute_counts AS (
    SELECT minute, dyno, count(*) AS n
    FROM routed
    GROUP BY minute, dyno
),
cells AS (
    SELECT
        minute,
        dyno,
        coalesce(n, 0) AS n,
        greatest(60 - coalesce(down_s, 0), 0) AS up_s,
        sum(coalesce(n, 0)) OVER one_minute AS minute_n,
        sum(up_s) OVER one_minute AS minute_up_s,
        CASE WHEN minute_up_s > 0 THEN up_s / minute_up_s ELSE 1 / count(*) OVER one_minute END AS share,
        minute_n * share AS expected
    FROM (SELECT DISTINCT minute FROM routed)
    CROSS JOIN (SELECT dyno FROM dynos)
    LEFT JOIN minute_counts USING (minute, dyno)
    LEFT JOIN down_minutes USING (minute, dyno)
    WINDOW one_minute AS (PARTITION BY minute)
),
whole_minutes AS (
    SELECT
        sum((n - expected) ** 2 / expected) FILTER (up_s = 60) AS chi2,
        count(*) FILTER (up_s = 60) - 1 AS freedom
    FROM cells
    GROUP BY minute
    HAVING sum(n) >= 2 AND freedom >= 1 AND bool_and(up_s = 60 OR (up_s = 0 AND n = 0))
),
spread AS (
    SELECT CASE WHEN count(*) >= $least_minutes THEN sum(chi2) / sum(freedom) END AS overdispersion
    FROM whole_minutes
),
shares AS (
    SELECT dyno, sum(expected) AS expected
    FROM cells
    GROUP BY dyno
),
up_times AS (
    SELECT
        dyno,
        1 - coalesce(sum(epoch(until - since)), 0) / nullif(any_value(epoch(last - first)), 0) AS share_of_time_up
    FROM dynos
    CROSS JOIN span
    LEFT JOIN down_times USING (dyno)
    GROUP BY dyno
),
answered AS (
    SELECT dyno, route, date_trunc('hour', time) AS hour, total_ms
    FROM routed
    WHERE total_ms IS NOT NULL
),
strata AS (
    SELECT route, hour, count(*) AS all_n, greatest(quantile_cont(total_ms, 0.5), 1) AS usual_ms
    FROM answered
    GROUP BY route, hour
),
ranks AS (
    SELECT
        route,
        hour,
        total_ms,
        count(*) AS tied,
        sum(count(*)) OVER (PARTITION BY route, hour ORDER BY total_ms) - (count(*) - 1) / 2 AS rank,
        sum(count(*) ** 3 - count(*)) OVER (PARTITION BY route, hour) AS ties
    FROM answered
    GROUP BY route, hour, total_ms
),
-- Mann and Whitney in each route and hour: u of n * m pairs in which this dyno took longer (equal ones count half)
scores AS (
    SELECT
        dyno,
        hour,
        count(*)::DOUBLE AS n,
        any_value(all_n) - count(*)::DOUBLE AS m,
        sum(rank) - count(*) * (count(*) + 1) / 2 AS u,
        n * m / 12 * (n + m + 1 - any_value(ties) / ((n + m) * (n + m - 1))) AS variance
    FROM answered
    JOIN ranks USING (route, hour, total_ms)
    JOIN strata USING (route, hour)
    WHERE all_n > 1
    GROUP BY dyno, route, hour
    HAVING m > 0
),
thetas AS (
    SELECT
        dyno,
        sum(u / (n + m)) / sum(n * m / (n + m)) AS theta,
        sum((u - n * m / 2) / (n + m + 1)) / sqrt(nullif(sum(variance / (n + m + 1) ** 2), 0)) AS theta_z
    FROM scores
    GROUP BY dyno
),
hours AS (
    SELECT dyno, hour, sum(u / (n + m)) / sum(n * m / (n + m)) AS hour_theta
    FROM scores
    GROUP BY dyno, hour
    HAVING sum(n) >= $hour_count AND sum(m) >= $hour_count
),
steadiness AS (
    SELECT
        dyno,
        count(*) AS hours,
        count(*) FILTER (hour_theta >= $theta) AS slower_hours,
        avg(hour_theta) - 0.5 > $steady * coalesce(stddev_samp(hour_theta), 0) / sqrt(count(*)) AS is_steady
    FROM hours
    GROUP BY dyno
),
relative_times AS (
    SELECT
        dyno,
        quantile_cont(total_ms / usual_ms, 0.5) AS p50,
        quantile_cont(total_ms / usual_ms, 0.95) AS p95
    FROM answered
    JOIN strata USING (route, hour)
    GROUP BY dyno
),
ratios AS (
    SELECT
        own.dyno,
        any_value(own.p50) / nullif(median(other.p50), 0) AS p50_ratio,
        any_value(own.p95) / nullif(median(other.p95), 0) AS p95_ratio
    FROM relative_times AS own
    JOIN relative_times AS other ON other.dyno <> own.dyno
    GROUP BY own.dyno
),
tested AS (
    SELECT
        *,
        count / nullif(expected, 0) AS ratio,
        (count - expected)
            / nullif(
                sqrt(greatest(coalesce(overdispersion, 1), 1) * expected * (1 - expected / sum(count) OVER ())),
                0
            ) AS z,
        bool_and(abs(coalesce(theta_z, 0)) > bound) OVER (ORDER BY place) AS by_holm
    FROM (
        SELECT *, row_number() OVER (ORDER BY abs(coalesce(theta_z, 0)) DESC, dyno) AS place
        FROM dynos
        JOIN shares USING (dyno)
        JOIN up_times USING (dyno)
        LEFT JOIN thetas USING (dyno)
        LEFT JOIN steadiness USING (dyno)
        LEFT JOIN ratios USING (dyno)
        CROSS JOIN spread
        CROSS JOIN span
    )
    JOIN (SELECT unnest($holm_z::DOUBLE[]) AS bound, generate_subscripts($holm_z::DOUBLE[], 1) AS place) USING (place)
),
signs AS (
    SELECT
        *,
        coalesce(abs(z) > $count_z AND abs(ratio - 1) >= $least_share, false) AS count_differs,
        coalesce(theta >= $theta AND by_holm AND greatest(p50_ratio, p95_ratio) >= $least_times, false) AS slower,
        slower AND coalesce(
            hours >= $least_hours AND slower_hours >= $hours_share * hours AND is_steady,
            false
        ) AS slower_always
    FROM tested
)
SELECT
    dyno,
    count,
    round(expected, 2) AS expected,
    p95_ms,
    CASE
        WHEN count(*) OVER () < 2 OR count < $least_count OR expected < $least_expected THEN 'cannot_tell'
        WHEN slower_always OR (count_differs AND overdispersion IS NOT NULL) THEN 'different'
        WHEN count_differs OR (slower AND coalesce(hours, 0) < $least_hours) THEN 'cannot_tell'
        ELSE 'same'
    END AS verdict,
    CASE
        WHEN count(*) OVER () < 2 THEN 'only one dyno'
        WHEN count < $least_count THEN 'too few requests'
        WHEN expected < $least_expected THEN 'too few requests expected'
        WHEN slower_always AND count_differs AND overdispersion IS NOT NULL THEN 'other count, and slower'
        WHEN slower_always THEN 'slower'
        WHEN count_differs AND overdispersion IS NOT NULL THEN 'other count'
        WHEN count_differs THEN 'other count, in too few minutes to tell sticky clients from routing'
        WHEN slower AND coalesce(hours, 0) < $least_hours
            THEN 'slower, in too few hours to tell it from one slow request'
        WHEN slower THEN 'slower in some hours only: within chance'
        ELSE 'within chance'
    END || CASE WHEN up_known THEN '' ELSE '; when dynos were up is not in the log' END AS reason,
    round(ratio, 4) AS ratio,
    round(z, 3) AS z,
    round(share_of_time_up, 4) AS share_of_time_up,
    p50_ms,
    errors,
    round(theta, 4) AS theta,
    round(theta_z, 3) AS theta_z,
    round(p50_ratio, 3) AS p50_ratio,
    round(p95_ratio, 3) AS p95_ratio,
    coalesce(hours, 0) AS hours,
    coalesce(slower_hours, 0) AS slower_hours,
    round(overdispersion, 3) AS overdispersion,
    up_known,
    first_request,
    last_request,
    evidence
FROM signs
ORDER BY dyno
"""


def count_z(dynos: int) -> float:
    """Return the bound of |z| of one of so many dynos, by Bonferroni, at one false alarm in a hundred."""
    return NormalDist().inv_cdf(1 - limits.BALANCE_ALPHA / (2 * max(dynos, 1)))


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return one row per dyno; columns and units stand at the head of this file."""
    ends: dict[str, Any] = {"start": window.start, "end": window.end}
    dynos = int(query(DYNOS, **ends)["dynos"].iloc[0])
    return query(
        SQL,
        **ends,
        count_z=count_z(dynos),
        holm_z=[count_z(dynos - place) for place in range(dynos)],
        restart_h=RESTART_H,
        least_minutes=limits.BALANCE_MINUTES,
        hour_count=limits.BALANCE_HOUR_COUNT,
        theta=limits.BALANCE_THETA,
        steady=limits.BALANCE_STEADY,
        least_share=limits.BALANCE_SHARE,
        least_times=limits.BALANCE_TIMES,
        least_hours=limits.BALANCE_HOURS,
        hours_share=limits.BALANCE_HOURS_SHARE,
        least_count=limits.BALANCE_COUNT,
        least_expected=limits.BALANCE_EXPECTED,
    )


def spread_test(rows: pd.DataFrame) -> tuple[float, float]:
    """Return chi-square of the counts against those expected, overdispersion taken out, and its p-value."""
    from scipy.stats import chi2

    known = rows[rows["expected"] > 0]
    wide = known["overdispersion"].max()
    distance = float(((known["count"] - known["expected"]) ** 2 / known["expected"]).sum())
    distance /= max(float(wide), 1.0) if pd.notna(wide) else 1.0
    return distance, float(chi2.sf(distance, max(len(known) - 1, 1)))


def natural_spread(rows: pd.DataFrame) -> float:
    """Return how far, as a share, 19 of 20 dynos stay from their expected count by chance; of the widest dyno."""
    wide = rows["overdispersion"].max()
    least = float(rows["expected"].min())
    each = (1 - 1 / len(rows)) / least if least > 0 else float("inf")
    return float(limits.Z_95 * (each * (max(float(wide), 1.0) if pd.notna(wide) else 1.0)) ** 0.5)


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return the dynos that differ, then that the others do not, then those that cannot be judged."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "Whether the dynos share the requests evenly cannot be said: no router line here has time and dyno.",
                next_step="Load a log with the times of its lines: `heroku logs`, or an archive.",
                reference=REFERENCE,
            )
        ]
    different = rows[rows["verdict"] == "different"]
    slow = different[different["reason"].str.contains("slower")]
    counts = different[different["reason"].str.contains("other count")]
    told = [_slower(row) for _, row in slow.iterrows()]
    told += [_other_counts(counts)] if len(counts) else []
    same, unknown = rows[rows["verdict"] == "same"], rows[rows["verdict"] == "cannot_tell"]
    told += [_same(same, rows)] if len(same) else []
    told += [_unknown(unknown)] if len(unknown) else []
    return told


def _slower(row: pd.Series) -> Finding:
    return Finding(
        "warning",
        f"{row['dyno']} is slower than the other dynos: p95 {words.ms(row['p95_ms'])}; of the same route and hour "
        f"it takes {words.number(row['p50_ratio'])} times as long at the median "
        f"({words.number(row['p95_ratio'])} at p95), longer in {words.share(row['theta'])} of pairs, "
        f"in {int(row['slower_hours'])} of {int(row['hours'])} hours.",
        numbers=_numbers(
            row, "count", "theta", "theta_z", "p50_ratio", "p95_ratio", "p50_ms", "p95_ms", "hours"
        ),
        evidence=cite(row["evidence"]),
        next_step=f"Look at {row['dyno']} first: does it swap (memory_quota), was it just started, does one client or "
        "one slow request hold it (blockers)? If none: restart it alone, `heroku ps:restart`.",
        reference=REFERENCE,
        confidence="medium",
        about=_about(row),
    )


def _other_counts(rows: pd.DataFrame) -> Finding:
    ranked = rows.assign(size=(rows["ratio"] - 1).abs()).sort_values("size", ascending=False, kind="stable")
    worst = ranked.iloc[0]
    known = bool(worst["up_known"])
    each = ", ".join(
        f"{row['dyno']} {words.count(row['count'])} of {words.count(row['expected'])}"
        for _, row in ranked.head(5).iterrows()
    )
    return Finding(
        "warning",
        f"The dynos do not get equal shares: {words.plural(len(ranked), 'dyno')} beyond chance; "
        f"requests of those expected: {each} ({worst['dyno']} {worst['ratio'] - 1:+.0%})."
        + ("" if known else " The log does not tell when dynos were up."),
        numbers={
            "dynos": len(ranked),
            "requests_by_dyno": {
                str(row["dyno"]): int(row["count"]) for _, row in ranked.head(20).iterrows()
            },
            **_numbers(worst, "ratio", "z", "overdispersion"),
        },
        evidence=cite(worst["evidence"]),
        next_step=f"Look at when {worst['dyno']} was up, starting or refusing (H19, H21), and for one client that "
        "keeps its connection to a dyno (session affinity, keep-alive). A slow dyno gets no fewer requests at random.",
        reference=REFERENCE,
        confidence="medium" if known else "low",
        about=_about(worst),
    )


def _same(same: pd.DataFrame, rows: pd.DataFrame) -> Finding:
    distance, p = spread_test(rows)
    spread = natural_spread(rows)
    who = (
        "No dyno differs"
        if len(same) == len(rows)
        else f"{words.plural(len(same), 'dyno')} show no difference"
    )
    p95 = _range(same["p95_ms"].dropna(), words.ms)
    return Finding(
        "ruled_out",
        f"{who}: {_range(same['count'], words.count)} requests of {_range(same['expected'], words.count)} expected, "
        f"natural spread ±{words.share(spread)}"
        + (f"; p95 {p95}, slower in no lasting way." if p95 else "."),
        numbers={
            "dynos": len(same),
            "requests": int(same["count"].sum()),
            "chi2": round(distance, 3),
            "chi2_probability": round(p, 6),
            "natural_spread_share": round(spread, 4),
            "largest_off_share": round(float((same["ratio"] - 1).abs().max()), 4),
        },
        evidence=cite([next(iter(cell)) for cell in same["evidence"].head(5)]),
        reference=REFERENCE,
        confidence="high" if same["up_known"].all() else "medium",
        about=(same["first_request"].min(), same["last_request"].max()),
    )


def _unknown(rows: pd.DataFrame) -> Finding:
    reasons = rows["reason"].value_counts()
    reason = sorted(reasons.items(), key=lambda pair: (-pair[1], str(pair[0])))[0][0]
    names = ", ".join(rows["dyno"].astype(str).head(5)) + (" and others" if len(rows) > 5 else "")
    return Finding(
        "cannot_tell",
        f"Whether {names} {'differs' if len(rows) == 1 else 'differ'} from the others cannot be said: {reason} "
        f"({words.plural(int(rows['count'].sum()), 'request')}).",
        numbers={"dynos": len(rows), "requests": int(rows["count"].sum())},
        evidence=cite([next(iter(cell)) for cell in rows["evidence"].head(5)]),
        next_step=f"Load a longer stretch of the whole log: {limits.BALANCE_COUNT} requests or more of each dyno, "
        f"over {limits.BALANCE_HOURS} hours or more.",
        reference=REFERENCE,
    )


def _about(row: pd.Series) -> tuple[Any, Any]:
    return row["first_request"], row["last_request"]


def _numbers(row: pd.Series, *names: str) -> dict[str, Any]:
    return {name: round(float(row[name]), 4) for name in names if pd.notna(row[name])}


def _range(values: pd.Series, write: Any) -> str:
    if values.empty:
        return ""
    low, high = write(float(values.min())), write(float(values.max()))
    return low if low == high else f"{low}–{high}"


def chart(rows: pd.DataFrame) -> Any:
    """Return the requests of each dyno against those expected, and the p95 of their times."""
    import altair as alt

    if rows.empty:
        return charts.empty("no request with time and dyno")
    shown, _ = charts.most(rows.drop(columns="evidence"), 40, "count")
    colour = alt.Color("verdict:N", scale=charts.colour_scale("balance", set(shown["verdict"])))
    told = [
        alt.Tooltip(f"{name}:Q") for name in ("count", "expected", "ratio", "z", "p50_ms", "p95_ms", "theta")
    ]
    y = alt.Y("dyno:N", title=None)
    base = alt.Chart(shown).encode(y=y, tooltip=["dyno:N", "verdict:N", "reason:N", *told])
    counted = base.mark_bar().encode(x=alt.X("count:Q", title="requests (line: expected)"), color=colour)
    expected = base.mark_tick(thickness=2, color=charts.INK).encode(x="expected:Q")
    times = base.mark_bar().encode(x=alt.X("p95_ms:Q", title="p95 (ms)"), color=colour)
    size = {"width": charts.WIDTH // 2 - 40, "height": alt.Step(22)}
    drawn = alt.hconcat(alt.layer(counted, expected).properties(**size), times.properties(**size))
    said = f"{words.plural(len(shown), 'dyno')}: requests against those expected, and p95 in ms."
    return charts.theme(charts.describe(drawn, said), "Are the dynos alike?")
