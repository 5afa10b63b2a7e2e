"""Requests to Grafana, and its answers as our errors: who has to act is told by their kind.

On `requests`, not on a client package for Grafana: it brings a changed urllib3 that takes the place of the one which sends an
alarm to a person.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from dashboards.grafana.push.secrets import hidden
from edge_gateway.errors import KanhuError, Misconfigured, Rejected, Unavailable

PROVISIONED_HINT: Final = (
    "it comes from a provisioning file: change it there (kanhu dashboards build), or remove the file first"
)
NO_PROVENANCE: Final = {"X-Disable-Provenance": "true"}
_PROVISIONED: Final = ("provision", "provenance", "read-only", "readonly")
_MOST_TEXT: Final = 500
_HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class NotThere(Rejected):
    """Grafana knows nothing under this name."""


class Http:
    """One Grafana, as one organisation of it.

    Args:
        url: as a browser has it, with a path if it is below one.
        credential: token of a service account with the role Admin, or (user, password).
        secrets: texts that appear in no error, beside the credential.
        timeout_s: for the connection and for each silence of an answer.

    Raises:
        Misconfigured: the address is none.
    """

    def __init__(self, url: str, credential: str | tuple[str, str], secrets: Iterable[str], timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
            seen = url if "@" not in url else "one with a password in it"
            raise Misconfigured(f"Grafana's address is {seen!r}", "http://host:3000, with nothing but a path behind it")
        self.url = url.rstrip("/")
        self.secrets = [*secrets, credential if isinstance(credential, str) else credential[1]]
        self._auth = _Token(credential) if isinstance(credential, str) else HTTPBasicAuth(*(p.encode() for p in credential))
        self._session, self._timeout_s = requests.Session(), timeout_s
        if parts.hostname in _HERE:  # a proxy of the environment would look for Grafana on its own machine
            self._session.trust_env = False

    def ask(
        self, method: str, path: str, what: str, body: Any = None, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Any:
        """One request; the JSON of its answer, None when it has none.

        Args:
            what: is asked for or changed, for messages.
            query: lists give their parameter several times.

        Raises:
            NotThere: 404.  Misconfigured: a person must act.  Unavailable: the same may succeed later.  Rejected: what was
                sent is wrong.
        """
        try:
            # A redirect would turn a POST into a GET, which Grafana answers with something else.
            answer = self._session.request(
                method,
                f"{self.url}/{path}",
                json=body,
                params=query,
                headers=headers,
                auth=self._auth,
                timeout=self._timeout_s,
                allow_redirects=False,
            )
        except (requests.RequestException, UnicodeError) as error:
            seen = f"Grafana at {self.url} does not answer: {_why(error)}"
            raise Unavailable(self.hide(f"{seen} (does it run, and does this machine reach that address?)")) from None
        if 300 <= answer.status_code < 400:
            where = answer.headers.get("Location", "elsewhere")
            raise Misconfigured(
                f"{self.url} leads to {where[:200]}", "give the address of Grafana itself, https:// if it has that"
            )
        content = _content(answer)
        if answer.status_code >= 400:
            raise self._told(what, answer.status_code, _message(content))
        if isinstance(content, _Page):
            raise Misconfigured(f"{self.url} answers with a page, not as Grafana does", "look whether the address is right")
        return content

    def find(self, path: str, what: str) -> dict[str, Any] | None:
        """What GET gives; None: it is not there."""
        try:
            found: dict[str, Any] | None = self.ask("GET", path, what)
            return found
        except NotThere:
            return None

    def hide(self, text: str) -> str:
        """Without any secret known here."""
        return hidden(text, self.secrets)

    def _told(self, what: str, status: int, message: str) -> KanhuError:
        text = self.hide(f"{what}: Grafana answers {status}: {message}")
        if status == 404:
            return NotThere("not_there", text)
        if status == 401:
            return Misconfigured(text, "make a new token: Administration, Service accounts, role Admin")
        if status < 500 and any(word in message.lower() for word in _PROVISIONED):
            return Misconfigured(text, PROVISIONED_HINT)
        if status == 403:
            return Misconfigured(text, "the token's service account needs the role Admin")
        if status in (409, 412):
            return Unavailable(f"{text} (somebody changed it meanwhile, or the name is taken: look at it, then push again)")
        return Unavailable(text) if status == 429 or status >= 500 else Rejected("grafana_refused", text)


class _Token(AuthBase):
    """As an `AuthBase`, not as a header: requests would put a password of ~/.netrc in the header's place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _why(error: BaseException) -> str:
    """The innermost cause, without the names of the library's classes."""
    inner: object = error
    while isinstance(deeper := getattr(inner, "reason", None) or next(iter(getattr(inner, "args", ())), None), BaseException):
        inner = deeper
    return str(inner).partition("): ")[2] or str(inner)


class _Page(str):
    """What came instead of JSON."""


def _content(answer: requests.Response) -> Any:
    """JSON as what it holds, nothing as None."""
    if answer.status_code == 204 or not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        return _Page(answer.text)


def _message(content: Any) -> str:
    """What Grafana said, in one line."""
    said = content
    if isinstance(content, dict):
        said = content.get("message") or content.get("error") or content
    return " ".join(str(said or "nothing").split())[:_MOST_TEXT]
