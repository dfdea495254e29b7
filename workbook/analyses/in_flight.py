"""How many requests did each dyno hold at once, and did some stand idle meanwhile?     (book ch. 4)

One row for each dyno and stretch of time, at most 200 stretches in a window.

Columns: ``dyno``; ``time`` (UTC): the start of the stretch; ``width_s``: its length, cut at the ends of the log
and of the window; ``mean_in_flight``, ``max_in_flight``: requests that were waiting or worked on at the dyno at
once; ``busy_share``: the share of the stretch with one or more; ``arrivals``: requests that came in it;
``arrivals_s``, ``longest_s``: how long those were in flight in all, and at most; ``p95_in_flight``: of the dyno
in the whole window, by time; ``crowded_s``: seconds with ``crowd`` or more in flight while another dyno that was
up had none, ``crowded_h12_s``: those with an H12 among them; ``h12``, ``h12_open``: H12 among the arrivals, and
those whose true end no line tells (counted to the router's line: a lower bound); ``whole_seconds``: arrivals
whose line has no fraction of a second; ``evidence``: the longest of the arrivals.

A request is in flight from the time of its line less wait, connect and service until that time; an H12 until
rack-timeout's last line of it. Websockets and requests that reached no dyno are left out. Where times are whole
seconds, ``crowded_s`` counts only what holds wherever in its second each request ended.
"""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Bounds, Finding, Query, cite, span_of, times_of
from workbook.window import Window

NEEDS = ("requests",)
REFERENCE = "book ch. 4"
LONGEST_MS = int((limits.RESTART_HOURS + limits.RESTART_JITTER_HOURS) * 3_600_000)
"""No request outlives its dyno."""

SQL = """
WITH reports AS (
    SELECT
        request_id,
        dyno,
        max(time) FILTER (state IN ('completed', 'timed_out', 'expired')) AS reported_end
    FROM rack_timeouts
    WHERE request_id IS NOT NULL
    GROUP BY request_id, dyno
    HAVING count(*) FILTER (state = 'ready') <= 1
),
clocks AS (
    SELECT source_id, bool_and(time = date_trunc('second', time)) AS whole_seconds
    FROM requests
    WHERE time IS NOT NULL
    GROUP BY source_id
),
lives AS (
    SELECT
        requests.source_id,
        requests.line,
        requests.dyno,
        requests.time,
        whole_seconds,
        coalesce(code = 'H12', false) AS is_h12,
        is_h12 AND reported_end IS NULL AS is_open,
        coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms AS total_ms,
        requests.time - to_milliseconds(total_ms) AS started,
        greatest(
            requests.time,
            started + INTERVAL 1 MILLISECOND,
            CASE WHEN is_h12 THEN reported_end END
        ) AS ended
    FROM requests
    JOIN clocks USING (source_id)
    LEFT JOIN reports ON reports.request_id = requests.request_id AND reports.dyno = requests.dyno
    WHERE
        requests.dyno IS NOT NULL
        AND requests.time IS NOT NULL
        AND status IS DISTINCT FROM 101
        AND (code IS NULL OR code IN ('H12', 'H13', 'H15', 'H18', 'H25', 'H27', 'H28'))
        AND coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms BETWEEN 0 AND $longest_ms
),
span AS (
    SELECT
        greatest(min(started), min(time) - to_milliseconds($h12_ms), $start::TIMESTAMP) AS first,
        least(max(ended), $end::TIMESTAMP) AS last,
        epoch(last - first) AS span_s,
        coalesce(
            list_min(
                list_filter(
                    [1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400],
                    lambda width: width * 198 >= span_s
                )
            ),
            86400 * ceil(span_s / 198 / 86400)::BIGINT
        ) AS step_s
    FROM lives
),
shown AS (
    SELECT lives.* EXCLUDE (time), first, last
    FROM lives, span
    WHERE started < last AND ended > first
),
stretches AS (
    SELECT
        greatest(bucket, first) AS time,
        least(bucket + to_seconds(step_s), last) AS until,
        bucket
    FROM (
        SELECT *, unnest(generate_series(time_bucket(to_seconds(step_s), first), last, to_seconds(step_s))) AS bucket
        FROM span
        WHERE first < last
    )
    WHERE bucket < last
),
dynos AS (
    SELECT DISTINCT dyno
    FROM shown
),
events AS (
    SELECT
        dyno,
        greatest(started, first) AS time,
        1 AS change,
        CASE WHEN whole_seconds THEN 0 ELSE 1 END AS sure,
        is_h12::INTEGER AS h12,
        NULL::BOOLEAN AS is_up,
        NULL::BIGINT AS said
    FROM shown
    UNION ALL
    SELECT dyno, least(ended, last), -1, CASE WHEN whole_seconds THEN 0 ELSE -1 END, -is_h12::INTEGER, NULL, NULL
    FROM shown
    UNION ALL
    SELECT dyno, least(greatest(started + INTERVAL 1 SECOND, first), last), 0, 1, 0, NULL, NULL
    FROM shown
    WHERE whole_seconds AND ended > started + INTERVAL 1 SECOND
    UNION ALL
    SELECT dyno, least(ended, last), 0, -1, 0, NULL, NULL
    FROM shown
    WHERE whole_seconds AND ended > started + INTERVAL 1 SECOND
    UNION ALL
    SELECT dyno, unnest([time, until]), 0, 0, 0, NULL, NULL
    FROM dynos, stretches
    UNION ALL
    SELECT dyno, greatest(time, first), 0, 0, 0, to_state = 'up', row_number() OVER (ORDER BY time, source_id, line)
    FROM dyno_states
    SEMI JOIN dynos USING (dyno)
    CROSS JOIN span
    WHERE to_state IS NOT NULL AND time < last
),
moments AS (
    SELECT
        dyno,
        time,
        sum(change)::BIGINT AS change,
        sum(sure)::BIGINT AS sure,
        sum(h12)::BIGINT AS h12,
        arg_max(is_up, said) AS is_up
    FROM events
    GROUP BY dyno, time
),
levels AS (
    SELECT
        dyno,
        time,
        lead(time) OVER so_far AS until,
        sum(change) OVER so_far AS in_flight,
        sum(sure) OVER so_far AS sure_in_flight,
        sum(h12) OVER so_far AS h12_in_flight,
        coalesce(last_value(is_up IGNORE NULLS) OVER so_far, true) AS is_up,
        last_value(CASE WHEN change <> 0 THEN time END IGNORE NULLS) OVER so_far AS since,
        time_bucket(to_seconds((SELECT step_s FROM span)), time) AS bucket,
        (epoch_us(until) - epoch_us(time)) / 1e6 AS lasted_s
    FROM moments
    WINDOW so_far AS (PARTITION BY dyno ORDER BY time ROWS UNBOUNDED PRECEDING)
    QUALIFY until IS NOT NULL
),
crowd_ends AS (
    SELECT dyno, bucket, h12_in_flight > 0 AS with_h12, unnest([time, until]) AS time, unnest([-1, 1]) AS sign
    FROM levels
    WHERE sure_in_flight >= $crowd
),
idle_times AS (
    SELECT
        greatest(
            time,
            coalesce(since, time) + to_seconds((SELECT bool_or(whole_seconds)::INTEGER FROM shown))
        ) AS idle_from,
        until AS idle_to
    FROM levels
    SEMI JOIN crowd_ends USING (bucket)
    WHERE in_flight = 0 AND is_up AND idle_to > idle_from
),
idle_dynos AS (
    SELECT time, sum(sum(change)) OVER (ORDER BY time) AS idle, lead(time) OVER (ORDER BY time) AS until
    FROM (
        SELECT idle_from AS time, 1 AS change FROM idle_times
        UNION ALL
        SELECT idle_to, -1 FROM idle_times
    )
    GROUP BY time
),
idle_clock AS (
    SELECT
        time,
        idle > 0 AS runs,
        coalesce(
            sum(CASE WHEN idle > 0 THEN (epoch_us(until) - epoch_us(time)) / 1e6 END) OVER (
                ORDER BY time
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0
        ) AS idle_s
    FROM idle_dynos
),
crowds AS (
    SELECT
        dyno,
        bucket,
        with_h12,
        sign * (idle_s + CASE WHEN runs THEN (epoch_us(ends.time) - epoch_us(idle_clock.time)) / 1e6 ELSE 0 END) AS s
    FROM crowd_ends AS ends
    ASOF JOIN idle_clock ON ends.time >= idle_clock.time
),
crowded AS (
    SELECT dyno, bucket, sum(s) AS crowded_s, sum(s) FILTER (with_h12) AS crowded_h12_s
    FROM crowds
    GROUP BY dyno, bucket
),
held AS (
    SELECT
        dyno,
        bucket,
        sum(in_flight * lasted_s) AS request_s,
        max(in_flight) AS max_in_flight,
        sum(lasted_s) FILTER (in_flight > 0) AS busy_s
    FROM levels
    GROUP BY dyno, bucket
),
arrived AS (
    SELECT
        dyno,
        time_bucket(to_seconds((SELECT step_s FROM span)), started) AS bucket,
        count(*) AS arrivals,
        sum((epoch_us(ended) - epoch_us(started)) / 1e6) AS arrivals_s,
        max((epoch_us(ended) - epoch_us(started)) / 1e6) AS longest_s,
        count(*) FILTER (is_h12) AS h12,
        count(*) FILTER (is_open) AS h12_open,
        count(*) FILTER (whole_seconds) AS whole_seconds,
        arg_max(struct_pack(source_id, line), row(ended - started, -source_id, -line)) AS evidence
    FROM shown
    WHERE started >= first
    GROUP BY ALL
),
shares AS (
    SELECT
        dyno,
        in_flight,
        sum(sum(lasted_s)) OVER (PARTITION BY dyno ORDER BY in_flight)
            / sum(sum(lasted_s)) OVER (PARTITION BY dyno) AS share
    FROM levels
    GROUP BY dyno, in_flight
),
tops AS (
    SELECT dyno, min(in_flight) FILTER (share >= 0.95)::BIGINT AS p95_in_flight
    FROM shares
    GROUP BY dyno
)
SELECT
    dyno,
    stretches.time,
    (epoch_us(until) - epoch_us(stretches.time)) / 1e6 AS width_s,
    round(request_s / width_s, 6) AS mean_in_flight,
    max_in_flight::BIGINT AS max_in_flight,
    round(coalesce(busy_s, 0) / width_s, 6) AS busy_share,
    coalesce(arrivals, 0) AS arrivals,
    round(coalesce(arrivals_s, 0), 3) AS arrivals_s,
    longest_s,
    p95_in_flight,
    round(coalesce(crowded_s, 0), 3) AS crowded_s,
    round(coalesce(crowded_h12_s, 0), 3) AS crowded_h12_s,
    coalesce(h12, 0) AS h12,
    coalesce(h12_open, 0) AS h12_open,
    coalesce(whole_seconds, 0) AS whole_seconds,
    evidence
FROM held
JOIN stretches USING (bucket)
JOIN tops USING (dyno)
LEFT JOIN arrived USING (dyno, bucket)
LEFT JOIN crowded USING (dyno, bucket)
ORDER BY dyno, stretches.time
"""

# While a slot is free, a request takes as long as its route does alone. The first number of others at which it takes
# longer is that of the slots: threads that share one processor look like fewer.
SLOTS_SQL = """
WITH lives AS (
    SELECT
        dyno,
        coalesce(method, '') || ' ' || coalesce(route, '') AS route,
        coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms AS total_ms,
        time - to_milliseconds(total_ms) AS started,
        time AS ended,
        code IS NULL AS answered
    FROM requests
    WHERE
        in_window(time, $start, $end)
        AND time IS NOT NULL
        AND dyno IS NOT NULL
        AND service_ms IS NOT NULL
        AND status IS DISTINCT FROM 101
        AND (code IS NULL OR code IN ('H12', 'H13', 'H15', 'H18', 'H25', 'H27', 'H28'))
        AND epoch_us(time) % 1_000_000 <> 0
),
events AS (
    SELECT dyno, started AS moment, 1 AS change, answered, route, total_ms
    FROM lives
    UNION ALL
    SELECT dyno, ended, -1, false, NULL, NULL
    FROM lives
),
met AS (
    SELECT
        answered,
        route,
        total_ms,
        sum(change) OVER (PARTITION BY dyno ORDER BY moment, change ROWS UNBOUNDED PRECEDING) - 1 AS others
    FROM events
    QUALIFY answered
),
alone AS (
    SELECT route, median(greatest(1, total_ms)) AS alone_ms
    FROM met
    WHERE others = 0
    GROUP BY route
    HAVING count(*) >= $least_count
)
SELECT others::BIGINT AS others, count(*) AS requests, median(total_ms / alone_ms) AS ratio
FROM met
JOIN alone USING (route)
GROUP BY others
HAVING count(*) >= $least_count
ORDER BY others
"""
SLOT_COUNT = 30
"""Fewer requests that met so many others say nothing."""
SLOT_RATIO = 1.3
SLOT_SAME = 1.15


def rows(
    query: Query, window: Window, *, crowd: Annotated[int, Bounds(2, 100)] = limits.CROWD_REQUESTS
) -> pd.DataFrame:
    """Return requests in flight per dyno and stretch of time; columns and units stand at the head of this file.

    ``attrs["met"]`` holds, for each number of others that requests met at their dyno: that number, how many requests,
    and the median of their time as a multiple of that of their route alone.
    """
    ends = {"start": window.start, "end": window.end}
    met = query(SLOTS_SQL, **ends, least_count=SLOT_COUNT)
    table = query(SQL, **ends, crowd=crowd, longest_ms=LONGEST_MS, h12_ms=limits.H12_MS)
    table.attrs["met"] = [(int(n), int(of), float(ratio)) for n, of, ratio in met.itertuples(index=False)]
    return table


def findings(rows: pd.DataFrame, *, crowd: int = limits.CROWD_REQUESTS) -> list[Finding]:
    """Return how busy the dynos were, who was crowded while others idled, and how far the numbers hold."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "How many requests were in flight cannot be said: no router line here has time, dyno and service.",
                next_step="Load a log with the times of its lines: `heroku logs`, or an archive.",
                reference=REFERENCE,
            )
        ]
    told = [_crowded(rows, crowd), _busy(rows), _slots(rows), _little(rows), _open_ends(rows)]
    return [finding for finding in told if finding is not None]


def _per_dyno(rows: pd.DataFrame) -> pd.DataFrame:
    held = rows.assign(
        request_s=rows["mean_in_flight"] * rows["width_s"], busy_s=rows["busy_share"] * rows["width_s"]
    )
    summed = held.groupby("dyno", sort=True)[["request_s", "busy_s", "width_s", "arrivals"]].sum()
    tops = held.groupby("dyno", sort=True)[["max_in_flight", "p95_in_flight"]].max()
    return summed.join(tops).assign(
        mean=summed["request_s"] / summed["width_s"], busy_share=summed["busy_s"] / summed["width_s"]
    )


def _busy(rows: pd.DataFrame) -> Finding:
    dynos = _per_dyno(rows)
    fullest = dynos.sort_values("max_in_flight", ascending=False, kind="stable").iloc[0]
    blurred, arrivals = int(rows["whole_seconds"].sum()), int(rows["arrivals"].sum())
    blur = (
        f" Times of {blurred:,} are whole seconds: most and busy time are blurred by a second."
        if blurred
        else ""
    )
    shown = dynos.head(20)
    return Finding(
        "note",
        f"{words.plural(len(dynos), 'dyno')} held {words.number(float(dynos['mean'].sum()))} requests in flight "
        f"on average (busy slots), busy {_range(dynos['busy_share'], words.share)} of the time; "
        f"at most {int(fullest['max_in_flight']):,} at once ({fullest.name}), "
        f"{int(dynos['p95_in_flight'].max()):,} or fewer for 95 % of the time; "
        f"{words.plural(arrivals, 'request')}{span_of(rows)}.{blur}",
        numbers={
            "requests": arrivals,
            "mean_in_flight_requests": round(float(dynos["mean"].sum()), 4),
            "mean_in_flight_requests_by_dyno": {str(k): round(float(v), 4) for k, v in shown["mean"].items()},
            "p95_in_flight_requests_by_dyno": {str(k): int(v) for k, v in shown["p95_in_flight"].items()},
            "max_in_flight_requests_by_dyno": {str(k): int(v) for k, v in shown["max_in_flight"].items()},
            "busy_share_by_dyno": {str(k): round(float(v), 4) for k, v in shown["busy_share"].items()},
            "whole_second_requests": blurred,
        },
        evidence=_lines(rows, "max_in_flight"),
        next_step="Compare with the slots (processes times threads) of a dyno, which the log does not name: "
        "more in flight than slots are waiting.",
        reference=REFERENCE,
        about=times_of(rows),
    )


def _crowded(rows: pd.DataFrame, crowd: int) -> Finding | None:
    if rows["dyno"].nunique() < 2:
        return None
    crowded = rows[rows["crowded_s"] > 0]
    if crowded.empty:
        return Finding(
            "ruled_out",
            f"No dyno surely held {crowd:,} or more requests while another stood idle, in "
            f"{words.plural(int(rows['arrivals'].sum()), 'request')} "
            f"of {words.plural(rows['dyno'].nunique(), 'dyno')}.",
            numbers={"requests": int(rows["arrivals"].sum()), "crowd_requests": crowd},
            reference=REFERENCE,
            about=times_of(rows),
        )
    seconds = (
        crowded.groupby("dyno", sort=True)["crowded_s"].sum().sort_values(ascending=False, kind="stable")
    )
    h12_s = float(crowded["crowded_h12_s"].sum())
    with_h12 = f", {h12_s:,.0f} s of it with requests that ended in H12" if h12_s else ""
    by_dyno = ", ".join(f"{dyno} {s:,.0f} s" for dyno, s in seconds.head(5).items())
    return Finding(
        "warning" if h12_s else "note",
        f"{words.plural(len(seconds), 'dyno')} held {crowd:,} or more requests while another dyno stood idle: "
        f"{by_dyno}{with_h12}{span_of(crowded)}; the router picks at random.",
        numbers={
            "crowded_seconds_by_dyno": {
                str(dyno): round(float(s), 1) for dyno, s in seconds.head(20).items()
            },
            "crowded_with_h12_seconds": round(h12_s, 1),
            "crowd_requests": crowd,
        },
        evidence=_lines(crowded, "crowded_s"),
        next_step="Run blockers for the slow requests that held those dynos. More slots per dyno help more than more "
        "dynos: the router does not see which are busy. Where a dyno has as many slots, it was no queue.",
        reference=REFERENCE,
        confidence="high" if not rows["whole_seconds"].any() else "medium",
        about=times_of(crowded),
    )


def effective_slots(met: list[tuple[int, int, float]]) -> tuple[int, str] | None:
    """Return the slots of a dyno and how sure that is: the least number of others with which requests take longer.

    None where requests never met enough others to take longer: then there are more slots than were ever filled.
    """
    known = {others: ratio for others, _, ratio in met}
    slots = next((others for others in sorted(known) if others and known[others] > SLOT_RATIO), None)
    if slots is None:
        return None
    below = [known.get(others) for others in range(1, slots)]
    steady = all(ratio is not None and ratio <= SLOT_SAME for ratio in below)
    goes_on = known.get(slots + 1, known[slots]) >= SLOT_RATIO
    return slots, "medium" if steady and goes_on else "low"


def _slots(rows: pd.DataFrame) -> Finding | None:
    met = rows.attrs.get("met") or []
    most = max((others for others, _, _ in met), default=0)
    if most == 0:
        return None
    found = effective_slots(met)
    if found is None:
        return Finding(
            "note",
            f"A dyno works on {most + 1:,} requests or more at once: those that met {most:,} others took no longer "
            "than alone.",
            numbers={"least_slots": most + 1},
            reference=REFERENCE,
        )
    slots, confidence = found
    ratio = {others: ratio for others, _, ratio in met}[slots]
    return Finding(
        "note",
        f"A dyno seems to work on {words.plural(slots, 'request')} at once: those that met {slots:,} "
        f"{'other' if slots == 1 else 'others'} took {words.number(round(ratio, 2))} times as long as their route "
        "alone.",
        numbers={"effective_slots": slots, "ratio": round(ratio, 4)},
        next_step=f"Where that is its processes times threads, give it to blockers and what_if (slots={slots}); "
        "threads that share one processor look like fewer.",
        reference=REFERENCE,
        confidence=confidence,
    )


def _little(rows: pd.DataFrame) -> Finding | None:
    held_s = float((rows["mean_in_flight"] * rows["width_s"]).sum())
    came_s, longest_s = float(rows["arrivals_s"].sum()), float(rows["longest_s"].max())
    window_s = float(rows.groupby("dyno")["width_s"].sum().max())
    if not held_s or not came_s or 2 * longest_s >= window_s:
        return None
    off, edge = abs(held_s - came_s) / held_s, 2 * longest_s / window_s
    holds = off <= edge + 1e-4
    law = f"L = {words.number(held_s / window_s)}, λW = {words.number(came_s / window_s)} requests"
    return Finding(
        "ruled_out" if holds else "note",
        f"Little's law {'holds' if holds else 'is off'} by {words.share(off)} ({law}; the ends of the window "
        f"explain {words.share(edge)}): {'no' if holds else 'maybe'} time was lost or counted twice.",
        numbers={
            "in_flight_seconds": round(held_s, 1),
            "arrived_seconds": round(came_s, 1),
            "off_share": round(off, 6),
        },
        next_step=""
        if holds
        else "Choose a window that begins and ends in calm times; if it stays, lines are missing.",
        reference=REFERENCE,
    )


def _open_ends(rows: pd.DataFrame) -> Finding | None:
    still_open = int(rows["h12_open"].sum())
    if not still_open:
        return None
    return Finding(
        "note",
        f"{words.plural(still_open, 'H12 request')} of {int(rows['h12'].sum()):,} may have run on: no line tells their "
        "end, so they count until the router gave up and what is in flight is a lower bound.",
        numbers={"open_h12_requests": still_open, "h12_requests": int(rows["h12"].sum())},
        evidence=_lines(rows[rows["h12_open"] > 0], "longest_s"),
        next_step="Let rack-timeout (or its like) log at level info: it logs the end of the work.",
        reference=REFERENCE,
    )


def _range(values: pd.Series, write: Any) -> str:
    low, high = write(float(values.min())), write(float(values.max()))
    return low if low == high else f"{low} to {high}"


def _lines(rows: pd.DataFrame, by: str) -> tuple[Any, ...]:
    worst = rows.sort_values(by, ascending=False, kind="stable", na_position="last")["evidence"]
    return cite([cell for cell in worst.head(10) if isinstance(cell, dict)])


def chart(rows: pd.DataFrame, *, marks: pd.DataFrame | None = None) -> Any:
    """Return the mean number of requests in flight over time, a line per dyno."""
    import altair as alt

    if rows.empty:
        return charts.empty("no request with time, dyno and service")
    fullest = _per_dyno(rows).sort_values("request_s", ascending=False, kind="stable").index[:8]
    shown = rows[rows["dyno"].isin(fullest)].drop(columns="evidence")
    told = [
        "dyno:N",
        charts.time_tooltip("time"),
        alt.Tooltip("mean_in_flight:Q", format=".3f"),
        "max_in_flight:Q",
        alt.Tooltip("busy_share:Q", format=".1%"),
        "arrivals:Q",
        alt.Tooltip("crowded_s:Q", format=".1f"),
    ]
    lines = (
        alt.Chart(shown)
        .mark_line(interpolate="step-after", point={"size": 12})
        .encode(
            x=charts.time_axis("time"),
            y=alt.Y("mean_in_flight:Q", title="requests in flight (mean)"),
            color=alt.Color("dyno:N", title="dyno"),
            tooltip=told,
        )
    )
    width_s = int(rows["width_s"].max())
    each = f"mean of each {words.plural(width_s // 60, 'minute') if width_s % 60 == 0 else f'{width_s} s'}"
    if rows["dyno"].nunique() > len(fullest):
        each += f"; the {len(fullest)} fullest of {rows['dyno'].nunique():,} dynos"
    said = f"Requests in flight at {words.plural(shown['dyno'].nunique(), 'dyno')}, {each}."
    return charts.theme(
        charts.describe(charts.with_marks(lines, marks, rows["time"]), said),
        "Requests in flight by dyno",
        each,
    )
