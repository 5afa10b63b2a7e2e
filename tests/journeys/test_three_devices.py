"""An afternoon of three real devices: firmware under MicroPython, a real broker and gateway, and all that can be killed is.

A witness at the broker reads along. What it saw, and what the lights promised, is counted in the database afterwards.
"""

import json
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import paho.mqtt.client as paho
import pytest

from edge_gateway import registry, state, view
from edge_gateway.store_file import read_only
from firmware.sim.board import Board, rom
from firmware.sim.board.chips.ds18b20 import Ds18b20
from firmware.sim.board.chips.ezo import Ezo
from firmware.sim.board.chips.sht31 import Sht31
from firmware.sim.board.nfc.on_board import attach
from firmware.sim.board.nfc.type4 import Ntag424
from tests.faults.judge import Embedded
from tests.faults.phone import Phone
from tests.faults.world import seeded
from tests.servers import Mosquitto, eventually, started
from tests.spine import GatewayProcess

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]

HOME, READER, PROBE = "home", "reader", "probe"
SOS, LAMP, BUZZER, PIR = 32, 4, 13, 27
GREEN, RED, READER_BUZZER, RESET = 25, 26, 27, 4
BUSY_S = 60
Identity = tuple[str, int, int]  # device, boot, seq
Fact = tuple[str, str, int]  # device, name, microseconds


class Witness:
    """Reads along at the broker; comes back whenever that does."""

    def __init__(self, broker: Mosquitto) -> None:
        self.seen: dict[Identity, bytes] = {}
        self.conflicts: list[Identity] = []
        client = self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "witness", clean_session=False)
        client.username_pw_set("test", broker.passwords["test"])
        client.on_connect = lambda *_: client.subscribe("kanhu/1/+/+/up/#", 1)
        client.on_message = self._message
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()

    def _message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        *_, device, _up, channel = message.topic.split("/")
        if channel not in ("data", "event"):
            return
        head = json.loads(message.payload)[0]
        identity = device, head["boot"], head["seq"]
        if self.seen.setdefault(identity, message.payload) != message.payload:
            self.conflicts.append(identity)

    def last(self) -> dict[tuple[str, int], int]:
        """(device, boot) -> the highest number seen."""
        found: dict[tuple[str, int], int] = {}
        for device, boot, seq in list(self.seen):
            found[device, boot] = max(seq, found.get((device, boot), 0))
        return found

    def facts(self, lost: Collection[Identity]) -> dict[Fact, Any]:
        """Every reading that came with a time of its own, but for messages that their device declared lost later.

        Such a one was in a broker that was killed before it handed it on, and then its device's power went.
        """
        found: dict[Fact, Any] = {}
        for (device, boot, seq), payload in list(self.seen.items()):
            records = json.loads(payload)
            if records[0]["clk"] == "none" or (device, boot, seq) in lost:
                continue
            for record in records:
                if record["n"] != "lost":
                    value = next((record[key] for key in ("v", "vb", "vs") if key in record), None)
                    if record["n"] == "tap":  # what a card showed stays in the gateway
                        value = f"{boot}-{seq}"
                    at_us = round((records[0]["bt"] + record.get("t", 0)) * 1e6)
                    found[device, record["n"], at_us] = float(value) if isinstance(value, bool | int) else value
        return found

    def close(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()


class Town:
    """Three boards in real time, one broker, one gateway, somebody with a telephone."""

    def __init__(self, folder: Path, broker: Mosquitto, phone: Phone) -> None:
        self.broker, self.phone = broker, phone
        devices = "".join(
            f'[[devices]]\nsite = "s1"\nid = "{name}"\nplace = "{name}"\nmodel = "{model}"\ncadence_s = {cadence_s}\n'
            for name, model, cadence_s in ((HOME, "elder_home", 60), (READER, "rider_reader", 60), (PROBE, "river_probe", 60))
        )
        settings = {"broker": broker.settings().model_dump(mode="json", exclude_none=True)}
        self.gateway = GatewayProcess(folder / "gateway", settings, "[sites.s1]\n" + devices)
        self.gateway.environment = phone.people()
        self.gateway.start()
        self.witness = Witness(broker)
        self.home = self._board(
            folder,
            HOME,
            "elder_home",
            {"sos": SOS, "lamp": LAMP, "buzzer": BUZZER, "pir": PIR, "i2c": {"scl": 22, "sda": 21}},
            cadence_s=3,
            elder_home={"motion_every_s": 1},
        )
        self.home.attach_i2c(0x44, Sht31(self.home.now_ms, lambda: 21.5, lambda: 40.0))
        for pin, level in ((SOS, 1), (PIR, 0)):
            self.home.set_pin(pin, level)
        pins = {"pn532": {"id": 1, "tx": 17, "rx": 16}, "pn532_reset": RESET}
        lights = {"green": GREEN, "red": RED, "buzzer": READER_BUZZER}
        self.reader = self._board(folder, READER, "rider_reader", pins | lights, cadence_s=10)
        self.chip = attach(self.reader, 1, RESET)
        section = {"upload_s": 60, "upload_records": 3, "dissolved_oxygen": "none", "conductivity": "none"}
        pins = {"i2c": {"scl": 22, "sda": 21}, "onewire": 4, "battery": {"pin": 34, "ratio": 2}, "power_ph": 25}
        self.probe = self._board(folder, PROBE, "river_probe", pins, cadence_s=4, river_probe=section)
        self.probe.attach_i2c(0x63, Ezo(self.probe.now_ms, lambda: 7.4, 3, 1660), power=25)
        self.probe.attach_onewire(4, Ds18b20(self.probe.now_ms, lambda: 18.0))
        self.probe.adc(34, lambda: 1.95)
        self.boards = (self.home, self.reader, self.probe)
        self.greens = 0
        self.beeps: list[float] = []  # of the home's buzzer, monotonic
        self.reader.pins.heard.append(self._reader_pin)
        self.home.pins.heard.append(self._home_pin)

    def _board(self, folder: Path, name: str, model: str, pins: dict[str, Any], **more: Any) -> Board:
        settings = {
            "site": "s1",
            "device": name,
            "wifi": [{"ssid": "home", "password": "kanhukanhu"}],
            "broker": {"host": "127.0.0.1", "port": self.broker.port, "password": self.broker.passwords[f"s1/{name}"]},
            "ntp": ["ntp.local"],
            "health_s": 60,
            "pins": pins,
            **more,
        }
        return Board(folder / name, model, settings, source=rom.image(), mode="real")

    def _reader_pin(self, pin: int, level: int) -> None:
        if pin == GREEN and level:
            self.greens += 1

    def _home_pin(self, pin: int, level: int) -> None:
        if pin == BUZZER and level:
            self.beeps.append(time.monotonic())

    # --- what people do

    def press(self) -> bool:
        """The SOS button; whether the second beep came, which is the promise. Presses within 3 s are one."""
        began = time.monotonic()
        self.home.press(SOS, 300)
        time.sleep(4)
        return sum(began < at < began + 2.5 for at in self.beeps) >= 2

    def walk(self) -> None:
        self.home.press(PIR, 500, level=1)

    def tap(self, number: int) -> bool:
        """Hold a new card to the reader, at most five seconds, and take it away at the green light: whether there was one."""
        before = self.greens
        with self.reader.time.lock:
            self.chip.field.put(Ntag424(b"\x04" + number.to_bytes(6, "big")))
        ends = time.monotonic() + 5
        while self.greens == before and time.monotonic() < ends:
            time.sleep(0.02)
        with self.reader.time.lock:
            self.chip.field.clear()
        time.sleep(0.7)
        return self.greens > before

    # --- what happens to them

    def kill_gateway(self, random: Random) -> None:
        self.gateway.kill()
        time.sleep(random.uniform(0.5, 3))
        self.gateway.start()

    def kill_broker(self, random: Random) -> None:
        self.broker.kill()
        time.sleep(random.uniform(0.5, 3))
        self.broker.start()

    def cut_power(self, random: Random) -> None:
        random.choice(self.boards).power_cut()

    def lose_wifi(self, random: Random) -> None:
        board = random.choice(self.boards)
        board.away()
        time.sleep(random.uniform(1, 8))
        board.back()

    # --- what is known in the end

    def boots(self) -> dict[tuple[str, int], Any]:
        """(device, boot) -> the gateway's account of it."""
        db = read_only(self.gateway.store_file)
        with closing(db):
            rows = db.execute("SELECT device, body FROM device").fetchall()
        return {(device, boot.boot): boot for device, body in rows for boot in state.unpack(body).boots}

    def whole(self) -> bool:
        """Whether everything the witness saw is closed at the gateway, without a hole."""
        boots = self.boots()
        last = self.witness.last()
        return {key[0] for key in last} == {HOME, READER, PROBE} and all(
            key in boots and boots[key].upto >= seq and not boots[key].ahead for key, seq in last.items()
        )

    def close(self) -> None:
        for board in self.boards:
            board.stop()
        self.witness.close()
        self.gateway.kill()


@pytest.fixture
def town(tmp_path: Path, micropython: str) -> Iterator[Town]:
    broker = started(tmp_path / "mosquitto", devices=[f"s1/{name}" for name in (HOME, READER, PROBE)])
    with closing(Phone()) as phone, closing(Town(tmp_path, broker, phone)) as town:
        yield town
    broker.kill()


def test_three_devices_whose_parts_are_killed_lose_nothing(town: Town, request: pytest.FixtureRequest) -> None:
    random = seeded(request.node.name)
    for board in town.boards:
        board.start()
    eventually(lambda: len({key[0] for key in town.boots()}) == 3, 60, "all three devices at the gateway")

    tapped: dict[int, bool] = {}
    promised = 0
    troubles = [town.kill_gateway, town.kill_broker, town.cut_power, town.cut_power, town.lose_wifi]
    happened: Counter[str] = Counter()
    ends = time.monotonic() + BUSY_S
    while time.monotonic() < ends:
        number = len(tapped) + 1
        tapped[number] = town.tap(number)
        town.walk()
        if number % 8 == 1:
            promised += town.press()
        if number % 2 == 0:
            trouble = random.choice(troubles)
            happened[trouble.__name__] += 1
            trouble(random)

    eventually(town.whole, 120, f"every message closed after {happened}; log:\n{town.home.log[-1500:]}")
    for board in town.boards:
        board.stop()
    eventually(town.whole, 30, "every message closed after the end")
    eventually(lambda: town.gateway.state()["totals"].get("outbox_entries", 0) == 0, 30, "the outbox empty")
    boots, last = town.boots(), town.witness.last()
    print(f"{happened}; {len(town.witness.seen)} messages of {len(last)} boots; {sum(tapped.values())} green lights")

    # Of no number it is unknown what became of it, and what is lost was declared by its device.
    assert not town.witness.conflicts
    assert all(boot.forgiven == 0 for boot in boots.values())
    seen = view.snapshot(town.gateway.store_file, registry.load(town.gateway.registry))
    assert seen.adds_up and not seen.held and not seen.reasons, seen.reasons
    assert all(not device.gaps for device in seen.devices)

    # Each reading that went over the wire is in the database, with its own time, once.
    def stored() -> dict[Fact, Any]:
        facts = Embedded(town.gateway.readings_file).facts()
        return {(device, name, time_ns // 1000): value for (_, device, name, time_ns), value in facts.items()}

    lost = {
        (key[0], key[1], seq) for key, boot in boots.items() for first, last in boot.absent for seq in range(first, last + 1)
    }
    said = town.witness.facts(lost)
    eventually(lambda: not said.keys() - stored().keys(), 30, "every reading in the database")
    held = stored()
    for key, value in said.items():
        assert held[key] == value or held[key] == pytest.approx(value), key
    events = Embedded(town.gateway.readings_file).events()
    assert set(events.values()) == {1}

    # Every green light is a tap, every second beep an SOS, and somebody was told.
    taps = [value for (device, name, _), value in held.items() if name == "tap"]
    assert len(taps) == len(set(taps)) >= sum(tapped.values()) > 0
    assert sum(name == "sos" and value == 1.0 for (_, name, _), value in held.items()) >= promised > 0
    assert any("SOS" in call.message or "SOS" in call.title for call in town.phone.taken)
