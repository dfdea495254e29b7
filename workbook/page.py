"""An executed notebook as one HTML page: no script, no network, light and dark, and fit to print."""

from __future__ import annotations

import base64
import html as markup
import re
from typing import Any

from workbook import words

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""No script runs in the page, whatever a cell put out."""
_WIDGET = "application/vnd.jupyter.widget-view+json"
_PICTURES = ("image/svg+xml", "image/png")


def html(notebook: Any) -> str:
    """Return an executed notebook as a page: prose, findings, tables and pictures; the code of each cell folded.

    Markdown is rendered with HTML in it escaped. What a cell shows as HTML stands as it is, under a policy that lets
    no script run and nothing be fetched; of a widget, which needs a kernel, a sentence says what stood there.
    """
    title = _title(notebook)
    body = "".join(_cell(cell) for cell in notebook["cells"])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_escaped(title)}</title><style>{_STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    )


def _escaped(text: Any) -> str:
    return markup.escape(words.visible(str(text)))


def _title(notebook: Any) -> str:
    for cell in notebook["cells"]:
        found = re.match(r"#\s+(.+)", cell["source"])
        if cell["cell_type"] == "markdown" and found:
            return found[1].strip()
    return "Notebook"


def _cell(cell: Any) -> str:
    if cell["cell_type"] == "markdown":
        kind = "prose notes" if "notes" in cell["metadata"].get("tags", []) else "prose"
        return f'<section class="{kind}">{_markdown(cell["source"])}</section>\n'
    if cell["cell_type"] != "code":
        return f"<pre>{_escaped(cell['source'])}</pre>\n"
    code = f"<details><summary>Code</summary><pre>{_escaped(cell['source'])}</pre></details>"
    return f'<section class="cell">{code}{"".join(map(_output, cell["outputs"]))}</section>\n'


def _markdown(source: str) -> str:
    import mistune

    render = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])
    return str(render(words.visible(source)))


def _output(output: Any) -> str:
    if output["output_type"] == "stream":
        # what goes to stderr is the bar of a load
        return f"<pre>{_escaped(output['text'])}</pre>" if output["name"] == "stdout" else ""
    if output["output_type"] == "error":
        return f"<pre>{_escaped(output['ename'])}: {_escaped(output['evalue'])}</pre>"
    data = output["data"]
    if _WIDGET in data:
        if not data.get("text/plain", "").startswith("Panel("):
            # the bar of a load
            return ""
        return '<p class="widget">Here stands a panel; open the notebook in JupyterLab to use it.</p>'
    if "text/html" in data:
        return f'<div class="shown">{data["text/html"]}</div>'
    for kind in _PICTURES:
        if kind in data:
            return f'<img alt="{_escaped(data.get("text/plain", "picture"))}" src="{_address(kind, data[kind])}">'
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    return f"<pre>{_escaped(data.get('text/plain', ''))}</pre>"


def _address(kind: str, data: str) -> str:
    """A picture as a data address; SVG only as a picture, in which nothing runs."""
    coded = "".join(data.split()) if kind == "image/png" else base64.b64encode(data.encode()).decode("ascii")
    return f"data:{kind};base64,{markup.escape(coded)}"


_STYLE = """
:root{color-scheme:light dark;--jp-ui-font-color1:#1f2a37;--jp-ui-font-color2:#5b6675;--jp-layout-color1:#fff;
 --jp-layout-color2:#f3f5f8;--jp-border-color1:#c3cad4;--jp-border-color2:#e6e9ee}
@media (prefers-color-scheme:dark){:root{--jp-ui-font-color1:#e4e8ee;--jp-ui-font-color2:#a3adba;
 --jp-layout-color1:#15191f;--jp-layout-color2:#222831;--jp-border-color1:#4a5563;--jp-border-color2:#2c343f}}
body{margin:0;background:var(--jp-layout-color1);color:var(--jp-ui-font-color1);
 font:15px/1.55 system-ui,sans-serif}
main{max-width:1000px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:26px;line-height:1.25;margin:8px 0 12px}h2{font-size:19px;margin:34px 0 6px}
.prose p{margin:6px 0;max-width:72ch}a{color:inherit}
.prose table{border-collapse:collapse}.prose th,.prose td{padding:3px 10px;text-align:left;
 border-bottom:1px solid var(--jp-border-color2)}
.notes{border-left:4px solid #0072b2;padding-left:12px;margin:12px 0}
.cell{margin:10px 0 18px}.cell>details>summary{cursor:pointer;font-size:12px;color:var(--jp-ui-font-color2)}
.shown{overflow-x:auto}
pre,code{font:12px/1.45 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
pre{background:var(--jp-layout-color2);padding:8px 10px;border-radius:4px}
.widget{color:var(--jp-ui-font-color2);font-size:13px}
img{max-width:100%;height:auto}
.shown>div>table.dataframe,.shown table.dataframe{border-collapse:collapse;font-size:12px}
.shown table.dataframe th,.shown table.dataframe td{padding:3px 10px;text-align:right;border:0;
 border-bottom:1px solid var(--jp-border-color2)}
@media print{main{max-width:none;padding:0}.cell>details{display:none}.wb-finding,figure,tr{break-inside:avoid}
 .wb .wb-table,.shown{overflow:visible}}
"""
