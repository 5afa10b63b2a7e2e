"""The words of a message: Chinese first, English below; what, where, since when, what to do, and how to accept.

The title is what a locked telephone shows to anybody: it says how urgent it is and nothing about whom.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge_gateway import evidence_words
from edge_gateway.alerts import Item, Notice
from edge_gateway.rules import Severity

_TITLES: Final = {
    Severity.URGENT: "看护: 紧急 / Kanhu: urgent",
    Severity.WARNING: "看护: 告警 / Kanhu: warning",
    Severity.NOTICE: "看护: 提醒 / Kanhu: notice",
}
_LISTED: Final = 15  # alerts a digest spells out
_SHORT: Final = 70  # characters of one SMS in Chinese


@dataclass(frozen=True, slots=True)
class Letter:
    """Plain text, ready for a channel.

    Attributes:
        reference: the identity of this message (alert, step, person, channel) for channels that report later; "" none.
        link: with which its person accepts; it stands in `body` too, and channels that cut long texts keep it. "" none.
        code: the last letters of the alert's id, by which an answer names it.
        test: nobody is in danger.
        short: in Chinese, at most 70 characters, for SMS and voice; "" for the first line of `body`.
    """

    title: str
    body: str
    severity: Severity
    reference: str = ""
    link: str = ""
    code: str = ""
    test: bool = False
    short: str = ""


def compose(notice: Notice) -> Letter:
    """The letter of a notice. No person but staff ids appears in it."""
    first = notice.items[0]
    if first.test:
        return _test(notice)
    if len(notice.items) == 1:
        return Letter(
            _TITLES[first.severity],
            _single(first, notice),
            first.severity,
            notice.reference,
            first.link,
            first.code,
            short=_short(first, notice.replies),
        )
    title = f"看护: {len(notice.items)} 条告警 / Kanhu: {len(notice.items)} alerts"
    return Letter(title, _digest(notice), first.severity, notice.reference, short=title[:_SHORT])


def _single(item: Item, notice: Notice) -> str:
    told = ", ".join(item.told)
    again_zh = f" (第 {item.step} 次通知)" if item.step > 1 else ""
    again_en = f" (message {item.step})" if item.step > 1 else ""
    why_zh, why_en = _reopened(item)
    how_zh, how_en = _accept(item, notice)
    zh = [_at(item, item.text_zh) + again_zh, why_zh, f"已通知: {told}" if told else "", *how_zh]
    zh += _proof("依据:", item, evidence_words.zh)
    en = [_at(item, item.text_en) + again_en, why_en, f"Told so far: {told}" if told else "", *how_en]
    en += _proof("Evidence:", item, evidence_words.en)
    return "\n".join([*filter(None, zh), "", *filter(None, en), "", item.alert])


def _proof(title: str, item: Item, read: Callable[[str], str]) -> list[str]:
    """The last pieces of evidence in words, each with its time."""
    return [title, *(f"· {read(line)}" for line in item.evidence)] if item.evidence else []


def _accept(item: Item, notice: Notice) -> tuple[list[str], list[str]]:
    """How this person accepts: with a link or a word where there is one, else on the command line."""
    if item.once:
        return [], []
    zh = [f"接手 (点开后确认): {item.link}"] if item.link else []
    en = [f"Accept (open it, then confirm): {item.link}"] if item.link else []
    if notice.replies:
        zh.append(f"或回复: 1 {item.code} 接手; 处理完后 2 误按, 3 看过了平安, 4 已送医")
        en.append(f"Or answer: 1 {item.code} to accept; when it is over 2 false press, 3 visited, fine, 4 ambulance")
    command = f"kanhu alerts accept {item.alert} --by {notice.person}"
    return zh or [f"接手: {command}"], en or [f"Accept: {command}"]


def _reopened(item: Item) -> tuple[str, str]:
    """Why somebody is told who may have heard that it was dealt with."""
    by_zh, by_en = (f"{item.first} 接手后", f"accepted by {item.first}, ") if item.first else ("", "")
    return {
        "not_closed": (f"重新打开: {by_zh}还没有处理完毕。", f"Opened again: {by_en}not closed yet."),
        "again": (f"重新打开: {by_zh}又按了一次。", f"Opened again: {by_en}pressed once more."),
        "worse": ("情况加重。", "It has become worse."),
    }.get(item.reopened, ("", ""))


def _short(item: Item, replies: bool) -> str:
    """For an SMS and a voice: the sentence, and the answer that accepts it."""
    how = f" 回复1 {item.code}接手" if replies else ""
    room = _SHORT - len(how)
    text = _at(item, item.text_zh)
    return (text if len(text) <= room else text[: room - 1] + "…") + how


def _at(item: Item, text: str) -> str:
    """With the community in front."""
    return f"{item.where} · {text}" if item.where else text


def _test(notice: Notice) -> Letter:
    """Nothing to do: it only has to arrive."""
    zh, en = ([_at(item, getattr(item, name)) for item in notice.items[:_LISTED]] for name in ("text_zh", "text_en"))
    if (more := len(notice.items) - _LISTED) > 0:
        zh.append(f"还有 {more} 户也通过了这一步。")
        en.append(f"{more} more homes came as far.")
    body = "\n".join([*zh, "这是测试, 不用处理。", "", *en, "This is a test; there is nothing to do."])
    title = "看护: 测试 / Kanhu: test"
    return Letter(title, body, notice.items[0].severity, notice.reference, test=True, short=zh[0][:_SHORT])


def _digest(notice: Notice) -> str:
    items = notice.items
    more = len(items) - _LISTED
    zh = [f"{_at(item, item.text_zh)} [{item.alert}]" for item in items[:_LISTED]]
    en = [f"{_at(item, item.text_en)} [{item.alert}]" for item in items[:_LISTED]]
    if more > 0:
        zh.append(f"还有 {more} 条: kanhu alerts list")
        en.append(f"{more} more: kanhu alerts list")
    how = notice.page or f"kanhu alerts accept <id> --by {notice.person}"
    return "\n".join([*zh, f"接手: {how}", "", *en, f"Accept: {how}"])
