"""AuthenticateEV2First of an NTAG 424 DNA: both sides' arithmetic."""

from dataclasses import dataclass

from firmware.sim.board.nfc import aes


@dataclass(frozen=True)
class Session:
    """The keys both sides hold afterwards, and the transaction identifier that the card chose."""

    identifier: bytes
    encryption: bytes
    mac: bytes


def rotated(data: bytes) -> bytes:
    """One byte to the left."""
    return data[1:] + data[:1]


def session_keys(key: bytes, rnd_a: bytes, rnd_b: bytes) -> tuple[bytes, bytes]:
    """K_ses_enc, K_ses_mac."""
    mixed = bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[:6], strict=True))
    tail = rnd_a[:2] + mixed + rnd_b[6:] + rnd_a[8:]
    return aes.mac(key, bytes.fromhex("A55A00010080") + tail), aes.mac(key, bytes.fromhex("5AA500010080") + tail)


class CardSide:
    """The card during one authentication.

    Args:
        rnd_b, identifier: 16 and 4 random bytes.
    """

    def __init__(self, key: bytes, rnd_b: bytes, identifier: bytes) -> None:
        self._key, self._rnd_b, self._identifier = key, rnd_b, identifier

    def challenge(self) -> bytes:
        return aes.cbc(self._key, self._rnd_b)

    def answer(self, data: bytes) -> tuple[bytes, Session] | None:
        """The card's last message and the session; None if the other side does not hold the key."""
        plain = aes.cbc_back(self._key, data)
        rnd_a, back = plain[:16], plain[16:]
        if len(data) != 32 or back != rotated(self._rnd_b):
            return None
        capabilities = bytes(12)
        reply = aes.cbc(self._key, self._identifier + rotated(rnd_a) + capabilities)
        return reply, Session(self._identifier, *session_keys(self._key, rnd_a, self._rnd_b))


class KeyHolder:
    """The other side, at the gateway."""

    def __init__(self, key: bytes, rnd_a: bytes) -> None:
        self._key, self._rnd_a, self._rnd_b = key, rnd_a, b""

    def respond(self, challenge: bytes) -> bytes:
        self._rnd_b = aes.cbc_back(self._key, challenge)
        return aes.cbc(self._key, self._rnd_a + rotated(self._rnd_b))

    def accept(self, answer: bytes) -> Session | None:
        """The session; None if the card does not hold the key."""
        plain = aes.cbc_back(self._key, answer)
        if plain[4:20] != rotated(self._rnd_a):
            return None
        return Session(plain[:4], *session_keys(self._key, self._rnd_a, self._rnd_b))
