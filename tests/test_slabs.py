"""Slabs: where a text is cut on its way in changes nothing of what comes out; long lines and hostile names."""

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults import START, ran
from workbook import Workbook, cli, loading, slabs


def rows(wb: Workbook) -> dict[str, list[tuple]]:
    """Every row of every table."""
    database = wb._database
    return {
        name: database.fetch(f"SELECT * FROM {name} ORDER BY ALL")
        for name in sorted(database.filled() - {"workbook"})
    }


def loaded(path: Path, **options) -> dict[str, list[tuple]]:
    """What a new workbook holds after loading one file."""
    with Workbook.open() as wb:
        report = wb.load(path, **options)
        return {**rows(wb), "errors": [(str(error),) for error in report.errors]}


def cut_small(patched: pytest.MonkeyPatch, *, lines: int, piece: int) -> None:
    patched.setattr(slabs, "SLAB_LINES", lines)
    patched.setattr(slabs, "SLAB_BYTES", 40 * lines)
    patched.setattr(slabs, "_PIECE", piece)
    patched.setattr(slabs, "_HEAD", piece)


LOGS = {name: module for name, module in loading.kinds_of_file().items() if hasattr(module, "RECORDS")}


@pytest.mark.parametrize("name", sorted(LOGS))
def test_the_size_of_slabs_changes_nothing(tmp_path, monkeypatch, name):
    path = tmp_path / "example.log"
    head = slabs._HEAD
    for text, _ in LOGS[name].EXAMPLES:
        path.write_text(text, encoding="utf-8")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        whole = loaded(path)
        # no record is longer than half of the example
        many = max(2, text.count("\n") // 2)
        with monkeypatch.context() as patched:
            cut_small(patched, lines=many, piece=64)
            # the readers look at the first lines as ever
            patched.setattr(slabs, "_HEAD", head)
            assert loaded(path) == whole, text


PIECES = st.sampled_from(
    [
        "2024-03-04T12:00:01.000001+00:00 app[web.1]: é€😀 one",
        "2024-03-04T12:00:02.000002+00:00 app[web.2]: " + "x" * 9_955,
        "2024-03-04T12:00:02.000003+00:00 app[web.2]: " + "y" * 10_000,
        "2024-03-04T12:00:02.000003+00:00 app[web.2]: the rest",
        '2024-03-04T12:00:03.000000+00:00 heroku[router]: at=info method=GET path="/" host=a.example.com conn',
        "ect=1ms service=2ms status=200 bytes=5",
        "2024-03-04T12:00:04.000000+00:00 app[web.1]: Error (NoMethodError)",
        "2024-03-04T12:00:04.000000+00:00 app[web.1]:   app/models/a.rb:7:in `b'",
        "    at Object.<anonymous> (/app/a.js:1:2)",
        "",
        "   ",
        "\x1b[36m2024-03-04T12:00:05.000000+00:00 app[web.1]:\x1b[0m coloured",
        " ›   Warning: heroku update available",
        "\x01\x02\x03\x04",
    ]
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(PIECES, PIECES, PIECES), min_size=6, max_size=10),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(10, 16),
    st.integers(5, 90),
)
def test_wherever_a_log_is_cut_its_rows_are_the_same(tmp_path, pieces, end, lines, piece):
    path = tmp_path / "made.log"
    first = "2024-03-04T12:00:00.000000+00:00 app[web.1]: first"
    path.write_bytes(end.join(line for three in pieces for line in (first, *three)).encode())
    whole = loaded(path)
    with pytest.MonkeyPatch.context() as patched:
        head = slabs._HEAD
        cut_small(patched, lines=lines, piece=piece)
        patched.setattr(slabs, "_HEAD", head)
        assert loaded(path) == whole


def test_a_file_that_grows_while_it_is_read_is_known_when_it_has_grown(tmp_path, monkeypatch):
    path = tmp_path / "app.log"
    text = "".join(f"2024-03-04T12:00:{at:02d}.000000+00:00 app[web.1]: {at}\n" for at in range(50))
    path.write_text(text[: len(text) // 2])
    opened = slabs.scan
    with Workbook.open() as wb:
        wb.load(path)

        def grows(file, **named):
            found = opened(file, **named)
            path.write_text(text)
            return found

        path.write_text(text[: len(text) * 3 // 4])
        with monkeypatch.context() as patched:
            patched.setattr(slabs, "scan", grows)
            assert wb.load(path).table["outcome"].tolist() == ["grown"]
        assert wb.load(path).table["outcome"].tolist() == ["grown"]
        grown = rows(wb)
    assert grown == {name: found for name, found in loaded(path).items() if name != "errors"}


@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_of_a_line_that_is_too_long_the_beginning_stays(tmp_path, monkeypatch, letter, at):
    monkeypatch.setattr(slabs, "_PIECE", 1 << 12)
    monkeypatch.setattr(slabs, "_HEAD", 1 << 12)
    monkeypatch.setattr(slabs, "LONGEST_LINE", 1 << 16)
    monkeypatch.setattr(slabs, "KEPT_OF_LONG_LINE", 1 << 13)
    path = tmp_path / "app.log"
    line = START + "z" * at + letter * 100_000
    path.write_text(f"{START}before\n{line}\n{START}after\n", encoding="utf-8")
    with Workbook.open() as wb:
        assert wb.load(path).ok
        assert wb.sources()[["lines", "log_lines"]].to_numpy().tolist() == [[3, 3]]
        first, long, last = wb.sql("SELECT message FROM log_lines ORDER BY line")["message"]
        assert (first, last) == ("before", "after")
        assert line.removeprefix(START).startswith(long)
        assert (1 << 13) - 100 < len(long.encode()) <= 1 << 13
        assert wb.sql("SELECT line, reason FROM unread_lines").to_numpy().tolist() == [
            [2, f"field message: of a line of {len(line.encode())} bytes the first 8192 are kept"]
        ]


def test_a_line_of_200_mb_takes_no_more_memory_than_a_log_as_large(tmp_path):
    short, long = tmp_path / "short.log", tmp_path / "long.log"
    rest = b"".join(START.encode() + b"%d\n" % at for at in range(100))
    short.write_bytes(rest)
    with long.open("wb") as out:
        out.write(rest + START.encode())
        for _ in range(200):
            out.write(b"x" * (1 << 20))
        out.write(b"\n" + rest)
    memory = {}
    for path in (short, long):
        code, out, err, memory[path] = ran(["load", path, "--db", tmp_path / f"{path.name}.duckdb"])
        assert code == 0, out + err
    # the open line (32 MB) and its copies on the way
    assert memory[long] < memory[short] + 150
    with Workbook.open(tmp_path / "long.log.duckdb") as wb:
        assert wb.sources()["log_lines"].tolist() == [201]
        (reason,) = wb.sql("SELECT reason FROM unread_lines")["reason"]
        assert reason.startswith("field message: of a line of 209715245 bytes")


HOSTILE = "\x00\x1b]0;owned\x07\x1b[2J\x9b31m‮⁦moc.elpmaxe\u200b=cmd|' /C calc'!A0"


def test_nothing_hostile_reaches_the_terminal_raw(tmp_path, capsys):
    folder = tmp_path / "evil\n\x1b[31m‮.d"
    folder.mkdir()
    path = folder / "a\nb\x1b]0;x\x07.log"
    router = (
        '2024-03-04T12:00:0{n}.000000+00:00 heroku[router]: at=error code=H12 desc="Request timeout" method=GET'
        ' path="/{bad}" host=shop.example.com request_id=r{n} fwd="192.0.2.1" dyno=web.1 connect=0ms'
        " service=30000ms status=503 bytes=0\n"
    )
    path.write_text(
        "".join(router.format(n=n, bad=HOSTILE) for n in range(5)) + f"{START}{HOSTILE}\n", encoding="utf-8"
    )
    (folder / "bad.log").write_bytes(HOSTILE.encode() + b"\n")
    database = str(tmp_path / "w.duckdb")
    report = tmp_path / "report.html"
    statement = "SELECT message FROM log_lines ORDER BY line"
    for command in (
        ["load", str(folder)],
        ["sources"],
        ["triage"],
        ["triage", "--format", "json"],
        ["run", "errors"],
        ["sql", statement],
        ["sql", statement, "--format", "markdown"],
        ["sql", f"{HOSTILE}"],
        ["report", "-o", str(report)],
        ["load", str(folder / f"none{HOSTILE[1:]}")],
    ):
        cli.main([*command, "--db", database])
        written = "".join(capsys.readouterr())
        raw = {sign for sign in "\x00\x07\x1b\x9b‮⁦" if sign in written}
        assert not raw, (command, raw, written[:300])
    page = report.read_text(encoding="utf-8")
    assert not {sign for sign in "\x00\x07\x1b\x9b‮⁦" if sign in page}


def test_a_cell_that_a_spreadsheet_would_run_stays_text(tmp_path, capsys):
    path = tmp_path / "app.log"
    cells = ["=1+1", "+cmd", "-cmd", "@SUM(A1)", "\t=1"]
    path.write_text(
        "".join(f"{START.replace('12:00:00', f'12:00:0{n}')}{cell}\n" for n, cell in enumerate(cells))
    )
    cli.main(["sql", "SELECT message FROM log_lines ORDER BY line", "--format", "csv", "--db", _db(path)])
    found = capsys.readouterr().out.splitlines()[1:]
    assert len(found) == len(cells)
    assert all(cell.strip('"')[0] == "'" for cell in found), found


def _db(path: Path) -> str:
    database = path.with_suffix(".duckdb")
    with Workbook.open(database) as wb:
        wb.load(path)
    return str(database)


def test_links_in_a_circle_are_no_trap(tmp_path, wb):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "app.log").write_text(START + "once\n")
    (folder / "again").symlink_to(folder)
    (folder / "round.log").symlink_to(folder / "round.log")
    report = wb.load(folder)
    assert report.ok
    assert wb.sources()["lines"].tolist() == [1]
    (error,) = wb.load(folder / "round.log").errors
    assert error.next_step


def test_an_entry_with_an_impossible_date_is_read(tmp_path, wb):
    path = tmp_path / "logs.zip"
    info = zipfile.ZipInfo("app.log")
    info.date_time = (1980, 0, 0, 0, 0, 0)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, START + "once\n")
    report = wb.load(path)
    assert report.ok
    assert wb.sources()["lines"].tolist() == [1]
