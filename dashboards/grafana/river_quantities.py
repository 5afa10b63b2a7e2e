"""What is drawn of each quantity of a river: reliable readings as a line, and all others apart from it."""

from typing import Final, NamedTuple

from dashboards.grafana.page import Page, address
from dashboards.grafana.panels import GREEN, GREY, RED, YELLOW, apart, series
from dashboards.grafana.query import DAYS_FROM_MS, GOOD, HOURS_FROM_MS, ROLLUPS, InfluxQL, chosen, leveled, select
from dashboards.grafana.river_limits import LIMITS
from dashboards.grafana.text import Help, Text

HERE: Final = chosen("site", "device")


class Quantity(NamedTuple):
    """One quantity of the catalogue as this dashboard shows it; `unit` as Grafana writes it."""

    name: str
    title: Text
    unit: str
    decimals: int


QUANTITIES: Final = (
    Quantity("water_temperature", Text("水温", "Water temperature"), "celsius", 1),
    Quantity("ph", Text("pH", "pH"), "suffix:pH", 2),
    Quantity("dissolved_oxygen", Text("溶解氧", "Dissolved oxygen"), "suffix:mg/L", 2),
    Quantity("conductivity", Text("电导率", "Conductivity"), "suffix:S/m", 4),
    Quantity("turbidity", Text("浊度", "Turbidity"), "suffix:NTU", 1),
    Quantity("water_level", Text("水位", "Water level"), "suffix:m", 2),
    Quantity("ammonia_n", Text("氨氮", "Ammonia nitrogen"), "suffix:mg/L", 3),
    Quantity("cod_mn", Text("高锰酸盐指数", "Permanganate index"), "suffix:mg/L", 2),
    Quantity("total_p", Text("总磷", "Total phosphorus"), "suffix:mg/L", 3),
    Quantity("total_n", Text("总氮", "Total nitrogen"), "suffix:mg/L", 2),
)

SUSPECT: Final = Text("可疑", "suspect")
FAILED: Final = Text("不合格", "failed")
MISSING: Final = Text("缺测", "missing")
DOUBTFUL: Final = Text("可疑、不合格或缺测 (次数)", "suspect, failed or missing (count)")

_NOT_MEASURED: Final = Text(
    "所选的探头没有测这一项, 或者这段时间里没有消息。",
    "the chosen probes do not measure this, or sent nothing in this time.",
)


def draw(page: Page, number: int, q: Quantity) -> None:
    """Good readings as a line; suspect and failed ones as dots, missing ones as bars at the right: none is taken for good."""
    tags = ["site", "device", "channel"]  # two rivers may both have a probe-1
    alias = "$tag_site/$tag_device $tag_channel $col"
    title, flag = page.say(q.title), f'"{q.name}_flag"'
    good = leveled(
        "A",
        "water",
        f'mean("{q.name}") AS "{title}"',
        f'mean("{q.name}_mean") AS "{title}"',
        [HERE],
        tags,
        alias,
        page.options.zone,
        raw_where=[f"{flag} {GOOD}"],
    )
    few = f"$__interval_ms < {HOURS_FROM_MS}"
    marked = [
        InfluxQL(ref, select(f'"{q.name}" AS "{page.say(text)}"', "water", [HERE, f"{flag} = {value}", few], tags), alias=alias)
        for ref, text, value in (("B", SUSPECT, 3), ("C", FAILED, 4))
    ]
    missing = select(
        f'count("{q.name}_flag") AS "{page.say(MISSING)}"',
        "water",
        [HERE, f"{flag} = 9", few],
        ["time($__interval)", *tags],
        "none",
    )
    bad = f'sum("{q.name}_bad") AS "{page.say(DOUBTFUL)}"'
    hours = [HERE, f'"{q.name}_bad" > 0', f"$__interval_ms >= {HOURS_FROM_MS}", f"$__interval_ms < {DAYS_FROM_MS}"]
    days = [HERE, f'"{q.name}_bad" > 0', f"$__interval_ms >= {DAYS_FROM_MS}"]
    zoned = f"tz('{page.options.zone}')"
    drawn = series(
        [
            *good,
            *marked,
            InfluxQL("D", missing, alias=alias),
            InfluxQL("Dh", select(bad, "water_1h", hours, ["time(1h)", *tags], "none"), ROLLUPS, alias),
            InfluxQL("Dd", select(bad, "water_1d", days, ["time(1d)", *tags], "none", zoned), ROLLUPS, alias),
        ],
        q.unit,
        steps=_limits(page, q.name),
    ).decimals(q.decimals)
    apart(drawn, page.say(SUSPECT), YELLOW)
    apart(drawn, page.say(FAILED), RED)
    apart(drawn, page.say(MISSING), GREY, bars=True)
    apart(drawn, page.say(DOUBTFUL).replace("(", r"\(").replace(")", r"\)"), GREY, bars=True)
    page.add(
        number,
        q.title,
        Help(
            Text(
                "线是正常和未检验的读数 (长时间是每小时或每天的平均); 黄点可疑, 红点不合格, 右边的柱是缺测或不可用的次数。",
                "The line: readings that passed or were not evaluated (over long times their means). Yellow dots are suspect,"
                " red ones failed; bars at the right count what is missing or unusable.",
            ),
            _NOT_MEASURED,
            Text(
                "可疑的去看同站别的项和校准记录; 虚线是一项的限值, 一项不能说明水质类别。",
                "compare suspect ones with other quantities and the calibration. A dashed line is one item's limit, no class.",
            ),
        ),
        drawn,
        help_page="river",
        links=[(Text("设备", "Fleet"), address("fleet", page.language, "${device:queryparam}"))],
    )


def _limits(page: Page, quantity: str) -> list[tuple[float | None, str]]:
    """The limits of the class that the site watches, as dashed lines; none for what has no limit."""
    known = next((limits for limits in LIMITS if limits.quantity == quantity), None)
    if known is None:
        return []
    least, most = known.of(page.options.river_class)
    steps: list[tuple[float | None, str]] = [(None, GREEN if least is None else RED)]
    if least is not None:
        steps.append((least, GREEN))
    if most is not None:
        steps.append((most, RED))
    return steps
