"""What is told beside the outbox: at once, the newest only, and never at the cost of what is in the outbox."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.events import Entry
from edge_gateway.sink import Refusal
from edge_gateway.store import Store
from edge_gateway.uplink import Uplink
from tests.edge_gateway.test_uplink import Bench, Inline, Scripted, reading


class TellingSink(Scripted):
    """A database beside which something is kept; `tell` asks for no more than the database."""

    def tell(self, entries: Sequence[Entry]) -> list[Refusal]:
        self.batches.append([-e.seq for e in entries])  # type: ignore[union-attr]
        return []


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store, sink, told = Store(tmp_path / "kanhu.db"), Scripted(), []  # type: ignore[var-annotated]
    uplink = Uplink(store.path, store, Inline(), sink, batch_entries=10, told=told.append, seed=1)
    yield Bench(store, sink, told, uplink)
    uplink.close()
    store.close()


def test_it_goes_before_the_outbox_in_batches_and_once(bench: Bench) -> None:
    bench.readings(1)
    bench.uplink.tell([reading(seq) for seq in range(100, 115)])
    bench.turns()
    bench.turns()
    assert bench.sink.batches == [list(range(100, 110)), list(range(110, 115)), [1]]
    assert (bench.uplink.state.told, bench.uplink.state.sent) == (15, 1)


def test_the_newer_round_takes_the_place_of_the_one_that_waits(bench: Bench) -> None:
    bench.sink.always = Unavailable("away")
    for seq in (100, 101, 102):
        bench.uplink.tell([reading(seq)])
        assert bench.uplink.turn()
    bench.sink.always = None
    bench.uplink.tell([reading(103)])
    bench.turns()
    assert bench.sink.seqs == [103]
    assert bench.told == ["away", ""]


@pytest.mark.parametrize(
    "error", [Unavailable("too slow"), Misconfigured("no right", "give it"), RuntimeError("a fault of ours")]
)
def test_a_round_the_database_does_not_take_stops_no_reading_and_is_not_tried_at_each_turn(
    bench: Bench, error: Exception
) -> None:
    def answer(entries: Sequence[Entry]) -> list[Refusal]:
        if any(entry.seq >= 100 for entry in entries):  # type: ignore[union-attr]
            raise error
        return []

    bench.sink.always = answer
    bench.uplink.tell([reading(100)])
    for seq in range(1, 6):
        bench.readings(seq)
        bench.turns()
    assert bench.sink.seqs == [1, 2, 3, 4, 5]
    assert bench.waiting == 0


def test_refused_ones_are_counted_and_named_and_are_no_dead_letters(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.sink.always = lambda entries: [Refusal(one, "type_conflict", "float, not string") for one in entries]
    bench.uplink.tell([reading(100), reading(101)])
    bench.turns()
    assert (bench.uplink.state.told, bench.uplink.state.refused) == (0, 2)
    assert caplog.text.count("type_conflict float, not string") == 1
    assert bench.ask("SELECT count(*) FROM dead_letter") == [(0,)]


def test_it_goes_out_though_the_outbox_cannot_be_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(bench.uplink, "_reader", fails)
    bench.uplink.tell([reading(100)])
    assert bench.uplink.turn()
    assert bench.sink.seqs == [100]


def test_what_was_erased_meanwhile_is_told_no_more(bench: Bench) -> None:
    bench.uplink.tell([reading(100)])
    bench.uplink.untell(lambda site, place, device: (site, place) == ("wutong", "w3-201"))
    bench.turns()
    assert bench.sink.batches == []


def test_a_database_with_something_beside_it_is_told_without_that(bench: Bench) -> None:
    sink = TellingSink()
    uplink = Uplink(bench.store.path, bench.store, Inline(), sink, batch_entries=10)
    bench.readings(1)
    uplink.tell([reading(100)])
    uplink.turn()
    uplink.close()
    assert sink.batches == [[-100], [1]]


def test_a_round_that_comes_while_one_is_on_its_way_is_not_lost(bench: Bench) -> None:
    def answer(entries: Sequence[Entry]) -> list[Refusal]:
        bench.sink.always = None
        teller = threading.Thread(target=bench.uplink.tell, args=([reading(101)],))
        teller.start()
        teller.join()
        return []

    bench.sink.always = answer
    bench.uplink.tell([reading(100)])
    bench.turns()
    bench.turns()
    assert bench.sink.seqs == [100, 101]
