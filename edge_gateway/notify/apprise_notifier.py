"""Messages through apprise: WeCom, DingTalk, Feishu, e-mail, SMS gateways, webhooks and a hundred more, by their address.

apprise says yes or no and writes the reason to its log, together with addresses that hold secrets. So its log, and urllib3's,
come here only: the reason is taken from it with every part of the address masked, and nothing is passed on.
"""

import logging
import re
import threading
from typing import Any, Final
from urllib.parse import unquote

from edge_gateway.notify.letter import Letter
from edge_gateway.notify.notifier import Outcome
from edge_gateway.rules import Severity

_KINDS: Final = {Severity.URGENT: "failure", Severity.WARNING: "warning", Severity.NOTICE: "info"}
# The request was certainly not carried out: no connection was made, or the answer was a refusal.
_NOT_SENT: Final = re.compile(
    r"error=\d|NewConnectionError|Connection refused|ConnectTimeout|Connection to .* timed out|NameResolution|Name or service"
    r"|Failed to (resolve|establish)|CERTIFICATE_VERIFY|SSLError",
    re.IGNORECASE,
)
_UNANSWERED: Final = re.compile(
    r"Read timed out|Connection aborted|RemoteDisconnected|Connection broken|Connection error", re.IGNORECASE
)


class AppriseNotifier:
    """One method per message: an apprise service is made, used once and dropped, so none carries state between threads."""

    name = "apprise"

    def handles(self, url: str) -> bool:
        """Every address; so it comes last in `NOTIFIERS`."""
        return "://" in url

    def problem(self, url: str) -> str:
        """Whether apprise can read the address."""
        with _HEARD as said:
            service = _service(url)
        return "" if service is not None else masked(said.text() or "apprise does not know this kind of address", url)

    def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
        """One message; each wait for the network is shorter than `timeout_s`, so that the reason is the channel's own."""
        with _HEARD as said:
            service = _service(url)
            if service is None:
                return Outcome(False, masked(said.text() or "apprise does not know this kind of address", url))
            service.socket_connect_timeout, service.socket_read_timeout = timeout_s * 0.4, timeout_s * 0.5
            kind = _KINDS[letter.severity]
            taken = bool(
                service.notify(body=letter.body, title=letter.title, notify_type=_notify_type(kind), body_format="text")
            )
            detail = said.text()
        if taken:
            return Outcome(True)
        in_doubt = _UNANSWERED.search(detail) is not None and _NOT_SENT.search(detail) is None
        return Outcome(False, masked(detail or "the channel refused it and gave no reason", url), in_doubt)


def masked(text: str, url: str) -> str:
    """`text` without any part of `url` that could be a secret: user, password, token, host, path, query. One short line."""
    _, _, address = url.partition("://")
    parts = {part for half in (address, unquote(address)) for part in re.split(r"[/:@?&=#,;+ ]", half) if len(part) >= 3}
    for part in sorted(parts, key=len, reverse=True):
        text = re.sub(re.escape(part), "***", text, flags=re.IGNORECASE)
    return " ".join(text.split())[:200]


def _service(url: str) -> Any:
    # Imported late: it costs 0.2 s and 45 MB, which a gateway without alerts never pays.
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(async_mode=False, storage_mode="memory")
    # A captive portal answers every post with a redirect to its own page, and that page with 200.
    asset.http_redirects = False
    return Apprise.instantiate(url, asset=asset)


def _notify_type(kind: str) -> Any:
    from apprise import NotifyType

    return NotifyType(kind)


class _Said:
    """The lines that one thread's apprise wrote during one message."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def text(self) -> str:
        return "; ".join(self.lines[-3:])


class _Heard(logging.Filter):
    """Takes what apprise and urllib3 log during one of our messages, by thread, and lets no other log have it."""

    def __init__(self) -> None:
        super().__init__()
        self._by_thread = threading.local()

    def __enter__(self) -> _Said:
        for name in ("apprise", "urllib3.connectionpool"):
            logging.getLogger(name).addFilter(self)  # a second time does nothing
        logging.getLogger("apprise").setLevel(logging.DEBUG)
        self._by_thread.said = _Said()
        said: _Said = self._by_thread.said
        return said

    def __exit__(self, *_: object) -> None:
        self._by_thread.said = None

    def filter(self, record: logging.LogRecord) -> bool:
        said: _Said | None = getattr(self._by_thread, "said", None)
        # Debug lines only where they hold the network's own words: others carry the whole message and address.
        if said is not None and (record.levelno >= logging.WARNING or "Exception" in record.getMessage()):
            said.lines.append(record.getMessage()[:500])
        return said is None


_HEARD: Final = _Heard()
