"""What ``heroku certs`` prints: the certificates of an application, one a line.

2013: Endpoint, Common Name(s), Expires, Trusted; 2016: a name first and a type last; now: Name, Common Name(s), Expires, Trusted,
Type, Domains. Cells are known by what is in them, for the ruler may be shorter than its columns, cells may be empty, and
headers may be translated. Dev Center: "SSL Endpoint", "Automated Certificate Management".
"""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "heroku certs output"
COMMANDS = ("heroku certs",)

_EXPIRY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?: (?:UTC|GMT|[+-]\d{4}))?", re.ASCII)
_ROW = re.compile(rf".*\S\s+{_EXPIRY.pattern}\s+(?:True|False)\b.*")
_TYPES = {"acm": "ACM", "sni": "SNI", "endpoint": "Endpoint", "private": "Private"}
_NONE = re.compile(r"(?P<app>.+?) has no SSL (?:certificates|Endpoints)\.?(?:\s.*)?")

EXAMPLES = (
    (
        # the book, chapter 2
        "$ heroku certs\n"
        "Endpoint           Common Name(s)          Expires        Trusted\n"
        "-----\n"
        "hyogo-1003.herokussl.com  www.csrbuddy.com, csrbuddy.com  2013-06-06 23:59 UTC  True\n",
        {
            "certificates": (
                {"line": 4, "name": None, "endpoint": "hyogo-1003.herokussl.com", "expires": "2013-06-06 23:59",
                 "common_names": "www.csrbuddy.com, csrbuddy.com", "trusted": True, "type": None, "starts": None,
                 "printed_by": "certs"},
            ),
            "transcript": ({"line": 1, "said": "command", "command": "heroku certs", "arguments": None},),
        },
    ),
    (
        # the book's block with tabs
        "\\$ heroku certs\t\t\t\t\n"
        "Endpoint\tCommon Name(s)\tExpires\tTrusted\t\n"
        "hyogo-1003.herokussl.com\twww.csrbuddy.com, csrbuddy.com\t2013-06-06 23:59 UTC\tTrue\t\n",
        {
            "certificates": (
                {"line": 3, "endpoint": "hyogo-1003.herokussl.com", "expires": "2013-06-06 23:59", "trusted": True,
                 "common_names": "www.csrbuddy.com, csrbuddy.com"},
            ),
        },
    ),
    (
        "Name        Endpoint                  Common Name(s)                Expires               Trusted  Type\n"
        "──────────  ────────────────────────  ────────────────────────────  ────────────────────  ───────  ────────\n"
        "kanto-2044  kanto-2044.herokussl.com  www.example.com, example.com  2016-09-30 23:59 UTC  True     Endpoint\n"
        "osaka-2050                            *.example.org                 2016-10-30 23:59 UTC  False    SNI\n",
        {
            "certificates": (
                {"line": 3, "name": "kanto-2044", "endpoint": "kanto-2044.herokussl.com", "type": "Endpoint",
                 "common_names": "www.example.com, example.com", "expires": "2016-09-30 23:59", "trusted": True},
                {"line": 4, "name": "osaka-2050", "endpoint": None, "type": "SNI", "trusted": False,
                 "common_names": "*.example.org"},
            ),
        },
    ),
    (
        # today; the second is not issued yet
        "Name        Common Name(s)                Expires               Trusted  Type  Domains\n"
        "──────────  ────────────────────────────  ────────────────────  ───────  ────  ───────\n"
        "osaka-2050  www.example.com, example.com  2026-09-30 23:59 UTC  True     ACM   2\n"
        "kyoto-3001  shop.example.com                                    False    ACM   0\n",
        {
            "certificates": (
                {"line": 3, "name": "osaka-2050", "type": "ACM", "domain_count": 2, "expires": "2026-09-30 23:59"},
                {"line": 4, "name": "kyoto-3001", "type": "ACM", "domain_count": 0, "expires": None, "trusted": False,
                 "common_names": "shop.example.com"},
            ),
        },
    ),
    (
        # in a box, as other terminals draw it, and wrapped at 80 columns
        "┌──────────────────────────┬──────────────────────────────┬────────────────────┐\n"
        "│ Endpoint                 │ Common Name(s)               │ Expires            │\n"
        "├──────────────────────────┼──────────────────────────────┼────────────────────┤\n"
        "│ kanto-2044.herokussl.com │ www.example.com, example.com │ 2013-09-30 23:59   │\n"
        "└──────────────────────────┴──────────────────────────────┴────────────────────┘\n",
        {"certificates": ({"line": 4, "endpoint": "kanto-2044.herokussl.com", "expires": "2013-09-30 23:59", "trusted": None},)},
    ),
    (
        "Endpoint                  Common Name(s)                 Expires               T\n"
        "rusted\n"
        "------------------------  -----------------------------  --------------------  -\n"
        "------\n"
        "kanto-2044.herokussl.com  www.example.com, example.com   2013-09-30 23:59 UTC  T\n"
        "rue\n",
        {"certificates": ({"line": 5, "endpoint": "kanto-2044.herokussl.com", "expires": "2013-09-30 23:59", "trusted": True},)},
    ),
    ("⬢ shop has no SSL certificates.\n", {"transcript": ({"line": 1, "said": "answer", "app": "shop"},)}),
    ("csrbuddy has no SSL Endpoints.\n", {"transcript": ({"line": 1, "said": "answer", "app": "csrbuddy"},)}),
)  # fmt: skip

NOT_MINE = (
    "Certificate details:\nCommon Name(s): example.com\nExpires At: 2013-06-06 23:59 UTC\n",
    "The certificate of www.example.com expires 2013-06-06 23:59 UTC, is it trusted?\n",
    "www.example.com,2013-06-06 23:59 UTC,True\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether the header, a whole row, or the sentence of an empty list stands there."""
    line = lines[at]
    return bool(_is_header(line) or _ROW.fullmatch(line) or _NONE.fullmatch(line.strip()))


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each certificate as a row of ``certificates``; the sentence of an empty list as ``transcript``."""
    for at, text in lines:
        if _is_header(text) or _columns.is_ruler(text):
            account.join(at)
        elif none := _NONE.fullmatch(text.strip()):
            app = _columns.app_name(none["app"])
            account.row("transcript", at, said="answer", command="heroku certs", app=app, text=text.strip())
        elif row := _row(_columns.cells(text), at, account):
            account.row("certificates", at, **row)


score, read = _paste.score_of(__name__), _paste.read


def _is_header(line: str) -> bool:
    words = line.split()
    return "Common Name(s)" in line and "Expires" in words and words[0] in ("Name", "Endpoint", "Common", "│")


def _row(cells: list[str], at: int, account: _account.Account) -> dict[str, object] | None:
    """The certificate in the cells, each known by its form; None when there is no list of host names among them."""
    told = [cell for cell in cells if cell]
    typed = next((n for n, cell in enumerate(told) if _is_of_type(cell)), len(told))
    names, rest = told[:typed], told[typed:]
    if not names or not _are_hosts(names[-1]):
        return None
    before = names[:-1]
    endpoint = next((cell for cell in before if _columns.HOST.fullmatch(cell)), None)
    own = [cell for cell in before if cell != endpoint]
    if len(own) > 2 or any(" " in cell for cell in own[:1]):
        return None
    expiry = next((cell for cell in rest if _EXPIRY.fullmatch(cell)), None)
    kind = next((_TYPES[cell.lower()] for cell in rest if cell.lower() in _TYPES), None)
    if expiry is None and kind is None:
        # a line that was cut, or no certificate: nothing says when it expires
        return None
    return {
        "name": own[0] if own else None,
        "display_name": own[1] if len(own) > 1 else None,
        "endpoint": endpoint,
        "common_names": names[-1],
        "expires": account.time(at, "expires", expiry),
        "trusted": next((cell == "True" for cell in rest if cell in ("True", "False")), None),
        "type": kind,
        "domain_count": next((int(cell) for cell in rest if re.fullmatch(r"\d{1,9}", cell, re.ASCII)), None),
        "app": None,
        "printed_by": "certs",
    }


def _is_of_type(cell: str) -> bool:
    return bool(_EXPIRY.fullmatch(cell)) or cell in ("True", "False") or cell.lower() in _TYPES


def _are_hosts(cell: str) -> bool:
    return all(_columns.HOST.fullmatch(name) for name in cell.split(", "))
