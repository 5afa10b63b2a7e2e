"""Entry and point -> lines of InfluxDB line protocol that nothing can break out of.

Measurement and field names are constants of the schema. Tag values come from the registry's alphabet; space, comma and equals
sign are escaped all the same, and what the format cannot express (a backslash, a line break, a control character) is refused,
for a changed tag would be somebody else's series. Strings are quoted; `points.clean` has taken out what no sink can keep.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Final

import msgspec

from edge_gateway.errors import Rejected
from edge_gateway.events import Entry, Reading, Readings, columns
from ingest.points import (
    CLOCK_ERROR_TOLD_S,
    FLAGS,
    MAX_TIME_NS,
    MIN_TIME_NS,
    Column,
    Labels,
    Point,
    layout_of,
    points,
)

MAX_LINE_BYTES: Final = 65_536
MAX_TAG_CHARS: Final = 256  # ours have at most 48; and a cached line stays small

_TAG_ESCAPES: Final = str.maketrans({" ": r"\ ", ",": r"\,", "=": r"\="})
# Writes a list of floats in a fifth of the time of repr; both are the shortest text that reads back as the same float.
_json: Final = msgspec.json.Encoder().encode
# Of what is no number JSON writes `null` (also for NaN and Inf, which it does not know), `true`, `false` or a text.
_U, _S, _QUOTE = b'us"'
_TOGETHER: Final = 64  # entries whose numbers are written in one call; if one has something else, each is looked at


def lines(entry: Entry, numbers: bytes | None = None) -> list[bytes]:
    """The lines of an entry, one for each of its points; `numbers` are those of `numbers_of`. Raises as `line` and `points`."""
    if type(entry) is Readings and not entry.time_quality and (entry.error_s or 0.0) <= CLOCK_ERROR_TOLD_S:
        short = _shortly(entry, numbers)
        if short is not None:
            return short
    return [line(point) for point in points(entry)]


def numbers_of(entries: Sequence[Entry]) -> list[bytes | None]:
    """What `lines` needs first of each entry, for many of them in a fraction of the time; None: it shall see for itself."""
    found: list[bytes | None] = []
    for at in range(0, len(entries), _TOGETHER):
        values = [entry.values if type(entry) is Readings else () for entry in entries[at : at + _TOGETHER]]
        texts = _numbers(values)
        found += [None] * len(values) if texts is None else texts[1:-1].split(b"],[")
    return found


def _numbers(values: Sequence[object]) -> bytes | None:
    """Numbers, or lists of them, as JSON without the outer brackets; None when one is not a number that a database takes."""
    try:
        texts = _json(values)
    except (OverflowError, UnicodeEncodeError):  # an integer or a text that no database takes
        return None
    return None if _U in texts or _S in texts or _QUOTE in texts else texts[1:-1]


def _shortly(entry: Readings, numbers: bytes | None) -> list[bytes] | None:
    """The lines of nearly every entry: all of them but the numbers and the time is known from the last such entry.

    Returns:
        None for an entry that has more to it than numbers with a flag, or that must be refused.
    """
    time_ns = entry.time_ns
    if entry.more or not MIN_TIME_NS <= time_ns <= MAX_TIME_NS:
        return None
    templates = _templates(entry.site, entry.device, entry.place, entry.shape)
    if not templates:
        return None
    if numbers is None:
        numbers = _numbers(entry.values)
        if numbers is None:
            return None
    texts = numbers.split(b",")
    if len(templates) == 1:
        return [templates[0][0] % (*texts, time_ns)]
    return [template % (*[texts[pick] for pick in picks], time_ns) for template, picks in templates]


@lru_cache(maxsize=32_768)
def _templates(site: str, device: str, place: str, shape: str) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    """For each point `climate,device=home-12,site=village temperature=%b,temperature_flag=1i %d`, and whose numbers it takes.

    Nothing when the short way is not for them.
    """
    names, flags = zip(*columns(shape), strict=True)
    layout = layout_of(names, "")
    if layout.any_text or not FLAGS.issuperset(flags):
        return ()
    found = []
    for group in layout.groups:
        series = _series(group.measurement, site, device, place, group.channel, ()).replace(b"%", b"%%")
        flagged = zip(group.columns, [_value(flags[pick]) for pick in group.picks], strict=True)
        fields = b",".join(b"%b=%%b,%b=%b" % (where.field.encode(), where.flag.encode(), flag) for where, flag in flagged)
        found.append((b"%b %b %%d" % (series, fields), group.picks))
    return tuple(found)


def line(point: Point) -> bytes:
    """One line without its line break, at most 64 KiB of UTF-8.

    Raises:
        Rejected: `malformed_line` or `too_large`.
    """
    fields = [_reading(*pair) for pair in zip(point.columns, point.readings, strict=True)]
    fields += [b"%b=%b" % (name.encode(), _value(value)) for name, value in point.fields]
    if not fields:
        raise Rejected("malformed_line", f"a point of {point.measurement} without a field")
    series = _series(point.measurement, point.site, point.device, point.place, point.channel, point.labels)
    data = b"%b %b %d" % (series, b",".join(fields), point.time_ns)
    if len(data) > MAX_LINE_BYTES:
        raise Rejected("too_large", f"a line of {point.measurement} has {len(data)} bytes; at most {MAX_LINE_BYTES}")
    return data


@lru_cache(maxsize=4096)
def _series(measurement: str, site: str, device: str, place: str, channel: str, labels: Labels) -> bytes:
    """`climate,device=home-12,site=village`: measurement and tags, sorted, which spares the database doing it."""
    tags = (("site", site), ("device", device), ("place", place), ("channel", channel), *labels)
    return ",".join([measurement, *sorted(f"{name}={_tag(name, value)}" for name, value in tags if value)]).encode()


def _tag(name: str, value: str) -> str:
    if not value.replace(" ", "").isprintable() or "\\" in value:
        raise Rejected("malformed_line", f"tag {name} is {value[:100]!r}; no backslash, line break or control character")
    if len(value) > MAX_TAG_CHARS:
        raise Rejected("too_large", f"tag {name} has {len(value)} characters; at most {MAX_TAG_CHARS}")
    return value.translate(_TAG_ESCAPES)


def _reading(where: Column, reading: Reading) -> bytes:
    """The fields of any reading: missing, text, calibrated or converted."""
    fields = {} if reading.value is None else {where.field: _value(reading.value)}
    fields[where.flag] = _value(int(reading.flag))
    if reading.raw is not None:
        fields[where.raw] = _value(reading.raw)
    if reading.calibration is not None:
        fields[where.calibration] = _value(reading.calibration)
    return b",".join(b"%b=%b" % (name.encode(), value) for name, value in fields.items())


def _value(value: float | int | str) -> bytes:
    """A field's value, typed by its Python type."""
    if isinstance(value, str):
        try:
            return b'"%b"' % value.replace("\\", "\\\\").replace('"', '\\"').encode()
        except UnicodeEncodeError as error:
            raise Rejected("malformed_line", f"a text is not Unicode: {error.reason}") from None
    if isinstance(value, float):
        if not isfinite(value):
            raise Rejected("malformed_line", f"a field is {value}; a number must be finite")
        return repr(value).encode()
    if not -(2**63) <= value < 2**63:
        raise Rejected("malformed_line", "an integer field is beyond 64 bits")
    return b"%di" % value
