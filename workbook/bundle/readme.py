"""The README of a bundle: how to read it, and how to check it, without the workbook and with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbook import words

if TYPE_CHECKING:
    from workbook.bundle.manifest import Manifest

_TEXT = """{title}
{line}

This is an evidence bundle: what was found in an investigation, with all that the findings stand on.

report.html     what was found, for reading: open it in any browser, no network is needed
findings.json   the findings alone, worst first: severity, sentence, numbers, lines cited, next step
results/        each question: NAME.json and NAME.csv (its table), NAME.sql (the statement that gives the table again)
tables/         the tables that were asked, as Parquet; all times are UTC
tables.sql      makes those tables in DuckDB, with a comment above every column: unit, meaning, when it is NULL
manifest.json   versions, original files with their SHA-256, windows and parameters, SHA-256 of every file here
{notebook}
{redacted}

To read it without the workbook: open the CSV and JSON files with anything, and the Parquet files with DuckDB, pandas
or any other tool that knows Parquet. In DuckDB's own shell, in the folder of this file:

    duckdb tables.duckdb -init tables.sql
    .read results/errors.sql

To check it on another machine: unpack nothing, and run

    workbook verify FILE.zip

It checks every file against its SHA-256, makes the tables anew, asks every question again with the same parameters,
and prints "identical" or each number that differs. Ask the sender for the SHA-256 of manifest.json by another way: it
stands for everything else here.

Original files
{sources}

Results
{results}
"""


def text(manifest: Manifest) -> str:
    """Return the README of a bundle."""
    title = words.visible(manifest.title, one_line=True)
    return _TEXT.format(
        title=title,
        line="=" * min(max(words.columns(title), 3), 110),
        notebook="notebook/       the notebook of the investigation\n" if manifest.notebook else "",
        redacted=_redacted(manifest),
        sources="\n".join(_source(one) for one in manifest.sources) or "none",
        results="\n".join(f"{one['file']}: {one['name']}" for one in manifest.results),
    )


def _source(one: dict[str, object]) -> str:
    path = words.visible(str(one["path"]), one_line=True)
    return f"{one['sha256']}  {path} ({one['bytes']:,} bytes, {one['lines']:,} lines)"


def _redacted(manifest: Manifest) -> str:
    if not manifest.redacted:
        return "Nothing is redacted: addresses, e-mails and tokens stand here as they were logged. Take care of it."
    counted = ", ".join(f"{count:,} {kind}" for kind, count in manifest.replaced.items()) or "nothing"
    return (
        "Addresses, e-mails, host names, tokens and query values are replaced, each by one pseudonym wherever it\n"
        f"stands, so that counts and joins stay. Replaced in the tables: {counted}.\n"
        f"The findings of the original files compared with those here: {manifest.proof}"
    )
