"""`network` of the simulated board: one station and one access point interface."""

import wire

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_BEACON_TIMEOUT = 200
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
AUTH_OPEN = 0
AUTH_WPA2_PSK = 3
AUTH_WPA_WPA2_PSK = 4

_NUMBERS = ("channel", "reconnects", "txpower", "pm", "security", "authmode", "hidden", "max_clients")
_NAMES = {"essid": "ssid", "dhcp_hostname": "hostname", "authmode": "security", "key": "password"}


def _text(value):
    return (value if isinstance(value, (bytes, bytearray)) else str(value).encode()).hex() or "-"


class WLAN:
    IF_STA = STA_IF
    IF_AP = AP_IF
    SEC_OPEN = AUTH_OPEN
    SEC_WPA2 = AUTH_WPA2_PSK
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __init__(self, interface=STA_IF):
        self._line = "wlan %d " % interface

    def _call(self, text):
        return wire.call(self._line + text)

    def _ask(self, text):
        return wire.ask(self._line + text)

    def active(self, on=None):
        return (self._ask("active") if on is None else self._call("active %d" % bool(on))) == "1"

    def connect(self, ssid=None, key=None, *, bssid=None):
        self._call("connect %s %s %s" % (_text(ssid or ""), _text(key or ""), _text(bssid or "")))

    def disconnect(self):
        self._call("disconnect")

    def isconnected(self):
        return self._ask("connected") == "1"

    def status(self, what=None):
        if what is None:
            return int(self._ask("status"))
        if what == "rssi":
            return int(self._ask("rssi"))
        return []

    def config(self, what=None, **settings):
        for name, value in settings.items():
            name = _NAMES.get(name, name)
            self._call("set %s %s" % (name, _text("%d" % value if name in _NUMBERS else value)))
        if what is None:
            return None
        what = _NAMES.get(what, what)
        value = bytes.fromhex(self._ask("get " + what))
        if what == "mac":
            return value
        return int(value) if what in _NUMBERS else str(value, "utf8")

    def ifconfig(self, address=None):
        if address is None:
            return tuple(self._ask("address").split())
        self._call("static " + ("dhcp" if address == "dhcp" else " ".join(address)))
        return None

    def ipconfig(self, what=None, **settings):
        if "addr4" in settings:
            value = settings["addr4"]
            self._call("static " + (value if isinstance(value, str) else "%s %s - -" % tuple(value)))
        if "gw4" in settings:
            self._call("gateway " + settings["gw4"])
        if what is None:
            return None
        ip, mask, gateway, _ = self._ask("address").split()
        return {"addr4": (ip, mask), "gw4": gateway, "dhcp4": True, "has_dhcp4": ip != "0.0.0.0"}[what]

    def scan(self):
        from time import sleep_ms

        found = []
        sleep_ms(int(self._call("scan")))
        for line in self._call("found").split():
            ssid, bssid, channel, rssi, security = line.split(",")
            found.append((bytes.fromhex(ssid), bytes.fromhex(bssid), int(channel), int(rssi), int(security), False))
        return found


def hostname(name=None):
    return "kanhu"


def country(code=None):
    return "XX"


def phy_mode(mode=None):
    return 3
