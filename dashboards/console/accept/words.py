"""The texts of the page behind a message's link, in Chinese and English; states and reasons named as on the homes' pages."""

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("告警", "Alert"),
    "other_language": ("English", "中文"),
    "accept": ("我接手", "I take it"),
    "accept_as": (
        "按下后，{person} 接手这条告警，其他人不再收到催促。",
        "{person} takes this alert; the others get no more messages.",
    ),
    "not_you": (
        "您不是 {person}？请不要按，请用发给您自己的消息。",
        "You are not {person}? Do not press it; use the message that was sent to you.",
    ),
    "go_there": ("先打电话，打不通马上上门。", "Call first; if nobody answers, go there at once."),
    "since": ("发生时间 {when}", "happened {when}"),
    "told": ("已通知 {who}", "told: {who}"),
    "again": ("已经 {count} 次", "{count} times by now"),
    "evidence": ("依据", "Evidence"),
    "story": ("经过", "So far"),
    "yours": ("您已接手", "You have it"),
    "yours_why": (
        "其他人不再收到催促。处理完了，请在这里说明。",
        "The others get no more messages. When it is over, say so here.",
    ),
    "yours_before": (
        "您已经接手了。处理完后，请按您接手时打开的页面、回复消息，或登录控制台说明。",
        "You have it already. When it is over, say so on the page that opened then, by an answer, or in the console.",
    ),
    "close_until": ("到 {when} 还没有处理完毕，就会重新通知大家。", "If it is not closed by {when}, everybody is told again."),
    "close": ("处理完毕", "It is over"),
    "own_words": ("或者用自己的话说明", "Or in your own words"),
    "send": ("提交", "Send"),
    "taken": ("{who} 已接手", "{who} has it"),
    "taken_why": ("您不用再做什么。想帮忙请联系 {who}。", "There is nothing you have to do. To help, call {who}."),
    "closed": ("已处理完毕", "It is over"),
    "closed_by": ("{who}：{why}", "{who}: {why}"),
    "expired": ("这个链接过期了", "This link is too old"),
    "expired_why": (
        "告警还没有人接手！请打开最新的那条消息，用里面的链接。",
        "Nobody has taken the alert yet! Open the newest message and use its link.",
    ),
    "close_expired_why": ("请回复消息，或登录控制台说明。", "Answer the message, or say so in the console."),
    "used": ("这个链接已经用过", "This link was used"),
    "used_why": (
        "每个链接只能用一次。告警又打开了的话，新消息里有新链接。",
        "Each works once. If the alert is open again, a new message has a new link.",
    ),
    "unknown": ("这个链接不能用", "This link does not work"),
    "unknown_why": (
        "可能没有复制完整，或者告警早已处理完。请打开最新的消息。",
        "It may not be whole, or the alert was closed long ago. Open the newest message.",
    ),
    "away": ("网关没有应答", "The gateway does not answer"),
    "away_why": (
        "现在不能在这里接手，也可能已经接手了。请直接打电话或上门，过一分钟再打开这个链接。",
        "It cannot be accepted here now, or may have been. Call or go there, and open this link again in a minute.",
    ),
    "slow_down": ("请过一分钟再试", "Please try again in a minute"),
    "slow_down_why": ("这个地址打开得太多了。", "Too much was opened from this address."),
    "by_gateway": ("系统", "the system"),
}


def say(key: str, lang: str, **values: object) -> str:
    """One text in one language, its places filled in."""
    text = TEXTS[key][lang == "en"]
    return text.format(**values) if values else text
