"""One device as docs/contract.md wants it: identity, outbox, receipts, re-sending; no socket, no clock of its own.

Two times are arguments everywhere. `now` is monotonic seconds, for time-outs. `true_s` is UTC seconds of the simulated world,
which may run faster than ours or in another year; what the device believes of it is its `Clock`.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Any, Final

import msgspec

from edge_gateway import topics
from edge_gateway.topics import Up
from simulator.outbox import Lane, Ledger, Outbox, Record
from simulator.senml import Encoding, Head, Instant, Loss, Value, encode, stated_ns

RESEND_AFTER_S: Final = 30.0
RESEND_AT_MOST_S: Final = 600.0
DECLARE_EVERY_S: Final = 5.0
BOOTS_IN_BIRTH: Final = 256
_JITTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class Clock:
    """What a device believes of the time: its source (`ntp`, `gnss`, `rtc`, `none`), how wrong it is, its own guess of that."""

    kind: str = "ntp"
    offset_s: float = 0.0
    err_s: float | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish now, QoS 1."""

    site: str
    device: str
    channel: Up
    payload: bytes
    boot: int
    seq: int

    @property
    def topic(self) -> str:
        return topics.up(self.site, self.device, self.channel)


@dataclass(frozen=True, slots=True)
class Generated:
    """What a device remembers of a message, to compare with a database; times as stated, or the true ones with clock `none`."""

    boot: int
    seq: int
    lane: Lane
    clk: str
    instants: tuple[Instant, ...]


class _Receipt(msgspec.Struct):
    boot: int
    upto: int = 0
    events: list[int] = []
    rejected: list[int] = []


class _Config(msgspec.Struct):
    version: int
    settings: dict[str, Any] = {}


class _Command(msgspec.Struct):
    name: str
    test: str = ""


_read_receipt: Final = msgspec.json.Decoder(_Receipt)
_read_config: Final = msgspec.json.Decoder(_Config)
_read_command: Final = msgspec.json.Decoder(_Command)
_used_boots: Final = SystemRandom()


@dataclass(slots=True)
class SimulatedDevice:
    """A device that loses nothing it does not declare.

    Attributes:
        boot: id of its first boot; random unless given, because an id that was used before names other messages.
        booted_at_s: true time of its start.
        window: most messages in flight.  capacity: most messages in the outbox.
        cadence_s: the interval it declares in its birth.
        forgotten: the gateway lost its memory, and the caller should publish `birth` again; `connected` clears it.
        remember: keep `generated` (grows for ever; for tests).
        seed: of the jitter.
    """

    site: str
    device: str
    boot: int = field(default_factory=lambda: _used_boots.randrange(1, 2**32))
    booted_at_s: float = 0.0
    clock: Clock = Clock()
    encoding: Encoding = Encoding.JSON
    window: int = 200
    capacity: int = 10_000
    resend_after_s: float = RESEND_AFTER_S
    cadence_s: float = 60.0
    firmware: str = "simulated 1"
    remember: bool = False
    seed: int = 0

    seq: int = field(default=0, init=False)
    online: bool = field(default=False, init=False)
    reboots: int = field(default=0, init=False)
    resent: int = field(default=0, init=False)
    bad_receipts: int = field(default=0, init=False)
    config: int | None = field(default=None, init=False)
    config_error: str = field(default="", init=False)
    generated: list[Generated] = field(default_factory=list, init=False)
    forgotten: bool = field(default=False, init=False)
    outbox: Outbox = field(init=False)
    _upto: int = field(default=0, init=False)
    _unsent: dict[Lane, deque[Record]] = field(init=False)
    _in_flight: dict[tuple[int, int], Record] = field(default_factory=dict, init=False)
    _next_retry: float = field(default=float("inf"), init=False)
    _declare_at: float = field(default=float("-inf"), init=False)
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.capacity)
        self._unsent = {lane: deque() for lane in Lane}
        self._random = Random(f"{self.seed}/{self.site}/{self.device}")

    @property
    def key(self) -> tuple[str, str]:
        return self.site, self.device

    @property
    def ledger(self) -> Ledger:
        return self.outbox.ledger

    @property
    def pending(self) -> int:
        """Messages no receipt has freed yet."""
        return len(self.outbox)

    @property
    def wants_to_send(self) -> bool:
        """Whether `due` could give something before the next re-send falls due."""
        room = len(self._in_flight) < self.window
        return self.online and (self.outbox.undeclared > 0 or (room and any(self._unsent.values())))

    def measure(self, instants: Sequence[Instant], true_s: float, *, event: bool = False, err_s: float | None = None) -> int:
        """Write a message with these true times into the outbox and return its seq.

        `err_s` overrides the clock's own guess for this message.
        """
        if event and any(i.time_ns != instants[0].time_ns for i in instants):
            raise ValueError("an event message has one instant")
        if self.clock.offset_s and self.clock.kind != "none":
            offset_ns = round(self.clock.offset_s * 1e9)
            instants = [Instant(i.time_ns + offset_ns, i.values) for i in instants]
        return self._write(Lane.EVENT if event else Lane.DATA, instants, true_s, err_s)

    def due(self, now: float, true_s: float) -> list[Outgoing]:
        """What to publish now: re-sends, then events, declared losses, readings, each oldest first, as the window allows."""
        if not self.online:
            return []
        if now >= self._declare_at and self.outbox.undeclared:
            self._declare_at = now + DECLARE_EVERY_S
            self._declare(true_s)
        found: list[Record] = []
        if now >= self._next_retry:
            found = [record for record in self._in_flight.values() if record.retry_at <= now]
            self.resent += len(found)
        for queue in self._unsent.values():
            while queue and (queue[0].gone or len(self._in_flight) < self.window):
                record = queue.popleft()
                if not record.gone:
                    found.append(record)
                    self._in_flight[record.identity] = record
        for record in found:
            record.attempts += 1
            wait = min(self.resend_after_s * 2.0 ** min(record.attempts - 1, 20), RESEND_AT_MOST_S)
            record.retry_at = now + wait * (1 + _JITTER * self._random.random())
        if found:
            self._next_retry = min(record.retry_at for record in self._in_flight.values())
        return [self._outgoing(record) for record in found]

    def receive_receipt(self, payload: bytes) -> int:
        """Free what a `down/receipt` names, and return how many; unknown, late and malformed ones do no harm.

        One that takes back what an earlier one said comes from a gateway that lost its memory: `forgotten` is set.
        """
        try:
            receipt = _read_receipt.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.bad_receipts += 1
            return 0
        if receipt.boot == self.boot:
            self.forgotten = self.forgotten or receipt.upto < self._upto
            self._upto = receipt.upto
        box = self.outbox
        # Rejected first: they also lie below `upto`, which would count them as held.
        freed = box.free(receipt.boot, receipt.rejected, rejected=True)
        freed += box.free(receipt.boot, receipt.events) + box.free_upto(receipt.boot, receipt.upto)
        if freed:
            self._in_flight = {identity: record for identity, record in self._in_flight.items() if not record.gone}
        return freed

    def receive_config(self, payload: bytes) -> None:
        """A simulated device has no settings: it accepts empty ones and refuses the rest by name, in its next birth."""
        try:
            config = _read_config.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.config_error = f"not a configuration: {error}"[:200]
            return
        self.config_error = f"unknown setting {sorted(config.settings)[0]}"[:200] if config.settings else ""
        if not config.settings:
            self.config = config.version

    def receive_command(self, payload: bytes, true_s: float) -> bool:
        """A self-test is answered by the way of a press; whether it was one. Nothing else is done here."""
        try:
            command = _read_command.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        if command.name != "selftest" or not command.test:
            return False
        self.measure((Instant(round(true_s * 1e9), (Value("selftest", command.test),)),), true_s, event=True)
        return True

    def connected(self) -> None:
        """The link is up; the caller publishes `birth` before anything of `due`."""
        self.online = True
        self.forgotten = False

    def disconnected(self) -> None:
        """The link is down: what was in flight is due again after the next connect, without waiting."""
        self.online = False
        for record in reversed(self._in_flight.values()):
            if not record.gone:
                self._unsent[record.lane].appendleft(record)
        self._in_flight.clear()
        self._next_retry = float("inf")

    def reboot(self, true_s: float, clock: Clock | None = None) -> None:
        """A new boot id and seq from 1; the flash keeps the records of the boots before. The link is down until `connected`."""
        self.disconnected()
        self.boot = (self.boot + 1) % 2**32
        self.seq = self._upto = 0
        self.booted_at_s = true_s
        self.reboots += 1
        self.clock = clock or self.clock

    def birth(self, true_s: float) -> bytes:
        """Payload of `up/status`, retained, after each connect."""
        birth: dict[str, Any] = {"online": True, "boot": self.boot, "clk": self.clock.kind}
        if self.clock.kind != "none":
            birth["time"] = round(true_s + self.clock.offset_s, 6)
        birth |= {"up": round(max(true_s - self.booted_at_s, 0.0), 6), "firmware": self.firmware, "cadence": self.cadence_s}
        if self.config is not None:
            birth["config"] = self.config
        if self.config_error:
            birth["config_error"] = self.config_error
        oldest = self.outbox.oldest_by_boot
        if all(boot != self.boot for boot, _ in oldest):
            oldest.append((self.boot, self.seq + 1))
        birth["oldest"] = oldest[-BOOTS_IN_BIRTH:]
        return msgspec.json.encode(birth)

    def will(self) -> bytes:
        """Payload the broker publishes, retained, to `up/status` when the device is gone."""
        return msgspec.json.encode({"online": False, "boot": self.boot})

    def _declare(self, true_s: float) -> None:
        if self.outbox.full:
            # Room first, so that this declaration cannot push out what it should have named. Never at the cost of an event.
            oldest = self.outbox.oldest((Lane.DATA, Lane.LOSS))
            if oldest is None:
                return
            self.outbox.drop(oldest)
            self._clear([oldest])
        losses = self.outbox.take_losses()
        self._write(Lane.LOSS, (), true_s, losses=losses)

    def _write(
        self,
        lane: Lane,
        instants: Sequence[Instant],
        true_s: float,
        err_s: float | None = None,
        losses: tuple[Loss, ...] = (),
    ) -> int:
        self.seq += 1
        clock = self.clock
        offset_s = 0.0 if clock.kind == "none" else clock.offset_s
        head = Head(
            boot=self.boot,
            seq=self.seq,
            clk=clock.kind,
            now_ns=round((true_s + offset_s) * 1e6) * 1000,
            up_s=max(true_s - self.booted_at_s, 0.0),
            err_s=clock.err_s if err_s is None else err_s,
        )
        record = Record(self.boot, self.seq, lane, encode(head, instants, losses, self.encoding), losses)
        if self.remember:
            stated = tuple(Instant(stated_ns(i.time_ns), i.values) for i in instants)
            self.generated.append(Generated(self.boot, self.seq, lane, clock.kind, stated))
        self._unsent[lane].append(record)
        self._clear(self.outbox.put(record))
        return self.seq

    def _clear(self, dropped: Iterable[Record]) -> None:
        """Take what was dropped out of the queues; it is the oldest, so it is in flight or in front."""
        for record in dropped:
            self._in_flight.pop(record.identity, None)
            queue = self._unsent[record.lane]
            while queue and queue[0].gone:
                queue.popleft()

    def _outgoing(self, record: Record) -> Outgoing:
        channel = Up.EVENT if record.lane is Lane.EVENT else Up.DATA
        return Outgoing(self.site, self.device, channel, record.payload, record.boot, record.seq)
