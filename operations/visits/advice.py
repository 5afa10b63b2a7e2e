"""What a member of staff does about each reason: for the review queue and for docs/visits.md."""

from typing import Final

from edge_gateway.visits.records import Reason
from edge_gateway.visits.words import Words

_CARD: Final = Words("请配送员到服务台验卡; 去过就 approve", "Let the courier show the card at the desk; was he there: approve")
_ASK: Final = Words(
    "问配送员和老人; 去过就 approve, 没去过才 decline", "Ask courier and elder; approve, or decline if nobody was there"
)
_WAIT: Final = Words(
    "等读卡器连上; 月底仍不明就问老人, 再 confirm", "Wait for the reader; still open at month end: ask, then confirm"
)
_NOTHING: Final = Words("不用做什么", "Nothing to do")

ADVICE: Final[dict[Reason, Words]] = {
    Reason.BAD_CODE: Words("验这张卡; 反复出现就作废换新", "Check the card; again and again: revoke it and give a new one"),
    Reason.REPLAY: Words("有人重复用了旧码: 验卡, 问是谁", "Somebody used an old code again: check the card, ask who"),
    Reason.NOT_OUR_CARD: Words(
        "别处的卡或手机: 一般不用管, 很多次就去看看", "A foreign card or phone: nothing, unless it is often"
    ),
    Reason.UNKNOWN_CARD: Words("登记这张卡, 或给他一张; 再写明是谁", "Enrol the card or give one; then say who it was"),
    Reason.REVOKED_CARD: Words(
        "作废的卡被用: 问是谁, 收回; 本人去过就 approve",
        "A revoked card was used: ask who, take it in; approve if he was there",
    ),
    Reason.WEAKER_PROOF: Words("可能是读得太快, 也可能是仿卡: 验卡", "Read too briefly, or an imitation: check the card"),
    Reason.CLONED_CARD: Words(
        "可能有一张复制卡: 两次打卡都问, 换卡", "There may be a copy: ask about both taps, change the card"
    ),
    Reason.COUNTER_OUT_OF_ORDER: Words(
        "先看读卡器时钟; 钟没问题就验卡", "First look at the readers' clocks, then check the card"
    ),
    Reason.COUNTER_GAP: _CARD,
    Reason.BURST: _CARD,
    Reason.TWO_PLACES: Words("看两处读卡器的时钟; 再问配送员", "Look at both readers' clocks; then ask the courier"),
    Reason.SLOW_ANSWER: _CARD,
    Reason.CARD_UNREADABLE: Words("去过就 approve; 常有就换卡", "Approve if he was there; often: a new card"),
    Reason.CLOCK_UNSYNCED: Words("问大概几点; 用 change 写时间", "Ask when it was; change writes the time"),
    Reason.WRONG_PLACE: _ASK,
    Reason.LOCATION_UNVERIFIED: _ASK,
    Reason.UNPLANNED: Words("补进计划, 或 approve 这一次", "Add it to the plan, or approve this one"),
    Reason.EARLY: _NOTHING,
    Reason.LATE: _NOTHING,
    Reason.SUBSTITUTE: _NOTHING,
    Reason.SYNCED_LATE: _NOTHING,
    Reason.READER_OFFLINE: _WAIT,
    Reason.READER_DEAD: Words("修读卡器; 问老人, 再 confirm", "Mend the reader; ask the elder, then confirm"),
    Reason.GATEWAY_DOWN: _WAIT,
    Reason.NO_READER: Words("用手机打卡, 或问老人再 confirm", "Use the phone, or ask the elder and confirm"),
    Reason.CARD_FORGOTTEN: Words("问是谁, 用 change 写上", "Ask who it was; change writes it"),
    Reason.VISIT_WITHOUT_TAP: _NOTHING,
    Reason.ELDER_ABSENT: Words("联系家属; 写明结果", "Call the family; note the outcome"),
    Reason.OBJECTION: Words("再看一次, 答复配送员", "Look again, and answer the courier"),
    Reason.TAP_CAME_LATER: Words(
        "是同一次就 decline 这条; 是另一次就 approve", "The same visit: decline this one; another visit: approve it"
    ),
}


def advice(reason: Reason, language: str) -> str:
    """What to do. `language` is `zh-CN` or `en`."""
    found = ADVICE[reason]
    return found.en if language == "en" else found.zh
