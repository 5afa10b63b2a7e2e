"""Checks of the broker, as an MQTT 5 client that leaves nothing behind and never uses the gateway's client id."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_gateway.errors import Unavailable
from edge_gateway.settings import Broker, Settings, secret
from operations.doctor.result import Result, fail, ok, warn

WAIT_S: Final = 5.0
# Outside every topic that our access rules open to anybody.
FORBIDDEN_TOPIC: Final = "kanhu/doctor/forbidden"
_PACKET_MAX: Final = 65_536
_CREDENTIALS: Final = frozenset({134, 135, 138, 140})  # bad user name or password, not authorised, banned, bad method


class _Visit:
    """One connection, from CONNECT to CONNACK and a few questions."""

    def __init__(self, settings: Broker, username: str | None, password: str) -> None:
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, f"kanhu-doctor-{secrets.token_hex(4)}", protocol=mqtt.MQTTv5)
        if username is not None:
            self.client.username_pw_set(username, password)
        if settings.tls_ca is not None:
            certificate, key = settings.tls_certificate, settings.tls_key
            self.client.tls_set(str(settings.tls_ca), str(certificate) if certificate else None, str(key) if key else None)
        self.code: ReasonCode | None = None
        self.properties: Properties | None = None
        self.words: dict[str, str] = {}
        self.answers: dict[int, ReasonCode] = {}
        self._event = threading.Condition()
        self.client.on_connect = self._on_connect
        self.client.on_publish = self._on_publish
        self.client.on_message = self._on_message

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, properties: Properties | None) -> None:
        with self._event:
            self.code, self.properties = code, properties
            self._event.notify_all()

    def _on_publish(self, _client: Any, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        with self._event:
            self.answers[mid] = code
            self._event.notify_all()

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._event:
            self.words[message.topic] = message.payload.decode("utf-8", "replace")
            self._event.notify_all()

    def greeted(self) -> ReasonCode:
        with self._event:
            if not self._event.wait_for(lambda: self.code is not None, WAIT_S):
                raise Unavailable("something listens there, but it does not answer as an MQTT 5 broker")
        assert self.code is not None
        return self.code

    def publish(self, topic: str) -> ReasonCode | None:
        """The broker's word on a publish; None when it gave none."""
        mid = self.client.publish(topic, b"", qos=1).mid
        with self._event:
            self._event.wait_for(lambda: mid in self.answers, WAIT_S)
        return self.answers.get(mid)

    def read(self, topic: str) -> str:
        """A retained message's text; "" when there is none or we may not read it."""
        self.client.subscribe(topic)
        with self._event:
            self._event.wait_for(lambda: topic in self.words, 1.0)
        return self.words.get(topic, "")


@contextmanager
def _visit(settings: Broker, username: str | None, password: str = "") -> Iterator[_Visit]:
    """Raises Unavailable when nothing answers."""
    visit = _Visit(settings, username, password)
    forget = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    forget.SessionExpiryInterval = 0
    visit.client.connect_timeout = WAIT_S
    try:
        visit.client.connect(settings.host, settings.port, keepalive=15, clean_start=True, properties=forget)
    except (OSError, ValueError) as error:
        raise Unavailable(str(error)) from error
    visit.client.loop_start()
    try:
        visit.greeted()
        yield visit
    finally:
        visit.client.disconnect()
        visit.client.loop_stop()


def _as_gateway(settings: Settings) -> Any:
    return _visit(settings.broker, settings.broker.username, secret(settings.broker.password_file))


def _away(settings: Settings, error: Unavailable) -> Result:
    where = f"{settings.broker.host}:{settings.broker.port}"
    return fail(
        f"no broker at {where}: {error}", "start it (kanhu up, or systemctl start mosquitto), or mend [broker] host and port"
    )


def login(settings: Settings) -> Result:
    """The broker answers and takes the gateway's credentials."""
    try:
        with _as_gateway(settings) as visit:
            code = visit.greeted()
    except Unavailable as error:
        return _away(settings, error)
    where = f"{settings.broker.host}:{settings.broker.port}"
    if code.value in _CREDENTIALS:
        return fail(
            f"the broker at {where} refused user {settings.broker.username!r}: {code}",
            "make broker.username and broker.password_file match the broker's password file",
        )
    if code.is_failure:
        return fail(f"the broker at {where} answered: {code}", "see the broker's log")
    return ok(f"{where} accepts user {settings.broker.username!r}")


def access_rules(settings: Settings) -> Result:
    """Nobody enters without a name, and the gateway's user cannot write where nobody should."""
    hint = "use the configuration that `kanhu up` writes, or docs/operations.md, section mosquitto"
    try:
        with _visit(settings.broker, None) as stranger:
            if not stranger.greeted().is_failure:
                return fail("the broker lets anybody in without a user name", f"allow_anonymous false; {hint}")
        with _as_gateway(settings) as visit:
            if visit.greeted().is_failure:
                return warn("not looked at: the login failed", "mend the login first")
            answer = visit.publish(FORBIDDEN_TOPIC)
    except Unavailable as error:
        return _away(settings, error)
    if answer is None:
        return warn("the broker gave no answer to a publish", "see the broker's log")
    if answer.value != 135:
        return fail("the gateway's user may write to any topic, so other users probably may too", f"set acl_file; {hint}")
    return ok("no entry without a user name; a foreign topic is refused")


def limits(settings: Settings) -> Result:
    """What the broker tells of its limits. Whether it persists cannot be seen from outside."""
    try:
        with _as_gateway(settings) as visit:
            if visit.greeted().is_failure:
                return warn("not looked at: the login failed", "mend the login first")
            packet = getattr(visit.properties, "MaximumPacketSize", None)
            at_once = getattr(visit.properties, "ReceiveMaximum", 65_535)
            version = visit.read("$SYS/broker/version")
    except Unavailable as error:
        return _away(settings, error)
    name = version or "a broker that does not say its version"
    seen = f"{name}; packets up to {packet or 'any number of'} bytes, {at_once} in flight"
    if packet is None or packet > _PACKET_MAX:
        return warn(seen, f"set max_packet_size {_PACKET_MAX}: one device could send packets of any size")
    if not version:
        return warn(seen, "let the gateway's user read $SYS/#: it is the only place where dropped messages are counted")
    return ok(f"{seen}; persistence cannot be seen from outside, see docs/operations.md")
