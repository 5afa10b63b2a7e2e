"""What every importer gives: one row of a recording as the device would have measured it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from simulator.senml import Value


@dataclass(frozen=True, slots=True)
class Row:
    """Values of one device at one instant.

    Attributes:
        device: ASCII id, of the recording's registry.
        time_ns: integer ns since 1970 UTC, whole microseconds; no two rows of a device share it.
        err_s: uncertainty of the time where the source leaves some, seconds.
        labels: (name, label) that a person put on a value afterwards; for judging quality checks, never sent.
    """

    device: str
    time_ns: int
    values: tuple[Value, ...]
    err_s: float | None = None
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording and how to read it.

    Attributes:
        name: what the command line calls it.
        title: one line for people.
        path: file or folder below the data folder.
        site: the site its devices speak under.
        rows: the rows, in the order of the file; reads lazily.
        registry: TOML text of its site and devices.
        clk: the clock its devices state.
        cadence_s: the interval they declare.
    """

    name: str
    title: str
    path: str
    site: str
    rows: Callable[[Path], Iterator[Row]]
    registry: Callable[[Path], str]
    clk: str = "rtc"
    cadence_s: float = 300.0
