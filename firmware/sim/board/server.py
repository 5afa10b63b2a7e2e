"""The board's side of the line: lines of words from the firmware's process, answered one by one."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Final

from firmware.sim.board.buses import BusError

Ask = Callable[[int, list[str]], str | None]
Opened = Callable[[str, socket.socket], None]
_SILENT: Final = frozenset({"feed", "flash"})


class Server:
    """Listens on 127.0.0.1 for the connections of one life of the firmware after another.

    Args:
        ask: called with (offset, words) for a request; its answer, None when this life is over. BusError becomes OSError there.
        opened: called with (kind, socket) for every other connection.
    """

    def __init__(self, ask: Ask, opened: Opened) -> None:
        self._ask = ask
        self._opened = opened
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._life = 0
        self._thread = threading.Thread(target=self._accept, name="board-server", daemon=True)
        self._thread.start()

    def new_life(self) -> str:
        """End the connections of the life before; what the next one needs to find us."""
        with self._lock:
            self._life += 1
            self._end_connections()
            return f"127.0.0.1:{self._listener.getsockname()[1]}:{self._life}"

    def close(self) -> None:
        with self._lock:
            self._life = -1
            self._end_connections()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _end_connections(self) -> None:
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), name="board-line", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        with contextlib.suppress(OSError, ValueError):
            life, _, kind = reader.readline().decode().strip().partition(" ")
            with self._lock:
                if life != str(self._life):
                    connection.close()
                    return
                self._sockets.append(connection)
            if kind != "ask":
                self._opened(kind, connection)
                return
            for line in reader:
                answer = self._answer(line)
                if answer is None:
                    return
                if answer:
                    connection.sendall(answer)

    def _answer(self, line: bytes) -> bytes | None:
        offset, *words = line.decode().split()
        try:
            answer = self._ask(int(offset), words)
        except BusError as error:
            return b"!%d\n" % error.number
        if answer is None:
            return None
        return b"" if words[0] in _SILENT else b"=%s\n" % answer.encode()
