"""The elder's own pause: a button at home begins and ends it; it has an end, staff is told once, the home is shown it. Pure.

Whoever spoke last decides: what is older than the last word about a pause, because it comes late from an outage or again,
changes nothing. A press of which nobody knows when it was begins no pause. Every press is answered, so that the lamp beside the
button shows what holds. Kept in a home's memory:

    timers  pause.said    when anybody last said something of a pause
            pause.began   when the first of the elder's pauses began that have followed each other closely
            pause.ended   when the last of them was ended
            pause.tell    of a pause that nobody was told of yet
            pause.told    when the staff was told last
    notes   pause.shown   what the devices were told last: its end in UTC seconds, 0.0 none
            pause.event.<device>   the last press of that device, `boot/seq`
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from edge_gateway.events import Event, Flag, TimeQuality, split_name
from edge_gateway.homes.home import Home, Pause
from edge_gateway.homes.said import ELDER, PAUSE_SAID
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.registry import ELDER_HOME, Registry
from edge_gateway.rules import words
from edge_gateway.rules.paused import MAINTENANCE, RULE, runs
from edge_gateway.rules.rule import Finding, Returned, Severity, Verdict, View

if TYPE_CHECKING:
    from edge_gateway.homes.watch import HomeWatch

PAUSE: Final = "pause"  # the event
SHOW: Final = "paused"  # the command
LONGEST_NS: Final = 24 * 3600 * 10**9  # by the elder's own hand, and of pauses that follow each other closely
# A button that wobbles, or a device that begins anew each time a pause is over, would else leave a home unwatched for ever.
_CLOSELY_NS: Final = 3600 * 10**9
_HOUR_NS: Final = 3600 * 10**9
_AFTER_BIRTH_NS: Final = 2 * 10**9  # a device subscribes after its birth
_APART_NS: Final = 15 * 60 * 10**9  # a button that begins and ends pauses all the time is no message each time
_BEGAN, _ENDED, _SHOWN, _EVENT = "pause.began", "pause.ended", "pause.shown", "pause.event."
_TELL, _TOLD = "pause.tell", "pause.told"

Key = tuple[str, str]


class Pauses:
    """Belongs to the watch over all homes."""

    def __init__(self, homes: "HomeWatch", registry: Registry) -> None:
        self._homes = homes
        self._again: dict[Key, int | None] = {}  # homes to be told how it stands -> from when on, monotonic; None: not decided
        self.expect(registry)

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._registry = registry
        self._devices: dict[Key, list[str]] = {}
        for device in registry.devices.values():
            if device.model == ELDER_HOME and device.place:
                self._devices.setdefault((device.site, device.place), []).append(device.id)

    def forget(self) -> None:
        """The homes were read from disk anew: what was to be told may not have been."""
        self._again = {key: 0 for key, home in self._homes.homes.items() if _SHOWN in home.notes}

    def born(self, site: str, device: str) -> None:
        """A device is back; it may have missed how it stands."""
        known = self._registry.find(site, device)
        home = self._homes.homes.get((site, known.place)) if known is not None else None
        if home is not None and _SHOWN in home.notes:
            self._again[home.key] = None
            self._homes.look_soon(home.key)

    def hear(self, event: Event, home: Home, setting: HomeSetting) -> None:
        """An event of a home; most are of something else."""
        said = [reading for reading in event.values if split_name(reading.name)[0] == PAUSE]
        if not said:
            return
        self._homes.change(home.key, event.received_ns)
        self._again[home.key] = 0
        if event.device in self._devices.get(home.key, ()):
            home.notes[_EVENT + event.device] = f"{event.boot}/{event.seq}"
        at_ns = min(event.time_ns, event.received_ns)
        if said[-1].flag == Flag.FAIL or at_ns <= home.timers.get(PAUSE_SAID, 0):
            return
        if said[-1].value == 1.0:
            # Without a clock and from before the last start: it may have been yesterday.
            if event.time_quality != TimeQuality.RECEIPT or event.time_ns < event.received_ns:
                self._begin(home, setting, at_ns, event.received_ns)
        elif said[-1].value == 0.0:
            self._end(home, at_ns, event.received_ns)

    def advance(self, home: Home, view: View) -> Iterator[Verdict]:
        """The word to the staff, and what the home is shown; called when the rules look at it."""
        now_ns, key = view.now_ns, f"{RULE.name}-by-elder/{home.site}/{home.place}"
        pause = home.pause if runs(home, now_ns) else None
        its_own = pause is not None and pause.by == ELDER
        waits = its_own and 0 <= now_ns - home.timers.get(_TOLD, now_ns - _APART_NS) < _APART_NS
        if _TELL in home.timers and not waits:
            # Forgotten in the commit that holds the alert: it is told once, whatever happens in between.
            del home.timers[_TELL]
            self._homes.change(home.key, now_ns)
            if pause is not None and its_own:
                home.timers[_TOLD] = now_ns
                yield self._finding(key, home, pause, view)
        elif key in view.open and not its_own:
            yield Returned(key, now_ns, "resumed")
        self._show(home, pause, view)

    def _begin(self, home: Home, setting: HomeSetting, at_ns: int, now_ns: int) -> None:
        timers, old = home.timers, home.pause
        timers[PAUSE_SAID] = at_ns
        if runs(home, at_ns) and old is not None and old.reason == MAINTENANCE:
            return
        if at_ns - self._over_ns(home) >= _CLOSELY_NS:
            timers[_BEGAN] = at_ns
        began_ns = timers.setdefault(_BEGAN, at_ns)
        until_ns = min(at_ns + round(setting.pause_h * _HOUR_NS), began_ns + LONGEST_NS)
        if until_ns <= max(now_ns, at_ns) or (old is not None and old.until_ns >= until_ns):
            self._note(home, now_ns, "pause_refused")
            return
        since_ns = old.since_ns if old is not None and runs(home, at_ns) else at_ns
        home.pause = Pause(since_ns, until_ns, ELDER, said_ns=at_ns)
        home.asked = None
        timers[_TELL] = at_ns
        self._note(home, now_ns, "paused", f"until={until_ns}")

    def _end(self, home: Home, at_ns: int, now_ns: int) -> None:
        home.timers[PAUSE_SAID] = at_ns
        pause = home.pause
        if pause is None or at_ns < pause.since_ns or pause.reason == MAINTENANCE or pause.until_ns <= at_ns:
            return
        home.timers[_ENDED] = at_ns
        home.timers["evidence.from"] = max(at_ns, home.timers.get("evidence.from", 0))
        home.pause = None
        self._note(home, now_ns, "resumed")

    def _over_ns(self, home: Home) -> int:
        """When the last of the elder's own pauses was over; in the future while one runs."""
        ended_ns = home.timers.get(_ENDED, 0)
        return max(ended_ns, home.pause.until_ns) if home.pause is not None and home.pause.by == ELDER else ended_ns

    def _show(self, home: Home, pause: Pause | None, view: View) -> None:
        """What the devices of the home show: told when it changes, when one asks, after a start of either side."""
        key, until_s = home.key, pause.until_ns / 1e9 if pause is not None else 0.0
        if key in self._again:
            due_ns = self._again[key]
            if due_ns is None:
                due_ns = self._again[key] = view.monotonic_ns + _AFTER_BIRTH_NS
            if view.monotonic_ns < due_ns:
                self._homes.look_soon(key)
                return
        elif home.notes.get(_SHOWN, 0.0) == until_s:
            return
        self._again.pop(key, None)
        left_s = max(1, round(until_s - view.now_ns / 1e9)) if pause is not None else 0
        for device in self._devices.get(key, ()):
            boot, _, seq = str(home.notes.get(_EVENT + device, "")).partition("/")
            answers = {"event": [int(boot), int(seq)]} if seq else {}
            self._homes.command(home.site, device, SHOW, {"until": round(until_s), "seconds": left_s, **answers})
        home.notes[_SHOWN] = until_s
        self._homes.change(key, view.now_ns)

    def _finding(self, key: str, home: Home, pause: Pause, view: View) -> Finding:
        zone = words.zone(view.registry, home.site)
        return Finding(
            key=key,
            rule=RULE.name,
            severity=Severity.NOTICE,
            site=home.site,
            device="",
            place=home.place,
            occurred_ns=pause.since_ns,
            text_zh=f"{home.place}: 老人自己按键暂停看护, 到 {words.zh(pause.until_ns, zone)}。"
            "紧急按钮、烟雾、燃气和漏水照样告警。知道就好, 不用处理。",
            text_en=f"{home.place}: paused by the elder until {words.en(pause.until_ns, zone)}. "
            "SOS, smoke, gas and leak still ring. For your information, nothing to do.",
            evidence=(f"{words.exact(pause.since_ns, zone)} paused by {ELDER}",),
            returns=True,
            anew=True,
            once=True,
        )

    def _note(self, home: Home, at_ns: int, what: str, detail: str = "") -> None:
        self._homes.log_line(home.key, at_ns, ELDER, what, detail)
