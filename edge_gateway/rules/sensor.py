"""Sensors: a device is heard, but a sensor of it is silent, broken, beyond range or stuck. One notice a device, to technicians.

Ends when every sensor of the device was seen to be well again in this run of the gateway.
"""

from collections.abc import Iterator
from typing import Final

from edge_gateway import sensor_words
from edge_gateway.rules import words
from edge_gateway.rules.rule import Fault, Finding, Returned, Rule, Severity, Verdict, View

CAUSES: Final = {
    "missing": ("没有数据", "silent while the device is heard"),
    "never": ("从来没有数据", "never heard of"),
    "broken": ("设备说传感器坏了", "broken, the device says so itself"),
    "out_of_range": ("没有可信的数值", "without a believable value"),
    "stuck": ("数值卡住", "stuck"),
}
_NAMED: Final = 5


def look(view: View) -> Iterator[Verdict]:
    """Devices with a sensor that cannot be relied on, and those that are well again."""
    for key in view.open:
        rule, _, rest = key.partition("/")
        if rule != RULE.name:
            continue
        site, _, device = rest.partition("/")
        if view.registry.find(site, device) is None:
            yield Returned(key, view.now_ns, "not_expected")
        elif view.faulty.get((site, device)) == ():
            yield Returned(key, view.now_ns, "well_again")
    for (site, device), faults in view.faulty.items():
        if faults:
            yield _finding(view, site, device, faults)


def _finding(view: View, site: str, device: str, faults: tuple[Fault, ...]) -> Finding:
    zone = words.zone(view.registry, site)
    known = view.registry.find(site, device)
    place = known.place if known is not None else ""
    where = f"{place} ({device})" if place else device
    told_zh = [f"{_called(f.name, 0)} {CAUSES[f.cause][0]} ({words.zh(f.since_ns, zone)} 起)" for f in faults[:_NAMED]]
    told_en = [f"{_called(f.name, 1)} {CAUSES[f.cause][1]} (since {words.en(f.since_ns, zone)})" for f in faults[:_NAMED]]
    more_zh, more_en = (f" 等 {len(faults)} 个", f" and {len(faults) - _NAMED} more") if len(faults) > _NAMED else ("", "")
    return Finding(
        key=f"{RULE.name}/{site}/{device}",
        rule=RULE.name,
        severity=Severity.NOTICE,
        site=site,
        device=device,
        place=place,
        occurred_ns=max(fault.since_ns for fault in faults),
        text_zh=f"{where}: 设备在线, 但是{'; '.join(told_zh)}{more_zh}。请检查传感器和接线。",
        text_en=f"{where}: the device is heard, but {'; '.join(told_en)}{more_en}. Check the sensor and its wires.",
        evidence=tuple(_evidence(fault, words.exact(fault.since_ns, zone)) for fault in faults[:_NAMED]),
        returns=True,
    )


def _called(name: str, language: int) -> str:
    """In words, with the name by which a technician finds it."""
    called = sensor_words.reading(name)[language]
    return called if called == name else f"{called} [{name}]"


def _evidence(fault: Fault, since: str) -> str:
    value = f" {fault.value:g}" if isinstance(fault.value, float) else ""
    return f"{since} {fault.name} {fault.cause}{value}"


RULE: Final = Rule("sensor", Severity.NOTICE, look=look)
