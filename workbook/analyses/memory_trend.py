"""Does memory grow without end, and when will it reach the limit?     (book ch. 3, "R14 & R15")

One row for each dyno. Memory without the disk cache (rss + swap; memory_total where those are missing) is
cut into the dyno's lives and reduced to *floors*, the 10 % quantile of each 30 minutes, which a collector's
teeth do not move; ``workbook.memory`` judges all lives together. ``verdict``: *leak* grows without end;
*steps* jumps and stays; *plateau* warms up and stays; *too_large* does not grow but fills its quota;
*sawtooth* is collected again and again; *healthy*; *not_enough_data*: no life of ``min_hours`` without
restart, or less than 36 h that swing as a day's traffic does (then there is a slope).

Lives end where the boot of the samples changes, at state changes, at a falling page counter, and, where the
samples name no boot, at releases and gaps of an hour. Where nothing names restarts they are guessed from
falls in memory (``cut_basis`` *guessed*) and the confidence is low. A dyno without samples is judged by its
R14 lines (``memory_basis`` *R14 lines*) where they never stop for ``min_hours``: memory under the quota is not in
them, so a run of them that is broken says nothing. The quota is the dyno's memory_quota,
else its plan in "heroku ps", else what R14 lines print, else NULL: then there is no percentage and no
forecast.

Where a release has lives on both sides that are long enough, and memory leaks since it and did not before, the
verdict is that since it (``began_with``, ``began_time``, ``before_slope_high``). ``swap_is``: *none*, *level* (a
little swap that stays is normal), *grows*. ``load_1m_p95`` is the 95 % quantile of load_avg_1m.

A leak of high or medium confidence is *critical* where R14 or R15 were logged, or the quota is less than
24 h away and nearer than the earliest daily restart (``restart_h_low`` to ``restart_h_high`` hours from the
last sample). With low confidence it is told as growth, never critical. ``kill_mb`` is NULL where dyno types
of that quota are killed at different limits and the type is not known. Memory is in MB, ``slope_low`` and
``slope_high`` are three standard errors from the slope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd

from workbook import limits
from workbook.analysis import Bounds, Finding, Query
from workbook.memory import picture, sentences
from workbook.memory.dyno import natural, quota_of, row_of
from workbook.memory.lives import guess_restarts
from workbook.quota import QUOTA_FACTS
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("dyno_samples", "dyno_errors"),)

RESTARTED = """(
        to_state IN ('starting', 'down', 'crashed')
        OR event IN ('start', 'stop', 'exit', 'restart', 'cycle', 'idle')
    )"""

UNMARKED_MINUTES = f"""
WITH marked_dynos AS (
    SELECT dyno
    FROM dyno_samples
    WHERE (boot IS NOT NULL OR metric = 'memory_pgpgin')
        AND in_window(time, $start, $end)
    UNION
    SELECT dyno
    FROM dyno_states
    WHERE {RESTARTED}
        AND in_window(time, $start, $end)
)
SELECT
    dyno,
    epoch(time_bucket(INTERVAL 1 MINUTE, time)) / 60 AS minute,
    median(value) AS memory_mb
FROM dyno_samples
ANTI JOIN marked_dynos USING (dyno)
WHERE metric = 'memory_total'
    AND value > 0
    AND coalesce(unit, 'MB') = 'MB'
    AND dyno IS NOT NULL
    AND time IS NOT NULL
    AND in_window(time, $start, $end)
GROUP BY ALL
ORDER BY dyno, minute
"""

SQL = f"""
WITH ticks AS (
    SELECT
        dyno,
        boot,
        time_bucket(INTERVAL 10 SECONDS, time) AS tick,
        min(time) AS time,
        max(value) FILTER (metric = 'memory_total') AS total_mb,
        max(value) FILTER (metric = 'memory_rss') AS rss_mb,
        max(value) FILTER (metric = 'memory_swap') AS swap_mb,
        max(value) FILTER (metric = 'memory_cache') AS cache_mb,
        max(value) FILTER (metric = 'memory_pgpgin') AS pages_in,
        min(struct_pack(source_id, line)) FILTER (metric = 'memory_total') AS cited
    FROM dyno_samples
    WHERE metric IN ('memory_total', 'memory_rss', 'memory_swap', 'memory_cache', 'memory_pgpgin')
        AND coalesce(unit, 'MB') IN ('MB', 'pages')
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND in_window(time, $start, $end)
    GROUP BY dyno, boot, tick
    HAVING total_mb > 0
),
-- where a dyno has no samples its R14 lines are samples of the time over the quota
reported_ticks AS (
    SELECT
        dyno,
        time_bucket(INTERVAL 10 SECONDS, time) AS tick,
        min(time) AS time,
        max(memory_mb) AS total_mb,
        min(struct_pack(source_id, line := coalesce(memory_line, line))) AS cited
    FROM dyno_errors
    WHERE code = 'R14'
        AND memory_mb > 0
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND dyno NOT IN (SELECT dyno FROM ticks)
        AND in_window(time, $start, $end)
    GROUP BY dyno, tick
),
all_ticks AS (
    SELECT *, false AS is_reported FROM ticks
    UNION ALL BY NAME
    SELECT *, true AS is_reported FROM reported_ticks
),
spaced_ticks AS (
    SELECT
        *,
        coalesce(rss_mb + swap_mb, total_mb - cache_mb) AS used_mb,
        epoch(time) - epoch(lag(time) OVER life) AS gap_s,
        total_mb < $fallen * lag(total_mb) OVER life AS fell,
        pages_in - lag(pages_in) OVER life AS pages_more
    FROM all_ticks
    WINDOW life AS (PARTITION BY dyno, boot ORDER BY time)
),
state_changes AS (
    SELECT dyno, time
    FROM dyno_states
    WHERE time IS NOT NULL AND {RESTARTED}
),
cuts AS (
    SELECT dyno, time FROM state_changes
    UNION
    SELECT dyno, time
    FROM spaced_ticks
    WHERE pages_more < 0
        OR (boot IS NULL AND pages_more IS NULL AND gap_s > 3600 AND fell)
        OR (is_reported AND gap_s > $reported_gap_s)
    UNION
    SELECT bootless.dyno, releases.time
    FROM (SELECT DISTINCT dyno FROM ticks WHERE boot IS NULL) AS bootless
    CROSS JOIN releases
    WHERE releases.event IN ('release', 'rollback') AND releases.time IS NOT NULL
    UNION
    SELECT
        unnest($guessed_dynos::VARCHAR[]) AS dyno,
        make_timestamp((unnest($guessed_minutes::DOUBLE[]) * 60e6)::BIGINT) AS time
),
cut_ticks AS (
    SELECT
        ticks.*,
        cuts.time AS cut,
        min(ticks.time) OVER (PARTITION BY ticks.dyno, ticks.boot, cuts.time) AS first_time
    FROM spaced_ticks AS ticks
    ASOF LEFT JOIN cuts ON ticks.dyno = cuts.dyno AND ticks.time >= cuts.time
),
aged_ticks AS (
    SELECT
        *,
        CASE WHEN first_time - cut <= INTERVAL 10 MINUTES THEN cut ELSE first_time END AS begin
    FROM cut_ticks
)
SELECT
    dyno,
    boot,
    begin,
    ((epoch(time) - epoch(begin)) // 1800)::BIGINT AS bin,
    count(*) AS samples,
    count(used_mb) AS used_samples,
    quantile_cont(used_mb, 0.1) AS used_floor_mb,
    quantile_cont(used_mb, 0.95) AS used_top_mb,
    quantile_cont(total_mb, 0.1) AS total_floor_mb,
    quantile_cont(total_mb, 0.95) AS total_top_mb,
    max(total_mb) AS peak_mb,
    arg_max(cited, struct_pack(total_mb, tick)) AS peak_cited,
    max(swap_mb) AS swap_mb,
    median(swap_mb) AS swap_mid_mb,
    count(pages_in) AS page_samples,
    count(*) FILTER (abs(total_mb - rss_mb - cache_mb - swap_mb) > greatest(1, total_mb / 100)) AS unequal,
    median(gap_s) AS gap_s,
    min(time) AS first_time,
    arg_min(cited, tick) AS first_cited,
    max(time) AS last_time,
    arg_max(cited, tick) AS last_cited,
    arg_max(total_mb, tick) AS last_mb,
    dyno IN (SELECT dyno FROM state_changes) AS has_states,
    bool_or(is_reported) AS is_reported
FROM aged_ticks
GROUP BY dyno, boot, begin, bin
ORDER BY dyno, begin, boot, bin
"""

QUOTA_ERRORS = """
SELECT
    dyno,
    count(*) FILTER (code = 'R14') AS r14_count,
    count(*) FILTER (code = 'R15') AS r15_count,
    min(time) AS first_time,
    max(time) AS last_time,
    max(memory_mb) AS peak_mb,
    arg_max(memory_mb, time) AS last_mb,
    list(struct_pack(source_id, line) ORDER BY time, source_id, line)[1:2] AS evidence,
    list_sort(list(DISTINCT time_bucket(INTERVAL 30 MINUTES, time)) FILTER (code = 'R14'))[1:200] AS r14_half_hours
FROM dyno_errors
WHERE code IN ('R14', 'R15')
    AND dyno IS NOT NULL
    AND in_window(time, $start, $end)
GROUP BY dyno
ORDER BY dyno
"""

RELEASES = """
SELECT time, version, struct_pack(source_id, line) AS cited
FROM releases
WHERE event IN ('release', 'rollback') AND time IS NOT NULL
ORDER BY time, source_id, line
"""

LOADS = """
SELECT dyno, quantile_cont(value, 0.95) AS load_1m_p95
FROM dyno_samples
WHERE metric = 'load_avg_1m' AND dyno IS NOT NULL AND in_window(time, $start, $end)
GROUP BY dyno
ORDER BY dyno
"""

FALLEN = 0.9
"""Memory that is a smaller share of what it was before an hour's gap shows a restart in the gap."""
MOST_FLOORS = 2_000
REPORTED_GAP_S = 600
"""R14 that stops for longer shows memory under the quota: what comes later is another run."""
COLUMNS = (
    "process",
    "dyno",
    "start",
    "end",
    "verdict",
    "slope_mb_per_h",
    "slope_low",
    "slope_high",
    "hours_to_quota",
    "hours_to_quota_low",
    "hours_to_quota_high",
    "hours_to_kill",
    "hours_to_kill_low",
    "hours_to_kill_high",
    "confidence",
    "samples",
    "hours",
    "longest_h",
    "segments",
    "bins",
    "needs_hours",
    "quota_mb",
    "quota_basis",
    "kill_mb",
    "level_mb",
    "level_percent",
    "peak_mb",
    "last_mb",
    "swap_mb_max",
    "swap_is",
    "swap_onset",
    "swap_level_mb",
    "swap_mb_per_h",
    "load_1m_p95",
    "r14_count",
    "r15_count",
    "first_r14",
    "settle_h",
    "step_mb",
    "step_time",
    "teeth_mb",
    "cut_basis",
    "memory_basis",
    "hidden_by_restart",
    "restart_h_low",
    "restart_h_high",
    "needed_slope_mb_per_h",
    "began_with",
    "began_time",
    "before_slope_high",
    "release_slopes",
    "against",
    "evidence",
    "floors",
    "fan",
    "r14_half_hours",
)


def rows(
    query: Query,
    window: Window,
    *,
    min_hours: Annotated[float, Bounds(4, 168)] = limits.LEAK_HOURS,
    percent_per_day: Annotated[float, Bounds(0.5, 100)] = limits.LEAK_PERCENT_PER_DAY,
) -> pd.DataFrame:
    """Return one row for each dyno with its verdict; see COLUMNS (MB, h, MB per h; NULL where not known).

    ``floors`` is a list of ``{time, mb, fit_mb}`` for the chart; ``fit_mb`` only where the verdict is leak.
    ``fan`` is a list of ``{time, low_mb, mid_mb, high_mb}`` from the last sample of a leak on, ``release_slopes``
    of ``{version, hours, slope, low, high}``.
    """
    ends = {"start": window.start, "end": window.end}
    quotas = query(QUOTA_FACTS, **ends).set_index("dyno")
    errors = query(QUOTA_ERRORS, **ends).set_index("dyno")
    known = {dyno: quota_of(fact) for dyno, fact in quotas.iterrows()}
    loads = query(LOADS, **ends).set_index("dyno")["load_1m_p95"]
    releases = query(RELEASES)
    dynos, minutes = _guessed(query(UNMARKED_MINUTES, **ends), known)
    bins = query(
        SQL,
        guessed_dynos=dynos,
        guessed_minutes=minutes,
        fallen=FALLEN,
        reported_gap_s=REPORTED_GAP_S,
        **ends,
    )
    sampled = {str(dyno): some for dyno, some in bins.groupby("dyno", sort=True)}
    names = sorted({*sampled, *errors.index}, key=natural)
    most = max(MOST_FLOORS // max(len(names), 1), 12)
    judged = [
        row_of(
            dyno,
            sampled.get(dyno),
            errors.loc[dyno] if dyno in errors.index else None,
            *known.get(dyno, (None, None, None)),
            releases=releases,
            min_hours=min_hours,
            percent_per_day=percent_per_day,
            most_floors=most,
        )
        for dyno in names
    ]
    frame = pd.DataFrame(judged, columns=list(COLUMNS))
    frame["load_1m_p95"] = frame["dyno"].map(loads).astype(float)
    frame = frame.assign(**{name: frame[name].round(4) for name in frame.select_dtypes("float").columns})
    for column in ("start", "end", "first_r14", "step_time", "swap_onset", "began_time"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[us]")
    return frame


def _guessed(minutes: pd.DataFrame, known: dict[Any, Any]) -> tuple[list[str], list[float]]:
    """Return the restarts of dynos whose log names none: dynos, and minutes since 1970."""
    dynos: list[str] = []
    cuts: list[float] = []
    for dyno, some in minutes.groupby("dyno", sort=True):
        quota = known.get(dyno, (None,))[0]
        found = guess_restarts(some["minute"].to_numpy(float), some["memory_mb"].to_numpy(float), quota)
        dynos += [str(dyno)] * len(found)
        cuts += found
    return dynos, cuts


def findings(rows: pd.DataFrame, min_hours: float = limits.LEAK_HOURS) -> list[Finding]:
    """Return one finding for each process and verdict, its dynos named together."""
    return sentences.findings(rows, min_hours)


def chart(rows: pd.DataFrame, *, marks: pd.DataFrame | None = None) -> alt.TopLevelMixin:
    """Return the floors of each dyno over time, with its limits, and where growth leads."""
    return picture.chart(rows, marks)
