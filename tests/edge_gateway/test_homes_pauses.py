"""The elder pauses by a button: it has an end, the staff is told once, alarms ring all the same, the home is shown it."""

import pytest

from edge_gateway.alerts import Notice
from edge_gateway.alerts.alert import State
from edge_gateway.events import Event, Flag, Reading, TimeQuality
from edge_gateway.homes.home import Pause
from edge_gateway.homes.watch import HomeWatch, Order
from edge_gateway.notify.letter import compose
from edge_gateway.rules import Severity
from edge_gateway.settings import Alerts, Person
from tests.edge_gateway.watched_home import MINUTE, SECOND, WatchedHome, at

HOUR = 60 * MINUTE
TOLD = "paused-by-elder"


def lived(*settings: str) -> WatchedHome:
    home = WatchedHome("prewarn_s = 0", *settings)
    home.tell("motion.kitchen", 1.0, at("9:00"))
    home.tell("motion.kitchen", 0.0, at("9:00") + SECOND)
    home.look(at("9:00") + SECOND)
    return home


def press(home: WatchedHome, wanted: bool, at_ns: int, received_ns: int = 0) -> None:
    home.tell("pause", float(wanted), at_ns, received_ns)
    home.look((received_ns or at_ns) + SECOND)


def quiet(home: WatchedHome, end_ns: int) -> None:
    """The device is heard, and nobody moves."""
    while home.now_ns + 10 * MINUTE <= end_ns:
        home.tell("humidity", 50.0, home.now_ns + 10 * MINUTE)
        home.look(home.now_ns + SECOND)


def shown(home: WatchedHome) -> list[tuple[int, int, object]]:
    """What the device was told since the last question: (until, seconds, the press that is answered)."""
    orders, home.homes.orders = home.homes.orders, []
    assert all((o.site, o.device) == ("wutong", "h1") for o in orders)
    told = [o.details for o in orders if o.name == "paused"]
    return [(int(str(d["until"])), int(str(d["seconds"])), d.get("event")) for d in told]


def deliver(home: WatchedHome) -> list[Notice]:
    """The messages that are due, all of them confirmed."""
    home.book.use(Alerts(people=[Person(id="zhang", urls=["json://h"])]))
    notices = home.book.due(home.now_ns)
    for notice in notices:
        home.book.delivered(notice, home.now_ns)
    return notices


def test_a_press_pauses_for_half_a_day_and_is_answered() -> None:
    home = lived()
    press(home, True, at("10:00"))
    assert home.memory.pause == Pause(at("10:00"), at("22:00"), "elder", said_ns=at("10:00"))
    assert shown(home) == [(at("22:00") // SECOND, 12 * 3600 - 1, [1, 3])]
    assert [(n.who, n.what, n.detail) for n in home.homes.take_notes()] == [("elder", "paused", f"until={at('22:00')}")]


def test_the_staff_is_told_once_and_has_nothing_to_do() -> None:
    home = lived()
    press(home, True, at("10:00"))
    alert = home.alert(TOLD)
    assert (alert.severity, alert.rule) == (Severity.NOTICE, "paused")
    assert "到 11月20日 22:00" in alert.text_zh and "paused by the elder until 20 Nov 22:00" in alert.text_en
    (notice,) = deliver(home)
    letter = compose(notice)
    assert "接手" not in letter.body and "ccept" not in letter.body and not notice.replies
    assert (alert.state, alert.closed_by, alert.history[-1].reason) == (State.CLOSED, "gateway", "told")
    home.until(at("21:59"))
    assert deliver(home) == [] and home.alerts(TOLD) == []


def test_nobody_is_told_of_a_pause_twice_because_no_channel_was_there_at_first() -> None:
    home = lived()
    press(home, True, at("10:00"))
    home.until(at("11:00"))
    assert len(home.alerts(TOLD)) == 1 and home.alert(TOLD).count == 1
    assert len(deliver(home)) == 1
    assert home.alerts(TOLD) == []


def test_a_button_that_wobbles_is_no_flood_of_messages_and_the_last_pause_is_told_all_the_same() -> None:
    home, sent = lived(), 0
    for second in range(0, 1199, 2):
        press(home, second % 4 == 0, at("10:00") + second * SECOND)
        sent += len(deliver(home))
    assert sent == 2
    press(home, True, at("10:21"))
    assert deliver(home) == []
    home.until(at("10:32"))
    (notice,) = deliver(home)
    assert "22:21" in notice.items[0].text_en


def test_its_end_is_told_as_of_any_pause_and_the_lamp_goes_out() -> None:
    home = lived("pause_h = 2")
    press(home, True, at("10:00"))
    shown(home)
    home.until(at("12:01"))
    assert home.alert("paused").evidence[0].endswith("paused by elder")
    assert home.alerts(TOLD) == [], "of a pause that is over nobody has to know that it began"
    assert shown(home) == [(0, 0, [1, 3])]


def test_nothing_else_is_said_while_it_runs() -> None:
    home = lived("limit_h = 1")
    press(home, True, at("10:00"))
    quiet(home, at("21:50"))
    assert {alert.key.partition("/")[0] for alert in home.book.open_alerts()} == {TOLD}


@pytest.mark.parametrize("name", ["sos", "smoke", "gas", "leak"])
def test_alarms_ring_all_the_same(name: str) -> None:
    home = lived()
    press(home, True, at("10:00"))
    home.tell(name, 1.0, at("11:00"))
    assert len(home.alerts(name)) == 1


def test_a_second_press_ends_it() -> None:
    home = lived("limit_h = 1")
    quiet(home, at("9:55"))
    press(home, True, at("10:00"))
    shown(home)
    quiet(home, at("10:55"))
    press(home, False, at("11:00"))
    assert home.memory.pause is None and [event for _, _, event in shown(home)] == [[1, home._seq]]
    assert home.alerts(TOLD) == []
    quiet(home, at("12:45"))
    assert len(home.alerts("inactivity")) == 1, "watched again, silence counted from the end of the pause"
    assert home.alert("inactivity").occurred_ns > at("10:59")


def test_a_press_from_an_outage_pauses_until_its_own_end_and_not_anew() -> None:
    home = lived()
    press(home, True, at("10:00"), received_ns=at("15:00"))
    assert home.memory.pause == Pause(at("10:00"), at("22:00"), "elder", said_ns=at("10:00"))
    late = lived()
    press(late, True, at("10:00"), received_ns=at("22:30"))
    assert late.memory.pause is None and late.alerts(TOLD) == []
    assert shown(late) == [(0, 0, [1, 3])], "the lamp has to go out"


def test_a_repeated_press_does_not_prolong_it_and_one_that_comes_out_of_order_changes_nothing() -> None:
    home = lived()
    press(home, True, at("10:00"))
    press(home, True, at("10:00"), received_ns=at("10:30"))
    assert home.memory.pause == Pause(at("10:00"), at("22:00"), "elder", said_ns=at("10:00"))
    press(home, False, at("11:00"))
    press(home, True, at("10:45"), received_ns=at("11:05"))
    assert home.memory.pause is None
    assert len(shown(home)) == 4, "each is answered"


def test_a_later_word_of_the_staff_stands_against_an_older_press() -> None:
    home = lived()
    home.memory.timers["pause.said"] = at("11:00")  # as `homes.resume` at eleven leaves it
    press(home, True, at("10:00"), received_ns=at("12:00"))
    assert home.memory.pause is None


def test_a_pause_of_the_staff_that_is_longer_stays_and_repairs_are_not_touched() -> None:
    home = lived()
    home.memory.pause = Pause(at("9:00"), at("9:00", 22), "zhang", "visitors")
    press(home, True, at("10:00"))
    assert home.memory.pause == Pause(at("9:00"), at("9:00", 22), "zhang", "visitors")
    press(home, False, at("10:10"))
    assert home.memory.pause is None, "who wants to be watched again is watched again"
    home.memory.pause = works = Pause(at("11:00"), at("13:00"), "tech", "maintenance")
    press(home, True, at("11:10"))
    press(home, False, at("11:20"))
    assert home.memory.pause == works


def test_the_device_shows_a_pause_of_the_staff_too() -> None:
    home = lived()
    home.memory.pause = Pause(at("9:00"), at("12:00"), "zhang")
    home.look(at("9:10"))
    assert shown(home) == [(at("12:00") // SECOND, 170 * 60, None)]
    assert home.alerts(TOLD) == [], "the staff knows"
    home.memory.pause = None
    home.look(at("9:20"))
    assert shown(home) == [(0, 0, None)]


def test_pauses_that_follow_each_other_end_after_a_day() -> None:
    home = lived()
    for hour in range(10, 24):  # a button that wobbles: on and off
        press(home, True, at(f"{hour}:00"))
        press(home, False, at(f"{hour}:30"))
    press(home, True, at("0:00", 21))
    assert home.memory.pause == Pause(at("0:00", 21), at("10:00", 21), "elder", said_ns=at("0:00", 21)), (
        "not longer than a day after the first"
    )
    press(home, True, at("10:30", 21))
    assert home.memory.pause is None or home.memory.pause.until_ns <= at("10:30", 21)
    press(home, True, at("12:00", 21))
    assert home.memory.pause == Pause(at("12:00", 21), at("0:00", 22), "elder", said_ns=at("12:00", 21)), (
        "after an hour and more of watching"
    )


def test_where_it_is_switched_off_a_press_changes_nothing_and_is_answered() -> None:
    home = lived("pause_h = 0")
    press(home, True, at("10:00"))
    assert home.memory.pause is None and shown(home) == [(0, 0, [1, 3])]
    assert [n.what for n in home.homes.take_notes()] == ["pause_refused"]


@pytest.mark.parametrize(("value", "flag"), [(None, None), (1.0, int(Flag.FAIL)), (7.0, None)])
def test_what_cannot_be_read_pauses_nothing(value: float | None, flag: int | None) -> None:
    home = lived()
    home.tell("pause", value, at("10:00"), flag=flag)
    home.look(at("10:01"))
    assert home.memory.pause is None


@pytest.mark.parametrize(("time_ns", "paused"), [(at("10:00"), False), (at("9:59"), True)])
def test_a_press_of_which_nobody_knows_when_it_was_begins_no_pause(time_ns: int, paused: bool) -> None:
    home = lived()
    who = ("wutong", "h1", "3-201", 1, 9, time_ns, at("10:00"), "none", TimeQuality.RECEIPT, None)
    home.homes.observe(Event(*who, "pause", [Reading("pause", 1.0, 1)]))
    assert (home.memory.pause is not None) is paused


def test_the_question_at_home_ends_with_a_pause() -> None:
    home = WatchedHome("prewarn_s = 600", "limit_h = 1")
    home.tell("motion.kitchen", 1.0, at("9:00"))
    home.tell("motion.kitchen", 0.0, at("9:00") + SECOND)
    quiet(home, at("10:00"))
    home.until(at("10:02"))
    assert len(home.asked) == 1
    press(home, True, at("10:05"))
    quiet(home, at("13:00"))
    assert home.alerts("inactivity") == []
    assert Order("wutong", "h1", "prewarn", {"seconds": 0}) in home.homes.orders


def test_a_restart_forgets_nothing_tells_nothing_twice_and_shows_the_home_how_it_stands() -> None:
    home = lived()
    press(home, True, at("10:00"))
    home.homes.orders = []  # lost with the process
    home.restart()
    home.look(at("10:01"))
    assert shown(home) == [(at("22:00") // SECOND, 12 * 3600 - 60, [1, 3])]
    assert home.memory.pause == Pause(at("10:00"), at("22:00"), "elder", said_ns=at("10:00"))
    deliver(home)
    home.restart()
    home.until(at("11:00"))
    assert home.alerts(TOLD) == []


def test_a_power_cut_before_the_first_look_still_tells_the_staff() -> None:
    home = lived()
    home.tell("pause", 1.0, at("10:00"))
    rows = home.homes.take(home.now_ns)
    assert rows, "saved with its message, not half a minute later"
    home.homes = HomeWatch(home.registry)
    home.homes.restore(rows)
    home.look(at("10:01"))
    assert len(home.alerts(TOLD)) == 1


def test_a_device_that_is_back_is_told_again_two_seconds_later() -> None:
    home = lived()
    press(home, True, at("10:00"))
    shown(home)
    home.homes.pauses.born("wutong", "h1")
    home.look(at("11:00"))
    assert shown(home) == []
    home.look(at("11:00") + 2 * SECOND)
    assert shown(home) == [(at("22:00") // SECOND, 11 * 3600 - 2, [1, 3])]
    home.look(at("11:00") + 3 * SECOND)
    assert shown(home) == []


def test_a_device_where_nobody_ever_paused_is_told_nothing() -> None:
    home = lived()
    home.homes.pauses.born("wutong", "h1")
    home.until(at("9:30"))
    assert shown(home) == []
