"""The database file: made, opened, refused with one sentence; every table documented."""

import threading

import duckdb
import pytest

from workbook import Workbook, WorkbookError
from workbook.database import SCHEMA_VERSION, Database, as_values, inlined, literal
from workbook.workbook import documented_columns

DESIGN = {
    "sources": "source_id path sha256 kind bytes lines log_lines joined duplicates unread blank first_time last_time zone notes",
    "log_lines": "source_id line time received_at source process message",
    "unread_lines": "source_id line reason text",
    "requests": "time method host path route request_id fwd dyno queue wait_ms connect_ms service_ms status bytes code description at sock protocol tls tls_version",
    "rack_timeouts": "time dyno request_id age_ms timeout_ms duration_ms state term_on_timeout",
    "dyno_samples": "time dyno metric value unit",
    "dyno_states": "time dyno from_state to_state event detail",
    "dyno_errors": "time dyno code description memory_mb memory_percent",
    "log_errors": "time code description dropped",
    "releases": "time version actor description build_seconds",
    "app_requests": "time dyno request_id method path controller action status duration_ms view_ms db_ms",
    "app_memory": "time dyno pid action memory_mb",
    "stack_traces": "time dyno exception message first_own_frame frames",
    "database_samples": "time process metric value unit",
    "transactions": "name calls avg_ms min_ms max_ms stddev_ms total_ms throughput_rpm apdex apdex_t share",
    "transaction_samples": "time name duration_ms database_ms queue_ms external_ms error",
    "response_breakdown": "time component value_ms",
    **dict.fromkeys(
        ("processes", "certificates", "dns_records", "database_facts", "backups", "table_statistics"), ""
    ),
}


def test_the_tables_and_columns_have_the_names_others_build_on(wb):
    tables = wb.tables()
    for table, columns in DESIGN.items():
        found = set(tables[tables["table"] == table]["column"])
        assert found, table
        assert set(columns.split()) <= found, table
        if table != "sources":
            assert {"source_id", "line"} <= found, table


def test_every_column_says_what_it_means(wb):
    told = {(table, column): meaning for table, column, meaning in documented_columns()}
    real = wb.sql(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main' AND NOT internal"
        " AND database_name = current_database()"
    )
    assert set(told) == set(map(tuple, real.values.tolist()))
    assert all(len(meaning) > 3 for meaning in told.values())


def test_a_database_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "newer.duckdb"
    Workbook.open(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE workbook SET schema_version = schema_version + 1")
    before = path.read_bytes()
    with pytest.raises(
        WorkbookError, match=rf"newer.duckdb: a newer workbook made.*schema {SCHEMA_VERSION + 1}.*Install"
    ):
        Workbook.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is not a database, not at all\n" * 200, b"\x00" * 9000])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "notes.duckdb"
    path.write_bytes(content)
    with pytest.raises(WorkbookError, match=r"notes\.duckdb: this is not a workbook's database"):
        Workbook.open(path)
    assert path.read_bytes() == content


def test_a_foreign_duckdb_file_is_refused(tmp_path):
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE sales (amount INTEGER)")
    with pytest.raises(WorkbookError, match="was not made by a workbook"):
        Workbook.open(path)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("sales",)]


def test_a_folder_that_is_not_there_and_reading_what_is_not_there(tmp_path):
    with pytest.raises(WorkbookError, match="cannot be opened here"):
        Workbook.open(tmp_path / "no" / "folder" / "x.duckdb")
    with pytest.raises(WorkbookError, match="there is no such database"):
        Workbook.open(tmp_path / "x.duckdb", read_only=True)


def test_a_database_in_use_says_by_whom(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "used.duckdb"
    with Workbook.open(path):
        code = f"from workbook import Workbook\ntry: Workbook.open({str(path)!r})\nexcept Exception as error: print(error)"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "the database is in use" in out and "Close the other notebook" in out


def test_a_better_reader_reaches_an_older_database(tmp_path):
    path = tmp_path / "old.duckdb"
    Workbook.open(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE OR REPLACE MACRO bare_route(path) AS 'OLD'")
        connection.execute("UPDATE workbook SET macros_sha256 = 'of an older version'")
    with Workbook.open(path) as wb:
        assert wb.sql("SELECT route_of('/users/5') AS route")["route"][0] == "/users/:id"


def test_a_persons_own_table_is_no_trouble(wb):
    wb.sql('CREATE TABLE "my table" AS SELECT 1 AS one')
    assert wb.triage().findings and not wb.analyses().empty and not wb.tables().empty
    with pytest.raises(WorkbookError, match="there is no statement"):
        wb.sql(" ; ")
    wb.sql("DROP TABLE requests")
    with pytest.raises(WorkbookError, match="the engine stopped"):
        wb.run("errors")


def test_reading_only_refuses_to_load(tmp_path):
    Workbook.open(tmp_path / "x.duckdb").close()
    with (
        Workbook.open(tmp_path / "x.duckdb", read_only=True) as wb,
        pytest.raises(WorkbookError, match="reading only"),
    ):
        wb.load(tmp_path)
    with (
        Workbook.open(tmp_path / "x.duckdb", read_only=True) as wb,
        pytest.raises(WorkbookError, match="reading only"),
    ):
        wb.reread()


def test_sql_takes_parameters_and_says_what_is_wrong(wb):
    hostile = "'; DROP TABLE requests; --"
    assert wb.sql("SELECT $dyno AS dyno", dyno=hostile)["dyno"][0] == hostile
    with pytest.raises(WorkbookError, match="the statement failed"):
        wb.sql("SELECT nothing FROM nowhere")
    with pytest.raises(WorkbookError, match=r"the statement has no \$dyno"):
        wb.sql("SELECT 1", dyno="web.1")


def test_parameters_become_literals_that_give_the_same():
    values = {"text": "it's; --", "none": None, "number": 1.5, "yes": True, "list": [1, 2]}
    sql = inlined("SELECT $text AS t, $none AS n, $number AS x, $yes AS b, $list AS l, $unknown", values)
    assert sql == "SELECT 'it''s; --' AS t, NULL AS n, 1.5e0 AS x, true AS b, [1, 2] AS l, $unknown"
    assert literal(float("nan")) == "NULL"


def test_values_give_a_frame_again(wb):
    frame = wb.sql(
        "SELECT * FROM (VALUES (1, 'a''b', NULL, TIMESTAMP '2024-01-02'), (2, NULL, 1.5, NULL)) AS t (a, b, c, d)"
    )
    again = wb.sql(as_values(frame))
    assert (
        again.astype(object).where(again.notna(), None).values.tolist()
        == frame.astype(object).where(frame.notna(), None).values.tolist()
    )
    assert list(wb.sql(as_values(frame.head(0))).columns) == ["a", "b", "c", "d"]


def test_one_thread_at_a_time_is_answered():
    with Database() as database:
        answered = threading.Event()
        found = []

        def ask():
            found.extend(database.fetch("SELECT count(*) FROM releases"))
            answered.set()

        asking = threading.Thread(target=ask)
        with database.transaction():
            asking.start()
            assert not answered.wait(0.3)
            database.execute("INSERT INTO releases (source_id, line, version) VALUES (1, 1, 'v1')")
        asking.join(10)
        assert found == [(1,)]
