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
from workbook.memory.half_hours import HalfHours, by_dyno, moments_us
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

BOOTLESS = """
SELECT DISTINCT dyno
FROM dyno_samples
WHERE boot IS NULL
    AND metric = 'memory_total'
    AND dyno IS NOT NULL
    AND in_window(time, $start, $end)
ORDER BY dyno
"""

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
WITH total_half_hours AS (
    SELECT
        dyno,
        boot,
        time_bucket(INTERVAL 30 MINUTES, time) AS half_hour,
        count(*) AS samples,
        quantile_cont(value, [0.1, 0.95]) AS total_mb,
        avg(value) AS mean_mb,
        max(value) AS peak_mb,
        -- of equal peaks the earliest, so that the answer is always the same
        arg_max(time, value - epoch_us(time) % 1_800_000_000 / 1e13) AS peak_time,
        min(time) AS first_time,
        max(time) AS last_time,
        false AS is_reported
    FROM dyno_samples
    WHERE metric = 'memory_total'
        AND value > 0
        AND coalesce(unit, 'MB') = 'MB'
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND in_window(time, $start, $end)
    GROUP BY dyno, boot, half_hour
),
part_half_hours AS (
    SELECT
        dyno,
        boot,
        time_bucket(INTERVAL 30 MINUTES, time) AS half_hour,
        avg(value) FILTER (metric = 'memory_rss') AS rss_mb,
        avg(value) FILTER (metric = 'memory_swap') AS swap_mb,
        avg(value) FILTER (metric = 'memory_cache') AS cache_mb,
        max(value) FILTER (metric = 'memory_swap') AS swap_most_mb
    FROM dyno_samples
    WHERE metric IN ('memory_rss', 'memory_swap', 'memory_cache')
        AND coalesce(unit, 'MB') = 'MB'
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND in_window(time, $start, $end)
    GROUP BY dyno, boot, half_hour
),
-- where a dyno has no samples its R14 lines are samples of the time over the quota; they end where R14 stops for long
spaced_reports AS (
    SELECT
        dyno,
        time,
        memory_mb,
        coalesce(epoch(time) - epoch(lag(time) OVER one_dyno) > $reported_gap_s, false) AS is_new
    FROM dyno_errors
    WHERE code = 'R14'
        AND memory_mb > 0
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND dyno NOT IN (SELECT dyno FROM total_half_hours)
        AND in_window(time, $start, $end)
    WINDOW one_dyno AS (PARTITION BY dyno ORDER BY time, source_id, line)
),
reported_half_hours AS (
    SELECT
        dyno,
        NULL AS boot,
        time_bucket(INTERVAL 30 MINUTES, time) AS half_hour,
        count(*) AS samples,
        quantile_cont(memory_mb, [0.1, 0.95]) AS total_mb,
        avg(memory_mb) AS mean_mb,
        max(memory_mb) AS peak_mb,
        arg_max(time, memory_mb - epoch_us(time) % 1_800_000_000 / 1e13) AS peak_time,
        min(time) AS first_time,
        max(time) AS last_time,
        true AS is_reported
    FROM spaced_reports
    GROUP BY dyno, half_hour
),
half_hours AS (
    SELECT
        samples.*,
        rss_mb,
        swap_mb,
        swap_most_mb,
        mean_mb - coalesce(rss_mb + swap_mb, mean_mb - cache_mb) AS cached_mb,
        abs(mean_mb - rss_mb - cache_mb - swap_mb) > greatest(1, mean_mb / 100) AS is_unequal
    FROM (FROM total_half_hours UNION ALL FROM reported_half_hours) AS samples
    LEFT JOIN part_half_hours AS parts
        ON samples.dyno = parts.dyno
        AND samples.half_hour = parts.half_hour
        AND samples.boot IS NOT DISTINCT FROM parts.boot
),
-- the page counter of a dyno begins anew at each boot
page_half_hours AS (
    SELECT
        dyno,
        time_bucket(INTERVAL 30 MINUTES, time) AS half_hour,
        arg_min(value, row(time, source_id, line)) AS first_pages,
        arg_max(value, row(time, source_id, line)) AS last_pages,
        min(value) AS least_pages,
        max(value) AS most_pages,
        arg_min(time, row(value, time)) AS least_time,
        min(time) AS first_time,
        max(time) AS last_time
    FROM dyno_samples
    WHERE metric = 'memory_pgpgin'
        AND boot IS NULL
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND in_window(time, $start, $end)
    GROUP BY dyno, half_hour
),
page_falls AS (
    SELECT dyno, first_time AS time
    FROM page_half_hours
    QUALIFY first_pages < lag(last_pages) OVER (PARTITION BY dyno ORDER BY half_hour)
    UNION
    SELECT dyno, CASE WHEN least_pages < first_pages THEN least_time ELSE last_time END
    FROM page_half_hours
    WHERE least_pages < first_pages OR last_pages < most_pages
),
memory_falls AS (
    SELECT dyno, first_time AS time
    FROM half_hours
    WHERE boot IS NULL
        AND NOT is_reported
        AND dyno NOT IN (SELECT dyno FROM page_half_hours)
    WINDOW one_dyno AS (PARTITION BY dyno ORDER BY half_hour)
    QUALIFY first_time - lag(last_time) OVER one_dyno > INTERVAL 1 HOUR
        AND total_mb[1] < $fallen * lag(total_mb[1]) OVER one_dyno
),
state_changes AS (
    SELECT dyno, time
    FROM dyno_states
    WHERE time IS NOT NULL AND {RESTARTED}
),
cuts AS (
    SELECT dyno, time FROM state_changes
    UNION
    SELECT dyno, time FROM page_falls
    UNION
    SELECT dyno, time FROM memory_falls
    UNION
    SELECT dyno, time FROM spaced_reports WHERE is_new
    UNION
    SELECT bootless.dyno, releases.time
    FROM (SELECT DISTINCT dyno FROM total_half_hours WHERE boot IS NULL) AS bootless
    CROSS JOIN releases
    WHERE releases.event IN ('release', 'rollback') AND releases.time IS NOT NULL
    UNION
    SELECT
        unnest($guessed_dynos::VARCHAR[]) AS dyno,
        make_timestamp((unnest($guessed_minutes::DOUBLE[]) * 60e6)::BIGINT) AS time
),
-- a half hour with a restart inside belongs to the life that began in it, but tells of neither
cut_half_hours AS (
    SELECT
        half_hours.*,
        inside.time AS cut,
        inside.time IS DISTINCT FROM before.time AS is_mixed
    FROM half_hours
    ASOF LEFT JOIN cuts AS before
        ON half_hours.dyno = before.dyno AND half_hours.first_time >= before.time
    ASOF LEFT JOIN cuts AS inside
        ON half_hours.dyno = inside.dyno AND half_hours.last_time >= inside.time
),
spanned_half_hours AS (
    SELECT
        *,
        CASE WHEN is_mixed THEN cut ELSE first_time END AS seen_from,
        coalesce(lead(CASE WHEN is_mixed THEN cut END) OVER one_boot, last_time) AS seen_until
    FROM cut_half_hours
    WINDOW one_boot AS (PARTITION BY dyno, boot ORDER BY half_hour)
),
lived_half_hours AS (
    SELECT
        *,
        min(seen_from) OVER life AS life_seen_from,
        max(seen_until) OVER life AS life_seen_until
    FROM spanned_half_hours
    WINDOW life AS (PARTITION BY dyno, boot, cut)
)
SELECT
    dyno,
    boot,
    CASE
        WHEN life_seen_from - cut <= INTERVAL 10 MINUTES THEN cut
        ELSE life_seen_from
    END AS begin,
    life_seen_from,
    life_seen_until,
    first_time,
    last_time,
    is_mixed,
    samples,
    (epoch(last_time) - epoch(first_time)) / nullif(samples - 1, 0) AS gap_s,
    total_mb[1] AS total_floor_mb,
    total_mb[2] AS total_top_mb,
    total_mb[1] - cached_mb AS used_floor_mb,
    total_mb[2] - cached_mb AS used_top_mb,
    peak_mb,
    peak_time,
    swap_mb,
    swap_most_mb,
    is_unequal,
    is_reported,
    dyno IN (SELECT dyno FROM state_changes) AS has_states,
    dyno IN (SELECT dyno FROM page_half_hours) AS has_pages
FROM lived_half_hours
ORDER BY dyno, begin, boot, first_time
"""

CITED = """
WITH moments AS (
    SELECT unnest($dynos::VARCHAR[]) AS dyno, unnest($times::TIMESTAMP[]) AS time
)
SELECT dyno, time, min(struct_pack(source_id, line)) AS cited, max(value) AS memory_mb
FROM dyno_samples
JOIN moments USING (dyno, time)
WHERE metric = 'memory_total' AND value > 0
GROUP BY dyno, time
UNION ALL
SELECT dyno, time, min(struct_pack(source_id, line := coalesce(memory_line, line))), max(memory_mb)
FROM dyno_errors
JOIN moments USING (dyno, time)
WHERE code = 'R14'
    AND dyno IN (SELECT unnest($reported_dynos::VARCHAR[]))
GROUP BY dyno, time
ORDER BY dyno, time
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
    known = {str(dyno): quota_of(fact) for dyno, fact in quotas.iterrows()}
    loads = query(LOADS, **ends).set_index("dyno")["load_1m_p95"]
    releases = query(RELEASES)
    dynos, minutes = _guessed(query, ends, known)
    sampled = by_dyno(
        query(
            SQL,
            guessed_dynos=dynos,
            guessed_minutes=minutes,
            fallen=FALLEN,
            reported_gap_s=REPORTED_GAP_S,
            **ends,
        )
    )
    cited = _cited(query, sampled)
    names = sorted({*sampled, *errors.index}, key=natural)
    most = max(MOST_FLOORS // max(len(names), 1), 12)
    judged = [
        row_of(
            dyno,
            sampled.get(dyno),
            cited,
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


def _guessed(query: Query, ends: dict[str, Any], known: dict[str, Any]) -> tuple[list[str], list[float]]:
    """Return the restarts of dynos whose log names none: dynos, and minutes since 1970."""
    dynos: list[str] = []
    cuts: list[float] = []
    if query(BOOTLESS, **ends).empty:
        return dynos, cuts
    for dyno, some in query(UNMARKED_MINUTES, **ends).groupby("dyno", sort=True):
        quota = known.get(str(dyno), (None,))[0]
        found = guess_restarts(some["minute"].to_numpy(float), some["memory_mb"].to_numpy(float), quota)
        dynos += [str(dyno)] * len(found)
        cuts += found
    return dynos, cuts


def _cited(query: Query, sampled: dict[str, HalfHours]) -> dict[tuple[str, int], tuple[Any, float]]:
    """Return the line and the memory (MB) of each dyno's first, highest and last sample, by dyno and microseconds."""
    moments = [(dyno, moment) for dyno, bins in sampled.items() for moment in sorted(set(moments_us(bins)))]
    lines = query(
        CITED,
        dynos=[dyno for dyno, _ in moments],
        times=[pd.Timestamp(moment, unit="us").to_pydatetime() for _, moment in moments],
        reported_dynos=[dyno for dyno, bins in sampled.items() if bins.is_reported],
    )
    times = lines["time"].to_numpy("datetime64[us]").astype("int64")
    keys = zip(lines["dyno"].astype(str), times.tolist(), strict=True)
    return dict(zip(keys, zip(lines["cited"], lines["memory_mb"], strict=True), strict=True))


def findings(rows: pd.DataFrame, min_hours: float = limits.LEAK_HOURS) -> list[Finding]:
    """Return one finding for each process and verdict, its dynos named together."""
    return sentences.findings(rows, min_hours)


def chart(rows: pd.DataFrame, *, marks: pd.DataFrame | None = None) -> alt.TopLevelMixin:
    """Return the floors of each dyno over time, with its limits, and where growth leads."""
    return picture.chart(rows, marks)
