"""Ids of alerts, such as `20261121-1405-sos-3f2a`: the UTC minute, the rule, and four letters."""

from datetime import UTC
from hashlib import blake2b
from typing import Final

from edge_gateway.rules import Finding
from edge_gateway.rules.words import local

_KEPT: Final = 100_000
# Read aloud over a telephone: no 0/o, 1/l/i, u/v.
_LETTERS: Final = "23456789abcdefghjkmnpqrstwxyz"


class Ids:
    """Gives no id twice: those that were on disk are told it with `used`."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def used(self, alert_id: str) -> None:
        """An alert has it."""
        self._used.add(alert_id)

    def new(self, finding: Finding, now_ns: int) -> str:
        """The same inputs give the same id, as long as nobody has it."""
        if len(self._used) > _KEPT:
            self._used.clear()  # the minute is in the id, so old ones cannot come again
        minute = f"{local(now_ns, UTC):%Y%m%d-%H%M}"
        counter = 0
        while True:
            digest = blake2b(f"{finding.key}\n{now_ns}\n{counter}".encode(), digest_size=8).digest()
            number = int.from_bytes(digest, "big")
            letters = "".join(_LETTERS[number // len(_LETTERS) ** place % len(_LETTERS)] for place in range(4))
            alert_id = f"{minute}-{finding.rule}-{letters}"
            if alert_id not in self._used:
                self._used.add(alert_id)
                return alert_id
            counter += 1
