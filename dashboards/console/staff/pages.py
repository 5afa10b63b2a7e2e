"""Which pages of the staff there are."""

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request
from starlette.responses import Response

from dashboards.console.html import trouble
from dashboards.console.roles import Forbidden
from dashboards.console.staff import ledger, meals, plan, review, visit
from edge_gateway.errors import KanhuError, Unavailable

log = logging.getLogger(__name__)

PAGES: Final = (
    ("/ledger", ledger.build),
    ("/visit", visit.build),
    ("/review", review.build),
    ("/meals", meals.build),
    ("/plan", plan.build),
)


def pages() -> None:
    """Tell NiceGUI of them; called once in a process, after its folder is set."""
    for path, build in PAGES:
        # 20 s: a big ledger on a small machine that has better things to do.
        ui.page(path, response_timeout=20.0)(_guarded(build))


def _guarded(build: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[Response | None]]:
    """What a page raises is an answer of ours: NiceGUI's own would tell of our inside."""

    @wraps(build)
    async def guarded(request: Request, *arguments: Any, **named: Any) -> Response | None:
        try:
            await build(request, *arguments, **named)
        except KanhuError as error:
            status = 403 if isinstance(error, Forbidden) else 503 if isinstance(error, Unavailable) else 400
            return trouble(request, status, error)
        except Exception:
            log.exception("the page %s", request.url.path)
            return trouble(request, 500, Unavailable("see the log of the console"))
        return None

    return guarded
