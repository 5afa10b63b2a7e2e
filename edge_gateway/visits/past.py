"""What is remembered of a card's taps, for the judge: `judge.Past` over the table `fact`, one look into an index a question."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from edge_gateway.visits import codec
from edge_gateway.visits.records import JudgedTap, Tap, TapFact

_FACT: Final = "SELECT tap, site, device, place, boot, seq, counter, time_ns, uncertainty_ns FROM fact"
# More than this within minutes is a burst many times over.
_MOST_RECENT: Final = 200
# More than a reader's clock may be ahead of the gateway's: such a tap came before its time.
_AHEAD_NS: Final = 86_400 * 10**9


class SqlPast:
    """Only taps that were counted or are under review, and readings at the desk, are in the table.

    Args:
        chip: id of a card -> what stands for its chip: one that was enrolled again keeps its history.
    """

    def __init__(self, db: sqlite3.Connection, chip: Callable[[str], str]) -> None:
        self._db = db
        self._chip = chip

    def same(self, card: str, counter: int) -> TapFact | None:
        """The first reading accepted with this counter."""
        return self._one("chip = ? AND counter = ? ORDER BY rowid", self._chip(card), counter)

    def lower(self, card: str, counter: int, limit: int) -> Sequence[TapFact]:
        """The taps with lower counters, the nearest counter first."""
        return self._all("chip = ? AND counter < ? ORDER BY counter DESC LIMIT ?", self._chip(card), counter, limit)

    def higher(self, card: str, counter: int, limit: int) -> Sequence[TapFact]:
        """The taps with higher counters, the nearest counter first."""
        return self._all("chip = ? AND counter > ? ORDER BY counter LIMIT ?", self._chip(card), counter, limit)

    def recent(self, card: str, around_ns: int, within_ns: int) -> Sequence[TapFact]:
        """The taps whose time is at most `within_ns` away."""
        span = around_ns - within_ns, around_ns + within_ns
        return self._all("chip = ? AND time_ns BETWEEN ? AND ? AND tap <> '' LIMIT ?", self._chip(card), *span, _MOST_RECENT)

    def stream(self, card: str, site: str, device: str, boot: int, seq: int) -> tuple[TapFact | None, TapFact | None]:
        """The card's last tap before and first tap after `seq` in this boot of this device."""
        same = self._chip(card), site, device, boot, seq
        where = "chip = ? AND site = ? AND device = ? AND boot = ? AND seq"
        return self._one(f"{where} < ? ORDER BY seq DESC", *same), self._one(f"{where} > ? ORDER BY seq", *same)

    def _one(self, where: str, *values: object) -> TapFact | None:
        row = self._db.execute(f"{_FACT} WHERE {where} LIMIT 1", values).fetchone()
        return TapFact(*row) if row else None

    def _all(self, where: str, *values: object) -> list[TapFact]:
        return [TapFact(*row) for row in self._db.execute(f"{_FACT} WHERE {where}", values)]


def remember(db: sqlite3.Connection, chip: str, fact: TapFact) -> None:
    """Let later taps of the chip be judged by this one; within a transaction."""
    db.execute(
        "INSERT INTO fact (chip, tap, site, device, place, boot, seq, counter, time_ns, uncertainty_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            chip,
            fact.tap,
            fact.site,
            fact.device,
            fact.place,
            fact.boot,
            fact.seq,
            fact.counter,
            fact.time_ns,
            fact.uncertainty_ns,
        ),
    )


def beside(db: sqlite3.Connection, tap: Tap, within_s: float) -> list[JudgedTap]:
    """What the same reader read at most so long before or after this tap and is held."""
    span_ns = round(within_s * 10**9)
    rows = db.execute(
        "SELECT body FROM tap WHERE site = ? AND device = ? AND received_ns >= ? AND time_ns BETWEEN ? AND ? AND use = 'visit'"
        " AND ruling IN ('counted', 'review')",
        (tap.site, tap.device, tap.time_ns - span_ns - _AHEAD_NS, tap.time_ns - span_ns, tap.time_ns + span_ns),
    )
    return [codec.unpack_judged(body) for (body,) in rows]
