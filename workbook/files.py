"""The bytes of a file, a folder, a gz or a zip, as clean UTF-8 lines that the engine can read at once."""

from __future__ import annotations

import codecs
import difflib
import glob
import gzip
import hashlib
import io
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from workbook.errors import LoadError

DELIMITER = b"\x01\x02\x03\x04"
_CHUNK = 8 << 20
_HEAD = 1 << 18
_LONG_LINE = 1 << 20
_NO_EXPORT_NAMES = {"LICENSE", "Procfile", "Makefile"}
_NO_EXPORT = {".py", ".md", ".ipynb", ".duckdb", ".wal", ".toml", ".lock", ".sql", ".pyc", ".html"}
_STRANGE = [bytes([code]) for code in range(32) if code not in (1, 2, 3, 4, 9, 10, 12, 13, 27)]
_MAGIC = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive without the ending .zip",
    b"\x7fELF": "a program",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"(\xb5/\xfd": "a zstd archive",
}


@dataclass(frozen=True)
class File:
    """One file to load: the path as given (``a.zip!b`` for an entry of a zip) and how to open its bytes.

    ``on_disk`` is a regular file that may be read again; ``saved`` the date of an entry of a zip, else None.
    """

    path: str
    open: Callable[[], BinaryIO]
    on_disk: Path | None = None
    saved: datetime | None = None


@dataclass
class Clean:
    """A file's text, ready for the engine, and what was found on the way.

    ``path`` is the file itself when its text is clean, else a copy: UTF-8, one ``\\n`` a line. ``text_sha256`` is the
    hash of that text: the same for a log and its gz.
    """

    path: Path
    sha256: str
    text_sha256: str
    bytes: int
    lines: int
    head: list[str]
    longest: int
    coloured: bool
    notes: list[str] = field(default_factory=list)


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
        content = sys.stdin.buffer.read()
        yield File("standard input", lambda: io.BytesIO(content))
        return
    try:
        if path.suffix.lower() == ".zip" and not zipfile.is_zipfile(path) and path.read_bytes()[:2] == b"PK":
            raise zipfile.BadZipFile("its list of contents is missing")
        if path.suffix.lower() != ".zip" or not zipfile.is_zipfile(path):
            # a pipe can be read only once: what is no regular file is copied
            yield File(str(path), lambda: path.open("rb"), path if path.is_file() else None)
            return
        with zipfile.ZipFile(path) as archive:
            entries = sorted(
                (info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename
            )
    except (OSError, zipfile.BadZipFile) as error:
        raise _unreadable(str(path), error) from error
    for info in entries:
        shown = f"{path}!{info.filename}"
        if info.filename.startswith("__MACOSX/") or _is_no_export(Path(info.filename).name):
            skipped.append(shown)
        else:
            yield _zipped(path, shown, info)


def _zipped(path: Path, shown: str, info: zipfile.ZipInfo) -> File:
    def opened() -> BinaryIO:
        return cast(BinaryIO, zipfile.ZipFile(path).open(info.filename))

    return File(shown, opened, saved=datetime(*info.date_time))


def _unreadable(path: str, error: Exception) -> LoadError:
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


def clean(file: File, folder: Path, *, start: int = 0) -> tuple[Clean, str | None]:
    """Return the file's clean text, and the SHA-256 of its first ``start`` bytes (None when it is shorter).

    Decompresses gz, decodes UTF-16 and UTF-8 (bytes that are neither become U+FFFD and are counted), makes CRLF to
    LF, and finds the longest line. Nothing is copied when the file is clean already. Raises LoadError for an empty
    file, one that is no text, and an archive that is cut off.
    """
    try:
        with file.open() as raw:
            return _Cleaner(file, folder, start).run(raw)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise _unreadable(file.path, error) from error


class _Hashed(io.RawIOBase):
    """Bytes read from another file, hashed and counted as they pass."""

    def __init__(self, raw: BinaryIO, start: int):
        self.raw, self.start = raw, start
        self.digest, self.count = hashlib.sha256(), 0
        self.prefix: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self.raw.read(len(buffer))
        before, self.count = self.count, self.count + len(chunk)
        if before < self.start <= self.count:
            head = self.digest.copy()
            head.update(chunk[: self.start - before])
            self.prefix = head.hexdigest()
        self.digest.update(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)


class _Cleaner:
    """One pass over a file's bytes; writes a copy only from the first chunk that needs one."""

    def __init__(self, file: File, folder: Path, start: int):
        self.file, self.folder, self.start = file, folder, start
        self.lines = self.longest = self.replaced = self.returns = self.open_line = 0
        self.coloured = False
        self.notes: list[str] = []
        self.head = b""

    def run(self, raw: BinaryIO) -> tuple[Clean, str | None]:
        hashed = _Hashed(raw, self.start)
        chunks, copy = self._chunks(io.BufferedReader(hashed, _CHUNK))
        path = self.folder / "clean.txt" if copy else self.file.on_disk or Path()
        sink = path.open("wb") if copy else None
        passed, last, copied = 0, b"\n", hashlib.sha256()
        try:
            for chunk in _whole_characters(chunks):
                fixed = self._fixed(chunk)
                if sink is None and fixed is not chunk:
                    path = self.folder / "clean.txt"
                    sink = path.open("wb")
                    for start in self._copy_start(passed, sink):
                        copied.update(start)
                if sink is not None:
                    sink.write(fixed)
                    copied.update(fixed)
                self._measure(fixed)
                passed, last = passed + len(chunk), fixed[-1:]
        finally:
            if sink is not None:
                sink.close()
        self.lines += last != b"\n"
        if self.replaced:
            self.notes.append(f"{self.replaced:,} bytes that are not UTF-8 became U+FFFD")
        if self.returns:
            self.notes.append(f"{self.returns:,} carriage returns inside lines became ␍")
        head = self.head.decode("utf-8", "replace").split("\n")
        sha256 = hashed.digest.hexdigest()
        text = sha256 if sink is None else copied.hexdigest()
        size, marks = hashed.count, (self.longest, self.coloured, self.notes)
        return Clean(path, sha256, text, size, self.lines, head, *marks), hashed.prefix

    def _chunks(self, stream: io.BufferedReader) -> tuple[Iterator[bytes], bool]:
        """The file's bytes, decompressed and as UTF-8 as far as known; and whether they differ from the file's."""
        begin = stream.peek(2)[:2]
        if not begin:
            raise LoadError("the file is empty.", path=self.file.path, next_step="Export it again.")
        zipped = begin == b"\x1f\x8b"
        source = io.BufferedReader(gzip.GzipFile(fileobj=stream), _CHUNK) if zipped else stream  # type: ignore[arg-type]
        first = source.peek(_HEAD)[:_HEAD]
        if not first.strip():
            raise LoadError("the file holds no text.", path=self.file.path, next_step="Export it again.")
        if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            self.notes.append("UTF-16, as PowerShell writes it")
            text = io.TextIOWrapper(source, encoding="utf-16", errors="replace", newline="")
            return (part.encode("utf-8", "replace") for part in iter(lambda: text.read(_CHUNK), "")), True
        self._refuse_bytes(first)
        marked = first.startswith(codecs.BOM_UTF8)
        if marked:
            source.read(len(codecs.BOM_UTF8))
        # the engine takes a path with these signs for a pattern
        pattern = self.file.on_disk is not None and any(sign in str(self.file.on_disk) for sign in "*?[")
        copy = zipped or marked or pattern or self.file.on_disk is None
        return iter(lambda: source.read(_CHUNK), b""), copy

    def _refuse_bytes(self, first: bytes) -> None:
        kind = next((name for magic, name in _MAGIC.items() if first.startswith(magic)), None)
        if first[257:262] == b"ustar":
            kind = "a tar archive (unpack it first)"
        strange = sum(map(first.count, _STRANGE))
        if kind or strange > 16 + len(first) // 50:
            raise LoadError(
                f"this is {kind or 'a file of bytes'}, not text.",
                path=self.file.path,
                next_step="Load logs, CSV exports or the output of heroku commands: as text, as .gz or in a .zip.",
            )

    def _copy_start(self, length: int, sink: BinaryIO) -> Iterator[bytes]:
        """Copy the file's first bytes, which were clean; give them in pieces."""
        with self.file.open() as raw:
            while length > 0 and (chunk := raw.read(min(_CHUNK, length))):
                sink.write(chunk)
                length -= len(chunk)
                yield chunk

    def _fixed(self, chunk: bytes) -> bytes:
        """The chunk as clean UTF-8: the same object when nothing had to be changed."""
        if not chunk.isascii():
            try:
                chunk.decode("utf-8")
            except UnicodeDecodeError:
                before = chunk.count("\ufffd".encode())
                chunk = chunk.decode("utf-8", "replace").encode("utf-8")
                self.replaced += chunk.count("\ufffd".encode()) - before
        self.coloured = self.coloured or b"\x1b" in chunk
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n")
            if b"\r" in chunk:
                self.returns += chunk.count(b"\r")
                chunk = chunk.replace(b"\r", "␍".encode())
        if DELIMITER in chunk:
            chunk = chunk.replace(DELIMITER, "␁␂␃␄".encode())
            self.notes.append("the control characters 1 2 3 4 in a row became ␁␂␃␄")
        return chunk

    def _measure(self, chunk: bytes) -> None:
        if len(self.head) < _HEAD:
            self.head += chunk[: _HEAD - len(self.head)]
        self.lines += chunk.count(b"\n")
        first_end = chunk.find(b"\n")
        if first_end < 0:
            self.open_line += len(chunk)
            self.longest = max(self.longest, self.open_line)
            return
        self.longest = max(self.longest, self.open_line + first_end)
        at = first_end + 1
        # hops from line end to line end, at most a long line apart: only a longer line costs a search
        while at < len(chunk):
            end = chunk.rfind(b"\n", at, at + _LONG_LINE)
            if end < 0:
                end = chunk.find(b"\n", at)
                self.longest = max(self.longest, (len(chunk) if end < 0 else end) - at)
                if end < 0:
                    break
            at = end + 1
        self.open_line = len(chunk) - chunk.rfind(b"\n") - 1


def _whole_characters(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut only between characters and never between \\r and \\n."""
    kept = b""
    for chunk in chunks:
        whole, kept = _split_character(kept + chunk if kept else chunk)
        if whole:
            yield whole
    if kept:
        yield kept


def _split_character(chunk: bytes) -> tuple[bytes, bytes]:
    """The chunk up to its last whole character (and before a last \\r), and the bytes that are left."""
    for back in range(1, min(4, len(chunk)) + 1):
        byte = chunk[-back]
        if byte & 0xC0 == 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return (chunk[:-back], chunk[-back:]) if length > back else (chunk, b"")
        if byte & 0x80 == 0:
            break
    return (chunk[:-1], b"\r") if chunk.endswith(b"\r") else (chunk, b"")


_COLOUR = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]")


def without_colour(text: str) -> str:
    """Return the text without terminal colour codes."""
    return _COLOUR.sub("", text)


def sniffed(head: list[str]) -> list[str]:
    """Return the first 200 lines that are not blank, without colour codes, for the readers to look at."""
    return [without_colour(line) for line in head if line.strip()][:200]
