"""Where two answers to the same question differ, number by number; and the proof that redaction changed none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbook import cells, words
from workbook.redact import Redactor
from workbook.redact_patterns import PSEUDONYM

if TYPE_CHECKING:
    from workbook.analysis import Finding, Result

CLOSE = 1e-9
"""Two sums of the same numbers, added in another order, differ by less."""
MOST_SHOWN = 100
_NOTHING = object()


@dataclass(frozen=True)
class Difference:
    """One value that is not the same: where it stands, what is stored, what was computed (JSON values)."""

    name: str
    stored: Any
    recomputed: Any

    def __str__(self) -> str:
        return f"{self.name}: stored {_shown(self.stored)}, recomputed {_shown(self.recomputed)}"


def _shown(value: Any) -> str:
    if value is _NOTHING or value is None:
        return "nothing"
    return words.cut(words.visible(str(value), one_line=True), 120)


def differences(stored: Any, recomputed: Any, name: str) -> Iterator[Difference]:
    """Yield each value that differs between two trees of JSON values; rows and list items are counted from 1."""
    if isinstance(stored, dict) and isinstance(recomputed, dict):
        for key in dict.fromkeys([*stored, *recomputed]):
            inner = f"{name}.{words.visible(str(key), one_line=True)}"
            yield from differences(stored.get(key, _NOTHING), recomputed.get(key, _NOTHING), inner)
    elif isinstance(stored, list) and isinstance(recomputed, list):
        pairs = zip_longest(stored, recomputed, fillvalue=_NOTHING)
        for place, (one, other) in enumerate(pairs, 1):
            yield from differences(one, other, f"{name}[{place}]")
    elif isinstance(stored, bool) != isinstance(recomputed, bool) or stored != recomputed:
        yield Difference(name, stored, recomputed)


def numbers_in(value: Any) -> int:
    """Return how many numbers a tree of JSON values holds."""
    if isinstance(value, dict):
        return sum(map(numbers_in, value.values()))
    if isinstance(value, list):
        return sum(map(numbers_in, value))
    return int(isinstance(value, int | float) and not isinstance(value, bool))


@dataclass(frozen=True)
class Proof:
    """Whether redaction left the answers as they were: findings before and after, and what is not the same."""

    before: int
    after: int
    differing: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether findings and numbers are the same."""
        return self.before == self.after and not self.differing

    def __str__(self) -> str:
        if self.holds:
            return f"{self.before:,} findings before = {self.after:,} after, all numbers equal."
        said = f"{self.before:,} findings before, {self.after:,} after; not the same: "
        shown = "; ".join(self.differing[:5]) or "their count"
        more = len(self.differing) - 5
        return said + shown + (f"; and {more:,} more." if more > 0 else ".")


def prove(before: Sequence[Result], after: Sequence[Result], redactor: Redactor | None = None) -> Proof:
    """Compare the answers before redaction with those after it, in the same order of questions.

    Severities, sentences (names and pseudonyms aside), numbers and confidence of every finding are compared, and every
    number and time of the tables, whatever the order of equal rows.
    """
    differing: list[str] = []
    for one, other in zip(before, after, strict=True):
        differing += _findings_differ(one, other, redactor)
        differing += _tables_differ(one, other)
    counts = [sum(len(one.findings) for one in some if one.name != "triage") for some in (before, after)]
    return Proof(counts[0], counts[1], tuple(differing))


def _findings_differ(before: Result, after: Result, redactor: Redactor | None) -> Iterator[str]:
    ours = Counter(_said(one, redactor) for one in before.findings)
    theirs = Counter(_said(one, None) for one in after.findings)
    for said in [*(ours - theirs), *(theirs - ours)]:
        side = "before" if ours[said] > theirs[said] else "after"
        yield f"{before.name}, only {side}: {words.cut(words.visible(said[1], one_line=True), 100)}"


def _said(one: Finding, redactor: Redactor | None) -> tuple[str, str, str, str]:
    """What a finding says, with one mark for every pseudonym."""
    title = redactor.value(one.title) if redactor else one.title
    numbers = sorted(_rounded(cells.plain(value)) for value in _leaves(one.numbers))
    parts = str(sorted(_said(part, redactor) for part in one.parts))
    return (
        one.severity,
        PSEUDONYM.sub("…", title),
        str(numbers),
        f"{one.confidence} {len(one.evidence)} {parts}",
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def _rounded(value: Any) -> float:
    return 0.0 if not value else float(f"{value:.9g}")


def _tables_differ(before: Result, after: Result) -> Iterator[str]:
    if before.name == "triage":
        return
    if len(before.table) != len(after.table):
        yield f"{before.name}: {len(before.table):,} rows before, {len(after.table):,} after"
        return
    for name in before.table.columns:
        column = before.table[name]
        if name not in after.table or not _measures(column):
            continue
        ours, theirs = _ordered(column), _ordered(after.table[name])
        if len(ours) != len(theirs) or not all(map(_close, ours, theirs)):
            yield f"{before.name}.{name}"


def _measures(column: pd.Series) -> bool:
    kinds = pd.api.types
    return bool(kinds.is_numeric_dtype(column.dtype) or kinds.is_datetime64_any_dtype(column.dtype))


def _ordered(column: pd.Series) -> list[Any]:
    known = column.dropna()
    if pd.api.types.is_datetime64_any_dtype(known.dtype):
        known = known.astype("int64")
    return sorted(known.tolist())


def _close(one: Any, other: Any) -> bool:
    return one == other or math.isclose(one, other, rel_tol=CLOSE)
