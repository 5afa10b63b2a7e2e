"""The quantities this platform knows: name, unit, believable range, group, and how long silence is normal.

A quantity is added by one line here. Its kind and unit never change afterwards (a database field keeps its type for ever): a
quantity that must change gets a new name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """How a value is stored, decided here and never by the value."""

    NUMBER = "number"  # float
    STATE = "state"  # true or false on the wire, 1.0 or 0.0 in the store
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One line of the catalogue.

    Attributes:
        name: SenML name, also the database's field.
        unit: SenML unit (RFC 8428 and 8798) in which it is stored; "" for states and text.
        kind: how it is stored.
        group: the database's measurement; readings of one instant and group share a line.
        low, high: believable range, inclusive; a value outside is stored with flag FAIL. None: no limit.
        silence_s: longest silence that is normal where the device declares no cadence.
        also: other units a device may send -> (factor, offset), value * factor + offset is in `unit`.
        zh, en: what a screen calls it.
    """

    name: str
    unit: str
    kind: Kind
    group: str
    low: float | None
    high: float | None
    silence_s: float
    zh: str
    en: str
    also: Mapping[str, tuple[float, float]] = field(default_factory=lambda: MappingProxyType({}))


def _number(
    name: str, unit: str, group: str, low: float | None, high: float | None, silence_s: float, zh: str, en: str, **also: float
) -> Quantity:
    units = {_UNIT_NAMES[unit_key]: (factor, 0.0) for unit_key, factor in also.items()}
    return Quantity(name, unit, Kind.NUMBER, group, low, high, silence_s, zh, en, MappingProxyType(units))


def _state(name: str, group: str, silence_s: float, zh: str, en: str) -> Quantity:
    return Quantity(name, "", Kind.STATE, group, 0.0, 1.0, silence_s, zh, en)


def _text(name: str, group: str, zh: str, en: str) -> Quantity:
    return Quantity(name, "", Kind.TEXT, group, None, None, 0.0, zh, en)


# Unit strings that are no Python identifiers, for the factors of `_number`.
_UNIT_NAMES: Final = {
    "mS_per_cm": "mS/cm",
    "uS_per_cm": "uS/cm",
    "mV": "mV",
    "ug_per_l": "ug/l",
    "cm": "cm",
    "mm": "mm",
    "ms": "ms",
    "kg": "kg",
}

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR

# Ranges: facts of the sensors used and QARTOD's gross range test; a value outside is kept and flagged, never thrown away.
_ALL: Final = (
    # homes
    _number("temperature", "Cel", "climate", -40.0, 85.0, _HOUR, "温度", "temperature"),
    _number("humidity", "%RH", "climate", 0.0, 100.0, _HOUR, "湿度", "relative humidity"),
    _number("pressure", "Pa", "climate", 30_000.0, 110_000.0, _HOUR, "气压", "air pressure"),
    _number("co2", "ppm", "climate", 0.0, 40_000.0, _HOUR, "二氧化碳", "carbon dioxide"),
    _number("illuminance", "lx", "climate", 0.0, 200_000.0, _HOUR, "照度", "illuminance"),
    _state("motion", "presence", _DAY, "有动静", "motion"),
    _number("movements", "count", "presence", 0.0, None, _DAY, "动静次数", "movements since the last report"),
    _state("presence", "presence", _DAY, "有人", "presence"),
    _state("contact", "presence", _DAY, "门窗打开", "door or window open"),
    _state("bed", "presence", _DAY, "在床", "in bed"),
    _state("chair", "presence", _DAY, "在座", "in the chair"),
    _state("light", "presence", _DAY, "灯亮", "light on"),
    _state("away", "presence", _DAY, "外出", "away"),
    _state("prewarning", "presence", 0.0, "预警等待本人取消", "pre-warning: the elder is being asked"),
    _number("distance", "m", "presence", 0.0, 10.0, _DAY, "人体距离", "distance of a person", cm=0.01, mm=0.001),
    _text("activity", "presence", "活动", "activity"),
    _number("power", "W", "power", -100_000.0, 100_000.0, _HOUR, "功率", "power"),
    _number("energy", "J", "power", 0.0, None, _HOUR, "电量", "energy"),
    # rivers
    _number("water_temperature", "Cel", "water", -2.0, 40.0, 4 * _HOUR, "水温", "water temperature"),
    _number("ph", "pH", "water", 0.0, 14.0, 4 * _HOUR, "pH", "pH"),
    _number("dissolved_oxygen", "mg/l", "water", 0.0, 25.0, 4 * _HOUR, "溶解氧", "dissolved oxygen", ug_per_l=1e-3),
    _number("conductivity", "S/m", "water", 0.0, 7.0, 4 * _HOUR, "电导率", "conductivity", mS_per_cm=0.1, uS_per_cm=1e-4),
    _number("turbidity", "NTU", "water", 0.0, 4000.0, 4 * _HOUR, "浊度", "turbidity"),
    _number("water_level", "m", "water", -5.0, 100.0, 4 * _HOUR, "水位", "water level", cm=0.01, mm=0.001),
    _number("cod_mn", "mg/l", "water", 0.0, 1000.0, _DAY, "高锰酸盐指数", "permanganate index"),
    _number("ammonia_n", "mg/l", "water", 0.0, 1000.0, _DAY, "氨氮", "ammonia nitrogen"),
    _number("total_p", "mg/l", "water", 0.0, 1000.0, _DAY, "总磷", "total phosphorus"),
    _number("total_n", "mg/l", "water", 0.0, 1000.0, _DAY, "总氮", "total nitrogen"),
    _number("chlorophyll_a", "mg/l", "water", 0.0, 10.0, _DAY, "叶绿素α", "chlorophyll a", ug_per_l=1e-3),
    _number("algae_density", "1/l", "water", 0.0, 1e13, _DAY, "藻密度", "algae density"),
    _text("published_class", "water", "发布的水质类别", "published water class"),
    _text("station_status", "water", "站点情况", "station status"),
    # where a moving probe was
    _number("lat", "lat", "position", -90.0, 90.0, _DAY, "纬度", "latitude"),
    _number("lon", "lon", "position", -180.0, 180.0, _DAY, "经度", "longitude"),
    _number("satellites", "count", "position", 0.0, 100.0, _DAY, "卫星数", "satellites in use"),
    # the device itself
    _number("battery_voltage", "V", "health", 0.0, 60.0, _DAY, "电池电压", "battery voltage", mV=1e-3),
    _number("battery_level", "%EL", "health", 0.0, 100.0, _DAY, "电池电量", "battery level"),
    _number("rssi", "dBW", "health", -200.0, 0.0, _DAY, "信号强度", "signal strength"),
    _number("memory_free", "B", "health", 0.0, None, _DAY, "剩余内存", "free memory"),
    _number("uptime", "s", "health", 0.0, None, _DAY, "运行时间", "uptime", ms=1e-3),
    _number("outbox_records", "count", "health", 0.0, None, _DAY, "设备待发记录", "records in the device's outbox"),
    _number("restarts", "count", "health", 0.0, None, _DAY, "任务重启次数", "tasks started again since boot"),
    _number("reconnects", "count", "health", 0.0, None, _DAY, "重新连接次数", "connections made since boot"),
    _number("reader_resets", "count", "health", 0.0, None, _DAY, "读卡器复位次数", "resets of the card reader since boot"),
    _number("scale_faults", "count", "health", 0.0, None, _DAY, "称重故障次数", "faults of the scale since boot"),
    _number("wake_charge", "C", "health", 0.0, None, _DAY, "每次唤醒电荷", "charge used by one wake"),
    _text("reset_cause", "health", "重启原因", "cause of the last reset"),
    _text("firmware", "health", "固件", "firmware version and hash"),
    _text("calibration", "health", "校准记录", "report of a calibration"),
    # events
    _state("sos", "event", 0.0, "紧急求助", "SOS"),
    _state("cancel", "event", 0.0, "我没事", "cancelled by the elder"),
    _state("smoke", "event", 0.0, "烟雾", "smoke"),
    _state("gas", "event", 0.0, "燃气", "gas"),
    _state("leak", "event", 0.0, "漏水", "water leak"),
    _text("selftest", "event", "自检", "self-test of the way of an alarm"),
    _state("pause", "event", 0.0, "本人暂停看护", "paused by the elder (button)"),
    _state("medication", "event", 0.0, "已服药", "medication taken (button)"),
    _state("meal", "event", 0.0, "已用餐", "meal eaten (button)"),
    _text("tap", "event", "打卡", "tap"),
    _text("proof", "event", "打卡证据", "proof of a tap"),
    _number("mass", "g", "event", 0.0, 50_000.0, 0.0, "重量", "mass on the scale beside a card reader", kg=1000.0),
    # the gateway about itself (written by the gateway, device `gateway`)
    _number("messages_stored", "count", "gateway", 0.0, None, 180.0, "已保存消息", "messages stored"),
    _number("messages_duplicate", "count", "gateway", 0.0, None, 180.0, "重复消息", "duplicate messages"),
    _number("messages_held", "count", "gateway", 0.0, None, 180.0, "待认领消息", "messages held"),
    _number("messages_dead", "count", "gateway", 0.0, None, 180.0, "无法识别的消息", "dead letters"),
    _number("outbox_entries", "count", "gateway", 0.0, None, 180.0, "待发送", "entries in the outbox"),
    _number("outbox_age", "s", "gateway", 0.0, None, 180.0, "最早待发送", "age of the oldest entry in the outbox"),
    _number("taps_queued", "count", "gateway", 0.0, None, 180.0, "待核对打卡", "taps that wait for the ledger of visits"),
    _number("alerts_open", "count", "gateway", 0.0, None, 180.0, "未处理告警", "open alerts"),
    _number("disk_free", "B", "gateway", 0.0, None, 180.0, "剩余磁盘", "free disk space"),
    _number("broker_dropped", "count", "gateway", 0.0, None, 180.0, "代理丢弃的消息", "messages the broker dropped"),
    _number("commit_time", "s", "gateway", 0.0, None, 180.0, "保存用时", "duration of the last transaction"),
    _number("write_time", "s", "gateway", 0.0, None, 180.0, "写入数据库用时", "duration of the last write to the database"),
    _state("database_ok", "gateway", 180.0, "数据库正常", "the database takes what it is given"),
    _number("database_refused", "count", "gateway", 0.0, None, 180.0, "数据库拒收", "entries the database refused"),
    _state("broker_connected", "gateway", 180.0, "已连接代理", "connected to the broker"),
    _state("clock_trusted", "gateway", 180.0, "网关时钟已同步", "the gateway's clock is synchronised"),
    _number("times_repaired", "count", "gateway", 0.0, None, 180.0, "时间非设备自报", "entries not timed by the device"),
    _number("notices_sent", "count", "gateway", 0.0, None, 180.0, "已送出的通知", "notices that a channel took"),
    _number("notices_failed", "count", "gateway", 0.0, None, 180.0, "发送失败的通知", "notices that no channel took"),
    _number("notices_waiting", "count", "gateway", 0.0, None, 180.0, "等待发送的通知", "notices on their way"),
    _number("alerts_unaccepted", "count", "gateway", 0.0, None, 180.0, "已通知无人接手", "alerts told and accepted by nobody"),
    _number("alert_unaccepted_age", "s", "gateway", 0.0, None, 180.0, "最久无人接手", "age of the oldest not accepted"),
    _number("certificate_left", "s", "gateway", None, None, 180.0, "证书剩余时间", "time until a certificate ends"),
    _number("disk_used", "/", "gateway", 0.0, 1.0, 180.0, "磁盘使用率", "share of the disk in use"),
    _number("devices_expected", "count", "gateway", 0.0, None, 180.0, "应有设备", "devices that should be heard"),
    _number("devices_silent", "count", "gateway", 0.0, None, 180.0, "失联设备", "devices that are silent"),
    _number("homes_unprotected", "count", "gateway", 0.0, None, 180.0, "未受保护的住家", "homes without a passed self-test"),
    _number("troubles", "count", "gateway", 0.0, None, 180.0, "网关故障", "troubles an operator should know"),
    # the gateway about each device, each minute, also about one that says nothing
    _number("silent_for", "s", "fleet", 0.0, None, 180.0, "未上线时间", "time since the device was heard"),
    _number("cadence", "s", "fleet", 0.0, None, 180.0, "上报间隔", "interval the device should keep"),
    _number("overdue", "/", "fleet", 0.0, None, 180.0, "失联程度", "silence against its limit, over 1 is silent"),
    _number("boots", "count", "fleet", 0.0, None, 180.0, "启动次数", "boots"),
    _number("missing_messages", "count", "fleet", 0.0, None, 180.0, "缺失消息", "messages that are missing"),
    _number("lost_messages", "count", "fleet", 0.0, None, 180.0, "已声明丢失", "messages the device declared lost"),
    _number("stored_messages", "count", "fleet", 0.0, None, 180.0, "已保存", "messages of the device that were stored"),
    _number("dead_messages", "count", "fleet", 0.0, None, 180.0, "无法识别", "messages of the device nobody understands"),
    # the gateway about each quantity it expects; the channel is the quantity's name
    _number("reading_age", "s", "silence", 0.0, None, 180.0, "距上次读数", "time since the quantity was measured"),
    _number("reading_overdue", "/", "silence", 0.0, None, 180.0, "读数逾期程度", "silence of the quantity against its limit"),
    # the gateway about each home
    _state("home_unprotected", "home", 180.0, "未受保护", "without a passed self-test"),
    _number("selftest_age", "s", "home", 0.0, None, 180.0, "距上次自检通过", "time since the last passed self-test"),
    _state("home_paused", "home", 180.0, "已暂停", "paused"),
    _state("home_away", "home", 180.0, "外出", "the home is empty"),
    _number("home_alerts", "count", "home", 0.0, None, 180.0, "未处理告警", "open alerts of the home"),
    _number("home_unaccepted_age", "s", "home", 0.0, None, 180.0, "最久无人接手", "age of its oldest not accepted"),
)

QUANTITIES: Final[Mapping[str, Quantity]] = MappingProxyType({q.name: q for q in _ALL})

EVENTS: Final = frozenset(q.name for q in _ALL if q.group == "event")
OWN_GROUPS: Final = frozenset({"gateway", "fleet", "silence", "home"})
"""What only the gateway itself says."""
NOT_SUMMED: Final = frozenset({"silence"})
"""Groups without roll-ups."""
