"""One incident is one story: the findings that several questions give about it become the parts of one of them.

A finding belongs to an earlier, graver one when both are about the same trouble: waiting and slow requests of the same
time, memory of the same dyno, a release and the errors that came with it, or what names the same route, dyno or error
code at the same time. The head of a story is its gravest finding, of equal ones that which explains most. Nothing is
lost: every finding is a head or a part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from workbook import words
from workbook.analysis import SEVERITIES, Finding

MOST_FINDINGS = 10
"""So many findings of weight are read; the rest is one more, with its parts."""
SLACK = timedelta(minutes=2)
SAME_TIME = 0.3
"""Two spans of time are the same when so large a share of both together is in both."""

_TOLD = ("critical", "warning", "note")
_WAITING = ("blockers", "queueing", "in_flight", "slow_transactions", "dyno_balance")
_MEMORY = ("memory_trend", "memory_quota", "crashes")
_EXPLAINS = (
    *("blockers", "releases", "memory_trend", "memory_quota", "crashes", "queueing", "errors"),
    *("slow_transactions", "dyno_balance", "in_flight"),
)
"""Which question explains most: its finding is the head of a story, the others are parts."""
_SUBJECT = re.compile(
    r"(?:(?<=\s)|^)(?P<route>/[^\s,;()]*)"
    r"|\b(?P<dyno>[a-z_]+\.\d+)\b"
    r"|\b(?P<code>[HRL]\d\d|app\d{3})\b"
)


def told_once(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings as stories, worst first, at most ten of weight; then what was ruled out or cannot be told."""
    given = list(findings)
    heads: list[tuple[Finding, list[Finding]]] = []
    for one in sorted((one for one in given if one.severity in _TOLD), key=_place):
        story = next((parts for head, parts in heads if _belongs(one, head)), None)
        if story is None:
            heads.append((one, []))
        else:
            story.append(one)
    stories = [replace(head, parts=(*head.parts, *parts)) for head, parts in heads]
    return [*_at_most(stories), *(one for one in given if one.severity not in _TOLD)]


def _place(one: Finding) -> tuple[int, int]:
    explains = _EXPLAINS.index(one.analysis) if one.analysis in _EXPLAINS else len(_EXPLAINS)
    return SEVERITIES.index(one.severity), explains


def _belongs(one: Finding, head: Finding) -> bool:
    """Return whether a finding is about what the head of a story is about."""
    together = _overlap(one, head)
    if together == 0:
        return False
    shared = _subjects(one) & _subjects(head)
    kinds = _kinds(one) & _kinds(head)
    if "memory" in kinds and _dynos(one) and _dynos(head):
        # every dyno has a memory of its own
        return bool(_dynos(one) & _dynos(head))
    if together is None:
        # one of them has no place in time: then the subject must be the same
        rest = one.severity == "note" and one.analysis == head.analysis == "blockers"
        return bool(kinds and (shared or rest))
    if "memory" in kinds and one.analysis == "errors":
        # the census names no dyno where there are several
        return True
    if "release" in _kinds(one) | _kinds(head):
        return together >= SAME_TIME and bool(kinds or shared)
    return bool(kinds) and (together >= SAME_TIME or _within(one, head))


def _kinds(one: Finding) -> set[str]:
    """Return the kinds of trouble that a finding is about."""
    found = set()
    codes = {name for name in _subjects(one) if re.fullmatch(r"[HR]\d\d", name)}
    if one.analysis in _WAITING or (one.analysis == "errors" and codes & _QUEUED):
        found.add("waiting")
    if one.analysis in _MEMORY or (one.analysis == "errors" and codes & {"R14", "R15"}):
        found.add("memory")
    if one.analysis == "crashes" or (one.analysis == "errors" and codes & _CRASHED):
        found.add("crash")
    if one.analysis == "releases" or (one.analysis == "errors" and not codes):
        found.add("release")
    if one.analysis == "releases":
        # what a deploy brings: errors, and queues
        found.add("waiting")
    return found


_QUEUED = {"H12", "H13", "H15", "H18"}
"""What a request ends with that waited, or was worked on for too long."""
_CRASHED = {"H10", "H19", "H20", "H21", "R10", "R11", "R12"}
"""What is logged of dynos that crash, do not boot or cannot be reached."""


def _subjects(one: Finding) -> set[str]:
    """Return the routes, dynos and codes that a finding names."""
    return {match.group() for match in _SUBJECT.finditer(one.title)}


def _dynos(one: Finding) -> set[str]:
    return {match["dyno"] for match in _SUBJECT.finditer(one.title) if match["dyno"]}


def _overlap(one: Finding, head: Finding) -> float | None:
    """Return the share of both spans of time that is in both, a little widened; None where one has none."""
    if one.about is None or head.about is None or _open(one.about) or _open(head.about):
        return None
    (first, last), (start, end) = _widened(one.about), _widened(head.about)
    shared = (min(last, end) - max(first, start)).total_seconds()
    if shared <= 0:
        return 0.0
    return float(shared / (max(last, end) - min(first, start)).total_seconds())


def _within(one: Finding, head: Finding) -> bool:
    """Return whether a finding lies in the time of the head and names something that the head names."""
    assert one.about is not None and head.about is not None
    (first, last), (start, end) = one.about, _widened(head.about)
    return bool(start <= first and last <= end and _subjects(one) & _subjects(head))


def _widened(about: tuple[Any, Any]) -> tuple[Any, Any]:
    return about[0] - SLACK, about[1] + SLACK


def _open(about: tuple[Any, Any]) -> bool:
    return words.missing(about[0]) or words.missing(about[1])


def _at_most(stories: list[Finding]) -> list[Finding]:
    """Return at most ten of the stories; the least of them become the parts of one."""
    if len(stories) <= MOST_FINDINGS:
        return stories
    shown, rest = stories[: MOST_FINDINGS - 1], stories[MOST_FINDINGS - 1 :]
    counted = Counter(one.severity for one in rest)
    said = ", ".join(words.plural(counted[word], word) for word in _TOLD if counted[word])
    first = rest[0]
    return [
        *shown,
        Finding(
            first.severity,
            f"{len(rest):,} more findings of less weight: {said}.",
            numbers={"findings": len(rest)},
            evidence=first.evidence,
            next_step=first.next_step,
            reference=first.reference,
            parts=tuple(rest),
        ),
    ]
