"""One keep-alive HTTP connection that posts and returns the answer: no redirects, bounded bodies, a time-out on everything."""

import http.client
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from edge_gateway.errors import Misconfigured, Unavailable

MAX_ANSWER_BYTES: Final = 1 << 20
MAX_RETRY_AFTER_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said. `text` is cut at 1 MiB; `retry_after_s` is None when it did not ask for a pause."""

    status: int
    text: str
    retry_after_s: float | None = None
    location: str = ""


class Connection:
    """Used by one thread. A failed request closes it: a late answer can never be taken for the next one's."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Misconfigured("influx.url is no http or https address", "for example http://127.0.0.1:8086")
        if parts.username or parts.password:
            raise Misconfigured(
                "influx.url holds a user name or password", "use influx.token_file, or username and password_file"
            )
        self.shown = f"{parts.scheme}://{parts.netloc}"  # for messages
        self._path = parts.path.rstrip("/")
        self._headers = dict(headers)
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._http = make(parts.hostname, port, timeout=timeout_s)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises `Unavailable` when no whole answer came, `Misconfigured` when the server's certificate is not trusted."""
        reused = self._http.sock is not None
        try:
            return self._post(path, body, headers)
        except ssl.SSLCertVerificationError as error:
            self.close()
            hint = "trust its authority on this machine, or name it in SSL_CERT_FILE"
            raise Misconfigured(f"{self.shown}: {error.verify_message}", hint) from None
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            self.close()
            if not reused:
                raise Unavailable(f"{self.shown} closed the connection") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(f"{self.shown}: {error or type(error).__name__}") from error
        # A server may close an idle connection at any time: that says nothing about its health, so once more on a new one.
        return self.post(path, body, headers)

    def close(self) -> None:
        """A second call does nothing; the next `post` connects again."""
        self._http.close()

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self._http.request("POST", self._path + path, body, {**self._headers, **headers})
        response = self._http.getresponse()
        text = response.read(MAX_ANSWER_BYTES)
        if not response.isclosed() and response.read(1):
            self.close()
        after = response.getheader("Retry-After")
        return Answer(
            response.status,
            text.decode("utf-8", "replace"),
            None if after is None else retry_after_s(after, response.getheader("Date")),
            response.getheader("Location", ""),
        )


def retry_after_s(value: str, date: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or an HTTP date; a date is compared with the server's own clock.

    Returns:
        0 to one hour; None when it makes no sense.
    """
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value.strip()):
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        then = parsedate_to_datetime(value)
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        seconds = (then - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def authorization(scheme: str, token: str) -> dict[str, str]:
    """The header for a token; it never shows the token in an error."""
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise Misconfigured("the token in influx.token_file holds a character no token has", "write it again, on one line")
    return {"Authorization": f"{scheme} {token}"}


def basic(username: str, password: str) -> dict[str, str]:
    """The header for a user and password; nothing without a user."""
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode()} if username else {}
