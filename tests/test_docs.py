"""The documents say what is true: commands, tables, readers, analyses and parameters are all mentioned."""

import re
from pathlib import Path

import pytest

from workbook import analysis, cli, loading

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """The fenced blocks of a document."""
    return [block.strip() for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S)]


def test_the_first_two_blocks_are_one_command_line_each():
    first, second = blocks(README)[:2]
    assert len(first.splitlines()) == len(second.splitlines()) == 1
    assert "workbook report sample_data" in first and "pytest" in second
    assert not first.startswith("$")


@pytest.mark.parametrize("command", cli._COMMANDS)
def test_every_command_is_in_the_readme(command):
    assert f"workbook {command}" in README


@pytest.mark.parametrize("name", analysis.discover())
def test_every_analysis_is_in_the_readme(name):
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", loading.kinds_of_file())
def test_every_kind_of_file_is_in_the_readme(name):
    assert f"`{name}`" in README


def test_every_dependency_earns_its_line():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        name = re.split(r"[><=\[ ]", requirement)[0]
        assert re.search(rf"^- `{re.escape(name)}`", CONTRIBUTING, re.M), name


def test_the_pictures_of_the_readme_are_there():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert len(pictures) >= 2
    for picture in pictures:
        assert (ROOT / picture).is_file(), picture


def test_the_project_speaks_only_of_itself():
    tracked = [
        path
        for folder in ("workbook", "notebooks", "tests", "benchmarks", ".ci")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".sql", ".ipynb", ".html", ".md", ""}
        and path.is_file()
        and "__pycache__" not in path.parts
    ]
    for path in [*tracked, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not re.search(r"(?<![\w.])/(?:work|root|home/\w+)/\w", text), path
