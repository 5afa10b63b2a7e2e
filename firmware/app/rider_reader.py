"""The courier's tap: a card at the reader in the home, or a reader carried from door to door. Green only when it is in flash.

The record is one event: `tap`, what the card gave to identify it, and `proof`, its grade (app.sensors.cards). The reader holds
no key and refuses nobody: what a tap is worth is decided at the gateway. Its time is that of the card's first sighting.
"""

import asyncio

from app import settings
from app.carry import Carry
from app.indicator import Indicator
from app.log import Trouble
from app.reported import Reported
from app.sensors import cards
from app.sensors.pn532 import BAUD, PN532, CardError, Silent, Target
from app.taps import Taps, is_number, keys

PINS = {"pn532": "uart", "pn532_reset": "pin", "green": "pin", "red": "pin", "buzzer": "pin"}
DEFAULTS = {"mode": "home", "poll_ms": 250, "fold_s": 30, "tries": 3}
CHECKS = {
    # home: the reader hangs in the home and reads the courier's card. carried: the courier has it, and tags are at the doors.
    "mode": settings.choice("home", "carried"),
    "poll_ms": settings.whole(50, 2000),  # the antenna is off in between
    "fold_s": settings.whole(0, 3600),
    "tries": settings.whole(1, 10),
}

_AT_ONCE_MS = 20
_FIRST_WAIT_MS = 200
_LONGEST_WAIT_MS = 10_000
_HOLD_MS = 600  # after an APDU the card is kept for the next one; nobody else is seen meanwhile, and has his light in a second
_CARRIED_MS = 1000  # a card that answers late is told by how late it is


def build(device, board) -> list:
    """The tasks of this device."""
    return Reader(device, board).tasks()


class Reader:
    """Polls the chip, and turns what lies on it into events and lights. A counter is one with a scale (app.meal_counter)."""

    # Of several cards on the reader the light of the one that needs attention wins.
    RANKS: tuple[str, ...] = ("already", "recorded", "reported", "fault", "unreadable")

    def __init__(self, device, board) -> None:
        section = device.section
        self._device = device
        self._poll_ms = section["poll_ms"]
        # Carried it runs from a battery: the whole chip sleeps between two polls, not only its antenna.
        self._deep = section.get("mode") == "carried"
        self._taps = Taps(section["fold_s"] * 1000, section["tries"])
        self._chip = PN532(board.uart("pn532", BAUD, rxbuf=512), board.pin("pn532_reset", out=True, value=1))
        pins = [board.pin(name, out=True) if board.has(name) else None for name in ("green", "red", "buzzer")]
        self.indicator = Indicator(pins[0], pins[1], pins[2])
        self._trouble = Trouble("card reader")
        self._silences = 0  # rounds in a row in which the chip fell silent
        self._rank = 0  # of what was shown in this round
        self._lock = asyncio.Lock()
        self._held: Target | None = None  # the card an authentication goes on with
        self._held_until = 0
        self.carry = Carry(device, self.exchange, self.release, self._now)
        self.reported = Reported(device.root + "/revoked")
        device.commands["revoked"] = self.reported.command
        device.repeatable.add("revoked")
        device.health.more.append(lambda: [("reader_resets", self._chip.resets)])
        # Between the reading of a card and its event in flash nothing may reset us.
        device.busy.append(lambda: self._taps.waiting)

    def tasks(self) -> list:
        """(name, coroutine function) for the supervisor."""
        return [("reader", self.run), ("lights", self.indicator.run)]

    async def run(self, beat) -> None:
        """Poll for ever."""
        while True:
            beat()
            await asyncio.sleep_ms(await self.round())

    async def round(self) -> int:
        """One poll with all that follows from it; milliseconds until the next."""
        async with self._lock:
            if self._held is not None and self._now() < self._held_until:
                return self._poll_ms
            self._held = None
            try:
                await self._look()
            except Silent as error:
                # The next poll begins with a reset.
                self._trouble.set(str(error))
                self.indicator.down(self._silences > 0)
                self._silences += 1
                # A chip that comes up again is asked again soon, for a courier holds his card to it; one that is dead is not.
                again = self._chip.failed_starts + self._silences // 8
                return min(_FIRST_WAIT_MS << min(again, 6), _LONGEST_WAIT_MS)
        self._trouble.set()
        self._silences = 0
        self.indicator.down(False)
        return _AT_ONCE_MS if self._taps.waiting else self._poll_ms

    async def exchange(self, apdu: bytes, key: str, first: bool = True) -> tuple:
        """Carry one APDU to a card on the reader, for who holds its keys; the polling stands still for a moment.

        Args:
            key: what tells the card apart (`Taps.name`).
            first: find it; else it is the one of the APDU before, which has had power all the time.
        Returns:
            its answer, and how many ms it took.
        Raises:
            CardError: no such card, it left, or the polling has gone on meanwhile.  Silent.
        """
        async with self._lock:
            try:
                if first:
                    self._held = await self._find(key)
                if self._held is None:
                    raise CardError("the card was let go")
                began = self._now()
                answer = await self._chip.exchange(self._held, apdu, again=False, wait_ms=_CARRIED_MS)
                self._held_until = self._now() + _HOLD_MS
                return answer, self._now() - began
            except OSError:
                self._held = None
                raise

    def release(self) -> None:
        """The card that `exchange` keeps is not needed any longer."""
        self._held = None

    async def _find(self, key: str) -> Target:
        targets = await self._chip.poll()
        for target, name in zip(targets, keys(targets)):
            if target.speaks_apdu and self._taps.name(name) == key:
                return target
        raise CardError("the card is not there")

    async def _look(self) -> None:
        self._rank = 0
        targets = await self._chip.poll()
        names = keys(targets)
        visits, left = self._taps.seen(names, self._device.clock.stamp())
        for visit in visits:
            await self._deal_with(visit, targets[names.index(visit.key)])
        if any(visit.failures and not visit.given_up for visit in left):
            self._show("unreadable")
        await self._chip.rest(self._deep)

    async def _deal_with(self, visit, target) -> None:
        if self._is_double(visit):
            visit.settled = True
            self._show("reported" if self._is_reported(visit) else "already")
            return
        try:
            text, grade = await cards.read(self._chip, target, settle=self._taps.is_last_try(visit))
        except (CardError, Silent):
            if self._taps.failed(visit):
                self._show("unreadable")
            return
        # A bare UID is believed when it was seen twice: a misread one is nobody's.
        if grade != cards.UID or visit.sightings > 1:
            self._record(visit, text, grade)

    def _is_double(self, visit) -> bool:
        return self._taps.is_double(visit, self._now())

    def _record(self, visit, text: str, grade: str) -> None:
        self._save([("tap", text), ("proof", grade)], visit)
        self._taps.recorded(visit, self._now())
        self._show(self._meaning(visit))

    def _save(self, items: list, visit) -> None:
        """The event: in flash, and the gateway may ask the card about it."""
        seq = self._device.event(items, visit.first)
        if items[1][1] == cards.SUN and self._taps.is_here(visit):
            self.carry.note(seq, self._taps.name(visit.key))

    def _meaning(self, visit) -> str:
        """What a tap that was recorded is shown as."""
        if not self._device.outbox.on_flash:
            return "fault"
        return "reported" if self._is_reported(visit) else "recorded"

    def _is_reported(self, visit) -> bool:
        return is_number(visit.key) and self.reported.has(bytes.fromhex(visit.key))

    def _show(self, meaning: str) -> None:
        rank = self.RANKS.index(meaning)
        if rank >= self._rank:
            self._rank = rank
            self.indicator.show(meaning)

    def _now(self) -> int:
        return self._device.clock.uptime_ms()
