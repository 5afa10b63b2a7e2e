"""Two folders of code, `/a` and `/b`, and a pointer file that says which one runs. Imports nothing of the app.

A new version runs on trial until the gateway has receipted a message of it. Starts without that are counted in NVS; too many,
and the version before runs again. The pointer is replaced by rename, so after a power cut it is the old or the new one.
"""

import binascii
import os

POINTER = "slot"
COMPLETE = "release.json"  # the signed manifest; written when everything else is in the slot
NAMES = ("a", "b")
# A start counts 20, a waking from planned deep sleep 1: five starts, or a day of waking every quarter of an hour.
_START = 20
_TRIAL_LIMIT = 100


class Slots:
    """
    Args:
        root: folder of the flash's file system, "" on a device.
        nvs: an `esp32.NVS`.
        partition: label of the partition whose MicroPython runs; None where there are none.
    """

    def __init__(self, root: str, nvs, partition=None) -> None:
        self._root = root
        self._nvs = nvs
        self._partition = partition or "-"
        self.current = self.previous = ""
        self.trial = False
        self._wanted = "-"
        if not self._read():
            self._guess()

    def start(self, woke: bool):
        """Once at each start: the folder to import from, None when there is only what is frozen into the image.

        Args:
            woke: from planned deep sleep.
        """
        if self.trial:
            count = number(self._nvs, "trial") + (1 if woke else _START)
            store(self._nvs, "trial", count)
            if count > _TRIAL_LIMIT:
                self.fall_back("no receipt in %d starts" % (_TRIAL_LIMIT // _START))
            elif self._wanted != self._partition:
                self.fall_back("its MicroPython did not start")
        if self.current and not self.is_complete(self.current):
            self.fall_back("slot %s is damaged" % self.current)
        return self.folder(self.current) if self.current else None

    def folder(self, name: str) -> str:
        return self._root + "/" + name

    def is_complete(self, name: str) -> bool:
        """Whether everything of a version was put there."""
        return name in NAMES and exists(self.folder(name) + "/" + COMPLETE)

    def free(self) -> str:
        """The slot a new version goes to."""
        return "b" if self.current == "a" else "a"

    def try_out(self, name: str, partition=None) -> None:
        """From the next start on run this slot, on trial.

        Args:
            partition: label of the partition it needs; None: the one that runs.
        """
        store(self._nvs, "trial", 0)  # first: a pointer with the old count would fall back at once
        self._write(name, True, self.current, partition or self._partition)

    def keep(self) -> bool:
        """What runs is good; True if it was on trial."""
        if not self.trial:
            return False
        self._write(self.current, False, self.previous, "-")
        return True

    def fall_back(self, why: str) -> None:
        """Run the other version from now on; `why` is kept for the next birth."""
        left = self.current
        name = self.previous if self.previous != left else ""
        if not self.is_complete(name):
            name = next((n for n in NAMES if n != left and self.is_complete(n)), "")
        note(self._nvs, "update", "fell back from %s: %s" % (version(self.folder(left)) or left, why))
        self._write(name, False, "", "-")
        store(self._nvs, "boots_failed", 0)  # the other one has all its chances

    def _write(self, name: str, trial: bool, previous: str, wanted: str) -> None:
        line = "%s %s %s %s" % (name or "-", "trial" if trial else "good", previous or "-", wanted)
        replace(self._root + "/" + POINTER, b"%s %08x" % (line.encode(), binascii.crc32(line.encode())))
        self.current, self.previous, self.trial, self._wanted = name, previous, trial, wanted

    def _read(self) -> bool:
        try:
            with open(self._root + "/" + POINTER, "rb") as file:
                words = file.read(64).split()
        except OSError:
            return False
        if len(words) != 5 or b"%08x" % binascii.crc32(b" ".join(words[:4])) != words[4]:
            return False
        name, state, previous, wanted = [word.decode() for word in words[:4]]
        self.current = "" if name == "-" else name
        self.previous = "" if previous == "-" else previous
        self.trial = state == "trial"
        self._wanted = wanted
        return True

    def _guess(self) -> None:
        """No pointer, as after the first installation: the newest complete slot."""
        found = [(version(self.folder(name)), name) for name in NAMES if self.is_complete(name)]
        self.current = max(found, key=_newness)[1] if found else ""


def _newness(entry) -> int:
    try:
        return rank(entry[0])
    except ValueError:
        return -1


def rank(version: str) -> int:
    """`1.4.0` as a number that grows with it and fits into NVS, 1004000.

    Raises:
        ValueError: it is not three numbers from 0 to 999.
    """
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isdigit() and len(part) <= 3 for part in parts):
        raise ValueError("version %s" % version[:20])
    return (int(parts[0]) * 1000 + int(parts[1])) * 1000 + int(parts[2])


def version(folder: str) -> str:
    """The version of a complete slot, "" if it is not known."""
    import json

    try:
        with open(folder + "/" + COMPLETE) as file:
            found = json.load(file)["version"]
        return found if isinstance(found, str) else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def exists(path: str) -> bool:
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def replace(path: str, content: bytes) -> None:
    """The old or the new content, whenever the power goes."""
    with open(path + "~", "wb") as file:
        file.write(content)
    os.rename(path + "~", path)


def number(nvs, key: str, default: int = 0) -> int:
    """A number of NVS; what was never written is `default`."""
    try:
        return nvs.get_i32(key)
    except OSError:
        return default


def store(nvs, key: str, value: int) -> bool:
    """Write a number to NVS, unless it is there already: each write wears the flash. False: NVS takes nothing more.

    Nobody may fail for that: a device whose NVS is full has to start, and an SOS button works without it.
    """
    if number(nvs, key, ~value) == value:
        return True
    try:
        nvs.set_i32(key, value)
        nvs.commit()
    except OSError:
        return False
    return True


def note(nvs, key: str, text: str) -> None:
    """Keep a text of at most 200 bytes, if NVS has room for it."""
    try:
        nvs.set_blob(key, text.encode()[:200])
        nvs.commit()
    except OSError:
        pass


def noted(nvs, key: str) -> str:
    """A text that `note` kept, "" when there is none."""
    buffer = bytearray(256)
    try:
        size = nvs.get_blob(key, buffer)
    except OSError:
        return ""
    while True:
        try:
            return bytes(buffer[:size]).decode()
        except UnicodeError:
            size -= 1  # `note` may have cut a character in two
