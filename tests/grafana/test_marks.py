"""Annotations as Grafana shows them: each mark has a heading, a text and tags that mean something to a person."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from dashboards.grafana import homes, river
from dashboards.grafana.options import Options
from dashboards.grafana.text import Language
from tests.grafana import asking
from tests.grafana.asking import Asked, Series
from tests.grafana.expand import Range
from tests.grafana.seed import NOW_NS

NOW_MS: Final = NOW_NS // 1_000_000
MONTH: Final = Range(NOW_MS - 30 * 86_400_000, NOW_MS)


class Mark(NamedTuple):
    time_ms: int
    title: object
    text: object
    tags: tuple[str, ...]


def marks(answer: list[Series], target: Mapping[str, Any]) -> list[Mark]:
    """`transformAnnotationResponse` of Grafana's InfluxDB data source (12.x): every value column is a series of its own."""
    names, found = ["Time"], []
    if answer:
        names += answer[0].tags
    for one in answer:
        suffix = f" {{ {', '.join(f'{key}: {value}' for key, value in one.tags.items())} }}" if one.tags else ""
        names += [f"{one.name}.{column}{suffix}" for column in one.columns[1:]]
        found += [[row[0], *one.tags.values(), *row[1:]] for row in one.rows if None not in row]
    title = text = 0
    tags: list[int] = []
    for at, name in enumerate(names[1:], 1):
        if any(part and part in name for part in target["tagsColumn"].split(",")):
            tags.append(at)
        elif target["textColumn"] in name:
            text = at
        elif not title:
            title = at
    return [
        Mark(row[0], row[title], row[text], tuple(part for at in tags if row[at] for part in row[at].split(",")))
        for row in found
    ]


def shown(asked: Asked, dashboard: Mapping[str, Any], number: int) -> list[Mark]:
    query = list(asking.annotation_queries(dashboard))[number]
    target = dashboard["annotations"]["list"][number]["target"]
    return marks(asked.run(query, MONTH, asking.set_to_all(asked, dashboard, MONTH)), target)


def test_alerts_of_homes_say_what_how_urgent_and_where(filled: Asked) -> None:
    alerts, pressed = (shown(filled, homes.build(Options(), Language.ZH), number) for number in (0, 1))
    assert any((one.title, one.text, one.tags) == ("sos", "urgent", ("home-3",)) for one in alerts)
    assert all(one.title != one.time_ms and one.text in ("urgent", "warning") for one in alerts)
    assert {(one.title, one.text, one.tags) for one in pressed} >= {("sos", "home-3", ("home-3",))}


def test_marks_of_rivers_say_which_probe(filled: Asked) -> None:
    built = river.build(Options(), Language.ZH)
    calibrated, serviced, came, went = (shown(filled, built, number) for number in range(4))
    assert {one.title for one in calibrated} == {"probe-3"}
    assert all("pH" in str(one.text) and one.tags == ("qingxi",) for one in calibrated)
    assert {one.text for one in serviced} == {"维护"}
    assert len({one.title for one in serviced}) > 1, "probes that are maintained at one time are told apart"
    hours = [(one.title, one.time_ms) for one in serviced]
    assert len(hours) == len(set(hours)), "one mark an hour for each"
    assert ("reader-2" in {one.title for one in went}) and came
    assert all(isinstance(one.text, str) for one in (*came, *went))
