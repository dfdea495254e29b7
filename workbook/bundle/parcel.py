"""A folder as a zip with the same bytes every time; and a zip from a stranger as a folder, or one sentence why not."""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
import zlib
from collections import Counter
from pathlib import Path

from workbook import limits, whole
from workbook.errors import WorkbookError

MANIFEST = "manifest.json"
_MOMENT = (1980, 1, 1, 0, 0, 0)
_PIECE = 1 << 20
_NAME = re.compile(r"(?:(?:tables|results|notebook)/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_PACKED = {".parquet"}
"""What is compressed already is stored as it is."""


def pack(folder: Path, target: Path) -> None:
    """Write all files of a folder to a zip, by name and without times; there is the whole zip or none."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    with whole.written(target) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        for name in names:
            _add(packed, name, folder / name)


def _add(packed: zipfile.ZipFile, name: str, path: Path) -> None:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.compress_type = zipfile.ZIP_STORED if path.suffix in _PACKED else zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.file_size = path.stat().st_size
    with path.open("rb") as read, packed.open(entry, "w") as write:
        while piece := read.read(_PIECE):
            write.write(piece)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(path: Path, folder: Path) -> list[str]:
    """Write the members of a bundle into a folder and return their names.

    Raises WorkbookError, with one sentence, for what no bundle holds: a name that leads out of the folder or stands
    twice, a link, an encrypted member, members that share bytes, more bytes than the zip could honestly hold.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
            _refuse_hostile(path, members)
            for member in members:
                _write_out(packed, member, folder / member.filename)
    except OSError as error:
        raise refused(path, f"it cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise refused(path, "it is no zip, or a damaged one") from error
    return [member.filename for member in members]


def _refuse_hostile(path: Path, members: list[zipfile.ZipInfo]) -> None:
    counted = Counter(member.filename.lower() for member in members)
    for member in members:
        if why := _wrong(member, counted):
            raise refused(path, why)
    if MANIFEST not in counted:
        raise refused(path, f"it has no {MANIFEST}")
    if len(members) > limits.BUNDLE_FILES:
        raise refused(path, f"it holds {len(members):,} files")
    size = path.stat().st_size
    if sum(member.compress_size for member in members) > size:
        raise refused(path, "its members share bytes, as in a zip bomb")
    grown = sum(member.file_size for member in members)
    if grown > limits.BUNDLE_FREE_BYTES and grown > limits.BUNDLE_RATIO * size:
        raise refused(path, f"it would grow more than {limits.BUNDLE_RATIO}-fold, as a zip bomb does")


def _wrong(member: zipfile.ZipInfo, counted: Counter[str]) -> str:
    """What is wrong with a member, told without its name where that could be anything."""
    mode = member.external_attr >> 16
    if not _NAME.fullmatch(member.filename) or member.orig_filename != member.filename:
        return "a name in it is none that a bundle has"
    if counted[member.filename.lower()] > 1:
        return f"{member.filename} is in it twice"
    if member.flag_bits & 0x1:
        return f"{member.filename} is encrypted"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return f"{member.filename} is a link or a device"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{member.filename} is compressed in another way than a bundle's files"
    return ""


def _write_out(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with packed.open(member) as read, target.open("xb") as write:
        while piece := read.read(_PIECE):
            size += len(piece)
            write.write(piece)
    if size != member.file_size:
        raise zipfile.BadZipFile(member.filename)


def refused(path: Path, why: str) -> WorkbookError:
    """Return the error that says why a file is no bundle."""
    return WorkbookError(
        f"this is no bundle that can be verified: {why}.",
        path=str(path),
        next_step="Ask for it again; nothing of it was run or kept.",
    )
