"""Which errors did users and dynos meet, when, and where?     (book ch. 1, "Heroku error codes"; ch. 3, 4)

One row for each H, R or L code, and one for each 5xx status that the application answered itself
(``app500``).

Rates are errors per 10,000 requests with their 95 % Wilson interval. The requests are those with an outcome:
no websocket, no maintenance (H80–H83), nobody who left (H27, H28, 499); the rows of those codes count
themselves among all requests that they belong to. A log without one successful request was filtered: then
there are counts and no rates.

A burst is an episode (no gap over ``burst_gap_s``) with at least ``burst_count`` errors in 60 s, in its
densest minute more than chance makes anywhere in the log (Poisson at the rate outside of the episode, per
minute or per other request, whichever expects more: errors that grow as the traffic grows are no burst; at
least one error for the whole log; p < 0.0001 after correction for as many minutes as there are errors). A log that
has less than five minutes outside of the episode has no usual rate, and so no burst. R codes are joined to
episodes dyno by dyno.

An error that was not seen is ruled out only if the log lost less than 1 % of its lines, holds a success, and
the 95 % bound is at most 100 per 10,000 requests.

Severity. *critical*: a burst in which, or a log of which, at least 1 % of the requests surely failed with a
code that breaks requests (own 5xx: and at least 5 % of the burst's visitors were hit); R15. *warning*: any
other burst, at least 1 error in 10,000 requests, an unknown rate, R14, R10 and lost log lines from 1 % on.
*note*: the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd

from workbook import charts, codes, limits, words
from workbook.analysis import MOST_EVIDENCE, Bounds, Finding, Query, cite
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("requests", "dyno_errors", "log_errors"),)


def _texts() -> str:
    """Return the names and meanings of the codes as rows of a VALUES list."""
    quoted = ([part.replace("'", "''") for part in (c.code, c.name, c.meaning)] for c in codes.CODES.values())
    return ",\n        ".join(f"('{code}', '{name}', '{meaning}')" for code, name, meaning in quoted)


SQL = f"""
WITH known_codes(code, name, meaning) AS (
    VALUES
        {_texts()}
),
population AS NOT MATERIALIZED (
    SELECT
        source_id,
        line,
        time,
        route,
        dyno,
        host,
        method,
        nullif(trim(split_part(fwd, ',', 1)), '') AS client,
        description,
        code IS NULL AND coalesce(status, 200) < 400 AS succeeded,
        CASE WHEN code IS NOT NULL THEN code WHEN status >= 500 THEN 'app' || status END AS error,
        CASE
            WHEN code IN ('H80', 'H81', 'H82', 'H83') THEN 'maintenance'
            WHEN code IN ('H27', 'H28') THEN 'client_gone'
            WHEN code IS NOT NULL THEN 'outcome'
            WHEN status = 499 THEN 'client_gone'
            WHEN status = 101 THEN 'websocket'
            ELSE 'outcome'
        END AS kind
    FROM requests
    WHERE in_window(time, $start, $end)
),
request_counts AS (
    SELECT
        count(*) FILTER (kind = 'outcome') AS with_outcome,
        count(*) FILTER (kind IN ('outcome', 'client_gone')) AS with_client_gone,
        count(*) FILTER (kind <> 'websocket') AS with_maintenance,
        count(*) FILTER (succeeded) AS succeeded,
        min(time) AS first_time,
        max(time) AS last_time
    FROM population
),
events AS (
    SELECT error AS code, 'request' AS layer, kind, description, source_id, line, time, route, dyno, host,
        method, client, NULL AS dropped, error AS unit
    FROM population
    WHERE error IS NOT NULL
    UNION ALL
    SELECT code, 'dyno', 'dyno', description, source_id, line, time, NULL, dyno, NULL, NULL, NULL, NULL, dyno
    FROM dyno_errors
    WHERE in_window(time, $start, $end) AND code IS NOT NULL
    UNION ALL
    SELECT code, 'log', 'log', description, source_id, line, time, NULL, NULL, NULL, NULL, NULL, dropped, code
    FROM log_errors
    WHERE in_window(time, $start, $end) AND code IS NOT NULL
),
span AS (
    SELECT
        first_time,
        greatest(date_diff('millisecond', first_time, last_time) / 1000.0, 1.0) AS seconds,
        list_filter(
            [60, 300, 600, 900, 1800, 3600, 10800, 21600, 43200, 86400, 604800, 2592000, 31536000],
            lambda width: width::DOUBLE * 198 >= seconds
        )[1] AS bucket_s
    FROM (
        SELECT
            least(r.first_time, min(e.time)) AS first_time,
            greatest(r.last_time, max(e.time)) AS last_time
        FROM request_counts AS r LEFT JOIN events AS e ON true
        GROUP BY r.first_time, r.last_time
    )
),
spaced_events AS (
    SELECT
        *,
        count(*) OVER (
            PARTITION BY layer, code, unit
            ORDER BY time
            RANGE BETWEEN CURRENT ROW AND INTERVAL 59999999 MICROSECONDS FOLLOWING
        ) AS in_a_minute,
        date_diff('microsecond', lag(time) OVER one_unit, time) / 1e6 AS gap_s
    FROM events
    WHERE time IS NOT NULL
    WINDOW one_unit AS (PARTITION BY layer, code, unit ORDER BY time, source_id, line)
),
numbered_events AS (
    SELECT
        *,
        count(*) FILTER (
            gap_s > CASE WHEN layer = 'dyno' THEN {limits.R14_GAP_S} ELSE $burst_gap_s END
        ) OVER (
            PARTITION BY layer, code, unit
            ORDER BY time, source_id, line
            ROWS UNBOUNDED PRECEDING
        ) AS episode
    FROM spaced_events
),
episodes AS (
    SELECT
        layer,
        code,
        unit,
        episode,
        count(*) AS errors,
        max(in_a_minute) AS peak_per_min,
        arg_max(time, (in_a_minute, -epoch_us(time))) AS peak_time,
        min(time) AS start,
        max(time) AS finish
    FROM numbered_events
    GROUP BY ALL
),
dense_episodes AS (
    SELECT *
    FROM episodes
    WHERE layer = 'request' AND peak_per_min >= $burst_count
),
timed_counts AS (
    SELECT code, count(*) AS errors
    FROM events
    WHERE layer = 'request' AND time IS NOT NULL
    GROUP BY code
),
minute_requests AS (
    SELECT
        minute,
        sum(requests) OVER (ORDER BY minute) AS requests_until,
        requests_until - requests AS requests_before
    FROM (
        SELECT time_bucket(INTERVAL 1 MINUTE, time) AS minute, count(*) AS requests
        FROM population
        WHERE time IS NOT NULL AND kind <> 'websocket'
        GROUP BY minute
    )
),
episode_requests AS (
    SELECT
        e.code,
        e.episode,
        max(m.requests_until) - min(m.requests_before) AS requests
    FROM dense_episodes AS e
    JOIN minute_requests AS m ON m.minute > e.start - INTERVAL 1 MINUTE AND m.minute <= e.finish
    GROUP BY e.code, e.episode
),
peak_minutes AS (
    SELECT
        code,
        episode,
        peak_time,
        unnest([0, 1]) AS place,
        time_bucket(INTERVAL 1 MINUTE, peak_time) + to_minutes(place) AS minute
    FROM dense_episodes
),
peak_requests AS (
    SELECT m.code, m.episode, count(*) AS requests
    FROM peak_minutes AS m
    JOIN population AS p
        ON time_bucket(INTERVAL 1 MINUTE, p.time) = m.minute
        AND p.time >= m.peak_time
        AND p.time < m.peak_time + INTERVAL 60 SECOND
    WHERE p.kind <> 'websocket'
    GROUP BY m.code, m.episode
),
traffic AS (
    SELECT
        e.code,
        e.episode,
        peak.requests - d.peak_per_min AS others_in_peak,
        r.with_maintenance - c.errors - (e.requests - d.errors) AS others_outside,
        r.with_maintenance - c.errors AS others
    FROM episode_requests AS e
    JOIN dense_episodes AS d ON d.code = e.code AND d.episode = e.episode
    JOIN peak_requests AS peak ON peak.code = e.code AND peak.episode = e.episode
    JOIN timed_counts AS c ON c.code = e.code
    CROSS JOIN request_counts AS r
    WHERE r.succeeded > 0 AND others_outside > 0
),
judged_episodes AS (
    SELECT
        e.*,
        span.seconds - date_diff('millisecond', e.start, e.finish) / 1000.0 AS seconds_outside,
        greatest(
            60 * greatest((c.errors - e.errors) / seconds_outside, 1 / span.seconds),
            t.others_in_peak * greatest((c.errors - e.errors) / t.others_outside, 1 / t.others)
        ) AS usual_per_min,
        c.errors * CASE
            WHEN e.peak_per_min <= usual_per_min THEN 1
            ELSE list_sum(list_transform(
                range(e.peak_per_min, e.peak_per_min + 500),
                lambda i: exp(i * ln(usual_per_min) - usual_per_min - lgamma(i + 1))
            ))
        END AS p_corrected
    FROM dense_episodes AS e
    JOIN timed_counts AS c ON c.code = e.code
    LEFT JOIN traffic AS t ON t.code = e.code AND t.episode = e.episode
    CROSS JOIN span
    WHERE span.seconds - date_diff('millisecond', e.start, e.finish) / 1000.0 >= 300
),
bursts AS (
    SELECT *, row_number() OVER (PARTITION BY code ORDER BY errors DESC, start) AS size_rank
    FROM judged_episodes
    WHERE p_corrected < 1e-4
),
burst_totals AS (
    SELECT
        code,
        count(*) AS bursts,
        sum(errors)::BIGINT AS errors,
        min(start) AS start,
        max(finish) AS finish
    FROM bursts
    GROUP BY code
),
burst_minutes AS (
    SELECT
        code,
        start,
        finish,
        unnest(generate_series(time_bucket(INTERVAL 1 MINUTE, start), finish, INTERVAL 1 MINUTE)) AS minute
    FROM bursts
    WHERE size_rank = 1
),
burst_requests AS (
    SELECT
        b.code,
        count(*) FILTER (p.kind = 'outcome' OR p.error = b.code) AS requests,
        count(DISTINCT p.client) AS clients,
        count(DISTINCT p.client) FILTER (p.error = b.code) AS clients_hit
    FROM burst_minutes AS b
    JOIN population AS p
        ON time_bucket(INTERVAL 1 MINUTE, p.time) = b.minute AND p.time BETWEEN b.start AND b.finish
    GROUP BY b.code
),
code_counts AS (
    SELECT
        layer,
        code,
        kind,
        count(*) AS errors,
        min(time) AS first_time,
        max(time) AS last_time,
        sum(dropped)::BIGINT AS dropped,
        count(DISTINCT client) AS clients,
        count(DISTINCT dyno) AS dynos
    FROM events
    GROUP BY ALL
),
error_values AS (
    SELECT
        layer,
        code,
        kind,
        one.attribute AS attribute,
        one.value AS value,
        count(*) AS errors
    FROM (
        SELECT
            layer,
            code,
            kind,
            unnest([
                struct_pack(attribute := 'route', value := route),
                struct_pack(attribute := 'dyno', value := dyno),
                struct_pack(attribute := 'host', value := host),
                struct_pack(attribute := 'method', value := method),
                struct_pack(attribute := 'client', value := client)
            ]) AS one
        FROM events
    )
    WHERE one.value IS NOT NULL
    GROUP BY ALL
),
top_values AS (
    SELECT
        code,
        max(value) FILTER (attribute = 'route') AS route,
        max(errors) FILTER (attribute = 'route') AS route_errors,
        max(value) FILTER (attribute = 'dyno') AS dyno,
        max(errors) FILTER (attribute = 'dyno') AS dyno_errors
    FROM (
        SELECT *, row_number() OVER (PARTITION BY code, attribute ORDER BY errors DESC, value) AS place
        FROM error_values
    )
    WHERE place = 1
    GROUP BY code
),
suspects AS (
    SELECT
        v.code,
        v.attribute,
        v.value,
        v.errors,
        c.errors AS all_errors,
        v.errors / c.errors AS support,
        (SELECT count(*) FROM error_values AS tested WHERE tested.code = v.code) AS tested
    FROM error_values AS v
    JOIN code_counts AS c ON c.code = v.code AND c.layer = v.layer
    WHERE v.kind = 'outcome' AND v.errors >= 5 AND support >= 0.3
),
suspect_requests AS (
    SELECT 'route' AS attribute, route AS value, count(*) AS requests
    FROM population
    WHERE kind = 'outcome' AND route IN (SELECT value FROM suspects WHERE attribute = 'route')
    GROUP BY route
    UNION ALL
    SELECT 'dyno', dyno, count(*)
    FROM population
    WHERE kind = 'outcome' AND dyno IN (SELECT value FROM suspects WHERE attribute = 'dyno')
    GROUP BY dyno
    UNION ALL
    SELECT 'host', host, count(*)
    FROM population
    WHERE kind = 'outcome' AND host IN (SELECT value FROM suspects WHERE attribute = 'host')
    GROUP BY host
    UNION ALL
    SELECT 'method', method, count(*)
    FROM population
    WHERE kind = 'outcome' AND method IN (SELECT value FROM suspects WHERE attribute = 'method')
    GROUP BY method
    UNION ALL
    SELECT 'client', client, count(*)
    FROM population
    WHERE kind = 'outcome' AND client IN (SELECT value FROM suspects WHERE attribute = 'client')
    GROUP BY client
),
tested_values AS (
    SELECT
        s.*,
        n.requests,
        s.support / (n.requests / r.with_outcome) AS lift,
        s.errors - n.requests * (s.all_errors - s.errors) / (r.with_outcome - n.requests) AS explained,
        s.tested * list_sum(list_transform(
            range(s.errors, least(s.errors + 2000, s.all_errors, n.requests) + 1),
            lambda i: exp(
                lgamma(n.requests + 1) - lgamma(i + 1) - lgamma(n.requests - i + 1)
                + lgamma(r.with_outcome - n.requests + 1) - lgamma(s.all_errors - i + 1)
                - lgamma(r.with_outcome - n.requests - s.all_errors + i + 1)
                - lgamma(r.with_outcome + 1) + lgamma(s.all_errors + 1)
                + lgamma(r.with_outcome - s.all_errors + 1)
            )
        )) AS p_corrected
    FROM suspects AS s
    JOIN suspect_requests AS n ON n.attribute = s.attribute AND n.value = s.value
    CROSS JOIN request_counts AS r
    WHERE r.succeeded > 0 AND r.with_outcome > n.requests
),
concentrations AS (
    SELECT
        code,
        count(*) AS denser_values,
        list(
            struct_pack(attribute, value, errors, requests, support, lift, explained, p_corrected)
            ORDER BY explained DESC, attribute, value
        ) FILTER (lift >= 2 OR support >= {limits.DENSE_SHARE}) AS concentration
    FROM tested_values
    WHERE lift > 1 AND p_corrected <= 0.01
    GROUP BY code
),
bucketed_events AS (
    SELECT code, list(struct_pack(time, count) ORDER BY time) AS per_bucket
    FROM (
        SELECT e.code, time_bucket(to_seconds(span.bucket_s), e.time) AS time, count(*) AS count
        FROM events AS e CROSS JOIN span
        WHERE e.time IS NOT NULL
        GROUP BY ALL
    )
    GROUP BY code
),
cited_events AS (
    SELECT
        code,
        list(struct_pack(source_id, line) ORDER BY place) AS evidence,
        arg_min(description, place) AS description
    FROM (
        SELECT
            e.code,
            e.source_id,
            e.line,
            e.description,
            row_number() OVER (
                PARTITION BY e.code
                ORDER BY
                    coalesce(e.time BETWEEN b.start AND b.finish, false) DESC,
                    e.time,
                    e.source_id,
                    e.line
            ) AS place
        FROM events AS e LEFT JOIN bursts AS b ON b.code = e.code AND b.size_rank = 1
    )
    WHERE place <= 5
    GROUP BY code
),
traces AS (
    SELECT
        exception,
        first_own_frame,
        count(*) AS seen,
        sum(count(*)) OVER ()::BIGINT AS all_seen,
        arg_min(struct_pack(source_id, line), struct_pack(time, source_id, line)) AS first_line,
        row_number() OVER (ORDER BY count(*) DESC, exception, first_own_frame) AS place
    FROM stack_traces
    WHERE in_window(time, $start, $end) AND exception IS NOT NULL
    GROUP BY exception, first_own_frame
),
rated_codes AS (
    SELECT
        c.*,
        CASE
            WHEN c.layer <> 'request' THEN NULL
            WHEN c.kind = 'maintenance' THEN r.with_maintenance
            WHEN c.kind = 'client_gone' THEN r.with_client_gone
            ELSE r.with_outcome
        END AS requests,
        CASE WHEN r.succeeded > 0 THEN c.errors / requests END AS p,
        {limits.Z_95} AS z,
        1 + z * z / requests AS scale,
        (p + z * z / (2 * requests)) / scale AS centre,
        z * sqrt(p * (1 - p) / requests + z * z / (4 * requests * requests)) / scale AS half_width
    FROM code_counts AS c CROSS JOIN request_counts AS r
)
SELECT
    c.code,
    coalesce(
        cited.description,
        known.name,
        'Status ' || substr(c.code, 4) || ' from the application'
    ) AS description,
    coalesce(
        known.meaning,
        CASE
            WHEN c.code LIKE 'app%' THEN 'the application itself answered with status ' || substr(c.code, 4)
            ELSE 'a code that is not in the list'
        END
    ) AS meaning,
    c.errors AS count,
    c.first_time,
    c.last_time,
    (SELECT count(*) FROM episodes AS e WHERE e.code = c.code) AS episodes,
    c.requests,
    10000 * c.p AS per_10k,
    CASE WHEN c.p IS NOT NULL THEN 10000 * greatest(c.centre - c.half_width, 0) END AS per_10k_low,
    CASE WHEN c.p IS NOT NULL THEN 10000 * least(c.centre + c.half_width, 1) END AS per_10k_high,
    c.clients,
    c.dynos,
    coalesce(all_bursts.bursts, 0) AS bursts,
    all_bursts.errors AS bursts_errors,
    all_bursts.start AS bursts_start,
    all_bursts.finish AS bursts_end,
    burst.errors AS burst_errors,
    burst.start AS burst_start,
    burst.finish AS burst_end,
    burst.peak_per_min AS burst_peak_per_min,
    CASE WHEN c.p IS NOT NULL THEN around.requests END AS burst_requests,
    burst.errors / burst_requests AS burst_share,
    (
        burst_share + c.z * c.z / (2 * burst_requests)
        - c.z * sqrt(
            burst_share * (1 - burst_share) / burst_requests
            + c.z * c.z / (4 * burst_requests * burst_requests)
        )
    ) / (1 + c.z * c.z / burst_requests) AS burst_share_low,
    around.clients AS burst_clients,
    around.clients_hit AS burst_clients_hit,
    top.route AS top_route,
    top.route_errors / c.errors AS top_route_share,
    top.dyno AS top_dyno,
    top.dyno_errors / c.errors AS top_dyno_share,
    where_dense.concentration,
    coalesce(where_dense.denser_values, 0) AS denser_values,
    trace.exception,
    trace.first_own_frame AS exception_frame,
    trace.seen AS exception_count,
    trace.all_seen AS exceptions,
    trace.first_line AS exception_line,
    c.dropped,
    (SELECT count(*) FROM log_lines WHERE in_window(time, $start, $end)) AS log_lines,
    span.bucket_s,
    bucketed.per_bucket,
    cited.evidence
FROM rated_codes AS c
CROSS JOIN span
LEFT JOIN known_codes AS known ON known.code = c.code
LEFT JOIN cited_events AS cited ON cited.code = c.code
LEFT JOIN burst_totals AS all_bursts ON all_bursts.code = c.code
LEFT JOIN bursts AS burst ON burst.code = c.code AND burst.size_rank = 1
LEFT JOIN burst_requests AS around ON around.code = c.code
LEFT JOIN top_values AS top ON top.code = c.code
LEFT JOIN concentrations AS where_dense ON where_dense.code = c.code
LEFT JOIN bucketed_events AS bucketed ON bucketed.code = c.code
LEFT JOIN traces AS trace ON trace.place = 1 AND c.code IN ('app500', 'H10')
ORDER BY count DESC, c.code
"""

SEEN_SQL = """
SELECT
    (SELECT count(*) FROM requests WHERE in_window(time, $start, $end)) AS requests,
    (
        SELECT count(*)
        FROM requests
        WHERE in_window(time, $start, $end) AND code IS NULL AND coalesce(status, 200) < 400
    ) AS succeeded,
    (SELECT count(*) FROM log_lines WHERE in_window(time, $start, $end)) AS log_lines
"""


def rows(
    query: Query,
    window: Window,
    *,
    burst_gap_s: Annotated[int, Bounds(5, 3_600)] = limits.BURST_GAP_S,
    burst_count: Annotated[int, Bounds(2, 1_000)] = limits.BURST_COUNT,
) -> pd.DataFrame:
    """Return one row for each code, most lines first; ``attrs`` counts what was looked at.

    ``requests``, ``per_10k`` and its interval are NULL for R and L codes; the rate is NULL in a log without
    any success. ``concentration`` lists the routes, dynos, hosts, methods and clients with far more errors
    than their share of requests (``support`` of the errors, ``lift`` over the requests: 2 or more, or any
    surely above 1 if the value has 80 % of the errors); ``denser_values`` counts all that are surely denser;
    ``per_bucket`` counts errors every ``bucket_s``. ``attrs`` has the ``requests`` and ``log_lines`` looked
    at, and how many requests ``succeeded``.
    """
    seen = query(SEEN_SQL, start=window.start, end=window.end)
    table = query(SQL, start=window.start, end=window.end, burst_gap_s=burst_gap_s, burst_count=burst_count)
    table.attrs.update({name: int(seen[name][0]) for name in ("requests", "succeeded", "log_lines")})
    return table


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return one finding for each code, and what was ruled out: H12 and own 5xx, with the requests seen."""
    return [*(_finding(row) for row in rows.itertuples(index=False)), *_ruled_out(rows)]


def chart(rows: pd.DataFrame, marks: pd.DataFrame | None = None) -> alt.Chart | alt.LayerChart:
    """Return the errors over time as stacked bars, one colour for each of the most frequent codes."""
    points = _points(rows)
    if points.empty:
        return charts.empty("no H, R or L code and no 5xx of the application at a known time")
    import altair as alt

    bucket_s = int(rows["bucket_s"].dropna().iloc[0])
    order = list(dict.fromkeys(points["code"]))
    width = words.ms(1_000 * bucket_s).removesuffix(" 0 s").removesuffix(" 0 min")
    bars = (
        alt.Chart(points)
        .mark_bar()
        .encode(
            x=charts.time_axis("time"),
            x2=alt.X2("end:T"),
            y=alt.Y("below:Q", title=f"errors per {width}", scale=alt.Scale(zero=True)),
            y2=alt.Y2("top:Q"),
            color=alt.Color(
                "code:N", title="code", scale=alt.Scale(domain=order, range=list(charts.PALETTE))
            ),
            tooltip=[
                alt.Tooltip("code:N"),
                charts.time_tooltip("time"),
                alt.Tooltip("count:Q", title="errors"),
            ],
        )
    )
    drawn = charts.theme(
        charts.with_marks(bars, marks, points["time"]), "Errors over time", f"counted every {width}"
    )
    return charts.describe(
        drawn, f"Stacked bars: errors per {width} over time (UTC), by code: {', '.join(order)}."
    )


SHOWN_CODES = len(charts.PALETTE)


def _points(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each code and bucket, with the ends of its bar; rare codes are summed as other."""
    counted: dict[tuple[Any, str], int] = {}
    for place, row in enumerate(rows.itertuples(index=False)):
        named = place < SHOWN_CODES - 1 or len(rows) == SHOWN_CODES
        for one in _list(row.per_bucket):
            key = (pd.Timestamp(one["time"]), str(row.code) if named else "other")
            counted[key] = counted.get(key, 0) + one["count"]
    bars = [(time, code, count) for (time, code), count in counted.items()]
    points = pd.DataFrame(bars, columns=["time", "code", "count"])
    if len(points):
        points["end"] = points["time"] + pd.Timedelta(seconds=int(rows["bucket_s"].dropna().iloc[0]))
        points["top"] = points.groupby("time")["count"].cumsum()
        points["below"] = points["top"] - points["count"]
    return points


def _finding(row: Any) -> Finding:
    known = codes.code(row.code)
    title = {"log": _log_title, "dyno": _dyno_title}.get(known.layer, _request_title)(row, known)
    numbers = {
        "errors": row.count,
        "episodes": row.episodes,
        "requests": row.requests,
        "errors_per_10k_requests": row.per_10k,
        "errors_per_10k_requests_low": row.per_10k_low,
        "errors_per_10k_requests_high": row.per_10k_high,
        "burst_errors": row.burst_errors,
        "burst_peak_errors_per_min": row.burst_peak_per_min,
        "burst_share": row.burst_share,
        "lost_lines": row.dropped,
    }
    place = (row.bursts_start, row.bursts_end) if _burst(row) else (row.first_time, row.last_time)
    trace = () if words.missing(row.exception) else cite(row.exception_line)
    return Finding(
        _severity(row, known),
        title,
        numbers={name: _plain(value) for name, value in numbers.items() if not words.missing(value)},
        evidence=(*cite(row.evidence)[: MOST_EVIDENCE - len(trace)], *trace),
        next_step=_next_step(row, known),
        reference=known.reference,
        confidence="high" if _burst(row) else None,
        about=None if words.missing(place[0]) else place,
    )


UNRATED_BURST = 20
"""Errors from which a burst is called critical in a log without a successful request to compare with."""


def _severity(row: Any, known: codes.Code) -> str:
    if row.code in codes.LOST:
        return "warning" if _lost_many(row) else "note"
    if known.layer in ("log", "dyno") or known.severity == "note":
        return known.severity
    if known.severity == "critical" and (_burst_breaks(row, known) or _rate_breaks(row, known)):
        return "critical"
    often = words.missing(row.per_10k) or row.per_10k >= limits.ERROR_PER_10K
    return "warning" if _burst(row) or often else "note"


def _lost_many(row: Any) -> bool:
    """Say whether the log lost 1 % of its lines or more, or nobody knows how many."""
    return words.missing(row.dropped) or bool(row.dropped >= limits.LOST_SHARE * row.log_lines)


def _burst_breaks(row: Any, known: codes.Code) -> bool:
    """Say whether surely 1 % of the requests failed in the largest burst; own 5xx: for enough visitors."""
    if not _burst(row):
        return False
    unrated = words.missing(row.burst_share_low)
    enough = row.burst_errors >= UNRATED_BURST if unrated else row.burst_share_low >= limits.ERROR_SHARE
    few_hit = row.burst_clients > 0 and row.burst_clients_hit / row.burst_clients < limits.CLIENT_SHARE
    return bool(enough) and not (known.layer == "app" and few_hit)


def _rate_breaks(row: Any, known: codes.Code) -> bool:
    """Say whether surely 1 % of the requests failed in the whole log; own 5xx: for several visitors."""
    if words.missing(row.per_10k_low) or row.count < limits.BURST_COUNT:
        return False
    few_hit = 0 < row.clients < limits.BURST_COUNT
    return bool(row.per_10k_low >= 10_000 * limits.ERROR_SHARE) and not (known.layer == "app" and few_hit)


def _request_title(row: Any, known: codes.Code) -> str:
    who = f"{row.code} ({known.name})"
    if known.layer == "app":
        who = f"Status {known.status} answered by the application itself"
    return f"{who}: {_burst_said(row, known) if _burst(row) else _rate_said(row)}{_where(row)}{_trace(row)}."


def _burst_said(row: Any, known: codes.Code) -> str:
    share = (
        ""
        if words.missing(row.burst_share)
        else f", {words.share(row.burst_share)} of the requests of that time"
    )
    hit = ""
    if known.layer == "app" and row.burst_clients > 0:
        hit = f", {row.burst_clients_hit:,} of {words.plural(row.burst_clients, 'visitor')} hit"
    largest = f"{words.plural(row.burst_errors, 'error')}, {words.times(row.burst_start, row.burst_end)}"
    if row.bursts > 1:
        span = words.times(row.bursts_start, row.bursts_end)
        largest = f"{row.bursts_errors:,} errors in {row.bursts:,} bursts, {span}; the largest: {largest}"
    rest = f"{row.count:,} errors in all; " if row.count > row.bursts_errors else ""
    return f"{rest}{largest}, up to {row.burst_peak_per_min:,} in a minute{share}{hit}"


def _rate_said(row: Any) -> str:
    harmless = row.code in codes.MAINTENANCE + codes.CLIENT_GONE
    said = words.count(row.count) if harmless else words.plural(row.count, "error")
    when = "" if words.missing(row.first_time) else f", {words.times(row.first_time, row.last_time)}"
    if words.missing(row.per_10k):
        return f"{said}{when}, in a log that holds no successful request to compare with"
    low, high = (words.number(value) for value in (row.per_10k_low, row.per_10k_high))
    rate = f"{words.number(row.per_10k)} per 10,000 (95 %: {low} to {high})"
    return f"{said} of {words.plural(row.requests, 'request')}{when}: {rate}"


def _dyno_title(row: Any, known: codes.Code) -> str:
    place = f" on {row.top_dyno}" if row.dynos == 1 else f" on {row.dynos:,} dynos" if row.dynos else ""
    episodes = f" in {words.plural(row.episodes, 'episode')}" if row.episodes else ""
    when = "" if words.missing(row.first_time) else f", {words.times(row.first_time, row.last_time)}"
    return f"{row.code} ({known.name}): {words.plural(row.count, 'line')}{episodes}{place}{when}."


def _log_title(row: Any, known: codes.Code) -> str:
    reports = words.plural(row.count, "report")
    if row.code not in codes.LOST:
        return f"{row.code} ({known.name}): {reports}."
    lost = (
        "an unknown number of lines"
        if words.missing(row.dropped)
        else f"at least {words.plural(row.dropped, 'line')}"
    )
    return f"The log lost {lost} ({row.code}, {known.name}, {reports}): counts are too low."


def _where(row: Any) -> str:
    """Return where errors are dense: the value that explains most, and another nearly as good."""
    dense = _list(row.concentration)
    if not dense:
        return ""
    first, near = dense[0], 0.8 * dense[0]["explained"]
    others = [one for one in dense if one["attribute"] != first["attribute"] and one["explained"] >= near]
    said = [
        f"{words.share(one['support'])} with {one['attribute']} {_short(one['value'])}"
        f" ({words.number(round(one['lift'], 1))} times its share of requests)"
        for one in (first, *others[:1])
    ]
    return f"; {' and '.join(said)}"


def _trace(row: Any) -> str:
    if words.missing(row.exception):
        return ""
    frame = "" if words.missing(row.exception_frame) else f" at {_short(row.exception_frame)}"
    seen = f"{row.exception_count:,} of {words.plural(row.exceptions, 'stack trace')}"
    return f"; most frequent exception {_short(row.exception)}{frame} ({seen})"


def _next_step(row: Any, known: codes.Code) -> str:
    enough = row.count >= 4 * limits.BURST_COUNT and not words.missing(row.per_10k)
    judged = known.layer in ("router", "app") and row.code not in codes.MAINTENANCE + codes.CLIENT_GONE
    if not (enough and judged) or _list(row.concentration):
        return known.next_step
    return f"{known.next_step} {_spread(row)}"


def _spread(row: Any) -> str:
    """Return what follows from no value standing out: a shared cause only if the log could tell it apart."""
    shares = (("route", row.top_route, row.top_route_share), ("dyno", row.top_dyno, row.top_dyno_share))
    most = [
        f"{words.share(share)} of these errors are with {name} {_short(value)}"
        for name, value, share in shares
        if not words.missing(value) and not words.missing(share) and share >= limits.DENSE_SHARE
    ]
    if most:
        return (
            f"{' and '.join(most)}, hardly more than of all requests: by this, causes cannot be told apart."
        )
    if row.denser_values:
        return (
            "Some values have more errors than their share of requests, but none has twice it:"
            " by this, causes cannot be told apart."
        )
    return (
        "No route, dyno, host, method or client has 30 % of these errors and more than its share of requests:"
        " perhaps they share something else: a queue behind one slow route, the database, an external service."
    )


def _ruled_out(rows: pd.DataFrame) -> list[Finding]:
    requests = rows.attrs.get("requests")
    if requests is None:
        return []
    if not requests:
        lines = rows.attrs.get("log_lines", 0)
        said = (
            f"Whether requests failed cannot be told: no router line among {words.plural(lines, 'log line')}."
        )
        step = "Load a log with heroku[router] lines of this time."
        return [Finding("cannot_tell", said, {"log_lines": lines}, next_step=step, reference="book ch. 1")]
    absent = _absent(set(rows["code"]))
    if not absent:
        return []
    most = 10_000 * limits.Z_95**2 / (requests + limits.Z_95**2)
    weak = _weak(rows, requests, most)
    if weak:
        return [_not_ruled_out(" and no ".join(absent), requests, *weak)]
    return [
        Finding(
            "ruled_out",
            f"No {what} in {words.plural(requests, 'request')}"
            f" (95 %: at most {words.number(most)} per 10,000).",
            {"requests": requests, "errors_per_10k_requests_high": most},
            reference="book ch. 1",
        )
        for what in absent
    ]


def _absent(found: set[str]) -> list[str]:
    """Return the errors that were looked for and not seen."""
    if not found:
        return ["H, R or L code and no 5xx from the application itself"]
    seen = {
        "H12 (Request timeout)": "H12" in found,
        "status 5xx from the application itself": any(one.startswith(codes.OWN) for one in found),
    }
    return [what for what, is_seen in seen.items() if not is_seen]


def _weak(rows: pd.DataFrame, requests: int, most: float) -> tuple[str, str] | None:
    """Return why what was not seen is not ruled out, and what would tell; None if the log can rule it out."""
    if rows.attrs.get("succeeded") == 0:
        return (
            "none of them succeeded, so the log may hold certain lines only",
            "Load the whole router log, without a filter.",
        )
    lost = [row for row in rows.itertuples(index=False) if row.code in codes.LOST and _lost_many(row)]
    if lost:
        known: list[Any] = [row.dropped for row in lost if not words.missing(row.dropped)]
        count = "an unknown number of" if len(known) < len(lost) else f"at least {sum(known):,}"
        return f"the log lost {count} lines", "Load the same time from another drain or archive."
    if most > limits.ERROR_POWER_PER_10K:
        return f"up to {words.number(most)} per 10,000 may fail so (95 %)", "Load a longer time."
    return None


def _not_ruled_out(what: str, requests: int, why: str, step: str) -> Finding:
    return Finding(
        "cannot_tell",
        f"No {what} in {words.plural(requests, 'request')}, but that rules nothing out: {why}.",
        {"requests": requests},
        next_step=step,
        reference="book ch. 1",
    )


def _burst(row: Any) -> bool:
    return not words.missing(row.burst_start)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _list(value: Any) -> list[dict[str, Any]]:
    return [] if words.missing(value) else list(value)


def _short(text: Any) -> str:
    return words.cut(words.visible(str(text), one_line=True), 80)
