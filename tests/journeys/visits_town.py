"""For journeys of visits: readers on simulated boards, a real broker and gateway that live in one time, and couriers."""

import json
import mmap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from edge_gateway.errors import Unavailable
from edge_gateway.visits.look import Ledger, open_ledger
from edge_gateway.visits.outages import ReaderHealth
from edge_gateway.visits.records import CardRole, JudgedTap, Visit
from firmware.sim.board import Board, rom
from firmware.sim.board.nfc.card import Card
from firmware.sim.board.nfc.on_board import attach
from firmware.sim.board.nfc.type4 import Ntag424
from operations.cards import desk
from operations.cards.layout import DEFAULT_LINK
from tests.couriers.cards import SITE
from tests.operations.cards_bench import Bench
from tests.operations.test_cli import Site
from tests.servers import Mosquitto, eventually
from tests.spine import GatewayProcess

GREEN, RED, BUZZER, RESET = 25, 26, 27, 4
DAY = "2026-11-20"
ZONE = ZoneInfo("Asia/Shanghai")
PATIENCE_S = 120.0
SILENCE_S = 1800
SAME_NS = 3 * 10**9  # a tap and its time in the ledger

# The gateway's process is the real one; only what it is told about the time of day is moved, from outside.
MOVED_CLOCK = """
import mmap, os, time
with open(os.environ["KANHU_JOURNEY_CLOCK"], "r+b") as file:
    moved = memoryview(mmap.mmap(file.fileno(), 8)).cast("q")
machine = time.time_ns
time.time_ns = lambda: machine() + moved[0]
time.time = lambda: time.time_ns() / 1e9
"""


def at(clock: str, day: str = DAY) -> int:
    """UTC ns of a local time of the story's day."""
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE).timestamp()) * 10**9


def read(card: Ntag424) -> str:
    """The code of one reading, as a phone in the cloakroom gets it."""
    for command in ("00A4040C07D276000085010100", "00A4000C02E104"):
        assert card.apdu(bytes.fromhex(command)) == b"\x90\x00"
    content = card.apdu(bytes.fromhex("00B0000000"))[:-2]
    message = content[2 : 2 + int.from_bytes(content[:2], "big")]
    card.activate()
    return message[message.index(b"?") + 1 :].decode()


class Clock:
    """What a process started with `environment` takes for the time of day; it never goes back."""

    def __init__(self, folder: Path, now_ns: int) -> None:
        folder.mkdir(parents=True)
        (folder / "sitecustomize.py").write_text(MOVED_CLOCK)
        file = folder / "moved"
        file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._moved = memoryview(mmap.mmap(opened.fileno(), 8)).cast("q")
        self._moved[0] = now_ns - time.time_ns()
        self.environment = {"PYTHONPATH": str(folder), "KANHU_JOURNEY_CLOCK": str(file)}

    def now_ns(self) -> int:
        return time.time_ns() + self._moved[0]

    def reach(self, now_ns: int) -> None:
        self._moved[0] = max(self._moved[0], now_ns - time.time_ns())


class Door:
    """The reader of one home."""

    def __init__(self, folder: Path, broker: Mosquitto, name: str, now_ns: int) -> None:
        self.name = name
        self.board = Board(
            folder,
            "rider_reader",
            {
                "site": SITE,
                "device": name,
                "wifi": [{"ssid": "home", "password": "kanhukanhu"}],
                "broker": {"host": "127.0.0.1", "port": broker.port, "password": broker.passwords[f"{SITE}/{name}"]},
                "ntp": ["ntp.local"],
                "health_s": 60,
                "pins": {
                    "pn532": {"id": 1, "tx": 17, "rx": 16},
                    "pn532_reset": RESET,
                    "green": GREEN,
                    "red": RED,
                    "buzzer": BUZZER,
                },
            },
            source=rom.image(),
            start_unix_ms=now_ns // 10**6,
        )
        self.chip = attach(self.board, 1, RESET)
        self.lit: dict[int, list[int]] = {GREEN: [], RED: [], BUZZER: []}  # pin -> board ms at which it went on
        self.board.pins.heard.append(self._pin_changed)

    def _pin_changed(self, pin: int, level: int) -> None:
        if level and pin in self.lit:
            self.lit[pin].append(self.board.time.now())

    def put(self, card: Card) -> None:
        with self.board.time.lock:
            self.chip.field.put(card)

    def clear(self) -> None:
        with self.board.time.lock:
            self.chip.field.clear()


@dataclass(frozen=True)
class Tapped:
    """What somebody at the door saw. light_ms: board time from the card in the field to the green light."""

    device: str
    time_ns: int
    light_ms: int


class Town:
    """Everything, with the broker of `devices`; board and gateway share one time, which goes on in `go` and `tap`.

    Args:
        doors: name of a reader -> its place.
    """

    def __init__(self, folder: Path, broker: Mosquitto, doors: dict[str, str], began: str, virtual: Sequence[str] = ()) -> None:
        began_ns = at(began)
        self.clock = Clock(folder / "clock", began_ns)
        self.broker = broker
        registry = f'[sites.{SITE}]\nzone = "Asia/Shanghai"\n' + "".join(
            f'[[devices]]\nsite = "{SITE}"\nid = "{name}"\nplace = "{place}"\nmodel = "rider_reader"\nsilence_s = {SILENCE_S}\n'
            for name, place in doors.items()
        )
        self.gateway = GatewayProcess(
            folder / "gateway", {"broker": broker.settings().model_dump(mode="json", exclude_none=True)}, registry
        )
        self.gateway.environment = self.clock.environment
        self.begin()
        eventually(self._ledger_is_there, PATIENCE_S, "the ledger")
        self.typed = Site(self.gateway, broker)
        self.doors = {name: Door(folder / name, broker, name, began_ns) for name in doors if name not in virtual}

    def begin(self) -> None:
        """Start the gateway; it answers then."""
        self.gateway.start(wait=False)
        self.gateway.wait_until_ready(PATIENCE_S)

    def _ledger_is_there(self) -> bool:
        try:
            self.gateway.call("cards.check", site=SITE, meta=bytes(16).hex())
        except Unavailable:
            return False
        return True

    # --- time

    def now_ns(self) -> int:
        """Where the foremost of all clocks is."""
        return max([self.clock.now_ns(), *(door.board.unix_ms() * 10**6 for door in self.doors.values())])

    def go(self, seconds: float, step_s: float = 10.0) -> None:
        """Boards and gateway live on."""
        ends_ns = self.now_ns() + round(seconds * 1e9)
        while (now_ns := self.now_ns()) < ends_ns:
            upto_ns = min(now_ns + round(step_s * 1e9), ends_ns)
            for door in self.doors.values():
                door.board.run_until(upto_ns // 10**6 - door.board.start_unix_ms)
            self.clock.reach(upto_ns)

    def until(self, clock: str, step_s: float = 10.0) -> None:
        self.go((at(clock) - self.now_ns()) / 1e9, step_s)

    def eventually(self, goal: Callable[[], object], what: str, step_s: float = 0.5, within_s: float = PATIENCE_S) -> None:
        """Real patience, in which the boards live on by small steps."""

        def reached() -> bool:
            self.go(step_s)
            return bool(goal())

        eventually(reached, within_s, f"{what}\n{self.gateway.log[-2000:]}")

    def hours(self, upto_ns: int) -> None:
        """A long time in which no board has anything to say, but the gateway looks at its clock as often as it would."""
        while self.now_ns() < upto_ns:
            self.go(min(SILENCE_S * 0.8, (upto_ns - self.now_ns()) / 1e9), step_s=SILENCE_S)
            self._until_it_has_looked(self.clock.now_ns())

    def _until_it_has_looked(self, now_ns: int) -> None:
        eventually(lambda: self.health("door-1").listened_ns >= now_ns, PATIENCE_S, "a look at the clock")

    def health(self, device: str) -> ReaderHealth:
        """What the gateway's ledger says of a reader."""
        with self.ledger() as ledger:
            row = ledger._db.execute("SELECT body FROM reader WHERE device = ?", (device,)).fetchone()
        return msgspec.msgpack.decode(row[0], type=ReaderHealth) if row else ReaderHealth.new(SITE, device, "", 0)

    # --- people

    def tap(self, device: str, card: Card, stays: Callable[["Tapped"], object] | None = None) -> Tapped:
        """Hold a card to the reader, until the green light, or as long as it `stays`."""
        door = self.doors[device]
        self.go(0.1)
        greens, began_ms = len(door.lit[GREEN]), door.board.now_ms()
        door.put(card)
        door.board.wait_for(lambda: len(door.lit[GREEN]) > greens, 10_000, what=f"a green light at {device}")
        tapped = Tapped(device, (door.board.start_unix_ms + began_ms) * 10**6, door.lit[GREEN][greens] - began_ms)
        self.clock.reach(door.board.unix_ms() * 10**6)
        if stays is not None:
            why = f"the card may go\n{self.gateway.log[-2000:]}\n{door.board.log[-1000:]}"
            eventually(lambda: stays(tapped), PATIENCE_S, why)
        door.clear()
        self.go(2)
        return tapped

    # --- what is known

    def ledger(self) -> Ledger:
        return open_ledger(self.gateway.folder / "var" / "visits.db")

    def found(self, tapped: Tapped) -> JudgedTap | None:
        """This tap in the ledger."""
        with self.ledger() as ledger:
            there = ledger.recent_taps(SITE, tapped.device, 0, 100_000)
        near = [one for one in there if abs(one.tap.time_ns - tapped.time_ns) < SAME_NS]
        assert len(near) < 2, near
        return near[0] if near else None

    def judged(self, tapped: Tapped) -> JudgedTap:
        """This tap, once it is in the ledger."""
        self.eventually(lambda: self.found(tapped), f"{tapped} in the ledger")
        found = self.found(tapped)
        assert found is not None
        return found

    def visit(self, visit_id: str) -> Visit | None:
        with self.ledger() as ledger:
            return ledger.visit(f"{visit_id}/{DAY}", SITE)

    def state(self, visit_id: str) -> str:
        found = self.visit(visit_id)
        return "" if found is None else found.state.value

    def states_ever(self, visit_id: str) -> list[str]:
        """Every state that the chain holds of a visit, in order."""
        with self.ledger() as ledger:
            told = [entry.body["state"] for entry in ledger.history(f"{visit_id}/{DAY}", SITE) if entry.kind == "visit"]
        return [state for n, state in enumerate(told) if n == 0 or told[n - 1] != state]

    def alerts(self) -> list[dict[str, Any]]:
        """As `kanhu alerts` shows them, closed ones too."""
        found: list[dict[str, Any]] = json.loads(self.typed.ok("alerts", "list", "--all", "--json"))
        return found

    def made(self, card: Ntag424, holder: str, master: bytes, role: CardRole = CardRole.COURIER) -> str:
        """A factory's card made ours by the desk's own steps, and enrolled; its id."""
        bench = Bench(card)
        there = bench.find()
        assert there is not None
        wish = desk.Wish(SITE, role, holder, "li", DEFAULT_LINK)
        return desk.enrol(bench, self.gateway.call, master, wish, there, lambda text: None).card

    def close(self) -> None:
        for door in self.doors.values():
            door.board.stop()
        self.gateway.kill()
