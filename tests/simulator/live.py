"""The stand-in gateway on a real broker: paho, receipts as docs/contract.md wants them."""

import json
import threading
from collections import Counter
from types import TracebackType
from typing import Self

from paho.mqtt.client import MQTTMessage

from tests.servers import Mosquitto, PahoClient, paho_client
from tests.simulator.gateway import StandIn, read

Key = tuple[str, str]


class LiveStandIn:
    """Holds what arrives, per device; `births` in order of arrival with the first message that followed each."""

    def __init__(
        self, broker: Mosquitto, unknown: frozenset[Key] = frozenset(), held: dict[Key, StandIn] | None = None
    ) -> None:
        self.devices: dict[Key, StandIn] = {} if held is None else held
        self.order: dict[Key, list[str]] = {}
        self.bad = 0
        self.arrived = 0
        self.retained = Counter[str]()
        self._unknown = unknown
        self._lock = threading.Lock()
        self._client: PahoClient = paho_client(broker, "gateway", wait=True)
        self._client.on_message = lambda _client, _userdata, message: self._take(message)
        self._client.subscribe("kanhu/1/+/+/up/#", qos=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, message: MQTTMessage) -> None:
        _, _, site, name, _, channel = message.topic.split("/")
        with self._lock:
            self.arrived += 1
            if channel == "status":
                state = "birth" if json.loads(message.payload or b"{}").get("online") else "will"
                self.order.setdefault((site, name), []).append(state)
                return
            self.order.setdefault((site, name), []).append(channel)
            self.retained[message.topic] += message.retain
            payload = bytes(message.payload)
            try:
                read(payload)[0]["seq"]
            except Exception:  # poison takes many forms; a stand-in only counts it
                self.bad += 1
                return
            receipt = self.devices.setdefault((site, name), StandIn()).take(payload, event=channel == "event")
        if (site, name) not in self._unknown:
            self._client.publish(f"kanhu/1/{site}/{name}/down/receipt", receipt, qos=1)
