"""Uplink: a row leaves the outbox when the database holds it and not before; nothing stops the way, nothing is left behind."""

import logging
import sqlite3
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge_gateway import events
from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.events import Entry, Event, Reading, Readings
from edge_gateway.sink import Refusal
from edge_gateway.store import Store, StoreFull
from edge_gateway.store_file import read_only
from edge_gateway.transaction import Commit, Lane
from edge_gateway.uplink import Uplink

NOW = 1_780_000_000_000_000_000


def reading(seq: int) -> Readings:
    return Readings.of("wutong", "home-1", "w3-201", 1, seq, NOW + seq, NOW, "ntp", 0, None, [Reading("temperature", 21.5)])


def sos(seq: int) -> Event:
    return Event("wutong", "home-1", "w3-201", 1, seq, NOW + seq, NOW, "ntp", 0, None, "sos", [Reading("sos", 1.0)])


Answer = Callable[[Sequence[Entry]], list[Refusal]]


@dataclass
class Scripted:
    """A database that answers the next writes as the script says, and takes everything after it."""

    name: str = "scripted"
    script: list[Answer | Exception] = field(default_factory=list)
    always: Answer | Exception | None = None
    batches: list[list[int]] = field(default_factory=list)  # the seqs of each write it took

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        answer = self.script.pop(0) if self.script else self.always
        if isinstance(answer, Exception):
            raise answer
        refusals = answer(entries) if answer is not None else []
        self.batches.append([e.seq for e in entries])  # type: ignore[union-attr]
        return refusals

    def close(self) -> None: ...

    @property
    def seqs(self) -> list[int]:
        return [seq for batch in self.batches for seq in batch]


class Inline(Executor):
    """Runs at once; the tests' only thread is the store's."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@dataclass
class Bench:
    """A store, a scripted database and the uplink between them, whose turns the test takes."""

    store: Store
    sink: Scripted
    told: list[str]
    uplink: Uplink

    def readings(self, *seqs: int) -> None:
        self.store.commit(Commit(rows=[(1, len(seqs), NOW, events.pack([reading(s) for s in seqs]))]))

    def sos(self, *seqs: int) -> None:
        self.store.commit(Commit(rows=[(0, len(seqs), NOW, events.pack([sos(s) for s in seqs]))]))

    def turns(self) -> None:
        """Until there is nothing to send, or a reason to wait."""
        while self.uplink.turn() == 0.0:
            pass

    @property
    def waiting(self) -> int:
        return int(self.ask("SELECT coalesce(sum(entries), 0) FROM outbox")[0][0])

    def ask(self, query: str) -> list[Any]:
        with closing(read_only(self.store.path)) as db:
            return db.execute(query).fetchall()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = Store(tmp_path / "kanhu.db")
    sink = Scripted()
    told: list[str] = []
    uplink = Uplink(store.path, store, Inline(), sink, batch_entries=10, told=told.append, seed=1)
    yield Bench(store, sink, told, uplink)
    uplink.close()
    store.close()


# Order and size


def test_nothing_leaves_the_outbox_before_the_database_has_answered(bench: Bench) -> None:
    waiting: list[int] = []
    bench.sink.always = lambda entries: waiting.append(bench.waiting) or []  # type: ignore[func-returns-value]
    bench.readings(1, 2, 3)
    bench.turns()
    assert waiting == [3] and bench.waiting == 0
    assert bench.store.totals["entries_sent"] == bench.uplink.state.sent == 3


def test_with_nothing_to_send_the_database_is_left_alone(bench: Bench) -> None:
    assert bench.uplink.turn() is None
    assert bench.sink.batches == []


def test_what_is_read_at_once_goes_in_batches_and_is_forgotten_after_the_last(bench: Bench) -> None:
    bench.uplink.close()
    bench.uplink = Uplink(bench.store.path, bench.store, Inline(), bench.sink, batch_entries=10, batches=3, seed=1)
    bench.uplink.turn()
    for first in range(0, 40, 8):
        bench.readings(*range(first, first + 8))
    left: list[int] = []
    bench.sink.always = lambda entries: left.append(bench.waiting) or []  # type: ignore[func-returns-value]
    bench.turns()
    assert bench.sink.batches == [[*range(0, 10)], [*range(10, 20)], [*range(20, 24)], [*range(24, 34)], [*range(34, 40)]]
    assert left == [40, 40, 40, 16, 16] and bench.waiting == 0


def test_events_go_before_readings_that_came_first(bench: Bench) -> None:
    bench.uplink.turn()
    bench.readings(1)
    bench.readings(2)
    bench.sos(3)
    bench.turns()
    assert bench.sink.seqs == [3, 1, 2]


def test_while_the_room_is_kept_for_events_readings_stay_in_the_outbox(bench: Bench) -> None:
    bench.uplink.events_only = True
    bench.readings(1, 2)
    bench.sos(3)
    bench.turns()
    assert bench.sink.seqs == [3] and bench.waiting == 2
    bench.uplink.events_only = False
    bench.turns()
    assert bench.sink.seqs == [3, 1, 2]


def test_rows_travel_together_up_to_a_batch_and_a_long_row_is_divided(bench: Bench) -> None:
    bench.uplink.turn()
    for seq in range(1, 13):
        bench.readings(seq)
    bench.readings(*range(13, 38))
    bench.turns()
    assert [len(b) for b in bench.sink.batches] == [10, 2, 10, 10, 5]
    assert bench.sink.seqs == list(range(1, 38))


def test_after_an_outage_fresh_readings_go_beside_the_backlog_which_goes_oldest_first(bench: Bench) -> None:
    bench.sink.always = Unavailable("connection refused")
    for seq in range(100):
        bench.readings(seq)
        if seq % 10 == 0:
            assert bench.uplink.turn()
    bench.sink.always = None
    bench.uplink.turn()
    bench.readings(1000)
    bench.uplink.turn()
    assert bench.sink.batches == [[*range(91, 100)], [*range(10)], [1000], [*range(10, 20)]]
    bench.sos(2000)
    bench.uplink.turn()
    assert bench.sink.batches[4:] == [[2000], [*range(20, 30)]]
    bench.turns()
    old = [s for s in bench.sink.seqs if s < 91]
    assert old == sorted(old)
    assert sorted(bench.sink.seqs) == [*range(100), 1000, 2000]
    assert bench.waiting == 0


def test_a_backlog_of_an_earlier_run_does_not_hold_up_what_comes_now(bench: Bench) -> None:
    for seq in range(50):
        bench.readings(seq)
    bench.uplink.turn()
    bench.readings(1000)
    bench.uplink.turn()
    assert bench.sink.batches == [list(range(10)), [1000], list(range(10, 20))]


def test_memory_does_not_grow_with_the_backlog(bench: Bench) -> None:
    body = events.pack([reading(1)])
    bench.store.commit(Commit(rows=[(1, 1, NOW, body)] * 200_000))
    tracemalloc.start()
    for _ in range(5):
        assert bench.uplink.turn() == 0.0
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20
    assert bench.waiting == 200_000 - 50


# A database that does not answer, or not well


@pytest.mark.parametrize("error", [Unavailable("connection refused"), Misconfigured("401", "check the token")])
def test_everything_is_kept_while_the_database_is_away_and_it_is_told_once_that_it_went_and_once_that_it_is_back(
    bench: Bench, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.readings(1, 2)
    bench.sink.always = error
    for _ in range(20):
        assert bench.uplink.turn()
    assert bench.waiting == 2
    assert bench.told == [str(error)]
    assert bench.uplink.state.trouble == str(error)
    assert bench.uplink.state.trouble_is_ours == isinstance(error, Misconfigured)
    bench.sink.always = None
    bench.turns()
    assert bench.told == [str(error), ""]
    assert bench.uplink.state.trouble == "" and not bench.uplink.state.trouble_is_ours
    assert bench.waiting == 0
    assert [r.levelname for r in caplog.records] == ["WARNING", "INFO"]


def test_an_outage_that_turns_into_something_only_a_person_can_mend_is_told_again(bench: Bench) -> None:
    bench.readings(1)
    bench.sink.script = [Unavailable("refused"), Unavailable("timed out"), Misconfigured("401"), Misconfigured("401")]
    for _ in range(4):
        bench.uplink.turn()
    assert bench.told == ["refused", "401"]


def test_the_pause_grows_to_eight_seconds_and_the_databases_own_wish_comes_first(bench: Bench) -> None:
    bench.readings(1)
    bench.sink.always = Unavailable("refused")
    pauses = [bench.uplink.turn() or 0.0 for _ in range(12)]
    assert all(0.5 * min(2**n, 8) <= pause <= min(2**n, 8) for n, pause in enumerate(pauses))
    for asked, waited in ((0.0, 0.0), (7.5, 7.5), (86_400.0, 600.0), (-5.0, 0.0)):
        bench.sink.always = Unavailable("429", retry_after_s=asked)
        assert bench.uplink.turn() == waited
    bench.sink.always = Misconfigured("401")
    assert bench.uplink.turn() == 8.0
    bench.sink.always = None
    bench.turns()
    bench.readings(2)
    bench.sink.always = Unavailable("refused")
    assert (bench.uplink.turn() or 9.0) <= 1.0  # begins anew after a success


def test_what_the_database_refuses_is_a_dead_letter_and_its_neighbours_are_through(bench: Bench) -> None:
    bench.sink.always = lambda entries: [Refusal(e, "type_conflict", "float is int") for e in entries if e.seq in (2, 9)]  # type: ignore[union-attr]
    bench.readings(1, 2, 3)
    bench.sos(9)
    bench.turns()
    assert bench.waiting == 0
    letters = bench.ask("SELECT stage, reason, detail, topic, boot, seq, rank, payload FROM dead_letter ORDER BY seq")
    assert [row[:-1] for row in letters] == [
        ("write", "type_conflict", "float is int", "kanhu/1/wutong/home-1/up/data", 1, 2, 2),
        ("write", "type_conflict", "float is int", "kanhu/1/wutong/home-1/up/event", 1, 9, 3),
    ]
    assert [events.unpack(row[-1]) for row in letters] == [[reading(2)], [sos(9)]]
    assert bench.store.totals == {"entries_sent": 2, "entries_refused": 2}


def test_a_damaged_row_is_a_dead_letter_and_the_rest_goes_on(bench: Bench) -> None:
    bench.readings(1)
    bench.readings(2, 3)
    bench.readings(4)
    bench.store._db.execute("UPDATE outbox SET body = X'00' || substr(body, 2) WHERE id = 2")
    bench.turns()
    assert bench.sink.seqs == [1, 4]
    assert bench.waiting == 0
    assert bench.ask("SELECT stage, reason FROM dead_letter") == [("outbox", "damaged_row")]
    assert bench.store.totals == {"entries_sent": 2, "entries_damaged": 2}
    assert bench.uplink.state.damaged == 1


def test_a_row_of_another_version_is_a_dead_letter_too(bench: Bench) -> None:
    bench.store.commit(Commit(rows=[(1, 1, NOW, b"\x91\x91\xa7unknown")]))
    bench.turns()
    assert bench.waiting == 0 and bench.ask("SELECT count(*) FROM dead_letter") == [(1,)]


def test_an_entry_the_sink_falls_over_is_found_and_buried_and_its_neighbours_are_through(bench: Bench) -> None:
    calls = 0

    def answer(entries: Sequence[Entry]) -> list[Refusal]:
        nonlocal calls
        calls += 1
        if any(e.seq == 6 for e in entries):  # type: ignore[union-attr]
            raise ZeroDivisionError("a fault of ours")
        return []

    bench.sink.always = answer
    bench.readings(*range(1, 11))
    bench.turns()
    assert sorted(bench.sink.seqs) == [1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert bench.waiting == 0 and calls < 10
    assert bench.ask("SELECT reason, seq FROM dead_letter") == [("database_failed", 6)]
    assert bench.told == []


def test_a_sink_that_falls_over_everything_is_away_and_nothing_is_buried(bench: Bench) -> None:
    bench.readings(*range(1, 11))
    bench.sink.always = ZeroDivisionError("a fault of ours")
    for _ in range(5):
        assert bench.uplink.turn()
    assert bench.waiting == 10 and not bench.ask("SELECT 1 FROM dead_letter")
    assert len(bench.told) == 1 and "ZeroDivisionError" in bench.told[0]
    bench.sink.always = OSError("reset by peer")
    assert bench.uplink.turn() and bench.waiting == 10
    bench.sink.always = None
    bench.turns()
    assert bench.waiting == 0 and not bench.ask("SELECT 1 FROM dead_letter")


def test_an_outage_in_the_middle_of_a_long_row_sends_it_again_and_forgets_nothing_too_early(bench: Bench) -> None:
    bench.readings(*range(25))
    bench.sink.script = [lambda entries: [], Unavailable("gone")]
    assert bench.uplink.turn()
    assert bench.waiting == 25
    bench.turns()
    assert bench.waiting == 0
    assert set(bench.sink.seqs) == set(range(25))
    assert bench.store.totals["entries_sent"] == 25


# Our own disk


def test_when_the_disk_is_full_rows_stay_and_the_database_is_not_blamed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.readings(1)
    with monkeypatch.context() as patch:

        def full(*args: Any) -> None:
            raise StoreFull("no room")

        patch.setattr(bench.store, "forget", full)
        for _ in range(5):
            assert bench.uplink.turn()
    assert bench.waiting == 1 and bench.told == []
    assert [r.getMessage() for r in caplog.records] == ["the outbox: cannot forget what the database holds: no room"]
    bench.turns()
    assert bench.waiting == 0


def test_a_damaged_page_of_the_outbox_does_not_stop_what_is_behind_it(bench: Bench) -> None:
    for seq in range(2000):
        bench.readings(seq)
    bench.store.checkpoint()
    path = bench.store.path
    whole = path.read_bytes()
    at = whole.index(events.pack([reading(1000)])) // 4096 * 4096
    for suffix in ("-wal",):  # SQLite would read the page from its log
        bench.store.close()
        assert not path.with_name(path.name + suffix).exists()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * 4096)
    bench.store = Store(path)
    bench.uplink._store = bench.store
    for _ in range(1000):
        if bench.uplink.turn() is None:
            break
    lost = bench.store.totals["entries_lost_damage"]
    assert 0 < lost < 50
    assert len(set(bench.sink.seqs)) == 2000 - lost
    assert bench.waiting == 0
    bench.readings(5000)
    bench.turns()
    assert bench.sink.seqs[-1] == 5000


def test_an_outbox_that_cannot_be_read_is_read_again_later(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.readings(1)
    bench.uplink._path = bench.store.path.with_name("gone")
    for _ in range(3):
        assert bench.uplink.turn()
    assert len(caplog.records) == 1
    bench.uplink._path = bench.store.path
    bench.turns()
    assert bench.waiting == 0


# The thread


@pytest.fixture
def store_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_the_thread_sends_what_it_is_woken_for_and_outlives_any_exception(
    bench: Bench, store_thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_gateway.uplink._RETRY_FIRST_S", 0.001)
    monkeypatch.setattr("edge_gateway.uplink._LINGER_S", 0.0)
    through = threading.Event()
    bench.sink.script = [ValueError("?"), ValueError("?"), sqlite3.OperationalError("?"), MemoryError(), Unavailable("away")]
    bench.sink.always = lambda entries: through.set() or []  # type: ignore[func-returns-value]
    uplink = Uplink(bench.store.path, bench.store, store_thread, bench.sink, seed=1)
    uplink.start()
    store_thread.submit(bench.readings, 1).result()
    uplink.wake()
    assert through.wait(10)
    uplink.stop()
    assert not uplink._thread.is_alive()
    assert bench.sink.seqs == [1] and bench.waiting == 0


def test_stop_while_a_write_hangs_returns_in_time_and_the_rows_are_still_there(
    bench: Bench, store_thread: ThreadPoolExecutor
) -> None:
    hanging, release = threading.Event(), threading.Event()

    def hang(entries: Sequence[Entry]) -> list[Refusal]:
        hanging.set()
        release.wait(30)
        raise Unavailable("timed out at last")

    bench.sink.always = hang
    bench.readings(1, 2)
    uplink = Uplink(bench.store.path, bench.store, store_thread, bench.sink)
    uplink.start()
    assert hanging.wait(10)
    uplink.stop(0.05)
    assert bench.waiting == 2
    release.set()
    uplink._thread.join(10)
    assert not uplink._thread.is_alive() and bench.waiting == 2


def test_a_write_that_ends_after_the_gateway_closed_its_store_harms_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    hanging, release = threading.Event(), threading.Event()

    def slow(entries: Sequence[Entry]) -> list[Refusal]:
        hanging.set()
        release.wait(30)
        return []

    bench.sink.always = slow
    bench.readings(1)
    executor = ThreadPoolExecutor(1)
    uplink = Uplink(bench.store.path, bench.store, executor, bench.sink)
    uplink.start()
    assert hanging.wait(10)
    uplink.stop(0.05)
    executor.submit(bench.store.close).result()
    executor.shutdown()
    release.set()
    uplink._thread.join(10)
    assert not uplink._thread.is_alive()
    assert caplog.records == []
    with closing(Store(bench.store.path)) as store:
        assert store.backlog.entries == 1  # sent twice is harmless


def test_lane_numbers_are_the_order_of_sending() -> None:
    assert list(Lane) == [Lane.EVENT, Lane.DATA] == [0, 1]
