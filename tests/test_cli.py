"""The command line: the same words as the notebook; one sentence for what a person can mend."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbook import cli

SAMPLE = Path(__file__).parents[1] / "sample_data"
LINE = (
    '2024-03-04T12:00:0{n}.5+00:00 heroku[router]: at=info method=GET path="/a" host=h.example.com request_id=r{n}'
    ' fwd="192.0.2.1" dyno=web.1 connect=1ms service=20ms status=200 bytes=5 protocol=https\n'
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with a blank in its name, to stand in."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(capsys):
    """Run a command; give its exit status, stdout and stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return command


def test_load_then_ask(here, run):
    (here / "dump.log").write_text("".join(LINE.format(n=n) for n in range(3)))
    status, out, _ = run("load", "dump.log")
    assert status == 0 and "dump.log" in out
    assert (here / "workbook.duckdb").exists()
    status, out, _ = run("sources", "--format", "json")
    assert status == 0 and json.loads(out)[0]["log_lines"] == 3
    status, out, _ = run("sql", "SELECT count(*) AS requests FROM requests", "--format", "csv")
    assert (status, out.split()) == (0, ["requests", "3"])
    status, out, _ = run("tables", "--format", "json")
    assert {"table", "rows", "column", "type", "meaning"} == set(json.loads(out)[0])
    status, out, _ = run("reread")
    assert status == 0
    status, out, _ = run("run", "slow_transactions", "--format", "json", "--danger-ms", "25000")
    assert json.loads(out)[0]["count"] == 3


def test_paths_are_read_in_memory_and_leave_nothing_behind(here, run):
    (here / "dump.log").write_text(LINE.format(n=1))
    status, out, _ = run(
        "run", "slow_transactions", "--order", "time_consumed", "dump.log", "--format", "json"
    )
    assert status == 0 and json.loads(out)[0]["count"] == 1
    assert sorted(path.name for path in here.iterdir()) == ["dump.log"]


def test_standard_input(here):
    out = subprocess.run(
        [sys.executable, "-m", "workbook.cli", "run", "slow_transactions", "-", "--format", "json"],
        input=LINE.format(n=1), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert json.loads(out)[0]["count"] == 1


def test_a_reader_that_leaves_early_is_no_error(here):
    (here / "dump.log").write_text("".join(LINE.format(n=n) for n in range(9)))
    command = f"{sys.executable!r} -m workbook.cli sql 'SELECT * FROM range(200000)' --format csv --db x.duckdb | head -2"
    assert cli.main(["load", "dump.log", "--db", "x.duckdb"]) == 0
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["range", "0"] and "Traceback" not in done.stderr


MENDABLE = {
    "no database": (["triage"], "there is no database workbook.duckdb here"),
    "no file": (["triage", "nowhere.log"], "nowhere.log: there is no such file"),
    "unknown analysis": (
        ["run", "queuing", "dump.log"],
        "There is no analysis “queuing”. Did you mean queueing?",
    ),
    "window": (
        ["triage", "dump.log", "--from", "2024-03-05", "--to", "2024-03-04"],
        "the start is not before the end",
    ),
    "time": (["triage", "dump.log", "--from", "tomorrow"], "“tomorrow” is not a time"),
    "bounds": (["run", "queueing", "dump.log", "--high-wait-ms", "-5"], "high_wait_ms"),
    "type": (["run", "queueing", "dump.log", "--high-wait-ms", "soon"], "is not a whole number"),
    "parameter": (["run", "queueing", "dump.log", "--colour", "red"], "queueing does not know --colour"),
    "choice": (["run", "slow_transactions", "dump.log", "--order", "name"], "is not a choice"),
    "zone": (["triage", "dump.log", "--zone", "Mars/Olympus"], "“Mars/Olympus” is not a time zone"),
    "statement": (["sql", "SELECT FROM WHERE", "--db", "made.duckdb"], "the statement failed"),
    "flag": (["triage", "dump.log", "--colour"], "triage does not know --colour"),
    "report": (["report", "dump.log", "-o", "no/folder/report.html"], "report.html"),
}


@pytest.mark.parametrize("name", MENDABLE)
def test_what_a_person_can_mend_is_one_sentence(here, run, name):
    (here / "dump.log").write_text(LINE.format(n=1))
    run("load", "dump.log", "--db", "made.duckdb")
    arguments, said = MENDABLE[name]
    status, _, err = run(*arguments)
    assert status == 2
    assert said in err and "Traceback" not in err and err.count("\n") <= 4


def test_a_load_that_fails_leaves_no_database_behind(here, run):
    assert run("load", "nowhere.log")[0] == 2
    (here / "README.md").write_text("# nothing to load\n")
    assert run("load", ".")[0] == 2
    assert sorted(path.name for path in here.iterdir()) == ["README.md"]


def test_a_report_is_not_written_over_what_it_is_about(here, run):
    (here / "dump.log").write_text(LINE.format(n=1))
    run("load", "dump.log", "--db", "kept.duckdb")
    for arguments in (["dump.log", "-o", "dump.log"], ["--db", "kept.duckdb", "-o", "kept.duckdb"]):
        status, _, err = run("report", *arguments)
        assert status == 2 and "is one of the files that the report is about" in err
    assert (here / "dump.log").read_text() == LINE.format(n=1)
    assert run("sources", "--db", "kept.duckdb")[0] == 0


def test_run_triage_takes_paths_and_windows_and_refuses_flags(here, run):
    (here / "dump.log").write_text(LINE.format(n=1))
    assert run("run", "triage", "--from", "2014-01-01", "dump.log")[0] == 0
    status, _, err = run("run", "triage", "dump.log", "--high-wait-ms", "3")
    assert status == 2 and "triage does not know --high-wait-ms" in err


def test_an_offset_may_begin_with_a_minus(here, run):
    (here / "papertrail.txt").write_text("Mar 04 12:00:00 shop app/web.1: hello\n")
    assert run("load", "papertrail.txt", "--zone", "-04:00", "--year", "2024")[0] == 0
    _, out, _ = run("sql", "SELECT time::VARCHAR AS time FROM log_lines", "--format", "csv")
    assert out == "time\n2024-03-04 16:00:00\n"


def test_a_name_cannot_steer_the_terminal(here, run):
    (here / "evil\x1b[31m\nname.log").write_text("\x1b]0;title\x07 nothing known\n")
    status, out, err = run("load", ".")
    assert status == 2 and "\x1b" not in out + err and "name.log" in out and "workbook.duckdb" not in out


def test_a_plain_terminal_gets_its_answer(here):
    (here / "dump.log").write_text(LINE.format(n=1))
    done = subprocess.run(
        [sys.executable, "-m", "workbook.cli", "triage", "dump.log"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr


def test_one_bad_file_does_not_stop_the_others(here, run):
    (here / "in").mkdir()
    (here / "in" / "good.log").write_text(LINE.format(n=1))
    (here / "in" / "bad.log").write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 9)
    status, out, err = run("run", "slow_transactions", "in", "--format", "json")
    assert status == 2 and "bad.log" in err and json.loads(out)[0]["count"] == 1


def test_fail_on_critical(here, run):
    slow = "".join(
        f'2024-03-04T12:{n:02d}:00.5+00:00 heroku[router]: at=error code=H12 desc="Request timeout" method=GET path="/slow"'
        f' host=h.example.com request_id=s{n}{k} fwd="192.0.2.1" dyno=web.1 connect=1ms service=30001ms status=503 bytes=0\n'
        for n in range(10)
        for k in range(6)
    )
    (here / "dump.log").write_text(slow + "".join(LINE.format(n=n) for n in range(9)))
    status, out, _ = run("triage", "dump.log", "--fail-on", "critical")
    assert status == 1 and "H12" in out
    status, out, _ = run("triage", "dump.log", "--format", "json")
    worst = json.loads(out)[0]
    assert {"severity", "title", "numbers", "evidence", "next_step", "reference", "confidence"} <= set(worst)
    assert worst["severity"] == "critical" and worst["evidence"][0]["source"] == "dump.log"
    (here / "calm.log").write_text("".join(LINE.format(n=n) for n in range(9)))
    assert run("triage", "calm.log", "--fail-on", "critical")[0] == 0


def test_the_formats_of_a_table(here, run):
    (here / "dump.log").write_text(LINE.format(n=1))
    for form, sign in {"text": "GET /a", "json": '"name"', "csv": "name,", "markdown": "| name"}.items():
        status, out, _ = run("run", "slow_transactions", "dump.log", "--format", form)
        assert status == 0 and sign in out.replace("  ", " "), form


def test_redact_copies_a_log(here, run):
    (here / "dump.log").write_text(LINE.format(n=1).replace("/a", "/a?token=abcdef123456"))
    status, _, err = run("redact", "dump.log", "-o", "clean.log")
    assert status == 0 and err
    assert (
        "abcdef123456" not in (here / "clean.log").read_text()
        and "192.0.2.1" not in (here / "clean.log").read_text().split("fwd=")[0]
    )
