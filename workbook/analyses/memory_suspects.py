"""Which routes or jobs make memory grow?     (book ch. 3, "R14 & R15")

One row for each route, job or action of a process that ran often enough, those that explain most growth first.
Memory is reduced to what is *kept*: the least of the next hour (rss + swap; memory_total where those are missing), so
that what a request takes and gives back does not count. Its growth in each ``bin_minutes`` of a dyno's life is compared
with what ran there on that dyno meanwhile (``workbook.suspects``); the first hour of a life is left out.

Columns: ``process``; ``kind``: route, job, action (of the application's log, where no router log names
dynos) or oink (per process of the dyno, from Oink's own lines); ``name``; ``verdict``: *suspect* goes with
growth beyond chance; *cannot_separate* does so too, but ``stand_ins`` run beside it and explain it as well;
*always_there* runs in nearly every span, so that no time without it can be compared; *no_excess*; ``runs``;
``mb_per_1000``, ``mb_per_1000_low``, ``mb_per_1000_high``: growth in MB for 1,000 runs and its 95 %
interval; ``explained_mb``; ``growth_mb``: of the process, all dynos; ``late_mb_per_h``: its growth after six
hours of a life (NULL: no such time); ``busy_growth_mb``: growth in the spans in which it ran more than it
mostly does; ``chance_growth_mb``: the same in shifted time; ``excess_mb``: their difference; ``p``: that the
best of all names is as close by chance; ``present_share``: of the spans, 0 to 1; ``bytes_better``: share of
resamples in which the size of its responses goes with growth more closely than their number (NULL but for
suspects); ``spans``, ``hours``, ``dynos``; ``jump_mb``, ``jump_time``, ``jump_dyno``: the largest kept
growth within a span; ``jump_runs``: its runs then; ``command``: how to repeat it locally; ``start``, ``end``
(UTC); ``evidence``: lines of its runs in the spans of the largest growth.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd

from workbook import charts, limits, suspects, words
from workbook.analysis import Bounds, Finding, Query, cite, numbers_of, times_of
from workbook.jobs import JOB_RUNS
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("dyno_samples", "app_memory"),)
BOOK = "book ch. 3"
MOST_NAMES = 200
"""Names that are tried for each process, the most frequent first."""
ALWAYS_SHARE = 0.95
"""In so many of the spans a route is always there."""
LATE_H = 6.0
"""Warm-up is mostly over after so many hours."""
FALL = 0.75
"""A fall to less of it within a minute is a restart where the log names none."""

SQL = f"""
WITH minutes AS (
    SELECT
        dyno,
        boot,
        time_bucket(INTERVAL 1 MINUTE, time) AS minute,
        coalesce(
            avg(value) FILTER (metric = 'memory_rss') + avg(value) FILTER (metric = 'memory_swap'),
            avg(value) FILTER (metric = 'memory_total')
        ) AS used_mb
    FROM dyno_samples
    WHERE metric IN ('memory_total', 'memory_rss', 'memory_swap')
        AND coalesce(unit, 'MB') = 'MB'
        AND dyno IS NOT NULL
        AND time IS NOT NULL
        AND in_window(time, $start, $end)
    GROUP BY dyno, boot, minute
    HAVING used_mb > 0
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
    SELECT dyno, minute
    FROM minutes
    WHERE boot IS NULL
    QUALIFY
        used_mb < $fall * lag(used_mb) OVER (PARTITION BY dyno ORDER BY minute)
        OR minute > lag(minute) OVER (PARTITION BY dyno ORDER BY minute) + INTERVAL 1 HOUR
),
lives AS (
    SELECT
        minutes.*,
        min(minute) OVER (PARTITION BY minutes.dyno, minutes.boot, restarts.time) AS begin
    FROM minutes
    ASOF LEFT JOIN restarts ON minutes.dyno = restarts.dyno AND minutes.minute >= restarts.time
),
kept AS (
    SELECT
        dyno,
        boot,
        begin,
        minute,
        min(used_mb) OVER (
            PARTITION BY dyno, boot, begin
            ORDER BY minute
            RANGE BETWEEN CURRENT ROW AND INTERVAL 59 MINUTES FOLLOWING
        ) AS kept_mb
    FROM lives
),
span_begins AS (
    SELECT
        dyno,
        boot,
        begin,
        epoch(minute)::BIGINT // ($bin_minutes * 60) AS span,
        arg_min(kept_mb, minute) AS kept_mb
    FROM kept
    WHERE minute >= begin + to_minutes($warm_up_minutes)
    GROUP BY ALL
    HAVING epoch(min(minute))::BIGINT % ($bin_minutes * 60) <= 120
),
growths AS (
    SELECT
        dyno,
        span,
        (epoch(make_timestamp(span * $bin_minutes * 60_000_000)) - epoch(begin)) / 3600 AS uptime_h,
        lead(kept_mb) OVER (PARTITION BY dyno, boot, begin ORDER BY span) - kept_mb AS growth_mb
    FROM span_begins
    QUALIFY span + 1 = lead(span) OVER (PARTITION BY dyno, boot, begin ORDER BY span)
),
{JOB_RUNS},
runs AS (
    SELECT
        source_id,
        line,
        dyno,
        'route' AS kind,
        concat_ws(' ', method, route) AS name,
        time - to_milliseconds(coalesce(connect_ms, 0) + service_ms) AS started,
        time AS ended,
        bytes
    FROM requests
    WHERE service_ms >= 0
        AND route IS NOT NULL
        AND time IS NOT NULL
        AND coalesce(status, 200) <> 101
        AND dyno IN (SELECT dyno FROM growths)
        AND in_window(time, $start, $end)
    UNION ALL
    SELECT
        source_id,
        line,
        dyno,
        'action' AS kind,
        coalesce(controller || '#' || action, concat_ws(' ', method, route_of(path))) AS name,
        time - to_microseconds((1000 * duration_ms)::BIGINT) AS started,
        time AS ended,
        NULL AS bytes
    FROM app_requests
    WHERE duration_ms >= 0
        AND time IS NOT NULL
        AND dyno IN (SELECT dyno FROM growths)
        AND dyno NOT IN (SELECT dyno FROM requests WHERE dyno IS NOT NULL)
        AND in_window(time, $start, $end)
    UNION ALL
    SELECT source_id, line, dyno, 'job' AS kind, name, started, coalesce(ended, started), NULL
    FROM job_runs
    WHERE dyno IN (SELECT dyno FROM growths)
),
placed AS (
    SELECT
        *,
        unnest(range(
            epoch(started)::BIGINT // ($bin_minutes * 60),
            epoch(ended)::BIGINT // ($bin_minutes * 60) + 1
        )) AS span,
        greatest(epoch(ended) - epoch(started), 0.001) AS length_s
    FROM runs
),
counted AS (
    SELECT
        dyno,
        span,
        kind,
        name,
        sum(
            greatest(
                least(epoch(started) + length_s, (span + 1) * $bin_minutes * 60)
                - greatest(epoch(started), span * $bin_minutes * 60),
                0
            ) / length_s
        ) AS runs,
        sum(bytes) / 1e6 AS response_mb,
        min(struct_pack(source_id, line)) AS cited
    FROM placed
    WHERE name <> ''
    GROUP BY ALL
)
SELECT
    split_part(growths.dyno, '.', 1) AS process,
    growths.dyno,
    growths.span,
    make_timestamp(growths.span * $bin_minutes * 60_000_000) AS time,
    growths.uptime_h,
    growths.growth_mb,
    counted.kind,
    counted.name,
    counted.runs,
    counted.response_mb,
    counted.cited
FROM growths
LEFT JOIN counted USING (dyno, span)
ORDER BY process, growths.dyno, growths.span, counted.kind, counted.name
"""

OINK = """
WITH restarts AS (
    SELECT dyno, time
    FROM dyno_states
    WHERE time IS NOT NULL
        AND (to_state IN ('starting', 'down', 'crashed') OR event IN ('start', 'stop', 'exit', 'restart', 'cycle'))
),
lives AS (
    SELECT memory.*, restarts.time AS begin
    FROM app_memory AS memory
    ASOF LEFT JOIN restarts ON memory.dyno = restarts.dyno AND memory.time >= restarts.time
    WHERE memory.memory_mb > 0
        AND in_window(memory.time, $start, $end)
),
entries AS (
    SELECT
        *,
        memory_mb - lag(memory_mb) OVER one_process AS growth_mb,
        memory_mb < $fall * lag(memory_mb) OVER one_process AS is_new
    FROM lives
    WINDOW one_process AS (PARTITION BY dyno, pid, begin ORDER BY time, source_id, line)
)
SELECT
    split_part(dyno, '.', 1) AS process,
    dyno,
    concat_ws('/', dyno, pid, begin) AS one_process,
    time,
    action AS name,
    growth_mb,
    struct_pack(source_id, line) AS cited
FROM entries
WHERE growth_mb IS NOT NULL
    AND NOT is_new
    AND action IS NOT NULL
ORDER BY process, dyno, one_process, time, source_id, line
"""

COLUMNS = (
    "process",
    "kind",
    "name",
    "verdict",
    "runs",
    "mb_per_1000",
    "mb_per_1000_low",
    "mb_per_1000_high",
    "explained_mb",
    "growth_mb",
    "late_mb_per_h",
    "busy_growth_mb",
    "chance_growth_mb",
    "excess_mb",
    "p",
    "present_share",
    "bytes_better",
    "stand_ins",
    "spans",
    "hours",
    "dynos",
    "jump_mb",
    "jump_time",
    "jump_dyno",
    "jump_runs",
    "command",
    "start",
    "end",
    "evidence",
)


def rows(
    query: Query,
    window: Window,
    *,
    bin_minutes: Annotated[int, Bounds(5, 60)] = 10,
    warm_up_minutes: Annotated[int, Bounds(0, 720)] = limits.SUSPECT_WARM_UP_MINUTES,
) -> pd.DataFrame:
    """Return one row for each route, job and action (see COLUMNS; MB, h, UTC), the most growth explained first."""
    ends = {"start": window.start, "end": window.end, "fall": FALL}
    entries = query(OINK, **ends)
    spans = query(SQL, bin_minutes=bin_minutes, warm_up_minutes=warm_up_minutes, **ends)
    found: list[dict[str, Any]] = []
    for process, some in spans.groupby("process", sort=True):
        found += _by_spans(str(process), some, bin_minutes)
    for process, some in entries.groupby("process", sort=True):
        found += _by_entries(str(process), some)
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    frame = frame.assign(**{name: frame[name].round(4) for name in frame.select_dtypes("float").columns})
    for column in ("start", "end", "jump_time"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[us]")
    order = frame.assign(
        rank=frame["verdict"].map(VERDICTS.index),
        most=-frame["explained_mb"].where(frame["verdict"].isin(VERDICTS[:2]), 0).astype(float),
        often=-frame["runs"].astype(float),
    )
    order = order.sort_values(["process", "rank", "most", "often", "kind", "name"], kind="stable")
    return order[list(COLUMNS)].reset_index(drop=True)


VERDICTS = ("suspect", "cannot_separate", "always_there", "no_excess")


@dataclass(frozen=True)
class _Observed:
    """Growth in MB of each step, its series and time, and a table of runs (steps x names)."""

    growth: np.ndarray
    series: np.ndarray
    runs: np.ndarray
    names: list[tuple[str, str]]


def _by_spans(process: str, some: pd.DataFrame, bin_minutes: int) -> list[dict[str, Any]]:
    """Return the rows of one process from spans of time."""
    steps = some.drop_duplicates(["dyno", "span"])[
        ["dyno", "span", "time", "uptime_h", "growth_mb"]
    ].reset_index(drop=True)
    sizes = steps["dyno"].map(steps["dyno"].value_counts())
    steps = steps[sizes > 2 * suspects.LEAST_SHIFT].reset_index(drop=True)
    named = some[some["name"].notna()].merge(
        steps.reset_index(names="step")[["dyno", "span", "step"]], on=["dyno", "span"]
    )
    totals = named.groupby(["kind", "name"], sort=True)["runs"].sum()
    totals = totals[totals >= limits.SUSPECT_RUNS].sort_values(ascending=False, kind="stable")[:MOST_NAMES]
    if totals.empty:
        return []
    names = sorted(totals.index)
    place = {name: number for number, name in enumerate(names)}
    named = named[[pair in place for pair in zip(named["kind"], named["name"], strict=True)]]
    columns = [place[pair] for pair in zip(named["kind"], named["name"], strict=True)]
    runs = np.zeros((len(steps), len(names)))
    runs[named["step"], columns] = named["runs"]
    responses = np.zeros_like(runs)
    responses[named["step"], columns] = named["response_mb"].fillna(0)
    series = np.asarray(steps["dyno"].astype("category").cat.codes, dtype=np.int64)
    growth = steps["growth_mb"].to_numpy(float)
    about = {
        "process": process,
        "growth_mb": float(growth.sum()),
        "spans": len(steps),
        "hours": len(steps) * bin_minutes / 60,
        "dynos": int(steps["dyno"].nunique()),
        "start": steps["time"].min(),
        "end": steps["time"].max() + pd.Timedelta(minutes=bin_minutes),
    }
    late = steps["uptime_h"] >= LATE_H
    about["late_mb_per_h"] = 60 / bin_minutes * float(growth[late].mean()) if late.any() else None
    jump = int(np.argmax(growth))
    about |= {
        "jump_mb": float(growth[jump]),
        "jump_time": steps["time"].iloc[jump],
        "jump_dyno": steps["dyno"].iloc[jump],
    }
    grew = named.assign(growth=growth[named["step"]], column=columns).sort_values(
        ["growth", "step"], ascending=[False, True], kind="stable"
    )
    cited = {
        number: list(grew.loc[grew["column"] == number, "cited"].head(5)) for number in range(len(names))
    }
    judged = _judged(_Observed(growth, series, runs, names), about, cited)
    for number, row in enumerate(judged):
        row["jump_runs"] = float(runs[jump, number])
        if row["verdict"] in VERDICTS[:2] and responses[:, number].any():
            row["bytes_better"] = suspects.better_by(growth, responses[:, number], runs[:, number], series)
    return judged


def _by_entries(process: str, some: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of one process from the entries of its own processes (Oink): each entry is a step."""
    sizes = some["one_process"].map(some["one_process"].value_counts())
    steps = some[sizes > 2 * suspects.LEAST_SHIFT].reset_index(drop=True)
    totals = steps["name"].value_counts()
    names = sorted(totals[totals >= limits.SUSPECT_RUNS].index)[:MOST_NAMES]
    if not names:
        return []
    runs = np.column_stack([(steps["name"] == name).to_numpy(float) for name in names])
    growth = steps["growth_mb"].to_numpy(float)
    series = np.asarray(steps["one_process"].astype("category").cat.codes, dtype=np.int64)
    times = steps["time"].dropna()
    span = None if times.empty else (times.max() - times.min()).total_seconds() / 3600
    about = {
        "process": process,
        "growth_mb": float(growth.sum()),
        "spans": len(steps),
        "hours": span,
        "dynos": int(steps["dyno"].nunique()),
        "start": times.min() if len(times) else pd.NaT,
        "end": times.max() if len(times) else pd.NaT,
    }
    grew = steps.sort_values("growth_mb", ascending=False, kind="stable")
    cited = {
        number: list(grew.loc[grew["name"] == name, "cited"].head(5)) for number, name in enumerate(names)
    }
    return _judged(_Observed(growth, series, runs, [("oink", name) for name in names]), about, cited)


def _judged(seen: _Observed, about: dict[str, Any], cited: dict[int, list[Any]]) -> list[dict[str, Any]]:
    if len(seen.growth) < limits.SUSPECT_BINS:
        return [_unjudged(seen, number, about, cited) for number in range(len(seen.names))]
    found = []
    for number, one in enumerate(suspects.judge(seen.growth, seen.runs, seen.series)):
        runs = float(seen.runs[:, number].sum())
        present = float((seen.runs[:, number] > 0).mean())
        row = _unjudged(seen, number, about, cited) | {
            "mb_per_1000": 1000 * one.slope,
            "mb_per_1000_low": 1000 * one.low,
            "mb_per_1000_high": 1000 * one.high,
            "explained_mb": one.slope * runs,
            "busy_growth_mb": one.busy_growth,
            "chance_growth_mb": one.chance_growth,
            "excess_mb": one.busy_growth - one.chance_growth,
            "p": one.p,
        }
        if one.chosen and one.low > 0:
            row["verdict"] = "cannot_separate" if one.stand_ins else "suspect"
            row["stand_ins"] = [seen.names[place][1] for place in one.stand_ins][:5]
        elif present >= ALWAYS_SHARE and seen.names[number][0] != "oink":
            row["verdict"] = "always_there"
        found.append(row)
    return found


def _unjudged(
    seen: _Observed, number: int, about: dict[str, Any], cited: dict[int, list[Any]]
) -> dict[str, Any]:
    kind, name = seen.names[number]
    runs = seen.runs[:, number]
    present = float((runs > 0).mean())
    return about | {
        "kind": kind,
        "name": name,
        "verdict": "always_there" if present >= ALWAYS_SHARE and kind != "oink" else "no_excess",
        "runs": round(float(runs.sum())),
        "present_share": present,
        "stand_ins": [],
        "command": _command(kind, name),
        "evidence": cited.get(number, []),
    }


def _command(kind: str, name: str) -> str:
    """Return how to repeat a run on one's own machine and watch the process (book ch. 3)."""
    watch = "while sleep 5; do ps -o rss=,command= -C ruby; done"
    if kind == "route":
        method, _, path = name.partition(" ")
        plain = path if re.fullmatch(r"/[\w./:~-]*", path, re.ASCII) else "/PATH"
        if method in ("GET", "HEAD"):
            url = shlex.quote(f"http://localhost:5000{plain}")
            return f"heroku local web & {watch} & for i in $(seq 1000); do curl -s -o /dev/null {url}; done"
    return f"heroku local & {watch}"


# ---- findings ----

SEPARATE = (
    "An experiment tells: on one dyno only, for half a day, switch it off or send it to a process type of its own, and "
    "compare the slopes of the dynos with memory_trend. Or repeat it alone on your own machine: {command}"
)
LOCALLY = (
    "Repeat it on your own machine with production's data, and watch the process (book ch. 3): {command} "
    "If memory grows there too, look at what it keeps (caches, class variables, listeners, large result sets)."
)
MORE = (
    "Load half a day or more of a log drain in which the router's lines stand beside the runtime metrics of the same "
    "dynos; for processes within a dyno log memory per request with a library such as Oink."
)


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return for each process its suspects, or why none can be named, or that none is needed."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "Which routes or jobs make memory grow cannot be said: in this window no dyno has both samples of "
                "its memory over more than an hour and routes or jobs that ran on it.",
                next_step=MORE,
                reference=BOOK,
            )
        ]
    found: list[Finding] = []
    of_oink = rows["kind"] == "oink"
    for (_, by_oink), some in rows.groupby([rows["process"], of_oink], sort=True):
        found += _of_process(some, bool(by_oink))
    return found


def _of_process(some: pd.DataFrame, by_oink: bool) -> list[Finding]:
    first = some.iloc[0]
    where = f"the processes of {first['process']}" if by_oink else str(first["process"])
    if first["spans"] < limits.SUSPECT_BINS:
        return [_too_short(some, where, by_oink)]
    named = some[some["verdict"] == "suspect"]
    worth = named[named["explained_mb"] >= limits.SUSPECT_LEAST_MB]
    twins = some[(some["verdict"] == "cannot_separate") & (some["explained_mb"] >= limits.SUSPECT_LEAST_MB)]
    found = [_suspect(row, where, by_oink) for _, row in worth.head(3).iterrows()]
    found += [_twins(row, where) for _, row in twins.head(2).iterrows()]
    if found:
        return found
    if first["growth_mb"] < limits.SUSPECT_LEAST_MB or _settles(first):
        return [_no_growth(some, where, by_oink)]
    always = some[some["verdict"] == "always_there"]
    return [_always(always, some, where)] if len(always) else [_nobody(some, where, by_oink)]


def _settles(first: pd.Series) -> bool:
    late = first["late_mb_per_h"]
    return bool(pd.notna(late) and late < _least_mb_per_h())


def _least_mb_per_h() -> float:
    return limits.LEAK_PERCENT_PER_DAY / 100 * limits.DYNO_TYPES[0].quota_mb / limits.RESTART_HOURS


def _seen(row: pd.Series, by_oink: bool) -> str:
    if by_oink:
        return f"{words.count(row['spans'])} entries"
    return f"{row['hours']:,.0f} h of {words.plural(row['dynos'], 'dyno')}"


def _rate(row: pd.Series) -> str:
    low, high = row["mb_per_1000_low"], row["mb_per_1000_high"]
    return f"{_size(row['mb_per_1000'])} MB per 1,000 {_word(row)} ({_size(low)}–{_size(high)})"


def _size(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"


def _word(row: pd.Series) -> str:
    return "runs" if row["kind"] == "job" else "requests"


def _suspect(row: pd.Series, where: str, by_oink: bool) -> Finding:
    share = row["explained_mb"] / row["growth_mb"] if row["growth_mb"] > 0 else 1.0
    name = words.visible(str(row["name"]), one_line=True)
    when = "in its own requests" if by_oink else "while it ran most"
    title = (
        f"{name} is the first suspect for the growth of {where}: {_rate(row)}; {row['busy_growth_mb']:,.0f} of "
        f"{row['growth_mb']:,.0f} MB were kept {when}, {row['chance_growth_mb']:,.0f} MB would be by chance "
        f"(p {_p(row['p'])}, {words.count(row['runs'])} {_word(row)} in {_seen(row, by_oink)})."
    )
    if pd.notna(row["bytes_better"]) and row["bytes_better"] >= 0.95:
        title += (
            " Growth goes with the size of its responses more than with their number: pages or batches help."
        )
    sure = not by_oink and share >= 0.5 and row["runs"] >= 4 * limits.SUSPECT_RUNS
    return Finding(
        "warning",
        title,
        numbers=numbers_of(
            row,
            "mb_per_1000",
            "mb_per_1000_low",
            "mb_per_1000_high",
            "explained_mb",
            "growth_mb",
            "excess_mb",
            "p",
            "runs",
            "hours",
        ),
        evidence=cite(row["evidence"]),
        next_step=LOCALLY.format(command=row["command"]),
        reference=BOOK,
        confidence="medium" if sure else "low",
        about=times_of(row.to_frame().T, "start", "end"),
    )


def _p(value: float) -> str:
    return f"{value:.3f}" if value > 0.001 else "≤ 0.001"


def _twins(row: pd.Series, where: str) -> Finding:
    name = words.visible(str(row["name"]), one_line=True)
    others = [words.visible(str(one), one_line=True) for one in row["stand_ins"]]
    return Finding(
        "cannot_tell",
        f"What makes {where} grow cannot be separated: {name} goes with it ({_rate(row)}), but "
        f"{_listed(others)} {'runs' if len(others) == 1 else 'run'} at the same times and would explain it as well.",
        numbers=numbers_of(
            row, "mb_per_1000", "mb_per_1000_low", "mb_per_1000_high", "growth_mb", "p", "runs"
        ),
        evidence=cite(row["evidence"]),
        next_step=SEPARATE.format(command=row["command"]),
        reference=BOOK,
        about=times_of(row.to_frame().T, "start", "end"),
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _always(always: pd.DataFrame, some: pd.DataFrame, where: str) -> Finding:
    first = always.iloc[0]
    names = [words.visible(str(one), one_line=True) for one in always["name"].head(3)]
    more = f" and {len(always) - 3} more" if len(always) > 3 else ""
    return Finding(
        "cannot_tell",
        f"What makes {where} grow ({first['growth_mb']:,.0f} MB kept in {_seen(first, False)}) cannot be separated: "
        f"{_listed(names)}{more} {'is' if len(always) == 1 else 'are'} always there, and no rarer route or job goes "
        "with the growth more than chance.",
        numbers=numbers_of(first, "growth_mb", "late_mb_per_h", "runs", "present_share", "hours"),
        evidence=cite(first["evidence"]),
        next_step=SEPARATE.format(command=first["command"]),
        reference=BOOK,
        about=times_of(some, "start", "end"),
    )


def _nobody(some: pd.DataFrame, where: str, by_oink: bool) -> Finding:
    first = some.iloc[0]
    often = some.sort_values(["runs", "name"], ascending=[False, True], kind="stable").iloc[0]
    title = (
        f"None of {words.plural(len(some), 'name')} goes with the growth of {where} more than chance "
        f"({first['growth_mb']:,.0f} MB in {_seen(first, by_oink)}); the most frequent, "
        f"{words.visible(str(often['name']), one_line=True)}, adds at most "
        f"{_size(max(often['mb_per_1000_high'], 0.0))} MB per 1,000 {_word(often)}."
    )
    if not by_oink and first["jump_mb"] >= max(first["growth_mb"] / 2, limits.SUSPECT_LEAST_MB):
        title += (
            f" {first['jump_mb']:,.0f} MB of it came at once, on {first['jump_dyno']} at about "
            f"{words.time(first['jump_time'])} UTC."
        )
    return Finding(
        "cannot_tell",
        title,
        numbers=numbers_of(first, "growth_mb", "jump_mb", "hours") | {"names": len(some)},
        evidence=cite(often["evidence"]),
        next_step=MORE,
        reference=BOOK,
        about=times_of(some, "start", "end"),
    )


def _no_growth(some: pd.DataFrame, where: str, by_oink: bool) -> Finding:
    first = some.iloc[0]
    late = first["late_mb_per_h"]
    if first["growth_mb"] < limits.SUSPECT_LEAST_MB:
        what = f"kept {max(first['growth_mb'], 0):,.0f} MB more"
    else:
        what = f"grew by {late:.1f} MB per hour after {LATE_H:.0f} h of a life"
    return Finding(
        "ruled_out",
        f"No route or job has to be looked for: {where} {what} in {_seen(first, by_oink)}, and none of "
        f"{words.plural(len(some), 'name')} goes with its growth.",
        numbers=numbers_of(first, "growth_mb", "late_mb_per_h", "hours") | {"names": len(some)},
        evidence=cite(first["evidence"]),
        reference=BOOK,
        confidence="medium",
        about=times_of(some, "start", "end"),
    )


def _too_short(some: pd.DataFrame, where: str, by_oink: bool) -> Finding:
    first = some.iloc[0]
    return Finding(
        "cannot_tell",
        f"Which routes or jobs make {where} grow cannot be said: {_seen(first, by_oink)} are too few to tell what "
        f"ran before growth from chance; {limits.SUSPECT_BINS} spans are needed, {first['spans']} are there.",
        numbers=numbers_of(first, "growth_mb", "hours", "spans"),
        evidence=cite(first["evidence"]),
        next_step=MORE,
        reference=BOOK,
        about=times_of(some, "start", "end"),
    )


# ---- chart ----

MOST_BARS = 16
_COLOURS = {
    "suspect": charts.COLOURS["critical"],
    "cannot_separate": charts.COLOURS["warning"],
    "always_there": charts.COLOURS["note"],
    "no_excess": charts.COLOURS["muted"],
}


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return how much growth each name explains, with its interval, coloured by verdict."""
    import altair as alt

    known = rows[rows["explained_mb"].notna()]
    if known.empty:
        return charts.empty("no route or job could be compared with memory")
    known = known.assign(
        low_mb=known["mb_per_1000_low"] * known["runs"] / 1000,
        high_mb=known["mb_per_1000_high"] * known["runs"] / 1000,
        label=known["process"]
        + ": "
        + known["name"].map(lambda name: words.visible(str(name), one_line=True)),
        strength=known["verdict"].map(VERDICTS.index),
    )
    shown = known.sort_values(["strength", "p", "label"], kind="stable").head(MOST_BARS)
    shown = shown.drop(columns=["evidence", "stand_ins"])
    verdicts = [one for one in VERDICTS if one in set(shown["verdict"])]
    colour = alt.Color(
        "verdict:N",
        title="verdict",
        scale=alt.Scale(domain=verdicts, range=[_COLOURS[one] for one in verdicts]),
    )
    told = [
        alt.Tooltip("label:N", title="what"),
        alt.Tooltip("verdict:N"),
        alt.Tooltip("runs:Q", title="runs", format=",.0f"),
        alt.Tooltip("mb_per_1000:Q", title="MB per 1,000 runs", format=",.1f"),
        alt.Tooltip("explained_mb:Q", title="growth explained (MB)", format=",.0f"),
        alt.Tooltip("p:Q", title="p", format=".3f"),
    ]
    y = alt.Y("label:N", title=None, sort=list(shown["label"]))
    base = alt.Chart(shown).encode(y=y, color=colour, tooltip=told)
    drawn = alt.layer(
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("low_mb:Q", title="growth explained (MB)"), x2="high_mb:Q"
        ),
        base.mark_point(filled=True, size=60).encode(x="explained_mb:Q"),
        alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(color=charts.MUTED).encode(x="zero:Q"),
    ).properties(width=charts.WIDTH - 160, height=max(60, 26 * len(shown)))
    said = "; ".join(
        f"{row['label']}: {row['verdict'].replace('_', ' ')}" for _, row in shown.head(5).iterrows()
    )
    subtitle = "point: what its runs explain of kept growth; line: 95 % interval; right of 0: grows with it"
    if len(known) > len(shown):
        subtitle += f"; {len(shown)} of {len(known)} names"
    return charts.theme(
        charts.describe(drawn, f"Growth of memory by what ran. {said}."),
        "Memory growth by what ran",
        subtitle,
    )
