"""What the gateway does with alerts on request: accept and close, by name or by the link of a message; who is on duty."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edge_gateway.alerts import State, acts
from edge_gateway.alerts.links import Look
from edge_gateway.alerts.summary import history, summary
from edge_gateway.commands import Handler
from edge_gateway.errors import Rejected
from edge_gateway.rules import Severity
from edge_gateway.text import escaped

if TYPE_CHECKING:
    from edge_gateway.service import Gateway


def handlers(gateway: "Gateway") -> Mapping[str, Handler]:
    """Command name -> function of its JSON arguments; each raises Rejected for arguments it cannot use."""
    desk = gateway.desk

    async def accept(arguments: Mapping[str, Any]) -> Any:
        alert = desk.accept(_text(arguments, "id"), _text(arguments, "by"))
        await gateway.committer.settle()
        return alert

    async def close(arguments: Mapping[str, Any]) -> Any:
        alert = desk.close(_text(arguments, "id"), _text(arguments, "by"), _text(arguments, "reason"))
        await gateway.committer.settle()
        return alert

    async def look_link(arguments: Mapping[str, Any]) -> dict[str, Any]:
        return _seen(acts.look_at(desk.book, _text(arguments, "token"), gateway.clock_ns()))

    async def accept_link(arguments: Mapping[str, Any]) -> dict[str, Any]:
        word = _text(arguments, "token")
        done = acts.accept(desk.book, word, gateway.clock_ns())
        await gateway.committer.settle()
        seen = _seen(acts.look_at(desk.book, word, gateway.clock_ns()))
        return {**seen, "first": done.first, "close_token": done.close_word}

    async def close_link(arguments: Mapping[str, Any]) -> dict[str, Any]:
        word = _text(arguments, "token")
        was_open = acts.look_at(desk.book, word, gateway.clock_ns()).alert.state is not State.CLOSED
        acts.close(desk.book, word, _text(arguments, "reason"), gateway.clock_ns())
        await gateway.committer.settle()
        return {**_seen(acts.look_at(desk.book, word, gateway.clock_ns())), "first": was_open}

    async def duty(arguments: Mapping[str, Any]) -> list[str]:
        severity = arguments.get("severity", Severity.URGENT.value)
        if severity not in list(Severity):
            raise Rejected("bad_argument", f"severity is {severity!r}; one of {', '.join(Severity)}")
        place = arguments.get("place", "")
        if not isinstance(place, str):
            raise Rejected("bad_argument", f"place is {place!r}; expected the id of a home, or nothing")
        equipment = arguments.get("equipment", False) is True
        told = desk.duty.at(_text(arguments, "site"), place, Severity(severity), gateway.clock_ns(), equipment)
        return [person.id for person in told]

    return {
        "alerts.accept": accept,
        "alerts.close": close,
        "alerts.look_link": look_link,
        "alerts.accept_link": accept_link,
        "alerts.close_link": close_link,
        "duty.show": duty,
    }


def _seen(look: Look) -> dict[str, Any]:
    return {
        "kind": look.kind,
        "person": look.person,
        "until_ns": look.until_ns,
        "usable": not look.why,
        "why": look.why,
        "alert": {**summary(look.alert), "history": history(look.alert)},
    }


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > 500:
        raise Rejected("bad_argument", f"{name} should be a text of 1 to 500 characters")
    # Half a surrogate pair, as a terminal of another encoding sends it, could not be saved.
    return escaped(value.strip(), 500, name)
