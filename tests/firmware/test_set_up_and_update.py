"""A device from the box to its second version, as a person meets it: page, one-time code, readings, update from afar.

The firmware is what `kanhu firmware build` makes, on a simulated board; broker and gateway are those of `kanhu up`.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import load
from firmware.sim.board import Board
from operations.firmware import build, bundle, keys, serve
from operations.mosquitto import find_mosquitto
from operations.supervise import running
from tests.servers import eventually, free_port
from tests.web import Answer, ask, serving

ROOT = Path(__file__).resolve().parents[2]
# As a device starts: MicroPython runs /main.py, which is `import boot; boot.run()`, with /lib on its path.
MAIN = 'import sys\nsys.path.append("/flash/lib")\nimport boot\nboot.run("/flash")\n'


class Site:
    """`kanhu up` in a folder, and its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "var" / "kanhu.toml"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kanhu", "up", "--folder", str(folder / "var"), "--port", str(free_port())],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=(folder / "up.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: self._process.poll() is not None or self._is_up(), 60, "kanhu up")
            assert self._process.poll() is None, "kanhu up has ended"
        except BaseException as error:
            self.stop()
            raise AssertionError(f"{error}\n{(folder / 'up.log').read_text()}") from error
        self.port = load(self.settings).broker.port

    def _is_up(self) -> bool:
        parts = {part.name: part.state for part in running(self.folder / "var") or []}
        return all(parts.get(name) == "ready" for name in ("mosquitto", "gateway"))

    def kanhu(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "kanhu", *arguments, "--settings", str(self.settings)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def code(self, device: str) -> str:
        found = re.search(rf"{device}/[0-9A-Z-]+", self.kanhu("device", "enrol", *device.split("/")))
        assert found is not None
        return found[0]

    def device(self, name: str) -> dict[str, Any]:
        """What `kanhu status` knows of it."""
        return next(d for d in json.loads(self.kanhu("status", "--json"))["devices"] if f"{d['site']}/{d['device']}" == name)

    @property
    def users(self) -> list[str]:
        lines = (self.folder / "var" / "mosquitto" / "passwords").read_text().splitlines()
        return [line.partition(":")[0] for line in lines]

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    try:
        find_mosquitto()
    except Misconfigured as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    made = Site(tmp_path)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    keys.make(folder, "")
    return folder


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served as `kanhu firmware serve` does, and its address."""
    folder = tmp_path / "releases"
    (folder / "x" / "0").mkdir(parents=True)
    (folder / "x" / "0" / "release.json").touch()
    with serving(serve.app(folder)) as address:
        yield folder, address


def flashed(built: build.Build) -> dict[str, bytes]:
    """The files of a device's flash after `kanhu firmware flash`."""
    return {f"/{file.relative_to(built.flash)}": file.read_bytes() for file in built.flash.rglob("*") if file.is_file()}


def board(folder: Path, built: build.Build, **files: bytes) -> Board:
    nothing = folder / "nothing"
    nothing.mkdir(parents=True)
    # Code from files lies in RAM, and its objects are twice as large on 64 bit: more than where it is frozen into the image.
    return Board(folder / "board", script=MAIN, source=nothing, mode="real", heap="160wK", files={**flashed(built), **files})


def wait(device: Board, goal: Callable[[], object], within_s: float, what: str) -> None:
    """As `eventually`, but with what the device printed up to the end."""
    try:
        eventually(goal, within_s, what)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{device.log[-3000:]}") from None


def page(device: Board, **fields: str) -> str:
    """The set-up page, or the answer to what was typed into it."""
    wait(device, lambda: device.soft_ap.active and 80 in device.network.served, 20, "the portal")
    address = f"http://127.0.0.1:{device.network.served[80]}/"

    answers: list[Answer] = []

    def asked() -> bool:
        with suppress(OSError):
            answers.append(ask(address, fields or None))
        return bool(answers)

    wait(device, asked, 10, "an answer")
    assert answers[0].status == 200
    return answers[0].text


def test_from_the_box_to_the_second_version(site: Site, tmp_path: Path, key_folder: Path, releases: tuple[Path, str]) -> None:
    public = keys.public(key_folder)
    site.kanhu("device", "add", "yunhe", "home-7", "--model", "elder_home", "--cadence", "5", "--password-file", "old-password")
    code = site.code("yunhe/home-7")
    first = build.build("elder_home", "1.0.0", tmp_path / "build", public)
    typed = {"ssid": "home", "wifi_password": "kanhukanhu", "host": "127.0.0.1", "port": str(site.port)}
    with board(tmp_path, first) as device:
        device.start()
        assert "接入码" in page(device)
        assert device.soft_ap.settings["security"] == b"3" and len(device.soft_ap.settings["password"]) == 12
        assert "a character of the code is wrong" in page(device, code=code[:-1] + ("0" if code[-1] != "0" else "1"), **typed)
        assert "Saved" in page(device, code=code, **typed)

        wait(device, lambda: site.device("yunhe/home-7")["online"], 40, "the device")
        assert site.device("yunhe/home-7")["firmware"].startswith("elder_home 1.0.0 ")
        # The code is worth nothing any more, and the password that `device add` made neither.
        eventually(lambda: "_enrol/yunhe/home-7" not in site.users, 10, "the end of the code")

        second = build.build("elder_home", "1.1.0", tmp_path / "build", public)
        folder, address = releases
        bundle.release(second.folder, keys.load(key_folder / "present.pem"), folder)
        told = site.kanhu("firmware", "update", f"{address}/elder_home/1.1.0", "--device", "yunhe/home-7")
        assert "yunhe/home-7: 1.0.0 -> 1.1.0" in told
        wait(device, lambda: site.device("yunhe/home-7")["update"] == "1.1.0 runs", 60, "the second version")
        assert site.device("yunhe/home-7")["firmware"].startswith("elder_home 1.1.0 ")
        assert "1 run 1.1.0 already" in site.kanhu("firmware", "update", f"{address}/elder_home/1.1.0", "--percent", "100")
        device.stop()
        assert len(json.loads(device.flash.read("/settings.json"))["broker"]["password"]) == 64
        assert not {"/enrol.json", "/update.json"} & device.flash.files("/").keys()
        assert device.flash.read("/slot").startswith(b"b good a")
