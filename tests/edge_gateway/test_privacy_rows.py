"""A home goes out of every table of the store, byte by byte, and its neighbours keep every byte of theirs."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge_gateway import alerts, events
from edge_gateway.alerts import Alert
from edge_gateway.alerts.alert import Change, State
from edge_gateway.events import Entry, Event, Reading, Readings
from edge_gateway.privacy.raw import RawSeal
from edge_gateway.privacy.store_rows import erase, erase_outbox, erase_whole_outbox
from edge_gateway.privacy.subject import Subject
from edge_gateway.rules import Severity
from edge_gateway.store import Store
from edge_gateway.transaction import Commit, DeadLetter, Held, Lane
from edge_gateway.visits import codec
from edge_gateway.visits.records import Tap

HIM = Subject("s", "home-1", "e-1", frozenset({"box-1"}))
SEAL = RawSeal(bytes(range(64)))


def reading(place: str, device: str, n: int = 0, site: str = "s") -> Readings:
    return Readings.of(site, device, place, 1, n, n, n, "ntp", 0, None, [Reading("motion", 1.0, 1)])


def alert(place: str, text: str, device: str = "", **more: Any) -> tuple[str, bool, int, bytes]:
    id_ = f"id-{place or device}-{len(text)}"
    found = Alert(
        id=id_, key=f"k/{place}", rule="silence", severity=Severity.WARNING, site="s", device=device, place=place,
        occurred_ns=1, raised_ns=2, text_zh=text, text_en=text, evidence=[text], state=State.CLOSED,
        history=[Change(3, State.CLOSED, "li", text)], **more,
    )  # fmt: skip
    return id_, False, 2, alerts.pack(found)


def letter(device: str, payload: bytes, stage: str = "decode", topic: str = "t", detail: str = "d") -> DeadLetter:
    return DeadLetter(stage, "malformed", detail, topic, "s", device, None, None, 1, payload)


def tap(place: str) -> bytes:
    return codec.pack(Tap("s", "door", place, 1, len(place), 1, 1, "ntp", 0, None, "uid", "04d9e2715c0b33"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "gateway.db", raw=SEAL)) as found:
        yield found


def left(store: Store, query: str) -> list[tuple[Any, ...]]:
    return store.change(lambda db: db.execute(query).fetchall())


def outbox(store: Store) -> list[Entry]:
    return [entry for (body,) in left(store, "SELECT body FROM outbox ORDER BY id") for entry in events.unpack(body)]


def test_a_row_of_many_homes_loses_one_and_keeps_the_others_as_they_were(store: Store) -> None:
    mixed: list[list[Entry]] = [
        [reading("home-1", "box-1", 1), reading("home-12", "box-12", 2), reading("home-1", "box-1", 3)],
        [reading("home-1", "box-1", 4)],
        [reading("home-12", "box-12", 5), reading("home-1", "box-1", 6, site="other"), reading("", "box-1", 7)],
        [Event("s", "box-1", "home-1", 1, 8, 8, 8, "ntp", 0, None, "sos", [Reading("sos", 1.0)])],
    ]
    for lane, entries in zip((1, 1, 1, 0), mixed, strict=True):
        store.commit(Commit(rows=[(lane, len(entries), 5, events.pack(entries))]))
    count = store.change(lambda db: erase_whole_outbox(db, HIM))
    stay = [mixed[0][1], *mixed[2][:2]]
    assert (count, outbox(store)) == (5, stay)
    assert (store.backlog.rows, store.backlog.entries) == (2, 3)
    sizes = left(store, "SELECT rows, entries, bytes FROM size WHERE what = 'data'")
    assert sizes == left(store, "SELECT count(*), sum(entries), sum(length(body)) FROM outbox")
    with closing(Store(store.path.parent / "again.db")) as other:
        other.commit(Commit(rows=[(int(Lane.DATA), 1, 5, b"not a row")]))
        assert other.change(lambda db: erase_whole_outbox(db, HIM)) == 0, "what nobody can read is counted by its reader"


def test_a_long_outbox_is_gone_through_in_parts(store: Store) -> None:
    for n in range(7):
        place = "home-1" if n % 2 else "home-2"
        store.commit(Commit(rows=[(1, 1, n, events.pack([reading(place, "b", n)]))]))
    parts, above = [], 0
    while True:
        gone, last = store.change(lambda db, above=above: erase_outbox(db, HIM, above, 3))  # type: ignore[misc]
        parts.append(gone)
        if last is None:
            break
        above = last
    assert parts == [1, 2, 0] and len(outbox(store)) == 4


def test_every_other_table(store: Store) -> None:
    packed = events.pack([reading("home-1", "box-1")])
    store.commit(
        Commit(
            devices=[("s", "box-1", b"a"), ("s", "box-12", b"b"), ("other", "box-1", b"c")],
            homes=[("s", "home-1", "now", b"a"), ("s", "home-1", "past", b"b"), ("s", "home-12", "now", b"c")],
            notes=[
                ("s", "home-1", 1, "li", "looked", ""),
                ("s", "home-12", 1, "li", "seen", "asked at home-1, too"),
                ("s", "home-12", 1, "li", "seen", "home-12 is fine"),
            ],
            held=[Held("t", "s", "box-1", 1, b"x"), Held("t", "s", "box-12", 1, b"y")],
            taps=[(False, tap("home-1")), (False, tap("home-12"))],
            dead=[
                letter("box-1", b"1"),
                letter("", packed, "outbox"),
                letter("box-9", b'{"place":"home-1"}'),
                letter("box-9", b'{"place":"home-12"}'),
                letter("box-9", b"2", detail="near home-1: odd"),
            ],
            alerts=[
                alert("home-1", "home-1: quiet"),
                alert("home-12", "home-12: quiet"),
                alert("", "30 homes are quiet: home-1, home-12 and others; e-1 is ill" + "." * 30, device="gw"),
                alert("", "box-1 is late", device="box-1"),
            ],
        )
    )
    gone = store.change(lambda db: erase(db, HIM, SEAL))
    assert gone == {"home": 3, "devices": 1, "taps": 1, "held": 1, "dead letters": 4, "alerts": 2}
    assert left(store, "SELECT site, device FROM device ORDER BY 1, 2") == [("other", "box-1"), ("s", "box-12")]
    assert left(store, "SELECT place FROM home") == [("home-12",)]
    assert left(store, "SELECT detail FROM home_log ORDER BY id") == [("asked at (erased), too",), ("home-12 is fine",)]
    assert [codec.unpack_tap(row.body).place for row in store.taps(9)] == ["home-12"]
    assert [SEAL.open(payload) for (payload,) in left(store, "SELECT payload FROM dead_letter")] == [b'{"place":"home-12"}']
    about = {found.place: found for found in (alerts.unpack(body) for (body,) in left(store, "SELECT body FROM alert"))}
    many = "30 homes are quiet: (erased), home-12 and others; (erased) is ill" + "." * 30
    assert (about[""].text_en, about[""].text_zh, about[""].evidence) == (many, many, [many])
    assert about[""].history == [Change(3, State.CLOSED, "li", many)]
    assert alerts.pack(about["home-12"]) == alert("home-12", "home-12: quiet")[3]
    assert store.compact()
    raw = b"".join(file.read_bytes() for file in store.path.parent.glob("gateway.db*")).replace(b"home-12", b"")
    assert b"home-1" not in raw and b"e-1" not in raw
    sizes = dict(left(store, "SELECT what, rows FROM size"))
    assert (sizes["dead"], sizes["held"], sizes["tap"]) == (1, 1, 1)


def test_a_home_of_another_site_with_the_same_number_loses_nothing(store: Store) -> None:
    elsewhere = DeadLetter("decode", "malformed", "of home-1", "t", "other", "box-1", None, None, 1, b'{"place":"home-1"}')
    nowhere = DeadLetter("decode", "malformed", "of home-1", "t", "", "", None, None, 2, b"x")
    theirs = alerts.unpack(alert("home-1", "home-1: quiet")[3])
    theirs.site = "other"
    body = alerts.pack(theirs)
    store.commit(Commit(dead=[elsewhere, nowhere], alerts=[(theirs.id, True, 2, body)]))
    assert store.change(lambda db: erase(db, HIM, SEAL))["dead letters"] == 1
    assert left(store, "SELECT site FROM dead_letter") == [("other",)]
    assert left(store, "SELECT body FROM alert") == [(body,)]


def test_an_id_that_only_begins_alike_is_another() -> None:
    assert not HIM.mentioned_in(b"home-12 home-1-a xhome-1 e-11 home-1_b")
    assert HIM.mentioned_in(b'"home-1":') and HIM.mentioned_in("住家home-1。".encode()) and HIM.mentioned_in(b"s/e-1/")
    assert HIM.struck("home-1 und home-12, \udcff e-1") == "(erased) und home-12, \udcff (erased)"
