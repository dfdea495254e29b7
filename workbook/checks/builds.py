"""Chapter 7: do builds end well before their limit, is the buildpack the same, is every program there?"""

from __future__ import annotations

from workbook import limits
from workbook.checks._rule import Rule, count, decimal, place, share

_RELEASES = "A log with the lines of the API (app[api]) over a deploy."

RULES = (
    Rule(
        "7.02",
        "A build ends well before its limit",
        f"{limits.BUILD_MINUTES} min; 35.29 s are 3.9 % of it",
        f"{limits.BUILD_MINUTES} min; {limits.BUILD_SHARE:.0%} of it warns (ours)",
        _RELEASES,
        "Run releases, and look which step of the build takes the time.",
        "book ch. 7; Dev Center, Slug compiler",
    ),
    Rule(
        "7.03",
        "A build is not slow",
        "35 s fast, several minutes common, 10 min or more seen",
        f"under {limits.SLOW_BUILD_MINUTES} min",
        _RELEASES,
        "Look whether the assets are compiled anew each time: the cache of the buildpack spares it.",
        "book ch. 7",
    ),
    Rule(
        "7.06",
        "The buildpack was not changed",
        "the first build after a change is a full one",
        "the same",
        "A log with the lines of the API (app[api]).",
        "Leave the first build after it out of what is usual, and look at this release first.",
        "book ch. 7; Dev Center, Buildpacks",
    ),
    Rule(
        "7.09",
        "Every program that is called is there",
        "bash: wget: command not found",
        "none",
        "A log with the lines of the application, or a session of heroku run bash.",
        "Bring the program along: a buildpack (heroku-buildpack-apt), or a file in the slug.",
        "book ch. 7; Dev Center, Buildpacks",
    ),
)

SQL = rf"""
build_times AS (
    SELECT build_seconds, event, {place()} AS place
    FROM releases
    WHERE build_seconds > 0 AND event LIKE 'build%' AND in_window(time, $start, $end)
),
build_limit AS (
    SELECT
        '7.02' AS id,
        max(build_seconds) / {60 * limits.BUILD_MINUTES} AS measured,
        'share of the limit' AS unit,
        {decimal("max(build_seconds)", 0)} || ' s, ' || {share("measured")}
            || ' of {limits.BUILD_MINUTES} min' AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured >= 1 THEN 'fail'
            WHEN measured >= {limits.BUILD_SHARE} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (build_seconds, -place.source_id, -place.line), 1) AS evidence
    FROM build_times
),
usual_build AS (
    SELECT
        '7.03' AS id,
        median(build_seconds) AS measured,
        's' AS unit,
        {decimal("measured", 0)} || ' s usually, of ' || {count("count(*)")} || ' builds' AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured >= {60 * limits.SLOW_BUILD_MINUTES} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(place, (build_seconds, -place.source_id, -place.line), 1) AS evidence
    FROM build_times
),
buildpack_changes AS (
    SELECT
        '7.06' AS id,
        count(*) FILTER (description ILIKE '%buildpack%') AS measured,
        'releases' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' releases changed it' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured > 0 THEN 'warn' ELSE 'pass' END AS verdict,
        list({place()} ORDER BY time, source_id, line) FILTER (description ILIKE '%buildpack%') AS evidence
    FROM releases
    WHERE description IS NOT NULL AND in_window(time, $start, $end)
),
missing_programs AS (
    SELECT
        '7.09' AS id,
        count(*) FILTER (lacks_binary) AS measured,
        'lines' AS unit,
        {count("measured")} || ' lines of a shell that found no such command' AS value,
        CASE
            WHEN NOT EXISTS (FROM log_lines WHERE source = 'app' AND in_window(time, $start, $end))
                AND measured = 0 THEN NULL
            WHEN measured > 0 THEN 'fail'
            ELSE 'pass'
        END AS verdict,
        list(place ORDER BY place) FILTER (lacks_binary) AS evidence
    FROM telling_texts
)"""

MEASURED = ("build_limit", "usual_build", "buildpack_changes", "missing_programs")
