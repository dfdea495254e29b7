"""One line for each request, as lograge prints it (since 2012): ``method=GET path=/x … status=200 duration=61.20 …``, or JSON.

It looks like a line of the router, so the source decides. The path has no query string; times are in ms. Source: lograge's
formatters (key_value, json, logstash).
"""

from workbook.messages._prefix import LOGGER_PREFIX, OWN

TABLE = "app_requests"

CLAIMS = rf"""
    {OWN}
    AND contains(message, 'duration')
    AND (
        regexp_matches(message, '{LOGGER_PREFIX}method=\S+ path=')
        AND message LIKE '% controller=%'
        AND message LIKE '% status=%'
        OR regexp_matches(message, '{LOGGER_PREFIX}\{{"')
        AND message LIKE '%"method":%'
        AND message LIKE '%"path":%'
        AND message LIKE '%"controller":%'
        AND message LIKE '%"status":%'
        AND message LIKE '%"duration":%'
    )
"""

# A document is read once, with all its keys; what is no JSON gives no keys, and each of them is noted as unread.
ROWS = rf"""
WITH bodies AS (
    SELECT
        source_id,
        line,
        time,
        process,
        message,
        regexp_replace(regexp_replace(message, '{LOGGER_PREFIX}', ''), ' error=''.*?'' duration=', ' duration=') AS body
    FROM claimed
),
documents AS (
    SELECT
        *,
        starts_with(body, '{{') AS is_json,
        CASE
            WHEN starts_with(body, '{{') AND json_valid(body) THEN json_extract_string(
                body,
                [
                    '$.method', '$.path', '$.controller', '$.action', '$.status', '$.duration', '$.view', '$.db',
                    '$.request_id'
                ]
            )
        END AS found
    FROM bodies
),
texts AS (
    SELECT
        source_id,
        line,
        time,
        process,
        message,
        is_json AND found IS NULL AS broken,
        CASE WHEN is_json THEN found[1] ELSE pair(body, 'method') END AS method,
        CASE WHEN is_json THEN found[2] ELSE pair(body, 'path') END AS path,
        CASE WHEN is_json THEN found[3] ELSE pair(body, 'controller') END AS controller,
        CASE WHEN is_json THEN found[4] ELSE pair(body, 'action') END AS action,
        CASE WHEN is_json THEN found[5] ELSE pair(body, 'status') END AS status_text,
        CASE WHEN is_json THEN found[6] ELSE pair(body, 'duration') END AS duration_text,
        CASE WHEN is_json THEN found[7] ELSE pair(body, 'view') END AS view_text,
        CASE WHEN is_json THEN found[8] ELSE pair(body, 'db') END AS db_text,
        CASE WHEN is_json THEN found[9] ELSE pair(body, 'request_id') END AS own_id
    FROM documents
),
numbers AS (
    SELECT
        *,
        try_cast(leading_number(status_text) AS INTEGER) AS status,
        plain_number(duration_text) AS duration_ms,
        plain_number(view_text) AS view_ms,
        plain_number(db_text) AS db_ms
    FROM texts
)
SELECT
    source_id,
    line,
    time,
    process AS dyno,
    coalesce(
        own_id,
        nullif(regexp_extract(regexp_extract(message, '{LOGGER_PREFIX}'), '\[([\w-]{{16,}})\]', 1), '')
    ) AS request_id,
    nullif(method, '') AS method,
    nullif(path, '') AS path,
    nullif(controller, '') AS controller,
    nullif(action, '') AS action,
    status,
    duration_ms,
    view_ms,
    db_ms,
    CASE
        WHEN broken THEN ['document']
        ELSE list_filter(
            [
                CASE WHEN status IS NULL AND status_text <> '' THEN 'status' END,
                CASE WHEN duration_ms IS NULL AND duration_text <> '' THEN 'duration' END,
                CASE WHEN view_ms IS NULL AND view_text <> '' THEN 'view' END,
                CASE WHEN db_ms IS NULL AND db_text <> '' THEN 'db' END
            ],
            lambda field: field IS NOT NULL
        )
    END AS unread
FROM numbers
"""

EXAMPLES = (
    (
        "2020-01-02T03:04:05.060708+00:00 app[web.1]: method=GET path=/orders/91.json format=json"
        " controller=OrdersController action=show status=200 duration=61.20 view=44.10 db=9.87",
        ({"dyno": "web.1", "request_id": None, "method": "GET", "path": "/orders/91.json",
          "controller": "OrdersController", "action": "show", "status": 200, "duration_ms": 61.2, "view_ms": 44.1,
          "db_ms": 9.87},),
    ),
    (
        "2020-01-02T03:04:05.060708+00:00 app[web.2]: I, [2020-01-02T03:04:05.060000 #4]  INFO -- :"
        " [00000000-0000-4000-8000-000000000011] method=POST path=/orders format=html controller=Admin::OrdersController"
        " action=create status=500 error='RuntimeError: no stock, status=200 duration=1' duration=5.02 view=0.00 db=soon allocations=812",
        ({"dyno": "web.2", "request_id": "00000000-0000-4000-8000-000000000011", "method": "POST", "path": "/orders",
          "controller": "Admin::OrdersController", "status": 500, "duration_ms": 5.02, "view_ms": 0, "db_ms": None},),
    ),
    (
        '2020-01-02T03:04:05.060708+00:00 app[web.1]: {"method":"GET","path":"/orders","format":"html",'
        '"controller":"OrdersController","action":"index","status":200,"duration":61.2,"view":44.1,"db":9.87,'
        '"request_id":"00000000-0000-4000-8000-000000000012"}',
        ({"method": "GET", "path": "/orders", "controller": "OrdersController", "action": "index", "status": 200,
          "duration_ms": 61.2, "view_ms": 44.1, "db_ms": 9.87, "request_id": "00000000-0000-4000-8000-000000000012"},),
    ),
    (
        # a document that was cut short: nothing can be read, and the row stays
        '2020-01-02T03:04:05.060708+00:00 app[web.1]: {"method":"GET","path":"/orders","controller":"OrdersController",'
        '"status":200,"duration":',
        ({"method": None, "status": None, "duration_ms": None},),
    ),
)  # fmt: skip

NOT_MINE = (
    "2020-01-02T03:04:05.060708+00:00 heroku[router]: at=info method=GET path=/ host=a.example.com dyno=web.1 connect=1ms"
    " service=1ms status=200 bytes=1 duration=1 controller=x",
    '2020-01-02T03:04:05.060708+00:00 app[web.1]: {"level":"info","msg":"request","duration":3}',
    "2020-01-02T03:04:05.060708+00:00 app[web.1]: sent method=GET path=/x controller=a status=200 duration=1",
)
