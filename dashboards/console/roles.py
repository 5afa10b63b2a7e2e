"""Who may do what. Asked on the server at every page and every command; what a page shows or hides is only courtesy."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from edge_gateway.errors import KanhuError

if TYPE_CHECKING:
    from starlette.requests import Request

    from dashboards.console.access import Session
    from dashboards.console.users import User


class Role(StrEnum):
    """What a person is here."""

    COURIER = "courier"
    STAFF = "staff"
    VOLUNTEER = "volunteer"
    TECHNICIAN = "technician"
    ADMIN = "admin"
    KIOSK = "kiosk"  # a screen at the desk, at which anybody may stand


class Right(StrEnum):
    """What a page or a command asks for."""

    OWN_VISITS = "own_visits"  # of the courier that the user is
    LEDGER = "ledger"
    DECIDE = "decide"
    PLAN = "plan"
    NAMES = "names"  # who is behind a pseudonym
    KIOSK = "kiosk"  # open the desk's page on a screen
    WALL = "wall"  # see how the homes stand, by pseudonym, on a screen at which anybody may stand
    HOMES = "homes"  # the round, alerts, a home
    CARE = "care"  # accept and close an alert, say that somebody is fine, away, paused
    STATIONS = "stations"
    DEVICES = "devices"
    USERS = "users"
    AUDIT = "audit"


RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.COURIER: frozenset({Right.OWN_VISITS}),
    Role.STAFF: frozenset(
        {Right.LEDGER, Right.DECIDE, Right.PLAN, Right.NAMES, Right.KIOSK, Right.WALL, Right.HOMES, Right.CARE}
    ),
    Role.VOLUNTEER: frozenset({Right.STATIONS}),
    Role.TECHNICIAN: frozenset({Right.DEVICES}),
    Role.ADMIN: frozenset(Right) - {Right.OWN_VISITS},
    Role.KIOSK: frozenset({Right.KIOSK, Right.WALL}),
}


class Forbidden(KanhuError):
    """This person may not do this, however often he asks.

    Args:
        what: the right that is missing, or the place.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"not allowed: {what}")
        self.what = what


def may(user: "User", right: Right) -> bool:
    """Whether his role has this right."""
    return right in RIGHTS[user.role]


def may_see(user: "User", site: str, place: str = "") -> bool:
    """Whether a place is his: `*`, `site` or `site/place` in his list; place "" asks for the whole site."""
    return any(entry in ("*", site, f"{site}/{place}" if place else "") for entry in user.places)


def sees_some_of(user: "User", site: str) -> bool:
    """Whether at least one place of the site is his."""
    return any(entry == "*" or entry.split("/")[0] == site for entry in user.places)


def need(request: "Request", right: Right) -> "Session":
    """The session of who asks.

    Raises:
        Forbidden: nobody is logged in, or his role has not this right.
    """
    session: Session | None = getattr(request.state, "session", None)
    if session is None or not may(session.user, right):
        raise Forbidden(right.value)
    return session
