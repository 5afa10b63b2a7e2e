"""A simulated PN532 on a pseudo-terminal in real time: its path is given to a driver as if it were a serial port.

The reset line is a named pipe: write `0` or `1` to it.
"""

import heapq
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from firmware.sim.board.nfc.faults import Faults
from firmware.sim.board.nfc.field import Field
from firmware.sim.board.nfc.pn532 import Pn532

_VMIN: Final = termios.VMIN
_VTIME: Final = termios.VTIME


class PtyPort:
    """Runs in a thread from entry to exit; touch the field and the faults under `lock`.

    path: of the serial port.  reset_path: of the named pipe.
    """

    def __init__(self, folder: Path, faults: Faults | None = None) -> None:
        self.lock = threading.RLock()
        self.field = Field()
        self._master, self._slave = os.openpty()  # the slave stays open, or the master would end with its first user
        tty.setraw(self._slave)
        settings = termios.tcgetattr(self._slave)
        settings[6][_VMIN], settings[6][_VTIME] = 0, 0  # who reads gets what is there, as from a machine.UART
        termios.tcsetattr(self._slave, termios.TCSANOW, settings)
        self.path = os.ttyname(self._slave)
        self.reset_path = str(folder / "rstpd_n")
        os.mkfifo(self.reset_path)
        self._reset = os.open(self.reset_path, os.O_RDWR | os.O_NONBLOCK)
        self._wake_out, self._wake_in = os.pipe()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self.chip = Pn532(self.field, self._write, self._later, faults)
        self._thread = threading.Thread(target=self._run, name="pn532", daemon=True)

    def __enter__(self) -> "PtyPort":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.write(self._wake_in, b"x")
        self._thread.join(5)
        for number in (self._master, self._slave, self._reset, self._wake_in, self._wake_out):
            os.close(number)

    def _write(self, data: bytes) -> None:
        os.write(self._master, data)

    def _later(self, ms: int, act: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._due, (time.monotonic() + ms / 1000, self._order, act))

    def _run(self) -> None:
        while True:
            with self.lock:
                wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            ready, _, _ = select.select([self._master, self._reset, self._wake_out], [], [], wait_s)
            if self._wake_out in ready:
                return
            with self.lock:
                if self._reset in ready:
                    for level in os.read(self._reset, 64):
                        if level in b"01":
                            self.chip.reset_line(level - ord("0"))
                if self._master in ready:
                    self.chip.receive(os.read(self._master, 4096))
                while self._due and self._due[0][0] <= time.monotonic():
                    heapq.heappop(self._due)[2]()
