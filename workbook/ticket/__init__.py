"""A ticket for Heroku support, made of a finding: one Markdown text and the long log beside it, both redacted."""

from __future__ import annotations

from workbook.ticket.build import Ticket, make
from workbook.ticket.write import log_path, written

__all__ = ["Ticket", "log_path", "make", "written"]
