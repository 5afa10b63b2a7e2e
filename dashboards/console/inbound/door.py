"""`/in/<name>/<secret>`: where providers hand in answers and delivery reports; each is given on to the gateway.

An answer that comes late, or a second time, is not given on: a "taken" of an hour ago must not accept the alert of now. What is
not given on is in the audit log, without number and text.
"""

import hashlib
import hmac
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response

from dashboards.console.courier.limits import Limit
from dashboards.console.inbound.dingtalk import DingTalk
from dashboards.console.inbound.feishu import Feishu
from dashboards.console.inbound.fields import KNOWN, FieldsProvider
from dashboards.console.inbound.grafana import Grafana
from dashboards.console.inbound.messages import Call, Provider, Reply, Told, Watch
from dashboards.console.inbound.wecom import WeCom
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.settings import Inbound, secret

log = logging.getLogger(__name__)

PROVIDERS: Final[Mapping[str, Provider]] = {
    **{kind: FieldsProvider(kind) for kind in KNOWN},
    "fields": FieldsProvider(),
    "dingtalk": DingTalk(),
    "feishu": Feishu(),
    "grafana": Grafana(),
    "wecom": WeCom(),
}
LATE_S: Final = 600.0
AGAIN_S: Final = 60.0  # within it a provider that was not answered comes again
SHORTEST: Final = 20  # characters of a secret
_REMEMBERED: Final = 2000
_COMMAND_S: Final = 5.0
_WATCHED_AT_ONCE: Final = 50  # alerts in one command
_SHOWN: Final = 3  # reasons in one answer
_WHY: Final = 300
_STRANGERS: Final = "/"  # no name of a provider


@dataclass(frozen=True)
class Ports:
    """What the door stands on.

    Attributes:
        providers: as the settings name them.
        call: a command to the gateway; blocks. Raises Rejected, Unavailable.
        write: into the audit log: who, what, subject, address, detail.
        now_s: seconds since 1970.
    """

    providers: tuple[Inbound, ...]
    call: Callable[..., Any]
    write: Callable[[str, str, str, str, Mapping[str, Any]], None]
    address: str = ""
    now_s: Callable[[], float] = time.time


@dataclass
class Memory:
    """What the door remembers between requests: how often somebody knocked, and which answers it has given on."""

    strangers: Limit = field(default_factory=lambda: Limit(burst=20, per_minute=20))
    friends: Limit = field(default_factory=lambda: Limit(burst=300, per_minute=300))
    written: Limit = field(default_factory=lambda: Limit(burst=30, per_minute=10))
    _given: "OrderedDict[bytes, float]" = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def knows(self, answer: bytes, since_s: float = -math.inf) -> bool:
        """Whether this answer was given on since then."""
        with self._lock:
            return self._given.get(answer, -math.inf) > since_s

    def remember(self, answer: bytes, now_s: float = 0.0) -> None:
        """It is given on."""
        with self._lock:
            self._given[answer] = now_s
            while len(self._given) > _REMEMBERED:
                self._given.popitem(last=False)


def router(ports_of: Callable[[Request], Ports], memory: Memory) -> APIRouter:
    """The one address, for POST, and for GET where a provider tries whether we are there."""
    routes = APIRouter()

    @routes.api_route("/in/{name}/{key}", methods=["GET", "POST"])
    async def come(request: Request, name: str, key: str) -> Response:
        # Of a POST the gate has bounded it; with a GET nobody needs one, and a stranger's would fill the memory.
        body = await request.body() if request.method == "POST" else b""
        call = Call(dict(request.query_params), {n.lower(): v for n, v in request.headers.items()}, body)
        return await run_in_threadpool(_take, ports_of(request), memory, name, key, call)

    return routes


def _take(ports: Ports, memory: Memory, name: str, key: str, call: Call) -> Response:
    setting = _find(ports, name, key)
    if setting is None:
        # Only strangers wait: a provider may come from the same address, where a proxy hides them all.
        if not memory.strangers.take(ports.address):
            return PlainTextResponse("later", 429, {"Retry-After": "60"})
        # Of all strangers together: who makes up names and comes from many addresses fills no disk either.
        _write(ports, memory, name, "wrong address", known=False)
        return PlainTextResponse("not found", 404)
    if not memory.friends.take(name):
        return PlainTextResponse("later", 429, {"Retry-After": "60"})
    provider = PROVIDERS[setting.kind]
    try:
        told = provider.read(call, setting, ports.now_s())
        words = _give_on(ports, memory, setting, told)
        answer = told.answer or provider.say(setting, call, words, ports.now_s())
        return Response(answer.body, 200, media_type=answer.kind)
    except Rejected as error:
        _write(ports, memory, name, f"{error.reason}: {error.detail}")
        # Grafana writes our answer into its log; chats and gateways of SMS would show it to whoever wrote.
        said = f"{error.reason}: {error.detail}\n" if setting.kind == "grafana" else error.reason
        return PlainTextResponse(said, 403 if error.reason in ("not_theirs", "no_key") else 400)
    except Misconfigured as error:
        log.error("console.inbound %s: %s", name, error)
        return PlainTextResponse("not set up", 503, {"Retry-After": "60"})
    except Unavailable:
        # The provider comes again; what is then too late is not given on.
        return PlainTextResponse("the gateway is away", 503, {"Retry-After": "15"})


def _find(ports: Ports, name: str, key: str) -> Inbound | None:
    """The provider of this address; a wrong name takes as long as a wrong secret."""
    found = None
    for setting in ports.providers:
        try:
            wanted = secret(setting.secret_file).strip()
        except Misconfigured as error:
            log.error("console.inbound %s: %s", setting.name, error)
            continue
        if len(wanted) < SHORTEST:
            log.error("console.inbound %s: its secret should have at least %d characters", setting.name, SHORTEST)
            continue
        if hmac.compare_digest(f"{setting.name}/{wanted}".encode(), f"{name}/{key}".encode("utf-8", "replace")):
            found = setting
    return found


def _give_on(ports: Ports, memory: Memory, setting: Inbound, told: Told) -> str:
    """Everything of a request; what is to be said to who wrote.

    Raises:
        Unavailable: the gateway is away; what was given on before is not given on again.
    """
    words = ""
    for message in told.messages:
        if isinstance(message, Reply):
            words = _reply(ports, memory, setting, message) or words
        elif isinstance(message, Watch):
            words = _watch(ports, message)
        else:
            # One that nobody waits for is counted by the gateway: it may be faster than the answer that told the message's id.
            told_of = {"references": list(message.references)[:8], "arrived": message.arrived, "reason": message.reason}
            ports.call("alerts.report", _COMMAND_S, **told_of)
    return words


def _watch(ports: Ports, watch: Watch) -> str:
    """All that can be understood, whatever stands beside it; nothing of it twice harms.

    Raises:
        Rejected: `unreadable`, the rest.
    """
    about = {
        "left_out": watch.left_out,
        "tests": watch.tests,
        "unread": len(watch.unread),
        "why": "; ".join(watch.unread)[:_WHY],
    }
    for begin in range(0, max(len(watch.alerts), 1), _WATCHED_AT_ONCE):
        ports.call("alerts.watched", _COMMAND_S, alerts=list(watch.alerts[begin : begin + _WATCHED_AT_ONCE]), **about)
        about = {}
    if watch.unread:
        raise Rejected("unreadable", "; ".join(watch.unread[:_SHOWN]))
    return f"taken: {len(watch.alerts)}"


def _reply(ports: Ports, memory: Memory, setting: Inbound, reply: Reply) -> str:
    """Given on once, if it is fresh; what the gateway wants to say."""
    now_s = ports.now_s()
    what = (reply.id, reply.sender, reply.text) if reply.id else reply
    digest = hashlib.sha256(repr((setting.name, what)).encode("utf-8", "replace")).digest()
    # Of a provider that gives neither a name nor a time the same words later are another answer.
    named = bool(reply.id or reply.about or reply.at_s is not None)
    if memory.knows(digest, -math.inf if named else now_s - AGAIN_S):
        return ""
    if reply.at_s is not None and now_s - reply.at_s > LATE_S:
        memory.remember(digest, now_s)
        _write(ports, memory, setting.name, f"an answer of {(now_s - reply.at_s) / 60:.0f} min ago")
        return ""
    # From here two of the same at once would both be given on; the gateway does nothing for the second.
    try:
        about = {"references": list(reply.about)[:8]} if reply.about else {}
        done = ports.call("alerts.heard", _COMMAND_S, **{"from": reply.sender, "text": reply.text, **about})
    except Rejected as error:
        memory.remember(digest, now_s)
        _write(ports, memory, setting.name, f"{error.reason}: {error.detail}")
        return ""
    memory.remember(digest, now_s)
    alert = done.get("alert") or {}
    detail = {"by": setting.name, "did": str(done.get("did", ""))[:40]}
    ports.write(str(done.get("person", "")), "replied", str(alert.get("id", ""))[:80], ports.address, detail)
    return f"{done.get('say_zh', '')}\n{done.get('say_en', '')}".strip()


def _write(ports: Ports, memory: Memory, name: str, why: str, known: bool = True) -> None:
    """What was not given on, for people to look at; a flood of it fills no disk."""
    if memory.written.take(name if known else _STRANGERS):
        ports.write("", "inbound_refused", name[:32], ports.address, {"why": why[:200]})
