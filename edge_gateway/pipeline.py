"""One message on its way: decode, validate, sequence, clock, rules; what has to be saved is gathered until the next commit.

No socket, no file, no clock. Every message ends in exactly one of stored, duplicate, held, dead; the counters say so.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Final

from isal.isal_zlib import crc32

from edge_gateway import clock, state
from edge_gateway.bells import Bells, is_sos
from edge_gateway.catalog import EVENTS
from edge_gateway.decoders.senml import decode, identity, plain
from edge_gateway.decoders.status import decode_status
from edge_gateway.errors import Rejected
from edge_gateway.events import Entry, Event, Loss, Reading, Readings, StatusChange, TimeQuality, Values, columns, split_name
from edge_gateway.message import Instant, Message
from edge_gateway.privacy.consent import unwatched, watches
from edge_gateway.registry import Registry
from edge_gateway.sequence import Boot, Verdict
from edge_gateway.speaker import Speaker, Speakers
from edge_gateway.state import DeviceState
from edge_gateway.topics import Up
from edge_gateway.transaction import DeadLetter, Held
from edge_gateway.validate import validate
from edge_gateway.visits.records import Tap
from edge_gateway.work import Key, Outcome, Receipt, Work

# Looked up once: Python 3.11 calls a function for each member of an enum.
_NEW: Final = Verdict.NEW
_STATUS: Final = Up.STATUS
# Boots of one device cannot overlap in time; more than this much is two devices with one name, not a clock being set.
_OVERLAP_NS: Final = 5_000_000_000


class Pipeline:
    """Decides what every message becomes.

    Args:
        registry: who is expected; replace with `expect`.
        limits: which device times are believable.
        judge: called with every event and status change that was stored, for the rules.
        observe: called with every entry of readings of a home that was stored.
    """

    def __init__(
        self,
        registry: Registry,
        limits: clock.Limits,
        judge: Callable[[Entry], None] = lambda entry: None,
        observe: Callable[[Readings], None] = lambda entry: None,
    ) -> None:
        self.registry = registry
        self._observe = observe
        self.consented: Callable[[Key], bool] = lambda home: True  # whether what sensors tell of a home may be stored
        self.limits = limits
        self.listened_s = 0.0  # the clock of `listening`, brought up to date once a second
        self.states: dict[Key, DeviceState] = {}
        self.work = Work()
        self._judge = judge
        self._speakers = Speakers()
        self._bells = Bells(limits)

    def restore(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        """Forget everything in memory and begin from what is on disk: at start, and after a commit that failed."""
        self.states = {(site, device): state.unpack(body) for site, device, body in rows}
        self._speakers.forget_all()
        self._bells.forget()
        self.work = Work()

    def expect(self, registry: Registry) -> None:
        """Use a changed registry from the next message on."""
        self.registry = registry
        self._speakers.forget()

    def take_work(self) -> Work:
        """What has to be saved now, the newest values of its devices too; the pipeline goes on with an empty one."""
        work, self.work = self.work, Work()
        self._speakers.fold(work.touched, self.listened_s)
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
                speaker = self._speakers.find(topic, self.registry, self.states)
            except Rejected as error:
                return self._bury(error, topic, payload, received_ns, None, None)
        if speaker.device is None:
            return self._hold(speaker, topic, payload, received_ns, held_id)
        known = speaker.state
        if not retained and (held_id is None or received_ns > known.heard_ns):
            known.heard_ns, known.listened_s = received_ns, self.listened_s
        if speaker.touched_in is not work:
            work.touched[known.site, known.device] = known
            speaker.touched_in = work
        if held_id is not None:
            work.unheld.append(held_id)
            known.counters.held += 1
        if speaker.address.channel is _STATUS:
            return self._status(speaker, topic, payload, received_ns, retained)
        message = speaker.alike.read(payload)
        if message is None:
            try:
                records = plain(payload) or decode(payload)
                message = validate(records, speaker.address, speaker.device)
            except Rejected as error:
                return self._refuse(error, speaker, topic, payload, received_ns)
            if not speaker.is_event:
                speaker.alike.learn(payload, records, message)
        return self._sequenced(speaker, message, topic, payload, received_ns, retry)

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
            for number, oldest in birth.oldest:
                past = known.past(number)
                past.forgiven += past.close(1, oldest - 1)
                self._owe(known, past)
        elif birth.boot is not None and known.boots and known.boots[-1].boot != birth.boot and known.find(birth.boot):
            # The will of a connection that died in an earlier boot: the device is here again since.
            known.counters.stored += 1
            return Outcome.STORED
        if birth.online:  # also of a device in safe mode, which has no boot to tell
            known.firmware = birth.firmware or known.firmware
            known.update = birth.update
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
        verdict = boot.take(message.seq, crc32(payload))
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
        is_event, recent, data = speaker.is_event, speaker.recent, self.work.data
        for instant in message.instants:
            if speaker.home and not self.consented((known.site, speaker.place)) and watches(instant.shape):
                self.work.count("entries_no_consent")
                kept = unwatched(instant)
                if kept is None:
                    continue
                instant = kept
            time_ns, quality = clock.measured_at(instant, trusted, boot, current, received_ns, self.limits)
            shape, values = instant.shape, instant.values
            happened = is_event or _is_event(shape)
            tapped = happened and _has_tap(shape)
            if tapped:
                # What a card showed stays in the queue of taps: no database, no screen and no device state sees it.
                values = _hidden(shape, values, message)
            if (time_ns in recent.instants or time_ns in recent.crowded) and not (
                again and recent.holds(time_ns, shape, values)
            ):
                time_ns, quality = recent.apart(time_ns, quality, shape)
            if happened:
                rung = self._bells.rang(topic, payload)
                readings = _event_in(instant)
                if tapped:
                    self._queue_tap(speaker, message, time_ns, quality, received_ns, readings)
                    readings = [_reference(reading, message) if is_tap(reading.name) else reading for reading in readings]
                self._append_event(speaker, message, time_ns, quality, received_ns, readings, rung)
            else:
                entry = Readings(
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
                    shape,
                    values,
                    instant.more,
                )
                data.append(entry)
                if speaker.home:
                    self._observe(entry)
            if quality:
                self._note_quality(known.counters, quality)
            elif current and boot.first_ns and time_ns > boot.last_ns:
                boot.last_ns = time_ns
            else:
                self._note_overlap(known, boot, time_ns)
            recent.remember(time_ns, shape, values)
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

    def _queue_tap(
        self, speaker: Speaker, message: Message, time_ns: int, quality: int, received_ns: int, readings: list[Reading]
    ) -> None:
        """Hand what the card showed to whoever judges visits; it is saved with what the receipt promises."""
        known = speaker.state
        by_name = {split_name(reading.name)[0]: reading for reading in reversed(readings)}
        mass, proof = by_name.get("mass"), by_name.get("proof")
        self.work.taps.append(
            Tap(
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
                proof.value if proof is not None and isinstance(proof.value, str) else "",
                text if isinstance(text := by_name["tap"].value, str) else "",
                mass.value if mass is not None and isinstance(mass.value, float) else None,
                mass.calibration if mass is not None else None,
                courier="" if speaker.place or speaker.device is None else speaker.device.holder,
            )
        )

    def _ring(self, speaker: Speaker, topic: str, payload: bytes, received_ns: int) -> None:
        """An SOS that cannot be taken in still reaches a person: the rules are asked about what can be read of it, once."""
        event = self._bells.heard(speaker, topic, payload, received_ns)
        if event is not None:
            self._judge(event)

    def ring(self, topic: str, payload: bytes, received_ns: int) -> None:
        """A message that cannot be taken in now and will come again: an SOS in it is judged all the same, once."""
        with suppress(Rejected):
            speaker = self._speakers.get(topic) or self._speakers.find(topic, self.registry, self.states)
            self._ring(speaker, topic, payload, received_ns)

    def _note_quality(self, counters: state.Counters, quality: int) -> None:
        if quality in (clock.RECEIPT, clock.REPAIRED):
            self.work.count("times_repaired")
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
            verdict = boot.take(seq, crc32(payload))
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


@lru_cache(maxsize=4096)
def _is_event(shape: str) -> bool:
    """Whether readings that came in the lane of readings are an event: an SOS or a tap also behind others is still one."""
    names = [name for name, _ in columns(shape)]
    return names[0] in EVENTS or any(split_name(name)[0] in ("sos", "tap") for name in names)


def is_tap(name: str) -> bool:
    """Whether a reading of this name holds what a card showed."""
    return split_name(name)[0] == "tap"


@lru_cache(maxsize=4096)
def _has_tap(shape: str) -> bool:
    return any(is_tap(name) for name, _ in columns(shape))


def _hidden(shape: str, values: Values, message: Message) -> Values:
    """The values with `<boot>-<seq>` in the place of what a card showed; a missing one stays missing."""
    reference = f"{message.boot}-{message.seq}"
    pairs = zip(columns(shape), values, strict=True)
    return tuple([reference if is_tap(name) and value is not None else value for (name, _), value in pairs])


def _reference(reading: Reading, message: Message) -> Reading:
    return Reading(reading.name, None if reading.value is None else f"{message.boot}-{message.seq}", reading.flag)


def _event_in(instant: Instant) -> list[Reading]:
    """The readings of an instant that is an event, the one that names it first: an SOS, whatever came before it."""
    readings = instant.readings
    readings.sort(key=lambda reading: not is_sos(reading))
    return readings
