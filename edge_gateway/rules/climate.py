"""Heat and cold at home: ladders of notice, warning, urgent. A room is on a step once it was beyond its limit for long enough.

A step is held until the room is one degree back, so a temperature at the limit is one alert. Measurement time counts, and two
measurements at least: one is no evidence, and time of which nothing was measured counts for nothing. What no room can have
(a sensor that was just switched on, a cable that broke) raises and clears nothing, nor does a room that falls silent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from edge_gateway import sensor_words
from edge_gateway.events import Flag, split_name
from edge_gateway.homes.home import Home, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import night, proof, words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View

_ROOM_C: Final = (-25.0, 55.0)  # beyond it is a broken sensor, a fridge or an oven, not a room somebody lives in
_BACK_C: Final = 1.0
# An hourly sensor may lose one. Nothing was measured for longer: what was before is no evidence of what was between.
_GAP_NS: Final = 130 * night.MINUTE
_ROOMS: Final = 8  # names a bad device may invent any number of
_STALE_NS: Final = 360 * night.MINUTE  # of a room not measured for longer nothing new is said, and nothing taken back
_GONE_NS: Final = 72 * 60 * night.MINUTE
_EVIDENCE_NS: Final = 30 * night.MINUTE  # measurements kept as evidence lie so far apart, or are worse by
_WORSE_C: Final = 0.5
_OUTSIDE: Final = ("out", "balcony", "yard", "fridge", "freez", "boiler", "radiator", "heater", "window", "water", "oven")
_COOKING: Final = ("kitchen", "bath", "shower")  # hot for a while, and nobody is in danger
# A bedroom cools late; at night so long above its limit it will not before the morning.
_WARM_BED_NS: Final = 30 * night.MINUTE
_URGENT_NS: Final = 5 * night.MINUTE
_UNKNOWN: Final = (Flag.FAIL, Flag.SUSPECT, Flag.MISSING)
_STEPS: Final = (Severity.NOTICE, Severity.WARNING, Severity.URGENT)


@dataclass(frozen=True, slots=True)
class Ladder:
    """One direction: heat or cold.

    Attributes:
        sign: 1.0 where more is worse, -1.0 where less is.
        hold_ns: how long a room has to be beyond the limit of each step.
        limits: of a home, Celsius.
    """

    name: str
    sign: float
    hold_ns: tuple[int, int, int]
    limits: Callable[[HomeSetting], tuple[float, float, float]]
    zh: str
    en: str

    @property
    def seen(self) -> str:
        """The note that holds its evidence."""
        return f"{self.name}.seen"


HEAT_LADDER: Final = Ladder(
    "heat", 1.0, (240 * night.MINUTE, 120 * night.MINUTE, _URGENT_NS), lambda setting: setting.heat, "室温过高", "too hot"
)
COLD_LADDER: Final = Ladder(
    "cold", -1.0, (120 * night.MINUTE, 60 * night.MINUTE, _URGENT_NS), lambda setting: setting.cold, "室温过低", "too cold"
)
_DO: Final = {
    "heat": (
        ("请提醒开窗或开空调、多喝水。", "Remind them to cool the room and to drink."),
        (
            "请打电话: 开空调、多喝水, 找凉快的地方; 今天再看一次。",
            "Call: cool the room, drink, find a cooler place; look again today.",
        ),
        ("请马上打电话, 没人接就上门; 不清醒就打 120。", "Call now, go there if nobody answers; if confused call 120."),
    ),
    "cold": (
        ("请问一下暖气和被褥。", "Ask about heating and blankets."),
        ("请打电话: 打开暖气, 加衣; 今天再看一次。", "Call: heat the room, dress warmly; look again today."),
        ("请马上打电话, 没人接就上门; 人发冷不清醒就打 120。", "Call now, go there if nobody answers; if confused call 120."),
    ),
}


def _observe(ladder: Ladder, seen: Seen, setting: HomeSetting, home: Home) -> None:
    """Follow one room on each step; a few microseconds where the room is well."""
    value = seen.value
    if seen.flag in _UNKNOWN or not isinstance(value, float) or not _ROOM_C[0] <= value <= _ROOM_C[1]:
        return
    room = _room(ladder.name, seen.name, seen.device)
    if room is None:
        return
    timers, at_ns = home.timers, seen.at_ns
    told_ns = timers.get(room.told)
    if told_ns is None and not _has_place(ladder, timers, at_ns):
        return
    if told_ns is not None and at_ns <= told_ns:
        return
    timers[room.told] = at_ns
    gap = told_ns is not None and at_ns - told_ns > _GAP_NS
    limits = ladder.limits(setting)
    news = False
    for number, (step, limit, hold_ns) in enumerate(zip(room.steps, limits, ladder.hold_ns, strict=True)):
        if _step(step, ladder.sign * (value - limit), at_ns, hold_ns, gap, timers):
            news = True
            for _, milder in room.steps[:number]:  # a room that comes down from here is still on those
                timers.setdefault(milder, at_ns)
    if room.bed is not None:
        news |= _step(room.bed, value - setting.warm_bed, at_ns, _WARM_BED_NS, gap, timers)
    if ladder.sign * (value - limits[0]) > 0 or news:
        _keep(ladder, value, seen.name, at_ns, news, home)
    elif ladder.seen in home.notes and not any(timer.startswith(f"{ladder.name}.at.") for timer in timers):
        del home.notes[ladder.seen]


def _has_place(ladder: Ladder, timers: dict[str, int], at_ns: int) -> bool:
    """Whether a new room may be followed; sensors that are gone for long, and what they said, are forgotten."""
    begins = f"{ladder.name}.told."
    rooms = [timer.removeprefix(begins) for timer in timers if timer.startswith(begins)]
    gone = {room for room in rooms if at_ns - timers[begins + room] > _GONE_NS}
    for timer in [t for t in timers if t.startswith(f"{ladder.name}.") and any(t.endswith(f".{room}") for room in gone)]:
        del timers[timer]
    return len(rooms) - len(gone) < _ROOMS


def _step(step: tuple[str, str], beyond: float, at_ns: int, hold_ns: int, gap: bool, timers: dict[str, int]) -> bool:
    """One room on one step; whether it just reached it.

    Args:
        step: names of two timers: beyond the limit since; for long enough since, held until one degree back.
        beyond: degrees beyond the limit, negative where it is well.
    """
    begun, reached = step
    if beyond > 0:
        since_ns = timers.get(begun)
        if since_ns is None or (gap and reached not in timers):
            timers[begun] = at_ns
        elif reached not in timers and at_ns - since_ns >= hold_ns:
            timers[reached] = at_ns
            return True
    elif begun in timers:
        if reached not in timers:
            del timers[begun]
        elif beyond <= -_BACK_C:
            del timers[begun], timers[reached]
    return False


def _keep(ladder: Ladder, value: float, name: str, at_ns: int, news: bool, home: Home) -> None:
    """The last measurements beyond the first limit that say something new: `ns,value,name;...`"""
    kept = str(home.notes[ladder.seen]).split(";") if ladder.seen in home.notes else []
    if kept and not news:
        last_ns, last, _ = kept[-1].split(",", 2)
        if at_ns - int(last_ns) < _EVIDENCE_NS and ladder.sign * (value - float(last)) < _WORSE_C:
            return
    home.notes[ladder.seen] = ";".join([*kept, f"{at_ns},{value:.1f},{name}"][-proof.SHOWN :])


def _look(ladder: Ladder, rule: str, watched: Watched, view: View) -> Iterator[Verdict]:
    home = watched.home
    key = f"{rule}/{home.site}/{home.place}"
    if ladder.seen not in home.notes and key not in view.open:
        return  # no room is beyond any limit
    zone = words.zone(view.registry, home.site)
    worst = _worst(ladder, watched, view.now_ns, zone)
    if worst is None:
        # `at` timers go only with a measurement: this is a room that is well again, not one that nobody hears.
        if key in view.open and not any(timer.startswith(f"{ladder.name}.at.") for timer in home.timers):
            back_ns = max((at for timer, at in home.timers.items() if timer.startswith(f"{ladder.name}.told.")), default=0)
            yield Returned(key, back_ns, "back_in_range", f"{words.exact(back_ns, zone)} back in range")
        return
    step, since_ns, name, limit = worst
    if home.away is not None and step == 0:
        return
    name, _, device = name.partition("@")
    room = split_name(name)[1]
    where_zh, where_en = (f"{home.place} ({word})" if word else home.place for word in sensor_words.room(room))
    do_zh, do_en = _DO[ladder.name][step]
    beyond_zh, beyond_en = ("高于", "above") if ladder.sign > 0 else ("低于", "below")
    yield Finding(
        key=key,
        rule=rule,
        severity=_STEPS[step],
        site=home.site,
        device=device,
        place=home.place,
        occurred_ns=since_ns,
        text_zh=f"{where_zh}: {ladder.zh}, {words.zh(since_ns, zone)} 起{beyond_zh} {limit:g} °C。{do_zh}",
        text_en=f"{where_en}: {ladder.en}, {beyond_en} {limit:g} °C since {words.en(since_ns, zone)}. {do_en}",
        evidence=_evidence(ladder, home, zone),
        returns=True,
    )


def _worst(ladder: Ladder, watched: Watched, now_ns: int, zone: tzinfo) -> tuple[int, int, str, float] | None:
    """(step, since, name, limit) of the room that is worst; None: every room is well."""
    home, setting = watched.home, watched.setting
    found = []
    for timer, reached_ns in home.timers.items():
        if not timer.startswith(f"{ladder.name}.at."):
            continue
        which, _, name = timer.removeprefix(f"{ladder.name}.at.").partition(".")
        if now_ns - home.timers.get(f"{ladder.name}.told.{name}", 0) > _STALE_NS:
            continue
        since_ns = home.timers.get(f"{ladder.name}.{which}.{name}", reached_ns)
        if which == "bed":
            began_ns = night.began(setting, now_ns, zone)
            # Above the limit while it was night for as long as the step takes.
            if began_ns is not None and home.timers.get(f"heat.told.{name}", 0) - max(since_ns, began_ns) >= _WARM_BED_NS:
                # No more than a warning: in a hot week this is every bedroom of a street, and a wall of urgent alerts hides
                # the one that matters. A declared heat wave makes it urgent (`emergency`).
                found.append((1, -max(since_ns, began_ns), name, setting.warm_bed))
        elif not (which == "2" and _is_one_of(name, _COOKING)):
            found.append((int(which), -since_ns, name, ladder.limits(setting)[int(which)]))
    if not found:
        return None
    step, minus_ns, name, limit = max(found)
    return step, -minus_ns, name, limit


def _evidence(ladder: Ladder, home: Home, zone: tzinfo) -> tuple[str, ...]:
    kept = str(home.notes.get(ladder.seen, ""))
    pieces = [piece.split(",", 2) for piece in kept.split(";") if piece.count(",") == 2]
    return tuple(f"{words.exact(int(at_ns), zone)} {name} {value} °C" for at_ns, value, name in pieces)


class _Room(NamedTuple):
    """The names of a room's timers."""

    told: str
    steps: tuple[tuple[str, str], ...]
    bed: tuple[str, str] | None


@lru_cache(maxsize=2048)
def _room(ladder: str, name: str, device: str) -> _Room | None:
    """None: nobody lives where this is measured. Two devices of one home may use one name; they are two rooms."""
    if _is_one_of(name, _OUTSIDE):
        return None
    which = f"{name}@{device}"
    steps = [(f"{ladder}.{step}.{which}", f"{ladder}.at.{step}.{which}") for step in (0, 1, 2, "bed")]
    is_bedroom = ladder == "heat" and _is_one_of(name, ("bed",))
    return _Room(f"{ladder}.told.{which}", tuple(steps[:3]), steps[3] if is_bedroom else None)


def _is_one_of(name: str, kinds: tuple[str, ...]) -> bool:
    """Whether a word of the channel begins with one of these: `temperature.water_heater`, with or without `@device`."""
    return any(word.startswith(kinds) for word in split_name(name.partition("@")[0])[1].split("_") if word)


def _rule(ladder: Ladder) -> Rule:
    def observe(seen: Seen, setting: HomeSetting, home: Home) -> None:
        _observe(ladder, seen, setting, home)

    def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
        return _look(ladder, ladder.name, watched, view)

    return Rule(ladder.name, Severity.URGENT, names=frozenset({"temperature"}), observe=observe, look_home=look_home)


HEAT: Final = _rule(HEAT_LADDER)
COLD: Final = _rule(COLD_LADDER)
