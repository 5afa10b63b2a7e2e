"""Group commit: acknowledged and receipted is what is on the disk, nothing before it and nothing that failed."""

import asyncio
import json
import random
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge_gateway import events, registry
from edge_gateway.alerts import Changes
from edge_gateway.clock import Limits
from edge_gateway.committer import Committer, HomeChanges
from edge_gateway.errors import Unavailable
from edge_gateway.pipeline import Pipeline
from edge_gateway.receipts import Receipts
from edge_gateway.store import Store, StoreFull
from edge_gateway.store_file import read_only
from edge_gateway.transaction import Commit

T0 = 1_780_000_000
NOW = T0 * 10**9
DATA = "kanhu/1/wutong/home-1/up/data"
EVENT = "kanhu/1/wutong/home-1/up/event"
KNOWN = registry.parse('[sites.wutong]\nname = "梧桐社区"\n[[devices]]\nsite = "wutong"\nid = "home-1"\nplace = "w3-201"\n')


@dataclass
class Message:
    """What a session hands over."""

    topic: str
    payload: bytes
    packet_id: int | None
    retain: bool = False


def reading(seq: int, packet_id: int | None = None) -> Message:
    payload = json.dumps([{"boot": 1, "seq": seq, "clk": "ntp", "bt": T0 + seq, "n": "temperature", "v": 21.5}]).encode()
    return Message(DATA, payload, seq if packet_id is None else packet_id)


def sos(seq: int) -> Message:
    return Message(
        EVENT, json.dumps([{"boot": 1, "seq": seq, "clk": "ntp", "bt": T0 + seq, "n": "sos", "vb": True}]).encode(), seq
    )


@dataclass
class Recording:
    """A source that writes down what it is told, and how many entries were on the disk then."""

    path: Path
    acks: list[tuple[list[int], int]] = field(default_factory=list)
    on_disk: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def acknowledge(self, packet_ids: Sequence[int], generation: int) -> None:
        self.acks.append((list(packet_ids), generation))
        self.on_disk.append(stored(self.path))

    def pause(self, why: str) -> None:
        self.told.append("pause")

    def resume(self, why: str) -> None:
        self.told.append("resume")

    @property
    def acknowledged(self) -> list[int]:
        return [packet_id for ids, _ in self.acks for packet_id in ids]


def stored(path: Path) -> int:
    with closing(read_only(path)) as db:
        return int(db.execute("SELECT coalesce(sum(entries), 0) FROM outbox").fetchone()[0])


def seqs(path: Path) -> list[int]:
    """The seq of every entry in the outbox, in order."""
    with closing(read_only(path)) as db:
        return [e.seq for (body,) in db.execute("SELECT body FROM outbox ORDER BY id") for e in events.unpack(body)]  # type: ignore[union-attr]


class NoAlerts:
    """A desk where nothing happens."""

    def __init__(self) -> None:
        self.times_saved = 0

    def take(self) -> Changes:
        return Changes()

    def take_homes(self) -> HomeChanges:
        return [], []

    def saved(self) -> None:
        self.times_saved += 1


@dataclass
class Bench:
    """The real pipeline, store and receipts around a committer; a commit can be held up or made to fail."""

    store: Store
    pipeline: Pipeline
    committer: Committer
    receipts: Receipts
    published: list[dict[str, Any]]
    failures: list[Unavailable]
    source: Recording
    desk: NoAlerts
    gate: threading.Event
    fail_with: list[Exception]

    def receive(self, *messages: Message, generation: int = 1, urgent: bool = False) -> None:
        self.committer.received(self.source, messages, generation, urgent)

    async def commit(self) -> None:
        await self.committer.drain()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    store = Store(tmp_path / "kanhu.db")
    pipeline = Pipeline(KNOWN, Limits.of("2024-01-01T00:00:00Z", 30 * 86_400, 86_400))
    published: list[dict[str, Any]] = []
    receipts = Receipts(lambda topic, payload: published.append(json.loads(payload)))
    gate = threading.Event()
    gate.set()
    failures: list[Unavailable] = []
    fail_with: list[Exception] = []
    save = store.commit

    def commit(work: Commit) -> None:
        assert gate.wait(10)
        if fail_with:
            raise fail_with.pop(0)
        save(work)

    store.commit = commit  # type: ignore[method-assign]

    def failed(error: Unavailable) -> None:
        failures.append(error)
        pipeline.restore(thread.submit(store.devices).result())

    desk = NoAlerts()
    with ThreadPoolExecutor(1) as thread:
        committer = Committer(pipeline, store, thread, receipts, lambda: NOW, 0.001, 5, desk, lambda entries: None, failed)
        yield Bench(store, pipeline, committer, receipts, published, failures, Recording(store.path), desk, gate, fail_with)
        gate.set()
        await committer.drain()
        thread.submit(store.close).result()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


async def test_a_message_is_acknowledged_only_when_it_is_on_the_disk(bench: Bench) -> None:
    bench.gate.clear()
    bench.receive(reading(1), urgent=True)
    await asyncio.sleep(0.005)
    assert bench.source.acks == [] and bench.published == []
    bench.gate.set()
    await bench.commit()
    assert bench.source.acks == [([1], 1)] and bench.source.on_disk == [1]


async def test_what_arrives_together_is_one_transaction_and_one_acknowledgement(bench: Bench) -> None:
    bench.receive(*(reading(n) for n in (1, 2)))
    bench.receive(*(reading(n) for n in (3, 4)))
    await bench.commit()
    assert bench.committer.commits == 1
    assert bench.source.acks == [([1, 2, 3, 4], 1)]
    assert bench.source.on_disk == [4]


async def test_a_lone_message_is_committed_by_the_clock(bench: Bench) -> None:
    bench.receive(reading(1))
    await until(lambda: bench.source.acks)
    assert bench.source.on_disk == [1]


async def test_each_connection_is_told_its_own_packet_ids(bench: Bench) -> None:
    other = Recording(bench.store.path)
    bench.receive(reading(1, 7))
    bench.committer.received(other, [reading(2, 7)], 4)
    bench.receive(reading(3, 7), generation=2)
    await bench.commit()
    assert bench.source.acks == [([7], 1), ([7], 2)] and other.acks == [([7], 4)]


async def test_what_came_without_a_packet_id_is_stored_and_not_acknowledged(bench: Bench) -> None:
    message = reading(1)
    message.packet_id = None
    bench.receive(message)
    await bench.commit()
    assert bench.source.acks == [] and stored(bench.store.path) == 1


async def test_poison_duplicates_and_strangers_are_acknowledged_too_or_they_would_stay_with_the_broker(bench: Bench) -> None:
    stranger = Message(DATA.replace("home-1", "new-1"), reading(1).payload, 4)
    bench.receive(reading(1), reading(1, 2), Message(DATA, b"\xff", 3), stranger, Message("nonsense", b"", 5))
    await bench.commit()
    assert bench.source.acknowledged == [1, 2, 3, 4, 5]
    totals = bench.store.totals
    ends = ("messages_stored", "messages_duplicate", "messages_dead", "messages_held")
    assert [totals[name] for name in ends] == [1, 1, 2, 1]
    assert totals["messages_received"] == 5


@pytest.mark.parametrize("error", [StoreFull("no room"), Unavailable("I/O"), ValueError("a fault of ours")])
async def test_a_failed_commit_acknowledges_nothing_and_what_is_delivered_again_is_stored_once(
    bench: Bench, error: Exception
) -> None:
    bench.receive(reading(1), reading(2))
    await bench.commit()
    bench.published.clear()
    bench.fail_with.append(error)
    bench.receive(reading(3), reading(4), sos(5))
    await bench.commit()
    assert bench.source.acknowledged == [1, 2]
    assert isinstance(bench.failures[0], Unavailable)
    bench.receipts.send_due()
    assert bench.published == [{"boot": 1, "upto": 2}]  # still owed for the first commit; nothing of the second
    bench.receive(reading(3), reading(4), sos(5), generation=2)
    await bench.commit()
    assert bench.source.acks[1:] == [([3, 4, 5], 2)]
    assert sorted(seqs(bench.store.path)) == [1, 2, 3, 4, 5]
    assert bench.published[1] == {"boot": 1, "upto": 5, "events": [5]}
    assert "messages_duplicate" not in bench.store.totals and bench.store.totals["messages_stored"] == 5
    assert bench.desk.times_saved == 2


async def test_what_came_in_while_a_commit_failed_is_forgotten_with_it_and_not_acknowledged(bench: Bench) -> None:
    bench.fail_with.append(Unavailable("I/O"))
    bench.gate.clear()
    bench.receive(reading(1), urgent=True)
    await until(lambda: not bench.pipeline.work.messages)
    bench.receive(reading(2))
    bench.gate.set()
    await bench.commit()
    assert bench.failures and bench.source.acks == [] and stored(bench.store.path) == 0
    bench.receive(reading(1), reading(2), generation=2)
    await bench.commit()
    assert bench.source.acks == [([1, 2], 2)] and seqs(bench.store.path) == [1, 2]


async def test_a_receipt_never_names_what_is_not_yet_on_the_disk(bench: Bench) -> None:
    bench.gate.clear()
    bench.receive(reading(1), reading(2), sos(3), urgent=True)
    await until(lambda: not bench.pipeline.work.messages)
    bench.receive(reading(4), reading(5))  # decided while the first commit is under way
    assert bench.pipeline.states["wutong", "home-1"].boots[0].upto == 5
    bench.gate.set()
    await until(lambda: bench.source.acks)
    assert bench.published[0] == {"boot": 1, "upto": 3, "events": [3]}
    await bench.commit()
    bench.receipts.send_due()
    assert bench.published[1:] == [{"boot": 1, "upto": 5}]


async def test_events_are_confirmed_at_once_and_readings_gathered(bench: Bench) -> None:
    for n in range(1, 4):
        bench.receive(reading(n))
        await bench.commit()
    assert bench.published == []
    bench.receive(sos(4), urgent=True)
    await bench.commit()
    assert bench.published == [{"boot": 1, "upto": 4, "events": [4]}]
    bench.receive(reading(5))
    await bench.commit()
    bench.receive(reading(6))
    await bench.commit()
    bench.receipts.send_due()
    assert bench.published[1:] == [{"boot": 1, "upto": 6}]
    bench.receipts.send_due()
    assert len(bench.published) == 2


async def test_a_repeated_event_is_confirmed_again(bench: Bench) -> None:
    bench.receive(sos(1))
    await bench.commit()
    bench.receive(sos(1))
    await bench.commit()
    assert bench.published == [{"boot": 1, "upto": 1, "events": [1]}] * 2
    assert stored(bench.store.path) == 1


async def test_a_source_that_is_faster_than_the_disk_is_paused_and_goes_on_after_the_commit(bench: Bench) -> None:
    bench.gate.clear()
    bench.receive(*(reading(n) for n in range(1, 6)))
    await until(lambda: not bench.pipeline.work.messages)
    bench.receive(*(reading(n) for n in range(6, 30)))
    assert bench.source.told == ["pause"]
    bench.receive(reading(30))
    assert bench.source.told == ["pause"]
    bench.gate.set()
    await bench.commit()
    assert bench.source.told == ["pause", "resume"]
    assert bench.committer.commits == 2 and bench.source.acknowledged == list(range(1, 31))


async def test_a_source_paused_when_the_commit_fails_is_not_left_paused(bench: Bench) -> None:
    bench.gate.clear()
    bench.receive(*(reading(n) for n in range(1, 6)))
    await until(lambda: not bench.pipeline.work.messages)
    bench.receive(*(reading(n) for n in range(6, 30)))
    bench.fail_with.append(Unavailable("I/O"))
    bench.gate.set()
    await bench.commit()
    assert bench.source.told == ["pause", "resume"]


async def test_a_hundred_commits_with_random_failures_lose_and_double_nothing(bench: Bench) -> None:
    chance = random.Random(5)
    acknowledged: set[int] = set()
    waiting = list(range(1, 301))
    generation = 1
    while waiting:
        some = waiting[: chance.randint(1, 12)]
        bench.receive(*(sos(n) if n % 7 == 0 else reading(n) for n in some), generation=generation)
        if chance.random() < 0.3:
            bench.fail_with[:] = [Unavailable("I/O")]
        before = len(bench.source.acks)
        await bench.commit()
        bench.fail_with.clear()
        generation += 1
        done = {i for ids, _ in bench.source.acks[before:] for i in ids}
        acknowledged |= done
        waiting = [n for n in waiting if n not in done]
    assert len(bench.failures) > 10
    assert acknowledged == set(range(1, 301))
    assert sorted(seqs(bench.store.path)) == list(range(1, 301))
    bench.receipts.send_due()
    assert max(r["upto"] for r in bench.published) == 300
    assert bench.store.totals["messages_received"] == bench.store.totals["messages_stored"] == 300
