"""The ladder of a real gateway goes on through kill -9: links, closing timer, duty list, siren; nothing lost or doubled."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from edge_gateway.alerts.alert import Alert, State, unpack
from edge_gateway.errors import Rejected
from simulator.senml import Value
from tests.faults.phone import Call, Phone
from tests.faults.world import World
from tests.servers import Mosquitto, PahoClient, eventually, paho_client

Make = Callable[..., World]
BASE = "https://visits.example.org"
WAIT_S = 40.0


def alert_of(w: World) -> Alert:
    """The only alert on the gateway's disk."""
    with closing(sqlite3.connect(f"{w.gateway.store_file.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
        (body,) = db.execute("SELECT body FROM alert").fetchone() or (None,)
    assert body is not None, "no alert"
    return unpack(body)


def press(w: World) -> None:
    w.say(w.devices[1].key, Value("sos", True), event=True)


def step(call: Call) -> int:
    """Which round of messages it is of."""
    found = re.search(r"第 (\d+) 次通知", call.message)
    return int(found[1]) if found else 1


def word(call: Call) -> str:
    """The secret word of the link in a message."""
    found = re.search(rf"{BASE}/a/(\S+)", call.message)
    assert found is not None, call.message
    return found[1]


def state_is(w: World, state: State) -> Callable[[], bool]:
    return lambda: alert_of(w).state is state


def test_a_link_accepts_after_a_kill_and_what_is_left_open_comes_back_after_another(world: Make, phone: Phone) -> None:
    w = world(
        devices=3,
        rate=5.0,
        settings={"alerts": {"repeat_s": 2.0, "close_within_s": 10.0}, "console": {"public_url": BASE, "enabled": False}},
    )
    w.gateway.environment = phone.people()
    w.begin()
    press(w)
    eventually(lambda: len(phone.taken) >= 2, WAIT_S, "two rounds")
    w.gateway.kill()
    w.gateway.start()
    rounds = len(phone.taken)
    eventually(lambda: len(phone.taken) > rounds, WAIT_S, "the ladder goes on")
    token = word(phone.taken[-1])
    assert w.gateway.call("alerts.look_link", token=token)["usable"]
    assert alert_of(w).unanswered, "looking changes nothing"
    done = w.gateway.call("alerts.accept_link", token=token)
    assert (done["first"], done["person"], done["alert"]["state"]) == (True, "li", "accepted")
    w.gateway.kill()
    w.gateway.start()
    eventually(state_is(w, State.ACCEPTED), WAIT_S, "accepted through the kill")
    assert not w.gateway.call("alerts.accept_link", token=token)["first"], "a link works once, also after a kill"
    w.gateway.kill()
    w.gateway.start()
    before = len(phone.taken)
    eventually(lambda: len(phone.taken) > before, WAIT_S, "nobody closed it: it is opened again")
    assert "重新打开: li 接手后还没有处理完毕" in phone.taken[-1].message
    done = w.gateway.call("alerts.accept_link", token=word(phone.taken[-1]))
    with pytest.raises(Rejected, match="bad_argument"):
        w.gateway.call("alerts.close_link", token=done["close_token"], reason=" ")
    closed = w.gateway.call("alerts.close_link", token=done["close_token"], reason="visited_fine")
    assert (closed["alert"]["state"], closed["alert"]["closed_by"]) == ("closed", "li")
    w.gateway.kill()
    w.gateway.start()
    alert = alert_of(w)
    assert [c.state.value for c in alert.history if c.state is not State.NOTIFIED] == [
        *("raised", "accepted", "raised", "accepted", "closed"),
    ]
    times = Counter(map(step, phone.taken))
    print(f"{len(phone.taken)} messages, rounds {sorted(times)}, doubled {[s for s, n in times.items() if n > 1]}")
    # A message that a kill met half way is in doubt and goes out once more; no other comes twice.
    assert sum(times.values()) - len(times) <= 4
    assert max(times.values()) <= 2
    w.finish().require()


def test_sirens_sound_when_no_channel_takes_anything_and_stop_when_somebody_accepts(
    world: Make, phone: Phone, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    program = tmp_path / "siren.sh"
    program.write_text(f'#!/bin/sh\necho "$1 $KANHU_SECONDS" >> {heard}\n')
    program.chmod(0o755)
    sirens = [f"siren+run://{program}?arg=on", "siren://s/d0", "siren://s/nobody"]
    w = world(devices=3, rate=5.0, settings={"alerts": {"repeat_s": 2.0, "siren": sirens, "siren_after_s": 1.0}})
    w.gateway.environment = phone.people()
    phone.status = 503
    w.begin()
    w.live_again()
    with paho_client(mosquitto) as device:
        device.listen("kanhu/1/s/d0/down/command")
        press(w)
        eventually(heard.exists, WAIT_S, "the siren")
        eventually(lambda: heard.read_text().splitlines()[:2] == ["on 60"] * 2, WAIT_S, "and again in the next round")
        assert alert_of(w).state is State.RAISED, "a siren is no person"
        eventually(lambda: any(c.reason == "siren" for c in alert_of(w).history), WAIT_S, "it is in the history")
        eventually(lambda: 60 in sounded(device), WAIT_S, "the device sounds")
        assert 0 not in sounded(device)
        missing = [send for send in alert_of(w).sends if send.person == "siren" and send.channel == 2]
        assert all("not connected" in send.error for send in missing if send.error)
        w.gateway.call("alerts.accept", id=alert_of(w).id, by="li")
        times = len(heard.read_text().splitlines())
        eventually(lambda: sounded(device)[-1] == 0, WAIT_S, "and is told to stop")
        w.gateway.call("alerts.close", id=alert_of(w).id, by="li", reason="test")
        w.live_again()
        assert len(heard.read_text().splitlines()) <= times + 1, "one may have been on its way"
    w.finish().require()


@pytest.mark.slow
def test_fifteen_kills_double_at_most_what_they_met_half_way_and_no_two_rounds_in_a_row_are_missing(
    world: Make, phone: Phone
) -> None:
    other = Phone()
    try:
        w = world(devices=3, rate=5.0, settings={"alerts": {"repeat_s": 1.0, "next_person_s": 3.0}})
        people = [{"id": "li", "urls": [phone.url]}, {"id": "wang", "urls": [other.url]}]
        w.gateway.environment = {"KANHU_ALERTS__PEOPLE": json.dumps(people)}
        w.begin()
        press(w)
        kills = 15
        eventually(lambda: phone.taken, WAIT_S, "told")
        for _ in range(kills):
            w.a_while(0.0, 1.5)
            w.gateway.kill()
            w.gateway.start()
            before = len(phone.taken)
            eventually(lambda at=before: len(phone.taken) > at, WAIT_S, "the ladder goes on")  # type: ignore[misc]
        eventually(lambda: other.taken, WAIT_S, "the next person")
        w.gateway.call("alerts.accept", id=alert_of(w).id, by="li")
        doubled = 0
        for one in (phone, other):
            times = Counter(map(step, one.taken))
            doubled += sum(times.values()) - len(times)
            assert max(times.values()) <= 2
            # What a kill met goes out once more, unless the next round is due by then: that one goes out instead, at once.
            steps = sorted(times)
            missing = steps[-1] - steps[0] + 1 - len(steps)
            assert missing + sum(times.values()) - len(times) <= kills, "a round is missing that no kill met"
        assert all(later - earlier <= 2 for earlier, later in pairwise(sorted(set(map(step, phone.taken)))))
        print(f"{len(phone.taken) + len(other.taken)} messages, {kills} kills, {doubled} doubled")
        assert doubled <= kills
        assert alert_of(w).state is State.ACCEPTED
        w.finish().require()
    finally:
        other.close()


def sounded(device: PahoClient) -> list[int]:
    """Seconds of the commands `siren` that the device was sent."""
    told = [json.loads(message.payload) for message in list(device.received)]
    return [command["seconds"] for command in told if command["name"] == "siren"]


def test_a_duty_list_that_is_written_while_it_runs_decides_the_next_round(world: Make, phone: Phone) -> None:
    other = Phone()
    try:
        w = world(devices=3, rate=5.0, settings={"alerts": {"repeat_s": 2.0, "next_person_s": 600.0}})
        w.gateway.environment = phone.people()
        w.begin()
        press(w)
        eventually(lambda: phone.taken, WAIT_S, "li")
        duty = w.gateway.store_file.parent / "duty.toml"
        duty.write_text(f'[[people]]\nid = "wang"\nurls = ["{other.url}"]\n[[shifts]]\npeople = ["wang"]\n')
        eventually(lambda: other.taken, WAIT_S, "wang, who is on duty now")
        duty.write_text("[[shifts]\n")
        eventually(lambda: "duty" in w.gateway.state()["troubles"], WAIT_S, "the bad list is named")
        before = len(other.taken)
        eventually(lambda: len(other.taken) > before, WAIT_S, "and the good one stays in use")
        w.gateway.kill()
        duty.write_text('[[shifts]]\npeople = ["nobody"]\n')
        w.gateway.start()
        before = len(phone.taken)
        eventually(lambda: len(phone.taken) > before, WAIT_S, "somebody is told though the list names nobody")
        assert "nobody is nobody" in w.gateway.state()["troubles"]["duty"]
        assert not w.gateway.call("alerts.report", references=["sms:1"], arrived=True)["matched"]
        counts = w.gateway.state()["notices"]
        assert counts["delivered"] >= 1
        assert counts["unknown"] == 1
        w.finish().require()
    finally:
        other.close()
