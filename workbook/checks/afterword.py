"""Afterword: what a ticket may hold, how urgent it is, and when somebody reads it."""

from __future__ import annotations

from workbook import limits
from workbook.checks._rule import Rule, count, share

RULES = (
    Rule(
        "A.4",
        "Support is at work when the evidence ends",
        "6 AM to 6 PM, Monday to Friday, Pacific; an answer within one business day",
        "by the support plan; the book's hours are checked",
        "A log with times.",
        "Expect an answer on the next business day, unless the plan says otherwise.",
        "book, afterword; Heroku, support plans",
    ),
    Rule(
        "A.6",
        "No credentials are in what is shared",
        "else you are asked to change them",
        "none",
        "Any export.",
        "Change these credentials, and redact before sharing (workbook redact).",
        "book, afterword",
    ),
    Rule(
        "A.9",
        "The site is up: a ticket is not urgent",
        "Urgent: production is down",
        f"fewer than half of the requests fail (ours); {limits.ERROR_SHARE:.0%} warns",
        "Router lines: heroku logs -n 1500, or the archive of the logging add-on.",
        "Run errors. A ticket is urgent only while production is down.",
        "book, afterword; ours",
    ),
)

SQL = rf"""
support_hours AS (
    SELECT
        'A.4' AS id,
        hour(pacific) + minute(pacific) / 60 AS measured,
        'o''clock, Pacific' AS unit,
        strftime(pacific, '%A %H:%M') || ' Pacific' AS value,
        CASE
            WHEN as_of IS NULL THEN NULL
            WHEN isodow(pacific) <= 5
                AND hour(pacific) >= {limits.SUPPORT_OPENS_HOUR}
                AND hour(pacific) < {limits.SUPPORT_CLOSES_HOUR} THEN 'pass'
            ELSE 'warn'
        END AS verdict,
        [] AS evidence
    FROM (
        SELECT as_of, timezone('America/Los_Angeles', as_of AT TIME ZONE 'UTC') AS pacific
        FROM evidence_times
    )
),
credentials AS (
    SELECT
        'A.6' AS id,
        count(*) FILTER (has_password) AS measured,
        'lines' AS unit,
        {count("measured")} || ' lines with a password in an address' AS value,
        CASE
            WHEN NOT EXISTS (FROM told_texts) THEN NULL
            WHEN measured > 0 THEN 'fail'
            ELSE 'pass'
        END AS verdict,
        list(place ORDER BY place) FILTER (has_password) AS evidence
    FROM telling_texts
),
failing_requests AS (
    SELECT
        'A.9' AS id,
        count(*) FILTER (failed) / count(*) AS measured,
        'share' AS unit,
        {share("measured")} || ' of ' || {count("count(*)")} || ' requests failed' AS value,
        CASE
            WHEN count(*) < {limits.COMPARED_REQUESTS} THEN NULL
            WHEN measured >= {limits.USUAL_SHARE} THEN 'fail'
            WHEN measured >= {limits.ERROR_SHARE} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        list(place ORDER BY place) FILTER (failed) AS evidence
    FROM router_visits
)"""

MEASURED = ("support_hours", "credentials", "failing_requests")
