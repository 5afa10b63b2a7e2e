"""One HTTP request to a channel: its answer, or why there is none and whether it may have been carried out all the same.

No redirect is followed (a captive portal answers every post with one), no proxy is asked, and no text of this module holds an
address: addresses hold secrets.
"""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from edge_gateway.notify.notifier import Outcome

LONGEST: Final = 64 << 10  # bytes of an answer; those of the channels have some hundred
_SHOWN: Final = 160  # characters of a reason
# What stands between us and the channel gave up waiting: the channel may have done it.
_GAVE_UP: Final = frozenset({502, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    body: bytes

    @property
    def good(self) -> bool:
        """200 to 299. Says nothing yet with channels that refuse in the body."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body; a byte that is no UTF-8 is shown as such."""
        return self.body.decode("utf-8", "replace")

    def data(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def ask(url: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float, method: str = "POST") -> Answer | Outcome:
    """The answer; or, without one, what is known: not sent, or in doubt. Blocks for about `timeout_s` at most."""
    parts = urlsplit(url)
    ends = time.monotonic() + timeout_s * 0.9
    try:
        connection = _connection(parts.scheme, parts.hostname or "", parts.port, timeout_s * 0.4)
        connection.connect()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Outcome(False, f"no connection: {_cause(error)}")
    try:
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s * 0.5)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, {"User-Agent": "kanhu", "Connection": "close", **headers})
        return _read(connection.getresponse(), ends)
    except UnicodeError:
        return Outcome(False, "the address or a header has a character that HTTP does not allow")
    except (OSError, http.client.HTTPException) as error:
        return Outcome(False, f"no answer: {_cause(error)}", in_doubt=True)
    finally:
        connection.close()


def refused(answer: Answer, said: str = "", secrets: Collection[str] = ()) -> Outcome:
    """The outcome of an answer that is no yes.

    Args:
        said: what the channel gave as its reason, if it did.
        secrets: what must not be in a reason: keys, numbers.
    """
    words = (
        " ".join((said or answer.text).split()) if answer.status not in (301, 302, 303, 307, 308) else "it sends us elsewhere"
    )
    reason = f"answered {answer.status}: {hidden(words, secrets)}"[:_SHOWN]
    return Outcome(False, reason.rstrip(": "), in_doubt=answer.status in _GAVE_UP)


def hidden(text: str, secrets: Collection[str]) -> str:
    """`text` without these."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 3:
            text = text.replace(secret, "***")
    return text


def _connection(scheme: str, host: str, port: int | None, timeout_s: float) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=_tls())
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _read(response: http.client.HTTPResponse, ends: float) -> Answer:
    """Raises TimeoutError when the body drips for longer than the message may take, HTTPException when it is cut short."""
    body = bytearray()
    while piece := response.read1(LONGEST + 1 - len(body)):
        body += piece
        if len(body) > LONGEST:
            break
        if time.monotonic() > ends:
            raise TimeoutError
    if response.length and len(body) <= LONGEST:
        raise http.client.IncompleteRead(bytes(body), response.length)
    return Answer(response.status, bytes(body))


def _cause(error: Exception) -> str:
    """In words, without host or path."""
    if isinstance(error, TimeoutError):
        return "time-out"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message.split(',')[0]})"
    if isinstance(error, ssl.SSLError):
        return f"TLS ({error.reason or 'failed'})"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
