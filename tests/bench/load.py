"""A publisher that is never the limit: packets encoded beforehand, a window of unacknowledged publishes, one socket."""

import json
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mqtt5

_PUBACK = 0x40


@dataclass(frozen=True, slots=True)
class Load:
    """Messages of a bench run: topic and payload; `readings` in each."""

    messages: list[tuple[str, bytes]]
    readings: int


def senml(count: int, devices: int, start_s: int, instants: int = 1) -> Load:
    """`count` messages of the contract, five quantities of one group an instant, round robin over `devices`."""
    messages = []
    for i in range(count):
        seq, at = i // devices + 1, start_s + (i // devices) * instants
        records: list[dict[str, object]] = []
        for k in range(instants):
            values = {"temperature": 21.5 + k, "humidity": 45.2, "pressure": 101325, "co2": 600 + i % 100, "illuminance": 120}
            units = {"temperature": "Cel", "humidity": "%RH", "pressure": "Pa", "co2": "ppm", "illuminance": "lx"}
            for n, v in values.items():
                records.append({"n": n, "u": units[n], "v": v, **({"t": k} if k else {})})
        head = {"boot": 1, "seq": seq, "clk": "ntp", "err": 0.05, "up": float(seq), "bt": at}
        payload = json.dumps([{**head, **records[0]}, *records[1:]], separators=(",", ":")).encode()
        messages.append((f"kanhu/1/s/d{i % devices}/up/data", payload))
    return Load(messages, 5 * instants)


def flat(count: int, devices: int, start_s: int) -> Load:
    """The same readings as the flat JSON that Telegraf and the usual script like best, about 150 bytes."""
    messages = []
    for i in range(count):
        values = {"temperature": 21.5, "humidity": 45.2, "pressure": 101325.0, "co2": 600.0 + i % 100, "illuminance": 120.0}
        body = {"device": f"d{i % devices}", "time": (start_s + i // devices) * 1000, **values}
        messages.append((f"kanhu/1/s/d{i % devices}/up/data", json.dumps(body, separators=(",", ":")).encode()))
    return Load(messages, 5)


def publish(port: int, user: str, password: str, messages: Sequence[tuple[str, bytes]], window: int = 2000, rate: float = 0) -> float:
    """Send everything with QoS 1 and wait for every PUBACK; seconds it took. `rate`: messages a second, 0 as fast as possible."""
    packets = list(_packets(messages))
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(mqtt5.ConnectPacket("bench", username=user, password=password.encode(), clean_start=True).write())
        buffer = sock.recv(1024)
        assert buffer[0] == 0x20, "the broker refused the publisher"
        sock.setblocking(False)
        sent = acked = 0
        began = time.monotonic()
        rest = b""
        tail = b""
        while acked < len(packets):
            allowed = min(acked + window, len(packets))
            if rate:
                allowed = min(allowed, int((time.monotonic() - began) * rate) + 1)
            if not rest and sent < allowed:
                upto = min(sent + 100, allowed)
                rest = b"".join(packets[sent:upto])
                sent = upto
            ready, writable, _ = select.select([sock], [sock] if rest else [], [], 0.001 if rate else 5.0)
            if ready:
                data = tail + sock.recv(65536)
                assert data, "the broker closed the connection"
                n, tail = _count(data)
                acked += n
            if writable:
                rest = rest[sock.send(rest) :]
        return time.monotonic() - began


def _packets(messages: Sequence[tuple[str, bytes]]) -> Iterator[bytes]:
    for i, (topic, payload) in enumerate(messages):
        yield mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=i % 65_000 + 1).write()


def _count(data: bytes) -> tuple[int, bytes]:
    """PUBACKs in `data` (each two bytes of header and their length), and what is left of a partial one."""
    at = n = 0
    while at + 2 <= len(data) and at + 2 + data[at + 1] <= len(data):
        assert data[at] == _PUBACK, f"unexpected packet {data[at]:#x}"
        at += 2 + data[at + 1]
        n += 1
    return n, data[at:]
