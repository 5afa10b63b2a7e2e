"""What the courier's pages stand on: a ledger that is read, a gateway that is asked, a clock, and a few settings."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from time import time_ns
from typing import Any, Final, Protocol

from fastapi import Request

from edge_gateway.visits.look import Ledger

LANGUAGES: Final = ("zh-CN", "en")


class Call(Protocol):
    """A command to the gateway (`edge_gateway.commands.call` with the socket filled in); blocks.

    Raises:
        Rejected: the gateway does not accept it.  Unavailable: nobody answers.
    """

    def __call__(self, command: str, timeout_s: float = 10.0, /, **arguments: Any) -> Any: ...


def client_address(request: Request) -> str:
    """The address a request came from, for limits only."""
    return request.client.host if request.client else ""


def nobody(request: Request) -> None:
    """A guard that lets everybody in: for a desk screen without log-in, in tests."""


@dataclass(frozen=True)
class Local:
    """The local time of a site."""

    zone: tzinfo
    now_ns: Callable[[], int]

    def time(self, at_ns: int) -> datetime:
        """The local time of an instant."""
        return datetime.fromtimestamp(at_ns / 1e9, UTC).astimezone(self.zone)

    def now(self) -> datetime:
        """The local time now."""
        return self.time(self.now_ns())


@dataclass(frozen=True)
class Ports:
    """Attributes:
    open_ledger: a new reader of the ledger for one request.
    zone_of: the local time of a site.
    desk_readers: `site/device` of the readers at which a courier may look at his record.
    phone_site: the site of a phone's taps when no personal link tells it; "" none.
    kiosk: raises or redirects unless the request may see the desk's screen.
    """

    open_ledger: Callable[[], AbstractContextManager[Ledger]]
    call: Call
    zone_of: Callable[[str], tzinfo]
    desk_readers: tuple[str, ...] = ()
    phone_site: str = ""
    kiosk: Callable[[Request], object] = nobody
    address: Callable[[Request], str] = client_address
    now_ns: Callable[[], int] = time_ns

    def local(self, site: str) -> Local:
        """The time of a site."""
        return Local(self.zone_of(site), self.now_ns)
