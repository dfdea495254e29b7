"""Papertrail's archive compared with a plain reader that splits at nine tabs, on hostile lines too."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbook import Workbook

CELLS = st.text(
    st.characters(exclude_characters="\n\r\x01\x02\x03\x04\x1b\t", exclude_categories=("Cs",)), max_size=12
)
MESSAGES = st.text(
    st.characters(exclude_characters="\n\r\x01\x02\x03\x04\x1b", exclude_categories=("Cs",)), max_size=40
)
PROGRAMS = (
    st.sampled_from(["heroku/router", "app/web.1", "app/postgres.12345", "cron", "", "/", "a/b/c", "app/"])
    | CELLS
)
TIMES = st.sampled_from(
    [
        "2017-02-14T03:41:49", "2017-02-14T03:41:49Z", "2021-11-24 15:02:51", "2011-02-10 00:19:36 -0800",
        "2011-02-10 00:19:36 +0530", "2017-02-30 00:00:00", "epoch", "infinity", "now", "", "2017-02-14",
    ]
)  # fmt: skip
EVENTS = st.tuples(st.integers(100_000, 2**63 - 1), TIMES, TIMES, PROGRAMS, MESSAGES)


def plain_time(text: str) -> datetime | None:
    """The UTC time that a text spells, read without the engine."""
    for form in (
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d",
        "%Y-%m-%d %H:%M:%S %z",
    ):
        try:
            read = datetime.strptime(text, form)
        except ValueError:
            continue
        return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read
    return None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENTS, min_size=1, max_size=12))
def test_every_event_is_read_as_a_plain_reader_does(
    tmp_path: Path, events: list[tuple[int, str, str, str, str]]
) -> None:
    lines = [
        f"{number}\t{made}\t{received}\t7\tshop\t3.310.9\tLocal7\tInfo\t{program}\t{message}"
        for number, made, received, program, message in [
            (100_000, "2017-02-14T03:41:49", "", "app/web.1", "first"),
            *events,
        ]
    ]
    path = tmp_path / "archive.tsv.gz"
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    expected = []
    for line in lines:
        _, made, received, *_, program, message = line.split("\t", 9)
        source, slash, process = program.partition("/")
        time = plain_time(made) or plain_time(received)
        expected.append(
            (time, plain_time(received), source if slash else "", process if slash else program, message)
        )
    with Workbook.open() as wb:
        assert wb.load(path).ok
        found = wb.sql("SELECT time, received_at, source, process, message FROM log_lines ORDER BY line")
        rows = [
            tuple(None if cell != cell or cell is None else cell for cell in row)
            for row in found.astype(object).itertuples(index=False)
        ]
        assert [
            (time, at, source or "", process or "", message) for time, at, source, process, message in rows
        ] == expected
        source = wb.sources().iloc[0]
        assert source["kind"] == "papertrail_archive"
        assert source["lines"] == source["log_lines"] == len(lines)


def test_a_time_that_cannot_be_read_is_named_and_the_other_is_used(
    load_text: Callable[..., Workbook],
) -> None:
    event = "7600000000000001{n}\t{made}\t{received}\t1\tshop\t192.0.2.4\tLocal7\tInfo\tapp/web.1\tx{n}\n"
    good = "2017-03-04T05:06:07"
    wb = load_text(
        event.format(n=1, made=good, received=good)
        + event.format(n=2, made="soon", received=good)
        + event.format(n=3, made="", received="")
    )
    rows = wb.sql("SELECT message, time::VARCHAR AS time FROM log_lines ORDER BY line").astype(object)
    assert rows.where(rows.notna(), None).values.tolist() == [
        ["x1", "2017-03-04 05:06:07"], ["x2", "2017-03-04 05:06:07"], ["x3", None],
    ]  # fmt: skip
    unread = wb.sql("SELECT line, reason FROM unread_lines ORDER BY line").values.tolist()
    assert unread == [[2, "field generated_at"], [3, "field received_at"]]


def test_a_message_may_go_on_over_lines_that_begin_with_no_id(load_text: Callable[..., Workbook]) -> None:
    event = "760000000000000101\t2017-03-04T05:06:07\t2017-03-04T05:06:07Z\t1\tshop\t192.0.2.4\tLocal7\tInfo\tapp/web.1\t"
    wb = load_text(f"{event}Error\n\n  at a.rb:1\n12 of 13\n{event}next\n\n")
    assert wb.sql("SELECT line, message FROM log_lines ORDER BY line").values.tolist() == [
        [1, "Error\n\n  at a.rb:1\n12 of 13"], [5, "next"],
    ]  # fmt: skip
    assert wb.sources()[["lines", "log_lines", "joined", "blank", "unread"]].values.tolist() == [
        [6, 2, 3, 1, 0]
    ]


def test_equal_lines_of_one_archive_are_two_lines(load_text: Callable[..., Workbook]) -> None:
    event = "760000000000000101\t2017-03-04T05:06:07\t2017-03-04T05:06:07Z\t1\tshop\t192.0.2.4\tLocal7\tInfo\tapp/web.1\tx\n"
    wb = load_text(event + event)
    assert wb.sources()[["log_lines", "duplicates"]].values.tolist() == [[2, 0]]


@pytest.mark.parametrize("name", ["2017-03-04.tsv.gz", "dt=2017-03-04/2017-03-04-05.tsv.gz", "today.txt"])
def test_the_date_is_read_from_the_lines_never_from_the_name(
    load_text: Callable[..., Workbook], name: str
) -> None:
    event = b"760000000000000101\t2011-02-10 00:19:36 -0800\t2011-02-10 00:19:37 -0800\t1\ts\t192.0.2.4\tUser\tInfo\tapp/web.1\tx\n"
    wb = load_text(gzip.compress(event) if name.endswith("gz") else event, name=name)
    assert str(wb.sources()["first_time"][0]) == "2011-02-10 08:19:36"
