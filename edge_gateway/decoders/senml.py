"""SenML (RFC 8428) in JSON and CBOR: bytes to records, nothing judged yet but their shape.

The good path is one call into msgspec: `plain` for most messages, `decode` for all. Only when that fails is the message read
again the slow way, record by record, so that one bad record keeps its neighbours: a record with a field of the wrong type
comes out as `Faulty`, without a name.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

import cbor2
import msgspec
from msgspec import UNSET, UnsetType

from edge_gateway.errors import Rejected

MAX_BYTES: Final = 65_536
MAX_RECORDS: Final = 4096
MAX_DEPTH: Final = 8
VERSION: Final = 10  # of SenML: RFC 8428 section 4.4
RELATIVE: Final = 2.0**28  # a smaller time is relative to now: RFC 8428 section 4.5.3


class Plain(msgspec.Struct, frozen=True, gc=False):
    """The fields that nearly all SenML records have; one that was not sent is UNSET, and `v` alone may also be null.

    `boot` to `up` are the message's identity and clock (first record): see `docs/contract.md` section 2. Times are seconds.
    """

    n: str | UnsetType = UNSET
    u: str | UnsetType = UNSET
    v: float | UnsetType | None = UNSET
    vb: bool | UnsetType = UNSET
    t: float | UnsetType = UNSET
    bt: float | UnsetType = UNSET
    boot: int | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    clk: str | UnsetType = UNSET
    err: float | UnsetType = UNSET
    up: float | UnsetType = UNSET


class Record(Plain, frozen=True, gc=False):
    """One SenML record as it was sent, with the fields that few have; `raw`, `cal` and `lost` belong to the record."""

    vs: str | UnsetType = UNSET
    vd: str | UnsetType = UNSET
    s: float | UnsetType = UNSET
    ut: float | UnsetType = UNSET
    bn: str | UnsetType = UNSET
    bu: str | UnsetType = UNSET
    bv: float | UnsetType = UNSET
    bs: float | UnsetType = UNSET
    bver: int | UnsetType = UNSET
    raw: float | UnsetType = UNSET
    cal: str | UnsetType = UNSET
    lost: list[int] | UnsetType = UNSET


class _OnlyPlain(Plain, frozen=True, gc=False, forbid_unknown_fields=True):
    """So that a field that few have, or that must be understood, is noticed."""


class Faulty(Record, frozen=True, gc=False):
    """A record with fields of the wrong type: they are left out, and `n` too, so that nobody takes it for a good one.

    Attributes:
        name: what `n` was, if it was a text.
        faults: (field, reason, detail) of each field left out.
    """

    name: str = ""
    faults: tuple[tuple[str, str, str], ...] = ()


def plain(payload: bytes) -> Sequence[Plain] | None:
    """The records of a JSON message whose records have no other fields, as nearly all are: a third of the work. Never refuses.

    Returns:
        None for any other message: `decode` says what it is.
    """
    if len(payload) > MAX_BYTES:
        return None
    try:
        records = _plain_from_json(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return records if 0 < len(records) <= MAX_RECORDS else None


def whole(records: Sequence[Plain]) -> list[Record]:
    """The records of `plain` as `decode` gives them."""
    return [record if isinstance(record, Record) else Record(**msgspec.structs.asdict(record)) for record in records]


def decode(payload: bytes) -> list[Record]:
    """The records of one message, at least one, in order.

    Raises:
        Rejected: `empty`, `too_large`, `bad_encoding`, `malformed`, `too_deep`, `not_senml`, `too_many_records`,
            `unknown_version`, `mandatory_field`.
    """
    if len(payload) > MAX_BYTES:
        raise Rejected("too_large", f"{len(payload)} bytes; at most {MAX_BYTES}")
    if payload[:1] == b"[":
        # A field ending in "_" must be understood (RFC 8428 section 4.4), but msgspec passes over it: when the bytes allow one
        # at all, look at every key.
        if b'_"' not in payload and b"\\" not in payload:
            try:
                records = _from_json(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                records = _from_objects(_slow_json(payload), _NAMES)
        else:
            records = _from_objects(_slow_json(payload), _NAMES)
    else:
        records = _other(payload)
    if not records:
        raise Rejected("not_senml", "an empty array; a message has at least one record")
    if len(records) > MAX_RECORDS:
        raise Rejected("too_many_records", f"{len(records)} records; at most {MAX_RECORDS}")
    version = records[0].bver
    if version is not UNSET and not 1 <= version <= VERSION:
        raise Rejected("unknown_version", f"bver {version}; this gateway knows SenML from 1 to {VERSION}")
    return records


def identity(payload: bytes) -> tuple[int, int] | None:
    """(boot, seq) as far as they can be read in a message that is refused: the device waits for a receipt that frees it."""
    found = []
    for key in (b"boot", b"seq"):
        start = payload[:1024]
        if payload[:1] == b"[":
            number = re.search(rb'"%s"\s*:\s*(\d{1,10})\s*[,}]' % key, start)
            found.append(int(number[1]) if number else -1)
        else:
            _, _, rest = start.partition(bytes([0x60 + len(key)]) + key)
            found.append(_leading_integer(rest))
    boot, seq = found
    return (boot, seq) if 0 <= boot <= 2**32 - 1 and 1 <= seq <= 2**32 - 1 else None


def _leading_integer(cbor: bytes) -> int:
    """The unsigned integer of at most 32 bits at the beginning; -1 if there is none."""
    if not cbor or cbor[0] > 0x1A:
        return -1
    size = {0x18: 1, 0x19: 2, 0x1A: 4}.get(cbor[0], 0)
    if len(cbor) <= size:
        return -1
    return int.from_bytes(cbor[1 : 1 + size], "big") if size else cbor[0]


def show(value: object) -> str:
    """What was seen, for a detail: short, ASCII, on one line."""
    try:
        return ascii(value)[:80]
    except (ValueError, RecursionError):  # an integer of 4,301 digits; a structure too deep to print
        return f"a {type(value).__name__} too large to print"


def _other(payload: bytes) -> list[Record]:
    """Anything that does not begin with `[`: CBOR, JSON after white space, or nothing we take."""
    if not payload:
        raise Rejected("empty", "no payload")
    if 0x80 <= payload[0] <= 0x9F:
        return _from_cbor(payload)
    if payload.startswith(_MARKS) or b"\x00" in payload[:2] or payload.lstrip(b" \t\r\n")[:1] == b"[":
        return _from_objects(_slow_json(payload), _NAMES)
    raise Rejected("not_senml", f"begins with {show(payload[:16])}; expected a JSON array or a CBOR array")


# JSON

_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_from_json: Final = msgspec.json.Decoder(list[Record]).decode
_plain_from_json: Final = msgspec.json.Decoder(list[_OnlyPlain]).decode

# As MicroPython's json and C's printf write it: no JSON, but no reason to lose the other readings of the message.
_NOT_A_NUMBER: Final = re.compile(r"(?<=:)\s*-?(?:nan|inf)(?=\s*[,}])")


def _integer(digits: str) -> int | float:
    # int() of 4,301 digits raises, of 300 cannot become a float; as infinity it is refused where it stands.
    return int(digits) if len(digits) < 20 else float(digits)


def _slow_json(payload: bytes) -> object:
    """As far as it is JSON at all; NaN and infinities become floats and are refused where they stand."""
    if payload.startswith(_MARKS) or b"\x00" in payload[:2]:
        raise Rejected("bad_encoding", "a byte order mark or UTF-16; JSON is UTF-8 without a mark")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Rejected("bad_encoding", f"not UTF-8 at byte {error.start}") from None
    try:
        try:
            return json.loads(text, parse_int=_integer)
        except ValueError:
            return json.loads(_NOT_A_NUMBER.sub("NaN", text), parse_int=_integer)
    except RecursionError:
        raise Rejected("too_deep", "arrays or objects in each other without end") from None
    except ValueError as error:
        raise Rejected("malformed", f"not JSON: {show(str(error))}") from None


# CBOR

# RFC 8428 table 5. Our own fields keep their names.
_LABELS: Final[Mapping[Any, str]] = {
    **{-6: "bs", -5: "bv", -4: "bu", -3: "bt", -2: "bn", -1: "bver"},
    **{0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"},
    **{name: name for name in ("boot", "seq", "clk", "err", "up", "raw", "cal", "lost")},
}


def _no_tag(value: object, immutable: bool) -> NoReturn:
    raise ValueError("a CBOR tag")


# All tags are refused: a few bytes of bignum, decimal fraction, bigfloat or shared reference are a number of gigabytes or a
# list that contains itself, and a regular expression or an e-mail message is not for us.
_TAGS: Final = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_NO_TAGS: Final = dict.fromkeys(_TAGS, _no_tag)


def _from_cbor(payload: bytes) -> list[Record]:
    decoder = cbor2.CBORDecoder(
        io.BytesIO(payload),
        semantic_decoders=_NO_TAGS,
        tag_hook=_no_tag,
        max_depth=MAX_DEPTH,
        allow_duplicate_keys=False,
    )
    try:
        pack = decoder.decode()
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise Rejected("malformed", f"not CBOR as we take it (no tags): {show(str(error))}") from None
    try:
        decoder.decode()
    except cbor2.CBORDecodeEOF:
        pass
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, OverflowError):
        raise Rejected("malformed", "bytes after the end of the message") from None
    else:
        raise Rejected("malformed", "a second item after the message")
    try:
        return msgspec.convert([{_LABELS[key]: value for key, value in record.items()} for record in pack], list[Record])
    except (msgspec.ValidationError, KeyError, TypeError, AttributeError):
        return _from_objects(pack, _LABELS)


# The slow way


def _a_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number is expected")
    return float(value)  # NaN and infinities too: `validate` has the last word on numbers


def _a_number_or_null(value: object) -> float | None:
    return None if value is None else _a_number(value)


def _an_integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an integer is expected")
    return value


def _a_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value


def _a_state(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false is expected")
    return value


def _integers(value: object) -> list[int]:
    if not isinstance(value, list):
        raise TypeError("[boot, first, last] is expected")
    return [_an_integer(item) for item in value]


_FIELDS: Final[Mapping[str, tuple[Callable[[object], Any], str]]] = {
    "n": (_a_text, "no_name"),
    "u": (_a_text, "wrong_unit"),
    "v": (_a_number_or_null, "not_a_number"),
    "vb": (_a_state, "not_a_state"),
    "vs": (_a_text, "not_a_text"),
    "vd": (_a_text, "wrong_kind"),
    "s": (_a_number, "not_a_number"),
    "t": (_a_number, "bad_time"),
    "ut": (_a_number, "bad_time"),
    "bn": (_a_text, "wrong_device"),
    "bt": (_a_number, "bad_time"),
    "bu": (_a_text, "wrong_unit"),
    "bv": (_a_number, "not_a_number"),
    "bs": (_a_number, "not_a_number"),
    "bver": (_an_integer, "unknown_version"),
    "boot": (_an_integer, "no_identity"),
    "seq": (_an_integer, "no_identity"),
    "clk": (_a_text, "bad_clock"),
    "err": (_a_number, "bad_clock"),
    "up": (_a_number, "bad_clock"),
    "raw": (_a_number, "not_a_number"),
    "cal": (_a_text, "not_a_text"),
    "lost": (_integers, "bad_loss"),
}
_NAMES: Final[Mapping[Any, str]] = {name: name for name in _FIELDS}

# A wrong one of these changes the meaning of the records after it, so the message cannot be kept in part.
_WHOLE_MESSAGE: Final = frozenset({"bn", "bu", "bv", "bs", "bver", "boot", "seq"})


def _from_objects(pack: object, labels: Mapping[Any, str]) -> list[Record]:
    if not isinstance(pack, list):
        raise Rejected("not_senml", f"{show(pack)}; expected an array of records")
    if len(pack) > MAX_RECORDS:
        raise Rejected("too_many_records", f"{len(pack)} records; at most {MAX_RECORDS}")
    return [_record(item, labels) for item in pack]


def _record(item: object, labels: Mapping[Any, str]) -> Record:
    if not isinstance(item, dict):
        return Faulty(faults=(("record", "not_a_record", f"{show(item)}; expected an object"),))
    found: dict[str, Any] = {}
    faults: list[tuple[str, str, str]] = []
    for key, value in item.items():
        name = labels.get(key) if isinstance(key, str | int) else None
        if name is None:
            if isinstance(key, str) and key.endswith("_"):
                raise Rejected("mandatory_field", f"{show(key)} must be understood, and this gateway does not")
            continue
        read, reason = _FIELDS[name]
        try:
            found[name] = read(value)
        except (TypeError, OverflowError) as error:
            if name in _WHOLE_MESSAGE:
                raise Rejected(reason, f"{name} is {show(value)}; {error}") from None
            faults.append((name, reason, f"{name} is {show(value)}; {error}"))
    if not faults:
        return Record(**found)
    return Faulty(name=found.pop("n", ""), faults=tuple(faults), **found)


def resolve(records: Iterable[Record], now_s: float) -> list[Record]:
    """The records with the base fields worked in and their times made absolute, as RFC 8428 section 4.6 has it.

    Args:
        records: as `decode` gives them.
        now_s: seconds since 1970 UTC; a time below 2**28 is relative to it.
    """
    name, unit, time_s, value, total = "", UNSET, 0.0, 0.0, 0.0
    resolved = []
    for record in records:
        name = name if record.bn is UNSET else record.bn
        time_s = time_s if record.bt is UNSET else record.bt
        unit = unit if record.bu is UNSET else record.bu  # type: ignore[assignment]
        value = value if record.bv is UNSET else record.bv
        total = total if record.bs is UNSET else record.bs
        at_s = time_s + (0.0 if record.t is UNSET else record.t)
        resolved.append(
            msgspec.structs.replace(
                record,
                n=name + (record.n or ""),
                u=unit if record.u is UNSET else record.u,
                t=at_s if at_s >= RELATIVE else now_s + at_s,
                v=value + record.v if isinstance(record.v, float) else record.v,
                s=total + record.s if isinstance(record.s, float) else record.s,
                **dict.fromkeys(("bn", "bt", "bu", "bv", "bs", "bver"), UNSET),
            )
        )
    return resolved
