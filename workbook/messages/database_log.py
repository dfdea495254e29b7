r"""The log of a Postgres server: slow statements, errors, temporary files, checkpoints, vacuums, waits for locks.

``[DATABASE] [7-1]  sql_error_code = 00000 LOG:  duration: 3141.592 ms  statement: SELECT …`` since about 2017; before, there
was no error code; since 2023 time, pid, database, user and application stand behind it. In 2011 and 2013 the name of the
database stood in front. ``[n-m]`` is chunk m of message n of one server process; chunks are lines of their own, from the
second on with a tab, or with a label such as STATEMENT. Chunks are put together while m goes up by one within 1 s; a chunk
whose beginning is not in the file is a row of the kind ``rest``. Only statements above a threshold are logged, so this is
never the full load. Dev Center: "Postgres logs and errors"; PostgreSQL: "Error reporting and logging".
"""

from workbook.messages._prefix import DATABASE_SERVER

TABLE = "database_log"

_CHUNK = r"^(?:\[([^\]]*)\] *)?\[(\d{1,9})-(\d{1,9})\] *"
_KEYS = r'(?:\w+ ?= ?(?:"[^"]*"|[^\s"]\S*) +)+'
_WORDS = r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* \w+ )?(?:([\w.@-]+) )?(?:\[([\w-]+)\] )?"
_LABELS = "DEBUG[1-5]?|INFO|NOTICE|WARNING|LOG|ERROR|FATAL|PANIC|DETAIL|HINT|QUERY|CONTEXT|STATEMENT|LOCATION"
_HEAD = rf"{_CHUNK}(?:({_KEYS})|{_WORDS})({_LABELS}): *"
_DURATION = (
    r"(?s)^duration: (\d{1,15}(?:\.\d{1,9})?) ms"
    r"(?:\s+(statement|parse|bind|execute(?: fetch from)?|plan)(?: [^\s:]+)?:\s*(.*))?$"
)

CLAIMS = rf"""
    source = 'app'
    AND {DATABASE_SERVER}
    AND regexp_matches(message, '{_CHUNK}')
"""

NEIGHBOURS = CLAIMS

# What stands before the label is cut off, so that a name in it cannot pass for one of the keys that are read from it.
ROWS = rf"""
WITH prefixes AS (
    SELECT
        source_id,
        line,
        time,
        process,
        message,
        regexp_extract(message, '{_CHUNK}', ['attachment', 'number', 'chunk']) AS place,
        regexp_extract(
            message,
            '{_HEAD}',
            ['attachment', 'number', 'chunk', 'keys', 'database', 'late_attachment', 'label']
        ) AS head
    FROM claimed
),
chunks AS (
    SELECT
        source_id,
        line,
        time,
        process,
        place,
        head,
        place.chunk::BIGINT AS chunk,
        CASE
            WHEN head.label <> '' THEN regexp_replace(message, '{_HEAD}', '')
            ELSE regexp_replace(message, '{_CHUNK}\t?', '')
        END AS text
    FROM prefixes
),
neighbours AS (
    SELECT
        *,
        coalesce(
            chunk > 1
            AND chunk = lag(chunk) OVER same + 1
            AND coalesce(abs(date_diff('millisecond', lag(time) OVER same, time)) <= 1000, true),
            false
        ) AS follows
    FROM chunks
    WINDOW same AS (PARTITION BY source_id, process, place.attachment, place.number ORDER BY line)
),
numbered AS (
    SELECT
        *,
        sum((NOT follows)::INTEGER) OVER (
            PARTITION BY source_id, process, place.attachment, place.number
            ORDER BY line
        ) AS message_number
    FROM neighbours
),
labelled AS (
    SELECT
        *,
        coalesce(
            last_value(nullif(head.label, '') IGNORE NULLS) OVER (
                PARTITION BY source_id, process, place.attachment, place.number, message_number
                ORDER BY line
                ROWS UNBOUNDED PRECEDING
            ),
            ''
        ) AS label
    FROM numbered
),
messages AS (
    SELECT
        source_id,
        process,
        arg_min({{'line': line, 'time': time, 'place': place, 'head': head, 'label': label}}, line) AS first,
        string_agg(text, chr(10) ORDER BY line)
            FILTER (WHERE label NOT IN ('DETAIL', 'HINT', 'QUERY', 'CONTEXT', 'STATEMENT', 'LOCATION')) AS main,
        string_agg(text, chr(10) ORDER BY line) FILTER (WHERE label = 'STATEMENT') AS statement,
        string_agg(text, chr(10) ORDER BY line) FILTER (WHERE label IN ('DETAIL', 'HINT', 'CONTEXT')) AS detail
    FROM labelled
    GROUP BY source_id, process, place.attachment, place.number, message_number
),
durations AS (
    SELECT
        *,
        regexp_extract(main, '{_DURATION}', ['duration', 'verb', 'statement']) AS timed
    FROM messages
),
kinds AS (
    SELECT
        *,
        CASE
            WHEN first.label = '' THEN 'rest'
            WHEN first.label IN ('ERROR', 'FATAL', 'PANIC') THEN 'error'
            WHEN timed.duration <> '' THEN coalesce(nullif(split_part(timed.verb, ' ', 1), ''), 'duration')
            WHEN starts_with(main, 'statement: ') THEN 'statement'
            WHEN starts_with(main, 'temporary file: ') THEN 'temporary_file'
            WHEN starts_with(main, 'checkpoint ') THEN 'checkpoint'
            WHEN regexp_matches(main, '^automatic (?:aggressive )?(?:vacuum|analyze)') THEN 'autovacuum'
            WHEN regexp_matches(main, '^process \d+ (?:still waiting for|acquired) ') THEN 'lock_wait'
            WHEN regexp_matches(main, '^(?:connection |disconnection: )') THEN 'connection'
            ELSE 'other'
        END AS kind
    FROM durations
),
texts AS (
    SELECT
        *,
        CASE kind
            WHEN 'temporary_file' THEN regexp_extract(main, ', size (\d+)$', 1)
        END AS size_text,
        CASE
            WHEN statement IS NOT NULL THEN statement
            WHEN kind = 'plan' THEN regexp_extract(timed.statement, '(?s)Query Text: (.*?)(?:\n[^\n]*\(cost=.*)?$', 1)
            WHEN timed.statement <> '' THEN timed.statement
            WHEN kind = 'statement' THEN substr(main, 12)
        END AS statement_text
    FROM kinds
)
SELECT
    source_id,
    first.line AS line,
    first.time AS time,
    process,
    nullif(coalesce(nullif(first.place.attachment, ''), first.head.late_attachment), '') AS attachment,
    nullif(first.label, '') AS severity,
    kind,
    CASE
        WHEN timed.duration <> '' THEN try_cast(timed.duration AS DOUBLE)
        WHEN kind = 'lock_wait' THEN try_cast(nullif(regexp_extract(main, ' after (\d{{1,15}}(?:\.\d{{1,9}})?) ms', 1), '') AS DOUBLE)
        WHEN kind = 'checkpoint' THEN 1000 * try_cast(nullif(regexp_extract(main, '\btotal=(\d{{1,9}}(?:\.\d{{1,9}})?) s', 1), '') AS DOUBLE)
        WHEN kind = 'autovacuum' THEN 1000 * try_cast(nullif(regexp_extract(main, '\belapsed:? (\d{{1,9}}(?:\.\d{{1,9}})?) s', 1), '') AS DOUBLE)
    END AS duration_ms,
    nullif(statement_text, '') AS statement,
    statement_shape(nullif(statement_text, '')) AS statement_shape,
    try_cast(size_text AS BIGINT) AS temporary_file_bytes,
    nullif(regexp_extract(first.head.keys, 'sql_error_code = (\w+)', 1), '') AS sql_error_code,
    leading_number(regexp_extract(first.head.keys, '\bpid="?(\d+)', 1)) AS pid,
    coalesce(nullif(regexp_extract(first.head.keys, '\bdatabase="([^"]*)"', 1), ''), nullif(first.head.database, ''))
        AS "database",
    nullif(regexp_extract(first.head.keys, '\buser="([^"]*)"', 1), '') AS "user",
    nullif(regexp_extract(first.head.keys, '\bapplication_name="([^"]*)"', 1), '') AS application_name,
    nullif(coalesce(main, detail, statement), '') AS message,
    CASE WHEN main IS NOT NULL THEN nullif(detail, '') END AS detail,
    list_filter(
        [
            CASE WHEN starts_with(main, 'duration: ') AND timed.duration = '' THEN 'duration' END,
            CASE WHEN kind = 'temporary_file' AND try_cast(size_text AS BIGINT) IS NULL THEN 'size' END
        ],
        lambda field: field IS NOT NULL
    ) AS unread
FROM texts
ORDER BY source_id, line
"""

_NEW = (
    'sql_error_code = {code} time_ms = "2023-04-05 06:07:08.091 UTC" pid="4242" proc_start_time="2023-04-05 06:00:00 UTC"'
    ' session_id="642d0e80.1092" vtid="4/1" tid="0" log_line="7" database="d1" connection_source="203.0.113.4(12345)"'
    ' user="u1" application_name="puma: cluster worker 1" '
)

EXAMPLES = (
    (
        "2019-05-01T00:00:00.000000+00:00 app[postgres.12345]: [DATABASE] [7-1]  sql_error_code = 00000 LOG:  duration:"
        " 3141.592 ms  statement: SELECT *\n"
        "2019-05-01T00:00:00.000000+00:00 app[postgres.12345]: [DATABASE] [7-2]  \tFROM orders WHERE id = 1",
        ({"line": 1, "process": "postgres.12345", "attachment": "DATABASE", "severity": "LOG", "kind": "statement",
          "duration_ms": 3141.592, "statement": "SELECT *\nFROM orders WHERE id = 1",
          "statement_shape": "SELECT * FROM orders WHERE id = ?", "temporary_file_bytes": None, "sql_error_code": "00000",
          "pid": None, "database": None, "user": None, "application_name": None, "detail": None},),
    ),
    (
        # 2011, 2013 and 2014
        "2011-11-09T18:11:00+00:00 app[postgres]: [2-1] 2011-11-09 18:11:00 UTC dbname LOG:  checkpoint starting: time\n"
        "2013-04-05T06:07:08+00:00 app[postgres]: [311-1] dbname [TEAL] LOG:  duration: 61.803 ms  statement: SELECT 'a', $1\n"
        "2014-04-05T06:07:08+00:00 app[postgres.12345]: [DATABASE] [4717-1]  LOG:  duration: 3141.592 ms  execute a1:"
        " UPDATE carts SET total = -5 WHERE id IN (1, 2, 3)\n"
        "2014-04-05T06:07:09+00:00 app[postgres.12345]: [DATABASE] [4718-1]  LOG:  duration: 0.5 ms  parse <unnamed>: SELECT 1\n"
        "2014-04-05T06:07:09+00:00 app[postgres.12345]: [DATABASE] [4719-1]  LOG:  duration: 0.7 ms  bind <unnamed>: SELECT 1\n"
        "2014-04-05T06:07:09+00:00 app[postgres.12345]: [DATABASE] [4720-1]  LOG:  duration: 12 ms",
        (
            {"line": 1, "process": "postgres", "attachment": None, "database": "dbname", "kind": "checkpoint",
             "duration_ms": None, "message": "checkpoint starting: time", "sql_error_code": None},
            {"line": 2, "attachment": "TEAL", "database": "dbname", "kind": "statement", "duration_ms": 61.803,
             "statement": "SELECT 'a', $1", "statement_shape": "SELECT ?, ?"},
            {"line": 3, "attachment": "DATABASE", "kind": "execute", "duration_ms": 3141.592,
             "statement_shape": "UPDATE carts SET total = ? WHERE id IN (?)"},
            {"line": 4, "kind": "parse", "duration_ms": 0.5, "statement": "SELECT 1"},
            {"line": 5, "kind": "bind", "duration_ms": 0.7},
            {"line": 6, "kind": "duration", "duration_ms": 12, "statement": None},
        ),
    ),
    (
        # two server processes with the same message number; a name that looks like keys of the line
        f"2023-04-05T06:07:08.091000+00:00 app[postgres.77]: [YELLOW] [12-1]  {_NEW.format(code='00000')}LOG:  duration:"
        " 2001.5 ms  statement: SELECT ' pid=\"1\" user=\"x\" FATAL:  y'\n"
        f"2023-04-05T06:07:08.092000+00:00 app[postgres.77]: [YELLOW] [12-1]  {_NEW.format(code='42P01')}ERROR:  relation"
        ' "cart" does not exist at character 15\n'
        f"2023-04-05T06:07:08.092000+00:00 app[postgres.77]: [YELLOW] [12-2]  {_NEW.format(code='42P01')}HINT:  Perhaps you"
        " meant carts.\n"
        f"2023-04-05T06:07:08.092000+00:00 app[postgres.77]: [YELLOW] [12-3]  {_NEW.format(code='42P01')}STATEMENT:  SELECT *\n"
        "2023-04-05T06:07:08.092000+00:00 app[postgres.77]: [YELLOW] [12-4]  \tFROM cart WHERE id = 7",
        (
            {"line": 1, "attachment": "YELLOW", "pid": 4242, "database": "d1", "user": "u1",
             "application_name": "puma: cluster worker 1", "severity": "LOG", "kind": "statement", "duration_ms": 2001.5,
             "sql_error_code": "00000", "statement_shape": "SELECT ?"},
            {"line": 2, "severity": "ERROR", "kind": "error", "duration_ms": None, "sql_error_code": "42P01",
             "message": 'relation "cart" does not exist at character 15', "detail": "Perhaps you meant carts.",
             "statement": "SELECT *\nFROM cart WHERE id = 7", "statement_shape": "SELECT * FROM cart WHERE id = ?"},
        ),
    ),
    (
        "2020-05-01T00:00:00+00:00 app[postgres.1]: [DATABASE] [8-1]  sql_error_code = 00000 LOG:  temporary file: path"
        ' "base/pgsql_tmp/pgsql_tmp4242.0", size 268435456\n'
        "2020-05-01T00:00:01+00:00 app[postgres.1]: [DATABASE] [9-1]  sql_error_code = 53300 FATAL:  remaining connection"
        " slots are reserved for non-replication superuser connections\n"
        "2020-05-01T00:00:02+00:00 app[postgres.1]: [DATABASE] [10-1]  sql_error_code = 00000 LOG:  checkpoint complete: wrote"
        " 7 buffers (0.0%); 0 WAL file(s) added, 0 removed, 0 recycled; write=0.602 s, sync=0.001 s, total=0.613 s\n"
        "2020-05-01T00:00:03+00:00 app[postgres.1]: [DATABASE] [11-1]  sql_error_code = 00000 LOG:  automatic vacuum of table"
        ' "d1.public.orders": index scans: 1\n'
        "2020-05-01T00:00:03+00:00 app[postgres.1]: [DATABASE] [11-2]  \tsystem usage: CPU: user: 0.05 s, system: 0.01 s,"
        " elapsed: 0.42 s\n"
        "2020-05-01T00:00:04+00:00 app[postgres.1]: [DATABASE] [12-1]  sql_error_code = 00000 LOG:  process 4242 still waiting"
        " for ShareLock on transaction 700123 after 1000.123 ms\n"
        "2020-05-01T00:00:05+00:00 app[postgres.1]: [DATABASE] [13-1]  sql_error_code = 00000 LOG:  duration: 2500.5 ms  plan:\n"
        "2020-05-01T00:00:05+00:00 app[postgres.1]: [DATABASE] [13-2]  \tQuery Text: SELECT *\n"
        "2020-05-01T00:00:05+00:00 app[postgres.1]: [DATABASE] [13-3]  \tFROM orders WHERE total > 9.5\n"
        "2020-05-01T00:00:05+00:00 app[postgres.1]: [DATABASE] [13-4]  \tSeq Scan on orders  (cost=0.00..35.50 rows=10 width=4)\n"
        "2020-05-01T00:00:05+00:00 app[postgres.1]: [DATABASE] [13-5]  \t  Filter: (total > 9.5)\n"
        "2020-05-01T00:00:06+00:00 app[postgres.1]: [DATABASE] [14-1]  sql_error_code = 00000 LOG:  statement: ALTER TABLE a"
        " ADD COLUMN b int4",
        (
            {"line": 1, "kind": "temporary_file", "temporary_file_bytes": 268435456, "duration_ms": None},
            {"line": 2, "severity": "FATAL", "kind": "error", "sql_error_code": "53300", "statement": None},
            {"line": 3, "kind": "checkpoint", "duration_ms": 613},
            {"line": 4, "kind": "autovacuum", "duration_ms": 420},
            {"line": 6, "kind": "lock_wait", "duration_ms": 1000.123},
            {"line": 7, "kind": "plan", "duration_ms": 2500.5, "statement": "SELECT *\nFROM orders WHERE total > 9.5",
             "statement_shape": "SELECT * FROM orders WHERE total > ?"},
            {"line": 12, "kind": "statement", "duration_ms": None, "statement": "ALTER TABLE a ADD COLUMN b int4"},
        ),
    ),
    (
        # a log that begins in the middle of a message, and a value that cannot be read
        "2020-05-01T00:00:05+00:00 app[postgres.1]: [DATABASE] [13-4]  \tFROM orders\n"
        "2020-05-01T00:00:06+00:00 app[postgres.1]: [DATABASE] [14-1]  LOG:  duration: long ms  statement: SELECT 1\n"
        "2020-05-01T00:00:06+00:00 app[postgres.1]: [DATABASE] [15-1]  LOG:  connection authorized: user=u1 database=d1",
        (
            {"line": 1, "severity": None, "kind": "rest", "message": "FROM orders", "statement": None},
            {"line": 2, "severity": "LOG", "kind": "other", "duration_ms": None},
            {"line": 3, "kind": "connection", "user": None},
        ),
    ),
)  # fmt: skip

NOT_MINE = (
    "2020-05-01T00:00:05+00:00 app[heroku-postgres]: source=DATABASE sample#db_size=91234567bytes",
    "2020-05-01T00:00:05+00:00 app[web.1]: [DATABASE] [7-1]  sql_error_code = 00000 LOG:  duration: 3141.592 ms",
    "2020-05-01T00:00:05+00:00 app[postgres.12345]: server process restarted",
    "2020-05-01T00:00:05+00:00 app[postgres-worker.1]: [DATABASE] [7-1]  LOG:  duration: 3141.592 ms",
)
