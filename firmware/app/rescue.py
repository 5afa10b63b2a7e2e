"""A copy of what makes a device this device (settings, certificates) in NVS, for the day its file system is damaged."""

import binascii

from app import files, slots
from app.log import log

# NVS keys have at most 15 characters. The most important first.
_KEPT = (("settings.json", "r_settings"), ("ca.pem", "r_ca"), ("cert.pem", "r_cert"), ("key.pem", "r_key"))
_LARGEST = 3500  # bytes a file; beyond it stays only in flash
# All of them: of 16 KiB a page of four is always free, and a file that changes is there twice for a moment. What boot counts
# and the outbox marks must always find room.
_ALL = 6000


def keep(root: str, nvs) -> None:
    """Copy what has changed since the last time."""
    room = _ALL
    for name, key in _KEPT:
        try:
            size, crc = _look(root + "/" + name)
            fits = size <= min(_LARGEST, room)
            room -= size if fits else 0
            if crc == _crc(nvs, key):
                continue
            if not fits:
                log("warning", "%s is too large to be kept twice" % name)
                continue
            with open(root + "/" + name, "rb") as file:
                nvs.set_blob(key, file.read())
            nvs.set_i32(key + "_c", crc)
            nvs.commit()
        except OSError:
            continue  # not every device has every file, nor room for it


def _look(path: str) -> tuple:
    """(size, CRC) of a file, read in small pieces."""
    size = crc = 0
    with open(path, "rb") as file:
        while True:
            piece = file.read(256)
            if not piece:
                return size, crc & 0x7FFFFFFF
            size += len(piece)
            crc = binascii.crc32(piece, crc)


def restore(root: str, nvs) -> list:
    """Write back those that are missing; their names."""
    restored = []
    buffer = bytearray(_LARGEST)
    for name, key in _KEPT:
        path = root + "/" + name
        if files.exists(path):
            continue
        try:
            content = bytes(memoryview(buffer)[: nvs.get_blob(key, buffer)])
        except OSError:
            continue
        if binascii.crc32(content) & 0x7FFFFFFF == _crc(nvs, key):
            slots.replace(path, content)
            restored.append(name)
    return restored


def _crc(nvs, key: str):
    try:
        return nvs.get_i32(key + "_c")
    except OSError:
        return None
