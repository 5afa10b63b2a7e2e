"""The ledger in the gateway: nothing lost, nothing twice whatever dies when, nothing private goes out, no SOS waits."""

import asyncio
import json
import logging
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edge_gateway import events
from edge_gateway.alerts import Alert
from edge_gateway.alerts import unpack as unpack_alert
from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.events import Event, VisitChange
from edge_gateway.gateway_commands import handlers
from edge_gateway.service import Gateway
from edge_gateway.settings import Settings
from edge_gateway.store_file import read_only
from edge_gateway.visits import chain, desk, look
from edge_gateway.visits.records import CardRole, State, Visit
from ingest import points
from ingest.sinks import open_sink
from tests.couriers.cards import SITE, Chip, Ring
from tests.edge_gateway.visits_world import DAY, S, at

REGISTRY = f"""
[sites.{SITE}]
[[devices]]
site = "{SITE}"
id = "door-1"
place = "w3-201"
model = "rider_reader"
silence_s = 180
[[devices]]
site = "{SITE}"
id = "home-1"
place = "w3-201"
model = "elder_home"
silence_s = 0
"""
MEAL = f"meal-1/{DAY}"


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes
    packet_id: int | None = 1
    retain: bool = False


class Broker:
    """Remembers what was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged = 0

    def acknowledge(self, packet_ids: Any, generation: int) -> None:
        self.acknowledged += len(packet_ids)

    def pause(self, why: str) -> None:
        pass

    def resume(self, why: str) -> None:
        pass


class Rig:
    """A gateway without a broker: messages are put in, its rounds are made one by one, its clock is moved."""

    def __init__(self, folder: Path, ring: Ring | None = None, now_ns: int | None = None) -> None:
        self.folder = folder
        self.now_ns = now_ns or at("10:00")
        self.ring = ring or Ring(Random(5))
        self.broker = Broker()
        self.seq: dict[str, int] = {}
        self.open()

    def open(self) -> None:
        (self.folder / "registry.toml").write_text(REGISTRY, encoding="utf-8")
        given = {"ballast_mb": 0, "metrics_port": 0}
        settings = Settings(data_dir=self.folder / "var", registry=self.folder / "registry.toml", gateway=given)
        self.g = Gateway(settings, open_sink(settings), lambda: self.now_ns)
        self.g.connected = lambda: True  # type: ignore[method-assign]
        self.g._restore()
        self.call = handlers(self.g)

    async def close(self) -> None:
        await self.g.visits.close()
        await self.g.in_store(self.g.store.close)
        self.g.thread.shutdown(wait=True)
        self.g.sink.close()

    async def do(self, name: str, /, **arguments: Any) -> Any:
        return await self.call[name](arguments)

    async def enrol(self, holder: str, role: CardRole = CardRole.COURIER) -> tuple[str, Chip]:
        chip = self.ring.issue(holder, role)
        keys = {"file": chip.file.hex(), "app3": bytes(16).hex()}
        about = {"kind": "ntag424", "role": role.value, "holder": holder, "key_version": 1, "by": "zhang"}
        found = await self.do("cards.enrol", site=SITE, uid=chip.uid.hex(), keys=keys, meta=chip.meta.hex(), counter=0, **about)
        return found["card"], chip

    async def plan(self, **fields: Any) -> None:
        row = {"id": "meal-1", "place": "w3-201", "person": "e-1", "courier": "k-1", "opens_min": 660, "closes_min": 720}
        await self.do("visits.plan", site=SITE, by="zhang", rows=[row | fields], replace=False)

    def message(self, device: str, name: str, value: dict[str, Any], time_ns: int, *more: dict[str, Any]) -> Message:
        seq = self.seq[device] = self.seq.get(device, 0) + 1
        head = {"boot": 1, "seq": seq, "clk": "ntp", "err": 0.5, "bt": time_ns / S, "n": name, **value}
        return Message(f"kanhu/1/{SITE}/{device}/up/event", json.dumps([head, *more]).encode())

    def tap(self, text: str, time_ns: int) -> Message:
        return self.message("door-1", "tap", {"vs": text}, time_ns, {"n": "proof", "vs": "sun"})

    async def put(self, *messages: Message) -> None:
        self.g.committer.received(self.broker, messages, 1, urgent=True)
        await self.g.committer.settle()

    async def round(self, turns: int = 1) -> None:
        """Rounds of the desk without their pause."""
        for _ in range(turns):
            self.g.visits._clock_at = 0.0
            await asyncio.wait_for(self.g.visits.work(), 60)

    async def until(self, clock: str, day: str = DAY) -> None:
        """The clock goes on, the readers are heard."""
        while self.now_ns < at(clock, day):
            self.now_ns = min(self.now_ns + 60 * S, at(clock, day))
            for known in self.g.pipeline.states.values():
                known.heard_ns = self.now_ns
            self.g.visits._clock_at = 1e18
            await self.g.visits.work()
        await self.round(3)

    def tick(self) -> None:
        self.g.desk.tick(self.g.pipeline.states)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with closing(read_only(self.g.settings.store_file)) as db:
            return db.execute(query).fetchall()

    def entries(self) -> list[events.Entry]:
        return [entry for (body,) in self.ask("SELECT body FROM outbox ORDER BY id") for entry in events.unpack(body)]

    def told(self) -> list[VisitChange]:
        return [entry for entry in self.entries() if isinstance(entry, VisitChange)]

    def alerts(self) -> list[Alert]:
        return [unpack_alert(body) for (body,) in self.ask("SELECT body FROM alert ORDER BY raised_ns")]

    def look(self) -> look.Ledger:
        return look.open_ledger(self.g.settings.visits_file)

    def visit(self, visit_id: str = MEAL) -> Visit:
        with self.look() as ledger:
            found = ledger.visit(visit_id, SITE)
        assert found is not None
        return found


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    await rig.round()
    yield rig
    await rig.close()


async def test_a_tap_goes_from_the_reader_into_the_ledger_and_a_visit_into_the_outbox(rig: Rig) -> None:
    _, chip = await rig.enrol("k-1")
    await rig.plan()
    rig.now_ns = at("11:20") + S
    await rig.put(rig.tap(chip.read(), at("11:20")))
    assert rig.broker.acknowledged == 1 and rig.g.store.taps_queued == 1
    await rig.round(2)
    assert rig.g.store.taps_queued == 0 and rig.g.totals()["taps_counted"] == 1
    assert (rig.visit().state, rig.visit().courier) == (State.ON_TIME, "k-1")
    last = rig.told()[-1]
    assert (last.visit, last.state, last.courier, last.counted) == (MEAL, "on_time", "k-1", True)
    (point,) = points.points(last)
    assert (point.measurement, point.time_ns, dict(point.labels)) == ("visit", at("11:00"), {"kind": "meal"})
    await rig.round()
    assert rig.told()[-1] == last and [change.state for change in rig.told()] == ["planned", "on_time"]


@pytest.mark.parametrize("cut", ["before the ledger", "before the queue", "before the outbox", "before the cursor"])
async def test_the_power_going_between_two_commits_loses_nothing_and_doubles_nothing(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """At the cut both files are copied as the disk has them; another gateway goes on with the copies."""
    _, chip = await rig.enrol("k-1")
    await rig.plan()
    await rig.round(3)
    rig.now_ns = at("11:20") + S
    taps = [rig.tap(chip.read(), at("11:20") + n * 7 * S) for n in range(3)]
    await rig.put(*taps)

    class Cut(BaseException):
        pass

    def go(*_: object) -> Any:
        raise Cut

    target, name = {
        "before the ledger": (desk.Ledger, "take"),
        "before the queue": (rig.g.store, "forget_taps"),
        "before the outbox": (rig.g.committer, "settle"),
        "before the cursor": (desk.Rounds, "told"),
    }[cut]
    monkeypatch.setattr(target, name, go)
    with pytest.raises(Cut):
        await rig.round(2)
    monkeypatch.undo()
    shutil.copytree(tmp_path / "var", tmp_path / "after" / "var", ignore=shutil.ignore_patterns("*.lock", "*.sock"))
    after = Rig(tmp_path / "after", rig.ring, rig.now_ns)
    await after.round(4)
    assert after.g.store.taps_queued == 0
    with after.look() as ledger:
        assert len(ledger.recent_taps(SITE, "door-1", 0)) == 3
        assert [(v.id, v.state) for v in ledger.visits()] == [(MEAL, State.ON_TIME)]
        assert [entry.kind for entry in ledger.log()].count("tap") == 3
        chain.verify(ledger.log())
    states = [change.state for change in after.told()]
    assert states[0] == "planned" and set(states[1:]) == {"on_time"}, "told at least once, and nothing else"
    await after.close()


async def test_nothing_of_cards_and_names_leaves_the_gateway(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    card, chip = await rig.enrol("k-1")
    people = {"e-1": ("王秀英", "13800001111", "梧桐路3号201"), "k-1": ("李强", "13911112222", "福田街9号")}
    for person, (name, phone, address) in people.items():
        who = {"id": person, "role": "elder", "site": SITE, "by": "zhang"}
        await rig.do("people.set", name=name, phone=phone, address=address, **who)
    await rig.plan()
    rig.now_ns = at("11:20") + S
    text = chip.read()
    uid = chip.uid.hex()
    plain = rig.message("door-1", "tap", {"vs": uid}, at("11:25"), {"n": "proof", "vs": "uid"})
    signed = rig.message("door-1", "tap", {"vs": f"uid={uid}&ctr=000001&sig={'00' * 32}"}, at("11:30"))
    await rig.put(rig.tap(text, at("11:20")), plain, signed, rig.tap(text, at("11:50")), rig.tap("04ee" * 3, at("11:55")))
    await rig.round(3)
    shown = await rig.do("people.reveal", ids=["e-1", "nobody"], by="zhang", why="the month sheet")
    assert shown == {"e-1": {"name": "王秀英", "phone": "13800001111", "address": "梧桐路3号201"}}
    await rig.do("cards.revoke", card=card, by="zhang", reason="lost")
    link = await rig.do("visits.link", courier="k-1", site=SITE, by="zhang", days=30)
    await rig.until("13:00")
    rig.tick()
    await rig.g.committer.settle()
    rig.g.sink.write(rig.entries())
    secrets = [uid, uid.upper(), text, text.split("&")[0], "04ee" * 3, link["token"], rig.ring.meta.hex(), chip.file.hex()]
    secrets += [word for words in people.values() for word in words]
    cells = [
        cell
        for table in ("outbox", "device", "alert", "counter", "held")
        for row in rig.ask(f"SELECT * FROM {table}")
        for cell in row
    ]
    cells += [body for row in rig.ask("SELECT detail FROM dead_letter") for body in row]
    with rig.look() as ledger:
        cells += [entry.text for entry in ledger.log()]
        cells += [str(ledger.visits()), str(ledger.recent_taps(SITE, "door-1", 0)), str(ledger.people()), caplog.text]
        looked = [(e.by, e.subject, e.body["known"]) for e in ledger.log() if e.kind == "revealed"]
    assert looked == [("zhang", "e-1", True), ("zhang", "nobody", False)]
    said = b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)
    raw = said + b"".join(
        file.read_bytes() for name in ("readings.db*", "visits.db*") for file in rig.folder.glob(f"var/{name}")
    )
    assert [secret for secret in secrets if secret.encode() in raw] == []
    assert b"missed" in raw or b"on_time" in raw, "the scan sees what is there"
    assert [e.values[0].value for e in rig.entries() if isinstance(e, Event)] == ["1-3", "1-1", "1-2", "1-4", "1-5"]


async def test_a_missed_visit_is_told_once_and_ends_with_the_time_of_the_late_tap(rig: Rig) -> None:
    _, chip = await rig.enrol("k-1")
    await rig.put(rig.message("door-1", "leak", {"vb": False}, at("10:00")))
    await rig.plan()
    await rig.until("12:31")
    rig.tick()
    await rig.g.committer.settle()
    (alert,) = rig.alerts()
    assert (alert.key, alert.severity, alert.place) == (f"missed-visit/{SITE}/{MEAL}", "warning", "w3-201")
    assert "未送达" in alert.text_zh and "not delivered" in alert.text_en and len(alert.evidence) == 2
    await rig.round(2)
    await rig.put(rig.tap(chip.read(), at("11:40")))
    await rig.round(2)
    rig.tick()
    await rig.g.committer.settle()
    (alert,) = rig.alerts()
    assert (alert.closed_by, alert.history[-1].reason) == ("gateway", "tapped")
    assert alert.evidence[-1] == f"2026-11-20 11:40:00+0800 tapped {MEAL}"
    await rig.do("visits.decide", site=SITE, visit=MEAL, by="zhang", action="decline", reason="no")
    await rig.until("12:40")
    rig.tick()
    await rig.g.committer.settle()
    assert len(rig.alerts()) == 1


async def test_a_card_nobody_knows_does_not_silence_an_elders_protection(rig: Rig) -> None:
    _, chip = await rig.enrol("k-1")
    await rig.put(rig.message("door-1", "leak", {"vb": False}, at("10:00")))
    await rig.plan()
    await rig.until("11:20")
    await rig.put(rig.tap("04aabbccddeeff", at("11:20")))
    await rig.round(2)
    rig.tick()
    assert (rig.visit().state, rig.visit().courier, rig.visit().counted) == (State.ON_TIME, "", True)
    await rig.until("12:29")
    rig.tick()
    await rig.g.committer.settle()
    assert not rig.alerts(), "it is not due"
    await rig.until("12:31")
    rig.tick()
    await rig.g.committer.settle()
    (alert,) = rig.alerts()
    assert alert.key == f"missed-visit/{SITE}/{MEAL}" and "card nobody knows" in alert.text_en and "k-1" in alert.text_en
    await rig.put(rig.tap("04aabbccddeeff", at("12:32")))
    await rig.round(2)
    rig.tick()
    await rig.g.committer.settle()
    assert [alert.closed_by for alert in rig.alerts()] == [""]
    await rig.put(rig.tap(chip.read(), at("12:20")))
    await rig.round(2)
    rig.tick()
    await rig.g.committer.settle()
    (alert,) = rig.alerts()
    assert (alert.closed_by, alert.history[-1].reason, rig.visit().courier) == ("gateway", "tapped", "k-1")


async def test_what_a_person_says_ends_the_alert_of_a_card_nobody_knows(rig: Rig) -> None:
    await rig.put(rig.message("door-1", "leak", {"vb": False}, at("10:00")))
    await rig.plan()
    await rig.until("11:20")
    await rig.put(rig.tap("04aabbccddeeff", at("11:20")))
    await rig.until("12:31")
    rig.tick()
    await rig.round(2)
    await rig.do("visits.decide", site=SITE, visit=MEAL, by="zhang", action="note", reason="k-1 does not answer")
    await rig.round(2)
    rig.tick()
    await rig.g.committer.settle()
    assert [alert.closed_by for alert in rig.alerts()] == [""]
    await rig.do("visits.decide", site=SITE, visit=MEAL, by="zhang", action="approve", reason="k-1 has a new card")
    await rig.round(2)
    rig.tick()
    await rig.g.committer.settle()
    assert [(alert.closed_by, alert.history[-1].reason) for alert in rig.alerts()] == [("gateway", "said_by zhang")]


async def test_a_missed_visit_whose_alert_could_not_be_saved_is_told_after_all(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.put(rig.message("door-1", "leak", {"vb": False}, at("10:00")))
    await rig.plan()
    await rig.until("12:31")

    def commit(work: Any) -> None:
        """A disk that hangs and then fails, and a ledger that goes on meanwhile."""
        for _ in range(100):
            with closing(sqlite3.connect(rig.g.settings.visits_file)) as db:
                if db.execute("SELECT 1 FROM alerted").fetchone():
                    break
            time.sleep(0.01)
        raise Unavailable("I/O")

    monkeypatch.setattr(rig.g.store, "commit", commit)
    rig.tick()
    with suppress(Unavailable):
        await rig.round()
    while rig.g.committer._running is not None:
        await asyncio.sleep(0.01)
    assert rig.g.committer.failures and not rig.alerts()
    monkeypatch.undo()
    await rig.round(2)
    rig.tick()
    await rig.g.committer.settle()
    assert [alert.key for alert in rig.alerts()] == [f"missed-visit/{SITE}/{MEAL}"]
    await rig.round(2)
    rig.tick()
    await rig.g.committer.settle()
    assert len(rig.alerts()) == 1


async def test_an_alert_a_person_closed_is_not_raised_again_also_after_a_restart(rig: Rig) -> None:
    await rig.put(rig.message("door-1", "leak", {"vb": False}, at("10:00")))
    await rig.plan()
    await rig.until("12:31")
    rig.tick()
    await rig.g.committer.settle()
    await rig.round()
    rig.g.desk.close(rig.alerts()[0].id, "zhang", "she ate at her daughter's")
    for _ in range(3):
        await rig.round()
        rig.tick()
    await rig.g.committer.settle()
    await rig.close()
    rig.open()
    await rig.round(2)
    rig.tick()
    await rig.g.committer.settle()
    assert [alert.closed_by for alert in rig.alerts()] == ["zhang"]


async def test_while_the_ledger_cannot_be_used_taps_wait_and_an_sos_rings(tmp_path: Path) -> None:
    (tmp_path / "var" / "visits.db").mkdir(parents=True)
    rig = Rig(tmp_path)
    waits = asyncio.create_task(rig.g.visits.run())
    while "visits" not in rig.g.troubles.now:
        await asyncio.sleep(0.01)
    chip = rig.ring.issue("k-1", CardRole.COURIER)
    rig.now_ns = at("11:20")
    await rig.put(rig.tap(chip.read(), at("11:20")), rig.message("home-1", "sos", {"vb": True}, at("11:20")))
    assert rig.broker.acknowledged == 2
    assert [alert.rule for alert in rig.alerts()] == ["sos"]
    assert rig.g.store.taps_queued == 1 and "taps wait" in rig.g.troubles.now["visits"]
    with pytest.raises(Unavailable, match="ledger"):
        await rig.do("visits.plan", site=SITE, by="zhang", rows=[], replace=False)
    phone = {"site": SITE, "phone": 7, "seq": 1, "time_ns": at("11:19"), "text": chip.read()}
    assert (await rig.do("visits.tap", **phone))["state"] == "recorded"
    assert rig.g.store.taps_queued == 2
    with pytest.raises(Unavailable, match="ledger"):  # it stays on the phone, or his visit would be nobody's for ever
        await rig.do("visits.tap", **phone | {"seq": 2, "link": "of-a-courier"})
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)
    (tmp_path / "var" / "visits.db").rmdir()
    await rig.round(3)
    assert rig.g.store.taps_queued == 0 and "visits" not in rig.g.troubles.now
    await rig.close()


async def test_a_ledger_that_is_damaged_while_it_runs_is_put_aside_and_the_tap_is_judged(rig: Rig) -> None:
    _, chip = await rig.enrol("k-1")
    await rig.plan()
    await rig.g.visits.close()
    rig.g.visits = desk.VisitDesk(rig.g)
    with closing(sqlite3.connect(rig.g.settings.visits_file)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'tap_place'").fetchone()
    with rig.g.settings.visits_file.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    await rig.put(rig.tap(chip.read(), at("11:20")))
    with pytest.raises(Unavailable):
        await rig.round()
    await rig.g.visits._shut()
    await rig.round(2)
    assert rig.g.store.taps_queued == 0
    assert list(rig.folder.glob("var/visits.db.damaged-1"))
    assert rig.visit().state is State.EARLY or rig.visit().state is State.ON_TIME


async def test_fresh_taps_pass_those_that_readers_had_kept(rig: Rig) -> None:
    _, chip = await rig.enrol("k-1")
    rig.now_ns = at("11:20")
    kept = [rig.tap(chip.read(), at("09:00") + n * S) for n in range(150)]
    await rig.put(*kept)
    await rig.put(rig.tap(chip.read(), at("11:20")))
    await rig.round()
    with rig.look() as ledger:
        assert f"{SITE}/door-1/1/151" in {judged.tap.id for judged in ledger.recent_taps(SITE, "door-1", 0)}
    assert rig.g.store.taps_queued == 101


async def test_a_phones_tap_comes_again_unharmed_and_another_under_its_number_is_a_conflict(rig: Rig) -> None:
    _, tag = await rig.enrol("w3-201", CardRole.PLACE)
    await rig.plan()
    link = await rig.do("visits.link", courier="k-1", site=SITE, by="zhang", days=30)
    rig.now_ns = at("11:30")
    phone = {
        "site": SITE,
        "phone": 77,
        "seq": 1,
        "time_ns": at("11:20") + 3600 * S,
        "sent_ns": at("12:30"),
        "link": link["token"],
    }
    text = tag.read()
    assert await rig.do("visits.tap", **phone, text=text) == {"tap": f"{SITE}/phone/77/1", "state": "recorded"}
    await rig.round(2)
    assert (await rig.do("visits.tap", **phone, text=text))["state"] == "repeated"
    with pytest.raises(Rejected, match="conflict"):
        await rig.do("visits.tap", **phone, text=tag.read())
    visit = rig.visit()
    assert (visit.courier, visit.place, visit.start_ns, visit.reviewing) == ("k-1", "w3-201", at("11:20"), True)
    assert (await rig.do("visits.tap", **(phone | {"seq": 2, "link": "expired"}), text="nonsense"))["state"] == "recorded"
    await rig.do("visits.unlink", courier="k-1", by="zhang")
    with rig.look() as ledger:
        assert ledger.find_courier_by_token(link["token"], rig.now_ns) is None


SAID = {"site": SITE, "visit": "x", "by": "zhang", "action": "approve", "reason": "ok"}
PHONE = {"site": SITE, "phone": 1, "seq": 1, "time_ns": 1, "text": "x"}
CARD = {"site": SITE, "uid": "04a1b2c3d4e5f6", "by": "zhang", "holder": "k-1", "kind": "ntag424", "role": "courier"}
PLAN = {"site": SITE, "by": "zhang"}


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        pytest.param("visits.decide", SAID, "unknown_visit", id="no-visit"),
        pytest.param("visits.decide", SAID | {"action": "object"}, "bad_argument", id="no-decision"),
        pytest.param("visits.decide", SAID | {"by": "gateway"}, "no_person", id="no-person"),
        pytest.param("visits.tap", PHONE | {"site": "elsewhere"}, "unknown_site", id="no-site"),
        pytest.param("visits.tap", PHONE | {"phone": 0}, "bad_argument", id="no-phone"),
        pytest.param("visits.tap", PHONE | {"text": "x" * 2000}, "bad_argument", id="long-text"),
        pytest.param("visits.plan", PLAN | {"rows": [1]}, "bad_plan", id="no-row"),
        pytest.param("visits.plan", PLAN | {"rows": "all"}, "bad_argument", id="no-rows"),
        pytest.param("visits.except", PLAN | {"rows": [{"id": "a"}]}, "bad_exception", id="no-exception"),
        pytest.param("visits.holidays", PLAN | {"dates": {"10-01": "x"}}, "bad_argument", id="no-date"),
        pytest.param("visits.unlink", {"courier": "k-9", "by": "zhang"}, "no_link", id="no-link"),
        pytest.param("cards.enrol", CARD | {"uid": "04"}, "bad_argument", id="no-uid"),
        pytest.param("cards.enrol", CARD, "bad_argument", id="no-keys"),
        pytest.param("cards.revoke", {"card": "c-none", "by": "zhang", "reason": "lost"}, "unknown_card", id="no-card"),
        pytest.param("people.reveal", {"ids": [], "by": "zhang", "why": "x"}, "bad_argument", id="nobody"),
        pytest.param("people.reveal", {"ids": ["e-1"], "by": "zhang", "why": " "}, "bad_argument", id="no-reason"),
    ],
)
async def test_a_command_that_cannot_be_done_says_why(rig: Rig, name: str, arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(Rejected) as error:
        await rig.do(name, **arguments)
    assert error.value.reason == reason
    await rig.round()


async def test_the_desk_at_the_office_asks_before_it_touches_a_card(rig: Rig) -> None:
    assert await rig.do("cards.check", site=SITE, meta=rig.ring.meta.hex()) == {"known": False, "same": False}
    card, chip = await rig.enrol("k-1")
    assert await rig.do("cards.check", site=SITE, meta=rig.ring.meta.hex()) == {"known": True, "same": True}
    assert await rig.do("cards.check", site=SITE, meta=bytes(16).hex()) == {"known": True, "same": False}
    assert (await rig.do("cards.find", site=SITE, uid=chip.uid.hex()))["id"] == card
    assert await rig.do("cards.find", site=SITE, uid="04000000000000") is None
    new = {"file": "11" * 16, "app3": "22" * 16}
    for done in (False, True):
        await rig.do("cards.rekey", card=card, key_version=2, keys=new, by="zhang", done=done)
        parts = rig.g.visits._parts
        assert parts is not None
        assert list(parts.ledger.cards.keys(card)) == ([2] if done else [2, 1])
    await rig.do("cards.audit", card=card, counter=9, by="zhang")
