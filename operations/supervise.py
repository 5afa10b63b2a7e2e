"""Starts the parts as child processes in order, brings back what dies, and leaves nothing behind when it goes itself."""

import asyncio
import ctypes
import fcntl
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from edge_gateway.errors import Misconfigured
from operations.logfile import LogFile

log = logging.getLogger("kanhu.supervise")

RESTART_S: Final = 1.0  # two starts of a child are at least this far apart; doubled with each failure in a row
RESTART_MAX_S: Final = 30.0
HEALTHY_S: Final = 30.0  # who has lived this long begins again with RESTART_S
FIRST_TRIES: Final = 3  # a child that was never ready is given up after so many starts
READY_WITHIN_S: Final = 30.0
STOP_S: Final = 5.0  # for all children together, then they are killed
_POLL_S: Final = 0.05
_LOOKERS_GO_WITHIN_S: Final = 1.0  # `running` holds the lock for the moment in which it looks
_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None, use_errno=True)  # loaded here: nothing may be loaded between fork and exec


@dataclass(frozen=True, slots=True)
class Child:
    """A program to keep running.

    Attributes:
        name: for people, the state file and the log file.
        argv: program and arguments.
        env: added to this process's environment.
        ready: whether it does its work now; called in a thread, may block for about a second.
        vital: without it the others make no sense. Nobody waits for one that is not, and it is tried for ever.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    vital: bool = True


class State(StrEnum):
    """What a child is doing."""

    WAITING = "waiting"  # for the children before it, or for its next start
    STARTING = "starting"
    READY = "ready"
    STOPPED = "stopped"


@dataclass(slots=True)
class Status:
    """What is known of a child; `since` is seconds since 1970, `pid` None while there is no process."""

    name: str
    state: str = State.WAITING
    pid: int | None = None
    since: float = 0.0
    restarts: int = 0
    last_exit: str = ""


class Supervisor:
    """Keeps children running until `stop()` or a signal.

    Args:
        children: in the order of starting; they are stopped in the reverse order.
        data_dir: holds `supervisor.json` (for `running`) and `log/<name>.log`.
        say: is given one line when something dies, comes back or does not start.
    """

    def __init__(self, children: Sequence[Child], data_dir: Path, say: Callable[[str], None] = log.warning) -> None:
        self._keepers = [_Keeper(child, data_dir / "log" / f"{child.name}.log", say, self._save) for child in children]
        self._data_dir = data_dir
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to stop all children and return; may be called from a signal handler of the loop."""
        self._stopping.set()

    @property
    def statuses(self) -> list[Status]:
        """The children as they are now, in the order of starting."""
        return [keeper.status for keeper in self._keepers]

    async def run(self) -> None:
        """Start all, watch, stop all. Call it in the main thread: a child dies with the thread that started it.

        Raises:
            Misconfigured: another supervisor works in this folder, or a child never became ready.
        """
        loop = asyncio.get_running_loop()
        with _only_one(self._data_dir):
            for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(sig, self.stop)
            work = asyncio.create_task(self._keep_all())
            stop = asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    work.result()
            finally:
                await self._end(work, stop)
                for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    loop.remove_signal_handler(sig)
                _state_file(self._data_dir).unlink(missing_ok=True)

    async def _keep_all(self) -> None:
        tasks: list[asyncio.Task[None]] = []
        try:
            for keeper in self._keepers:
                tasks.append(asyncio.create_task(keeper.run()))
                if not keeper.child.vital:
                    continue
                up = asyncio.create_task(keeper.first_ready.wait())
                await asyncio.wait({*tasks, up}, return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                if any(task.done() for task in tasks):
                    break
            await asyncio.gather(*tasks)  # ends only by an error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(self, *tasks: "asyncio.Task[object]") -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        deadline = time.monotonic() + STOP_S
        for keeper in reversed(self._keepers):
            await keeper.stop(deadline)

    def _save(self) -> None:
        state = {"pid": os.getpid(), "children": [asdict(status) for status in self.statuses]}
        file = _state_file(self._data_dir)
        new = file.with_suffix(".new")
        # A full disk must not end the supervisor: the file is only for people.
        with suppress(OSError):
            new.write_text(json.dumps(state, indent=1), encoding="utf-8")
            new.replace(file)


def running(data_dir: Path) -> list[Status] | None:
    """The children of the supervisor that works in this folder; None when none does."""
    try:
        with _lock_file(data_dir).open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                state = json.loads(_state_file(data_dir).read_text(encoding="utf-8"))
                return [Status(**child) for child in state["children"]]
    except (OSError, ValueError):
        pass
    return None


class _Keeper:
    """One child: starts it, waits for it, starts it again."""

    def __init__(self, child: Child, log_file: Path, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.child = child
        self.status = Status(child.name)
        self.first_ready = asyncio.Event()
        self._log = LogFile(log_file)
        self._say = say
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._pump: asyncio.Task[None] | None = None
        self._failures = 0
        self._died_at: float | None = None  # monotonic; set from a death until it is ready again

    async def run(self) -> None:
        """Keep the child running until cancelled; the process then still runs and `stop` ends it."""
        while True:
            started = time.monotonic()
            await self._start()
            assert self._process is not None
            ready = asyncio.create_task(self._until_ready(self._process.pid))
            try:
                code = await self._process.wait()
            finally:
                ready.cancel()
            self._died(code, lived_s=time.monotonic() - started)
            await asyncio.sleep(max(0.0, started + self._pause_s() - time.monotonic()))
            self.status.restarts += 1

    async def stop(self, deadline: float) -> None:
        """SIGTERM, SIGKILL at `deadline` (monotonic, s); returns when the process is gone."""
        process = self._process
        if process is not None and process.returncode is None:
            _signal(process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), max(0.1, deadline - time.monotonic()))
            except TimeoutError:
                self._say(f"{self.child.name} did not stop when asked; killed")
                _signal(process.pid, signal.SIGKILL)
                await process.wait()
        if self._pump is not None:
            await asyncio.wait({self._pump}, timeout=0.5)
            self._pump.cancel()
        self._log.close()
        self._become(State.STOPPED, None)

    async def _start(self) -> None:
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.child.argv,
                env={**os.environ, **self.child.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                # A group of its own: Ctrl-C in the terminal reaches us alone, and we stop them in order.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        except OSError as error:
            raise Misconfigured(f"cannot start {self.child.name}: {error}", f"is {self.child.argv[0]} there?") from error
        assert self._process.stdout is not None
        self._pump = asyncio.create_task(self._log.fill_from(self._process.stdout))
        self._become(State.STARTING, self._process.pid)

    async def _until_ready(self, pid: int) -> None:
        began = time.monotonic()
        told = False
        while not await asyncio.to_thread(self.child.ready):
            if not told and time.monotonic() - began > READY_WITHIN_S:
                self._say(f"{self.child.name} runs but is not ready after {READY_WITHIN_S:.0f} s; see {self._log.path}")
                told = True
            await asyncio.sleep(_POLL_S)
        if self._died_at is not None:
            away_s = time.monotonic() - self._died_at
            self._say(f"{self.child.name} is back after {away_s:.1f} s (process {pid}, restart {self.status.restarts})")
            self._died_at = None
        self._become(State.READY, pid)
        self.first_ready.set()

    def _died(self, code: int, lived_s: float) -> None:
        self._failures = 1 if lived_s >= HEALTHY_S else self._failures + 1
        why = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if self.child.vital and not self.first_ready.is_set() and self._failures >= FIRST_TRIES:
            raise Misconfigured(f"{self.child.name} does not start ({why}): {self._log.last_line}", f"see {self._log.path}")
        # Once for each cause, not once for each try.
        if self._died_at is None or why != self.status.last_exit:
            words = f": {self._log.last_line}" if code > 0 and self._log.last_line else ""
            self._say(f"{self.child.name} died ({why}){words}; starting it again")
        self._died_at = self._died_at or time.monotonic()
        self.status.last_exit = why
        self._become(State.WAITING, None)

    def _pause_s(self) -> float:
        return float(min(RESTART_MAX_S, RESTART_S * 2.0 ** (self._failures - 1)))

    def _become(self, state: State, pid: int | None) -> None:
        self.status.state, self.status.pid, self.status.since = state, pid, time.time()
        self._changed()


def _die_with(parent: int) -> Callable[[], None]:
    """For between fork and exec: the kernel kills the child when its parent dies, also by `kill -9`.

    A program that changes its user loses this; mosquitto does so when it is started as root without `user root`.
    """

    def in_child() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return in_child


def _signal(pid: int, sig: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, sig)


def _state_file(data_dir: Path) -> Path:
    return data_dir / "supervisor.json"


def _lock_file(data_dir: Path) -> Path:
    return data_dir / "supervisor.lock"


def _only_one(data_dir: Path) -> IO[bytes]:
    """The lock of the folder, held while open; the kernel gives it back however we end."""
    (data_dir / "log").mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock_file(data_dir).open("ab")
    ends = time.monotonic() + _LOOKERS_GO_WITHIN_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() < ends:
                time.sleep(_POLL_S)
                continue
            lock.close()
            raise Misconfigured(
                f"the platform already runs in {data_dir}", "see `kanhu status`, or stop that one first"
            ) from None
