"""What the text of a tap says before any key is tried: a code of one reading, a number with its signature, or a bare number.

Go by the text alone: a reader's word `proof` adds nothing that the text does not show itself.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_gateway.errors import Rejected

LONGEST: Final = 1024  # characters, as the contract takes of any text

_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
# The names are whatever the tag's URL says; where two values have the length of a MAC these names decide.
_MAC_NAMES: Final = ("cmac", "c", "mac", "m")
_MAC, _UID, _COUNTER, _SIGNATURE = 16, 14, 6, 64  # hexadecimal digits
_UIDS: Final = (8, 14, 20)


class Mode(StrEnum):
    """Which cipher a tag computes with."""

    AES = "aes"
    LRP = "lrp"


_PICC: Final = {32: Mode.AES, 48: Mode.LRP}


@dataclass(frozen=True, slots=True)
class Sun:
    """What an NTAG 424 DNA computed for one reading.

    Attributes:
        mode: None where UID and counter are not encrypted: the text does not show it.
        picc: UID and counter, encrypted; b"" where they are plain.
        uid, counter: plain; b"" and None where they are encrypted.
        enc: encrypted file data, whole blocks.
        covered: what the MAC covers: from the file data to the MAC, as the tag wrote it; nothing without file data.
    """

    mode: Mode | None
    picc: bytes
    mac: bytes
    uid: bytes = b""
    counter: int | None = None
    enc: bytes = b""
    covered: bytes = b""


@dataclass(frozen=True, slots=True)
class Signed:
    """What an NTAG21x told: its number, how often it was read, and the maker's signature over the number."""

    uid: bytes
    counter: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Bare:
    """A number and nothing else."""

    uid: bytes


@dataclass(frozen=True, slots=True)
class _Value:
    """One value of the query, or one part of a value that is several with `x` between, and where it begins."""

    name: str
    text: str
    at: int


def parse(text: str) -> Sun | Signed | Bare:
    """Read the text of a tap: a query, a whole URL, or a UID.

    Raises:
        Rejected: `empty`, `too_long`, `no_code` (nothing that a card of ours writes), `two_codes` (it says two things).
    """
    if len(text) > LONGEST:
        raise Rejected("too_long", f"{len(text)} characters; at most {LONGEST}")
    query = _query(text.strip())
    if not query:
        raise Rejected("empty", "the tap has no text")
    if len(query) in _UIDS and _HEX.fullmatch(query):
        return Bare(bytes.fromhex(query))
    values = _values(query)
    signed = _signed(values)
    return signed if signed is not None else _sun(query, values)


def _query(text: str) -> str:
    """What follows the question mark of a URL, or all of a text that has none."""
    before, mark, query = text.partition("?")
    return (query if mark else before).partition("#")[0]


def _values(query: str) -> list[_Value]:
    values, at = [], 0
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        start = at + len(name) + len(equals)
        parts = value.split("x")
        if not all(_HEX.fullmatch(part) for part in parts):
            parts = [value]
        for part in parts:
            values.append(_Value(name.lower(), part, start))
            start += len(part) + 1
        at += len(pair) + 1
    return values


def _signed(values: list[_Value]) -> Signed | None:
    named = {value.name: value.text for value in values}
    lengths = {"uid": _UID, "ctr": _COUNTER, "sig": _SIGNATURE}
    if not all(_is_hex(named.get(name, ""), length) for name, length in lengths.items()):
        return None
    if len(values) > len(lengths):
        raise Rejected("two_codes", f"{len(values)} values beside a signature; expected uid, ctr, sig")
    return Signed(bytes.fromhex(named["uid"]), int(named["ctr"], 16), bytes.fromhex(named["sig"]))


def _sun(query: str, values: list[_Value]) -> Sun:
    mac = _mac(values)
    before = [value for value in values if value.at < mac.at and _HEX.fullmatch(value.text)]
    uid = _only(before, _UID, "UID")
    counter = _only(before, _COUNTER, "counter") if uid is not None else None
    blocks = [value for value in before if len(value.text) % 32 == 0]
    if uid is not None and counter is not None:
        enc = _file_data(query, blocks, mac)
        code = bytes.fromhex(mac.text)
        return Sun(None, b"", code, bytes.fromhex(uid.text), int(counter.text, 16), *enc)
    # A tag writes its PICC data before the file data.
    picc = next((value for value in before if len(value.text) in _PICC), None)
    if picc is None:
        lengths = ", ".join(str(len(value.text)) for value in values[:8])
        raise Rejected("no_code", f"values of {lengths} characters; PICC data has 32 or 48 hexadecimal digits before the MAC")
    enc = _file_data(query, [value for value in blocks if value is not picc], mac)
    return Sun(_PICC[len(picc.text)], bytes.fromhex(picc.text), bytes.fromhex(mac.text), b"", None, *enc)


def _mac(values: list[_Value]) -> _Value:
    found = [value for value in values if _is_hex(value.text, _MAC)]
    if len(found) > 1:
        found = [value for value in found if value.name in _MAC_NAMES]
    if len(found) != 1:
        raise Rejected("two_codes" if found else "no_code", f"{len(found)} values could be the MAC of 16 hexadecimal digits")
    return found[0]


def _only(values: list[_Value], length: int, what: str) -> _Value | None:
    found = [value for value in values if len(value.text) == length]
    if len(found) > 1:
        raise Rejected("two_codes", f"{len(found)} values could be the {what}")
    return found[0] if found else None


def _file_data(query: str, blocks: list[_Value], mac: _Value) -> tuple[bytes, bytes]:
    """File data, and the text that the MAC covers."""
    if not blocks:
        return b"", b""
    if len(blocks) > 1:
        raise Rejected("two_codes", f"{len(blocks)} values could be the file data")
    enc = blocks[0]
    # A tag writes upper case; who passed the text on may have changed that. The names stay as they are.
    covered = enc.text.upper() + query[enc.at + len(enc.text) : mac.at]
    return bytes.fromhex(enc.text), covered.encode("utf-8", "replace")


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and _HEX.fullmatch(text) is not None
