"""``workbook notebook``: parameters go in, outputs come out, notes stay, and each mistake is one sentence."""

import json
import re

import nbformat
import pytest

from workbook import Window, WorkbookError, cli, headless, lab, page

LINE = '2024-03-04T12:00:01+00:00 heroku[router]: at=info method=GET path="/a" dyno=web.1 service=20ms status=200 bytes=5\n'


def cell(kind: str, source: str, name: str, *tags: str) -> nbformat.NotebookNode:
    made = nbformat.v4.new_code_cell(source) if kind == "code" else nbformat.v4.new_markdown_cell(source)
    made.update(id=name, metadata=nbformat.from_dict({"tags": list(tags)} if tags else {}))
    return made


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A package with one notebook, ``small``, that prints its parameters, and another folder to work in."""
    folder = tmp_path / "package" / "notebooks"
    folder.mkdir(parents=True)
    parameters = 'exports = "../sample_data"\ndatabase = None\nstart = None\nend = None'
    cells = [
        cell("markdown", "# A small & short question", "title"),
        cell("code", parameters, "set", "parameters"),
        cell("markdown", "Decide here.", "decide", "notes"),
        cell("code", "print([exports, database, start, end])", "show"),
    ]
    write(folder / "small.ipynb", cells)
    write(folder / "start_here.ipynb", [c for c in cells if c["id"] != "show"])
    monkeypatch.setattr(lab, "_source", lambda: tmp_path / "package")
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.log").write_text(LINE)
    monkeypatch.chdir(work)
    return folder


def write(path, cells):
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def shown(path) -> list[str]:
    """The text that the cells printed."""
    cells = nbformat.read(path, as_version=4).cells
    return [one.text for c in cells if c.cell_type == "code" for one in c.outputs if "text" in one]


def test_paths_and_window_are_the_parameters(shelf, tmp_path):
    made, html = headless.run("small", ["a.log"], output="out", window=Window("2024-03-04", None))
    path = str(tmp_path / "work" / "a.log")
    assert shown(made) == [f"{[[path], None, '2024-03-04 00:00:00', None]!r}\n"]
    assert path in html.read_text()
    assert 'exports = "../sample_data"' in (shelf / "small.ipynb").read_text().replace('\\"', '"')


def test_a_database_is_read_without_paths(shelf, tmp_path):
    kept = tmp_path / "work" / "workbook.duckdb"
    kept.write_bytes(b"")
    for given in (None, "workbook.duckdb"):
        made, _ = headless.run("small", [], database=given, output="out")
        assert shown(made) == [f"{[[], str(kept), None, None]!r}\n"]


def test_a_notebook_with_data_of_its_own_needs_no_path(shelf, tmp_path):
    content = json.loads((shelf / "small.ipynb").read_text())
    content["cells"][1]["metadata"]["tags"].append("own_data")
    (shelf / "small.ipynb").write_text(json.dumps(content))
    made, _ = headless.run("small", [], output="out")
    assert str(tmp_path / "package" / "sample_data") in shown(made)[0]


def test_notes_stay_when_it_is_run_again(shelf):
    made, _ = headless.run("small", ["a.log"], output="out")
    notebook = nbformat.read(made, as_version=4)
    notebook.cells[2].source = "We roll back."
    notebook.cells.append(nbformat.from_dict(cell("markdown", "Ask Ann.", "more", "notes")))
    notebook.cells.append(nbformat.from_dict(cell("markdown", "And Bob.", "most", "notes")))
    notebook.cells.append(nbformat.from_dict(cell("markdown", "No note.", "lost")))
    notebook.cells.insert(0, nbformat.from_dict(cell("markdown", "On top.", "top", "notes")))
    nbformat.write(notebook, made)
    for _ in range(2):
        again, html = headless.run("small", ["a.log"], output="out")
    sources = [c.source for c in nbformat.read(again, as_version=4).cells]
    assert sources[:2] == ["On top.", "# A small & short question"]
    assert sources[3] == "We roll back." and sources[5:] == ["Ask Ann.", "And Bob."]
    assert "We roll back." in html.read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["smal", "a.log"], "Did you mean small\\? There are: small, start_here"),
        (["small", "nowhere"], "nowhere: there is no such file"),
        (["small"], "nothing to read"),
        (["small", "--db", "none.duckdb"], "no database none.duckdb"),
        (["small", "a.log", "-o", "a.log"], "a.log is a file"),
        (["small", "a.log", "-o", "../package/notebooks"], "holds the notebook itself"),
        (["small", "a.log", "--from", "yesterday"], "is not a time"),
    ],
)
def test_each_mistake_is_one_sentence_and_writes_nothing(shelf, capsys, tmp_path, given, said):
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["notebook", *given]) == 2
    out, err = capsys.readouterr()
    assert re.search(said, err) and err.count("\n") == 1 and not out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_notebook_without_a_window_says_so(shelf):
    content = json.loads((shelf / "small.ipynb").read_text())
    content["cells"][1]["source"] = 'exports = ""\ndatabase = None'
    (shelf / "small.ipynb").write_text(json.dumps(content))
    with pytest.raises(WorkbookError, match="takes no --from"):
        headless.run("small", ["a.log"], output="out", window=Window("2024-03-04", None))


def test_a_cell_that_fails_leaves_the_earlier_run(shelf):
    made, html = headless.run("small", ["a.log"], output="out")
    before = made.read_bytes(), html.read_bytes()
    content = json.loads((shelf / "small.ipynb").read_text())
    content["cells"][3]["source"] = "raise ValueError('no\\x1b[31m way')"
    (shelf / "small.ipynb").write_text(json.dumps(content))
    with pytest.raises(WorkbookError, match="ValueError: no way\\.") as caught:
        headless.run("small", ["a.log"], output="out")
    assert "\x1b" not in str(caught.value)
    assert (made.read_bytes(), html.read_bytes()) == before


def test_broken_notes_are_not_written_over(shelf, tmp_path):
    kept = tmp_path / "work" / "out" / "small.ipynb"
    kept.parent.mkdir()
    kept.write_text("not json")
    with pytest.raises(WorkbookError, match="notes cannot be kept"):
        headless.run("small", ["a.log"], output="out")
    assert kept.read_text() == "not json"


def test_no_markup_of_prose_or_text_reaches_the_page_and_no_script_may_run():
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    output = nbformat.v4.new_output("stream", name="stdout", text=hostile)
    widget = nbformat.v4.new_output(
        "display_data",
        data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "Panel(children=())"},
    )
    code = cell("code", f"print('{hostile}')", "code")
    code.outputs = [output, widget]
    notebook = nbformat.v4.new_notebook(
        cells=[cell("markdown", f"# {hostile}\n\n[a](javascript:alert(1))", "m"), code]
    )
    shown = page.html(nbformat.from_dict(notebook))
    assert "<script" not in shown and "<img" not in shown and "javascript:alert" not in shown
    assert "default-src 'none'" in shown and "Here stands a panel" in shown
