"""Replaces what must not be shared, secrets and addresses, each by one pseudonym wherever it stands.

Replaced: e-mail addresses; IP addresses (anything that looks like one, a version 1.2.3.4 too); host names;
names and passwords in URLs; Authorization headers, cookies, tokens of known shape, JSON web tokens, private
keys; values named password, secret, token, key or signature; every value of a query string. Kept, because
analyses join on them: request ids, dynos, times, numbers, paths and the shape of routes. Not found are names
of people, free text, and values in SQL that a log prints. Pseudonyms are numbered by first appearance, so the
same text always gives the same.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from workbook import redact_patterns as patterns
from workbook import whole
from workbook.errors import UsageError, WorkbookError


@dataclass(frozen=True)
class Leftover:
    """Something that still looks secret: its line (from 1), what it looks like, and how it begins."""

    line: int
    kind: str
    excerpt: str


class Redaction(dict[str, int]):
    """Replacements of each kind in a file; its ``lines``, and ``remaining``: what a person should look at."""

    def __init__(self, counts: dict[str, int], lines: int, remaining: list[Leftover]):
        super().__init__(sorted(counts.items()))
        self.lines, self.remaining = lines, remaining


def redact_text(text: str) -> tuple[str, dict[str, int]]:
    """Return the text with everything replaced, and the replacements of each kind; twice gives the same."""
    redactor = Redactor()
    redactor.learn(text.split("\n"))
    return redactor.text(text), dict(sorted(redactor.counts.items()))


def remaining(text: str) -> list[Leftover]:
    """Return what still looks secret: what would be replaced, and long mixed strings that no rule knows."""
    return list(_leftovers(text.split("\n")))


def redact_file(path: str | Path, out: str | Path) -> Redaction:
    """Write a redacted copy of a log (plain or .gz) with as many lines; return the replacements of each kind.

    Reads twice, line by line: once for the host names and pseudonyms in it, once to replace. ``out`` is
    written whole or not at all. Raises WorkbookError when ``out`` is the file itself, or one of them cannot
    be read or written.
    """
    source, target = Path(path), Path(out)
    if target.exists() and source.exists() and source.samefile(target):
        raise UsageError(
            "the copy would overwrite its original.", path=str(path), next_step="Name another file for it."
        )
    if source.suffix.lower() == ".zip" or source.is_dir():
        raise UsageError(
            "only one plain or .gz file at a time.", path=str(path), next_step="Unpack it first."
        )
    redactor = Redactor()
    with _told(source, "read"), _reading(source) as lines:
        redactor.learn(lines)
    count = 0
    with (
        _told(source, "read"),
        _reading(source) as lines,
        _told(target, "written"),
        _writing(target) as write,
    ):
        for line in lines:
            write(redactor.text(line))
            count += 1
    with _told(target, "read"), _reading(target) as lines:
        left = list(_leftovers(lines))
    return Redaction(dict(redactor.counts), count, left)


def shared_folder(paths: Sequence[str]) -> str:
    """Return the folder, with its slash, that holds all of the paths that are absolute; empty when there is none."""
    absolute = [path for path in paths if Path(path).is_absolute()]
    if not absolute:
        return ""
    shared = os.path.commonpath([str(Path(path).parent) for path in absolute])
    return "" if shared == os.sep else shared + os.sep


class Redactor:
    """Replaces text by text, keeping one pseudonym for each thing; ``counts`` says how many of each kind.

    ``folder`` is taken out of every text: where a person keeps the files is nobody's business.
    """

    def __init__(self, folder: str = "") -> None:
        self._folder = folder
        self.counts: Counter[str] = Counter()
        self._names: dict[str, dict[str, str]] = {}
        self._taken: set[str] = set()
        self._key_lines = 0
        self._endings = {f".{ending}" for ending in patterns.ENDINGS}

    def learn(self, lines: Iterable[str]) -> None:
        """Note the host names that are named as such, and the pseudonyms that the text already holds."""
        for line in lines:
            for found in patterns.PSEUDONYM.finditer(line):
                self._taken.add(found.group())
            if "host" in line.lower() or "://" in line or "server_name" in line:
                for pattern in (patterns.HOST_VALUE, patterns.URL_HOST):
                    for found in pattern.finditer(line):
                        self._host(found["value"], count=False)

    def text(self, text: str) -> str:
        """Return the text with everything replaced, line by line."""
        if self._folder:
            text = text.replace(self._folder, "")
        return "\n".join(self._line(line) for line in text.split("\n"))

    def value(self, value: Any, column: str = "") -> Any:
        """Return a value of a table redacted, also inside of lists and mappings; numbers stay.

        A text in a column ``host`` is a host name, whatever it looks like.
        """
        if isinstance(value, str):
            if column == "host" and value and not re.fullmatch(patterns.IPV4, value):
                return self._host(value)
            self._key_lines = 0
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.value(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.value(inner, column) for inner in value)
        return value

    # one line

    def _line(self, line: str) -> str:
        line = self._private_key(line)
        low = line.lower()
        if "://" in low and "@" in low:
            line = patterns.URL_LOGIN.sub(self._login, line)
        if "authorization" in low:
            line = patterns.AUTHORIZATION.sub(self._authorization, line)
        if "bearer" in low:
            line = patterns.BEARER.sub(self._after_head("token"), line)
        if "cookie" in low:
            line = patterns.COOKIES.sub(self._cookies, line)
        if any(mark in line for mark in patterns.TOKEN_MARKS):
            line = patterns.KNOWN_TOKENS.sub(lambda found: self._secret(found.group(), "token"), line)
        if "?" in line:
            line, done = patterns.QUOTED_PATH.subn(self._query, line)
            if line.count("?") > done:
                line = patterns.QUERY.sub(self._query, line)
        if _SECRET_WORDS.search(low):
            line = patterns.SECRET_PAIR.sub(self._pair, line)
            line = patterns.SECRET_OPTION.sub(self._after_head("secret"), line)
            line = patterns.TOKEN_UUID.sub(self._after_head("token"), line)
        if "d." in line:
            line = patterns.DRAIN_TOKEN.sub(self._drain_token, line)
        if "/" in line:
            line = patterns.PATH_TOKEN.sub(self._path_token, line)
        if "@" in line or "%40" in line:
            line = patterns.EMAIL.sub(self._email, line)
        return self._addresses(line, low)

    def _addresses(self, line: str, low: str) -> str:
        if "host" in low or "server_name" in low:
            line = patterns.HOST_VALUE.sub(lambda found: found["head"] + self._host(found["value"]), line)
        if "://" in line:
            line = patterns.URL_HOST.sub(lambda found: found["head"] + self._host(found["value"]), line)
        if "ip-" in line:
            line = patterns.PRIVATE_HOST.sub(lambda found: self._host(found.group()), line)
        low = line.lower()
        if any(ending in low for ending in self._endings):
            line = patterns.DOTTED.sub(self._dotted, line)
        line = patterns.IPV4.sub(self._ipv4, line)
        return patterns.IPV6.sub(self._ipv6, line) if "::" in line or line.count(":") > 6 else line

    def _private_key(self, line: str) -> str:
        begins = patterns.KEY_BEGIN.search(line)
        if begins is None and not self._key_lines:
            return line
        ends = patterns.KEY_END.search(line)
        start = begins.end() if begins else 0
        stop = ends.start() if ends and ends.start() >= start else len(line)
        self._key_lines = 0 if ends else self._key_lines + 1
        if self._key_lines > patterns.MOST_KEY_LINES:
            self._key_lines = 0
        hidden = patterns.KEY_TEXT.sub(
            lambda found: self._secret(found.group(), "private key"), line[start:stop]
        )
        return line[:start] + hidden + line[stop:]

    # what a match becomes

    def _login(self, found: re.Match[str]) -> str:
        scheme, name, password = found.groups()
        user = self._secret(name, "login") if name else ""
        return f"{scheme}{user}:{self._secret(password, 'password') if password else ''}@"

    def _authorization(self, found: re.Match[str]) -> str:
        if found["value"] is not None:
            return found["head"] + self._secret(found["value"], "authorization")
        scheme, blank, rest = found["pairs"].partition(" ")
        if "=" in scheme or "=" not in rest:
            rest = scheme + blank + rest
            scheme = blank = ""
        if "=" not in rest:
            first, blank, value = rest.partition(" ")
            return f"{found['head']}{first}{blank}{self._secret(value.rstrip(chr(34)), 'authorization')}"
        hidden = patterns.AUTHORIZATION_PAIR.sub(
            lambda pair: pair[1] + self._quoted(pair[2], "authorization"), rest
        )
        return found["head"] + scheme + blank + hidden

    def _quoted(self, text: str, kind: str) -> str:
        inner = text.strip('\\"')
        return text.replace(inner, self._secret(inner, kind)) if inner else text

    def _cookies(self, found: re.Match[str]) -> str:
        def one(pair: re.Match[str]) -> str:
            name, value = pair.groups()
            kept = name.lower() in patterns.COOKIE_ATTRIBUTES
            return pair.group() if kept else f"{name}={self._secret(value, 'cookie')}"

        return found["head"] + patterns.COOKIE.sub(one, found["value"])

    def _query(self, found: re.Match[str]) -> str:
        groups = found.groupdict()
        head, query = (
            groups.get("head") or groups.get("host") or "",
            groups.get("query") or groups.get("bare") or "",
        )
        return f"{head}?" + patterns.QUERY_VALUE.sub(self._query_value, query)

    def _query_value(self, found: re.Match[str]) -> str:
        if found["alone"] is not None:
            return self._secret(found["alone"], "query value")
        return found["key"] + self._secret(found["value"], "query value")

    def _pair(self, found: re.Match[str]) -> str:
        value = found["value"]
        prose = found["sign"] == ":" and not found["quote"] and len(value) < 4
        if patterns.HARMLESS.match(value) or value.startswith(("/", "$", "#{", "%{")) or prose:
            return found.group()
        return found["head"] + self._secret(value, "secret")

    def _after_head(self, kind: str) -> Any:
        return lambda found: found["head"] + self._secret(found["value"], kind)

    def _drain_token(self, found: re.Match[str]) -> str:
        return self._named("token", found.group(), "d.00000000-0000-4000-8000-{:012d}")

    def _path_token(self, found: re.Match[str]) -> str:
        return self._named("token in a path", found.group(), "RedactedToken{:08d}")

    def _email(self, found: re.Match[str]) -> str:
        host = found["host"].lower()
        no_host = host.rpartition(".")[2] in patterns.PICTURES or re.match(r"\d+\.\d", host)
        if no_host or host == "redacted.example" or patterns.PSEUDONYM.fullmatch(found["name"]):
            return found.group()
        name = self._named("e-mail", f"{found['name']}@{host}".lower(), "user{}@redacted.example")
        return name.replace("@", found["at"])

    def _dotted(self, found: re.Match[str]) -> str:
        name = found.group()
        known = name.lower() in self._names.get("host", {})
        return self._host(name) if known or patterns.is_host(name) else name

    def _host(self, name: str, count: bool = True) -> str:
        if patterns.kept_host(name) or patterns.IPV4.fullmatch(name) or re.fullmatch(r"[\d.]+", name):
            return name
        self._endings.add(f".{name.lower().rpartition('.')[2]}")
        return self._named("host", name.lower(), "host{}.example", count)

    def _ipv4(self, found: re.Match[str]) -> str:
        address = found.group()
        if address in patterns.KEPT_ADDRESSES or address.startswith("240."):
            return address
        number = len(self._names.setdefault("IP address", {})) + 1
        written = f"240.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return self._named("IP address", address, written)

    def _ipv6(self, found: re.Match[str]) -> str:
        address = found.group()
        low = address.lower()
        if low in patterns.KEPT_ADDRESSES or low.startswith("100::") or not patterns.is_ipv6(address):
            return address
        return self._named("IPv6 address", low, "100::{:x}")

    def _secret(self, value: str, kind: str) -> str:
        if (
            not value
            or patterns.PSEUDONYM.fullmatch(value)
            or (patterns.HARMLESS.match(value) and kind != "query value")
        ):
            return value
        self.counts[kind] += 1
        return self._named("", value, "redacted-{}", count=False)

    def _named(self, kind: str, thing: str, form: str, count: bool = True) -> str:
        if patterns.PSEUDONYM.fullmatch(thing):
            return thing
        if count:
            self.counts[kind] += 1
        names = self._names.setdefault(kind, {})
        if thing not in names:
            number = len(names) + 1
            while form.format(number) in self._taken and "{" in form:
                number += 1
            names[thing] = form.format(number)
            self._taken.add(names[thing])
        return names[thing]


_SECRET_WORDS = re.compile(r"passw|passphrase|secret|credential|key|token|session|signature|--auth")


def _leftovers(lines: Iterable[str]) -> Iterator[Leftover]:
    redactor = Redactor()
    for number, line in enumerate(lines, 1):
        before = Counter(redactor.counts)
        again = redactor.text(line)
        if again != line:
            kinds = redactor.counts - before
            for kind in sorted(kinds):
                yield Leftover(number, kind, _excerpt(line, again))
        for found in patterns.MIXED.finditer(again):
            if not patterns.PSEUDONYM.fullmatch(found.group()):
                yield Leftover(number, "long mixed text", found.group()[:6] + "…")


def _excerpt(line: str, again: str) -> str:
    start = next((at for at, pair in enumerate(zip(line, again, strict=False)) if pair[0] != pair[1]), 0)
    return line[max(0, start - 12) : start + 4].strip() + "…"


@contextlib.contextmanager
def _told(path: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise WorkbookError(f"could not be {doing}: {reason}.", path=str(path)) from error


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a file, with their ends; bytes that are no UTF-8 come out again as they were."""
    with path.open("rb") as raw:
        start = raw.read(4)
    zipped = start[:2] == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else path.open("rb") as peeked:
        mark = peeked.read(2)
    encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    opened: Any = gzip.open if zipped else open
    with opened(
        path,
        "rt",
        encoding=encoding,
        errors="surrogateescape" if encoding == "utf-8" else "replace",
        newline="\n",
    ) as file:
        yield iter(file)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[Any]:
    """A function that writes text to the file, which is there only once all is written."""
    with whole.beside(path, 0o644) as temporary, contextlib.ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(temporary.open("wb"))
        file: Any = raw
        if path.suffix.lower() == ".gz":
            file = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
        yield lambda text: file.write(text.encode("utf-8", "surrogateescape"))
