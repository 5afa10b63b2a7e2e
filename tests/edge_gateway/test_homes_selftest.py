"""The way of an alarm tries itself: once a day in each home, up to a person's channel, and nobody takes it for a real call."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from edge_gateway import registry
from edge_gateway.errors import Rejected
from edge_gateway.events import Event, Reading
from edge_gateway.homes import selftest
from edge_gateway.homes.home import Pause, pack, unpack_home
from edge_gateway.homes.selftest import Plan
from edge_gateway.homes.watch import HomeWatch, Order
from edge_gateway.rules import Finding, Prewarn, Returned, View, unprotected

SECOND, HOUR = 10**9, 3600 * 10**9
ZONE = ZoneInfo("Asia/Shanghai")
KEY = ("wutong", "p0")


def at(clock: str, day: int = 21) -> int:
    """A moment in November 2026, Shanghai."""
    hour, minute = clock.split(":")
    return int(datetime(2026, 11, day, int(hour), int(minute), tzinfo=ZONE).timestamp()) * SECOND


def known(homes: int = 1, more: str = "") -> registry.Registry:
    """Homes p0, p1, ... each with its device h0, h1, ..."""
    devices = [f'[[devices]]\nsite="wutong"\nid="h{n}"\nplace="p{n}"\nmodel="elder_home"\n' for n in range(homes)]
    return registry.parse("[sites.wutong]\n" + "".join(devices) + more)


@dataclass
class Site:
    """The watch over the homes of a site as the desk drives it; `now_ns` is moved by hand, `open` are the open alerts."""

    known: registry.Registry = field(default_factory=known)
    now_ns: int = at("08:00", 20)
    plan: Plan | None = field(default_factory=Plan)
    deaf: bool = False
    seq: int = 0

    def __post_init__(self) -> None:
        self.homes = HomeWatch(self.known)
        self.homes.tests.plan = self.plan
        self.open: dict[str, Finding] = {}
        self.orders: list[Order] = []
        self.answering = True
        self.look()

    def look(self) -> None:
        """What the desk does once a second, and what becomes of what the rules say."""
        view = View(self.now_ns, self.known, 1, listening_since_ns=None if self.deaf else 0, open=set(self.open))
        for verdict in self.homes.look(view):
            assert not isinstance(verdict, Prewarn)
            if isinstance(verdict, Finding):
                self.open[verdict.key] = verdict
            elif isinstance(verdict, Returned):
                self.open.pop(verdict.key, None)
        orders, self.homes.orders = [order for order in self.homes.orders if order.name == "selftest"], []
        self.orders += orders
        if self.answering:
            for order in orders:
                self.now_ns += SECOND
                self.answer(order.device, str(order.details["test"]))

    def until(self, moment_ns: int) -> None:
        while self.now_ns < moment_ns:
            # Ten seconds where something is to happen, else a minute: all rules look each time.
            testing = 9 <= datetime.fromtimestamp(self.now_ns // SECOND, ZONE).hour < 11
            self.now_ns = min(self.now_ns + (10 if testing else 60) * SECOND, moment_ns)
            self.look()

    def answer(self, device: str, test: str, name: str = "selftest") -> None:
        self.event(device, Reading(name, test))

    def event(self, device: str, *values: Reading) -> None:
        self.seq += 1
        place = self.known.devices["wutong", device].place
        about = ("wutong", device, place, 1, self.seq, self.now_ns, self.now_ns, "ntp", 0, None)
        self.homes.observe(Event(*about, values[0].name, list(values)))

    def messages(self) -> list[Finding]:
        return [finding for finding in self.open.values() if finding.test]

    def told(self, who: str = "li") -> None:
        """A channel confirms all messages of tests, two seconds after they were raised; "" nobody does in time."""
        for finding in self.messages():
            del self.open[finding.key]
            self.homes.tests.ended((finding.site, finding.place), who, 2.0, self.now_ns)

    def home(self, key: tuple[str, str] = KEY) -> selftest.Home:
        return self.homes.homes[key]

    def standing(self, key: tuple[str, str] = KEY) -> str:
        return selftest.standing(self.home(key), self.now_ns).state

    def log(self) -> list[tuple[str, str]]:
        return [(note.what, note.detail) for note in self.homes.take_notes()]


def alarms(site: Site) -> Iterator[str]:
    return (key for key, finding in site.open.items() if not finding.test)


def test_a_home_is_tested_once_a_day_at_its_own_moment_and_its_delay_is_kept() -> None:
    site = Site()
    for day in (20, 21, 22):
        site.until(at("10:01", day))
        assert [order.name for order in site.orders] == ["selftest"] * (day - 19)
        assert len(site.messages()) == 1
        site.told()
        site.until(at("23:59", day))
    assert site.standing() == "passed"
    test = site.home().test
    assert test.passed_ns == at("10:01", 22) and test.delay_s == 3.0
    assert not list(alarms(site))
    assert site.log() == [("test_passed", "3.0 s, told li")] * 3


def test_homes_are_tested_one_after_the_other_and_a_person_hears_of_all_at_once() -> None:
    site = Site(known(40))
    asked = set()
    while not site.messages():
        site.until(site.now_ns + 30 * SECOND)
        asked |= {(order.device, site.now_ns // (5 * 60 * SECOND)) for order in site.orders}
        site.orders.clear()
    assert len({device for device, _ in asked}) == 40
    assert len({minutes for _, minutes in asked}) >= 5  # spread over the half hour
    assert len(site.messages()) == 40 and at("10:00", 20) <= site.now_ns <= at("10:01", 20)


def test_nobody_is_tested_at_night_or_told_of_a_test_outside_its_hours() -> None:
    site = Site()
    while site.now_ns < at("23:00", 22):
        site.until(site.now_ns + 600 * SECOND)
        local = datetime.fromtimestamp(site.now_ns / 1e9, ZONE)
        if site.orders or site.messages():
            assert 9 <= local.hour <= 10
        site.orders.clear()
        site.told()


def test_the_message_says_in_both_languages_that_it_is_a_test_and_nothing_that_alarms() -> None:
    site = Site()
    site.until(at("10:01", 20))
    (finding,) = site.messages()
    assert finding.text_zh.startswith("【测试】p0: 自检") and finding.text_en.startswith("[TEST] p0: self-test")
    assert finding.severity == "notice" and finding.test and finding.key == "selftest/wutong/p0"
    said = finding.text_zh + finding.text_en + "".join(finding.evidence)
    assert not [word for word in ("SOS", "紧急", "马上", "now.") if word in said]


def test_a_device_that_does_not_answer_is_asked_three_times_and_then_its_home_is_unprotected() -> None:
    site = Site()
    site.answering = False
    site.until(at("10:10", 20))
    assert [order.device for order in site.orders] == ["h0"] * 3
    assert {order.details["test"] for order in site.orders} == {site.orders[0].details["test"]}
    assert list(alarms(site)) == ["unprotected/wutong/p0"] and not site.messages()
    finding = site.open["unprotected/wutong/p0"]
    assert "设备没有回答 (h0)" in finding.text_zh and "h0 did not answer" in finding.text_en and finding.returns
    began_ns = finding.occurred_ns
    site.until(at("10:50", 20))
    assert site.open["unprotected/wutong/p0"].occurred_ns == began_ns, "one alert, since it began"
    assert site.standing() == "unprotected"


def test_a_failed_test_is_repeated_every_hour_until_the_afternoon_and_the_alert_ends_when_it_passes() -> None:
    site = Site()
    site.answering = False
    site.until(at("23:00", 20))
    tests = {str(order.details["test"]) for order in site.orders}
    assert 6 <= len(tests) <= 8
    site.orders.clear()
    site.until(at("09:00", 21))
    assert not site.orders
    site.answering = True
    site.until(at("10:01", 21))
    assert list(alarms(site)) == ["unprotected/wutong/p0"], "heard is not told"
    site.told()
    site.until(at("10:02", 21))
    assert not site.open and site.standing() == "passed"


def test_a_late_answer_or_one_to_another_test_or_of_another_device_is_no_answer() -> None:
    site = Site(known(2))
    site.answering = False
    site.until(at("10:01", 20))
    name = site.home().test.id or site.orders[0].details["test"]
    for device, test in (("h0", "another"), ("h1", str(name))):
        site.answer(device, test)
    site.answer("h0", "")
    assert not site.home().test.heard_ns
    site.until(at("10:20", 20))
    assert site.home().test.failed
    site.answer("h0", str(name))
    site.until(at("10:30", 20))
    assert not site.messages() and site.home().test.failed


def test_each_button_of_a_home_has_to_answer() -> None:
    second = '[[devices]]\nsite="wutong"\nid="bath"\nplace="p0"\nmodel="elder_home"\n'
    plain = '[[devices]]\nsite="wutong"\nid="node"\nplace="p0"\nmodel="elder_home"\nmeasures=["motion"]\n'
    site = Site(known(1, second + plain))
    site.answering = False
    site.until(at("09:29", 20))
    test = site.home().test
    while not test.asked_ns:
        site.until(site.now_ns + 10 * SECOND)
    assert {order.device for order in site.orders} == {"h0", "bath"}, "a node without a button cannot be tested"
    site.answer("h0", test.id)
    site.until(at("10:20", 20))
    assert test.failed == "no_answer bath"


def test_a_message_that_reaches_nobody_is_an_incident_one_for_all_homes() -> None:
    site = Site(known(3))
    site.until(at("10:01", 20))
    site.told("")
    site.until(at("10:02", 20))
    assert list(alarms(site)) == ["unprotected/wutong"]
    assert "自检消息没有送到任何人" in site.open["unprotected/wutong"].text_zh
    assert "3 homes" in site.open["unprotected/wutong"].text_en
    site.until(at("12:01", 20))
    site.told()
    site.until(at("12:02", 20))
    assert not site.open, "the next hour's test has passed"


def test_many_homes_that_do_not_answer_have_one_cause() -> None:
    site = Site(known(12), plan=Plan(ends=9 * 60 + 31))
    site.answering = False
    site.until(at("09:50", 20))
    found = list(alarms(site))
    assert "unprotected/wutong" in found and len(found) < 12
    site.answering = True
    site.until(at("11:30", 20))
    site.told()
    site.until(at("11:31", 20))
    assert not site.open


def test_whoever_was_told_that_the_device_is_silent_is_not_told_again() -> None:
    for speaking in ("silence/wutong/h0", "silence/wutong", "sos/wutong/p0"):
        site = Site()
        site.answering = False
        site.open[speaking] = Finding(speaking, "x", unprotected.RULE.severity, "wutong", "h0", "p0", 1, "", "")
        site.until(at("12:00", 21))
        assert list(alarms(site)) == [speaking]
        assert site.standing() == "unprotected", "but every screen shows it"


def test_a_home_without_a_passed_test_for_twenty_five_hours_is_unprotected_even_when_nothing_was_tried() -> None:
    site = Site(deaf=True)
    site.until(at("08:59", 21))
    assert site.standing() == "new" and not site.open
    site.until(at("09:02", 21))
    assert site.standing() == "unprotected"
    assert list(alarms(site)) == ["unprotected/wutong/p0"]
    assert "25 小时" in site.open["unprotected/wutong/p0"].text_zh


def test_where_no_tests_are_wanted_nobody_is_accused_and_a_person_can_still_have_one() -> None:
    site = Site(plan=None)
    site.until(at("12:00", 22))
    assert not site.open and not site.orders and site.standing() == "none"
    selftest.begin(site.homes, site.known, KEY, site.now_ns, "zhang")
    for _ in range(3):
        site.until(site.now_ns + 10 * SECOND)
    assert len(site.messages()) == 1
    site.told()
    assert site.home().test.passed_ns == site.now_ns


def test_a_home_with_nothing_to_test_is_accused_of_nothing() -> None:
    site = Site(known(0, '[[homes]]\nsite="wutong"\nplace="p0"\n'))
    site.until(at("12:00", 23))
    assert not site.open and not site.orders and site.standing() == "none"
    with pytest.raises(Rejected) as error:
        selftest.begin(site.homes, site.known, KEY, site.now_ns, "zhang")
    assert error.value.reason == "no_button"


def test_while_somebody_calls_for_help_nothing_is_tested() -> None:
    site = Site()
    site.open["sos/wutong/p0"] = Finding("sos/wutong/p0", "sos", unprotected.RULE.severity, "wutong", "h0", "p0", 1, "", "")
    site.until(at("11:00", 20))
    assert not site.orders
    del site.open["sos/wutong/p0"]
    site.until(at("11:01", 20))
    assert site.orders and site.home().test.heard_ns


def test_no_message_says_that_nobody_called_while_somebody_does() -> None:
    site = Site()
    while not site.home().test.heard_ns:
        site.until(site.now_ns + 10 * SECOND)
    site.open["sos/wutong/p0"] = Finding("sos/wutong/p0", "sos", unprotected.RULE.severity, "wutong", "h0", "p0", 1, "", "")
    site.until(at("11:30", 20))
    assert not site.messages() and list(alarms(site)) == ["sos/wutong/p0"]
    with pytest.raises(Rejected) as error:
        selftest.begin(site.homes, site.known, KEY, site.now_ns, "zhang", site.open)
    assert error.value.reason == "sos_open"
    del site.open["sos/wutong/p0"]
    site.until(at("12:01", 20))
    assert len(site.messages()) == 1
    site.told()
    assert site.standing() == "passed"


def test_while_the_broker_is_away_no_home_is_blamed_for_its_silence() -> None:
    site = Site()
    site.answering = False
    site.until(at("09:29", 20))
    while not site.orders:
        site.until(site.now_ns + 10 * SECOND)
    site.deaf = True
    site.until(site.now_ns + 2 * HOUR)
    assert not site.open and len(site.orders) == 1
    site.deaf, site.answering = False, True
    site.until(site.now_ns + 600 * SECOND)
    assert site.home().test.heard_ns


def test_a_restart_in_the_middle_of_a_test_goes_on_with_it() -> None:
    site = Site()
    site.until(at("09:29", 20))
    while not site.home().test.heard_ns:
        site.until(site.now_ns + 10 * SECOND)
    again = Site(now_ns=site.now_ns + 5 * SECOND)
    assert again.homes.restore([(*KEY, "now", pack(site.home()))]) == 0
    again.until(at("10:01", 20))
    assert len(again.messages()) == 1 and not again.orders
    again.told()
    assert again.standing() == "passed"


def test_a_message_of_which_nobody_says_how_it_ended_has_failed() -> None:
    site = Site()
    site.until(at("10:01", 20))
    site.open.clear()
    site.answering = False
    site.until(at("11:02", 20))
    assert site.home().test.failed == "not_told"
    assert "unprotected/wutong" in site.open


def test_when_the_clock_is_set_a_home_stays_as_protected_as_it_was() -> None:
    site = Site()
    site.until(at("10:01", 20))
    site.told()
    site.homes.jumped(72 * HOUR)
    site.now_ns += 72 * HOUR
    site.until(site.now_ns + 60 * SECOND)
    assert site.standing() == "passed" and not list(alarms(site))


def test_a_person_can_have_a_test_now_and_is_told_at_once() -> None:
    site = Site(now_ns=at("20:00", 20))
    selftest.begin(site.homes, site.known, KEY, site.now_ns, "zhang")
    with pytest.raises(Rejected) as error:
        selftest.begin(site.homes, site.known, KEY, site.now_ns, "li")
    assert error.value.reason == "test_running"
    site.until(site.now_ns + 10 * SECOND)
    site.until(site.now_ns + 10 * SECOND)
    assert len(site.messages()) == 1
    site.told("zhang")
    assert site.standing() == "passed"


def test_a_real_press_is_written_down_with_its_delay_and_asked_for_when_it_is_long_ago() -> None:
    site = Site(known(1, '[[homes]]\nsite="wutong"\nplace="p0"\npress_days=3\n'))
    site.until(at("10:01", 21))
    assert "真按" not in site.messages()[0].text_zh
    site.told()
    asked: list[int] = []
    for day in range(22, 31):
        site.until(at("10:01", day))
        asked += [day] if "请老人按一次" in site.messages()[0].text_zh else []
        site.told()
    assert asked == [23], "once, and not again the next day"
    assert selftest.press_due(site.home(), site.known.homes[KEY], site.now_ns)
    assert [what for what, _ in site.log()].count("press_asked") == 1
    site.event("h0", Reading("sos", 1.0))
    assert not selftest.press_due(site.home(), site.known.homes[KEY], site.now_ns)
    assert site.log() == [("pressed", "0.0 s to the gateway")]


def test_a_test_that_came_with_a_press_is_a_press() -> None:
    site = Site()
    site.answering = False
    site.until(at("10:01", 20))
    site.event("h0", Reading("sos", 1.0), Reading("selftest", "x"))
    assert site.home().test.pressed_ns == site.now_ns


def test_what_is_kept_of_a_test_is_read_again() -> None:
    site = Site()
    site.until(at("10:01", 20))
    assert unpack_home(pack(site.home())) == site.home()


def test_a_paused_home_is_tested_and_nobody_is_told_that_it_is_unprotected_until_the_pause_ends() -> None:
    site = Site()
    site.homes.change(KEY, site.now_ns).pause = Pause(site.now_ns, at("12:00", 21), "zhang")
    site.until(at("10:01", 20))
    assert len(site.messages()) == 1, "its button works, and so must its way"
    site.told()
    site.answering = False
    site.until(at("11:59", 21))
    assert site.standing() == "unprotected" and "unprotected/wutong/p0" not in site.open
    site.until(at("12:02", 21))
    assert "unprotected/wutong/p0" in site.open


def test_where_nobody_agreed_to_be_watched_the_button_is_tested_all_the_same() -> None:
    site = Site()
    site.homes.consent_required = True
    site.until(at("10:01", 20))
    assert len(site.messages()) == 1
    site.told()
    site.answering = False
    site.until(at("10:01", 21))
    assert list(alarms(site)) == ["unprotected/wutong/p0"]
