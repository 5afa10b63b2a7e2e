"""SOS: somebody pressed the button. One alert per home until a person closes it, however often or late it is pressed."""

from collections.abc import Iterator
from typing import Final

from edge_gateway.events import Event, TimeQuality, split_name
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Rule, Severity, View

# From here on the two times, pressed and arrived, are both told.
_LATE_NS: Final = 60 * 1_000_000_000


def judge(event: Event, view: View) -> Iterator[Finding]:
    """A press is a finding, also when it is old or its value is missing or nonsense; only a release (0.0) says nothing."""
    pressed = [reading.value for reading in event.values if split_name(reading.name)[0] == "sos" and reading.value != 0.0]
    if not pressed:
        return
    where = event.place or event.device
    zone = words.zone(view.registry, event.site)
    late = abs(event.received_ns - event.time_ns) > _LATE_NS
    about = event.time_quality == TimeQuality.RECEIPT
    pressed_zh = ("约 " if about else "") + words.zh(event.time_ns, zone)
    pressed_en = ("about " if about else "") + words.en(event.time_ns, zone)
    if late:
        pressed_zh += f" 按下, {words.zh(event.received_ns, zone)} 才收到"
        pressed_en = f"pressed at {pressed_en}, arrived at {words.en(event.received_ns, zone)}"
    else:
        pressed_zh += " 按下"
        pressed_en = f"pressed at {pressed_en}"
    doubt_zh = doubt_en = ""
    if 1.0 not in pressed:
        doubt_zh, doubt_en = "消息不完整, 请当作真的处理。", " The message is damaged: treat it as real."
    if view.registry.find(event.site, event.device) is None:
        doubt_zh += "这台设备没有登记, 请查明在哪里。"
        doubt_en += " Nobody has registered this device: find out where it is."
    yield Finding(
        key=f"sos/{event.site}/{where}",
        rule=RULE.name,
        severity=Severity.URGENT,
        site=event.site,
        device=event.device,
        place=event.place,
        occurred_ns=event.time_ns,
        text_zh=f"{where}: 紧急求助, {pressed_zh}。请马上打电话或上门。{doubt_zh}",
        text_en=f"{where}: SOS {pressed_en}. Call or go there now.{doubt_en}",
        evidence=(f"{words.exact(event.time_ns, zone)} sos {event.device} ({event.boot}/{event.seq})",),
        anew=True,
        event=(event.boot, event.seq) if event.seq else None,
    )


RULE: Final = Rule("sos", Severity.URGENT, kinds=frozenset({"sos"}), judge=judge)
