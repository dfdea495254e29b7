"""What changed between two windows?     (book ch. 6, "Before and after a deploy")

One row for each thing that is compared. ``window`` is *after*; *before* is by ``against``: *previous* (as long, just
before it), *last_week* (seven days earlier), the times ``before_from`` and ``before_to`` where they are given, or,
where no window is given, the level before the greatest lasting change of the median (*change*).

Columns: ``metric``, with its unit: p50_ms and p95_ms (answered requests), errors_per_10k, request_share (0 to 1: the
mix), requests_per_min, memory_p50_mb; ``scope``: all, route, dyno, code or client; ``name``; ``before``, ``after`` in
the metric's unit; ``difference``, with its 95 % interval ``low`` to ``high``; ``ratio``; ``q``: the p of the
difference, corrected for all that is compared here (Benjamini and Hochberg), NULL where both sides are too small to
count; ``verdict``: *changed* (q at most 0.05, and large enough to matter: ``limits``), *within_normal* (no more than
the weeks before differ among themselves), *same* (a change that counts is ruled out, or it is too small to count),
*cannot_tell* (neither), *not_enough_data*, and its ``reason``; ``before_count``, ``after_count``: requests or samples;
``rate_ms``, ``mix_ms`` (of mean_ms, which is split and not tested: its ``verdict`` is NULL): the route's part of the
change of the mean of all, because it took longer itself, and because its share changed; over all routes they add up to
the change; ``normal_spread``: largest less smallest value of the same hours in the ``normal_windows`` weeks before;
``before_blocks``, ``after_blocks``, ``block_s``: the stretches of time that the intervals rest on; ``evidence``.

Requests of one minute share their fate, so the intervals take whole stretches of time as the sample (Woodruff's
interval of a quantile, with the variance between stretches); where load rises and falls more slowly than that, they
are still too narrow (measured where neighbouring minutes correlate with 0.8: a 95 % interval held in 88 %). Five
minutes after each release are left out: dynos boot.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from workbook import changes, charts, limits, words
from workbook.analysis import Finding, Query, cite
from workbook.errors import UsageError
from workbook.statistics import newcombe
from workbook.window import Window, read_time

NEEDS = (("requests", "dyno_samples"),)
IN_TRIAGE = False
REFERENCE = "book ch. 6"
Against = Literal["auto", "previous", "last_week", "change"]
MIN_MINUTES = 30
"""A shorter side is not compared."""
MIN_BLOCKS = 12
MOST_BLOCK_S = 600
CLIENTS = 10
"""So many clients with most requests of each side are compared."""
BIN_MINUTES = 5
BIN_REQUESTS = 20
MOST_FINDINGS = 8

SPAN = """
SELECT min(time) AS first, max(time) AS last
FROM (
    SELECT time FROM requests
    UNION ALL
    SELECT time FROM dyno_samples
)
WHERE in_window(time, $start, $end) AND time IS NOT NULL
"""

BINS = f"""
SELECT
    time_bucket(INTERVAL {BIN_MINUTES} MINUTE, time) AS bin,
    count(*) AS requests,
    ln(greatest(1, median(coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms))) AS level
FROM requests
WHERE code IS NULL AND service_ms IS NOT NULL AND status NOT IN (101, 499) AND in_window(time, $start, $end)
    AND time IS NOT NULL
GROUP BY bin
HAVING count(*) >= {BIN_REQUESTS}
ORDER BY bin
"""

# The quantile p lies between the ranks p - t se and p + t se of the values, se being the standard error of the share
# of values below it, between blocks of time (Woodruff 1952). t is that of Student for the blocks (Cornish and Fisher).
SQL = f"""
WITH sides AS (
    SELECT 'before' AS side, $before_start::TIMESTAMP AS start, $before_end::TIMESTAMP AS finish
    UNION ALL
    SELECT 'after', $after_start::TIMESTAMP, $after_end::TIMESTAMP
    UNION ALL
    SELECT 'week' || n, $after_start::TIMESTAMP - to_days(7 * n), $after_end::TIMESTAMP - to_days(7 * n)
    FROM (SELECT unnest(range(1, 6))::INTEGER AS n)
    WHERE $after_start::TIMESTAMP - to_days(7 * n) >= $before_end::TIMESTAMP
        OR $after_end::TIMESTAMP - to_days(7 * n) <= $before_start::TIMESTAMP
),
releases_made AS (
    SELECT time AS released
    FROM releases
    WHERE event IN ('release', 'deploy', 'rollback') AND time IS NOT NULL
),
side_requests AS (
    SELECT
        side,
        (epoch_us(time) - epoch_us(start)) // (1_000_000 * $block_s) AS block,
        coalesce(method, '(no method)') || ' ' || coalesce(route, '(no path)') AS route,
        dyno,
        trim(split_part(fwd, ',', 1)) AS client,
        CASE WHEN code IS NOT NULL THEN code WHEN status >= 500 THEN 'app' || status END AS error,
        CASE WHEN code IS NULL THEN coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms END AS total_ms,
        struct_pack(source_id := source_id, line := line) AS place
    FROM requests
    JOIN sides ON requests.time >= start AND requests.time < finish
    ASOF LEFT JOIN releases_made ON requests.time >= released
    WHERE
        coalesce(requests.time >= released + INTERVAL {limits.BOOT_MINUTES} MINUTE, true)
        AND coalesce(code, '') NOT IN ('H80', 'H81', 'H82', 'H83', 'H27', 'H28')
        AND (code IS NOT NULL OR coalesce(status, 200) NOT IN (101, 499))
),
sampled AS (
    SELECT
        'memory_mb' AS quantity,
        'dyno' AS scope,
        dyno AS name,
        side,
        (epoch_us(time) - epoch_us(start)) // (1_000_000 * $block_s) AS block,
        value,
        struct_pack(source_id := source_id, line := line) AS place
    FROM dyno_samples
    JOIN sides ON dyno_samples.time >= start AND dyno_samples.time < finish
    WHERE metric = 'memory_total' AND unit = 'MB' AND dyno IS NOT NULL
),
measured AS (
    SELECT 'ms' AS quantity, 'all' AS scope, 'all requests' AS name, side, block, total_ms::DOUBLE AS value, place
    FROM side_requests
    WHERE total_ms IS NOT NULL
    UNION ALL
    SELECT 'ms', 'route', route, side, block, total_ms, place
    FROM side_requests
    WHERE total_ms IS NOT NULL
    UNION ALL
    SELECT 'ms', 'dyno', dyno, side, block, total_ms, place
    FROM side_requests
    WHERE total_ms IS NOT NULL AND dyno IS NOT NULL
    UNION ALL
    SELECT quantity, scope, name, side, block, value, place
    FROM sampled
),
wanted AS (
    SELECT *
    FROM (
        VALUES ('ms', 'p50_ms', 0.5, 30), ('ms', 'p95_ms', 0.95, 72), ('memory_mb', 'memory_p50_mb', 0.5, 30)
    ) AS asked (quantity, metric, p, least_count)
),
groups AS (
    SELECT
        quantity,
        scope,
        name,
        side,
        count(*) AS n,
        count(DISTINCT block) AS blocks,
        avg(value) AS mean,
        list_sort(list(value)) AS sorted,
        arg_max(place, value) AS worst
    FROM measured
    GROUP BY quantity, scope, name, side
),
quantiles AS (
    SELECT
        groups.* EXCLUDE (sorted),
        sorted,
        metric,
        p,
        (n - 1) * p + 1 AS place_of,
        floor(place_of)::BIGINT AS below,
        sorted[below] + (place_of - below) * (coalesce(sorted[below + 1], sorted[below]) - sorted[below]) AS value
    FROM groups
    JOIN wanted USING (quantity)
    WHERE n >= least_count
),
block_counts AS (
    SELECT
        metric,
        scope,
        name,
        side,
        block,
        count(*) AS block_n,
        count(*) FILTER (measured.value <= quantiles.value) AS block_below
    FROM measured
    JOIN (SELECT quantity, metric, scope, name, side, value FROM quantiles) AS quantiles
        USING (quantity, scope, name, side)
    WHERE side IN ('before', 'after')
    GROUP BY metric, scope, name, side, block
),
spreads AS (
    SELECT
        metric,
        scope,
        name,
        side,
        count(*) AS blocks,
        sum(block_n) AS n,
        sum(block_below) / n AS share,
        sqrt(blocks / nullif(blocks - 1, 0) * sum((block_below - share_of * block_n) ** 2)) / n AS se
    FROM (
        SELECT *, sum(block_below) OVER one / sum(block_n) OVER one AS share_of
        FROM block_counts
        WINDOW one AS (PARTITION BY metric, scope, name, side)
    )
    GROUP BY metric, scope, name, side
),
levels AS (
    SELECT
        metric,
        scope,
        name,
        side,
        quantiles.value,
        {limits.Z_95} + {(limits.Z_95**3 + limits.Z_95) / 4} / (quantiles.blocks - 1) AS t,
        greatest(se, sqrt(p * (1 - p) / quantiles.n)) AS error,
        sorted[greatest(1, floor(quantiles.n * (p - t * error)))::BIGINT] AS low,
        sorted[least(quantiles.n, ceil(quantiles.n * (p + t * error)) + 1)::BIGINT] AS high,
        quantiles.n,
        quantiles.blocks,
        worst
    FROM quantiles
    LEFT JOIN spreads USING (metric, scope, name, side)
),
side_blocks AS (
    SELECT side, block, count(*) AS block_n
    FROM side_requests
    GROUP BY side, block
),
totals AS (
    SELECT
        side,
        sum(block_n) AS n,
        count(*) AS blocks,
        any_value(epoch(finish - start)) / 60 AS minutes
    FROM side_blocks
    JOIN sides USING (side)
    GROUP BY side
),
busiest AS (
    SELECT DISTINCT client
    FROM (
        SELECT client, row_number() OVER (PARTITION BY side ORDER BY count(*) DESC, client) AS place
        FROM side_requests
        WHERE client <> '' AND side IN ('before', 'after')
        GROUP BY side, client
    )
    WHERE place <= {CLIENTS}
),
marked AS (
    SELECT 'errors_per_10k' AS metric, 'code' AS scope, error AS name, side, block, place
    FROM side_requests
    WHERE error IS NOT NULL
    UNION ALL
    SELECT 'errors_per_10k', 'all', 'all errors', side, block, place
    FROM side_requests
    WHERE error IS NOT NULL
    UNION ALL
    SELECT 'request_share', 'route', route, side, block, place
    FROM side_requests
    UNION ALL
    SELECT 'request_share', 'dyno', dyno, side, block, place
    FROM side_requests
    WHERE dyno IS NOT NULL
    UNION ALL
    SELECT 'request_share', 'client', client, side, block, place
    FROM side_requests
    SEMI JOIN busiest USING (client)
),
marked_blocks AS (
    SELECT metric, scope, name, side, block, count(*) AS k, arg_min(place, place) AS first_place
    FROM marked
    GROUP BY metric, scope, name, side, block
),
shares AS (
    SELECT
        names.metric,
        names.scope,
        names.name,
        totals.side,
        coalesce(sum(k), 0) AS k,
        any_value(totals.n) AS n,
        any_value(totals.blocks) AS blocks,
        coalesce(sum(k), 0) / any_value(totals.n) AS share,
        any_value(totals.blocks) / nullif(any_value(totals.blocks) - 1, 0)
            * sum((coalesce(k, 0) - coalesce(share_of, 0) * block_n) ** 2) / any_value(totals.n) ** 2 AS variance,
        arg_min(first_place, side_blocks.block) FILTER (k > 0) AS worst
    FROM (SELECT DISTINCT metric, scope, name FROM marked_blocks) AS names
    CROSS JOIN side_blocks
    JOIN totals ON totals.side = side_blocks.side
    LEFT JOIN marked_blocks
        ON marked_blocks.metric = names.metric
        AND marked_blocks.scope = names.scope
        AND marked_blocks.name = names.name
        AND marked_blocks.side = side_blocks.side
        AND marked_blocks.block = side_blocks.block
    LEFT JOIN (
        SELECT metric, scope, name, marked_blocks.side, sum(k) / any_value(totals.n) AS share_of
        FROM marked_blocks
        JOIN totals ON totals.side = marked_blocks.side
        GROUP BY metric, scope, name, marked_blocks.side
    ) AS overall
        ON overall.metric = names.metric
        AND overall.scope = names.scope
        AND overall.name = names.name
        AND overall.side = side_blocks.side
    GROUP BY names.metric, names.scope, names.name, totals.side
),
rates AS (
    SELECT
        'requests_per_min' AS metric,
        'all' AS scope,
        'all requests' AS name,
        side,
        totals.n / minutes AS value,
        sqrt(totals.blocks / nullif(totals.blocks - 1, 0) * sum((block_n - totals.n / totals.blocks) ** 2))
            / minutes AS error,
        totals.n AS n,
        totals.blocks AS blocks
    FROM side_blocks
    JOIN totals USING (side)
    GROUP BY side, totals.n, totals.blocks, minutes
),
all_levels AS (
    SELECT metric, scope, name, side, value, low, high, NULL AS k, n, blocks, NULL AS variance, worst
    FROM levels
    UNION ALL
    SELECT
        metric,
        scope,
        name,
        side,
        share * CASE metric WHEN 'errors_per_10k' THEN 10_000 ELSE 1 END,
        NULL,
        NULL,
        k,
        n,
        blocks,
        variance,
        worst
    FROM shares
    UNION ALL
    SELECT
        metric,
        scope,
        name,
        side,
        value,
        value - error * ({limits.Z_95} + {(limits.Z_95**3 + limits.Z_95) / 4} / (blocks - 1)),
        value + error * ({limits.Z_95} + {(limits.Z_95**3 + limits.Z_95) / 4} / (blocks - 1)),
        NULL,
        n,
        blocks,
        NULL,
        NULL
    FROM rates
),
normal AS (
    SELECT
        metric,
        scope,
        name,
        count(*) AS normal_windows,
        CASE WHEN count(*) >= 3 THEN max(value) - min(value) END AS normal_spread
    FROM all_levels
    WHERE side LIKE 'week%'
    GROUP BY metric, scope, name
),
paired_means AS (
    SELECT
        coalesce(x.name, y.name) AS name,
        coalesce(x.n, 0) AS n0,
        coalesce(y.n, 0) AS n1,
        n0 / nullif(sum(n0) OVER (), 0) AS w0,
        n1 / nullif(sum(n1) OVER (), 0) AS w1,
        coalesce(x.mean, y.mean) AS m0,
        coalesce(y.mean, x.mean) AS m1,
        coalesce(y.worst, x.worst) AS worst
    FROM (SELECT * FROM groups WHERE quantity = 'ms' AND scope = 'route' AND side = 'before') AS x
    FULL JOIN (SELECT * FROM groups WHERE quantity = 'ms' AND scope = 'route' AND side = 'after') AS y
        ON x.name = y.name
),
means AS (
    SELECT *, sum(w0 * m0) OVER () AS all0, sum(w1 * m1) OVER () AS all1
    FROM paired_means
),
compared AS (
    SELECT
        coalesce(x.metric, y.metric) AS metric,
        coalesce(x.scope, y.scope) AS scope,
        coalesce(x.name, y.name) AS name,
        x.value AS before,
        y.value AS after,
        x.low AS before_low,
        x.high AS before_high,
        y.low AS after_low,
        y.high AS after_high,
        x.k AS before_k,
        y.k AS after_k,
        x.n AS before_count,
        y.n AS after_count,
        x.variance AS before_variance,
        y.variance AS after_variance,
        x.blocks AS before_blocks,
        y.blocks AS after_blocks,
        coalesce(y.worst, x.worst) AS evidence
    FROM (SELECT * FROM all_levels WHERE side = 'before') AS x
    FULL JOIN (SELECT * FROM all_levels WHERE side = 'after') AS y
        ON x.metric = y.metric AND x.scope = y.scope AND x.name = y.name
)
SELECT
    compared.*,
    coalesce(normal_windows, 0) AS normal_windows,
    normal_spread,
    NULL::DOUBLE AS rate_ms,
    NULL::DOUBLE AS mix_ms,
    $block_s AS block_s
FROM compared
LEFT JOIN normal USING (metric, scope, name)
UNION ALL BY NAME
SELECT
    'mean_ms' AS metric,
    'route' AS scope,
    name,
    CASE WHEN n0 > 0 THEN m0 END AS before,
    CASE WHEN n1 > 0 THEN m1 END AS after,
    n0 AS before_count,
    n1 AS after_count,
    0 AS normal_windows,
    (w0 + w1) / 2 * (m1 - m0) AS rate_ms,
    (w1 - w0) * ((m0 + m1) / 2 - (all0 + all1) / 2) AS mix_ms,
    $block_s AS block_s,
    worst AS evidence
FROM means
ORDER BY metric, scope, name
"""


def rows(
    query: Query, window: Window, *, against: Against = "auto", before_from: str = "", before_to: str = ""
) -> pd.DataFrame:
    """Return one row for each thing compared; columns and units stand at the head of this file.

    ``attrs`` hold ``before`` and ``after`` (Window, or None where there are none), ``why`` (how they were chosen, or
    why there are none) and ``tested`` (how many differences). Raises UsageError for times that do not make a window.
    """
    sides = _sides(query, window, against, before_from.strip(), before_to.strip())
    before, after, why = sides
    if before is None or after is None:
        table = _judged(query(SQL, **_times(Window(), Window()), block_s=MOST_BLOCK_S))
    else:
        table = _judged(query(SQL, **_times(before, after), block_s=_block_s(before, after)))
    table.attrs.update(before=before, after=after, why=why, tested=int(table["q"].notna().sum()))
    return table


def _times(before: Window, after: Window) -> dict[str, Any]:
    return {
        "before_start": before.start,
        "before_end": before.end,
        "after_start": after.start,
        "after_end": after.end,
    }


def _block_s(before: Window, after: Window) -> int:
    """Return the length of a block in s: at least 12 on each side, none longer than ten minutes."""
    return int(max(60, min(MOST_BLOCK_S, min(_seconds(before), _seconds(after)) // MIN_BLOCKS)))


def _seconds(window: Window) -> float:
    assert window.start is not None and window.end is not None
    return (window.end - window.start).total_seconds()


def _sides(
    query: Query, window: Window, against: str, before_from: str, before_to: str
) -> tuple[Window | None, Window | None, str]:
    """Return the window before, the one after, and how they were chosen or why there are none."""
    span = query(SPAN, start=window.start, end=window.end).iloc[0]
    if pd.isna(span["first"]):
        return None, None, "no request and no sample lies in this window"
    whole = window == Window()
    if against == "change" or (against == "auto" and whole and not (before_from or before_to)):
        return _around_the_change(query, window)
    if window.start is None:
        raise UsageError(
            "compare needs the start of the window that is compared.",
            next_step="Give a window (--from, --to), or leave both out to find the greatest lasting change.",
        )
    after = Window(window.start, window.end or span["last"].to_pydatetime() + timedelta(microseconds=1))
    assert after.start is not None and after.end is not None
    length = after.end - after.start
    if before_from:
        first = read_time(before_from)
        before = Window(first, read_time(before_to) if before_to else first + length)
        why = "the window that was asked for"
    elif against == "last_week":
        before = Window(after.start - timedelta(days=7), after.end - timedelta(days=7))
        why = "the same time a week before"
    else:
        before = Window(after.start - length, after.start)
        why = "as long, just before"
    assert before.start is not None and before.end is not None
    if before.start < after.end and after.start < before.end:
        raise UsageError(
            f"the windows overlap: before is {before}, after is {after}.", next_step="Choose them apart."
        )
    if min(_seconds(before), _seconds(after)) < MIN_MINUTES * 60:
        return None, None, f"each side needs {MIN_MINUTES} min or more"
    return before, after, why


def _around_the_change(query: Query, window: Window) -> tuple[Window | None, Window | None, str]:
    """Return the two levels around the greatest change of the median; a level lasts an hour or more."""
    bins = query(BINS, start=window.start, end=window.end)
    longest: tuple[float, Any, Any, Any] | None = None
    for run in _runs(bins):
        places = changes.change_points(run["level"].tolist())
        edges = [0, *places, len(run)]
        for before, cut, after in zip(edges, edges[1:], edges[2:], strict=False):
            step = abs(run["level"].iloc[cut:after].mean() - run["level"].iloc[before:cut].mean())
            if longest is None or step > longest[0]:
                times = run["bin"]
                end = times.iloc[after - 1] + pd.Timedelta(minutes=BIN_MINUTES)
                longest = (step, times.iloc[before], times.iloc[cut], end)
    if longest is None:
        least = changes.MIN_SERIES * BIN_MINUTES // 60
        few = (
            f"no {least} h with {BIN_REQUESTS} answers in each {BIN_MINUTES} min"
            if not len(_runs(bins))
            else ""
        )
        return None, None, few or "the median has one level all the time"
    _, first, middle, last = longest
    return (
        Window(first, middle),
        Window(middle, last),
        "the levels around the greatest lasting change of the median",
    )


def _runs(bins: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the stretches without a gap of more than two bins that are long enough to have levels."""
    if bins.empty:
        return []
    apart = bins["bin"].diff() > pd.Timedelta(minutes=3 * BIN_MINUTES)
    return [run for _, run in bins.groupby(apart.cumsum()) if len(run) >= changes.MIN_SERIES]


_ENOUGH = {
    # the least ratio, and the least difference in the metric's own unit, that matter
    "p50_ms": (limits.CHANGE_TIMES, limits.CHANGE_MS),
    "p95_ms": (limits.CHANGE_TIMES, limits.CHANGE_MS),
    "errors_per_10k": (limits.CHANGE_RATIO, limits.ERROR_PER_10K),
    "request_share": (limits.CHANGE_TIMES, limits.CHANGE_SHARE),
    "requests_per_min": (limits.CHANGE_TIMES, 0),
    "memory_p50_mb": (limits.CHANGE_MEMORY_TIMES, 0),
}
_COLUMNS = [
    *(
        "metric",
        "scope",
        "name",
        "before",
        "after",
        "difference",
        "low",
        "high",
        "ratio",
        "q",
        "verdict",
        "reason",
    ),
    *("before_count", "after_count", "rate_ms", "mix_ms", "normal_windows", "normal_spread"),
    *("before_blocks", "after_blocks", "block_s", "evidence"),
]
ALPHA = 0.05


def _judged(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with interval, corrected p and verdict; one row per thing compared, so Python may count here."""
    made = [_tested(one) for one in _records(found)]
    table = pd.DataFrame(made, columns=[*_COLUMNS, "p"])
    table["q"] = changes.benjamini_hochberg(table["p"].astype("float64").tolist())
    judged = [_verdict(one) for one in _records(table)]
    table["verdict"], table["reason"] = [one[0] for one in judged], [one[1] for one in judged]
    return table[_COLUMNS]


def _tested(one: dict[str, Any]) -> dict[str, Any]:
    """Return the row with the difference, its interval and its p, where both sides have enough."""
    one = {**one, "difference": None, "low": None, "high": None, "ratio": None, "p": None, "q": None}
    if words.missing(one["before"]) or words.missing(one["after"]):
        return one
    one["difference"] = one["after"] - one["before"]
    one["ratio"] = one["after"] / one["before"] if one["before"] else None
    if one["metric"] == "mean_ms" or min(one["before_blocks"], one["after_blocks"]) < MIN_BLOCKS:
        return one
    if words.missing(one["before_k"]):
        bounds = [one[f"{side}_{end}"] for side in ("before", "after") for end in ("low", "high")]
        if any(map(words.missing, bounds)):
            return one
        before_low, before_high, after_low, after_high = bounds
        down = np.hypot(one["after"] - after_low, before_high - one["before"])
        up = np.hypot(after_high - one["after"], one["before"] - before_low)
        one["low"], one["high"] = one["difference"] - down, one["difference"] + up
    else:
        _, low, high = newcombe(_effective(one, "before"), _effective(one, "after"), z=_t(one))
        unit = 10_000 if one["metric"] == "errors_per_10k" else 1
        one["low"], one["high"] = unit * low, unit * high
    if max(one["before"], one["after"]) >= _least(one):
        one["p"] = _p(one)
    return one


def _effective(one: dict[str, Any], side: str) -> Any:
    """Return k and n of a share, both made smaller by what its requests depend on each other."""
    k, n, variance = one[f"{side}_k"], one[f"{side}_count"], one[f"{side}_variance"]
    plain = k / n * (1 - k / n) / n
    effect = max(1.0, variance / plain) if plain > 0 and not words.missing(variance) else 1.0
    return k / effect, n / effect


def _t(one: dict[str, Any]) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, min(one["before_blocks"], one["after_blocks"]) - 1))


def _p(one: dict[str, Any]) -> float | None:
    """Return the two-sided p of no difference, from the half of the interval that lies towards 0."""
    from scipy import stats

    half = one["difference"] - one["low"] if one["difference"] > 0 else one["high"] - one["difference"]
    if half <= 0:
        return 1.0 if one["difference"] == 0 else None
    return float(
        2
        * stats.t.sf(
            abs(one["difference"]) / half * _t(one), min(one["before_blocks"], one["after_blocks"]) - 1
        )
    )


def _verdict(one: dict[str, Any]) -> tuple[str | None, str | None]:
    if one["metric"] == "mean_ms":
        return None, None
    if words.missing(one["before"]) or words.missing(one["after"]):
        side = "before" if words.missing(one["before"]) else "after"
        return "not_enough_data", f"too few {side}"
    least = _least(one)
    if max(one["before"], one["after"]) < least:
        return "same", "too small on both sides for a change that counts"
    if words.missing(one["q"]):
        return (
            "not_enough_data",
            f"fewer than {MIN_BLOCKS} stretches of time on a side, or values that do not bound it",
        )
    if max(abs(one["low"]), abs(one["high"])) < least:
        return "same", "a change that counts is ruled out"
    if one["q"] > ALPHA or one["low"] <= 0 <= one["high"]:
        return "cannot_tell", "so much comes by chance among all that is compared, and more is not ruled out"
    if abs(one["difference"]) < least:
        return "same", "smaller than what is called a change"
    if not words.missing(one["normal_spread"]) and abs(one["difference"]) <= one["normal_spread"]:
        return "within_normal", "the same hours of the weeks before differ as much"
    return "changed", None


def _least(one: dict[str, Any]) -> float:
    """Return the least difference that counts, in the metric's own unit."""
    ratio, least = _ENOUGH[one["metric"]]
    up = one["difference"] is None or words.missing(one["difference"]) or one["difference"] >= 0
    before = 0.0 if words.missing(one["before"]) else float(one["before"])
    return max(least, before * (ratio - 1 if up else 1 - 1 / ratio))


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return what was compared, the changes that count, worst first, how the mean split up, and what did not change."""
    if rows.empty:
        return [_nothing_compared(str(rows.attrs.get("why", "nothing lies in these windows")))]
    changed = _said_once(rows[rows["verdict"] == "changed"])
    ranked = _ranked(changed)
    told: list[Finding | None] = [
        _compared(rows),
        *(_change(one, rows) for one in _records(ranked.head(MOST_FINDINGS))),
    ]
    told += [
        _more(ranked),
        _split(rows),
        _normal(rows),
        _unchanged(rows, changed),
        _open(rows),
        _unjudged(rows),
    ]
    return [finding for finding in told if finding is not None]


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in one.items()} for one in rows.to_dict("records")]


def _said_once(changed: pd.DataFrame) -> pd.DataFrame:
    """Leave out what another row says: each dyno where all changed, the only code, beside all errors."""
    whole = set(changed.loc[changed["scope"] == "all", "metric"])
    again = changed["metric"].isin(whole) & (changed["scope"] == "dyno")
    codes = changed[changed["scope"] == "code"]
    return changed[
        ~again & ~((changed["scope"] == "code") & (len(codes) == 1) & changed["metric"].isin(whole))
    ]


def _nothing_compared(why: str) -> Finding:
    flat = why.startswith("the median has one level")
    return Finding(
        "ruled_out" if flat else "cannot_tell",
        f"No lasting change of the median was found: {why}; what lasts less than an hour is a burst, not a level."
        if flat
        else f"What changed cannot be told: {why}.",
        next_step=""
        if flat
        else "Give two windows of half an hour or more (--from, --to, --before-from, --before-to).",
        reference=REFERENCE,
    )


def _compared(rows: pd.DataFrame) -> Finding:
    before, after = rows.attrs.get("before"), rows.attrs.get("after")
    whole = rows[(rows["metric"] == "requests_per_min") & (rows["scope"] == "all")]
    numbers = {"differences_tested": int(rows["q"].notna().sum()), "block_s": int(rows["block_s"].max())}
    if len(whole):
        numbers["before_requests"] = int(np.nan_to_num(whole["before_count"].iloc[0]))
        numbers["after_requests"] = int(np.nan_to_num(whole["after_count"].iloc[0]))
    weeks = int(rows["normal_windows"].max())
    usual = (
        f"{words.plural(weeks, 'earlier week')} {'tells' if weeks == 1 else 'tell'} what is normal"
        if weeks >= 3
        else "what is normal is not known: fewer than 3 earlier weeks are loaded"
    )
    return Finding(
        "note",
        f"Before is {before}, after is {after} ({rows.attrs.get('why', '')}): "
        f"{words.plural(numbers['differences_tested'], 'difference')} tested, on stretches of "
        f"{words.ms(1000 * numbers['block_s'])}; {usual}.",
        numbers=numbers,
        reference=REFERENCE,
    )


_SAID = {
    "p50_ms": "the median",
    "p95_ms": "the 95th percentile",
    "errors_per_10k": "errors per 10,000 requests",
    "request_share": "the share of all requests",
    "requests_per_min": "requests per minute",
    "memory_p50_mb": "memory",
}
_WORSE_UP = ("p50_ms", "p95_ms", "errors_per_10k", "memory_p50_mb")


def _value(metric: str, value: float) -> str:
    if metric.endswith("_ms"):
        return words.ms(value)
    if metric.endswith("_mb"):
        return words.mb(value)
    return words.share(value) if metric == "request_share" else words.number(round(float(value), 2))


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Order the changes: what got worse for all, then by how many requests it touches and how much."""

    def place(one: dict[str, Any]) -> tuple[bool, float, str, str, str]:
        ratio = one["ratio"] if one["ratio"] and not words.missing(one["ratio"]) else 100.0
        touched = float(np.nan_to_num(one["after_count"])) * abs(float(np.log(ratio)))
        worse_for_all = one["scope"] == "all" and one["metric"] in _WORSE_UP and one["difference"] > 0
        return not worse_for_all, -touched, one["metric"], one["scope"], one["name"]

    places = [place(one) for one in _records(rows)]
    return rows.iloc[sorted(range(len(places)), key=places.__getitem__)]


def _change(one: dict[str, Any], rows: pd.DataFrame) -> Finding:
    metric = one["metric"]
    worse = metric in _WORSE_UP and one["difference"] > 0
    ratio = (
        ""
        if not one["ratio"] or words.missing(one["ratio"])
        else f", {words.number(round(one['ratio'], 2))} times"
    )
    low, high = (f"{'+' if bound > 0 else ''}{_value(metric, bound)}" for bound in (one["low"], one["high"]))
    after = rows.attrs.get("after")
    return Finding(
        "warning" if worse else "note",
        f"{one['name']}: {_SAID[metric]} went from {_value(metric, one['before'])} to {_value(metric, one['after'])}"
        f"{ratio} (difference, 95 %: {low} to {high}).",
        numbers={
            f"before_{metric}": round(float(one["before"]), 4),
            f"after_{metric}": round(float(one["after"]), 4),
            "q": round(float(one["q"]), 6),
            "before_count": int(one["before_count"]),
            "after_count": int(one["after_count"]),
        },
        evidence=cite(one["evidence"]),
        next_step="Look at what else changed at that time (releases, traffic, the database); this shows that it "
        "changed, not why."
        if worse
        else "",
        reference=REFERENCE,
        confidence="high" if one["normal_windows"] >= 3 else "medium",
        about=None if after is None or words.missing(after.start) else (after.start, after.end),
    )


def _more(ranked: pd.DataFrame) -> Finding | None:
    rest = ranked.iloc[MOST_FINDINGS:]
    if rest.empty:
        return None
    return Finding(
        "note",
        f"{words.plural(len(rest), 'more difference counts', 'more differences count')}; the table has all.",
        numbers={"more_changes": len(rest)},
        reference=REFERENCE,
    )


def _split(rows: pd.DataFrame) -> Finding | None:
    """Split the change of the mean into routes that got slower themselves and a different mix of routes."""
    means = rows[(rows["metric"] == "mean_ms") & rows["rate_ms"].notna() & rows["mix_ms"].notna()]
    if means.empty:
        return None
    rate_ms, mix_ms = float(means["rate_ms"].sum()), float(means["mix_ms"].sum())
    old = _weighted(means, "before")
    if abs(rate_ms + mix_ms) < limits.CHANGE_MS:
        return None
    size = means.assign(size=(means["rate_ms"] + means["mix_ms"]).abs())
    top = size.sort_values(["size", "name"], ascending=[False, True], kind="stable").head(3)
    named = ", ".join(
        f"{one['name']} {one['rate_ms']:+,.0f} ms itself and {one['mix_ms']:+,.0f} ms by its share"
        for one in _records(top)
    )
    return Finding(
        "note",
        f"The mean of all answers went from {words.ms(old)} to {words.ms(old + rate_ms + mix_ms)}: {rate_ms:+,.0f} ms "
        f"because routes took longer or shorter, {mix_ms:+,.0f} ms because other routes were asked for; most of it: "
        f"{named}.",
        numbers={"rate_ms": round(rate_ms, 3), "mix_ms": round(mix_ms, 3), "before_mean_ms": round(old, 3)},
        evidence=cite(list(top["evidence"])),
        reference=REFERENCE,
    )


def _weighted(means: pd.DataFrame, side: str) -> float:
    known = means[means[side].notna()]
    return float((known[side] * known[f"{side}_count"]).sum() / known[f"{side}_count"].sum())


def _normal(rows: pd.DataFrame) -> Finding | None:
    usual = rows[rows["verdict"] == "within_normal"]
    if usual.empty:
        return None
    first = usual.iloc[0]
    return Finding(
        "note",
        f"{words.plural(len(usual), 'difference is', 'differences are')} within what is normal at these hours of the "
        f"week, among them {_SAID[first['metric']]} of {first['name']}: "
        f"{_value(first['metric'], first['before'])} to {_value(first['metric'], first['after'])}.",
        numbers={"within_normal": len(usual), "normal_windows": int(usual["normal_windows"].max())},
        reference=REFERENCE,
    )


def _unchanged(rows: pd.DataFrame, changed: pd.DataFrame) -> Finding | None:
    """Rule out what was tested and did not change, with what could still hide in it."""
    same = rows[rows["verdict"] == "same"]
    if same.empty:
        return None
    whole = same[(same["scope"] == "all") & same["metric"].isin(["p50_ms", "p95_ms", "errors_per_10k"])]
    bounds = "; ".join(
        f"{_SAID[one['metric']]} of {one['name']} changed by {_value(one['metric'], one['low'])} to "
        f"{_value(one['metric'], one['high'])} (95 %)"
        for one in _records(whole)
    )
    other = " other" if len(changed) else ""
    return Finding(
        "ruled_out",
        f"No{other} change that counts in {words.plural(len(same), 'comparison')}{': ' + bounds if bounds else ''}.",
        numbers={"comparisons": len(same)},
        reference=REFERENCE,
    )


def _open(rows: pd.DataFrame) -> Finding | None:
    """Say which comparisons neither show a change nor rule one out, those that are about all first."""
    doubtful = rows[rows["verdict"] == "cannot_tell"]
    if doubtful.empty:
        return None
    ordered = doubtful.assign(all_first=doubtful["scope"] != "all").sort_values("all_first", kind="stable")
    named = "; ".join(
        f"{_SAID[one['metric']]} of {one['name']} ({_value(one['metric'], one['low'])} to "
        f"{_value(one['metric'], one['high'])})"
        for one in _records(ordered.head(4))
    )
    return Finding(
        "cannot_tell",
        f"For {words.plural(len(doubtful), 'comparison')} a change is neither shown nor ruled out: {named}.",
        numbers={"comparisons": len(doubtful)},
        next_step="Choose longer windows, or shorter ones around a burst, which drowns in a long day.",
        reference=REFERENCE,
    )


def _unjudged(rows: pd.DataFrame) -> Finding | None:
    few = rows[rows["verdict"] == "not_enough_data"]
    tested = int(rows["q"].notna().sum())
    if few.empty or tested:
        return None
    return Finding(
        "cannot_tell",
        f"None of {words.plural(len(few), 'comparison')} can be judged: {few['reason'].iloc[0]}.",
        numbers={"comparisons": len(few)},
        next_step="Choose longer windows, or load more of the log.",
        reference=REFERENCE,
    )


def chart(rows: pd.DataFrame) -> Any:
    """Return the ratio of after to before with its interval, for what changed, else for what is about all."""
    import altair as alt

    known = rows[rows["q"].notna() & (rows["before"] > 0) & (rows["after"] > 0)]
    shown = known[(known["verdict"] == "changed") | (known["scope"] == "all")]
    if shown.empty:
        return charts.empty("nothing that can be compared")
    ranked = _ranked(shown).head(25)
    drawn = pd.DataFrame(
        {
            "what": [
                f"{words.cut(str(n), 40)}: {m}" for n, m in zip(ranked["name"], ranked["metric"], strict=True)
            ],
            "ratio": ranked["ratio"].astype("float64"),
            # a bound at or below 0 lies outside of a scale of ratios
            "low": ((ranked["before"] + ranked["low"]) / ranked["before"]).astype("float64").clip(lower=0.01),
            "high": ((ranked["before"] + ranked["high"]) / ranked["before"])
            .astype("float64")
            .clip(lower=0.01),
            "verdict": ranked["verdict"].str.replace("_", " "),
            "said": [
                f"{_value(one['metric'], one['before'])} → {_value(one['metric'], one['after'])}"
                for one in _records(ranked)
            ],
        }
    )
    y = alt.Y("what:N", title=None, sort=list(drawn["what"]))
    scale = alt.Scale(type="log", nice=False)
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())),
        legend=alt.Legend(title=None),
    )
    base = alt.Chart(drawn).encode(y=y, tooltip=["what:N", "said:N", "ratio:Q", "verdict:N"])
    title = "after as a multiple of before, with its 95 % interval"
    layers = [
        alt.Chart(pd.DataFrame({"ratio": [1.0]}))
        .mark_rule(strokeDash=[4, 3])
        .encode(x=alt.X("ratio:Q", title=title)),
        base.mark_rule(strokeWidth=3, opacity=0.5).encode(
            x=alt.X("low:Q", scale=scale, title=title), x2="high:Q", color=colour
        ),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            x=alt.X("ratio:Q", scale=scale, title=title), color=colour
        ),
        base.mark_text(align="left", dx=9, dy=-8, fontSize=10).encode(
            x=alt.X("ratio:Q", scale=scale, title=title), text="said:N"
        ),
    ]
    said = f"After against before: {words.plural(int((rows['verdict'] == 'changed').sum()), 'change')} that count."
    return charts.theme(
        charts.describe(alt.layer(*layers).properties(height={"step": 30}), said),
        "What changed",
        f"before: {rows.attrs.get('before')}; after: {rows.attrs.get('after')}",
    )


_COLOURS = {
    "changed": charts.VERMILLION,
    "within normal": charts.SKY,
    "same": charts.GREY,
    "cannot tell": charts.YELLOW,
}
