"""The results in a bundle: what was asked, asked again of other tables, and written as JSON, CSV and SQL."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbook import analysis, cells, render, words
from workbook.redact import Redactor
from workbook.window import Window

if TYPE_CHECKING:
    from workbook.analysis import Result
    from workbook.workbook import Workbook

FOLDER = "results"


@dataclass(frozen=True)
class Asked:
    """One question with its window and all of its parameters, those left at their defaults too."""

    name: str
    window: Window
    parameters: dict[str, Any]

    @classmethod
    def of(cls, result: Result) -> Asked:
        """Return what a result answers."""
        if result.name == "triage":
            return cls("triage", result.window, {})
        options = analysis.nearest(result.name).read_options(result.parameters)
        return cls(result.name, result.window, options)

    def redacted(self, redactor: Redactor | None) -> Asked:
        """Return the question with its parameters redacted."""
        if redactor is None:
            return self
        return Asked(
            self.name,
            self.window,
            {name: redactor.value(value, name) for name, value in self.parameters.items()},
        )

    @property
    def usual(self) -> bool:
        """Whether triage asks it the same."""
        return self.name != "triage" and self.parameters == analysis.nearest(self.name).read_options({})


def ask(workbook: Workbook, asked: list[Asked]) -> list[Result]:
    """Return the results, in the order of the questions; what triage asks as well is asked once."""
    known: dict[tuple[str, Window], Result] = {}
    for one in asked:
        if one.name == "triage":
            known |= {(result.name, one.window): result for result in workbook.investigate(one.window)}
    return [
        known[one.name, one.window]
        if (one.name == "triage" or one.usual) and (one.name, one.window) in known
        else workbook.run(one.name, one.window, **one.parameters)
        for one in asked
    ]


def listed(asked: list[Asked]) -> list[dict[str, Any]]:
    """Return the questions for the manifest, each with the name of its files."""
    return [
        {
            "file": f"{FOLDER}/{stem}",
            "name": one.name,
            "window": _ends(one.window),
            "parameters": cells.plain(one.parameters),
        }
        for stem, one in zip(stems([one.name for one in asked]), asked, strict=True)
    ]


def stems(names: list[str]) -> list[str]:
    """Return a name of files for each result: that of its analysis, with a number from the second on."""
    seen: Counter[str] = Counter()
    made = []
    for name in names:
        seen[name] += 1
        made.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return made


def texts(results: list[Result]) -> dict[str, str]:
    """Return the text of every file that the results become, by its name in the bundle."""
    made = {}
    for stem, result in zip(stems([one.name for one in results]), results, strict=True):
        made[f"{FOLDER}/{stem}.json"] = _json(content(result))
        made[f"{FOLDER}/{stem}.csv"] = cells.table(result.table, "csv")
        made[f"{FOLDER}/{stem}.sql"] = result.sql.rstrip("\n") + "\n"
    made["findings.json"] = _json({"findings": _findings(results)})
    return made


def write(root: Path, results: list[Result]) -> None:
    """Write the files of the results into the folder of a bundle."""
    (root / FOLDER).mkdir()
    for name, text in texts(results).items():
        (root / name).write_text(text, encoding="utf-8", newline="\n", errors="backslashreplace")


def content(result: Result) -> dict[str, Any]:
    """Return a result as plain values: what was asked, findings, what weakens them, and the table row by row."""
    names = [str(name) for name in result.table.columns]
    rows = result.table.itertuples(index=False, name=None)
    return {
        "name": result.name,
        "question": result.question,
        "window": _ends(result.window),
        "parameters": cells.plain(result.parameters),
        "findings": [render.finding_dict(one) for one in result.findings],
        "weakened": list(result.weakened),
        "table": [dict(zip(names, map(cells.plain, row), strict=True)) for row in rows],
    }


def _findings(results: list[Result]) -> list[dict[str, Any]]:
    """The findings of triage, or of all results where it was not asked, worst first."""
    triage = [one for one in results if one.name == "triage"]
    findings = [finding for one in (triage or results) for finding in one.findings]
    return [render.finding_dict(one) for one in analysis.worst_first(findings)]


def _ends(window: Window) -> dict[str, Any]:
    return {
        "start": None if window.start is None else words.iso(window.start),
        "end": None if window.end is None else words.iso(window.end),
    }


def _json(value: Any) -> str:
    """JSON with one row a line, so that two bundles can be compared with any tool."""
    parts = []
    for name, inner in value.items():
        if isinstance(inner, list) and inner:
            rows = ",\n".join(f"    {_line(one)}" for one in inner)
            parts.append(f'  "{name}": [\n{rows}\n  ]')
        else:
            parts.append(f'  "{name}": {_line(inner)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: Any) -> str:
    return words.escape_invisible(json.dumps(value, ensure_ascii=False, allow_nan=False))
