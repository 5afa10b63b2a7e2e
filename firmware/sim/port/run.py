"""Starts the device: mounts the flash at /flash and runs `app.main.run("/flash")`, or a script given instead."""

import os
import sys

import micropython

micropython.opt_level(3)  # no line numbers for us, so that we are small
import wire  # noqa: E402


def _mount():
    import vfs
    from flashdisk import FlashDisk

    disk = FlashDisk(os.getenv("KANHU_FLASH"), wire, int(os.getenv("KANHU_CUT_AT") or 0))
    # A file system that does not mount is shown, not mended: on a device the data would be gone as well.
    vfs.mount(vfs.VfsLfs2(disk), "/flash")


def _map(image):
    """Mount a ROM file system from memory that is not the heap."""
    import ffi
    import uctypes
    import vfs

    libc = ffi.open(None)
    size = os.stat(image)[6]
    file = libc.func("i", "open", "si")(image, 0)
    at = libc.func("p", "mmap", "pLiiil")(0, size, 1, 2, file, 0)  # PROT_READ, MAP_PRIVATE
    vfs.mount(vfs.VfsRom(memoryview(uctypes.bytearray_at(at, size))), "/rom")


def _load():
    """All of the shims, whatever the app uses: the board gives heap for exactly these, as on the chip they need none."""
    import select
    import socket

    import esp32
    import machine
    import neopixel
    import network
    import onewire

    return esp32, machine, neopixel, network, onewire, select, socket


def _stamp():
    """Lines are read by another process, which by then is at another time: so each says when it was printed."""
    import builtins

    plain = print

    def stamped(*things, **how):
        if "file" not in how and "end" not in how:
            plain("\x01%d\x02" % wire.now(), end="")
        plain(*things, **how)

    builtins.print = stamped


def _listen():
    """Virtual time has to know when something goes out by a socket, for then it waits for the answer."""
    from asyncio import StreamWriter

    write = StreamWriter.write

    def told(self, buf):
        # Nobody answers a PUBACK or a DISCONNECT, and after PINGRESP nothing comes.
        kind = buf[0] if buf else 0x40
        wire.wrote(kind != 0x40 and kind != 0xE0, kind == 0xC0)
        return write(self, buf)

    StreamWriter.write = told


def _run():
    script = os.getenv("KANHU_SCRIPT")
    if script:
        with open(script) as file:
            exec(file.read(), {"__name__": "__main__"})
    else:
        from app import main

        main.run("/flash")


if __name__ == "__main__":
    status = "returned"
    try:
        _load()
        if os.getenv("KANHU_ROM"):
            _map(os.getenv("KANHU_ROM"))
        _mount()
        if wire.virtual:
            _stamp()
            _listen()
        micropython.opt_level(0)
        _run()
    except SystemExit:
        status = "exit"
    except BaseException as error:
        sys.print_exception(error)
        status = "raised " + type(error).__name__
    wire.call("ended " + status)
