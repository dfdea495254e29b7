"""How much slower are requests while their dyno swaps?     (book ch. 3, "R14 & R15")

One row for each process that the router sent requests to, then one for each of its dynos, then one for each of its
routes (``scope``: process, dyno, route). Compared are answered requests of the same route on the same dyno: those that
began while the dyno swapped against those that began while it did not. A dyno swaps while it is over its quota, an R14
is at most 90 s old, or its memory_swap is ``swap_mb`` or more (a little swap that stays is normal). A request that
began more than 90 s after the last report is left out; where the dyno has no samples at all, the time without R14
counts as not swapping.

Columns: ``process``, ``scope``, ``dyno``, ``route``; ``verdict``: *slower*, *same* (any slowdown is under a fifth),
*cannot_tell*, *never_swapped*; ``ratio``, ``ratio_low``, ``ratio_high``: of typical (geometric mean) service times,
with the 95 % interval of resampled hours; ``same_hour_ratio`` with ``_low``, ``_high``: the same routes in the same
hours, swapping dynos against the others (NULL: there were none); ``requests_swapping``, ``requests_not``: compared
requests; ``p50_swapping_ms``, ``p50_not_ms``: their medians, all routes mixed; ``hours_swapping``: hours with requests
on a swapping dyno; ``h12``: of known state; ``h12_swapping``; ``h12_share``, ``h12_share_low``, ``h12_share_high``;
``exposed_share``: of all requests of known state; ``h12_unknown``; ``swap_mb_max``; ``reports``: reports of swapping;
``start``, ``end`` (UTC); ``evidence``: reports of the most swap, and the slowest requests then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Bounds, Finding, Query, cite, numbers_of
from workbook.quota import QUOTA_FACTS, quota_mb
from workbook.statistics import wilson
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = ("requests", ("dyno_samples", "dyno_errors"))
BOOK = "book ch. 3"
SEED = 3
RESAMPLES = 400
LEAST_OF_ROUTE = 3
"""A route of a dyno is compared with so many requests on both sides."""

REPORTS = """
quotas AS (
    SELECT unnest($quota_dynos::VARCHAR[]) AS dyno, unnest($quota_sizes_mb::DOUBLE[]) AS quota_mb
),
ticks AS (
    SELECT
        dyno,
        time_bucket(INTERVAL 10 SECONDS, time) AS tick,
        min(time) AS time,
        max(value) FILTER (metric = 'memory_total') AS total_mb,
        max(value) FILTER (metric = 'memory_swap') AS swap_mb,
        min(struct_pack(source_id, line)) AS cited
    FROM dyno_samples
    WHERE metric IN ('memory_total', 'memory_swap')
        AND coalesce(unit, 'MB') = 'MB'
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND in_window(time, $start, $end)
    GROUP BY dyno, tick
),
reports AS (
    SELECT
        dyno,
        time,
        coalesce(swap_mb >= $swap_mb, false) OR coalesce(total_mb > quota_mb, false) AS swapping,
        swap_mb,
        cited
    FROM ticks
    LEFT JOIN quotas USING (dyno)
    UNION ALL
    SELECT dyno, time, true, NULL, struct_pack(source_id, line)
    FROM dyno_errors
    WHERE code IN ('R14', 'R15')
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND in_window(time, $start, $end)
),
swap_reports AS (
    SELECT dyno, time AS swap_time FROM reports WHERE swapping
),
begun AS (
    SELECT
        source_id,
        line,
        time,
        dyno,
        route,
        code,
        service_ms,
        CASE
            WHEN code = 'H12' THEN time - to_milliseconds(coalesce(connect_ms, 0) + coalesce(service_ms, $h12_ms))
            ELSE time - to_milliseconds(coalesce(connect_ms, 0) + service_ms)
        END AS started
    FROM requests
    WHERE (code = 'H12' OR (code IS NULL AND service_ms >= 0))
        AND coalesce(status, 200) <> 101
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND in_window(time, $start, $end)
),
stated AS (
    SELECT
        begun.*,
        CASE
            WHEN begun.dyno IN (SELECT dyno FROM ticks)
                THEN CASE WHEN reports.time >= begun.started - to_seconds($gap_s) THEN reports.swapping END
            WHEN swap_reports.swap_time >= begun.started - to_seconds($gap_s) THEN true
            WHEN later.swap_time <= begun.started + to_seconds($gap_s) THEN NULL
            WHEN begun.dyno IN (SELECT dyno FROM swap_reports) THEN false
        END AS swapping,
        epoch(begun.started)::BIGINT // 3600 AS hour
    FROM begun
    ASOF LEFT JOIN reports ON begun.dyno = reports.dyno AND begun.started >= reports.time
    ASOF LEFT JOIN swap_reports ON begun.dyno = swap_reports.dyno AND begun.started >= swap_reports.swap_time
    ASOF LEFT JOIN swap_reports AS later ON begun.dyno = later.dyno AND begun.started < later.swap_time
)"""

SUMS = f"""
WITH {REPORTS}
SELECT
    split_part(dyno, '.', 1) AS process,
    dyno,
    route,
    hour,
    swapping,
    count(*) AS requests,
    sum(ln(service_ms + 1)) AS logs
FROM stated
WHERE code IS NULL
    AND swapping IS NOT NULL
    AND route IS NOT NULL
GROUP BY ALL
ORDER BY process, dyno, route, hour, swapping
"""

SQL = f"""
WITH {REPORTS},
scopes AS (
    SELECT *, split_part(dyno, '.', 1) AS process, 'process' AS scope, NULL AS scope_dyno, NULL AS scope_route
    FROM stated
    UNION ALL
    SELECT *, split_part(dyno, '.', 1), 'dyno', dyno, NULL
    FROM stated
    UNION ALL
    SELECT *, split_part(dyno, '.', 1), 'route', NULL, route
    FROM stated
    WHERE route IS NOT NULL
),
counted AS (
    SELECT
        process,
        scope,
        scope_dyno AS dyno,
        scope_route AS route,
        count(*) FILTER (code IS NULL AND swapping) AS answered_swapping,
        count(*) FILTER (code IS NULL AND NOT swapping) AS answered_not,
        count(*) FILTER (code IS NULL AND swapping IS NULL) AS answered_unknown,
        median(service_ms) FILTER (code IS NULL AND swapping) AS p50_swapping_ms,
        median(service_ms) FILTER (code IS NULL AND NOT swapping) AS p50_not_ms,
        count(DISTINCT hour) FILTER (code IS NULL AND swapping) AS hours_swapping,
        count(*) FILTER (code = 'H12' AND swapping) AS h12_swapping,
        count(*) FILTER (code = 'H12' AND swapping IS NOT NULL) AS h12,
        count(*) FILTER (code = 'H12' AND swapping IS NULL) AS h12_unknown,
        count(*) FILTER (swapping) AS begun_swapping,
        count(*) FILTER (swapping IS NOT NULL) AS begun_known,
        min(started) AS start,
        max(time) AS "end",
        arg_max(struct_pack(source_id, line), row(service_ms, -source_id, -line), 2) FILTER (swapping) AS slowest
    FROM scopes
    GROUP BY ALL
),
swap_seen AS (
    SELECT
        split_part(dyno, '.', 1) AS process,
        CASE WHEN grouping(dyno) = 0 THEN dyno END AS dyno,
        max(swap_mb) AS swap_mb_max,
        count(*) FILTER (swapping) AS reports,
        arg_max(cited, row(coalesce(swap_mb, -1), cited), 3) FILTER (swapping) AS cited
    FROM reports
    GROUP BY GROUPING SETS ((process), (process, dyno))
)
SELECT
    counted.*,
    swap_seen.swap_mb_max,
    coalesce(swap_seen.reports, 0) AS reports,
    list_concat(coalesce(swap_seen.cited, []), coalesce(counted.slowest, [])) AS evidence
FROM counted
LEFT JOIN swap_seen
    ON swap_seen.process = counted.process AND swap_seen.dyno IS NOT DISTINCT FROM counted.dyno
ORDER BY counted.process, counted.scope, counted.dyno, counted.route
"""

COLUMNS = (
    "process",
    "scope",
    "dyno",
    "route",
    "verdict",
    "ratio",
    "ratio_low",
    "ratio_high",
    "same_hour_ratio",
    "same_hour_ratio_low",
    "same_hour_ratio_high",
    "requests_swapping",
    "requests_not",
    "requests_unknown",
    "p50_swapping_ms",
    "p50_not_ms",
    "hours_swapping",
    "h12",
    "h12_swapping",
    "h12_share",
    "h12_share_low",
    "h12_share_high",
    "h12_unknown",
    "exposed_share",
    "swap_mb_max",
    "reports",
    "start",
    "end",
    "evidence",
)
SCOPES = ("process", "dyno", "route")


def rows(
    query: Query,
    window: Window,
    *,
    swap_mb: Annotated[float, Bounds(1, 10_000)] = limits.SWAP_MB,
) -> pd.DataFrame:
    """Return one row for each process, dyno and route (see COLUMNS; MB, ms, shares 0 to 1, UTC)."""
    ends = {"start": window.start, "end": window.end}
    dynos, sizes = _quotas(query(QUOTA_FACTS, **ends))
    options = {
        "quota_dynos": dynos,
        "quota_sizes_mb": sizes,
        "swap_mb": swap_mb,
        "gap_s": limits.R14_GAP_S,
        "h12_ms": limits.H12_MS,
        **ends,
    }
    sums = query(SUMS, **options)
    counted = query(SQL, **options)
    found = [
        _row(row, _of(sums, row))
        for _, row in counted.iterrows()
        if row["scope"] != "route" or _both_sides(row)
    ]
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    measured = [name for name in COLUMNS if "ratio" in name or "share" in name]
    frame = frame.astype(dict.fromkeys(measured, "float"))
    frame = frame.assign(**{name: frame[name].round(4) for name in frame.select_dtypes("float").columns})
    for column in ("start", "end"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[us]")
    order = frame.assign(
        rank=frame["scope"].map(SCOPES.index), most=-frame["requests_swapping"].astype(float)
    )
    by_rank = order.sort_values(["process", "rank", "most", "dyno", "route"], kind="stable")
    return by_rank[list(COLUMNS)].reset_index(drop=True)


def _quotas(facts: pd.DataFrame) -> tuple[list[str], list[float]]:
    dynos, sizes = [], []
    for fact in facts.to_dict("records"):
        pairs = fact["pairs"]
        sample, size = (
            None if words.missing(fact[name]) else fact[name] for name in ("sample_quota_mb", "size")
        )
        quota, _ = quota_mb(sample, size, [] if pairs is None or isinstance(pairs, float) else list(pairs))
        if quota is not None:
            dynos.append(fact["dyno"])
            sizes.append(quota)
    return dynos, sizes


def _both_sides(row: pd.Series) -> bool:
    return bool(min(row["answered_swapping"], row["answered_not"]) >= limits.COMPARED_REQUESTS)


def _of(sums: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    some = sums[sums["process"] == row["process"]]
    for column in ("dyno", "route"):
        if not words.missing(row[column]):
            some = some[some[column] == row[column]]
    return some


def _row(row: pd.Series, sums: pd.DataFrame) -> dict[str, Any]:
    same_dyno = _compared(sums, ["dyno", "route"], ["dyno", "hour"])
    found = {name: row[name] for name in COLUMNS if name in row.index}
    found |= {
        "requests_swapping": same_dyno["n1"],
        "requests_not": same_dyno["n0"],
        "requests_unknown": int(row["answered_unknown"]),
        "ratio": same_dyno["ratio"],
        "ratio_low": same_dyno["low"],
        "ratio_high": same_dyno["high"],
        "exposed_share": row["begun_swapping"] / row["begun_known"] if row["begun_known"] else None,
    }
    if row["scope"] == "process":
        same_hour = _compared(sums, ["route", "hour"], ["hour"])
        found |= {
            "same_hour_ratio": same_hour["ratio"],
            "same_hour_ratio_low": same_hour["low"],
            "same_hour_ratio_high": same_hour["high"],
        }
    if row["h12"]:
        low, high = wilson(int(row["h12_swapping"]), int(row["h12"]))
        share = row["h12_swapping"] / row["h12"]
        found |= {"h12_share": share, "h12_share_low": low, "h12_share_high": high}
    found["verdict"] = _verdict(found, int(row["begun_swapping"]), int(row["begun_known"]))
    return found


def _verdict(found: dict[str, Any], swapping: int, known: int) -> str:
    if known and not swapping and not found["reports"]:
        return "never_swapped"
    if found["ratio_low"] is None:
        return "cannot_tell"
    if found["ratio_low"] > 1 and found["ratio"] >= limits.CHANGE_TIMES:
        return "slower"
    return "same" if found["ratio_high"] < limits.CHANGE_TIMES else "cannot_tell"


def _compared(sums: pd.DataFrame, like: list[str], blocks: list[str]) -> dict[str, Any]:
    """Return the ratio of typical times, swapping against not, among rows that are alike, and its interval.

    Blocks are resampled whole: requests of one hour are not independent. Without enough requests or blocks of
    swapping there is no interval (None).
    """
    strata = pd.MultiIndex.from_frame(sums[like]).factorize()[0]
    swapping = sums["swapping"].to_numpy(bool)
    requests, logs = sums["requests"].to_numpy(float), sums["logs"].to_numpy(float)
    many = int(strata.max()) + 1 if len(strata) else 0
    n1, n0 = (np.bincount(strata[side], requests[side], many) for side in (swapping, ~swapping))
    usable = np.minimum(n1, n0) >= LEAST_OF_ROUTE
    kept = usable[strata] if many else np.zeros(0, dtype=bool)
    found: dict[str, Any] = {"n1": int(n1[usable].sum()), "n0": int(n0[usable].sum())}
    found |= {"ratio": None, "low": None, "high": None}
    if min(found["n1"], found["n0"]) < limits.COMPARED_REQUESTS:
        return found
    strata, swapping, requests, logs = strata[kept], swapping[kept], requests[kept], logs[kept]
    block = pd.MultiIndex.from_frame(sums[kept][blocks]).factorize()[0]
    found["ratio"] = _ratio(strata, swapping, requests, logs, np.ones(len(logs)))
    if len(set(block[swapping])) < limits.SWAP_BLOCKS or len(set(block[~swapping])) < limits.SWAP_BLOCKS:
        return found
    random = np.random.default_rng(SEED)
    size = int(block.max()) + 1
    picks = random.multinomial(size, np.full(size, 1 / size), RESAMPLES)
    ratios = [_ratio(strata, swapping, requests, logs, pick[block].astype(float)) for pick in picks]
    low, high = np.nanquantile([np.nan if one is None else one for one in ratios], [0.025, 0.975])
    return found | {"low": float(low), "high": float(high)}


def _ratio(
    strata: np.ndarray, swapping: np.ndarray, requests: np.ndarray, logs: np.ndarray, weights: np.ndarray
) -> float | None:
    many = int(strata.max()) + 1
    counts, sums = [], []
    for side in (swapping, ~swapping):
        counts.append(np.bincount(strata[side], (requests * weights)[side], many))
        sums.append(np.bincount(strata[side], (logs * weights)[side], many))
    both = (counts[0] > 0) & (counts[1] > 0)
    if not both.any():
        return None
    n1, n0 = counts[0][both], counts[1][both]
    weight = n1 * n0 / (n1 + n0)
    return float(np.exp((weight * (sums[0][both] / n1 - sums[1][both] / n0)).sum() / weight.sum()))


# ---- findings ----

STEP = (
    "Bring the dyno under its quota: memory_trend says whether it leaks or is too large, memory_suspects which route "
    "or job does it; a larger dyno or fewer workers in it end the swapping at once."
)
NEEDS_METRICS = (
    "Enable log-runtime-metrics (memory_swap and memory_total every 20 s) and load its lines together with the "
    "router's lines of some hours with swap and some without."
)


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return for each process what swapping costs, that it costs nothing, or why that cannot be told."""
    whole = rows[rows["scope"] == "process"]
    known = whole[whole["verdict"].isin(["slower", "same", "never_swapped"]) | (whole["reports"] > 0)]
    if known.empty:
        return [
            Finding(
                "cannot_tell",
                "What swapping costs cannot be said: no request of this window lies beside a report of its dyno's "
                "memory.",
                next_step=NEEDS_METRICS,
                reference=BOOK,
            )
        ]
    return [_SENTENCES[str(row["verdict"])](row) for _, row in known.iterrows()]


_NUMBERS = (
    "ratio",
    "ratio_low",
    "ratio_high",
    "same_hour_ratio",
    "requests_swapping",
    "requests_not",
    "p50_swapping_ms",
    "p50_not_ms",
    "h12",
    "h12_swapping",
    "h12_share",
    "exposed_share",
    "swap_mb_max",
)


def _finding(row: pd.Series, severity: str, title: str, step: str, confidence: str | None) -> Finding:
    return Finding(
        severity,
        title,
        numbers=numbers_of(row, *_NUMBERS),
        evidence=cite(row["evidence"]),
        next_step=step,
        reference=BOOK,
        confidence=confidence,
        about=None if pd.isna(row["start"]) else (row["start"], row["end"]),
    )


def _times(row: pd.Series, name: str = "ratio") -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    interval = "" if pd.isna(low) else f" ({low:.2f}–{high:.2f})"
    return f"{row[name]:.2f} times{interval}"


def _timeouts(row: pd.Series) -> str:
    """Return the share of H12 that began on swapping dynos, beside the share of all requests that did."""
    if not row["h12"]:
        return ""
    return (
        f" {words.count(row['h12_swapping'])} of {words.count(row['h12'])} H12 began on a swapping dyno "
        f"({words.share(row['h12_share'])}), as did {words.share(row['exposed_share'])} of all requests."
    )


def _slower(row: pd.Series) -> Finding:
    title = (
        f"While a dyno of {row['process']} swaps, the same routes on it take {_times(row)} as long: "
        f"{words.plural(row['requests_swapping'], 'request')} against {words.count(row['requests_not'])}."
    )
    load, confidence, severity = "", "medium", "warning"
    if pd.notna(row["same_hour_ratio"]):
        load = f" In the same hours they took {_times(row, 'same_hour_ratio')} as long as on dynos that did not swap"
        if pd.notna(row["same_hour_ratio_low"]) and row["same_hour_ratio_low"] > 1:
            load, confidence = f"{load}: it is not the load alone.", "high"
        else:
            load, confidence, severity = f"{load}: the load of those hours may be the cause.", "low", "note"
    return _finding(row, severity, title + load + _timeouts(row), STEP, confidence)


def _same(row: pd.Series) -> Finding:
    title = (
        f"Swapping does not slow {row['process']}: the same routes on the same dynos take {_times(row)} as long while "
        f"they swap, in {words.plural(row['requests_swapping'], 'request')}."
    )
    return _finding(row, "ruled_out", title + _timeouts(row), "", "medium")


def _never(row: pd.Series) -> Finding:
    most = "" if pd.isna(row["swap_mb_max"]) else f" (at most {words.mb(row['swap_mb_max'])} of swap)"
    title = f"No dyno of {row['process']} swapped{most}: swap slows nothing here."
    return _finding(row, "ruled_out", title, "", "high")


def _unsure(row: pd.Series) -> Finding:
    if pd.isna(row["ratio"]):
        why = (
            f"{words.plural(row['requests_swapping'], 'request')} of routes that ran on both sides began on swapping "
            f"dynos, {words.count(row['requests_not'])} on others; {limits.COMPARED_REQUESTS} on each are needed."
        )
    elif pd.isna(row["ratio_low"]):
        why = (
            f"the same routes took {_times(row)} as long, but all within "
            f"{words.plural(row['hours_swapping'], 'hour')} of swapping, which may have been slow for another reason; "
            f"{limits.SWAP_BLOCKS} hours of a dyno are needed on each side."
        )
    else:
        why = f"the same routes took {_times(row)} as long while their dyno swapped, so both are possible."
    title = f"Whether swapping slows {row['process']} cannot be said: {why}"
    return _finding(row, "cannot_tell", title + _timeouts(row), NEEDS_METRICS, None)


_SENTENCES = {"slower": _slower, "same": _same, "never_swapped": _never, "cannot_tell": _unsure}


# ---- chart ----

MOST_ROUTES = 20


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return the ratio of each process, dyno and route with its interval, beside 1 (no cost)."""
    import altair as alt

    known = rows[rows["ratio"].notna()]
    if known.empty:
        return charts.empty("no request on a swapping dyno could be compared")
    shown = known.head(MOST_ROUTES).drop(columns=["evidence"])
    labels = shown["process"] + shown["dyno"].map(lambda one: "" if words.missing(one) else f": {one}")
    routes = shown["route"].map(
        lambda one: "" if words.missing(one) else f": {words.visible(str(one), True)}"
    )
    shown = shown.assign(label=labels + routes)
    told = [
        alt.Tooltip("label:N", title="what"),
        alt.Tooltip("ratio:Q", title="times as long", format=".2f"),
        alt.Tooltip("requests_swapping:Q", title="requests while swapping", format=",.0f"),
        alt.Tooltip("requests_not:Q", title="requests while not", format=",.0f"),
    ]
    scopes = [scope for scope in SCOPES if scope in set(shown["scope"])]
    colours = dict(zip(SCOPES, (charts.VERMILLION, charts.BLUE, charts.GREY), strict=True))
    colour = alt.Color(
        "scope:N",
        title="of a",
        scale=alt.Scale(domain=scopes, range=[colours[scope] for scope in scopes]),
    )
    x = alt.X(
        "ratio:Q",
        title="time while swapping ÷ time while not (ratio)",
        scale=alt.Scale(type="log", nice=False, padding=24),
    )
    y = alt.Y("label:N", title=None, sort=list(shown["label"]))
    base = alt.Chart(shown).encode(y=y, color=colour, tooltip=told)
    layers = [
        alt.Chart(pd.DataFrame({"one": [1.0]})).mark_rule(color=charts.MUTED).encode(x="one:Q"),
        base.mark_point(filled=True, size=60).encode(x=x),
    ]
    measured = shown[shown["ratio_low"].notna()]
    if len(measured):
        lines = alt.Chart(measured).mark_rule(strokeWidth=2)
        layers.insert(1, lines.encode(x="ratio_low:Q", x2="ratio_high:Q", y=y, color=colour))
    drawn = alt.layer(*layers).properties(width=charts.WIDTH - 160, height=max(60, 26 * len(shown)))
    first = shown.iloc[0]
    said = f"Times as long while swapping: {first['label']} {first['ratio']:.2f}."
    subtitle = "same routes on the same dynos; line: 95 % interval; right of 1: slower while swapping"
    return charts.theme(charts.describe(drawn, said), "What swapping costs", subtitle)
