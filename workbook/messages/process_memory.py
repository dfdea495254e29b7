"""The memory of a dyno that is over its quota: ``Process running mem=533M(104.3%)``.

The platform prints it just before ``Error R14`` or ``Error R15``; dyno_error takes the number of the line that belongs to
its error from the same text. A line without its error is a measurement all the same, and stays one here. It is no row of
``dyno_samples``: it only speaks when memory is over the quota, so its absence is no low memory, and other questions take
rows there for a sign that runtime metrics were switched on. Dev Center: "Error codes".
"""

from workbook.messages._memory import MEMORY, memory_mb

TABLE = "process_memory"

CLAIMS = """
    source = 'heroku'
    AND process <> 'router'
    AND starts_with(message, 'Process running mem=')
"""

ROWS = rf"""
WITH found AS (
    SELECT
        source_id,
        line,
        time,
        process,
        {MEMORY} AS memory
    FROM claimed
)
SELECT
    source_id,
    line,
    time,
    process AS dyno,
    {memory_mb("memory")} AS memory_mb,
    try_cast(nullif(memory.percent, '') AS DOUBLE) AS memory_percent,
    CASE WHEN memory.number = '' THEN ['memory'] END AS unread
FROM found
"""

EXAMPLES = (
    (
        # the book, chapter 3
        "heroku[web.1]: Process running mem=533M(104.3%)",
        ({"line": 1, "time": None, "dyno": "web.1", "memory_mb": 533, "memory_percent": 104.3},),
    ),
    (
        "2013-04-05T06:07:08.091011+00:00 heroku[web.1]: Process running mem=2565MB(501.0%)\n"
        "2022-04-05T06:07:08.091011+00:00 heroku[worker.2]: Process running mem=1.5G(150.0%)\n"
        "2022-04-05T06:07:08.092011+00:00 heroku[worker.2]: Process running mem=2048K(0.1%)\n"
        "2022-04-05T06:07:08.095011+00:00 heroku[web.2]: Process running mem=?(107.0%)",
        (
            {"line": 1, "memory_mb": 2565, "memory_percent": 501},
            {"line": 2, "dyno": "worker.2", "memory_mb": 1536, "memory_percent": 150},
            {"line": 3, "memory_mb": 2, "memory_percent": 0.1},
            {"line": 4, "memory_mb": None, "memory_percent": None},
        ),
    ),
)  # fmt: skip

NOT_MINE = (
    "2022-04-05T06:07:08.091011+00:00 app[web.1]: Process running mem=533M(104.3%)",
    "2022-04-05T06:07:08.091011+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)",
    "2022-04-05T06:07:08.091011+00:00 heroku[web.1]: Process exited with status 137",
)
