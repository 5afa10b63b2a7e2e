"""Point -> one line of InfluxDB line protocol that nothing can break out of.

Measurement and field names are constants of the schema. Tag values come from the registry's alphabet; space, comma and equals
sign are escaped all the same, and what the format cannot express (a backslash, a line break, a control character) is refused,
for a changed tag would be somebody else's series. Strings are quoted; `points.clean` has taken out what no sink can keep.
"""

from functools import lru_cache
from math import isfinite
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.events import Reading
from ingest.points import Column, Labels, Point

MAX_LINE_BYTES: Final = 65_536

_TAG_ESCAPES: Final = str.maketrans({" ": r"\ ", ",": r"\,", "=": r"\="})


def line(point: Point) -> bytes:
    """One line without its line break, at most 64 KiB of UTF-8.

    Raises:
        Rejected: `malformed_line` or `too_large`.
    """
    text = _series(point.measurement, point.site, point.device, point.place, point.channel, point.labels)
    for where, reading in zip(point.columns, point.readings, strict=True):
        value = reading.value
        # The hot line: a bare finite number, which is nearly every reading.
        if type(value) is float and isfinite(value) and reading.raw is None and reading.calibration is None:
            text += f"{where.field}={value!r},{where.flag}={reading.flag}i,"
        else:
            text += _reading(where, reading)
    for name, plain in point.fields:
        text += f"{name}={_value(plain)},"
    if text[-1] != ",":
        raise Rejected("malformed_line", f"a point of {point.measurement} without a field")
    try:
        data = f"{text[:-1]} {point.time_ns}".encode()
    except UnicodeEncodeError as error:
        raise Rejected("malformed_line", f"a text of {point.measurement} is not Unicode: {error.reason}") from None
    if len(data) > MAX_LINE_BYTES:
        raise Rejected("too_large", f"a line of {point.measurement} has {len(data)} bytes; at most {MAX_LINE_BYTES}")
    return data


@lru_cache(maxsize=65_536)
def _series(measurement: str, site: str, device: str, place: str, channel: str, labels: Labels) -> str:
    """`climate,device=home-12,site=village `: measurement and tags, in InfluxDB's own order, and the space after them."""
    tags = (("site", site), ("device", device), ("place", place), ("channel", channel), *labels)
    return ",".join([measurement, *sorted(f"{name}={_tag(name, value)}" for name, value in tags if value)]) + " "


def _tag(name: str, value: str) -> str:
    if not value.replace(" ", "").isprintable() or "\\" in value:
        raise Rejected("malformed_line", f"tag {name} is {value[:100]!r}; no backslash, line break or control character")
    return value.translate(_TAG_ESCAPES)


def _reading(where: Column, reading: Reading) -> str:
    """The fields of a reading that is missing, a text, or has been calibrated or converted; with a comma at the end."""
    value, flag = reading.value, f"{where.flag}={_value(int(reading.flag))},"
    if value is None:
        return flag
    text = f"{where.field}={_value(value)},{flag}"
    if reading.raw is not None:
        text += f"{where.raw}={_value(reading.raw)},"
    if reading.calibration is not None:
        text += f"{where.calibration}={_value(reading.calibration)},"
    return text


def _value(value: float | int | str) -> str:
    """A field's value, typed by its Python type."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, float):
        if not isfinite(value):
            raise Rejected("malformed_line", f"a field is {value}; a number must be finite")
        return repr(value)
    if not -(2**63) <= value < 2**63:
        raise Rejected("malformed_line", "an integer field is beyond 64 bits")
    return f"{value}i"
