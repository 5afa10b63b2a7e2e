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
_REMEMBERED: Final = 500


def handlers(gateway: "Gateway") -> Mapping[str, Handler]:
    """Command name -> function of its arguments; each raises Rejected for arguments it cannot use."""

    calls = _Calls()

    async def report(arguments: Mapping[str, Any]) -> dict[str, Any]:
        references, arrived = _references(arguments), arguments.get("arrived")
        if not references or not isinstance(arrived, bool):
            raise Rejected(
                "bad_argument", f"arrived is {arrived!r} of {len(references)} ids; expected true or false of 1 or more"
            )
        reason = _text(arguments, "reason", optional=True)
        calls.see(references, gateway.desk.book.open_alerts())
        matched = any(gateway.desk.report(reference, arrived, reason) for reference in references)
        if matched:
            await gateway.committer.settle()
        return {"matched": matched}

    async def heard(arguments: Mapping[str, Any]) -> dict[str, Any]:
        if not gateway.settings.alerts.replies:
            # Whoever wants reports alone has not agreed that a number, which can be forged, stops an SOS.
            raise Rejected("replies_off", "alerts.replies is false, so answers change nothing")
        text, alerts = _text(arguments, "text"), gateway.desk.book.open_alerts()
        person = _who(people_at(gateway.desk.people(), _text(arguments, "from")), alerts)
        references = _references(arguments)
        calls.see(references, alerts)
        # Who presses 1 in a call means the alert of this call, also when others are open: its keys have no letters for a code.
        about = next((alert for alert in alerts if alert.id == calls.alert_of(references)), None)
        done = dict(gateway.desk.reply(person, f"{text} {about.code}" if about is not None and text.isdecimal() else text))
        await gateway.committer.settle()
        return {"person": person, **done}

    return {"alerts.report": report, "alerts.heard": heard}


class _Calls:
    """Which alert a message was about, by the ids its channel knows it by, also after its report has come."""

    def __init__(self) -> None:
        self._alerts: dict[str, str] = {}

    def see(self, references: list[str], alerts: list[Alert]) -> None:
        """Before the report is taken: then the alert waits for it no longer."""
        for alert in alerts:
            if any(awaited.ref in references for awaited in alert.awaited):
                self._alerts |= dict.fromkeys(references, alert.id)
        while len(self._alerts) > _REMEMBERED:
            del self._alerts[next(iter(self._alerts))]

    def alert_of(self, references: list[str]) -> str:
        """Its id; "" unknown."""
        return next((self._alerts[one] for one in references if one in self._alerts), "")


def _references(arguments: Mapping[str, Any]) -> list[str]:
    given = arguments.get("references", [])
    if not isinstance(given, list) or len(given) > _REFERENCES or not all(map(_is_text, given)):
        raise Rejected("bad_argument", f"references should be a list of at most {_REFERENCES} ids of the message")
    return [str(one) for one in given]


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
