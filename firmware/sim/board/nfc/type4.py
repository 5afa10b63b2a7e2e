"""NTAG 424 DNA at APDU level: the URL that is new at each reading, files by ISO 7816, and the chip's native commands."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware.sim.board.nfc.card import Answer
from firmware.sim.board.nfc.chip424 import CAPABILITY, FACTORY_KEY, NDEF, PROPRIETARY, SIZES, Chip, Refused
from firmware.sim.board.nfc.iso_dep import IsoDep
from firmware.sim.board.nfc.sdm import FREE
from firmware.sim.board.nfc.sun import Mode
from firmware.sim.board.nfc.url424 import written

APPLICATION = bytes.fromhex("D2760000850101")
_NAMES = {b"\xe1\x03": CAPABILITY, b"\xe1\x04": NDEF, b"\xe1\x05": PROPRIETARY}
_OK = b"\x90\x00"
_NOT_FOUND = b"\x6a\x82"
_WRONG_PARAMETERS = b"\x6a\x86"
_NOT_ALLOWED = b"\x69\x82"
_UNKNOWN = b"\x6d\x00"


@dataclass(frozen=True)
class Secrets:
    """Keys of one card: for the PICC data (1), for the file (2), and others by their number."""

    meta: bytes = FACTORY_KEY
    file: bytes = FACTORY_KEY
    application: Mapping[int, bytes] | None = None


class Ntag424(Chip):
    """One card.

    Args:
        url: as if it had been set up with it: fields `{picc}`, `{enc}`, `{cmac}`, or plain `{uid}` and `{ctr}`; begins with
            https://. None: as it comes from the factory.
        file_data: what `{enc}` encrypts, whole blocks of 16 bytes.
        counter: SDMReadCtr so far.
        random: function n -> n bytes.
        random_uid: a new UID of 4 bytes at each power-up, as the setting "random ID" makes it.
    """

    atqa = b"\x03\x44"
    sak = 0x20
    ats = bytes.fromhex("067777710280")

    def __init__(
        self,
        uid: bytes,
        secrets: Secrets | None = None,
        url: str | None = "https://tap.example/t?picc_data={picc}&cmac={cmac}",
        mode: Mode = Mode.AES,
        counter: int = 0,
        file_data: bytes = b"",
        random: Callable[[int], bytes] = os.urandom,
        random_uid: bool = False,
    ) -> None:
        secrets = secrets or Secrets()
        keys = {1: secrets.meta, 2: secrets.file, **(secrets.application or {})}
        super().__init__(uid, keys, mode, counter, random, random_uid)
        if url is not None:
            content, self.settings[NDEF] = written(url, file_data, mode, SIZES[NDEF])
            self.files[NDEF][: len(content)] = content
        self._blocks = IsoDep(self.ats, self.apdu)
        self._shown_uid = uid
        self._selected = 0
        self.power(False)

    @property
    def uid(self) -> bytes:
        return self._shown_uid

    def power(self, on: bool) -> None:
        if not on:
            self._off()
            if self._random_uid:
                self._shown_uid = b"\x08" + self._random(3)

    def activate(self) -> None:
        self._off()

    def command(self, data: bytes) -> Answer:
        return self._blocks.block(data)

    def apdu(self, data: bytes) -> bytes:
        if len(data) < 4:
            return b"\x67\x00"
        if data[1] != self._read_by:
            self._content, self._read_by = b"", 0
        if data[0] == 0x90:
            return self.native(data)
        answer = {0xA4: self._select, 0xB0: self._read_binary, 0xD6: self._update_binary}.get(data[1])
        return answer(data) if answer is not None else _UNKNOWN

    def _off(self) -> None:
        self._forget()
        self._selected = 0
        self._blocks.reset()

    def _select(self, data: bytes) -> bytes:
        name = data[5 : 5 + data[4]] if len(data) > 4 else b""
        if data[2] == 0x04:
            self._in_application, self._secure, self._selected = name == APPLICATION, None, 0
            return _OK if self._in_application else _NOT_FOUND
        if not self._in_application or name not in _NAMES:
            return _NOT_FOUND
        self._selected = _NAMES[name]
        return _OK

    def _read_binary(self, data: bytes) -> bytes:
        if not self._selected:
            return b"\x69\x86"
        if FREE not in self.settings[self._selected].read:
            return _NOT_ALLOWED
        at = data[2] << 8 | data[3]
        wanted = (data[4] if len(data) > 4 else 0) or 256
        try:
            content = self.seen(self._selected, 0xB0)
        except Refused:
            return _NOT_ALLOWED
        if at >= len(content):
            return _WRONG_PARAMETERS
        return content[at : at + wanted] + _OK

    def _update_binary(self, data: bytes) -> bytes:
        if not self._selected:
            return b"\x69\x86"
        if FREE not in self.settings[self._selected].write:
            return _NOT_ALLOWED
        at, content = data[2] << 8 | data[3], data[5 : 5 + data[4]] if len(data) > 5 else b""
        if not content or len(content) != data[4] or at + len(content) > SIZES[self._selected]:
            return _WRONG_PARAMETERS
        self.files[self._selected][at : at + len(content)] = content
        return _OK
