"""Rows of visits -> one point a day for each place and service: how many are in each state; pure.

`visit_1d` has the visits' `site`, `device`, `place` and `kind` (the service; none where nobody planned it) and the start of the
day as its time. Fields are whole numbers: `<state>_count` for each of `STATES`, `reviewing_count` of those that a person should
look at; and `late_s_max` (float), by how much the latest was late. All are there when they are 0 too: a visit may turn out
otherwise, and then the day is written again over what was said before.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final

from ingest.points import Field, Labels, Point
from ingest.rows import DAILY, VISIT, Row

STATES: Final = ("planned", "on_time", "early", "late", "wrong_place", "unplanned", "missed", "unknown", "cancelled")
"""As in `edge_gateway.visits.records.State`; a visit that is `gone` is none."""
_REVIEWING: Final = "reviewing"
_GONE: Final = "gone"


def count_visits(rows: Iterable[Row], bounds: Sequence[int], devices: frozenset[tuple[str, str]]) -> Iterator[Point]:
    """Points of neighbouring days for these (site, device), which are gateways.

    Args:
        bounds: starts of the days, sorted, and the end of the last one; the rows lie between.
    """
    found: dict[tuple[str, str, str, str, int], _Day] = defaultdict(_Day)
    for row in rows:
        tags, state = row.tags, str(row.fields.get("state", ""))
        if (tags["site"], tags["device"]) not in devices or not state:
            continue
        start = bounds[bisect_right(bounds, row.time_ns) - 1]
        # Also for one that is gone: it may have been the only one, and what was counted then has to become 0.
        found[tags["site"], tags["device"], tags.get("place", ""), tags.get("kind", ""), start].add(state, row)
    for (site, device, place, service, start), one in sorted(found.items(), key=itemgetter(0)):
        labels: Labels = (("kind", service),) if service else ()
        yield Point(VISIT + DAILY, site, device, place, "", labels, one.fields(), start)


class _Day:
    """The visits of one place and service on one day."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._late_s = 0.0

    def add(self, state: str, row: Row) -> None:
        if state != _GONE:
            late_s = row.fields.get("late_s", 0.0)
            self._counts[state] += 1
            self._counts[_REVIEWING] += row.fields.get(_REVIEWING, 0.0) == 1.0
            self._late_s = max(self._late_s, float(late_s))

    def fields(self) -> list[Field]:
        """A state that is not known yet is counted under its own name."""
        names = dict.fromkeys((*STATES, _REVIEWING, *sorted(self._counts)))
        return [*((f"{name}_count", self._counts[name]) for name in names), ("late_s_max", self._late_s)]
