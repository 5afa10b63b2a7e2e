"""Each rule's queries and expressions run once in Grafana before any rule is saved; nothing is stored by it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dashboards.grafana.push.client import Grafana
from dashboards.grafana.push.wanted import Json
from edge_gateway.errors import Rejected, Unavailable


class Outcome(StrEnum):
    """What came of one rule."""

    OK = "ok"
    NO_DATA = "no data"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule; `detail` is what Grafana said where it failed, and which query had no rows."""

    uid: str
    title: str
    outcome: Outcome
    detail: str = ""


def preflight(grafana: Grafana, rules: Iterable[Json]) -> list[Tried]:
    """Try all, also after one has failed. No data is no failure: a site that has no river has no river's points.

    Raises:
        Misconfigured: Grafana lets nobody in.
    """
    return [_try(grafana, rule) for rule in rules]


def _try(grafana: Grafana, rule: Json) -> Tried:
    uid, title = rule["uid"], rule["title"]
    try:
        results = grafana.evaluate(rule)
    except (Rejected, Unavailable) as error:
        return Tried(uid, title, Outcome.FAILED, str(error))
    wrong = [f"{ref}: {one.get('error')}" for ref, one in sorted(results.items()) if one.get("error")]
    if rule["condition"] not in results:
        wrong.append(f"{rule['condition']}: no answer")
    if wrong:
        return Tried(uid, title, Outcome.FAILED, grafana.hide("; ".join(wrong))[:500])
    empty = [ref for ref, one in sorted(results.items()) if not _has_rows(one)]
    if empty:
        return Tried(uid, title, Outcome.NO_DATA, f"no rows from {', '.join(empty)}")
    return Tried(uid, title, Outcome.OK)


def _has_rows(result: Json) -> bool:
    frames = result.get("frames") or []
    return any(column for frame in frames for column in (frame.get("data") or {}).get("values") or [])
