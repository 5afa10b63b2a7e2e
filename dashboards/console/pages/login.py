"""Log in, log out, the first administrator, the language, and the start page that leads everybody to his own."""

import asyncio
import hmac
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboards.console.address import inside
from dashboards.console.gate import cookie
from dashboards.console.html import Html, form, page, spoken, tag
from dashboards.console.language import other, say
from dashboards.console.part import Part
from dashboards.console.roles import Right, Role, may, may_see
from dashboards.console.users import User, check, check_password
from edge_gateway.errors import Rejected

if TYPE_CHECKING:
    from dashboards.console.server import Console

router = APIRouter()
# `/login` and `/first` are the gate's own exceptions: they have no session yet, but end an old one.
PART: Final = Part(router)
_STARTS: Final = (
    (Right.HOMES, "/round"),
    (Right.LEDGER, "/ledger"),
    (Right.WALL, "/wall"),
    (Right.KIOSK, "/desk"),
)
_OF_HOMES: Final = ("/round", "/wall")
Text = Annotated[str, Form()]
Then = Annotated[str, Form(alias="next")]


@router.get("/")
async def start(request: Request) -> Response:
    """Everybody's own page."""
    session = request.state.session
    for right, path in _STARTS:
        if may(session.user, right) and (path not in _OF_HOMES or _has_homes(request, session.user)):
            return RedirectResponse(path, 303)
    lang = session.user.language
    return page(
        request,
        say("kanhu", lang),
        tag("h1", say("kanhu", lang)),
        tag("p", say("nothing_here", lang, name=session.user.id)),
        log_out_form(request, lang),
    )


def _has_homes(request: Request, user: User) -> bool:
    """Whether he is to see any home; the desk's screen of a canteen shows no wall."""
    console = _console(request)
    if user.role is Role.KIOSK and console.settings.console.desk_readers:
        return False
    return any(may_see(user, site, place) for site, place in console.reach.registry().homes)


def log_out_form(request: Request, lang: str) -> Html:
    """One button."""
    return form(request, "/logout", tag("button", say("log_out", lang), type="submit", class_="quiet"))


@router.get("/login")
async def login_page(request: Request) -> Response:
    """The form; while nobody at all may log in, the way to the first administrator."""
    console = _console(request)
    if console.wants_first() and not console.users.all():
        return RedirectResponse("/first", 303)
    if request.state.session is not None:
        return RedirectResponse("/", 303)
    return _login(request)


@router.post("/login")
async def log_in(request: Request, name: Text = "", password: Text = "", next_: Then = "/") -> Response:
    """A new session, or the same answer for whatever was wrong."""
    console = _console(request)
    found = await console.access.log_in(name.strip().lower(), password, _address(request))
    if isinstance(found, float):
        return _login(request, found, next_)
    return await _begun(request, *found, next_)


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """The session ends here; the browser is told to forget its cookie, pages that are open go to the log-in."""
    from dashboards.console.live import close_pages

    console, session = _console(request), request.state.session
    await console.access.log_out(session, _address(request))
    await close_pages(session)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(console.cookie, path="/", secure=console.settings.console.secure, httponly=True, samesite="lax")
    return answer


@router.post("/language")
async def set_language(request: Request, language: Text, next_: Then = "/") -> Response:
    """The user's language, kept for him."""
    await asyncio.to_thread(_console(request).users.set_language, request.state.session.user.id, language)
    return RedirectResponse(inside(next_), 303)


@router.get("/first")
async def first_page(request: Request) -> Response:
    """Only while there is no administrator."""
    return _first(request) if _console(request).wants_first() else RedirectResponse("/login", 303)


@router.post("/first")
async def first(request: Request, code: Text = "", name: Text = "", password: Text = "", again: Text = "") -> Response:
    """The first administrator, by the code that only somebody at this machine has seen."""
    console, address, lang = _console(request), _address(request), spoken(request)
    if not console.wants_first():
        return RedirectResponse("/login", 303)
    name, names = name.strip().lower(), (f"address {address}", "account first code")
    if wait := console.access.throttle.wait_s(*names):
        return _first(request, say("wait", lang, minutes=_minutes(wait)), name)
    if not _same_code(code, console.first_code):
        console.access.throttle.failed(*names)
        return _first(request, say("code_wrong", lang), name)
    user = User(name, Role.ADMIN, ("*",), lang)
    if wrong := _wrong(user, password, again, lang):
        return _first(request, wrong, name)
    stored = await console.access.hashed(password)
    try:
        await asyncio.to_thread(lambda: console.users.add(user, stored, "first_code", first=True))
    except Rejected:
        return _first(request, say("code_wrong", lang), name)
    console.code_used()
    return await _begun(request, *await asyncio.to_thread(console.access.begin, user, address), "/")


def _login(request: Request, wait_s: float | None = None, then: str = "") -> Response:
    lang = spoken(request)
    wrong = None
    if wait_s is not None:
        words = say("wait", lang, minutes=_minutes(wait_s)) if wait_s else say("wrong", lang)
        wrong = tag("p", words, class_="wrong", role="alert")
    then = inside(then or request.query_params.get("next", "/"))
    return page(
        request,
        say("log_in", lang),
        _head(lang, "log_in"),
        wrong,
        form(
            request,
            f"/login?lang={lang}",
            tag("input", type="hidden", name="next", value=then),
            _field(say("user_name", lang), "name", autocomplete="username", autofocus=True),
            _field(say("password", lang), "password", type="password", autocomplete="current-password"),
            tag("button", say("log_in", lang), type="submit"),
        ),
        status=429 if wait_s else 403 if wrong else 200,
    )


def _first(request: Request, wrong: str = "", name: str = "") -> Response:
    lang = spoken(request)
    return page(
        request,
        say("first_title", lang),
        _head(lang, "first_title"),
        tag("p", say("first_text", lang)),
        tag("p", wrong, class_="wrong", role="alert") if wrong else None,
        form(
            request,
            f"/first?lang={lang}",
            _field(say("code", lang), "code", autocomplete="one-time-code", autofocus=True),
            _field(say("user_name", lang), "name", autocomplete="username", value=name),
            _field(say("password", lang), "password", type="password", autocomplete="new-password"),
            _field(say("password_again", lang), "again", type="password", autocomplete="new-password"),
            tag("button", say("make_admin", lang), type="submit"),
        ),
        status=403 if wrong else 200,
    )


def _head(lang: str, title: str) -> Html:
    change = tag("a", say("other_language", lang), href=f"?lang={other(lang)}", class_="language", lang=other(lang))
    return tag("header", tag("p", "看护 Kanhu", class_="brand"), tag("h1", say(title, lang)), change)


def _field(label: str, name: str, **attributes: str | bool) -> Html:
    return tag("label", tag("span", label), tag("input", name=name, required=True, maxlength=200, **attributes))


async def _begun(request: Request, value: str, session: object, then: str) -> Response:
    """To where he wanted, with his new cookie; a session that this browser had ends."""
    console = _console(request)
    if (old := await console.access.find(cookie(request.scope, console.cookie))) is not None:
        await console.access.log_out(old, _address(request))
    answer = RedirectResponse(inside(then), 303)
    answer.set_cookie(console.cookie, value, path="/", secure=console.settings.console.secure, httponly=True, samesite="lax")
    return answer


def _wrong(user: User, password: str, again: str, lang: str) -> str:
    try:
        check(user)
    except Rejected:
        return say("bad_id", lang)
    try:
        check_password(password, user.id)
    except Rejected:
        return say("bad_password", lang)
    return "" if password == again else say("passwords_differ", lang)


def _same_code(given: str, code: str) -> bool:
    plain = "".join(given.upper().split()).replace("-", "")
    return hmac.compare_digest(plain.encode("utf-8", "replace"), code.replace("-", "").encode())


def _minutes(wait_s: float) -> int:
    return max(1, round(wait_s / 60 + 0.49))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _console(request: Request) -> "Console":
    console: Console = request.state.console
    return console
