"""The supervisor, with real processes: what dies comes back, and nothing is left when it goes, however it goes."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured
from operations import supervise
from operations.logfile import LogFile
from operations.supervise import Child, State, Supervisor, running

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def eventually(claim: Callable[[], bool], within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def supervised(folder: Path, *children: Child, said: list[str] | None = None) -> AsyncIterator[Supervisor]:
    lines = said if said is not None else []
    supervisor = Supervisor(children, folder, lines.append)
    task = asyncio.create_task(supervisor.run())
    try:
        vital = {child.name for child in children if child.vital}
        await eventually(lambda: task.done() or all(s.state == State.READY for s in supervisor.statuses if s.name in vital))
        if task.done():
            task.result()
        yield supervisor
    finally:
        supervisor.stop()
        with suppress(Misconfigured):
            await task


async def test_children_start_in_order_each_after_the_one_before_is_ready(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    supervisor = Supervisor([Child("first", SLEEPER, ready=gate.exists), Child("second", SLEEPER)], tmp_path, print)
    task = asyncio.create_task(supervisor.run())
    await eventually(lambda: supervisor.statuses[0].state == State.STARTING)
    await asyncio.sleep(0.2)
    assert supervisor.statuses[1].state == State.WAITING
    gate.touch()
    await eventually(lambda: supervisor.statuses[1].state == State.READY)
    supervisor.stop()
    await task


async def test_a_killed_child_comes_back_and_both_moments_are_told_once(tmp_path: Path) -> None:
    said: list[str] = []
    async with supervised(tmp_path, Child("gateway", SLEEPER), said=said) as supervisor:
        first = supervisor.statuses[0].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: supervisor.statuses[0].state == State.READY and supervisor.statuses[0].pid != first)
        assert supervisor.statuses[0].restarts == 1
    assert len(said) == 2, said
    assert said[0] == "gateway died (killed by SIGKILL); starting it again"
    assert said[1].startswith("gateway is back after ")


async def test_a_child_that_keeps_dying_is_started_at_most_once_a_second_and_told_once(tmp_path: Path) -> None:
    said: list[str] = []
    starts = tmp_path / "starts"
    script = f"import time; open({str(starts)!r}, 'a').write(f'{{time.monotonic()}}\\n'); time.sleep(0.3); exit('no disk')"
    # Ready once, so that it is not given up as one that never worked.
    async with supervised(tmp_path, Child("flapping", [sys.executable, "-c", script]), said=said):
        await eventually(lambda: starts.exists() and len(starts.read_text().split()) >= 3)
    times = [float(t) for t in starts.read_text().split()]
    # What the children wrote: each needs a moment to get up, on a busy machine half a second.
    assert all(later - earlier > 0.4 for earlier, later in pairwise(times)), times
    assert times[2] - times[0] > 2.4, "1 s, then 2"
    assert said[0] == "flapping died (exit code 1): no disk; starting it again"


async def test_somebody_who_looks_whether_it_runs_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    """`kanhu status` holds the lock for a moment; asked time after time beside a start, that moment is met."""
    (tmp_path / "log").mkdir()
    with (tmp_path / "supervisor.lock").open("ab") as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)
        asyncio.get_running_loop().run_in_executor(None, lambda: (time.sleep(0.3), looks.close()))
        async with supervised(tmp_path, Child("one", SLEEPER)):
            assert running(tmp_path) is not None


async def test_a_child_that_never_works_is_an_error_with_its_own_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "RESTART_S", 0.05)
    broken = Child(
        "mosquitto", [sys.executable, "-c", "raise SystemExit('Error: Address already in use')"], ready=lambda: False
    )
    with pytest.raises(Misconfigured, match=r"mosquitto does not start \(exit code 1\): Error: Address already in use"):
        async with supervised(tmp_path, Child("other", SLEEPER), broken):
            pass
    assert running(tmp_path) is None


async def test_what_is_not_vital_may_never_work_and_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "RESTART_S", 0.02)
    broken = Child("console", [sys.executable, "-c", "raise SystemExit('no port')"], ready=lambda: False, vital=False)
    children = (Child("gateway", SLEEPER), broken, Child("board", SLEEPER))
    async with supervised(tmp_path, *children) as supervisor:
        gateway, console, board = supervisor.statuses
        await eventually(lambda: board.state == State.READY)
        await eventually(lambda: console.restarts > supervise.FIRST_TRIES)
        assert gateway.state == State.READY
        assert gateway.restarts == 0


async def test_a_missing_program_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot start broker"):
        async with supervised(tmp_path, Child("broker", ["/nowhere/mosquitto"])):
            pass


async def test_stop_is_in_reverse_order_and_a_child_that_will_not_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "STOP_S", 1.0)
    said: list[str] = []
    up = tmp_path / "log" / "stubborn.log"
    stubborn = Child("stubborn", STUBBORN, ready=lambda: up.exists() and "up" in up.read_text())
    async with supervised(tmp_path, Child("polite", SLEEPER), stubborn, said=said) as supervisor:
        pids = [s.pid for s in supervisor.statuses]
        began = time.monotonic()
        supervisor.stop()
        await eventually(lambda: all(s.state == State.STOPPED for s in supervisor.statuses))
    assert time.monotonic() - began < 3
    assert not any(alive(pid) for pid in pids if pid)
    assert said == ["stubborn did not stop when asked; killed"]


async def test_what_runs_can_be_asked_from_another_process_and_only_one_may_run(tmp_path: Path) -> None:
    assert running(tmp_path) is None
    async with supervised(tmp_path, Child("gateway", SLEEPER)) as supervisor:
        code = f"from operations.supervise import running; from pathlib import Path; print(running(Path({str(tmp_path)!r})))"
        seen = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert f"pid={supervisor.statuses[0].pid}" in seen
        with pytest.raises(Misconfigured, match="already runs"):
            await Supervisor([Child("x", SLEEPER)], tmp_path, print).run()
        assert running(tmp_path) is not None, "the second one left the first one's state alone"
    assert running(tmp_path) is None


PROGRAM = """
import asyncio, sys
from pathlib import Path
from operations.supervise import Child, Supervisor
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
asyncio.run(Supervisor([Child("a", sleeper), Child("b", sleeper)], Path(sys.argv[1])).run())
"""


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_no_child_outlives_its_supervisor(sig: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT)
    try:
        await eventually(lambda: [s.state for s in running(tmp_path) or []] == [State.READY, State.READY])
        pids = [s.pid for s in running(tmp_path) or []]
        began = time.monotonic()
        process.send_signal(sig)
        process.wait(timeout=10)
        assert time.monotonic() - began < 5
        await eventually(lambda: not any(alive(pid) for pid in pids if pid), within_s=5)
        assert running(tmp_path) is None
    finally:
        process.kill()
        process.wait()


async def test_output_goes_to_a_log_file_of_its_own(tmp_path: Path) -> None:
    async with supervised(tmp_path, Child("gateway", SLEEPER)):
        await eventually(lambda: (tmp_path / "log" / "gateway.log").exists())
        await eventually(lambda: (tmp_path / "log" / "gateway.log").read_text() == "hello\n")


def test_a_log_file_keeps_itself_and_one_predecessor(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log" / "x.log", max_bytes=100)
    for number in range(50):
        file.append(f"line {number}\n".encode())
    file.close()
    assert sorted(p.name for p in (tmp_path / "log").iterdir()) == ["x.log", "x.log.1"]
    assert all(p.stat().st_size <= 100 for p in (tmp_path / "log").iterdir())
    assert file.last_line == "line 49"


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    file = LogFile(Path("/proc/no/such/folder/x.log"))
    file.append(b"words\n")
    assert file.last_line == "words"


def test_the_state_file_of_a_dead_supervisor_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "supervisor.lock").touch()
    (tmp_path / "supervisor.json").write_text(json.dumps({"pid": 1, "children": []}))
    assert running(tmp_path) is None
