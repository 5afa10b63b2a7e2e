"""The simulated PN532 wired to a simulated board: a serial port, and the pin at RSTPD_N with the module's own pull-up."""

from collections.abc import Callable

from firmware.sim.board import Board
from firmware.sim.board.nfc.faults import Faults
from firmware.sim.board.nfc.field import Field
from firmware.sim.board.nfc.pn532 import Pn532


class _Wires:
    """What the board's serial port wants of a device."""

    def __init__(self, board: Board, faults: Faults | None) -> None:
        self._send: Callable[..., None] = lambda data: None
        self.chip = Pn532(Field(), lambda data: self._send(data), board.after, faults)

    def connect(self, send: Callable[..., None]) -> None:
        self._send = send

    def receive(self, data: bytes) -> None:
        self.chip.receive(data)


def attach(board: Board, uart: int, reset: int, faults: Faults | None = None) -> Pn532:
    """A PN532 at this port and this pin; cards are put into its `field`, in an event of the board or under its lock."""
    wires = _Wires(board, faults)

    def changed(pin: int, level: int) -> None:
        if pin == reset:
            wires.chip.reset_line(level)

    board.set_pin(reset, 1)
    board.pins.heard.append(changed)
    board.attach_uart(uart, wires)
    return wires.chip
