"""A file's bytes as slabs of clean lines: decompressed, decoded, hashed and counted in one pass, in bounded memory."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from workbook.errors import LoadError
from workbook.files import File, unreadable, without_colour

if TYPE_CHECKING:
    from hashlib import _Hash

DELIMITER = b"\x01\x02\x03\x04"
SLAB_BYTES = 128 << 20
# the engine works on groups of 122,880 rows, a core on each: four groups keep two or four cores busy to the end
SLAB_LINES = 4 * 122_880
LONGEST_LINE = 32 << 20
KEPT_OF_LONG_LINE = 1 << 20
MOST_OF_A_TABLE = 256 << 20
_PIECE = 1 << 20
_HEAD = 1 << 18
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
# Repeated log lines shrink to a hundredth; what grows further than this is made to fill the disk.
_BOMB_BYTES = 1 << 30
_BOMB_RATIO = 250


_Piece = TypeVar("_Piece")


@dataclass(frozen=True)
class Mark:
    """A place in a file: how many bytes and line ends stand before it, and the running hash of those bytes."""

    bytes: int
    line_ends: int
    digest: _Hash


@dataclass(frozen=True)
class Scan:
    """The SHA-256 of a file as it is now, of its first bytes, and the place where one of its lines begins."""

    bytes: int
    sha256: str
    prefix_sha256: str | None
    mark: Mark | None


@dataclass(frozen=True)
class Slab:
    """Some lines of a file, clean, in files of their own; ``first_line`` is the number of the first, from 1."""

    paths: tuple[Path, ...]
    first_line: int
    lines: int
    longest: int
    coloured: bool
    last: bool


def scan(
    file: File,
    *,
    prefix: int | None = None,
    line: int | None = None,
) -> Scan:
    """Hash a file as it lies, without decompressing.

    ``prefix``: also give the hash of so many first bytes; ``line``: also the place where that line (from 1) begins.
    """
    end, digest = file.end, hashlib.sha256()
    count = ends = 0
    found, mark = None, Mark(0, 0, hashlib.sha256()) if line == 1 else None
    try:
        with file.open() as raw:
            while chunk := raw.read(min(8 << 20, end - count) if end is not None else 8 << 20):
                if prefix is not None and count < prefix <= count + len(chunk):
                    head = digest.copy()
                    head.update(chunk[: prefix - count])
                    found = head.hexdigest()
                here = chunk.count(b"\n")
                if line is not None and mark is None and ends < line - 1 <= ends + here:
                    before = len(chunk) - len(chunk.split(b"\n", line - 1 - ends)[-1])
                    head = digest.copy()
                    head.update(chunk[:before])
                    mark = Mark(count + before, line - 1, head)
                digest.update(chunk)
                count, ends = count + len(chunk), ends + here
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise unreadable(file.path, error) from error
    if prefix == count:
        found = digest.hexdigest()
    return Scan(count, digest.hexdigest(), found, mark)


class _Hashed(io.RawIOBase):
    """Bytes read from another file, hashed and counted as they pass."""

    def __init__(self, raw: BinaryIO, digest: _Hash | None):
        self.raw, self.digest, self.count = raw, digest, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self.raw.read(len(buffer))
        self.count += len(chunk)
        if self.digest is not None:
            self.digest.update(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)


@dataclass
class Text:
    """A file's text on its way to the engine.

    Decompresses gz, decodes UTF-16 and UTF-8 (bytes that are neither become U+FFFD and are counted), makes CRLF to LF.
    ``head`` holds the first lines at once. ``sha256`` is the hash of the file, ``text_sha256`` that of its clean text,
    the same for a log and its gz (None when only the end of the file was read); both, and ``read_bytes``, ``lines``,
    ``notes`` and ``cut``, are right once everything was read. ``cut`` gives, by number, the bytes of lines that were
    too long to keep. ``is_plain``: a line of the text is a line of the file's own bytes. Raises LoadError for an empty
    file, one that is no text, and an archive that is cut off or made to fill the disk.
    """

    file: File
    folder: Path
    start: Mark | None = None
    end: int | None = None
    head: list[str] = field(default_factory=list)
    lines: int = 0
    longest: int = 0
    coloured: bool = False
    notes: list[str] = field(default_factory=list)
    cut: dict[int, int] = field(default_factory=dict)
    is_plain: bool = True

    def __post_init__(self) -> None:
        self._replaced = self._returns = self._delimiters = 0
        self._given: Slab | None = None
        self._held = self._passed = 0
        self._next: tuple[bytes, int] | None = None
        self._prepare: Callable[[str], str] | None = None
        self.lines = self.start.line_ends if self.start else 0
        try:
            self._open()
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            self.close()
            raise unreadable(self.file.path, error) from error

    def close(self) -> None:
        """Close the file."""
        if hasattr(self, "_raw"):
            self._raw.close()

    @property
    def read_bytes(self) -> int:
        """How many bytes of the file were read: not those after the end, which may be written meanwhile."""
        read = self._hashed.count + (self.start.bytes if self.start else 0)
        return read if self.end is None or self._zipped else min(read, self.end)

    @property
    def sha256(self) -> str:
        """The hash of the file's bytes."""
        return self._digest.hexdigest()

    @property
    def text_sha256(self) -> str | None:
        """The hash of the clean text; None when only the end of the file was read and had to be cleaned."""
        if self._text_digest is None:
            return self.sha256
        return None if self.start else self._text_digest.hexdigest()

    def _open(self) -> None:
        with self.file.open() as raw:
            begin = raw.read(2)
        if not begin:
            raise LoadError("the file is empty.", path=self.file.path, next_step="Export it again.")
        self._zipped = begin == b"\x1f\x8b" and not self.start
        self._raw = self.file.open()
        if self.start:
            self._raw.seek(self.start.bytes)
        self._digest = self.start.digest.copy() if self.start else hashlib.sha256()
        self._text_digest: _Hash | None = None
        # where the text is the file's own bytes they are hashed as text, once
        self._hashed = _Hashed(self._raw, self._digest if self._zipped else None)
        self._stream = io.BufferedReader(self._hashed, _PIECE)
        if self._zipped:
            self._stream = io.BufferedReader(gzip.GzipFile(fileobj=self._stream), _PIECE)  # type: ignore[arg-type]
        first = self._peeked()
        if not first.strip() and not self.start:
            raise LoadError("the file holds no text.", path=self.file.path, next_step="Export it again.")
        self._encoding = "utf-16" if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8"
        self._hashed_as_text = self.is_plain = not self._zipped and self._encoding == "utf-8"
        if self._encoding == "utf-16":
            self.notes.append("UTF-16, as PowerShell writes it")
        else:
            self._refuse_bytes(first)
        text = first.decode(self._encoding, "replace").removeprefix("\ufeff")
        self.head = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if len(self.head) > 1 and len(first) == _HEAD:
            self.head.pop()

    def _peeked(self) -> bytes:
        """The first bytes, which are read again later."""
        first = b""
        while len(first) < _HEAD and (chunk := self._stream.read(_HEAD - len(first))):
            first += chunk
        self._first = first
        return first

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

    # what comes out

    def content(self) -> list[str]:
        """Return all lines without colour codes; LoadError when they are too many for that."""
        parts, size = [], 0
        for piece in self._guarded(self._clean()):
            parts.append(piece)
            size += len(piece)
            if size > MOST_OF_A_TABLE:
                raise LoadError(
                    f"this is no log, and larger than {MOST_OF_A_TABLE >> 20:,} MB.",
                    path=self.file.path,
                    next_step="Export a shorter span, or split it.",
                )
        text = b"".join(parts).decode("utf-8")
        self.lines = text.count("\n") + (not text.endswith("\n"))
        self._note()
        return (without_colour(text) if self.coloured else text).split("\n")[: self.lines]

    def slabs(self, prepare: Callable[[str], str] | None = None, *, whole: bool = False) -> Iterator[Slab]:
        """Give the lines in slabs; ``prepare`` may put records on lines of their own, ``whole`` makes it one slab.

        While a slab is worked on the next one is written. A slab's files are gone when the one after it is given.
        """
        self._prepare = prepare
        pieces = self._guarded(self._whole_lines(self._clean()))
        number, next_line = 0, self.lines + 1
        with ThreadPoolExecutor(1) as writer:
            coming = writer.submit(self._write, pieces, self.folder / "slab0.txt", whole)
            while (written := coming.result()) is not None:
                path, lines, last = written
                paths: tuple[Path, ...] = (path,)
                if self._given is not None and self._held:
                    held = self.folder / "held.txt"
                    held.write_bytes(_last_lines(self._given.paths[-1], self._held))
                    paths = (held, path)
                self.lines = next_line - 1 + lines
                if last:
                    self._note()
                self._given = Slab(
                    paths, next_line - self._held, lines + self._held, self.longest, self.coloured, last
                )
                next_line, self._held, number = next_line + lines, 0, number + 1
                if not last:
                    coming = writer.submit(self._write, pieces, self.folder / f"slab{number % 2}.txt", whole)
                yield self._given
                if last:
                    return

    def _write(
        self, pieces: Iterator[tuple[bytes, int]], path: Path, whole: bool
    ) -> tuple[Path, int, bool] | None:
        """Write a slab; return its file and lines, and whether it is the last; None when nothing is left."""
        piece, ends = self._next if self._next else next(pieces, (b"", 0))
        if not piece:
            return None
        lines = size = 0
        with path.open("wb") as sink:
            while piece and (whole or not size or (lines + ends <= SLAB_LINES and size < SLAB_BYTES)):
                sink.write(piece)
                lines, size, last_byte = lines + ends, size + len(piece), piece[-1:]
                piece, ends = next(pieces, (b"", 0))
        self._next = (piece, ends)
        return path, lines + (not piece and last_byte != b"\n"), not piece

    def hold_back(self, lines: int) -> None:
        """Let the last lines of the slab that was given come first in the next one."""
        self._held = lines

    # what happens to the bytes

    def _guarded(self, pieces: Iterator[_Piece]) -> Iterator[_Piece]:
        """The pieces; what goes wrong in the file becomes an error that names it."""
        try:
            yield from pieces
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise unreadable(self.file.path, error) from error

    def _chunks(self) -> Iterator[bytes]:
        """The decompressed bytes."""
        first, self._first = self._first, b""
        left = (
            None if self.end is None or self._zipped else self.end - (self.start.bytes if self.start else 0)
        )
        while True:
            chunk = first or self._stream.read(_PIECE)
            first = b""
            if left is not None:
                chunk, left = chunk[:left], left - len(chunk[:left])
            if not chunk:
                return
            self._passed += len(chunk)
            packed = self._hashed.count if self._zipped else self.file.packed
            if packed is not None and self._passed > _BOMB_BYTES and self._passed > _BOMB_RATIO * packed:
                raise LoadError(
                    f"the archive grows more than {_BOMB_RATIO}-fold, which no log does.",
                    path=self.file.path,
                    next_step="If it is a log all the same, unpack it and load the text.",
                )
            yield chunk

    def _clean(self) -> Iterator[bytes]:
        """The text as UTF-8 with one \\n a line, hashed."""
        if self._encoding == "utf-16":
            yield from map(self._fixed_and_hashed, _whole_characters(self._decoded()))
            return
        chunks = _whole_characters(self._chunks())
        for number, chunk in enumerate(chunks):
            if number == 0 and not self.start and chunk.startswith(codecs.BOM_UTF8):
                if not self._zipped:
                    self._digest.update(codecs.BOM_UTF8)
                self._text_digest = hashlib.sha256()
                chunk = chunk[len(codecs.BOM_UTF8) :]
            if fixed := self._fixed_and_hashed(chunk):
                yield fixed

    def _decoded(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        for chunk in self._chunks():
            if not self._zipped:
                self._digest.update(chunk)
            yield decoder.decode(chunk).encode("utf-8", "replace")
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")

    def _fixed_and_hashed(self, chunk: bytes) -> bytes:
        fixed = self._fixed(chunk)
        if self._hashed_as_text:
            if self._text_digest is None and fixed is not chunk:
                self._text_digest = self._digest.copy()
            self._digest.update(chunk)
        elif self._text_digest is None:
            self._text_digest = hashlib.sha256()
        if self._text_digest is not None:
            self._text_digest.update(fixed)
        return fixed

    def _fixed(self, chunk: bytes) -> bytes:
        """The chunk as clean UTF-8: the same object when nothing had to be changed."""
        if not chunk.isascii():
            try:
                chunk.decode("utf-8")
            except UnicodeDecodeError:
                before = chunk.count("\ufffd".encode())
                chunk = chunk.decode("utf-8", "replace").encode("utf-8")
                self._replaced += chunk.count("\ufffd".encode()) - before
        self.coloured = self.coloured or b"\x1b" in chunk
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n")
            if b"\r" in chunk:
                self._returns += chunk.count(b"\r")
                chunk = chunk.replace(b"\r", "␍".encode())
        return chunk

    def _whole_lines(self, chunks: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
        """The same text, cut only at line ends, with their number; of a line that is too long only its beginning."""
        open_line: list[bytes] = []
        size = number = 0
        number = self.lines + 1
        for chunk in chunks:
            begin, end, rest = chunk.rpartition(b"\n")
            if not end:
                size += len(rest)
                if size <= LONGEST_LINE:
                    open_line.append(rest)
                elif size - len(rest) <= LONGEST_LINE:
                    beginning = b"".join((*open_line, rest))[:KEPT_OF_LONG_LINE]
                    open_line = [_split_character(beginning)[0]]
                continue
            if size > LONGEST_LINE:
                first_end = begin.find(b"\n")
                self.cut[number] = size + (len(begin) if first_end < 0 else first_end)
                begin = b"" if first_end < 0 else begin[first_end:]
            whole = b"".join((*open_line, begin, b"\n"))
            open_line, size = [rest], len(rest)
            piece = self._ready(whole)
            ends = piece.count(b"\n")
            yield piece, ends
            number += ends
        if size > LONGEST_LINE:
            self.cut[number] = size
        if last := b"".join(open_line):
            yield self._ready(last), 0

    def _ready(self, piece: bytes) -> bytes:
        """Whole lines as the engine reads them: each record on its own line, no delimiter inside."""
        if self._prepare is not None:
            text = piece.decode("utf-8")
            prepared = self._prepare(text)
            if prepared != text:
                self.is_plain = False
                self.notes.append("lines are numbered after frames were put on lines of their own")
                piece = prepared.encode("utf-8")
        if DELIMITER[:1] in piece and DELIMITER in piece:
            piece = piece.replace(DELIMITER, "␁␂␃␄".encode())
            self._delimiters += 1
        self._measure(piece)
        return piece

    def _measure(self, piece: bytes) -> None:
        at = 0
        # hops from line end to line end, at most the longest so far apart: only a longer line costs a search
        while at < len(piece):
            end = piece.rfind(b"\n", at, at + max(self.longest, 1 << 16))
            if end < 0:
                end = piece.find(b"\n", at)
                end = len(piece) if end < 0 else end
                self.longest = max(self.longest, end - at)
            at = end + 1

    def _note(self) -> None:
        if self._replaced:
            self.notes.append(f"{self._replaced:,} bytes that are not UTF-8 became U+FFFD")
        if self._returns:
            self.notes.append(f"{self._returns:,} carriage returns inside lines became ␍")
        if self._delimiters:
            self.notes.append("the control characters 1 2 3 4 in a row became ␁␂␃␄")
        if self.coloured:
            self.notes.append("colour codes were removed")


def _last_lines(path: Path, count: int) -> bytes:
    """The last lines of a file that ends in a line end."""
    with path.open("rb") as file:
        at = file.seek(0, io.SEEK_END)
        tail = b""
        while at and tail.count(b"\n") <= count:
            step = min(1 << 16, at)
            at = file.seek(at - step)
            tail = file.read(step) + tail
    parts = tail.rsplit(b"\n", count + 1)
    return tail if len(parts) < count + 2 else tail[len(parts[0]) + 1 :]


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
