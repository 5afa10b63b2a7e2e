"""All files of one build together: each is known, what one names is in another, and what an earlier build had is taken away."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from dashboards.grafana.lint import crossing
from dashboards.grafana.lint.dashboard import lint_dashboard
from dashboards.grafana.lint.file_keys import ALERTING, DATA_SOURCES, PROVIDERS
from dashboards.grafana.lint.notify import lint_contact_files, lint_mute_timing, lint_policy
from dashboards.grafana.lint.rule import lint_rule_group
from dashboards.grafana.lint.shape import Json, faults
from dashboards.grafana.options import Options

_ALERTING_KEYS: Final = frozenset(ALERTING.known) - {"apiVersion"}


@dataclass(slots=True)
class Build:
    """What the files of a build hold, by kind."""

    dashboards: dict[str, Json] = field(default_factory=dict)  # path -> dashboard
    sources: list[Json] = field(default_factory=list)
    providers: list[Json] = field(default_factory=list)
    groups: list[Json] = field(default_factory=list)
    points: list[Json] = field(default_factory=list)
    policies: list[Json] = field(default_factory=list)
    timings: list[Json] = field(default_factory=list)
    deleted: dict[str, list[Json]] = field(default_factory=dict)  # key of the file -> entries
    faults: list[str] = field(default_factory=list)


def lint_files(
    files: Mapping[str, bytes], before: Mapping[str, bytes] | None = None, options: Options | None = None
) -> list[str]:
    """What is wrong with the files of a build, a line each.

    Args:
        files: path -> content.
        before: those of the build that lies there now: what it had and this one has not must be deleted by name.
    """
    chosen = options or Options()
    build = read_build(files)
    found = list(build.faults)
    for path, dashboard in build.dashboards.items():
        found += [f"{path}: {fault}" for fault in lint_dashboard(dashboard, chosen)]
    for group in build.groups:
        found += [f"group {group.get('name')!r}: {fault}" for fault in lint_rule_group(group, "file", chosen)]
    found += lint_contact_files(build.points)
    for timing in build.timings:
        found += lint_mute_timing(timing, chosen)
    # What stands wrong by itself is told first; across files only what is whole can be compared.
    if not found:
        found += _policy_faults(build)
        found += crossing.lint_crossing(build, read_build(before or {}), chosen)
    return found


def read_build(files: Mapping[str, bytes]) -> Build:
    """The files by kind; what cannot be read is in `faults`."""
    build = Build()
    for path in sorted(files):
        for fault in _take(build, path, files[path]):
            build.faults.append(f"{path}: {fault}")
    return build


def _take(build: Build, path: str, content: bytes) -> Iterator[str]:
    try:
        text = content.decode("utf-8")
        held = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        yield f"cannot be read, and Grafana does not start with such a file: {' '.join(str(error).split())}"
        return
    if not isinstance(held, dict) or not path.endswith((".json", ".yml", ".yaml")):
        yield "is no file that Grafana reads: .json of a dashboard, .yml or .yaml of provisioning"
    elif path.endswith(".json"):
        build.dashboards[path] = held
    elif "datasources" in held or "deleteDatasources" in held:
        broken = list(faults(held, DATA_SOURCES))
        yield from broken
        build.sources += [] if broken else held["datasources"]
        if held.get("prune") is not True:
            yield "prune is not true: a data source that is taken out of the file would stay"
    elif "providers" in held:
        broken = list(faults(held, PROVIDERS))
        yield from broken
        build.providers += [] if broken else held["providers"]
    elif _ALERTING_KEYS & held.keys():
        yield from _take_alerting(build, held)
    else:
        yield f"holds nothing that Grafana reads: {', '.join(map(str, held))}"
    if not path.endswith(".json") and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
        yield "refers to another place of itself (*id001): nobody has tried Grafana with that; write it out"
    if not path.endswith(".json") and isinstance(held, dict) and held.get("apiVersion") != 1:
        yield f"apiVersion {held.get('apiVersion')!r}: must be 1"


def _take_alerting(build: Build, held: Json) -> Iterator[str]:
    broken = list(faults(held, ALERTING))
    yield from broken
    if broken:
        return
    for key, kept in (
        ("groups", build.groups),
        ("contactPoints", build.points),
        ("policies", build.policies),
        ("muteTimes", build.timings),
    ):
        kept += held.get(key, [])
    for key in ("deleteRules", "deleteContactPoints", "deleteMuteTimes", "resetPolicies"):
        build.deleted.setdefault(key, []).extend(held.get(key, []))


def _policy_faults(build: Build) -> Iterator[str]:
    receivers = [point["name"] for point in build.points]
    timings = [timing["name"] for timing in build.timings]
    rules = [rule for group in build.groups for rule in group["rules"]]
    # A branch may rely only on labels that every rule has.
    labels = set.intersection(*(set(rule["labels"]) for rule in rules)) if rules else set()
    for tree in build.policies:
        yield from lint_policy(tree, receivers, timings, sorted(labels))
    if len(build.policies) > 1:
        yield "there are two policies, and an organisation has one"
