"""What a push would change of contact points, policies and rules."""

from collections.abc import Sequence

from dashboards.grafana.push import same
from dashboards.grafana.push.change import Act, Change, Kind, Plan, gone, is_ours, lines
from dashboards.grafana.push.client import Grafana
from dashboards.grafana.push.http import PROVISIONED_HINT
from dashboards.grafana.push.wanted import LABEL, PREFIX, Json, Point, Wanted

_GRAFANAS = ("id", "provenance", "updated")  # keys of a rule that Grafana writes


def points(made: Plan, grafana: Grafana, wanted: Wanted, renew: bool) -> None:
    """Contact points, and the policies that name them."""
    there = {str(one.get("uid")): one for one in grafana.contact_points()}
    receivers = {name for point in wanted.points if (name := _point(made, grafana, point, there.get(point.body["uid"]), renew))}
    for uid in gone(filter(is_ours, there), [point.body["uid"] for point in wanted.points]):
        one = there[uid]
        if str(one.get("name", "")).startswith(PREFIX) and one.get("provenance") != "file":
            made.changes.append(Change(Kind.POINT, Act.REMOVE, uid, f"{one['name']} ({one.get('type')})"))
    _policy(made, grafana, list(wanted.routes(sorted(receivers))))


def _point(made: Plan, grafana: Grafana, point: Point, there: Json | None, renew: bool) -> str:
    """One contact point; gives its name if it will exist, else ""."""
    uid, name = point.body["uid"], point.body["name"]
    title = f"{name} ({point.body['type']})"
    if point.missing:
        # Its secret may have been given in another shell: what works is not taken away.
        made.notes.append(
            f"{Kind.POINT} {title} {'stays as it is' if there else 'is left out'}: {', '.join(point.missing)} not set"
        )
        return name if there else ""
    if there is None:
        made.changes.append(Change(Kind.POINT, Act.MAKE, uid, title, body=point.body))
        return str(name)
    differs = lines(grafana, same.points(there, point), ["secrets: sent again"] if renew and point.secret else [])
    if differs and there.get("provenance") == "file":
        made.refused.append(f"{Kind.POINT} {title}: {PROVISIONED_HINT}")
    else:
        made.settle(Change(Kind.POINT, Act.CHANGE, uid, title, differs, _beside(point.body, there)))
    return str(name)


def _beside(body: Json, there: Json) -> Json:
    """With what else is set there: a token that another shell gave reads `[REDACTED]`, by which Grafana keeps it."""
    if there.get("type") != body["type"]:
        return body
    return {**body, "settings": {**(there.get("settings") or {}), **body["settings"]}}


def _policy(made: Plan, grafana: Grafana, wanted: list[Json]) -> None:
    """Our branches of the organisation's one tree; its root and the branches of others stay."""
    tree = grafana.policy()
    branches = tree.get("routes") or []
    differs = lines(grafana, same.routes([route for route in branches if _is_our_route(route)], wanted))
    if differs and tree.get("provenance") == "file":
        made.refused.append(f"{Kind.POLICY}: {PROVISIONED_HINT}")
        return
    # In front of the others: they match on our label, so they take nothing from them.
    body = {**tree, "routes": [*wanted, *(route for route in branches if not _is_our_route(route))]}
    made.settle(Change(Kind.POLICY, Act.CHANGE, "policies", f"{len(wanted)} of ours", differs, body))


def rules(made: Plan, grafana: Grafana, wanted: Wanted, there: Sequence[Json]) -> None:
    """Rule groups, and rules that are asked for no more."""
    by_uid = {str(rule.get("uid")): rule for rule in there}
    asked = {rule["uid"] for rule in made.rules}
    for uid in sorted(asked & by_uid.keys()):
        if not _is_our_rule(by_uid[uid]):
            made.refused.append(f"alert rule {uid} ({by_uid[uid].get('title')}) has no label {LABEL}, so it is somebody else's")
    for group in wanted.rule_groups:
        _group(made, grafana, group, by_uid)
    for uid in gone((uid for uid, rule in by_uid.items() if _is_our_rule(rule)), asked):
        if by_uid[uid].get("provenance") == "file":
            made.notes.append(
                f"alert rule {uid} is asked for no more but comes from a provisioning file: see deleteRules there"
            )
        else:
            made.changes.append(Change(Kind.RULE, Act.REMOVE, uid, str(by_uid[uid].get("title", uid))))


def _group(made: Plan, grafana: Grafana, group: Json, there: dict[str, Json]) -> None:
    """One rule group; what people paused stays paused, and what they put into it stays in it."""
    title, folder_uid = group["title"], group["folderUid"]
    inside = [rule for rule in there.values() if rule.get("folderUID") == folder_uid and rule.get("ruleGroup") == title]
    paused = {rule["uid"] for rule in group["rules"] if there.get(rule["uid"], {}).get("isPaused")}
    made.notes += [f"alert rule {uid} is paused in Grafana and stays so" for uid in sorted(paused)]
    ours = [{**rule, "isPaused": True} if rule["uid"] in paused else rule for rule in group["rules"]]
    others = [{key: part for key, part in rule.items() if key not in _GRAFANAS} for rule in inside if not _is_our_rule(rule)]
    body, said = {**group, "rules": [*ours, *others]}, f"{title}, {len(ours)} rules"
    found = grafana.rule_group(folder_uid, title) if inside else None
    if found is None:
        made.changes.append(Change(Kind.GROUP, Act.MAKE, title, said, body=body))
        return
    differs = lines(grafana, _group_differs(found, group, there))
    touched = [*inside, *(there[rule["uid"]] for rule in ours if rule["uid"] in there)]
    if differs and any(rule.get("provenance") == "file" for rule in touched):
        made.refused.append(f"rule group {title}: {PROVISIONED_HINT}")
        return
    made.settle(Change(Kind.GROUP, Act.CHANGE, title, said, differs, body))


def _group_differs(found: Json, group: Json, there: dict[str, Json]) -> list[same.Difference]:
    every = same.Difference("interval", found.get("interval"), group["interval"])
    differs = [every] if every.there != every.wanted else []
    for rule in group["rules"]:
        has = there.get(rule["uid"])
        parts = [same.Difference("rule", None, rule["title"])] if has is None else same.rules(has, rule)
        differs += [part._replace(path=f"{rule['uid']} {part.path}") for part in parts]
    return differs


def _is_our_rule(rule: Json) -> bool:
    return is_ours(str(rule.get("uid", ""))) and LABEL in (rule.get("labels") or {})


def _is_our_route(route: Json) -> bool:
    return any(matcher and matcher[0] == LABEL for matcher in route.get("object_matchers") or [])
