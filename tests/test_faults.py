"""Faults while loading: the database opens, holds whole sources only, and the same command finishes the job.

Each try ends with a look at every table, by the side of a load that nothing disturbed.

====================================  =====  ====
fault                                 tries  lost
====================================  =====  ====
kill -9, at a statement or a moment       8     0
interrupt, between and in statements      3     0
full disk, in a load or at its end        2     0
two loads into one database               1     0
source that changes while read            6     0
cut off or damaged gz or zip              8     0
bomb as gz or zip                         2     0
====================================  =====  ====

tests/test_following.py and tests/test_slabs.py go on: files that are written meanwhile, lines that are too long,
hostile text and names, and where a text is cut on its way in.
"""

import gzip
import hashlib
import signal
import time
import zipfile
from pathlib import Path

import pytest

from benchmarks import made_log
from tests.faults import START, digest, ran, sizes, started
from workbook import Workbook, WorkbookError, cli, slabs

LINES = 20_000
# four slabs of the larger file
SLABS = "slabs.SLAB_LINES = 6_000"


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A folder with a small and a larger log."""
    folder = tmp_path_factory.mktemp("logs")
    made_log.write(folder / "a.log", 2_000, seed=1)
    made_log.write(folder / "b.log", LINES, seed=2)
    return folder


@pytest.fixture(scope="module")
def undisturbed(logs, tmp_path_factory):
    """The database that a load of the folder gives when nothing happens, and how long that took."""
    database = tmp_path_factory.mktemp("undisturbed") / "whole.duckdb"
    began = time.monotonic()
    assert ran(["load", logs, "--db", database], before=SLABS)[0] == 0
    return database, time.monotonic() - began


def whole_sources(path: Path, expected: Path) -> int:
    """How many sources are there; fails when one is not whole."""
    found, all_of_it = sizes(path), sizes(expected)
    assert found == {name: all_of_it[name] for name in found}
    return len(found)


def finished(logs: Path, database: Path, expected: Path) -> None:
    """The same command again finishes the job."""
    assert cli.main(["load", str(logs), "--db", str(database)]) == 0
    assert digest(database) == digest(expected)


KILL_AT = """
import os
from workbook.database import Database
execute, calls = Database.execute, 0
def counted(self, *given, **named):
    global calls
    calls += self.path is not None
    if calls == {number}:
        os.kill(os.getpid(), signal.{kind})
    return execute(self, *given, **named)
Database.execute = counted
"""


@pytest.mark.parametrize("number", [1, 3, 12, 40, 60])
def test_killed_at_a_statement(logs, undisturbed, tmp_path, number):
    database = tmp_path / "w.duckdb"
    code, *_ = ran(
        ["load", logs, "--db", database], before=SLABS + KILL_AT.format(number=number, kind="SIGKILL")
    )
    assert code == -signal.SIGKILL
    if database.exists():
        with Workbook.open(database):
            pass
        whole_sources(database, undisturbed[0])
    finished(logs, database, undisturbed[0])


@pytest.mark.parametrize("share", [0.5, 0.75, 0.9])
def test_killed_at_a_moment(logs, undisturbed, tmp_path, share):
    expected, took_s = undisturbed
    database = tmp_path / "w.duckdb"
    with started(["load", logs, "--db", database], before=SLABS) as process:
        time.sleep(share * took_s)
        process.kill()
    if database.exists():
        with Workbook.open(database):
            pass
        whole_sources(database, expected)
    finished(logs, database, expected)


@pytest.mark.parametrize("number", [40, 60])
def test_interrupted(logs, undisturbed, tmp_path, number):
    database = tmp_path / "w.duckdb"
    code, _, said, _ = ran(
        ["load", logs, "--db", database], before=SLABS + KILL_AT.format(number=number, kind="SIGINT")
    )
    assert code == 2
    assert "interrupted; whole sources are kept" in said
    assert "Traceback" not in said
    whole_sources(database, undisturbed[0])
    finished(logs, database, undisturbed[0])


INTERRUPT_IN_THE_ENGINE = """
import threading, os, time
from workbook.database import Database
take = Database.take
def slowed(self, table, rows):
    if table == "log_lines":
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        self.execute("SELECT count(*) FROM range(20_000) AS a, range(20_000_000) AS b WHERE a.range = b.range + 1 + random()")
    take(self, table, rows)
Database.take = slowed
"""


def test_interrupted_while_the_engine_works(logs, tmp_path):
    database = tmp_path / "w.duckdb"
    code, out, said, _ = ran(["load", logs, "--db", database], before=INTERRUPT_IN_THE_ENGINE)
    assert code == 2, out
    assert sizes(database) == {}
    assert "interrupted; whole sources are kept" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("megabytes", [1, 4])
def test_a_full_disk_is_one_error_and_changes_nothing(logs, undisturbed, tmp_path, megabytes):
    database = tmp_path / "w.duckdb"
    assert cli.main(["load", str(logs / "a.log"), "--db", str(database)]) == 0
    before = digest(database)
    code, out, said, _ = ran(["load", logs, "--db", database], before=SLABS, largest_file=megabytes << 20)
    assert code == 2
    assert (out + said).count("make room") == 1, out + said
    assert "Traceback" not in said
    assert digest(database) == before
    finished(logs, database, undisturbed[0])


SLOW = """
import time
from workbook import staging
read = staging.Stage.read
def slowly(self, *given):
    time.sleep(0.5)
    return read(self, *given)
staging.Stage.read = slowly
"""


def test_of_two_loads_into_one_database_one_says_who_is_in_the_way(logs, undisturbed, tmp_path):
    database = tmp_path / "w.duckdb"
    with started(["load", logs, "--db", database], before=SLABS + SLOW) as first:
        while not database.exists():
            time.sleep(0.02)
        code, _, said, _ = ran(["load", logs, "--db", database])
        assert code == 2
        assert f"in use by process {first.pid}" in said
        _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert digest(database) == digest(undisturbed[0])
    finished(logs, database, undisturbed[0])


@pytest.mark.parametrize("text", ["rewritten", "shorter", "gone"])
@pytest.mark.parametrize("known", [False, True])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, text, known):
    log, database = tmp_path / "app.log", tmp_path / "w.duckdb"
    made_log.write(log, 300)
    other = tmp_path / "other.log"
    made_log.write(other, 100, seed=9)
    monkeypatch.setattr(slabs, "_PIECE", 1 << 12)
    monkeypatch.setattr(slabs, "_HEAD", 1 << 12)
    whole = log.read_bytes()
    with Workbook.open(database) as wb:
        if known:
            wb.load(other)
        before = wb.sources().to_dict("records")
        new = {"rewritten": whole.replace(b"GET", b"PUT"), "shorter": whole[: len(whole) // 2], "gone": b""}[
            text
        ]
        opened = slabs.Text.slabs

        def changed(self, *given, **named):
            log.write_bytes(new)
            return opened(self, *given, **named)

        with monkeypatch.context() as patched:
            patched.setattr(slabs.Text, "slabs", changed)
            errors = wb.load(log).errors
        if errors:
            assert "changed while it was read" in errors[0].message
            assert wb.sources().to_dict("records") == before
        else:
            # the shorter file is the beginning of what was there, and nothing else was read
            assert (text, known) == ("shorter", False)
            assert list(wb.sources()["sha256"]) == [hashlib.sha256(log.read_bytes()).hexdigest()]
        log.write_bytes(whole)
        assert wb.load(log).ok


def zipped(path: Path, *names: str) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, lines_of(3_000, name))
    return path.read_bytes()


def lines_of(count: int, name: str) -> str:
    return "".join(f"{START[:20]}{at:06d}+00:00 app[web.1]: {name} says {at * 7919}\n" for at in range(count))


def spoiled(whole: bytes, how: str) -> bytes:
    at = {"early": len(whole) // 20, "late": len(whole) * 9 // 10}[how.split()[1]]
    return whole[:at] if how.startswith("cut") else whole[:at] + bytes(99) + whole[at + 99 :]


@pytest.mark.parametrize("how", ["cut early", "cut late", "damaged early", "damaged late"])
@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_of_a_spoiled_archive_nothing_stays(tmp_path, monkeypatch, kind, how):
    monkeypatch.setattr(slabs, "SLAB_LINES", 1_000)
    monkeypatch.setattr(slabs, "_PIECE", 1 << 12)
    monkeypatch.setattr(slabs, "_HEAD", 1 << 12)
    path = tmp_path / f"app.log.{kind}"
    text = lines_of(3_000, "app.log")
    whole = gzip.compress(text.encode()) if kind == "gz" else zipped(path, "app.log")
    path.write_bytes(spoiled(whole, how))
    (tmp_path / "good.log").write_text(text[:10_000].rpartition("\n")[0] + "\n")
    with Workbook.open() as wb:
        report = wb.load(tmp_path)
        assert report.errors[0].message.startswith("the archive is cut off or damaged")
        assert len(report.errors) == len(wb.sources()) == 1
        assert wb.sql("SELECT count(*) AS n FROM log_lines")["n"][0] == wb.sources()["lines"][0]
        path.write_bytes(whole)
        assert wb.load(tmp_path).ok
        assert wb.sources()["lines"].sum() - wb.sources()["duplicates"].sum() == 3_000


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(slabs, "_BOMB_BYTES", 1 << 20)
    read = 0
    chunks = slabs.Text._chunks

    def counted(self):
        nonlocal read
        for chunk in chunks(self):
            read += len(chunk)
            yield chunk

    monkeypatch.setattr(slabs.Text, "_chunks", counted)
    text = (START + "a" * 2_000 + "\n").encode() * 20_000
    path = tmp_path / f"bomb.{kind}"
    if kind == "gz":
        path.write_bytes(gzip.compress(text))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bomb.log", text)
    with Workbook.open() as wb:
        (error,) = wb.load(path).errors
        assert "grows more than" in error.message
        assert wb.sources().empty
    assert 0 < read < len(text)


def test_a_word_in_a_databases_name_is_not_taken_for_a_lock(tmp_path):
    path = tmp_path / "clock.duckdb"
    path.write_bytes(b"no database" * 999)
    with pytest.raises(WorkbookError, match=r"not a workbook's database"):
        Workbook.open(path)
