"""A real MicroPython for the firmware's tests, and the paths on which the firmware finds itself under CPython."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"

# The firmware imports itself as `app`, on a device and here; `sim` lends CPython what only MicroPython's modules have.
for folder in (FIRMWARE, ROOT / "tests" / "firmware" / "both"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from firmware.sim import cpython  # noqa: E402

cpython.lend()

Run = Callable[..., subprocess.CompletedProcess[str]]


def find_micropython() -> str | None:
    """`MICROPYTHON`, else one on PATH, else the one that `scripts/servers.sh` unpacked."""
    unpacked = ROOT / ".cache" / "servers" / "bin" / "micropython"
    return os.environ.get("MICROPYTHON") or shutil.which("micropython") or (str(unpacked) if unpacked.is_file() else None)


@pytest.fixture(scope="session")
def micropython() -> str:
    """Path of the interpreter; without one a skip, in CI a failure."""
    found = find_micropython()
    if found is None:
        message = "no micropython: run scripts/servers.sh micropython, or set MICROPYTHON"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return found


@pytest.fixture(scope="session")
def upy(micropython: str) -> Run:
    """Run code in a fresh MicroPython with the heap of a plain ESP32 (`w`: in words, so that 64 bits are no handicap)."""

    def run(
        code: str, *argv: str, path: Sequence[Path | str] = (), heap: str = "112wK", timeout: float = 30, **env: Any
    ) -> subprocess.CompletedProcess[str]:
        places = [*map(str, path), str(FIRMWARE), ".frozen"]
        return subprocess.run(
            [micropython, "-X", f"heapsize={heap}", "-c", code, *argv],
            env={**os.environ, "MICROPYPATH": ":".join(places), **env},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture(scope="session")
def pseudo_terminals() -> None:
    """Some containers have no /dev/pts: then a skip, in CI a failure."""
    try:
        for end in os.openpty():
            os.close(end)
    except OSError as error:
        message = f"no pseudo-terminals here ({error}): mount devpts at /dev/pts"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
