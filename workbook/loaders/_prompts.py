"""What a terminal shows around outputs: prompts with a command, commands echoed without one, notices, secret keys."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PROGRAMS = "heroku|dig|openssl|psql|nslookup|curl|git|papertrail|workbook"
_BEFORE = r"[\w@~/.:\\()\[\] +➜✗✓⬢*-]{0,80}?"
_SIGN = r"[$#%>❯➜»✗λ]"
_PROMPTS = (
    re.compile(rf"\s*\\?{_BEFORE}{_SIGN}\s*(?P<typed>(?:{_PROGRAMS})\b.*)"),
    re.compile(rf"\s*➜\s+\S+\s+(?P<typed>(?:{_PROGRAMS})\b.*)"),
    re.compile(r"\\?\$ (?P<typed>\S.*)"),
    re.compile(r"[\w@~/.:()\[\] -]*[@~/\])][\w@~/.:()\[\] -]*\$ (?P<typed>\S.*)"),
)
_EMPTY_PROMPT = re.compile(
    r"(?:[\w.@~/:\\()\[\] -]*[@~/\\\])][\w.@~/:\\()\[\] -]*)?[$%❯>#]\s*|PS [A-Z]:\\[^>]*>\s*"
)
# A command without a prompt is told from a sentence by its arguments: options, names with dots or colons, assignments.
_ECHO = re.compile(
    r"(?P<typed>(?:heroku [a-z][a-z0-9_-]*(?::[a-z0-9_-]+)*|dig|openssl (?:s_client|x509))"
    r"(?P<rest>(?:\s+(?:-{1,2}[\w-]+(?:[ =][\w./:-]+)?|\+\w+|\S*[.:=/]\S*\w|[A-Z][A-Z0-9_]+))*))\s*"
)
_LOG_LINE = re.compile(
    r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[+-]\d\d:\d\d|Z) [A-Za-z][\w-]*|app|heroku)\[[\w.-]+\]:",
    re.ASCII,
)
# a build's heading may name a program, as a prompt does: "-----> heroku-buildpack-nginx"
_HEADING = re.compile(r"(?:\S+Z )?\s{0,8}(?:remote:\s{0,8})?[-=]{3,6}> ")
_NOTICE = re.compile(
    r"\s?[›»▸]\s.*|\s*heroku : .*|At line:\d+ char:\d+.*|\s*\+ (?:~|CategoryInfo|FullyQualified|heroku\b).*|\^C.*"
    r"|\s*(?:Warning|WARNING):.*|\s*!\s{2,}.*|Connection to .* closed\.?|logout"
)
CUT = re.compile(r"\s*(?:\.{3}|…|\[\.\.\.\]|\[…\])\s*")
"""A line by which a person says that lines were left out."""
KEY_BEGINS = re.compile(r"\s*-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*")
KEY_ENDS = re.compile(r"\s*-----END (?:[A-Z]+ )*PRIVATE KEY-----\s*")


@dataclass(frozen=True)
class Command:
    """A command as it was typed: the program with its subcommand (``heroku pg:info``), the rest, the application."""

    name: str
    arguments: str
    app: str | None
    typed: str


def command(line: str) -> Command | None:
    """Return the command of a line with a prompt, or of an echoed command; None for any other line."""
    if is_log_line(line) or _HEADING.match(line):
        return None
    for form in _PROMPTS:
        if found := form.fullmatch(line):
            return parsed(found["typed"].strip())
    echoed = _ECHO.fullmatch(line)
    if echoed is None or (echoed["typed"].split()[0] != "heroku" and not echoed["rest"]):
        return None
    return parsed(echoed["typed"].strip())


def parsed(typed: str) -> Command:
    """Return what was typed as a command."""
    words = typed.split()
    named = (
        words[:2]
        if words[0] in ("git", "heroku", "openssl") and len(words) > 1 and words[1][0] != "-"
        else words[:1]
    )
    name = " ".join(named)
    name = name.replace("_", "-") if words[0] == "heroku" else name
    app = re.search(r"(?:^|\s)(?:-a|--app)[ =](\S+)", typed)
    return Command(name, " ".join(words[len(named) :]), app[1] if app else None, typed)


def is_empty_prompt(line: str) -> bool:
    """Say whether the line is a prompt with nothing typed."""
    return _EMPTY_PROMPT.fullmatch(line) is not None


def is_log_line(line: str) -> bool:
    """Say whether the line begins as lines of ``heroku logs`` do."""
    return _LOG_LINE.match(line) is not None


def is_notice(line: str) -> bool:
    """Say whether the line is a notice of the command line or the shell, no part of an output."""
    return _NOTICE.fullmatch(line) is not None
