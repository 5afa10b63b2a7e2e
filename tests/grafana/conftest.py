"""Databases filled with the story, one for each kind of server and session."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_gateway.settings import Settings
from ingest.setup import setup
from ingest.tokens import in_role
from tests.databases import TOKEN, Database
from tests.grafana import seed
from tests.grafana.asking import Asked
from tests.grafana.seed import Seed

KINDS = ("influxdb1", "influxdb2")


@pytest.fixture(scope="session")
def told(data: Path) -> Seed:
    """What the gateway stored in the story."""
    return seed.story(data)


@pytest.fixture(scope="session")
def database_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Settings]:
    """Makes an empty database of a kind, set up as `kanhu ingest setup` does it."""

    def made(kind: str) -> Settings:
        server = request.getfixturevalue(f"{kind}_server")
        server.start()
        database: Database = server.database()
        folder = tmp_path_factory.mktemp("grafana")
        token_file = folder / "secrets" / "influx.token" if kind == "influxdb2" else None
        settings = Settings(data_dir=folder, influx=database.settings(token_file=token_file, timeout_s=120.0))
        setup(settings, admin_token=TOKEN if kind == "influxdb2" else "", retention_days=0)
        return settings

    return made


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Every server that speaks InfluxQL here."""
    return str(request.param)


@pytest.fixture(scope="session")
def filled(kind: str, database_of: Callable[[str], Settings], told: Seed) -> Asked:
    """A database with all of the story, as Grafana reaches it."""
    settings = database_of(kind)
    seed.load(told, settings.influx, settings.data_dir)
    return reached(settings)


@pytest.fixture(scope="session")
def empty(kind: str, database_of: Callable[[str], Settings]) -> Asked:
    """A database into which nothing was ever written."""
    return reached(database_of(kind))


@pytest.fixture(scope="session")
def lacking(kind: str, database_of: Callable[[str], Settings], told: Seed) -> Asked:
    """A day of the story, in which the gateway said nothing of itself and one home is not there."""
    settings = database_of(kind)
    since_ns = told.end_ns - 26 * 3600 * 10**9
    recent = [entry for entry in told.entries if entry.time_ns >= since_ns]
    seed.load(replace(told, entries=recent), settings.influx, settings.data_dir, without=("kanhu/gateway", "wutong/home-1"))
    return reached(settings)


def reached(settings: Settings) -> Asked:
    """With the token that set-up made for readers, where there are tokens."""
    token_file = in_role(settings, "reader").token_file
    headers = {"Authorization": f"Token {token_file.read_text().strip()}"} if token_file else {}
    return Asked(settings.influx.url, settings.influx.bucket, headers)
