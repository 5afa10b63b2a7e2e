"""Updates many devices in steps: a share first, the rest when those have proved themselves; a bad share stops it."""

import hashlib
import json
import math
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.view import DeviceView

_LARGEST: Final = 16_384
_FAILED: Final = ("refused", "fell back", "given up")


@dataclass(frozen=True, slots=True)
class Release:
    """What lies at an address: the manifest as the devices will read it; they check its signature, we only show it."""

    url: str
    model: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a share of the devices comes to.

    Attributes:
        send: to be told now.  done: run the version already.  failed: their last update went wrong, and they say why.
    """

    send: Sequence[DeviceView]
    done: Sequence[DeviceView]
    failed: Sequence[DeviceView]


def look(url: str) -> Release:
    """Read the manifest at an address.

    Raises:
        Misconfigured: it is no address of a release.
        Unavailable: nothing answers there.
    """
    if not url.startswith(("http://", "https://")):
        raise Misconfigured(f"{url[:60]!r} is no address", "the folder of a release: http://192.168.1.5:8070/elder_home/1.4.0")
    url = url if url.endswith("/") else url + "/"
    try:
        with urllib.request.urlopen(url + "release.json", timeout=10) as answer:  # noqa: S310 - http and https only
            manifest = answer.read(_LARGEST + 1)
    except OSError as error:
        raise Unavailable(f"no release at {url}: {error}; serve it with `kanhu firmware serve`") from error
    try:
        said: dict[str, Any] = json.loads(manifest)
        return Release(url, said["model"], said["version"], hashlib.sha256(manifest).hexdigest())
    except (ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{url}release.json is no manifest: {error!r}", "make it with `kanhu firmware release`") from error


def step(devices: Iterable[DeviceView], release: Release, percent: float) -> Step:
    """The first `percent` of the devices of this model, in an order that is the same each time and another for each version."""
    ours = [d for d in devices if d.expected is not None and d.expected.model == release.model]
    ours.sort(key=lambda d: hashlib.sha256(f"{release.version} {d.name}".encode()).digest())
    share = ours[: math.ceil(len(ours) * percent / 100)]
    done = [d for d in share if version(d) == release.version]
    failed = [d for d in share if d not in done and d.update.startswith(_FAILED)]
    return Step([d for d in share if d not in done and d not in failed], done, failed)


def version(device: DeviceView) -> str:
    """`1.4.0` of `elder_home 1.4.0 3f2a...`, "" when it never said."""
    words = device.firmware.split()
    return words[1] if len(words) > 1 else ""


def command(release: Release) -> dict[str, str]:
    """Arguments of the command `update`: the address, and which manifest alone will do."""
    return {"url": release.url, "manifest": release.sha256}
