"""Lines of a table in a terminal: cells between two blanks or more, rulers, borders of boxes, sizes and hosts."""

from __future__ import annotations

import re

_RULES = frozenset("-–—─━═=")
_RULER_SIGNS = _RULES | frozenset(" \t+|│┃║┼┬┴├┤┌┐└┘╔╗╚╝╠╣╦╩╬")
_BORDERS = re.compile(r"[│┃║]")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s?(?:(bytes?)|([kKMGTP]?)i?B)", re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
HOST = re.compile(
    r"(?:\*\.)?(?=[\w.-]{4,253}\.?$)[A-Za-z0-9_](?:[\w-]*\.)+[A-Za-z][\w-]*[A-Za-z0-9]\.?", re.ASCII
)
"""A host name of two labels or more, maybe with a wildcard first and a dot at the end."""


def is_ruler(line: str) -> bool:
    """Say whether the line only rules off: dashes, box-drawing, corners."""
    text = line.strip()
    return _RULER_SIGNS.issuperset(text) and sum(sign in _RULES for sign in text) >= 3


def cells(line: str) -> list[str]:
    """Return the cells of a line, cut at tabs, borders of a box, or two blanks and more; one blank belongs to a cell."""
    if _BORDERS.search(line):
        return [cell.strip() for cell in _BORDERS.split(line.strip().strip("│┃║"))]
    if "\t" in line.strip():
        return [cell.strip() for cell in line.strip().split("\t")]
    return re.split(r"\s{2,}", line.strip())


def size_bytes(text: str) -> int | None:
    """Return the bytes of a size such as 5.7KB, 6.5 MB or 8192 bytes, of 1,024 to the kB; None when it is no size."""
    found = _SIZE.fullmatch(text.strip())
    return None if found is None else round(float(found[1]) * 1024 ** _POWERS[(found[3] or "").upper()])


def app_name(text: str) -> str:
    """Return the name of an application without the sign that newer versions print before it."""
    return text.replace("⬢", "").strip()
