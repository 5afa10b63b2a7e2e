"""A clock good enough for certificates, where nothing of the app's own timekeeping runs."""

import asyncio

from app import ntp, release, system_clock


async def set_roughly(hosts) -> None:
    """To the build's date at least (a clock that was never set begins in 2000), to what a server says if one answers."""
    if system_clock.now_ms() < release.BUILT_S * 1000:
        system_clock.set_ms(release.BUILT_S * 1000)
    for host in hosts:
        try:
            system_clock.set_ms((await ntp.query(host, 3000))[0])
            return
        except (OSError, asyncio.TimeoutError):
            continue
