"""Updates from afar: asks for a release, has it checked and installed, and keeps it once the gateway has receipted a message.

An address is a folder with `release.json` (the manifest), `release.sig`, `bundle.bin` (the files, one behind the other) and,
where MicroPython itself changes, `micropython.bin`. The request lies in flash until it is done or refused, so a power cut only
costs what had not been written yet. What became of it is told in the birth, as `update`.
"""

import asyncio
import json
import time

from app import files, release, slots
from app.log import log

ALONE = "update_alone"  # NVS: the next start does nothing but update
REQUEST = "update.json"
_TRIES = 20
_FIRST_WAIT_S = 30
_LONGEST_WAIT_S = 3600
# Without a receipt for so long a new version is started again, which counts, and after five starts it goes.
_TRIAL_MS = 3600000
_PULSE_S = 20
_LOOK_MS = 200  # a sleeper's network is there for little longer than a second


class Updater:
    """
    Args:
        model: of this device; a release for another is refused.
        reset: called with a reason when a new version is ready to run; it resets the device in an orderly way.
        tls: function -> TLS context for https; None: only http.
        root: folder of the file system, "" on a device.
        partitions: `esp32.Partition`, or None where there are none.
    Attributes:
        told: called without arguments when `outcome` has changed.
        ready: function -> whether there is a network; without one no try is begun, nor counted.
        busy: a try goes on.
    """

    def __init__(self, model: str, nvs, reset, tls=None, root: str = "", partitions=None, keys=None) -> None:
        self.model = model
        self._nvs = nvs
        self._reset = reset
        self._tls = tls
        self.root = root
        self._partitions = partitions
        self.told = lambda: None
        self.ready = lambda: True
        self.keys = release.KEYS if keys is None else keys
        self._slots = slots.Slots(root, nvs, self._running_label())
        self._wanted = asyncio.Event()
        self._began = time.ticks_ms()
        self._receipted = False
        self.busy = False
        self._look_at_image()

    @property
    def installed(self) -> str:
        """The version that runs."""
        return release.VERSION

    @property
    def on_trial(self) -> bool:
        """What runs has not proved itself yet: stay awake for the gateway's receipt."""
        return self._slots.trial or bool(slots.noted(self._nvs, "image_want"))

    @property
    def outcome(self) -> str:
        """What became of the last update, as the birth tells it; "" if there never was one."""
        return slots.noted(self._nvs, "update")

    @property
    def requested(self) -> bool:
        """Something is still to be done."""
        return slots.exists(self.root + "/" + REQUEST)

    def command(self, arguments: dict) -> None:
        """The command `update`: {"url": ..., "manifest": SHA-256 of release.json in hex, if only that one will do}."""
        url, wanted = arguments.get("url"), arguments.get("manifest", "")
        if not isinstance(url, str) or not isinstance(wanted, str) or not url.startswith(("http://", "https://")):
            self._tell("refused: address: %s" % str(url)[:80])
            return
        request = {"url": url if url.endswith("/") else url + "/", "manifest": wanted}
        slots.replace(self.root + "/" + REQUEST, json.dumps(request).encode())
        slots.store(self._nvs, "update_tries", 0)
        self._wanted.set()

    def receipted(self) -> None:
        """The gateway has receipted a message: what runs is good. Cheap, so that it may be called for each receipt."""
        if self._receipted:
            return
        self._receipted = True
        if self._partitions is not None:
            try:
                self._partitions.mark_app_valid_cancel_rollback()
            except OSError:
                pass  # an image without rollback has nothing to cancel
        fresh = self._slots.keep()
        if slots.noted(self._nvs, "image_want"):
            slots.note(self._nvs, "image_want", "")
            fresh = True
        version = slots.rank(self.installed)
        if version > slots.number(self._nvs, "floor_version"):
            slots.store(self._nvs, "floor_version", version)
        if fresh:
            self._tell("%s runs" % self.installed)

    async def run(self, beat) -> None:
        """A task for ever: does what was requested, again after a while where it was interrupted."""
        if slots.exists(self.root + "/" + REQUEST):
            self._wanted.set()
        wait_s = _FIRST_WAIT_S
        while True:
            beat()
            self._watch_trial()
            if not await self._is_wanted():
                continue
            if not self.ready():
                await asyncio.sleep_ms(_LOOK_MS)
                continue
            self._wanted.clear()
            if await self.attempt(beat):
                wait_s = _FIRST_WAIT_S
                continue
            for _ in range(wait_s // 5):
                beat()
                self._watch_trial()
                if self._wanted.is_set():  # a new request does not wait for the old one
                    break
                await asyncio.sleep(5)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            self._wanted.set()

    async def attempt(self, beat) -> bool:
        """One try of what is requested; False when it should be tried again."""
        request = self._request()
        if request is None:
            return True
        tries = slots.number(self._nvs, "update_tries") + 1
        slots.store(self._nvs, "update_tries", tries)
        if tries > _TRIES:
            # The last one ended in a reset, or in an error that nobody thought of.
            self._tell("given up: %d tries did not come to an end" % _TRIES)
            self._forget(request)
            return True
        self.busy = True
        try:
            # Loaded only now: what checks and installs takes memory that is needed otherwise every day.
            from app.update import Update

            said, again = await Update(self, self._nvs, self._slots, self._partitions, self._tls, beat).attempt(request)
        except MemoryError:
            said, again = "not enough memory beside the app", True
            if not slots.number(self._nvs, ALONE):  # only once for each request
                self._tell("waits: " + said)
                slots.store(self._nvs, ALONE, 1)
                self._reset("update without the app")
                return False
        finally:
            self.busy = False
        if again and tries < _TRIES:
            self._tell("interrupted (%d of %d): %s" % (tries, _TRIES, said))
            return False
        if again:
            said = "given up: " + said
        if said:
            self._tell(said)
        self._forget(request)
        if not said:
            self._reset("update")
        return True

    def _watch_trial(self) -> None:
        if self.on_trial and time.ticks_diff(time.ticks_ms(), self._began) > _TRIAL_MS:
            self._reset("%s on trial without a receipt" % self.installed)

    def _look_at_image(self) -> None:
        """Whether the image that was to start is the one that runs; the boot loader goes back by itself."""
        wanted = slots.noted(self._nvs, "image_want")
        if wanted and wanted != self._running_label():
            slots.note(self._nvs, "image_want", "")
            slots.note(self._nvs, "update", "fell back: the new MicroPython did not prove itself")

    def _running_label(self):
        if self._partitions is None:
            return None
        return self._partitions(self._partitions.RUNNING).info()[4]

    async def _is_wanted(self) -> bool:
        try:
            await asyncio.wait_for(self._wanted.wait(), _PULSE_S)
            return True
        except asyncio.TimeoutError:
            return False

    def _request(self):
        try:
            with open(self.root + "/" + REQUEST) as file:
                found = json.load(file)
            return found if isinstance(found.get("url"), str) else None
        except (OSError, ValueError, AttributeError):
            return None

    def _forget(self, request: dict) -> None:
        slots.store(self._nvs, ALONE, 0)
        if self._request() == request:  # a newer one may have come meanwhile
            files.remove(self.root + "/" + REQUEST)

    def _tell(self, text: str) -> None:
        if text != self.outcome:
            log("info", "update: " + text)
            slots.note(self._nvs, "update", text)
            self.told()
