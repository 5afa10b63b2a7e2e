"""The session against a real mosquitto; paho is the independent judge."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import mqtt5
import pytest

from edge_gateway import broker as module
from edge_gateway import connection, settings
from edge_gateway.broker import Incoming, Session
from operations.mosquitto import Tls
from tests.servers import Certificates, Mosquitto, eventually, paho_client, started

UP = "kanhu/1/s1/d1/up/data"
SUBSCRIPTIONS = ("kanhu/1/+/+/up/#",)
ROOT = Path(__file__).resolve().parents[2]


class Pipeline:
    """Takes what the session hands over, and acknowledges at once only if told to."""

    def __init__(self, acknowledge: bool = False) -> None:
        self.acknowledge = acknowledge
        self.messages: list[Incoming] = []
        self.generations: list[int] = []
        self.states: list[tuple[str, str]] = []
        self.session: Session | None = None

    def take(self, messages: list[Incoming], generation: int) -> None:
        self.messages += messages
        self.generations += [generation] * len(messages)
        if self.acknowledge:
            assert self.session is not None
            self.session.acknowledge(ids(messages), generation)

    def told(self, state: str, detail: str) -> None:
        self.states.append((state, detail))


def ids(messages: Sequence[Incoming]) -> list[int]:
    return [m.packet_id for m in messages if m.packet_id is not None]


async def soon(condition: Callable[[], object], within_s: float = 10.0, what: str = "") -> None:
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    where: settings.Broker, pipeline: Pipeline, name: str = "gateway", wait: bool = True
) -> AsyncIterator[Session]:
    """A session in the background, connected when the body begins; closed in order when it ends."""
    session = pipeline.session = Session(where, name, SUBSCRIPTIONS, pipeline.take, pipeline.told)
    task = asyncio.create_task(session.run())
    try:
        if wait:
            await soon(lambda: session.connected, what=f"connected; told {pipeline.states}")
        yield session
    finally:
        await session.close()
        await asyncio.wait_for(task, 10)


def send(broker: Mosquitto, count: int, qos: int = 1, first: int = 0) -> None:
    """Publish numbered messages and wait for the broker's acknowledgement of each."""
    with paho_client(broker) as device:
        device.publish_all([(UP, b"%d" % n) for n in range(first, first + count)], qos)


async def in_thread(function: Callable[..., None], *args: object) -> None:
    await asyncio.to_thread(function, *args)


def numbers(messages: Sequence[Incoming]) -> list[int]:
    return [int(m.payload) for m in messages]


# Nothing is acknowledged before we say so.


async def test_nothing_is_acknowledged_before_we_say_so_and_then_for_good(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline()
    async with running(mosquitto.settings(), pipeline) as session:
        await in_thread(send, mosquitto, 50)
        await soon(lambda: len(pipeline.messages) == 50)
        session.acknowledge(ids(pipeline.messages[:20]), session.generation)
        session.drop("test")
        await soon(lambda: len(pipeline.messages) == 80, what="the other 30 again")
        assert numbers(pipeline.messages[50:]) == list(range(20, 50))
        assert all(m.duplicate for m in pipeline.messages[50:])
        session.acknowledge(ids(pipeline.messages[50:]), session.generation)
        await soon(lambda: session.counters.acknowledged == 50)
    # paho with our name sees what the broker still holds for us
    with paho_client(mosquitto, user="gateway", client_id="gateway", session=True) as judge:
        await in_thread(send, mosquitto, 1, 1, 99)
        await in_thread(eventually, lambda: judge.received)
        assert [m.payload for m in judge.received] == [b"99"]


async def test_an_acknowledgement_of_an_earlier_connection_is_ignored(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline()
    async with running(mosquitto.settings(), pipeline) as session:
        await in_thread(send, mosquitto, 5)
        await soon(lambda: len(pipeline.messages) == 5)
        stale = session.generation
        session.drop("test")
        session.acknowledge(ids(pipeline.messages), stale)
        await soon(lambda: len(pipeline.messages) == 10, what="all 5 again")
        session.acknowledge(ids(pipeline.messages[:5]), stale)
        assert session.counters.acknowledged == 0
        assert pipeline.generations == [stale] * 5 + [stale + 1] * 5


async def test_a_pipeline_that_raises_costs_the_connection_and_no_message(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = Pipeline(acknowledge=True)
    failures = iter([True, False])

    def fails_once(messages: list[Incoming], generation: int) -> None:
        if next(failures, False):
            raise RuntimeError("disk full")
        pipeline.take(messages, generation)

    session = pipeline.session = Session(mosquitto.settings(), "gateway", SUBSCRIPTIONS, fails_once, pipeline.told)
    task = asyncio.create_task(session.run())
    await soon(lambda: session.connected)
    await in_thread(send, mosquitto, 20)
    await soon(lambda: session.counters.acknowledged == 20)
    assert sorted(numbers(pipeline.messages)) == list(range(20))
    assert session.counters.connects == 2
    assert "disk full" in caplog.text
    assert [state for state, _ in pipeline.states] == ["connected", "away", "connected"]
    await session.close()
    await task


async def test_qos_0_and_retained_messages_arrive_as_what_they_are(mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto) as device:
        device.publish_all([("kanhu/1/s1/d1/up/status", b"kept")], retain=True)
    pipeline = Pipeline()
    async with running(mosquitto.settings(), pipeline) as session:
        await soon(lambda: pipeline.messages)
        kept = pipeline.messages.pop()
        assert (kept.payload, kept.retain, kept.qos == mqtt5.QoS.AT_LEAST_ONCE) == (b"kept", True, True)
        session.acknowledge(ids([kept]), session.generation)
        await in_thread(send, mosquitto, 3, 0)
        await in_thread(send, mosquitto, 1, 2)
        await soon(lambda: len(pipeline.messages) == 4)
        assert [(m.packet_id is None, m.retain) for m in pipeline.messages] == [(True, False)] * 3 + [(False, False)]


async def test_the_broker_is_told_how_many_messages_it_may_have_on_the_way(mosquitto: Mosquitto) -> None:
    # A broker that is not mosquitto 2.0.11 keeps to it; here the CONNECT itself is read.
    asked: list[mqtt5.ConnectPacket] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packet, _ = mqtt5.read(memoryview(await reader.read(4096)))
        assert isinstance(packet, mqtt5.ConnectPacket)
        asked.append(packet)
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    where = mosquitto.settings(port=port, receive_maximum=123, session_expiry_s=7200, keepalive_s=9)
    async with running(where, Pipeline(), wait=False):
        await soon(lambda: asked)
    server.close()
    connect = asked[0]
    assert (connect.receive_max, connect.session_expiry_interval, connect.keep_alive) == (123, 7200, 9)
    assert (connect.clean_start, connect.topic_alias_max, connect.username) == (False, 0, "gateway")
    assert connect.max_packet_size == connection.MAX_PACKET
    assert connect.password == mosquitto.passwords["gateway"].encode()


# Kills, restarts, frozen brokers.


async def test_kill_9_in_the_middle_of_draining_3000_messages_loses_none(mosquitto: Mosquitto, tmp_path: Path) -> None:
    held = tmp_path / "held"  # a number a line, written and flushed before its message is acknowledged

    def count() -> int:
        return len(held.read_bytes().splitlines()) if held.exists() else 0

    def drain() -> subprocess.Popen[bytes]:
        where = mosquitto.settings().model_dump_json()
        return subprocess.Popen([sys.executable, "-m", "tests.live.drain", where, str(held)], cwd=ROOT)

    first = drain()
    await in_thread(eventually, lambda: "as gateway " in mosquitto.log)  # its session exists
    await in_thread(eventually, lambda: held.exists())
    os.kill(first.pid, signal.SIGSTOP)
    await in_thread(send, mosquitto, 3000)
    kills = 0
    process = first
    for stop_at in (300, 1100, 2000):
        os.kill(process.pid, signal.SIGCONT)
        await in_thread(eventually, lambda stop_at=stop_at: count() >= stop_at)
        process.kill()
        process.wait()
        assert count() < 3000, "killed too late to prove anything"
        kills += 1
        process = drain()
    await in_thread(eventually, lambda: len(set(held.read_bytes().split())) == 3000)
    process.terminate()
    process.wait()
    doubled = count() - 3000
    assert kills == 3
    assert doubled <= 3 * 500  # at most what one commit held, for each kill


async def test_after_a_restart_of_the_broker_the_session_is_back_and_nothing_is_missing(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline()
    async with running(mosquitto.settings(), pipeline) as session:
        await in_thread(send, mosquitto, 10)
        await soon(lambda: len(pipeline.messages) == 10)
        await in_thread(mosquitto.stop)
        await soon(lambda: not session.connected)
        await in_thread(mosquitto.start)
        await soon(lambda: session.connected, 8.0)
        await soon(lambda: len(pipeline.messages) == 20, what="the unacknowledged ones again")
        assert [state for state, _ in pipeline.states] == ["connected", "away", "connected"]


async def test_a_broker_that_lost_our_session_is_subscribed_to_again(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline(acknowledge=True)
    async with running(mosquitto.settings(), pipeline) as session:
        await in_thread(mosquitto.kill)  # nothing saved
        await in_thread(mosquitto.start)
        await soon(lambda: session.counters.connects == 2)
        await in_thread(send, mosquitto, 5)
        await soon(lambda: len(pipeline.messages) == 5)


async def test_a_broker_that_is_away_is_told_once_and_tried_for_ever(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline()
    where = mosquitto.settings()
    mosquitto.stop()
    session = Session(where, "gateway", SUBSCRIPTIONS, pipeline.take, pipeline.told)
    task = asyncio.create_task(session.run())
    await asyncio.sleep(1.0)
    assert [state for state, _ in pipeline.states] == ["away"]
    assert "is the broker running?" in pipeline.states[0][1]
    await in_thread(mosquitto.start)
    await soon(lambda: session.connected, 8.0)
    await session.close()
    await task
    assert [state for state, _ in pipeline.states] == ["away", "connected"]


async def test_a_frozen_broker_is_noticed_within_the_keepalive_and_taken_up_again(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline(acknowledge=True)
    async with running(mosquitto.settings(keepalive_s=2), pipeline) as session:
        mosquitto.freeze()
        began = time.monotonic()
        await soon(lambda: not session.connected, 5.0)
        assert 1.0 <= time.monotonic() - began <= 3.0
        await soon(lambda: len(pipeline.states) == 2)
        assert "silent for 2 s" in pipeline.states[1][1]
        mosquitto.thaw()
        await soon(lambda: session.connected)
        await in_thread(send, mosquitto, 5)
        await soon(lambda: len(pipeline.messages) == 5)


async def test_an_idle_session_is_kept_alive(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline()
    async with running(mosquitto.settings(keepalive_s=2), pipeline) as session:
        await asyncio.sleep(4.0)  # mosquitto would cut us at 3 s
        assert session.connected
        assert session.counters.connects == 1


async def test_closing_keeps_the_brokers_session_and_sends_what_was_waiting(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline(acknowledge=True)
    with paho_client(mosquitto) as judge:
        judge.listen("kanhu/1/+/+/down/#")
        async with running(mosquitto.settings(), pipeline) as session:
            session.publish("kanhu/1/s1/d1/down/receipt", b"last words")
        await in_thread(eventually, lambda: judge.received)
        await in_thread(send, mosquitto, 7)
        assert "has exceeded timeout" not in mosquitto.log
        async with running(mosquitto.settings(), pipeline):
            await soon(lambda: len(pipeline.messages) == 7)
    assert numbers(pipeline.messages) == list(range(7))


async def test_a_closed_session_ends_also_while_the_broker_is_away(mosquitto: Mosquitto) -> None:
    where = mosquitto.settings()
    mosquitto.stop()
    async with running(where, Pipeline(), wait=False):
        await asyncio.sleep(0.3)


# Back-pressure.


async def test_a_slow_consumer_pauses_and_the_broker_drops_nothing(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline(acknowledge=True)
    async with running(mosquitto.settings(receive_maximum=500), pipeline) as session:
        session.pause("busy")
        await in_thread(send, mosquitto, 6000)
        assert len(pipeline.messages) < 1000
        session.resume("busy")
        await soon(lambda: len(pipeline.messages) == 6000, 20.0)
    assert numbers(pipeline.messages) == list(range(6000))
    assert await asyncio.to_thread(mosquitto.dropped) == 0


async def test_memory_is_bounded_when_the_pipeline_never_acknowledges(mosquitto: Mosquitto) -> None:
    # mosquitto 2.0.11 sends far more than the receive-maximum.
    pipeline = Pipeline()
    async with running(mosquitto.settings(receive_maximum=100), pipeline) as session:
        await in_thread(send, mosquitto, 6000)
        await asyncio.sleep(0.3)
        stalled_at = len(pipeline.messages)
        assert 100 <= stalled_at < 5000
        pipeline.acknowledge = True
        session.acknowledge(ids(pipeline.messages), session.generation)
        await soon(lambda: len(pipeline.messages) == 6000, 20.0)
    assert numbers(pipeline.messages) == list(range(6000))


async def test_a_pause_holds_over_a_reconnect(mosquitto: Mosquitto) -> None:
    pipeline = Pipeline(acknowledge=True)
    async with running(mosquitto.settings(keepalive_s=2), pipeline) as session:
        session.pause("busy")
        session.drop("test")
        await soon(lambda: session.counters.connects == 2)
        await in_thread(send, mosquitto, 5)
        await asyncio.sleep(2.5)  # longer than the keepalive: not reading is not being dead
        assert session.counters.connects == 2
        assert pipeline.messages == []
        session.resume("busy")
        await soon(lambda: len(pipeline.messages) == 5)


# What the gateway sends.


async def test_own_messages_arrive_in_order_and_are_counted(mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto) as judge:
        judge.listen("kanhu/1/+/+/down/#")
        async with running(mosquitto.settings(), Pipeline()) as session:
            for n in range(3000):
                session.publish("kanhu/1/s1/d1/down/receipt", b"%d" % n)
            await soon(lambda: session.counters.published == 3000)
        await in_thread(eventually, lambda: len(judge.received) == 3000)
        assert [int(m.payload) for m in judge.received] == list(range(3000))


async def test_what_the_broker_did_not_confirm_is_sent_again_after_the_reconnect(mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto, client_id="judge", session=True) as judge:
        judge.listen("kanhu/1/+/+/down/#")
        async with running(mosquitto.settings(keepalive_s=2), Pipeline()) as session:
            session.publish("kanhu/1/s1/d1/down/receipt", b"0")
            await soon(lambda: session.counters.published == 1)
            mosquitto.freeze()
            for n in range(1, 1500):  # more than may be on the way at once
                session.publish("kanhu/1/s1/d1/down/receipt", b"%d" % n)
            await soon(lambda: not session.connected, 5.0)
            session.publish("kanhu/1/s1/d1/down/config", b"1500", retain=True)
            mosquitto.thaw()
            await soon(lambda: session.counters.published == 1501, what="all confirmed")
        await in_thread(eventually, lambda: len({m.payload for m in judge.received}) == 1501)
    with paho_client(mosquitto) as late:
        late.listen("kanhu/1/+/+/down/config")
        await in_thread(eventually, lambda: late.received)
        assert (late.received[0].payload, late.received[0].retain) == (b"1500", True)


async def test_a_full_queue_drops_the_oldest_receipt_keeps_settings_and_counts(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUEUE", 10)
    where = mosquitto.settings()
    mosquitto.stop()
    with_judge = Pipeline()
    async with running(where, with_judge, wait=False) as session:
        session.publish("kanhu/1/s1/d1/down/config", b"settings", retain=True)
        for n in range(20):
            session.publish("kanhu/1/s1/d1/down/receipt", b"%d" % n)
        assert session.counters.publish_dropped == 11
        await in_thread(mosquitto.start)
        await soon(lambda: session.counters.published == 10)


async def test_what_is_too_large_for_this_broker_is_dropped_and_does_not_cost_the_connection(mosquitto: Mosquitto) -> None:
    async with running(mosquitto.settings(), Pipeline()) as session:
        session.publish("kanhu/1/s1/d1/down/config", b"x" * 70_000)  # mosquitto.conf: 65,536
        session.publish("kanhu/1/s1/d1/down/config", b"y")
        await soon(lambda: session.counters.published == 1)
        assert session.counters.publish_dropped == 1
        assert session.counters.connects == 1


async def test_what_the_access_rules_forbid_is_counted(mosquitto: Mosquitto) -> None:
    async with running(mosquitto.settings(), Pipeline()) as session:
        session.publish("kanhu/1/s1/d1/up/data", b"not ours to say")
        await soon(lambda: session.counters.publish_refused == 1)
        assert session.counters.published == 0


# Who we are, and who they are.


async def test_a_wrong_password_is_told_once_retried_slowly_and_mended_without_a_restart(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLOW_RETRY_S", 0.4)
    right = mosquitto.password_file.read_text()
    mosquitto.password_file.write_text("wrong")
    pipeline = Pipeline()
    async with running(mosquitto.settings(), pipeline, wait=False) as session:
        await asyncio.sleep(1.5)
        assert [state for state, _ in pipeline.states] == ["away"]
        assert "password" in pipeline.states[0][1]
        assert mosquitto.log.count("not authorised") >= 2
        mosquitto.password_file.write_text(right)
        await soon(lambda: session.connected)
    assert [state for state, _ in pipeline.states] == ["away", "connected"]


async def test_a_password_file_that_others_can_read_is_refused(mosquitto: Mosquitto) -> None:
    mosquitto.password_file.chmod(0o644)
    pipeline = Pipeline()
    async with running(mosquitto.settings(), pipeline, wait=False):
        await soon(lambda: pipeline.states)
    assert "chmod 600" in pipeline.states[0][1]


async def test_two_gateways_with_one_name_are_said_loudly_and_back_off(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Pipeline(), Pipeline()
    async with running(mosquitto.settings(), first, "same"), running(mosquitto.settings(), second, "same"):
        await soon(lambda: "two gateways" in caplog.text, 15.0)
        loud = [detail for _, detail in first.states + second.states if "two gateways" in detail]
        assert len(loud) == 1
        takeovers = mosquitto.log.count("already connected")
        assert takeovers < 10
        await asyncio.sleep(1.5)
        assert mosquitto.log.count("already connected") <= takeovers + 1  # no tug of war


async def test_with_mutual_tls_the_certificate_is_the_user_name(mosquitto_tls: Mosquitto, certificates: Certificates) -> None:
    async with running(tls(mosquitto_tls, certificates, "gateway"), Pipeline()) as session:
        session.publish("kanhu/1/s1/d1/down/receipt", b"x" * 60_000)  # its rules allow that
        session.publish("kanhu/1/s1/d1/up/data", b"x")  # and forbid this
        await soon(lambda: (session.counters.published, session.counters.publish_refused) == (1, 1))


async def test_over_tls_nothing_is_lost_either_when_the_consumer_is_slow(
    mosquitto_tls: Mosquitto, certificates: Certificates
) -> None:
    pipeline = Pipeline(acknowledge=True)
    async with running(tls(mosquitto_tls, certificates, "gateway"), pipeline) as session:
        session.pause("busy")
        await in_thread(send, mosquitto_tls, 2000)
        session.resume("busy")
        await soon(lambda: len(pipeline.messages) > 200)
        session.drop("test")
        await soon(lambda: len(set(numbers(pipeline.messages))) == 2000)
        await soon(lambda: session.counters.acknowledged >= 2000)


async def test_a_listener_that_raises_does_not_end_the_session(mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = Pipeline()

    def fails(state: str, detail: str) -> None:
        raise RuntimeError("screen is gone")

    pipeline.told = fails  # type: ignore[method-assign]
    async with running(mosquitto.settings(), pipeline) as session:
        session.drop("test")
        await soon(lambda: session.counters.connects == 2)
    assert "screen is gone" in caplog.text


async def test_a_broker_with_a_certificate_for_another_name_is_refused(tmp_path: Path, certificates: Certificates) -> None:
    files = Tls(certificates.file("ca.pem"), certificates.file("other.pem"), certificates.file("other.key"))
    broker = started(tmp_path / "other", tls=files)
    pipeline = Pipeline()
    try:
        async with running(tls(broker, certificates, "gateway"), pipeline, wait=False):
            await soon(lambda: pipeline.states)
    finally:
        broker.kill()
    assert "certificate is not accepted" in pipeline.states[0][1]


async def test_a_broker_of_another_authority_is_refused(mosquitto_tls: Mosquitto, certificates: Certificates) -> None:
    pipeline = Pipeline()
    where = tls(mosquitto_tls, certificates, "gateway", tls_ca=certificates.file("stranger-ca.pem"))
    async with running(where, pipeline, wait=False):
        await soon(lambda: pipeline.states)
    assert "certificate is not accepted" in pipeline.states[0][1]


@pytest.mark.parametrize("client", [None, "stranger"])
async def test_a_gateway_without_a_good_certificate_is_refused_and_told(
    mosquitto_tls: Mosquitto, certificates: Certificates, client: str | None
) -> None:
    pipeline = Pipeline()
    async with running(tls(mosquitto_tls, certificates, client), pipeline, wait=False) as session:
        await soon(lambda: pipeline.states)
        assert not session.connected
    assert pipeline.states[0][0] == "away"
    assert "refused TLS" in pipeline.states[0][1]


async def test_there_is_no_silent_fallback_to_a_plain_connection(mosquitto_tls: Mosquitto, certificates: Certificates) -> None:
    pipeline = Pipeline()
    async with running(tls(mosquitto_tls, certificates, "gateway", tls_ca=None), pipeline, wait=False):
        await soon(lambda: pipeline.states)
    assert "tls_ca is not" in pipeline.states[0][1]


def tls(broker: Mosquitto, certificates: Certificates, client: str | None, **changes: object) -> settings.Broker:
    files: dict[str, object] = {"tls_ca": certificates.file("ca.pem"), "password_file": None}
    if client is not None:
        files |= {"tls_certificate": certificates.file(f"{client}.pem"), "tls_key": certificates.file(f"{client}.key")}
    return broker.settings(**{**files, **changes})


# Brokers that break the rules.


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, 1, id="not MQTT"),
        pytest.param(b"\x20\x02\x00\x05", 1, id="CONNACK of MQTT 3.1.1"),
        pytest.param(mqtt5.PingRespPacket().write(), 1, id="no CONNACK"),
        pytest.param(mqtt5.ConnAckPacket().write() + b"\x00\x00", 1, id="rubbish after CONNACK"),
        pytest.param(b"", 0, id="closes at once"),
    ],
)
async def test_a_broker_that_talks_rubbish_is_left_counted_and_tried_again(answer: bytes, counted: int) -> None:
    calls = 0

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.read(4096)
        writer.write(answer)
        if not answer:
            writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    pipeline = Pipeline()
    where = settings.Broker(port=server.sockets[0].getsockname()[1])
    async with running(where, pipeline, wait=False) as session:
        await soon(lambda: calls >= 3)
        assert session.counters.protocol_errors >= 2 * counted
        assert pipeline.states[-1][0] in ("away", "connected")
    server.close()


async def test_a_refused_subscription_is_told_and_counted() -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(mqtt5.ConnAckPacket().write())
        await reader.read(4096)
        writer.write(mqtt5.SubAckPacket(65_535, [mqtt5.SubAckReasonCode.NOT_AUTHORIZED]).write())

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    pipeline = Pipeline()
    async with running(settings.Broker(port=server.sockets[0].getsockname()[1]), pipeline) as session:
        await soon(lambda: session.counters.subscribe_refused == 1)
    server.close()
    assert [state for state, _ in pipeline.states] == ["connected", "connected"]
    assert pipeline.states[0][1] == ""
    assert "kanhu/1/+/+/up/# (NOT_AUTHORIZED)" in pipeline.states[1][1]


async def test_a_port_that_accepts_and_never_answers_is_left_within_the_keepalive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        pipeline = Pipeline()
        where = settings.Broker(port=mute.getsockname()[1], keepalive_s=2)
        async with running(where, pipeline, wait=False):
            await soon(lambda: pipeline.states, 4.0)
    assert "silent" in pipeline.states[0][1]
