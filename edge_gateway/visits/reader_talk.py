"""What the ledger has to say to readers: a question to the card that has just tapped, and which cards are revoked."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from edge_gateway.errors import KanhuError
from edge_gateway.visits import served
from edge_gateway.visits.live import Outcome
from edge_gateway.visits.records import PHONE, CardKind, Grade, JudgedTap, Ruling
from edge_gateway.visits.revocations import SALT_BYTES, Revocations
from edge_gateway.visits.visit_book import READER_MODELS

if TYPE_CHECKING:
    from edge_gateway.service import Gateway
    from edge_gateway.visits.desk import Parts, VisitDesk

log = logging.getLogger(__name__)

LIVE_KEY: Final = "app3"
_FRESH_NS: Final = 5 * 10**9  # a card that tapped longer ago lies on no reader any more
_ASKED: Final = frozenset({CardKind.NTAG424})


class ReaderTalk:
    """Lives in the event loop; what it learns goes back into the ledger by the desk."""

    def __init__(self, gateway: "Gateway", desk: "VisitDesk") -> None:
        self._gateway = gateway
        self._desk = desk
        self._salts: dict[str, bytes] = {}
        self.revocations = Revocations(gateway.events.publish, self._salts.__getitem__, self._readers)
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue(10_000)
        gateway.live_ended = self._ended

    async def opened(self, parts: "Parts") -> None:
        """The ledger is open: readers are told which cards are revoked."""
        await self.tell_revoked(parts)

    async def tell_revoked(self, parts: "Parts") -> None:
        """Of every site; a reader hears of it only if the list is another one."""
        for site, (salt, uids) in (await self._desk.in_thread(lambda: _revoked(parts))).items():
            self._salts[site] = salt
            self.revocations.set(site, uids)

    async def ask(self, taps: Sequence[JudgedTap], parts: "Parts") -> None:
        """Ask the cards of these taps that can answer and may still lie there."""
        now_ns = self._gateway.clock_ns()
        wanted = [judged for judged in taps if _may_answer(judged, now_ns)]
        if not wanted:
            return
        keys = await self._desk.in_thread(lambda: _live_keys(parts, wanted))
        for judged in wanted:
            if judged.tap.id in keys:
                self._gateway.live.begin(judged.tap, keys[judged.tap.id])

    async def note(self, parts: "Parts") -> bool:
        """Write down how questions ended; whether there was one."""
        busy = False
        while not self._outcomes.empty():
            outcome = self._outcomes.get_nowait()
            busy = True
            await self._desk.in_thread(
                lambda o=outcome: parts.actions.live(o.tap, o.ok, o.sign, o.worst_ms)  # type: ignore[misc]
            )
        return busy

    def _ended(self, outcome: Outcome) -> None:
        if not (outcome.ok or outcome.sign):
            return
        try:
            self._outcomes.put_nowait(outcome)
        except asyncio.QueueFull:  # the ledger cannot be used; the tap counts by its code
            log.warning("how the card of %s answered is not written down", outcome.tap)
            return
        self._desk.wake()

    def _readers(self, site: str) -> list[str]:
        models = READER_MODELS | {served.MODEL}
        return [d.id for d in self._gateway.pipeline.registry.devices.values() if d.site == site and d.model in models]


def _may_answer(judged: JudgedTap, now_ns: int) -> bool:
    tap, card = judged.tap, judged.evidence.card
    return (
        card is not None
        and card.kind in _ASKED
        and judged.judgement.ruling in (Ruling.COUNTED, Ruling.REVIEW)
        and judged.evidence.counter is not None
        and judged.evidence.grade is Grade.STRONG
        and tap.device != PHONE
        and now_ns - tap.received_ns < _FRESH_NS
        and abs(tap.received_ns - tap.time_ns) < _FRESH_NS
    )


def _live_keys(parts: "Parts", taps: Sequence[JudgedTap]) -> dict[str, list[bytes]]:
    """Tap -> keys its card may hold, the newest first."""
    found = {}
    for judged in taps:
        card = judged.evidence.card
        if card is None:
            continue
        try:
            keys = parts.ledger.cards.keys(card.id)
        except KanhuError as error:
            log.error("keys of card %s: %s", card.id, error)
            continue
        if own := [one[LIVE_KEY] for one in keys.values() if LIVE_KEY in one]:
            found[judged.tap.id] = own
    return found


def _revoked(parts: "Parts") -> dict[str, tuple[bytes, list[bytes]]]:
    """Site -> salt, and numbers of revoked cards, the ones revoked last in front."""
    cards, seal = parts.ledger.cards, parts.ledger.book.seal
    return {site: (seal.index(b"revoked" + site.encode())[:SALT_BYTES], cards.revoked(site)) for site in cards.sites()}
