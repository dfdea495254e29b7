"""Fixtures: ``wb``, a workbook in memory with nothing in it, and ``load_text``, one with a text loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from workbook import Workbook

# the same cases in every run: a red run can be repeated
settings.register_profile("workbook", derandomize=True)
settings.load_profile("workbook")


@pytest.fixture
def wb() -> Iterator[Workbook]:
    """A workbook in memory with nothing in it."""
    with Workbook.open() as opened:
        yield opened


@pytest.fixture
def load_text(wb: Workbook, tmp_path: Path) -> Callable[..., Workbook]:
    """Load a text (or bytes) as a file of that name; a file that cannot be loaded fails the test."""

    def load(text: str | bytes, name: str = "dump.log", **options: object) -> Workbook:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        report = wb.load(path, **options)
        assert report.ok, report.errors
        return wb

    return load
