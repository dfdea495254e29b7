"""Requests as Rails logs them: ``Started``, ``Processing`` and ``Completed`` (3.0 on), and the lines of Rails 1 and 2.

The row is the completion's; method and path come from ``Started``, controller and action from ``Processing``. Tagged lines
are joined by their request id. Without a tag the lines of several threads of a dyno may be interleaved: a line is taken only
when it is the one line of its kind since the completion before, and either nothing else was open or its time fits the
duration. Rails 1 and 2.1 print seconds, everything later milliseconds. Source: Rails' log subscribers.
"""

from workbook.messages._prefix import LOGGER_PREFIX, OWN

TABLE = "app_requests"

CLAIMS = rf"""
    {OWN}
    AND (contains(message, 'Started ') OR contains(message, 'Processing ') OR contains(message, 'Completed '))
    AND regexp_matches(
        message,
        '{LOGGER_PREFIX}(?:Started [A-Z]+ "|Processing (?:by )?[A-Z][\w:]*#\w+ (?:as |\(for )'
        || '|Completed (?:\d\d\d\b[^|]* |  ?)?in \d)'
    )
"""

NEIGHBOURS = CLAIMS

ROWS = rf"""
WITH split AS (
    SELECT
        source_id,
        line,
        time,
        process,
        regexp_extract(message, '{LOGGER_PREFIX}') AS prefix,
        regexp_replace(message, '{LOGGER_PREFIX}', '') AS body
    FROM claimed
),
kinds AS (
    SELECT
        source_id,
        line,
        time,
        process,
        nullif(regexp_extract(prefix, '\[([\w-]{{16,}})\]', 1), '') AS request_id,
        regexp_extract(prefix, '(?: #|\w\[)(\d+)\](?: |: )', 1) AS pid,
        body,
        starts_with(body, 'Completed') AS is_end,
        CASE
            WHEN starts_with(body, 'Started') THEN {{
                'line': line,
                'time': time,
                'method': regexp_extract(body, '^Started ([A-Z]+) ', 1),
                'path': regexp_extract(body, '(?s)^Started [A-Z]+ "(.*)" for ', 1)
            }}
        END AS start,
        CASE
            WHEN starts_with(body, 'Processing') THEN {{
                'line': line,
                'time': time,
                'controller': regexp_extract(body, '^Processing (?:by )?([\w:]+)#', 1),
                'action': regexp_extract(body, '^Processing (?:by )?[\w:]+#(\w+)', 1),
                'method': regexp_extract(body, '\) \[([A-Z]+)\]\s*$', 1)
            }}
        END AS call
    FROM split
),
runs AS (
    SELECT
        *,
        count(*) FILTER (WHERE is_end) OVER before AS ends_before,
        count(start) OVER before AS starts_before,
        count(call) OVER before AS calls_before,
        last_value(start IGNORE NULLS) OVER before AS last_start,
        last_value(call IGNORE NULLS) OVER before AS last_call
    FROM kinds
    WINDOW before AS (
        PARTITION BY source_id, process, pid, request_id
        ORDER BY line
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
ends AS (
    SELECT
        *,
        starts_before - coalesce(lag(starts_before) OVER same, 0) AS starts_between,
        calls_before - coalesce(lag(calls_before) OVER same, 0) AS calls_between,
        regexp_extract(body, ' in (\d{{1,9}}(?:\.\d{{1,9}})?)(ms)?', ['number', 'unit']) AS took,
        regexp_extract(body, '(?:Views?|Rendering): (\d{{1,9}}(?:\.\d{{1,9}})?)', 1) AS view_text,
        regexp_extract(body, '(?:ActiveRecord|DB): (\d{{1,9}}(?:\.\d{{1,9}})?)', 1) AS db_text
    FROM runs
    WHERE is_end
    WINDOW same AS (PARTITION BY source_id, process, pid, request_id ORDER BY line)
),
times AS (
    SELECT
        *,
        try_cast(took.number AS DOUBLE) * CASE took.unit WHEN 'ms' THEN 1 ELSE 1000 END AS duration_ms,
        try_cast(view_text AS DOUBLE) * CASE took.unit WHEN 'ms' THEN 1 ELSE 1000 END AS view_ms,
        try_cast(db_text AS DOUBLE) * CASE took.unit WHEN 'ms' THEN 1 ELSE 1000 END AS db_ms,
        CASE WHEN time = date_trunc('second', time) THEN 2000 ELSE 250 END AS tolerance_ms
    FROM ends
),
paired AS (
    SELECT
        *,
        CASE
            WHEN starts_between <> 1 THEN NULL
            WHEN starts_before = ends_before + 1 OR request_id IS NOT NULL THEN last_start
            WHEN abs(date_diff('millisecond', last_start.time, time) - duration_ms) <= tolerance_ms THEN last_start
        END AS start_of,
        CASE
            WHEN calls_between <> 1 THEN NULL
            WHEN calls_before = ends_before + 1 OR request_id IS NOT NULL THEN last_call
            WHEN abs(date_diff('millisecond', last_call.time, time) - duration_ms) <= tolerance_ms THEN last_call
        END AS call_of
    FROM times
)
SELECT
    source_id,
    line,
    time,
    process AS dyno,
    request_id,
    coalesce(start_of.method, nullif(call_of.method, '')) AS method,
    coalesce(
        start_of.path,
        nullif(regexp_extract(body, '\[https?://[^/\]]*(/[^\]]*)\]', 1), '')
    ) AS path,
    call_of.controller AS controller,
    call_of.action AS action,
    try_cast(
        nullif(coalesce(nullif(regexp_extract(body, '^Completed (\d\d\d)\b', 1), ''), regexp_extract(body, '\| (\d\d\d)\b', 1)), '')
        AS INTEGER
    ) AS status,
    duration_ms,
    view_ms,
    db_ms
FROM paired
"""

EXAMPLES = (
    (
        # the book, chapter 4
        'app[web.1]: Started GET "/coupons" for 173.0.4.85 at 2013-06-09 01:52:08 +0000\n'
        "app[web.1]: Completed 500 Internal Server Error in 14984ms",
        ({"line": 2, "time": None, "dyno": "web.1", "request_id": None, "method": "GET", "path": "/coupons",
          "controller": None, "action": None, "status": 500, "duration_ms": 14984, "view_ms": None, "db_ms": None},),
    ),
    (
        '2014-05-02T11:20:30.101202+00:00 app[web.1]: Started GET "/orders?page=2" for 192.0.2.7 at 2014-05-02 11:20:30 +0000\n'
        "2014-05-02T11:20:30.102202+00:00 app[web.1]: Processing by OrdersController#index as HTML\n"
        "2014-05-02T11:20:30.119202+00:00 app[web.1]: Completed 200 OK in 17ms (Views: 5.9ms | ActiveRecord: 9.1ms)",
        ({"line": 3, "method": "GET", "path": "/orders?page=2", "controller": "OrdersController", "action": "index",
          "status": 200, "duration_ms": 17, "view_ms": 5.9, "db_ms": 9.1},),
    ),
    (
        # two requests at once, told apart by their tags
        "2023-01-01T00:00:00.100000+00:00 app[web.2]: I, [2023-01-01T00:00:00.100000 #4]  INFO -- :"
        ' [00000000-0000-4000-8000-000000000010] Started GET "/a" for 192.0.2.7 at 2023-01-01 00:00:00 +0000\n'
        "2023-01-01T00:00:00.110000+00:00 app[web.2]: I, [2023-01-01T00:00:00.110000 #4]  INFO -- :"
        ' [00000000-0000-4000-8000-000000000011] Started POST "/b" for 192.0.2.8 at 2023-01-01 00:00:00 +0000\n'
        "2023-01-01T00:00:00.111000+00:00 app[web.2]: I, [2023-01-01T00:00:00.111000 #4]  INFO -- :"
        " [00000000-0000-4000-8000-000000000010] Processing by Api::V1::ItemsController#show as JSON\n"
        "2023-01-01T00:00:03.000000+00:00 app[web.2]: I, [2023-01-01T00:00:03.000000 #4]  INFO -- :"
        " [00000000-0000-4000-8000-000000000010] Completed 200 OK in 2890ms (Views: 1.5ms | ActiveRecord: 2819.4ms (266"
        " queries, 70 cached) | GC: 952.9ms)\n"
        "2023-01-01T00:00:03.100000+00:00 app[web.2]: I, [2023-01-01T00:00:03.100000 #4]  INFO -- :"
        " [00000000-0000-4000-8000-000000000011] Completed 204 No Content in 4.1ms (ActiveRecord: 0.0ms | Allocations: 12)",
        (
            {"line": 4, "request_id": "00000000-0000-4000-8000-000000000010", "method": "GET", "path": "/a",
             "controller": "Api::V1::ItemsController", "action": "show", "status": 200, "duration_ms": 2890,
             "view_ms": 1.5, "db_ms": 2819.4},
            {"line": 5, "request_id": "00000000-0000-4000-8000-000000000011", "method": "POST", "path": "/b",
             "controller": None, "status": 204, "duration_ms": 4.1, "view_ms": None, "db_ms": 0},
        ),
    ),
    (
        # two requests at once without tags: whose completion it is cannot be told
        '2014-05-02T11:20:30.100000+00:00 app[web.1]: Started GET "/a" for 192.0.2.7 at 2014-05-02 11:20:30 +0000\n'
        '2014-05-02T11:20:30.101000+00:00 app[web.1]: Started GET "/b" for 192.0.2.7 at 2014-05-02 11:20:30 +0000\n'
        "2014-05-02T11:20:30.190000+00:00 app[web.1]: Completed 200 OK in 89ms (Views: 5.9ms)\n"
        '2014-05-02T11:20:31.000000+00:00 app[web.1]: Started GET "/c" for 192.0.2.7 at 2014-05-02 11:20:31 +0000\n'
        "2014-05-02T11:20:31.050000+00:00 app[web.1]: Completed 200 OK in 50ms (Views: 5.9ms)",
        (
            {"line": 3, "method": None, "path": None, "duration_ms": 89},
            {"line": 5, "method": "GET", "path": "/c", "duration_ms": 50},
        ),
    ),
    (
        # a request that was killed has no status
        "2014-05-02T11:20:30.101202+00:00 app[web.1]: Completed   in 20000ms",
        ({"status": None, "duration_ms": 20000},),
    ),
    (
        "2010-06-18T11:27:37+00:00 app[web.1]: Processing OrdersController#index (for 192.0.2.1 at 2010-06-18 11:27:37) [GET]\n"
        "2010-06-18T11:27:37+00:00 app[web.1]: Completed in 207ms (View: 0, DB: 258) | 200 OK [http://shop.example.com/orders]\n"
        "2010-06-18T11:27:39+00:00 app[web.1]: Completed in 0.22699 (4 reqs/sec) | Rendering: 0.02667 (11%) | DB: 0.03057 (13%)"
        " | 404 Not Found [http://shop.example.com/x?y=1]",
        (
            {"method": "GET", "path": "/orders", "controller": "OrdersController", "action": "index", "status": 200,
             "duration_ms": 207, "view_ms": 0, "db_ms": 258},
            {"method": None, "path": "/x?y=1", "controller": None, "status": 404, "duration_ms": 226.99, "view_ms": 26.67,
             "db_ms": 30.57},
        ),
    ),
)  # fmt: skip

NOT_MINE = (
    "2014-05-02T11:20:30.101202+00:00 app[worker.1]: Completed 5 jobs in a row",
    "2014-05-02T11:20:30.101202+00:00 app[worker.1]: Processing by hand",
    '2014-05-02T11:20:30.101202+00:00 heroku[web.1]: Started GET "/orders" for 192.0.2.7 at 2014-05-02 11:20:30 +0000',
)
