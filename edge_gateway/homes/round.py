"""The morning round: the homes of one community in the order in which somebody should go there, each with its reason.

Pure. What a person has to be told of is an alert already; the round adds what is no alert yet: who is quiet for long, whose
rooms are hot while a heat wave is on, whom nobody has seen today.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import IntEnum
from typing import Final

from edge_gateway.alerts.alert import Alert
from edge_gateway.events import Flag, split_name
from edge_gateway.homes import learn, selftest
from edge_gateway.homes.home import Away, Home, Past
from edge_gateway.homes.said import ELDER, EQUIPMENT, SEEN_AT, SEEN_BY
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.privacy import consent
from edge_gateway.registry import Registry
from edge_gateway.rules.emergency import FIRST
from edge_gateway.rules.rule import Severity
from edge_gateway.rules.words import en, local, span_en, span_zh, zh
from edge_gateway.state import DeviceState

_SECOND: Final = 10**9
_HOUR_NS: Final = 3600 * _SECOND
_FRESH_NS: Final = 3 * _HOUR_NS  # a temperature that is older says nothing of now
# facts of heat and cold: somebody looks in about twice a day.
_LOOK_IN_NS: Final = 12 * _HOUR_NS
_QUIET: Final = 0.5  # of the limit: worth a word before anybody is called

Words = tuple[str, str]  # zh, en


class Rank(IntEnum):
    """How soon somebody should go; the lower is first."""

    NOW = 0  # a person may be in danger, and nobody has accepted it
    ASKING = 1  # the home asks this minute whether all is well
    WORRY = 2  # something about the person
    WEATHER = 3  # an emergency is on, and nobody has looked in lately
    TAKEN = 4  # urgent, and somebody deals with it
    CHECK = 5  # quiet for long, or something about the devices
    FINE = 6  # life was seen as usual
    SEEN = 7  # a person said so today
    AWAY = 8
    PAUSED = 9  # by the elder, or nobody agreed


@dataclass(frozen=True, slots=True)
class Row:
    """One home in the round.

    Attributes:
        why: the reason in one sentence first, then what else is to be known; (zh, en) each.
        since_ns: since when the reason holds; 0: no time belongs to it.
        alerts: ids of its open alerts, the most urgent first.
        accepted_by: who deals with the first of them.
        life_ns, life_name: the last sign of life; 0: none was ever seen.
        seen_ns, seen_by: when a person last said that all is well.
        celsius: warmest room (in a cold emergency the coldest), as far as it is fresh.
        soft: nothing urgent is open: "seen, fine" is enough.
        device: everything that is open is about a device, not about the person.
        first: what is open is what the emergency makes dangerous.
    """

    site: str
    place: str
    rank: Rank
    why: tuple[Words, ...]
    since_ns: int = 0
    alerts: tuple[str, ...] = ()
    accepted_by: str = ""
    life_ns: int = 0
    life_name: str = ""
    seen_ns: int = 0
    seen_by: str = ""
    celsius: float | None = None
    soft: bool = True
    device: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a site at one moment.

    Attributes:
        settings, homes, limits: by place.  limits: learned longest silence of each hour, seconds.
        alerts: open ones, of any site.
        warmth: place -> temperatures of its rooms, Celsius, fresh and believable ones only.
        emergency: heat, cold, flood, outage; "" none.
        consent_required: no home is watched before its person agreed; else until he no longer does.
    """

    site: str
    settings: Mapping[str, HomeSetting]
    homes: Mapping[str, Home]
    alerts: Sequence[Alert]
    now_ns: int
    zone: tzinfo
    limits: Mapping[str, Sequence[float]] = field(default_factory=dict)
    warmth: Mapping[str, Sequence[float]] = field(default_factory=dict)
    emergency: str = ""
    consent_required: bool = False


def morning_round(facts: Facts) -> list[Row]:
    """Every home of the site, whom to visit first at the top. Also places that are no homes while a person may need help."""
    by_place: dict[str, list[Alert]] = {}
    for alert in facts.alerts:
        if alert.site == facts.site and alert.place and not alert.test:
            by_place.setdefault(alert.place, []).append(alert)
    others = [place for place, found in by_place.items() if any(a.severity is not Severity.NOTICE for a in found)]
    rows = [_row(facts, place, by_place.get(place, [])) for place in dict.fromkeys([*facts.settings, *others])]
    return sorted(rows, key=lambda row: _order(facts, row))


def everywhere(alerts: Iterable[Alert], site: str) -> list[Alert]:
    """Open alerts that are of no single home: of the whole site, or of the gateway itself."""
    return [alert for alert in alerts if not alert.place and not alert.test and alert.site in (site, "")]


def warmth(devices: Mapping[str, DeviceState], registry: Registry, site: str, now_ns: int) -> dict[str, list[float]]:
    """Temperatures of the rooms of each place; a value outside its range, or an old one, says nothing."""
    found: dict[str, list[float]] = {}
    for id_, known in devices.items():
        device = registry.find(site, id_)
        if device is None or not device.place:
            continue
        for name, latest in known.latest.items():
            fresh = -_HOUR_NS < now_ns - latest.time_ns < _FRESH_NS and latest.flag != Flag.FAIL
            if split_name(name)[0] == "temperature" and fresh and isinstance(latest.value, float):
                found.setdefault(device.place, []).append(latest.value)
    return found


def without_place(text: str, place: str) -> str:
    """An alert's text without the place that stands above it."""
    return text.removeprefix(f"{place}: ").removeprefix(f"{place}：")


def _row(facts: Facts, place: str, alerts: Sequence[Alert]) -> Row:
    home, now_ns = facts.homes.get(place) or Home(facts.site, place), facts.now_ns
    warm = facts.warmth.get(place, ())
    celsius = (min(warm) if facts.emergency == "cold" else max(warm)) if warm else None
    seen_ns = home.timers.get(SEEN_AT, 0)
    rank, why, since_ns = _reason(facts, place, home, alerts, celsius, seen_ns)
    extra = [(without_place(a.text_zh, place), without_place(a.text_en, place)) for a in alerts]
    warm_room = celsius if rank is not Rank.WEATHER else None  # said already
    told = tuple(dict.fromkeys([*([why] if why[0] else []), *extra, *_more(facts, place, home, warm_room)]))
    return Row(
        facts.site,
        place,
        rank,
        told,
        since_ns,
        tuple(alert.id for alert in alerts),
        alerts[0].accepted_by if alerts else "",
        home.life_ns,
        home.life_name,
        seen_ns if seen_ns <= now_ns else 0,
        str(home.notes.get(SEEN_BY, "")),
        celsius,
        all(alert.severity is not Severity.URGENT for alert in alerts),
        bool(alerts) and all(alert.rule in EQUIPMENT for alert in alerts),
        any(alert.rule in FIRST.get(facts.emergency, ()) for alert in alerts),
    )


def _reason(
    facts: Facts, place: str, home: Home, alerts: Sequence[Alert], celsius: float | None, seen_ns: int
) -> tuple[Rank, Words, int]:
    """The one reason that puts a home where it stands."""
    now_ns = facts.now_ns
    urgent = [alert for alert in alerts if alert.urgent]
    unanswered = [alert for alert in urgent if alert.unanswered]
    if unanswered:
        return Rank.NOW, _text(unanswered[0]), unanswered[0].occurred_ns
    if home.asked is not None and now_ns < home.asked.ends_ns:
        return Rank.ASKING, ("正在家里询问是否平安", "the home is asking whether all is well"), home.asked.asked_ns
    # The person before his devices.
    worries = sorted(
        (alert for alert in alerts if alert.severity is Severity.WARNING), key=lambda alert: alert.rule in EQUIPMENT
    )
    if worries and not urgent:
        return Rank.WORRY, _text(worries[0]), worries[0].occurred_ns
    if urgent:
        return Rank.TAKEN, _text(urgent[0]), urgent[0].occurred_ns
    if not consent.given(home, facts.consent_required):
        return Rank.PAUSED, ("没有知情同意, 不看护", "no consent, not watched"), 0
    if home.pause is not None and now_ns < home.pause.until_ns:
        end_ns = home.pause.until_ns
        until_zh, until_en = zh(end_ns, facts.zone), en(end_ns, facts.zone)
        told = f"已暂停到 {until_zh} ({home.pause.by} 登记)", f"paused until {until_en} (noted by {home.pause.by})"
        if home.pause.by == ELDER:
            told = f"老人自己按键暂停到 {until_zh}", f"paused by the elder's own button until {until_en}"
        return Rank.PAUSED, told, home.pause.since_ns
    if home.away is not None and (not home.away.until_ns or now_ns < home.away.until_ns):
        return Rank.AWAY, _gone(home.away, facts.zone), home.away.since_ns
    if facts.emergency and now_ns - seen_ns >= _LOOK_IN_NS:
        return Rank.WEATHER, _emergency(facts.emergency, celsius), 0
    if alerts:
        return Rank.CHECK, _text(alerts[0]), alerts[0].occurred_ns
    return _quiet(facts, place, home, seen_ns)


def _quiet(facts: Facts, place: str, home: Home, seen_ns: int) -> tuple[Rank, Words, int]:
    """Nothing is open: how long was it quiet, and did a person say that all is well?"""
    setting, now_ns = _setting(facts, place), facts.now_ns
    stands = selftest.standing(home, now_ns, setting)
    if stands.state == "unprotected":
        return Rank.CHECK, (stands.why_zh, stands.why_en), stands.since_ns
    if not home.life_ns:
        return Rank.CHECK, ("还没有收到过动静", "no sign of life yet"), home.since_ns
    # Not `evidence.start_ns`: that a home was registered an hour ago is no sign of life.
    start_ns = max(home.life_ns, home.timers.get("evidence.from", 0))
    quiet_s = (now_ns - start_ns) / _SECOND
    limit = learn.limit_s(Past(limits_s=list(facts.limits.get(place, ()))), setting, start_ns, str(facts.zone))
    if quiet_s >= _QUIET * limit:
        limit_zh, limit_en = f", 满 {span_zh(limit)}会询问", f"; asked after {span_en(limit)}"
        if quiet_s >= limit:
            limit_zh = limit_en = ""
        return Rank.CHECK, (f"已 {span_zh(quiet_s)}没有动静{limit_zh}", f"quiet for {span_en(quiet_s)}{limit_en}"), start_ns
    if seen_ns and local(seen_ns, facts.zone).date() == local(now_ns, facts.zone).date():
        return Rank.SEEN, ("今天看过了, 平安", "seen today, fine"), seen_ns
    return Rank.FINE, ("和平时一样", "as usual"), home.life_ns


def _more(facts: Facts, place: str, home: Home, celsius: float | None) -> Iterable[Words]:
    """What else who goes there should know."""
    if not consent.given(home, facts.consent_required):
        yield "没有知情同意; 紧急按钮仍然有效", "no consent; the SOS button still works"
    if home.pause is not None and facts.now_ns < home.pause.until_ns:
        yield "已暂停, 紧急按钮仍然有效", "paused; the SOS button still works"
    if celsius is not None:
        setting = _setting(facts, place)
        if celsius > setting.heat[0] or celsius < setting.cold[0]:
            yield f"室温 {celsius:.0f} °C", f"room at {celsius:.0f} °C"


def _order(facts: Facts, row: Row) -> tuple[int, bool, bool, float, int, str]:
    """Within a rank: a person before a device, in an emergency the hottest or coldest rooms, else whoever waits longest."""
    heat = 0.0
    if facts.emergency == "heat":
        heat = -(row.celsius if row.celsius is not None else _UNKNOWN_HEAT)
    elif facts.emergency == "cold":
        heat = row.celsius if row.celsius is not None else _UNKNOWN_COLD
    if row.rank not in (Rank.WORRY, Rank.WEATHER, Rank.CHECK):
        heat = 0.0
    since_ns = row.life_ns if row.rank in (Rank.WEATHER, Rank.FINE, Rank.CHECK) else row.since_ns
    return row.rank, row.device and row.rank is not Rank.WEATHER, not row.first, heat, since_ns, row.place


# Where nobody knows how warm it is: after those that are known to be bad, before those that are known to be well.
_UNKNOWN_HEAT: Final = 28.0
_UNKNOWN_COLD: Final = 17.0

RANKS: Final[Mapping[Rank, Words]] = {
    Rank.NOW: ("紧急", "urgent"),
    Rank.ASKING: ("正在询问", "asking"),
    Rank.WORRY: ("要去看", "go and see"),
    Rank.WEATHER: ("应急走访", "emergency round"),
    Rank.TAKEN: ("有人接手", "accepted"),
    Rank.CHECK: ("留意", "keep an eye"),
    Rank.FINE: ("和平时一样", "as usual"),
    Rank.SEEN: ("今天看过了", "seen today"),
    Rank.AWAY: ("外出", "away"),
    Rank.PAUSED: ("不看护", "not watched"),
}
AWAY: Final[Mapping[str, Words]] = {
    "out": ("外出", "out"),
    "pressed": ("外出 (本人按键)", "out (pressed at home)"),
    "daughter": ("在女儿家", "at the daughter's"),
    "long": ("长期外出", "away for long"),
}
EMERGENCY: Final[Mapping[str, Words]] = {
    "heat": ("高温", "heat wave"),
    "cold": ("寒潮", "cold spell"),
    "flood": ("洪水", "flood"),
    "outage": ("停电或断网", "outage"),
}


def _gone(away: Away, zone: tzinfo) -> Words:
    """Where, and until when, if anybody said so."""
    where_zh, where_en = AWAY[away.kind]
    if not away.until_ns:
        return where_zh, where_en
    return f"{where_zh}, 到 {zh(away.until_ns, zone)}", f"{where_en} until {en(away.until_ns, zone)}"


def _emergency(kind: str, celsius: float | None) -> Words:
    name_zh, name_en = EMERGENCY[kind]
    warm = kind in ("heat", "cold") and celsius is not None
    where_zh, where_en = (f", 室温 {celsius:.0f} °C", f", room at {celsius:.0f} °C") if warm else ("", "")
    return f"{name_zh}期间 12 小时内没有人看过{where_zh}", f"{name_en}: nobody looked in for 12 h{where_en}"


def _setting(facts: Facts, place: str) -> HomeSetting:
    return facts.settings.get(place) or HomeSetting(facts.site, place)


def _text(alert: Alert) -> Words:
    return without_place(alert.text_zh, alert.place), without_place(alert.text_en, alert.place)
