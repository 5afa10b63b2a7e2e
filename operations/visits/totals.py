"""Counts of a month: by state, place, service and courier. Every number can be counted again from the rows."""

from collections.abc import Iterator
from typing import Final

from edge_gateway.visits import words
from edge_gateway.visits.records import DONE, State, Visit
from operations.visits.columns import Cell, Column

# What is counted of each group, after its name. `planned` is without what was cancelled.
_SUMS: Final = (("visits", "条数"), ("planned", "应上门"), ("done", "已上门"), ("counted", "计入"), ("in_review", "待核对"))
_STATES: Final = tuple(State)


def _key(state: State) -> str:
    return "not_yet" if state is State.PLANNED else state.value  # `planned` is a sum above


COLUMNS: Final = (
    Column("group", "分组", 12),
    Column("name", "名称", 20),
    *(Column(key, zh, 9) for key, zh in _SUMS),
    *(Column(_key(state), words.state(state, "zh-CN"), 9) for state in _STATES),
)
_GROUPS: Final = {"total": "合计", "service": "按服务", "place": "按地点", "courier": "按配送员"}
_NOBODY: Final = {"courier": "-", "service": "未填 none"}  # a visit without a tap; one that nobody planned
_AT: Final = {state: len(_SUMS) + n for n, state in enumerate(_STATES)}
_WIDTH: Final = len(_SUMS) + len(_STATES)


class Totals:
    """Counts one visit after the other."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, list[int]]] = {group: {} for group in _GROUPS}

    def add(self, visit: Visit) -> None:
        """One more."""
        state = visit.state
        planned = bool(visit.slot) and state is not State.CANCELLED
        done, at = state in DONE, _AT[state]
        for group, name in (
            ("total", ""),
            ("service", visit.service),
            ("place", visit.place),
            ("courier", visit.courier),
        ):
            counts = self._groups[group].get(name)
            if counts is None:
                counts = self._groups[group][name] = [0] * _WIDTH
            counts[0] += 1
            counts[1] += planned
            counts[2] += done
            counts[3] += visit.counted
            counts[4] += visit.reviewing
            counts[at] += 1

    @property
    def visits(self) -> int:
        """How many were added."""
        return self.total("visits")

    def total(self, name: str) -> int:
        """One number of the whole: `visits`, `planned`, `done`, `counted`, `in_review`, `not_yet` or a state."""
        keys = [column.key for column in COLUMNS[2:]]
        counts = self._groups["total"].get("")
        return counts[keys.index(name)] if counts else 0

    def rows(self) -> Iterator[tuple[Cell, ...]]:
        """Rows of `COLUMNS`, the whole first."""
        for group, zh in _GROUPS.items():
            found = self._groups[group] or ({"": [0] * _WIDTH} if group == "total" else {})
            for name in sorted(found):
                yield (f"{zh} {group}", name or _NOBODY.get(group, ""), *found[name])
