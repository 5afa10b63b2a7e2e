"""The demo's devices that run the real firmware: MicroPython on simulated boards, each a watched process of its own."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_gateway.view import Snapshot
from operations.balance import Group
from operations.install import Installation
from operations.supervise import Child

SITE: Final = "firmware"
KIND: Final = "firmware"
_PROJECT: Final = Path(__file__).resolve().parent.parent
_UNPACKED: Final = _PROJECT / ".cache" / "servers" / "bin" / "micropython"


@dataclass(frozen=True, slots=True)
class Board:
    """One device; `cadence_s`: longest time between two messages, for the registry."""

    device: str
    model: str
    cadence_s: float

    @property
    def user(self) -> str:
        """Its name at the broker."""
        return f"{SITE}/{self.device}"


BOARDS: Final = (
    Board("home-1", "elder_home", 60.0),
    Board("reader-1", "rider_reader", 300.0),
    Board("probe-1", "river_probe", 60.0),
)


def why_none() -> str | None:
    """What is missing to run them; None: nothing."""
    if os.environ.get("MICROPYTHON") or shutil.which("micropython") or _UNPACKED.is_file():
        return None
    return "no micropython here: `scripts/servers.sh micropython` fetches one"


def registry_text(boards: Sequence[Board]) -> str:
    """Their part of the registry, TOML."""
    lines = [f"\n[sites.{SITE}]", 'name = "真固件 MicroPython"', ""]
    for board in boards:
        lines += [
            "[[devices]]",
            f'site = "{SITE}"',
            f'id = "{board.device}"',
            f'place = "{board.device}"',
            f'model = "{board.model}"',
            f"cadence_s = {board.cadence_s}",
            "",
        ]
    return "\n".join(lines)


def users(boards: Sequence[Board]) -> dict[str, Sequence[str]]:
    """Their users of the broker; what those may do is said by their names."""
    return {board.user: () for board in boards}


def children(boards: Sequence[Board], installation: Installation, folder: Path) -> list[Child]:
    """A process for each, in a little world where something happens every minute; their flash is below `folder`."""
    broker = f"127.0.0.1:{installation.settings.broker.port}"
    found = []
    for board in boards:
        name = ["--model", board.model, "--site", SITE, "--device", board.device]
        argv = [sys.executable, "-m", "firmware.sim.board", *name, "--broker", broker, "--folder", str(folder / board.device)]
        secret = {"KANHU_DEVICE_PASSWORD": installation.passwords[board.user], "PYTHONPATH": str(_PROJECT)}
        found.append(Child(f"{KIND}-{board.device}", [*argv, "--quick"], secret))
    return found


def group(boards: Sequence[Board], seen: Snapshot) -> Group:
    """What the gateway knows of them, as a line among those who send."""
    known = [device for board in boards if (device := seen.find(SITE, board.device)) is not None]
    came = sum(device.came + device.lost for device in known)
    missing = sum(device.missing for device in known)
    return Group(KIND, len(boards), sum(1 for device in known if device.online), came + missing, missing)
