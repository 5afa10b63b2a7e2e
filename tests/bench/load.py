"""A publisher that is never the limit: packets encoded beforehand, a window of unacknowledged publishes, one socket."""

import json
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import mqtt5

QUANTITIES: Final = ("temperature", "humidity", "pressure", "co2", "illuminance")
_UNITS: Final = ("Cel", "%RH", "Pa", "ppm", "lx")
_PUBACK: Final = 0x40
_A_WRITE: Final = 100  # packets
# Publishes without a PUBACK. Linux may keep an acknowledgement back for 40 ms when we have nothing to send, and the broker then
# waits with its PUBACKs: with 2,000 some runs ended at 50,000 messages a second, whoever took them in.
_WINDOW: Final = 10_000


@dataclass(frozen=True, slots=True)
class Load:
    """Messages of a bench run: topic and payload; `instants` of five readings in each."""

    messages: list[tuple[str, bytes]]
    instants: int = 1

    @property
    def message_bytes(self) -> int:
        """Size of the last payload; the others differ by some digits."""
        return len(self.messages[-1][1])


def senml(count: int, devices: int, start_s: int, instants: int = 1) -> Load:
    """`count` messages of the contract, five quantities of one group an instant, round robin over `devices`."""
    messages = []
    for i in range(count):
        seq, at = i // devices + 1, start_s + (i // devices) * instants
        records = [
            {"n": name, "u": unit, "v": value, **({"t": k} if k else {})}
            for k in range(instants)
            for name, unit, value in zip(QUANTITIES, _UNITS, _values(i, k), strict=True)
        ]
        head = {"boot": 1, "seq": seq, "clk": "ntp", "err": 0.05, "up": float(seq), "bt": at}
        payload = json.dumps([{**head, **records[0]}, *records[1:]], separators=(",", ":")).encode()
        messages.append((f"kanhu/1/s/d{i % devices}/up/data", payload))
    return Load(messages, instants)


def flat(count: int, devices: int, start_s: int) -> Load:
    """The same readings as the flat JSON that Telegraf and the usual script like best."""
    messages = []
    for i in range(count):
        values = dict(zip(QUANTITIES, _values(i, 0), strict=True))
        body = {"device": f"d{i % devices}", "time": (start_s + i // devices) * 1000, **values}
        messages.append((f"kanhu/1/s/d{i % devices}/up/data", json.dumps(body, separators=(",", ":")).encode()))
    return Load(messages)


def _values(i: int, instant: int) -> tuple[float, ...]:
    return 21.5 + instant, 45.2, 101325.0, 600.0 + i % 100, 120.0


class Publisher:
    """One connection that sends with QoS 1; everything is encoded before the clock starts."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.sendall(mqtt5.ConnectPacket("bench", username=user, password=password.encode(), clean_start=True).write())
        assert self._sock.recv(1024)[0] == 0x20, "the broker refused the publisher"
        self._sock.setblocking(False)
        self._tail = b""

    def close(self) -> None:
        self._sock.close()

    def publish(self, messages: Sequence[tuple[str, bytes]], window: int = _WINDOW, rate: float = 0) -> tuple[float, float]:
        """Send everything and wait for every PUBACK.

        Args:
            window: publishes without a PUBACK at once.
            rate: messages a second; 0: as fast as the broker takes them.
        Returns:
            when the first was sent (monotonic), and how many seconds it took until the last was acknowledged.
        """
        writes = [_encoded(messages, at) for at in range(0, len(messages), _A_WRITE)]
        sent = acked = 0
        rest = b""
        began = time.monotonic()
        while acked < len(messages):
            allowed = min(acked + window, len(messages))
            if rate:
                allowed = min(allowed, int((time.monotonic() - began) * rate) + 1)
            if not rest and sent < allowed:
                rest = writes[sent // _A_WRITE]
                sent = min(sent + _A_WRITE, len(messages))
            ready, writable, _ = select.select([self._sock], [self._sock] if rest else [], [], 0.001 if rate else 5.0)
            if ready:
                data = self._tail + self._sock.recv(65536)
                assert data, "the broker closed the connection"
                n, self._tail = _count(data)
                acked += n
            if writable:
                rest = rest[self._sock.send(rest) :]
        return began, time.monotonic() - began


def _encoded(messages: Sequence[tuple[str, bytes]], at: int) -> bytes:
    qos = mqtt5.QoS.AT_LEAST_ONCE
    return b"".join(
        mqtt5.PublishPacket(topic, payload, qos=qos, packet_id=number % 65_000 + 1).write()
        for number, (topic, payload) in enumerate(messages[at : at + _A_WRITE], at)
    )


def _count(data: bytes) -> tuple[int, bytes]:
    """PUBACKs in `data` (each two bytes of header and their length), and what is left of a partial one."""
    at = n = 0
    while at + 2 <= len(data) and at + 2 + data[at + 1] <= len(data):
        assert data[at] == _PUBACK, f"unexpected packet {data[at]:#x}"
        at += 2 + data[at + 1]
        n += 1
    return n, data[at:]
