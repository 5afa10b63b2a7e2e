"""What the gateway's own Python costs a message, stage by stage: `python -m tests.bench.bench_path`.

Microseconds of CPU a message, best of several runs, with warm caches and nothing beside it: decide (decode, validate, sequence,
clock), fold and pack a commit of 2,000, read the row back, make lines. Network, broker, disk and database are not in it.
"""

import gc
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

from edge_gateway import events
from edge_gateway.clock import Limits
from edge_gateway.events import Entry
from edge_gateway.pipeline import Pipeline
from edge_gateway.registry import Device, Registry
from edge_gateway.work import Work
from ingest.line_protocol import lines, numbers_of
from ingest.rollups import touched
from tests.bench.load import QUANTITIES, Load, senml

T = TypeVar("T")

DEVICES: Final = 50
A_COMMIT: Final = 2000
START_S: Final = 1_780_000_000
_STAGES: Final = ("take", "fold+pack", "unpack", "touched", "lines")


def run(load: Load) -> dict[str, float]:
    """Microseconds of CPU a message, by stage."""
    devices = {("s", f"d{n}"): Device("s", f"d{n}", "p", "home", frozenset(QUANTITIES)) for n in range(DEVICES)}
    pipeline = Pipeline(Registry({}, devices), Limits.of("2024-01-01T00:00:00Z", 86400.0, 60.0))
    spent = dict.fromkeys(_STAGES, 0)

    def timed(stage: str, call: Callable[[], T]) -> T:
        began = time.process_time_ns()
        result = call()
        spent[stage] += time.process_time_ns() - began
        return result

    def take(at: int) -> None:
        one = pipeline.take
        now_ns = (START_S + (at + A_COMMIT) // DEVICES * load.instants) * 10**9
        for topic, payload in load.messages[at : at + A_COMMIT]:
            one(topic, payload, now_ns)

    def row(at: int) -> bytes:
        work: Work = pipeline.take_work()
        assert len(work.data) == len(load.messages[at : at + A_COMMIT]) * load.instants, (len(work.data), work.dead[:1])
        return events.pack(work.data)

    def made(entries: list[Entry]) -> list[bytes]:
        found: list[bytes] = []
        for entry, numbers in zip(entries, numbers_of(entries), strict=True):
            found += lines(entry, numbers)
        return found

    for at in range(0, len(load.messages), A_COMMIT):
        timed("take", lambda at=at: take(at))  # type: ignore[misc]
        packed = timed("fold+pack", lambda at=at: row(at))  # type: ignore[misc]
        entries = timed("unpack", lambda packed=packed: events.unpack(packed))  # type: ignore[misc]
        timed("touched", lambda entries=entries: touched(entries))  # type: ignore[misc]
        timed("lines", lambda entries=entries: made(entries))  # type: ignore[misc]
    return {stage: ns / 1000 / len(load.messages) for stage, ns in spent.items()}


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    print(f"{'message':24}" + "".join(f"{stage:>11}" for stage in (*_STAGES, "all")))
    for name, load in (
        ("five readings", senml(count, DEVICES, START_S)),
        ("pack of ten instants", senml(count // 10, DEVICES, START_S, 10)),
    ):
        gc.collect()
        runs = [run(load) for _ in range(5)]
        best = {stage: min(each[stage] for each in runs) for stage in _STAGES}
        print(f"{name:24}" + "".join(f"{us:>11.2f}" for us in (*best.values(), sum(best.values()))))


if __name__ == "__main__":
    main()
