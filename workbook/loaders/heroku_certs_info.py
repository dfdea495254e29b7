"""What ``heroku certs:info``, ``certs:update`` and ``certs:add`` print: one certificate, a key and its value a line.

Further names stand below the first, then maybe a blank line inside of the block; the last line is a sentence about trust. The
book's samples print an issuer equal to the subject for a certificate that a root authority verified.
"""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "heroku certs:info output"
COMMANDS = ("heroku certs:info", "heroku certs:update", "heroku certs:add", "heroku certs:rollback")

_DOING = re.compile(
    r"(?:Fetching SSL(?: Endpoint| [Cc]ertificate)?|Updating SSL(?: Endpoint| [Cc]ertificate)?|Adding SSL(?: Endpoint| [Cc]ertificate)?)"
    r" ?(?P<name>\S*?)(?: info)? (?:for|to) (?P<app>.+?)\.\.\.(?: .*)?"
)
_CHAIN = re.compile(r"Resolving trust chain\.\.\..*")
_TITLE = re.compile(r"(?:(?P<updated>Updated c)|C)ertificate details:")
_KEY = re.compile(
    r"(?P<key>Common Name\(s\)|Expires At|Issuer|Starts At|Subject|Domain\(s\)):\s*(?P<value>.*)"
)
_TRUST = re.compile(
    r"SSL certificate is .*|.*\b(?:self[- ]signed|not trusted|verified by a root authority)\b.*"
)
_COLUMN = {
    "Common Name(s)": "common_names",
    "Expires At": "expires",
    "Issuer": "issuer",
    "Starts At": "starts",
    "Subject": "subject",
}
_BY = {"Fetching": "certs:info", "Updating": "certs:update", "Adding": "certs:add"}

EXAMPLES = (
    (
        # the book, chapter 2
        "$ heroku certs:info\n"
        "Fetching SSL Endpoint hyogo-1003.herokussl.com info for csrbuddy... done\n"
        "Certificate details:\n"
        "Common Name(s):    csrbuddy.com\n"
        "                   www.csrbuddy.com\n"
        "\n"
        "Expires At:        2013-06-06 23:59 UTC\n"
        "Issuer:            /OU=Domain Control Validated/OU=PositiveSSL/CN=www.csrbuddy.com\n"
        "Starts At:         2012-06-06 00:00 UTC\n"
        "Subject:           /OU=Domain Control Validated/OU=PositiveSSL/CN=www.csrbuddy.com\n"
        "SSL certificate is verified by a root authority.\n",
        {
            "certificates": (
                {"line": 2, "endpoint": "hyogo-1003.herokussl.com", "app": "csrbuddy", "name": None,
                 "common_names": "csrbuddy.com, www.csrbuddy.com", "expires": "2013-06-06 23:59",
                 "starts": "2012-06-06", "trusted": True, "printed_by": "certs:info",
                 "issuer": "/OU=Domain Control Validated/OU=PositiveSSL/CN=www.csrbuddy.com",
                 "trust": "SSL certificate is verified by a root authority."},
            ),
        },
    ),
    (
        # the book, chapter 2
        "$ heroku certs:update www_csrbuggy_com.crt private_key.key\n"
        "Resolving trust chain... done\n"
        "Updating SSL Endpoint hyogo-1003.herokuapp.com info for csrbuggy... done\n"
        "Updated certificate details:\n"
        "Common Name(s): csrbuggy.com\n"
        "                  www.csrbuggy.com\n"
        "\n"
        "Expires At:      2014-06-07 23:59 UTC\n"
        "Issuer:          /OU=Domain Control Validated/OU=PositiveSSL/CN=www.csrbuggy.com\n"
        "Starts At:       2013-06-04 00:00 UTC\n"
        "Subject:         /OU=Domain Control Validated/OU=PositiveSSL/CN=www.csrbuggy.com\n"
        "SSL certificate is verified by a root authority.\n",
        {
            "certificates": (
                {"line": 2, "endpoint": "hyogo-1003.herokuapp.com", "app": "csrbuggy", "printed_by": "certs:update",
                 "common_names": "csrbuggy.com, www.csrbuggy.com", "expires": "2014-06-07 23:59", "trusted": True},
            ),
        },
    ),
    (
        "Fetching SSL certificate osaka-2050 info for ⬢ shop... done\n"
        "Certificate details:\n"
        "Common Name(s): www.example.com\n"
        "Expires At:     2026-09-30 23:59 UTC\n"
        "Issuer:         /CN=www.example.com\n"
        "Starts At:      2026-09-01 00:00 UTC\n"
        "Subject:        /CN=www.example.com\n"
        "Domain(s):      www.example.com\n"
        "                shop.example.com\n"
        "SSL certificate is self signed.\n",
        {
            "certificates": (
                {"line": 1, "name": "osaka-2050", "endpoint": None, "app": "shop", "trusted": False, "domain_count": 2,
                 "common_names": "www.example.com"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "Endpoint  Common Name(s)  Expires  Trusted\nkanto-2044.herokussl.com  example.com  2013-09-30 23:59 UTC  True\n",
    "Subject: the site is slow\nExpires At: never\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether the block's heading stands there, or what is printed just before it."""
    line = lines[at].strip()
    return bool(
        _TITLE.fullmatch(line)
        or (
            (_DOING.fullmatch(line) or _CHAIN.fullmatch(line))
            and any(_TITLE.fullmatch(one.strip()) for one in lines[at + 1 : at + 4])
        )
    )


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each block as one row of ``certificates``, at its first line."""
    command = (context.command or "").split()[1:2]
    block: dict[str, list[str]] = {}
    first = key = None
    titled = False

    def close() -> None:
        if first is not None and block.keys() & _COLUMN.keys():
            account.row("certificates", first, **_row(block, command, first, account))

    for at, text in lines:
        line = text.strip()
        starts = _CHAIN.fullmatch(line) or _DOING.fullmatch(line) or _TITLE.fullmatch(line)
        if starts and (first is None or titled):
            close()
            block, first, key, titled = {}, at, None, False
        if starts:
            titled = titled or _TITLE.fullmatch(line) is not None
            block.setdefault("heading", []).append(line)
            account.join(at)
        elif found := _KEY.fullmatch(line):
            first = at if first is None else first
            key = found["key"]
            block.setdefault(key, []).append(found["value"])
            account.join(at)
        elif key and text[0].isspace() and _columns.HOST.fullmatch(line):
            block[key].append(line)
            account.join(at)
        elif key and _TRUST.fullmatch(line):
            block["trust"], key = [line], None
            account.join(at)
    close()


score, read = _paste.score_of(__name__), _paste.read


def _row(
    block: dict[str, list[str]], command: list[str], at: int, account: _account.Account
) -> dict[str, object]:
    doing = next((found for line in block.get("heading", []) if (found := _DOING.fullmatch(line))), None)
    name = doing["name"] if doing else None
    host = bool(name and _columns.HOST.fullmatch(name))
    updated = any(line.startswith("Updated") for line in block.get("heading", []))
    texts = {column: ", ".join(filter(None, block[key])) for key, column in _COLUMN.items() if key in block}
    trust = block.get("trust", [None])[0]
    return {
        "name": None if host else name or None,
        "endpoint": name if host else None,
        "common_names": texts.get("common_names") or None,
        "starts": account.time(at, "starts", texts.get("starts")),
        "expires": account.time(at, "expires", texts.get("expires")),
        "trusted": None if trust is None else "verified by a root" in trust,
        "app": _columns.app_name(doing["app"]) if doing else None,
        "domain_count": len(block["Domain(s)"]) if "Domain(s)" in block else None,
        "printed_by": command[0]
        if command
        else _BY[doing[0].split()[0]]
        if doing
        else "certs:update"
        if updated
        else None,
        "subject": texts.get("subject") or None,
        "issuer": texts.get("issuer") or None,
        "trust": trust,
    }
