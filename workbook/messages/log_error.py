"""L codes: what the log system itself lost, or could not deliver.

Forms: ``Error L10 (output buffer overflow): 7 messages dropped since …``, ``Error L11 (…) -> This tail session dropped 41
messages …``, and without a text in brackets ``Error L12: 19 messages dropped since …`` (Private Spaces); for these the
official name is given. Dev Center: "Error codes".
"""

TABLE = "log_errors"

CLAIMS = r"""
    (source = 'heroku' OR process = 'log-shuttle')
    AND process <> 'router'
    AND starts_with(message, 'Error L')
    AND regexp_matches(message, '^Error L\d\d\b')
"""

ROWS = r"""
WITH errors AS (
    SELECT
        source_id,
        line,
        time,
        regexp_extract(
            message,
            '(?s)^Error (L\d\d)(?: \(([^)]*)\))?(?:(?: ->|:)? *(.*))?$',
            ['code', 'name', 'rest']
        ) AS error
    FROM claimed
)
SELECT
    source_id,
    line,
    time,
    error.code AS code,
    coalesce(
        nullif(error.name, ''),
        CASE error.code WHEN 'L12' THEN 'Local buffer overflow' WHEN 'L13' THEN 'Local delivery error' END,
        nullif(trim(error.rest), '')
    ) AS description,
    try_cast(
        nullif(regexp_extract(error.rest, '(\d{1,18}) (?:lost |dropped )?(?:messages?|lines?)\b', 1), '') AS BIGINT
    ) AS dropped
FROM errors
"""

EXAMPLES = (
    (
        "2023-03-04T05:06:07.080910+00:00 heroku[logplex]: Error L10 (output buffer overflow): 7 messages dropped since"
        " 2023-03-04T05:05:00.111213+00:00.",
        ({"code": "L10", "description": "output buffer overflow", "dropped": 7},),
    ),
    (
        "2026-01-02T03:04:05.060708+00:00 heroku[logplex]: Error L11 (Tail buffer overflow) -> This tail session dropped 41"
        " messages since 2026-01-02 03:04:05.060708009 +0000 UTC.",
        ({"code": "L11", "description": "Tail buffer overflow", "dropped": 41},),
    ),
    (
        "2022-01-01T00:00:00.5+00:00 app[log-shuttle]: Error L12: 19 messages dropped since 2022-01-01T00:00:00Z.\n"
        "2022-01-01T00:00:00.7+00:00 app[log-shuttle]: Error L13: 1 message lost since 2022-01-01T00:00:00Z.\n"
        "2022-01-01T00:00:00.8+00:00 app[log-shuttle]: Error L13: 2 lost messages since 2022-01-01T00:00:00Z.",
        (
            {"code": "L12", "description": "Local buffer overflow", "dropped": 19},
            {"code": "L13", "description": "Local delivery error", "dropped": 1},
            {"code": "L13", "dropped": 2},
        ),
    ),
    (
        '2022-01-01T00:00:00.6+00:00 heroku[logplex]: Error L14 (certificate validation): error="bad certificate"'
        ' uri="https://drain.example.com/"\n'
        "2022-01-01T00:00:00.7+00:00 heroku[logplex]: Error L15 (Tail buffer temporarily unavailable) -> The tail buffer"
        " that is normally used for this app is temporarily unavailable.",
        (
            {"code": "L14", "description": "certificate validation", "dropped": None},
            {"code": "L15", "description": "Tail buffer temporarily unavailable", "dropped": None},
        ),
    ),
)

NOT_MINE = (
    "2022-01-01T00:00:00.5+00:00 app[web.1]: Error L12: 19 messages dropped since 2022-01-01T00:00:00Z.",
    "2022-01-01T00:00:00.5+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)",
)
