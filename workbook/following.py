"""A log that is still being written: what is new is loaded again and again, until someone stops it or it ends."""

from __future__ import annotations

import io
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from workbook.database import Database
from workbook.errors import DatabaseError, LoadError
from workbook.files import File, unreadable
from workbook.loading import LoadReport, load_files

_PAUSE_S = 0.5
# loading may take this share of the time, so that others can read between two loads
_REST = 3.0
_END_PATIENCE_S = 30.0


def follow_file(path: Path, database: Path, say: Callable[[str], None], **given: object) -> LoadReport:
    """Load a file and what is written to it, until interrupted; return the report of the last load.

    The database is open only while lines are loaded, so notebooks can read it in between. Lines come in whole; the last
    one, which may be unfinished, when the following ends. A file that is moved away is read until its writer writes to
    the one that took its place.
    """
    if not path.is_file():
        raise LoadError("there is no such file to follow.", path=str(path), next_step="Check the name.")
    with _stopped_by_signals() as stopped:
        return _Follower(str(path), _Held(path), database, say, given).run(stopped)


def follow_stream(
    stream: BinaryIO, folder: Path, database: Path, say: Callable[[str], None], **given: object
) -> LoadReport:
    """Load what comes through a pipe, until it ends or is interrupted; return the report of the last load.

    What came is kept in the folder until it is loaded, and beside the database when it cannot be.
    Output of a command that ends at once is loaded as a whole.
    """
    spool = folder / "standard-input"
    copied = _Copy(stream, spool)
    copied.thread.start()
    with _stopped_by_signals() as stopped:
        copied.ended.wait(2 * _PAUSE_S)
        try:
            report = _Follower("standard input", _Held(spool), database, say, given, once=True).run(
                stopped, copied.ended
            )
        except DatabaseError as error:
            kept = Path(f"{database}.unloaded.log")
            shutil.copyfile(spool, kept)
            raise DatabaseError(
                error.message, path=str(database), next_step=f"What came is kept in {kept}: load that file."
            ) from error
    if copied.error:
        raise unreadable("standard input", copied.error) from copied.error
    return report


class _Copy:
    """A pipe on its way to a file, in a thread of its own."""

    def __init__(self, stream: BinaryIO, spool: Path):
        self.stream, self.spool = stream, spool
        self.ended = threading.Event()
        self.error: OSError | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        spool.touch()

    def _run(self) -> None:
        try:
            with self.spool.open("ab", buffering=0) as sink:
                while chunk := getattr(self.stream, "read1", self.stream.read)(1 << 20):
                    sink.write(chunk)
        except OSError as error:
            self.error = error
        self.ended.set()


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that the first interrupt sets; the load that is under way is finished before."""
    stopped = threading.Event()
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda *_: stopped.set()) for kind in kinds]
    try:
        yield stopped
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


class _Held:
    """A file that is held open, so that it can be read to its end also after it was moved away."""

    def __init__(self, path: Path):
        self.path = path
        self._file = path.open("rb")

    def open(self) -> BinaryIO:
        """Return the file from its beginning, independent of other readings of it."""
        return cast(BinaryIO, io.BufferedReader(_Reading(self._file)))

    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def saved(self) -> datetime:
        return datetime.fromtimestamp(os.fstat(self._file.fileno()).st_mtime, UTC).replace(tzinfo=None)

    def successor(self) -> _Held | None:
        """The file that lies at the path now, once something is written to it; None where it is this one."""
        try:
            there = self.path.stat()
            is_other = not os.path.samestat(there, os.fstat(self._file.fileno()))
            return _Held(self.path) if is_other and there.st_size else None
        except FileNotFoundError:
            return None


class _Reading(io.RawIOBase):
    """A position of its own in a file that others read too."""

    def __init__(self, file: BinaryIO):
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = (0, self._at, os.fstat(self._file.fileno()).st_size)[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._file.fileno(), len(buffer), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Follower:
    def __init__(
        self,
        shown: str,
        held: _Held,
        database: Path,
        say: Callable[[str], None],
        given: dict[str, object],
        *,
        once: bool = False,
    ):
        self.shown, self.held, self.once = shown, held, once
        self.database, self.say, self.given = database, say, given
        self.loaded = 0
        self.report: LoadReport | None = None

    def run(self, stopped: threading.Event, ended: threading.Event | None = None) -> LoadReport:
        before = -1
        while not stopped.is_set() and not (ended and ended.is_set()):
            began = time.monotonic()
            size = self.held.size()
            self._load_new(_end_of_lines(self.held, self._beginning()))
            if size == before and (successor := self.held.successor()) and self._load_rest():
                self._go_on_with(successor)
            before = size
            stopped.wait(max(_PAUSE_S, _REST * (time.monotonic() - began)))
        if ended:
            # an interrupt goes to the whole pipeline: what the other side still says is waited for
            ended.wait(2.0)
        self._load_rest_patiently()
        if successor := self.held.successor():
            self._go_on_with(successor)
            self._load_rest_patiently()
        if self.report is None:
            raise LoadError("nothing came.", path=self.shown, next_step="Check the command before the pipe.")
        return self.report

    def _go_on_with(self, successor: _Held) -> None:
        self.held, self.loaded = successor, 0

    def _beginning(self) -> int:
        """How much is loaded of the file: nothing when it was cut short since."""
        if 0 < self.held.size() < self.loaded:
            self.loaded = 0
        return self.loaded

    def _load_rest(self) -> bool:
        self._beginning()
        return self._load_new(self.held.size(), at_end=True)

    def _load_rest_patiently(self) -> None:
        left = _END_PATIENCE_S
        while not self._load_rest():
            if left <= 0:
                raise DatabaseError(
                    "the database was in use, and the last lines are not loaded.",
                    path=str(self.database),
                    next_step=f"Close the other notebook or command and load {self.shown} again.",
                )
            time.sleep(_PAUSE_S)
            left -= _PAUSE_S

    def _load_new(self, end: int, *, at_end: bool = False) -> bool:
        """Load the file up to there; return whether that is done, or has to be tried again."""
        if end <= self.loaded:
            return True
        try:
            with Database(self.database) as database:
                report = load_files(database, [self._file(end)], **self.given)  # type: ignore[arg-type]
        except DatabaseError as error:
            if "in use" not in str(error):
                raise
            self.say("waiting: " + error.message)
            return False
        if report.errors and not at_end and self.report is None:
            # too little to know what it is; the end decides
            return True
        if report.errors and not at_end and self.held.size() < end:
            # it began anew while it was read
            return True
        self.loaded, self.report = end, report
        if report.errors:
            raise report.errors[0]
        self.say(f"{int(report.table['lines'].iloc[0]):,} lines of {self.shown}")
        return True

    def _file(self, end: int) -> File:
        saved, on_disk = self.held.saved(), None if self.once else self.held.path
        return File(self.shown, self.held.open, on_disk, saved, size=end, once=self.once, end=end)


def _end_of_lines(held: _Held, start: int) -> int:
    """Where the last whole line ends, at or after the start."""
    end = held.size()
    at = end
    with held.open() as file:
        while at > start:
            step = min(1 << 16, at - start)
            at -= step
            file.seek(at)
            if (found := file.read(step).rfind(b"\n")) >= 0:
                return at + found + 1
    return min(start, end)
