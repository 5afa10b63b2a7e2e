"""What alerts and visits are called on dashboards: rules, states, severities; proofs, and why somebody should look."""

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
GRADES: Final = {
    "strong": Word(Text("强", "strong"), GREEN),
    "medium": Word(Text("中", "medium"), GREEN),
    "weak": Word(Text("弱", "weak"), YELLOW),
    "none": Word(Text("无", "none"), GREY),
}
# Of visits; `Reason` of the gateway. A visit with several shows them as they are stored.
_REASONS: Final = (
    ("bad_code", "验证码不对", "wrong code"),
    ("replay", "验证码用过", "code used before"),
    ("not_our_card", "不是本站的卡", "not our card"),
    ("unknown_card", "卡没有登记", "card not enrolled"),
    ("revoked_card", "卡已作废", "card withdrawn"),
    ("weaker_proof", "只读到卡号", "only a number"),
    ("cloned_card", "卡的计数对不上", "card's counter does not fit"),
    ("counter_out_of_order", "打卡先后对不上", "taps out of order"),
    ("counter_gap", "卡在别处读过很多次", "card read elsewhere"),
    ("burst", "几分钟内打卡很多次", "many taps in minutes"),
    ("two_places", "两处打卡离得太近", "two places too close in time"),
    ("slow_answer", "卡回答得慢", "card answered slowly"),
    ("card_unreadable", "卡没有读完整", "card not read fully"),
    ("clock_unsynced", "打卡器时钟没有对好", "reader's clock not set"),
    ("wrong_place", "计划在另一处", "planned elsewhere"),
    ("location_unverified", "手机位置没有核实", "position not verified"),
    ("unplanned", "计划里没有", "not planned"),
    ("early", "比计划早", "before the plan"),
    ("late", "比计划晚", "after the plan"),
    ("substitute", "代班", "another courier"),
    ("synced_late", "打卡器离线, 后来补传", "sent later"),
    ("reader_offline", "打卡器离线", "reader offline"),
    ("reader_dead", "打卡器没有工作", "reader did not work"),
    ("gateway_down", "网关没有工作", "gateway was down"),
    ("no_reader", "这里没有打卡器", "no reader here"),
    ("card_forgotten", "没有读到配送员的卡", "no courier's card"),
    ("visit_without_tap", "没有打卡, 工作人员确认", "confirmed by staff"),
    ("elder_absent", "老人不在家", "nobody at home"),
    ("objection", "已提出申诉", "objection"),
    ("tap_came_later", "后来收到打卡", "a tap came later"),
)
REASONS: Final = {name: Word(Text(zh, en), GREY) for name, zh, en in _REASONS}
