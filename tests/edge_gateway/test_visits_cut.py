"""The ledger's beginning goes when its time is over; what stays is proved as before, and no old code counts again."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from edge_gateway.visits import chain, cut
from edge_gateway.visits.records import Reason, Ruling
from operations.visits import sheet
from operations.visits.verify import verify
from tests.couriers.cards import SITE
from tests.edge_gateway.visits_world import DAY, World, at

NEW = (date.fromisoformat(DAY) + timedelta(days=110)).isoformat()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def lived(world: World) -> tuple[str, str]:
    """Two days, months apart; the codes of the taps."""
    card = world.card("k-1")
    world.plan()
    codes = world.read(card), world.read(card)
    world.take(world.tap(codes[0], "11:20"))
    world.take(world.tap(codes[1], "11:20", day=NEW))
    world.now_ns = at("18:00", NEW)
    return codes


def proved(world: World) -> int:
    """Links of the chain, all of which hold."""
    with world.look() as ledger:
        n, _ = ledger.anchor()
        entries = list(ledger.log(n + 1))
        chain.verify(entries, ledger.anchor())
    return len(entries)


def test_old_visits_go_and_the_months_that_stay_are_proved(world: World, tmp_path: Path) -> None:
    lived(world)
    whole = proved(world)
    assert {visit.date for visit in world.visits()} == {DAY, NEW}
    gone = cut.cut(world.ledger.book, world.now_ns, 100)
    assert (gone["visit"], gone["tap"]) == (1, 1) and gone["log"] > 0
    assert {visit.date for visit in world.visits()} == {NEW}
    assert 0 < proved(world) < whole
    with world.look() as ledger:
        assert ledger.recent_taps(SITE, "door-1", 0, 100)[0].tap.time_ns == at("11:20", NEW)
        sheet.make(ledger, tmp_path / "out", sheet.Order(SITE, NEW[:7], "Asia/Shanghai", made_ns=world.now_ns))
    report = verify(sorted((tmp_path / "out").iterdir()))
    assert report.count == 0, [str(one) for one in report.differences]
    # Nothing is left to do, and the ledger goes on, also after it was opened anew.
    assert not any(cut.cut(world.ledger.book, world.now_ns, 100).values())
    world.close()
    world.open()
    before = proved(world)
    world.plan(id="meal-2", opens_min=800, closes_min=830)
    assert proved(world) > before


def test_a_code_that_was_used_before_never_counts_again(world: World) -> None:
    old, _ = lived(world)
    cut.cut(world.ledger.book, world.now_ns, 100)
    taken = world.take(world.tap(old, "12:30", day=NEW, device="door-2"))
    (one,) = taken.judged
    assert (one.judgement.ruling, one.judgement.reasons) == (Ruling.REFUSED, (Reason.REPLAY,))


def test_the_next_tap_of_the_card_counts_as_ever(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    world.take(world.tap(world.read(card), "11:20"))
    world.now_ns = at("10:00", NEW)
    cut.cut(world.ledger.book, world.now_ns, 100)
    (one,) = world.take(world.tap(world.read(card), "11:20", day=NEW)).judged
    assert one.judgement.ruling is Ruling.COUNTED and not one.judgement.reasons
    assert [visit.counted for visit in world.visits(date_from=NEW)] == [True]


def test_a_long_beginning_goes_in_parts_and_no_place_is_left_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "AT_ONCE", 2)
    lived(world)
    parts = 0
    while (gone := cut.cut(world.ledger.book, world.now_ns, 100))["log"] >= 2:
        parts += 1
        proved(world)
    assert parts > 1 and gone["visit"] == 0
    facts = world.ledger.book.db.execute("SELECT place, time_ns FROM fact ORDER BY counter").fetchall()
    assert facts[0] == ("", 0) and facts[-1][0] == "w3-201"


def test_what_the_database_has_not_been_told_stays(world: World) -> None:
    lived(world)
    with world.ledger.book.transaction():
        world.ledger.book.set_meta("told_upto", 1)
    assert cut.cut(world.ledger.book, world.now_ns, 100)["log"] == 0
    proved(world)
