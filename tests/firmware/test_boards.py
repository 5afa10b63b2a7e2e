"""What is frozen into an image: a damaged flash never leaves a device mute, and the partition tables fit their chips."""

import csv
from pathlib import Path
from typing import Any

import pytest

from operations.firmware import build
from tests.firmware.conftest import FIRMWARE, ROOT, Run

BOARDS = FIRMWARE / "boards"
BEGIN = """
import sys, vfs
from scaffold import raises
from releases import Nvs

class Flash:
    def __init__(self):
        self.memory = bytearray(b"\\xff" * (4096 * 16))
    def readblocks(self, n, buffer, offset=0):
        buffer[:] = self.memory[n * 4096 + offset : n * 4096 + offset + len(buffer)]
    def writeblocks(self, n, buffer, offset=0):
        self.memory[n * 4096 + offset : n * 4096 + offset + len(buffer)] = buffer
    def ioctl(self, operation, argument):
        if operation == 6:
            self.memory[argument * 4096 : argument * 4096 + 4096] = b"\\xff" * 4096
        return {4: 16, 5: 4096}.get(operation, 0)

class Reset(BaseException):
    pass

class machine:
    def reset():
        raise Reset

kept = Nvs()
class esp32:
    NVS = lambda name: kept

class flashbdev:
    bdev = Flash()

sys.modules.update(machine=machine, esp32=esp32, flashbdev=flashbdev)
import inisetup
inisetup.time = type("time", (), {"sleep": lambda seconds: None})
from app import rescue

frozen = {name: sys.modules[name] for name in sys.modules if name.split(".")[0] == "app"}

def start():
    "What a start comes to: mounted or reset."
    sys.modules.update(frozen)
    try:
        inisetup.mount(flashbdev.bdev)
        return "mounted"
    except Reset:
        return "reset"
    finally:
        try:
            vfs.umount("/")
        except OSError:
            pass

def with_flash(work):
    vfs.mount(vfs.VfsLfs2(flashbdev.bdev), "/")
    try:
        return work()
    finally:
        vfs.umount("/")

def write(path, content):
    with open(path, "wb") as file:
        file.write(content)

def read(path):
    with open(path, "rb") as file:
        return file.read()
"""


@pytest.fixture
def boot(upy: Run) -> Any:
    def run(code: str) -> str:
        done = upy(BEGIN + code, path=[BOARDS / "modules", ROOT / "tests/firmware/both", FIRMWARE], heap="2M")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_new_chip_is_formatted_at_once_and_not_counted_as_damage(boot: Any) -> None:
    said = boot('print(start(), start(), kept.kept.get("fs_formats", 0))')
    assert "mounted mounted 0" in said


def test_a_damaged_flash_is_tried_three_times_then_made_anew_and_gets_its_settings_back(boot: Any) -> None:
    said = boot(
        """
start()
def good():
    write("/settings.json", b'{"site":"s"}')
    rescue.keep("", kept)
with_flash(good)
flashbdev.bdev.memory[:8192] = b"\\x00" * 8192
print([start() for _ in range(3)], kept.kept["fs_formats"], kept.kept["fs_failed"])
print(with_flash(lambda: read("/settings.json")))
print("app" in sys.modules)
"""
    )
    assert "['reset', 'reset', 'mounted'] 1 0" in said
    assert """b'{"site":"s"}'""" in said
    assert said.endswith("False\n")  # the code that runs is chosen later


def test_a_flash_that_mounts_again_loses_nothing(boot: Any) -> None:
    said = boot(
        """
start()
with_flash(lambda: write("/x", b"here"))
good = bytes(flashbdev.bdev.memory)
flashbdev.bdev.memory[:8192] = b"\\x00" * 8192
print(start(), start())
flashbdev.bdev.memory[:] = good
print(start(), with_flash(lambda: read("/x")), kept.kept.get("fs_formats", 0))
"""
    )
    assert "reset reset\nmounted b'here' 0" in said


@pytest.mark.parametrize(("name", "mib"), [("partitions-4MiB-ota.csv", 4), ("partitions-8MiB-ota.csv", 8)])
def test_a_partition_table_fits_its_chip_without_overlap_and_with_two_slots(name: str, mib: int) -> None:
    lines = [line for line in (BOARDS / name).read_text().splitlines() if not line.startswith("#")]
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines)]
    ends = 0x9000
    for label, kind, _, offset, size in rows:
        assert int(offset, 16) >= ends, label
        # The processor maps flash in pages of 64 KiB.
        assert int(offset, 16) % (0x10000 if kind == "app" else 0x1000) == 0, label
        ends = int(offset, 16) + int(size, 16)
    assert ends <= mib << 20
    sizes = {row[0]: int(row[4], 16) for row in rows}
    assert sizes["ota_0"] == sizes["ota_1"] >= 0x180000
    assert sizes["vfs"] >= 0xC0000


def test_the_manifest_freezes_what_a_build_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = build.build("elder_home", "1.0.0", tmp_path)
    monkeypatch.setenv("KANHU_FROZEN", str(built.folder / "frozen"))
    frozen: list[Path] = []

    def module(name: str, base_path: str) -> None:
        if not base_path.startswith("$("):
            frozen.append(BOARDS / base_path / name)

    def package(name: str, base_path: str) -> None:
        frozen.extend((Path(base_path) / name).rglob("*.py"))

    known = {"module": module, "package": package, "include": lambda _: None, "require": lambda _: None}
    exec((BOARDS / "manifest.py").read_text(), known)
    assert all(file.is_file() for file in frozen)
    names = {file.name for file in frozen}
    assert {"_boot.py", "inisetup.py", "main.py", "boot.py", "slots.py", "elder_home.py", "rescue.py", "set_up.py"} <= names
    assert 'VERSION = "1.0.0"' in (built.folder / "frozen/app/release.py").read_text()
