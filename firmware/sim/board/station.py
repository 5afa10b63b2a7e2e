"""The Wi-Fi interfaces of the chip: how long connecting takes, how it fails, how it hangs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from firmware.sim.board.access_point import AccessPoint
from firmware.sim.board.virtual_time import Event, VirtualTime

IDLE: Final = 1000
CONNECTING: Final = 1001
GOT_IP: Final = 1010
BEACON_TIMEOUT: Final = 200
NO_AP_FOUND: Final = 201
WRONG_PASSWORD: Final = 202

# As measured on ESP32 boards: 1630 ms with DHCP, 730 ms with a fixed address; about 400 of it is the search on all channels.
_SEARCH_MS: Final = 400
_ASSOCIATE_MS: Final = 330
_DHCP_MS: Final = 900
_NOT_FOUND_MS: Final = 2400
_REFUSED_MS: Final = 1800
# Beacons missed for so long, and the station believes that the access point is gone.
_BEACONS_MS: Final = 6000
# The address outlives a lost link for so long, and with it every TCP connection.
_ADDRESS_MS: Final = 120_000
_SCAN_MS: Final = 2200
_NO_ADDRESS: Final = " ".join(["0.0.0.0"] * 4)  # noqa: S104


@dataclass
class Station:
    """Interface 0 of `network.WLAN`.

    Attributes:
        changed: called after every change of `active`, `up` or `reachable`.
        hung: nothing works until the interface is switched off and on again.
        connects: times (board ms) at which it got its address.
    """

    time: VirtualTime
    access_points: list[AccessPoint]
    changed: Callable[[], None]
    mac: bytes = bytes.fromhex("24dcc3a10001")
    address: str = "192.168.4.23"
    active: bool = False
    hung: bool = False
    has_address: bool = False
    connects: list[int] = field(default_factory=list)
    settings: dict[str, bytes] = field(default_factory=dict)
    _wanted: tuple[bytes, bytes, bytes] | None = None
    _joined: AccessPoint | None = None
    _static: bool = False
    _reason: int = 0
    _tries: int = 0
    _next: Event | None = None
    _forget: Event | None = None

    @property
    def up(self) -> bool:
        """Has a link and an address, as far as it knows."""
        return self._joined is not None

    @property
    def reachable(self) -> bool:
        """Frames really pass."""
        return self._joined is not None and self._joined.here and not self.hung

    def hang(self) -> None:
        """Lose the link and find none, as a driver does that is stuck."""
        with self.time.lock:
            self.hung = True
            self._lose(BEACON_TIMEOUT)

    def off(self) -> None:
        """The chip was reset or sleeps."""
        self._switch(False)
        self.settings.clear()
        self._static = False

    def verb(self, words: list[str]) -> str:
        what, *rest = words
        answer: str | None = getattr(self, "_verb_" + what)(*rest)
        return answer or ""

    def look(self) -> None:
        """An access point came or went."""
        if self._joined is not None and not self._joined.here:
            gone = self._joined
            self._next = self.time.after(_BEACONS_MS, lambda: None if gone.here else self._lose(BEACON_TIMEOUT))
        self.changed()

    def _verb_active(self, on: str | None = None) -> str:
        if on is not None and (on == "1") != self.active:
            self._switch(on == "1")
        return str(int(self.active))

    def _verb_connect(self, ssid: str, key: str, bssid: str) -> None:
        self._wanted = (_bytes(ssid), _bytes(key), _bytes(bssid))
        self._tries = 0
        self._reason = 0
        if self._joined is not None:
            self._joined = None
            self.changed()
        self._try()

    def _verb_disconnect(self) -> None:
        self._wanted = None
        self._lose(0)

    def _verb_connected(self) -> str:
        return str(int(self.up))

    def _verb_status(self) -> str:
        """As the ESP32 port: while it tries again by itself it says CONNECTING, the reason comes when it has given up."""
        if self.up:
            return str(GOT_IP)
        if self._wanted is not None and (self._most_tries() == 0 or self._tries < self._most_tries()):
            return str(CONNECTING)
        return str(self._reason or IDLE)

    def _verb_rssi(self) -> str:
        return str(self._joined.rssi if self._joined else 0)

    def _verb_set(self, name: str, value: str) -> None:
        self.settings[name] = _bytes(value)

    def _verb_get(self, name: str) -> str:
        known: dict[str, bytes] = {"mac": self.mac, "hostname": b"kanhu", "ssid": b"", "channel": b"0", **self.settings}
        if self._joined is not None:
            known |= {"ssid": self._joined.ssid.encode(), "channel": b"%d" % self._joined.channel, "bssid": self._joined.bssid}
        return known.get(name, b"0").hex()

    def _verb_address(self) -> str:
        if not self.has_address:
            return _NO_ADDRESS
        return f"{self.address} 255.255.255.0 192.168.4.1 192.168.4.1"

    def _verb_static(self, address: str, *_: str) -> None:
        self._static = address not in ("dhcp", "dhcp4")
        if self._static:
            self.address = address

    def _verb_gateway(self, _: str) -> None:
        return

    def _verb_scan(self) -> str:
        return str(_SCAN_MS)

    def _verb_found(self) -> str:
        found = [a for a in self.access_points if a.here and not self.hung]
        return " ".join(f"{a.ssid.encode().hex()},{a.bssid.hex()},{a.channel},{a.rssi},{3 if a.password else 0}" for a in found)

    def _switch(self, on: bool) -> None:
        self.time.cancel(self._next)
        self.active = on
        self.hung = False
        self._wanted = self._joined = None
        self._reason = 0
        self._lose_address()
        self.changed()

    def _most_tries(self) -> int:
        reconnects = int(self.settings.get("reconnects", b"-1"))
        return reconnects + 1

    def _try(self) -> None:
        self.time.cancel(self._next)
        if not self.active or self._wanted is None:
            return
        ssid, key, bssid = self._wanted
        if self.hung:
            return
        found = next((a for a in self.access_points if a.here and a.ssid.encode() == ssid and bssid in (b"", a.bssid)), None)
        if found is None:
            self._next = self.time.after(_NOT_FOUND_MS, lambda: self._failed(NO_AP_FOUND))
        elif found.password.encode() != key:
            self._next = self.time.after(_REFUSED_MS, lambda: self._failed(WRONG_PASSWORD))
        else:
            known = bssid or self.settings.get("channel") == b"%d" % found.channel
            ms = _ASSOCIATE_MS + (0 if known else _SEARCH_MS) + (0 if self._static else _DHCP_MS)
            self._next = self.time.after(ms, lambda: self._join(found))

    def _join(self, found: AccessPoint) -> None:
        if not found.here:
            self._failed(NO_AP_FOUND)
            return
        self.time.cancel(self._forget)
        self._joined, self.has_address, self._reason, self._tries = found, True, 0, 0
        self.connects.append(self.time.now())
        self.changed()

    def _failed(self, reason: int) -> None:
        self._reason = reason
        self._tries += 1
        if self._most_tries() == 0 or self._tries < self._most_tries():
            self._try()

    def _lose(self, reason: int) -> None:
        self.time.cancel(self._next)
        if self._joined is not None:
            self._joined = None
            self.time.cancel(self._forget)
            self._forget = self.time.after(_ADDRESS_MS, self._lose_address)
        self.changed()
        if reason:
            self._failed(reason)

    def _lose_address(self) -> None:
        self.time.cancel(self._forget)
        self.has_address = False
        self.changed()


def _bytes(word: str) -> bytes:
    return b"" if word == "-" else bytes.fromhex(word)
