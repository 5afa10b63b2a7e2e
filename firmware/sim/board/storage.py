"""What the chip keeps without the file system: NVS in flash, RTC memory, the RTC's time, OTA partitions."""

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from firmware.sim.board.buses import BusError
from firmware.sim.board.virtual_time import VirtualTime

_NOT_FOUND: Final = -0x1102
_KEY_TOO_LONG: Final = -0x1109
_NO_SPACE: Final = -0x1105
_OTA_VALIDATE_FAILED: Final = -0x1503
_NOT_SUPPORTED: Final = -261
_PAGE_ENTRIES: Final = 126
_PAGES: Final = 3  # of the partition's four, one is always free
_IMAGE_MAGIC: Final = 0xE9


def _entries(item: tuple[str, str | None]) -> int:
    """How many entries of 32 bytes a value takes; its name says whether it is a number or a blob of so many hex digits."""
    name, value = item
    if value is None:
        return 0
    return 1 if name.split("/")[1] == "i" else 2 + (len(value) // 2 + 31) // 32


class Nvs:
    """Key and value pairs in a file; what was not committed is gone with the power or a reset.

    Attributes:
        entries: 32-byte entries written so far; a page of flash holds 126, and is erased once for as many.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        self._new: dict[str, str | None] = {}
        self.entries = 0

    @property
    def erases(self) -> int:
        return self.entries // _PAGE_ENTRIES

    def forget_uncommitted(self) -> None:
        self._new.clear()

    def verb(self, words: list[str]) -> str:
        """`NAMESPACE get i KEY | set i KEY NUMBER | get b KEY | set b KEY HEX | erase KEY | commit`"""
        space, what = words[:2]
        if what == "commit":
            self._commit()
            return ""
        key = words[2] if what == "erase" else words[3]
        if len(key) > 15:
            raise BusError(_KEY_TOO_LONG)
        name = f"{space}/{'' if what == 'erase' else words[2]}/{key}"
        if what == "get":
            value = self._new.get(name, self._kept.get(name))
            if value is None:
                raise BusError(_NOT_FOUND)
            return value
        if what == "set":
            value = words[4] if len(words) > 4 else ""
            # The old value stays until the new one is written.
            if sum(map(_entries, (self._kept | self._new).items())) + _entries((name, value)) > _PAGES * _PAGE_ENTRIES:
                raise BusError(_NO_SPACE)
            self._new[name] = value
            self.entries += _entries((name, value))
            return ""
        names = [f"{space}/{kind}/{key}" for kind in "ib"]
        held = [n for n in names if self._new.get(n, self._kept.get(n)) is not None]
        if not held:
            raise BusError(_NOT_FOUND)
        self._new.update(dict.fromkeys(held))
        self.entries += 1
        return ""

    def _commit(self) -> None:
        if not self._new:
            return
        for name, value in self._new.items():
            if value is None:
                self._kept.pop(name, None)
            else:
                self._kept[name] = value
        self._new.clear()
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._kept))
        new.replace(self._file)


class Rtc:
    """The clock that runs on through everything but a power cut: ms since 2000, as the firmware set them.

    Args:
        drift_ppm: how much it gains in deep sleep, where an oscillator of 150 kHz drives it.
    """

    def __init__(self, time: VirtualTime, drift_ppm: int) -> None:
        self._time = time
        self._drift_ppm = drift_ppm
        self._ahead_ms = -time.now()

    def slept(self, ms: int) -> None:
        self._ahead_ms += ms * self._drift_ppm // 1_000_000

    def lost(self, off_ms: int) -> None:
        """Without power it forgets; with the power it begins at 2000."""
        self._ahead_ms = -(self._time.now() + off_ms)

    def verb(self, words: list[str]) -> str:
        """`get | set MS`: RTC ms minus the firmware's ticks, which are the machine's clock and what was jumped over."""
        ticks_at_zero = self._time.ticks_at_zero
        if words[0] == "set":
            self._ahead_ms = int(words[1]) + ticks_at_zero
        return str(self._ahead_ms - ticks_at_zero)


class RtcMemory:
    """2048 bytes that outlive everything but the power.

    They lie, after their length, in a file that the firmware's side reads and writes itself: sent as text they would take some
    of its heap, and on the chip they take none.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.data = b""

    @property
    def data(self) -> bytes:
        content = self.file.read_bytes()
        return content[2 : 2 + int.from_bytes(content[:2], "big")]

    @data.setter
    def data(self, data: bytes) -> None:
        self.file.write_bytes(len(data).to_bytes(2, "big") + data)


@dataclass
class Partitions:
    """Two slots for whole firmware images, with rollback as the bootloader does it.

    Attributes:
        running, chosen: slot that runs, and that which the next reset starts.
        pending: the running slot was started for the first time and is not marked valid yet.
    """

    folder: Path
    size: int = 0x180000
    supported: bool = True
    running: int = 0
    chosen: int = 0
    pending: bool = False
    _before: int = 0
    history: list[str] = field(default_factory=list)

    def path(self, slot: int) -> Path:
        file = self.folder / f"ota_{slot}.bin"
        if not file.exists():
            with file.open("wb") as new:
                new.write(bytes([_IMAGE_MAGIC]) if slot == 0 else b"\xff")
                new.truncate(self.size)
        return file

    def reset(self) -> None:
        """What the bootloader does at a reset that is no waking."""
        if self.pending:
            self.chosen, self.pending = self._before, False
            self.history.append(f"rolled back to ota_{self.chosen}")
        elif self.chosen != self.running:
            self._before, self.pending = self.running, True
            self.history.append(f"trying ota_{self.chosen}")
        self.running = self.chosen

    def verb(self, words: list[str]) -> str:
        """`running | boot | next | ota_N | boot ota_N | valid`"""
        if words[0] == "valid" or len(words) == 2:
            if not self.supported:
                raise BusError(_NOT_SUPPORTED)
            if words[0] == "valid":
                self.pending = False
                return ""
            slot = int(words[1][-1])
            with contextlib.closing(self.path(slot).open("rb")) as image:
                if image.read(1) != bytes([_IMAGE_MAGIC]):
                    raise BusError(_OTA_VALIDATE_FAILED)
            self.chosen = slot
            return ""
        slots = {"running": self.running, "boot": self.chosen, "next": 1 - self.running, "ota_0": 0, "ota_1": 1}
        slot = slots[words[0]]
        return f"ota_{slot} {self.path(slot)} {0x10000 + slot * self.size} {self.size}"
