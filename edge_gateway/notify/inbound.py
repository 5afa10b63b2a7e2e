"""What channels tell the gateway afterwards: a message arrived or did not, and somebody answered. Commands of its socket."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from edge_gateway.alerts import Alert
from edge_gateway.commands import Handler
from edge_gateway.errors import Rejected
from edge_gateway.notify.contacts import people_at

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

_REFERENCES: Final = 8
_LONGEST: Final = 500


def handlers(gateway: "Gateway") -> Mapping[str, Handler]:
    """Command name -> function of its arguments; each raises Rejected for arguments it cannot use."""

    async def report(arguments: Mapping[str, Any]) -> dict[str, Any]:
        references, arrived = arguments.get("references"), arguments.get("arrived")
        if not isinstance(references, list) or not 0 < len(references) <= _REFERENCES or not all(map(_is_text, references)):
            raise Rejected("bad_argument", f"references should be a list of 1 to {_REFERENCES} ids of the message")
        if not isinstance(arrived, bool):
            raise Rejected("bad_argument", f"arrived is {arrived!r}; expected true or false")
        reason = _text(arguments, "reason", optional=True)
        matched = any(gateway.desk.report(reference, arrived, reason) for reference in references)
        if matched:
            await gateway.committer.settle()
        return {"matched": matched}

    async def heard(arguments: Mapping[str, Any]) -> dict[str, Any]:
        text = _text(arguments, "text")
        person = _who(people_at(gateway.desk.people(), _text(arguments, "from")), gateway.desk.book.open_alerts())
        done = dict(gateway.desk.reply(person, text))
        await gateway.committer.settle()
        return {"person": person, **done}

    return {"alerts.report": report, "alerts.heard": heard}


def _who(found: list[str], alerts: list[Alert]) -> str:
    """The one of these that answered; of several, the only one who was told of something.

    Raises:
        Rejected: `unknown_sender`, `ambiguous_sender`.
    """
    if not found:
        # Nothing of the sender in the answer: it is somebody's number.
        raise Rejected("unknown_sender", "this number or id stands in nobody's address")
    if len(found) > 1:
        told = {person for alert in alerts for person in (*alert.told, *(send.person for send in alert.sends))}
        if len(told & set(found)) != 1:
            raise Rejected("ambiguous_sender", f"{', '.join(found)} have this number or id; who of them answered is not known")
        return next(iter(told & set(found)))
    return found[0]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST


def _text(arguments: Mapping[str, Any], name: str, optional: bool = False) -> str:
    value = arguments.get(name, "" if optional else None)
    if not isinstance(value, str) or len(value) > _LONGEST or not (optional or value.strip()):
        raise Rejected("bad_argument", f"{name} should be a text of 1 to {_LONGEST} characters")
    return value.strip().encode("utf-8", "replace").decode()
