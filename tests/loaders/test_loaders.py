"""The contract that every reader of a file keeps: its examples give their rows, it wins no one else's, the books balance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbook import Workbook
from workbook.database import plain
from workbook.errors import LoadError
from workbook.files import sniffed
from workbook.loading import kinds_of_file

LOADERS = kinds_of_file()
EXAMPLES = [
    pytest.param(name, text, rows, id=f"{name}-{number}")
    for name, module in LOADERS.items()
    for number, (text, rows) in enumerate(module.EXAMPLES)
]
NOT_MINE = [
    pytest.param(name, text, id=f"{name}-{number}")
    for name, module in LOADERS.items()
    for number, text in enumerate(module.NOT_MINE)
]


def scores(text: str) -> dict[str, float]:
    """How sure each reader is of the text, by name."""
    head = sniffed(text.split("\n"))
    return {name: module.score(head) for name, module in LOADERS.items()}


def same(found: Any, stated: Any) -> bool:
    """Whether a cell is what the example says: times as text, floats to nine digits."""
    if isinstance(stated, str) and hasattr(found, "isoformat"):
        return pd.Timestamp(stated) == pd.Timestamp(found)
    if isinstance(stated, float) and found is not None:
        return found == pytest.approx(stated, rel=1e-9)
    return found == stated and (found is None) == (stated is None)


def rows_of(wb: Workbook, table: str) -> list[dict[str, Any]]:
    frame = wb.sql(f'SELECT * FROM "{table}" ORDER BY ALL')
    order = frame.sort_values(["source_id", "line"], kind="stable")
    return [
        {column: plain(cell) for column, cell in zip(order.columns, row, strict=True)}
        for row in order.itertuples(index=False)
    ]


def matched(found: list[dict[str, Any]], stated: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """The stated rows that no found row matches; each found row may match once."""
    left = list(found)
    missing = []
    for row in stated:
        match = next(
            (one for one in left if all(same(one[column], value) for column, value in row.items())), None
        )
        if match is None:
            missing.append(row)
        else:
            left.remove(match)
    return missing


def assert_books_balance(wb: Workbook) -> None:
    """Every physical line of every source is accounted for, and the counts are those of the tables."""
    for source in wb.sources().to_dict("records"):
        parts = ("log_lines", "joined", "duplicates", "unread", "blank")
        assert source["lines"] == sum(source[part] for part in parts), source
        unread = wb.sql(
            "SELECT count(*) AS n FROM unread_lines WHERE source_id = $id AND NOT starts_with(reason, 'field ')",
            id=source["source_id"],
        )["n"][0]
        assert source["unread"] == unread, source


@pytest.mark.parametrize("name", LOADERS)
def test_a_reader_has_all_parts(name: str) -> None:
    module = LOADERS[name]
    assert module.__doc__ and module.TITLE and module.EXAMPLES and module.NOT_MINE
    assert hasattr(module, "RECORDS") != hasattr(module, "read"), "a log defines RECORDS, anything else read"
    if hasattr(module, "RECORDS"):
        assert isinstance(module.GLUE, str) and module.STARTS
        for marker, needed in (("$zone", "NEEDS_ZONE"), ("$year", "NEEDS_YEAR")):
            assert (marker in module.RECORDS) == getattr(module, needed, False)


@pytest.mark.parametrize("name, text, rows", EXAMPLES)
def test_an_example_gives_exactly_its_rows(
    load_text: Any, name: str, text: str, rows: dict[str, Any]
) -> None:
    wb = load_text(text, name="example.txt", year=2013)
    assert wb.sources()["kind"].tolist() == [name]
    for table, stated in rows.items():
        found = rows_of(wb, table)
        assert matched(found, stated) == [], found
        assert len(found) == len(stated), found
    if "unread_lines" not in rows and "log_lines" in rows:
        unread = wb.sql(
            "SELECT * FROM unread_lines WHERE line IN (SELECT line FROM log_lines) AND reason = 'field time'"
        )
        assert unread.empty
    if "unread_lines" not in rows:
        assert wb.sources()["unread"].tolist() == [0]
    assert_books_balance(wb)


@pytest.mark.parametrize("name, text, rows", EXAMPLES)
def test_no_other_reader_wins_an_example(name: str, text: str, rows: dict[str, Any]) -> None:
    found = scores(text)
    rivals = {rival: score for rival, score in found.items() if rival != name and score >= found[name]}
    assert found[name] >= 0.2 and not rivals, rivals


@pytest.mark.parametrize("name, text", NOT_MINE)
def test_what_is_not_a_readers_is_not_won_by_it(name: str, text: str) -> None:
    found = scores(text)
    best = max(found.values())
    winner = next(reader for reader, score in found.items() if score == best)
    assert best < 0.2 or winner != name


@pytest.mark.parametrize("name", LOADERS)
def test_scores_lie_between_0_and_1_for_any_text(name: str) -> None:
    texts = ["", "\n", "{", "[", "\t" * 20, "payload=", "a,b\n1,2\n", "=== \n", "\ufffd" * 300, "---+---\n"]
    texts += [text for module in LOADERS.values() for text, _ in module.EXAMPLES]
    for text in texts:
        for cut in (len(text), len(text) // 2, 40):
            assert 0 <= LOADERS[name].score(sniffed(text[:cut].split("\n"))) <= 1


LINES = sorted(
    {line for module in LOADERS.values() for text, _ in module.EXAMPLES for line in text.split("\n")}
)
PIECES = st.one_of(
    st.sampled_from(LINES),
    st.builds(lambda line, cut: line[:cut], st.sampled_from(LINES), st.integers(0, 60)),
    st.sampled_from(["", " ", "\t", "\x0c", "\u2028", "\x85", "  at a.rb:1", "\x1b[31m", "12", "2014-01-"]),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([text for module in LOADERS.values() for text, _ in module.EXAMPLES]),
    st.lists(PIECES, max_size=8),
)
def test_the_books_balance_whatever_follows_an_example(tmp_path: Path, text: str, pieces: list[str]) -> None:
    path = tmp_path / "any.txt"
    path.write_text(text + "\n".join(pieces), encoding="utf-8", newline="")
    with Workbook.open() as wb:
        report = wb.load(path, year=2013)
        for error in report.errors:
            assert isinstance(error, LoadError) and "do not add up" not in str(error), error
            assert "engine stopped" not in str(error), error
        assert_books_balance(wb)
        for table in ("log_lines", "unread_lines"):
            outside = wb.sql(
                f"SELECT count(*) AS n FROM {table} WHERE line < 1 OR line > (SELECT lines FROM sources)"
            )
            assert outside["n"][0] == 0
