"""What a person does with a link: look, accept, close. Each act names the person the link is bound to."""

from dataclasses import dataclass

from edge_gateway.alerts.alert import Alert, State
from edge_gateway.alerts.book import AlertBook
from edge_gateway.alerts.links import ACCEPT, CLOSE, Look, find, look, use


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    Attributes:
        first: False: somebody had accepted before; `alert.accepted_by` says who.
        close_word: with which this person can close it; "" for who was not first.
    """

    alert: Alert
    person: str
    first: bool
    close_word: str


def look_at(book: AlertBook, word: str, now_ns: int) -> Look:
    """What the link is for; changes nothing. Raises Rejected: `unknown_link`."""
    return look(*find([*book.open_alerts(), *reversed(book.ended)], word), now_ns)


def accept(book: AlertBook, word: str, now_ns: int) -> Accepted:
    """The person takes the alert. Of one that somebody has taken nothing changes, and the link is not used up.

    Raises:
        Rejected: `unknown_link`, `link_used`, `link_expired`.
    """
    alert, link = find([*book.open_alerts(), *reversed(book.ended)], word)
    seen = look(alert, link, now_ns)
    if seen.why in ("accepted", "closed"):
        return Accepted(alert, link.person, False, "")
    if seen.why == "used" and alert.state is State.ACCEPTED and alert.accepted_by == link.person:
        return Accepted(alert, link.person, False, "")  # the same tap once more: a browser that asked twice
    use(link, ACCEPT, now_ns)
    book.changed(alert)
    alert = book.accept(alert.id, link.person, now_ns)
    word = ""
    if book.links is not None:
        settings = book.settings
        within_s = settings.close_within_s if alert.urgent else settings.close_soft_within_s
        word = book.links.new(alert, CLOSE, link.person, within_s, now_ns)
    return Accepted(alert, link.person, True, word)


def close(book: AlertBook, word: str, reason: str, now_ns: int) -> Alert:
    """The person closes the alert it had accepted. Of one that somebody has closed nothing changes.

    Raises:
        Rejected: `unknown_link`, `link_used`, `link_expired`; `no_reason`.
    """
    alert, link = find([*book.open_alerts(), *reversed(book.ended)], word)
    if alert.state is State.CLOSED:
        return alert
    if not reason.strip():
        return book.close(alert.id, link.person, reason, now_ns)  # says what is missing, and uses nothing up
    use(link, CLOSE, now_ns)
    return book.close(alert.id, link.person, reason, now_ns)
