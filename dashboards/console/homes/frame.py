"""What the homes' pages share: navigation, the word when the gateway is away, who may see what, where a form leads."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboards.console import html
from dashboards.console.address import inside
from dashboards.console.gate import LOOK
from dashboards.console.homes.words import TEXTS, clock, pick, say
from dashboards.console.html import Html, form, tag
from dashboards.console.language import other
from dashboards.console.roles import Right, Role, may, may_see, need, sees_some_of
from edge_gateway.alerts.alert import State
from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.registry import Registry
from edge_gateway.rules.rule import Severity
from edge_gateway.rules.words import zone as zone_of

if TYPE_CHECKING:
    from dashboards.console.access import Session
    from dashboards.console.server import Console

_LINKS: Final = (("/round", "round", Right.HOMES), ("/alerts", "alerts", Right.HOMES), ("/wall", "wall", Right.WALL),
                 ("/ledger", "ledger", Right.LEDGER))  # fmt: skip
# Words for what a form did; `no_answer` is the one that has to be seen.
DONE: Final = frozenset(key.removeprefix("done_") for key in TEXTS if key.startswith("done_"))
_NO_ANSWER: Final = "no_answer"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is logged in and may see homes.

    Attributes:
        now_ns: wall clock of this machine.
        look: the page drew itself anew; nobody clicked.  shown: digest of what it shows now.
    """

    request: Request
    session: "Session"
    now_ns: int
    look: bool
    shown: str = ""

    @property
    def lang(self) -> str:
        """Of his account."""
        return self.session.user.language

    @property
    def console(self) -> "Console":
        """What every page may use."""
        found: Console = self.request.state.console
        return found

    @property
    def registry(self) -> Registry:
        """Sites, places and zones."""
        return self.console.reach.registry()

    def say(self, key: str, **values: object) -> str:
        """A text in the reader's language."""
        return say(key, self.lang, **values)

    def zone(self, site: str) -> tzinfo:
        """Of a site."""
        return zone_of(self.registry, site)

    def may(self, right: Right) -> bool:
        """Whether the role has it."""
        return may(self.session.user, right)

    def sees(self, site: str, place: str = "") -> bool:
        """Whether the place is his; "" asks for the whole site, both "" for the gateway itself."""
        return may_see(self.session.user, site, place)

    def sites(self) -> list[str]:
        """His sites that have homes."""
        return sorted({site for site, place in self.registry.homes if self.sees(site, place)})


def visit(request: Request, right: Right = Right.HOMES) -> Visit:
    """Who asks.

    Raises:
        Forbidden: his role has not this right.
    """
    shown = request.headers.get(LOOK, "")
    return Visit(request, need(request, right), time.time_ns(), shown != "", shown)


def link(path: str, **query: str | int | None) -> str:
    """A path with its query; what is None or "" is left out."""
    given = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


async def page(of: Visit, title: str, *children: str | Html | None, where: tzinfo | None = None) -> Response:
    """A whole page: what changes by itself is in `#live`, which `homes.js` draws anew.

    Args:
        where: the zone of the clock that says how old the page is.
    Returns:
        204 for a page that shows this already: three hundred homes every ten seconds are too much for a cheap phone.
    """
    inner = [child for child in (await away(of), *children) if child is not None]
    digest = blake2b("\n".join(map(str, inner)).encode("utf-8", "replace"), digest_size=8).hexdigest()
    now = clock(of.now_ns, where or of.zone(choose(of, "")))
    if of.shown == digest:
        return Response(status_code=204, headers={"x-as-of": now})
    live = tag(
        "div",
        *inner,
        tag("p", of.say("as_of", clock=now), class_="asof", id="as-of"),
        id="live",
        data_shown=digest,
    )
    lost = tag("p", of.say("lost"), id="lost", class_="lost", role="alert", hidden=True)
    done = _done(of)
    return html.page(
        of.request,
        title,
        _bar(of),
        tag("div", lost, done, live, class_="content"),
        styles=("homes.css",),
        scripts=("homes.js",),
        lang=of.lang,
    )


def _bar(of: Visit) -> Html:
    here = of.request.url.path
    links = [
        tag("a", of.say(key), href=path, class_="here" if path == here else None, aria_current="page" if path == here else None)
        for path, key, right in _LINKS
        if of.may(right)
    ]
    back = here + (f"?{of.request.url.query}" if of.request.url.query else "")
    hidden = (
        tag("input", type="hidden", name="language", value=other(of.lang)),
        tag("input", type="hidden", name="next", value=back),
    )
    who = (
        tag("span", of.session.user.id, class_="user"),
        form(of.request, "/language", *hidden, tag("button", of.say("other_language"), type="submit", class_="quiet")),
        # A screen at which anybody may stand is not to be darkened by anybody; a new password ends its session.
        form(of.request, "/logout", tag("button", of.say("log_out"), type="submit", class_="quiet"))
        if of.session.user.role is not Role.KIOSK
        else None,
    )
    brand = tag("span", pick(("看护", "Kanhu"), of.lang), class_="brand")
    return tag("header", brand, tag("nav", *links), tag("div", *who, class_="who"), class_="bar")


async def away(of: Visit) -> Html | None:
    """The word while the gateway does not answer."""
    if await of.console.reach.alive():
        return None
    return tag("p", of.say("gateway_away"), class_="away", role="alert")


def _done(of: Visit) -> Html | None:
    """What the form before this page did."""
    query = of.request.query_params
    did = query.get("did", "")
    if did == _NO_ANSWER:
        return tag("p", of.say(_NO_ANSWER), class_="wrong", role="alert", id="did")
    if did not in DONE:
        return None
    place, site = query.get("at", "")[:60], query.get("site", "")
    words = tag("p", f"✓ {of.say(f'done_{did}', place=place)}")
    slip = did.startswith("seen") and of.may(Right.CARE) and of.sees(site, place)
    back = button(of, "/home/unseen", of.say("take_back"), "quiet", link("/round", site=site), site=site, place=place)
    return tag("div", words, back if slip else None, class_="did", role="status", id="did")


async def done(of: Visit, work: Callable[[], Awaitable[str]], there: str, place: str = "") -> Response:
    """Do what a form asks and lead back, with a word of what was done; also when the gateway does not answer.

    Args:
        work: gives a key of `done_...`.
    """
    try:
        did = await work()
    except Unavailable:
        did = _NO_ANSWER
    path, _, query = inside(there, "/round").partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith(("did=", "at="))]
    return RedirectResponse(f"{path}?{'&'.join([*kept, urlencode({'did': did, 'at': place})])}", 303)


def facts_line(parts: Sequence[str]) -> Html:
    """Small facts beside each other; each stays whole where the line ends."""
    return tag("p", *(tag("span", part) for part in parts if part), class_="facts")


def button(of: Visit, action: str, label: str, classes: str = "", there: str = "", **fields: str) -> Html:
    """A form of one large button."""
    hidden = [tag("input", type="hidden", name=name, value=value) for name, value in {**fields, "next": there}.items()]
    return form(of.request, action, *hidden, tag("button", label, type="submit", class_=classes or None), class_="one")


def fields(**values: str) -> list[Html]:
    """Hidden ones."""
    return [tag("input", type="hidden", name=name.rstrip("_"), value=value) for name, value in values.items()]


async def urgent(of: Visit) -> Mapping[str, int]:
    """Site -> urgent alerts of his there that nobody has accepted; empty also where the gateway's file cannot be read."""
    try:
        found = await of.console.reach.look(lambda look: look.alerts())
    except (Unavailable, Misconfigured):
        return {}
    waits = (State.RAISED, State.NOTIFIED)
    return Counter(
        one.site for one in found if one.severity is Severity.URGENT and one.state in waits and of.sees(one.site, one.place)
    )


def chips(of: Visit, here: str, target: Callable[[str], str], urgent: Mapping[str, int]) -> Html | None:
    """To change the site, for who has several; a call for help in another one can be seen here."""
    found = of.sites()
    if len(found) < 2:
        return None
    sites = of.registry.sites
    links = [
        tag(
            "a",
            sites[one].name or one,
            tag("b", f" ! {urgent[one]}") if one in urgent else None,
            href=target(one),
            class_=" ".join(["chip", *["here"] * (one == here), *["urgent"] * (one in urgent)]),
        )
        for one in found
        if one in sites
    ]
    return tag("nav", *links, class_="chips", aria_label=of.say("site"))


def site_name(of: Visit, site: str) -> str:
    """As people call it."""
    known = of.registry.sites.get(site)
    return (known.name or site) if known else site


def where(of: Visit, site: str, what: str) -> str:
    """梧桐苑 · 3-201: a place, or a device, with the community it is in."""
    return " · ".join(part for part in (site_name(of, site), what) if part)


def choose(of: Visit, wanted: str, urgent: Collection[str] = ()) -> str:
    """The site of this page: the one asked for, if some of it is his; else his first `urgent` one, his first, or ""."""
    if wanted and sees_some_of(of.session.user, wanted):
        return wanted
    found = of.sites()
    return next((one for one in found if one in urgent), found[0] if found else "")
