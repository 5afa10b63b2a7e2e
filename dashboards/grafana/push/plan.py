"""What a push would change: only reads, and leaves alone what is not ours.

Ours is what has a uid of ours and our mark: the tag `kanhu` on a dashboard, the label `kanhu` on a rule, the name of a contact
point, a matcher on that label in a policy. What has our uid without the mark belongs to somebody else, and the push stops.
"""

from collections.abc import Sequence

from dashboards.grafana.objects import Placed
from dashboards.grafana.push import plan_alerts, same
from dashboards.grafana.push.change import Act, Change, Kind, Plan, gone, is_ours, lines, sealed
from dashboards.grafana.push.client import TAG, Grafana
from dashboards.grafana.push.http import PROVISIONED_HINT
from dashboards.grafana.push.wanted import Json, Source, Wanted

# Of a data source somebody may have set more than we do; a replaced one keeps it.
_KEPT = ("isDefault", "user", "basicAuth", "basicAuthUser", "withCredentials", "database")


def plan(grafana: Grafana, wanted: Wanted, renew_secrets: bool = False) -> Plan:
    """Compare what is there with what should be.

    Args:
        renew_secrets: send tokens and passwords again; Grafana shows none, so a changed one is not seen.

    Raises:
        Unavailable, Misconfigured, Rejected: as the calls do.
    """
    made = Plan(rules=[rule for group in wanted.rule_groups for rule in group["rules"]])
    for source in wanted.sources:
        _source(made, grafana, source, renew_secrets)
    _old_sources(made, grafana, wanted)
    for placed in wanted.dashboards:
        _dashboard(made, grafana, placed)
    _old_dashboards(made, grafana, wanted)
    plan_alerts.points(made, grafana, wanted, renew_secrets)
    rules = grafana.rules()
    plan_alerts.rules(made, grafana, wanted, rules)
    for folder in wanted.folders:
        _folder(made, grafana, folder)
    _old_folders(made, grafana, wanted, rules)
    return made


def _source(made: Plan, grafana: Grafana, source: Source, renew: bool) -> None:
    uid, name = source.body["uid"], source.body["name"]
    there = grafana.data_source(uid)
    if there is None:
        made.changes.append(Change(Kind.SOURCE, Act.MAKE, uid, name, body=sealed(source.body, source.secret)))
        return
    if there.get("type") != source.body["type"]:
        made.refused.append(f"data source {uid} is of type {there.get('type')}: somebody else's; give it another uid")
        return
    differs = lines(grafana, same.sources(there, source))
    if there.get("readOnly"):
        # A file may hold the data source while the rest is pushed: an object has one owner, not a Grafana.
        if differs:
            made.notes.append(f"data source {uid} comes from a provisioning file and stays as it is ({'; '.join(differs)})")
        made.same += 1
        return
    differs += ("secret: sent again",) if renew and source.secret else ()
    kept = {key: there[key] for key in _KEPT if key in there}
    settings = {**(there.get("jsonData") or {}), **source.body["jsonData"]}
    about = {key: part for key, part in source.body.items() if key != "isDefault"}
    body = sealed({**kept, **about, "jsonData": settings}, source.secret)
    made.settle(Change(Kind.SOURCE, Act.CHANGE, uid, name, differs, body))


def _old_sources(made: Plan, grafana: Grafana, wanted: Wanted) -> None:
    for uid in gone(wanted.known_sources, [source.body["uid"] for source in wanted.sources]):
        there = grafana.data_source(uid)
        if there is not None and there.get("type") == "influxdb" and not there.get("readOnly"):
            made.changes.append(Change(Kind.SOURCE, Act.REMOVE, uid, str(there.get("name", uid))))


def _dashboard(made: Plan, grafana: Grafana, placed: Placed) -> None:
    folder_uid, body = placed
    uid, title = body["uid"], body["title"]
    found = grafana.dashboard(uid)
    if found is None:
        made.changes.append(Change(Kind.DASHBOARD, Act.MAKE, uid, title, body=body, folder_uid=folder_uid))
        return
    there, meta = found.get("dashboard") or {}, found.get("meta") or {}
    if TAG not in (there.get("tags") or []):
        hint = f"has no tag {TAG}, so it is somebody else's; save it under another uid"
        made.refused.append(f"dashboard {uid} ({there.get('title')}) {hint}")
        return
    moved = same.Difference("folder", meta.get("folderUid"), folder_uid)
    differs = lines(grafana, [*([moved] if moved.there != moved.wanted else []), *same.dashboards(there, body)])
    if differs and meta.get("provisioned"):
        made.refused.append(f"dashboard {uid}: {PROVISIONED_HINT}")
        return
    made.settle(Change(Kind.DASHBOARD, Act.CHANGE, uid, title, differs, body, folder_uid))


def _old_dashboards(made: Plan, grafana: Grafana, wanted: Wanted) -> None:
    titles = {str(hit.get("uid")): str(hit.get("title", "")) for hit in grafana.tagged()}
    for uid in gone(filter(is_ours, titles), [body["uid"] for _, body in wanted.dashboards]):
        found = grafana.dashboard(uid)
        if found is not None and (found.get("meta") or {}).get("provisioned"):
            made.notes.append(f"dashboard {uid} is asked for no more but comes from a provisioning file: remove it there")
        elif found is not None:
            made.changes.append(Change(Kind.DASHBOARD, Act.REMOVE, uid, titles[uid]))


def _folder(made: Plan, grafana: Grafana, folder: Json) -> None:
    uid, title = folder["uid"], folder["title"]
    there = grafana.folder(uid)
    if there is None:
        made.changes.append(Change(Kind.FOLDER, Act.MAKE, uid, title, body=folder))
        return
    renamed = same.Difference("title", there.get("title"), title)
    differs = lines(grafana, [renamed] if renamed.there != renamed.wanted else [])
    made.settle(Change(Kind.FOLDER, Act.CHANGE, uid, title, differs, folder))


def _old_folders(made: Plan, grafana: Grafana, wanted: Wanted, rules: Sequence[Json]) -> None:
    """A folder that is asked for no more goes only when nothing of others is in it: Grafana removes it with what it holds."""
    removed = {change.uid for change in made.changes if change.act is Act.REMOVE}
    for uid in gone(wanted.known_folders, [folder["uid"] for folder in wanted.folders]):
        there = grafana.folder(uid)
        if there is None:
            continue
        inside = {str(one.get("uid")) for one in grafana.in_folder(uid)}
        inside |= {str(rule.get("uid")) for rule in rules if rule.get("folderUID") == uid}
        if others := sorted(inside - removed):
            made.notes.append(f"folder {uid} is asked for no more and stays: others are in it ({', '.join(others[:5])})")
        else:
            made.changes.append(Change(Kind.FOLDER, Act.REMOVE, uid, str(there.get("title", uid))))
