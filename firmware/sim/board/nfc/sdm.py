"""Settings of an NTAG 424 DNA's file, and what Secure Dynamic Messaging makes of the file's bytes by them.

Source: NXP NT4H2421Gx 8.2.3, 9.3 and 10.7. Only settings in which the counter is mirrored are modelled.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from firmware.sim.board.nfc import sun
from firmware.sim.board.nfc.sun import Mode, Reading

FREE, NEVER = 0xE, 0xF
KEYS = 5
UID_BIT, COUNTER_BIT, LIMIT_BIT, FILE_BIT, ASCII_BIT = 0x80, 0x40, 0x20, 0x10, 0x01
_SDM = 0x40  # in FileOption
_NOT_MIRRORED = 0xFFFFFF
_UID, _COUNTER, _MAC = 14, 6, 16  # characters


class BadSettings(Exception):
    """PARAMETER_ERROR or LENGTH_ERROR: the status byte."""

    def __init__(self, status: int) -> None:
        super().__init__(f"91{status:02X}")
        self.status = status


@dataclass(frozen=True)
class Sdm:
    """Offsets count from the file's first byte; None where the settings do not name one."""

    options: int
    rights: int  # 16 bits: SDMMetaRead, SDMFileRead, F, SDMCtrRet
    uid_at: int | None = None
    counter_at: int | None = None
    picc_at: int | None = None
    mac_from: int | None = None
    enc_at: int | None = None
    enc_length: int | None = None
    mac_at: int | None = None
    limit: int | None = None

    @property
    def meta(self) -> int:
        return self.rights >> 12

    @property
    def file(self) -> int:
        return self.rights >> 8 & 0xF


@dataclass(frozen=True)
class FileSettings:
    """rights: 16 bits: Read, Write, ReadWrite, Change."""

    size: int
    option: int = 0
    rights: int = 0xEEE0
    sdm: Sdm | None = None

    @property
    def read(self) -> tuple[int, int]:
        return self.rights >> 12, self.rights >> 4 & 0xF

    @property
    def write(self) -> tuple[int, int]:
        return self.rights >> 8 & 0xF, self.rights >> 4 & 0xF

    @property
    def change(self) -> int:
        return self.rights & 0xF

    def told(self) -> bytes:
        """As GetFileSettings answers it."""
        text = bytes([0, self.option]) + self.rights.to_bytes(2, "little") + self.size.to_bytes(3, "little")
        if self.sdm is None:
            return text
        return (
            text
            + bytes([self.sdm.options])
            + self.sdm.rights.to_bytes(2, "little")
            + b"".join(value.to_bytes(3, "little") for _, value in _offsets(self.sdm) if value is not None)
        )


def _offsets(sdm: Sdm) -> list[tuple[str, int | None]]:
    """Those that these options and rights have, in the order of the command."""
    macs = sdm.file != NEVER
    wanted = {
        "uid_at": bool(sdm.options & UID_BIT) and sdm.meta == FREE,
        "counter_at": bool(sdm.options & COUNTER_BIT) and sdm.meta == FREE,
        "picc_at": sdm.meta < KEYS,
        "mac_from": macs,
        "enc_at": macs and bool(sdm.options & FILE_BIT),
        "enc_length": macs and bool(sdm.options & FILE_BIT),
        "mac_at": macs,
        "limit": bool(sdm.options & LIMIT_BIT),
    }
    return [(name, getattr(sdm, name)) for name, there in wanted.items() if there]


def parse(data: bytes, size: int, mode: Mode, sdm_allowed: bool) -> FileSettings:
    """The data of ChangeFileSettings, after the file's number.

    Raises:
        BadSettings: the card would refuse it.
    """
    if len(data) < 3:
        raise BadSettings(0x7E)
    option, rights = data[0], int.from_bytes(data[1:3], "little")
    if option & 0x3C or option & 0x80 or not _exist(rights >> 12, rights >> 8, rights >> 4, rights):
        raise BadSettings(0x9E)
    if not option & _SDM:
        if len(data) != 3:
            raise BadSettings(0x7E)
        return FileSettings(size, option, rights)
    if not sdm_allowed:
        raise BadSettings(0x9D)
    if len(data) < 6:
        raise BadSettings(0x7E)
    blank = Sdm(data[3], int.from_bytes(data[4:6], "little"))
    names = [name for name, _ in _offsets(blank)]
    if len(data) != 6 + 3 * len(names):
        raise BadSettings(0x7E)
    values = {name: int.from_bytes(data[6 + 3 * i : 9 + 3 * i], "little") for i, name in enumerate(names)}
    sdm = Sdm(blank.options, blank.rights, **values)
    if not _possible(sdm, size, mode):
        raise BadSettings(0x9E)
    return FileSettings(size, option, rights, sdm)


def _exist(*rights: int) -> bool:
    return all(right & 0xF < KEYS or right & 0xF in (FREE, NEVER) for right in rights)


def _possible(sdm: Sdm, size: int, mode: Mode) -> bool:
    if not _exist(sdm.rights >> 12, sdm.rights) or not (sdm.file < KEYS or sdm.file == NEVER):
        return False
    if not sdm.options & COUNTER_BIT or not sdm.options & ASCII_BIT or sdm.options & 0x0E or sdm.rights >> 4 & 0xF != 0xF:
        return False
    if sdm.options & UID_BIT and sdm.meta == NEVER:
        return False
    if sdm.options & FILE_BIT and (not sdm.options & UID_BIT or sdm.file == NEVER):
        return False
    if sdm.mac_at is not None and (sdm.mac_from is None or sdm.mac_from > sdm.mac_at):
        return False
    if sdm.enc_at is not None:
        assert sdm.enc_length is not None and sdm.mac_at is not None and sdm.mac_from is not None
        if sdm.enc_length < 32 or sdm.enc_length % 32 or not sdm.mac_from <= sdm.enc_at <= sdm.mac_at - sdm.enc_length:
            return False
    spans = sorted(_spans(sdm, mode))
    ends = [at + length for at, length in spans]
    return all(end <= size for end in ends) and all(end <= at for end, (at, _) in zip(ends, spans[1:], strict=False))


def _spans(sdm: Sdm, mode: Mode) -> list[tuple[int, int]]:
    """(offset, characters) of what is replaced."""
    found = [
        (sdm.uid_at, _UID),
        (sdm.counter_at, _COUNTER),
        (sdm.picc_at, 32 if mode is Mode.AES else 48),
        (sdm.enc_at, sdm.enc_length or 0),
        (sdm.mac_at, _MAC),
    ]
    return [(at, length) for at, length in found if at is not None and at != _NOT_MIRRORED]


def mirrored(content: bytes, sdm: Sdm, keys: Mapping[int, bytes], mode: Mode, reading: Reading) -> bytes:
    """The file as it is read without authentication. `reading`: the real UID, the counter, 13 random bytes."""
    text = bytearray(content)
    seen = reading if sdm.options & UID_BIT else Reading(b"", reading.counter, reading.padding)

    def put(at: int | None, what: bytes) -> None:
        if at is not None and at != _NOT_MIRRORED:
            text[at : at + len(what)] = what

    put(sdm.uid_at, seen.uid.hex().upper().encode())
    put(sdm.counter_at, b"%06X" % seen.counter)
    if sdm.picc_at is not None:
        put(sdm.picc_at, sun.picc_data(mode, keys[sdm.meta], seen).hex().upper().encode())
    if sdm.enc_at is not None and sdm.enc_length is not None:
        plain = content[sdm.enc_at : sdm.enc_at + sdm.enc_length // 2]
        put(sdm.enc_at, sun.file_data(mode, keys[sdm.file], seen, plain).hex().upper().encode())
    if sdm.mac_at is not None and sdm.mac_from is not None:
        covered = bytes(text[sdm.mac_from : sdm.mac_at])
        put(sdm.mac_at, sun.mac(mode, keys[sdm.file], seen, covered).hex().upper().encode())
    return bytes(text)
