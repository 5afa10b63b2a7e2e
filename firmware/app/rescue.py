"""A copy of what makes a device this device (settings, certificates) in NVS, for the day its file system is damaged."""

import binascii

from app import files
from app.log import log

# NVS keys have at most 15 characters; together some kilobytes of its 16.
_KEPT = (("settings.json", "r_settings"), ("ca.pem", "r_ca"), ("cert.pem", "r_cert"), ("key.pem", "r_key"))
_LARGEST = 3500  # bytes a file; beyond it stays only in flash


def keep(root: str, nvs) -> None:
    """Copy what has changed since the last time."""
    for name, key in _KEPT:
        try:
            with open(root + "/" + name, "rb") as file:
                content = file.read(_LARGEST + 1)
        except OSError:
            continue
        if len(content) > _LARGEST:
            log("warning", "%s is too large to be kept twice" % name)
            continue
        crc = binascii.crc32(content) & 0x7FFFFFFF
        try:
            if _crc(nvs, key) != crc:
                nvs.set_blob(key, content)
                nvs.set_i32(key + "_c", crc)
                nvs.commit()
        except OSError as error:
            log("warning", "no copy of %s: %s" % (name, error))


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
            with open(path + "~", "wb") as file:
                file.write(content)
            import os

            os.rename(path + "~", path)
            restored.append(name)
    return restored


def _crc(nvs, key: str):
    try:
        return nvs.get_i32(key + "_c")
    except OSError:
        return None
