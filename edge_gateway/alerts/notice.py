"""A message to be sent: to whom, through which channel, about which alerts. Words are put to it by `notify.letter`."""

from dataclasses import dataclass

from edge_gateway.rules import Severity


@dataclass(frozen=True, slots=True)
class Item:
    """What a message says about one alert. `told` are the persons a channel confirmed a message for."""

    alert: str
    step: int
    severity: Severity
    text_zh: str
    text_en: str
    evidence: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. Its identity is (alert, step, person, channel) for each item; more than one item: a digest.

    Attributes:
        person, channel: `settings.Person.id` and index into its `urls`.
    """

    person: str
    channel: int
    items: tuple[Item, ...]

    @property
    def urgent(self) -> bool:
        """Goes before all others."""
        return self.items[0].severity is Severity.URGENT
