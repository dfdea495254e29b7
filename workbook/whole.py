"""A file that is there whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from workbook.errors import WorkbookError


@contextlib.contextmanager
def beside(target: Path, mode: int = 0o666) -> Iterator[Path]:
    """A new file in the same folder, which takes the target's place when the block ends well, and else is gone.

    ``mode`` are its permissions before the umask.
    """
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(mode & ~mask)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def written(target: Path, mode: int = 0o666) -> Iterator[Path]:
    """As ``beside``; raises WorkbookError, with one sentence, where the file cannot be written."""
    try:
        with beside(target, mode) as temporary:
            yield temporary
    except OSError as error:
        raise WorkbookError(
            f"could not be written: {error.strerror or error}.",
            path=str(target),
            next_step="Name a file in a folder that exists and that you may write to.",
        ) from error
