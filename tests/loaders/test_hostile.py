"""Any bytes, and any example cut, doubled, mixed or torn: the books balance, or one sentence says why nothing was loaded."""

from __future__ import annotations

import gzip
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbook import Workbook
from workbook.errors import LoadError
from workbook.loading import kinds_of_file

EXAMPLES = sorted(text.encode() for module in kinds_of_file().values() for text, _ in module.EXAMPLES)
SCRAPS = [b"", b"\n", b"\r\n", b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b",", b"\t", b"\x00", b"\xff\xfe", b"\xe2\x80", b"\x1b[31m",
          b"=cmd|' /C calc'!A0", b"\xe2\x80\xae", b"null", b"1e999", b"NaN", b"-0", b"\\ud83d", b"payload=", b"\x01\x02\x03\x04",
          b"9" * 400, b"<158>1 ", b"%7B%22", b"$(id)", b"'; DROP TABLE sources; --", b"{{7*7}}"]  # fmt: skip
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """An example with a few pieces taken out, put in, doubled, or exchanged for pieces of another."""
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 80)))
        other = draw(st.sampled_from(EXAMPLES))
        place = draw(st.integers(0, len(other)))
        piece = draw(
            st.sampled_from([*SCRAPS, text[start:end] * 2, other[place : place + 120]])
            | st.binary(max_size=6)
        )
        text = text[:start] + piece + text[end:]
    wrap = draw(st.sampled_from(["plain", "plain", "utf-16", "gz", "cut gz"]))
    if wrap == "utf-16":
        return text.decode("utf-8", "replace").encode("utf-16")
    packed = gzip.compress(text, mtime=0)
    return {"plain": text, "gz": packed, "cut gz": packed[: len(packed) * 3 // 4]}[wrap]


def assert_accounted_for(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with Workbook.open() as wb:
        report = wb.load(path, year=2013)
        assert len(report.errors) + len(wb.sources()) == 1
        for error in report.errors:
            assert isinstance(error, LoadError) and "\n" not in str(error), error
            for unforeseen in ("do not add up", "engine stopped", "it could not be read ("):
                assert unforeseen not in str(error), error
        for source in wb.sources().to_dict("records"):
            parts = ("log_lines", "joined", "duplicates", "unread", "blank")
            assert source["lines"] == sum(source[part] for part in parts), source
        orphans = wb.sql(
            "SELECT count(*) AS n FROM unread_lines WHERE line < 1 OR line > (SELECT max(lines) FROM sources)"
        )
        assert orphans["n"].tolist() == [0]


@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
@given(mutilated())
def test_a_mutilated_example_is_accounted_for(tmp_path: Path, content: bytes) -> None:
    assert_accounted_for(tmp_path / "any.export", content)


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_accounted_for(tmp_path: Path, content: bytes) -> None:
    assert_accounted_for(tmp_path / "any.bytes", content)


def test_a_long_line_of_capitals_below_a_heading_is_no_heading() -> None:
    from workbook.loaders import heroku_pg_info

    # a pattern that can cut this in many ways would try them all
    assert not heroku_pg_info.begins(["=== " + "A" * 5_000 + "!", "Plan: Crane"], 0)
