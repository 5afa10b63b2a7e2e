"""What alert rules say: titles, messages, and why a rule does what it does when there is no data.

`{{ ... }}` is filled in by Grafana when a rule fires: `$labels` are the tags of the series, `$values.B` what was compared.
"""

from typing import Final

from dashboards.grafana.text import Text

TITLES: Final = {
    "gateway-silent": Text("网关没有消息", "The gateway is silent"),
    "outbox-old": Text("待发送积压过久", "The outbox is old"),
    "outbox-growing": Text("待发送不断增加", "The outbox grows"),
    "database-refusing": Text("数据库拒收", "The database refuses"),
    "dead-letters": Text("出现无法识别的消息", "Dead letters arrive"),
    "broker-dropping": Text("消息代理丢弃消息", "The broker drops messages"),
    "broker-away": Text("消息代理断开", "The broker is away"),
    "disk": Text("磁盘将满", "The disk fills up"),
    "clock": Text("网关时钟不准", "The gateway's clock is not trusted"),
    "certificate": Text("证书将到期", "A certificate ends soon"),
    "notices-failing": Text("通知发不出去", "Messages to people fail"),
    "home-unaccepted": Text("住家告警没有人接手", "Nobody accepts an alert of a home"),
    "alert-unaccepted": Text("告警长时间没有人接手", "An alert was not accepted for long"),
    "battery": Text("设备电量低", "A device's battery is low"),
    "device-silent": Text("设备失联", "A device is silent"),
    "sensor-silent": Text("传感器没有读数", "A sensor gives no readings"),
    "river": Text("<name>超出限值", "<name> is beyond its limit"),
}

_GATEWAY: Final = "{{ $labels.device }}"
_DEVICE: Final = "{{ $labels.site }}/{{ $labels.device }}"
_HOME: Final = "{{ $labels.place }}"
_SPAN: Final = "{{ humanizeDuration $values.B.Value }}"
_NUMBER: Final = '{{ printf "%.0f" $values.B.Value }}'
_RATIO: Final = '{{ printf "%.1f" $values.B.Value }}'
_VALUE: Final = '{{ printf "%.4g" $values.B.Value }}'
_SHARE: Final = "{{ humanizePercentage $values.B.Value }}"

SUMMARIES: Final = {
    # No values: what is missing has none.
    "gateway-silent": Text(
        f"网关 {_GATEWAY} 超过 3 分钟没有写入任何数据, 或数据库查询不到: 这段时间什么都看不到。"
        "请检查网关的电源、网络、时钟和数据库。",
        f"Gateway {_GATEWAY} has written nothing for more than 3 minutes, or the database cannot be asked: nothing can be seen "
        "meanwhile. Look at the gateway's power, network and clock, and at the database.",
    ),
    "outbox-old": Text(
        f"网关 {_GATEWAY} 最早的待发送记录已等了 {_SPAN}: 数据库收得太慢或收不下。请检查数据库和网络。",
        f"The oldest entry in the outbox of gateway {_GATEWAY} waits for {_SPAN}: the database takes too little or nothing. "
        "Look at the database and the network.",
    ),
    "outbox-growing": Text(
        f"网关 {_GATEWAY} 的待发送近一小时来一直在增加, 每 10 分钟至少 {_NUMBER} 条: 到达快于写入。请检查数据库。",
        f"The outbox of gateway {_GATEWAY} has grown for nearly an hour, by at least {_NUMBER} entries each 10 minutes: more "
        "comes in than the database takes. Look at the database.",
    ),
    "database-refusing": Text(
        f"数据库半小时内拒收了网关 {_GATEWAY} 的 {_NUMBER} 条记录, 它们成了无法识别的消息。请看原因, 改好后重试。",
        f"The database refused {_NUMBER} entries of gateway {_GATEWAY} within half an hour; they are dead letters now. "
        "See why, mend it and retry them.",
    ),
    "dead-letters": Text(
        f"网关 {_GATEWAY} 半小时内有 {_NUMBER} 条消息无法识别。请看是哪个设备、为什么: kanhu dead-letters list。",
        f"{_NUMBER} messages at gateway {_GATEWAY} could not be taken within half an hour. "
        "See which device and why: kanhu dead-letters list.",
    ),
    "broker-dropping": Text(
        f"网关 {_GATEWAY} 的消息代理半小时内丢弃了 {_NUMBER} 条消息; 没有回执的设备会重发。"
        "请检查消息代理的队列上限和网关负载。",
        f"The broker of gateway {_GATEWAY} dropped {_NUMBER} messages within half an hour; devices send again what has no "
        "receipt. Look at the broker's limits and at the gateway's load.",
    ),
    "broker-away": Text(
        f"网关 {_GATEWAY} 与消息代理断开已超过 5 分钟: 收不到任何设备的消息, 也收不到紧急求助。请马上检查消息代理。",
        f"Gateway {_GATEWAY} has had no broker for more than 5 minutes: no device is heard, nor an SOS. "
        "Look at the broker now.",
    ),
    "disk": Text(
        f"网关 {_GATEWAY} 的磁盘已用 {_SHARE}。请在写满之前清理或扩容。",
        f"The disk of gateway {_GATEWAY} is {_SHARE} full. Make room before nothing can be written.",
    ),
    "clock": Text(
        f"网关 {_GATEWAY} 的时钟超过 15 分钟没有同步: 没有自己时钟的设备, 时间会不准。请检查网络和时间服务。",
        f"The clock of gateway {_GATEWAY} has not been synchronised for more than 15 minutes: times of devices without a "
        "clock of their own will be wrong. Look at the network and the time service.",
    ),
    "certificate": Text(
        f"网关 {_GATEWAY} 的证书还有 {_SPAN} 到期; 到期后设备或浏览器连不上。请现在更换。",
        f"A certificate of gateway {_GATEWAY} ends in {_SPAN}; after that devices or browsers cannot connect. Replace it now.",
    ),
    "notices-failing": Text(
        f"网关 {_GATEWAY} 半小时内有 {_NUMBER} 条通知没有发出去: 值班人员可能不知道有告警。请检查通知渠道, 必要时打电话。",
        f"{_NUMBER} messages of gateway {_GATEWAY} to people failed within half an hour: those on duty may not know of an "
        "alert. Look at the channels; call people if need be.",
    ),
    "home-unaccepted": Text(
        f"{_HOME} 的告警 {_SPAN} 没有人接手。请马上打电话给值班人员。",
        f"Nobody has accepted an alert of {_HOME} for {_SPAN}. Call those on duty now.",
    ),
    "alert-unaccepted": Text(
        f"网关 {_GATEWAY} 有告警 {_SPAN} 没有人接手。请看是哪一条, 并通知值班人员。",
        f"Nobody has accepted an alert of gateway {_GATEWAY} for {_SPAN}. See which one, and tell those on duty.",
    ),
    "battery": Text(
        f"{_DEVICE} 最近一次报告的电量是 {_VALUE} %。请充电或更换电池。",
        f"{_DEVICE} last reported a battery of {_VALUE} %. Charge or replace it.",
    ),
    "device-silent": Text(
        f"{_DEVICE} 失联: 沉默时间已是上限的 {_RATIO} 倍。请检查电源和网络。",
        f"{_DEVICE} is silent: {_RATIO} times as long as it may be. Look at its power and network.",
    ),
    "sensor-silent": Text(
        f"{_DEVICE} 有一项读数没有了: 沉默时间已是上限的 {_RATIO} 倍。如果设备整个失联, 先处理失联; 否则检查传感器。",
        f"A reading of {_DEVICE} is missing: {_RATIO} times as long as it may be. If the whole device is silent see to "
        "that first, else look at the sensor.",
    ),
    # <...> are filled in for each quantity when the rules are built.
    "river": Text(
        f"{_DEVICE} 最近一个合格读数: <name> {_VALUE}<unit>, 超出 GB 3838-2002 <class>类限值 (<limit>)。"
        "单项, 仅供参考。请复测, 并查看上下游。",
        f"Last passed reading of {_DEVICE}: <name> {_VALUE}<unit>, beyond the limit of class <class> in GB 3838-2002 "
        "(<limit>). One item, indicative only. Measure again and look up- and downstream.",
    ),
}

# Why a rule is in the state it is in when there is no data, or no answer.
NO_DATA: Final = {
    "Alerting": Text(
        "没有数据就是告警: 网关每分钟都写, 没有就是它停了、连不上或时钟错了。",
        "No data is the alert: the gateway writes each minute, so nothing means that it stopped, is cut off or has "
        "a wrong clock.",
    ),
    "KeepLast": Text(
        "没有数据时保持原状: 网关活着就一定有这些数据; 都没有时由“网关没有消息”告警, 这里不算恢复。",
        "No data keeps the state: while the gateway lives these series are there; when all are gone the rule of the silent "
        "gateway alerts, and nothing here counts as recovered.",
    ),
}
NO_DATA_OF_DEVICES: Final = Text(
    "没有数据时保持原状: 看的是最近 <days> 天里最后一个好的读数, 设备失联时由“设备失联”告警, 这里不算恢复。",
    "No data keeps the state: what counts is the last good reading of <days> days; a device that is silent is told by the "
    "rule of silent devices, and nothing here counts as recovered.",
)
ERROR: Final = {
    "Alerting": Text(
        "查询出错也是告警: 数据库问不到, 就谁也不知道情况。",
        "An error alerts too: who cannot ask the database does not know.",
    ),
    "KeepLast": Text(
        "查询出错时保持原状: 数据库问不到由“网关没有消息”告警一次, 不必每条规则都告警。",
        "An error keeps the state: that the database cannot be asked is told once, by the rule of the silent gateway.",
    ),
}
