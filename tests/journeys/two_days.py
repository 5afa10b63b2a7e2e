"""Three homes on a fast clock: what their sensors say by day and by night, written down first and told as it happens."""

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.journeys.fast_time import SECOND, FastClock
from tests.servers import Mosquitto, eventually, paho_client

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
ROOMS = ("kitchen", "living", "bathroom", "bedroom")
SITE = "wutong"


@dataclass(order=True)
class Said:
    """What a home's device says at `at_ns`; `event`: in the lane of events."""

    at_ns: int
    home: str = field(compare=False)
    readings: dict[str, bool | float | str] = field(compare=False)
    event: bool = field(default=False, compare=False)


def day_of(home: str, midnight_ns: int, dice: random.Random) -> Iterator[Said]:
    """One ordinary day: up at half past six, about the rooms, once in the bathroom at night."""

    def at(hour: float) -> int:
        return midnight_ns + round(hour * HOUR)

    yield Said(at(6.5), home, {"bed": False})
    yield Said(at(22.2), home, {"bed": True})
    yield Said(at(3.0), home, {"bed": False})
    yield from moving(home, at(3.01), "bathroom")
    yield Said(at(3.15), home, {"bed": True})
    hour = 6.52
    while hour < 22.1:
        yield from moving(home, at(hour), dice.choice(ROOMS))
        hour += dice.uniform(0.05, 0.6)


def regular(home: str, from_ns: int, to_ns: int) -> Iterator[Said]:
    """The device is well, whoever lives there."""
    for at_ns in range(from_ns, to_ns, 5 * MINUTE):
        yield Said(at_ns, home, {"temperature": 21.5, "humidity": 48.0})


def moving(home: str, at_ns: int, room: str) -> Iterator[Said]:
    """Somebody is in a room for a minute."""
    yield Said(at_ns, home, {f"motion.{room}": True})
    yield Said(at_ns + 40 * SECOND, home, {f"motion.{room}": False})


class Village:
    """Tells the story to the broker in a thread, and hears what the homes are told.

    Attributes:
        sent: records published so far.  commands: (wall clock ns, home, command) as they came down.
    """

    def __init__(self, broker: Mosquitto, clock: FastClock, story: list[Said]) -> None:
        self._clock, self._story = clock, sorted(story)
        self._seq: dict[str, int] = {}
        self._ended = threading.Event()
        self.sent = 0
        self._lock = threading.Lock()
        self.commands: list[tuple[int, str, dict[str, Any]]] = []
        self._client = paho_client(broker, client_id="village", session=True)
        self._client.on_message = self._told
        self._client.listen("kanhu/1/+/+/down/command")
        for home in {said.home for said in story}:
            born = {"online": True, "boot": 1, "firmware": "elder_home 1.0.0", "up": 1.0, "cadence": 300}
            self._client.publish(f"kanhu/1/{SITE}/{home}/up/status", json.dumps(born), 1, retain=True)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _told(self, _client: object, _userdata: object, message: Any) -> None:
        home, command = message.topic.split("/")[3], json.loads(message.payload)
        self.commands.append((self._clock.time_ns(), home, command))
        if command["name"] == "selftest":  # as the firmware answers it
            self.say(Said(self._clock.time_ns(), home, {"selftest": str(command["test"])}, event=True))

    def begin(self) -> None:
        self._thread.start()

    def say(self, said: Said) -> None:
        """Out of turn: somebody presses a button."""
        with self._lock:
            seq = self._seq[said.home] = self._seq.get(said.home, 0) + 1
            self.sent += 1
        pack: list[dict[str, Any]] = []
        for name, value in said.readings.items():
            key = "vb" if isinstance(value, bool) else "vs" if isinstance(value, str) else "v"
            pack.append({"n": name, key: value})
        pack[0] = {"boot": 1, "seq": seq, "clk": "ntp", "bt": said.at_ns / SECOND} | pack[0]
        lane = "event" if said.event else "data"
        self._client.publish(f"kanhu/1/{SITE}/{said.home}/up/{lane}", json.dumps(pack), 1)

    def _run(self) -> None:
        for said in self._story:
            while (left_s := (said.at_ns - self._clock.time_ns()) / SECOND) > 0:
                if self._ended.is_set():
                    return
                time.sleep(min(0.05, left_s / self._clock.rate))
            self.say(said)

    def commanded(self, home: str, name: str) -> list[tuple[int, dict[str, Any]]]:
        """Commands of that name that the home's device was sent, with when it heard them."""
        return [(at_ns, command) for at_ns, of, command in list(self.commands) if of == home and command["name"] == name]

    def finish(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive(), "the story is not told to its end"
        eventually(lambda: not self._client._out_messages, 30, "the broker to have it all")

    def close(self) -> None:
        self._ended.set()
        self._client.disconnect()
        self._client.loop_stop()
