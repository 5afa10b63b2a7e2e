"""Runs the platform in this terminal: mosquitto and the gateway as watched processes, a screen, and whoever sends."""

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console

from dashboards.console.address import local
from edge_gateway import commands
from edge_gateway.errors import KanhuError, Unavailable
from edge_gateway.settings import Settings
from operations.balance import Balance, Sent, balance, count_stored
from operations.boards import Board
from operations.boards import children as board_children
from operations.boards import group as board_group
from operations.install import Installation
from operations.mosquitto import find_mosquitto
from operations.screen import Face, Screen, balance_text
from operations.status import Report, report
from operations.supervise import Child, State, Supervisor

LOOK_S: Final = 0.5
SETTLE_S: Final = 15.0  # after the last message: for the outbox to get into the database
CONSOLE: Final = "console"
_SHARE: Final = 20  # counting may take one part in so many of the time


class Traffic(Protocol):
    """Simulated devices beside the platform."""

    devices: Collection[tuple[str, str]]

    def start(self) -> None:
        """Begin to send; called when the gateway is ready."""
        ...

    def books(self) -> Sent:
        """What they know now."""
        ...

    def stop(self) -> None:
        """End at once."""
        ...


@dataclass(frozen=True, slots=True)
class Show:
    """What the screen says besides what it sees."""

    title: str
    option: str
    hints: Callable[[Report | None, Sequence[object]], Sequence[str]]
    telephone: Sequence[str] = ()
    seconds: float | None = None


class Platform:
    """One run of the platform.

    Args:
        traffic: None: only real devices.
        boards: devices with real firmware, each in a process of its own; `flash`: the folder of what they keep.
    """

    def __init__(
        self,
        installation: Installation,
        console: Console,
        show: Show,
        traffic: Traffic | None = None,
        boards: Sequence[Board] = (),
        flash: Path | None = None,
    ) -> None:
        self._settings = installation.settings
        self._console, self._show, self._traffic = console, show, traffic
        self._said: list[str] = []
        self._began = time.monotonic()
        self._traffic_began: float | None = None
        self._stored: int | None = None
        self._count_at = 0.0
        self._first_stored_s: float | None = None
        self._screen = Screen(console)
        self._boards = boards
        parts = children(installation)
        if flash is not None:
            parts += board_children(boards, installation, flash)
        self._supervisor = Supervisor(parts, self._settings.data_dir, self._say)
        self.balance: Balance | None = None
        self.sent: Sent | None = None

    async def run(self) -> None:
        """Until Ctrl-C, SIGTERM, or the end of the traffic.

        Raises:
            Misconfigured: a part does not start.
        """
        parts = asyncio.create_task(self._supervisor.run())
        with self._screen:
            ending = asyncio.create_task(self._watch())
            await asyncio.wait({parts, ending}, return_when=asyncio.FIRST_COMPLETED)
            self._supervisor.stop()
            if self._traffic is not None:
                await asyncio.to_thread(self._traffic.stop)
            ending.cancel()
            with suppress(asyncio.CancelledError):
                await ending
        await parts

    async def _watch(self) -> None:
        """Look twice a second; returns when the traffic has ended and its last reading is where it belongs."""
        settle_by: float | None = None
        while True:
            face = await asyncio.to_thread(self._look)
            self._screen.show(face)
            if self._traffic is not None and self._traffic_began is None and self._ready():
                self._traffic_began = time.monotonic()
                self._traffic.start()
            if self.sent is not None and self.sent.done:
                settle_by = settle_by or time.monotonic() + SETTLE_S
                at_rest = self.balance is not None and self.balance.exact and self.balance.on_the_way == 0
                if (at_rest and not self.balance_missing()) or time.monotonic() > settle_by:
                    self._screen.show(await asyncio.to_thread(self._look), last=True)
                    return
            await asyncio.sleep(LOOK_S)

    def balance_missing(self) -> int:
        """Readings that are nowhere, as of the last count."""
        return self.balance.missing if self.balance is not None else 0

    def _ready(self) -> bool:
        return all(part.state is State.READY for part in self._supervisor.statuses if part.name != CONSOLE)

    def _look(self) -> Face:
        """In this order: the devices' books, the gateway's store, the database (see `balance`)."""
        self.sent = self._traffic.books() if self._traffic is not None and self._traffic_began is not None else None
        found: Report | None = None
        with suppress(KanhuError):
            found = report(self._settings)
        self._count(found)
        sent = self.sent
        if sent is not None and found is not None and self._boards:
            sent = replace(sent, groups=(*sent.groups, board_group(self._boards, found.snapshot)))
        ends_in_s = None
        if self._show.seconds is not None and self._traffic_began is not None:
            ends_in_s = max(0.0, self._traffic_began + self._show.seconds - time.monotonic())
        return Face(
            title=self._show.title,
            running_s=time.monotonic() - self._began,
            where=f"broker 127.0.0.1:{self._settings.broker.port} · {_short(self._settings.data_dir)}",
            option=self._show.option,
            parts=self._supervisor.statuses,
            report=found,
            sent=sent,
            balance=self.balance,
            stored=self._stored,
            stored_bytes=sum(_size(file) for file in _with_log(self._settings.readings_file)),
            telephone=self._show.telephone,
            said=self._said,
            ends_in_s=ends_in_s,
            hints=self._show.hints(found, self._supervisor.statuses),
        )

    def _count(self, found: Report | None) -> None:
        """Count the rows of the embedded database, but never spend more than a small share of the time on it."""
        began = time.monotonic()
        ended = self.sent is not None and self.sent.done
        if self._settings.influx.url or found is None or (began < self._count_at and not ended):
            return
        known = self._traffic.devices if self._traffic is not None else {(d.site, d.device) for d in found.snapshot.devices}
        try:
            self._stored = count_stored(self._settings.readings_file, known)
        except Unavailable:
            return
        self._count_at = began + _SHARE * (time.monotonic() - began)
        if self.sent is not None:
            self.balance = balance(self.sent, found.snapshot.backlog.entries, self._stored)
        if self._stored and self._first_stored_s is None:
            self._first_stored_s = time.monotonic() - self._began
            self._say(f"the first readings were in the database {self._first_stored_s:.1f} s after the start")

    def _say(self, line: str) -> None:
        self._said.append(line)
        del self._said[:-10]
        if not self._console.is_terminal:
            self._screen.say(line)


def children(installation: Installation) -> list[Child]:
    """mosquitto, where it is ours, the gateway, and the console unless it is switched off."""
    settings = installation.settings
    found: list[Child] = []
    if installation.broker is not None:
        program = find_mosquitto()
        found.append(
            Child(
                "mosquitto",
                [*program.argv, "-c", str(installation.broker)],
                program.env,
                lambda: _listens("127.0.0.1", settings.broker.port),
            )
        )
    command = [sys.executable, "-m", "kanhu"]
    option = ["--settings", str(installation.settings_file.absolute())]
    # The folder of the program, not the one we were started in: `python -m` looks there first.
    env = {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    found.append(Child("gateway", [*command, "gateway", *option], env, lambda: _connected(settings)))
    if settings.console.enabled:
        argv = [*command, CONSOLE, *option]
        found.append(Child(CONSOLE, argv, env, lambda: _listens(*local(settings.console)), vital=False))
    return found


def verdict(platform: Platform) -> tuple[str, bool]:
    """The last line of a demo that ended by itself, and whether nothing is missing."""
    b, sent = platform.balance, platform.sent
    if b is None or sent is None:
        return "nothing was counted", False
    books = (
        f"messages: generated {sent.generated:,} = receipted {sent.receipted:,} + on the way {sent.pending:,}"
        f" + declared lost {sent.lost:,} + refused {sent.refused:,}"
    )
    line = f"{books}\n{balance_text(b, sent.lost)}"
    return line, b.missing == 0 and b.on_the_way == 0 and sent.pending == 0


def _listens(host: str, port: int) -> bool:
    with suppress(OSError), closing(socket.create_connection((host, port), 0.5)):
        return True
    return False


def _connected(settings: Settings) -> bool:
    try:
        return bool(commands.call(settings.command_socket, "state", timeout_s=1.0)["connected"])
    except KanhuError:
        return False


def _with_log(file: Path) -> tuple[Path, Path]:
    return file, file.with_name(file.name + "-wal")


def _size(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_size
    return 0


def _short(path: Path) -> str:
    with suppress(ValueError):
        return str(path.absolute().relative_to(Path.cwd()))
    return str(path)
