"""Every suite of `both/` again, in real MicroPython with the heap of a plain ESP32."""

import ast
import os
import subprocess
from pathlib import Path

import pytest

from tests.firmware.conftest import FIRMWARE

BOTH = Path(__file__).parent / "both"
# Loading a suite's source and its test data costs heap that a device never spends.
HEAP = "192wK"


def names(suite: Path) -> list[str]:
    tree = ast.parse(suite.read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


@pytest.mark.parametrize("suite", sorted(BOTH.glob("test_*.py")), ids=lambda path: path.stem)
def test_the_suite_passes_under_micropython(suite: Path, micropython: str, tmp_path: Path) -> None:
    wanted = names(suite)
    assert wanted, f"{suite.name} has no tests"
    done = subprocess.run(
        [micropython, "-X", f"heapsize={HEAP}", str(BOTH / "run_suite.py"), suite.stem, *wanted],
        env={**os.environ, "MICROPYPATH": f"{BOTH}:{FIRMWARE}:.frozen", "KANHU_TEST_FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.count("PASSED ") == len(wanted), done.stdout[-2000:]
