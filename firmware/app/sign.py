"""Whether a release's manifest was signed by one of our keys, and what it says: RSA-3072, PKCS#1 v1.5, SHA-256.

MicroPython has no asymmetric cryptography, but `pow` with three arguments is all that checking RSA needs.
"""

import hashlib
import json

from app.slots import rank

BITS = 3072
LARGEST = 16384  # bytes of a manifest: 100 files are some 10,000
_EXPONENT = 65537
_SHA256 = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"  # DER in front of the digest
_MOST_FILES = 150
_LARGEST_FILE = 1 << 20
_NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."


class Refused(Exception):
    """This release can never be installed here, however often it is tried; the text says why."""


def is_signed(modulus: int, signature: bytes, message: bytes) -> bool:
    """Whether this key signed these bytes. The whole block is compared: who parses the padding can be lied to."""
    size = BITS // 8
    number = int.from_bytes(signature, "big")
    if len(signature) != size or number >= modulus:
        return False
    tail = _SHA256 + hashlib.sha256(message).digest()
    wanted = b"\x00\x01" + b"\xff" * (size - 3 - len(tail)) + b"\x00" + tail
    return pow(number, _EXPONENT, modulus).to_bytes(size, "big") == wanted


def opened(manifest: bytes, signature: bytes, keys) -> dict:
    """What a signed manifest says; nothing of it is looked at before the signature is found good.

    Returns:
        `model`, `version`, `min_version`, `max_version` (installed ones it may replace), `files` (list of path, size, sha256),
        and `image` (size, sha256) or None; all of the right type.
    Raises:
        Refused: not signed by one of `keys`, or signed nonsense.
    """
    if not keys:
        raise Refused("no key: this firmware was built without release keys")
    if not any(is_signed(key, signature, manifest) for key in keys):
        raise Refused("signature: not signed by a key of this firmware")
    try:
        said = json.loads(manifest)
        document = {name: said[name] for name in ("model", "version", "min_version", "max_version")}
        for value in document.values():
            if not isinstance(value, str):
                raise ValueError("a text is none")
        for name in ("version", "min_version", "max_version"):
            rank(document[name])
        document["files"] = [_file(entry) for entry in said["files"]]
        document["image"] = None if said.get("image") is None else _sized(said["image"], 1 << 24)
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("manifest: cannot be read (%s)" % error)
    paths = [entry["path"] for entry in document["files"]]
    if len(paths) > _MOST_FILES or len(set(paths)) < len(paths):
        raise Refused("manifest: %d files, some of them twice or too many" % len(paths))
    if not paths and document["image"] is None:
        raise Refused("manifest: neither files nor an image")
    return document


def check(release: dict, model: str, installed: str, floor: int) -> None:
    """Whether this release may replace what is installed.

    Args:
        floor: `rank` of the newest version that ever proved itself here; nothing older comes back.
    Raises:
        Refused: for another model, older than what was here, or not meant for what is installed.
    """
    version = release["version"]
    if release["model"] != model:
        raise Refused("model: for %s, this is %s" % (release["model"], model))
    if rank(version) < max(rank(installed), floor):
        raise Refused("older: %s, and %s was here" % (version, text(max(rank(installed), floor))))
    low, high = release["min_version"], release["max_version"]
    if not rank(low) <= rank(installed) <= rank(high):
        raise Refused("installed: %s replaces %s to %s, this is %s" % (version, low, high, installed))


def text(version: int) -> str:
    """1004000 as `1.4.0`."""
    return "%d.%d.%d" % (version // 1000000, version // 1000 % 1000, version % 1000)


def _file(entry) -> dict:
    path = entry["path"]
    parts = path.split("/")
    # Only below `app/`, and no way out of it.
    if parts[0] != "app" or not 2 <= len(parts) <= 4 or len(path) > 80:
        raise ValueError("path %s" % path[:80])
    for part in parts:
        if not part or part[0] == "." or not all(c in _NAME for c in part):
            raise ValueError("path %s" % path[:80])
    found = _sized(entry, _LARGEST_FILE)
    found["path"] = path
    return found


def _sized(entry, most: int) -> dict:
    size, digest = entry["size"], entry["sha256"]
    if not isinstance(size, int) or not 0 <= size <= most or not isinstance(digest, str) or len(digest) != 64:
        raise ValueError("size or sha256")
    return {"size": size, "sha256": bytes.fromhex(digest)}
