"""The files from which a new Grafana sets itself up: data sources, dashboards, alert rules, contact points, policy.

Same options, same bytes. A bad file of alerting keeps Grafana from starting: the linter sees all of them before one is written.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from dashboards.grafana import alert_rules, contact_points, policies
from dashboards.grafana.lint import lint_files
from dashboards.grafana.objects import ALERTS_FOLDER, dashboards, data_sources, folders, rule_groups
from dashboards.grafana.options import Options
from dashboards.grafana.page import folder
from edge_gateway.errors import Misconfigured

Files = dict[str, bytes]  # path within the folder -> content

_PROVISIONING: Final = "provisioning"
_RULES: Final = f"{_PROVISIONING}/alerting/kanhu-rules.yml"
_LIST: Final = "kanhu-files.json"  # what was built here, so that the next build takes away what it no longer makes
_ORGANISATION: Final = 1
_POLL_S: Final = 60


def files(options: Options, environment: Mapping[str, str], before: Mapping[str, bytes] | None = None) -> Files:
    """All files by their path.

    Args:
        environment: contact points whose variables are not set in it are left out: an empty address stops Grafana.
        before: what the last build made: a rule that is no longer among ours has to be named, or Grafana keeps it.
    """
    made: Files = {}
    for placed in dashboards(options):
        name, language = placed.dashboard["uid"].removeprefix("kanhu-").rsplit("-", 1)
        made[f"dashboards/{language}/{name}.json"] = _json(placed.dashboard)
    made[f"{_PROVISIONING}/datasources/kanhu.yml"] = _yaml(_data_sources(options))
    made[f"{_PROVISIONING}/dashboards/kanhu.yml"] = _yaml(_providers(options))
    made[_RULES] = _yaml(_rules(options, (before or {}).get(_RULES, b"")))
    points = contact_points.chosen(options, environment)
    gone = _gone(before or {}, "contact_points", "contactPoints", "deleteContactPoints", {point["uid"] for point in points})
    if points or gone:
        made[_alerting("contact_points")] = _yaml(_contact_points(points, gone))
    if points:
        tree = policies.policy(options, [point["name"] for point in points])
        made[_alerting("policies")] = _yaml({"apiVersion": 1, "policies": [{"orgId": _ORGANISATION, **tree}]})
    elif _alerting("policies") in (before or {}):
        # Grafana keeps a tree that no file names any more, and it leads to contact points that are being taken away.
        made[_alerting("policies")] = _yaml({"apiVersion": 1, "resetPolicies": [_ORGANISATION]})
    return dict(sorted(made.items()))


def write(folder_: Path, options: Options, environment: Mapping[str, str]) -> list[str]:
    """Make or bring up to date the files in `folder_`; returns the paths that changed, those taken away with a `-` before them.

    Raises:
        Misconfigured: a file of that name is there and is not ours; the linter found a fault, which is ours to mend.
        OSError: the folder cannot be written.
    """
    listed = _listed(folder_)
    before = {path: (folder_ / path).read_bytes() for path in listed if (folder_ / path).is_file()}
    made = files(options, environment, before)
    if faults := lint_files(made, before, options):
        raise Misconfigured("; ".join(faults[:5]), "this is a fault of ours: please report it; nothing was written")
    if strange := [path for path in made if path not in listed and (folder_ / path).exists()]:
        raise Misconfigured(
            f"{folder_ / strange[0]} is there and was not made by this", "give an empty folder, or move it away"
        )
    changed: list[str] = []
    # The list comes first and names old and new: a build that was stopped half way is finished by the next one.
    _replace(folder_ / _LIST, _json(sorted({*listed, *made})))
    for path, content in made.items():
        if before.get(path) != content:
            _replace(folder_ / path, content)
            changed.append(path)
    for path in sorted(set(before) - set(made)):
        (folder_ / path).unlink()
        changed.append(f"-{path}")
    _replace(folder_ / _LIST, _json(sorted(made)))
    return changed


def _data_sources(options: Options) -> dict[str, Any]:
    made = []
    for source in data_sources(options):
        written = {**source, "orgId": _ORGANISATION, "editable": False}
        if options.token_file:
            written["secureJsonData"] = {"httpHeaderValue1": f"Token $__file{{{options.token_file}}}"}
        made.append(written)
    return {"apiVersion": 1, "prune": True, "datasources": made}


def _providers(options: Options) -> dict[str, Any]:
    made = []
    for language in options.languages:
        uid, title = folder(language)
        made.append(
            {
                "name": uid,
                "orgId": _ORGANISATION,
                "folder": title.of(language),
                "folderUid": uid,
                "type": "file",
                "disableDeletion": False,
                "allowUiUpdates": False,
                "updateIntervalSeconds": _POLL_S,
                "options": {"path": f"{options.files}/dashboards/{language}"},
            }
        )
    return {"apiVersion": 1, "providers": made}


def _rules(options: Options, before: bytes) -> dict[str, Any]:
    title = next(one["title"] for one in folders(options) if one["uid"] == ALERTS_FOLDER)
    groups = [alert_rules.file_form(group, title) for group in rule_groups(options)]
    ours = {rule["uid"] for group in groups for rule in group["rules"]}
    old = _read(_RULES, before)
    past = {rule["uid"] for group in old.get("groups", []) for rule in group["rules"]}
    past |= {rule["uid"] for rule in old.get("deleteRules", [])}
    written: dict[str, Any] = {"apiVersion": 1, "groups": groups}
    if gone := sorted(past - ours):
        written["deleteRules"] = [{"orgId": _ORGANISATION, "uid": uid} for uid in gone]
    return written


def _gone(before: Mapping[str, bytes], name: str, key: str, deleted: str, ours: set[str]) -> list[str]:
    """uids of what an earlier build had and this one has not."""
    old = _read(_alerting(name), before.get(_alerting(name), b""))
    past = {receiver["uid"] for point in old.get(key, []) for receiver in point["receivers"]}
    past |= {point["uid"] for point in old.get(deleted, [])}
    return sorted(past - ours)


def _contact_points(points: list[dict[str, Any]], gone: list[str]) -> dict[str, Any]:
    written: dict[str, Any] = {"apiVersion": 1}
    if points:
        written["contactPoints"] = contact_points.file_form(points)
    if gone:
        written["deleteContactPoints"] = [{"orgId": _ORGANISATION, "uid": uid} for uid in gone]
    return written


def _alerting(name: str) -> str:
    return f"{_PROVISIONING}/alerting/kanhu-{name.replace('_', '-')}.yml"


def _listed(folder_: Path) -> set[str]:
    """What the last build made here."""
    try:
        listed = json.loads((folder_ / _LIST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"cannot read {folder_ / _LIST}: {error}", "remove it, and what was built there, and build anew"
        ) from error
    return {path for path in listed if isinstance(path, str) and not Path(path).is_absolute() and ".." not in Path(path).parts}


def _replace(path: Path, content: bytes) -> None:
    """Grafana reads the folder while it runs: never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)


def _read(path: str, content: bytes) -> dict[str, Any]:
    """What an earlier build wrote: it knows what has to be taken out of Grafana now."""
    try:
        read = yaml.safe_load(content) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        read, why = None, f": {error}".replace("\n", " ")
    else:
        why = f": {type(read).__name__}"
    if not isinstance(read, dict):
        raise Misconfigured(f"cannot read {path} of the last build{why}", "bring it back, or remove the folder and build anew")
    return read


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


class _WrittenOut(yaml.SafeDumper):
    """Without `*id001` for what stands twice: nobody has tried Grafana with that."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(value: object) -> bytes:
    return yaml.dump(value, Dumper=_WrittenOut, allow_unicode=True, sort_keys=False, width=10_000).encode()
