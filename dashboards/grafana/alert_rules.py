"""The alert rules of Grafana: it watches the machinery and the trends. Alerts about people are the gateway's and stay there.

Grafana is the second opinion: what it says about the gateway itself, and about alerts that nobody accepts, goes out by channels
that need no gateway (`via` = `outside`), or an alert of Grafana that nobody accepts would keep itself alive.
"""

from hashlib import blake2b
from typing import Any, Final, Literal

from dashboards.grafana.alert_rule import Group, Rule, State, Threshold, as_group, file_form
from dashboards.grafana.alert_texts import ERROR, NO_DATA, NO_DATA_OF_DEVICES, SUMMARIES, TITLES
from dashboards.grafana.options import Options
from dashboards.grafana.query import GOOD, select
from dashboards.grafana.river_limits import CLASSES, LIMITS, Limits
from dashboards.grafana.text import Text

__all__ = ["RULES", "Rule", "file_form", "rule_groups", "rules"]

GATEWAY: Final = Group("kanhu-gateway", 60)
PEOPLE: Final = Group("kanhu-people", 60)
FLEET: Final = Group("kanhu-fleet", 300)
RIVER: Final = Group("kanhu-river", 300)
GROUPS: Final = (GATEWAY, PEOPLE, FLEET, RIVER)

# A gateway is silent after three of its minutes; its restart takes less than two. The last of them is the rule's wait, so that
# one question that the database did not answer, as while it restarts, alarms nobody.
SILENT_S: Final = 120
SILENT_FOR_S: Final = 60
# The others look further back, so that a restart or an update is no gap. `last` takes the newest in any case.
SEEN_S: Final = 900
GROWN_S: Final = 1800  # how long "arriving" and "dropping" are told after the last one
BATTERY_DAYS: Final = 30
RIVER_DAYS: Final = 14
_DAY: Final = 86_400

_LONGEST_UID: Final = 40  # Grafana's


def rules(options: Options) -> tuple[Rule, ...]:
    """All rules of a site."""
    silent = [_gateway_silent(gateway) for gateway in options.gateways]
    rivers = [_river(limits, options.river_class) for limits in LIMITS]
    return (*silent, *_GATEWAY_RULES, *_PEOPLE_RULES, *_FLEET_RULES, *rivers)


def rule_groups(options: Options) -> list[dict[str, Any]]:
    """All groups as the provisioning API takes them; `file_form` makes one fit for a file."""
    made = rules(options)
    return [as_group(group, made, options) for group in GROUPS]


def _why(no_data: State, error: State, days: int = 0) -> Text:
    first, second = (NO_DATA_OF_DEVICES if days else NO_DATA[no_data]), ERROR[error]
    return Text((first.zh + second.zh).replace("<days>", str(days)), f"{first.en} {second.en}".replace("<days>", str(days)))


def _rule(
    name: str,
    group: Group,
    query: str,
    threshold: Threshold,
    page: str,
    *,
    severity: Literal["warning", "notice"] = "warning",
    via: Literal["gateway", "outside"] = "gateway",
    window_s: int = SEEN_S,
    reducer: Literal["last", "sum", "min"] = "last",
    for_s: int = 0,
    keep_s: int = 0,
    days: int = 0,
) -> Rule:
    return Rule(
        name=name,
        group=group,
        title=TITLES[name],
        summary=SUMMARIES[name],
        why=_why("KeepLast", "KeepLast", days),
        severity=severity,
        via=via,
        query=query,
        window_s=window_s,
        reducer=reducer,
        threshold=threshold,
        for_s=for_s,
        page=page,
        keep_s=keep_s,
    )


def _gateway_silent(gateway: str) -> Rule:
    """One rule for each gateway: no-data acts only when every series of a rule is gone."""
    uid = f"gateway-silent-{gateway}"
    if len(f"kanhu-{uid}") > _LONGEST_UID:
        uid = f"gateway-silent-{blake2b(gateway.encode(), digest_size=8).hexdigest()}"
    title = TITLES["gateway-silent"]
    return Rule(
        name=uid,
        group=GATEWAY,
        title=Text(f"{title.zh} ({gateway})", f"{title.en} ({gateway})"),
        summary=SUMMARIES["gateway-silent"],
        why=_why("Alerting", "Alerting"),
        severity="warning",
        via="outside",
        # No tags: without data there is no series that could have any, so the gateway's name is a fixed label.
        query=select('count("outbox_entries")', "gateway", [f"\"device\" = '{gateway}'"]),
        window_s=SILENT_S,
        reducer="last",
        threshold=("lt", (1.0,)),  # never: a count is at least 1, or there is none
        for_s=SILENT_FOR_S,
        page="gateway-silent",
        no_data="Alerting",
        error="Alerting",
        labels=(("site", "kanhu"), ("device", gateway)),
    )


def _last(field: str, measurement: str, tags: tuple[str, ...] = ("site", "device"), where: tuple[str, ...] = ()) -> str:
    return select(f'last("{field}")', measurement, where, tags)


def _grown(field: str) -> str:
    """By how much a total grew from point to point. A total that begins again at 0 is no growth, and hides none after it."""
    return select(f'non_negative_difference("{field}")', "gateway", (), ("site", "device"))


_GATEWAY_RULES: Final = (
    _rule("outbox-old", GATEWAY, _last("outbox_age", "gateway"), ("gt", (900.0,)), "outbox", for_s=300, keep_s=300),
    _rule(
        "outbox-growing",
        GATEWAY,
        # The smallest of each ten minutes: an outbox that is emptied at times does not grow, however full it was. The wait, and
        # not a longer range, makes it nearly an hour: after a gap a range would hold two values that say little.
        select('difference(min("outbox_entries"))', "gateway", (), ("time(10m)", "site", "device"), "none"),
        ("gt", (0.0,)),
        "outbox",
        window_s=1800,
        reducer="min",
        for_s=1800,
    ),
    _rule(
        "database-refusing",
        GATEWAY,
        _grown("database_refused"),
        ("gt", (0.0,)),
        "database",
        window_s=GROWN_S,
        reducer="sum",
    ),
    _rule(
        "dead-letters",
        GATEWAY,
        _grown("messages_dead"),
        ("gt", (0.0,)),
        "dead-letters",
        severity="notice",
        window_s=GROWN_S,
        reducer="sum",
    ),
    _rule("broker-dropping", GATEWAY, _grown("broker_dropped"), ("gt", (0.0,)), "broker", window_s=GROWN_S, reducer="sum"),
    _rule(
        "broker-away",
        GATEWAY,
        _last("broker_connected", "gateway"),
        ("lt", (1.0,)),
        "broker",
        via="outside",
        for_s=300,
        keep_s=300,
    ),
    _rule("disk", GATEWAY, _last("disk_used", "gateway"), ("gt", (0.9,)), "disk", for_s=600, keep_s=600),
    _rule(
        "clock", GATEWAY, _last("clock_trusted", "gateway"), ("lt", (1.0,)), "clock", severity="notice", for_s=900, keep_s=600
    ),
    _rule(
        "certificate",
        GATEWAY,
        _last("certificate_left", "gateway"),
        ("lt", (21.0 * _DAY,)),
        "certificate",
        for_s=3600,
    ),
)

_PEOPLE_RULES: Final = (
    _rule(
        "notices-failing",
        PEOPLE,
        _grown("notices_failed"),
        ("gt", (0.0,)),
        "notices",
        via="outside",
        window_s=GROWN_S,
        reducer="sum",
    ),
    _rule(
        "home-unaccepted",
        PEOPLE,
        _last("home_unaccepted_age", "home", ("site", "place")),
        ("gt", (1800.0,)),
        "unaccepted",
        via="outside",
    ),
    _rule(
        "alert-unaccepted",
        PEOPLE,
        _last("alert_unaccepted_age", "gateway"),
        ("gt", (7200.0,)),
        "unaccepted",
        via="outside",
    ),
)

_FLEET_RULES: Final = (
    _rule(
        "battery",
        FLEET,
        _last("battery_level", "health", where=(f'"battery_level_flag" {GOOD}',)),
        ("lt", (20.0,)),
        "battery",
        severity="notice",
        window_s=BATTERY_DAYS * _DAY,
        days=BATTERY_DAYS,
    ),
    _rule("device-silent", FLEET, _last("overdue", "fleet"), ("gt", (1.0,)), "device-silent", severity="notice"),
    _rule(
        "sensor-silent",
        FLEET,
        # One instance for a device, its worst quantity: a device that is silent is one alert and not twenty.
        'SELECT max("worst") FROM (SELECT last("reading_overdue") AS "worst" FROM "silence" WHERE $timeFilter '
        'GROUP BY "site", "device", "channel") WHERE $timeFilter GROUP BY "site", "device"',
        ("gt", (1.0,)),
        "sensor-silent",
        severity="notice",
    ),
)


def _river(limits: Limits, river_class: int) -> Rule:
    """On readings that passed every check (flag 1) and no others."""
    least, most = limits.of(river_class)
    threshold, told = _beyond(least, most, limits.unit)
    words = {"<unit>": f" {limits.unit}".rstrip(), "<class>": CLASSES[river_class - 1], "<limit>": told}
    query = _last(limits.quantity, "water", ("site", "device", "channel"), (f'"{limits.quantity}_flag" = 1',))
    return Rule(
        name=f"river-{limits.quantity.replace('_', '-')}",
        group=RIVER,
        title=_filled(TITLES["river"], limits.name, {}),
        summary=_filled(SUMMARIES["river"], limits.name, words),
        why=_why("KeepLast", "KeepLast", RIVER_DAYS),
        severity="notice",
        via="gateway",
        query=query,
        window_s=RIVER_DAYS * _DAY,
        reducer="last",
        threshold=threshold,
        for_s=900,
        page="river",
    )


def _beyond(least: float | None, most: float | None, unit: str) -> tuple[Threshold, str]:
    if least is not None and most is not None:
        return ("outside_range", (least, most)), f"{least:g}-{most:g} {unit}".rstrip()
    if least is not None:
        return ("lt", (least,)), f"≥ {least:g} {unit}".rstrip()
    assert most is not None
    return ("gt", (most,)), f"≤ {most:g} {unit}".rstrip()


def _filled(text: Text, name: Text, words: dict[str, str]) -> Text:
    zh, en = text.zh.replace("<name>", name.zh), text.en.replace("<name>", name.en)
    for word, told in words.items():
        zh, en = zh.replace(word, told), en.replace(word, told)
    return Text(zh, en)


RULES: Final = rules(Options())
