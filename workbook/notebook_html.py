"""Findings, results and tables as HTML for a notebook, light or dark, complete without a network."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbook import words
from workbook.analysis import worst_first
from workbook.cells import MOST_CELL, cell, cells, numeric
from workbook.render import ROWS_SHOWN, SEVERITY_WORDS, details, load_table, place, scope

if TYPE_CHECKING:
    from workbook.analysis import Finding, Result
    from workbook.loading import LoadReport


def escaped(text: Any) -> str:
    """Return text for HTML, hidden characters written out."""
    return html.escape(words.visible(str(text)))


def finding_html(finding: Finding) -> str:
    """Return the finding as HTML for a notebook: sentence, next step, and its lines folded."""
    return f'{_STYLE}<div class="wb">{_finding_div(finding)}</div>'


def findings_html(findings: Iterable[Finding], weakened: Sequence[str] = ()) -> str:
    """Return findings as HTML for a notebook, worst first, under what weakens them."""
    said = "".join(_finding_div(finding) for finding in worst_first(findings))
    scope = f'<p class="wb-scope">weakened: {escaped(" ".join(weakened))}</p>' if weakened else ""
    return f'{_STYLE}<div class="wb">{scope}{said or "<p>Nothing was found here.</p>"}</div>'


def result_html(result: Result) -> str:
    """Return the result as HTML for a notebook, complete without a network: findings, picture, rows, SQL."""
    parts = [f'<p class="wb-question">{escaped(result.question)}</p>']
    parts.append(f'<p class="wb-scope">{escaped(result.name)}, {escaped(scope(result))}</p>')
    parts += [_finding_div(finding) for finding in worst_first(result.findings)]
    if result.chart is not None:
        parts.append(_figure(result.chart, result.question))
    if len(result.table):
        parts.append(table_html(result.table, ROWS_SHOWN))
    if result.sql:
        sql = f"<pre>{escaped(result.sql)}</pre>"
        parts.append(f"<details><summary>SQL that gives the table again</summary>{sql}</details>")
    return f'{_STYLE}<div class="wb">{"".join(parts)}</div>'


def frame_html(frame: pd.DataFrame, caption: str = "", rows: int = ROWS_SHOWN) -> str:
    """Return a frame as a styled table for a notebook, with a caption."""
    head = f'<p class="wb-question">{escaped(caption)}</p>' if caption else ""
    return f'{_STYLE}<div class="wb">{head}{table_html(frame, rows)}</div>'


def load_html(report: LoadReport) -> str:
    """Return what became of every file: what could not be loaded, one row a file, what was left aside."""
    parts = [f'<p class="wb-question">{words.plural(len(report.table), "file")} loaded</p>']
    parts += [
        f'<div class="wb-finding wb-edge-warning"><p><span class="wb-badge wb-warning">not loaded</span> '
        f"{escaped(words.visible(str(error), one_line=True))}</p></div>"
        for error in report.errors
    ]
    if len(report.table):
        parts.append(table_html(load_table(report.table), 200))
    if report.skipped:
        names = ", ".join(words.visible(name, one_line=True) for name in report.skipped)
        parts.append(f'<p class="wb-more">Left aside, no export: {escaped(names)}</p>')
    return f'{_STYLE}<div class="wb">{"".join(parts)}</div>'


def table_html(frame: pd.DataFrame, rows: int) -> str:
    """Return the first rows of a frame as an HTML table, and how many rows there are in all."""
    right = [numeric(frame, at) for at in range(frame.shape[1])]
    heads = "".join(
        f'<th{_align(right[at])} scope="col">{escaped(name)}</th>' for at, name in enumerate(frame.columns)
    )
    body = "".join(
        "<tr>" + "".join(_td(text, right[at]) for at, text in enumerate(row)) + "</tr>"
        for row in cells(frame.head(rows))
    )
    more = ""
    if len(frame) > rows:
        more = (
            f'<p class="wb-more">… {rows} of {words.count(len(frame))} rows; <code>.table</code> has all</p>'
        )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wb-table">{table}</div>{more}'


def _align(right: bool) -> str:
    return ' style="text-align:right"' if right else ' style="text-align:left"'


def _td(text: str, right: bool) -> str:
    short = words.cut(text, MOST_CELL)
    hint = f' title="{html.escape(text)}"' if short != text else ""
    return f"<td{_align(right)}{hint}>{html.escape(short)}</td>"


def _finding_div(finding: Finding) -> str:
    word = SEVERITY_WORDS[finding.severity]
    head = f'<span class="wb-badge wb-{finding.severity}">{word}</span> {escaped(finding.title)}'
    known = details(finding)
    then = "".join(f'<p class="wb-next">{escaped(text)}</p>' for label, text in known if label == "next step")
    rest = "".join(
        f"<dt>{label}</dt><dd>{escaped(text)}</dd>" for label, text in known if label != "next step"
    )
    lines = "".join(
        f"<dt>{escaped(place(one))}</dt><dd><code>{html.escape(cell(one.text))}</code></dd>"
        for one in finding.evidence
    )
    fold = ""
    if rest or lines:
        label = words.plural(len(finding.evidence), "line") + " of the log" if lines else "numbers"
        fold = f"<details><summary>{label}</summary><dl>{lines}{rest}</dl></details>"
    parts = _parts(finding)
    return f'<div class="wb-finding wb-edge-{finding.severity}"><p>{head}</p>{then}{parts}{fold}</div>'


def _parts(finding: Finding) -> str:
    """Return the parts of a story as a list: the sentence of each, and who says it."""
    said = "".join(
        f'<li>{escaped(part.title)} <span class="wb-more">{escaped(part.analysis)}</span></li>'
        for part in finding.parts
    )
    return f'<ul class="wb-parts">{said}</ul>' if said else ""


def _figure(chart: Any, question: str) -> str:
    from workbook import charts

    kind, picture = charts.still(chart)
    said = charts.description(chart) or question
    data = base64.b64encode(picture).decode("ascii")
    return f'<figure><img src="data:{kind};base64,{data}" alt="{escaped(said)}"></figure>'


BADGES = {
    "critical": ("#b23c00", "#ffffff"),
    "warning": ("#e69f00", "#1b1b1b"),
    "note": ("#0072b2", "#ffffff"),
    "ruled_out": ("#00785a", "#ffffff"),
    "cannot_tell": ("#66707d", "#ffffff"),
}
"""Ground and letter colour of each severity's badge; all have a contrast of at least 4.5."""

_STYLE = (
    """<style>
.wb{font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.45;max-width:1000px;
 color:var(--jp-ui-font-color1,#1f2a37)}
.wb p{margin:0}
.wb .wb-question{font-size:15px;font-weight:600;margin:2px 0}
.wb .wb-scope,.wb .wb-more,.wb dt,.wb summary{color:var(--jp-ui-font-color2,#5b6675);font-size:12px}
.wb .wb-scope{margin-bottom:8px}
.wb .wb-finding{border-left:4px solid;padding:5px 0 5px 10px;margin:6px 0;
 background:var(--jp-layout-color1,#fff)}
.wb .wb-badge{display:inline-block;border-radius:3px;padding:0 6px;margin-right:6px;font-size:11px;
 font-weight:600}
.wb .wb-next{margin-top:3px}.wb .wb-next::before{content:"→ ";color:var(--jp-ui-font-color2,#5b6675)}
.wb .wb-parts{margin:3px 0 0;padding-left:18px;font-size:12px}
.wb details{margin-top:3px}.wb summary{cursor:pointer}
.wb dl{margin:4px 0 0;display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 12px}
.wb dt{font-weight:400;max-width:260px;overflow-wrap:anywhere}.wb dd{margin:0}
.wb code,.wb pre{font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12px;background:none;
 color:inherit;overflow-wrap:anywhere;white-space:pre-wrap}
.wb figure{margin:10px 0}.wb figure img{background:#fff;border-radius:4px;max-width:100%;height:auto}
.wb .wb-table{overflow-x:auto;margin-top:8px}
.wb table{border-collapse:collapse;font-variant-numeric:tabular-nums;border:0;margin:0;font-size:12px}
.wb table,.wb th,.wb td{color:var(--jp-ui-font-color1,#1f2a37)}
.wb th,.wb td{padding:3px 10px;white-space:nowrap;border:0;background:none}
.wb thead th{border-bottom:1px solid var(--jp-border-color1,#c3cad4);font-weight:600;
 color:var(--jp-ui-font-color1,#1f2a37)}
.wb tbody tr{border-bottom:1px solid var(--jp-border-color2,#e6e9ee);background:none}
.wb tbody tr:hover{background:var(--jp-layout-color2,#f3f5f8)}
"""
    + "".join(
        f".wb .wb-{word}{{background:{ground};color:{letter}}}.wb .wb-edge-{word}{{border-color:{ground}}}\n"
        for word, (ground, letter) in BADGES.items()
    )
    + "</style>"
)
