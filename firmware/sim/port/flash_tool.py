"""On a flash image, without a board: `flash_tool.py IMAGE format | put FOLDER | get PATH FILE | list PATH | remove PATH`."""

import os
import sys

import vfs
from flashdisk import FlashDisk

PIECE = 4096


def copy(source, target):
    with open(source, "rb") as came, open(target, "wb") as goes:
        while piece := came.read(PIECE):
            goes.write(piece)


def put(folder, target):
    """Copy a folder of the host onto the flash, with what is in it."""
    for name, kind, *_ in os.ilistdir(folder):
        here, there = folder + "/" + name, target + "/" + name
        if not kind & 0x4000:
            copy(here, there)
            continue
        try:
            os.mkdir(there)
        except OSError:  # it is there
            pass
        put(here, there)


def show(path):
    for name, kind, _, size in os.ilistdir(path):
        if kind & 0x4000:
            show(path + "/" + name)
        else:
            print(path[len("/flash") :] + "/" + name, size)


image, what = sys.argv[1:3]
disk = FlashDisk(image)
if what == "format":
    vfs.VfsLfs2.mkfs(disk)
vfs.mount(vfs.VfsLfs2(disk), "/flash")
if what == "put":
    put(sys.argv[3], "/flash")
elif what == "get":
    copy("/flash" + sys.argv[3], sys.argv[4])
elif what == "list":
    show("/flash" + sys.argv[3])
elif what == "remove":
    os.remove("/flash" + sys.argv[3])
