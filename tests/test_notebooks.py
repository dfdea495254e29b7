"""The notebooks: thin, stripped, and each runs over the sample data from a clean kernel."""

import ast
import itertools
import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def test_there_is_one_for_the_start_and_one_for_each_of_the_books_questions():
    named = {"start_here", "incident_postmortem", "weekly_review", "slow_transactions", "queueing", "memory"}
    assert named <= {path.stem for path in NOTEBOOKS}


@each
def test_a_notebook_is_stripped(path):
    content = json.loads(path.read_text())
    assert set(content["metadata"]) == {"kernelspec", "language_info"}
    for cell in code_cells(path):
        assert cell["outputs"] == [] and cell["execution_count"] is None


@each
def test_a_notebook_is_thin(path):
    cells = json.loads(path.read_text())["cells"]
    tagged = [cell for cell in code_cells(path) if "parameters" in cell["metadata"].get("tags", [])]
    assert tagged == code_cells(path)[:1]
    for node in ast.parse("".join(tagged[0]["source"])).body:
        assert isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    for before, cell in itertools.pairwise(cells):
        if cell["cell_type"] == "code":
            assert before["cell_type"] == "markdown", "a code cell follows prose that says what to look for"
    for cell in code_cells(path):
        source = "".join(cell["source"])
        assert len(source.splitlines()) <= 8
        assert not any(
            isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(ast.parse(source))
        )
        assert not any(
            word in source for word in ("SELECT ", "import altair", "import duckdb", "import ipywidgets")
        )


@each
def test_a_notebook_runs_over_the_sample_data(path, tmp_path):
    for name in ("notebooks", "sample_data"):
        shutil.copytree(ROOT / name, tmp_path / name)
    notebook = nbformat.read(tmp_path / "notebooks" / path.name, as_version=4)
    NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path / "notebooks")}}
    ).execute()
    shown = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "wb-finding" in shown and "data:image/svg+xml" in shown
