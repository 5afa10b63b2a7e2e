"""The way of an alarm, tried every day: asked for by the gateway, it goes the way of a press and shows nothing to anybody.

Not the button itself: that its wire is whole only a finger can tell, once a month. All that comes after it is the way of a
press: the task that watches the buttons, the flash, the lane of events, the broker.
"""

from app import ticks
from app.log import log

NAME = "selftest"  # without the three letters of a call: a message of it that arrives torn must not ring as one
_LONGEST = 40
_STALE_MS = 60_000  # the task that watches the buttons did not come by for so long: no answer is the right answer


class SelfTest:
    """
    Args:
        urgent: saves the event (app.urgent).
        button: contact of the SOS button.
        call: the call for help; while it is open there is no test.
    """

    def __init__(self, device, urgent, button, call) -> None:
        self._device = device
        self._urgent = urgent
        self._button = button
        self._call = call
        self._test = ""  # name of the test that waits for the task that watches the buttons
        self._asked = 0

    def ask(self, command: dict) -> None:
        """Command `selftest` with `test`, a name that comes back in the event."""
        test = command.get("test")
        if not isinstance(test, str) or not 0 < len(test) <= _LONGEST:
            raise ValueError("test: seen %r, expected a text of 1 to %d characters" % (test, _LONGEST))
        self._test, self._asked = test, ticks.now()
        self._button.wake()

    def look(self) -> None:
        """Called by the task that watches the buttons, after it has looked at them."""
        if not self._test:
            return
        test, self._test = self._test, ""
        if not ticks.within(self._asked, ticks.now(), _STALE_MS):
            why = "the buttons were not looked at in time"
        elif self._call.open:
            why = "a call for help is open"
        elif self._button.state is not False:
            why = "the button is pressed or stuck"
        else:
            self._urgent.put([(NAME, test)], self._device.clock.stamp())
            return
        log("warning", "no self-test: " + why)
