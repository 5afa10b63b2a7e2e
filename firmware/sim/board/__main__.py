"""`python -m firmware.sim.board`: one simulated device in real time, in a little world of its own, until Ctrl-C."""

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from firmware.sim.board import rom
from firmware.sim.board.board import Board
from firmware.sim.board.furnish import MODELS, QUICK, SETTINGS
from firmware.sim.board.process import FIRMWARE

# Where nothing is there to compile with, the sources are compiled on the device, which takes more than one has.
_HEAP = "112wK"
_HEAP_FOR_SOURCES = "1m"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m firmware.sim.board", description=__doc__)
    parser.add_argument("--model", choices=sorted(MODELS), required=True)
    parser.add_argument("--site", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--broker", default="127.0.0.1:1883", help="host:port, through the board's simulated access point")
    parser.add_argument("--password", help="of <site>/<device>; better in the variable KANHU_DEVICE_PASSWORD")
    parser.add_argument("--settings", type=Path, help="JSON file of more settings, which go before ours")
    parser.add_argument("--folder", type=Path, help="keeps flash and NVS from one run to the next")
    parser.add_argument("--source", type=Path, help="folder that holds app/, or a ROM image of it; by default this project's")
    parser.add_argument("--seed", default="", help="of the world; by default site and device")
    parser.add_argument("--quick", action="store_true", help="a meal every minute, a river reading every 15 s")
    parser.add_argument("--sos-every", type=int, default=0, metavar="SECONDS", help="somebody presses SOS about so often")
    return parser.parse_args()


def settings(given: argparse.Namespace) -> dict[str, Any]:
    """The device's settings file."""
    host, _, port = given.broker.rpartition(":")
    password = given.password or os.environ.get("KANHU_DEVICE_PASSWORD", "")
    document: dict[str, Any] = {
        "site": given.site,
        "device": given.device,
        "wifi": [{"ssid": "home", "password": "kanhukanhu"}],
        "broker": {"host": host, "port": int(port), "password": password},
        "ntp": ["ntp.local"],
        **SETTINGS[given.model],
    }
    if given.quick:
        document |= QUICK[given.model]
    if given.settings is not None:
        document |= json.loads(given.settings.read_text(encoding="utf-8"))
    return document


def program(given: Path | None) -> tuple[Path, str]:
    """What runs, and in how much heap."""
    if given is not None:
        return given, _HEAP
    try:
        return rom.image(), _HEAP
    except ImportError:
        return FIRMWARE, _HEAP_FOR_SOURCES


def run(given: argparse.Namespace, folder: Path) -> None:
    """Until SIGINT or SIGTERM."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    source, heap = program(given.source)
    with Board(folder, given.model, settings(given), mode="real", source=source, heap=heap) as board:
        board.network.routes[given.broker.rpartition(":")[0], 0] = (given.broker.rpartition(":")[0], 0)
        board.tell = lambda line: print(f"{given.site}/{given.device} {line.text}", flush=True)  # noqa: T201
        MODELS[given.model](board, given.seed or f"{given.site}/{given.device}", given.quick, given.sos_every)
        board.start()
        over.wait()


def main() -> int:
    given = arguments()
    if given.folder is not None:
        run(given, given.folder)
        return 0
    with tempfile.TemporaryDirectory(prefix="kanhu-board-") as folder:
        run(given, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
