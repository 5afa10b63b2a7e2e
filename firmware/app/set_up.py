"""From a device that belongs to nobody to one with settings and a password of its own: portal, Wi-Fi, enrolment, reset."""

import asyncio
import json
import os

from app import enrol, files, form, portal, release, settings, slots
from app.log import log

_TRIES = 6
_PAUSE_S = 10
_AGAIN_S = 60
_COMMON = ("site", "device", "model", "wifi", "broker", "ntp")
_MODELS = ("elder_home", "rider_reader", "meal_counter", "river_probe")
# No 0 O 1 I L: it is read from a label.
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


def run(root: str = "", hw=None) -> None:
    """Until the device is set up or nobody came; `boot` resets afterwards."""
    if hw is None:
        from app.hardware import Hardware

        hw = Hardware()
    asyncio.run(SetUp(root, hw).live())


class SetUp:
    """
    Args:
        hw: has the modules `machine`, `esp32`, `network`.
    """

    def __init__(self, root: str, hw) -> None:
        self._root, self._hw = root, hw
        self._nvs = hw.esp32.NVS("kanhu")
        self.portal_at = {}  # other ports, in tests

    async def live(self) -> None:
        """Go on with an enrolment that was begun, else ask a person."""
        problem = ""
        while True:
            job = enrol.pending(self._root)
            if job is not None:
                problem = await self._enrol(job)
                if not problem:
                    log("info", "set up")
                    return
            if await self._ask(problem):
                if enrol.pending(self._root) is None:
                    return  # nothing to exchange
            elif enrol.pending(self._root) is not None:
                # What was typed may be right and the broker away; the portal stays closed until the next switching on.
                await self._keep_trying()
                return
            else:
                log("warning", "nobody came to set this device up")
                if not self._known():
                    self._hw.machine.deepsleep()  # off; switching it on opens the portal again
                return

    async def _keep_trying(self) -> None:
        while enrol.pending(self._root) is not None:
            await asyncio.sleep(_AGAIN_S)
            job = enrol.pending(self._root)
            if job is not None:
                await self._enrol(job)

    # --- asking ---

    async def _ask(self, problem: str) -> bool:
        network = self._hw.network
        seen = self._look_around()
        access_point = network.WLAN(network.AP_IF)
        access_point.active(True)
        name = "kanhu-" + "".join("%02x" % b for b in access_point.config("mac")[-3:])
        # 3: WPA2. Open only to who has the label in front of him.
        access_point.config(ssid=name, password=self._label(), security=3)
        log("info", "set me up: Wi-Fi %s, http://%s/" % (name, portal.ADDRESS))
        try:
            return await portal.Portal(self._take, self._begin_with(), seen, problem, **self.portal_at).open()
        finally:
            access_point.active(False)

    def _look_around(self) -> list:
        """Names of networks, strongest first."""
        wlan = self._hw.network.WLAN(self._hw.network.STA_IF)
        wlan.active(True)
        try:
            found = sorted(wlan.scan(), key=lambda entry: -entry[3])
        except OSError:
            return []
        names = []
        for entry in found:
            try:
                name = entry[0].decode()
            except UnicodeError:
                continue
            if name and name not in names:
                names.append(name)
        return names[:20]

    def _label(self) -> str:
        """The password on the label; a device that has none makes one and prints it on its console."""
        word = slots.noted(self._nvs, "portal")
        if not word:
            word = "".join(_LETTERS[b % len(_LETTERS)] for b in os.urandom(12))
            slots.note(self._nvs, "portal", word)
            print("set-up password:", word)  # not in the log, which is sent
        return word

    def _template(self) -> dict:
        """What the maker wrote: pins, NTP, maybe the broker."""
        try:
            with open(self._root + "/template.json") as file:
                found = json.load(file)
            return found if isinstance(found, dict) else {}
        except (OSError, ValueError):
            return {}

    def _known(self) -> dict:
        """The settings it has already."""
        try:
            return settings.read(self._root + "/settings.json")
        except settings.Misconfigured:
            return {}

    def _begin_with(self) -> dict:
        broker = (self._known() or self._template()).get("broker", {})
        tls = broker.get("tls", bool(self._ca()))
        return {"host": broker.get("host", ""), "port": broker.get("port", 8883 if tls else 1883), "tls": tls}

    def _ca(self) -> str:
        path = self._root + "/ca.pem"
        return path if files.exists(path) else ""

    def _take(self, fields: dict) -> list:
        model = release.MODEL or self._template().get("model", _MODELS[0])
        try:
            app = getattr(__import__("app." + model), model)
        except ImportError:
            app = None
        document, code, problems = form.read(fields, self._template(), model, self._ca(), app, self._known())
        if problems:
            return problems
        if code:
            enrol.begin(self._root, document, code)
        else:
            slots.replace(self._root + "/settings.json", json.dumps(document).encode())
            enrol.forget(self._root)
        return []

    # --- enrolling ---

    async def _enrol(self, job: dict) -> str:
        """Connect and hand in; why it did not work, "" when it did."""
        checked = settings.checked({name: job["settings"][name] for name in _COMMON if name in job["settings"]})
        why = ""
        for n in range(_TRIES):
            if n:
                await asyncio.sleep(_PAUSE_S)
            try:
                await self._connect(checked)
                await enrol.hand_in(job, lambda user, word: _client(checked["broker"], user, word))
                enrol.finish(self._root, job)
                return ""
            except enrol.Refused as error:
                enrol.forget(self._root)
                return "接入码无效 / enrolment: %s" % error
            except (OSError, ValueError) as error:
                why = "%s" % error
                log("warning", "enrolment: " + why)
        # It stays in flash: after a power cut, or when the form is sent again, it goes on.
        return "连接失败 / could not connect: " + why

    async def _connect(self, checked: dict) -> None:
        from app.wifi import Wifi

        wifi = Wifi(checked["wifi"], None, self._hw.network)
        if not wifi.connected():
            await wifi.connect()
        if checked["broker"]["tls"]:
            from app.rough_clock import set_roughly

            await set_roughly(checked["ntp"])


def _client(broker: dict, user: str, word: str):
    from app import tls
    from app.mqtt import Client

    return Client(broker["host"], broker["port"], user, user, word, 30, None, tls.of(broker), broker["host"], True)
