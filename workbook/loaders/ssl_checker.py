"""What a certificate checker on the web shows, copied as text: the server's certificate and the chain that signed it.

As the book's chapter 2 quotes one: common name, further names, validity in days, algorithm, issuer, block by block.
"""

from __future__ import annotations

import re
from datetime import datetime

from workbook.loaders import Context, _account, _paste

TITLE = "a certificate checker's page"
COMMANDS = ()

_BLOCK = re.compile(r"(?P<what>Server|Chain)\s*")
_NAME = re.compile(r"Common name: (?P<value>\S.*?)\s*", re.I)
_KEY = re.compile(
    r"(?P<key>SANs|Organization|Location|Serial Number|Signature Algorithm|Issuer|Valid from)(?::| ) ?(?P<value>\S.*?)\s*",
    re.I,
)
_DAYS = re.compile(r"(?P<starts>[A-Z][a-z]+ \d{1,2}, \d{4}) to (?P<expires>[A-Z][a-z]+ \d{1,2}, \d{4})")
_SENTENCE = re.compile(
    r".*(?:resolves to \S|Server Type: |certificate should be trusted|certificate is not trusted|certificate was issued by"
    r"|correctly listed in the certificate|not listed in the certificate|certificate will expire in|certificate has expired).*"
)

EXAMPLES = (
    (
        # the book, chapter 2
        "Server \n"
        "Common name: www.csrbuddy.com\n"
        "SANs: www.csrbuddy.com, csrbuddy.com\n"
        "Valid from June 5, 2012 to June 6, 2013\n"
        "Serial Number: e15cd7bfd88503ab21a82dcea809bdf2\n"
        "Signature Algorithm: sha1WithRSAEncryption\n"
        "Issuer: PositiveSSL CA 2\n"
        "\n"
        "Chain \n"
        "Common name: PositiveSSL CA 2\n"
        "Organization: COMODO CA Limited\n"
        "Location: Salford, Greater Manchester, GB\n"
        "Valid from February 15, 2012 to May 30, 2020\n"
        "Serial Number: 076f124681459c28d548d697c40e001b\n"
        "Signature Algorithm: sha1WithRSAEncryption\n"
        "Issuer: AddTrust External CA Root\n",
        {
            "certificates": (
                {"line": 2, "position": 0, "common_names": "www.csrbuddy.com, csrbuddy.com", "subject": "www.csrbuddy.com",
                 "starts": "2012-06-05", "expires": "2013-06-06", "signature_algorithm": "sha1WithRSAEncryption",
                 "issuer": "PositiveSSL CA 2", "printed_by": "checker", "trusted": None},
                {"line": 10, "position": 1, "subject": "PositiveSSL CA 2", "expires": "2020-05-30", "common_names": None},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = ("Server\nthe one in the cellar\n", "Common name: oak\nLatin name: quercus\n")


def begins(lines: list[str], at: int) -> bool:
    """Say whether a block of a certificate stands there."""
    line, near = lines[at].strip(), lines[at + 1 : at + 6]
    valid = any(re.match(r"Valid from ", one) for one in near)
    return valid and (
        _NAME.fullmatch(line) is not None
        or (_BLOCK.fullmatch(line) is not None and bool(near) and _NAME.fullmatch(near[0]) is not None)
    )


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each block as a row of ``certificates``; days are midnight UTC, for the page shows no hours."""
    blocks: list[tuple[int, dict[str, str]]] = []
    for at, text in lines:
        line = text.strip()
        if name := _NAME.fullmatch(line):
            blocks.append((at, {"subject": name["value"]}))
            account.join(at)
        elif blocks and (found := _KEY.fullmatch(line)):
            blocks[-1][1].setdefault(found["key"].lower(), found["value"])
            account.join(at)
        elif _BLOCK.fullmatch(line):
            account.join(at)
        elif _SENTENCE.fullmatch(line):
            account.row("transcript", at, said="answer", command=None, text=line)
    for position, (at, told) in enumerate(blocks):
        days = _DAYS.fullmatch(told.get("valid from", ""))
        names = told.get("sans") or (told["subject"] if position == 0 else None)
        account.row(
            "certificates", at, position=position, common_names=names, subject=told["subject"], issuer=told.get("issuer"),
            signature_algorithm=told.get("signature algorithm"), printed_by="checker", trusted=None,
            starts=_day(days["starts"] if days else None, "starts", at, account),
            expires=_day(days["expires"] if days else None, "expires", at, account),
        )  # fmt: skip


score, read = _paste.score_of(__name__), _paste.read


def _day(text: str | None, name: str, at: int, account: _account.Account) -> datetime | None:
    try:
        return datetime.strptime(text or "", "%B %d, %Y")
    except ValueError:
        account.field(at, name)
        return None
