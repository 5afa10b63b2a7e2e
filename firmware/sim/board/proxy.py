"""A TCP proxy to one address that can let pass, hold back silently, or reset."""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from typing import Final

_BUFFER: Final = 65536
_RESET: Final = struct.pack("ii", 1, 0)


class _End:
    """One socket of a pair, with what is still to be written to it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.waiting = b""
        self.other: _End = self
        self.is_device = False


class Proxy:
    """Listens on `port` of 127.0.0.1 and goes to `target`.

    Args:
        connected: called, from the proxy's thread, for each connection of the device.
    """

    def __init__(self, target: tuple[str, int], connected: Callable[[], None]) -> None:
        self.target = target
        self.up_bytes = self.down_bytes = 0
        self._connected = connected
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._state = "open"
        self._applied = threading.Event()
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ends: list[_End] = []
        self._thread = threading.Thread(target=self._run, name=f"proxy-{target[1]}", daemon=True)
        self._thread.start()

    def open(self) -> None:
        self._set("open")

    def stall(self) -> None:
        self._set("stalled")

    def cut(self) -> None:
        self._set("cut")

    def close(self) -> None:
        self._set("closed")
        self._thread.join(10)

    def _set(self, state: str) -> None:
        if self._state in (state, "closed"):
            return
        self._state = state
        self._applied.clear()
        self._ring.send(b"!")
        self._applied.wait(2)

    def _run(self) -> None:
        while self._state != "closed":
            with selectors.DefaultSelector() as selector:
                self._watch(selector)
                ready = selector.select()
            for key, events in ready:
                self._serve(key.data, events)
        self._drop_all()
        for sock in (self._listener, self._bell, self._ring):
            sock.close()
        self._applied.set()

    def _watch(self, selector: selectors.BaseSelector) -> None:
        """What to wait for now. Rebuilt each time: there are two or three sockets, and the rules stay readable."""
        selector.register(self._bell, selectors.EVENT_READ, "bell")
        selector.register(self._listener, selectors.EVENT_READ, "listener")
        if self._state != "open":
            return
        for end in self._ends:
            wanted = (selectors.EVENT_WRITE if end.waiting else 0) | (0 if end.other.waiting else selectors.EVENT_READ)
            if wanted:
                selector.register(end.socket, wanted, end)

    def _serve(self, who: object, events: int) -> None:
        if who == "bell":
            self._bell.recv(64)
            if self._state == "cut":
                self._drop_all()
            self._applied.set()
        elif who == "listener":
            self._accept()
        elif isinstance(who, _End) and who in self._ends and self._state == "open":
            try:
                if events & selectors.EVENT_WRITE:
                    who.waiting = who.waiting[who.socket.send(who.waiting) :]
                if events & selectors.EVENT_READ:
                    self._read(who)
            except BlockingIOError:
                pass
            except OSError:
                self._drop(who)

    def _read(self, end: _End) -> None:
        data = end.socket.recv(_BUFFER)
        if not data:
            self._drop(end)
            return
        if end.is_device:
            self.up_bytes += len(data)
        else:
            self.down_bytes += len(data)
        end.other.waiting += data
        with contextlib.suppress(BlockingIOError):
            end.other.waiting = end.other.waiting[end.other.socket.send(end.other.waiting) :]

    def _accept(self) -> None:
        try:
            device, _ = self._listener.accept()
        except OSError:
            return
        self._connected()
        if self._state == "cut":
            _reset(device)
            return
        try:
            upstream = socket.create_connection(self.target, timeout=2)
        except OSError:
            _reset(device)
            return
        ends = _End(device), _End(upstream)
        ends[0].other, ends[1].other = ends[1], ends[0]
        ends[0].is_device = True
        for end in ends:
            end.socket.setblocking(False)
            end.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ends += ends

    def _drop(self, end: _End) -> None:
        for one in (end, end.other):
            if one in self._ends:
                self._ends.remove(one)
                one.socket.close()

    def _drop_all(self) -> None:
        for end in self._ends:
            _reset(end.socket)
        self._ends.clear()


def _reset(sock: socket.socket) -> None:
    """Close with RST, as a peer that knows nothing of this connection."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()
