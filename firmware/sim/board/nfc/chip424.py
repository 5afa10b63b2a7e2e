"""What is inside an NTAG 424 DNA: keys, files with their settings, and the native commands that read and change them.

Source: NXP NT4H2421Gx. A session is lost by any error and by selecting the application; enabling SDM resets SDMReadCtr, which
rises with the first of several readings in a row. Assumption: GetVersion is asked outside of a session only. Left out:
SetConfiguration, the delay after many failed authentications, sessions in LRP mode.
"""

from collections.abc import Callable, Mapping

from firmware.sim.board.nfc import sdm
from firmware.sim.board.nfc.ev2 import CardSide, Session
from firmware.sim.board.nfc.sdm import FREE, BadSettings, FileSettings
from firmware.sim.board.nfc.secure import Comm, SecureSession, Tampered, crc32
from firmware.sim.board.nfc.sun import Mode, Reading

FACTORY_KEY = bytes(16)
CAPABILITY, NDEF, PROPRIETARY = 1, 2, 3
SIZES = {CAPABILITY: 32, NDEF: 256, PROPRIETARY: 128}
_CAPABILITIES = bytes.fromhex("001720010000ff0406e104010000000506e10500808283")
_VERSION = (bytes.fromhex("04040230001105"), bytes.fromhex("04040201021105"))
_BATCH = bytes.fromhex("b2d5e1f0003619")
_COUNTER_MOST = 0xFFFFFF
_ILLEGAL, _INTEGRITY, _NO_KEY, _LENGTH, _DENIED = 0x1C, 0x1E, 0x40, 0x7E, 0x9D
_NOT_AUTHENTICATED, _BOUNDARY, _NO_FILE = 0xAE, 0xBE, 0xF0


class Refused(Exception):
    """The second status byte of a refusal."""

    def __init__(self, status: int) -> None:
        super().__init__(f"91{status:02X}")
        self.status = status


class Chip:
    """
    keys, settings, files: by number.  counter: SDMReadCtr.  failed: authentications that did not succeed.
    """

    def __init__(
        self, uid: bytes, keys: Mapping[int, bytes], mode: Mode, counter: int, random: Callable[[int], bytes], random_uid: bool
    ) -> None:
        self.real_uid = uid
        self.counter = counter
        self.failed = 0
        self.keys = {n: keys.get(n, FACTORY_KEY) for n in range(sdm.KEYS)}
        self.key_versions = dict.fromkeys(range(sdm.KEYS), 0)
        self.settings = {n: FileSettings(size) for n, size in SIZES.items()}
        self.settings[CAPABILITY] = FileSettings(SIZES[CAPABILITY], rights=0xE000)
        self.settings[PROPRIETARY] = FileSettings(SIZES[PROPRIETARY], option=Comm.FULL.value, rights=0x2330)
        self.files = {n: bytearray(size) for n, size in SIZES.items()}
        self.files[CAPABILITY][: len(_CAPABILITIES)] = _CAPABILITIES
        self._mode, self._random, self._random_uid = mode, random, random_uid
        self._forget()

    @property
    def session(self) -> Session | None:
        return None if self._secure is None else self._secure.session

    def _forget(self) -> None:
        self._secure: SecureSession | None = None
        self._challenge: tuple[CardSide, int] | None = None
        self._told: list[bytes] = []  # what is left of the version
        self._in_application = False
        self._content = b""  # what is mirrored while one kind of reading goes on
        self._read_by = 0

    def seen(self, number: int, code: int) -> bytes:
        """The file as a reader gets it, mirrored unless somebody is authenticated."""
        settings = self.settings[number].sdm
        if settings is None or self._secure is not None:
            return bytes(self.files[number])
        if not self._content:
            if self.counter >= (_COUNTER_MOST if settings.limit is None else settings.limit):
                raise Refused(_DENIED)
            self.counter += 1
            reading = Reading(self.real_uid, self.counter, self._random(20))
            self._content = sdm.mirrored(bytes(self.files[number]), settings, self.keys, self._mode, reading)
            self._read_by = code
        return self._content

    def native(self, data: bytes) -> bytes:
        length = data[4] if len(data) > 5 else 0
        code, body = data[1], data[5 : 5 + length]
        challenge, self._challenge = self._challenge, None
        told, self._told = self._told, []
        try:
            if not self._in_application:
                raise Refused(_DENIED)
            if len(data) != (6 + length if length else 5) or data[2:4] != b"\0\0":
                raise Refused(_LENGTH)
            if code == 0x71:
                return self._authenticate(body)
            if code == 0xAF and challenge is not None:
                return self._authenticated(*challenge, body)
            if code == 0x60 and self._secure is None:
                return self._version([*_VERSION, (bytes(7) if self._random_uid else self.real_uid) + _BATCH])
            if code == 0xAF and told:
                return self._version(told)
            if code not in _COMMANDS:
                raise Refused(_ILLEGAL)
            return self._within_session(code, body)
        except (Refused, BadSettings) as error:
            self._secure = None
            return bytes([0x91, error.status])
        except Tampered:
            self._secure = None
            return bytes([0x91, _INTEGRITY])

    def _authenticate(self, body: bytes) -> bytes:
        self._secure = None
        if len(body) < 2 or body[0] not in self.keys:
            raise Refused(_NO_KEY)
        if self._mode is Mode.LRP:
            raise Refused(_DENIED)
        side = CardSide(self.keys[body[0]], self._random(16), self._random(4))
        self._challenge = side, body[0]
        return side.challenge() + b"\x91\xaf"

    def _authenticated(self, side: CardSide, number: int, body: bytes) -> bytes:
        answered = side.answer(body) if len(body) == 32 else None
        if answered is None:
            self.failed += 1
            raise Refused(_NOT_AUTHENTICATED)
        reply, session = answered
        self._secure = SecureSession(session, number)
        return reply + b"\x91\x00"

    def _version(self, parts: list[bytes]) -> bytes:
        self._told = parts[1:]
        return parts[0] + (b"\x91\xaf" if self._told else b"\x91\x00")

    def _within_session(self, code: int, body: bytes) -> bytes:
        handler, header = _COMMANDS[code]
        if len(body) < header:
            raise Refused(_LENGTH)
        comm = self._comm(code, body)
        if self._secure is None:
            return handler(self, body) + b"\x91\x00"
        secure = self._secure
        data = handler(self, secure.take(code, header, comm, body))
        answer = secure.give(comm, data) if self._secure is not None else b""
        return answer + b"\x91\x00"

    def _comm(self, code: int, body: bytes) -> Comm:
        """How this command is protected now."""
        if code in (0xC4, 0x51):
            self._need(0 if code == 0xC4 else None)
            return Comm.FULL
        if code in (0x64, 0xF5):
            return Comm.PLAIN if self._secure is None else Comm.MAC
        settings = self._file(body[0])
        if code == 0xF6:
            if settings.sdm is None:
                raise Refused(_DENIED)
            return Comm.PLAIN if self._granted(settings.sdm.rights & 0xF) is None else Comm.FULL
        if code == 0x5F:
            return Comm.PLAIN if self._granted(settings.change) is None else Comm.FULL
        key = self._granted(*(settings.read if code == 0xAD else settings.write))
        return Comm.PLAIN if key is None else Comm(settings.option & 3 if settings.option & 1 else 0)

    def _granted(self, *rights: int) -> int | None:
        """The authenticated key among these rights; None: free.

        Raises:
            Refused: neither.
        """
        if self._secure is not None and self._secure.key_number in rights:
            return self._secure.key_number
        if FREE not in rights:
            raise Refused(_DENIED if all(right == sdm.NEVER for right in rights) else _NOT_AUTHENTICATED)
        return None

    def _need(self, key: int | None) -> None:
        if self._secure is None or key not in (None, self._secure.key_number):
            raise Refused(_NOT_AUTHENTICATED)

    def _file(self, number: int) -> FileSettings:
        if number not in self.settings:
            raise Refused(_NO_FILE)
        return self.settings[number]

    def _get_uid(self, body: bytes) -> bytes:
        return self.real_uid

    def _get_key_version(self, body: bytes) -> bytes:
        if body[0] not in self.keys:
            raise Refused(_NO_KEY)
        return bytes([self.key_versions[body[0]]])

    def _get_settings(self, body: bytes) -> bytes:
        return self._file(body[0]).told()

    def _get_counter(self, body: bytes) -> bytes:
        return self.counter.to_bytes(3, "little") + bytes(2)

    def _change_settings(self, body: bytes) -> bytes:
        settings = sdm.parse(body[1:], SIZES[body[0]], self._mode, body[0] == NDEF)
        if settings.sdm is not None:
            self.counter = 0
        self.settings[body[0]] = settings
        return b""

    def _change_key(self, body: bytes) -> bytes:
        number, data = body[0], body[1:]
        if number not in self.keys:
            raise Refused(_NO_KEY)
        if len(data) != (17 if number == 0 else 21):
            raise Refused(_LENGTH)
        key = data[:16]
        if number:
            key = bytes(a ^ b for a, b in zip(key, self.keys[number], strict=True))
            if crc32(key) != data[17:]:
                raise Refused(_INTEGRITY)
        self.keys[number], self.key_versions[number] = key, data[16]
        if number == 0:
            self._secure = None  # who was authenticated by the old key is not any more
        return b""

    def _span(self, body: bytes) -> tuple[int, int, int]:
        return body[0], int.from_bytes(body[1:4], "little"), int.from_bytes(body[4:7], "little")

    def _read_data(self, body: bytes) -> bytes:
        number, at, length = self._span(body)
        content = self.seen(number, 0xAD)
        if at + length > len(content):
            raise Refused(_BOUNDARY)
        return content[at : at + length] if length else content[at:]

    def _write_data(self, body: bytes) -> bytes:
        (number, at, length), data = self._span(body), body[7:]
        if length != len(data) or not data:
            raise Refused(_LENGTH)
        if at + length > SIZES[number]:
            raise Refused(_BOUNDARY)
        self.files[number][at : at + length] = data
        return b""


# Code -> what does it, and how many bytes of it are header.
_COMMANDS: Mapping[int, tuple[Callable[[Chip, bytes], bytes], int]] = {
    0x51: (Chip._get_uid, 0),
    0x5F: (Chip._change_settings, 1),
    0x64: (Chip._get_key_version, 1),
    0x8D: (Chip._write_data, 7),
    0xAD: (Chip._read_data, 7),
    0xC4: (Chip._change_key, 1),
    0xF5: (Chip._get_settings, 1),
    0xF6: (Chip._get_counter, 1),
}
