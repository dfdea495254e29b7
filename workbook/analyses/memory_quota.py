"""Which dynos used more memory than their quota, and which were killed?     (book ch. 3, "R14 & R15")

One row for each episode. ``kind``: *R14* holds R14 lines (and samples over the quota), *over_quota* samples
only, *R15* is a kill. An episode ends after ``gap_s`` without a report, at a restart, and at an R15. Lines
without a time make one episode for each dyno and file, with neither times nor minutes.
``minutes_over_quota`` counts at most a minute between two reports and is a lower bound: nobody knows how
long before the first and after the last one memory was over.

A dyno that was never over has one row too: *within_quota*, or *quota_unknown* where its quota is neither
sampled, nor listed by "heroku ps", nor printed; then ``line_count`` counts its samples and ``peak_mb`` is
the largest.

``typical_mb`` is the median of the reports, ``least_mb`` the dyno's smallest sample (NULL without samples).
``in_flight`` counts the requests of the dyno that were running at a kill and ended within 30 s; NULL where
the router log has no request of that dyno; ``in_flight_seen`` are the codes that their clients saw.
``jobs_lost`` counts the jobs that began in that life of the dyno and never ended (NULL where it logged no
job), ``jobs_lost_names`` at most five of their names. Memory is in MB, percentages are of the quota, as printed where
printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Bounds, Evidence, Finding, Query, cite, largest, numbers_of, times_of
from workbook.jobs import JOB_RUNS
from workbook.quota import EARLY, QUOTA_FACTS, kill_ratios_today, quota_mb, saved_searches, ways_out
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("dyno_errors", "dyno_samples"),)

SQL = f"""
WITH quotas AS (
    SELECT
        unnest($quota_dynos::VARCHAR[]) AS dyno,
        unnest($quota_sizes_mb::DOUBLE[]) AS quota_mb,
        unnest($quota_bases::VARCHAR[]) AS quota_basis
),
memory_samples AS NOT MATERIALIZED (
    SELECT source_id, line, time, dyno, boot, value AS memory_mb
    FROM dyno_samples
    WHERE metric = 'memory_total'
        AND value > 0
        AND coalesce(unit, 'MB') = 'MB'
        AND dyno IS NOT NULL
        AND in_window(time, $start, $end)
),
reports AS (
    SELECT source_id, line, time, dyno, code AS kind, memory_mb, memory_percent, memory_line
    FROM dyno_errors
    WHERE code IN ('R14', 'R15')
        AND dyno IS NOT NULL
        AND in_window(time, $start, $end)
    UNION ALL
    SELECT source_id, line, time, dyno, 'over_quota', memory_mb, 100 * memory_mb / quota_mb, line
    FROM memory_samples
    JOIN quotas USING (dyno)
    WHERE memory_mb > quota_mb
),
restarts AS (
    SELECT dyno, time
    FROM dyno_states
    WHERE time IS NOT NULL
        AND (
            to_state IN ('starting', 'down', 'crashed')
            OR event IN ('start', 'stop', 'exit', 'restart', 'cycle', 'idle')
        )
    UNION
    SELECT dyno, min(time)
    FROM memory_samples
    WHERE boot IS NOT NULL AND time IS NOT NULL
    GROUP BY dyno, boot
),
aged_reports AS (
    SELECT reports.*, restarts.time AS begin
    FROM reports
    ASOF LEFT JOIN restarts ON reports.dyno = restarts.dyno AND reports.time >= restarts.time
),
spaced_reports AS (
    SELECT
        *,
        CASE WHEN time IS NULL THEN source_id END AS untimed_source,
        (epoch_us(time) - epoch_us(lag(time) OVER one_dyno)) / 1e6 AS gap_s,
        begin IS DISTINCT FROM lag(begin) OVER one_dyno
            OR (kind = 'R15') IS DISTINCT FROM (lag(kind) OVER one_dyno = 'R15') AS changed
    FROM aged_reports
    WINDOW one_dyno AS (
        PARTITION BY dyno, time IS NULL, CASE WHEN time IS NULL THEN source_id END
        ORDER BY time, source_id, line
    )
),
numbered_reports AS (
    SELECT
        *,
        coalesce(changed OR gap_s > $gap_s, false) AS is_first,
        sum(is_first::INTEGER) OVER (
            PARTITION BY dyno, time IS NULL, untimed_source
            ORDER BY time, source_id, line
            ROWS UNBOUNDED PRECEDING
        ) AS episode
    FROM spaced_reports
),
episodes AS (
    SELECT
        dyno,
        CASE
            WHEN bool_or(kind = 'R15') THEN 'R15'
            WHEN bool_or(kind = 'R14') THEN 'R14'
            ELSE 'over_quota'
        END AS kind,
        min(time) AS start,
        max(time) AS finish,
        max(memory_mb) AS peak_mb,
        max(memory_percent) AS peak_percent,
        median(memory_mb) AS typical_mb,
        CASE
            WHEN bool_or(kind = 'R15') OR min(time) IS NULL THEN NULL
            ELSE coalesce(sum(least(gap_s, 60)) FILTER (NOT is_first), 0) / 60
        END AS minutes_over_quota,
        count(*) AS line_count,
        [
            arg_max(
                struct_pack(source_id := source_id, line := memory_line),
                row(kind <> 'over_quota', coalesce(memory_mb, -1), -source_id, -line)
            ),
            arg_min(struct_pack(source_id, line), row(time, source_id, line)),
            arg_max(struct_pack(source_id, line), row(time, source_id, line))
        ] AS evidence
    FROM numbered_reports
    GROUP BY dyno, time IS NULL, untimed_source, episode
),
running_requests AS (
    SELECT
        source_id,
        line,
        time,
        dyno,
        status,
        code,
        coalesce(status >= 500, false) AS failed,
        time - to_microseconds((coalesce(connect_ms, 0) + service_ms) * 1000) AS started
    FROM requests
    WHERE dyno IN (SELECT dyno FROM episodes WHERE kind = 'R15')
        AND service_ms >= 0
        AND coalesce(status, 200) <> 101
),
in_flight AS (
    SELECT
        episodes.dyno,
        episodes.start,
        count(*) AS in_flight,
        count(*) FILTER (failed) AS in_flight_failed,
        array_to_string(
            list_sort(list(DISTINCT coalesce(code, status::VARCHAR)) FILTER (failed)), ', '
        ) AS in_flight_seen,
        list(
            struct_pack(source_id := running.source_id, line := running.line)
            ORDER BY running.time, running.source_id, running.line
        )[1:3] AS in_flight_evidence
    FROM episodes
    JOIN running_requests AS running
        ON running.dyno = episodes.dyno
        AND running.started <= episodes.start
        AND running.time BETWEEN episodes.start - INTERVAL 1 SECOND AND episodes.finish + INTERVAL 30 SECONDS
    WHERE episodes.kind = 'R15'
    GROUP BY ALL
),
{JOB_RUNS},
begun_lives AS (
    SELECT episodes.dyno, episodes.start, max(restarts.time) AS begin
    FROM episodes
    LEFT JOIN restarts ON restarts.dyno = episodes.dyno AND restarts.time < episodes.start
    WHERE episodes.kind = 'R15'
    GROUP BY episodes.dyno, episodes.start
),
-- a job that began in this life of the dyno and has no end was running when the dyno was killed
lost_jobs AS (
    SELECT
        begun_lives.dyno,
        begun_lives.start,
        count(*) FILTER (ended IS NULL) AS jobs_lost,
        list_sort(list(DISTINCT name) FILTER (ended IS NULL))[1:5] AS jobs_lost_names,
        list(struct_pack(source_id := source_id, line := line) ORDER BY started, source_id, line)
            FILTER (ended IS NULL)[1:3] AS jobs_lost_evidence
    FROM begun_lives
    JOIN job_runs
        ON job_runs.dyno = begun_lives.dyno
        AND job_runs.started <= begun_lives.start
        AND job_runs.started >= coalesce(begun_lives.begin, job_runs.started)
    GROUP BY begun_lives.dyno, begun_lives.start
),
least AS (
    SELECT dyno, min(memory_mb) AS least_mb
    FROM memory_samples
    GROUP BY dyno
),
routed_dynos AS (
    SELECT DISTINCT dyno
    FROM running_requests
),
lost_lines AS (
    SELECT DISTINCT episodes.dyno, episodes.start
    FROM episodes
    JOIN log_errors
        ON log_errors.code IN ('L10', 'L11', 'L12', 'L13')
        AND log_errors.time >= episodes.start - to_seconds($gap_s)
        AND log_errors.time <= episodes.finish + to_seconds($gap_s)
),
calm_dynos AS (
    SELECT
        dyno,
        CASE WHEN any_value(quota_mb) IS NULL THEN 'quota_unknown' ELSE 'within_quota' END AS kind,
        min(time) AS start,
        max(time) AS finish,
        max(memory_mb) AS peak_mb,
        100 * max(memory_mb) / any_value(quota_mb) AS peak_percent,
        median(memory_mb) AS typical_mb,
        CASE WHEN any_value(quota_mb) IS NULL THEN NULL ELSE 0.0 END AS minutes_over_quota,
        count(*) AS line_count,
        [arg_max(struct_pack(source_id, line), row(coalesce(memory_mb, -1), -source_id, -line))] AS evidence
    FROM memory_samples
    LEFT JOIN quotas USING (dyno)
    WHERE dyno NOT IN (SELECT dyno FROM episodes)
    GROUP BY dyno
),
all_rows AS (
    SELECT * FROM episodes
    UNION ALL
    SELECT * FROM calm_dynos
)
SELECT
    split_part(all_rows.dyno, '.', 1) AS process,
    all_rows.dyno,
    all_rows.kind,
    all_rows.start,
    all_rows.finish AS "end",
    all_rows.peak_mb,
    all_rows.peak_percent,
    all_rows.typical_mb,
    least.least_mb,
    all_rows.minutes_over_quota,
    all_rows.line_count,
    quotas.quota_mb,
    quotas.quota_basis,
    CASE
        WHEN all_rows.kind = 'R15' AND all_rows.dyno IN (SELECT dyno FROM routed_dynos)
            THEN coalesce(in_flight.in_flight, 0)
    END AS in_flight,
    CASE WHEN all_rows.kind = 'R15' THEN in_flight.in_flight_failed END AS in_flight_failed,
    CASE WHEN all_rows.kind = 'R15' THEN nullif(in_flight.in_flight_seen, '') END AS in_flight_seen,
    CASE WHEN all_rows.kind = 'R15' THEN lost_jobs.jobs_lost END AS jobs_lost,
    CASE WHEN all_rows.kind = 'R15' THEN coalesce(lost_jobs.jobs_lost_names, []) ELSE [] END AS jobs_lost_names,
    lost_lines.dyno IS NOT NULL AS lines_lost,
    list_concat(
        all_rows.evidence,
        coalesce(in_flight.in_flight_evidence, []),
        CASE WHEN all_rows.kind = 'R15' THEN coalesce(lost_jobs.jobs_lost_evidence, []) ELSE [] END
    ) AS evidence
FROM all_rows
LEFT JOIN quotas USING (dyno)
LEFT JOIN least USING (dyno)
LEFT JOIN lost_jobs
    ON all_rows.kind = 'R15' AND lost_jobs.dyno = all_rows.dyno AND lost_jobs.start = all_rows.start
LEFT JOIN in_flight
    ON all_rows.kind = 'R15' AND in_flight.dyno = all_rows.dyno AND in_flight.start = all_rows.start
LEFT JOIN lost_lines
    ON lost_lines.dyno = all_rows.dyno AND lost_lines.start = all_rows.start
ORDER BY process, all_rows.dyno, all_rows.start NULLS LAST, all_rows.kind, all_rows.evidence
"""

OVER = ("R14", "over_quota")


def rows(
    query: Query, window: Window, *, gap_s: Annotated[int, Bounds(30, 3_600)] = limits.R14_GAP_S
) -> pd.DataFrame:
    """Return the episodes over quota and the kills, and one row for each dyno that was never over (UTC,
    MB, min)."""
    ends = {"start": window.start, "end": window.end}
    dynos, sizes, bases = [], [], []
    for fact in query(QUOTA_FACTS, **ends).to_dict("records"):
        sample, size = _known(fact["sample_quota_mb"]), _known(fact["size"])
        quota, basis = quota_mb(sample, size, _pairs(fact["pairs"]))
        if quota is not None:
            dynos.append(fact["dyno"])
            sizes.append(quota)
            bases.append(basis)
    return query(SQL, quota_dynos=dynos, quota_sizes_mb=sizes, quota_bases=bases, gap_s=gap_s, **ends)


def _known(value: Any) -> Any:
    return None if words.missing(value) else value


def _pairs(cell: Any) -> list[Any]:
    return [] if cell is None or isinstance(cell, float) else list(cell)


# ---- findings ----

BOOK = "book ch. 3"
R14_STEP = (
    "A dyno over its quota swaps and gets slow, which ends in H12. Run memory_trend: it says whether "
    "memory grows "
    "(a leak) or is too large from the start. A job that loads much at once needs pages or batches, a "
    "larger dyno, "
    "or two or more workers."
)
CONSTANT_STEP = (
    "A process that is over its quota all the time needs more room or less work at once (book ch. 3); first ask "
    "memory_trend whether it leaks, since a leak fills any dyno."
)
R15_STEP = (
    "Look at what the dyno was doing in the minutes before: R15 is almost always a leak or one action that "
    "loads too "
    "much. memory_trend says whether it grew slowly; the app's own lines before the kill name the action. "
    "A job that "
    "it ran was lost: run it again."
)
NEEDS_METRICS = (
    "Enable log-runtime-metrics (memory_total and memory_quota every 20 s), or load the platform's lines "
    "of the dynos."
)


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return kills, then episodes over quota, then what was ruled out, then what cannot be told."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "How near the dynos came to their memory quota cannot be said: no R14, no R15 and no "
                "memory sample "
                "lies in this window.",
                next_step=NEEDS_METRICS,
                reference=BOOK,
            )
        ]
    kills, over = rows[rows["kind"] == "R15"], rows[rows["kind"].isin(OVER)]
    found = [_killed(some) for _, some in kills.groupby("process", sort=True)]
    found += [_over(some) for _, some in over.groupby("process", sort=True)]
    if len(kills):
        found.append(_kill_limit(kills))
    within, unknown = rows[rows["kind"] == "within_quota"], rows[rows["kind"] == "quota_unknown"]
    if len(within):
        found.append(_within(within, others_were_over=len(kills) + len(over) > 0))
    if len(unknown):
        found.append(_unknown(unknown))
    return found


def _killed(some: pd.DataFrame) -> Finding:
    worst = largest(some, "peak_percent")
    when = f" at {words.time(worst['start'])} UTC" if pd.notna(worst["start"]) else ""
    title = f"{worst['dyno']} was killed for its memory (R15){when}{_with_memory(worst)}"
    if pd.notna(worst["in_flight"]) and worst["in_flight"] > 0:
        title += f", with {words.plural(int(worst['in_flight']), 'request')} in flight"
        if not words.missing(worst["in_flight_seen"]):
            title += f" (clients saw {worst['in_flight_seen']})"
    title += "."
    lost = _jobs_lost(some)
    if len(some) > 1:
        title += f" {words.plural(len(some), 'kill')} of {_dynos(some)} in all."
    numbers = numbers_of(worst, "peak_mb", "peak_percent", "quota_mb", "in_flight") | {"kills": len(some)}
    if some["jobs_lost"].notna().any():
        numbers["jobs_lost"] = int(some["jobs_lost"].sum())
    return Finding(
        "critical",
        title + lost,
        numbers=numbers,
        evidence=_evidence(worst, some),
        next_step=f"{R15_STEP} {saved_searches(str(worst['process']), 'R15')}",
        reference=BOOK,
        confidence="high",
        about=times_of(some, "start", "end"),
    )


def _jobs_lost(some: pd.DataFrame) -> str:
    """Return which jobs began and never ended before the kills; nothing where none is known."""
    if not some["jobs_lost"].fillna(0).sum():
        return ""
    names = sorted({words.visible(str(one), True) for cell in some["jobs_lost_names"] for one in cell})
    many = int(some["jobs_lost"].sum())
    was = "job was" if many == 1 else "jobs were"
    return f" {many:,} {was} started and never ended before: {', '.join(names[:5])}."


def _with_memory(row: pd.Series) -> str:
    if pd.isna(row["peak_mb"]):
        return ""
    percent = "" if pd.isna(row["peak_percent"]) else f", {row['peak_percent']:.1f} % of its quota"
    quota = "" if pd.isna(row["quota_mb"]) else f" of {words.mb(row['quota_mb'])}"
    return f" with {words.mb(row['peak_mb'])}{percent}{quota if percent else ''}"


def _over(some: pd.DataFrame) -> Finding:
    worst = largest(some, "peak_mb")
    episodes, logged = len(some), int((some["kind"] == "R14").sum())
    reports = int(some["line_count"].sum())
    minutes = some["minutes_over_quota"].sum() if some["minutes_over_quota"].notna().any() else None
    numbers = numbers_of(worst, "peak_mb", "peak_percent", "quota_mb")
    numbers |= {"episodes": episodes, "r14_episodes": logged, "reports": reports}
    title = f"{_dynos(some)} {'was' if some['dyno'].nunique() == 1 else 'were'} over the memory quota"
    if pd.notna(worst["quota_mb"]):
        title += f" of {words.mb(worst['quota_mb'])}"
    if minutes is not None:
        numbers["minutes_over_quota"] = round(float(minutes), 2)
        lasted = f" for at least {_minutes(minutes)}" if minutes * 60 >= 0.5 else ""
        title += f"{lasted} in {words.plural(episodes, 'episode')}"
    if pd.notna(worst["peak_mb"]):
        percent = "" if pd.isna(worst["peak_percent"]) else f" ({worst['peak_percent']:.1f} %)"
        title += f", at most {words.mb(worst['peak_mb'])}{percent}"
    title += f"; {words.plural(reports, 'report')}, {_r14(logged, episodes)}."
    if some["lines_lost"].any():
        title += " Log lines were lost meanwhile: it may have been longer."
    share = _constant_share(some)
    step = R14_STEP
    if share is not None and pd.notna(worst["quota_mb"]) and pd.notna(worst["peak_mb"]):
        title += f" That is {words.share(share)} of the time between the first and the last report: it is constant."
        numbers["over_share"] = round(share, 3)
        least = some["least_mb"].min()
        base = None if pd.isna(least) else float(least)
        step = f"{CONSTANT_STEP} {ways_out(float(worst['peak_mb']), float(worst['quota_mb']), base)}"
    return Finding(
        "warning",
        title,
        numbers=numbers,
        evidence=_evidence(worst, some),
        next_step=f"{step} {saved_searches(str(worst['process']), 'R14')}",
        reference=BOOK,
        confidence="high",
        about=times_of(some, "start", "end"),
    )


def _constant_share(some: pd.DataFrame) -> float | None:
    """Return the share of time over quota of the dyno that was over longest; None unless an hour and half of it."""
    timed = some[some["start"].notna() & some["minutes_over_quota"].notna()]
    best: float | None = None
    for _, one in timed.groupby("dyno", sort=True):
        minutes = float(one["minutes_over_quota"].sum())
        span = (one["end"].max() - one["start"].min()).total_seconds() / 60
        if minutes >= limits.CONSTANT_MINUTES and minutes >= limits.CONSTANT_SHARE * span:
            best = max(best or 0.0, min(minutes / span, 1.0))
    return best


def _r14(logged: int, episodes: int) -> str:
    """Return in how many of the episodes the platform logged R14; the others are known from samples."""
    if logged == 0:
        return "no R14 line"
    if logged < episodes:
        return f"R14 lines in {logged} of {episodes} episodes"
    return "with R14 lines" if episodes == 1 else "with R14 lines in each episode"


def _kill_limit(kills: pd.DataFrame) -> Finding:
    """Return what the book says of the kill limit, and what the lines and the platform say."""
    worst = largest(kills, "peak_percent")
    seen = "" if pd.isna(worst["peak_percent"]) else f"; this kill came at {worst['peak_percent']:.1f} %"
    quota = _known(worst["quota_mb"])
    size = quota or float(limits.DYNO_TYPES[0].quota_mb)
    today = " or ".join(words.share(one) for one in sorted(kill_ratios_today(size)))
    today += " (by dyno type)" if len(kill_ratios_today(size)) > 1 else ""
    early = words.share(limits.kill_ratio(size, EARLY))
    of_which = "most dyno types" if quota is None else f"a quota of {words.mb(quota)}"
    return Finding(
        "note",
        f"The book says a dyno is killed (R15) at 300 % of its quota{seen}. Lines of 2013 show kills "
        f"near {early}, today's platform documents {today} for {of_which}: read the R15 line, "
        "do not compute it.",
        numbers=numbers_of(worst, "peak_percent", "quota_mb"),
        evidence=cite(worst["evidence"]),
        reference="book ch. 3; Dev Center, dyno types",
    )


def _within(some: pd.DataFrame, *, others_were_over: bool) -> Finding:
    highest = largest(some, "peak_percent")
    samples = int(some["line_count"].sum())
    near = highest["peak_percent"] >= limits.HIGH_LEVEL_PERCENT
    numbers = numbers_of(highest, "peak_mb", "peak_percent", "quota_mb") | {
        "samples": samples,
        "dynos": len(some),
    }
    return Finding(
        "note" if near else "ruled_out",
        f"No {'other ' if others_were_over else ''}dyno came over {np.ceil(highest['peak_percent']):.0f} % "
        "of its memory "
        f"quota ({highest['dyno']}, {words.mb(highest['peak_mb'])}) in {words.plural(samples, 'sample')} of "
        f"{words.plural(len(some), 'dyno')}.",
        numbers=numbers,
        evidence=cite(highest["evidence"]),
        next_step="Run memory_trend: a dyno this near its quota may be growing." if near else "",
        reference=BOOK,
        confidence="high",
        about=times_of(some, "start", "end"),
    )


def _unknown(some: pd.DataFrame) -> Finding:
    highest = largest(some, "peak_mb")
    samples = int(some["line_count"].sum())
    return Finding(
        "cannot_tell",
        f"Whether {_dynos(some)} came near the memory quota cannot be said: the quota is not known. The "
        "highest of "
        f"{words.plural(samples, 'sample')} is {words.mb(highest['peak_mb'])} ({highest['dyno']}).",
        numbers=numbers_of(highest, "peak_mb") | {"samples": samples, "dynos": len(some)},
        evidence=cite(highest["evidence"]),
        next_step="Save what “heroku ps” prints to a file and load it: it names the dyno type.",
        reference=BOOK,
        about=times_of(some, "start", "end"),
    )


def _minutes(minutes: float) -> str:
    if minutes < 1:
        return f"{minutes * 60:.0f} s"
    return f"{minutes:,.0f} min" if minutes >= 10 else f"{minutes:.1f} min"


def _evidence(worst: pd.Series, some: pd.DataFrame) -> tuple[Evidence, ...]:
    """Return the lines of the worst episode, then the first line of the others: five in all."""
    cited = [*cite(worst["evidence"]), *(one for cell in some["evidence"] for one in cite(cell)[:1])]
    return tuple(dict.fromkeys(cited))[:5]


def _dynos(some: pd.DataFrame) -> str:
    names = list(dict.fromkeys(some["dyno"].astype(str)))
    if len(names) > 6:
        return f"{', '.join(names[:5])} and {len(names) - 5} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# ---- chart ----

_COLOURS = {"R15": "critical", "R14": "warning", "over_quota": "note"}


def chart(rows: pd.DataFrame, *, marks: pd.DataFrame | None = None) -> alt.TopLevelMixin:
    """Return the episodes of each dyno over time: bars from first to last report, kills as crosses."""
    import altair as alt

    episodes = rows[rows["kind"].isin(_COLOURS)]
    if episodes.empty:
        return charts.empty("no dyno was over its quota" if len(rows) else "no memory lines in this window")
    timed, cut = charts.most(episodes[episodes["start"].notna()], by="peak_mb")
    if timed.empty:
        return charts.empty("the R14 and R15 lines carry no time")
    shown = timed.drop(columns=["evidence"])
    kinds = [kind for kind in _COLOURS if kind in set(shown["kind"])]
    colour = alt.Color(
        "kind:N",
        title="kind",
        scale=alt.Scale(domain=kinds, range=[charts.COLOURS[_COLOURS[kind]] for kind in kinds]),
    )
    told = [
        alt.Tooltip("dyno:N"),
        alt.Tooltip("kind:N"),
        charts.time_tooltip("start", "start (UTC)"),
        charts.time_tooltip("end", "end (UTC)"),
        alt.Tooltip("peak_mb:Q", title="peak (MB)", format=",.0f"),
        alt.Tooltip("peak_percent:Q", title="peak (% of quota)", format=".1f"),
        alt.Tooltip("minutes_over_quota:Q", title="over quota (min)", format=".1f"),
    ]
    y = alt.Y("dyno:N", title="dyno")
    bars = (
        alt.Chart(shown)
        .mark_rule(strokeWidth=8)
        .encode(x=charts.time_axis("start"), x2="end:T", y=y, color=colour, tooltip=told)
    )
    points = (
        alt.Chart(shown)
        .mark_point(filled=True, size=70)
        .encode(
            x=charts.time_axis("start"),
            y=y,
            color=colour,
            shape=alt.Shape("kind:N", title="kind", scale=alt.Scale(domain=kinds, range=_shapes(kinds))),
            tooltip=told,
        )
    )
    layered = alt.layer(bars, points).properties(
        width=charts.WIDTH, height=max(80, 28 * min(int(shown["dyno"].nunique()), 30))
    )
    drawn = charts.with_marks(layered, marks, pd.concat([shown["start"], shown["end"]]))
    said = f"Time over the memory quota: {words.plural(len(shown), 'episode')} of {_dynos(timed)}."
    subtitle = "from the first to the last report over the quota; cross: killed (R15)"
    if cut:
        subtitle += f"; the {len(shown):,} highest of {len(episodes):,}"
    return charts.theme(charts.describe(drawn, said), "Memory over quota", subtitle)


def _shapes(kinds: list[str]) -> list[str]:
    return ["cross" if kind == "R15" else "circle" for kind in kinds]
