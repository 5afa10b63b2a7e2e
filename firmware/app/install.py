"""Puts a release where it will run from: files into the free slot, an image into the next partition. Goes on after any cut."""

import asyncio
import binascii
import hashlib
import os

from app import files, slots
from app.fetch import Interrupted
from app.sign import Refused

_INCOMING = "incoming"  # names the release that is being put into the slot
_BLOCK = 4096
_SAVE_BLOCKS = 16  # how often the place in an image is saved: 64 KiB, two dozen writes of NVS an image


class Files:
    """The files of one release in one slot.

    Args:
        folder: of the slot.
        manifest: the signed bytes; kept as the mark that everything is there.
        entries: `files` of `sign.opened`.
    """

    def __init__(self, folder: str, manifest: bytes, entries) -> None:
        self._folder = folder
        self._manifest = manifest
        self._files = entries
        self._at = 0  # number of the file that comes next
        self._now: _Incoming | None = None
        self.size = sum(entry["size"] for entry in entries)

    def prepare(self) -> int:
        """Make room for this release, or go on with it: the byte of the bundle that is wanted next.

        Raises:
            Refused: there is not enough room.
        """
        mark = binascii.hexlify(hashlib.sha256(self._manifest).digest())
        if _content(self._path(_INCOMING)) != mark:
            files.makedirs(self._folder)
            self._check_room()
            # The mark of completeness goes first: half a version must never look like one.
            files.remove(self._path(slots.COMPLETE))
            clear(self._folder)
            slots.replace(self._path(_INCOMING), mark)
        if _content(self._path(slots.COMPLETE)) == self._manifest:
            self._at = len(self._files)
            return self.size
        begin = 0
        for entry in self._files:
            if _size(self._path(entry["path"])) != entry["size"]:
                break
            self._at += 1
            begin += entry["size"]
        self._open()
        return begin

    def take(self, chunk) -> None:
        """The next bytes of the bundle.

        Raises:
            Refused: a file is not the one that was signed.
        """
        view = memoryview(chunk)
        while self._now is not None and len(view):
            view = view[self._now.take(view) :]
            if not self._now.left:
                self._now.finish()
                self._at += 1
                self._open()

    def leave(self) -> None:
        """No more bytes come this time."""
        if self._now is not None:
            self._now.close()
            self._now = None

    async def finish(self, beat) -> None:
        """Read everything back from flash and, if it is right, mark the slot as complete.

        Raises:
            Interrupted: something is not right; the next try fetches it again.
        """
        buffer = bytearray(1024)
        for entry in self._files:
            digest = hashlib.sha256()
            path = self._path(entry["path"])
            with open(path, "rb") as file:
                while True:
                    count = file.readinto(buffer)
                    if not count:
                        break
                    digest.update(memoryview(buffer)[:count])
                    beat()
            if digest.digest() != entry["sha256"]:
                files.remove(self._path(slots.COMPLETE))
                files.remove(path)
                raise Interrupted("flash: %s reads back differently" % entry["path"])
            await asyncio.sleep(0)
        if _content(self._path(slots.COMPLETE)) != self._manifest:
            slots.replace(self._path(slots.COMPLETE), self._manifest)

    def _path(self, name: str) -> str:
        return self._folder + "/" + name

    def _open(self) -> None:
        """Begin the next file; empty ones are made in passing."""
        self._now = None
        while self._at < len(self._files):
            entry = self._files[self._at]
            path = self._path(entry["path"])
            files.makedirs(path[: path.rindex("/")])
            self._now = _Incoming(path, entry)
            if entry["size"]:
                break
            self._now.finish()
            self._now = None
            self._at += 1

    def _check_room(self) -> None:
        info = os.statvfs(self._folder)
        # What lies in the slot goes first.
        free = info[1] * info[3] + _used(self._folder)
        # The file system needs some blocks of its own, for folders and for writing aside.
        need = sum(_blocks(entry["size"]) for entry in self._files) + 8 * _BLOCK
        if free < need:
            raise Refused("room: %d bytes free, %d needed" % (free, need))


class _Incoming:
    """A file that comes in pieces, under another name until it is whole and right."""

    def __init__(self, path: str, entry: dict) -> None:
        self._path = path
        self._name = entry["path"]
        self._digest = entry["sha256"]
        self._file = open(path + ".part", "wb")  # noqa: SIM115 - open from piece to piece
        self._hash = hashlib.sha256()
        self.left = entry["size"]

    def take(self, view) -> int:
        """Write what belongs to this file; how many bytes that were."""
        view = view[: min(len(view), self.left)]
        self._file.write(view)
        self._hash.update(view)
        self.left -= len(view)
        return len(view)

    def close(self) -> None:
        self._file.close()

    def finish(self) -> None:
        self._file.close()
        if self._hash.digest() != self._digest:
            raise Refused("hash: %s is not what was signed" % self._name)
        os.rename(self._path + ".part", self._path)


class Image:
    """MicroPython itself, into the partition that does not run.

    Args:
        partition: `esp32.Partition.get_next_update()`.
        mark: tells this release from others, 31 bits.
    """

    def __init__(self, partition, nvs, mark: int, size: int, digest: bytes) -> None:
        self._partition = partition
        self._nvs = nvs
        self._mark = mark
        self._digest = digest
        self._block = bytearray(_BLOCK)
        self._got = 0
        self.size = size

    def prepare(self) -> int:
        """The byte of the image that is wanted next.

        Raises:
            Refused: it does not fit.
        """
        room = self._partition.info()[3]
        if self.size > room:
            raise Refused("room: a partition of %d bytes, %d needed" % (room, self.size))
        if slots.number(self._nvs, "image_of") != self._mark:
            slots.store(self._nvs, "image_at", 0)
            slots.store(self._nvs, "image_of", self._mark)
        self._got = min(slots.number(self._nvs, "image_at") * _BLOCK, self.size // _BLOCK * _BLOCK)
        return self._got

    def take(self, chunk) -> None:
        """The next bytes.

        Raises:
            Refused: it is no image.
        """
        if not self._got and chunk[0] != 0xE9:
            raise Refused("image: no application image of an ESP32; use the .app-bin")
        view = memoryview(chunk)
        while len(view):
            at = self._got % _BLOCK
            count = min(len(view), _BLOCK - at)
            self._block[at : at + count] = view[:count]
            self._got += count
            view = view[count:]
            if self._got % _BLOCK == 0 or self._got == self.size:
                self._write((self._got - 1) // _BLOCK)

    def leave(self) -> None:
        """No more bytes come this time."""

    async def finish(self, beat) -> None:
        """Read it back.

        Raises:
            Refused: it is not the one that was signed.
        """
        digest = hashlib.sha256()
        left = self.size
        for n in range((self.size + _BLOCK - 1) // _BLOCK):
            self._partition.readblocks(n, self._block)
            digest.update(memoryview(self._block)[: min(left, _BLOCK)])
            left -= _BLOCK
            beat()
            await asyncio.sleep(0)
        if digest.digest() != self._digest:
            slots.store(self._nvs, "image_at", 0)
            raise Refused("hash: the image is not what was signed")

    def _write(self, n: int) -> None:
        self._partition.writeblocks(n, self._block)
        if (n + 1) % _SAVE_BLOCKS == 0:
            slots.store(self._nvs, "image_at", n + 1)


def _blocks(size: int) -> int:
    """The room that a file takes: whole blocks."""
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK


def _used(folder: str) -> int:
    total = 0
    for name in os.listdir(folder):
        info = os.stat(folder + "/" + name)
        total += _used(folder + "/" + name) if info[0] & 0x4000 else _blocks(info[6])
    return total


def _content(path: str):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _size(path: str) -> int:
    try:
        return os.stat(path)[6]
    except OSError:
        return -1


def clear(folder: str) -> None:
    """Remove everything in a folder."""
    if not slots.exists(folder):
        return
    for name in os.listdir(folder):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            clear(path)
            os.rmdir(path)
        else:
            files.remove(path)
