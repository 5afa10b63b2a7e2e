"""The one door to the gateway: who may ask what, written down before it is asked; without a web server."""

from pathlib import Path
from typing import Any

import pytest

from dashboards.console import reach as door
from dashboards.console.access import Session
from dashboards.console.audit import Audit
from dashboards.console.reach import COMMANDS, Reach
from dashboards.console.roles import Forbidden, Role
from dashboards.console.store import Store
from dashboards.console.users import User
from edge_gateway.errors import Unavailable
from edge_gateway.settings import Settings


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What reached the gateway."""
    found: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(door.commands, "call", lambda path, command, timeout_s, **given: found.append((command, given)))
    return found


def session(role: Role, *places: str) -> Session:
    return Session(b"key", User("anna", role, places), "csrf", "192.0.2.1")


def reach(folder: Path) -> tuple[Reach, Audit]:
    settings = Settings(data_dir=folder / "var", registry=folder / "registry.toml")
    audit = Audit(Store(folder / "console.db"))
    return Reach(settings, audit), audit


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.STAFF, Role.ADMIN)])
async def test_only_staff_may_ask_for_a_change(tmp_path: Path, asked: list[Any], role: Role) -> None:
    there, _ = reach(tmp_path)
    for command in COMMANDS:
        with pytest.raises(Forbidden):
            await there.call(session(role, "*"), command, site="yunhe")
    assert not asked


async def test_staff_reach_their_own_places_only(tmp_path: Path, asked: list[Any]) -> None:
    there, _ = reach(tmp_path)
    anna = session(Role.STAFF, "yunhe/w3-201")
    for where in ({"site": "yunhe", "place": "w3-202"}, {"site": "yunhe"}, {"site": "other", "place": "w3-201"}):
        with pytest.raises(Forbidden):
            await there.call(anna, "visits.decide", **where, visit="v", action="decline", reason="no")
    with pytest.raises(Forbidden):
        await there.call(anna, "people.reveal", site="yunhe", place="w3-201", ids=["e-1"], why="curious")
    assert not asked
    await there.call(anna, "visits.decide", site="yunhe", place="w3-201", visit="v", action="decline", reason="no")
    assert [(command, given["by"]) for command, given in asked] == [("visits.decide", "anna")]


async def test_what_cannot_be_written_down_is_not_asked(
    tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, audit = reach(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise Unavailable("console.db: database or disk is full")

    monkeypatch.setattr(audit, "write", full)
    anna = session(Role.STAFF, "yunhe")
    with pytest.raises(Unavailable):
        await there.call(anna, "visits.decide", site="yunhe", visit="v", action="approve", reason="looked")
    with pytest.raises(Unavailable):
        await there.names(anna, ["e-1"], "yunhe", "ledger")
    assert not asked


def test_the_registry_is_read_anew_only_when_its_file_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, _ = reach(tmp_path)
    assert not there.registry().sites
    reads: list[Path] = []
    load = door.registry.load
    monkeypatch.setattr(door.registry, "load", lambda path: (reads.append(path), load(path))[1])
    file = tmp_path / "registry.toml"
    file.write_text("[sites.yunhe]\n")
    assert [list(there.registry().sites) for _ in range(3)] == [["yunhe"]] * 3
    assert len(reads) == 1
    file.write_text("[sites.yunhe]\n[sites.other]\n")
    assert len(there.registry().sites) == 2
    file.write_text("[sites.")
    assert not there.registry().sites
    file.unlink()
    assert not there.registry().sites
