"""A line of evidence as a person reads it, in Chinese and English; kept and compared as the rules wrote it.

The rules write `2026-11-20 14:05:10+0800 motion.kitchen home-1`: a time and machine words, the same at each look, so that a
standing alert gathers no news. Alerts of yesterday's version hold the same lines. What no pattern knows stays as it is. Pure.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from edge_gateway import sensor_words
from edge_gateway.events import split_name
from edge_gateway.homes.round import EMERGENCY
from edge_gateway.homes.said import ELDER
from edge_gateway.rules import words
from edge_gateway.rules.sensor import CAUSES
from edge_gateway.second_opinion import REASONS

Words = tuple[str, str]  # zh, en
_Found = re.Match[str]


@dataclass(frozen=True, slots=True)
class Piece:
    """One line.

    Attributes:
        at_ns: wall clock, whole seconds; None: the line has no time.  zone: in which the line was written.
        zh, en: what was seen, the id of the device last, in brackets.
    """

    at_ns: int | None
    zone: tzinfo
    zh: str
    en: str


_TIMED: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)([+-])(\d\d)(\d\d) (.*)", re.DOTALL)
_NAME: Final = r"(?P<name>[a-z0-9_]+(?:\.[a-z0-9_.]+)?)"
_DEVICE: Final = r"(?: (?P<device>[A-Za-z0-9_-]+))?(?: \((?P<number>\d+/\d+)\))?"

_TESTS: Final[Mapping[str, Words]] = {
    "no_answer": ("设备没有应答", "the device did not answer"),
    "not_told": ("没有渠道确认", "no channel confirmed it"),
    "none passed": ("从来没有通过", "none passed"),
}
_VISITS: Final[Mapping[str, Words]] = {
    "tapped": ("已打卡", "tapped"),
    "reader_was_away": ("读卡器当时不在线", "the reader was away"),
    "not_expected": ("不再需要", "no longer expected"),
}
_FIXED: Final[Mapping[str, Words]] = {
    "counted from here": ("从这时起算", "counted from here"),
    "last life, still nothing: urgent": ("最后动静, 之后一直没有: 紧急", "last life, still nothing: urgent"),
    "pause ended": ("暂停到期", "the pause ended"),
    "on the feet since": ("从这时起一直在走动", "on the feet since"),
    "went out": ("出门", "went out"),
    "left by the door": ("出门", "left by the door"),
    "away pressed": ("按了外出开关", "away switch pressed"),
    "bed or chair taken": ("躺下或坐下", "bed or chair taken"),
    "meal missed": ("没有用餐", "meal missed"),
    "door closed": ("门关上了", "door closed"),
    "back in range": ("温度恢复", "back in range"),
    "dry": ("已干", "dry"),
    "medication pressed": ("按了服药按钮", "medication button pressed"),
    "medication pressed last": ("上次按服药按钮", "medication button pressed last"),
    "medication window began": ("服药时段开始", "medication window began"),
    "medication window ended": ("服药时段结束", "medication window ended"),
    "meal pressed": ("按了用餐按钮", "meal button pressed"),
    "meal pressed last": ("上次按用餐按钮", "meal button pressed last"),
    "meal window began": ("用餐时段开始", "meal window began"),
    "meal window ended": ("用餐时段结束", "meal window ended"),
    "firing": ("Grafana 告警", "Grafana fires"),
    "firing again": ("Grafana 又告警", "Grafana fires again"),
    "resolved": ("Grafana 说已恢复", "Grafana says it is over"),
}


def read(line: str) -> Piece:
    """A line in words; one that nobody knows, as it stands."""
    timed = _TIMED.fullmatch(line)
    if timed is None:
        return Piece(None, UTC, *_said(line))
    offset = timedelta(hours=int(timed[3]), minutes=int(timed[4]))
    try:
        zone: tzinfo = timezone(-offset if timed[2] == "-" else offset) if offset else UTC
        at = datetime.strptime(timed[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
    except ValueError:  # no calendar has it
        return Piece(None, UTC, line, line)
    return Piece(int(at.timestamp()) * 1_000_000_000, zone, *_said(timed[5]))


def zh(line: str) -> str:
    """11月20日 14:05:10 厨房 有动静 [home-1]"""
    piece = read(line)
    return piece.zh if piece.at_ns is None else f"{words.zh(piece.at_ns, piece.zone, seconds=True)} {piece.zh}"


def en(line: str) -> str:
    """20 Nov 14:05:10 kitchen motion [home-1]"""
    piece = read(line)
    return piece.en if piece.at_ns is None else f"{words.en(piece.at_ns, piece.zone, seconds=True)} {piece.en}"


@lru_cache(maxsize=2048)
def _said(text: str) -> Words:
    if text in _FIXED:
        return _FIXED[text]
    for pattern, say in _PATTERNS:
        found = pattern.fullmatch(text)
        told = say(found) if found is not None else None
        if found is not None and told is not None:
            parts = found.groupdict()
            about = " ".join(part for part in (parts.get("device"), parts.get("number")) if part)
            return (f"{told[0]} [{about}]", f"{told[1]} [{about}]") if about else told
    return text, text


def _reading(zh_after: str, en_after: str) -> Callable[[_Found], Words | None]:
    """A known quantity with its room, and what is told of it."""

    def say(found: _Found) -> Words | None:
        if not sensor_words.known(found["name"]):
            return None
        told = sensor_words.reading(found["name"])
        return told[0] + zh_after, told[1] + en_after

    return say


def _sign(found: _Found) -> Words | None:
    if not sensor_words.known(found["name"]):
        return None
    told, doubtful = sensor_words.sign(found["name"]), bool(found.groupdict().get("doubtful"))
    return (f"{told[0]} (存疑)", f"{told[1]} (doubtful)") if doubtful else told


def _open(found: _Found) -> Words | None:
    quantity, channel = split_name(found["name"])
    where = sensor_words.room(channel or "door")
    return (f"{where[0]}开着", f"{where[1]} open") if quantity == "contact" else None


def _degrees(found: _Found) -> Words | None:
    told = sensor_words.reading(found["name"])
    return f"{told[0]} {found['value']} °C", f"{told[1]} {found['value']} °C"


def _fault(found: _Found) -> Words | None:
    if not sensor_words.known(found["name"]):
        return None
    told, cause = sensor_words.reading(found["name"]), CAUSES[found["cause"]]
    value = f" ({found['value']})" if found["value"] else ""
    return f"{told[0]}: {cause[0]}{value}", f"{told[1]}: {cause[1]}{value}"


def _paused(found: _Found) -> Words:
    if found["by"] == ELDER:
        return "老人自己暂停看护", "paused by the elder"
    return f"{found['by']} 登记暂停", f"paused by {found['by']}"


def _test(found: _Found) -> Words:
    place = f" {found['place']}" if found["place"] else ""
    told = _TESTS.get(found["why"], (found["why"], found["why"]))
    return f"自检{place}: {told[0]}", f"self-test{place}: {told[1]}"


def _unknown(found: _Found) -> Words:
    why = REASONS.get(found["why"], (found["why"], found["why"]))
    return f"情况不明: {why[0]}", f"unknown: {why[1]}"


def _table(table: Mapping[str, Words], zh_text: str, en_text: str) -> Callable[[_Found], Words]:
    """`word` of a table, in a sentence with the other parts of the line."""

    def say(found: _Found) -> Words:
        word, parts = table[found["word"]], found.groupdict(default="")
        return zh_text.format(**{**parts, "word": word[0]}), en_text.format(**{**parts, "word": word[1]})

    return say


def _text(zh_text: str, en_text: str) -> Callable[[_Found], Words]:
    def say(found: _Found) -> Words:
        parts = found.groupdict(default="")
        return zh_text.format(**parts).strip(), en_text.format(**parts).strip()

    return say


def _any(table: Mapping[str, Words]) -> str:
    return "|".join(table)


_DECLARED: Final = f"(?P<word>{_any(EMERGENCY)})"
# What is special before what is general: the last one takes any `quantity.channel device`.
_ANY: Final[tuple[tuple[str, Callable[[_Found], Words | None]], ...]] = (
    (rf"{_NAME} no longer active{_DEVICE}", _reading(" 报警解除", ": alarm over")),
    (rf"{_NAME} active{_DEVICE}", _reading(" 报警", ": alarm")),
    (rf"{_NAME} unreadable{_DEVICE}", _reading(" 的消息读不出来", ": message unreadable")),
    (rf"{_NAME} wet(?: since)?{_DEVICE}", _reading("", "")),
    (rf"{_NAME} dry", _reading(": 已干", ": dry")),
    (rf"{_NAME} open{_DEVICE}", _open),
    (rf"{_NAME} cannot be believed{_DEVICE}", _reading(" 不可信", " cannot be believed")),
    (rf"{_NAME}(?:@(?P<device>\S+))? (?P<value>-?[0-9.]+) °C", _degrees),
    (rf"{_NAME} (?P<cause>{_any(CAUSES)})(?: (?P<value>\S+))?", _fault),
    (rf"bed left{_DEVICE}", _text("离开床", "left the bed")),
    (r"last heard (?P<n>\d+) devices by (?P<device>\S+)", _text("最后有消息, 共 {n} 台设备", "last heard, {n} devices")),
    (r"last heard (?P<n>\d+) of (?P<all>\d+) devices", _text("最后有消息, {all} 台中的 {n} 台", "last heard, {n} of {all}")),
    (r"last heard (?P<device>\S+)", _text("最后有消息", "last heard")),
    (r"selftest (?P<place>)(?P<why>none passed|no_answer|not_told)", _test),
    (r"selftest (?P<place>[^ :]+): (?P<why>.+)", _test),
    (r"selftest (?P<device>.+) \((?P<took>[0-9.]+) s\)", _text("自检已收到, {took} 秒", "self-test heard, {took} s")),
    (r"last tap (?P<device>\S+)(?: (?P<who>\S+))?", _text("最后一次打卡 {who}", "last tap {who}")),
    (r"reader heard (?P<device>\S+)", _text("读卡器有消息", "reader heard")),
    (r"due (?P<device>\S+)", _text("应已送达", "was due")),
    (r"said_by (?P<who>\S+) (?P<device>\S+)", _text("{who} 已说明", "{who} said so")),
    (rf"(?P<word>{_any(_VISITS)}) (?P<device>\S+)", _table(_VISITS, "{word}", "{word}")),
    (r"paused by (?P<by>\S+)", _paused),
    (rf"{_DECLARED} declared by (?P<who>\S+)", _table(EMERGENCY, "{who} 宣布{word}应急", "{word} declared by {who}")),
    (rf"{_DECLARED} ended", _table(EMERGENCY, "{word}应急到期", "{word} ended")),
    (r"unknown (?P<why>.+)", _unknown),
    (r"(?P<n>\d+) left out by Grafana \(maxAlerts\)", _text("Grafana 略去了 {n} 条", "Grafana left out {n}")),
    (r"(?P<n>\d+) damaged rows", _text("{n} 行损坏", "{n} damaged rows")),
    (rf"{_NAME} \((?P<device>[^()]+)\)(?P<doubtful> doubtful)?", _sign),
    (rf"{_NAME}{_DEVICE}", _sign),
)  # fmt: skip
_PATTERNS: Final = tuple((re.compile(pattern), say) for pattern, say in _ANY)
