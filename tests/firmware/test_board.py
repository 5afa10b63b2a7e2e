"""A simulated board starts, sleeps, wakes, is reset and loses its power as an ESP32 does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firmware.sim.board import Board
from tests.firmware.bench import Make, done, make, said
from tests.firmware.conftest import ROOT, Run
from tests.servers import eventually

__all__ = ["make"]

# Says why it was started and what it remembers, then waits for what the test does.
REMEMBERS = """
import esp32, machine, os, time
from machine import RTC
nvs = esp32.NVS("t")
def stored(key):
    try:
        return nvs.get_i32(key)
    except OSError:
        return None
print("cause:", machine.reset_cause(), machine.wake_reason())
print("memory:", RTC().memory())
print("nvs:", stored("kept"), stored("uncommitted"))
print("flash:", open("/flash/file").read() if "file" in os.listdir("/flash") else None)
print("time:", time.time())
RTC().memory(b"stage")
nvs.set_i32("kept", 7)
nvs.commit()
nvs.set_i32("uncommitted", 8)
with open("/flash/file", "w") as file:
    file.write("kept")
"""


def test_a_cold_start_remembers_nothing_and_thinks_it_is_2000(make: Make) -> None:
    board = done(make(REMEMBERS + "print('year:', time.gmtime()[0], time.gmtime(0))"))
    assert said(board, "cause") == ["1 0"]
    assert said(board, "memory") == ["b''"]
    assert said(board, "nvs") == ["None None"]
    assert said(board, "flash") == ["None"]
    assert said(board, "time") == ["0"]
    assert said(board, "year") == ["2000 (2000, 1, 1, 0, 0, 0, 5, 1)"]


def test_deep_sleep_keeps_memory_and_time_and_wakes_when_it_should(make: Make) -> None:
    board = make(REMEMBERS + "machine.deepsleep(900_000) if machine.reset_cause() == 1 else None", boot_ms=350)
    done(board, 3_600_000)
    assert said(board, "cause") == ["1 0", "4 4"]
    assert said(board, "memory") == ["b''", "b'stage'"]
    assert said(board, "nvs")[1] == "7 None"
    assert said(board, "flash")[1] == "kept"
    assert said(board, "time")[1] == "900"
    assert [(reset.cause, reset.at_ms // 1000) for reset in board.resets] == [("PWRON", 0), ("DEEPSLEEP", 900)]
    assert [state for _, state in board.energy] == ["boot", "deepsleep", "boot"]


def test_a_power_cut_takes_what_no_flash_holds(make: Make) -> None:
    board = make(REMEMBERS + "print('ready: yes'); time.sleep(100000)")
    board.wait_for(lambda: said(board, "ready"))
    board.power_cut(off_ms=5000)
    board.wait_for(lambda: len(said(board, "ready")) == 2)
    assert said(board, "cause") == ["1 0", "1 0"]
    assert said(board, "memory") == ["b''", "b''"]
    assert said(board, "nvs")[1] == "7 None"
    assert said(board, "flash")[1] == "kept"
    assert said(board, "time")[1] == "0"
    assert board.resets[1].at_ms - board.resets[0].at_ms > 5000


@pytest.mark.parametrize(("how", "cause"), [("reset", 2), ("soft_reset", 5)])
def test_a_reset_keeps_the_rtc_memory(make: Make, how: str, cause: int) -> None:
    board = done(make(REMEMBERS + f"machine.{how}() if machine.reset_cause() == 1 else None"))
    assert said(board, "cause") == ["1 0", f"{cause} 0"]
    assert said(board, "memory")[1] == "b'stage'"


@pytest.mark.parametrize(
    "hangs",
    [
        pytest.param("time.sleep(1000)", id="asleep"),
        pytest.param("while True: pass", id="computing"),
        pytest.param("raise ValueError('over')", id="ended"),
        pytest.param("import asyncio; asyncio.get_event_loop().run_forever()", id="waiting"),
    ],
)
def test_a_watchdog_that_is_not_fed_bites(make: Make, hangs: str) -> None:
    board = make(
        f"""
import machine, time
print("cause:", machine.reset_cause())
if machine.reset_cause() != 3:
    wdt = machine.WDT(timeout=2000)
    for _ in range(5):
        time.sleep(1.5)
        wdt.feed()
    {hangs}
"""
    )
    board.wait_for(lambda: len(said(board, "cause")) == 2, 60_000)
    assert said(board, "cause") == ["1", "3"]
    assert board.resets[1].at_ms == pytest.approx(7500 + 2000, abs=1500)


def test_a_program_that_ends_leaves_a_board_that_stands_still(make: Make) -> None:
    board = make("raise KeyError('what it was')")
    board.wait_for(lambda: board.halted)
    board.run_for(3_600_000)
    assert board.halted == "raised KeyError"
    assert "KeyError: what it was" in board.log
    assert len(board.resets) == 1


def test_a_pin_wakes_from_deep_sleep(make: Make) -> None:
    board = make(
        """
import esp32, machine
print("cause:", machine.reset_cause(), machine.wake_reason())
if machine.reset_cause() == 1:
    esp32.wake_on_ext0(machine.Pin(33, machine.Pin.IN), esp32.WAKEUP_ALL_LOW)
    machine.deepsleep(3_600_000)
""",
        lambda board: board.set_pin(33, 1),
    )
    board.press(33, at=600_000)
    done(board, 3_600_000)
    assert said(board, "cause") == ["1 0", "4 2"]
    assert board.resets[1].at_ms == pytest.approx(600_000, abs=1000)


def test_outputs_fall_in_deep_sleep_unless_held_and_the_energy_account_shows_it(make: Make) -> None:
    board = make("""
import esp32, machine, time
if machine.reset_cause() == 1:
    machine.Pin(12, machine.Pin.OUT, value=1)
    machine.Pin(13, machine.Pin.OUT, value=1, hold=True)
    time.sleep(10)
    machine.deepsleep(60_000)
""")
    board.mark_power(12, "sensors")
    board.mark_power(13, "held")
    done(board, 600_000)
    states = [state for _, state in board.energy]
    assert states == ["boot", "sensors on", "held on", "sensors off", "deepsleep", "held off", "boot"] or states == [
        "boot", "sensors on", "held on", "sensors off", "deepsleep", "boot", "held off"
    ]  # fmt: skip
    on, off = (at for at, state in board.energy if state.startswith("sensors"))
    assert off - on == pytest.approx(10_000, abs=300)


def test_the_rtc_drifts_in_deep_sleep_and_only_there(make: Make) -> None:
    script = (
        "import machine, time; print('time:', time.time()); machine.deepsleep(3600_000) if machine.reset_cause() == 1 else 0"
    )
    board = done(make(script, sleep_drift_ppm=-16_667), 2 * 3_600_000)
    assert int(said(board, "time")[1]) == pytest.approx(3540, abs=2)


def test_the_power_goes_in_the_middle_of_a_flash_operation(make: Make) -> None:
    board = make(
        """
import machine, os, time
for n in range(40):
    with open("/flash/%d" % n, "w") as file:
        file.write("x" * 100)
print("written:", len(os.listdir("/flash")))
""",
        lambda board: board.cut_at_flash_operation(25),
    )
    done(board)
    assert len(board.resets) == 2
    assert said(board, "written") == ["40"]


def test_what_the_firmware_is_given_lies_on_its_flash(make: Make) -> None:
    board = make("print('got:', open('/flash/a/b.txt').read())", files={"/a/b.txt": b"from outside"})
    done(board)
    assert said(board, "got") == ["from outside"]
    assert board.flash.files() == {"/a/b.txt": 12}
    assert board.flash.read("/a/b.txt") == b"from outside"


def test_an_app_has_the_heap_of_a_plain_esp32(make: Make, upy: Run) -> None:
    """What the simulation itself needs comes on top: not less, and not more than two per cent."""
    measure = "import asyncio, gc; gc.collect(); gc.collect(); print('free:', gc.mem_free())"
    plain = int(upy(measure).stdout.split()[1])
    free = int(said(done(make(measure)), "free")[0])
    assert plain <= free <= plain * 1.02


def test_a_board_goes_on_where_another_stopped(tmp_path: Path, micropython: str) -> None:
    for _ in range(2):
        with Board(tmp_path, script=REMEMBERS) as board:
            done(board.start())
    assert said(board, "nvs") == ["7 None"]
    assert said(board, "flash") == ["kept"]


def test_nothing_is_left_when_the_one_who_runs_the_board_is_killed(tmp_path: Path, micropython: str) -> None:
    code = f"""
import sys, time
from pathlib import Path
from firmware.sim.board import Board
board = Board(Path({str(tmp_path)!r}), script="while True: pass", mode="real").start()
print(board.pid, flush=True)
time.sleep(60)
"""
    owner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    eventually(lambda: not _alive(pid), 5, "the firmware's process is gone")


def test_stopping_leaves_no_thread_and_no_process(tmp_path: Path, micropython: str) -> None:
    import threading

    before = threading.active_count()
    with Board(tmp_path, script="import time; time.sleep(1000)") as board:
        pid = board.start().pid
        assert pid is not None
    time.sleep(0.05)
    assert not _alive(pid)
    eventually(lambda: threading.active_count() <= before, 5, "threads are gone")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
