"""One file with all that an answer stands on, so that another person can check it: made here, verified elsewhere.

A bundle is a zip with the tables as Parquet, the results (findings, JSON, CSV and the SQL of each), the report, and a
manifest with versions, parameters and the SHA-256 of every member and of the original files. Its results are those of
its tables, computed by one thread, so that they come out the same elsewhere. The same workbook gives the same bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from workbook.bundle import answers, manifest, parcel, readme, tables
from workbook.bundle.sameness import Proof, prove
from workbook.database import Database
from workbook.errors import UsageError
from workbook.redact import Redactor, shared_folder
from workbook.window import Window

if TYPE_CHECKING:
    from workbook.analysis import Result
    from workbook.workbook import Workbook


@dataclass(frozen=True)
class Bundle:
    """A written bundle: its ``path``, how many ``files`` and ``bytes`` it holds, and the SHA-256 of its manifest.

    ``replaced`` counts what was redacted, by kind; ``proof`` compares the findings before and after; both are empty
    in a bundle that is whole.
    """

    path: Path
    files: int
    bytes: int
    manifest_sha256: str
    redacted: bool
    replaced: dict[str, int] = field(default_factory=dict)
    proof: Proof | None = None

    def __str__(self) -> str:
        size = f"{self.bytes / 1e6:.1f} MB" if self.bytes >= 1e6 else f"{max(1, self.bytes // 1000)} kB"
        lines = [
            f"The bundle: {self.path} ({self.files} files, {size})",
            f"SHA-256 of its manifest: {self.manifest_sha256}",
        ]
        if not self.redacted:
            return "\n".join(
                [*lines, "Not redacted: it holds addresses, e-mails and tokens as they were logged."]
            )
        counted = ", ".join(f"{count:,} {kind}" for kind, count in self.replaced.items()) or "nothing"
        return "\n".join([*lines, f"Replaced: {counted}.", *([str(self.proof)] if self.proof else [])])


def write(
    path: str | Path,
    workbook: Workbook,
    database: Database,
    *,
    title: str,
    notes: str = "",
    window: Window | None = None,
    redact: bool = True,
    results: Sequence[Result] | None = None,
    notebook: str | Path | None = None,
) -> Bundle:
    """Write the bundle, whole or not at all, and return what became of it; ``Workbook.bundle`` says the rest."""
    from workbook import report

    target = Path(path)
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"{target} cannot be written.", next_step="Name a file in a folder that exists.")
    before = list(results) if results is not None else workbook.investigate(window)
    asked = [answers.Asked.of(result) for result in before]
    redactor = Redactor(shared_folder(list(workbook.sources()["path"]))) if redact else None
    with tempfile.TemporaryDirectory(prefix="workbook-bundle-") as folder:
        root = Path(folder)
        written = tables.export(database, root, redactor)
        with tables.rebuilt(root, written) as (other, _):
            again = [one.redacted(redactor) for one in asked]
            after = answers.ask(other, again)
            answers.write(root, after)
            report.write(
                root / "report.html",
                after,
                title=title,
                notes=notes,
                sources=other.sources(),
                redact=redact,
            )
            if notebook is not None:
                from workbook.bundle import notebooks

                notebooks.add(root, notebook, written, redactor, window or Window())
            proof = prove(before, after, redactor) if redactor else None
            said = manifest.Manifest(
                title=title,
                redacted=redact,
                replaced={} if redactor is None else dict(sorted(redactor.counts.items())),
                proof="" if proof is None else str(proof),
                sources=manifest.sources(other.sources()),
                tables=written,
                results=answers.listed(again),
                notebook=notebook is not None,
            )
            (root / "README.txt").write_text(readme.text(said), encoding="utf-8", newline="\n")
        sha = manifest.write(root, said)
        parcel.pack(root, target)
        files = sum(one.is_file() for one in root.rglob("*"))
    return Bundle(target, files, target.stat().st_size, sha, redact, said.replaced, proof)


__all__ = ["Bundle", "Proof", "write"]
