"""What a person can mend: each error names the file, the line where there is one, and the next step."""

from __future__ import annotations


class WorkbookError(Exception):
    """An error a person can mend, as one sentence with what to do next.

    ``path`` and ``line`` say where; ``next_step`` says what to do. ``str(error)`` holds all of them.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        next_step: str | None = None,
    ):
        self.message, self.path, self.line, self.next_step = message, path, line, next_step
        where = "" if path is None else f"{path}: " if line is None else f"{path}, line {line}: "
        then = "" if next_step is None else f" {next_step}"
        super().__init__(f"{where}{message}{then}")


class LoadError(WorkbookError):
    """A file could not be loaded; nothing of it is in the database."""


class DatabaseError(WorkbookError):
    """The database file cannot be used; it is as it was."""


class UsageError(WorkbookError):
    """A name, a window, a parameter or a statement is not one that works here."""
