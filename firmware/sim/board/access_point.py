"""The home's access point and the way behind it: one TCP proxy per device, which can be cut, stalled and flapped."""

from collections.abc import Callable
from dataclasses import dataclass, field
from socket import create_server
from typing import Final

from firmware.sim.board.buses import BusError
from firmware.sim.board.proxy import Proxy
from firmware.sim.board.virtual_time import VirtualTime

_NO_SUCH_NAME: Final = -202
_DATAGRAM: Final = 2
_NTP_PORT: Final = 123
_NOWHERE: Final = ("127.0.0.1", 9)


@dataclass
class AccessPoint:
    """What a station sees on the air. `here` is False when it is switched off."""

    ssid: str = "home"
    password: str = "kanhukanhu"  # noqa: S105  of a simulated home
    bssid: bytes = bytes.fromhex("9c9d7e000001")
    channel: int = 6
    rssi: int = -58
    here: bool = True


@dataclass
class Network:
    """What lies behind the access points: every connection of the device goes through here.

    Attributes:
        routes: (host, port) as the firmware says it -> where that really is. `(host, 0)` stands for all ports, port 0 there for
            the same port. Other names lead nowhere, 127.0.0.1 to this machine.
        no_names: looking up a name fails.
        served: port the firmware listens on -> the port of this machine which that is.
        ntp: where datagrams to port 123 go; None: nobody answers.
        connects: board ms of every TCP connection the device made.
    """

    time: VirtualTime
    routes: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    served: dict[int, int] = field(default_factory=dict)
    ntp: tuple[str, int] | None = None
    connects: list[int] = field(default_factory=list)
    no_names: bool = False
    air: Callable[[], tuple[bool, bool]] = lambda: (False, False)
    _proxies: dict[tuple[str, int], Proxy] = field(default_factory=dict)
    _state: str = "open"
    _names: dict[str, str] = field(default_factory=dict)

    def cut(self) -> None:
        """Every connection is reset, new ones as soon as they are made (and counted), until `mend()`."""
        self._set("cut")

    def stall(self) -> None:
        """Nothing passes and nobody is told, until `mend()`; what was sent arrives then."""
        self._set("stalled")

    def mend(self) -> None:
        self._set("open")

    def flap(self, up_ms: int, down_ms: int, until_ms: int, how: str = "cut") -> None:
        """Down for `down_ms`, up for `up_ms`, again and again until `until_ms` of the board's clock. `how`: cut or stalled."""

        def down() -> None:
            if self.time.now() < until_ms:
                self._set(how)
                self.time.after(down_ms, up)

        def up() -> None:
            self.mend()
            self.time.after(up_ms, down)

        with self.time.lock:
            down()

    def look(self) -> None:
        """The air or the line changed: let pass, hold back or cut."""
        has_address, reachable = self.air()
        for proxy in self._proxies.values():
            if self._state == "cut" or not has_address:
                proxy.cut()
            elif self._state == "stalled" or not reachable:
                proxy.stall()
            else:
                proxy.open()

    def lookup(self, host: str, port: int, kind: int) -> tuple[str, int]:
        """Where this machine has what the device calls `host:port`.

        Raises:
            BusError: -202, as without a link or for an unknown name.
        """
        if host == "0.0.0.0":  # noqa: S104  the device listens; only this machine may ask it
            return "127.0.0.1", self.served.setdefault(port, _free_port()) if port else 0
        if not self.air()[0]:
            raise BusError(_NO_SUCH_NAME)
        literal = host.replace(".", "").isdigit()
        if not literal and (self.no_names or not self.air()[1]):
            raise BusError(_NO_SUCH_NAME)
        if port == 0:
            return (host if literal else self._address_of(host)), 0
        host = self._names.get(host, host)
        if kind == _DATAGRAM and port == _NTP_PORT:
            return self.ntp or _NOWHERE
        target = self.routes.get((host, port)) or self.routes.get((host, 0))
        if target is None:
            target = (host, port) if host.startswith("127.") or host == "localhost" else _NOWHERE
        target = (target[0], target[1] or port)
        if kind == _DATAGRAM:
            return target
        if target not in self._proxies:
            self._proxies[target] = Proxy(target, lambda: self.connects.append(self.time.now()))
            self.look()
        return "127.0.0.1", self._proxies[target].port

    def _address_of(self, host: str) -> str:
        """An address that stands for a name, so that the way is found again when the firmware connects to the address."""
        for address, name in self._names.items():
            if name == host:
                return address
        address = f"127.77.0.{len(self._names) + 1}"
        self._names[address] = host
        return address

    def bytes_passed(self) -> tuple[int, int]:
        """(up, down) over all connections so far."""
        return sum(p.up_bytes for p in self._proxies.values()), sum(p.down_bytes for p in self._proxies.values())

    def close(self) -> None:
        for proxy in self._proxies.values():
            proxy.close()

    def _set(self, state: str) -> None:
        with self.time.lock:
            self._state = state
            self.look()


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
