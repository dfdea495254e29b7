"""What ``dig`` prints: the whole answer with its sections, or with ``+short`` only the values.

Names that are reached by an alias end with a dot. The short form does not say what was asked: that is known by the command
that was pasted with it; there each value follows from the one before.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import parsedate_tz
from typing import Any

from workbook.loaders import Context, _account, _columns, _paste

TITLE = "dig output"
COMMANDS = ("dig",)

_TYPES = "A|AAAA|CNAME|ALIAS|ANAME|NS|SOA|MX|TXT|CAA|PTR|SRV|HTTPS|DS|RRSIG|DNSKEY"
_RECORD = re.compile(
    rf"(?P<name>\S+?)\.?\s+(?P<ttl>\d{{1,10}})\s+(?:IN\s+)?(?P<type>{_TYPES})\s+(?P<value>\S.*?)\s*", re.ASCII
)
_BANNER = re.compile(r"; ?<{1,2}>> ?DiG .*<>> *(?P<asked>.*)")
_STATUS = re.compile(r";; ->>HEADER<<- .*\bstatus: (?P<status>[A-Z]+)\b.*")
_SECTION = re.compile(r";; ?(?P<section>QUESTION|ANSWER|AUTHORITY|ADDITIONAL) SECTION:\s*")
_QUESTION = re.compile(rf";(?P<asked>\S+?)\.?\s+(?:IN\s+)?(?:{_TYPES}|ANY)\s*")
_WHEN = re.compile(r";; WHEN: (?P<when>.*?)\s*")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|(?=[0-9a-f:]*:[0-9a-f:]*:)[0-9a-f:]{3,39}", re.ASCII | re.I)

EXAMPLES = (
    (
        # the book, chapter 2, shortened
        "$ dig www.csrbuddy.com\n"
        "\n"
        "; <>> DiG 9.8.3-P1 <>> www.csrbuddy.com\n"
        ";; global options: +cmd\n"
        ";; Got answer:\n"
        ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 30790\n"
        ";; flags: qr rd ra; QUERY: 1, ANSWER: 5, AUTHORITY: 0, ADDITIONAL: 0\n"
        "\n"
        ";; QUESTION SECTION:\n"
        ";www.csrbuddy.com.      IN      A\n"
        "\n"
        ";; ANSWER SECTION:\n"
        "www.csrbuddy.com.  1800      IN      CNAME   hyogo-1003.herokussl.com.\n"
        "elb003055-1983386325.us-east-1.elb.amazonaws.com. 60 IN      A 50.19.111.122\n"
        "\n"
        ";; Query time: 102 msec\n"
        ";; SERVER: 192.168.1.1#53(192.168.1.1)\n"
        ";; WHEN: Tue Jun  4 19:20:57 2013\n"
        ";; MSG SIZE  rcvd: 176\n",
        {
            "dns_records": (
                {"line": 13, "asked": "www.csrbuddy.com", "name": "www.csrbuddy.com", "ttl_s": 1800, "type": "CNAME",
                 "value": "hyogo-1003.herokussl.com", "section": "answer", "status": "NOERROR",
                 "time": "2013-06-04 19:20:57"},
                {"line": 14, "name": "elb003055-1983386325.us-east-1.elb.amazonaws.com", "ttl_s": 60, "type": "A",
                 "value": "50.19.111.122"},
            ),
        },
    ),
    (
        # the book, chapter 2
        "$ dig +short www.csrbuddy.com\n"
        "hyogo-1003.herokuapp.com.\n"
        "elb003055-1983386325.us-east-1.elb.amazonaws.com.\n"
        "107.22.234.193\n"
        "50.19.111.122\n",
        {
            "dns_records": (
                {"line": 2, "asked": "www.csrbuddy.com", "name": "www.csrbuddy.com", "type": "CNAME", "ttl_s": None,
                 "value": "hyogo-1003.herokuapp.com", "section": None, "time": None},
                {"line": 3, "name": "hyogo-1003.herokuapp.com", "type": "CNAME"},
                {"line": 4, "name": "elb003055-1983386325.us-east-1.elb.amazonaws.com", "type": "A",
                 "value": "107.22.234.193"},
                {"line": 5, "name": "elb003055-1983386325.us-east-1.elb.amazonaws.com", "type": "A"},
            ),
        },
    ),
    (
        "; <<>> DiG 9.18.1 <<>> shop.example.com\n"
        ";; global options: +cmd\n"
        ";; Got answer:\n"
        ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1\n"
        ";; flags: qr rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1\n"
        "\n"
        ";; OPT PSEUDOSECTION:\n"
        "; EDNS: version: 0, flags:; udp: 1232\n"
        ";; QUESTION SECTION:\n"
        ";shop.example.com.\t\tIN\tA\n"
        "\n"
        ";; AUTHORITY SECTION:\n"
        "example.com.\t\t3600\tIN\tSOA\tns.example.com. hostmaster.example.com. 1 2 3 4 5\n"
        "\n"
        ";; WHEN: Sun Mar 03 12:00:00 PST 2024\n",
        {
            "dns_records": (
                {"line": 10, "asked": "shop.example.com", "name": "shop.example.com", "type": None, "value": None,
                 "status": "NXDOMAIN", "section": "answer", "time": "2024-03-03 20:00:00"},
                {"line": 13, "section": "authority", "type": "SOA", "name": "example.com"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "www.example.com CNAME shop.example.net\n",
    '192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5\n',
    "; a comment\n; and another\n",
)


def begins(lines: list[str], at: int) -> bool:
    """Say whether the banner or a section stands there, or a line of the short form: a name with a dot, an address."""
    line = lines[at].strip()
    return bool(
        _BANNER.fullmatch(line)
        or line.startswith(";; ->>HEADER<<-")
        or _SECTION.fullmatch(line)
        or _short(line)
    )


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each record as a row of ``dns_records``; an answer without any as a row with its status."""
    whole: list[tuple[int, str]] = []
    name = asked = _asked(context.command)
    for at, text in lines:
        line = text.strip()
        if _short(line) and not whole:
            kind = "CNAME" if line.endswith(".") else "AAAA" if ":" in line else "A"
            value = line.rstrip(".")
            account.row("dns_records", at, asked=asked, name=name, ttl_s=None, type=kind, value=value)
            name = value if kind == "CNAME" else name
            continue
        if _BANNER.fullmatch(line) and whole:
            _answer(whole, asked, account)
            whole = []
        whole.append((at, line))
    if whole:
        _answer(whole, asked, account)


score, read = _paste.score_of(__name__), _paste.read


def _short(line: str) -> bool:
    return bool(_ADDRESS.fullmatch(line) or (line.endswith(".") and _columns.HOST.fullmatch(line)))


def _answer(lines: list[tuple[int, str]], asked: str | None, account: _account.Account) -> None:
    """Take one answer of the long form."""
    banner, question, status, when = (_first(lines, form) for form in (_BANNER, _QUESTION, _STATUS, _WHEN))
    name = (
        question[1]["asked"] if question else _asked("dig " + banner[1]["asked"]) if banner else None
    ) or asked
    known = {
        "asked": name.rstrip(".") if name else None,
        "status": status[1]["status"] if status else None,
        "time": _time(*when, account) if when else None,
    }
    section, answers = "answer", 0
    for at, line in lines:
        if found := _SECTION.fullmatch(line):
            section = found["section"].lower()
        if line.startswith(";"):
            if not when or at != when[0] or known["time"] is not None:
                account.join(at)
        elif record := _RECORD.fullmatch(line):
            account.row("dns_records", at, **_record(record), section=section, **known)
            answers += section == "answer"
    at = (question or status or banner or (0,))[0]
    if not answers and status and at:
        account.row("dns_records", at, name=known["asked"], type=None, value=None, section="answer", **known)


def _record(found: re.Match[str]) -> dict[str, object]:
    value = found["value"]
    cut = value.endswith(("...", "…"))
    value = (
        value.rstrip(".… ") + "..."
        if cut
        else value
        if found["type"] in ("TXT", "CAA")
        else value.rstrip(".")
    )
    return {"name": found["name"], "ttl_s": int(found["ttl"]), "type": found["type"], "value": value}


def _first(lines: list[tuple[int, str]], form: re.Pattern[str]) -> tuple[int, re.Match[str]] | None:
    return next(((at, found) for at, line in lines if (found := form.fullmatch(line))), None)


def _asked(command: str | None) -> str | None:
    """The name in a command: the first word that is a host and no option or server."""
    words = (command or "").split()[1:]
    return next((word.rstrip(".") for word in words if _columns.HOST.fullmatch(word)), None)


def _time(at: int, found: re.Match[str], account: _account.Account) -> datetime | None:
    """The time of an answer: old versions print no zone, newer ones an abbreviation, of which some are known."""
    words = found["when"].split()
    time = None
    if len(words) == 5:
        time = account.clock.read(f"{words[1]} {words[2]} {words[4]} {words[3]}")
    elif len(words) == 6 and (
        parsed := parsedate_tz(f"{words[2]} {words[1]} {words[5]} {words[3]} {words[4]}")
    ):
        offset = parsed[9]
        # an abbreviation that is not known is given as if it were UTC
        if offset or (offset == 0 and words[4] in ("UTC", "GMT", "UT", "Z")):
            time = _shifted(parsed, offset)
    if time is None:
        account.refuse(at, "when it was asked is not known: no time, or one whose zone has no offset")
    return time


def _shifted(parsed: tuple[Any, ...], offset: int) -> datetime | None:
    try:
        return datetime(*parsed[:6]) - timedelta(seconds=offset)
    except (OverflowError, ValueError):
        return None
