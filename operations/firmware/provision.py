"""Makes a device the device it is: its settings, certificates and the password of its set-up network."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from edge_gateway.errors import Misconfigured
from operations.firmware import serial, sources
from operations.mosquitto import write_private

# No 0 O 1 I L: it is read from a label and typed on a telephone.
_ALPHABET: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_PORTAL_LENGTH: Final = 12  # 59 bit; WPA2 wants 8 characters or more
CERTIFICATES: Final = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
_CHECK: Final = """
import json, sys
from firmware.sim import cpython
cpython.lend()
from app import settings
document = json.load(sys.stdin)
try:
    settings.checked(document, __import__("app." + document["model"], None, None, ["x"]))
except settings.Misconfigured as error:
    print("\\n".join(error.problems))
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """What goes onto one device.

    Attributes:
        settings: the document of /settings.json.
        certificates: name on the device -> content.
        portal: password of the Wi-Fi it opens to be set up; for its label.
    """

    settings: Mapping[str, Any]
    certificates: Mapping[str, bytes]
    portal: str


def portal_password() -> str:
    """A random one for the label, in groups of four."""
    word = "".join(secrets.choice(_ALPHABET) for _ in range(_PORTAL_LENGTH))
    return "-".join(word[n : n + 4] for n in range(0, _PORTAL_LENGTH, 4))


def identity(settings: Mapping[str, Any], certificates: Mapping[str, Path], portal: str = "") -> Identity:
    """Check everything before a device is touched.

    Args:
        certificates: `ca`, `cert`, `key` -> PEM file; the settings get their names on the device.
    Raises:
        Misconfigured: with everything that is wrong with the settings.
    """
    document = json.loads(json.dumps(settings))
    contents = {}
    for kind, file in certificates.items():
        try:
            contents[CERTIFICATES[kind]] = file.read_bytes()
        except OSError as error:
            raise Misconfigured(f"cannot read {file}: {error.strerror}", "give a PEM file") from error
        if b"-----BEGIN" not in contents[CERTIFICATES[kind]]:
            raise Misconfigured(f"{file} is no PEM file", "convert it: openssl x509 -inform der -in FILE")
        document.setdefault("broker", {})[kind] = "/" + CERTIFICATES[kind]
    if problems := check(document):
        raise Misconfigured("the settings cannot be used: " + "; ".join(problems), "mend them and try again")
    return Identity(document, contents, portal or portal_password())


def check(document: Mapping[str, Any]) -> list[str]:
    """What the firmware itself would say of these settings: the same code, in a process of its own."""
    if document.get("model") not in sources.MODELS:
        return [f"model: seen {document.get('model')!r}, expected one of {', '.join(sources.MODELS)}"]
    root = sources.APP.parents[1]
    done = subprocess.run(
        [sys.executable, "-c", _CHECK],
        input=json.dumps(document),
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'firmware'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise Misconfigured(f"the settings could not be checked: {done.stderr.strip().splitlines()[-1:]}", "report this")
    return done.stdout.split("\n")[:-1]


def send(port: str, who: Identity) -> None:
    """Write it to the device over USB; it starts with it at once.

    Raises:
        Unavailable: the device does not answer.
    """
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, content in who.certificates.items():
            write_private(folder / name, content.decode())
            serial.run(serial.copy_file(port, folder / name, name), f"writing {name}")
        keep = f"import esp32; n = esp32.NVS('kanhu'); n.set_blob('portal', {who.portal.encode()!r}); n.commit()"
        serial.run(serial.execute(port, keep), "storing the password of the set-up network")
        # Last, and by rename: until then the device is as it was.
        write_private(folder / "settings.json", json.dumps(who.settings, indent=1))
        serial.run(serial.copy_file(port, folder / "settings.json", "settings.json~"), "writing the settings")
        serial.run(serial.execute(port, "import os; os.rename('/settings.json~', '/settings.json')"), "writing the settings")
    serial.run(serial.reset(port), "restarting")
