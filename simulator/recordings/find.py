"""Finds the recording a person means: by name, the beginning of it, or the path of its file."""

from pathlib import Path

from edge_gateway.errors import Misconfigured
from simulator.recordings import RECORDINGS, Recording

_ALSO = {"cnemc": "cn-stations"}


def find_recording(name: str, data: Path) -> tuple[Recording, Path]:
    """The recording and where it is.

    Raises:
        Misconfigured: no such recording, or its file is not in `data`.
    """
    given = Path(name)
    if given.exists():
        for known in RECORDINGS.values():
            if given.name == Path(known.path).name:
                return known, given
    wanted = _ALSO.get(name, name)
    chosen = next((known for known in RECORDINGS.values() if known.name.startswith(wanted)), None)
    if chosen is None:
        raise Misconfigured(f"there is no recording {name[:60]!r}", f"known: {', '.join(RECORDINGS)}")
    path = data / chosen.path
    if not path.exists():
        raise Misconfigured(f"{path} is not there", "name the folder of the recorded data with --data or KANHU_DATA")
    return chosen, path
