"""PC/SC readers by pyscard (LGPL, an optional extra): those that the system's card service, pcscd, knows.

Written after pyscard's documentation and PC/SC part 3; not yet tried on a reader.
"""

from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from edge_gateway.errors import Misconfigured, Unavailable
from operations.cards.reader import CardLost, Medium

_GET_UID: Final = [0xFF, 0xCA, 0x00, 0x00, 0x00]
_OK: Final = (0x90, 0x00)
# PC/SC part 3: historical bytes of the ATR that the reader makes up for a card without ISO 14443-4.
_STORAGE: Final = bytes.fromhex("804f0ca000000306")
_ULTRALIGHT: Final = 0x0003  # and all of its family, NTAG21x too
_INSTALL: Final = "apt install libpcsclite-dev pcscd swig, then pip install 'kanhu[pcsc]'"


class PcscReader:
    """
    Args:
        part: of the reader's name; "" for the first one.
    Raises:
        Misconfigured: pyscard is missing.
        Unavailable: no such reader, or no pcscd.
    """

    def __init__(self, part: str = "") -> None:
        try:
            self._smartcard = import_module("smartcard")
            system = import_module("smartcard.System")
            self._errors = import_module("smartcard.Exceptions")
        except ImportError as error:
            raise Misconfigured(f"PC/SC readers need pyscard ({error})", _INSTALL) from error
        try:
            known = system.readers()
        except Exception as error:  # pyscard's own base differs between its versions
            raise Unavailable(f"the card service does not answer ({error}); is pcscd running?") from error
        chosen = [reader for reader in known if part.lower() in str(reader).lower()]
        if not chosen:
            names = ", ".join(map(str, known)) or "none"
            raise Unavailable(f"no PC/SC reader {part!r}; pcscd knows: {names}")
        self._reader = chosen[0]
        self._connection: Any = None
        self.name = str(self._reader)

    def find(self) -> "PcscCard | None":
        self.close()
        connection = self._reader.createConnection()
        try:
            connection.connect()  # what was connected before was powered down by `close`: no session goes on
        except (self._errors.NoCardException, self._errors.CardConnectionException):
            return None
        self._connection = connection
        return PcscCard(connection, self._errors)

    def close(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.disconnect()
            self._connection = None


class PcscCard:
    """A card in a PC/SC reader, whose number the reader tells by the pseudo-APDU FF CA."""

    def __init__(self, connection: Any, errors: Any) -> None:
        self._connection, self._errors = connection, errors
        self.medium = _medium(bytes(connection.getATR()))
        answer = self._transmit(bytes(_GET_UID))
        if tuple(answer[-2:]) != _OK:
            raise CardLost("the reader does not tell the card's number; hold it again")
        self.uid = answer[:-2]

    def exchange(self, data: bytes) -> bytes:
        if self.medium is Medium.APDU:
            return self._transmit(data)
        # A Type 2 tag's own commands go through the reader's PN532 (InCommunicateThru), as ACR122U and its kin take them.
        answer = self._transmit(bytes([0xFF, 0, 0, 0, len(data) + 2, 0xD4, 0x42]) + data)
        if len(answer) < 5 or answer[:2] != b"\xd5\x43" or answer[2] & 0x3F:
            raise CardLost("the card did not take this command; hold it again")
        return answer[3:-2]

    def _transmit(self, data: bytes) -> bytes:
        try:
            content, first, second = self._connection.transmit(list(data))
        except self._errors.CardConnectionException as error:
            raise CardLost(f"the card does not answer ({error}); hold it again") from error
        return bytes(content) + bytes([first, second])


def _medium(atr: bytes) -> Medium:
    at = atr.find(_STORAGE)
    if at < 0:
        return Medium.APDU
    after = at + len(_STORAGE) + 1  # one byte names the standard
    name = int.from_bytes(atr[after : after + 2], "big")
    return Medium.TYPE2 if name == _ULTRALIGHT else Medium.NONE
