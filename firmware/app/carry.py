"""Carries single APDUs between the gateway, which holds the keys, and the card whose tap was recorded a moment ago.

The gateway asks by the command `card` and is answered on `up/reply`; docs/contract.md, section 6. What cannot be carried now is
answered with a word and forgotten: the tap itself is in flash, and counts without this.
"""

import binascii
import json

_FRESH_MS = 10_000  # a command for an older tap waited somewhere: its card has gone
_KEPT = 4  # taps
_LONGEST = 255  # bytes of an APDU


class Carry:
    """
    Args:
        exchange: coroutine function(apdu, key, first) -> (answer, ms); raises OSError.
        release: function(), the card is not needed any longer.
        now: function() -> ms.
    """

    def __init__(self, device, exchange, release, now) -> None:
        self._device = device
        self._exchange, self._release, self._now = exchange, release, now
        self._taps = []  # (seq, key, ms), the newest last
        self._done = ("", -1)  # (session, step) carried last: the broker may deliver a command twice
        self._busy = False
        device.commands["card"] = self.command
        device.repeatable.add("card")

    def note(self, seq: int, key: str) -> None:
        """The card of this key made the event."""
        self._taps = self._taps[1 - _KEPT :] + [(seq, key, self._now())]

    def command(self, command: dict) -> None:
        """Command `card`: it goes on in a task of its own."""
        self._device.supervisor.once("card", self.carry(command))

    async def carry(self, command: dict) -> None:
        """One APDU to the card, and its answer to the gateway."""
        session, step = command["session"], command["step"]
        if not isinstance(session, str) or not isinstance(step, int) or (session, step) == self._done:
            return
        self._done = (session, step)
        told = {"session": session[:32], "step": step}
        if self._busy:
            told["error"] = "busy"
        else:
            self._busy = True
            try:
                answer, told["ms"] = await self._exchange(_apdu(command), self._key(command["event"]), step == 0)
                told["answer"] = binascii.hexlify(answer).decode()
            except (OSError, ValueError, TypeError) as error:
                told["error"] = str(error)[:80]
            finally:
                self._busy = False
                if command.get("last") or "error" in told:
                    self._release()
        await self._device.link.say("reply", json.dumps(told).encode())

    def _key(self, event) -> str:
        """Of the card behind an event.

        Raises:
            ValueError: it is none of the last ones.
        """
        boot, number = event
        for seq, key, at_ms in self._taps:
            if boot == self._device.outbox.boot and seq == number and self._now() - at_ms < _FRESH_MS:
                return key
        raise ValueError("no such tap any longer")


def _apdu(command: dict) -> bytes:
    apdu = binascii.unhexlify(command["apdu"])
    if not 4 <= len(apdu) <= _LONGEST:
        raise ValueError("apdu of %d bytes" % len(apdu))
    return apdu
