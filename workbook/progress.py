"""A bar that shows how much of the files is loaded, in a terminal and in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workbook import words


@contextmanager
def bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give the function to call with path, bytes read and bytes in all; silent where nobody looks."""
    from tqdm.auto import tqdm

    notebook = "ipykernel" in sys.modules
    quiet = not notebook and not sys.stderr.isatty()
    with tqdm(
        total=None, unit="B", unit_scale=True, leave=False, disable=quiet, file=sys.stderr, mininterval=0
    ) as shown:

        def progress(path: str, done: int, total: int) -> None:
            shown.total = total or None
            shown.set_description(words.visible(Path(path).name, one_line=True)[:40], refresh=False)
            shown.update(done - shown.n)
            shown.refresh()

        yield progress
