"""A message like one before: decoded and judged in one call, by types made after that one. Never refuses.

The types say which fields each record has, what its texts are, and between which limits its value is believable: msgspec looks
at all that while it reads the numbers. A message that differs in more than its numbers does not fit, and goes the way of all
others (`validate`), with the same result.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta

from edge_gateway.catalog import Kind, Quantity
from edge_gateway.decoders.senml import Plain
from edge_gateway.events import Flag, More, columns
from edge_gateway.message import LATEST_S, LIMIT, Instant, Message
from edge_gateway.quick import LARGEST, QUICK_FROM_S, QUICK_UNTIL_S
from edge_gateway.value import quantity_of

LONGEST: Final = 4096  # bytes of a message that is worth it
MOST_RECORDS: Final = 32  # in it
MOST: Final = 256  # likenesses for all devices together, of some 20 KiB each
MOST_OF_ONE: Final = 4  # that one device may hold on to
ONE_OF: Final = 16  # messages that are not alike is learned from

_SECONDS: Final = Annotated[float, Meta(ge=0.0, lt=LATEST_S)]
_NUMBERS: Final[dict[str, object]] = {
    "boot": Annotated[int, Meta(ge=0, le=LIMIT)],
    "seq": Annotated[int, Meta(ge=1, le=LIMIT)],
    "err": _SECONDS,
    "up": _SECONDS,
    "bt": Annotated[float, Meta(ge=QUICK_FROM_S, lt=QUICK_UNTIL_S)],
    "vb": bool,
    "raw": float,
}
# In the order in which devices write them: msgspec looks for each where it found the one before.
_OF_THE_FIRST: Final = ("boot", "seq", "clk", "err", "up", "bt", "n", "u", "v", "vb", "raw", "cal")
_OF_A_RECORD: Final = _OF_THE_FIRST[6:]

# (field, what it always says) of one record, the latter "" for numbers and states; a `v` that is always null says so.
_Fields = tuple[tuple[str, str], ...]
_NULL: Final = "null"


class Likeness:
    """Reads messages of one instant that differ in their numbers only, each of them in its range.

    Args:
        shape: as in `Readings`.
        clock: as in `Message`.
        fields: of each record.
    """

    def __init__(self, shape: str, clock: str, fields: tuple[_Fields, ...]) -> None:
        same = [dict(pairs) for pairs in fields]
        types = tuple([_type(record) for record in same])
        self._records: Callable[[bytes], Sequence[Any]] = msgspec.json.Decoder(tuple[types]).decode  # type: ignore[valid-type]
        self._shape, self._clock = shape, clock
        self._has_time, self._has_error, self._has_uptime = clock != "none", "err" in same[0], "up" in same[0]
        self._states = [at for at, record in enumerate(same) if "vb" in record]
        # Position, whether there is a raw value, calibration and conversion of each that is not the number alone.
        self._told = [
            (at, "raw" in record, record.get("cal"), conversion)
            for at, record in enumerate(same)
            if (conversion := _conversion(record)) or "raw" in record or "cal" in record
        ]
        self._has_others = bool(self._states or self._told)

    def read(self, payload: bytes) -> Message | None:
        """The message; None: it is another one."""
        if len(payload) > LONGEST:
            return None
        try:
            records = self._records(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        values = [record.v for record in records]
        more: More = {}
        if self._has_others and not self._work_in(records, values, more):
            return None
        head = records[0]
        time_ns = round(head.bt * 1e6) * 1000 if self._has_time else None
        uptime_ns = round(head.up * 1e6) * 1000 if self._has_uptime else None
        instant = Instant(time_ns, uptime_ns, self._shape, tuple(values), more or None)
        return Message(head.boot, head.seq, self._clock, head.err if self._has_error else None, [instant], [], [])

    def _work_in(self, records: Sequence[Any], values: list[Any], more: More) -> bool:
        """Make states 1.0 and 0.0, convert other units, fill `more`; False: a converted value is out of its range."""
        for at in self._states:
            values[at] = 1.0 if values[at] else 0.0
        for at, has_raw, calibration, conversion in self._told:
            raw = records[at].raw if has_raw else None
            if conversion is not None:
                factor, offset, low, high = conversion
                raw = values[at] if raw is None else raw
                values[at] = values[at] * factor + offset
                if not low <= values[at] <= high:
                    return False
            more[at] = raw, calibration
        return True


class Likenesses:
    """Those of one device, by the number of records in a message: it tells nearly all that a device sends apart."""

    def __init__(self) -> None:
        self._known: dict[int, Likeness] = {}
        self._only: Likeness | None = None  # if there is but one, there is nothing to count
        self._strangers = 0

    def read(self, payload: bytes) -> Message | None:
        """The message, if it is like one before; None: it has to be looked at."""
        known = self._only or self._known.get(payload.count(b"{"))
        return None if known is None else known.read(payload)

    def learn(self, payload: bytes, records: Sequence[Plain], message: Message) -> None:
        """Remember what a message looks like that had to be looked at.

        One of some, for making types takes as long as twenty messages, and who never sends the same twice must not cost more.
        """
        self._strangers += 1
        if self._strangers % ONE_OF or payload[:1] != b"[" or len(payload) > LONGEST:
            return
        about = _about(records, message)
        if about is None:
            return
        count = payload.count(b"{")
        if count not in self._known and len(self._known) >= MOST_OF_ONE:
            self._known.clear()
        self._known[count] = known = _likeness(*about)
        self._only = known if len(self._known) == 1 else None


_likeness: Final = lru_cache(maxsize=MOST)(Likeness)


def _about(records: Sequence[Plain], message: Message) -> tuple[str, str, tuple[_Fields, ...]] | None:
    """What a message must have in common with this one (see `Likeness`); None: more may differ in the next one than numbers."""
    if len(message.instants) != 1 or message.losses or message.refused or len(records) > MOST_RECORDS:
        return None
    shape, has_time = message.instants[0].shape, message.instants[0].time_ns is not None
    readings = columns(shape)
    if len(readings) != len(records) or has_time != (message.clock != "none"):
        return None
    found: list[_Fields] = []
    for record, (name, flag) in zip(records, readings, strict=True):
        sent = {key: value for key in record.__struct_fields__ if (value := getattr(record, key)) is not UNSET}
        known = _OF_A_RECORD if found else _OF_THE_FIRST
        if flag == Flag.FAIL or record.n != name or not sent.keys() <= set(known) or ("v" in sent) == ("vb" in sent):
            return None
        if type(sent.get("v")) is float and quantity_of(name).kind is not Kind.NUMBER:
            return None  # a state as 0 or 1
        if not all(text.isprintable() for text in sent.values() if isinstance(text, str)):
            return None  # stored otherwise than it was sent
        found.append(tuple([(key, _says(sent[key])) for key in known if key in sent]))
    return shape, message.clock, tuple(found)


def _says(value: object) -> str:
    return _NULL if value is None else value if isinstance(value, str) else ""


def _type(fields: dict[str, str]) -> type[msgspec.Struct]:
    """A record with these fields and no others. What it says in `vb` is its `v`, too."""
    types: dict[str, Any] = {key: _NUMBERS.get(key, Literal[text]) for key, text in fields.items()}
    if "vb" in fields:
        types["v"] = types.pop("vb")
    else:
        types["v"] = None if fields["v"] == _NULL else _number(fields)
    rename = {"v": "vb"} if "vb" in fields else None
    return msgspec.defstruct("Alike", list(types.items()), rename=rename, frozen=True, gc=False, forbid_unknown_fields=True)


def _number(fields: dict[str, str]) -> Any:
    """Of the `v` of a record: a number in its range; in another unit any number, which is judged when it is converted."""
    if _conversion(fields):
        return float
    low, high = _range(quantity_of(fields["n"]))
    return Annotated[float, Meta(ge=low, le=high)]


def _conversion(fields: dict[str, str]) -> tuple[float, float, float, float] | None:
    """Factor, offset, low and high of a number in another unit than the catalogue's; None: of any other value."""
    quantity, unit = quantity_of(fields["n"]), fields.get("u", "")
    if fields.get("v", _NULL) == _NULL or unit not in quantity.also:
        return None
    return *quantity.also[unit], *_range(quantity)


def _range(quantity: Quantity) -> tuple[float, float]:
    return -LARGEST if quantity.low is None else quantity.low, LARGEST if quantity.high is None else quantity.high
