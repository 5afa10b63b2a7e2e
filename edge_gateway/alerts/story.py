"""An alert's way so far and what comes next, in words: for the page of an alert and the command line."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge_gateway.alerts.alert import Alert, Change, Send, Sending, State
from edge_gateway.alerts.ladder import SIREN

PAST, NOW, NEXT = "past", "now", "next"
GATEWAY: Final = "gateway"
REASONS: Final = {
    "false_press": ("误按", "false press"),
    "visited_fine": ("看过了, 平安", "visited, fine"),
    "seen_fine": ("看过了, 平安", "seen, fine"),
    "ambulance": ("已送医", "ambulance"),
    "test": ("测试", "test"),
    "test_passed": ("测试通过", "test passed"),
    "test_failed": ("测试没有通过: 没有渠道确认", "test failed: no channel confirmed"),
    "heard_again": ("又有数据了", "heard again"),
    "not_expected": ("已不在登记表里", "no longer registered"),
    "tapped": ("已打卡", "tapped"),
    "told": ("已告知, 不用处理", "told, nothing to do"),
}
_AGAIN: Final = {
    "again": ("又按了一次, 重新打开", "pressed again, opened again"),
    "not_closed": ("接手后没有处理完毕, 重新打开", "accepted but not closed in time, opened again"),
    "worse": ("情况加重, 重新通知", "became worse, told anew"),
    SIREN: ("没有渠道确认, 本地警笛响起", "no channel confirmed, the local siren sounds"),
}
_SENDS: Final = {
    Sending.WAITING: ("等待发送", "waits to be sent"),
    Sending.OUT: ("已发出, 等待确认", "sent, not confirmed yet"),
    Sending.TAKEN: ("渠道已收下, 等待送达回执", "taken, its delivery report is awaited"),
    Sending.DELIVERED: ("渠道已确认", "confirmed"),
    Sending.IN_DOUBT: ("不确定是否送达", "in doubt"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `at_ns`: when it was or will be; `when`: `past`, `now` or `next`."""

    at_ns: int
    when: str
    zh: str
    en: str


def story(alert: Alert) -> list[Line]:
    """What happened, what is under way, what comes next; each part in the order of time."""
    lines = [Line(change.at_ns, PAST, *_past(change)) for change in alert.history]
    if not alert.unanswered:
        return [*lines, *_end(alert)]
    return [*lines, *(_send(alert, send) for send in alert.sends), *sorted(_next(alert), key=lambda line: line.at_ns)]


def reason_words(reason: str) -> tuple[str, str]:
    """A closing reason in both languages; a person's own words stay as they are."""
    return REASONS.get(reason, (reason, reason))


def _past(change: Change) -> tuple[str, str]:
    if change.state in (State.RAISED, State.NOTIFIED) and change.reason in _AGAIN:
        return _AGAIN[change.reason]
    if change.state is State.RAISED:
        return "网关已收到", "at the gateway"
    if change.state is State.NOTIFIED:
        person = change.reason.removeprefix("told ")
        return f"{person} 已通知到", f"{person} was told"
    if change.state is State.ACCEPTED:
        return f"{change.by} 接手", f"accepted by {change.by}"
    zh, en = reason_words(change.reason)
    who_zh, who_en = ("", "") if change.by == GATEWAY else (f"{change.by}: ", f" by {change.by}")
    return f"已处理, {who_zh}{zh}", f"closed{who_en}: {en}"


def _send(alert: Alert, send: Send) -> Line:
    zh, en = _SENDS[send.state]
    if send.state is Sending.WAITING and send.failures:
        zh, en = "没有送达, 还会再试", "failed, will be tried again"
    if send.error and send.state is not Sending.DELIVERED:
        zh, en = f"{zh} ({send.error})", f"{en} ({send.error})"
    who_zh, who_en = (f"{send.person} 渠道 {send.channel + 1}", f"{send.person}, channel {send.channel + 1}")
    if send.person == SIREN:
        who_zh, who_en = f"警笛 {send.channel + 1}", f"siren {send.channel + 1}"
    return Line(send.opened_ns, NOW, f"第 {send.step} 次: {who_zh}: {zh}", f"round {send.step}: {who_en}: {en}")


def _next(alert: Alert) -> Iterator[Line]:
    if alert.test:
        yield Line(alert.close_due_ns, NEXT, "仍没有确认则测试失败", "the test has failed unless it is confirmed")
        return
    round_ = alert.step + 1
    yield Line(alert.step_due_ns, NEXT, f"第 {round_} 次通知", f"round {round_}")
    if alert.reached < len(alert.chain):
        person = alert.chain[alert.reached]
        yield Line(alert.person_due_ns, NEXT, f"转给下一位: {person}", f"{person} is told too")


def _end(alert: Alert) -> Iterator[Line]:
    if alert.state is State.ACCEPTED and alert.close_due_ns:
        yield Line(alert.close_due_ns, NEXT, "仍未处理完毕则重新打开", "opened again unless it is closed")
