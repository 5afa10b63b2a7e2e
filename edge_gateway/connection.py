"""One MQTT 5 connection of the gateway: cuts bytes into packets, keeps the line alive, notices when it is dead.

What the packets mean is the session's business (`broker.py`); how long to wait before the next connection too.
"""

import asyncio
import logging
import ssl
import struct
from collections.abc import Sequence
from typing import Final, Protocol, cast

import mqtt5

from edge_gateway.errors import KanhuError, Misconfigured, Unavailable

# Woken at every packet we would get 2 messages a read, and wake-ups then cost more than parsing: look away this long after
# each read that brought messages. A lone message finds us looking.
GATHER_S: Final = 0.0015
LARGE_READ: Final = 64 * 1024  # more is waiting: read on at once
MAX_PACKET: Final = 1 << 20  # told to the broker too; the contract allows devices 64 KiB
UNACKNOWLEDGED_BYTES: Final = 32 << 20
SEND_WINDOW: Final = 1000  # own messages on the way at once, if the broker allows as many
PUBACK: Final = 0x4002_0000  # type, length 2, packet id; reason Success may be left out

# A tuple, because the codec's enums cannot be hashed (nor ordered: hence `.value` below).
_PERMANENT: Final = (
    mqtt5.ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
    mqtt5.ConnAckReasonCode.CLIENT_ID_NOT_VALID,
    mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD,
    mqtt5.ConnAckReasonCode.NOT_AUTHORIZED,
    mqtt5.ConnAckReasonCode.BANNED,
)
ONE_NAME_TWICE: Final = "are there two gateways with one name? stop one, or rename it"
log = logging.getLogger(__name__)


class ClosedInSilence(Unavailable):
    """The broker closed the line without a word."""


class Handler(Protocol):
    """What a connection tells its session, always in the event loop's thread."""

    def on_accepted(self, connack: mqtt5.ConnAckPacket) -> None: ...
    def on_messages(self, messages: list[mqtt5.PublishPacket]) -> None: ...
    def on_subscribed(self, packet: mqtt5.SubAckPacket) -> None: ...
    def on_confirmed(self, packet: mqtt5.PubAckPacket) -> None: ...
    def on_writable(self) -> None: ...
    def on_protocol_error(self) -> None: ...
    def on_ended(self) -> None: ...


class Connection(asyncio.Protocol):
    """From CONNECT to the last byte.

    Args:
        receive_maximum: messages the broker may have on the way to us. mosquitto 2.0.11 sends more than it was allowed:
            beyond this many unacknowledged ones we stop reading, since disconnecting would only bring them again.

    Attributes:
        ended: set once, to the reason: Misconfigured if only a person can mend it, else Unavailable.
        accepted: the broker took us in, and the connection has not ended.
        writable: the kernel takes our bytes.
        send_window, send_limit: own messages on the way at once, bytes of one packet; as the broker allows.
    """

    def __init__(self, handler: Handler, connect: bytes, keepalive_s: float, receive_maximum: int) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[KanhuError] = loop.create_future()
        self.accepted = False
        self.writable = True
        self.send_window = SEND_WINDOW
        self.send_limit = MAX_PACKET
        self.keepalive_s = keepalive_s
        self.accepted_at: float | None = None
        self._handler = handler
        self._connect = connect
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._partial = bytearray()
        self._need = 0  # bytes `_partial` must hold before a look at it is worth while
        self._holds: set[str] = set()  # reasons not to read
        self._mark = receive_maximum
        self._unacknowledged: dict[int, int] = {}  # packet id -> bytes
        self._unacknowledged_bytes = 0
        self._leaving = False
        self._heard_at = self._sent_at = self._pinged_at = loop.time()

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._heard_at = self._loop.time()
        self.write(self._connect)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(explain(exc) if exc is not None else ClosedInSilence("the broker closed the connection"))

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self._handler.on_writable()

    def data_received(self, data: bytes) -> None:
        if self.ended.done():
            return
        self._heard_at = self._loop.time()
        if not self._partial:
            self._take(data)
            return
        self._partial += data
        if len(self._partial) >= self._need:
            whole, self._partial = self._partial, bytearray()
            self._take(whole)

    # The session calls these.

    def write(self, packets: bytes) -> None:
        if self._transport is not None:
            self._sent_at = self._loop.time()
            self._transport.write(packets)

    def acknowledge(self, packet_ids: Sequence[int]) -> int:
        """PUBACK those of the ids that are waiting for one, in one write; how many they were."""
        waiting, answers = self._unacknowledged, []
        for packet_id in packet_ids:
            size = waiting.pop(packet_id, None)
            if size is not None:
                self._unacknowledged_bytes -= size
                answers.append(PUBACK + packet_id)
        if answers:
            self.write(struct.pack(f">{len(answers)}I", *answers))
        if len(waiting) <= self._mark // 2 and self._unacknowledged_bytes <= UNACKNOWLEDGED_BYTES // 2:
            self.release("unacknowledged")
        return len(answers)

    def hold(self, reason: str) -> None:
        """Stop reading until `release` has been called for every reason."""
        if not self._holds and self._transport is not None:
            self._transport.pause_reading()
        self._holds.add(reason)

    def release(self, reason: str) -> None:
        if reason in self._holds:
            self._holds.discard(reason)
            if not self._holds and self._transport is not None and not self.ended.done():
                self._transport.resume_reading()

    def watch(self) -> None:
        """Ping when it is time, and end a connection that is dead; call it several times in a keep-alive."""
        now = self._loop.time()
        if self._holds:
            self._heard_at = now  # we are not listening, so silence proves nothing
        if now - self._heard_at > self.keepalive_s:
            self.end(Unavailable(f"the broker has been silent for {self.keepalive_s:.0f} s: frozen, or the network is gone"))
        # Acknowledging keeps the broker content, but only a ping makes it speak: so both directions count.
        if now - max(min(self._sent_at, self._heard_at), self._pinged_at) >= self.keepalive_s / 2 and self.accepted:
            self._pinged_at = now
            self.write(mqtt5.PingReqPacket().write())

    def leave(self) -> None:
        """Send DISCONNECT and read on until the broker closes: closing with unread bytes would reset the connection."""
        self._leaving = True
        self.write(mqtt5.DisconnectPacket().write())
        for reason in tuple(self._holds):
            self.release(reason)

    def end(self, error: KanhuError) -> None:
        """Give up at once, without waiting for unsent bytes; only the first reason counts."""
        if self.ended.done():
            return
        self.accepted = False
        self.ended.set_result(error)
        if self._transport is not None:
            self._transport.abort()
        self._handler.on_ended()

    # Bytes to packets.

    def _take(self, data: bytes | bytearray) -> None:
        """Handle every whole packet of `data`; keep the beginning of the next one."""
        messages: list[mqtt5.PublishPacket] = []
        read, message, waiting = mqtt5.read, mqtt5.PublishPacket, self._unacknowledged  # looked up once: the hot loop
        view, offset, end = memoryview(data), 0, len(data)
        wrong: str | None = None
        while offset < end and not self.ended.done():
            try:
                packet, size = read(view[offset:])
            except IndexError:  # the codec's "not enough bytes", also inside a packet that is all here
                need = _packet_size(view[offset:])
                if need <= end - offset or need > MAX_PACKET:
                    wrong = f"a packet of {need} bytes that cannot be read"
                else:
                    self._partial, self._need = bytearray(view[offset:]), need
                break
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a topic that is not UTF-8 makes the codec panic, and a panic is no Exception
                wrong = f"{error} in {bytes(view[offset : offset + 16]).hex(' ')}"
                break
            qos_2 = view[offset] & 0x04
            offset += size
            if type(packet) is message and self.accepted and not qos_2:
                messages.append(packet)
                packet_id = packet.packet_id
                if packet_id is not None:
                    self._unacknowledged_bytes += size - waiting.get(packet_id, 0)
                    waiting[packet_id] = size
            elif (wrong := self._handle(packet)) is not None:
                break
        if messages and not self._leaving:
            self._hand_over(messages, len(data))
        if wrong is not None:
            self._handler.on_protocol_error()
            log.error("the broker broke the protocol: %s; connection closed", wrong)
            self.end(Unavailable(f"the broker broke the protocol: {wrong}"))

    def _hand_over(self, messages: list[mqtt5.PublishPacket], read_bytes: int) -> None:
        try:
            self._handler.on_messages(messages)
        except Exception as error:
            log.exception("the gateway failed on %d messages; connection dropped, they come again", len(messages))
            self.end(Unavailable(f"the gateway failed on messages: {error!r}"))
            return
        if len(self._unacknowledged) > self._mark or self._unacknowledged_bytes > UNACKNOWLEDGED_BYTES:
            self.hold("unacknowledged")
        if read_bytes < LARGE_READ:
            self.hold("gather")
            self._loop.call_later(GATHER_S, self.release, "gather")

    def _handle(self, packet: mqtt5.Packet) -> str | None:
        """Everything but messages; returns what is wrong with it."""
        match packet:
            case mqtt5.ConnAckPacket() if not self.accepted:
                self._take_connack(packet)
            case mqtt5.PubAckPacket() if self.accepted:
                self._handler.on_confirmed(packet)
            case mqtt5.SubAckPacket() if self.accepted:
                self._handler.on_subscribed(packet)
            case mqtt5.PingRespPacket() if self.accepted:
                pass
            case mqtt5.DisconnectPacket():
                self.end(_farewell(packet))
            case _:
                return f"{type(packet).__name__} is not for us here"
        return None

    def _take_connack(self, packet: mqtt5.ConnAckPacket) -> None:
        code = packet.reason_code
        if code.value >= 128:
            seen = f"the broker refused the connection: {code.name}" + (f" ({packet.reason_str})" if packet.reason_str else "")
            permanent = code in _PERMANENT
            self.end(Misconfigured(seen, "check user name, password file and client name") if permanent else Unavailable(seen))
            return
        self.accepted, self.accepted_at = True, self._loop.time()
        self.send_window = min(SEND_WINDOW, packet.receive_max)
        self.send_limit = min(MAX_PACKET, packet.max_packet_size or MAX_PACKET)
        self.keepalive_s = min(self.keepalive_s, packet.server_keep_alive or self.keepalive_s)
        self._handler.on_accepted(packet)


def _packet_size(view: memoryview) -> int:
    """Bytes of the packet that begins here, from its fixed header; while that is cut, one more byte than there is."""
    size = 0
    for place, byte in enumerate(view[1:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return 2 + place + size
    return len(view) + 1


def _farewell(packet: mqtt5.DisconnectPacket) -> KanhuError:
    """Why the broker sent us away."""
    if packet.reason_code == mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER:
        return Misconfigured("another client took over our name at the broker", ONE_NAME_TWICE)
    return Unavailable(f"the broker said goodbye: {packet.reason_code.name}")


def explain(error: Exception) -> KanhuError:
    """What an error of the network or of TLS means for the caller."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Misconfigured(f"the broker's certificate is not accepted: {error.verify_message}", "check tls_ca and host")
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return Misconfigured(f"the broker refused TLS: {error.reason}", "check tls_certificate and tls_key")
    if isinstance(error, TimeoutError):
        return Unavailable("no answer in time")
    if isinstance(error, ConnectionRefusedError):
        return Unavailable("nobody listens there; is the broker running?")
    return Unavailable(str(error) or repr(error))
