"""Smoke and gas: the contact of a certified detector in a home. Urgent, and only a person ends it.

We read its contact and are no detector ourselves. A test button closes the same contact: such an alert is closed with the
reason `test`, which is the record of the monthly proof; when the contact was active last is kept (`detectors.<kind>`).
A detector in the lane of events is judged at once; one that tells its state beside other readings with the next look.
"""

from collections.abc import Iterator
from typing import Final

from edge_gateway import sensor_words
from edge_gateway.events import Event, Flag, split_name
from edge_gateway.homes.home import Home, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Rule, Severity, Verdict, View

_LATE_NS: Final = 60 * 10**9
_ON: Final = "detectors.on."
_MOST: Final = 32  # active at once, of one device, which may invent any number of channels
_WORDS: Final = {
    "smoke": (
        "烟雾探测器报警",
        "请马上打电话, 没人接就打 119 并派人去。",
        "the contact of the smoke detector is closed",
        "Call now; if nobody answers call 119 and send somebody.",
    ),
    "gas": (
        "燃气探测器报警",
        "请马上打电话: 不开关电器, 开窗, 到屋外去; 没人接就打 119 并派人去。",
        "the contact of the gas detector is closed",
        "Call now: touch no switch, open the windows, leave the home. If nobody answers call 119 and send somebody.",
    ),
}
_TEST_ZH: Final = "如果是有人按了探测器的测试键, 请以 test 为原因处理完毕。"
_TEST_EN: Final = " If somebody pressed the detector's test button, close this with the reason test."


def judge(event: Event, view: View) -> Iterator[Finding]:
    """A contact that closed, also long ago; one that opened again is evidence; a message that cannot be read is no alarm."""
    zone = words.zone(view.registry, event.site)
    where = event.place or event.device
    for reading in event.values:
        kind = split_name(reading.name)[0]
        if kind not in _WORDS:
            continue
        key = f"{kind}/{event.site}/{where}"
        number = f"({event.boot}/{event.seq})"
        at = words.exact(event.time_ns, zone)
        if reading.value == 1.0 and reading.flag != Flag.FAIL:
            late = abs(event.received_ns - event.time_ns) > _LATE_NS
            evidence = f"{at} {reading.name} active {event.device} {number}"
            received_ns = event.received_ns if late else event.time_ns
            identity = (event.boot, event.seq)
            yield _finding(
                view, kind, key, event.site, event.device, event.place, event.time_ns, received_ns, evidence, identity
            )
        elif reading.value == 0.0 and key in view.open:
            evidence = f"{at} {reading.name} no longer active {event.device} {number}"
            yield _finding(view, kind, key, event.site, event.device, event.place, event.time_ns, event.time_ns, evidence, None)
        elif reading.value not in (0.0, 1.0):
            yield _unreadable(view, event, reading.name, where, f"{at} {reading.name} unreadable {event.device} {number}")


def observe(seen: Seen, setting: HomeSetting, home: Home) -> None:
    """When each kind was active last, and since when it is where it is told as a state.

    Kept as `detectors.on.<name>.<device>`: two detectors may have one name, and the one at rest does not speak for the other.
    """
    if seen.flag == Flag.FAIL or seen.value not in (0.0, 1.0):
        return
    kind, timers = split_name(seen.name)[0], home.timers
    if seen.value == 1.0:
        timers[f"detectors.{kind}"] = max(timers.get(f"detectors.{kind}", 0), seen.at_ns)
    if seen.event:
        return
    on = f"{_ON}{seen.name}.{seen.device}"
    if seen.value == 1.0:
        if sum(timer.startswith(_ON) and timer.endswith(f".{seen.device}") for timer in timers) < _MOST:
            timers.setdefault(on, seen.at_ns)
    elif seen.at_ns >= timers.get(on, seen.at_ns):
        timers.pop(on, None)


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """Detectors that are active and told it beside other readings."""
    home = watched.home
    if not any(f"detectors.{kind}" in home.timers for kind in _WORDS):
        return  # none was ever active
    zone = words.zone(view.registry, home.site)
    for timer, since_ns in home.timers.items():
        if timer.startswith(_ON):
            name, _, device = timer.removeprefix(_ON).rpartition(".")
            kind = split_name(name)[0]
            if kind in _WORDS:
                key = f"{kind}/{home.site}/{home.place}"
                evidence = f"{words.exact(since_ns, zone)} {name} active {device}"
                yield _finding(view, kind, key, home.site, "", home.place, since_ns, since_ns, evidence, None)


def _finding(
    view: View,
    kind: str,
    key: str,
    site: str,
    device: str,
    place: str,
    at_ns: int,
    received_ns: int,
    evidence: str,
    event: tuple[int, int] | None,
) -> Finding:
    zone = words.zone(view.registry, site)
    what_zh, do_zh, what_en, do_en = _WORDS[kind]
    where = place or device
    when_zh, when_en = words.zh(at_ns, zone), words.en(at_ns, zone)
    if received_ns != at_ns:
        when_zh += f" 触发, {words.zh(received_ns, zone)} 才收到"
        when_en += f", arrived at {words.en(received_ns, zone)}"
    return Finding(
        key=key,
        rule=kind,
        severity=Severity.URGENT,
        site=site,
        device=device,
        place=place,
        occurred_ns=at_ns,
        text_zh=f"{where}: {what_zh}, {when_zh}。{do_zh}{_TEST_ZH}",
        text_en=f"{where}: {what_en} since {when_en}. {do_en}{_TEST_EN}",
        evidence=(evidence,),
        anew=event is not None,
        event=event,
    )


def _unreadable(view: View, event: Event, name: str, where: str, evidence: str) -> Finding:
    zone = words.zone(view.registry, event.site)
    name_zh, name_en = sensor_words.reading(name)
    return Finding(
        key=f"detector/{event.site}/{where}",
        rule="detector",
        severity=Severity.WARNING,
        site=event.site,
        device=event.device,
        place=event.place,
        occurred_ns=event.time_ns,
        text_zh=f"{where}: 探测器 ({name_zh}) {words.zh(event.time_ns, zone)} 的消息读不出来, 不知道是不是报警。"
        "请打电话确认, 并让技术人员检查探测器。",
        text_en=f"{where}: the message of a detector ({name_en}) at {words.en(event.time_ns, zone)} cannot be read, "
        "nobody knows whether it is an alarm. Call the home, and have the detector checked.",
        evidence=(evidence,),
        anew=True,
    )


RULE: Final = Rule(
    "detectors",
    Severity.URGENT,
    kinds=frozenset(_WORDS),
    judge=judge,
    names=frozenset(_WORDS),
    observe=observe,
    look_home=look_home,
    through_pause=True,
)
