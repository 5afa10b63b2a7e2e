"""The registry changed while the gateway runs: taken up once the file stopped changing, never half written, never emptied."""

from pathlib import Path

from edge_gateway import registry
from edge_gateway.errors import Misconfigured
from edge_gateway.registry import Registry

_Seen = tuple[int, int, int]  # time of change, size, inode


class RegistryWatch:
    """Looks at the file; the last good registry stays in use whatever is wrong with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: _Seen = (0, 0, 0)
        self._loaded: _Seen = (0, 0, 0)

    def changed(self, current: Registry) -> Registry | None:
        """The registry of a file that is new since the last look but one; None: nothing new, or somebody is writing.

        Raises:
            Misconfigured: what is wrong with it; told once for each change of the file.
        """
        try:
            file = self._path.stat()
            seen = (file.st_mtime_ns, file.st_size, file.st_ino)
        except OSError:
            seen = (0, 0, 0)
        before, self._seen = self._seen, seen
        if seen == self._loaded or seen != before:
            return None
        self._loaded = seen
        known = registry.load(self._path)
        if current.devices and not known.devices:
            raise Misconfigured(f"{self._path} is missing or empty", "the last good registry stays in use")
        return known
