"""Everything the firmware's side of the line may ask, by its first word."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firmware.sim.board.board import Board

Verb = Callable[[list[str]], str]


def of(board: Board, settle_ms: int, patience_ms: int) -> dict[str, Verb]:
    """Word -> who answers the words after it. Each is called with the clock's lock and the firmware's time."""
    life, time = board.life, board.time

    def hello(_: list[str]) -> str:
        return f"{time.offset} {int(time.virtual)} {settle_ms} {patience_ms}"

    def advance(words: list[str]) -> str:
        offset, horizon, hold = time.advance(int(words[0]))
        return f"{offset} {horizon} {hold}"

    def dns(words: list[str]) -> str:
        host, port = board.network.lookup(words[0], int(words[1]), int(words[2]))
        return f"{host} {port}"

    return {
        "hello": hello,
        "advance": advance,
        "pending": board.interrupts.pending,
        "timer": board.interrupts.timer,
        "id": lambda _: board.unique_id.hex(),
        "cause": life.cause,
        "wdt": life.watch,
        "feed": life.feed,
        "wake": life.wake_on,
        "reset": _silent(lambda words: life.restart("SOFT" if words[0] == "soft" else "HARD")),
        "deepsleep": _silent(lambda words: life.sleep(int(words[0]), board.pins.level)),
        "doze": _silent(lambda words: life.note("lightsleep" if words[0] == "1" else "awake")),
        "ended": _silent(lambda words: life.halt(" ".join(words))),
        "cut": _silent(lambda _: life.power_cut(0)),
        "rtc": board.rtc.verb,
        "nvs": board.nvs.verb,
        "partition": board.partitions.verb,
        "flash": board.flash.count,
        "pin": board.pins.verb,
        "hold": _silent(lambda words: setattr(board.pins, "hold_asleep", words[0] == "1")),
        "i2c": board.i2c.verb,
        "ow": board.onewire.verb,
        "uart": lambda words: board.uart(int(words[0])).verb(words[1:]),
        "adc": board.analog.adc,
        "pulse": board.analog.pulse,
        "pwm": board.analog.pwm,
        "light": board.analog.light,
        "wlan": lambda words: (board.soft_ap if words[0] == "1" else board.station).verb(words[1:]),
        "dns": dns,
    }


def _silent(action: Callable[[list[str]], object]) -> Verb:
    def answer(words: list[str]) -> str:
        action(words)
        return ""

    return answer
