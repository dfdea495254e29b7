"""A bundle holds what its findings stand on, gives the same numbers elsewhere, and every change to it is named."""

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest

from workbook import Window, Workbook, WorkbookError, cli
from workbook.analysis import Finding, Result
from workbook.bundle import answers, parcel, sameness

SAMPLE = Path(__file__).parents[1] / "sample_data"
SECRETS = ("ann@shop.test", "198.51.100.77", "www.shop.test", "s3cr3t-value", "hunter2")
EXTRA = (
    '2026-03-11T13:45:05.070809+00:00 heroku[router]: at=info method=GET path="/a?t=s3cr3t-value" host=www.shop.test'
    ' request_id=0f3c1e2a-7d1b-4c4e-9a51-2f6a8c1d9e44 fwd="198.51.100.77" dyno=web.2 connect=0ms'
    " service=31ms status=200 bytes=9 protocol=https\n"
    "2026-03-11T13:45:06.070809+00:00 app[web.2]: mail to ann@shop.test from www.shop.test, password=hunter2\n"
)
WINDOW = Window("2026-03-01", "2026-04-01")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A workbook with the start of the sample's dump, and two lines full of secrets."""
    folder = tmp_path_factory.mktemp("private-folder")
    lines = (SAMPLE / "heroku-logs.txt").read_text().splitlines(keepends=True)[:300]
    (folder / "dump.log").write_text("".join(lines) + EXTRA)
    with Workbook.open() as wb:
        assert wb.load(folder / "dump.log", progress=lambda *_: None).ok
        yield wb


@pytest.fixture(scope="module")
def results(loaded):
    """Three answers, one of them with a window and a parameter."""
    return [
        loaded.run("errors"),
        loaded.run("slow_transactions", WINDOW, danger_ms=15_000),
        loaded.run("slow_transactions"),
    ]


@pytest.fixture(scope="module")
def made(loaded, results, tmp_path_factory):
    """A redacted bundle."""
    path = tmp_path_factory.mktemp("out") / "incident.zip"
    return loaded.bundle(path, title="A bad <day>", notes="Ask ann@shop.test.", results=results)


@pytest.fixture(scope="module")
def members(made):
    """What is in it: bytes by name."""
    with zipfile.ZipFile(made.path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def repacked(members, path, *, honest=True, **changed):
    """A bundle of those members with some changed; its manifest tells the truth about them when ``honest``."""
    kept = {**members, **changed}
    if honest:
        manifest = json.loads(kept["manifest.json"])
        for one in manifest["files"]:
            content = kept[one["name"]]
            one.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        kept["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in kept.items():
            packed.writestr(name, content)
    return path


def test_it_holds_everything_that_the_findings_stand_on(made, members, results):
    stems = ["errors", "slow_transactions", "slow_transactions-2"]
    wanted = {f"results/{stem}.{ending}" for stem in stems for ending in ("json", "csv", "sql")}
    wanted |= {
        "README.txt",
        "manifest.json",
        "report.html",
        "findings.json",
        "tables.sql",
        "tables/requests.parquet",
    }
    assert wanted <= set(members) and made.files == len(members)
    assert list(members) == sorted(members)
    manifest = json.loads(members["manifest.json"])
    assert {one["name"] for one in manifest["files"]} == set(members) - {"manifest.json"}
    assert all(one["sha256"] == hashlib.sha256(members[one["name"]]).hexdigest() for one in manifest["files"])
    assert made.manifest_sha256 == hashlib.sha256(members["manifest.json"]).hexdigest()
    second = manifest["results"][1]
    assert second["window"] == {"start": "2026-03-01T00:00:00Z", "end": "2026-04-01T00:00:00Z"}
    assert second["parameters"]["danger_ms"] == 15_000 and len(second["parameters"]) > 1
    assert {"workbook", "python", "duckdb", "pandas"} <= set(manifest["made_by"])
    rows = list(csv.DictReader(io.StringIO(members["results/slow_transactions.csv"].decode())))
    assert len(rows) == len(results[1].table) > 0
    (source,) = manifest["sources"]
    assert source["path"] == "dump.log" and len(source["sha256"]) == 64
    assert (
        "A bad <day>" in members["README.txt"].decode() and source["sha256"] in members["README.txt"].decode()
    )


def test_nothing_of_the_secrets_is_in_any_member_and_the_findings_are_the_same(made, members):
    for name, content in members.items():
        for secret in (*SECRETS, "private-folder"):
            assert secret.encode() not in content, (name, secret)
    with duckdb.connect() as plain:
        for name in (name for name in members if name.endswith(".parquet")):
            path = made.path.parent / "one.parquet"
            path.write_bytes(members[name])
            text = str(plain.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall())
            assert not [secret for secret in SECRETS if secret in text], name
    assert made.redacted and made.proof.holds and made.replaced["e-mail"] == 1
    assert re.fullmatch(r"(\d+) findings before = \1 after, all numbers equal\.", str(made.proof))


def test_the_same_workbook_gives_the_same_bytes(loaded, made, results, tmp_path):
    again = loaded.bundle(
        tmp_path / "b.zip", title="A bad <day>", notes="Ask ann@shop.test.", results=results
    )
    assert again.path.read_bytes() == made.path.read_bytes()


def test_it_is_identical_elsewhere(made):
    found = Workbook.verify(made.path)
    assert found.identical and found.results == 3 and found.numbers > 500
    assert str(found).startswith("identical: 3 results, ") and "not computed anew: report.html" in str(found)
    assert made.manifest_sha256 in str(found)


def test_its_statements_run_in_duckdb_alone(members, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tables").mkdir()
    for name, content in members.items():
        if name.startswith("tables"):
            Path(name).write_bytes(content)
    with duckdb.connect("tables.duckdb") as plain:
        plain.execute(members["tables.sql"].decode())
        rows = plain.execute(members["results/slow_transactions-2.sql"].decode()).df()
    stored = json.loads(members["results/slow_transactions-2.json"])["table"]
    assert rows["count"].tolist() == [one["count"] for one in stored]
    with Workbook.open("tables.duckdb", read_only=True) as opened:
        assert opened.run("slow_transactions").table["max_ms"].tolist() == [one["max_ms"] for one in stored]


def test_one_changed_number_is_named(members, tmp_path):
    changed = json.loads(members["results/slow_transactions-2.json"])
    stored = changed["table"][1]["max_ms"]
    changed["table"][1]["max_ms"] = stored + 1
    text = json.dumps(changed).encode()
    for honest in (True, False):
        path = repacked(
            members, tmp_path / "a.zip", honest=honest, **{"results/slow_transactions-2.json": text}
        )
        found = Workbook.verify(path)
        (one,) = found.differences
        assert (one.name, one.stored, one.recomputed) == (
            "slow_transactions-2.table[2].max_ms",
            stored + 1,
            stored,
        )
        assert found.altered == (() if honest else ("results/slow_transactions-2.json",))
        assert f"slow_transactions-2.table[2].max_ms: stored {stored + 1}, recomputed {stored}" in str(found)


def test_a_changed_row_of_a_table_and_a_changed_statement_are_named(members, tmp_path):
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    source.write_bytes(members["tables/requests.parquet"])
    duckdb.sql(
        f"COPY (SELECT * REPLACE (if(line = (SELECT min(line) FROM '{source}'), service_ms + 60000, service_ms)"
        f" AS service_ms) FROM '{source}') TO '{target}' (FORMAT parquet)"
    )
    changed = {
        "tables/requests.parquet": target.read_bytes(),
        "results/errors.sql": members["results/errors.sql"] + b"-- and more\n",
        "results/errors.csv": members["results/errors.csv"].replace(b"\n", b"\r\n", 1),
    }
    found = Workbook.verify(repacked(members, tmp_path / "a.zip", **changed))
    names = [one.name for one in found.differences]
    assert any(re.fullmatch(r"slow_transactions-2\.table\[\d+\]\.max_ms", name) for name in names)
    assert "errors.csv, line 1" in names and any(name.startswith("errors.sql, line ") for name in names)
    assert not found.altered and not found.identical


def test_an_altered_report_is_named_by_its_hash(members, tmp_path):
    html = members["report.html"].replace(b"</title>", b"!</title>")
    found = Workbook.verify(repacked(members, tmp_path / "a.zip", honest=False, **{"report.html": html}))
    assert found.altered == ("report.html",) and not found.differences
    assert "report.html: not the file that the manifest lists" in str(found)


def _hostile(name, mode=0o100644, kind=zipfile.ZIP_STORED):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    entry.compress_type = kind
    return entry


HOSTILE = {
    "a way out": (_hostile("../../escaped.txt"), b"x", "a name in it is none that a bundle has"),
    "an absolute path": (_hostile("/escaped.txt"), b"x", "a name in it is none"),
    "a backslash": (_hostile("tables\\..\\escaped.txt"), b"x", "a name in it is none"),
    "a folder too deep": (_hostile("tables/a/b.parquet"), b"x", "a name in it is none"),
    "a name twice": (_hostile("README.txt"), b"x", "README.txt is in it twice"),
    "a name twice but for its case": (_hostile("readme.TXT"), b"x", "is in it twice"),
    "a link": (_hostile("results/link", 0o120777), b"/etc/passwd", "is a link or a device"),
    "another compression": (
        _hostile("results/a.json", kind=zipfile.ZIP_BZIP2),
        b"x",
        "compressed in another way",
    ),
    "a bomb": (
        _hostile("results/a.json", kind=zipfile.ZIP_DEFLATED),
        b"\0" * 3_000_000,
        "as a zip bomb does",
    ),
    "a file more": (_hostile("results/extra.json"), b"{}", "does not list the files"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_zip_is_refused_with_one_sentence(made, tmp_path, monkeypatch, name):
    entry, content, said = HOSTILE[name]
    monkeypatch.setattr("workbook.limits.BUNDLE_FREE_BYTES", 1_000_000)
    monkeypatch.setattr("workbook.limits.BUNDLE_RATIO", 4)
    path = tmp_path / "in" / "a.zip"
    path.parent.mkdir()
    path.write_bytes(made.path.read_bytes())
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr(entry, content)
    with pytest.raises(WorkbookError, match=re.escape(said)) as error:
        Workbook.verify(path)
    assert "\n" not in str(error.value)
    assert [one.name for one in tmp_path.rglob("*")] == ["in", "a.zip"]


def test_members_that_share_bytes_are_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("manifest.json", b"0" * 4000)
        for name in ("a", "b", "c"):
            packed.filelist.append(_hostile(f"results/{name}.json"))
            packed.filelist[-1].file_size = packed.filelist[-1].compress_size = 4000
            packed.filelist[-1].header_offset = packed.filelist[-1].CRC = 0
        packed._didModify = True
    with pytest.raises(WorkbookError, match="share bytes"):
        Workbook.verify(path)


def _without(name):
    return lambda manifest: manifest.pop(name)


def _set(name, value):
    return lambda manifest: manifest.update({name: value})


WRONG = {
    "a field missing": (_without("results"), "is not one that a workbook writes"),
    "a field of another kind": (_set("tables", 5), "is not one that a workbook writes"),
    "another format": (_set("format", 99), "verify it with that version"),
    "a table unknown": (
        _set("tables", [{"name": "x'; DROP TABLE", "rows": 1}]),
        "a table that this workbook",
    ),
    "no tables": (_set("tables", []), "does not list its tables"),
    "rows": (
        lambda manifest: manifest["tables"][0].update(rows=10**12),
        "does not hold the 1,000,000,000,000 rows",
    ),
    "an analysis unknown": (
        lambda manifest: manifest["results"][0].update(name="nonsense"),
        "names results or",
    ),
    "a window": (lambda manifest: manifest["results"][0]["window"].update(start="soon"), "is not one that"),
    "a parameter": (
        lambda manifest: manifest["results"][0]["parameters"].update(colour="red"),
        "no parameter",
    ),
    "other sources": (
        lambda manifest: manifest["sources"][0].update(sha256="0" * 64),
        "other original files",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_manifest_is_refused_with_one_sentence(members, tmp_path, name):
    change, said = WRONG[name]
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    text = json.dumps(manifest).encode()
    path = repacked(members, tmp_path / "a.zip", honest=False, **{"manifest.json": text})
    with pytest.raises(WorkbookError, match=re.escape(said)) as error:
        Workbook.verify(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_bundle_is_refused(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(WorkbookError, match="no bundle that can be verified"):
        Workbook.verify(path)


def test_a_damaged_bundle_is_refused(made, tmp_path):
    path = tmp_path / "a.zip"
    whole = bytearray(made.path.read_bytes())
    whole[200] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(WorkbookError, match="no zip, or a damaged one"):
        Workbook.verify(path)


def test_a_table_with_other_columns_is_refused(members, tmp_path):
    path = tmp_path / "x.parquet"
    rows = next(
        one["rows"] for one in json.loads(members["manifest.json"])["tables"] if one["name"] == "requests"
    )
    duckdb.sql(f"COPY (SELECT 1 AS source_id, 'x' AS line FROM range({rows})) TO '{path}' (FORMAT parquet)")
    for content, said in ((path.read_bytes(), "has other columns"), (b"PAR1nothing", "cannot be read")):
        changed = repacked(members, tmp_path / "a.zip", **{"tables/requests.parquet": content})
        with pytest.raises(WorkbookError, match=said):
            Workbook.verify(changed)


def test_whole_only_when_asked_and_said_so(loaded, results, tmp_path):
    whole = loaded.bundle(tmp_path / "a.zip", redact=False, results=results[:1])
    with zipfile.ZipFile(whole.path) as packed:
        assert "Nothing is redacted" in packed.read("README.txt").decode()
        (tmp_path / "x.parquet").write_bytes(packed.read("tables/log_lines.parquet"))
    kept = duckdb.sql(f"SELECT message FROM '{tmp_path / 'x.parquet'}'").fetchall()
    assert any("hunter2" in message for (message,) in kept)
    assert "Not redacted" in str(whole) and whole.proof is None
    assert Workbook.verify(whole.path).identical


def test_a_persons_notebook_goes_in_without_outputs(loaded, results, tmp_path):
    import nbformat

    cells = [nbformat.v4.new_markdown_cell("Ask ann@shop.test"), nbformat.v4.new_code_cell("wb.triage()")]
    cells[1].outputs = [nbformat.v4.new_output("stream", text="password=hunter2")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "mine.ipynb")
    made = loaded.bundle(tmp_path / "a.zip", results=results[:1], notebook=tmp_path / "mine.ipynb")
    with zipfile.ZipFile(made.path) as packed:
        text = packed.read("notebook/notebook.ipynb").decode()
    assert "wb.triage()" in text and "redacted.example" in text
    assert "ann@" not in text and "hunter2" not in text
    assert Workbook.verify(made.path).unproven == ("notebook/notebook.ipynb", "report.html")


def test_what_cannot_be_written_leaves_nothing_behind(loaded, results, tmp_path):
    with pytest.raises(WorkbookError, match="folder that exists"):
        loaded.bundle(tmp_path / "no" / "a.zip", results=results[:1])
    with pytest.raises(WorkbookError, match="no notebook “nonsense”"):
        loaded.bundle(tmp_path / "a.zip", results=results[:1], notebook="nonsense")
    assert not list(tmp_path.iterdir())


def test_the_commands_make_and_verify_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("dump.log").write_text(EXTRA)
    assert cli.main(["bundle", "dump.log", "-o", "a.zip"]) == 0
    said = capsys.readouterr().out
    assert "a.zip" in said and "all numbers equal" in said
    assert cli.main(["verify", "a.zip"]) == 0
    assert capsys.readouterr().out.startswith("identical: ")
    with zipfile.ZipFile("a.zip") as packed:
        kept = {name: packed.read(name) for name in packed.namelist()}
    assert "results/triage.json" in kept and json.loads(kept["findings.json"])["findings"]
    changed = kept["findings.json"].replace(b'"severity": "', b'"severity": "not ', 1)
    repacked(kept, Path("b.zip"), **{"findings.json": changed})
    assert cli.main(["verify", "b.zip"]) == 1
    assert "findings.findings[1].severity: stored not " in capsys.readouterr().out
    assert cli.main(["verify", "nowhere.zip"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_extension_is_fetched(tmp_path):
    code = (
        "import duckdb\n"
        "from workbook.bundle import tables\n"
        "from workbook.database import Database\n"
        "from pathlib import Path\n"
        "with Database() as made:\n"
        "    made.execute(\"INSERT INTO unread_lines VALUES (1, 1, 'why', 'text')\")\n"
        "    made.execute(\"SET extension_directory = '/nonexistent'\")\n"
        "    print(tables.export(made, Path('.'), None))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(Path(__file__).parents[1]), "HOME": str(tmp_path), "https_proxy": "http://192.0.2.1:9"},
    ).stdout  # fmt: skip
    assert "unread_lines" in out and not list(tmp_path.glob(".duckdb*"))


# where two answers differ


def test_every_difference_has_its_name():
    stored = {"a": [1, {"b": 2.5}], "c": None, "d": True, "e": "x", "f": [1]}
    computed = {"a": [1, {"b": 2.25}], "c": 0, "d": 1, "e": "x", "f": [1, 2], "g": 7}
    found = {one.name: str(one) for one in sameness.differences(stored, computed, "r")}
    assert list(found) == ["r.a[2].b", "r.c", "r.d", "r.f[2]", "r.g"]
    assert found["r.a[2].b"] == "r.a[2].b: stored 2.5, recomputed 2.25"
    assert found["r.f[2]"] == "r.f[2]: stored nothing, recomputed 2"
    assert sameness.numbers_in(computed) == 7


def _result(title, numbers, table=None, severity="note"):
    import pandas as pd

    rows = pd.DataFrame({"n": [1.0, 2.0]} if table is None else table)
    return Result("errors", "?", (Finding(severity, title, numbers),), rows, None, "", Window(), {})


def test_the_proof_looks_past_pseudonyms_and_at_nothing_else():
    from workbook.redact import Redactor

    redactor = Redactor()
    before = [_result("www.shop.com failed 5 times", {"n": 5})]
    assert sameness.prove(before, [_result("host7.example failed 5 times", {"n": 5})], redactor).holds
    for other in (
        _result("host7.example failed 6 times", {"n": 5}),
        _result("host7.example failed 5 times", {"n": 6}),
        _result("host7.example failed 5 times", {"n": 5}, severity="warning"),
        _result("host7.example failed 5 times", {"n": 5}, {"n": [1.0, 3.0]}),
        _result("host7.example failed 5 times", {"n": 5}, {"n": [1.0]}),
    ):
        proof = sameness.prove(before, [other], redactor)
        assert not proof.holds and "not the same" in str(proof)


def test_a_question_keeps_its_window_and_all_of_its_parameters(results):
    asked = answers.Asked.of(results[1])
    assert asked.window == WINDOW and asked.parameters["danger_ms"] == 15_000 and not asked.usual
    assert answers.Asked.of(results[2]).usual
    assert answers.stems(["a", "b", "a", "a"]) == ["a", "b", "a-2", "a-3"]


def test_a_folder_is_packed_the_same_whatever_its_times(tmp_path):
    import os

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.txt").write_text("b")
    (tmp_path / "in" / "a.txt").write_text("a")
    packed = []
    for moment in (1_000_000_000, 1_700_000_000):
        os.utime(tmp_path / "in" / "a.txt", (moment, moment))
        parcel.pack(tmp_path / "in", tmp_path / "x.zip")
        packed.append((tmp_path / "x.zip").read_bytes())
    assert packed[0] == packed[1]
