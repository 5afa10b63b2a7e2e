"""Block devices for MicroPython's littlefs: one in RAM that loses power at any operation, and one in a file."""

import os

import vfs
from sim.power import Supply

BLOCK = 4096
_ERASED = b"\xff" * 256
_INIT, _SHUTDOWN, _SYNC, _COUNT, _SIZE, _ERASE = 1, 2, 3, 4, 5, 6


class RamFlash:
    """Flash in memory. Torn writes leave the first half of what was to be written, torn erases half a block erased.

    A new one for each start of the board, over the same `content`: what the old file system has open when the power goes must
    not write later.

    Args:
        content: bytearray, a whole number of blocks.

    Attributes:
        erases, written: blocks erased and bytes written so far.
    """

    def __init__(self, content, supply=None) -> None:
        self.content = content
        self.supply = supply or Supply()
        self.erases = 0
        self.written = 0
        self._view = memoryview(content)

    def readblocks(self, block, buffer, offset=0):
        if self.supply.off:
            self.supply.check()
        at = block * BLOCK + offset
        buffer[:] = self._view[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        if self.supply.last():
            half = len(buffer) // 2
            self._view[at : at + half] = memoryview(buffer)[:half]
            self.supply.cut()
        self._view[at : at + len(buffer)] = buffer
        self.written += len(buffer)

    def ioctl(self, operation, argument):
        if operation == _COUNT:
            return len(self.content) // BLOCK
        if operation == _SIZE:
            return BLOCK
        if operation == _ERASE:
            last = self.supply.last()
            at = argument * BLOCK
            for page in range(at, at + (BLOCK // 2 if last else BLOCK), len(_ERASED)):
                self._view[page : page + len(_ERASED)] = _ERASED
            if last:
                self.supply.cut()
            self.erases += 1
        return 0


class FileFlash:
    """Flash in a file of the host, which outlives the process, also one that is killed. Takes next to no heap."""

    def __init__(self, path: str, size: int) -> None:
        self._blocks = size // BLOCK
        try:
            self._file = open(path, "r+b")  # noqa: SIM115
        except OSError:
            with open(path, "wb") as file:
                for _ in range(size // len(_ERASED)):
                    file.write(_ERASED)
            self._file = open(path, "r+b")  # noqa: SIM115

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.write(buffer)

    def ioctl(self, operation, argument):
        if operation == _COUNT:
            return self._blocks
        if operation == _SIZE:
            return BLOCK
        if operation == _ERASE:
            self._file.seek(argument * BLOCK)
            for _ in range(BLOCK // len(_ERASED)):
                self._file.write(_ERASED)
        return 0


def attach(device, at: str = "/flash"):
    """Mount the device's file system, made first if there is none."""
    try:
        system = vfs.VfsLfs2(device)
    except OSError:
        vfs.VfsLfs2.mkfs(device)
        system = vfs.VfsLfs2(device)
    vfs.mount(system, at)
    return device


def mount(path: str, size: int, at: str = "/flash"):
    """Mount the flash that lives in the file `path` of the host; the file is made, erased, when it is missing."""
    return attach(FileFlash(path, size), at)


def unmount(at: str = "/flash") -> None:
    """Take a file system away, whether its device still works or not."""
    if at in os.getcwd():
        os.chdir("/")
    vfs.umount(at)
