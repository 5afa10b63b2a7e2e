"""Operations: is every gateway alive, taking in, storing, and telling people? For whoever runs the machines."""

from collections.abc import Sequence
from typing import Any, Final

from dashboards.grafana.gateway_queries import GATEWAY, MEASUREMENT, each, increases, levels, lines, rates
from dashboards.grafana.operations_panels import NO_GATEWAY, people, store
from dashboards.grafana.options import Options
from dashboards.grafana.page import Page, address
from dashboards.grafana.panels import GREEN, ORANGE, RED, YELLOW, Column, Word, rows, series, states
from dashboards.grafana.query import InfluxQL, select
from dashboards.grafana.text import Help, Language, Text

PER_MINUTE: Final = "suffix:/min"

YES: Final = Word(Text("是", "yes"), GREEN)
NO: Final = Word(Text("否", "no"), RED)
YES_NO: Final = {"1": YES, "0": NO}


def build(options: Options, language: Language) -> dict[str, Any]:
    """The dashboard's JSON."""
    page = Page(
        options,
        language,
        "operations",
        Text("看护 · 运行", "Kanhu · Operations"),
        Text(
            "网关、数据库、消息代理和通知是否都在工作。给运行机器的人看。",
            "Whether gateways, database, broker and messages to people work. For whoever runs the machines.",
        ),
    )
    page.variable("gateway", Text("网关", "Gateway"), 'SHOW TAG VALUES FROM "gateway" WITH KEY = "device"')
    _now(page)
    _messages(page)
    store(page)
    people(page)
    return page.build()


def _now(page: Page) -> None:
    page.row(100, Text("现在", "Now"))
    _gateways(page)
    _last_report(page)
    _connections(page)


def _gateways(page: Page) -> None:
    fields = ("database_ok", "broker_connected", "clock_trusted", "troubles", "outbox_age", "disk_used")
    counts = ("devices_silent", "devices_expected", "homes_unprotected", "alerts_open", "alerts_unaccepted", "notices_waiting")
    # One point and its own time: a gateway that died an hour ago must not look as if it lived.
    latest = ", ".join(['last("outbox_entries") AS "outbox_entries"', *(f'"{name}"' for name in (*fields, *counts))])
    late: Sequence[tuple[float | None, str]] = [(None, GREEN), (60, YELLOW), (600, RED)]
    some: Sequence[tuple[float | None, str]] = [(None, GREEN), (1, ORANGE)]
    page.add(
        1,
        Text("每个网关一行", "One row a gateway"),
        Help(
            Text("每个网关最近 24 小时内最后的数。", "The last numbers of each gateway within 24 hours."),
            Text("24 小时内没有网关写过数据。", "no gateway wrote anything for 24 hours."),
            Text(
                "上报超过 3 分钟: 网关没有消息, 这一行是旧的, 先处理它。再看红色的; “失联设备”点进设备仪表盘。",
                "reported over 3 minutes ago: the gateway is silent and its row is old, see to it first. Then what is red; "
                "silent devices lead to the fleet.",
            ),
        ),
        rows(
            [InfluxQL("A", select(latest, MEASUREMENT, [GATEWAY], ["device"]), table=True)],
            [
                Column("device", Text("网关", "Gateway")),
                Column("Time", Text("上报", "Reported"), "dateTimeFromNow"),
                Column("database_ok", Text("数据库接收", "Database takes"), "none", YES_NO),
                Column("broker_connected", Text("已连接代理", "Broker"), "none", YES_NO),
                Column("clock_trusted", Text("时钟可信", "Clock"), "none", YES_NO),
                Column("troubles", Text("故障", "Troubles"), "none", steps=some),
                Column("outbox_entries", Text("待发送", "Outbox"), "short"),
                Column("outbox_age", Text("最早待发送", "Oldest"), "s", steps=late),
                Column(
                    "disk_used", Text("磁盘已用", "Disk used"), "percentunit", steps=[(None, GREEN), (0.8, YELLOW), (0.9, RED)]
                ),
                Column(
                    "devices_silent",
                    Text("失联设备", "Silent"),
                    "none",
                    steps=some,
                    link=address("fleet", page.language, "var-site=$__all"),
                ),
                Column("devices_expected", Text("设备", "Devices"), "none"),
                Column(
                    "homes_unprotected",
                    Text("未受保护的住家", "Unprotected homes"),
                    "none",
                    steps=some,
                    link=address("homes", page.language, "var-site=$__all"),
                ),
                Column("alerts_open", Text("未处理告警", "Open alerts"), "none"),
                Column("alerts_unaccepted", Text("没有人接手", "Not accepted"), "none", steps=[(None, GREEN), (1, RED)]),
                Column("notices_waiting", Text("待发通知", "Messages waiting"), "none", steps=some),
            ],
            page.language,
            by="device",
            descending=False,
        ).time_from("24h"),
        width=16,
        height=6,
        help_page="gateway-silent",
    )


def _last_report(page: Page) -> None:
    page.add(
        2,
        Text("最后一次上报", "Last report"),
        Help(
            Text("网关每分钟写一次。", "A gateway writes once a minute."),
            Text("30 天内没有网关写过数据。", "no gateway wrote anything for 30 days."),
            Text("超过 3 分钟就去看网关。", "after 3 minutes go and see."),
        ),
        rows(
            [InfluxQL("A", select('last("outbox_entries") AS "outbox"', MEASUREMENT, [GATEWAY], ["device"]), table=True)],
            [Column("device", Text("网关", "Gateway")), Column("Time", Text("上报", "Reported"), "dateTimeFromNow")],
            page.language,
            newest_first=True,
        ).time_from("30d"),
        width=8,
        height=6,
        help_page="gateway-silent",
    )


def _connections(page: Page) -> None:
    words = {
        "broker_connected": Text("代理", "broker"),
        "database_ok": Text("数据库", "database"),
        "clock_trusted": Text("时钟", "clock"),
    }
    page.add(
        3,
        Text("连接和时钟", "Connections and clock"),
        Help(
            Text(
                "绿色表示连接着, 时钟可信。中间空白: 网关没有写; 还没过完的一小时或一天, 过完才有。",
                "Green: connected, and the clock is trusted. A gap: the gateway was silent; over long ranges the hour "
                "or day that still runs comes when it is over.",
            ),
            NO_GATEWAY,
            Text(
                "代理红色: 紧急求助收不到, 先打电话给值班的人。别的红色: 消息在设备和待发送里等着, 没有丢。",
                "a red broker: no SOS arrives, call who is on duty first. Other red: messages wait in devices and outbox, "
                "none is lost.",
            ),
        ),
        # Spans in which nothing came are gaps: a band would go on and show a dead gateway as connected.
        states(
            levels(page, each(page, words, "min"), each(page, words, "min", "_min"), "null"), YES_NO, page.language
        ).interval("2m"),
        width=24,
        height=6,
        help_page="broker",
    )


def _messages(page: Page) -> None:
    page.row(101, Text("消息", "Messages"))
    ends = {
        "messages_stored": Text("已保存", "stored"),
        "messages_duplicate": Text("重复", "duplicate"),
        "messages_held": Text("待认领", "held"),
        "messages_dead": Text("无法识别", "dead letters"),
    }
    page.add(
        10,
        Text("每分钟收到的消息", "Messages a minute"),
        Help(
            Text(
                "每条消息都以这四种之一结束; 重复的已经保存过。",
                "Every message ends as one of these; a duplicate was stored before.",
            ),
            NO_GATEWAY,
            Text(
                "“待认领”要登记设备, “无法识别”看 kanhu dead-letters。",
                "register held devices; look at dead letters with kanhu dead-letters.",
            ),
        ),
        series(rates(page, ends), PER_MINUTE, least=0),
        help_page="dead-letters",
    )
    page.add(
        11,
        Text("代理丢弃, 数据库拒收", "Dropped by the broker, refused by the database"),
        Help(
            Text("这段时间里新增的条数; 应该一直是 0。", "How many were added in each span; it should stay 0."),
            NO_GATEWAY,
            Text("任何一个数都要查原因。", "find the cause of every single one."),
        ),
        series(
            increases(page, {"broker_dropped": Text("代理丢弃", "dropped"), "database_refused": Text("拒收", "refused")}),
            "short",
            least=0,
            bars=True,
        ),
        help_page="broker",
    )
    page.add(
        12,
        Text("不是设备自己的时间", "Times that are not the device's own"),
        Help(
            Text("这段时间里, 时间由网关算出的消息。", "Messages whose time the gateway had to compute."),
            NO_GATEWAY,
            Text(
                "持续出现: 设备没有对时 (NTP), 或者网关时钟不准。",
                "when it lasts: devices without NTP, or a wrong clock at the gateway.",
            ),
        ),
        series(increases(page, {"times_repaired": Text("推算时间", "computed")}), "short", least=0, bars=True),
        help_page="clock",
    )
    page.add(
        13,
        Text("设备", "Devices"),
        Help(
            Text("应有的设备和失联的设备。", "Devices that are expected, and those that are silent."),
            NO_GATEWAY,
            Text("失联的点进设备仪表盘。", "see the fleet for those that are silent."),
        ),
        lines(
            page,
            {"devices_expected": Text("应有", "expected"), "devices_silent": Text("失联", "silent")},
            "max",
            "short",
            least=0,
        ),
        help_page="device-silent",
        links=[(Text("设备", "Fleet"), address("fleet", page.language))],
    )
