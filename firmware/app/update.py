"""One try of an update: fetch the manifest, check it, put what it names where it will run from, and have that start next."""

import binascii
import hashlib

from app import fetch, install, release, sign, slots
from app.fetch import Interrupted
from app.log import log


class Update:
    """
    Args:
        updater: `ota.Updater`, whose model, keys and installed version count.
        partitions: `esp32.Partition`, or None.  tls: function -> TLS context for https.
    """

    def __init__(self, updater, nvs, known, partitions, tls, beat) -> None:
        self._updater = updater
        self._nvs = nvs
        self._slots = known
        self._partitions = partitions
        self._tls = tls
        self._beat = beat

    async def attempt(self, request: dict) -> tuple:
        """(what is to be said, whether to try again); ("", False): the new version is ready to start.

        Raises:
            MemoryError: there is not enough memory for it.
        """
        try:
            return await self._update(request), False
        except (sign.Refused, fetch.Unusable) as error:
            return "refused: %s" % error, False
        except Interrupted as error:
            return str(error), True
        except OSError as error:
            return "%s %s" % (type(error).__name__, error), True

    async def _update(self, request: dict) -> str:
        """Install what is requested; "" when it is to be started, else why there is nothing to start."""
        url = request["url"]
        manifest = await fetch.whole(url + "release.json", sign.LARGEST, self._tls, self._beat)
        signature = await fetch.whole(url + "release.sig", sign.BITS // 8, self._tls, self._beat)
        wanted = request.get("manifest")
        if wanted and binascii.hexlify(hashlib.sha256(manifest).digest()).decode() != wanted:
            raise sign.Refused("manifest: not the release that was asked for")
        found = sign.opened(manifest, signature, self._updater.keys)
        sign.check(found, self._updater.model, self._updater.installed, slots.number(self._nvs, "floor_version"))
        if found["version"] == self._updater.installed:
            return "%s runs already" % self._updater.installed
        if self._updater.on_trial:
            # The slot before is what we would fall back to.
            raise Interrupted("%s is on trial; it must prove itself first" % self._updater.installed)
        if not found["files"] and self._slots.current:
            raise sign.Refused("files: this device runs code from its flash, and the release has none")
        partition = None
        if found["image"] is not None:
            partition = await self._install_image(url, manifest, found["image"])
        if found["files"]:
            name = self._free_slot()
            into = install.Files(self._slots.folder(name), manifest, found["files"])
            await self._transfer(into, url + "bundle.bin")
            self._start_image(partition)
            self._slots.try_out(name, partition.info()[4] if partition else None)
        else:
            self._start_image(partition)
        log("info", "update: %s is ready" % found["version"])
        return ""

    async def _install_image(self, url: str, manifest: bytes, image: dict):
        if self._partitions is None:
            raise sign.Refused("image: this device has no second partition")
        partition = self._partitions(self._partitions.RUNNING).get_next_update()
        mark = binascii.crc32(manifest) & 0x7FFFFFFF
        into = install.Image(partition, self._nvs, mark, image["size"], image["sha256"])
        await self._transfer(into, url + "micropython.bin")
        return partition

    def _start_image(self, partition) -> None:
        if partition is None:
            return
        slots.note(self._nvs, "image_want", partition.info()[4])
        try:
            partition.set_boot()
        except OSError as error:
            slots.note(self._nvs, "image_want", "")
            raise sign.Refused("image: not taken by the boot loader (%s)" % error)

    async def _transfer(self, into, url: str) -> None:
        begin = into.prepare()
        self._beat()
        try:
            if begin < into.size:
                log("info", "update: from byte %d of %d" % (begin, into.size))
                await fetch.into(url, into.take, into.size, into.size, begin, self._tls, self._beat)
        finally:
            into.leave()
        await into.finish(self._beat)

    def _free_slot(self) -> str:
        """The slot that neither runs nor is to run: in safe mode these may be two."""
        name = self._slots.free()
        code = getattr(release, "__file__", "")
        return self._slots.current if code.startswith(self._slots.folder(name) + "/") else name
