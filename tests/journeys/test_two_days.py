"""48 hours in a village at 600 times the speed: who is told what, and who is not told anything.

Three homes. In one the button is pressed by mistake, and the first two people who are told do not answer. In one a person
falls in the evening and does not move again. In one nobody is at home: she is at her daughter's. In the night the gateway is
killed.
"""

import random
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge_gateway import view
from edge_gateway.alerts import Alert, State
from tests.faults.judge import Embedded
from tests.faults.phone import Phone
from tests.journeys.fast_time import SECOND, FastClock, FastGateway
from tests.journeys.two_days import HOUR, MINUTE, SITE, Said, Village, day_of, moving, regular
from tests.servers import Mosquitto, eventually

MIDNIGHT = round(datetime(2026, 11, 16, 16, tzinfo=UTC).timestamp()) * SECOND  # 17 November 00:00 in Shanghai
BEGIN = MIDNIGHT + 6 * HOUR
END = BEGIN + 48 * HOUR
DAY = 24 * HOUR
WELL, FALLEN, AWAY = "home-1", "home-2", "home-3"
FELL = MIDNIGHT + round(20.5 * HOUR)
LEFT, BACK = MIDNIGHT + 10 * HOUR, MIDNIGHT + DAY + round(17.5 * HOUR)
RATE, SLOW = 600.0, 20.0
# A machine that is busy for two seconds is one that hears nothing for 20 minutes: silent is who was not heard for two hours.
REGISTRY = f"[sites.{SITE}]\n" + "".join(
    f'[[devices]]\nsite = "{SITE}"\nid = "{home}"\nplace = "{home}"\nmodel = "elder_home"\ncadence_s = 300\nsilence_s = 7200\n'
    for home in (WELL, FALLEN, AWAY)
)
_STEP = re.compile(r"\(message (\d+)\)")


def story(dice: random.Random) -> list[Said]:
    """What the sensors will say."""
    said: list[Said] = []
    for home in (WELL, FALLEN, AWAY):
        said += regular(home, BEGIN, END)
        for day in range(3):
            said += day_of(home, MIDNIGHT + day * DAY, dice)
    said = [s for s in said if BEGIN <= s.at_ns < END]
    # Who falls says nothing more; who is away neither, but for the door as she leaves and as she comes.
    alive = {WELL: lambda t: True, FALLEN: lambda t: t < FELL, AWAY: lambda t: not LEFT <= t < BACK}
    said = [s for s in said if "temperature" in s.readings or alive[s.home](s.at_ns)]
    said += moving(FALLEN, FELL - 2 * MINUTE, "bathroom")
    for at_ns in (LEFT - MINUTE, BACK):
        said += [Said(at_ns, AWAY, {"contact.front": True}), Said(at_ns + 20 * SECOND, AWAY, {"contact.front": False})]
    return said


class TwoDays:
    """The village, its gateway, and three people with telephones."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.clock = FastClock(folder / "clock", BEGIN, RATE)
        self.phones = {person: Phone() for person in ("zhang", "li", "wang")}
        people = [{"id": person, "urls": [phone.url]} for person, phone in self.phones.items()]
        settings = {
            # Times that belong to the network and not to people are as long as ever on the machine's clock.
            "broker": {"port": broker.port, "password_file": str(broker.password_file), "keepalive_s": 600},
            "alerts": {"notify_timeout_s": 900.0, "second_channel_s": 900.0},
        }
        self.gateway = FastGateway(folder / "gateway", settings, REGISTRY, folder / "clock")
        self.gateway.settings_file.write_text(self.gateway.settings_file.read_text() + _people(people))
        self.village = Village(broker, self.clock, story(random.Random(1)))
        with self.clock.slowly(1.0):
            self.gateway.start()

    def alerts(self, rule: str = "") -> list[Alert]:
        found = view.alert_list(self.gateway.store_file, closed=True)
        return [alert for alert in found if alert.rule == rule or (not rule and alert.rule not in ("selftest",))]

    def told(self, alert: Alert) -> set[str]:
        return {person for person, phone in self.phones.items() if any(alert.id in call.message for call in phone.taken)}

    def rounds(self, alert: Alert, person: str) -> list[int]:
        """The rounds in which he was told of it."""
        mine = [call.message for call in self.phones[person].taken if alert.id in call.message]
        return [int(step[1]) if (step := _STEP.search(text)) else 1 for text in mine]

    def until(self, day: int, hour: float) -> None:
        self.clock.until(MIDNIGHT + day * DAY + round(hour * HOUR))

    def close(self) -> None:
        self.village.close()
        self.gateway.kill()
        for phone in self.phones.values():
            phone.close()


def _people(people: list[dict[str, Any]]) -> str:
    return "".join(f'[[alerts.people]]\nid = "{p["id"]}"\nurls = {p["urls"]}\n'.replace("'", '"') for p in people)


@pytest.fixture
def days(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[TwoDays]:
    with closing(TwoDays(tmp_path, mosquitto)) as days:
        yield days


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_in_two_days_two_alerts_reach_a_person_and_nobody_is_called_for_the_one_who_is_away(days: TwoDays) -> None:
    days.village.begin()
    days.until(0, 9.5)
    days.gateway.ask("homes.away", site=SITE, place=AWAY, kind="daughter", until_ns=MIDNIGHT + DAY + 20 * HOUR, by="zhang")

    # A press by mistake; zhang and li do not answer, wang does.
    days.until(0, 14.0)
    with days.clock.slowly(SLOW):
        days.village.say(Said(days.clock.time_ns(), WELL, {"sos": True}, event=True))
        eventually(lambda: days.alerts("sos"), 60, "the alert")
        [sos] = days.alerts("sos")
        eventually(lambda: days.told(sos) == {"zhang", "li", "wang"}, 120, "all three are told")
        days.gateway.call("alerts.accept", id=sos.id, by="wang")
        eventually(lambda: [c for _, c in days.village.commanded(WELL, "answered") if c["state"] == "accepted"], 60, "the lamp")
        calls = sum(len(phone.taken) for phone in days.phones.values())
        days.clock.until(days.clock.time_ns() + 5 * MINUTE)
        assert sum(len(phone.taken) for phone in days.phones.values()) == calls, "who is dealt with is told to nobody"
        days.gateway.call("alerts.close", id=sos.id, by="wang", reason="false_press")
    first = {person: min(c.at_s for c in phone.taken if sos.id in c.message) for person, phone in days.phones.items()}
    assert first["zhang"] < first["li"] < first["wang"], "one after the other"

    # The night: she does not move. At three the gateway is killed for the better part of an hour.
    days.until(1, 3.0)
    days.gateway.kill()
    days.until(1, 3.8)
    with days.clock.slowly(1.0):
        days.gateway.start()
    days.until(1, 8.0)
    assert [a.rule for a in days.alerts()] == ["sos"], "nobody is told of a gateway that was away as if the homes were silent"

    # Twelve hours after she was last seen the home asks, ten minutes later people are told.
    eventually(lambda: days.village.commanded(FALLEN, "prewarn"), 60, "the home asks")
    with days.clock.slowly(60.0):
        eventually(lambda: days.alerts("inactivity"), 120, "people are told")
        [fall] = days.alerts("inactivity")
        eventually(lambda: len(days.told(fall)) >= 2, 120, "one after the other, until somebody answers")
    asked_ns = days.village.commanded(FALLEN, "prewarn")[0][0]
    assert 12 * HOUR <= asked_ns - (FELL - 2 * MINUTE) < 13 * HOUR
    assert fall.raised_ns - asked_ns >= 9 * MINUTE, "time to say that all is well"
    assert fall.place == FALLEN
    days.gateway.call("alerts.accept", id=fall.id, by="li")
    days.gateway.call("alerts.close", id=fall.id, by="li", reason="ambulance")
    days.gateway.call("homes.away", site=SITE, place=FALLEN, kind="long", until_ns=END + DAY, by="li")

    days.until(2, 5.9)
    days.village.finish()
    days.clock.rate = 1.0
    eventually(lambda: days.gateway.state()["totals"]["messages_received"] >= days.village.sent, 60, "all messages")
    assert {a.place for a in days.alerts() if a.rule not in ("unprotected",)} == {WELL, FALLEN}, [
        (a.rule, a.place, a.text_en) for a in days.alerts()
    ]
    assert all(a.state is State.CLOSED for a in days.alerts("sos") + days.alerts("inactivity"))
    for alert, person in ((alert, person) for alert in (sos, fall) for person in days.phones):
        assert len(set(days.rounds(alert, person))) == len(days.rounds(alert, person)), "one message a round"
    days.gateway.stop()
    stored = Embedded(days.gateway.readings_file).facts()
    assert len({key[3] for key in stored if key[2] == "temperature"}) >= 48 * 12 - 1
