"""Whom to tell now: rounds repeated until somebody accepts, one more person at a time, the next channel if one stays silent.

Every timer is a wall-clock time that is at most its own interval away. A clock that jumps back makes them look farther, and
they are pulled in; one that jumps ahead fires one round and one more person, never a year's worth.
"""

from collections.abc import Collection, Sequence
from typing import Final

from edge_gateway.alerts.alert import Alert, Send, Sending, State
from edge_gateway.settings import Alerts, Person

SECOND: Final = 1_000_000_000
SIREN: Final = "siren"  # stands where a person's id does
_FIRST_RETRY_S: Final = 5.0
_LONGEST_GAP_S: Final = 3600.0  # between rounds of an alert that is not urgent
_RING: Final = ("voice", SIREN)  # addresses that make a noise at somebody's place
_ANSWER_S: Final = 60.0  # added to the notifier's own time-out: the sender always answers sooner, unless it is broken


def begin(alert: Alert, alerts: Alerts, now_ns: int, first_ns: int) -> None:
    """Start the ladder, or start it again after it was re-opened; the first round goes out at `first_ns`."""
    alert.reached = 1
    alert.step_due_ns = first_ns
    alert.person_due_ns = now_ns + ns(alerts.next_person_s)
    alert.siren_due_ns = now_ns + ns(alerts.siren_after_s)
    alert.close_due_ns = now_ns + ns(alerts.test_s) if alert.test else 0
    alert.joined, alert.siren = {}, False
    alert.sends = [send for send in alert.sends if send.state is Sending.OUT]
    alert.due_ns = min(now_ns, first_ns)


def stop(alert: Alert) -> None:
    """No more messages and no more timers: it was closed."""
    alert.sends = []
    alert.close_due_ns, alert.due_ns = 0, None


def wait_for_end(alert: Alert, alerts: Alerts, now_ns: int) -> None:
    """No more messages: it was accepted. From now on it waits to be closed, or to be opened again."""
    alert.sends = []
    alert.close_due_ns = alert.due_ns = now_ns + _close_within_ns(alert, alerts)


def left_open(alert: Alert, alerts: Alerts, now_ns: int) -> bool:
    """Whether an accepted alert should have been closed by now. A clock that jumped back gives it the whole time again."""
    alert.close_due_ns = min(alert.close_due_ns, now_ns + _close_within_ns(alert, alerts))
    alert.due_ns = alert.close_due_ns
    return alert.close_due_ns <= now_ns


def failed_test(alert: Alert, alerts: Alerts, now_ns: int) -> bool:
    """Whether a test has waited long enough for a confirmation."""
    alert.close_due_ns = min(alert.close_due_ns, now_ns + ns(alerts.test_s))
    return alert.test and alert.close_due_ns <= now_ns


def gap_s(alert: Alert, alerts: Alerts) -> float:
    """Distance to the next round: even for an urgent alert, doubling up to an hour for others."""
    if alert.urgent:
        return alerts.repeat_s
    return min(alerts.repeat_s * 2.0 ** min(max(alert.step - 1, 0), 30), max(_LONGEST_GAP_S, alerts.repeat_s))


def is_due(alert: Alert, alerts: Alerts, now_ns: int) -> bool:
    """Whether a timer ran out, or the clock jumped back and left one too far away."""
    if alert.due_ns is None:
        return False
    if 0 < alert.due_ns - now_ns <= alerts.repeat_s * SECOND:
        return False  # the usual case, cheap: every alert is asked each second and with each event
    longest = _close_within_ns if alert.state is State.ACCEPTED else _longest_ns
    return alert.due_ns <= now_ns or alert.due_ns > now_ns + longest(alert, alerts)


def advance(alert: Alert, alerts: Alerts, people: Sequence[Person], now_ns: int, grid_s: float = 0.0) -> list[Send]:
    """Move the ladder to `now_ns` and hand out the messages that are due; each is answered by `delivered` or `failed`.

    Args:
        people: whom to tell, first to last, as it is now: duty changes with the hour.
        grid_s: rounds begin at multiples of it, so that those of many alerts fall together; 0: no grid.
    """
    _pull_in(alert, alerts, now_ns)
    chain = _chain(alert, people)
    _keep_sends(alert, alerts, chain)
    _join(alert, alerts, chain, now_ns)
    reached = [*chain[: alert.reached], *_sirens(alert, alerts, now_ns)]
    if alert.step_due_ns <= now_ns and not (alert.test and alert.step):
        _begin_round(alert)
        alert.step_due_ns = on_grid(now_ns + ns(gap_s(alert, alerts)), grid_s)
    for send in alert.sends:
        if send.state is Sending.OUT and send.due_ns <= now_ns:
            _doubt(send, "no_answer")
    if alert.step:
        for person in reached:
            _open_channels(alert, person, alerts, now_ns)
    due = [send for send in alert.sends if send.state is Sending.WAITING and send.due_ns <= now_ns]
    for send in due:
        send.state = Sending.OUT
        send.due_ns = now_ns + ns(alerts.notify_timeout_s + _ANSWER_S)
    alert.due_ns = _next_due_ns(alert, reached, len(chain), alerts)
    return due


def delivered(alert: Alert, send: Send, alerts: Alerts, now_ns: int) -> None:
    """A channel confirmed it. While people are reached, no siren is needed."""
    send.state, send.failures, send.error = Sending.DELIVERED, 0, ""
    if send.person != SIREN:
        alert.siren_due_ns = now_ns + _siren_ns(alerts)


def taken(send: Send) -> None:
    """The channel has it and will tell whether it arrived; until then it has confirmed nothing."""
    send.state, send.failures, send.error = Sending.TAKEN, 0, ""


def failed(alert: Alert, send: Send, alerts: Alerts, error: str, in_doubt: bool, now_ns: int) -> None:
    """It did not arrive, or nobody knows. What is in doubt is not sent again in this round: a person gets one message each."""
    send.error = error
    if in_doubt:
        _doubt(send, error)
    else:
        send.failures += 1
        send.state = Sending.WAITING
        wait_s = min(_FIRST_RETRY_S * 2.0 ** min(send.failures - 1, 30), gap_s(alert, alerts))
        send.due_ns = now_ns + ns(wait_s)
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


def on_grid(time_ns: int, grid_s: float) -> int:
    """The next multiple of `grid_s`, or the time itself without a grid."""
    grid_ns = ns(grid_s)
    return -(-time_ns // grid_ns) * grid_ns if grid_ns else time_ns


def _chain(alert: Alert, people: Sequence[Person]) -> list[Person]:
    """Those who have an address, each once, the one who had accepted it before all others; of a test only the first."""
    chain = list({person.id: person for person in people if person.urls}.values())
    if alert.first:
        chain.sort(key=lambda person: person.id != alert.first)
    if alert.test:
        chain = chain[:1]
    alert.chain = [person.id for person in chain]
    return chain


def _keep_sends(alert: Alert, alerts: Alerts, chain: Sequence[Person]) -> None:
    """Who is off the list is not told again."""
    channels = {person.id: len(person.urls) for person in chain} | {SIREN: len(alerts.siren)}
    alert.sends = [send for send in alert.sends if send.channel < channels.get(send.person, 0)]


def _join(alert: Alert, alerts: Alerts, chain: Sequence[Person], now_ns: int) -> None:
    """One more person: it is time, or of those who are told nobody can be reached and a person may be in danger."""
    if alert.reached >= len(chain):
        return
    if alert.person_due_ns <= now_ns or (alert.urgent and _unreachable(alert, chain[: alert.reached])):
        alert.reached += 1
        alert.person_due_ns = now_ns + ns(alerts.next_person_s)


def _unreachable(alert: Alert, people: Sequence[Person]) -> bool:
    """Every channel of everybody has failed in this round, or nobody knows."""
    lost = {
        (send.person, send.channel)
        for send in alert.sends
        if send.state is not Sending.DELIVERED and (send.failures or send.state is Sending.IN_DOUBT)
    }
    return bool(people) and all((person.id, n) in lost for person in people for n in _channels(alert, person))


def _sirens(alert: Alert, alerts: Alerts, now_ns: int) -> list[Person]:
    """The siren as one who is told, from the moment on when no channel of anybody confirms."""
    if not _may_sound(alert, alerts):
        return []
    if alert.siren_due_ns == 0:  # raised by a version that knew no siren
        alert.siren_due_ns = now_ns + ns(alerts.siren_after_s)
    # Not validated: the word is no person's id, and so nobody can be called it.
    return [Person.model_construct(id=SIREN, urls=alerts.siren)] if alert.siren_due_ns <= now_ns else []


def _may_sound(alert: Alert, alerts: Alerts) -> bool:
    return bool(alerts.siren) and alert.urgent and not alert.test


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
    alert.joined.setdefault(person.id, alert.step)
    mine = {send.channel: send for send in alert.sends if send.person == person.id}
    confirmed = any(send.state is Sending.DELIVERED for send in mine.values())
    loud = _loud(alert, person, alerts)
    before: Send | None = None
    for place, channel in enumerate(_channels(alert, person)):
        if channel not in mine:
            if place >= loud and (confirmed or before is None or not _silent(before, alerts, now_ns)):
                return
            mine[channel] = Send(alert.step, person.id, channel, now_ns, now_ns)
            alert.sends.append(mine[channel])
        before = mine[channel]


def _channels(alert: Alert, person: Person) -> list[int]:
    """Which of the person's channels may be used: a test rings nowhere, unless nothing else is there."""
    every = list(range(len(person.urls)))
    return [n for n in every if not (alert.test and person.urls[n].startswith(_RING))] or every


def _loud(alert: Alert, person: Person, alerts: Alerts) -> int:
    """How many channels a round uses whatever the first one says: a chat wakes nobody at night, a call may."""
    if person.id == SIREN:
        return len(person.urls)
    if not alerts.louder_rounds or not alert.urgent:
        return 1
    return 1 + (alert.step - alert.joined.get(person.id, alert.step)) // alerts.louder_rounds


def _silent(send: Send, alerts: Alerts, now_ns: int) -> bool:
    return send.failures > 0 or send.state is Sending.IN_DOUBT or send.opened_ns + ns(alerts.second_channel_s) <= now_ns


def _next_due_ns(alert: Alert, reached: Sequence[Person], people: int, alerts: Alerts) -> int:
    times = [alert.close_due_ns if alert.test else alert.step_due_ns]
    if alert.reached < people:
        times.append(alert.person_due_ns)
    if _may_sound(alert, alerts) and not any(person.id == SIREN for person in reached):
        times.append(alert.siren_due_ns)
    for person in reached:
        mine = [send for send in alert.sends if send.person == person.id]
        times += [send.due_ns for send in mine if send.state in (Sending.WAITING, Sending.OUT)]
        confirmed = any(send.state is Sending.DELIVERED for send in mine)
        last = max(mine, key=lambda send: send.channel, default=None)
        if last is not None and not confirmed and last.channel < _channels(alert, person)[-1]:
            times.append(last.opened_ns + ns(alerts.second_channel_s))
    return min(times)


def _pull_in(alert: Alert, alerts: Alerts, now_ns: int) -> None:
    if alert.step_due_ns > now_ns + _longest_ns(alert, alerts):
        alert.step_due_ns = now_ns + ns(gap_s(alert, alerts))
    alert.person_due_ns = min(alert.person_due_ns, now_ns + ns(alerts.next_person_s))
    alert.siren_due_ns = min(alert.siren_due_ns, now_ns + _siren_ns(alerts))
    for send in alert.sends:
        longest_s = alerts.notify_timeout_s + _ANSWER_S if send.state is Sending.OUT else gap_s(alert, alerts)
        send.due_ns = min(send.due_ns, now_ns + ns(longest_s))
        send.opened_ns = min(send.opened_ns, now_ns)


def _longest_ns(alert: Alert, alerts: Alerts) -> int:
    """The farthest a timer may be away: a round's gap and the way to the next line of the grid, or the end of a test."""
    return ns(max(gap_s(alert, alerts) + alerts.repeat_s, alerts.test_s if alert.test else 0.0))


def _close_within_ns(alert: Alert, alerts: Alerts) -> int:
    return ns(alerts.close_within_s if alert.urgent else alerts.close_soft_within_s)


def _siren_ns(alerts: Alerts) -> int:
    """After a confirmation: the next round has to be confirmed too."""
    return ns(alerts.repeat_s + alerts.siren_after_s)


def _doubt(send: Send, error: str) -> None:
    send.state = Sending.IN_DOUBT
    send.failures += 1
    send.error = error


def ns(seconds: float) -> int:
    return round(seconds * SECOND)
