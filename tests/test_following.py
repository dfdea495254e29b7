"""Following a log that is being written: whole lines while it goes on, the last one at the end, readers in between."""

import io
import random
import signal
import threading
import time

import pytest

from tests.faults import holds, started
from workbook import Workbook, following
from workbook.database import Database
from workbook.errors import DatabaseError, WorkbookError

QUICK = "from workbook import following; following._PAUSE_S = 0.1; following._REST = 0.5"
PATIENCE_S = 30.0


def lines(first: int, last: int, word: str = "order") -> str:
    """Log lines with those numbers, each of its own time."""
    return "".join(
        f"2024-03-04T12:{number // 60 % 60:02d}:{number % 60:02d}.{number:06d}+00:00 app[web.1]: {word} {number} é\n"
        for number in range(first, last)
    )


def messages(database) -> list[str]:
    """What is in the database while another process loads into it, in the order of lines."""
    try:
        with Workbook.open(database, read_only=True) as wb:
            return wb.sql("SELECT message FROM log_lines ORDER BY source_id, line")["message"].tolist()
    except WorkbookError as error:
        assert "no such database" in str(error) or "not made by a workbook" in str(error)
        return []


def until(database, count: int) -> list[str]:
    """Wait until so many lines are there; each reading on the way holds whole lines only, and more than the last."""
    end, before = time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < end:
        found = messages(database)
        assert all(one.endswith(" é") for one in found)
        assert len(found) >= before
        if (before := len(found)) >= count:
            return found
        time.sleep(0.05)
    pytest.fail(f"{before} of {count} lines came")


def ended(process) -> None:
    """Interrupt a following load; it says what it loaded and is done."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    assert b"lines" in out


def test_a_file_is_followed_and_read_meanwhile(tmp_path):
    log, database = tmp_path / "app.log", tmp_path / "w.duckdb"
    log.write_text(lines(0, 3))
    with started(["load", "--follow", log, "--db", database], before=QUICK) as process:
        until(database, 3)
        with log.open("a") as writer:
            writer.write(lines(3, 4) + lines(4, 5)[:-9])
            writer.flush()
            until(database, 4)
            time.sleep(0.4)
            assert len(messages(database)) == 4
            writer.write(lines(4, 5)[-9:] + lines(5, 3_000))
            writer.flush()
            until(database, 3_000)
            writer.write(lines(3_000, 3_001).rstrip("\n"))
        ended(process)
    assert len(messages(database)) == 3_001
    loaded = tmp_path / "once.duckdb"
    with Workbook.open(loaded) as wb:
        wb.load(log)
    assert holds(database) == holds(loaded)


@pytest.mark.parametrize("how", ["truncated", "moved away"])
@pytest.mark.parametrize("count", [2, 40])
def test_a_file_that_begins_anew_is_followed_on(tmp_path, how, count):
    log, database = tmp_path / "app.log", tmp_path / "w.duckdb"
    log.write_text(lines(0, 20))
    with started(["load", "--follow", log, "--db", database], before=QUICK) as process:
        until(database, 20)
        if how == "moved away":
            log.rename(tmp_path / "app.log.1")
            time.sleep(0.4)
        log.write_text(lines(100, 100 + count, "later"))
        assert len(until(database, 20 + count)) == 20 + count
        ended(process)
    with Workbook.open(database, read_only=True) as wb:
        assert wb.sources()["log_lines"].tolist() == [20, count]


def test_what_is_written_to_a_file_before_and_after_it_was_moved_away_is_loaded(tmp_path):
    log, database = tmp_path / "app.log", tmp_path / "w.duckdb"
    log.write_text(lines(0, 20))
    with started(["load", "--follow", log, "--db", database], before=QUICK) as process:
        until(database, 20)
        with log.open("a") as writer:
            writer.write(lines(20, 25))
            log.rename(tmp_path / "app.log.1")
            log.write_text("")
            writer.write(lines(25, 30))
            writer.flush()
            until(database, 30)
            # the last of the old one, with a line that no newline ends, and the first of the new one
            writer.write(lines(30, 31).rstrip("\n"))
        log.write_text(lines(100, 103, "later"))
        until(database, 34)
        ended(process)
    with Workbook.open(database, read_only=True) as wb:
        assert wb.sources()["log_lines"].tolist() == [31, 3]


def test_what_lies_in_a_moved_file_and_in_its_successor_at_the_end_is_loaded(tmp_path):
    log, database = tmp_path / "app.log", tmp_path / "w.duckdb"
    log.write_text(lines(0, 20))
    with started(
        ["load", "--follow", log, "--db", database],
        before="from workbook import following; following._PAUSE_S = 20",
    ) as process:
        until(database, 20)
        with log.open("a") as writer:
            writer.write(lines(20, 25))
        log.rename(tmp_path / "app.log.1")
        log.write_text(lines(100, 103, "later"))
        ended(process)
    assert len(messages(database)) == 28


def test_a_file_cut_short_just_before_the_end_is_read_whole(tmp_path):
    log, database = tmp_path / "app.log", tmp_path / "w.duckdb"
    log.write_text(lines(0, 20))
    # no load comes between the change and the interrupt
    with started(
        ["load", "--follow", log, "--db", database],
        before="from workbook import following; following._PAUSE_S = 20",
    ) as process:
        until(database, 20)
        log.write_text(lines(50, 52, "later"))
        ended(process)
    assert len(messages(database)) == 22


def test_a_pipe_is_followed_until_it_ends(tmp_path):
    database = tmp_path / "w.duckdb"
    with started(["load", "-", "--db", database], before=QUICK, stdin=-1) as process:
        for first, last in ((0, 5), (5, 2_000)):
            process.stdin.write(lines(first, last).encode())
            process.stdin.flush()
            until(database, last)
        process.stdin.write(lines(2_000, 2_001).rstrip("\n").encode())
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert b"2,001" in out
    assert len(messages(database)) == 2_001


def test_an_interrupted_pipe_keeps_its_last_line(tmp_path):
    database = tmp_path / "w.duckdb"
    with started(["load", "-", "--db", database], before=QUICK, stdin=-1) as process:
        process.stdin.write(lines(0, 9).encode() + b"2024-03-04T12:59:00+00:00 app[web.1]: unfinished")
        process.stdin.flush()
        until(database, 9)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert messages(database)[-1] == "unfinished"


@pytest.mark.parametrize(("text", "code", "count"), [("", 2, 0), (lines(0, 3), 0, 3)])
def test_a_pipe_that_ends_at_once(tmp_path, text, code, count):
    database = tmp_path / "w.duckdb"
    with started(["load", "-", "--db", database], stdin=-1) as process:
        _, err = process.communicate(text.encode(), timeout=60)
    assert process.returncode == code, err
    assert (b"nothing came" in err) == (not count)
    assert len(messages(database)) == count


def test_a_notebook_that_stays_open_sees_the_lines_grow(tmp_path):
    log, database = tmp_path / "app.log", tmp_path / "w.duckdb"
    log.write_text(lines(0, 10))
    with started(["load", "--follow", log, "--db", database], before=QUICK) as process:
        until(database, 10)
        with Workbook.open(database, read_only=True) as notebook:
            seen = []
            for step in range(1, 5):
                with log.open("a") as writer:
                    writer.write(lines(10 * step, 10 * step + 10))
                until(database, 10 * step + 10)
                seen.append(notebook.sql("SELECT count(*) AS n FROM log_lines")["n"][0])
            assert seen == [20, 30, 40, 50]
        ended(process)


def test_lines_wait_for_a_database_that_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(following, "_PAUSE_S", 0.05)
    log, database = tmp_path / "app.log", tmp_path / "w.duckdb"
    log.write_text(lines(0, 5))
    said = []
    follower = following._Follower(str(log), following._Held(log), database, said.append, {})
    with started(["sources", "--db", database], before=HOLD.format(database=str(database))) as process:
        while not database.exists():
            time.sleep(0.02)
        process.stdout.readline()
        stopped = threading.Event()
        stopped.set()
        threading.Timer(0.5, process.kill).start()
        report = follower.run(stopped)
    assert report.table["lines"].tolist() == [5]
    assert any("in use by process" in one for one in said)


HOLD = """
import time
from workbook import Workbook
held = Workbook.open({database!r})
print("held", flush=True)
time.sleep(60)
"""


def test_a_file_that_grows_in_steps_gives_what_the_whole_file_gives(tmp_path):
    dice = random.Random(4)
    whole = lines(0, 300)[:-3] + "\n" + "   at frame\n\nno log line\n" + lines(300, 400)
    log = tmp_path / "app.log"
    with Database(tmp_path / "steps.duckdb"):
        pass
    at = 0
    data = whole.encode()
    while at < len(data):
        at += dice.randrange(1, 6_000)
        log.write_bytes(data[:at])
        with Workbook.open(tmp_path / "steps.duckdb") as wb:
            assert wb.load(log).ok
    with Workbook.open(tmp_path / "once.duckdb") as wb:
        wb.load(log)
    assert holds(tmp_path / "steps.duckdb") == holds(tmp_path / "once.duckdb")


def test_what_came_through_a_pipe_outlives_a_database_that_stays_in_use(tmp_path, monkeypatch):
    def held(path):
        raise DatabaseError("the database is in use by process 1.", path=str(path))

    monkeypatch.setattr(following, "Database", held)
    monkeypatch.setattr(following, "_END_PATIENCE_S", 0.0)
    database = tmp_path / "incident.duckdb"
    text = b"2024-03-04T12:00:00+00:00 heroku[web.1]: State changed from starting to up\n"
    with pytest.raises(DatabaseError) as caught:
        following.follow_stream(io.BytesIO(text), tmp_path, database, lambda said: None)
    kept = tmp_path / "incident.duckdb.unloaded.log"
    assert str(kept) in str(caught.value) and kept.read_bytes() == text
