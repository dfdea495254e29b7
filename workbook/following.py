"""A log that is still being written: what is new is loaded again and again, until someone stops it or it ends."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from workbook.database import Database
from workbook.errors import DatabaseError, LoadError
from workbook.files import File, lying, unreadable
from workbook.loading import LoadReport, load_files

_PAUSE_S = 0.5
# loading may take this share of the time, so that others can read between two loads
_REST = 3.0
_END_PATIENCE_S = 30.0


def follow_file(path: Path, database: Path, say: Callable[[str], None], **given: object) -> LoadReport:
    """Load a file and what is written to it, until interrupted; return the report of the last load.

    The database is open only while lines are loaded, so notebooks can read it in between. Lines come in whole; the last
    one, which may be unfinished, when the following ends.
    """
    if not path.is_file():
        raise LoadError("there is no such file to follow.", path=str(path), next_step="Check the name.")
    with _stopped_by_signals() as stopped:
        return _Follower(lying(path), path, database, say, given).run(stopped)


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
    file = File("standard input", lambda: spool.open("rb"), once=True)
    with _stopped_by_signals() as stopped:
        copied.ended.wait(2 * _PAUSE_S)
        try:
            report = _Follower(file, spool, database, say, given).run(stopped, copied.ended)
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


class _Follower:
    def __init__(
        self, file: File, on_disk: Path, database: Path, say: Callable[[str], None], given: dict[str, object]
    ):
        self.file, self.on_disk, self.database, self.say, self.given = file, on_disk, database, say, given
        self.loaded = 0
        self.report: LoadReport | None = None

    def run(self, stopped: threading.Event, ended: threading.Event | None = None) -> LoadReport:
        while not stopped.is_set() and not (ended and ended.is_set()):
            began = time.monotonic()
            self._load_new(_end_of_lines(self.on_disk, self._beginning()))
            stopped.wait(max(_PAUSE_S, _REST * (time.monotonic() - began)))
        if ended:
            # an interrupt goes to the whole pipeline: what the other side still says is waited for
            ended.wait(2.0)
        left = _END_PATIENCE_S
        self._beginning()
        while not self._load_new(_size(self.on_disk), at_end=True):
            if left <= 0:
                raise DatabaseError(
                    "the database was in use, and the last lines are not loaded.",
                    path=str(self.database),
                    next_step=f"Close the other notebook or command and load {self.file.path} again.",
                )
            time.sleep(_PAUSE_S)
            left -= _PAUSE_S
        if self.report is None:
            raise LoadError(
                "nothing came.", path=self.file.path, next_step="Check the command before the pipe."
            )
        return self.report

    def _beginning(self) -> int:
        """How much is loaded of the file that lies there now: nothing when a shorter one took its place."""
        if 0 < _size(self.on_disk) < self.loaded:
            self.loaded = 0
        return self.loaded

    def _load_new(self, end: int, *, at_end: bool = False) -> bool:
        """Load the file up to there; return whether that is done, or has to be tried again."""
        if end <= self.loaded:
            return True
        try:
            with Database(self.database) as database:
                report = load_files(database, [replace(self.file, end=end, size=end)], **self.given)  # type: ignore[arg-type]
        except DatabaseError as error:
            if "in use" not in str(error):
                raise
            self.say("waiting: " + error.message)
            return False
        if report.errors and not at_end and self.report is None:
            # too little to know what it is; the end decides
            return True
        if report.errors and not at_end and _size(self.on_disk) < end:
            # it began anew while it was read
            return True
        self.loaded, self.report = end, report
        if report.errors:
            raise report.errors[0]
        self.say(f"{int(report.table['lines'].iloc[0]):,} lines of {self.file.path}")
        return True


def _size(path: Path) -> int:
    """The bytes of a file; 0 for one that is moved away at the moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _end_of_lines(path: Path, start: int) -> int:
    """Where the last whole line ends, at or after the start."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        at = end = file.seek(0, 2)
        while at > start:
            step = min(1 << 16, at - start)
            at = file.seek(at - step)
            if (found := file.read(step).rfind(b"\n")) >= 0:
                return at + found + 1
            end = at
    return min(start, end)
