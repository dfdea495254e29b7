"""A database of an earlier version is brought up to date in place, and then holds what loading the files anew gives."""

import gzip
from pathlib import Path

import pytest

from workbook import Workbook, WorkbookError, cli
from workbook.database import SCHEMA_VERSION, table_names

STORED = Path(__file__).parent / "stored"
VERSIONS = [1]


def stored(version: int, folder: Path) -> Path:
    """The database that this version's code made of dump.log and ps.txt."""
    path = folder / "older.duckdb"
    path.write_bytes(gzip.decompress((STORED / f"schema_{version}.duckdb.gz").read_bytes()))
    return path


def tables(wb: Workbook) -> dict[str, str]:
    """Every table's rows; of the sources only where their lines went."""
    sources = "SELECT source_id, kind, lines, log_lines, joined, duplicates, unread, blank FROM sources ORDER BY ALL"
    found = {
        name: wb.sql(f"FROM {name} ORDER BY ALL").to_csv() for name in table_names() if name != "workbook"
    }
    return found | {"sources": wb.sql(sources).to_csv()}


def test_every_earlier_version_is_stored():
    assert [*VERSIONS, SCHEMA_VERSION] == list(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_database_becomes_what_loading_anew_gives(tmp_path, version):
    path = stored(version, tmp_path)
    with Workbook.open(path) as upgraded, Workbook.open() as fresh:
        fresh.load(STORED / "dump.log", STORED / "ps.txt")
        assert tables(upgraded) == tables(fresh)
        assert upgraded.sql("SELECT schema_version FROM workbook")["schema_version"].tolist() == [
            SCHEMA_VERSION
        ]
    with Workbook.open(path, read_only=True) as again:
        assert len(again.sources()) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_database_is_not_changed_by_reading(tmp_path, version):
    path = stored(version, tmp_path)
    before = path.read_bytes()
    with pytest.raises(WorkbookError, match="an older workbook made this database"):
        Workbook.open(path, read_only=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_that_an_older_version_loaded_is_known(tmp_path, version):
    with Workbook.open(stored(version, tmp_path)) as wb:
        assert wb.load(STORED / "dump.log").table["outcome"].tolist() == ["known before"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_command_that_the_error_names_brings_it_up_to_date(tmp_path, capsys, version):
    path = str(stored(version, tmp_path))
    assert cli.main(["sources", "--db", path]) == 2
    assert "workbook reread --db" in capsys.readouterr().err
    assert cli.main(["reread", "--db", path]) == 0
    assert cli.main(["sources", "--db", path]) == 0
