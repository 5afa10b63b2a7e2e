"""Errors are named by what the caller does next.

KanhuError
 +- Rejected       this input can never be accepted: dead letter, count, go on
 +- Unavailable    the other side is away or busy: keep, wait, call again
 +- Misconfigured  only a person can fix it: keep, tell the operator
"""


class KanhuError(Exception):
    """Base of all errors this project raises on purpose."""


class Rejected(KanhuError):
    """This input can never be accepted, however often it is sent.

    Args:
        reason: a fixed lower-case word for counters and the dead-letter table, such as `not_a_number`.
        detail: what was seen and what would be right; never a secret or a person's name.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Unavailable(KanhuError):
    """The other side is out of reach or busy; the same call may succeed later.

    Args:
        detail: what was seen.
        retry_after_s: how long the other side asked us to wait, if it did.
    """

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Misconfigured(KanhuError):
    """A setting is missing or impossible; only a person can fix it.

    Args:
        detail: what was seen.
        hint: the next step for that person.
    """

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(f"{detail} ({hint})" if hint else detail)
        self.detail = detail
        self.hint = hint
