"""Inactivity: the home asks, a person answers or people are told; what ends it, what never does, and what it says."""

from datetime import timedelta

import pytest

from edge_gateway import registry
from edge_gateway.alerts.alert import State
from edge_gateway.events import Flag
from edge_gateway.homes import away, learn
from edge_gateway.homes.home import Past, Pause
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.homes.watch import HomeWatch
from edge_gateway.rules import Finding, Severity, View
from tests.edge_gateway.lived_home import LivedHome, usual_day
from tests.edge_gateway.lived_home import at as march
from tests.edge_gateway.watched_home import KEY, MINUTE, SECOND, WatchedHome, at

HOUR = 60 * MINUTE
SETTING = HomeSetting(*KEY)


def known(**longest_h: float) -> Past:
    """A home that is known for 14 days."""
    days = [usual_day(number, **longest_h) for number in range(14)]
    return Past(days=days, limits_s=learn.limits(days, SETTING))


class Lived(WatchedHome):
    """A home whose device tells its record every ten minutes."""

    def __init__(self, *settings: str, past: Past | None = None) -> None:
        super().__init__(*settings)
        if past is not None:
            self.homes.learned(KEY, past)
        self.tell("contact.front", 0.0, at("08:00"))
        self.walk(at("08:00"))

    def walk(self, at_ns: int) -> None:
        """Somebody is in two rooms."""
        for number, room in enumerate(("kitchen", "hall")):
            self.tell(f"motion.{room}", 1.0, at_ns + number * 20 * SECOND)
            self.tell(f"motion.{room}", 0.0, at_ns + (number * 20 + 2) * SECOND)

    def live(self, until_ns: int) -> None:
        """Time passes; the device tells how it stands, the rules look."""
        while self.now_ns + MINUTE <= until_ns:
            if (self.now_ns // MINUTE) % 10 == 0:
                self.tell("temperature", 21.0, self.now_ns + MINUTE - SECOND)
            self.look((self.now_ns // MINUTE + 1) * MINUTE)

    @property
    def orders(self) -> list[tuple[str, dict[str, object]]]:
        """What devices were asked to do."""
        return [(order.name, dict(order.details)) for order in self.homes.orders if order.name == "prewarn"]


def test_the_home_asks_before_people_are_told() -> None:
    home = Lived(past=known())
    home.live(at("12:00"))
    assert (home.asked, home.alerts("inactivity")) == ([], [])
    home.live(at("12:05"))
    assert home.orders == [("prewarn", {"seconds": 600})]
    assert home.alerts("inactivity") == []
    home.live(at("12:15"))
    alert = home.alert("inactivity")
    assert (alert.severity, alert.place, alert.returns) == (Severity.WARNING, "3-201", True)
    assert alert.occurred_ns == at("08:00") + 22 * SECOND
    assert len(home.orders) == 1, "it asks once"


def test_whoever_answers_is_not_called_about() -> None:
    home = Lived(past=known())
    home.live(at("12:05"))
    home.tell("cancel", 1.0, at("12:08"))
    home.live(at("16:00"))
    assert home.alerts("inactivity") == []
    assert len(home.asked) == 1
    home.live(at("16:20"))
    assert home.alert("inactivity").occurred_ns == at("12:08"), "the answer was life, and nothing came after it"


def test_until_it_is_learned_the_limit_is_the_one_that_was_written_down() -> None:
    home = Lived("limit_h = 6")
    home.live(at("14:00"))
    assert home.asked == []
    home.live(at("14:15"))
    assert home.alerts("inactivity")


def test_a_home_that_does_not_ask_tells_at_once() -> None:
    home = Lived("prewarn_s = 0", past=known())
    home.live(at("12:02"))
    assert home.orders == []
    assert home.alert("inactivity").raised_ns <= at("12:02")


def test_it_ends_by_itself_when_somebody_moves_and_not_by_a_blip() -> None:
    home = Lived(past=known())
    home.live(at("12:15"))
    home.tell("motion.kitchen", 1.0, at("12:20"))
    home.tell("motion.kitchen", 0.0, at("12:20") + SECOND)
    home.live(at("12:30"))
    assert home.alerts("inactivity")
    alert = home.alert("inactivity")
    home.walk(at("14:00"))
    home.live(at("14:03"))
    assert home.alerts("inactivity") == []
    assert (alert.state, alert.history[-1].reason) == (State.CLOSED, "moved_again")
    assert "motion.hall" in alert.evidence[-1]


def test_after_half_as_long_again_it_is_urgent_and_only_a_person_ends_it() -> None:
    home = Lived(past=known())
    home.live(at("13:55"))
    assert home.alert("inactivity").severity is Severity.WARNING
    home.live(at("14:05"))
    alert = home.alert("inactivity")
    assert (alert.severity, alert.returns) == (Severity.URGENT, False)
    assert "请马上打电话" in alert.text_zh
    home.walk(at("14:30"))
    home.live(at("15:00"))
    assert home.alert("inactivity").id == alert.id, "one alert all the time, and it stays"


def test_a_longer_limit_a_restart_and_missing_data_end_nothing() -> None:
    home = Lived(past=known())
    home.live(at("12:15"))
    home.homes.learned(KEY, known(h8=9.0))
    home.live(at("12:30"))
    home.restart()
    home.live(at("12:40"))
    home.until(at("13:40"))  # nothing is told any more
    home.homes.jumped(HOUR)
    home.until(home.now_ns + 10 * MINUTE)
    assert len(home.alerts("inactivity")) == 1


def test_a_restart_in_the_middle_of_the_question_neither_asks_again_nor_forgets() -> None:
    home = Lived(past=known())
    home.live(at("12:05"))
    home.restart()
    home.live(at("12:15"))
    assert len(home.asked) == 1
    assert home.alert("inactivity").raised_ns <= at("12:13")


def test_a_home_that_is_not_heard_is_not_quiet() -> None:
    home = Lived(past=known())
    home.live(at("09:00"))
    home.until(at("20:00"))
    assert home.alerts("inactivity") == []
    assert home.asked == []


def test_a_home_of_which_no_sensor_can_be_believed_is_not_quiet() -> None:
    home = Lived(past=known())
    for name in ("contact.front", "motion.kitchen", "motion.hall"):
        home.tell(name, None, at("08:30"))
    home.live(at("20:00"))
    assert home.asked == []


def test_an_answer_of_a_device_whose_clock_is_behind_is_an_answer() -> None:
    home = Lived(past=known())
    home.live(at("12:05"))
    (asked,) = home.homes.homes.values()
    assert asked.asked is not None
    home.tell("cancel", 1.0, asked.asked.asked_ns - 30 * SECOND, received_ns=at("12:06"))
    home.live(at("12:30"))
    assert home.alerts("inactivity") == []
    assert home.homes.homes[KEY].asked is None


def test_values_outside_their_range_raise_and_clear_nothing() -> None:
    home = Lived(past=known())
    home.live(at("12:15"))
    for second in range(60):
        home.tell("movements.kitchen", -1.0, at("12:16") + second * SECOND)
        home.tell("motion.kitchen", 1.0, at("12:16") + second * SECOND, flag=Flag.FAIL)
    home.live(at("12:20"))
    assert home.alerts("inactivity")


def test_whoever_is_away_is_not_missed_and_an_alert_ends_when_a_person_says_so() -> None:
    home = Lived(past=known())
    home.live(at("12:15"))
    away.go(home.memory, away.DAUGHTER, at("08:30"), at("08:00", 25), "zhang")
    home.live(at("12:20"))
    assert home.alerts("inactivity") == []
    home.live(at("23:00"))
    assert home.alerts("inactivity") == []


def test_while_the_elder_has_paused_nobody_is_asked_and_silence_counts_from_the_end() -> None:
    home = Lived(past=known())
    home.memory.pause = Pause(at("09:00"), at("14:00"), "zhang")
    home.live(at("17:55"))
    assert home.asked == []
    home.live(at("18:15"))
    assert home.alert("inactivity").occurred_ns == at("14:00")


def test_a_held_bed_is_presence_until_its_own_limit() -> None:
    home = LivedHome(past=known(), begin=march("20:00"))
    home.tell("bed", 0.0, march("20:01"))
    home.walk(march("21:00"), "hall", "bedroom")
    home.tell("bed", 1.0, march("21:10"))
    home.until(march("09:00", 2))
    assert home.asked == [], "twelve hours in bed are allowed until her own are known"
    home.until(march("09:30", 2))
    (finding,) = home.findings
    assert "躺在床上" in finding.text_zh
    assert "In the bed since 1 Mar 21:10" in finding.text_en


def test_the_reason_says_where_since_when_what_is_usual_and_what_to_do() -> None:
    home = LivedHome(past=known(), begin=march("08:00"))
    home.tell("contact.front", 0.0, march("08:00"))
    home.walk(march("08:01"), "kitchen", "hall")
    home.blip("motion.bath", march("10:00"))
    home.until(march("12:30"))
    (finding,) = home.findings
    assert finding.text_zh == (
        "3-201: 3月1日 08:01 以后没有动静, 平时这个时段不超过 4 小时。家里问过, 没有人按\u201c我没事\u201d。"
        "请打电话; 没有人接就上门看看。"
    )
    assert finding.text_en == (
        "3-201: no sign of life since 1 Mar 08:01, usually never longer than 4 h at this hour. "
        "The home has asked and nobody answered. Call; if nobody answers, go and see."
    )
    assert finding.evidence == (
        "2026-03-01 08:01:31+0000 motion.hall (h1)",
        "2026-03-01 10:00:00+0000 motion.bath (h1)",
        "2026-03-01 10:00:01+0000 motion.bath (h1)",
    )


def test_a_door_that_has_not_moved_for_days_is_named_because_its_contact_may_be_broken() -> None:
    home = LivedHome(past=known())
    home.tell("contact.front", 0.0, march("08:00"))
    for day in range(1, 5):
        for hour in range(8, 22, 2):
            home.walk(march(f"{hour}:00", day), "kitchen", "hall")
    home.until(march("12:00", 5))
    assert "大门从 3月1日 08:00 起没有开过" in home.findings[-1].text_zh


def test_the_learned_model_stands_instead_of_the_limit_only_where_it_is_switched_on() -> None:
    model = {"reach_s": [5 * 3600.0] * 96, "chance": [], "limit": 0.0, "longest": 0.0, "days": 14}
    for switched_on, asked_at in ((False, march("12:02")), (True, march("13:02"))):
        past = known()
        past.model = model
        home = LivedHome(past=past, begin=march("08:00"), model=switched_on)
        home.walk(march("08:01"), "kitchen", "hall")
        home.until(march("14:00"))
        assert home.asked[0] == pytest.approx(asked_at, abs=MINUTE)


@pytest.mark.parametrize("jump", [timedelta(days=30), timedelta(hours=-20), timedelta(days=-20_000)])
def test_a_clock_that_is_set_neither_raises_nor_hides_anything(jump: timedelta) -> None:
    by_ns = int(jump.total_seconds()) * SECOND
    home = Lived(past=known())
    home.live(at("10:00"))
    home.homes.jumped(by_ns)
    now_ns = home.now_ns + by_ns
    for _ in range(3):
        now_ns += MINUTE
        home.homes.look(home.view(now_ns))
    home.homes.jumped(-by_ns)  # and set right again
    home.now_ns = now_ns - by_ns
    home.live(at("12:00"))
    assert home.asked == []
    home.live(at("12:40"))
    assert home.alert("inactivity").occurred_ns == pytest.approx(at("08:00") + 22 * SECOND, abs=MINUTE)


def test_a_gateway_that_starts_with_a_clock_of_1970_still_misses_the_elder_when_it_is_set_right() -> None:
    home = Lived(past=known())
    home.live(at("10:00"))
    home.homes.hurry()
    rows = home.homes.take(home.now_ns)
    restarted = HomeWatch(home.registry)
    assert restarted.restore(rows) == 0
    home.homes = restarted
    home.homes.look(home.view(5 * SECOND))  # no network time yet
    home.homes.jumped(at("10:05") - 6 * SECOND)
    home.now_ns = at("10:05")
    home.live(at("14:30"))
    assert home.alerts("inactivity"), "at the latest its whole limit after the start"


def test_whoever_closed_it_has_looked_and_silence_counts_from_then() -> None:
    home = Lived(past=known())
    home.live(at("12:30"))
    home.close("inactivity")
    home.live(at("16:25"))
    assert home.alerts("inactivity") == [], "neither again nor urgent"
    assert len(home.asked) == 1
    home.live(at("16:50"))
    assert len(home.asked) == 2, "it asks anew"
    assert home.alert("inactivity").occurred_ns == at("12:31") + 1


def test_a_home_without_a_device_that_can_ask_is_not_waited_for_and_nobody_says_it_was_asked() -> None:
    home = Lived(past=known())
    bare = HomeWatch(registry.parse('[sites.wutong]\n[[homes]]\nsite = "wutong"\nplace = "3-201"\n'))
    home.homes.hurry()
    bare.restore(home.homes.take(home.now_ns))
    bare.learned(KEY, known())
    verdicts = bare.look(View(at("12:02"), bare._registry))
    (finding,) = [v for v in verdicts if isinstance(v, Finding) and v.rule == "inactivity"]
    assert "家里问过" not in finding.text_zh
    assert bare.orders == []
