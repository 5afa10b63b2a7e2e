"""Water on the floor: the contact of a leak detector. Ends when it tells that it is dry again, or by a person."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from edge_gateway.events import Event, Flag, split_name
from edge_gateway.homes.home import Home, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View

_ON: Final = "leak.on."
_ALERTS: Final = 8  # of one device
_MOST: Final = 32  # wet at once, of one device, which may invent any number of channels


def judge(event: Event, view: View) -> Iterator[Verdict]:
    """A detector that became wet or dry, in a home or anywhere else."""
    zone = words.zone(view.registry, event.site)
    # In a home `look_home` knows every detector. Anywhere else nobody does: there each speaks for itself, and none for another.
    is_home = (event.site, event.place) in view.registry.homes
    device = f"{RULE.name}/{event.site}/{event.device}"
    its = {key for key in view.open if key.startswith(f"{device}.")}
    for reading in event.values:
        quantity, channel = split_name(reading.name)
        if quantity != "leak" or reading.flag == Flag.FAIL:
            continue
        key = f"{RULE.name}/{event.site}/{event.place}" if is_home else f"{device}.{channel}".rstrip(".")
        if not is_home and reading.value == 1.0 and key not in its and len(its) >= _ALERTS:
            key = device  # no device is more alerts than that, whatever channels it invents
        if reading.value == 1.0:
            said = f"{words.exact(event.time_ns, zone)} {reading.name} wet {event.device} ({event.boot}/{event.seq})"
            its.add(key)
            yield _finding(key, event.site, event.device, event.place, event.time_ns, said, zone, anew=True)
        elif reading.value == 0.0 and key in view.open and not is_home:
            yield Returned(key, event.time_ns, "dry", f"{words.exact(event.time_ns, zone)} {reading.name} dry")


def observe(seen: Seen, setting: HomeSetting, home: Home) -> None:
    """Which detectors are wet, and since when; when one was wet last (`detectors.leak`)."""
    if seen.flag == Flag.FAIL or seen.value not in (0.0, 1.0):
        return
    on, timers = f"{_ON}{seen.name}.{seen.device}", home.timers
    if seen.value == 1.0:
        if sum(timer.startswith(_ON) and timer.endswith(f".{seen.device}") for timer in timers) < _MOST:
            timers.setdefault(on, seen.at_ns)
        timers["detectors.leak"] = max(timers.get("detectors.leak", 0), seen.at_ns)
    elif seen.at_ns >= timers.get(on, seen.at_ns):
        timers.pop(on, None)
        timers["leak.dry"] = max(timers.get("leak.dry", 0), seen.at_ns)


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """Wet floors, and dry ones."""
    home = watched.home
    if "detectors.leak" not in home.timers:
        return  # none was ever wet
    zone = words.zone(view.registry, home.site)
    key = f"{RULE.name}/{home.site}/{home.place}"
    wet = sorted((at, timer.removeprefix(_ON)) for timer, at in home.timers.items() if timer.startswith(_ON))
    if wet:
        since_ns = wet[0][0]
        name, _, device = wet[0][1].rpartition(".")
        said = f"{words.exact(since_ns, zone)} {name} wet since {device}"
        yield _finding(key, home.site, device, home.place, since_ns, said, zone)
    elif key in view.open and (dry_ns := home.timers.get("leak.dry", 0)) >= home.timers.get("detectors.leak", 0) > 0:
        yield Returned(key, dry_ns, "dry", f"{words.exact(dry_ns, zone)} dry")


def _finding(
    key: str, site: str, device: str, place: str, at_ns: int, evidence: str, zone: tzinfo, anew: bool = False
) -> Finding:
    where = place or device
    return Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.WARNING,
        site=site,
        device=device,
        place=place,
        occurred_ns=at_ns,
        text_zh=f"{where}: 地上有水, {words.zh(at_ns, zone)} 起。请打电话: 关水龙头和总阀, 小心滑倒; 没人接就上门。",
        text_en=f"{where}: water on the floor since {words.en(at_ns, zone)}. "
        "Call: close taps and main valve, mind the wet floor; go there if nobody answers.",
        evidence=(evidence,),
        returns=True,
        anew=anew,
    )


RULE: Final = Rule(
    "leak",
    Severity.WARNING,
    kinds=frozenset({"leak"}),
    judge=judge,
    names=frozenset({"leak"}),
    observe=observe,
    look_home=look_home,
    through_pause=True,
)
