"""One alert as it is kept: what happened, who was told, who took it, and its timers.

An alert is saved as one MessagePack map. A field may be added with a default and is never renamed or given another meaning: an
alert that yesterday's version left open must be readable today.
"""

from enum import StrEnum
from typing import Final

import msgspec

from edge_gateway.rules import Severity


class State(StrEnum):
    """raised -> notified -> accepted -> closed; an accepted alert may be raised again."""

    RAISED = "raised"
    NOTIFIED = "notified"  # a channel confirmed that it took a message for a person
    ACCEPTED = "accepted"  # a named person deals with it
    CLOSED = "closed"


class Sending(StrEnum):
    """What became of one message to one channel."""

    WAITING = "waiting"  # to be handed out at `due_ns`
    OUT = "out"  # handed out; without an answer by `due_ns` it counts as in doubt
    TAKEN = "taken"  # the channel has it and will report whether it arrived; no confirmation yet
    DELIVERED = "delivered"
    IN_DOUBT = "in_doubt"  # may have arrived; not sent again before the next step


class Send(msgspec.Struct):
    """The message of one step to one channel of one person.

    Attributes:
        step: of the alert; with person and channel the identity of the message.
        channel: index into the person's addresses.
        due_ns: see `Sending`.
        opened_ns: since when this channel is tried; the next one opens when it does not confirm.
        failures: in a row; the distance between tries grows with it.
        doubts: restarts that met it handed out and unanswered.
    """

    step: int
    person: str
    channel: int
    due_ns: int
    opened_ns: int
    state: Sending = Sending.WAITING
    failures: int = 0
    doubts: int = 0
    error: str = ""


class Awaited(msgspec.Struct, array_like=True, frozen=True):
    """A delivery report that is to come: its name, and the message it is about."""

    ref: str
    step: int
    person: str
    channel: int


class Link(msgspec.Struct, array_like=True):
    """A link that was put into a message. Only what it hashes to is kept; it is bound to this alert and to `person`.

    Attributes:
        digest: see `links`.
        kind: `accept` or `close`: what may be done with it, once.
        used_ns: 0: not yet.
    """

    digest: bytes
    kind: str
    person: str
    made_ns: int
    expires_ns: int
    used_ns: int = 0


class Change(msgspec.Struct, frozen=True):
    """One line of an alert's history."""

    at_ns: int
    state: State
    by: str
    reason: str


class Alert(msgspec.Struct):
    """An alert and its ladder. All times are wall clock; every timer is read through `ladder`, which mends a clock that jumped.

    Attributes:
        count: how often its cause was found while it was open.
        events: (device, boot, seq) of the devices' events behind it, the newest last.
        told: persons a channel confirmed a message for, in order.
        step: which round of messages; 0 before the first.
        reached: how many persons of `chain` are told in a round.
        step_due_ns, person_due_ns: when the next round goes out and the next person joins.
        due_ns: when any timer has to be looked at; None: none runs (closed).
        chain: ids of those who are told, in order, as it was at the last round.
        joined: person -> the step that told them first in this run of the ladder.
        siren_due_ns: when the siren sounds unless a person's channel confirms before; 0: not decided yet.
        close_due_ns: of an accepted alert, when it is opened again; of a test, when it has failed; 0: no such timer.
        first: who is told before all others: the one who had accepted it, when it was opened again.
        reopened: why it was opened again last: `again`, `not_closed`, `worse`; "" it was not.
        links: that messages carried and that may still be asked about.
        awaited: delivery reports to come, the newest last.
        test: nobody is in danger; the way to a person is tried.
        siren: the siren has sounded in this run of the ladder.
        once: as in `rules.Finding`.
    """

    id: str
    key: str
    rule: str
    severity: Severity
    site: str
    device: str
    place: str
    occurred_ns: int
    raised_ns: int
    text_zh: str
    text_en: str
    evidence: list[str] = []
    count: int = 1
    returns: bool = False
    state: State = State.RAISED
    accepted_by: str = ""
    accepted_ns: int = 0
    closed_by: str = ""
    closed_ns: int = 0
    history: list[Change] = []
    told: list[str] = []
    step: int = 0
    reached: int = 1
    step_due_ns: int = 0
    person_due_ns: int = 0
    sends: list[Send] = []
    due_ns: int | None = None
    events: list[tuple[str, int, int]] = []
    chain: list[str] = []
    joined: dict[str, int] = {}
    siren_due_ns: int = 0
    close_due_ns: int = 0
    first: str = ""
    reopened: str = ""
    links: list[Link] = []
    awaited: list[Awaited] = []
    test: bool = False
    siren: bool = False
    once: bool = False

    @property
    def urgent(self) -> bool:
        """A person may be in danger."""
        return self.severity is Severity.URGENT

    @property
    def outside(self) -> bool:
        """Another watcher, Grafana, found it: for technicians, and it stands in nobody's way."""
        return self.rule == "grafana"

    @property
    def unanswered(self) -> bool:
        """Nobody has accepted it yet."""
        return self.state in (State.RAISED, State.NOTIFIED)

    @property
    def code(self) -> str:
        """The last letters of its id, by which a person names it in an answer."""
        return self.id.rpartition("-")[2]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Alert)


def pack(alert: Alert) -> bytes:
    """The alert as the store keeps it."""
    return _encoder.encode(alert)


def unpack(body: bytes) -> Alert:
    """The alert of `pack`, also of an older or newer version.

    Raises:
        msgspec.MsgspecError: the bytes are no alert (a damaged row).
    """
    return _decoder.decode(body)
