"""The power cut: a library that keeps, beside a data folder, what of it was synced; see `fsync_shadow.c`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("fsync_shadow.c")


def build(tmp: Path) -> Path:
    """Compile the library into `tmp`; without a C compiler the test is skipped, in CI it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        message = "no C compiler for the power-cut library; install gcc"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    so = tmp / "fsync_shadow.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o", str(so), str(SOURCE), "-ldl", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return so


def environment(so: Path, shadow_dir: Path, data_dir: Path | None = None) -> dict[str, str]:
    """The environment of a process whose synced files directly in `data_dir` (None: in any folder) are copied to `shadow_dir`.

    A file written before the process began is not in the shadow: copy it there, closed, first.
    """
    shadow_dir.mkdir(parents=True, exist_ok=True)
    follow = {} if data_dir is None else {"SHADOW_OF": str(data_dir.resolve())}
    return {**os.environ, "LD_PRELOAD": str(so), "SHADOW": str(shadow_dir.resolve()), **follow}
