"""In MicroPython: an update on littlefs whose power goes at one operation after the other. Prints one line for each cut.

Arguments: how many cuts, seed. A cut falls on a write or erase of the flash, which is left half done, or on a commit of NVS.
"""

import asyncio
import gc
import json
import os
import random
import sys

import vfs
from app import ota, slots
from app import release as running
from httpd import Httpd
from releases import Nvs, digest, release
from signing import OURS

sys.modules["slots"] = slots
from app import boot  # noqa: E402

BLOCK, BLOCKS = 4096, 56
ROOT = "/flash"
OLD = {"app/main.py": b"VERSION = '1.0.0'\n", "app/x.py": b"#" * 5000}
NEW = {"app/m%d.py" % n: bytes([48 + n]) * (700 * n) for n in range(9)}
NEW["app/main.py"] = b"VERSION = '1.1.0'\n"
NEW["app/sensors/y.py"] = b"y" * 100


class PowerCut(BaseException):
    pass


class Power:
    """Counts operations of flash and NVS; goes at number `cut_at`."""

    def __init__(self, cut_at=0):
        self.count = 0
        self.cut_at = cut_at
        self.gone = False

    def operation(self):
        """True when the power goes in the middle of this one."""
        if self.gone:
            raise PowerCut
        self.count += 1
        self.gone = self.count == self.cut_at
        return self.gone


class Flash:
    """Block device on `memory`. The views are made beforehand: it may be called with the heap locked."""

    def __init__(self, memory, power):
        self._view = memoryview(memory)
        self._blank = memoryview(b"\xff" * BLOCK)
        self._power = power

    def readblocks(self, block, buffer, offset=0):
        begin = block * BLOCK + offset
        buffer[:] = self._view[begin : begin + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        self._put(block * BLOCK + offset, buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK
        if operation == 6:
            self._put(argument * BLOCK, self._blank)
        return 0

    def _put(self, at, data):
        count = len(data)
        torn = False
        try:
            torn = self._power.operation()
        except PowerCut:
            raise OSError(5)
        if torn:
            count //= 2
        self._view[at : at + count] = data[:count]
        if torn:
            raise OSError(5)


class CutNvs(Nvs):
    """NVS that shares the power: a commit is done as a whole or not at all."""

    power = Power()

    def set_i32(self, key, value):
        self._alive()
        Nvs.set_i32(self, key, value)

    def set_blob(self, key, value):
        self._alive()
        Nvs.set_blob(self, key, value)

    def commit(self):
        if self.power.operation():
            raise PowerCut
        Nvs.commit(self)

    def _alive(self):
        if self.power.gone:
            raise PowerCut


class Device:
    def __init__(self, memory, nvs_kept, url):
        self.memory = memory
        self.nvs = CutNvs()
        self.nvs.kept = nvs_kept
        self.url = url
        self.resets = []

    def power_up(self, cut_at=0):
        self.power = self.nvs.power = Power(cut_at)
        self.nvs.set = {}
        del self.resets[:]
        vfs.mount(vfs.VfsLfs2(Flash(self.memory, self.power)), ROOT)

    def power_down(self):
        vfs.umount(ROOT)
        gc.collect()

    def start(self):
        """As boot.py does it; the folder whose code runs."""
        before = list(sys.path)
        safe = boot.start(ROOT, self.nvs, False)
        folder = None if sys.path == before else sys.path[0]
        sys.path[:] = before
        assert not safe and folder, "nothing to run"
        return folder

    async def life(self, ask):
        """One start: runs what is there, updates if it is asked or was asked before, proves a new version good."""
        folder = self.start()
        running.VERSION = check(folder)
        updater = ota.Updater("elder_home", self.nvs, self.resets.append, root=ROOT, keys=(OURS,))
        if ask and running.VERSION == "1.0.0" and not slots.exists(ROOT + "/update.json"):
            updater.command({"url": self.url})
        while not await updater.attempt(lambda: None):
            pass
        updater.receipted()
        return running.VERSION


def check(folder):
    """The version in this folder; every file of it must be there and right."""
    with open(folder + "/" + slots.COMPLETE) as file:
        said = json.load(file)
    for entry in said["files"]:
        with open(folder + "/" + entry["path"], "rb") as file:
            assert digest(file.read()) == entry["sha256"], entry["path"]
    return said["version"]


def base():
    """A flash with version 1.0.0 in slot a and a half-forgotten 0.9.0 in slot b."""
    memory = bytearray(b"\xff" * (BLOCK * BLOCKS))
    flash = Flash(memory, Power())
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), ROOT)
    for name, version in (("a", "1.0.0"), ("b", "0.9.0")):
        os.mkdir(ROOT + "/" + name)
        os.mkdir(ROOT + "/" + name + "/app")
        for path in OLD:
            slots.replace(ROOT + "/" + name + "/" + path, OLD[path])
        slots.replace(ROOT + "/" + name + "/" + slots.COMPLETE, release(OLD, version=version)["release.json"])
    vfs.umount(ROOT)
    return memory


async def one(image, url, cuts):
    """The whole of it with these cuts, each counted from its power-up: what ran after each, and at last 1.1.0 for good."""
    device = Device(bytearray(image), {}, url)
    seen = []
    for cut_at in cuts:
        device.power_up(cut_at)
        try:
            await two_starts(device)
        except (PowerCut, OSError):
            assert device.power.gone
        device.power_down()
        device.power_up()
        seen.append(check(device.start()))
        device.power_down()
    device.power_up()
    count = await two_starts(device)
    assert check(device.start()) == "1.1.0" and not slots.Slots(ROOT, device.nvs).trial
    assert slots.number(device.nvs, "floor_version") == 1001000
    device.power_down()
    return seen, count


async def two_starts(device):
    await device.life(True)
    if device.resets:
        assert await device.life(False) == "1.1.0", "not the new one after the reset"
    assert not slots.exists(ROOT + "/update.json")
    return device.power.count


async def main(wanted, seed):
    random.seed(seed)
    image = base()
    httpd = await Httpd(release(NEW)).start()
    _, total = await one(image, httpd.url, [])
    print("operations", total)
    points = set(range(1, total + 1))
    while len(points) > wanted:
        points.discard(random.randint(1, total))
    versions = {}
    for cut in sorted(points):
        cuts = [cut] if random.randint(0, 1) else [cut, random.randint(1, 20)]
        gc.collect()
        try:
            seen, _ = await one(image, httpd.url, cuts)
        except Exception as error:
            print("BAD", cuts)
            sys.print_exception(error)
            return 1
        for version in seen:
            versions[version] = versions.get(version, 0) + 1
    print("cuts", len(points), "then ran", sorted(versions.items()))
    await httpd.stop()
    return 0


if len(sys.argv) < 4:
    ota.log = lambda *_: None
sys.exit(asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]))))
