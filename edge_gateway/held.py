"""Messages of devices nobody had registered: seen, counted, and taken in once somebody registers the device."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.pipeline import Pipeline
from edge_gateway.privacy.raw import opened
from edge_gateway.store_file import read_only

log = logging.getLogger(__name__)

# So many at a time go through the pipeline, or one registration could hold up live messages for long.
_AT_ONCE: Final = 2000


def waiting(path: Path) -> Iterator[tuple[str, str, int, int]]:
    """(site, device, messages, first received ns) of every device that is held."""
    with closing(read_only(path)) as db:
        yield from db.execute("SELECT site, device, count(*), min(received_ns) FROM held GROUP BY site, device ORDER BY 4")


def release(path: Path, pipeline: Pipeline) -> int:
    """Hand held messages of devices that are registered now to the pipeline, oldest first.

    Returns:
        how many; their rows go with the pipeline's next commit.
    """
    taken = 0
    with closing(read_only(path)) as db:
        for site, device, _, _ in list(waiting(path)):
            if pipeline.registry.find(site, device) is None:
                continue
            query = "SELECT id, topic, payload, received_ns FROM held WHERE site = ? AND device = ? ORDER BY id LIMIT ?"
            for row_id, topic, stored, received_ns in db.execute(query, (site, device, _AT_ONCE - taken)):
                now_ns = received_ns or time.time_ns()
                try:
                    payload = opened(path, stored)
                except (Misconfigured, Unavailable) as error:
                    log.error("a held message of %s/%s: %s", site, device, error)
                    payload = stored  # it becomes a dead letter, which can be retried with the right key
                try:
                    pipeline.take(topic, payload, now_ns, held_id=row_id)
                except Exception as error:
                    log.exception("deciding a held message of %r", topic[:200])
                    pipeline.bury_unexpected(topic, payload, now_ns, error)
                taken += 1
            if taken >= _AT_ONCE:
                break
    return taken
