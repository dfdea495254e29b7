"""A performance investigation workbook for applications on Heroku."""

from workbook.analysis import Finding, Result
from workbook.errors import WorkbookError
from workbook.window import Window
from workbook.workbook import Workbook

__version__ = "0.1.0"
__all__ = ["Finding", "Result", "Window", "Workbook", "WorkbookError"]
