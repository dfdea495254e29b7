"""A performance investigation workbook for applications on Heroku."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbook.analysis import Finding, Result
    from workbook.errors import WorkbookError
    from workbook.window import Window
    from workbook.workbook import Workbook

__version__ = "0.1.0"
__all__ = ["Finding", "Result", "Window", "Workbook", "WorkbookError"]

_HOMES = {
    "Finding": "analysis",
    "Result": "analysis",
    "Window": "window",
    "Workbook": "workbook",
    "WorkbookError": "errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for: the command line answers --help before pandas is there."""
    if name not in _HOMES:
        raise AttributeError(f"module 'workbook' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"workbook.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
