"""A release: the signed manifest and one file with everything in it, as a folder that any web server can serve."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_gateway.errors import Misconfigured
from operations.firmware import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

NAMES: Final = ("release.json", "release.sig", "bundle.bin", "micropython.bin")


def release(built: Path, key: "RSAPrivateKey", target: Path, image: Path | None = None) -> Path:
    """Sign a build and put it into `target/<model>/<version>`.

    Args:
        built: the folder that `build` made.
    Raises:
        Misconfigured: it is no build, or it was changed since.
    """
    manifest = _read(built / "release.json")
    try:
        said = json.loads(manifest)
        model, version, files = said["model"], said["version"], said["files"]
        contents = [_read(built / "flash" / "a" / entry["path"]) for entry in files]
    except (ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{built} is no build: {error!r}", "make one with `kanhu firmware build`") from error
    for entry, content in zip(files, contents, strict=True):
        _check(entry, content, entry["path"])
    if ("image" in said) != (image is not None):
        raise Misconfigured("an image belongs to the build and to the release, or to neither", "give --image to both")
    folder: Path = target / str(model) / str(version)
    if folder.exists():
        raise Misconfigured(f"{folder} is there already", "a version is released once; take the next number")
    folder.mkdir(parents=True)
    if image is not None:
        content = _read(image)
        _check(said["image"], content, image.name)
        (folder / "micropython.bin").write_bytes(content)
    (folder / "bundle.bin").write_bytes(b"".join(contents))
    (folder / "release.sig").write_bytes(keys.sign(key, manifest))
    (folder / "release.json").write_bytes(manifest)  # last: without it a device finds nothing
    return folder


def _check(entry: dict[str, object], content: bytes, name: str) -> None:
    if (len(content), hashlib.sha256(content).hexdigest()) != (entry["size"], entry["sha256"]):
        raise Misconfigured(f"{name} is not what was built", "build again")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"cannot read {file}: {error.strerror}", "make it with `kanhu firmware build`") from error
