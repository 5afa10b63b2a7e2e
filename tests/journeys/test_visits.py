"""A day of visits: from a card as it comes from the factory to the month's sheet, with nothing between that is not real.

Firmware under MicroPython, mosquitto, the gateway as a process, the command line. Simulated are only chip and card, and nfcpy,
which knows nothing of us, judges the card.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType

import openpyxl
import pytest
from typer.testing import CliRunner

import kanhu_app
from edge_gateway.visits import chain
from edge_gateway.visits.records import Grade, Reason, Ruling, State
from firmware.sim.board.nfc.pty import PtyPort
from firmware.sim.board.nfc.type4 import Ntag424
from operations.cards import master as masters
from operations.cards.nfcpy_reader import NfcpyReader
from tests.couriers.cards import SITE
from tests.faults.judge import Embedded
from tests.firmware.conftest import pseudo_terminals
from tests.firmware.test_nfcpy_judge import nfcpy
from tests.journeys.visits_town import DAY, ZONE, Tapped, Town, at
from tests.servers import eventually, started

__all__ = ["nfcpy", "pseudo_terminals"]

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

K1, K2 = bytes.fromhex("04a2b3c4d5e680"), bytes.fromhex("04b1c2d3e4f590")
PHRASE = "four words of a phrase"
PLAN = """编号,地点,老人,星期,开始,结束,配送员,可提前,可推迟,宽限
lunch-1,p-1,e-1,每天,10:30,10:33,k-1,5,5,10
lunch-2,p-2,e-2,每天,10:30,11:00,k-1,5,5,10
lunch-3,p-1,e-3,每天,10:34,11:00,k-2,1,5,10
bath-1,p-1,e-1,每天,11:20,11:40,k-2,5,5,10
care-1,p-1,e-1,每天,12:50,12:59,k-1,5,5,10
tea-1,p-1,e-1,每天,13:06,13:08,k-2,1,60,1
"""


@pytest.fixture
def town(tmp_path: Path, micropython: str) -> Iterator[Town]:
    doors = {"door-1": "p-1", "door-2": "p-2"}
    broker = started(tmp_path / "mosquitto", devices=[f"{SITE}/{name}" for name in doors])
    town = Town(tmp_path, broker, doors, began="10:30")
    yield town
    town.close()
    broker.kill()


class Desk:
    """The office: a serial reader, the master of the keys, the command line."""

    def __init__(self, town: Town, folder: Path) -> None:
        self._town, self._folder = town, folder
        self._phrase = folder / "phrase"
        self._phrase.write_text(PHRASE + "\n")
        self._master = folder / "master.json"
        made = CliRunner().invoke(
            kanhu_app.app, ["cards", "master", "new", "--file", str(self._master), "--passphrase-file", str(self._phrase)]
        )
        assert made.exit_code == 0, made.output

    def enrol(self, card: Ntag424, holder: str) -> str:
        """Make the factory's card ours, give it out; what nfcpy reads of it afterwards."""
        with PtyPort(self._folder) as port:
            with port.lock:
                port.field.put(card)
            reader = f"tty:{port.path}:pn532"
            who = ["--site", SITE, "--role", "courier", "--holder", holder, "--by", "li", "--reader", reader]
            told = self._town.typed.ok(
                "cards", "enrol", *who, "--master", str(self._master), "--passphrase-file", str(self._phrase)
            )
            assert f"courier {holder}" in told
            return self._read(reader)

    @property
    def secret(self) -> bytes:
        return masters.read(self._master, PHRASE)

    def _read(self, name: str) -> str:
        reader = NfcpyReader(name)
        try:
            nfc, frontend = import_module("nfc"), reader._frontend
            found: list[str] = []

            def read() -> bool:
                target = frontend.sense(nfc.clf.RemoteTarget("106A"))
                tag = target and nfc.tag.activate(frontend, target)
                if tag and tag.ndef:
                    found.append("https://" * (tag.ndef.octets[4] == 4) + tag.ndef.octets[5:].decode())
                return bool(found)

            eventually(read, 60, "nfcpy reads the card")
            return found[0]
        finally:
            reader.close()


def test_a_day_of_visits_from_the_factorys_card_to_the_months_sheet(
    town: Town, tmp_path: Path, pseudo_terminals: None, nfcpy: ModuleType
) -> None:
    desk = Desk(town, tmp_path)
    card, other = Ntag424(K1, url=None), Ntag424(K2, url=None)

    # The office makes two cards; nfcpy finds a link with a code in one of them.
    link = desk.enrol(card, "k-1")
    assert re.fullmatch(r"https://.+\?picc_data=[0-9A-F]{32}&cmac=[0-9A-F]{16}", link), link
    town.made(other, "k-2", desk.secret)
    (tmp_path / "plan.csv").write_text(PLAN, encoding="utf-8")
    town.typed.ok("visits", "plan", "import", str(tmp_path / "plan.csv"), "--by", "li")
    for door in town.doors.values():
        door.board.start()
    town.go(20)

    # Online: green within a second, and the card that stays proves that it is there.
    first = town.tap("door-1", card, stays=lambda tapped: (found := town.found(tapped)) and found.evidence.live)
    judged = town.judged(first)
    assert (judged.judgement.ruling, judged.judgement.grade, judged.evidence.live) == (Ruling.COUNTED, Grade.STRONG, True)
    lunch = town.visit("lunch-1")
    assert lunch is not None
    assert (lunch.state, lunch.courier, lunch.counted, lunch.reviewing) == (State.ON_TIME, "k-1", True, False)
    assert lunch.start_ns == judged.tap.time_ns and lunch.grade is Grade.STRONG

    # The access point is gone. Both couriers tap at both doors; then the whole house has no power for two hours.
    town.until("10:33")
    for door in town.doors.values():
        door.board.away()
    town.until("10:35")
    taps = {"lunch-3": town.tap("door-1", other), "lunch-2": town.tap("door-2", card)}
    cut_ms = (at("12:52") - town.now_ns()) // 10**6
    for door in town.doors.values():
        door.board.power_cut(cut_ms)
    town.hours(at("12:10"))
    town.gateway.kill()
    town.begin()
    # Nobody can say whether the couriers came; nobody is accused.
    town_says = ("lunch-2", "lunch-3", "bath-1")
    town.eventually(lambda: {town.state(name) for name in town_says} == {"unknown"}, "visits of which nobody can say")
    town.hours(at("12:53"))
    taps["care-1"] = town.tap("door-1", card)

    # Door 1 is back before door 2: of one card a higher counter arrives first. All is as it was at the doors.
    town.doors["door-1"].board.back()
    for name in ("lunch-3", "care-1"):
        town.eventually(lambda name=name: town.state(name) == "on_time", f"{name} from door-1", step_s=5)  # type: ignore[misc]
    assert town.state("lunch-2") == "unknown"
    town.doors["door-2"].board.back()
    town.eventually(lambda: town.state("lunch-2") == "on_time", "lunch-2 from door-2", step_s=5)
    town.doors["door-2"].board.power_cut(86_400_000)
    counters = []
    for name in ("lunch-2", "care-1"):
        visit, judged = town.visit(name), town.judged(taps[name])
        assert visit is not None
        assert visit.start_ns == judged.tap.time_ns
        assert abs(judged.tap.time_ns - taps[name].time_ns) < 2 * 10**9, "the time of the action"
        assert (visit.counted, visit.reviewing, judged.judgement.ruling) == (True, False, Ruling.COUNTED), visit
        assert judged.evidence.counter is not None
        counters.append(judged.evidence.counter)
    assert counters == sorted(counters)
    lunch = town.visit("lunch-2")
    assert lunch is not None and Reason.SYNCED_LATE in lunch.reasons

    # With the reader there nobody comes: that is missed, and told; the courier taps late, while the reader is offline again.
    town.until("13:11", step_s=5)
    eventually(lambda: town.health("door-1").heard_ns > at("13:09"), 60, "the reader after the end of the visit's time")
    town.gateway.kill()
    town.begin()
    town.eventually(lambda: town.state("tea-1") == "missed", "the missed visit")
    town.eventually(lambda: [one["state"] for one in town.alerts()] == ["raised"], "the alert")
    assert "p-1" in town.alerts()[0]["text_en"]
    town.doors["door-1"].board.away()
    town.go(60)
    late = town.tap("door-1", other)
    town.go(120)
    assert town.alerts()[0]["state"] == "raised"
    town.doors["door-1"].board.back()
    town.eventually(lambda: [one["state"] for one in town.alerts()] == ["closed"], "the alert is over", step_s=5)
    (alert,) = town.alerts()
    tea = town.visit("tea-1")
    assert tea is not None and tea.start_ns is not None
    assert (tea.state, tea.courier, tea.counted) == (State.LATE, "k-2", True)
    assert abs(tea.start_ns - late.time_ns) < 2 * 10**9
    assert alert["closed_by"] == "gateway"
    assert f"{datetime.fromtimestamp(tea.start_ns // 10**9, ZONE):%Y-%m-%d %H:%M:%S%z} tapped tea-1/{DAY}" in alert["evidence"]

    # What was unknown was never missed; what never came stays unknown, for that reader had no power.
    for name in ("lunch-2", "lunch-3", "care-1"):
        assert "missed" not in town.states_ever(name), town.states_ever(name)
    assert set(town.states_ever("bath-1")) <= {"planned", "unknown"} and town.state("bath-1") == "unknown"

    whole_taps = [first, late, *taps.values()]
    print("ms to the green light:", [one.light_ms for one in whole_taps])
    assert max(one.light_ms for one in whole_taps) < 1000
    nothing_private_has_left(town, whole_taps)
    the_month_is_claimed(town, tmp_path / "claim")


def nothing_private_has_left(town: Town, taps: list[Tapped]) -> None:
    """The chain holds, every tap is a row of the database, and of cards there is nothing in it."""
    with town.ledger() as ledger:
        chain.verify(ledger.log())
        refused = ledger.refused(SITE)
        assert not refused and not ledger.review_queue(SITE)
        log = "".join(entry.text for entry in ledger.log())
    eventually(lambda: len(Embedded(town.gateway.readings_file).events()) == len(taps), 60, "every tap in the database")
    facts = Embedded(town.gateway.readings_file).facts()
    assert all(re.fullmatch(r"\d+-\d+", str(value)) for (_, _, name, _), value in facts.items() if name == "tap")
    raw = (log + town.gateway.log).encode() + b"".join(
        file.read_bytes()
        for name in ("readings.db*", "visits.db*", "gateway.db*")
        for file in town.gateway.folder.glob(f"var/{name}")
    )
    assert b"lunch-1" in raw, "the scan sees what is there"
    for uid in (K1, K2):
        assert not any(form in raw for form in (uid, uid[::-1], uid.hex().encode(), uid.hex().upper().encode()))


def the_month_is_claimed(town: Town, folder: Path) -> None:
    """The sheet holds on another machine, until one cell is another."""
    town.typed.ok("visits", "sheet", "2026-11", "--folder", str(folder))
    (chained,), (book,) = folder.glob("*.chain.jsonl"), folder.glob("*.xlsx")
    verified = CliRunner().invoke(kanhu_app.app, ["visits", "verify", str(chained)])
    assert verified.exit_code == 0 and "everything holds" in verified.output, verified.output
    changed = openpyxl.load_workbook(book)
    page = next(page for page in changed.worksheets if "visits" in page.title)
    cell = next(cell for row in page.iter_rows() for cell in row if cell.value == "k-2")
    cell.value = "k-1"
    changed.save(book)
    found = CliRunner().invoke(kanhu_app.app, ["visits", "verify", str(book)])
    assert found.exit_code == 1 and "seen 'k-1', expected 'k-2'" in found.output, found.output
    assert "不符 1 difference" in found.output
