"""`kanhu gateway`: the process that has to live; it loads nothing that it does not need."""

import asyncio
import gc
import logging
import os
import signal
import sys

import typer

from edge_gateway.settings import Settings
from operations.commands.common import SettingsFile, load

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.callback()
def root() -> None:
    """看护 Kanhu."""


@app.command()
def gateway(settings: SettingsFile = None) -> None:
    """Run only the gateway, in the foreground: broker to outbox to database, until SIGTERM. `up` and systemd call this."""
    level = os.environ.get("KANHU_LOG", "INFO").upper()
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    _serve(load(settings))


def _serve(settings: Settings) -> None:
    from edge_gateway import systemd
    from edge_gateway.service import Gateway
    from ingest.rollup_keeper import with_rollups
    from ingest.sinks import open_sink
    from operations.enrolment import keeper

    # Entries live for some milliseconds; the default thresholds would walk over them again and again.
    gc.set_threshold(100_000, 20, 50)
    # Loop, uplink and store take turns with one interpreter, each on a core that knows nothing of the last one's work: with
    # Python's 5 ms a message costs a fifth more. 20 ms is what a commit gathers anyway.
    sys.setswitchinterval(0.02)
    service = Gateway(settings, with_rollups(settings, open_sink(settings)), keeper=keeper(settings))
    log = logging.getLogger("kanhu")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, service.stop)
        alive: list[asyncio.Task[None]] = []

        def ready() -> None:
            alive.append(loop.create_task(systemd.live()))
            broker, devices = f"{settings.broker.host}:{settings.broker.port}", len(service.pipeline.registry.devices)
            told = (broker, service.sink.name, devices, service.health.port)
            log.info("ready: broker %s, database %s, %d devices registered, metrics on port %d", *told)

        await service.run(ready)
        for task in alive:
            task.cancel()
        await asyncio.gather(*alive, return_exceptions=True)

    asyncio.run(run())
