"""One rule of the book in words, and how numbers are written in SQL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A rule: its place in the book (``4.02``), its words, the book's value and today's, where both are written.

    ``load`` says what to load where the check cannot tell; ``step`` what to do where it warns or fails.
    """

    id: str
    check: str
    book: str
    today: str
    load: str
    step: str
    source: str

    def words(self) -> tuple[str, ...]:
        """Return the texts of the rule in the order of the statement's columns, the chapter behind the id."""
        chapter = self.id.partition(".")[0]
        return (self.id, chapter, self.check, self.book, self.today, self.load, self.step, self.source)


def literal(text: str) -> str:
    """Return a text of ours as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def count(expression: str) -> str:
    """Return the SQL that writes a count: ``1,904``."""
    return f"format('{{:,}}', ({expression})::BIGINT)"


def share(expression: str) -> str:
    """Return the SQL that writes a share of 1 in percent: ``12.3 %``."""
    return f"format('{{:.1f}} %', 100.0 * ({expression}))"


def decimal(expression: str, places: int = 1) -> str:
    """Return the SQL that writes a number with so many decimals."""
    return f"format('{{:,.{places}f}}', ({expression})::DOUBLE)"


def place(alias: str = "") -> str:
    """Return the SQL of a line as evidence."""
    dot = f"{alias}." if alias else ""
    return f"struct_pack(source_id := {dot}source_id, line := {dot}line)"
