"""Where DNS leads each host name, which certificate covers it, and until when: the rows of the question certificates.

The rules of the book about certificates are checked on the same rows, so that both judge alike.
"""

from __future__ import annotations

from workbook import limits

SQL = rf"""
WITH evidence_times AS (
    SELECT coalesce(
        $end::TIMESTAMP,
        greatest((SELECT max(time) FROM dns_records), (SELECT max(time) FROM log_lines))
    ) AS as_of
),
told_certificates AS (
    SELECT
        *,
        coalesce(endpoint, name, printed_by, 'certificate') AS slot,
        row_number() OVER (
            PARTITION BY coalesce(endpoint, name, printed_by || common_names)
            ORDER BY source_id DESC, line DESC
        ) AS recency
    FROM certificates
    WHERE common_names IS NOT NULL AND coalesce(position, 0) = 0
),
current_certificates AS (
    SELECT * FROM told_certificates WHERE recency = 1
),
covered_names AS (
    SELECT
        *,
        lower(unnest(string_split(common_names, ', '))) AS pattern
    FROM current_certificates
),
endpoints AS (
    SELECT CASE WHEN count(DISTINCT endpoint) = 1 THEN min(lower(endpoint)) END AS only_endpoint
    FROM current_certificates
    WHERE endpoint IS NOT NULL
),
answers AS (
    SELECT
        *,
        count(*) FILTER (begins) OVER (PARTITION BY source_id, asked ORDER BY line) AS answer
    FROM (
        SELECT
            *,
            lower(name) IS NOT DISTINCT FROM lower(asked)
                AND line - lag(line, 1, -9) OVER (PARTITION BY source_id, asked ORDER BY line) > 1 AS begins
        FROM dns_records
        WHERE asked IS NOT NULL AND coalesce(section, 'answer') = 'answer'
    )
),
newest_answers AS (
    SELECT lower(asked) AS host, max((source_id, answer)) AS newest
    FROM answers
    GROUP BY ALL
),
chains AS (
    SELECT
        host,
        string_agg(value, ' → ' ORDER BY line) FILTER (type IN ('CNAME', 'ALIAS', 'ANAME')) AS aliases,
        list(lower(value) ORDER BY line) FILTER (type IN ('CNAME', 'ALIAS', 'ANAME')) AS alias_list,
        count(*) FILTER (type IN ('A', 'AAAA')) AS addresses,
        any_value(status) AS status,
        min_by(ttl_s, line) AS ttl_s,
        list({{'source_id': source_id, 'line': line}} ORDER BY line)[1:3] AS lines
    FROM answers
    JOIN newest_answers ON lower(asked) = host AND (source_id, answer) = newest
    GROUP BY host
),
asked_hosts AS (
    SELECT lower(host) AS host, count(*) AS requests
    FROM requests
    WHERE host IS NOT NULL
        AND regexp_full_match(host, '(?i)[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]+')
        AND in_window(time, $start, $end)
    GROUP BY ALL
),
targets AS (
    SELECT
        lower(domain) AS host,
        max_by(lower(target), (source_id, line)) AS target,
        max_by({{'source_id': source_id, 'line': line}}, (source_id, line)) AS place
    FROM domains
    WHERE domain IS NOT NULL AND kind = 'custom'
    GROUP BY ALL
),
hosts AS (
    SELECT host FROM chains
    UNION
    SELECT host FROM targets
    UNION
    SELECT host FROM asked_hosts
    UNION
    SELECT pattern FROM covered_names WHERE NOT starts_with(pattern, '*')
),
covering AS (
    SELECT
        host,
        max_by(
            {{
                'pattern': pattern,
                'endpoint': lower(endpoint),
                'expires': expires,
                'place': {{'source_id': source_id, 'line': line}}
            }},
            (endpoint IS NOT NULL, source_id, line)
        ) AS own
    FROM hosts
    JOIN covered_names
        ON host = pattern
        OR (starts_with(pattern, '*.') AND substr(host, strpos(host, '.') + 1) = substr(pattern, 3))
    GROUP BY host
),
-- a name that is another's but for a letter or two; names that differ in their first label only are other hosts
near AS (
    SELECT
        host,
        arg_min(pattern, (levenshtein(host, pattern), pattern)) AS near_name,
        min(levenshtein(host, pattern)) AS near_letters,
        arg_min(
            {{'source_id': source_id, 'line': line, 'endpoint': lower(endpoint)}},
            (levenshtein(host, pattern), pattern)
        ) AS near_place
    FROM hosts
    JOIN covered_names
        ON levenshtein(host, pattern) BETWEEN 1 AND {limits.NEAR_MISS_LETTERS}
        AND length(host) >= 8
        AND len(string_split(host, '.')) = len(string_split(pattern, '.'))
        AND (
            len(string_split(host, '.')) = 2
            OR string_split(host, '.')[1] = string_split(pattern, '.')[1]
        )
    WHERE host NOT IN (SELECT host FROM covering)
    GROUP BY host
),
placed_hosts AS (
    SELECT
        hosts.host,
        nullif(
            concat_ws(
                ' → ',
                CASE WHEN aliases IS NOT NULL OR addresses > 0 THEN hosts.host END,
                aliases,
                addresses || CASE addresses WHEN 0 THEN NULL WHEN 1 THEN ' address' ELSE ' addresses' END
            ),
            ''
        ) AS chain,
        alias_list,
        alias_list[1] AS target,
        coalesce(
            targets.target,
            own.endpoint,
            near_place.endpoint,
            -- a host of nobody's certificate may be another application's; but this alias is of the platform
            CASE WHEN ends_with(alias_list[1], '.herokuapp.com') THEN only_endpoint END
        ) AS wanted,
        targets.target IS NOT NULL AS by_domains,
        chains.host IS NOT NULL AS answered,
        addresses,
        status,
        ttl_s,
        own,
        near_name,
        near_letters,
        requests,
        list_filter(
            list_concat(
                coalesce(lines, []),
                [own.place, targets.place, {{'source_id': near_place.source_id, 'line': near_place.line}}]
            ),
            lambda one: one IS NOT NULL AND one.line IS NOT NULL
        ) AS evidence
    FROM hosts
    CROSS JOIN endpoints
    LEFT JOIN chains ON chains.host = hosts.host
    LEFT JOIN targets ON targets.host = hosts.host
    LEFT JOIN asked_hosts ON asked_hosts.host = hosts.host
    LEFT JOIN covering ON covering.host = hosts.host
    LEFT JOIN near ON near.host = hosts.host
    WHERE NOT ends_with(hosts.host, '.herokuapp.com')
),
host_rows AS (
    SELECT
        'host' AS kind,
        host AS name,
        CASE
            WHEN NOT answered THEN 'cannot_tell'
            WHEN status IS NOT NULL AND status <> 'NOERROR' THEN 'not_in_dns'
            WHEN alias_list IS NULL AND addresses = 0 THEN 'not_in_dns'
            WHEN wanted IS NULL THEN 'cannot_tell'
            WHEN list_contains(alias_list, wanted) THEN 'ok'
            WHEN alias_list IS NULL THEN 'no_alias'
            WHEN ends_with(target, '.herokuapp.com') AND ends_with(wanted, '.herokussl.com') THEN 'wrong_target'
            ELSE 'other_target'
        END AS verdict,
        chain,
        target,
        wanted,
        CASE WHEN verdict IN ('wrong_target', 'other_target', 'no_alias', 'not_in_dns') THEN 1 END AS hop,
        status,
        ttl_s,
        own.pattern AS covered_by,
        near_name,
        near_letters,
        requests,
        NULL AS names,
        NULL::TIMESTAMP AS starts,
        own.expires AS expires,
        NULL::BOOLEAN AS trusted,
        NULL AS signature_algorithm,
        evidence,
        1 AS place
    FROM placed_hosts
),
certificate_rows AS (
    SELECT
        CASE
            WHEN position IS NOT NULL AND printed_by IN ('openssl', 'checker') THEN 'link'
            ELSE 'certificate'
        END AS kind,
        coalesce(endpoint, name, subject, common_names, 'certificate') AS name,
        CASE
            WHEN expires IS NULL OR as_of IS NULL THEN 'cannot_tell'
            WHEN expires <= as_of THEN 'expired'
            WHEN starts > as_of THEN 'not_yet'
            WHEN date_diff('hour', as_of, expires) < 24 * {limits.EXPIRY_CRITICAL_DAYS} THEN 'expires_soon'
            WHEN date_diff('hour', as_of, expires) < 24 * {limits.EXPIRY_WARNING_DAYS} THEN 'expires'
            ELSE 'ok'
        END AS verdict,
        common_names AS names,
        starts,
        expires,
        trusted,
        signature_algorithm,
        [{{'source_id': source_id, 'line': line}}] AS evidence,
        2 + coalesce(position, 0) AS place
    FROM (
        SELECT * EXCLUDE (slot, recency) FROM current_certificates
        UNION ALL
        SELECT * FROM certificates WHERE position > 0
    )
    CROSS JOIN evidence_times
)
SELECT
    kind,
    name,
    verdict,
    chain,
    target,
    wanted,
    hop,
    status,
    ttl_s,
    covered_by,
    near_name,
    near_letters,
    requests,
    names,
    starts,
    expires,
    as_of,
    round(date_diff('minute', as_of, expires) / 1440.0, 2) AS days_left,
    round(date_diff('minute', starts, as_of) / 1440.0, 2) AS age_days,
    round(date_diff('minute', starts, expires) / 1440.0, 2) AS valid_days,
    trusted,
    signature_algorithm,
    evidence
FROM (FROM host_rows UNION ALL BY NAME FROM certificate_rows)
CROSS JOIN evidence_times
ORDER BY
    kind = 'link',
    kind = 'certificate',
    requests DESC NULLS LAST,
    place,
    name,
    evidence[1].source_id,
    evidence[1].line
"""
