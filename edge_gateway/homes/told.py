"""What a person closed is not said again ten seconds later because it still is so: an open door, a hot room, a dead device.

Pure. A finding is dropped while what it tells began before a person closed its alert; it is said again when it got worse, when
it began anew, and after a while: who closed it may have forgotten it. Kept as `told.<key>` among the timers and notes of the
home, or of the site.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from edge_gateway.homes.home import Home
from edge_gateway.rules.rule import Finding, Returned, Severity, Verdict

_HOUR_NS: Final = 3600 * 10**9
AGAIN_NS: Final = {Severity.URGENT: 4 * _HOUR_NS, Severity.WARNING: 6 * _HOUR_NS, Severity.NOTICE: 24 * _HOUR_NS}
_KEEP_NS: Final = 72 * _HOUR_NS
_RANK: Final = {Severity.URGENT: 0, Severity.WARNING: 1, Severity.NOTICE: 2}
_PREFIX: Final = "told."


class Told:
    """
    Args:
        memory: (site, place) -> the home to be read, None when there is none yet.
        change: as `HomeWatch.change`: the home of a site and place to be changed now.
        has_home: whether a site has a home at this place; what concerns anything else is kept with its site.
    """

    def __init__(
        self,
        memory: Callable[[tuple[str, str]], Home | None],
        change: Callable[[tuple[str, str], int], Home],
        has_home: Callable[[tuple[str, str]], bool],
    ) -> None:
        self._memory, self._change, self._has_home = memory, change, has_home
        self._open: frozenset[str] = frozenset()
        self._ended: set[str] = set()  # by their rule, since the last look
        self._said: dict[str, tuple[tuple[str, str], Severity]] = {}  # open now: whose, and how bad it was said to be

    def forget(self) -> None:
        """What was open is read from disk again."""
        self._open, self._said = frozenset(), {}
        self._ended.clear()

    def follow(self, open_keys: Collection[str], now_ns: int) -> None:
        """See which alerts are open now; those that were and that no rule ended, a person closed."""
        for key, whose in self._said.items():
            # Of a home that is no longer registered nothing is kept: its memory may just have been erased.
            gone = bool(whose[0][1]) and not self._has_home(whose[0])
            if key not in open_keys and key not in self._ended and not gone:
                self._remember(key, *whose, now_ns)
        self._said = {key: said for key, said in self._said.items() if key in open_keys}
        self._open = frozenset(open_keys)
        self._ended.clear()

    def unsay(self, keys: Collection[str]) -> None:
        """A person takes back that they are over."""
        for key in keys:
            self._said.pop(key, None)

    def sift(self, verdicts: Iterable[Verdict], now_ns: int) -> list[Verdict]:
        """The verdicts without what a person closed and what is still as it was then."""
        passed: list[Verdict] = []
        for verdict in verdicts:
            if isinstance(verdict, Returned):
                self._ended.add(verdict.key)
            elif isinstance(verdict, Finding) and not verdict.test:  # the gateway itself ends a test
                whose = self._whose(verdict)
                if not verdict.anew and self._is_closed(verdict, whose, now_ns):
                    continue
                before = self._said.get(verdict.key)
                worst = verdict.severity if before is None else min(before[1], verdict.severity, key=_RANK.__getitem__)
                self._said[verdict.key] = (whose, worst)
            passed.append(verdict)
        return passed

    def _whose(self, finding: Finding) -> tuple[str, str]:
        key = finding.site, finding.place
        return key if finding.place and self._has_home(key) else (finding.site, "")

    def _is_closed(self, finding: Finding, whose: tuple[str, str], now_ns: int) -> bool:
        if finding.key in self._open:
            return False
        home = self._memory(whose)
        closed_ns = None if home is None else home.timers.get(_PREFIX + finding.key)
        began_anew = closed_ns is not None and finding.occurred_ns > closed_ns and finding.rule != "rule-failed"
        if home is None or closed_ns is None or began_anew:
            return False
        word = str(home.notes.get(_PREFIX + finding.key, Severity.NOTICE))
        was = Severity(word) if word in _RANK else Severity.NOTICE
        worse = _RANK[finding.severity] < _RANK[was]
        return not worse and now_ns - closed_ns < AGAIN_NS[finding.severity]

    def _remember(self, key: str, whose: tuple[str, str], severity: Severity, now_ns: int) -> None:
        home = self._change(whose, now_ns)
        for timer in [t for t, at in home.timers.items() if t.startswith(_PREFIX) and now_ns - at > _KEEP_NS]:
            del home.timers[timer]
            home.notes.pop(timer, None)
        home.timers[_PREFIX + key] = now_ns
        home.notes[_PREFIX + key] = severity.value
