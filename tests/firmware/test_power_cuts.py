"""The outbox on littlefs, on a flash that loses power at any operation; and what it costs in erased blocks and in heap."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def sweep(micropython: str, *argv: str) -> dict[str, Any]:
    """What the sweep saw; it runs with more heap than a device, for the flash and the gateway's memory are in it too."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=16m", str(HERE / "power_cut_sweep.py"), *argv],
        env={"MICROPYPATH": f"{HERE}:{HERE.parents[1] / 'firmware'}:.frozen"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("first", "rtc", "space"),
    [("1", "lost", "small"), ("2", "kept", "small"), ("2", "lost", "none"), ("1", "kept", "none")],
)
def test_a_power_cut_at_any_operation_loses_nothing_in_silence(first: str, rtc: str, space: str, micropython: str) -> None:
    # Every second operation each, so that the four together cut each operation of both days.
    seen = sweep(micropython, first, "2", rtc, space)
    assert seen["operations"] > 800
    assert seen["cuts"] == seen["days"] >= seen["operations"] // 2
    assert seen["declared"] > 0


@pytest.mark.parametrize("rtc", ["lost", "kept"])
@pytest.mark.parametrize("space", ["small", "none"])
def test_a_day_of_many_power_cuts_loses_nothing_in_silence(rtc: str, space: str, micropython: str) -> None:
    seen = sweep(micropython, "30", "0", rtc, space)
    assert seen["cuts"] > 150


RAM = "device = flash.attach(flash.RamFlash(bytearray(256 * 4096)))"
FILE = "device = flash.mount(sys.argv[1], 256 * 4096)"
OUTBOX = """
import gc
import sys
from sim import flash
from sim.power import Nvs, RtcMemory
from app.rtc_memory import Region, STAGE
from app.outbox import DATA, EVENT, Outbox

FLASH
nvs = Nvs()
box = Outbox("/flash/outbox", Region(RtcMemory(), *STAGE), nvs, False)

def put(number):
    up = 60000 * number + number * 7919 % 977
    body = b'"n":"temperature","v":%d.%d},{"n":"humidity","v":%d}]' % (20 + number % 3, number * 7 % 10, 45 + number % 5)
    return box.put(DATA, (up, 1780000000000 + up, "ntp", 50 + number % 60 * 3), body)
"""

OFFLINE = """
device.erases = device.written = nvs.entries = 0
for number in range(5000):
    seq = put(number)
    if number % 500 == 499:  # the gateway is back
        box.receipt(box.boot, seq, [], [])
print((device.erases + nvs.erases()) / 5000, device.written / 5000)
"""

ONLINE = """
device.erases = device.written = nvs.entries = 0
for number in range(1000):
    seq = put(number)
    assert box.batch(8, ())[0][2] == seq
    box.receipt(box.boot, seq, [], [])
print(device.erases, device.written, nvs.erases() / 1000)
"""

FULL = """
gc.collect()
before = gc.mem_free()
number = 0
while not box.counters["dropped"]:
    number += 1
    put(number)
gc.collect()
print(before - gc.mem_free(), number, box.depth()[2])
on_its_way = set()
while len(on_its_way) < 64:
    on_its_way |= {(boot, seq) for _, boot, seq, _ in box.batch(8, on_its_way)}
"""


def test_a_reading_costs_a_twentieth_of_an_erased_block_at_most(upy: Any) -> None:
    # Of about 70 bytes: 52 of body and the stamp. The pages of NVS that are erased are in it.
    done = upy(OUTBOX.replace("FLASH", RAM) + OFFLINE, heap="4m")
    assert done.returncode == 0, done.stderr
    erases, written = map(float, done.stdout.splitlines()[-1].split())
    assert erases <= 0.05, erases
    assert written <= 100, written


def test_online_a_reading_never_touches_the_flash(upy: Any) -> None:
    done = upy(OUTBOX.replace("FLASH", RAM) + ONLINE, heap="4m")
    assert done.returncode == 0, done.stderr
    erases, written, pages = map(float, done.stdout.splitlines()[-1].split())
    assert (erases, written) == (0, 0)
    assert pages <= 0.02, "of NVS, per reading"


def test_a_full_outbox_takes_little_heap_and_its_readings_go_out_with_that_of_a_device(upy: Any, tmp_path: Path) -> None:
    done = upy(OUTBOX.replace("FLASH", FILE) + FULL, str(tmp_path / "flash.img"))
    assert done.returncode == 0, done.stderr
    taken, put, held = map(int, done.stdout.splitlines()[-1].split())
    # Words here are twice as long as on the device.
    assert taken / 2 <= 10_000, taken
    assert put > 4320, "three days of a reading a minute are to fit"
    assert held > 4320


SHORT = """
seen = []
class Watched:
    # The heap that is free right before each file is written.
    def __call__(self, path, *parts):
        gc.collect()
        seen.append(gc.mem_free())
        return write(path, *parts)
from app import files
write, files.write = files.write, Watched()
for number in range(500):
    box.put(DATA, (1000 * number, 1780000000000 + 1000 * number, "ntp", 5), b'"n":"motion.kitchen","vb":true}]')
assert seen
gc.collect()
print(gc.mem_free() - min(seen))
"""


def test_a_stage_of_many_short_readings_goes_to_flash_without_being_unpacked_as_a_whole(upy: Any, tmp_path: Path) -> None:
    done = upy(OUTBOX.replace("FLASH", FILE) + SHORT, str(tmp_path / "flash.img"))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) / 2 <= 8_000


FILE_FLASH = """
import sys
from sim import flash
flash.mount(sys.argv[1], 64 * 4096)
from app import files
if sys.argv[2] == "write":
    files.write("/flash/a", bytes(range(256)) * 40)
    sys.exit(0)
print(files.read("/flash/a") == bytes(range(256)) * 40, files.listing("/flash"))
"""


def test_the_simulated_boards_flash_outlives_its_process(upy: Any, tmp_path: Path) -> None:
    image = str(tmp_path / "flash.img")
    assert upy(FILE_FLASH, image, "write").returncode == 0
    done = upy(FILE_FLASH, image, "read")
    assert done.stdout.strip() == "True [('a', 10244)]", done.stderr
    assert Path(image).stat().st_size == 64 * 4096
