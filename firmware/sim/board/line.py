"""The board's side of the line: lines of words from the firmware's process, answered one by one."""

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Final

from firmware.sim.board.buses import BusError
from firmware.sim.board.life import Life
from firmware.sim.board.virtual_time import VirtualTime

Verb = Callable[[list[str]], str]
_SILENT: Final = frozenset({"feed", "flash"})


class Line:
    """Listens on 127.0.0.1 for the connections of one life of the firmware after another.

    Args:
        verbs: by its first word, who answers a request; BusError becomes OSError in the firmware.
        opened: called with (kind, socket) for every connection that asks nothing: the bell, a serial port.
    """

    def __init__(self, time: VirtualTime, life: Life, verbs: Mapping[str, Verb], opened: Callable[[str, socket.socket], None]):
        self._time = time
        self._life = life
        self._verbs = verbs
        self._opened = opened
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._number = 0
        self._thread = threading.Thread(target=self._accept, name="board-line", daemon=True)
        self._thread.start()

    def new_life(self) -> str:
        """What the next process needs to find us."""
        self.end_life()
        return f"127.0.0.1:{self._listener.getsockname()[1]}:{self._number}"

    def end_life(self) -> None:
        """End the connections of the process that was. Called with the clock's lock."""
        self._number += 1
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), name="board-connection", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError, ValueError):
            number, _, kind = reader.readline().decode().strip().partition(" ")
            with self._time.lock:
                if number != str(self._number):
                    return  # of a process that is dead already
                self._sockets.append(connection)
                if kind != "ask":
                    self._opened(kind, connection)
            for line in reader:
                answer = self._answer(int(number), line)
                if answer:
                    connection.sendall(answer)

    def _answer(self, number: int, line: bytes) -> bytes:
        offset, verb, *words = line.decode().split()
        with self._time.lock:
            if number == self._number:
                self._time.heard(int(offset))
            if number != self._number:
                return b""  # its watchdog bit, or the power went: nobody hears an answer
            try:
                answer = self._verbs[verb](words)
            except BusError as error:
                return b"!%d\n" % error.number
            except Exception as error:  # a fault of the simulation: the test that waits must see it
                self._time.fail(error)
                return b"!%d\n" % errno.EIO
            return b"" if verb in _SILENT or number != self._number else b"=%s\n" % answer.encode()
