"""A press of the SOS button in a home, with real firmware, broker, gateway and a real web server as somebody's telephone."""

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_gateway import registry, view
from edge_gateway.alerts import Alert, State
from firmware.sim.board import Board, rom
from tests.faults.phone import Call, Phone
from tests.servers import Mosquitto, eventually
from tests.spine import GatewayProcess

SOS, LAMP = 32, 4
REGISTRY = '[sites.s1]\n[[devices]]\nsite = "s1"\nid = "d1"\nplace = "p1"\nmodel = "elder_home"\ncadence_s = 3600.0\n'
PRESSES, KILLS = 12, 9
AGAIN_S = 6.0  # a press sooner than 3 s after the last belongs to it, and a busy machine may see that one late
# Our targets for 95 of 100 presses; so few presses have to keep them all.
AT_GATEWAY_S, TOLD_S = 5.0, 15.0
_ID = re.compile(r"\d{8}-\d{4}-sos-[a-z0-9]{4}")
_STEP = re.compile(r"\(message (\d+)\)")


@dataclass
class Press:
    """Wall clock and monotonic, seconds."""

    wall_s: float
    at_s: float


class Home:
    """One home with its button, and who is told."""

    def __init__(self, folder: Path, broker: Mosquitto, phone: Phone) -> None:
        self.broker, self.phone = broker, phone
        settings = {"broker": broker.settings().model_dump(mode="json", exclude_none=True)}
        self.gateway = GatewayProcess(folder / "gateway", settings, REGISTRY)
        self.gateway.environment = phone.people()
        self.gateway.start()
        self.lamp, self.pressed_s = 0, 0.0
        self.board = Board(
            folder / "board",
            "elder_home",
            {
                "site": "s1",
                "device": "d1",
                "wifi": [{"ssid": "home", "password": "kanhukanhu"}],
                "broker": {"host": "127.0.0.1", "port": broker.port, "password": broker.passwords["s1/d1"]},
                "ntp": ["ntp.local"],
                "pins": {"sos": SOS, "lamp": LAMP},
            },
            source=rom.image(),
            mode="real",
        )
        self.board.set_pin(SOS, 1)
        self.board.pins.heard.append(self._pin_changed)
        self.board.start()
        eventually(lambda: self.device_is_online(), 60, "the device")

    def _pin_changed(self, pin: int, level: int) -> None:
        if pin == LAMP:
            self.lamp = level

    def device_is_online(self) -> bool:
        seen = view.snapshot(self.gateway.store_file, registry.load(self.gateway.registry)).devices
        return bool(seen) and seen[0].online is True

    def press(self) -> Press:
        """A person presses, and sees the lamp: the device has it."""
        eventually(lambda: time.monotonic() > self.pressed_s + AGAIN_S and not self.lamp, 60, "the lamp to go out")
        pressed = Press(time.time(), time.monotonic())
        self.pressed_s = pressed.at_s
        self.board.press(SOS, 300)
        eventually(lambda: self.lamp, 30, "the lamp")
        return pressed

    def alerts(self) -> list[Alert]:
        return [a for a in view.alert_list(self.gateway.store_file, closed=True) if a.rule == "sos"]

    def told(self, alert_id: str) -> list[Call]:
        return [call for call in self.phone.taken if alert_id in call.message]

    def settle(self) -> Alert:
        """Somebody was told of the one open alert, takes it and closes it."""
        eventually(
            lambda: [a for a in self.alerts() if a.state is not State.CLOSED and self.told(a.id)], 90, "somebody is told"
        )
        [alert] = [a for a in self.alerts() if a.state is not State.CLOSED]
        self.gateway.call("alerts.accept", id=alert.id, by="li")
        self.gateway.call("alerts.close", id=alert.id, by="li", reason="visited_fine")
        return alert

    def gateway_dies(self) -> None:
        self.gateway.kill()
        self.gateway.start()

    def broker_dies(self) -> None:
        self.broker.kill()
        self.broker.start()

    def close(self) -> None:
        self.board.stop()
        self.gateway.kill()


@pytest.fixture
def home(tmp_path: Path, mosquitto: Mosquitto, micropython: str) -> Iterator[Home]:
    with closing(Phone()) as phone, closing(Home(tmp_path, mosquitto, phone)) as home:
        yield home


@pytest.mark.slow
def test_every_press_is_at_the_gateway_in_5_s_and_told_in_15(home: Home) -> None:
    at_gateway, told = [], []
    for _ in range(PRESSES):
        pressed = home.press()
        alert = home.settle()
        at_gateway.append(alert.raised_ns / 1e9 - pressed.wall_s)
        told.append(home.told(alert.id)[0].at_s - pressed.at_s)
    print(f"{PRESSES} presses: at the gateway {max(at_gateway):.2f} s, told {max(told):.2f} s (the slowest)")
    assert max(at_gateway) <= AT_GATEWAY_S
    assert max(told) <= TOLD_S
    assert len(home.alerts()) == PRESSES, "each press is one alert"


@pytest.mark.slow
def test_whatever_dies_after_the_lamp_no_press_is_lost_and_each_round_is_one_message(home: Home) -> None:
    seed = int(os.environ.get("KANHU_SEED", random.randrange(1 << 30)))
    print(f"KANHU_SEED={seed}")
    dice = random.Random(seed)
    victims: list[tuple[str, Callable[[], None]]] = [
        ("gateway", home.gateway_dies),
        ("broker", home.broker_dies),
        ("device", lambda: home.board.power_cut(dice.randrange(100, 2000))),
    ]
    for number in range(KILLS):
        name, kill = victims[number % len(victims)]
        home.press()
        after_s = dice.uniform(0.0, 0.4)
        time.sleep(after_s)
        kill()
        alert = home.settle()
        messages = home.told(alert.id)
        rounds = [int(step[1]) if (step := _STEP.search(m.message)) else 1 for m in messages]
        # A message that was under way when the gateway died may have arrived: it is sent once more, not twice.
        doubled = len(rounds) - len(set(rounds))
        assert doubled <= (name == "gateway"), f"{name} after {after_s:.3f} s: {rounds}"
    assert len(home.alerts()) == KILLS, "each press is one alert"
    every = {_ID.search(m.message)[0] for m in home.phone.taken if _ID.search(m.message)}  # type: ignore[index]
    assert every == {a.id for a in home.alerts()}
