"""Memory of the application's own process after each request, as Oink (2009–2018) prints it.

``Oink Action: users#show``, ``Memory usage: 81234 | PID: 777`` (KB); an older form prints the memory line alone, between
lines of Rails 2. Source: oink's ``memory_usage_reporter`` and ``hodel_3000_compliant_logger``.
"""

from workbook.messages._prefix import LOGGER_PREFIX, OWN

TABLE = "app_memory"

CLAIMS = rf"""
    {OWN}
    AND (contains(message, 'Oink Action: ') OR contains(message, 'Memory usage: '))
    AND regexp_matches(message, '{LOGGER_PREFIX}(?:Oink Action: |Memory usage: \S+ \| PID: )')
"""

NEIGHBOURS = f"{CLAIMS} OR source = 'app' AND message LIKE '%Processing %#% (for %'"

# The action is the last one that the process named since its memory line before.
ROWS = r"""
WITH named AS (
    SELECT
        source_id,
        line,
        time,
        process,
        message,
        nullif(regexp_extract(message, 'Oink Action: (\S+)', 1), '') AS action
    FROM claimed
    UNION ALL
    SELECT
        source_id,
        line,
        time,
        process,
        message,
        nullif(regexp_extract(message, 'Processing ([\w:]+#\w+) \(for ', 1), '') AS action
    FROM lines
    WHERE source = 'app' AND message LIKE '%Processing %#% (for %'
),
in_order AS (
    SELECT
        *,
        contains(message, 'Memory usage: ') AND action IS NULL AS is_memory,
        lag(action) OVER (PARTITION BY source_id, process ORDER BY line) AS action_before
    FROM named
),
memory AS (
    SELECT
        source_id,
        line,
        time,
        process,
        action_before,
        regexp_extract(message, 'Memory usage: (\S+) \| PID: (\S*)', ['kb', 'pid']) AS found
    FROM in_order
    WHERE is_memory
),
numbers AS (
    SELECT
        *,
        plain_number(found.kb) / 1024 AS memory_mb,
        leading_number(found.pid) AS pid
    FROM memory
)
SELECT
    source_id,
    line,
    time,
    process AS dyno,
    pid,
    action_before AS action,
    memory_mb,
    list_filter(
        [CASE WHEN memory_mb IS NULL THEN 'memory' END, CASE WHEN pid IS NULL THEN 'pid' END],
        lambda field: field IS NOT NULL
    ) AS unread
FROM numbers
"""

EXAMPLES = (
    (
        "2013-06-09T01:52:08.100000+00:00 app[web.1]: Oink Action: users#show\n"
        "2013-06-09T01:52:08.100000+00:00 app[web.1]: Memory usage: 81234 | PID: 777\n"
        "2013-06-09T01:52:08.100000+00:00 app[web.1]: Instantiation Breakdown: Total: 9 | User: 4 | Order: 5\n"
        "2013-06-09T01:52:08.100000+00:00 app[web.1]: Oink Log Entry Complete",
        ({"line": 2, "dyno": "web.1", "pid": 777, "action": "users#show", "memory_mb": 81234 / 1024},),
    ),
    (
        # two dynos that share a process id; a memory line without an action
        "app[web.1]: Oink Action: oinkoink/admin#piggie\n"
        "app[web.2]: Oink Action: orders#index\n"
        "app[web.2]: Memory usage: 102400 | PID: 4\n"
        "app[web.1]: Memory usage: 204800 | PID: 4\n"
        "app[web.1]: Memory usage: 204900 | PID: 4",
        (
            {"line": 3, "time": None, "dyno": "web.2", "action": "orders#index", "memory_mb": 100},
            {"line": 4, "dyno": "web.1", "action": "oinkoink/admin#piggie", "memory_mb": 200},
            {"line": 5, "dyno": "web.1", "action": None, "memory_mb": 204900 / 1024},
        ),
    ),
    (
        # 2010: between the lines of Rails 2, each with a prefix as in syslog
        "2010-06-18T11:27:37+00:00 app[web.1]: Jun 18 11:27:37 host rails[67783]: Processing OrdersController#index (for"
        " 192.0.2.1 at 2010-06-18 11:27:37) [GET]\n"
        "2010-06-18T11:27:37+00:00 app[web.1]: Jun 18 11:27:37 host rails[67783]: Memory usage: 400000 | PID: 67783",
        ({"line": 2, "pid": 67783, "action": "OrdersController#index", "memory_mb": 400000 / 1024},),
    ),
)

NOT_MINE = (
    "2013-06-09T01:52:08.100000+00:00 app[web.1]: Jun 18 11:27:37 host rails[7]: the Memory usage: 5 | PID: 6",
    "2013-06-09T01:52:08.100000+00:00 app[web.1]: Memory usage: high",
    "2013-06-09T01:52:08.100000+00:00 app[web.1]: Oink Log Entry Complete",
    "2013-06-09T01:52:08.100000+00:00 heroku[web.1]: Memory usage: 81234 | PID: 777",
)
