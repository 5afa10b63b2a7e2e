"""The running gateway: broker sessions, pipeline, group commit, uplink, alerts and commands in one asyncio process."""

import asyncio
import contextlib
import json
import logging
import math
import secrets
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from edge_gateway import commands, enrolment, heartbeat, overdue, registry, systemd, topics
from edge_gateway.alert_desk import AlertDesk
from edge_gateway.broker import Incoming, Session
from edge_gateway.clock import Limits
from edge_gateway.committer import Committer
from edge_gateway.disk import Ballast
from edge_gateway.enrolment import Enrolment, Keeper
from edge_gateway.errors import Unavailable
from edge_gateway.feedback import REMEMBERED_NS, Answer, Feedback
from edge_gateway.gateway_commands import handlers
from edge_gateway.health import Health
from edge_gateway.heartbeat import Heartbeat
from edge_gateway.homes.watch import Order
from edge_gateway.housekeeping import Housekeeping
from edge_gateway.notify.watched import Watched
from edge_gateway.pipeline import Pipeline
from edge_gateway.privacy import names, raw
from edge_gateway.receipts import Receipts
from edge_gateway.series import Series
from edge_gateway.settings import Settings
from edge_gateway.sink import Expecting, Sink
from edge_gateway.stations import Stations
from edge_gateway.store import Store, StoreFull
from edge_gateway.troubles import Troubles
from edge_gateway.uplink import Uplink
from edge_gateway.visits.desk import VisitDesk
from edge_gateway.visits.live import Live, Outcome

log = logging.getLogger(__name__)

DROPPED_TOPIC: Final = "$SYS/broker/publish/messages/dropped"
_REPLY: Final = f"/up/{topics.Up.REPLY}"
# Requests to the database for each time the outbox is read and rows are forgotten. With one, the database waited half of the
# time: 17,000 messages a second instead of 25,000. More cost memory.
_REQUESTS: Final = 2
_FULL: Final = "the disk is full"
_DAMAGE: Final = frozenset(
    {"damaged_files", "damaged_device_rows", "entries_lost_damage", "commits_lost_damage", "entries_damaged"}
)
# A disk that cannot save for longer than this is not waited for: an SOS is told all the same.
_CRY_AFTER_S: Final = 5.0
_LIVE_S: Final = 0.25  # between two looks for cards that do not answer
_SOON: Final = 12.0  # after a start its own series go on within this part of a round: 5 s of a minute
_STUCK_S: Final = 3.0  # nothing is read any more: the disk stands still, and devices are not to blame
_RING_S: Final = 5.0  # for the event loop to take up what a thread asks
_STATIONS_S: Final = 10.0  # after a change of the registry a station is on the map
_CODES_S: Final = 30.0  # between two looks for enrolment codes that are too old


class Gateway:
    """One gateway on one data folder.

    Args:
        sink: the database; the gateway closes it.
        clock_ns: the wall clock, replaceable in tests.
        keeper: changes the broker's users for devices that enrol; None: they cannot.
    """

    def __init__(
        self, settings: Settings, sink: Sink, clock_ns: Callable[[], int] = time.time_ns, keeper: Keeper | None = None
    ) -> None:
        g = settings.gateway
        self.settings = settings
        self.clock_ns = clock_ns
        self.sink = sink
        self.full = False
        self._stopping = asyncio.Event()
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self.ballast = Ballast(settings.data_dir, g.ballast_mb)
        self.store = self._open_store()
        self._store_opened = self.store.opened
        self.full_since = 0.0
        self._failing_since = math.inf
        self._heard = False
        known = registry.load(settings.registry)
        self.troubles = Troubles()
        public = settings.console.public_url.rstrip("/")
        self.desk = AlertDesk(
            settings.alerts,
            known,
            clock_ns,
            self._changed,
            self._answer,
            self._order,
            f"{public}/a/" if public else "",
            self._ring,
        )
        self.desk.homes.consent_required = settings.privacy.consent_required
        self.pipeline = Pipeline(known, Limits.of(g.time_floor, g.late_s, g.future_s), self.desk.judge, self.desk.homes.observe)
        self.pipeline.consented = self.desk.homes.consented
        self.events = Session(
            settings.broker,
            "kanhu-gateway-events",
            [
                "kanhu/1/+/+/up/event",
                "kanhu/1/+/+/up/status",
                topics.up("+", "+", topics.Up.REPLY),
                DROPPED_TOPIC,
                *([enrolment.TOPIC] if keeper else []),
            ],
            self._on_events,
            self._on_broker,
        )
        self.data = Session(settings.broker, "kanhu-gateway-data", ["kanhu/1/+/+/up/data"], self._on_data, self._on_data_broker)
        self.enrolment = Enrolment(keeper, self.events.publish) if keeper else None
        # Answers of cards, which lie on a reader this moment; who wants to know how it ended puts a function here.
        self.live_ended: Callable[[Outcome], None] = lambda outcome: None
        self.live = Live(self.events.publish, lambda outcome: self.live_ended(outcome))
        self.heartbeat = Heartbeat(self)
        self.desk.heartbeat = self.heartbeat.answered
        self.visits = VisitDesk(self)
        self.receipts = Receipts(self.events.publish)
        self.feedback = Feedback(self.events.publish)
        self.committer = Committer(
            self.pipeline,
            self.store,
            self.thread,
            self.receipts,
            clock_ns,
            g.commit_ms / 1000,
            g.commit_messages,
            self.desk,
            self._saved,
            self._commit_failed,
        )
        self.uplink = Uplink(
            settings.store_file, self.store, self.thread, sink, settings.influx.batch_lines, _REQUESTS, self._database_told
        )
        self.health = Health(self)
        self.series = Series(self)
        self.stations = Stations(self)
        self.watched = Watched(self)
        self.expect_in_database(known)
        self.housekeeping = Housekeeping(self)
        self.broker_dropped: int | None = None  # nobody knows before the broker has told it

    def _open_store(self) -> Store:
        g = self.settings.gateway
        limits = (g.held_messages, g.dead_letters, g.outbox_quota_mb << 20)
        file = self.settings.store_file
        seal = raw.load(raw.key_file(file), make=True)
        try:
            return Store(file, *limits, raw=seal)
        except StoreFull:
            if not self.ballast.drop():
                raise
            return Store(file, *limits, raw=seal)

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`; what was taken is committed before it returns."""
        self._loop = loop = asyncio.get_running_loop()
        self.housekeeping.watch_duty()  # before anybody is told
        self._restore()
        self.feedback.remember(self.thread.submit(self._recently_closed).result(), self.clock_ns())
        self.ballast.lay()
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._commands())
            stack.callback(self.health.close)
            self.health.open()
            self.uplink.start()
            every_s = self.settings.gateway.readings_every_s
            tasks = [
                loop.create_task(job)
                for job in (
                    self.events.run(),
                    self.data.run(),
                    self._every(1.0 / self.settings.gateway.receipts_per_s, self.receipts.send_due),
                    self._every(1.0, self.housekeeping.tick),
                    self._every(1.0, self.housekeeping.keep),
                    self._every(1.0, self.feedback.tick),
                    self._every(_LIVE_S, self.live.tick),
                    self._every(1.0, self.visits.readers.revocations.tick),
                    self.visits.run(),
                    self._every(_CODES_S, self._tidy_enrolments),
                    # By itself: nothing that hangs or fails in the other may keep an SOS from its next round.
                    self._every(1.0, lambda: self.desk.tick(self.pipeline.states)),
                    self._every(1.0, self.heartbeat.tick),
                    self._every(1.0, self._listen),
                    self._every(1.0, self.series.tick),
                    self._every(every_s, self.health.write_readings, every_s / _SOON),
                    self._every(every_s, self.series.write, every_s / _SOON),
                    self._every(_STATIONS_S, self.stations.tick),
                    systemd.live(),
                )
            ]
            ready()
            stopped = loop.create_task(self._stopping.wait())
            done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
            await self._end(tasks)
            for task in done - {stopped}:
                task.result()  # a task that ended by itself is a fault: let it be seen

    def expect_in_database(self, known: registry.Registry) -> None:
        """The registry is new or another: sums beside the database say how much there should have been."""
        if isinstance(self.sink, Expecting):
            self.sink.expect(known)

    def connected(self) -> bool:
        """Whether both sessions are accepted by the broker."""
        return self.events.connected and self.data.connected

    def totals(self) -> dict[str, int]:
        """Totals since the store was made, those of the last commit included."""
        return self.store.totals

    def stop(self) -> None:
        """End `run` in an orderly way."""
        self._stopping.set()

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        self.data.pause("ending")
        self.events.pause("ending")
        self.desk.homes.hurry()
        self.committer.soon(now=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(4.0):
                await self.committer.drain()
                await self.desk.sender.close(2.0)
                await self.committer.drain()
        self.receipts.send_due()
        await self.data.close()
        await self.events.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.visits.close()
        self.committer.halted = True  # whatever still wants to be saved comes again
        await asyncio.get_running_loop().run_in_executor(None, self.uplink.stop, 3.0)
        await asyncio.get_running_loop().run_in_executor(self.thread, self.store.close)
        self.thread.shutdown(wait=True)
        self.sink.close()

    def _on_events(self, messages: list[Incoming], generation: int) -> None:
        system = [m for m in messages if m.topic.startswith("$SYS/")]
        strangers = [m for m in messages if m.topic.startswith(enrolment.PREFIX)]
        replies = [m for m in messages if m.topic.endswith(_REPLY)]
        own = [m for m in messages if m.topic == heartbeat.TOPIC]
        if system or strangers or replies or own:
            messages = [m for m in messages if not m.topic.startswith(("$SYS/", enrolment.PREFIX, heartbeat.TOPIC))]
            messages = [m for m in messages if not m.topic.endswith(_REPLY)]
        if system:
            self._broker_said(system)
        for reply in replies:
            site, device = reply.topic.split("/")[2:4]
            self.live.received(site, device, bytes(reply.payload))
        for pulse in own:
            self.heartbeat.received(bytes(pulse.payload))
        if self.enrolment is not None:
            self.enrolment.received(strangers)
            self.enrolment.heard(messages)
        if messages:
            self.committer.received(self.events, messages, generation, urgent=True)
            self._greet(messages)
        if acks := [m.packet_id for m in (*system, *strangers, *replies, *own) if m.packet_id is not None]:
            self.events.acknowledge(acks, generation)

    def _on_data(self, messages: list[Incoming], generation: int) -> None:
        self.committer.received(self.data, messages, generation)

    async def _tidy_enrolments(self) -> None:
        if self.enrolment is not None:
            await self.enrolment.tick()

    def _broker_said(self, messages: list[Incoming]) -> None:
        for message in messages:
            with contextlib.suppress(ValueError):
                self.broker_dropped = int(message.payload)
        dropped = self.broker_dropped
        self.troubles.set("broker_drops", f"the broker dropped {dropped} messages" if dropped else "")

    def _on_broker(self, state: str, detail: str) -> None:
        self.troubles.set("broker", detail)
        self._listen()

    def _on_data_broker(self, state: str, detail: str) -> None:
        self.troubles.set("broker_data", detail)
        self._listen()

    def hears(self) -> bool:
        """Whether what a device says now is taken in: on both sessions, readings too, and by a store that saves."""
        saves = not self.full and not self.committer.halted and self._failing_since == math.inf
        return self.connected() and saves and self.committer.paused_s() < _STUCK_S

    def _listen(self) -> None:
        """A device is silent only if it could have been heard."""
        hears = self.hears()
        if hears != self._heard:
            self._heard = hears
            self.desk.listening(hears)
            self.series.listening(hears)

    def _database_told(self, trouble: str) -> None:
        self.troubles.set("database", trouble)

    def _saved(self, entries: int) -> None:
        self._failing_since = math.inf
        if not self.full:
            self.troubles.set("store", "")
        if entries:
            self.uplink.wake()
        if self.store.taps_queued:
            self.visits.wake()

    def _changed(self) -> None:
        """The desk has alerts to save although no message came."""
        self.committer.soon(now=True)

    def _answer(self, answers: list[Answer]) -> None:
        self.feedback.tell(answers)

    def _order(self, order: Order) -> None:
        """A rule wants a device to do something; a device that is away gets it when it is back."""
        payload = json.dumps({"id": secrets.token_hex(4), "name": order.name, **order.details}).encode()
        self.events.publish(topics.down(order.site, order.device, topics.Down.COMMAND), payload)

    def _ring(self, site: str, device: str, seconds: int) -> str:
        """Let a device sound as a siren; called by a thread of the sender. "", or why it cannot."""
        rung: Future[str] = Future()
        self._loop.call_soon_threadsafe(lambda: rung.set_result(self._ring_now(site, device, seconds)))
        try:
            return rung.result(_RING_S)
        except TimeoutError:
            return "the gateway did not come to it"

    def _ring_now(self, site: str, device: str, seconds: int) -> str:
        known = self.pipeline.states.get((site, device))
        if not self.events.connected or known is None or not known.online:
            # Not kept for later: a siren that sounds an hour afterwards calls for nothing.
            return f"the siren {site}/{device} is not connected"
        self._order(Order(site, device, "siren", {"seconds": seconds}))
        return ""

    def _greet(self, messages: list[Incoming]) -> None:
        """A device that is back is told again how its alerts stand."""
        for message in messages:
            if message.topic.endswith("/up/status") and not message.retain:
                _, _, site, device, *_ = message.topic.split("/")
                known = self.pipeline.states.get((site, device))
                if known is not None and known.online:
                    self.feedback.born(site, device)
                    self.desk.homes.pauses.born(site, device)
                    self.visits.readers.revocations.born(site, device)

    def _recently_closed(self) -> list[bytes]:
        return self.store.closed_alerts(self.clock_ns() - REMEMBERED_NS)

    def _commit_failed(self, error: Unavailable) -> None:
        """Nothing of the last commit counts: begin again from the disk, and let the broker deliver again."""
        self.troubles.set("store", str(error))
        log.error("cannot save: %s", error)
        self._failing_since = min(self._failing_since, time.monotonic())
        if isinstance(error, StoreFull):
            self.give_way()
        if self.store.opened != self._store_opened:
            # Another file: what was owed may name messages that went with the old one.
            self._store_opened = self.store.opened
            self.receipts.forget()
        self.data.drop("not saved")
        self.events.drop("not saved")
        if time.monotonic() - self._failing_since > _CRY_AFTER_S:
            self.desk.cry()
        self._restore()

    def give_way(self) -> None:
        """The disk is full: readings stay with the devices until there is room, events go on in that of the ballast."""
        if not self.full:
            self.full = True
            self.full_since = time.monotonic()
            self.ballast.drop()
            self.data.pause(_FULL)
            self.uplink.events_only = not self.settings.influx.url
            self._listen()

    def let_in(self) -> None:
        """There may be room again: take readings."""
        self.full = False
        self.uplink.events_only = False
        self.uplink.wake()
        self.data.resume(_FULL)
        self._listen()

    def begin_again(self) -> None:
        """The disk could not be read after a commit failed: try once more."""
        try:
            self._restore()
        except Unavailable as error:
            self.troubles.set("store", f"nothing is taken in: {error}")
            return
        self.committer.halted = False
        # What came meanwhile was passed over.
        self.data.drop("not saved")
        self.events.drop("not saved")

    def _restore(self) -> None:
        """Begin from what is on disk. Blocks the loop on purpose: no message may be decided on a state that is about to go."""
        devices, alerts, homes = self.thread.submit(
            lambda: (list(self.store.devices()), self.store.open_alerts(), self.store.homes())
        ).result()
        self.pipeline.restore(devices)
        own = [row for row in homes if row[0] == overdue.SITE]
        self.desk.restore(alerts, self.pipeline.states, [row for row in homes if row[0] != overdue.SITE])
        if not self.series.restored:
            self.series.restore(own)

    async def in_store(self, job: Callable[[], Any]) -> Any:
        """Run `job` in the one thread that may use the store."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, job)

    async def _every(self, seconds: float, job: Callable[[], Any], first_s: float | None = None) -> None:
        """Run `job` again and again; an error of one run is logged and does not end the others."""
        wait_s = seconds if first_s is None else first_s
        while True:
            await asyncio.sleep(wait_s)
            wait_s = seconds
            try:
                result = job()
                if asyncio.iscoroutine(result):
                    await result
            except Unavailable as error:
                log.warning("%s", error)
            except Exception:
                log.exception("unexpected")

    @contextlib.asynccontextmanager
    async def _commands(self) -> AsyncIterator[None]:
        path: Path = self.settings.command_socket
        server = await commands.serve(path, names.guarded(self, handlers(self)))
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)
