"""Which requests should be made faster first?     (book ch. 4, "New Relic"; ch. 6)

One row for each route of the router's lines (``measured_by`` = router) and one for each transaction of a
New Relic table (``measured_by`` = new_relic, one table for each ``source_id``; the row that sums all up is
no row here). The two measure different things: the router's time holds the dyno's queue and the way to the
client, New Relic's does not.

Columns: ``rank`` in the order ``ordered_by`` (within the router's routes, or within one New Relic table);
NULL where the order's value is missing; ``name``: method and route, or the transaction; ``count``: requests
with a time, which are ``answered_count`` answers and ``h12_count`` requests that the router cut off at 30
s; ``p50_ms``, ``p95_ms``, ``p99_ms``: of the answered ones, NULL below 5, 59 and 299 of them;
``p95_low_ms``, ``p95_high_ms``: its 95 % interval, from the binomial ranks that hold for any distribution;
NULL where so few values do not bound it (above: below 72 values);
``p99_with_h12_ms``: with the H12 at 30,000 ms, which then means "30,000 or more"; ``max_ms`` likewise, and
``max_is_cut`` says when it is that; ``avg_ms``, ``total_ms``, ``total_share`` (of the same ``measured_by``
and table), ``cumulative_share``, ``within_500ms_share``, ``within_500ms_count``, ``over_5s_count``,
``over_500ms_s`` (seconds above 500 ms): of answered and H12 requests, an H12 counting 30,000 ms, so that
cut requests do not flatter a route; ``apdex`` at ``apdex_t_s``, from ``satisfied_count``,
``tolerating_count`` and ``frustrated_count``: a platform error or a status of 500 and above is frustrated.
Left out of all times: ``websocket_count`` (101), ``maintenance_count`` (H80–H83), ``client_gone_count``
(H27, H28, 499), all three also of Apdex; ``no_dyno_count`` (no dyno was reached), ``other_code_count``;
``no_time_count``: lines without a service time. ``succeeded_count``: lines without a code and with a status
below 400 (or none); where no route has any, the log may hold errors only, and no share is judged.
``no_connect_count``: lines whose missing connect time counts as 0. ``merged_count``: so many routes with free words at
one place (slugs) are told as one, ``merged_routes``: the first three of them; a route with 59 requests or more is never
merged, and what is merged is said.

Of New Relic: ``d_check`` = Count × Avg / Total - 1 and its ``verdict`` (pass to 0.5 %, warn to 1 %, else
fail), and ``all_total_ms``, ``all_apdex``: what its row of all transactions says. Its quantiles and shares
within 500 ms are NULL: a mean does not give them. Where Total is not printed, ``total_ms`` is Count × Avg.
Its rows carry no time: they are shown only when the window is open at both ends. ``evidence``: the slowest
lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd

from workbook import charts, limits, statistics, words
from workbook.analysis import Bounds, Finding, Query, cite, numbers_of
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("requests", "transactions"),)

Order = Literal["max_then_count", "time_consumed", "p95", "over_5s"]

# chances: that k of n answers are faster than the true 95th percentile. Below 0.95 n - 2 sqrt(n), which is nine
# standard deviations away, they add up to nothing.
#
# Free slugs (/posts/on-being-late) cannot be told from actions by their form, only by how many there are at one place.
# A value that has enough requests to be judged by itself is never merged, nor is what stands first in a path.
SQL = f"""
WITH route_counts AS (
    SELECT method, route, count(*) AS requests
    FROM requests
    WHERE in_window(time, $start, $end) AND route IS NOT NULL
    GROUP BY method, route
),
places AS (
    SELECT
        method,
        route,
        requests,
        string_split(route, '/') AS parts,
        unnest(range(3, len(parts) + 1)) AS place,
        array_to_string(parts[1:place - 1], '/') AS before,
        array_to_string(parts[place + 1:], '/') AS after,
        parts[place] AS value,
        requests < {limits.MIN_FOR_P95} AND NOT starts_with(value, ':') AND value <> '' AS may_be_slug
    FROM route_counts
    WHERE (SELECT sum(requests) FROM route_counts) >= {limits.SLUG_LEARNED}
),
slug_places AS (
    SELECT method, before, after, place, count(*) AS merged, sum(requests) AS merged_requests
    FROM places
    WHERE may_be_slug
    GROUP BY method, before, after, place
    HAVING merged >= {limits.SLUG_MANY}
        OR (merged >= {limits.SLUG_VALUES} AND merged >= {limits.SLUG_SHARE} * merged_requests)
),
slugs AS (
    SELECT
        method,
        route,
        arg_max(
            before || '/:slug' || CASE WHEN after = '' THEN '' ELSE '/' || after END,
            (merged, -place)
        ) AS learned
    FROM places
    JOIN slug_places USING (method, before, after, place)
    WHERE may_be_slug
    GROUP BY method, route
),
flagged AS (
    SELECT
        requests.*,
        coalesce(requests.method, '(no method)') || ' ' || coalesce(learned, requests.route, '(no path)') AS name,
        CASE WHEN learned IS NOT NULL THEN requests.route END AS merged_route,
        CASE
            WHEN status = 101 THEN 'websocket'
            WHEN code IN ('H80', 'H81', 'H82', 'H83') THEN 'maintenance'
            WHEN code IN ('H27', 'H28') OR status = 499 THEN 'client_gone'
            WHEN code = 'H12' THEN 'cut'
            WHEN code IS NOT NULL AND (service_ms IS NULL OR (connect_ms = 0 AND service_ms = 0))
                THEN 'no_dyno'
            WHEN code IS NOT NULL THEN 'other_code'
            WHEN service_ms IS NULL THEN 'no_time'
            ELSE 'answered'
        END AS flag
    FROM requests
    LEFT JOIN slugs ON slugs.route = requests.route AND slugs.method = requests.method
    WHERE in_window(time, $start, $end)
),
timed AS (
    SELECT
        *,
        CASE flag
            WHEN 'answered' THEN coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms
            WHEN 'cut' THEN {limits.H12_MS}
        END AS total_ms,
        CASE
            WHEN flag IN ('websocket', 'maintenance', 'client_gone', 'no_time') THEN NULL
            WHEN flag <> 'answered' OR status >= 500 OR total_ms > 4000 * $apdex_t_s THEN 'frustrated'
            WHEN total_ms > 1000 * $apdex_t_s THEN 'tolerating'
            ELSE 'satisfied'
        END AS zone
    FROM flagged
),
routes AS (
    SELECT
        name,
        count(total_ms) AS count,
        count(*) FILTER (flag = 'answered') AS answered_count,
        count(*) FILTER (flag = 'cut') AS h12_count,
        quantile_cont(total_ms, [0.5, 0.95, 0.99]) FILTER (flag = 'answered') AS quantiles,
        list_sort(list(total_ms) FILTER (flag = 'answered')) AS sorted,
        quantile_cont(CASE flag WHEN 'cut' THEN 'infinity'::DOUBLE ELSE total_ms END, 0.99) AS p99_with_cut,
        max(total_ms) AS max_ms,
        max(total_ms) FILTER (flag = 'answered') AS answered_max_ms,
        avg(total_ms) AS avg_ms,
        sum(total_ms) AS total_ms,
        count(*) FILTER (total_ms <= {limits.TARGET_MS}) AS within_500ms_count,
        count(*) FILTER (total_ms > {limits.BACKGROUND_MS}) AS over_5s_count,
        sum(greatest(total_ms - {limits.TARGET_MS}, 0)) / 1000 AS over_500ms_s,
        count(*) FILTER (zone = 'satisfied') AS satisfied_count,
        count(*) FILTER (zone = 'tolerating') AS tolerating_count,
        count(*) FILTER (zone = 'frustrated') AS frustrated_count,
        count(*) FILTER (flag = 'websocket') AS websocket_count,
        count(*) FILTER (flag = 'maintenance') AS maintenance_count,
        count(*) FILTER (flag = 'client_gone') AS client_gone_count,
        count(*) FILTER (flag = 'no_dyno') AS no_dyno_count,
        count(*) FILTER (flag = 'other_code') AS other_code_count,
        count(*) FILTER (flag = 'no_time') AS no_time_count,
        count(*) FILTER (flag = 'answered' AND connect_ms IS NULL) AS no_connect_count,
        count(*) FILTER (code IS NULL AND coalesce(status, 200) < 400) AS succeeded_count,
        count(DISTINCT merged_route) AS merged_count,
        list_sort(list(DISTINCT merged_route) FILTER (merged_route IS NOT NULL))[1:3] AS merged_routes,
        max_by(
            struct_pack(source_id := source_id, line := line),
            struct_pack(total := total_ms, earlier_source := -source_id, earlier_line := -line),
            5
        ) FILTER (total_ms IS NOT NULL) AS evidence
    FROM timed
    GROUP BY name
),
chances AS (
    SELECT
        n,
        unnest(range(greatest(0, floor(0.95 * n - 2 * sqrt(n)) - 20)::BIGINT, n + 1)) AS k,
        exp(
            lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * ln(0.95) + (n - k) * ln(0.05)
        ) AS chance
    FROM (SELECT DISTINCT answered_count AS n FROM routes WHERE answered_count >= {limits.MIN_FOR_P95})
),
summed_chances AS (
    SELECT
        n,
        k,
        sum(chance) OVER (PARTITION BY n ORDER BY k) AS up_to_k,
        sum(chance) OVER (PARTITION BY n ORDER BY k DESC) AS from_k
    FROM chances
),
p95_ranks AS (
    SELECT
        n,
        max(k) FILTER (up_to_k <= 0.025) + 1 AS low_rank,
        min(k) FILTER (from_k <= 0.025) AS high_rank
    FROM summed_chances
    GROUP BY n
),
router_rows AS (
    SELECT
        'router' AS measured_by,
        NULL::INTEGER AS source_id,
        name,
        count,
        answered_count,
        h12_count,
        CASE WHEN answered_count >= {limits.MIN_FOR_P50} THEN quantiles[1] END AS p50_ms,
        CASE WHEN answered_count >= {limits.MIN_FOR_P95} THEN quantiles[2] END AS p95_ms,
        sorted[low_rank]::DOUBLE AS p95_low_ms,
        sorted[high_rank]::DOUBLE AS p95_high_ms,
        CASE WHEN answered_count >= {limits.MIN_FOR_P99} THEN quantiles[3] END AS p99_ms,
        CASE
            WHEN count < {limits.MIN_FOR_P99} THEN NULL
            WHEN isfinite(p99_with_cut) THEN p99_with_cut
            ELSE {limits.H12_MS}
        END AS p99_with_h12_ms,
        max_ms::DOUBLE AS max_ms,
        h12_count > 0 AND coalesce(answered_max_ms <= {limits.H12_MS}, true) AS max_is_cut,
        avg_ms,
        total_ms::DOUBLE AS total_ms,
        total_ms / nullif(sum(total_ms) OVER (), 0) AS total_share,
        CASE WHEN count > 0 THEN within_500ms_count END AS within_500ms_count,
        CASE WHEN count > 0 THEN over_5s_count END AS over_5s_count,
        over_500ms_s,
        satisfied_count,
        tolerating_count,
        frustrated_count,
        satisfied_count + tolerating_count + frustrated_count AS judged_count,
        (satisfied_count + tolerating_count / 2) / nullif(judged_count, 0) AS apdex,
        $apdex_t_s::DOUBLE AS apdex_t_s,
        websocket_count,
        maintenance_count,
        client_gone_count,
        no_dyno_count,
        other_code_count,
        no_time_count,
        no_connect_count,
        succeeded_count,
        merged_count,
        merged_routes,
        evidence
    FROM routes
    LEFT JOIN p95_ranks ON p95_ranks.n = answered_count
),
all_rows AS (
    SELECT
        source_id,
        max(total_ms) AS all_total_ms,
        max(calls) AS all_calls,
        arg_min(apdex, line) AS all_apdex,
        arg_min(apdex_t, line) AS all_apdex_t_s,
        arg_min(calls * avg_ms / nullif(total_ms, 0) - 1, line) AS all_d_check
    FROM transactions
    WHERE is_total
    GROUP BY source_id
),
new_relic_rows AS (
    SELECT
        'new_relic' AS measured_by,
        source_id,
        name,
        calls AS count,
        max_ms,
        avg_ms,
        coalesce(transactions.total_ms, calls * avg_ms) AS total_ms,
        coalesce(
            share,
            coalesce(transactions.total_ms, calls * avg_ms)
                / nullif(
                    coalesce(
                        all_total_ms,
                        sum(coalesce(transactions.total_ms, calls * avg_ms)) OVER (PARTITION BY source_id)
                    ),
                    0
                )
        ) AS total_share,
        apdex,
        coalesce(apdex_t, all_apdex_t_s) AS apdex_t_s,
        calls * avg_ms / nullif(transactions.total_ms, 0) - 1 AS d_check,
        CASE
            WHEN d_check IS NULL THEN NULL
            WHEN abs(d_check) <= {limits.PRODUCT_PASS} THEN 'pass'
            WHEN abs(d_check) <= {limits.PRODUCT_WARN} THEN 'warn'
            ELSE 'fail'
        END AS verdict,
        all_total_ms,
        all_calls,
        all_apdex,
        all_d_check,
        [struct_pack(source_id := source_id, line := line)] AS evidence
    FROM transactions
    LEFT JOIN all_rows USING (source_id)
    WHERE NOT coalesce(is_total, false)
        AND in_window(NULL, $start, $end)
),
measured AS (
    SELECT * EXCLUDE (judged_count)
    FROM router_rows
    UNION ALL BY NAME
    SELECT *
    FROM new_relic_rows
),
keyed AS (
    SELECT
        *,
        CASE $order
            WHEN 'max_then_count' THEN max_ms
            WHEN 'time_consumed' THEN total_ms
            WHEN 'p95' THEN p95_ms
            WHEN 'over_5s' THEN over_5s_count
        END AS value,
        CASE $order
            WHEN 'max_then_count'
                THEN CASE WHEN max_ms >= $danger_ms THEN [1, coalesce(count, -1), max_ms] ELSE [0, max_ms] END
            WHEN 'time_consumed' THEN [total_ms]
            WHEN 'p95' THEN [p95_ms, answered_count]
            WHEN 'over_5s' THEN [over_5s_count, over_500ms_s]
        END AS key
    FROM measured
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY measured_by, source_id
            ORDER BY value IS NULL, key DESC, name, evidence
        ) AS place
    FROM keyed
)
SELECT
    CASE WHEN value IS NOT NULL THEN place END AS rank,
    $order AS ordered_by,
    measured_by,
    source_id,
    name,
    count,
    p50_ms,
    p95_ms,
    p99_ms,
    max_ms,
    total_ms,
    total_share,
    CASE
        WHEN value IS NOT NULL AND total_share IS NOT NULL
            THEN least(1, sum(total_share) OVER (PARTITION BY measured_by, source_id ORDER BY place))
    END AS cumulative_share,
    within_500ms_count / nullif(count, 0) AS within_500ms_share,
    over_5s_count,
    apdex,
    apdex_t_s,
    avg_ms,
    answered_count,
    h12_count,
    max_is_cut,
    p95_low_ms,
    p95_high_ms,
    p99_with_h12_ms,
    within_500ms_count,
    over_500ms_s,
    satisfied_count,
    tolerating_count,
    frustrated_count,
    websocket_count,
    maintenance_count,
    client_gone_count,
    no_dyno_count,
    other_code_count,
    no_time_count,
    no_connect_count,
    succeeded_count,
    merged_count,
    merged_routes,
    d_check,
    verdict,
    all_total_ms,
    all_calls,
    all_apdex,
    all_d_check,
    evidence
FROM ranked
ORDER BY measured_by = 'new_relic', source_id, place
"""


def rows(
    query: Query,
    window: Window,
    *,
    order: Order = "max_then_count",
    danger_ms: Annotated[int, Bounds(1_000, 30_000)] = limits.DANGER_MS,
    apdex_t_s: Annotated[float, Bounds(0.05, 30)] = limits.APDEX_T_S,
) -> pd.DataFrame:
    """Return one row for each route and each New Relic transaction, ranked by ``order``.

    ``max_then_count``: those whose largest time reaches ``danger_ms`` by how often they are called, then the
    rest by their largest time (how the book hunts H12). ``time_consumed``: by the time of all calls.
    ``p95``: by the slow visit. ``over_5s``: by the number of requests that took longer than 5 s.
    """
    return query(
        SQL, start=window.start, end=window.end, order=order, danger_ms=danger_ms, apdex_t_s=apdex_t_s
    )


def findings(
    rows: pd.DataFrame, *, order: str = "max_then_count", danger_ms: int = limits.DANGER_MS
) -> list[Finding]:
    """Say which route comes first in the order and why; judge times over 5 s, within 500 ms, Apdex, table."""
    counted = rows[rows["count"].fillna(0) > 0]
    router = rows[rows["measured_by"] == "router"]
    if counted.empty:
        return [_nothing(rows)]
    found: list[Finding] = []
    tables = counted.groupby(["measured_by", "source_id"], dropna=False, sort=False)
    several = tables.ngroups - ("router" in set(counted["measured_by"])) > 1
    for (measured_by, source_id), group in tables:
        if measured_by == "router" and not _number(router["succeeded_count"].sum()):
            found.append(_only_errors(router))
        elif measured_by == "router":
            where = "by the router log"
            found += [
                _first(group, order, danger_ms, where),
                *_over_5s(group),
                _within_500ms(group, _unanswered(router)),
                _router_apdex(group),
                *_merged(router),
            ]
        else:
            where = (
                f"by the New Relic table of source {source_id:.0f}" if several else "by the New Relic table"
            )
            found += [
                _first(group, order, danger_ms, where),
                *_new_relic_apdex(group, where),
                *_products(group, where),
            ]
    return found


def _merged(router: pd.DataFrame) -> list[Finding]:
    """Say which routes were told as one, so that nobody looks for them in vain."""
    if "merged_count" not in router:
        return []
    told = router[router["merged_count"].fillna(0) > 0].sort_values(
        ["merged_count", "name"], ascending=[False, True], kind="stable"
    )
    if told.empty:
        return []
    said = "; ".join(
        f"{one['name']} stands for {words.count(one['merged_count'])} ({', '.join(one['merged_routes'])}, …)"
        for _, one in told.head(3).iterrows()
    )
    return [
        Finding(
            "note",
            f"{words.count(told['merged_count'].sum())} routes with free words at one place are told as "
            f"{words.count(len(told))}: {said}; each had fewer than {limits.MIN_FOR_P95} requests.",
            numbers={
                "merged_routes": int(told["merged_count"].sum()),
                "merged_routes_by_name": {
                    str(name): int(n)
                    for name, n in zip(told["name"][:10], told["merged_count"][:10], strict=True)
                },
            },
            reference="book ch. 4",
        )
    ]


def _nothing(rows: pd.DataFrame) -> Finding:
    left_out = {name: int(rows[name].fillna(0).sum()) for name in _LEFT_OUT if name in rows}
    return Finding(
        "cannot_tell",
        "No request with a service time, and no New Relic table, lies in this window.",
        numbers={name: number for name, number in left_out.items() if number},
        next_step="Open the window (a New Relic table has no times and needs it open at both ends),"
        " or load router lines.",
    )


def _only_errors(router: pd.DataFrame) -> Finding:
    """Say that lines of which none succeeded give no shares: the log may be a search for errors."""
    lines = sum(int(router[name].fillna(0).sum()) for name in ("count", *_LEFT_OUT))
    cut = int(router["h12_count"].fillna(0).sum())
    most = router.sort_values(["h12_count", "count", "name"], ascending=[False, False, True]).iloc[0]
    seen = (
        f"; {cut} of them were cut off at 30 s (H12), most in {_name(most)}"
        f" ({words.count(most['h12_count'])})"
        if cut
        else ""
    )
    return Finding(
        "cannot_tell",
        f"Which requests are slow cannot be told: none of {words.plural(lines, 'router line')} is a success, so"
        f" the log may hold errors only{seen}.",
        numbers={"requests": lines, "succeeded_count": 0, "h12_count": cut},
        evidence=cite(most["evidence"]),
        next_step="Load the router lines without a search filter, or open the window to a time with successes.",
        reference="book ch. 4",
    )


def _unanswered(router: pd.DataFrame) -> int:
    """Return the requests that failed without a time: no dyno was reached, or another platform error."""
    return sum(int(router[name].fillna(0).sum()) for name in ("no_dyno_count", "other_code_count"))


_LEFT_OUT = (
    "websocket_count",
    "maintenance_count",
    "client_gone_count",
    "no_dyno_count",
    "other_code_count",
    "no_time_count",
)


def _first(group: pd.DataFrame, order: str, danger_ms: int, where: str) -> Finding:
    """Say which one comes first in the order, in the words of that order."""
    ranked = group[group["rank"].notna()].sort_values("rank")
    if ranked.empty:
        return _no_order(group, order, where)
    first = ranked.iloc[0]
    made = {"max_then_count": _by_max, "time_consumed": _by_time, "p95": _by_p95, "over_5s": _by_over_5s}[
        order
    ]
    return made(first, ranked, danger_ms, where)


def _no_order(group: pd.DataFrame, order: str, where: str) -> Finding:
    lacks = {
        "max_then_count": "it has no largest times",
        "time_consumed": "it has no total times",
        "p95": f"a 95th percentile needs {limits.MIN_FOR_P95} single times of a route",
        "over_5s": "it holds no single times",
    }[order]
    return Finding(
        "cannot_tell",
        f"Which comes first in the order {order} cannot be told {where}: {lacks}.",
        numbers={"rows": len(group)},
        next_step="Choose another order (time_consumed needs least), or load the router log of that time.",
    )


def _by_max(first: pd.Series, ranked: pd.DataFrame, danger_ms: int, where: str) -> Finding:
    over = ranked[ranked["max_ms"] >= danger_ms]
    calls = int(ranked["count"].sum())
    if over.empty:
        slowest = ranked.sort_values(["max_ms", "name"], ascending=[False, True]).iloc[0]
        return Finding(
            "ruled_out",
            f"No {_kind(first)} reached {words.ms(danger_ms)} {where}: the slowest of"
            f" {words.plural(calls, _counted(first))}"
            f" took {words.ms(slowest['max_ms'])} ({_name(slowest)}).",
            numbers={"max_ms": float(slowest["max_ms"]), "danger_ms": danger_ms, "count": calls},
            evidence=cite(slowest["evidence"]),
            reference="book ch. 4",
        )
    cut = _number(first["h12_count"])
    largest = "30 s or more, cut off by an H12" if cut and first["max_is_cut"] else words.ms(first["max_ms"])
    more = f", most of the {len(over)} {_kind(first)}s over {words.ms(danger_ms)}" if len(over) > 1 else ""
    mild = first["measured_by"] == "router" and _number(first["over_5s_count"]) < 2
    usually = over[over["p50_ms"] > limits.BACKGROUND_MS].sort_values(
        ["total_ms", "name"], ascending=[False, True]
    )
    if len(usually) and pd.notna(first["p50_ms"]) and first["p50_ms"] <= limits.BACKGROUND_MS:
        return _waited_perhaps(first, usually.iloc[0], largest, danger_ms, len(over))
    return Finding(
        "note" if mild else "warning",
        f"Look at {_name(first)} first ({where}): its slowest request took {largest}, and it was called"
        f" {words.plural(_number(first['count']), 'time')}{more}.",
        numbers=numbers_of(first, "max_ms", "count", "p99_ms", "h12_count", "over_5s_count", "total_share")
        | {"danger_ms": danger_ms, "over_danger_count": len(over)}
        | ({"second": _name(over.iloc[1])} if len(over) > 1 else {}),
        evidence=cite(first["evidence"]),
        next_step=f"Find out why {_name(first)} sometimes takes so long. The largest time is a single request"
        " and grows with the count: compare the 99th percentile, and the lines below.",
        reference="book ch. 4",
        confidence="medium" if _number(first["count"]) >= limits.MIN_FOR_P95 else "low",
    )


def _waited_perhaps(first: pd.Series, usual: pd.Series, largest: str, danger_ms: int, over: int) -> Finding:
    """Say that the route with the most calls may only wait: the router's time holds the dyno's queue."""
    return Finding(
        "warning",
        f"{_name(first)} leads by largest time and count ({largest},"
        f" {words.plural(_number(first['count']), 'request')}), but half of its requests took"
        f" {words.ms(first['p50_ms'])} or less: it may only wait behind {_name(usual)}, where half took"
        f" {words.ms(usual['p50_ms'])} or more.",
        numbers=numbers_of(first, "max_ms", "count", "p50_ms", "h12_count", "over_5s_count")
        | {"danger_ms": danger_ms, "over_danger_count": over, "usually_slow": _name(usual)}
        | {"usually_slow_p50_ms": float(usual["p50_ms"]), "usually_slow_count": _number(usual["count"])},
        evidence=(*cite(usual["evidence"])[:3], *cite(first["evidence"])[:2]),
        next_step=f"Make {_name(usual)} faster first: the router's time holds the wait for a free dyno."
        " queueing and blockers tell which requests only waited.",
        reference="book ch. 4",
        confidence="medium",
    )


def _by_time(first: pd.Series, ranked: pd.DataFrame, danger_ms: int, where: str) -> Finding:
    share = "" if pd.isna(first["total_share"]) else f", {words.share(first['total_share'])} of all"
    return Finding(
        "note",
        f"{_name(first)} takes the most time {where}: {words.ms(first['total_ms'])}{share}, in"
        f" {words.plural(_number(first['count']), 'request')} of {words.ms(first['avg_ms'])} on average.",
        numbers=numbers_of(first, "total_ms", "total_share", "count", "avg_ms"),
        evidence=cite(first["evidence"]),
        next_step=f"Making {_name(first)} faster frees the most dyno time;"
        " users feel it only where it is slow as well.",
        reference="book ch. 6",
    )


def _by_p95(first: pd.Series, ranked: pd.DataFrame, danger_ms: int, where: str) -> Finding:
    low, high = words.ms(first["p95_low_ms"]), words.ms(first["p95_high_ms"])
    interval = f" (95 % interval {low} to {high})" if pd.notna(first["p95_high_ms"]) else ""
    p95 = float(first["p95_ms"])
    severity = "ruled_out" if p95 <= limits.TARGET_MS else "warning" if p95 > limits.BACKGROUND_MS else "note"
    return Finding(
        severity,
        f"Of {words.plural(len(ranked), 'route')} with at least {limits.MIN_FOR_P95} answers,"
        f" {_name(first)} is slowest for"
        f" one visit in twenty: {words.ms(p95)} or more{interval}.",
        numbers=numbers_of(first, "p95_ms", "p95_low_ms", "p95_high_ms", "answered_count", "h12_count"),
        evidence=cite(first["evidence"]),
        next_step=""
        if severity == "ruled_out"
        else f"Find out what the slow visits of {_name(first)} have in common.",
        reference="book ch. 4",
    )


def _by_over_5s(first: pd.Series, ranked: pd.DataFrame, danger_ms: int, where: str) -> Finding:
    slow, calls = _number(first["over_5s_count"]), _number(first["count"])
    if not slow:
        total = int(ranked["count"].sum())
        return Finding(
            "ruled_out",
            f"None of {words.plural(total, _counted(first))} took longer than 5 s {where}.",
            numbers={"over_5s_count": 0, "count": total},
            reference="book ch. 4",
        )
    return Finding(
        "warning" if slow > 1 else "note",
        f"{_name(first)} took longer than 5 s most often {where}: {words.count(slow)} of"
        f" {words.plural(calls, 'request')}, and {words.ms(1000 * first['over_500ms_s'])} above 500 ms in"
        " all.",
        numbers=numbers_of(first, "over_5s_count", "count", "over_500ms_s", "max_ms", "h12_count"),
        evidence=cite(first["evidence"]),
        next_step="Move the work that takes so long to a background dyno, and answer at once.",
        reference="book ch. 4",
    )


def _over_5s(group: pd.DataFrame) -> list[Finding]:
    """Name the routes whose work belongs in a background dyno: most of their requests take more than 5 s."""
    slow = group[group["over_5s_count"] > 0].sort_values(["over_5s_count", "name"], ascending=[False, True])
    if slow.empty:
        return []
    least = pd.Series(
        [
            statistics.wilson(int(over), int(calls))[0]
            for over, calls in zip(slow["over_5s_count"], slow["count"], strict=True)
        ],
        index=slow.index,
    )
    usually, often = slow[least >= limits.USUAL_SHARE], slow[least >= limits.OFTEN_SHARE]
    named, how = (
        (usually, "as a rule") if len(usually) else (often, "often") if len(often) else (slow, "now and then")
    )
    told = "; ".join(
        f"{_name(row)} ({words.count(row['over_5s_count'])} of {words.count(row['count'])})"
        for _, row in named.head(3).iterrows()
    )
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    others = len(slow) - len(usually)
    others_do = words.plural(others, "other does", "others do")
    rest = f"; {others_do} at times, perhaps only waiting" if len(usually) and others else ""
    return [
        Finding(
            "warning" if len(often) else "note",
            f"{words.plural(len(named), 'route takes', 'routes take')} longer than 5 s {how},"
            f" by the router log: {told}{more}{rest}.",
            numbers={
                "routes": len(slow),
                "routes_usually": len(usually),
                "routes_often": len(often),
                "over_5s_count": int(slow["over_5s_count"].sum()),
                "over_500ms_s": float(slow["over_500ms_s"].sum()),
            },
            evidence=cite(named.iloc[0]["evidence"]),
            next_step=_BACKGROUND if len(usually) else _WAITED,
            reference="book ch. 4",
            confidence="medium",
        )
    ]


_BACKGROUND = (
    "Uploads, reports and calls to other services belong in a background dyno:"
    " answer at once and let the page ask for the result."
)
_WAITED = "Look at the slowest lines: the router's time holds the wait behind other requests (see blockers)."


def _within_500ms(group: pd.DataFrame, unanswered: int) -> Finding:
    """Judge the share of those with a time; requests that failed without one can make it no good share."""
    within, calls = int(group["within_500ms_count"].sum()), int(group["count"].sum())
    low, high = statistics.wilson(within, calls)
    least = statistics.wilson(within, calls + unanswered)[0]
    severity = "ruled_out" if least >= limits.WELL_TUNED_SHARE else "warning" if high < 0.5 else "note"
    h12 = int(group["h12_count"].fillna(0).sum())
    which = words.plural(calls, "answered or cut-off request" if h12 else "answered request")
    failed = f"; {words.count(unanswered)} more failed unanswered" if unanswered else ""
    return Finding(
        severity,
        f"Of {which}, {words.share(within / calls)} took at most 500 ms by the router log"
        f" (95 % interval {words.share(low)} to {words.share(high)}){failed}.",
        numbers={
            "within_500ms_share": within / calls,
            "share_low": low,
            "share_high": high,
            "count": calls,
            "h12_count": h12,
            "unanswered_count": unanswered,
        },
        next_step=""
        if severity == "ruled_out"
        else "Take the routes in the order time_consumed; each shows its own share.",
        reference="book ch. 4",
    )


def _router_apdex(group: pd.DataFrame) -> Finding:
    satisfied, tolerating, frustrated = (
        int(group[f"{zone}_count"].fillna(0).sum()) for zone in ("satisfied", "tolerating", "frustrated")
    )
    judged = satisfied + tolerating + frustrated
    threshold = float(group["apdex_t_s"].iloc[0])
    if judged < limits.APDEX_MIN_COUNT:
        return Finding(
            "cannot_tell",
            f"Apdex cannot be judged from {words.plural(judged, 'request')}; it takes"
            f" {limits.APDEX_MIN_COUNT}.",
            numbers={"count": judged},
            next_step="Load a longer log.",
            reference="book ch. 6",
        )
    apdex = (satisfied + tolerating / 2) / judged
    severity = (
        "ruled_out" if apdex >= limits.APDEX_GOOD else "note" if apdex >= limits.APDEX_POOR else "warning"
    )
    return Finding(
        severity,
        f"The router's Apdex is {apdex:.2f} at T = {threshold:g} s over {words.plural(judged, 'request')}"
        f" ({'good' if severity == 'ruled_out' else 'below the 0.9 of a well-running application'}); it"
        " counts the dyno's"
        " queue and the way to the client, which New Relic's does not.",
        numbers={
            "router_apdex": apdex,
            "apdex_t_s": threshold,
            "satisfied_count": satisfied,
            "tolerating_count": tolerating,
            "frustrated_count": frustrated,
        },
        next_step="" if severity == "ruled_out" else "See which routes have the most frustrated_count.",
        reference="book ch. 6",
    )


def _new_relic_apdex(group: pd.DataFrame, where: str) -> list[Finding]:
    """Judge the Apdex of all transactions, and name the one that is lowest."""
    known = group[group["apdex"].notna()]
    overall = group["all_apdex"].dropna()
    if known.empty and overall.empty:
        return []
    below = known[known["apdex"] < limits.APDEX_GOOD].sort_values(["apdex", "name"])
    score = float(overall.iloc[0]) if len(overall) else None
    thresholds = group["apdex_t_s"].dropna().unique()
    at_t = f" at T = {thresholds[0]:g} s" if len(thresholds) == 1 else ""
    all_of_them = f"Apdex of all transactions is {score:.2f}{at_t} {where}" if score is not None else ""
    if below.empty and (score is None or score >= limits.APDEX_GOOD):
        severity = "ruled_out"
        told = f"each of {words.plural(len(known), 'named transaction')} is at 0.9 or above"
    elif below.empty:
        severity, told = "note", "none of the named transactions is below 0.9"
    else:
        severity = "warning" if score is not None and score < limits.APDEX_POOR else "note"
        told = (
            f"{len(below)} of {words.plural(len(known), 'named transaction')} are below 0.9,"
            f" {_name(below.iloc[0])}"
            f" lowest with {below.iloc[0]['apdex']:.2f}"
        )
    return [
        Finding(
            severity,
            f"{all_of_them}; {told}." if all_of_them else f"By Apdex{at_t} {where}, {told}.",
            numbers={"new_relic_apdex": score, "below_count": len(below), "transactions": len(known)},
            evidence=cite(below.iloc[0]["evidence"]) if len(below) else (),
            next_step=""
            if severity == "ruled_out"
            else "Weigh it with the count: a low Apdex of a rare action hurts few.",
            reference="book ch. 6",
        )
    ]


def _products(group: pd.DataFrame, where: str) -> list[Finding]:
    """Check Count × Avg = Total in each row: numbers that do not belong together must not be ranked."""
    checked = group[group["d_check"].notna()]
    if checked.empty:
        return []
    worst = checked.iloc[int(checked["d_check"].abs().to_numpy(dtype=float).argmax())]
    failed, warned = (int((checked["verdict"] == verdict).sum()) for verdict in ("fail", "warn"))
    numbers = {
        "d_check_max": float(worst["d_check"]),
        "rows": len(checked),
        "failed": failed,
        "warned": warned,
    }
    off = f"{words.share(abs(worst['d_check']))} in {_name(worst)}"
    if not failed and not warned:
        held = words.plural(len(checked), "row")
        title = f"Count × Avg = Total holds in all {held} {where}: at most off by {off}."
        return [
            Finding(
                "ruled_out", title, numbers=numbers, evidence=cite(worst["evidence"]), reference="book ch. 4"
            )
        ]
    return [
        Finding(
            "warning" if failed else "note",
            f"Count × Avg is not Total in {words.plural(failed or warned, 'row')} of {len(checked)}"
            f" {where}: off by {off}.",
            numbers=numbers,
            evidence=cite(worst["evidence"]),
            next_step="Export the table again: a column may be cut, shifted, or of another time.",
            reference="book ch. 4",
        )
    ]


def chart(rows: pd.DataFrame, *, order: str = "max_then_count") -> alt.TopLevelMixin:
    """Draw the share of all time as bars; beside them median or mean, 95th percentile and largest time."""
    import altair as alt

    counted = rows[rows["count"].fillna(0) > 0]
    if counted.empty:
        return charts.empty("no request with a time in this window")
    measured_by, source_id = counted.iloc[0][["measured_by", "source_id"]]
    own = counted[(counted["measured_by"] == measured_by)]
    own = own if pd.isna(source_id) else own[own["source_id"] == source_id]
    shown = own.head(_MOST_BARS).copy()
    shown["label"] = [
        f"{place}. {words.cut(_name(row), 46)}" for place, (_, row) in enumerate(shown.iterrows(), 1)
    ]
    place = alt.Y("label:N", sort=shown["label"].tolist(), title=None, axis=alt.Axis(labelLimit=320))
    tooltip = [alt.Tooltip("name:N"), alt.Tooltip("count:Q", format=",")]
    bars = (
        alt.Chart(shown[["label", "name", "count", "total_share"]])
        .mark_bar(color=charts.BLUE)
        .encode(
            x=alt.X(
                "total_share:Q",
                title="share of all time",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(zero=True),
            ),
            y=place,
            tooltip=[*tooltip, alt.Tooltip("total_share:Q", format=".1%")],
        )
        .properties(width=260, height=alt.Step(20))
    )
    middle = {"p50_ms": "median"} if shown["p50_ms"].notna().any() else {"avg_ms": "mean"}
    chosen = {**middle, "p95_ms": "95th percentile", "max_ms": "largest"}
    points = shown.melt(["label", "name", "count"], list(chosen), "measure", "time_ms").dropna(
        subset=["time_ms"]
    )
    points["measure"] = points["measure"].map(chosen)
    points["time_ms"] = points["time_ms"].astype(float).clip(lower=1)
    times = (
        alt.Chart(points)
        .mark_point(filled=True, size=60, opacity=1)
        .encode(
            x=alt.X(
                "time_ms:Q",
                title="time in ms (logarithmic)",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(format="~s"),
            ),
            y=alt.Y("label:N", sort=shown["label"].tolist(), title=None, axis=None),
            color=alt.Color(
                "measure:N",
                title=None,
                scale=alt.Scale(
                    domain=list(chosen.values()), range=[charts.GREY, charts.BLUE, charts.VERMILLION]
                ),
            ),
            shape=alt.Shape(
                "measure:N",
                title=None,
                scale=alt.Scale(domain=list(chosen.values()), range=["circle", "diamond", "triangle-right"]),
            ),
            tooltip=[*tooltip, alt.Tooltip("measure:N"), alt.Tooltip("time_ms:Q", format=",.0f", title="ms")],
        )
        .properties(width=300, height=alt.Step(20))
    )
    limit = (
        alt.Chart(pd.DataFrame({"limit_ms": [limits.TARGET_MS, limits.H12_MS]}))
        .mark_rule(strokeDash=[4, 3])
        .encode(x="limit_ms:Q")
    )
    kind = "routes by the router log" if measured_by == "router" else "transactions by the New Relic table"
    also = len(counted) - len(own)
    subtitle = f"{len(shown)} of {len(own)} {kind}, in the order {order}; dashed: 500 ms and 30 s" + (
        f"; {also} rows of the other measure are in the table" if also else ""
    )
    drawn = charts.theme(
        alt.hconcat(bars, alt.layer(limit, times), spacing=12), "Where the time goes", subtitle
    )
    return charts.describe(
        drawn, f"Share of all time, and {', '.join(chosen.values())} in ms, of {subtitle}."
    )


_MOST_BARS = 20


def _kind(row: pd.Series) -> str:
    return "route" if row["measured_by"] == "router" else "transaction"


def _counted(row: pd.Series) -> str:
    return "answered request" if row["measured_by"] == "router" else "request"


def _name(row: pd.Series) -> str:
    return words.cut(words.visible(str(row["name"]), one_line=True), 80)


def _number(value: Any) -> int:
    return 0 if pd.isna(value) else int(value)
