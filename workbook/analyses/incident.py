"""What happened, from the first symptom to the recovery?     (book ch. 1, "Triage"; ch. 7)

One time line. Rows of kind *incident*: a stretch of time in which surely ``limits.ERROR_SHARE`` of the requests, or
more, failed; with what belongs to it, from ``lead_minutes`` before its first failure to ``quiet_minutes`` after its
last: *failures* (one row a code), *release*, *dyno* (starts, crashes, stops; one row for each kind), *dyno_error* (R
codes), *log* (lines that the log itself lost). The row of kind *window* counts all that was looked at.

Columns: ``time``, ``end_time`` (UTC, first and last line), ``incident`` (number, by time; NULL for *window*), ``kind``,
``severity``, ``what``, ``count`` (lines; releases once), ``requests``, ``failed``, ``failed_share`` (0 to 1),
``low_share``, ``high_share`` (its 95 % interval, Wilson: where failures come in bursts the truth is wider), ``minutes``
(first to last failure), ``addresses`` (different clients with a failure; NULL where no line names one), ``routes``
(different ones with a failure), ``state`` (*recovered*; *open*: the log ends less than ``quiet_minutes`` after the last
failure), ``begins`` (*seen*; *before_the_log*), ``evidence``.

A step of ``step_minutes`` is bad when two requests in it, and that share, failed. Bad steps no more than
``quiet_minutes`` apart are one incident, which counts with ``limits.BURST_COUNT`` failures; failures of the same codes
up to ``quiet_minutes`` before and after are its first and last symptoms. Failures are H codes and
statuses of 500 and more; maintenance (H80 to H83) and visitors who left (H27, H28) are none. What came before an
incident is not its cause for that: ``blockers``, ``releases`` and ``memory_quota`` judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd

from workbook import charts, codes, limits, words
from workbook.analysis import Bounds, Evidence, Finding, Query, cite
from workbook.statistics import wilson
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = ("requests",)
IN_TRIAGE = False
REFERENCE = "book ch. 1"
MOST_INCIDENTS = 20
MOST_FINDINGS = 5
MOST_DRAWN = 3
_TOLD = ("critical", "warning", "note")
_NO_FAILURE = ", ".join(f"'{code}'" for code in (*codes.MAINTENANCE, *codes.CLIENT_GONE))
_LOST = ", ".join(f"'{code}'" for code in codes.LOST)

SQL = f"""
WITH served AS (
    SELECT
        source_id,
        line,
        time,
        time_bucket(to_minutes($step_minutes), time) AS step,
        route,
        nullif(trim(split_part(fwd, ',', 1)), '') AS address,
        CASE WHEN code IS NOT NULL THEN code WHEN status >= 500 THEN 'app' || status END AS error
    FROM requests
    WHERE time IS NOT NULL
        AND coalesce(code, '') NOT IN ({_NO_FAILURE})
        AND in_window(time, $start, $end)
),
bad_steps AS (
    SELECT step
    FROM served
    GROUP BY step
    HAVING count(error) >= 2 AND count(error) >= {limits.ERROR_SHARE} * count(*)
),
stretches AS (
    SELECT min(step) AS first_step, max(step) + to_minutes($step_minutes) AS last_step
    FROM (
        SELECT
            step,
            count(*) FILTER (step - before > to_minutes($quiet_minutes + $step_minutes)) OVER (ORDER BY step) AS run
        FROM (SELECT step, lag(step) OVER (ORDER BY step) AS before FROM bad_steps)
    )
    GROUP BY run
),
failing AS (
    SELECT DISTINCT first_step, last_step, error
    FROM served
    JOIN stretches ON time >= first_step AND time < last_step
    WHERE error IS NOT NULL
),
failures AS (
    SELECT served.*, first_step
    FROM served
    JOIN failing
        ON served.error = failing.error
        AND time >= first_step - to_minutes($quiet_minutes)
        AND time < last_step + to_minutes($quiet_minutes)
    -- between two incidents, to the nearer
    QUALIFY row_number() OVER (
        PARTITION BY source_id, line
        ORDER BY greatest(first_step - time, time - last_step, INTERVAL 0 SECOND), first_step
    ) = 1
),
spans AS (
    SELECT
        first_step,
        min(time) AS time,
        max(time) AS end_time,
        count(*) AS failed,
        count(DISTINCT address) AS addresses,
        count(DISTINCT route) AS routes,
        arg_min(struct_pack(source_id, line), row(time, source_id, line)) AS first_place,
        arg_max(struct_pack(source_id, line), row(time, source_id, line)) AS last_place
    FROM failures
    GROUP BY first_step
    HAVING count(*) >= {limits.BURST_COUNT}
),
log_span AS (
    SELECT min(time) AS first, max(time) AS last, count(*) AS requests, count(error) AS failed
    FROM served
),
counted AS (
    SELECT
        spans.*,
        requests,
        failed / requests AS share,
        ({limits.Z_95} ** 2) / requests AS z,
        (share + z / 2 - {limits.Z_95} * sqrt(share * (1 - share) / requests + z / (4 * requests))) / (1 + z) AS low
    FROM spans
    JOIN (
        SELECT first_step, count(*) AS requests
        FROM spans
        JOIN served ON served.time BETWEEN spans.time AND spans.end_time
        GROUP BY first_step
    ) AS served_meanwhile USING (first_step)
),
incidents AS (
    SELECT
        row_number() OVER (ORDER BY time) AS incident,
        counted.*,
        time - to_minutes($lead_minutes) AS lead_start,
        end_time + to_minutes($quiet_minutes) AS quiet_end
    FROM (FROM counted WHERE low >= {limits.ERROR_SHARE} ORDER BY failed DESC, time LIMIT {MOST_INCIDENTS}) AS counted
),
told_releases AS (
    SELECT *
    FROM releases
    WHERE time IS NOT NULL AND event IN ('release', 'rollback', 'listed') AND in_window(time, $start, $end)
    -- a release is told of by several lines
    QUALIFY version IS NULL
        OR row_number() OVER (PARTITION BY version ORDER BY event = 'listed', time, source_id, line) = 1
),
happened AS (
    SELECT
        time,
        'release' AS kind,
        'note' AS severity,
        CASE event WHEN 'listed' THEN 'release' ELSE event END || coalesce(' ' || version, '') AS what,
        1 AS weight,
        source_id,
        line
    FROM told_releases
    UNION ALL
    SELECT
        time,
        'dyno',
        CASE WHEN to_state = 'crashed' THEN 'warning' ELSE 'note' END,
        split_part(dyno, '.', 1) || ' ' || to_state,
        1,
        source_id,
        line
    FROM dyno_states
    WHERE to_state IN ('starting', 'crashed', 'down')
    UNION ALL
    SELECT time, 'dyno_error', 'warning', code || ' on ' || split_part(dyno, '.', 1), 1, source_id, line
    FROM dyno_errors
    WHERE code IS NOT NULL AND dyno IS NOT NULL
    UNION ALL
    SELECT time, 'log', 'warning', code || ': the log lost lines', greatest(1, coalesce(dropped, 1)), source_id, line
    FROM log_errors
    WHERE code IN ({_LOST})
),
platform AS (
    SELECT count(*) AS platform_lines
    FROM happened
    WHERE kind <> 'log' AND in_window(time, $start, $end)
),
events AS (
    SELECT incident, happened.*
    FROM happened
    JOIN incidents ON happened.time BETWEEN lead_start AND quiet_end
    WHERE happened.what IS NOT NULL AND in_window(happened.time, $start, $end)
    UNION ALL
    SELECT incident, failures.time, 'failures', 'critical', error, 1, source_id, line
    FROM failures
    JOIN incidents ON failures.first_step = incidents.first_step
),
lines AS (
    SELECT
        min(time) AS time,
        max(time) AS end_time,
        incident,
        kind,
        any_value(severity) AS severity,
        what,
        sum(weight)::BIGINT AS count,
        [
            arg_min(struct_pack(source_id, line), row(time, source_id, line)),
            arg_max(struct_pack(source_id, line), row(time, source_id, line))
        ] AS evidence
    FROM events
    GROUP BY incident, kind, what
    UNION ALL BY NAME
    SELECT
        time,
        end_time,
        incident,
        'incident' AS kind,
        'critical' AS severity,
        'incident ' || incident AS what,
        incidents.failed AS count,
        incidents.requests AS requests,
        incidents.failed AS failed,
        round(epoch(end_time - time) / 60, 1) AS minutes,
        nullif(addresses, 0) AS addresses,
        nullif(routes, 0) AS routes,
        CASE WHEN log_span.last > quiet_end THEN 'recovered' ELSE 'open' END AS state,
        CASE
            WHEN time - log_span.first < to_minutes($step_minutes) THEN 'before_the_log'
            ELSE 'seen'
        END AS begins,
        [first_place, last_place] AS evidence
    FROM incidents, log_span
    UNION ALL BY NAME
    SELECT
        first AS time,
        last AS end_time,
        'window' AS kind,
        'note' AS severity,
        'all that was looked at' AS what,
        requests AS count,
        requests,
        failed,
        platform_lines,
        []::STRUCT(source_id INTEGER, line BIGINT)[] AS evidence
    FROM log_span, platform
    WHERE requests > 0
)
SELECT *
FROM lines
ORDER BY kind <> 'window', incident, time, kind <> 'incident', kind, what
"""

_COLUMNS = (
    *(
        "time",
        "end_time",
        "incident",
        "kind",
        "severity",
        "what",
        "count",
        "requests",
        "failed",
        "failed_share",
    ),
    *("low_share", "high_share", "minutes", "addresses", "routes", "state", "begins", "platform_lines"),
    "evidence",
)


def rows(
    query: Query,
    window: Window,
    *,
    quiet_minutes: Annotated[int, Bounds(1, 240)] = 10,
    lead_minutes: Annotated[int, Bounds(0, 1440)] = 30,
    step_minutes: Annotated[int, Bounds(1, 60)] = 5,
) -> pd.DataFrame:
    """Return the time line: one row an incident, and one for each kind of thing that happened in or before it."""
    seen = query(
        SQL,
        start=window.start,
        end=window.end,
        quiet_minutes=quiet_minutes,
        lead_minutes=lead_minutes,
        step_minutes=step_minutes,
    )
    shares = pd.DataFrame(
        [_share(row) for row in seen[["failed", "requests"]].itertuples(index=False)],
        index=seen.index,
        columns=["failed_share", "low_share", "high_share"],
        dtype=float,
    )
    table = pd.concat([seen, shares], axis=1)
    return table[list(_COLUMNS)]


def _share(row: Any) -> tuple[float | None, float | None, float | None]:
    if words.missing(row.requests) or not row.requests:
        return None, None, None
    low, high = wilson(int(row.failed), int(row.requests))
    return float(row.failed / row.requests), low, high


def findings(rows: pd.DataFrame, quiet_minutes: int = 10, lead_minutes: int = 30) -> list[Finding]:
    """Return one finding an incident, what came just before it, and what was no incident."""
    whole = rows[rows["kind"] == "window"]
    if whole.empty:
        return [
            Finding("cannot_tell", "No request has a time, so no incident can be told.", reference=REFERENCE)
        ]
    incidents = rows[rows["kind"] == "incident"]
    worst = incidents.sort_values(["failed", "time"], ascending=[False, True], kind="stable").head(
        MOST_FINDINGS
    )
    found: list[Finding] = []
    for _, row in worst.sort_values("time", kind="stable").iterrows():
        own = rows[(rows["incident"] == row["incident"]) & (rows["kind"] != "incident")]
        found.append(_incident(row, own, quiet_minutes))
        found.extend(_before(row, own, lead_minutes, whole.iloc[0]["platform_lines"] > 0))
        found.extend(_lost(row, own))
    return [*found, *_rest(whole.iloc[0], incidents, len(worst))]


def _incident(row: pd.Series, own: pd.DataFrame, quiet_minutes: int) -> Finding:
    failures = own[own["kind"] == "failures"].sort_values(["count", "what"], ascending=[False, True])
    kinds = ", ".join(
        f"{_said(what)} {count:,}" for what, count in zip(failures["what"], failures["count"], strict=True)
    )
    who = (
        ""
        if words.missing(row["addresses"])
        else f" of {words.plural(row['addresses'], 'address', 'addresses')}"
    )
    where = "" if words.missing(row["routes"]) else f" on {words.plural(row['routes'], 'route')}"
    ended = (
        f"nothing of the kind for {quiet_minutes} min after it"
        if row["state"] == "recovered"
        else "whether it is over cannot be told: the log ends there"
    )
    began = "" if row["begins"] == "seen" else "; it may have begun before the log does"
    return Finding(
        "critical",
        f"Incident {row['incident']:.0f}, {words.times(row['time'], row['end_time'])}: {row['failed']:,.0f} of"
        f" {words.plural(row['requests'], 'request')} failed ({words.share(row['failed_share'])}){who}{where}, within"
        f" {words.number(row['minutes'])} min ({kinds}); {ended}{began}.",
        numbers={
            "failed": int(row["failed"]),
            "requests": int(row["requests"]),
            **_known(row, "failed_share", "low_share", "high_share", "minutes", "addresses", "routes"),
        },
        evidence=cite(row["evidence"]),
        next_step="Run blockers, releases and memory_quota in its window: they judge the cause.",
        reference=REFERENCE,
        about=(row["time"], row["end_time"]),
    )


def _before(row: pd.Series, own: pd.DataFrame, lead_minutes: int, known: bool) -> list[Finding]:
    """What is known of the time just before the first failure; it need not be the cause."""
    earlier = own[(own["kind"] != "failures") & (own["time"] < row["time"])]
    number = f"{row['incident']:.0f}"
    if lead_minutes == 0:
        return []
    if earlier.empty and not known:
        return [
            Finding(
                "cannot_tell",
                f"What happened before incident {number} began cannot be told: no line of releases or dynos is loaded.",
                next_step="Load the log with the lines of heroku and app[api]; a filter may have left them out.",
                reference=REFERENCE,
            )
        ]
    if earlier.empty:
        return [
            Finding(
                "ruled_out",
                f"No release, restart or R code is logged in the {lead_minutes} min before incident {number} began.",
                numbers={"lead_minutes": lead_minutes},
                next_step="Where the log has a gap there, such lines may be missing: run completeness.",
                reference=REFERENCE,
            )
        ]
    told = ", ".join(
        f"{_said(one.what)} {_ago(row['time'], one.time)} before"
        for one in earlier.head(6).itertuples(index=False)
    )
    more = f" and {len(earlier) - 6} more" if len(earlier) > 6 else ""
    return [
        Finding(
            "note",
            f"Before incident {number} began: {told}{more}; what comes before is not the cause for that.",
            numbers={"events": len(earlier), "lead_minutes": lead_minutes},
            evidence=_evidence(earlier),
            next_step="Run releases: it compares the errors before and after each.",
            reference=REFERENCE,
            confidence="low",
            about=(earlier["time"].min(), row["time"]),
        )
    ]


def _lost(row: pd.Series, own: pd.DataFrame) -> list[Finding]:
    lost = own[own["kind"] == "log"]
    if lost.empty:
        return []
    return [
        Finding(
            "warning",
            f"The log lost at least {words.plural(lost['count'].sum(), 'line')} around incident {row['incident']:.0f}:"
            " its counts are too low.",
            numbers={"lost_lines": int(lost["count"].sum())},
            evidence=_evidence(lost),
            next_step="Take the archive of the logging add-on, or say “at least” in the postmortem.",
            reference=REFERENCE,
            about=(lost["time"].min(), lost["end_time"].max()),
        )
    ]


def _rest(whole: pd.Series, incidents: pd.DataFrame, told: int) -> list[Finding]:
    failed, requests = int(whole["failed"]), int(whole["requests"])
    if incidents.empty:
        high = wilson(failed, requests)[1]
        calm = high < limits.ERROR_SHARE
        return [
            Finding(
                "ruled_out" if calm else "cannot_tell",
                f"No incident: {failed:,} of {words.plural(requests, 'request')} failed,"
                + (
                    " and never so many together that it surely was one in a hundred."
                    if calm
                    else " and too few are known to rule out that one in a hundred fails."
                ),
                numbers={"failed": failed, "requests": requests, "high_share": round(high, 6)},
                next_step="" if calm else "Load more of the router log.",
                reference=REFERENCE,
            )
        ]
    outside = failed - int(incidents["failed"].sum())
    shown = (
        ""
        if told == len(incidents)
        else f" The {told} with most failures are told; the table has {len(incidents)}."
    )
    return [
        Finding(
            "note",
            f"{outside:,} of {failed:,} failed requests lie outside of the"
            f" {words.plural(len(incidents), 'incident')}.{shown}",
            numbers={"failed_outside": outside, "failed": failed, "incidents": len(incidents)},
            next_step="Run errors for all codes.",
            reference=REFERENCE,
        )
    ]


def _evidence(some: pd.DataFrame) -> tuple[Evidence, ...]:
    return cite([one for cell in some["evidence"] for one in list(cell)[:1]])


def _known(row: pd.Series, *names: str) -> dict[str, float]:
    return {name: round(float(row[name]), 4) for name in names if not words.missing(row[name])}


def _ago(later: Any, earlier: Any) -> str:
    return words.ms((later - earlier).total_seconds() * 1000)


def _said(text: Any) -> str:
    return words.cut(words.visible(str(text), one_line=True), 60)


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return the time line of the incident with most failures: one bar for each thing that happened."""
    import altair as alt

    incidents = rows[rows["kind"] == "incident"]
    if incidents.empty:
        return charts.empty("no incident in this window")
    worst = incidents.sort_values(["failed", "time"], ascending=[False, True], kind="stable").head(MOST_DRAWN)
    strips = [
        _strip(rows[(rows["incident"] == number) & (rows["kind"] != "incident")].head(20), number)
        for number in sorted(worst["incident"])
    ]
    drawn = alt.vconcat(*strips).resolve_scale(x="independent", y="independent", color="shared")
    shown = words.plural(len(incidents), "incident")
    title = f"What happened when: {shown}"
    note = "from first to last line of each; " + (
        f"the {len(strips)} with most failures"
        if len(strips) < len(incidents)
        else "each incident has its own hours"
    )
    return charts.describe(
        charts.theme(drawn, title, note),
        f"Time lines of {len(strips)} of {shown}: for each code, release, restart and R code the time from its first"
        " to its last line.",
    )


def _strip(own: pd.DataFrame, number: float) -> Any:
    import altair as alt

    shown = charts.utc(
        own[["time", "end_time", "kind", "severity", "what", "count"]].assign(what=own["what"].map(_said))
    )
    base = alt.Chart(shown).encode(
        y=alt.Y("what:N", title=None, sort=list(dict.fromkeys(shown["what"]))),
        color=alt.Color("severity:N", scale=charts.colour_scale("severity", _TOLD), title=None),
        tooltip=[
            alt.Tooltip("what:N"),
            charts.time_tooltip("time", "first (UTC)"),
            charts.time_tooltip("end_time", "last (UTC)"),
            alt.Tooltip("count:Q", format=",", title="lines"),
        ],
    )
    x = charts.time_axis("time", f"incident {number:.0f}, time (UTC)")
    lasting = base.transform_filter(alt.FieldOneOfPredicate("kind", ["failures", "dyno_error", "log"]))
    bars = lasting.mark_bar(height=8).encode(x=x, x2="end_time")
    # what starts twice has not been starting all the time
    thin = base.mark_rule(strokeDash=[2, 4], opacity=0.5).encode(x=x, x2="end_time")
    first = base.mark_point(filled=True, size=60, opacity=1).encode(x=x)
    last = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=charts.time_axis("end_time", f"incident {number:.0f}, time (UTC)")
    )
    return alt.layer(thin, bars, first, last).properties(height=alt.Step(24), width=charts.WIDTH)
