"""Real brokers for tests, started on free ports of 127.0.0.1 in temporary folders."""

import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_gateway import settings
from edge_gateway.errors import Misconfigured
from operations import mosquitto as files

EVERYTHING = ("readwrite #", "read $SYS/#")
READY_S = 10.0


# Below the range from which the kernel takes ports for connections, or one of them may sit on a port that was free a
# moment ago; each of the processes that test side by side has its own part.
_PORTS_FROM, _PORTS_EACH, _PROCESSES = 20_000, 1_000, 12
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES
_ports = itertools.cycle(range(_PORTS_FROM + _worker * _PORTS_EACH, _PORTS_FROM + (_worker + 1) * _PORTS_EACH))
for _ in range(os.getpid() % _PORTS_EACH):  # two runs on one machine rarely ask for the same
    next(_ports)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    for port in itertools.islice(_ports, _PORTS_EACH):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def eventually(condition: Callable[[], object], within_s: float = 10.0, what: str = "") -> None:
    """Wait until `condition` holds; fails with `what` after `within_s` seconds."""
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, f"not within {within_s} s: {what or condition}"
        time.sleep(0.01)


class Mosquitto:
    """One real broker with its own folder. Users: `gateway`, `test` (may do everything), `simulator`, and `devices`.

    Attributes:
        passwords: user -> password.
        port: what `settings` names: the plain listener, or the TLS one if there is one.  plain_port: always plain.
        log: what the broker wrote.  password_file: the gateway's, as its settings want it.
    """

    def __init__(self, folder: Path, devices: Sequence[str] = (), tls: files.Tls | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.plain_port = self.port if tls is None else free_port()
        self.passwords = {user: files.new_secret() for user in ("gateway", "test", "simulator", *devices)}
        self.password_file = folder / "gateway.secret"
        self._program = files.find_mosquitto()
        self._process: subprocess.Popen[bytes] | None = None
        self._conf = files.prepare(
            folder,
            [files.Listener(self.port, tls=tls), *([files.Listener(self.plain_port)] if tls else [])],
            self.passwords,
            others={"test": EVERYTHING, "simulator": files.ANY_DEVICE},
            log=folder / "log",
            sys_interval_s=1,
        )
        files.write_private(self.password_file, self.passwords["gateway"] + "\n")

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def settings(self, **changes: object) -> settings.Broker:
        """Settings with which the gateway reaches this broker."""
        return settings.Broker.model_validate({"port": self.port, "password_file": self.password_file, **changes})

    def start(self) -> None:
        assert self._process is None, "it runs already"
        self._process = subprocess.Popen(
            [*self._program.argv, "-c", str(self._conf)],
            env=dict(self._program.env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        ends = time.monotonic() + READY_S
        while True:
            try:
                for port in {self.port, self.plain_port}:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > ends:
                    self.kill()
                    raise AssertionError(f"mosquitto did not start:\n{self.log}") from None
                time.sleep(0.01)

    def stop(self) -> None:
        """An orderly end: the broker saves sessions and queues."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """The process stands still; the kernel goes on taking connections and bytes for it."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()

    def dropped(self) -> int:
        """The broker's own counter of messages it dropped, after it had time to write it."""
        time.sleep(1.2)  # sys_interval is 1 s
        with paho_client(self) as client:
            client.listen("$SYS/broker/publish/messages/dropped")
            eventually(lambda: client.received, 3.0, "the broker's counter")
            return int(client.received[-1].payload)


class PahoClient(paho.Client):
    """paho, the independent judge: connected on entry, disconnected on exit, and it remembers what it received."""

    received: list[paho.MQTTMessage]
    answers: list[str]

    def publish_all(self, messages: Sequence[tuple[str, bytes]], qos: int = 1, retain: bool = False) -> None:
        """Publish and wait until the broker has acknowledged each."""
        tokens = [self.publish(topic, payload, qos, retain) for topic, payload in messages]
        for token in tokens:
            token.wait_for_publish(30)

    def listen(self, *topics: str, qos: int = 1) -> None:
        """Subscribe and wait until the broker has answered."""
        granted: list[object] = []
        self.on_subscribe = lambda *answer: granted.append(answer)
        self.subscribe([(topic, qos) for topic in topics])
        eventually(lambda: granted, what="an answer to SUBSCRIBE")

    def __enter__(self) -> "PahoClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()
        self.loop_stop()


def paho_client(
    broker: Mosquitto,
    user: str = "test",
    client_id: str = "",
    password: str | None = None,
    version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    session: bool = False,
    wait: bool = True,
) -> PahoClient:
    """A connected paho client, its loop running; `session` asks the broker to keep the session for an hour.

    Its list `received` grows with every message, `answers` with every answer to CONNECT; its window is wide open.
    """
    five = version == MQTTProtocolVersion.MQTTv5
    client = PahoClient(CallbackAPIVersion.VERSION2, client_id, protocol=version, clean_session=None if five else not session)
    client.received, client.answers = [], []
    client.on_message = lambda _client, _userdata, message: client.received.append(message)
    client.max_inflight_messages_set(1000)
    client.username_pw_set(user, broker.passwords.get(user, "") if password is None else password)
    properties = None
    if five:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if session:
            properties.SessionExpiryInterval = 3600
    client.on_connect = lambda _client, _userdata, _flags, reason, _properties: client.answers.append(str(reason))
    clean_start = not session if five else paho.MQTT_CLEAN_START_FIRST_ONLY
    client.connect("127.0.0.1", broker.plain_port, 30, clean_start=clean_start, properties=properties)
    client.loop_start()
    if wait:
        eventually(lambda: client.answers, what="an answer to CONNECT")
        assert client.answers[0] == "Success", f"{user}: {client.answers[0]}"
    return client


@dataclass(frozen=True)
class Certificates:
    """An authority and what it signed: the broker for 127.0.0.1 and localhost, a client `gateway`, and a stranger's client."""

    folder: Path

    def file(self, name: str) -> Path:
        return self.folder / name


def make_certificates(folder: Path) -> Certificates:
    """ca.pem, broker.pem/.key (127.0.0.1, localhost), other.pem/.key (another name), gateway.pem/.key, stranger.pem/.key."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _sign(folder, "ca", "Kanhu test authority", None)
    _sign(folder, "broker", "localhost", authority, [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    _sign(folder, "other", "elsewhere", authority, [x509.DNSName("elsewhere.example")])
    _sign(folder, "gateway", "gateway", authority)
    _sign(folder, "stranger", "gateway", _sign(folder, "stranger-ca", "Somebody's authority", None))
    return Certificates(folder)


_Signer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _sign(folder: Path, name: str, common: str, by: _Signer | None, names: Sequence[x509.GeneralName] = ()) -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[0].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=3650))
        .not_valid_after(datetime.now(UTC) + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(by[1] if by else key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    files.write_private(folder / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM).decode())
    files.write_private(folder / f"{name}.key", private)
    return certificate, key


def started(folder: Path, devices: Sequence[str] = (), tls: files.Tls | None = None) -> Mosquitto:
    """A broker that runs; without mosquitto on this machine a skip that says why, in CI a failure."""
    try:
        broker = Mosquitto(folder, devices, tls)
    except Misconfigured as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    broker.start()
    return broker


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A plain broker with users `gateway`, `test`, `simulator`, and the devices `s1/d1`, `s1/d2`, `s2/d1`."""
    broker = started(tmp_path / "mosquitto", devices=("s1/d1", "s1/d2", "s2/d1"))
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def mosquitto_tls(tmp_path: Path, certificates: Certificates) -> Iterator[Mosquitto]:
    """A broker whose `port` takes only clients with a certificate of the authority; the common name is the user name."""
    tls = files.Tls(certificates.file("ca.pem"), certificates.file("broker.pem"), certificates.file("broker.key"))
    broker = started(tmp_path / "mosquitto-tls", tls=tls)
    yield broker
    broker.kill()
