"""The courier's side of the console: his own record, the phone at a tag, the screen at the desk."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from fastapi import Request

from dashboards.console.courier import answers, desk, phone, record
from dashboards.console.courier.ports import Ports
from dashboards.console.part import Part
from dashboards.console.roles import Right, need

__all__ = ["parts"]


def parts(ports_of: "Callable[[Request], Ports] | None" = None) -> tuple[Part, ...]:
    """The pages; each call starts with fresh limits.

    Args:
        ports_of: what the pages stand on; by default the console of the request.
    """
    of = ports_of or of_console
    return (
        Part(answers.static_router(), (f"{answers.STATIC_PATH}/",)),
        Part(record.router(of, record.Links()), ("/me/",)),
        Part(phone.router(of, phone.Brakes()), ("/t", "/t/")),
        Part(desk.router(of)),
    )


def of_console(request: Request) -> Ports:
    """What these pages use of the console that the request came to."""
    console = request.state.console
    settings = console.settings
    registry = console.reach.registry()
    return Ports(
        open_ledger=console.reach.ledger,
        call=console.reach.call_for,
        zone_of=lambda site: ZoneInfo(registry.sites[site].zone if site in registry.sites else "Asia/Shanghai"),
        desk_readers=tuple(settings.console.desk_readers),
        phone_site=settings.console.phone_site or (next(iter(registry.sites)) if len(registry.sites) == 1 else ""),
        kiosk=lambda asked: need(asked, Right.KIOSK),
    )
