"""NXP PN532 card reader on a UART at 115200 baud with its reset line RSTPD_N: finds cards, carries commands, no endless wait.

The chip is known to stop answering after hours until RSTPD_N is pulled low, so the line is wired, the chip is asked for its
version now and then, and every reset is counted. The pin is RSTPD_N, not RSTO, which is an output.
"""

import asyncio
import time

from app.sensors.pn532_frame import ACK, WAKE, Frames, frame

BAUD = 115200
_ACK_MS = 30  # the chip acknowledges within 15 ms
_ANSWER_MS = 150  # of the chip itself, and for finding cards
_CARD_MS = 400  # for a card that computes
_STEP_MS = 2
_CHECK_EVERY = 40  # polls

_VERSION, _SAM, _POWER_DOWN, _RF, _LIST, _SELECT, _EXCHANGE, _THRU = 0x02, 0x14, 0x16, 0x32, 0x4A, 0x54, 0x40, 0x42
_NORMAL_MODE = b"\x01\x00\x00"
# One try to activate a card: with the factory setting InListPassiveTarget waits for ever.
_ONE_TRY = b"\x05\x01\x00\x01"
_FIELD_OFF = b"\x01\x00"
_WAKE_BY_UART = b"\x10"


class Silent(OSError):
    """The chip does not answer as it should; a reset may help."""


class CardError(OSError):
    """The card did not answer, or not properly; it has to be found again."""


class Target:
    """A card in the field. `number` names it to the chip, `uid` has 4, 7 or 10 bytes."""

    def __init__(self, number: int, sak: int, uid: bytes) -> None:
        self.number, self.sak, self.uid = number, sak, uid

    @property
    def speaks_apdu(self) -> bool:
        """ISO 14443-4: takes APDUs."""
        return bool(self.sak & 0x20)

    @property
    def is_random(self) -> bool:
        """The card makes up a new UID each time; it identifies nobody."""
        return len(self.uid) == 4 and self.uid[0] == 0x08


class PN532:
    """
    Args:
        uart: has `write(bytes)`, and `read(n)` that returns at once: bytes, or None.
        reset: the pin at RSTPD_N, has `value(level)`.

    failed_starts: how often in a row it did not come up.  resets: how often the chip was reset since the first time.
    resent: commands that were sent a second time.
    """

    def __init__(self, uart, reset) -> None:
        self._uart = uart
        self._reset = reset
        self._frames = Frames()
        self._up = False
        self._polls = 0
        self.failed_starts = 0
        self.resets = 0
        self.resent = 0

    @property
    def bad_frames(self) -> int:
        return self._frames.bad

    async def poll(self) -> list:
        """The cards in the field, at most two.

        Raises:
            Silent: no answer; the next call resets the chip first.
        """
        try:
            if not self._up:
                await self.start()
            elif self._polls % _CHECK_EVERY == 0:
                # Cards are rare: an empty answer for hours may as well come from a chip that has lost its senses.
                await self.command(_VERSION)
                await self.command(_RF, _ONE_TRY)
            self._polls += 1
            return _targets(await self.command(_LIST, b"\x02\x00"))
        except Silent:
            self._up = False
            raise

    async def start(self) -> None:
        """Reset the chip by its line and set it up."""
        if self._polls:
            self.resets += 1
        self._polls += 1
        self._up = False
        self.failed_starts += 1
        self._reset.value(0)
        await asyncio.sleep_ms(10)
        self._reset.value(1)
        await asyncio.sleep_ms(10)
        await self._quiet()
        await self.command(_VERSION)
        await self.command(_SAM, _NORMAL_MODE)
        await self.command(_RF, _ONE_TRY)
        self._up = True
        self.failed_starts = 0

    async def exchange(self, target: Target, data: bytes, again: bool = True, wait_ms: int = _CARD_MS) -> bytes:
        """Send an APDU, or READ, WRITE of a Type 2 tag, and return the card's answer.

        Args:
            again: a lost answer of the chip is asked for a second time. False where the card would notice.
            wait_ms: for the card.
        Raises:
            CardError, Silent
        """
        return _checked(await self.command(_EXCHANGE, bytes((target.number,)) + data, wait_ms, again))

    async def select(self, target: Target) -> None:
        """Make this card the one that `through` talks to."""
        _checked(await self.command(_SELECT, bytes((target.number,)), _CARD_MS))

    async def through(self, data: bytes) -> bytes:
        """Send bytes as they are to the selected card.

        For what the chip would take for its own in `exchange`: 60 and 61 are MIFARE Classic authentication there.
        A Type 2 tag that refuses is mute until it is found again.
        """
        return _checked(await self.command(_THRU, data, _CARD_MS))

    async def rest(self, deep: bool = False) -> None:
        """Switch the antenna off until the next command needs it; cards lose their power. `deep`: the whole chip sleeps."""
        if deep:
            await self.command(_POWER_DOWN, _WAKE_BY_UART)
        else:
            await self.command(_RF, _FIELD_OFF)

    async def command(self, code: int, data: bytes = b"", wait_ms: int = _ANSWER_MS, again: bool = True) -> bytes:
        """Send one command and return what follows the answer's code.

        Args:
            wait_ms: for the answer, after the acknowledgement.
        Raises:
            Silent: also the second try failed.
        """
        request = WAKE + frame(bytes((0xD4, code)) + data)
        seen = ""
        for tries_left in (1, 0) if again else (0,):
            self._uart.write(request)
            seen = "no ACK"
            item = await self._next(_ACK_MS)
            if item == ACK:
                seen = "no answer"
                item = await self._next(wait_ms)
            # An answer without its ACK is as good: the ACK was lost on the line.
            if item is not None and item[:2] == bytes((0xD5, code + 1)):
                return item[2:]
            if item is not None:
                seen = "seen " + bytes(item[:4]).hex()
            await self._quiet()
            if tries_left:
                self.resent += 1
        raise Silent("command %02x: %s" % (code, seen))

    async def _next(self, wait_ms: int) -> bytes | None:
        """The next frame, or None after `wait_ms`."""
        began = time.ticks_ms()
        while True:
            item = self._frames.next()
            if item is not None:
                return item
            data = self._uart.read(64)
            if data:
                self._frames.feed(data)
                continue
            if time.ticks_diff(time.ticks_ms(), began) >= wait_ms:
                return None
            await asyncio.sleep_ms(_STEP_MS)

    async def _quiet(self) -> None:
        """Give up the last command and throw away what still comes of it."""
        self._uart.write(WAKE + ACK)
        await asyncio.sleep_ms(_STEP_MS)
        while self._uart.read(64):
            pass
        self._frames.clear()


def _checked(answer: bytes) -> bytes:
    """What follows the status byte of a card's answer."""
    status = answer[0] & 0x3F if answer else 0x3F
    if status:
        raise CardError("status %02x" % status)
    return answer[1:]


def _targets(answer: bytes) -> list:
    """The answer of InListPassiveTarget: count, then number, ATQA (2), SAK, length, UID and, of an APDU card, its ATS."""
    found = []
    at = 1
    for _ in range(answer[0] if answer else 0):
        if at + 5 > len(answer):
            break
        number, sak, size = answer[at], answer[at + 3], answer[at + 4]
        uid = answer[at + 5 : at + 5 + size]
        if len(uid) != size or size not in (4, 7, 10):
            break
        found.append(Target(number, sak, uid))
        at += 5 + size
        if sak & 0x20:
            at += answer[at] if at < len(answer) else 0
    return found
