"""The systemd unit is accepted by systemd and shut tight; the gateway's words to systemd arrive."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge_gateway import systemd

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/kanhu-gateway.service"
CONSOLE = ROOT / "deploy/kanhu-console.service"
BACKUP = ROOT / "deploy/kanhu-backup.service"
TEXT = UNIT.read_text()


def option(name: str) -> str:
    found = re.findall(rf"^{name}=(.*)$", TEXT, re.M)
    assert found, f"{name} is not set"
    return str(found[-1])


@pytest.fixture(params=[UNIT, CONSOLE, BACKUP], ids=["gateway", "console", "backup"])
def runnable(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A unit with a program that is there; systemd looks for it."""
    unit: Path = request.param
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    file = tmp_path / unit.name
    program = f"ExecStart={os.path.realpath(sys.executable)}"
    file.write_text(re.sub(r"^ExecStart=\S+", program, unit.read_text(), flags=re.M))
    return file


def test_systemd_accepts_every_line(runnable: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(runnable)], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if runnable.name in line]
    assert not ours, ours


def test_systemd_calls_it_well_protected(runnable: Path) -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(runnable)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("systemd older than 250")
    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("User", "kanhu"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ReadWritePaths", "/var/lib/kanhu"),
        ("CapabilityBoundingSet", ""),
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("MemoryMax", "256M"),
        ("Type", "notify"),
        ("WatchdogSec", "60"),
    ],
)
def test_the_unit_has_the_rules_we_promise(name: str, value: str) -> None:
    assert option(name) == value


def test_the_program_that_the_unit_starts_is_the_one_that_gives_signs_of_life() -> None:
    sources = [ROOT / "operations" / "commands" / "serve.py", *(ROOT / "edge_gateway").glob("*.py")]
    users = [f.name for f in sources if re.search(r"systemd\.live\(", f.read_text(encoding="utf-8"))]
    assert users, "Type=notify: without `systemd.live()` in the gateway's loop systemd would restart it for ever"


async def test_ready_and_signs_of_life_arrive_at_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    manager.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    task = asyncio.create_task(systemd.live())
    heard = [await asyncio.wait_for(asyncio.get_running_loop().sock_recv(manager, 100), 5) for _ in range(4)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    last = b""
    while last != b"STOPPING=1":
        last = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(manager, 100), 5)
    manager.close()


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert not systemd.notify("READY=1")
    assert systemd.watchdog_s() is None
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/socket")
    assert not systemd.notify("READY=1")


def test_the_watchdog_of_another_process_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert systemd.watchdog_s() == 30.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert systemd.watchdog_s() is None
