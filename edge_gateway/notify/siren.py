"""A siren on the spot, for when nobody can be reached: a device of the registry (`siren://site/device`), or a program.

The program (`siren+run:///usr/local/bin/siren?arg=on`) starts the noise, of a GPIO pin for example, and returns; besides its
arguments it is given the environment variable KANHU_SECONDS. No shell reads the address.
"""

import os
import subprocess
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, urlsplit

from edge_gateway.notify.letter import Letter
from edge_gateway.notify.notifier import Outcome
from edge_gateway.topics import ID

DEVICE, PROGRAM = "siren", "siren+run"
# Asks a device to sound for so many seconds, from any thread; "" or why it cannot.
Ring = Callable[[str, str, int], str]
_SECONDS: Final = 60


class SirenNotifier:
    """Sounds for a minute with each round, so it falls silent by itself when somebody has accepted.

    Args:
        ring: how a device is asked.
        seconds: how long.
    """

    name = "siren"

    def __init__(self, ring: Ring, seconds: int = _SECONDS) -> None:
        self._ring = ring
        self._seconds = seconds

    def handles(self, url: str) -> bool:
        """`siren://` and `siren+run://`."""
        return url.partition("://")[0] in (DEVICE, PROGRAM)

    def problem(self, url: str) -> str:
        """A device's id that is none, or a program that is not there."""
        if urlsplit(url).scheme == PROGRAM:
            path = urlsplit(url).path
            return "" if os.access(path, os.X_OK) else f"{path} is no program that this user can run"
        return "" if device_of(url) else "a siren is siren://<site>/<device> or siren+run:///path/of/a/program"

    def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
        """Sound it. A program that does not return in time is ended, and may have sounded."""
        if urlsplit(url).scheme == PROGRAM:
            return self._run(url, timeout_s)
        found = device_of(url)
        problem = self._ring(*found, self._seconds) if found else self.problem(url)
        return Outcome(not problem, problem)

    def _run(self, url: str, timeout_s: float) -> Outcome:
        parts = urlsplit(url)
        command = [parts.path, *parse_qs(parts.query).get("arg", [])]
        environment = {"PATH": os.environ.get("PATH", ""), "KANHU_SECONDS": str(self._seconds)}
        try:
            done = subprocess.run(
                command,
                env=environment,
                timeout=timeout_s * 0.9,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(False, "the siren's program did not return", in_doubt=True)
        except OSError as error:
            return Outcome(False, f"the siren's program cannot be run: {error.strerror}")
        return Outcome(done.returncode == 0, f"the siren's program ended with {done.returncode}" if done.returncode else "")


def device_of(url: str) -> tuple[str, str] | None:
    """(site, device) of `siren://site/device`; None: it is not such an address."""
    parts = urlsplit(url)
    site, device = parts.netloc, parts.path.strip("/")
    right = parts.scheme == DEVICE and ID.fullmatch(site) is not None and ID.fullmatch(device) is not None
    return (site, device) if right else None
