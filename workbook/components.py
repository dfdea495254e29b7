"""What a column of New Relic's response time is: a part of it, the whole of it, or neither.

The parts of the chart "App server response time" add up to the whole. A query of durations names them otherwise
(``average(databaseDuration)``); the time in the queue comes before the application's and is never part of its duration.
"""

from __future__ import annotations

PARTS = ("queue", "application", "database", "external", "cache", "gc", "other", "rest")
"""The parts in the order in which they are stacked; rest is what the named parts leave of a whole."""

BARE = "regexp_replace(lower(component), '[^a-z]', '', 'g')"
"""The header of a column in SQL, letters only."""

PART = f"""
CASE
    WHEN component = 'throughput_rpm' OR component IS NULL THEN NULL
    WHEN regexp_matches(component, '(?i)percentile|median|\\b(max|min|sum|stddev|count|rate)\\s*\\(') THEN NULL
    WHEN regexp_matches({BARE}, 'queu(e?ing|e(time|duration))') THEN 'queue'
    WHEN regexp_full_match(
        {BARE},
        '((average|avg)?(response|totalresponse)time|appserverresponsetime|webtransactionsresponsetime|httpdispatcher'
        || '|(average|avg)(web|total)?(duration|time))(ms|s)?'
    ) THEN 'whole'
    WHEN regexp_matches({BARE}, 'memcache|redis|elasticache') THEN 'cache'
    WHEN regexp_matches({BARE}, 'database|datastore|postgres|mysql|mongo|mariadb|oracle|mssql') THEN 'database'
    WHEN regexp_matches({BARE}, 'external') THEN 'external'
    WHEN regexp_full_match({BARE}, '((average|avg)?gc(execution|cumulative|time)?|garbagecollection)(ms|s)?') THEN 'gc'
    WHEN regexp_full_match(
        {BARE},
        '(ruby|python|php|java|jvm|node(js)?|go|net|perl|middleware|rackmiddleware|requesthandler|uncategorized'
        || '|application(code)?|webtransaction|view|views|template|templates)(ms|s)?'
    ) THEN 'application'
    ELSE 'unknown'
END
"""
"""Which part a column named ``component`` is, in SQL; unknown for a header that is none of New Relic's own."""
