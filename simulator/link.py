"""One MQTT connection of the simulator, driven by the fleet's own loop: no thread, so nothing needs a lock.

A lost connection gets a new client: paho would repeat its own queue before our births, and the devices repeat what was not
receipted anyway.
"""

import selectors
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

Key = tuple[str, str]  # site, device

CONNECT_TIMEOUT_S: Final = 3.0
KEEPALIVE_S: Final = 15
_SUBSCRIBE_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Access:
    """Where the broker is and who we are.

    Attributes:
        username, password: one user that may speak for all devices; they share a few connections.
        device_passwords: (site, device) -> password; given, each device has a connection, a user and a last will of its own.
        tls_ca: authority of the broker's certificate; None: no TLS.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    username: str = "simulator"
    password: str = ""
    device_passwords: Mapping[Key, str] | None = None
    tls_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when the connection is gone."""

    topic: str
    payload: bytes


class Link:
    """A connection for some devices. Callbacks run inside `serve` and `look_after`, on the caller's thread.

    Attributes:
        up: the broker accepted us and nothing was lost since.
        problem: why the last attempt failed, for people; "" when it did not.
        retry_at, failures: kept by the caller for its back-off.
    """

    def __init__(
        self,
        access: Access,
        keys: Sequence[Key],
        selector: selectors.BaseSelector,
        on_up: Callable[["Link"], None],
        on_down: Callable[["Link"], None],
        on_message: Callable[[str, bytes], None],
    ) -> None:
        self.keys = keys
        self.up = False
        self.problem = ""
        self.retry_at = 0.0
        self.failures = 0
        self._access = access
        self._selector = selector
        self._on_up, self._on_down, self._on_message = on_up, on_down, on_message
        self._client: paho.Client | None = None

    @property
    def open(self) -> bool:
        return self._client is not None

    def connect(self, will: Will | None = None) -> None:
        """Begin a connection; blocks for at most `CONNECT_TIMEOUT_S`. `problem` says why it did not work."""
        self.problem = ""
        access, own = self._access, self._access.device_passwords
        name = "/".join(self.keys[0])
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name if own is not None else "",
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # the devices' windows are the limit
        if own is not None:
            client.username_pw_set(name, own.get(self.keys[0], ""))
        elif access.username:
            client.username_pw_set(access.username, access.password)
        if access.tls_ca is not None:
            client.tls_set(str(access.tls_ca))
        if will is not None:
            client.will_set(will.topic, will.payload, 1, retain=True)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = lambda _client, _userdata, message: self._on_message(message.topic, bytes(message.payload))
        client.on_socket_open = lambda _client, _userdata, sock: self._watch(sock, selectors.EVENT_READ)
        client.on_socket_close = lambda _client, _userdata, sock: self._unwatch(sock)
        client.on_socket_register_write = lambda _client, _userdata, sock: self._watch(
            sock, selectors.EVENT_READ | selectors.EVENT_WRITE
        )
        client.on_socket_unregister_write = lambda _client, _userdata, sock: self._watch(sock, selectors.EVENT_READ)
        self._client = client
        try:
            client.connect(access.host, access.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:
            self._fail(f"cannot reach {access.host}:{access.port}: {error}")

    def subscribe(self, topics: Sequence[str]) -> None:
        for start in range(0, len(topics), _SUBSCRIBE_AT_ONCE):
            if self._client is not None:
                self._client.subscribe([(topic, 1) for topic in topics[start : start + _SUBSCRIBE_AT_ONCE]])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """QoS 1. While the connection is down it goes nowhere: the outbox has it."""
        if self._client is not None and self.up:
            self._client.publish(topic, payload, 1, retain)

    def serve(self, events: int) -> None:
        """Read and write what the socket is ready for."""
        client = self._client
        more = client is not None and bool(events & selectors.EVENT_READ)
        while more and self._client is client and client is not None:
            if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._fail("the connection was lost")
            sock = client.socket()
            # TLS may hold decrypted bytes that the selector cannot see.
            more = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        if self._client is client and client is not None and events & selectors.EVENT_WRITE:
            client.loop_write()

    def look_after(self) -> None:
        """Keep-alive; to be called about once a second."""
        if self._client is not None and self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail("the broker does not answer")

    def cut(self) -> None:
        """Drop the connection without a word, as a power cut would; the broker publishes the will."""
        sock = self._client.socket() if self._client is not None else None
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """An orderly goodbye, after what is queued has been written or a second has passed."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            for _ in range(1000):
                if not client.want_write() or client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    break
            sock = client.socket()
            if isinstance(sock, socket.socket):
                self._unwatch(sock)
                sock.close()
        self.up = False

    def _connected(self, _client: paho.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self.problem = f"the broker refused {'/'.join(self.keys[0])}: {reason}"
            return
        self.up, self.problem, self.failures = True, "", 0
        self._on_up(self)

    def _disconnected(self, client: paho.Client, _userdata: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        if client is self._client:
            self._fail("the connection was lost")

    def _fail(self, problem: str) -> None:
        if self._client is None:
            return
        client, self._client = self._client, None
        sock = client.socket()
        if isinstance(sock, socket.socket):
            self._unwatch(sock)
            sock.close()
        self.problem = self.problem or problem
        self.up = False
        self.failures += 1
        self._on_down(self)

    def _watch(self, sock: Any, events: int) -> None:
        if sock.fileno() < 0:
            return
        try:
            self._selector.modify(sock, events, self)
        except KeyError:
            self._selector.register(sock, events, self)

    def _unwatch(self, sock: Any) -> None:
        try:
            self._selector.unregister(sock)
        except (KeyError, ValueError):
            return
