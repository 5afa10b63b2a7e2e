"""Silence: a device that should have spoken did not. Many at one site, or behind one receiver, are one alert with one cause.

Only time in which the gateway was listening counts: a gateway that was down, or a broker that was away, accuses nobody. Nor is
anybody told of what is off on purpose: a home that has paused (but not its SOS button), one in which a technician works, one
that a person said is empty until a day that has not come.
"""

from bisect import bisect_right
from collections.abc import Collection, Generator, Iterator, Mapping
from typing import Final, NamedTuple

from edge_gateway.events import split_name
from edge_gateway.registry import Device, Registry
from edge_gateway.rules import words
from edge_gateway.rules.paused import MAINTENANCE
from edge_gateway.rules.rule import Finding, HomesSeen, Returned, Rule, Severity, Verdict, View

SITE_DEVICES: Final = 5  # fewer silent devices than this are never taken for a silent site
# A device this many cadences behind is likely silent too; waiting for each one's own limit would raise thirty alerts first.
_LATE_CADENCES: Final = 1.5
# Devices that stopped together differ by at most one cadence in their last word; two allow for one lost message.
_TOGETHER_CADENCES: Final = 2.0
_VIA: Final = "via/"  # no device has such an id
_NAMED: Final = 12  # homes or devices a message lists


class _Expected(NamedTuple):
    """A device and how long it has been quiet while the gateway was listening."""

    device: Device
    since_ns: int  # monotonic: last heard, or since when it could have been
    quiet_s: float

    @property
    def silent(self) -> bool:
        return self.quiet_s > self.device.silence_s

    @property
    def late(self) -> bool:
        return self.quiet_s > min(self.device.silence_s, _LATE_CADENCES * self.device.cadence_s)


def look(view: View) -> Iterator[Verdict]:
    """Devices and sites that fell silent, and the open alerts whose devices are heard again."""
    yield from _devices_returned(view)
    if view.listening_since_ns is None:
        return
    for site, expected in _expected(view, view.listening_since_ns).items():
        covered = yield from _receivers(view, site, expected)
        expected = [one for one in expected if one.device.id not in covered]
        together = _fell_together(expected) if any(one.silent for one in expected) else []
        if _site_key(site) in view.open:
            if not together and (heard_ns := _site_heard_ns(view, expected)):
                # The rest has its whole time again from now (see `watch`): it speaks within a cadence, or is named then.
                yield Returned(_site_key(site), _wall_ns(view, heard_ns), "heard_again")
                continue
        elif together:
            yield _site_finding(view, site, together, len(expected))
        covered = {one.device.id for one in together}
        for one in expected:
            if one.silent and one.device.id not in covered and _device_key(one.device) not in view.open:
                yield _device_finding(view, one)


def _expected(view: View, listening_since_ns: int) -> dict[str, list[_Expected]]:
    """The devices of each site in which something is silent or was; 20,000 quiet homes must cost next to nothing a second."""
    sites: dict[str, list[_Expected]] = {}
    concerned = {_site_in(key) for key in view.open}
    heard, added, now_ns = view.heard, view.expected, view.monotonic_ns
    since: list[tuple[Device, int]] = []
    for key, device in view.registry.devices.items():
        if device.silence_s <= 0 or is_off(device, view.homes):
            continue
        since_ns = max(heard.get(key, 0), added.get(key, 0), listening_since_ns)
        since.append((device, since_ns))
        if now_ns - since_ns > device.silence_s * 1e9:
            concerned.add(device.site)
    for device, since_ns in since:
        if device.site in concerned:
            sites.setdefault(device.site, []).append(_Expected(device, since_ns, (now_ns - since_ns) / 1e9))
    return sites


def is_off(device: Device, homes: HomesSeen) -> bool:
    """Off on purpose, until the pause or the absence ends. An SOS button has to work in a pause too, but not in repairs."""
    where = (device.site, device.place)
    if where in homes.absent:
        return True
    reason = homes.paused.get(where) if device.place else None
    return reason is not None and (reason == MAINTENANCE or not _carries_sos(device))


def _receivers(view: View, site: str, expected: list[_Expected]) -> Generator[Verdict, None, set[str]]:
    """Receivers that carry nothing any more; returns the devices whose silence is theirs."""
    behind: dict[str, list[_Expected]] = {}
    for one in expected:
        if one.device.via:
            behind.setdefault(one.device.via, []).append(one)
    dead = {via: gone for via, members in behind.items() if (gone := _gone_with(via, members, expected))}
    if len(dead) > 1 and _fell_together(expected):
        dead = {}  # several at once have a cause of their own: that of the site
    covered: set[str] = set()
    for via, members in behind.items():
        key = _receiver_key(site, via)
        if via in dead:
            covered |= {one.device.id for one in dead[via]}
            yield _receiver_finding(view, site, via, dead[via])
        elif key in view.open:
            heard = [at for one in members if (at := view.heard.get(one.device.key, -1)) >= (view.listening_since_ns or 0)]
            if 2 * len(heard) > len(members):
                yield Returned(key, _wall_ns(view, max(heard)), "heard_again")
            covered |= {via, *(one.device.id for one in members)}
    return covered


def _gone_with(via: str, members: list[_Expected], expected: list[_Expected]) -> list[_Expected]:
    """What a receiver that is silent itself took along; one that is no device is known by all behind it stopping together."""
    late = [one for one in members if one.late]
    itself = next((one for one in expected if one.device.id == via), None)
    if itself is not None:
        return [*late, itself] if itself.silent and late else []
    together = len(late) == len(members) > 1 and any(one.silent for one in late) and len(_fell_together(late, 2)) == len(late)
    return late if together else []


def _fell_together(expected: list[_Expected], least: int = SITE_DEVICES) -> list[_Expected]:
    """The late devices that stopped at one moment, if they outnumber those that were heard after it."""
    together: list[_Expected] = []
    order = sorted(one.since_ns for one in expected)
    late = sorted((one for one in expected if one.late), key=lambda one: one.since_ns, reverse=True)
    while len(late) >= least:
        moment_ns = late[0].since_ns
        group = [one for one in late if (moment_ns - one.since_ns) / 1e9 <= _TOGETHER_CADENCES * one.device.cadence_s]
        heard_after = len(order) - bisect_right(order, moment_ns)
        if len(group) >= least and len(group) > heard_after and any(one.silent for one in group):
            together += group
        left = {one.device.id for one in group}
        late = [one for one in late if one.device.id not in left]
    return together


def _devices_returned(view: View) -> Iterator[Returned]:
    """Open alerts of this rule whose device was heard, or whose device or site is no longer expected. Not being silent is not
    enough: after a restart nothing has been heard, and nothing is silent yet."""
    for key in view.open:
        rule, _, rest = key.partition("/")
        if rule != RULE.name:
            continue
        site, _, device_id = rest.partition("/")
        if not device_id:
            if not any(device.site == site and device.silence_s > 0 for device in view.registry.devices.values()):
                yield Returned(key, view.now_ns, "not_expected")
            continue
        if device_id.startswith(_VIA):
            if not any(d.site == site and d.via == device_id.removeprefix(_VIA) for d in view.registry.devices.values()):
                yield Returned(key, view.now_ns, "not_expected")
            continue
        device = view.registry.find(site, device_id)
        if device is None or device.silence_s <= 0:
            yield Returned(key, view.now_ns, "not_expected")
        elif _heard_now(view.heard, device, view.monotonic_ns):
            yield Returned(key, _wall_ns(view, view.heard[device.key]), "heard_again")


def _site_heard_ns(view: View, expected: list[_Expected]) -> int:
    """When the site last spoke (monotonic), if most of its devices were heard since the gateway listens; else 0."""
    since_ns = view.listening_since_ns or 0
    heard = [at_ns for one in expected if (at_ns := view.heard.get(one.device.key, -1)) >= since_ns]
    return max(heard) if 2 * len(heard) > len(expected) else 0


def _heard_now(heard: Mapping[tuple[str, str], int], device: Device, monotonic_ns: int) -> bool:
    last_ns = heard.get(device.key)
    return last_ns is not None and (monotonic_ns - last_ns) / 1e9 <= device.silence_s


def _device_finding(view: View, one: _Expected) -> Finding:
    device = one.device
    zone = words.zone(view.registry, device.site)
    since_ns = _wall_ns(view, one.since_ns)
    where = f"{device.place} ({device.id})" if device.place else device.id
    sos = _carries_sos(device)
    if device.key in view.heard:
        text_zh = f"{where}: 设备失联, {words.zh(_wall_ns(view, view.heard[device.key]), zone)} 以后没有消息"
        text_en = f"{where}: device silent since {words.en(_wall_ns(view, view.heard[device.key]), zone)}"
    else:
        text_zh = f"{where}: 没有收到过消息, 网关从 {words.zh(since_ns, zone)} 起在等"
        text_en = f"{where}: not heard, the gateway has been waiting since {words.en(since_ns, zone)}"
    text_zh += f" (平时每 {words.span_zh(device.cadence_s)}一次)。"
    text_en += f" (normally every {words.span_en(device.cadence_s)}). "
    if sos:
        text_zh += "它带紧急按钮, 现在按了也收不到: 请联系住家。"
        text_en += "Its SOS button does not reach us now: call the home. "
    return Finding(
        key=_device_key(device),
        rule=RULE.name,
        severity=Severity.WARNING if sos else Severity.NOTICE,
        site=device.site,
        device=device.id,
        place=device.place,
        occurred_ns=since_ns,
        text_zh=text_zh + "请检查电源、电池和网络。",
        text_en=text_en + "Check power, battery and network.",
        evidence=(f"{words.exact(since_ns, zone)} last heard {device.id}",),
        returns=True,
    )


def _receiver_finding(view: View, site: str, via: str, gone: list[_Expected]) -> Finding:
    zone = words.zone(view.registry, site)
    since_ns = _wall_ns(view, max(one.since_ns for one in gone))
    places = sorted({one.device.place for one in gone if one.device.place})
    listed = ", ".join(places[:_NAMED]) + (f" (+{len(places) - _NAMED})" if len(places) > _NAMED else "")
    return Finding(
        key=_receiver_key(site, via),
        rule=RULE.name,
        severity=Severity.WARNING,
        site=site,
        device=via,
        place="",
        occurred_ns=since_ns,
        text_zh=f"{site}: 接收器 {via} 失联, {words.zh(since_ns, zone)} 以后它后面的设备都没有消息。"
        f"请检查它的电源和网络; 这些地方现在没有保护: {listed}。",
        text_en=f"{site}: receiver {via} is silent, nothing behind it was heard since {words.en(since_ns, zone)}. "
        f"Check its power and network; unprotected now: {listed}.",
        evidence=(f"{words.exact(since_ns, zone)} last heard {len(gone)} devices by {via}",),
        returns=True,
    )


def _site_finding(view: View, site: str, together: list[_Expected], total: int) -> Finding:
    zone = words.zone(view.registry, site)
    since_ns = _wall_ns(view, max(one.since_ns for one in together))
    places = sorted({one.device.place or one.device.id for one in together})
    listed = ", ".join(places[:_NAMED])
    more = len(places) - _NAMED
    text_zh = (
        f"{site}: {len(together)} 台设备一起失联 (共 {total} 台), {words.zh(since_ns, zone)} 以后没有消息。"
        f"多半是同一个原因: 停电、网络或接收器。先查站点; 这些地方现在没有保护: {listed}"
    )
    text_en = (
        f"{site}: {len(together)} of {total} devices fell silent together at {words.en(since_ns, zone)}. "
        f"Most likely one cause: power, network or receiver. Check the site first; unprotected now: {listed}"
    )
    return Finding(
        key=_site_key(site),
        rule=RULE.name,
        severity=Severity.WARNING,
        site=site,
        device="",
        place="",
        occurred_ns=since_ns,
        text_zh=text_zh + (f" 等 {len(places)} 处。" if more > 0 else "。"),
        text_en=text_en + (f" and {more} more." if more > 0 else "."),
        evidence=(f"{words.exact(since_ns, zone)} last heard {len(together)} of {total} devices",),
        returns=True,
    )


def _carries_sos(device: Device) -> bool:
    return device.model == "elder_home" or any(split_name(name)[0] == "sos" for name in device.measures)


def _wall_ns(view: View, monotonic_ns: int) -> int:
    return view.now_ns - (view.monotonic_ns - monotonic_ns)


def covered_by(key: str, registry: Registry) -> Collection[tuple[str, str]]:
    """The devices that the alert of a site or a receiver spoke for; none for a key of one device or of another rule."""
    rule, _, rest = key.partition("/")
    site, _, which = rest.partition("/")
    if rule != RULE.name or (which and not which.startswith(_VIA)):
        return ()
    via = which.removeprefix(_VIA)
    return [d.key for d in registry.devices.values() if d.site == site and (not which or via in (d.via, d.id))]


def _site_in(key: str) -> str:
    """The site whose alert, or the alert of one of whose receivers, has this key."""
    rule, _, rest = key.partition("/")
    site, _, which = rest.partition("/")
    return site if rule == RULE.name and (not which or which.startswith(_VIA)) else ""


def _receiver_key(site: str, via: str) -> str:
    return f"{RULE.name}/{site}/{_VIA}{via}"


def _site_key(site: str) -> str:
    return f"{RULE.name}/{site}"


def _device_key(device: Device) -> str:
    return f"{RULE.name}/{device.site}/{device.id}"


RULE: Final = Rule("silence", Severity.WARNING, look=look)
