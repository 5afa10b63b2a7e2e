"""The rules of a home in the running gateway: raised, closed by a person, paused, re-ranked and remembered on disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.alerts import Alert
from tests.edge_gateway.watched_home import MINUTE, SECOND, at
from tests.home_gateway import HomeGateway

REGISTRY = """
[sites.wutong]
[[devices]]
site = "wutong"
id = "h1"
place = "3-201"
model = "elder_home"
silence_s = 0
[[homes]]
site = "wutong"
place = "3-201"
prewarn_s = 0
"""


class Night(HomeGateway):
    """Its clock is moved by the test, and nobody takes that for a clock that was set."""

    def until(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.gateway.desk._clocks = None
        self.tick()

    def open(self, rule: str) -> list[Alert]:
        found: list[Alert] = self.do(lambda: self.gateway.desk.book.open_alerts())
        return [alert for alert in found if alert.key.startswith(f"{rule}/")]

    def command(self, name: str, **arguments: Any) -> Any:
        return self.call(name, site="wutong", by="zhang", **arguments)

    def again(self) -> None:
        """Killed and started: everything comes from its disk."""
        self.do(lambda: self._close())
        self.do(lambda: self._open())


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with Night(tmp_path, REGISTRY, at("21:00")) as gateway:
        gateway.say("wutong/h1", "contact.front", False)
        yield gateway


def test_an_open_door_is_told_once_and_a_person_who_closed_it_is_not_told_again(night: Night) -> None:
    night.until(at("22:30"))
    night.say("wutong/h1", "contact.front", True)
    night.until(at("22:46"))
    (alert,) = night.open("door-night")
    night.call("alerts.close", id=alert.id, by="zhang", reason="visited_fine")
    for minute in range(1, 10):
        night.until(at("22:46") + minute * MINUTE)
    assert night.open("door-night") == []
    night.again()
    night.until(at("23:30"))
    night.until(at("23:31"))
    assert night.open("door-night") == [], "remembered on disk"
    night.say("wutong/h1", "contact.front", False)
    night.say("wutong/h1", "contact.front", True)
    night.until(at("23:50"))
    assert len(night.open("door-night")) == 1


def test_the_tap_seen_and_fine_ends_the_soft_alert_and_it_stays_ended(night: Night) -> None:
    for minute in range(0, 250, 10):
        night.now_ns = at("14:00") + minute * MINUTE
        night.say("wutong/h1", "temperature", 27.0)
    night.until(at("18:10"))
    assert len(night.open("heat")) == 1
    night.command("homes.seen", place="3-201", note="opened the window")
    for minute in range(1, 5):
        night.until(at("18:10") + minute * 10 * MINUTE)
    assert night.open("heat") == []


def test_in_a_pause_smoke_rings_and_the_door_does_not_and_its_end_is_told(night: Night) -> None:
    night.until(at("22:30"))
    night.say("wutong/h1", "contact.front", True)
    night.command("homes.pause", place="3-201", until_ns=at("23:30"), reason="visitors")
    night.until(at("23:00"))
    assert night.open("door-night") == []
    night.say("wutong/h1", "smoke", True, event=True)
    (alert,) = night.open("smoke")
    assert alert.severity == "urgent"
    night.until(at("23:31"))
    night.until(at("23:32"))
    assert len(night.open("paused")) == len(night.open("door-night")) == 1


def test_an_sos_says_where_the_person_was_noticed_last(night: Night) -> None:
    for minute, room in enumerate(("living", "hall", "bath")):
        night.now_ns = at("21:10") + minute * MINUTE
        night.say("wutong/h1", f"motion.{room}", False)
        night.say("wutong/h1", f"motion.{room}", True)
    night.now_ns = at("21:20")
    night.say("wutong/h1", "sos", True, event=True)
    (alert,) = night.open("sos")
    assert alert.evidence[:2] == ["2026-11-20 21:11:00+0800 motion.hall h1", "2026-11-20 21:12:00+0800 motion.bath h1"]
    assert alert.evidence[2].startswith("2026-11-20 21:20:00+0800 sos h1 (1/")
    night.now_ns = at("21:21")
    night.say("wutong/h1", "sos", True, event=True)
    (alert,) = night.open("sos")
    assert [said.split()[2] for said in alert.evidence] == ["motion.hall", "motion.bath", "sos", "sos"]


def test_smoke_outlives_a_kill_and_is_never_closed_by_the_gateway(night: Night) -> None:
    night.say("wutong/h1", "smoke", True, event=True)
    night.again()
    night.say("wutong/h1", "smoke", False, event=True)
    for hour in range(1, 30):
        night.until(at("21:00") + hour * 60 * MINUTE)
    (alert,) = night.open("smoke")
    assert "no longer active" in alert.evidence[-1]


def test_an_emergency_that_a_person_declared_makes_heat_worse_and_its_end_is_told(night: Night) -> None:
    night.command("homes.emergency", kind="heat", until_ns=at("23:00"))
    for minute in range(0, 250, 10):
        night.now_ns = at("18:00") + minute * MINUTE
        night.say("wutong/h1", "temperature.living", 27.0)
    night.until(at("22:15"))
    (alert,) = night.open("heat")
    assert alert.severity == "warning"
    night.until(at("23:01"))
    (ended,) = night.open("emergency")
    night.call("alerts.close", id=ended.id, by="zhang", reason="it is cool again")
    night.until(at("23:05"))
    assert night.open("emergency") == []


def test_a_rule_that_fails_with_a_reading_loses_no_reading_and_says_so(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_gateway import rules
    from edge_gateway.rules import Rule, Severity

    def breaks(*_: object) -> None:
        raise ZeroDivisionError("seen 0")

    broken = Rule("broken", Severity.WARNING, names=frozenset({"humidity"}), observe=breaks)
    monkeypatch.setattr(rules, "RULES", (*rules.RULES, broken))
    monkeypatch.setattr(rules, "_OBSERVERS", {"humidity": (broken,)})
    night.say("wutong/h1", "humidity", 50.0)
    monkeypatch.setattr(rules, "RULES", (*rules.RULES[:-1], Rule("broken", Severity.WARNING, look_home=lambda *_: ())))
    night.until(at("21:00") + SECOND)
    (alert,) = night.open("rule-failed")
    assert "ZeroDivisionError: seen 0" in alert.evidence[0]
    assert night.gateway.pipeline.states["wutong", "h1"].counters.dead == 0
    night.call("alerts.close", id=alert.id, by="zhang", reason="known")
    night.until(at("21:01"))
    assert night.open("rule-failed") == []


def test_whatever_breaks_in_one_home_leaves_its_readings_its_sos_and_all_others(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_gateway.homes import evidence
    from edge_gateway.rules import proof

    def breaks(*_: object) -> None:
        raise KeyError("seen a thing that is not there")

    night.until(at("22:30"))
    night.say("wutong/h1", "contact.front", True)
    with monkeypatch.context() as broken:
        broken.setattr(evidence, "observe", breaks)
        broken.setattr(evidence, "advance", breaks)
        broken.setattr(proof, "beside", breaks)
        night.say("wutong/h1", "humidity", 50.0)
        night.say("wutong/h1", "sos", True, event=True)
        night.until(at("22:40"))
        assert len(night.open("sos")) == 1
        (alert,) = night.open("rule-failed")
        assert "KeyError" in alert.evidence[0]
        assert night.gateway.pipeline.states["wutong", "h1"].counters.dead == 0
    night.until(at("22:50"))
    assert len(night.open("door-night")) == 1, "and it goes on as soon as it can"


def test_whatever_breaks_in_the_looking_an_sos_has_its_next_round(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise KeyError("seen a thing that is not there")

    night.say("wutong/h1", "sos", True, event=True)
    monkeypatch.setattr(night.gateway.desk.homes, "look", breaks)
    rounds: list[int] = []
    due = night.gateway.desk.book.due
    monkeypatch.setattr(night.gateway.desk.book, "due", lambda now_ns: rounds.append(now_ns) or due(now_ns))
    night.until(at("22:40"))
    assert rounds
    assert len(night.open("rule-failed")) == 1


@pytest.mark.parametrize("name", ["smoke", "gas", "leak"])
def test_an_alarm_told_beside_other_readings_outlives_a_kill_before_the_next_look(night: Night, name: str) -> None:
    def told(seq: int, now_ns: int, value: str) -> None:
        head = f'"boot":2,"seq":{seq},"clk":"ntp","bt":{now_ns // SECOND}'
        record = f'[{{{head},"n":"humidity","v":50}},{{"n":"{name}","vb":{value}}}]'
        night.now_ns = now_ns
        night.do(lambda: night._take("kanhu/1/wutong/h1/up/data", record.encode()))

    told(1, at("21:10"), "false")
    told(2, at("21:10") + 5 * SECOND, "true")  # a row of this home was saved a moment ago
    night.again()
    night.until(at("21:11"))
    assert len(night.open(name)) == 1
