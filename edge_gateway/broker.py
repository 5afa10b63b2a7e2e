"""The gateway's MQTT 5 session: hands messages over, acknowledges only when told to, and comes back by itself.

Three rules: nothing is acknowledged before the pipeline says so; what was not acknowledged comes again after a reconnect;
memory stays bounded whatever the broker does.
"""

import asyncio
import contextlib
import logging
import random
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import mqtt5

from edge_gateway.connection import MAX_PACKET, ONE_NAME_TWICE, ClosedInSilence, Connection, explain
from edge_gateway.errors import KanhuError, Misconfigured, Unavailable
from edge_gateway.settings import Broker, secret

Incoming = mqtt5.PublishPacket

FIRST_RETRY_S: Final = 0.2
LONGEST_RETRY_S: Final = 5.0  # a fresh record has to pass 10 s after a fault ends, so never wait longer for a broker
# Wrong password, refused certificate, name taken over: only a person can mend it. Below 10 s all the same: a broker that was
# killed three times within seconds looks like a name taken over, and a fresh record still has to pass in time.
SLOW_RETRY_S: Final = 8.0
DROPPED_RETRY_S: Final = 1.0  # the broker is well, it was we who left: an SOS may be among what comes again
STABLE_S: Final = 30.0  # a connection that lived so long starts the back-off anew; more than SLOW_RETRY_S
# mosquitto 2.0 does not tell a client that another took over its name, it only closes; a broker that died is not there when
# we call again. So this many such ends in a row, each after a short life, are a tug of war.
SILENT_ENDS: Final = 3
CONNECT_S: Final = 5.0
QUEUE: Final = 20_000  # own messages (receipts, settings) waiting for the broker
SUBSCRIBE_ID: Final = 65_535  # own messages use 1..65534

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """Since the start of the process.

    Attributes:
        connects: connections the broker accepted.
        received: messages handed over, repeats included.  acknowledged: those we answered.
        published: own messages the broker confirmed.  publish_refused: it answered with an error.
        publish_dropped: own messages given up: the queue was full, or they are too large for the broker.
        subscribe_refused: topic filters the broker refused.
        protocol_errors: bytes or packets a broker must not send; each cost a connection.
    """

    connects: int = 0
    received: int = 0
    acknowledged: int = 0
    published: int = 0
    publish_refused: int = 0
    publish_dropped: int = 0
    subscribe_refused: int = 0
    protocol_errors: int = 0


@dataclass(slots=True)
class _Outgoing:
    topic: str
    payload: bytes
    retain: bool
    packet_id: int | None = None  # set once it was sent


class Session:
    """One client name at one broker, for as long as the process lives; everything runs in the event loop's thread.

    Args:
        settings: where the broker is; the password file is read again at each connect.
        client_id: names the broker's session, which outlives ours. A second gateway with this name takes it over.
        subscriptions: topic filters, subscribed with QoS 1 at each connect.
        on_messages: gets all messages of one read and the connection's generation. `packet_id` is None for QoS 0; `retain`
            is set only on copies the broker had kept from before the subscription. If it raises, the connection is dropped.
        on_state: gets `connected` or `away` and what is wrong, once per change, and again when only a person can mend it.
            Connected with nothing wrong is ""; with a text, the broker refused a subscription.

    Attributes:
        generation: counts the accepted connections; packet ids mean nothing outside theirs.
    """

    def __init__(
        self,
        settings: Broker,
        client_id: str,
        subscriptions: Sequence[str],
        on_messages: Callable[[list[Incoming], int], None],
        on_state: Callable[[str, str], None] | None = None,
    ) -> None:
        self.counters = Counters()
        self.generation = 0
        self._settings = settings
        self._client_id = client_id
        self._subscriptions = tuple(subscriptions)
        self._take_messages = on_messages
        self._take_state = on_state
        self._told = ("", "")
        self._stop = asyncio.Event()
        self._connection: Connection | None = None
        self._holds: set[str] = set()
        self._dropped = False
        self._queue: deque[_Outgoing] = deque()
        self._in_flight: dict[int, _Outgoing] = {}
        self._last_id = 0
        self._flush_due = False

    @property
    def connected(self) -> bool:
        """The broker has accepted us and the connection has not ended."""
        return self._connection is not None and self._connection.accepted

    async def run(self) -> None:
        """Connect, serve and reconnect until `close` or cancellation; no error of broker or network ends it."""
        attempt = silent_ends = 0
        while not self._stop.is_set():
            error, lived_s = await self._live()
            if self._stop.is_set():
                break
            silent_ends = silent_ends + 1 if isinstance(error, ClosedInSilence) and 0 < lived_s < STABLE_S else 0
            if silent_ends >= SILENT_ENDS:
                error = Misconfigured(f"the broker closed {silent_ends} connections without a word", ONE_NAME_TWICE)
            self._tell("away", error)
            attempt = 0 if lived_s > STABLE_S else min(attempt + 1, 10)
            longest_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2**attempt)
            if isinstance(error, Misconfigured):
                longest_s = SLOW_RETRY_S
            elif self._dropped:
                longest_s = DROPPED_RETRY_S
            self._dropped = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), longest_s * random.uniform(0.5, 1.0))

    async def _live(self) -> tuple[KanhuError, float]:
        """One connection, from its first to its last byte: why it ended, and for how many seconds it was accepted."""
        settings, loop = self._settings, asyncio.get_running_loop()
        connection: Connection | None = None
        try:
            connect = mqtt5.ConnectPacket(
                self._client_id,
                username=settings.username or None,
                password=secret(settings.password_file).encode() or None,
                clean_start=False,
                keep_alive=settings.keepalive_s,
                session_expiry_interval=settings.session_expiry_s,
                receive_max=settings.receive_maximum,
                max_packet_size=MAX_PACKET,
            )
            made = connection = Connection(self, connect.write(), settings.keepalive_s, settings.receive_maximum)
            self._connection = connection
            async with asyncio.timeout(CONNECT_S):
                await loop.create_connection(lambda: made, settings.host, settings.port, ssl=_tls(settings))
            while not connection.ended.done():
                await asyncio.wait([connection.ended], timeout=connection.keepalive_s / 8)
                connection.watch()
            lived_s = loop.time() - connection.accepted_at if connection.accepted_at is not None else 0.0
            return connection.ended.result(), lived_s
        except KanhuError as error:
            return error, 0.0
        except OSError as error:  # TimeoutError and everything of TLS too
            return explain(error), 0.0
        finally:
            if connection is not None:
                connection.end(Unavailable("the connection was given up"))
            self._connection = None

    def acknowledge(self, packet_ids: Sequence[int], generation: int) -> None:
        """Tell the broker, in one write, that it may forget these messages: call it after the commit that holds them.

        Ids of an earlier connection are ignored: the broker delivers those messages again, maybe under other ids.
        """
        if self._connection is not None and self._connection.accepted and generation == self.generation:
            self.counters.acknowledged += self._connection.acknowledge(packet_ids)

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Send with QoS 1 as soon as the broker allows; kept over reconnects, not over a restart of the process.

        When the queue is full the oldest message that is not retained goes: a device asks again for a lost receipt.
        """
        if len(self._queue) >= QUEUE:
            del self._queue[next((n for n, waiting in enumerate(self._queue) if not waiting.retain), 0)]
            self.counters.publish_dropped += 1
        self._queue.append(_Outgoing(topic, payload, retain))
        self.on_writable()

    def pause(self, why: str) -> None:
        """Stop reading until `resume` was called for each reason; holds over reconnects. What was read is still handed over."""
        self._holds.add(why)
        if self._connection is not None and self._connection.accepted:
            self._connection.hold(f"caller: {why}")

    def resume(self, why: str) -> None:
        """Read again after `pause(why)`, if nobody else has a reason."""
        self._holds.discard(why)
        if self._connection is not None:
            self._connection.release(f"caller: {why}")

    def drop(self, reason: str) -> None:
        """End the connection now; everything not acknowledged comes again after the reconnect."""
        if self._connection is not None:
            self._dropped = True
            self._connection.end(Unavailable(reason))

    async def close(self) -> None:
        """Send what is waiting, say goodbye and let `run` return; the broker keeps the session and collects messages for it."""
        self._stop.set()
        connection = self._connection
        if connection is not None:
            if connection.accepted:
                self._flush()
                connection.leave()
                await asyncio.wait([connection.ended], timeout=1.0)
            connection.end(Unavailable("the session was closed"))

    # The connection calls these.

    def on_accepted(self, connack: mqtt5.ConnAckPacket) -> None:
        """Subscribe each time: it is cheap, heals a lost session, and brings retained births that a full queue had dropped."""
        connection = self._connection
        assert connection is not None
        self.counters.connects += 1
        self.generation += 1
        if not connack.session_present:
            for message in self._queue:
                message.packet_id = None
        qos = mqtt5.QoS.AT_LEAST_ONCE
        filters = [mqtt5.TopicFilter(pattern, max_qos=qos, retain_as_published=False) for pattern in self._subscriptions]
        connection.write(mqtt5.SubscribePacket(SUBSCRIBE_ID, filters).write())
        for why in self._holds:
            connection.hold(f"caller: {why}")
        self._tell("connected", None)
        self._flush()

    def on_messages(self, messages: list[Incoming]) -> None:
        self.counters.received += len(messages)
        self._take_messages(messages, self.generation)

    def on_subscribed(self, packet: mqtt5.SubAckPacket) -> None:
        answers = zip(self._subscriptions, packet.reason_codes, strict=False)
        refused = [f"{pattern} ({code.name})" for pattern, code in answers if code.value >= 128]
        if refused:
            self.counters.subscribe_refused += len(refused)
            hint = f"let user {self._settings.username} read it in the broker's access rules"
            self._tell("connected", Misconfigured(f"the broker refused the subscription to {', '.join(refused)}", hint))

    def on_confirmed(self, packet: mqtt5.PubAckPacket) -> None:
        message = self._in_flight.pop(packet.packet_id, None)
        if message is not None and packet.reason_code.value < 128:
            self.counters.published += 1
        elif message is not None:
            self.counters.publish_refused += 1
            if self.counters.publish_refused == 1:
                log.error("broker refused %s: %s; check its access rules", message.topic, packet.reason_code.name)
        self.on_writable()

    def on_writable(self) -> None:
        """Many publishes of one turn of the event loop leave in one write."""
        if self._queue and not self._flush_due and self.connected:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def on_protocol_error(self) -> None:
        self.counters.protocol_errors += 1

    def on_ended(self) -> None:
        """What the broker has not confirmed goes back to the head of the queue, in its order."""
        self._queue.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()

    def _flush(self) -> None:
        self._flush_due = False
        connection = self._connection
        if connection is None or not connection.accepted or not connection.writable:
            return
        frames: list[bytes] = []
        while self._queue and len(self._in_flight) < connection.send_window:
            message = self._queue.popleft()
            packet_id = message.packet_id or self._free_id()
            frame = _frame(message, packet_id)
            if frame is None or len(frame) > connection.send_limit:
                self.counters.publish_dropped += 1
                log.error("%d bytes to %.200s: this broker cannot take that; dropped", len(message.payload), message.topic)
                continue
            message.packet_id = packet_id
            self._in_flight[packet_id] = message
            frames.append(frame)
        if frames:
            connection.write(b"".join(frames))

    def _free_id(self) -> int:
        # Messages that have an id from the connection before stand at the head of the queue, so they are in flight already.
        while True:
            self._last_id = self._last_id % (SUBSCRIBE_ID - 1) + 1
            if self._last_id not in self._in_flight:
                return self._last_id

    def _tell(self, state: str, error: KanhuError | None) -> None:
        """Log and report a change once; while away, again only when a person has to act on something new."""
        act = str(error) if isinstance(error, Misconfigured) else ""
        if (state, act) == self._told or (state == self._told[0] == "away" and not act):
            return
        self._told = (state, act)
        where = f"broker {self._settings.host}:{self._settings.port}"
        log.log(logging.ERROR if act else logging.WARNING if error else logging.INFO, "%s: %s %s", where, state, error or "")
        if self._take_state is not None:
            try:
                self._take_state(state, f"{where}: {error}" if error else "")
            except Exception:
                log.exception("a listener failed on %s", state)  # the session goes on


def _frame(message: _Outgoing, packet_id: int) -> bytes | None:
    """The bytes of one own message; None when MQTT has no way to say it."""
    try:
        return mqtt5.PublishPacket(
            message.topic,
            message.payload,
            qos=mqtt5.QoS.AT_LEAST_ONCE,
            retain=message.retain,
            packet_id=packet_id,
            duplicate=message.packet_id is not None,
        ).write()
    except (ValueError, OverflowError):
        return None


def _tls(settings: Broker) -> ssl.SSLContext | None:
    """A context that trusts our own authority only and checks the broker's name; None for a plain connection.

    Raises:
        Misconfigured: a file is missing or damaged, or a client certificate is set without an authority to check the broker.
    """
    if settings.tls_ca is None:
        if settings.tls_certificate is not None or settings.tls_key is not None:
            raise Misconfigured(
                "tls_certificate is set, tls_ca is not", "name the authority that signed the broker's certificate"
            )
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(settings.tls_ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.tls_certificate is not None:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key, password="")
    except OSError as error:
        raise Misconfigured(
            f"cannot use the TLS files: {error}", "tls_ca, tls_certificate and tls_key are PEM files"
        ) from error
    return context
