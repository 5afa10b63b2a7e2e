"""What goes wrong between a PN532 and its host: one at a time when asked for, or at random with a seed."""

from dataclasses import dataclass, field
from enum import Enum
from random import Random


class Fault(Enum):
    LOSE_COMMAND = "lose_command"  # no ACK, no answer
    LOSE_ACK = "lose_ack"  # the answer comes all the same
    LOSE_ANSWER = "lose_answer"
    BEND_ANSWER = "bend_answer"  # a wrong checksum
    CUT_ANSWER = "cut_answer"  # half of it
    PHANTOM = "phantom"  # InListPassiveTarget reports a card that is not there, with any UID
    HANG = "hang"  # deaf and dumb until RSTPD_N is pulled low


@dataclass
class Faults:
    """
    once: these happen at the next commands, one each.
    rate: probability that a command meets one of `kinds`.
    happened: in order.
    """

    once: list[Fault] = field(default_factory=list)
    rate: float = 0.0
    kinds: tuple[Fault, ...] = tuple(Fault)
    random: Random = field(default_factory=lambda: Random(1))
    happened: list[Fault] = field(default_factory=list)

    def next(self) -> Fault | None:
        """What happens to the command that has just come."""
        fault = None
        if self.once:
            fault = self.once.pop(0)
        elif self.rate and self.random.random() < self.rate:
            fault = self.random.choice(self.kinds)
        if fault is not None:
            self.happened.append(fault)
        return fault
