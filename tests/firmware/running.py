"""MicroPython running a script beside a test, which reads what it prints."""

import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from tests.firmware.conftest import FIRMWARE


class Running:
    """A script in real MicroPython, with the heap of a plain ESP32. Ends with the `with` block.

    Attributes:
        lines: what it has printed.
    """

    def __init__(self, micropython: str, code: str, *argv: object, folder: Path | None = None, heap: str = "112wK") -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [micropython, "-X", f"heapsize={heap}", "-c", code, *map(str, argv)],
            env={**os.environ, "MICROPYPATH": f"{FIRMWARE}:.frozen"},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in self._process.stdout)

    def _found(self, start: str, after: int) -> str | None:
        return next((line for line in self.lines[after:] if line.startswith(start)), None)

    def says(self, start: str, within_s: float = 15.0, after: int = 0) -> str:
        """The first line, of those after the first `after`, that starts so; waits for it."""
        ends = time.monotonic() + within_s
        while (found := self._found(start, after)) is None:
            assert time.monotonic() < ends, f"{start!r} not within {within_s} s; the last lines:\n" + "\n".join(
                self.lines[-20:]
            )
            time.sleep(0.01)
        return found

    def tell(self, line: str) -> None:
        """A line for its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """As a power cut: no good-bye to anybody."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
