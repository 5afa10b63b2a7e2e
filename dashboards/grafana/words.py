"""What alerts are called on dashboards: their rules, states and severities."""

from typing import Final

from dashboards.grafana.panels import BLUE, GREEN, GREY, ORANGE, RED, YELLOW, Word
from dashboards.grafana.text import Text

SEVERITIES: Final = {
    "urgent": Word(Text("紧急", "urgent"), RED),
    "warning": Word(Text("警告", "warning"), ORANGE),
    "notice": Word(Text("提醒", "notice"), BLUE),
}
ALERT_STATES: Final = {
    "raised": Word(Text("已收到", "raised"), RED),
    "notified": Word(Text("已通知, 没有人接手", "told, not accepted"), RED),
    "accepted": Word(Text("有人接手", "accepted"), YELLOW),
    "closed": Word(Text("已处理", "closed"), GREEN),
}
_RULES: Final = (
    ("sos", "紧急求助", "SOS"),
    ("smoke", "烟雾", "smoke"),
    ("gas", "燃气", "gas"),
    ("leak", "漏水", "water leak"),
    ("inactivity", "长时间没有动静", "no movement for long"),
    ("bed-exit", "离床没有回来", "out of bed and not back"),
    ("door-night", "夜里开门", "door at night"),
    ("wandering", "夜里走动", "wandering at night"),
    ("away-long", "外出很久", "away for long"),
    ("heat", "高温", "heat"),
    ("cold", "低温", "cold"),
    ("emergency", "紧急状态", "declared emergency"),
    ("medication", "没有服药", "medication not taken"),
    ("meal-missed", "没有用餐, 也没有动静", "meal missed, no movement"),
    ("missed-visit", "未送达", "visit missed"),
    ("silence", "设备失联", "device silent"),
    ("sensor", "传感器故障", "sensor at fault"),
    ("detector", "探测器的消息读不出", "detector unreadable"),
    ("detectors", "探测器", "detectors"),
    ("deaf", "传感器都不可信", "no sensor to be believed"),
    ("unprotected", "未受保护", "unprotected"),
    ("selftest", "自检", "self-test"),
    ("paused", "已暂停", "paused"),
    ("rule-failed", "规则出错", "a rule failed"),
    ("damaged", "告警记录损坏", "damaged alert"),
    ("grafana", "Grafana 告警", "alert of Grafana"),
)
RULES: Final = {name: Word(Text(zh, en), GREY) for name, zh, en in _RULES}
