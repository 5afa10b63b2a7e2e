"""What comes in from outside: answers to messages and delivery reports, from providers of SMS, calls and chats."""

from collections.abc import Callable

from fastapi import Request

from dashboards.console.courier.ports import client_address
from dashboards.console.inbound import door
from dashboards.console.inbound.door import Memory, Ports
from dashboards.console.part import Part

__all__ = ["part"]


def part(ports_of: "Callable[[Request], Ports] | None" = None) -> Part:
    """The page; each call starts with an empty memory."""
    return Part(door.router(ports_of or of_console, Memory()), called=("/in/",))


def of_console(request: Request) -> Ports:
    """What it uses of the console that the request came to."""
    console = request.state.console
    return Ports(
        providers=tuple(console.settings.console.inbound),
        call=console.reach.call_for,
        write=lambda who, what, subject, address, detail: console.audit.write(who, what, subject, address, detail),
        address=client_address(request),
    )
