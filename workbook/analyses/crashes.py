"""Which dynos crashed, and do they come up again?     (book ch. 1)

One row for each dyno that the dyno manager's lines or "heroku ps" name; those that crashed most come first.

Columns: ``process``, ``dyno``; ``crashes``: state changes to crashed; ``first_time``, ``last_time``: of the crashes,
one that only "heroku ps" lists included; ``last_state``: the newest that either source tells; ``exit_status``: at the
last crash, else of the last exit that nothing explains; ``up_again``: whether it came up after the last crash: a state,
a listing, or a request that it answered (NULL: no crash, or lines without times leave it open); ``seconds_down``: from
crash to up, or to the end of the log; ``crash_loop``: 3 crashes within 30 minutes, or never up from the first of
several crashes on; ``explained_by``: what came just before the last crash: r15, boot_timeout, deploy (5 minutes); NULL:
nothing of these; ``exception``, ``first_own_frame``: the dyno's last stack trace in the minute before; ``h_errors``:
H10, H13, H20 and H21 of a web dyno, or of no dyno, while it was down (NULL: no web dyno, no crash or no router lines);
``failed_exits``: exits with a status other than 0 with no stop, restart, cycling or R15 before them and no crash beside
them; ``state_changes``; ``listed_state``, ``listed_since``: from "heroku ps"; ``spells``: state, since, until of the
last 200 stretches; ``evidence``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Finding, Query, cite, numbers_of
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("dyno_states", "processes"),)
REFERENCE = "book ch. 1"

SQL = """
WITH told AS (
    SELECT
        source_id,
        line,
        time,
        dyno,
        from_state,
        to_state,
        true AS logged,
        CASE WHEN time IS NULL THEN 0 ELSE 1 END AS place
    FROM dyno_states
    WHERE to_state IS NOT NULL AND dyno IS NOT NULL AND in_window(time, $start, $end)
    UNION ALL
    -- a listing without a time is of when it was saved: after the log
    SELECT source_id, line, since, dyno, NULL, state, false, CASE WHEN since IS NULL THEN 2 ELSE 1 END
    FROM processes
    WHERE state IS NOT NULL AND dyno IS NOT NULL AND in_window(since, $start, $end)
),
log_end AS (
    SELECT greatest(
        (SELECT max(time) FROM log_lines WHERE in_window(time, $start, $end)),
        (SELECT max(time) FROM told)
    ) AS log_end
),
answered AS (
    SELECT source_id, line, time, dyno
    FROM requests
    WHERE code IS NULL AND status < 500 AND dyno IN (SELECT dyno FROM told WHERE to_state = 'crashed')
        AND in_window(time, $start, $end)
),
-- where the line of the start is lost, the first request that the dyno answers shows it up
timeline AS (
    SELECT *, true AS is_change
    FROM told
    UNION ALL
    SELECT DISTINCT answered.source_id, answered.line, answered.time, answered.dyno, NULL, 'up', true, 1, false
    FROM (SELECT dyno, time + to_seconds($crossed_s) AS over FROM told WHERE to_state = 'crashed') AS crash
    ASOF JOIN answered ON crash.dyno = answered.dyno AND crash.over <= answered.time
),
ordered AS (
    SELECT
        *,
        row_number() OVER one_dyno AS number,
        lead(time) OVER one_dyno AS next_time,
        coalesce(sum((to_state = 'up')::INTEGER) OVER one_dyno, 0) AS ups
    FROM timeline
    WINDOW one_dyno AS (PARTITION BY dyno ORDER BY place, time, source_id, line, is_change ROWS UNBOUNDED PRECEDING)
),
crashed AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY dyno ORDER BY number DESC) = 1 AS is_last,
        min(time) OVER (PARTITION BY dyno, ups) AS down_since,
        logged AND time IS NOT NULL AND $loop_count <= count(*) FILTER (logged) OVER (
            PARTITION BY dyno ORDER BY time RANGE BETWEEN to_minutes($loop_minutes) PRECEDING AND CURRENT ROW
        ) AS is_loop
    FROM ordered
    WHERE to_state = 'crashed'
),
last_crash AS (FROM crashed WHERE is_last),
down_times AS (
    SELECT
        crashed.dyno,
        crashed.down_since,
        coalesce(min(later.time), greatest(any_value(log_end), crashed.down_since)) AS down_until
    FROM (SELECT DISTINCT dyno, ups, down_since FROM crashed WHERE down_since IS NOT NULL) AS crashed
    CROSS JOIN log_end
    LEFT JOIN ordered AS later
        ON later.dyno = crashed.dyno AND later.ups = crashed.ups + 1 AND later.to_state = 'up'
    GROUP BY crashed.dyno, crashed.ups, crashed.down_since
),
down AS (
    SELECT dyno, round(sum(epoch(down_until - down_since)), 3) AS seconds_down
    FROM down_times
    GROUP BY dyno
),
failed_requests AS (
    SELECT down_times.dyno, count(*) AS h_errors
    FROM down_times
    JOIN requests
        ON requests.code IN ('H10', 'H13', 'H20', 'H21')
        AND requests.time BETWEEN down_since - to_seconds($crossed_s) AND down_until
        AND coalesce(requests.dyno, down_times.dyno) = down_times.dyno
        AND in_window(requests.time, $start, $end)
    GROUP BY down_times.dyno
),
came_up AS (
    SELECT
        crash.dyno,
        bool_or(
            later.dyno IS NOT NULL
            AND (crash.place > 0 OR (later.place = 0 AND later.source_id = crash.source_id))
        ) AS surely_up,
        count(later.dyno) > 0 AS perhaps_up
    FROM last_crash AS crash
    LEFT JOIN ordered AS later
        ON later.dyno = crash.dyno AND later.number > crash.number AND later.to_state = 'up'
    GROUP BY crash.dyno
),
traces AS (
    SELECT
        crash.dyno,
        arg_max(struct_pack(source_id := trace.source_id, line := trace.line, exception, first_own_frame),
            row(trace.time, trace.source_id, trace.line)) AS trace
    FROM last_crash AS crash
    JOIN stack_traces AS trace
        ON trace.dyno = crash.dyno
        AND (
            trace.time BETWEEN crash.time - to_seconds($trace_s) AND crash.time + to_seconds($crossed_s)
            OR (
                trace.time IS NULL
                AND crash.time IS NULL
                AND trace.source_id = crash.source_id
                AND trace.line < crash.line
            )
        )
    GROUP BY crash.dyno
),
reasons AS (
    SELECT
        crash.dyno,
        CASE
            WHEN bool_or(error.code = 'R15') THEN 'r15'
            WHEN bool_or(error.code = 'R10') THEN 'boot_timeout'
            WHEN any_value(crash.down_since) IS NOT NULL AND bool_or(EXISTS (
                FROM releases
                WHERE event IN ('deploy', 'release', 'rollback', 'config')
                    AND releases.time BETWEEN crash.down_since - to_minutes($boot_minutes) AND crash.down_since
            )) THEN 'deploy'
        END AS explained_by
    FROM last_crash AS crash
    LEFT JOIN dyno_errors AS error
        ON error.dyno = crash.dyno
        AND (
            error.time BETWEEN crash.time - to_seconds($trace_s) AND crash.time + to_seconds($crossed_s)
            OR (
                error.time IS NULL
                AND crash.time IS NULL
                AND error.source_id = crash.source_id
                AND error.line < crash.line
            )
        )
    GROUP BY crash.dyno
),
life AS (
    SELECT source_id, line, time, dyno, CASE WHEN to_state = 'crashed' THEN 'crashed' ELSE event END AS event, detail
    FROM dyno_states
    WHERE dyno IS NOT NULL AND in_window(time, $start, $end)
    UNION ALL
    SELECT source_id, line, time, dyno, 'stop', code
    FROM dyno_errors
    WHERE code IN ('R10', 'R12', 'R15') AND dyno IS NOT NULL AND in_window(time, $start, $end)
),
-- lines without a time are all near each other where they stand in one file
exits AS (
    SELECT
        *,
        count(*) FILTER (
            event IN ('stop', 'restart', 'cycle', 'idle') OR detail LIKE 'Client connection%'
        ) OVER (
            one_dyno RANGE BETWEEN to_seconds($stop_s) PRECEDING AND to_seconds($crossed_s) FOLLOWING
        ) > 0 AS stopped,
        count(*) FILTER (event = 'crashed') OVER (
            one_dyno RANGE BETWEEN to_seconds($crossed_s) PRECEDING AND to_seconds($crossed_s) FOLLOWING
        ) > 0 AS crashed
    FROM life
    WINDOW one_dyno AS (PARTITION BY dyno, CASE WHEN time IS NULL THEN source_id END ORDER BY time)
),
failed_exits AS (
    SELECT
        dyno,
        count(*) AS failed_exits,
        arg_max(
            struct_pack(source_id, line, status := try_cast(detail AS BIGINT)),
            row(time IS NOT NULL, time, source_id, line)
        ) AS last_exit
    FROM exits
    WHERE event = 'exit' AND try_cast(detail AS BIGINT) <> 0 AND NOT stopped AND NOT crashed
    GROUP BY dyno
),
crash_exits AS (
    SELECT
        crash.dyno,
        arg_min(
            struct_pack(source_id := exits.source_id, line := exits.line, status := try_cast(detail AS BIGINT)),
            row(abs(epoch(exits.time - crash.time)), abs(exits.line - crash.line), exits.line)
        ) AS last_exit
    FROM last_crash AS crash
    JOIN exits
        ON exits.dyno = crash.dyno
        AND exits.event = 'exit'
        AND (
            exits.time BETWEEN crash.time - to_seconds($crossed_s) AND crash.time + to_seconds($crossed_s)
            OR (exits.time IS NULL AND crash.time IS NULL AND exits.source_id = crash.source_id)
        )
    GROUP BY crash.dyno
),
listed AS (
    SELECT
        dyno,
        arg_max(struct_pack(source_id, line, state, since), row(since IS NULL, since, source_id, line)) AS listed
    FROM processes
    WHERE dyno IS NOT NULL AND state IS NOT NULL AND in_window(since, $start, $end)
    GROUP BY dyno
),
stretches AS (
    SELECT dyno, number, to_state AS state, time AS since, coalesce(next_time, greatest(log_end, time)) AS until
    FROM ordered, log_end
    WHERE time IS NOT NULL
    UNION ALL
    SELECT dyno, 0, from_state, (SELECT min(time) FROM log_lines WHERE in_window(time, $start, $end)) AS begun, time
    FROM ordered
    WHERE number = 1 AND from_state IN ('up', 'crashed') AND begun < time
),
spells AS (
    SELECT dyno, list(struct_pack(state, since, until) ORDER BY number)[-200:] AS spells
    FROM stretches
    GROUP BY dyno
),
dynos AS (
    SELECT
        dyno,
        count(*) FILTER (logged AND is_change) AS state_changes,
        count(*) FILTER (to_state = 'crashed' AND logged) AS crashes,
        min(time) FILTER (to_state = 'crashed') AS first_time,
        max(time) FILTER (to_state = 'crashed') AS last_time,
        max(ups) FILTER (to_state = 'crashed') = min(ups) FILTER (to_state = 'crashed') AS never_up_between,
        arg_max(to_state, number) AS last_state,
        arg_max(struct_pack(source_id, line), number) AS last_line,
        arg_max(struct_pack(source_id, line), number) FILTER (to_state = 'crashed') AS last_crash_line,
        arg_min(struct_pack(source_id, line), number) FILTER (to_state = 'crashed') AS first_crash_line
    FROM ordered
    GROUP BY dyno
),
loops AS (SELECT dyno, bool_or(is_loop) AS is_loop FROM crashed GROUP BY dyno)
SELECT
    split_part(dyno, '.', 1) AS process,
    dyno,
    coalesce(crashes, 0) AS crashes,
    first_time,
    last_time,
    last_state,
    CASE
        WHEN last_crash_line IS NULL THEN failed_exits.last_exit.status
        ELSE crash_exits.last_exit.status
    END AS exit_status,
    CASE WHEN surely_up THEN true WHEN perhaps_up IS FALSE THEN false END AS up_again,
    seconds_down,
    coalesce(is_loop OR (crashes > 1 AND never_up_between AND perhaps_up IS FALSE), false) AS crash_loop,
    explained_by,
    trace.exception AS exception,
    trace.first_own_frame AS first_own_frame,
    CASE
        WHEN process = 'web' AND seconds_down IS NOT NULL
            AND EXISTS (FROM requests WHERE in_window(time, $start, $end))
            THEN coalesce(h_errors, 0)
    END AS h_errors,
    coalesce(failed_exits, 0) AS failed_exits,
    coalesce(state_changes, 0) AS state_changes,
    listed.state AS listed_state,
    listed.since AS listed_since,
    spells,
    list_filter(
        [
            last_crash_line,
            CASE
                WHEN last_crash_line IS NULL
                    THEN struct_pack(
                        source_id := failed_exits.last_exit.source_id,
                        line := failed_exits.last_exit.line
                    )
            END,
            struct_pack(source_id := trace.source_id, line := trace.line),
            struct_pack(source_id := crash_exits.last_exit.source_id, line := crash_exits.last_exit.line),
            struct_pack(source_id := listed.source_id, line := listed.line),
            first_crash_line,
            last_line
        ],
        lambda cited: cited.line IS NOT NULL
    )[1:5] AS evidence
FROM (SELECT DISTINCT dyno FROM life UNION SELECT dyno FROM dynos)
LEFT JOIN dynos USING (dyno)
LEFT JOIN loops USING (dyno)
LEFT JOIN down USING (dyno)
LEFT JOIN failed_requests USING (dyno)
LEFT JOIN came_up USING (dyno)
LEFT JOIN traces USING (dyno)
LEFT JOIN reasons USING (dyno)
LEFT JOIN failed_exits USING (dyno)
LEFT JOIN crash_exits USING (dyno)
LEFT JOIN listed USING (dyno)
LEFT JOIN spells USING (dyno)
ORDER BY crashes DESC, last_time DESC NULLS LAST, dyno
"""


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return one row per dyno; columns and units stand at the head of this file."""
    return query(
        SQL,
        start=window.start,
        end=window.end,
        crossed_s=limits.CRASH_CROSSED_S,
        trace_s=limits.CRASH_TRACE_S,
        stop_s=limits.CRASH_STOP_S,
        loop_count=limits.CRASH_LOOP_COUNT,
        loop_minutes=limits.CRASH_LOOP_MINUTES,
        boot_minutes=limits.BOOT_MINUTES,
    )


# ---- findings ----

MOST_TOLD = 5
_REASONS = {
    "r15": ", killed for its memory (R15)",
    "boot_timeout": ", which did not boot in time (R10)",
    "deploy": ", within minutes of a release",
}


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return dynos that are down or in a loop, those that came up again, failed one-offs; else what was seen."""
    if rows.empty:
        return [_cannot_tell("no line of the life of a dyno lies in this window")]
    ever = rows[rows["last_time"].notna() | (rows["crashes"] > 0) | (rows["listed_state"] == "crashed")]
    one_off = rows["process"].isin(limits.ONE_OFF)
    crashed = ever[~ever["process"].isin(limits.ONE_OFF)]
    is_critical = crashed["crash_loop"] | (crashed["last_state"] == "crashed")
    found = _each(crashed[is_critical], "critical", "are crashed or in a crash loop")
    found += _each(crashed[~is_critical], "warning", "crashed")
    silent = rows[~one_off & (rows["failed_exits"] > 0) & ~rows.index.isin(crashed.index)]
    found += _each(silent, "warning", "exited, and no line tells why")
    failed = rows[one_off & ((rows["failed_exits"] > 0) | (rows["crashes"] > 0))]
    if len(failed):
        found.append(_one_off(failed))
    changes, up = int(rows["state_changes"].sum()), int((rows["listed_state"] == "up").sum())
    if crashed.empty and silent.empty:
        if changes + int(rows["listed_state"].notna().sum()) == 0:
            found.append(_cannot_tell("the log has no state change of a dyno"))
        else:
            found.append(_none(rows, changes, up))
    return found


def _each(some: pd.DataFrame, severity: str, what: str) -> list[Finding]:
    """Return a finding for each of the first dynos, and one for all the others."""
    told = [_dyno(row, severity) for _, row in some.head(MOST_TOLD).iterrows()]
    others = some.iloc[MOST_TOLD:]
    if len(others):
        names = [words.visible(str(dyno), one_line=True) for dyno in others["dyno"]]
        more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
        title = f"{words.plural(len(others), 'other dyno')} {what}: {', '.join(names[:MOST_TOLD])}{more}."
        cited = tuple(one for cell in others["evidence"].head(MOST_TOLD) for one in cite(cell)[:1])
        told.append(
            Finding(
                severity,
                title,
                numbers={"dynos": len(others)},
                evidence=cited,
                next_step=_step(others.iloc[0]),
                reference=REFERENCE,
            )
        )
    return told


def _dyno(row: pd.Series, severity: str) -> Finding:
    numbers = {
        name: value
        for name, value in numbers_of(row, "crashes", "exit_status", "seconds_down", "h_errors").items()
        if value or name == "exit_status"
    }
    place = (row["first_time"], row["last_time"])
    return Finding(
        severity,
        _title(row),
        numbers=numbers,
        evidence=cite(row["evidence"]),
        next_step=_step(row),
        reference=REFERENCE,
        confidence="high" if severity == "critical" and pd.notna(row["last_time"]) else "medium",
        about=None if pd.isna(place[0]) else place,
    )


def _title(row: pd.Series) -> str:
    title = _what(row)
    if pd.notna(row["exit_status"]) and row["crashes"] > 0:
        title += f", last exit status {int(row['exit_status'])}"
    if pd.notna(row["explained_by"]):
        title += _REASONS[row["explained_by"]]
    if pd.notna(row["exception"]):
        title += f", after {words.visible(str(row['exception']), one_line=True)}"
        if pd.notna(row["first_own_frame"]):
            title += f" at {words.visible(str(row['first_own_frame']), one_line=True)}"
    if pd.notna(row["h_errors"]) and row["h_errors"] > 0:
        title += f"; {words.plural(row['h_errors'], 'request')} failed while it was down (H10, H13, H20, H21)"
    return title + "."


def _what(row: pd.Series) -> str:
    """Return what happened to the dyno, and where it stands now."""
    dyno, crashes = words.visible(str(row["dyno"]), one_line=True), int(row["crashes"])
    is_listed = row["listed_state"] == "crashed" and row["last_state"] == "crashed"
    if crashes == 0 and not is_listed and row["listed_state"] != "crashed":
        times = words.plural(row["failed_exits"], "time")
        status = f"a status other than 0 (last {int(row['exit_status'])})"
        return f"{dyno} exited {times} with {status}, and no line tells why"
    said = ""
    if crashes:
        said = " once" if crashes == 1 else f" {words.plural(crashes, 'time')}"
        if pd.isna(row["last_time"]):
            said += " (the lines carry no time)"
        elif crashes == 1 and not is_listed:
            said += f" at {words.time(row['last_time'])} UTC"
        elif crashes > 1:
            said += f" between {words.time(row['first_time'])} and {words.time(row['last_time'])} UTC"
    if is_listed:
        since = f" since {words.time(row['listed_since'])} UTC" if pd.notna(row["listed_since"]) else ""
        return f"{dyno} is crashed{since} (heroku ps)" + (f"; the log has it crash{said}" if said else "")
    what = (
        f"{dyno} crashed{said}"
        if crashes
        else f"{dyno} was crashed at {words.time(row['listed_since'])} UTC (heroku ps)"
    )
    if row["crash_loop"]:
        what += " in a crash loop"
    if row["last_state"] == "crashed":
        return f"{what} and is crashed at the end of the log"
    if pd.isna(row["up_again"]):
        return f"{what}; whether it came up again cannot be said"
    down = f" after {words.ms(row['seconds_down'] * 1000)} down" if pd.notna(row["seconds_down"]) else ""
    state = words.visible(str(row["last_state"]), one_line=True)
    return (
        f"{what} and came up again{down}"
        if row["up_again"]
        else f"{what} and is {state} at the end of the log"
    )


def _step(row: pd.Series) -> str:
    read = (
        "Read the stack trace above the crash"
        if pd.notna(row["exception"])
        else "Look for a stack trace before it"
    )
    dyno = str(row["dyno"])
    name = f" {dyno}" if re.fullmatch(r"[\w-]+\.[\w-]+", dyno, re.ASCII) else ""
    if row["explained_by"] == "r15":
        read = "Run memory_quota: the dyno was killed for its memory"
    elif row["explained_by"] == "deploy":
        read += " and run releases: a release came just before"
    return f"{read}. If it is still down, restart it and watch the log: “heroku ps:restart{name}”, “heroku logs -t”."


def _one_off(failed: pd.DataFrame) -> Finding:
    parts = []
    for _, row in failed.head(MOST_TOLD).iterrows():
        status = "crashed" if pd.isna(row["exit_status"]) else f"status {int(row['exit_status'])}"
        parts.append(f"{words.visible(str(row['dyno']), one_line=True)} ({status})")
    more = f" and {len(failed) - MOST_TOLD} more" if len(failed) > MOST_TOLD else ""
    return Finding(
        "note",
        f"{words.plural(len(failed), 'one-off dyno')} failed: {', '.join(parts)}{more}.",
        numbers={"dynos": len(failed)},
        evidence=tuple(one for cell in failed["evidence"].head(MOST_TOLD) for one in cite(cell)[:1]),
        next_step="Read what the job printed before it ended; its work may be half done: run it again.",
        reference=REFERENCE,
    )


def _none(rows: pd.DataFrame, changes: int, up: int) -> Finding:
    dynos = int((rows["state_changes"] > 0).sum())
    looked = [f"{words.plural(changes, 'state change')} of {words.plural(dynos, 'dyno')}"] if changes else []
    if rows["listed_state"].notna().any():
        looked.append(f"heroku ps lists {words.plural(up, 'dyno')} up")
    return Finding(
        "ruled_out",
        f"No web or worker dyno crashed: {', '.join(looked)}.",
        numbers={"state_changes": changes, "dynos": len(rows), "dynos_listed_up": up},
        evidence=tuple(one for cell in rows["evidence"].head(MOST_TOLD) for one in cite(cell)[-1:]),
        reference=REFERENCE,
    )


def _cannot_tell(why: str) -> Finding:
    return Finding(
        "cannot_tell",
        f"Whether a dyno crashed cannot be said: {why}.",
        next_step="Load the platform's lines (heroku logs -s heroku) and what “heroku ps” prints.",
        reference=REFERENCE,
    )


# ---- chart ----

MOST_LANES = 20
_COLOURS = {"up": charts.GREEN, "starting": charts.SKY, "crashed": charts.VERMILLION, "down": charts.GREY}


def chart(rows: pd.DataFrame, *, marks: pd.DataFrame | None = None) -> alt.TopLevelMixin:
    """Return a lane for each dyno: when it was up, starting, crashed or down; those that crashed most come first."""
    import altair as alt

    lanes = rows[[isinstance(cell, Iterable) for cell in rows["spells"]]]
    spells = pd.DataFrame(
        [
            {"dyno": row["dyno"], **spell}
            for _, row in lanes.head(MOST_LANES).iterrows()
            for spell in row["spells"]
        ],
        columns=["dyno", "state", "since", "until"],
    )
    shown = spells[spells["state"].isin(_COLOURS)].astype(
        {"since": "datetime64[us]", "until": "datetime64[us]"}
    )
    if shown.empty:
        return charts.empty("no state of a dyno with its time in this window")
    states = [state for state in _COLOURS if state in set(shown["state"])]
    order = list(dict.fromkeys(shown["dyno"]))
    y = alt.Y("dyno:N", title="dyno", sort=order)
    told = [
        alt.Tooltip("dyno:N"),
        alt.Tooltip("state:N"),
        charts.time_tooltip("since", "since (UTC)"),
        charts.time_tooltip("until", "until (UTC)"),
    ]
    colour = alt.Color(
        "state:N", title="state", scale=alt.Scale(domain=states, range=[_COLOURS[state] for state in states])
    )
    bars = (
        alt.Chart(shown)
        .mark_rule(strokeWidth=10)
        .encode(x=charts.time_axis("since"), x2="until:T", y=y, color=colour, tooltip=told)
    )
    # a crash of a second in a log of a day would not be seen as a bar
    crosses = (
        alt.Chart(shown[shown["state"] == "crashed"])
        .mark_point(shape="cross", size=70, filled=True, color=charts.INK)
        .encode(x=charts.time_axis("since"), y=y, tooltip=told)
    )
    layered = alt.layer(bars, crosses).properties(width=charts.WIDTH, height=max(80, 24 * len(order)))
    drawn = charts.with_marks(layered, marks, pd.concat([shown["since"], shown["until"]]))
    crashes = int(rows["crashes"].sum())
    said = f"The states of {words.plural(len(order), 'dyno')} over time; {words.plural(crashes, 'crash', 'crashes')}."
    subtitle = "cross: crashed"
    if len(lanes) > MOST_LANES:
        subtitle += f"; {MOST_LANES} of {len(lanes)} dynos"
    return charts.theme(charts.describe(drawn, said), "The life of the dynos", subtitle)
