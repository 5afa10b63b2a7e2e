"""The MQTT client in real MicroPython against a real mosquitto: what a network, a broker and a clock can do to it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import MQTTProtocolVersion

from operations import mosquitto as files
from tests import servers
from tests.firmware.conftest import Run
from tests.firmware.running import Running
from tests.firmware.tcp_proxy import TcpProxy
from tests.servers import Certificates, Mosquitto, eventually, paho_client

UP = "kanhu/1/s1/d1/up/data"
DOWN = "kanhu/1/s1/d1/down/receipt"

# argv: port, password. `client(...)` makes one for the device s1/d1.
PRELUDE = """
import asyncio, sys, time
from app import mqtt
PORT, PASSWORD = int(sys.argv[1]), sys.argv[2]
UP, DOWN = "kanhu/1/s1/d1/up/data", "kanhu/1/s1/d1/down/receipt"
def client(**settings):
    made = mqtt.Client("127.0.0.1", PORT, "s1/d1", "s1/d1", PASSWORD, **settings)
    made.on_message = lambda topic, payload: print("got", payload[:40].decode(), len(payload))
    return made
async def failure(coroutine):
    begin = time.ticks_ms()
    try:
        await coroutine
        print("no failure")
    except mqtt.Failed as error:
        print("Failed", time.ticks_diff(time.ticks_ms(), begin), error)
async def dies(made):
    while not made.dead:
        await asyncio.sleep_ms(20)
    print("dead", made.dead)
"""
MAIN = "\nasyncio.run(main())\n"

PUBLISH = (
    PRELUDE
    + """
async def main():
    c = client(window=int(sys.argv[4]))
    print("present", await c.connect())
    n = int(sys.argv[3])
    begin = time.ticks_ms()
    for i in range(n):
        await c.enqueue(UP, b"%d" % i, None)
    await c.publish(UP, b"last")
    print("took", time.ticks_diff(time.ticks_ms(), begin))
    await c.close()
"""
    + MAIN
)

LISTEN = (
    PRELUDE
    + """
async def main():
    c = client(keepalive_s=int(sys.argv[3]), timeout_ms=int(sys.argv[4]), largest=int(sys.argv[5]))
    print("present", await c.connect())
    if len(sys.argv) < 7:
        await c.subscribe([DOWN])
    print("listening")
    await dies(c)
    print("oversize", c.oversize)
"""
    + MAIN
)


def heard(client: servers.PahoClient) -> list[bytes | bytearray]:
    return [message.payload for message in client.received]


@pytest.fixture
def start(micropython: str) -> Iterator[Callable[..., Running]]:
    """Start a script; whatever still runs ends with the test."""
    started: list[Running] = []

    def run(code: str, *argv: object) -> Running:
        started.append(Running(micropython, code, *argv))
        return started[-1]

    yield run
    for each in started:
        each.__exit__()


def argv(broker: Mosquitto, port: int | None = None) -> tuple[str, str]:
    return str(port or broker.port), broker.passwords["s1/d1"]


def test_two_hundred_messages_arrive_in_order_without_waiting_for_each(upy: Run, mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto) as judge:
        judge.listen(UP)
        done = upy(PUBLISH, *argv(mosquitto), "200", "8")
        eventually(lambda: len(judge.received) == 201, what=done.stdout + done.stderr)
        assert heard(judge) == [*(b"%d" % i for i in range(200)), b"last"]
    # 44 ms for each, by Nagle and the delayed ACK, would be nine seconds.
    assert int(done.stdout.split()[-1]) < 4000, done.stdout


def test_a_session_is_kept_and_what_came_meanwhile_is_delivered(start: Callable[..., Running], mosquitto: Mosquitto) -> None:
    first = start(LISTEN, *argv(mosquitto), 30, 5000, 1000)
    first.says("listening")
    first.kill()
    with paho_client(mosquitto) as gateway:
        gateway.publish_all([(DOWN, b"while away")])
    mosquitto.restart()
    second = start(LISTEN, *argv(mosquitto), 30, 5000, 1000, "resume")
    assert second.says("present") == "present True"
    second.says("got while away")


def test_the_will_tells_that_a_device_is_gone_and_a_good_bye_does_not(
    start: Callable[..., Running], mosquitto: Mosquitto
) -> None:
    script = (
        PRELUDE
        + """
async def main():
    c = client(will=("kanhu/1/s1/d1/up/status", b"gone"))
    await c.connect()
    if sys.argv[3] == "close":
        await c.close()
    print("ready")
    await asyncio.sleep(20)
"""
        + MAIN
    )
    with paho_client(mosquitto) as judge:
        judge.listen("kanhu/1/s1/d1/up/status")
        start(script, *argv(mosquitto), "close").says("ready")
        device = start(script, *argv(mosquitto), "stay")
        device.says("ready")
        assert judge.received == []
        device.kill()
        eventually(lambda: heard(judge) == [b"gone"])
        assert judge.received[0].topic == "kanhu/1/s1/d1/up/status"
    with paho_client(mosquitto) as late:
        late.listen("kanhu/1/s1/d1/up/status")
        eventually(lambda: late.received and late.received[0].retain)


def test_packet_ids_wrap_and_go_on(upy: Run, mosquitto: Mosquitto) -> None:
    script = (
        PRELUDE
        + """
async def main():
    c = client()
    await c.connect()
    c._pid = 65530
    for i in range(20):
        await c.enqueue(UP, b"%d" % i, None)
    await c.publish(UP, b"last")
    print("pid", c._pid)
    await c.close()
"""
        + MAIN
    )
    with paho_client(mosquitto) as judge:
        judge.listen(UP)
        assert upy(script, *argv(mosquitto)).stdout.split()[-2:] == ["pid", "16"]
        eventually(lambda: len(judge.received) == 21)


def test_a_frozen_broker_is_found_by_a_publish(start: Callable[..., Running], mosquitto: Mosquitto) -> None:
    script = (
        PRELUDE
        + """
async def main():
    c = client(timeout_ms=1000)
    await c.connect()
    print("ready")
    while not c.dead:
        await failure(c.publish(UP, b"x"))
        await asyncio.sleep_ms(50)
    print("dead", c.dead)
    await failure(client(timeout_ms=500).connect())
"""
        + MAIN
    )
    device = start(script, *argv(mosquitto))
    device.says("ready")
    device.says("no failure")
    mosquitto.freeze()
    failed = device.says("Failed")
    assert 900 <= int(failed.split()[1]) <= 2500 and "no answer within 1000 ms" in failed
    device.says("dead")
    # The kernel goes on taking connections for it: the next attempt ends in time as well.
    eventually(lambda: any("no CONNACK within 500 ms" in line for line in device.lines), what=str(device.lines))
    mosquitto.thaw()


def test_a_frozen_broker_is_found_while_idle(start: Callable[..., Running], mosquitto: Mosquitto) -> None:
    device = start(LISTEN, *argv(mosquitto), 2, 1000, 1000)
    device.says("listening")
    mosquitto.freeze()
    began = time.monotonic()
    assert device.says("dead") == "dead no PINGRESP within 1000 ms"
    assert time.monotonic() - began < 4
    mosquitto.thaw()


def test_a_killed_broker_is_noticed_at_once(start: Callable[..., Running], mosquitto: Mosquitto) -> None:
    device = start(LISTEN, *argv(mosquitto), 30, 5000, 1000)
    device.says("listening")
    mosquitto.kill()
    device.says("dead", within_s=2)


def test_nobody_there_is_a_failure_in_time(upy: Run, mosquitto: Mosquitto) -> None:
    script = PRELUDE + "\nasync def main():\n    await failure(client(timeout_ms=2000).connect())\n" + MAIN
    said = upy(script, str(servers.free_port()), "x").stdout
    assert said.startswith("Failed"), said
    assert int(said.split()[1]) < 3000


def test_a_wrong_password_is_a_failure_that_says_so(upy: Run, mosquitto: Mosquitto) -> None:
    script = PRELUDE + "\nasync def main():\n    await failure(client(timeout_ms=2000).connect())\n" + MAIN
    assert "refused: not authorised" in upy(script, str(mosquitto.port), "wrong").stdout


def test_steady_incoming_traffic_does_not_keep_the_pings_back(start: Callable[..., Running], mosquitto: Mosquitto) -> None:
    device = start(LISTEN, *argv(mosquitto), 2, 2000, 1000)
    device.says("listening")
    with paho_client(mosquitto) as gateway:
        ends = time.monotonic() + 5  # the broker closes after 3 s without a packet from the device
        while time.monotonic() < ends:
            gateway.publish(DOWN, b"traffic", 0)
            time.sleep(0.1)
    assert not any(line.startswith("dead") for line in device.lines), device.lines[-3:]


def test_a_pause_within_a_packet_loses_nothing(start: Callable[..., Running], mosquitto: Mosquitto) -> None:
    def pause(piece: bytes, send: Callable[[bytes], None]) -> None:
        at = piece.find(b"slow")
        if at < 0:
            send(piece)
            return
        send(piece[: at + 2])
        time.sleep(3.0)  # longer than half the keep-alive, at which the client pings
        send(piece[at + 2 :])

    with TcpProxy(mosquitto.port, pause) as proxy, paho_client(mosquitto) as gateway:
        device = start(LISTEN, *argv(mosquitto, proxy.port), 4, 4000, 1000)
        device.says("listening")
        gateway.publish_all([(DOWN, b"before"), (DOWN, b"slow"), (DOWN, b"after")])
        device.says("got after")
        assert [line.split()[1] for line in device.lines if line.startswith("got")] == ["before", "slow", "after"]


def test_half_a_packet_is_never_followed_by_another(start: Callable[..., Running], mosquitto: Mosquitto) -> None:
    script = (
        PRELUDE
        + """
async def main():
    c = client(timeout_ms=20000)
    await c.connect()
    print("ready")
    payload = bytes(20000)
    async def fill():  # what the kernels keep for the two
        while True:
            await c.publish(UP, payload, 0)
    writing = asyncio.create_task(fill())
    while not c._writer.out_buf:
        await asyncio.sleep_ms(10)
    await asyncio.sleep_ms(300)
    print("stuck")
    writing.cancel()
    try:
        await writing
    except asyncio.CancelledError:
        print("cancelled")
    print("dead", c.dead)
    await failure(c.publish(UP, b"small"))
    await failure(client().connect())
    print("end")
"""
        + MAIN
    )
    with TcpProxy(mosquitto.port) as proxy:
        device = start(script, *argv(mosquitto, proxy.port))
        device.says("ready")
        proxy.takes.clear()
        device.says("stuck")
        assert device.says("dead") == "dead a write was cut short"
        device.says("Failed")
        proxy.takes.set()
        device.says("end")
        device.says("no failure")
    assert "protocol error" not in mosquitto.log.lower()


def test_a_packet_that_is_too_large_is_gone_once_and_for_all(start: Callable[..., Running], mosquitto: Mosquitto) -> None:
    device = start(LISTEN, *argv(mosquitto), 30, 5000, 1000)
    device.says("listening")
    with paho_client(mosquitto) as gateway:
        gateway.publish_all([(DOWN, b"x" * 60000), (DOWN, b"small")])
        device.says("got small")
        gateway.publish_all([(DOWN, b"retained" * 1000)], retain=True)
    device.kill()
    again = start(LISTEN, *argv(mosquitto), 30, 5000, 1000)
    again.says("listening")
    with paho_client(mosquitto) as gateway:
        gateway.publish_all([(DOWN, b"still well")])
    again.says("got still well")
    assert not any("got x" in line or "got retained" in line for line in device.lines + again.lines)


def test_what_a_device_may_not_write_ends_nothing(upy: Run, mosquitto: Mosquitto) -> None:
    script = (
        PRELUDE
        + """
async def main():
    c = client()
    await c.connect()
    await failure(c.publish("kanhu/1/s1/d2/up/data", b"forged"))
    await failure(c.publish(UP, b"own"))
    await c.close()
"""
        + MAIN
    )
    with paho_client(mosquitto) as judge:
        judge.listen("kanhu/1/s1/#")
        assert upy(script, *argv(mosquitto)).stdout.splitlines() == ["no failure", "no failure"]
        eventually(lambda: judge.received)
        assert heard(judge) == [b"own"]


# --- TLS ---

TLS = (
    PRELUDE
    + """
from app import tls
def file(path):
    with open(path, "rb") as f:
        return f.read()
async def main():
    ca, name, cert = sys.argv[3:6]
    context = tls.context(file(ca), file(cert + ".pem") if cert else b"", file(cert + ".key") if cert else b"")
    c = mqtt.Client("127.0.0.1", PORT, "s1/d1", "s1/d1", PASSWORD, tls=context, server_hostname=name, timeout_ms=5000)
    c.on_message = lambda topic, payload: print("got", payload.decode())
    begin = time.ticks_ms()
    try:
        await c.connect()
        print("connected")
    except mqtt.Failed as error:
        print("Failed", time.ticks_diff(time.ticks_ms(), begin), error)
        return
    await c.subscribe(["kanhu/1/#"])
    for i in range(50):
        await c.enqueue("kanhu/1/gateway/up/x" if cert else UP, b"%d" % i, None)
    await c.publish("kanhu/1/gateway/up/x" if cert else UP, b"last")
    print("published")
    await dies(c)
"""
    + MAIN
)


@pytest.fixture
def broker_tls(tmp_path: Path, certificates: Certificates) -> Iterator[Mosquitto]:
    """TLS with names and passwords."""
    yield from broker_with(tmp_path, certificates, "broker", False)


def broker_with(folder: Path, certificates: Certificates, name: str, mutual: bool) -> Iterator[Mosquitto]:
    tls = files.Tls(certificates.file("ca.pem"), certificates.file(f"{name}.pem"), certificates.file(f"{name}.key"), mutual)
    broker = servers.started(folder / "tls", devices=("s1/d1",), tls=tls)
    yield broker
    broker.kill()


def tls_argv(
    broker: Mosquitto, certificates: Certificates, ca: str = "ca", name: str = "127.0.0.1", cert: str = ""
) -> list[str]:
    own = str(certificates.file(cert)) if cert else ""
    return [*argv(broker), str(certificates.file(f"{ca}.pem")), name, own]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_tls_with_a_password(
    start: Callable[..., Running], broker_tls: Mosquitto, certificates: Certificates, name: str
) -> None:
    with paho_client(broker_tls) as judge:
        judge.listen(UP)
        device = start(TLS, *tls_argv(broker_tls, certificates, name=name))
        device.says("published")
        eventually(lambda: len(judge.received) == 51)
        assert heard(judge)[:50] == [b"%d" % i for i in range(50)]
        broker_tls.kill()
        device.says("dead", within_s=2)


def test_an_authority_in_der_does_as_well(upy: Run, broker_tls: Mosquitto, certificates: Certificates, tmp_path: Path) -> None:
    der = tmp_path / "ca.der"
    der.write_bytes(x509.load_pem_x509_certificate(certificates.file("ca.pem").read_bytes()).public_bytes(Encoding.DER))
    script = TLS.replace("await dies(c)", "await c.close()")
    words = tls_argv(broker_tls, certificates)
    assert "published" in upy(script, *words[:2], str(der), *words[3:]).stdout


def test_a_frozen_broker_is_found_through_tls(
    start: Callable[..., Running], broker_tls: Mosquitto, certificates: Certificates
) -> None:
    script = TLS.replace("await dies(c)", "await failure(c.publish(UP, b'x'))\n    await failure(c.publish(UP, b'y'))")
    script = script.replace('print("published")', 'print("published")\n    await asyncio.sleep_ms(500)').replace("5000", "1000")
    device = start(script, *tls_argv(broker_tls, certificates))
    device.says("published")
    broker_tls.freeze()
    assert "no answer within 1000 ms" in device.says("Failed")
    broker_tls.thaw()


def test_a_frozen_broker_does_not_stop_a_tls_handshake_for_ever(
    upy: Run, broker_tls: Mosquitto, certificates: Certificates
) -> None:
    broker_tls.freeze()
    said = upy(TLS.replace("5000", "700"), *tls_argv(broker_tls, certificates)).stdout
    broker_tls.thaw()
    assert said.startswith("Failed") and int(said.split()[1]) < 2000, said


@pytest.mark.parametrize(
    ("ca", "name", "reason"),
    [
        pytest.param("ca", "elsewhere.example", "ValueError", id="wrong-name"),
        pytest.param("stranger-ca", "127.0.0.1", "ValueError", id="strange-authority"),
    ],
)
def test_a_broker_that_is_not_ours_gets_no_password(
    upy: Run, broker_tls: Mosquitto, certificates: Certificates, ca: str, name: str, reason: str
) -> None:
    said = upy(TLS, *tls_argv(broker_tls, certificates, ca, name)).stdout
    assert said.startswith("Failed") and reason in said, said
    assert "s1/d1" not in broker_tls.log


def test_mutual_tls(upy: Run, mosquitto_tls: Mosquitto, certificates: Certificates) -> None:
    script = TLS.replace("await dies(c)", "await c.close()").replace(
        "PASSWORD = int(sys.argv[1]), sys.argv[2]", "PASSWORD = int(sys.argv[1]), ''"
    )
    words = [str(mosquitto_tls.port), "", *tls_argv_files(certificates, "gateway")]
    assert "published" in upy(script, *words).stdout
    for cert, why in (("", "-30592"), ("stranger", "Error")):
        said = upy(script, str(mosquitto_tls.port), "", *tls_argv_files(certificates, cert)).stdout
        assert said.startswith("Failed") and why in said, said


def tls_argv_files(certificates: Certificates, cert: str) -> list[str]:
    return [str(certificates.file("ca.pem")), "127.0.0.1", str(certificates.file(cert)) if cert else ""]


def sign(certificates: Certificates, name: str, from_days: int, to_days: int) -> None:
    """A certificate for 127.0.0.1 that is valid between these days from now."""
    authority = x509.load_pem_x509_certificate(certificates.file("ca.pem").read_bytes())
    signer = load_pem_private_key(certificates.file("ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=from_days))
        .not_valid_after(now + timedelta(days=to_days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    files.write_private(certificates.file(f"{name}.pem"), made.public_bytes(Encoding.PEM).decode())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    files.write_private(certificates.file(f"{name}.key"), private)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("expired", "expired", id="expired"),
        # What a clock in the year 2000 makes of every certificate.
        pytest.param("future", "future", id="not-yet-valid"),
    ],
)
def test_a_certificate_out_of_its_dates_is_refused_and_said(
    upy: Run, certificates: Certificates, tmp_path: Path, name: str, reason: str
) -> None:
    sign(certificates, name, *{"expired": (-30, -1), "future": (1, 30)}[name])
    for broker in broker_with(tmp_path, certificates, name, False):
        said = upy(TLS, *tls_argv(broker, certificates)).stdout
        assert said.startswith("Failed") and reason in said, said


def test_a_firmware_without_authority_makes_no_connection(upy: Run) -> None:
    said = upy("from app import tls\ntry:\n    tls.context(b'')\nexcept ValueError as error:\n    print(error)")
    assert "broker.ca" in said.stdout


def test_mqtt_31_judges_see_the_same(upy: Run, mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto, version=MQTTProtocolVersion.MQTTv311) as judge:
        judge.listen(UP)
        upy(PUBLISH, *argv(mosquitto), "3", "1")
        eventually(lambda: len(judge.received) == 4)
