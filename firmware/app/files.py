"""Files that are whole or not there: written under another name, renamed, with a CRC-32 at the end.

Needs a file system whose rename replaces in one step (littlefs, POSIX; not FAT).
"""

import binascii
import os
import struct

_TEMPORARY = "~"
_FOLDER = 0x4000
_CRC = 4


def write(path: str, *parts) -> None:
    """Write the parts, one after the other, in place of what was there; after a power cut it is the old or the new content.

    Raises:
        OSError: it could not be written (28: no space); the old content is still there.
    """
    temporary = path + _TEMPORARY
    crc = 0
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
                crc = binascii.crc32(part, crc)
            file.write(struct.pack("<I", crc))
        os.rename(temporary, path)
    except OSError:
        remove(temporary)
        raise


def read(path: str) -> bytes | None:
    """What `write` wrote; None when there is nothing, or not what was written."""
    try:
        size = os.stat(path)[6] - _CRC
        if size < 0:
            return None
        with open(path, "rb") as file:
            data = file.read(size)
            crc = file.read(_CRC)
    except OSError:
        return None
    if len(crc) != _CRC or struct.unpack("<I", crc)[0] != binascii.crc32(data):
        return None
    return data


def remove(path: str) -> None:
    """Remove a file, if it is there and can be removed."""
    try:
        os.remove(path)
    except OSError:
        pass


def exists(path: str) -> bool:
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def makedirs(path: str) -> None:
    """Make a folder and those above it that are missing."""
    at = 0
    while at >= 0:
        at = path.find("/", at + 1)
        part = path if at < 0 else path[:at]
        if part and not exists(part):
            os.mkdir(part)


def listing(folder: str) -> list:
    """(name, size in bytes) of the files in a folder, in any order."""
    if not hasattr(os, "ilistdir"):  # CPython
        entries = [(name, os.stat(folder + "/" + name)) for name in os.listdir(folder)]
        return [(name, stat[6]) for name, stat in entries if not stat[0] & _FOLDER]
    # littlefs tells the size at once; asking for each name would walk through the folder each time.
    return [
        (entry[0], entry[3] if len(entry) > 3 else os.stat(folder + "/" + entry[0])[6])
        for entry in os.ilistdir(folder)
        if entry[1] != _FOLDER
    ]


def sweep(folder: str) -> None:
    """Remove what writes that were cut off left behind; once, at the start."""
    for name, _ in listing(folder):
        if name.endswith(_TEMPORARY):
            remove(folder + "/" + name)


def empty(path: str) -> None:
    """Make an empty file, or take the content from one. Raises OSError."""
    open(path, "wb").close()
