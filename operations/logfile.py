"""The output of a child process as a file that stays small: one file and its predecessor, `name.log` and `name.log.1`."""

import asyncio
from pathlib import Path
from typing import IO, Final

MAX_BYTES: Final = 5_000_000
_KEEP: Final = 2000  # of the last line, for a message to people


class LogFile:
    """Appends to `path`; nothing is opened before the first byte."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.last_line = ""
        self._max_bytes = max_bytes
        self._file: IO[bytes] | None = None
        self._tail = b""

    async def fill_from(self, stream: asyncio.StreamReader) -> None:
        """Copy until the stream ends. A disk that refuses loses log lines, never the child: its pipe is always emptied."""
        while chunk := await stream.read(65_536):
            self.append(chunk)

    def append(self, chunk: bytes) -> None:
        """Write, rotating first when the file is full."""
        self._remember(chunk)
        try:
            file = self._file or self._open()
            if file.tell() + len(chunk) > self._max_bytes:
                file.close()
                self.path.replace(self.path.with_name(self.path.name + ".1"))
                file = self._open()
            file.write(chunk)
        except OSError:
            self.close()

    def close(self) -> None:
        """Give the file back; a later `append` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab", buffering=0)
        return self._file

    def _remember(self, chunk: bytes) -> None:
        self._tail = (self._tail + chunk)[-_KEEP:]
        lines = self._tail.rstrip().rsplit(b"\n", 1)
        self.last_line = lines[-1].decode("utf-8", "replace").strip()
