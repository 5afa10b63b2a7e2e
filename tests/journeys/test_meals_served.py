"""A day's meals from the counter's scale to the month's sheet: real broker, gateway and commands; devices by the contract."""

import csv
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from typer.testing import CliRunner

import kanhu_app
from edge_gateway.errors import Unavailable
from edge_gateway.nfc import keys
from edge_gateway.topics import Up, up
from edge_gateway.visits.look import open_ledger
from edge_gateway.visits.records import CardKind, CardRole
from firmware.sim.board.nfc.type4 import Ntag424, Secrets
from operations.visits.verify import verify
from tests.journeys.visits_town import read
from tests.servers import Mosquitto, PahoClient, eventually, paho_client
from tests.spine import GatewayProcess

PATIENCE_S = 60.0
SITE = "s"
MASTER = bytes(range(16))
META = keys.meta_key(MASTER, SITE)
UID = bytes.fromhex("04a2b3c4d5e680")
FILE, LIVE = (keys.card_key(MASTER, UID, number, 1) for number in (keys.FILE_NO, keys.LIVE_NO))
REGISTRY = f'[sites.{SITE}]\nzone = "Asia/Shanghai"\n' + "".join(
    f'[[devices]]\nsite = "{SITE}"\nid = "{name}"\nplace = "{place}"\nmodel = "{model}"\ncadence_s = 3600.0\n'
    for name, place, model in (
        ("counter-1", "hall", "meal_counter"),
        ("door-1", "p-1", "rider_reader"),
        ("door-2", "p-2", "rider_reader"),
    )
)


class Devices:
    """A counter and two doors; one courier's card."""

    def __init__(self, mqtt: PahoClient) -> None:
        self._mqtt = mqtt
        self._seqs: dict[str, int] = {}
        self._card = Ntag424(UID, Secrets(META, FILE, {3: LIVE}))

    def born(self) -> None:
        for name in ("counter-1", "door-1", "door-2"):
            self._say(name, Up.STATUS, {"online": True, "boot": 7, "clk": "ntp", "time": time.time(), "up": 60.0})

    def tap(self, name: str, at_s: float, mass_g: float | None = None) -> str:
        """The card at a reader at that time; the tap's id."""
        seq = self._seqs[name] = self._seqs.get(name, 0) + 1
        head = {"boot": 7, "seq": seq, "clk": "ntp", "err": 0.05, "up": 60.0 + seq, "bt": at_s}
        items: list[dict[str, Any]] = [{**head, "n": "tap", "vs": read(self._card)}, {"n": "proof", "vs": "sun"}]
        if mass_g is not None:
            items.append({"n": "mass", "u": "g", "v": mass_g, "cal": "counter-1/2026-11-01"})
        self._say(name, Up.EVENT, items)
        return f"{SITE}/{name}/7/{seq}"

    def _say(self, name: str, channel: Up, body: object) -> None:
        self._mqtt.publish_all([(up(SITE, name, channel), json.dumps(body).encode())])


@pytest.fixture
def gateway(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[GatewayProcess]:
    settings = {"broker": mosquitto.settings().model_dump(mode="json", exclude_none=True)}
    found = GatewayProcess(tmp_path / "gateway", settings, REGISTRY)
    found.start()
    yield found
    found.kill()


def enrol(gateway: GatewayProcess) -> None:
    """The ledger opens after the gateway is ready for its devices."""
    given = {
        "site": SITE, "uid": UID.hex(), "kind": CardKind.NTAG424, "role": CardRole.COURIER, "holder": "k-1", "key_version": 1,
        "keys": {"file": FILE.hex(), "app3": LIVE.hex()}, "meta": META.hex(), "counter": 0, "by": "anna",
    }  # fmt: skip

    def enrolled() -> bool:
        try:
            gateway.call("cards.enrol", **given)
        except Unavailable:
            return False
        return True

    eventually(enrolled, PATIENCE_S, "the ledger")


def kanhu_says(gateway: GatewayProcess, *words: str) -> str:
    settings = gateway.folder / "kanhu.toml"
    answer = CliRunner().invoke(kanhu_app.app, ["visits", *words, "-s", str(settings)], env={"COLUMNS": "200"})
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_three_meals_served_two_handed_over_and_claimed_are_one_question(
    gateway: GatewayProcess, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with paho_client(mosquitto) as mqtt:
        devices = Devices(mqtt)
        devices.born()
        enrol(gateway)
        # Two hours ago, so that a test at midnight has one day too; all of it waited in the devices until now.
        began_s = time.time() - 2 * 3600.0
        on = datetime.fromtimestamp(began_s, ZoneInfo("Asia/Shanghai")).date().isoformat()
        taps = [devices.tap("counter-1", began_s + 40 * n, 480.0 + n) for n in range(3)]
        taps += [devices.tap("door-1", began_s + 900), devices.tap("door-2", began_s + 1300)]

        def judged() -> bool:
            with open_ledger(gateway.folder / "var" / "visits.db") as ledger:
                return all(ledger.tap(tap) for tap in taps) and ledger.count(site=SITE) == 2

        eventually(judged, PATIENCE_S, f"the taps\n{gateway.log[-2000:]}")

    told = json.loads(kanhu_says(gateway, "meals", on, "--json"))
    (total,) = told["totals"]
    assert [total[name] for name in ("holder", "served", "handed_over", "claimed", "grams")] == ["k-1", 3, 2, 2, 1443.0]
    (differs,) = told["differences"]
    assert "k-1 took a meal (482 g) at hall" in differs["words"] and "no visit is recorded" in differs["words"]
    shown = kanhu_says(gateway, "meals", on)
    assert differs["words"] in shown and differs["words_zh"] in shown

    kanhu_says(gateway, "sheet", on[:7], "--folder", str(tmp_path / "out"), "--language", "en")
    (path,) = (tmp_path / "out").glob("*-meals.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        (row,) = [{title.split(" ")[-1]: cell for title, cell in row.items()} for row in csv.DictReader(file)]
    assert [row[name] for name in ("served", "handed_over", "claimed", "differences")] == ["3", "2", "2", "1"]
    assert row["words"] == differs["words"]
    (book,) = (tmp_path / "out").glob("*.xlsx")
    page = list(openpyxl.load_workbook(book)["用餐 meals"].iter_rows(values_only=True))
    assert page[1][3:8] == (3, 1443, 2, 2, 1)
    report = verify([book])
    assert (report.count, report.rows[path.name if path.name in report.rows else f"{book.name}, 用餐 meals"]) == (0, 1)
