"""A small world for faults: a fleet under load, a real broker, a real gateway, a database; and what to wait for at its end."""

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Final

from edge_gateway.errors import KanhuError
from simulator.device import Clock, SimulatedDevice
from simulator.fleet import Fleet, Pace
from simulator.link import Access
from simulator.plan import Key as DeviceKey
from simulator.plan import Planned, at_once
from simulator.senml import Encoding, Instant, Value
from tests.databases import Database
from tests.faults.judge import Embedded, Influx, Spool, Stored, Verdict, judge
from tests.servers import Mosquitto, eventually
from tests.spine import GatewayProcess, registry

SITE: Final = "s"
# Ours take some 3 s (docs/faults.md); a machine that others use too may take longer, but not for ever.
LIVE_AGAIN_S: Final = 30.0
STOPS_S: Final = 15.0  # systemd would kill it after 90


def seeded(name: str) -> Random:
    """Random moments that a printed seed brings back: KANHU_SEED=<number>."""
    seed = int(os.environ.get("KANHU_SEED") or SystemRandom().randrange(10**6))
    print(f"{name}: KANHU_SEED={seed}")
    return Random(seed)


class World:
    """Everything between simulated devices and a database; `begin` it, break it, `finish` it.

    Args:
        rate: messages a second of the whole fleet; every fiftieth is a tap, an event. Half of the devices write CBOR.
        database: None: the embedded store.
        settings: of the gateway, merged over what the fixtures need.
    """

    def __init__(
        self,
        folder: Path,
        broker: Mosquitto,
        random: Random,
        *,
        devices: int = 20,
        rate: float = 400.0,
        database: Database | None = None,
        settings: Mapping[str, Any] | None = None,
        registry_text: str | None = None,
        window: int = 200,
        clock: Clock | None = None,
    ) -> None:
        self.broker = broker
        self.random = random
        self.rate = rate
        self.database = database
        given: dict[str, Any] = {
            "broker": broker.settings().model_dump(mode="json", exclude_none=True),
            "gateway": {"readings_every_s": 3600},
        }
        if database is not None:
            given["influx"] = database.settings(timeout_s=3.0).model_dump(mode="json", exclude_none=True)
        for section, values in (settings or {}).items():
            given[section] = {**given.get(section, {}), **values}
        self.gateway = GatewayProcess(folder / "gateway", given, registry_text or registry(devices))
        self.start_s = time.time()
        self.devices = [
            SimulatedDevice(
                SITE,
                f"d{n}",
                booted_at_s=self.start_s - 60.0,
                clock=clock or Clock(),
                encoding=Encoding.CBOR if n % 2 else Encoding.JSON,
                window=window,
                capacity=100_000,
                resend_after_s=2.0,
                remember=True,
                seed=random.randrange(10**6),
            )
            for n in range(devices)
        ]
        self.fleet: Fleet | None = None
        self._enough = False
        self._number = 0

    @property
    def stored(self) -> Stored:
        return Embedded(self.gateway.readings_file) if self.database is None else Influx(self.database)

    def begin(self, backlog: int = 0) -> None:
        """Start the gateway, if nobody has, and the fleet; its devices arrive with `backlog` readings of the last hour."""
        if not self.gateway.running:
            self.gateway.start()
        self.start_s = time.time()
        access = Access(port=self.broker.port, password=self.broker.passwords["simulator"])
        seed = self.random.randrange(10**6)
        self.fleet = Fleet(access, self.devices, chain(self._burst(backlog), self._load()), Pace(self.start_s), seed=seed)
        self.fleet.start(drain_s=60.0)

    def _load(self) -> Iterator[Planned]:
        """Even load until `finish`; no two messages of a device share an instant."""
        while not self._enough:
            n = self._number
            self._number += 1
            key = self.devices[n % len(self.devices)].key
            at_s = self.start_s + n / self.rate
            if n % 50 == 49:
                yield at_once(key, at_s, Value("tap", f"card-{n}"), Value("proof", f"proof of {n}"), event=True)
            else:
                yield at_once(key, at_s, Value("temperature", n / 1000, "Cel"), Value("humidity", 50.0 if n % 9 else None))

    def _burst(self, readings: int) -> Iterator[Planned]:
        """Five readings a message."""
        messages = readings // 5
        step_s = 3600.0 / max(messages, 1)
        for n in range(messages):
            key = self.devices[n % len(self.devices)].key
            at_s = self.start_s - 3600.0 + n * step_s
            instants = tuple(
                Instant(round((at_s + k * 1e-3) * 1e6) * 1000, (Value("temperature", n / 1000 + k),)) for k in range(5)
            )
            yield Planned(key, at_s, instants)

    def a_while(self, least_s: float, most_s: float) -> None:
        """A random pause."""
        time.sleep(self.random.uniform(least_s, most_s))

    def say(self, key: DeviceKey, *values: Value, event: bool = False) -> int:
        """Have a device measure something now; returns its time, ns."""
        assert self.fleet is not None
        planned = at_once(key, time.time(), *values, event=event)
        self.fleet.call(lambda: self.fleet.measure(planned))  # type: ignore[union-attr]
        return planned.instants[0].time_ns

    def live_again(self, within_s: float = LIVE_AGAIN_S, but: Collection[str] = ()) -> float:
        """C4: a fresh reading of some device, none of `but`, reaches the database; seconds it took."""
        began = time.monotonic()
        device = self.random.choice([d for d in self.devices if d.device not in but])
        time_ns = self.say(device.key, Value("battery_voltage", 3.5))
        key = (*device.key, "battery_voltage", time_ns)
        eventually(lambda: self.stored.holds(key), within_s, f"{key} in the database: {self.trouble()}")
        return time.monotonic() - began

    def trouble(self) -> str:
        try:
            return str(self.gateway.state())
        except (KanhuError, AssertionError) as error:
            return str(error)

    def number(self, name: str) -> float:
        """One of the gateway's own numbers."""
        return float(self.gateway.state()["numbers"][name])

    def sent(self) -> int:
        """Messages generated so far."""
        return sum(device.outbox.generated for device in self.devices)

    def receipted(self) -> int:
        """Messages receipted so far."""
        return sum(device.outbox.receipted for device in self.devices)

    def finish(self, own_times: bool = True, within_s: float = 60.0, empty: bool = True, poisoned: bool = False) -> Verdict:
        """End the load, wait until everything is settled, and judge.

        Args:
            poisoned: others wrote readable messages under the devices' names: what nobody generated is not counted.
            empty: also wait until the database has everything; else the outbox counts as well.
        """
        self._enough = True
        assert self.fleet is not None
        self.fleet.wait(within_s)
        summary = self.fleet.stop()
        total = summary.total
        assert total.balanced, total
        assert total.open == 0, f"not settled: {total}; {summary.problem}; {self.trouble()}\n{self.gateway.log[-2000:]}"
        if empty:
            eventually(lambda: self.number("outbox_entries") == 0, within_s, f"an empty outbox: {self.trouble()}")
        took_s = self.gateway.stop()
        assert took_s <= STOPS_S, f"SIGTERM took {took_s:.1f} s"
        verdict = judge(self.devices, self.stored, Spool.read(self.gateway.store_file), own_times)
        if poisoned:
            verdict.invented.clear()
        print(f"messages {total.generated}; {verdict}")
        return verdict

    def close(self) -> None:
        """For fixtures: end what is still running."""
        if self.fleet is not None:
            self.fleet.stop()
        self.gateway.kill()


def taps(devices: Sequence[SimulatedDevice]) -> int:
    """How many events were generated."""
    return sum(message.lane == 0 for device in devices for message in device.generated)
