"""A courier's phone against a real gateway and the real console: tag, record, objection, and a gateway that is away."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from edge_gateway.errors import Unavailable
from edge_gateway.nfc import keys
from edge_gateway.visits import look
from edge_gateway.visits.records import JudgedTap
from firmware.sim.board.nfc import sun
from tests.console.conftest import _FLAGS as FLAGS
from tests.console.conftest import find_chromium
from tests.couriers.cards import code
from tests.servers import Mosquitto, eventually, free_port
from tests.spine import ROOT, GatewayProcess
from tests.web import ask

LONG_MS = 60_000
PLACE = "wutong-3-201"
MASTER, UID = bytes(range(16)), bytes.fromhex("04a1b2c3d4e5f6")
REGISTRY = f'[sites.s]\n[[devices]]\nsite = "s"\nid = "home-1"\nplace = "{PLACE}"\nmodel = "rider_reader"\nmeasures = ["tap"]\n'


def tag(counter: int) -> str:
    """What the tag on the wall shows at its next reading."""
    meta, file = keys.meta_key(MASTER, "s"), keys.card_key(MASTER, UID, keys.FILE_NO, 1)
    return code(sun.Mode.AES, UID, meta, file, counter, Random(counter))


class House:
    """A gateway with one wall tag enrolled and a plan for today, the console beside it, and a courier's link."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.gateway = GatewayProcess(
            folder,
            {"broker": broker.settings().model_dump(mode="json", exclude_none=True), "console": {"port": self.port}},
            REGISTRY,
        )
        self.gateway.start()
        eventually(self._has_a_ledger, 60, "the ledger")
        self._enrol()
        self._console: subprocess.Popen[bytes] | None = None

    def _has_a_ledger(self) -> bool:
        try:
            self.gateway.call("cards.find", site="s", uid=UID.hex())
        except Unavailable:
            return False
        return True

    def _enrol(self) -> None:
        key = {"file": keys.card_key(MASTER, UID, keys.FILE_NO, 1).hex()}
        self.gateway.call(
            "cards.enrol", site="s", uid=UID.hex(), kind="ntag424", role="place", holder=PLACE, key_version=1, keys=key,
            meta=keys.meta_key(MASTER, "s").hex(), counter=0, by="li",
        )  # fmt: skip
        plan = {"id": "p1", "site": "s", "place": PLACE, "opens_min": 0, "closes_min": 1439, "courier": "r-17"}
        self.gateway.call("visits.plan", site="s", by="li", rows=[plan], replace=False)
        self.token = str(self.gateway.call("visits.link", courier="r-17", site="s", by="li", days=30)["token"])

    def open_console(self) -> None:
        argv = [sys.executable, "-m", "kanhu", "console", "--settings", str(self.gateway.settings_file)]
        with (self.gateway.folder / "console.log").open("ab") as log:
            self._console = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log, env=dict(os.environ))
        eventually(self._answers, 60, "the console")

    def _answers(self) -> bool:
        try:
            return ask(self.url + "/t").status == 200
        except OSError:
            return False

    def close(self) -> None:
        if self._console is not None:
            self._console.send_signal(signal.SIGTERM)
            self._console.wait(30)
        self.gateway.stop()

    def taps(self) -> list[JudgedTap]:
        with look.open_ledger(self.gateway.folder / "var" / "visits.db") as ledger:
            return ledger.courier_taps("r-17")

    def said(self) -> list[dict[str, Any]]:
        with look.open_ledger(self.gateway.folder / "var" / "visits.db") as ledger:
            return [entry.body for entry in ledger.log() if entry.kind == "correction"]


@pytest.fixture
def house(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[House]:
    found = House(tmp_path / "gateway", mosquitto)
    try:
        found.open_console()
        yield found
    finally:
        found.close()


@contextmanager
def phone() -> Iterator[BrowserContext]:
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        yield browser.new_context(viewport={"width": 360, "height": 740}, locale="zh-CN")
        browser.close()


def shown(page: Page, state: str) -> None:
    expect(page.locator("#state")).to_have_attribute("data-state", state, timeout=LONG_MS)


@pytest.mark.slow
def test_a_couriers_day_with_his_phone(house: House) -> None:
    with phone() as browser:
        page = browser.new_page()
        page.goto(f"{house.url}/me/{house.token}")
        page.click("#my-phone")
        page.goto(f"{house.url}/t?{tag(1)}")
        page.click("#where-no")
        shown(page, "delivered")
        eventually(house.taps, 60, "the tap in the ledger")

        # The gateway is away: the tap is on the phone, and the record can still be read.
        house.gateway.kill()
        page.goto(f"{house.url}/t?{tag(2)}")
        shown(page, "recorded")
        expect(page.locator("#waiting li")).to_have_count(1)
        record = browser.new_page()
        record.goto(f"{house.url}/me/{house.token}?lang=en")
        assert "counted" in record.inner_text("article") and PLACE in record.inner_text("article")
        house.gateway.start()
        page.evaluate("window.dispatchEvent(new Event('online'))")
        shown(page, "delivered")
        eventually(lambda: len(house.taps()) == 2, 60, "both taps in the ledger")

        # The same link once more, from another phone, is no second visit.
        page.goto(f"{house.url}/t?{tag(2)}")
        shown(page, "delivered")
        assert [tap.tap.place or tap.place for tap in house.taps()] == [PLACE, PLACE]

        today = f"{datetime.now(ZoneInfo('Asia/Shanghai')):%Y-%m-%d}"
        record.goto(f"{house.url}/me/{house.token}?lang=en")
        row = record.locator(f'[data-visit="p1/{today}"]')
        row.locator("summary").click()
        row.locator("textarea").fill("I came twice <b>today</b>")
        row.locator("button").click()
        expect(record.locator(".notice")).to_be_visible(timeout=LONG_MS)
        eventually(house.said, 60, "the objection in the ledger")
        (word,) = house.said()
        assert (word["by"], word["action"], word["reason"]) == ("r-17", "object", "I came twice <b>today</b>")
        record.reload()
        assert "I came twice <b>today</b>" in record.inner_text("article") and "waiting for an answer" in record.inner_text(
            "article"
        )
