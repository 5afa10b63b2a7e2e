"""Every word of a visit is there in both languages, and none of them blames anybody."""

import re
from enum import StrEnum

import pytest

from edge_gateway.visits import corrections, words
from edge_gateway.visits.records import CardKind, CardRole, Grade, Reason, Ruling, State

TABLES: list[tuple[type[StrEnum], dict[StrEnum, words.Words]]] = [
    (Reason, dict(words.REASONS)),
    (State, dict(words.STATES)),
    (Grade, dict(words.GRADES)),
    (Grade, dict(words.GRADES_EXPLAINED)),
    (Ruling, dict(words.RULINGS)),
    (CardRole, dict(words.ROLES)),
    (CardKind, dict(words.KINDS)),
]
ALL = [pair for _, table in TABLES for pair in table.values()] + list(words.SERVICES.values()) + list(words.ACTIONS.values())
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_every_word_has_both_languages(kind: type[StrEnum], table: dict[StrEnum, words.Words]) -> None:
    assert set(table) == set(kind)
    for word in kind:
        assert words.text(word, "zh-CN")
        assert words.text(word, "en")


def test_every_action_on_a_visit_has_words() -> None:
    assert set(words.ACTIONS) == set(corrections.ACTIONS)


@pytest.mark.parametrize("pair", ALL, ids=lambda pair: pair.en[:30])
def test_chinese_is_chinese_english_is_english_and_both_are_short(pair: words.Words) -> None:
    assert CHINESE.search(pair.zh)
    assert not CHINESE.search(pair.en)
    assert len(pair.zh) <= 34
    assert len(pair.en) <= 100


@pytest.mark.parametrize("pair", ALL, ids=lambda pair: pair.en[:30])
def test_nobody_is_blamed(pair: words.Words) -> None:
    for accusing in ("作弊", "造假", "欺诈", "可疑", "违规", "错误", "失败", "罚"):
        assert accusing not in pair.zh
    for accusing in ("fraud", "cheat", "fake", "suspicious", "violation", "error", "fault", "fail", "penalty", "illegal"):
        assert accusing not in pair.en.lower()


def test_a_reason_says_what_happens_next() -> None:
    for reason, pair in words.REASONS.items():
        assert re.search("计入|站点|请", pair.zh), reason
        assert re.search("counted|office|please", pair.en), reason


def test_a_state_and_a_reason_of_one_name_have_their_own_words() -> None:
    assert words.text(State.LATE, "en") == "late"
    assert words.text(Reason.LATE, "en") == "After the planned time; it is counted"
    with pytest.raises(TypeError, match="has no words"):
        words.text(Other.LATE, "en")


class Other(StrEnum):
    LATE = "late"


def test_an_unknown_service_is_shown_as_it_is_named() -> None:
    assert (words.service("bath", "zh-CN"), words.service("haircut", "en"), words.service("", "en")) == ("助浴", "haircut", "-")
    assert words.state(State.UNKNOWN, "zh") == words.state(State.UNKNOWN, "zh-CN") == "情况不明"
