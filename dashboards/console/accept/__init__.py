"""The page behind the link of a message: what happened and where, and one button with which its person accepts."""

from collections.abc import Callable

from fastapi import Request

from dashboards.console.accept import door
from dashboards.console.accept.door import Brakes, Ports
from dashboards.console.courier.ports import client_address
from dashboards.console.part import Part
from edge_gateway.rules.words import zone

__all__ = ["part"]


def part(ports_of: "Callable[[Request], Ports] | None" = None) -> Part:
    """The page; each call starts with fresh brakes."""
    return Part(door.router(ports_of or of_console, Brakes()), called=("/a/",))


def of_console(request: Request) -> Ports:
    """What it uses of the console that the request came to."""
    console = request.state.console
    registry = console.reach.registry()
    return Ports(
        call=console.reach.call_for,
        zone_of=lambda site: zone(registry, site),
        name_of=lambda site: registry.sites[site].name or site if site in registry.sites else site,
        write=lambda who, what, subject, address: console.audit.write(who, what, subject, address),
        address=client_address(request),
    )
