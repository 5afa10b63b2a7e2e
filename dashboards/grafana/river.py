"""River (巡河宝): what each station measured, what of it is reliable, where it was, what is missing. It states no class."""

from typing import Any

from dashboards.grafana.maps import world
from dashboards.grafana.options import Options
from dashboards.grafana.page import Page, address, clicked
from dashboards.grafana.panels import BLUE, GREEN, GREY, ORANGE, RED, YELLOW, Column, rows, states
from dashboards.grafana.query import DAYS_FROM_MS, FEW, GOOD, ROLLUPS, InfluxQL, select, within
from dashboards.grafana.river_quantities import HERE, QUANTITIES, draw
from dashboards.grafana.text import Help, Language, Text


def build(options: Options, language: Language) -> dict[str, Any]:
    """The dashboard's JSON."""
    page = Page(
        options,
        language,
        "river",
        Text("看护 · 河流 (巡河宝)", "Kanhu · River"),
        Text(
            "每个站测到了什么, 其中什么可信, 探头在哪里, 缺了多少。这里不判断水质类别。",
            "What each station measured, what of it is reliable, where probes are, what is missing. It states no class.",
        ),
        since="now-7d",
        refresh="5m",
    )
    page.variable("site", Text("站点", "Site"), 'SHOW TAG VALUES FROM "water" WITH KEY = "site"')
    page.variable(
        "device",
        Text("探头", "Probe"),
        'SHOW TAG VALUES FROM "water" WITH KEY = "device" WHERE "site" =~ /^${site:regex}$/',
    )
    _marks(page)
    _now(page)
    _completeness(page)
    page.row(102, Text("每一项", "Each quantity"))
    for number, quantity in enumerate(QUANTITIES, 20):
        draw(page, number, quantity)
    return page.build()


def _marks(page: Page) -> None:
    good = [HERE, '"calibration_flag" <= 2']
    calibrated = select('"device", "calibration" AS "text", "site"', "health", good, tail=f"LIMIT {FEW}")
    page.annotation(Text("校准", "Calibration"), calibrated, "text", BLUE, "site")
    # A station that is being maintained says so with every reading; an hour's mark is enough.
    hours = select(
        'last("station_status") AS "text"',
        "water",
        [HERE, "\"station_status\" = '维护'"],
        ["time(1h)", "device", "site"],
        "none",
    )
    page.annotation(Text("维护", "Maintenance"), within('"device", "text", "site"', hours), "text", ORANGE, "site")
    for name, state, color in (
        (Text("上线", "Online"), '"online" > 0', GREEN),
        (Text("离线", "Offline"), '"online" = 0', GREY),
    ):
        turned = select('"device", "online", "site"', "status", [HERE, state], tail=f"LIMIT {FEW}")
        page.annotation(name, turned, "site", color, on=False)


def _now(page: Page) -> None:
    page.row(100, Text("现在", "Now"))
    tags = ["site", "device", "place", "channel"]
    shown = QUANTITIES[:5]
    targets = [
        InfluxQL(
            "ABCDE"[position],
            select(f'last("{q.name}") AS "{q.name}"', "water", [HERE, f'"{q.name}_flag" {GOOD}'], tags),
            table=True,
        )
        for position, q in enumerate(shown)
    ]
    detail = address("fleet", page.language, clicked("site", "device"))
    page.add(
        1,
        Text("最近一次可用的读数", "Last usable readings"),
        Help(
            Text(
                "每个探头每一项最近 7 天内最后一次正常或未检验的读数; 可疑和不合格的不算。",
                "The last reading within 7 days that passed or was not evaluated; suspect and failed ones do not count.",
            ),
            Text("7 天内没有可用的读数。", "no usable reading for 7 days."),
            Text(
                "点探头看它的电池和信号; 长期空白要去现场。",
                "a click on a probe shows its battery and signal; go there if it stays empty.",
            ),
        ),
        rows(
            targets,
            [
                Column("site", Text("站点", "Site")),
                Column("device", Text("探头", "Probe"), link=detail),
                Column("place", Text("地点", "Place")),
                Column("channel", Text("位置", "Channel")),
                *(Column(q.name, q.title, q.unit, decimals=q.decimals) for q in shown),
            ],
            page.language,
            by="device",
            descending=False,
        ).time_from("7d"),
        width=14,
        height=9,
        help_page="device-silent",
    )
    _map(page)


def _map(page: Page) -> None:
    good = ['"lat_flag" <= 2', '"lon_flag" <= 2']
    last = select('last("lat") AS "lat", last("lon") AS "lon"', "position", [HERE, *good], ["site", "device"])
    few = f"$__interval_ms < {DAYS_FROM_MS}"
    by = ["time($__interval)", "site", "device"]
    way = select('mean("lat") AS "lat", mean("lon") AS "lon"', "position", [HERE, *good, few], by, "none")
    daily = [HERE, f"$__interval_ms >= {DAYS_FROM_MS}"]
    rolled, by_day = 'mean("lat_mean") AS "lat", mean("lon_mean") AS "lon"', ["time(1d)", "site", "device"]
    days = select(rolled, "position_1d", daily, by_day, "none", f"tz('{page.options.zone}')")
    point = {"latitude": "lat", "longitude": "lon", "type": "markers"}
    page.add(
        2,
        Text("站和移动探头的位置", "Where stations and moving probes are"),
        Help(
            Text("大点是最后的位置, 小点是这段时间走过的路。", "Large: the last position. Small: where it was in this time."),
            Text(
                "这段时间没有位置: 探头没有定位, 固定站在登记表里没有 lat 和 lon。",
                "no position in this time: probes had no fix, and fixed stations have no lat and lon in the registry.",
            ),
            Text("在登记表里写上固定站的 lat 和 lon。", "give fixed stations their lat and lon in the registry."),
        ),
        world(
            [InfluxQL("A", last, table=True), InfluxQL("B", way, table=True), InfluxQL("Bd", days, ROLLUPS, table=True)],
            [
                {**point, "name": page.say(Text("每天在哪里", "where by day")), "query": "Bd", "config": _dot(3, GREY, "")},
                {**point, "name": page.say(Text("走过的路", "way")), "query": "B", "config": _dot(3, GREY, "")},
                {
                    **point,
                    "name": page.say(
                        Text(
                            "最后的位置",
                            "last position",
                        )
                    ),
                    "query": "A",
                    "config": _dot(8, BLUE, "device"),
                },
            ],
            page.options.tiles,
        ),
        width=10,
        height=9,
        help_page="device-silent",
    )


def _dot(size: int, color: str, label: str) -> dict[str, Any]:
    text = {"text": {"mode": "field", "field": label, "fixed": ""}} if label else {}
    style = {
        "color": {"fixed": color},
        "opacity": 0.8,
        "size": {"fixed": size, "min": 2, "max": 15},
        "symbol": {"fixed": "img/icons/marker/circle.svg", "mode": "fixed"},
        "textConfig": {"fontSize": 12, "offsetX": 0, "offsetY": -14, "textAlign": "center", "textBaseline": "middle"},
        **text,
    }
    return {"showLegend": False, "style": style}


def _completeness(page: Page) -> None:
    page.row(101, Text("完整性", "Completeness"))
    targets = []
    for position, q in enumerate(QUANTITIES):
        counted = f'100 * sum("{q.name}_count") / sum("expected") AS "{page.say(q.title)}"'
        # Only days of probes that measure it at all: others have no such field.
        where = [HERE, f'"{q.name}_count" >= 0', '"expected" > 0']
        query = select(counted, "water_1d", where, ["time(1d)", "site", "device"], "none", f"tz('{page.options.zone}')")
        targets.append(InfluxQL("ABCDEFGHIJ"[position], query, ROLLUPS, "$tag_site/$tag_device $col"))
    page.add(
        10,
        Text("每天可用的读数, 占应有的百分比", "Usable readings a day, in percent of what there should be"),
        Help(
            Text(
                "一天里正常和未检验的读数, 除以按探头上报间隔应有的条数; 一天没有数据是 0。",
                "Readings of a day that passed or were not evaluated, against how many its cadence makes; no data is 0.",
            ),
            Text(
                "还没有满一天, 探头没有登记, 或者没有按天的汇总。",
                "no whole day yet, the probe is not registered, or there are no daily roll-ups.",
            ),
            Text(
                "低于 90% 要查: 电池、信号、校准、维护。",
                "below 90 % look for the cause: battery, signal, calibration, maintenance.",
            ),
        ),
        states(
            targets,
            {},
            page.language,
            unit="percent",
            steps=[(None, RED), (50, ORANGE), (75, YELLOW), (90, GREEN)],
        )
        .time_from("30d")
        .decimals(0),
        width=24,
        height=10,
        help_page="completeness",
    )
