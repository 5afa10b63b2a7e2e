"""A TCP proxy between a device and its broker, which can pause within a packet, stop taking, or cut."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from tests.servers import free_port


class TcpProxy:
    """Listens on `port` of 127.0.0.1, forwards to `target`.

    Args:
        down: called with each piece from the broker and a function that passes bytes on to the device.
        takes: cleared, nothing more is read from the device.
    """

    def __init__(self, target: int, down: Callable[[bytes, Callable[[bytes], None]], None] | None = None) -> None:
        self.port = free_port()
        self.takes = threading.Event()
        self.takes.set()
        self._down = down or (lambda piece, send: send(piece))
        self._target = target
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        # Small buffers, so that a writer notices soon that nobody takes.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                device, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets += [device, broker]
            threading.Thread(target=self._up, args=(device, broker), daemon=True).start()
            threading.Thread(target=self._forward, args=(broker, device), daemon=True).start()

    def _up(self, device: socket.socket, broker: socket.socket) -> None:
        try:
            while True:
                self.takes.wait()
                piece = device.recv(4096)
                if not piece:
                    break
                broker.sendall(piece)
        except OSError:
            pass
        _close(broker)

    def _forward(self, broker: socket.socket, device: socket.socket) -> None:
        try:
            while piece := broker.recv(65536):
                self._down(piece, device.sendall)
        except OSError:
            pass
        _close(device)

    def cut(self) -> None:
        """Every connection ends."""
        for each in self._sockets:
            _close(each)
        self._sockets.clear()

    def __enter__(self) -> "TcpProxy":
        return self

    def __exit__(self, *_: Any) -> None:
        self.takes.set()
        _close(self._listener)
        self.cut()


def _close(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
