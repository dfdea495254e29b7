"""The notebook in a bundle: one of the workbook's, run on the bundle's tables, or a person's file without outputs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from workbook import headless
from workbook.bundle import tables
from workbook.database import Database
from workbook.errors import UsageError
from workbook.redact import Redactor
from workbook.window import Window

FOLDER = "notebook"
DATABASE = "tables.duckdb"
"""What the notebook says it reads; ``duckdb tables.duckdb -init tables.sql`` makes it of the bundle's tables."""


def add(
    root: Path,
    notebook: str | Path,
    written: list[tables.Table],
    redactor: Redactor | None,
    window: Window,
) -> None:
    """Write the notebook into the folder of a bundle.

    A file goes in with its cells, redacted where asked, and without outputs: what a cell has shown came from the data
    before redaction. A name is run anew. Raises UsageError when there is neither such a file nor such a notebook.
    """
    target = root / FOLDER
    path = Path(notebook)
    if path.suffix == ".ipynb" and path.exists():
        target.mkdir()
        _write(path, target / "notebook.ipynb", redactor)
        return
    headless.find(str(notebook))
    with tempfile.TemporaryDirectory(prefix="workbook-notebook-") as folder:
        path = Path(folder).resolve() / DATABASE
        with Database(path) as database:
            tables.fill(database, root, written)
        for made in headless.run(str(notebook), [], database=str(path), output=target, window=window):
            text = made.read_text(encoding="utf-8").replace(str(path), DATABASE)
            made.write_text(text, encoding="utf-8", newline="\n")


def _write(path: Path, target: Path, redactor: Redactor | None) -> None:
    import nbformat

    try:
        read: Any = nbformat.read(path, as_version=4)
    except Exception as error:
        raise UsageError(
            f"{path} is no notebook.", next_step="Name an .ipynb file, or a notebook."
        ) from error
    for cell in read["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        if redactor is not None:
            cell["source"] = redactor.value(cell["source"])
            cell.pop("attachments", None)
            cell["metadata"] = {"tags": cell["metadata"].get("tags", [])}
    target.write_text(nbformat.writes(read) + "\n", encoding="utf-8", newline="\n")
