"""What ``openssl s_client`` and ``openssl x509`` print about certificates: the chain that a server sends, one certificate as text.

Names are written ``/CN=…``, ``CN=…`` or ``CN = …`` by version. The encoded certificates between are counted as part of the output:
what is in them is printed by ``openssl x509 -noout -text``.
"""

from __future__ import annotations

import re
from datetime import datetime

from workbook.loaders import Context, _account, _paste

TITLE = "openssl output"
COMMANDS = ("openssl s_client", "openssl x509")

_CHAIN = re.compile(r"\s*(?P<position>\d{1,2}) s:\s*(?P<subject>.*?)\s*")
_CHAIN_ISSUER = re.compile(r"\s+i:\s*(?P<issuer>.*?)\s*")
_CHAIN_ALGORITHM = re.compile(r"\s+a:PKEY: .*sigalg: (?P<algorithm>\S+)\s*")
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
)  # fmt: skip

NOT_MINE = (
    "Subject: the site is slow\nIssuer: nobody\n",
    "Certificate:\nof birth\n",
    "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether the first line of a session stands there, of a certificate as text, or of its dates."""
    line = lines[at]
    if re.fullmatch(r"CONNECTED\([0-9A-F]+\)\s*", line):
        return True
    near = lines[at + 1 : at + 6]
    if _TEXT.fullmatch(line):
        return any(re.fullmatch(r"\s*(?:Data|Version):?.*", one) for one in near[:2])
    if line.strip() == "Certificate chain":
        return any(_CHAIN.fullmatch(one) for one in near[:1])
    return re.match(r"(?:subject|issuer|notBefore|notAfter|serial)=", line) is not None


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each certificate of the chain, and each that is printed as text, as a row of ``certificates``."""
    chain: list[tuple[int, dict[str, str]]] = []
    single: list[tuple[int, dict[str, str]]] = []
    trust: str | None = None
    trusted: bool | None = None
    encoded = False
    for at, text in lines:
        edge = _ENCODED.fullmatch(text)
        field = next(
            ((name, found["value"]) for name, form in _FIELDS if (found := form.fullmatch(text))), None
        )
        if edge or encoded:
            encoded = edge is None or edge["edge"] == "BEGIN"
            account.join(at)
        elif link := _CHAIN.fullmatch(text):
            chain.append((at, {"subject": link["subject"], "position": link["position"]}))
            account.join(at)
        elif chain and (
            found := next(
                (
                    f
                    for form in (_CHAIN_ISSUER, _CHAIN_ALGORITHM, _CHAIN_DATES)
                    if (f := form.fullmatch(text))
                ),
                None,
            )
        ):
            told = found.groupdict()
            chain[-1][1].update(
                {{"algorithm": "signature_algorithm"}.get(name, name): value for name, value in told.items()}
            )
            account.join(at)
        elif verified := _VERIFIED.fullmatch(text):
            trust = text.strip()
            trusted = verified["code"] == "0" if verified["code"] else trust == "Verification: OK"
            account.join(at)
        elif _TEXT.fullmatch(text):
            single.append((at, {}))
            account.join(at)
        elif field:
            # of a session: what is printed of the server's certificate is in the chain already
            if not chain:
                if not single or (
                    field[0] in single[-1][1] and field[0] != "signature_algorithm" and not text[0].isspace()
                ):
                    single.append((at, {}))
                single[-1][1].setdefault(*field)
            account.join(at)
        elif text[0].isspace() or _OTHER.match(text.strip()):
            account.join(at)
    for at, told in chain:
        first = told.get("position") == "0"
        account.row("certificates", at, **_row(told, at, account), position=int(told["position"]),
                    trusted=trusted if first else None, trust=trust if first else None)  # fmt: skip
    for at, told in single:
        account.row(
            "certificates", at, **_row(told, at, account), position=None, trusted=trusted, trust=trust
        )


score, read = _paste.score_of(__name__), _paste.read


def _row(told: dict[str, str], at: int, account: _account.Account) -> dict[str, object]:
    names = [
        name.strip().removeprefix("DNS:")
        for name in told.get("common_names", "").split(",")
        if "DNS:" in name
    ]
    common = _COMMON_NAME.search(told.get("subject", ""))
    signer = "position" in told and told["position"] != "0"
    return {
        "common_names": ", ".join(names) or (common[1].strip() if common and not signer else None),
        "starts": _time(told.get("starts"), "starts", at, account),
        "expires": _time(told.get("expires"), "expires", at, account),
        "subject": told.get("subject") or None,
        "issuer": told.get("issuer") or None,
        "signature_algorithm": told.get("signature_algorithm"),
        "printed_by": "openssl",
    }


def _time(text: str | None, name: str, at: int, account: _account.Account) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(" ".join(text.removesuffix("GMT").split()), "%b %d %H:%M:%S %Y")
    except ValueError:
        account.field(at, name)
        return None
