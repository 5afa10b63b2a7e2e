"""`python -m firmware.sim.board` runs each model as real firmware in its little world, before a real broker."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware.sim.board import Board, rom
from firmware.sim.board.furnish import MODELS, SETTINGS
from firmware.sim.board.world import Courier, Home, River
from tests.firmware.conftest import ROOT
from tests.servers import Mosquitto, eventually, paho_client

FIRST = {"elder_home": "temperature", "rider_reader": "memory_free", "meal_counter": "memory_free", "river_probe": "ph"}


def settings(model: str, broker: Mosquitto) -> dict[str, Any]:
    return {
        "site": "s1",
        "device": "d1",
        "wifi": [{"ssid": "home", "password": "kanhukanhu"}],
        "broker": {"host": "127.0.0.1", "port": broker.plain_port, "password": broker.passwords["s1/d1"]},
        "ntp": ["ntp.local"],
        **SETTINGS[model],
    }


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_measures_in_its_world_within_the_heap_of_a_plain_esp32(
    model: str, tmp_path: Path, mosquitto: Mosquitto, micropython: str
) -> None:
    with (
        paho_client(mosquitto) as reader,
        Board(tmp_path, model, settings(model, mosquitto), source=rom.image()) as board,
    ):
        reader.listen("kanhu/1/s1/d1/up/data")
        MODELS[model](board, "seed")
        board.start()

        def names() -> set[str]:
            return {record["n"] for message in list(reader.received) for record in json.loads(message.payload)}

        board.wait_for(lambda: FIRST[model] in names(), 1_800_000, what=FIRST[model])
        assert "MemoryError" not in board.log


def test_from_a_terminal_it_runs_until_it_is_told_to_stop(mosquitto: Mosquitto, micropython: str) -> None:
    command = [sys.executable, "-m", "firmware.sim.board", "--model", "rider_reader", "--site", "s1", "--device", "d1"]
    broker = ["--broker", f"127.0.0.1:{mosquitto.plain_port}", "--password", mosquitto.passwords["s1/d1"]]
    with paho_client(mosquitto) as reader:
        reader.listen("kanhu/1/s1/d1/up/status")
        process = subprocess.Popen([*command, *broker], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            eventually(lambda: reader.received, 30, "the birth")
        finally:
            process.send_signal(signal.SIGINT)
            told, _ = process.communicate(timeout=15)
    assert process.returncode == 0, told
    assert "Traceback" not in told


def test_the_world_is_the_same_for_the_same_seed() -> None:
    def days(seed: str) -> list[object]:
        now = [1_780_000_000_000]
        home, courier, river = Home(seed, lambda: now[0]), Courier(seed, lambda: now[0], False), River(seed, lambda: now[0])
        found: list[object] = []
        for _ in range(48):
            now[0] += 3_600_000
            found += [home.celsius(), home.in_bed(), home.next_movement_ms(), courier.next_ms(), river.ph(), river.level_m()]
        return found

    assert days("a") == days("a") != days("b")
