"""Every database that can be read back, empty and set up as `kanhu ingest setup` does it."""

from pathlib import Path

import pytest

from edge_gateway.settings import Settings
from ingest.setup import setup
from tests.databases import TOKEN, Database

READABLE = ("embedded", "influxdb1", "influxdb2")


@pytest.fixture
def embedded(tmp_path: Path) -> Settings:
    """Settings of an embedded store that does not exist yet."""
    return Settings(data_dir=tmp_path / "var")


@pytest.fixture(params=READABLE)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty database, once for each kind."""
    return made(request, request.param, tmp_path / "var")


@pytest.fixture
def empty(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a second empty database of the same kind as `settings`."""
    return made(request, settings.influx.kind if settings.influx.url else "embedded", tmp_path / "second")


def made(request: pytest.FixtureRequest, kind: str, folder: Path) -> Settings:
    if kind == "embedded":
        return Settings(data_dir=folder)
    server = request.getfixturevalue(f"{kind}_server")
    server.start()
    database: Database = server.database()
    influx = database.settings(token_file=folder / "secrets" / "influx.token" if kind == "influxdb2" else None)
    settings = Settings(data_dir=folder, influx=influx)
    setup(settings, admin_token=TOKEN if kind == "influxdb2" else "", retention_days=0)
    return settings
