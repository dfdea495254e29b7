"""``workbook notebook``: a notebook run without a browser, kept as .ipynb and as one HTML file that needs nothing."""

from __future__ import annotations

import ast
import difflib
import glob
import re
from pathlib import Path
from typing import Any

from workbook import lab, words
from workbook.errors import UsageError, WorkbookError
from workbook.window import Window

NOTES = "notes"
"""The tag of the cells that a person writes; they are kept when the notebook is run again."""
OWN_DATA = "own_data"
"""Beside ``parameters``: the tag of a notebook that brings the exports it reads."""
_TIMEOUT_S = 3600


def run(
    name: str,
    paths: list[str],
    *,
    database: str | None = None,
    output: str | Path = ".",
    window: Window | None = None,
) -> tuple[Path, Path]:
    """Run a notebook on exports or a database; return the paths of the executed .ipynb and of its .html.

    The exports, the database and the window are written into the cell that is tagged ``parameters``. Cells tagged
    ``notes`` in an .ipynb of that name in the output folder are kept, in their places. Nothing is written unless every
    cell ran. Raises WorkbookError for an unknown name (with all names), a missing path, a folder that cannot be
    written, or a cell that failed.
    """
    import nbformat

    from workbook import page

    template = find(name)
    folder = Path(output)
    target = folder / template.name
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{output} is a file.", next_step="Name a folder with -o.")
    if target.exists() and target.samefile(template):
        raise UsageError(
            f"{output} holds the notebook itself, which stays without outputs.",
            next_step="Name another folder with -o.",
        )
    notebook = nbformat.read(template, as_version=4)
    _set(notebook, template, _values(notebook, template, paths, database, window or Window()))
    if target.exists():
        _keep_notes(_read(target), notebook)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _execute(notebook, folder, template.stem)
        _write(target, nbformat.writes(notebook) + "\n")
        html = target.with_suffix(".html")
        _write(html, page.html(notebook))
    except OSError as error:
        raise UsageError(
            f"{output} cannot be written ({error.strerror or error}).",
            next_step="Name another folder with -o.",
        ) from error
    return target, html


def find(name: str) -> Path:
    """Return the path of the notebook of that name; UsageError that lists all when there is none."""
    known = {path.stem: path for path in sorted(lab.notebooks().glob("*.ipynb"))}
    if name.removesuffix(".ipynb") in known:
        return known[name.removesuffix(".ipynb")]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise UsageError(f"there is no notebook “{name}”.", next_step=f"{hint}There are: {', '.join(known)}.")


def _values(
    notebook: Any, template: Path, paths: list[str], database: str | None, window: Window
) -> dict[str, object]:
    """Return what the parameters become; UsageError where that is nothing."""
    tags = _parameters(notebook, template)["metadata"]["tags"]
    for path in paths:
        if not Path(path).exists() and not glob.has_magic(path):
            raise UsageError(f"{path}: there is no such file or folder.", next_step="Check the name.")
    if database is not None and not paths and not Path(database).exists():
        raise UsageError(
            f"there is no database {database} here.", next_step="Check the name, or name exports as well."
        )
    if database is None and not paths and OWN_DATA not in tags:
        if not lab.DATABASE.exists():
            raise UsageError(
                "the notebook has nothing to read.",
                next_step=f"Name exports, or a database with --db (there is no {lab.DATABASE} here).",
            )
        database = str(lab.DATABASE)
    if OWN_DATA in tags and not paths and database is None:
        own = _assignments(notebook, template)["exports"]
        values: dict[str, object] = {"exports": str((template.parent / str(own)).resolve())}
    else:
        values = {"exports": [str(Path(path).resolve()) for path in paths], "database": None}
    if database is not None:
        values["database"] = str(Path(database).resolve())
    for key, moment in (("start", window.start), ("end", window.end)):
        if moment is not None:
            values[key] = str(moment)
    return values


def _parameters(notebook: Any, path: Path) -> Any:
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            return cell
    raise UsageError(f"{path.name} has no cell tagged parameters.", next_step="Install the package again.")


def _assignments(notebook: Any, path: Path) -> dict[str, Any]:
    """Return the parameters with their values, by name."""
    body = ast.parse(_parameters(notebook, path)["source"]).body
    return {
        target.id: ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _set(notebook: Any, path: Path, values: dict[str, object]) -> None:
    known = _assignments(notebook, path)
    if not set(values) <= set(known):
        raise UsageError(
            f"{path.stem} reads everything that is loaded: it takes no --from or --to.",
            next_step="Leave them out, or choose the window in the notebook's panel.",
        )
    cell = _parameters(notebook, path)
    cell["source"] = lab.assigned(cell["source"], values)


def _read(path: Path) -> Any:
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:
        raise UsageError(
            f"{path} is no notebook any more, so its notes cannot be kept.", next_step="Move it away first."
        ) from error


def _is_notes(cell: Any) -> bool:
    return NOTES in cell["metadata"].get("tags", [])


def _keep_notes(earlier: Any, notebook: Any) -> None:
    """Put the notes of an earlier run into the notebook, each behind the cell that it stood behind."""
    ids = [cell["id"] for cell in notebook["cells"]]
    behind: str | None = None
    for cell in earlier["cells"]:
        if _is_notes(cell):
            if cell["id"] in ids:
                notebook["cells"][ids.index(cell["id"])] = cell
            else:
                at = ids.index(behind) + 1 if behind in ids else 0
                notebook["cells"].insert(at, cell)
                ids.insert(at, cell["id"])
        if cell["id"] in ids:
            behind = cell["id"]


def _execute(notebook: Any, folder: Path, name: str) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    client = NotebookClient(
        notebook, timeout=_TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    try:
        client.execute()
    except CellExecutionError as error:
        said = words.cut(words.visible(f"{error.ename}: {error.evalue}", one_line=True), 300)
        raise WorkbookError(
            f"{name} stopped at a cell that failed, and nothing was written: {_sentence(said)}"
        ) from error
    except CellTimeoutError as error:
        raise WorkbookError(
            f"{name} stopped: a cell ran longer than {_TIMEOUT_S // 60} minutes. Nothing was written."
        ) from error


def _sentence(said: str) -> str:
    """What a cell said; of our own errors without the name of the class."""
    plain = re.sub(r"^(UsageError|WorkbookError): ", "", said)
    return plain if plain.endswith((".", "!", "?")) else f"{plain}."


def _write(path: Path, text: str) -> None:
    """Write a file whole, or leave what was there."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
