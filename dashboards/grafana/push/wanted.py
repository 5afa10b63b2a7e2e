"""What should be in a Grafana, with this site's secrets filled in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dashboards.grafana import contact_points, objects, policies
from dashboards.grafana.contact_points import filled, variables
from dashboards.grafana.lint import lint_contact_points, lint_dashboard, lint_routes, lint_rule_group
from dashboards.grafana.objects import Placed
from dashboards.grafana.options import Options
from dashboards.grafana.query import KANHU, ROLLUPS
from dashboards.grafana.text import Language

Json = dict[str, Any]
Login = str | tuple[str, str]

PREFIX: Final = "kanhu"  # of every uid and contact point name of ours
LABEL: Final = "kanhu"  # of every rule of ours; policies match on it
_HEADER: Final = "httpHeaderName1"


@dataclass(frozen=True, slots=True)
class Point:
    """One contact point.

    Attributes:
        body: as the interface takes it; secrets filled in, unless `missing` names variables that are not set.
        secret: settings whose value comes from the environment and is never shown.
    """

    body: Json
    missing: tuple[str, ...] = ()
    secret: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Source:
    """One data source; `secret` is what Grafana seals, {} when this shell knows none."""

    body: Json
    secret: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that should be there; empty parts mean that what we once made is removed.

    Attributes:
        folders: uid and title.  known_folders: uids of all folders we ever make.
        known_sources: uids of all data sources we ever make.
        rule_groups: `title`, `folderUid`, `interval` (s), `rules`.
        routes: given the names of the contact points that will exist, our branches of the policy tree.
    """

    sources: Sequence[Source] = ()
    folders: Sequence[Json] = ()
    dashboards: Sequence[Placed] = ()
    rule_groups: Sequence[Json] = ()
    points: Sequence[Point] = ()
    routes: Callable[[Sequence[str]], Sequence[Json]] = lambda _names: ()
    known_folders: Sequence[str] = ()
    known_sources: Sequence[str] = ()


def wanted(options: Options, environment: Mapping[str, str], login: Login) -> Wanted:
    """Everything of ours.

    Args:
        environment: where contact points find what they must not tell, `KANHU_GRAFANA_...`.
        login: at the database, see `source`.

    Raises:
        Misconfigured: a variable holds no address; it is named and not quoted.
    """
    contact_points.chosen(options, environment)
    return replace(
        nothing(),
        sources=[source(body, login) for body in objects.data_sources(options)],
        folders=objects.folders(options),
        dashboards=objects.dashboards(options),
        rule_groups=objects.rule_groups(options),
        points=[point(body, environment) for body in contact_points.contact_points(options, environment)],
        routes=policies.routes,
    )


def faults(asked: Wanted, options: Options) -> list[str]:
    """What Grafana would take without a word although it is wrong: faults of this program, a line each."""
    found = [f"{body['uid']}: {fault}" for _, body in asked.dashboards for fault in lint_dashboard(body, options)]
    for group in asked.rule_groups:
        found += [f"{group['title']}: {fault}" for fault in lint_rule_group(group, "api", options)]
    # Not those that were filled in: a fault quotes what is wrong, and that may be a secret.
    plain = contact_points.contact_points(options)
    names = sorted({body["name"] for body in plain})
    labels = sorted({label for group in asked.rule_groups for rule in group["rules"] for label in rule["labels"]})
    return [*found, *lint_contact_points(plain), *lint_routes(list(asked.routes(names)), names, labels)]


def nothing() -> Wanted:
    """That nothing of ours is there."""
    every = objects.folders(Options(languages=tuple(Language)))
    return Wanted(known_folders=[folder["uid"] for folder in every], known_sources=[KANHU, ROLLUPS])


def source(body: Mapping[str, Any], login: Login) -> Source:
    """A data source that logs in at the database.

    Args:
        login: a token (InfluxDB 2 and 3); (user, password) (InfluxDB 1); "": the database asks for none, or Grafana has it
            already; what Grafana has stays.
    """
    settings = {key: part for key, part in body["jsonData"].items() if key != _HEADER}
    # Somebody else's default data source stays the default.
    made = {**body, "isDefault": False, "jsonData": settings}
    if isinstance(login, tuple):
        return Source({**made, "user": login[0]}, {"password": login[1]})
    if not login:
        return Source(made)
    return Source({**made, "jsonData": {**settings, _HEADER: "Authorization"}}, {"httpHeaderValue1": f"Token {login}"})


def point(body: Json, environment: Mapping[str, str]) -> Point:
    """A contact point with its `$KANHU_...` filled in, as far as they are set and not empty."""
    missing = tuple(name for name in variables(body) if not environment.get(name, "").strip())
    secret = frozenset(key for key, part in body["settings"].items() if variables(part))
    return Point(body if missing else filled(body, environment), missing, secret)
