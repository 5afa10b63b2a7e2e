"""A database filled with the story, through the sinks and roll-ups of the platform.

The story is told once, by a process of its own, and kept in a file named after everything it depends on; each server then gets
the same entries.
"""

import fcntl
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edge_gateway.events import Entry, Flag, Reading, Readings, TimeQuality
from edge_gateway.registry import Registry, parse
from edge_gateway.settings import Influx, Settings
from ingest.rollups import open_rollups
from ingest.sinks import open_sink
from tests.grafana.happenings import BEGINS_S, DEPTH, RIVER, WATER
from tests.grafana.story import read, registry

ROOT: Final = Path(__file__).resolve().parent.parent.parent
END_S: Final = datetime(2026, 6, 30, 5, tzinfo=UTC).timestamp()  # 13:00 in Shanghai
NOW_NS: Final = round(END_S) * 10**9
ZONE: Final = "Asia/Shanghai"
AT_ONCE: Final = 5000
_DEPENDS_ON: Final = (
    "edge_gateway",
    "simulator",
    *(f"tests/grafana/{name}.py" for name in ("story", "happenings", "meals", "telling")),
)


@dataclass(frozen=True)
class Seed:
    """What a database holds.

    Attributes:
        entries: in the order in which they were stored.
        end_ns: when the story ends: now, for whoever looks.
        known: the registry of the story.
    """

    entries: Sequence[Entry]
    end_ns: int
    known: Registry


def story(data: Path, end_s: float = END_S) -> Seed:
    """The entries of the story that ends at `end_s`; told anew only when something it depends on has changed."""
    folder = Path(tempfile.gettempdir()) / f"kanhu-stories-{Path.home().name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{fingerprint(data, end_s)}.story"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of tests that run side by side one tells it, the others wait
        if not file.exists():
            for old in folder.glob("*.story"):
                old.unlink()
            part = file.with_suffix(".part")
            argv = [sys.executable, "-m", "tests.grafana.story", str(part), str(data), str(end_s)]
            told = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
            assert told.returncode == 0, told.stderr[-4000:]
            part.replace(file)
        entries = read(file)
    return Seed([*entries, *_doubted(round(end_s))], round(end_s) * 10**9, parse(registry(data)))


def load(seed: Seed, influx: Influx, folder: Path, without: Sequence[str] = ()) -> None:
    """Write it into a database and roll it up.

    Args:
        influx: of the readings; `<bucket>_rollups` has to be there too.
        folder: for the marks of roll-ups; must be empty.
        without: `site/device` of which nothing is written.
    """
    settings = Settings(data_dir=folder, influx=influx)
    rollups = open_rollups(settings, open_sink(settings), ZONE)
    rollups.expect(seed.known)
    try:
        rollups.recompute_due(seed.end_ns - BEGINS_S * 10**9)  # from here on an hour in which nothing came is one
        entries = [entry for entry in seed.entries if f"{entry.site}/{entry.device}" not in without]
        for begin in range(0, len(entries), AT_ONCE):
            refused = rollups.write(entries[begin : begin + AT_ONCE])
            assert not refused, refused[:3]
        rollups.recompute_due(seed.end_ns, -1e9)
    finally:
        rollups.close()


def _doubted(end_s: int) -> list[Readings]:
    """An hour of readings of probe-3 that a quality check doubts; no check of ours says so yet, devices and people may."""
    found = []
    for n in range(6):
        time_ns = (end_s - 7200 + 600 * n) * 10**9 + 5
        readings = [Reading(f"{name}.{DEPTH}", good * 1.5, int(Flag.SUSPECT)) for name, (good, _) in WATER.items()]
        about = RIVER, "probe-3", "point-3", 7, n + 1, time_ns, time_ns, "ntp", TimeQuality.DEVICE, None
        found.append(Readings.of(*about, readings))
    return found


def fingerprint(data: Path, end_s: float = END_S) -> str:
    """Of the code that tells the story; the recordings do not change."""
    found = hashlib.sha256(f"{data} {end_s}".encode())
    for pattern in _DEPENDS_ON:
        files = sorted(ROOT.glob(pattern)) if pattern.endswith(".py") else sorted((ROOT / pattern).rglob("*.py"))
        for file in files:
            found.update(file.read_bytes())
    return found.hexdigest()[:24]
