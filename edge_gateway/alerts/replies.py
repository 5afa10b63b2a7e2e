"""A person answers a message with a word: 1 or 接手 accepts, 2 to 5 or 误按, 平安, 送医, 测试 closes; all else changes nothing.

Only a whole answer counts: `我接手不了` holds 接手 and means the opposite, and 收到 says that it was read, not that
somebody goes.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from edge_gateway.alerts.alert import Alert
from edge_gateway.alerts.book import AlertBook

_ACCEPT: Final = frozenset(
    {"1", "接手", "我接手", "我去", "我来", "我马上去", "马上去", "ok", "okay", "accept", "yes", "on it"}
)
REASONS: Final = {"2": "false_press", "3": "visited_fine", "4": "ambulance", "5": "test"}
_CLOSE: Final = {
    **REASONS,
    **dict.fromkeys(("误按", "误报", "按错了", "false press", "false_press", "false alarm"), "false_press"),
    **dict.fromkeys(("平安", "看过了", "看过了平安", "没事", "visited fine", "visited_fine", "fine"), "visited_fine"),
    **dict.fromkeys(("送医", "救护车", "已送医", "已叫救护车", "120", "ambulance"), "ambulance"),
    **dict.fromkeys(("测试", "test"), "test"),
}
_CODE: Final = re.compile(r"[23456789abcdefghjkmnpqrstwxyz]{4}")
HELP_ZH: Final = "回复 1 接手; 处理完后回复 2 误按, 3 看过了平安, 4 已送医, 5 测试。有多条告警时后面加上编号, 例如 1 {code}。"
HELP_EN: Final = (
    "Answer 1 to accept; when it is over 2 false press, 3 visited, fine, 4 ambulance, 5 test. "
    "With several alerts add the code: 1 {code}."
)


@dataclass(frozen=True, slots=True)
class Meant:
    """What an answer says: `accept`, `close` or "" (nothing that is known), and the code of the alert, "" for none."""

    act: str
    reason: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it, and what the person is told.

    Attributes:
        did: `accepted`, `closed`, or `none`.
    """

    understood: bool
    did: str
    alert: Alert | None
    zh: str
    en: str


def meant(text: str) -> Meant:
    """The sense of an answer; the bot's name (`@看护`), marks, blanks, full width and capitals do not matter."""
    words = [word for word in unicodedata.normalize("NFKC", text).lower().split() if not word.startswith("@")]
    words = [clean for word in words if (clean := re.sub(r"[^\w]+", "", word))]
    for code in ("", *(word for word in words[1:] if _CODE.fullmatch(word)), *(w for w in words[:1] if _CODE.fullmatch(w))):
        rest = [word for word in words if word != code]
        for said in (" ".join(rest), "".join(rest)):
            if said in _ACCEPT:
                return Meant("accept", code=code)
            if said in _CLOSE:
                return Meant("close", _CLOSE[said], code)
    return Meant("")


def answer(book: AlertBook, person: str, text: str, now_ns: int) -> Done:
    """Do what the person's answer says, to the one alert it can be about.

    Raises:
        Rejected: `no_person`.
    """
    said = meant(text)
    if not said.act:
        return _nothing(False, "没有看懂, 什么都没有改变。", "Not understood, nothing was changed. ", book, person)
    about = _about(book, person, said)
    if not about:
        zh, en = "没有等你回复的告警" + (f" (编号 {said.code})。" if said.code else "。"), "No alert waits for your answer. "
        return _nothing(True, zh, en, book, person)
    if len(about) > 1:
        listed = "; ".join(f"{alert.code}: {alert.text_zh[:40]}" for alert in about[:5])
        zh = f"有 {len(about)} 条告警, 什么都没有改变。{listed}。"
        return _nothing(True, zh, f"{len(about)} alerts are open, nothing was changed. ", book, person)
    return _accept(book, about[0], person, now_ns) if said.act == "accept" else _close(book, about[0], person, said, now_ns)


def _accept(book: AlertBook, alert: Alert, person: str, now_ns: int) -> Done:
    was_open = alert.unanswered
    alert = book.accept(alert.id, person, now_ns)
    if alert.accepted_by != person:
        zh, en = f"{alert.accepted_by} 已经接手: {alert.text_zh}", f"{alert.accepted_by} has accepted it already."
        return Done(True, "none", alert, zh, en)
    zh = f"已由你接手: {alert.text_zh} 处理完后回复 2 误按, 3 看过了平安, 4 已送医。"
    en = "Accepted by you. When it is over answer 2 false press, 3 visited, fine, 4 ambulance."
    return Done(True, "accepted" if was_open else "none", alert, zh, en)


def _close(book: AlertBook, alert: Alert, person: str, said: Meant, now_ns: int) -> Done:
    alert = book.close(alert.id, person, said.reason, now_ns)
    return Done(True, "closed", alert, f"已处理: {alert.text_zh}", f"Closed: {said.reason}.")


def _about(book: AlertBook, person: str, said: Meant) -> list[Alert]:
    """With a code: the open alert that has it. Without: those this person was told of, or has accepted, that wait for this."""
    alerts = [alert for alert in book.open_alerts() if not alert.test]
    if said.code:
        return [alert for alert in alerts if alert.code == said.code]
    mine = [alert for alert in alerts if person == alert.accepted_by]
    told = [alert for alert in alerts if person in alert.told or any(send.person == person for send in alert.sends)]
    if said.act == "close":
        return mine or [alert for alert in told if alert.unanswered]
    return [alert for alert in told if alert.unanswered] or mine or told


def _nothing(understood: bool, zh: str, en: str, book: AlertBook, person: str) -> Done:
    first = next(iter(_about(book, person, Meant("accept"))), None)
    code = first.code if first is not None else "3f2a"
    return Done(understood, "none", None, zh + HELP_ZH.format(code=code), en + HELP_EN.format(code=code))
