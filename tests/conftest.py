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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What mostly waits, for minutes, begins first: at the end one process would wait for it alone."""

    def waits(item: pytest.Item) -> bool:
        marker = item.get_closest_marker("timeout")
        return marker is not None and bool(marker.args) and marker.args[0] > 600

    items.sort(key=lambda item: not waits(item))
