"""Results as one HTML file that needs no network, no Python and no account; and as Markdown.

The page is complete without JavaScript: every chart stands in it as a picture. With JavaScript the charts
answer to the mouse and the tables can be sorted. The policy in its head allows exactly the scripts and the
style that stand in it, by their hashes, and no request to anywhere; vega runs with its interpreter, so that
``eval`` is not needed either. The same results give the same bytes.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from workbook import cells, charts, render, whole, words
from workbook.analysis import SEVERITIES, Finding, Result, worst_first
from workbook.redact import Redactor, shared_folder

ROWS_SHOWN = 100
MOST_LIVE_BYTES = 1_500_000
"""Data of charts that answer to the mouse, all together; charts past it stand as pictures only."""

MOST_SQL = 12_000
"""Characters of SQL in the page; longer statements carry rows that Python judged."""

_LIBRARIES = ("duckdb", "altair", "pandas", "numpy", "scipy", "vl-convert-python")


def write(
    path: str | Path,
    results: Sequence[Result],
    *,
    title: str = "Performance investigation",
    notes: str = "",
    sources: pd.DataFrame | None = None,
    redact: bool = True,
    version: str | None = None,
) -> Path:
    """Write the results as one HTML file and return its path; there is the whole file or none.

    A path that ends in .md gives Markdown. A result named triage, if there is one, gives the summary.
    ``notes`` is plain text, empty lines part paragraphs. ``sources`` is the table of loaded files. With
    ``redact`` everything that came from the files, and the notes, are redacted; the title is yours. Raises
    WorkbookError when the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() in (".md", ".markdown"):
        made = markdown(results, title=title, notes=notes, sources=sources, redact=redact, version=version)
    else:
        made = html(results, title=title, notes=notes, sources=sources, redact=redact, version=version)
    with whole.written(target) as temporary:
        temporary.write_text(made, encoding="utf-8", newline="\n")
    return target


def html(
    results: Sequence[Result],
    *,
    title: str = "Performance investigation",
    notes: str = "",
    sources: pd.DataFrame | None = None,
    redact: bool = True,
    version: str | None = None,
) -> str:
    """Return the text of the page that ``write`` writes."""
    import jinja2
    from markupsafe import Markup

    counts = [len(one.table) for one in results]
    shown, files, said, redactor = _to_show(results, sources, notes, redact)
    triage = next((one for one in shown if one.name == "triage"), None)
    findings = triage.findings if triage else worst_first(one for result in shown for one in result.findings)
    sections = _sections(shown, counts, redactor)
    style, script = _asset("report.css"), _asset("report.js")
    bundle = _bundle() if any(section.live for section in sections) else ""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(visible=lambda text: words.visible(str(text)), count=words.count)
    page = environment.from_string(_asset("report.html")).render(
        title=title,
        paragraphs=_paragraphs(said),
        span=_span(shown, files),
        tally=_tally(findings),
        groups=_groups(findings, {section.name for section in sections}),
        overview=next((section for section in sections if section.name == "triage"), None),
        sections=[section for section in sections if section.name != "triage"],
        files=_files(files),
        versions=_versions(version),
        redacted=redact,
        style=Markup(style),
        script=Markup(script),
        bundle=Markup(bundle),
        policy=_policy(style, script, bundle),
    )
    return page if page.endswith("\n") else page + "\n"


def markdown(
    results: Sequence[Result],
    *,
    title: str = "Performance investigation",
    notes: str = "",
    sources: pd.DataFrame | None = None,
    redact: bool = True,
    version: str | None = None,
) -> str:
    """Return the results as Markdown: findings, first rows, SQL, sources; no charts."""
    counts = [len(one.table) for one in results]
    shown, files, said, _ = _to_show(results, sources, notes, redact)
    parts = [f"# {cells.markdown(title)}", _span(shown, files)]
    parts += [cells.markdown(part) for part in _paragraphs(said)]
    for result, count in zip(shown, counts, strict=True):
        few = replace(result, table=result.table.iloc[:0], sql="") if result.name == "triage" else result
        parts.append(render.result_markdown(few, count=count).strip())
    if files is not None and len(files):
        parts += ["## Sources", cells.markdown_table(files[_SOURCE_COLUMNS(files)])]
    parts.append(", ".join(f"{name} {number}" for name, number in _versions(version)))
    return "\n\n".join(parts) + "\n"


# what the template is given


@dataclass(frozen=True)
class _Section:
    """One result, ready for the page."""

    name: str
    question: str
    scope: str
    findings: list[dict[str, Any]]
    picture: Any
    alternative: str
    live: Any
    heads: list[tuple[str, bool]]
    rows: list[list[tuple[str, str]]]
    count: int
    sql: str
    code: str


def _sections(results: Sequence[Result], counts: list[int], redactor: Redactor | None) -> list[_Section]:
    from markupsafe import Markup

    sections, budget = [], MOST_LIVE_BYTES
    for result, count in zip(results, counts, strict=True):
        picture = live = None
        if result.chart is not None:
            spec = charts.spec(result.chart)
            if redactor is not None:
                spec = _redacted_spec(spec, redactor)
            text = words.escape_invisible(json.dumps(spec, ensure_ascii=False, separators=(",", ":")))
            text = text.replace("<", "\\u003c")
            picture = _picture(spec, result.name)
            if len(text) <= budget:
                budget -= len(text)
                live = Markup(text)
        sections.append(_section(result, count, picture, live))
    return sections


def _shortened(result: Result) -> Result:
    """The result with the rows and as much of the SQL as the page shows."""
    sql = result.sql
    if len(sql) > MOST_SQL:
        whole = sql[:MOST_SQL].rpartition("\n")[0]
        sql = f"{whole}\n-- … cut here; {result.code}.sql has all"
    return replace(result, table=result.table.head(ROWS_SHOWN), sql=sql)


def _section(result: Result, count: int, picture: Any, live: Any) -> _Section:
    first = result.table
    names = [str(name) for name in first.columns]
    right = [cells.numeric(first, at) for at in range(len(names))]
    rows = [
        [(_key(value), cells.cell(value, name)) for value, name in zip(row, names, strict=True)]
        for row in first.itertuples(index=False, name=None)
    ]
    return _Section(
        name=result.name,
        question=result.question,
        scope=render.scope(result),
        findings=[_finding(one) for one in worst_first(result.findings)],
        picture=picture,
        alternative=charts.description(result.chart) if result.chart is not None else "",
        live=live,
        heads=list(zip(names, right, strict=True)),
        rows=rows,
        count=count,
        sql=words.visible(result.sql),
        code=result.code,
    )


def _key(value: Any) -> str:
    """What a column is sorted by: the number or the time itself; empty where it is missing or plain text."""
    flat = cells.plain(value)
    return (
        ""
        if flat is None or (isinstance(flat, str | list | dict) and not hasattr(value, "isoformat"))
        else str(flat)
    )


def _finding(finding: Finding) -> dict[str, Any]:
    details = render.details(finding)
    return {
        "severity": finding.severity,
        "word": render.SEVERITY_WORDS[finding.severity],
        "title": words.visible(finding.title, one_line=True),
        "next_step": next((text for label, text in details if label == "next step"), ""),
        "details": [(label, text) for label, text in details if label != "next step"],
        "evidence": [(render.place(one), words.visible(one.text, one_line=True)) for one in finding.evidence],
        "analysis": finding.analysis,
        "parts": [(words.visible(part.title, one_line=True), part.analysis) for part in finding.parts],
    }


def _groups(findings: Sequence[Finding], known: set[str]) -> list[dict[str, Any]]:
    """The findings of the summary: what is wrong, then what was ruled out, then what cannot be told."""
    groups = (
        ("Findings", ("critical", "warning", "note")),
        ("Ruled out", ("ruled_out",)),
        ("Cannot tell from these files", ("cannot_tell",)),
    )
    shown = []
    for head, severities in groups:
        some = [_finding(one) for one in findings if one.severity in severities]
        for one in some:
            one["link"] = one["analysis"] if one["analysis"] in known else ""
        shown.append({"head": head, "findings": some})
    return shown


def _tally(findings: Sequence[Finding]) -> list[tuple[str, int, str]]:
    counts = [(word, sum(one.severity == word for one in findings)) for word in SEVERITIES]
    plural = {"warning": "warnings", "note": "notes"}
    return [
        (word, count, plural.get(word, "") if count > 1 and word in plural else render.SEVERITY_WORDS[word])
        for word, count in counts
        if count
    ]


def _span(results: Sequence[Result], files: pd.DataFrame | None) -> str:
    windows = {str(result.window): result.window for result in results}
    if len(windows) == 1 and (window := next(iter(windows.values()))).start and window.end:
        return words.times(window.start, window.end)
    if files is None or files.empty or "first_time" not in files:
        return ", ".join(windows)
    first, last = files["first_time"].min(), files["last_time"].max()
    loaded = "no time in these files" if words.missing(first) else words.times(first, last)
    return loaded if set(windows) <= {"all of the loaded time"} else f"{', '.join(windows)}; loaded: {loaded}"


def _SOURCE_COLUMNS(files: pd.DataFrame) -> list[str]:
    wanted = ("path", "kind", "lines", "log_lines", "unread", "bytes", "first_time", "last_time", "sha256")
    return [name for name in wanted if name in files]


def _files(files: pd.DataFrame | None) -> dict[str, Any] | None:
    if files is None or files.empty:
        return None
    shown = files[_SOURCE_COLUMNS(files)]
    right = [cells.numeric(shown, at) for at in range(shown.shape[1])]
    names = [name.replace("_", " ") for name in shown.columns]
    rows = [[("", text) for text in row] for row in cells.cells(shown)]
    return {"heads": list(zip(names, right, strict=True)), "rows": rows}


def _versions(version: str | None) -> list[tuple[str, str]]:
    import workbook

    found = [("workbook", version or workbook.__version__)]
    for name in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append((name, importlib.metadata.version(name)))
    return found


# redaction


def _to_show(
    results: Sequence[Result], sources: pd.DataFrame | None, notes: str, redact: bool
) -> tuple[list[Result], pd.DataFrame | None, str, Redactor | None]:
    """The results with their tables cut, the sources and the notes; redacted where asked, with what redacted them."""
    short = [_shortened(one) for one in results]
    return _redacted(short, sources, notes) if redact else (short, sources, notes, None)


def _paragraphs(notes: str) -> list[str]:
    return [part for part in re.split(r"\n\s*\n", notes.strip()) if part]


def _redacted(
    results: Sequence[Result], sources: pd.DataFrame | None, notes: str
) -> tuple[list[Result], pd.DataFrame | None, str, Redactor]:
    redactor = Redactor("" if sources is None else shared_folder(list(map(str, sources["path"]))))
    for result in results:
        if "host" in result.table:
            for host in result.table["host"].dropna().unique():
                redactor.value(str(host), "host")
    kept = [_redacted_result(result, redactor) for result in results]
    files = None if sources is None else _redacted_frame(sources, redactor)
    return kept, files, redactor.text(notes), redactor


def _redacted_result(result: Result, redactor: Redactor) -> Result:
    return replace(
        result,
        findings=tuple(_redacted_finding(one, redactor) for one in result.findings),
        table=_redacted_frame(result.table, redactor),
        sql=redactor.text(result.sql),
        parameters={name: redactor.value(value, name) for name, value in result.parameters.items()},
        weakened=tuple(map(redactor.text, result.weakened)),
    )


def _redacted_finding(finding: Finding, redactor: Redactor) -> Finding:
    evidence = tuple(
        replace(one, source=redactor.text(one.source), text=redactor.text(one.text))
        for one in finding.evidence
    )
    return replace(
        finding,
        title=redactor.text(finding.title),
        parts=tuple(_redacted_finding(part, redactor) for part in finding.parts),
        next_step=redactor.text(finding.next_step),
        numbers={name: redactor.value(value, name) for name, value in finding.numbers.items()},
        evidence=evidence,
    )


def _redacted_frame(frame: pd.DataFrame, redactor: Redactor) -> pd.DataFrame:
    kept = frame.copy()
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        if name == "sha256" or pd.api.types.is_numeric_dtype(column.dtype) or _is_time(column):
            continue
        values: Any = pd.Series([redactor.value(one, str(name)) for one in column], frame.index, dtype=object)
        kept.isetitem(place, values)
    return kept


def _is_time(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(
        column.dtype
    )


def _redacted_spec(spec: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """The specification with its data and its texts redacted, its expressions and field names as they are."""

    def texts(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {
                key: texts(inner, key) for key, inner in value.items() if key not in ("datasets", "$schema")
            }
        if isinstance(value, list):
            return [texts(one, name) for one in value]
        return (
            redactor.text(value)
            if isinstance(value, str) and name in ("title", "subtitle", "text", "description")
            else value
        )

    kept: dict[str, Any] = texts(spec)
    if "$schema" in spec:
        kept["$schema"] = spec["$schema"]
    if "datasets" in spec:
        kept["datasets"] = {name: redactor.value(rows) for name, rows in spec["datasets"].items()}
    return kept


# the parts of the page


def _picture(spec: dict[str, Any], name: str) -> Any:
    from markupsafe import Markup

    kind, drawn = charts.still(spec)
    if kind != "image/svg+xml":
        data = base64.b64encode(drawn).decode("ascii")
        return Markup(f'<img src="data:{kind};base64,{data}" alt="">')  # the figure has the text
    svg = re.sub(r'\b(id="|url\(#|href="#)', rf"\1{re.sub(r'[^A-Za-z0-9]', '-', name)}-", drawn.decode())
    return Markup(re.sub(r'(<[^>]*?) style="[^"]*"', r"\1", svg))


@functools.cache
def _bundle() -> str:
    import vl_convert

    made: str = vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;")
    return re.sub(r"<(?=/script|!--)", r"\\x3c", made.replace("\r\n", "\n"), flags=re.IGNORECASE)


def _asset(name: str) -> str:
    text = resources.files("workbook").joinpath(name).read_text(encoding="utf-8")
    if name == "report.css":
        text += _colours()
    return text


def _colours() -> str:
    from workbook.notebook_html import BADGES

    return "".join(
        f".{word} .badge, .chip.{word} {{ background: {ground}; color: {letter}; }}\n"
        f".finding.{word} {{ border-color: {ground}; }}\n"
        for word, (ground, letter) in BADGES.items()
    )


def _policy(style: str, *scripts: str) -> str:
    allowed = " ".join(f"'{_hash(script)}'" for script in scripts if script)
    return (
        f"default-src 'none'; script-src {allowed}; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
