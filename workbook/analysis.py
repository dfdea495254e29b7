"""What a question returns: Evidence, Finding, Result; and finding the questions in ``analyses/``."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pandas as pd

from workbook import words
from workbook.errors import UsageError, WorkbookError
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

SEVERITIES = ("critical", "warning", "note", "ruled_out", "cannot_tell")
MOST_EVIDENCE = 5

Query = Callable[..., pd.DataFrame]
"""``query(sql, **parameters)`` gives a DataFrame; ``$name`` in the statement takes the parameter of that name."""


@dataclass(frozen=True)
class Evidence:
    """One log line that a finding stands on: the file's path, its physical line (from 1) and its text."""

    source: str
    line: int
    text: str = ""


@dataclass(frozen=True)
class Finding:
    """One sentence with its severity, its numbers, the lines it stands on and what to do next.

    ``severity`` is one of critical, warning, note, ruled_out, cannot_tell. ``numbers`` are named with their units
    (``{"max_ms": 30001}``). ``reference`` is a chapter of the book or a vendor's page. ``confidence`` is high,
    medium or low where the finding judges, else None.
    """

    severity: str
    title: str
    numbers: dict[str, Any] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    next_step: str = ""
    reference: str = ""
    confidence: str | None = None
    analysis: str = ""
    about: tuple[Any, Any] | None = None
    """First and last time (UTC) of what the finding is about; None when it has no place in time."""
    parts: tuple[Finding, ...] = ()
    """What else is known of the same trouble, where triage tells it as one story; each is a finding of its own."""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity {self.severity!r} is not one of {SEVERITIES}")

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain values for JSON."""
        from workbook import render

        return render.finding_dict(self)

    def __str__(self) -> str:
        from workbook import render

        return render.finding_text(self)

    def _repr_html_(self) -> str:
        from workbook import render

        return render.finding_html(self)


@dataclass(frozen=True)
class Result:
    """What an analysis returns: ``findings``, ``table``, ``chart`` and the ``sql`` that gives the table again."""

    name: str
    question: str
    findings: tuple[Finding, ...]
    table: pd.DataFrame
    chart: alt.TopLevelMixin | None
    sql: str
    window: Window
    parameters: dict[str, Any]
    weakened: tuple[str, ...] = ()
    """What the files lost that weakens this answer, one sentence each; ``run("completeness")`` has the evidence."""

    @property
    def code(self) -> str:
        """The line of Python that gives this result again, for ``wb`` an open Workbook."""
        window = "" if self.window == Window() else f", {self.window!r}"
        extra = "".join(f", {name}={value!r}" for name, value in self.parameters.items())
        call = (
            "wb.triage()" if self.name == "triage" and not window else f"wb.run({self.name!r}{window}{extra})"
        )
        return call

    def __str__(self) -> str:
        from workbook import render

        return render.result_text(self)

    def _repr_html_(self) -> str:
        from workbook import render

        return render.result_html(self)


@dataclass(frozen=True)
class Bounds:
    """The least and the largest value a parameter may have, for ``Annotated[int, Bounds(0, 60_000)]``."""

    low: float
    high: float


@dataclass(frozen=True)
class Option:
    """One parameter of an analysis: name, type, default, and its bounds or its choices."""

    name: str
    type: type
    default: Any
    bounds: Bounds | None = None
    choices: tuple[str, ...] = ()

    def read(self, value: Any) -> Any:
        """Return the value in the option's type; UsageError when it is of another type or out of bounds."""
        try:
            read = self.type(value)
        except (OverflowError, TypeError, ValueError):
            kind = {int: "a whole number", float: "a number"}.get(self.type, self.type.__name__)
            raise UsageError(f"{self.name} = {value!r} is not {kind}.", next_step=self._hint()) from None
        if self.type is int and read != float(value):
            raise UsageError(f"{self.name} = {value!r} is not a whole number.", next_step=self._hint())
        if self.choices and read not in self.choices:
            raise UsageError(f"{self.name} = {value!r} is not a choice.", next_step=self._hint())
        if self.bounds and not self.bounds.low <= read <= self.bounds.high:
            raise UsageError(f"{self.name} = {value!r} is out of bounds.", next_step=self._hint())
        return read

    def _hint(self) -> str:
        if self.choices:
            return f"Choose one of {', '.join(self.choices)} (default {self.default})."
        if self.bounds:
            return f"Give a value from {self.bounds.low:g} to {self.bounds.high:g} (default {self.default})."
        return f"The default is {self.default}."


@dataclass(frozen=True)
class Analysis:
    """One question: its name, the sentence it answers, the tables it needs, its parameters and its module.

    ``in_triage`` is False for a question that only a person can ask, such as what became of one request.
    """

    name: str
    question: str
    needs: tuple[tuple[str, ...], ...]
    options: tuple[Option, ...]
    module: ModuleType
    in_triage: bool = True

    def lacks(self, filled: set[str]) -> list[tuple[str, ...]]:
        """Return the needs that no filled table meets; each is a tuple of tables of which one is enough."""
        return [need for need in self.needs if not filled.intersection(need)]

    def read_options(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return all parameters with their values; UsageError for an unknown name (with the nearest) or value."""
        known = {option.name: option for option in self.options}
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"Did you mean {near[0]}?" if near else f"It has: {', '.join(known) or 'none'}."
                raise UsageError(f"{self.name} has no parameter “{name}”.", next_step=hint)
        return {
            name: option.read(given[name]) if name in given else option.default
            for name, option in known.items()
        }


def discover() -> dict[str, Analysis]:
    """Return every analysis by name, in the order of their names: one for each file in ``analyses/``."""
    return dict(_discovered())


@functools.cache
def _discovered() -> tuple[tuple[str, Analysis], ...]:
    from workbook import analyses

    names = sorted(module.name for module in pkgutil.iter_modules(analyses.__path__) if module.name[0] != "_")
    return tuple((name, _read(importlib.import_module(f"workbook.analyses.{name}"))) for name in names)


def _read(module: ModuleType) -> Analysis:
    name = module.__name__.rpartition(".")[2]
    missing = [part for part in ("NEEDS", "rows", "findings", "chart") if not hasattr(module, part)]
    if missing or not module.__doc__:
        raise WorkbookError(
            f"{module.__file__} is not an analysis: it lacks {', '.join(missing) or 'a docstring'}."
        )
    question = module.__doc__.strip().splitlines()[0].split("     ")[0].strip()
    needs = tuple((need,) if isinstance(need, str) else tuple(need) for need in module.NEEDS)
    in_triage = getattr(module, "IN_TRIAGE", True)
    return Analysis(name, question, needs, tuple(_options(module.rows)), module, in_triage)


def _options(rows: Callable[..., Any]) -> Iterable[Option]:
    hints = get_type_hints(rows, include_extras=True)
    for name, parameter in inspect.signature(rows).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        hint, bounds, choices = hints[name], None, ()
        if get_origin(hint) is Annotated:
            hint, bounds = get_args(hint)[:2]
        if get_origin(hint) is Literal:
            hint, choices = str, get_args(hint)
        yield Option(name, hint, parameter.default, bounds, choices)


def nearest(name: str) -> Analysis:
    """Return the analysis of that name; UsageError that suggests the nearest when there is none."""
    known = discover()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, [*known, "triage"], 1, cutoff=0.4)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    raise UsageError(f"There is no analysis “{name}”.", next_step=hint)


def cite(lines: Any) -> tuple[Evidence, ...]:
    """Return at most five lines as evidence, from a cell that holds ``{source_id, line}`` (or a list of them).

    The source is its id as text until the workbook puts the path and the text of the line in (``locate``).
    """
    if lines is None or (isinstance(lines, float) and pd.isna(lines)):
        return ()
    found = [lines] if isinstance(lines, dict) else list(lines)
    cited = dict.fromkeys(
        (str(one["source_id"]), int(one["line"])) for one in found if one and one.get("line") is not None
    )
    return tuple(Evidence(source, line) for source, line in list(cited)[:MOST_EVIDENCE])


def times_of(rows: pd.DataFrame, start: str = "time", end: str = "time") -> tuple[Any, Any] | None:
    """Return the first ``start`` and the last ``end`` (UTC) of the rows, for ``Finding.about``; None if not known."""
    first, last = rows[start].min(), rows[end].max()
    return None if pd.isna(first) or pd.isna(last) else (first, last)


def span_of(rows: pd.DataFrame) -> str:
    """Return the rows' span of time in brackets, with a blank before it, for the end of a sentence."""
    times = times_of(rows)
    return "" if times is None else f" ({words.times(*times)})"


def numbers_of(row: pd.Series, *names: str) -> dict[str, float]:
    """Return those of the row's named values that are known, to three decimals, for ``Finding.numbers``."""
    return {name: round(float(row[name]), 3) for name in names if pd.notna(row[name])}


def largest(rows: pd.DataFrame, column: str) -> pd.Series:
    """Return the row with the largest value of the column, the earlier of equal ones."""
    return rows.sort_values(column, ascending=False, na_position="last", kind="stable").iloc[0]


def top_routes(rows: pd.DataFrame) -> dict[str, int]:
    """Return how many rows the ten most frequent routes have, most first, equal counts by name."""
    counts = rows["route"].dropna().astype(str).value_counts()
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {str(route): int(count) for route, count in ranked[:10]}


def locate(finding: Finding, texts: dict[tuple[str, int], tuple[str, str]], analysis: str) -> Finding:
    """Return the finding with path and text in its evidence and the analysis it came from."""
    evidence = tuple(_located(one, texts) for one in finding.evidence)
    return replace(finding, evidence=evidence, analysis=finding.analysis or analysis)


def _located(one: Evidence, texts: dict[tuple[str, int], tuple[str, str]]) -> Evidence:
    path, text = texts.get((one.source, one.line), (one.source, one.text))
    return Evidence(path, one.line, text)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, worst severity first; within one severity their order stays."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def said_once(findings: Iterable[Finding], census: str = "errors") -> list[Finding]:
    """Return the findings without those of the census that another analysis explains: same lines, no graver.

    The kill that ``errors`` counts and ``memory_quota`` explains is one thing; the one that cites more stays. A finding
    that gives a rate is never left out.
    """
    given = list(findings)
    return [
        one for one in given if one.analysis != census or not any(_explains(other, one) for other in given)
    ]


def _explains(other: Finding, one: Finding) -> bool:
    if other.analysis == one.analysis or not one.evidence or any("per_10k" in name for name in one.numbers):
        return False
    as_grave = SEVERITIES.index(other.severity) <= SEVERITIES.index(one.severity)
    return as_grave and set(one.evidence) <= set(other.evidence)
