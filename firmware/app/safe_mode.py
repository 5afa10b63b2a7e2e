"""After too many bad starts: only Wi-Fi, the broker, updates and settings, for five minutes; then the app has another try.

`boot` counts the starts and turns here. Nothing of the app, its sensors or its outbox is used, so that whatever is broken
there can still be mended from afar. Whoever may be heard: the birth says `safe` and why.
"""

import asyncio
import json
import time

from app import message, release, rescue, settings, slots
from app.log import log

ROUND_S = 300
FAILED = "boots_failed"
_JOIN_S = 20
_PAUSE_S = 10
_WATCHDOG_MS = 120000
_COMMON = ("site", "device", "model", "wifi", "broker", "ntp", "watchdog_s")


def good(root: str, nvs) -> None:
    """This boot is good: it lived a minute, or a sleeper's whole cycle. Writes only what has changed."""
    slots.store(nvs, FAILED, 0)
    slots.store(nvs, "safe_rounds", 0)
    slots.store(nvs, "plugged", 0)
    rescue.keep(root, nvs)


def run(root: str = "", hw=None, alone: bool = False) -> None:
    """A round of safe mode; `boot` resets afterwards.

    Args:
        alone: nothing is out of order, an update only needs the memory; the round ends with it.
    """
    if hw is None:
        from app.hardware import Hardware

        hw = Hardware()
    try:
        asyncio.run(Round(root, hw, alone).live())
    except settings.Misconfigured as error:
        log("error", "safe mode: %s" % error)
        from app import set_up

        set_up.run(root, hw)


class Round:
    """
    Args:
        hw: has the modules `machine`, `esp32`, `network`.
    Raises:
        Misconfigured: the settings file is none, so there is no network to reach.
    """

    def __init__(self, root: str, hw, alone: bool = False) -> None:
        from app import ota

        self._root, self._hw, self._alone = root, hw, alone
        document = settings.read(root + "/settings.json")
        self._document = document
        # What the app wants of its own section and pins does not matter here.
        self.settings = settings.checked({key: document[key] for key in _COMMON if key in document})
        self._nvs = hw.esp32.NVS("kanhu")
        self._ends = asyncio.Event()
        partitions = getattr(hw.esp32, "Partition", None)
        self.updater = ota.Updater(self.settings["model"], self._nvs, self._end, self._tls, root, partitions, keys=release.KEYS)
        self._wdt = None

    async def live(self) -> None:
        """Until somebody has mended something, or the round is over."""
        if self.settings["watchdog_s"]:
            self._wdt = self._hw.machine.WDT(timeout=_WATCHDOG_MS)
        log("warning", "safe mode: " + self._why())
        update = asyncio.create_task(self.updater.run(self._beat))
        talk = asyncio.create_task(self._talk())
        ends = time.ticks_add(time.ticks_ms(), ROUND_S * 1000)
        # A download that goes on is waited for; it has deadlines of its own.
        while not self._ends.is_set() and (time.ticks_diff(ends, time.ticks_ms()) > 0 or self.updater.busy):
            self._beat()
            if self._alone and not self.updater.requested:
                break
            await asyncio.sleep_ms(500)
        for task in (update, talk):
            task.cancel()

    def birth(self) -> bytes:
        """What the status topic says while we are here. Without `boot`: no message is sent, and none is promised."""
        said = {
            "online": True,
            "firmware": ("%s %s safe" % (self.settings["model"], release.VERSION))[:64],
            "safe": self._why(),
            "update": self.updater.outcome,
        }
        return json.dumps(said).encode()

    def _why(self) -> str:
        return "an update" if self._alone else slots.noted(self._nvs, "crash") or "too many starts that failed"

    def command(self, payload: bytes) -> None:
        """`update` and `reboot`; everything else belongs to the app."""
        found = message.parse_command(payload)
        if found is None:
            return
        if found["name"] == "update":
            self.updater.command(found)
        elif found["name"] == "reboot":
            self._end("reboot")

    def offered(self, payload: bytes) -> None:
        """Settings from afar: maybe those that mend it."""
        found = message.parse_config(payload)
        if found is None:
            return
        from app.configuration import Configuration
        from app.main import app_of

        configuration = Configuration(self._root + "/settings.sent", self._document, app_of(self._document), True)
        configuration.apply = self._end
        configuration.offered(*found)

    def _end(self, reason: str) -> None:
        log("info", "safe mode ends: " + reason)
        self._ends.set()

    def _beat(self) -> None:
        if self._wdt is not None:
            self._wdt.feed()

    def _tls(self):
        from app import tls

        return tls.of(self.settings["broker"])

    async def _talk(self) -> None:
        while True:
            try:
                if await self._join():
                    if self.settings["broker"]["tls"]:
                        from app.rough_clock import set_roughly

                        await set_roughly(self.settings["ntp"])
                    await self._session()
            except Exception as error:
                log("warning", "safe mode: %s: %s" % (type(error).__name__, error))
            await asyncio.sleep(_PAUSE_S)

    async def _join(self) -> bool:
        wlan = self._hw.network.WLAN(self._hw.network.STA_IF)
        wlan.active(True)
        for network in self.settings["wifi"]:
            if wlan.isconnected():
                break
            wlan.disconnect()
            wlan.connect(network["ssid"], network["password"])
            for _ in range(_JOIN_S * 4):
                if wlan.isconnected():
                    break
                await asyncio.sleep_ms(250)
        return wlan.isconnected()

    async def _session(self) -> None:
        from app.mqtt import Client

        broker, name = self.settings["broker"], "%s/%s" % (self.settings["site"], self.settings["device"])
        topic = "kanhu/1/" + name
        down = topic + "/down/"
        # The name and session of the app, so that a command that waited for the device comes.
        client = Client(
            broker["host"],
            broker["port"],
            name,
            broker["user"],
            broker["password"],
            broker["keepalive_s"],
            (topic + "/up/status", b'{"online":false}'),
            self._tls(),
            broker["host"],
        )

        def came(topic: str, payload: bytes) -> None:
            {down + "command": self.command, down + "config": self.offered}.get(topic, lambda payload: None)(payload)

        client.on_message = came
        await client.connect()
        try:
            told = None
            await client.subscribe([down + "command", down + "config"])
            while not client.dead:
                if self.birth() != told:
                    told = self.birth()
                    await client.publish(topic + "/up/status", told, 1, True)
                await asyncio.sleep_ms(500)
        finally:
            await client.close()
