"""Does memory grow without end, and when will it reach the limit?     (book ch. 3, "R14 & R15")

One row for each dyno. Memory without the disk cache (rss + swap; memory_total where those are missing) is
cut into the dyno's lives and reduced to *floors*, the 10 % quantile of each 30 minutes, which a collector's
teeth do not move; ``workbook.growth`` judges all lives together. ``verdict``: *leak* grows without end;
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

A leak of high or medium confidence is *critical* where R14 or R15 were logged, or the quota is less than
24 h away and nearer than the earliest daily restart (``restart_h_low`` to ``restart_h_high`` hours from the
last sample). With low confidence it is told as growth, never critical. ``kill_mb`` is NULL where dyno types
of that quota are killed at different limits and the type is not known. Memory is in MB, ``slope_low`` and
``slope_high`` are three standard errors from the slope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd

from workbook import charts, growth, limits, words
from workbook.analysis import Bounds, Finding, Query, cite, largest, numbers_of
from workbook.quota import QUOTA_FACTS, kill_choices_mb, kill_mb, quota_mb
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
    list(struct_pack(source_id, line) ORDER BY time, source_id, line)[1:2] AS evidence
FROM dyno_errors
WHERE code IN ('R14', 'R15')
    AND dyno IS NOT NULL
    AND in_window(time, $start, $end)
GROUP BY dyno
ORDER BY dyno
"""

BIN_H = 0.5
FALLEN = 0.9
"""Memory that is a smaller share of what it was before an hour's gap shows a restart in the gap."""
MOST_FLOORS = 2_000
REPORTED_GAP_S = 600
"""R14 that stops for longer shows memory under the quota: what comes later is another run."""
SAMPLED_SHARE, REPORTED_SHARE = 0.5, 0.8
"""A half hour counts with so many of its usual samples; of R14 lines nearly all: those under the quota are cut."""
ONLY_ERRORS = "only R14 and R15 lines: memory below the quota is not in the log"
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
    "against",
    "evidence",
    "floors",
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
    """
    ends = {"start": window.start, "end": window.end}
    quotas = query(QUOTA_FACTS, **ends).set_index("dyno")
    errors = query(QUOTA_ERRORS, **ends).set_index("dyno")
    known = {dyno: _quota(fact) for dyno, fact in quotas.iterrows()}
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
    names = sorted({*sampled, *errors.index}, key=_natural)
    most = max(MOST_FLOORS // max(len(names), 1), 12)
    judged = [
        _row(
            dyno,
            sampled.get(dyno),
            errors.loc[dyno] if dyno in errors.index else None,
            *known.get(dyno, (None, None, None)),
            min_hours=min_hours,
            percent_per_day=percent_per_day,
            most_floors=most,
        )
        for dyno in names
    ]
    frame = pd.DataFrame(judged, columns=list(COLUMNS))
    frame = frame.assign(**{name: frame[name].round(4) for name in frame.select_dtypes("float").columns})
    for column in ("start", "end", "first_r14", "step_time"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[us]")
    return frame


def _natural(dyno: str) -> tuple[str, int, str]:
    process, _, number = dyno.partition(".")
    return process, int(number) if number.isascii() and number.isdigit() else -1, dyno


def _missing(value: Any) -> Any:
    return (
        None if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)) else value
    )


def _quota(fact: pd.Series) -> tuple[float | None, str | None, str | None]:
    """Return quota in MB, how it is known, and the dyno type."""
    size, pairs = _missing(fact["size"]), _missing(fact["pairs"])
    return *quota_mb(_missing(fact["sample_quota_mb"]), size, pairs), size


def _guessed(minutes: pd.DataFrame, known: dict[Any, Any]) -> tuple[list[str], list[float]]:
    """Return the restarts of dynos whose log names none: dynos, and minutes since 1970."""
    dynos: list[str] = []
    cuts: list[float] = []
    for dyno, some in minutes.groupby("dyno", sort=True):
        quota = known.get(dyno, (None,))[0]
        found = growth.guess_restarts(
            some["minute"].to_numpy(float), some["memory_mb"].to_numpy(float), quota
        )
        dynos += [str(dyno)] * len(found)
        cuts += found
    return dynos, cuts


# ---- one dyno ----


def _row(
    dyno: str,
    bins: pd.DataFrame | None,
    errors: pd.Series | None,
    quota: float | None,
    quota_basis: str | None,
    size: str | None,
    *,
    min_hours: float,
    percent_per_day: float,
    most_floors: int,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "process": dyno.partition(".")[0],
        "dyno": dyno,
        "quota_mb": quota,
        "quota_basis": quota_basis,
        "r14_count": 0 if errors is None else int(errors["r14_count"]),
        "r15_count": 0 if errors is None else int(errors["r15_count"]),
        "first_r14": None if errors is None else errors["first_time"],
        "evidence": [] if errors is None else list(errors["evidence"]),
    }
    if bins is None or _too_few_reports(bins, min_hours):
        assert errors is not None
        return row | _only_errors(errors, quota, size, min_hours)
    row |= _measured(bins, row["evidence"])
    row["kill_mb"] = kill_mb(quota, size, row["end"])
    kind = "used" if row["memory_basis"] == "rss + swap" else "total"
    whole_lives = _lives(bins, "total")
    lives = _lives(bins, kind) if kind == "used" else whole_lives
    level = _level(whole_lives)
    how: dict[str, Any] = {
        "known_restarts": row["cut_basis"] not in ("guessed", "R14 lines"),
        "total_level_mb": level,
        "min_hours": min_hours,
        "percent_per_day": percent_per_day,
    }
    judged = growth.judge([life.segment for life in lives], quota, **how)
    row |= _judged(judged, quota, level, _BASIS_DOUBTS[row["memory_basis"]])
    unequal = bins["unequal"].sum() / bins["samples"].sum()
    if unequal > 0.01:
        row["against"] = _joined(
            [row["against"], f"memory_total is not rss + cache + swap in {unequal:.0%} of samples"]
        )
    if judged.verdict == "leak":
        whole = growth.judge([life.segment for life in whole_lives], quota, **how)
        judged = judged if whole.slope is None or whole.slope <= 0 else replace(whole, verdict="leak")
        row |= {"slope_mb_per_h": judged.slope, "slope_low": judged.low, "slope_high": judged.high}
        row |= _forecast(judged, whole_lives, row)
    row["floors"] = _floors(whole_lives, judged, most_floors)
    return row


def _only_errors(
    errors: pd.Series, quota: float | None, size: str | None, min_hours: float
) -> dict[str, Any]:
    """Return what R14 and R15 lines alone say: memory only above the quota, so growth cannot be judged."""
    return {
        "start": errors["first_time"],
        "end": errors["last_time"],
        "verdict": "not_enough_data",
        "samples": 0,
        "hours": 0.0,
        "longest_h": 0.0,
        "segments": 0,
        "bins": 0,
        "needs_hours": min_hours,
        "kill_mb": kill_mb(quota, size, _missing(errors["last_time"])),
        "peak_mb": _missing(errors["peak_mb"]),
        "last_mb": _missing(errors["last_mb"]),
        "against": ONLY_ERRORS,
    }


def _too_few_reports(bins: pd.DataFrame, min_hours: float) -> bool:
    """Return whether all that is known are R14 lines, and no unbroken run of them is long enough to be judged."""
    if not bins["is_reported"].any():
        return False
    return max((life.segment.length_h for life in _lives(bins, "total")), default=0.0) < min_hours


def _measured(bins: pd.DataFrame, errors: list[Any]) -> dict[str, Any]:
    """Return what a dyno's bins sum up to: span, peak, last value, evidence, how its restarts are known."""
    first = bins.sort_values("first_time", kind="stable").iloc[0]
    last, peak = largest(bins, "last_time"), largest(bins, "peak_mb")
    cited = [first["first_cited"], peak["peak_cited"], last["last_cited"]]
    basis = "guessed"
    if bins["is_reported"].any():
        basis = "R14 lines"
    elif bins["boot"].notna().any():
        basis = "boot"
    elif bins["has_states"].any():
        basis = "states"
    elif bins["page_samples"].sum() >= bins["samples"].sum() / 2:
        basis = "page counter"
    return {
        "start": first["first_time"],
        "end": last["last_time"],
        "samples": int(bins["samples"].sum()),
        "peak_mb": float(peak["peak_mb"]),
        "last_mb": float(last["last_mb"]),
        "swap_mb_max": _missing(float(bins["swap_mb"].max())),
        "cut_basis": basis,
        "memory_basis": _memory_basis(bins),
        "evidence": [*errors[:1], *cited],
    }


def _memory_basis(bins: pd.DataFrame) -> str:
    if bins["is_reported"].any():
        return "R14 lines"
    return "rss + swap" if bins["used_samples"].sum() >= bins["samples"].sum() / 2 else "memory_total"


@dataclass(frozen=True)
class _Life:
    """One life of a dyno: its begin, its segment for ``growth``, and the full bins it is made of."""

    begin: pd.Timestamp
    segment: growth.Segment
    bins: pd.DataFrame


def _lives(bins: pd.DataFrame, kind: str) -> list[_Life]:
    """Return the lives of a dyno, the earliest first; ``kind`` of memory: used (rss + swap) or total."""
    gap_s = bins["gap_s"].median()
    expected = np.inf if pd.isna(gap_s) else BIN_H * 3600 / max(float(gap_s), 1.0)
    share = REPORTED_SHARE if bins["is_reported"].any() else SAMPLED_SHARE
    dyno_start = bins["first_time"].min()
    lives = []
    for _, some in bins.groupby(["begin", "boot"], sort=True, dropna=False):
        full = some[(some["samples"] >= share * expected) & some[f"{kind}_floor_mb"].notna()]
        begin, first, last = some["begin"].iloc[0], some["first_time"].min(), some["last_time"].max()
        uptime = (full["bin"].to_numpy(float) + 0.5) * BIN_H
        floor = full[f"{kind}_floor_mb"].to_numpy(float)
        segment = growth.Segment(
            uptime,
            begin.timestamp() / 3600 + uptime,
            floor,
            full[f"{kind}_top_mb"].to_numpy(float) - floor,
            min((last - first).total_seconds() / 3600, BIN_H * (len(full) + 1)),
            known_start=begin < first or first > dyno_start,
        )
        lives.append(_Life(begin, segment, full))
    return lives


def _level(lives: list[_Life]) -> float | None:
    """Return where memory stands, with the disk cache; None without a warm floor."""
    return growth.standing_mb([life.segment for life in lives])


def _judged(
    judged: growth.Judgement, quota: float | None, level: float | None, against: list[str]
) -> dict[str, Any]:
    if judged.verdict == "not_enough_data":
        level = None
    step = judged.step_clock_h
    return {
        "verdict": judged.verdict,
        "slope_mb_per_h": judged.slope,
        "slope_low": judged.low,
        "slope_high": judged.high,
        "confidence": judged.confidence,
        "hours": judged.hours,
        "longest_h": judged.longest_h,
        "segments": judged.segments,
        "bins": judged.bins,
        "needs_hours": judged.needs_h,
        "level_mb": level,
        "level_percent": None if quota is None or level is None else 100 * level / quota,
        "settle_h": judged.settle_h,
        "step_mb": judged.step_mb,
        "step_time": None if step is None else pd.Timestamp(round(step * 3600), unit="s"),
        "teeth_mb": judged.teeth_mb,
        "against": _joined([*judged.against, *against]),
    }


_BASIS_DOUBTS = {
    "rss + swap": [],
    "memory_total": ["the disk cache is counted as memory"],
    "R14 lines": [ONLY_ERRORS],
}


def _joined(parts: Iterable[str | None]) -> str | None:
    return "; ".join(part for part in parts if part) or None


def _forecast(judged: growth.Judgement, lives: list[_Life], row: dict[str, Any]) -> dict[str, Any]:
    """Return when a leak reaches the quota and the kill limit, counted from the last sample."""
    assert judged.slope is not None and judged.low is not None and judged.high is not None
    seen = [life.segment for life in lives if len(life.bins)]
    crest = float(np.median(np.concatenate([one.teeth_mb for one in seen])))
    base = float(np.median([one.floor_mb[:2].mean() for one in seen])) + crest
    last = lives[-1]
    uptime = (row["end"] - last.begin).total_seconds() / 3600
    level, doubt = growth.level_now([life.segment for life in lives], judged.slope, uptime)
    found: dict[str, Any] = {}
    for name, limit in (("quota", row["quota_mb"]), ("kill", row["kill_mb"])):
        if limit is not None:
            hours = growth.hours_to(limit, level + crest, judged.slope, judged.low, judged.high, doubt)
            found |= dict(zip((f"hours_to_{name}{end}" for end in ("", "_low", "_high")), hours, strict=True))
    left = growth.DAILY_RESTART_H - uptime
    if left > 0:
        # where the log begins inside the life, it is older than what is seen of it
        earliest = max(limits.RESTART_HOURS - uptime, 0.0) if last.segment.known_start else 0.0
        found |= {"restart_h_low": earliest, "restart_h_high": left}
    if row["quota_mb"] is None:
        return found
    over = row["r14_count"] + row["r15_count"] > 0 or found["hours_to_quota"] == 0
    found["hidden_by_restart"] = bool(not over and left > 0 and found["hours_to_quota"] > left)
    if found["hidden_by_restart"] and base < row["quota_mb"]:
        found["needed_slope_mb_per_h"] = growth.needed_slope(row["quota_mb"], base)
    return found


def _floors(lives: list[_Life], judged: growth.Judgement, most: int) -> list[dict[str, Any]] | None:
    """Return at most so many floors as points, with the fitted line where the dyno leaks."""
    points: list[dict[str, Any]] = []
    for life in lives:
        uptime, floor = life.segment.uptime_h, life.segment.floor_mb
        warm = uptime > growth.BOOT_H
        fit = None
        if judged.verdict == "leak" and judged.slope is not None and warm.sum() >= 2:
            fit = np.mean((floor - judged.slope * uptime)[warm]) + judged.slope * uptime
        for place, hours in enumerate(uptime):
            time = (life.begin + pd.Timedelta(hours=hours)).floor("s").to_pydatetime()
            fit_mb = None if fit is None or not warm[place] else round(float(fit[place]), 1)
            points.append({"time": time, "mb": round(float(floor[place]), 1), "fit_mb": fit_mb})
    if not points:
        return None
    points.sort(key=lambda point: point["time"])
    kept = np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int))
    return [points[place] for place in kept]


# ---- findings ----

BOOK = "book ch. 3"
LEVELS = ("low", "medium", "high")
ORDER = ("leak", "too_large", "steps", "plateau", "sawtooth", "healthy", "not_enough_data")
LEAK_STEP = (
    "Find the action that keeps memory: compare what ran while it grew (releases, slow transactions), "
    "repeat it "
    "locally and watch the process, or log memory per request with a library such as Oink. Until it is "
    "found, "
    "restart the dyno before the limit."
)
GROWTH_STEP = (
    "Load two days without a deploy and run this again: a day's traffic and a filling cache stop, a leak does "
    "not. Until then look at what ran while memory grew (releases, slow transactions)."
)
STEPS_STEP = (
    "Look at what ran in the half hour before the jump: one action that loads much at once. Load it in "
    "pages or "
    "batches; a run with constant R14 needs a larger dyno or two or more workers."
)
MORE_DATA = (
    "Enable log-runtime-metrics and keep its lines in a log drain for a day without a deploy; then load "
    "them and "
    "run this again."
)
_LEAK_NUMBERS = (
    "slope_mb_per_h",
    "slope_low",
    "slope_high",
    "hours_to_quota",
    "hours_to_quota_low",
    "hours_to_quota_high",
    "hours_to_kill",
    "restart_h_low",
    "restart_h_high",
    "hours",
    "quota_mb",
    "kill_mb",
    "last_mb",
    "peak_mb",
    "r14_count",
    "r15_count",
    "needed_slope_mb_per_h",
)


def findings(rows: pd.DataFrame, min_hours: float = limits.LEAK_HOURS) -> list[Finding]:
    """Return one finding for each process and verdict, its dynos named together."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "Whether memory grows cannot be said: no memory sample lies in this window.",
                next_step=MORE_DATA,
                reference=BOOK,
            )
        ]
    shaped = rows.assign(shape=[_shape(row) for _, row in rows.iterrows()])
    brief = shaped["process"].isin(limits.ONE_OFF) & (shaped["verdict"] == "not_enough_data")
    shapes = list(_SENTENCES)
    told = []
    for (process, shape), some in shaped[~brief].groupby(["process", "shape"], sort=True):
        told.append((shapes.index(str(shape)), str(process), _SENTENCES[str(shape)](some, min_hours)))
    found = [finding for _, _, finding in sorted(told, key=lambda one: one[:2])]
    return found or [_not_enough(rows, min_hours)]


def _shape(row: pd.Series) -> str:
    """Return which sentence tells a row: its verdict, or a weaker one where the verdict alone says too much."""
    verdict, percent, settle = str(row["verdict"]), _missing(row["level_percent"]), _missing(row["settle_h"])
    if verdict == "leak" and row["confidence"] == "low":
        return "grows"
    if verdict == "plateau" and settle is not None and settle > row["longest_h"] * 0.75:
        return "slowing"
    if verdict == "plateau" and percent is not None and percent > limits.HIGH_LEVEL_PERCENT:
        return "full"
    if verdict == "not_enough_data" and _missing(row["slope_mb_per_h"]) is not None:
        return "swings"
    return verdict


def _doubts(row: pd.Series, some: pd.DataFrame) -> str:
    """Return the sentence on what speaks against the verdict on a dyno, named where others share it."""
    told = (_missing(row["against"]) or "").split("; ")
    against = [one for one in told if one and (one != "the quota is not known" or row["verdict"] != "leak")]
    whose = f" ({row['dyno']})" if len(some) > 1 else ""
    return f" Against this{whose}: {'; '.join(against)}." if against else ""


def _least_sure(some: pd.DataFrame) -> pd.Series:
    """Return the dyno of the least confidence; of those, the one with the most against it."""
    order = some.assign(rank=some["confidence"].map(LEVELS.index), many=some["against"].fillna("").str.len())
    return order.sort_values(["rank", "many"], ascending=[True, False], kind="stable").iloc[0]


def _leak(some: pd.DataFrame, min_hours: float) -> Finding:
    worst = _most_urgent(some)
    title = f"{worst['dyno']} leaks {_slope(worst)}, seen over {worst['hours']:.0f} h: {_until(worst)}."
    severity = "critical" if any(_is_critical(row) for _, row in some.iterrows()) else "warning"
    return _growing(some, worst, severity, title, "leak", LEAK_STEP)


def _grows(some: pd.DataFrame, min_hours: float) -> Finding:
    """Return growth of low confidence: never called a leak, never critical, though R14 may be logged."""
    worst = _most_urgent(some)
    against = _missing(worst["against"]) or ""
    alike = [
        what
        for what, sign in (("a day's traffic", "less than 36 h"), ("a filling cache", "slows down"))
        if sign in against
    ]
    until = _until(worst)
    goes_on = "if it goes on, " if _missing(worst["hours_to_quota"]) and until.startswith("it ") else ""
    title = (
        f"{worst['dyno']} grows {_slope(worst)} over {worst['hours']:.0f} h, as "
        f"{' or '.join(['a leak', *alike])} would; {goes_on}{until}."
    )
    return _growing(some, worst, "warning", title, "grow", GROWTH_STEP)


def _growing(
    some: pd.DataFrame, worst: pd.Series, severity: str, title: str, verb: str, next_step: str
) -> Finding:
    others = some[some["dyno"] != worst["dyno"]]
    if len(others):
        too = _verb(others, f"{verb}s", verb)
        title += f" {_dynos(others['dyno'])} {too} too: {_span(others['slope_mb_per_h'], 'MB per hour', 1)}."
    return Finding(
        severity,
        title + _doubts(worst, some),
        numbers=numbers_of(worst, *_LEAK_NUMBERS),
        evidence=cite(worst["evidence"]),
        next_step=next_step,
        reference=BOOK,
        confidence=worst["confidence"],
        about=(some["start"].min(), some["end"].max()),
    )


def _slope(row: pd.Series) -> str:
    narrow = row["slope_high"] - row["slope_low"] < 0.2
    low, high = (f"{row[name]:.{2 if narrow else 1}f}" for name in ("slope_low", "slope_high"))
    return f"{row['slope_mb_per_h']:.1f} MB per hour ({low}–{high})"


def _is_critical(row: pd.Series) -> bool:
    """Return whether a leak hurts now: R14 or R15 logged, or a near quota that no restart comes before."""
    if row["confidence"] not in ("high", "medium"):
        return False
    if row["r14_count"] + row["r15_count"] > 0:
        return True
    hours, restart = _missing(row["hours_to_quota"]), _missing(row["restart_h_low"])
    soon = hours is not None and hours < limits.RESTART_HOURS
    return soon and not _hidden(row) and (restart is None or hours <= restart)


def _hidden(row: pd.Series) -> bool:
    return bool(_missing(row["hidden_by_restart"]))


def _most_urgent(some: pd.DataFrame) -> pd.Series:
    left = some["hours_to_quota"].astype(float).fillna(np.inf)
    order = some.assign(hurts=some["r14_count"] + some["r15_count"] > 0, left=left)
    by = ["hurts", "left", "slope_mb_per_h"]
    return order.sort_values(by, ascending=[False, True, False], kind="stable").iloc[0]


def _until(row: pd.Series) -> str:
    """Return when the leak reaches the quota and the kill limit, in words."""
    quota = _missing(row["quota_mb"])
    if quota is None:
        return "the quota is not known, so no time to it can be given"
    kill = _killed_at(row, quota)
    codes = (("r14_count", "R14 line"), ("r15_count", "R15 kill"))
    logged = [words.plural(row[name], label) for name, label in codes if row[name] > 0]
    lines = f" ({' and '.join(logged)})" if logged else ""
    if row["hours_to_quota"] == 0:
        return f"it is over its quota of {words.mb(quota)}{lines}{kill}"
    killed_there = ", at which it is killed," if row["kill_mb"] == quota else ""
    what = "it again" if logged else f"its quota of {words.mb(quota)}{killed_there}"
    was = f"it was over its quota of {words.mb(quota)}{lines}; " if logged else ""
    reach = f"it reaches {what} in {_hours(row, 'quota')}"
    if not _hidden(row):
        return f"{was}{_restart_before(row)}{reach}{kill}"
    needed = _missing(row["needed_slope_mb_per_h"])
    between = "" if needed is None else f"; {needed:.1f} MB per hour would reach it between two restarts"
    return f"the daily restart hides it; without one {reach}{between}"


def _killed_at(row: pd.Series, quota: float) -> str:
    """Return when it reaches the kill limit, or which limits there may be; nothing at or under the quota."""
    kill, hours = _missing(row["kill_mb"]), _missing(row["hours_to_kill"])
    if kill is None:
        choices = kill_choices_mb(quota, None, _missing(row["end"]))
        return f"; it is killed at {' or '.join(map(words.mb, choices))}, by dyno type and year"
    if kill <= quota or not hours:
        return ""
    to = ", and would reach" if row["hours_to_quota"] == 0 else ", and"
    return f"{to} the {words.mb(kill)} at which it is killed in {_hours(row, 'kill')} without a restart"


def _restart_before(row: pd.Series) -> str:
    """Return that the daily restart comes, or may come, before the quota is reached; or nothing."""
    low, high = _missing(row["restart_h_low"]), _missing(row["restart_h_high"])
    if low is None or high is None or row["hours_to_quota"] <= low:
        return ""
    due = f"within {high:.1f} h" if low == 0 else f"in {low:.1f}–{high:.1f} h"
    if row["hours_to_quota"] <= high:
        return f"unless the daily restart ({due}) comes first, "
    return f"the daily restart comes first ({due}); without it "


def _hours(row: pd.Series, name: str) -> str:
    hours, low, high = (_missing(row[f"hours_to_{name}{end}"]) for end in ("", "_low", "_high"))
    decimals = 1 if hours < 48 or (high is not None and high - low < 2) else 0
    to = "no upper end" if high is None else f"{high:,.{decimals}f}"
    return f"{hours:,.{decimals}f} h ({low:,.{decimals}f}–{to})"


def _steps(some: pd.DataFrame, min_hours: float) -> Finding:
    worst = largest(some, "step_mb")
    percent = _missing(worst["level_percent"])
    jumps = _verb(some, "jumps and keeps", "jump and keep")
    title = (
        f"{_dynos(some['dyno'])} {jumps} what was taken: {worst['dyno']} took {worst['step_mb']:.0f} MB at "
        "about "
        f"{words.time(worst['step_time'].floor('min'))} UTC"
    )
    title += (
        "." if percent is None else f" and stands at {percent:.0f} % of its {words.mb(worst['quota_mb'])}."
    )
    return Finding(
        "warning",
        title + _doubts(worst, some),
        numbers=numbers_of(worst, "step_mb", "level_mb", "level_percent", "quota_mb", "hours"),
        evidence=cite(worst["evidence"]),
        next_step=STEPS_STEP,
        reference=BOOK,
        confidence=worst["confidence"],
        about=(worst["step_time"], worst["end"]),
    )


def _too_large(some: pd.DataFrame, min_hours: float) -> Finding:
    worst = largest(some, "level_percent")
    need, quota = max(worst["peak_mb"], worst["level_mb"]), worst["quota_mb"]
    fills = _verb(some, "does not grow but fills", "do not grow but fill")
    return Finding(
        "warning",
        f"{_dynos(some['dyno'])} {fills} {_span(some['level_percent'], '%', 0)} of {words.mb(quota)} all "
        "the time, "
        f"{words.mb(need)} at the peak.{_doubts(worst, some)}",
        numbers=numbers_of(worst, "level_mb", "level_percent", "peak_mb", "quota_mb", "r14_count", "hours"),
        evidence=cite(worst["evidence"]),
        next_step=_make_room(need, quota),
        reference=BOOK,
        confidence=worst["confidence"],
        about=(some["start"].min(), some["end"].max()),
    )


def _make_room(need_mb: float, quota_mb: float) -> str:
    """Return both ways out with their arithmetic: a larger dyno, or fewer workers in this one."""
    share = limits.HIGH_LEVEL_PERCENT / 100
    fits = [f"of {many} equal workers {int(many * share * quota_mb / need_mb)}" for many in (2, 3, 4)]
    fewer = (
        f"Run fewer workers in a dyno and more dynos: {', '.join(fits)} fit in "
        f"{limits.HIGH_LEVEL_PERCENT:.0f} % "
        f"of {words.mb(quota_mb)} (shared parts of memory not counted)."
    )
    larger = sorted({kind.quota_mb for kind in limits.DYNO_TYPES if kind.quota_mb * share >= need_mb})
    if not larger:
        return fewer
    part = words.share(need_mb / larger[0])
    return f"{fewer} Or take a dyno of {words.mb(larger[0])}: {words.mb(need_mb)} are {part} of it."


def _plateau(some: pd.DataFrame, min_hours: float) -> Finding:
    settle = some["settle_h"].max()
    first = f" in {_verb(some, 'its', 'their')} first {settle:.0f} h" if settle >= 1 else ""
    return _ruled_out(
        f"{_dynos(some['dyno'])} {_verb(some, 'rises', 'rise')}{first} and then "
        f"{_verb(some, 'stays', 'stay')} at "
        f"{_span(some['level_mb'], 'MB', 0)}{_of_quota(some)}: warm-up, not a leak, in "
        f"{some['hours'].max():.0f} h "
        f"and {_samples(some)}.",
        some,
    )


def _full(some: pd.DataFrame, min_hours: float) -> Finding:
    """Return a plateau that fills its quota: no leak, but nothing to rule out."""
    worst = largest(some, "level_percent")
    need, quota = max(worst["peak_mb"], worst["level_mb"]), worst["quota_mb"]
    return Finding(
        "warning",
        f"{_dynos(some['dyno'])} {_verb(some, 'warms', 'warm')} up and then {_verb(some, 'stays', 'stay')} at "
        f"{_span(some['level_mb'], 'MB', 0)}{_of_quota(some)}, {words.mb(need)} at the peak: it is more like "
        f"too little room than a leak.{_doubts(_least_sure(some), some)}",
        numbers=numbers_of(worst, "level_mb", "level_percent", "peak_mb", "quota_mb", "r14_count", "hours"),
        evidence=cite(worst["evidence"]),
        next_step=_make_room(need, quota),
        reference=BOOK,
        confidence=_least_sure(some)["confidence"],
        about=(some["start"].min(), some["end"].max()),
    )


def _slowing(some: pd.DataFrame, min_hours: float) -> Finding:
    longest = largest(some, "longest_h")
    return Finding(
        "note",
        f"{_dynos(some['dyno'])} {_verb(some, 'grows', 'grow')} ever more slowly to "
        f"{_span(some['level_mb'], 'MB', 0)}{_of_quota(some)} within {longest['longest_h']:.0f} h: more "
        "like a "
        "filling cache than a leak, but the end of it is not in the log."
        f"{_doubts(longest, some)}",
        numbers=numbers_of(longest, "level_mb", "level_percent", "slope_mb_per_h", "longest_h", "quota_mb"),
        evidence=cite(longest["evidence"]),
        next_step="Load a longer run without a deploy and ask again: a cache stops, a leak does not.",
        reference=BOOK,
        confidence="low",
        about=(some["start"].min(), some["end"].max()),
    )


def _sawtooth(some: pd.DataFrame, min_hours: float) -> Finding:
    return _ruled_out(
        f"{_dynos(some['dyno'])} {_verb(some, 'rises and falls', 'rise and fall')} as memory is collected "
        f"({_span(some['teeth_mb'], 'MB', 0)} within half an hour), the floor of "
        f"{_span(some['level_mb'], 'MB', 0)}"
        f"{_of_quota(some)} does not grow in {some['hours'].max():.0f} h and {_samples(some)}: no leak.",
        some,
    )


def _healthy(some: pd.DataFrame, min_hours: float) -> Finding:
    seen = max(float(some["slope_high"].max()), 0.1)
    return _ruled_out(
        f"{_dynos(some['dyno'])} {_verb(some, 'stays', 'stay')} at {_span(some['level_mb'], 'MB', 0)}"
        f"{_of_quota(some)} in {some['hours'].max():.0f} h and {_samples(some)}: no growth above "
        f"{seen:.1f} MB per "
        "hour.",
        some,
    )


def _ruled_out(title: str, some: pd.DataFrame) -> Finding:
    """Return a finding that there is no leak, with the least confidence of the dynos."""
    least = _least_sure(some)
    highest = largest(some, "level_mb")
    numbers = ("level_mb", "level_percent", "slope_mb_per_h", "slope_high", "quota_mb", "hours")
    return Finding(
        "ruled_out",
        title + _doubts(least, some),
        numbers=numbers_of(highest, *numbers) | {"samples": int(some["samples"].sum()), "dynos": len(some)},
        evidence=cite(highest["evidence"]),
        reference=BOOK,
        confidence=least["confidence"],
        about=(some["start"].min(), some["end"].max()),
    )


def _not_enough(some: pd.DataFrame, min_hours: float) -> Finding:
    longest = largest(some, "longest_h")
    whether = f"Whether {_dynos(some['dyno'])} {_verb(some, 'leaks', 'leak')} cannot be said: "
    if (some["samples"] == 0).all():
        why = "R14 and R15 lines show memory only above the quota, and there are no samples."
    else:
        why = (
            f"the longest run without a restart is {longest['longest_h']:.1f} h, and a leak can take "
            f"{min_hours:.0f} h "
            f"or more to show; {max(longest['needs_hours'], 0.1):.1f} h more are needed."
        )
    return Finding(
        "cannot_tell",
        whether + why,
        numbers=numbers_of(longest, "longest_h", "needs_hours", "samples", "r14_count", "peak_mb"),
        evidence=cite(longest["evidence"]),
        next_step=MORE_DATA,
        reference=BOOK,
        about=None if pd.isna(some["start"].min()) else (some["start"].min(), some["end"].max()),
    )


def _swings(some: pd.DataFrame, min_hours: float) -> Finding:
    """Return that memory rose and fell as in a day, and that growth cannot be told from it."""
    widest = largest(some, "longest_h")
    whose = f" of {widest['dyno']}" if len(some) > 1 else ""
    return Finding(
        "cannot_tell",
        f"Whether {_dynos(some['dyno'])} {_verb(some, 'leaks', 'leak')} cannot be said: {widest['against']}"
        f"{whose}; {widest['needs_hours']:.0f} h more are needed to tell a day's rhythm from growth.",
        numbers=numbers_of(widest, "longest_h", "needs_hours", "samples", "r14_count", "peak_mb"),
        evidence=cite(widest["evidence"]),
        next_step=MORE_DATA,
        reference=BOOK,
        about=(some["start"].min(), some["end"].max()),
    )


_SENTENCES: dict[str, Callable[[pd.DataFrame, float], Finding]] = {
    "leak": _leak,
    "grows": _grows,
    "steps": _steps,
    "too_large": _too_large,
    "full": _full,
    "slowing": _slowing,
    "plateau": _plateau,
    "sawtooth": _sawtooth,
    "healthy": _healthy,
    "swings": _swings,
    "not_enough_data": _not_enough,
}


def _verb(some: pd.DataFrame, one: str, many: str) -> str:
    return one if len(some) == 1 else many


def _dynos(names: pd.Series) -> str:
    """Return dynos as a person says them: web.1, web.2 and web.5, at most six by name."""
    shown = sorted((str(name) for name in names), key=_natural)
    if len(shown) > 6:
        return f"{', '.join(shown[:5])} and {len(shown) - 5} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _span(values: pd.Series, unit: str, decimals: int) -> str:
    low, high = f"{values.min():,.{decimals}f}", f"{values.max():,.{decimals}f}"
    return f"{low} {unit}" if low == high else f"{low}–{high} {unit}"


def _of_quota(some: pd.DataFrame) -> str:
    return (
        ""
        if some["level_percent"].isna().any()
        else f" ({_span(some['level_percent'], '%', 0)} of the quota)"
    )


def _samples(some: pd.DataFrame) -> str:
    return words.plural(int(some["samples"].sum()), "sample")


# ---- chart ----

MOST_PANELS = 8


def chart(rows: pd.DataFrame, *, marks: pd.DataFrame | None = None) -> alt.TopLevelMixin:
    """Return the floors of each dyno over time, with its limits, and a fitted line where it leaks."""
    import altair as alt

    drawn = rows[rows["floors"].map(lambda cell: cell is not None and not isinstance(cell, float))]
    if drawn.empty:
        return charts.empty("no memory samples in this window")
    order = drawn.assign(rank=drawn["verdict"].map(ORDER.index)).sort_values("rank", kind="stable")
    shown = order.head(MOST_PANELS)
    panels = [
        _panel(row, marks, "time (UTC)" if number == len(shown) else "", alone=len(shown) == 1)
        for number, (_, row) in enumerate(shown.iterrows(), 1)
    ]
    left_out = len(order) - len(shown)
    subtitle = "floor: 10 % quantile of each half hour; red: quota and, where near, the kill limit"
    if left_out:
        subtitle += f"; {left_out} more dynos are in the table"
    told = "; ".join(f"{row['dyno']}: {str(row['verdict']).replace('_', ' ')}" for _, row in shown.iterrows())
    stacked = alt.vconcat(*panels, spacing=12).resolve_scale(x="shared")
    return charts.theme(
        charts.describe(stacked, f"Memory by dyno over time. {told}."), "Memory by dyno", subtitle
    )


def _panel(row: pd.Series, marks: pd.DataFrame | None, title: str, *, alone: bool) -> Any:
    import altair as alt

    floors = pd.DataFrame(list(row["floors"]))
    floors["time"] = pd.to_datetime(floors["time"]).astype("datetime64[us]")
    verdict = str(row["verdict"])
    x = charts.time_axis("time", title)
    base = alt.Chart(floors)
    told = [charts.time_tooltip("time"), alt.Tooltip("mb:Q", title="memory floor (MB)", format=",.0f")]
    layers: list[Any] = [
        base.mark_circle(size=22, opacity=0.8, color=charts.COLOURS[verdict]).encode(
            x=x, y=alt.Y("mb:Q", title="memory (MB)", scale=alt.Scale(zero=True)), tooltip=told
        )
    ]
    if floors["fit_mb"].notna().any():
        for piece in _pieces(floors):
            fitted = alt.Chart(piece).mark_line(color=charts.INK, strokeDash=[6, 3])
            layers.append(fitted.encode(x=x, y="fit_mb:Q"))
    layers += _limit_lines(row, floors, title)
    layered = alt.layer(*layers).properties(
        height=220 if alone else 110,
        width=charts.WIDTH,
        title=alt.TitleParams(f"{row['dyno']}: {verdict.replace('_', ' ')}", fontSize=12),
    )
    own = marks
    if marks is not None and len(marks):
        own = marks[(marks["kind"] != "restart") | (marks["label"] == row["dyno"])]
    return charts.with_marks(layered, own, floors["time"], title)


def _pieces(floors: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Return the fitted line life by life: it falls only where a new life begins."""
    fitted = floors[floors["fit_mb"].notna()]
    lives = (fitted["fit_mb"].diff() < 0).cumsum()
    for _, piece in fitted.groupby(lives, sort=True):
        yield piece[["time", "fit_mb"]]


def _limit_lines(row: pd.Series, floors: pd.DataFrame, title: str) -> Iterator[Any]:
    """Return a rule and a label for the quota, and for the kill limit where memory came near it."""
    import altair as alt

    quota, kill = _missing(row["quota_mb"]), _missing(row["kill_mb"])
    killed = ", killed there" if kill == quota else ""
    known = [] if quota is None else [(quota, f"quota {words.mb(quota)}{killed}")]
    if kill is not None and kill != quota and row["peak_mb"] > 0.6 * kill:
        known.append((kill, f"killed at {words.mb(kill)}"))
    for value, label in known:
        line = alt.Chart(pd.DataFrame({"mb": [value], "label": [label], "time": [floors["time"].min()]}))
        yield line.mark_rule(color=charts.COLOURS["limit"], strokeWidth=1.5).encode(y="mb:Q")
        yield line.mark_text(align="left", baseline="bottom", dx=2, dy=-2, color=charts.INK).encode(
            x=charts.time_axis("time", title), y="mb:Q", text="label:N"
        )
