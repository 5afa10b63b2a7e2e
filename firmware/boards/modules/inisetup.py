"""Mounts the data partition; one that is damaged is made anew and gets its settings back from NVS.

MicroPython's own module of this name prints a message for ever instead: a device in somebody's home would be dead by that.
"""

import time

import vfs

_STARTS = 3  # in a row that could not mount: a brown-out while reading is not damage


def mount(bdev) -> None:
    """Mount at `/`; resets twice before it gives the content up."""
    import esp32
    import machine

    nvs = esp32.NVS("kanhu")
    try:
        vfs.mount(vfs.VfsLfs2(bdev), "/")
        _store(nvs, "fs_failed", 0)
        return
    except OSError as error:
        print("flash: cannot be mounted:", error)
    failed = _number(nvs, "fs_failed") + 1
    if not _is_blank(bdev):
        _store(nvs, "fs_failed", failed)
        if failed < _STARTS:
            time.sleep(1)
            machine.reset()
        print("flash: made anew, what was in it is lost")
        _store(nvs, "fs_formats", _number(nvs, "fs_formats") + 1)
    vfs.VfsLfs2.mkfs(bdev)
    vfs.mount(vfs.VfsLfs2(bdev), "/")
    _store(nvs, "fs_failed", 0)
    _restore(nvs)


def setup():
    """MicroPython's name for it."""
    from flashbdev import bdev

    mount(bdev)


def _restore(nvs) -> None:
    """Who the device is lies in NVS too."""
    import sys

    try:
        from app import rescue

        print("flash: restored", rescue.restore("", nvs))
    except (ImportError, OSError, MemoryError) as error:
        print("flash: nothing restored:", error)
    # `boot` chooses whose code runs; this was the image's.
    for name in [name for name in sys.modules if name.split(".")[0] == "app"]:
        del sys.modules[name]


def _is_blank(bdev) -> bool:
    """A new chip: nothing is lost."""
    block = bytearray(bdev.ioctl(5, 0))
    for n in (0, 1):
        bdev.readblocks(n, block)
        if any(byte != 0xFF for byte in block):
            return False
    return True


def _number(nvs, key: str) -> int:
    try:
        return nvs.get_i32(key)
    except OSError:
        return 0


def _store(nvs, key: str, value: int) -> None:
    if _number(nvs, key) != value:
        nvs.set_i32(key, value)
        nvs.commit()
