"""A ticket and its log in two files that are there whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from workbook.errors import WorkbookError
from workbook.ticket.build import Ticket


def log_path(path: Path) -> Path:
    """Return where the long log of a ticket goes: ``ticket-log.txt`` beside ``ticket.md``."""
    return path.with_name(f"{path.stem}-log.txt")


def written(ticket: Ticket, path: Path) -> Ticket:
    """Return the ticket with its ``paths``, written to ``path`` and, where there is a log, beside it.

    Raises WorkbookError when a file cannot be written.
    """
    paths = [path]
    if ticket.log:
        _write(log_path(path), ticket.log)
        paths.append(log_path(path))
    _write(path, ticket.text)
    return replace(ticket, paths=tuple(paths))


def _write(path: Path, text: str) -> None:
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o644 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise WorkbookError(
            f"could not be written: {error.strerror or error}.",
            path=str(path),
            next_step="Name a file in a folder that exists and that you may write to.",
        ) from error
