"""The morning round: whom to visit first, and why; heat and cold change the order, a broken thermometer does not."""

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_gateway import registry
from edge_gateway.alerts.alert import Alert, State
from edge_gateway.events import Flag
from edge_gateway.homes.home import Asked, Away, Consent, Home, Pause, Test
from edge_gateway.homes.round import Facts, Rank, Row, everywhere, morning_round, warmth
from edge_gateway.homes.said import SEEN_AT, SEEN_BY
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import Severity
from edge_gateway.state import DeviceState, Latest

SECOND = 10**9
HOUR = 3600 * SECOND
NOW = 1_795_226_400 * SECOND  # 10:00 in Shanghai
ZONE = ZoneInfo("Asia/Shanghai")


def home(place: str, quiet_h: float = 0.2, **more: Any) -> Home:
    found = Home("s", place, since_ns=NOW - 1000 * HOUR, life_ns=NOW - int(quiet_h * HOUR), life_name="motion.kitchen")
    for name, value in more.items():
        setattr(found, name, value)
    return found


def alert(place: str, severity: Severity, rule: str, since_h: float = 1.0, **more: Any) -> Alert:
    since = NOW - int(since_h * HOUR)
    id_ = f"{rule}-{place}"
    told = f"{place}: 说明 {rule}", f"{place}: about {rule}"
    return Alert(id_, f"{rule}/s/{place}", rule, severity, "s", "", place, since, since, *told, **more)


def facts(*homes: Home, alerts: list[Alert] | None = None, **more: Any) -> Facts:
    settings = {one.place: HomeSetting("s", one.place) for one in homes}
    return Facts("s", settings, {one.place: one for one in homes}, alerts or [], NOW, ZONE, **more)


def order(found: Facts) -> list[tuple[str, Rank]]:
    return [(row.place, row.rank) for row in morning_round(found)]


def row(found: Facts, place: str) -> Row:
    return next(one for one in morning_round(found) if one.place == place)


def test_a_pause_by_the_elders_own_button_is_told_as_that() -> None:
    paused = home("paused", pause=Pause(NOW - HOUR, NOW + HOUR, "elder"))
    zh, en = row(facts(paused), "paused").why[0]
    assert zh.startswith("老人自己按键暂停到 11月") and en.startswith("paused by the elder's own button until")


def test_who_may_be_in_danger_comes_first_and_who_is_looked_after_comes_late() -> None:
    asking = home("asking", asked=Asked("inactivity/s/asking", NOW - 60 * SECOND, NOW + 540 * SECOND))
    seen = home("seen", timers={SEEN_AT: NOW - HOUR}, notes={SEEN_BY: "zhang"})
    gone = home("gone", 30.0, away=Away("daughter", NOW - 30 * HOUR, NOW + 40 * HOUR, "zhang"))
    paused = home("paused", 30.0, pause=Pause(NOW - 30 * HOUR, NOW + HOUR, "zhang"))
    found = facts(
        paused, gone, seen, home("fine"), home("quiet", 7.0), home("device"), home("taken"), home("worry"), asking, home("sos"),
        alerts=[
            alert("sos", Severity.URGENT, "sos"),
            alert("taken", Severity.URGENT, "sos", state=State.ACCEPTED, accepted_by="li"),
            alert("worry", Severity.WARNING, "inactivity"),
            alert("device", Severity.NOTICE, "silence"),
        ],
    )  # fmt: skip
    assert order(found) == [
        ("sos", Rank.NOW),
        ("asking", Rank.ASKING),
        ("worry", Rank.WORRY),
        ("taken", Rank.TAKEN),
        ("quiet", Rank.CHECK),
        ("device", Rank.CHECK),
        ("fine", Rank.FINE),
        ("seen", Rank.SEEN),
        ("gone", Rank.AWAY),
        ("paused", Rank.PAUSED),
    ]
    assert row(found, "sos").why[0] == ("说明 sos", "about sos"), "the place stands above it"
    assert row(found, "taken").accepted_by == "li"
    assert not row(found, "sos").soft
    assert row(found, "worry").soft
    assert row(found, "gone").why[0] == ("在女儿家, 到 11月23日 02:00", "at the daughter's until 23 Nov 02:00")
    assert row(found, "paused").why[0][0].startswith("已暂停到 11月")
    assert row(found, "quiet").why[0][0] == "已 7 小时没有动静, 满 12 小时会询问"


def test_of_two_worries_the_one_that_waits_longest_is_first_and_a_person_before_a_device() -> None:
    found = facts(
        home("late"), home("early"), home("device"),
        alerts=[
            alert("late", Severity.WARNING, "inactivity", 1.0),
            alert("early", Severity.WARNING, "bed-exit", 3.0),
            alert("device", Severity.WARNING, "silence", 9.0),
        ],
    )  # fmt: skip
    assert [place for place, _ in order(found)] == ["early", "late", "device"]
    assert row(found, "device").device


@pytest.mark.parametrize(
    ("emergency", "places"),
    [
        pytest.param("heat", ["hot", "warm", "unknown", "cool"], id="the hottest first"),
        pytest.param("cold", ["cool", "unknown", "warm", "hot"], id="the coldest first"),
        pytest.param("outage", ["unknown", "warm", "cool", "hot"], id="who moved longest ago"),
    ],
)
def test_an_emergency_puts_those_first_whom_nobody_has_looked_in_on(emergency: str, places: list[str]) -> None:
    homes = (home("hot", 0.1), home("cool", 0.2), home("warm", 0.3), home("unknown", 0.4))
    seen = home("seen", 0.5, timers={SEEN_AT: NOW - 2 * HOUR})
    warm = {"hot": [31.0, 20.0], "warm": [29.0], "cool": [15.0], "seen": [35.0]}
    if emergency == "cold":
        warm["hot"] = [31.0]
    found = facts(*homes, seen, emergency=emergency, warmth=warm)
    assert [place for place, rank in order(found) if rank is Rank.WEATHER] == places
    assert row(found, "seen").rank is Rank.SEEN, "somebody was there two hours ago"
    assert row(replace(found, now_ns=NOW + 11 * HOUR), "seen").rank is Rank.WEATHER, "about twice a day"
    assert [rank for _, rank in order(replace(found, emergency=""))][:4] == [Rank.FINE] * 4


def test_an_alert_about_the_person_stays_above_the_weather() -> None:
    found = facts(
        home("calm"), home("worry"), emergency="heat", warmth={"calm": [40.0]},
        alerts=[alert("worry", Severity.WARNING, "inactivity")],
    )  # fmt: skip
    assert order(found) == [("worry", Rank.WORRY), ("calm", Rank.WEATHER)]


def test_a_dead_device_makes_nobody_less_in_need_of_a_look_in_a_heat_wave() -> None:
    found = facts(
        home("cool"), home("hot"), emergency="heat", warmth={"cool": [20.0], "hot": [33.0]},
        alerts=[alert("hot", Severity.NOTICE, "silence")],
    )  # fmt: skip
    assert order(found) == [("hot", Rank.WEATHER), ("cool", Rank.WEATHER)]


def test_in_a_heat_wave_the_heat_of_a_room_comes_before_an_older_worry() -> None:
    found = facts(
        home("door"), home("hot"), home("device"), emergency="heat",
        alerts=[
            alert("door", Severity.WARNING, "door-night", 8.0),
            alert("hot", Severity.WARNING, "heat", 1.0),
            alert("device", Severity.WARNING, "silence", 9.0),
        ],
    )  # fmt: skip
    assert [place for place, _ in order(found)] == ["hot", "door", "device"]
    assert [place for place, _ in order(replace(found, emergency=""))] == ["door", "hot", "device"]


def test_a_temperature_outside_its_range_or_of_yesterday_says_nothing() -> None:
    known = registry.parse('[sites.s]\n[[devices]]\nsite = "s"\nid = "d"\nplace = "a"\n')
    latest = {
        "temperature.hall": Latest(NOW, 27.0, Flag.PASS),
        "temperature.bed": Latest(NOW, -100.0, Flag.FAIL),
        "temperature.bath": Latest(NOW - 30 * HOUR, 60.0, Flag.PASS),
        "humidity": Latest(NOW, 50.0, Flag.PASS),
    }
    devices = {"d": DeviceState("s", "d", latest=latest), "stranger": DeviceState("s", "stranger", latest=latest)}
    assert warmth(devices, known, "s", NOW) == {"a": [27.0]}


def test_a_learned_limit_says_when_a_silence_is_worth_a_word() -> None:
    found = facts(home("a", 3.0), limits={"a": [5.0 * 3600] * 24})
    assert row(found, "a").why[0] == ("已 3 小时没有动静, 满 5 小时会询问", "quiet for 3 h; asked after 5 h")
    assert row(replace(found, limits={}), "a").rank is Rank.FINE


def test_a_pause_that_is_over_and_an_absence_that_is_over_hide_nobody() -> None:
    late = home("late", 9.0, pause=Pause(NOW - 40 * HOUR, NOW - SECOND, "zhang"))
    back = home("back", 9.0, away=Away("long", NOW - 40 * HOUR, NOW - SECOND, "zhang"))
    assert [rank for _, rank in order(facts(late, back))] == [Rank.CHECK, Rank.CHECK]


def test_an_sos_rings_through_a_pause_and_an_absence() -> None:
    paused = home("paused", pause=Pause(NOW - HOUR, NOW + HOUR, "zhang"), away=Away("out", NOW - HOUR))
    found = row(facts(paused, alerts=[alert("paused", Severity.URGENT, "sos")]), "paused")
    assert found.rank is Rank.NOW
    assert ("已暂停, 紧急按钮仍然有效", "paused; the SOS button still works") in found.why


def test_a_place_that_is_no_home_is_in_the_round_while_a_person_may_need_help_there() -> None:
    found = facts(home("a"), alerts=[alert("gate", Severity.URGENT, "sos"), alert("pole", Severity.NOTICE, "silence")])
    assert [place for place, _ in order(found)] == ["gate", "a"]


def test_a_test_calls_nobody_and_what_is_of_no_home_stands_apart() -> None:
    site, gateway = alert("", Severity.WARNING, "silence"), alert("", Severity.URGENT, "damaged")
    gateway.site = ""
    other = alert("", Severity.WARNING, "silence")
    other.site = "t"
    tested = alert("a", Severity.NOTICE, "selftest", test=True)
    found = facts(home("a"), alerts=[site, gateway, other, tested])
    assert order(found) == [("a", Rank.FINE)]
    assert everywhere(found.alerts, "s") == [site, gateway]


def test_a_home_whose_alarms_reach_nobody_is_worth_a_word() -> None:
    found = facts(home("a", test=Test(failed="not_told", failed_ns=NOW - HOUR, devices=["h1"])))
    assert row(found, "a").rank is Rank.CHECK
    assert row(found, "a").why[0][0].startswith("未受保护")


def test_a_home_of_which_nothing_was_ever_heard_is_not_as_usual() -> None:
    found = facts(Home("s", "new", since_ns=NOW - HOUR))
    assert row(found, "new").rank is Rank.CHECK
    assert morning_round(Facts("s", {"x": HomeSetting("s", "x")}, {}, [], NOW, ZONE))[0].rank is Rank.CHECK


def test_seen_yesterday_is_not_seen_today() -> None:
    found = row(facts(home("a", timers={SEEN_AT: NOW - 11 * HOUR}, notes={SEEN_BY: "li"})), "a")
    assert (found.rank, found.seen_by) == (Rank.FINE, "li")


def test_a_home_to_which_nobody_agreed_is_not_watched_but_its_sos_is_heard() -> None:
    agreed, withdrawn = Consent("2026-11-01", "1", True, "li", NOW), Consent("2026-11-20", "1", False, "li", NOW)
    homes = (home("yes", consents=[agreed]), home("no", 30.0, consents=[agreed, withdrawn]), home("silent"))
    assert order(facts(*homes)) == [("silent", Rank.FINE), ("yes", Rank.FINE), ("no", Rank.PAUSED)]
    strict = facts(*homes, alerts=[alert("no", Severity.URGENT, "sos")], consent_required=True)
    assert order(strict) == [("no", Rank.NOW), ("yes", Rank.FINE), ("silent", Rank.PAUSED)]
    assert row(strict, "silent").why[0] == ("没有知情同意, 不看护", "no consent, not watched")


def test_that_a_home_was_registered_a_moment_ago_is_no_sign_of_life() -> None:
    found = row(facts(home("a", 18.0, since_ns=NOW - HOUR)), "a")
    assert (found.rank, found.why[0]) == (Rank.CHECK, ("已 18 小时没有动静", "quiet for 18 h"))
