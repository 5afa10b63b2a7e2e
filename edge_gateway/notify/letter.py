"""The words of a message: Chinese first, English below; what, where, since when, what to do, and how to accept.

The title is what a locked telephone shows to anybody: it says how urgent it is and nothing about whom.
"""

from dataclasses import dataclass
from typing import Final

from edge_gateway.alerts import Item, Notice
from edge_gateway.rules import Severity

_TITLES: Final = {
    Severity.URGENT: "看护: 紧急 / Kanhu: urgent",
    Severity.WARNING: "看护: 告警 / Kanhu: warning",
    Severity.NOTICE: "看护: 提醒 / Kanhu: notice",
}
_LISTED: Final = 15  # alerts a digest spells out


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
    if len(notice.items) == 1:
        return Letter(_TITLES[first.severity], _single(first, notice.person), first.severity)
    title = f"看护: {len(notice.items)} 条告警 / Kanhu: {len(notice.items)} alerts"
    return Letter(title, _digest(notice.items, notice.person), first.severity)


def _single(item: Item, person: str) -> str:
    accept = f"kanhu alerts accept {item.alert} --by {person}"
    told = ", ".join(item.told)
    again_zh = f" (第 {item.step} 次通知)" if item.step > 1 else ""
    again_en = f" (message {item.step})" if item.step > 1 else ""
    zh = [item.text_zh + again_zh, f"已通知: {told}" if told else "", f"接手: {accept}"]
    en = [item.text_en + again_en, f"Told so far: {told}" if told else "", f"Accept: {accept}"]
    return "\n".join([*filter(None, zh), "", *filter(None, en), "", *item.evidence, item.alert])


def _digest(items: tuple[Item, ...], person: str) -> str:
    more = len(items) - _LISTED
    zh = [f"{item.text_zh} [{item.alert}]" for item in items[:_LISTED]]
    en = [f"{item.text_en} [{item.alert}]" for item in items[:_LISTED]]
    if more > 0:
        zh.append(f"还有 {more} 条: kanhu alerts list")
        en.append(f"{more} more: kanhu alerts list")
    accept = f"kanhu alerts accept <id> --by {person}"
    return "\n".join([*zh, f"接手: {accept}", "", *en, f"Accept: {accept}"])
