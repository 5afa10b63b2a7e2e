"""What a way to reach a person has to offer."""

from dataclasses import dataclass
from typing import Protocol

from edge_gateway.notify.letter import Letter


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known about one message.

    Attributes:
        delivered: the channel said that it took it.
        reason: if it did not, why, for a person on call; without any part of the address, which may hold a secret.
        in_doubt: it may have arrived all the same: the answer is missing, not negative.
        reference: the channel's own id of the message, by which a later report names it; "" none.
        awaits_report: the channel took it and will say later whether it arrived; until then it is neither delivered nor failed.
    """

    delivered: bool
    reason: str = ""
    in_doubt: bool = False
    reference: str = ""
    awaits_report: bool = False


class Notifier(Protocol):
    """One way to reach people."""

    name: str

    def handles(self, url: str) -> bool:
        """Whether this address is one of its own."""
        ...

    def problem(self, url: str) -> str:
        """What is wrong with the address, without showing it; "" when it can be used. Sends nothing."""
        ...

    def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
        """Send and wait for the channel's answer, for about `timeout_s`, in a thread of its own; what it raises is in doubt."""
        ...
