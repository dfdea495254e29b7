"""A bar that shows which file is being loaded, in a terminal and in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workbook import words


@contextmanager
def bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give the function to call with path, number and count before each file; silent where nobody looks."""
    from tqdm.auto import tqdm

    notebook = "ipykernel" in sys.modules
    quiet = not notebook and not sys.stderr.isatty()
    with tqdm(total=None, unit="file", leave=False, disable=quiet, file=sys.stderr) as shown:

        def progress(path: str, number: int, count: int) -> None:
            shown.total = count
            shown.set_description(words.visible(Path(path).name, one_line=True)[:40], refresh=False)
            shown.update(number - 1 - shown.n)
            shown.refresh()

        yield progress
