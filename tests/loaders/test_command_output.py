"""Pastes of terminal sessions: cut into outputs, each read by its reader, every line accounted for, whatever was done to them."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbook import Workbook, cli
from workbook.loaders import (
    Context,
    Reading,
    _paste,
    _prompts,
    command_output,
    dig,
    heroku_certs,
    openssl_text,
    psql_table,
)
from workbook.loading import kinds_of_file

BOOK_SWAP = """\
$ heroku pg:info
==== HEROKU_POSTGRESQL_VIOLET_URL (DATABASE_URL)
Plan:      Crane
Status:    available
Data Size: 6.5 MB
Followers:  HEROKU_POSTGRESQL_WHITE
Maintenance: not required

==== HEROKU_POSTGRESQL_WHITE_URL
Plan:      Crane
Fork/Follow: Unavailable on followers
Following: HEROKU_POSTGRESQL_VIOLET
Behind By: 0 commits

$ heroku maintenance:on
Enabling maintenance mode for debugging... done

$ heroku ps:scale worker=0
Scaling worker dynos... done, now running 0

$ heroku pg:unfollow HEROKU_POSTGRESQL_WHITE_URL
!   HEROKU_POSTGRESQL_WHITE_URL will become writable and no longer
!   follow HEROKU_POSTGRESQL_VIOLET. This cannot be undone.
!   WARNING: Destructive Action
!   This command will affect the app: csrbuggy-eu
!   To proceed, type "debugging" or ...

> debugging
Unfollowing HEROKU_POSTGRESQL_WHITE_URL... done

$ heroku addons:add heroku-postgresql:crane --fork \\
  debugging::HEROKU_POSTGRESQL_CHARCOAL_URL \\
  -a debugging-staging
Adding heroku-postgresql:crane on debugging-staging... done, v3 ($50/mo)
Attached as HEROKU_POSTGRESQL_AMBER_URL

$ heroku pgbackups -a debugging
  ID      Backup Time      Status          Size   Database
  ----  -----  -----  -----
  a080  2013/05/13 04:56.20 Finished @ 2013/05/13 ...  5.7KB DATABASE_URL

$ heroku pg:cache_hit -a debugging
      name      |      ratio
-----+-----
 index hit rate | 0.99006561935013432170
(1 row)
"""


def read(text: str, zone: str = "UTC") -> Reading:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    reading = command_output.read(lines, Context("paste.txt", zone))
    assert_balanced(reading, lines)
    return reading


def assert_balanced(reading: Reading, lines: list[str]) -> None:
    """Each physical line is a row of one table, joined, unread or blank; a field that was not read stands beside its row."""
    # a build whose output begins with a heading stands in the line of its first step
    steps = set(reading.tables["build_steps"]["line"]) if "build_steps" in reading.tables else set()
    at = [
        int(line)
        for name, table in reading.tables.items()
        for line in dict.fromkeys(table["line"])
        if name != "builds" or line not in steps
    ]
    assert len(at) == len(set(at)), "a line is a row of one table only"
    unread = [line for line, reason, _ in reading.unread if not reason.startswith("field ")]
    assert len(unread) == len(set(unread)) and not set(at) & set(unread)
    assert {line for line, reason, _ in reading.unread if reason.startswith("field ")} <= set(at)
    blank = sum(not line.strip() for line in lines)
    assert len(lines) == len(at) + reading.joined + len(unread) + blank


def why(reading: Reading) -> list[tuple[int, str]]:
    return [(line, reason) for line, reason, _ in reading.unread]


def test_the_books_session_is_read_to_the_last_line(load_text: Any) -> None:
    wb = load_text(BOOK_SWAP, "session.txt")
    source = wb.sources().iloc[0]
    assert (source["kind"], source["unread"]) == ("command_output", 0)
    counts = {
        table: wb.sql(f"SELECT count(*) AS n FROM {table}")["n"][0]
        for table in ("database_facts", "backups", "table_statistics", "transcript")
    }
    assert counts == {"database_facts": 11, "backups": 1, "table_statistics": 1, "transcript": 18}


def test_a_command_over_several_lines_is_one_command() -> None:
    found = read(BOOK_SWAP).tables["transcript"]
    added = found[(found["said"] == "command") & (found["command"] == "heroku addons:add")].iloc[0]
    assert added["app"] == "debugging-staging"
    assert added["arguments"] == (
        "heroku-postgresql:crane --fork debugging::HEROKU_POSTGRESQL_CHARCOAL_URL -a debugging-staging"
    )


@pytest.mark.parametrize(
    "line, name, app",
    [
        ("$ heroku certs", "heroku certs", None),
        ("\\$ heroku certs\t\t\t", "heroku certs", None),
        ("me@laptop:~/shop (master)$ heroku pg:cache_hit -a shop", "heroku pg:cache-hit", "shop"),
        ("[me@laptop shop]$ heroku ps --app shop", "heroku ps", "shop"),
        ("bash-3.2$ dig +short www.example.com", "dig", None),
        ("me@laptop shop % heroku releases --app=shop", "heroku releases", "shop"),
        ("PS C:\\Users\\me> heroku logs -n 1500", "heroku logs", None),
        ("C:\\Users\\me>heroku pg:info", "heroku pg:info", None),
        ("❯ heroku ps", "heroku ps", None),
        ("➜  shop git:(main) ✗ heroku certs:info", "heroku certs:info", None),
        ("➜  ~ openssl s_client -connect www.example.com:443", "openssl s_client", None),
        ("~/shop$ ls -l", "ls", None),
        ("heroku ps:scale web=2 -a shop", "heroku ps:scale", "shop"),
        ("dig www.example.com", "dig", None),
    ],
)
def test_a_prompt_and_its_command_are_known(line: str, name: str, app: str | None) -> None:
    found = _prompts.command(line)
    assert found is not None and (found.name, found.app) == (name, app)


@pytest.mark.parametrize(
    "line",
    [
        "heroku logs are slow today",
        "dig in",
        "The price is $ 5",
        "2014-05-02T11:20:30.101202+00:00 app[web.1]: $ heroku ps",
        "run.1 (Eco): up 2024/02/03 03:05:06 +0000 (~ 1h ago): bash -c 'x > heroku y'",
        "=== shop Releases",
        "> debugging",
        " www.example.com  CNAME  quiet-hill-5678.herokudns.example.com",
    ],
)
def test_what_only_looks_like_a_command_is_none(line: str) -> None:
    assert _prompts.command(line) is None


@pytest.mark.parametrize("name", [one.__name__.rpartition(".")[2] for one in _paste.readers()])
def test_no_two_outputs_begin_at_one_line(name: str) -> None:
    """For every line of every example: the readers that see a beginning there are at most one."""
    examples = getattr(kinds_of_file().get(name), "EXAMPLES", ())
    for text, _ in examples:
        lines = [line for line in text.split("\n") if line.strip()]
        for at in range(len(lines)):
            found = [one.__name__ for one in _paste.readers() if one.begins(lines, at)]
            assert len(found) <= 1, (lines[at], found)


def test_a_private_key_is_counted_and_not_kept(load_text: Any) -> None:
    wb = load_text(
        "$ heroku certs:add server.crt server.key\n-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
        "shop has no SSL certificates.\n"
    )
    kept = wb.sql("SELECT line, text FROM unread_lines ORDER BY line")
    assert kept["line"].tolist() == [2, 3, 4] and set(kept["text"]) == {"[private key]"}


def test_colours_and_a_prompt_from_a_terminal(load_text: Any) -> None:
    wb = load_text(
        "\x1b[01;32mme@laptop\x1b[00m:\x1b[01;34m~/shop\x1b[00m$ heroku ps\n"
        "=== \x1b[32mweb\x1b[39m (\x1b[36mEco\x1b[39m): puma (1)\n\n"
        "web.1: \x1b[32mup\x1b[39m 2024/02/03 04:05:06 +0000 (~ 31m ago)\n"
        "\x1b[01;32mme@laptop\x1b[00m:\x1b[01;34m~/shop\x1b[00m$ heroku certs\n"
        "\x1b[1mName        Common Name(s)   Expires               Trusted  Type\x1b[22m\n"
        "osaka-2050  www.example.com  2026-09-30 23:59 UTC  True     ACM\n"
    )
    assert wb.sql("SELECT dyno FROM processes")["dyno"].tolist() == ["web.1"]
    assert wb.sql("SELECT name FROM certificates")["name"].tolist() == ["osaka-2050"]
    assert wb.sources()["unread"].tolist() == [0]


def test_headers_in_another_language_are_refused_and_the_rows_are_read() -> None:
    found = read(
        "$ heroku certs\nName        Allgemeine Namen  Läuft ab              Vertraut  Typ\n"
        "──────────  ────────────────  ────────────────────  ────────  ───\n"
        "osaka-2050  www.example.com   2026-09-30 23:59 UTC  True      ACM\n"
    )
    assert found.tables["certificates"]["common_names"].tolist() == ["www.example.com"]
    assert why(found) == [(2, "not a line of heroku certs output")]


def test_a_row_that_was_cut_is_refused_with_its_line() -> None:
    found = read(
        "Endpoint  Common Name(s)  Expires  Trusted\n"
        "kanto-2044.herokussl.com  www.example.com, example.com  2013-09-30 23:59 UTC  True\n"
        "osaka-2050.herokussl.com  www.example.org, exam\n"
    )
    assert len(found.tables["certificates"]) == 1
    assert why(found) == [(3, "not a line of heroku certs output")]


def test_a_date_that_is_none_leaves_the_row_without_it() -> None:
    found = read(
        "Endpoint  Common Name(s)  Expires  Trusted\nkanto-2044.herokussl.com  www.example.com  2013-13-30 23:59 UTC  True\n"
    )
    assert found.tables["certificates"]["expires"].isna().all()
    assert why(found) == [(2, "field expires")]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_lines_broken_at_the_width_of_a_terminal_are_put_together(width: int) -> None:
    whole = (
        "               relname                | percent_of_times_index_used | rows_in_table | and_one_more_column_that_is_wide | last \n"
        "--------------------------------------+-----------------------------+---------------+----------------------------------+------\n"
        " events_with_a_rather_long_name       |                          12 |        980431 |                                1 |    7 \n"
        " events_with_another_rather_long_name |                          99 |         80431 |                                2 |    8 \n"
        "(2 rows)\n"
    )
    broken = "".join(
        line[start : start + width] + "\n"
        for line in whole.splitlines()
        for start in range(0, len(line), width)
    )
    one, other = read(whole).tables["table_statistics"], read(broken).tables["table_statistics"]
    assert broken != whole
    pd.testing.assert_frame_equal(one.drop(columns="line"), other.drop(columns="line"))


def test_a_table_that_says_more_rows_than_are_there_is_noted() -> None:
    found = read(" name | ratio\n------+------\n a    | 0.9\n(2 rows)\n")
    assert found.notes == ["a table says 2 rows, 1 are there: the paste may be cut"]


def test_cells_that_do_not_fit_are_refused() -> None:
    found = read(" name | ratio\n------+------\n a    | 0.9\n b | 0.8 | 3\n")
    assert why(found) == [(4, "its cells do not fit the header of the table")]


def test_tables_drawn_with_lines_of_a_box_are_read() -> None:
    found = read("      name      │ ratio\n────────────────┼──────\n index hit rate │ 0.98\n(1 row)\n")
    assert found.tables["table_statistics"]["number"].tolist() == [0.98]


@pytest.mark.parametrize(
    "column, cell, number, unit",
    [
        ("exec_time", "154:39:26.43", 556_766.43, "s"),
        ("duration", "1 day 02:03:04", 93_784.0, "s"),
        ("age", "-00:00:01.5", -1.5, "s"),
        ("duration", "2 days", 172_800.0, "s"),
        ("size", "8192 bytes", 8192.0, "bytes"),
        ("waste", "0 bytes", 0.0, "bytes"),
        ("percent_of_times_index_used", "Insufficient data", None, None),
        ("ratio", "1.00", 1.0, "share"),
        ("ratio", "", None, None),
        ("query", "SELECT 1", None, None),
        ("ncalls", "34,211,877", 34_211_877.0, "count"),
    ],
)
def test_a_cell_is_a_number_with_its_unit_or_none(
    column: str, cell: str, number: float | None, unit: str | None
) -> None:
    found = psql_table._measured(column, cell)
    assert found[1] == unit and found[0] == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize(
    "when, time",
    [
        ("Tue Jun  4 19:20:57 2013", "2013-06-04 19:20:57"),
        ("Tue Jun 04 19:20:57 UTC 2013", "2013-06-04 19:20:57"),
        ("Tue Jun 04 19:20:57 PDT 2013", "2013-06-05 02:20:57"),
        ("Tue Jun 04 19:20:57 CEST 2013", None),
        ("yesterday", None),
    ],
)
def test_the_time_of_an_answer_is_utc_or_missing(when: str, time: str | None) -> None:
    found = read(
        f"$ dig www.example.com\n;; ANSWER SECTION:\nwww.example.com. 60 IN A 192.0.2.1\n;; WHEN: {when}\n"
    )
    record = found.tables["dns_records"].iloc[0]
    assert pd.isna(record["time"]) if time is None else record["time"] == pd.Timestamp(time)
    asked = "when it was asked is not known: no time, or one whose zone has no offset"
    assert why(found) == ([] if time else [(4, asked)])


def test_an_alias_that_was_cut_keeps_its_dots() -> None:
    found = read(
        "$ dig www.example.com\n;; ANSWER SECTION:\nwww.example.com. 60 IN CNAME elb003055-19833 ...\n"
    )
    assert found.tables["dns_records"]["value"].tolist() == ["elb003055-19833..."]


def test_the_short_form_without_its_command_does_not_say_what_was_asked() -> None:
    lines = ["hyogo-1003.herokussl.com.", "192.0.2.1"]
    assert dig.score(lines) > 0.9
    found = dig.read(lines, Context("dig.txt")).tables["dns_records"]
    assert found["name"].tolist() == [None, "hyogo-1003.herokussl.com"]


def test_a_log_with_a_table_in_it_stays_a_log() -> None:
    log = ["2014-05-02T11:20:30.101202+00:00 app[web.1]: one"] * 5
    assert command_output.score(log) == 0
    assert command_output.score([*log, "$ heroku ps"]) == 0


def test_a_session_comes_in_by_a_pipe(monkeypatch: Any, tmp_path: Path, capsys: Any) -> None:
    class Piped:
        buffer = io.BytesIO(BOOK_SWAP.encode())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Piped())
    assert cli.main(["load", "-", "--db", str(tmp_path / "piped.duckdb")]) == 0
    with Workbook.open(tmp_path / "piped.duckdb", read_only=True) as wb:
        assert wb.sources()["kind"].tolist() == ["command_output"]
        assert wb.sql("SELECT count(*) AS n FROM backups")["n"][0] == 1


@pytest.mark.parametrize("sign", ["-", " ", "a ", "v1 ", "|", "1:", "$ ", "a.", "(", "─ x"])
@pytest.mark.parametrize("head", ["", "v1  ", "=== web: ", "$ ", "subject=", "192.0.2.1 "])
def test_a_line_without_end_is_refused_at_once(sign: str, head: str) -> None:
    """No form is tried on it: a form that goes back and forth would take hours here."""
    line = head + sign * 150_000 + "x"
    lines = ["Endpoint  Common Name(s)  Expires  Trusted", line, "$ heroku releases", line]
    command_output.score(lines)
    assert_balanced(command_output.read(lines, Context("paste.txt")), lines)


def test_many_lines_of_one_width_are_not_joined_to_one() -> None:
    lines = ["$ heroku pg:outliers", *["x" * 80] * 3_000]
    assert_balanced(command_output.read(lines, Context("paste.txt")), lines)


# whatever is done to a paste

OUTPUTS = [
    text for module in (*_paste.readers(), command_output) for text, _ in getattr(module, "EXAMPLES", ())
]
assert len(OUTPUTS) > 20


@st.composite
def mutilated(draw: Any) -> list[str]:
    """Some outputs, one after the other, then cut, broken at a width, swapped, with colours and noise put in."""
    lines = "".join(draw(st.lists(st.sampled_from(OUTPUTS), min_size=1, max_size=3))).split("\n")
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        what = draw(st.sampled_from(["drop", "cut", "twice", "noise", "swap", "prompt", "glue", "break"]))
        if what == "drop" and len(lines) > 1:
            del lines[at]
        elif what == "cut":
            lines[at] = lines[at][: draw(st.integers(0, 60))]
        elif what == "twice":
            lines.insert(at, lines[at])
        elif what == "noise":
            lines.insert(at, draw(st.text(st.sampled_from(' \t|-+=:;.,$>!{}[]()0123aZé─│\\"…'), max_size=30)))
        elif what == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif what == "prompt":
            lines.insert(
                at,
                draw(
                    st.sampled_from(["$ heroku certs", "$ ", "> shop", "$ dig \\", "2014-", " › Warning: x"])
                ),
            )
        elif what == "glue" and at + 1 < len(lines):
            lines[at : at + 2] = [lines[at] + lines[at + 1]]
        elif what == "break":
            width = draw(st.sampled_from([40, 80]))
            lines[at : at + 1] = [
                lines[at][start : start + width] for start in range(0, max(len(lines[at]), 1), width)
            ]
    return lines


@settings(max_examples=300, deadline=None)
@given(mutilated())
def test_whatever_is_done_to_a_paste_its_lines_add_up(lines: list[str]) -> None:
    assert_balanced(command_output.read(lines, Context("paste.txt")), lines)
    for module in (command_output, *_paste.readers()):
        if hasattr(module, "score"):
            assert 0 <= module.score([line for line in lines if line.strip()]) <= 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutilated())
def test_whatever_is_done_to_a_paste_it_loads_or_is_refused(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "paste.txt"
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    with Workbook.open() as wb:
        report = wb.load(path)
        for error in report.errors:
            assert "do not add up" not in str(error) and "engine stopped" not in str(error), error
            assert "could not be read (" not in str(error), error


@pytest.mark.parametrize("command", sorted({name for one in _paste.readers() for name in one.COMMANDS}))
def test_a_command_without_its_output_is_a_command(command: str) -> None:
    found = read(f"$ {command}\n\n$ {command} -a shop\nnothing that anybody prints\n")
    assert found.tables["transcript"]["command"].tolist() == [command, command]


def test_every_reader_of_an_output_has_its_parts() -> None:
    for module in _paste.readers():
        assert isinstance(module.COMMANDS, tuple) and callable(module.begins) and callable(module.part)
    commands = [command for module in _paste.readers() for command in module.COMMANDS]
    assert len(commands) == len(set(commands))
    assert heroku_certs in _paste.readers()


LEAF, SIGNER = (
    "".join(f"{line}\n" for line in block.splitlines())
    for block in openssl_text.EXAMPLES[-1][0].replace("-----END CERTIFICATE-----\n", "-----END CERTIFICATE-----\n\f").split("\f")[:2]
)  # fmt: skip


def certificates_of(text: str) -> list[dict[str, Any]]:
    return read(text).tables["certificates"].to_dict("records")


def test_an_encoded_certificate_adds_the_dates_that_old_openssl_does_not_print_of_a_chain() -> None:
    text = (
        "CONNECTED(00000003)\n---\nCertificate chain\n"
        f" 0 s:/CN=www.example.com\n   i:/CN=Example CA 1\n{LEAF}"
        f" 1 s:/CN=Example CA 1\n   i:/CN=Example CA 1\n{SIGNER}---\n"
        "Server certificate\nsubject=/CN=www.example.com\nissuer=/CN=Example CA 1\n---\nDONE\n"
    )
    leaf, signer = certificates_of(text)
    assert leaf["expires"] == signer["expires"] == pd.Timestamp("2024-04-01 12:00")
    assert leaf["subject"] == "/CN=www.example.com", "what was printed stays"
    assert leaf["common_names"] == "www.example.com, example.com"
    assert signer["common_names"] is None
    assert (leaf["printed_by"], signer["position"]) == ("openssl", 1)


def test_the_servers_encoded_certificate_is_the_first_of_the_chain() -> None:
    text = (
        "Certificate chain\n 0 s:/CN=www.example.com\n   i:/CN=Example CA 1\n"
        " 1 s:/CN=Example CA 1\n   i:/CN=Example Root\n---\n"
        f"Server certificate\n{LEAF}subject=/CN=www.example.com\n"
    )
    leaf, signer = certificates_of(text)
    assert leaf["expires"] == pd.Timestamp("2024-04-01 12:00")
    assert pd.isna(signer["expires"])


def test_a_certificate_as_text_and_encoded_is_one() -> None:
    text, _ = openssl_text.EXAMPLES[1]
    assert len(certificates_of(text + LEAF)) == 1


def test_encoded_certificates_that_did_not_sign_each_other_are_no_chain() -> None:
    first, second = certificates_of(SIGNER + LEAF)
    assert first["position"] is None and second["position"] is None
    assert (first["common_names"], second["common_names"]) == (None, "www.example.com, example.com")


def test_a_spoiled_or_cut_certificate_is_unread_and_the_whole_one_beside_it_a_row() -> None:
    spoiled = LEAF.replace("MIIB", "!!!!", 1)
    cut = "".join(LEAF.splitlines(keepends=True)[:4])
    reading = read(SIGNER + spoiled + cut)
    assert len(reading.tables["certificates"]) == 1
    reasons = {reason for _, reason, _ in reading.unread}
    assert reasons == {"no certificate is encoded here", "an encoded certificate without its end"}


def test_the_private_key_beside_a_certificate_is_not_kept() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END PRIVATE KEY-----\n"
    reading = read(key + LEAF)
    assert len(reading.tables["certificates"]) == 1
    assert "c2VjcmV0" not in str(reading.unread)
