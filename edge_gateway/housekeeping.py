"""What the gateway looks after once a second: registry, room on the disk, held messages, damage, checkpoints."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from edge_gateway.duty.file import DutyWatch
from edge_gateway.errors import Misconfigured
from edge_gateway.held import release
from edge_gateway.privacy.retention import Retention
from edge_gateway.registry_watch import RegistryWatch
from edge_gateway.store import StoreFull

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

log = logging.getLogger(__name__)

_WAL_CHECKPOINT: Final = 8 << 20
_FULL_RETRY_S: Final = 30.0
_NAMES_S: Final = 600.0
# Messages may be held in a commit that is under way while their device is registered: look again.
_HELD_LOOKS: Final = 3
_DAMAGE: Final = ("damaged_files", "damaged_device_rows", "entries_lost_damage", "commits_lost_damage", "entries_damaged")


class Housekeeping:
    """Belongs to one gateway; nothing on the way of a message waits for it."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._registry = RegistryWatch(gateway.settings.registry)
        self._duty = DutyWatch(gateway.settings.duty_file)
        self._held_looks = _HELD_LOOKS
        self.retention = Retention(gateway)
        self._two_devices, self._two_devices_at = -1, 0.0

    async def tick(self) -> None:
        """Once a second: metrics page, registry, disk, held messages, checkpoint."""
        g = self._gateway
        if g.committer.halted:
            g.begin_again()
        if g.committer.halted:
            g.desk.cry()  # who calls for help while the disk cannot even be read is not made to wait for it
        g.health.tick()
        self.look_at_registry()
        self.watch_duty()
        await self._watch_room()
        self._watch_names()
        if self._held_looks and not g.full and not g.committer.halted:
            await self._release_held()
        self._watch_damage()
        await self._with_room(self._checkpoint)

    async def keep(self) -> None:
        """Once a second, by itself: delete what is kept no longer. A database may take minutes; nothing else waits for it."""
        await self._with_room(self.retention.tick)

    async def _checkpoint(self) -> None:
        """When the log has grown."""
        g = self._gateway
        if g.store.wal_bytes() > _WAL_CHECKPOINT:
            await g.in_store(g.store.checkpoint)

    async def _with_room(self, job: Callable[[], Awaitable[None]]) -> None:
        g = self._gateway
        try:
            await job()
        except StoreFull as error:
            g.troubles.set("store", str(error))
            g.give_way()

    async def _release_held(self) -> None:
        g = self._gateway
        try:
            taken = release(g.settings.store_file, g.pipeline)
        except sqlite3.Error as error:
            log.error("held messages cannot be read: %s", error)
            self._held_looks = 0
            await g.in_store(g.store.repair)
            return
        self._held_looks = _HELD_LOOKS if taken else self._held_looks - 1
        if taken:
            # Their rows go with the commit: before it they would be found again.
            await g.committer.settle()

    async def _watch_room(self) -> None:
        """Let readings in again when there is room; without room for the ballast too, for the outbox may have emptied."""
        g = self._gateway
        if not g.full:
            return
        # Writing the ballast takes seconds on a memory card: not in the event loop.
        laid = await asyncio.to_thread(g.ballast.lay)
        if laid or time.monotonic() > g.full_since + _FULL_RETRY_S:
            g.let_in()

    def _watch_names(self) -> None:
        """Two devices with one name: say which, as long as it goes on."""
        g = self._gateway
        seen = g.totals().get("two_devices", 0)
        if self._two_devices < 0:
            self._two_devices = seen
        if seen != self._two_devices:
            names = [f"{k.site}/{k.device}" for k in g.pipeline.states.values() if k.counters.two_devices]
            g.troubles.set("two_devices", f"two devices use one name: {', '.join(names[:10])}")
            self._two_devices, self._two_devices_at = seen, time.monotonic()
        elif time.monotonic() > self._two_devices_at + _NAMES_S:
            g.troubles.set("two_devices", "")

    def look_at_registry(self) -> None:
        """Take up a registry that was changed and has not changed since the last look."""
        g = self._gateway
        try:
            known = self._registry.changed(g.pipeline.registry)
        except Misconfigured as error:
            g.troubles.set("registry", str(error))
            return
        if known is not None:
            g.troubles.set("registry", "")
            g.pipeline.expect(known)
            g.desk.expect(known)
            g.series.expect()
            g.expect_in_database(known)
            self._held_looks = _HELD_LOOKS

    def watch_duty(self) -> None:
        """The duty list was written anew; with a bad one the last good list stays in use."""
        desk, troubles = self._gateway.desk, self._gateway.troubles
        try:
            roster = self._duty.changed()
        except Misconfigured as error:
            troubles.set("duty", str(error))
            return
        if roster is not None:
            desk.use_duty(roster)
            troubles.set("duty", desk.duty.trouble())

    def _watch_damage(self) -> None:
        """A damaged file that was put aside stays a trouble until a person took it away."""
        g = self._gateway
        aside = sorted(f.name for f in g.settings.data_dir.glob("*.damaged-*") if not f.name.endswith(("-wal", "-shm")))
        lost = {name: n for name, n in g.totals().items() if name in _DAMAGE}
        said = ", ".join(f"{name} {n}" for name, n in sorted(lost.items()))
        g.troubles.set("damage", f"put aside: {', '.join(aside[:5])} ({said}); look at it, then move it away" if aside else "")
