"""What is done at the desk, from the card on the reader to the gateway's answer: enrol, rotate, audit, test.

The gateway is asked before a card is touched: a gateway that is away, or a master that is not this site's, leaves it as it was.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.nfc import keys, sun
from edge_gateway.visits.records import CardKind, CardRole
from operations.cards import ntag21x, ntag424
from operations.cards.identify import Identity, identify
from operations.cards.layout import META, layout, link_of
from operations.cards.ntag424 import Keyset, Say, keyset
from operations.cards.reader import Card, CardLost, Reader, find_again, is_random, shown, wait_for_card

_NEWEST: Final = 255
_T = TypeVar("_T")


class Gateway(Protocol):
    """A command to the gateway: `edge_gateway.commands.call` with its socket."""

    def __call__(self, command: str, **arguments: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """
    again: a card that was revoked is to be used again, with new keys.
    weak: a card without a proof of its own is good enough.
    """

    site: str
    role: CardRole
    holder: str
    by: str
    link: str
    weak: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """
    number: the end of the card's number, all that is shown of it.
    counter: where it stands now; None: it has none.
    """

    card: str
    kind: CardKind
    number: str
    key_version: int
    counter: int | None


def patiently(reader: Reader, timeout_s: float, say: Say, act: Callable[[Card], _T]) -> _T:
    """Do it with the next card; if that card is taken away, wait for it and go on, as long as the time lasts.

    Raises:
        CardLost: it did not come back in time.
        Unavailable, Rejected: as `act`.
    """
    ends = time.monotonic() + timeout_s
    first: bytes | None = None
    while True:
        card = wait_for_card(reader, max(0.0, ends - time.monotonic()))
        if first is not None and card.uid != first and not (is_random(card.uid) and is_random(first)):
            raise Rejected("another_card", "the card before is not done: hold it again, then this one")
        first = card.uid
        try:
            return act(card)
        except CardLost as error:
            if time.monotonic() >= ends:
                raise
            say(str(error))


def enrol(reader: Reader, ask: Gateway, master: bytes | None, wish: Wish, card: Card, say: Say) -> Made:
    """Make this card one of the site. To run it again is harmless.

    Raises:
        Rejected, CardLost, Unavailable, Misconfigured: the card is as before, or half made and to be held again.
    """
    found = identify(reader, card)
    say(f"{found.name}, number {shown(found.uid or card.uid)}")
    if found.kind is CardKind.NTAG424:
        return _enrol_424(reader, ask, master, wish, card, found, say)
    if found.kind is CardKind.NTAG21X:
        return _enrol_21x(reader, ask, wish, found, say)
    if not found.uid or is_random(found.uid):
        raise Rejected("random_number", f"{found.name}: it shows a new number each time and cannot be told again")
    return _enrol_number(ask, wish, found, f"{found.name}: anybody can copy its number")


def _enrol_424(reader: Reader, ask: Gateway, master: bytes | None, wish: Wish, card: Card, found: Identity, say: Say) -> Made:
    if master is None:
        raise Misconfigured("an NTAG 424 DNA needs the master of the keys", "--master FILE; make one: kanhu cards master new")
    written = layout(wish.link)
    meta = known_master(ask, wish.site, master)
    uid = found.uid or ntag424.real_uid(reader, card, [meta])
    known = _known(ask, wish, uid)
    seen = ntag424.versions(reader, card.uid)
    enrolled = known is not None and known["revoked_ns"] is None
    # What the gateway has forgotten keeps the keys that it has; a revoked card gets new ones.
    version = max(1, seen[1]) if known is None else int(known["key_version"]) + (0 if enrolled else 1)
    wanted, others = _keysets(master, wish.site, uid, version, seen)
    ntag424.personalise(reader, card.uid, wanted, others, written, say, may_restart=known is None)
    proved = ntag424.prove(reader, card.uid, uid, wanted)
    return _tell(ask, wish, uid, CardKind.NTAG424, wanted.for_gateway, meta.hex(), proved.counter, version)


def _enrol_21x(reader: Reader, ask: Gateway, wish: Wish, found: Identity, say: Say) -> Made:
    _known(ask, wish, found.uid)
    try:
        if ntag21x.enable(reader, found.uid, found.product):
            say("its counter is switched on")
        counter = ntag21x.counter(reader, found.uid)
    except Rejected as error:
        return _enrol_number(ask, wish, found, f"{found.name}: {error.detail}")
    return _tell(ask, wish, found.uid, CardKind.NTAG21X, {}, "", counter, 1)


def _enrol_number(ask: Gateway, wish: Wish, found: Identity, why: str) -> Made:
    if not wish.weak:
        raise Rejected("weak_card", f"{why}; its taps would be weak evidence. --weak enrols it all the same")
    _known(ask, wish, found.uid)
    return _tell(ask, wish, found.uid, CardKind.UID, {}, "", None, 1)


def _tell(
    ask: Gateway, wish: Wish, uid: bytes, kind: CardKind, held: Mapping[str, str], meta: str, counter: int | None, version: int
) -> Made:
    try:
        answer = ask(
            "cards.enrol",
            site=wish.site,
            uid=uid.hex(),
            kind=kind.value,
            role=wish.role.value,
            holder=wish.holder,
            key_version=version,
            keys=dict(held),
            meta=meta,
            counter=counter or 0,
            by=wish.by,
            again=wish.again,
        )
    except Unavailable as error:
        raise Unavailable(f"the card is ready, but the gateway does not know it yet ({error}); do the same again") from error
    return Made(answer["card"], kind, shown(uid), version, counter)


def known_master(ask: Gateway, site: str, master: bytes) -> bytes:
    """The site's meta key.

    Raises:
        Rejected: the site's cards were made with another master.
    """
    meta = keys.meta_key(master, site)
    told = ask("cards.check", site=site, meta=meta.hex())
    if told["known"] and not told["same"]:
        raise Rejected("other_master", f"the cards of {site} were made with another master; nothing was written")
    return meta


def _known(ask: Gateway, wish: Wish, uid: bytes) -> Mapping[str, Any] | None:
    """The card as the gateway knows it.

    Raises:
        Rejected: it is somebody else's, or revoked.
    """
    known: Mapping[str, Any] | None = ask("cards.find", site=wish.site, uid=uid.hex())
    if known is None:
        return None
    if known["revoked_ns"] is not None:
        if not wish.again:
            raise Rejected("card_revoked", f"card {known['id']} was revoked; --again makes it a new card with new keys")
    elif (known["role"], known["holder"]) != (wish.role.value, wish.holder):
        raise Rejected("card_in_use", f"it is card {known['id']} of {known['role']} {known['holder']}; revoke it first")
    return known


def _keysets(master: bytes, site: str, uid: bytes, version: int, seen: tuple[int, ...]) -> tuple[Keyset, list[Keyset]]:
    """What the card is to hold, and what else it may hold."""
    if version > _NEWEST:
        raise Rejected("worn_out", f"its keys were changed {_NEWEST} times; take a new card")
    near = dict.fromkeys((version - 1, *seen, version + 1, version - 2, version - 3, 1))
    others = [keyset(master, site, uid, n) for n in near if 1 <= n <= _NEWEST and n != version]
    return keyset(master, site, uid, version), others


def rotate(reader: Reader, ask: Gateway, master: bytes, wanted: Mapping[str, Any], by: str, card: Card, say: Say) -> Made:
    """New keys on a card that is enrolled. The gateway hears of them before the card does, and reads both until it is done.

    Args:
        wanted: the card as the gateway knows it: id, site, kind, key_version, revoked_ns.
    """
    site = str(wanted["site"])
    meta, uid = _enrolled(reader, ask, master, wanted, card)
    seen = ntag424.versions(reader, card.uid)
    # Key 0 is changed last: while it tells the old version, an earlier change was not finished, and this one finishes it.
    version = (seen[0] or int(wanted["key_version"])) + 1
    fresh, others = _keysets(master, site, uid, version, (*seen, int(wanted["key_version"])))
    there = layout(link_of(ntag424.read_link(find_again(reader, card.uid))).partition("?")[0])
    told = {"card": wanted["id"], "key_version": version, "keys": fresh.for_gateway, "by": by}
    ask("cards.rekey", **told, done=False)
    ntag424.personalise(reader, card.uid, fresh, others, there, say, may_restart=False)
    proved = ntag424.prove(reader, card.uid, uid, fresh)
    assert meta == fresh.by_number[META]
    try:
        ask("cards.rekey", **told, done=True)
    except Unavailable as error:
        raise Unavailable(f"the card has its new keys and the gateway reads them, but old ones still ({error})") from error
    return Made(str(wanted["id"]), CardKind.NTAG424, shown(uid), version, proved.counter)


def _enrolled(reader: Reader, ask: Gateway, master: bytes, wanted: Mapping[str, Any], card: Card) -> tuple[bytes, bytes]:
    """The site's meta key, and the real number of this card, which is the wanted one."""
    if wanted["kind"] != CardKind.NTAG424.value:
        raise Rejected("no_keys", f"card {wanted['id']} is of kind {wanted['kind']}; only an NTAG 424 DNA has keys")
    if wanted["revoked_ns"] is not None:
        raise Rejected("card_revoked", f"card {wanted['id']} was revoked; enrol it with --again")
    meta = known_master(ask, str(wanted["site"]), master)
    found = identify(reader, card)
    if found.kind is not CardKind.NTAG424:
        raise Rejected("another_card", f"on the reader lies {found.name}, not card {wanted['id']}")
    uid = found.uid or ntag424.real_uid(reader, card, [meta])
    known = ask("cards.find", site=wanted["site"], uid=uid.hex())
    if known is None or known["id"] != wanted["id"]:
        other = "a card that nobody enrolled" if known is None else f"card {known['id']}"
        raise Rejected("another_card", f"on the reader lies {other}, not card {wanted['id']}")
    return meta, uid


@dataclass(frozen=True, slots=True)
class Read:
    """What one reading proved. card: as the gateway knows it; None: it does not."""

    card: Mapping[str, Any] | None
    uid: bytes
    counter: int


def verify(ask: Gateway, site: str, master: bytes, text: str) -> Read:
    """Check the code of a reading, from the reader here or from a tag on a wall.

    Raises:
        Rejected: no code, not of this site, or forged.
    """
    meta = known_master(ask, site, master)
    found = sun.identify(text, [meta])
    if found is None:
        raise Rejected("not_ours", f"the code opens with no key of {site}")
    known: Mapping[str, Any] | None = ask("cards.find", site=site, uid=found.uid.hex())
    version = int(known["key_version"]) if known is not None else 1
    near = [n for n in (version, version - 1, version + 1) if 1 <= n <= _NEWEST]
    if not any(sun.check(found, keys.card_key(master, found.uid, keys.FILE_NO, n)) for n in near):
        raise Rejected("bad_code", f"it says it is card {shown(found.uid)}, and its code is wrong: forged, or another master's")
    return Read(known, found.uid, found.counter)


def audit(ask: Gateway, site: str, master: bytes, text: str, by: str) -> Made:
    """Burn all counters below this reading: what somebody harvested from the tag before is worth nothing now.

    Raises:
        Rejected, Unavailable
    """
    read = verify(ask, site, master, text)
    if read.card is None:
        raise Rejected("unknown_card", f"card {shown(read.uid)} is not enrolled at {site}")
    ask("cards.audit", card=read.card["id"], counter=read.counter, by=by)
    version = int(read.card["key_version"])
    return Made(str(read.card["id"]), CardKind.NTAG424, shown(read.uid), version, read.counter)
