"""The second way to tap: a phone at a tag. The page keeps the tap on the phone; here it is handed on to the gateway."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from dashboards.console.courier import answers, phone_page, phone_taps
from dashboards.console.courier.limits import Limit
from dashboards.console.courier.phone_taps import PhoneTap, PhoneTaps
from dashboards.console.courier.ports import Ports
from edge_gateway.errors import KanhuError, Rejected
from edge_gateway.visits.look import CourierLink

_HERE: Final = {"Permissions-Policy": "geolocation=(self), camera=(), microphone=()"}
_COMMAND_S: Final = 5.0


class Brakes:
    """How many taps a phone and an address may send; what is above stays on the phone, which sends it later."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._phones = Limit(burst=200, per_minute=60, clock=clock)
        self._addresses = Limit(burst=1000, per_minute=300, clock=clock)  # a whole mobile network may share one

    def admit(self, address: str, phone: int, taps: int) -> bool:
        """Whether so many taps are taken now."""
        return self._addresses.take(address, taps) and self._phones.take(f"{address} {phone}", taps)

    def malformed(self, address: str) -> bool:
        """Whether something that is no tap may be looked at; it costs more."""
        return self._addresses.take(address, 20)


def router(ports_of: Callable[[Request], Ports], brakes: Brakes) -> APIRouter:
    """`/t` and what belongs to it."""
    routes = APIRouter()

    @routes.get("/t")
    def tap_page() -> Response:
        return answers.page(phone_page.show(), headers=_HERE)

    @routes.get("/t/sw.js")
    def worker() -> Response:
        files = ["/t", *(answers.static(name) for name in ("courier.css", "tap.css", "queue.js", "tap.js"))]
        script = (answers.STATIC / "sw.js").read_text(encoding="utf-8")
        script = script.replace("__VERSION__", answers.version()).replace("__FILES__", json.dumps(files))
        # no-cache: a browser asks at each visit whether there is a new one.
        headers = {**answers.GUARDED, "Cache-Control": "no-cache", "Service-Worker-Allowed": "/t"}
        return Response(script, 200, headers, "text/javascript")

    @routes.post("/t/taps")
    async def taps(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        # A foreign page cannot send this kind without asking us first, and we allow nobody.
        if kind != "application/json" or not answers.from_here(request):
            return answers.data({"error": "not from our page"}, 403)
        body = await _body(request)
        if body is None:
            return answers.data({"error": f"more than {phone_taps.LARGEST} bytes"}, 413)
        return await run_in_threadpool(_take, ports_of(request), brakes, request, body)

    return routes


async def _body(request: Request) -> bytes | None:
    """The whole body; None when it is too large."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > phone_taps.LARGEST:
                return None
    except ClientDisconnect:
        pass  # half a message is no JSON
    return bytes(body)


def _take(ports: Ports, brakes: Brakes, request: Request, body: bytes) -> Response:
    address = ports.address(request)
    try:
        message = phone_taps.read(body)
    except Rejected as error:
        if not brakes.malformed(address):
            return _later(429, 60)
        return answers.data({"error": error.reason, "detail": error.detail}, 400)
    if not brakes.admit(address, message.phone, len(message.taps)):
        return _later(429, 60)
    done = list(_all(ports, message))
    return answers.data({"taps": done}) if done else _later(503, 15)


def _all(ports: Ports, message: PhoneTaps) -> Iterator[dict[str, object]]:
    """The answers up to the tap at which the gateway is away. What is not named the phone keeps and sends once more."""
    for tap in message.taps:
        try:
            yield {"seq": tap.seq, **_handed_on(ports, message, tap)}
        except (KanhuError, sqlite3.Error):
            return


def _handed_on(ports: Ports, message: PhoneTaps, tap: PhoneTap) -> dict[str, object]:
    """What the phone is told of one tap.

    Returns:
        `state`: delivered, the gateway has it; refused, it never will; conflict, another phone has the same number; unplaced,
        nobody can tell its site, and the phone keeps it and asks who is there.  `known`: its link tells a courier.
    Raises:
        Unavailable: the gateway is away.
    """
    link = _link(ports, tap)
    site = link.site if link is not None else ports.phone_site
    if not site:
        return {"state": "unplaced", "known": False}
    state = "delivered"
    try:
        ports.call("visits.tap", _COMMAND_S, **phone_taps.arguments(message, tap, site))
    except Rejected as error:
        state = "conflict" if error.reason == "conflict" else "refused"
    return {"state": state, "known": link is not None}


def _link(ports: Ports, tap: PhoneTap) -> CourierLink | None:
    """Whose tap it is.

    Raises:
        Unavailable: the ledger cannot be read.
    """
    if not tap.link:
        return None
    with ports.open_ledger() as ledger:
        return ledger.find_courier_by_token(tap.link, ports.now_ns())


def _later(status: int, after_s: int) -> Response:
    return answers.data({"error": "later", "kept": "on your phone"}, status, {"Retry-After": str(after_s)})
