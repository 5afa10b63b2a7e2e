"""The MQTT client against a broker of which every byte is under our hand."""

import asyncio

from app import mqtt
from scaffold import run

CONNACK = b"\x20\x02\x00\x00"


class Wire:
    """Both directions of a connection. What the broker says is `say`; an exception among it is raised by the reading."""

    def __init__(self, *said):
        self.said = list(said)
        self.written = []
        self.more = asyncio.Event()
        self.closed = False
        self.out_buf = b""
        self.blocked = False

    def say(self, *parts):
        self.said += parts
        self.more.set()

    async def read(self, n):
        while not self.said:
            self.more.clear()
            await self.more.wait()
        part = self.said.pop(0)
        if isinstance(part, Exception):
            raise part
        if len(part) > n:
            self.said.insert(0, part[n:])
        return part[:n]

    def write(self, data):
        if isinstance(self.blocked, Exception):
            raise self.blocked
        if self.blocked:
            self.out_buf = bytes(data)
        self.written.append(bytes(data))

    async def drain(self):
        while self.out_buf:
            await asyncio.sleep(0.005)

    def close(self):
        self.closed = True


class Client(mqtt.Client):
    def __init__(self, wire, **settings):
        settings.setdefault("timeout_ms", 100)
        super().__init__("broker", 1883, "d1", **settings)
        self.wire = wire

    async def _open(self):
        return self.wire, self.wire


def connected(test, *said, **settings):
    """Run `test(client, wire)` on a connection."""

    async def main():
        wire = Wire(CONNACK, *said)
        client = Client(wire, **settings)
        await client.connect()
        del wire.written[:]
        try:
            return await test(client, wire)
        finally:
            await client.close()

    return run(main())


async def failure(coroutine):
    """The reason for which it fails."""
    try:
        await coroutine
    except mqtt.Failed as error:
        return error.reason
    raise AssertionError("it did not fail")


async def until(condition):
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("in vain")


def test_a_session_that_is_present_is_information_and_no_error():
    async def main():
        client = Client(Wire(b"\x20\x02\x01\x00"))
        assert await client.connect() is True
        await client.close()
        client = Client(Wire(CONNACK))
        assert await client.connect() is False
        await client.close()

    run(main())


def test_a_refusal_says_why_and_leaves_nothing_open():
    async def main():
        wire = Wire(b"\x20\x02\x00\x05")
        client = Client(wire)
        assert await failure(client.connect()) == "refused: not authorised"
        assert wire.closed and client.dead

    run(main())


def test_no_answer_to_connect_is_a_failure_in_time():
    async def main():
        wire = Wire()
        assert "no CONNACK within 100 ms" in await failure(Client(wire).connect())
        assert wire.closed

    run(main())


def test_each_packet_is_one_write():
    async def test(client, wire):
        wire.say(b"\x40\x02\x00\x01")
        await client.publish("a/b", b"payload")
        assert wire.written == [b"\x32\x0e\x00\x03a/b\x00\x01payload"]

    connected(test)


def test_publish_returns_after_its_own_puback_only():
    async def test(client, wire):
        first = asyncio.create_task(client.publish("a", b"1"))
        second = asyncio.create_task(client.publish("a", b"2"))
        await until(lambda: len(wire.written) == 2)
        wire.say(b"\x40\x02\x00\x02")
        await second
        assert not first.done()
        wire.say(b"\x40\x02\x00\x01")
        await first

    connected(test)


def test_no_more_than_the_window_is_on_its_way():
    async def test(client, wire):
        tasks = [asyncio.create_task(client.publish("a", b"%d" % i)) for i in range(10)]
        await until(lambda: len(wire.written) == 4)
        await asyncio.sleep(0.02)
        assert len(wire.written) == 4
        for pid in range(1, 11):
            await until(lambda pid=pid: len(wire.written) >= pid)
            wire.say(b"\x40\x02\x00" + bytes((pid,)))
        for task in tasks:
            await task
        assert [packet[-1:] for packet in wire.written] == [b"%d" % i for i in range(10)]

    connected(test, window=4, timeout_ms=2000)


def test_a_puback_that_nobody_waits_for_is_passed_over():
    async def test(client, wire):
        wire.say(b"\x40\x02\x12\x34", b"\x40\x02\x00\x01")
        await client.publish("a", b"")

    connected(test)


def test_packet_ids_wrap_and_skip_those_on_their_way():
    async def test(client, wire):
        client._pid = 65533
        client._in_flight = {65535: (0, None), 1: (0, None)}
        assert [client._next_pid() for _ in range(3)] == [65534, 2, 3]
        client._in_flight = {}

    connected(test)


def test_a_publish_without_puback_fails_in_time_and_ends_the_connection():
    async def test(client, wire):
        dead = []
        client.on_dead = lambda: dead.append(client.dead)
        assert "no answer within 100 ms" in await failure(client.publish("a", b""))
        assert dead == ["no answer within 100 ms"] and wire.closed
        assert "no answer" in await failure(client.publish("a", b""))

    connected(test)


def test_who_waits_for_the_window_learns_that_the_connection_ended():
    async def test(client, wire):
        waiting = [asyncio.create_task(failure(client.publish("a", b""))) for _ in range(3)]
        for task in waiting:
            assert "no answer" in await task

    connected(test, window=1)


def test_whatever_the_reading_dies_of_is_heard_of():
    for end in (OSError(-30592), ValueError("certificate"), MemoryError(), IndexError(), EOFError()):

        async def test(client, wire, end=end):
            waiting = asyncio.create_task(failure(client.publish("a", b"")))
            await until(lambda: wire.written)
            wire.say(end)
            assert type(end).__name__ in await waiting
            assert client.dead and wire.closed

        connected(test, timeout_ms=5000)


def test_nonsense_from_the_broker_ends_the_connection():
    for nonsense in (
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x40\x01\x00",  # a PUBACK cut short
        b"\x36\x05\x00\x01a\x00\x01",  # QoS 3
        b"\xf0\x00",
        b"\x32\x02\x00\x09",  # a topic longer than the packet
        b"\x30\x05\x00\x02\xff\xfex",  # a topic that is no UTF-8
        b"",
    ):

        async def test(client, wire, nonsense=nonsense):
            wire.say(nonsense)
            await until(lambda: client.dead)

        connected(test)


def test_messages_are_acknowledged_after_they_were_taken():
    async def test(client, wire):
        taken = []
        client.on_message = lambda topic, payload: taken.append((topic, payload, len(wire.written)))
        wire.say(b"\x32\x08\x00\x01a\x00\x07one", b"\x30\x06\x00\x01bt", b"wo")  # the second in two pieces, QoS 0
        await until(lambda: len(taken) == 2)
        assert taken == [("a", b"one", 0), ("b", b"two", 1)]
        assert wire.written == [b"\x40\x02\x00\x07"]

    connected(test)


def test_a_message_on_which_its_reader_fails_is_acknowledged_and_ends_nothing():
    async def test(client, wire):
        def fail(topic, payload):
            raise RuntimeError("oops")

        client.on_message = fail
        wire.say(b"\x32\x08\x00\x01a\x00\x07one")
        await until(lambda: wire.written == [b"\x40\x02\x00\x07"])
        assert not client.dead

    connected(test)


def test_a_message_that_is_too_large_is_dropped_acknowledged_and_counted():
    async def test(client, wire):
        taken = []
        client.on_message = lambda topic, payload: taken.append(payload)
        # 1000 bytes: topic "a", packet id 9
        wire.say(b"\x32\xe8\x07\x00\x01a\x00\x09", b"x" * 700, b"x" * 295, b"\x32\x08\x00\x01a\x00\x0aone")
        await until(lambda: taken)
        assert taken == [b"one"] and client.oversize == 1
        assert wire.written == [b"\x40\x02\x00\x09", b"\x40\x02\x00\x0a"]

    connected(test, largest=100)


def test_a_write_that_is_cancelled_ends_the_connection():
    async def test(client, wire):
        wire.blocked = True
        writing = asyncio.create_task(client.publish("a", b"half of this"))
        await until(lambda: wire.out_buf)
        writing.cancel()
        try:
            await writing
        except asyncio.CancelledError:
            pass
        assert client.dead == "a write was cut short" and wire.closed
        assert await failure(client.publish("a", b"")) == "a write was cut short"

    connected(test, timeout_ms=5000)


def test_a_write_that_nobody_takes_ends_in_time():
    async def test(client, wire):
        wire.blocked = True
        assert "a write took more than 100 ms" in await failure(client.publish("a", b""))
        assert wire.closed

    connected(test)


def test_a_write_that_fails_ends_the_connection():
    async def test(client, wire):
        wire.blocked = ValueError("TLS")
        assert "write: ValueError TLS" in await failure(client.publish("a", b""))
        assert wire.closed

    connected(test)


def test_who_gives_up_waiting_tears_nothing():
    async def test(client, wire):
        waiting = asyncio.create_task(client.publish("a", b"1"))
        await until(lambda: wire.written)
        waiting.cancel()
        await asyncio.sleep(0.01)
        assert not client.dead
        wire.say(b"\x40\x02\x00\x01", b"\x40\x02\x00\x02")  # the first comes late
        await client.publish("a", b"2")

    connected(test, timeout_ms=5000)


def test_subscribing_waits_for_the_answer_and_names_what_is_refused():
    async def test(client, wire):
        wire.say(b"\x90\x04\x00\x01\x01\x01")
        await client.subscribe(["a", "b"])
        wire.say(b"\x90\x04\x00\x02\x01\x80")
        assert await failure(client.subscribe(["a", "b"])) == "not allowed to read b"
        assert not client.dead
        assert "no answer" in await failure(client.subscribe(["a"]))

    connected(test)


def test_pings_go_out_by_the_time_since_the_last_packet_sent():
    async def test(client, wire):
        for _ in range(80):  # 0.8 s of steady traffic towards us
            wire.say(b"\x30\x04\x00\x01ax")
            if b"\xc0\x00" in wire.written:
                wire.written.remove(b"\xc0\x00")
                wire.say(b"\xd0\x00")
                return
            await asyncio.sleep(0.01)
        raise AssertionError("no PINGREQ")

    connected(test, keepalive_s=1, timeout_ms=2000)


def test_a_ping_without_answer_ends_the_connection():
    async def test(client, wire):
        await until(lambda: client.dead)
        assert client.dead == "no PINGRESP within 100 ms"

    connected(test, keepalive_s=1)


def test_closing_says_good_bye():
    async def test(client, wire):
        await client.close()
        assert wire.written == [b"\xe0\x00"] and wire.closed and client.dead == "closed"
        await client.close()
        assert wire.written == [b"\xe0\x00"]

    connected(test)
