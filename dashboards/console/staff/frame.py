"""What every page of the staff has: navigation, language, log-out, and the word when the gateway is away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

from nicegui import ui
from starlette.requests import Request

from dashboards.console import csrf
from dashboards.console.language import other
from dashboards.console.live import Page
from dashboards.console.roles import Forbidden, Right, may, may_see, sees_some_of
from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.rules.words import zone as zone_of

if TYPE_CHECKING:
    from edge_gateway.visits.look import Ledger

_T = TypeVar("_T")
_LINKS: Final = (
    ("/round", "round", Right.HOMES),
    ("/ledger", "ledger", Right.LEDGER),
    ("/review", "review", Right.DECIDE),
    ("/meals", "meals", Right.LEDGER),
    ("/plan", "plan", Right.PLAN),
)


def link(path: str, **query: str | int | None) -> str:
    """A path with its query; what is None or "" is left out."""
    given = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def text(words: str, classes: str = "", element: str = "span") -> ui.element:
    """A piece of text; whatever is in it stays text."""
    with ui.element(element).classes(classes) as found:
        if words:
            ui.label(words)
    return found


@contextmanager
def frame(page: Page, request: Request, title: str) -> Iterator[None]:
    """The page around its content."""
    ui.add_head_html('<link rel="stylesheet" href="/static/staff.css">')
    page.client.title = f"{page.say(title)} · 看护 Kanhu"
    ui.query("html").props(f"lang={page.lang}")
    with ui.element("header").classes("bar"):
        ui.label("看护").classes("brand")
        with ui.element("nav"):
            for path, key, right in _LINKS:
                if may(page.session.user, right) and (path != "/round" or _has_homes(page)):
                    here = request.url.path == path
                    ui.link(page.say(key), path).classes("here" if here else "").props('aria-current="page"' if here else "")
        with ui.element("div").classes("who"):
            ui.label(page.session.user.id).classes("user")
            _button(page, "/language", page.say("other_language"), language=other(page.lang), next=_here(request))
            _button(page, "/logout", page.say("log_out"))
    with ui.element("div").classes("content"):
        yield


def _has_homes(page: Page) -> bool:
    """Whether any home is his to see."""
    return any(may_see(page.session.user, site, place) for site, place in page.console.reach.registry().homes)


def _button(page: Page, action: str, label: str, **fields: str) -> None:
    """A form of one button: it works also while the WebSocket is gone."""
    with ui.element("form").props(f'method="post" action="{action}"'):
        for name, value in {csrf.FIELD: page.session.csrf, **fields}.items():
            field = ui.element("input")
            field.props["type"], field.props["name"], field.props["value"] = "hidden", name, value
        with ui.element("button").props('type="submit"').classes("quiet"):
            ui.label(label)


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def away(page: Page) -> bool:
    """Say so when the gateway does not answer; whether it is away."""
    if await page.console.reach.alive():
        return False
    with ui.element("p").classes("away").props('role="status"'):
        ui.label(page.say("gateway_away"))
    return True


async def read(page: Page, question: "Callable[[Ledger], _T]") -> _T | None:
    """What the ledger says; None after a word on the page when there is none."""
    try:
        return await page.console.reach.read(question)
    except (Unavailable, Misconfigured):
        ui.label(page.say("no_ledger")).classes("empty")
        return None


async def choose_site(page: Page, wanted: str) -> str:
    """The site of this page: the one that was asked for, if it is his; else his first; "" when he has none.

    Raises:
        Forbidden: it is not his.
    """
    if wanted and not sees_some_of(page.session.user, wanted):
        raise Forbidden(wanted)
    found = await sites(page)
    return wanted or (found[0] if found else "")


async def sites(page: Page) -> list[str]:
    """The sites of which he may see a part and that have a plan (these first) or visits; all of his while none has."""
    his = sorted(site for site in page.console.reach.registry().sites if sees_some_of(page.session.user, site))

    def in_use(ledger: "Ledger") -> list[str]:
        planned = [site for site in his if ledger.plans(site)]
        return planned + [site for site in his if site not in planned and ledger.has_visits(site)]

    try:
        return await page.console.reach.read(in_use) or his
    except (Unavailable, Misconfigured):
        return his


async def site_links(
    page: Page, site: str, target: Callable[[str], str], count: "Callable[[Ledger, str], int] | None" = None
) -> None:
    """To change the site, for who has several.

    Args:
        count: a number behind each name.
    """
    found = await sites(page)
    if len(found) < 2:
        return
    names = page.console.reach.registry().sites
    numbers: dict[str, int] = {}
    if count is not None:
        with suppress(Unavailable, Misconfigured):
            numbers = await page.console.reach.read(lambda ledger: {one: count(ledger, one) for one in found})
    with ui.element("nav").classes("chips").props(f'aria-label="{page.say("site")}"'):
        for one in found:
            words = " ".join(part for part in (names[one].name or one, str(numbers.get(one, ""))) if part)
            ui.link(words, target(one)).classes("chip here" if one == site else "chip")


def zone(page: Page, site: str) -> tzinfo:
    """Of a site."""
    return zone_of(page.console.reach.registry(), site)


def day_of(text: str, where: tzinfo) -> date:
    """The date that was asked for; today when it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.now(where).date()
