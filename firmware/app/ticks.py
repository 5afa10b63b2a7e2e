"""Milliseconds that only tell distances: they wrap after twelve days, and two of them may be compared over six.

What may lie further back is asked with `within`: `since` would call it later, as a negative distance.
"""

import time


def now() -> int:
    """Ticks of this moment."""
    return time.ticks_ms()  # type: ignore[return-value]  # the stubs hide that it is a number


def since(then: int, moment: int) -> int:
    """Milliseconds from `then` to `moment`; negative when `then` is later."""
    return time.ticks_diff(moment, then)


def within(then: int | None, moment: int, ms: int) -> bool:
    """Whether `moment` is less than `ms` after `then`, which may be of long ago; None is never."""
    return then is not None and 0 <= since(then, moment) < ms


def after(then: int, ms: int) -> int:
    """Ticks `ms` after `then`."""
    return time.ticks_add(then, ms)  # type: ignore[return-value, type-var]
