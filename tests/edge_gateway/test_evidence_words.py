"""A line of evidence is read in two languages, also one that yesterday's version left in an open alert; unknown ones stand."""

import ast
from pathlib import Path

import pytest

from edge_gateway import evidence_words, rules, sensor_words
from edge_gateway.catalog import QUANTITIES

AT = "2026-11-20 14:05:10+0800 "


@pytest.mark.parametrize(
    ("kept", "zh", "en"),
    [
        ("motion.living_room home-1", "客厅 有动静 [home-1]", "living room motion [home-1]"),
        ("motion.kitchen (h1) doubtful", "厨房 有动静 (存疑) [h1]", "kitchen motion (doubtful) [h1]"),
        ("motion.bedroom2 h1", "卧室2 有动静 [h1]", "bedroom 2 motion [h1]"),
        ("motion.pantry h1", "pantry 有动静 [h1]", "pantry motion [h1]"),
        ("contact.front_door h1", "大门 开关 [h1]", "front door opened or closed [h1]"),
        ("contact h1", "门 开关 [h1]", "door opened or closed [h1]"),
        ("contact.front open h1", "大门开着 [h1]", "front door open [h1]"),
        ("bed left h1", "离开床 [h1]", "left the bed [h1]"),
        ("sos button-3 (17/1441)", "按了紧急按钮 [button-3 17/1441]", "SOS pressed [button-3 17/1441]"),
        ("pause h1", "本人按了暂停 [h1]", "the elder pressed pause [h1]"),
        ("seen zhang", "工作人员看过 [zhang]", "seen by staff [zhang]"),
        ("temperature.bedroom@h1 31.5 °C", "卧室 温度 31.5 °C [h1]", "bedroom temperature 31.5 °C [h1]"),
        ("smoke.kitchen active h1 (17/3)", "厨房 烟雾 报警 [h1 17/3]", "kitchen smoke: alarm [h1 17/3]"),
        ("gas no longer active h1 (17/4)", "燃气 报警解除 [h1 17/4]", "gas: alarm over [h1 17/4]"),
        ("leak.bath wet since h1", "卫生间 漏水 [h1]", "bathroom water leak [h1]"),
        ("motion.hall stuck 1", "门厅 有动静: 数值卡住 (1)", "hall motion: stuck (1)"),
        ("last heard home-1", "最后有消息 [home-1]", "last heard [home-1]"),
        ("last heard 5 devices by rx-1", "最后有消息, 共 5 台设备 [rx-1]", "last heard, 5 devices [rx-1]"),
        ("selftest p1: no_answer", "自检 p1: 设备没有应答", "self-test p1: the device did not answer"),
        ("selftest h1 9f3c (1.2 s)", "自检已收到, 1.2 秒 [h1 9f3c]", "self-test heard, 1.2 s [h1 9f3c]"),
        ("last tap door-1 rider-3", "最后一次打卡 rider-3 [door-1]", "last tap rider-3 [door-1]"),
        ("said_by li lunch/2026-11-20", "li 已说明 [lunch/2026-11-20]", "li said so [lunch/2026-11-20]"),
        ("paused by elder", "老人自己暂停看护", "paused by the elder"),
        ("paused by zhang", "zhang 登记暂停", "paused by zhang"),
        ("flood declared by li", "li 宣布洪水应急", "flood declared by li"),
        ("medication window ended", "服药时段结束", "medication window ended"),
        ("counted from here", "从这时起算", "counted from here"),
        ("firing", "Grafana 告警", "Grafana fires"),
        ("firing again", "Grafana 又告警", "Grafana fires again"),
        ("resolved", "Grafana 说已恢复", "Grafana says it is over"),
        ("unknown MissingSeries", "情况不明: 这一项不再有数据", "unknown: its series no longer comes"),
        ("unknown NoData, KeepLast", "情况不明: NoData, KeepLast", "unknown: NoData, KeepLast"),
        ("900 left out by Grafana (maxAlerts)", "Grafana 略去了 900 条", "Grafana left out 900"),
    ],
)
def test_a_line_in_two_languages(kept: str, zh: str, en: str) -> None:
    assert evidence_words.zh(AT + kept) == f"11月20日 14:05:10 {zh}"
    assert evidence_words.en(AT + kept) == f"20 Nov 14:05:10 {en}"


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: boom (17/3)",
        "",
        "door.front h1",
        "2026-13-20 14:05:10+0800 bed h1",
        AT + "a word nobody knows",
        "{n} {0}",
    ],
)
def test_what_nobody_knows_stands_as_it_was_written(line: str) -> None:
    assert evidence_words.zh(line).endswith(line.removeprefix(AT))
    assert evidence_words.en(line).endswith(line.removeprefix(AT))


def test_a_site_whose_zone_is_unknown_says_that_it_is_utc() -> None:
    assert evidence_words.zh("2026-11-20 06:05:10+0000 bed h1") == "11月20日 06:05:10 UTC 上床或下床 [h1]"
    assert evidence_words.read("2026-11-20 06:05:10-0330 bed h1").at_ns == 1_795_167_310 * 10**9


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_of_the_catalogue_has_words(name: str) -> None:
    zh, en = sensor_words.reading(f"{name}.kitchen")
    assert zh.startswith("厨房 ") and en.startswith("kitchen ")
    assert evidence_words.zh(f"{AT}{name}.kitchen home-1").endswith(" [home-1]")


def test_no_rule_writes_fixed_words_that_are_shown_as_they_stand() -> None:
    """Words after `exact(...)` in an f-string of the rules that hold nothing else."""
    found = []
    for file in Path(rules.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) and len(node.values) == 2 and isinstance(node.values[1], ast.Constant):
                first, rest = node.values
                if isinstance(first, ast.FormattedValue) and "exact" in ast.unparse(first):
                    found.append(str(rest.value).strip())
    assert len(found) > 3
    assert [text for text in found if evidence_words.zh(text) == text] == []
