"""`/a/<word>`: the link of a message. Looking changes nothing, for chats look at every link; pressing accepts, or closes."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from starlette.responses import RedirectResponse

from dashboards.console.accept import page
from dashboards.console.accept.page import Look
from dashboards.console.courier.limits import Limit
from dashboards.console.html import spoken
from edge_gateway.errors import Rejected, Unavailable

_WORD: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_COMMAND_S: Final = 5.0
_LONGEST: Final = 200
_WRONG: Final = 3.0  # looks that a link costs that is none


@dataclass(frozen=True)
class Ports:
    """What the page stands on.

    Attributes:
        call: a command to the gateway; blocks. Raises Rejected, Unavailable.
        name_of: what people call a site.
        write: into the audit log: who, what, subject, address.
    """

    call: Callable[..., Any]
    zone_of: Callable[[str], tzinfo]
    name_of: Callable[[str], str]
    write: Callable[[str, str, str, str], None]
    address: str = ""
    now_ns: Callable[[], int] = time.time_ns


@dataclass
class Brakes:
    """How often somebody may look; a word has 120 bits and more, so this is against a flood, not against guessing.

    Wide: a whole office, or a mobile network, has one address, and who wants to accept must not wait for others.
    """

    looks: Limit = field(default_factory=lambda: Limit(burst=300, per_minute=120))


def router(ports_of: Callable[[Request], Ports], brakes: Brakes) -> APIRouter:
    """The one address."""
    routes = APIRouter()

    @routes.get("/a/{word}")
    async def look(request: Request, word: str) -> Response:
        return await run_in_threadpool(_guarded, request, ports_of(request), brakes, word, _look)

    @routes.post("/a/{word}")
    async def act(request: Request, word: str) -> Response:
        form = await request.form()
        given = {name: value for name, value in form.items() if isinstance(value, str)}

        def work(request: Request, ports: Ports, word: str) -> Response:
            return _act(request, ports, word, given)

        return await run_in_threadpool(_guarded, request, ports_of(request), brakes, word, work)

    return routes


def _guarded(
    request: Request, ports: Ports, brakes: Brakes, word: str, work: Callable[[Request, Ports, str], Response]
) -> Response:
    if not brakes.looks.take(ports.address):
        return page.notice(request, "slow_down", 429)
    try:
        if _WORD.fullmatch(word) is None:
            raise Rejected("unknown_link", "this is no word of ours")
        return work(request, ports, word)
    except Rejected as error:
        if error.reason != "unknown_link":
            raise
        brakes.looks.take(ports.address, _WRONG)
        return page.notice(request, "unknown", 404)
    except Unavailable:
        return page.notice(request, "away", 503)


def _look(request: Request, ports: Ports, word: str) -> Response:
    told = ports.call("alerts.look_link", _COMMAND_S, token=word)
    site = str(told["alert"]["site"])
    return page.show(request, Look(told, ports.now_ns(), ports.zone_of(site), spoken(request), ports.name_of(site)))


def _act(request: Request, ports: Ports, word: str, given: Mapping[str, str]) -> Response:
    """What was pressed; then the page to go on with, by GET: loading it again presses nothing.

    Raises:
        Rejected: `unknown_link`.
        Unavailable: the gateway is away, or did not answer in time.
    """
    after, lang = word, request.query_params.get("lang", "")
    try:
        if given.get("act") == "close":
            reason = " ".join(given.get("reason", "").split())[:_LONGEST]
            told = ports.call("alerts.close_link", _COMMAND_S, token=word, reason=reason) if reason else None
            what = "closed_by_link"
        else:
            told = ports.call("alerts.accept_link", _COMMAND_S, token=word)
            what, after = "accepted_by_link", str(told.get("close_token") or word)
        if told is not None and told.get("first", True):
            ports.write(str(told["person"]), what, str(told["alert"]["id"]), ports.address)
    except Rejected as error:
        if error.reason not in ("link_used", "link_expired"):
            raise  # the page says why; a link that is none has no page
    return RedirectResponse(f"/a/{after}{'?lang=en' if lang == 'en' else '?lang=zh-CN' if lang else ''}", 303)
