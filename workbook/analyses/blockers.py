"""Which requests were slow themselves, and which were blocked, by whom?     (book ch. 4)

One row for each H12 and each other request of ``slow_ms`` or more: what took its time, and who stood in
front of it.

Columns: ``request_id``; ``time`` (UTC) of the router's line; ``dyno``, ``route``, ``code``; ``cause``:
slow_itself, blocked (half of its time or more went by before work on it began), dyno_swapping (R14 or R15
of the dyno meanwhile), dyno_starting (the dyno was starting, down or crashed meanwhile), app_stall (most
dynos stood still at once), client (the client left, or most of its time went by after the application had
ended), cannot_tell; ``confidence``; ``reason``: why it is not higher, or why one cannot tell;
``waited_ms``: wait in the router's queue (logged until 2013) and at the dyno, until work began or the router
gave up; ``blocker_request_id``, ``blocker_route``, ``blocker_ms``: the request that held the dyno longest
meanwhile; ``in_front``: the 20 requests that held it longest, with their ms each; ``unexplained_ms``: the
part of the wait in which no logged request held the dyno; ``total_ms``; ``basis``: measured (rack-timeout's
age, or the router's own wait), reconstructed (first come, first served, on ``slots`` requests at once) or
lower_bound (reconstructed, behind an H12 whose true end is not logged); ``evidence``: its line and those of
the blockers; ``work_ms``: its time in the application by rack-timeout, NULL where that is not logged;
``router_wait_ms``: the part of its wait that the router logged.

The seconds are waiting that is laid at a request's door, not what would be saved without it.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import pandas as pd

from workbook import charts, harm, limits, words
from workbook.analysis import Bounds, Finding, Query, cite, span_of, times_of, top_routes
from workbook.window import Window

NEEDS = ("requests",)
REFERENCE = "book ch. 4"
BUCKET_MS = 30_000
"""Requests meet in equal stretches of time, so that not every pair of a dyno is tried."""
LOW_SHARE = 1 / 3
"""Between this share of waiting and the rest, a request both waited and worked."""
MIN_QUEUED = 30
"""So many requests must have met a full dyno before their order says anything."""
MOST_OVERTAKING = 0.05
"""A larger share that ended before its turn refutes the number of slots."""
MOST_SEEN = 8
COARSE_LINES = 10
"""So many stamps without a fraction of a second show a store that cuts it off."""
BUSY_DYNOS = 3
"""Fewer dynos that answer often do not show whether the whole app stood still."""
COMPARED_ELSEWHERE = 5
"""So many requests of the route on dynos within their quota show how long it takes without swap."""
DROWNING_S = 20
"""Where half of the answers so shortly before a stall were slow, queues grew until all were cut off: no stall."""
ONSET_S = 10
BY_CHANCE = 0.05
"""Where so many such meetings of slow requests would come by chance, one more says nothing."""
QUIET_S = 60
"""A dyno turns slow anew where it had no slow request for so long before."""
MOST_ROUTES = 5
LEAST_BLOCKING_SHARE = 0.1
CAUSES = ("blocked", "slow_itself", "dyno_swapping", "dyno_starting", "app_stall", "client", "cannot_tell")

# An H12's line is written when the router gives up, while the dyno goes on: its true end is rack-timeout's,
# or, on one slot, the time at which the next answered request must have begun, less the usual work
# of the H12 between them.
_LIVES = """
WITH reports AS (
    SELECT
        request_id,
        dyno,
        arg_min(age_ms, (source_id, line)) AS age_ms,
        coalesce(
            arg_max(duration_ms, (source_id, line)) FILTER (state = 'completed'),
            arg_max(duration_ms, (source_id, line)) FILTER (state = 'timed_out')
        ) AS duration_ms,
        bool_or(state = 'expired') AS expired,
        count(*) OVER (PARTITION BY request_id) > 1 OR count(*) FILTER (state = 'ready') > 2 AS reused
    FROM rack_timeouts
    WHERE request_id IS NOT NULL
    GROUP BY request_id, dyno
),
known_requests AS (
    SELECT
        requests.source_id,
        requests.line,
        requests.request_id,
        requests.time,
        requests.dyno,
        requests.route,
        requests.status,
        requests.code,
        requests.method,
        requests.bytes,
        coalesce(wait_ms, 0) AS router_wait_ms,
        router_wait_ms + coalesce(connect_ms, 0) + service_ms AS total_ms,
        requests.time - to_milliseconds(total_ms) AS came,
        came + to_milliseconds(router_wait_ms) AS started,
        count(*) OVER of_the_file >= $coarse_lines
            AND bool_and(epoch_us(requests.time) % 1_000_000 = 0) OVER of_the_file AS coarse,
        age_ms,
        duration_ms,
        expired,
        CASE
            WHEN code IS NULL AND duration_ms > service_ms + 2 THEN NULL
            WHEN age_ms IS NOT NULL AND code IS NULL AND duration_ms IS NOT NULL
                THEN greatest(
                    started,
                    least(came + to_milliseconds(age_ms), requests.time - to_milliseconds(duration_ms))
                )
            WHEN age_ms IS NOT NULL THEN greatest(started, came + to_milliseconds(age_ms))
            WHEN code IS NULL AND duration_ms IS NOT NULL
                THEN greatest(started, requests.time - to_milliseconds(duration_ms))
        END AS measured_from,
        CASE
            WHEN expired THEN measured_from
            WHEN code = 'H12' OR code IS NULL THEN measured_from + to_milliseconds(duration_ms)
        END AS measured_to
    FROM requests
    LEFT JOIN reports
        ON reports.request_id = requests.request_id
        AND reports.dyno = requests.dyno
        AND NOT reports.reused
    WHERE
        coalesce(requests.time >= $start::TIMESTAMP - INTERVAL 5 MINUTE, true)
        AND coalesce(requests.time < $end::TIMESTAMP + INTERVAL 5 MINUTE, true)
    WINDOW of_the_file AS (PARTITION BY requests.source_id)
),
on_a_dyno AS (
    SELECT
        *,
        max(time, $looked_at) OVER (
            PARTITION BY dyno
            ORDER BY started, source_id, line
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS earlier_lines,
        coalesce(earlier_lines[1] > started, false) AS met_others,
        first_value(
            CASE
                WHEN code IS NULL
                    THEN {route: route, started: started, began: measured_from, ended: time}
            END
            IGNORE NULLS
        ) OVER (
            PARTITION BY dyno
            ORDER BY started, source_id, line
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS next_answered
    FROM known_requests
    WHERE
        dyno IS NOT NULL
        AND started IS NOT NULL
        AND status IS DISTINCT FROM 101
        AND (code IS NULL OR code IN ('H12', 'H13', 'H15', 'H18', 'H25', 'H27', 'H28'))
),
usual_rates AS (
    SELECT dyno, 10.0 * count(*) / (SELECT nullif(epoch(max(time) - min(time)), 0) FROM on_a_dyno) AS per_10_s
    FROM on_a_dyno
    WHERE code IS NULL
    GROUP BY dyno
    HAVING per_10_s >= 5
)"""

SLOTS_SQL = f"""{_LIVES}
SELECT
    count(*) AS answered,
    count(*) FILTER (earlier_lines[$slots] > started) AS queued,
    count(*) FILTER (
        earlier_lines[$slots] > time + to_milliseconds(CASE WHEN coarse THEN 1_010 ELSE 10 END)
    ) AS overtook,
    coalesce(
        quantile_disc(
            1 + len(list_filter(
                earlier_lines,
                lambda ended: ended > time + to_milliseconds(CASE WHEN coarse THEN 1_010 ELSE 10 END)
            )),
            0.99
        ) FILTER (met_others),
        1
    ) AS slots_seen,
    (SELECT count(*) FROM requests WHERE in_window(time, $start, $end)) AS requests,
    (
        SELECT count(*)
        FROM requests
        WHERE in_window(time, $start, $end) AND status < 400 AND code IS NULL
    ) AS successes,
    count(DISTINCT dyno) AS dynos,
    coalesce(ceil(epoch(max(time) - min(time))), 0) AS span_s,
    (SELECT count(*) FROM usual_rates) AS busy_dynos,
    (SELECT count(*) FROM dyno_states WHERE in_window(time, $start, $end)) AS dyno_states,
    (SELECT count(*) FROM dyno_samples WHERE in_window(time, $start, $end))
        + (SELECT count(*) FROM dyno_errors WHERE in_window(time, $start, $end)) AS memory_lines
FROM on_a_dyno
WHERE code IS NULL
"""

SQL = f"""{_LIVES},
usual_work AS (
    SELECT route, median(coalesce(duration_ms, total_ms)) AS work_ms
    FROM on_a_dyno
    WHERE code IS NULL AND (NOT met_others OR duration_ms IS NOT NULL)
    GROUP BY route
),
stops AS (
    SELECT dyno, time AS stop_time
    FROM dyno_states
    WHERE to_state IN ('starting', 'down', 'crashed') AND time IS NOT NULL
),
next_begins AS (
    SELECT
        h12.source_id,
        h12.line,
        h12.dyno,
        h12.time,
        coalesce(
            next_answered.began,
            CASE
                WHEN next_answered.started < next_answered.ended - to_milliseconds(usual_work.work_ms + 10)
                    THEN next_answered.ended - to_milliseconds(usual_work.work_ms)
            END
        ) AS next_began,
        sum(coalesce(h12.duration_ms, own.work_ms)) OVER (
            PARTITION BY h12.dyno, next_answered.ended
            ORDER BY h12.started, h12.source_id, h12.line
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS between_ms
    FROM on_a_dyno AS h12
    LEFT JOIN usual_work ON usual_work.route = next_answered.route
    LEFT JOIN usual_work AS own ON own.route = h12.route
    WHERE h12.code = 'H12'
),
true_ends AS (
    SELECT
        source_id,
        line,
        CASE WHEN $slots = 1 THEN next_began - to_milliseconds(coalesce(between_ms, 0)) END AS next_free,
        stop_time
    FROM next_begins
    ASOF LEFT JOIN stops ON stops.dyno = next_begins.dyno AND next_begins.time <= stops.stop_time
),
ends AS (
    SELECT
        on_a_dyno.* EXCLUDE (next_answered),
        coalesce(code = 'H12' AND measured_to IS NULL, false) AS open_end,
        CASE
            WHEN measured_to IS NOT NULL AND code IS NULL THEN least(measured_to, time)
            WHEN measured_to IS NOT NULL THEN measured_to
            WHEN open_end
                THEN least(greatest(time, next_free), started + to_milliseconds(3 * $h12_ms), stop_time)
            ELSE time
        END AS works_to
    FROM on_a_dyno
    LEFT JOIN true_ends USING (source_id, line)
),
lives AS (
    SELECT
        *,
        (max(works_to, $slots) OVER (
            PARTITION BY dyno
            ORDER BY started, source_id, line
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ))[$slots] AS slot_free,
        CASE WHEN code IS NULL AND slot_free > time THEN time ELSE slot_free END AS may_begin,
        coalesce(measured_from, greatest(started, may_begin)) AS works_from
    FROM ends
),
victims AS (
    SELECT
        known_requests.* EXCLUDE (measured_from, measured_to),
        lives.measured_from IS NOT NULL AS measured,
        lives.met_others,
        lives.works_from,
        least(lives.works_from, lives.time) AS wait_end,
        CASE
            WHEN known_requests.time IS NULL THEN greatest(age_ms, nullif(router_wait_ms, 0))
            ELSE coalesce(
                epoch_ms(wait_end) - epoch_ms(known_requests.came),
                CASE WHEN router_wait_ms > 0 THEN router_wait_ms END
            )
        END AS waited_ms,
        CASE
            WHEN lives.measured_from IS NOT NULL AND code IS NULL
                THEN greatest(0, total_ms - waited_ms - duration_ms)
        END AS transfer_ms
    FROM known_requests
    LEFT JOIN (SELECT source_id, line, time, measured_from, met_others, works_from FROM lives) AS lives
        USING (source_id, line)
    WHERE
        in_window(known_requests.time, $start, $end)
        AND known_requests.status IS DISTINCT FROM 101
        AND (known_requests.code = 'H12' OR known_requests.total_ms >= $slow_ms)
),
victim_buckets AS (
    SELECT
        source_id, line, dyno, started, wait_end,
        unnest(range(epoch_ms(started) // $bucket_ms, epoch_ms(wait_end) // $bucket_ms + 1)) AS bucket
    FROM victims
    WHERE wait_end > started
),
life_buckets AS (
    SELECT
        source_id, line, dyno, request_id, route, started, works_from, works_to, open_end,
        unnest(range(epoch_ms(works_from) // $bucket_ms, epoch_ms(works_to) // $bucket_ms + 1)) AS bucket
    FROM lives
    WHERE works_to > works_from
),
held AS (
    SELECT
        v.source_id,
        v.line,
        u.source_id AS blocker_source_id,
        u.line AS blocker_line,
        u.request_id,
        u.route,
        u.open_end,
        greatest(u.works_from, v.started) AS held_from,
        epoch_ms(least(u.works_to, v.wait_end)) - epoch_ms(held_from) AS held_ms,
        epoch_ms(v.wait_end) - epoch_ms(v.started) AS waited_ms
    FROM victim_buckets AS v
    JOIN life_buckets AS u
        ON u.dyno = v.dyno
        AND u.bucket = v.bucket
        AND u.works_from < v.wait_end
        AND u.works_to > v.started
        AND (u.source_id <> v.source_id OR u.line <> v.line)
        AND u.bucket = epoch_ms(greatest(u.works_from, v.started)) // $bucket_ms
    WHERE held_ms > 0
),
shared AS (
    SELECT
        *,
        held_ms * least(1.0 / $slots, waited_ms / sum(held_ms) OVER (PARTITION BY source_id, line)) AS ms,
        row_number() OVER (
            PARTITION BY source_id, line
            ORDER BY held_ms DESC, held_from, blocker_source_id, blocker_line
        ) AS place
    FROM held
),
fronts AS (
    SELECT
        source_id,
        line,
        list(
            struct_pack(route := route, request_id := request_id, ms := round(ms)::BIGINT)
            ORDER BY place
        ) FILTER (place <= 20) AS in_front,
        list(struct_pack(source_id := blocker_source_id, line := blocker_line) ORDER BY place)
            FILTER (place <= 4) AS blocker_lines,
        round(sum(ms))::BIGINT AS explained_ms,
        bool_or(open_end) AS behind_open_end
    FROM shared
    GROUP BY source_id, line
),
not_up AS (
    SELECT
        dyno,
        time AS since,
        coalesce(
            lead(time) OVER (PARTITION BY dyno ORDER BY time, source_id, line),
            TIMESTAMP 'infinity'
        ) AS until,
        to_state
    FROM dyno_states
    WHERE to_state IS NOT NULL AND time IS NOT NULL
),
down_times AS (
    SELECT dyno, since, until
    FROM not_up
    WHERE to_state IN ('starting', 'crashed', 'down')
),
swap_times AS (
    SELECT dyno, time AS over_time
    FROM dyno_errors
    WHERE code IN ('R14', 'R15') AND time IS NOT NULL
),
elsewhere AS (
    SELECT route, count(*) AS others, median(total_ms) AS elsewhere_ms
    FROM on_a_dyno
    ASOF LEFT JOIN swap_times ON swap_times.dyno = on_a_dyno.dyno AND on_a_dyno.time >= swap_times.over_time
    WHERE code IS NULL AND coalesce(over_time < started - to_seconds($r14_gap_s), true)
    GROUP BY route
),
over_quota AS (
    SELECT dyno, time AS over_time, code AS over_code, memory_percent
    FROM dyno_errors
    WHERE code IN ('R14', 'R15') AND time IS NOT NULL
),
lost_lines AS (
    SELECT time AS lost_time
    FROM log_errors
    WHERE code IN ('L10', 'L11', 'L12', 'L13')
),
late_slots AS (
    SELECT DISTINCT
        on_a_dyno.dyno,
        unnest(generate_series(
            time_bucket(INTERVAL 10 SECOND, started + to_milliseconds(5000 + usual.p95_ms))
                + INTERVAL 10 SECOND,
            time_bucket(INTERVAL 10 SECOND, time) - INTERVAL 10 SECOND,
            INTERVAL 10 SECOND
        )) AS slot
    FROM on_a_dyno
    JOIN usual_rates USING (dyno)
    JOIN (
        SELECT route, quantile_cont(total_ms, 0.95) AS p95_ms
        FROM on_a_dyno
        WHERE code IS NULL
        GROUP BY route
    ) AS usual USING (route)
    WHERE total_ms >= 5000 + p95_ms
),
stalled_slots AS (
    SELECT slot
    FROM late_slots
    ANTI JOIN (
        SELECT DISTINCT dyno, time_bucket(INTERVAL 10 SECOND, time) AS slot FROM on_a_dyno WHERE code IS NULL
    ) AS completions USING (dyno, slot)
    GROUP BY slot
    HAVING count(*) >= 0.8 * (SELECT count(*) FROM usual_rates) AND (SELECT count(*) FROM usual_rates) >= 3
),
long_stalls AS (
    SELECT min(slot) AS stall_start, max(slot) + INTERVAL 10 SECOND AS stall_end
    FROM (
        SELECT slot, count(*) FILTER (gap > INTERVAL 40 SECOND) OVER (ORDER BY slot) AS number
        FROM (SELECT slot, slot - lag(slot) OVER (ORDER BY slot) AS gap FROM stalled_slots)
    )
    GROUP BY number
    HAVING count(*) >= 2
),
stalls AS (
    SELECT stall_start, stall_end
    FROM long_stalls
    ANTI JOIN (
        SELECT stall_start
        FROM long_stalls
        JOIN on_a_dyno
            ON on_a_dyno.time >= stall_start - to_seconds($drowning_s) AND on_a_dyno.time < stall_start
        WHERE code IS NULL
        GROUP BY stall_start
        HAVING median(total_ms) >= $drowning_ms
    ) AS drowned USING (stall_start)
),
whole_logs AS (
    SELECT DISTINCT source_id, date_trunc('hour', time) AS hour
    FROM requests
    WHERE status BETWEEN 200 AND 399
),
seen AS (
    SELECT
        victims.*,
        in_front,
        blocker_lines,
        explained_ms,
        CASE
            WHEN measured OR (victims.time IS NULL AND waited_ms IS NOT NULL) THEN 'measured'
            WHEN router_wait_ms >= 0.5 * total_ms AND router_wait_ms > 0 THEN 'measured'
            WHEN works_from IS NULL THEN NULL
            WHEN behind_open_end THEN 'lower_bound'
            ELSE 'reconstructed'
        END AS basis,
        coalesce(waited_ms / nullif(least(total_ms, $h12_ms), 0), 0) AS waited_share,
        victims.source_id NOT IN (SELECT source_id FROM whole_logs)
            AND coalesce(
                date_trunc('hour', victims.time) NOT IN (SELECT hour FROM whole_logs WHERE hour IS NOT NULL),
                true
            ) AS filtered,
        coalesce(until > victims.started, false) AS not_up,
        coalesce(over_time >= victims.started - to_seconds($r14_gap_s), false) AS swapping,
        CASE WHEN others >= $compared_elsewhere THEN elsewhere_ms END AS elsewhere_ms,
        over_code,
        memory_percent,
        NOT measured AND code IS NULL
            AND coalesce(method IN ('POST', 'PUT', 'PATCH') OR bytes >= $large_bytes, false)
            AS client_may_be_slow,
        EXISTS (
            FROM stalls
            WHERE stall_start < victims.time AND stall_end > victims.started
        ) AS stalled,
        CASE
            WHEN measured THEN NULL
            WHEN victims.started < (SELECT min(time) FROM requests) THEN 'it came before the log begins'
            WHEN EXISTS (
                FROM lost_lines
                WHERE lost_time BETWEEN victims.started AND victims.time + INTERVAL 1 MINUTE
            ) THEN 'log lines were dropped meanwhile'
        END AS unseen
    FROM victims
    LEFT JOIN fronts USING (source_id, line)
    LEFT JOIN elsewhere USING (route)
    ASOF LEFT JOIN down_times ON down_times.dyno = victims.dyno AND victims.time > down_times.since
    ASOF LEFT JOIN over_quota ON over_quota.dyno = victims.dyno AND victims.time >= over_quota.over_time
)
SELECT
    request_id,
    time,
    dyno,
    route,
    CASE
        WHEN filtered THEN 'cannot_tell'
        WHEN code IN ('H27', 'H28') OR status = 499 THEN 'client'
        WHEN not_up THEN 'dyno_starting'
        WHEN swapping AND coalesce(elsewhere_ms < 0.5 * total_ms, true) THEN 'dyno_swapping'
        WHEN stalled THEN 'app_stall'
        WHEN waited_ms IS NULL THEN 'cannot_tell'
        WHEN router_wait_ms >= 0.5 * total_ms AND router_wait_ms > 0 THEN 'blocked'
        WHEN transfer_ms >= 0.5 * total_ms THEN 'client'
        WHEN basis <> 'measured' AND met_others AND $order_kept = 'no' AND waited_share >= $low_share
            THEN 'cannot_tell'
        WHEN waited_share >= 0.5 THEN 'blocked'
        ELSE 'slow_itself'
    END AS cause,
    CASE
        WHEN cause = 'cannot_tell' THEN NULL
        WHEN cause = 'client' THEN CASE WHEN code IN ('H27', 'H28') OR status = 499 THEN 'high' ELSE 'medium' END
        WHEN cause = 'dyno_swapping' AND elsewhere_ms IS NULL THEN 'low'
        WHEN cause = 'dyno_swapping' AND over_code = 'R14' AND coalesce(memory_percent, 100) < 120 THEN 'low'
        WHEN cause IN ('dyno_starting', 'dyno_swapping', 'app_stall') THEN 'medium'
        WHEN cause = 'blocked' AND router_wait_ms >= 0.5 * total_ms THEN 'high'
        WHEN waited_share BETWEEN $low_share AND 1 - $low_share THEN 'low'
        WHEN cause = 'blocked' AND coalesce(explained_ms, 0) + router_wait_ms < 0.5 * waited_ms THEN 'low'
        WHEN unseen IS NOT NULL THEN 'low'
        WHEN coarse AND NOT measured THEN CASE WHEN met_others THEN 'low' ELSE 'medium' END
        WHEN client_may_be_slow AND NOT met_others THEN 'medium'
        WHEN basis = 'measured' THEN 'high'
        WHEN NOT met_others THEN 'medium'
        WHEN basis = 'lower_bound' OR $order_kept <> 'yes' THEN 'low'
        ELSE 'medium'
    END AS confidence,
    waited_ms,
    in_front[1].request_id AS blocker_request_id,
    in_front[1].route AS blocker_route,
    in_front[1].ms AS blocker_ms,
    code,
    total_ms,
    basis,
    in_front,
    CASE WHEN waited_ms > 0 THEN greatest(0, waited_ms - router_wait_ms - coalesce(explained_ms, 0)) END
        AS unexplained_ms,
    CASE
        WHEN filtered THEN 'no answered request (2xx, 3xx) is in this log: it was filtered'
        WHEN cause = 'cannot_tell' AND time IS NULL THEN 'the line has no time'
        WHEN cause = 'cannot_tell' AND dyno IS NULL THEN 'the line names no dyno'
        WHEN cause = 'cannot_tell' AND total_ms IS NULL THEN 'the line has no service time'
        WHEN cause = 'cannot_tell' AND waited_ms IS NULL THEN 'the router did not reach the dyno'
        WHEN cause = 'cannot_tell' THEN 'the dyno works on more requests at once than slots says'
        WHEN cause = 'blocked' AND confidence = 'high' AND router_wait_ms >= 0.5 * total_ms
            THEN 'it waited in the router''s queue, as the router logged'
        WHEN confidence = 'high' THEN NULL
        WHEN cause = 'client' THEN 'most of its time went by after the application had ended'
        WHEN cause = 'dyno_starting' THEN 'the dyno was not up in a part of its time'
        WHEN cause = 'dyno_swapping' AND elsewhere_ms IS NULL
            THEN over_code || ' of the dyno in its time; too few requests of the route elsewhere to compare'
        WHEN cause = 'dyno_swapping' THEN over_code || ' of the dyno in its time'
        WHEN cause = 'app_stall' THEN 'most dynos answered nothing in a part of its time'
        WHEN waited_share BETWEEN $low_share AND 1 - $low_share THEN 'it waited and worked'
        WHEN cause = 'blocked' AND coalesce(explained_ms, 0) + router_wait_ms < 0.5 * waited_ms
            THEN 'no logged request held the dyno in most of its wait'
        WHEN unseen IS NOT NULL THEN unseen
        WHEN coarse AND NOT measured THEN 'the log has whole seconds only'
        WHEN client_may_be_slow AND NOT met_others THEN 'a slow client looks the same to the router'
        WHEN NOT met_others THEN 'no other logged request was at the dyno; a line that was lost would look the same'
        WHEN basis = 'lower_bound' THEN 'behind an H12 whose true end is not logged'
        WHEN $order_kept = 'yes' THEN 'first come, first served: the answers came in that order'
        ELSE 'first come, first served is assumed'
    END AS reason,
    list_concat([struct_pack(source_id := source_id, line := line)], coalesce(blocker_lines, [])) AS evidence,
    duration_ms AS work_ms,
    router_wait_ms
FROM seen
ORDER BY time NULLS FIRST, source_id, line
"""


def rows(
    query: Query,
    window: Window,
    *,
    slow_ms: Annotated[int, Bounds(0, 60_000)] = limits.SLOW_MS,
    slots: Annotated[int, Bounds(1, 64)] = 1,
) -> pd.DataFrame:
    """Return one row per H12 and slow request; columns and units stand at the head of this file.

    ``slots`` is how many requests a dyno works on at once (processes times threads). Where later requests
    end first, the number that the log shows is taken; where even that does not explain the order, only those
    who did not wait are judged. ``attrs`` hold what was looked at: requests, answered, queued (answered ones
    that met a full dyno), overtook (those that ended first all the same), slots_seen (at least so many at
    once), slots (the number taken), order_kept (yes, no, not known), successes (answered with a
    status under 400), dynos, span_s, busy_dynos (that answer five requests in 10 s or more), dyno_states and
    memory_lines (lines about them), and broken (the times in which surely 1 % of requests ended with H12).
    """
    ends: dict[str, Any] = {"start": window.start, "end": window.end}
    used, kept, seen = _slots(query, slots, ends)
    broken = harm.broken_times(query, ends)
    table = query(
        SQL,
        **ends,
        slow_ms=slow_ms,
        slots=used,
        looked_at=1,
        order_kept=kept,
        h12_ms=limits.H12_MS,
        r14_gap_s=limits.R14_GAP_S,
        bucket_ms=BUCKET_MS,
        low_share=LOW_SHARE,
        coarse_lines=COARSE_LINES,
        compared_elsewhere=COMPARED_ELSEWHERE,
        large_bytes=limits.ROUTER_BUFFER_BYTES,
        drowning_s=DROWNING_S,
        drowning_ms=limits.SLOW_MS,
    )
    table.attrs.update(seen, slots=used, order_kept=kept, broken=broken)
    return table


def _slots(query: Query, slots: int, ends: dict[str, Any]) -> tuple[int, str, dict[str, int]]:
    """Return the slots to reckon with, whether the answers came in their order, and what was counted."""
    seen = _counted(query, slots, ends)
    kept = _order_kept(seen)
    if kept != "no":
        return slots, kept, seen
    more = max(slots + 1, seen["slots_seen"])
    seen = _counted(query, more, ends)
    return more, "yes" if _order_kept(seen) == "yes" else "no", seen


def _counted(query: Query, slots: int, ends: dict[str, Any]) -> dict[str, int]:
    counts = query(
        SLOTS_SQL, **ends, slots=slots, looked_at=max(slots, MOST_SEEN), coarse_lines=COARSE_LINES
    ).iloc[0]
    return {str(name): int(counts[name]) for name in counts.index}


def _order_kept(seen: dict[str, int]) -> str:
    if seen["overtook"] > MOST_OVERTAKING * seen["queued"]:
        return "no"
    return "yes" if seen["queued"] >= MIN_QUEUED else "not known"


def findings(rows: pd.DataFrame, *, slow_ms: int = limits.SLOW_MS, slots: int = 1) -> list[Finding]:
    """Return who blocked whom for how long, which routes are slow themselves, and what one cannot tell."""
    if rows.empty:
        return _none_slow(rows, slow_ms)
    told = [
        *_blocking(rows),
        _router_queue(rows),
        *_slow_themselves(rows),
        *_other_causes(rows),
        _shared(rows),
        _more_slots(rows, slots),
        _cannot_tell(rows),
        _ruled_out(rows),
    ]
    return [finding for finding in told if finding is not None]


def _none_slow(rows: pd.DataFrame, slow_ms: int) -> list[Finding]:
    """Rule slow requests out where they would have been seen, else say why not."""
    looked, answered = rows.attrs.get("requests"), rows.attrs.get("answered")
    if looked == 0:
        return []
    requests = words.plural(looked or 0, "request")
    unseen = None
    if rows.attrs.get("successes") == 0:
        unseen = (
            f"None of {requests} was answered with a status under 400: the log was filtered, "
            "and slow requests would not be in it."
        )
    elif answered == 0:
        unseen = f"None of {requests} has both a dyno and a service time: how long they took is not known."
    if unseen:
        return [
            Finding(
                "cannot_tell",
                unseen,
                numbers={"requests": looked or 0, "answered_requests": answered or 0},
                next_step="Load the whole router log of that time, not only its errors.",
                reference=REFERENCE,
            )
        ]
    return [
        Finding(
            "ruled_out",
            f"No H12 and no request of {words.ms(slow_ms)} or more{'' if looked is None else f' in {requests}'}.",
            numbers={} if looked is None else {"requests": looked},
            reference=REFERENCE,
        )
    ]


def _router_queue(rows: pd.DataFrame) -> Finding | None:
    """Tell of the waits that the router itself logged, until 2013."""
    queued = rows[_in_router_queue(rows)]
    if queued.empty:
        return None
    longest = int(queued["router_wait_ms"].max())
    return Finding(
        "critical" if _breaks(rows, queued) else "warning",
        f"{_and_h12(queued)} waited in the router's queue for half of the time or more, "
        f"at most {words.ms(longest)}, as the router logged{span_of(queued)}.",
        numbers={
            "requests": len(queued),
            "longest_router_wait_ms": longest,
            "waited_seconds": round(float(queued["router_wait_ms"].sum()) / 1000, 1),
            "requests_by_route": top_routes(queued),
        },
        evidence=cite([next(iter(cell)) for cell in _by_total(queued)["evidence"].head(5)]),
        next_step="Look at what the dynos worked on meanwhile; the queue was before them.",
        reference=REFERENCE,
        confidence="high",
        about=times_of(queued),
    )


def _in_router_queue(rows: pd.DataFrame) -> pd.Series:
    if "router_wait_ms" not in rows:
        return pd.Series(False, index=rows.index)
    wait = rows["router_wait_ms"].fillna(0)
    return (rows["cause"] == "blocked") & (wait > 0) & (wait >= 0.5 * rows["total_ms"])


def _shared(rows: pd.DataFrame) -> Finding | None:
    """Doubt the blame where several routes turned slow on most dynos at once."""
    together = _turned_slow_together(rows)
    if together is None:
        return None
    hit = rows[rows["time"].between(*together)]
    return Finding(
        "cannot_tell",
        f"{words.plural(hit['dyno'].nunique(), 'dyno')} of {rows.attrs['dynos']:,} turned slow within "
        f"{ONSET_S} s, in several routes: a shared resource (database, cache, a service outside) is possible; "
        f"the log cannot tell it from blocking{span_of(hit)}.",
        numbers={
            "slow_requests": len(hit),
            "dynos": int(hit["dyno"].nunique()),
            "routes": int(hit["route"].nunique()),
        },
        evidence=cite([next(iter(cell)) for cell in _by_total(hit)["evidence"].head(5)]),
        next_step="Look at the database, the caches and the services outside at that time.",
        reference=REFERENCE,
        about=times_of(hit),
    )


def _turned_slow_together(rows: pd.DataFrame) -> tuple[Any, Any] | None:
    """Return first and last time of the slow requests that began on most dynos, in several routes, at once.

    Waits that rack-timeout measured are known, and raise no such doubt.
    """
    dynos = rows.attrs.get("dynos", 0)
    known = rows[
        rows["time"].notna() & rows["dyno"].notna() & rows["total_ms"].notna()
        & (rows["basis"] != "measured")
        & rows["cause"].isin(["blocked", "slow_itself", "cannot_tell"])
    ]  # fmt: skip
    if known.empty or dynos < 2:
        return None
    known = known.assign(began=known["time"] - pd.to_timedelta(known["total_ms"], unit="ms"))
    known = known.sort_values(["dyno", "began"], kind="stable")
    quiet_since = known.groupby("dyno")["time"].transform(lambda times: times.cummax().shift())
    fresh = quiet_since.isna() | (known["began"] - quiet_since > pd.Timedelta(QUIET_S, "s"))
    onsets = known[fresh].sort_values("began", kind="stable")
    need = max(2, math.ceil(0.8 * dynos))
    near_each = len(onsets) / dynos * ONSET_S / max(rows.attrs.get("span_s", 0), 1)
    if len(onsets) * near_each ** (need - 1) > BY_CHANCE:
        return None
    began = onsets["began"].to_numpy()
    ends = began.searchsorted(began + pd.Timedelta(ONSET_S, "s").to_timedelta64(), side="right")
    for at, end in enumerate(ends):
        near = onsets.iloc[at:end]
        if len(near) < need or near["dyno"].nunique() < need:
            continue
        first = near["began"].iloc[0]
        at_work = known[
            (known["cause"] == "slow_itself")
            & known["began"].between(first, first + pd.Timedelta(ONSET_S, "s"))
        ]
        if len(set(near["route"]) | set(at_work["route"])) > 1:
            following = known[known["began"].between(first, first + pd.Timedelta(QUIET_S, "s"))]
            return following["time"].min(), following["time"].max()
    return None


def _breaks(rows: pd.DataFrame, those: pd.DataFrame) -> bool:
    return harm.breaks_users(those, rows.attrs.get("broken"))


def _h12(rows: pd.DataFrame) -> int:
    return int((rows["code"] == "H12").sum())


def _and_h12(rows: pd.DataFrame, what: str = "request") -> str:
    """Return ``5 requests (2 of them H12)``, ``5 requests (no H12)`` or ``1 request (an H12)``."""
    h12 = _h12(rows)
    said = "no H12" if not h12 else "an H12" if len(rows) == 1 else f"{h12:,} of them H12"
    return f"{words.plural(len(rows), what)} ({said})"


def _blocking(rows: pd.DataFrame) -> list[Finding]:
    """One finding for each blocking route, the most seconds first."""
    blocked = rows[(rows["cause"] == "blocked") & ~_in_router_queue(rows)]
    if blocked.empty:
        return []
    together = _turned_slow_together(rows)
    shares = [
        (str(one["route"]), float(one["ms"]), place)
        for place, cell in enumerate(blocked["in_front"])
        if isinstance(cell, list | tuple) or hasattr(cell, "tolist")
        for one in cell
    ]
    found = pd.DataFrame(shares, columns=["route", "ms", "place"])
    ranked = found.groupby("route", sort=True)["ms"].sum().sort_values(ascending=False, kind="stable")
    told: list[Finding] = []
    named = ranked[ranked >= LEAST_BLOCKING_SHARE * ranked.sum()].head(MOST_ROUTES)
    for route, ms in named.items():
        victims = blocked.iloc[sorted(set(found.loc[found["route"] == route, "place"]))]
        severe = not told and _breaks(rows, victims[victims["blocker_route"] == route])
        told.append(_one_blocker(str(route), ms, victims, severe, together))
    if len(ranked) > len(named):
        told.append(_the_rest(ranked.iloc[len(named) :], ranked.sum()))
    unnamed = blocked[blocked["blocker_ms"].isna()]
    if len(unnamed):
        told.append(_unnamed(unnamed))
    return told


def _one_blocker(
    route: str, ms: float, victims: pd.DataFrame, severe: bool, together: tuple[Any, Any] | None
) -> Finding:
    basis = victims["basis"].value_counts().sort_index()
    led = victims[victims["blocker_route"] == route].sort_values("blocker_ms", ascending=False, kind="stable")
    most_of_h12 = int((led["code"] == "H12").sum())
    confidence = _usual_confidence(victims)
    doubtful = together is not None and victims["time"].between(*together).mean() >= 0.5
    if doubtful:
        confidence = "low"
    said = "may have blocked" if doubtful else "blocked"
    return Finding(
        "critical" if severe and confidence != "low" else "warning",
        f"{route} {said} {_and_h12(victims)} for {ms / 1000:,.0f} request-seconds{span_of(victims)}.",
        numbers={
            "blocked_requests": len(victims),
            "blocked_h12_requests": _h12(victims),
            "blocked_most_h12_requests": most_of_h12,
            "blocking_request_seconds": round(ms / 1000, 1),
            "blocked_requests_by_basis": {str(name): int(count) for name, count in basis.items()},
            "blocked_requests_by_route": top_routes(victims),
        },
        evidence=_cited(led if len(led) else victims),
        next_step=f"Move the work of {route} to a background dyno, cut it with a lower timeout (10 s or less)"
        " or give each dyno more slots; the seconds are waiting behind it, not what each would save.",
        reference=REFERENCE,
        confidence=confidence,
        about=times_of(victims),
    )


def _usual_confidence(rows: pd.DataFrame) -> str | None:
    """Return the most frequent confidence of the rows."""
    most = rows["confidence"].mode()
    return str(most.iloc[0]) if len(most) else None


def _the_rest(ranked: pd.Series, all_ms: float) -> Finding:
    seconds, share = float(ranked.sum()) / 1000, float(ranked.sum()) / all_ms
    together = " together" if len(ranked) > 1 else ""
    return Finding(
        "note",
        f"{words.plural(len(ranked), 'other route')}{together} blocked for {seconds:,.0f} request-seconds "
        f"({words.share(share)} of all): mostly quick requests that stood in the same queue.",
        numbers={
            "routes": len(ranked),
            "blocking_request_seconds": round(seconds, 1),
            "blocking_share": round(share, 4),
            "blocking_seconds_by_route": {
                str(name): round(ms / 1000, 1) for name, ms in ranked.head(10).items()
            },
        },
        reference=REFERENCE,
    )


def _unnamed(rows: pd.DataFrame) -> Finding:
    return Finding(
        "note",
        f"{words.plural(len(rows), 'request')} waited while no logged request held the dyno: "
        f"a restart, swap, or work that the router does not log{span_of(rows)}.",
        numbers={"requests": len(rows), "waited_seconds": round(float(rows["waited_ms"].sum()) / 1000, 1)},
        evidence=_cited(rows),
        next_step="Look at the dynos' states and memory at that time.",
        reference=REFERENCE,
        confidence="low",
        about=times_of(rows),
    )


def _slow_themselves(rows: pd.DataFrame) -> list[Finding]:
    """One finding for each route that is slow by itself, the most H12 first, then the most seconds."""
    slow = rows[rows["cause"] == "slow_itself"]
    if slow.empty:
        return []
    by_route = (
        slow.assign(h12=slow["code"] == "H12", took_ms=slow["total_ms"] - slow["waited_ms"].fillna(0))
        .groupby("route", sort=True)
        .agg(h12=("h12", "sum"), took_ms=("took_ms", "sum"))
        .sort_values(["h12", "took_ms"], ascending=False, kind="stable")
    )
    routes = [str(route) for route in by_route.head(MOST_ROUTES).index]
    return [_one_slow(rows, slow[slow["route"] == route], first=route == routes[0]) for route in routes]


def _one_slow(rows: pd.DataFrame, those: pd.DataFrame, first: bool) -> Finding:
    """Say ``work`` only where rack-timeout measured it: the router's time holds a slow client's too."""
    longest_ms = int(those["total_ms"].max())
    took_ms = those["total_ms"] - those["waited_ms"].fillna(0)
    measured = bool((those["basis"] == "measured").all())
    work_ms = took_ms.where(~measured | those.get("work_ms", took_ms).isna(), those.get("work_ms", took_ms))
    work_ms = work_ms.clip(upper=took_ms)
    seconds = float(work_ms.sum()) / 1000
    confidence = _usual_confidence(those)
    client = those["reason"].eq("a slow client looks the same to the router").any()
    spent = f"{seconds:,.0f} s of work" if measured else f"took {seconds:,.0f} s after any wait"
    or_client = "; a slow client (upload, large download) would look the same" if client else ""
    return Finding(
        "critical" if first and confidence != "low" and _breaks(rows, those) else "warning",
        f"{those['route'].iloc[0]} is slow itself: {_and_h12(those)}, {spent}, "
        f"at most {words.ms(longest_ms)}{or_client}{span_of(those)}.",
        numbers={
            "slow_requests": len(those),
            "slow_h12_requests": _h12(those),
            "work_seconds" if measured else "took_seconds": round(seconds, 1),
            "longest_ms": longest_ms,
        },
        evidence=cite([next(iter(cell)) for cell in _by_total(those)["evidence"].head(5)]),
        next_step="Find what it does in that time (mail, upload, report, a call to others, a query); "
        "move it to the background or make it fast.",
        reference=REFERENCE,
        confidence=confidence,
        about=times_of(those),
    )


_OTHERS = {
    "dyno_swapping": (
        "warning",
        "had a dyno over its memory quota (R14, R15) meanwhile",
        "Mend the memory first (memory_trend, memory_quota): a dyno that swaps is slow in everything.",
    ),
    "dyno_starting": (
        "warning",
        "had a dyno that was starting, down or crashed meanwhile",
        "Look at what restarted the dynos (releases, kills, the daily restart).",
    ),
    "app_stall": (
        "warning",
        "fell in a stall of the whole app, in which most dynos answered nothing",
        "Look at what the dynos share: the database, a cache, a service outside, the network.",
    ),
    "client": (
        "note",
        "ended because the client left, or spent most of the time on the way to the client",
        "Look at how long they had taken by then; slow uploads, slow downloads and impatient clients look "
        "alike here.",
    ),
}


def _other_causes(rows: pd.DataFrame) -> list[Finding]:
    told = []
    for cause, (severity, what, next_step) in _OTHERS.items():
        those = rows[rows["cause"] == cause]
        if those.empty:
            continue
        confidence = _usual_confidence(those)
        severe = cause == "app_stall" and confidence != "low" and _breaks(rows, those)
        told.append(
            Finding(
                "critical" if severe else severity,
                f"{_and_h12(those, 'slow request')} {what}{span_of(those)}.",
                numbers={
                    "requests": len(those),
                    "h12_requests": _h12(those),
                    "dynos": int(those["dyno"].nunique()),
                },
                evidence=cite([next(iter(cell)) for cell in _by_total(those)["evidence"].head(5)]),
                next_step=next_step,
                reference=REFERENCE,
                confidence=confidence,
                about=times_of(those),
            )
        )
    return told


def _more_slots(rows: pd.DataFrame, slots: int) -> Finding | None:
    used = rows.attrs.get("slots", slots)
    if used == slots:
        return None
    kept = rows.attrs.get("order_kept") == "yes"
    then = (
        "the waits are reckoned with that"
        if kept
        else "who waited for whom is not judged without rack-timeout"
    )
    return Finding(
        "note" if kept else "cannot_tell",
        f"The dynos work on at least {words.plural(used, 'request')} at once, not {slots:,}: "
        f"later requests ended first; {then}.",
        numbers={
            "slots_seen": int(used),
            "slots_given": slots,
            "queued_requests": int(rows.attrs.get("queued", 0)),
            "overtaking_requests": int(rows.attrs.get("overtook", 0)),
        },
        next_step="Give slots as processes times threads of one dyno, or log with rack-timeout.",
        reference=REFERENCE,
    )


def _cannot_tell(rows: pd.DataFrame) -> Finding | None:
    unknown = rows[rows["cause"] == "cannot_tell"]
    if unknown.empty:
        return None
    reasons = unknown["reason"].fillna("not known").value_counts()
    ranked = sorted(reasons.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return Finding(
        "cannot_tell",
        f"For {words.plural(len(unknown), 'slow request')} of {len(rows):,} one cannot tell: {ranked[0][0]}.",
        numbers={
            "requests_not_judged": len(unknown),
            "h12_requests_not_judged": int((unknown["code"] == "H12").sum()),
            "requests_by_reason": {str(reason): int(count) for reason, count in ranked},
        },
        evidence=cite([next(iter(cell)) for cell in _by_total(unknown)["evidence"].head(5)]),
        next_step="Load the whole router log of that time, not only its errors; "
        "rack-timeout (or its like) gives each wait.",
        reference=REFERENCE,
        about=times_of(unknown),
    )


def _ruled_out(rows: pd.DataFrame) -> Finding | None:
    judged = rows[rows["cause"] != "cannot_tell"]
    absent = [cause for cause in _visible_causes(rows, judged) if not (judged["cause"] == cause).any()]
    if judged.empty or not absent:
        return None
    named = ", ".join(cause.replace("_", " ") for cause in absent)
    return Finding(
        "ruled_out",
        f"No sign of these causes in {words.plural(len(judged), 'slow request')}: {named}.",
        numbers={"requests": len(judged)},
        reference=REFERENCE,
        about=times_of(judged),
    )


def _visible_causes(rows: pd.DataFrame, judged: pd.DataFrame) -> list[str]:
    """Return the causes that this log would have shown."""
    seen = rows.attrs
    measured = bool((judged["basis"] == "measured").all())
    shown = {
        "blocked": measured or seen.get("order_kept", "no") != "no",
        "dyno_swapping": seen.get("memory_lines", 0) > 0,
        "dyno_starting": seen.get("dyno_states", 0) > 0,
        "app_stall": seen.get("busy_dynos", 0) >= BUSY_DYNOS and _turned_slow_together(rows) is None,
        "slow_itself": True,
        "client": "work_ms" in judged and bool(judged["work_ms"].notna().all()),
    }
    return [cause for cause in CAUSES if shown.get(cause)]


def chart(rows: pd.DataFrame, *, slow_ms: int = limits.SLOW_MS, marks: pd.DataFrame | None = None) -> Any:
    """Return H12 and slow requests per stretch of time by cause, and the seconds that each route blocked."""
    import altair as alt

    timed = rows[rows["time"].notna()]
    if timed.empty:
        return charts.empty(f"no H12 and no request of {words.ms(slow_ms)} or more with a time")
    every = _bucket(timed["time"])
    counted = (
        timed.assign(start=timed["time"].dt.floor(every))
        .groupby(["start", "cause"], sort=True)
        .agg(requests=("cause", "size"), h12=("code", lambda codes: int((codes == "H12").sum())))
        .reset_index()
    )
    counted["end"] = counted["start"] + pd.Timedelta(every)
    counted["top"] = counted.groupby("start")["requests"].cumsum()
    counted["base"] = counted["top"] - counted["requests"]
    basis = rows["basis"].fillna("not known").value_counts()
    said = ", ".join(f"{str(name).replace('_', ' ')} {count:,}" for name, count in sorted(basis.items()))
    timeline = (
        alt.Chart(counted)
        .mark_rect(stroke=charts.PAPER, strokeWidth=1)
        .encode(
            x=charts.time_axis("start"),
            x2="end:T",
            y=alt.Y("base:Q", title=f"requests per {_BUCKETS[every]}", scale=alt.Scale(zero=True)),
            y2="top:Q",
            color=alt.Color("cause:N", scale=charts.colour_scale("cause", set(counted["cause"]))),
            tooltip=[charts.time_tooltip("start"), "cause:N", "requests:Q", "h12:Q"],
        )
    )
    drawn = charts.with_marks(timeline.properties(height=200), marks, timed["time"])
    bars = _seconds_by_route(rows)
    if len(bars):
        blame = (
            alt.Chart(bars)
            .mark_bar(color=charts.COLOURS["blocked"])
            .encode(
                x=alt.X("seconds:Q", title="request-seconds of waiting behind the route (s)"),
                y=alt.Y("route:N", title=None, sort="-x"),
                tooltip=["route:N", "seconds:Q"],
            )
            .properties(height={"step": 18})
        )
        drawn = alt.vconcat(drawn, blame)
    drawn = charts.describe(drawn, f"{len(rows):,} H12 and slow requests by cause; waits: {said}.")
    return charts.theme(
        drawn,
        "H12 and slow requests, and who blocked them",
        f"{len(rows):,} requests; how the wait is known: {said}.",
    )


_BUCKETS = {"1min": "minute", "5min": "5 minutes", "1h": "hour", "1D": "day"}


def _bucket(times: pd.Series) -> str:
    minutes = (times.max() - times.min()).total_seconds() / 60
    steps = ((300, "1min"), (1_500, "5min"), (18_000, "1h"))
    return next((step for most, step in steps if minutes <= most), "1D")


def _seconds_by_route(rows: pd.DataFrame) -> pd.DataFrame:
    blocked = rows[(rows["cause"] == "blocked") & rows["blocker_ms"].notna()]
    shares = [(str(one["route"]), float(one["ms"]) / 1000) for cell in blocked["in_front"] for one in cell]
    summed = (
        pd.DataFrame(shares, columns=["route", "seconds"]).groupby("route", as_index=False)["seconds"].sum()
    )
    ranked = pd.DataFrame(summed).sort_values(["seconds", "route"], ascending=[False, True])
    return ranked.head(15).round(1)


def _by_total(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("total_ms", ascending=False, kind="stable", na_position="last")


def _cited(rows: pd.DataFrame) -> tuple[Any, ...]:
    """Cite the worst victims with the top blocker of each: victim, blocker, victim, …"""
    return cite([line for cell in rows["evidence"].head(3) for line in list(cell)[:2]])
