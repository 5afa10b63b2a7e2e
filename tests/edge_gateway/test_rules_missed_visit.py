"""A missed visit is told once, in words that say what to do, and ends when it was made after all."""

from dataclasses import replace
from types import MappingProxyType

from edge_gateway import registry
from edge_gateway.rules import Finding, Returned, Severity, View, look
from edge_gateway.rules.rule import Missed, VisitsSeen

KNOWN = registry.parse('[sites.futian]\nzone = "Asia/Shanghai"\n')
NOW = 1_795_150_000 * 10**9
HOUR = 3600 * 10**9
MISSED = Missed("futian", "w3-201", "meal-1/2026-11-20", "meal", "k-1", NOW - 2 * HOUR, NOW - HOUR, NOW, ("a", "b", "c"))
KEY = "missed-visit/futian/meal-1/2026-11-20"


def said(visits: VisitsSeen | None, *open_: str) -> list[Finding | Returned]:
    return look(View(NOW, KNOWN, open=set(open_), visits=visits))


def test_it_says_where_what_when_and_what_to_do_in_both_languages() -> None:
    (found,) = said(VisitsSeen((MISSED,)))
    assert isinstance(found, Finding)
    assert (found.key, found.severity, found.place, found.returns) == (KEY, Severity.WARNING, "w3-201", True)
    assert found.text_zh == (
        "w3-201: 送餐未送达。应在 11月20日 10:46 到 11:46 之间, 应由 k-1 上门; 到 12:46 没有打卡, 读卡器一直正常。"
        "请先联系配送员, 再给住家打电话或上门看望。"
    )
    assert "Expected 20 Nov 10:46 to 11:46, k-1 was to come; no tap by 12:46" in found.text_en
    assert found.evidence == ("a", "b", "c")


def test_a_card_nobody_knows_is_told_in_words_of_its_own() -> None:
    (found,) = said(VisitsSeen((replace(MISSED, stranger_ns=NOW - 5400 * 10**9),)))
    assert isinstance(found, Finding)
    assert found.key == KEY and found.returns
    assert "送餐是否送达, 没有人知道" in found.text_zh and "11:16 有人用一张没有登记的卡打卡" in found.text_zh
    assert "k-1 was to come; at 11:16 somebody tapped with a card nobody knows. Ask the courier" in found.text_en


def test_an_open_alert_is_not_raised_again_and_nothing_is_said_before_the_ledger_has() -> None:
    assert said(VisitsSeen((MISSED,)), KEY) == []
    assert said(None) == [] and said(None, KEY) == []


def test_it_ends_with_the_time_and_the_reason_the_ledger_gives() -> None:
    settled = MappingProxyType({("futian", "meal-1/2026-11-20"): (NOW - HOUR, "tapped")})
    returned = Returned(KEY, NOW - HOUR, "tapped", "2026-11-20 11:46:40+0800 tapped meal-1/2026-11-20")
    assert said(VisitsSeen((), settled), KEY, "sos/futian/w3-201") == [returned]
    assert said(VisitsSeen((), settled)) == []
    assert said(VisitsSeen((MISSED,), settled), KEY) == [returned]


def test_a_site_nobody_knows_any_more_and_a_visit_of_anybody_can_be_told_too() -> None:
    (found,) = said(VisitsSeen((Missed("gone", "p", "m/2026-11-20", "meal", "", NOW, NOW, NOW),)))
    assert isinstance(found, Finding) and "was to come" not in found.text_en
    assert "UTC" not in found.text_en  # in the one zone that all known sites have
