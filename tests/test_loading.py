"""Loading: every line accounted for, overlaps counted once, growing files, one clear error for each bad file."""

import gzip
import itertools
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbook import Workbook, WorkbookError

ROUTER = (
    '{time}+00:00 heroku[router]: at=info method=GET path="/{name}" host=shop.example.com request_id={name}'
    ' fwd="192.0.2.1" dyno=web.1 connect=1ms service=20ms status=200 bytes=5 protocol=https'
)


def router_lines(*seconds: float) -> str:
    """Router lines of 2024-03-04 12:00, at those seconds, each with a path of its own."""
    return "".join(
        ROUTER.format(time=f"2024-03-04T12:{int(at) // 60:02d}:{at % 60:09.6f}", name=f"r{at:g}") + "\n"
        for at in seconds
    )


def archive_line(number: int, second: int, program: str, message: str) -> str:
    """One line of a Papertrail archive of 2024-03-04 12:00."""
    stamp = f"2024-03-04 12:{second // 60:02d}:{second % 60:02d}"
    return f"90000000000000{number:04d}\t{stamp}\t{stamp}\t1\tshop\t192.0.2.9\tLocal3\tInfo\t{program}\t{message}\n"


def balanced(wb: Workbook) -> bool:
    """Whether every source's lines add up, and log_lines holds what the sources say."""
    sources = wb.sources()
    parts = sources[["log_lines", "joined", "duplicates", "unread", "blank"]].sum(axis=1)
    kept = wb.sql("SELECT count(*) AS n FROM log_lines")["n"][0]
    logs = sources[~sources["kind"].isin(["new_relic_table", "heroku_ps"])]
    return bool((parts == sources["lines"]).all()) and kept == logs["log_lines"].sum()


def content(wb: Workbook) -> str:
    """What is in the typed tables, whichever source it came from."""
    requests = wb.sql("SELECT * EXCLUDE (source_id, line) FROM requests ORDER BY ALL")
    lines = wb.sql("SELECT time, source, process, message FROM log_lines ORDER BY ALL")
    return requests.to_csv() + lines.to_csv()


def test_a_known_file_is_not_loaded_again(wb, load_text):
    load_text(router_lines(1, 2))
    load_text(router_lines(1, 2), name="copy.log")
    assert len(wb.sources()) == 1
    assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 2


def test_two_equal_lines_in_one_file_are_two_lines(wb, load_text):
    load_text(router_lines(1, 1, 2))
    assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 3


def test_overlapping_dumps_give_each_line_once(wb, load_text):
    load_text(router_lines(1, 2, 2, 3), name="monday.log")
    load_text(router_lines(2, 2, 3, 4), name="tuesday.log")
    assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 5
    assert list(wb.sources()["duplicates"]) == [0, 3]
    assert balanced(wb)


@pytest.mark.parametrize("order", [("dump.log", "archive.tsv"), ("archive.tsv", "dump.log")])
def test_a_dump_and_an_archive_give_each_line_once_whatever_the_order(tmp_path, order):
    dump = router_lines(1.25, 2.5, 2.75, 61.125)
    archive = "".join(
        archive_line(number, second, "heroku/router", line.split("heroku[router]: ")[1])
        for number, (second, line) in enumerate(
            zip([0, 1, 2, 2, 61], (router_lines(0.5) + dump).splitlines(), strict=True), 1
        )
    )
    (tmp_path / "dump.log").write_text(dump)
    (tmp_path / "archive.tsv").write_text(archive)
    with Workbook.open() as wb:
        assert all(wb.load(tmp_path / name).ok for name in order)
        assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 5
        assert balanced(wb)
        times = wb.sql("SELECT time::VARCHAR AS time FROM requests ORDER BY time")["time"].tolist()
    assert times == [
        "2024-03-04 12:00:00",
        "2024-03-04 12:00:01.25",
        "2024-03-04 12:00:02.5",
        "2024-03-04 12:00:02.75",
        "2024-03-04 12:01:01.125",
    ]


def test_the_order_of_dumps_does_not_change_the_tables(tmp_path):
    dumps = {
        "a.log": router_lines(1, 2, 3),
        "b.log": router_lines(2, 3, 4, 4),
        "c.log": router_lines(3, 4, 5),
    }
    for name, text in dumps.items():
        (tmp_path / name).write_text(text)
    contents = set()
    for order in (("a.log", "b.log", "c.log"), ("c.log", "b.log", "a.log"), ("b.log", "a.log", "c.log")):
        with Workbook.open() as wb:
            for name in order:
                assert wb.load(tmp_path / name).ok
            assert balanced(wb)
            contents.add(content(wb))
    assert len(contents) == 1


def test_a_file_that_grew_gives_its_new_lines_and_keeps_its_place(wb, load_text, tmp_path):
    load_text(router_lines(1, 2))
    load_text("app[web.1]: other\n", name="other.log")
    load_text(router_lines(1, 2, 3))
    assert list(wb.sources()["source_id"]) == [1, 2]
    assert wb.sql("SELECT line FROM requests ORDER BY line")["line"].tolist() == [1, 2, 3]
    assert balanced(wb)


def test_pieces_are_joined_and_what_is_no_log_is_kept(wb, load_text):
    load_text(
        "At line:1 char:1\n"
        + router_lines(1).replace("service=", "service=\n")
        + router_lines(2).replace("2024-03-04T", "2024-\n03-\n04T")
        + "\n"
        + router_lines(3)
        + "$ heroku ps\nnot a line of any log\n"
    )
    assert wb.sql("SELECT line, service_ms FROM requests ORDER BY line").values.tolist() == [
        [2, 20],
        [4, 20],
        [8, 20],
    ]
    assert wb.sql("SELECT line FROM unread_lines ORDER BY line")["line"].tolist() == [1, 9, 10]
    row = wb.sources().iloc[0]
    assert (row["lines"], row["log_lines"], row["joined"], row["unread"], row["blank"]) == (10, 3, 3, 3, 1)


def test_a_message_cut_at_ten_thousand_bytes_is_whole_again(wb, load_text):
    body = "é" * 5_000
    line = "2024-03-04T12:00:00.000001+00:00 app[web.1]: "
    load_text(f"{line}{body}\n{line}{body}\n{line}end\n{line.replace('web.1', 'web.2')}other\n")
    found = wb.sql("SELECT line, length(message) AS length FROM log_lines ORDER BY line")
    assert found.values.tolist() == [[1, 10_003], [4, 5]]
    assert balanced(wb)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_line_ends_give_the_same_lines(tmp_path, encoding, end):
    text = router_lines(1, 2).replace("/r1", "/caf\xe9") + "2024-03-04T12:00:05+00:00 app[web.1]: last"
    data = text.replace("\n", end).encode(encoding)
    if encoding == "utf-16-le":
        data = b"\xff\xfe" + data
    (tmp_path / "dump.log").write_bytes(data)
    with Workbook.open() as wb:
        assert wb.load(tmp_path / "dump.log").ok
        paths = wb.sql("SELECT path FROM requests ORDER BY line")["path"].tolist()
        assert paths == ["/caf�" if encoding == "latin-1" else "/café", "/r2"]
        assert wb.sources()["lines"][0] == 3 and balanced(wb)


def test_gz_zip_folder_and_pattern(tmp_path):
    (tmp_path / "a.log.gz").write_bytes(
        gzip.compress(router_lines(1).encode()) + gzip.compress(router_lines(2).encode())
    )
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("inner/b.log", router_lines(3))
        archive.writestr("inner/c.log", router_lines(4))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "d.log").write_text(router_lines(5))
    (tmp_path / "README.md").write_text("# not an export\n")
    with Workbook.open() as wb:
        report = wb.load(tmp_path)
        assert report.ok and [Path(name).name for name in report.skipped] == ["README.md"]
        assert [path.rpartition("/")[2] for path in wb.sources()["path"]] == [
            "a.log.gz",
            "b.log",
            "c.log",
            "d.log",
        ]
        assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 5
        assert len(wb.load(str(tmp_path / "*.gz")).table) == 1


def test_colours_are_removed(wb, load_text):
    load_text("\x1b[33m2024-03-04T12:00:01.5+00:00 heroku[router]:\x1b[0m \x1b[32mat\x1b[0m=info method=\x1b[38;5;40mGET\x1b[39m "
              'path="/a" host=h.example.com dyno=web.1 connect=1ms service=\x1b[38;2;1;2;3m7ms\x1b[0m status=200 bytes=1\n')  # fmt: skip
    assert wb.sql("SELECT method, service_ms FROM requests").values.tolist() == [["GET", 7]]
    assert "colour" in wb.sources()["notes"][0]


@pytest.mark.parametrize(
    ("second", "times"),
    [
        ("Jan 01 00:00:01", ["2020-12-31 23:59:59", "2021-01-01 00:00:01"]),
        ("Dec 30 00:00:01", ["2020-12-30 00:00:01", "2020-12-31 23:59:59"]),
    ],
)
def test_a_year_that_is_not_written_comes_from_the_files_date(wb, tmp_path, second, times):
    path = tmp_path / "papertrail.txt"
    path.write_text(f"Dec 31 23:59:59 shop app/web.1: one\n{second} shop app/web.1: other\n")
    moment = datetime.fromisoformat("2021-01-02T12:00:00+00:00").timestamp()
    os.utime(path, (moment, moment))
    assert wb.load(path).ok
    assert wb.sql("SELECT time::VARCHAR AS time FROM log_lines ORDER BY time")["time"].tolist() == times
    assert f"newest year {times[1][:4]}" in wb.sources()["zone"][0]


def test_a_file_without_zones_can_be_loaded_anew_in_another(wb, tmp_path):
    path = tmp_path / "papertrail.txt"
    path.write_text("Mar 04 12:00:00 shop app/web.1: hello\n")
    times = "SELECT time::VARCHAR AS time FROM log_lines"
    assert wb.load(path, year=2024).ok
    assert list(wb.load(path, year=2024).table["outcome"]) == ["known before"]
    assert list(wb.load(path, zone="-04:00", year=2024).table["outcome"]) == ["loaded anew"]
    assert wb.sql(times)["time"].tolist() == ["2024-03-04 16:00:00"] and len(wb.sources()) == 1
    assert list(wb.load(path).table["outcome"]) == ["known before"]


def test_a_name_that_looks_like_a_pattern_is_that_file_and_no_other(wb, tmp_path):
    (tmp_path / "heroku[1].log").write_text(router_lines(1))
    (tmp_path / "heroku1.log").write_text(router_lines(2))
    (tmp_path / "a*.log").write_text(router_lines(3))
    (tmp_path / "ab.log").write_text(router_lines(4))
    assert wb.load(tmp_path / "heroku[1].log").ok and wb.load(tmp_path / "a*.log").ok
    assert wb.sql("SELECT path FROM requests ORDER BY path")["path"].tolist() == ["/r1", "/r3"]


def test_lines_without_a_process_are_counted_once(wb, load_text):
    load_text("".join(archive_line(n, n, "", f"cron {n}") for n in range(6)), name="a.tsv")
    load_text("".join(archive_line(n, n, "", f"cron {n}") for n in range(2, 9)), name="b.tsv")
    assert wb.sql("SELECT count(*) AS n, count(DISTINCT message) AS d FROM log_lines").values.tolist() == [
        [9, 9]
    ]
    assert balanced(wb)


def orders(names):
    return list(itertools.permutations(names))


def test_many_sources_give_the_same_lines_in_every_order(tmp_path):
    def archive(*lines: tuple[int, str]) -> str:
        return "".join(
            archive_line(n, second, "app/web.1", text) for n, (second, text) in enumerate(lines, 1)
        )

    def dump(*lines: tuple[str, str]) -> str:
        return "".join(f"2024-03-04T12:00:{second}+00:00 app[web.1]: {text}\n" for second, text in lines)

    sets = [
        {
            "a.tsv": archive((1, "x"), (1, "x")),
            "b.tsv": archive((1, "x"), (1, "x"), (1, "x"), (2, "y")),
            "c.log": dump(("01.250000", "x"), ("02.500000", "y")),
        },
        {
            "d.log": dump(("01.000000", "p"), ("01.500000", "q"), ("02.250000", "p")),
            "e.log": dump(("01.500000", "q"), ("02.250000", "p"), ("03.125000", "r")),
            "f.log": dump(("01.000000", "p"), ("01.750000", "q"), ("03.125000", "r")),
        },
    ]
    for number, texts in enumerate(sets):
        contents = set()
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(text)
        for order in orders(texts):
            with Workbook.open() as wb:
                assert all(wb.load(folder / name).ok for name in order)
                assert balanced(wb)
                contents.add(content(wb))
        assert len(contents) == 1, number


def test_a_file_that_is_all_duplicates_still_says_its_span(wb, load_text):
    load_text(router_lines(1, 2, 3), name="a.log")
    load_text(router_lines(2, 3), name="b.log")
    row = wb.sources().iloc[1]
    assert row["duplicates"] == 2 and str(row["first_time"]) == "2024-03-04 12:00:02"


def test_a_log_and_its_gz_are_one_source(wb, load_text):
    load_text(router_lines(1), name="a.log")
    load_text(gzip.compress(router_lines(1).encode()), name="a.log.gz")
    load_text(router_lines(1).replace("\n", "\r\n"), name="windows.log")
    assert len(wb.sources()) == 1


def test_a_growing_file_keeps_the_zone_and_year_it_was_given(wb, tmp_path):
    path = tmp_path / "papertrail.txt"
    path.write_text("Mar 04 12:00:00 shop app/web.1: one\n")
    assert wb.load(path, zone="-04:00", year=2017).ok
    path.write_text("Mar 04 12:00:00 shop app/web.1: one\nMar 04 12:00:01 shop app/web.1: two\n")
    assert list(wb.load(path).table["outcome"]) == ["grown"]
    assert wb.sql("SELECT min(time)::VARCHAR AS t FROM log_lines")["t"][0] == "2017-03-04 16:00:00"
    assert list(wb.load(path, year=2013).table["outcome"]) == ["loaded anew"]
    assert wb.sql("SELECT min(time)::VARCHAR AS t FROM log_lines")["t"][0] == "2013-03-04 16:00:00"


def test_a_zone_is_not_changed_under_lines_that_were_matched_with_other_files(wb, tmp_path, load_text):
    path = tmp_path / "papertrail.txt"
    path.write_text("Mar 04 12:00:00 shop app/web.1: one\n")
    assert wb.load(path, year=2024).ok
    load_text(archive_line(1, 0, "app/web.1", "one"), name="a.tsv")
    (error,) = wb.load(path, zone="-04:00", year=2024).errors
    assert "matched with lines of other files" in str(error) and len(wb.sources()) == 2


def test_a_table_exported_again_replaces_the_older_one(wb, load_text):
    table = "Transaction,Apdex,Count,Avg (ms),Max (ms),Total (ms)\n{name},0.95,{count},10,20,{total}\n"
    load_text(table.format(name="A#b", count=100, total=1000), name="nr.csv")
    load_text(table.format(name="A#b", count=140, total=1400), name="nr.csv")
    assert wb.sql("SELECT calls FROM transactions")["calls"].tolist() == [140]


@pytest.mark.parametrize(
    "first", ["Transaction,Apdex,Count,Avg (ms)", '{"a":1}', "=== web (1X): `x`", "web.1: up 2013/05/07"]
)
def test_a_log_that_embeds_other_things_is_a_log(wb, load_text, first):
    load_text(f"{first}\n" + router_lines(1, 2, 3))
    assert wb.sources()["kind"].tolist() == ["heroku_logs"]
    assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 3


def test_strange_archives_are_refused_and_the_rest_loads(wb, tmp_path):
    with tarfile.open(tmp_path / "logs.tar.gz", "w:gz") as archive:
        (tmp_path / "inner.txt").write_text(router_lines(1))
        archive.add(tmp_path / "inner.txt")
    encrypted = bytearray()
    with zipfile.ZipFile(tmp_path / "locked.zip", "w") as archive:
        archive.writestr("a.log", router_lines(2))
    encrypted = bytearray((tmp_path / "locked.zip").read_bytes())
    for at in (encrypted.index(b"PK\x03\x04") + 6, encrypted.index(b"PK\x01\x02") + 8):
        encrypted[at] |= 1
    (tmp_path / "locked.zip").write_bytes(bytes(encrypted))
    report = wb.load(tmp_path)
    said = " ".join(map(str, report.errors))
    assert len(report.errors) == 2 and "tar archive (unpack it first)" in said and "encrypted" in said
    assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 1


def test_a_pipe_is_read_once(tmp_path):
    code = "import sys; from workbook import Workbook; wb = Workbook.open(); print(wb.load(sys.argv[1]).ok, len(wb.sql('FROM requests')))"
    (tmp_path / "a.log").write_text(router_lines(1, 2))
    command = (
        f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} <(cat {shlex.quote(str(tmp_path / 'a.log'))})"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "2"]


def test_nothing_of_a_load_stays_behind_in_memory(wb, load_text):
    load_text(router_lines(1))
    left = wb.sql("SELECT table_name FROM duckdb_tables() WHERE temporary")["table_name"].tolist()
    assert left == []


BAD = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n\n  \n", "holds no text"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20, "JPEG picture, not text"),
    "bytes": (bytes(range(32)) * 200, "a file of bytes, not text"),
    "half_gz": (gzip.compress(router_lines(*range(500)).encode())[:900], "cut off or damaged"),
    "half.zip": (b"PK\x03\x04" + b"\x00" * 300, "cut off or damaged"),
    "csv_of_something_else": (b"animal,legs\ncat,4\nbird,2\n", "no kind of file that is read here"),
    "prose": (b"Dear all,\nplease find the log attached.\n", "no kind of file that is read here"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_error_and_the_others_still_load(wb, load_text, tmp_path, name):
    load_text(router_lines(1), name="before.log")
    before = content(wb)
    (tmp_path / f"bad.{name}").write_bytes(BAD[name][0])
    report = wb.load(tmp_path / f"bad.{name}")
    assert len(report.errors) == 1 and report.table.empty
    said = str(report.errors[0])
    assert f"bad.{name}" in said and BAD[name][1] in said and report.errors[0].next_step
    assert "\n" not in said
    assert content(wb) == before and len(wb.sources()) == 1
    (tmp_path / "good.log").write_text(router_lines(9))
    assert len(wb.load(tmp_path).table) == 2


def test_missing_and_forbidden_files(wb, tmp_path, monkeypatch):
    (tmp_path / "heroku.log").write_text(router_lines(1))
    (error,) = wb.load(tmp_path / "heroku.lgo").errors
    assert "no such file" in str(error) and "Did you mean" in str(error) and "heroku.log?" in str(error)
    (tmp_path / "nothing").mkdir()
    (error,) = wb.load(tmp_path / "nothing").errors
    assert "holds no file" in str(error)

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # the superuser may read everything: the refusal of the system is played
    monkeypatch.setattr(Path, "open", forbidden)
    (error,) = wb.load(tmp_path / "heroku.log").errors
    assert "you may not read this file" in str(error) and error.next_step


def test_a_load_that_stops_half_way_leaves_the_database_as_it_was(load_text, wb, tmp_path, monkeypatch):
    load_text(router_lines(1), name="before.log")
    before = content(wb)
    from workbook.staging import Stage

    def fail(stage, database, *, with_neighbours):
        raise WorkbookError("stopped")

    (tmp_path / "next.log").write_text(router_lines(5, 6))
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "fill", fail)
        assert not wb.load(tmp_path / "next.log").ok
    assert content(wb) == before and len(wb.sources()) == 1
    assert wb.load(tmp_path / "next.log").ok
    assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 3


def test_reread_gives_the_same_tables(wb, load_text):
    load_text(
        router_lines(1, 2) + "2024-03-04T12:00:05+00:00 heroku[web.1]: State changed from starting to up\n"
    )
    before = content(wb) + wb.sql("FROM dyno_states").to_csv()
    wb.reread()
    assert content(wb) + wb.sql("FROM dyno_states").to_csv() == before


def test_lines_outlive_the_files(tmp_path):
    database = tmp_path / "kept.duckdb"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.log").write_text(router_lines(1, 2))
    with Workbook.open(database) as wb:
        assert wb.load(tmp_path / "in").ok
    shutil.rmtree(tmp_path / "in")
    with Workbook.open(database, read_only=True) as wb:
        assert wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 2


PIECES = st.sampled_from(
    [
        "2024-03-04T12:00:00.000001+00:00 app[web.1]: hello",
        "2024-03-04T12:00:00.000001+00:00 heroku[router]: at=info method=GET path=/ host=h dyno=web.1 connect=1ms service=",
        "2024-03-04T12:00:01+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)",
        "2024-03-04T99:00:01+00:00 heroku[web.1]: no such time",
        "app[web.1]: source=rack-timeout id=a age=1ms \\",
        "2024-",
        "03-04T12:00:00.000001+00:00 app[web.1]: cut",
        "12ms status=200",
        "",
        "   ",
        "$ heroku logs",
        " ›   Warning: update",
        "\x1b[31mred\x1b[0m",
        "\x00nul\x01\x02\x03\x04tail",
        "‮evil",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES | st.text(max_size=40), max_size=25), st.sampled_from(["\n", "\r\n"]))
def test_whatever_comes_in_the_books_balance(tmp_path, pieces, end):
    text = end.join(["2024-03-04T12:00:00+00:00 app[web.1]: first"] * 8 + pieces)
    path = tmp_path / "hostile.log"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with Workbook.open() as wb:
        report = wb.load(path)
        assert report.ok, report.errors
        assert balanced(wb)
        assert wb.sources()["lines"][0] == text.replace("\r\n", "\n").count("\n") + (not text.endswith("\n"))


def test_a_file_that_grows_behind_a_cut_message_counts_its_pieces_once(wb, load_text):
    stamp = "2024-03-04T12:00:01.000001+00:00 app[web.1]: "
    text = stamp + "x" * 10_000 + "\n" + stamp + "end\n"
    load_text(text)
    load_text(text + stamp.replace(":01.", ":02.") + "next\n")
    (source,) = wb.sources().to_dict("records")
    assert [source[name] for name in ("lines", "log_lines", "joined", "duplicates")] == [3, 2, 1, 0]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_a_zip_with_one_name_are_both_loaded(wb, tmp_path):
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.writestr("a.log", router_lines(1))
        archive.writestr("a.log", router_lines(2))
    assert wb.load(tmp_path / "logs.zip").ok
    assert len(wb.sources()) == 2 and wb.sql("SELECT count(*) AS n FROM requests")["n"][0] == 2
