"""An alert reaches a person, goes on until one accepts it, and is closed by one; no restart and no clock changes that."""

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_gateway.alerts import Alert, AlertBook, Changes, Notice, State, pack, unpack
from edge_gateway.errors import Rejected
from edge_gateway.events import AlertChange
from edge_gateway.events import unpack as unpack_entries
from edge_gateway.rules import Finding, Returned, Severity
from edge_gateway.settings import Alerts, Person

SECOND = 1_000_000_000
NOON = 1_795_233_600 * SECOND  # 2026-11-21 04:00 UTC
YEAR = 365 * 86_400 * SECOND

ZHANG = Person(id="zhang", urls=["json://zhang-1", "json://zhang-2", "json://zhang-3"])
LI = Person(id="li", urls=["json://li-1"])
WANG = Person(id="wang", urls=["json://wang-1"])
NOBODY = Person(id="nobody")  # without an address
STAFF = Alerts(people=[NOBODY, ZHANG, LI, WANG], repeat_s=60, next_person_s=180, second_channel_s=15, notify_timeout_s=10)


def sos(place: str = "home-1", press: int = 1) -> Finding:
    text = f"{place}: SOS"
    seen = (f"press {press}",)
    return Finding(f"sos/wutong/{place}", "sos", Severity.URGENT, "wutong", "b", place, NOON, text, text, seen, anew=True)


def silent(device: str = "d1", severity: Severity = Severity.NOTICE) -> Finding:
    text = f"{device}: silent"
    return Finding(
        f"silence/wutong/{device}", "silence", severity, "wutong", device, "", NOON, text, text, ("x",), returns=True
    )


class Office:
    """A book, its clock and its store; sends nothing by itself."""

    def __init__(self, people: Alerts = STAFF) -> None:
        self.people = people
        self.now_ns = NOON
        self.book = AlertBook(people)
        self.stored: dict[str, bytes] = {}
        self.open: dict[str, bool] = {}
        self.told: list[str] = []  # entries, as alert:state:by:reason

    def raised(self, finding: Finding) -> str:
        self.book.apply([finding], self.now_ns)
        self.save()
        return next(alert.id for alert in self.book.open_alerts() if alert.key == finding.key)

    def save(self) -> Changes:
        changes = self.book.take()
        for alert_id, is_open, _, body in changes.alerts:
            self.stored[alert_id], self.open[alert_id] = body, is_open
        self.told += [f"{entry.state} by {entry.by}" for entry in changes.entries]
        return changes

    def wait(self, seconds: float) -> list[Notice]:
        """The clock moves on; what is due then."""
        self.now_ns += round(seconds * SECOND)
        due = self.book.due(self.now_ns)
        self.save()
        return due

    def deliver(self, notices: list[Notice]) -> list[Notice]:
        for notice in notices:
            self.book.delivered(notice, self.now_ns)
        self.save()
        return notices

    def fail(self, notices: list[Notice], in_doubt: bool = False) -> None:
        for notice in notices:
            self.book.failed(notice, "error=500", self.now_ns, in_doubt=in_doubt)
        self.save()

    def restart(self) -> None:
        self.book = AlertBook(self.people)
        assert self.book.restore([body for id_, body in self.stored.items() if self.open[id_]], self.now_ns) == 0
        self.save()

    def until(self, seconds: float, step: float = 1.0) -> Iterator[tuple[float, list[Notice]]]:
        start = self.now_ns
        while self.now_ns - start < seconds * SECOND:
            yield (self.now_ns - start) / SECOND, self.wait(0)
            self.now_ns += round(step * SECOND)


@pytest.fixture
def office() -> Office:
    return Office()


def to(notices: list[Notice]) -> list[str]:
    return [f"{notice.person}/{notice.channel}" for notice in notices]


# the ladder


def test_the_first_person_with_an_address_is_told_at_once(office: Office) -> None:
    office.raised(sos())
    assert to(office.wait(0)) == ["zhang/0"]


def test_it_is_repeated_every_minute_and_joined_by_the_next_person_after_three(office: Office) -> None:
    office.raised(sos())
    told: list[tuple[float, list[str]]] = []
    for at_s, notices in office.until(400):
        office.deliver(notices)
        if notices:
            told.append((at_s, sorted(to(notices))))
    # From the third round on one more channel of the same person: a chat wakes nobody, a call may.
    assert told == [
        (0, ["zhang/0"]),
        (60, ["zhang/0"]),
        (120, ["zhang/0", "zhang/1"]),
        (180, ["li/0", "zhang/0", "zhang/1"]),
        (240, ["li/0", "zhang/0", "zhang/1", "zhang/2"]),
        (300, ["li/0", "zhang/0", "zhang/1", "zhang/2"]),
        (360, ["li/0", "wang/0", "zhang/0", "zhang/1", "zhang/2"]),
    ]


def test_it_goes_on_for_ever(office: Office) -> None:
    office.raised(sos())
    for _ in range(10_000):
        notices = office.wait(60)
        assert notices
        office.deliver(notices)


def test_what_is_not_urgent_is_repeated_at_growing_distances_up_to_an_hour(office: Office) -> None:
    office.raised(silent())
    times: list[float] = []
    for at_s, notices in office.until(6 * 3600, step=10):
        office.deliver(notices)
        times += [at_s for notice in notices if notice.person == "zhang"]
    assert times[:6] == [0, 60, 180, 420, 900, 1860]
    assert times[-1] - times[-2] == 3600


def test_the_second_channel_opens_when_the_first_does_not_confirm_in_15_seconds(office: Office) -> None:
    office.raised(sos())
    assert to(office.wait(0)) == ["zhang/0"]
    assert office.wait(14) == []
    assert to(office.wait(1)) == ["zhang/1"]
    assert to(office.wait(15)) == ["zhang/2"]
    assert office.wait(15) == []


def test_the_second_channel_opens_at_once_when_the_first_failed(office: Office) -> None:
    office.raised(sos())
    office.fail(office.wait(0))
    assert to(office.wait(0)) == ["zhang/1"]


def test_the_second_channel_stays_quiet_when_the_first_confirmed(office: Office) -> None:
    office.raised(sos())
    office.deliver(office.wait(0))
    assert office.wait(59) == []


def test_a_failed_message_is_tried_again_at_growing_distances_and_never_later_than_a_repeat() -> None:
    office = Office(Alerts(people=[LI], repeat_s=60))
    office.raised(sos())
    tries: list[float] = []
    for at_s, notices in office.until(3600):
        office.fail(notices)
        tries += [at_s] * len(notices)
    gaps = [b - a for a, b in pairwise(tries)]
    assert gaps[:4] == [5, 10, 20, 40]
    assert set(gaps[4:]) == {60}


def test_what_failed_for_an_hour_is_one_message_when_the_network_is_back() -> None:
    office = Office(Alerts(people=[LI], repeat_s=60))
    office.raised(sos())
    for _, notices in office.until(3600):
        office.fail(notices)
    arrived = [notice for _, notices in office.until(60) for notice in office.deliver(notices)]
    assert len(arrived) == 1


def test_a_message_in_doubt_is_not_sent_again_before_the_next_round() -> None:
    office = Office(Alerts(people=[LI], repeat_s=60))
    office.raised(sos())
    office.fail(office.wait(0), in_doubt=True)
    assert [n for at_s, notices in office.until(59) for n in notices] == []
    assert to(office.wait(2)) == ["li/0"]


def test_a_sender_that_never_answers_stops_nothing() -> None:
    office = Office(Alerts(people=[LI], repeat_s=60))
    office.raised(sos())
    rounds = [item.step for _, notices in office.until(1000) for notice in notices for item in notice.items]
    assert len(rounds) >= 5
    assert len(set(rounds)) == len(rounds)


def test_each_message_has_an_identity_that_never_comes_twice_unless_it_failed(office: Office) -> None:
    office.raised(sos())
    office.raised(silent())
    seen: list[tuple[str, int, str, int]] = []
    for _, notices in office.until(2000):
        seen += [(item.alert, item.step, n.person, n.channel) for n in notices for item in n.items]
        office.deliver(notices)
    assert len(seen) == len(set(seen)) > 40


# accepting and closing


def test_notified_is_a_state_that_only_a_confirmation_gives(office: Office) -> None:
    alert_id = office.raised(sos())
    notices = office.wait(0)
    office.fail(notices)
    assert office.book.find(alert_id).state is State.RAISED
    office.deliver(office.wait(5))
    assert office.book.find(alert_id).state is State.NOTIFIED
    assert office.told == ["raised by gateway", "notified by gateway"]


def test_accepting_stops_the_messages_and_binds_a_person(office: Office) -> None:
    alert_id = office.raised(sos())
    office.wait(0)
    assert office.book.accept(alert_id, "li", office.now_ns).accepted_by == "li"
    assert office.wait(1799) == []
    assert office.book.next_due_ns() == office.now_ns + 1 * SECOND


def test_accepting_twice_is_harmless_and_keeps_the_first(office: Office) -> None:
    alert_id = office.raised(sos())
    office.book.accept(alert_id, "li", office.now_ns)
    assert office.book.accept(alert_id, "wang", office.now_ns + SECOND).accepted_by == "li"
    office.save()
    assert office.told == ["raised by gateway", "accepted by li"]


def test_a_confirmation_that_comes_after_the_acceptance_does_not_undo_it(office: Office) -> None:
    alert_id = office.raised(sos())
    notices = office.wait(0)
    office.book.accept(alert_id, "li", office.now_ns)
    office.deliver(notices)
    assert office.book.find(alert_id).state is State.ACCEPTED
    assert office.book.find(alert_id).told == ["zhang"]


def test_an_unknown_alert_cannot_be_accepted_or_closed(office: Office) -> None:
    with pytest.raises(Rejected, match="unknown_alert"):
        office.book.accept("20261121-0400-sos-xxxx", "li", NOON)
    with pytest.raises(Rejected, match="unknown_alert"):
        office.book.close("20261121-0400-sos-xxxx", "li", "test", NOON)


@pytest.mark.parametrize("person", ["gateway", "", " ", "Li Wei", "李", "a/b"])
def test_only_a_named_person_accepts_or_closes(office: Office, person: str) -> None:
    alert_id = office.raised(sos())
    with pytest.raises(Rejected, match="no_person"):
        office.book.accept(alert_id, person, NOON)
    with pytest.raises(Rejected, match="no_person"):
        office.book.close(alert_id, person, "test", NOON)
    assert office.book.find(alert_id).unanswered


@pytest.mark.parametrize("reason", ["", "  "])
def test_closing_needs_a_reason(office: Office, reason: str) -> None:
    alert_id = office.raised(sos())
    with pytest.raises(Rejected, match="no_reason"):
        office.book.close(alert_id, "li", reason, NOON)


def test_closing_keeps_who_when_and_why(office: Office) -> None:
    alert_id = office.raised(sos())
    office.deliver(office.wait(0))
    office.now_ns += 60 * SECOND
    office.book.accept(alert_id, "li", office.now_ns)
    office.book.close(alert_id, "li", "visited_fine", office.now_ns)
    office.save()
    kept = unpack(office.stored[alert_id])
    assert (kept.state, kept.closed_by, kept.closed_ns) == (State.CLOSED, "li", office.now_ns)
    assert [(change.state, change.by, change.reason) for change in kept.history] == [
        ("raised", "gateway", "sos"),
        ("notified", "gateway", "told zhang"),
        ("accepted", "li", ""),
        ("closed", "li", "visited_fine"),
    ]
    assert office.open[alert_id] is False
    assert office.book.open_alerts() == []


def test_each_change_says_how_long_the_alert_has_waited(office: Office) -> None:
    office.book.apply([sos()], office.now_ns)
    alert_id = office.book.open_alerts()[0].id
    office.book.accept(alert_id, "li", office.now_ns + 90 * SECOND)
    office.book.close(alert_id, "li", "visited_fine", office.now_ns - 3600 * SECOND)  # the clock was set back
    assert [(entry.state, entry.waited_s) for entry in office.book.take().entries] == [
        ("raised", 0.0),
        ("accepted", 90.0),
        ("closed", 0.0),
    ]


def test_a_change_that_yesterdays_version_left_in_the_outbox_does_not_say_how_long_it_waited(office: Office) -> None:
    office.book.apply([sos()], office.now_ns)
    (entry,) = office.book.take().entries
    old = ("a", entry.site, entry.device, entry.place, entry.time_ns, entry.alert, "sos", "urgent", "raised", "gateway", "sos")
    (known,) = unpack_entries(msgspec.msgpack.encode([old]))
    assert isinstance(known, AlertChange)
    assert known.waited_s is None


def test_an_sos_is_not_closed_by_the_gateway(office: Office) -> None:
    office.raised(sos())
    office.book.apply([Returned(sos().key, NOON, "heard_again")], NOON)
    assert len(office.book.open_alerts()) == 1


def test_no_rule_can_make_an_urgent_alert_end_by_itself(office: Office) -> None:
    urgent = silent(severity=Severity.URGENT)
    office.raised(urgent)
    office.book.apply([Returned(urgent.key, NOON, "heard_again")], NOON)
    assert len(office.book.open_alerts()) == 1


def test_a_silence_ends_when_it_is_heard_again_even_if_it_was_accepted(office: Office) -> None:
    alert_id = office.raised(silent())
    office.book.accept(alert_id, "li", NOON)
    office.book.apply([Returned(silent().key, NOON, "heard_again")], NOON)
    office.save()
    assert office.book.open_alerts() == []
    assert office.told[-1] == "closed by gateway"
    assert unpack(office.stored[alert_id]).history[-1].reason == "heard_again"


def test_the_end_of_something_unknown_is_nothing(office: Office) -> None:
    office.book.apply([Returned("silence/wutong/d9", NOON, "heard_again")], NOON)
    assert not office.book.take()


# one cause, one alert


def test_another_press_is_evidence_and_no_second_alert(office: Office) -> None:
    alert_id = office.raised(sos())
    office.book.apply([sos(press=2), sos(press=3), sos(press=3)], NOON)
    (alert,) = office.book.open_alerts()
    assert (alert.id, alert.count, alert.evidence) == (alert_id, 3, ["press 1", "press 2", "press 3"])
    assert office.save().entries == ()


def test_a_press_after_it_was_closed_is_a_new_alert(office: Office) -> None:
    first = office.raised(sos())
    office.book.close(first, "li", "false_press", NOON)
    assert office.raised(sos(press=2)) != first


def test_a_press_soon_after_it_was_accepted_does_not_call_again(office: Office) -> None:
    alert_id = office.raised(sos())
    office.book.accept(alert_id, "li", office.now_ns)
    office.now_ns += 179 * SECOND
    office.book.apply([sos(press=2)], office.now_ns)
    assert office.book.find(alert_id).state is State.ACCEPTED
    assert office.wait(0) == []


def test_a_press_long_after_it_was_accepted_opens_the_ladder_again(office: Office) -> None:
    alert_id = office.raised(sos())
    first = office.wait(0)
    office.book.accept(alert_id, "li", office.now_ns)
    office.now_ns += 180 * SECOND
    office.book.apply([sos(press=2)], office.now_ns)
    second = office.wait(0)
    assert to(second) == ["li/0", "zhang/0"], "who is on the way, and another at once"
    assert second[0].items[0].step > first[0].items[0].step
    assert office.told[-1] == "raised by gateway"
    assert office.book.accept(alert_id, "wang", office.now_ns).accepted_by == "wang"


def test_evidence_is_bounded(office: Office) -> None:
    alert_id = office.raised(sos())
    office.book.apply([sos(press=n) for n in range(1000)], NOON)
    assert len(office.book.find(alert_id).evidence) == 10
    assert len(pack(office.book.find(alert_id))) < 4000


def test_ids_are_readable_and_never_repeat(office: Office) -> None:
    office.book.apply([sos(f"home-{n}") for n in range(3000)], NOON)
    ids = [alert.id for alert in office.book.open_alerts()]
    assert len(set(ids)) == 3000
    assert all(alert_id.startswith("20261121-0400-sos-") and len(alert_id) == 22 for alert_id in ids)
    again = Office()
    assert [again.raised(sos(f"home-{n}")) for n in range(3)] == ids[:3]


def test_urgent_ones_are_told_and_listed_first(office: Office) -> None:
    office.book.apply([silent("d1"), silent("d2", Severity.WARNING), sos()], NOON)
    assert [alert.rule for alert in office.book.open_alerts()] == ["sos", "silence", "silence"]
    assert [notice.items[0].severity for notice in office.wait(0)] == [Severity.URGENT, Severity.WARNING, Severity.NOTICE]


# a flood


def test_forty_silent_devices_are_one_message_a_round_and_an_sos_among_them_its_own(office: Office) -> None:
    office.book.apply([silent(f"d{n}") for n in range(40)], NOON)
    office.book.apply([sos()], NOON)
    messages = [n for _, notices in office.until(61) for n in office.deliver(notices) if n.person == "zhang"]
    urgent = [n for n in messages if n.urgent]
    digests = [n for n in messages if not n.urgent]
    assert [len(n.items) for n in urgent] == [1, 1]
    assert sum(len(n.items) for n in digests) >= 40
    assert len(digests) <= 3
    assert {item.alert for n in digests for item in n.items} == {a.id for a in office.book.open_alerts() if a.rule == "silence"}


def test_a_digest_that_failed_is_tried_again_for_each_of_its_alerts(office: Office) -> None:
    office.book.apply([silent(f"d{n}") for n in range(40)], NOON)
    (digest,) = office.wait(0)
    office.fail([digest])
    told = {item.alert for _, notices in office.until(120) for n in notices for item in n.items}
    assert len(told) == 40


# clocks and restarts


@pytest.mark.parametrize("jump_ns", [10 * YEAR, -10 * YEAR, 3600 * SECOND, -3600 * SECOND])
def test_a_clock_that_jumps_neither_fires_everything_nor_stops_for_ever(office: Office, jump_ns: int) -> None:
    office.raised(sos())
    office.deliver(office.wait(0))
    office.now_ns += jump_ns
    at_once = office.wait(1)
    assert len(at_once) <= 2
    office.deliver(at_once)
    later = [notice for _, notices in office.until(61) for notice in office.deliver(notices)]
    assert 1 <= len(later) <= 4


def test_a_clock_that_jumps_back_does_not_make_an_acceptance_swallow_presses(office: Office) -> None:
    alert_id = office.raised(sos())
    office.book.accept(alert_id, "li", office.now_ns)
    office.book.apply([sos(press=2)], office.now_ns - YEAR)
    assert office.book.find(alert_id).unanswered


def test_a_restart_in_the_middle_of_the_ladder_continues_it(office: Office) -> None:
    alert_id = office.raised(sos())
    for _, notices in office.until(200):
        office.deliver(notices)
    before = pack(office.book.find(alert_id))
    office.restart()
    assert pack(office.book.find(alert_id)) == before
    assert office.wait(0) == []
    assert sorted(to(office.wait(40))) == ["li/0", "zhang/0", "zhang/1", "zhang/2"]


def test_a_message_that_a_crash_met_half_way_is_sent_once_more_and_not_twice() -> None:
    office = Office(Alerts(people=[LI], repeat_s=60))
    office.raised(sos())
    identity = {(item.alert, item.step) for n in office.wait(0) for item in n.items}
    office.restart()
    assert {(item.alert, item.step) for n in office.wait(1) for item in n.items} == identity
    office.restart()
    assert office.wait(1) == []
    assert len(office.wait(60)) == 1


def test_after_a_failed_commit_what_is_in_the_air_is_not_sent_again() -> None:
    office = Office(Alerts(people=[LI], repeat_s=60))
    office.raised(sos())
    notices = office.wait(0)
    office.book.restore(list(office.stored.values()), office.now_ns)
    assert office.wait(1) == []
    office.deliver(notices)
    assert office.wait(1) == []
    assert office.book.open_alerts()[0].state is State.NOTIFIED


def test_what_is_not_taken_was_not_saved_and_nothing_is_told_twice(office: Office) -> None:
    office.book.apply([sos()], NOON)
    assert office.book.unsaved
    changes = office.book.take()
    assert len(changes.alerts) == len(changes.entries) == 1
    assert not office.book.unsaved
    assert not office.book.take()


def test_a_damaged_row_is_an_urgent_alert_and_hides_no_other(office: Office) -> None:
    office.raised(sos())
    book = AlertBook(STAFF)
    assert book.restore([b"\x00rubbish", *office.stored.values(), b""], NOON) == 2
    assert [alert.rule for alert in book.open_alerts()] == ["sos", "damaged"]
    assert book.take().entries[0].rule == "damaged"


def test_an_alert_of_an_older_and_of_a_newer_version_is_readable() -> None:
    import msgspec

    older = dict.fromkeys(("id", "key", "rule", "site", "device", "place", "text_zh", "text_en"), "x")
    body = msgspec.msgpack.encode({**older, "severity": "urgent", "occurred_ns": 1, "raised_ns": 2})
    assert unpack(body) == Alert("x", "x", "x", Severity.URGENT, "x", "x", "x", 1, 2, "x", "x")
    newer = msgspec.msgpack.encode({**msgspec.to_builtins(unpack(body)), "invented_later": [1]})
    assert unpack(newer) == unpack(body)


def test_ten_thousand_open_timers_are_back_in_two_seconds(office: Office) -> None:
    import time

    office.book.apply([silent(f"d{n}") for n in range(10_000)], NOON)
    office.save()
    start = time.perf_counter()
    office.restart()
    assert time.perf_counter() - start < 2
    assert len(office.book.open_alerts()) == 10_000


# people


def test_without_anybody_to_tell_it_waits_and_tells_the_first_who_is_added() -> None:
    office = Office(Alerts(people=[NOBODY]))
    office.raised(sos())
    assert [n for _, notices in office.until(500, step=10) for n in notices] == []
    office.book.use(STAFF)
    assert "zhang/0" in to(office.wait(60))


def test_a_person_who_is_taken_off_the_list_is_not_told_again(office: Office) -> None:
    office.raised(sos())
    office.fail(office.wait(0))
    office.book.use(Alerts(people=[LI]))
    assert {to_whom for _, notices in office.until(130) for to_whom in to(notices)} == {"li/0"}


def test_an_alert_without_site_or_device_is_told_as_the_gateways() -> None:
    office = Office()
    office.book.apply([Finding("rule-failed/x", "rule-failed", Severity.WARNING, "", "", "", NOON, "", "")], NOON)
    (entry,) = office.book.take().entries
    assert (entry.site, entry.device) == ("gateway", "gateway")


class Life(RuleBasedStateMachine):
    """Whatever happens, in whatever order: presses, silences, answers, no answers, people, restarts, clocks."""

    keys = st.sampled_from([sos("home-1"), sos("home-2"), silent("d1"), silent("d2"), silent("d3"), silent("d4"), silent("d5")])
    anyone = st.sampled_from(["zhang", "li", "wang"])

    def __init__(self) -> None:
        super().__init__()
        self.office = Office(STAFF.model_copy(update={"siren": ["siren://w/b"]}))
        self.presses = 1
        self.air: list[Notice] = []
        self.reports: list[tuple[str, list[tuple[str, int, str, int]]]] = []
        self.handed: dict[tuple[str, int, str, int], int] = {}  # identity -> times it may have arrived
        self.failed: set[tuple[str, int, str, int]] = set()
        self.closed_by_person: set[str] = set()
        self.seen: dict[str, Alert] = {}

    def identities(self, notice: Notice) -> list[tuple[str, int, str, int]]:
        return [(item.alert, item.step, notice.person, notice.channel) for item in notice.items]

    @rule(finding=keys, fresh=st.booleans())
    def something_is_found(self, finding: Finding, fresh: bool) -> None:
        self.presses += fresh
        seen = (f"press {self.presses}",)
        news = {name: getattr(finding, name) for name in Finding.__slots__} | {"evidence": seen}
        self.office.book.apply([Finding(**news)], self.office.now_ns)

    @rule(finding=keys)
    def something_ends(self, finding: Finding) -> None:
        self.office.book.apply([Returned(finding.key, self.office.now_ns, "heard_again")], self.office.now_ns)

    @rule(seconds=st.sampled_from([0, 1, 5, 15, 60, 180, 4000]))
    def time_passes(self, seconds: int) -> None:
        notices = self.office.wait(seconds)
        for notice in notices:
            for identity in self.identities(notice):
                self.handed[identity] = self.handed.get(identity, 0) + (identity not in self.failed)
                self.failed.discard(identity)
        self.air += notices

    @rule(years=st.sampled_from([-20, -1, 1, 20]))
    def the_clock_jumps(self, years: int) -> None:
        self.office.now_ns += years * YEAR

    @precondition(lambda self: self.air)
    @rule(data=st.data(), how=st.sampled_from(["delivered", "failed", "in doubt", "taken", "lost"]))
    def a_message_is_answered(self, data: st.DataObject, how: str) -> None:
        notice = self.air.pop(data.draw(st.integers(0, len(self.air) - 1)))
        if how == "delivered":
            self.office.book.delivered(notice, self.office.now_ns)
        elif how == "taken":
            self.reports.append((f"sms:{len(self.reports)}-{self.office.now_ns}", self.identities(notice)))
            self.office.book.taken(notice, self.reports[-1][0], self.office.now_ns)
        elif how != "lost":
            self.office.book.failed(notice, "error=500", self.office.now_ns, in_doubt=how == "in doubt")
            self.failed |= set(self.identities(notice)) if how == "failed" else set()

    @precondition(lambda self: self.reports)
    @rule(data=st.data(), arrived=st.booleans())
    def a_channel_reports(self, data: st.DataObject, arrived: bool) -> None:
        name, identities = self.reports.pop(data.draw(st.integers(0, len(self.reports) - 1)))
        known = self.office.book.reported([name], arrived, "number is off", self.office.now_ns)
        if known and not arrived:
            self.failed |= set(identities)

    @precondition(lambda self: self.office.book.open_alerts())
    @rule(data=st.data(), person=anyone, close=st.booleans())
    def a_person_acts(self, data: st.DataObject, person: str, close: bool) -> None:
        alert = data.draw(st.sampled_from(self.office.book.open_alerts()))
        if close:
            self.office.book.close(alert.id, person, "test", self.office.now_ns)
            self.closed_by_person.add(alert.id)
        else:
            self.office.book.accept(alert.id, person, self.office.now_ns)

    @rule()
    def the_gateway_restarts(self) -> None:
        self.office.save()
        self.air = []
        self.office.restart()

    @invariant()
    def no_cause_has_two_open_alerts(self) -> None:
        keys = [alert.key for alert in self.office.book.open_alerts()]
        assert len(keys) == len(set(keys))

    @invariant()
    def an_sos_is_open_until_a_person_closed_it(self) -> None:
        now_open = {alert.id: alert for alert in self.office.book.open_alerts()}
        for alert_id, alert in self.seen.items():
            if alert.rule == "sos" and alert_id not in now_open:
                assert alert_id in self.closed_by_person
        self.seen |= now_open

    @invariant()
    def what_nobody_accepted_always_has_a_next_message(self) -> None:
        for alert in self.office.book.open_alerts():
            if alert.unanswered:
                assert alert.due_ns is not None
            else:
                assert (alert.due_ns, alert.sends) == (alert.close_due_ns, [])
                assert alert.close_due_ns != 0

    @invariant()
    def no_message_may_have_arrived_twice_but_after_a_crash(self) -> None:
        assert all(times <= 2 for times in self.handed.values())

    @invariant()
    def bytes_hold_everything(self) -> None:
        for alert in self.office.book.open_alerts():
            assert unpack(pack(alert)) == alert

    def teardown(self) -> None:
        """From any state at all: within one longest distance, everybody unanswered is heard of."""
        waiting = {alert.id for alert in self.office.book.open_alerts() if alert.unanswered}
        due = [notice for _ in range(80) for notice in self.office.wait(60) if notice.person != "siren"]
        told = {item.alert for notice in due for item in notice.items}
        assert waiting <= told


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)
