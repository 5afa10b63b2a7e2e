"""Accepted is not over; a channel may report later; nobody reachable wakes the next person and a siren; a link acts once."""

from collections.abc import Iterator
from itertools import count

import pytest

from edge_gateway.alerts import Alert, AlertBook, Notice, State, acts, pack, unpack
from edge_gateway.alerts.links import Links, digest
from edge_gateway.alerts.notice import reference
from edge_gateway.alerts.replies import answer, meant
from edge_gateway.alerts.story import story
from edge_gateway.errors import Rejected
from edge_gateway.rules import Finding, Returned, Severity
from edge_gateway.settings import Alerts, Person
from tests.edge_gateway.test_alerts import LI, NOON, SECOND, STAFF, WANG, ZHANG, Office, silent, sos, to

BASE = "https://visits.example.org/a/"
MINUTE = 60
SIREN = STAFF.model_copy(update={"siren": ["siren://wutong/office"], "siren_after_s": 30.0})


class Linked(Office):
    """An office whose messages carry links."""

    def __init__(self, people: Alerts = STAFF) -> None:
        super().__init__(people)
        self.number = count(1)
        self.book = self.new_book()

    def new_book(self) -> AlertBook:
        return AlertBook(self.people, links=Links(lambda: f"secret-word-{next(self.number)}", BASE))

    def restart(self) -> None:
        self.book = self.new_book()
        assert self.book.restore([body for id_, body in self.stored.items() if self.open[id_]], self.now_ns) == 0
        self.save()

    def word(self, seconds: float = 0) -> str:
        """The word of the next message to zhang."""
        notices = self.wait(seconds)
        (link,) = {n.items[0].link for n in notices if n.person == "zhang"}
        assert link.startswith(BASE)
        self.deliver(notices)
        return link.removeprefix(BASE)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def linked() -> Linked:
    return Linked()


# accepted is not closed


def test_an_accepted_alert_that_nobody_closed_is_opened_again_and_tells_who_had_it_first(office: Office) -> None:
    alert_id = office.raised(sos())
    office.deliver(office.wait(0))
    office.book.accept(alert_id, "wang", office.now_ns)
    office.save()
    assert office.wait(30 * MINUTE - 1) == []
    notices = office.wait(1)
    assert to(notices) == ["wang/0"]
    assert (notices[0].items[0].reopened, notices[0].items[0].first) == ("not_closed", "wang")
    assert office.told[-1] == "raised by gateway"
    office.deliver(notices)
    assert sorted(to(office.wait(180))) == ["wang/0", "zhang/0"]


def test_accepting_again_gives_another_half_hour(office: Office) -> None:
    alert_id = office.raised(sos())
    for _ in range(3):
        office.book.accept(alert_id, "wang", office.now_ns)
        office.save()
        assert office.wait(30 * MINUTE - 1) == []
        assert office.deliver(office.wait(1))


def test_a_closed_alert_is_never_opened_again(office: Office) -> None:
    alert_id = office.raised(sos())
    office.book.accept(alert_id, "li", office.now_ns)
    office.book.close(alert_id, "li", "visited_fine", office.now_ns)
    assert office.wait(24 * 60 * MINUTE) == []


def test_the_closing_timer_goes_on_through_a_restart(office: Office) -> None:
    alert_id = office.raised(sos())
    office.book.accept(alert_id, "li", office.now_ns)
    office.save()
    office.now_ns += 20 * MINUTE * SECOND
    office.restart()
    assert office.wait(10 * MINUTE - 1) == []
    assert to(office.wait(1)) == ["li/0"]


def test_what_was_accepted_in_a_version_without_that_timer_gets_one(office: Office) -> None:
    alert_id = office.raised(sos())
    office.book.accept(alert_id, "li", office.now_ns)
    office.save()
    old = unpack(office.stored[alert_id])
    old.close_due_ns, old.due_ns = 0, None
    office.stored[alert_id] = pack(old)
    office.restart()
    assert unpack(office.stored[alert_id]).close_due_ns == office.now_ns + 30 * MINUTE * SECOND
    assert to(office.wait(30 * MINUTE)) == ["li/0"]


@pytest.mark.parametrize("jump_s", [-10 * 365 * 86_400, -3600])
def test_a_clock_that_jumps_back_gives_the_whole_time_again_and_no_more(office: Office, jump_s: int) -> None:
    alert_id = office.raised(sos())
    office.book.accept(alert_id, "li", office.now_ns)
    office.now_ns += jump_s * SECOND
    assert office.wait(0) == []
    assert office.wait(30 * MINUTE - 1) == []
    assert to(office.wait(1)) == ["li/0"]


def test_what_is_not_urgent_has_a_day_before_it_is_opened_again(office: Office) -> None:
    alert_id = office.raised(silent())
    office.book.accept(alert_id, "li", office.now_ns)
    assert office.wait(86_399) == []
    assert to(office.wait(1)) == ["li/0"]


# what becomes worse


def test_what_becomes_worse_is_told_anew_and_never_falls_back(office: Office) -> None:
    alert_id = office.raised(silent(severity=Severity.WARNING))
    office.deliver(office.wait(0))
    office.book.accept(alert_id, "wang", office.now_ns)
    urgent = silent(severity=Severity.URGENT)
    office.book.apply([urgent], office.now_ns)
    notices = office.wait(0)
    assert to(notices) == ["wang/0", "zhang/0"], "who is on the way, and another at once"
    assert notices[0].urgent
    assert notices[0].items[0].reopened == "worse"
    office.book.apply([silent(severity=Severity.NOTICE), Returned(urgent.key, NOON, "heard_again")], office.now_ns)
    (alert,) = office.book.open_alerts()
    assert (alert.severity, alert.returns) == (Severity.URGENT, False)
    assert [change.reason for change in alert.history].count("worse") == 1


# nobody can be reached


def test_when_every_channel_of_a_person_fails_the_next_person_is_told_at_once() -> None:
    office = Office(STAFF.model_copy(update={"people": [LI, WANG, ZHANG]}))
    office.raised(sos())
    office.fail(office.wait(0))
    assert to(office.wait(0)) == ["wang/0"]
    office.fail(office.wait(0), in_doubt=True)
    # And what is not urgent wakes nobody else for it.
    quiet = Office(STAFF.model_copy(update={"people": [LI, WANG]}))
    quiet.raised(silent())
    quiet.fail(quiet.wait(0))
    assert quiet.wait(0) == []


def test_a_siren_sounds_when_no_channel_confirms_and_again_each_round_and_counts_as_nobody() -> None:
    office = Office(SIREN)
    alert_id = office.raised(sos())
    sirens: list[float] = []
    for at_s, notices in office.until(125):
        rung = [n for n in notices if n.person == "siren"]
        office.deliver(rung)
        office.fail([n for n in notices if n.person != "siren"])
        sirens += [at_s] * len(rung)
    assert sirens == [30, 60, 120]
    alert = office.book.find(alert_id)
    assert (alert.state, alert.told) == (State.RAISED, []), "a siren is no person"
    assert [change.reason for change in alert.history] == ["sos", "siren"]


def test_the_siren_is_silent_while_people_are_reached_and_sounds_when_they_no_longer_are() -> None:
    office = Office(SIREN)
    office.raised(sos())
    told = [n.person for _, notices in office.until(130) for n in office.deliver(notices)]
    assert "siren" not in told
    sirens: list[float] = []
    for at_s, notices in office.until(120):
        office.fail([n for n in notices if n.person != "siren"])
        sirens += [at_s for n in office.deliver([n for n in notices if n.person == "siren"])]
    assert 60 <= sirens[0] <= 90


@pytest.mark.parametrize("finding", [silent(), silent(severity=Severity.WARNING)])
def test_no_siren_for_what_is_not_urgent(finding: Finding) -> None:
    office = Office(SIREN)
    office.raised(finding)
    for _, notices in office.until(3600, step=10):
        assert "siren" not in [n.person for n in notices]
        office.fail(notices)


def test_accepting_ends_the_siren() -> None:
    office = Office(SIREN)
    alert_id = office.raised(sos())
    for _, notices in office.until(40):
        office.fail(notices)
    office.book.accept(alert_id, "li", office.now_ns)
    assert office.wait(600) == []


def test_an_alert_that_an_older_version_raised_does_not_set_the_siren_off_at_once() -> None:
    office = Office(SIREN)
    alert_id = office.raised(sos())
    old = unpack(office.stored[alert_id])
    old.siren_due_ns = 0
    office.stored[alert_id] = pack(old)
    office.restart()
    assert to(office.wait(0)) == ["zhang/0"]


# reports of delivery


def taken(office: Office, notices: list[Notice], own: str = "sms:77") -> None:
    for notice in notices:
        office.book.taken(notice, own, office.now_ns)
    office.save()


def test_taken_is_not_delivered_until_the_report_says_so(office: Office) -> None:
    alert_id = office.raised(sos())
    taken(office, office.wait(0))
    assert office.book.find(alert_id).state is State.RAISED
    assert office.wait(14) == []
    assert to(office.wait(1)) == ["zhang/1"], "no report in 15 s: the next channel"
    assert office.book.reported(["sms:77"], True, "", office.now_ns)
    assert office.book.find(alert_id).state is State.NOTIFIED
    assert office.book.find(alert_id).told == ["zhang"]


def test_a_report_that_it_did_not_arrive_opens_the_next_channel_and_the_message_is_tried_again(office: Office) -> None:
    office.raised(sos())
    taken(office, office.wait(0))
    assert office.book.reported(["sms:77"], False, "number is off", office.now_ns)
    assert to(office.wait(0)) == ["zhang/1"]
    assert to(office.wait(5)) == ["zhang/0"]


def test_a_report_is_found_by_our_own_reference_too_and_counts_once(office: Office) -> None:
    alert_id = office.raised(sos())
    notices = office.wait(0)
    ours = reference(alert_id, 1, "zhang", 0)
    assert notices[0].reference == ours
    taken(office, notices)
    assert office.book.reported(["unknown", ours], True, "", office.now_ns)
    assert not office.book.reported(["sms:77"], True, "", office.now_ns), "the same message under its other name"


def test_a_report_that_overtakes_the_channels_own_answer_is_not_lost(office: Office) -> None:
    alert_id = office.raised(sos())
    notices = office.wait(0)
    assert not office.book.reported(["sms:77"], True, "", office.now_ns)
    taken(office, notices)
    assert office.book.find(alert_id).state is State.NOTIFIED


def test_a_bad_report_that_overtakes_the_channels_own_answer_is_not_lost_either(office: Office) -> None:
    alert_id = office.raised(sos())
    notices = office.wait(0)
    office.book.reported([reference(alert_id, 1, "zhang", 0)], False, "number is off", office.now_ns)
    taken(office, notices)
    assert to(office.wait(0)) == ["zhang/1"]
    assert [send.error for send in office.book.find(alert_id).sends if send.channel == 0] == ["number is off"]


def test_a_report_after_a_restart_and_a_later_round_still_says_who_was_told(office: Office) -> None:
    alert_id = office.raised(sos())
    taken(office, office.wait(0))
    office.wait(60)
    office.restart()
    assert office.book.reported(["sms:77"], True, "", office.now_ns)
    assert office.book.find(alert_id).told == ["zhang"]


def test_reports_of_nobody_change_nothing_and_are_bounded(office: Office) -> None:
    office.raised(sos())
    before = office.stored.copy()
    for n in range(1000):
        assert not office.book.reported([f"sms:{n}"], True, "", office.now_ns)
    office.save()
    assert office.stored == before


# links


def test_a_link_accepts_for_its_person_and_gives_a_word_to_close_with(linked: Linked) -> None:
    alert_id = linked.raised(sos())
    word = linked.word()
    seen = acts.look_at(linked.book, word, linked.now_ns)
    assert (seen.person, seen.kind, seen.why, seen.alert.id) == ("zhang", "accept", "", alert_id)
    assert linked.book.find(alert_id).unanswered, "looking changes nothing"
    done = acts.accept(linked.book, word, linked.now_ns)
    linked.save()
    assert (done.first, done.alert.accepted_by) == (True, "zhang")
    closed = acts.close(linked.book, done.close_word, "visited_fine", linked.now_ns)
    linked.save()
    assert (closed.state, closed.closed_by) == (State.CLOSED, "zhang")
    assert acts.look_at(linked.book, word, linked.now_ns).why == "closed"


def test_the_word_is_on_no_disk_and_only_its_hash_is_with_the_alert(linked: Linked) -> None:
    alert_id = linked.raised(sos())
    word = linked.word()
    assert word.encode() not in linked.stored[alert_id]
    assert digest(word) in linked.stored[alert_id]


def test_a_link_works_once(linked: Linked) -> None:
    alert_id = linked.raised(sos())
    word = linked.word()
    acts.accept(linked.book, word, linked.now_ns)
    again = acts.accept(linked.book, word, linked.now_ns)
    assert (again.first, again.close_word) == (False, ""), "the same tap twice changes nothing and gives no right to close"
    linked.now_ns += 200 * SECOND
    linked.book.apply([sos(press=2)], linked.now_ns)
    assert linked.book.find(alert_id).unanswered, "opened again"
    with pytest.raises(Rejected, match="link_used"):
        acts.accept(linked.book, word, linked.now_ns)
    assert linked.book.find(alert_id).unanswered


def test_a_link_is_too_old_after_its_time_also_for_a_clock_that_jumped(linked: Linked) -> None:
    alert_id = linked.raised(sos())
    word = linked.word()
    for jump_s in (15 * MINUTE, 20 * 365 * 86_400, -3600):
        with pytest.raises(Rejected, match="link_expired"):
            acts.accept(linked.book, word, linked.now_ns + jump_s * SECOND)
        assert acts.look_at(linked.book, word, linked.now_ns + jump_s * SECOND).why == "expired"
    assert linked.book.find(alert_id).unanswered
    assert acts.accept(linked.book, word, linked.now_ns + 15 * MINUTE * SECOND - 1).first


def test_the_second_to_tap_sees_who_was_first(linked: Linked) -> None:
    alert_id = linked.raised(sos())
    word = linked.word()
    linked.book.accept(alert_id, "li", linked.now_ns)
    assert acts.look_at(linked.book, word, linked.now_ns).why == "accepted"
    done = acts.accept(linked.book, word, linked.now_ns)
    assert (done.first, done.alert.accepted_by, done.close_word) == (False, "li", "")


def test_a_link_to_accept_cannot_close_and_one_to_close_cannot_accept(linked: Linked) -> None:
    linked.raised(sos())
    word = linked.word()
    with pytest.raises(Rejected, match="unknown_link"):
        acts.close(linked.book, word, "visited_fine", linked.now_ns)
    close_word = acts.accept(linked.book, word, linked.now_ns).close_word
    with pytest.raises(Rejected, match="unknown_link"):
        acts.accept(linked.book, close_word, linked.now_ns)
    with pytest.raises(Rejected, match="no_reason"):
        acts.close(linked.book, close_word, " ", linked.now_ns)
    assert acts.close(linked.book, close_word, "ambulance", linked.now_ns).state is State.CLOSED


@pytest.mark.parametrize("word", ["", "secret-word-99", "secret-word-1 ", "\ud800", "x" * 10_000])
def test_a_word_that_nobody_was_given_opens_nothing(linked: Linked, word: str) -> None:
    linked.raised(sos())
    linked.word()
    with pytest.raises(Rejected, match="unknown_link"):
        acts.accept(linked.book, word, linked.now_ns)


def test_a_round_has_one_link_for_a_person_through_all_channels_and_the_next_round_another(linked: Linked) -> None:
    linked.raised(sos())
    first = linked.wait(0)
    second_channel = linked.wait(15)
    assert (to(first), to(second_channel)) == (["zhang/0"], ["zhang/1"])
    assert first[0].items[0].link == second_channel[0].items[0].link
    linked.deliver(second_channel)
    (later,) = linked.wait(45)
    assert later.items[0].link != first[0].items[0].link


def test_links_survive_a_restart_and_stay_few(linked: Linked) -> None:
    alert_id = linked.raised(sos())
    word = linked.word()
    for _ in range(14):
        linked.word(60)
    linked.restart()
    assert acts.accept(linked.book, word, linked.now_ns).alert.id == alert_id
    other = linked.raised(sos("home-2"))
    for _, notices in linked.until(4 * 3600, step=10):
        linked.deliver(notices)
    assert len(linked.book.find(other).links) <= 3 * 16
    assert len(pack(linked.book.find(other))) < 12_000


def test_a_digest_and_a_siren_carry_no_link() -> None:
    linked = Linked(SIREN)
    linked.book.apply([silent(f"d{n}") for n in range(10)], NOON)
    linked.book.apply([sos()], NOON)
    for _, notices in linked.until(40):
        linked.fail(notices)
        for notice in notices:
            assert bool(notice.items[0].link) == (notice.urgent and notice.person != "siren")
            assert notice.page == ("" if notice.urgent else "https://visits.example.org/alerts")


# answers


@pytest.mark.parametrize(
    "text", ["1", " １ ", "接手", "接手。", "我去!", "OK", "ok.", "@看护 接手", "1 3f2a", "3f2a 1", "Accept"]
)
def test_words_that_accept(text: str) -> None:
    assert meant(text).act == "accept"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2", "false_press"),
        ("误按", "false_press"),
        ("3 看过了", ""),
        ("平安", "visited_fine"),
        ("４", "ambulance"),
        ("test", "test"),
    ],
)
def test_words_that_close(text: str, reason: str) -> None:
    assert (meant(text).act, meant(text).reason) == (("close", reason) if reason else ("", ""))


@pytest.mark.parametrize(
    "text",
    ["", "收到", "好的", "我接手不了", "不接手", "10", "11", "接手吗?", "1 2", "谁去?", "1 abcde", "🙂", "no", "ok ok ok"],
)
def test_words_that_change_nothing(text: str) -> None:
    assert meant(text).act == ""


def test_an_answer_accepts_the_alert_its_sender_was_told_of_and_another_closes_it(office: Office) -> None:
    alert_id = office.raised(sos())
    office.deliver(office.wait(0))
    done = answer(office.book, "zhang", "接手", office.now_ns)
    assert (done.did, office.book.find(alert_id).accepted_by) == ("accepted", "zhang")
    done = answer(office.book, "zhang", "3", office.now_ns)
    assert done.did == "closed"
    assert done.alert is not None
    assert (done.alert.closed_by, done.alert.history[-1].reason) == ("zhang", "visited_fine")


def test_an_answer_that_could_mean_several_alerts_changes_none_and_names_them(office: Office) -> None:
    ids = [office.raised(sos(f"home-{n}")) for n in (1, 2)]
    office.deliver(office.wait(0))
    done = answer(office.book, "zhang", "1", office.now_ns)
    assert done.did == "none"
    assert all(alert_id[-4:] in done.zh for alert_id in ids)
    assert all(office.book.find(alert_id).unanswered for alert_id in ids)
    assert answer(office.book, "zhang", f"1 {ids[1][-4:].upper()}", office.now_ns).did == "accepted"
    assert office.book.find(ids[0]).unanswered
    # Now only one waits.
    assert answer(office.book, "zhang", "1", office.now_ns).did == "accepted"


def test_who_was_told_of_nothing_accepts_nothing_without_a_code(office: Office) -> None:
    alert_id = office.raised(sos())
    office.deliver(office.wait(0))
    assert answer(office.book, "wang", "1", office.now_ns).did == "none"
    assert office.book.find(alert_id).unanswered
    assert answer(office.book, "wang", f"1 {alert_id[-4:]}", office.now_ns).did == "accepted"


def test_an_answer_that_is_not_understood_says_how(office: Office) -> None:
    alert_id = office.raised(sos())
    office.deliver(office.wait(0))
    done = answer(office.book, "zhang", "收到", office.now_ns)
    assert (done.understood, done.did) == (False, "none")
    assert alert_id[-4:] in done.zh
    assert "Answer 1" in done.en
    assert office.book.find(alert_id).unanswered


# tests of the way


def trial(place: str = "home-1") -> Finding:
    text = f"{place}: test"
    return Finding(f"selftest/w/{place}", "selftest", Severity.NOTICE, "w", "b", place, NOON, text, text, ("asked",), test=True)


def test_a_test_is_told_to_one_person_once_and_a_confirmation_ends_it(office: Office) -> None:
    alert_id = office.raised(trial())
    assert to(office.deliver(office.wait(0))) == ["zhang/0"]
    ((alert, passed),) = office.book.tests
    assert (alert.id, passed, alert.told) == (alert_id, True, ["zhang"])
    assert unpack(office.stored[alert_id]).history[-1].reason == "test_passed"
    assert office.wait(3600) == []


def test_a_test_that_nobody_confirms_has_failed_and_was_sent_through_each_channel_but_never_louder() -> None:
    office = Office(Alerts(people=[Person(id="zhang", urls=["json://a", "voice://b", "json://c"]), LI], siren=["siren://w/b"]))
    alert_id = office.raised(trial())
    told: set[str] = set()
    for _, notices in office.until(400):
        told |= set(to(notices))
        for notice in notices:
            office.book.failed(notice, "refused", office.now_ns, in_doubt=True)
        office.save()
    assert told == {"zhang/0", "zhang/2"}
    assert [(alert.id, passed) for alert, passed in office.book.tests] == [(alert_id, False)]
    assert (office.open[alert_id], unpack(office.stored[alert_id]).history[-1].reason) == (False, "test_failed")


def test_a_person_neither_accepts_nor_closes_a_test_for_then_nobody_knew_whether_it_arrived(office: Office) -> None:
    alert_id = office.raised(trial())
    with pytest.raises(Rejected, match="is_test"):
        office.book.accept(alert_id, "li", office.now_ns)
    with pytest.raises(Rejected, match="is_test"):
        office.book.close(alert_id, "li", "test", office.now_ns)


def test_tests_of_thirty_homes_are_one_message_and_no_flood(office: Office) -> None:
    office.book.apply([trial(f"home-{n}") for n in range(30)], NOON)
    office.book.apply([silent()], NOON)
    urgent, *rest = sorted(office.wait(0), key=lambda n: len(n.items))
    assert [len(n.items) for n in rest] == [30]
    assert (len(urgent.items), urgent.items[0].test) == (1, False)


def test_a_restart_in_the_middle_of_a_test_ends_it_all_the_same(office: Office) -> None:
    office.raised(trial())
    office.wait(0)
    office.restart()
    for _, notices in office.until(400, step=5):
        office.fail(notices)
    assert [passed for _, passed in office.book.tests] == [False]


# what a person is shown


def story_of(alert: Alert) -> Iterator[tuple[str, str]]:
    return ((line.when, line.en) for line in story(alert))


def test_the_story_of_an_alert_says_who_was_told_and_who_is_next(office: Office) -> None:
    alert_id = office.raised(sos())
    office.deliver(office.wait(0))
    assert list(story_of(office.book.find(alert_id))) == [
        ("past", "at the gateway"),
        ("past", "zhang was told"),
        ("now", "round 1: zhang, channel 1: confirmed"),
        ("next", "round 2"),
        ("next", "li is told too"),
    ]
    office.book.accept(alert_id, "li", office.now_ns)
    assert list(story_of(office.book.find(alert_id)))[-2:] == [
        ("past", "accepted by li"),
        ("next", "opened again unless it is closed"),
    ]
    alert = office.book.close(alert_id, "li", "ambulance", office.now_ns)
    assert list(story_of(alert))[-1] == ("past", "closed by li: ambulance")


def test_a_person_who_saw_that_all_is_well_closes_what_is_not_urgent_there_and_nothing_else(office: Office) -> None:
    soft = Finding("inactivity/wutong/home-1", "inactivity", Severity.WARNING, "wutong", "", "home-1", NOON, "a", "a")
    other = Finding("inactivity/wutong/home-2", "inactivity", Severity.WARNING, "wutong", "", "home-2", NOON, "b", "b")
    office.book.apply([soft, other, sos()], NOON)
    closed = office.book.close_soft("wutong", "home-1", "li", "visited_fine", NOON)
    assert [alert.key for alert in closed] == [soft.key]
    assert {alert.key for alert in office.book.open_alerts()} == {other.key, sos().key}
