"""The serial ports: devices of this library, or a pty which the firmware opens itself."""

import socket
from collections.abc import Callable

from firmware.sim.board.buses import UartDevice
from firmware.sim.board.virtual_time import VirtualTime


class Uart:
    """One port. What a device sends arrives after its delay on the board's clock.

    Attributes:
        baud: as the firmware last set it.
        sent: all that the firmware wrote, at most the last 64 KiB.
    """

    def __init__(self, number: int, time: VirtualTime, interrupt: Callable[[str], None]) -> None:
        self.number = number
        self.baud = 0
        self.sent = bytearray()
        self.device: UartDevice | None = None
        self.path: str | None = None
        self.powered: Callable[[], bool] = lambda: True
        self._time = time
        self._interrupt = interrupt
        self._irq = False
        self._stream: socket.socket | None = None
        self._waiting = b""

    def send(self, data: bytes, after_ms: int = 0) -> None:
        """Bytes to the firmware."""
        self._time.after(after_ms, lambda: self._deliver(data))

    def opened(self, stream: socket.socket) -> None:
        """The firmware listens; what came before its start is lost, as on a chip whose port is not set up."""
        self._stream = stream
        self._deliver(b"")

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream, self._waiting, self._irq, self.baud = None, b"", False, 0

    def verb(self, words: list[str]) -> str:
        """`init BAUD | opened | write HEX | irq TRIGGER`"""
        if words[0] == "init":
            self.baud = int(words[1])
            return self.path or "-"
        if words[0] == "opened":
            return str(int(self._stream is not None))
        if words[0] == "irq":
            self._irq = words[1] != "0"
        elif words[0] == "write" and len(words) > 1:
            data = bytes.fromhex(words[1])
            self.sent = (self.sent + data)[-65536:]
            if self.device is not None and self.powered():
                self.device.receive(data)
        return ""

    def _deliver(self, data: bytes) -> None:
        if not self.baud:
            return
        self._waiting += data
        if self._stream is not None and self._waiting:
            try:
                self._stream.sendall(self._waiting)
            except OSError:
                self._stream = None
            self._waiting = b""
            if self._irq:
                self._interrupt(f"u{self.number}")
