"""What the machine says of itself: whether its clock is set, how full its disk is, when a certificate of ours ends."""

import ctypes
import logging
import shutil
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from edge_gateway.settings import Settings

log = logging.getLogger(__name__)

_UNSYNC: Final = 0x40  # STA_UNSYNC of <linux/timex.h>: set until something sets the clock, and again hours after it stopped
_TIMEX_BYTES: Final = 208
_STATUS: Final = slice(40, 44)  # modes (with padding), offset, freq, maxerror, esterror of 8 bytes each stand before it
_LONG: Final = 8
OWN: Final = 8  # certificates in a file; with more it is a system's collection, of which one always ends soon


def clock_trusted() -> bool | None:
    """Whether the kernel says that something keeps the clock right; None: nobody here can say."""
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_long) != _LONG:
        return None
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes 0: only asks
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    except (AttributeError, OSError):
        return None
    if state < 0:
        return None
    return not int.from_bytes(timex.raw[_STATUS], sys.byteorder) & _UNSYNC


def disk_used(folder: Path) -> float:
    """Share of the disk of `folder` that is in use, of what we may use: 0 to 1."""
    found = shutil.disk_usage(folder)
    return found.used / (found.used + found.free) if found.used + found.free else 1.0


def certificate_files(settings: Settings) -> tuple[Path, ...]:
    """Those this installation uses itself: towards the broker, and of the console."""
    broker, console = settings.broker, settings.console
    return tuple(file for file in (broker.tls_ca, broker.tls_certificate, console.tls_certificate) if file is not None)


def certificate_ends(files: Iterable[Path]) -> datetime | None:
    """When the first of all certificates in these PEM files ends; None: there is none that can be read."""
    ends: list[datetime] = []
    for file in files:
        try:
            found = x509.load_pem_x509_certificates(file.read_bytes())
            ends += [one.not_valid_after_utc for one in found if len(found) <= OWN]
        except (OSError, ValueError) as error:
            log.warning("certificate %s cannot be read: %s", file, error)
    return min(ends, default=None)


def seconds_until(moment: datetime, now_ns: int) -> float:
    """Negative when it is over."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() - now_ns / 1e9
