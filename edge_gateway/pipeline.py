"""One message on its way: decode, validate, sequence, clock, rules; what has to be saved is gathered until the next commit.

No socket, no file, no clock. Every message ends in exactly one of stored, duplicate, held, dead; the counters say so.
"""

import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from edge_gateway import clock, state, topics
from edge_gateway.catalog import EVENTS, QUANTITIES
from edge_gateway.decoders.senml import decode, identity, plain
from edge_gateway.decoders.status import decode_status
from edge_gateway.errors import Rejected
from edge_gateway.events import Entry, Event, Flag, Loss, Reading, Readings, StatusChange, TimeQuality, split_name
from edge_gateway.message import Message
from edge_gateway.registry import Device, Registry
from edge_gateway.sequence import Boot, Verdict
from edge_gateway.state import MAX_NAMES, DeviceState, Latest
from edge_gateway.topics import Up
from edge_gateway.transaction import DeadLetter, Held
from edge_gateway.validate import validate

Key = tuple[str, str]
_NEW: Final = Verdict.NEW
_RECENT_INSTANTS: Final = 32
_TOPICS: Final = 20_000
_RUNG: Final = 10_000
# Boots of one device cannot overlap in time; more than this much is two devices with one name, not a clock being set.
_OVERLAP_NS: Final = 5_000_000_000


class Outcome(Enum):
    """How a message ended."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    HELD = "held"
    DEAD = "dead"


@dataclass(slots=True)
class Receipt:
    """What one device may forget after the next commit."""

    events: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """What happened since the last commit; the committer encodes and saves it as one transaction."""

    messages: int = 0
    data: list[Entry] = field(default_factory=list)
    events: list[Entry] = field(default_factory=list)
    touched: dict[Key, DeviceState] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    unheld: list[int] = field(default_factory=list)
    undead: list[int] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    receipts: dict[tuple[str, str, int], Receipt] = field(default_factory=dict)

    def count(self, name: str, n: int = 1) -> None:
        """Add to a total of the gateway."""
        self.counters[name] = self.counters.get(name, 0) + n


@dataclass(slots=True)
class Speaker:
    """One topic, looked up once: who writes it and what is remembered of them."""

    address: topics.Address
    device: Device | None
    state: DeviceState
    # Names measured at recent instants, oldest first, to keep two readings of one instant apart.
    instants: dict[int, list[Reading]]
    place: str
    is_event: bool
    # The commit in which this speaker's state and receipt are already noted, so that most messages need not note them again.
    touched_in: Work | None = None
    owed: Boot | None = None
    owed_in: Work | None = None


class Pipeline:
    """Decides what every message becomes.

    Args:
        registry: who is expected; replace with `expect`.
        limits: which device times are believable.
        judge: called with every event and status change that was stored, for the rules.
    """

    def __init__(self, registry: Registry, limits: clock.Limits, judge: Callable[[Entry], None] = lambda entry: None) -> None:
        self.registry = registry
        self.limits = limits
        self.states: dict[Key, DeviceState] = {}
        self.work = Work()
        self._judge = judge
        self._speakers: dict[str, Speaker] = {}
        self._instants: dict[Key, dict[int, list[Reading]]] = {}
        # Topic and checksum of every SOS that could not be taken in and that the rules were asked about: it comes again.
        self._rung: set[tuple[str, int]] = set()

    def restore(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        """Forget everything in memory and begin from what is on disk: at start, and after a commit that failed."""
        self.states = {(site, device): state.unpack(body) for site, device, body in rows}
        self._speakers.clear()
        self._instants.clear()
        self._rung.clear()
        self.work = Work()

    def expect(self, registry: Registry) -> None:
        """Use a changed registry from the next message on."""
        self.registry = registry
        self._speakers.clear()

    def take_work(self) -> Work:
        """What has to be saved now; the pipeline goes on with an empty one."""
        work, self.work = self.work, Work()
        return work

    def take(
        self,
        topic: str,
        payload: bytes,
        received_ns: int,
        retained: bool = False,
        held_id: int | None = None,
        retry: bool = False,
    ) -> Outcome:
        """Decide one message.

        Args:
            received_ns: wall clock at the gateway.
            retained: a copy the broker had kept: it says nothing about the device being alive now.
            held_id: it comes from the held table, whose row goes when it is taken.
            retry: a person retries a dead letter: its identity is known already and does not make it a duplicate.
        """
        work = self.work
        work.messages += 1
        speaker = self._speakers.get(topic)
        if speaker is None:
            try:
                speaker = self._speaker(topic)
            except Rejected as error:
                return self._bury(error, topic, payload, received_ns, None, None)
        if speaker.device is None:
            return self._hold(speaker, topic, payload, received_ns, held_id)
        known = speaker.state
        if not retained and (held_id is None or received_ns > known.heard_ns):
            known.heard_ns = received_ns
        if speaker.touched_in is not work:
            work.touched[known.site, known.device] = known
            speaker.touched_in = work
        if held_id is not None:
            work.unheld.append(held_id)
            known.counters.held += 1
        channel = speaker.address.channel
        if channel is Up.STATUS:
            return self._status(speaker, topic, payload, received_ns, retained)
        try:
            message = validate(plain(payload) or decode(payload), speaker.address, speaker.device)
        except Rejected as error:
            return self._refuse(error, speaker, topic, payload, received_ns)
        return self._sequenced(speaker, message, topic, payload, received_ns, retry)

    def _speaker(self, topic: str) -> Speaker:
        address = topics.parse(topic)
        key = (address.site, address.device)
        device = self.registry.find(*key)
        known = self.states.get(key)
        if known is None:
            known = DeviceState(*key)
            if device is not None:
                self.states[key] = known
        place = device.place if device else ""
        speaker = Speaker(address, device, known, self._instants_of(key, known), place, address.channel is Up.EVENT)
        if len(self._speakers) >= _TOPICS:
            self._speakers.clear()
        self._speakers[topic] = speaker
        return speaker

    def _instants_of(self, key: Key, known: DeviceState) -> dict[int, list[Reading]]:
        instants = self._instants.get(key)
        if instants is None:
            instants = {}
            for name, latest in sorted(known.latest.items(), key=lambda item: item[1].time_ns):
                instants.setdefault(latest.time_ns, []).append(Reading(name, latest.value))
            if key in self.states:
                self._instants[key] = instants
        return instants

    def _hold(self, speaker: Speaker, topic: str, payload: bytes, received_ns: int, held_id: int | None) -> Outcome:
        """Nobody registered this device: keep the message where a person sees it. No receipt: the device keeps it too."""
        if held_id is None:
            address = speaker.address
            self.work.held.append(Held(topic, address.site, address.device, received_ns, payload))
            self.work.count("messages_held")
            self._ring(speaker, topic, payload, received_ns)
        return Outcome.HELD

    def _status(self, speaker: Speaker, topic: str, payload: bytes, received_ns: int, retained: bool) -> Outcome:
        known, device = speaker.state, speaker.device
        assert device is not None
        try:
            birth = decode_status(payload)
        except Rejected as error:
            return self._bury(error, topic, payload, received_ns, None, None, known)
        if birth.boot is not None and birth.online:
            boot, _ = known.boot(birth.boot)
            if not retained:
                clock.learn_birth(boot, birth, received_ns, self.limits)
            known.config, known.config_error = birth.config, birth.config_error
            known.firmware = birth.firmware or known.firmware
            for number, oldest in birth.oldest:
                past = known.past(number)
                past.forgiven += past.close(1, oldest - 1)
                self._owe(known, past)
        elif birth.boot is not None and known.boots and known.boots[-1].boot != birth.boot and known.find(birth.boot):
            # The will of a connection that died in an earlier boot: the device is here again since.
            known.counters.stored += 1
            return Outcome.STORED
        changed = known.online is not birth.online
        known.online = birth.online
        if changed:
            entry = StatusChange(known.site, known.device, device.place, received_ns, birth.online, birth.boot, birth.firmware)
            self.work.events.append(entry)
            self._judge(entry)
        known.counters.stored += 1
        return Outcome.STORED

    def _sequenced(
        self, speaker: Speaker, message: Message, topic: str, payload: bytes, received_ns: int, retry: bool
    ) -> Outcome:
        known = speaker.state
        boots = known.boots
        if boots and boots[-1].boot == message.boot:
            boot, current = boots[-1], True
        else:
            boot, current = known.boot(message.boot)
        verdict = boot.take(message.seq, zlib.crc32(payload))
        again = verdict is not _NEW
        if again and not (retry and verdict is Verdict.DUPLICATE):
            return self._repeated(verdict, speaker, message, boot, topic, payload, received_ns)
        if speaker.owed is not boot or speaker.owed_in is not self.work:
            self._owe(known, boot)
            speaker.owed, speaker.owed_in = boot, self.work
        if message.refused:
            self._bury_records(speaker, message, topic, payload, received_ns)
            if not speaker.is_event:
                self._ring(speaker, topic, payload, received_ns)
            if not message.instants and not message.losses:
                self._owe(known, boot).rejected.append(message.seq)
                known.counters.dead += 1
                self.work.count("messages_dead")
                return Outcome.DEAD
        trusted = message.clock != "none"
        # A pair of uptime and time is good for the whole boot; looking at some is enough to follow a clock that drifts.
        if boot.offset_ns is None or not message.seq & 63:
            for instant in message.instants:
                clock.learn(boot, instant.time_ns, instant.uptime_ns, trusted, received_ns, self.limits)
        sos = b"sos" in payload
        for instant in message.instants:
            time_ns, quality = clock.measured_at(instant, trusted, boot, current, received_ns, self.limits)
            values = instant.values
            if time_ns in speaker.instants and not (again and _same(speaker.instants[time_ns], values)):
                time_ns, quality = self._apart(speaker, time_ns, quality, values)
            # An SOS that came in the wrong lane, or behind other values, is still an SOS.
            if sos and not speaker.is_event:
                values = sorted(values, key=lambda reading: not _is_sos(reading))
            if speaker.is_event or values[0].name in EVENTS or (sos and _is_sos(values[0])):
                rung = (topic, zlib.crc32(payload)) in self._rung
                self._append_event(speaker, message, time_ns, quality, received_ns, values, rung)
            else:
                self.work.data.append(
                    Readings(
                        known.site,
                        known.device,
                        speaker.place,
                        message.boot,
                        message.seq,
                        time_ns,
                        received_ns,
                        message.clock,
                        quality,
                        message.error_s,
                        values,
                    )
                )
            if quality:
                self._note_quality(known.counters, quality)
            elif current and boot.first_ns and time_ns > boot.last_ns:
                boot.last_ns = time_ns
            else:
                self._note_overlap(known, boot, time_ns)
            self._remember(speaker, time_ns, values)
        for lost_boot, first, last in message.losses:
            self._close_lost(speaker, message, lost_boot, first, last, received_ns)
        known.counters.stored += 1
        return Outcome.STORED

    def _append_event(
        self,
        speaker: Speaker,
        message: Message,
        time_ns: int,
        quality: int,
        received_ns: int,
        values: list[Reading],
        rung: bool,
    ) -> None:
        known = speaker.state
        event = Event(
            known.site,
            known.device,
            speaker.place,
            message.boot,
            message.seq,
            time_ns,
            received_ns,
            message.clock,
            quality,
            message.error_s,
            values[0].name,
            values,
        )
        self.work.events.append(event)
        self._owe(known, known.boot(message.boot)[0]).events.append(message.seq)
        if not rung:
            self._judge(event)

    def _ring(self, speaker: Speaker, topic: str, payload: bytes, received_ns: int) -> None:
        """An SOS that cannot be taken in still reaches a person: the rules are asked about what can be read of it, once."""
        told = (topic, zlib.crc32(payload))
        if b"sos" not in payload or told in self._rung:
            return
        clock_word, time_ns, error_s = "none", None, None
        values = [Reading("sos", None, int(Flag.MISSING))]
        try:
            message = validate(decode(payload), speaker.address)
            instant = next((i for i in message.instants if any(map(_is_sos, i.values))), None)
            if instant is not None:
                clock_word, time_ns, error_s, values = message.clock, instant.time_ns, message.error_s, instant.values
            elif not any("sos" in refused.detail for refused in message.refused):
                return
        except Rejected:
            pass  # it names an SOS, and more cannot be read
        if len(self._rung) >= _RUNG:
            self._rung.clear()
        self._rung.add(told)
        known, (boot, seq) = speaker.state, identity(payload) or (0, 0)
        quality = clock.DEVICE
        if time_ns is None or not self.limits.believable(time_ns, received_ns):
            time_ns, quality = received_ns, clock.RECEIPT
        self._judge(
            Event(
                known.site,
                known.device,
                speaker.place,
                boot,
                seq,
                time_ns,
                received_ns,
                clock_word,
                quality,
                error_s,
                next(reading.name for reading in values if _is_sos(reading)),
                values,
            )
        )

    def _remember(self, speaker: Speaker, time_ns: int, values: list[Reading]) -> None:
        """Keep the newest value of each name, and what this instant is taken by."""
        instants = speaker.instants
        if time_ns in instants:
            instants[time_ns] = instants[time_ns] + values
        else:
            instants[time_ns] = values
            if len(instants) > _RECENT_INSTANTS:
                del instants[next(iter(instants))]
        known = speaker.state
        known.counters.readings += len(values)
        latest = known.latest
        for reading in values:
            last = latest.get(reading.name)
            if last is None:
                if len(latest) >= MAX_NAMES:
                    continue  # stored all the same: only the newest value is not remembered
                latest[reading.name] = Latest(time_ns, reading.value, reading.flag)
            elif last.time_ns <= time_ns:
                last.time_ns, last.value, last.flag = time_ns, reading.value, reading.flag

    def _apart(self, speaker: Speaker, time_ns: int, quality: int, values: list[Reading]) -> tuple[int, int]:
        """Another message of this device measured the same name at this instant: keep both, the second 1 ns later, marked."""
        names = {r.name for r in values}
        while any(r.name in names for r in speaker.instants.get(time_ns, ())):
            time_ns += 1
            quality = TimeQuality.SHIFTED
        return time_ns, int(quality)

    def _note_quality(self, counters: state.Counters, quality: int) -> None:
        if quality == clock.RECEIPT:
            counters.untimed += 1
        elif quality == clock.LATE:
            counters.late += 1
        elif quality == TimeQuality.SHIFTED:
            counters.shifted += 1

    def _note_overlap(self, known: DeviceState, boot: Boot, time_ns: int) -> None:
        boot.first_ns = min(boot.first_ns or time_ns, time_ns)
        boot.last_ns = max(boot.last_ns, time_ns)
        if known.boots[-1] is boot:
            return
        later = known.boots[known.boots.index(boot) + 1]
        if later.first_ns and time_ns > later.first_ns + _OVERLAP_NS:
            known.counters.two_devices += 1
            self.work.count("two_devices")

    def _close_lost(self, speaker: Speaker, message: Message, lost_boot: int, first: int, last: int, received_ns: int) -> None:
        known, device = speaker.state, speaker.device
        assert device is not None
        boot = known.past(lost_boot)
        closed = boot.close(first, last)
        boot.lost += closed
        known.counters.lost += closed
        self._owe(known, boot)
        self.work.data.append(
            Loss(
                known.site,
                known.device,
                device.place,
                message.boot,
                message.seq,
                received_ns,
                received_ns,
                lost_boot,
                first,
                last,
            )
        )

    def _repeated(
        self, verdict: Verdict, speaker: Speaker, message: Message, boot: Boot, topic: str, payload: bytes, received_ns: int
    ) -> Outcome:
        known = speaker.state
        if verdict is Verdict.DUPLICATE:
            # The device did not see our receipt: tell it again.
            receipt = self._owe(known, boot)
            if speaker.is_event:
                receipt.events.append(message.seq)
            return self._duplicate(known)
        if verdict is Verdict.CONFLICT:
            known.counters.conflict += 1
            error = Rejected("identity_conflict", f"boot {message.boot} seq {message.seq} came before with other content")
        else:
            error = Rejected("too_many_gaps", f"boot {message.boot} seq {message.seq}; more holes than can be kept")
        self._owe(known, boot).rejected.append(message.seq)
        self._ring(speaker, topic, payload, received_ns)
        return self._bury(error, topic, payload, received_ns, message.boot, message.seq, known)

    def _duplicate(self, known: DeviceState) -> Outcome:
        known.counters.duplicate += 1
        self.work.count("messages_duplicate")
        return Outcome.DUPLICATE

    def _refuse(self, error: Rejected, speaker: Speaker, topic: str, payload: bytes, received_ns: int) -> Outcome:
        """The whole message can never be accepted. If its identity can be read, the device is told to forget it."""
        known = speaker.state
        boot_number, seq = identity(payload) or (None, None)
        if boot_number is not None and seq is not None:
            boot, _ = known.boot(boot_number)
            verdict = boot.take(seq, zlib.crc32(payload))
            if verdict is Verdict.DUPLICATE:
                self._owe(known, boot).rejected.append(seq)
                return self._duplicate(known)
            self._owe(known, boot).rejected.append(seq)
        self._ring(speaker, topic, payload, received_ns)
        return self._bury(error, topic, payload, received_ns, boot_number, seq, known)

    def _bury_records(self, speaker: Speaker, message: Message, topic: str, payload: bytes, received_ns: int) -> None:
        """One letter for all refused records of a message: its payload once, however many they are."""
        known, refused = speaker.state, message.refused
        known.counters.refused += len(refused)
        self.work.count("records_refused", len(refused))
        detail = "; ".join(r.detail for r in refused[:5]) + ("; ..." if len(refused) > 5 else "")
        self.work.dead.append(
            DeadLetter(
                "decode",
                refused[0].reason,
                detail,
                topic,
                known.site,
                known.device,
                message.boot,
                message.seq,
                received_ns,
                payload,
            )
        )

    def bury_unexpected(self, topic: str, payload: bytes, received_ns: int, error: Exception) -> None:
        """A message met a fault of ours: keep it where a person sees it, with what went wrong."""
        self._bury(Rejected("internal_error", repr(error)[:500]), topic, payload, received_ns, None, None)
        speaker = self._speakers.get(topic)
        if speaker is not None:
            with suppress(Exception):  # it may be this that failed
                self._ring(speaker, topic, payload, received_ns)

    def _bury(
        self,
        error: Rejected,
        topic: str,
        payload: bytes,
        received_ns: int,
        boot: int | None,
        seq: int | None,
        known: DeviceState | None = None,
    ) -> Outcome:
        site, device = (known.site, known.device) if known else ("", "")
        if known:
            known.counters.dead += 1
        self.work.count("messages_dead")
        self.work.dead.append(
            DeadLetter("decode", error.reason, error.detail, topic, site, device, boot, seq, received_ns, payload)
        )
        return Outcome.DEAD

    def _owe(self, known: DeviceState, boot: Boot) -> Receipt:
        key = (known.site, known.device, boot.boot)
        receipt = self.work.receipts.get(key)
        if receipt is None:
            receipt = self.work.receipts[key] = Receipt()
        return receipt


def _is_sos(reading: Reading) -> bool:
    return split_name(reading.name)[0] == "sos"


def _same(there: list[Reading], values: list[Reading]) -> bool:
    """Whether an instant holds no other value for any of these names."""
    known = {reading.name: reading.value for reading in there}
    return all(known.get(reading.name, reading.value) == reading.value for reading in values)


def own_readings(device: str, site: str, values: dict[str, float], now_ns: int, boot: int, seq: int) -> Readings:
    """What the gateway says of itself, as readings like any other; names as in the catalogue's group `gateway`."""
    unknown = values.keys() - QUANTITIES.keys()
    assert not unknown, unknown
    readings = [Reading(name, value, int(Flag.PASS)) for name, value in values.items()]
    return Readings(site, device, "", boot, seq, now_ns, now_ns, "ntp", clock.DEVICE, None, readings)
