"""A ticket and its log in two files that are there whole, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from workbook import whole
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
    with whole.written(path, 0o644) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
