"""From a finding to a ticket: what the tables know of its time, redacted, checked, and told on one page."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from workbook import redact_patterns, words
from workbook.analysis import Finding, Query
from workbook.errors import UsageError
from workbook.redact import Leftover, Redactor, remaining, shared_folder
from workbook.render import details
from workbook.ticket import curl, lines, support
from workbook.ticket.page import Content, Shown, page

CREDENTIALS = (
    "password",
    "login",
    "authorization",
    "token",
    "token in a path",
    "secret",
    "cookie",
    "private key",
)
"""Kinds of what is replaced that open something: who has read the log can use them."""
UNKNOWN = "long mixed text"
_KEY_MARK = re.compile(f"{redact_patterns.KEY_BEGIN.pattern}|{redact_patterns.KEY_END.pattern}")

_ASKS = {
    "certificates": "Which certificate does the endpoint serve for this name, and where should its DNS record point?",
    "database_card": "Is anything known of the database’s server (disk, host, maintenance) at this time?",
    "crashes": "Is anything known of the hosts of these dynos at this time?",
    "memory_quota": "Is anything known of the hosts of these dynos at this time?",
    "completeness": "Were log lines dropped on the way at this time, and how can we get the missing ones?",
}
_ASK = (
    "Is anything known on the side of the platform (routing, dyno hosts, network) that explains this at these times and"
    " for these request ids?"
)


@dataclass(frozen=True)
class Ticket:
    """A ticket: ``text`` (Markdown), ``log`` (the long log), ``priority`` (a word), ``replaced`` and ``rotate``.

    ``replaced`` counts what was replaced, by kind; ``rotate`` says where credentials stood, as ``path:line``, by kind.
    ``paths`` are the files, where it was written.
    """

    title: str
    text: str
    log: str
    priority: str
    rule: str
    replaced: dict[str, int]
    rotate: dict[str, list[str]]
    paths: tuple[Path, ...] = ()

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """Return the Markdown as it is to be pasted, with everything escaped."""
        return f'<pre style="white-space: pre-wrap">{html.escape(self.text)}</pre>'


def make(
    query: Query,
    finding: Finding,
    told: Iterable[Finding],
    *,
    app: str = "",
    asked: str = "",
    tried: Sequence[str] = (),
    weakened: Sequence[str] = (),
    keep_host: bool = False,
    log_name: str = "ticket-log.txt",
) -> Ticket:
    """Return the ticket for a finding; ``told`` are all findings, for what was ruled out.

    Raises UsageError when something that looks secret would remain.
    """
    source_ids, numbers, other = lines.cited(finding, query)
    first, last, as_of = lines.span(query, finding, source_ids, numbers)
    shown = lines.chosen(query, source_ids, numbers, first=first, last=last)
    long = lines.attached(query, first, last)
    impact = lines.impact(query, first=first, last=last)
    # what is typed is not looked through for hosts: the application's name stays
    paths = query("SELECT path FROM sources ORDER BY source_id")["path"]
    hide = _Hider(shared_folder([str(path) for path in paths]))
    hide.learn([*long["text"], *shown["text"]])
    places = [f"{hide.path(path)}:{line}" for path, line in zip(shown["path"], shown["line"], strict=True)]
    if app and not re.fullmatch(r"[a-z][a-z0-9-]{1,62}", app):
        raise UsageError(f"“{app}” is not the name of an application.", next_step="See heroku apps.")
    given = list(told)
    ours = {finding.analysis, *(part.analysis for part in finding.parts)}
    priority = support.priority(impact, finding.severity)
    content = Content(
        title=hide.text(finding.title),
        app=f"{app}: " if app else "",
        what=hide.text(finding.title),
        since=_since(first, last, as_of),
        how_many=hide.text(_how_many(finding, impact)),
        asked=hide.text(asked) or _ASKS.get(finding.analysis, _ASK),
        priority=priority,
        reply=support.expected_reply(as_of),
        lines=[
            Shown(place, why, hide.line(text, place))
            for place, why, text in zip(places, shown["why"], shown["text"], strict=True)
        ],
        other_places=[f"{hide.path(one.source)}:{one.line}" for one in other],
        request_ids=[hide.text(_request(row)) for row in _records(lines.request_ids(query, shown))],
        tried=[hide.text(one) for one in tried],
        ruled_out=[hide.text(one.title) for one in given if one.severity == "ruled_out"],
        cannot_tell=[
            hide.text(one.title) for one in given if one.severity == "cannot_tell" and one.analysis in ours
        ],
        weakened=[hide.text(one) for one in weakened],
        pasted=[
            (hide.path(source), line, hide.line(text, f"{hide.path(source)}:{line}"))
            for source, line, text in curl.pasted(query)
        ],
        attached=_attached(long, log_name),
    )
    command = curl.command(query, hide.redactor, source_ids, numbers, first, last, keep_host)
    if command:
        content = replace(content, curl=replace(command, source=hide.path(command.source)))
    log = _log(long, hide)
    content = replace(
        content,
        replaced=sorted(hide.counts.items()),
        rotate=[(kind, places) for kind, places in sorted(hide.rotate.items())],
    )
    text = page(content)
    _refuse_secrets(text, log, keep_host, log_name)
    return Ticket(
        content.title, text, log, priority.word, priority.rule, dict(sorted(hide.counts.items())), hide.rotate
    )


class _Hider:
    """Redacts, and remembers where credentials stood; long mixed text that no rule knows is hidden too."""

    def __init__(self, folder: str):
        self.redactor = Redactor(folder)
        self.rotate: dict[str, list[str]] = {}
        self._mixed: dict[str, str] = {}
        self._mixed_count = 0

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = dict(self.redactor.counts)
        return counts | ({UNKNOWN: self._mixed_count} if self._mixed_count else {})

    def learn(self, texts: Iterable[Any]) -> None:
        self.redactor.learn(str(text) for text in texts)

    def text(self, text: str) -> str:
        known = str(self.redactor.value(text))
        return redact_patterns.MIXED.sub(self._hidden, known)

    def path(self, path: Any) -> str:
        return words.line(self.text(str(path)))

    def line(self, text: Any, place: str) -> str:
        """Return one line of a log redacted; credentials in it are noted with its place."""
        before = Counter(self.redactor.counts)
        # not ``value``: a private key goes on over several lines
        hidden = redact_patterns.MIXED.sub(self._hidden, self.redactor.text(str(text)))
        kinds = set(Counter(self.redactor.counts) - before) & set(CREDENTIALS)
        if _names_a_secret(str(text)):
            kinds.add("secret")
        # a mark without its other end would make secrets of what follows it
        hidden = _KEY_MARK.sub("[begin or end of a key or certificate]", hidden)
        for kind in sorted(kinds):
            places = self.rotate.setdefault(kind, [])
            if place not in places:
                places.append(place)
        return hidden

    def _hidden(self, found: re.Match[str]) -> str:
        if redact_patterns.PSEUDONYM.fullmatch(found.group()):
            return found.group()
        self._mixed_count += 1
        return self._mixed.setdefault(found.group(), f"redacted-text-{len(self._mixed) + 1}")


def _names_a_secret(text: str) -> bool:
    """Return whether a value stands in the text under a name such as token or password, also in a query string."""
    return any(
        not redact_patterns.HARMLESS.match(found["value"]) and found["value"][0] not in "/$#%<:{["
        for found in redact_patterns.SECRET_PAIR.finditer(text)
        if found["value"] and (found["sign"] != ":" or found["quote"])
    )


def _refuse_secrets(text: str, log: str, keep_host: bool, log_name: str) -> None:
    for name, whole in (("the ticket", text), (log_name, log)):
        left = [one for one in remaining(whole) if not _is_kept_host(one, keep_host)]
        if left:
            raise UsageError(
                f"{name} was not written: its line {left[0].line} still looks like a {left[0].kind}"
                f" (“{words.line(left[0].excerpt)}”).",
                next_step="Leave out what holds it, or report the form of the line without the secret.",
            )


def _is_kept_host(one: Leftover, keep_host: bool) -> bool:
    return keep_host and one.kind == "host"


def _since(first: datetime | None, last: datetime | None, as_of: datetime | None) -> str:
    if first is None or last is None:
        return "not told by the files: what it stands on carries no time."
    ended = ""
    if as_of is not None and as_of > last:
        ended = f"; the evidence ends at {words.time(as_of.replace(microsecond=0))} UTC"
    return f"{words.times(first, last)}{ended}."


def _how_many(finding: Finding, impact: support.Impact) -> str:
    single = {name: value for name, value in finding.numbers.items() if not isinstance(value, dict | list)}
    parts = [text for label, text in details(replace(finding, numbers=single)) if label == "numbers"]
    if impact.requests:
        share = words.share(impact.failed / impact.requests)
        parts.append(
            f"{words.count(impact.failed)} of {words.plural(impact.requests, 'request')} of that time failed ({share})"
        )
    if impact.clients:
        parts.append(f"for {words.plural(impact.clients, 'client address', 'client addresses')}")
    return "; ".join(parts) + "." if parts else "not told by the files."


def _request(row: Any) -> str:
    ending = " ".join(str(part) for part in (row.code, row.status) if not pd.isna(part))
    when = "" if pd.isna(row.time) else f" {words.time(row.time)} UTC"
    return f"{row.request_id}{when}{' ' + ending if ending else ''}"


def _records(frame: pd.DataFrame) -> Any:
    return frame.itertuples(index=False)


def _attached(long: pd.DataFrame, name: str) -> str:
    if long.empty:
        return ""
    every = int(long["all_lines"].iloc[0])
    of = "" if every == len(long) else f" the first {words.count(len(long))} of"
    return f" Attached, {name}:{of} the {words.plural(every, 'line')} around that time."


def _log(long: pd.DataFrame, hide: _Hider) -> str:
    shown = []
    # beforehand: looking at a path ends a private key that goes on over lines
    paths = {path: hide.path(path) for path in long["path"].unique()}
    for path, line, text in zip(long["path"], long["line"], long["text"], strict=True):
        place = f"{paths[path]}:{line}"
        shown.append(f"{place}  {words.line(hide.line(text, place))}")
    if shown and int(long["all_lines"].iloc[0]) > len(shown):
        every = words.count(int(long["all_lines"].iloc[0]))
        shown.append(
            f"… cut here: these are the first {words.count(len(shown))} of {every} lines of that time."
        )
    return "".join(f"{one}\n" for one in shown)
