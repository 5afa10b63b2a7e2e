"""What the pure front of the gateway costs a message: `python -m tests.bench.bench_decode`.

Best of several runs, microseconds: of a message like nothing before, and ("alike") of one that differs from one before in its
numbers only; "-": there is no short way for it.
"""

import json
import timeit
from collections.abc import Callable, Sequence
from typing import Any

import cbor2

from edge_gateway import topics
from edge_gateway.decoders import senml
from edge_gateway.likeness import ONE_OF, Likenesses
from edge_gateway.validate import validate

TOPIC = "kanhu/1/village/home-1/up/data"
ADDRESS = topics.parse(TOPIC)
HEAD = {"boot": 17, "seq": 1440, "clk": "ntp", "err": 0.05, "up": 86400.5, "bt": 1780000000.25}
FIVE = [
    {**HEAD, "n": "temperature", "u": "Cel", "v": 21.5},
    {"n": "humidity", "u": "%RH", "v": 45},
    {"n": "co2", "u": "ppm", "v": 612},
    {"n": "motion.kitchen", "vb": True},
    {"n": "battery_voltage", "u": "V", "v": 3.31},
]
LABELS = {"bt": -3, "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "t": 6}
UNUSUAL = [*FIVE[:4], {"n": "battery_voltage", "u": "mV", "v": 3310}]
CALIBRATED = [{**FIVE[0]}, {"n": "ph", "u": "pH", "v": 7.02, "raw": 6.875, "cal": "ph-2026-05-20"}]
SEVERAL = [{**FIVE[0]}, *({"n": "temperature", "u": "Cel", "v": 21.5, "t": -60 * n} for n in range(1, 20))]


def as_json(pack: list[dict[str, Any]]) -> bytes:
    """As a device writes it, without spaces."""
    return json.dumps(pack, separators=(",", ":")).encode()


def as_cbor(pack: list[dict[str, Any]]) -> bytes:
    """With the RFC's integer labels."""
    return cbor2.dumps([{LABELS.get(key, key): value for key, value in record.items()} for record in pack])


MESSAGES = {
    "five readings, JSON": as_json(FIVE),
    "five readings, CBOR": as_cbor(FIVE),
    "one state, JSON": as_json([{**HEAD, "n": "motion.kitchen", "vb": True}]),
    "twenty instants, JSON": as_json(SEVERAL),
    "five, one in mV, JSON": as_json(UNUSUAL),
    "two, one calibrated, JSON": as_json(CALIBRATED),
    "five, one NaN, JSON": as_json([*FIVE[:4], {"n": "co2", "v": float("nan")}]),
}


def microseconds(call: Callable[[], object], number: int = 5000) -> float:
    """Best of nine runs: the other work of the machine only ever adds."""
    return min(timeit.repeat(call, number=number, repeat=9)) / number * 1e6


def alike(payload: bytes, records: Sequence[senml.Plain]) -> str:
    """Once the device sent such messages before."""
    known, message = Likenesses(), validate(records, ADDRESS)
    for _ in range(ONE_OF):
        known.learn(payload, records, message)
    return f"{microseconds(lambda: known.read(payload)):.2f}" if known.read(payload) else "-"


def main() -> None:
    """Print the table."""
    print(f"{'message':28}{'bytes':>7}{'decode':>9}{'validate':>10}{'both':>8}{'alike':>8}")
    for name, payload in MESSAGES.items():
        records = senml.plain(payload) or senml.decode(payload)
        decode_us = microseconds(lambda payload=payload: senml.plain(payload) or senml.decode(payload))  # type: ignore[misc]
        validate_us = microseconds(lambda records=records: validate(records, ADDRESS))  # type: ignore[misc]
        both = f"{decode_us:>9.2f}{validate_us:>10.2f}{decode_us + validate_us:>8.2f}"
        print(f"{name:28}{len(payload):>7}{both}{alike(payload, records):>8}")


if __name__ == "__main__":
    main()
