"""A simulated board with a script of its own, and what a script says by printing `name: value`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.sim.board import Board

Make = Callable[..., Board]
SSID, PASSWORD = "home", "kanhukanhu"

# What scripts begin with that need the network.
ONLINE = f"""
import asyncio, network, socket, time
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
wlan.connect({SSID!r}, {PASSWORD!r})
while not wlan.isconnected():
    time.sleep_ms(20)
"""


def said(board: Board, name: str) -> list[str]:
    """The values that the firmware printed as `name: value`, in their order."""
    return [line.text.partition(": ")[2] for line in list(board.lines) if line.text.startswith(name + ": ")]


def done(board: Board, within_ms: int = 60_000) -> Board:
    """Let it run until its program is over."""
    board.wait_for(lambda: board.halted, within_ms, what="the end of the program")
    assert board.halted in ("returned", "exit"), board.log
    return board


@pytest.fixture
def make(tmp_path: Path, micropython: str) -> Iterator[Make]:
    """Boards that are stopped at the end; `make(script, **how)` starts one."""
    boards: list[Board] = []

    def one(script: str, prepare: Callable[[Board], object] = lambda board: None, **how: Any) -> Board:
        board = Board(tmp_path / f"board{len(boards)}", script=script, **how)
        boards.append(board)
        prepare(board)
        return board.start()

    yield one
    for board in boards:
        board.stop()
