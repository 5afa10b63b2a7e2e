"""Tells systemd that the gateway is ready and alive (sd_notify(3)), when systemd started it; otherwise does nothing."""

import asyncio
import os
import socket
from contextlib import suppress
from typing import Final

_SHARE: Final = 3  # signs of life in each watchdog interval


def notify(state: str) -> bool:
    """Send `READY=1`, `STOPPING=1`, `WATCHDOG=1` or `STATUS=...`; False when nobody wants to know."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as service_manager:
        service_manager.sendto(state.encode(), address)
        return True
    return False


def watchdog_s() -> float | None:
    """How long systemd waits for a sign of life before it restarts us, seconds; None when it does not watch."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None


async def live() -> None:
    """Say ready, then give signs of life from the event loop until cancelled: a loop that hangs gets the process restarted."""
    notify("READY=1")
    interval_s = watchdog_s()
    try:
        while interval_s is not None:
            notify("WATCHDOG=1")
            await asyncio.sleep(interval_s / _SHARE)
        await asyncio.Event().wait()
    finally:
        notify("STOPPING=1")
