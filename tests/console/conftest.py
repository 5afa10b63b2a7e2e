"""A real Chromium for all tests of the console; without one they are skipped, in CI they fail."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.console.staff import ConsoleProcess, Village

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


def find_driver() -> None:
    """Make Playwright's own Node start: a small Debian lacks a library of it, which scripts/servers.sh has unpacked."""
    try:
        ctypes.CDLL("libatomic.so.1")
    except OSError:
        own = Path(__file__).resolve().parents[2] / ".cache/servers/chromium/driver"
        if not (own / "libatomic.so.1").exists():
            message = "Playwright's Node needs libatomic.so.1: apt-get install libatomic1"
            pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
        os.environ["LD_LIBRARY_PATH"] = str(own)


def find_chromium() -> str:
    """Its path: on PATH, or unpacked by scripts/servers.sh. To be asked before Playwright is started."""
    own = Path(__file__).resolve().parents[2] / ".cache/servers/bin/chromium"
    find_driver()
    found = shutil.which("chromium") or (str(own) if own.exists() else "")
    if not found:
        message = "no chromium: run scripts/servers.sh chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a file; each test takes a context of its own."""
    program = find_chromium()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=_FLAGS.split())
        yield found
        found.close()


@pytest.fixture(scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    folder = tmp_path_factory.mktemp("console")
    with Village(folder / "var") as village, ConsoleProcess(folder, village) as found:
        yield found


@pytest.fixture
def console(_served: ConsoleProcess) -> ConsoleProcess:
    """`kanhu console` on a ledger with a day of visits; accounts: `admin`, `anna`, `eve` (staff), `ben` (one place), `tom`."""
    _served.village.anew()
    return _served
