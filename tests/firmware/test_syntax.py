"""Every file of the firmware is MicroPython: its own compiler reads it."""

import subprocess
from pathlib import Path

import pytest

from tests.firmware.conftest import FIRMWARE

FILES = sorted(
    [*(FIRMWARE / "app").rglob("*.py"), *(FIRMWARE / "sim" / "port").rglob("*.py"), *(FIRMWARE / "sim").glob("flash*.py")]
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FIRMWARE)))
def test_micropython_compiles_it(file: Path, micropython: str) -> None:
    done = subprocess.run([micropython, "-X", "compile-only", str(file)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FIRMWARE)))
def test_a_file_is_no_longer_than_a_reader_can_hold_in_mind(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").count("\n")
    assert lines <= 450, f"{lines} lines"
