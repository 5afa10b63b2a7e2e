"""Fixtures that every folder of tests may use; servers are in `tests.servers` and `tests.databases`."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.servers", "tests.databases"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of recorded data (`KANHU_DATA`); missing is a failure in CI and a skip elsewhere."""
    folder = Path(os.environ.get("KANHU_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        message = f"no recorded data at {folder}; set KANHU_DATA"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder
