"""What NVS remembers of the outbox: the number of the boot, and how much of it was in RTC memory alone.

NVS is a log: 126 entries of 32 bytes fill a page, which is then erased. So each number that is written costs 1/126 erase.
"""

import os
import struct

from app.log import Trouble

_BOOT = "boot"
_WHOSE = "whose"
_SEQ = "seq"
_SAFE = "safe"
_NAMED = "named"
# Random and counted up within 30 bits: a small int on the device. Never 0, so that 0 can say "none".
_MOST = 0x3FFFFFFF
_KEPT = 64


class Book:
    """
    Args:
        nvs: `esp32.NVS` or the like; nothing is taken for granted but that one entry is old or new after a power cut.

    Attributes:
        boot: the last boot that was started, None when nobody knows.
        whose: the boot that the following speak of; 0: none.
        seq: its last record that was staged in RTC memory.
        safe: each of its records up to this is on flash, receipted or declared lost.
        named: those above `safe` that the gateway's receipts named one by one.
    """

    def __init__(self, nvs) -> None:
        self._nvs = nvs
        self._trouble = Trouble("NVS")
        self.boot = self._get(_BOOT)
        self.whose = self._get(_WHOSE) or 0
        self.seq = self._get(_SEQ) or 0
        self.safe = self._get(_SAFE) or 0
        self.named = self._get_named() if self.whose else []

    def start(self, taken) -> int:
        """The number of a new boot, written before anything uses it. Not one of `taken`, of which records are still held."""
        boot = self.boot
        boot = _random() if boot is None else boot % _MOST + 1
        while boot in taken:
            boot = _random()
        if not self._set(_BOOT, boot):
            # What cannot be counted up must be random, or the next start takes the same number.
            boot = _random()
        self.boot = boot
        return boot

    def open(self, boot: int) -> None:
        """From now on it speaks of `boot`; what there was to say of the one before has been said."""
        # In this order: cut off in between, it says that nothing of the old one is uncertain, which is right.
        self.seq = self.safe = 0
        self._set(_SEQ, 0)
        self._set(_SAFE, 0)
        self.whose = boot
        self._set(_WHOSE, boot)
        self.named = []

    def uncertain(self) -> tuple:
        """(boot, first, last): what of the boot before may have been in RTC memory alone; last < first: nothing."""
        return self.whose, self.safe + 1, self.seq

    def staged(self, seq: int, upto: int) -> None:
        """`seq` is in RTC memory alone; each up to `upto` is not."""
        # Those were left unwritten while nothing was staged above them.
        self._raise_safe(upto)
        self.seq = seq
        self._set(_SEQ, seq)

    def settled(self, upto: int) -> None:
        """Each up to `upto` is on flash, receipted or declared."""
        if self.seq > self.safe:
            self._raise_safe(upto)

    def receipted(self, seqs) -> None:
        """The gateway has these, though not all below them."""
        new = [seq for seq in seqs if seq > self.safe and seq not in self.named]
        if new:
            # Bounded: of what is forgotten here, a declaration later names more than was lost, which does no harm.
            self.named = ([seq for seq in self.named if seq > self.safe] + new)[-_KEPT:]
            self._set_named()

    def _raise_safe(self, upto: int) -> None:
        if upto > self.safe:
            self.safe = upto
            self._set(_SAFE, upto)

    def _get(self, key: str) -> int | None:
        try:
            return self._nvs.get_i32(key) & 0xFFFFFFFF
        except OSError:
            return None

    def _set(self, key: str, value: int) -> bool:
        try:
            self._nvs.set_i32(key, value - (value >> 31 << 32))
            self._nvs.commit()
        except OSError as error:
            self._trouble.set(str(error))
            return False
        self._trouble.set()
        return True

    def _get_named(self) -> list:
        raw = bytearray(4 * (_KEPT + 1))
        try:
            size = self._nvs.get_blob(_NAMED, raw)
        except OSError:
            return []
        found = [struct.unpack_from("<I", raw, at)[0] for at in range(0, size - 3, 4)]
        return found[1:] if found and found[0] == self.whose else []

    def _set_named(self) -> None:
        raw = bytearray()
        for number in [self.whose] + self.named:
            raw.extend(struct.pack("<I", number))
        try:
            self._nvs.set_blob(_NAMED, raw)
            self._nvs.commit()
        except OSError as error:
            self._trouble.set(str(error))


def _random() -> int:
    return int.from_bytes(os.urandom(4), "little") % _MOST + 1
