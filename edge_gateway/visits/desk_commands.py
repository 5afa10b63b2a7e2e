"""Commands about visits, cards and people over the gateway's socket: checked here, done in the ledger's thread."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from edge_gateway.commands import Handler
from edge_gateway.errors import Rejected
from edge_gateway.visits import codec, corrections
from edge_gateway.visits.arguments import Arguments
from edge_gateway.visits.phone_taps import phone_tap
from edge_gateway.visits.records import CardKind, CardRole

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

Answer = Callable[[Arguments], Awaitable[Any]]

_MOST_ROWS: Final = 5000
_MOST_IDS: Final = 1000
_DECISIONS: Final = tuple(action for action in corrections.ACTIONS if action != corrections.OBJECT)
_CODES: Final = (CardKind.NTAG424, CardKind.NTAG424_LRP)


def handlers(gateway: "Gateway") -> Mapping[str, Handler]:
    """Command name -> function of its JSON arguments; each raises Rejected for arguments it cannot use."""
    answers: dict[str, Answer] = {}
    for group in (_visits, _plans, _cards, _people):
        answers |= group(gateway)
    return {name: _handler(answer) for name, answer in answers.items()}


def _handler(answer: Answer) -> Handler:
    async def handle(arguments: Mapping[str, Any]) -> Any:
        return await answer(Arguments(arguments))

    return handle


def _visits(gateway: "Gateway") -> dict[str, Answer]:
    do = gateway.visits.do

    async def decide(a: Arguments) -> dict[str, Any]:
        site, visit, by, action = a.name("site"), a.text("visit", 300), a.person(), a.one_of("action", _DECISIONS)
        reason, changes = a.text("reason", corrections.LONGEST_TEXT), a.table("changes")
        n, found = await do(lambda p: p.actions.decide(site, visit, by, action, reason, changes))
        return {"n": n, "visit": codec.plain(found)}

    async def object_(a: Arguments) -> dict[str, Any]:
        site, visit, courier = a.name("site"), a.text("visit", 300, empty=True), a.name("courier")
        said = a.text("text", corrections.LONGEST_TEXT)
        if visit:
            n, found = await do(lambda p: p.actions.object(site, visit, courier, said))
        else:
            day, place, service = a.text("date", 20), a.name("place"), a.name("service", empty=True)
            _known_site(gateway, site)
            n, found = await do(lambda p: p.actions.miss(site, courier, day, place, said, service))
        return {"n": n, "visit": codec.plain(found)}

    async def tap(a: Arguments) -> dict[str, str]:
        _known_site(gateway, a.name("site"))
        return await phone_tap(gateway, a)

    return {"visits.decide": decide, "visits.object": object_, "visits.tap": tap}


def _plans(gateway: "Gateway") -> dict[str, Answer]:
    do = gateway.visits.do

    async def plan(a: Arguments) -> dict[str, int]:
        site, by, rows, replace = a.name("site"), a.person(), a.rows("rows", _MOST_ROWS), a.yes("replace")
        _known_site(gateway, site)
        return await do(lambda p: p.actions.plan(site, by, rows, replace))

    async def plan_remove(a: Arguments) -> dict[str, int]:
        site, by, ids = a.name("site"), a.person(), a.texts("ids", _MOST_IDS)
        return {"removed": await do(lambda p: p.actions.plan_remove(site, ids, by))}

    async def except_(a: Arguments) -> dict[str, int]:
        site, by, rows = a.name("site"), a.person(), a.rows("rows", _MOST_ROWS)
        remove = a.texts("remove", _MOST_IDS, empty=True)
        _known_site(gateway, site)
        return await do(lambda p: p.actions.exceptions(site, by, rows, remove))

    async def holidays(a: Arguments) -> dict[str, int]:
        site, by, dates = a.name("site"), a.person(), a.table("dates")
        _known_site(gateway, site)
        named = {day: "" if name is None else str(name)[:100] for day, name in dates.items()}
        return {"saved": await do(lambda p: p.actions.holidays(site, by, named))}

    async def link(a: Arguments) -> dict[str, Any]:
        courier, site, by, days = a.name("courier"), a.name("site"), a.person(), a.number("days", 0.01, 400.0, 90.0)
        _known_site(gateway, site)
        token, until_ns = await do(lambda p: p.ledger.saved(lambda ledger: ledger.people.link(courier, site, days, by)))
        return {"token": token, "until_ns": until_ns}

    async def unlink(a: Arguments) -> dict[str, int]:
        courier, by = a.name("courier"), a.person()
        return {"removed": await do(lambda p: p.ledger.saved(lambda ledger: ledger.people.unlink(courier, by)))}

    return {
        "visits.plan": plan,
        "visits.plan_remove": plan_remove,
        "visits.except": except_,
        "visits.holidays": holidays,
        "visits.link": link,
        "visits.unlink": unlink,
    }


def _cards(gateway: "Gateway") -> dict[str, Answer]:
    desk = gateway.visits

    async def enrol(a: Arguments) -> dict[str, str]:
        site, uid, by, holder = a.name("site"), a.uid(), a.person(), a.name("holder")
        kind, role = CardKind(a.one_of("kind", tuple(CardKind))), CardRole(a.one_of("role", tuple(CardRole)))
        version, keys, meta = a.whole("key_version", 1, 255, 1), a.keys(), a.key("meta")
        counter, again, new_meta = a.whole_or_none("counter", 0, 0xFFFFFF), a.yes("again"), a.yes("new_meta")
        _known_site(gateway, site)
        if kind in _CODES and ("file" not in keys or meta is None):
            raise Rejected("bad_argument", f"a card of kind {kind} needs its key `file` and the site's key `meta`")

        def job(ledger: Any) -> str:
            if meta is not None:
                ledger.cards.add_meta(site, meta, by, new_meta)
            return str(ledger.cards.enrol(site, uid, kind, role, holder, version, keys, counter, by, again).id)

        found = await desk.do(lambda p: p.ledger.saved(job))
        await desk.tell_revoked()
        return {"card": found}

    async def check(a: Arguments) -> dict[str, bool]:
        site, meta = a.name("site"), a.key("meta")
        metas = await desk.do(lambda p: p.ledger.cards.metas(site))
        return {"known": bool(metas), "same": meta is not None and meta in metas[:1]}

    async def find(a: Arguments) -> dict[str, Any] | None:
        site, uid = a.name("site"), a.uid()
        card = await desk.do(lambda p: p.ledger.cards.find(site, uid))
        return codec.plain(card) if card is not None else None

    async def revoke(a: Arguments) -> dict[str, str]:
        card, by, reason = a.text("card", 60), a.person(), a.text("reason", 200)
        since_ns = a.whole_or_none("since_ns", 0, 1 << 62)
        await desk.do(lambda p: p.actions.revoke(card, by, reason, since_ns))
        await desk.tell_revoked()
        return {"card": card}

    async def rekey(a: Arguments) -> dict[str, str]:
        card, by, version, keys = a.text("card", 60), a.person(), a.whole("key_version", 1, 255, None), a.keys()
        done = a.yes("done")
        await desk.do(lambda p: p.ledger.saved(lambda one: one.cards.rekey(one.cards.get(card), version, keys, by, done)))
        return {"card": card}

    async def audit(a: Arguments) -> dict[str, str]:
        card, by, counter = a.text("card", 60), a.person(), a.whole("counter", 0, 0xFFFFFF, None)
        await desk.do(lambda p: p.ledger.saved(lambda one: one.cards.audit(one.cards.get(card), counter, by)))
        return {"card": card}

    return {
        "cards.enrol": enrol,
        "cards.check": check,
        "cards.find": find,
        "cards.revoke": revoke,
        "cards.rekey": rekey,
        "cards.audit": audit,
    }


def _people(gateway: "Gateway") -> dict[str, Answer]:
    do = gateway.visits.do

    async def set_(a: Arguments) -> dict[str, Any]:
        person, role, site, by = a.name("id"), a.name("role"), a.name("site"), a.person()
        details: dict[str, Any] = {name: a.text(name, 200, empty=True) for name in ("name", "phone", "address")}
        for name, most in (("lat", 90.0), ("lon", 180.0)):
            if a.has(name):
                details[name] = a.number(name, -most, most, None)
        await do(lambda p: p.ledger.saved(lambda ledger: ledger.people.set(person, role, site, details, by)))
        return {}

    async def forget(a: Arguments) -> dict[str, bool]:
        person, by = a.name("id"), a.person()
        return {"removed": await do(lambda p: p.ledger.saved(lambda ledger: ledger.people.forget(person, by)))}

    async def reveal(a: Arguments) -> dict[str, dict[str, Any]]:
        ids, by, why = a.texts("ids", _MOST_IDS), a.person(), a.text("why", 200)
        site = a.name("site", empty=True)
        return await do(lambda p: p.ledger.saved(lambda ledger: ledger.people.reveal(ids, by, why, site)))

    return {"people.set": set_, "people.forget": forget, "people.reveal": reveal}


def _known_site(gateway: "Gateway", site: str) -> None:
    if site not in gateway.pipeline.registry.sites:
        raise Rejected("unknown_site", f"{site} is not in the registry")
