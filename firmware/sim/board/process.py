"""One life of the firmware: a MicroPython process from a reset to the next."""

import array
import contextlib
import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

PORT: Final = Path(__file__).resolve().parents[1] / "port"
FIRMWARE: Final = PORT.parents[1]
_LAST_WORDS_S: Final = 2.0
_UNPACKED: Final = FIRMWARE.parent / ".cache" / "servers" / "bin" / "micropython"


def find_micropython() -> str:
    """`MICROPYTHON`, else one on PATH, else the one that `scripts/servers.sh` unpacked.

    Raises:
        FileNotFoundError: none of them.
    """
    found = os.environ.get("MICROPYTHON") or shutil.which("micropython") or (str(_UNPACKED) if _UNPACKED.is_file() else None)
    if found is None:
        raise FileNotFoundError("no micropython: run scripts/servers.sh micropython, or set MICROPYTHON")
    return found


# What `sim/port` takes of the heap once all of it is loaded; on the chip it is part of MicroPython and takes none.
SHIMS_HEAP: Final = 60 * 1024


def heap_with_shims(heap: str) -> str:
    """The heap size that leaves the app what `heap` (as MicroPython's `-X heapsize=`, with `w` in words) would on the chip."""
    number, words, unit = re.fullmatch(r"(\d+)(w?)([kKmM]?)", heap).groups()  # type: ignore[union-attr]
    size = int(number) * (2 if words else 1) * {"": 1, "k": 1024, "m": 1024 * 1024}[unit.lower()]
    return str(size + SHIMS_HEAP)


class Process:
    """Started at once. What it prints comes line by line to `heard`, its end to `died`, both in a thread of its own."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        heard: Callable[[str], None],
        died: Callable[[], None],
    ) -> None:
        # The process dies with us, also when we are killed; the connection it loses would be noticed only when it waits.
        leash = shutil.which("setpriv")
        self._output, written = os.pipe()
        self._process = subprocess.Popen(
            [*((leash, "--pdeathsig", "KILL") if leash else ()), *arguments],
            env={"PATH": os.environ.get("PATH", ""), "TZ": "UTC", **environment},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.close(written)
        self._heard = heard
        self._reading = threading.Lock()
        self._part = b""
        self._read_all = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(died,), name="board-log", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`, and wait for the end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._read_all.wait(_LAST_WORDS_S)

    def wait(self) -> int:
        return self._process.wait()

    def catch_up(self) -> None:
        """Hear all that was printed so far, now and not when our thread gets to it."""
        with self._reading:
            while self._waiting_bytes():
                self._read()

    def _listen(self, died: Callable[[], None]) -> None:
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        over = False
        while not over:
            poll.poll()
            with self._reading:
                if self._waiting_bytes():
                    self._read()
                # The end has POLLHUP only; what has come since we looked has POLLIN as well.
                elif any(event & select.POLLHUP and not event & select.POLLIN for _, event in poll.poll(0)):
                    over = True
                    os.close(self._output)
                    self._output = -1
        if self._part:
            self._heard(self._part.decode(errors="replace"))
        self._read_all.set()
        died()

    def _waiting_bytes(self) -> int:
        if self._output < 0:
            return 0
        count = array.array("i", [0])
        fcntl.ioctl(self._output, termios.FIONREAD, count)
        return count[0]

    def _read(self) -> None:
        *lines, self._part = (self._part + os.read(self._output, 65536)).split(b"\n")
        for line in lines:
            self._heard(line.decode(errors="replace").rstrip("\r"))


def flash_tool(image: Path, *arguments: str) -> str:
    """Run `flash_tool.py` on an image no firmware has mounted; what it prints."""
    done = subprocess.run(
        [find_micropython(), "-X", "heapsize=8M", str(PORT / "flash_tool.py"), str(image), *arguments],
        env={"MICROPYPATH": f"{PORT}:.frozen", "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        raise OSError(f"flash {' '.join(arguments)}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout
