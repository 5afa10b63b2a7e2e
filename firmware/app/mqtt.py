"""A small MQTT 3.1.1 client for one connection: persistent session, pipelined QoS 1, every wait with an end.

One connection, one `Client`: when it is `dead` (and says why), a new one is made. Who must not lose anything keeps it until the
gateway's receipt: PUBACK only says that the broker has it.

Two tasks serve a connection. The reader is never timed out, since a read that is cancelled within a packet tears the stream;
the timer owns all deadlines. A write that fails or is cancelled half-way tears it as well: the client is dead from then on.
"""

import asyncio
import gc
import time

from app import addresses
from app import mqtt_packets as packets
from app.log import log

# What a connection may die of: TLS raises ValueError, a short packet IndexError, a full heap MemoryError.
_ERRORS = (OSError, EOFError, ValueError, IndexError, MemoryError)
_SKIPPED_AT_ONCE = 256
_LONGEST_TOPIC = 256


class Failed(OSError):
    """No connection, or no longer; a new one may succeed later. `reason` is one line for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


def _why(error) -> str:
    return "%s %s" % (type(error).__name__, error)


class Client:
    """
    Args:
        user: "" for none.  will: (topic, payload), retained.
        tls: an SSLContext of `app.tls`, None for plain.  server_hostname: what its certificate must name.
        clean: False keeps the session (subscriptions, what was not yet delivered) at the broker.
        window: publishes without PUBACK at a time.
        timeout_ms: longest wait for connecting, for a write and for any answer.
        largest: bytes of an incoming packet; a larger one is acknowledged, dropped and counted.
    Attributes:
        on_message: function(topic: str, payload: bytes), called before the broker gets its PUBACK.
        on_ack: function(token), for `enqueue`.  on_dead: function() once, when the connection has ended.
        dead: why it ended, "" while it lives.
        oversize: packets dropped.
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_id: str,
        user: str = "",
        password: str = "",
        keepalive_s: int = 30,
        will=None,
        tls=None,
        server_hostname: str = "",
        clean: bool = False,
        window: int = 8,
        timeout_ms: int = 10000,
        largest: int = 17408,  # settings may have 16 KiB
    ) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._server_hostname = server_hostname or host
        self._hello = packets.connect(client_id, user, password, keepalive_s, will, clean)
        self._ping_after_ms = keepalive_s * 500
        self._window = window
        self._timeout_ms = timeout_ms
        self._largest = largest
        self.on_message = lambda topic, payload: None
        self.on_ack = lambda token: None
        self.on_dead = lambda: None
        self.dead = ""
        self.oversize = 0
        self._stream = self._writer = _Closed()
        self._tasks = []
        self._lock = asyncio.Lock()
        self._writing = False
        self._room = asyncio.Event()
        self._present = False  # what CONNACK said of the session
        self._answered = asyncio.Event()
        self._in_flight = {}  # pid -> (ticks, token)
        self._waiting = {}  # pid -> [Event, return codes] of SUBSCRIBE
        self._pid = 0
        self._sent = self._received = self._pinged = time.ticks_ms()
        self._ping = False  # one is not yet answered

    async def connect(self) -> bool:
        """Connect; True when the broker still had our session. Only once for each client.

        Raises:
            Failed: with the reason; nothing is left open.
        """
        try:
            self._stream, self._writer = await asyncio.wait_for_ms(self._open(), self._timeout_ms)
        except asyncio.TimeoutError:
            raise self._fail("no connection to %s:%d within %d ms" % (self._host, self._port, self._timeout_ms))
        except _ERRORS as error:
            raise self._fail("no connection to %s:%d: %s" % (self._host, self._port, _why(error)))
        except asyncio.CancelledError:
            self._fail("cancelled")
            raise
        self._received = time.ticks_ms()
        await self._send(self._hello)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._watch())]
        try:
            await asyncio.wait_for_ms(self._answered.wait(), self._timeout_ms)
        except asyncio.TimeoutError:
            raise self._fail("no CONNACK within %d ms" % self._timeout_ms)
        except asyncio.CancelledError:
            self._fail("cancelled")
            raise
        if self.dead:
            raise Failed(self.dead)
        return self._present

    async def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Publish; with QoS 1 return after PUBACK.

        Raises:
            Failed: the connection ended; the broker may have it or not.
        """
        if not qos:
            await self._send(packets.publish(topic, payload, 0, retain))
            return
        ack = _Ack()
        pid = await self.enqueue(topic, payload, ack, retain)
        try:
            await ack.event.wait()
        finally:
            # A PUBACK that comes after somebody lost patience is one of an unknown packet.
            self._in_flight.pop(pid, None)
            self._room.set()
        if not ack.done:
            raise Failed(self.dead)

    async def enqueue(self, topic: str, payload: bytes, token, retain: bool = False) -> int:
        """Publish with QoS 1; return its packet id once it is written. `on_ack(token)` is called on its PUBACK.

        Waits while the window is full.

        Raises:
            Failed: as `publish`.
        """
        while len(self._in_flight) >= self._window and not self.dead:
            self._room.clear()
            await self._room.wait()
        pid = self._next_pid()
        packet = packets.publish(topic, payload, pid, retain)
        # The answer's time begins when the packet is written; until then the write has its own.
        self._in_flight[pid] = (time.ticks_add(time.ticks_ms(), 2 * self._timeout_ms), token)
        try:
            await self._send(packet)
        except BaseException:
            self._in_flight.pop(pid, None)
            raise
        if pid in self._in_flight:
            self._in_flight[pid] = (time.ticks_ms(), token)
        return pid

    async def subscribe(self, topics) -> None:
        """Subscribe to these filters, QoS 1.

        Raises:
            Failed: the connection ended, or the broker refuses one of them (then the connection stays).
        """
        ack = _Ack()
        pid = self._next_pid()
        self._waiting[pid] = (time.ticks_ms(), ack)
        try:
            await self._send(packets.subscribe(pid, topics))
            await ack.event.wait()
        finally:
            self._waiting.pop(pid, None)
        if not ack.done:
            raise Failed(self.dead)
        refused = [topics[i] for i in range(len(topics)) if i >= len(ack.codes) or ack.codes[i] > 1]
        if refused:
            raise Failed("not allowed to read " + ", ".join(refused))

    async def close(self) -> None:
        """Say good-bye, so that the broker does not publish the will, and close. Never raises."""
        try:
            await self._send(packets.DISCONNECT)
        except Failed:
            pass
        self._fail("closed")

    # --- writing ---

    async def _send(self, packet: bytes) -> None:
        """Write one packet in one piece: several small writes cost 44 ms each, by Nagle and the delayed ACK."""
        async with self._lock:
            if self.dead:
                raise Failed(self.dead)
            self._writing = True
            try:
                self._writer.write(packet)
                # Only where the interpreter tells that all has gone the waiting can be left out.
                if getattr(self._writer, "out_buf", True):
                    await asyncio.wait_for_ms(self._writer.drain(), self._timeout_ms)
                self._writing = False
            except asyncio.TimeoutError:
                raise self._fail("a write took more than %d ms" % self._timeout_ms)
            except _ERRORS as error:
                raise self._fail("write: " + _why(error))
            finally:
                torn, self._writing = self._writing, False
                if torn:  # cancelled: half a packet may be on its way
                    self._fail("a write was cut short")
                if self.dead:
                    self._close_stream()
            self._sent = time.ticks_ms()
        # A loop that publishes must not keep the reader from its turn.
        await asyncio.sleep(0)

    def _next_pid(self) -> int:
        while True:
            self._pid = self._pid % 65535 + 1
            if self._pid not in self._in_flight and self._pid not in self._waiting:
                return self._pid

    # --- reading ---

    async def _read(self) -> None:
        try:
            while not self.dead:
                await self._read_packet()
        except _ERRORS as error:
            self._fail("read: " + _why(error))

    async def _read_packet(self) -> None:
        first = (await self._exactly(1))[0]
        size = shift = 0
        while True:
            byte = (await self._exactly(1))[0]
            size |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
            shift += 7
            if shift > 21:
                raise ValueError("a length of more than four bytes")
        kind = first >> 4
        if size > self._largest:
            await self._skip(kind, first & 15, size)
            return
        body = await self._exactly(size) if size else b""
        if not self._answered.is_set():
            if kind != packets.CONNACK:
                raise ValueError("packet type %d before CONNACK" % kind)
            self._present, code = bool(body[0] & 1), body[1]
            if code:  # at once, before the closing by the broker becomes the reason
                self._fail("refused: " + packets.REFUSED.get(code, "code %d" % code))
            self._answered.set()
        elif kind == packets.PUBLISH:
            await self._incoming(first & 15, body)
        elif kind == packets.PUBACK:
            found = self._in_flight.pop(packets.parse_pid(body), None)  # None: a late one
            if found is not None:
                self._room.set()
                self._settle(found[1])
        elif kind == packets.SUBACK:
            found = self._waiting.get(packets.parse_pid(body))
            if found is not None:
                found[1].codes = body[2:]
                self._settle(found[1])
        elif kind == packets.PINGRESP:
            self._ping = False
        else:
            raise ValueError("packet type %d" % kind)

    def _settle(self, token) -> None:
        if isinstance(token, _Ack):
            token.done = True
            token.event.set()
        else:
            self.on_ack(token)

    async def _incoming(self, flags: int, body: bytes) -> None:
        topic, pid, payload = packets.parse_publish(flags, body)
        try:
            try:
                self.on_message(topic, payload)
            except MemoryError:
                gc.collect()
                self.on_message(topic, payload)
        except Exception as error:
            # Without a PUBACK it would come again with every connection, and end each of them.
            log("error", "message on %s: %s" % (topic, _why(error)))
        if pid:
            await self._send(packets.puback(pid))

    async def _skip(self, kind: int, flags: int, size: int) -> None:
        """Read and drop a packet that is too large; as a retained one comes at every subscribing, it must not end anything."""
        if kind != packets.PUBLISH:
            raise ValueError("packet type %d with %d bytes" % (kind, size))
        topic_length = int.from_bytes(await self._exactly(2), "big")
        if topic_length > _LONGEST_TOPIC or topic_length + 4 > size:
            raise ValueError("PUBLISH with a topic of %d bytes" % topic_length)
        head = await self._exactly(topic_length + 2)
        size -= topic_length + 4
        while size:
            size -= len(await self._exactly(min(size, _SKIPPED_AT_ONCE)))
        self.oversize += 1
        log("warning", "a message on %s is too large, dropped" % head[:topic_length].decode())
        if flags & 6:
            await self._send(packets.puback(int.from_bytes(head[topic_length:], "big")))

    async def _exactly(self, n: int) -> bytes:
        whole = b""
        while len(whole) < n:
            part = await self._stream.read(n - len(whole))
            if not part:
                raise EOFError("closed by the broker")
            self._received = time.ticks_ms()
            whole = whole + part if whole else part
        return whole

    # --- deadlines ---

    async def _watch(self) -> None:
        """PINGREQ by the time since the last packet *sent* (the broker counts nothing else), and the end of every wait."""
        while not self.dead:
            now = time.ticks_ms()
            waits = [entry[0] for entry in self._in_flight.values()] + [entry[0] for entry in self._waiting.values()]
            for since in waits:
                if time.ticks_diff(now, since) >= self._timeout_ms:
                    self._fail("no answer within %d ms" % self._timeout_ms)
                    return
            if self._ping:
                # A packet that comes slowly keeps PINGRESP waiting: as long as anything comes, the broker lives.
                heard = self._received if time.ticks_diff(self._received, self._pinged) > 0 else self._pinged
                if time.ticks_diff(now, heard) >= self._timeout_ms:
                    self._fail("no PINGRESP within %d ms" % self._timeout_ms)
                    return
            silent_ms = time.ticks_diff(now, self._sent)
            if silent_ms >= self._ping_after_ms:
                if not self._ping:
                    self._ping, self._pinged = True, now
                try:
                    await self._send(packets.PINGREQ)
                except Failed:
                    return
                silent_ms = 0
            await asyncio.sleep_ms(max(1, min(self._ping_after_ms - silent_ms, self._timeout_ms // 2)))

    # --- the end ---

    def _fail(self, reason: str) -> Failed:
        """The connection ends here, for the first reason given: who waits is woken, nothing is left open."""
        if not self.dead:
            self.dead = reason
            for task in self._tasks:
                if task is not asyncio.current_task():
                    task.cancel()
            for _, token in list(self._in_flight.values()) + list(self._waiting.values()):
                if isinstance(token, _Ack):
                    token.event.set()
            self._in_flight.clear()
            self._room.set()
            self._answered.set()
            if not self._writing:  # else who writes closes it, when the write has ended
                self._close_stream()
            self.on_dead()
        return Failed(self.dead)

    def _close_stream(self) -> None:
        stream, self._writer = self._writer, _Closed()
        if isinstance(stream, _Closed):
            # A connection given up half-way is closed by the collector; a device has sixteen sockets in all.
            gc.collect()
            return
        try:
            stream.close()  # CPython's; MicroPython closes the socket itself
            if hasattr(stream, "s"):
                stream.s.close()
        except (OSError, ValueError):
            pass

    async def _open(self):
        # By address, since a look-up within open_connection stops everything.
        address = addresses.resolve(self._host)
        if self._tls is None:
            return await asyncio.open_connection(address, self._port)
        return await asyncio.open_connection(address, self._port, ssl=self._tls, server_hostname=self._server_hostname)


class _Closed:
    """In the place of a stream that is not open."""

    async def read(self, n: int) -> bytes:
        return b""

    def write(self, data: bytes) -> None:
        raise EOFError("not open")

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Ack:
    """Somebody who waits for an answer."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.done = False
        self.codes = b""
