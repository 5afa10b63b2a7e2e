"""One change that a push would make, and all of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from dashboards.grafana.push.client import Grafana
from dashboards.grafana.push.same import Difference
from dashboards.grafana.push.wanted import PREFIX, Json

_MOST_LINES: Final = 6  # of one object


class Kind(StrEnum):
    """What is changed, in the words of Grafana's pages."""

    SOURCE = "data source"
    FOLDER = "folder"
    DASHBOARD = "dashboard"
    POINT = "contact point"
    POLICY = "notification policies"
    RULE = "alert rule"
    GROUP = "rule group"


class Act(StrEnum):
    """What happens to it."""

    MAKE = "make"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """One call to be made.

    Attributes:
        lines: what differs, for people; no secret is in them.
        body: what is sent; {} where something is removed.  folder_uid: of a dashboard.
    """

    kind: Kind
    act: Act
    uid: str
    title: str
    lines: tuple[str, ...] = ()
    body: Json = field(default_factory=dict, repr=False)
    folder_uid: str = ""


@dataclass(slots=True)
class Plan:
    """What a push does.

    Attributes:
        changes: in no order; `apply` has one.
        same: how many objects are as they should be.
        notes: what a person should know and nothing stands in the way of.
        refused: why nothing is done; a person has to act first.
        rules: all that should be there, to be tried before any is saved.
    """

    changes: list[Change] = field(default_factory=list)
    same: int = 0
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    rules: list[Json] = field(default_factory=list)

    def settle(self, change: Change) -> None:
        """Keep a change in which something differs; count the others as the same."""
        if change.lines:
            self.changes.append(change)
        else:
            self.same += 1


def lines(grafana: Grafana, differs: Iterable[Difference], more: Sequence[str] = ()) -> tuple[str, ...]:
    """What differs, as people read it, without secrets."""
    found = [grafana.hide(one.line()) for one in differs]
    rest = [f"... and {len(found) - _MOST_LINES} more"] if len(found) > _MOST_LINES else []
    return (*found[:_MOST_LINES], *rest, *more)


def gone(there: Iterable[str], here: Iterable[str]) -> Iterator[str]:
    """What was there and is asked for no more, sorted."""
    yield from sorted({*there} - {*here})


def is_ours(uid: str) -> bool:
    """Whether a uid is one of those that we give."""
    return uid == PREFIX or uid.startswith(f"{PREFIX}-")


def sealed(body: Json, secret: Mapping[str, str]) -> Json:
    """A data source with what Grafana seals."""
    return {**body, "secureJsonData": dict(secret)} if secret else dict(body)
