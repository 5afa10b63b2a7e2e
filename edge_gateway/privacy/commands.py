"""What the gateway does for privacy on request: take a home out of everything that it alone may write; tell what it keeps.

A person has taken the home out of the registry before; what its devices still send is held and named nowhere.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from edge_gateway.alerts import Alert, State
from edge_gateway.commands import Handler
from edge_gateway.errors import KanhuError, Rejected
from edge_gateway.homes.watch import Note
from edge_gateway.privacy import raw, store_rows
from edge_gateway.privacy.subject import Subject, of_home
from edge_gateway.rules import Severity
from edge_gateway.sink import Eraser
from edge_gateway.topics import Down, down
from edge_gateway.visits.arguments import Arguments

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

log = logging.getLogger(__name__)

_DEVICES = 200
ERASED = "erased"


def handlers(gateway: "Gateway") -> Mapping[str, Handler]:
    """Command name -> function of its JSON arguments; each raises Rejected for arguments it cannot use."""

    async def erase(arguments: Mapping[str, Any]) -> dict[str, Any]:
        a = Arguments(arguments)
        subject = of_home(
            a.name("site"), a.name("place"), a.name("person", empty=True), a.texts("devices", _DEVICES, empty=True)
        )
        return await _erase(gateway, subject, a.person(), a.text("reason", 200))

    async def may_erase(arguments: Mapping[str, Any]) -> bool:
        a = Arguments(arguments)
        _no_urgent(gateway, of_home(a.name("site"), a.name("place"), "", ()))
        return True

    async def forget_names(arguments: Mapping[str, Any]) -> dict[str, bool]:
        a = Arguments(arguments)
        ids, by = a.texts("ids", _DEVICES), a.person()
        return {one: await _forget(gateway, one, by) for one in ids}

    return {"privacy.erase": erase, "privacy.may_erase": may_erase, "privacy.forget_names": forget_names}


async def _erase(gateway: "Gateway", subject: Subject, by: str, reason: str) -> dict[str, Any]:
    """How many rows went where; what is not done yet, in words.

    Raises:
        Rejected: `still_registered`; `alert_open`, for somebody may be in danger there.
    """
    await _unregistered(gateway, subject)
    _close_alerts(gateway, subject, by)
    _strike(gateway, subject)
    gateway.desk.homes.note(Note(subject.site, "", gateway.clock_ns(), by, ERASED, reason))
    await gateway.committer.settle()
    gateway.desk.homes.homes.pop((subject.site, subject.place), None)
    gateway.desk.homes.pasts.pop((subject.site, subject.place), None)
    gateway.series.forget(subject.owns)
    for device in subject.devices:
        gateway.pipeline.states.pop((subject.site, device), None)
        gateway.events.publish(down(subject.site, device, Down.CONFIG), b"", retain=True)
    answer: dict[str, Any] = {"rows": {}, "left": []}
    await asyncio.to_thread(_in_files, gateway, subject, answer)
    names = (
        {name: await _forget(gateway, name, by, subject.site) for name in subject.words}
        if gateway.settings.visits.enabled
        else {}
    )
    answer["rows"]["names"] = sum(names.values())
    if not await gateway.in_store(gateway.store.compact):
        answer["left"].append("gateway.db is large or in use: deleted rows leave their bytes in it until they are overwritten")
    log.warning("a home of %s was erased by %s: %s", subject.site, by, answer)
    return answer


async def _unregistered(gateway: "Gateway", subject: Subject) -> None:
    for _ in range(2):  # the file is believed when it has not changed between two looks
        gateway.housekeeping.look_at_registry()
    known = gateway.pipeline.registry
    here = [f"{d.site}/{d.id}" for d in known.devices.values() if (d.site, d.place) == (subject.site, subject.place)]
    if (subject.site, subject.place) in known.homes or here:
        what = ", ".join(here[:5]) or "[[homes]]"
        raise Rejected("still_registered", f"{what} is still in the registry; `kanhu privacy erase` takes it out first")


def _close_alerts(gateway: "Gateway", subject: Subject, by: str) -> None:
    for alert in _no_urgent(gateway, subject):
        gateway.desk.close(alert.id, by, ERASED)


def _strike(gateway: "Gateway", subject: Subject) -> None:
    """Open alerts about many homes lose the name in memory too: the next change of one would write it to the disk again."""
    for alert in gateway.desk.book.open_alerts():
        if alert.site not in (subject.site, "") or subject.owns(alert.site, alert.place, alert.device):
            continue
        alert.text_zh, alert.text_en = subject.struck(alert.text_zh), subject.struck(alert.text_en)
        alert.evidence = [subject.struck(line) for line in alert.evidence]
        alert.history = [msgspec.structs.replace(line, reason=subject.struck(line.reason)) for line in alert.history]
        gateway.desk.book.changed(alert)


def _no_urgent(gateway: "Gateway", subject: Subject) -> list[Alert]:
    """The alerts that are open there, none of them urgent.

    Raises:
        Rejected: `alert_open`.
    """
    his = [a for a in gateway.desk.book.open_alerts() if subject.owns(a.site, a.place, a.device)]
    his = [alert for alert in his if alert.state is not State.CLOSED]
    if urgent := [alert.id for alert in his if alert.severity is Severity.URGENT]:
        raise Rejected("alert_open", f"{', '.join(urgent[:5])} is open there; close it with a reason first")
    return his


def _in_files(gateway: "Gateway", subject: Subject, answer: dict[str, Any]) -> None:
    """Store first, then the database: nothing is on its way between them meanwhile."""
    store, settings = gateway.store, gateway.settings
    seal = raw.load(raw.key_file(settings.store_file))
    with gateway.uplink.between:
        job = gateway.thread.submit(store.change, lambda db: store_rows.erase(db, subject, seal))
        answer["rows"] |= job.result() | {"outbox": _outbox(gateway, subject)}
        if not isinstance(gateway.sink, Eraser):
            answer["left"].append(f"the database {gateway.sink.name} cannot be told to forget; do it with its own tools")
            return
        try:
            answer["rows"]["series"] = gateway.sink.erase(subject.site, subject.place, sorted(subject.devices))
        except KanhuError as error:
            answer["left"].append(f"database: {error}; run the same command again")


def _outbox(gateway: "Gateway", subject: Subject) -> int:
    """Part by part, with commits between them."""
    count, above = 0, 0
    while True:
        part = lambda db, above=above: store_rows.erase_outbox(db, subject, above, store_rows.OUTBOX_ROWS)  # noqa: E731
        gone, last = gateway.thread.submit(gateway.store.change, part).result()
        count += gone
        if last is None:
            return count
        above = last


async def _forget(gateway: "Gateway", person: str, by: str, site: str = "") -> bool:
    """Whether there was a name; the links of a courier go with it."""
    done: bool = await gateway.visits.do(lambda p: p.ledger.saved(lambda ledger: ledger.people.forget(person, by, site)))
    return done
