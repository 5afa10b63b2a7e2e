"""Recorded data as devices would have measured it; a new recording is one importer and one line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from simulator.recordings.casas import CASAS
from simulator.recordings.cnemc import CNEMC
from simulator.recordings.logan import LOGAN
from simulator.recordings.row import Recording, Row

RECORDINGS: Final[Mapping[str, Recording]] = MappingProxyType({r.name: r for r in (CASAS, *LOGAN, CNEMC)})

__all__ = ["RECORDINGS", "Recording", "Row"]
