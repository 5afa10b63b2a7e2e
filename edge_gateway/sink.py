"""The one thing the gateway asks of a database: take these entries and tell me which you will never take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from edge_gateway.events import Entry
from edge_gateway.registry import Registry


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry the database can never take.

    Attributes:
        entry: the entry as it was handed over.
        reason: a fixed word for the counter: `type_conflict`, `outside_retention`, `malformed_line`, `too_large`.
        detail: the database's own words, shortened.
    """

    entry: Entry
    reason: str
    detail: str


class Sink(Protocol):
    """A database, called from one worker thread at a time; every call blocks and has its own time-outs."""

    name: str

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        """Return only when the database holds every entry but the refused ones. Writing an entry twice is harmless.

        Raises:
            Unavailable: away or busy; nothing may be forgotten, the same call may succeed later.
            Misconfigured: wrong token, missing bucket; nothing may be forgotten, a person must act.
        """
        ...

    def close(self) -> None:
        """Give back connections and files; a second call does nothing."""
        ...


@runtime_checkable
class Expecting(Protocol):
    """A database beside which sums are kept, that says how much there should have been."""

    def expect(self, registry: Registry) -> None:
        """Who is expected to speak from now on, and how often. Called from any thread; returns at once."""
        ...


@runtime_checkable
class Eraser(Protocol):
    """A database that can forget. Called from any thread, never beside a `write`."""

    def erase(self, site: str, place: str, devices: Sequence[str]) -> int:
        """Delete everything of a place, where these devices stood; how many series, -1 if nobody knows.

        Raises:
            Unavailable: away or busy; call again, what went stays gone.
            Misconfigured: this database cannot, or the token may not; says what a person does instead.
        """
        ...

    def forget(self, measurement: str, before_ns: int) -> int:
        """Delete the rows of a measurement whose time is before that; how many, -1 if nobody knows. Raises as `erase`."""
        ...


@runtime_checkable
class Teller(Protocol):
    """A database beside which something is kept for every write; `tell` asks for no more than the database itself."""

    def tell(self, entries: Sequence[Entry]) -> list[Refusal]:
        """As `Sink.write`, also where nothing can be written to our own disk."""
        ...
