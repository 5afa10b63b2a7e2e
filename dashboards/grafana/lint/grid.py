"""Where panels stand: Grafana draws two on one place over each other and says nothing."""

from collections.abc import Iterator, Sequence
from typing import Final

from dashboards.grafana.lint.shape import Json

WIDTH: Final = 24
# With 6 of 24 columns a table of three columns hid its third on a screen of 1,600 points.
LEAST_TABLE: Final = 8


def grid_faults(panels: Sequence[Json]) -> Iterator[str]:
    """Of panels that share a grid: those of a dashboard, or of one folded row. All have a whole `gridPos`."""
    before = (0, 0)
    for panel in panels:
        spot = panel["gridPos"]
        called = name_of(panel)
        if spot["w"] < 1 or spot["h"] < 1 or spot["x"] < 0 or spot["y"] < 0 or spot["x"] + spot["w"] > WIDTH:
            yield f"{called}: gridPos {spot} is not within {WIDTH} columns"
        if panel["type"] == "table" and spot["w"] < LEAST_TABLE:
            yield f"{called}: a table needs at least {LEAST_TABLE} columns of the grid, or it hides some of its own"
        if (spot["y"], spot["x"]) < before:
            yield f"{called}: stands above the panel before it; a phone shows panels in the order of the file"
        before = (spot["y"], spot["x"])
    for at, panel in enumerate(panels):
        for other in panels[at + 1 :]:
            if _overlap(panel["gridPos"], other["gridPos"]):
                yield f"{name_of(panel)} and {name_of(other)}: lie over each other"


def name_of(panel: Json) -> str:
    """How a fault names a panel."""
    return f"panel {panel.get('id')} {panel.get('title', '')!r}"


def _overlap(one: Json, other: Json) -> bool:
    across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
    down = one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
    return bool(across and down)
