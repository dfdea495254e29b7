"""What ``heroku domains`` prints: the application's own name, and its custom domains with the names DNS should point to.

2013: a bare list; 2016: Domain Name, DNS Target; now also the type of the record and the certificate that serves it. Dev
Center: "Custom Domain Names for Apps".
"""

from __future__ import annotations

import re

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "heroku domains output"
COMMANDS = ("heroku domains",)

_HEADING = re.compile(
    r"={2,4} (?:⬢ )?(?P<app>[a-z0-9-]+) (?P<what>Heroku Domain|Custom Domains|Domain Names|Development Domain)s?\s*"
)
_HEADER = re.compile(r"Domain Name(?:\s{2,}(?:DNS|SNI|ACM)\b.*|\t.*)?")
_RECORD_TYPE = re.compile(r"CNAME|ALIAS or ANAME|ALIAS|ANAME|A|Inherit", re.I)

EXAMPLES = (
    (
        "=== csrbuddy Domain Names\ncsrbuddy.herokuapp.com\nwww.csrbuddy.com\n",
        {
            "domains": (
                {"line": 2, "app": "csrbuddy", "domain": "csrbuddy.herokuapp.com", "kind": "heroku", "target": None},
                {"line": 3, "app": "csrbuddy", "domain": "www.csrbuddy.com", "kind": "custom", "target": None},
            ),
        },
    ),
    (
        "=== ⬢ shop Heroku Domain\n"
        "\n"
        "shop-1234.herokuapp.com\n"
        "\n"
        "=== ⬢ shop Custom Domains\n"
        "\n"
        " Domain Name      DNS Record Type  DNS Target                               SNI Endpoint\n"
        " ───────────────  ───────────────  ───────────────────────────────────────  ────────────\n"
        " www.example.com  CNAME            polar-lake-1234.herokudns.example.com    osaka-2050\n"
        " example.com      ALIAS or ANAME   quiet-hill-5678.herokudns.example.com    undefined\n",
        {
            "domains": (
                {"line": 3, "app": "shop", "domain": "shop-1234.herokuapp.com", "kind": "heroku"},
                {"line": 9, "domain": "www.example.com", "kind": "custom", "record_type": "CNAME", "app": "shop",
                 "target": "polar-lake-1234.herokudns.example.com", "endpoint": "osaka-2050"},
                {"line": 10, "domain": "example.com", "record_type": "ALIAS or ANAME", "endpoint": None},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "www.example.com\nexample.com\n",
    "=== shop Config Vars\nHOST: www.example.com\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether a heading of domains or the header of their table stands there."""
    return bool(_HEADING.fullmatch(lines[at]) or _HEADER.fullmatch(lines[at].strip()))


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each domain as a row of ``domains``."""
    app: str | None = None
    for at, text in lines:
        cells = _columns.cells(text)
        if heading := _HEADING.fullmatch(text):
            app = heading["app"]
            account.join(at)
        elif _HEADER.fullmatch(text.strip()) or _columns.is_ruler(text):
            account.join(at)
        elif _columns.HOST.fullmatch(cells[0]):
            account.row("domains", at, app=app, **_row(cells))


score, read = _paste.score_of(__name__), _paste.read


def _row(cells: list[str]) -> dict[str, object]:
    domain, rest = (
        cells[0],
        [cell for cell in cells[1:] if cell and cell.lower() not in ("undefined", "null", "none")],
    )
    target = next((cell for cell in rest if _columns.HOST.fullmatch(cell)), None)
    kind = next((cell for cell in rest if _RECORD_TYPE.fullmatch(cell)), None)
    others = [cell for cell in rest if cell not in (target, kind)]
    return {
        "domain": domain.rstrip("."),
        "kind": "heroku" if domain.rstrip(".").endswith(".herokuapp.com") else "custom",
        "record_type": kind,
        "target": target.rstrip(".") if target else None,
        "endpoint": next((cell for cell in others if re.fullmatch(r"[a-z]+-[a-z0-9-]*\d+", cell)), None),
    }
