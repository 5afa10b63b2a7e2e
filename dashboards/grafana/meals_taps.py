"""When people tapped, and the readers on which they did."""

from typing import Final

from dashboards.grafana.page import Page, address, clicked
from dashboards.grafana.panels import GREEN, RED, YELLOW, Column, bars, rows, series, transformation
from dashboards.grafana.query import InfluxQL, chosen, select
from dashboards.grafana.text import Help, Text

PLACES: Final = chosen("site", "place")
NO_PLAN: Final = Text(
    "这段时间没有计划也没有打卡, 或者网关没有写数据。",
    "nothing was planned or tapped in this time, or the gateway wrote nothing.",
)


def taps(page: Page) -> None:
    page.row(101, Text("打卡", "Taps"))
    tap = "\"kind\" = 'tap'"
    spans = ["time($__interval)", "site", "place"]
    page.add(
        10,
        Text("打卡, 按发生的时间", "Taps, at the time they were made"),
        Help(
            Text(
                "打卡器离线时打的卡, 补传以后画在当时, 不在收到的时候。",
                "What a reader kept while it was offline stands at the time of the tap, not of its arrival.",
            ),
            NO_PLAN,
            Text(
                "空白以后还会补上: 先看打卡器是否离线。",
                "a gap may still be filled: see first whether the reader is offline.",
            ),
        ),
        series(
            [
                InfluxQL(
                    "A", select('count("tap") AS "taps"', "event", [PLACES, tap], spans, "none"), alias="$tag_site/$tag_place"
                )
            ],
            "none",
            least=0,
            bars=True,
            stacked=True,
            interval="15m",
        ),
        help_page="readers",
    )
    by_hour = [
        transformation(
            "formatTime", {"timeField": "Time", "outputFormat": "HH:00", "useTimezone": True, "timezone": page.options.zone}
        ),
        transformation(
            "groupBy",
            {
                "fields": {
                    "Time": {"operation": "groupby", "aggregations": []},
                    "taps": {"operation": "aggregate", "aggregations": ["sum"]},
                }
            },
        ),
        transformation("sortBy", {"fields": {}, "sort": [{"field": "Time"}]}),
        transformation("organize", {"renameByName": {"taps (sum)": page.say(Text("打卡", "taps"))}}),
    ]
    hourly = select('count("tap") AS "taps"', "event", [PLACES, tap], ["time(1h)"], "none", f"tz('{page.options.zone}')")
    page.add(
        11,
        Text("一天里什么时候打卡", "Taps by time of day"),
        Help(
            Text("最近 30 天, 每个钟点一共多少次。", "How many in each hour of the day, over 30 days."),
            Text("30 天没有打卡。", "no taps for 30 days."),
            Text("和计划的时段比一比。", "compare with the windows of the plan."),
        ),
        bars([InfluxQL("A", hourly, table=True)], "none", "Time", stacked=False, more=by_hour).time_from("30d"),
        help_page="visits",
    )
    computed = select(
        'count("tap") AS "taps"',
        "event",
        [PLACES, tap, '"time_quality" =~ /./'],
        ["time($__interval)", "site", "place", "device"],
        "none",
    )
    page.add(
        12,
        Text("时间由网关推算的打卡", "Taps whose time was computed"),
        Help(
            Text("打卡器当时不知道时间, 由网关推算。", "The reader did not know the time; the gateway computed it."),
            Text(
                "都是打卡器自己的时间, 这样最好; 或者没有打卡。",
                "all have the reader's own time, as it should be; or nobody tapped.",
            ),
            Text("经常出现: 换打卡器的时钟电池, 检查对时。", "if it happens often see to the reader's clock battery and NTP."),
        ),
        series([InfluxQL("A", computed, alias="$tag_site/$tag_place $tag_device")], "none", least=0, bars=True, interval="15m"),
        width=24,
        height=6,
        help_page="clock",
    )


def readers(page: Page) -> None:
    page.row(102, Text("打卡器", "Readers"))
    tags = ["site", "device", "place"]
    site = chosen("site")
    targets = [
        InfluxQL(
            "A", select('last("reader_resets") AS "resets"', "health", [site, '"reader_resets_flag" <= 2'], tags), table=True
        ),
        InfluxQL(
            "B", select('last("outbox_records") AS "queue"', "health", [site, '"outbox_records_flag" <= 2'], tags), table=True
        ),
        InfluxQL(
            "C", select('last("battery_level") AS "battery"', "health", [site, '"battery_level_flag" <= 2'], tags), table=True
        ),
        InfluxQL(
            "D", select('last("silent_for") AS "silent", last("overdue") AS "overdue"', "fleet", [site], tags), table=True
        ),
    ]
    only_readers = transformation(
        "filterByValue",
        {"filters": [{"fieldName": "resets", "config": {"id": "isNotNull", "options": {}}}], "type": "include", "match": "all"},
    )
    page.add(
        20,
        Text("打卡器和它们的待发打卡", "Readers and what waits in them"),
        Help(
            Text(
                "每个打卡器多久没有消息, 最后一次说还有多少条没有发出; 离线最久的在前。",
                "How long each reader is silent and how many records it last said it keeps; the most overdue first.",
            ),
            Text("7 天内没有打卡器报过状态。", "no reader reported within 7 days."),
            Text(
                "离线的打卡器不丢打卡: 给它电和网络, 它会补传。",
                "an offline reader loses no tap: give it power and network, and it sends them.",
            ),
        ),
        rows(
            targets,
            [
                Column("site", Text("站点", "Site")),
                Column(
                    "device",
                    Text(
                        "打卡器",
                        "Reader",
                    ),
                    link=address("fleet", page.language, clicked("site", "device")),
                ),
                Column("place", Text("地点", "Place")),
                Column("overdue", Text("超时倍数", "Overdue"), "none", steps=[(None, GREEN), (1, RED)], decimals=1),
                Column("silent", Text("没有消息", "Silent for"), "s"),
                Column("queue", Text("待发", "Waiting"), "none", steps=[(None, GREEN), (1, YELLOW)]),
                Column("battery", Text("电池", "Battery"), "percent", steps=[(None, RED), (20, YELLOW), (40, GREEN)]),
                Column("resets", Text("读卡器复位", "Resets"), "none"),
            ],
            page.language,
            by="overdue",
            more=[only_readers],
        ).time_from("7d"),
        width=24,
        height=9,
        help_page="readers",
    )
