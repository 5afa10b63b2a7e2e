"""`kanhu up` and `kanhu demo` as a person starts them: real processes, killed in the middle, counted at the end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.errors import Misconfigured
from edge_gateway.registry import load as load_registry
from edge_gateway.settings import load
from edge_gateway.view import snapshot
from operations import boards, install
from operations.mosquitto import find_mosquitto
from operations.supervise import running
from tests.servers import Mosquitto, PahoClient, eventually, free_port, paho_client
from tests.web import ask

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def _mosquitto() -> None:
    try:
        find_mosquitto()
    except Misconfigured as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `kanhu ...` in a folder of its own; whatever still runs at the end is stopped."""
    begun: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KANHU_SETTINGS")}
        begun.append(
            subprocess.Popen(
                [sys.executable, "-m", "kanhu", *arguments],
                cwd=tmp_path,
                env={**environment, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return begun[-1]

    yield run
    for process in begun:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def pid_of(folder: Path, name: str) -> int:
    """The process of a part that is ready; 0: there is none now."""
    parts = [part for part in running(folder) or [] if part.name == name and part.state == "ready"]
    return (parts[0].pid or 0) if parts else 0


def last_balance(output: str) -> dict[str, int]:
    """The numbers of the last balance line."""
    pattern = r"generated ([\d,]+) = stored ([\d,]+) \+ on the way ([\d,]+) \+ declared lost ([\d,]+); missing ([\d,]+)"
    found = re.findall(pattern, output)
    assert found, output
    names = ("generated", "stored", "on the way", "lost", "missing")
    return {name: int(number.replace(",", "")) for name, number in zip(names, found[-1], strict=True)}


@pytest.mark.slow
def test_a_demo_shows_devices_that_run_the_real_firmware(start: Start, tmp_path: Path, micropython: str) -> None:
    demo = start("demo", "--seconds", "20", "--port", "0", "--devices", "10")
    output, _ = demo.communicate(timeout=90)
    assert demo.returncode == 0, output
    told = load(tmp_path / "var" / "demo" / "kanhu.toml")
    seen = {(d.site, d.device): d for d in snapshot(told.data_dir / "gateway.db", load_registry(told.registry)).devices}
    # The probe looks for satellites first.
    for board in boards.BOARDS[:2]:
        device = seen[boards.SITE, board.device]
        assert device.heard_ns and device.firmware.startswith(board.model) and not device.gaps, device
    assert seen[boards.SITE, "home-1"].came
    assert "probe-1 ready" in output


@pytest.mark.slow
def test_a_demo_ends_with_everything_stored_and_the_commands_find_it(start: Start, tmp_path: Path) -> None:
    demo = start("demo", "--seconds", "15", "--port", "0", "--devices", "60")
    output, _ = demo.communicate(timeout=100)
    assert demo.returncode == 0, output
    numbers = last_balance(output)
    assert numbers["stored"] == numbers["generated"] > 1000
    assert (numbers["on the way"], numbers["missing"]) == (0, 0)
    assert re.search(r"the first readings were in the database \d\.\d s after the start", output)
    # a second terminal, in the same folder, without a settings file
    status = start("status", "--json").communicate(timeout=30)[0]
    tree = json.loads(status[status.index("{") :])
    assert tree["adds_up"]
    assert [held["device"] for held in tree["held"]] == ["new-device"]
    assert tree["dead"]


@pytest.mark.slow
def test_gateway_and_broker_killed_in_the_middle_of_a_demo_cost_nothing(start: Start, tmp_path: Path) -> None:
    demo = start("demo", "--seconds", "14", "--port", "0", "--devices", "60", "--speed", "20")
    folder = tmp_path / "var" / "demo"
    for name in ("gateway", "mosquitto", "gateway"):
        eventually(lambda name=name: pid_of(folder, name), 20.0, f"{name} to be ready")
        eventually(lambda: (folder / "readings.db").exists(), 10.0, "the first readings")
        os.kill(pid_of(folder, name), signal.SIGKILL)
    output, _ = demo.communicate(timeout=110)
    assert demo.returncode == 0, output
    numbers = last_balance(output)
    assert numbers["stored"] == numbers["generated"] > 1000
    assert numbers["missing"] == 0
    assert "gateway died (killed by SIGKILL)" in output
    assert "mosquitto is back after" in output


@pytest.mark.slow
def test_up_serves_a_device_that_is_added_while_it_runs(start: Start, tmp_path: Path) -> None:
    up = start("up", "--port", "0")
    folder = tmp_path / "var"
    eventually(lambda: pid_of(folder, "gateway"), 20.0, "the gateway to be ready")
    second = start("up")
    assert "already runs in var" in second.communicate(timeout=20)[0]
    assert second.returncode == 3
    said = start("device", "add", "yunhe", "home-7", "--place", "3-2-701").communicate(timeout=20)[0]
    assert "the broker knows" in said
    password = re.findall(r"^password (\S+)$", said, re.M)[0]
    settings = load(folder / "kanhu.toml")

    def session() -> PahoClient:
        broker = Mosquitto.__new__(Mosquitto)
        broker.plain_port, broker.passwords = settings.broker.port, {}
        return paho_client(broker, "yunhe/home-7", password=password)

    with session() as client:
        client.listen("kanhu/1/yunhe/home-7/down/receipt")
        reading = [{"boot": 1, "seq": 1, "clk": "ntp", "bt": 1_790_000_000, "n": "temperature", "v": 21.5}]
        client.publish_all([("kanhu/1/yunhe/home-7/up/data", json.dumps(reading).encode())])
        eventually(lambda: client.received, 10.0, "a receipt")
        assert json.loads(client.received[0].payload)["upto"] == 1
    assert "1 of 1" in start("status").communicate(timeout=20)[0]
    start("device", "revoke", "yunhe", "home-7").communicate(timeout=20)
    up.terminate()
    output, _ = up.communicate(timeout=20)
    assert up.returncode == 0, output
    assert "stopped; everything is in" in output
    assert "yunhe/home-7" not in (folder / "mosquitto" / "passwords").read_text()


def test_what_up_makes_is_for_its_user_alone_and_stays(tmp_path: Path) -> None:
    made = install.prepare(tmp_path / "var", port=free_port())
    first = {file: file.read_bytes() for file in (tmp_path / "var").rglob("*") if file.is_file()}
    assert all(file.stat().st_mode & 0o077 == 0 for file in first if file.name != "registry.toml")
    assert made.settings.registry.read_text() == install.EXAMPLE_REGISTRY
    made.settings.registry.write_text("[sites.mine]\n")
    again = install.prepare(tmp_path / "var")
    assert again.settings.model_dump() == made.settings.model_dump()
    assert again.settings.registry.read_text() == "[sites.mine]\n"
    secret = tmp_path / "var" / "secrets" / "gateway"
    assert secret.read_bytes() == first[secret]


def test_a_taken_port_names_who_has_it_and_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured) as error:
            install.prepare(tmp_path / "var", port=port)
    assert f"port {port} is taken by " in str(error.value)
    assert f"(process {os.getpid()})" in str(error.value)
    assert "--port 0" in str(error.value)


def test_a_broker_elsewhere_is_not_started_here(tmp_path: Path) -> None:
    file = tmp_path / "kanhu.toml"
    file.write_text(f'data_dir = "{tmp_path}"\n[broker]\nhost = "broker.example.org"\n')
    assert install.prepare(tmp_path, file).broker is None


def test_a_demo_never_empties_somebodys_folder(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_text("years of work")
    with pytest.raises(Misconfigured, match="not the folder of a demo"):
        install.fresh_demo(tmp_path)
    assert (tmp_path / "gateway.db").read_text() == "years of work"
    install.fresh_demo(tmp_path / "demo")
    (tmp_path / "demo" / "gateway.db").write_text("of the last demo")
    (tmp_path / "demo" / "mine.csv").write_text("mine")
    install.fresh_demo(tmp_path / "demo")
    assert not (tmp_path / "demo" / "gateway.db").exists()
    assert (tmp_path / "demo" / "mine.csv").exists()


def test_commands_mean_the_platform_that_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert install.find_settings(None) is None
    for folder in (install.FOLDER, install.DEMO_FOLDER):
        folder.mkdir(parents=True)
        (folder / "kanhu.toml").touch()
    assert install.find_settings(None) == install.FOLDER / "kanhu.toml"
    runs: dict[Path, Any] = {install.DEMO_FOLDER: []}
    monkeypatch.setattr(install, "running", runs.get)
    assert install.find_settings(None) == install.DEMO_FOLDER / "kanhu.toml"
    Path("kanhu.toml").touch()
    assert install.find_settings(None) == Path("kanhu.toml")
    assert install.find_settings(Path("other.toml")) == Path("other.toml")


def test_up_starts_the_console_and_a_dead_one_costs_the_others_nothing(start: Start, tmp_path: Path) -> None:
    start("up", "--folder", str(tmp_path / "var"), "--port", str(free_port()))
    data_dir = tmp_path / "var"

    def parts() -> dict[str, Any]:
        return {part.name: part for part in running(data_dir) or []}

    eventually(lambda: "console" in parts() and parts()["console"].state == "ready", 90, "the console")
    before, settings = parts(), load(data_dir / "kanhu.toml")
    assert ask(f"http://127.0.0.1:{settings.console.port}/").headers["location"] == "/login"
    os.kill(before["console"].pid, signal.SIGKILL)
    eventually(lambda: parts()["console"].restarts == 1 and parts()["console"].state == "ready", 90, "the console again")
    for name in ("mosquitto", "gateway"):
        assert (parts()[name].pid, parts()[name].restarts) == (before[name].pid, 0)
