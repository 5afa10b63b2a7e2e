"""Which decoder reads which topics. A new one is a file in this folder and a line here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from edge_gateway.decoders import senml
from edge_gateway.topics import ROOT

Decode = Callable[[bytes], list[senml.Record]]

# Beginning of the topic -> payload to records.
DECODERS: Final[Mapping[str, Decode]] = MappingProxyType({f"{ROOT}/": senml.decode})
