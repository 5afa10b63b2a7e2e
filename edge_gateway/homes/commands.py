"""What a named person says about a home over the gateway's socket: paused, away, seen and fine, agreed; and who looked.

Each is checked here, done in memory, written into the home's log, and answered when it is on disk.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from edge_gateway.alerts import State
from edge_gateway.commands import Handler
from edge_gateway.errors import Rejected
from edge_gateway.homes import away as absence
from edge_gateway.homes import evidence, selftest
from edge_gateway.homes.home import Consent, Home, Pause
from edge_gateway.homes.said import (
    AWAY_KINDS,
    EMERGENCIES,
    EMERGENCY_BY,
    EMERGENCY_KIND,
    EMERGENCY_SINCE,
    EMERGENCY_UNTIL,
    EQUIPMENT,
    PAUSE_SAID,
    SEEN,
    SEEN_AT,
    SEEN_BY,
    SEEN_FINE,
)
from edge_gateway.homes.unseen import Before, before, take_back
from edge_gateway.homes.watch import Note
from edge_gateway.rules import Severity
from edge_gateway.visits.arguments import Arguments

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

_SECOND: Final = 10**9
_DAY_NS: Final = 86_400 * _SECOND
LONGEST_PAUSE_D: Final = 31
LONGEST_AWAY_D: Final = 366
_LONGEST_EMERGENCY_D: Final = 60
_CONSENTS: Final = 50
_LOOK_AGAIN_S: Final = 600.0  # the same person at the same page within this is one look
_LOOKS: Final = 10_000
_WORDS: Final = 300

Answer = Callable[[Arguments], Awaitable[Any]]


def handlers(gateway: "Gateway") -> Mapping[str, Handler]:
    """Command name -> function of its JSON arguments; each raises Rejected for arguments it cannot use."""
    desk = HomeDesk(gateway)
    answers: dict[str, Answer] = {
        "homes.pause": desk.pause,
        "homes.resume": desk.resume,
        "homes.away": desk.away,
        "homes.back": desk.back,
        "homes.seen": desk.seen,
        "homes.unseen": desk.unseen,
        "homes.consent": desk.consent,
        "homes.test": desk.test,
        "homes.emergency": desk.emergency,
        "homes.looked": desk.looked,
    }
    return {name: _handler(answer) for name, answer in answers.items()}


def _handler(answer: Answer) -> Handler:
    async def handle(arguments: Mapping[str, Any]) -> Any:
        return await answer(Arguments(arguments))

    return handle


class HomeDesk:
    """Lives in the gateway's event loop."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._before: dict[tuple[str, str], Before] = {}
        self._looks: dict[tuple[str, str, str, str], float] = {}

    async def pause(self, a: Arguments) -> dict[str, Any]:
        """The elder does not want to be watched until then; an SOS is an SOS all the same."""
        key, by, now_ns = self._home(a), a.person(), self._now()
        until_ns, reason = _until(a, now_ns, LONGEST_PAUSE_D), a.text("reason", _WORDS, empty=True)
        home = self._change(key)
        runs = home.pause is not None and now_ns < home.pause.until_ns
        since_ns = home.pause.since_ns if runs and home.pause is not None else now_ns
        home.pause, home.asked = Pause(since_ns, until_ns, by, reason, said_ns=now_ns), None
        home.timers[PAUSE_SAID] = now_ns
        return await self._saved(key, by, "paused", _told(until_ns, reason))

    async def resume(self, a: Arguments) -> dict[str, Any]:
        """Watch again before the pause is over."""
        key, by = self._home(a), a.person()
        home = self._change(key)
        home.timers[PAUSE_SAID] = self._now()
        if home.pause is None:
            return _done(key, changed=False)
        home.pause = None
        return await self._saved(key, by, "resumed")

    async def away(self, a: Arguments) -> dict[str, Any]:
        """Nobody is at home. Only `out` may be without an end: it ends with the next sign of life."""
        key, by, kind, now_ns = self._home(a), a.person(), a.one_of("kind", AWAY_KINDS), self._now()
        until_ns = _until(a, now_ns, LONGEST_AWAY_D, open_end=kind == "out")
        home = self._change(key)
        absence.go(home, kind, now_ns, until_ns, by)
        home.asked = None
        return await self._saved(key, by, "away", f"{kind} {_told(until_ns)}".strip())

    async def back(self, a: Arguments) -> dict[str, Any]:
        """Somebody is at home again; says nothing of how he is."""
        key, by = self._home(a), a.person()
        home = self._change(key)
        if home.away is None:
            return _done(key, changed=False)
        absence.returned(home, self._now())
        return await self._saved(key, by, "back")

    async def seen(self, a: Arguments) -> dict[str, Any]:
        """A person saw or heard the elder and all is well: a sign of life, and the end of what is not urgent.

        Returns:
            `closed`: ids of the alerts it closed; `open`: those that need more than this.
        """
        key, by, note, now_ns = self._home(a), a.person(), a.text("note", _WORDS, empty=True), self._now()
        home = self._change(key)
        was = before(home, by, now_ns)
        evidence.said_fine(home, now_ns, by)
        home.asked = None
        home.timers[SEEN_AT], home.notes[SEEN_BY] = now_ns, by
        closed, still_open, keys = [], [], []
        for alert in self._gateway.desk.book.open_alerts():
            if (alert.site, alert.place) != key or alert.state is State.CLOSED:
                continue
            if alert.severity is Severity.URGENT or alert.rule in EQUIPMENT:
                still_open.append(alert.id)
            else:
                self._gateway.desk.close(alert.id, by, SEEN_FINE)
                closed.append(alert.id)
                keys.append(alert.key)
        self._before[key] = replace(was, closed=tuple(keys))
        return {**await self._saved(key, by, SEEN, note), "closed": closed, "open": still_open}

    async def unseen(self, a: Arguments) -> dict[str, Any]:
        """It was another home: what `seen` said is taken back. Raises Rejected as `take_back`."""
        key, by, now_ns = self._home(a), a.person(), self._now()
        was = self._before.get(key)
        take_back(self._change(key), was, by, now_ns)
        if was is not None:  # within the second the gateway has not yet seen that a person ended them
            self._gateway.desk.homes.told.unsay(was.closed)
        self._before.pop(key, None)
        return await self._saved(key, by, "unseen")

    async def consent(self, a: Arguments) -> dict[str, Any]:
        """The person agreed to this version of the text on this date, or no longer does."""
        key, by, given = self._home(a), a.person(), a.yes("given")
        version, on = a.text("version", 40), _date(a.text("date", 10))
        home = self._change(key)
        home.consents = [*home.consents, Consent(on, version, given, by, self._now())][-_CONSENTS:]
        return await self._saved(key, by, "consent", f"{'given' if given else 'withdrawn'} {on} {version}")

    async def test(self, a: Arguments) -> dict[str, Any]:
        """Try the way of an alarm now; how it ended stands in the home's memory minutes later."""
        key, by = self._home(a), a.person()
        desk = self._gateway.desk
        name = selftest.begin(desk.homes, self._gateway.pipeline.registry, key, self._now(), by, desk.book.open_keys)
        return {**await self._saved(key, by, "test", name), "test": name}

    async def emergency(self, a: Arguments) -> dict[str, Any]:
        """A heat wave, cold, flood or outage at a whole site; kind "" ends it."""
        site, by, now_ns = a.name("site"), a.person(), self._now()
        kind = a.text("kind", 20, empty=True)
        if site not in self._gateway.pipeline.registry.sites:
            raise Rejected("unknown_site", f"there is no site {site!r}")
        if kind and kind not in EMERGENCIES:
            raise Rejected("bad_argument", f'kind is {kind!r}; one of {", ".join(EMERGENCIES)}, or "" to end it')
        until_ns = _until(a, now_ns, _LONGEST_EMERGENCY_D, open_end=True) if kind else 0
        key = (site, "")
        memory = self._gateway.desk.homes.change(key, now_ns)
        before = str(memory.notes.get(EMERGENCY_KIND, ""))
        for name in (EMERGENCY_KIND, EMERGENCY_UNTIL, EMERGENCY_SINCE, EMERGENCY_BY):
            memory.notes.pop(name, None)
        if kind:
            memory.notes |= {
                EMERGENCY_KIND: kind,
                EMERGENCY_UNTIL: until_ns / _SECOND,
                EMERGENCY_SINCE: now_ns / _SECOND,
                EMERGENCY_BY: by,
            }
        return await self._saved(key, by, "emergency", f"{kind} {_told(until_ns)}".strip() if kind else f"ended {before}")

    async def looked(self, a: Arguments) -> dict[str, Any]:
        """Somebody looked at a home; is not waited for: it is on disk with the next commit."""
        key, by, what = self._home(a), a.person(), a.text("what", 60)
        now_s = time.monotonic()
        look = (*key, by, what)
        last_s = self._looks.pop(look, None)
        self._looks[look] = now_s if last_s is None or now_s - last_s >= _LOOK_AGAIN_S else last_s
        if len(self._looks) > _LOOKS:
            del self._looks[next(iter(self._looks))]
        if self._looks[look] == now_s:
            self._note(key, by, "looked", what)
            self._gateway.committer.soon()
        return _done(key)

    def _home(self, a: Arguments) -> tuple[str, str]:
        site, place = a.name("site"), a.name("place")
        if (site, place) not in self._gateway.pipeline.registry.homes:
            raise Rejected("unknown_home", f"{site}/{place} is no home of the registry: no [[homes]] and no elder_home there")
        return site, place

    def _now(self) -> int:
        return self._gateway.clock_ns()

    def _change(self, key: tuple[str, str]) -> Home:
        return self._gateway.desk.homes.change(key, self._now())

    def _note(self, key: tuple[str, str], by: str, what: str, detail: str = "") -> None:
        self._gateway.desk.homes.note(Note(*key, self._now(), by, what, detail))

    async def _saved(self, key: tuple[str, str], by: str, what: str, detail: str = "") -> dict[str, Any]:
        """Written into the log; on disk. Raises Unavailable: it could not be saved, and nothing of it holds."""
        self._note(key, by, what, detail)
        await self._gateway.committer.settle()
        return _done(key)


def _until(a: Arguments, now_ns: int, most_days: int, open_end: bool = False) -> int:
    until_ns = a.whole("until_ns", 0, 1 << 62, 0)
    if until_ns == 0:
        if open_end:
            return 0
        raise Rejected("bad_argument", f"this needs an end, until_ns, within {most_days} days")
    if not now_ns < until_ns <= now_ns + most_days * _DAY_NS:
        hours = (until_ns - now_ns) / (3600 * _SECOND)
        raise Rejected("bad_argument", f"until is {hours:.1f} h from now; expected an end within {most_days} days")
    return until_ns


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Rejected("bad_argument", f"date is {text!r}; expected a date such as 2026-11-21") from None


def _told(until_ns: int, words: str = "") -> str:
    """For the log: the end as a number, which every reader shows in his own zone."""
    return " ".join(part for part in (f"until={until_ns}" if until_ns else "", words) if part)


def _done(key: tuple[str, str], changed: bool = True) -> dict[str, Any]:
    return {"site": key[0], "place": key[1], "changed": changed}
