"""Operations: is every gateway alive, taking in, storing, and telling people? For whoever runs the machines."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboards.grafana.options import Options
from dashboards.grafana.page import Page, address
from dashboards.grafana.panels import BLUE, GREEN, ORANGE, RED, YELLOW, Column, Word, rows, series, states
from dashboards.grafana.query import InfluxQL, leveled, select
from dashboards.grafana.text import Help, Language, Text

MEASUREMENT: Final = "gateway"
GATEWAY: Final = '"device" =~ /^${gateway:regex}$/'
PER_MINUTE: Final = "suffix: /min"

YES: Final = Word(Text("是", "yes"), GREEN)
NO: Final = Word(Text("否", "no"), RED)
YES_NO: Final = {"1": YES, "0": NO}

_NO_GATEWAY: Final = Text(
    "网关没有写数据: 看“网关没有消息”的处理手册。", "the gateway wrote nothing: see the runbook's page on a silent gateway."
)
_NONE: Final = Text("不用做什么。", "nothing.")


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
    _store(page)
    _people(page)
    return page.build()


def _now(page: Page) -> None:
    page.row(100, Text("现在", "Now"))
    fields = ("database_ok", "broker_connected", "clock_trusted", "troubles", "outbox_entries", "outbox_age", "disk_used")
    counts = ("devices_silent", "devices_expected", "homes_unprotected", "alerts_open", "alerts_unaccepted", "notices_waiting")
    latest = ", ".join(f'last("{name}") AS "{name}"' for name in (*fields, *counts))
    late: Sequence[tuple[float | None, str]] = [(None, GREEN), (60, YELLOW), (600, RED)]
    some: Sequence[tuple[float | None, str]] = [(None, GREEN), (1, ORANGE)]
    page.add(
        1,
        Text("每个网关一行", "One row a gateway"),
        Help(
            Text("每个网关最近 24 小时内最后的数。", "The last numbers of each gateway within 24 hours."),
            Text("24 小时内没有网关写过数据。", "no gateway wrote anything for 24 hours."),
            Text("红色的先看; “设备失联”点进设备面板。", "look at what is red first; silent devices lead to the fleet."),
        ),
        rows(
            [InfluxQL("A", select(latest, MEASUREMENT, [GATEWAY], ["device"]), table=True)],
            [
                Column("device", Text("网关", "Gateway")),
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
    words = {
        "broker_connected": Text("代理", "broker"),
        "database_ok": Text("数据库", "database"),
        "clock_trusted": Text("时钟", "clock"),
    }
    page.add(
        3,
        Text("连接和时钟", "Connections and clock"),
        Help(
            Text("绿色表示连接着, 时钟可信。", "Green: connected, and the clock is trusted."),
            _NO_GATEWAY,
            Text(
                "红色的时段里, 消息留在设备和待发送里, 没有丢。",
                "while it is red, messages wait in devices and outbox; none is lost.",
            ),
        ),
        states(_levels(page, _each(page, words, "min"), _each(page, words, "min", "_min")), YES_NO, page.language),
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
            _NO_GATEWAY,
            Text(
                "“待认领”要登记设备, “无法识别”看 kanhu dead-letters。",
                "register held devices; look at dead letters with kanhu dead-letters.",
            ),
        ),
        series(_rates(page, ends), PER_MINUTE, least=0),
        help_page="dead-letters",
    )
    page.add(
        11,
        Text("代理丢弃, 数据库拒收", "Dropped by the broker, refused by the database"),
        Help(
            Text("这段时间里新增的条数; 应该一直是 0。", "How many were added in each span; it should stay 0."),
            _NO_GATEWAY,
            Text("任何一个数都要查原因。", "find the cause of every single one."),
        ),
        series(
            _increases(page, {"broker_dropped": Text("代理丢弃", "dropped"), "database_refused": Text("拒收", "refused")}),
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
            _NO_GATEWAY,
            Text(
                "持续出现: 设备没有对时 (NTP), 或者网关时钟不准。",
                "when it lasts: devices without NTP, or a wrong clock at the gateway.",
            ),
        ),
        series(_increases(page, {"times_repaired": Text("推算时间", "computed")}), "short", least=0, bars=True),
        help_page="clock",
    )
    page.add(
        13,
        Text("设备", "Devices"),
        Help(
            Text("应有的设备和失联的设备。", "Devices that are expected, and those that are silent."),
            _NO_GATEWAY,
            Text("失联的点进设备面板。", "see the fleet for those that are silent."),
        ),
        series(
            _plain(page, {"devices_expected": Text("应有", "expected"), "devices_silent": Text("失联", "silent")}, "max"),
            "short",
            least=0,
        ),
        help_page="device-silent",
        links=[(Text("设备", "Fleet"), address("fleet", page.language))],
    )


def _store(page: Page) -> None:
    page.row(102, Text("保存和发送", "Storing and sending"))
    page.add(
        20,
        Text("待发送条数", "Outbox depth"),
        Help(
            Text("等着进数据库的条目。", "Entries that wait for the database."),
            _NO_GATEWAY,
            Text("一直增长: 数据库不在或太慢。", "if it keeps growing the database is away or too slow."),
        ),
        series(_plain(page, {"outbox_entries": Text("条目", "entries")}, "max"), "short", least=0),
        help_page="outbox",
    )
    page.add(
        21,
        Text("最早待发送", "Age of the oldest entry"),
        Help(
            Text("最早的条目等了多久。平时几秒。", "How long the oldest entry has waited; normally seconds."),
            _NO_GATEWAY,
            Text("超过 10 分钟: 看数据库。", "beyond 10 minutes: look at the database."),
        ),
        series(_plain(page, {"outbox_age": Text("最早", "oldest")}, "max"), "s", least=0, steps=[(None, GREEN), (600, RED)]),
        help_page="outbox",
    )
    page.add(
        22,
        Text("提交和写入用时", "Commit and write times"),
        Help(
            Text(
                "一次落盘和一次写数据库用多久, 每段时间里最长的。",
                "How long a commit to disk and a write to the database took, at most.",
            ),
            _NO_GATEWAY,
            Text("落盘超过 1 秒: 磁盘太慢或坏了。", "a commit beyond 1 s: the disk is too slow, or failing."),
        ),
        series(
            _plain(page, {"commit_time": Text("落盘", "commit"), "write_time": Text("写数据库", "write")}, "max"), "s", least=0
        ),
        help_page="disk",
    )
    page.add(
        23,
        Text("磁盘剩余", "Free disk space"),
        Help(
            Text("网关数据所在的磁盘。", "Of the disk that holds the gateway's data."),
            _NO_GATEWAY,
            Text(
                "满了以后读数留在设备里, 事件照收。", "when it is full readings stay with the devices; events are still taken."
            ),
        ),
        series(_plain(page, {"disk_free": Text("剩余", "free")}, "min"), "bytes", least=0),
        help_page="disk",
    )


def _people(page: Page) -> None:
    page.row(103, Text("告警和通知", "Alerts and messages to people"))
    page.add(
        30,
        Text("通知", "Messages to people"),
        Help(
            Text("发出的和失败的通知, 每段时间新增。", "Messages that were sent and that failed, added in each span."),
            _NO_GATEWAY,
            Text("有失败: kanhu channels 检查渠道。", "where some fail, check the channel with kanhu channels."),
        ),
        series(
            _increases(page, {"notices_sent": Text("已发", "sent"), "notices_failed": Text("失败", "failed")}),
            "short",
            least=0,
            bars=True,
        ),
        help_page="notices",
    )
    page.add(
        31,
        Text("未处理告警", "Open alerts"),
        Help(
            Text(
                "未处理的和已通知但没有人接手的告警。",
                "Alerts that are open, and those that somebody was told of and nobody accepted.",
            ),
            _NO_GATEWAY,
            Text("没有人接手: 打电话给值班的人。", "nobody accepts: call who is on duty."),
        ),
        series(
            _plain(
                page, {"alerts_open": Text("未处理", "open"), "alerts_unaccepted": Text("没有人接手", "not accepted")}, "max"
            ),
            "short",
            least=0,
        ),
        help_page="unaccepted",
    )
    page.add(
        32,
        Text("最久没有人接手", "Longest without a person"),
        Help(
            Text(
                "已通知的告警里, 等得最久的等了多久。0 表示没有。",
                "How long the one that waits longest has waited for a person; 0: none does.",
            ),
            _NO_GATEWAY,
            Text("超过 5 分钟: 打电话。", "beyond 5 minutes: telephone."),
        ),
        series(
            _plain(page, {"alert_unaccepted_age": Text("等待", "waits")}, "max"),
            "s",
            least=0,
            steps=[(None, GREEN), (300, RED)],
        ),
        help_page="unaccepted",
    )
    page.add(
        33,
        Text("证书剩余", "Time left of certificates"),
        Help(
            Text("最先到期的证书还剩多久。", "How long the first certificate to end is still valid."),
            Text("网关没有证书, 或者没有写数据。", "the gateway has no certificate, or wrote nothing."),
            Text("不到 14 天: 换证书。", "below 14 days: renew it."),
        ),
        series(
            _plain(page, {"certificate_left": Text("剩余", "left")}, "min"),
            "s",
            least=0,
            steps=[(None, RED), (14 * 86_400, BLUE)],
        ),
        help_page="certificate",
    )


def _each(page: Page, words: Mapping[str, Text], function: str, suffix: str = "") -> str:
    """`min("broker_connected") AS "broker", ...`: the column's name is the series' name, in the page's language."""
    return ", ".join(f'{function}("{name}{suffix}") AS "{page.say(text)}"' for name, text in words.items())


def _levels(page: Page, raw: str, rolled: str) -> list[InfluxQL]:
    return leveled("A", MEASUREMENT, raw, rolled, [GATEWAY], ["device"], "$tag_device $col", page.options.zone)


def _plain(page: Page, words: Mapping[str, Text], function: str) -> list[InfluxQL]:
    """The largest or smallest value of each span."""
    return _levels(page, _each(page, words, function), _each(page, words, function, f"_{function}"))


def _rates(page: Page, words: Mapping[str, Text]) -> list[InfluxQL]:
    """Totals as what was added a minute."""

    def what(suffix: str) -> str:
        return ", ".join(
            f'non_negative_derivative(max("{name}{suffix}"), 1m) AS "{page.say(text)}"' for name, text in words.items()
        )

    return _levels(page, what(""), what("_max"))


def _increases(page: Page, words: Mapping[str, Text]) -> list[InfluxQL]:
    """Totals as what was added in each span."""

    def what(suffix: str) -> str:
        return ", ".join(
            f'non_negative_difference(max("{name}{suffix}")) AS "{page.say(text)}"' for name, text in words.items()
        )

    return _levels(page, what(""), what("_max"))
