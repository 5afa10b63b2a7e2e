"""A message to be sent: to whom, through which channel, about which alerts. Words are put to it by `notify.letter`."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from edge_gateway.alerts.alert import Alert, Send
from edge_gateway.rules import Severity

RANK = {Severity.URGENT: 0, Severity.WARNING: 1, Severity.NOTICE: 2}
_SHOWN_EVIDENCE = 3


@dataclass(frozen=True, slots=True)
class Item:
    """What a message says about one alert. `told` are the persons a channel confirmed a message for.

    Attributes:
        link: where the person accepts it with one tap; "" where there is none. A secret of this person.
        reopened, first: why it was opened again, and who had accepted it; "" it was not.
        test: nobody is in danger.
        once: there is nothing to accept.
        where: the community, when there are several: two may both have a home `3-2-701`. "" there is but one.
    """

    alert: str
    step: int
    severity: Severity
    text_zh: str
    text_en: str
    evidence: tuple[str, ...]
    told: tuple[str, ...]
    link: str = ""
    reopened: str = ""
    first: str = ""
    test: bool = False
    once: bool = False
    where: str = ""

    @property
    def code(self) -> str:
        """By which a person names the alert in an answer."""
        return self.alert.rpartition("-")[2]


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. Its identity is (alert, step, person, channel) for each item; more than one item: a digest.

    Attributes:
        person, channel: `settings.Person.id` and index into its `urls`.
        replies: the person can answer it with a word.
        page: of a digest: where all of them are; "" nowhere.
    """

    person: str
    channel: int
    items: tuple[Item, ...]
    replies: bool = False
    page: str = ""

    @property
    def urgent(self) -> bool:
        """Goes before all others."""
        return self.items[0].severity is Severity.URGENT

    @property
    def reference(self) -> str:
        """Its name for the channel, by which a report of delivery may come back."""
        return reference(self.items[0].alert, self.items[0].step, self.person, self.channel)


def reference(alert: str, step: int, person: str, channel: int) -> str:
    """24 hexadecimal digits that tell nobody what they stand for."""
    return blake2b(f"{alert}\n{step}\n{person}\n{channel}".encode(), digest_size=12).hexdigest()


def notice_of(
    pairs: list[tuple[Alert, Send]],
    replies: bool,
    link: str = "",
    page: str = "",
    where: Callable[[Alert], str] = lambda alert: "",
) -> Notice:
    """The message of these; the most urgent and oldest alert first. `link` is of the only one, `page` of many."""
    pairs = sorted(pairs, key=lambda pair: (RANK[pair[0].severity], pair[0].raised_ns))
    items = tuple(
        Item(
            alert=alert.id,
            step=send.step,
            severity=alert.severity,
            text_zh=alert.text_zh,
            text_en=alert.text_en,
            evidence=tuple(alert.evidence[-_SHOWN_EVIDENCE:]),
            told=tuple(alert.told),
            link=link,
            reopened=alert.reopened,
            first=alert.first,
            test=alert.test,
            once=alert.once,
            where=where(alert),
        )
        for alert, send in pairs
    )
    return Notice(pairs[0][1].person, pairs[0][1].channel, items, replies, page)
