"""Contact points, policies and mute timings: a fault in one of their files keeps Grafana from starting."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from dashboards.grafana.lint.alert_keys import API_POINT, FILE_POINT, FILE_POLICY, MUTE_TIMING, ROUTE, SETTINGS
from dashboards.grafana.lint.rule import LONGEST_UID
from dashboards.grafana.lint.shape import Json, faults, like, short
from dashboards.grafana.lint.times import seconds
from dashboards.grafana.options import Options

_UID: Final = re.compile(r"kanhu-[a-z0-9-]+")
_VARIABLE: Final = re.compile(r"\$(?:KANHU_[A-Z0-9_]+|\{KANHU_[A-Z0-9_]+\})")
# What only one who knows it may use: an address of a robot is a password as well.
_SECRET: Final = frozenset(
    "url addresses endpointurl secret password authorization_credentials clientKey corp_id agent_id".split()  # noqa: SIM905
)
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
# Alerts about missing data and errors have these labels of the rule, and none of the series.
ROUTED_BY: Final = frozenset({"kanhu", "kanhu_rule", "severity", "via"})
_SPANS: Final = ("group_wait", "group_interval", "repeat_interval")


def lint_contact_points(points: Sequence[Json]) -> list[str]:
    """Of contact points in the form of the API: several with one name are one contact point with several ways."""
    found: list[str] = []
    for point in points:
        broken = list(faults(point, API_POINT))
        called = f"contact point {point.get('uid') if isinstance(point, dict) else point!r}"
        found += [f"{called}: {fault}" for fault in broken or _way_faults(point)]
    return found + _twice([str(point.get("uid")) for point in points if isinstance(point, dict)], "contact points have the uid")


def lint_contact_files(points: Sequence[Json]) -> list[str]:
    """Of `contactPoints:` of a file."""
    found: list[str] = []
    ways: list[Json] = []
    for point in points:
        broken = list(faults(point, FILE_POINT))
        called = f"contact point {point.get('name') if isinstance(point, dict) else point!r}"
        found += [f"{called}: {fault}" for fault in broken]
        if broken:
            continue
        if not point["receivers"]:
            found.append(f"{called}: tells nobody")
        for way in point["receivers"]:
            found += [f"{called}, {way['uid']}: {fault}" for fault in _way_faults({**way, "name": point["name"]})]
            ways.append(way)
    found += _twice([str(point.get("name")) for point in points if isinstance(point, dict)], "contact points are called")
    return found + _twice([str(way["uid"]) for way in ways], "contact points have the uid")


def lint_policy(tree: Json, receivers: Sequence[str], timings: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Of a policy tree as it stands in a file.

    Args:
        receivers: names of the contact points that there are.  timings: of the mute timings.
        labels: that our rules have.
    """
    broken = list(faults(tree, FILE_POLICY))
    return [f"policy: {fault}" for fault in broken or _route_faults(tree, receivers, timings, labels, root=True)]


def lint_routes(routes: Sequence[Json], receivers: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Of branches alone, as a push puts them before those of others."""
    found: list[str] = []
    for at, route in enumerate(routes):
        broken = list(faults(route, ROUTE))
        found += [f"routes[{at}]: {fault}" for fault in broken or _route_faults(route, receivers, (), labels)]
    return found


def lint_mute_timing(timing: Json, options: Options) -> list[str]:
    """Of a mute timing."""
    broken = list(faults(timing, MUTE_TIMING))
    called = f"mute timing {timing.get('name') if isinstance(timing, dict) else timing!r}"
    found = [f"{called}: {fault}" for fault in broken]
    for span in [] if broken else timing["time_intervals"]:
        if span["location"] != options.zone:
            found.append(f"{called}: location {span['location']!r} is not the site's zone, {options.zone!r}")
        for one in span.get("times", []):
            if not (_TIME.fullmatch(one["start_time"]) and _TIME.fullmatch(one["end_time"])):
                found.append(f"{called}: {one} are no times such as 22:00")
            elif one["start_time"] >= one["end_time"]:
                found.append(f"{called}: {one} does not end after it begins; a night is two spans")
    return found


def _way_faults(way: Json) -> Iterator[str]:
    if _UID.fullmatch(way["uid"]) is None or len(way["uid"]) > LONGEST_UID:
        yield f"uid {way['uid']!r} must be kanhu-<name>, at most {LONGEST_UID} characters"
    if not way["name"].strip():
        yield "has no name"
    known = SETTINGS.get(way["type"])
    if known is None:
        yield f"type {way['type']!r}: Grafana does not start with an unknown one; {like(way['type'], SETTINGS)}"
        return
    yield from faults(way["settings"], known, "settings")
    if way["type"] == "wecom" and not {"url", "secret"} & way["settings"].keys():
        yield "settings: needs the url of a robot, or secret, agent_id and corp_id"
    yield from _secret_faults(way["settings"], "settings")


def _secret_faults(settings: Json, where: str) -> Iterator[str]:
    for key, value in settings.items():
        here = f"{where}.{key}"
        if isinstance(value, dict):
            yield from _secret_faults(value, here)
        elif not isinstance(value, str):
            continue
        elif key in _SECRET and _VARIABLE.fullmatch(value) is None:
            # The value itself is not shown: it may be the secret.
            yield f"{here}: stands in the file; it must be a variable, $KANHU_..., of Grafana's environment"
        elif "$" in _VARIABLE.sub("", value):
            yield f"{here}: Grafana takes $ in a file for a variable of its environment: {short(value)}"


def _route_faults(
    route: Json, receivers: Sequence[str], timings: Sequence[str], labels: Sequence[str], root: bool = False
) -> Iterator[str]:
    receiver = route.get("receiver")
    if receiver not in receivers and (root or receiver is not None):
        known = like(str(receiver), frozenset(receivers))
        yield f"receiver {receiver!r} is no contact point: Grafana does not start with it; {known}"
    for key in _SPANS:
        if key in route and not seconds(route[key]):
            yield f"{key} {route[key]!r} is no span such as 30s, 5m or 4h"
    for key in ("mute_time_intervals", "active_time_intervals"):
        for name in route.get(key, []):
            if name not in timings:
                yield f"{key}: there is no mute timing {name!r}, and Grafana does not start with it"
    matchers = route.get("object_matchers", [])
    if root and matchers:
        yield "object_matchers: the root takes everything"
    if not root and not matchers:
        yield "has no object_matchers, so it takes everybody's alerts"
    for matcher in matchers:
        yield from _matcher_faults(matcher, labels)
    for at, branch in enumerate(route.get("routes", [])):
        broken = list(faults(branch, ROUTE))
        yield from (f"routes[{at}]: {fault}" for fault in broken or _route_faults(branch, receivers, timings, labels))


def _matcher_faults(matcher: Json, labels: Sequence[str]) -> Iterator[str]:
    if len(matcher) != 3 or matcher[1] not in ("=", "!=", "=~", "!~"):
        yield f"matcher {matcher!r}: must be [label, = or != or =~ or !~, value]"
        return
    name, sign, value = matcher
    if name not in ROUTED_BY or name not in labels:
        yield f"matcher {name!r}: alerts about missing data have only labels of the rule; {like(name, ROUTED_BY & set(labels))}"
    if "$" in value:
        yield f"matcher {name!r}: Grafana takes $ in a file for a variable of its environment"
    if sign in ("=~", "!~"):
        try:
            re.compile(value)
        except re.error as error:
            yield f"matcher {name!r}: {value!r} is no pattern: {error}"


def _twice(names: Sequence[str], said: str) -> list[str]:
    return [f"two {said} {one!r}" for one in sorted({one for one in names if names.count(one) > 1})]
