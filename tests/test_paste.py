"""What a terminal showed, put into a cell or a pipe: recognised, split, every line accounted for, and cited."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from workbook import Workbook, WorkbookError

INFO = """\
=== DATABASE_URL, HEROKU_POSTGRESQL_COBALT_URL
Plan:                  Standard 0
Status:                Available
Connections:           119/120
Add-on:                postgresql-blue-12345
"""
MIXED = f"""
me@laptop:~/shop (main)$ heroku pg:info -a shop
{INFO}
me@laptop:~/shop (main)$ heroku pg:cache-hit -a shop
 ›   Warning: heroku update available from 7.0.0 to 7.0.1.
      name      |         ratio
----------------+------------------------
 index hit rate | 0.98012345678901234567
 table hit rate | 0.99750123456789012345
(2 rows)

me@laptop:~/shop (main)$ heroku logs -n 1 -a shop
2024-03-04T12:00:00.000000+00:00 heroku[web.1]: State changed from starting to up
me@laptop:~/shop (main)$ fortune
You will be lucky.
"""


@pytest.fixture(scope="module")
def pasted() -> Any:
    with Workbook.open() as wb:
        assert wb.paste(MIXED).ok
        yield wb


def test_a_mixed_paste_is_split_and_balances(pasted: Workbook) -> None:
    source = pasted.sources().iloc[0]
    assert source["path"] == "pasted" and source["kind"] == "command_output"
    parts = ("log_lines", "joined", "duplicates", "unread", "blank")
    assert source["lines"] == sum(source[part] for part in parts) == len(MIXED.splitlines())
    counts = {
        table: pasted.sql(f"SELECT count(*) AS n FROM {table}")["n"].iloc[0]
        for table in ("database_facts", "table_statistics", "dyno_states", "transcript")
    }
    assert counts == {"database_facts": 5, "table_statistics": 2, "dyno_states": 1, "transcript": 4}
    unread = pasted.sql("SELECT text, reason FROM unread_lines ORDER BY line")
    assert [text.strip() for text in unread["text"]][-1] == "You will be lucky."
    assert len(unread) == 2


def test_findings_cite_it(pasted: Workbook) -> None:
    findings = pasted.run("database_card").findings
    assert {one.source for finding in findings for one in finding.evidence} == {"pasted"}
    lines = MIXED.splitlines()
    low = next(one for one in findings if "index hit rate" in one.title)
    assert "index hit rate" in lines[low.evidence[0].line - 1]


def test_the_same_again_is_known_and_another_stays_beside_it() -> None:
    with Workbook.open() as wb:
        assert wb.paste(INFO).table["outcome"].tolist() == ["loaded"]
        assert wb.paste(INFO).table["outcome"].tolist() == ["known before"]
        wb.paste(INFO.replace("119", "19"))
        wb.paste(INFO.replace("119", "29"), name="after the deploy")
        assert wb.sources()["path"].tolist() == ["pasted", "pasted (2)", "after the deploy"]
        assert wb.sql("SELECT count(*) AS n FROM database_facts")["n"].iloc[0] == 15


@pytest.mark.parametrize("text", ["", "  \n\t\n"])
def test_an_empty_paste_is_refused(wb: Workbook, text: str) -> None:
    with pytest.raises(WorkbookError, match="nothing was pasted"):
        wb.paste(text)


def test_a_name_is_one_line(wb: Workbook) -> None:
    with pytest.raises(WorkbookError, match="no name"):
        wb.paste(INFO, name="a\nb")


def test_what_is_no_output_is_named_in_the_report(wb: Workbook) -> None:
    report = wb.paste("Dear support,\nthe site is slow.\n")
    assert not report.ok and "pasted, line 1" in str(report.errors[0])
    assert wb.sources().empty


def test_half_a_character_is_read_and_noted(wb: Workbook) -> None:
    report = wb.paste(INFO + "Note:  \ud800\n")
    assert report.ok and report.table["lines"].tolist() == [6]


def test_the_output_of_a_command_through_a_pipe(tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workbook.cli", "load", "-", "--format", "json"],
        input=INFO, capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert '"heroku_pg_info"' in done.stdout
    with Workbook.open(tmp_path / "workbook.duckdb", read_only=True) as wb:
        assert wb.sql("SELECT value FROM database_facts WHERE fact = 'Connections'")["value"].tolist() == [
            "119/120"
        ]
