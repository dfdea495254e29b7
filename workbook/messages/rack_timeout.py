"""rack-timeout, every version since 2013: ``age``/``duration`` (to 0.1.0 beta3), ``wait``/``service`` since.

One request writes several lines: ready, active (each second), timed_out, completed; or only expired. A value that is
nil is left out of the line, so the keys are read by name. Source: rack-timeout's ``logging-observer.rb`` and CHANGELOG.
"""

from workbook.messages._prefix import OWN

TABLE = "rack_timeouts"

# What stands before may be a logger's prefix, but not the line of another kind that quotes such a text.
CLAIMS = rf"""
    {OWN}
    AND contains(message, 'source=rack-timeout ')
    AND regexp_matches(message, '(?:^|\s)source=rack-timeout (?:[a-z_]+=|$)')
    AND NOT regexp_matches(
        split_part(message, 'source=rack-timeout ', 1),
        '"|Started |Processing |Completed |Oink |Memory usage|method=|Traceback|::|Error|Exception|\.\w+:\d+'
    )
"""

ROWS = r"""
WITH texts AS (
    SELECT
        source_id,
        line,
        time,
        process AS dyno,
        substr(message, instr(message, 'source=rack-timeout')) AS pairs
    FROM claimed
),
fields AS (
    SELECT
        source_id,
        line,
        time,
        dyno,
        pair(pairs, 'id') AS request_id,
        coalesce(pair(pairs, 'age'), pair(pairs, 'wait')) AS age_text,
        pair(pairs, 'timeout') AS timeout_text,
        coalesce(pair(pairs, 'duration'), pair(pairs, 'service')) AS duration_text,
        pair(pairs, 'state') AS state,
        pair(pairs, 'term_on_timeout') AS term_text
    FROM texts
),
numbers AS (
    SELECT
        *,
        leading_number(age_text) AS age_ms,
        leading_number(timeout_text) AS timeout_ms,
        leading_number(duration_text) AS duration_ms,
        leading_number(term_text) AS term_on_timeout
    FROM fields
)
SELECT
    * EXCLUDE (age_text, timeout_text, duration_text, term_text),
    list_filter(
        [
            CASE WHEN age_ms IS NULL AND age_text IS NOT NULL THEN 'age' END,
            CASE WHEN timeout_ms IS NULL AND timeout_text IS NOT NULL THEN 'timeout' END,
            CASE WHEN duration_ms IS NULL AND duration_text IS NOT NULL THEN 'duration' END,
            CASE WHEN term_on_timeout IS NULL AND term_text IS NOT NULL THEN 'term_on_timeout' END
        ],
        lambda field: field IS NOT NULL
    ) AS unread
FROM numbers
"""

EXAMPLES = (
    (
        # the book, chapter 4
        "app[web.1]: source=rack-timeout id=f40adf06fa2dd4137fd9265b0339981c age=329ms timeout=15000ms"
        " duration=15009ms state=timed_out at=error",
        ({"dyno": "web.1", "request_id": "f40adf06fa2dd4137fd9265b0339981c", "age_ms": 329, "timeout_ms": 15000,
          "duration_ms": 15009, "state": "timed_out", "term_on_timeout": None},),
    ),
    (
        "2020-01-02T03:04:05.060708+00:00 app[web.1]: source=rack-timeout id=00000000-0000-4000-8000-000000000009"
        " wait=29ms timeout=15000ms service=15010ms term_on_timeout=1 state=timed_out at=error",
        ({"age_ms": 29, "duration_ms": 15010, "term_on_timeout": 1, "state": "timed_out"},),
    ),
    (
        "2023-01-01T00:00:00.500000+00:00 app[web.2]: I, [2023-01-01T00:00:00.123456 #4]  INFO -- :"
        " [00000000-0000-4000-8000-000000000010] source=rack-timeout id=00000000-0000-4000-8000-000000000010"
        " timeout=15000ms state=ready",
        ({"age_ms": None, "duration_ms": None, "state": "ready",
          "request_id": "00000000-0000-4000-8000-000000000010"},),
    ),
)  # fmt: skip

NOT_MINE = (
    "2023-01-01T00:00:00.500000+00:00 app[web.2]: Rack::Timeout::RequestTimeoutError (Request ran for longer than 15000ms)",
    "2023-01-01T00:00:00.500000+00:00 heroku[web.2]: source=rack-timeout id=1 state=ready",
    '2023-01-01T00:00:00.500000+00:00 app[web.2]: Started GET "/?q= source=rack-timeout id=1" for 192.0.2.7 at 2023-01-01'
    " 00:00:00 +0000",
)
