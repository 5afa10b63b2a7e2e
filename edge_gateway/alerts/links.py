"""Links in messages: a secret word bound to one alert and one person, good for one act and a short time.

Of the word only a hash is kept, with the alert: who reads the disk can accept nothing. Looking changes nothing, because a chat
that shows a preview looks at every link.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from edge_gateway.alerts.alert import Alert, Link, State
from edge_gateway.errors import Rejected

ACCEPT: Final = "accept"
CLOSE: Final = "close"
_SECOND: Final = 1_000_000_000
_MOST: Final = 200  # of one alert
_LONGEST_NS: Final = 7 * 86_400 * _SECOND


@dataclass(frozen=True, slots=True)
class Look:
    """What a link is for.

    Attributes:
        why: it cannot be used: `used`, `expired`, `accepted` (by somebody), `closed`; "" it can.
    """

    alert: Alert
    person: str
    kind: str
    until_ns: int
    why: str


class Links:
    """Makes them.

    Args:
        mint: a new secret word, at least 120 bits, each time it is called.
        base: what stands before it, `https://visits.example.org/a/`; "" no links.
    """

    def __init__(self, mint: Callable[[], str], base: str) -> None:
        self._mint = mint
        self._base = base
        self._words: dict[tuple[str, str], tuple[int, str]] = {}  # (alert, person) -> step and its word

    @property
    def page(self) -> str:
        """Where all open alerts are, for who is logged in; "" without a base."""
        return self._base.removesuffix("a/") + "alerts" if self._base else ""

    def for_message(self, alert: Alert, step: int, person: str, valid_s: float, now_ns: int) -> str:
        """The link of one step to one person, the same through each channel; "" without a base."""
        if not self._base:
            return ""
        known = self._words.get((alert.id, person))
        word = known[1] if known is not None and known[0] == step and _holds(alert, known[1]) else ""
        if not word:
            word = self.new(alert, ACCEPT, person, valid_s, now_ns)
            self._words[alert.id, person] = step, word
        return self._base + word

    def new(self, alert: Alert, kind: str, person: str, valid_s: float, now_ns: int) -> str:
        """A word for one act; the alert has to be saved before anybody sees it."""
        word = self._mint()
        alert.links = [link for link in alert.links if _lives(link, now_ns)][-_MOST + 1 :]
        alert.links.append(Link(digest(word), kind, person, now_ns, now_ns + round(valid_s * _SECOND)))
        return word

    def forget(self, alert: Alert) -> None:
        """It is over."""
        for key in [key for key in self._words if key[0] == alert.id]:
            del self._words[key]


def digest(word: str) -> bytes:
    """What is kept of a word."""
    return blake2b(word.encode("utf-8", "replace"), digest_size=16).digest()


def find(alerts: Iterable[Alert], word: str) -> tuple[Alert, Link]:
    """The alert and the link of this word.

    Raises:
        Rejected: `unknown_link`.
    """
    wanted = digest(word)
    for alert in alerts:
        for link in alert.links:
            if link.digest == wanted:
                return alert, link
    raise Rejected("unknown_link", "this link is not, or no longer, known; the newest message has one that works")


def look(alert: Alert, link: Link, now_ns: int) -> Look:
    """What may be done with it now."""
    why = ""
    if alert.state is State.CLOSED:
        why = "closed"
    elif link.used_ns:
        why = "used"
    elif not _lives(link, now_ns):
        why = "expired"
    elif link.kind == ACCEPT and not alert.unanswered:
        why = "accepted"
    return Look(alert, link.person, link.kind, link.expires_ns, why)


def use(link: Link, kind: str, now_ns: int) -> None:
    """It is used now.

    Raises:
        Rejected: `unknown_link` (it is for something else), `link_used`, `link_expired`.
    """
    if link.kind != kind:
        raise Rejected("unknown_link", f"this link is to {link.kind} an alert, not to {kind} it")
    if link.used_ns:
        raise Rejected("link_used", "this link has been used; each works once")
    if not _lives(link, now_ns):
        raise Rejected("link_expired", "this link is too old; the newest message has one that works")
    link.used_ns = now_ns


def _lives(link: Link, now_ns: int) -> bool:
    """In time, and made in the past: a clock that jumped back gives no link a second life."""
    return link.made_ns <= now_ns < link.expires_ns <= link.made_ns + _LONGEST_NS


def _holds(alert: Alert, word: str) -> bool:
    wanted = digest(word)
    return any(link.digest == wanted and not link.used_ns for link in alert.links)
