"""`kanhu homes score`: a home of one's own, scored on what the database holds of it, and recorded homes."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import kanhu_app
from edge_gateway.errors import Misconfigured
from edge_gateway.events import Event, Reading, Readings
from edge_gateway.settings import Settings
from ingest.embedded import EmbeddedSink
from operations.homes import own
from operations.homes.simulate import DAY_NS
from tests.operations.test_homes_score import FIRST_NS, a_home

HOUR_NS = DAY_NS // 24
DAYS = 22
REGISTRY = """
[sites.wutong]
name = "梧桐"
zone = "Asia/Shanghai"

[[devices]]
site = "wutong"
id = "home-7"
place = "3-201"
model = "elder_home"
measures = ["motion.kitchen"]

[[homes]]
site = "wutong"
place = "3-201"
"""


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of a home in the embedded database, up to last midnight in its zone, and another home beside it."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "registry.toml").write_text(REGISTRY, encoding="utf-8")
    file = folder / "kanhu.toml"
    file.write_text(f'data_dir = "{folder}"\nregistry = "{folder / "registry.toml"}"\n', encoding="utf-8")
    now_ns = time.time_ns()
    midnight_ns = (now_ns + 8 * HOUR_NS) // DAY_NS * DAY_NS - 8 * HOUR_NS
    by_ns = midnight_ns - DAYS * DAY_NS - FIRST_NS
    entries: list[Readings | Event] = []
    for number, one in enumerate(a_home(DAYS).seen):
        at_ns, value = one.time_ns + by_ns, [Reading(one.name, one.value, 1)]
        entries.append(Readings.of("wutong", "home-7", "3-201", 1, number, at_ns, at_ns, "ntp", 0, None, value))
    told = [Reading("cancel", 1.0, 1)]
    entries.append(Event("wutong", "home-7", "3-201", 1, 900_001, midnight_ns, midnight_ns, "ntp", 0, None, "cancel", told))
    silent = [Reading("motion.kitchen", None, 9)]
    entries.append(Readings.of("wutong", "home-7", "3-201", 1, 900_002, midnight_ns, midnight_ns, "ntp", 0, None, silent))
    beside = [Reading("motion.kitchen", 1.0, 1)]
    entries.append(Readings.of("wutong", "home-8", "3-202", 1, 1, midnight_ns, midnight_ns, "ntp", 0, None, beside))
    sink = EmbeddedSink(Settings(data_dir=folder).readings_file)
    assert sink.write(entries) == []
    sink.close()
    return file


def run(*arguments: str) -> Result:
    return CliRunner().invoke(kanhu_app.app, ["homes", "score", *arguments])


def test_what_the_database_holds_of_a_home_is_what_its_sensors_said(settings_file: Path) -> None:
    found = own.read(Settings(data_dir=settings_file.parent), "wutong", "3-201", time.time_ns())
    told = [one for one in found.seen if one.value is not None and one.name != "cancel"]
    assert [(one.name, one.value) for one in told] == [(one.name, one.value) for one in a_home(DAYS).seen]
    assert {one.device for one in found.seen} == {"home-7"}
    assert [one.event for one in found.seen if one.name == "cancel"] == [True]
    assert [one.flag for one in found.seen if one.value is None] == [9]
    assert not found.labelled


def test_a_home_of_ones_own_is_scored_on_its_own_past_and_the_model_says_what_it_learned(settings_file: Path) -> None:
    result = run("3-201", "--falls", "3", "-s", str(settings_file))
    assert result.exit_code == 0, result.output
    assert "wutong/3-201: learned from 14 days scored on 7" in result.output
    assert "as recorded; falls" in result.output
    assert "Quiet since 09:00: asks at 13:00." in result.output
    assert "model = true in this home's [[homes]]" in result.output or "leave the model off" in result.output


def test_the_score_comes_as_json_too(settings_file: Path) -> None:
    result = run("3-201", "--falls", "1", "--json", "-s", str(settings_file))
    found = json.loads(result.output[result.output.index("{") :])
    assert found["seed"] == 1
    assert {run["way"] for run in found["runs"]} >= {"fixed 12 h", "personal", "model"}
    assert all(run["home"] == "3-201" for run in found["runs"])


def test_a_home_that_is_not_registered_or_was_never_heard_is_named(settings_file: Path) -> None:
    unknown = run("3-999", "-s", str(settings_file))
    assert isinstance(unknown.exception, Misconfigured)
    assert "it has 3-201" in str(unknown.exception)
    with pytest.raises(Misconfigured, match="nothing of wutong/9-9"):
        own.read(Settings(data_dir=settings_file.parent), "wutong", "9-9", time.time_ns())


def test_without_recorded_homes_it_says_where_they_have_to_be(tmp_path: Path) -> None:
    result = run("--data", str(tmp_path))
    assert isinstance(result.exception, Misconfigured)
    assert "no recorded home is in" in str(result.exception)
