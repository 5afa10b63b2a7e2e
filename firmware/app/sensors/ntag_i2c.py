"""NXP NTAG I2C plus as a display: a text written by the device over I2C, read by any phone that is held to it.

Its pin FD (open drain, low while a phone is near) wakes the device.
"""

ADDRESS = 0x55
_BLOCK = 16
_FIRST_BLOCK = 1  # user memory; block 0 holds the serial number and, on reading, overlaps the address: it is never written
_LONGEST = 800  # of 888 bytes


class NtagI2c:
    """Shows one text at a time. A block takes 4.5 ms to write, in which the chip does not answer."""

    def __init__(self, i2c, address: int = ADDRESS):
        self.i2c = i2c
        self.address = address
        self._pending: list = []

    def show(self, text: str) -> None:
        """This text is to be shown; `go_on` writes it."""
        data = ndef_text(text)
        data += bytes(-len(data) % _BLOCK)
        blocks = [(_FIRST_BLOCK + i // _BLOCK, data[i : i + _BLOCK]) for i in range(0, len(data), _BLOCK)]
        # The first block holds the length: it is emptied first and written last, so that no phone sees half a text.
        self._pending = [(_FIRST_BLOCK, b"\x03\x00\xfe" + bytes(13))] + blocks[1:] + blocks[:1]

    def go_on(self) -> int:
        """Write the next block: milliseconds until the one after it, 0: all is written.

        Raises:
            OSError: the tag is not there, or belongs to a phone just now; the block is still to be written.
        """
        if not self._pending:
            return 0
        block, data = self._pending[0]
        self.i2c.writeto(self.address, bytes((block,)) + data)
        del self._pending[0]
        return 5


def ndef_text(text: str) -> bytes:
    """An NDEF message with one text record, in its TLV."""
    payload = b"\x02en" + text.encode()[:_LONGEST]
    if len(payload) < 256:
        record = b"\xd1\x01" + bytes((len(payload),)) + b"T" + payload
    else:
        record = b"\xc1\x01" + len(payload).to_bytes(4, "big") + b"T" + payload
    size = len(record)
    head = bytes((3, size)) if size < 255 else bytes((3, 255, size >> 8, size & 255))
    return head + record + b"\xfe"
