"""Code that runs the app from its ROM image without a simulated board: the heap is then left for data, as on a device."""

from firmware.sim.board.rom import image

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


def mounting() -> str:
    """Lines for the beginning of a script: `app` comes from the image afterwards."""
    return _MOUNT.format(image=image())
