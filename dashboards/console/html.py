"""Pages as text, without a template language: every text and attribute is escaped, unless it is Html already."""

from collections.abc import Sequence
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from dashboards.console import csrf, language
from dashboards.console.roles import Forbidden
from edge_gateway.errors import KanhuError, Unavailable

_EMPTY: Final = frozenset({"input", "img", "br", "hr", "meta", "link"})


class Html(str):
    """Text that is HTML already; made by `tag` alone."""

    __slots__ = ()


def tag(name: str, /, *children: "str | Html | None", **attributes: "str | int | bool | None") -> Html:
    """`tag("a", "text", href="/x", class_="big")`. A trailing _ of a name goes, other _ become -; None and False leave out."""
    found = [_attribute(key, value) for key, value in attributes.items() if value is not None and value is not False]
    opening = f"<{name}{''.join(found)}>"
    if name in _EMPTY:
        return Html(opening)
    return Html(f"{opening}{''.join(text(child) for child in children if child is not None)}</{name}>")


def text(child: "str | Html") -> Html:
    """Escaped, unless it is Html."""
    return child if isinstance(child, Html) else Html(escape(str(child), quote=True))


def join(parts: "Sequence[str | Html]") -> Html:
    """One after the other."""
    return Html("".join(text(part) for part in parts))


def form(request: Request, action: str, *children: "str | Html | None", **attributes: "str | int | bool | None") -> Html:
    """A form that posts, with the token of the session."""
    session = request.state.session
    token = tag("input", type="hidden", name=csrf.FIELD, value=session.csrf) if session else None
    return tag("form", token, *children, method="post", action=action, **attributes)


def spoken(request: Request) -> str:
    """The language of a page: `?lang=`, the user's, the browser's, else Chinese."""
    wanted = request.query_params.get("lang", "")
    if wanted in language.LANGUAGES:
        return wanted
    session = getattr(request.state, "session", None)
    return session.user.language if session else language.of_browser(request.headers.get("accept-language", ""))


def page(
    request: Request,
    title: str,
    *children: "str | Html | None",
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    status: int = 200,
    lang: str | None = None,
) -> HTMLResponse:
    """A whole page.

    Args:
        scripts, styles: names of files of `static/`.
    """
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"{title} · 看护 Kanhu"),
        *(tag("link", rel="stylesheet", href=f"/static/{name}") for name in ("console.css", *styles)),
        *(tag("script", src=f"/static/{name}", defer=True) for name in scripts),
    )
    body = tag("main", *children)
    whole = tag("html", tag("head", *head), tag("body", body), lang=lang or spoken(request))
    return HTMLResponse(f"<!doctype html>{whole}", status)


def trouble(request: Request, status: int, error: KanhuError) -> HTMLResponse:
    """What went wrong and what to do, in the reader's language."""
    lang = spoken(request)
    key = "not_allowed" if isinstance(error, Forbidden) else "busy" if isinstance(error, Unavailable) else "refused"
    detail = None if isinstance(error, (Forbidden, Unavailable)) else tag("p", str(error))
    back = tag("a", language.say("home", lang), href="/", class_="button")
    return page(request, language.say(key, lang), tag("h1", language.say(key, lang)), detail, tag("p", back), status=status)


def _attribute(key: str, value: "str | int | bool") -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value), quote=True)}"'
