"""Which requests were slow, and which only waited?     (book ch. 4, "Finding the Cause of H12 Errors")

One row for each request that rack-timeout logged, by its id and dyno, joined to the router's line of the
same id.

Columns: ``request_id``; ``time`` (UTC): the end of the request, by the router, else by rack-timeout's last
line; ``dyno``, ``path``, ``route``; ``age_ms``: how long the request had waited when the application got
it; ``duration_ms``: time in the application (until the cut, where the log ends there); ``timeout_ms``: the
limit that rack-timeout gave this request, which shrinks with the wait; ``quadrant`` (fast, waited, slow,
waited_and_slow) and ``reason``, why it is NULL; ``outcome``: expired (never ran), h12, averted_h12 (cut
when its age had passed 30 s, and no H12 came), timed_out, completed, or NULL when the log does not show an
end; ``connect_ms``, ``service_ms``, ``total_ms``, ``status``, ``code``: the router's; ``joined``;
``dyno_queue_max_ms``: at most so long in the dyno's queue (service - duration); ``dyno_queue_low_ms``,
``dyno_queue_high_ms``: the same as an interval, with the two clocks set against each other over an hour of
the dyno (``skew_low_ms``, ``skew_high_ms``: how far the dyno's clock is ahead); ``before_router_ms``: the
least of the age that lies before the router's timer, or is skew (can be negative); ``router_reason``: why
those are NULL; ``zombie``: seconds of work after the H12, for nobody; ``evidence``.

``age_ms`` and ``quadrant`` stand as logged; the findings put the clock right by what it is surely wrong.
"""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd

from workbook import charts, harm, limits, words
from workbook.analysis import Bounds, Finding, Query, cite, span_of, times_of, top_routes
from workbook.statistics import wilson
from workbook.window import Window

NEEDS = ("rack_timeouts",)
REFERENCE = "book ch. 4"
STAMP_DELAY_MS = 5
"""A log line is stamped up to so long after what it tells."""
ROUNDING_MS = 2
"""Two times that were rounded to whole ms differ by less."""
QUADRANTS = ("fast", "waited", "slow", "waited_and_slow")
MIN_JOINED_SHARE = 0.5
UNRATED_COUNT = 20
"""Errors that are called critical in a log without a good request to compare with."""
SKEW_SHARE = 0.1
"""A clock that is wrong by more than this share of the limit lowers the confidence."""

# A client may send its own X-Request-Id, so an id can come twice: such an id says nothing about one request.
IDS = """
WITH ids AS (
    SELECT
        request_id,
        count(DISTINCT dyno) > 1 OR count(*) FILTER (state = 'ready') > 2 AS reused
    FROM rack_timeouts
    WHERE request_id IS NOT NULL
    GROUP BY request_id
)"""

COUNTS = f"""{IDS}
SELECT
    count(DISTINCT request_id) FILTER (reused) AS reused_ids,
    count(*) FILTER (state IN ('ready', 'active', 'completed')) AS info_lines,
    (SELECT count(*) FROM requests WHERE in_window(time, $start, $end)) AS router_requests
FROM ids
JOIN rack_timeouts USING (request_id)
WHERE in_window(time, $start, $end)
"""

SQL = f"""{IDS},
reports AS (
    SELECT
        request_id,
        dyno,
        min(time) FILTER (state = 'ready') AS ready_time,
        max(time) AS last_time,
        arg_min(age_ms, (source_id, line)) AS age_ms,
        arg_min(timeout_ms, (source_id, line)) AS timeout_ms,
        coalesce(
            arg_max(duration_ms, (source_id, line)) FILTER (state = 'completed'),
            arg_max(duration_ms, (source_id, line)) FILTER (state = 'timed_out')
        ) AS duration_ms,
        bool_or(state = 'completed') AS completed,
        bool_or(state = 'timed_out') AS timed_out,
        bool_or(state = 'expired') AS expired,
        min((source_id, line)) AS place,
        list(struct_pack(source_id := source_id, line := line) ORDER BY source_id, line)
            FILTER (state <> 'active') AS lines
    FROM rack_timeouts
    JOIN ids USING (request_id)
    WHERE NOT reused
    GROUP BY request_id, dyno
),
router_lines AS (
    SELECT
        request_id,
        count(*) AS router_lines,
        any_value(dyno) AS router_dyno,
        any_value(time) AS router_time,
        any_value(path) AS path,
        any_value(route) AS route,
        any_value(connect_ms) AS connect_ms,
        any_value(service_ms) AS service_ms,
        any_value(coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms) AS total_ms,
        any_value(status) AS status,
        any_value(code) AS code,
        any_value(struct_pack(source_id := source_id, line := line)) AS router_line
    FROM requests
    WHERE request_id IS NOT NULL
    GROUP BY request_id
),
requests_joined AS (
    SELECT
        reports.*,
        router_lines.* EXCLUDE (request_id, router_lines, router_dyno),
        router_lines.request_id IS NOT NULL AS joined,
        coalesce(router_time, last_time) AS time,
        coalesce(code = 'H12', false) AS h12,
        CASE
            WHEN NOT joined THEN 'no router line with this id'
            WHEN service_ms IS NULL THEN 'the router line has no service time'
            WHEN expired THEN 'the application never ran it'
            WHEN duration_ms IS NULL THEN 'rack-timeout logged no end'
            WHEN code IS NOT NULL THEN 'the router ended it (' || code || ') before the application did'
            WHEN service_ms - duration_ms < -$rounding_ms
                THEN 'the router counts less time than the application: another attempt'
        END AS router_reason
    FROM reports
    LEFT JOIN router_lines
        ON router_lines.request_id = reports.request_id
        AND router_lines.router_lines = 1
        AND coalesce(router_lines.router_dyno = reports.dyno, true)
),
skews AS (
    SELECT
        *,
        epoch_us(ready_time) / 1000 AS ready_ms,
        epoch_us(router_time) / 1000 - service_ms AS handed_over_ms,
        max(ready_ms - (handed_over_ms + service_ms - duration_ms) - $stamp_delay_ms - $rounding_ms)
            FILTER (router_reason IS NULL) OVER of_the_hour AS skew_low_ms,
        min(ready_ms - handed_over_ms + $rounding_ms)
            FILTER (router_reason IS NULL) OVER of_the_hour AS skew_high_ms,
        coalesce(skew_low_ms <= skew_high_ms, false) AND router_reason IS NULL AS skew_known
    FROM requests_joined
    WINDOW of_the_hour AS (PARTITION BY dyno, date_trunc('hour', router_time))
)
SELECT
    request_id,
    time,
    dyno,
    path,
    route,
    age_ms,
    duration_ms,
    CASE
        WHEN age_ms IS NULL THEN NULL
        WHEN duration_ms IS NULL AND expired AND age_ms >= $high_wait_ms THEN 'waited'
        WHEN duration_ms IS NULL THEN NULL
        WHEN age_ms >= $high_wait_ms AND duration_ms >= $slow_ms THEN 'waited_and_slow'
        WHEN age_ms >= $high_wait_ms THEN 'waited'
        WHEN duration_ms >= $slow_ms THEN 'slow'
        ELSE 'fast'
    END AS quadrant,
    CASE
        WHEN expired THEN 'expired'
        WHEN h12 THEN 'h12'
        WHEN timed_out AND joined AND greatest(age_ms + duration_ms, total_ms) >= $h12_ms THEN 'averted_h12'
        WHEN timed_out THEN 'timed_out'
        WHEN completed OR (joined AND code IS NULL) THEN 'completed'
    END AS outcome,
    total_ms,
    CASE WHEN router_reason IS NULL THEN service_ms - duration_ms END AS dyno_queue_max_ms,
    CASE WHEN router_reason IS NULL THEN age_ms + duration_ms - total_ms END AS before_router_ms,
    timeout_ms,
    connect_ms,
    service_ms,
    status,
    code,
    joined,
    CASE
        WHEN quadrant IS NOT NULL THEN NULL
        WHEN age_ms IS NULL THEN 'no X-Request-Start: the wait is not known'
        WHEN expired THEN 'expired before it ran'
        ELSE 'no end in the log: still running, killed, or the file ends'
    END AS reason,
    router_reason,
    CASE
        WHEN skew_known
            THEN greatest(0, least(service_ms - duration_ms, ready_ms - skew_high_ms - handed_over_ms))
    END AS dyno_queue_low_ms,
    CASE
        WHEN skew_known
            THEN greatest(0, least(service_ms - duration_ms, ready_ms - skew_low_ms - handed_over_ms))
    END AS dyno_queue_high_ms,
    CASE WHEN skew_known THEN skew_low_ms END AS skew_low_ms,
    CASE WHEN skew_known THEN skew_high_ms END AS skew_high_ms,
    CASE
        WHEN h12 AND completed AND age_ms + duration_ms > $h12_ms THEN (age_ms + duration_ms - $h12_ms) / 1000
    END AS zombie,
    list_concat(lines[1:4], CASE WHEN joined THEN [router_line] ELSE [] END) AS evidence
FROM skews
WHERE in_window(time, $start, $end)
ORDER BY coalesce(age_ms, 0) + coalesce(duration_ms, 0) DESC, time NULLS FIRST, place, request_id, dyno
"""


def rows(
    query: Query,
    window: Window,
    *,
    high_wait_ms: Annotated[int, Bounds(0, 60_000)] = limits.HIGH_WAIT_MS,
    slow_ms: Annotated[int, Bounds(0, 60_000)] = limits.SLOW_MS,
) -> pd.DataFrame:
    """Return one row per request of rack-timeout; columns and units stand at the head of this file.

    ``attrs`` of the table hold ``reused_ids`` (ids left out, because several requests bear them),
    ``info_lines`` (lines of rack-timeout that are no error), ``router_requests`` (router lines of the
    window) and ``broken`` (the times in which surely 1 % of the requests ended with H12).
    """
    ends: dict[str, Any] = {"start": window.start, "end": window.end}
    counts = query(COUNTS, **ends).iloc[0]
    broken = harm.broken_times(query, ends)
    table = query(
        SQL,
        **ends,
        high_wait_ms=high_wait_ms,
        slow_ms=slow_ms,
        h12_ms=limits.H12_MS,
        stamp_delay_ms=STAMP_DELAY_MS,
        rounding_ms=ROUNDING_MS,
    )
    table.attrs.update({name: int(counts[name]) for name in counts.index}, broken=broken)
    return table


def findings(
    rows: pd.DataFrame, *, high_wait_ms: int = limits.HIGH_WAIT_MS, slow_ms: int = limits.SLOW_MS
) -> list[Finding]:
    """Return who waited, who was slow, what became of the requests, and what the log cannot say."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "No request was logged by rack-timeout here, and the router's time does not tell waiting "
                "from working.",
                next_step="Install rack-timeout, or log X-Request-Start at the start of each request, "
                "and load a new log.",
                reference=REFERENCE,
            )
        ]
    shares = _shares_hold(rows)
    told = [
        _waited(rows, high_wait_ms, slow_ms, shares),
        _slow(rows, slow_ms, shares),
        _errors(rows, high_wait_ms),
        _cut(rows),
        _zombies(rows),
        _joined(rows),
        _only_errors(rows),
        _no_age(rows),
        _no_end(rows),
        _skewed(rows),
        _reused(rows),
    ]
    return [finding for finding in told if finding is not None]


def _waited(rows: pd.DataFrame, high_wait_ms: int, slow_ms: int, shares: bool) -> Finding | None:
    known = rows[rows["age_ms"].notna()]
    if known.empty:
        return None
    as_logged, known = known["age_ms"], known.assign(age_ms=_sure_age_ms(known))
    waited = known[known["age_ms"] >= high_wait_ms]
    longest = int(known["age_ms"].max())
    shifted_ms = float((known["age_ms"] - as_logged).abs().max())
    unsure = shifted_ms > SKEW_SHARE * high_wait_ms
    less = f", with the dynos' clocks put right by up to {words.ms(shifted_ms)}" if unsure else ""
    if waited.empty and not _info_lines(rows):
        return None
    if waited.empty:
        return Finding(
            "ruled_out",
            f"No request had waited {words.ms(high_wait_ms)} when work on it began: "
            f"the longest age is {words.ms(longest)} in {words.plural(len(known), 'request')}{less}.",
            numbers={"longest_age_ms": longest, "requests": len(known)},
            evidence=_worst_lines(known, "age_ms"),
            reference=REFERENCE,
            confidence="medium" if unsure else None,
            about=times_of(known),
        )
    stuck = waited[waited["duration_ms"] < slow_ms]
    failed = int(waited["outcome"].isin(["h12", "expired"]).sum())
    dynos = waited["dyno"].value_counts()
    breaks = failed and harm.breaks_users(waited, rows.attrs.get("broken"))
    fast = (
        f"; {len(stuck):,} of them were fast themselves (under {words.ms(slow_ms)}), only stuck in the queue"
    )
    return Finding(
        "critical" if breaks else "warning",
        f"{_of(len(waited), len(known), shares)} waited {words.ms(high_wait_ms)} or more before work began, "
        f"at most {words.ms(longest)}{less}{fast if len(stuck) else ''}{span_of(waited)}.",
        numbers={
            "waited_requests": len(waited),
            "requests": len(known),
            "fast_but_waited_requests": len(stuck),
            "waited_with_error_requests": failed,
            "longest_age_ms": longest,
            "median_age_ms": float(known["age_ms"].median()),
            "waited_requests_by_dyno": {str(name): int(n) for name, n in dynos.sort_index().head(20).items()},
            "waited_requests_by_route": top_routes(waited),
        },
        evidence=_worst_lines(waited, "age_ms"),
        next_step="Run blockers for who held the dyno meanwhile; then move that work to the background.",
        reference=REFERENCE,
        confidence="medium" if unsure else "high",
        about=times_of(waited),
    )


def _sure_age_ms(rows: pd.DataFrame) -> pd.Series:
    """Return the ages with the dyno's clock put right by what it is surely ahead or behind; 0 may be a cut."""
    ahead = _skew_ms(rows, "skew_low_ms").clip(lower=0)
    behind = (-_skew_ms(rows, "skew_high_ms") - ROUNDING_MS).clip(lower=0).where(rows["age_ms"] > 0, 0)
    return (rows["age_ms"] - ahead + behind).clip(lower=0).round()


def _skew_ms(rows: pd.DataFrame, column: str) -> pd.Series:
    """Return a bound of the clock's skew for each row, 0 where it is not known."""
    if column not in rows:
        return pd.Series(0.0, index=rows.index)
    return rows[column].astype("float64").fillna(0)


def _slow(rows: pd.DataFrame, slow_ms: int, shares: bool) -> Finding | None:
    known = rows[rows["duration_ms"].notna()]
    if known.empty:
        return None
    slow = known[known["duration_ms"] >= slow_ms]
    longest = int(known["duration_ms"].max())
    if slow.empty and not _info_lines(rows):
        return None
    if slow.empty:
        return Finding(
            "ruled_out",
            f"No request took {words.ms(slow_ms)} or more in the application: "
            f"the longest took {words.ms(longest)} in {words.plural(len(known), 'request')}.",
            numbers={"longest_duration_ms": longest, "requests": len(known)},
            evidence=_worst_lines(known, "duration_ms"),
            reference=REFERENCE,
            about=times_of(known),
        )
    failed = int((slow["outcome"] == "h12").sum())
    breaks = failed and harm.breaks_users(slow, rows.attrs.get("broken"))
    routes = top_routes(slow)
    most = next(iter(routes), None)
    named = f"; most of all {most} ({routes[most]:,})" if most else ""
    return Finding(
        "critical" if breaks else "warning",
        f"{_of(len(slow), len(known), shares)} took {words.ms(slow_ms)} or more in the application itself, "
        f"at most {words.ms(longest)}{named}{span_of(slow)}.",
        numbers={
            "slow_requests": len(slow),
            "requests": len(known),
            "slow_with_h12_requests": failed,
            "longest_duration_ms": longest,
            "slow_requests_by_route": routes,
        },
        evidence=_worst_lines(slow, "duration_ms", which=-2),
        next_step="Open the action; move mail, uploads, reports and calls to others into a background dyno.",
        reference=REFERENCE,
        confidence="high",
        about=times_of(slow),
    )


def _errors(rows: pd.DataFrame, high_wait_ms: int) -> Finding | None:
    h12, expired = rows[rows["outcome"] == "h12"], rows[rows["outcome"] == "expired"]
    failed = rows[rows["outcome"].isin(["h12", "expired"])]
    if failed.empty:
        return None
    waited = int((_sure_age_ms(h12) >= high_wait_ms).sum())
    breaks = len(expired) >= limits.BURST_COUNT and _surely_break(rows, expired)
    parts = []
    if len(h12):
        parts.append(
            f"{words.plural(len(h12), 'request')} ended with H12 "
            f"({waited:,} after {words.ms(high_wait_ms)} or more of waiting)"
        )
    if len(expired):
        parts.append(f"{words.plural(len(expired), 'request')} expired in the queue and never ran")
    return Finding(
        "critical" if breaks or harm.breaks_users(h12, rows.attrs.get("broken")) else "warning",
        f"{' and '.join(parts)}{span_of(failed)}.",
        numbers={
            "h12_requests": len(h12),
            "h12_after_waiting_requests": waited,
            "expired_requests": len(expired),
        },
        evidence=_worst_lines(failed, "age_ms", which=-1),
        next_step="Run blockers: it names for each H12 whether the request or its neighbours took the 30 s.",
        reference=REFERENCE,
        about=times_of(failed),
    )


def _surely_break(rows: pd.DataFrame, failed: pd.DataFrame) -> bool:
    """Return whether surely 1 % of the requests of that time failed so."""
    if not _info_lines(rows):
        return len(failed) >= UNRATED_COUNT
    if failed["time"].isna().all():
        return len(failed) / len(rows) >= limits.ERROR_SHARE
    around = rows["time"].between(failed["time"].min(), failed["time"].max())
    return wilson(int(failed["time"].notna().sum()), int(around.sum()))[0] >= limits.ERROR_SHARE


def _cut(rows: pd.DataFrame) -> Finding | None:
    cut, averted = rows[rows["outcome"] == "timed_out"], rows[rows["outcome"] == "averted_h12"]
    both = rows[rows["outcome"].isin(["timed_out", "averted_h12"])]
    if both.empty:
        return None
    unjoined = int((~cut["joined"].astype(bool)).sum())
    if unjoined == len(both):
        whose = "whose router line is not loaded: whether an H12 came is not known"
    else:
        part = f" ({unjoined:,} of them without a router line here)" if unjoined else ""
        whose = f"that got no H12 line{part}"
    return Finding(
        "warning" if len(both) >= limits.BURST_COUNT else "note",
        f"rack-timeout cut {words.plural(len(both), 'request')} {whose}; "
        f"{len(averted):,} had passed 30 s (an averted H12); "
        f"what the other {len(cut):,} would have come to, the log does not show{span_of(both)}.",
        numbers={
            "cut_requests": len(both),
            "averted_h12_requests": len(averted),
            "least_averted_requests": len(averted),
            "most_averted_requests": len(both),
            "cut_without_router_line_requests": unjoined,
        },
        evidence=_worst_lines(both, "duration_ms", which=-2),
        next_step="Read the stack of the cuts (it shows where they were cut, not why); "
        "mend the slowest route first.",
        reference=REFERENCE,
        about=times_of(both),
    )


def _zombies(rows: pd.DataFrame) -> Finding | None:
    undead = rows[rows["zombie"].notna()]
    if undead.empty:
        return None
    seconds = float(undead["zombie"].sum())
    return Finding(
        "warning" if seconds >= limits.H12_MS / 1_000 else "note",
        f"The dynos worked {seconds:,.1f} s for nobody: "
        f"{words.plural(len(undead), 'request')} went on after the H12.",
        numbers={
            "zombie_s": seconds,
            "requests": len(undead),
            "zombie_requests_by_route": top_routes(undead),
        },
        evidence=_worst_lines(undead, "zombie", which=-2),
        next_step="Lower rack-timeout's limit (10 s or less): a dyno then stops when nobody waits any more.",
        reference=REFERENCE,
        about=times_of(undead),
    )


def _joined(rows: pd.DataFrame) -> Finding:
    joined = int(rows["joined"].astype(bool).sum())
    share, routed = joined / len(rows), rows.attrs.get("router_requests")
    of_router = "" if routed is None else f"; the window has {words.plural(routed, 'router line')}"
    numbers = {"joined_requests": joined, "requests": len(rows), "joined_share": round(share, 4)}
    if routed is not None:
        numbers["router_requests"] = routed
    title = (
        f"{joined:,} of {words.plural(len(rows), 'request')} of rack-timeout have their router line "
        f"({words.share(share)}){of_router}."
    )
    if share >= MIN_JOINED_SHARE:
        return Finding("note", title, numbers=numbers, reference=REFERENCE)
    return Finding(
        "cannot_tell",
        f"{title} Shares are not stated, and H12 and routes are known only for those.",
        numbers=numbers,
        evidence=_worst_lines(rows[~rows["joined"].astype(bool)], "age_ms"),
        next_step="Load the router lines of the same time, and let rack-timeout take the id of X-Request-Id.",
        reference=REFERENCE,
    )


def _only_errors(rows: pd.DataFrame) -> Finding | None:
    if _info_lines(rows):
        return None
    return Finding(
        "cannot_tell",
        "The log holds rack-timeout's errors only, not the requests that went well: "
        "no share is stated, and no wait and no slow request is ruled out.",
        numbers={"requests": len(rows), "info_lines": 0},
        next_step="Let rack-timeout log at level info, or export the log without a filter.",
        reference=REFERENCE,
    )


def _no_age(rows: pd.DataFrame) -> Finding | None:
    missing = rows[rows["age_ms"].isna()]
    if missing.empty:
        return None
    return Finding(
        "cannot_tell",
        f"How long {_of(len(missing), len(rows), True)} waited is not known: their lines have no age (wait).",
        numbers={"requests_without_age": len(missing), "requests": len(rows)},
        evidence=_worst_lines(missing, "duration_ms"),
        next_step="See that the X-Request-Start header of the router reaches the application.",
        reference=REFERENCE,
    )


def _no_end(rows: pd.DataFrame) -> Finding | None:
    open_ended = rows[rows["duration_ms"].isna() & (rows["outcome"] != "expired")]
    if open_ended.empty:
        return None
    return Finding(
        "cannot_tell",
        f"{words.plural(len(open_ended), 'request')} began without an end in rack-timeout's lines: "
        "running, killed, or the log ends.",
        numbers={"requests_without_end": len(open_ended), "requests": len(rows)},
        evidence=_worst_lines(open_ended, "age_ms"),
        next_step="Look for restarts and kills (R15) of these dynos at that time, and load the log after it.",
        reference=REFERENCE,
        about=times_of(open_ended),
    )


def _skewed(rows: pd.DataFrame) -> Finding | None:
    """Tell of clocks that surely differ; an age too small alone may be a slow client's transfer."""
    low, high = _skew_ms(rows, "skew_low_ms"), _skew_ms(rows, "skew_high_ms")
    behind, ahead = rows[high < -ROUNDING_MS], rows[low > SKEW_SHARE * limits.HIGH_WAIT_MS]
    if behind.empty and ahead.empty:
        return None
    told, either = [], rows.loc[behind.index.union(ahead.index)]
    if len(behind):
        least, most = words.ms(-high[behind.index].max()), words.ms(-low[behind.index].min())
        told.append(
            f"The clock of {_dynos(behind)} is behind the router's by {_range(least, most)}: "
            "ages there are so much too small"
        )
    if len(ahead):
        least, most = words.ms(low[ahead.index].min()), words.ms(high[ahead.index].max())
        told.append(
            f"The clock of {_dynos(ahead)} is ahead of the router's by {_range(least, most)}: "
            "ages there are so much too large"
        )
    return Finding(
        "note",
        f"{'. '.join(told)}.",
        numbers={
            "requests": len(either),
            "skew_low_ms": round(float(low[either.index].min()), 1),
            "skew_high_ms": round(float(high[either.index].max()), 1),
        },
        evidence=_worst_lines(either, "age_ms"),
        next_step="Read the ages of these dynos with that interval in mind.",
        reference=REFERENCE,
        about=times_of(either),
    )


def _dynos(rows: pd.DataFrame) -> str:
    names = sorted(rows["dyno"].dropna().astype(str).unique())
    return names[0] if len(names) == 1 else f"{len(names):,} dynos"


def _range(least: str, most: str) -> str:
    return least if least == most else f"{least} to {most}"


def _reused(rows: pd.DataFrame) -> Finding | None:
    reused = rows.attrs.get("reused_ids", 0)
    if not reused:
        return None
    return Finding(
        "note",
        f"{words.plural(reused, 'request id')} left out: several requests bear the same id.",
        numbers={"reused_ids": reused},
        next_step="See whether a client or a proxy sends its own X-Request-Id.",
        reference=REFERENCE,
    )


def chart(
    rows: pd.DataFrame, *, high_wait_ms: int = limits.HIGH_WAIT_MS, slow_ms: int = limits.SLOW_MS
) -> Any:
    """Return wait against work, one dot per request, with the limits between the four quadrants."""
    import altair as alt

    known = rows[rows["age_ms"].notna() & rows["duration_ms"].notna()]
    if known.empty:
        return charts.empty("no request with both its age and its duration")
    shown, cut = charts.most(known.assign(sum_ms=known["age_ms"] + known["duration_ms"]), by="sum_ms")
    shown = shown.drop(columns=["evidence", "sum_ms"], errors="ignore").fillna({"outcome": "not known"})
    x = _axis("age_ms", "age: waited before work began (ms)", known["age_ms"].max(), high_wait_ms)
    y = _axis("duration_ms", "duration: worked in the application (ms)", known["duration_ms"].max(), slow_ms)
    dots = (
        alt.Chart(shown)
        .mark_circle(size=42, opacity=0.65)
        .encode(
            x=alt.X(**x),
            y=alt.Y(**y),
            color=alt.Color("outcome:N", scale=charts.colour_scale("outcome", set(shown["outcome"]))),
            tooltip=[
                "request_id:N",
                "dyno:N",
                "path:N",
                charts.time_tooltip("time"),
                "age_ms:Q",
                "duration_ms:Q",
                "total_ms:Q",
                "outcome:N",
            ],
        )
    )
    limits_drawn = [
        alt.Chart(pd.DataFrame({"age_ms": [high_wait_ms]})).mark_rule(strokeDash=[4, 4]).encode(x="age_ms:Q"),
        alt.Chart(pd.DataFrame({"duration_ms": [slow_ms]}))
        .mark_rule(strokeDash=[4, 4])
        .encode(y="duration_ms:Q"),
    ]
    counts = known["quadrant"].value_counts()
    said = ", ".join(f"{name.replace('_', ' ')} {counts.get(name, 0):,}" for name in QUADRANTS)
    sampled = (
        f"the {len(shown):,} with the longest wait and work of {len(known):,} requests"
        if cut
        else f"{len(known):,} requests"
    )
    drawn = charts.describe(
        alt.layer(*limits_drawn, dots, *_quadrant_names(slow_ms)),
        f"Wait against work of {sampled}: {said}.",
    )
    return charts.theme(drawn, "Waiting or working?", [f"Dots: {sampled}.", f"All: {said}."])


def _axis(field: str, title: str, largest: float, limit: int) -> dict[str, Any]:
    """Return the encoding of an axis from 0 on that spreads small times and still holds the largest."""
    import altair as alt

    top = max(float(largest), 3.0 * limit, 1.0) * 1.1
    marks = [0, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000]
    return {
        "shorthand": f"{field}:Q",
        "title": title,
        "scale": alt.Scale(type="symlog", constant=100, domain=[0, top], nice=False),
        "axis": alt.Axis(values=[mark for mark in marks if mark <= top], labelOverlap=True),
    }


def _quadrant_names(slow_ms: int) -> list[Any]:
    """Return the names of the quadrants: slow ones at the top, the others under the limit of slow work."""
    import altair as alt

    drawn = []
    for name, left, top in (
        ("slow", True, True),
        ("waited and slow", False, True),
        ("fast", True, False),
        ("waited", False, False),
    ):
        place = {"align": "left" if left else "right", "baseline": "top", "dx": 8 if left else -8, "dy": 6}
        base = alt.Chart(pd.DataFrame({"quadrant": [name], "duration_ms": [slow_ms]})).encode(
            x=alt.value(0 if left else "width"),
            y=alt.value(0) if top else alt.Y("duration_ms:Q"),
            text="quadrant:N",
        )
        look: dict[str, Any] = {"fontStyle": "italic", "fontWeight": "bold", "fontSize": 12, **place}
        drawn.append(base.mark_text(stroke=charts.PAPER, strokeWidth=4, **look))
        drawn.append(base.mark_text(color=charts.INK, **look))
    return drawn


def _shares_hold(rows: pd.DataFrame) -> bool:
    joined = rows["joined"].astype(bool).mean() >= MIN_JOINED_SHARE
    return bool(joined and _info_lines(rows))


def _info_lines(rows: pd.DataFrame) -> int:
    """Lines that are no error; where only the rows are known, the requests that completed."""
    return int(rows.attrs.get("info_lines", (rows["outcome"] == "completed").sum()))


def _of(part: int, whole: int, shares: bool) -> str:
    share = f" ({words.share(part / whole)})" if shares else ""
    return f"{part:,} of {words.plural(whole, 'request')}{share}"


def _worst_lines(rows: pd.DataFrame, by: str, which: int = 0) -> tuple[Any, ...]:
    """Cite one line for each of the worst requests: its first, or its last (-1: the router's)."""
    cells = rows.sort_values(by, ascending=False, kind="stable", na_position="last")["evidence"].head(5)
    lines = [list(cell) for cell in cells if cell is not None]
    return cite([cell[max(which, -len(cell))] for cell in lines if cell])
