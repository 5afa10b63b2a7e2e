"""Live authentication: after a tap the gateway asks the card itself, through the reader, what only its key can answer.

No key is at the reader: it carries three APDUs there and three answers back (docs/contract.md, section 6), while the card
still lies on it. Success proves that the card was there at that moment; a code read earlier and shown later does not. A card
that has gone, a reader that is offline: nothing is lost, the tap counts by its code. Everything here runs in the event loop.
"""

import json
import logging
import secrets
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.nfc.ev2 import Authentication, Step
from edge_gateway.nfc.keys import LIVE_NO
from edge_gateway.topics import Down, down
from edge_gateway.visits.records import Reason, Tap

TIMEOUT_S: Final = 3.0  # for the whole session; nobody holds a card longer
# A relay over any network adds more than this to an answer; the same card at the same reader varies by some milliseconds.
SLOWER_MS: Final = 250
_USUAL_MS: Final = 40  # of a reader that we do not know yet
_REMEMBERED: Final = 32  # answers of each step
_ENOUGH: Final = 5
_READERS: Final = 4096
_LONGEST: Final = 1024  # bytes of a reply
_LONGEST_ANSWER: Final = 520  # hexadecimal digits
# The card says no although nothing is wrong with it: it was asked too often, or computes in a way we do not speak.
_INNOCENT: Final = frozenset({"delayed", "lrp_mode", "interrupted"})

_ANOTHER_KEY: Final = frozenset({"wrong_key", "not_this_card"})

Reader = tuple[str, str]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the question ended.

    Attributes:
        tap: its id.
        ok: the card proved its key.
        why: "" or why not: `no_answer`, `busy`, `not_carried` (the card had gone), or a word of `ev2`.
        worst_ms: the slowest answer of the card, measured at the reader; 0 without any.
        sign: what a person should look at: SLOW_ANSWER (as from a card that is far away), or CLONED_CARD (what lies on the
            reader showed a good code and cannot prove the key behind it).
    """

    tap: str
    ok: bool
    why: str = ""
    worst_ms: int = 0
    sign: Reason | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reader tells: the answer of the card, or why there is none."""

    session: str
    step: int
    answer: bytes = b""
    ms: int = 0
    error: str = ""


@dataclass(slots=True)
class _Session:
    name: str
    tap: Tap
    sides: list[Authentication]
    ends: float
    step: int = 0
    took: list[int] = field(default_factory=list)

    @property
    def side(self) -> Authentication:
        return self.sides[0]


class Live:
    """
    Args:
        publish: topic and payload, QoS 1.
        done: hears each outcome, once for each `begin`.
        monotonic: seconds.
        token: n -> n random bytes.
    Attributes:
        counters: ok, failed, signs, and replies that were passed over: stray, bad.
    """

    def __init__(
        self,
        publish: Callable[[str, bytes], None],
        done: Callable[[Outcome], None],
        monotonic: Callable[[], float] = time.monotonic,
        token: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._publish, self._done, self._monotonic, self._token = publish, done, monotonic, token
        self._sessions: dict[Reader, _Session] = {}
        self._usual: dict[Reader, dict[int, deque[int]]] = {}
        self.counters: Counter[str] = Counter()

    def begin(self, tap: Tap, keys: Sequence[bytes], key_no: int = LIVE_NO) -> None:
        """Ask the card that made this tap, if it still lies there. One question at a time for each reader.

        Args:
            keys: that the card may hold, the likeliest first: two while it is being changed.
        """
        reader = (tap.site, tap.device)
        if reader in self._sessions:
            self._end(Outcome(tap.id, False, "busy"))
            return
        sides = [Authentication(key_no, key, self._token(16)) for key in keys]
        session = _Session(self._token(6).hex(), tap, sides, self._monotonic() + TIMEOUT_S)
        self._sessions[reader] = session
        self._ask(reader, session)

    def received(self, site: str, device: str, payload: bytes) -> None:
        """A reply. One that belongs to nothing is counted and passed over: it came late, or somebody tries."""
        try:
            reply = parse_reply(payload)
        except Rejected as error:
            self.counters["bad"] += 1
            log.warning("reply of %s/%s: %s", site, device, error)
            return
        session = self._sessions.get((site, device))
        if session is None or (reply.session, reply.step) != (session.name, session.step):
            self.counters["stray"] += 1
            return
        self._go_on((site, device), session, reply)

    def tick(self) -> None:
        """Several times a second: who does not answer is waited for no longer."""
        now = self._monotonic()
        for reader, session in [(r, s) for r, s in self._sessions.items() if s.ends <= now]:
            del self._sessions[reader]
            self._end(Outcome(session.tap.id, False, "no_answer", max(session.took, default=0)))

    def _ask(self, reader: Reader, session: _Session) -> None:
        apdu = session.side.command()
        assert apdu is not None, "asked after the end"
        told = {
            "id": f"{session.name}/{session.step}",
            "name": "card",
            "session": session.name,
            "step": session.step,
            "apdu": apdu.hex(),
            "event": [session.tap.boot, session.tap.seq],
            # The reader need not keep the card for another question.
            "last": session.side.step is Step.RESPONSE,
        }
        self._publish(down(*reader, Down.COMMAND), json.dumps(told, separators=(",", ":")).encode())

    def _go_on(self, reader: Reader, session: _Session, reply: Reply) -> None:
        if reply.error:
            why = "busy" if reply.error == "busy" else "not_carried"
            self._finish(reader, Outcome(session.tap.id, False, why, max(session.took, default=0)))
            return
        session.took.append(reply.ms)
        try:
            session.side.take(reply.answer)
        except Rejected as error:
            if error.reason in _ANOTHER_KEY and len(session.sides) > 1:
                self._ask_anew(reader, session)
                return
            sign = None if error.reason in _INNOCENT else Reason.CLONED_CARD
            self._finish(reader, Outcome(session.tap.id, False, error.reason, max(session.took), sign))
            return
        if session.side.session is None:
            session.step += 1
            self._ask(reader, session)
            return
        slow = any(ms > self.usual_ms(reader, step) + SLOWER_MS for step, ms in enumerate(session.took))
        if not slow:
            self._remember(reader, session.took)
        self._finish(reader, Outcome(session.tap.id, True, "", max(session.took), Reason.SLOW_ANSWER if slow else None))

    def _ask_anew(self, reader: Reader, session: _Session) -> None:
        """With the card's other key; the reader finds the card anew."""
        del session.sides[0]
        session.name, session.step = self._token(6).hex(), 0
        session.took.clear()
        self._ask(reader, session)

    def usual_ms(self, reader: Reader, step: int) -> float:
        """How long a card takes at this reader for an answer, the median; slow ones are not learnt from."""
        known = self._usual.get(reader, {}).get(step, ())
        return statistics.median(known) if len(known) >= _ENOUGH else _USUAL_MS

    def _remember(self, reader: Reader, took: list[int]) -> None:
        if reader not in self._usual and len(self._usual) >= _READERS:
            del self._usual[next(iter(self._usual))]
        steps = self._usual.setdefault(reader, {})
        for step, ms in enumerate(took):
            steps.setdefault(step, deque(maxlen=_REMEMBERED)).append(ms)

    def _finish(self, reader: Reader, outcome: Outcome) -> None:
        del self._sessions[reader]
        self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self.counters["ok" if outcome.ok else "failed"] += 1
        if outcome.sign is not None:
            self.counters["signs"] += 1
        self._done(outcome)


def parse_reply(payload: bytes) -> Reply:
    """A message of `up/reply`.

    Raises:
        Rejected: `bad_reply`, with what was seen.
    """
    try:
        found = json.loads(payload) if len(payload) <= _LONGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Rejected("bad_reply", f"{payload[:60]!r}; expected an object of at most {_LONGEST} bytes")
    session, step, ms = found.get("session"), found.get("step"), found.get("ms", 0)
    answer, error = found.get("answer", ""), found.get("error", "")
    if not (isinstance(session, str) and type(step) is int and type(ms) is int and isinstance(answer, str)):
        raise Rejected("bad_reply", f"{payload[:60]!r}; expected session, step, ms and answer")
    if not isinstance(error, str) or bool(error) == bool(answer) or not 0 <= ms <= 60_000 or len(answer) > _LONGEST_ANSWER:
        raise Rejected("bad_reply", f"{payload[:60]!r}; expected either an answer with ms, or an error")
    try:
        return Reply(session, step, bytes.fromhex(answer), ms, error)
    except ValueError:
        raise Rejected("bad_reply", f"{answer[:40]!r} is not hexadecimal") from None
