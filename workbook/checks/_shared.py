"""What the checks of several chapters read: the span, visits, lines of dynos, the process list, and telling texts."""

from __future__ import annotations

from workbook import codes
from workbook.checks._rule import literal, place

_LEFT_OUT = ", ".join(map(literal, (*codes.MAINTENANCE, *codes.CLIENT_GONE)))

SQL = rf"""
window_lines AS (
    SELECT max(time) AS last_time, bool_or(time IS NOT NULL) AS has_times
    FROM log_lines
    WHERE in_window(time, $start, $end)
),
evidence_times AS (
    SELECT coalesce(
        $end::TIMESTAMP,
        greatest((SELECT max(time) FROM dns_records), (SELECT last_time FROM window_lines))
    ) AS as_of
),
-- a window in which no line lies says nothing; where no log has times, what was pasted is all there is
is_asked AS (
    SELECT
        EXISTS (FROM sources)
        AND (
            ($start::TIMESTAMP IS NULL AND $end::TIMESTAMP IS NULL)
            OR EXISTS (FROM window_lines WHERE has_times)
            OR NOT EXISTS (FROM log_lines WHERE time IS NOT NULL)
        ) AS asked
),
router_visits AS (
    SELECT
        coalesce(method, '(no method)') || ' ' || route AS route,
        code,
        status,
        code IS NOT NULL OR status >= 500 AS failed,
        coalesce(wait_ms, 0) + coalesce(connect_ms, 0) + service_ms AS total_ms,
        request_id,
        time,
        {place()} AS place
    FROM requests
    WHERE coalesce(code, '') NOT IN ({_LEFT_OUT})
        AND (code IS NOT NULL OR (service_ms IS NOT NULL AND coalesce(status, 200) NOT IN (101, 499)))
        AND in_window(time, $start, $end)
),
timed_requests AS (
    SELECT
        request_id,
        dyno,
        arg_min(age_ms, (source_id, line)) AS age_ms,
        max(duration_ms) FILTER (state IN ('completed', 'timed_out')) AS duration_ms,
        max(duration_ms) FILTER (state = 'completed') AS completed_ms,
        bool_or(state = 'expired') AS expired,
        max(timeout_ms) AS timeout_ms,
        min({place()}) AS place
    FROM rack_timeouts
    WHERE request_id IS NOT NULL AND in_window(time, $start, $end)
    GROUP BY request_id, dyno
),
dyno_lines AS (
    SELECT dyno, time, source_id, line FROM dyno_states WHERE dyno IS NOT NULL AND in_window(time, $start, $end)
    UNION ALL
    SELECT dyno, time, source_id, line FROM dyno_errors WHERE dyno IS NOT NULL AND in_window(time, $start, $end)
    UNION ALL
    SELECT dyno, time, source_id, line FROM dyno_samples WHERE dyno IS NOT NULL AND in_window(time, $start, $end)
),
listed AS (
    SELECT *, {place()} AS place
    FROM processes
    WHERE dyno IS NOT NULL AND state IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY dyno ORDER BY source_id DESC, line DESC) = 1
),
-- one look at every line for all that is to be found in the text itself
told_texts AS (
    SELECT message AS text, time, {place()} AS place FROM log_lines WHERE in_window(time, $start, $end)
    UNION ALL
    SELECT text, NULL, {place()} FROM transcript
    UNION ALL
    SELECT text, NULL, {place()} FROM unread_lines
),
telling_texts AS MATERIALIZED (
    SELECT
        place,
        contains(text, 'AWSAccessKeyId=') OR contains(text, 'X-Amz-Signature=') AS is_backup_address,
        regexp_matches(text, '://[^/\s:@]+:[^/\s@*]+@') AS has_password,
        regexp_matches(text, 'sh: (?:line )?\d*:? ?\S+: (?:command )?not found') AS lacks_binary
    FROM told_texts
    WHERE contains(text, 'AWSAccessKeyId=')
        OR contains(text, 'X-Amz-Signature=')
        OR (contains(text, '://') AND contains(text, '@'))
        OR contains(text, 'not found')
)"""
