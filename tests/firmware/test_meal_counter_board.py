"""The counter as real firmware on a simulated board: card, scale, network and power, before a real gateway."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from firmware.sim.board import Board, rom
from firmware.sim.board.chips import hx711
from firmware.sim.board.furnish import MEAL_COUNTER
from firmware.sim.board.nfc.on_board import attach
from firmware.sim.board.nfc.type4 import Ntag424
from tests.faults.judge import Embedded
from tests.faults.world import seeded
from tests.servers import Mosquitto
from tests.spine import GatewayProcess

GREEN, RED, TARE = MEAL_COUNTER["green"], MEAL_COUNTER["red"], MEAL_COUNTER["tare"]
REGISTRY = '[sites.s1]\n[[devices]]\nsite = "s1"\nid = "d1"\nplace = "canteen"\nmodel = "meal_counter"\ncadence_s = 3600.0\n'
# A cell of 10 kg and 2 mV/V that gives 2 % less than its label says.
PER_G = 429.4967296 * 0.98


def card(number: int) -> Ntag424:
    return Ntag424(b"\x04" + number.to_bytes(6, "big"))


class Bench:
    """A counter on a board, its gateway, and people who put meals on the scale and hold cards to the reader."""

    def __init__(self, folder: Path, broker: Mosquitto, **section: object) -> None:
        settings = {"broker": broker.settings().model_dump(mode="json", exclude_none=True)}
        self.gateway = GatewayProcess(folder / "gateway", settings, REGISTRY)
        self.gateway.start()
        self.board = Board(
            folder / "board",
            "meal_counter",
            {
                "site": "s1",
                "device": "d1",
                "wifi": [{"ssid": "home", "password": "kanhukanhu"}],
                "broker": {"host": "127.0.0.1", "port": broker.port, "password": broker.passwords["s1/d1"]},
                "ntp": ["ntp.local"],
                "pins": MEAL_COUNTER,
                "meal_counter": section,
            },
            source=rom.image(),
        )
        self.reader = attach(self.board, MEAL_COUNTER["pn532"]["id"], MEAL_COUNTER["pn532_reset"])
        self.pan = hx711.Pan()
        self.cell = hx711.attach(
            self.board, MEAL_COUNTER["scale_sck"], MEAL_COUNTER["scale_dout"], self.pan, per_g=PER_G, noise=80.0
        )
        self.board.set_pin(TARE, 1)
        self.lit: dict[int, list[int]] = {GREEN: [], RED: []}  # pin -> board ms at which it went on
        self.board.pins.heard.append(self._pin_changed)

    def _pin_changed(self, pin: int, level: int) -> None:
        if level and pin in self.lit:
            self.lit[pin].append(self.board.time.now())

    def put(self, grams: float, ms: int = 1200) -> None:
        """Put something on the scale, 0 takes it off, and let some time go by."""
        self.pan.put(grams, self.board.now_ms())
        self.board.run_for(ms)

    def hold(self, one: Ntag424, ms: int = 1000) -> tuple[int, list[int]]:
        """Hold a card to it and take it away; ms from then to the first green light (-1 for none), and the red ones."""
        began, greens, reds = self.board.now_ms(), len(self.lit[GREEN]), len(self.lit[RED])
        with self.board.time.lock:
            self.reader.field.put(one)
        self.board.run_for(ms)
        with self.board.time.lock:
            self.reader.field.clear()
        self.board.run_for(700)
        green = self.lit[GREEN][greens:]
        return (green[0] - began if green else -1), self.lit[RED][reds:]

    def values(self, name: str) -> list[tuple[int, object]]:
        """What the gateway's database holds of a quantity, by time in ns."""
        facts = Embedded(self.gateway.readings_file).facts()
        return sorted((time_ns, value) for (_, _, its, time_ns), value in facts.items() if its == name)

    def arrived(self, taps: int) -> list[object]:
        """The masses at the gateway, once so many taps are there; None where there was none."""
        self.board.wait_for(lambda: len(self.values("tap")) >= taps, 1_800_000, what=f"{taps} taps at the gateway")
        self.board.run_for(60_000)
        times = [time_ns for time_ns, _ in self.values("tap")]
        masses = dict(self.values("mass"))
        assert masses.keys() <= set(times)
        return [masses.get(time_ns) for time_ns in times]

    def close(self) -> None:
        self.board.stop()
        self.gateway.kill()


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    return seeded(request.node.name)


@pytest.fixture
def make(tmp_path: Path, mosquitto: Mosquitto, micropython: str) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def bench(**section: object) -> Bench:
        made.append(Bench(tmp_path, mosquitto, **section))
        made[0].board.start()
        made[0].board.run_for(20_000)  # Wi-Fi, time and broker are there, the scale has its zero
        return made[0]

    yield bench
    for one in made:
        one.close()


def test_meals_weighed_online_and_offline_and_through_a_power_cut_arrive_with_their_weights(make: Callable[..., Bench]) -> None:
    bench = make()
    grams = [410.0, 502.0, 455.0, 533.0, 612.0, 377.0]
    waits = []
    for number, weight in enumerate(grams):
        if number == 2:
            bench.board.away()
        if number == 4:
            bench.board.power_cut(3000)
            bench.board.run_for(8000)
        bench.put(weight)
        wait_ms, red = bench.hold(card(number))
        assert wait_ms >= 0 and not red, (number, bench.board.log[-2000:])
        waits.append(wait_ms)
        bench.put(0)
    bench.board.back()
    masses = bench.arrived(len(grams))
    assert masses == [pytest.approx(weight * 0.98, abs=2) for weight in grams]
    print("ms from the card to the green light:", waits)
    assert max(waits) < 1000
    assert "MemoryError" not in bench.board.log


def test_every_green_light_is_one_event_with_its_weight_whenever_the_power_is_cut(
    make: Callable[..., Bench], random: Random
) -> None:
    bench = make(fold_s=0)
    for number in range(8):
        bench.put(400.0 + 10 * number)
        greens = len(bench.lit[GREEN])
        if number % 2:
            bench.board.after(random.randrange(600), lambda: bench.board.power_cut(1000))
        # After the cut card and meal are still there: it is recorded then, or once more.
        bench.hold(card(number), ms=9000)
        assert len(bench.lit[GREEN]) > greens, bench.board.log[-2000:]
        bench.put(0, 2000)
    masses = bench.arrived(8)
    seen = Counter(round((float(str(mass)) / 0.98 - 400) / 10) for mass in masses)
    assert all(1 <= seen[number] <= 1 + number % 2 for number in range(8)), masses
    assert len(masses) == seen.total()


def test_calibrated_with_a_known_weight_it_tells_grams_and_without_a_scale_it_still_records(make: Callable[..., Bench]) -> None:
    bench = make(wait_s=5)
    identity = bench.gateway.call("device.command", site="s1", device="d1", name="calibrate_scale", arguments={"grams": 2000})
    assert identity
    told = lambda words: any(words in str(value) for _, value in bench.values("calibration"))  # noqa: E731
    bench.board.wait_for(lambda: told("put 2000 g on the scale"), 60_000, what="the question for the weight")
    bench.pan.put(2000, bench.board.now_ms())
    bench.board.wait_for(lambda: told('"verdict": "accepted"'), 60_000, what="the calibration")
    bench.put(0)
    bench.put(500)
    assert bench.hold(card(1))[0] >= 0
    bench.put(0)
    bench.cell.faults.add(hx711.Fault.DEAD)
    bench.board.run_for(12_000)
    wait_ms, red = bench.hold(card(2))
    assert wait_ms >= 0 and len(red) == 1  # recorded, not weighed
    bench.cell.faults.clear()
    bench.board.run_for(5000)
    bench.put(300)
    assert not bench.hold(card(3))[1]
    bench.board.press(TARE)
    bench.board.wait_for(lambda: told('"who": "button"'), 60_000, what="the new zero")
    assert bench.arrived(3) == [pytest.approx(500, abs=1.5), None, pytest.approx(300, abs=1.5)]
