"""Whether what is in Grafana is what should be there.

Grafana adds to what it is given: ids, versions, defaults of an option that was left out. So what we ask for has to be there
and the same, lists as long as ours, and what stands beside it is left. Labels and annotations of rules, and what decides when
a rule fires, are compared whole.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from dashboards.grafana.push.wanted import Json, Point, Source

REDACTED: Final = "[REDACTED]"  # what Grafana shows of a secret
_SPANS: Final = {
    "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000,
}  # fmt: skip
_SPAN: Final = re.compile(r"(\d+)(ms|[smhdwy])")
_TIMED: Final = frozenset({"for", "keep_firing_for", "group_wait", "group_interval", "repeat_interval"})
# A newer Grafana writes its own, higher schemaVersion into what it stores.
_OF_DASHBOARD: Final = frozenset({"id", "uid", "version", "iteration", "schemaVersion"})
_OF_RULE: Final = (
    *("title", "condition", "for", "keep_firing_for", "missingSeriesEvalsToResolve", "noDataState", "execErrState"),
    *("notification_settings", "record", "folderUID", "ruleGroup"),
)
_SHOWN: Final = 70  # characters of a value
_BEFORE: Final = 12  # of them that lead up to a difference


class Difference(NamedTuple):
    """One place where the two differ; None: it is not there."""

    path: str
    there: Any
    wanted: Any

    def line(self) -> str:
        """As a person reads it."""
        there, wanted = _text(self.there), _text(self.wanted)
        same = next((at for at, (a, b) in enumerate(zip(there, wanted, strict=False)) if a != b), 0)
        cut = max(0, same - _BEFORE) if len(there) > _SHOWN or len(wanted) > _SHOWN else 0
        return f"{self.path}: {_short(there, cut)} -> {_short(wanted, cut)}"


def dashboards(there: Json, wanted: Json) -> list[Difference]:
    """Of two dashboards, without what Grafana counts by itself."""
    return list(_differ(there, {key: part for key, part in wanted.items() if key not in _OF_DASHBOARD}, ""))


def rules(there: Json, wanted: Json) -> list[Difference]:
    """Of two rules. Whether one is paused is the business of whoever paused it."""
    found = [Difference(key, there.get(key), wanted.get(key)) for key in _OF_RULE if not _same(key, there, wanted)]
    for key in ("labels", "annotations"):
        has = {name: text for name, text in (there.get(key) or {}).items() if not name.startswith("__")}
        asks = wanted.get(key) or {}
        found += [Difference(f"{key}.{n}", has.get(n), asks.get(n)) for n in sorted({*has, *asks}) if has.get(n) != asks.get(n)]
    return [*found, *_differ(there.get("data") or [], wanted["data"], "data")]


def sources(there: Json, wanted: Source) -> list[Difference]:
    """Of two data sources. A secret cannot be compared: only whether there is one."""
    asks = {key: part for key, part in wanted.body.items() if key != "isDefault"}
    found = list(_differ(there, asks, ""))
    sealed = there.get("secureJsonFields") or {}
    return [*found, *(Difference(f"secret {key}", None, "***") for key in wanted.secret if not sealed.get(key))]


def points(there: Json, wanted: Point) -> list[Difference]:
    """Of two contact points; what is secret is not shown, and a secret that Grafana does not tell counts as the same."""
    found = []
    for key, part in wanted.body["settings"].items():
        has = (there.get("settings") or {}).get(key)
        if has == REDACTED or _equal(has, part):
            continue
        hide = key in wanted.secret
        found.append(Difference(f"settings.{key}", "***" if hide and has else has, "*** (another)" if hide else part))
    about = {key: wanted.body.get(key) for key in ("name", "type", "disableResolveMessage")}
    return [*_differ(there, about, ""), *found]


def routes(there: list[Json], wanted: list[Json]) -> list[Difference]:
    """Of two lists of policies. Grafana sorts what a policy matches on."""
    return list(_differ([_sorted(route) for route in there], [_sorted(route) for route in wanted], "routes"))


def _sorted(route: Json) -> Json:
    return {**route, "object_matchers": sorted(route.get("object_matchers") or [])}


def _same(key: str, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    has, asks = there.get(key), wanted.get(key)
    return _milliseconds(has) == _milliseconds(asks) if key in _TIMED else _equal(has, asks)


def _equal(there: Any, wanted: Any) -> bool:
    return not any(True for _ in _differ(there, wanted, ""))


def _differ(there: Any, wanted: Any, path: str) -> Iterator[Difference]:
    """Where what is wanted is not there; nothing, none, false and empty are the same."""
    if isinstance(wanted, dict) and isinstance(there, dict | None):
        has = there or {}
        for key, part in wanted.items():
            if not (key in _TIMED and _milliseconds(has.get(key)) == _milliseconds(part)):
                yield from _differ(has.get(key), part, f"{path}.{key}" if path else str(key))
    elif isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        for at, (one, other) in enumerate(zip(there, wanted, strict=True)):
            yield from _differ(one, other, f"{path}[{at}]")
    elif isinstance(wanted, list) and isinstance(there, list):
        yield Difference(path, f"{len(there)} entries", f"{len(wanted)} entries")
    elif there != wanted and (there or wanted):
        yield Difference(path, there, wanted)


def _milliseconds(text: Any) -> Any:
    """`1m30s` and `90s` are the same; nothing is 0."""
    parts = _SPAN.findall(text) if isinstance(text, str) else []
    if text and not parts:
        return text
    return sum(int(count) * _SPANS[unit] for count, unit in parts)


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _short(text: str, cut: int) -> str:
    shown = " ".join(text[cut : cut + _SHOWN].split())
    return f"{'...' if cut else ''}{shown}{'...' if len(text) > cut + _SHOWN else ''}"
