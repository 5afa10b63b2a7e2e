"""Bed exit: somebody who slept got up at night and did not come back. It may be a fall on the way to the bathroom.

The person moves about after the time is over: it begins again with the last movement, for then he is up and awake; the home
asks before anybody is called. Ends when the bed or a chair is taken, or the person says so. Nothing is known of a pad that
cannot be believed, and nothing is said.
"""

from collections.abc import Iterator
from typing import Final

from edge_gateway.events import Flag, split_name
from edge_gateway.homes.home import Held, Home, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import night, proof, words
from edge_gateway.rules.asking import asked
from edge_gateway.rules.rule import Finding, Prewarn, Returned, Rule, Severity, Verdict, View

_SLEPT_NS: Final = 10 * night.MINUTE  # a shorter stay is somebody who sat down, or a pad that flickers
_NIGHT_NS: Final = 8 * 60 * night.MINUTE
_BEDS: Final = 4  # names a bad device may invent any number of
_OUT: Final = "bed-exit.out."
_IN: Final = "bed-exit.in."
_SLEPT: Final = "bed-exit.slept."


def observe(seen: Seen, setting: HomeSetting, home: Home) -> None:
    """Note when a bed was taken and left; what arrives behind something newer says nothing."""
    name, at_ns, timers = seen.name, seen.at_ns, home.timers
    state = home.states.get(name)
    if seen.flag == Flag.FAIL or state is None or state.told_ns > at_ns:
        return
    if seen.value == 1.0:
        timers.pop(_OUT + name, None)
        if _IN + name not in timers and sum(1 for timer in timers if timer.startswith(_IN)) < _BEDS:
            timers[_IN + name] = at_ns
    elif seen.value == 0.0 and (taken_ns := timers.pop(_IN + name, None)) is not None:
        if at_ns - taken_ns >= _SLEPT_NS:
            timers[_SLEPT + name] = at_ns
        # Sat down on the bed for a moment and went on: still the one who got up.
        if at_ns - timers.get(_SLEPT + name, -_NIGHT_NS) < _NIGHT_NS:
            timers[_OUT + name] = at_ns


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """Beds that were left and not taken again, each with its own time."""
    home, limit_ns = watched.home, int(watched.setting.bed_exit_min * night.MINUTE)
    key = f"{RULE.name}/{home.site}/{home.place}"
    if key in view.open:
        yield from _returned(key, home, view)
    if not any(timer.startswith(_OUT) for timer in home.timers):
        return
    if not limit_ns or home.away is not None or _resting(home):
        return
    zone = words.zone(view.registry, home.site)
    for timer, out_ns in home.timers.items():
        if not timer.startswith(_OUT):
            continue
        bed = home.states.get(timer.removeprefix(_OUT))
        began_ns = night.began(watched.setting, out_ns, zone)
        due_ns = out_ns + limit_ns
        if home.life_ns >= due_ns:
            due_ns = home.life_ns + limit_ns
        if bed is None or bed.value != 0.0 or began_ns is None or night.began(watched.setting, due_ns, zone) != began_ns:
            continue
        if view.now_ns >= due_ns:
            yield from _worry(watched, view, key, out_ns, due_ns, bed)
            return


def _worry(watched: Watched, view: View, key: str, out_ns: int, due_ns: int, bed: Held) -> Iterator[Verdict]:
    may = asked(watched, view, key, max(out_ns, due_ns - int(watched.setting.bed_exit_min * night.MINUTE)))
    if isinstance(may, Prewarn):
        yield may
    if may is not True:
        return
    home, zone = watched.home, words.zone(view.registry, watched.home.site)
    seen_zh = seen_en = ""
    if home.life_ns > out_ns:
        seen_zh = f", {words.zh(home.life_ns, zone)} 以后没有动静"
        seen_en = f" and was last noticed at {words.en(home.life_ns, zone)}"
    limit_s = watched.setting.bed_exit_min * 60
    yield Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.WARNING,
        site=home.site,
        device=bed.device,
        place=home.place,
        occurred_ns=out_ns,
        text_zh=f"{home.place}: 夜里起床后没有回到床上, {words.zh(out_ns, zone)} 离床{seen_zh} "
        f"(超过 {words.span_zh(limit_s)})。请打电话, 没人接就上门看望。",
        text_en=f"{home.place}: got up at night and is not back in bed, left it at {words.en(out_ns, zone)}{seen_en} "
        f"(longer than {words.span_en(limit_s)}). Call, and go there if nobody answers.",
        evidence=proof.last(home, zone, due_ns, [(out_ns, f"bed left {bed.device}".rstrip())]),
        returns=True,
    )


def _returned(key: str, home: Home, view: View) -> Iterator[Returned]:
    taken = [state for name, state in home.states.items() if split_name(name)[0] in ("bed", "chair") and state.value == 1.0]
    left = any(timer.startswith(_OUT) for timer in home.timers)
    if taken and (not left or _resting(home)):
        at_ns = max(state.since_ns for state in taken)
        zone = words.zone(view.registry, home.site)
        yield Returned(key, at_ns, "back_in_bed", f"{words.exact(at_ns, zone)} bed or chair taken")
        return
    left_ns = max((at for timer, at in home.timers.items() if timer.startswith(_OUT)), default=0)
    if home.life_name == "cancel" and home.life_ns > left_ns:
        yield Returned(key, home.life_ns, "said_fine")


def _resting(home: Home) -> bool:
    return any(state.value == 1.0 for name, state in home.states.items() if split_name(name)[0] == "chair")


RULE: Final = Rule("bed-exit", Severity.WARNING, names=frozenset({"bed"}), observe=observe, look_home=look_home)
