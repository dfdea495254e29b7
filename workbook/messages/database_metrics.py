"""Load, memory and cache of a database, as Heroku Postgres (2013), Redis (2015) and PgBouncer (2019) print them.

One line every one to five minutes with ``sample#NAME=VALUE`` pairs. ``source=`` is the name under which the database is
attached. Dev Center: "Heroku Postgres metrics logs".
"""

from workbook.messages._samples import rows, usual

TABLE = "database_samples"

CLAIMS = r"""
    process LIKE 'heroku-%'
    AND source IN ('app', 'heroku')
    AND regexp_matches(message, '^(?:\.\.\. ?)?(?:source|addon|dyno|(?:sample|measure|count)#[\w.-]+)=')
    AND regexp_matches(message, '(?:^|\s)(?:sample|measure|count)#[\w.-]+=')
"""

_USUAL = usual(r"source=([^\s#]+)(?: addon=[^\s#]+)?")

_KNOWN = rf"""
WITH heads AS (
    SELECT
        source_id,
        line,
        time,
        process,
        message,
        regexp_extract(message, '{_USUAL}', 1) AS head
    FROM claimed
),
known AS (
    SELECT
        *,
        CASE WHEN head <> '' THEN head ELSE pair(message, 'source') END AS attachment
    FROM heads
),
"""

# Free and used temporary space are bytes, though printed without a unit.
_UNIT = """
CASE
    WHEN unit = '' AND metric IN ('tmp_disk_used', 'tmp_disk_available') THEN 'bytes'
    ELSE nullif(unit, '')
END
"""

ROWS = _KNOWN + rows(own="process, attachment", unit=_UNIT)

EXAMPLES = (
    (
        "2015-06-07T08:09:10+00:00 app[heroku-postgres]: source=DATABASE sample#current_transaction=20511"
        " sample#db_size=91234567bytes sample#active-connections=8 sample#index-cache-hit-rate=0.9931"
        " sample#load-avg-1m=0.11 sample#memory-total=15000000kB",
        (
            {"process": "heroku-postgres", "attachment": "DATABASE", "metric": "current_transaction", "value": 20511,
             "unit": None},
            {"metric": "db_size", "value": 91234567, "unit": "bytes"},
            {"metric": "active_connections", "value": 8, "unit": None},
            {"metric": "index_cache_hit_rate", "value": 0.9931, "unit": None},
            {"metric": "load_avg_1m", "value": 0.11, "unit": None},
            {"metric": "memory_total", "value": 15000000, "unit": "kB"},
        ),
    ),
    (
        "2025-06-01T10:00:00.000000+00:00 app[heroku-postgres]: source=HEROKU_POSTGRESQL_VIOLET"
        " addon=postgresql-blue-12345 sample#tmp-disk-used=540000000 sample#read-iops=0 sample#index-cache-hit-rate=NaN"
        " sample#follower-lag-commits=0",
        (
            {"attachment": "HEROKU_POSTGRESQL_VIOLET", "metric": "tmp_disk_used", "value": 540000000, "unit": "bytes"},
            {"metric": "read_iops", "value": 0, "unit": None},
            {"metric": "index_cache_hit_rate", "value": None, "unit": None},
            {"metric": "follower_lag_commits", "value": 0, "unit": None},
        ),
    ),
    (
        "2016-06-01T10:00:00+00:00 app[heroku-redis]: source=REDIS addon=redis-x-1 sample#active-connections=3"
        " sample#memory-total=4045592.0kB sample#memory-redis=349760bytes",
        (
            {"process": "heroku-redis", "attachment": "REDIS", "metric": "active_connections", "value": 3},
            {"metric": "memory_total", "value": 4045592, "unit": "kB"},
            {"metric": "memory_redis", "value": 349760, "unit": "bytes"},
        ),
    ),
    (
        "2023-06-01T10:00:00.000000+00:00 app[heroku-pgbouncer]: source=pgbouncer addon=postgresql-blue-12345"
        " sample#client_active=4 sample#client_waiting=0 sample#max_wait=0",
        (
            {"process": "heroku-pgbouncer", "attachment": "pgbouncer", "metric": "client_active", "value": 4},
            {"metric": "client_waiting", "value": 0},
            {"metric": "max_wait", "value": 0},
        ),
    ),
)  # fmt: skip

NOT_MINE = (
    "2015-06-07T08:09:10+00:00 app[heroku-postgres]: Update DATABASE by user x sample#db_size=5bytes",
    "2015-06-07T08:09:10+00:00 app[heroku-postgres]: Update DATABASE by user dev@example.com",
    "2015-06-07T08:09:10+00:00 app[web.1]: source=DATABASE sample#db_size=91234567bytes",
    "2015-06-07T08:09:10+00:00 app[postgres.12345]: [DATABASE] [7-1]  sql_error_code = 00000 LOG:  checkpoint complete",
)
