"""``workbook lab``: the notebooks are there, wherever the package came from, and read what they are given."""

import json
from pathlib import Path

import pytest

from workbook import WorkbookError, lab

ROOT = Path(__file__).parents[1]


def parameters(notebook: Path) -> str:
    cells = json.loads(notebook.read_text())["cells"]
    return next("".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", []))


def test_a_checkout_uses_its_own_notebooks():
    assert lab.prepare(ROOT, []) == ROOT


def test_elsewhere_copies_are_made_once_and_kept(tmp_path):
    root = lab.prepare(tmp_path, [])
    assert (root / "sample_data" / "heroku-ps.txt").exists()
    note = root / "notebooks" / "start_here.ipynb"
    note.write_text(note.read_text().replace("# What is wrong", "# My notes"))
    lab.prepare(tmp_path, [])
    assert "# My notes" in note.read_text()


def test_paths_become_the_parameters_whatever_their_names(tmp_path):
    exports = tmp_path / 'it\'s a "folder" \\ here'
    exports.mkdir()
    root = lab.prepare(tmp_path, [str(exports)])
    own = root / "notebooks" / "own.ipynb"
    own.write_text("not json")
    lab.prepare(tmp_path, [str(exports)])
    for name in ("start_here", "queueing"):
        values: dict[str, object] = {}
        exec(parameters(root / "notebooks" / f"{name}.ipynb"), values)
        assert values["exports"] == [str(exports.resolve())] and values["database"] is None
    assert own.read_text() == "not json"


def test_a_database_in_the_folder_is_what_the_notebooks_read(tmp_path):
    (tmp_path / "workbook.duckdb").write_bytes(b"")
    root = lab.prepare(tmp_path, [])
    values: dict[str, object] = {}
    exec(parameters(root / "notebooks" / "memory.ipynb"), values)
    assert values["exports"] == [] and values["database"] == str((tmp_path / "workbook.duckdb").resolve())


def test_a_missing_path_makes_nothing(tmp_path):
    with pytest.raises(WorkbookError, match="no such file"):
        lab.prepare(tmp_path, [str(tmp_path / "nowhere")])
    assert list(tmp_path.iterdir()) == []


def test_a_broken_copy_is_named(tmp_path):
    root = lab.prepare(tmp_path, [])
    (root / "notebooks" / "start_here.ipynb").write_text("{")
    with pytest.raises(WorkbookError, match=r"start_here.ipynb is no notebook any more"):
        lab.prepare(tmp_path, [str(ROOT)])
