"""Whom to tell now: rounds repeated until somebody accepts, one more person at a time, the next channel if one stays silent.

Every timer is a wall-clock time that is at most its own interval away. A clock that jumps back makes them look farther, and
they are pulled in; one that jumps ahead fires one round and one more person, never a year's worth.
"""

from collections.abc import Collection, Sequence
from typing import Final

from edge_gateway.alerts.alert import Alert, Send, Sending
from edge_gateway.settings import Alerts, Person

SECOND: Final = 1_000_000_000
_FIRST_RETRY_S: Final = 5.0
_LONGEST_GAP_S: Final = 3600.0  # between rounds of an alert that is not urgent
_ANSWER_S: Final = 60.0  # added to the notifier's own time-out: the sender always answers sooner, unless it is broken


def begin(alert: Alert, alerts: Alerts, now_ns: int, first_ns: int) -> None:
    """Start the ladder, or start it again after it was re-opened; the first round goes out at `first_ns`."""
    alert.reached = 1
    alert.step_due_ns = first_ns
    alert.person_due_ns = now_ns + _ns(alerts.next_person_s)
    alert.sends = [send for send in alert.sends if send.state is Sending.OUT]
    alert.due_ns = min(now_ns, first_ns)


def stop(alert: Alert) -> None:
    """No more messages: it was accepted or closed."""
    alert.sends = []
    alert.due_ns = None


def gap_s(alert: Alert, alerts: Alerts) -> float:
    """Distance to the next round: even for an urgent alert, doubling up to an hour for others."""
    if alert.urgent:
        return alerts.repeat_s
    return min(alerts.repeat_s * 2.0 ** min(max(alert.step - 1, 0), 30), max(_LONGEST_GAP_S, alerts.repeat_s))


def is_due(alert: Alert, alerts: Alerts, now_ns: int) -> bool:
    """Whether `advance` has something to do: a timer ran out, or the clock jumped back and left them too far away."""
    if alert.due_ns is None:
        return False
    return alert.due_ns <= now_ns or alert.due_ns > now_ns + _longest_ns(alert, alerts)


def advance(alert: Alert, alerts: Alerts, now_ns: int, grid_s: float = 0.0) -> list[Send]:
    """Move the ladder to `now_ns` and hand out the messages that are due; each is answered by `delivered` or `failed`.

    Args:
        grid_s: rounds begin at multiples of it, so that those of many alerts fall together; 0: no grid.
    """
    people = {person.id: person for person in alerts.people if person.urls}
    _pull_in(alert, alerts, now_ns)
    alert.sends = [send for send in alert.sends if send.person in people and send.channel < len(people[send.person].urls)]
    if alert.person_due_ns <= now_ns and alert.reached < len(people):
        alert.reached += 1
        alert.person_due_ns = now_ns + _ns(alerts.next_person_s)
    reached = list(people.values())[: alert.reached]
    if alert.step_due_ns <= now_ns:
        _begin_round(alert)
        alert.step_due_ns = on_grid(now_ns + _ns(gap_s(alert, alerts)), grid_s)
    for send in alert.sends:
        if send.state is Sending.OUT and send.due_ns <= now_ns:
            _doubt(send, "no_answer")
    if alert.step:
        for person in reached:
            _open_channels(alert, person, alerts, now_ns)
    due = [send for send in alert.sends if send.state is Sending.WAITING and send.due_ns <= now_ns]
    for send in due:
        send.state = Sending.OUT
        send.due_ns = now_ns + _ns(alerts.notify_timeout_s + _ANSWER_S)
    alert.due_ns = _next_due_ns(alert, reached, len(people), alerts)
    return due


def delivered(send: Send) -> None:
    """A channel confirmed it."""
    send.state, send.failures, send.error = Sending.DELIVERED, 0, ""


def failed(alert: Alert, send: Send, alerts: Alerts, error: str, in_doubt: bool, now_ns: int) -> None:
    """It did not arrive, or nobody knows. What is in doubt is not sent again in this round: a person gets one message each."""
    send.error = error
    if in_doubt:
        _doubt(send, error)
    else:
        send.failures += 1
        send.state = Sending.WAITING
        wait_s = min(_FIRST_RETRY_S * 2.0 ** min(send.failures - 1, 30), gap_s(alert, alerts))
        send.due_ns = now_ns + _ns(wait_s)
    alert.due_ns = now_ns  # the next channel need not wait


def resume(alert: Alert, flying: Collection[tuple[str, int, str, int]] = ()) -> None:
    """After a restart: what was handed out and never answered may have arrived. It is sent once more, not twice."""
    for send in alert.sends:
        if send.state is Sending.OUT and (alert.id, send.step, send.person, send.channel) not in flying:
            send.doubts += 1
            send.state = Sending.WAITING
            send.due_ns = 0
            if send.doubts > 1:
                _doubt(send, "restarted")
            alert.due_ns = None if alert.due_ns is None else min(alert.due_ns, 1)


def _begin_round(alert: Alert) -> None:
    """Next step. What is out stays what it is; what failed waits on as this round's message; the rest begins anew."""
    alert.step += 1
    kept = [s for s in alert.sends if s.state is Sending.OUT or (s.state is Sending.WAITING and s.failures)]
    for send in kept:
        if send.state is Sending.WAITING:
            send.step = alert.step
    alert.sends = kept


def _open_channels(alert: Alert, person: Person, alerts: Alerts, now_ns: int) -> None:
    """The first channel at once; each further one when the one before failed, is in doubt, or stays without confirmation."""
    mine = {send.channel: send for send in alert.sends if send.person == person.id}
    if any(send.state is Sending.DELIVERED for send in mine.values()):
        return
    for channel in range(len(person.urls)):
        before = mine.get(channel - 1)
        if channel in mine or (before is not None and not _silent(before, alerts, now_ns)):
            continue
        if before is None and channel > 0:
            return
        mine[channel] = Send(alert.step, person.id, channel, now_ns, now_ns)
        alert.sends.append(mine[channel])


def _silent(send: Send, alerts: Alerts, now_ns: int) -> bool:
    return send.failures > 0 or send.state is Sending.IN_DOUBT or send.opened_ns + _ns(alerts.second_channel_s) <= now_ns


def _next_due_ns(alert: Alert, reached: Sequence[Person], people: int, alerts: Alerts) -> int:
    times = [alert.step_due_ns]
    if alert.reached < people:
        times.append(alert.person_due_ns)
    for person in reached:
        mine = [send for send in alert.sends if send.person == person.id]
        times += [send.due_ns for send in mine if send.state in (Sending.WAITING, Sending.OUT)]
        confirmed = any(send.state is Sending.DELIVERED for send in mine)
        last = max(mine, key=lambda send: send.channel, default=None)
        if last is not None and not confirmed and last.channel + 1 < len(person.urls):
            times.append(last.opened_ns + _ns(alerts.second_channel_s))
    return min(times)


def _pull_in(alert: Alert, alerts: Alerts, now_ns: int) -> None:
    if alert.step_due_ns > now_ns + _longest_ns(alert, alerts):
        alert.step_due_ns = now_ns + _ns(gap_s(alert, alerts))
    alert.person_due_ns = min(alert.person_due_ns, now_ns + _ns(alerts.next_person_s))
    for send in alert.sends:
        longest_s = alerts.notify_timeout_s + _ANSWER_S if send.state is Sending.OUT else gap_s(alert, alerts)
        send.due_ns = min(send.due_ns, now_ns + _ns(longest_s))
        send.opened_ns = min(send.opened_ns, now_ns)


def _longest_ns(alert: Alert, alerts: Alerts) -> int:
    """The farthest a round may be away: its gap, and the way to the next line of the grid."""
    return _ns(gap_s(alert, alerts) + alerts.repeat_s)


def _doubt(send: Send, error: str) -> None:
    send.state = Sending.IN_DOUBT
    send.failures += 1
    send.error = error


def on_grid(time_ns: int, grid_s: float) -> int:
    """The next multiple of `grid_s`, or the time itself without a grid."""
    grid_ns = _ns(grid_s)
    return -(-time_ns // grid_ns) * grid_ns if grid_ns else time_ns


def _ns(seconds: float) -> int:
    return round(seconds * SECOND)
