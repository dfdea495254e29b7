"""Does every name get its own certificate, and until when?     (book ch. 2, "SSL")

One row for each name (``kind`` host), each certificate (certificate) and each link of a chain that was sent (link).

Columns: ``kind``; ``name``: the host, the certificate's endpoint or name, the link's subject; ``verdict``, see below;
``chain``: where DNS leads, step by step; ``target``: the first alias; ``wanted``: where it should lead, by "heroku
domains", else the endpoint of the certificate; ``hop``: number of the step that goes wrong, from 1; ``status``: of the
answer, such as NXDOMAIN; ``ttl_s``: how long resolvers keep the first step, in s; ``covered_by``: the name in the
certificate that covers the host; ``near_name``, ``near_letters``: a name in a certificate that differs by so many
letters; ``requests``: that the router logged for the host; ``names``: that the certificate covers; ``starts``,
``expires``; ``as_of``: time of the evidence: the window's end, else the newest time in a dig or a log; ``days_left``;
``age_days``; ``valid_days``; ``trusted``; ``signature_algorithm``; ``evidence``.

Verdicts of a host: ``ok``; ``wrong_target``: the alias is the application's own name, so the certificate of the
platform is served; ``other_target``: an alias other than the one wanted; ``no_alias``: addresses, no alias (an ALIAS or
ANAME looks the same); ``not_in_dns``; ``cannot_tell``: no answer of DNS, or no endpoint known. Of a certificate or a
link: ``ok``, ``expires`` (30 days), ``expires_soon`` (7 days), ``expired``, ``not_yet``, ``cannot_tell``.

Then and now: until 2016 a certificate had its own name (herokussl.com), but in Europe the application's
(herokuapp.com); since then "heroku domains" prints the target (herokudns.com). Pastes carry no time: the window only
says as of when, and which requests count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Finding, Query, cite, numbers_of
from workbook.window import Window
from workbook.words import line as _text

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("certificates", "dns_records", "domains"),)
REFERENCE = "book ch. 2"

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


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return a row for each host, certificate and link of a chain; columns as the module says."""
    return query(SQL, start=window.start, end=window.end)


# ---- findings ----

PLATFORM = "*.herokuapp.com"


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return where DNS goes wrong, what no certificate covers, what expires, and the weakest link of a chain."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "Nothing that is loaded names a host and where it leads.",
                next_step="Paste dig with its command, and heroku certs or heroku domains.",
                reference=REFERENCE,
            )
        ]
    hosts = rows[rows["kind"] == "host"]
    certificates = rows[rows["kind"] == "certificate"]
    links = rows[rows["kind"] == "link"]
    found = [
        _misled(row)
        for _, row in hosts.iterrows()
        if row["verdict"] in ("wrong_target", "other_target", "not_in_dns", "no_alias")
    ]
    found += [_well_led(hosts)] if (hosts["verdict"] == "ok").any() else []
    if not (certificates.empty and links.empty):
        found += [_uncovered(row) for _, row in hosts[hosts["covered_by"].isna()].iterrows() if _matters(row)]
    found += [one for _, row in pd.concat([certificates, links]).iterrows() for one in _validity(row)]
    found += _chain(links)
    found += _unknown(hosts, certificates)
    return found


def _misled(row: pd.Series) -> Finding:
    """One sentence on where the name's DNS leads and where it should."""
    host, target, wanted = _text(row["name"]), _text(row["target"]), _text(row["wanted"])
    numbers = {"hop": int(row["hop"]), **numbers_of(row, "ttl_s")}
    later = (
        f" Resolvers keep the old answer for up to {words.ms(1000 * row['ttl_s'])}."
        if pd.notna(row["ttl_s"])
        else ""
    )
    confidence = "high" if pd.notna(row["covered_by"]) else "medium"
    if row["verdict"] == "wrong_target":
        return Finding(
            "critical",
            f"DNS still points {host} to {target}, the application’s own name, so the certificate {PLATFORM} is served"
            f" and browsers refuse it; change its CNAME to {wanted}.",
            numbers,
            cite(row["evidence"]),
            f"Change the CNAME of {host} to {wanted}, then ask again: dig +short {host}.{later}",
            REFERENCE,
            confidence,
        )
    if row["verdict"] == "not_in_dns":
        status = f" ({_text(row['status'])})" if pd.notna(row["status"]) else ""
        to = f" to {wanted}" if pd.notna(row["wanted"]) else ""
        return Finding(
            "critical",
            f"DNS has no address for {host}{status}.",
            numbers,
            cite(row["evidence"]),
            f"Add a record for {host}{to}, or take the name out of the application’s domains.",
            REFERENCE,
            "high",
        )
    if row["verdict"] == "no_alias":
        return Finding(
            "cannot_tell",
            f"DNS gives addresses for {host} and no alias, so whether it leads to {wanted} cannot be said.",
            numbers,
            cite(row["evidence"]),
            f"Compare with dig +short {wanted}: the same addresses are an ALIAS or ANAME, which is fine; others are an"
            " A record that breaks when the platform’s addresses change.",
            REFERENCE,
        )
    return Finding(
        "warning",
        f"DNS points {host} to {target}, and not to {wanted}, where its certificate is served.",
        numbers,
        cite(row["evidence"]),
        f"If {target} is no CDN or proxy of yours, change the CNAME to {wanted}.{later}",
        REFERENCE,
        "medium",
    )


def _well_led(hosts: pd.DataFrame) -> Finding:
    led = hosts[hosts["verdict"] == "ok"]
    names = ", ".join(_text(name) for name in led["name"].head(5))
    return Finding(
        "ruled_out",
        f"DNS leads {words.plural(len(led), 'name')} to the endpoint of the certificate: {names}.",
        {"names": len(led)},
        tuple(one for cell in led["evidence"].head(5) for one in cite(cell)[:1]),
        reference=REFERENCE,
    )


def _matters(row: pd.Series) -> bool:
    """Whether a host that no certificate covers was asked for by anybody: in DNS, in the log, or as a domain."""
    return row["verdict"] != "cannot_tell" or pd.notna(row["requests"]) or pd.notna(row["near_name"])


def _uncovered(row: pd.Series) -> Finding:
    host = _text(row["name"])
    asked = f" {words.plural(row['requests'], 'request')} asked for it." if pd.notna(row["requests"]) else ""
    numbers = numbers_of(row, "requests", "near_letters")
    if pd.notna(row["near_name"]):
        near = _text(row["near_name"])
        return Finding(
            "warning",
            f"No certificate lists {host}; one lists {near}, which differs in"
            f" {words.plural(row['near_letters'], 'letter')}.{asked}",
            numbers,
            cite(row["evidence"]),
            f"If {near} is a slip of the pen, have the certificate issued again for {host}.",
            REFERENCE,
            "medium",
        )
    return Finding(
        "warning",
        f"No certificate in the pastes lists {host}.{asked}",
        numbers,
        cite(row["evidence"]),
        f"Paste heroku certs of the application that serves {host}; if none lists it, add it to the certificate.",
        REFERENCE,
        "medium",
    )


def _validity(row: pd.Series) -> list[Finding]:
    """What is wrong with the validity and the trust of a certificate or a link."""
    name = _text(row["name"]) if row["kind"] == "certificate" else f"the link {_text(row['name'])}"
    said = f"The certificate {name}" if row["kind"] == "certificate" else name[0].upper() + name[1:]
    numbers = numbers_of(row, "days_left", "age_days", "valid_days")
    evidence = cite(row["evidence"])
    found = []
    if row["verdict"] in ("expired", "expires_soon", "expires", "not_yet", "ok"):
        moment, days = words.time(row["expires"]), abs(float(row["days_left"]))
        span = words.ms(days * 86_400_000) if days < 2 else f"{words.number(days)} days"
        words_of = {
            "expired": ("critical", f"expired {span} before the evidence, at {moment}"),
            "expires_soon": ("critical", f"expires in {span}, at {moment}"),
            "expires": ("warning", f"expires in {span}, at {moment}"),
            "not_yet": ("critical", f"is valid only from {words.time(row['starts'])} on"),
            "ok": ("ruled_out", f"is valid for another {span}, until {moment}"),
        }
        severity, sentence = words_of[row["verdict"]]
        found.append(
            Finding(
                severity,
                f"{said} {sentence} (as of {words.time(row['as_of'])} UTC).",
                numbers,
                evidence,
                ""
                if row["verdict"] == "ok"
                else "Renew it now with a new key, then heroku certs:update, and look at the new"
                " expiry that it prints. An ACM certificate renews itself when DNS leads to the application.",
                REFERENCE,
                "high",
            )
        )
    if row["trusted"] is False or (pd.notna(row["trusted"]) and not row["trusted"]):
        found.append(
            Finding(
                "warning",
                f"{said} is not trusted: browsers warn of it.",
                {},
                evidence,
                "Have it signed by a root authority. One that ACM has not issued yet is listed so too: then check DNS.",
                REFERENCE,
                "medium",
            )
        )
    return found


def _chain(links: pd.DataFrame) -> list[Finding]:
    """The weakest link of the chains that servers sent: the one that expires first, and old signatures."""
    found = []
    old = links[links["signature_algorithm"].astype(str).str.lower().str.contains("sha1|md5", regex=True)]
    if not old.empty:
        names = ", ".join(_text(name) for name in old["name"])
        found.append(
            Finding(
                "note",
                f"SHA-1 or MD5 signs {words.plural(len(old), 'link')} of the chain: {names}.",
                {"links": len(old)},
                tuple(one for cell in old["evidence"] for one in cite(cell)),
                "Usual in 2013; since 2017 browsers refuse it for a server. A root’s own signature does not matter.",
                "CA/Browser Forum, ballot 118",
                "high",
            )
        )
    dated = links.dropna(subset=["expires"]).sort_values("expires", kind="stable")
    if len(links) > 1 and not dated.empty:
        weakest = dated.iloc[0]
        found.append(
            Finding(
                "note",
                f"The weakest link of the chain is {_text(weakest['name'])}: of {len(dated)} dates its own is first,"
                f" at {words.time(weakest['expires'])}.",
                numbers_of(weakest, "days_left"),
                cite(weakest["evidence"]),
                "",
                REFERENCE,
                "high",
            )
        )
    return found


def _unknown(hosts: pd.DataFrame, certificates: pd.DataFrame) -> list[Finding]:
    """What cannot be told, and which paste would tell it."""
    found = []
    silent = hosts[(hosts["verdict"] == "cannot_tell") & hosts["chain"].isna()]
    if not silent.empty:
        names = ", ".join(_text(name) for name in silent["name"].head(5))
        found.append(
            Finding(
                "cannot_tell",
                f"Where DNS leads {words.plural(len(silent), 'name')} is not known: {names}.",
                {"names": len(silent)},
                (),
                f"Paste dig {_text(silent['name'].iloc[0])} with its command.",
                REFERENCE,
            )
        )
    aimless = hosts[(hosts["verdict"] == "cannot_tell") & hosts["chain"].notna()]
    if not aimless.empty:
        names = ", ".join(_text(name) for name in aimless["name"].head(5))
        found.append(
            Finding(
                "cannot_tell",
                f"Where DNS should lead {names} is not known: no endpoint and no target of a domain is loaded.",
                {"names": len(aimless)},
                tuple(one for cell in aimless["evidence"].head(5) for one in cite(cell)[:1]),
                "Paste heroku certs (until 2016) or heroku domains (since).",
                REFERENCE,
            )
        )
    undated = certificates[certificates["verdict"] == "cannot_tell"]
    if not undated.empty:
        known = undated["expires"].notna()
        why = "the pastes carry no time" if known.any() else "no date of expiry was printed"
        found.append(
            Finding(
                "cannot_tell",
                f"How long {words.plural(len(undated), 'certificate')} still hold is not known: {why}.",
                {"certificates": len(undated)},
                tuple(one for cell in undated["evidence"].head(5) for one in cite(cell)),
                "Say as of when with the window’s end (--to), or paste a dig, which prints the time.",
                REFERENCE,
            )
        )
    return found


# ---- chart ----

MOST_LANES = 25
_COLOURS = {
    "ok": charts.GREEN,
    "expires": charts.ORANGE,
    "expires_soon": charts.VERMILLION,
    "expired": charts.VERMILLION,
    "not_yet": charts.PURPLE,
    "cannot_tell": charts.GREY,
}


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return when each certificate and link is valid, with the time of the evidence; pale where no start is printed."""
    import altair as alt

    shown = rows[rows["kind"].isin(["certificate", "link"]) & rows["expires"].notna()].head(MOST_LANES).copy()
    if shown.empty:
        return charts.empty("no certificate with its date of expiry")
    shown["label"] = [
        words.cut(
            f"{_text(name)} · {_text(covered)}" if pd.notna(covered) and covered != name else _text(name), 60
        )
        for name, covered in zip(shown["name"], shown["names"], strict=True)
    ]
    shown["from"] = shown["starts"].fillna(shown["expires"] - pd.Timedelta(days=limits.CERTIFICATE_DAYS))
    shown["start_known"] = shown["starts"].notna().map({True: "printed", False: "not printed"})
    words_used = [word for word in _COLOURS if word in set(shown["verdict"])]
    base = alt.Chart(shown).encode(y=alt.Y("label:N", title=None, sort=list(dict.fromkeys(shown["label"]))))
    bars = base.mark_bar(height=14).encode(
        x=charts.time_axis("from", title="valid (UTC)"),
        x2="expires:T",
        color=alt.Color(
            "verdict:N",
            title="as of the evidence",
            scale=alt.Scale(domain=words_used, range=[_COLOURS[word] for word in words_used]),
        ),
        opacity=alt.Opacity(
            "start_known:N",
            title="start of validity",
            scale=alt.Scale(domain=["printed", "not printed"], range=[0.95, 0.45]),
        ),
        tooltip=[
            alt.Tooltip("label:N", title="certificate"),
            charts.time_tooltip("expires", "expires (UTC)"),
            alt.Tooltip("days_left:Q", title="days left"),
            alt.Tooltip("verdict:N"),
        ],
    )
    layers = [bars]
    as_of = shown["as_of"].dropna()
    subtitle = "no time of the evidence is known"
    if not as_of.empty:
        now = pd.DataFrame({"as_of": [as_of.iloc[0]]})
        layers.append(alt.Chart(now).mark_rule(color=charts.INK, strokeDash=[4, 3]).encode(x="as_of:T"))
        subtitle = f"dashed: the evidence, {words.time(as_of.iloc[0])} UTC"
    drawn = alt.layer(*layers).properties(width=charts.WIDTH, height=max(70, 28 * shown["label"].nunique()))
    bad = int((shown["verdict"] != "ok").sum())
    said = f"The validity of {words.plural(len(shown), 'certificate')}; {bad} not in order."
    return charts.theme(charts.describe(drawn, said), "How long the certificates hold", subtitle)
