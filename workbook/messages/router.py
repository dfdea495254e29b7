"""Requests, as the router logs them: all forms from 2010 to Router 2.0.

The form of 2010–2012 (``GET host/path dyno= queue= …``), the key=value form since late 2012 with bare and later quoted
paths, http-request-id (2013), ``protocol=`` (2017) and Router 2.0 (``tls=``, 2024). Never read by date. The command line
of December 2018 spoilt two forms: a blank behind each ``=``, or a comma in its place.
Dev Center: "Heroku router log format", "HTTP routing".
"""

TABLE = "requests"

CLAIMS = r"""
    source = 'heroku'
    AND process = 'router'
    AND (
        message LIKE '%at=%method=%'
        OR message LIKE '%dyno=%service=%'
        OR message LIKE '%service=%status=%'
        OR message LIKE 'at,%method,%'
        OR message LIKE 'sock,%method,%'
    )
"""

# A line in the usual order, in which no client wrote an "=" behind a blank, is cut at its keys, which is fast.
USUAL = (
    r"regexp_matches(message, '"
    r'^(?:sock=\w* )?at=\w+ (?:code=\w* )?(?:desc="[^"=]*" )?method=\w+'
    r' path=(?:"[^" ]*(?: [^" =&]*(?:&[^" ]*)?)*"|[^" ]*) host=\S* (?:(?:request_)?id=\S* )?fwd=(?:"[^"=]*"|[^" ]*)'
    r" dyno=\S*(?: queue=\d{0,18} wait=\d{0,18}(?:ms)?)? connect=\d{0,18}(?:ms)? service=\d{0,18}(?:ms)?"
    r" status=\d{0,9} bytes=\d{0,18}(?: sock=\w*)?(?: protocol=\S*)?(?: tls=(?:true|false))?(?: tls_version=\S*)?$"
    r"')"
)

_COLUMNS = r"""    source_id,
    line,
    time,
    nullif(method, '') AS method,
    nullif(host, '') AS host,
    nullif(path, '') AS path,
    bare_route(bare_path(nullif(path, ''))) AS route,
    nullif(request_id, '') AS request_id,
    nullif(trim(fwd), '') AS fwd,
    nullif(dyno, '') AS dyno,
    queue,
    wait_ms,
    connect_ms,
    service_ms,
    status,
    bytes,
    nullif(code, '') AS code,
    nullif(description, '') AS description,
    nullif("at", '') AS "at",
    nullif(sock, '') AS sock,
    nullif(protocol, '') AS protocol,
    CASE tls_text WHEN 'true' THEN true WHEN 'false' THEN false END AS tls,
    nullif(tls_version, '') AS tls_version"""

USUAL_ROWS = rf"""
WITH places AS (
    SELECT
        source_id,
        line,
        time,
        message,
        instr(message, 'method=') AS at_method,
        instr(message, ' path=') AS at_path,
        instr(message, ' host=') AS at_host,
        instr(message, ' fwd=') AS at_fwd,
        instr(message, ' dyno=') AS at_dyno,
        instr(message, ' connect=') AS at_connect,
        instr(message, ' service=') AS at_service,
        instr(message, ' status=') AS at_status,
        instr(message, ' bytes=') AS at_bytes
    FROM claimed
),
cuts AS (
    SELECT
        source_id,
        line,
        time,
        left(message, at_method - 1) AS head,
        substr(message, at_method + 7, at_path - at_method - 7) AS method,
        trim(substr(message, at_path + 6, at_host - at_path - 6), '"') AS path,
        substr(message, at_host + 6, at_fwd - at_host - 6) AS host_and_id,
        trim(substr(message, at_fwd + 5, at_dyno - at_fwd - 5), '"') AS fwd,
        substr(message, at_dyno + 6, at_connect - at_dyno - 6) AS dyno_and_queue,
        substr(message, at_connect + 9, at_service - at_connect - 9) AS connect_text,
        substr(message, at_service + 9, at_status - at_service - 9) AS service_text,
        substr(message, at_status + 8, at_bytes - at_status - 8) AS status_text,
        substr(message, at_bytes + 7) AS bytes_and_rest
    FROM places
),
usual AS (
    SELECT
        source_id,
        line,
        time,
        method,
        split_part(host_and_id, ' ', 1) AS host,
        path,
        CASE
            WHEN contains(host_and_id, ' request_id=') THEN substr(host_and_id, instr(host_and_id, ' ') + 12)
            WHEN contains(host_and_id, ' id=') THEN substr(host_and_id, instr(host_and_id, ' ') + 4)
        END AS request_id,
        fwd,
        split_part(dyno_and_queue, ' ', 1) AS dyno,
        CASE
            WHEN contains(dyno_and_queue, ' ') THEN try_cast(pair(dyno_and_queue, 'queue') AS BIGINT)
        END AS queue,
        CASE
            WHEN contains(dyno_and_queue, ' ') THEN try_cast(rtrim(pair(dyno_and_queue, 'wait'), 'ms') AS BIGINT)
        END AS wait_ms,
        try_cast(rtrim(connect_text, 'ms') AS BIGINT) AS connect_ms,
        try_cast(rtrim(service_text, 'ms') AS BIGINT) AS service_ms,
        try_cast(status_text AS INTEGER) AS status,
        try_cast(split_part(bytes_and_rest, ' ', 1) AS BIGINT) AS bytes,
        CASE WHEN head <> 'at=info ' THEN pair(head, 'code') END AS code,
        CASE WHEN head <> 'at=info ' THEN quoted_pair(head, 'desc') END AS description,
        CASE WHEN head = 'at=info ' THEN 'info' ELSE pair(head, 'at') END AS "at",
        CASE WHEN contains(head, 'sock=') THEN pair(head, 'sock') ELSE pair(bytes_and_rest, 'sock') END AS sock,
        CASE
            WHEN ends_with(bytes_and_rest, ' protocol=https') THEN 'https'
            ELSE pair(bytes_and_rest, 'protocol')
        END AS protocol,
        CASE WHEN contains(bytes_and_rest, ' tls=') THEN pair(bytes_and_rest, 'tls') END AS tls_text,
        CASE WHEN contains(bytes_and_rest, ' tls_') THEN pair(bytes_and_rest, 'tls_version') END AS tls_version
    FROM cuts
)
SELECT
{_COLUMNS}
FROM usual
"""

# Any line is read key by key: keys in any order, missing or new, the form of 2010–2012, and whatever a client put into its
# path or its addresses, which are cut out first since they may hold blanks, quotes and anything that looks like a key.
ROWS = rf"""
WITH repaired AS (
    SELECT
        source_id,
        line,
        time,
        CASE
            WHEN message LIKE 'at= %' OR message LIKE 'sock= %' THEN regexp_replace(
                regexp_replace(
                    replace(message, '= ', '='),
                    '=(dyno|queue|wait|connect|service|status|bytes|protocol|tls)=',
                    '= \1=',
                    'g'
                ),
                '=(dyno|queue|wait|connect|service|status|bytes|protocol|tls)=',
                '= \1=',
                'g'
            )
            WHEN message LIKE 'at,%' OR message LIKE 'sock,%' THEN regexp_replace(
                message,
                '(^| )(sock|at|code|desc|method|path|host|request_id|fwd|dyno|connect|service|status|bytes|protocol),',
                '\1\2=',
                'g'
            )
            ELSE message
        END AS message
    FROM claimed
),
around_path AS (
    SELECT
        *,
        regexp_extract(
            message,
            '(?s)^(.*?) path=(?:"(.*?)"( host=\S+ (?:request_id|id|fwd)=.*| host=[^"]*)|([^" ].*?)( host=.*)|"?([^" ]*)"?(.*))$',
            ['before', 'quoted', 'after_quoted', 'bare', 'after_bare', 'alone', 'after_alone']
        ) AS cut
    FROM repaired
),
without_path AS (
    SELECT
        source_id,
        line,
        time,
        cut.quoted || cut.bare || cut.alone AS path,
        CASE
            WHEN contains(message, ' path=') THEN cut.before || cut.after_quoted || cut.after_bare || cut.after_alone
            ELSE message
        END AS message
    FROM around_path
),
around_fwd AS (
    SELECT
        *,
        regexp_extract(
            message,
            '(?s)^(.*?) fwd=(?:"([^"]*)"?(.*)|(.*?)( dyno=.*)|(\S*)(.*))$',
            ['before', 'quoted', 'after_quoted', 'bare', 'after_bare', 'alone', 'after_alone']
        ) AS cut
    FROM without_path
),
pairs AS (
    SELECT
        source_id,
        line,
        time,
        path,
        cut.quoted || cut.bare || cut.alone AS fwd,
        regexp_replace(
            CASE
                WHEN contains(message, ' fwd=') THEN cut.before || cut.after_quoted || cut.after_bare || cut.after_alone
                ELSE message
            END,
            ' (agent|cause)="[^"]*"',
            '',
            'g'
        ) AS pairs,
        regexp_extract(
            message,
            '^(?:Error ([A-Z]\d\d) \(([^)]*)\) -> )?([A-Z]+) ([^/ ]*)(\S*) dyno=',
            ['code', 'description', 'method', 'host', 'path']
        ) AS old
    FROM around_fwd
),
texts AS (
    SELECT
        source_id,
        line,
        time,
        coalesce(pair(pairs, 'method'), old.method) AS method,
        coalesce(pair(pairs, 'host'), old.host) AS host,
        coalesce(nullif(path, ''), old.path) AS path,
        coalesce(pair(pairs, 'request_id'), pair(pairs, 'id')) AS request_id,
        fwd,
        coalesce(pair(pairs, 'dyno'), pair(pairs, 'web')) AS dyno,
        pair(pairs, 'queue') AS queue_text,
        pair(pairs, 'wait') AS wait_text,
        pair(pairs, 'connect') AS connect_text,
        pair(pairs, 'service') AS service_text,
        pair(pairs, 'status') AS status_text,
        pair(pairs, 'bytes') AS bytes_text,
        coalesce(pair(pairs, 'code'), old.code) AS code,
        coalesce(quoted_pair(pairs, 'desc'), old.description) AS description,
        coalesce(pair(pairs, 'at'), CASE WHEN old.code <> '' THEN 'error' END) AS "at",
        pair(pairs, 'sock') AS sock,
        pair(pairs, 'protocol') AS protocol,
        pair(pairs, 'tls') AS tls_text,
        pair(pairs, 'tls_version') AS tls_version
    FROM pairs
),
numbers AS (
    SELECT
        *,
        leading_number(queue_text) AS queue,
        leading_number(wait_text) AS wait_ms,
        leading_number(connect_text) AS connect_ms,
        leading_number(service_text) AS service_ms,
        try_cast(leading_number(status_text) AS INTEGER) AS status,
        leading_number(bytes_text) AS bytes
    FROM texts
),
unusual AS (
    SELECT
        * EXCLUDE (queue_text, wait_text, connect_text, service_text, status_text, bytes_text),
        CASE
            WHEN queue IS NULL AND queue_text <> ''
                OR wait_ms IS NULL AND wait_text <> ''
                OR connect_ms IS NULL AND connect_text <> ''
                OR service_ms IS NULL AND service_text <> ''
                OR status IS NULL AND status_text <> ''
                OR bytes IS NULL AND bytes_text <> ''
                OR tls_text NOT IN ('', 'true', 'false') THEN list_filter(
                    [
                        CASE WHEN queue IS NULL AND queue_text <> '' THEN 'queue' END,
                        CASE WHEN wait_ms IS NULL AND wait_text <> '' THEN 'wait' END,
                        CASE WHEN connect_ms IS NULL AND connect_text <> '' THEN 'connect' END,
                        CASE WHEN service_ms IS NULL AND service_text <> '' THEN 'service' END,
                        CASE WHEN status IS NULL AND status_text <> '' THEN 'status' END,
                        CASE WHEN bytes IS NULL AND bytes_text <> '' THEN 'bytes' END,
                        CASE WHEN tls_text NOT IN ('', 'true', 'false') THEN 'tls' END
                    ],
                    lambda field: field IS NOT NULL
                )
        END AS unread
    FROM numbers
)
SELECT
{_COLUMNS},
    unread
FROM unusual
"""

EXAMPLES = (
    (
        # the book, chapter 1
        "2013-05-08T00:28:23.205391+00:00 heroku[router]: at=info method=GET path=/ host=help.heroku.com"
        ' fwd="210.149.23.47" dyno=web.1 connect=2ms service=111ms status=200 bytes=85',
        ({"method": "GET", "path": "/", "host": "help.heroku.com", "fwd": "210.149.23.47", "dyno": "web.1",
          "connect_ms": 2, "service_ms": 111, "status": 200, "bytes": 85, "code": None, "queue": None},),
    ),
    (
        # the book, chapter 4: empty values are missing, not 0
        'heroku[router]: at=error code=H12 desc="Request timeout" method=GET path=/coupons'
        " host=debugging.herokuapp.com fwd=52.171.38.92 dyno=web.2 queue= wait= connect= service=30000ms status=503 bytes=0",
        ({"time": None, "code": "H12", "description": "Request timeout", "path": "/coupons", "fwd": "52.171.38.92",
          "queue": None, "wait_ms": None, "connect_ms": None, "service_ms": 30000, "status": 503},),
    ),
    (
        "2011-09-10T11:12:13+00:00 heroku[router]: GET shop.example.com/items/7 dyno=web.1 queue=0 wait=0ms"
        " service=2210ms bytes=8123",
        ({"method": "GET", "host": "shop.example.com", "path": "/items/7", "route": "/items/:id", "queue": 0,
          "wait_ms": 0, "service_ms": 2210, "status": None, "bytes": 8123, "code": None},),
    ),
    (
        "2012-03-04T05:06:09+00:00 heroku[router]: Error H13 (Connection closed without response) ->"
        " GET shop.example.com/favicon.ico dyno=web.1 queue= wait= service= status=503 bytes=",
        ({"code": "H13", "description": "Connection closed without response", "path": "/favicon.ico", "at": "error",
          "service_ms": None, "bytes": None, "status": 503},),
    ),
    (
        '2013-02-03T04:05:06+00:00 heroku[router]: at=error code=H18 desc="Request Interrupted" method=GET path=/'
        " host=shop.example.com fwd= dyno= queue= wait= connect= service=0ms status=503 bytes=0 sock=client",
        ({"code": "H18", "fwd": None, "dyno": None, "service_ms": 0, "sock": "client"},),
    ),
    (
        '2015-06-07T08:09:10.111213+00:00 heroku[router]: sock=client at=error code=H18 desc="Request Interrupted"'
        ' method=GET path="/report/" host=shop.example.com request_id=00000000-0000-4000-8000-000000000003'
        ' fwd="192.0.2.4" dyno=web.1 connect=0ms service=2040ms status=503 bytes=2048',
        ({"sock": "client", "path": "/report/", "request_id": "00000000-0000-4000-8000-000000000003"},),
    ),
    (
        '2021-02-03T04:05:06.070809+00:00 heroku[router]: at=error code=H12 desc="Request timeout" method=GET'
        ' path="/coupons?page=2" host=shop.example.com request_id=00000000-0000-4000-8000-000000000004'
        ' fwd="192.0.2.4,198.51.100.1" dyno=web.1 connect=0ms service=30001ms status=503 bytes=0 protocol=https',
        ({"path": "/coupons?page=2", "route": "/coupons", "fwd": "192.0.2.4,198.51.100.1", "protocol": "https",
          "tls": None},),
    ),
    (
        "2025-04-05T06:07:10.121314+00:00 heroku[router]: at=info method=GET"
        ' path="/price lists/a service=9ms status=500 b.pdf" host=shop.example.com'
        ' request_id=00000000-0000-1000-0000-000000000006 fwd="192.0.2.4" dyno=web.1 connect=0ms service=2ms status=206'
        " bytes=4096 protocol=http2.0 tls=true tls_version=tls1.3",
        ({"path": "/price lists/a service=9ms status=500 b.pdf", "service_ms": 2, "status": 206, "tls": True,
          "tls_version": "tls1.3", "protocol": "http2.0"},),
    ),
    (
        # a value that cannot be read is NULL, and the row stays
        "2014-03-04T05:06:07.080910+00:00 heroku[router]: at=info method=GET path=/a host=shop.example.com"
        ' fwd="192.0.2.4" dyno=web.1 connect=1ms service=soon status=200 bytes=1',
        ({"path": "/a", "service_ms": None, "status": 200},),
    ),
)  # fmt: skip

NOT_MINE = (
    '2014-05-02T11:20:30.101202+00:00 app[web.1]: at=info method=GET path="/x" host=a.example.com dyno=web.1 service=1ms',
    "2014-05-02T11:20:30.101202+00:00 heroku[web.1]: State changed from starting to up",
)
