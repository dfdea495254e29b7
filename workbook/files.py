"""The files that paths name: single ones, folders, patterns, entries of zips, pipes and standard input."""

from __future__ import annotations

import difflib
import glob
import gzip
import io
import os
import re
import shutil
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from workbook.errors import LoadError

_NO_EXPORT_NAMES = {"LICENSE", "Procfile", "Makefile"}
_NO_EXPORT = {".py", ".md", ".ipynb", ".duckdb", ".wal", ".toml", ".lock", ".sql", ".pyc", ".html"}


@dataclass(frozen=True)
class File:
    """One file to load: the path as given (``a.zip!b`` for an entry of a zip) and how to open its bytes.

    ``on_disk`` is a regular file; ``saved`` the date of an entry of a zip; ``size`` its bytes and ``packed`` those that
    they take in the zip; each None where it is not known. ``once`` is a pipe, which can be read only once and has no
    name of its own. ``end``: only so many bytes are read.
    """

    path: str
    open: Callable[[], BinaryIO]
    on_disk: Path | None = None
    saved: datetime | None = None
    size: int | None = None
    packed: int | None = None
    once: bool = False
    end: int | None = None


def expand(paths: list[str | Path]) -> tuple[list[File], list[str], list[LoadError]]:
    """Return the files that the paths name, those in folders that are no exports, and an error for each bad path.

    A path is a file, a folder (read with all folders below it), a pattern with ``*``, a zip, or ``-`` for standard
    input. Files come in the order of their names.
    """
    files: list[File] = []
    skipped: list[str] = []
    errors: list[LoadError] = []
    named: list[tuple[Path, bool]] = []
    for given in map(str, paths):
        try:
            named.extend(_named(given))
        except LoadError as error:
            errors.append(error)
    for path, chosen in named:
        if not chosen and _is_no_export(path.name):
            skipped.append(str(path))
            continue
        try:
            files.extend(_entries(path, skipped))
        except LoadError as error:
            errors.append(error)
    seen: dict[str, File] = {}
    for file in files:
        seen.setdefault(file.path, file)
    return list(seen.values()), skipped, errors


def _named(given: str) -> list[tuple[Path, bool]]:
    """The files that one given path names, each with whether it was named itself."""
    if given == "-":
        return [(Path("-"), True)]
    path = Path(given)
    if path.is_dir():
        found = sorted(_walk(path))
        if not found:
            raise LoadError(
                "the folder holds no file.", path=given, next_step="Point at the folder with the exports."
            )
        return [(file, False) for file in found]
    if path.exists():
        return [(path, True)]
    if any(sign in given for sign in "*?[") and (
        found := sorted(map(Path, glob.glob(given, recursive=True)))  # noqa: PTH207
    ):
        return [(file, True) for file in found if file.is_file()]
    near = ""
    if path.parent.is_dir():
        close = difflib.get_close_matches(path.name, [file.name for file in path.parent.iterdir()], 1)
        near = f" Did you mean {path.parent / close[0]}?" if close else ""
    raise LoadError("there is no such file or folder.", path=given, next_step="Check the name." + near)


def _walk(folder: Path) -> Iterator[Path]:
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != "." and name != "__pycache__")
        for name in sorted(names):
            if name[0] != "." and (path := Path(directory, name)).is_file():
                yield path


def _is_no_export(name: str) -> bool:
    return name[0] == "." or Path(name).suffix.lower() in _NO_EXPORT or name in _NO_EXPORT_NAMES


def _entries(path: Path, skipped: list[str]) -> Iterator[File]:
    if str(path) == "-":
        yield File("standard input", lambda: sys.stdin.buffer, once=True)
        return
    try:
        if path.suffix.lower() == ".zip" and not zipfile.is_zipfile(path) and _begins(path) == b"PK":
            raise zipfile.BadZipFile("its list of contents is missing")
        if path.suffix.lower() != ".zip" or not zipfile.is_zipfile(path):
            yield lying(path)
            return
        with zipfile.ZipFile(path) as archive:
            entries = sorted(
                (info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename
            )
    except (OSError, zipfile.BadZipFile) as error:
        raise unreadable(str(path), error) from error
    names: dict[str, int] = {}
    for info in entries:
        shown = f"{path}!{info.filename}"
        names[shown] = names.get(shown, 0) + 1
        if names[shown] > 1:
            shown += f" ({names[shown]})"
        if info.filename.startswith("__MACOSX/") or _is_no_export(Path(info.filename).name):
            skipped.append(shown)
        else:
            yield _zipped(path, shown, info)


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2)


def _zipped(path: Path, shown: str, info: zipfile.ZipInfo) -> File:
    def opened() -> BinaryIO:
        return cast(BinaryIO, zipfile.ZipFile(path).open(info))

    try:
        saved = datetime(*info.date_time)
    except ValueError:
        # an entry without a date carries month 0
        saved = None
    return File(shown, opened, saved=saved, size=info.file_size, packed=info.compress_size)


def lying(path: Path) -> File:
    """Return a file as it lies on the disk, or a pipe."""
    is_file = path.is_file()
    return File(
        str(path),
        lambda: path.open("rb"),
        path if is_file else None,
        size=path.stat().st_size if is_file else None,
        once=not is_file,
    )


def spooled(file: File, folder: Path) -> File:
    """Return a pipe as a file that can be read again, copied to the folder; other files as they are."""
    if not file.once:
        return file
    copy = folder / "spooled"
    try:
        with file.open() as source, copy.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except OSError as error:
        raise unreadable(file.path, error) from error
    return replace(file, open=lambda: copy.open("rb"), size=copy.stat().st_size)


def pasted(text: str, name: str) -> File:
    """Return text that was never a file as one of that name; it is read as a file with these lines would be."""
    data = text.encode("utf-8", "surrogatepass")
    return File(name, lambda: io.BytesIO(data), size=len(data), once=True)


def unreadable(path: str, error: Exception) -> LoadError:
    if isinstance(error, PermissionError):
        return LoadError(
            "you may not read this file.", path=path, next_step="Change its permissions, or copy it."
        )
    if isinstance(error, (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile)):
        return LoadError(
            f"the archive is cut off or damaged ({error}).",
            path=path,
            next_step="Download it again; of a gz, `gzip -dc FILE > part.log` saves the part that can be read.",
        )
    return LoadError(
        f"the file cannot be read ({error}).", path=path, next_step="Check the file and its folder."
    )


_COLOUR = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]")


def without_colour(text: str) -> str:
    """Return the text without terminal colour codes."""
    return _COLOUR.sub("", text)


def sniffed(head: list[str]) -> list[str]:
    """Return the first 200 lines that are not blank, without colour codes, for the readers to look at."""
    return [without_colour(line) for line in head if line.strip()][:200]
