"""R codes of a dyno, and the memory that the platform printed just before R14 and R15.

``Error R14 (Memory quota exceeded)`` has no number; ``Process running mem=533M(104.3%)`` stands 2 to 25 ms before it. The
two are paired by dyno: the nearest memory line before, at most 5 s away, or within 20 lines where lines have no time.
The memory lines themselves are rows of process_memory. Dev Center: "Error codes".
"""

from workbook.messages._memory import MEMORY, memory_mb

TABLE = "dyno_errors"

CLAIMS = r"""
    source = 'heroku'
    AND process <> 'router'
    AND starts_with(message, 'Error ')
    AND regexp_matches(message, '^Error [A-KM-Z]\d\d\b')
"""

_MEMORY = "source = 'heroku' AND process <> 'router' AND starts_with(message, 'Process running mem=')"

NEIGHBOURS = f"{CLAIMS} OR {_MEMORY}"

OTHER_LINES = ("memory_line",)

ROWS = rf"""
WITH errors_and_memory AS (
    SELECT * FROM claimed
    UNION ALL
    SELECT *
    FROM lines
    WHERE {_MEMORY}
),
found AS (
    SELECT
        source_id,
        line,
        time,
        process,
        starts_with(message, 'Process') AS is_memory,
        regexp_extract(message, '^Error ([A-Z]\d\d)(?: \(([^)]*)\))?(?:(?: ->|:) *(.*))?', ['code', 'name', 'rest']) AS error,
        {MEMORY} AS memory
    FROM errors_and_memory
),
with_memory AS (
    SELECT
        *,
        last_value(CASE WHEN is_memory THEN {{'line': line, 'time': time, 'memory': memory}} END IGNORE NULLS) OVER (
            PARTITION BY source_id, process
            ORDER BY line
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before
    FROM found
),
errors AS (
    SELECT
        *,
        CASE
            WHEN error.code NOT IN ('R14', 'R15') THEN NULL
            WHEN time IS NOT NULL AND abs(date_diff('millisecond', before.time, time)) <= 5000 THEN before
            WHEN time IS NULL AND before.time IS NULL AND line - before.line <= 20 THEN before
        END AS paired
    FROM with_memory
    WHERE NOT is_memory
)
SELECT
    source_id,
    line,
    time,
    process AS dyno,
    error.code AS code,
    coalesce(nullif(error.name, ''), nullif(error.rest, '')) AS description,
    {memory_mb("paired.memory")} AS memory_mb,
    try_cast(nullif(paired.memory.percent, '') AS DOUBLE) AS memory_percent,
    paired.line AS memory_line
FROM errors
"""

EXAMPLES = (
    (
        # the book, chapter 3
        "heroku[web.1]: Process running mem=533M(104.3%)\nheroku[web.1]: Error R14 (Memory quota exceeded)",
        ({"line": 2, "time": None, "dyno": "web.1", "code": "R14", "description": "Memory quota exceeded",
          "memory_mb": 533, "memory_percent": 104.3, "memory_line": 1},),
    ),
    (
        "heroku[web.1]: Process running mem=2565MB(501.0%)\nheroku[web.1]: Error R15 (Memory quota vastly exceeded)",
        ({"code": "R15", "description": "Memory quota vastly exceeded", "memory_mb": 2565, "memory_percent": 501.0},),
    ),
    (
        # two dynos side by side; 1.5G is 1,536 MB; a memory line of half a minute ago belongs to no error
        "2022-04-05T06:07:08.091011+00:00 heroku[web.1]: Process running mem=1.5G(150.0%)\n"
        "2022-04-05T06:07:08.095011+00:00 heroku[web.2]: Process running mem=548M(107.0%)\n"
        "2022-04-05T06:07:08.101213+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)\n"
        "2022-04-05T06:07:08.105011+00:00 heroku[web.2]: Error R14 (Memory quota exceeded)\n"
        "2022-04-05T06:07:38.105011+00:00 heroku[web.2]: Error R14 (Memory quota exceeded)",
        (
            {"line": 3, "dyno": "web.1", "memory_mb": 1536, "memory_percent": 150, "memory_line": 1},
            {"line": 4, "dyno": "web.2", "memory_mb": 548, "memory_percent": 107, "memory_line": 2},
            {"line": 5, "dyno": "web.2", "memory_mb": None, "memory_percent": None, "memory_line": None},
        ),
    ),
    (
        "2013-07-01T00:00:00.000001+00:00 heroku[web.1]: Error R10 (Boot timeout) -> Web process failed to bind to $PORT"
        " within 60 seconds of launch\n"
        "2012-03-04T05:06:07+00:00 heroku[web.2]: Error R12 (Exit timeout) -> Process failed to exit within 10 seconds of"
        " SIGTERM\n"
        "2024-03-04T05:06:07.080910+00:00 heroku[web.1]: Error R99: Failed to launch the dyno within 10 seconds",
        (
            {"code": "R10", "description": "Boot timeout", "memory_mb": None},
            {"code": "R12", "description": "Exit timeout", "dyno": "web.2"},
            {"code": "R99", "description": "Failed to launch the dyno within 10 seconds"},
        ),
    ),
)  # fmt: skip

NOT_MINE = (
    "2022-04-05T06:07:08.091011+00:00 heroku[web.1]: Process running mem=533M(104.3%)",
    "2022-04-05T06:07:08.101213+00:00 app[web.1]: Error R14 (Memory quota exceeded)",
    "2022-04-05T06:07:08.101213+00:00 heroku[logplex]: Error L11 (Tail buffer overflow) -> This tail session dropped 41"
    " messages since 2022-01-02 03:04:05.060708009 +0000 UTC.",
    "2012-03-04T05:06:09+00:00 heroku[router]: Error H13 (Connection closed without response) -> GET"
    " shop.example.com/favicon.ico dyno=web.1 queue= wait= service= status=503 bytes=",
)
