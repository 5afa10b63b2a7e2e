"""The courier's pages on a real ledger: real codes of cards, judged and matched as at the gateway."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from fastapi import FastAPI

from dashboards.console.courier import parts
from dashboards.console.courier.ports import Ports
from edge_gateway.registry import Device, Registry, Site
from edge_gateway.settings import Visits
from edge_gateway.visits import look
from edge_gateway.visits.ledger import Ledger
from edge_gateway.visits.records import CardKind, CardRole, Plan, Tap
from tests.console.courier import NOW, ZONE, FakeGateway, S, ns
from tests.couriers.cards import SITE, Chip, Ring
from tests.web import ask, serving

DESK = f"/desk/now?reader={SITE}/desk-1&lang=en"


class House:
    """A gateway's ledger with one reader in a home, one at the desk, and couriers r-1 and r-2."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "visits.db"
        self.now_ns = int(NOW.timestamp()) * S
        devices = {
            (SITE, name): Device(SITE, name, place=place, model="rider_reader", measures=frozenset({"tap"}))
            for name, place in (("home-1", "wutong-3-201"), ("desk-1", "front-desk"))
        }
        registry = Registry(sites={SITE: Site(SITE, SITE)}, devices=devices)
        self.ledger = Ledger(
            self.path, folder / "visits.key", registry, Visits(), lambda: self.now_ns, desk_readers=[f"{SITE}/desk-1"]
        )
        self.ring = Ring(Random(5))
        self._seq = 0
        with self.ledger.book.transaction():
            self.ledger.calendar.put(Plan("p1", SITE, "wutong-3-201", courier="r-1"), "li", "2026-11-01")

    def card(self, holder: str, kind: CardKind = CardKind.NTAG424) -> Chip:
        chip = self.ring.issue(holder, CardRole.COURIER, kind)
        with self.ledger.book.transaction():
            self.ledger.cards.add_meta(SITE, self.ring.meta, "li", anew=False)
            keys = {"file": chip.file} if kind is CardKind.NTAG424 else {}
            self.ledger.cards.enrol(SITE, chip.uid, kind, CardRole.COURIER, holder, 1, keys, None, "li", False)
        return chip

    def tap(self, text: str, at_ns: int, device: str = "home-1", proof: str = "sun") -> Tap:
        self._seq += 1
        place = {"home-1": "wutong-3-201", "desk-1": "front-desk"}[device]
        one = Tap(SITE, device, place, 1, self._seq, at_ns, self.now_ns, "ntp", 0, 0.1, proof, text)
        self.ledger.take([one])
        return one

    def link(self, courier: str) -> str:
        with self.ledger.book.transaction():
            return self.ledger.people.link(courier, SITE, 30, "li")[0]

    def app(self) -> FastAPI:
        app = FastAPI()
        ports = Ports(
            lambda: look.open_ledger(self.path), FakeGateway().call, lambda _site: ZONE, (f"{SITE}/desk-1",),
            now_ns=lambda: self.now_ns,
        )  # fmt: skip
        for part in parts(lambda _request: ports):
            app.include_router(part.router)
        return app


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    yield found
    found.ledger.close()


@pytest.fixture
def site(house: House) -> Iterator[str]:
    with serving(house.app()) as address:
        yield address


def test_a_tap_with_a_real_code_is_counted_in_his_record_and_in_nobody_elses(house: House, site: str) -> None:
    house.tap(house.card("r-1").read(), ns(2026, 11, 21, 11, 32))
    mine, others = (ask(f"{site}/me/{house.link(courier)}?lang=en").text for courier in ("r-1", "r-2"))
    assert "11:32" in mine and "wutong-3-201" in mine and ">counted<" in mine and "proof: strong" in mine
    assert "11:32" not in others and "wutong-3-201" not in others


def test_a_replayed_code_is_shown_as_refused_with_the_reason(house: House, site: str) -> None:
    text = house.card("r-1").read()
    house.tap(text, ns(2026, 11, 21, 11, 32))
    house.tap(text, ns(2026, 11, 21, 11, 50))
    page = ask(f"{site}/me/{house.link('r-1')}?lang=en").text
    assert "tap refused" in page and "11:50" in page


def test_a_link_works_until_its_end_and_not_after_it_was_taken_back(house: House, site: str) -> None:
    first, second = house.link("r-1"), house.link("r-1")
    assert ask(f"{site}/me/{first}").status == ask(f"{site}/me/{second}").status == 200
    with house.ledger.book.transaction():
        house.ledger.people.unlink("r-1", "li")
    assert ask(f"{site}/me/{first}").content == ask(f"{site}/me/{'x' * 32}").content
    third = house.link("r-1")
    house.now_ns += 31 * 86_400 * S
    assert ask(f"{site}/me/{third}").status == 404


def test_two_taps_at_the_desk_open_his_record_and_are_no_visits(house: House, site: str) -> None:
    card = house.card("r-1")
    house.tap(card.read(), ns(2026, 11, 21, 11, 32))
    house.tap(card.read(), house.now_ns - 4 * S, "desk-1")
    assert ask(site + DESK).status == 204
    house.tap(card.read(), house.now_ns - 1 * S, "desk-1")
    answer = ask(site + DESK)
    assert answer.status == 200 and "r-1" in answer.text and "wutong-3-201" in answer.text and "front-desk" not in answer.text
    assert "front-desk" not in ask(f"{site}/me/{house.link('r-1')}").text
    house.now_ns += 31 * S
    assert ask(site + DESK).status == 204


def test_a_copied_number_at_the_desk_opens_nothing(house: House, site: str) -> None:
    card = house.card("r-1", CardKind.UID)
    for ago in (4, 1):
        house.tap(card.uid.hex(), house.now_ns - ago * S, "desk-1", "uid")
    assert "anybody can copy" in ask(site + DESK).text
