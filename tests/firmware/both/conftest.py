"""Under CPython these suites are ordinary tests, with a folder of their own to write in."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "KANHU_TEST_FOLDER", str(tmp_path))
