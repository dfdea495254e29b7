"""What is known about one request, from before the router to its end?     (book ch. 4)

The request with that ``request_id``, wherever in the loaded time it lies; without an id the one that took longest
in the window, an H12 before all others. One row for each thing that is known, in the order of a time line.

Columns: ``part``: *stage* (where the request was), *line* (a log line that carries its id), *meanwhile* (another
request that its dyno had at that time), *event* (of its dyno, or a release, at that time), *near* (an id like the
one that was asked for, where that is nowhere); ``name``; ``time``, ``end_time`` (UTC): the earliest start and the
latest end; ``low_ms``, ``high_ms``: it took at least and at most so long (another request: of it beside this one, and
in all); ``from_ms``, ``to_ms``: earliest start and latest end, counted from the moment at which the router had the
request; ``sure_from_ms``, ``sure_to_ms``: the part of it in which it surely was there (another request: in which the
dyno worked on it, by rack-timeout); ``request_id``, ``dyno``, ``code``, ``status``; ``text``: the line, or a remark;
``of_all``: how many there are of that part, of which at most 50 are shown; ``evidence``.

The stages: router (all of the time that the router counted; its ``text`` is method and route), before_router (by
rack-timeout's age: the way to the router, or a clock that is wrong), router_queue (logged until 2013), connect,
dyno_queue (an interval: rack-timeout's or the application's own time does not say when work began, the stamps of the
lines do, as far as the dyno's clock is known), application, of which ``view`` and ``database`` (when within it is not
logged), response (until the client had all of it) and after_router (the dyno went on after the router had ended it:
work that nobody waits for). Without a time of the application the log does not tell waiting from working: then
``dyno`` is all three together.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Finding, Query, cite, largest, times_of
from workbook.window import Window

NEEDS = (("requests", "rack_timeouts", "app_requests"),)
IN_TRIAGE = False
REFERENCE = "book ch. 4"
STAMP_DELAY_MS = 5
"""A log line is stamped up to so long after what it tells."""
ROUNDING_MS = 2
"""Two times that were rounded to whole ms differ by less."""
MOST_SHOWN = 50
MOST_NEAR = 5
HALF = 0.5
"""What took this share of the time or more is where the time went."""

# The clock of a dyno is set against the router's by all requests of half an hour before and after, whose lines
# have fractions of a second.
SQL = """
WITH router_lines AS (
    SELECT
        *,
        coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms AS total_ms,
        time - to_milliseconds(total_ms) AS came
    FROM requests
),
longest AS (
    SELECT *
    FROM router_lines
    WHERE CASE WHEN $request_id = '' THEN in_window(time, $start, $end) ELSE request_id = $request_id END
    ORDER BY coalesce(code = 'H12', false) DESC, total_ms DESC NULLS LAST, time NULLS LAST, source_id, line
    LIMIT 1
),
asked AS (
    SELECT longest.*, coalesce(longest.request_id, nullif($request_id, '')) AS id
    FROM (SELECT 1)
    LEFT JOIN longest ON true
),
report AS (
    SELECT
        any_value(rack_timeouts.dyno) AS report_dyno,
        min(rack_timeouts.time) FILTER (state = 'ready') AS ready_time,
        min(rack_timeouts.time) FILTER (state = 'expired') AS expired_time,
        arg_min(age_ms, (rack_timeouts.source_id, rack_timeouts.line)) AS age_ms,
        coalesce(
            arg_max(duration_ms, (rack_timeouts.source_id, rack_timeouts.line)) FILTER (state = 'completed'),
            arg_max(duration_ms, (rack_timeouts.source_id, rack_timeouts.line)) FILTER (state = 'timed_out')
        ) AS duration_ms,
        coalesce(bool_or(state = 'expired'), false) AS expired,
        count(*) FILTER (state = 'ready') AS ready_lines
    FROM rack_timeouts
    JOIN asked ON rack_timeouts.request_id = asked.id AND coalesce(rack_timeouts.dyno = asked.dyno, true)
),
app AS (
    SELECT
        arg_max(duration_ms, (app_requests.source_id, app_requests.line)) AS app_ms,
        arg_max(view_ms, (app_requests.source_id, app_requests.line)) AS view_ms,
        arg_max(db_ms, (app_requests.source_id, app_requests.line)) AS db_ms,
        arg_max(app_requests.controller || '#' || action, (app_requests.source_id, app_requests.line)) AS action,
        any_value(app_requests.dyno) AS app_dyno,
        count(*) AS app_lines
    FROM app_requests
    JOIN asked ON app_requests.request_id = asked.id AND coalesce(app_requests.dyno = asked.dyno, true)
),
neighbours AS (
    SELECT
        router_lines.request_id,
        any_value(router_lines.time) AS time,
        any_value(router_lines.service_ms) AS service_ms,
        any_value(rack_timeouts.ready_time) AS ready_time,
        any_value(rack_timeouts.duration_ms) AS duration_ms
    FROM router_lines
    JOIN (
        SELECT
            request_id,
            dyno,
            min(time) FILTER (state = 'ready') AS ready_time,
            max(duration_ms) FILTER (state = 'completed') AS duration_ms
        FROM rack_timeouts
        GROUP BY request_id, dyno
        HAVING count(*) FILTER (state = 'ready') = 1 AND duration_ms IS NOT NULL
    ) AS rack_timeouts
        ON rack_timeouts.request_id = router_lines.request_id AND rack_timeouts.dyno = router_lines.dyno
    JOIN asked
        ON asked.dyno = router_lines.dyno
        AND router_lines.time BETWEEN asked.time - INTERVAL 30 MINUTE AND asked.time + INTERVAL 30 MINUTE
    WHERE
        router_lines.code IS NULL
        AND router_lines.service_ms >= rack_timeouts.duration_ms - $rounding_ms
        AND epoch_us(router_lines.time) % 1_000_000 <> 0
        AND epoch_us(ready_time) % 1_000_000 <> 0
    GROUP BY router_lines.request_id
    HAVING count(*) = 1
),
clock AS (
    SELECT
        max(epoch_us(ready_time) / 1000 - (epoch_us(time) / 1000 - duration_ms)) - $stamp_delay_ms - $rounding_ms
            AS skew_low_ms,
        min(epoch_us(ready_time) / 1000 - (epoch_us(time) / 1000 - service_ms)) + $rounding_ms AS skew_high_ms,
        coalesce(skew_low_ms <= skew_high_ms, false) AS skew_known
    FROM neighbours
),
spent AS (
    SELECT
        asked.*,
        report.*,
        app.*,
        clock.*,
        coalesce(asked.dyno, report_dyno, app_dyno) AS its_dyno,
        coalesce(asked.wait_ms, 0) + coalesce(asked.connect_ms, 0) AS handed_ms,
        CASE
            WHEN ready_lines > 1 OR app_lines > 1 THEN NULL
            WHEN expired THEN 0
            ELSE coalesce(duration_ms, app_ms)
        END AS work_ms,
        coalesce(service_ms IS NOT NULL AND work_ms IS NOT NULL, false)
            AND CASE
                WHEN code IS NULL THEN service_ms >= work_ms - $rounding_ms
                ELSE age_ms IS NOT NULL
            END AS told_apart,
        CASE WHEN code IS NULL THEN greatest(0, service_ms - work_ms) END AS spare_ms,
        CASE WHEN skew_known OR spare_ms IS NULL THEN greatest(0, age_ms - handed_ms - least(skew_low_ms, 0)) END
            AS waited_ms,
        least(waited_ms, spare_ms) AS most_ms,
        CASE
            WHEN skew_known AND epoch_us(coalesce(ready_time, expired_time)) % 1_000_000 <> 0
                THEN epoch_us(coalesce(ready_time, expired_time)) / 1000 - epoch_us(came) / 1000 - handed_ms
        END AS stamped_ms,
        greatest(0, least(most_ms, coalesce(stamped_ms - skew_high_ms - $stamp_delay_ms, 0))) AS queue_low_ms,
        greatest(
            queue_low_ms,
            least(most_ms, coalesce(stamped_ms - skew_low_ms + $rounding_ms, most_ms))
        ) AS queue_high_ms
    FROM asked, report, app, clock
),
placed AS (
    SELECT
        *,
        handed_ms + queue_low_ms + work_ms AS work_end_low_ms,
        handed_ms + queue_high_ms + work_ms AS work_end_high_ms,
        time - to_milliseconds(total_ms) AS zero
    FROM spent
    WHERE id IS NOT NULL OR line IS NOT NULL
),
stages AS (
    SELECT
        0 AS step,
        'router' AS name,
        0::DOUBLE AS from_ms,
        0::DOUBLE AS sure_from_ms,
        total_ms::DOUBLE AS sure_to_ms,
        total_ms::DOUBLE AS to_ms,
        coalesce(method || ' ', '') || coalesce(route, 'a path that the line does not name') AS text
    FROM placed
    WHERE line IS NOT NULL
    UNION ALL
    SELECT
        1 AS step,
        'before_router' AS name,
        -(age_ms - handed_ms - queue_low_ms - CASE WHEN skew_known THEN skew_low_ms ELSE 0 END)::DOUBLE AS from_ms,
        least(
            0,
            -(age_ms - handed_ms - queue_high_ms - CASE WHEN skew_known THEN skew_high_ms ELSE 0 END)
        )::DOUBLE AS sure_from_ms,
        0::DOUBLE AS sure_to_ms,
        0::DOUBLE AS to_ms,
        CASE WHEN NOT skew_known THEN 'or the clocks of router and dyno differ' END AS text
    FROM placed
    WHERE told_apart AND age_ms - handed_ms - queue_low_ms - CASE WHEN skew_known THEN skew_low_ms ELSE 0 END >= 0
    UNION ALL
    SELECT 2, 'router_queue', 0, 0, wait_ms, wait_ms, NULL
    FROM placed
    WHERE wait_ms IS NOT NULL
    UNION ALL
    SELECT 3, 'connect', coalesce(wait_ms, 0), coalesce(wait_ms, 0), handed_ms, handed_ms, NULL
    FROM placed
    WHERE connect_ms IS NOT NULL
    UNION ALL
    SELECT
        4,
        'dyno_queue',
        handed_ms,
        handed_ms,
        handed_ms + queue_low_ms,
        handed_ms + queue_high_ms,
        CASE WHEN stamped_ms IS NULL THEN 'the stamps of its lines do not narrow it' END
    FROM placed
    WHERE told_apart
    UNION ALL
    SELECT
        5,
        'application',
        handed_ms + queue_low_ms,
        CASE WHEN queue_high_ms < queue_low_ms + work_ms THEN handed_ms + queue_high_ms END,
        CASE WHEN queue_high_ms < queue_low_ms + work_ms THEN work_end_low_ms END,
        work_end_high_ms,
        CASE
            WHEN expired THEN 'expired: rack-timeout dropped it before the application ran'
            WHEN duration_ms IS NULL THEN 'by the application''s own line'
        END
    FROM placed
    WHERE told_apart
    UNION ALL
    SELECT 6, unnest(['view', 'database']), handed_ms + queue_low_ms, NULL, NULL, work_end_high_ms, action
    FROM placed
    WHERE told_apart
    UNION ALL
    SELECT
        7,
        'response',
        work_end_low_ms,
        CASE WHEN work_end_high_ms < total_ms THEN work_end_high_ms END,
        CASE WHEN work_end_high_ms < total_ms THEN total_ms END,
        total_ms,
        NULL
    FROM placed
    WHERE told_apart AND code IS NULL AND work_end_low_ms <= total_ms
    UNION ALL
    SELECT
        8,
        'after_router',
        total_ms,
        total_ms,
        greatest(total_ms, work_end_low_ms),
        greatest(total_ms, work_end_high_ms),
        'work that nobody waits for'
    FROM placed
    WHERE told_apart AND code IS NOT NULL AND work_end_high_ms > total_ms AND NOT expired
    UNION ALL
    SELECT
        5,
        'dyno',
        handed_ms,
        handed_ms,
        handed_ms + service_ms,
        handed_ms + service_ms,
        CASE
            WHEN work_ms IS NULL THEN 'waiting, working and answering are not told apart'
            WHEN code IS NOT NULL THEN 'the router ended it before the application: when work began is not known'
            ELSE 'the application counts more time than the router: the lines belong to different requests'
        END
    FROM placed
    WHERE service_ms IS NOT NULL AND NOT told_apart
    UNION ALL
    SELECT 5, 'application', NULL, NULL, NULL, NULL, 'where it stands on the time line is not known'
    FROM placed
    WHERE work_ms IS NOT NULL AND NOT told_apart
),
stage_rows AS (
    SELECT
        'stage' AS part,
        name,
        zero + to_microseconds((1000 * from_ms)::BIGINT) AS time,
        zero + to_microseconds((1000 * to_ms)::BIGINT) AS end_time,
        CASE name
            WHEN 'application' THEN work_ms
            WHEN 'view' THEN view_ms
            WHEN 'database' THEN db_ms
            WHEN 'after_router' THEN sure_to_ms - total_ms
            WHEN 'response' THEN greatest(0, total_ms - work_end_high_ms)
            ELSE sure_to_ms - sure_from_ms
        END::DOUBLE AS low_ms,
        CASE name
            WHEN 'application' THEN work_ms
            WHEN 'view' THEN view_ms
            WHEN 'database' THEN db_ms
            ELSE to_ms - from_ms
        END::DOUBLE AS high_ms,
        from_ms,
        to_ms,
        sure_from_ms,
        sure_to_ms,
        id AS request_id,
        its_dyno AS dyno,
        code,
        status,
        text,
        count(*) OVER () AS of_all,
        CASE WHEN line IS NOT NULL THEN struct_pack(source_id, line) END AS evidence,
        step AS place
    FROM stages, placed
    WHERE high_ms IS NOT NULL OR name = 'router'
),
its_lines AS (
    SELECT
        'line' AS part,
        CASE
            WHEN log_lines.process = 'router' THEN 'router'
            WHEN rack_timeouts.state IS NOT NULL THEN 'rack-timeout: ' || rack_timeouts.state
            WHEN app_requests.line IS NOT NULL THEN 'application: completed'
            ELSE log_lines.source || coalesce('[' || log_lines.process || ']', '')
        END AS name,
        log_lines.time,
        log_lines.time AS end_time,
        (epoch_us(log_lines.time) - epoch_us(zero)) / 1000 AS from_ms,
        id AS request_id,
        CASE WHEN log_lines.process <> 'router' THEN log_lines.process END AS dyno,
        left(log_lines.message, 500) AS text,
        count(*) OVER () AS of_all,
        struct_pack(source_id := log_lines.source_id, line := log_lines.line) AS evidence,
        row_number() OVER (ORDER BY log_lines.time NULLS FIRST, log_lines.source_id, log_lines.line) AS place
    FROM placed
    JOIN log_lines
        ON (log_lines.source_id = placed.source_id AND log_lines.line = placed.line)
        OR (
            contains(log_lines.message, placed.id)
            AND regexp_matches(
                log_lines.message,
                '(^|[^0-9A-Za-z_-])' || regexp_escape(placed.id) || '($|[^0-9A-Za-z_-])'
            )
        )
    LEFT JOIN rack_timeouts
        ON rack_timeouts.source_id = log_lines.source_id AND rack_timeouts.line = log_lines.line
    LEFT JOIN app_requests
        ON app_requests.source_id = log_lines.source_id AND app_requests.line = log_lines.line
),
works AS (
    SELECT
        request_id,
        dyno,
        min(time) FILTER (state = 'ready') AS work_start,
        work_start + to_milliseconds(max(duration_ms) FILTER (state IN ('completed', 'timed_out'))) AS work_end
    FROM rack_timeouts
    GROUP BY request_id, dyno
    HAVING count(*) FILTER (state = 'ready') = 1 AND epoch_us(work_start) % 1_000_000 <> 0 AND work_end IS NOT NULL
),
others AS (
    SELECT
        'meanwhile' AS part,
        coalesce(o.method || ' ', '') || coalesce(o.route, 'a request') AS name,
        o.came AS time,
        o.time AS end_time,
        (epoch_us(least(o.time, last_time)) - epoch_us(greatest(o.came, zero))) / 1000 AS low_ms,
        o.total_ms AS high_ms,
        (epoch_us(o.came) - epoch_us(zero)) / 1000 AS from_ms,
        (epoch_us(greatest(o.time, works.work_end)) - epoch_us(zero)) / 1000 AS to_ms,
        (epoch_us(works.work_start) - epoch_us(zero)) / 1000 - own.ahead_ms AS sure_from_ms,
        (epoch_us(works.work_end) - epoch_us(zero)) / 1000 - own.ahead_ms AS sure_to_ms,
        o.request_id,
        o.dyno,
        o.code,
        o.status,
        count(*) OVER () AS of_all,
        struct_pack(source_id := o.source_id, line := o.line) AS evidence,
        row_number() OVER (
            ORDER BY
                CASE
                    WHEN sure_to_ms IS NOT NULL
                        THEN greatest(
                            0,
                            least(sure_to_ms, epoch_ms(last_time) - epoch_ms(zero)) - greatest(sure_from_ms, 0)
                        )
                END DESC NULLS LAST,
                low_ms DESC,
                o.came,
                o.source_id,
                o.line
        ) AS place
    FROM (
        SELECT
            *,
            zero + to_microseconds((1000 * greatest(total_ms, coalesce(work_end_low_ms, 0)))::BIGINT) AS last_time,
            CASE WHEN skew_known THEN (skew_low_ms + skew_high_ms) / 2 ELSE 0 END AS ahead_ms
        FROM placed
    ) AS own
    JOIN router_lines AS o
        ON o.dyno = own.its_dyno
        AND o.time > own.zero
        AND o.came < own.last_time
        AND (o.source_id <> own.source_id OR o.line <> own.line)
        AND o.status IS DISTINCT FROM 101
    LEFT JOIN works ON works.request_id = o.request_id AND works.dyno = o.dyno
),
told_events AS (
    SELECT source_id, line, time, dyno, coalesce('now ' || to_state, event) AS name, detail AS text
    FROM dyno_states
    UNION ALL
    SELECT source_id, line, time, dyno, code, description
    FROM dyno_errors
    UNION ALL
    SELECT source_id, line, time, dyno, exception, coalesce(first_own_frame, message)
    FROM stack_traces
    UNION ALL
    SELECT source_id, line, time, NULL, concat_ws(' ', event, version), description
    FROM releases
    UNION ALL
    SELECT source_id, line, time, NULL, code, description
    FROM log_errors
),
events AS (
    SELECT
        'event' AS part,
        told_events.name,
        told_events.time,
        told_events.time AS end_time,
        (epoch_us(told_events.time) - epoch_us(zero)) / 1000 AS from_ms,
        told_events.dyno,
        left(told_events.text, 500) AS text,
        count(*) OVER () AS of_all,
        struct_pack(source_id := told_events.source_id, line := told_events.line) AS evidence,
        row_number() OVER (ORDER BY told_events.time, told_events.source_id, told_events.line) AS place
    FROM placed
    JOIN told_events
        ON coalesce(told_events.dyno = placed.its_dyno, true)
        AND told_events.time BETWEEN zero - to_seconds($r14_gap_s) AND placed.time + INTERVAL 1 MINUTE
),
known_ids AS (
    SELECT request_id, min(time) AS time, arg_min(struct_pack(source_id, line), (source_id, line)) AS evidence
    FROM (
        SELECT request_id, time, source_id, line FROM requests
        UNION ALL
        SELECT request_id, time, source_id, line FROM rack_timeouts
        UNION ALL
        SELECT request_id, time, source_id, line FROM app_requests
    )
    WHERE $request_id <> '' AND request_id IS NOT NULL AND NOT EXISTS (FROM its_lines)
    GROUP BY request_id
),
near AS (
    SELECT
        'near' AS part,
        'an id like it' AS name,
        time,
        request_id,
        count(*) OVER () AS of_all,
        evidence,
        row_number() OVER (ORDER BY levenshtein(request_id, $request_id), request_id) AS place
    FROM known_ids
    WHERE
        starts_with(request_id, $request_id)
        OR contains(request_id, $request_id)
        OR levenshtein(request_id, $request_id) <= least(4, length($request_id) // 4)
),
all_rows AS (
    SELECT 1 AS part_place, * FROM stage_rows
    UNION ALL BY NAME
    SELECT 2 AS part_place, * FROM its_lines WHERE place <= $most_shown
    UNION ALL BY NAME
    SELECT 3 AS part_place, * FROM others WHERE place <= $most_shown
    UNION ALL BY NAME
    SELECT 4 AS part_place, * FROM events WHERE place <= $most_shown
    UNION ALL BY NAME
    SELECT 5 AS part_place, * FROM near WHERE place <= $most_near
)
SELECT
    part,
    name,
    time,
    end_time,
    round(low_ms, 3) AS low_ms,
    round(high_ms, 3) AS high_ms,
    round(from_ms, 3) AS from_ms,
    round(sure_from_ms, 3) AS sure_from_ms,
    round(sure_to_ms, 3) AS sure_to_ms,
    round(to_ms, 3) AS to_ms,
    request_id,
    dyno,
    code,
    status,
    text,
    of_all,
    evidence
FROM all_rows
ORDER BY part_place, place, from_ms, name
"""


def rows(query: Query, window: Window, *, request_id: str = "") -> pd.DataFrame:
    """Return all that is known of one request; columns and units stand at the head of this file.

    An id is looked for in all that is loaded, whatever the window; without one, the longest request of the window
    is taken, an H12 before all others.
    """
    return query(
        SQL,
        request_id=request_id.strip(),
        start=window.start,
        end=window.end,
        stamp_delay_ms=STAMP_DELAY_MS,
        rounding_ms=ROUNDING_MS,
        most_shown=MOST_SHOWN,
        most_near=MOST_NEAR,
        r14_gap_s=limits.R14_GAP_S,
    )


def findings(rows: pd.DataFrame, *, request_id: str = "") -> list[Finding]:
    """Return where the request's time went, what its dyno did meanwhile, and what the log does not say."""
    lines = rows[rows["part"] == "line"]
    if lines.empty:
        return [_not_there(rows, request_id.strip())]
    told = [_story(rows, lines, request_id.strip()), _meanwhile(rows), _events(rows), _reused(rows)]
    return [finding for finding in told if finding is not None]


def _not_there(rows: pd.DataFrame, request_id: str) -> Finding:
    if not request_id:
        return Finding(
            "cannot_tell",
            "No router line lies in this window, and no request id was given.",
            next_step="Give the id of a request (--request-id), as it stands in a line of the log.",
            reference=REFERENCE,
        )
    near = rows[rows["part"] == "near"]
    like = ", ".join(str(one) for one in near["request_id"])
    return Finding(
        "cannot_tell",
        f"No loaded line carries the request id {request_id}"
        + (f"; like it: {like}." if like else ", nor is there one like it."),
        evidence=cite(list(near["evidence"])),
        next_step="Copy the id whole from a line of the log (request_id=…), or load the log of its time.",
        reference=REFERENCE,
    )


def _stages(rows: pd.DataFrame) -> dict[str, pd.Series]:
    stages = rows[rows["part"] == "stage"]
    return {str(one["name"]): one for _, one in stages.iterrows()}


_SAID = {
    "before_router": "before the router",
    "router_queue": "in the router's queue",
    "connect": "to connect",
    "dyno_queue": "in the dyno's queue",
    "application": "in the application",
    "response": "to answer",
    "dyno": "at the dyno (waiting, working and answering together)",
}


def _story(rows: pd.DataFrame, lines: pd.DataFrame, request_id: str) -> Finding:
    """Say where the time of the request went, in one sentence."""
    stages = _stages(rows)
    whole = stages.get("router")
    chosen = "" if request_id else "; the longest of the window, an H12 first, since no id was given"
    if whole is None:
        worked = stages.get("application")
        took = f"; the application took {words.ms(worked['high_ms'])}" if worked is not None else ""
        return Finding(
            "cannot_tell",
            f"{words.plural(int(lines['of_all'].iloc[0]), 'line')} "
            f"{'carries' if len(lines) == 1 else 'carry'} the request id {request_id}, none of them the "
            f"router's: how long it waited cannot be told{took}.",
            numbers=_numbers(stages, lines),
            evidence=cite(list(lines["evidence"])),
            next_step="Load the router's log of that time; the router passes its id on in X-Request-Id.",
            reference=REFERENCE,
            about=times_of(lines, "time", "end_time"),
        )
    total_ms = whole["high_ms"]
    spent = [
        f"{_between(stages[name])} {said}{_within(stages) if name == 'application' else ''}"
        for name, said in _SAID.items()
        if name in stages and (stages[name]["high_ms"] > 0 or name == "dyno_queue")
    ]
    verdict, confidence = _verdict(stages)
    ended = f"ended with {whole['code']}" if pd.notna(whole["code"]) else f"status {whole['status']:.0f}"
    if pd.isna(whole["code"]) and pd.isna(whole["status"]):
        ended = "with no status logged"
    after = "" if pd.isna(total_ms) else f" after {words.ms(total_ms)}"
    bad = pd.notna(whole["code"]) or (pd.notna(total_ms) and total_ms >= limits.SLOW_MS)
    parts = f": {', '.join(spent)}" if spent else ""
    dyno = f" on {whole['dyno']}" if pd.notna(whole["dyno"]) else ""
    when = "" if pd.isna(whole["end_time"]) else f", at {words.time(whole['end_time'])} UTC"
    return Finding(
        ("warning" if bad else "note") if verdict else "cannot_tell",
        f"{whole['text']}{dyno} {ended}{after}{when}{parts}; {verdict or 'the log does not tell why'}{chosen}.",
        numbers=_numbers(stages, lines),
        evidence=cite(list(lines["evidence"])),
        next_step=_next_step(stages, bad),
        reference=REFERENCE,
        confidence=confidence,
        about=times_of(lines, "time", "end_time"),
    )


def _within(stages: dict[str, pd.Series]) -> str:
    """Return what of the application's time is known: view and database, and what came after the router's end."""
    inner = [f"{name} {words.ms(stages[name]['high_ms'])}" for name in ("view", "database") if name in stages]
    if "after_router" in stages:
        inner.append(f"{_between(stages['after_router'])} after the router had ended it")
    return f" (of it {', '.join(inner)})" if inner else ""


def _between(stage: pd.Series) -> str:
    low, high = words.ms(stage["low_ms"]), words.ms(stage["high_ms"])
    return low if low == high else f"{low} to {high}"


def _verdict(stages: dict[str, pd.Series]) -> tuple[str | None, str | None]:
    """Return where half of the time or more surely went, and how sure that is; None where one cannot tell."""
    total_ms = stages["router"]["high_ms"]
    half_ms = HALF * total_ms
    if "router_queue" in stages and stages["router_queue"]["high_ms"] >= half_ms:
        return "it mostly waited in the router's queue", "high"
    if "dyno_queue" not in stages or pd.isna(total_ms):
        short = pd.notna(total_ms) and total_ms < limits.SLOW_MS and pd.isna(stages["router"]["code"])
        return ("that is not slow", None) if short else (None, None)
    queue, work_ms = stages["dyno_queue"], stages["application"]["high_ms"]
    if queue["low_ms"] >= half_ms:
        return "it mostly waited for its dyno", "high"
    # what the router counted of the work: all but what came after its end
    if min(work_ms, total_ms - queue["high_ms"]) >= half_ms or (
        pd.isna(stages["router"]["code"]) and work_ms >= half_ms
    ):
        return "it mostly worked", "high"
    if "response" in stages and stages["response"]["low_ms"] >= half_ms:
        return "most of it went by on the way to the client", "high"
    return None, None


def _next_step(stages: dict[str, pd.Series], bad: bool) -> str:
    if not bad:
        return ""
    if "dyno_queue" not in stages:
        return (
            "Log with rack-timeout (or X-Request-Start): it gives the wait. blockers says what the order of the "
            "answers makes likely."
        )
    if stages["dyno_queue"]["low_ms"] >= HALF * (stages["router"]["high_ms"] or 0):
        return "Look at what the dyno did meanwhile (below), and run blockers for all who waited like it."
    return (
        "Look at its lines and at what its dyno did meanwhile; slow_transactions compares it with its route."
    )


def _numbers(stages: dict[str, pd.Series], lines: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, one in stages.items():
        if name == "router":
            if pd.notna(one["high_ms"]):
                found["total_ms"] = float(one["high_ms"])
        elif one["low_ms"] == one["high_ms"]:
            found[f"{name}_ms"] = float(one["high_ms"])
        else:
            found[f"{name}_low_ms"], found[f"{name}_high_ms"] = float(one["low_ms"]), float(one["high_ms"])
    found["lines"] = int(lines["of_all"].iloc[0])
    return found


def _meanwhile(rows: pd.DataFrame) -> Finding | None:
    """Name the requests that the dyno had at the same time; whether they held it is another question."""
    others = rows[rows["part"] == "meanwhile"]
    whole = _stages(rows).get("router")
    if whole is None or pd.isna(whole["end_time"]) or pd.isna(whole["dyno"]):
        return None
    if others.empty:
        return Finding(
            "note",
            f"{whole['dyno']} had no other request at that time, as far as these files show.",
            numbers={"other_requests": 0},
            reference=REFERENCE,
        )
    longest = largest(others, "low_ms")
    earlier = int((others["from_ms"] < 0).sum())
    worked = _worked_meanwhile(rows, others)
    held = (
        f"; while it waited the dyno worked on {worked.index[0]} for {words.ms(worked.iloc[0])}"
        if len(worked)
        else ""
    )
    return Finding(
        "note",
        f"Meanwhile {whole['dyno']} had {words.plural(int(longest['of_all']), 'other request')}, "
        f"{earlier:,} of them already there when it came; longest beside it: {longest['name']} "
        f"({words.ms(longest['low_ms'])} of {words.ms(longest['high_ms'])}){held}.",
        numbers={
            "other_requests": int(longest["of_all"]),
            "earlier_requests": earlier,
            "longest_overlap_ms": round(float(longest["low_ms"]), 1),
            **({"worked_meanwhile_ms_by_route": worked.head(5).round(1).to_dict()} if len(worked) else {}),
        },
        evidence=cite(list(others["evidence"].head(5))),
        next_step="To be there at once is not to block: blockers tells who held the dyno, and how sure that is.",
        reference=REFERENCE,
        about=times_of(others, "time", "end_time"),
    )


def _worked_meanwhile(rows: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """Return for how many ms the dyno surely worked on other routes while the request waited, most first."""
    queue = _stages(rows).get("dyno_queue")
    if queue is None:
        return pd.Series(dtype="float64")
    until = others["sure_to_ms"].clip(upper=float(queue["sure_to_ms"]))
    held = (until - others["sure_from_ms"].clip(lower=float(queue["from_ms"]))).clip(lower=0)
    by_route = held.groupby(others["name"], sort=True).sum()
    return by_route[by_route > 0].sort_values(ascending=False, kind="stable")


def _events(rows: pd.DataFrame) -> Finding | None:
    events = rows[rows["part"] == "event"]
    if events.empty:
        return None
    named = events["name"].value_counts()
    ranked = sorted(named.items(), key=lambda pair: (-pair[1], str(pair[0])))
    said = ", ".join(f"{name} ({count:,})" if count > 1 else str(name) for name, count in ranked[:5])
    return Finding(
        "note",
        f"{words.plural(int(events['of_all'].iloc[0]), 'event')} of its dyno or of the app near that time: {said}.",
        numbers={"events": int(events["of_all"].iloc[0])},
        evidence=cite(list(events["evidence"].head(5))),
        reference=REFERENCE,
        about=times_of(events, "time", "end_time"),
    )


def _reused(rows: pd.DataFrame) -> Finding | None:
    """Warn of an id that several router lines carry: a client may send its own X-Request-Id."""
    routed = rows[(rows["part"] == "line") & (rows["name"] == "router")]
    if len(routed) < 2:
        return None
    return Finding(
        "note",
        f"{len(routed):,} router lines carry this id, perhaps sent by the client: the time line is that of the "
        "longest, an H12 first.",
        numbers={"router_lines": len(routed)},
        evidence=cite(list(routed["evidence"])),
        reference=REFERENCE,
    )


LANES = (
    *("before_router", "router_queue", "connect", "dyno_queue", "application", "view", "database", "dyno"),
    *("response", "after_router"),
)
OTHERS_DRAWN = 8
SINCE = "time since the router had the request (s)"


def chart(rows: pd.DataFrame) -> Any:
    """Return the time line: a lane for each stage, its lines, and the other requests that the dyno had."""
    import altair as alt

    bars, ticks = _bars(rows), _ticks(rows)
    if bars.empty:
        return charts.empty("no router line with this id: nothing to draw")
    whole = _stages(rows)["router"]
    lanes = list(dict.fromkeys([*bars["lane"], *ticks["lane"]]))
    x = alt.X("start_s:Q", title=SINCE)
    y = alt.Y("lane:N", title=None, sort=lanes)
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(_KINDS), range=list(_KINDS.values())),
        legend=alt.Legend(title=None),
    )
    told = [
        "lane:N",
        "took:N",
        alt.Tooltip("start_s:Q", format=".3f"),
        alt.Tooltip("end_s:Q", format=".3f"),
        "what:N",
    ]
    perhaps = (
        alt.Chart(bars)
        .mark_bar(opacity=0.35, height={"band": 0.7})
        .encode(x=x, x2="end_s:Q", y=y, color=colour, tooltip=told)
    )
    surely = (
        alt.Chart(bars[bars["sure_end_s"] > bars["sure_start_s"]])
        .mark_bar(height={"band": 0.7})
        .encode(x=alt.X("sure_start_s:Q", title=SINCE), x2="sure_end_s:Q", y=y, color=colour, tooltip=told)
    )
    took = (
        alt.Chart(bars)
        .mark_text(align="left", dx=4)
        .encode(x=alt.X("end_s:Q", title=SINCE), y=y, text="took:N")
    )
    layers = [perhaps, surely, took]
    if len(ticks):
        layers.append(
            alt.Chart(ticks)
            .mark_tick(color=charts.INK, thickness=2)
            .encode(x=x, y=y, tooltip=["lane:N", alt.Tooltip("start_s:Q", format=".3f"), "what:N"])
        )
    if pd.notna(whole["to_ms"]):
        ends = pd.DataFrame({"start_s": [0.0, whole["to_ms"] / 1000]})
        layers.append(alt.Chart(ends).mark_rule(strokeDash=[4, 3]).encode(x=x))
    said = f"Where the {words.ms(whole['high_ms'])} of {whole['text']} went, and what its dyno had meanwhile."
    drawn = alt.layer(*layers).properties(height={"step": 22})
    return charts.theme(
        charts.describe(drawn, said),
        f"{words.cut(str(whole['text']), 60)}: {words.ms(whole['high_ms'])}",
        [
            f"ended {words.time(whole['end_time'])} UTC, status {words.number(whole['status'])}"
            f"{'' if pd.isna(whole['code']) else ' ' + str(whole['code'])}; id {whole['request_id'] or words.MISSING}",
            "pale: somewhere in it, or only there; full: surely; dashed: the router had it, and ended it",
        ],
    )


_KINDS = {
    "waiting": charts.COLOURS["waited"],
    "working": charts.COLOURS["slow"],
    "not told apart": charts.GREY,
    "other request of the dyno": charts.SKY,
}
_WORKING = ("application", "view", "database", "after_router")


def _kind(name: str) -> str:
    return "not told apart" if name == "dyno" else "working" if name in _WORKING else "waiting"


def _bars(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a bar for each stage that has a place in time, and for the other requests that lay longest beside it."""
    placed = rows[rows["from_ms"].notna() & rows["to_ms"].notna()]
    found = [
        (name.replace("_", " "), one, _between(one), _kind(name))
        for name, one in sorted(_stages(placed).items(), key=lambda pair: _lane(pair[0]))
        if name in LANES
    ]
    others = placed[placed["part"] == "meanwhile"].head(OTHERS_DRAWN)
    found += [
        (
            f"{words.cut(str(one['name']), 34)} ({number})",
            one,
            words.ms(one["high_ms"]),
            "other request of the dyno",
        )
        for number, (_, one) in enumerate(others.iterrows(), 1)
    ]
    return pd.DataFrame(
        [
            {
                "lane": lane,
                "start_s": one["from_ms"] / 1000,
                "end_s": one["to_ms"] / 1000,
                "sure_start_s": one["sure_from_ms"] / 1000,
                "sure_end_s": one["sure_to_ms"] / 1000,
                "took": took,
                "kind": kind,
                "what": one["text"] if kind != "other request of the dyno" else one["request_id"],
            }
            for lane, one, took, kind in found
        ],
        columns=["lane", "start_s", "end_s", "sure_start_s", "sure_end_s", "took", "kind", "what"],
    )


def _lane(name: str) -> int:
    return LANES.index(name) if name in LANES else -1


def _ticks(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a tick for each line that carries the id and each event of the dyno."""
    placed = rows[rows["part"].isin(["line", "event"]) & rows["from_ms"].notna()]
    return pd.DataFrame(
        {
            "lane": placed["part"].map({"line": "its log lines", "event": "events of the dyno"}),
            "start_s": placed["from_ms"] / 1000,
            "what": placed["name"],
        }
    )
