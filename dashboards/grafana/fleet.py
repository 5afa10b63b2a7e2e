"""Fleet: which device is silent by its own cadence, which battery ends, what starts again and again, what is lost."""

from collections.abc import Sequence
from typing import Any, Final

from dashboards.grafana import runbook
from dashboards.grafana.options import Options
from dashboards.grafana.page import Page, address, clicked
from dashboards.grafana.panels import GREEN, RED, YELLOW, Column, bars, only_with, rows, series, transformation
from dashboards.grafana.query import FEW, GOOD, InfluxQL, chosen, leveled, select, within
from dashboards.grafana.text import Help, Language, Text

HERE: Final = chosen("site", "place", "device")
DEVICE: Final = ("site", "place", "device")
TIMES: Final = "suffix:×"  # of the silence that is allowed
SHOWN_FROM: Final = 0.5  # of it: devices that keep their cadence are not drawn
_POINTS: Final = 400  # a series: two hundred devices that fall silent at once have no more than this to draw

_SITE: Final = Text("站点", "Site")
_PLACE: Final = Text("地点", "Place")
_DEVICE: Final = Text("设备", "Device")
_QUIET: Final = Text("网关没有写数据: 看运行仪表盘。", "the gateway wrote nothing: look at Operations.")
_OVERDUE: Final[Sequence[tuple[float | None, str]]] = [(None, GREEN), (SHOWN_FROM, YELLOW), (1, RED)]
_SOME: Final[Sequence[tuple[float | None, str]]] = [(None, GREEN), (1, YELLOW)]


def build(options: Options, language: Language) -> dict[str, Any]:
    """The dashboard's JSON."""
    page = Page(
        options,
        language,
        "fleet",
        Text("看护 · 设备", "Kanhu · Fleet"),
        Text(
            "每个设备是否按自己的间隔上报, 电池、信号、重启和丢失。最要紧的在最上面。",
            "Whether each device keeps its own cadence; batteries, signal, starts, losses. The worst comes first.",
        ),
    )
    page.places("fleet")
    page.row(100, Text("现在", "Now"))
    _devices(page)
    _quantities(page)
    _firmware(page)
    page.row(101, Text("这段时间", "Over time"))
    _overdue(page)
    _batteries(page)
    _losses(page)
    return page.build()


def _devices(page: Page) -> None:
    latest = ("silent_for", "cadence", "missing_messages")
    heard = 'last("overdue") AS "overdue", ' + ", ".join(f'"{name}"' for name in latest)
    # Totals, so the last less the first is what came in this time.
    totals = {"boots": "boots", "lost_messages": "lost", "dead_messages": "dead"}
    added = ", ".join(f'last("{name}") - first("{name}") AS "{short}"' for name, short in totals.items())
    page.add(
        1,
        Text("每个设备一行, 最要紧的在前", "One row a device, the worst first"),
        Help(
            Text(
                "失联程度: 没有消息的时间是容许时间的几倍, 超过 1 就是失联。重启、已声明丢失、无法识别是最近 7 天的。",
                "Overdue: silence as a multiple of what is allowed, beyond 1 the device is silent. Starts, declared losses and "
                "dead letters are of 7 days.",
            ),
            Text(
                "7 天内网关没有写数据, 或者没有登记设备。“–”: 设备没有说过。",
                "no gateway wrote anything for 7 days, or no device is registered. “–”: the device never said it.",
            ),
            Text(
                "点设备, 看它一个, 它的住家、河流站, 或者处理手册。",
                "a click on a device leads to it alone, to its home or river station, or to the runbook.",
            ),
        ),
        rows(
            [
                InfluxQL("A", select(heard, "fleet", [HERE], DEVICE), table=True),
                InfluxQL("B", select(added, "fleet", [HERE], DEVICE), table=True),
                *(
                    InfluxQL(ref, select(f'{what} AS "{name}"', "health", [HERE, f'"{name}_flag" {GOOD}'], DEVICE), table=True)
                    for ref, name, what in (
                        ("C", "battery_level", 'last("battery_level")'),
                        ("D", "battery_voltage", 'last("battery_voltage")'),
                        ("E", "rssi", 'last("rssi") + 30'),  # dBW to dBm
                    )
                ),
            ],
            _device_columns(page),
            page.language,
            by="overdue",
            more=[only_with("silent_for")],
        ).time_from("7d"),
        width=24,
        height=12,
        help_page="device-silent",
    )


def _device_columns(page: Page) -> list[Column]:
    language = page.language
    device, place = clicked("site", "device"), clicked("site", "place")
    leads = (
        (Text("只看这个设备", "This device alone"), address("fleet", language, device)),
        (Text("住家", "Its home"), address("homes", language, place)),
        (Text("河流站", "Its river station"), address("river", language, device)),
        (Text("处理手册: 设备失联", "Runbook: a device is silent"), runbook.address("device-silent", language)),
        (Text("处理手册: 电池电量低", "Runbook: batteries are low"), runbook.address("battery", language)),
    )
    return [
        Column("device", _DEVICE, links=leads),
        Column("overdue", Text("失联程度", "Overdue"), TIMES, steps=_OVERDUE, decimals=1),
        Column("silent_for", Text("没有消息", "Silent for"), "s"),
        Column("battery_level", Text("电量", "Battery"), "percent", steps=[(None, RED), (20, YELLOW), (40, GREEN)], decimals=0),
        Column("rssi", Text("信号", "Signal"), "dBm", steps=[(None, RED), (-85, YELLOW), (-75, GREEN)], decimals=0),
        Column("boots", Text("重启", "Starts"), "none", steps=[(None, GREEN), (2, YELLOW), (10, RED)]),
        Column("missing_messages", Text("缺失", "Missing"), "none", steps=_SOME),
        Column("lost", Text("已声明丢失", "Declared lost"), "none", steps=_SOME),
        Column("dead", Text("无法识别", "Dead letters"), "none", steps=_SOME),
        Column("battery_voltage", Text("电压", "Voltage"), "volt", decimals=2),
        Column("cadence", Text("间隔", "Cadence"), "s"),
        Column("place", _PLACE),
        Column("site", _SITE),
        Column("Time", Text("截至", "As of"), "dateTimeFromNow"),
    ]


def _quantities(page: Page) -> None:
    latest = select('last("reading_overdue") AS "overdue", "reading_age"', "silence", [HERE], [*DEVICE, "channel"])
    page.add(
        2,
        Text("没有数据的传感器", "Silent sensors"),
        Help(
            Text(
                "超过容许时间没有读数的每一项。设备还在、只有一项没有, 多半是传感器坏了或松了。",
                "Quantities without a reading for longer than allowed. Where its device is heard, a sensor broke or is loose.",
            ),
            Text("每一项都按时有数据 (或者网关没有写数据)。", "all quantities arrive in time (or the gateway wrote nothing)."),
            Text("先看设备是否失联, 再检查这个传感器。", "see whether the device is silent, then look at this sensor."),
        ),
        rows(
            [InfluxQL("A", within('"overdue", "reading_age"', latest, ['"overdue" > 1'], [*DEVICE, "channel"]), table=True)],
            [
                Column("device", _DEVICE, link=address("fleet", page.language, clicked("site", "device"))),
                Column("channel", Text("项目", "Quantity")),
                Column("reading_age", Text("没有读数", "No reading for"), "s"),
                Column("overdue", Text("程度", "Overdue"), TIMES, steps=_OVERDUE, decimals=1),
                Column("place", _PLACE),
                Column("site", _SITE),
            ],
            page.language,
            by="overdue",
        ).time_from("1h"),
        width=12,
        height=9,
        help_page="sensor-silent",
    )


def _firmware(page: Page) -> None:
    page.add(
        3,
        Text("固件", "Firmware"),
        Help(
            Text("每个设备最近 90 天内上线时报的固件。", "The firmware each device told when it last came up, within 90 days."),
            Text("90 天内没有设备上线过。", "no device came up within 90 days."),
            Text("旧版本: 用 kanhu firmware 更新。", "update old ones with kanhu firmware."),
        ),
        rows(
            [InfluxQL("A", select('last("firmware") AS "firmware"', "status", [HERE], DEVICE), table=True)],
            [
                Column("device", _DEVICE),
                Column("firmware", Text("固件", "Firmware")),
                Column("Time", Text("上线", "Came up"), "dateTimeFromNow"),
                Column("place", _PLACE),
                Column("site", _SITE),
            ],
            page.language,
            newest_first=True,
        ).time_from("90d"),
        width=12,
        height=9,
        help_page="device-silent",
    )


def _overdue(page: Page) -> None:
    over = f"> {SHOWN_FROM}"
    page.add(
        10,
        Text("失联程度", "Overdue"),
        Help(
            Text(
                "只画超过容许时间一半的设备; 红线以上是失联。",
                "Only devices silent for more than half of what is allowed; above the red line they are silent.",
            ),
            Text("所有设备都按时上报 (或者网关没有写数据)。", "every device kept its cadence (or the gateway wrote nothing)."),
            Text(
                "很多设备同时失联: 先看网络和网关, 不要逐个去看。",
                "many at once: look at the network and the gateway, not at each device.",
            ),
        ),
        series(
            [
                *leveled(
                    "A",
                    "fleet",
                    'max("overdue")',
                    'max("overdue_max")',
                    [HERE],
                    ["site", "device"],
                    "$tag_site/$tag_device",
                    page.options.zone,
                    raw_where=[f'"overdue" {over}'],
                    rolled_where=[f'"overdue_max" {over}'],
                )
            ],
            TIMES,
            least=0,
            steps=[(None, GREEN), (1, RED)],
            points=True,
        ).max_data_points(_POINTS),
        height=9,
        help_page="device-silent",
    )


def _batteries(page: Page) -> None:
    page.add(
        11,
        Text("电量", "Battery"),
        Help(
            Text("每个设备最低的电量。", "The lowest level of each device."),
            Text("没有设备报过电量: 插电的设备不报。", "no device told its level; those on mains never do."),
            Text("红线以下: 尽快换电池或充电。", "below the red line: change or charge it soon."),
        ),
        series(
            leveled(
                "A",
                "health",
                'min("battery_level")',
                'min("battery_level_min")',
                [HERE],
                ["site", "device"],
                "$tag_site/$tag_device",
                page.options.zone,
                raw_where=[f'"battery_level_flag" {GOOD}'],
            ),
            "percent",
            least=0,
            most=100,
            steps=[(None, RED), (20, GREEN)],
        ).max_data_points(_POINTS),
        height=9,
        help_page="battery",
    )


def _losses(page: Page) -> None:
    lost = select('sum("lost") AS "lost"', "loss", [HERE], ["time(1h)"], "none", f"LIMIT {10 * FEW}")
    title = page.say(Text("丢失", "lost"))
    page.add(
        12,
        Text("一天中什么时候丢失", "Losses by time of day"),
        Help(
            Text(
                "设备声明丢失的消息, 按一天中的小时相加。",
                "Messages that devices declared lost, added up by the hour of the day.",
            ),
            Text("没有设备声明过丢失, 或者网关没有写数据。", "no device declared a loss, or the gateway wrote nothing."),
            Text(
                "总在同一个时段: 看那时的网络和供电; 否则是设备断网太久, 存满了。",
                "always at one hour: look at network and power then; else devices were cut off until they were full.",
            ),
        ),
        bars(
            [InfluxQL("A", lost, table=True)],
            "short",
            "Time",
            more=[
                transformation(
                    "formatTime",
                    # `useTimezone` is what versions before 10.2 read.
                    {"timeField": "Time", "outputFormat": "HH:00", "timezone": page.options.zone, "useTimezone": True},
                ),
                transformation(
                    "groupBy",
                    {
                        "fields": {
                            "Time": {"operation": "groupby", "aggregations": []},
                            "lost": {"operation": "aggregate", "aggregations": ["sum"]},
                        }
                    },
                ),
                transformation("sortBy", {"fields": {}, "sort": [{"field": "Time", "desc": False}]}),
                transformation("organize", {"excludeByName": {}, "indexByName": {}, "renameByName": {"lost (sum)": title}}),
            ],
        ),
        width=24,
        height=7,
        help_page="completeness",
    )
