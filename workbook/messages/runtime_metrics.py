"""Memory and load of a dyno, as log-runtime-metrics prints them since 2013.

Spring 2013: one value a line, ``measure=memory_total val=96.79 units=MB``. Since August 2013: all values of a kind in one
line, ``sample#memory_total=509.31MB sample#memory_rss=…``. Dev Center: "Log runtime metrics".
"""

from workbook.messages._samples import rows, usual

TABLE = "dyno_samples"

CLAIMS = r"""
    source = 'heroku'
    AND process <> 'router'
    AND process NOT LIKE 'heroku-%'
    AND (contains(message, 'sample#') OR contains(message, 'measure') OR contains(message, 'count#'))
    AND regexp_matches(
        message,
        '^(?:\.\.\. ?)?(?:source|dyno|addon|measure|val|units|(?:sample|measure|count)#[\w.-]+)='
    )
    AND regexp_matches(message, '(?:sample|measure|count)#[\w.-]+=|(?:^| )measure=\S')
"""

_USUAL = usual(r"(?:source=[^\s#]+ )?dyno=heroku\.[\w-]+\.([\w-]+)")

_KNOWN = rf"""
WITH heads AS (
    SELECT
        source_id,
        line,
        time,
        process AS dyno,
        message,
        regexp_extract(message, '{_USUAL}', 1) AS head
    FROM claimed
),
known AS (
    SELECT
        *,
        CASE
            WHEN head <> '' THEN head
            WHEN message LIKE '%dyno=heroku.%.%' THEN split_part(pair(message, 'dyno'), '.', -1)
            WHEN message LIKE '%source=heroku.%.%'
                THEN nullif(regexp_extract(pair(message, 'source'), '\.([0-9a-fA-F-]{{32,36}})$', 1), '')
        END AS boot
    FROM heads
),
"""

# Spring 2013 has one value a line, in three pairs.
_PAIRS = r"""
CASE
    WHEN regexp_matches(message, '(?:sample|measure|count)#[\w.-]+=') THEN sample_pairs(message)
    ELSE [{
        'name': pair(message, 'measure'),
        'number': CASE WHEN plain_number(pair(message, 'val')) IS NOT NULL THEN pair(message, 'val') ELSE '' END,
        'unit': CASE
            WHEN pair(message, 'val') IS NULL THEN ''
            WHEN plain_number(pair(message, 'val')) IS NULL THEN '?'
            ELSE coalesce(pair(message, 'units'), '')
        END
    }]
END
"""

ROWS = _KNOWN + rows(own="dyno, boot", unit="nullif(unit, '')", general=_PAIRS)

_BOOT = "00000000-0000-4000-8000-000000000007"

EXAMPLES = (
    (
        # the book, chapter 3
        "heroku[web.1]: ... measure=load_avg_15m val=0.16\n"
        "heroku[web.1]: ... measure=memory_total val=96.79 units=MB\n"
        "heroku[web.1]: ... measure=memory_pgpgout val=103655 units=pages\n"
        "heroku[web.1]: ... measure=memory_swap val=0.00 units=MB",
        (
            {
                "line": 1,
                "time": None,
                "dyno": "web.1",
                "boot": None,
                "metric": "load_avg_15m",
                "value": 0.16,
                "unit": None,
            },
            {"line": 2, "metric": "memory_total", "value": 96.79, "unit": "MB"},
            {"line": 3, "metric": "memory_pgpgout", "value": 103655, "unit": "pages"},
            {"line": 4, "metric": "memory_swap", "value": 0, "unit": "MB"},
        ),
    ),
    (
        f"2013-06-01T00:00:00.100000+00:00 heroku[web.1]: source=heroku.1234567.web.1.{_BOOT} measure=memory_swap val=0.00"
        " units=MB",
        ({"dyno": "web.1", "boot": _BOOT, "metric": "memory_swap", "value": 0, "unit": "MB"},),
    ),
    (
        f"2023-04-05T06:07:08.091011+00:00 heroku[web.1]: source=web.1 dyno=heroku.29522462.{_BOOT} sample#load_avg_1m=0.12"
        " sample#load_avg_5m=0.08",
        (
            {"dyno": "web.1", "boot": _BOOT, "metric": "load_avg_1m", "value": 0.12, "unit": None},
            {"metric": "load_avg_5m", "value": 0.08, "unit": None},
        ),
    ),
    (
        f"2023-04-05T06:07:08.101213+00:00 heroku[worker.2]: source=worker.2 dyno=heroku.29522462.{_BOOT}"
        " sample#memory_total=509.31MB sample#memory-pgpgin=348836pages sample#memory_swap= sample#memory_rss=?",
        (
            {"dyno": "worker.2", "metric": "memory_total", "value": 509.31, "unit": "MB"},
            {"metric": "memory_pgpgin", "value": 348836, "unit": "pages"},
            # an empty value was not measured; a value that cannot be read is NULL, and the row stays
            {"metric": "memory_rss", "value": None, "unit": None},
        ),
    ),
    (
        # some log stores rename or reorder the keys; an application may be known by a UUID
        "2020-04-05T06:07:08.101213+00:00 heroku[web.1]: sample#memory_quota=512.00MB source=web.1"
        f" dyno=heroku.11111111-2222-4333-8444-555555555555.{_BOOT} measure#disk=1.5e3 count#restarts=2",
        (
            {"boot": _BOOT, "metric": "memory_quota", "value": 512, "unit": "MB"},
            {"metric": "disk", "value": 1500, "unit": None},
            {"metric": "restarts", "value": 2, "unit": None},
        ),
    ),
)

NOT_MINE = (
    "2023-04-05T06:07:08.091011+00:00 app[web.1]: source=web.1 sample#load_avg_1m=0.12",
    "2023-04-05T06:07:08.091011+00:00 heroku[web.1]: Starting process with command `bin/x sample#load_avg_1m=0.12`",
    '2023-04-05T06:07:08.091011+00:00 heroku[router]: at=info method=GET path="/ sample#a=1" host=shop.example.com'
    ' request_id=1 fwd="192.0.2.1" dyno=web.1 connect=1ms service=2ms status=200 bytes=3',
)
