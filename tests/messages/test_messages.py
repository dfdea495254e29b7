"""The contract of every kind of log line: its examples give their rows, and no other kind claims them."""

import math

import pandas as pd
import pytest

from workbook import Workbook
from workbook.staging import kinds_of_line

KINDS = kinds_of_line()
EXAMPLES = [
    pytest.param(name, text, rows, id=f"{name}-{number}")
    for name, module in KINDS.items()
    for number, (text, rows) in enumerate(module.EXAMPLES)
]
NOT_MINE = [
    pytest.param(name, text, id=f"{name}-{number}")
    for name, module in KINDS.items()
    for number, text in enumerate(module.NOT_MINE)
]


def claimants(wb: Workbook) -> dict[int, list[str]]:
    """Which kinds claim each line, by line."""
    claimed: dict[int, list[str]] = {}
    for name, module in KINDS.items():
        for line in wb.sql(f"SELECT line FROM log_lines WHERE {module.CLAIMS} ORDER BY line")["line"]:
            claimed.setdefault(int(line), []).append(name)
    return claimed


def balanced(wb: Workbook) -> bool:
    """Whether the lines of every source add up, and log_lines holds as many as the sources say."""
    sources = wb.sources()
    parts = sources[["log_lines", "joined", "duplicates", "unread", "blank"]].sum(axis=1)
    kept = wb.sql("SELECT count(*) AS n FROM log_lines")["n"][0]
    return bool((parts == sources["lines"]).all()) and kept == sources["log_lines"].sum()


def same(got: object, wanted: object) -> bool:
    """Whether a cell of a table holds the wanted value; None stands for NULL."""
    if wanted is None or pd.isna(got):
        return wanted is None and bool(pd.isna(got))
    if isinstance(wanted, float):
        return math.isclose(float(got), wanted, rel_tol=1e-12)
    return bool(got == wanted)


def test_every_kind_has_examples_and_lookalikes():
    assert len(KINDS) >= 12
    for name, module in KINDS.items():
        assert len(module.EXAMPLES) >= 2 and len(module.NOT_MINE) >= 2, name
        assert any(rows for _, rows in module.EXAMPLES), name


@pytest.mark.parametrize(("name", "text", "rows"), EXAMPLES)
def test_an_example_gives_exactly_its_rows(load_text, name, text, rows):
    wb = load_text(text + "\n")
    table = wb.sql(f"SELECT * FROM {KINDS[name].TABLE} ORDER BY source_id, line, rowid")
    found = [tuple(table.iloc[number][list(row)]) for number, row in enumerate(rows[: len(table)])]
    assert len(table) == len(rows), table.to_string()
    for row, cells in zip(rows, found, strict=True):
        for (column, wanted), cell in zip(row.items(), cells, strict=True):
            assert same(cell, wanted), f"{column}: {cell!r}, not {wanted!r}, in {row}"
    assert balanced(wb)


@pytest.mark.parametrize(("name", "text", "rows"), EXAMPLES)
def test_a_line_is_claimed_by_one_kind_only(load_text, name, text, rows):
    claimed = claimants(load_text(text + "\n"))
    assert all(len(names) == 1 for names in claimed.values()), claimed
    assert [name] in claimed.values()
    assert all(claimed.get(row["line"]) == [name] for row in rows if "line" in row)


@pytest.mark.parametrize(("name", "text"), NOT_MINE)
def test_a_lookalike_is_not_claimed(load_text, name, text):
    wb = load_text(text + "\n")
    assert wb.sql("SELECT count(*) AS n FROM log_lines")["n"][0] == 1
    assert name not in claimants(wb).get(1, [])
    assert balanced(wb)


def test_the_rows_are_the_same_when_all_tables_are_filled_again(load_text):
    """Two sources at once must not be mixed up: every pairing stays within its file."""
    wb = None
    for name, module in KINDS.items():
        for number, (text, _) in enumerate(module.EXAMPLES):
            wb = load_text(text + "\n", name=f"{name}-{number}.log")
    tables = sorted({module.TABLE for module in KINDS.values()})
    before = {table: wb.sql(f"SELECT * FROM {table} ORDER BY ALL") for table in tables}
    unread = wb.sql("SELECT * FROM unread_lines ORDER BY ALL")
    wb.reread()
    for table in tables:
        pd.testing.assert_frame_equal(wb.sql(f"SELECT * FROM {table} ORDER BY ALL"), before[table], obj=table)
        assert len(before[table]), table
    pd.testing.assert_frame_equal(wb.sql("SELECT * FROM unread_lines ORDER BY ALL"), unread)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "2014-03-04T05:06:07.080910+00:00 heroku[router]: at=info method=GET path=/a host=shop.example.com"
            ' fwd="192.0.2.4" dyno=web.1 connect=1ms service=soon status=200 bytes=1',
            "field service",
        ),
        (
            "2014-03-04T05:06:07.080910+00:00 app[web.1]: source=rack-timeout id=1 wait=?ms timeout=15000ms state=ready",
            "field age",
        ),
        (
            "2014-03-04T05:06:07.080910+00:00 heroku[web.1]: source=web.1 sample#memory_rss=nan",
            "field memory_rss",
        ),
        (
            "2014-03-04T05:06:07.080910+00:00 app[heroku-redis]: source=REDIS sample#hit-rate=0x1",
            "field hit_rate",
        ),
        (
            "2014-03-04T05:06:07.080910+00:00 app[web.1]: method=GET path=/a controller=A action=b status=200 duration=1_0",
            "field duration",
        ),
        ("2014-03-04T05:06:07.080910+00:00 app[web.1]: Memory usage: much | PID: 7", "field memory"),
    ],
)
def test_a_value_that_cannot_be_read_is_noted_with_its_line(load_text, text, reason):
    wb = load_text(text + "\n")
    assert wb.sql("SELECT reason, line FROM unread_lines").values.tolist() == [[reason, 1]]
    assert wb.sql("SELECT text FROM unread_lines")["text"][0] in text
    assert balanced(wb)
