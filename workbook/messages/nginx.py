"""Requests as the web server in front of the router logged them, 2010 to 2013, in both of its layouts.

``POST /login HTTP/1.1 | 192.0.2.7 | 640 | http | 302`` (2011) and the combined log format with the host behind it (2012).
Each is the same request as a line of the router next to it, so it is no row of ``requests``. The time in the line may be in
another zone; the log line's own time counts.
"""

TABLE = "front_requests"

_BARS = r"^(?:([A-Z]+) (.*) HTTP/[\d.]+|-?) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*)$"
_COMBINED = (
    r'^(\S+) \S+ \S+ \[[^\]]*\] "(?:([A-Z]+) (.*?)(?: HTTP/[\d.]+)?|[^"]*)" (\S+) (\S+)'
    r'(?: "[^"]*" "[^"]*")?(?: ([\w.:-]+))?\s*$'
)

CLAIMS = rf"""
    source = 'heroku'
    AND process = 'nginx'
    AND (regexp_matches(message, '{_BARS}') OR regexp_matches(message, '{_COMBINED}'))
"""

ROWS = rf"""
WITH found AS (
    SELECT
        source_id,
        line,
        time,
        regexp_extract(message, '{_BARS}', ['method', 'path', 'client', 'bytes', 'scheme', 'status']) AS bars,
        regexp_extract(message, '{_COMBINED}', ['client', 'method', 'path', 'status', 'bytes', 'host']) AS combined
    FROM claimed
),
texts AS (
    SELECT
        source_id,
        line,
        time,
        bars.method || combined.method AS method,
        nullif(nullif(combined.host, ''), '-') AS host,
        nullif(bars.path || combined.path, '') AS path,
        nullif(trim(bars.client || combined.client), '-') AS client,
        trim(bars.status || combined.status) AS status_text,
        trim(bars.bytes || combined.bytes) AS bytes_text,
        trim(bars.scheme) AS scheme
    FROM found
),
numbers AS (
    SELECT
        *,
        try_cast(leading_number(status_text) AS INTEGER) AS status,
        leading_number(bytes_text) AS bytes
    FROM texts
)
SELECT
    source_id,
    line,
    time,
    nullif(method, '') AS method,
    host,
    path,
    route_of(path) AS route,
    nullif(client, '') AS client,
    status,
    bytes,
    nullif(scheme, '') AS scheme,
    list_filter(
        [
            CASE WHEN status IS NULL AND status_text NOT IN ('', '-') THEN 'status' END,
            CASE WHEN bytes IS NULL AND bytes_text NOT IN ('', '-') THEN 'bytes' END
        ],
        lambda field: field IS NOT NULL
    ) AS unread
FROM numbers
"""

EXAMPLES = (
    (
        "2011-09-10T11:12:13+00:00 heroku[nginx]: POST /login HTTP/1.1 | 192.0.2.7 | 640 | http | 302",
        ({"method": "POST", "host": None, "path": "/login", "route": "/login", "client": "192.0.2.7", "status": 302,
          "bytes": 640, "scheme": "http"},),
    ),
    (
        '2012-03-04T05:06:07+00:00 heroku[nginx]: 192.0.2.7 - - [04/Mar/2012:05:06:07 +0000] "POST /token HTTP/1.1" 200 96 "-"'
        ' "Ruby" shop.example.com\n'
        '2011-12-04T13:06:07+00:00 heroku[nginx]: 192.0.2.8 - - [04/Dec/2011:05:06:07 -0800] "GET /orders/7?a=b HTTP/1.0" 499 -'
        ' "http://shop.example.com/" "Mozilla/5.0 (X11)" shop.example.com\n'
        '2011-12-04T13:06:08+00:00 heroku[nginx]: 192.0.2.8 - - [04/Dec/2011:05:06:08 -0800] "-" 400 0 "-" "-" -',
        (
            {"method": "POST", "host": "shop.example.com", "path": "/token", "client": "192.0.2.7", "status": 200,
             "bytes": 96, "scheme": None},
            {"method": "GET", "path": "/orders/7?a=b", "route": "/orders/:id", "status": 499, "bytes": None},
            {"method": None, "host": None, "path": None, "status": 400, "bytes": 0},
        ),
    ),
    (
        # what a client put into its path stays there; a value that cannot be read is NULL
        "2011-09-10T11:12:13-07:00 heroku[nginx]: GET /a b| 1 | 2 HTTP/1.1 | 192.0.2.7 | many | https | 200",
        ({"method": "GET", "path": "/a b| 1 | 2", "bytes": None, "status": 200, "scheme": "https"},),
    ),
)  # fmt: skip

NOT_MINE = (
    "2011-09-10T11:12:13+00:00 app[nginx.1]: POST /login HTTP/1.1 | 192.0.2.7 | 640 | http | 302",
    "2011-09-10T11:12:13+00:00 heroku[nginx]: 2011/09/10 04:12:13 [error] 4242#0: *7 upstream timed out",
    "2011-09-10T11:12:13+00:00 heroku[router]: GET shop.example.com/items/7 dyno=web.1 queue=0 wait=0ms service=2210ms bytes=8123",
)
