"""The words of visits in Chinese and English, for screens, sheets and messages: short, no blame, and what comes next."""

from enum import StrEnum
from typing import Final, NamedTuple

from edge_gateway.visits.records import CardKind, CardRole, Grade, Reason, Ruling, State

LANGUAGES: Final = ("zh-CN", "en")


class Words(NamedTuple):
    """One idea in both languages."""

    zh: str
    en: str


REASONS: Final[dict[Reason, Words]] = {
    Reason.BAD_CODE: Words(
        "卡的验证码不对, 这次没有计入; 请让站点检查这张卡",
        "The card's code was wrong and is not counted; the office checks the card",
    ),
    Reason.REPLAY: Words("这个验证码以前用过; 站点会核对", "This code was used before; the office looks at it"),
    Reason.NOT_OUR_CARD: Words(
        "不是本站的卡, 没有计入; 请用站点发的卡", "Not one of our cards and not counted; please use the card from the office"
    ),
    Reason.UNKNOWN_CARD: Words(
        "这张卡还没有登记; 已先计入, 站点会补登记", "This card is not enrolled yet; it is counted, the office will enrol it"
    ),
    Reason.REVOKED_CARD: Words(
        "这张卡已作废; 打卡已记录, 站点会核对并换新卡",
        "This card was withdrawn; the tap is kept, the office checks it and gives a new card",
    ),
    Reason.WEAKER_PROOF: Words(
        "只读到卡号; 已先计入, 站点会核对", "Only the card's number was read; it is counted, the office checks it"
    ),
    Reason.CLONED_CARD: Words(
        "卡的计数对不上; 已先计入, 站点会核对, 可能要换卡",
        "The card's counter does not fit; it is counted, the office checks it",
    ),
    Reason.COUNTER_OUT_OF_ORDER: Words(
        "打卡的先后和时间对不上; 已先计入, 站点会核对",
        "The order and the times of taps differ; it is counted, the office checks it",
    ),
    Reason.COUNTER_GAP: Words(
        "卡在别处被读过很多次; 已先计入, 站点会核对",
        "The card was read many times elsewhere; it is counted, the office checks it",
    ),
    Reason.BURST: Words(
        "几分钟内打卡很多次; 已先计入, 站点会核对", "Many taps within a few minutes; it is counted, the office checks it"
    ),
    Reason.TWO_PLACES: Words(
        "两个地点的打卡离得太近; 已先计入, 站点会核对",
        "Taps at two places very close in time; it is counted, the office checks it",
    ),
    Reason.SLOW_ANSWER: Words(
        "卡回答得慢; 已先计入, 站点会核对", "The card answered slowly; it is counted, the office checks it"
    ),
    Reason.CARD_UNREADABLE: Words(
        "卡没有读完整; 已先计入, 下次请多贴一会儿",
        "The card was not read fully; it is counted, please hold it a little longer next time",
    ),
    Reason.CLOCK_UNSYNCED: Words(
        "读卡器的时钟没有对好; 已先计入, 站点会核对时间",
        "The reader's clock was not set; it is counted, the office checks the time",
    ),
    Reason.WRONG_PLACE: Words(
        "计划在另一处; 已先计入, 站点会核对", "Planned for another place; it is counted, the office checks it"
    ),
    Reason.LOCATION_UNVERIFIED: Words(
        "手机位置没有核实; 已先计入, 站点会核对", "The phone's position is not verified; it is counted, the office checks it"
    ),
    Reason.UNPLANNED: Words("计划里没有这次上门; 已先计入, 站点会核对", "Not in the plan; it is counted, the office checks it"),
    Reason.EARLY: Words("比计划早; 已计入", "Before the planned time; it is counted"),
    Reason.LATE: Words("比计划晚; 已计入", "After the planned time; it is counted"),
    Reason.SUBSTITUTE: Words("代班; 已计入", "Another courier than planned; it is counted"),
    Reason.SYNCED_LATE: Words(
        "读卡器当时离线, 后来才传到; 按打卡时间计入",
        "The reader was offline and sent it later; it is counted at the time of the tap",
    ),
    Reason.READER_OFFLINE: Words(
        "读卡器离线, 还不知道; 等它连上, 或请站点补记",
        "The reader is offline; it is known when it is back, or the office adds it",
    ),
    Reason.READER_DEAD: Words(
        "读卡器没有工作, 无法知道; 去过请告诉站点补记", "The reader was not working; if you were there, the office adds it"
    ),
    Reason.GATEWAY_DOWN: Words(
        "网关没有工作, 还不知道; 等记录传来, 或请站点补记",
        "The gateway was not working; it is known when the records arrive, or the office adds it",
    ),
    Reason.NO_READER: Words(
        "这里没有读卡器; 请用手机打卡, 或请站点补记", "No reader here; please use the phone, or the office adds it"
    ),
    Reason.CARD_FORGOTTEN: Words(
        "没有读到配送员的卡; 站点会补上是谁", "No courier's card was read; the office adds who it was"
    ),
    Reason.VISIT_WITHOUT_TAP: Words("没有打卡, 由工作人员确认上门; 已计入", "Without a tap, confirmed by staff; it is counted"),
    Reason.ELDER_ABSENT: Words("老人不在家; 站点会联系家属", "Nobody was at home; the office calls the family"),
    Reason.OBJECTION: Words("已提出申诉; 站点会再看一次并答复", "An objection was made; the office looks again and answers"),
    Reason.TAP_CAME_LATER: Words(
        "后来收到了打卡, 已另外记为一次上门; 站点会核对是不是同一次",
        "A tap came later and is a visit of its own; the office checks whether both are the same",
    ),
}

STATES: Final[dict[State, Words]] = {
    State.PLANNED: Words("未到时间", "planned"),
    State.ON_TIME: Words("准时", "on time"),
    State.EARLY: Words("提前", "early"),
    State.LATE: Words("迟到", "late"),
    State.WRONG_PLACE: Words("地点不符", "other place"),
    State.UNPLANNED: Words("计划外", "unplanned"),
    State.MISSED: Words("未送达", "missed"),
    State.UNKNOWN: Words("情况不明", "unknown"),
    State.CANCELLED: Words("已取消", "cancelled"),
}

GRADES: Final[dict[Grade, Words]] = {
    Grade.STRONG: Words("强", "strong"),
    Grade.MEDIUM: Words("中", "medium"),
    Grade.WEAK: Words("弱", "weak"),
    Grade.NONE: Words("无", "none"),
}

# Why a proof is as good as it is.
GRADES_EXPLAINED: Final[dict[Grade, Words]] = {
    Grade.STRONG: Words("卡当时就在读卡器上", "the card was at the reader at that time"),
    Grade.MEDIUM: Words("一次性验证码, 但别人也可能读到这张卡", "a one-time code of a tag that others can reach too"),
    Grade.WEAK: Words("只有卡号, 卡号可以复制", "only a number, which can be copied"),
    Grade.NONE: Words("没有打卡证据", "no proof by a tap"),
}

RULINGS: Final[dict[Ruling, Words]] = {
    Ruling.COUNTED: Words("已计入", "counted"),
    Ruling.REVIEW: Words("待核对", "in review"),
    Ruling.REFUSED: Words("未采用", "not accepted"),
    Ruling.REPEATED: Words("重复打卡", "the same tap again"),
}

ROLES: Final[dict[CardRole, Words]] = {
    CardRole.COURIER: Words("配送员", "courier"),
    CardRole.PLACE: Words("门牌标签", "tag at the door"),
    CardRole.SERVICE: Words("服务标签", "tag of a service"),
    CardRole.STAFF: Words("工作人员", "staff"),
    CardRole.ELDER: Words("老人", "elder"),
}

KINDS: Final[dict[CardKind, Words]] = {
    CardKind.NTAG424: Words("NTAG 424 加密卡", "NTAG 424 DNA"),
    CardKind.NTAG424_LRP: Words("NTAG 424 加密卡 (LRP)", "NTAG 424 DNA (LRP)"),
    CardKind.NTAG21X: Words("NTAG21x 卡", "NTAG21x"),
    CardKind.UID: Words("只有卡号的卡", "card with a number only"),
}

SERVICES: Final[dict[str, Words]] = {
    "meal": Words("送餐", "meal"),
    "bath": Words("助浴", "bath"),
    "call": Words("探访", "call"),
}

ACTIONS: Final[dict[str, Words]] = {
    "approve": Words("认可", "approved"),
    "decline": Words("不认可", "declined"),
    "confirm": Words("确认上门", "confirmed without a tap"),
    "change": Words("更正", "changed"),
    "object": Words("申诉", "objection"),
    "note": Words("备注", "note"),
}


def reason(word: Reason, language: str) -> str:
    """The reason as its courier reads it. `language` is `zh-CN` (or `zh`) or `en`; so below."""
    return _in(language, REASONS[Reason(word)])


def state(word: State, language: str) -> str:
    return _in(language, STATES[State(word)])


def grade(word: Grade, language: str) -> str:
    return _in(language, GRADES[Grade(word)])


def grade_explained(word: Grade, language: str) -> str:
    return _in(language, GRADES_EXPLAINED[Grade(word)])


def ruling(word: Ruling, language: str) -> str:
    return _in(language, RULINGS[Ruling(word)])


def role(word: CardRole, language: str) -> str:
    return _in(language, ROLES[CardRole(word)])


def kind(word: CardKind, language: str) -> str:
    return _in(language, KINDS[CardKind(word)])


def service(name: str, language: str) -> str:
    """A service; one that a site named itself is shown as it is named, none as a dash."""
    known = SERVICES.get(name)
    return _in(language, known) if known is not None else name or "-"


def action(name: str, language: str) -> str:
    """What a person did to a visit."""
    known = ACTIONS.get(name)
    return _in(language, known) if known is not None else name


def text(word: StrEnum, language: str) -> str:
    """Any of the words above by its own type.

    Raises:
        TypeError: of another type, such as a plain text: `late` is a state and a reason.
    """
    match word:
        case Reason():
            return reason(word, language)
        case State():
            return state(word, language)
        case Grade():
            return grade(word, language)
        case Ruling():
            return ruling(word, language)
        case CardRole():
            return role(word, language)
        case CardKind():
            return kind(word, language)
    raise TypeError(f"{type(word).__name__} {word!r} has no words; Reason, State, Grade, Ruling, CardRole and CardKind have")


def _in(language: str, words: Words) -> str:
    return words.en if language == "en" else words.zh
