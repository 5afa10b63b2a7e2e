"""Wi-Fi: one of several networks, quickly after a sleep, and a driver that hangs is switched off and on."""

import asyncio
import binascii
import struct
import time

from app import addresses
from app.log import log

_JOIN_MS = 20000
_FAST_JOIN_MS = 4000
_LOOK_MS = 50
_OFF_MS = 200

# What was found before a sleep: whose it is, channel, times used, address, mask, gateway, name server, the broker's address.
_CACHE = "<IBB4s4s4s4s4s"
# After so many the address is asked for anew: its lease ends some day, and it may be somebody else's by then.
_MOST_USES = 24
_NO_ADDRESS = bytes(4)

_WORDS = {
    200: "lost the access point",
    201: "no access point found",
    202: "wrong password",
    203: "not associated",
    204: "no handshake",
}
_CONNECTING = (1000, 1001)


class Failed(OSError):
    """No network in reach, or none that takes us. `reason` is one line for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class Wifi:
    """
    Args:
        networks: list of {"ssid", "password"}, the preferred one first.
        region: `rtc_memory.Region` for what makes the next connecting quick; None: nothing is kept.
        network: the module, or a fake with `WLAN` and `STA_IF`.
    Attributes:
        counters: connects, fast (of them without search and DHCP), failures, reopened.
    """

    def __init__(self, networks, region=None, network=None) -> None:
        if network is None:
            import network
        self._networks = list(networks)
        self._region = region
        self._wlan = network.WLAN(network.STA_IF)
        self._current: dict | None = None  # the network we are in
        self._static = False
        self.counters = {"connects": 0, "fast": 0, "failures": 0, "reopened": 0}

    def connected(self) -> bool:
        """Joined, with an address, as far as the driver knows."""
        return self._wlan.isconnected()

    def rssi(self):
        """Signal in dBm, None when there is none."""
        try:
            return self._wlan.status("rssi") if self.connected() else None
        except (OSError, ValueError):
            return None

    async def connect(self, beat=lambda: None, fast: bool = False) -> None:
        """Join the first network that takes us. Each is tried once: when to try again is the caller's business.

        Args:
            beat: called every while.
            fast: with what was found before the sleep, if there is something.
        Raises:
            Failed: none did; says why for each.
        """
        if self.connected():
            return
        reasons = []
        try:
            self._on()
            cached = self._load() if fast else None
            if cached is not None and await self._join_again(cached, beat):
                return
            for network in self._networks:
                reason = await self._join(network, _JOIN_MS, beat)
                if not reason:
                    self._joined(network)
                    return
                reasons.append("%s: %s" % (network["ssid"], reason))
        except (OSError, RuntimeError) as error:  # "Wifi Internal Error" and its like
            reasons.append("driver: %s" % error)
        self.counters["failures"] += 1
        raise Failed("; ".join(reasons))

    async def reopen(self) -> None:
        """Switch the interface off and on: a driver that hangs recovers by that, if by anything short of a reset."""
        log("warning", "Wi-Fi is switched off and on")
        self.counters["reopened"] += 1
        await self.off()
        await asyncio.sleep_ms(_OFF_MS)
        try:
            self._on()
        except (OSError, RuntimeError) as error:
            log("error", "Wi-Fi: %s" % error)

    async def off(self) -> None:
        """Switch the radio off."""
        try:
            self._wlan.disconnect()
        except (OSError, RuntimeError):
            pass
        try:
            self._wlan.active(False)
        except (OSError, RuntimeError) as error:
            log("error", "Wi-Fi: %s" % error)
        self._current = None

    def keep(self, host: str) -> None:
        """It works, with the broker `host`: remember how for after the next sleep."""
        if self._region is None or self._current is None or not self.connected():
            return
        old = self._load()
        uses = old[2] + 1 if old is not None and self._static else 0
        settings = [_packed(address) for address in self._wlan.ifconfig()]
        try:
            channel = self._wlan.config("channel")
        except (OSError, ValueError):
            channel = 0
        broker = _packed(addresses.known(host))
        self._region.store(struct.pack(_CACHE, _tag(self._current), channel & 0xFF, uses, *settings, broker))

    def recall(self, host: str) -> None:
        """Take the broker's address from before the sleep instead of a look-up."""
        cached = self._load()
        if cached is not None and cached[7] != _NO_ADDRESS and not addresses.known(host):
            addresses.remember(host, _dotted(cached[7]))

    def forget(self) -> None:
        """What was kept does not do (the access point has moved, or gave the address to another)."""
        if self._region is not None:
            self._region.store(b"")

    # --- inside ---

    def _on(self) -> None:
        if self._wlan.active():
            return
        self._wlan.active(True)
        # Who tries again, and when, is decided in one place.
        self._wlan.config(reconnects=0)

    async def _join(self, network: dict, timeout_ms: int, beat) -> str:
        """Try one network; "" when it took us, else why not."""
        wlan = self._wlan
        try:
            wlan.disconnect()
        except OSError:
            pass
        if self._static:
            wlan.ifconfig("dhcp")
            self._static = False
        wlan.connect(network["ssid"], network["password"])
        return await self._joining(timeout_ms, beat)

    async def _joining(self, timeout_ms: int, beat) -> str:
        begun = time.ticks_ms()
        while not self._wlan.isconnected():
            beat()
            status = self._wlan.status()
            if status not in _CONNECTING and status in _WORDS:
                return _WORDS[status]
            if time.ticks_diff(time.ticks_ms(), begun) >= timeout_ms:
                return "nothing within %d ms (status %s)" % (timeout_ms, status)
            await asyncio.sleep_ms(_LOOK_MS)
        return ""

    async def _join_again(self, cached, beat) -> bool:
        tag, channel, uses = cached[:3]
        found = [network for network in self._networks if _tag(network) == tag]
        if not found or uses >= _MOST_USES:
            return False
        try:
            self._wlan.config(channel=channel)  # no search on the others
        except (OSError, ValueError):
            pass
        self._wlan.ifconfig(tuple([_dotted(address) for address in cached[3:7]]))
        self._static = True
        self._wlan.connect(found[0]["ssid"], found[0]["password"])
        if await self._joining(_FAST_JOIN_MS, beat):
            self.forget()
            return False
        self.counters["fast"] += 1
        self._joined(found[0])
        return True

    def _joined(self, network: dict) -> None:
        self._current = network
        self.counters["connects"] += 1
        # The preferred network of next time.
        self._networks.remove(network)
        self._networks.insert(0, network)

    def _load(self):
        kept = self._region.load() if self._region is not None else None
        return struct.unpack(_CACHE, kept) if kept is not None and len(kept) == struct.calcsize(_CACHE) else None


def _tag(network: dict) -> int:
    """Tells whether the settings are still those with which something was found."""
    return binascii.crc32((network["ssid"] + "\n" + network["password"]).encode()) & 0xFFFFFFFF


def _packed(address: str) -> bytes:
    parts = address.split(".")
    return bytes([int(part) for part in parts]) if len(parts) == 4 else _NO_ADDRESS


def _dotted(address: bytes) -> str:
    return ".".join([str(b) for b in address])
