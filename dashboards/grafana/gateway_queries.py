"""What is asked of the gateways' own numbers: a series for each gateway and number, named in the page's language."""

from collections.abc import Mapping
from typing import Any, Final

from dashboards.grafana.page import Page
from dashboards.grafana.panels import series
from dashboards.grafana.query import InfluxQL, leveled
from dashboards.grafana.sdk import timeseries
from dashboards.grafana.text import Text

MEASUREMENT: Final = "gateway"
SILENT_MS: Final = 3 * 60_000  # a gateway writes each minute
GATEWAY: Final = '"device" =~ /^${gateway:regex}$/'


def each(page: Page, words: Mapping[str, Text], function: str, suffix: str = "") -> str:
    """`min("broker_connected") AS "broker", ...`: the column's name is the series' name, in the page's language."""
    return ", ".join(f'{function}("{name}{suffix}") AS "{page.say(text)}"' for name, text in words.items())


def levels(page: Page, raw: str, rolled: str, fill: str = "none") -> list[InfluxQL]:
    return leveled("A", MEASUREMENT, raw, rolled, [GATEWAY], ["device"], "$tag_device $col", page.options.zone, fill=fill)


def plain(page: Page, words: Mapping[str, Text], function: str) -> list[InfluxQL]:
    """The largest or smallest value of each span, and of a span in which the gateway was silent nothing."""
    return levels(page, each(page, words, function), each(page, words, function, f"_{function}"), "null")


def lines(page: Page, words: Mapping[str, Text], function: str, unit: str, **looks: Any) -> timeseries.Panel:
    """`plain` as lines that end where the gateway fell silent; `looks` as `series` takes them."""
    return series(plain(page, words, function), unit, gap_ms=SILENT_MS, **looks)


def rates(page: Page, words: Mapping[str, Text]) -> list[InfluxQL]:
    """Totals as what was added a minute."""

    def what(suffix: str) -> str:
        return ", ".join(
            f'non_negative_derivative(max("{name}{suffix}"), 1m) AS "{page.say(text)}"' for name, text in words.items()
        )

    return levels(page, what(""), what("_max"))


def increases(page: Page, words: Mapping[str, Text]) -> list[InfluxQL]:
    """Totals as what was added in each span."""

    def what(suffix: str) -> str:
        return ", ".join(
            f'non_negative_difference(max("{name}{suffix}")) AS "{page.say(text)}"' for name, text in words.items()
        )

    return levels(page, what(""), what("_max"))
