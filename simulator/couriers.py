"""Meal couriers: cards with one-time codes, the round each goes from reader to reader, and the plan that expects them."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

ROUND: Final = 5  # homes on a courier's round
_STEP_S: Final = 148.0  # from one door to the next: ten minutes for a round, the last of them when a demo begins
_FIRST_S: Final = 12.0
_BEFORE_MIN: Final = 15
_AFTER_MIN: Final = 25  # the first round's window around the start


@dataclass(frozen=True, slots=True)
class Card:
    """A card that writes a new code at each reading, as an NTAG 424 DNA does (NXP AN12196, AES)."""

    uid: bytes
    meta: bytes
    file: bytes

    @classmethod
    def made(cls, random: Random, meta: bytes) -> "Card":
        """A card with a number and a key of its own; `meta` is the key its site has for all."""
        return cls(b"\x04" + random.randbytes(6), meta, random.randbytes(16))

    def text(self, counter: int, random: Random) -> str:
        """What it says at this value of its counter."""
        low = counter.to_bytes(3, "little")
        plain = b"\xc7" + self.uid + low + random.randbytes(5)
        encryptor = Cipher(algorithms.AES(self.meta), modes.CBC(bytes(16))).encryptor()
        code = _mac(_mac(self.file, bytes.fromhex("3cc300010080") + self.uid + low), b"")[1::2]
        return f"picc_data={encryptor.update(plain).hex().upper()}&cmac={code.hex().upper()}"


@dataclass(frozen=True, slots=True)
class Courier:
    """Who brings meals to some homes of a site, one after another, each time in this order."""

    site: str
    id: str
    card: Card
    places: tuple[str, ...]

    def tap(self, stop: int, lap: int, began_s: float, random: Random) -> tuple[float, str]:
        """When and with what text the card is held to the reader of stop `stop` in round `lap`."""
        at_s = began_s + _FIRST_S + _STEP_S * stop + random.uniform(-2, 2)
        return at_s, self.card.text(lap * len(self.places) + stop + 1, random)


def couriers(site: str, places: list[str], seed: int) -> Iterator[Courier]:
    """As many as these homes need."""
    random = Random(f"couriers/{seed}/{site}")
    meta = random.randbytes(16)
    for first in range(0, len(places), ROUND):
        number = first // ROUND + 1
        yield Courier(site, f"{site}-k{number}", Card.made(random, meta), tuple(places[first : first + ROUND]))


def plan(courier: Courier, local_min: int, meals_min: tuple[int, ...]) -> list[dict[str, Any]]:
    """Lines of the plan: a meal now, for who looks on, and at meal times. The last home of the round is not expected: somebody
    else's meal, as it happens.

    Args:
        local_min: minute of the local day at the start.
    """
    windows = {"now": (max(local_min - _BEFORE_MIN, 0), local_min + _AFTER_MIN)}
    windows |= {f"meal{number}": (at, at + 75) for number, at in enumerate(meals_min, 1)}
    return [
        {
            "id": f"{place}-{name}",
            "site": courier.site,
            "place": place,
            "opens_min": opens,
            "closes_min": closes,
            "courier": courier.id,
        }
        for place in courier.places[: max(len(courier.places) - 1, 1)]
        for name, (opens, closes) in windows.items()
        if name == "now" or closes < windows["now"][0] or opens > windows["now"][1]
    ]


def _mac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()
