"""The way to the gateway: Wi-Fi, time, broker, birth, and then what the outbox holds, events first.

The device speaks when it can and keeps everything until the gateway's receipt. The rules are those of docs/contract.md; what is
on its way is in `flight`, when to try again in `pace`.
"""

import asyncio
import random

from app import addresses, message, mqtt, wifi
from app.flight import EVENT, Flight
from app.log import Trouble, log
from app.pace import Pace
from app.timekeeper import Timekeeper

_BATCH = 8  # records of the outbox in memory at a time
_IDLE_MS = 10000  # longest wait without looking whether the Wi-Fi is still there
_LOOK_MS = 200  # the same for an upload, which has to end
_NAP_MS = 10000  # longest wait without a beat
_WELL_MS = 60000  # a connection that lasted so long was worth it
_LINGER_MS = 500  # settings and commands that waited come right after subscribing
_BIRTH_AGAIN_MS = 10000

_REOPEN_EVERY = 3  # failures
_GIVE_UP_MS = 1800000
_MOST_PATIENCE = 5
_BOOTS = 16  # whose `upto` is remembered

_COUNTERS = (
    "connects",
    "drops",
    "failures",
    "births",
    "published",
    "resent",
    "receipts",
    "bad_receipts",
    "bad_messages",
    "oversize",
)
_FAILURES = (OSError, ValueError, MemoryError)


class Link:
    """
    Args:
        settings: checked (app.settings).
        status: function() -> further keys of the birth.
        on_config: function(version, settings), for each settings message.  on_command: function(command dict).
        on_receipted: function(freed), for each receipt; `freed` as of `Outbox.receipt`, [] when no event was among it.
        rand: function() -> 0..1.
        give_up: function(reason), when the network did not come back for half an hour, `patience` doublings later; it resets.
    Attributes:
        on_online: function(), after each birth that the broker has.
        counters: connects, drops (connections that ended), failures (attempts without one, and drops), births, published,
            resent, receipts, bad_receipts, bad_messages, oversize.
    """

    def __init__(
        self,
        settings: dict,
        wifi,
        clock,
        outbox,
        status=lambda: {},
        on_config=lambda version, values: None,
        on_command=lambda command: None,
        on_receipted=lambda freed: None,
        rand=random.random,
        give_up=None,
        patience: int = 0,
    ) -> None:
        self._broker = settings["broker"]
        self._name = "%s/%s" % (settings["site"], settings["device"])
        self._up = "kanhu/1/%s/up/" % self._name
        self._down = "kanhu/1/%s/down/" % self._name
        self._wifi, self._clock, self._outbox = wifi, clock, outbox
        self._status = status
        self._on_config, self._on_command, self._on_receipted = on_config, on_command, on_receipted
        self._give_up = give_up
        self._give_up_ms = _GIVE_UP_MS << min(patience, _MOST_PATIENCE)
        self.on_online = lambda: None
        self.online = False
        self.counters = dict.fromkeys(_COUNTERS, 0)
        self._flight = Flight(rand)
        self._pace = Pace(rand)
        self._wake = asyncio.ThreadSafeFlag()
        self._new = False  # the outbox has something that was not there at the last look
        self._upto = {}  # boot -> the highest `upto` of its receipts
        self._birth_ms = 0
        self._birth_due = False
        self._born_with = message.NONE  # the clock's source at the last birth
        self._time = Timekeeper(settings["ntp"], clock, self._wake.set)
        self._trouble = Trouble("network")
        self._in_a_row = 0
        self._last_well_ms = 0
        self._tls = None
        self._connected = None  # the client, while it can be used

    def poke(self) -> None:
        """There is something new in the outbox. May be called from an interrupt."""
        self._new = True
        self._wake.set()

    def announce(self) -> None:
        """The birth has something new to tell."""
        self._birth_due = True
        self._wake.set()

    async def say(self, channel: str, payload: bytes) -> bool:
        """Tell what is worth nothing later: kept nowhere, lost without a connection. Whether it went out."""
        if self._connected is None:
            return False
        try:
            await self._connected.publish(self._up + channel, payload, 0)
        except mqtt.Failed:  # the session ends with the same word
            return False
        return True

    async def run(self, beat=lambda: None) -> None:
        """Stay connected and send what there is, for ever.

        Args:
            beat: called at least every half a minute.
        """
        while True:
            await self._until_due(beat)
            self._pace.begin(self._clock.uptime_ms())
            try:
                await self._session(beat, lambda: False, _IDLE_MS)
            except _FAILURES as error:
                await self._failed(error)

    async def upload(self, timeout_ms: int) -> bool:
        """Connect once, send everything, part in good order; True when the gateway has receipted all of it."""
        ends_ms = self._clock.uptime_ms() + timeout_ms
        for fast in (True, False):
            left_ms = ends_ms - self._clock.uptime_ms()
            if left_ms <= 0:
                break
            try:
                await asyncio.wait_for_ms(
                    self._session(lambda: None, self._sent_all(ends_ms), _LOOK_MS, fast), left_ms + _LINGER_MS
                )
                break
            except asyncio.TimeoutError:
                self._trouble.set("no upload within %d ms" % timeout_ms)
            except _FAILURES as error:
                await self._failed(error)
                # Perhaps what was remembered from before the sleep is no longer so.
                self._wifi.forget()
                addresses.forget(self._broker["host"])
                await self._wifi.off()
        return self._outbox.depth() == (0, 0, 0)

    def _sent_all(self, ends_ms: int):
        linger_ms = []

        def ended() -> bool:
            now_ms = self._clock.uptime_ms()
            if not linger_ms:
                linger_ms.append(min(ends_ms, now_ms + _LINGER_MS))
            return now_ms >= ends_ms or (now_ms >= linger_ms[0] and self._outbox.depth() == (0, 0, 0))

        return ended

    # --- one connection ---

    async def _session(self, beat, ended, idle_ms: int, fast: bool = False) -> None:
        """From nothing to connected, until `ended()`, asked every `idle_ms`. Raises when there is none, or no longer."""
        await self._wifi.connect(beat, fast)
        beat()
        if fast:
            self._wifi.recall(self._broker["host"])
        if self._time.due():
            await self._time.ask(beat)  # before TLS: certificates have dates
        client = self._client()
        try:
            if not await client.connect():
                self._flight.disconnected(forgotten=True)
            await self._write_birth(client)
            beat()
            await client.subscribe([self._down + name for name in ("receipt", "config", "command")])
            self._connected = client
            self._came_online()
            await self._pump(client, beat, ended, idle_ms)
            self.online = False
        finally:
            self.counters["drops"] += int(self.online)
            self.online = False
            self._connected = None
            self._time.stop()
            await client.close()
            self.counters["oversize"] += client.oversize
            self._flight.disconnected()

    def _client(self):
        broker = self._broker
        if broker["tls"] and self._tls is None:
            from app import tls

            self._tls = tls.of(broker)
        client = mqtt.Client(
            broker["host"],
            broker["port"],
            self._name,
            broker["user"],
            broker["password"],
            broker["keepalive_s"],
            (self._up + "status", message.will(self._outbox.boot)),
            self._tls,
            broker["host"],
        )
        client.on_message = self._received
        client.on_ack = self._flight.acknowledged
        client.on_dead = self._wake.set
        return client

    def _came_online(self) -> None:
        self.online = True
        self.counters["connects"] += 1
        self._in_a_row = 0
        self._last_well_ms = self._clock.uptime_ms()
        self._trouble.set()
        self._wifi.keep(self._broker["host"])
        self.on_online()

    async def _write_birth(self, client) -> None:
        self._birth_due = False
        self._birth_ms = self._clock.uptime_ms()
        stamp = self._clock.stamp()
        self._born_with = stamp[2]
        payload = message.birth(self._outbox.boot, stamp, self._outbox.oldest(), self._status())
        await client.publish(self._up + "status", payload, 1, True)
        self.counters["births"] += 1

    async def _pump(self, client, beat, ended, idle_ms: int) -> None:
        begun_ms = self._clock.uptime_ms()
        while not ended():
            beat()
            if client.dead:
                raise mqtt.Failed(client.dead)
            if not self._wifi.connected():
                raise wifi.Failed("Wi-Fi is lost")
            now_ms = self._clock.uptime_ms()
            self._last_well_ms = now_ms
            if now_ms - begun_ms >= _WELL_MS:
                self._pace.well()
            if self._born_with == message.NONE and self._clock.source != message.NONE:
                # `time` and `up` of one birth mend the times of all that was measured before.
                self._birth_due = True
            if self._birth_due and now_ms - self._birth_ms >= _BIRTH_AGAIN_MS:
                await self._write_birth(client)
            self._time.tend()
            if not await self._send_some(client, beat):
                await self._wait(self._flight.next_ms(now_ms, idle_ms))

    async def _send_some(self, client, beat) -> int:
        """Send the next records; how many. Stops for whatever came into the outbox meanwhile: it may be an event."""
        self._new = False
        self._flight.expire(self._clock.uptime_ms())
        sent = 0
        for lane, boot, seq, payload in self._outbox.batch(_BATCH, self._flight.entries):
            if not self._flight.room(lane):
                break
            self._flight.add((boot, seq), lane, self._clock.uptime_ms())
            await client.enqueue(self._up + ("event" if lane == EVENT else "data"), payload, (boot, seq))
            sent += 1
            beat()
            if self._new:
                break
        self.counters["published"] += sent
        self.counters["resent"] = self._flight.resent
        return sent

    async def _wait(self, ms: int) -> None:
        try:
            await asyncio.wait_for_ms(self._wake.wait(), max(1, ms))
        except asyncio.TimeoutError:
            pass

    # --- what comes down ---

    def _received(self, topic: str, payload: bytes) -> None:
        if topic == self._down + "receipt":
            self._receipt(payload)
        elif topic == self._down + "config":
            offered = message.parse_config(payload)
            if offered is not None:
                self._on_config(*offered)
            elif payload:  # an empty one: somebody took the retained message away
                self._bad("bad_messages", topic, payload)
        elif topic == self._down + "command":
            command = message.parse_command(payload)
            if command is not None:
                self._on_command(command)
            else:
                self._bad("bad_messages", topic, payload)

    def _receipt(self, payload: bytes) -> None:
        receipt = message.parse_receipt(payload)
        if receipt is None:
            self._bad("bad_receipts", "receipt", payload)
            return
        boot, upto, events, rejected = receipt
        self.counters["receipts"] += 1
        freed = self._outbox.receipt(boot, upto, events, rejected)
        if self._flight.receipted(boot, upto, set(events + rejected)):
            self._pace.well()
        if upto < self._upto.get(boot, 0):
            log("warning", "receipt: upto of boot %d fell from %d to %d" % (boot, self._upto[boot], upto))
            self._flight.forgotten(boot)
            self._birth_due = True
        if boot not in self._upto and len(self._upto) >= _BOOTS:
            self._upto.clear()
        self._upto[boot] = upto
        self._wake.set()
        self._on_receipted(freed)

    def _bad(self, counter: str, what: str, payload: bytes) -> None:
        self.counters[counter] += 1
        log("warning", "%s makes no sense: %r" % (what, payload[:60]))

    # --- when it does not work ---

    async def _until_due(self, beat) -> None:
        """Wait before the next attempt; a new event cuts it short."""
        events = self._outbox.depth()[EVENT]
        while True:
            beat()
            left_ms = self._pace.left_ms(self._clock.uptime_ms())
            if left_ms <= 0:
                return
            await self._wait(min(left_ms, _NAP_MS))
            if self._new:
                self._new = False
                if self._outbox.depth()[EVENT] > events:
                    self._pace.hurry()

    async def _failed(self, error) -> None:
        reason = getattr(error, "reason", "") or "%s: %s" % (type(error).__name__, error)
        self._trouble.set(reason)
        self.counters["failures"] += 1
        self._in_a_row += 1
        if self._in_a_row > 1:
            addresses.forget(self._broker["host"])  # the broker may have moved
        if "ValueError" in reason and self._broker["tls"]:
            self._time.doubt()
        away_ms = self._clock.uptime_ms() - self._last_well_ms
        if self._give_up is not None and self._in_a_row > _REOPEN_EVERY and away_ms >= self._give_up_ms:
            self._last_well_ms = self._clock.uptime_ms()
            self._give_up("no network for %d s: %s" % (away_ms // 1000, reason))
        elif self._in_a_row % _REOPEN_EVERY == 0:
            await self._wifi.reopen()
