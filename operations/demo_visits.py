"""What the demo's couriers need before they set out: their cards at the gateway, the plan that expects them, made-up names."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_gateway import commands
from edge_gateway.errors import KanhuError
from operations.boards import SITE as BOARD_SITE

log = logging.getLogger(__name__)

BY: Final = "demo"
_TRY_S: Final = 30.0
_FAMILIES: Final = "王李张刘陈杨赵黄周吴徐孙"
_GIVEN: Final = ("秀英", "桂兰", "建国", "玉珍", "国强", "淑华", "德明", "美玲")


@dataclass(frozen=True, slots=True)
class DemoCard:
    """A courier's card, with the keys that its maker put on it."""

    site: str
    holder: str
    uid: bytes
    meta: bytes
    file: bytes


# The cards of the simulated board are as they come from the factory.
BOARD_CARDS: Final = tuple(
    DemoCard(BOARD_SITE, f"courier-{n}", b"\x04" + n.to_bytes(6, "big"), bytes(16), bytes(16)) for n in (1, 2, 3)
)


def prepare(socket: Path, cards: Iterable[DemoCard], plan: Sequence[Mapping[str, Any]]) -> None:
    """Tell a gateway that has just started; a demo whose couriers are strangers still runs, and says so in its log."""
    try:
        _when_ready(socket)
        for card in cards:
            kind: dict[str, Any] = {"kind": "ntag424", "role": "courier"}
            keys: dict[str, Any] = {"keys": {"file": card.file.hex()}, "meta": card.meta.hex()}
            commands.call(socket, "cards.enrol", site=card.site, uid=card.uid.hex(), holder=card.holder, by=BY, **kind, **keys)
        for site in sorted({line["site"] for line in plan}):
            lines = [dict(line) for line in plan if line["site"] == site]
            commands.call(socket, "visits.plan", site=site, by=BY, rows=lines, replace=True)
            people = {(line["courier"], "courier") for line in lines if line.get("courier")}
            for number, (person, role) in enumerate(sorted(people)):
                commands.call(socket, "people.set", id=person, role=role, site=site, by=BY, **_made_up(site, number))
    except KanhuError as error:
        log.warning("the demo's couriers are strangers to the gateway: %s", error)


def _when_ready(socket: Path) -> None:
    ends = time.monotonic() + _TRY_S
    while True:
        try:
            commands.call(socket, "ping", timeout_s=5.0)
        except KanhuError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
        else:
            return


def _made_up(site: str, number: int) -> dict[str, Any]:
    start = sum(site.encode())
    family, given = _FAMILIES[(start + number) % len(_FAMILIES)], _GIVEN[(start + 3 * number) % len(_GIVEN)]
    return {"name": family + given, "phone": f"139{start % 10_000:04d}{number:04d}", "address": ""}
