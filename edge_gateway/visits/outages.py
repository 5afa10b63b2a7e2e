"""When a reader could not be heard, and whether all it recorded meanwhile is here: else nobody is said to have missed a visit.

One `ReaderHealth` a reader, told of everything the gateway hears and of the passing of time; it is saved with the ledger. Times
are of the gateway's wall clock. A clock that jumps ahead makes an outage that was none, which accuses nobody; of one that jumps
back `set_back` is told, a little is passed over.
"""

from typing import Final

import msgspec

from edge_gateway.visits.records import Outage, Reason

PROVED_NS: Final = 60_000_000_000  # the same boot heard again for so long, and nothing left in its outbox
_PENDING: Final = 64  # outages that wait for their proof; beyond it the oldest stay unproved for ever


class Pending(msgspec.Struct, array_like=True):
    """An outage that is over, and the boot that has to be heard again to prove that it recorded all through it."""

    outage: Outage
    boot: int
    alive: bool = False  # it was


class ReaderHealth(msgspec.Struct, array_like=True):
    """What the gateway knows of one reader's being there.

    Attributes:
        boot: of the newest message.  heard_ns: when that came, or since when the reader is expected.
        listened_ns: until when the gateway surely listened.
        open: the outage that lasts.  pending: those that are over and not yet proved harmless.
        boot_before: the boot heard last before the open outage.
        limit_ns: how long it may be silent; 0: for ever.
    """

    site: str
    device: str
    place: str
    heard_ns: int
    listened_ns: int
    boot: int | None = None
    open: Outage | None = None
    pending: list[Pending] = []
    boot_before: int | None = None
    limit_ns: int = 0

    @classmethod
    def new(cls, site: str, device: str, place: str, now_ns: int) -> "ReaderHealth":
        """A reader that is expected from now on."""
        return cls(site, device, place, now_ns, now_ns)

    def heard(self, now_ns: int, boot: int | None, outbox_records: int | None = None, gapless: bool = False) -> list[Outage]:
        """Something came from the reader.

        Args:
            boot: of the message or birth; None: it did not say.
            outbox_records: what a health reading of this moment says still waits in the reader, of any boot.
            gapless: the gateway has every message of this boot up to the newest.
        Returns:
            The outages that are new or changed; one is the same as before if device and `from_ns` are.
        """
        if self._is_deaf(now_ns) and self.open is None:
            self._begin(self.listened_ns, Reason.GATEWAY_DOWN)
        self.heard_ns, self.listened_ns = max(self.heard_ns, now_ns), max(self.listened_ns, now_ns)
        self.boot = self.boot if boot is None else boot
        changed = [self._over(now_ns)] if self.open is not None else []
        if boot is None:
            return changed
        return changed + self._prove(now_ns, outbox_records == 0, gapless)

    def _is_deaf(self, now_ns: int) -> bool:
        """Whether the gateway has not listened for as long as a reader may be silent."""
        return self.limit_ns > 0 and now_ns - self.listened_ns > self.limit_ns

    def tick(self, now_ns: int, silence_s: float, listening: bool) -> list[Outage]:
        """Time has passed. To be called every few seconds while the gateway runs; a long pause between two calls is a time in
        which it did not listen.

        Args:
            silence_s: after so many seconds without a word the reader is away; 0: it need not speak.
            listening: the gateway is connected to its broker.
        Returns:
            As `heard`.
        """
        self.limit_ns = round(max(silence_s, 0) * 1e9)
        changed: list[Outage] = []
        if self._is_deaf(now_ns) and self.open is None:
            # What the reader sent meanwhile it still has; that it was recording has to be proved.
            changed = [self._begin(self.listened_ns, Reason.GATEWAY_DOWN)]
        if not listening:
            return changed
        if self.open is not None and self.open.cause == Reason.GATEWAY_DOWN:
            changed = [self._over(now_ns)]
            self.heard_ns = max(self.heard_ns, now_ns)  # it has its whole time again from now
        self.listened_ns = max(self.listened_ns, now_ns)
        if self.open is None and 0 < self.limit_ns < now_ns - self.heard_ns:
            changed.append(self._begin(self.heard_ns, Reason.READER_OFFLINE))
        return changed

    def set_back(self, now_ns: int) -> list[Outage]:
        """The wall clock had run ahead and is right again: the jump's outage ends now. Returns as `heard`."""
        self.heard_ns, self.listened_ns = min(self.heard_ns, now_ns), min(self.listened_ns, now_ns)
        changed: list[Outage] = []
        for one in self.pending:
            if one.outage.from_ns < now_ns < (one.outage.to_ns or 0):
                one.outage = msgspec.structs.replace(one.outage, to_ns=now_ns)
                changed.append(one.outage)
        return changed

    def _begin(self, from_ns: int, cause: Reason) -> Outage:
        # A second outage of one moment would overwrite the first.
        last = max((one.outage.from_ns for one in self.pending), default=from_ns - 1)
        self.open = Outage(self.site, self.device, self.place, max(from_ns, last + 1), None, cause)
        self.boot_before = self.boot
        return self.open

    def _over(self, now_ns: int) -> Outage:
        """End the open outage. A reader that comes back with another boot was off, for how long nobody can say."""
        outage, self.open = self.open, None
        assert outage is not None
        outage = msgspec.structs.replace(outage, to_ns=max(now_ns, outage.from_ns))
        if outage.cause == Reason.READER_OFFLINE and self.boot != self.boot_before:
            return msgspec.structs.replace(outage, cause=Reason.READER_DEAD)
        if self.boot_before is not None:
            self.pending = [*self.pending, Pending(outage, self.boot_before)][-_PENDING:]
        return outage

    def _prove(self, now_ns: int, empty: bool, gapless: bool) -> list[Outage]:
        """Which outages turn out to have hidden nothing: the same boot goes on, and all it recorded is here."""
        proved: list[Outage] = []
        waiting: list[Pending] = []
        for one in self.pending:
            one.alive = one.alive or one.boot == self.boot
            if not one.alive:  # it was off some time between
                continue
            # What one boot recorded survives the next in flash, so an empty outbox proves it then too.
            here = empty or (gapless and one.boot == self.boot)
            over_ns = one.outage.to_ns or one.outage.from_ns
            if here and now_ns - over_ns >= PROVED_NS:
                proved.append(msgspec.structs.replace(one.outage, synced=True))
            else:
                waiting.append(one)
        self.pending = waiting
        return proved
