"""What is done over a USB cable: the commands of esptool and mpremote for it, and which port."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_gateway.errors import Misconfigured, Unavailable
from operations.firmware.keys import INSTALL

BAUD: Final = 115_200
_FLASH_BAUD: Final = "460800"
# Where the boot loader expects the image of `firmware.bin`: the classic ESP32 differs.
_OFFSETS: Final = {"esp32": "0x1000", "esp32s2": "0x1000", "esp32s3": "0x0", "esp32c3": "0x0", "esp32c6": "0x0"}
CHIPS: Final = tuple(_OFFSETS)
_ESPTOOL: Final = (sys.executable, "-m", "esptool")
_MPREMOTE: Final = (sys.executable, "-m", "mpremote")
_FORGET: Final = """
import os
def gone(path):
    try:
        kind = os.stat(path)[0]
    except OSError:
        return
    if kind & 0x4000:
        for name in os.listdir(path):
            gone(path + "/" + name)
        os.rmdir(path)
    else:
        os.remove(path)
for path in ("/slot", "/a", "/b", "/update.json"):
    gone(path)
"""
_NONE: Final = "plug the device in with a data cable (many only charge), or name it: --port /dev/ttyUSB0"


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port and what hangs on it."""

    name: str
    about: str


def ports() -> list[Port]:
    """USB serial ports of this computer; a port soldered to it is none of a device.

    Raises:
        Misconfigured: pyserial is missing.
    """
    try:
        from serial.tools import list_ports
    except ImportError as error:
        raise Misconfigured("pyserial is missing", INSTALL) from error
    return [Port(found.device, found.description or "") for found in list_ports.comports() if found.vid is not None]


def choose(wanted: str | None, found: Sequence[Port]) -> str:
    """The port to use.

    Raises:
        Misconfigured: none is plugged in, or several, or the one named is not there.
    """
    if wanted is not None:
        if not wanted.startswith(("socket:", "rfc2217:")) and not Path(wanted).exists():
            have = ", ".join(port.name for port in found) or "none"
            raise Misconfigured(f"there is no port {wanted}; USB serial ports: {have}", _NONE)
        return wanted
    if not found:
        raise Misconfigured("no device is plugged in: this computer has no USB serial port", _NONE)
    if len(found) > 1:
        listed = ", ".join(f"{port.name} ({port.about})" for port in found)
        raise Misconfigured(f"several devices are plugged in: {listed}", f"name one: --port {found[0].name}")
    return found[0].name


def erase(chip: str, port: str) -> list[str]:
    """Empty the whole flash: settings, certificates and outbox too."""
    return [*_ESPTOOL, "--chip", chip, "--port", port, "--baud", _FLASH_BAUD, "erase-flash"]


def write_image(chip: str, port: str, image: Path) -> list[str]:
    """MicroPython itself."""
    return [*_ESPTOOL, "--chip", chip, "--port", port, "--baud", _FLASH_BAUD, "write-flash", _OFFSETS[chip], str(image)]


def copy_tree(port: str, folder: Path) -> list[list[str]]:
    """Put the content of a folder onto the device's flash."""
    entries = sorted(folder.iterdir())
    return [[*_MPREMOTE, "connect", port, "fs", "cp", "-r", *(str(entry) for entry in entries), ":"]]


def copy_file(port: str, file: Path, name: str) -> list[str]:
    """Put one file there under this name."""
    return [*_MPREMOTE, "connect", port, "fs", "cp", str(file), f":/{name}"]


def execute(port: str, code: str) -> list[str]:
    """Run Python on the device."""
    return [*_MPREMOTE, "connect", port, "exec", code]


def forget_slots(port: str) -> list[str]:
    """Take away both slots and the pointer: what is copied next is what runs."""
    return execute(port, _FORGET)


def reset(port: str) -> list[str]:
    """Restart the device."""
    return [*_MPREMOTE, "connect", port, "reset"]


def run(argv: Sequence[str], doing: str, timeout_s: float = 60.0) -> str:
    """Run one of these commands; what it printed.

    Raises:
        Unavailable: it failed, and the last lines it printed are told; or a device did not answer in time.
    """
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        hint = "is MicroPython on it? is another program using the port? unplug it and plug it in again"
        raise Unavailable(f"{doing} failed: the device did not answer for {timeout_s:g} s ({hint})") from error
    if done.returncode:
        told = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
        missing = any("No module named" in line for line in told)
        hint = INSTALL if missing else "is another program using the port? hold the BOOT button while it connects"
        raise Unavailable(f"{doing} failed: {' / '.join(told[-3:]) or done.returncode} ({hint})")
    return done.stdout


def listen(port: str) -> Iterator[str]:
    """Lines that the device prints, as they come; nothing is sent, so nothing is disturbed.

    Raises:
        Unavailable: the port cannot be opened, or the device was unplugged.
    """
    import serial

    try:
        # Opening a port usually raises DTR and RTS, which on most boards is a reset.
        line = serial.serial_for_url(port, BAUD, timeout=1, do_not_open=True)
        line.dtr = line.rts = False
        line.open()
    except (serial.SerialException, OSError) as error:
        raise Unavailable(f"cannot open {port}: {error}") from error
    with line:
        rest = b""
        while True:
            try:
                rest += line.read(line.in_waiting or 1)
            except (serial.SerialException, OSError) as error:
                raise Unavailable(f"{port} is gone: {error}") from error
            *whole, rest = rest.split(b"\n")
            for text in whole:
                yield text.decode(errors="replace").rstrip("\r")
