"""Releases for tests: files, a signed manifest, the bundle, and an NVS that keeps what was committed."""

import hashlib
import json

from signing import sign

FILES = {"app/main.py": b"def run():\n    return 'new'\n", "app/empty.py": b"", "app/sensors/x.py": b"# " + b"x" * 3000}


class Nvs:
    """`esp32.NVS`: what is set becomes lasting with `commit`; a power cut between them loses it."""

    def __init__(self):
        self.kept = {}
        self.set = {}

    def get_i32(self, key):
        return self._get(key)

    def set_i32(self, key, value):
        assert -(1 << 31) <= value < 1 << 31 and len(key) <= 15
        self.set[key] = value

    def get_blob(self, key, buffer):
        value = self._get(key)
        buffer[: len(value)] = value
        return len(value)

    def set_blob(self, key, value):
        assert len(key) <= 15
        self.set[key] = bytes(value)

    def commit(self):
        self.kept.update(self.set)

    def power_cut(self):
        self.set = {}

    def _get(self, key):
        if key in self.set:
            return self.set[key]
        if key in self.kept:
            return self.kept[key]
        raise OSError(-0x1102)


def digest(content):
    return "".join("%02x" % b for b in hashlib.sha256(content).digest())


def manifest(files=FILES, version="1.1.0", model="elder_home", low="0.0.0", high="999.0.0", image=None):
    """The bytes of release.json."""
    entries = [{"path": path, "size": len(files[path]), "sha256": digest(files[path])} for path in sorted(files)]
    document = {"model": model, "version": version, "min_version": low, "max_version": high, "files": entries}
    if image is not None:
        document["image"] = {"size": len(image), "sha256": digest(image)}
    return json.dumps(document).encode()


def release(files=FILES, signer=sign, image=None, **more):
    """File name -> content, as a folder that is served."""
    said = manifest(files, image=image, **more)
    bundle = b"".join(files[path] for path in sorted(files))
    found = {"release.json": said, "release.sig": signer(said), "bundle.bin": bundle}
    if image is not None:
        found["micropython.bin"] = image
    return found
