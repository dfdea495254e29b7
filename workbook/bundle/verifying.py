"""``workbook verify``: is every file of a bundle as it was packed, and do its tables give its numbers again?"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbook import words
from workbook.bundle import answers, manifest, parcel, readme, tables
from workbook.bundle.sameness import MOST_SHOWN, Difference, differences, numbers_in
from workbook.errors import WorkbookError


@dataclass(frozen=True)
class Verification:
    """What became of a bundle: the files that are not as packed, and each value that is not computed again.

    ``results`` and ``numbers`` say how many were computed and compared; ``other_versions`` which packages differ from
    those that made it; ``unproven`` which files were only checked against the manifest.
    """

    path: Path
    manifest_sha256: str
    results: int
    numbers: int
    altered: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    other_versions: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether every file is as it was packed and every value was computed again."""
        return not self.altered and not self.differences

    def __str__(self) -> str:
        lines = [
            f"{name}: not the file that the manifest lists (another SHA-256 or size)" for name in self.altered
        ]
        lines += map(str, self.differences[:MOST_SHOWN])
        if len(self.differences) > MOST_SHOWN:
            lines.append(f"and {len(self.differences) - MOST_SHOWN:,} more values that differ")
        checked = f"{words.plural(self.results, 'result')}, {self.numbers:,} numbers computed anew"
        if self.identical:
            lines.append(f"identical: {checked}.")
        else:
            files = words.plural(len(self.altered), "file")
            values = words.plural(len(self.differences), "value")
            lines.append(f"not identical: {files} altered, {values} not the same; {checked}.")
        if self.unproven:
            lines.append(f"As packed, but not computed anew: {', '.join(self.unproven)}.")
        if self.other_versions:
            lines.append(f"Other versions here than those that made it: {', '.join(self.other_versions)}.")
        return "\n".join([*lines, f"SHA-256 of its manifest: {self.manifest_sha256}"])


def verify(path: str | Path) -> Verification:
    """Check every file of a bundle, make its tables anew in memory, ask every question again, and compare.

    Nothing in it is run: the statements are compared, not executed. Raises WorkbookError, one sentence, when it is no
    bundle, or one that was built to do harm.
    """
    bundle = Path(path)
    with tempfile.TemporaryDirectory(prefix="workbook-verify-") as folder:
        root = Path(folder)
        names = parcel.unpack(bundle, root)
        try:
            said = manifest.read(root)
            listed = _listed(said, names)
            altered = [one["name"] for one in said.files if not _as_packed(root, one)]
            texts, numbers = _computed(root, said, bool(altered))
        except WorkbookError as error:
            raise parcel.refused(bundle, error.message.rstrip(".")) from error
        found = [one for name, text in texts.items() for one in _differ(root, name, text)]
        return Verification(
            bundle,
            parcel.sha256(root / parcel.MANIFEST),
            len(said.results),
            numbers,
            tuple(sorted(altered)),
            tuple(found),
            tuple(_other_versions(said)),
            tuple(sorted(listed - set(texts) - {one.file for one in said.tables} - set(altered))),
        )


def _listed(said: manifest.Manifest, names: list[str]) -> set[str]:
    """The names of the files; WorkbookError where the manifest and the zip do not hold the same."""
    listed = [one["name"] for one in said.files]
    if sorted([*listed, parcel.MANIFEST]) != sorted(names):
        raise WorkbookError("the manifest does not list the files that are in it.")
    wanted = {one.file for one in said.tables} | {
        f"{one['file']}{ending}" for one in said.results for ending in (".json", ".csv", ".sql")
    }
    stems = answers.stems([one["name"] for one in said.results])
    files = [f"{answers.FOLDER}/{stem}" for stem in stems]
    tables_listed = {name for name in listed if name.startswith(f"{tables.FOLDER}/")}
    if not wanted <= set(listed) or [one["file"] for one in said.results] != files:
        raise WorkbookError("the manifest names results or tables that are not in it.")
    if tables_listed != {one.file for one in said.tables} or len(said.tables) != len(tables_listed):
        raise WorkbookError("the manifest does not list its tables once each.")
    return set(listed)


def _as_packed(root: Path, one: dict[str, Any]) -> bool:
    path = root / one["name"]
    return path.stat().st_size == one["bytes"] and parcel.sha256(path) == one["sha256"]


def _computed(root: Path, said: manifest.Manifest, altered: bool) -> tuple[dict[str, str], int]:
    """The text of every file that is computed, and how many numbers the results hold."""
    asked = [answers.Asked(one["name"], one["window"], one["parameters"]) for one in said.results]
    with tables.rebuilt(root, said.tables) as (workbook, database):
        results = answers.ask(workbook, asked)
        again = manifest.sources(workbook.sources())
        opening = tables.opening(database, said.tables)
    texts = answers.texts(results)
    texts[tables.OPEN] = opening
    texts["README.txt"] = readme.text(said)
    if again != said.sources and not altered:
        raise WorkbookError("the manifest lists other original files than the table sources.")
    return texts, sum(numbers_in(answers.content(one)) for one in results)


def _differ(root: Path, name: str, text: str) -> list[Difference]:
    """Where a file in the bundle is not the text that was computed: by value in JSON, by line elsewhere."""
    stored = (root / name).read_bytes()
    if stored == text.encode("utf-8", "backslashreplace"):
        return []
    stem = name.removeprefix(f"{answers.FOLDER}/")
    if name.endswith(".json"):
        try:
            found = list(differences(json.loads(stored), json.loads(text), stem.removesuffix(".json")))
        except (ValueError, RecursionError):
            found = []
        if found:
            return found
    lines, computed = stored.decode("utf-8", "replace").split("\n"), text.split("\n")
    pairs = enumerate(zip(lines, computed, strict=False), 1)
    place, pair = next(
        ((place, pair) for place, pair in pairs if pair[0] != pair[1]),
        (min(len(lines), len(computed)) + 1, (f"{len(lines):,} lines", f"{len(computed):,} lines")),
    )
    return [Difference(f"{stem}, line {place}", *pair)]


def _other_versions(said: manifest.Manifest) -> list[str]:
    here = manifest.versions()
    differing = [(name, made) for name, made in sorted(said.made_by.items()) if here.get(name) != made]
    return [
        f"{words.line(name)} {here.get(name, 'missing')} (made with {words.line(made)})"
        for name, made in differing
    ]
