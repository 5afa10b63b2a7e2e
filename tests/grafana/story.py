"""A gateway that lives through the story on a clock of ours, in a process of its own; what it would store goes into a file.

`python -m tests.grafana.story FILE DATA END_S`. Everything but broker and database is the real gateway: pipeline, rules,
alerts, ledger of visits, its own numbers, outbox and uplink.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, Final

from edge_gateway import events
from edge_gateway.events import Entry
from edge_gateway.homes.watch import Order
from edge_gateway.registry import Device, Site
from edge_gateway.settings import Settings
from edge_gateway.sink import Refusal
from simulator import village
from simulator.plan import Planned
from simulator.recordings import RECORDINGS
from simulator.registry_text import registry_text
from simulator.senml import Instant, Value
from tests.faults.phone import Phone
from tests.grafana.happenings import BEGINS_S, DEPTH, HEALTH, HOMES, RECORDED, RIVER, STREAM, TOWN, WATER, Script, stations
from tests.grafana.meals import READERS, Meals
from tests.grafana.telling import Speaker, Told
from tests.servers import make_certificates

SECOND: Final = 1_000_000_000
STEP_S: Final = 600.0
LAST_HOURS_S: Final = 3 * 3600.0  # every minute from here on
AT_ONCE: Final = 2000  # messages before the outbox is emptied


class StoryClock:
    """Wall clock and monotonic clock of the gateway's modules; they stand still until the story goes on."""

    def __init__(self, now_s: float) -> None:
        self.now_ns = round(now_s * SECOND)
        self._began_ns = self.now_ns - 1000 * SECOND

    def reach(self, now_s: float) -> None:
        self.now_ns = max(self.now_ns, round(now_s * SECOND))

    def install(self) -> None:
        """For the rest of this process."""
        mine = SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if not name.startswith("_")})
        mine.time_ns, mine.time = lambda: self.now_ns, lambda: self.now_ns / SECOND
        mine.monotonic_ns = lambda: self.now_ns - self._began_ns
        mine.monotonic = lambda: mine.monotonic_ns() / SECOND
        for name, module in list(sys.modules.items()):
            if name.startswith("edge_gateway.") and module.__dict__.get("time") is time:
                module.__dict__["time"] = mine


class FileSink:
    """Takes everything, and writes it down as the outbox does."""

    name = "story"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        body = events.pack(list(entries))
        self._file.write(len(body).to_bytes(4, "big") + body)
        return []

    def close(self) -> None:
        self._file.close()


def read(file: Path) -> list[Entry]:
    """The entries of a story's file, in the order in which they were stored."""
    found: list[Entry] = []
    raw, at = file.read_bytes(), 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        found += events.unpack(raw[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def registry(data: Path) -> str:
    """Sites and devices of recordings and village; three homes, of which one is paused and one was never tested."""
    text = "\n".join(_recorded(data, name) for name in RECORDED)
    rooms = frozenset(
        {
            "temperature",
            "humidity",
            "contact.door",
            "bed",
            "bed.guest",
            "temperature.bedroom",
            "temperature.balcony",
            "presence.living_room",
            "co2",
            "sos",
            "selftest",
            *(f"motion.{r}" for r in village.ROOMS),
            *HEALTH,
        }
    )
    homes = [Device(site, name, name, "elder_home", 60.0, 180.0, rooms) for site, name in HOMES]
    readers = [
        Device(TOWN, name, place, "rider_reader", 300.0, 900.0, frozenset({"tap", "proof", "reader_resets", *HEALTH}))
        for name, place in READERS.items()
    ]
    water = frozenset({"station_status", "calibration", *(f"{name}.{DEPTH}" for name in WATER)})
    probes = [
        Device(RIVER, "probe-1", "", "river_probe", 300.0, 900.0),
        Device(RIVER, "probe-2", "point-2", "river_probe", 300.0, 900.0, lat=30.31, lon=120.17),
        Device(*STREAM, "point-2", "river_probe", 300.0, 900.0),
        Device(RIVER, "probe-3", "point-3", "river_probe", 900.0, 2700.0, water, lat=30.33, lon=120.19),
    ]
    sites = [Site(TOWN, "梧桐社区"), Site("hehuan", "合欢社区"), Site(RIVER, "清溪河"), Site("baisha", "白沙河")]
    return text + registry_text(sites, [*homes, *readers, *probes])


def _recorded(data: Path, name: str) -> str:
    recording = RECORDINGS[name]
    text = recording.registry(data / recording.path)
    site = f"[sites.{recording.site}]"
    if name == "cn-stations":
        chosen = stations(data)
        parts = text.split("[[devices]]")
        text = "[[devices]]".join([parts[0], *(p for p in parts[1:] if p.split('id = "', 1)[1].split('"', 1)[0] in chosen)])
    if name == "logan-tony-grove-2014":  # the second of its site
        text = "[[devices]]" + text.split("[[devices]]", 1)[1]
    assert site in text or name == "logan-tony-grove-2014"
    return text + "\n"


class Story:
    """One gateway and its people."""

    def __init__(self, folder: Path, file: Path, data: Path, end_s: float) -> None:
        self.script, self.meals, self.end_s = Script(data, end_s), Meals(end_s), end_s
        self._messages = self.script.messages()
        self._next: Told | None = next(self._messages)
        assert self._next is not None
        self.clock = StoryClock(self._next.at_s - 60)
        (folder / "registry.toml").write_text(registry(data), encoding="utf-8")
        self.phone = Phone()
        given: dict[str, Any] = {
            "gateway": {"ballast_mb": 0, "metrics_port": 0},
            # Series that only a time-series database gets are written too; nothing is sent there.
            "influx": {"url": "http://127.0.0.1:1", "kind": "influxdb1"},
            "console": {"tls_certificate": str(make_certificates(folder / "tls").file("broker.pem"))},
            "alerts": {"people": [{"id": name, "urls": [self.phone.url]} for name in ("zhang", "li")]},
        }
        self.settings = Settings(data_dir=folder / "var", registry=folder / "registry.toml", **given)
        self._file = file
        self._homes = {name: Speaker(TOWN, name, end_s - BEGINS_S, boot=9) for name in ("home-1", "home-3")}
        self._acts: list[tuple[float, Callable[[], Awaitable[object]]]] = []

    async def tell(self) -> None:
        from edge_gateway.service import DROPPED_TOPIC, Gateway  # after the clock is known

        self.clock.install()
        self.gateway = g = Gateway(self.settings, FileSink(self._file.open("wb")), lambda: self.clock.now_ns)
        g.connected = lambda: True  # type: ignore[method-assign]
        g.desk._order = self._ordered
        g._restore()
        begins_s = self.end_s - BEGINS_S
        await self._hear(begins_s)
        g._listen()
        dropped: Any = SimpleNamespace(topic=DROPPED_TOPIC, payload=b"0")
        g._broker_said([dropped])
        await self._prepare()
        self._acts = sorted(self._what_people_do(), key=lambda act: act[0])
        at_s = begins_s
        while at_s < self.end_s:
            at_s = min(at_s + (60.0 if at_s >= self.end_s - LAST_HOURS_S else STEP_S), self.end_s)
            await self._hear(at_s)
            await self._look()
        await self._empty()
        await g.visits.close()
        await g.in_store(g.store.close)
        g.thread.shutdown(wait=True)
        g.sink.close()
        self.phone.close()

    async def _hear(self, upto_s: float) -> None:
        """Everything that arrives until then, and what people do."""
        taken = 0
        while self._next is not None and self._next.at_s <= upto_s:
            while self._acts and self._acts[0][0] <= self._next.at_s:
                await self._act()
            self.clock.reach(self._next.at_s)
            self.gateway.pipeline.take(self._next.topic, self._next.payload, self.clock.now_ns)
            self._next = next(self._messages, None)
            taken += 1
            if taken % AT_ONCE == 0:
                await self._empty()
        while self._acts and self._acts[0][0] <= upto_s:
            await self._act()
        self.clock.reach(upto_s)

    async def _act(self) -> None:
        at_s, act = self._acts.pop(0)
        self.clock.reach(at_s)
        await self._settle()
        await act()
        await self._settle()
        await self._answered()

    async def _look(self) -> None:
        """What the gateway does by itself, every second or minute."""
        g = self.gateway
        await self._settle()
        g.desk.tick(g.pipeline.states)
        g.desk.homes.hurry()
        await self._settle()
        await self._answered()
        while await g.visits.work():
            pass
        g.stations.tick()
        g.series.tick()
        g.health.write_readings()
        await g.series.write()
        await self._empty()

    async def _answered(self) -> None:
        """Messages to people are on their way in real time; the story waits for their answers."""
        ends = time.monotonic() + 120.0
        counts = self.gateway.desk.sender.counts
        while counts.handed > counts.delivered + counts.taken + counts.failed + counts.in_doubt:
            assert time.monotonic() < ends, counts
            await asyncio.sleep(0.005)
        await self._settle()

    async def _settle(self) -> None:
        await self.gateway.committer.settle()

    async def _empty(self) -> None:
        """Into the file, by the uplink's own turns."""
        await self._settle()
        while await asyncio.to_thread(self.gateway.uplink.turn) == 0.0:
            pass
        assert not self.gateway.uplink.state.trouble, self.gateway.uplink.state.trouble

    # --- people

    async def _prepare(self) -> None:
        """Cards, plan; the ledger opens with the first work."""
        g = self.gateway
        while await g.visits.work():
            pass
        for name, card in self.meals.cards.items():
            about = {"site": TOWN, "uid": card.uid.hex(), "kind": "ntag424", "role": "courier", "holder": name}
            await self._ask("cards.enrol", **about, by="li", keys={"file": card.file.hex()}, meta=card.meta.hex())
        await self._ask("visits.plan", site=TOWN, by="li", rows=self.meals.plan(), replace=True)

    async def _ask(self, command: str, **arguments: Any) -> Any:
        from edge_gateway.gateway_commands import handlers

        return await handlers(self.gateway)[command](arguments)

    def _what_people_do(self) -> list[tuple[float, Callable[[], Awaitable[object]]]]:
        end_s, day_s = self.end_s, 86_400.0
        return [
            (end_s - 1.6 * day_s, lambda: self._press("home-1")),
            (end_s - 1.6 * day_s + 240, lambda: self._accept("sos")),
            (end_s - 1.6 * day_s + 1800, lambda: self._close("sos")),
            (end_s - 1.2 * day_s, lambda: self._ask("homes.pause", site=TOWN, place="home-3", by="li", until_ns=self._ns(-0.9),
                                                    reason="hospital")),
            (end_s - 0.5 * day_s, lambda: self._press("home-1")),
            (end_s - 0.5 * day_s + 90, lambda: self._accept("sos")),
            (end_s - 0.5 * day_s + 900, lambda: self._close("sos")),
            (end_s - 7200, lambda: self._press("home-3")),  # nobody accepts it
        ]  # fmt: skip

    def _ns(self, days: float) -> int:
        return round((self.end_s + days * 86_400) * SECOND)

    async def _press(self, home: str) -> None:
        await self._say(home, Value("sos", True))

    async def _say(self, home: str, *values: Value) -> None:
        now_ns = self.clock.now_ns
        told = self._homes[home].says(Planned((TOWN, home), now_ns / SECOND, (Instant(now_ns, values),), event=True))
        self.gateway.pipeline.take(told.topic, told.payload, now_ns)

    def _open(self, rule: str) -> str:
        return next(one.id for one in self.gateway.desk.book.open_alerts() if one.rule == rule)

    async def _accept(self, rule: str) -> None:
        self.gateway.desk.accept(self._open(rule), "zhang")

    async def _close(self, rule: str) -> None:
        self.gateway.desk.close(self._open(rule), "zhang", "false_press")

    def _ordered(self, order: Order) -> None:
        """A home's device answers its self-test; that of home-3 cannot."""
        if order.name == "selftest" and order.device == "home-1":
            now_s = self.clock.now_ns / SECOND
            self._acts.insert(0, (now_s + 3, lambda: self._say("home-1", Value("selftest", str(order.details["test"])))))


def main(file: Path, data: Path, end_s: float) -> None:
    """Write the story that ends at `end_s` (UTC)."""
    with tempfile.TemporaryDirectory(prefix="kanhu-story-") as folder:
        asyncio.run(Story(Path(folder), file, data, end_s).tell())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
