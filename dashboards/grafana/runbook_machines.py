"""The runbook's pages about gateway, broker, database and channels."""

from typing import Final

from dashboards.grafana.runbook_entry import Entry
from dashboards.grafana.text import Text

MACHINES: Final = (
    Entry(
        1,
        "gateway-silent",
        Text("网关没有消息", "The gateway is silent"),
        Text(
            (
                "网关每分钟写一次自己的数。没有了: 网关停了、断电了、时钟坏了, 或者数据库问不到。这段时间的消息留在设"
                "备和消息代理里, 没有丢; 但是紧急求助也没有人收。"
            ),
            (
                "A gateway writes its own numbers once a minute. None now: it stopped, lost power, has a wrong clock,"
                " or the database cannot be asked. Messages wait in devices and broker and are not lost; but no SOS i"
                "s heard either."
            ),
        ),
        (
            Text(
                "先打电话给负责看护的人: 现在没有人守着, 请他们电话确认老人平安。",
                "First telephone those who watch over people: nobody is watching now, let them ask by telephone.",
            ),
            Text(
                "到网关那台机器上: `kanhu status`, 再 `kanhu doctor`; 它会说下一步做什么。",
                "On the gateway's machine: `kanhu status`, then `kanhu doctor`, which names the next step.",
            ),
            Text(
                "进程没有了: `systemctl restart kanhu-gateway` (compose: `docker compose restart gateway`)。",
                "The process is gone: `systemctl restart kanhu-gateway` (compose: `docker compose restart gateway`).",
            ),
            Text(
                "机器连不上: 看电源和网络; 换机器时 `kanhu restore` 恢复备份。",
                ("The machine cannot be reached: power and network; on another machine `kanhu restore` brings back a backup."),
            ),
            Text(
                "网关好着而这里没有数: 看“数据库不收”。",
                "The gateway is well and its numbers are missing here: see “The database refuses”.",
            ),
        ),
    ),
    Entry(
        2,
        "outbox",
        Text("待发送积压", "The outbox grows"),
        Text(
            "数据库收得比来得慢, 或者不在。待发送在网关的磁盘上, 数据库回来后按顺序补上。",
            (
                "The database takes less than comes in, or is away. What waits lies on the gateway's disk and is writ"
                "ten in order once the database is back."
            ),
        ),
        (
            Text(
                "`kanhu status` 看数据库的错误; 错误在的话先看“数据库不收”。",
                "`kanhu status` shows the database's error; if there is one see “The database refuses”.",
            ),
            Text(
                "没有错误: 数据库太慢。看它的磁盘和内存, 看写入用时。",
                "No error: the database is too slow. Look at its disk and memory, and at the write time.",
            ),
            Text(
                "看磁盘剩余: 待发送到 `gateway.outbox_quota_mb` 为止, 之后读数留在设备里。",
                (
                    "Watch the free disk space: the outbox goes up to `gateway.outbox_quota_mb`; after that readings stay"
                    " with the devices."
                ),
            ),
        ),
    ),
    Entry(
        3,
        "database",
        Text("数据库不收", "The database refuses"),
        Text(
            ("数据库连不上、令牌不对、没有这个库, 或者拒收某些条目。没有一条会丢: 要么等着, 要么连同原因在无法识别的消息里。"),
            (
                "The database cannot be reached, the token is wrong, there is no such bucket, or it refuses certain e"
                "ntries. None is lost: it waits, or lies among the dead letters with its reason."
            ),
        ),
        (
            Text(
                "`kanhu doctor` 说是哪一种。",
                "`kanhu doctor` says which it is.",
            ),
            Text(
                "401 或 403: 令牌不对, `kanhu ingest setup` 补发。404: 没有这个库, 同一条命令会建。",
                ("401 or 403: a wrong token; `kanhu ingest setup` makes a new one. 404: no bucket; the same command makes it."),
            ),
            Text(
                (
                    "422 类型冲突: 某个字段以前是另一种类型; `kanhu dead-letters list` 有每一条和原因, 改好以后 `kanhu de"
                    "ad-letters retry`。"
                ),
                (
                    "422, a type conflict: a field had another type before; `kanhu dead-letters list` has each entry and "
                    "why, `kanhu dead-letters retry` after it was mended."
                ),
            ),
            Text(
                "连不上: 看数据库的进程、磁盘、网络。",
                "It cannot be reached: its process, its disk, the network.",
            ),
        ),
    ),
    Entry(
        4,
        "dead-letters",
        Text("无法识别的消息", "Dead letters arrive"),
        Text(
            "有消息读不懂: 新固件、别家的设备、坏了的传感器, 或者有人乱发。原文和原因都留着。",
            (
                "Messages that cannot be read: a new firmware, somebody else's device, a broken sensor, or somebody w"
                "ho sends nonsense. Text and reason are kept."
            ),
        ),
        (
            Text(
                "`kanhu dead-letters list` 按原因分组, `kanhu dead-letters show` 看一条。",
                "`kanhu dead-letters list` groups them by reason, `kanhu dead-letters show` shows one.",
            ),
            Text(
                "同一个设备: 看它的固件和配置。同一种原因: 多半是登记表里缺一项。",
                ("One device: its firmware and configuration. One reason: most likely a line is missing in the registry."),
            ),
            Text(
                "改好以后 `kanhu dead-letters retry`; 真正没用的才 `remove`。",
                "Once mended `kanhu dead-letters retry`; `remove` only what is of no use.",
            ),
        ),
    ),
    Entry(
        5,
        "broker",
        Text("消息代理丢弃或断开", "The broker drops, or is away"),
        Text(
            "断开时设备把消息存在自己的闪存里; 丢弃表示代理的队列满了, 没有回执的设备会重发。",
            (
                "While it is away devices keep messages in their flash. Drops mean that the broker's queue was full; "
                "devices send again what has no receipt."
            ),
        ),
        (
            Text(
                ("断开: `systemctl status mosquitto`, 端口, 证书, 密码; 红灯时按紧急按钮没有人收到, 先打电话通知值班的人。"),
                (
                    "Away: `systemctl status mosquitto`, port, certificate, password. Nobody hears an SOS meanwhile: tell"
                    " those on duty first."
                ),
            ),
            Text(
                "丢弃: 用 `kanhu up` 写的 mosquitto 配置, 不要用系统自带的 (队列 1000 条)。",
                "Drops: use the configuration that `kanhu up` writes, not the stock one (a queue of 1000).",
            ),
            Text(
                "之后 `kanhu status` 看各设备的缺口: 该补的会补上。",
                "Afterwards `kanhu status` shows the gaps of each device: they are filled.",
            ),
        ),
    ),
    Entry(
        6,
        "disk",
        Text("磁盘将满", "The disk fills up"),
        Text(
            "网关的磁盘快满了。真的满了: 读数留在设备里, 紧急求助靠预留的空间照样处理。",
            (
                "The gateway's disk is nearly full. Once it is full readings stay with the devices; an SOS is still h"
                "andled in the room kept for it."
            ),
        ),
        (
            Text(
                "`du -sh` 数据目录: 是待发送 (看“待发送积压”)、日志, 还是别的程序。",
                "`du -sh` of the data folder: the outbox (see “The outbox grows”), logs, or another program.",
            ),
            Text(
                "`kanhu privacy kept` 看各类数据保存多久, 缩短它, 或者换大的磁盘。",
                "`kanhu privacy kept` shows how long what is kept: shorten it, or take a larger disk.",
            ),
            Text(
                "不要删 `gateway.db` 和 `visits.db`。",
                "Never delete `gateway.db` or `visits.db`.",
            ),
        ),
    ),
    Entry(
        7,
        "clock",
        Text("时钟不准", "The clock is not trusted"),
        Text(
            "网关的时钟没有同步。没有自己时钟的设备, 时间是网关给的, 会跟着错。",
            (
                "The gateway's clock is not synchronised. Devices without a clock of their own get their time from it"
                ", and get it wrong."
            ),
        ),
        (
            Text(
                "`timedatectl` 看是否同步; 没有互联网时指向本地的时间服务器。",
                "`timedatectl` shows whether it is synchronised; without internet name a local time server.",
            ),
            Text(
                "树莓派断电后没有时钟: 装一个 RTC。",
                "A Raspberry Pi forgets the time without power: give it an RTC.",
            ),
            Text(
                "时间错过的读数有 `time_quality` 标记, 可以查出来。",
                "Readings with a computed time carry `time_quality` and can be found.",
            ),
        ),
    ),
    Entry(
        8,
        "certificate",
        Text("证书将到期", "A certificate ends soon"),
        Text(
            "到期以后设备或浏览器连不上, 全部同时。",
            "Once it has ended devices or browsers cannot connect, all of them at once.",
        ),
        (
            Text(
                "`kanhu doctor` 说是哪一张, 哪一天到期。",
                "`kanhu doctor` says which one and when.",
            ),
            Text(
                "换证书, 然后重启用它的程序; 设备信任的是签发者, 签发者不换就不用动设备。",
                (
                    "Replace it and restart the program that uses it; devices trust its issuer and need nothing while tha"
                    "t stays."
                ),
            ),
            Text(
                "签发者要到期: 先给设备下发新的 (`kanhu device configure`), 再换。",
                "The issuer itself ends: give devices the new one first (`kanhu device configure`), then replace it.",
            ),
        ),
    ),
    Entry(
        17,
        "notices",
        Text("通知发不出去", "Messages to people fail"),
        Text(
            "渠道拒收或者连不上。网关会换下一个渠道, 再换下一个人, 全都不行时响警笛。",
            (
                "A channel refuses, or cannot be reached. The gateway takes the next channel, then the next person, a"
                "nd sounds the siren when all fail."
            ),
        ),
        (
            Text(
                "`kanhu channels list` 看哪个渠道, 什么错误; `kanhu channels try` 试发一条。",
                "`kanhu channels list` says which channel and why; `kanhu channels try` sends a test.",
            ),
            Text(
                "密钥到期、余额用完、被限流: 到服务商那里处理。",
                "A key that ended, no credit, too many messages: see to it at the provider.",
            ),
            Text(
                "这段时间自己看着控制台的告警页。",
                "Meanwhile watch the console's alerts yourself.",
            ),
        ),
    ),
)
