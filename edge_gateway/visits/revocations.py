"""Readers are told which cards are reported lost, so that who holds one sees it at once; the tap is recorded all the same.

At once when the list changes, and again two seconds after each birth of a reader: one that was offline knows at its next
contact. What a reader gets is no list of card numbers: 8 bytes of HMAC-SHA256(salt, UID) for each card. Who takes the reader
and tries all numbers that the maker may give can still find them: those of cards that are worth nothing any longer. Everything
here runs in the event loop.
"""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

from edge_gateway.topics import Down, down

MOST: Final = 256  # cards that a reader keeps
SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 8
_AFTER_BIRTH_S: Final = 2.0  # a device subscribes after its birth

log = logging.getLogger(__name__)


class Revocations:
    """
    Args:
        publish: topic and payload; QoS 1, not retained, kept while the broker is away.
        salt: of a site, 16 bytes, always the same.
        readers: of a site: the devices that read cards.
        monotonic: seconds.
    """

    def __init__(
        self,
        publish: Callable[[str, bytes], None],
        salt: Callable[[str], bytes],
        readers: Callable[[str], Iterable[str]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish, self._salt, self._readers, self._monotonic = publish, salt, readers, monotonic
        self._commands: dict[str, bytes] = {}
        self._due: dict[tuple[str, str], float] = {}

    def set(self, site: str, uids: Iterable[bytes]) -> None:
        """The site's revoked cards are these, the ones revoked last in front; readers hear of it if that is new."""
        uids = list(uids)
        if len(uids) > MOST:
            log.warning("%s has %d revoked cards; its readers know the newest %d", site, len(uids), MOST)
        made = command(self._salt(site), uids[:MOST])
        if self._commands.get(site) != made:
            self._commands[site] = made
            for device in self._readers(site):
                self._tell(site, device)

    def born(self, site: str, device: str) -> None:
        """The device has come back."""
        if site in self._commands and device in self._readers(site):
            self._due[site, device] = self._monotonic() + _AFTER_BIRTH_S

    def tick(self) -> None:
        """Once a second: tell those who came back."""
        now = self._monotonic()
        for key in [key for key, due in self._due.items() if due <= now]:
            del self._due[key]
            self._tell(*key)

    def _tell(self, site: str, device: str) -> None:
        self._publish(down(site, device, Down.COMMAND), self._commands[site])


def digest(salt: bytes, uid: bytes) -> bytes:
    """What stands for a card at a reader."""
    return hmac.digest(salt, uid, "sha256")[:_DIGEST_BYTES]


def command(salt: bytes, uids: Iterable[bytes]) -> bytes:
    """The payload of `down/command`; the same for the same cards in any order.

    Raises:
        ValueError: a salt of another length, which readers refuse.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"salt of {len(salt)} bytes; expected {SALT_BYTES}")
    cards = b"".join(sorted({digest(salt, uid) for uid in uids}))
    identity = hashlib.sha256(salt + cards).hexdigest()[:12]
    told = {"id": f"revoked/{identity}", "name": "revoked", "salt": salt.hex(), "cards": cards.hex()}
    return json.dumps(told, separators=(",", ":")).encode()
