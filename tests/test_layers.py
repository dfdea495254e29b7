"""Who may import whom: the house's layers, each exception with its reason."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "workbook"

BASE = {"errors", "window", "limits", "codes", "words", "palette"}
BELOW_LOADING = BASE | {"database", "files"}
VIEW = BASE | {"analysis", "charts", "render", "notebook_html", "cells", "timeline"}
JUDGES = VIEW | {
    "changes",
    "checks",
    "components",
    "databases",
    "harm",
    "hosts",
    "jobs",
    "memory",
    "quota",
    "statistics",
    "suspects",
    "trend",
}
ALLOWED = {
    "errors": set(),
    "window": {"errors"},
    "limits": {"errors"},
    "codes": set(),
    "words": set(),
    "whole": {"errors"},
    "statistics": {"limits"},
    "harm": {"limits", "statistics", "codes", "analysis", "words"},
    "quota": {"limits"},
    "trend": set(),
    "changes": set(),
    "components": set(),
    "hosts": {"limits"},
    "checks": {"limits", "codes", "components", "databases", "hosts", "checks"},
    "jobs": set(),
    "suspects": {"limits", "trend"},
    "memory": BASE | {"analysis", "charts", "memory", "quota", "trend"},
    "databases": BASE | {"analysis", "charts", "databases", "statistics", "trend"},
    "database": BASE,
    "files": BASE,
    "slabs": BASE | {"files"},
    "loaders": BELOW_LOADING | {"loaders"},
    "messages": BELOW_LOADING | {"messages"},
    "rejoin": BELOW_LOADING,
    "overlap": BELOW_LOADING,
    "repeats": BELOW_LOADING,
    "staging": BELOW_LOADING | {"messages", "rejoin", "slabs"},
    "seams": BELOW_LOADING | {"staging"},
    "loading": BELOW_LOADING | {"loaders", "overlap", "repeats", "seams", "slabs", "staging"},
    "following": BELOW_LOADING | {"loading"},
    "cells": BASE,
    "palette": set(),
    "axes": {"palette"},
    "marks": {"palette", "axes"},
    "charts": BASE | {"axes", "marks"},
    "analysis": BASE,
    "render": BASE | {"analysis", "charts", "cells", "notebook_html"},
    "notebook_html": BASE | {"analysis", "charts", "cells", "render"},
    "timeline": BASE | {"charts"},
    "stories": BASE | {"analysis"},
    "analyses": JUDGES,
    "scenarios": JUDGES,
    "report": JUDGES | {"redact", "whole"},
    "ticket": BASE
    | {"analysis", "cells", "redact", "redact_patterns", "render", "statistics", "ticket", "whole"},
    "redact_tables": BASE | {"database", "redact"},
    "redact_patterns": set(),
    "redact": BASE | {"redact_patterns", "whole"},
    "workbook": JUDGES
    | BELOW_LOADING
    | {"bundle", "loading", "panel", "progress", "redact", "report", "stories", "ticket"},
    "progress": BASE,
    "lab": BASE,
    "page": BASE,
    "headless": BASE | {"lab", "page"},
    "panel": BASE | {"workbook", "analysis", "panel"},
    "bundle": VIEW
    | {
        "workbook",
        "bundle",
        "database",
        "report",
        "redact",
        "redact_patterns",
        "redact_tables",
        "headless",
        "whole",
    },
    "cli": BASE | {"workbook", "analysis"},
    "__init__": {"analysis", "errors", "window", "workbook"},
}
EXCEPTIONS = {
    # results write themselves; the import stands inside the function that is called by the notebook or the terminal
    ("analysis", "render"): "Finding and Result render themselves",
    ("analysis", "analyses"): "the folder is the registry of analyses",
    ("analyses", "scenarios"): "what_if asks the simulation about the loaded log",
    ("loading", "render"): "LoadReport renders itself",
    ("panel", "charts"): "the panel's charts use the one theme",
    ("panel", "render"): "the panel's findings and tables look as everywhere",
    ("panel", "timeline"): "the panel's strip is the overview of triage",
    ("cli", "render"): "a command prints what a result renders",
    ("cli", "following"): "`workbook load --follow` opens the database for a moment at a time",
    ("cli", "headless"): "`workbook notebook` runs in a kernel of its own, it asks no workbook",
    ("cli", "lab"): "`workbook lab` starts a server, it asks no workbook",
    ("cli", "redact"): "`workbook redact` goes from file to file, without a workbook",
}


def imports(path: Path) -> set[str]:
    """The rooms of ours that a module imports, wherever the import stands, but not those only for type checking."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "workbook":
            inner = node.module.split(".")[1:]
            found |= {inner[0]} if inner else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("workbook.")}
    return found


def room(path: Path) -> str:
    """The room that a module belongs to."""
    inner = path.relative_to(PACKAGE)
    return inner.parts[0].removesuffix(".py")


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "share" not in path.parts)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_below(path):
    here = room(path)
    assert here in ALLOWED, f"{here} has no place in the layers: add it to ALLOWED"
    for other in imports(path):
        assert other in ALLOWED[here] or (here, other) in EXCEPTIONS, f"{here} may not import {other}"


def test_analyses_do_not_import_each_other():
    for path in (PACKAGE / "analyses").glob("*.py"):
        assert "analyses" not in imports(path), path


def test_every_exception_is_still_needed():
    real = {(room(path), other) for path in MODULES for other in imports(path)}
    assert set(EXCEPTIONS) <= real


@pytest.mark.parametrize(("library", "rooms"), [("duckdb", {"database"}), ("ipywidgets", {"panel"})])
def test_a_library_has_one_room(library, rooms):
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(name.split(".")[0] == library for name in names):
                assert room(path) in rooms, path


def test_help_answers_without_the_heavy_libraries():
    import subprocess
    import sys

    code = (
        "import sys, workbook.cli\n"
        "try: workbook.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('altair', 'ipywidgets', 'scipy', 'pandas', 'duckdb') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
