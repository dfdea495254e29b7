"""The tables of a workbook with what must not be shared replaced, each thing by one pseudonym in all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd

from workbook.database import Database, table_names
from workbook.redact import Redactor

AT_ONCE = 50_000
KEPT_COLUMNS = frozenset(("sha256", "text_sha256"))
"""Digests of files: they say nothing, and would look like tokens."""
HOST_COLUMNS = frozenset(
    (
        ("requests", "host"),
        ("front_requests", "host"),
        ("transaction_samples", "host"),
        ("domains", "domain"),
        ("domains", "target"),
        ("dns_records", "name"),
        ("dns_records", "asked"),
    )
)
"""Columns that hold one host name each, whatever it looks like."""
NAMES_COLUMNS = frozenset(
    (("certificates", "common_names"), ("certificates", "endpoint"), ("dns_records", "value"))
)
"""Columns in which every dotted name is a host name."""
LINE_COLUMNS = frozenset((("log_lines", "message"), ("unread_lines", "text")))
"""Columns that are read as one text, a line after the other: a private key goes over many of them."""


def copy(source: Database, target: Database, redactor: Redactor) -> None:
    """Fill the tables of an empty database with the rows of another one, redacted.

    Times, numbers, request ids, dynos and the shape of routes stay. ``redactor.counts`` says how much of each kind was
    replaced.
    """
    columns = _text_columns(source)
    with source.held():
        _learn(source, columns, redactor)
        for table in _copied():
            target.take(table, source.rows(f"SELECT * FROM {table}"))
        for table, column in columns:
            _replace(source, target, table, column, redactor)


def _copied() -> list[str]:
    return [name for name in table_names() if name != "workbook"]


def _text_columns(database: Database) -> list[tuple[str, str]]:
    """Every column of text, the lines of the log first: they name the hosts."""
    found = database.fetch(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main' AND data_type = 'VARCHAR'"
        " AND database_name = current_database() ORDER BY table_oid, column_index"
    )
    known = set(_copied())
    wanted = [pair for pair in found if pair[0] in known and pair[1] not in KEPT_COLUMNS]
    return sorted(wanted, key=lambda pair: pair not in LINE_COLUMNS)


def _values(database: Database, table: str, column: str) -> Iterator[list[str]]:
    """The texts of a column, some at a time: lines in their order, other values once each."""
    if (table, column) in LINE_COLUMNS:
        sql = f'SELECT "{column}" FROM {table} ORDER BY source_id, line, "{column}"'
    else:
        sql = f'SELECT DISTINCT "{column}" FROM {table} WHERE "{column}" IS NOT NULL ORDER BY ALL'
    cursor = database.execute(sql)
    while rows := cursor.fetchmany(AT_ONCE):
        yield [text for (text,) in rows if text]


def _learn(source: Database, columns: list[tuple[str, str]], redactor: Redactor) -> None:
    for table, column in columns:
        for texts in _values(source, table, column):
            if (table, column) in HOST_COLUMNS:
                for text in texts:
                    redactor.value(text, "host")
            elif (table, column) in NAMES_COLUMNS:
                for text in texts:
                    for name in _dotted(text):
                        redactor.value(name, "host")
            else:
                redactor.learn(texts)
    redactor.counts.clear()


def _dotted(text: str) -> list[str]:
    return re.findall(r"(?:[\w-]+\.)+[A-Za-z][\w-]*", text)


def _replace(source: Database, target: Database, table: str, column: str, redactor: Redactor) -> None:
    """Put the redacted texts of one column in the place of those that held something."""
    kind = "host" if (table, column) in HOST_COLUMNS else ""
    running = (table, column) in LINE_COLUMNS
    target.execute("CREATE OR REPLACE TEMP TABLE replaced (old VARCHAR, new VARCHAR)")
    found = False
    for texts in _values(source, table, column):
        new = [redactor.text(text) if running else redactor.value(text, kind) for text in texts]
        pairs = {old: one for old, one in zip(texts, new, strict=True) if old != one}
        if pairs:
            found = True
            _keep(target, pairs)
    if found:
        target.execute(
            f'UPDATE {table} SET "{column}" = firsts.new'
            " FROM (SELECT old, min(new) AS new FROM replaced GROUP BY old) AS firsts"
            f' WHERE {table}."{column}" = firsts.old'
        )
    target.execute("DROP TABLE replaced")


def _keep(target: Database, pairs: dict[str, str]) -> None:
    target.register("changed", pd.DataFrame({"old": list(pairs), "new": list(pairs.values())}, dtype=object))
    try:
        target.execute("INSERT INTO replaced SELECT old, new FROM changed")
    finally:
        target.unregister("changed")
