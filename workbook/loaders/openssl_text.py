"""What ``openssl s_client`` and ``openssl x509`` print about certificates, and certificates in PEM form.

Names are written ``/CN=…``, ``CN=…`` or ``CN = …`` by version. An encoded certificate adds what the text around it does not
say: old versions print no dates of a chain. Several in one file are a chain where each was signed by the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from workbook.loaders import Context, _account, _paste, _x509

TITLE = "openssl output, certificate in PEM form"
COMMANDS = ("openssl s_client", "openssl x509")

_CHAIN = re.compile(r"\s*(?P<position>\d{1,2}) s:\s*(?P<subject>.*?)\s*")
_CHAIN_ISSUER = re.compile(r"\s+i:\s*(?P<issuer>.*?)\s*")
_CHAIN_ALGORITHM = re.compile(r"\s+a:PKEY: .*sigalg: (?P<signature_algorithm>\S+)\s*")
_STAMP = r"[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d \d{4}(?: GMT)?"
_CHAIN_DATES = re.compile(rf"\s+v:NotBefore: (?P<starts>{_STAMP}); NotAfter: (?P<expires>{_STAMP})\s*")
_TEXT = re.compile(r"\s*Certificate:\s*")
_FIELDS = (
    ("starts", re.compile(rf"\s*(?:Not Before\s*: |notBefore=)(?P<value>{_STAMP})\s*")),
    ("expires", re.compile(rf"\s*(?:Not After\s*: |notAfter=)(?P<value>{_STAMP})\s*")),
    ("subject", re.compile(r"\s*(?:Subject: |subject= ?)(?P<value>.*?)\s*")),
    ("issuer", re.compile(r"\s*(?:Issuer: |issuer= ?)(?P<value>.*?)\s*")),
    ("signature_algorithm", re.compile(r"\s*Signature Algorithm: (?P<value>\S+)\s*")),
    ("common_names", re.compile(r"\s*(?P<value>DNS:\S.*?)\s*")),
)
_VERIFIED = re.compile(
    r"\s*(?:Verify return code: (?P<code>\d+) \((?P<words>.*?)\)|Verification: OK|Verification error: .*)\s*"
)
_COMMON_NAME = re.compile(r"(?:^|[/,] ?)CN ?= ?([^/,]+)")
_ENCODED = re.compile(r"\s*-----(?P<edge>BEGIN|END) (?:TRUSTED )?CERTIFICATE-----\s*")
_OTHER = re.compile(
    r"CONNECTED\(|depth=\d|verify |---$|Certificate chain|Server certificate|No client certificate|Client Certificate Types|"
    r"Peer sign|Server Temp Key|SSL handshake|New, |Server public key|Secure Renegotiation|Compression:|Expansion:|"
    r"No ALPN|ALPN protocol|SSL-Session:|Early data|Session-ID|Master-Key|PSK |SRP |Start Time|Timeout|Extended master|"
    r"Max Early Data|TLS session ticket|Resumption PSK|Protocol|Cipher|Key-Arg|Krb5|Acceptable client|This TLS version|"
    r"Data:|Version:|Serial Number|serial=|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2})|Validity|Public Key Algorithm|Modulus|Exponent|pub:|ASN1 OID|"
    r"NIST CURVE|X509v3|CA:|Digital Signature|Certificate Sign|TLS Web|keyid:|Authority Information|OCSP|CA Issuers|Policy|"
    r"CPS:|CT Precertificate|Signed Certificate|Log ID|Timestamp|Extensions:|Signature|Full Name|URI:|RSA Public|Subject Public|"
    r"Public-Key|DONE|closed|read R BLOCK|poll error|Verify return|\d{4} - |DirName|serial:|Server did|Negotiated|No peer|SHA1 Fingerprint|SHA256 Fingerprint"
)

EXAMPLES = (
    (
        "$ openssl s_client -connect www.example.com:443 -servername www.example.com\n"
        "CONNECTED(00000003)\n"
        "depth=1 C = US, O = Example Trust, CN = Example CA 1\n"
        "verify return:1\n"
        "---\n"
        "Certificate chain\n"
        " 0 s:CN = *.herokuapp.com\n"
        "   i:C = US, O = Example Trust, CN = Example CA 1\n"
        "   a:PKEY: rsaEncryption, 2048 (bit); sigalg: RSA-SHA256\n"
        "   v:NotBefore: Jan  1 00:00:00 2024 GMT; NotAfter: Apr  1 12:00:00 2024 GMT\n"
        " 1 s:C = US, O = Example Trust, CN = Example CA 1\n"
        "   i:C = US, O = Example Trust, CN = Example Root\n"
        "---\n"
        "Server certificate\n"
        "-----BEGIN CERTIFICATE-----\n"
        "bm90IGEgY2VydGlmaWNhdGU=\n"
        "-----END CERTIFICATE-----\n"
        "subject=CN = *.herokuapp.com\n"
        "issuer=C = US, O = Example Trust, CN = Example CA 1\n"
        "---\n"
        "Verify return code: 0 (ok)\n",
        {
            "certificates": (
                {"line": 7, "position": 0, "subject": "CN = *.herokuapp.com", "common_names": "*.herokuapp.com",
                 "issuer": "C = US, O = Example Trust, CN = Example CA 1", "signature_algorithm": "RSA-SHA256",
                 "starts": "2024-01-01", "expires": "2024-04-01 12:00", "trusted": True, "printed_by": "openssl",
                 "trust": "Verify return code: 0 (ok)"},
                {"line": 11, "position": 1, "subject": "C = US, O = Example Trust, CN = Example CA 1", "expires": None,
                 "trusted": None, "common_names": None},
            ),
        },
    ),
    (
        "Certificate:\n"
        "    Data:\n"
        "        Version: 3 (0x2)\n"
        "        Signature Algorithm: sha256WithRSAEncryption\n"
        "        Issuer: C = US, O = Example Trust, CN = Example CA 1\n"
        "        Validity\n"
        "            Not Before: Jan  1 00:00:00 2024 GMT\n"
        "            Not After : Apr  1 12:00:00 2024 GMT\n"
        "        Subject: CN = www.example.com\n"
        "            X509v3 Subject Alternative Name: \n"
        "                DNS:www.example.com, DNS:example.com\n",
        {
            "certificates": (
                {"line": 1, "position": None, "common_names": "www.example.com, example.com", "expires": "2024-04-01 12:00",
                 "starts": "2024-01-01", "subject": "CN = www.example.com", "signature_algorithm": "sha256WithRSAEncryption",
                 "trusted": None},
            ),
        },
    ),
    (
        "$ openssl x509 -noout -subject -dates -in server.crt\n"
        "subject= /CN=www.example.com\n"
        "notBefore=Jan  1 00:00:00 2024 GMT\n"
        "notAfter=Apr  1 12:00:00 2024 GMT\n",
        {"certificates": ({"line": 2, "common_names": "www.example.com", "expires": "2024-04-01 12:00", "issuer": None},)},
    ),
    (
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBWDCB/6ADAgECAgEHMAoGCCqGSM49BAMCMBcxFTATBgNVBAMMDEV4YW1wbGUg\n"
        "Q0EgMTAeFw0yNDAxMDEwMDAwMDBaFw0yNDA0MDExMjAwMDBaMBoxGDAWBgNVBAMM\n"
        "D3d3dy5leGFtcGxlLmNvbTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNNuCdPh\n"
        "1vqmOP/3aVm4OPMI49+NMycya7Jt+uAsZDuHdHmfvR5hBwsDB2IrFNqaZH5+tuT9\n"
        "V/A+3BDuDkxvLTqjOTA3MAwGA1UdEwEB/wQCMAAwJwYDVR0RBCAwHoIPd3d3LmV4\n"
        "YW1wbGUuY29tggtleGFtcGxlLmNvbTAKBggqhkjOPQQDAgNIADBFAiARkSiU8W/+\n"
        "znlYYMH6YZZ9TaIS7+zoeVE/hs1/JMyVfgIhAP07hdwwc+ex2K4TNNA2o+9m2gB4\n"
        "nHRGR/8fr41s74PD\n"
        "-----END CERTIFICATE-----\n"
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBLzCB1qADAgECAgEHMAoGCCqGSM49BAMCMBcxFTATBgNVBAMMDEV4YW1wbGUg\n"
        "Q0EgMTAeFw0yNDAxMDEwMDAwMDBaFw0yNDA0MDExMjAwMDBaMBcxFTATBgNVBAMM\n"
        "DEV4YW1wbGUgQ0EgMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEhDCUcUn2Tx\n"
        "pabHcFBJIB/EHu2X96amiGIxyVyFvGSyMYXL642s81oRzF8LiyKfnjOaVUbLupBN\n"
        "PdnOG0o8rrejEzARMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIh\n"
        "AJI3nCSLJQDOGP6mkp/vtF1X1GDxb0MvbZIzYtHZ+EPuAiBT6lzjFwCNsTJD2030\n"
        "g2XMHjDaP/3iYjGzoj8bFgAnbw==\n"
        "-----END CERTIFICATE-----\n",
        {
            "certificates": (
                {"line": 1, "position": 0, "common_names": "www.example.com, example.com", "subject": "CN=www.example.com",
                 "issuer": "CN=Example CA 1", "starts": "2024-01-01", "expires": "2024-04-01 12:00",
                 "signature_algorithm": "ecdsa-with-SHA256", "printed_by": "pem", "trusted": None, "trust": None},
                {"line": 11, "position": 1, "common_names": None, "subject": "CN=Example CA 1", "issuer": "CN=Example CA 1",
                 "expires": "2024-04-01 12:00"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "Subject: the site is slow\nIssuer: nobody\n",
    "Certificate:\nof birth\n",
    "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether a session begins there, a certificate as text or encoded, or the list of its dates."""
    line = lines[at]
    if re.fullmatch(r"CONNECTED\([0-9A-F]+\)\s*", line):
        return True
    near = lines[at + 1 : at + 6]
    if _TEXT.fullmatch(line):
        return any(re.fullmatch(r"\s*(?:Data|Version):?.*", one) for one in near[:2])
    if line.strip() == "Certificate chain":
        return any(_CHAIN.fullmatch(one) for one in near[:1])
    edge = _ENCODED.fullmatch(line)
    if edge is not None:
        return edge["edge"] == "BEGIN"
    return re.match(r"(?:subject|issuer|notBefore|notAfter|serial)=", line) is not None


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each certificate of the chain, and each that is printed or encoded alone, as a row of ``certificates``."""
    session = _Session()
    block: list[tuple[int, str]] = []
    for at, text in lines:
        edge = _ENCODED.fullmatch(text)
        if edge or block:
            if edge and edge["edge"] == "BEGIN":
                _refuse(block, account, "an encoded certificate without its end")
                block = []
            block.append((at, text.strip()))
            if edge and edge["edge"] == "END":
                _take_encoded(session, block, account)
                block = []
        elif _take_printed(session, at, text):
            account.join(at)
    _refuse(block, account, "an encoded certificate without its end")
    for at, told in session.chain:
        first = told.get("position") == "0"
        account.row("certificates", at, **_row(told, at, account), position=int(told["position"]),
                    trusted=session.trusted if first else None, trust=session.trust if first else None)  # fmt: skip
    positions = _positions([told for _, told in session.single])
    for (at, told), position in zip(session.single, positions, strict=True):
        account.row("certificates", at, **_row(told, at, account), position=position,
                    trusted=session.trusted, trust=session.trust)  # fmt: skip


@dataclass
class _Session:
    """What was told so far: the certificates of a chain, those that stand alone, each with its first line; the verdict."""

    chain: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    single: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    is_past_chain: bool = False
    trusted: bool | None = None
    trust: str | None = None


def _take_printed(session: _Session, at: int, text: str) -> bool:
    """Take a line that is not encoded; False when openssl does not print such a line."""
    if link := _CHAIN.fullmatch(text):
        session.chain.append((at, {"subject": link["subject"], "position": link["position"]}))
        return True
    if session.chain:
        for form in (_CHAIN_ISSUER, _CHAIN_ALGORITHM, _CHAIN_DATES):
            if found := form.fullmatch(text):
                session.chain[-1][1].update(found.groupdict())
                return True
    if verified := _VERIFIED.fullmatch(text):
        session.trust = text.strip()
        session.trusted = verified["code"] == "0" if verified["code"] else session.trust == "Verification: OK"
        return True
    if _TEXT.fullmatch(text):
        session.single.append((at, {}))
        return True
    for name, form in _FIELDS:
        if found := form.fullmatch(text):
            # of a session: what is printed of the server's certificate is in the chain already
            if not session.chain:
                _take_field(session.single, at, name, found["value"], is_indented=text[0].isspace())
            return True
    session.is_past_chain |= text.strip() == "Server certificate"
    return text[0].isspace() or _OTHER.match(text.strip()) is not None


def _take_field(
    single: list[tuple[int, dict[str, Any]]], at: int, name: str, value: str, *, is_indented: bool
) -> None:
    """Add a field to the certificate that is being printed; one that it has already begins the next."""
    again = bool(single) and name in single[-1][1] and name != "signature_algorithm" and not is_indented
    if not single or again:
        single.append((at, {}))
    single[-1][1].setdefault(name, value)


def _take_encoded(session: _Session, block: list[tuple[int, str]], account: _account.Account) -> None:
    """Take an encoded certificate: of the chain, of the text before it, or alone."""
    told = _x509.decoded("\n".join(text for _, text in block))
    printed = bool(session.single) and "encoded" not in session.single[-1][1]
    if told is None and not session.chain and not printed:
        _refuse(block, account, "no certificate is encoded here")
        return
    for at, _ in block:
        account.join(at)
    if told is None:
        return
    if session.chain:
        of = session.chain[0 if session.is_past_chain else -1][1]
    elif printed:
        of = session.single[-1][1]
    else:
        of = {"printed_by": "pem"}
        session.single.append((block[0][0], of))
    for name, value in {**told, "encoded": True}.items():
        of.setdefault(name, value)


def _refuse(block: list[tuple[int, str]], account: _account.Account, reason: str) -> None:
    for at, _ in block:
        account.refuse(at, reason)


def _positions(certificates: list[dict[str, Any]]) -> list[int | None]:
    """Return places from 0 where several encoded certificates are a chain, each signed by the next; else none."""
    linked = all(
        one.get("issuer") == after.get("subject") and one.get("printed_by") == "pem"
        for one, after in pairwise(certificates)
    )
    return [place if linked and len(certificates) > 1 else None for place in range(len(certificates))]


score, read = _paste.score_of(__name__), _paste.read


def _row(told: dict[str, Any], at: int, account: _account.Account) -> dict[str, object]:
    names = [
        name.strip().removeprefix("DNS:")
        for name in told.get("common_names", "").split(",")
        if "DNS:" in name
    ]
    common = _COMMON_NAME.search(told.get("subject", ""))
    signer = told.get("position", "0") != "0" or "signer" in told
    return {
        "common_names": ", ".join(names) or (common[1].strip() if common and not signer else None),
        "starts": _time(told.get("starts"), "starts", at, account),
        "expires": _time(told.get("expires"), "expires", at, account),
        "subject": told.get("subject") or None,
        "issuer": told.get("issuer") or None,
        "signature_algorithm": told.get("signature_algorithm"),
        "printed_by": told.get("printed_by", "openssl"),
    }


def _time(text: str | datetime | None, name: str, at: int, account: _account.Account) -> datetime | None:
    if text is None or isinstance(text, datetime):
        return text
    try:
        return datetime.strptime(" ".join(text.removesuffix("GMT").split()), "%b %d %H:%M:%S %Y")
    except ValueError:
        account.field(at, name)
        return None
