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
from workbook.hosts import SQL
from workbook.window import Window
from workbook.words import line as _text

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("certificates", "dns_records", "domains"),)
REFERENCE = "book ch. 2"


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
