"""Words that every section of the card uses."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbook import words
from workbook.analysis import cite
from workbook.words import line as text

REFERENCE = "book ch. 5"
MOST_NAMED = 5

__all__ = ["MOST_NAMED", "REFERENCE", "evidence_of", "exact", "named", "of", "text"]


def of(row: pd.Series) -> str:
    """The database in words, with a blank before it; nothing when it is not known."""
    return "" if pd.isna(row["database"]) else f" of {text(row['database'])}"


def evidence_of(part: pd.DataFrame) -> tuple[Any, ...]:
    return tuple(one for cell in part["evidence"].head(MOST_NAMED) for one in cite(cell)[:1])


def named(part: pd.DataFrame) -> str:
    names = [words.cut(text(name), 60) for name in part["name"].head(MOST_NAMED)]
    more = len(part) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def exact(share: float) -> str:
    """A share near its limit in as many digits as tell them apart."""
    return f"{share:.5f}"
