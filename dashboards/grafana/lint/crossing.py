"""What the files of a build say about each other, and about those of the build before."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from dashboards.grafana.lint.dashboard import panels_of
from dashboards.grafana.lint.links import targets_of
from dashboards.grafana.lint.query import KANHU, ROLLUPS, SOURCES
from dashboards.grafana.lint.shape import Json, like
from dashboards.grafana.options import Options

if TYPE_CHECKING:
    from dashboards.grafana.lint.files import Build

# What a secret may be in a file: read by Grafana from a file or from its environment, never written out.
_SECRET: Final = re.compile(r"(?:Token |Bearer )?(?:\$__file\{[^}]+\}|\$__env\{[A-Z0-9_]+\}|\$\{?KANHU_[A-Z0-9_]+\}?)")

_RUNBOOK: Final = "kanhu-runbook"
_MADE: Final = re.compile(r'\bAS "[^"]*"')  # a column's name may be a word of the language


def lint_crossing(build: "Build", before: "Build", options: Options) -> list[str]:
    """Of files that are whole each by itself."""
    return [
        *_source_faults(build, options),
        *_provider_faults(build),
        *_dashboard_faults(build),
        *_rule_faults(build, options),
        *_gone_faults(build, before),
    ]


def _source_faults(build: "Build", options: Options) -> Iterator[str]:
    wanted = {KANHU: options.bucket, ROLLUPS: f"{options.bucket}_rollups"}
    uids = [source["uid"] for source in build.sources]
    yield from _twice(uids, "data sources have the uid")
    yield from _twice([source["name"] for source in build.sources], "data sources are called")
    for uid in sorted(SOURCES - set(uids)):
        yield f"there is no data source {uid!r}, which the dashboards ask"
    for source in build.sources:
        said = f"data source {source['uid']!r}"
        if source["type"] != "influxdb" or source["uid"] not in SOURCES:
            yield f"{said}: must be influxdb, with uid {' or '.join(sorted(SOURCES))}"
        elif source["jsonData"]["dbName"] != wanted[source["uid"]]:
            yield f"{said}: asks {source['jsonData']['dbName']!r}, the database is {wanted[source['uid']]!r}"
        if source["url"] != options.influx_url:
            yield f"{said}: url {source['url']!r} is not {options.influx_url!r}"
        for key, value in source.get("secureJsonData", {}).items():
            if _SECRET.fullmatch(value) is None:
                yield f"{said}: {key}: a secret stands in the file; it must be $__file{{...}} or a variable of the environment"
        for key in _expanded({name: held for name, held in source.items() if name != "secureJsonData"}):
            yield f"{said}: {key}: Grafana takes $ in a file for a variable of its environment; write $$"
        if ("httpHeaderName1" in source["jsonData"]) != ("httpHeaderValue1" in source.get("secureJsonData", {})):
            yield f"{said}: httpHeaderName1 and httpHeaderValue1 go together"
    if sum(bool(source.get("isDefault")) for source in build.sources) > 1:
        yield "two data sources are the default"


def _expanded(held: Json, where: str = "") -> Iterator[str]:
    """Where a text holds a single `$`."""
    if isinstance(held, dict):
        for key, one in held.items():
            yield from _expanded(one, f"{where}.{key}" if where else str(key))
    elif isinstance(held, str) and "$" in held.replace("$$", ""):
        yield where


def _provider_faults(build: "Build") -> Iterator[str]:
    yield from _twice([provider["name"] for provider in build.providers], "providers of dashboards are called")
    yield from _twice([provider["folderUid"] for provider in build.providers], "providers fill the folder")
    places = [provider["options"]["path"].rstrip("/") for provider in build.providers]
    for provider in build.providers:
        for key in _expanded(provider):
            yield f"provider {provider['name']!r}: {key}: Grafana takes $ in a file for a variable of its environment; write $$"
        if provider["disableDeletion"]:
            yield f"provider {provider['name']!r}: disableDeletion keeps dashboards whose files are gone"
    for path in build.dashboards:
        folder = path.rpartition("/")[0]
        holders = [place for place in places if place == folder or place.endswith(f"/{folder}")]
        if len(holders) != 1:
            yield f"{path}: {len(holders)} providers read {folder!r}; it must be one"
    for place in places:
        if not any(place.endswith(path.rpartition("/")[0]) for path in build.dashboards):
            yield f"a provider reads {place!r}, where no dashboard is built"


def _dashboard_faults(build: "Build") -> Iterator[str]:
    by_uid = {str(dashboard["uid"]): dashboard for dashboard in build.dashboards.values()}
    yield from _twice([str(dashboard["uid"]) for dashboard in build.dashboards.values()], "dashboards have the uid")
    folders = {path.rpartition("/")[0] for path in build.dashboards}
    for folder in sorted(folders):
        held = [one["title"] for path, one in build.dashboards.items() if path.rpartition("/")[0] == folder]
        yield from _twice(held, f"dashboards of {folder!r} are called")
    for path, dashboard in build.dashboards.items():
        leads = {lead.uid.rpartition("-")[0] for lead in targets_of(dashboard)}
        if not {_RUNBOOK} & {*leads, dashboard["uid"].rpartition("-")[0]}:
            yield f"{path}: no panel leads to the runbook, {_RUNBOOK}"
        for fault in _target_faults(dashboard, by_uid):
            yield f"{path}: {fault}"
        language = dashboard["uid"].rpartition("-")[2]
        for lead in targets_of(dashboard):
            if lead.uid in by_uid and not lead.uid.endswith(f"-{language}"):
                yield f"{path}: leads to {lead.uid}, which is in the other language"
        for link in dashboard.get("links", []):
            if link.get("type") == "dashboards" and not any(set(link["tags"]) <= set(one["tags"]) for one in by_uid.values()):
                yield f"{path}: link {link['title']!r}: no dashboard has the tags {link['tags']}"
        twin = by_uid.get(f"{dashboard['uid'].removesuffix('-zh')}-en") if language == "zh" else None
        if twin is not None and _bones(dashboard) != _bones(twin):
            yield f"{path}: is not the same as {twin['uid']} but for its words: {_first_difference(dashboard, twin)}"


def _target_faults(held: Json, by_uid: dict[str, Json]) -> Iterator[str]:
    for lead in sorted(set(targets_of(held))):
        found = by_uid.get(lead.uid)
        if found is None:
            yield f"a link leads to the dashboard {lead.uid!r}, which is not built; {like(lead.uid, frozenset(by_uid))}"
            continue
        if lead.panel and int(lead.panel) not in {one["id"] for one in panels_of(found)}:
            yield f"a link leads to panel {lead.panel} of {lead.uid}, which has none"
        known = frozenset(variable["name"] for variable in found["templating"]["list"])
        for name in lead.variables:
            if name not in known:
                yield f"a link sets {name!r} of {lead.uid}, which has no such variable and ignores it; {like(name, known)}"


def _bones(dashboard: Json) -> list[tuple[str, str]]:
    """What has to be the same in every language: variables, panels, places and queries."""
    variables = [("variable", str((one["name"], one["query"]))) for one in dashboard["templating"]["list"]]
    marks = [
        ("annotation", str(one.get("target", {}).get("query"))) for one in dashboard.get("annotations", {}).get("list", [])
    ]
    panels = [
        (
            f"panel {one['id']}",
            str(
                (
                    one["type"],
                    one["gridPos"],
                    [(target["refId"], _MADE.sub("AS", target["query"])) for target in one.get("targets", [])],
                )
            ),
        )
        for one in panels_of(dashboard)
    ]
    return [*variables, *marks, *panels]


def _first_difference(one: Json, other: Json) -> str:
    mine, theirs = _bones(one), _bones(other)
    for left, right in zip(mine, theirs, strict=False):
        if left != right:
            return left[0]
    return f"{len(mine)} against {len(theirs)} variables, annotations and panels"


def _rule_faults(build: "Build", options: Options) -> Iterator[str]:
    rules = [rule for group in build.groups for rule in group["rules"]]
    yield from _twice([rule["uid"] for rule in rules], "rules have the uid")
    for folder in sorted({group["folder"] for group in build.groups}):
        held = [group for group in build.groups if group["folder"] == folder]
        yield from _twice([group["name"] for group in held], f"groups of {folder!r} are called")
        yield from _twice([rule["title"] for group in held for rule in group["rules"]], f"rules of {folder!r} are called")
        if "/" in folder:
            yield f"group folder {folder!r}: Grafana takes / for a folder within a folder"
    by_uid = {str(dashboard["uid"]): dashboard for dashboard in build.dashboards.values()}
    for rule in rules:
        address = rule["annotations"]["runbook_url"].removeprefix(options.grafana_url.rstrip("/"))
        for fault in _target_faults({"url": address}, by_uid):
            yield f"rule {rule['uid']!r}: {fault}"


def _gone_faults(build: "Build", before: "Build") -> Iterator[str]:
    here = {
        "deleteRules": {rule["uid"] for group in build.groups for rule in group["rules"]},
        "deleteContactPoints": {way["uid"] for point in build.points for way in point["receivers"]},
        "deleteMuteTimes": {timing["name"] for timing in build.timings},
    }
    past = {
        "deleteRules": {rule["uid"] for group in before.groups for rule in group["rules"]},
        "deleteContactPoints": {way["uid"] for point in before.points for way in point["receivers"]},
        "deleteMuteTimes": {timing["name"] for timing in before.timings},
    }
    for key, ours in here.items():
        named = "name" if key == "deleteMuteTimes" else "uid"
        deleted = {one[named] for one in build.deleted.get(key, [])}
        earlier = {one[named] for one in before.deleted.get(key, [])}
        for one in sorted(deleted & ours):
            yield f"{key}: {one!r} is also among ours: it would be made and taken away at each start"
        # Also what an earlier build deleted: a Grafana that was off then still has it.
        for one in sorted((past[key] | earlier) - ours - deleted):
            yield f"{key}: {one!r} was in the build before and is not in this one: Grafana keeps it until it is named here"
    if before.policies and not build.policies and not build.deleted.get("resetPolicies"):
        yield "resetPolicies: the build before had a policy, this one has none: Grafana would keep it, with contact points gone"


def _twice(names: Sequence[str], said: str) -> Iterator[str]:
    for one in sorted({one for one in names if names.count(one) > 1}):
        yield f"two {said} {one!r}"
