"""Room on the disk: a ballast file that is given up when the disk is full, so that alerts can still be saved."""

import os
import shutil
from pathlib import Path
from typing import Final

_MB: Final = 1 << 20
# Space must be back with this much to spare before the ballast is written again, or the two would chase each other.
_SPARE_MB: Final = 32


class Ballast:
    """A file of real blocks in the data folder; deleting it makes room for SQLite to roll back, delete and check-point."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._file = folder / "ballast"
        self._size = megabytes * _MB

    def lay(self) -> bool:
        """Write the file if it is missing and there is room; whether it is there now."""
        if self._size == 0:
            return True
        if self._file.exists() and self._file.stat().st_size == self._size:
            return True
        if self.free() < self._size + _SPARE_MB * _MB:
            return False
        part = self._file.with_suffix(".part")
        try:
            with part.open("wb") as file:
                for _ in range(self._size // _MB):
                    file.write(os.urandom(_MB))  # a file system may store zeros without blocks
                file.flush()
                os.fsync(file.fileno())
            part.rename(self._file)
        except OSError:
            part.unlink(missing_ok=True)
            return False
        return True

    def drop(self) -> bool:
        """Give up the file; whether there was one to give up."""
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        return True

    def free(self) -> int:
        """Bytes free for us in the data folder."""
        return shutil.disk_usage(self._file.parent).free
