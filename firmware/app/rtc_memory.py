"""Parts of the RTC's memory, which survives deep sleep and resets but no power cut; a reset amid a write tears it."""

import binascii
import struct

# Who has what: (offset, size) in the 2048 bytes of an ESP32.
CLOCK = (0, 128)
WIFI = (128, 64)
APP = (192, 64)
STAGE = (256, 1792)

VERSION = 1
_HEAD = "<BH"  # version, length; the CRC-32 of both and the content follows
OVERHEAD = 7


class Region:
    """One part, told from rubbish by version and CRC.

    Args:
        memory: `machine.RTC().memory` or the like: called without argument it gives the bytes, called with bytes it keeps them.
    """

    def __init__(self, memory, offset: int, size: int) -> None:
        self._memory = memory
        self._offset = offset
        self.room = size - OVERHEAD  # bytes that `store` takes

    def load(self) -> bytes | None:
        """What was stored; None when there is nothing, or it is torn or of another version."""
        raw = memoryview(self._memory())[self._offset : self._offset + self.room + OVERHEAD]
        if len(raw) < OVERHEAD:
            return None
        version, length = struct.unpack_from(_HEAD, raw)
        if version != VERSION or length > len(raw) - OVERHEAD:
            return None
        data = bytes(raw[OVERHEAD : OVERHEAD + length])
        return data if struct.unpack_from("<I", raw, OVERHEAD - 4)[0] == _crc(length, data) else None

    def store(self, data: bytes) -> None:
        """Keep `data`, at most `room` bytes. The whole memory is written: the parts of others stay as they are."""
        length = len(data)
        if length > self.room:
            raise ValueError("%d bytes in a region of %d" % (length, self.room))
        old = self._memory()
        end = self._offset + OVERHEAD + length
        raw = bytearray(max(len(old), end))
        raw[: len(old)] = old
        struct.pack_into(_HEAD, raw, self._offset, VERSION, length)
        struct.pack_into("<I", raw, self._offset + OVERHEAD - 4, _crc(length, data))
        raw[self._offset + OVERHEAD : end] = data
        self._memory(raw)


def _crc(length: int, data) -> int:
    return binascii.crc32(data, binascii.crc32(struct.pack(_HEAD, VERSION, length)))
