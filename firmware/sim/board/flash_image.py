"""The flash file system as a file of this machine, looked into and written while no firmware has it mounted."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware.sim.board.process import flash_tool


@dataclass
class FlashImage:
    """A littlefs2 of 4 KiB blocks.

    Attributes:
        erases, writes: blocks erased and pieces written by the firmware so far, as far as it has told (at each file's end).
    """

    file: Path
    erases: int = 0
    writes: int = 0

    def make(self, blocks: int) -> None:
        """Format it, unless it is there."""
        if not self.file.exists():
            new = self.file.with_suffix(".new")
            new.write_bytes(b"\xff" * 4096 * blocks)
            flash_tool(new, "format")
            new.replace(self.file)

    def files(self, path: str = "") -> dict[str, int]:
        """Path -> size of every file below `path`."""
        lines = flash_tool(self.file, "list", path.rstrip("/")).splitlines()
        return {name: int(size) for name, size in (line.rsplit(" ", 1) for line in lines)}

    def read(self, path: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            flash_tool(self.file, "get", path, f"{folder}/it")
            return (Path(folder) / "it").read_bytes()

    def write(self, files: Mapping[str, bytes]) -> None:
        """Path -> content; folders are made as needed."""
        with tempfile.TemporaryDirectory() as folder:
            for path, content in files.items():
                file = Path(folder) / path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            flash_tool(self.file, "put", folder)

    def remove(self, path: str) -> None:
        flash_tool(self.file, "remove", path)

    def count(self, words: list[str]) -> str:
        self.erases += int(words[0])
        self.writes += int(words[1])
        return ""
