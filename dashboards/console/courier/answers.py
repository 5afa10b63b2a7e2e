"""Answers of the courier's pages with their headers: nothing stored, nothing told to others, no script but our own files."""

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from dashboards.console.html import Html, tag

STATIC: Final = Path(__file__).parent / "static"
STATIC_PATH: Final = "/t/static"
_KINDS: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
GUARDED: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Other sites learn nothing. Not `no-referrer`: with it a browser sends `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Cache-Control": "no-store",
}


def page(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A page that no cache keeps."""
    return HTMLResponse(html, status, {**GUARDED, **(headers or {})})


def document(title: str, language: str, body: Html, head: Sequence[Html] = ()) -> str:
    """A whole page for a phone's screen."""
    metas = (
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex, nofollow"),
        tag("title", title),
    )
    whole = tag("html", tag("head", *metas, *head), tag("body", body), lang=language)
    return f"<!doctype html>\n{whole}\n"


def data(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that no cache keeps."""
    return JSONResponse(value, status, {**GUARDED, **(headers or {})})


def elsewhere(path: str) -> Response:
    """See another page of ours."""
    return RedirectResponse(path, 303, GUARDED)


def from_here(request: Request) -> bool:
    """Whether a browser sent this from one of our own pages; without a browser's headers it is no browser.

    The scheme is left out: behind a proxy that speaks TLS we do not know it.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return origin.partition("://")[2] == request.headers.get("host", "")


@cache
def version() -> str:
    """Changes with the files: what a browser has kept of another version is not used."""
    digest = sha256()
    for file in sorted(STATIC.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def static(name: str) -> str:
    """The address of one of our files."""
    return f"{STATIC_PATH}/{name}?v={version()}"


def static_router() -> APIRouter:
    """Our scripts and styles."""
    router = APIRouter()
    names = {file.name for file in STATIC.iterdir()}

    @router.get(STATIC_PATH + "/{name}")
    def file(name: str) -> Response:
        if name not in names:
            return Response("not found", 404, GUARDED, "text/plain")
        kept = {**GUARDED, "Cache-Control": "public, max-age=604800, immutable"}
        return Response((STATIC / name).read_bytes(), 200, kept, _KINDS.get(Path(name).suffix, "text/plain"))

    return router
