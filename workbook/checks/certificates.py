"""Chapter 2: does every name get its own certificate, from a whole chain, and for how long still?"""

from __future__ import annotations

from workbook import hosts, limits
from workbook.checks._rule import Rule, count, decimal

_DNS = "heroku certs, heroku domains, and dig NAME of each host."
_CERTS = "The certificates: heroku certs > certs.txt"

RULES = (
    Rule(
        "2.01",
        "Every host of the router log is covered by a certificate",
        "*.herokuapp.com covers the application's own name only",
        "the same; ACM covers the domains of heroku domains",
        "A router log with hosts, and heroku certs.",
        "Order a certificate with these names, or add them as domains where ACM is on.",
        "book ch. 2; Dev Center, SSL",
    ),
    Rule(
        "2.03",
        "Every certificate is trusted",
        "Trusted: True",
        "Trusted: True",
        _CERTS,
        "Run certificates: a link of the chain is missing, or it is self-signed.",
        "book ch. 2; Dev Center, SSL",
    ),
    Rule(
        "2.04",
        "DNS leads each host to the endpoint of its certificate",
        "CNAME to NAME.herokussl.com",
        "CNAME, ALIAS or ANAME to the target of heroku domains (herokudns.com)",
        _DNS,
        "Run certificates: it draws the chain and names the hop that is wrong.",
        "book ch. 2; Dev Center, Custom domain names",
    ),
    Rule(
        "2.05",
        "In Europe the endpoint is the application's own name, and that is right",
        "APP.herokuapp.com",
        "no such endpoint since 2016: heroku domains prints the target",
        _CERTS,
        "Point the host to the endpoint that heroku certs prints.",
        "book ch. 2; Dev Center, Regions",
    ),
    Rule(
        "2.08",
        "No host is served the platform's certificate in place of its own",
        "not a CNAME to APP.herokuapp.com where there is an endpoint",
        "the same; the target is in heroku domains",
        _DNS,
        "Change the CNAME to the endpoint of the certificate (run certificates for both names).",
        "book ch. 2; Dev Center, SSL",
    ),
    Rule(
        "2.09",
        "No certificate expires soon",
        "found with 2 days left",
        f"{limits.EXPIRY_WARNING_DAYS} days left or more (ours); under {limits.EXPIRY_CRITICAL_DAYS} is urgent",
        "Certificates with their end (heroku certs), and a dig or a log for the day of the evidence.",
        "Renew it now: a new key, a new request, then heroku certs:update; or turn ACM on.",
        "book ch. 2; Dev Center, Automated Certificate Management",
    ),
    Rule(
        "2.10",
        "The certificate is verified by a root authority, whoever it names as its issuer",
        "verified by a root authority",
        "verified by a root authority",
        "heroku certs:info > certs-info.txt",
        "Send the intermediate certificates along: heroku certs:update with the whole chain.",
        "book ch. 2; Dev Center, SSL",
    ),
    Rule(
        "2.11",
        "The key is renewed every year",
        "1 year",
        "at most 398 days since September 2020, 200 since 15 March 2026, 100 from March 2027, 47 from March 2029",
        "heroku certs:info, which prints the start, and a dig or a log for the day of the evidence.",
        "Renew it with a new key, not with the old request.",
        "book ch. 2; CA/Browser Forum, ballot SC-081v3",
    ),
    Rule(
        "2.12",
        "After an update the certificate ends later than before",
        "2013-06-06 became 2014-06-07",
        "later than before",
        "What heroku certs:update printed, and certs or certs:info of before.",
        "Look whether the new file was given, and to which endpoint.",
        "book ch. 2; Dev Center, SSL",
    ),
    Rule(
        "2.13",
        "Every link of the chain is signed with an algorithm that browsers take, and lasts as long as the leaf",
        "sha1WithRSA; links to 2020",
        "no SHA-1 since January 2017 (root excepted: it is not checked)",
        "openssl s_client -showcerts -connect HOST:443, or a checker's page.",
        "Ask for a certificate signed with SHA-256, and send the intermediates that belong to it.",
        "book ch. 2; CA/Browser Forum, Baseline Requirements 7.1.3",
    ),
    Rule(
        "2.14",
        "No host is in a certificate but for a letter or two",
        "the exact name (csrbuddy, not csrbuggy)",
        "the exact name, or one label of a wildcard",
        _DNS,
        "Compare letter by letter (run certificates), and order the right name.",
        "book ch. 2; RFC 6125",
    ),
    Rule(
        "2.16",
        "DNS leads each host to today's target",
        "herokussl.com",
        "the target of heroku domains (herokudns.com)",
        "heroku domains, and dig NAME of each host.",
        "Change the record to the target that heroku domains prints.",
        "Dev Center, Custom domain names",
    ),
)

_LED = "kind = 'host' AND verdict IN ('ok', 'wrong_target', 'other_target', 'no_alias', 'not_in_dns')"
_WRONG = "verdict IN ('wrong_target', 'other_target', 'not_in_dns')"
_SHA1_END = "TIMESTAMP '2017-01-01'"

SQL = rf"""
host_facts AS MATERIALIZED (
{hosts.SQL}
),
platform_endpoints AS (
    SELECT count(*) AS endpoints, count(*) FILTER (ends_with(lower(endpoint), '.herokuapp.com')) AS european
    FROM certificates
    WHERE endpoint IS NOT NULL
),
covered_hosts AS (
    SELECT
        '2.01' AS id,
        count(*) FILTER (covered_by IS NULL) AS measured,
        'hosts' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' hosts covered by no certificate' AS value,
        CASE
            WHEN count(*) = 0 OR NOT EXISTS (FROM host_facts WHERE kind = 'certificate') THEN NULL
            WHEN measured > 0 THEN 'fail'
            ELSE 'pass'
        END AS verdict,
        flatten(list(evidence[1:1] ORDER BY requests DESC, name) FILTER (covered_by IS NULL)) AS evidence
    FROM host_facts
    WHERE kind = 'host' AND requests > 0
),
trusted_certificates AS (
    SELECT
        '2.03' AS id,
        count(*) FILTER (NOT trusted) AS measured,
        'certificates' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' certificates not trusted' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured > 0 THEN 'fail' ELSE 'pass' END AS verdict,
        flatten(list(evidence[1:1] ORDER BY name) FILTER (NOT trusted)) AS evidence
    FROM host_facts
    WHERE kind = 'certificate' AND trusted IS NOT NULL
),
led_hosts AS (
    SELECT
        '2.04' AS id,
        count(*) FILTER ({_WRONG}) AS measured,
        'hosts' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' hosts led elsewhere' AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN measured > 0 THEN 'fail'
            WHEN bool_or(verdict = 'no_alias') THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        flatten(list(evidence[1:1] ORDER BY name) FILTER (verdict <> 'ok')) AS evidence
    FROM host_facts
    WHERE {_LED}
),
european_endpoints AS (
    SELECT
        '2.05' AS id,
        european AS measured,
        'certificates' AS unit,
        {count("european")} || ' of ' || {count("endpoints")} || ' endpoints are the application''s own name' AS value,
        CASE
            WHEN endpoints = 0 THEN NULL
            WHEN EXISTS (
                FROM host_facts
                WHERE kind = 'host' AND verdict = 'other_target' AND ends_with(wanted, '.herokuapp.com')
            ) THEN 'fail'
            ELSE 'pass'
        END AS verdict,
        [] AS evidence
    FROM platform_endpoints
),
wrong_certificates AS (
    SELECT
        '2.08' AS id,
        count(*) FILTER (verdict = 'wrong_target') AS measured,
        'hosts' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' hosts led to the application''s name' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN measured > 0 THEN 'fail' ELSE 'pass' END AS verdict,
        flatten(list(evidence[1:2] ORDER BY name) FILTER (verdict = 'wrong_target')) AS evidence
    FROM host_facts
    WHERE {_LED}
),
days_left AS (
    SELECT
        '2.09' AS id,
        min(days_left) AS measured,
        'days' AS unit,
        CASE
            WHEN measured < 0 THEN 'expired ' || {decimal("-measured")} || ' days ago'
            ELSE {decimal("measured")} || ' days left'
        END AS value,
        CASE
            WHEN measured IS NULL THEN NULL
            WHEN measured < {limits.EXPIRY_CRITICAL_DAYS} THEN 'fail'
            WHEN measured < {limits.EXPIRY_WARNING_DAYS} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_min(evidence, (days_left, name)) AS evidence
    FROM host_facts
    WHERE kind IN ('certificate', 'link') AND days_left IS NOT NULL
),
verified AS (
    SELECT
        '2.10' AS id,
        count(*) FILTER (trusted) AS measured,
        'certificates' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' said to be verified by a root authority' AS value,
        CASE WHEN count(*) = 0 THEN NULL WHEN bool_and(trusted) THEN 'pass' ELSE 'fail' END AS verdict,
        list(struct_pack(source_id := source_id, line := line) ORDER BY source_id, line)
            FILTER (NOT trusted) AS evidence
    FROM (
        FROM certificates
        WHERE trust IS NOT NULL AND trusted IS NOT NULL
        QUALIFY row_number() OVER (
            PARTITION BY coalesce(endpoint, name, common_names)
            ORDER BY source_id DESC, line DESC
        ) = 1
    )
),
key_ages AS (
    SELECT
        '2.11' AS id,
        max(age_days) AS measured,
        'days' AS unit,
        'issued ' || {decimal("measured", 0)} || ' days before'
            || coalesce(', for ' || {decimal("arg_max(valid_days, (age_days, name))", 0)} || ' days', '') AS value,
        CASE
            WHEN measured IS NULL OR measured < 0 THEN NULL
            WHEN measured > {limits.CERTIFICATE_DAYS} THEN 'fail'
            WHEN measured > {limits.CERTIFICATE_DAYS} - {limits.EXPIRY_WARNING_DAYS} THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        arg_max(evidence, (age_days, name)) AS evidence
    FROM host_facts
    WHERE kind = 'certificate' AND age_days IS NOT NULL
),
updates AS (
    SELECT
        '2.12' AS id,
        min(date_diff('day', before.expires, after.expires)) AS measured,
        'days' AS unit,
        {count("measured")} || ' days later than before' AS value,
        CASE WHEN measured IS NULL THEN NULL WHEN measured > 0 THEN 'pass' ELSE 'fail' END AS verdict,
        arg_min(
            [
                struct_pack(source_id := before.source_id, line := before.line),
                struct_pack(source_id := after.source_id, line := after.line)
            ],
            date_diff('day', before.expires, after.expires)
        ) AS evidence
    FROM certificates AS after
    JOIN certificates AS before
        ON before.expires IS NOT NULL
        AND before.printed_by IN ('certs', 'certs:info')
        AND coalesce(before.endpoint, before.name) = coalesce(after.endpoint, after.name)
        AND (before.source_id, before.line) < (after.source_id, after.line)
    WHERE after.printed_by = 'certs:update' AND after.expires IS NOT NULL
),
sent_links AS (
    SELECT
        *,
        regexp_matches(coalesce(signature_algorithm, ''), '(?i)sha-?1([^0-9]|$)|md5') AS is_weak,
        date_diff('minute', as_of, expires) / 1440.0 AS days_left,
        -- browsers refused it from then on; a certificate that ended before was as good as any
        coalesce(as_of, expires, {_SHA1_END}) >= {_SHA1_END} AS is_late
    FROM certificates
    CROSS JOIN evidence_times
    WHERE printed_by IN ('openssl', 'checker')
        AND position IS NOT NULL
        AND (signature_algorithm IS NOT NULL OR expires IS NOT NULL)
        -- a root is trusted because it is known, not for its signature
        AND NOT (position > 0 AND subject IS NOT DISTINCT FROM issuer)
),
chain_links AS (
    SELECT
        '2.13' AS id,
        count(*) FILTER (is_weak) AS measured,
        'links' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' links signed with SHA-1 or MD5'
            || coalesce(', the first to end on ' || strftime(min(expires), '%Y-%m-%d'), '') AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_or(days_left < 0 OR (is_weak AND is_late)) THEN 'fail'
            WHEN measured > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        list(struct_pack(source_id := source_id, line := line) ORDER BY source_id, line)
            FILTER (is_weak OR days_left < 0) AS evidence
    FROM sent_links
),
near_misses AS (
    SELECT
        '2.14' AS id,
        count(*) FILTER (near_name IS NOT NULL) AS measured,
        'hosts' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' hosts nearly in a certificate' AS value,
        CASE
            WHEN count(*) = 0 OR NOT EXISTS (FROM host_facts WHERE kind = 'certificate') THEN NULL
            WHEN measured > 0 THEN 'fail'
            ELSE 'pass'
        END AS verdict,
        flatten(list(evidence[1:2] ORDER BY name) FILTER (near_name IS NOT NULL)) AS evidence
    FROM host_facts
    WHERE kind = 'host'
),
todays_targets AS (
    SELECT
        '2.16' AS id,
        count(*) FILTER (verdict <> 'ok') AS measured,
        'hosts' AS unit,
        {count("measured")} || ' of ' || {count("count(*)")} || ' hosts led elsewhere' AS value,
        CASE
            WHEN count(*) = 0 THEN NULL
            WHEN bool_or({_WRONG}) THEN 'fail'
            WHEN measured > 0 THEN 'warn'
            ELSE 'pass'
        END AS verdict,
        flatten(list(evidence[1:1] ORDER BY name) FILTER (verdict <> 'ok')) AS evidence
    FROM host_facts
    WHERE {_LED} AND ends_with(wanted, '.herokudns.com')
)"""

MEASURED = (
    *("covered_hosts", "trusted_certificates", "led_hosts", "european_endpoints", "wrong_certificates"),
    *("days_left", "verified", "key_ages", "updates", "chain_links", "near_misses", "todays_targets"),
)
