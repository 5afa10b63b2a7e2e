"""Recorded data as live MQTT traffic: the rows go through simulated devices, so receipts and repeats are real.

Recordings are older than the gateway's floor for a believable clock: set `gateway.time_floor` to 2000 to keep their own times,
or shift them (`shift_to`). A second replay has new boot ids and the same points: it adds nothing to a database.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final

from simulator.device import Clock, SimulatedDevice
from simulator.fleet import Fleet, Pace, Summary
from simulator.link import Access
from simulator.plan import Planned
from simulator.recordings.row import Recording, Row
from simulator.senml import Encoding, Instant

ROWS_A_MESSAGE: Final = 20
BACKLOG: Final = 5_000


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first reading of a recording tells."""

    devices: tuple[str, ...]
    rows: int
    first_ns: int
    last_ns: int


def survey(rows: Iterable[Row]) -> Survey:
    """Read a recording through. The rows must be at least one."""
    devices: dict[str, None] = {}
    count, first_ns, last_ns = 0, 2**63, -(2**63)
    for row in rows:
        count += 1
        devices[row.device] = None
        first_ns, last_ns = min(first_ns, row.time_ns), max(last_ns, row.time_ns)
    if count == 0:
        raise ValueError("the recording is empty")
    return Survey(tuple(devices), count, first_ns, last_ns)


def shift_to(found: Survey, now_s: float, speed: float | None) -> int:
    """Nanoseconds to add to every time so that nothing lies in the future.

    In real time the recording begins now; faster, it ends now. Whole microseconds, so that no time is rounded.
    """
    anchor_ns = found.first_ns if speed is not None and speed <= 1 else found.last_ns
    return (round(now_s * 1e6) * 1000 - anchor_ns) // 1000 * 1000


def pack(
    rows: Iterable[Row], site: str, shift_ns: int = 0, per_message: int = ROWS_A_MESSAGE, span_s: float = inf
) -> Iterator[Planned]:
    """Rows of one device and one uncertainty together in a message, `per_message` or those of `span_s` seconds.

    A recording may step back in time; what is written never does: a message is written when the latest row so far was measured.
    """
    open_rows: OrderedDict[str, list[Row]] = OrderedDict()
    opened_at: dict[str, int] = {}
    written_ns = -(2**63)
    for row in rows:
        written_ns = max(written_ns, row.time_ns + shift_ns)
        while open_rows and written_ns - opened_at[next(iter(open_rows))] > span_s * 1e9:
            yield _message(site, open_rows.popitem(last=False)[1], written_ns, shift_ns)
        waiting = open_rows.get(row.device)
        if waiting is not None and waiting[0].err_s != row.err_s:
            yield _message(site, open_rows.pop(row.device), written_ns, shift_ns)
            waiting = None
        if waiting is None:
            waiting = open_rows[row.device] = []
            opened_at[row.device] = written_ns
        waiting.append(row)
        if len(waiting) >= per_message:
            yield _message(site, open_rows.pop(row.device), written_ns, shift_ns)
    for waiting in open_rows.values():
        yield _message(site, waiting, written_ns, shift_ns)


def replay(
    recording: Recording,
    path: Path,
    access: Access,
    *,
    speed: float | None = None,
    shift_to_s: float | None = None,
    per_message: int = ROWS_A_MESSAGE,
    deadline_s: float = 600.0,
    encoding: Encoding = Encoding.JSON,
    seed: int = 1,
    on_progress: Callable[[Summary], None] | None = None,
    ready: Callable[[Fleet], None] | None = None,
) -> Summary:
    """Send a recording and wait until all of it is receipted.

    Args:
        path: of the recording itself (`data / recording.path`).
        speed: times real time; None: as fast as receipts allow.
        shift_to_s: UTC seconds the recording is moved to, see `shift_to`; None: its own times.
        deadline_s: after it the rest stays pending, and the summary says so.
        ready: is handed the fleet before it starts, for a screen that wants to stop it.
    Raises:
        Rejected: the files are not this recording.
    """
    found = survey(recording.rows(path))
    shift_ns = 0 if shift_to_s is None else shift_to(found, shift_to_s, speed)
    start_s = (found.first_ns + shift_ns) / 1e9
    devices = [
        SimulatedDevice(
            recording.site,
            device,
            booted_at_s=start_s - 60.0,
            clock=Clock(recording.clk),
            encoding=encoding,
            cadence_s=recording.cadence_s,
            firmware=f"replay {recording.name}",
            seed=seed,
        )
        for device in found.devices
    ]
    # In real time a row goes out within two seconds of ours; as fast as it can, messages are filled.
    span_s = inf if speed is None else 2 * speed
    plan = pack(recording.rows(path), recording.site, shift_ns, per_message, span_s)
    fleet = Fleet(access, devices, plan, Pace(start_s, speed), backlog=BACKLOG, seed=seed, on_progress=on_progress)
    if ready is not None:
        ready(fleet)
    return fleet.run_to_the_end(deadline_s)


def _message(site: str, rows: list[Row], written_ns: int, shift_ns: int) -> Planned:
    instants = tuple(Instant(row.time_ns + shift_ns, row.values) for row in rows)
    return Planned((site, rows[0].device), written_ns / 1e9, instants, err_s=rows[0].err_s)
