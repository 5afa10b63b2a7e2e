"""What goes wrong between the parts: a disk that fails, an SOS that cannot be taken in, a command that is not saved."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_gateway import events, gateway_commands, registry
from edge_gateway.alerts import Notice
from edge_gateway.clock import Limits, measured_at
from edge_gateway.commands import Handler
from edge_gateway.errors import Unavailable
from edge_gateway.events import Entry, Event, Readings
from edge_gateway.message import Instant
from edge_gateway.pipeline import Pipeline
from edge_gateway.sequence import Boot, Verdict
from edge_gateway.service import Gateway
from edge_gateway.settings import Alerts, Person, Settings
from edge_gateway.settings import Gateway as GatewaySettings
from edge_gateway.sink import Refusal
from edge_gateway.state import MAX_BOOTS, MAX_NAMES, DeviceState
from edge_gateway.store import StoreFull
from edge_gateway.store_file import read_only
from edge_gateway.work import Outcome

T0 = 1_780_000_000
NOW = T0 * 10**9
DATA = "kanhu/1/wutong/home-1/up/data"
EVENT = "kanhu/1/wutong/home-1/up/event"
STATUS = "kanhu/1/wutong/home-1/up/status"
STRANGER = "kanhu/1/wutong/new-1/up/event"
TOML = '[sites.wutong]\nname = "梧桐社区"\n[[devices]]\nsite = "wutong"\nid = "home-1"\nplace = "w3-201"\n'
MORE = TOML + '[[devices]]\nsite = "wutong"\nid = "new-1"\nplace = "w3-202"\n'
LIMITS = Limits.of("2024-01-01T00:00:00Z", 30 * 86_400, 86_400)


def pack(seq: int, *records: dict[str, Any], boot: int = 1, **head: Any) -> bytes:
    first = {"boot": boot, "seq": seq, "clk": "ntp", "bt": T0 + seq, **head}
    if first["clk"] == "none":
        del first["bt"]
    rows = [dict(r) for r in records] or [{"n": "temperature", "v": 21.5}]
    return json.dumps([{**first, **rows[0]}, *rows[1:]]).encode()


def sos(seq: int, value: object = True, **head: Any) -> bytes:
    return pack(seq, {"n": "sos", "vb": value}, **head)


class NoDatabase:
    """A database that is away."""

    name = "none"

    def write(self, entries: object) -> list[Refusal]:
        raise Unavailable("away")

    def close(self) -> None:
        pass


@dataclass
class Publication:
    topic: str
    payload: bytes
    packet_id: int | None
    retain: bool = False


class Bench:
    """A real gateway without broker and database; its tasks do not run, so every step is ours."""

    def __init__(self, folder: Path, **alerts: Any) -> None:
        self.registry = folder / "registry.toml"
        self.registry.write_text(TOML, encoding="utf-8")
        settings = Settings(
            data_dir=folder / "var",
            registry=self.registry,
            gateway=GatewaySettings(ballast_mb=0, metrics_port=0),
            alerts=Alerts(people=[Person(id="zhang", urls=["json://127.0.0.1:9"])], **alerts),
        )
        self.now_ns = NOW
        self.gateway = Gateway(settings, NoDatabase(), lambda: self.now_ns)
        self.told: list[Notice] = []
        self.gateway.desk.sender.send = self.told.extend  # type: ignore[method-assign]
        self.published: list[dict[str, Any]] = []
        self.gateway.receipts._publish = lambda topic, payload: self.published.append(json.loads(payload))
        self.commands: dict[str, Handler] = dict(gateway_commands.handlers(self.gateway))
        self.gateway._restore()
        self._save = self.gateway.store.commit

    async def say(self, topic: str, *payloads: bytes) -> None:
        g = self.gateway
        session = g.data if topic.endswith("/data") else g.events
        g.committer.received(session, [Publication(topic, p, n + 1) for n, p in enumerate(payloads)], 1)
        await g.committer.drain()

    def fails(self, error: Exception | None = None, also_reading: bool = False) -> None:
        def commit(work: object) -> None:
            raise error or Unavailable("I/O")

        def read() -> list[Any]:
            raise Unavailable("I/O")

        self.gateway.store.commit = commit  # type: ignore[method-assign,assignment]
        if also_reading:
            self.gateway.store.devices = read  # type: ignore[method-assign]

    def works_again(self) -> None:
        del self.gateway.store.commit, self.gateway.store.__dict__["devices"]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with closing(read_only(self.gateway.settings.store_file)) as db:
            return db.execute(query).fetchall()

    def outbox(self) -> list[Entry]:
        return [entry for (body,) in self.ask("SELECT body FROM outbox ORDER BY id") for entry in events.unpack(body)]

    def close(self) -> None:
        self.gateway.thread.submit(self.gateway.store.close).result()
        self.gateway.thread.shutdown()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.gateway.committer.drain()
    bench.close()


@pytest.fixture
def judged() -> list[Event]:
    return []


@pytest.fixture
def pipeline(judged: list[Event]) -> Iterator[Pipeline]:
    yield Pipeline(registry.parse(TOML), LIMITS, lambda e: judged.append(e) if isinstance(e, Event) else None)


# A disk that fails


async def test_a_disk_that_can_neither_write_nor_read_never_makes_a_receipt_for_what_it_lost(bench: Bench) -> None:
    await bench.say(DATA, pack(1))
    bench.fails(also_reading=True)
    await bench.say(DATA, pack(2))
    del bench.gateway.store.commit  # writes again, but what is on disk has not been read yet
    await bench.say(DATA, pack(3))
    bench.gateway.receipts.send_due()
    assert bench.published == [{"boot": 1, "upto": 1}]
    del bench.gateway.store.devices
    await bench.gateway.housekeeping.tick()
    await bench.say(DATA, pack(2), pack(3))
    bench.gateway.receipts.send_due()
    assert bench.published[1:] == [{"boot": 1, "upto": 3}]
    assert [e.seq for e in bench.outbox() if isinstance(e, Readings)] == [1, 2, 3]


async def test_an_sos_is_told_also_while_the_disk_cannot_be_read_and_is_an_alert_once_it_can(bench: Bench) -> None:
    bench.fails(also_reading=True)
    await bench.say(DATA, pack(1))
    assert bench.gateway.committer.halted
    bench.gateway.committer.received(bench.gateway.events, [Publication(EVENT, sos(1), 1)] * 2, 1, urgent=True)
    await bench.gateway.housekeeping.tick()
    assert [notice.items[0].severity.value for notice in bench.told] == ["urgent"]
    await bench.gateway.housekeeping.tick()
    assert len(bench.told) == 1, "not at each look"
    bench.works_again()
    await bench.gateway.housekeeping.tick()
    assert bench.gateway.desk.book.open_alerts() == [], "nothing of it was saved"
    await bench.say(EVENT, sos(1))  # the broker delivers it again
    assert [alert.rule for alert in bench.gateway.desk.book.open_alerts()] == ["sos"]


async def test_a_person_is_not_told_that_an_alert_was_accepted_or_closed_when_that_was_not_saved(bench: Bench) -> None:
    await bench.say(EVENT, sos(1))
    (alert,) = bench.gateway.desk.book.open_alerts()
    bench.fails()
    for command, more in (("alerts.accept", {}), ("alerts.close", {"reason": "test"})):
        with pytest.raises(Unavailable):
            await bench.commands[command]({"id": alert.id, "by": "zhang", **more})
    (alert,) = bench.gateway.desk.book.open_alerts()
    assert alert.unanswered


async def test_an_sos_is_told_also_when_the_disk_stays_away_but_not_at_each_try(bench: Bench) -> None:
    bench.fails()
    await bench.say(EVENT, sos(1))
    assert bench.told == []  # a short fault: it comes again and is saved first
    bench.gateway._failing_since -= 60
    await bench.say(EVENT, sos(1))
    await bench.say(EVENT, sos(1))
    assert [(n.person, n.urgent) for n in bench.told] == [("zhang", True)]
    del bench.gateway.store.commit
    await bench.say(EVENT, sos(1))
    assert len(bench.told) == 2 and len(bench.gateway.desk.book.open_alerts()) == 1


async def test_a_trouble_of_the_store_ends_with_the_next_commit_and_not_before(bench: Bench) -> None:
    bench.fails()
    await bench.say(DATA, pack(1))
    await bench.gateway.housekeeping.tick()
    assert "store" in bench.gateway.troubles.now
    del bench.gateway.store.commit
    await bench.say(DATA, pack(1))
    assert "store" not in bench.gateway.troubles.now


# Commands


async def test_a_retried_dead_letter_stays_when_the_commit_that_takes_it_fails(bench: Bench) -> None:
    await bench.say(DATA, pack(1, {"n": "temperature", "v": 20}, {"n": "humidity", "v": "x"}))
    ((number,),) = bench.ask("SELECT id FROM dead_letter")
    bench.fails()
    with pytest.raises(Unavailable):
        await bench.commands["dead.retry"]({"ids": [number]})
    assert bench.ask("SELECT id FROM dead_letter") == [(number,)]


async def test_what_is_still_bad_in_a_retried_message_is_a_dead_letter_again_and_the_good_is_not_doubled(bench: Bench) -> None:
    await bench.say(DATA, pack(1, {"n": "temperature", "v": 20}, {"n": "humidity", "v": "x"}))
    ((number,),) = bench.ask("SELECT id FROM dead_letter")
    assert await bench.commands["dead.retry"]({"ids": [number]}) == {str(number): "stored"}
    ((again, reason),) = bench.ask("SELECT id, reason FROM dead_letter")
    assert again != number and reason == "not_a_number"
    assert len({(e.time_ns, e.readings[0].name) for e in bench.outbox() if isinstance(e, Readings)}) == 1


async def test_words_of_a_terminal_in_another_encoding_can_be_saved(bench: Bench) -> None:
    await bench.say(EVENT, sos(1))
    (alert,) = bench.gateway.desk.book.open_alerts()
    await bench.commands["alerts.close"]({"id": alert.id, "by": "zhang", "reason": "\udcce\udcf3"})
    assert bench.gateway.committer.failures == 0 and not bench.gateway.desk.book.open_alerts()


async def test_a_command_is_answered_although_messages_never_stop(bench: Bench) -> None:
    await bench.say(EVENT, sos(1))
    (alert,) = bench.gateway.desk.book.open_alerts()
    seq = 1
    acknowledge = bench.gateway.data.acknowledge

    def more(packet_ids: Any, generation: int) -> None:
        nonlocal seq
        seq += 1
        acknowledge(packet_ids, generation)
        if seq < 200:
            bench.gateway.committer.received(bench.gateway.data, [Publication(DATA, pack(seq), seq)], 1)

    bench.gateway.data.acknowledge = more  # type: ignore[method-assign,assignment]
    bench.gateway.committer.received(bench.gateway.data, [Publication(DATA, pack(2), 2)], 1)
    await bench.commands["alerts.accept"]({"id": alert.id, "by": "zhang"})
    assert seq < 50
    await bench.gateway.committer.drain()


# An SOS that cannot be taken in


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        pytest.param(STRANGER, sos(1), id="nobody registered the device"),
        pytest.param(STRANGER, sos(1)[:-9], id="nobody registered the device, and it is cut short"),
        pytest.param(EVENT, sos(1)[:-9], id="cut short"),
        pytest.param(EVENT, b'[{"n":"sos","vb":true}]', id="no identity"),
        pytest.param(EVENT, sos(1, bn="wutong:other:"), id="another device's name"),
        pytest.param(EVENT, sos(1, "yes"), id="a value that is none"),
        pytest.param(EVENT, pack(1, {"n": "sos"}), id="no value"),
        pytest.param(DATA, sos(1, u="V"), id="the wrong lane, and a bad unit"),
        pytest.param(DATA, pack(1, {"n": "temperature", "v": 20}, {"n": "sos", "vb": True}), id="behind a reading"),
        pytest.param(DATA, pack(1, {"n": "sos.bed", "vb": True}), id="the wrong lane, with a channel"),
    ],
)
async def test_an_sos_that_is_not_as_it_should_be_still_rings_once(bench: Bench, topic: str, payload: bytes) -> None:
    for _ in range(3):
        await bench.say(topic, payload)
    assert [(n.urgent, len(n.items)) for n in bench.told] == [(True, 1)]
    (alert,) = bench.gateway.desk.book.open_alerts()
    assert (alert.rule, alert.count) == ("sos", 1)
    await bench.commands["alerts.close"]({"id": alert.id, "by": "zhang", "reason": "test"})
    await bench.say(topic, payload)
    assert not bench.gateway.desk.book.open_alerts()


def test_an_sos_under_an_identity_that_was_used_before_rings(pipeline: Pipeline, judged: list[Event]) -> None:
    pipeline.take(DATA, pack(1), NOW)
    assert pipeline.take(EVENT, sos(1), NOW) is Outcome.DEAD
    assert [e.kind for e in judged] == ["sos"]


def test_an_sos_that_met_a_fault_of_ours_rings(pipeline: Pipeline, judged: list[Event]) -> None:
    pipeline.take(EVENT, sos(1, False), NOW)
    pipeline.bury_unexpected(EVENT, sos(2), NOW, ZeroDivisionError())
    assert [(e.seq, e.readings[0].value) for e in judged] == [(1, 0.0), (2, 1.0)]


def test_a_reading_of_a_stranger_and_a_text_about_an_sos_ring_nothing(pipeline: Pipeline, judged: list[Event]) -> None:
    pipeline.take(STRANGER, pack(1, {"n": "tap", "vs": "sos"}), NOW)
    pipeline.take(DATA, pack(1, {"n": "activity", "vs": "sos"}), NOW)
    assert judged == []


def test_a_held_sos_that_rang_does_not_ring_again_when_the_device_is_registered(
    pipeline: Pipeline, judged: list[Event]
) -> None:
    pipeline.take(STRANGER, sos(1), NOW)
    pipeline.expect(registry.parse(MORE))
    assert pipeline.take(STRANGER, sos(1), NOW, held_id=1) is Outcome.STORED
    assert len(judged) == 1
    assert any(isinstance(e, Event) for e in pipeline.work.events)


def test_an_sos_in_a_range_that_was_declared_lost_is_no_repeat(pipeline: Pipeline, judged: list[Event]) -> None:
    pipeline.take(DATA, pack(1), NOW)
    pipeline.take(DATA, pack(9, {"n": "lost", "v": 6, "lost": [1, 2, 8]}), NOW)
    assert pipeline.take(EVENT, sos(5), NOW) is Outcome.STORED
    assert [e.seq for e in judged] == [5]
    assert pipeline.states["wutong", "home-1"].boots[0].lost == 6
    assert pipeline.take(EVENT, sos(5), NOW) is Outcome.DUPLICATE


def test_what_was_closed_and_comes_after_all_is_new_once() -> None:
    boot = Boot(1)
    boot.take(1, 1)
    assert boot.close(2, 4) == 3
    assert (boot.take(3, 3), boot.take(3, 3), boot.take(1, 1)) == (Verdict.NEW, Verdict.DUPLICATE, Verdict.DUPLICATE)
    assert boot.absent == [[2, 2], [4, 4]]


# Bounds and receipts


@pytest.mark.parametrize("payload", [pack(1, {"n": "temperature", "v": 30}), pack(1, {"n": "temperature", "v": 30})[:-3]])
def test_a_message_under_a_used_identity_is_refused_by_name_or_its_device_would_send_it_for_ever(
    pipeline: Pipeline, payload: bytes
) -> None:
    pipeline.take(DATA, pack(1), NOW)
    pipeline.take_work()
    assert pipeline.take(DATA, payload, NOW) is Outcome.DEAD
    assert pipeline.work.receipts["wutong", "home-1", 1].rejected == [1]


def test_a_device_cannot_make_its_own_row_grow_without_end(pipeline: Pipeline) -> None:
    losses = [{"n": "lost", "lost": [100 + n, 1, 5]} for n in range(300)]
    pipeline.take(DATA, pack(1, *losses), NOW)
    for message in range(2, 22):
        pipeline.take(DATA, pack(message, *({"n": f"motion.c{message}_{n}", "vb": True} for n in range(100))), NOW)
    known = pipeline.take_work().touched["wutong", "home-1"]
    assert len(known.boots) == MAX_BOOTS and len(known.latest) == MAX_NAMES
    assert known.boots[-1].boot == 1 and known.counters.readings == 2000


def test_past_boots_never_push_out_the_current_one() -> None:
    known = DeviceState("s", "d")
    known.boot(7)
    for number in range(100, 400):
        known.past(number)
    assert known.boots[-1].boot == 7


def test_held_messages_do_not_make_a_device_heard_in_the_past(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(2), NOW)
    pipeline.take(DATA, pack(1), NOW - 10**12, held_id=3)
    assert pipeline.states["wutong", "home-1"].heard_ns == NOW


# Clocks


def test_a_gateway_whose_own_clock_was_never_set_believes_its_devices() -> None:
    instant = Instant(NOW, None, "", ())
    assert measured_at(instant, True, Boot(1), True, 3_000_000_000, LIMITS) == (NOW, 0)


def test_an_age_nobody_can_have_is_not_believed() -> None:
    boot = Boot(1, arrival_ns=NOW)
    assert measured_at(Instant(None, -(8 * 10**18), "", ()), False, boot, True, NOW, LIMITS) == (NOW, 2)


# The gateway's own clockwork


async def test_a_held_message_that_fails_or_cannot_be_read_stops_neither_the_others_nor_the_gateway(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.say(STRANGER, sos(1), pack(2, {"n": "smoke", "vb": True}))
    bench.registry.write_text(MORE, encoding="utf-8")
    take, g = bench.gateway.pipeline.take, bench.gateway

    def faulty(topic: str, payload: bytes, *more: Any, **named: Any) -> Outcome:
        outcome = take(topic, payload, *more, **named)
        if b"sos" in payload:
            raise ZeroDivisionError
        return outcome

    monkeypatch.setattr(g.pipeline, "take", faulty)
    for _ in range(3):
        await g.housekeeping.tick()
        await g.committer.drain()
    assert bench.ask("SELECT count(*) FROM held") == [(0,)]
    assert [reason for (reason,) in bench.ask("SELECT reason FROM dead_letter")] == ["internal_error"]
    assert [e.kind for e in bench.outbox() if isinstance(e, Event) and e.device == "new-1"] == ["sos", "smoke"]


async def test_a_message_held_in_the_commit_under_way_is_released_too(bench: Bench) -> None:
    g = bench.gateway
    for _ in range(5):
        await g.housekeeping.tick()
    bench.registry.write_text(MORE, encoding="utf-8")
    await g.housekeeping.tick()
    g.committer.received(g.events, [Publication(STRANGER, sos(1), 1)], 1)  # held, and not saved yet
    await g.housekeeping.tick()
    await g.committer.drain()
    for _ in range(2):
        await g.housekeeping.tick()
        await g.committer.drain()
    assert bench.ask("SELECT count(*) FROM held") == [(0,)]


async def test_a_database_that_takes_its_time_to_forget_keeps_no_change_of_the_registry_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    g = bench.gateway
    monkeypatch.setattr(g.housekeeping.retention, "tick", for_ever)
    forgetting = asyncio.create_task(g.housekeeping.keep())
    await bench.say(STRANGER, sos(1))
    bench.registry.write_text(MORE, encoding="utf-8")
    for _ in range(3):
        await asyncio.wait_for(g.housekeeping.tick(), 60)
        await g.committer.drain()
    assert bench.ask("SELECT count(*) FROM held") == [(0,)]
    assert not forgetting.done()
    forgetting.cancel()


async def test_a_full_disk_is_not_asked_again_and_again_to_take_held_messages_in(bench: Bench) -> None:
    await bench.say(STRANGER, sos(1))
    bench.registry.write_text(MORE, encoding="utf-8")
    bench.fails(StoreFull("no room"))
    await bench.say(DATA, pack(1))
    failures = bench.gateway.committer.failures
    bench.gateway.ballast.lay = lambda: False  # type: ignore[method-assign]
    for _ in range(5):
        await bench.gateway.housekeeping.tick()
        await bench.gateway.committer.drain()
    assert bench.gateway.committer.failures == failures


@pytest.mark.parametrize("text", ["", "[sites.wutong]\n", TOML.replace("[[devices]]", "[devices]"), None])
async def test_a_registry_that_is_gone_or_half_written_changes_nothing_and_is_said(bench: Bench, text: str | None) -> None:
    g = bench.gateway
    for _ in range(2):
        await g.housekeeping.tick()
    if text is None:
        bench.registry.unlink()
    else:
        bench.registry.write_text(text, encoding="utf-8")
    for _ in range(3):
        await g.housekeeping.tick()
    assert g.pipeline.registry.find("wutong", "home-1") is not None
    assert "registry" in g.troubles.now
    bench.registry.write_text(MORE, encoding="utf-8")
    for _ in range(3):
        await g.housekeeping.tick()
    assert g.pipeline.registry.find("wutong", "new-1") is not None
    assert "registry" not in g.troubles.now


async def test_nobody_is_called_silent_while_readings_cannot_come_in(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    g, heard = bench.gateway, []
    monkeypatch.setattr(g.desk, "listening", heard.append)
    connected = {"events": True, "data": True}
    monkeypatch.setattr(type(g), "connected", lambda self: all(connected.values()))
    g._on_broker("connected", "")
    connected["data"] = False
    g._on_data_broker("away", "")
    g._on_broker("connected", "")
    connected["data"] = True
    g._on_data_broker("connected", "")
    g._commit_failed(StoreFull("no room"))
    assert heard == [True, False, True, False], "once for each change: a second word would begin the count of silence anew"


def test_the_will_of_an_earlier_boot_does_not_take_a_device_away_that_is_here(pipeline: Pipeline) -> None:
    for boot in (1, 2):
        pipeline.take(STATUS, b'{"online":true,"boot":%d}' % boot, NOW)
    pipeline.take(STATUS, b'{"online":false,"boot":1}', NOW)
    assert pipeline.states["wutong", "home-1"].online is True
    pipeline.take(STATUS, b'{"online":false,"boot":2}', NOW)
    assert pipeline.states["wutong", "home-1"].online is False
