"""Wires a board as the build guides do: per model its pins, the chips on them, and a world that moves them."""

from collections.abc import Callable
from typing import Any, Final

from firmware.sim.board.board import Board
from firmware.sim.board.chips import bme280, ds18b20, ezo, gnss, hx711, jsn_sr04t, ld2410, sht31
from firmware.sim.board.nfc.on_board import attach as attach_reader
from firmware.sim.board.nfc.type4 import Ntag424
from firmware.sim.board.world import Courier, Home, River

ELDER_HOME: Final[dict[str, Any]] = {
    "sos": 32, "cancel": 33, "lamp": 4, "buzzer": 13, "led": 2, "pir": 27, "door": 26, "bed": 25,
    "i2c": {"scl": 22, "sda": 21}, "radar": {"id": 2, "tx": 17, "rx": 16},
}  # fmt: skip
RIDER_READER: Final[dict[str, Any]] = {
    "pn532": {"id": 1, "tx": 17, "rx": 16}, "pn532_reset": 4, "green": 25, "red": 26, "buzzer": 27,
}  # fmt: skip
MEAL_COUNTER: Final[dict[str, Any]] = {**RIDER_READER, "scale_sck": 33, "scale_dout": 32, "tare": 13}
RIVER_PROBE: Final[dict[str, Any]] = {
    "i2c": {"scl": 22, "sda": 21}, "onewire": 4, "level": {"id": 2, "tx": 17, "rx": 16}, "gnss": {"id": 1, "tx": 18, "rx": 19},
    "battery": {"pin": 34, "ratio": 2}, "tag": 27, "power_ph": 25, "power_dissolved_oxygen": 26, "power_conductivity": 32,
    "power_water_level": 33, "power_gnss": 13,
}  # fmt: skip
_BANK_M: Final = 3.25
_PRESS_MS: Final = 400
_SEEN_MS: Final = 4000
_DOOR_OPEN_MS: Final = 6000
_HELD_MS: Final = 800
_MEAL_G: Final = (380, 620)
_WEIGHED_MS: Final = 1500
_NEXT_MEAL_MS: Final = 6000

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "elder_home": {"pins": ELDER_HOME},
    "rider_reader": {"pins": RIDER_READER},
    "meal_counter": {"pins": MEAL_COUNTER},
    "river_probe": {
        "pins": RIVER_PROBE,
        "cadence_s": 900,
        "river_probe": {"air": "bme280", "water_level": "jsn_sr04t", "gnss": "nmea", "level_height_m": _BANK_M},
    },
}

# For who looks on: what a day brings, in minutes.
QUICK: Final[dict[str, dict[str, Any]]] = {
    "elder_home": {"cadence_s": 20},
    "rider_reader": {"health_s": 120},
    "meal_counter": {"health_s": 120},
    "river_probe": {"cadence_s": 15, "river_probe": {**SETTINGS["river_probe"]["river_probe"], "upload_s": 60}},
}


def elder_home(board: Board, seed: str, quick: bool = False, sos_every_s: int = 0) -> None:
    """Chips and somebody at home; the SOS button is pressed about every `sos_every_s` seconds (0: never)."""
    home = Home(seed, board.unix_ms)
    pins = ELDER_HOME
    board.attach_i2c(0x44, sht31.Sht31(board.now_ms, home.celsius, home.percent))
    board.attach_uart(2, ld2410.Ld2410(board.after, home.radar_cm, every_ms=500))
    for name, level in {"sos": 1, "cancel": 1, "pir": 0, "door": 0}.items():
        board.set_pin(pins[name], level)

    def moved() -> None:
        board.press(pins["pir"], _SEEN_MS, level=1)
        board.set_pin(pins["bed"], 0 if home.in_bed() else 1)

    _again_and_again(board, home.next_movement_ms, moved)
    _again_and_again(board, home.next_door_ms, lambda: board.press(pins["door"], _DOOR_OPEN_MS, level=1))
    if sos_every_s:
        wait_ms = lambda: int(home.random.uniform(0.5, 1.5) * sos_every_s * 1000)  # noqa: E731
        _again_and_again(board, wait_ms, lambda: board.press(pins["sos"], _PRESS_MS))


def rider_reader(board: Board, seed: str, quick: bool = False, sos_every_s: int = 0) -> None:
    """A reader and a courier with three cards."""
    chip = attach_reader(board, RIDER_READER["pn532"]["id"], RIDER_READER["pn532_reset"])
    courier = Courier(seed, board.unix_ms, quick)
    cards = [Ntag424(b"\x04" + number.to_bytes(6, "big")) for number in (1, 2, 3)]

    def tap() -> None:
        chip.field.put(courier.random.choice(cards))
        board.after(_HELD_MS, chip.field.clear)

    _again_and_again(board, courier.next_ms, tap)


def meal_counter(board: Board, seed: str, quick: bool = False, sos_every_s: int = 0) -> None:
    """A counter, and two couriers who take one to four meals, one after the other."""
    pins, pan = MEAL_COUNTER, hx711.Pan()
    chip = attach_reader(board, pins["pn532"]["id"], pins["pn532_reset"])
    hx711.attach(board, pins["scale_sck"], pins["scale_dout"], pan, seed=seed)
    board.set_pin(pins["tare"], 1)
    courier = Courier(seed, board.unix_ms, quick)
    cards = [Ntag424(b"\x04" + number.to_bytes(6, "big")) for number in (1, 2)]

    def taken() -> None:
        chip.field.clear()
        pan.put(0, board.now_ms())

    def meal(card: Ntag424, left: int) -> None:
        pan.put(courier.random.uniform(*_MEAL_G), board.now_ms())
        board.after(_WEIGHED_MS, lambda: chip.field.put(card))
        board.after(_WEIGHED_MS + _HELD_MS, taken)
        if left > 1:
            board.after(_NEXT_MEAL_MS, lambda: meal(card, left - 1))

    _again_and_again(board, courier.next_ms, lambda: meal(courier.random.choice(cards), courier.random.randint(1, 4)))


def river_probe(board: Board, seed: str, quick: bool = False, sos_every_s: int = 0) -> None:
    """All sensors of the guide in a river."""
    river, now, pins = River(seed, board.unix_ms), board.now_ms, RIVER_PROBE
    board.attach_i2c(0x63, ezo.Ezo(now, river.ph), power=pins["power_ph"])
    board.attach_i2c(0x61, ezo.Ezo(now, river.oxygen_mg_l, 2, 600), power=pins["power_dissolved_oxygen"])
    board.attach_i2c(0x64, ezo.Ezo(now, river.conductivity_us, 1, 600), power=pins["power_conductivity"])
    board.attach_i2c(0x76, bme280.Bme280(now, lambda: river.celsius() - 2))
    board.attach_onewire(pins["onewire"], ds18b20.Ds18b20(now, river.celsius))
    board.attach_uart(
        pins["level"]["id"], jsn_sr04t.JsnSr04t(lambda: _BANK_M - river.level_m()), power=pins["power_water_level"]
    )
    receiver = gnss.Gnss(now, board.after, board.unix_ms, lambda: river.place)
    board.attach_uart(pins["gnss"]["id"], receiver, power=pins["power_gnss"])
    board.adc(pins["battery"]["pin"], lambda: river.battery_v() / 2)
    board.set_pin(pins["tag"], 1)
    for name, pin in pins.items():
        if name.startswith("power_"):
            board.mark_power(pin, name.removeprefix("power_"))


MODELS: Final[dict[str, Callable[..., None]]] = {
    "elder_home": elder_home,
    "rider_reader": rider_reader,
    "meal_counter": meal_counter,
    "river_probe": river_probe,
}


def _again_and_again(board: Board, wait_ms: Callable[[], int], action: Callable[[], object]) -> None:
    def now() -> None:
        action()
        board.after(wait_ms(), now)

    board.after(wait_ms(), now)
