"""The manifest of a bundle: what made it, what was asked, and the SHA-256 of every other file in it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from workbook import cells, words
from workbook.bundle.parcel import MANIFEST, sha256
from workbook.bundle.tables import Table
from workbook.database import SCHEMA_VERSION, table_names
from workbook.errors import UsageError, WorkbookError
from workbook.window import Window

FORMAT = 1
PACKAGES = ("duckdb", "pandas", "numpy", "scipy", "altair", "vl-convert-python")
MOST_BYTES = 50_000_000
_SOURCE = ("path", "sha256", "kind", "bytes", "lines", "log_lines", "unread", "first_time", "last_time")


@dataclass(frozen=True)
class Manifest:
    """What a bundle says about itself; ``files`` are name, bytes and SHA-256 of every file but the manifest."""

    title: str
    redacted: bool
    replaced: dict[str, int]
    proof: str
    sources: list[dict[str, Any]]
    tables: list[Table]
    results: list[dict[str, Any]]
    files: list[dict[str, Any]] = field(default_factory=list)
    made_by: dict[str, str] = field(default_factory=dict)
    notebook: bool = False


def versions() -> dict[str, str]:
    """Return the versions of the workbook, of Python and of the packages that its numbers depend on."""
    import workbook

    found = {"workbook": workbook.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def sources(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the original files: path, SHA-256, kind, size, lines and span of time (UTC)."""
    return [{name: cells.plain(row[name]) for name in _SOURCE} for row in frame.to_dict("records")]


def write(root: Path, manifest: Manifest) -> str:
    """Write the manifest of a folder's files beside them; return its SHA-256."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    files = [
        {"name": name, "bytes": (root / name).stat().st_size, "sha256": sha256(root / name)} for name in names
    ]
    content = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "made_by": versions(),
        "title": manifest.title,
        "redacted": manifest.redacted,
        "replaced": manifest.replaced,
        "proof": manifest.proof,
        "sources": manifest.sources,
        "tables": [{"name": one.name, "rows": one.rows} for one in manifest.tables],
        "results": manifest.results,
        "files": files,
    }
    text = words.escape_invisible(json.dumps(content, ensure_ascii=False, indent=1)) + "\n"
    (root / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
    return sha256(root / MANIFEST)


def read(root: Path) -> Manifest:
    """Return the manifest in a folder; WorkbookError with one sentence when it is none that can be followed."""
    path = root / MANIFEST
    if path.stat().st_size > MOST_BYTES:
        raise WorkbookError(f"{MANIFEST} is larger than {MOST_BYTES // 1_000_000} MB.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT or content["schema_version"] != SCHEMA_VERSION:
            raise WorkbookError(_other_version(content))
        read = Manifest(
            title=_is(content["title"], str),
            redacted=_is(content["redacted"], bool),
            replaced=_is(content["replaced"], dict),
            proof=_is(content["proof"], str),
            sources=_is(content["sources"], list),
            tables=[Table(_is(one["name"], str), _is(one["rows"], int)) for one in content["tables"]],
            results=[_result(one) for one in content["results"]],
            files=[_file(one) for one in content["files"]],
            made_by={_is(name, str): _is(one, str) for name, one in content["made_by"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WorkbookError(f"{MANIFEST} is not one that a workbook writes.") from error
    if not {one.name for one in read.tables} <= set(table_names()):
        raise WorkbookError(f"{MANIFEST} names a table that this workbook does not know.")
    return read


def _other_version(content: Any) -> str:
    by = words.cut(words.visible(str(content["made_by"]["workbook"]), one_line=True), 20)
    return f"it was made by workbook {by}, whose tables are others: verify it with that version."


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(kind.__name__)
    return value


def _file(one: Any) -> dict[str, Any]:
    return {
        "name": _is(one["name"], str),
        "bytes": _is(one["bytes"], int),
        "sha256": _is(one["sha256"], str),
    }


def _result(one: Any) -> dict[str, Any]:
    try:
        window = Window(one["window"]["start"], one["window"]["end"])
    except UsageError as error:
        raise TypeError("window") from error
    return {
        "file": _is(one["file"], str),
        "name": _is(one["name"], str),
        "window": window,
        "parameters": _is(one["parameters"], dict),
    }
