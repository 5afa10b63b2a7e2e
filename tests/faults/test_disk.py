"""A full disk, and a power cut: what had a receipt is there, what had none comes again, and an SOS is still told."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_gateway.alerts.alert import State
from tests.faults.phone import Phone
from tests.faults.power_cut import shadow
from tests.faults.test_alerts import alerts, press
from tests.faults.world import World
from tests.servers import Mosquitto, eventually

Make = Callable[..., World]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB, where the gateway has its data folder."""
    if os.geteuid() != 0:
        pytest.skip("a small disk needs root: mount -t tmpfs")
    folder = tmp_path / "gateway" / "var"
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mount is refused here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    file = folder / "somebody-elses"
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(b"x" * 4096)
        except OSError:
            pass
    return file


@pytest.mark.slow
def test_on_a_full_disk_readings_wait_without_a_receipt_and_an_sos_is_told(world: Make, phone: Phone, small_disk: Path) -> None:
    w = world(rate=300.0, settings={"gateway": {"ballast_mb": 8}, "alerts": {"repeat_s": 3600.0}})
    w.gateway.environment = phone.people()
    w.begin()
    w.live_again()
    assert (small_disk / "ballast").stat().st_size == 8 << 20
    other = fill(small_disk)
    eventually(lambda: w.gateway.state()["full"], 15, f"the gateway notices: {w.trouble()}")
    print(f"full: {w.gateway.state()['troubles']}")
    time.sleep(0.5)
    waiting = w.sent() - w.receipted()
    pressed = press(w)
    try:
        eventually(lambda: phone.taken, 10, "somebody is told")
    except AssertionError:
        raise AssertionError(f"{w.trouble()}\n{w.gateway.log[-4000:]}") from None
    print(f"told {phone.taken[0].at_s - pressed:.2f} s after the press, on a full disk")
    assert alerts(w)[0].state in (State.RAISED, State.NOTIFIED)
    w.a_while(2.0, 3.0)
    assert w.sent() - w.receipted() > waiting + 300, "no receipts for readings"
    assert w.gateway.running
    other.unlink()
    freed = time.monotonic()
    print(f"live again {w.live_again(30.0):.1f} s after room was made")
    eventually(lambda: not w.gateway.state()["full"], 30, "full no longer")
    assert time.monotonic() - freed < 30
    w.finish().require()
    assert len(alerts(w)) == 1


@pytest.mark.slow
def test_a_full_disk_and_a_kill_on_top(world: Make, phone: Phone, small_disk: Path) -> None:
    w = world(rate=300.0, settings={"gateway": {"ballast_mb": 8}})
    w.gateway.environment = phone.people()
    w.begin()
    w.live_again()
    other = fill(small_disk)
    eventually(lambda: w.gateway.state()["full"], 15, f"the gateway notices: {w.trouble()}")
    w.gateway.kill()
    w.gateway.start()
    pressed = press(w)
    eventually(lambda: phone.taken, 15, f"somebody is told: {w.trouble()}")
    print(f"told {phone.taken[0].at_s - pressed:.2f} s after the press, on a full disk after a kill")
    other.unlink()
    print(f"live again {w.live_again(30.0):.1f} s after room was made")
    w.finish().require()


def test_a_power_cut_loses_nothing_that_had_a_receipt(world: Make, mosquitto: Mosquitto, tmp_path: Path) -> None:
    """The gateway goes on from what the worst disk would hold: only what was synced."""
    library = shadow.build(tmp_path)
    w = world(rate=300.0)
    var = w.gateway.folder / "var"
    for n in range(2):
        image = tmp_path / f"image-{n}"
        image.mkdir()
        if var.exists():
            for file in var.iterdir():
                if file.is_file():
                    shutil.copy2(file, image / file.name)
        w.gateway.environment = shadow.environment(library, image, var)
        if n == 0:
            w.begin()
        else:
            w.gateway.start()
        w.a_while(1.0, 2.0)
        # The whole box: broker and gateway.
        w.gateway.kill()
        mosquitto.kill()
        before = sum(file.stat().st_size for file in var.iterdir())
        shutil.rmtree(var)
        shutil.copytree(image, var)
        mosquitto.start()
        print(f"cut {n + 1}: {before} bytes written, {sum(file.stat().st_size for file in var.iterdir())} synced")
    w.gateway.environment = {}
    w.gateway.start()
    print(f"live again after {w.live_again():.1f} s")
    w.finish().require()
