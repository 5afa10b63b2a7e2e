"""Grafana's ids of units: any other word is shown behind the number as it stands, and so hides a typo."""

from typing import Final

from dashboards.grafana.lint.shape import split

# Those that quantities of the catalogue and of the gateway can be shown in.
_KNOWN: Final = split(
    "none string short sishort percent percentunit humidity dB ppm degree "
    "bytes decbytes kbytes deckbytes mbytes decmbytes gbytes decgbytes "
    "watt kwatt watth kwatth joule volt mvolt amp mamp amph mamph dBm lux "
    "celsius pressurepa pressurehpa pressurekpa lengthmm lengthm lengthkm massg masskg conmgm3 congm3 litre m3 "
    "ns µs ms s m h d dtdurationms dtdurations dthms dtdhms clockms clocks "
    "dateTimeAsIso dateTimeAsIsoNoDateIfToday dateTimeAsLocal dateTimeAsLocalNoDateIfToday dateTimeAsSystem dateTimeFromNow "
    "cps ops reqps rps wps eps mps recps rowsps cpm opm reqpm rpm wpm epm mpm recpm rowspm bool bool_yes_no bool_on_off"
)
# What stands before the colon, and then a text of ours: `suffix:mg/L`.
_OWN: Final = ("suffix:", "prefix:", "time:", "si:", "count:")


def unit_fault(unit: str) -> str:
    """What is wrong with a unit; "": nothing."""
    if unit in _KNOWN:
        return ""
    if unit.startswith("suffix: "):
        return f"unit {unit!r}: Grafana puts a blank before it by itself, so there would be two"
    if any(unit.startswith(start) and unit.removeprefix(start).strip() for start in _OWN):
        return ""
    return f"unit {unit!r} is none of Grafana's; for one of ours write 'suffix:{unit}'"
