"""A real JupyterLab and a real Chromium, with everything outside of this machine cut off and counted."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbook import lab

ROOT = Path(__file__).parents[2]


def chromium() -> str:
    """The browser's path; without one the tests are skipped, but where WORKBOOK_BROWSER is "required" they fail."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("WORKBOOK_BROWSER") != "required":
        pytest.skip("no Chromium here: apt-get install chromium")
    assert found, "no Chromium: apt-get install chromium"
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield opened
        opened.close()


class Page:
    """A page whose requests to other machines are refused and listed in ``outside``; ``errors`` are the console's."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(viewport={"width": 1300, "height": 1000}, **options)
        self.page = self.context.new_page()
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.page.route("**/*", self._only_here)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _only_here(self, route) -> None:
        url = route.request.url
        if url.startswith(("http://127.0.0.1", "http://localhost", "data:", "blob:", "file:")):
            route.continue_()
        else:
            self.outside.append(url)
            route.abort()


@pytest.fixture
def open_page(browser) -> Iterator[object]:
    """Open a Page; options such as ``timezone_id`` go to the browser's context."""
    opened: list[Page] = []

    def make(**options) -> Page:
        opened.append(Page(browser, **options))
        return opened[-1]

    yield make
    for page in opened:
        page.context.close()


@pytest.fixture(scope="session")
def jupyter() -> Iterator[str]:
    """The address of a JupyterLab that runs on copies of the notebooks and the sample data."""
    folder = Path(tempfile.mkdtemp(prefix="workbook browser "))
    root = lab.prepare(folder, [])
    settings = folder / "settings"
    settings.mkdir()
    (settings / "overrides.json").write_text(json.dumps(lab._QUIET))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = lab.command(root, str(settings), browser=False, port=port)
    command += [
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
        "--ServerApp.ip=127.0.0.1",
    ]
    log = (folder / "lab.log").open("w")
    server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, folder / "lab.log")
        yield address
    finally:
        server.terminate()
        server.wait(20)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(address: str, log: Path) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"{address}/api", timeout=1):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
