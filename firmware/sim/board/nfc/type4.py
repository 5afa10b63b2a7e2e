"""NTAG 424 DNA at APDU level: the NDEF files, the URL that is new at each reading, AuthenticateEV2First.

Assumption: SDMReadCtr rises with the first READ BINARY of the NDEF file after the file was selected, and what is mirrored then
stays until it is selected again. ChangeFileSettings and the commands of an authenticated session are left out.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware.sim.board.nfc import sun
from firmware.sim.board.nfc.card import Answer
from firmware.sim.board.nfc.ev2 import CardSide, Session
from firmware.sim.board.nfc.iso_dep import IsoDep
from firmware.sim.board.nfc.sun import Mode, Reading

APPLICATION = bytes.fromhex("D2760000850101")
_CAPABILITIES = bytes.fromhex("001720010000ff0406e104010000000506e10500808283")
_FILE_SIZE = 256
_OK = b"\x90\x00"
_NOT_FOUND = b"\x6a\x82"
_WRONG_PARAMETERS = b"\x6a\x86"
_UNKNOWN = b"\x6d\x00"


@dataclass(frozen=True)
class Secrets:
    """Keys of one card: for the PICC data, for the file, and the application keys of the live authentication."""

    meta: bytes = bytes(16)
    file: bytes = bytes(16)
    application: Mapping[int, bytes] | None = None


class Ntag424:
    """One card.

    Args:
        url: with the fields `{picc}`, `{enc}`, `{cmac}`, or plain `{uid}` and `{ctr}`; begins with https://.
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
        url: str = "https://tap.example/t?picc_data={picc}&cmac={cmac}",
        mode: Mode = Mode.AES,
        counter: int = 0,
        file_data: bytes = b"",
        random: Callable[[int], bytes] = os.urandom,
        random_uid: bool = False,
    ) -> None:
        self.real_uid = uid
        self.counter = counter
        self.session: Session | None = None
        self._secrets = secrets or Secrets()
        self._url, self._mode, self._file_data = url, mode, file_data
        self._random = random
        self._random_uid = random_uid
        self._blocks = IsoDep(self.ats, self.apdu)
        self._shown_uid = uid
        self._forget()
        self.power(False)

    @property
    def uid(self) -> bytes:
        return self._shown_uid

    def power(self, on: bool) -> None:
        if not on:
            self._forget()
            if self._random_uid:
                self._shown_uid = b"\x08" + self._random(3)

    def activate(self) -> None:
        self._forget()

    def command(self, data: bytes) -> Answer:
        return self._blocks.block(data)

    def apdu(self, data: bytes) -> bytes:
        if len(data) < 4:
            return b"\x67\x00"
        if data[0] == 0x90:
            return self._native(data)
        answer = {0xA4: self._select, 0xB0: self._read_binary}.get(data[1])
        return answer(data) if answer is not None else _UNKNOWN

    def _forget(self) -> None:
        self.session = None
        self._challenge: CardSide | None = None
        self._in_application = False
        self._selected = b""
        self._content: bytes | None = None
        self._blocks.reset()

    def _select(self, data: bytes) -> bytes:
        name = data[5 : 5 + data[4]] if len(data) > 4 else b""
        if data[2] == 0x04:
            self._in_application = name == APPLICATION
            return _OK if self._in_application else _NOT_FOUND
        if not self._in_application or name not in (b"\xe1\x03", b"\xe1\x04"):
            return _NOT_FOUND
        self._selected, self._content = name, None
        return _OK

    def _read_binary(self, data: bytes) -> bytes:
        if not self._selected:
            return b"\x69\x86"
        at = data[2] << 8 | data[3]
        wanted = (data[4] if len(data) > 4 else 0) or 256
        content = self._file()
        if at >= len(content):
            return _WRONG_PARAMETERS
        return content[at : at + wanted] + _OK

    def _file(self) -> bytes:
        if self._selected == b"\xe1\x03":
            return _CAPABILITIES
        if self._content is None:
            self.counter += 1
            uri = b"\x04" + self.url().removeprefix("https://").encode()
            message = bytes([0xD1, 0x01, len(uri), 0x55]) + uri
            self._content = (len(message).to_bytes(2, "big") + message).ljust(_FILE_SIZE, b"\0")
        return self._content

    def url(self) -> str:
        """The URL as mirrored at the counter's present value."""
        reading = Reading(self.real_uid, self.counter, self._random(13))
        file_key = self._secrets.file
        enc = sun.file_data(self._mode, file_key, reading, self._file_data).hex().upper() if self._file_data else ""
        fields = {
            "picc": sun.picc_data(self._mode, self._secrets.meta, reading).hex().upper(),
            "enc": enc,
            "uid": self.real_uid.hex().upper(),
            "ctr": f"{self.counter:06X}",
        }
        # SDMMACInputOffset stands at the encrypted file data, or at the MAC itself: then nothing is covered.
        covered = ""
        if "{enc}" in self._url:
            covered = self._url[self._url.index("{enc}") : self._url.index("{cmac}")].format(**fields)
        mac = sun.mac(self._mode, file_key, reading, covered.encode())
        return self._url.format(**fields, cmac=mac.hex().upper())

    def _native(self, data: bytes) -> bytes:
        if not self._in_application:
            return b"\x91\x9d"
        if data[1] == 0x71 and len(data) >= 7:
            key = (self._secrets.application or {0: bytes(16)}).get(data[5])
            if key is None:
                return b"\x91\x40"
            self._challenge = CardSide(key, self._random(16), self._random(4))
            return self._challenge.challenge() + b"\x91\xaf"
        if data[1] == 0xAF and self._challenge is not None:
            challenge, self._challenge = self._challenge, None
            answered = challenge.answer(data[5 : 5 + data[4]]) if len(data) > 5 and data[4] == 32 else None
            if answered is None:
                return b"\x91\xae"
            reply, self.session = answered
            return reply + b"\x91\x00"
        return b"\x91\x1c"
