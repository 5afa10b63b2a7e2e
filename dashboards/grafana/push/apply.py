"""The changes of a plan, in an order in which nothing names what is not there yet, and nothing goes that is still named."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from dashboards.grafana.push.change import Act, Change, Kind, Plan
from dashboards.grafana.push.client import Grafana
from dashboards.grafana.push.http import NotThere
from dashboards.grafana.push.preflight import Outcome, preflight
from edge_gateway.errors import Misconfigured, Rejected

_BEFORE_RULES: Final = (
    *((Kind.SOURCE, act) for act in (Act.MAKE, Act.CHANGE)),
    *((Kind.FOLDER, act) for act in (Act.MAKE, Act.CHANGE)),
)
_ORDER: Final = (
    *((Kind.DASHBOARD, act) for act in (Act.MAKE, Act.CHANGE)),
    *((Kind.POINT, act) for act in (Act.MAKE, Act.CHANGE)),
    (Kind.POLICY, Act.CHANGE),
    # A title is unique in its folder: an old rule goes before a new one takes its title.
    (Kind.RULE, Act.REMOVE),
    *((Kind.GROUP, act) for act in (Act.MAKE, Act.CHANGE)),
    (Kind.POINT, Act.REMOVE),
    (Kind.DASHBOARD, Act.REMOVE),
    (Kind.FOLDER, Act.REMOVE),
    (Kind.SOURCE, Act.REMOVE),
)


def apply(grafana: Grafana, plan: Plan, told: Callable[[str], None] = lambda _line: None) -> None:
    """Make the changes. After an error the same push goes on where this one stopped.

    Args:
        told: hears of each change when it is done, and of rules without data.

    Raises:
        Misconfigured: something has to be settled by a person first; nothing was changed.
        Rejected: a rule's queries do not run; data sources and folders may have been changed, no rule was.
        Unavailable: Grafana does not answer, or somebody changes the same things.
    """
    if plan.refused:
        raise Misconfigured("; ".join(plan.refused), "nothing was changed")
    for kind, act in _BEFORE_RULES:
        _do_all(grafana, plan, kind, act, told)
    if any(change.kind is Kind.GROUP for change in plan.changes):
        _try_rules(grafana, plan, told)
    for kind, act in _ORDER:
        _do_all(grafana, plan, kind, act, told)


def _do_all(grafana: Grafana, plan: Plan, kind: Kind, act: Act, told: Callable[[str], None]) -> None:
    for change in plan.changes:
        if change.kind is kind and change.act is act:
            _do(grafana, change)
            told(f"{_DONE[act]:>8} {kind} {change.title}")


def _do(grafana: Grafana, change: Change) -> None:
    if change.act is Act.REMOVE:
        with suppress(NotThere):  # gone already is what was wanted
            _REMOVE[change.kind](grafana, change.uid)
    else:
        _SAVE[change.kind](grafana, change)


def _try_rules(grafana: Grafana, plan: Plan, told: Callable[[str], None]) -> None:
    tried = preflight(grafana, plan.rules)
    failed = [one for one in tried if one.outcome is Outcome.FAILED]
    if failed:
        lines = "\n  ".join(f"{one.uid} ({one.title}): {one.detail}" for one in failed)
        raise Rejected("rules_do_not_run", f"{len(failed)} of {len(tried)}, none was saved:\n  {lines}")
    empty = [one.uid for one in tried if one.outcome is Outcome.NO_DATA]
    told(f"{'tried':>8} {len(tried)} rules" + (f"; without data now: {', '.join(empty)}" if empty else ""))


_DONE: Final = {Act.MAKE: "made", Act.CHANGE: "changed", Act.REMOVE: "removed"}
_SAVE: Final[dict[Kind, Callable[[Grafana, Change], None]]] = {
    Kind.SOURCE: lambda grafana, change: grafana.save_data_source(change.body, change.act is Act.CHANGE),
    Kind.FOLDER: lambda grafana, change: grafana.save_folder(change.uid, change.body["title"], change.act is Act.CHANGE),
    Kind.DASHBOARD: lambda grafana, change: grafana.save_dashboard(change.body, change.folder_uid),
    Kind.POINT: lambda grafana, change: grafana.save_contact_point(change.body, change.act is Act.CHANGE),
    Kind.POLICY: lambda grafana, change: grafana.save_policy(change.body),
    Kind.GROUP: lambda grafana, change: grafana.save_rule_group(change.body),
}
_REMOVE: Final[dict[Kind, Callable[[Grafana, str], None]]] = {
    Kind.SOURCE: Grafana.delete_data_source,
    Kind.FOLDER: Grafana.delete_folder,
    Kind.DASHBOARD: Grafana.delete_dashboard,
    Kind.POINT: Grafana.delete_contact_point,
    Kind.RULE: Grafana.delete_rule,
}
