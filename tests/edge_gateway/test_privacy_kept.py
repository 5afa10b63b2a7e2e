"""What is kept is kept for its time, and of a home whose person does not agree nothing is kept at all."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_gateway.privacy import consent
from edge_gateway.privacy.retention import DAY_NS
from edge_gateway.rules import Finding, Severity
from edge_gateway.settings import Privacy, Visits
from edge_gateway.visits import cut
from tests.edge_gateway.visits_world import World, at
from tests.home_gateway import HOUR, HomeGateway

REGISTRY = """
[sites.s]
[[devices]]
site = "s"
id = "box-1"
place = "home-1"
model = "elder_home"
silence_s = 0
[[devices]]
site = "s"
id = "box-2"
place = "home-2"
model = "elder_home"
silence_s = 0
"""
NOW_NS = 1_795_000_000 * 10**9


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[HomeGateway]:
    with HomeGateway(tmp_path, REGISTRY, NOW_NS) as found:
        yield found


def rows(gateway: HomeGateway, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(gateway.settings.store_file)) as db:
        return db.execute(query).fetchall()


def total(gateway: HomeGateway, name: str) -> int:
    return gateway.gateway.totals().get(name, 0)


def test_alerts_logs_letters_and_held_messages_go_when_their_time_is_over_and_an_open_alert_never(gateway: HomeGateway) -> None:
    for device, place in (("box-1", "home-1"), ("box-2", "home-2")):
        gateway.say(f"s/{device}", "sos", True, event=True)
        gateway.call("homes.away", site="s", place=place, kind="out", by="li")
    (closed, _) = [alert.id for alert in gateway.gateway.desk.book.open_alerts()]
    gateway.call("alerts.close", id=closed, by="li", reason="test")
    gateway.do(lambda: gateway._take("kanhu/1/s/stranger/up/data", b"[]"))
    gateway.do(lambda: gateway._take("kanhu/1/s/box-1/up/data", b"nonsense"))
    folder = gateway.settings.data_dir
    for name, age_d in (("gateway.db.damaged-1", 31), ("readings.db.damaged-2", 29)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, ns=(NOW_NS, NOW_NS - age_d * DAY_NS))
    tables = {table: f"SELECT count(*) FROM {table}" for table in ("alert", "home_log", "held", "dead_letter")}

    def after(days: int) -> dict[str, object]:
        gateway.now_ns = NOW_NS + days * DAY_NS
        gateway.do(gateway.gateway.housekeeping.retention.run)
        return {table: rows(gateway, query)[0][0] for table, query in tables.items()}

    begun = after(0)
    assert begun == {"alert": 2, "home_log": begun["home_log"], "held": 1, "dead_letter": 1} and begun["home_log"]
    assert sorted(f.name for f in folder.glob("*.damaged-*")) == ["readings.db.damaged-2"]
    assert after(29) == begun
    assert after(31) == {**begun, "held": 0}
    assert after(91) == {**begun, "held": 0, "dead_letter": 0}
    assert after(401) == {"alert": 1, "home_log": 0, "held": 0, "dead_letter": 0}
    assert [alert.id for alert in gateway.gateway.desk.book.open_alerts()] != [closed]
    counted = {name: total(gateway, name) for name in ("alerts_expired", "held_expired", "dead_letters_expired")}
    assert counted == {"alerts_expired": 1, "held_expired": 1, "dead_letters_expired": 1}
    assert dict(rows(gateway, "SELECT what, rows FROM size"))["held"] == 0  # type: ignore[arg-type]
    assert not list(folder.glob("*.damaged-*"))


def test_the_ledger_of_visits_is_cut_part_by_part_where_its_time_is_set(
    gateway: HomeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "ledger")
    card = world.card("k-1")
    world.plan()
    for clock in ("11:05", "11:20", "11:40"):
        world.take(world.tap(world.read(card), clock))

    class Parts:
        ledger = world.ledger

    async def do(job: Callable[[type[Parts]], object]) -> object:
        return job(Parts)

    def after(days: int, kept: int) -> int:
        live = gateway.gateway
        changes = {"privacy": Privacy(visit_days=kept), "visits": Visits(enabled=True)}
        monkeypatch.setattr(live, "settings", live.settings.model_copy(update=changes))
        gateway.now_ns = world.now_ns = at("12:00") + days * DAY_NS
        gateway.do(live.housekeeping.retention.run)
        return len(world.visits())

    monkeypatch.setattr(gateway.gateway.visits, "do", do)
    monkeypatch.setattr(cut, "AT_ONCE", 3)
    assert (after(200, 0), after(90, 100)) == (1, 1)
    assert after(102, 100) == 0
    assert world.kinds() == ["visit", "cut", "cut", "cut"], "the link that holds the rest, and what each part took"
    assert after(102, 100) == 0 and len(world.kinds()) == 4
    world.close()


def test_a_clock_that_jumps_ahead_deletes_nothing_for_a_day(gateway: HomeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.say("s/box-1", "sos", True, event=True)
    (alert,) = gateway.gateway.desk.book.open_alerts()
    gateway.call("alerts.close", id=alert.id, by="li", reason="test")
    keeper, monotonic = gateway.gateway.housekeeping.retention, [time.monotonic()]
    monkeypatch.setattr("edge_gateway.privacy.retention.time", SimpleNamespace(monotonic=lambda: monotonic[0]))

    def after(wall_ns: int, hours: float) -> int:
        gateway.now_ns += wall_ns
        monotonic[0] += hours * 3600
        gateway.do(keeper.tick)
        return len(rows(gateway, "SELECT 1 FROM alert WHERE open = 0"))

    assert after(0, 0) == 1
    assert after(2000 * DAY_NS, 1) == 1, "somebody set the clock"
    assert "jumped ahead" in gateway.gateway.troubles.now["retention"]
    assert after(22 * HOUR, 22) == 1
    assert after(3 * HOUR, 3) == 0, "nobody set it back"
    assert "retention" not in gateway.gateway.troubles.now


def test_an_open_alert_about_many_homes_does_not_bring_the_name_of_an_erased_one_back(gateway: HomeGateway) -> None:
    desk = gateway.gateway.desk
    told = "2 homes are quiet: home-1, home-2"
    many = Finding("silence/s", "silence", Severity.WARNING, "s", "", "", NOW_NS, told, told, ("12:00 home-1", "12:00 home-2"))
    gateway.say("s/box-1", "motion", True)
    gateway.do(lambda: desk.book.apply([many], gateway.now_ns))
    gateway.tick()
    gateway.settings.registry.write_text(REGISTRY.replace("home-1", "home-3").replace("box-1", "box-3"))
    erased = {"site": "s", "place": "home-1", "devices": ["box-1"], "by": "li", "reason": "home-1 moved"}
    gateway.call("privacy.erase", **erased)
    (alert,) = desk.book.open_alerts()
    gateway.call("alerts.accept", id=alert.id, by="li")
    assert alert.text_zh == "2 homes are quiet: (erased), home-2" and alert.evidence == ["12:00 (erased)", "12:00 home-2"]
    for table in ("alert", "home", "outbox"):
        assert not any(b"home-1" in body for (body,) in rows(gateway, f"SELECT body FROM {table}")), table  # type: ignore[operator]


def stored(gateway: HomeGateway, place: str) -> int:
    """Readings in the outbox that tell of a home."""
    from edge_gateway.events import Readings, unpack

    found = [entry for (body,) in rows(gateway, "SELECT body FROM outbox") for entry in unpack(body)]  # type: ignore[arg-type]
    return sum(isinstance(entry, Readings) and entry.place == place for entry in found)


def test_from_the_moment_in_which_somebody_no_longer_agrees_nothing_of_the_home_is_kept(gateway: HomeGateway) -> None:
    told = {"site": "s", "place": "home-1", "version": "3", "date": "2026-11-20", "by": "li"}
    gateway.say("s/box-1", "motion", True)
    gateway.call("homes.consent", given=False, **told)
    memory = gateway.gateway.desk.homes.homes["s", "home-1"]
    life = memory.life_ns
    for n in range(3):
        gateway.say("s/box-1", "motion", True, NOW_NS + n * HOUR)
        gateway.say("s/box-2", "motion", True, NOW_NS + n * HOUR)
    gateway.say("s/box-1", "uptime", 90.0)
    assert (stored(gateway, "home-1"), stored(gateway, "home-2")) == (2, 3), "the motion before, and how the device is"
    assert total(gateway, "entries_no_consent") == 3
    assert memory.life_ns == life
    # Two silent days are nobody's alarm there; who presses is heard all the same.
    gateway.now_ns += 48 * HOUR
    gateway.tick()
    places = {alert.place for alert in gateway.gateway.desk.book.open_alerts() if alert.rule == "inactivity"}
    assert "home-1" not in places
    gateway.say("s/box-1", "sos", True, event=True)
    assert ("sos", "home-1") in {(alert.rule, alert.place) for alert in gateway.gateway.desk.book.open_alerts()}
    gateway.call("homes.consent", given=True, **told)
    gateway.say("s/box-1", "motion", True)
    assert stored(gateway, "home-1") == 3


def test_where_consent_is_required_a_home_without_one_is_not_watched_either(tmp_path: Path) -> None:
    with HomeGateway(tmp_path, REGISTRY, NOW_NS) as gateway:
        gateway.gateway.desk.homes.consent_required = True
        gateway.say("s/box-1", "motion", True)
        assert (stored(gateway, "home-1"), total(gateway, "entries_no_consent")) == (0, 1)
        gateway.call("homes.consent", site="s", place="home-1", version="3", date="2026-11-20", given=True, by="li")
        gateway.say("s/box-1", "motion", True)
        gateway.say("s/box-2", "motion", True)
        assert (stored(gateway, "home-1"), stored(gateway, "home-2")) == (1, 0)


@pytest.mark.parametrize("event", [False, True], ids=["readings", "events"])
@pytest.mark.parametrize("kind", ["smoke.kitchen", "gas.kitchen", "leak.bath", "sos"])
def test_without_consent_an_alarm_is_heard_wherever_it_stands_and_what_stands_beside_it_is_not_kept(
    tmp_path: Path, kind: str, event: bool
) -> None:
    with HomeGateway(tmp_path, REGISTRY, NOW_NS) as gateway:
        gateway.gateway.desk.homes.consent_required = True
        names = (kind, "motion.hall", "temperature") if event else ("temperature", "motion.hall", kind)
        values = {"temperature": 21.0, "motion.hall": True}
        record = {"boot": 1, "seq": 1, "clk": "ntp", "bt": NOW_NS / 1e9}
        items = [{"n": n, "v": values[n], "u": "Cel"} if n == "temperature" else {"n": n, "vb": True} for n in names]
        topic = f"kanhu/1/s/box-1/up/{'event' if event else 'data'}"
        gateway.do(lambda: gateway._take(topic, json.dumps([record | items[0], *items[1:]]).encode()))
        gateway.tick()
        assert [alert.rule for alert in gateway.gateway.desk.book.open_alerts()] == [kind.partition(".")[0]]
        bodies = rows(gateway, "SELECT body FROM outbox") + rows(gateway, "SELECT body FROM device WHERE device = 'box-1'")
        assert not any(b"motion" in body or b"temperature" in body for (body,) in bodies)  # type: ignore[operator]
        assert total(gateway, "entries_no_consent") == 1


@pytest.mark.parametrize(
    ("shape", "tells"),
    [
        ("battery_level=1,rssi=1", False),
        ("smoke=1,cancel=1", False),
        ("smoke=1,motion=1", True),
        ("motion=1,rssi=1", True),
        ("temperature.bedroom=1", True),
        ("no_such=1", True),
    ],
)
def test_what_tells_of_a_person(shape: str, tells: bool) -> None:
    assert consent.watches(shape) is tells
