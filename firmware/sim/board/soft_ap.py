"""The chip as an access point of its own, for setting it up: what a test asks it goes through `Network.served`."""

from dataclasses import dataclass, field


@dataclass
class SoftAp:
    """Interface 1 of `network.WLAN`."""

    active: bool = False
    settings: dict[str, bytes] = field(default_factory=dict)

    def off(self) -> None:
        self.active = False
        self.settings.clear()

    def verb(self, words: list[str]) -> str:
        what, *rest = words
        if what == "active" and rest:
            self.active = rest[0] == "1"
        if what == "set":
            self.settings[rest[0]] = bytes.fromhex(rest[1].replace("-", ""))
        if what == "get":
            known = {"mac": bytes.fromhex("24dcc3a10002"), **self.settings}
            return known.get(rest[0], b"0").hex()
        return {
            "active": str(int(self.active)),
            "status": "1000",
            "connected": "0",
            "rssi": "0",
            "address": "192.168.4.1 255.255.255.0 192.168.4.1 0.0.0.0",
        }.get(what, "")
