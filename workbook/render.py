"""Findings and results as text for a terminal, as Markdown, as HTML and as plain values for JSON.

Everything here may hold text from a log, which anybody on the internet can write into: it is escaped for the
form it goes into, and hidden characters are written out.
"""

from __future__ import annotations

import itertools
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbook import words
from workbook.analysis import worst_first
from workbook.cells import FORMATS, cell, code_span, fenced, markdown, markdown_table, plain, table, to_json

if TYPE_CHECKING:
    import pandas as pd

    from workbook.analysis import Evidence, Finding, Result
    from workbook.loading import LoadReport

ROWS_SHOWN = 20
WIDTH = 110

SEVERITY_WORDS = {
    "critical": "critical",
    "warning": "warning",
    "note": "note",
    "ruled_out": "ruled out",
    "cannot_tell": "cannot tell",
}

_INDENT = 13
_URGENT = ("critical", "warning")
_BRIEF_LINES = 2


def finding_dict(finding: Finding) -> dict[str, Any]:
    """Return the finding as plain values for JSON, with every field, empty ones too."""
    return {
        "severity": finding.severity,
        "title": finding.title,
        "numbers": plain(finding.numbers),
        "evidence": [{"source": one.source, "line": one.line, "text": one.text} for one in finding.evidence],
        "next_step": finding.next_step,
        "reference": finding.reference,
        "confidence": finding.confidence,
        "analysis": finding.analysis,
        "about": None if finding.about is None else [words.iso(moment) for moment in finding.about],
        "parts": [finding_dict(part) for part in finding.parts],
    }


def finding_text(finding: Finding, width: int = WIDTH) -> str:
    """Return the finding for a terminal: severity and sentence, then lines, numbers, next step."""
    lines = [
        _headline(finding, width),
        *(_indented(label, text, width) for label, text in details(finding) if label != "line"),
    ]
    cited = [_cut_line(one, width) for one in finding.evidence]
    return "\n".join([*lines[:1], *cited, *lines[1:], *_parts(finding, width)])


def _parts(finding: Finding, width: int) -> list[str]:
    """Return a line for each part of a story: its sentence, and who says it."""
    return [
        _indented("part of it", f"{words.visible(part.title, one_line=True)} ({part.analysis})", width)
        for part in finding.parts
    ]


def _headline(finding: Finding, width: int) -> str:
    word = SEVERITY_WORDS[finding.severity].upper()
    return _wrapped(words.visible(finding.title, one_line=True), width, f"{word:<{_INDENT}}")


def findings_text(findings: Iterable[Finding], width: int = WIDTH, *, whole: bool = False) -> str:
    """Return the findings for a terminal, worst first: what to read at three in the morning.

    Critical findings and warnings come with their first lines and the next step; the others are one sentence. All
    numbers, lines and references of a finding are in its ``str``, in JSON and in the report.
    """
    ordered = worst_first(findings)
    if not ordered:
        return "No findings."
    parts = [finding_text(finding, width) if whole else _brief(finding, width) for finding in ordered]
    gaps = [
        "" if before.severity == after.severity and after.severity not in _URGENT else "\n"
        for before, after in itertools.pairwise(ordered)
    ]
    joined = parts[0] + "".join(f"\n{gap}{part}" for gap, part in zip(gaps, parts[1:], strict=True))
    return f"{joined}\n\n{tally(ordered)}"


def _brief(finding: Finding, width: int) -> str:
    head = _headline(finding, width)
    if finding.severity == "cannot_tell" and finding.next_step:
        return f"{head}\n{_indented('next step', words.visible(finding.next_step, one_line=True), width)}"
    if finding.severity not in _URGENT:
        return "\n".join([head, *_parts(finding, width)])
    lines = [_cut_line(one, width) for one in finding.evidence[:_BRIEF_LINES]]
    then = words.visible(finding.next_step, one_line=True)
    asked = f" (workbook run {finding.analysis})" if finding.analysis else ""
    return "\n".join([head, *lines, _indented("next step", then + asked, width), *_parts(finding, width)])


def tally(findings: Iterable[Finding]) -> str:
    """Return how many findings there are of each severity: ``1 critical, 2 notes, 3 ruled out``."""
    counted = Counter(finding.severity for finding in findings)
    plural_words = {"warning": "warnings", "note": "notes"}
    return ", ".join(
        f"{counted[severity]} {plural_words.get(severity, word) if counted[severity] > 1 else word}"
        for severity, word in SEVERITY_WORDS.items()
        if counted[severity]
    )


def result_text(result: Result, width: int = WIDTH) -> str:
    """Return the result for a terminal: question, findings, the first rows of the table."""
    parts = [
        f"{result.name}: {result.question}\n{scope(result)}",
        findings_text(result.findings, width, whole=result.name != "triage"),
    ]
    if len(result.table) and result.name != "triage":
        parts.append(table(result.table.head(ROWS_SHOWN), "text"))
        if len(result.table) > ROWS_SHOWN:
            parts[-1] += f"\n… {ROWS_SHOWN} of {words.count(len(result.table))} rows; .table has all"
    return words.visible("\n\n".join(parts))


def details(finding: Finding) -> list[tuple[str, str]]:
    """Return what a finding says besides its sentence and its lines, each with a label."""
    shown = []
    if finding.about is not None:
        shown.append(("when", words.times(*finding.about)))
    if finding.numbers:
        shown.append(("numbers", _numbers(finding.numbers)))
    if finding.next_step:
        shown.append(("next step", words.visible(finding.next_step, one_line=True)))
    if finding.confidence:
        shown.append(("confidence", finding.confidence))
    if finding.reference:
        shown.append(("reference", words.visible(finding.reference, one_line=True)))
    return shown


def _numbers(numbers: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {cell(value, name)}" for name, value in numbers.items())


def _wrapped(text: str, width: int, first: str) -> str:
    blank = " " * _INDENT
    return textwrap.fill(
        text,
        max(width, 40),
        initial_indent=first,
        subsequent_indent=blank,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _indented(label: str, text: str, width: int) -> str:
    return _wrapped(f"{label}: {text}", width, " " * _INDENT)


def place(evidence: Evidence) -> str:
    """Return where a line stands, as ``path:line``."""
    return f"{words.visible(evidence.source, one_line=True)}:{evidence.line}"


def _cut_line(evidence: Evidence, width: int) -> str:
    where = " " * _INDENT + place(evidence)
    text = words.visible(evidence.text, one_line=True)
    if not text:
        return where
    if len(where) > width // 2:
        return f"{where}\n{' ' * (_INDENT + 2)}{words.cut(text, max(width - _INDENT - 2, 40))}"
    return f"{where}  {words.cut(text, width - len(where) - 2)}"


def scope(result: Result) -> str:
    """Return the window and the parameters of a result in one line, and what weakens it."""
    parameters = ", ".join(f"{name} {cell(value, name)}" for name, value in result.parameters.items())
    weakened = " ".join(result.weakened)
    return (
        f"{result.window}"
        + (f"; {parameters}" if parameters else "")
        + (f"; weakened: {weakened}" if weakened else "")
    )


def finding_markdown(finding: Finding) -> str:
    """Return the finding as one item of a Markdown list, its details as items below it."""
    lines = [f"- **{SEVERITY_WORDS[finding.severity]}**: {markdown(finding.title)}"]
    for one in finding.evidence:
        text = words.visible(one.text, one_line=True)
        lines.append(f"  - {code_span(place(one))}" + (f" {code_span(text)}" if text else ""))
    lines += [f"  - {label}: {markdown(text)}" for label, text in details(finding)]
    lines += [f"  - part of it: {markdown(part.title)} ({markdown(part.analysis)})" for part in finding.parts]
    return "\n".join(lines)


def result_markdown(result: Result, rows: int = ROWS_SHOWN, count: int | None = None) -> str:
    """Return the result as Markdown: question, findings, the first rows of the table, the SQL.

    ``count`` is the number of rows where the table was cut before.
    """
    count = len(result.table) if count is None else count
    found = "\n".join(finding_markdown(finding) for finding in worst_first(result.findings)) or "No findings."
    parts = [
        f"## {markdown(result.question)}",
        f"{code_span(result.name)}, {markdown(scope(result))}",
        found,
    ]
    if len(result.table):
        parts.append(markdown_table(result.table.head(rows)))
        if count > rows:
            parts.append(f"{rows} of {words.count(count)} rows.")
    if result.sql:
        parts.append(fenced(words.visible(result.sql), "sql"))
    return "\n\n".join(parts) + "\n"


def load_text(report: LoadReport) -> str:
    """Return what became of every file for a terminal: one row a file, what failed, what was left aside."""
    parts = [table(load_table(report.table)) if len(report.table) else "No file was loaded."]
    parts += [f"Not loaded: {words.visible(str(error), one_line=True)}" for error in report.errors]
    if report.skipped:
        parts.append("Left aside, no export: " + words.visible(", ".join(report.skipped), one_line=True))
    return "\n".join(parts)


def load_table(loaded: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a load without the columns that say nothing about these files."""
    silent = [name for name in ("notes", "duplicates", "unread", "joined", "blank") if name in loaded]
    empty = [name for name in silent if not loaded[name].fillna(0).astype(bool).any()]
    return loaded.drop(columns=[*empty, *(["source_id"] if "source_id" in loaded else [])])


def finding_html(finding: Finding) -> str:
    """Return the finding as HTML for a notebook: sentence, next step, and its lines folded."""
    from workbook import notebook_html

    return notebook_html.finding_html(finding)


def findings_html(findings: Iterable[Finding], weakened: Sequence[str] = ()) -> str:
    """Return findings as HTML for a notebook, worst first, under what weakens them."""
    from workbook import notebook_html

    return notebook_html.findings_html(findings, weakened)


def result_html(result: Result) -> str:
    """Return the result as HTML for a notebook, complete without a network: findings, picture, rows, SQL."""
    from workbook import notebook_html

    return notebook_html.result_html(result)


def load_html(report: LoadReport) -> str:
    """Return what became of every file as HTML for a notebook."""
    from workbook import notebook_html

    return notebook_html.load_html(report)


def frame_html(frame: pd.DataFrame, caption: str = "", rows: int = ROWS_SHOWN) -> str:
    """Return a frame as a styled table for a notebook, with a caption."""
    from workbook import notebook_html

    return notebook_html.frame_html(frame, caption, rows)


__all__ = [
    "FORMATS",
    "SEVERITY_WORDS",
    "cell",
    "code_span",
    "details",
    "fenced",
    "finding_dict",
    "finding_html",
    "finding_markdown",
    "finding_text",
    "findings_html",
    "findings_text",
    "frame_html",
    "load_html",
    "load_text",
    "markdown",
    "place",
    "plain",
    "result_html",
    "result_markdown",
    "result_text",
    "table",
    "tally",
    "to_json",
]
