"""The certificate's card: the book's case word by word, each verdict of DNS and validity, and what must not be claimed."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from workbook import Finding, Result, Window, limits

CERTS = """\
$ heroku certs
Endpoint           Common Name(s)        Expires          Trusted
-----            -----                -----          -----
hyogo-1003.herokussl.com  {names}  2013-06-06 23:59 UTC  True

"""
DIG = """\
$ dig www.csrbuddy.com

; <>> DiG 9.8.3-P1 <>> www.csrbuddy.com
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 52672
;; flags: qr rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 0

;; QUESTION SECTION:
;www.csrbuddy.com.           IN      A

;; ANSWER SECTION:
www.csrbuddy.com.    1751    IN      CNAME   csrbuddy.herokuapp.com.
csrbuddy.herokuapp.com. 11       IN      A       174.129.225.36
"""
WHEN = ";; WHEN: Tue Jun  4 19:20:57 2013\n"
BUDDY, BUGGY = "www.csrbuddy.com, csrbuddy.com", "www.csrbuggy.com, csrbuggy.com"


def hosts(result: Result) -> dict[str, str]:
    table = result.table[result.table["kind"] == "host"]
    return dict(zip(table["name"], table["verdict"], strict=True))


def of(result: Result, severity: str) -> list[Finding]:
    return [finding for finding in result.findings if finding.severity == severity]


def test_the_books_case_is_said_in_one_sentence(load_text: Any) -> None:
    result = load_text(CERTS.format(names=BUDDY) + DIG + WHEN).run("certificates")
    assert hosts(result)["www.csrbuddy.com"] == "wrong_target"
    wrong = of(result, "critical")[0]
    assert wrong.title == (
        "DNS still points www.csrbuddy.com to csrbuddy.herokuapp.com, the application’s own name, so the certificate"
        " *.herokuapp.com is served and browsers refuse it; change its CNAME to hyogo-1003.herokussl.com."
    )
    assert wrong.numbers == {"hop": 1, "ttl_s": 1751} and wrong.confidence == "high"
    assert "29 min 11 s" in wrong.next_step
    assert [one.line for one in wrong.evidence] == [18, 19, 4]


def test_the_books_slip_of_the_pen_is_a_near_miss(load_text: Any) -> None:
    result = load_text(CERTS.format(names=BUGGY) + DIG).run("certificates")
    row = result.table[result.table["name"] == "www.csrbuddy.com"].iloc[0]
    assert (row["verdict"], row["near_name"], row["near_letters"]) == ("wrong_target", "www.csrbuggy.com", 2)
    assert of(result, "critical")[0].confidence == "medium"
    assert any(
        "one lists www.csrbuggy.com, which differs in 2 letters" in one.title for one in of(result, "warning")
    )


def test_once_dns_is_changed_it_is_ruled_out(load_text: Any) -> None:
    result = load_text(
        CERTS.format(names=BUDDY)
        + DIG
        + "$ dig +short www.csrbuddy.com\nhyogo-1003.herokussl.com.\nelb003055-1983386325.us-east-1.elb.amazonaws.com.\n"
        "107.22.234.193\n50.19.111.122\n174.129.210.143\n"
    ).run("certificates")
    assert hosts(result)["www.csrbuddy.com"] == "ok"
    row = result.table[result.table["name"] == "www.csrbuddy.com"].iloc[0]
    assert row["chain"] == (
        "www.csrbuddy.com → hyogo-1003.herokussl.com → elb003055-1983386325.us-east-1.elb.amazonaws.com → 3 addresses"
    )
    assert not of(result, "critical")
    assert any(one.title.startswith("DNS leads 1 name to the endpoint") for one in of(result, "ruled_out"))


def test_the_time_left_is_counted_from_the_time_of_the_dig(load_text: Any) -> None:
    result = load_text(CERTS.format(names=BUDDY) + DIG + WHEN).run("certificates")
    row = result.table[result.table["kind"] == "certificate"].iloc[0]
    assert (row["verdict"], row["days_left"]) == ("expires_soon", 2.19)
    assert any(
        one.title.startswith("The certificate hyogo-1003.herokussl.com expires in 2.19 days")
        for one in of(result, "critical")
    )


@pytest.mark.parametrize(
    "as_of, verdict, severity",
    [
        ("2013-06-06 23:59", "expired", "critical"),
        ("2013-06-01", "expires_soon", "critical"),
        ("2013-05-10", "expires", "warning"),
        ("2013-01-01", "ok", "ruled_out"),
    ],
)
def test_the_windows_end_says_as_of_when(load_text: Any, as_of: str, verdict: str, severity: str) -> None:
    result = load_text(CERTS.format(names=BUDDY)).run("certificates", Window(None, as_of))
    row = result.table[result.table["kind"] == "certificate"].iloc[0]
    assert row["verdict"] == verdict
    assert any("hyogo-1003.herokussl.com" in one.title for one in of(result, severity))


def test_without_any_time_the_time_left_cannot_be_told(load_text: Any) -> None:
    result = load_text(CERTS.format(names=BUDDY)).run("certificates")
    assert result.table["days_left"].isna().all()
    assert any("the pastes carry no time" in one.title for one in of(result, "cannot_tell"))
    assert not of(result, "critical")


def test_in_europe_the_endpoint_was_the_applications_own_name(load_text: Any) -> None:
    result = load_text(
        "$ heroku certs\nEndpoint  Common Name(s)  Expires  Trusted\n"
        "csrbuddy.herokuapp.com  www.csrbuddy.com  2013-06-06 23:59 UTC  True\n" + DIG
    ).run("certificates")
    assert hosts(result) == {"www.csrbuddy.com": "ok"}
    assert not of(result, "critical")


DOMAINS = (
    "=== ⬢ shop Custom Domains\n\n Domain Name      DNS Record Type  DNS Target                             SNI Endpoint\n"
    " ───────────────  ───────────────  ─────────────────────────────────────  ────────────\n"
    " www.example.com  CNAME            polar-lake-1234.herokudns.com          osaka-2050\n"
)


@pytest.mark.parametrize(
    "answer, verdict",
    [
        ("polar-lake-1234.herokudns.com.\n192.0.2.1\n", "ok"),
        ("shop.herokuapp.com.\n192.0.2.1\n", "other_target"),
        ("cdn.example.net.\n192.0.2.1\n", "other_target"),
        ("192.0.2.1\n", "no_alias"),
    ],
)
def test_today_domains_print_the_target(load_text: Any, answer: str, verdict: str) -> None:
    result = load_text(DOMAINS + "$ dig +short www.example.com\n" + answer).run("certificates")
    assert hosts(result) == {"www.example.com": verdict}
    assert not of(result, "critical")


def test_a_name_that_is_not_in_dns(load_text: Any) -> None:
    result = load_text(
        DOMAINS + "$ dig www.example.com\n;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1\n"
        ";; QUESTION SECTION:\n;www.example.com. IN A\n"
    ).run("certificates")
    assert hosts(result) == {"www.example.com": "not_in_dns"}
    assert of(result, "critical")[0].title == "DNS has no address for www.example.com (NXDOMAIN)."


def test_hosts_of_the_router_that_no_certificate_lists(load_text: Any) -> None:
    load_text(
        "".join(
            f'2013-06-04T12:00:0{n}.5+00:00 heroku[router]: at=info method=GET path=/ host={host} fwd="192.0.2.1" dyno=web.1'
            " connect=1ms service=20ms status=200 bytes=5\n"
            for n, host in enumerate(
                ["www.csrbuddy.com", "m.csrbuddy.com", "m.csrbuddy.com", "csrbuddy.herokuapp.com"]
            )
        )
    )
    result = load_text(CERTS.format(names=BUDDY), "certs.txt").run("certificates")
    uncovered = [one for one in of(result, "warning") if "m.csrbuddy.com" in one.title]
    assert [one.title for one in uncovered] == [
        "No certificate in the pastes lists m.csrbuddy.com. 2 requests asked for it."
    ]
    assert "csrbuddy.herokuapp.com" not in hosts(result)


def test_a_wildcard_covers_one_label_only(load_text: Any) -> None:
    load_text(
        "Endpoint  Common Name(s)  Expires  Trusted\nkanto-2044.herokussl.com  *.example.com  2013-06-06 23:59 UTC  True\n",
        "certs.txt",
    )
    result = load_text(
        "$ dig +short a.example.com\nkanto-2044.herokussl.com.\n$ dig +short b.a.example.com\nkanto-2044.herokussl.com.\n"
        "$ dig +short example.com\nkanto-2044.herokussl.com.\n",
        "dig.txt",
    ).run("certificates")
    covered = result.table.set_index("name")["covered_by"]
    assert covered["a.example.com"] == "*.example.com"
    assert pd.isna(covered["b.a.example.com"]) and pd.isna(covered["example.com"])


def test_hosts_beside_each_other_are_no_near_miss(load_text: Any) -> None:
    result = load_text(
        "Endpoint  Common Name(s)  Expires  Trusted\nkanto-2044.herokussl.com  shop1.example.com  2013-06-06 23:59 UTC  True\n"
        "$ dig +short shop2.example.com\nkanto-2044.herokussl.com.\n"
    ).run("certificates")
    assert result.table["near_name"].isna().all()


def test_the_weakest_link_of_the_books_chain(load_text: Any) -> None:
    result = load_text(
        "Server \nCommon name: www.csrbuddy.com\nSANs: www.csrbuddy.com, csrbuddy.com\nValid from June 5, 2012 to June 6, 2013\n"
        "Signature Algorithm: sha1WithRSAEncryption\nIssuer: PositiveSSL CA 2\nChain \nCommon name: PositiveSSL CA 2\n"
        "Valid from February 15, 2012 to May 30, 2020\nSignature Algorithm: sha1WithRSAEncryption\nIssuer: AddTrust External CA Root\n"
        "Chain \nCommon name: AddTrust External CA Root\nValid from May 30, 2000 to May 30, 2020\n"
        "Signature Algorithm: sha1WithRSAEncryption\nIssuer: AddTrust External CA Root\n"
    ).run("certificates", Window(None, "2013-06-04"))
    links = result.table[result.table["kind"] == "link"]
    assert links["name"].tolist() == ["www.csrbuddy.com", "PositiveSSL CA 2", "AddTrust External CA Root"]
    assert links["expires"].astype(str).tolist() == ["2013-06-06", "2020-05-30", "2020-05-30"]
    notes = [one.title for one in of(result, "note")]
    assert any(note.startswith("The weakest link of the chain is www.csrbuddy.com") for note in notes)
    assert any(note.startswith("SHA-1 or MD5 signs 3 links") for note in notes)


def test_the_newest_paste_of_a_certificate_counts(load_text: Any) -> None:
    result = load_text(
        CERTS.format(names=BUDDY) + "$ heroku certs:update a.crt a.key\nResolving trust chain... done\n"
        "Updating SSL Endpoint hyogo-1003.herokussl.com info for csrbuddy... done\nUpdated certificate details:\n"
        "Common Name(s): csrbuddy.com\n                www.csrbuddy.com\nExpires At: 2014-06-07 23:59 UTC\n"
        "Starts At: 2013-06-04 00:00 UTC\nSSL certificate is verified by a root authority.\n"
    ).run("certificates", Window(None, "2013-06-04"))
    row = result.table[result.table["kind"] == "certificate"]
    assert row["expires"].astype(str).tolist() == ["2014-06-07 23:59:00"]


def test_a_name_cannot_write_into_the_page(load_text: Any) -> None:
    result = load_text(
        "$ heroku certs:info\nFetching SSL Endpoint <b>x</b> info for shop... done\nCertificate details:\n"
        "Expires At: 2013-06-06 23:59 UTC\nSubject: <script>alert(1)</script>\nCommon Name(s): www.example.com\n"
    ).run("certificates", Window(None, "2013-06-04"))
    assert "<b>" not in result._repr_html_() and "<script>alert" not in result._repr_html_()


def test_near_miss_letters_are_the_books() -> None:
    assert limits.LIMITS["NEAR_MISS_LETTERS"].value == 2
