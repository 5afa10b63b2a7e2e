"""What a courier sees and hears.

recorded     已记录     green 1 s, one beep: the tap is in flash. Not that it is verified: that is the gateway's.
already      已记录过   green flickers, one short beep: this card was recorded a moment ago, nothing was added
reported     已记录, 此卡已挂失  green 1 s and red 3 s, a short and a long beep: recorded, but reported lost: tell the staff
unreadable   请再刷一次 red, two beeps: hold it again
fault        设备故障   red 3 s, one long beep: read, but this reader could not save it to flash
(down)                  red blinks every two seconds: no card can be read

At a counter (app.meal_counter) also:
waiting      请放餐     green blinks, one short beep: the card is read, the meal is not weighed yet
unweighed    未称重     green and red 1 s, a short and a long beep: recorded without a weight
zeroed       已归零     green twice: what lies on the scale is zero now
"""

import asyncio

from app import signals

# meaning -> green, red, buzzer: ms on, off, on, ...
_PATTERNS = {
    "recorded": ((1000,), (), (120,)),
    "already": ((80, 80, 80, 80, 80, 80, 80), (), (40,)),
    "reported": ((1000,), (3000,), (120, 120, 600)),
    "unreadable": ((), (800,), (100, 100, 100)),
    "fault": ((), (3000,), (900,)),
    "waiting": ((150, 350), (), (40,)),
    "unweighed": ((1000,), (1000,), (120, 100, 300)),
    "zeroed": ((80, 120, 80), (), (40,)),
}
_DOWN = (100, 1900)


class Indicator:
    """
    Args:
        green, red, buzzer: output pins, or None where none is fitted.
    """

    def __init__(self, green, red, buzzer) -> None:
        self._woken = asyncio.ThreadSafeFlag()
        self._signals = [signals.Signal(pin, self._woken.set) for pin in (green, red, buzzer)]
        self._down = False
        self.shown = {}  # meaning -> how often

    def show(self, meaning: str) -> None:
        """Begin at once; what was shown before is over."""
        self.shown[meaning] = self.shown.get(meaning, 0) + 1
        for signal, pattern in zip(self._signals, _PATTERNS[meaning]):
            signal.play(pattern, repeat=meaning == "waiting" and signal is self._signals[0])

    def down(self, is_down: bool) -> None:
        """No card can be read for now, or again."""
        if is_down != self._down:
            self._down = is_down
            self._signals[1].play(_DOWN if is_down else (), repeat=is_down)

    async def run(self, beat) -> None:
        """The task that plays the patterns."""
        await signals.play(self._signals, self._woken, beat)
