"""What is remembered of taps, in memory: the plainest `judge.Past`, and a desk that judges taps as they arrive."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence

from edge_gateway.visits import judge
from edge_gateway.visits.records import Evidence, JudgedTap, Judgement, Ruling, Tap, TapFact

KEPT = (Ruling.COUNTED, Ruling.REVIEW)


class MemoryPast:
    """Every fact of every card, searched through from end to end where that is fast enough."""

    def __init__(self) -> None:
        self._by_counter: dict[str, list[tuple[int, int, TapFact]]] = defaultdict(list)
        self._by_time: dict[str, list[tuple[int, int, TapFact]]] = defaultdict(list)
        self._streams: dict[tuple[str, str, str, int], list[tuple[int, TapFact]]] = defaultdict(list)
        self._n = 0

    def add(self, card: str, fact: TapFact) -> None:
        """Remember a fact; the order of calls is the order of acceptance."""
        self._n += 1
        insort(self._by_time[card], (fact.time_ns, self._n, fact))
        if fact.counter is not None:
            insort(self._by_counter[card], (fact.counter, self._n, fact))
        insort(self._streams[card, fact.site, fact.device, fact.boot], (fact.seq, fact))

    def same(self, card: str, counter: int) -> TapFact | None:
        facts = self._by_counter[card]
        at = bisect_left(facts, (counter,))
        return facts[at][2] if at < len(facts) and facts[at][0] == counter else None

    def lower(self, card: str, counter: int, limit: int) -> Sequence[TapFact]:
        facts = self._by_counter[card]
        at = bisect_left(facts, (counter,))
        return [fact for _, _, fact in reversed(facts[max(0, at - limit) : at])]

    def higher(self, card: str, counter: int, limit: int) -> Sequence[TapFact]:
        facts = self._by_counter[card]
        at = bisect_left(facts, (counter + 1,))
        return [fact for _, _, fact in facts[at : at + limit]]

    def recent(self, card: str, around_ns: int, within_ns: int) -> Sequence[TapFact]:
        facts = self._by_time[card]
        first, last = bisect_left(facts, (around_ns - within_ns,)), bisect_left(facts, (around_ns + within_ns + 1,))
        return [fact for _, _, fact in facts[first:last]]

    def stream(self, card: str, site: str, device: str, boot: int, seq: int) -> tuple[TapFact | None, TapFact | None]:
        facts = self._streams[card, site, device, boot]
        before, after = bisect_left(facts, (seq,)), bisect_left(facts, (seq + 1,))
        return facts[before - 1][1] if before else None, facts[after][1] if after < len(facts) else None


class MemoryDesk:
    """Judges taps in the order in which they arrive, as the gateway's desk does, and keeps what became of each."""

    def __init__(self, rules: judge.Rules = judge.DEFAULT) -> None:
        self.rules = rules
        self.past = MemoryPast()
        self.judged: dict[str, JudgedTap] = {}

    def take(self, tap: Tap, evidence: Evidence, at: tuple[float, float] | None = None) -> Judgement:
        """What became of a tap; a tap that is known already changes nothing."""
        found = judge.judge(tap, evidence, self.past, self.rules, at)
        if tap.id in self.judged:
            return found
        self.judged[tap.id] = JudgedTap(tap, evidence, found)
        if evidence.card is not None and found.ruling in KEPT:
            self.past.add(evidence.card.id, judge.fact(tap, evidence, self.rules))
        for name in found.suspects:
            old = self.judged[name]
            self.judged[name] = JudgedTap(old.tap, old.evidence, judge.suspected(old.judgement, found))
        return found

    def take_all(self, pairs: Iterable[tuple[Tap, Evidence]]) -> list[Judgement]:
        return [self.take(tap, evidence) for tap, evidence in pairs]
