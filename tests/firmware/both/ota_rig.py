"""A device with version 1.0.0 in slot a that is asked to update itself from a web server with faults."""

import os

from app import ota, release, slots
from httpd import Httpd
from releases import Nvs
from releases import release as released
from scaffold import folder, run
from signing import NEXT, OURS

GOOD = released()


class Rig:
    """A device with version 1.0.0 in slot a."""

    def __init__(self, root=None, nvs=None, version="1.0.0", keys=(OURS, NEXT), partitions=None):
        self.root = root or folder()
        self.nvs = nvs or Nvs()
        if root is None:
            os.mkdir(self.root + "/a")
            slots.replace(self.root + "/a/" + slots.COMPLETE, b'{"version":"1.0.0"}')
        release.VERSION = version
        self.resets = []
        self.beats = 0
        self.updater = ota.Updater("elder_home", self.nvs, self.resets.append, root=self.root, partitions=partitions, keys=keys)

    def beat(self):
        self.beats += 1

    def update(self, files=GOOD, fault="", cut=None, again=False, **arguments):
        """Send the command and make one attempt; the outcome as the birth tells it."""

        async def main():
            self.httpd = await Httpd(files, fault, cut).start()
            if not again:
                self.updater.command(dict(arguments, url=self.httpd.url))
            else:  # the same request, but the test's server has another port by now
                slots.replace(self.root + "/update.json", b'{"url":"%s"}' % self.httpd.url.encode())
            self.done = await self.updater.attempt(self.beat)
            await self.httpd.stop()

        run(main())
        return self.updater.outcome

    def restarted(self, version=None, **more):
        """The same flash after a start."""
        chosen = slots.Slots(self.root, self.nvs)
        chosen.start(False)
        self.slot = chosen.current
        return Rig(self.root, self.nvs, version or slots.version(self.root + "/" + self.slot), **more)

    def content(self, path, slot="b"):
        with open(self.root + "/" + slot + "/" + path, "rb") as file:
            return file.read()
