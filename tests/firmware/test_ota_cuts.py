"""The power goes at any operation of an update: the old or the new version starts, whole, and the next try completes it."""

import re
import subprocess
from pathlib import Path

from tests.firmware.conftest import FIRMWARE, ROOT

HERE = Path(__file__).parent


def test_an_update_survives_a_power_cut_at_each_of_its_operations(micropython: str) -> None:
    done = subprocess.run(
        [micropython, "-X", "heapsize=8M", str(HERE / "both" / "ota_cuts.py"), "1000", "1"],
        env={"MICROPYPATH": f"{HERE / 'both'}:{FIRMWARE}:.frozen"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    found = re.search(r"cuts (\d+) then ran (.*)", done.stdout)
    assert found is not None, done.stdout[-2000:]
    assert int(found[1]) > 200
    assert "'1.0.0'" in found[2] and "'1.1.0'" in found[2], found[2]
