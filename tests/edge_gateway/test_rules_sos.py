"""A press becomes one alert, whenever and however often it arrives; nothing else does."""

from typing import Any

import pytest

from edge_gateway import rules
from edge_gateway.events import Entry, Event, Flag, Loss, Reading, Readings, StatusChange, TimeQuality
from edge_gateway.registry import Device, Registry, Site
from edge_gateway.rules import Finding, Rule, Severity, View

SECOND = 1_000_000_000
NOON = 1_795_233_600 * SECOND  # 2026-11-21 04:00 UTC, 12:00 in Shanghai
REGISTRY = Registry({"wutong": Site("wutong", "梧桐")}, {("wutong", "button-3"): Device("wutong", "button-3", "wutong-3-201")})
VIEW = View(now_ns=NOON, registry=REGISTRY)


def press(value: float | str | None = 1.0, **changes: Any) -> Event:
    told: dict[str, Any] = {"site": "wutong", "device": "button-3", "place": "wutong-3-201", "boot": 17, "seq": 4}
    told |= {"time_ns": NOON, "received_ns": NOON + SECOND, "clock": "ntp", "time_quality": int(TimeQuality.DEVICE)}
    told |= {"error_s": None, "kind": "sos", "values": [Reading("sos", value)]}
    return Event(**{**told, **changes})


def found(event: Event, view: View = VIEW) -> list[Finding]:
    verdicts = rules.judge(event, view)
    assert all(isinstance(v, Finding) for v in verdicts)
    return [v for v in verdicts if isinstance(v, Finding)]


def test_a_press_is_urgent_and_says_where_since_when_and_what_to_do() -> None:
    (finding,) = found(press())
    assert finding.key == "sos/wutong/wutong-3-201"
    assert finding.severity is Severity.URGENT
    assert finding.occurred_ns == NOON
    assert finding.text_zh == "wutong-3-201: 紧急求助, 11月21日 12:00 按下。请马上打电话或上门。"
    assert finding.text_en == "wutong-3-201: SOS pressed at 21 Nov 12:00. Call or go there now."
    assert finding.evidence == ("2026-11-21 12:00:00+0800 sos button-3 (17/4)",)


def test_no_machine_may_end_an_sos() -> None:
    assert not found(press())[0].returns


def test_a_release_raises_nothing() -> None:
    assert found(press(0.0)) == []


@pytest.mark.parametrize("value", [None, 2.0, -1.0, "pressed"])
def test_a_missing_value_and_nonsense_are_taken_for_a_press_and_say_so(value: float | str | None) -> None:
    (finding,) = found(press(value))
    assert "请当作真的处理" in finding.text_zh and "treat it as real" in finding.text_en


def test_a_device_nobody_registered_is_heard_and_named_as_such() -> None:
    assert "Nobody has registered this device" in found(press(device="stranger", place=""))[0].text_en


def test_a_press_beside_details_is_seen_wherever_it_stands() -> None:
    values = [Reading("battery_voltage", 2.9), Reading("sos.bath", 1.0, Flag.SUSPECT)]
    assert len(found(press(values=values, kind="sos.bath"))) == 1


def test_two_buttons_of_one_home_are_one_cause_and_two_homes_are_two() -> None:
    assert found(press())[0].key == found(press(device="button-4"))[0].key
    assert found(press())[0].key != found(press(place="wutong-3-202"))[0].key


def test_a_device_that_moves_is_its_own_place() -> None:
    assert found(press(place=""))[0].key == "sos/wutong/button-3"


def test_a_late_press_is_raised_with_both_times() -> None:
    (finding,) = found(press(received_ns=NOON + 2700 * SECOND))
    assert finding.occurred_ns == NOON
    assert "11月21日 12:00 按下, 11月21日 12:45 才收到" in finding.text_zh
    assert "pressed at 21 Nov 12:00, arrived at 21 Nov 12:45" in finding.text_en


def test_a_press_without_a_clock_says_about() -> None:
    (finding,) = found(press(clock="none", time_quality=int(TimeQuality.RECEIPT)))
    assert "约 11月21日 12:00" in finding.text_zh
    assert "pressed at about 21 Nov 12:00" in finding.text_en


@pytest.mark.parametrize("time_ns", [-(2**62), 0, 2**63 - 1, 2**70])
def test_no_time_is_too_strange_for_an_sos(time_ns: int) -> None:
    (finding,) = found(press(time_ns=time_ns))
    assert finding.rule == "sos"


@pytest.mark.parametrize(
    "site", [Site("wutong", "x", "Asia/Nowhere"), Site("wutong", "x", "../../etc/passwd"), Site("wutong", "x", "")]
)
def test_an_unknown_zone_is_told_in_utc(site: Site) -> None:
    (finding,) = found(press(), View(now_ns=NOON, registry=Registry({"wutong": site})))
    assert "21 Nov 04:00 UTC" in finding.text_en


def test_no_word_of_a_site_that_is_not_registered_stops_it() -> None:
    assert found(press(site="elsewhere"))[0].key == "sos/elsewhere/wutong-3-201"


@pytest.mark.parametrize(
    "entry",
    [
        Readings.of("s", "d", "p", 1, 1, 1, 1, "ntp", 0, None, [Reading("sos", 1.0)]),
        Loss("s", "d", "p", 1, 1, 1, 1, 1, 1, 1),
        StatusChange("s", "d", "p", 1, True, 1),
        press(kind="tap", values=[Reading("tap", "04")]),
    ],
)
def test_no_rule_is_asked_about_other_entries(entry: Entry) -> None:
    assert not rules.wanted(entry)


def test_every_rule_is_registered_once_and_listens_to_something() -> None:
    names = [rule.name for rule in rules.RULES]
    assert len(names) == len(set(names))
    asked = [(rule.judge is not None and rule.kinds) or rule.look or rule.look_home for rule in rules.RULES]
    assert all(asked)
    assert all(rule.names for rule in rules.RULES if rule.observe is not None)
    assert rules.wanted(press())


def test_a_broken_rule_is_itself_an_alert_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(event: Event, view: View) -> list[Finding]:
        raise ZeroDivisionError("seen 0")

    broken = Rule("broken", Severity.URGENT, kinds=frozenset({"sos"}), judge=breaks)
    monkeypatch.setattr(rules, "RULES", (broken, *rules.RULES))
    first, second = found(press())
    assert (first.rule, first.severity, first.place) == ("rule-failed", Severity.URGENT, "wutong-3-201")
    assert "ZeroDivisionError: seen 0" in first.evidence[0]
    assert second.rule == "sos"
