"""The connection without a network: packets arrive in any pieces, and a broker may send anything."""

import asyncio
from collections.abc import Sequence
from typing import cast

import mqtt5
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge_gateway import connection
from edge_gateway.connection import Connection
from edge_gateway.errors import Misconfigured

ONCE = mqtt5.QoS.AT_LEAST_ONCE
# The codec answers a topic that is not UTF-8 with a panic, of which a second trace goes to the interpreter's hook.
CODEC_PANICS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
CONNACK = mqtt5.ConnAckPacket(receive_max=20).write()


class Wire(asyncio.Transport):
    """Remembers each write; reading can be stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.reading = True
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.aborted = True


class Seen:
    """A session that only remembers."""

    def __init__(self) -> None:
        self.messages: list[mqtt5.PublishPacket] = []
        self.reads = 0
        self.accepted = self.ended = self.errors = 0
        self.others: list[mqtt5.Packet] = []

    def on_accepted(self, connack: mqtt5.ConnAckPacket) -> None:
        self.accepted += 1

    def on_messages(self, messages: list[mqtt5.PublishPacket]) -> None:
        self.reads += 1
        self.messages += messages

    def on_subscribed(self, packet: mqtt5.SubAckPacket) -> None:
        self.others.append(packet)

    def on_confirmed(self, packet: mqtt5.PubAckPacket) -> None:
        self.others.append(packet)

    def on_writable(self) -> None: ...

    def on_protocol_error(self) -> None:
        self.errors += 1

    def on_ended(self) -> None:
        self.ended += 1


def made(receive_maximum: int = 100) -> tuple[Connection, Seen, Wire]:
    seen, wire = Seen(), Wire()
    made = Connection(seen, b"connect", 15.0, receive_maximum)
    made.connection_made(wire)
    return made, seen, wire


def message(packet_id: int | None, payload: bytes = b"x", topic: str = "t") -> bytes:
    qos = ONCE if packet_id else mqtt5.QoS.AT_MOST_ONCE
    return mqtt5.PublishPacket(topic, payload, qos=qos, packet_id=packet_id).write()


payloads = st.binary(max_size=40) | st.integers(100, 40_000).map(lambda n: b"p" * n)


@given(st.lists(payloads, max_size=12), st.lists(st.integers(1, 9000), max_size=40), st.booleans())
@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_messages_are_the_same_however_the_bytes_are_cut(bodies: list[bytes], cuts: list[int], one_by_one: bool) -> None:
    async def play() -> None:
        line, seen, _wire = made()
        sent = CONNACK + b"".join(message(n or None, body) for n, body in enumerate(bodies)) + mqtt5.PingRespPacket().write()
        sizes = [1] * min(len(sent), 2000) if one_by_one else cuts
        offset = 0
        for size in [*sizes, len(sent)]:
            if sent[offset : offset + size]:
                line.data_received(sent[offset : offset + size])
            offset += size
        assert [m.payload for m in seen.messages] == bodies
        assert [m.packet_id for m in seen.messages] == [n or None for n in range(len(bodies))]
        assert (seen.accepted, seen.errors, seen.ended) == (1, 0, 0)

    asyncio.run(play())


@CODEC_PANICS
@given(st.binary(max_size=300), st.booleans())
@hypothesis_settings(max_examples=200, deadline=None)
def test_no_bytes_can_raise_out_of_the_connection(noise: bytes, accepted: bool) -> None:
    async def play() -> None:
        line, _seen, _wire = made()
        if accepted:
            line.data_received(CONNACK)
        for byte in noise:
            line.data_received(bytes([byte]))

    asyncio.run(play())


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(b"\x00\x00", id="reserved type"),
        pytest.param(b"\x30\xff\xff\xff\xff\x01", id="length of five bytes"),
        pytest.param(b"\x30\xff\xff\xff\x7f", id="256 MB announced"),
        pytest.param(b"\x30\x03\x00\x01\xff\x00", id="topic is not UTF-8", marks=CODEC_PANICS),
        pytest.param(b"\x30\x04\x00\x09ab", id="topic longer than its packet"),
        pytest.param(b"\x36\x05\x00\x01a\x00\x05\x00", id="QoS 3"),
        pytest.param(message(7).replace(b"\x32", b"\x34", 1), id="QoS 2, never asked for"),
        pytest.param(CONNACK, id="second CONNACK"),
        pytest.param(mqtt5.PubRelPacket(5).write(), id="PUBREL"),
        pytest.param(mqtt5.ConnectPacket("x").write(), id="CONNECT"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n" + b"Server: none\r\n" * 9, id="not MQTT at all"),
    ],
)
async def test_what_a_broker_must_not_send_costs_it_the_connection_and_is_counted(wrong: bytes) -> None:
    line, seen, wire = made()
    line.data_received(CONNACK)
    line.data_received(message(1) + wrong + message(2))
    assert [m.packet_id for m in seen.messages] == [1]  # what came before it is handed over
    assert line.ended.done()
    assert wire.aborted
    assert (seen.errors, seen.ended) == (1, 1)
    line.data_received(message(3))
    assert len(seen.messages) == 1


async def test_a_message_before_the_broker_took_us_in_is_refused() -> None:
    line, seen, _wire = made()
    line.data_received(message(1))
    assert seen.errors == 1
    assert not seen.messages


async def test_two_thousand_acknowledgements_are_one_write_of_four_bytes_each() -> None:
    line, seen, wire = made(receive_maximum=5000)
    line.data_received(CONNACK)
    line.data_received(b"".join(message(n) for n in range(1, 2001)))
    before = len(wire.writes)
    assert line.acknowledge([m.packet_id or 0 for m in seen.messages]) == 2000
    assert len(wire.writes) == before + 1
    view, answered = memoryview(wire.writes[-1]), []
    for offset in range(0, len(view), 4):
        packet, size = mqtt5.read(view[offset:])
        assert size == 4
        answered.append(cast(mqtt5.PubAckPacket, packet).packet_id)
    assert answered == list(range(1, 2001))


async def test_nothing_is_acknowledged_twice_or_without_having_been_received() -> None:
    line, _seen, wire = made()
    line.data_received(CONNACK + message(5))
    before = len(wire.writes)
    assert line.acknowledge([5, 5, 6]) == 1
    assert line.acknowledge([5]) == 0
    assert wire.writes[before:] == [b"\x40\x02\x00\x05"]


async def settle(wire: Wire) -> None:
    await asyncio.sleep(connection.GATHER_S * 4)


async def test_a_broker_that_ignores_the_receive_maximum_is_read_no_further() -> None:
    line, _seen, wire = made(receive_maximum=100)
    line.data_received(CONNACK)
    line.data_received(b"".join(message(n) for n in range(1, 101)))
    await settle(wire)
    assert wire.reading  # exactly what was allowed
    line.data_received(message(101))
    await settle(wire)
    assert not wire.reading
    line.acknowledge(range(1, 40))
    assert not wire.reading
    line.acknowledge(range(40, 60))
    assert wire.reading


async def test_few_large_messages_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNACKNOWLEDGED_BYTES", 100_000)
    line, _seen, wire = made()
    line.data_received(CONNACK)
    line.data_received(b"".join(message(n, b"x" * 60_000) for n in (1, 2)))
    await settle(wire)
    assert not wire.reading
    line.acknowledge([1, 2])
    assert wire.reading


async def test_after_each_read_it_looks_away_for_a_moment_so_that_the_next_brings_many() -> None:
    line, seen, wire = made()
    line.data_received(CONNACK)
    assert wire.reading
    line.data_received(message(1))
    assert seen.reads == 1  # a lone message is not held back
    assert not wire.reading
    await settle(wire)
    assert wire.reading
    line.data_received(message(2, b"x" * connection.LARGE_READ))
    assert wire.reading  # more is waiting


async def test_a_caller_who_holds_is_not_overruled_by_the_other_reasons() -> None:
    line, _seen, wire = made()
    line.data_received(CONNACK + message(1))
    line.hold("caller")
    await settle(wire)
    line.acknowledge([1])
    assert not wire.reading
    line.release("caller")
    assert wire.reading


class Clock:
    """Moves the connection's clock without waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


def play(line: Connection, clock: Clock, seconds: int, answer: bool = True, wire: Wire | None = None) -> Sequence[bytes]:
    """Let time pass, watching each second; a living broker answers pings."""
    pings: list[bytes] = []
    for _ in range(seconds):
        clock.now += 1.0
        before = len(wire.writes) if wire else 0
        line.watch()
        new = wire.writes[before:] if wire else []
        pings += [w for w in new if w == b"\xc0\x00"]
        if answer and new and not line.ended.done():
            line.data_received(mqtt5.PingRespPacket().write())
    return pings


async def test_an_idle_line_is_pinged_and_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    line, _seen, wire = made()
    line.data_received(CONNACK)
    pings = play(line, clock, 60, wire=wire)
    assert not line.ended.done()
    assert 4 <= len(pings) <= 9


async def test_a_line_on_which_only_we_speak_is_pinged_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    line, _seen, wire = made()
    line.data_received(CONNACK)
    for _ in range(30):
        line.write(b"acknowledgement")
        play(line, clock, 1, wire=wire)
    assert wire.writes.count(b"\xc0\x00") >= 2


async def test_a_broker_that_says_nothing_for_one_keepalive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    line, seen, wire = made()
    line.data_received(CONNACK)
    play(line, clock, 15, answer=False, wire=wire)
    assert not line.ended.done()
    play(line, clock, 1, answer=False, wire=wire)
    assert line.ended.done()
    assert "silent" in str(line.ended.result())
    assert wire.aborted
    assert seen.ended == 1


async def test_while_we_do_not_read_silence_proves_nothing_and_we_still_ping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    line, _seen, wire = made()
    line.data_received(CONNACK)
    line.hold("caller")
    pings = play(line, clock, 60, answer=False, wire=wire)
    assert not line.ended.done()
    assert len(pings) >= 4
    line.release("caller")
    play(line, clock, 10, answer=False, wire=wire)
    assert not line.ended.done()


async def test_a_broker_that_wants_to_hear_more_often_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    line, _seen, wire = made()
    line.data_received(mqtt5.ConnAckPacket(server_keep_alive=4).write())
    assert len(play(line, clock, 20, wire=wire)) >= 8


@pytest.mark.parametrize(
    ("code", "permanent"),
    [
        (mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD, True),
        (mqtt5.ConnAckReasonCode.NOT_AUTHORIZED, True),
        (mqtt5.ConnAckReasonCode.SERVER_BUSY, False),
        (mqtt5.ConnAckReasonCode.QUOTA_EXCEEDED, False),
    ],
)
async def test_a_refusal_says_whether_waiting_helps(code: mqtt5.ConnAckReasonCode, permanent: bool) -> None:
    line, seen, _wire = made()
    line.data_received(mqtt5.ConnAckPacket(reason_code=code).write())
    assert isinstance(line.ended.result(), Misconfigured) is permanent
    assert code.name in str(line.ended.result())
    assert seen.accepted == 0
    assert seen.errors == 0


@pytest.mark.parametrize(
    ("code", "permanent"),
    [(mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER, True), (mqtt5.DisconnectReasonCode.SERVER_SHUTTING_DOWN, False)],
)
async def test_a_goodbye_says_whether_a_person_has_to_act(code: mqtt5.DisconnectReasonCode, permanent: bool) -> None:
    line, seen, _wire = made()
    line.data_received(CONNACK + message(1) + mqtt5.DisconnectPacket(reason_code=code).write())
    assert isinstance(line.ended.result(), Misconfigured) is permanent
    assert ("two gateways" in str(line.ended.result())) is permanent
    assert (len(seen.messages), seen.errors) == (1, 0)
