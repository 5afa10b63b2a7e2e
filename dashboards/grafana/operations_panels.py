"""Operations: storing and sending, alerts and messages to people."""

from typing import Final

from dashboards.grafana.gateway_queries import increases, lines
from dashboards.grafana.page import Page
from dashboards.grafana.panels import BLUE, GREEN, RED, series
from dashboards.grafana.text import Help, Text

NO_GATEWAY: Final = Text(
    "网关没有写数据: 看“网关没有消息”的处理手册。", "the gateway wrote nothing: see the runbook's page on a silent gateway."
)


def store(page: Page) -> None:
    page.row(102, Text("保存和发送", "Storing and sending"))
    page.add(
        20,
        Text("待发送条数", "Outbox depth"),
        Help(
            Text("等着进数据库的条目。", "Entries that wait for the database."),
            NO_GATEWAY,
            Text("一直增长: 数据库不在或太慢。", "if it keeps growing the database is away or too slow."),
        ),
        lines(page, {"outbox_entries": Text("条目", "entries")}, "max", "short", least=0),
        help_page="outbox",
    )
    page.add(
        21,
        Text("最早待发送", "Age of the oldest entry"),
        Help(
            Text("最早的条目等了多久。平时几秒。", "How long the oldest entry has waited; normally seconds."),
            NO_GATEWAY,
            Text("超过 10 分钟: 看数据库。", "beyond 10 minutes: look at the database."),
        ),
        lines(page, {"outbox_age": Text("最早", "oldest")}, "max", "s", least=0, steps=[(None, GREEN), (600, RED)]),
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
            NO_GATEWAY,
            Text("落盘超过 1 秒: 磁盘太慢或坏了。", "a commit beyond 1 s: the disk is too slow, or failing."),
        ),
        lines(page, {"commit_time": Text("落盘", "commit"), "write_time": Text("写数据库", "write")}, "max", "s", least=0),
        help_page="disk",
    )
    page.add(
        23,
        Text("磁盘剩余", "Free disk space"),
        Help(
            Text("网关数据所在的磁盘。", "Of the disk that holds the gateway's data."),
            NO_GATEWAY,
            Text(
                "满了以后读数留在设备里, 事件照收。", "when it is full readings stay with the devices; events are still taken."
            ),
        ),
        lines(page, {"disk_free": Text("剩余", "free")}, "min", "bytes", least=0),
        help_page="disk",
    )


def people(page: Page) -> None:
    page.row(103, Text("告警和通知", "Alerts and messages to people"))
    page.add(
        30,
        Text("通知", "Messages to people"),
        Help(
            Text("发出的和失败的通知, 每段时间新增。", "Messages that were sent and that failed, added in each span."),
            NO_GATEWAY,
            Text("有失败: kanhu channels 检查渠道。", "where some fail, check the channel with kanhu channels."),
        ),
        series(
            increases(page, {"notices_sent": Text("已发", "sent"), "notices_failed": Text("失败", "failed")}),
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
            NO_GATEWAY,
            Text("没有人接手: 打电话给值班的人。", "nobody accepts: call who is on duty."),
        ),
        lines(
            page,
            {"alerts_open": Text("未处理", "open"), "alerts_unaccepted": Text("没有人接手", "not accepted")},
            "max",
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
            NO_GATEWAY,
            Text("超过 5 分钟: 打电话。", "beyond 5 minutes: telephone."),
        ),
        lines(
            page,
            {"alert_unaccepted_age": Text("等待", "waits")},
            "max",
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
            Text("不到 21 天: 换证书。", "below 21 days: renew it."),
        ),
        lines(
            page,
            {"certificate_left": Text("剩余", "left")},
            "min",
            "s",
            least=0,
            steps=[(None, RED), (21 * 86_400, BLUE)],
        ),
        help_page="certificate",
    )
