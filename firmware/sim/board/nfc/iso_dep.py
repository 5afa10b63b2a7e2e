"""ISO 14443-4 from the card's side, for a reader that does the blocks itself: RATS, chained I-blocks, R-blocks, DESELECT."""

from collections.abc import Callable

_FRAME_SIZES = (16, 24, 32, 40, 48, 64, 96, 128, 256)
_CHAINING = 0x10


class IsoDep:
    """
    Args:
        apdu: answers one command.
    """

    def __init__(self, ats: bytes, apdu: Callable[[bytes], bytes]) -> None:
        self._ats = ats
        self._apdu = apdu
        self.reset()

    def reset(self) -> None:
        self._room = 0  # bytes of data in one block to the reader; 0: not activated
        self._number = 1
        self._received = b""
        self._waiting = b""  # of an answer that is sent in pieces
        self._last = b""

    def block(self, data: bytes) -> bytes | None:
        """One block in, one block out; None for what a card does not answer."""
        if not data:
            return None
        if data[0] == 0xE0 and len(data) == 2:
            self.reset()
            self._room = _FRAME_SIZES[min(data[1] >> 4, 8)] - 3
            return self._ats
        if not self._room:
            return None
        head = data[0]
        if head & 0xE2 == 0x02:
            return self._information(head, data[1:])
        if head & 0xE6 == 0xA2:
            return self._receipt(head)
        if head & 0xF7 == 0xC2:
            self.reset()
            return bytes([head])
        return None

    def _information(self, head: int, data: bytes) -> bytes:
        self._number ^= 1
        self._received += data
        if head & _CHAINING:
            return self._sent(bytes([0xA2 | self._number]))
        command, self._received = self._received, b""
        self._waiting = self._apdu(command)
        return self._piece()

    def _receipt(self, head: int) -> bytes:
        if head & 1 == self._number:
            return self._last  # the reader did not get it
        if head & _CHAINING:
            return bytes([0xA2 | self._number])  # NAK with the other number: are you there?
        self._number ^= 1
        return self._piece()

    def _piece(self) -> bytes:
        part, self._waiting = self._waiting[: self._room], self._waiting[self._room :]
        return self._sent(bytes([0x02 | self._number | (_CHAINING if self._waiting else 0)]) + part)

    def _sent(self, block: bytes) -> bytes:
        self._last = block
        return block
