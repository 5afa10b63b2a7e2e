"""What to do when something on a dashboard or in a message of Grafana is wrong: one page for each, in both languages.

`docs/runbook.md` and `docs/runbook.zh-CN.md` are made from it, and so is the dashboard that panels and rules lead to.
"""

from typing import Final, NamedTuple

from dashboards.grafana.text import Language, Text


class Help(NamedTuple):
    """One page: `number` is its panel's id and never changes."""

    number: int
    name: str
    title: Text
    body: Text


def address(name: str, language: Language) -> str:
    """Of a page within Grafana. Raises KeyError: there is no such page."""
    return f"/d/kanhu-runbook-{language}?viewPanel={panel_id(name)}"


def panel_id(name: str) -> int:
    """Of a page's panel on the runbook's dashboard. Raises KeyError: there is no such page."""
    return BY_NAME[name].number


def _page(number: int, name: str, zh: str, en: str) -> Help:
    return Help(number, name, Text(zh, en), Text("", ""))


PAGES: Final = (
    _page(1, "gateway-silent", "网关没有消息", "The gateway is silent"),
    _page(2, "outbox", "待发送积压", "The outbox grows"),
    _page(3, "database", "数据库不收", "The database refuses"),
    _page(4, "dead-letters", "无法识别的消息", "Dead letters arrive"),
    _page(5, "broker", "消息代理丢弃或断开", "The broker drops, or is away"),
    _page(6, "disk", "磁盘将满", "The disk fills up"),
    _page(7, "clock", "时钟不准", "The clock is not trusted"),
    _page(8, "certificate", "证书将到期", "A certificate ends soon"),
    _page(9, "battery", "电池电量低", "Batteries are low"),
    _page(10, "device-silent", "设备失联", "A device is silent"),
    _page(11, "unaccepted", "告警没有人接手", "Nobody accepts an alert"),
    _page(12, "river", "水质超出限值", "A river value is beyond its limit"),
    _page(13, "selftest", "未受保护的住家", "Homes without a passed self-test"),
    _page(14, "visits", "送达异常", "Visits that are late, missed or unknown"),
    _page(15, "readers", "打卡器离线", "A reader is offline"),
    _page(16, "completeness", "数据不完整", "Data is incomplete"),
    _page(17, "notices", "通知发不出去", "Messages to people fail"),
    _page(18, "home", "住家的一天", "The day of a home"),
    _page(19, "sensor-silent", "传感器没有数据", "A sensor is silent"),
)
BY_NAME: Final = {page.name: page for page in PAGES}
