"""``workbook lab``: JupyterLab on the notebooks, with no network, wherever the package was installed from."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from workbook.errors import UsageError

FOLDER = "workbook-notebooks"
DATABASE = Path("workbook.duckdb")
_PACKAGE = Path(__file__).parent
# JupyterLab would ask its makers for news and updates.
_QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


def run(paths: list[str], *, browser: bool = True, port: int | None = None) -> int:
    """Start JupyterLab on the notebooks and wait until it ends; return its exit status.

    In a checkout without paths these are its own notebooks; otherwise copies in ``workbook-notebooks`` here, which are
    made once and never overwritten. Their parameters are set to the paths, or to ``workbook.duckdb`` where there is one
    here and no path is given, so that they read those instead of the sample data.
    """
    root = prepare(Path.cwd(), paths)
    print(f"workbook: the notebooks are in {root / 'notebooks'}; Ctrl-C ends JupyterLab", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="workbook-lab-") as settings:
        Path(settings, "overrides.json").write_text(json.dumps(_QUIET), encoding="utf-8")
        server = subprocess.Popen(command(root, settings, browser=browser, port=port))
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        with contextlib.suppress(KeyboardInterrupt):
            return server.wait()
        server.wait()
    return 0


def command(root: Path, settings: str, *, browser: bool, port: int | None) -> list[str]:
    """Return the command that starts JupyterLab on a folder with ``notebooks/start_here.ipynb``."""
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={root}",
        f"--LabApp.app_settings_dir={settings}",
        "--LabApp.default_url=/lab/tree/notebooks/start_here.ipynb",
        "--LabApp.extension_manager=readonly",
        *([] if browser else ["--no-browser"]),
        *([] if port is None else [f"--port={port}"]),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


def prepare(here: Path, paths: list[str]) -> Path:
    """Return the folder that holds ``notebooks/`` and ``sample_data/``, made here when there is none."""
    for path in paths:
        if not Path(path).exists():
            raise UsageError(f"{path}: there is no such file or folder.", next_step="Check the name.")
    source = _source()
    kept = here / "workbook.duckdb"
    if not paths and not kept.exists() and (here / "notebooks" / "start_here.ipynb").exists():
        return here
    root = here / FOLDER
    for name in ("notebooks", "sample_data"):
        for file in sorted(path for path in (source / name).rglob("*") if path.is_file()):
            target = root / name / file.relative_to(source / name)
            if not target.exists() and "__pycache__" not in file.parts:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
    if paths or kept.exists():
        read: dict[str, object] = {"exports": [str(Path(path).resolve()) for path in paths]}
        read["database"] = None if paths else str(kept.resolve())
        for notebook in sorted((source / "notebooks").glob("*.ipynb")):
            set_parameters(root / "notebooks" / notebook.name, **read)
    return root


def set_parameters(notebook: Path, **values: object) -> None:
    """Write values into the assignments of the notebook's cell that is tagged ``parameters``."""
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(
            f"{notebook} is no notebook any more ({error}).", next_step="Move it away: it is made anew."
        ) from error
    for cell in content["cells"]:
        if "parameters" in cell.get("metadata", {}).get("tags", []):
            cell["source"] = assigned("".join(cell["source"]), values)
    notebook.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def assigned(source: str, values: dict[str, object]) -> str:
    """Return the source of a cell with the values in its assignments, one a line."""
    return "\n".join(_assigned(line, values) for line in source.splitlines())


def notebooks() -> Path:
    """Return the folder of the notebooks that came with the package."""
    return _source() / "notebooks"


def _assigned(line: str, values: dict[str, object]) -> str:
    name = line.partition("=")[0].strip()
    return f"{name} = {values[name]!r}" if name in values else line


def _source() -> Path:
    """The folder with the notebooks: inside the installed package, or the checkout around it."""
    installed, checkout = _PACKAGE / "share", _PACKAGE.parent
    source = installed if (installed / "notebooks").is_dir() else checkout
    if not (source / "notebooks" / "start_here.ipynb").exists():
        raise UsageError("the notebooks are not installed.", next_step="Install the package again.")
    return source
